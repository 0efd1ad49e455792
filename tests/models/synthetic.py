"""Windows, made up and real, and tiny networks for the tests of this room; every axis has a size of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.card import ModelCard
from models.csta_cnn import CstaCnn
from models.network import NetworkConfig
from skeleton.formats.table import open_recording
from skeleton.layout import KINECT_V2, KINECT_V2_19, body_axes
from skeleton.recording import body_track
from skeleton.window import cut

STANDING_M = {
    "SpineBase": (0.0, 0.0, 0.0), "SpineMid": (0.0, 0.3, 0.0), "SpineShoulder": (0.0, 0.5, 0.0),
    "ShoulderLeft": (-0.18, 0.48, 0.0), "ShoulderRight": (0.18, 0.48, 0.0), "Head": (0.0, 0.7, -0.02),
    "HandLeft": (-0.3, 0.0, -0.1), "HandRight": (0.3, 0.0, -0.1),
    "FootLeft": (-0.1, -0.85, -0.1), "FootRight": (0.1, -0.85, -0.1),
}  # fmt: skip
"""A body that faces the sensor: its right is at +x, its front at -z."""


def config(**changes: object) -> NetworkConfig:
    """Returns the config of a network that trains in milliseconds: M 2, T 30, V 19, K 5."""
    values = {
        "joints": KINECT_V2_19.joints, "persons": 2, "classes": 5, "interpolated_joints": 12,
        "channels": (4, 6, 8), "hidden": (16, 7),
    }  # fmt: skip
    return NetworkConfig(**{**values, **changes})


def network(**changes: object) -> CstaCnn:
    """Returns a tiny network in evaluation mode, the same one every time.

    A new network hardly tells windows apart. This one has louder weights, and convolutions that answer to zeros.
    """
    torch.manual_seed(0)
    model = CstaCnn(config(**changes)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "transformer" not in name:
                parameter.mul_(2.0)
            elif "convolutions" in name and name.endswith("bias"):
                parameter.uniform_(-0.1, 0.5)
    return model


def windows(batch: int, shape: NetworkConfig, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns moving bodies two to three meters away: joints (B, M, T, V, 3) meters and seen (B, M, T, V), all 1."""
    random = np.random.default_rng(seed)
    persons, frames, joints = shape.persons, shape.frames, len(shape.joints)
    body = np.array([STANDING_M.get(name, (0.05, 0.1, -0.05)) for name in shape.joints])
    time = np.linspace(0, 1, frames)[:, None, None]
    reach = random.normal(0, 0.15, (batch, persons, 1, joints, 3))
    speed = random.uniform(1, 4, (batch, persons, 1, joints, 1))
    place = random.normal((0, 0.1, 2.5), (0.4, 0.05, 0.3), (batch, persons, 1, 1, 3))
    result = body + place + reach * np.sin(2 * np.pi * speed * time)
    axes = body_axes(shape.joints)
    for joint in (axes.center, axes.chest, axes.left_shoulder, axes.right_shoulder):
        result[..., joint, :] = body[joint] + place[..., 0, :]  # a trunk that stays
    return torch.from_numpy(result.astype(np.float32)), torch.ones(result.shape[:-1])


def turned(joints: Tensor, angle_rad: float) -> Tensor:
    """Returns joints (..., 3) turned about the vertical axis through the sensor."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    matrix = torch.tensor([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], dtype=joints.dtype)
    return joints @ matrix.T


def card(shape: NetworkConfig, **changes: object) -> ModelCard:
    """Returns a card that fits a network."""
    values = {
        "name": "tiny", "network": "csta_cnn", "labels": tuple(f"action {i}" for i in range(shape.classes)),
        "layout": KINECT_V2.name, "joints": shape.joints, "frames": shape.frames, "span_s": 2.0,
        "persons": shape.persons,
    }  # fmt: skip
    return ModelCard(**{**values, **changes})


def real_windows(folder: Path, shape: NetworkConfig, *, step_s: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Returns two-second windows of the people in a folder of recordings, person 2 absent: joints and seen."""
    joints, seen = [], []
    for file in sorted(folder.glob("*.csv")):
        recording = open_recording(file)
        body = recording.frames[0].bodies[0]
        wanted = recording.info.layout.select(shape.joints)
        times_s, positions, known = body_track(recording, body.tracking_id)
        for start_s in np.arange(times_s[0], times_s[-1] - 2, step_s):
            cut_joints, cut_seen = cut(
                times_s,
                positions[:, wanted],
                known[:, wanted],
                start_s=start_s,
                end_s=start_s + 2,
                frame_count=shape.frames,
            )
            joints.append([cut_joints] + [np.full_like(cut_joints, np.nan)] * (shape.persons - 1))
            seen.append([cut_seen] + [np.zeros_like(cut_seen)] * (shape.persons - 1))
    return np.array(joints), np.array(seen)
