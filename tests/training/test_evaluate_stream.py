"""A model on streams: what the engine says there is what the app says, and every number follows from it."""

from __future__ import annotations

import csv
import html
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from live import offline
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from skeleton.formats.table import write_recording
from skeleton.frames import BodyFrame
from skeleton.recording import Recording
from training.__main__ import main
from training.cache import open_cache
from training.event_scores import NOTHING
from training.stream_run import run
from training.streams import Stream, StreamConfig, from_cache

FAST = ["--set", "people=2", "clips=6", "pause_s=[0.5, 1.5]", "lead_s=1.5"]


@pytest.fixture(scope="module")
def stream(synthetic: Path) -> Stream:
    cache = open_cache(synthetic)
    return next(iter(from_cache(cache, np.flatnonzero(cache.clips["subject"] == 2), StreamConfig(clips=6))))


@pytest.fixture(scope="module")
def recognizer(model: Path) -> Recognizer:
    return Recognizer(model, provider="cpu")


@pytest.fixture(scope="module")
def result(model: Path, synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    from training import evaluate_stream

    config = StreamConfig(people=2, clips=6, pause_s=(0.5, 1.5), lead_s=1.5)
    return evaluate_stream.on_cache(model, synthetic, "odd-even", config=config, background=[synthetic])


def test_what_is_judged_is_what_the_app_shows(stream: Stream, recognizer: Recognizer) -> None:
    (outcome,) = run(stream, recognizer)
    views = list(offline.run(ReplaySource(stream.recording, speed=math.inf), recognizer, with_color=False))
    labels = recognizer.card.labels
    shown = [NOTHING if view.people[0].label is None else labels.index(view.people[0].label) for view in views]
    assert outcome.shown.labels.tolist() == shown
    np.testing.assert_allclose(outcome.shown.times_s, stream.recording.times_s)
    events = [event for view in views for event in view.events if event.end_s is not None]
    assert [(one.start_s, one.end_s, labels[one.label]) for one in outcome.events] == [
        (event.start_s, event.end_s, event.label) for event in events
    ]
    assert len(events) >= 4


def test_arg_max_shows_the_best_class_of_every_window_at_once(stream: Stream, recognizer: Recognizer) -> None:
    (outcome,) = run(stream, recognizer)
    best = outcome.answers.probabilities.argmax(axis=1)
    rows = np.searchsorted(outcome.plain_shown.times_s, outcome.answers.times_s - 1e-6)
    np.testing.assert_array_equal(outcome.plain_shown.labels[rows], best)
    first = rows[0]
    assert first > 10 and (outcome.plain_shown.labels[:first] == NOTHING).all()  # warming up
    assert sum(one.end_s - one.start_s for one in outcome.plain_events) == pytest.approx(len(best) / 30, abs=1e-6)


def test_the_background_is_no_event_of_arg_max(stream: Stream, recognizer: Recognizer) -> None:
    import dataclasses

    class Knowing:
        card = dataclasses.replace(recognizer.card, background="squat")
        info, warning, recognize = recognizer.info, None, staticmethod(recognizer.recognize)

    (outcome,) = run(stream, Knowing())
    squat = recognizer.card.labels.index("squat")
    assert squat not in {one.label for one in outcome.plain_events}
    assert squat not in {one.label for one in outcome.events} and len(outcome.events) >= 2


def test_times_count_from_the_first_frame_whatever_the_clock_says(stream: Stream, recognizer: Recognizer) -> None:
    frames = [
        BodyFrame(index=frame.index, time_s=frame.time_s + 1000.25, bodies=frame.bodies)
        for frame in stream.recording.frames
    ]
    later = Recording(stream.recording.info, stream.recording.times_s + 1000.25, frames)
    (one,), (other,) = run(stream, recognizer), run(Stream("later", later, stream.truth, stream.who), recognizer)
    np.testing.assert_allclose(other.shown.times_s, one.shown.times_s, atol=1e-6)
    np.testing.assert_allclose(other.answers.times_s, one.answers.times_s, atol=1e-6)
    assert [event.label for event in other.events] == [event.label for event in one.events]


def test_the_numbers_belong_together(result: dict) -> None:
    assert result["subjects"] == [2, 4] and result["trained_on_tested"] == []
    for way in ("engine", "argmax"):
        numbers, people = result[way], [row[way] for row in result["per_person"]]
        assert numbers["actions"] == 12 == sum(row["actions"] for row in people)
        assert numbers["events"] == sum(row["events"] for row in people)
        assert numbers["events"] == sum(len(row[way]) for row in result["timelines"] if row["who"] != "background")
        assert numbers["overlap"]["0.3"]["recall"] >= numbers["overlap"]["0.5"]["recall"]
        scenes = [row["seconds"] for row in result["timelines"] if row["who"] == "background"]
        assert len(scenes) == 4  # two at a time: each one's minutes and changes count for themselves
        assert numbers["background"]["minutes"] > 0.75 * sum(scenes) / 60
    assert {row["person"] for row in result["per_person"]} == {"2", "4"}


def test_the_engine_is_silent_at_times_and_arg_max_never_is(result: dict) -> None:
    rows = [row for row in result["timelines"] if row["who"] != "background"]
    for row in rows:
        talked = {way: sum(end - start for start, end, _ in row[way]) for way in ("engine", "argmax")}
        assert talked["engine"] < talked["argmax"] - 2.0 and talked["argmax"] > row["seconds"] - 2.5
    assert result["engine"]["noticed"] >= 0.75 and result["argmax"]["noticed"] >= 0.75


def test_the_command_prints_json_and_writes_a_page_that_stands_alone(
    model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], result: dict
) -> None:
    page = tmp_path / "stream.html"
    flags = ["--model", str(model), "--data", str(synthetic), "--protocol", "odd-even", *FAST]
    assert main(["evaluate-stream", *flags, "--background", str(synthetic), "--json", "--report", str(page)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(result))  # the same run again gives the same numbers
    text = page.read_text(encoding="utf-8")
    assert "data:image/svg+xml" in text and "<script" not in text and "http" not in text.replace("http-equiv", "")
    assert html.escape("false alarms a minute") in text and text.count("<figure") == len(printed["timelines"])


def test_in_words_it_names_both_ways(model: Path, synthetic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--model", str(model), "--data", str(synthetic), "--protocol", "loso-1", *FAST]
    assert main(["evaluate-stream", *flags]) == 0
    words = capsys.readouterr().out
    assert "plain arg-max" in words and "event F1 at overlap 0.3" in words and "TRAINED on people" in words


def test_a_recording_with_its_table_is_measured(
    model: Path, stream: Stream, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, table = tmp_path / "anna.npz", tmp_path / "truth.csv"
    write_recording(stream.recording, file)
    with table.open("w", newline="", encoding="utf-8") as lines:
        rows = [
            (one.start_s, one.end_s, "juggling" if number == 0 else one.label)
            for number, one in enumerate(stream.truth)
        ]
        csv.writer(lines).writerows([("start_s", "end_s", "label"), *rows])
    flags = ["evaluate-stream", "--model", str(model), "--recording", str(file), "--truth", str(table)]
    assert main([*flags, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["engine"]["actions"] == 5 and printed["unknown_labels"] == ["juggling"]
    assert printed["unknown"]["known"] == 5 and printed["unknown"]["unknown"] == 1
    assert [row[2] for row in printed["timelines"][0]["truth"]].count("unknown") == 1
    table.write_text("start_s,end_s,label\n1,2,juggling\n", encoding="utf-8")
    assert main(flags) == 1 and "knows none of the labels" in capsys.readouterr().err


def test_labels_that_the_model_does_not_know_must_be_named(
    weak_model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from training.evaluate_stream import check_labels

    card = Recognizer(weak_model, provider="cpu").card
    check_labels(["squat", "juggling"], card, ["juggling"])
    flags = ["evaluate-stream", "--model", str(weak_model), "--data", str(synthetic), "--protocol", "odd-even"]
    assert main([*flags, "--unknown", "squat"]) == 1
    assert "knows 'squat', so it cannot be shown as unknown" in capsys.readouterr().err
    assert main([*flags, "--unknown", "juggling"]) == 1
    assert "No clip shows 'juggling'" in capsys.readouterr().err
    with pytest.raises(Exception, match="does not know 'juggling'"):
        check_labels(["squat", "juggling"], card, [])


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        pytest.param([], "Say what to measure on", id="nothing"),
        pytest.param(["--data", "D", "--recording", "R"], "Say what to measure on", id="both"),
        pytest.param(["--recording", "R"], "--recording needs --truth", id="no table"),
        pytest.param(["--recording", "R", "--truth", "T", "--unknown", "a"], "takes no --unknown", id="unknown"),
        pytest.param(["--recording", "R", "--truth", "T", "--side", "test"], "takes no --side", id="side"),
        pytest.param(["--recording", "R", "--truth", "T", "--protocol", "cs"], "takes no --protocol", id="protocol"),
        pytest.param(["--data", "D"], "--data needs --protocol", id="no protocol"),
        pytest.param(["--data", "D", "--protocol", "loso-1", "--set", "pepole=2"], "no setting 'pepole'", id="typo"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate-stream", "--model", "M", *flags]) == 1
    assert sentence in capsys.readouterr().err


def test_a_model_without_validation_people_has_no_validation_side(
    model: Path, synthetic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", str(model), "--data", str(synthetic), "--protocol", "odd-even", "--side", "validation"]
    assert main(["evaluate-stream", *flags]) == 1
    assert "must have people who validated" in capsys.readouterr().err


def test_where_takes_are_divided_nobody_validates(
    model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(synthetic, tmp_path / "own")
    facts = json.loads((tmp_path / "own" / "cache.json").read_text())
    (tmp_path / "own" / "cache.json").write_text(json.dumps(facts | {"protocols": ["takes"]}))
    flags = ["--model", str(model), "--data", str(tmp_path / "own"), "--protocol", "takes", "--side", "validation"]
    assert main(["evaluate-stream", *flags]) == 1
    assert "can be asked where people are divided" in capsys.readouterr().err
