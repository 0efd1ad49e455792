"""What a model says of people who did not train it: windows of their clips, and streams made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import TrainingDataError
from skeleton.window import Window
from training import protocols, temperature_fit
from training.cache import Cache
from training.clip_windows import duration_s, live_ends_s, live_window, whole_window
from training.people import of_card
from training.stream_files import scenes
from training.stream_judge import STRANGE, segments
from training.stream_run import run
from training.streams import Stream, StreamConfig, from_cache
from training.thresholds import Performance

BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The model's answers on windows of held-out clips.

    Attributes:
        windows: What was asked.
        probabilities: (N, K) as the model gives them.
        embeddings: (N, E).
        labels: (N,) true classes, as the card counts them.
        is_whole: (N,) a window of a whole clip; otherwise one of the model's span, as live.
        weights: (N,) each clip counts once by its whole window and once by all its live ones.
    """

    windows: list[Window]
    probabilities: np.ndarray
    embeddings: np.ndarray
    labels: np.ndarray
    is_whole: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """What a model says of people who did not train it.

    Attributes:
        clips: Their clips.
        held: Its answers on windows of these.
        logits: (N, K) behind them.
        performances: Its answers on streams of these, and on scenes of nothing.
        scenes: The names of those.
    """

    clips: np.ndarray
    held: Held
    logits: np.ndarray
    performances: list[Performance]
    scenes: list[str]


def clips_of(cache: Cache, protocol: str, card: ModelCard, subjects: Sequence[int]) -> np.ndarray:
    """Returns the clips of validation people whose labels the model knows.

    Raises:
        TrainingDataError: Nobody is named; somebody trained the model, tests, or is not there; or the card does not
            say who trained.
    """
    if not isinstance(card.trained_on.get("subjects"), list):
        raise TrainingDataError(f"The card of '{card.name}' must say who trained it, but does not.")
    named = list(subjects) or sorted(of_card(card.trained_on, "validation_subjects", cache))
    remedy = "Train with --set validation_subjects=1, or name people who did not train after --subjects."
    if not named:
        raise TrainingDataError(
            f"Calibration needs people who did not train '{card.name}', but its card names none who validated.",
            remedy=remedy,
        )
    trainers = set(named) & of_card(card.trained_on, "subjects", cache)
    if trainers:
        who = ", ".join(str(one) for one in sorted(trainers))
        raise TrainingDataError(
            f"Calibration needs people who did not train '{card.name}', but {who} did.", remedy=remedy
        )
    split = protocols.split(cache, protocol)
    tested = set(cache.clips["subject"][split.test].tolist()) & set(named)
    if tested:
        who = ", ".join(str(one) for one in sorted(tested))
        raise TrainingDataError(f"Who tests must not be looked at before, but {who} tests in {protocol}.")
    is_known = np.isin(cache.clips["label"], [cache.labels.index(one) for one in cache.labels if one in card.actions])
    clips = split.train[np.isin(cache.clips["subject"][split.train], named) & is_known[split.train]]
    missing = sorted(set(named) - set(cache.clips["subject"][clips].tolist()))
    if missing:
        raise TrainingDataError(f"{cache.path} has no clip of person {missing[0]} that the model could know.")
    return clips


def fold_of(
    recognizer: Recognizer,
    cache: Cache,
    clips: np.ndarray,
    *,
    background: Sequence[Path],
    config: StreamConfig,
    seed: int,
) -> Fold:
    """Asks a model about clips.

    Args:
        recognizer: The model.
        cache: The data.
        clips: Indices of clips of people who did not train it.
        background: Scenes of nothing, see ``training.stream_files.scenes``.
        config: How streams are made of the clips.
        seed: What their order follows from.
    """
    held = held_of(recognizer, cache, clips)
    streams = [*from_cache(cache, clips, config, seed=seed), *scenes(background, config, seed=seed)]
    return Fold(
        clips=clips,
        held=held,
        logits=temperature_fit.logits_of(held.probabilities, recognizer.card.temperature),
        performances=[one for stream in streams for one in _performances(stream, recognizer)],
        scenes=[stream.name for stream in streams if not stream.truth],
    )


def held_of(recognizer: Recognizer, cache: Cache, clips: np.ndarray) -> Held:
    """Returns a model's answers on windows of clips."""
    card = recognizer.card
    windows: list[Window] = []
    labels, is_whole, weights = [], [], []
    for index in clips.tolist():
        label = card.labels.index(cache.labels[int(cache.clips["label"][index])])
        ends_s = live_ends_s(duration_s(cache, index), card.span_s)
        windows.append(whole_window(cache, index, card))
        windows += [live_window(cache, index, card, end_s=float(end_s)) for end_s in ends_s]
        labels += [label] * (1 + len(ends_s))
        is_whole += [True] + [False] * len(ends_s)
        weights += [1.0] + [1 / len(ends_s)] * len(ends_s)
    probabilities, embeddings = answers_of(recognizer, windows)
    return Held(windows, probabilities, embeddings, np.array(labels), np.array(is_whole), np.array(weights))


def answers_of(recognizer: Recognizer, windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities (N, K) and embeddings (N, E) of windows."""
    found = [
        answer
        for start in range(0, len(windows), BATCH)
        for answer in recognizer.recognize(windows[start : start + BATCH])
    ]
    return np.stack([one.probabilities for one in found]), np.stack([one.embedding for one in found])


def _performances(stream: Stream, recognizer: Recognizer) -> Iterator[Performance]:
    for outcome in run(stream, recognizer):
        own = [action for action in stream.truth if action.person in (None, outcome.person)]
        truth = [one for one in segments(own, recognizer.card) if one.label != STRANGE]
        if len(outcome.answers.times_s):
            yield Performance(truth, outcome.shown, outcome.answers, recognizer.card)
