"""The processes that train one network together: one, or those that torchrun started.

Every process takes its part of each step's windows, and the gradients are averaged; so all hold the same weights at
every step. Only the first writes files.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from skeleton.errors import AppError, ConfigError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: Its number, from 0.
        count: How many there are.
        device: Where it computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and talks."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """Returns a module that averages the gradients of all processes."""
        if self.count == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)

    def sum(self, values: Tensor) -> Tensor:
        """Adds up a tensor over the processes, in place, and returns it."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values

    def share_buffers(self, network: nn.Module) -> None:
        """Gives every process the first one's buffers: each has seen other windows for its batch normalization."""
        if self.count > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, src=0)

    def first(self, action: Callable[[], Result]) -> Result | None:
        """Lets the first process do something while the others wait; they get None.

        Raises:
            AppError: In the others, when it failed in the first, which raises what went wrong.
        """
        is_done = torch.zeros(1, device=self.device)
        result: Result | None = None
        try:
            if self.is_first:
                result = action()
                is_done += 1
        finally:
            self.sum(is_done)
        if not is_done:
            raise AppError("The first of the processes could not go on; it says why.")
        return result


@contextlib.contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Joins the processes that torchrun started, if it did, and leaves them at the end, all at the same time.

    One that has nothing left to do waits for the first, which may be writing the model still: a process that ends
    right after its last tensor was shared can be aborted, because a thread of gloo wants to free that tensor in a
    Python that has shut down, and torchrun then stops the others.

    Args:
        device: The setting: auto, cpu or cuda.

    Raises:
        ConfigError: CUDA is asked for and not there, or there are fewer GPUs than processes.
        AppError: Another process ended before the end.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, choose_device(device))
        return
    place = choose_device(device)
    if place.type == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"Every process needs a GPU of its own, but there are {torch.cuda.device_count()} GPUs and process "
                f"{local} was started here.",
                remedy="Start fewer: torchrun --nproc-per-node.",
            )
        place = torch.device("cuda", local)
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), place)
        _wait_for_all(place)
    except distributed.DistError as error:
        raise _ended(error) from None
    finally:
        distributed.destroy_process_group()


def _wait_for_all(place: torch.device) -> None:
    try:
        distributed.barrier(device_ids=[place.index] if place.type == "cuda" else None)
    except RuntimeError as error:  # gloo's own, where one is gone
        raise _ended(error) from None


def _ended(error: RuntimeError) -> AppError:
    return AppError(f"Another process of this training ended ({str(error).splitlines()[0]}).")


def choose_device(name: str) -> torch.device:
    """Returns the device for a setting; raises ``ConfigError`` when CUDA was asked for and is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("The setting device is cuda, but PyTorch finds no CUDA here.", remedy="Use device=cpu.")
    return torch.device(name)
