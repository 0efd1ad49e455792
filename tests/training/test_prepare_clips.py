"""Preparing clips that a test makes up: what says nothing is refused, memory stays small, a worker may end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from skeleton.errors import TrainingDataError
from tests.conftest import REPOSITORY
from tests.training.prepared import DESCRIPTION, ON_LINUX, items, made_up, refused
from training import cache, prepare
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, NoOptions

pytestmark = pytest.mark.usefixtures("small_chunks")


@contextmanager
def odd_reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """One clip that can be used, and all kinds that cannot."""
    del path, options, description

    def load(item: Item) -> Clip:
        frames = 0 if item.subject == 1 else 4
        joints, state = np.ones((frames, 1, 25, 3), np.float32), np.full((frames, 1, 25), 2)
        times_s = np.arange(frames) / 30
        if item.subject == 2:
            joints[:] = np.nan
        if item.subject == 3:
            times_s[2] = times_s[1]
        if item.subject == 4:
            raise ValueError("a mistake")
        if item.subject == 5:
            joints, state = joints[:, :, :20], state[:, :, :20]
        if item.subject == 6:
            state[:] = 0
        if item.subject == 7:
            joints[1, 0, 3] = np.inf
        return Clip(item, times_s, joints, state)

    yield load


@contextmanager
def ending_reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """Ends the process in the midst of its work, as the system does when memory is short."""
    del path, options, description

    def load(item: Item) -> Clip:
        if item.subject == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return Clip(item, np.arange(4) / 30, np.ones((4, 1, 25, 3)), np.full((4, 1, 25), 2))

    yield load


@contextmanager
def closed_reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """A source that went away after it was looked at."""
    raise TrainingDataError("The drive was unplugged.")
    yield


def test_a_clip_that_says_nothing_is_refused(tmp_path: Path) -> None:
    done = prepare.prepare(made_up(odd_reader), tmp_path / "8", tmp_path / "new", workers=1)
    sentences = ["at least one frame", "not a single joint", "times must increase", "ValueError: a mistake"]
    sentences += ["of 20", "not a single joint"]
    reasons = refused(tmp_path / "new")
    assert done.clips == 2 and list(reasons) == list("123456")
    assert all(sentence in reason for sentence, reason in zip(sentences, reasons.values()))
    opened = cache.open_cache(tmp_path / "new")
    assert np.isfinite(opened.joints).all()
    assert np.argwhere(opened.state[:, 0] == 0).tolist() == [[5, 3]]  # infinity is nowhere


def test_nothing_that_can_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"at least one clip that can be used, found none \(the first: 1: it"):
        prepare.prepare(
            DataSet("made-up", "", "", look_at_bad, odd_reader), tmp_path / "1", tmp_path / "new", workers=1
        )
    assert not list(tmp_path.iterdir())


def look_at_bad(path: Path, options: NoOptions) -> Listing:
    """One clip, and it cannot be used."""
    del path, options
    return Listing(DESCRIPTION, items(2)[1:])


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_worker_that_is_killed_ends_the_work_and_not_the_patience(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"ended from outside after \d+ of 40 files.*goes on from there"):
        prepare.prepare(made_up(ending_reader), tmp_path / "40", tmp_path / "new", workers=2)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_goes_away_is_one_sentence(tmp_path: Path, workers: int) -> None:
    with pytest.raises(TrainingDataError, match=r"The drive was unplugged\."):
        prepare.prepare(made_up(closed_reader), tmp_path / "40", tmp_path / "new", workers=workers)


MEASURED = """
import resource, sys
from pathlib import Path
from tests.training.prepared import made_up, reader
from training.prepare import prepare

prepare(made_up(reader), Path(sys.argv[1]), Path(sys.argv[2]), workers=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(not ON_LINUX, reason="the unit of ru_maxrss")
def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    peaks_mb = []
    for count in (100, 600):
        command = [sys.executable, "-c", MEASURED, str(count), str(tmp_path / str(count))]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        peaks_mb.append(int(done.stdout) / 1024)
    assert sum(file.stat().st_size for file in (tmp_path / "600").iterdir()) > 100e6
    assert peaks_mb[1] < peaks_mb[0] + 20
