"""Measures a model file on the people it was not trained on, through the recognizer that the app uses.

Two numbers, for two ways of use: ``top1`` of whole clips, each cut to the model's frames as usual;
and ``top1_live`` of windows of the model's own seconds, every ``LIVE_STEP_S``, averaged over the clip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ModelContractError
from skeleton.window import Window, cut
from training import protocols
from training.cache import Cache, open_cache

LIVE_STEP_S = 0.2
"""Between two windows of one clip. The app recognizes at every frame; neighbors in time say nearly the same."""
BATCH = 64
HELD_RATE_HZ = 30.0
MOST_CONFUSIONS = 10


def evaluate(model: Path, data: Path, protocol: str, *, provider: str = "cpu") -> dict[str, Any]:
    """Returns the results of a model file on the test side of a protocol, ready for JSON.

    Raises:
        AppError: A file, cache or protocol that cannot be used, or a model of other classes than the data's.
    """
    cache = open_cache(data)
    recognizer = Recognizer(model, provider=provider)
    card = recognizer.card
    if card.labels != cache.labels:
        raise ModelContractError(
            f"The model {model} must recognize the classes of {cache.dataset}, but it recognizes "
            f"{len(card.labels)} others ({', '.join(card.labels[:3])} ...)."
        )
    test = protocols.split(cache, protocol).test
    truth = np.asarray(cache.clips["label"][test])
    whole = _probabilities(recognizer, cache, test, is_live=False)
    live = _probabilities(recognizer, cache, test, is_live=True)
    return {
        "dataset": cache.dataset,
        "protocol": protocol,
        "samples": len(test),
        "subjects": np.unique(cache.clips["subject"][test]).tolist(),
        **scores(truth, whole.argmax(axis=1), cache.labels),
        "top1_live": _share(live.argmax(axis=1) == truth),
        "span_s": card.span_s,
        "model": model.name,
        "name": card.name,
        "network": card.network,
        "seed": card.trained_on.get("seed"),
        "provider": recognizer.provider,
    }


def scores(truth: np.ndarray, answer: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Returns top1, macro_f1, the scores of each class and the most frequent confusions.

    Args:
        truth: (N,) class indices.
        answer: (N,) class indices.
        labels: K class names.
    """
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (truth, answer), 1)
    right, of_truth, of_answer = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = 2 * right / np.maximum(of_truth + of_answer, 1)
    per_class = {
        label: {
            "samples": int(of_truth[k]),
            "recall": _rounded(right[k] / max(of_truth[k], 1)),
            "precision": _rounded(right[k] / max(of_answer[k], 1)),
            "f1": _rounded(f1[k]),
        }
        for k, label in enumerate(labels)
    }
    wrong = confusion - np.diag(right)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    worst = [divmod(int(flat), len(labels)) for flat in order]
    return {
        "top1": _share(truth == answer),
        "macro_f1": _rounded(f1[of_truth > 0].mean()),
        "per_class": per_class,
        "confusions": [
            {"truth": labels[a], "answer": labels[b], "count": int(wrong[a, b])} for a, b in worst if wrong[a, b]
        ],
    }


def whole_window(cache: Cache, index: int, card: ModelCard) -> Window:
    """Returns one clip from its first to its last frame as a window of the model."""
    duration_s = float(cache.track(index)[0][-1])
    return _window(cache, index, card, start_s=0.0, end_s=duration_s)


def live_windows(cache: Cache, index: int, card: ModelCard) -> list[Window]:
    """Returns the windows of the model's span that lie in a clip.

    A clip shorter than the span gives one, in which the people hold their first pose before it begins.
    """
    duration_s = float(cache.track(index)[0][-1])
    ends = np.arange(duration_s, min(card.span_s, duration_s) - 1e-9, -LIVE_STEP_S)[::-1]
    return [_window(cache, index, card, start_s=end - card.span_s, end_s=float(end)) for end in ends]


def _window(cache: Cache, index: int, card: ModelCard, *, start_s: float, end_s: float) -> Window:
    order = cache.layout.select(card.joints)
    joints = np.zeros((card.persons, card.frames, len(order), 3), dtype=np.float32)
    seen = np.zeros(joints.shape[:3], dtype=bool)
    for person in range(min(card.persons, cache.persons)):
        track = _held(*cache.track(index, person), start_s=start_s)
        joints[person], seen[person] = cut(
            track[0], track[1][:, order], track[2][:, order], start_s=start_s, end_s=end_s, frame_count=card.frames
        )
    ids = tuple(person if seen[person].any() else -1 for person in range(card.persons))
    return Window(body_ids=ids, end_s=end_s, joints=joints, seen=seen)


def _held(
    times_s: np.ndarray, joints: np.ndarray, seen: np.ndarray, *, start_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lets a track begin at ``start_s``, in its first pose, where it begins later."""
    count = int(np.ceil((times_s[0] - start_s) * HELD_RATE_HZ))
    if count <= 0:
        return times_s, joints, seen
    before = np.linspace(start_s, times_s[0], count, endpoint=False)
    return (
        np.concatenate([before, times_s]),
        np.concatenate([np.repeat(joints[:1], count, axis=0), joints]),
        np.concatenate([np.repeat(seen[:1], count, axis=0), seen]),
    )


def _probabilities(recognizer: Recognizer, cache: Cache, indices: np.ndarray, *, is_live: bool) -> np.ndarray:
    """(N, K) mean probabilities of the windows of each clip."""
    card = recognizer.card
    total = np.zeros((len(indices), len(card.labels)))
    count = np.zeros(len(indices))

    def windows() -> Iterator[tuple[int, Window]]:
        for row, index in enumerate(indices):
            for window in live_windows(cache, index, card) if is_live else [whole_window(cache, index, card)]:
                yield row, window

    for batch in _batched(windows()):
        answers = recognizer.recognize([window for _, window in batch])
        for (row, _), answer in zip(batch, answers):
            total[row] += answer.probabilities
            count[row] += 1
    return total / count[:, None]


def _batched(items: Iterator[tuple[int, Window]]) -> Iterator[list[tuple[int, Window]]]:
    batch: list[tuple[int, Window]] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _share(is_right: np.ndarray) -> float:
    return _rounded(is_right.mean())


def _rounded(value: float) -> float:
    return round(float(value), 4)
