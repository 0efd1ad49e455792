"""The networks by name: a new network is one file and one row here."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from models.csta_cnn import CstaCnn
from models.network import NetworkConfig
from skeleton.errors import ConfigError

NETWORKS: dict[str, Callable[[NetworkConfig], nn.Module]] = {
    "csta_cnn": CstaCnn,
}


def build(name: str, config: NetworkConfig) -> nn.Module:
    """Returns a new network with random weights.

    Its ``forward(joints, seen)`` takes what the graph contract says (see ``models.card``) and returns a
    ``NetworkOutput``.

    Raises:
        ConfigError: There is no network of that name.
    """
    if name not in NETWORKS:
        raise ConfigError(f"There is no network '{name}'.", remedy=f"Known: {', '.join(NETWORKS)}.")
    return NETWORKS[name](config)
