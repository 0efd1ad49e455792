"""Makes a model's confidence and thresholds true on people who did not train it, and writes it as a new file.

Only validation people are looked at: those whom the card names, or who are named and did not train. The temperature
comes first; thresholds are of probabilities at that temperature; both go into the new file, and the graph of the new
file must give the old one's logits at the new temperature before it takes its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from live.decision_rules import DecisionRules
from live.model_file import read_model
from live.recognizer import Recognizer
from models.card import ModelCard
from models.temperature import with_card
from skeleton.errors import ModelContractError, TrainingDataError
from skeleton.replacing import replacing
from skeleton.window import Window
from training import protocols, temperature_fit, thresholds
from training.cache import Cache, open_cache
from training.clip_windows import duration_s, live_ends_s, live_window, whole_window
from training.scores import calibration, rounded
from training.stream_files import scenes
from training.stream_judge import STRANGE, segments
from training.stream_run import run
from training.streams import Stream, StreamConfig, from_cache

BATCH = 64
TOLERANCE = 1e-4
"""Largest difference between the written graph and the arithmetic, in any probability."""
EDGE_S = 0.3
"""Where an action begins and ends is known to about so much."""
KNOWN_KEPT = 0.99
"""Share of the windows of known classes that the unknown rule lets pass."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
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


def calibrate(
    model: Path,
    data: Path,
    protocol: str,
    output: Path,
    *,
    subjects: Sequence[int] = (),
    false_alarms: float = 1.0,
    background: Sequence[Path] = (),
    config: StreamConfig,
    seed: int = 0,
) -> dict[str, Any]:
    """Writes a calibrated copy of a model file and returns what was fitted, ready for JSON.

    Args:
        model: The ONNX file.
        data: The cache.
        protocol: Who tests: they are not looked at.
        output: The new file.
        subjects: Validation people; by default those whom the card names.
        false_alarms: How many a minute are bearable.
        background: Scenes of nothing, see ``training.stream_files.scenes``.
        config: How streams are made of the clips.
        seed: What their order follows from.

    Raises:
        TrainingDataError: There are no validation people, or they trained the model.
        AppError: A file, cache or protocol that cannot be used, or a graph that cannot be calibrated.
    """
    cache = open_cache(data)
    recognizer = Recognizer(model, provider="cpu")
    card = recognizer.card
    clips = clips_of(cache, protocol, card, subjects)
    held = _held(recognizer, cache, clips)
    logits = temperature_fit.logits_of(held.probabilities, card.temperature)
    streams = [*from_cache(cache, clips, config, seed=seed), *scenes(background, config, seed=seed)]
    performances = [one for stream in streams for one in _performances(stream, recognizer)]
    temperature = _temperature(card, held, logits, performances)
    before = thresholds.judged(card, performances)
    warmed = dataclasses.replace(card, temperature=temperature)
    performances = [_warmed(one, card.temperature, temperature) for one in performances]
    ruled = _with_unknown_rule(warmed, performances)
    fitted, after = thresholds.fitted(ruled, performances, budget=false_alarms)

    report = {
        "subjects": np.unique(cache.clips["subject"][clips]).tolist(),
        "clips": len(clips),
        "scenes": [stream.name for stream in streams if not stream.truth],
        "false_alarms_asked": false_alarms,
        **_confidence(logits, held, card.temperature, temperature),
        **_decision(before, after),
    }
    chosen = dataclasses.replace(fitted, results=card.results | {"calibration": report})
    write(chosen, output, model=model, held=held, logits=logits)
    return {"model": str(output), **report, **_thresholds(chosen)}


def clips_of(cache: Cache, protocol: str, card: ModelCard, subjects: Sequence[int]) -> np.ndarray:
    """Returns the clips of validation people whose labels the model knows.

    Raises:
        TrainingDataError: Nobody is named; somebody trained the model, tests, or is not there; or the card does not
            say who trained.
    """
    trained_on = card.trained_on
    people = list(subjects) or [one for one in trained_on.get("validation_subjects") or [] if isinstance(one, int)]
    remedy = "Train with --set validation_subjects=1, or name people who did not train after --subjects."
    if not people:
        raise TrainingDataError(
            f"Calibration needs people who did not train '{card.name}', but its card names none who validated.",
            remedy=remedy,
        )
    trainers = trained_on.get("subjects")
    if not isinstance(trainers, list):
        raise TrainingDataError(f"The card of '{card.name}' must say who trained it, but does not.")
    if trained_on.get("dataset") == cache.dataset and set(people) & set(trainers):
        who = ", ".join(str(one) for one in sorted(set(people) & set(trainers)))
        raise TrainingDataError(
            f"Calibration needs people who did not train '{card.name}', but {who} did.", remedy=remedy
        )
    split = protocols.split(cache, protocol)
    tested = set(cache.clips["subject"][split.test].tolist()) & set(people)
    if tested:
        who = ", ".join(str(one) for one in sorted(tested))
        raise TrainingDataError(f"Who tests must not be looked at before, but {who} tests in {protocol}.")
    is_known = np.isin(cache.clips["label"], [cache.labels.index(one) for one in cache.labels if one in card.actions])
    clips = split.train[np.isin(cache.clips["subject"][split.train], people) & is_known[split.train]]
    missing = sorted(set(people) - set(cache.clips["subject"][clips].tolist()))
    if missing:
        raise TrainingDataError(f"{cache.path} has no clip of person {missing[0]} that the model could know.")
    return clips


def write(card: ModelCard, output: Path, *, model: Path, held: Held, logits: np.ndarray) -> None:
    """Writes the model with its new card, once ONNX Runtime gave softmax(logits / temperature) on every window.

    Raises:
        ModelContractError: The graph cannot be calibrated, or does not give that; ``output`` stays as it was.
    """
    data = with_card(read_model(model), card, file=model.name)
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as temporary:
        temporary.write_bytes(data)
        again = Recognizer(temporary, provider="cpu")
        found, embeddings = _answers(again, held.windows)
        wanted = temperature_fit.softmax(logits, card.temperature)
        difference = float(np.abs(found - wanted).max())
        if again.card.to_json() != card.to_json() or not difference <= TOLERANCE:
            raise ModelContractError(
                f"The calibrated graph must give softmax(logits / {card.temperature:g}) to {TOLERANCE:g}, "
                f"but its probabilities differ by {difference:.3g}."
            )
        if not np.allclose(embeddings, held.embeddings, atol=TOLERANCE):
            raise ModelContractError("Calibration must leave all but the probabilities as they were, but did not.")


def _held(recognizer: Recognizer, cache: Cache, clips: np.ndarray) -> Held:
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
    probabilities, embeddings = _answers(recognizer, windows)
    return Held(windows, probabilities, embeddings, np.array(labels), np.array(is_whole), np.array(weights))


def _answers(recognizer: Recognizer, windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray]:
    found = [
        answer
        for start in range(0, len(windows), BATCH)
        for answer in recognizer.recognize(windows[start : start + BATCH])
    ]
    return np.stack([one.probabilities for one in found]), np.stack([one.embedding for one in found])


def _temperature(
    card: ModelCard, held: Held, logits: np.ndarray, performances: Sequence[thresholds.Performance]
) -> float:
    """The temperature with the least loss on windows of clips, and on those of the streams.

    The latter are what people see the confidence of; without them a network that is right about every whole clip
    would be told to be sure of everything. Each action counts once there, and so much does all that lies between
    them, for a model with a background class. Windows about moments near the ends of an action are left out.
    """
    parts, labels, weights = [logits], [held.labels], [held.weights]
    for one in performances:
        said = temperature_fit.logits_of(one.answers.probabilities, card.temperature)
        about_s = one.answers.times_s - card.about_s
        chosen = [
            (label, np.flatnonzero((about_s >= start_s + EDGE_S) & (about_s <= end_s - EDGE_S)), 1.0)
            for start_s, end_s, label in one.truth
        ]
        if card.background and one.truth:
            near = [(about_s > start - EDGE_S) & (about_s < end + EDGE_S) for start, end, _ in one.truth]
            chosen.append((card.labels.index(card.background), np.flatnonzero(~np.any(near, axis=0)), len(one.truth)))
        for label, rows, weight in chosen:
            if len(rows):
                parts.append(said[rows])
                labels.append(np.full(len(rows), label))
                weights.append(np.full(len(rows), weight / len(rows)))
    return round(temperature_fit.fitted(*map(np.concatenate, (parts, labels, weights))), 4)


def _performances(stream: Stream, recognizer: Recognizer) -> Iterable[thresholds.Performance]:
    for outcome in run(stream, recognizer):
        own = [action for action in stream.truth if action.person in (None, outcome.person)]
        truth = [one for one in segments(own, recognizer.card) if one.label != STRANGE]
        if len(outcome.answers.times_s):
            yield thresholds.Performance(truth, outcome.shown, outcome.answers)


def _warmed(one: thresholds.Performance, before: float, after: float) -> thresholds.Performance:
    """The same answers at another temperature."""
    probabilities = temperature_fit.softmax(temperature_fit.logits_of(one.answers.probabilities, before), after)
    return dataclasses.replace(one, answers=dataclasses.replace(one.answers, probabilities=probabilities))


def _with_unknown_rule(card: ModelCard, performances: Sequence[thresholds.Performance]) -> ModelCard:
    """The card with the numbers of its unknown rule: nearly all windows about the second half of a known action pass.

    The score alone cannot tell a person who stands from one who does something unknown, so it is used by models with
    a background class only; the distance by those with feature centers.
    """
    rules = DecisionRules.of(card)
    best, away = [], []
    for one in performances:
        times = one.answers.times_s - card.about_s
        rows = np.zeros(len(times), dtype=bool)
        for start_s, end_s, _ in one.truth:
            rows |= (times >= (start_s + end_s) / 2) & (times <= end_s)
        best += one.answers.probabilities[rows].max(axis=1).tolist()
        away += [rules.distance(embedding) for embedding in one.answers.embeddings[rows]]
    if card.background and best:
        card = dataclasses.replace(card, unknown_score=round(float(np.quantile(best, 1 - KNOWN_KEPT)), 4))
    if card.feature_centers and away:
        card = dataclasses.replace(card, unknown_distance=round(float(np.quantile(away, KNOWN_KEPT)), 4))
    return card


def _confidence(logits: np.ndarray, held: Held, *temperatures: float) -> dict[str, Any]:
    """What the temperature did on the windows of the clips, at the old and at the new one."""

    def both(measure: Callable[[float], float]) -> dict[str, float]:
        return dict(zip(("before", "after"), (rounded(measure(each)) for each in temperatures)))

    def error(rows: np.ndarray) -> dict[str, float]:
        return both(lambda each: calibration(held.labels[rows], temperature_fit.softmax(logits[rows], each))["ece"])

    return {
        "windows": len(held.windows),
        "temperature": both(float),
        "nll": both(lambda each: temperature_fit.nll(logits, held.labels, held.weights, each)),
        "ece": {"whole": error(held.is_whole), "live": error(~held.is_whole)},
    }


def _decision(before: thresholds.Outcome, after: thresholds.Outcome) -> dict[str, Any]:
    """What the thresholds did on the streams."""
    return {
        "false_alarms_per_minute": {
            "before": rounded(before.alarms_per_minute),
            "after": rounded(after.alarms_per_minute),
        },
        "event_f1": {"before": rounded(before.score), "after": rounded(after.score)},
    }


def _thresholds(card: ModelCard) -> dict[str, Any]:
    names = ("enter_threshold", "exit_threshold", "enter_thresholds", "exit_thresholds")
    return {name: getattr(card, name) for name in (*names, "unknown_score", "unknown_distance")}
