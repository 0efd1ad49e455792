"""Who trains, who validates and who tests, by the names under which results are published.

A network that has seen a person move recognizes that person, not the action; so most protocols divide people. Those
who validate come off the training side; what is on the test side is read by ``evaluate`` alone. A performance that
several cameras saw, or that a data set holds twice, stays on one side, except between the sides of the published
cross-view protocols, which show the same performance to train and to test from different directions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from skeleton.errors import ConfigError, TrainingDataError
from training.cache import Cache

NTU_TRAINERS = (
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38,
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94,
    95, 97, 98, 100, 103,
)  # fmt: skip
"""Who trains in NTU RGB+D 120 X-Sub; those up to 40 are exactly who trains in NTU RGB+D 60."""

UESTC_TRAINERS = (
    1, 2, 6, 12, 13, 16, 21, 24, 28, 29, 30, 31, 33, 35, 39, 41, 42, 45, 47, 50, 52, 54, 55, 57, 59, 61, 63, 64, 67,
    69, 70, 71, 73, 77, 81, 84, 86, 87, 88, 90, 91, 93, 96, 99, 102, 103, 104, 107, 108, 112, 113,
)  # fmt: skip
"""Who trains in UESTC CS, from the code of the data set's authors."""

UESTC_VARYING = 8
"""The direction of UESTC whose second camera moves; CS and CV leave it out, its first camera too."""

Sides = tuple[np.ndarray, np.ndarray]
"""Two masks over the clips: who trains, who tests. A clip may be on neither side."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to divide the clips of a data set.

    Attributes:
        meaning: Who trains and who tests, for people.
        sides: (index of clips, number in the name) -> who trains, who tests.
        numbers: What may stand in place of N: index of clips -> numbers. None for a name without a number.
        validation: Field of the index whose values come off the training side to validate: whole people, or whole
            set-ups where the protocol has all people on both sides.
        shares_people: The published protocol has people on both sides.
        shares_performances: The published protocol has a performance on both sides, from different directions.
    """

    meaning: str
    sides: Callable[[np.ndarray, int], Sides]
    numbers: Callable[[np.ndarray], list[int]] | None = None
    validation: str = "subject"
    shares_people: bool = False
    shares_performances: bool = False


def view_of(clips: np.ndarray) -> np.ndarray:
    """Returns the view of UESTC clips: 0 in front, 1..7 the second camera's directions, -1 with the moving camera."""
    view = np.where(clips["camera"] == 1, 0, clips["setup"])
    return np.where(clips["setup"] == UESTC_VARYING, -1, view)


def _subjects(clips: np.ndarray) -> list[int]:
    return np.unique(clips["subject"]).tolist()


def _odd_even(clips: np.ndarray, _: int) -> Sides:
    is_even = clips["subject"] % 2 == 0
    return ~is_even, is_even


def _leave_one_out(clips: np.ndarray, number: int) -> Sides:
    is_test = clips["subject"] == number
    return ~is_test, is_test


def _ntu_subjects(clips: np.ndarray, _: int) -> Sides:
    is_train = np.isin(clips["subject"], NTU_TRAINERS)
    return is_train, ~is_train


def _ntu_views(clips: np.ndarray, _: int) -> Sides:
    return np.isin(clips["camera"], (2, 3)), clips["camera"] == 1


def _ntu_setups(clips: np.ndarray, _: int) -> Sides:
    is_even = clips["setup"] % 2 == 0
    return is_even, ~is_even


def _uestc_subjects(clips: np.ndarray, _: int) -> Sides:
    is_train, is_fixed = np.isin(clips["subject"], UESTC_TRAINERS), view_of(clips) >= 0
    return is_train & is_fixed, ~is_train & is_fixed


def _one_view(clips: np.ndarray, number: int) -> Sides:
    view = view_of(clips)
    return view == number, (view >= 0) & (view != number)


def _even_views(clips: np.ndarray, _: int) -> Sides:
    view = view_of(clips)
    return (view >= 0) & (view % 2 == 0), (view >= 0) & (view % 2 == 1)


def _odd_views(clips: np.ndarray, _: int) -> Sides:
    return _even_views(clips, 0)[::-1]


def _varying_view(clips: np.ndarray, _: int) -> Sides:
    # The first camera does not move while the second does: its clips of that direction show no varying view.
    return view_of(clips) >= 0, (clips["setup"] == UESTC_VARYING) & (clips["camera"] == 2)


PROTOCOLS = MappingProxyType(
    {
        "odd-even": Protocol("people with an odd number train, people with an even number test", _odd_even),
        "loso-N": Protocol(
            "everybody but person N trains, person N tests (leave one subject out)", _leave_one_out, numbers=_subjects
        ),
        "xsub": Protocol(
            "NTU RGB+D: the 20 published people of 40 train (53 of 106 in NTU RGB+D 120), the others test",
            _ntu_subjects,
        ),
        "xview": Protocol(
            "NTU RGB+D 60: cameras 2 and 3 train, camera 1 tests; the same people and performances are on both sides",
            _ntu_views,
            shares_people=True,
            shares_performances=True,
        ),
        "xset": Protocol(
            "NTU RGB+D 120: set-ups with an even number train, with an odd one test; most people are on both sides",
            _ntu_setups,
            validation="setup",
            shares_people=True,
        ),
        "cs": Protocol(
            "UESTC cross-subject: the 51 published people train, the other 67 test; all fixed views", _uestc_subjects
        ),
        "cv1-N": Protocol(
            "UESTC cross-view I: view N trains (0 is in front), the seven others test; all people on both sides",
            _one_view,
            numbers=lambda clips: list(range(UESTC_VARYING)),
            shares_people=True,
            shares_performances=True,
        ),
        "cv2-even": Protocol(
            "UESTC cross-view II: views 0, 2, 4, 6 train, 1, 3, 5, 7 test; all people on both sides",
            _even_views,
            shares_people=True,
            shares_performances=True,
        ),
        "cv2-odd": Protocol(
            "UESTC cross-view II the other way: views 1, 3, 5, 7 train, 0, 2, 4, 6 test; all people on both sides",
            _odd_views,
            shares_people=True,
            shares_performances=True,
        ),
        "av": Protocol(
            "UESTC arbitrary view: the eight fixed views train, the moving camera tests; all people on both sides",
            _varying_view,
            shares_people=True,
        ),
    }
)
"""What can be given as --protocol, with a number in place of N."""

FOLDED = MappingProxyType({"loso": ("loso-N",), "cv1": ("cv1-N",), "cv2": ("cv2-even", "cv2-odd")})
"""Protocols whose published figure is the mean over several divisions, each of which trains a network of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Clip indices of a cache.

    Attributes:
        train: Clips to learn from.
        validation: Clips to choose an epoch and the settings by, off the training side; may be empty.
        test: Clips to be judged on once.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def find(name: str) -> tuple[Protocol, int]:
    """Returns the protocol of a name such as "xsub" or "loso-3", and the number in the name (0 where there is none).

    Raises:
        ConfigError: There is none of this name; the remedy lists all.
    """
    stem, _, number = name.rpartition("-")
    if name in PROTOCOLS and PROTOCOLS[name].numbers is None:
        return PROTOCOLS[name], 0
    if f"{stem}-N" in PROTOCOLS and number.isdecimal() and len(number) < 10:
        return PROTOCOLS[f"{stem}-N"], int(number)
    raise ConfigError(f"There is no protocol '{name}'.", remedy=f"Known: {', '.join(PROTOCOLS)}.")


def folds(cache: Cache, name: str) -> tuple[str, ...]:
    """Returns the divisions whose mean is the figure of a protocol: ("loso-1", "loso-2", ...) for "loso".

    A protocol that is one division is the only one in its list.

    Raises:
        ConfigError: There is no such protocol.
    """
    if name not in FOLDED:
        find(name)
        return (name,)
    _check_offered(cache, name)
    result = []
    for division in FOLDED[name]:
        numbers = PROTOCOLS[division].numbers
        result += [division] if numbers is None else [f"{division[:-1]}{n}" for n in numbers(cache.clips)]
    return tuple(result)


def split(cache: Cache, protocol: str, *, validation_subjects: int = 0, validation_fold: int = 0) -> Split:
    """Returns which clips train, validate and test.

    Args:
        cache: The prepared data set.
        protocol: A name from ``PROTOCOLS``, with a number in place of N.
        validation_subjects: How many of the training people validate instead (of the training set-ups, for xset).
        validation_fold: Which of them: the first is number ``validation_fold`` in the order of their numbers, counted
            from 0 and past the end from the beginning.

    Raises:
        ConfigError: An unknown protocol, or one that is several divisions.
        TrainingDataError: A side stays empty, a class is missing from training, or a performance is on two sides.
    """
    masks = divide(cache, protocol, validation_subjects=validation_subjects, validation_fold=validation_fold)
    _check(cache, masks, find(protocol)[0])
    return Split(**{side: np.flatnonzero(mask) for side, mask in masks.items()})


def divide(
    cache: Cache, protocol: str, *, validation_subjects: int = 0, validation_fold: int = 0
) -> dict[str, np.ndarray]:
    """Returns masks over the clips, "train", "validation" and "test", as :func:`split` but unchecked for leaks."""
    if protocol in FOLDED:
        raise ConfigError(
            f"The figure of {protocol} is a mean over divisions that each train a network of their own.",
            remedy=f"Name one: {', '.join(folds(cache, protocol))}.",
        )
    kind, number = find(protocol)
    _check_offered(cache, protocol)
    clips = cache.clips
    if kind.numbers is not None and number not in kind.numbers(clips):
        known = kind.numbers(clips)
        stem = protocol.rpartition("-")[0]
        raise ConfigError(
            f"The protocol {stem} takes a number that the data has, such as {stem}-{known[0]}, found '{protocol}'.",
            remedy=f"Numbers: {_listed(known)}.",
        )
    is_train, is_test = kind.sides(clips, number)
    if not is_train.any() or not is_test.any():
        raise TrainingDataError(
            f"The protocol {protocol} must leave clips on both sides, but of {cache.path} {int(is_train.sum())} "
            f"would train and {int(is_test.sum())} test (subjects {_listed(_subjects(clips))})."
        )
    units = np.asarray(clips[kind.validation])
    trainers = np.unique(units[is_train])
    if not 0 <= validation_subjects < len(trainers):
        what = "person" if kind.validation == "subject" else kind.validation
        raise TrainingDataError(
            f"At least one {what} must be left to train, but validation_subjects is {validation_subjects} and "
            f"{protocol} gives {len(trainers)} ({kind.validation}s {_listed(trainers.tolist())})."
        )
    is_validation = is_train & np.isin(units, np.roll(trainers, -validation_fold)[:validation_subjects])
    return {"train": is_train & ~is_validation, "validation": is_validation, "test": is_test}


def shared(values: np.ndarray, sides: dict[str, np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """Returns, for every two sides, the values (of people, of performances) that both have, where there are any."""
    pairs = (("train", "validation"), ("train", "test"), ("validation", "test"))
    found = {(one, other): np.intersect1d(values[sides[one]], values[sides[other]]) for one, other in pairs}
    return {pair: both for pair, both in found.items() if len(both)}


def _check_offered(cache: Cache, name: str) -> None:
    stem, _, number = name.rpartition("-")
    division = f"{stem}-N" if number.isdecimal() else name
    offered = {part for known in cache.protocols for part in (known, *FOLDED.get(known, ()))}
    if division not in offered:
        raise ConfigError(
            f"The data set {cache.dataset} has no protocol '{name}'.", remedy=f"It has: {', '.join(cache.protocols)}."
        )


def _check(cache: Cache, sides: dict[str, np.ndarray], protocol: Protocol) -> None:
    missing = sorted(set(range(len(cache.labels))) - set(cache.clips["label"][sides["train"]].tolist()))
    if missing:
        names = ", ".join(cache.labels[label] for label in missing[:5])
        raise TrainingDataError(f"Every class must have a clip to learn from, but training has none of: {names}.")
    for (one, other), groups in shared(np.asarray(cache.clips["group"]), sides).items():
        if other == "test" and protocol.shares_performances:
            continue  # as published
        raise TrainingDataError(
            f"A performance must stay on one side of a split, but {len(groups)} are in {one} and {other} "
            f"(group {groups[0]})."
        )


def _listed(numbers: list[int]) -> str:
    few = ", ".join(str(number) for number in numbers[:20])
    return f"{few} ... {numbers[-1]}" if len(numbers) > 20 else few
