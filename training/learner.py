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
        """Takes up a checkpoint; raises KeyError, RuntimeError, ValueError or TypeError where it does not fit."""
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = int(state["steps"])

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


def _optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    # A weight that multiplies is decayed; a bias or a scale of batch normalization is not.
    weights = [weight for weight in network.parameters() if weight.dim() > 1]
    others = [weight for weight in network.parameters() if weight.dim() <= 1]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    # Fused: one pass over each weight instead of ten.
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=SGD_MOMENTUM, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
