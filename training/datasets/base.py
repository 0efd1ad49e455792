"""What a data set gives: labelled clips of one or more people, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skeleton.frames import read_only
from skeleton.layout import Layout


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One recording of one performance.

    Attributes:
        label: Index into the data set's labels.
        subject: Number of the person (the first person, where there are two).
        repetition: Which repetition of the same action by the same person.
        times_s: (F,) float64 sensor times from 0, strictly increasing, seconds.
        joints: (F, M, V, 3) float32 meters, camera axes.
        state: (F, M, V) int8: 0 not tracked, 1 inferred, 2 tracked.
        camera: Number of the sensor, 0 where there is one.
        setup: Number of the arrangement of sensors, 0 where there is one.
        group: Recordings with the same group show the same performance and stay on one side of a split.
        is_correct: False where the person was asked to do the action badly.
    """

    label: int
    subject: int
    repetition: int
    times_s: np.ndarray
    joints: np.ndarray
    state: np.ndarray
    group: int
    camera: int = 0
    setup: int = 0
    is_correct: bool = True

    def __post_init__(self) -> None:
        times = read_only(self.times_s, np.float64, (-1,), name="times_s")
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "joints", read_only(self.joints, np.float32, (len(times), -1, -1, 3), name="joints"))
        object.__setattr__(self, "state", read_only(self.state, np.int8, self.joints.shape[:3], name="state"))


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """A data set that ``python -m training prepare`` can read.

    Attributes:
        name: Short name, as typed on the command line.
        title: What it is, for people.
        layout: The joints it measured.
        labels: K class names.
        read: Yields the clips of an archive; raises ``TrainingDataError`` for one that cannot be used.
        protocols: Who trains and who tests: names of ``training.protocols``.
        mirrored_labels: Label pairs that change places in a mirror image.
        persons: M, the most people in a clip.
        floor_y_m: Height of the floor in the data's own coordinates, or None where it is not known.
        license: Terms of the data.
    """

    name: str
    title: str
    layout: Layout
    labels: tuple[str, ...]
    read: Callable[[Path], Iterator[Clip]]
    protocols: tuple[str, ...] = ("odd-even", "loso")
    mirrored_labels: tuple[tuple[str, str], ...] = ()
    persons: int = 1
    floor_y_m: float | None = None
    license: str = ""
