"""``window.cut``: irregular frames of one body become T frames at the model's span, by sensor time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeleton.window import Window, cut

V = 2


def cut_all(times: np.ndarray, joints: np.ndarray, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    """A cut in which every joint was seen."""
    arguments = {"start_s": float(times[0]), "end_s": float(times[-1]), "frame_count": 7} | changes
    return cut(times, joints, np.ones(joints.shape[:2], bool), **arguments)  # type: ignore[arg-type]


@st.composite
def sensor_times(draw: st.DrawFn) -> np.ndarray:
    """Times with the sensor's jitter: 15 or 30 frames a second, and dropped frames, always below the longest gap."""
    steps = draw(st.lists(st.floats(0.010, 0.240), min_size=1, max_size=30))
    return draw(st.floats(0, 1e5)) + np.cumsum([0.0, *steps])


@given(sensor_times(), st.integers(2, 40))
def test_a_joint_that_moves_evenly_does_so_after_the_cut(times: np.ndarray, count: int) -> None:
    speed = np.array([0.5, -1.0, 0.25])
    joints = np.stack([(times - times[0])[:, None] * speed, np.ones((len(times), 3))], axis=1)  # (F, 2, 3)
    found, seen = cut_all(times, joints, frame_count=count)
    wanted = np.linspace(0, times[-1] - times[0], count)[:, None] * speed
    assert found.shape == (count, V, 3)
    assert found.dtype == np.float32
    assert seen.all()
    np.testing.assert_allclose(found[:, 0], wanted, atol=2e-5)
    np.testing.assert_array_equal(found[:, 1], np.ones((count, 3)))


@given(sensor_times(), st.data())
def test_nothing_is_invented(times: np.ndarray, data: st.DataObject) -> None:
    """Values stay between those that were seen; what counts as unseen is 0; everything is finite."""
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    joints = rng.normal(size=(len(times), V, 3)).astype(np.float32)
    seen = rng.random((len(times), V)) < 0.6
    joints[~seen] = np.nan
    margin = data.draw(st.floats(0, 1))
    found, found_seen = cut(times, joints, seen, start_s=times[0] - margin, end_s=times[-1] + margin, frame_count=9)
    assert np.isfinite(found).all()
    assert (found[~found_seen] == 0).all()
    for joint in range(V):
        if not seen[:, joint].any():
            assert not found_seen[:, joint].any()
            continue
        low, high = joints[seen[:, joint], joint].min(axis=0), joints[seen[:, joint], joint].max(axis=0)
        kept = found[found_seen[:, joint], joint]
        assert ((kept >= low - 1e-5) & (kept <= high + 1e-5)).all()


@given(sensor_times(), st.floats(-1000, 1000))
def test_only_differences_of_time_count(times: np.ndarray, shift: float) -> None:
    rng = np.random.default_rng(len(times))
    joints = rng.normal(size=(len(times), V, 3))
    first, first_seen = cut_all(times, joints)
    second, second_seen = cut_all(times + shift, joints)
    np.testing.assert_allclose(first, second, atol=1e-4)
    np.testing.assert_array_equal(first_seen, second_seen)


def test_frames_at_the_wanted_times_are_taken_as_they_are() -> None:
    times = np.arange(7) / 30
    joints = np.random.default_rng(0).normal(size=(7, V, 3)).astype(np.float32)
    found, seen = cut_all(times, joints)
    np.testing.assert_array_equal(found, joints)
    assert seen.all()


def test_a_joint_lost_for_longer_than_the_gap_is_unseen_only_then() -> None:
    times = np.arange(0, 31) / 30
    seen = np.ones((31, V), bool)
    seen[5:20, 1] = False  # joint 1 is lost from 1/6 s to 2/3 s: its neighbors are 16/30 s apart
    joints = np.ones((31, V, 3))
    _, found = cut(times, joints, seen, start_s=0.0, end_s=1.0, frame_count=31)
    assert found[:, 0].all()
    np.testing.assert_array_equal(np.flatnonzero(~found[:, 1]), np.arange(5, 20))
    _, bridged = cut(times, joints, seen, start_s=0.0, end_s=1.0, frame_count=31, max_gap_s=0.6)
    assert bridged.all()


def test_a_gap_is_bridged_along_the_straight_line() -> None:
    times = np.array([0.0, 0.1, 0.2])
    joints = np.array([[[0, 0, 0]], [[np.nan] * 3], [[2, 4, 6]]], dtype=np.float32)
    found, seen = cut(times, joints, np.ones((3, 1), bool), start_s=0.0, end_s=0.2, frame_count=5)
    np.testing.assert_allclose(found[:, 0], np.linspace((0, 0, 0), (2, 4, 6), 5), atol=1e-6)
    assert seen.all()


def test_before_the_first_frame_the_nearest_is_held_for_the_length_of_a_gap() -> None:
    found, seen = cut(
        np.array([1.0]), np.full((1, 1, 3), 5.0), np.ones((1, 1), bool), start_s=0.0, end_s=2.0, frame_count=21
    )
    np.testing.assert_array_equal(np.flatnonzero(seen[:, 0]), [8, 9, 10, 11, 12])
    assert (found[seen] == 5).all()


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("is_ever_finite", [True, False])
def test_a_joint_with_a_coordinate_that_is_no_number_is_unseen(spoiled: float, is_ever_finite: bool) -> None:
    times, seen = np.arange(20) / 30, np.ones((20, V), bool)
    joints = np.random.default_rng(0).normal(size=(20, V, 3)).astype(np.float32)
    damaged = slice(4, 16) if is_ever_finite else slice(None)
    expected = joints.copy(), seen.copy()
    joints[damaged, 1, 2], expected[1][damaged, 1] = spoiled, False
    for found, wanted in zip(cut_all(times, joints), cut(times, *expected, start_s=0, end_s=19 / 30, frame_count=7)):
        np.testing.assert_array_equal(found, wanted)
    assert cut_all(times, joints)[1][:, 1].any() == is_ever_finite


def test_a_window_of_one_frame_is_at_its_start() -> None:
    times = np.arange(7) / 30
    joints = np.random.default_rng(0).normal(size=(7, V, 3)).astype(np.float32)
    found, seen = cut_all(times, joints, start_s=float(times[2]), frame_count=1)
    np.testing.assert_array_equal(found, joints[2:3])
    assert seen.all()


@pytest.mark.parametrize(
    ("times", "joints", "seen", "sentence"),
    [
        (np.empty(0), np.empty((0, V, 3)), np.empty((0, V)), "non-empty"),
        (np.array([0.0, 0.0]), np.zeros((2, V, 3)), np.ones((2, V)), "increase strictly"),
        (np.array([0.0, 1.0]), np.zeros((3, V, 3)), np.ones((3, V)), "do not fit 2 times"),
        (np.array([0.0, 1.0]), np.zeros((2, V, 3)), np.ones((2, 5)), "do not fit 2 times"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    times: np.ndarray, joints: np.ndarray, seen: np.ndarray, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        cut(times, joints, seen, start_s=0.0, end_s=1.0, frame_count=4)


def test_a_window_holds_read_only_arrays_of_its_persons() -> None:
    window = Window(body_ids=(7, -1), end_s=2.0, joints=np.zeros((2, 5, 3, 3)), seen=np.ones((2, 5, 3)))
    assert (window.joints.dtype, window.seen.dtype) == (np.float32, np.bool_)
    with pytest.raises(ValueError, match="read-only"):
        window.seen[0] = False
    with pytest.raises(ValueError, match="joints must have shape"):
        Window(body_ids=(7,), end_s=2.0, joints=np.zeros((2, 5, 3, 3)), seen=np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="seen must have shape"):
        Window(body_ids=(7, -1), end_s=2.0, joints=np.zeros((2, 5, 3, 3)), seen=np.ones((2, 5, 4)))
