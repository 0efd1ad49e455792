"""From raw joints to joints a network can compare: filled, centered, turned to face the sensor, scaled.

All of it is part of the exported graph, so whoever runs a model file feeds it meters and a mask and nothing else.
Only elementwise arithmetic is used: under autocast a matrix product would round positions to 8 bits, and the motion
stream lives on differences of millimeters. Coordinates come first, (3, T, V), as the convolutions want them: a mask
then applies to whole planes, which a runtime does several times faster than three numbers at a time. Every step
costs a runtime some microseconds however little it computes, so axes of size 1 are kept rather than removed and put
back, and 0 and 1 are multiplied rather than asked about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from skeleton.layout import body_axes

FARTHEST_M = 1e3
"""|x| + |y| + |z| above this is no measurement of a joint; NaN and infinity fall under it too."""
SHORTEST_SHOULDER_LINE_M = 0.02
"""A mean shoulder line shorter than this, seen from above, has no direction: the body is not turned."""
SHORTEST_TORSO_M = 0.05
TYPICAL_TORSO_M = 0.5
"""Stands in for a torso that was not seen or is shorter than ``SHORTEST_TORSO_M``."""

_DIRECTIONS = {
    "_ahead": (1.0, 0.0, 0.0),
    "_upright": (0.0, 1.0, 0.0),
    "_level": (1.0, 0.0, 1.0),
    "_crossed": (1.0, 0.0, -1.0),
}
"""Along x, y, z: constants of the turn."""


class Normalized(NamedTuple):
    """Joints in body axes.

    Attributes:
        joints: (B, M, 3, T, V), finite; torso lengths when scaled, otherwise meters; zeros for an absent person.
        present: (B, M), 1 where at least one joint was seen, otherwise 0.
    """

    joints: Tensor
    present: Tensor


class Normalize(nn.Module):
    """Makes windows independent of where a person stands, which way they face and how tall they are.

    Person 1 gives the transform (person 2 where person 1 is absent) and both persons get it: where they stand to
    each other is information. Heights are centered, not leveled.

    Args:
        joints: V joint names; must hold the joints of ``skeleton.layout.body_axes``.
        fill: Give an unseen joint its nearest seen position in time; otherwise 0 after the transform.
        center: Subtract person 1's center joint of the first frame.
        turn: Turn about the vertical until person 1's mean shoulder line runs along x, facing the sensor.
        scale: Divide by person 1's mean torso length.
        facing_error_deg: In training, the largest random error of the turn, either way; never in use. A turn of the
            joints that go in is no substitute: this module takes it back out.
    """

    def __init__(
        self,
        joints: Sequence[str],
        *,
        fill: bool = True,
        center: bool = True,
        turn: bool = True,
        scale: bool = True,
        facing_error_deg: float = 0.0,
    ) -> None:
        super().__init__()
        self.axes = body_axes(joints)
        self.fill, self.center, self.turn, self.scale = fill, center, turn, scale
        self.facing_error_deg = facing_error_deg
        for name, axes in _DIRECTIONS.items():
            self.register_buffer(name, torch.tensor(axes).reshape(3, 1, 1), persistent=False)

    def forward(self, joints: Tensor, seen: Tensor) -> Normalized:
        """Normalizes joints (B, M, T, V, 3) in meters, of which seen (B, M, T, V) says which to believe."""
        joints = joints.movedim(4, 2).contiguous()  # (B, M, 3, T, V)
        size = joints.abs().sum(dim=2, keepdim=True)
        seen = (seen.unsqueeze(2) > 0.5) & (size < FARTHEST_M)  # (B, M, 1, T, V)
        # where, never a product: NaN times zero is NaN.
        joints = torch.where(seen, joints, 0.0)
        weight = seen.to(joints.dtype)
        ever = weight.amax(dim=3, keepdim=True)  # (B, M, 1, 1, V)
        present = ever.amax(dim=4, keepdim=True)  # (B, M, 1, 1, 1)

        filled = _fill(joints, weight, running=_running_trained if self.training else _running)
        never = 1 - ever
        root = self._root(joints, weight, filled, never)  # (B, M, 3, T, 1)
        filled = filled + never * root  # what was never seen is 0 until here

        result = self._transform(filled, root, ever, present)
        return Normalized(result if self.fill else result * weight, present.flatten(1))

    def _root(self, joints: Tensor, weight: Tensor, filled: Tensor, never: Tensor) -> Tensor:
        """Returns (B, M, 3, T, 1): each person's center joint, or the mean seen joint where it was never seen."""
        count = weight.sum(dim=(3, 4), keepdim=True).clamp(min=1.0)
        mean = joints.sum(dim=(3, 4), keepdim=True) / count  # (B, M, 3, 1, 1)
        center = self.axes.center
        return _joint(filled, center) + _joint(never, center) * mean

    def _transform(self, joints: Tensor, root: Tensor, ever: Tensor, present: Tensor) -> Tensor:
        """Moves joints (B, M, 3, T, V) into the axes of person 1, and an absent person's to 0."""
        if self.center:
            joints = joints - _of_first(root[:, :, :, :1], present)
        factor = present
        if self.scale:
            factor = factor * _of_first(self._scale(joints, ever), present)
        if not self.turn:
            return joints * factor
        cosine, sine = self._turn(joints, ever, present)  # (B, 1, 1, 1, 1)
        # x' = cx + sz, y' = y, z' = cz - sx, all at once: each axis itself, and then x and z in each other's place.
        same = cosine * self._level + self._upright
        crossed = sine * self._crossed
        return joints * (same * factor) + joints.flip(2) * (crossed * factor)

    def _turn(self, joints: Tensor, ever: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Returns cosine and sine (B, 1, 1, 1, 1) of the turn about y; 1 and 0 where shoulders give no direction."""
        left, right = self.axes.left_shoulder, self.axes.right_shoulder
        mean = joints.mean(dim=3, keepdim=True)
        # A person who faces the sensor has the right shoulder on the side of +x.
        line = _of_first((_joint(mean, right) - _joint(mean, left)) * self._level, present)  # (B, 1, 3, 1, 1)
        both = _of_first(_joint(ever, left) * _joint(ever, right), present)
        length = torch.linalg.vector_norm(line, dim=2, keepdim=True)
        clear = length * both > SHORTEST_SHOULDER_LINE_M
        direction = torch.where(clear, line / length.clamp(min=1e-6), self._ahead)
        cosine, sine = direction[:, :, :1], direction[:, :, 2:]
        if not (self.training and self.facing_error_deg):
            return cosine, sine
        error = (2 * torch.rand_like(cosine) - 1) * math.radians(self.facing_error_deg)  # seeded as dropout is
        return cosine * error.cos() - sine * error.sin(), sine * error.cos() + cosine * error.sin()

    def _scale(self, joints: Tensor, ever: Tensor) -> Tensor:
        """Returns (B, M, 1, 1, 1) factors that give each person's mean torso length 1."""
        low, high = self.axes.center, self.axes.chest
        torso = _joint(joints, high) - _joint(joints, low)  # (B, M, 3, T, 1)
        length = torch.linalg.vector_norm(torso, dim=2, keepdim=True).mean(dim=3, keepdim=True)
        known = length * _joint(ever, low) * _joint(ever, high) > SHORTEST_TORSO_M
        return torch.where(known, length, TYPICAL_TORSO_M).reciprocal()


def _joint(values: Tensor, joint: int) -> Tensor:
    """Returns one joint's part (..., 1) of values (..., V)."""
    return values[..., joint : joint + 1]


def _of_first(values: Tensor, present: Tensor) -> Tensor:
    """Returns person 1's part (B, 1, ...) of ``values`` (B, M, ...), or person 2's where person 1 is absent."""
    if values.shape[1] == 1:
        return values
    return torch.where(present[:, :1] > 0.5, values[:, :1], values[:, 1:])


def _fill(joints: Tensor, weight: Tensor, *, running: Callable[..., Tensor]) -> Tensor:
    """Gives each joint in each frame its nearest seen position in time, the earlier of two equally near.

    Frames are told by their distance to a moment well before the window, or after it: 0 then stands for none, and the
    largest so far belongs to the last seen frame.

    Args:
        joints: (B, M, 3, T, V), 0 where unseen.
        weight: (B, M, 1, T, V), 1 seen, 0 not.
        running: One of the functions below.

    Returns:
        (B, M, 3, T, V); 0 for a joint that was never seen.
    """
    frames, count = joints.shape[3:]
    time = torch.arange(frames, device=joints.device, dtype=joints.dtype)[:, None]  # (T, 1)
    begin, end = -2 * frames, 3 * frames  # each farther from any frame than two frames are from each other
    flat = weight.flatten(0, 2)  # (B M, T, V)
    before, after = running(flat * (time - begin)), running(flat * (end - time), from_end=True)
    is_before = before - after >= 2 * time - (begin + end)  # the one before is nearer, or as near
    nearest = torch.where(is_before, before + begin, end - after).clamp(0, frames - 1)  # (B M, T, V)
    # Along one axis of frames and joints, where the runtime gathers whole rows at a time.
    place = nearest * count + torch.arange(count, device=joints.device, dtype=joints.dtype)
    place = place.long().flatten(1).reshape(*joints.shape[:2], 1, -1).expand(-1, -1, 3, -1)
    return joints.flatten(3).gather(3, place).unflatten(3, (frames, count))


def _running(values: Tensor, *, from_end: bool = False) -> Tensor:
    """Returns the maximum so far along T of (N, T, V), none of them negative.

    ONNX has no such operator, but a max-pool over all frames up to each is one.
    """
    frames = values.shape[1]
    padding = (0, 0, 0, frames - 1) if from_end else (0, 0, frames - 1, 0)
    return functional.max_pool2d(functional.pad(values, padding), (frames, 1), stride=1)


def _running_trained(values: Tensor, *, from_end: bool = False) -> Tensor:
    """Returns the same; torch has the operator, which takes it a fifth of the time."""
    return values.flip(1).cummax(dim=1).values.flip(1) if from_end else values.cummax(dim=1).values
