"""The machinery of the half-hour run, for a few seconds: what it counts, what it finds missing, that it ends."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.options import PRETRAINED
from benchmarks import machine
from benchmarks.course import Curve, course
from benchmarks.decision_latency import Decisions
from benchmarks.long_run import COLUMNS, STOLEN, Outcome, _row, own_seconds, run
from live.view import PipelineView
from skeleton.frames import Body
from tests.kinect.playing import Player
from tests.kinect.sensor import Delivery, Kinect, eventually
from tests.recordings import walking_body

SECONDS = 4.0
LEFT_OUT = range(20, 27)
has_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").is_file() or not hasattr(os, "sysconf"), reason="this benchmark needs Linux's /proc"
)


class Stuttering(Player):
    """Announces some frames so closely before the next that nobody can have asked for them."""

    def __init__(self, kinect: Kinect, pictures: Sequence[np.ndarray]) -> None:
        super().__init__(kinect, self._people, pictures=pictures)
        self._post = kinect.post
        kinect.post = self._post_some  # type: ignore[method-assign]

    @staticmethod
    def _people(number: int) -> Sequence[Body]:
        return [walking_body(number / 30, person) for person in range(6)]

    def stop(self) -> None:
        """Goes on until some frames were left out and some more were sent, however slow the computer is."""
        eventually(lambda: len(self.sent_s) > LEFT_OUT.stop + 10)
        super().stop()

    def _post_some(self, kind: str, delivery: Delivery) -> None:
        if kind == "color" or len(self.sent_s) - 1 not in LEFT_OUT:
            self._post(kind, delivery)


class Counted(list[float]):
    """Times that count how many of them were looked at from the end."""

    looked_at = 0

    def __reversed__(self) -> Iterator[float]:
        for value in super().__reversed__():
            self.looked_at += 1
            yield value


@has_proc
def test_a_row_looks_at_the_decisions_of_its_second_alone() -> None:
    now_s, decisions = time.perf_counter(), Decisions()
    for ago_s in (*range(1800, 2, -1), 0.3, 0.2, 0.1):
        decisions.note(now_s - ago_s, ago_s)
    decisions.at_s = Counted(decisions.at_s)  # type: ignore[assignment]
    row = _row(now_s - 1800, decisions, PipelineView())
    assert row[COLUMNS.index("decisions")] == 3 and row[COLUMNS.index("p50_ms")] == pytest.approx(200)
    assert decisions.at_s.looked_at == 4  # type: ignore[attr-defined]


@pytest.fixture
def player(kinect: Kinect) -> Iterator[Player]:
    picture = np.full((1080, 1920, 4), 90, dtype=np.uint8)
    with Stuttering(kinect, [picture]) as player:
        yield player


@has_proc
def test_every_frame_of_a_run_is_read_or_counted_and_shown_as_lost_and_no_thread_is_left(player: Player) -> None:
    table = io.StringIO()
    outcome = run(player, seconds=SECONDS, model=PRETRAINED, table=table)
    assert outcome.lost >= len(LEFT_OUT)  # and more on a machine that is busy
    assert outcome.announced == outcome.read + outcome.lost > len(LEFT_OUT)
    assert outcome.said == f"{outcome.lost} frames lost"
    assert outcome.threads_left == ()
    assert len(outcome.latency_ms) > 0 and outcome.latency_ms.min() > 0
    rows = list(csv.reader(io.StringIO(table.getvalue())))
    assert tuple(rows[0]) == COLUMNS and len(rows) == len(outcome.rows) + 1 > 1
    assert all(float(row[1]) > 50 for row in rows[1:])  # Qt, numpy and a model do not fit into less


MINUTES = np.arange(0.0, 3.0, 1 / 60)
FLAT = np.stack([60 * MINUTES, np.full(len(MINUTES), 300.0)], axis=1)
GROWING = FLAT + [0.0, 1.0] * np.maximum(0.0, FLAT[:, :1] - 60) * 0.5
LATE_MS = np.array([5.0] * 194 + [20.0] * 6)
GOOD = Outcome(FLAT, np.full(200, 9.0), np.full(200, True), 300, 298, 2, 0, "2 frames lost", ())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, None, id="all is well"),
        pytest.param({"latency_ms": LATE_MS}, "20.0 ms", id="late decisions"),
        pytest.param({"latency_ms": LATE_MS, "is_own": LATE_MS < 9}, None, id="late while others had the cores"),
        pytest.param({"is_own": np.arange(200) < 99}, "99 of 200", id="others had the cores most of the time"),
        pytest.param({"is_own": np.zeros(200, bool)}, "0 of 200: try again", id="others had the cores all the time"),
        pytest.param({"latency_ms": np.array([]), "is_own": np.array([], bool)}, "inf ms", id="no decision at all"),
        pytest.param({"rows": GROWING}, "59.5 MB", id="memory that grows after the first minute"),
        pytest.param({"rows": FLAT - [0, 200] * (FLAT[:, :1] < 30)}, None, id="memory that grows within it"),
        pytest.param({"read": 297}, "300 sent, 297 read and 2 lost", id="a frame that nobody counted"),
        pytest.param({"said": ""}, "2 lost frames must be shown", id="a loss that is not shown"),
        pytest.param({"threads_left": ("source",)}, "found source", id="a thread that is left"),
    ],
)
def test_what_does_not_hold_is_said(changes: dict[str, object], words: str | None) -> None:
    found = dataclasses.replace(GOOD, **changes).failures()  # type: ignore[arg-type]
    assert len(found) == (words is not None)
    assert words is None or words in found[0]


def test_a_decision_is_the_machines_own_when_nobody_was_given_a_core_in_its_second() -> None:
    rows = np.zeros((3, len(COLUMNS)))
    rows[:, 0], rows[:, STOLEN] = [1.0, 2.0, 3.0], [0.0, 0.015, 0.01]
    found = own_seconds(rows, np.array([0.5, 1.0, 1.01, 2.0, 2.5, 3.0, 3.2]))
    assert found.tolist() == [True, True, False, False, True, True, False]


@has_proc
def test_the_time_that_the_host_gave_to_others_is_the_eighth_number_of_the_first_line(tmp_path: Path) -> None:
    statistics = tmp_path / "stat"
    statistics.write_text("cpu  11 12 13 14 15 16 17 1800 19 20\ncpu0 1 2 3 4 5 6 7 8 9 10\n", encoding="ascii")
    assert machine.stolen_s(statistics) == pytest.approx(1800 / os.sysconf("SC_CLK_TCK"))
    assert machine.stolen_s(tmp_path / "none") == 0.0


def test_the_course_draws_every_moment_and_the_aim() -> None:
    picture = course(MINUTES, [Curve("a", MINUTES), Curve("b", 2 * MINUTES, aim=9.0)], title="t < u", note="n")
    assert picture.count("<polyline") == 2 and "aim 9" in picture and "t &lt; u" in picture
    points = picture.split('points="')[2].split('"')[0].split()
    assert len(points) == len(MINUTES)
    with pytest.raises(ValueError, match="a value for each"):
        course(MINUTES, [Curve("a", MINUTES[1:])], title="", note="")


def test_a_machine_says_how_long_a_program_that_does_nothing_stood_still() -> None:
    moments_s = iter([10.0, 10.001, 10.002, 10.102, 10.103, 10.5, 11.0])
    share, longest_s = machine.held_up(1.0, lambda: next(moments_s))
    assert (share, longest_s) == pytest.approx((0.1 + 0.397 + 0.5, 0.5))
