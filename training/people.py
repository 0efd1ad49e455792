"""Who is who where two caches, or a cache and a model's card, meet.

A published data set numbers its people, and the numbers are the same wherever it was prepared. One's own recordings
name people, and every folder numbers its names anew: there the same person is who has the same name. A card carries
a digest of each name instead of the name, because a model file is handed on.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np

from training.cache import Cache

DIGEST_LETTERS = 16


def spelled(name: str) -> str:
    """Returns a name without what differs from one way of writing it to another.

    That is case, spaces, "_" and "-", and the zeros before a number: 7, 07 and 007 are one.
    """
    text = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", name).casefold()).strip()
    if text.isdecimal():
        return "".join(str(unicodedata.decimal(digit)) for digit in text).lstrip("0") or "0"
    return text


def digest(name: str) -> str:
    """Returns what a card carries of a name: enough to know it again, not to read it."""
    return hashlib.sha256(spelled(name).encode("utf-8", errors="backslashreplace")).hexdigest()[:DIGEST_LETTERS]


def digests(cache: Cache, numbers: Iterable[int]) -> dict[str, str]:
    """Returns the digests of people by their numbers (as texts, for JSON); none where the cache names nobody."""
    return {str(number): digest(cache.people[number]) for number in numbers if number in cache.people}


def may_train(source: Cache, cache: Cache, trained: np.ndarray) -> np.ndarray:
    """Returns (clips of the source,) bool: who of another cache of the same data set may train as well.

    Those who train; and where people have names, strangers too. A number that is not among those who train may be
    that of a test person whose clips were not prepared.

    Args:
        source: The other cache.
        cache: The training data.
        trained: Indices of its clips that train.
    """
    subjects = source.clips["subject"]
    trainers = np.unique(cache.clips["subject"][trained]).tolist()
    if not (source.people and cache.people):
        return np.isin(subjects, trainers)
    others = {digest(name) for number, name in cache.people.items() if number not in trainers}
    return np.isin(subjects, [number for number, name in source.people.items() if digest(name) not in others])


def of_card(trained_on: dict[str, Any], side: str, cache: Cache) -> set[int]:
    """Returns the numbers in a cache of the people whom a card lists; none where it is of another data set.

    Args:
        trained_on: Of the card, which may be a stranger's and hold anything.
        side: "subjects" or "validation_subjects".
        cache: Where to find them.
    """
    listed = trained_on.get(side)
    if trained_on.get("dataset") != cache.dataset or not isinstance(listed, list):
        return set()
    numbers = {one for one in listed if isinstance(one, int)}
    named = trained_on.get("people")
    if not (isinstance(named, dict) and cache.people):
        return numbers
    wanted = {one for number in numbers if isinstance(one := named.get(str(number)), str)}
    return {number for number, name in cache.people.items() if digest(name) in wanted}
