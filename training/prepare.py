"""Reads a data set into a cache with all cores; interrupted at any moment, the same command goes on.

Worker processes read items, a chunk at a time, and send them back as arrays; this process alone writes, in the order
of the list. So the cache is the same whatever the number of workers, and memory holds a few chunks however large the
set is. The folder that grows lies beside the cache and keeps its name between runs (``.NAME.part``).
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from skeleton.errors import TrainingDataError
from skeleton.replacing import replacing
from training.cache import VERSION
from training.cache_writer import PROGRESS, REFUSED, CacheWriter, Piece, exists_already, pack
from training.datasets.base import DataSet, Description, Item, Listing, Load
from training.locks import LOCK, locked

MOST_CHUNK_ITEMS = 64
CHUNK_BYTES = 8 << 20
"""Of source a chunk; a text of 8 MB becomes about 2 MB of joints."""
CHECKPOINT_S = 2.0
"""Between two checkpoints; this much work is lost when the computer goes off."""
MOST_WORKERS = 61
"""What Windows can wait for at once."""
PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Summary:
    """What was prepared.

    Attributes:
        clips: Clips in the cache.
        refused: Files in its refused.csv.
        resumed: Items that an interrupted run had done before.
        description: The data set.
    """

    clips: int
    refused: int
    resumed: int
    description: Description


def prepare(
    data_set: DataSet, source: Path, output: Path, *, options: Any = None, workers: int | None = None
) -> Summary:
    """Makes a cache of a data set.

    Args:
        data_set: A row of the table.
        source: Folder or archive.
        output: The cache; must be new.
        options: A value of ``data_set.options``, or None for its defaults.
        workers: Processes that read; None is one for every core.

    Raises:
        TrainingDataError: The source is something else, nothing in it can be used, the folder exists already, or the
            work was interrupted (the disk is full, a worker was ended, Ctrl-C): then the same call goes on.
    """
    if os.path.lexists(output):  # a link that leads nowhere too
        raise exists_already(output)
    options = data_set.options() if options is None else options
    listing = data_set.look(source, options)
    task = _Task(data_set, source, options, listing.description)
    folder = output.with_name(f".{output.name}.part")
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        _check_plan(folder, _plan(task, listing))
        with closing(CacheWriter(folder, listing.description)) as writer:
            resumed = writer.items
            _fill(writer, task, listing, workers or _cores())
            if writer.clips:
                writer.finish(source.resolve(), dataclasses.asdict(options))
            summary = Summary(writer.clips, writer.refused, resumed, listing.description)
    if not summary.clips:
        reason = _first_reason(folder)
        shutil.rmtree(folder, ignore_errors=True)
        raise TrainingDataError(f"{source} must hold at least one clip that can be used, found none{reason}.")
    os.replace(folder, output)
    for name in (PLAN, LOCK, PROGRESS):
        (output / name).unlink()
    return summary


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker has to know to read items."""

    data_set: DataSet
    source: Path
    options: Any
    description: Description

    @contextmanager
    def reader(self) -> Iterator[Load]:
        with self.data_set.reader(self.source, self.options, self.description) as load:
            yield load


def _fill(writer: CacheWriter, task: _Task, listing: Listing, workers: int) -> None:
    """Appends the items that the writer has not got yet."""
    total, saved = len(listing.items), time.monotonic()
    chunks = list(_chunks(listing.items[writer.items :]))
    try:
        if not (writer.items or writer.refused):
            writer.refuse(listing.refused)
        with (
            closing(_pieces(task, chunks, workers)) as pieces,
            tqdm(total=total, initial=writer.items, desc=task.data_set.name, unit="file", disable=None) as bar,
        ):
            for piece in pieces:
                writer.append(piece)
                bar.update(piece.items)
                if time.monotonic() - saved > CHECKPOINT_S:
                    writer.checkpoint()
                    saved = time.monotonic()
        writer.checkpoint()
    except KeyboardInterrupt:  # perhaps in the midst of writing: no checkpoint here, the last one is good
        raise _interrupted("Interrupted.") from None
    except BrokenProcessPool:
        writer.checkpoint()
        raise _interrupted(
            f"A process that reads files was ended from outside after {writer.items} of {total} files, perhaps "
            "because memory was short."
        ) from None


def _interrupted(message: str) -> TrainingDataError:
    return TrainingDataError(message, remedy="The same command goes on from there.")


def _chunks(items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
    """Cuts the list into pieces of work of a bounded number of items and bytes, at least one item each."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) == MOST_CHUNK_ITEMS or size + item.size > CHUNK_BYTES):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(item)
        size += item.size
    if chunk:
        yield tuple(chunk)


def _pieces(task: _Task, chunks: Sequence[tuple[Item, ...]], workers: int) -> Generator[Piece, None, None]:
    """Yields the chunks as they stand in the cache, in order."""
    workers = min(workers, len(chunks), MOST_WORKERS)
    if workers <= 1:
        with task.reader() as load:
            yield from (pack(task.description, load, chunk) for chunk in chunks)
        return
    # Spawned, as on Windows: a forked process would inherit threads' locks in whatever state they are.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (task,))
    waiting: deque[Future[Piece]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_work, chunk))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_worker: dict[str, Any] = {}
"""What a worker process keeps between chunks."""


def _start_worker(task: _Task) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the main process decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker["task"] = task


def _end_with_parent() -> None:
    """A worker whose main process was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)


def _work(chunk: Sequence[Item]) -> Piece:
    task: _Task = _worker["task"]
    if "load" not in _worker:  # opened with the first chunk, where an error has a way back
        _worker["files"] = ExitStack()
        _worker["load"] = _worker["files"].enter_context(task.reader())
    return pack(task.description, _worker["load"], chunk)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(task: _Task, listing: Listing) -> dict[str, Any]:
    """What an interrupted run must have been about for this one to go on with it."""
    digest = hashlib.sha256()
    for part in (listing.description, *listing.refused, *listing.items):
        digest.update(repr(part).encode("utf-8", errors="backslashreplace"))
    return {
        "version": VERSION,
        "dataset": task.data_set.name,
        "source": str(task.source.resolve()),
        "options": json.loads(json.dumps(dataclasses.asdict(task.options))),
        "files": digest.hexdigest(),
    }


def _check_plan(folder: Path, plan: dict[str, Any]) -> None:
    file = folder / PLAN
    if not file.is_file():
        with replacing(file) as temporary:  # one that is half written would belong to no preparation
            temporary.write_text(json.dumps(plan), encoding="utf-8")
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = {}
    different = [key for key in plan if not isinstance(found, dict) or found.get(key) != plan[key]]
    if different:
        raise TrainingDataError(
            f"{folder} holds an interrupted preparation that must be of the same data, but these differ: "
            f"{', '.join(different)}.",
            remedy="Repeat the command that was interrupted, or delete the folder.",
        )


def _first_reason(folder: Path) -> str:
    with (folder / REFUSED).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)  # the header
        return "".join(f" (the first: {name}: {reason.rstrip('.')})" for name, reason in islice(rows, 1))
