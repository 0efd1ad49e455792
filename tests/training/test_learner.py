"""One step of learning: what it changes, in which arithmetic, and what a machine cannot do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from skeleton.layout import KINECT_V2_19
from tests.training.conftest import SMALL
from training import arithmetic, config
from training.learner import Learner
from training.processes import Processes
from training.windows import Batch

B, T, V, K = 6, 11, len(KINECT_V2_19), 3
CPU = torch.device("cpu")


def made(*settings: str, total_steps: int = 40) -> Learner:
    chosen = config.load(assignments=[*SMALL, f"frames={T}", *settings])
    shape = chosen.network_config(joints=KINECT_V2_19.joints, classes=K, persons=1)
    return Learner(chosen.training, shape, total_steps=total_steps, seed=1, processes=Processes(0, 1, CPU))


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(B) % K
    joints = torch.randn((B, 1, T, V, 3), generator=generator) + labels[:, None, None, None, None]
    return Batch(joints, torch.ones(B, 1, T, V, dtype=torch.bool), labels, torch.eye(K)[labels], 1.0)


@pytest.mark.parametrize("settings", [(), ("precision=bfloat16",), ("average_decay=0.5",), ("optimizer=sgd",)])
def test_a_batch_is_learned(settings: tuple[str, ...]) -> None:
    one = made("learning_rate=0.01", *settings)
    losses = [float(one.step(batch())[0]) for _ in range(40)]
    assert losses[-1] < 0.7 * losses[0] and one.steps == 40 and one.learning_rate < 1e-4
    assert all(weight.dtype == torch.float32 for weight in one.network.parameters())


def test_bfloat16_computes_the_convolutions_in_bfloat16_and_the_loss_in_float32() -> None:
    seen: dict[str, torch.dtype] = {}
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        one = made(f"precision={precision}")
        convolution = next(part for part in one.network.modules() if isinstance(part, torch.nn.Conv2d))
        convolution.register_forward_hook(lambda part, given, result: seen.update(convolution=result.dtype))
        loss, logits = one.step(batch())
        assert seen["convolution"] == dtype and loss.dtype == logits.dtype == torch.float32


def test_the_average_follows_weights_and_statistics() -> None:
    one = made("average_decay=0.5")
    one.steps = 100  # past the first steps, which count fully
    before = copy.deepcopy(one.averaged.state_dict())
    one.step(batch())
    for name, new in one.network.state_dict().items():
        if new.is_floating_point():
            assert torch.allclose(one.averaged.state_dict()[name], (before[name] + new) / 2, atol=1e-6), name
        else:
            assert torch.equal(one.averaged.state_dict()[name], new), name
    without = made("average_decay=0.0")
    assert without.averaged is without.network


def test_sgd_steps_along_the_gradient_and_its_past_and_decays_weights_that_multiply() -> None:
    one = made("optimizer=sgd", "learning_rate=0.5", "weight_decay=0.1", "warm_up=0", "gradient_clip=0")
    rate, momentum = 0.5, {}
    for step in range(2):
        before = {name: weight.detach().clone() for name, weight in one.network.named_parameters()}
        one.step(batch())
        for name, weight in one.network.named_parameters():
            slope = weight.grad + (0.1 * before[name] if weight.dim() > 1 else 0)
            momentum[name] = 0.9 * momentum[name] + slope if step else slope
            wanted = before[name] - one.learning_rate * (slope + 0.9 * momentum[name])  # Nesterov
            assert torch.allclose(weight, wanted, rtol=1e-4, atol=1e-6), name
        assert one.learning_rate == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize("optimizer", config.OPTIMIZERS)
def test_who_takes_up_a_checkpoint_steps_on_as_if_nothing_had_been(optimizer: str) -> None:
    one, other = (made(f"optimizer={optimizer}", "learning_rate=0.01") for _ in range(2))
    one.step(batch())
    one.step(batch())
    other.restore(copy.deepcopy(one.state()))
    for learner in (one, other):
        torch.manual_seed(5)  # a run seeds every epoch
        learner.step(batch())
    for name, weight in one.network.state_dict().items():
        assert torch.equal(weight, other.network.state_dict()[name]), name


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        pytest.param("adamw", "exp_avg", torch.zeros(3), id="shorter than its weight"),
        pytest.param("adamw", "exp_avg_sq", torch.zeros(4, dtype=torch.float64), id="of another type"),
        pytest.param("adamw", "exp_avg", 0.0, id="no tensor"),
        pytest.param("adamw", "step", torch.zeros(2), id="several counts of steps"),
        pytest.param("adamw", "momentum_buffer", torch.zeros(4), id="of another optimizer"),
        pytest.param("adamw", "exp_avg", None, id="a part missing"),
        pytest.param("sgd", "momentum_buffer", torch.zeros(3), id="momentum shorter than its weight"),
        pytest.param("sgd", "momentum_buffer", None, id="no momentum"),
    ],
)
def test_an_optimizer_takes_up_nothing_that_is_not_shaped_like_its_weight(
    optimizer: str, name: str, value: Any
) -> None:
    one = made(f"optimizer={optimizer}")
    one.step(batch())
    state = copy.deepcopy(one.state())
    states = state["optimizer"]["state"]
    number = next(number for number, of_one in states.items() if tuple(_second(of_one).shape) == (4,))
    states[number][name] = value
    if value is None:
        del states[number][name]
    with pytest.raises(ValueError, match="optimizer"):
        made(f"optimizer={optimizer}").restore(state)


def _second(of_one: dict[str, torch.Tensor]) -> torch.Tensor:
    """What is shaped like the weight; the first of AdamW's is the count of its steps."""
    return [*of_one.values()][-1]


@pytest.mark.parametrize("change", ["lost", "of one weight more", "not yet learned"])
def test_an_optimizer_takes_up_what_it_knew_of_every_weight_or_nothing(change: str) -> None:
    one = made()
    one.step(batch())
    state = copy.deepcopy(one.state())
    states = state["optimizer"]["state"]
    if change == "lost":
        del states[0]
    elif change == "of one weight more":
        states[len(states)] = states[0]
    else:
        state["steps"] = 0
    with pytest.raises(ValueError, match="optimizer"):
        made().restore(state)


def test_moments_that_lie_otherwise_in_memory_are_those_of_the_same_weights() -> None:
    """A fused step goes over weight and moments as they lie; an expanded one ends before its weight does."""
    one, other = (made("learning_rate=0.01") for _ in range(2))
    one.step(batch())
    state = copy.deepcopy(one.state())
    for of_one in state["optimizer"]["state"].values():
        of_one["exp_avg"] = of_one["exp_avg"].contiguous()
    other.restore(state)
    for learner in (one, other):
        torch.manual_seed(5)
        learner.step(batch())
    for name, weight in one.network.state_dict().items():
        assert torch.equal(weight, other.network.state_dict()[name]), name


def test_an_optimizer_keeps_its_own_settings_whatever_a_checkpoint_says() -> None:
    one = made()
    one.step(batch())
    state = copy.deepcopy(one.state())
    for group in state["optimizer"]["param_groups"]:
        group |= {"betas": (2.0, 2.0), "amsgrad": True, "fused": None, "weight_decay": 9.0}
    other = made()
    other.restore(state)
    for own, kept in zip(one.optimizer.param_groups, other.optimizer.param_groups):
        names = own.keys() - {"params", "lr"}
        assert {name: own[name] for name in names} == {name: kept[name] for name in names}


@pytest.mark.parametrize("steps", [-1, 1.0, True, "1", None])
def test_the_steps_of_a_checkpoint_are_a_whole_number(steps: object) -> None:
    one = made()
    one.step(batch())
    with pytest.raises(ValueError, match="steps must be"):
        made().restore(one.state() | {"steps": steps})


def test_gradients_are_clipped_to_the_given_length() -> None:
    lengths = {}
    for clip in (0.0, 1e-3):
        one = made(f"gradient_clip={clip}")
        one.step(batch())
        lengths[clip] = float(torch.cat([weight.grad.flatten() for weight in one.network.parameters()]).norm())
    assert lengths[1e-3] == pytest.approx(1e-3, rel=1e-3) and lengths[0.0] > 0.01


def test_compiled_and_plain_networks_keep_the_same_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever torch.compile makes of it, a checkpoint fits both."""
    original = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda part: original(part, backend="eager"))
    monkeypatch.setattr(arithmetic.shutil, "which", lambda name: "/usr/bin/compiler")
    compiled, plain = made("compile=true"), made()
    assert compiled.network._compiled_call_impl is not None and plain.network._compiled_call_impl is None
    assert compiled.state()["network"].keys() == plain.state()["network"].keys()
    assert float(compiled.step(batch())[0]) == pytest.approx(float(plain.step(batch())[0]), rel=1e-4)
    plain.restore(compiled.state())
