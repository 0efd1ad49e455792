"""In which numbers a network learns: what a machine computes quickly, and what it cannot do."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil

import torch

from skeleton.errors import ConfigError
from training.config import Settings, TrainingConfig

NATIVE_BFLOAT16 = ("avx512_bf16", "amx_bf16")
"""What ``torch.cpu.get_capabilities`` calls x86's instructions that multiply bfloat16; without them it is slow."""


def settled(settings: Settings, device: torch.device) -> Settings:
    """Returns the settings with precision=auto turned into what is meant by it on a device.

    A run writes down the answer, so that it goes on in the same arithmetic on whatever machine resumes it.
    """
    training = settings.training
    if training.precision != "auto":
        return settings
    precision = "bfloat16" if has_bfloat16(device) else "float32"
    return dataclasses.replace(settings, training=dataclasses.replace(training, precision=precision))


def has_bfloat16(device: torch.device) -> bool:
    """Returns whether bfloat16 is known to be faster on a device: x86 with such instructions, or a GPU."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(False)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in NATIVE_BFLOAT16)


def require(config: TrainingConfig, device: torch.device) -> None:
    """Raises ``ConfigError`` where a device cannot do what precision or compile ask for, before anything starts."""
    if config.precision == "bfloat16" and device.type == "cuda" and not has_bfloat16(device):
        raise ConfigError(
            f"The setting precision is bfloat16, but {torch.cuda.get_device_name(device)} cannot compute in it.",
            remedy="Use precision=float32; a run that was begun elsewhere goes on without this GPU, with "
            "CUDA_VISIBLE_DEVICES set to nothing.",
        )
    if not config.compile:
        return
    if device.type == "cuda":
        missing = "" if importlib.util.find_spec("triton") else "the package triton"
    else:
        compiler = os.environ.get("CXX") or ("cl" if os.name == "nt" else "g++")
        missing = "" if shutil.which(compiler) else f"the C++ compiler {compiler}"
    if missing:
        raise ConfigError(f"The setting compile needs {missing}, which is not here.", remedy="Use compile=false.")
