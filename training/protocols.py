"""Who trains, who validates and who tests, by the names under which results are published.

A network that has seen a person move recognizes that person, not the action; so most protocols divide people. Those
who validate come off the training side; what is on the test side is read by ``evaluate`` alone. A performance that
several cameras saw, or that a data set holds twice, stays on one side, except between the sides of the published
cross-view protocols, which show the same performance to train and to test from different directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skeleton.errors import ConfigError, TrainingDataError
from training.cache import LEFT_OUT, Cache
from training.protocol_table import FOLDED, PROTOCOLS, Protocol


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
        ConfigError: There is none of this name (the remedy lists all), or its number is written another way.
    """
    stem, _, number = name.rpartition("-")
    if name in PROTOCOLS and PROTOCOLS[name].numbers is None:
        return PROTOCOLS[name], 0
    if f"{stem}-N" in PROTOCOLS and number.isdecimal() and len(number) < 10:
        if number != str(int(number)):  # results are told apart by the name
            raise ConfigError(
                f"A protocol's number must be written without zeros in front, found '{name}'.",
                remedy=f"Write '{stem}-{int(number)}'.",
            )
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


def divisions_in_all(cache: Cache, division: str) -> int:
    """Returns how many divisions the figure is a mean of to which this one belongs: 10 for "loso-3" of ten people."""
    stem = division.rpartition("-")[0]
    return len(folds(cache, stem)) if stem in FOLDED else 1


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
            f"would train and {int(is_test.sum())} test (subjects {_listed(np.unique(clips['subject']).tolist())}).",
            remedy="Record more people, or divide otherwise (--protocol).",
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
    return _taught(cache, {"train": is_train & ~is_validation, "validation": is_validation, "test": is_test})


def shared(values: np.ndarray, sides: dict[str, np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """Returns, for every two sides, the values (of people, of performances) that both have, where there are any."""
    pairs = (("train", "validation"), ("train", "test"), ("validation", "test"))
    found = {(one, other): np.intersect1d(values[sides[one]], values[sides[other]]) for one, other in pairs}
    return {pair: both for pair, both in found.items() if len(both)}


def _taught(cache: Cache, sides: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Takes the clips of labels that were left out off all sides."""
    is_taught = cache.clips["label"] != LEFT_OUT
    for side, is_there in sides.items():
        if is_there.any() and not (is_there & is_taught).any():
            raise TrainingDataError(
                f"Every side of a split must keep clips, but all clips of the {side} side of {cache.path} show "
                "labels that are left out."
            )
    return {side: is_there & is_taught for side, is_there in sides.items()}


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
        raise TrainingDataError(
            f"Every class must have a clip to learn from, but of {cache.path} nobody who trains shows: {names}.",
            remedy="Record more people, divide otherwise (--protocol, validation_subjects), or leave the label out.",
        )
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
