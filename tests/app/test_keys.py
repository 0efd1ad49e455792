"""What the keys, the menus and the transport bar do, over a fake pipeline."""

from __future__ import annotations

import dataclasses
import math

import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtTest import QTest

from app.main_window import MainWindow
from live.sources.base import Position, SourceStatus, Transport
from live.view import Banner, Severity
from tests.app.fakes import DEMO, REPLAY, FakePipeline, event, person, shows


def test_space_pauses_and_plays(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window, Qt.Key_Space)
    assert pipeline.commands == [Transport(play=False)]
    shows(window, pipeline, person(1), status=SourceStatus.PAUSED)
    QTest.mouseClick(window.transport.play, Qt.LeftButton)
    assert pipeline.commands[1:] == [Transport(play=True)]


@pytest.mark.parametrize(("key", "step"), [(Qt.Key_Left, -1), (Qt.Key_Right, 1)])
def test_the_arrows_step_through_frames(window: MainWindow, pipeline: FakePipeline, key: int, step: int) -> None:
    QTest.keyClick(window, key)
    assert pipeline.commands == [Transport(step=step)]


def test_a_live_source_takes_no_steps(window: MainWindow, pipeline: FakePipeline) -> None:
    shows(window, pipeline, person(1), source=DEMO, position=None)
    QTest.keyClick(window, Qt.Key_Left)
    assert pipeline.commands == []
    assert not window.transport.back.isEnabled() and not window.transport.timeline.isEnabled()


def test_a_click_on_the_slider_seeks(window: MainWindow, pipeline: FakePipeline) -> None:
    slider = window.transport.timeline
    QTest.mouseClick(slider, Qt.LeftButton, Qt.NoModifier, QPoint(slider.width() // 2, slider.height() - 11))
    [command] = pipeline.commands
    assert command.seek_s == pytest.approx(2.5, abs=0.05)  # the middle of five seconds


def test_speed_and_loop_are_asked_for(window: MainWindow, pipeline: FakePipeline) -> None:
    window.transport.speed.activated.emit(0)
    QTest.mouseClick(window.transport.loop, Qt.LeftButton)
    assert pipeline.commands == [Transport(speed=0.25), Transport(loop=True)]


def is_on(window: MainWindow, *names: str) -> list[bool]:
    return [getattr(window.menu, name).isEnabled() for name in names]


def test_brackets_change_the_speed_as_far_as_it_goes(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window, Qt.Key_BracketLeft)
    QTest.keyClick(window, Qt.Key_BracketRight)
    assert pipeline.commands == [Transport(speed=0.5), Transport(speed=1.0)]
    shows(window, pipeline, person(1), position=Position(1.0, 30, speed=0.25))
    assert is_on(window, "slower", "faster") == [False, True]
    shows(window, pipeline, person(1), position=Position(1.0, 30, speed=math.inf))
    assert is_on(window, "slower", "faster") == [True, False]
    QTest.keyClick(window, Qt.Key_BracketRight)
    assert len(pipeline.commands) == 2
    shows(window, pipeline, person(1), source=DEMO, position=None)  # which obeys, and does not say how fast it is
    QTest.keyClick(window, Qt.Key_BracketLeft)
    assert pipeline.commands[2:] == [Transport(speed=4.0)]


def test_the_menu_loops_and_shows_whether_it_does(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window, Qt.Key_L, Qt.ControlModifier)
    assert pipeline.commands == [Transport(loop=True)]
    shows(window, pipeline, person(1), position=Position(1.0, 30, is_looping=True))
    assert window.menu.loop.isChecked()
    window.menu.loop.trigger()
    assert pipeline.commands[1:] == [Transport(loop=False)]
    shows(window, pipeline, person(1))
    assert not window.menu.loop.isChecked() and pipeline.commands[2:] == []


@pytest.mark.parametrize(
    ("key", "time_s", "goal_s"),
    [(Qt.Key_Left, 7.5, 2.5), (Qt.Key_Left, 3.0, 0.0), (Qt.Key_Right, 7.5, 12.5), (Qt.Key_Right, 18.0, 20.0)],
)
def test_shift_and_an_arrow_jump_and_stay_inside(
    window: MainWindow, pipeline: FakePipeline, key: int, time_s: float, goal_s: float
) -> None:
    shows(window, pipeline, person(1), time_s=time_s, source=dataclasses.replace(REPLAY, duration_s=20.0))
    QTest.keyClick(window, key, Qt.ShiftModifier)
    assert pipeline.commands == [Transport(seek_s=goal_s)]


@pytest.mark.parametrize(
    ("time_s", "status", "before_s", "after_s"),
    [
        (0.5, SourceStatus.STREAMING, None, 1.0),
        (2.0, SourceStatus.STREAMING, None, 3.0),
        (2.1, SourceStatus.STREAMING, 1.0, 3.0),
        (2.97, SourceStatus.PAUSED, 1.0, 4.5),  # at the start of the second, as near as a frame is
        (3.4, SourceStatus.STREAMING, 1.0, 4.5),
        (3.4, SourceStatus.PAUSED, 3.0, 4.5),
        (5.0, SourceStatus.ENDED, 4.5, None),
    ],
)
def test_control_and_an_arrow_go_to_the_events_before_and_after(
    window: MainWindow,
    pipeline: FakePipeline,
    time_s: float,
    status: SourceStatus,
    before_s: float | None,
    after_s: float | None,
) -> None:
    happened = (event(start_s=3.0), event(2, start_s=1.0, end_s=2.0), event(3, start_s=4.5))
    shows(window, pipeline, person(1), time_s=time_s, status=status, events=happened)
    assert is_on(window, "previous_event", "next_event") == [before_s is not None, after_s is not None]
    for key, goal_s in ((Qt.Key_Left, before_s), (Qt.Key_Right, after_s)):
        pipeline.commands.clear()
        QTest.keyClick(window, key, Qt.ControlModifier)
        assert pipeline.commands == ([] if goal_s is None else [Transport(seek_s=goal_s)])


def test_the_menu_offers_what_can_be_done_now(window: MainWindow, pipeline: FakePipeline) -> None:
    seeking = ("earlier", "later", "previous_event", "next_event")
    names = ("play", "slower", "back", "forward", "loop", *seeking)
    happened = (event(start_s=0.2, end_s=0.6), event(start_s=4.0))
    shows(window, pipeline, person(1), time_s=2.0, events=happened)
    assert all(is_on(window, *names))
    endless = dataclasses.replace(REPLAY, duration_s=None)
    shows(window, pipeline, person(1), time_s=2.0, source=endless)
    assert is_on(window, *names) == [True] * 5 + [False] * 4
    shows(window, pipeline, person(1), source=DEMO, position=None)
    assert is_on(window, *names) == [True] * 2 + [False] * 7
    shows(window, pipeline, person(1), source=dataclasses.replace(DEMO, kind="kinect"), position=None)
    assert not any(is_on(window, *names))


def test_n_goes_from_person_to_person(window: MainWindow, pipeline: FakePipeline) -> None:
    assert not window.menu.next_person.isEnabled()  # of one person there is none
    shows(window, pipeline, person(1), person(4), person(7))
    found = []
    for _ in range(4):
        found.append(window.presenter.scores(window.view).person)
        QTest.keyClick(window, Qt.Key_N)
    assert found == [1, 4, 7, 1]


@pytest.mark.parametrize("key", [Qt.Key_X, Qt.Key_Escape])
def test_messages_are_closed_with_a_key_the_loudest_first(
    window: MainWindow, pipeline: FakePipeline, key: int
) -> None:
    assert not window.menu.close_message.isEnabled()
    window.notify("a sentence", Severity.INFO)
    shows(window, pipeline, person(1), banners=(Banner(Severity.ERROR, "an error"),))
    assert window.banners.texts == ["an error", "a sentence"]
    QTest.keyClick(window, key)
    assert window.banners.texts == ["a sentence"]
    QTest.keyClick(window, key)
    assert window.banners.texts == [] and not window.menu.close_message.isEnabled()


def test_escape_leaves_full_screen_before_it_closes_a_message(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key_F)
    window.notify("one")
    window.notify("two")
    window.tick()
    QTest.keyClick(window, Qt.Key_X)
    assert window.isFullScreen() and window.banners.texts == ["two"]
    QTest.keyClick(window, Qt.Key_Escape)
    assert not window.isFullScreen() and window.banners.texts == ["two"]
    QTest.keyClick(window, Qt.Key_Escape)
    assert window.banners.texts == []


def test_the_keys_work_in_full_screen_where_no_menu_is_seen(window: MainWindow, pipeline: FakePipeline) -> None:
    QTest.keyClick(window, Qt.Key_F)
    assert window.menuBar().isHidden() and window.transport.isHidden()
    QTest.keyClick(window, Qt.Key_Space)
    QTest.keyClick(window, Qt.Key_Right)
    QTest.keyClick(window, Qt.Key_Right, Qt.ShiftModifier)
    QTest.keyClick(window, Qt.Key_BracketRight)
    assert pipeline.commands == [
        Transport(play=False), Transport(step=1), Transport(seek_s=5.0), Transport(speed=2.0),
    ]  # fmt: skip
    QTest.keyClick(window, Qt.Key_H)
    assert not window.presenter.shows_heat
    QTest.keyClick(window, Qt.Key_F)
    assert not window.isFullScreen()
