"""The Kinect rows of --check over the scripted sensor: every state that a user meets, through the source itself."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from app.check import Row, State, conclusion, examine
from app.options import PRETRAINED
from live.sources.kinect_v2 import KinectV2Source
from skeleton.frames import Body
from tests.kinect.playing import Player
from tests.kinect.sensor import Kinect, eventually
from tests.kinect.windows import Windows, sensor_threads
from tests.recordings import walking_body

LISTEN_S = 0.5
KINECT_ROWS = ("Kinect runtime", "sensor", "body frames", "color pictures")
Table = Callable[..., dict[str, Row]]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    """The Kinect's rows, by name."""
    monkeypatch.setattr("app.check.RUNS", 1)

    def make(listen_s: float = LISTEN_S, *, first_frame_s: float = 60.0) -> dict[str, Row]:
        rows = examine(
            PRETRAINED,
            provider="cpu",
            make_kinect=lambda: KinectV2Source(available_s=0.2, first_frame_s=first_frame_s),
            listen_s=listen_s,
        )
        found = {row.name: row for row in rows}
        assert "cannot start" not in conclusion(found.values())  # whatever a Kinect lacks, the demo runs
        return {name: row for name, row in found.items() if name in KINECT_ROWS}

    return make


def test_without_the_runtime_its_row_says_so_and_nothing_more_is_asked(windows: Windows, table: Table) -> None:
    rows = table()
    assert list(rows) == ["Kinect runtime"]
    assert rows["Kinect runtime"].state is State.MISSING
    assert "Kinect20.dll was not found" in rows["Kinect runtime"].detail
    assert "Kinect for Windows Runtime 2.2" in rows["Kinect runtime"].remedy


@pytest.mark.parametrize("is_null", [False, True], ids=["it never answers", "it is a NULL pointer"])
def test_without_a_sensor_the_runtime_is_found(kinect: Kinect, table: Table, is_null: bool) -> None:
    kinect.is_available, kinect.is_null = False, is_null
    rows = table()
    assert [row.state for row in rows.values()] == [State.OK, State.MISSING]
    assert "must be connected" in rows["sensor"].detail and "USB 3" in rows["sensor"].remedy
    assert eventually(lambda: not kinect.com.alive)


def test_a_silent_sensor_answers_but_has_no_frames(kinect: Kinect, table: Table) -> None:
    rows = table(first_frame_s=0.4)
    assert [row.state for row in rows.values()] == [State.OK, State.OK, State.MISSING]
    assert "012345670147" in rows["sensor"].detail
    assert "sends no frames" in rows["body frames"].detail and "USB 3" in rows["body frames"].remedy
    assert eventually(lambda: kinect.closed == 1) and kinect.opened == 1


def test_a_running_sensor_shows_its_rates_people_and_floor(kinect: Kinect, table: Table) -> None:
    picture = np.zeros((1080, 1920, 4), dtype=np.uint8)
    with Player(kinect, lambda number: [walking_body(number / 30, who) for who in (0, 2)], pictures=[picture]):
        rows = table()
    assert list(rows) == list(KINECT_ROWS)
    assert rows["body frames"].state is not State.MISSING  # slow where the computer is busy
    rate_hz = float(rows["body frames"].detail.split()[0])
    assert 0 < rate_hz < 45  # slow where the computer is busy
    assert re.search(r"\d+ lost, 2 in view, floor in view", rows["body frames"].detail)
    assert rows["color pictures"].state is State.OK and "1920 x 1080" in rows["color pictures"].detail
    assert conclusion(rows.values()).endswith("with the Kinect.")
    assert eventually(lambda: kinect.closed == 1 and sensor_threads() == 0) and kinect.opened == 1


def test_a_slow_sensor_without_pictures_is_a_warning(kinect: Kinect, table: Table) -> None:
    with Player(kinect, lambda number: [], rate_hz=10.0):
        rows = table()
    assert rows["body frames"].state is State.WARNING and "USB 3" in rows["body frames"].remedy
    assert "0 in view" in rows["body frames"].detail
    assert rows["color pictures"].state is State.MISSING


def test_a_sensor_that_is_unplugged_meanwhile_is_missing(kinect: Kinect, table: Table) -> None:
    def people(number: int) -> list[Body]:
        kinect.is_available = number < 3 or not kinect.mapped_points  # it is there until it is open
        return []

    with Player(kinect, people, rate_hz=5.0):
        rows = table(listen_s=60.0)
    assert rows["body frames"].state is State.MISSING
    assert "unplugged or lost power" in rows["body frames"].detail
