"""Coupled attention against the paper's equations, written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.attention import CoupledAttention
from models.network import ACTIVATIONS

FRAMES, JOINTS, BATCH = 30, 19, 4

NUMPY = {
    "tanh": np.tanh,
    "sigmoid": lambda logits: 1 / (1 + np.exp(-logits)),
    "identity": lambda logits: logits,
    "softmax": lambda logits: len(logits) * np.exp(logits) / np.exp(logits).sum(),
}


def attention(**options: str) -> CoupledAttention:
    torch.manual_seed(0)
    module = CoupledAttention(FRAMES, JOINTS, **options)
    for parameter in module.parameters():  # away from the first values, so that every term counts
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def sequence() -> torch.Tensor:
    return torch.randn(BATCH, 3, FRAMES, JOINTS, generator=torch.Generator().manual_seed(2))


def by_the_paper(
    module: CoupledAttention, joints: np.ndarray, activation: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equations (1) to (3) for one sequence X (T, N, 3), one joint and one frame at a time."""
    x = joints.transpose(1, 2, 0)
    weights = {name: value.detach().numpy() for name, value in module.named_parameters()}
    # y_i: the 3T numbers of a joint, coordinate by coordinate; any fixed order gives the same set of functions.
    spatial = NUMPY[activation](
        np.array(
            [weights["spatial_weight"] @ x[:, i].T.reshape(-1) + weights["spatial_bias"][i] for i in range(JOINTS)]
        )
    )
    temporal = NUMPY[activation](
        np.array(
            [weights["temporal_weight"] @ x[j].T.reshape(-1) + weights["temporal_bias"][j] for j in range(FRAMES)]
        )
    )
    return np.outer(temporal, spatial)[:, :, None] * x, spatial, temporal


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_agrees_with_the_equations_of_the_paper(activation: str) -> None:
    module, joints = attention(activation=activation), sequence()
    attended = module(joints)
    for item in range(BATCH):
        output, spatial, temporal = by_the_paper(module, joints[item].numpy(), activation)
        found = [part[item].detach().numpy() for part in attended]
        np.testing.assert_allclose(found[0].transpose(1, 2, 0), output, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[1], spatial, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[2], temporal, rtol=1e-4, atol=1e-5)


def test_has_220_parameters_at_the_papers_size() -> None:
    count = sum(parameter.numel() for parameter in CoupledAttention(frames=30, joints=25).parameters())
    assert count == 3 * 30 + 25 + 3 * 25 + 30 == 220


@pytest.mark.parametrize(
    ("mode", "parameters", "weighs_joints", "weighs_frames"),
    [
        ("st", 3 * FRAMES + JOINTS + 3 * JOINTS + FRAMES, True, True),
        ("s", 3 * FRAMES + JOINTS, True, False),
        ("t", 3 * JOINTS + FRAMES, False, True),
        ("none", 0, False, False),
    ],
)
def test_a_mode_learns_only_its_factors_and_the_other_is_1(
    mode: str, parameters: int, weighs_joints: bool, weighs_frames: bool
) -> None:
    module, joints = attention(mode=mode), sequence()
    output, spatial, temporal = module(joints)
    assert sum(parameter.numel() for parameter in module.parameters()) == parameters
    assert torch.equal(spatial, torch.ones(BATCH, JOINTS)) is not weighs_joints
    assert torch.equal(temporal, torch.ones(BATCH, FRAMES)) is not weighs_frames
    expected = joints * spatial[:, None, None, :] * temporal[:, None, :, None]
    np.testing.assert_allclose(output.detach(), expected.detach(), atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_new_attention_lets_the_input_through_almost_unchanged(activation: str) -> None:
    torch.manual_seed(0)
    _, spatial, temporal = CoupledAttention(FRAMES, JOINTS, activation=activation)(sequence())
    for weights in (spatial, temporal):
        assert weights.min() > 0.6 and weights.max() < 1.4
        assert 0.85 < weights.mean() < 1.1


def test_softmax_weights_are_1_on_average() -> None:
    _, spatial, temporal = attention(activation="softmax")(sequence())
    np.testing.assert_allclose(spatial.mean(dim=1).detach(), 1, rtol=1e-5)
    np.testing.assert_allclose(temporal.mean(dim=1).detach(), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("start", "spatial_mean", "widest"),
    [
        pytest.param("near-one", np.tanh(1.5), 0.1, id="lets the input through"),
        pytest.param("zero", 0.0, 0.3, id="shrinks it to almost nothing"),
        pytest.param("linear", 0.0, 1.0, id="as a linear layer is drawn"),
    ],
)
def test_attention_starts_where_it_is_told(start: str, spatial_mean: float, widest: float) -> None:
    torch.manual_seed(0)
    module = CoupledAttention(FRAMES, JOINTS, start=start)
    spatial = module(sequence()).spatial.detach()
    assert abs(float(spatial.mean()) - spatial_mean) < 0.15
    assert 0.01 < float(spatial.std()) < widest
    is_drawn = bool(module.spatial_bias.std() > 0)
    assert is_drawn == (start == "linear")
