"""Numbers that say how good answers are: shares of right ones, F1, confusions, and how honest the confidence is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

RELIABILITY_BINS = 15
"""Bins of equal width, as in Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017)."""
MOST_CONFUSIONS = 10


def scores(truth: np.ndarray, answer: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Returns top1, macro_f1, the scores of each class, the confusion matrix and its largest mistakes.

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
            "recall": rounded(right[k] / max(of_truth[k], 1)),
            "precision": rounded(right[k] / max(of_answer[k], 1)),
            "f1": rounded(f1[k]),
        }
        for k, label in enumerate(labels)
    }
    wrong = confusion - np.diag(right)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    worst = [divmod(int(flat), len(labels)) for flat in order]
    return {
        "top1": share(truth == answer),
        "macro_f1": rounded(f1[of_truth > 0].mean()),
        "per_class": per_class,
        "confusions": [
            {"truth": labels[a], "answer": labels[b], "count": int(wrong[a, b])} for a, b in worst if wrong[a, b]
        ],
        "confusion": confusion.tolist(),
    }


def top_k(truth: np.ndarray, probabilities: np.ndarray, k: int) -> float:
    """Returns the share of samples whose class is among the k most probable ones.

    Args:
        truth: (N,) class indices.
        probabilities: (N, K).
        k: How many answers count; all of them where there are fewer.
    """
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return share((best == truth[:, None]).any(axis=1))


def calibration(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Returns the expected calibration error and the bins of the reliability diagram.

    The confidence of an answer is its probability. A bin holds the answers of about the same confidence; the error
    is the mean distance between confidence and share of right answers, weighted by the bins' sizes.

    Args:
        truth: (N,) class indices.
        probabilities: (N, K).
    """
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * RELIABILITY_BINS).astype(int) - 1, 0, RELIABILITY_BINS - 1)
    bins, error = [], 0.0
    for number in range(RELIABILITY_BINS):
        here = place == number
        row: dict[str, Any] = {
            "from": rounded(number / RELIABILITY_BINS),
            "to": rounded((number + 1) / RELIABILITY_BINS),
            "count": int(here.sum()),
        }
        if here.any():
            mean, right = float(confidence[here].mean()), float(is_right[here].mean())
            error += abs(mean - right) * here.mean()
            row |= {"confidence": rounded(mean), "top1": rounded(right)}
        bins.append(row)
    return {"ece": rounded(error), "reliability": bins}


def likely_range(top1: float, samples: int) -> tuple[float, float]:
    """Returns the 95 % interval (Wilson, 1927) of a share that was measured on so many independent samples."""
    z = 1.96
    center = (top1 + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z * math.sqrt(top1 * (1 - top1) / samples + z * z / (4 * samples * samples)) / (1 + z * z / samples)
    return max(0.0, center - half), min(1.0, center + half)


def share(is_right: np.ndarray) -> float:
    """Returns the share of True values, rounded."""
    return rounded(is_right.mean())


def rounded(value: float) -> float:
    """Returns a share with four digits: a hundredth of a percent."""
    return round(float(value), 4)
