"""Who trains, who validates and who tests.

People are never on two sides: a network that has seen a person move recognizes that person, not the action. Those who
validate come off the people who train; the test people are used by ``evaluate`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skeleton.errors import ConfigError, TrainingDataError
from training.cache import Cache

PROTOCOLS = {
    "odd-even": "people with an odd number train, people with an even number test",
    "loso-N": "everybody but person N trains, person N tests (leave one subject out)",
}
"""What can be given as --protocol."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Clip indices of a cache.

    Attributes:
        train: Clips to learn from.
        validation: Clips of other people, to choose an epoch and the settings by; may be empty.
        test: Clips of again other people, to be judged on once.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(cache: Cache, protocol: str, *, validation_subjects: int = 0, validation_fold: int = 0) -> Split:
    """Returns which clips train, validate and test.

    Args:
        cache: The prepared data set.
        protocol: A name from ``PROTOCOLS``, with a number in place of N.
        validation_subjects: How many of the training people validate instead.
        validation_fold: Which of them: the first is number ``validation_fold`` in the order of their numbers, counted
            from 0 and past the end from the beginning.

    Raises:
        ConfigError: An unknown protocol.
        TrainingDataError: A side stays empty, a class is missing from training, or a performance is on two sides.
    """
    subjects = np.asarray(cache.clips["subject"])
    is_test = _is_test(subjects, protocol)
    trainers = np.unique(subjects[~is_test])
    if is_test.all() or not is_test.any():
        raise TrainingDataError(
            f"The protocol {protocol} must leave people on both sides, but {cache.path} has subjects "
            f"{_listed(np.unique(subjects))}."
        )
    if not 0 <= validation_subjects < len(trainers):
        raise TrainingDataError(
            f"At least one person must be left to train, but validation_subjects is {validation_subjects} and "
            f"{protocol} gives {len(trainers)} (subjects {_listed(trainers)})."
        )
    validators = np.roll(trainers, -validation_fold)[:validation_subjects]
    is_validation = np.isin(subjects, validators)
    is_train = ~is_test & ~is_validation
    _check(cache, {"train": is_train, "validation": is_validation, "test": is_test})
    return Split(
        train=np.flatnonzero(is_train), validation=np.flatnonzero(is_validation), test=np.flatnonzero(is_test)
    )


def _is_test(subjects: np.ndarray, protocol: str) -> np.ndarray:
    if protocol == "odd-even":
        return subjects % 2 == 0
    name, _, number = protocol.partition("-")
    if name != "loso":
        raise ConfigError(f"There is no protocol '{protocol}'.", remedy=f"Known: {', '.join(PROTOCOLS)}.")
    known = np.unique(subjects)
    if not number.isdecimal() or int(number) not in known:
        raise ConfigError(
            f"Leave one subject out takes the person's number, such as loso-{known[0]}, found '{protocol}'.",
            remedy=f"Subjects: {_listed(known)}.",
        )
    return subjects == int(number)


def _check(cache: Cache, sides: dict[str, np.ndarray]) -> None:
    missing = sorted(set(range(len(cache.labels))) - set(cache.clips["label"][sides["train"]].tolist()))
    if missing:
        names = ", ".join(cache.labels[label] for label in missing[:5])
        raise TrainingDataError(f"Every class must have a clip to learn from, but training has none of: {names}.")
    groups = {name: set(cache.clips["group"][side].tolist()) for name, side in sides.items()}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = groups[one] & groups[other]
        if shared:
            raise TrainingDataError(
                f"A performance must stay on one side of a split, but {len(shared)} are in {one} and {other} "
                f"(group {min(shared)})."
            )


def _listed(numbers: np.ndarray) -> str:
    return ", ".join(str(number) for number in numbers.tolist())
