"""Items that a test makes up to be prepared, and the table of what was refused."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from skeleton.layout import KINECT_V2
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, NoOptions

ON_LINUX = sys.platform == "linux"


DESCRIPTION = Description(name="made-up", layout=KINECT_V2, labels=("a", "b"), persons=2)


def refused(folder: Path) -> dict[str, str]:
    with (folder / "refused.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "reason"]
    return dict(rows[1:])


def items(count: int) -> tuple[Item, ...]:
    return tuple(Item(name=f"{n}", label=n % 2, subject=n, repetition=0, group=n) for n in range(count))


def look(path: Path, options: NoOptions) -> Listing:
    """As many items as the source's name says."""
    del options
    return Listing(DESCRIPTION, items(int(path.name)))


@contextmanager
def reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """Long clips of two people, each of other numbers."""
    del path, options, description
    joints, state = np.ones((300, 2, 25, 3), np.float32), np.full((300, 2, 25), 2, np.int8)
    yield lambda item: Clip(item, np.arange(300) / 30, joints * item.subject, state)


def made_up(read: object) -> DataSet:
    return DataSet(name="made-up", title="", source="", look=look, reader=read)  # type: ignore[arg-type]
