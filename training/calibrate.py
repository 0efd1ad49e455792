"""Makes a model's confidence and thresholds true on people who did not train it, and writes it as a new file.

Only validation people are looked at: those whom the card names, or who are named and did not train. A model that
everybody of the training side trained has none: then its folds are asked, models of the same recipe, each of which
one of these people did not train. The temperature comes first; thresholds are of probabilities at that temperature;
both go into the new file, and the graph of the new file must give the old one's logits at the new temperature before
it takes its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
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
from training import temperature_fit, thresholds
from training.cache import open_cache
from training.held_out import Fold, Held, answers_of, clips_of, fold_of, held_of
from training.people import of_card
from training.scores import calibration, rounded
from training.streams import StreamConfig

TOLERANCE = 1e-4
"""Largest difference between the written graph and the arithmetic, in any probability."""
EDGE_S = 0.3
"""Where an action begins and ends is known to about so much."""
KNOWN_KEPT = 0.99
"""Share of the windows of known classes that the unknown rule lets pass."""
ALIKE = ("network", "labels", "layout", "joints", "frames", "span_s", "lag_s", "persons", "background", "temperature")
"""What a model and its folds have in common."""


def calibrate(
    model: Path,
    data: Path,
    protocol: str,
    output: Path,
    *,
    subjects: Sequence[int] = (),
    false_alarms: float = 1.0,
    background: Sequence[Path] = (),
    folds: Sequence[Path] = (),
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
        folds: ONNX files that are asked in place of ``model``, each about its own validation people.
        config: How streams are made of the clips.
        seed: What their order follows from.

    Raises:
        TrainingDataError: There are no validation people, or they trained the model that is asked about them; or a
            fold is of another kind than the model, or is asked about people whom another one is asked about.
        AppError: A file, cache or protocol that cannot be used, or a graph that cannot be calibrated.
    """
    cache = open_cache(data)
    recognizer = Recognizer(model, provider="cpu")
    card = recognizer.card
    others: dict[Path, tuple[Recognizer, np.ndarray]] = {}
    owner: dict[int, Path] = {}
    for file in folds or [model]:
        other = Recognizer(file, provider="cpu") if folds else recognizer
        _require_alike(other.card, card, file)
        clips = clips_of(cache, protocol, other.card, subjects)
        _require_once(np.unique(cache.clips["subject"][clips]).tolist(), file, owner)
        others[file] = other, clips
    asked = [
        fold_of(other, cache, clips, background=background, config=config, seed=seed)
        for other, clips in others.values()
    ]
    clips = np.concatenate([fold.clips for fold in asked])
    performances = [one for fold in asked for one in fold.performances]
    temperature = _temperature(card, asked)
    before = thresholds.judged(card, performances)
    warmed = dataclasses.replace(card, temperature=temperature)
    performances = [_warmed(one, card.temperature, temperature) for one in performances]
    ruled = _with_unknown_rule(warmed, performances)
    fitted, after = thresholds.fitted(ruled, performances, budget=false_alarms)

    report = {
        "subjects": np.unique(cache.clips["subject"][clips]).tolist(),
        "folds": len(folds),
        **({"never_left_out": sorted(of_card(card.trained_on, "subjects", cache) - owner.keys())} if folds else {}),
        "clips": len(clips),
        "scenes": asked[0].scenes,
        "false_alarms_asked": false_alarms,
        **_confidence(asked, card.temperature, temperature),
        **_decision(before, after),
    }
    # What was measured with the old temperature and thresholds does not hold for the new ones.
    chosen = dataclasses.replace(fitted, results={"calibration": report})
    proof = held_of(recognizer, cache, clips[:: len(asked)]) if folds else asked[0].held
    write(
        chosen,
        output,
        model=model,
        held=proof,
        logits=temperature_fit.logits_of(proof.probabilities, card.temperature),
    )
    return {"model": str(output), **report, **_thresholds(chosen)}


def _require_alike(other: ModelCard, card: ModelCard, file: Path) -> None:
    """Raises ``TrainingDataError`` unless a fold is a model of the same kind."""
    different = next((name for name in ALIKE if getattr(other, name) != getattr(card, name)), None)
    if different is not None:
        raise TrainingDataError(
            f"A fold must be a model like '{card.name}', but {file} has {different} "
            f"{getattr(other, different)!r} instead of {getattr(card, different)!r}.",
            remedy="Train the folds with the model's own recipe, and validation_subjects=1 validation_fold=0, 1 ...",
        )


def _require_once(people: Sequence[int], file: Path, owner: dict[int, Path]) -> None:
    """Notes who validates a model; raises ``TrainingDataError`` where somebody validated another one as well."""
    for person in people:
        if person in owner:
            raise TrainingDataError(
                f"A person counts once, but both {owner[person]} and {file} are asked about person {person}.",
                remedy="Name every fold once, each with validation people of its own.",
            )
        owner[person] = file


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
        found, embeddings = answers_of(again, held.windows)
        wanted = temperature_fit.softmax(logits, card.temperature)
        difference = float(np.abs(found - wanted).max())
        if again.card.to_json() != card.to_json() or not difference <= TOLERANCE:
            raise ModelContractError(
                f"The calibrated graph must give softmax(logits / {card.temperature:g}) to {TOLERANCE:g}, "
                f"but its probabilities differ by {difference:.3g}."
            )
        if not np.allclose(embeddings, held.embeddings, atol=TOLERANCE):
            raise ModelContractError("Calibration must leave all but the probabilities as they were, but did not.")


def _temperature(card: ModelCard, folds: Sequence[Fold]) -> float:
    """The temperature with the least loss on windows of clips, and on those of the streams.

    The latter are what people see the confidence of; without them a network that is right about every whole clip
    would be told to be sure of everything. Each action counts once there, and so much does all that lies between
    them, for a model with a background class. Windows about moments near the ends of an action are left out.
    """
    parts, labels, weights = (
        [fold.logits for fold in folds],
        [fold.held.labels for fold in folds],
        [fold.held.weights for fold in folds],
    )
    for one in (performance for fold in folds for performance in fold.performances):
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


def _warmed(one: thresholds.Performance, before: float, after: float) -> thresholds.Performance:
    """The same answers at another temperature."""
    probabilities = temperature_fit.softmax(temperature_fit.logits_of(one.answers.probabilities, before), after)
    return dataclasses.replace(one, answers=dataclasses.replace(one.answers, probabilities=probabilities))


def _with_unknown_rule(card: ModelCard, performances: Sequence[thresholds.Performance]) -> ModelCard:
    """The card with the numbers of its unknown rule: nearly all windows about the second half of a known action pass.

    The score alone cannot tell a person who stands from one who does something unknown, so it is used by models with
    a background class only; the distance by those with feature centers.
    """
    best, away = [], []
    for one in performances:
        rules = DecisionRules.of(one.card)
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


def _confidence(folds: Sequence[Fold], *temperatures: float) -> dict[str, Any]:
    """What the temperature did on the windows of the clips, at the old and at the new one."""
    logits = np.concatenate([fold.logits for fold in folds])
    labels, weights, is_whole = (
        np.concatenate([getattr(fold.held, name) for fold in folds]) for name in ("labels", "weights", "is_whole")
    )

    def both(measure: Callable[[float], float]) -> dict[str, float]:
        return dict(zip(("before", "after"), (rounded(measure(each)) for each in temperatures)))

    def error(rows: np.ndarray) -> dict[str, float]:
        return both(lambda each: calibration(labels[rows], temperature_fit.softmax(logits[rows], each))["ece"])

    return {
        "windows": len(labels),
        "temperature": both(float),
        "nll": both(lambda each: temperature_fit.nll(logits, labels, weights, each)),
        "ece": {"whole": error(is_whole), "live": error(~is_whole)},
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
