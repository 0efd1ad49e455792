"""What the doctor can say of a data set, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.cache import Cache

SPOILS, DOUBTFUL, NOTE = "spoils training", "doubtful", "note"
MOST_STRANGE_CLIPS = 0.05
"""Share of clips with jumps, strange bones or repeated frames, beyond which they are doubtful and no mere note."""
SHOWN = 3
"""Clips, classes, joints named in a finding."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know: how bad it is, and one sentence."""

    severity: str
    sentence: str


def strange(
    cache: Cache,
    is_strange: np.ndarray,
    what: str,
    *,
    severity: str | None = None,
    badness: np.ndarray | None = None,
) -> Iterator[Finding]:
    """A finding about the clips of a mask, worst first, unless there are none."""
    clips = np.flatnonzero(is_strange)
    if not len(clips):
        return
    if badness is not None:
        clips = clips[np.argsort(-badness[clips], kind="stable")]
    if severity is None:
        severity = DOUBTFUL if len(clips) > MOST_STRANGE_CLIPS * len(cache) else NOTE
    named = ", ".join(f"{index} ({name_of(cache, index)})" for index in clips[:SHOWN])
    more = " ..." if len(clips) > SHOWN else ""
    yield Finding(severity, f"{len(clips)} of {len(cache)} clips {what}: {named}{more}.")


def name_of(cache: Cache, index: int) -> str:
    """The end of a clip's name: long paths hide what they tell apart."""
    return "/".join(cache.name(index).split("/")[-2:])


def counted(number: int, noun: str) -> str:
    """How many there are: "1 clip", "2 clips"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
