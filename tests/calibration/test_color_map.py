"""The color map: projection, and fits to synthetic sensors whose true numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import color_map
from calibration.color_map import DEFAULT_U, DEFAULT_V, PRIOR_SPREAD, ColorMap, fit, fit_recording
from skeleton.errors import CalibrationError
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo

WITHOUT_PIXELS = RecordingInfo(format="test", path=None, layout=KINECT_V2)


def a_sensor(random: np.random.Generator) -> ColorMap:
    """A sensor as unlike the default as real ones are: mostly shifted, a little in focal length and lens."""
    spread = 0.4 * np.tile(PRIOR_SPREAD, 2)
    return ColorMap(tuple(np.array(DEFAULT_U + DEFAULT_V) + spread * random.normal(size=20)))


def a_body(random: np.random.Generator, *, x: float = 0.0, z: float = 2.5) -> np.ndarray:
    """(25, 3) joints of a person's size about 2.5 m away."""
    return random.uniform([-0.6, -1.1, -0.3], [0.6, 0.7, 0.3], size=(25, 3)) + [x, 0.0, z]


def bodies(random: np.random.Generator, count: int) -> np.ndarray:
    return np.concatenate([a_body(random, x=random.uniform(-1, 1), z=random.uniform(1.5, 4)) for _ in range(count)])


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_point_straight_ahead_lies_at_the_constant_terms_plus_the_disparity() -> None:
    u, v = ColorMap.default().project(np.array([0.0, 0.0, 2.0]))
    assert (u, v) == pytest.approx((957.420 + 56.2313 / 2.0, 553.198))


def test_each_coefficient_belongs_to_the_term_of_its_name() -> None:
    a, b = 0.3, -0.2
    value = {"1": 1, "b": b, "b²": b * b, "b³": b**3, "a": a, "ab": a * b, "ab²": a * b * b}
    value |= {"a²": a * a, "a²b": a * a * b, "a³": a**3}
    for index, term in enumerate(color_map.TERMS):
        one = np.zeros(20)
        one[index] = one[10 + index] = 1.0
        u, v = ColorMap(tuple(one)).project(np.array([a * 2, b * 2, 2.0]))
        assert (u - 56.2313 / 2, v) == pytest.approx((value[term], value[term])), term


def test_a_person_s_raised_right_hand_is_drawn_up_and_to_the_right() -> None:
    body, hand = ColorMap.default().project(np.array([[0.0, 0.0, 2.0], [0.5, 0.4, 2.0]]))
    assert hand[0] > body[0] and hand[1] < body[1]  # the SDK's pictures are mirrored; v points down


@pytest.mark.parametrize(
    "point",
    [(0, 0, 0), (0.1, 0.2, -1.0), (np.nan, 0, 1), (0, np.inf, 1), (0, 0, np.nan), (0, 0, np.inf)],
    ids=["at the sensor", "behind it", "nan x", "infinite y", "nan z", "infinite z"],
)
def test_a_point_without_a_picture_projects_to_nan(point: tuple[float, ...]) -> None:
    seen = (0.0, 0.0, 2.0)
    pixels = ColorMap.default().project(np.array([seen, point, seen]))
    assert np.isfinite(pixels[[0, 2]]).all() and np.isnan(pixels[1]).all()


def test_many_bodies_project_as_each_of_their_points_does(random: np.random.Generator) -> None:
    points = bodies(random, 6).reshape(6, 25, 3)
    pixels = ColorMap.default().project(points)
    assert pixels.shape == (6, 25, 2) and pixels.dtype == np.float64
    np.testing.assert_allclose(pixels[4, 9], ColorMap.default().project(points[4, 9]))


@pytest.mark.parametrize("seed", range(6))
def test_one_frame_of_25_joints_calibrates_to_a_tenth_of_a_pixel(seed: int) -> None:
    random = np.random.default_rng(seed)
    sensor, joints = a_sensor(random), a_body(random)
    fitted = fit(joints, sensor.project(joints) + random.normal(scale=0.02, size=(25, 2)))
    assert fitted.residuals(joints, sensor.project(joints)).max() < 0.1


def test_many_frames_recover_the_sensor_s_own_numbers(random: np.random.Generator) -> None:
    sensor, joints = a_sensor(random), bodies(random, 200)
    fitted = fit(joints, sensor.project(joints))
    np.testing.assert_allclose(fitted.coefficients, sensor.coefficients, atol=0.01)


def test_a_quarter_of_wrong_missing_and_infinite_pixels_changes_nothing(random: np.random.Generator) -> None:
    sensor, joints = a_sensor(random), bodies(random, 20)
    pixels = sensor.project(joints)
    pixels[::8] = random.uniform(0, 1900, size=pixels[::8].shape)
    pixels[1::16], pixels[2::32, 0], pixels[3::32] = np.inf, np.nan, -np.inf
    pixels[4::32] = 0.0  # the picture's corner: how some files write an unknown pixel
    joints[5::64, 2] = 0.0
    fitted = fit(joints, pixels)
    good = joints[joints[:, 2] > 0]
    assert fitted.residuals(good, sensor.project(good)).max() < 0.02


def test_with_few_points_the_default_holds_what_the_data_do_not_reach(random: np.random.Generator) -> None:
    sensor = ColorMap.default().shifted(3.0, 12.0)
    here = a_body(random) * [0.3, 0.3, 1.0]
    fitted = fit(here, sensor.project(here))
    corner = np.array([1.6, 1.0, 2.0])
    assert fitted.residuals(corner, sensor.project(corner)) < 1.0


@pytest.mark.parametrize("usable", [0, 1, 19])
def test_too_few_usable_points_are_an_error_that_counts_them(usable: int, random: np.random.Generator) -> None:
    joints = a_body(random)
    pixels = ColorMap.default().project(joints)
    pixels[usable:] = np.nan
    with pytest.raises(CalibrationError, match=f"at least 20 joints .* found {usable} among 25"):
        fit(joints, pixels)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda px: px * [-1, 1] + [1920, 0],
        lambda px: px / 4,
        lambda px: np.random.default_rng(0).uniform(0, 1e3, px.shape),
    ],
    ids=["mirrored", "resized", "random"],
)
def test_pixels_of_something_else_are_refused(spoil: object, random: np.random.Generator) -> None:
    joints = bodies(random, 10)
    with pytest.raises(CalibrationError):
        fit(joints, spoil(ColorMap.default().project(joints)))  # type: ignore[operator]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=5, max_size=5),
        min_size=0,
        max_size=40,
    )
)
def test_any_numbers_give_a_finite_map_or_a_calibration_error(rows: list[list[float]]) -> None:
    table = np.array(rows, dtype=np.float32).reshape(-1, 5)
    try:
        fitted = fit(table[:, :3], table[:, 3:])
    except CalibrationError:
        return
    assert np.isfinite(fitted.coefficients).all()


@pytest.mark.parametrize("numbers", [(), (1.0,) * 19, (1.0,) * 21, (1.0,) * 19 + (np.nan,)])
def test_a_map_of_other_than_20_finite_numbers_is_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(CalibrationError, match="20 finite numbers"):
        ColorMap(numbers)


def test_arrays_of_the_wrong_shape_are_a_programming_mistake() -> None:
    with pytest.raises(ValueError, match=r"points must be \(N, 3\)"):
        fit(np.zeros((4, 2)), np.zeros((4, 2)))


def a_recording(joints: np.ndarray, pixels: np.ndarray | None) -> Recording:
    """One body in every frame: joints (F, 25, 3), pixels (F, 25, 2)."""
    frames = []
    for index, frame_joints in enumerate(joints):
        details = None if pixels is None else BodyDetails(color_px=pixels[index])
        body = Body(tracking_id=72057594037944738, joints=frame_joints, state=np.full(25, 2), details=details)
        frames.append(BodyFrame(index=index, time_s=index / 30, bodies=(body,)))
    return Recording(WITHOUT_PIXELS, np.arange(len(frames)) / 30, frames)


def test_a_recording_with_color_pixels_calibrates_itself(random: np.random.Generator) -> None:
    sensor, joints = a_sensor(random), bodies(random, 12).reshape(12, 25, 3)
    recording = a_recording(joints, sensor.project(joints))
    stored = [frame.bodies[0].joints for frame in recording.frames]  # float32, as files hold them
    assert fit_recording(recording).residuals(np.array(stored), sensor.project(joints)).max() < 0.01


def test_a_long_recording_with_pixels_in_a_single_frame_is_still_calibrated(random: np.random.Generator) -> None:
    sensor, joints = a_sensor(random), np.tile(a_body(random), (1000, 1, 1))
    pixels = np.full((1000, 25, 2), np.nan)
    pixels[501] = sensor.project(joints[501])
    recording = a_recording(joints, pixels)
    frames = [
        frame if frame.index == 501 else BodyFrame(index=frame.index, time_s=frame.time_s, bodies=())
        for frame in recording.frames
    ]
    fitted = fit_recording(Recording(recording.info, recording.times_s, frames))
    assert fitted.residuals(joints[501], pixels[501]).max() < 0.1


@pytest.mark.parametrize("frames", [0, 3])
def test_a_recording_without_color_pixels_says_so(frames: int, random: np.random.Generator) -> None:
    joints = bodies(random, 3).reshape(3, 25, 3)[:frames]
    with pytest.raises(CalibrationError, match="must hold color pixels"):
        fit_recording(a_recording(joints, None))
