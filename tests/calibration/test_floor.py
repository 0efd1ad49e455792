"""The floor: leveling, averaging of trembling planes, and the estimate from a person who stands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.floor import Floor, FloorAverage, Plane, average, measure, standing_plane, turn_up
from calibration.leveling import level
from skeleton.errors import CalibrationError
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V1, KINECT_V2, KINECT_V2_21, Layout
from tests.recordings import STANDING

NO_FLOOR = (0.0, 0.0, 0.0, 0.0)


def tilted(tilt_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    """(3, 3) world to sensor axes, for a sensor that looks down by ``tilt_deg`` and leans by ``roll_deg``."""
    tilt, roll = np.radians([tilt_deg, roll_deg])
    down = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    lean = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return lean @ down


def plane_of(*, height_m: float, tilt_deg: float, roll_deg: float = 0.0) -> Plane:
    x, y, z = (tilted(tilt_deg, roll_deg) @ [0.0, 1.0, 0.0]).tolist()
    return x, y, z, height_m


def in_sensor_axes(world: np.ndarray, *, height_m: float, tilt_deg: float, roll_deg: float = 0.0) -> np.ndarray:
    """World points (..., 3), y above the floor, as a sensor at ``height_m`` above the origin has them."""
    return (world - [0.0, height_m, 0.0]) @ tilted(tilt_deg, roll_deg).T


def frame(
    time_s: float, *, floor: Plane | None = None, joints: np.ndarray | None = None, state: int = 2
) -> BodyFrame:
    bodies = () if joints is None else (Body(tracking_id=1, joints=joints, state=np.full(len(joints), state)),)
    return BodyFrame(index=round(time_s * 30), time_s=time_s, bodies=bodies, floor=floor)


def test_a_sensor_that_looks_down_15_degrees_from_80_cm_says_so() -> None:
    floor = Floor.from_plane(plane_of(height_m=0.8, tilt_deg=15.0, roll_deg=-2.0))
    assert (floor.tilt_deg, floor.roll_deg, floor.height_m) == pytest.approx((15.0, -2.0, 0.8), abs=0.1)


@pytest.mark.parametrize(("tilt_deg", "roll_deg"), [(0, 0), (12, 0), (-20, 3), (5, -8)])
def test_leveling_gives_heights_above_the_floor(tilt_deg: float, roll_deg: float) -> None:
    world = np.random.default_rng(3).uniform([-1, 0, 1], [1, 2, 4], size=(7, 25, 3))
    pose = {"height_m": 1.1, "tilt_deg": tilt_deg, "roll_deg": roll_deg}
    floor = Floor.from_plane(plane_of(**pose))
    points = in_sensor_axes(world, **pose)
    np.testing.assert_allclose(level(points, floor.plane)[..., 1], world[..., 1], atol=1e-9)
    between = np.linalg.norm(np.diff(level(points, floor.plane), axis=1), axis=-1)
    np.testing.assert_allclose(between, np.linalg.norm(np.diff(world, axis=1), axis=-1), atol=1e-9)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_leveling_is_a_rotation_that_turns_the_normal_up(tilt_deg: float, roll_deg: float) -> None:
    normal = tilted(tilt_deg, roll_deg) @ [0.0, 1.0, 0.0]
    if normal[1] < 0.51:
        return
    rotation = turn_up((normal[0], normal[1], normal[2]))
    np.testing.assert_allclose(rotation @ normal, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "plane",
    [
        NO_FLOOR,
        (np.nan, 1.0, 0.0, 1.0),
        (0.0, 1.0, 0.0, np.inf),
        (1.0, 0.1, 0.0, 1.0),
        (0.0, -1.0, 0.0, 1.0),
        (0.0, 1.0, 0.0, -0.5),
        (0.0, 1.0, 0.0, 50.0),
        (0.0, 1e300, 0.0, 1.0),
        (0.0, 1.0, 0.0),
    ],
    ids=["zeros", "nan", "infinite", "wall", "ceiling", "below", "too high", "huge", "short"],
)
def test_what_is_no_floor_is_refused(plane: tuple[float, ...]) -> None:
    with pytest.raises(CalibrationError, match="A floor"):
        Floor.from_plane(plane)


def test_an_average_is_steadier_than_its_planes_and_leaves_out_a_table_and_zeros() -> None:
    random = np.random.default_rng(5)
    tilts = 10 + random.normal(scale=1.0, size=60)
    planes = [plane_of(height_m=1 + random.normal(scale=0.02), tilt_deg=tilt) for tilt in tilts]
    planes[7::10] = [plane_of(height_m=0.3, tilt_deg=25)] * 6
    planes[3::10] = [NO_FLOOR] * 6
    floor = average(planes)
    assert (floor.tilt_deg, floor.height_m) == pytest.approx((10.0, 1.0), abs=0.5)
    assert np.linalg.norm(floor.normal) == pytest.approx(1.0)


def test_no_floor_at_all_is_an_error_with_a_remedy() -> None:
    with pytest.raises(CalibrationError, match="must be in view") as caught:
        average([NO_FLOOR] * 10)
    assert "Tilt the sensor" in caught.value.remedy


def test_after_a_second_the_floor_is_known_and_stays() -> None:
    watching = FloorAverage()
    for number in range(30):
        assert watching.add(frame(number / 30, floor=plane_of(height_m=1.0, tilt_deg=8))) is None
    known = watching.add(frame(1.0, floor=plane_of(height_m=1.0, tilt_deg=8)))
    assert known is not None and known.tilt_deg == pytest.approx(8.0) and known.is_measured
    assert watching.add(frame(1.1, floor=plane_of(height_m=2.0, tilt_deg=0))) is known


def test_frames_without_a_floor_say_nothing() -> None:
    assert measure(frame(number / 30, floor=None) for number in range(100)) is None


def test_a_clock_that_starts_anew_starts_the_average_anew() -> None:
    watching = FloorAverage()
    watching.add(frame(100.0, floor=plane_of(height_m=1.0, tilt_deg=30)))
    for number in range(31):
        watching.add(frame(number / 30, floor=plane_of(height_m=1.0, tilt_deg=8)))
    assert watching.floor is not None and watching.floor.tilt_deg == pytest.approx(8.0)


def a_person(layout: Layout = KINECT_V2, *, bend_m: float = 0.0) -> np.ndarray:
    """Joints in world axes, feet at the height of soles; ``bend_m`` pushes the knees forward and the hips down."""
    joints = STANDING[: len(layout)].astype(np.float64)
    joints = joints + [0.2, 0.03 - joints[:, 1].min(), 2.6]
    joints[[13, 17], 2] -= bend_m
    joints[[12, 16], 1] -= bend_m / 2
    return joints


@pytest.mark.parametrize("tilt_deg", [0.0, 10.0, 20.0])
@pytest.mark.parametrize("layout", [KINECT_V2, KINECT_V2_21], ids=lambda layout: layout.name)
def test_a_standing_person_shows_the_floor_where_the_sensor_sees_none(tilt_deg: float, layout: Layout) -> None:
    joints = in_sensor_axes(a_person(layout), height_m=1.2, tilt_deg=tilt_deg)
    floor = measure((frame(number / 30, floor=NO_FLOOR, joints=joints) for number in range(90)), layout=layout)
    assert floor is not None and not floor.is_measured
    assert floor.tilt_deg == pytest.approx(tilt_deg, abs=1.0)
    assert floor.height_m == pytest.approx(1.2, abs=0.06)


def test_a_floor_that_the_sensor_sees_wins_over_a_person() -> None:
    joints = in_sensor_axes(a_person(), height_m=1.2, tilt_deg=10)
    seen = plane_of(height_m=1.0, tilt_deg=7)
    floor = measure(frame(number / 30, floor=seen, joints=joints) for number in range(90))
    assert floor is not None and floor.is_measured and floor.tilt_deg == pytest.approx(7.0)


@pytest.mark.parametrize(
    "joints",
    [a_person(bend_m=0.3), a_person() @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]), np.zeros((25, 3))],
    ids=["knees bent", "lying", "all joints in one point"],
)
def test_a_person_who_does_not_stand_shows_no_floor(joints: np.ndarray) -> None:
    assert standing_plane(frame(0.0, joints=joints)) is None


def test_feet_that_are_not_seen_show_no_floor() -> None:
    assert standing_plane(frame(0.0, joints=a_person(), state=2)) is not None
    assert standing_plane(frame(0.0, joints=a_person(), state=0)) is None
    assert standing_plane(frame(0.0, joints=a_person()), layout=KINECT_V1) is None  # other joints: never misread
