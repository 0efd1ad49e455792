"""Looks a prepared data set over before time is spent on training: what is in it, and what would spoil the result.

A finding either *spoils* training (the command ends with 1), is *doubtful* (look at it), or is a *note*.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from skeleton.layout import NOT_TRACKED, TRACKED
from training.cache import Cache
from training.doctor_splits import about_copies, about_splits
from training.findings import DOUBTFUL, MOST_STRANGE_CLIPS, NOTE, SPOILS, Finding, counted, listed, strange
from training.joint_quality import Quality, measure

SHORT_S = 0.3
"""No action is shorter; neither is a window that a model takes."""
LONG_S = 30.0
"""A clip that is longer probably holds more than its action."""
MOST_IMBALANCE = 3.0
"""Clips of the largest class for one of the smallest, beyond which a network learns to prefer the large ones."""
TORSO_M = (0.2, 1.0)
"""Height of a head above the hips; anything else is no meter."""
BONE_FACTOR = 1.8
"""A bone that differs by more from its usual length belongs to somebody whom the sensor did not see well; a child's
are about two thirds of an adult's."""
SHORTEST_BONE_M, COPY_M = 0.1, 1e-3
LARGEST_TABLE = 16 << 20


def examine(cache: Cache, protocol: str | None = None) -> dict[str, Any]:
    """Returns everything the command prints, as plain numbers and texts.

    Args:
        cache: The prepared data set.
        protocol: Judge this one's split; None judges all that the data set is published with.

    Raises:
        ConfigError: There is no such protocol.
    """
    quality = measure(cache)
    splits, split_findings = about_splits(cache, quality, protocol)
    findings = [*_about_clips(cache, quality), *_about_joints(cache, quality), *split_findings]
    order = (SPOILS, DOUBTFUL, NOTE)
    return {
        "cache": str(cache.path),
        "dataset": cache.dataset,
        "layout": cache.layout.name,
        "clips": len(cache),
        "frames": int(cache.clips["frames"].sum()),
        "persons": cache.persons,
        "refused": len(_refused(cache)),
        "frames_a_clip": _range(cache.clips["frames"]),
        "seconds_a_clip": _range(_durations_s(cache)),
        "rate_hz": _range(1 / quality.step_s[quality.step_s > 0]),
        "classes": _counts(cache, "label", names=cache.labels),
        "subjects": _counts(cache, "subject"),
        "cameras": _counts(cache, "camera"),
        "setups": _counts(cache, "setup"),
        "joints": [
            {
                "joint": joint,
                "tracked": round(float(quality.tracked[number]), 4),
                "inferred": round(float(quality.inferred[number]), 4),
                "jumps": int(quality.jumps[:, number].sum()),
                "frozen_clips": int(quality.frozen[:, number].sum()),
            }
            for number, joint in enumerate(cache.layout.joints)
        ],
        "protocols": splits,
        "findings": [
            {"severity": finding.severity, "sentence": finding.sentence}
            for finding in sorted(findings, key=lambda finding: order.index(finding.severity))
        ],
    }


def _about_clips(cache: Cache, quality: Quality) -> Iterator[Finding]:
    """What the index says: classes, people, lengths, times, copies."""
    per_class = np.bincount(cache.clips["label"], minlength=len(cache.labels))
    missing = [cache.labels[label] for label in np.flatnonzero(per_class == 0)]
    if missing:
        yield Finding(SPOILS, f"No clip shows {listed(missing)}.")
    elif per_class.max() > MOST_IMBALANCE * per_class.min():
        large, small = int(per_class.argmax()), int(per_class.argmin())
        yield Finding(
            DOUBTFUL,
            f"Classes are unequal: '{cache.labels[large]}' has {per_class[large]} clips, '{cache.labels[small]}' "
            f"{per_class[small]}; a network will prefer the first.",
        )
    if len(cache.labels) < 2:
        yield Finding(SPOILS, "There is only one class, so there is nothing to tell apart.")
    people = {
        label: np.unique(cache.clips["subject"][cache.clips["label"] == label]) for label in range(len(per_class))
    }
    alone = [cache.labels[label] for label, who in people.items() if len(who) == 1]
    if len(np.unique(cache.clips["subject"])) == 1:
        rest = (
            "only --protocol takes divides them, and" if "takes" in cache.protocols else "nobody is left to test on:"
        )
        yield Finding(
            DOUBTFUL if "takes" in cache.protocols else SPOILS,
            f"All clips show one person: {rest} how well others are recognized stays open.",
        )
    elif alone:
        yield Finding(
            DOUBTFUL, f"Only one person shows {listed(alone)}: a network may learn the person instead of the action."
        )
    sided = [label for label in cache.labels if _is_one_sided(label, cache)]
    if sided:
        yield Finding(
            DOUBTFUL,
            f"The mirror image of {listed(sided)} has no class of its own: train with --set mirror_share=0.",
        )
    yield from strange(cache, _with_damaged_times(cache), "with times that do not increase", severity=SPOILS)
    durations_s = _durations_s(cache)
    yield from strange(cache, durations_s < SHORT_S, f"shorter than {SHORT_S} s", severity=DOUBTFUL)
    yield from strange(cache, durations_s > LONG_S, f"longer than {LONG_S:.0f} s: cut to the action?")
    yield from strange(cache, quality.gaps > 0, "with a gap in time, in which the sensor was away")
    yield from strange(cache, quality.empty * 2 > cache.clips["frames"], "with nobody in more than half the frames")
    yield from strange(
        cache, quality.repeated * 4 > cache.clips["frames"], "in which more than a quarter of the frames repeat"
    )
    yield from about_copies(cache, quality)
    refused = _refused(cache)
    if refused:
        severity = DOUBTFUL if len(refused) > MOST_STRANGE_CLIPS * len(cache) else NOTE
        yield Finding(
            severity,
            f"{counted(len(refused), 'file')} left out (see refused.csv); the first: "
            f"{': '.join(refused[0]).rstrip('.')}.",
        )


def _about_joints(cache: Cache, quality: Quality) -> Iterator[Finding]:
    """What the positions say: units, axes, joints that were never measured, jump, freeze or stretch."""
    joints, seen = cache.layout.joints, quality.tracked + quality.inferred
    if quality.not_finite.any():
        yield Finding(SPOILS, f"{int(quality.not_finite.sum())} coordinates are not numbers.")
    what = f"with states of joints other than {NOT_TRACKED} to {TRACKED}"
    yield from strange(cache, quality.strange_states > 0, what, severity=SPOILS)
    rise_m = np.nanmedian(quality.rise_m) if np.isfinite(quality.rise_m).any() else np.nan
    if rise_m < -TORSO_M[0]:
        yield Finding(SPOILS, f"The head is {-rise_m:.2f} m below the hips: y must point up.")
    elif np.isfinite(rise_m) and not TORSO_M[0] <= rise_m <= TORSO_M[1]:
        yield Finding(
            SPOILS,
            f"The head is {rise_m:.2f} above the hips, which must be meters between {TORSO_M[0]} and {TORSO_M[1]}.",
        )
    if (quality.turn_m < 0).sum() > 0.9 * max(1, np.isfinite(quality.turn_m).sum()):
        yield Finding(DOUBTFUL, "Nearly nobody faces the sensor; left and right may be exchanged.")
    yield from strange(cache, quality.nearest_m <= 0, "with joints behind the sensor: z must point away from it")
    never = [joint for joint, share in zip(joints, seen) if share == 0]
    if never:
        yield Finding(DOUBTFUL, f"Never seen: {listed(never)}; a layout without them would be smaller.")
    rare = [f"{joint} ({share:.0%})" for joint, share in zip(joints, seen) if 0 < share < 0.5]
    if rare:
        yield Finding(DOUBTFUL, f"Seen in less than half of the frames: {listed(rare)}.")
    typical_m = np.array([np.nanmedian(row) if np.isfinite(row).any() else np.nan for row in quality.bones_m.T])
    names = [f"{joints[a]}-{joints[b]}" for a, b in cache.layout.bones]
    copies = [name for name, length in zip(names, typical_m) if length < COPY_M]
    if copies:
        yield Finding(DOUBTFUL, f"Joints at the same place, so one is a copy: {listed(copies)}.")
    is_long = typical_m >= SHORTEST_BONE_M
    ratio = quality.bones_m[:, is_long] / typical_m[is_long]
    is_far = (ratio > BONE_FACTOR) | (ratio < 1 / BONE_FACTOR)
    is_strange = is_far.any(axis=1)
    if is_strange.any():
        worst = np.array(names)[is_long][is_far[is_strange].sum(axis=0).argmax()]
        what = f"with a bone {BONE_FACTOR} times longer or shorter than usual (most often {worst})"
        yield from strange(cache, is_strange, what, badness=is_far.sum(axis=1))
    yield from strange(cache, quality.jumps.any(axis=1), "in which a joint jumps", badness=quality.jumps.sum(axis=1))
    yield from strange(cache, quality.frozen.all(axis=1), "in which nothing moves at all", severity=DOUBTFUL)
    is_part = quality.frozen.any(axis=1) & ~quality.frozen.all(axis=1)
    still = [joints[joint] for joint in np.flatnonzero(quality.frozen[is_part].any(axis=0))]
    yield from strange(cache, is_part, f"in which a joint is frozen ({listed(still)})")


def _is_one_sided(label: str, cache: Cache) -> bool:
    words = label.lower().replace("_", " ").split()
    index = cache.labels.index(label)
    return bool({"left", "right"} & set(words)) and cache.mirror_labels[index] == index


def _with_damaged_times(cache: Cache) -> np.ndarray:
    """(clips,) bool: a time is no number, or not after the one before, in the same clip."""
    times_s, clips = np.asarray(cache.times_s), cache.clips
    is_wrong = ~np.isfinite(times_s)
    is_wrong[1:] |= ~(np.diff(times_s) > 0)
    is_wrong[clips["start"]] = ~np.isfinite(times_s[clips["start"]])  # each clip's clock begins anew
    return np.array([is_wrong[cache.rows(index)].any() for index in range(len(cache))])


def _durations_s(cache: Cache) -> np.ndarray:
    last = cache.clips["start"] + cache.clips["frames"] - 1
    return np.asarray(cache.times_s[last] - cache.times_s[cache.clips["start"]])


def _refused(cache: Cache) -> list[list[str]]:
    file = cache.path / "refused.csv"
    if not file.is_file() or file.stat().st_size > LARGEST_TABLE:
        return []
    with file.open(encoding="utf-8", errors="replace", newline="") as lines:
        return [row for row in csv.reader(lines) if row][1:]  # below the names of the columns


def _counts(cache: Cache, field: str, *, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    counted = Counter(cache.clips[field].tolist())
    keys = range(len(names)) if names else sorted(counted)
    return [{field: names[key] if names else key, "clips": counted[key]} for key in keys]


def _range(values: np.ndarray) -> list[float]:
    """Smallest, median, largest."""
    if not len(values):
        return []
    return [round(float(value), 3) for value in (values.min(), np.median(values), values.max())]
