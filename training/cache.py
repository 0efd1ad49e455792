"""A prepared data set on disk: ragged float32 clips in memory-mapped files, opened in milliseconds.

A cache is a folder:

    cache.json     version, data set, layout, labels, mirror pairs, protocols, license, people, source and options
    joints.npy     (N, M, V, 3) float32 meters: the frames of all clips, one after another; every number is finite
    state.npy      (N, M, V) int8: 0 not tracked, 1 inferred, 2 tracked; 0 where a person is absent
    times.npy      (N,) float64 seconds, from 0 in each clip
    clips.npy      (clips,) records, see CLIP_FIELDS
    names.npy      (bytes,) uint8: the names of the source files in UTF-8, one after another
    refused.csv    files that were left out, and why

``training/cache_writer.py`` makes it beside its place and renames it at the end, so a folder with this name is
complete. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.layout import LAYOUTS, NOT_TRACKED, TRACKED, Layout
from training.protocol_table import FOLDED, PROTOCOLS

VERSION = 2
CLIP_FIELDS = np.dtype(
    [("start", "<i8"), ("frames", "<i4"), ("persons", "<i4"), ("label", "<i4"), ("subject", "<i4")]
    + [("repetition", "<i4"), ("camera", "<i4"), ("setup", "<i4"), ("group", "<i8"), ("is_correct", "i1")]
    + [("floor", "<f4", (4,)), ("name_end", "<i8")]
)
"""What is known of a clip.

``start`` is its first row in joints, state and times, ``frames`` its number of rows, ``persons`` how many people are
in it. ``is_correct`` is 1, 0, or -1 where nothing is known; ``floor`` a plane (x, y, z, w), NaN where it is unknown.
``name_end`` is where its name ends in names.npy; it begins where the one before ends.
"""
LEFT_OUT = -1
"""Label of a clip that takes no part, in a cache as ``training.taught`` shows it; never on disk."""
ARRAYS = ("joints", "state", "times", "clips", "names")
LONGEST_S = 3600.0
"""Of a clip; what is longer is no clip, or its clock leapt."""
LARGEST_FACTS = 1 << 20
"""Bytes of cache.json; a page of text."""
DIGESTED_BYTES, BLOCKS = 64 << 20, 256
"""Of an array that is larger, so much goes into the digest of a cache's content, in so many places."""


@dataclass(frozen=True, slots=True, eq=False)
class Cache:
    """An open cache. The arrays are memory-mapped and read-only.

    Attributes:
        path: The folder.
        dataset: Name of the data set.
        layout: Its joints.
        labels: K class names.
        mirror_labels: (K,) label of the mirror image of each label.
        protocols: Names of ``training.protocols`` that it is split by.
        license: Terms of the data.
        source: The folder or archive it was made from, which may be gone by now.
        joints: (N, M, V, 3) float32 meters, all finite.
        state: (N, M, V) int8.
        times_s: (N,) float64 seconds, from 0 in each clip.
        clips: (clips,) records of ``CLIP_FIELDS``.
        names: (bytes,) uint8, see :meth:`name`.
        people: Names of people by their numbers, where the source names them.
    """

    path: Path
    dataset: str
    layout: Layout
    labels: tuple[str, ...]
    mirror_labels: np.ndarray
    protocols: tuple[str, ...]
    license: str
    source: Path
    joints: np.ndarray
    state: np.ndarray
    times_s: np.ndarray
    clips: np.ndarray
    names: np.ndarray
    people: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def persons(self) -> int:
        """M."""
        return int(self.joints.shape[1])

    def rows(self, index: int) -> slice:
        """Returns the rows of one clip in joints, state and times."""
        start = int(self.clips["start"][index])
        return slice(start, start + int(self.clips["frames"][index]))

    def frames(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns one clip: times (F,) seconds, joints (F, M, V, 3) meters, state (F, M, V) int8.

        Raises:
            TrainingDataError: Its times do not increase, a coordinate is no number, or a state is none.
        """
        rows = self.rows(index)
        times_s, joints, state = self.times_s[rows], self.joints[rows], self.state[rows]
        if not (np.isfinite(times_s).all() and (times_s[1:] > times_s[:-1]).all()):
            raise self.damaged(index, "has times that do not increase")
        if not np.isfinite(joints).all():
            raise self.damaged(index, "has coordinates that are not numbers")
        if state.size and not NOT_TRACKED <= state.min() <= state.max() <= TRACKED:
            raise self.damaged(index, f"has states other than {NOT_TRACKED} to {TRACKED}")
        return times_s, joints, state

    def track(self, index: int, person: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns one person of one clip: times (F,) seconds, joints (F, V, 3) meters, seen (F, V) bool.

        Raises:
            TrainingDataError: As :meth:`frames`.
        """
        times_s, joints, state = self.frames(index)
        return times_s, joints[:, person], state[:, person] > 0

    def damaged(self, index: int, problem: str) -> TrainingDataError:
        """Returns what to raise about one clip: ``problem`` goes on after its name."""
        return _damaged(self.path, f"clip {index} ({self.name(index)}) {problem}")

    def name(self, index: int) -> str:
        """Returns the name of the file that a clip was read from, within the source."""
        ends = self.clips["name_end"]
        start = int(ends[index - 1]) if index else 0
        return self.names[start : int(ends[index])].tobytes().decode("utf-8", errors="replace")

    def floor(self, index: int) -> tuple[float, float, float, float] | None:
        """Returns the floor plane (x, y, z, w) of a clip, n·p + w = 0 in its coordinates, or None."""
        x, y, z, w = self.clips["floor"][index].tolist()
        return (x, y, z, w) if np.isfinite((x, y, z, w)).all() else None


def open_cache(path: Path) -> Cache:
    """Opens a cache and checks that its files belong together.

    Raises:
        TrainingDataError: Not a cache, one of another version, or a damaged one.
    """
    facts = _facts(path)
    arrays = {name: _array(path / f"{name}.npy") for name in ARRAYS}
    layout, labels = LAYOUTS[facts["layout"]], tuple(facts["labels"])
    problem = _problem_of_frames(layout, **arrays) or _problem_of_clips(labels, **arrays)
    if problem:
        raise _damaged(path, problem)
    return Cache(
        path=path,
        dataset=facts["dataset"],
        layout=layout,
        labels=labels,
        mirror_labels=mirror_order(labels, facts["mirrored_labels"]),
        protocols=tuple(facts["protocols"]),
        license=facts["license"],
        source=Path(facts["source"]),
        joints=arrays["joints"],
        state=arrays["state"],
        times_s=arrays["times"],
        clips=arrays["clips"],
        names=arrays["names"],
        people={int(number): name for number, name in facts.get("people", {}).items()},
    )


def content(cache: Cache) -> str:
    """Returns a digest of what a cache holds: labels, index, and its frames.

    Two caches with the same one are the same for all that is learned and measured. Of a large cache a part of each
    array is read, evenly spread, so that the answer takes a moment: what was prepared otherwise differs everywhere.
    """
    digest = hashlib.sha256(json.dumps([cache.dataset, cache.layout.name, cache.labels]).encode())
    digest.update(np.asarray(cache.mirror_labels, dtype=np.int64).tobytes())
    digest.update(np.ascontiguousarray(cache.clips).tobytes())
    for array in (cache.joints, cache.state, cache.times_s):
        rows = len(array)
        block = max(1, rows if array.nbytes <= DIGESTED_BYTES else DIGESTED_BYTES * rows // array.nbytes // BLOCKS)
        starts = [0] if block == rows else np.linspace(0, rows - block, BLOCKS).astype(int).tolist()
        for start in starts:
            digest.update(np.ascontiguousarray(array[start : start + block]).tobytes())
    return digest.hexdigest()


def mirror_order(labels: Sequence[str], pairs: Iterable[Sequence[str]]) -> np.ndarray:
    """Returns (K,) indices: the label of the mirror image of each label."""
    order = np.arange(len(labels))
    for left, right in pairs:
        a, b = labels.index(left), labels.index(right)
        order[a], order[b] = b, a
    return order


def _facts(path: Path) -> dict[str, Any]:
    file = path / "cache.json"
    if not file.is_file() or file.stat().st_size > LARGEST_FACTS:
        raise TrainingDataError(
            f"{path} must be a folder made by 'python -m training prepare', but it has no cache.json.",
            remedy="Prepare the data set first.",
        )
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise _damaged(path, "cache.json is not JSON") from None
    if not isinstance(facts, dict) or facts.get("version") != VERSION:
        found = facts.get("version") if isinstance(facts, dict) else None
        raise TrainingDataError(
            f"{path} must be a cache of version {VERSION}, found {found!r}.", remedy="Prepare the data set again."
        )
    is_text = all(isinstance(facts.get(key), str) for key in ("dataset", "layout", "license", "source"))
    labels, pairs = facts.get("labels"), facts.get("mirrored_labels")
    if not is_text or facts["layout"] not in LAYOUTS:
        raise _damaged(path, "cache.json names no known layout")
    if not labels or not _is_texts(labels):
        raise _damaged(path, "cache.json has no labels")
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(side in labels for side in pair) for pair in pairs
    ):
        raise _damaged(path, "its mirrored labels are not pairs of its labels")
    people = facts.get("people", {})
    if not isinstance(people, dict) or not all(
        number.isdecimal() and len(number) < 10 and isinstance(name, str) for number, name in people.items()
    ):
        raise _damaged(path, "its people are not names by numbers")
    if not _is_texts(facts.get("protocols")):
        raise _damaged(path, "cache.json has no protocols")
    unknown = [name for name in facts["protocols"] if name not in PROTOCOLS and name not in FOLDED]
    if unknown:
        raise _damaged(path, f"cache.json names a protocol '{unknown[0]}', which there is not")
    return facts


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _array(file: Path) -> np.ndarray:
    try:
        # mmap_mode refuses a file that is shorter than its header says, and object arrays without unpickling them.
        array: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _damaged(file.parent, f"{file.name} cannot be read ({error})") from None
    return array


def _problem_of_frames(
    layout: Layout, *, joints: np.ndarray, state: np.ndarray, times: np.ndarray, **others: np.ndarray
) -> str:
    """What is wrong with the arrays of frames, or an empty string."""
    del others
    if joints.dtype != np.float32 or joints.ndim != 4 or joints.shape[2:] != (len(layout), 3):
        return f"joints.npy must be float32 of shape (N, M, {len(layout)}, 3), found {joints.dtype} {joints.shape}"
    if state.dtype != np.int8 or state.shape != joints.shape[:3]:
        return "state.npy does not fit joints.npy"
    if times.dtype != np.float64 or times.shape != joints.shape[:1]:
        return "times.npy does not fit joints.npy"
    return ""


def _problem_of_clips(
    labels: Sequence[str],
    *,
    clips: np.ndarray,
    names: np.ndarray,
    times: np.ndarray,
    joints: np.ndarray,
    **others: np.ndarray,
) -> str:
    """What is wrong with the index, or an empty string; whole columns at a time: it may have 100,000 rows."""
    del others
    if clips.dtype != CLIP_FIELDS or clips.ndim != 1 or not len(clips):
        return "clips.npy is not an index of clips"
    start, frames = clips["start"].astype(np.int64), clips["frames"].astype(np.int64)
    if (frames < 1).any() or (start < 0).any() or (start > len(times) - frames).any():
        return "clips.npy names frames that are not there"
    if (clips["label"] < 0).any() or (clips["label"] >= len(labels)).any():
        return "clips.npy names labels that are not there"
    if (clips["persons"] < 0).any() or (clips["persons"] > joints.shape[1]).any():
        return "clips.npy names people that joints.npy has no place for"
    if (clips["subject"] < 0).any():
        return "clips.npy names subjects below 0"
    ends = clips["name_end"].astype(np.int64)
    if (
        names.dtype != np.uint8
        or names.ndim != 1
        or ends[0] < 0
        or (ends[1:] < ends[:-1]).any()
        or ends[-1] > len(names)
    ):
        return "names.npy does not fit clips.npy"
    return ""


def _damaged(path: Path, problem: str) -> TrainingDataError:
    return TrainingDataError(f"The cache {path} is damaged: {problem}.", remedy="Prepare the data set again.")
