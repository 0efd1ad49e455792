"""What a data set gives: a list of its recordings that is cheap to make, and each of them as a labeled clip.

A data set is a row of ``table.DATASETS`` with two functions. ``look`` runs once: it says what the source holds (a
:class:`Listing`) from file names and small tables alone. ``reader`` runs in every process that prepares: it opens the
source and gives the function that turns one :class:`Item` into a :class:`Clip`. That function raises an ``AppError``
for a recording that cannot be used; its sentence goes into the table of refused files and preparing goes on.
Both are functions of a module, not lambdas: they travel to other processes by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skeleton.frames import read_only
from skeleton.layout import Layout

UNKNOWN_FLOOR = (float("nan"),) * 4


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of one performance, before it is read: all that is known from its name.

    Attributes:
        name: Its name within the source, which no other item has; "/" between folders.
        label: Index into the labels.
        subject: Number of the person (the first person, where there are two).
        repetition: Which repetition of the same action by the same person.
        group: Recordings with the same group show the same performance (synchronous cameras, duplicates); a split
            never puts them on two sides, unless it is one between cameras.
        camera: Number of the sensor, 0 where there is one.
        setup: Number of the arrangement of sensors, 0 where there is one.
        is_correct: False where the person was asked to do the action badly; None where nothing is known.
        size: Bytes to read; tells how much work and memory it takes.
        place: What else the reader needs to find it: numbers and texts.
    """

    name: str
    label: int
    subject: int
    repetition: int
    group: int
    camera: int = 0
    setup: int = 0
    is_correct: bool | None = None
    size: int = 0
    place: tuple[str | int | float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A recording that was read.

    Attributes:
        item: What it is of.
        times_s: (F,) float64 sensor times from 0, strictly increasing, seconds.
        joints: (F, M, V, 3) float32 meters, camera axes.
        state: (F, M, V) int8: 0 not tracked, 1 inferred, 2 tracked; 0 throughout for a person who is absent.
        floor: (4,) float32 plane (x, y, z, w) with n·p + w = 0 in the joints' coordinates, NaN where unknown.
    """

    item: Item
    times_s: np.ndarray
    joints: np.ndarray
    state: np.ndarray
    floor: np.ndarray | tuple[float, ...] = UNKNOWN_FLOOR

    def __post_init__(self) -> None:
        times = read_only(self.times_s, np.float64, (-1,), name="times_s")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "joints", read_only(self.joints, np.float32, (len(times), -1, -1, 3), name="joints"))
        object.__setattr__(self, "state", read_only(self.state, np.int8, self.joints.shape[:3], name="state"))
        object.__setattr__(self, "floor", read_only(np.asarray(self.floor), np.float32, (4,), name="floor"))


@dataclass(frozen=True, slots=True)
class Description:
    """What is true of all clips of a data set.

    Attributes:
        name: Short name, as typed on the command line.
        layout: The joints it measured.
        labels: K class names.
        protocols: Who trains and who tests: names of ``training.protocols``.
        mirrored_labels: Label pairs that change places in a mirror image.
        persons: M, the most people in a clip.
        license: Terms of the data.
        people: Names of people by their numbers, where it is names that tell them apart (see ``training.people``).
    """

    name: str
    layout: Layout
    labels: tuple[str, ...]
    protocols: tuple[str, ...] = ("odd-even", "loso")
    mirrored_labels: tuple[tuple[str, str], ...] = ()
    persons: int = 1
    license: str = ""
    people: Mapping[int, str] = field(default_factory=dict)


class Refusal(NamedTuple):
    """A file that is not in the cache, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source holds.

    Attributes:
        description: What is true of all its clips.
        items: Its recordings, in the order in which the cache will have them.
        refused: Files that are left out by their name alone, such as those on a published list of bad ones.
    """

    description: Description
    items: tuple[Item, ...]
    refused: tuple[Refusal, ...] = ()


Load = Callable[[Item], Clip]


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A data set without choices."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that ``python -m training prepare`` can read.

    Attributes:
        name: Short name, as typed on the command line.
        title: What it is, for people.
        source: What to give as its source, for people: "the folder", "the zip file as downloaded".
        look: (source, options) -> what it holds; raises ``TrainingDataError`` for a source that is something else.
        reader: (source, options, description) -> a context in which items can be loaded.
        description: What is known before a source is seen, or None where it depends on the source.
        options: A settings class (see ``skeleton.config``), for ``--set``.
    """

    name: str
    title: str
    source: str
    look: Callable[[Path, Any], Listing]
    reader: Callable[[Path, Any, Description], AbstractContextManager[Load]]
    description: Description | None = None
    options: type = NoOptions

    def clips(self, path: Path, options: Any = None) -> Iterator[Clip]:
        """Yields all clips of a source in this process; the first that cannot be used raises its ``AppError``."""
        options = self.options() if options is None else options
        listing = self.look(path, options)
        with self.reader(path, options, listing.description) as load:
            yield from map(load, listing.items)
