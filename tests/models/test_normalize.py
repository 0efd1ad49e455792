"""Normalization: where a person stands, faces and how tall they are must not matter, nor what a hole holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.normalize import TYPICAL_TORSO_M, Normalize
from skeleton.layout import KINECT_V1, KINECT_V2_19, body_axes
from tests.models.synthetic import config, real_windows, turned, windows

SHAPE = config()
AXES = body_axes(SHAPE.joints)


def normalize(joints: torch.Tensor, seen: torch.Tensor, **switches: bool) -> torch.Tensor:
    return Normalize(SHAPE.joints, **switches).eval()(joints, seen).joints


def test_coordinates_come_first_and_every_axis_keeps_its_size() -> None:
    joints, seen = windows(3, SHAPE)
    result = Normalize(SHAPE.joints)(joints, seen)
    assert result.joints.shape == (3, 2, 3, 30, 19)
    assert result.present.shape == (3, 2)


def test_person_1_starts_at_the_origin_faces_the_sensor_and_has_a_torso_of_length_1() -> None:
    joints, seen = windows(3, SHAPE)
    result = normalize(turned(joints, 1.1), seen)[:, 0]  # (B, 3, T, V)
    line = (result[..., AXES.right_shoulder] - result[..., AXES.left_shoulder]).mean(dim=2)
    torso = (result[..., AXES.chest] - result[..., AXES.center]).norm(dim=1).mean(dim=1)
    np.testing.assert_allclose(result[:, :, 0, AXES.center], 0, atol=1e-6)
    np.testing.assert_allclose(line[:, 2], 0, atol=1e-5)
    assert (line[:, 0] > 0.5).all(), "the right shoulder must come to lie on the side of +x"
    np.testing.assert_allclose(torso, 1, rtol=1e-5)


def test_all_switches_off_leave_the_meters_as_they_are() -> None:
    joints, seen = windows(2, SHAPE)
    result = normalize(joints, seen, fill=False, center=False, turn=False, scale=False)
    assert torch.equal(result, joints.movedim(4, 2))


@pytest.mark.parametrize(
    ("switch", "change"),
    [
        ("center", lambda joints: joints + torch.tensor([0.7, -0.2, 1.1])),
        ("turn", lambda joints: turned(joints, -2.2)),
        ("scale", lambda joints: joints * 1.3),
    ],
)
def test_each_switch_removes_its_own_change_and_nothing_else_does(switch: str, change) -> None:
    joints, seen = windows(3, SHAPE)
    on = dict.fromkeys(("center", "turn", "scale"), True)
    off = {**on, switch: False}
    np.testing.assert_allclose(normalize(change(joints), seen, **on), normalize(joints, seen, **on), atol=2e-5)
    assert (normalize(change(joints), seen, **off) - normalize(joints, seen, **off)).abs().max() > 0.05


def test_person_2_gets_the_transform_of_person_1() -> None:
    joints, seen = windows(2, SHAPE)
    result = normalize(joints, seen)
    distance_m = (joints[:, 1] - joints[:, 0]).norm(dim=-1)  # (B, T, V)
    torso_m = (joints[:, 0, :, AXES.chest] - joints[:, 0, :, AXES.center]).norm(dim=-1).mean(dim=1)
    distance = (result[:, 1] - result[:, 0]).norm(dim=1)
    np.testing.assert_allclose(distance * torso_m[:, None, None], distance_m, rtol=1e-4)


def test_person_2_alone_gives_the_transform_itself() -> None:
    joints, seen = windows(2, SHAPE)
    seen[:, 0] = 0
    alone = normalize(joints, seen)
    swapped = normalize(joints.flip(1), seen.flip(1))
    assert torch.equal(alone[:, 0], torch.zeros_like(alone[:, 0]))
    assert torch.equal(alone[:, 1], swapped[:, 0])


@pytest.mark.parametrize("hole", [float("nan"), float("inf"), -float("inf"), 3e38, 12.5])
@pytest.mark.parametrize("fill", [True, False])
def test_what_a_hole_holds_changes_no_bit(hole: float, fill: bool) -> None:
    joints, seen = windows(4, SHAPE)
    seen = (torch.rand(seen.shape, generator=torch.Generator().manual_seed(1)) > 0.4).float()
    seen[1, 1], seen[2, 0], seen[3] = 0, 0, 0
    holed = torch.where(seen[..., None] > 0, joints, torch.tensor(hole))
    first, second = normalize(joints, seen, fill=fill), normalize(holed, seen, fill=fill)
    assert torch.isfinite(first).all()
    assert torch.equal(first, second)


def test_a_joint_that_claims_to_be_seen_but_is_not_finite_counts_as_unseen() -> None:
    joints, seen = windows(2, SHAPE)
    broken, honest = joints.clone(), seen.clone()
    broken[0, 0, 4:7, 3, 1] = torch.nan
    honest[0, 0, 4:7, 3] = 0
    assert torch.equal(normalize(broken, seen), normalize(joints, honest))


def test_a_hole_gets_the_nearest_seen_position_in_time() -> None:
    joints, seen = windows(1, SHAPE)
    joint = 7
    seen[0, 0, :, joint] = 0
    kept = [3, 10, 29]
    seen[0, 0, kept, joint] = 1
    result = normalize(joints, seen, center=False, turn=False, scale=False)[0, 0, :, :, joint]
    # 0..6 are nearest to 3 (frame 6: 3 to the one, 4 to the other), 7..19 to 10, 20.. to 29.
    expected = joints[0, 0, [3] * 7 + [10] * 13 + [29] * 10, joint].T
    assert torch.equal(result, expected)


def test_training_and_use_fill_alike() -> None:
    joints, seen = windows(4, SHAPE)
    seen = (torch.rand(seen.shape, generator=torch.Generator().manual_seed(2)) > 0.7).float()
    seen[1, :, :, 5], seen[2, 0] = 0, 0
    module = Normalize(SHAPE.joints)
    assert torch.equal(module.train()(joints, seen).joints, module.eval()(joints, seen).joints)


def test_of_two_equally_near_frames_the_earlier_fills() -> None:
    joints, seen = windows(1, SHAPE)
    seen[0, 0, 5, 2] = 0
    result = normalize(joints, seen, center=False, turn=False, scale=False)
    assert torch.equal(result[0, 0, :, 5, 2], joints[0, 0, 4, 2])


def test_a_joint_that_was_never_seen_sits_at_the_center_joint() -> None:
    joints, seen = windows(2, SHAPE)
    seen[:, :, :, 7] = 0
    result = normalize(joints, seen)
    assert torch.equal(result[..., 7], result[..., AXES.center])


@pytest.mark.parametrize("lost", ["center", "chest", "left_shoulder", "right_shoulder"])
def test_a_body_without_one_of_its_axes_stays_finite_and_of_human_size(lost: str) -> None:
    joints, seen = windows(2, SHAPE)
    seen[..., getattr(AXES, lost)] = 0
    result = normalize(joints, seen)
    assert torch.isfinite(result).all()
    # Two persons within a few meters of each other, in torsos of half a meter.
    assert 1.0 < result.abs().max() < 10.0


def test_shoulders_above_each_other_do_not_turn_the_body() -> None:
    joints, seen = windows(1, SHAPE)
    joints[..., AXES.left_shoulder, :] = joints[..., AXES.right_shoulder, :] + torch.tensor([0.0, -0.3, 0.0])
    switches = {"fill": True, "center": True, "scale": True}
    assert torch.equal(
        normalize(joints, seen, turn=True, **switches), normalize(joints, seen, turn=False, **switches)
    )


def test_a_torso_of_no_length_is_scaled_as_a_typical_one() -> None:
    joints, seen = windows(1, SHAPE)
    joints[..., AXES.chest, :] = joints[..., AXES.center, :]
    scaled, plain = normalize(joints, seen), normalize(joints, seen, scale=False)
    np.testing.assert_allclose(scaled * TYPICAL_TORSO_M, plain, rtol=1e-5)


def test_the_first_kinect_has_axes_too() -> None:
    shape = config(joints=KINECT_V1.joints)
    joints, seen = windows(2, shape)
    result = Normalize(shape.joints)(joints, seen).joints
    assert torch.equal(result[:, 0, :, 0, KINECT_V1.index("HipCenter")], torch.zeros(2, 3))


def test_joint_order_does_not_matter_to_the_transform() -> None:
    joints, seen = windows(2, SHAPE)
    order = np.random.default_rng(0).permutation(len(SHAPE.joints))
    shuffled = Normalize([KINECT_V2_19.joints[i] for i in order])(joints[:, :, :, order], seen).joints
    np.testing.assert_allclose(shuffled, normalize(joints, seen)[..., order], atol=1e-6)


def test_real_people_who_face_the_sensor_are_hardly_turned_and_have_bones_of_human_length(real_data: Path) -> None:
    joints, seen = (torch.from_numpy(part) for part in real_windows(real_data / "labanotation", SHAPE))
    result = normalize(joints, seen, turn=False)[:, 0]
    line = (result[..., AXES.right_shoulder] - result[..., AXES.left_shoulder]).mean(dim=2)
    angle_deg = torch.rad2deg(torch.atan2(line[:, 2], line[:, 0]))
    assert angle_deg.abs().median() < 30, "turned by half a circle, the body would look away from the sensor"
    head = (result[..., SHAPE.joints.index("Head")] - result[..., AXES.center]).norm(dim=1).mean()
    assert 1.1 < head < 1.7, "from hip to head, in torso lengths"


def test_mixed_precision_does_not_round_positions() -> None:
    joints, seen = windows(3, SHAPE)
    seen[0, 0, 4:9, 3] = 0
    exact = normalize(joints, seen)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = normalize(joints, seen)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, exact)


def test_a_turn_before_the_network_is_taken_back_out_and_the_error_of_the_turn_is_not() -> None:
    joints, seen = windows(3, SHAPE)
    module = Normalize(SHAPE.joints, facing_error_deg=20).train()
    torch.manual_seed(4)
    first, again = module(joints, seen).joints, module(joints, seen).joints
    torch.manual_seed(4)
    same = module(turned(joints, 0.8), seen).joints
    np.testing.assert_allclose(same, first, atol=2e-5)
    assert (first - again).abs().max() > 0.05, "every window must get another error each time"


def test_the_error_of_the_turn_keeps_heights_and_stays_within_its_bound_and_in_training() -> None:
    joints, seen = windows(3, SHAPE)
    exact = normalize(joints, seen)
    module = Normalize(SHAPE.joints, facing_error_deg=20).train()
    found = []
    for _ in range(40):
        result = module(joints, seen).joints
        np.testing.assert_allclose(result[:, :, 1], exact[:, :, 1], atol=1e-5)
        line = (result[:, 0, :, :, AXES.right_shoulder] - result[:, 0, :, :, AXES.left_shoulder]).mean(dim=2)
        found.append(torch.rad2deg(torch.atan2(line[:, 2], line[:, 0])))
    angles = torch.cat(found)
    assert angles.abs().max() <= 20.01
    assert angles.min() < -10 and angles.max() > 10, "errors must fall to both sides"
    assert torch.equal(module.eval()(joints, seen).joints, exact)


@pytest.mark.parametrize("wrong", [{"facing_error_deg": 91.0}, {"facing_error_deg": 5.0, "turn": False}])
def test_an_error_of_the_turn_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="facing_error_deg"):
        config(**wrong)
