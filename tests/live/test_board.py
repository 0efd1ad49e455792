"""The board: when a window is told that there is something worth painting."""

from __future__ import annotations

from live.board import Board, Scene
from tests.live.fakes import frame


def at(time_s: float) -> Scene:
    return Scene(frame(0, time_s), None)


def test_a_scene_is_news_once_when_it_is_decided_about() -> None:
    board = Board()
    board.show(at(1.0))
    assert board.scenes_decided == 0
    board.note_decision(1.0)
    assert board.scenes_decided == 1


def test_a_decision_that_is_made_before_the_picture_is_there_waits_for_it() -> None:
    board = Board()
    for count, time_s in enumerate((1.0, 1.1, 1.2), start=1):
        board.note_decision(time_s)  # what the window would paint now is the picture before
        assert board.scenes_decided == count - 1
        board.show(at(time_s))
        assert board.scenes_decided == count


def test_every_decision_of_a_recognizer_that_lags_is_news() -> None:
    board = Board()
    for count, time_s in enumerate((1.0, 1.2, 1.4), start=1):
        board.show(at(time_s))
        board.show(at(time_s + 0.1))
        board.note_decision(time_s)
        assert board.scenes_decided == count


def test_a_source_that_starts_again_is_news_as_well() -> None:
    board = Board()
    board.note_decision(9.0)
    board.show(at(9.0))
    board.show(at(0.1))
    board.note_decision(0.1)
    board.show(at(0.2))
    held = board.scenes_decided
    board.note_decision(0.2)
    assert board.scenes_decided == held + 1
