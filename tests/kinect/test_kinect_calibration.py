"""``python -m calibration fit --kinect`` and ``level --kinect`` over the scripted sensor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from calibration import store
from calibration.__main__ import main
from skeleton.frames import Body
from tests.calibration.test_assistant import FEET_M
from tests.calibration.test_floor import in_sensor_axes
from tests.kinect.playing import Player
from tests.kinect.sensor import FLOOR, Kinect
from tests.recordings import STANDING

pytestmark = pytest.mark.usefixtures("own_settings")
SENSOR_ID = "012345670147"


def standing(number: int) -> list[Body]:
    """Somebody who stands before a sensor 1.1 m high that looks down 8°, and sways a little."""
    world = STANDING.astype(np.float64) + [0.004 * np.sin(number / 9), 0.03 - FEET_M, 2.5]
    return [Body(tracking_id=1, joints=in_sensor_axes(world, height_m=1.1, tilt_deg=8.0), state=np.full(25, 2))]


@pytest.fixture
def player(kinect: Kinect) -> Iterator[Player]:
    with Player(kinect, standing) as running:
        yield running


@pytest.mark.usefixtures("player")
def test_fit_asks_the_sensor_s_own_mapper(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = tmp_path / "residuals.png"
    assert main(["fit", "--kinect", "--picture", str(drawn)]) == 0
    kept = store.load(SENSOR_ID)
    assert kept is not None and kept.color_map is not None and drawn.is_file()
    assert kept.points > 836  # the grid, and the joints of the person
    assert kept.residual_px is not None and kept.residual_px < 0.01
    assert kept.floor is not None and kept.floor.plane == pytest.approx(FLOOR, abs=3e-3)
    assert SENSOR_ID in capsys.readouterr().out


@pytest.mark.usefixtures("player")
def test_level_asks_the_sensor_or_a_person_who_is_told_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["level", "--kinect"]) == 0
    kept = store.load(SENSOR_ID)
    assert kept is not None and kept.floor is not None and kept.floor.is_measured
    assert main(["level", "--kinect", "--standing"]) == 0
    kept = store.load(SENSOR_ID)
    assert kept is not None and kept.floor is not None and not kept.floor.is_measured
    assert (kept.floor.tilt_deg, kept.floor.height_m) == pytest.approx((8.0, 1.1), abs=0.5)
    assert "tand still" in capsys.readouterr().err


def test_no_sensor_is_a_sentence(kinect: Kinect, capsys: pytest.CaptureFixture[str]) -> None:
    kinect.is_available = False
    assert main(["fit", "--kinect"]) == 1
    error = capsys.readouterr().err
    assert "A Kinect v2 must be connected" in error and error.count("\n") == 1
