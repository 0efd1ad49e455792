"""Measures a model as people meet it: on long streams, through the app's own engine, beside plain arg-max.

Where the streams come from is in ``training.streams`` and ``training.stream_files``; what is counted in
``training.event_scores``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ConfigError, ModelContractError, TrainingDataError
from training import protocols
from training.cache import Cache, open_cache
from training.evaluate import trained_on_tested
from training.people import of_card
from training.stream_files import from_recording, scenes
from training.stream_judge import judge, result_of
from training.streams import StreamConfig, from_cache

SIDES = ("test", "validation")


def on_cache(
    model: Path,
    data: Path,
    protocol: str,
    *,
    side: str = "test",
    config: StreamConfig,
    seed: int = 0,
    unknown: Sequence[str] = (),
    background: Sequence[Path] = (),
    provider: str = "cpu",
) -> dict[str, Any]:
    """Returns the result of a model on streams made of the clips of one side of a protocol, ready for JSON.

    Args:
        model: The ONNX file.
        data: The cache.
        protocol: Who tests.
        side: "test", or "validation": the people whom the model's card names as such.
        config: How streams are made.
        seed: What their order follows from.
        unknown: Labels of the cache that the model does not know, whose clips are shown all the same.
        background: Scenes of nothing, see ``training.stream_files.scenes``.
        provider: Where the model runs.

    Raises:
        AppError: A file, cache or protocol that cannot be used, or a label that the model does not know.
    """
    cache = open_cache(data)
    recognizer = Recognizer(model, provider=provider)
    clips = side_of(cache, protocol, recognizer.card, side=side)
    check_labels([cache.labels[label] for label in np.unique(cache.clips["label"][clips])], recognizer.card, unknown)
    judged = judge(from_cache(cache, clips, config, seed=seed), recognizer)
    judge(scenes(background, config, seed=seed), recognizer, judged)
    subjects = np.unique(cache.clips["subject"][clips])
    return {
        "dataset": cache.dataset,
        "protocol": protocol,
        "side": side,
        "subjects": subjects.tolist(),
        "unknown_labels": list(unknown),
        "seed": seed,
        "streams": dataclasses.asdict(config),
        "trained_on_tested": trained_on_tested(recognizer.card.trained_on, cache, protocol, clips),
        **result_of(judged, recognizer.card, model),
    }


def on_recording(model: Path, recording: Path, truth: Path, *, provider: str = "cpu") -> dict[str, Any]:
    """Returns the result of a model on a recording with its table of actions, ready for JSON.

    Actions in the table that the model does not know count as unknown ones.

    Raises:
        AppError: A file that cannot be used.
    """
    recognizer = Recognizer(model, provider=provider)
    stream = from_recording(recording, truth)
    labels = dict.fromkeys(action.label for action in stream.truth)
    unknown = [label for label in labels if label not in recognizer.card.actions]
    if labels and len(unknown) == len(labels):
        raise ModelContractError(
            f"The model '{recognizer.card.name}' knows none of the labels of {truth} ({', '.join(unknown[:3])} ...)."
        )
    judged = judge([stream], recognizer)
    return {"recording": recording.name, "unknown_labels": unknown, **result_of(judged, recognizer.card, model)}


def side_of(cache: Cache, protocol: str, card: ModelCard, *, side: str) -> np.ndarray:
    """Returns the clips of a side: the protocol's test side, or those of the card's validation people.

    Raises:
        ConfigError: The validation side of a protocol that divides takes or set-ups.
        TrainingDataError: The model was trained without validation people.
    """
    split = protocols.split(cache, protocol)
    if side == "test":
        return split.test
    if protocols.find(protocol)[0].validation != "subject":
        raise ConfigError(
            f"The validation side can be asked where people are divided, but {protocol} divides something else."
        )
    validated = list(of_card(card.trained_on, "validation_subjects", cache))
    clips = split.train[np.isin(cache.clips["subject"][split.train], validated)]
    if not len(clips):
        raise TrainingDataError(
            f"The model '{card.name}' must have people who validated on the training side of {protocol}, but its "
            "card names none.",
            remedy="Train with --set validation_subjects=1.",
        )
    return clips


def check_labels(labels: Iterable[str], card: ModelCard, unknown: Sequence[str]) -> None:
    """Refuses clips of labels that the model does not know and that are not named as unknown, and the reverse."""
    labels = list(labels)
    for label in unknown:
        if label not in labels:
            raise ConfigError(f"No clip shows '{label}'.", remedy=f"Known: {', '.join(labels)}.")
        if label in card.labels:
            raise ConfigError(f"The model '{card.name}' knows '{label}', so it cannot be shown as unknown.")
    stranger = next((label for label in labels if label not in card.labels and label not in unknown), None)
    if stranger is not None:
        raise ModelContractError(
            f"The model '{card.name}' does not know '{stranger}'.",
            remedy="Name it after --unknown to see whether the model says so.",
        )
