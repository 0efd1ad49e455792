"""Coupled spatial-temporal attention (CSTA), section 2.2 of Wang, "Learning Coupled Spatial-temporal Attention for
Skeleton-based Action Recognition"."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "identity": lambda logits: logits,
    # Times the count, so that equal weights are 1 and the input keeps its size.
    "softmax": lambda logits: torch.softmax(logits, dim=-1) * logits.shape[-1],
}
# Where the biases start. The map is a product of two factors: both must begin near 1, or the input shrinks to
# nothing. For tanh and sigmoid a bias that comes nearer to 1 also sits where the curve is flat and learns slowly:
# tanh(1.5) = 0.91 with slope 0.18, tanh(2) = 0.96 with 0.07, tanh(3) = 0.995 with 0.01.
_FIRST_BIAS = {"tanh": 1.5, "sigmoid": 2.0, "identity": 1.0, "softmax": 0.0}
_WEIGHT_DEVIATION = 0.01
"""Standard deviation of the first weights: over 90 inputs of size 1 the logits then differ by about 0.1."""


class Attended(NamedTuple):
    """Joints under attention.

    Attributes:
        joints: (N, 3, T, V), the input times the coupled map, equation (3).
        spatial: (N, V), one signed weight per joint.
        temporal: (N, T), one signed weight per frame.
    """

    joints: Tensor
    spatial: Tensor
    temporal: Tensor


class CoupledAttention(nn.Module):
    """Weighs every joint in every frame by the product of a joint weight and a frame weight.

    Equation (1): s_i = act(W^s y_i + b_i^s), with one row W^s shared by all joints, y_i the 3T numbers of joint i and
    one bias per joint; the frames likewise over their 3V numbers. Together 3T + V + 3V + T parameters.

    Args:
        frames: T.
        joints: V.
        mode: "st" both factors, "s" only the joints', "t" only the frames', "none" neither; a missing factor is 1.
        activation: Key of the activations: tanh, sigmoid, identity or softmax.
        start: Where training begins: "near-one" lets the input through, "zero" has small weights and no bias,
            "linear" draws both as PyTorch does for a linear layer.
    """

    def __init__(
        self, frames: int, joints: int, *, mode: str = "st", activation: str = "tanh", start: str = "near-one"
    ) -> None:
        super().__init__()
        self.activate = _ACTIVATIONS[activation]
        bias = _FIRST_BIAS[activation] if start == "near-one" else 0.0
        draw = _drawn_linear if start == "linear" else _drawn
        self.spatial_weight, self.spatial_bias = draw(3 * frames, joints, bias) if "s" in mode else (None, None)
        self.temporal_weight, self.temporal_bias = draw(3 * joints, frames, bias) if "t" in mode else (None, None)

    def forward(self, joints: Tensor) -> Attended:
        """Applies the attention to joints (N, 3, T, V)."""
        spatial = self._weigh(joints, self.spatial_weight, self.spatial_bias, size=(joints.shape[2], 1))  # (N, V)
        temporal = self._weigh(joints, self.temporal_weight, self.temporal_bias, size=(1, joints.shape[3]))  # (N, T)
        coupled = temporal.unsqueeze(2) * spatial.unsqueeze(1)  # (N, T, V), equation (2)
        return Attended(joints * coupled.unsqueeze(1), spatial, temporal)

    def _weigh(
        self, joints: Tensor, weight: nn.Parameter | None, bias: nn.Parameter | None, *, size: tuple[int, int]
    ) -> Tensor:
        """Returns one weight (N, I) for each item, a frame or a joint, of which all others lie within ``size``.

        One row of weights for all items is a convolution whose kernel is as large as an item: unlike a product with
        a matrix it needs no item's numbers to lie side by side. Not in training: the gradient of a convolution with
        such a kernel comes out of memory that nobody wrote (PyTorch 2.13 on a CPU, channels last).
        """
        is_joint = size[1] == 1
        if weight is None or bias is None:
            return torch.ones_like(joints[:, 0, 0, :] if is_joint else joints[:, 0, :, 0])
        if self.training:
            items = joints.permute(0, 3, 1, 2) if is_joint else joints.permute(0, 2, 1, 3)  # (N, I, 3, J)
            return self.activate(items.flatten(2) @ weight + bias)  # (N, I, 3J) @ (3J,)
        return self.activate(functional.conv2d(joints, weight.reshape(1, 3, *size)).flatten(1) + bias)


def _drawn(inputs: int, items: int, bias: float) -> tuple[nn.Parameter, nn.Parameter]:
    return nn.Parameter(torch.randn(inputs) * _WEIGHT_DEVIATION), nn.Parameter(torch.full((items,), bias))


def _drawn_linear(inputs: int, items: int, _: float) -> tuple[nn.Parameter, nn.Parameter]:
    widest = inputs**-0.5
    return tuple(nn.Parameter(torch.empty(size).uniform_(-widest, widest)) for size in (inputs, items))
