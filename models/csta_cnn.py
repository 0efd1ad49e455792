"""CSTA-CNN: two streams (position and motion), each coupled attention -> skeleton transformer -> three convolutions.

Section 2 of Wang, "Learning Coupled Spatial-temporal Attention for Skeleton-based Action Recognition". What the paper
leaves open, and what is chosen here, is on one page: docs/decisions/0002-coupled-attention-choices.md.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.attention import CoupledAttention
from models.network import NetworkConfig, NetworkOutput
from models.normalize import Normalize


def motion(positions: Tensor) -> Tensor:
    """Returns the difference of each frame to the next, (N, 3, T, V) as the input; the last frame's is zero."""
    return functional.pad(positions, (0, 0, 0, 1), mode="replicate")[:, :, 1:] - positions


class StreamOutput(NamedTuple):
    """One stream's view: features (N, F), spatial weights (N, V) and temporal weights (N, T), both signed."""

    features: Tensor
    spatial: Tensor
    temporal: Tensor


class ConvolutionBlock(nn.Module):
    """Convolution 3x3, batch normalization (where wanted), ReLU, max-pool 2, over images (N, C, *size).

    In training the pooling comes before the ReLU: the numbers are the same, and the ReLU has a quarter of them to go
    through. In use it comes after it, where a runtime makes it part of the convolution.
    On a side of odd length the pooling leaves out the last line, so that line is not computed: at 30 frames and 30
    interpolated joints this saves a fifth of the work and changes no output.
    """

    def __init__(self, inputs: int, outputs: int, *, size: tuple[int, int], batch_norm: bool) -> None:
        super().__init__()
        # Left, right, top, bottom. One line less of padding is one line less of output.
        self.padding = (1, 1 - size[1] % 2, 1, 1 - size[0] % 2)
        # Batch normalization has a bias of its own.
        self.convolution = nn.Conv2d(inputs, outputs, 3, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        image = self.norm(self.convolution(functional.pad(image, self.padding)))
        if self.training:
            return torch.relu(functional.max_pool2d(image, 2))
        return functional.max_pool2d(torch.relu(image), 2)


class Stream(nn.Module):
    """Coupled attention, skeleton transformer and convolutions over joints (N, 3, T, V)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        joints = len(config.joints)
        self.attention = CoupledAttention(
            config.frames,
            joints,
            mode=config.attention,
            activation=config.activation,
            start=config.attention_start,
        )
        self.transformer = nn.Linear(joints, config.interpolated_joints, bias=False)
        nn.init.orthogonal_(self.transformer.weight)
        layers: list[nn.Module] = []
        size = (config.frames, config.interpolated_joints)
        for inputs, outputs in zip((3, *config.channels), config.channels):
            layers.append(ConvolutionBlock(inputs, outputs, size=size, batch_norm=config.batch_norm))
            size = (size[0] // 2, size[1] // 2)
        self.convolutions = nn.Sequential(*layers)

    def forward(self, joints: Tensor) -> StreamOutput:
        attended = self.attention(joints)
        image = self.transformer(attended.joints)  # (N, 3, T, V) -> (N, 3, T, J)
        features = self.convolutions(image).flatten(1)  # (N, 256, T/8, J/8) -> (N, F)
        return StreamOutput(features, attended.spatial, attended.temporal)


class CstaCnn(nn.Module):
    """Recognizes the action in windows of one or two persons.

    Both persons go through the same weights. Their features are joined by the larger of the two before the fully
    connected layers; an absent person never wins.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.normalize = Normalize(
            config.joints,
            fill=config.fill,
            center=config.center,
            turn=config.turn,
            scale=config.scale,
            facing_error_deg=config.facing_error_deg,
        )
        self.position, self.motion = Stream(config), Stream(config)
        sizes = (self._feature_count(), *config.hidden)
        hidden: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            hidden += [nn.Dropout(config.dropout), nn.Linear(inputs, outputs), nn.ReLU()]
        self.hidden = nn.Sequential(*hidden[1:])  # no dropout on the convolutions' features
        self.classifier = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(sizes[-1], config.classes))

    def forward(self, joints: Tensor, seen: Tensor) -> NetworkOutput:
        """Recognizes a batch.

        Args:
            joints: (B, M, T, V, 3) meters; any value, NaN included, where unseen.
            seen: (B, M, T, V), 1 seen, 0 not; bool or float.
        """
        shape = (self.config.persons, self.config.frames, len(self.config.joints))  # M, T, V
        if joints.shape[1:] != (*shape, 3) or seen.shape[1:] != shape:
            found = f"{tuple(joints.shape)} and {tuple(seen.shape)}"
            raise ValueError(f"joints must be (B, *{(*shape, 3)}) and seen (B, *{shape}), found {found}")
        joints, present = self.normalize(joints, seen.to(joints.dtype))
        positions = joints.flatten(0, 1)  # (B, M, 3, T, V) -> (B M, 3, T, V)
        rows = self._trained_rows(present)
        if rows is not None:
            positions = positions[rows]
        streams = self.position(positions), self.motion(motion(positions))
        if rows is not None:
            streams = tuple(_spread(stream, rows) for stream in streams)

        # Features come out of a ReLU: with 0 in its place an absent person never wins the maximum.
        features = torch.cat([stream.features for stream in streams], dim=1) * present.reshape(-1, 1)  # (B M, 2F)
        if shape[0] > 1:
            features = features.unflatten(0, (-1, shape[0])).amax(dim=1)  # (B, 2F)
        embedding = self.hidden(features)
        return NetworkOutput(
            logits=self.classifier(embedding),
            joint_attention=_shown([stream.spatial for stream in streams], present),
            frame_attention=_shown([stream.temporal for stream in streams], present),
            embedding=embedding,
        )

    def _trained_rows(self, present: Tensor) -> Tensor | None:
        """Returns the rows (B M,) worth training on, or None for all of them.

        Most windows of a two-person data set hold one person. Their empty halves would drag the statistics of batch
        normalization towards zero, and double the time of a step.
        """
        rows = present.flatten() > 0.5
        return rows if self.training and self.config.persons > 1 and bool(rows.any()) else None

    def _feature_count(self) -> int:
        """Size of both streams' features, measured: 30 frames leave 3 after three poolings, not 30 / 8."""
        image = torch.zeros(1, 3, self.config.frames, self.config.interpolated_joints)
        convolutions = self.position.convolutions
        with torch.no_grad():
            count = convolutions.eval()(image).numel()
        convolutions.train()
        return 2 * count


def _spread(stream: StreamOutput, rows: Tensor) -> StreamOutput:
    """Puts the rows of a stream back in their places among (B M,) rows, zeros between them."""
    places = rows.nonzero().squeeze(1)
    return StreamOutput(*(part.new_zeros(len(rows), part.shape[1]).index_copy(0, places, part) for part in stream))


def _shown(weights: list[Tensor], present: Tensor) -> Tensor:
    """Returns (B, M, X) absolute attention, mean over the streams' (B M, X), 0 for an absent person."""
    mean = sum(weight.abs() for weight in weights) / len(weights)
    return mean.unflatten(0, (-1, present.shape[1])) * present.unsqueeze(2)
