"""Comparing live with offline in the window: the words, the table, and that it can be canceled."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from app.comparison import progress_share, rows_of, run_of, verdict
from app.comparison_dialog import CANCELED, INTENT, ComparisonDialog
from app.session import Choice, Session
from live.comparison import Comparison, Pair, Progress
from live.sources.base import SourceStatus, Transport
from live.sources.table import SourceOptions
from live.view import ActionEvent
from skeleton.errors import RecordingError
from skeleton.formats.table import write_recording
from tests.app.fakes import CARD, FakePipeline, person, view
from tests.live import tiny_model
from tests.live.fakes import recording, wait_until


def event(start_s: float, end_s: float) -> ActionEvent:
    return ActionEvent(101, 1, "deep_squat", start_s, end_s, 0.9)


SAME = Pair(event(1, 2), event(1, 2))
LATE = Pair(event(1.1, 2), event(1, 2.2))
GONE = Pair(None, event(3, 4))


@pytest.mark.parametrize(
    ("comparison", "sentence"),
    [
        (
            Comparison((SAME, SAME), 90, 0),
            "All 2 actions are the same to the frame; live, none of 90 frames was dropped.",
        ),
        (Comparison((SAME,), 90, 0), "The one action is the same to the frame; live, none of 90 frames was dropped."),
        (Comparison((), 90, 1), "No action was recognized either way; live, 1 of 90 frames was dropped."),
        (
            Comparison((SAME, GONE), 90, 3),
            "1 of 2 actions differs; live, 3 of 90 frames were dropped, because the computer was busy.",
        ),
        (
            Comparison((LATE, GONE), 90, 0),
            "2 of 2 actions differ, although live no frame was dropped. That should not happen: please report it.",
        ),
    ],
)
def test_the_verdict_is_a_sentence(comparison: Comparison, sentence: str) -> None:
    assert verdict(comparison) == sentence


def test_a_row_says_when_it_was_live_and_offline_and_how_they_differ() -> None:
    rows = rows_of(Comparison((SAME, LATE, GONE), 90, 0))
    assert [row.differs for row in rows] == [False, True, True]
    assert rows[0].texts == ("1", "deep squat", "0:01.0 – 0:02.0  ·  90%", "0:01.0 – 0:02.0  ·  90%", "same")
    assert rows[1].texts[4] == "start +100 ms, end -200 ms"
    assert rows[2].texts[2:] == ("—", "0:03.0 – 0:04.0  ·  90%", "only offline")


def test_the_progress_grows_over_both_ways() -> None:
    steps = [Progress("offline", 0), Progress("offline", 1), Progress("live", 0), Progress("live", 0.5)]
    shares = [progress_share(step) for step in (*steps, Progress("live", 1.1))]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0.0, 1.0)


def test_the_recording_and_the_model_that_are_open_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "wave.csv"
    write_recording(recording(75, hand_up_s=(0.5, 1.8)), path)
    model = tiny_model.write(tmp_path / "tiny.onnx")
    run = run_of(Choice("replay", SourceOptions(recording=path, is_looping=True, speed=4.0), model, provider="cpu"))
    run.start()
    wait_until(lambda: run.is_over, what="the end", within_s=60)
    found = run.result()
    assert found is not None and found.frames == 75
    assert [pair.offline.label for pair in found.pairs if pair.offline] == ["right hand up"]
    assert found.frames_dropped or not found.differences


# The dialog.


class Waiting:
    """A comparison that ends when a test says so."""

    def __init__(self, outcome: Comparison | Exception | None = None) -> None:
        self.outcome = outcome
        self.progress = Progress("live", 0.25)
        self.thread = threading.Thread(target=lambda: None)
        self.is_over = self.is_canceled = False

    def start(self) -> None:
        self.thread.start()

    def cancel(self) -> None:
        self.is_canceled = True

    def result(self) -> Comparison | None:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def session() -> Session:
    pipeline = FakePipeline()
    made = Session(
        lambda _: pipeline,
        lambda *_: CARD,
        Choice("replay", SourceOptions(recording=Path("wave.csv")), Path("tiny.onnx")),
    )
    made.start()
    made.commands = pipeline.commands  # type: ignore[attr-defined]
    return made


def shows(session: Session, status: SourceStatus) -> None:
    pipeline = session._pipeline
    assert isinstance(pipeline, FakePipeline)
    pipeline.shown = view(person(1), status=status)
    session.poll()


def opened(session: Session, run: Waiting) -> ComparisonDialog:
    dialog = ComparisonDialog(session, make=lambda _: run)
    dialog.open_anew()
    return dialog


def test_it_pauses_the_playback_shows_how_far_it_is_and_then_the_table(
    application: QApplication, session: Session
) -> None:
    run = Waiting(Comparison((SAME, GONE), 90, 2))
    dialog = opened(session, run)
    assert dialog.name.text() == "wave.csv, with tiny.onnx"
    assert (dialog.sentence.text(), dialog.table.rowCount()) == (INTENT, 0)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    assert session.commands == [Transport(play=False)]  # type: ignore[attr-defined]
    assert "25%" in dialog.sentence.text() and dialog.action.text() == "&Cancel"
    run.is_over = True
    dialog._look()
    assert dialog.sentence.text() == verdict(run.outcome) and dialog.action.text() == "&Compare"  # type: ignore[arg-type]
    assert [dialog.table.item(1, column).text() for column in (1, 4)] == ["deep squat", "only offline"]
    assert dialog.table.item(0, 4).foreground().color() != dialog.table.item(1, 4).foreground().color()
    dialog.end()


def test_it_compares_the_recording_it_names_whatever_is_opened_meanwhile(
    application: QApplication, session: Session
) -> None:
    made: list[Choice] = []

    def make(choice: Choice) -> Waiting:
        made.append(choice)
        return Waiting()

    dialog = ComparisonDialog(session, make=make)  # type: ignore[arg-type]
    dialog.open_anew()
    session._choice = Choice("demo", SourceOptions(recording=Path("wave.csv")), Path("gestures.onnx"))
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    assert dialog.name.text() == "wave.csv, with tiny.onnx"
    assert [(one.kind, one.source.recording, one.model) for one in made] == [
        ("replay", Path("wave.csv"), Path("tiny.onnx"))
    ]
    dialog.end()


@pytest.mark.parametrize("end", ["over", "fails", "canceled", "closed"])
@pytest.mark.parametrize("status", [SourceStatus.STREAMING, SourceStatus.PAUSED, SourceStatus.ENDED])
def test_what_played_before_plays_on_when_it_ends(
    application: QApplication, session: Session, status: SourceStatus, end: str
) -> None:
    shows(session, status)
    run = Waiting(RecordingError("There is no recording.") if end == "fails" else Comparison((SAME,), 90, 0))
    dialog = opened(session, run)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    shows(session, SourceStatus.PAUSED)
    if end == "closed":
        dialog.close()
    elif end == "canceled":
        QTest.mouseClick(dialog.action, Qt.LeftButton)
    else:
        run.is_over = True
        dialog._look()
    plays_on = [Transport(play=True)] if status is SourceStatus.STREAMING else []
    assert session.commands == [Transport(play=False), *plays_on]  # type: ignore[attr-defined]
    dialog.end()
    assert session.commands == [Transport(play=False), *plays_on]  # type: ignore[attr-defined]


def test_what_was_opened_during_a_comparison_is_left_as_it_is(application: QApplication, session: Session) -> None:
    shows(session, SourceStatus.STREAMING)
    dialog = opened(session, Waiting())
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    session.revision += 1
    dialog.end()
    assert session.commands == [Transport(play=False)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["demo", "kinect"])
def test_what_is_no_recording_is_refused(application: QApplication, session: Session, kind: str) -> None:
    session._choice = Choice(kind, SourceOptions(recording=Path("wave.csv")), Path("tiny.onnx"))
    dialog = ComparisonDialog(session)
    dialog.open_anew()
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    assert "for a recording only" in dialog.sentence.text() and "wave" not in dialog.name.text()
    assert dialog.action.text() == "&Compare" and dialog._run is None
    assert session.commands == []  # type: ignore[attr-defined]
    dialog.end()


def test_it_can_be_canceled_and_started_again(application: QApplication, session: Session) -> None:
    run = Waiting()
    dialog = opened(session, run)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    assert run.is_canceled and dialog.sentence.text() == CANCELED
    run.thread = threading.Thread(target=lambda: None)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    assert dialog.action.text() == "&Cancel"
    dialog.end()


@pytest.mark.parametrize("way", ["escape", "close"])
def test_closing_it_cancels(application: QApplication, session: Session, way: str) -> None:
    run = Waiting()
    dialog = opened(session, run)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    if way == "escape":
        QTest.keyClick(dialog, Qt.Key_Escape)
    else:
        dialog.close()
    assert run.is_canceled and not dialog.isVisible()


def test_what_cannot_be_compared_is_a_sentence(application: QApplication, session: Session) -> None:
    run = Waiting(RecordingError("There is no recording."))
    dialog = opened(session, run)
    QTest.mouseClick(dialog.action, Qt.LeftButton)
    run.is_over = True
    dialog._look()
    assert dialog.sentence.text() == "There is no recording."
    dialog.end()
