"""Leveling: the one function, and which of several floors a source is leveled by."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import store
from calibration.floor import Floor, Plane
from calibration.leveling import Leveler, level
from calibration.store import Calibration
from skeleton.layout import KINECT_V2
from tests.calibration.test_floor import a_person, frame, in_sensor_axes, plane_of

pytestmark = pytest.mark.usefixtures("own_settings")
STORED = plane_of(height_m=1.10, tilt_deg=9.0)
SEEN = plane_of(height_m=1.15, tilt_deg=7.0)
MOVED = plane_of(height_m=1.60, tilt_deg=-4.0)


def leveler(*, sensor_id: str = "lab 1", recorded: Plane | None = None) -> Leveler:
    return Leveler(sensor_id=sensor_id, layout=KINECT_V2, recorded=recorded)


def keep(plane: Plane = STORED) -> None:
    store.save(Calibration(sensor_id="lab 1", floor=Floor.from_plane(plane)))


def plane_after(one: Leveler, *, floor: Plane | None = None, joints: np.ndarray | None = None) -> Plane | None:
    """The plane that a source is leveled by after three seconds of frames."""
    for number in range(91):
        leveling = one.add(frame(number / 30, floor=floor, joints=joints))
    return leveling.floor.plane if leveling.floor is not None else None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_joints_of_any_shape_are_leveled_in_their_own_type(dtype: type) -> None:
    world = np.random.default_rng(5).uniform([-1, 0, 1], [1, 2, 4], size=(2, 7, 3, 25, 3))
    pose = {"height_m": 0.8, "tilt_deg": 15.0}
    joints = in_sensor_axes(world, **pose).astype(dtype)
    before = joints.copy()
    found = level(joints, plane_of(**pose))
    assert found.dtype == dtype and found.shape == world.shape
    np.testing.assert_allclose(found, world, atol=2e-6)
    np.testing.assert_array_equal(joints, before)


def test_a_joint_that_is_no_number_spoils_no_other() -> None:
    joints = np.ones((4, 25, 3), dtype=np.float32)
    joints[2, 7], joints[3, 8] = np.nan, np.inf
    found = level(joints, plane_of(height_m=1.0, tilt_deg=20))
    assert np.argwhere(~np.isfinite(found).all(axis=-1)).tolist() == [[2, 7], [3, 8]]


def test_a_plane_need_not_be_a_unit_vector() -> None:
    joints = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_allclose(level(joints, 1.01 * np.array(SEEN)), level(joints, SEEN), atol=1e-12)


@pytest.mark.parametrize("plane", [(0, 0, 0, 0), (0, -1, 0, 1), (np.nan, 1, 0, 1), (0, 1, 0, np.nan)])
def test_a_plane_that_does_not_point_up_levels_nothing(plane: Plane) -> None:
    with pytest.raises(ValueError, match="normal must point up"):
        level(np.zeros((1, 3)), plane)


def test_the_stored_calibration_comes_before_what_the_sensor_sees() -> None:
    keep()
    one = leveler()
    assert one.add(frame(0.0)).floor == Floor.from_plane(STORED)  # from the first frame on
    assert plane_after(one, floor=SEEN) == pytest.approx(STORED)
    assert plane_after(leveler(sensor_id="another"), floor=SEEN) == pytest.approx(SEEN)


def test_then_comes_the_floor_of_the_whole_recording_then_the_frames_planes_then_a_person() -> None:
    standing = in_sensor_axes(a_person(), height_m=1.2, tilt_deg=10.0)
    stated = plane_of(height_m=1.2, tilt_deg=8.0)
    assert plane_after(leveler(recorded=stated), floor=SEEN) == pytest.approx(stated)
    assert plane_after(leveler(), floor=SEEN, joints=standing) == pytest.approx(SEEN)
    found = plane_after(leveler(), joints=standing)
    assert found is not None and Floor.from_plane(found).tilt_deg == pytest.approx(10.0, abs=1.0)
    assert plane_after(leveler()) is None


def test_trembling_planes_are_averaged_over_a_second_and_then_kept() -> None:
    random = np.random.default_rng(2)
    one, kept = leveler(), []
    for number in range(60):
        floor = plane_of(height_m=1.0 + random.normal(scale=0.01), tilt_deg=12 + random.normal())
        kept.append(one.add(frame(number / 30, floor=floor)))
    assert kept[29].floor is None and kept[30].floor is not None and kept[59] is kept[30]
    assert kept[30].floor.tilt_deg == pytest.approx(12.0, abs=0.6)


def test_a_person_is_replaced_by_the_floor_that_the_sensor_sees_later() -> None:
    one = leveler()
    assert plane_after(one, joints=in_sensor_axes(a_person(), height_m=1.2, tilt_deg=10.0)) is not None
    for number in range(91, 130):
        leveling = one.add(frame(number / 30, floor=SEEN))
    assert leveling.floor is not None and leveling.floor.plane == pytest.approx(SEEN)


@pytest.mark.parametrize("recorded", [None, MOVED])
def test_a_sensor_that_was_moved_is_leveled_by_its_own_floor_and_it_is_said(recorded: Plane | None) -> None:
    keep()
    one = leveler(recorded=recorded)
    assert plane_after(one, floor=MOVED) == pytest.approx(MOVED)
    trouble = one.add(frame(4.0)).trouble
    assert "stands otherwise than when it was calibrated" in trouble and "0.50 m and 13°" in trouble


def test_of_two_floors_the_frames_tell_which_holds() -> None:
    keep()
    one = leveler(recorded=MOVED)
    assert plane_after(one, floor=SEEN) == pytest.approx(STORED)
    assert not one.add(frame(4.0)).trouble


def test_a_damaged_calibration_is_said_and_left_as_it_is() -> None:
    keep()
    path = store.path_of("lab 1")
    path.write_text("{", encoding="utf-8")
    one = leveler()
    assert plane_after(one, floor=SEEN) == pytest.approx(SEEN)
    assert "is no JSON text" in one.add(frame(4.0)).trouble
    assert path.read_text(encoding="utf-8") == "{"


@pytest.mark.parametrize(
    ("plane", "words"),
    [
        ((0.0, -1.0, 0.0, 1.0), "must lie below the sensor"),
        ((np.nan, 1.0, 0.0, 1.0), "must be a unit vector"),
        ((0.0, 1.0, 0.0, 0.0), "0.00 m above it"),
        ((0.0, 1.0, 0.0, 10.0), "10.00 m above it"),
    ],
    ids=["upside down", "not a number", "height 0", "height 10"],
)
def test_a_floor_that_cannot_be_one_is_said_and_left_out(plane: Plane, words: str) -> None:
    one = leveler()
    assert plane_after(one, floor=plane) is None
    assert words in one.add(frame(4.0, floor=plane)).trouble
    standing = in_sensor_axes(a_person(), height_m=1.2, tilt_deg=10.0)
    assert plane_after(one, floor=plane, joints=standing) is not None
    assert not one.add(frame(4.0, floor=plane)).trouble
    stated = leveler(recorded=plane)
    assert stated.add(frame(0.0)).floor is None and words in stated.add(frame(0.0)).trouble


def test_a_sensor_that_says_all_zeros_sees_no_floor_and_nothing_is_wrong() -> None:
    one = leveler()
    assert plane_after(one, floor=(0.0, 0.0, 0.0, 0.0)) is None
    assert not one.add(frame(4.0)).trouble


def test_a_person_who_sits_shows_no_floor() -> None:
    assert plane_after(leveler(), joints=in_sensor_axes(a_person(bend_m=0.4), height_m=1.2, tilt_deg=5)) is None
