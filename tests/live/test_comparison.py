"""Live equals offline: a recording at its own speed, what dropped frames do, and how to stop it."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest

from live.comparison import Comparison, ComparisonRun, Difference, Pair, pairs_of
from live.decision import DecisionConfig
from live.recognizer import Recognizer
from live.sources.base import Source
from live.sources.replay import ReplaySource
from live.view import ActionEvent
from skeleton.errors import ModelLoadError, RecordingError
from skeleton.frames import BodyFrame
from skeleton.recording import Recording
from tests.live.fakes import ScriptedSource, recording, wait_until
from tests.live.pipelines import Counting, Lockstep

QUICK = DecisionConfig(smoothing_s=0.05, min_duration_s=0.1, cool_down_s=0.1)


class Twice:
    """Makes source and recognizer of both ways; live no frame is read before the last one was decided about."""

    def __init__(self, whole: Recording | Path, model: Path) -> None:
        self.whole, self.model = whole, model
        self.speeds: list[float] = []
        self.live = Counting(model)

    def source(self, speed: float) -> Source:
        self.speeds.append(speed)
        if math.isinf(speed):
            return ReplaySource(self.whole, speed=speed)
        patient = Lockstep(self.whole, self.live)
        patient._speed = speed
        return patient

    def load(self) -> Recognizer | Counting:
        return self.live if len(self.speeds) == 2 else Recognizer(self.model, provider="cpu")


def finished(run: ComparisonRun) -> Comparison | None:
    wait_until(lambda: run.is_over, what="the end of the comparison", within_s=60)
    return run.result()


def compared(whole: Recording | Path, model: Path) -> Comparison:
    twice = Twice(whole, model)
    run = ComparisonRun(twice.source, twice.load, config=QUICK)
    run.start()
    found = finished(run)
    assert found is not None
    assert twice.speeds == [math.inf, 1.0]
    assert (run.progress.step, run.progress.share) == ("live", 1.0)
    return found


def test_a_recording_at_its_own_speed_gives_the_offline_events_to_the_frame(model_file: Path) -> None:
    found = compared(recording(90, people=3, hand_up_s=(0.8, 2.0)), model_file)
    assert (found.frames, found.frames_dropped) == (90, 0)
    assert [pair.difference for pair in found.pairs] == [Difference.NONE] * 3
    assert all(pair.live == pair.offline for pair in found.pairs)


def test_a_real_recording_at_its_own_speed_gives_the_offline_events(model_file: Path, real_data: Path) -> None:
    found = compared(real_data / "labanotation" / "Ges01_wavehand.csv", model_file)
    assert found.pairs and found.differences == found.frames_dropped == 0


class Hasty(ReplaySource):
    """A replay that lets the recognizer go on only when all of it was read."""

    def __init__(self, whole: Recording, recognizer: Counting) -> None:
        super().__init__(whole, speed=math.inf)
        self._recognizer, self._left = recognizer, len(whole.frames)

    def read(self, timeout_s: float) -> BodyFrame | None:
        found = super().read(timeout_s)
        self._left -= found is not None
        if not self._left:
            self._recognizer.release.set()
        return found


def test_dropped_frames_are_counted_and_the_actions_they_cost_are_named(model_file: Path) -> None:
    whole, slow = recording(90, hand_up_s=(0.5, 2.0)), Counting(model_file)
    slow.release.clear()
    run = ComparisonRun(
        lambda speed: ReplaySource(whole, speed=speed) if math.isinf(speed) else Hasty(whole, slow),
        lambda: slow if run.progress.step == "live" else Recognizer(model_file, provider="cpu"),
        config=QUICK,
    )
    run.start()
    found = finished(run)
    assert found is not None
    assert found.frames == 90 and found.frames_dropped > 80
    assert [pair.difference for pair in found.pairs] == [Difference.ONLY_OFFLINE]
    assert found.differences == 1


def test_a_comparison_that_is_canceled_has_no_result_and_leaves_no_thread(model_file: Path) -> None:
    endless = ScriptedSource()  # it opens, and never gives a frame
    run = ComparisonRun(
        lambda speed: ReplaySource(recording(5), speed=speed) if math.isinf(speed) else endless,
        lambda: Recognizer(model_file, provider="cpu"),
    )
    before = set(threading.enumerate())
    run.start()
    wait_until(lambda: endless.opened, what="the live way")
    assert not run.is_over
    run.cancel()
    assert finished(run) is None
    wait_until(lambda: set(threading.enumerate()) <= before, what="no thread is left")


def test_a_recording_that_cannot_be_read_is_a_sentence(tmp_path: Path, model_file: Path) -> None:
    run = ComparisonRun(
        lambda speed: ReplaySource(tmp_path / "none.csv", speed=speed),
        lambda: Recognizer(model_file, provider="cpu"),
    )
    run.start()
    with pytest.raises(RecordingError):
        finished(run)


def test_a_model_that_fails_only_live_is_a_sentence(tmp_path: Path, model_file: Path) -> None:
    models = [model_file, tmp_path / "gone.onnx"]
    run = ComparisonRun(
        lambda speed: ReplaySource(recording(20), speed=speed),
        lambda: Recognizer(models.pop(0), provider="cpu"),
    )
    run.start()
    with pytest.raises(Exception, match=r"gone\.onnx"):
        finished(run)
    assert issubclass(ModelLoadError, Exception)


# Pairs.


def event(start_s: float, end_s: float | None, *, person: int = 1, label: str = "squat", confidence: float = 0.8):  # type: ignore[no-untyped-def]
    return ActionEvent(100 + person, person, label, start_s, end_s, confidence)


@pytest.mark.parametrize(
    ("live", "offline", "differences"),
    [
        ([], [], []),
        ([event(1, 2)], [event(1, 2)], ["same"]),
        ([event(1, None), event(1, 2)], [event(1, None), event(1, 2)], ["same"]),
        ([event(1, 2)], [event(1, 2.0333)], ["other times"]),
        ([event(1.0333, 2)], [event(1, 2)], ["other times"]),
        ([event(1, 2, confidence=0.7)], [event(1, 2)], ["other confidence"]),
        ([event(1, 2)], [event(1, 2, label="lunge")], ["only live", "only offline"]),
        ([event(1, 2)], [event(1, 2, person=2)], ["only live", "only offline"]),
        ([event(1, 2)], [event(3, 4)], ["only live", "only offline"]),
        ([event(3, 4), event(1, 2)], [event(1, 2), event(3, 4)], ["same", "same"]),
        ([event(1, 3), event(3.5, 4)], [event(1, 3), event(3.6, 4)], ["same", "other times"]),
        ([event(1, 5)], [event(1, 2), event(2.5, 5)], ["only offline", "other times"]),
    ],
    ids=[
        "nothing",
        "the same",
        "starts do not count",
        "ends a frame later",
        "starts a frame later",
        "another confidence",
        "another label",
        "another person",
        "another time",
        "another order",
        "one of two differs",
        "one in place of two goes with the longer",
    ],
)
def test_actions_of_both_ways_are_put_beside_each_other(
    live: list[ActionEvent], offline: list[ActionEvent], differences: list[str]
) -> None:
    pairs = pairs_of(live, offline)
    found = [pair.difference.value for pair in pairs]
    assert sorted(found) == sorted(differences)
    assert Comparison(pairs, 9, 0).differences == sum(name != "same" for name in differences)
    assert list(pairs) == sorted(pairs, key=lambda pair: (pair.live or pair.offline).start_s)


def test_an_exact_match_goes_before_a_longer_overlap() -> None:
    short, long = event(2, 3), event(1, 4)
    assert set(pairs_of([long, short], [short])) == {Pair(short, short), Pair(long, None)}
