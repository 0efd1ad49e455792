"""Whether the heat tells the truth: does hiding the hottest joints take the model's answer away?

For every clip of the test side the window that the app sees when the clip ends. Its joints are hidden one after
another, the hottest first, and the score (probability) of what the model answered before is asked for again. The
faster it falls, the more the heat says about the answer. Beside it random orders, and the coldest joints first.

Joints are hidden as ``live.evidence`` hides them ("unseen": never seen in the window), or otherwise ("still": they
keep their first place, so that only their movement is gone). The second is a check: evidence asks by the first, and
would be good at predicting its own measure even if it meant nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from live.evidence import evidence, without
from live.heat_kinds import HeatKind, coupled
from live.recognizer import Recognizer
from live.view import Recognition
from skeleton.errors import ConfigError, ModelContractError
from skeleton.window import Window
from training import protocols
from training.cache import Cache, open_cache
from training.clip_windows import duration_s, live_window
from training.evaluate import trained_on_tested
from training.scores import rounded
from training.taught import taught_to

HOTTEST = 5
"""Joints that the test hides, against as many random ones."""
DRAWS = 5
"""Random orders of a clip."""
BATCH = 64
HIDINGS = ("unseen", "still")


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Scores of N clips while their joints are hidden, one after another.

    Attributes:
        orders: Key of each order: (kind, "hot" or "cold"), or ("random", number of the draw).
        scores: (N, O, V + 1) score of the first answer with 0..V joints hidden.
        falls: (N, V) evidence of every joint.
    """

    orders: tuple[tuple[str, str], ...]
    scores: np.ndarray
    falls: np.ndarray


def faithfulness(
    model: Path,
    data: Path,
    protocol: str,
    *,
    hiding: str = HIDINGS[0],
    clips: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    provider: str = "cpu",
) -> dict[str, Any]:
    """Returns how faithful each kind of heat is on the test side of a protocol, ready for JSON.

    Args:
        model: The ONNX file.
        data: The cache.
        protocol: Who tests.
        hiding: How joints are hidden, one of ``HIDINGS``.
        clips: At most so many, drawn from the test side; None takes all.
        draws: Random orders of every clip.
        seed: Of the random orders, and of the clips drawn.
        provider: Where it runs, see ``live.recognizer``.

    Raises:
        AppError: A file, cache or protocol that cannot be used, or a model of too few joints.
    """
    if hiding not in HIDINGS:
        raise ConfigError(f"Joints can be hidden as {' or '.join(HIDINGS)}, found '{hiding}'.")
    recognizer = Recognizer(model, provider=provider)
    card = recognizer.card
    cache = taught_to(open_cache(data), card)
    if len(card.joints) <= HOTTEST:
        raise ModelContractError(f"The model {model} must have more than {HOTTEST} joints to hide as many.")
    test = protocols.split(cache, protocol).test
    random = np.random.default_rng(seed)
    offered = len(test)
    if clips is not None and clips < offered:
        test = np.sort(random.choice(test, clips, replace=False))
    subjects = np.asarray(cache.clips["subject"][test])
    curves = measure(recognizer, windows_of(cache, test, recognizer), hiding=hiding, draws=draws, random=random)
    return {
        "dataset": cache.dataset,
        "protocol": protocol,
        "model": model.name,
        "name": card.name,
        "samples": len(test),
        "offered": offered,
        "subjects": np.unique(subjects).tolist(),
        "trained_on_tested": trained_on_tested(card.trained_on, cache, protocol, test),
        "hiding": hiding,
        "draws": draws,
        "seed": seed,
        "hidden": HOTTEST,
        **summary(curves, subjects),
        "falls": _falls(curves.falls, card.joints),
    }


def windows_of(cache: Cache, clips: np.ndarray, recognizer: Recognizer) -> Iterator[Window]:
    """Yields of every clip the window that the app sees when the clip ends."""
    for clip in clips:
        yield live_window(cache, int(clip), recognizer.card, end_s=duration_s(cache, int(clip)))


def measure(
    recognizer: Recognizer, windows: Iterator[Window], *, hiding: str, draws: int, random: np.random.Generator
) -> Curves:
    """Hides the joints of every window in the order of each kind of heat, backwards, and in random orders."""
    names: tuple[tuple[str, str], ...] = ()
    scores, falls = [], []
    for window in windows:
        orders, label, fall = orders_of(recognizer, window)
        joints = len(fall)
        orders |= {("random", str(draw)): random.permutation(joints) for draw in range(draws)}
        names = tuple(orders)
        scores.append(_curves(recognizer, window, label, list(orders.values()), hiding))
        falls.append(fall)
    return Curves(names, np.stack(scores), np.stack(falls))


def orders_of(recognizer: Recognizer, window: Window) -> tuple[dict[tuple[str, str], np.ndarray], int, np.ndarray]:
    """Returns the joints from hot to cold and back for every kind, the model's answer, and (V,) its evidence."""
    (answer,) = recognizer.recognize([window])
    person, label = _person(window), int(answer.probabilities.argmax())
    heats = {kind: heat_of(kind, recognizer, window, answer, label=label, person=person) for kind in HeatKind}
    orders = {}
    for kind, heat in heats.items():
        hot = np.argsort(-heat, kind="stable")
        orders[kind.value, "hot"], orders[kind.value, "cold"] = hot, hot[::-1]
    return orders, label, heats[HeatKind.EVIDENCE]


def heat_of(
    kind: HeatKind, recognizer: Recognizer, window: Window, answer: Recognition, *, label: int, person: int
) -> np.ndarray:
    """Returns (V,) the heat of a kind, as the app shows it, for the model's answer about a window."""
    if kind is HeatKind.SPATIAL:
        return np.abs(answer.joint_attention[person])
    if kind is HeatKind.COUPLED:
        return coupled(answer.joint_attention[person], answer.frame_attention[person])
    return evidence(recognizer, window, label, probability=float(answer.probabilities[label]), person=person)


def hide(window: Window, joints: Sequence[int], hiding: str) -> Window:
    """Returns the window with some joints hidden: never seen, or seen only where they were first."""
    person = _person(window)
    hidden = without(window, joints, person=person)
    if hiding == "unseen":
        return hidden
    seen = hidden.seen.copy()
    for joint in joints:
        if window.seen[person, :, joint].any():
            seen[person, int(window.seen[person, :, joint].argmax()), joint] = True
    return Window(window.body_ids, window.end_s, window.joints, seen)


def summary(curves: Curves, subjects: np.ndarray) -> dict[str, Any]:
    """Returns the mean curves, the areas under them, and the test: the five hottest against five random joints.

    Args:
        curves: Of N clips.
        subjects: (N,) whose clips they are.
    """
    rows = {key: curves.scores[:, place] for place, key in enumerate(curves.orders)}
    random = np.mean([row for (kind, _), row in rows.items() if kind == "random"], axis=0)  # (N, V + 1)
    kinds = {}
    for kind in HeatKind:
        hot, cold = rows[kind.value, "hot"], rows[kind.value, "cold"]
        lead = random[:, HOTTEST] - hot[:, HOTTEST]
        by_subject = {str(subject): rounded(lead[subjects == subject].mean()) for subject in np.unique(subjects)}
        kinds[kind.value] = {
            "curve": _mean(hot),
            "reverse": _mean(cold),
            "area": rounded(_area(hot).mean()),
            "area_reverse": rounded(_area(cold).mean()),
            "fall": rounded((hot[:, 0] - hot[:, HOTTEST]).mean()),
            "lead": rounded(lead.mean()),
            "lead_deviation": rounded(lead.std()),
            "lead_share": rounded((lead > 0).mean()),
            "lead_by_subject": by_subject,
        }
    return {
        "score": rounded(random[:, 0].mean()),
        "kinds": kinds,
        "random": {
            "curve": _mean(random),
            "area": rounded(_area(random).mean()),
            "fall": rounded((random[:, 0] - random[:, HOTTEST]).mean()),
        },
    }


def described(result: dict[str, Any]) -> str:
    """Returns the result as a few lines."""
    count = result["hidden"]
    lines = [
        f"{result['model']} on {result['dataset']} {result['protocol']}, "
        f"{result['samples']} of {result['offered']} clips, joints "
        f"{'never seen' if result['hiding'] == 'unseen' else 'held still'}; the score of the answer is "
        f"{result['score']:.3f}",
        f"  {'':10} area under the curve   its reverse   score less {count} joints   beyond {count} random ones",
    ]
    for kind, row in result["kinds"].items():
        lines.append(
            f"  {kind:10} {row['area']:20.3f} {row['area_reverse']:13.3f} {-row['fall']:+21.3f}"
            f"   {row['lead']:+.3f} +- {row['lead_deviation']:.3f}, in {100 * row['lead_share']:.0f} % of the clips"
        )
    row = result["random"]
    lines.append(f"  {'random':10} {row['area']:20.3f} {'':13} {-row['fall']:+21.3f}")
    if result["trained_on_tested"]:
        lines.append(f"  the model was TRAINED on people who test here: {result['trained_on_tested']}")
    return "\n".join(lines)


def _curves(
    recognizer: Recognizer, window: Window, label: int, orders: Sequence[np.ndarray], hiding: str
) -> np.ndarray:
    """(O, V + 1) score of a class with ever more joints hidden; a set of joints is asked about once."""
    sets = [[frozenset(order[:count].tolist()) for count in range(len(order) + 1)] for order in orders]
    asked = list(dict.fromkeys(joints for row in sets for joints in row))
    found: dict[frozenset[int], float] = {}
    for start in range(0, len(asked), BATCH):
        part = asked[start : start + BATCH]
        answers = recognizer.recognize([hide(window, sorted(joints), hiding) for joints in part])
        found |= {joints: float(answer.probabilities[label]) for joints, answer in zip(part, answers)}
    return np.array([[found[joints] for joints in row] for row in sets])


def _person(window: Window) -> int:
    """The first person who is there."""
    return int(window.seen.any(axis=(1, 2)).argmax())


def _area(scores: np.ndarray) -> np.ndarray:
    """(N,) area under curves (N, V + 1) over the share of joints hidden, 0..1; the lower the more faithful."""
    return (scores[:, 1:] + scores[:, :-1]).mean(axis=1) / 2


def _mean(scores: np.ndarray) -> list[float]:
    return [rounded(value) for value in scores.mean(axis=0)]


def _falls(falls: np.ndarray, joints: Sequence[str]) -> dict[str, Any]:
    """What evidence looks like: where a scale for it may end, and which joints it names."""
    count = np.bincount(falls.argmax(axis=1), minlength=len(joints))
    return {
        "percentiles": {str(at): rounded(np.percentile(falls, at)) for at in (5, 25, 50, 75, 95, 99)},
        "highest_percentiles": {str(at): rounded(np.percentile(falls.max(axis=1), at)) for at in (5, 25, 50, 75, 95)},
        "mean": {name: rounded(value) for name, value in zip(joints, falls.mean(axis=0))},
        "hottest": {name: int(number) for name, number in zip(joints, count)},
    }
