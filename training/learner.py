"""A network that learns: its weights, their moving average, the optimizer, and one step of it."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import get_ema_multi_avg_fn

from models.network import NetworkConfig
from models.table import build
from training import arithmetic
from training.config import TrainingConfig
from training.processes import Processes
from training.windows import Batch

SGD_MOMENTUM = 0.9
STATES = {"adamw": ("step", "exp_avg", "exp_avg_sq"), "sgd": ("momentum_buffer",)}
"""What each optimizer knows of a weight from its first step on."""


class Learner:
    """Network, averaged network and optimizer of a run.

    Attributes:
        network: What learns.
        averaged: The moving average of its weights, which a run gives; the network itself with average_decay = 0.
        steps: Steps done.

    Raises:
        ConfigError: The device cannot do what the settings ask for.
        ValueError: precision=auto, which whoever makes a run has to settle.
    """

    def __init__(
        self, config: TrainingConfig, shape: NetworkConfig, *, total_steps: int, seed: int, processes: Processes
    ) -> None:
        self.config, self.total_steps, self.steps = config, total_steps, 0
        self.device = processes.device
        if config.precision == "auto":
            raise ValueError("precision must be settled: training.arithmetic.settled")
        arithmetic.require(config, self.device)
        torch.manual_seed(seed)
        # Channels last: the convolutions of a small network are up to twice as fast on a CPU, the numbers the same.
        network = build(config.network, shape).to(self.device, memory_format=torch.channels_last)
        self.network = network
        self.averaged = copy.deepcopy(network).eval() if config.average_decay else network
        self.optimizer = _optimizer(network, config)
        if config.compile:
            network.compile()
        self.forward = processes.wrap(network)

    def step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Learns from a batch and returns its mean loss () and logits (B, K), both without gradient."""
        share = learning_rate_share(self.steps, self.total_steps, warm_up=self.config.warm_up)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * share
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
            logits = self.forward(batch.joints, batch.seen).logits
        logits = logits.float()
        loss = functional.cross_entropy(logits, batch.targets, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        (loss * batch.weight).backward()
        if self.config.gradient_clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.gradient_clip, foreach=True)
        self.optimizer.step()
        self._average()
        self.steps += 1
        return loss.detach(), logits.detach()

    @property
    def learning_rate(self) -> float:
        """Of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Any]:
        """Returns everything a checkpoint needs."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up a checkpoint.

        Raises:
            KeyError, RuntimeError, ValueError, TypeError, AttributeError: It does not fit.
        """
        if type(state["steps"]) is not int or state["steps"] < 0:
            raise ValueError(f"steps must be a whole number from 0, found {state['steps']!r}")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.steps = state["steps"]
        self._restore_optimizer(state["optimizer"]["state"])

    def _restore_optimizer(self, states: dict[int, dict[str, Tensor]]) -> None:
        """Takes up what the optimizer knew of each weight; how it is set, the settings say.

        A fused step checks nothing and goes over a weight and what is known of it as they lie in memory: what is
        shorter or lies otherwise would be read and written beyond its end.
        """
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        names = STATES[self.config.optimizer]
        if states.keys() != set(range(len(weights) if self.steps else 0)):
            raise ValueError("the optimizer must know something of every weight, or of none before the first step")
        own: dict[int, dict[str, Tensor]] = {}
        for number, of_one in states.items():
            if of_one.keys() != set(names):
                raise ValueError(f"the optimizer must know {', '.join(names)} of a weight, found {[*of_one]}")
            own[number] = {name: _copy(of_one[name], name, weights[number]) for name in names}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": own, "param_groups": groups})

    @torch.no_grad()
    def _average(self) -> None:
        if self.averaged is self.network:
            return
        # The first steps count fully: the average must forget the random weights it began with.
        decay = min(self.config.average_decay, (1 + self.steps) / (10 + self.steps))
        kept, new = [*self.averaged.parameters()], [*self.network.parameters()]
        for old, buffer in zip(self.averaged.buffers(), self.network.buffers()):
            if buffer.is_floating_point():
                kept.append(old)
                new.append(buffer)
            else:
                old.copy_(buffer)
        get_ema_multi_avg_fn(decay)(kept, new, None)


def learning_rate_share(step: int, steps: int, *, warm_up: float) -> float:
    """Returns the share of the highest learning rate: a straight rise, then half a cosine down to 0."""
    rising = warm_up * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1.0, steps - rising)))


def _copy(value: Tensor, name: str, weight: Tensor) -> Tensor:
    """Returns what an optimizer knows of a weight, as that lies in memory; the count of its steps is one number."""
    like = torch.zeros((), dtype=torch.float32) if name == "step" else weight.detach()
    if not isinstance(value, Tensor) or (value.shape, value.dtype) != (like.shape, like.dtype):
        raise ValueError(f"the optimizer's {name} must be shaped like its weight, {tuple(like.shape)} {like.dtype}")
    return torch.empty_like(like).copy_(value)


def _optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    # A weight that multiplies is decayed; a bias or a scale of batch normalization is not.
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    others = [weight for weight in network.parameters() if weight.dim() <= 1]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    # Fused: one pass over each weight instead of ten.
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=SGD_MOMENTUM, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
