"""From raw joints to joints a network can compare: filled, centered, turned to face the sensor, scaled.

All of it is part of the exported graph, so whoever runs a model file feeds it meters and a mask and nothing else.
Only elementwise arithmetic is used: under autocast a matrix product would round positions to 8 bits, and the motion
stream lives on differences of millimeters. Coordinates come first, (3, T, V), as the convolutions want them: a mask
then applies to whole planes, which a runtime does several times faster than three numbers at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

    def forward(self, joints: Tensor, seen: Tensor) -> Normalized:
        """Normalizes joints (B, M, T, V, 3) in meters, of which seen (B, M, T, V) says which to believe."""
        joints = joints.movedim(4, 2).contiguous()  # (B, M, 3, T, V)
        seen = (seen > 0.5) & (joints.abs().sum(dim=2) < FARTHEST_M)
        # where, never a product: NaN times zero is NaN.
        joints = torch.where(seen.unsqueeze(2), joints, 0.0)
        weight = seen.to(joints.dtype)
        ever = weight.amax(dim=2)  # (B, M, V)
        present = ever.amax(dim=2)  # (B, M)

        filled = _fill(joints, weight)
        root = self._root(joints, weight, filled, ever)  # (B, M, 3, T)
        filled = torch.where(ever[:, :, None, None] > 0.5, filled, root.unsqueeze(4))

        result = self._transform(filled, self._reference(filled, present), self._reference(ever, present))
        shown = present[:, :, None, None, None] > 0.5
        if not self.fill:
            shown = shown & seen.unsqueeze(2)
        return Normalized(torch.where(shown, result, 0.0), present)

    def _root(self, joints: Tensor, weight: Tensor, filled: Tensor, ever: Tensor) -> Tensor:
        """Returns (B, M, 3, T): each person's center joint, or the mean seen joint where it was never seen."""
        count = weight.sum(dim=(2, 3)).clamp(min=1.0)  # (B, M)
        mean = joints.sum(dim=(3, 4)) / count.unsqueeze(2)  # (B, M, 3)
        known = ever[:, :, self.axes.center, None, None] > 0.5
        return torch.where(known, filled[..., self.axes.center], mean.unsqueeze(3))

    @staticmethod
    def _reference(values: Tensor, present: Tensor) -> Tensor:
        """Returns person 1's part of ``values`` (B, M, ...), or person 2's where person 1 is absent."""
        if values.shape[1] == 1:
            return values[:, 0]
        first = present[:, 0].reshape(-1, *[1] * (values.dim() - 2)) > 0.5
        return torch.where(first, values[:, 0], values[:, 1])

    def _transform(self, joints: Tensor, reference: Tensor, ever: Tensor) -> Tensor:
        """Moves joints (B, M, 3, T, V) into the axes of a reference person (B, 3, T, V), seen ever (B, V)."""
        if self.center:
            joints = joints - reference[:, None, :, :1, self.axes.center, None]
        if self.turn:
            cosine, sine = (part[:, None, None, None] for part in self._turn(reference, ever))
            x, y, z = joints.unbind(dim=2)  # each (B, M, T, V)
            joints = torch.stack((cosine * x + sine * z, y, cosine * z - sine * x), dim=2)
        if self.scale:
            joints = joints * self._scale(reference, ever)[:, None, None, None, None]
        return joints

    def _turn(self, reference: Tensor, ever: Tensor) -> tuple[Tensor, Tensor]:
        """Returns cosine and sine (B,) of the turn about y; 1 and 0 where the shoulders give no direction."""
        left, right = self.axes.left_shoulder, self.axes.right_shoulder
        # A person who faces the sensor has the right shoulder on the side of +x.
        line = (reference[..., right] - reference[..., left]).mean(dim=2)  # (B, 3)
        length = (line[:, 0].square() + line[:, 2].square()).clamp(min=1e-12).sqrt()
        clear = (length > SHORTEST_SHOULDER_LINE_M) & (ever[:, left] * ever[:, right] > 0.5)
        cosine, sine = torch.where(clear, line[:, 0] / length, 1.0), torch.where(clear, line[:, 2] / length, 0.0)
        if not (self.training and self.facing_error_deg):
            return cosine, sine
        error = (2 * torch.rand_like(cosine) - 1) * math.radians(self.facing_error_deg)  # seeded as dropout is
        return cosine * error.cos() - sine * error.sin(), sine * error.cos() + cosine * error.sin()

    def _scale(self, reference: Tensor, ever: Tensor) -> Tensor:
        """Returns (B,) factors that give the mean torso length 1."""
        low, high = self.axes.center, self.axes.chest
        torso = reference[..., high] - reference[..., low]  # (B, 3, T)
        length = torso.square().sum(dim=1).clamp(min=1e-12).sqrt().mean(dim=1)
        known = (length > SHORTEST_TORSO_M) & (ever[:, low] * ever[:, high] > 0.5)
        return torch.where(known, length, TYPICAL_TORSO_M).reciprocal()


def _fill(joints: Tensor, weight: Tensor) -> Tensor:
    """Gives each joint in each frame its nearest seen position in time, the earlier of two equally near.

    Args:
        joints: (B, M, 3, T, V), finite.
        weight: (B, M, T, V), 1 seen, 0 not.

    Returns:
        (B, M, 3, T, V); a joint that was never seen keeps some value of its own.
    """
    frames = joints.shape[3]
    never = 4.0 * frames  # farther than any frame of the window
    time = torch.arange(frames, device=joints.device, dtype=joints.dtype)[:, None]  # (T, 1)
    before = _running_maximum(torch.where(weight > 0.5, time, -never), lowest=-never)
    after = _running_maximum(torch.where(weight > 0.5, -time, -never).flip(2), lowest=-never).flip(2).neg()
    nearest = torch.where(time - before <= after - time, before, after).clamp(0, frames - 1)
    return joints.gather(3, nearest.long().unsqueeze(2).expand(-1, -1, 3, -1, -1))


def _running_maximum(values: Tensor, *, lowest: float) -> Tensor:
    """Returns the maximum so far along T of (B, M, T, V): log2(T) shifts, since ONNX has no such operator."""
    shift = 1
    while shift < values.shape[2]:
        shifted = functional.pad(values[:, :, :-shift], (0, 0, shift, 0), value=lowest)
        values = torch.maximum(values, shifted)
        shift *= 2
    return values
