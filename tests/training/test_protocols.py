"""Who trains and who tests: nobody is on two sides, and what cannot work is said in one sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import AppError, ConfigError, TrainingDataError
from training import protocols
from training.cache import Cache, open_cache


@pytest.fixture
def opened(synthetic: Path) -> Cache:
    return open_cache(synthetic)


def people(opened: Cache, indices: np.ndarray) -> list[int]:
    return np.unique(opened.clips["subject"][indices]).tolist()


def with_clips(opened: Cache, **columns: np.ndarray) -> Cache:
    clips = np.array(opened.clips)
    for name, values in columns.items():
        clips[name] = values
    return dataclasses.replace(opened, clips=clips)


@pytest.mark.parametrize(
    ("protocol", "validation", "fold", "train", "validate", "test"),
    [
        pytest.param("odd-even", 0, 0, [1, 3], [], [2, 4], id="odd people train"),
        pytest.param("odd-even", 1, 0, [3], [1], [2, 4], id="the first training person validates"),
        pytest.param("odd-even", 1, 1, [1], [3], [2, 4], id="the second validates"),
        pytest.param("odd-even", 1, 2, [3], [1], [2, 4], id="counted on from the beginning"),
        pytest.param("loso-3", 0, 0, [1, 2, 4], [], [3], id="one person tests"),
        pytest.param("loso-3", 2, 1, [1], [2, 4], [3], id="two validate"),
    ],
)
def test_people_are_divided_as_the_protocol_says(
    opened: Cache, protocol: str, validation: int, fold: int, train: list, validate: list, test: list
) -> None:
    split = protocols.split(opened, protocol, validation_subjects=validation, validation_fold=fold)
    assert people(opened, split.train) == train
    assert people(opened, split.validation) == validate
    assert people(opened, split.test) == test
    everything = np.concatenate([split.train, split.validation, split.test])
    assert sorted(everything.tolist()) == list(range(len(opened)))


@pytest.mark.parametrize(
    ("protocol", "validation", "sentence"),
    [
        pytest.param("cross-moon", 0, "no protocol 'cross-moon'.*odd-even", id="unknown name"),
        pytest.param("loso", 0, "Name one: loso-1, loso-2", id="nobody left out"),
        pytest.param("loso-9", 0, "Numbers: 1, 2, 3, 4", id="a person who is not there"),
        pytest.param("odd-even", 2, "At least one person must be left to train", id="all validate"),
    ],
)
def test_what_cannot_be_divided_is_one_sentence(opened: Cache, protocol: str, validation: int, sentence: str) -> None:
    with pytest.raises(AppError, match=sentence):
        protocols.split(opened, protocol, validation_subjects=validation)


def test_one_person_alone_cannot_train_and_test(opened: Cache) -> None:
    alone = with_clips(opened, subject=np.full(len(opened), 3))
    with pytest.raises(TrainingDataError, match="clips on both sides"):
        protocols.split(alone, "odd-even")


def test_a_class_that_nobody_shows_in_training_is_named(opened: Cache) -> None:
    is_odd_squat = (opened.clips["label"] == 2) & (opened.clips["subject"] % 2 == 1)
    without = with_clips(opened, label=np.where(is_odd_squat, 0, opened.clips["label"]))
    with pytest.raises(TrainingDataError, match=r"nobody who trains shows: squat\. Record more people"):
        protocols.split(without, "odd-even")


def test_a_performance_on_two_sides_is_refused(opened: Cache) -> None:
    groups = np.array(opened.clips["group"])
    groups[np.flatnonzero(opened.clips["subject"] == 2)[0]] = groups[np.flatnonzero(opened.clips["subject"] == 1)[0]]
    with pytest.raises(TrainingDataError, match="train and test"):
        protocols.split(with_clips(opened, group=groups), "odd-even")


@pytest.mark.parametrize("number", ["016", "٣"])
def test_a_division_has_one_spelling(number: str) -> None:
    with pytest.raises(ConfigError, match=rf"Write 'loso-{int(number)}'"):
        protocols.find(f"loso-{number}")
