"""What people do with the window, over a fake pipeline."""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import QMimeData, QPoint, QSettings, Qt, QUrl
from PyQt5.QtGui import QColor, QDropEvent, QImage
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QAction, QApplication

from app import theme
from app.banner import MOST_BANNERS
from app.logs import ExceptionHooks
from app.main_window import NOTICE_S, MainWindow
from app.options import MODELS
from app.presenter import MOST_EVENTS
from app.session import Session
from app.timeline import Timeline
from live.heat_kinds import HeatKind
from live.sources.base import Position, Transport
from live.sources.table import SourceOptions
from live.view import ActionEvent, Banner, PipelineView, Severity
from tests.app.fakes import DEMO, REPLAY, FakePipeline, event, person, shows, view

Wait = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_another_source_begins_at_the_speed_it_is_opened_with_and_nobody_drags_its_slider(
    window: MainWindow, session: Session, pipeline: FakePipeline, speed: float
) -> None:
    shows(window, pipeline, person(1), position=Position(2.0, 60, speed=4.0))
    slider = window.transport.timeline
    QTest.mousePress(slider, Qt.LeftButton, Qt.NoModifier, QPoint(slider.width() // 2, slider.height() - 11))
    assert slider.is_dragged and window.transport.speed.currentText() == "4×"
    session._choice = dataclasses.replace(session.choice, source=SourceOptions(speed=speed))
    session.revision += 1
    shows(window, pipeline, person(1), source=DEMO, position=None)
    assert not slider.is_dragged and window.transport.speed.currentText() == f"{speed:g}×"
    window.transport.speed.setCurrentIndex(0)  # by a person: the demo does not say how fast it is
    shows(window, pipeline, person(1), source=DEMO, position=None)
    assert window.transport.speed.currentText() == "0.25×"
    session.revision += 1
    shows(window, pipeline, person(1), time_s=3.0, position=Position(3.0, 90))
    assert slider.value() == 3000


def test_a_click_on_an_event_goes_to_its_start(window: MainWindow, pipeline: FakePipeline) -> None:
    shows(window, pipeline, person(1), events=(event(start_s=1.25, end_s=2.0), event(2, start_s=3.5)))
    table = window.events.view
    assert window.events.table.rowCount() == 2
    place = table.visualRect(window.events.table.index(1, 0)).center()  # the newest is first
    QTest.mouseClick(table.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    assert pipeline.commands == [Transport(seek_s=1.25)]


def test_the_event_list_says_when_how_long_who_what_and_how_sure(window: MainWindow, pipeline: FakePipeline) -> None:
    shows(window, pipeline, person(1), events=(event(2, start_s=61.0, end_s=63.5, best=1), event(start_s=70.0)))
    table = window.events.table
    texts = [[table.data(table.index(row, column)) for column in range(5)] for row in range(2)]
    assert texts == [["1:10.0", "…", "1", "deep squat", "90%"], ["1:01.0", "2.5 s", "2", "hurdle step", "90%"]]


def test_clicking_a_person_shows_that_persons_scores(window: MainWindow, pipeline: FakePipeline) -> None:
    shows(window, pipeline, person(1), person(2, best=1))
    window.picture.repaint()
    figure = next(one for one in window.picture.scene.figures if one.person == 2)
    assert window.picture._view is not None
    x, y = window.picture._view.place(figure.points[3:4])[0]
    QTest.mouseClick(window.picture, Qt.LeftButton, Qt.NoModifier, QPoint(int(x), int(y)))
    assert window.presenter.scores(window.view).person == 2
    QTest.mouseClick(window.scores.buttons[1], Qt.LeftButton)
    assert window.presenter.scores(window.view).person == 1


def test_a_row_of_the_event_list_is_read_out_as_a_sentence(window: MainWindow, pipeline: FakePipeline) -> None:
    together = dataclasses.replace(event(1, start_s=70.0), other_body_id=102, other_person=2)
    shows(window, pipeline, person(1), events=(event(2, start_s=61.0, end_s=63.5, best=1), together))
    table = window.events.table
    assert [table.data(table.index(row, 0), Qt.AccessibleTextRole) for row in range(2)] == [
        "Persons 1 + 2: deep squat, from 1:10.0, still going on, confidence 90%.",
        "Person 2: hurdle step, from 1:01.0, 2.5 seconds long, confidence 90%.",
    ]


@pytest.mark.parametrize("first", [1, 101, 1201])
def test_six_people_can_be_told_apart_whatever_their_numbers(
    window: MainWindow, pipeline: FakePipeline, first: int
) -> None:
    people = [person(first + index) for index in range(6)]
    window._due.clear()
    shows(window, pipeline, *people, events=(event(first, start_s=1.0, end_s=2.0),))
    QTest.qWait(50)
    panel = window.scores.rect()
    for number, button in window.scores.buttons.items():
        assert button.text() == str(number)
        assert button.width() - 8 >= button.fontMetrics().horizontalAdvance(str(number))  # 8: its padding
        assert panel.contains(button.mapTo(window.scores, button.rect().bottomRight()))
    pixels = window.events.view.viewport().grab().toImage().convertToFormat(QImage.Format_RGB32)
    color = QColor(*theme.person_color(first))
    columns = [x for x in range(80) if any(pixels.pixelColor(x, y) == color for y in range(46))]
    assert columns[-1] - columns[0] > window.events.view.fontMetrics().horizontalAdvance(str(first)) + 2


@pytest.mark.parametrize(
    ("key", "attribute"), [(Qt.Key_H, "shows_heat"), (Qt.Key_L, "shows_labels"), (Qt.Key_M, "is_mirrored")]
)
def test_a_key_switches_and_switches_back(window: MainWindow, key: int, attribute: str) -> None:
    before = getattr(window.presenter, attribute)
    QTest.keyClick(window, key)
    assert getattr(window.presenter, attribute) is not before
    QTest.keyClick(window, key)
    assert getattr(window.presenter, attribute) is before


def test_the_menu_chooses_what_the_heat_shows_and_asks_for_evidence_only_then(
    window: MainWindow, pipeline: FakePipeline
) -> None:
    assert window.presenter.heat_kind is HeatKind.EVIDENCE and pipeline.explains
    QTest.keyClick(window, Qt.Key_2, Qt.ControlModifier)
    assert window.presenter.heat_kind is HeatKind.SPATIAL and not pipeline.explains
    QTest.keyClick(window, Qt.Key_3, Qt.ControlModifier)
    assert window.presenter.heat_kind is HeatKind.COUPLED and not pipeline.explains
    QTest.keyClick(window, Qt.Key_1, Qt.ControlModifier)
    assert window.presenter.heat_kind is HeatKind.EVIDENCE and pipeline.explains
    QTest.keyClick(window, Qt.Key_H)
    assert not pipeline.explains  # no heat, no evidence
    window.show_heat(HeatKind.COUPLED)  # as the flag does
    assert window.presenter.shows_heat and window.menu.heat_kind is HeatKind.COUPLED


def test_the_menu_opens_the_kinect_and_what_is_open_stays_until_it_delivers(
    session: Session, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = FakePipeline(PipelineView())
    monkeypatch.setattr(session, "_make", lambda _: sensor)
    window.menu.kinect.trigger()
    window.tick()
    assert session.choice.kind == "replay" and any("until the Kinect" in text for text in window.banners.texts)
    sensor.shown = view(person(1), person(2), source=dataclasses.replace(DEMO, kind="kinect"), position=None)
    window.tick()
    assert session.choice.kind == "kinect" and len(window.view.people) == 2
    window.menu.kinect.trigger()
    window.tick()
    assert any("in use already" in text for text in window.banners.texts) and sensor.starts == 1


def test_only_a_recording_can_be_compared(session: Session, window: MainWindow) -> None:
    session._choice = dataclasses.replace(session.choice, kind="demo")
    window.menu.compare.trigger()
    assert window.comparison is None
    assert any("recording" in text for text in window._notices)
    session._choice = dataclasses.replace(session.choice, kind="replay")
    window.menu.compare.trigger()
    assert window.comparison is not None and window.comparison.isVisible()


@pytest.mark.parametrize("is_maximized", [False, True])
def test_full_screen_is_the_picture_alone_and_escape_leads_back_to_how_it_was(
    window: MainWindow, is_maximized: bool
) -> None:
    if is_maximized:
        window.showMaximized()
    around = (window.side, window.status, window.transport, window.menuBar())
    QTest.keyClick(window, Qt.Key_F)
    assert window.isFullScreen() and all(widget.isHidden() for widget in around)
    QTest.keyClick(window, Qt.Key_Escape)
    assert not window.isFullScreen() and not any(widget.isHidden() for widget in around)
    assert window.isMaximized() == is_maximized
    QTest.keyClick(window, Qt.Key_Escape)
    assert not window.isFullScreen() and window.isMaximized() == is_maximized


def test_switches_are_remembered(session: Session, window: MainWindow, tmp_path: Path) -> None:
    QTest.keyClick(window, Qt.Key_H)
    QTest.keyClick(window, Qt.Key_2, Qt.ControlModifier)
    window.close()
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.IniFormat)
    again = MainWindow(Session(lambda _: FakePipeline(), session._load, session._choice), settings)
    assert not again.presenter.shows_heat and again.presenter.shows_labels
    assert again.presenter.heat_kind is HeatKind.SPATIAL
    again.close()


def test_a_recording_that_claims_to_last_for_years_is_shown(window: MainWindow, pipeline: FakePipeline) -> None:
    years_s = 1e9
    endless = dataclasses.replace(REPLAY, duration_s=years_s)
    shows(window, pipeline, person(1), source=endless, position=Position(years_s / 2, 7), time_s=years_s / 2)
    assert window.transport.timeline.isEnabled()


def test_only_a_new_picture_is_painted(window: MainWindow, pipeline: FakePipeline, wait_until: Wait) -> None:
    paints: list[int] = []
    window.picture.painted.connect(lambda: paints.append(1))
    image = np.zeros((1080, 1920, 3), np.uint8)
    first = view(person(1), image=image)
    second = dataclasses.replace(first, image=image.copy())
    QTest.qWait(100)
    paints.clear()
    for count, new in enumerate((first, second), start=1):
        shows_again = dataclasses.replace(new)
        pipeline.shown = new
        window.tick()
        wait_until(lambda count=count: len(paints) == count)
        pipeline.shown = shows_again
        window.tick()
        QTest.qWait(60)
    assert len(paints) == 2
    QTest.keyClick(window, Qt.Key_M)
    wait_until(lambda: len(paints) == 3)


def test_banners_of_the_pipeline_stay_until_their_cause_is_gone(window: MainWindow, pipeline: FakePipeline) -> None:
    lost = Banner(Severity.WARNING, "The sensor has sent nothing for 2 s; reconnecting.")
    shows(window, pipeline, person(1), banners=(lost,))
    assert window.banners.texts == [lost.text]
    shows(window, pipeline, person(1))
    assert window.banners.texts == []


def test_a_closed_banner_comes_back_with_the_next_trouble_alone(window: MainWindow, pipeline: FakePipeline) -> None:
    warning = Banner(Severity.WARNING, "The sensor has sent nothing for 2 s; reconnecting.")
    shows(window, pipeline, person(1), banners=(warning,))
    window.banners.closed.emit(warning.text)
    shows(window, pipeline, person(1), banners=(warning,))
    assert window.banners.texts == []
    shows(window, pipeline, person(1))
    shows(window, pipeline, person(1), banners=(warning,))
    assert window.banners.texts == [warning.text]


def test_the_windows_own_sentences_leave_by_themselves(window: MainWindow) -> None:
    now = [100.0]
    window._clock = lambda: now[0]
    for index in range(20):
        window.notify(f"sentence {index}")
    window.tick()
    assert len(window.banners.texts) == MOST_BANNERS
    now[0] += NOTICE_S + 1
    window.tick()
    assert window.banners.texts == []


def test_the_loudest_sentences_are_shown_whoever_says_them(window: MainWindow, pipeline: FakePipeline) -> None:
    for index in range(MOST_BANNERS):
        window.notify(f"sentence {index}", Severity.INFO)
    window.notify("an error")
    warning = Banner(Severity.WARNING, "a warning of the pipeline")
    shows(window, pipeline, person(1), banners=(warning,))
    assert window.banners.texts == ["an error", "a warning of the pipeline", "sentence 0"]


def test_an_exception_in_a_slot_becomes_a_banner_and_the_window_goes_on(
    window: MainWindow, pipeline: FakePipeline, tmp_path: Path, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks = ExceptionHooks(tmp_path / "app.log", report=window.reported.emit)
    monkeypatch.setattr(sys, "excepthook", hooks._handle)
    pipeline.fails_once = RuntimeError("a programming mistake")
    wait_until(lambda: any("a programming mistake" in text for text in window.banners.texts))
    shows(window, pipeline, person(1), person(2))
    assert len(window.picture.scene.figures) == 2


def test_a_thread_may_report_to_the_window(window: MainWindow, wait_until: Wait) -> None:
    thread = threading.Thread(target=lambda: window.reported.emit("said by a thread"))
    thread.start()
    thread.join()
    wait_until(lambda: "said by a thread" in window.banners.texts)


def test_closing_the_window_stops_the_pipeline_and_leaves_no_thread(
    window: MainWindow, pipeline: FakePipeline
) -> None:
    window.close()
    assert (pipeline.stops, window.timer.isActive()) == (1, False)
    assert [thread.name for thread in threading.enumerate() if thread.name in ("stopping", "loading model")] == []


def test_a_dropped_file_is_opened(window: MainWindow, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(session, "open_recording", opened.append)
    monkeypatch.setattr(session, "open_model", opened.append)
    page = QUrl("https://example.org/squat.skeleton")
    for names, others in ((["squat.skeleton"], []), (["new.ONNX"], []), (["squat.skeleton", "new.ONNX"], [page])):
        data = QMimeData()
        data.setUrls([*others, *(QUrl.fromLocalFile(f"/recordings/{name}") for name in names)])
        window.dropEvent(QDropEvent(QPoint(5, 5), Qt.CopyAction, data, Qt.LeftButton, Qt.NoModifier))
    squat, new = Path("/recordings/squat.skeleton"), Path("/recordings/new.ONNX")
    assert opened == [squat, new, squat]  # of several the first that is a file here


def test_a_model_that_comes_with_the_app_is_one_click_away(
    window: MainWindow, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(session, "open_model", opened.append)
    actions = {action.text().replace("&", ""): action for action in window.findChildren(QAction)}
    actions["Gestures"].trigger()
    assert opened == [MODELS["gestures"]] and opened[0].is_file()


def test_saved_events_end_now_when_they_still_go_on(
    window: MainWindow, pipeline: FakePipeline, tmp_path: Path
) -> None:
    over = dataclasses.replace(event(2, start_s=1.0, end_s=3.0), latency_ms=12.25)
    shows(window, pipeline, person(1), time_s=4.0, events=(event(start_s=2.0), over))
    window.save_events(tmp_path / "events.csv")
    assert (tmp_path / "events.csv").read_text().splitlines() == [
        "start_s,end_s,body,label,confidence,latency_ms,other_body",
        "1.000,3.000,102,deep_squat,0.900,12.2,",
        "2.000,4.000,101,deep_squat,0.900,,",
    ]


@pytest.mark.parametrize(
    ("events", "words"),
    [(MOST_EVENTS, f"Saved {MOST_EVENTS} events to"), (600, "Saved the last 500 of 600 events to")],
)
def test_saved_events_say_how_many_of_the_oldest_are_missing(
    window: MainWindow, pipeline: FakePipeline, tmp_path: Path, events: int, words: str
) -> None:
    happened = tuple(event(start_s=float(at_s), end_s=at_s + 0.5) for at_s in range(events))
    shows(window, pipeline, person(1), events=happened)
    window.save_events(tmp_path / "events.csv")
    assert len((tmp_path / "events.csv").read_text().splitlines()) == 1 + MOST_EVENTS
    window.tick()
    assert any(text.startswith(words) for text in window.banners.texts)
    session = window.session
    session.revision += 1
    shows(window, pipeline, person(1), events=happened[:2])
    window.save_events(tmp_path / "events.csv")
    assert any(text.startswith("Saved 2 events to") for text in window._notices)


def test_events_that_cannot_be_saved_are_a_sentence(window: MainWindow, tmp_path: Path) -> None:
    window.save_events(tmp_path / "no such folder" / "events.csv")
    window.tick()
    assert "could not be saved" in window.banners.texts[0]


def test_the_smallest_window_still_shows_everything(window: MainWindow, pipeline: FakePipeline) -> None:
    window.resize(900, 600)
    shows(window, pipeline, person(1), events=tuple(event(start_s=float(i)) for i in range(30)))
    QTest.qWait(50)
    assert (window.width(), window.height()) == (900, 600)
    for widget in (window.picture, window.transport, window.scores, window.events, window.status):
        corner = widget.mapTo(window, QPoint(widget.width(), widget.height()))
        assert widget.isVisible() and corner.x() <= 900 and corner.y() <= 600


def test_a_session_that_is_not_open_yet_shows_an_empty_window(window: MainWindow, session: Session) -> None:
    session._pipeline = None
    window.tick()
    assert dataclasses.asdict(window.presenter.transport(window.view))["can_pause"] is False


def test_the_window_shows_what_is_new_after_each_decision_and_looks_now_and_then_without_one(
    application: QApplication, session: Session, pipeline: FakePipeline, tmp_path: Path
) -> None:
    now_s = [100.0]
    window = MainWindow(session, QSettings(str(tmp_path / "s.ini"), QSettings.IniFormat), clock=lambda: now_s[0])
    window.timer.stop()
    session.start()

    def polls_after(wait_s: float, *, news: int) -> int:
        now_s[0] += wait_s
        pipeline.news += news
        window.timer.timeout.emit()
        return pipeline.polls

    assert polls_after(0.0, news=0) == 1
    assert polls_after(0.030, news=0) == 1  # nothing new
    assert polls_after(0.002, news=1) == 2
    assert polls_after(0.002, news=1) == 2  # faster than anybody sees
    assert polls_after(0.025, news=0) == 3
    assert polls_after(0.030, news=0) == 3
    assert polls_after(0.021, news=0) == 4  # a banner, a pause: not only decisions are news
    window.close()


def test_the_window_paints_where_it_fits_before_the_next_decision_or_a_tenth_of_a_second_after_the_last_time(
    application: QApplication, session: Session, pipeline: FakePipeline, tmp_path: Path
) -> None:
    now_s, painting_s = [100.0], 0.006
    window = MainWindow(session, QSettings(str(tmp_path / "s.ini"), QSettings.IniFormat), clock=lambda: now_s[0])
    window.timer.stop()
    session.start()

    def polls_after(wait_s: float, *, rest_s: float, news: int = 0) -> int:
        now_s[0] += wait_s
        pipeline.news, pipeline.rest_s, before = pipeline.news + news, rest_s, pipeline.polls
        window.timer.timeout.emit()
        if pipeline.polls > before:
            now_s[0] += painting_s  # Qt paints, and looks at its timers again then
            window.timer.timeout.emit()
        return pipeline.polls

    for count in range(1, 20):
        assert polls_after(0.025, rest_s=0.02, news=1) == count
    assert polls_after(0.025, rest_s=0.006, news=1) == 19  # it took 6 ms and is to leave some to spare
    assert polls_after(0.004, rest_s=0.003) == 19
    assert polls_after(0.004, rest_s=0.0, news=1) == 19  # a decision is being made
    assert polls_after(0.023, rest_s=0.02) == 20  # 62 ms after the last time
    assert polls_after(0.066, rest_s=0.02) == 20  # 72 ms: a decision is late, without it there is nothing to paint
    assert polls_after(0.017, rest_s=0.0) == 20
    assert polls_after(0.012, rest_s=0.0) == 21  # 101 ms: a banner
    assert polls_after(0.024, rest_s=0.0, news=1) == 21
    assert polls_after(0.060, rest_s=0.001) == 21
    assert polls_after(0.011, rest_s=0.001) == 22  # 101 ms: there is never enough room
    assert polls_after(0.045, rest_s=math.inf) == 23  # nothing is expected: as often as a banner needs it
    window.close()


def test_the_timeline_draws_the_last_seconds_of_a_sensor_and_all_of_a_recording(application: QApplication) -> None:
    events = [ActionEvent(7, 1, "wave", float(start_s), start_s + 0.5, 0.9) for start_s in range(3600)]
    going_on = ActionEvent(8, 2, "wave", 10.0, None, 0.9)
    timeline = Timeline()
    timeline.show_position(3600.0, None, [*events, going_on])
    assert timeline._events == (*events[-30:], going_on)
    timeline.show_position(3600.0, 3600.0, events)
    assert timeline._events == tuple(events)
