"""What the doctor says of a data set's splits: their sizes, and what is on two sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from skeleton.errors import TrainingDataError
from training import protocols
from training.cache import Cache
from training.findings import DOUBTFUL, NOTE, SHOWN, SPOILS, Finding, name_of
from training.joint_quality import Quality


def about_splits(cache: Cache, quality: Quality, protocol: str | None) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Sizes of the sides of every division, and what is wrong with them."""
    result, findings, reasons = [], [], []
    wanted = [protocol] if protocol else list(cache.protocols)
    for name in wanted:
        divisions = protocols.folds(cache, name)
        problems = []
        for division in divisions:
            try:
                sides = protocols.divide(cache, division)
                protocols.split(cache, division)
            except TrainingDataError as error:
                problems.append(f"{division}: {error.message}")
                continue
            kind = protocols.find(division)[0]
            row = {"name": division, "train": int(sides["train"].sum()), "test": int(sides["test"].sum())}
            for field in ("subject", "group"):
                shared = protocols.shared(np.asarray(cache.clips[field]), sides).get(("train", "test"), ())
                row[f"shared_{field}s"] = len(shared)
            copied = _crossing(quality, sides)
            row["copies_across"] = len(copied)
            result.append(row)
            if copied and not kind.shares_performances:
                pair = " = ".join(name_of(cache, index) for index in copied[0])
                problems.append(f"{division}: {len(copied)} test clips are copies of training clips; first: {pair}")
        if problems:
            reasons.append(problems[0].rstrip("."))
            more = f" ({len(problems) - 1} more like it)" if len(problems) > 1 else ""
            findings.append(Finding(SPOILS if protocol else DOUBTFUL, f"Protocol {reasons[-1]}{more}."))
    if wanted and len(reasons) == len(wanted) and not protocol:
        findings.append(Finding(SPOILS, f"Every protocol of the data set is spoiled; the first, {reasons[0]}."))
    findings += _as_published(result)
    return result, findings


def _as_published(splits: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """What a protocol itself has on both sides; to be known by who reads its figures."""
    for row in splits:
        if row["shared_groups"]:
            yield Finding(
                NOTE,
                f"Protocol {row['name']} has {row['shared_subjects']} people and {row['shared_groups']} performances "
                f"on both sides, as it is defined.",
            )
        elif row["shared_subjects"]:
            yield Finding(
                NOTE,
                f"Protocol {row['name']} has {row['shared_subjects']} people on both sides, as it is defined.",
            )


def about_copies(cache: Cache, quality: Quality) -> Iterator[Finding]:
    """Clips that are exact copies of others."""
    same = _same(quality)
    if not same:
        return
    labels, groups = cache.clips["label"], cache.clips["group"]
    contradicting = [clips for clips in same if len(set(labels[clips].tolist())) > 1]
    if contradicting:
        one, other = (
            contradicting[0][0],
            next(i for i in contradicting[0] if labels[i] != labels[contradicting[0][0]]),
        )
        yield Finding(
            SPOILS,
            f"{len(contradicting)} recordings stand under two labels; the first: {name_of(cache, one)} "
            f"('{cache.labels[labels[one]]}') and {name_of(cache, other)} ('{cache.labels[labels[other]]}').",
        )
    known = [clips for clips in same if len(set(groups[clips].tolist())) == 1]
    unknown = [clips for clips in same if len(set(groups[clips].tolist())) > 1]
    if known:
        yield Finding(NOTE, f"{sum(map(len, known)) - len(known)} clips are copies, which the data set says itself.")
    if unknown:
        count = sum(map(len, unknown)) - len(unknown)
        first = " = ".join(name_of(cache, index) for index in unknown[0][:SHOWN])
        yield Finding(DOUBTFUL, f"{count} clips are exact copies of others; the first: {first}.")


def _crossing(quality: Quality, sides: dict[str, np.ndarray]) -> list[tuple[int, int]]:
    """Pairs (training clip, test clip) that are exact copies, one for each test clip."""
    found = []
    for clips in _same(quality):
        train = [index for index in clips if sides["train"][index]]
        found += [(train[0], index) for index in clips if train and sides["test"][index]]
    return found


def _same(quality: Quality) -> list[list[int]]:
    """Clips with equal content, where there are several."""
    where: dict[bytes, list[int]] = defaultdict(list)
    for index, digest in enumerate(quality.digest):
        where[digest].append(index)
    return [clips for clips in where.values() if len(clips) > 1]
