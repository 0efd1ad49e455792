"""CSTA-CNN: the paper's shape, and what must and must not change its answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.csta_cnn import ConvolutionBlock, CstaCnn, motion
from models.network import ATTENTION_MODES, NetworkConfig, NetworkOutput
from models.table import NETWORKS, build
from skeleton import config as settings
from skeleton.errors import ConfigError
from tests.models.synthetic import config, network, turned, windows


def assert_equal_outputs(first, second, *, atol: float) -> None:
    for name in first._fields:
        np.testing.assert_allclose(
            getattr(first, name).detach(), getattr(second, name).detach(), atol=atol, err_msg=name
        )


def test_the_papers_network_has_its_two_streams_of_220_attention_parameters_and_1_3_to_2_0_million_in_all() -> None:
    model = CstaCnn(NetworkConfig())
    count = sum(parameter.numel() for parameter in model.parameters())
    for stream in (model.position, model.motion):
        assert sum(parameter.numel() for parameter in stream.attention.parameters()) == 220
        assert stream.transformer.weight.shape == (30, 25) and stream.transformer.bias is None
        weight = stream.transformer.weight.detach()
        np.testing.assert_allclose(weight.T @ weight, np.eye(25), atol=1e-5)
    first = next(layer for layer in model.hidden if hasattr(layer, "in_features"))
    assert first.in_features == 2 * 256 * 3 * 3, "30 frames leave 3 after three poolings"
    assert 1.3e6 < count < 2.0e6


@pytest.mark.parametrize("mode", ATTENTION_MODES)
def test_outputs_have_the_axes_of_the_contract(mode: str) -> None:
    shape = config(attention=mode)
    output = network(attention=mode)(*windows(3, shape))
    assert output.logits.shape == (3, 5)
    assert output.joint_attention.shape == (3, 2, 19)
    assert output.frame_attention.shape == (3, 2, 30)
    assert output.embedding.shape == (3, 7)


def test_joints_and_frames_cannot_change_places() -> None:
    model, (joints, seen) = network(), windows(2, config())
    with pytest.raises(ValueError, match="joints must be"):
        model(joints.transpose(2, 3), seen.transpose(2, 3))


def test_shown_attention_is_the_mean_of_both_streams_absolute_weights() -> None:
    model, (joints, seen) = network(), windows(2, config())
    with torch.no_grad():
        model.position.attention.spatial_bias.fill_(-2.0)  # signed weights: shown without their sign
    positions = model.normalize(joints, seen).joints.flatten(0, 1)
    position, moving = model.position(positions), model.motion(motion(positions))
    output = model(joints, seen)
    assert (position.spatial < 0).all()
    for shown, pair in (
        (output.joint_attention, (position.spatial, moving.spatial)),
        (output.frame_attention, (position.temporal, moving.temporal)),
    ):
        expected = (pair[0].abs() + pair[1].abs()) / 2
        np.testing.assert_allclose(shown.flatten(0, 1).detach(), expected.detach(), atol=1e-6)


def test_a_block_pools_and_cuts_off_in_either_order() -> None:
    block = ConvolutionBlock(3, 5, size=(9, 6), batch_norm=False)
    image = torch.randn(2, 3, 9, 6)
    trained, used = block.train()(image), block.eval()(image)
    assert trained.shape == (2, 5, 4, 3)
    assert torch.equal(trained, used)


def test_motion_is_the_next_frame_minus_this_one_and_the_last_is_zero() -> None:
    positions = torch.randn(2, 3, 30, 19)
    result = motion(positions)
    assert result.shape == positions.shape
    assert torch.equal(result[:, :, 4], positions[:, :, 5] - positions[:, :, 4])
    assert torch.equal(result[:, :, -1], torch.zeros(2, 3, 19))


@pytest.mark.parametrize("size", [(30, 14), (15, 15), (7, 8), (9, 13)])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_a_block_equals_a_padded_convolution_followed_by_pooling(size: tuple[int, int], batch_norm: bool) -> None:
    torch.manual_seed(0)
    block = ConvolutionBlock(3, 5, size=size, batch_norm=batch_norm).eval()
    image = torch.randn(2, 3, *size)
    plain = functional.conv2d(image, block.convolution.weight, block.convolution.bias, padding=1)
    expected = functional.max_pool2d(torch.relu(block.norm(plain)), 2)
    np.testing.assert_allclose(block(image).detach(), expected.detach(), atol=1e-6)


def test_what_a_hole_holds_changes_no_bit_of_the_answer() -> None:
    model, (joints, seen) = network(), windows(4, config())
    seen = (torch.rand(seen.shape, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    seen[1, 1] = 0
    holed = torch.where(seen[..., None] > 0, joints, torch.nan)
    for first, second in zip(model(joints, seen), model(holed, seen)):
        assert torch.equal(first, second)


def test_a_mask_of_booleans_is_a_mask_of_ones_and_zeros() -> None:
    model, (joints, seen) = network(), windows(2, config())
    seen[:, :, 5:9, 3] = 0
    assert_equal_outputs(model(joints, seen), model(joints, seen > 0), atol=0)


@pytest.mark.parametrize("training", [False, True])
def test_an_absent_second_person_is_as_if_there_were_no_place_for_one(training: bool) -> None:
    pair, single = network(dropout=0.0), network(dropout=0.0, persons=1)
    single.load_state_dict(pair.state_dict())
    pair.train(training), single.train(training)
    joints, seen = windows(3, config())
    seen[:, 1] = 0
    with_place, without = pair(joints, seen), single(joints[:, :1], seen[:, :1])
    np.testing.assert_allclose(with_place.logits.detach(), without.logits.detach(), atol=1e-5)
    assert with_place.joint_attention[:, 1].abs().max() == 0
    assert with_place.frame_attention[:, 1].abs().max() == 0


def test_an_absent_person_would_have_won_the_maximum_without_the_mask() -> None:
    """A zero input is not a zero feature: this is what the mask is for."""
    model = network(batch_norm=False)
    features = model.position(torch.zeros(1, 3, 30, 19)).features
    assert features.max() > 0


def test_who_stands_first_does_not_matter_when_only_one_is_there() -> None:
    model, (joints, seen) = network(), windows(3, config())
    seen[:, 1] = 0
    first, second = model(joints, seen), model(joints.flip(1), seen.flip(1))
    np.testing.assert_allclose(first.logits.detach(), second.logits.detach(), atol=1e-6)
    np.testing.assert_allclose(first.joint_attention.detach(), second.joint_attention.flip(1).detach(), atol=1e-6)


def test_the_order_of_two_persons_does_not_matter_without_normalization() -> None:
    model = network(center=False, turn=False, scale=False)
    joints, seen = windows(3, config())
    np.testing.assert_allclose(
        model(joints, seen).logits.detach(), model(joints.flip(1), seen.flip(1)).logits.detach(), atol=1e-6
    )


def test_the_second_person_matters() -> None:
    model, (joints, seen) = network(), windows(3, config())
    alone = seen.clone()
    alone[:, 1] = 0
    assert (model(joints, seen).logits - model(joints, alone).logits).abs().max() > 1e-4


@pytest.mark.parametrize("training", [False, True])
def test_a_batch_in_which_nobody_is_there_gives_finite_answers(training: bool) -> None:
    model, (joints, seen) = network().train(training), windows(3, config())
    output = model(torch.full_like(joints, torch.nan), torch.zeros_like(seen))
    assert all(torch.isfinite(part).all() for part in output)


def test_other_windows_of_the_batch_do_not_matter() -> None:
    model, (joints, seen) = network(), windows(4, config())
    together = model(joints, seen)
    alone = model(joints[1:2], seen[1:2])
    assert_equal_outputs(alone, NetworkOutput(*(part[1:2] for part in together)), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "switch"),
    [
        (lambda joints: turned(joints, 0.8), "turn"),
        (lambda joints: joints + torch.tensor([0.5, 0.3, -0.4]), "center"),
        (lambda joints: joints * 0.8, "scale"),
    ],
    ids=["turn", "center", "scale"],
)
def test_view_place_and_size_change_the_answer_only_when_their_switch_is_off(change, switch: str) -> None:
    joints, seen = windows(3, config())
    on, off = network(), network(**{switch: False})
    np.testing.assert_allclose(on(change(joints), seen).logits.detach(), on(joints, seen).logits.detach(), atol=1e-4)
    assert (off(change(joints), seen).logits - off(joints, seen).logits).abs().max() > 1e-3


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "identity", "softmax"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_the_gradient_reaches_every_parameter(activation: str, batch_norm: bool) -> None:
    model = network(activation=activation, batch_norm=batch_norm, dropout=0.0, channels=(8, 8, 8)).train()
    joints, seen = windows(8, config())
    seen[:, :, 3:6, 4] = 0
    functional.cross_entropy(model(joints, seen).logits, torch.arange(8) % 5).backward()
    silent = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not torch.isfinite(parameter.grad).all() or parameter.grad.abs().sum() == 0
    ]
    assert not silent


def test_a_few_steps_of_training_lower_the_loss() -> None:
    model = network(dropout=0.0).train()
    joints, seen = windows(10, config())
    labels = torch.arange(10) % 5
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(joints, seen).logits, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_dropout_acts_in_training_only() -> None:
    model, (joints, seen) = network(batch_norm=False), windows(3, config())
    assert torch.equal(model(joints, seen).logits, model(joints, seen).logits)
    model.train()
    assert not torch.equal(model(joints, seen).logits, model(joints, seen).logits)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"frames": 7}, "at least 8 frames"),
        ({"interpolated_joints": 5}, "at least 8 frames and interpolated joints"),
        ({"persons": 3}, "persons must be 1 or 2"),
        ({"classes": 1}, "at least two classes"),
        ({"channels": ()}, "at least one layer"),
        ({"hidden": (16, 0)}, "at least one unit"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"attention": "ts"}, "no attention 'ts'"),
    ],
)
def test_a_config_that_cannot_work_is_refused(changes: dict, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        config(**changes)


def test_a_config_survives_a_settings_file(tmp_path) -> None:
    wanted = config(attention="s", dropout=0.25, turn=False)
    settings.save(wanted, tmp_path / "network.toml")
    assert settings.load(NetworkConfig, file=tmp_path / "network.toml") == wanted


def test_the_table_builds_every_network_and_names_them_when_asked_for_another() -> None:
    for name in NETWORKS:
        assert build(name, config())(*windows(2, config())).logits.shape == (2, 5)
    with pytest.raises(ConfigError, match="csta_cnn"):
        build("csta-cnn", config())


@pytest.mark.parametrize("batch_norm", [True, False])
def test_mixed_precision_trains_with_one_person_absent(batch_norm: bool) -> None:
    model, (joints, seen) = network(batch_norm=batch_norm, dropout=0.0).train(), windows(4, config())
    seen[::2, 1] = 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(joints, seen)
        loss = functional.cross_entropy(output.logits, torch.arange(4))
    loss.backward()
    np.testing.assert_allclose(
        output.logits.float().detach(), model(joints, seen).logits.detach(), rtol=0.1, atol=0.2
    )


def soil_memory() -> None:
    """What is freed here is handed out again, with what was written there."""
    sizes = (100, 1000, 5000, 10_000, 50_000, 100_000, 300_000, 1_000_000)
    dirty = [torch.full((size,), torch.nan) for size in sizes for _ in range(6)]
    del dirty


def test_gradients_do_not_depend_on_what_lay_in_memory_before() -> None:
    shape = NetworkConfig(channels=(32, 64, 128), joints=config().joints, classes=5, persons=1)
    model = CstaCnn(shape).to(memory_format=torch.channels_last).train()
    random = torch.Generator().manual_seed(4)
    joints, seen = torch.randn((32, 1, 30, 19, 3), generator=random), torch.ones(32, 1, 30, 19)
    for _ in range(12):
        soil_memory()
        loss = functional.cross_entropy(model(joints, seen).logits, torch.arange(32) % 5)
        model.zero_grad()
        soil_memory()
        loss.backward()
        bad = [name for name, weight in model.named_parameters() if not weight.grad.isfinite().all()]
        assert not bad
