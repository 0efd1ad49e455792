"""Augmentation changes where, how large and on which side, never what."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from skeleton.layout import KINECT_V2_21 as LAYOUT
from training import augment
from training.augment import Strength
from training.cache import mirror_order
from training.datasets.machete import LABELS, MIRRORED

B, M, T, V = 5, 2, 7, len(LAYOUT)
SWAPPED = mirror_order(LABELS, MIRRORED).tolist()


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    joints = torch.rand((B, M, T, V, 3), generator=generator) + torch.tensor([0.0, 0.0, 2.0])
    seen = torch.rand((B, M, T, V), generator=generator) > 0.2
    return joints, seen, torch.tensor([1, 6, 9, 10, 3])


def lengths(joints: Tensor) -> Tensor:
    """(B, M, T, bones) bone lengths."""
    first, second = zip(*LAYOUT.bones)
    return (joints[:, :, :, list(first)] - joints[:, :, :, list(second)]).norm(dim=-1)


def mirrored(batch: tuple[Tensor, Tensor, Tensor], chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return augment.mirror(*batch, chosen=chosen, layout=LAYOUT, mirror_labels=SWAPPED)


def test_a_mirror_image_of_a_mirror_image_is_the_original(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    everything = torch.ones(B, dtype=torch.bool)
    twice = mirrored(mirrored(batch, everything), everything)
    assert all(torch.equal(a, b) for a, b in zip(twice, batch))


def test_a_mirror_image_swaps_joints_masks_and_labels(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen, labels = mirrored(batch, torch.tensor([True, True, False, True, True]))
    left, right = LAYOUT.index("WristLeft"), LAYOUT.index("WristRight")
    assert torch.equal(joints[0, :, :, left, 1:], batch[0][0, :, :, right, 1:])
    assert torch.equal(joints[0, :, :, left, 0], -batch[0][0, :, :, right, 0])
    assert torch.equal(seen[0, :, :, left], batch[1][0, :, :, right])
    assert torch.equal(joints[2], batch[0][2]) and torch.equal(seen[2], batch[1][2])
    names = [LABELS[label] for label in labels]
    assert names == ["cartwheel_right", "hook_right", "kick_right", "right_left_right_combo", "duck"]


def test_only_the_chosen_share_is_mirrored(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    for share, changed in ((0.0, 0), (1.0, B)):
        joints, _, _ = augment.augment(
            *batch,
            strength=Strength(mirror=share),
            layout=LAYOUT,
            mirror_labels=SWAPPED,
            generator=torch.Generator().manual_seed(1),
        )
        assert int((joints - batch[0]).abs().amax(dim=(1, 2, 3, 4)).gt(1e-3).sum()) == changed


def test_turning_about_the_vertical_keeps_heights_and_bone_lengths(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen, _ = batch
    angles = torch.zeros(B, 3)
    angles[:, 1] = torch.linspace(-3, 3, B)
    turned = augment.turn_and_scale(joints, seen, angles=angles, factor=torch.ones(B, 3))
    assert torch.allclose(turned[..., 1], joints[..., 1], atol=1e-5)
    assert torch.allclose(lengths(turned), lengths(joints), atol=1e-5)
    assert (turned - joints).abs().amax() > 0.5


def test_scaling_scales_every_bone_and_leaves_the_middle_in_place(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen, _ = batch
    factor = torch.linspace(0.8, 1.2, B)
    scaled = augment.turn_and_scale(joints, seen, angles=torch.zeros(B, 3), factor=factor[:, None].expand(B, 3))
    assert torch.allclose(lengths(scaled), lengths(joints) * factor[:, None, None, None], atol=1e-5)
    assert torch.allclose(scaled[0][seen[0]].mean(dim=0), joints[0][seen[0]].mean(dim=0), atol=1e-5)


def test_another_build_stretches_each_axis_on_its_own(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen, _ = batch
    factor = torch.tensor([1.2, 1.0, 0.7]).expand(B, 3)
    stretched = augment.turn_and_scale(joints, seen, angles=torch.zeros(B, 3), factor=factor)
    assert torch.allclose((stretched - stretched[:, :, :, :1]), (joints - joints[:, :, :, :1]) * factor[0], atol=1e-5)


def test_an_unseen_joint_does_not_move_the_middle(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen, _ = batch
    angles, factor = torch.full((B, 3), 0.3), torch.full((B, 3), 0.9)
    spoiled = torch.where(seen[..., None], joints, 1000.0)
    one = augment.turn_and_scale(joints, seen, angles=angles, factor=factor)
    other = augment.turn_and_scale(spoiled, seen, angles=angles, factor=factor)
    assert torch.allclose(one[seen], other[seen], atol=1e-4)


def test_a_rotation_is_a_rotation() -> None:
    angles = torch.rand((B, 3), generator=torch.Generator().manual_seed(0)) * 6
    matrix = augment.rotation(angles)
    assert torch.allclose(matrix @ matrix.mT, torch.eye(3).expand(B, 3, 3), atol=1e-5)
    assert torch.allclose(torch.linalg.det(matrix), torch.ones(B), atol=1e-5)
    quarter = augment.rotation(torch.tensor([[0.0, math.pi / 2, 0.0]]))[0]
    assert torch.allclose(quarter @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, -1.0]), atol=1e-6)


def test_lost_joints_are_lost_for_one_stretch() -> None:
    lost = augment.lost((40, M, T, V), share=0.3, generator=torch.Generator().manual_seed(0))
    is_hit = lost.any(dim=2)
    starts = (lost & ~torch.cat([torch.zeros_like(lost[:, :, :1]), lost[:, :, :-1]], dim=2)).sum(dim=2)
    assert 0.25 < is_hit.float().mean() < 0.35
    assert starts[is_hit].eq(1).all() and starts[~is_hit].eq(0).all()


def test_lost_limbs_are_whole_limbs_and_never_the_trunk() -> None:
    lost = augment.lost_limbs(4000, LAYOUT, share=0.25, generator=torch.Generator().manual_seed(0))
    found = {
        tuple(name for name, is_lost in zip(LAYOUT.joints, row) if is_lost) for row in lost.unique(dim=0).tolist()
    }
    one_arm, one_leg = ("ElbowLeft", "WristLeft", "HandLeft"), ("KneeRight", "AnkleRight", "FootRight")
    assert () in found and one_arm in found and one_leg in found
    assert (*one_arm, "ElbowRight", "WristRight", "HandRight") in found and len(found) == 6
    assert 0.22 < lost.any(dim=1).float().mean() < 0.28


def turned_arms(joints: Tensor, seen: Tensor, deviation_deg: float = 10.0) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return augment.turn_arms(joints, seen, LAYOUT, deviation_deg=deviation_deg, generator=generator)


def test_turned_arms_keep_their_bones_and_nothing_else_moves(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints = batch[0]
    turned = turned_arms(joints, torch.ones_like(batch[1]))
    arms = augment.limb(LAYOUT, "arm", "Left") | augment.limb(LAYOUT, "arm", "Right")
    torch.testing.assert_close(lengths(turned), lengths(joints), rtol=0, atol=1e-5)
    assert torch.equal(turned[..., ~arms, :], joints[..., ~arms, :])
    assert ((turned - joints)[..., arms, :].norm(dim=-1) > 1e-3).float().mean() > 0.99
    assert torch.equal(batch[0], joints)


def test_an_arm_is_turned_alike_in_all_frames_and_otherwise_in_each_window(
    batch: tuple[Tensor, Tensor, Tensor],
) -> None:
    still = batch[0][:1, :1, :1].expand(B, M, T, V, 3)
    turned = turned_arms(still, torch.ones_like(batch[1]))
    torch.testing.assert_close(turned, turned[:, :, :1].expand_as(turned), rtol=0, atol=1e-6)
    elbows = turned[:, :, 0, LAYOUT.index("ElbowLeft")].flatten(0, 1)
    assert torch.cdist(elbows, elbows)[~torch.eye(B * M, dtype=torch.bool)].min() > 1e-4


@pytest.mark.parametrize(("bone", "pivots"), [("Shoulder-Elbow", 1), ("Elbow-Wrist", 2), ("Wrist-Hand", 2)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_angles_about_each_axis_have_the_deviation_that_is_asked_for(bone: str, pivots: int, axis: int) -> None:
    windows, degrees = 20_000, 3.0
    first, second = (LAYOUT.index(joint + "Right") for joint in bone.split("-"))
    joints = torch.zeros(windows, 1, 1, V, 3)
    joints[..., second, axis] = 1.0  # a bone of 1 m along an axis; it moves along the two others
    turned = turned_arms(joints, torch.ones(joints.shape[:-1], dtype=torch.bool), degrees)
    across = [other for other in range(3) if other != axis]
    moved = (turned[..., second, :] - turned[..., first, :])[:, 0, 0, across]
    # Small angles add up: a forearm turns with its arm, and then about the elbow.
    expected = torch.full((2,), math.radians(degrees) * math.sqrt(pivots))
    torch.testing.assert_close(moved.std(dim=0), expected, rtol=0.03, atol=0)
    assert moved.mean(dim=0).abs().max() < 0.002


def test_an_arm_with_an_unseen_pivot_is_left_as_it_is(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen = batch[0], torch.ones_like(batch[1])
    seen[0, 0, 2, LAYOUT.index("ShoulderLeft")] = False
    seen[0, 0, 2, LAYOUT.index("ElbowLeft")] = False
    seen[1, 0, 4, LAYOUT.index("ElbowRight")] = False
    turned = turned_arms(joints, seen)
    left, right = augment.limb(LAYOUT, "arm", "Left"), augment.limb(LAYOUT, "arm", "Right")
    assert torch.equal(turned[0, 0][:, left], joints[0, 0][:, left])
    assert not torch.allclose(turned[0, 0][:, right], joints[0, 0][:, right], atol=1e-3)
    forearm = [LAYOUT.index(name) for name in ("ElbowRight", "WristRight", "HandRight")]
    before, after = joints[1, 0][:, forearm], turned[1, 0][:, forearm]
    # The whole arm turned about the shoulder; the forearm not about the elbow on top of it.
    torch.testing.assert_close((before[:, 0] - before[:, 2]).norm(dim=-1), (after[:, 0] - after[:, 2]).norm(dim=-1))
    shoulder = joints[1, 0][:, [LAYOUT.index("ShoulderRight")]]
    across = [(part - shoulder) for part in (before, after)]
    torch.testing.assert_close(across[0] @ across[0].mT, across[1] @ across[1].mT, rtol=0, atol=1e-5)


@pytest.mark.parametrize("change", [field.name for field in dataclasses.fields(Strength)])
def test_each_change_is_made_where_it_alone_is_asked_for(batch: tuple[Tensor, Tensor, Tensor], change: str) -> None:
    strength = Strength(**{change: 5.0 if change.endswith("_deg") else 0.5})
    changed = augment.augment(
        *batch,
        strength=strength,
        layout=LAYOUT,
        mirror_labels=SWAPPED,
        generator=torch.Generator().manual_seed(4),
    )
    is_same = [torch.allclose(new.float(), old.float(), atol=1e-3) for new, old in zip(changed, batch)]
    assert not all(is_same)


def test_strength_zero_changes_nothing_and_a_seed_repeats(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    def run(strength: Strength) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(4)
        return augment.augment(*batch, strength=strength, layout=LAYOUT, mirror_labels=SWAPPED, generator=generator)

    assert torch.allclose(run(Strength())[0], batch[0], atol=1e-6)
    strong = Strength(
        rotation_deg=30,
        tilt_deg=5,
        size=0.1,
        build=0.1,
        arm_turn_deg=5,
        noise_m=0.01,
        joint_dropout=0.2,
        limb_dropout=0.3,
        mirror=0.5,
    )
    assert all(torch.equal(a, b) for a, b in zip(run(strong), run(strong)))
    assert not torch.allclose(run(strong)[0], batch[0], atol=1e-3)


def test_two_people_change_places_whole_and_one_person_never(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    joints, seen, labels = batch
    assert joints.shape[1] == 2

    def swapped(share: float, people: int) -> tuple[Tensor, Tensor, Tensor]:
        return augment.augment(
            joints[:, :people],
            seen[:, :people],
            labels,
            strength=Strength(swap=share),
            layout=LAYOUT,
            mirror_labels=SWAPPED,
            generator=torch.Generator().manual_seed(4),
        )

    always, known, same = swapped(1.0, 2)
    torch.testing.assert_close(always, joints.flip(1), rtol=0, atol=1e-5)
    assert torch.equal(known, seen.flip(1)) and torch.equal(same, labels)
    sometimes = [torch.equal(one, other) for one, other in zip(swapped(0.5, 2)[1], seen)]
    assert 0 < sum(sometimes) < len(sometimes)
    torch.testing.assert_close(swapped(1.0, 1)[0], joints[:, :1], rtol=0, atol=1e-5)
