"""Changes to a batch that do not change what the people do: made in tensors, in meters, while training only.

Every function takes and returns joints (B, M, T, V, 3). Its random numbers are drawn by the generator it is given, on
that generator's device, which is the batch's: nothing waits for the CPU.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skeleton.layout import Layout

SIDES = ("Left", "Right")
LIMBS = {"arm": ("Elbow", "Wrist", "Hand", "HandTip", "Thumb"), "leg": ("Knee", "Ankle", "Foot")}
_PIVOTS = {"Shoulder": LIMBS["arm"], "Elbow": LIMBS["arm"][1:]}
"""What turns with an arm, and what about an elbow."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How much of each change; 0 switches it off.

    Attributes:
        rotation_deg: Largest turn about the vertical, either way.
        tilt_deg: Largest turn about each horizontal axis, either way.
        size: Largest relative change of size, either way.
        build: Largest further change of width, height and depth, each on its own, either way.
        arm_turn_deg: Standard deviation, about each axis, of an arm's turn about the shoulder and then of the
            forearm's about the elbow.
        noise_m: Standard deviation of each coordinate's noise.
        joint_dropout: Share of joints that are lost for a stretch of the window.
        limb_dropout: Share of windows in which a limb, or both arms, are lost all the time.
        mirror: Share of windows that are mirrored.
        swap: Share of windows in which the first and the second person change places.
    """

    rotation_deg: float = 0.0
    tilt_deg: float = 0.0
    size: float = 0.0
    build: float = 0.0
    arm_turn_deg: float = 0.0
    noise_m: float = 0.0
    joint_dropout: float = 0.0
    limb_dropout: float = 0.0
    mirror: float = 0.0
    swap: float = 0.0


def augment(
    joints: Tensor,
    seen: Tensor,
    labels: Tensor,
    *,
    strength: Strength,
    layout: Layout,
    mirror_labels: Sequence[int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Applies every change and returns joints (B, M, T, V, 3), seen (B, M, T, V) bool and labels (B,)."""
    batch = len(joints)
    if strength.mirror:
        chosen = _random((batch,), generator) < strength.mirror
        joints, seen, labels = mirror(joints, seen, labels, chosen=chosen, layout=layout, mirror_labels=mirror_labels)
    if strength.swap and joints.shape[1] == 2:  # nobody is the first person in live use
        chosen = (_random((batch,), generator) < strength.swap)[:, None, None, None]
        joints, seen = torch.where(chosen[..., None], joints.flip(1), joints), torch.where(chosen, seen.flip(1), seen)
    largest_deg = torch.tensor([strength.tilt_deg, strength.rotation_deg, strength.tilt_deg], device=joints.device)
    angles = _symmetric((batch, 3), generator) * largest_deg.deg2rad()
    factor = 1 + strength.size * _symmetric((batch, 1), generator)
    factor = factor + strength.build * _symmetric((batch, 3), generator)
    joints = turn_and_scale(joints, seen, angles=angles, factor=factor)
    if strength.arm_turn_deg:
        joints = turn_arms(joints, seen, layout, deviation_deg=strength.arm_turn_deg, generator=generator)
    if strength.noise_m:
        noise = torch.randn(joints.shape, generator=generator, device=generator.device)
        joints = joints + strength.noise_m * noise
    if strength.joint_dropout:
        seen = seen & ~lost(seen.shape, share=strength.joint_dropout, generator=generator)
    if strength.limb_dropout:
        limbs = lost_limbs(len(joints), layout, share=strength.limb_dropout, generator=generator)
        seen = seen & ~limbs[:, None, None, :]
    return joints, seen, labels


def mirror(
    joints: Tensor,
    seen: Tensor,
    labels: Tensor,
    *,
    chosen: Tensor,
    layout: Layout,
    mirror_labels: Sequence[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirrors the ``chosen`` (B,) windows: x changes sign, left and right joints and labels change places."""
    order = torch.as_tensor(layout.mirror_order(), device=joints.device)
    other = joints[:, :, :, order] * joints.new_tensor([-1.0, 1.0, 1.0])
    joints = torch.where(chosen[:, None, None, None, None], other, joints)
    seen = torch.where(chosen[:, None, None, None], seen[:, :, :, order], seen)
    swapped = torch.as_tensor(mirror_labels, device=labels.device)[labels]
    return joints, seen, torch.where(chosen, swapped, labels)


def turn_and_scale(joints: Tensor, seen: Tensor, *, angles: Tensor, factor: Tensor) -> Tensor:
    """Turns each window by ``angles`` (B, 3) radians about x, z, then y, and stretches it by ``factor`` (B, 3).

    The axes are the sensor's. The point that stays in place is the mean of what was seen, so that people stay where
    they were.
    """
    weight = seen[..., None].to(joints.dtype)
    center = (joints * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp(min=1)  # (B, 3)
    center = center[:, None, None, None]
    matrix = rotation(angles) * factor[:, :, None]  # turned first, then stretched
    return torch.einsum("bij,bmtvj->bmtvi", matrix, joints - center) + center


def turn_arms(
    joints: Tensor, seen: Tensor, layout: Layout, *, deviation_deg: float, generator: torch.Generator
) -> Tensor:
    """Turns each arm about its shoulder, then its forearm about the elbow, by small angles that a window keeps.

    Two people hold the same sign or gesture in different places; bones keep their lengths, and the motion goes on
    as it was. Where a shoulder or an elbow is not seen all the time, nothing is turned about it.

    Args:
        joints: (B, M, T, V, 3) meters.
        seen: (B, M, T, V) bool.
        layout: Of the joints.
        deviation_deg: Standard deviation of the angles about each of the three axes.
        generator: Draws the angles.
    """
    joints = joints.clone()
    windows = (joints.shape[0] * joints.shape[1], 3)
    for side, (pivot, parts) in itertools.product(SIDES, _PIVOTS.items()):
        moved = [layout.index(part + side) for part in parts if part + side in layout.joints]
        if not moved or pivot + side not in layout.joints:
            continue
        center = layout.index(pivot + side)
        angles = torch.randn(windows, generator=generator, device=generator.device) * math.radians(deviation_deg)
        angles = angles * seen[..., center].all(dim=2).flatten()[:, None]
        matrix = rotation(angles).unflatten(0, joints.shape[:2])  # (B, M, 3, 3)
        about = joints[:, :, :, center : center + 1]
        joints[:, :, :, moved] = torch.einsum("bmij,bmtvj->bmtvi", matrix, joints[:, :, :, moved] - about) + about
    return joints


def rotation(angles: Tensor) -> Tensor:
    """Returns (B, 3, 3) matrices Ry * Rz * Rx for ``angles`` (B, 3) about x, y and z, radians."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().unbind(1), angles.cos().unbind(1)
    one, zero = torch.ones_like(sx), torch.zeros_like(sx)
    about_x = torch.stack([one, zero, zero, zero, cx, -sx, zero, sx, cx], dim=1).reshape(-1, 3, 3)
    about_y = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], dim=1).reshape(-1, 3, 3)
    about_z = torch.stack([cz, -sz, zero, sz, cz, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)
    return about_y @ about_z @ about_x


def lost(shape: Sequence[int], *, share: float, generator: torch.Generator) -> Tensor:
    """Returns (B, M, T, V) bool: ``share`` of the joints of a window are lost for one random stretch of it."""
    batch, persons, frames, joints = shape
    shape, device = (batch, persons, 1, joints), generator.device
    is_hit = _random(shape, generator) < share
    first = torch.randint(0, frames, shape, generator=generator, device=device)
    length = torch.randint(1, frames + 1, shape, generator=generator, device=device)
    frame = torch.arange(frames, device=device)[None, None, :, None]
    return is_hit & (frame >= first) & (frame < first + length)


def lost_limbs(batch: int, layout: Layout, *, share: float, generator: torch.Generator) -> Tensor:
    """Returns (B, V) bool: in ``share`` of the windows, the joints of one limb, or half the time both arms.

    People differ most in how they hold their arms; a network that leans on the arms alone fails on the next person.
    """
    left_arm, right_arm, left_leg, right_leg = (limb(layout, part, side) for part in LIMBS for side in SIDES)
    arms = left_arm | right_arm
    choices = torch.stack([arms, arms, arms, arms, left_arm, right_arm, left_leg, right_leg]).to(generator.device)
    chosen = torch.randint(0, len(choices), (batch,), generator=generator, device=generator.device)
    return choices[chosen] & (_random((batch, 1), generator) < share)


def limb(layout: Layout, part: str, side: str) -> Tensor:
    """Returns (V,) bool: the joints of an "arm" or a "leg" of the "Left" or "Right", without shoulder and hip."""
    names = {stem + side for stem in LIMBS[part]}
    return torch.tensor([name in names for name in layout.joints])


def mix(
    joints: Tensor, seen: Tensor, targets: Tensor, *, parameter: float, random: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mixes every window with another one of the batch, joints and targets alike (Zhang et al., ICLR 2018).

    Mixing positions in the room is mixing centered positions: the center of a mixture is the mixture of the centers.

    Args:
        joints: (B, M, T, V, 3).
        seen: (B, M, T, V) bool; of a mixture only what both show is seen.
        targets: (B, K) shares of the classes.
        parameter: Of the symmetric Beta distribution of the shares.
        random: PyTorch draws from no Beta distribution with a generator; NumPy does.
    """
    share = torch.from_numpy(random.beta(parameter, parameter, len(joints))).to(joints)
    other = torch.from_numpy(random.permutation(len(joints))).to(joints.device)
    joints = torch.lerp(joints[other], joints, share[:, None, None, None, None])
    return joints, seen & seen[other], torch.lerp(targets[other], targets, share[:, None])


def _symmetric(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return _random(shape, generator) * 2 - 1


def _random(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)
