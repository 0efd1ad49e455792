"""What the synthetic sensor makes of a body: noise of the stated size, guesses, losses, what hides what."""

from __future__ import annotations

import math

import numpy as np
import pytest

from live.sources.performer import perform, random_person
from live.sources.performer_sensor import (
    INFERRED_NOISE_M,
    LOST_S,
    NOISE_M,
    VIEW_TAN,
    SensorModel,
    clipped_edges,
    hidden,
)
from skeleton.layout import INFERRED, KINECT_V2, NOT_TRACKED, TRACKED


def test_noise_is_small_slow_and_larger_on_the_extremities() -> None:
    rng = np.random.default_rng(11)
    frames, true = 6000, np.tile((0.3, 0.2, 2.5), (25, 1))
    seen, state = SensorModel(rng).observe(
        np.arange(frames) / 30, np.tile(true, (frames, 1, 1)), np.zeros((frames, 25), dtype=bool)
    )
    tracked = state == TRACKED
    spread = [float((seen[tracked[:, j], j] - true[j]).std()) for j in range(25)]
    spine, tip = KINECT_V2.index("SpineMid"), KINECT_V2.index("HandTipLeft")
    assert spread[spine] == pytest.approx(NOISE_M["Spine"], rel=0.15)
    assert spread[tip] == pytest.approx(NOISE_M["HandTip"], rel=0.15)
    error = seen[:, spine, 0] - 0.3
    assert np.corrcoef(error[1:], error[:-1])[0, 1] > 0.7


def test_hidden_joints_are_inferred_with_a_larger_error() -> None:
    rng = np.random.default_rng(12)
    frames, true = 3000, np.tile((0.3, 0.2, 2.5), (25, 1))
    is_hidden = np.zeros((frames, 25), dtype=bool)
    is_hidden[:, 6] = True
    seen, state = SensorModel(rng).observe(np.arange(frames) / 30, np.tile(true, (frames, 1, 1)), is_hidden)
    assert set(state[:, 6]) <= {INFERRED, NOT_TRACKED}
    inferred = seen[state[:, 6] == INFERRED, 6] - true[6]
    assert INFERRED_NOISE_M * 0.6 < inferred.std() < INFERRED_NOISE_M * 1.6


def test_joints_get_lost_for_short_spans() -> None:
    rng = np.random.default_rng(13)
    frames = 9000
    _, state = SensorModel(rng).observe(
        np.arange(frames) / 30, np.ones((frames, 25, 3)) * 2, np.zeros((frames, 25), dtype=bool)
    )
    tip = np.flatnonzero(np.diff((state[:, 21] == NOT_TRACKED).astype(int), prepend=0, append=0))
    spans_s = np.diff(tip.reshape(-1, 2), axis=1) / 30
    assert len(spans_s) > 3
    assert spans_s.min() > LOST_S[0] - 0.05 and np.median(spans_s) < LOST_S[1] + 0.05


def test_what_stands_behind_a_trunk_is_hidden_and_what_stands_beside_it_is_not() -> None:
    rng = np.random.default_rng(14)
    _, joints, _ = perform("deep squat", random_person(rng), rng, place_m=(0.0, 2.5))
    front, behind, beside = joints[:1], joints[:1] + (0, 0, 1.0), joints[:1] + (1.5, 0, 1.0)
    assert hidden(behind, front)[0, 1], "SpineMid lies straight behind the other's trunk"
    assert not hidden(beside, front).any()
    assert not hidden(front, behind).any()


def test_the_view_is_as_wide_as_the_depth_cameras() -> None:
    assert math.degrees(math.atan(VIEW_TAN[0])) == pytest.approx(70.6 / 2, abs=0.1)
    assert math.degrees(math.atan(VIEW_TAN[1])) == pytest.approx(60 / 2, abs=0.1)


@pytest.mark.parametrize(
    ("at", "edges"),
    [
        ((0.0, 0.0, 2.5), 0),
        ((1.9, 0.0, 2.5), 1),
        ((-1.9, 0.0, 2.5), 2),
        ((0.0, 1.6, 2.5), 4),
        ((-1.9, -1.6, 2.5), 10),
    ],
)
def test_the_edges_that_cut_a_body_are_told_as_the_sdk_does(at: tuple[float, float, float], edges: int) -> None:
    joints = np.tile((0.0, 0.0, 2.5), (25, 1))
    joints[7] = at
    assert clipped_edges(joints) == edges
