"""What every network is built from and what it returns: one config, one output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from skeleton.config import setting
from skeleton.layout import KINECT_V2

ATTENTION_MODES = ("st", "s", "t", "none")
ACTIVATIONS = ("tanh", "sigmoid", "identity", "softmax")
ATTENTION_STARTS = ("near-one", "zero", "linear")
MOST_PERSONS = 2
MOST_FRAMES, MOST_JOINTS, MOST_LAYERS, MOST_UNITS = 1000, 1000, 8, 4096
"""Far above what fits into a model file, far below what fits into no memory."""


class NetworkOutput(NamedTuple):
    """What a network says of a batch.

    Attributes:
        logits: (B, K), before softmax and temperature.
        joint_attention: (B, M, V), absolute, mean over the streams; 0 for an absent person.
        frame_attention: (B, M, T), absolute, mean over the streams; 0 for an absent person.
        embedding: (B, E), the last hidden layer.
    """

    logits: Tensor
    joint_attention: Tensor
    frame_attention: Tensor
    embedding: Tensor


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The shape of a network and the switches of its normalization.

    Raises:
        ValueError: Numbers that cannot make a network.
    """

    frames: int = setting(30, "frames in a window (T)")
    joints: tuple[str, ...] = setting(KINECT_V2.joints, "joint names in the order of the V axis")
    persons: int = setting(1, "persons in a window (M), 1 or 2")
    classes: int = setting(60, "classes (K)")
    attention: str = setting("st", "which attention is learned: spatial, temporal, both", choices=ATTENTION_MODES)
    activation: str = setting("tanh", "activation of the attention weights", choices=ACTIVATIONS)
    attention_start: str = setting("near-one", "where the attention weights begin", choices=ATTENTION_STARTS)
    interpolated_joints: int = setting(30, "joints after the skeleton transformer")
    channels: tuple[int, ...] = setting((64, 128, 256), "channels of the convolutions, each followed by a max-pool 2")
    hidden: tuple[int, ...] = setting((256, 128), "sizes of the hidden fully connected layers")
    dropout: float = setting(0.5, "share of hidden units dropped in training, 0 to 1")
    batch_norm: bool = setting(True, "batch normalization after each convolution")
    fill: bool = setting(True, "give an unseen joint its nearest seen position in time; otherwise 0")
    center: bool = setting(True, "put person 1's first spine base at the origin")
    turn: bool = setting(True, "turn about the vertical so that person 1 faces the sensor")
    scale: bool = setting(True, "divide by person 1's torso length")
    facing_error_deg: float = setting(0.0, "largest random error of that turn in training, degrees; never in use")

    def __post_init__(self) -> None:
        # A settings file gives lists; equality and hashing want tuples.
        for name in ("joints", "channels", "hidden"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, most in (("frames", MOST_FRAMES), ("interpolated_joints", MOST_JOINTS)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from 1 to {most}, found {getattr(self, name)}")
        if max(len(self.channels), len(self.hidden)) > MOST_LAYERS:
            raise ValueError(f"channels and hidden must each name at most {MOST_LAYERS} layers")
        if max((*self.channels, *self.hidden), default=0) > MOST_UNITS:
            raise ValueError(f"every layer must have at most {MOST_UNITS} units")
        smallest = 2 ** len(self.channels)
        if not self.channels or not self.hidden:
            raise ValueError("channels and hidden must each name at least one layer")
        if min(self.frames, self.interpolated_joints) < smallest:
            raise ValueError(
                f"{len(self.channels)} max-pools need at least {smallest} frames and interpolated joints, "
                f"found {self.frames} and {self.interpolated_joints}"
            )
        if min(*self.channels, *self.hidden) < 1 or self.classes < 2:
            raise ValueError("every layer needs at least one unit, and there must be at least two classes")
        if not 1 <= self.persons <= MOST_PERSONS:
            raise ValueError(f"persons must be 1 or 2, found {self.persons}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout must be at least 0 and below 1, found {self.dropout}")
        if not 0.0 <= self.facing_error_deg <= 90.0:
            raise ValueError(f"facing_error_deg must be from 0 to 90, found {self.facing_error_deg}")
        if self.facing_error_deg and not self.turn:
            raise ValueError("facing_error_deg is an error of the turn and needs turn=true")
        if self.attention not in ATTENTION_MODES or self.activation not in ACTIVATIONS:
            raise ValueError(f"there is no attention '{self.attention}' with activation '{self.activation}'")
        if self.attention_start not in ATTENTION_STARTS:
            raise ValueError(f"there is no start '{self.attention_start}' of the attention")
