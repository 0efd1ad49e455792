"""Makes a cache (see ``training/cache.py``) piece by piece: any size in little memory, and interrupted without loss.

The arrays grow on disk, in the order of the items, in a folder beside the cache. A checkpoint says how far they were
good; whoever opens the folder again cuts them back to that and goes on. The headers of the .npy files are written at
the end, so nothing in the folder can be taken for a finished array before.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skeleton.errors import AppError, TrainingDataError
from skeleton.replacing import replacing_folder
from training.cache import CLIP_FIELDS, LONGEST_S, VERSION
from training.datasets.base import Clip, Description, Item, Load, Refusal

HEADER_BYTES = 1024
"""Room for the header of a .npy file, written when the number of rows is known; the longest has about 300."""
PROGRESS = "progress.json"
REFUSED = "refused.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some clips as they stand in a cache; ``start`` and ``name_end`` are counted from the piece's own beginning.

    Attributes:
        arrays: The arrays of a cache, by name.
        refused: Items that could not be used.
        items: How many items it is made of, clips and refusals.
    """

    arrays: dict[str, np.ndarray]
    refused: tuple[Refusal, ...]
    items: int


def pack(description: Description, load: Load, items: Sequence[Item]) -> Piece:
    """Loads items and lays them out as in a cache. What cannot be used becomes a refusal."""
    clips, refused = [], []
    for item in items:
        try:
            clips.append(_checked(load(item), description))
        except AppError as error:
            refused.append(Refusal(item.name, error.message))
        except MemoryError:
            refused.append(Refusal(item.name, "it needs more memory than the computer has"))
        except Exception as error:  # noqa: BLE001 - a worker's top: one odd file must not end the work on all others
            refused.append(Refusal(item.name, f"this program failed at it ({type(error).__name__}: {error})"))
    return _laid_out(description, clips, refused)


def _laid_out(description: Description, clips: Sequence[Clip], refused: Sequence[Refusal]) -> Piece:
    frames = [len(clip.times_s) for clip in clips]
    names = [clip.item.name.encode("utf-8", errors="backslashreplace") for clip in clips]
    shape = (sum(frames), description.persons, len(description.layout))
    joints, state = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.int8)
    index = np.zeros(len(clips), CLIP_FIELDS)
    index["start"], index["frames"] = np.cumsum([0, *frames[:-1]])[: len(clips)], frames
    index["name_end"] = np.cumsum([len(name) for name in names])
    for row, clip in zip(index, clips):
        rows, persons = slice(row["start"], row["start"] + row["frames"]), clip.joints.shape[1]
        # Here and nowhere later: what is not a number counts as not seen, and every number in a cache is one.
        is_finite = _is_finite(clip.joints)
        place = joints[rows, :persons]
        place[...] = clip.joints
        place[~is_finite] = 0
        state[rows, :persons] = clip.state * is_finite
        row["persons"] = state[rows].any(axis=0).any(axis=-1).sum()
        row["floor"] = clip.floor
        row["is_correct"] = -1 if clip.item.is_correct is None else clip.item.is_correct
        for name in ("label", "subject", "repetition", "camera", "setup", "group"):
            row[name] = getattr(clip.item, name)
    arrays = {
        "joints": joints,
        "state": state,
        "times": np.concatenate([np.empty(0), *(clip.times_s for clip in clips)]),
        "clips": index,
        "names": np.frombuffer(b"".join(names), np.uint8),
    }
    return Piece(arrays, tuple(refused), items=len(clips) + len(refused))


def _is_finite(joints: np.ndarray) -> np.ndarray:
    """(F, M, V) bool: which joints have three numbers; ``all`` over so short an axis would take thrice the time."""
    x, y, z = np.moveaxis(np.isfinite(joints), -1, 0)
    result: np.ndarray = x & y & z
    return result


def _checked(clip: Clip, description: Description) -> Clip:
    times = clip.times_s
    if not len(times):
        raise TrainingDataError("it must hold at least one frame, found none")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise TrainingDataError("its times must increase")
    if times[-1] - times[0] > LONGEST_S:
        raise TrainingDataError(
            f"it must last at most {LONGEST_S / 3600:g} h, found {(times[-1] - times[0]) / 3600:.1f}: cut it into "
            "pieces, or its clock leapt"
        )
    if clip.joints.shape[1] > description.persons or clip.joints.shape[2] != len(description.layout):
        raise TrainingDataError(
            f"it must hold at most {description.persons} people of {len(description.layout)} joints, found "
            f"{clip.joints.shape[1]} of {clip.joints.shape[2]}"
        )
    if not (_is_finite(clip.joints) & (clip.state > 0)).any():
        raise TrainingDataError("not a single joint is seen in it")
    if not 0 <= clip.item.label < len(description.labels):
        raise TrainingDataError(f"its label must be below {len(description.labels)}, found {clip.item.label}")
    return clip


class CacheWriter:
    """Grows the arrays of a cache in a folder.

    Args:
        folder: Exists; empty, or left by a writer that was interrupted: then this one goes on after its checkpoint.
        description: The data set.
    """

    def __init__(self, folder: Path, description: Description) -> None:
        self._folder = folder
        self._description = description
        progress = _progress(folder)
        self.items: int = progress["items"]
        """How many items are done, refused ones included."""
        self.refused: int = progress["refused"]
        shape = (description.persons, len(description.layout))
        kinds: dict[str, tuple[np.dtype, tuple[int, ...]]] = {
            "joints": (np.dtype("<f4"), (*shape, 3)),
            "state": (np.dtype("i1"), shape),
            "times": (np.dtype("<f8"), ()),
            "clips": (CLIP_FIELDS, ()),
            "names": (np.dtype("u1"), ()),
        }
        self._arrays = {
            name: _GrowingArray(folder / f"{name}.npy", dtype, row, rows=progress["rows"].get(name, 0))
            for name, (dtype, row) in kinds.items()
        }
        self._table = _opened(folder / REFUSED, progress["table_bytes"], is_new=not progress["table_bytes"])
        if not progress["table_bytes"]:
            self._table.write(b"file,reason\n")

    @property
    def clips(self) -> int:
        """How many clips are in."""
        return self._arrays["clips"].rows

    def append(self, piece: Piece) -> None:
        """Writes a piece after the ones before."""
        index = piece.arrays["clips"].copy()
        index["start"] += self._arrays["joints"].rows
        index["name_end"] += self._arrays["names"].rows
        with _writing(self._folder):
            for name, array in (piece.arrays | {"clips": index}).items():
                self._arrays[name].append(array)
        self.refuse(piece.refused)
        self.items += piece.items

    def refuse(self, refused: Iterable[Refusal]) -> None:
        """Writes rows into the table of files that are left out."""
        for refusal in refused:
            line = io.StringIO()
            csv.writer(line, lineterminator="\n").writerow(refusal)
            with _writing(self._folder):
                self._table.write(line.getvalue().encode("utf-8", errors="backslashreplace"))
            self.refused += 1

    def checkpoint(self) -> None:
        """Makes sure that all that was written so far survives whatever comes; never called within ``append``."""
        with _writing(self._folder):
            for file in self._files():
                file.flush()
                os.fsync(file.fileno())
            progress = {
                "items": self.items,
                "refused": self.refused,
                "table_bytes": self._table.tell(),
                "rows": {name: array.rows for name, array in self._arrays.items()},
            }
            _replace(self._folder / PROGRESS, json.dumps(progress))

    def finish(self, source: Path | str = "", options: dict[str, Any] | None = None) -> None:
        """Writes the headers and cache.json; the folder is a cache then."""
        with _writing(self._folder):
            for array in self._arrays.values():
                array.finish()
        self.checkpoint()
        facts = {
            "version": VERSION,
            "dataset": self._description.name,
            "layout": self._description.layout.name,
            "labels": self._description.labels,
            "mirrored_labels": self._description.mirrored_labels,
            "protocols": self._description.protocols,
            "license": self._description.license,
            "people": {str(number): name for number, name in self._description.people.items()},
            "source": str(source),
            "options": options or {},
            "refused": self.refused,
        }
        with _writing(self._folder):
            _replace(self._folder / "cache.json", json.dumps(facts, indent=1))

    def close(self) -> None:
        """Closes the files. What is not in a checkpoint may be lost."""
        for file in self._files():
            with suppress(OSError):  # a full disk was reported when it was met
                file.close()

    def _files(self) -> list[io.BufferedRandom]:
        return [*(array.file for array in self._arrays.values()), self._table]


class _GrowingArray:
    """A .npy file that grows by rows and gets its header at the end."""

    def __init__(self, path: Path, dtype: np.dtype, row: tuple[int, ...], *, rows: int) -> None:
        self._dtype, self._row, self.rows = dtype, row, rows
        row_bytes = dtype.itemsize * int(np.prod(row, dtype=np.int64))
        self.file = _opened(path, HEADER_BYTES + rows * row_bytes, is_new=not rows)

    def append(self, array: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(array, self._dtype).data)
        self.rows += len(array)

    def finish(self) -> None:
        descr = np.lib.format.dtype_to_descr(self._dtype)
        text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {(self.rows, *self._row)!r}, }}"
        prefix = np.lib.format.magic(1, 0) + (HEADER_BYTES - 10).to_bytes(2, "little")
        self.file.seek(0)
        self.file.write(prefix + text.encode("ascii").ljust(HEADER_BYTES - 11) + b"\n")


def _opened(path: Path, size: int, *, is_new: bool) -> io.BufferedRandom:
    """Opens a file to go on at ``size``: what is beyond was not in the checkpoint."""
    path.touch()
    file = path.open("r+b")
    if not is_new and path.stat().st_size < size:
        file.close()
        raise _unfinished(path.parent, f"{path.name} is shorter than its {PROGRESS} says")
    file.truncate(size)
    file.seek(size)
    return file


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingDataError(
            f"The cache cannot be written into {folder}: {error.strerror or error}.",
            remedy="Make room; then the same command goes on where it stopped.",
        ) from None


def _progress(folder: Path) -> dict[str, Any]:
    """The checkpoint of a folder; that of a new one where there is none."""
    file = folder / PROGRESS
    if not file.is_file():
        return {"items": 0, "refused": 0, "table_bytes": 0, "rows": {}}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        counts = [found["items"], found["refused"], found["table_bytes"], *found["rows"].values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        counts = [None]
    if not all(type(count) is int and 0 <= count < 2**40 for count in counts):
        raise _unfinished(folder, f"its {PROGRESS} is damaged")
    return found


def _unfinished(folder: Path, problem: str) -> TrainingDataError:
    return TrainingDataError(
        f"The interrupted preparing in {folder} cannot go on: {problem}.", remedy="Delete that folder and repeat."
    )


def _replace(file: Path, text: str) -> None:
    temporary = file.with_name(f"{file.name}.part")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())  # before it takes its name, or a power cut may leave it empty
    os.replace(temporary, file)


def write(path: Path, description: Description, clips: Iterable[Clip]) -> int:
    """Writes clips as a cache, all or nothing, and returns how many there were.

    Raises:
        TrainingDataError: The folder exists already, there are no clips, or one of them cannot be used.
    """
    if path.exists():
        raise exists_already(path)
    with replacing_folder(path) as folder:
        with closing(CacheWriter(folder, description)) as writer:
            for clip in clips:
                writer.append(_laid_out(description, [_checked(clip, description)], ()))
            count = writer.clips
            if not count:
                raise TrainingDataError(f"The data set {description.name} must give at least one clip, found none.")
            writer.finish()
        (folder / PROGRESS).unlink()
    return count


def exists_already(path: Path) -> TrainingDataError:
    """Returns the error for a cache folder that is there."""
    return TrainingDataError(
        f"The cache folder must be new, but {path} exists already.", remedy="Name another folder or delete it."
    )
