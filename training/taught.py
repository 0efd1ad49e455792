"""The part of a data set that a network is taught: all of it, or without the labels that were left out.

Whether a model says "unknown" to what it was not taught can only be asked with actions that it never saw. A run with
``leave_out`` sees a data set as :func:`without` shows it: the same clips under the same numbers, but those of the
labels left out belong to no side of a split, and the other labels are counted anew. The same people train, validate
and test as in a run that is taught everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.card import ModelCard
from skeleton.errors import ConfigError, ModelContractError
from training.background import label_of, labels_with
from training.cache import LEFT_OUT, Cache
from training.config import TrainingConfig


def without(cache: Cache, labels: Sequence[str]) -> Cache:
    """Returns a cache as a network sees it that is not taught some labels.

    Its clips keep their numbers; those of ``labels`` have the label ``LEFT_OUT``. A label whose mirror image is left
    out is its own.

    Raises:
        ConfigError: A label that the cache does not have, or fewer than two left.
    """
    stranger = next((label for label in labels if label not in cache.labels), None)
    if stranger is not None:
        raise ConfigError(
            f"A label to leave out must be one of {cache.path}, found '{stranger}'.",
            remedy=f"Known: {', '.join(cache.labels)}.",
        )
    kept = [number for number, label in enumerate(cache.labels) if label not in labels]
    if len(kept) == len(cache.labels):
        return cache
    if len(kept) < 2:
        raise ConfigError(f"At least two labels must be left to learn, but of {cache.path} {len(kept)} would be.")
    new = np.full(len(cache.labels), LEFT_OUT)
    new[kept] = np.arange(len(kept))
    clips = cache.clips.copy()
    clips["label"] = new[cache.clips["label"]]
    mirrored = new[cache.mirror_labels[kept]]
    return dataclasses.replace(
        cache,
        labels=tuple(cache.labels[number] for number in kept),
        mirror_labels=np.where(mirrored == LEFT_OUT, np.arange(len(kept)), mirrored),
        clips=clips,
    )


def taught(cache: Cache, config: TrainingConfig) -> Cache:
    """Returns a cache as a run with these settings sees it.

    Raises:
        ConfigError: As :func:`without`; or a label that is left out would be met all the same, as the background or
            in a mirror.
    """
    if label_of(config) in config.leave_out:
        raise ConfigError(f"The background is '{config.background_label}', so leave_out must not name it.")
    if config.mirror_share and config.augment == "online":
        for number, image in enumerate(cache.mirror_labels):
            one, other = cache.labels[number], cache.labels[image]
            if other in config.leave_out and one not in config.leave_out:
                raise ConfigError(
                    f"'{one}' shows '{other}' when it is mirrored, so leave_out must name both or neither.",
                    remedy="Name both, or train with mirror_share=0.",
                )
    return without(cache, config.leave_out)


def taught_to(cache: Cache, card: ModelCard) -> Cache:
    """Returns a cache as the model of a card saw it in training, where its card names labels that were left out."""
    named = card.trained_on.get("left_out")
    return without(cache, [label for label in cache.labels if label in named] if isinstance(named, list) else [])


def known_to(cache: Cache, card: ModelCard, *, model: Path) -> Cache:
    """Returns a cache as :func:`taught_to` does, once its labels and the model's background are what the model tells.

    Raises:
        ModelContractError: The model was taught other classes than the cache has.
    """
    view = taught_to(cache, card)
    if card.labels not in (view.labels, labels_with(view.labels, card.background)):
        missing = [label for label in view.labels if label not in card.labels]
        more = [label for label in card.labels if label not in (*view.labels, card.background)]
        only = [
            f"{_some(labels)} only in the {where}"
            for labels, where in ((missing, "cache"), (more, "model"))
            if labels
        ]
        raise ModelContractError(
            f"The model {model} must recognize the classes of {cache.path}, but "
            f"{' and '.join(only) or 'has them in another order'}."
        )
    return view


def _some(labels: Sequence[str]) -> str:
    named = ", ".join(f"'{label}'" for label in labels[:3])
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return f"{named}{more} {'is' if len(labels) == 1 else 'are'}"
