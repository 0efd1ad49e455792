"""How good the actions found in a stream are: matched in time, how late, how often wrong, how restless.

All measures are of segments (start, end, label) of one person, and count things, so that people can be added up.
Label -1 is nothing: nothing is done, or nothing is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OVERLAPS = (0.3, 0.5)
"""Temporal overlaps (intersection over union) from which a found action counts as the true one."""
LATE_S = 1.0
"""An action whose label appears this long after its end at most was still noticed, late."""
NOTHING = -1


class Segment(NamedTuple):
    """What is done, or found, from a time to a time.

    Attributes:
        start_s: Seconds.
        end_s: Seconds.
        label: Index of the class.
    """

    start_s: float
    end_s: float
    label: int


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What is shown of a person at each frame the person is in view.

    Attributes:
        times_s: (F,) seconds, rising.
        labels: (F,) class indices, -1 for nothing.
    """

    times_s: np.ndarray
    labels: np.ndarray


def overlap(one: Segment, other: Segment) -> float:
    """Returns the temporal intersection over union of two segments, 0..1."""
    both = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    either = max(one.end_s, other.end_s) - min(one.start_s, other.start_s)
    return max(0.0, both) / either if either > 0 else 1.0


def matched(truth: Sequence[Segment], found: Sequence[Segment], *, least: float) -> list[tuple[int, int]]:
    """Returns which true and which found segments belong together: (truth, found) indices, each at most once.

    Pairs of the same label with an overlap of at least ``least`` are taken in the order of their overlap, the largest
    first. F1 is that of Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection" (CVPR
    2017), F1@k, where a second segment on the same truth is a false one. They match found segments in the order of
    time instead: from an overlap of one half on the pairs are the same, below it hardly ever others.
    """
    pairs = [
        (overlap(true, one), i, j)
        for i, true in enumerate(truth)
        for j, one in enumerate(found)
        if true.label == one.label and one.start_s <= true.end_s and true.start_s <= one.end_s
    ]
    result: list[tuple[int, int]] = []
    used_true: set[int] = set()
    used_found: set[int] = set()
    for share, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if share >= least and i not in used_true and j not in used_found:
            result.append((i, j))
            used_true.add(i)
            used_found.add(j)
    return sorted(result)


def delays_s(truth: Sequence[Segment], shown: Shown) -> list[float]:
    """Returns for every action that was noticed how long after its start its label was first shown, seconds.

    Noticed is an action whose label is shown at any frame from its start to ``LATE_S`` after its end. This is when a
    person in front of the screen reads the label, not when an event is said to have begun afterwards.
    """
    result = []
    for start_s, end_s, label in truth:
        rows = slice(*np.searchsorted(shown.times_s, [start_s - 1e-6, end_s + LATE_S + 1e-6]))
        there = np.flatnonzero(shown.labels[rows] == label)
        if len(there):
            result.append(max(0.0, float(shown.times_s[rows][there[0]] - start_s)))
    return result


def false_alarms(truth: Sequence[Segment], found: Sequence[Segment]) -> int:
    """Returns how many found segments lie where no action is done: they overlap none, nor the ``LATE_S`` after it."""
    starts = np.array([true.start_s for true in truth])
    ends = np.array([true.end_s + LATE_S for true in truth])
    return sum(not np.any((starts < one.end_s) & (one.start_s < ends)) for one in found)


def changes(shown: Shown) -> int:
    """Returns how often what is shown changes; from and to nothing count as well."""
    return int(np.count_nonzero(np.diff(shown.labels)))


def flicker(truth: Sequence[Segment], found: Sequence[Segment]) -> int:
    """Returns how many found segments there are beyond one for each action, and beside all actions, whatever labels.

    Each belongs to the action that most of it lies in. A display that changes only when what is done changes has
    none, though what it says may be wrong.
    """
    owners = []
    for one in found:
        shared_s = [min(true.end_s, one.end_s) - max(true.start_s, one.start_s) for true in truth]
        if max(shared_s, default=0.0) > 0:
            owners.append(int(np.argmax(shared_s)))
    return len(found) - len(set(owners))


def edit_score(truth: Sequence[Segment], found: Sequence[Segment]) -> float:
    """Returns 1 - the edit distance of the two sequences of labels / the longer one's length, 0..1.

    The segmental edit score of Lea, Vidal, Hager, "Learning Convolutional Action Primitives for Fine-grained Action
    Recognition" (ICRA 2016), without their background: only the order counts, times do not.
    """
    one, other = ([segment.label for segment in sorted(side)] for side in (truth, found))
    longest = max(len(one), len(other))
    return 1.0 - _edit_distance(one, other) / longest if longest else 1.0


def _edit_distance(one: Sequence[int], other: Sequence[int]) -> int:
    """Levenshtein (1966): the fewest insertions, deletions and replacements that make one the other."""
    row = np.arange(len(other) + 1)
    places = np.arange(len(other) + 1)
    others = np.asarray(other, dtype=np.int64)
    for number, label in enumerate(one, start=1):
        best = np.minimum(row[1:] + 1, row[:-1] + (others != label))
        row = np.concatenate([[number], best])
        row = np.minimum.accumulate(row - places) + places  # insertions: each adds one to what is on its left
    return int(row[-1])


def runs(shown: Shown, *, step_s: float) -> list[Segment]:
    """Returns the runs of one label in what is shown as segments; the last frame of each lasts ``step_s``."""
    if not len(shown.labels):
        return []
    is_new = np.diff(shown.labels, prepend=shown.labels[0] - 1) != 0
    is_new[1:] |= np.diff(shown.times_s) > 0.5  # out of view
    starts = np.flatnonzero(is_new)
    lasts = np.append(starts[1:], len(is_new)) - 1
    return [
        Segment(float(shown.times_s[first]), float(shown.times_s[last]) + step_s, int(shown.labels[first]))
        for first, last in zip(starts, lasts)
        if shown.labels[first] != NOTHING
    ]


def idle_minutes(truth: Sequence[Segment], shown: Shown) -> float:
    """Returns for how long the person was in view and did nothing, less the ``LATE_S`` after each action, minutes."""
    steps = np.diff(shown.times_s)
    middle = (shown.times_s[:-1] + shown.times_s[1:]) / 2
    is_busy = np.zeros(len(middle), dtype=bool)
    for start_s, end_s, _ in truth:
        is_busy |= (middle >= start_s) & (middle <= end_s + LATE_S)
    return float(steps[~is_busy & (steps <= 0.5)].sum()) / 60


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Returns the chance that a known clip has a higher score than an unknown one; half for equal scores.

    The area under the curve of true over false acceptances (Hendrycks, Gimpel, "A Baseline for Detecting
    Misclassified and Out-of-Distribution Examples in Neural Networks", ICLR 2017), by the statistic of Mann and
    Whitney (1947).

    Args:
        known: (N,) scores of clips of classes that the model knows; high means known.
        unknown: (U,) scores of the others.
    """
    ordered = np.sort(unknown)
    below, up_to = np.searchsorted(ordered, known, side="left"), np.searchsorted(ordered, known, side="right")
    return float((below + up_to).mean() / 2 / len(unknown))


def fpr_at_95(known: np.ndarray, unknown: np.ndarray) -> float:
    """Returns the share of unknown clips that are taken for known ones where 95 % of the known are (as in the same
    paper's successors, e.g. Liang et al., "ODIN", ICLR 2018).

    The threshold is the highest that at least 95 % of the known scores reach.
    """
    kept = int(np.ceil(0.95 * len(known) - 1e-9))
    threshold = np.sort(known)[::-1][kept - 1]
    return float((unknown >= threshold).mean())


def quantile(values: Sequence[float], share: float) -> float | None:
    """Returns a quantile, or None of nothing."""
    return float(np.quantile(values, share)) if len(values) else None
