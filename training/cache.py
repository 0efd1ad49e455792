"""A prepared data set on disk: ragged float32 clips in memory-mapped files, opened in milliseconds.

A cache is a folder:

    cache.json     version, data set, layout, labels, mirror pairs, floor, license
    joints.npy     (N, M, V, 3) float32 meters: the frames of all clips, one after another
    state.npy      (N, M, V) int8
    times.npy      (N,) float64 seconds, from 0 in each clip
    clips.npy      (clips,) records, see CLIP_FIELDS

It is written beside its place and renamed at the end, so a folder with this name is complete. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.layout import LAYOUTS, Layout
from training.datasets.base import Clip, DataSet

VERSION = 1
CLIP_FIELDS = np.dtype(
    [("start", "<i8"), ("frames", "<i4"), ("label", "<i4"), ("subject", "<i4"), ("repetition", "<i4")]
    + [("camera", "<i4"), ("setup", "<i4"), ("group", "<i8"), ("is_correct", "?")]
)
"""What is known of a clip. ``start`` is its first row in joints, state and times; ``frames`` its number of rows."""
LARGEST_FACTS = 1 << 20
"""Bytes of cache.json; a page of text."""


@dataclass(frozen=True, slots=True, eq=False)
class Cache:
    """An open cache. The arrays are memory-mapped and read-only.

    Attributes:
        path: The folder.
        dataset: Name of the data set.
        layout: Its joints.
        labels: K class names.
        mirror_labels: (K,) label of the mirror image of each label.
        floor_y_m: Height of the floor in the joints' coordinates, or None.
        license: Terms of the data.
        joints: (N, M, V, 3) float32 meters.
        state: (N, M, V) int8.
        times_s: (N,) float64 seconds, from 0 in each clip.
        clips: (clips,) records of ``CLIP_FIELDS``.
    """

    path: Path
    dataset: str
    layout: Layout
    labels: tuple[str, ...]
    mirror_labels: np.ndarray
    floor_y_m: float | None
    license: str
    joints: np.ndarray
    state: np.ndarray
    times_s: np.ndarray
    clips: np.ndarray

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def persons(self) -> int:
        """M."""
        return int(self.joints.shape[1])

    def track(self, index: int, person: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns one person of one clip: times (F,) seconds, joints (F, V, 3) meters, seen (F, V) bool."""
        clip = self.clips[index]
        rows = slice(int(clip["start"]), int(clip["start"]) + int(clip["frames"]))
        return self.times_s[rows], self.joints[rows, person], self.state[rows, person] > 0


def write(path: Path, data_set: DataSet, clips: Iterable[Clip]) -> int:
    """Writes clips as a cache and returns how many there were.

    Raises:
        TrainingDataError: The folder exists already, or there are no clips.
    """
    if path.exists():
        raise TrainingDataError(
            f"The cache folder must be new, but {path} exists already.", remedy="Name another folder or delete it."
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.mkdir(parents=True)
    try:
        count = _write_into(temporary, data_set, clips)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return count


def _write_into(folder: Path, data_set: DataSet, clips: Iterable[Clip]) -> int:
    index: list[tuple[Any, ...]] = []
    joints, state, times, start = [], [], [], 0
    for clip in clips:
        row = (start, len(clip.times_s), clip.label, clip.subject, clip.repetition, clip.camera, clip.setup)
        index.append((*row, clip.group, clip.is_correct))
        joints.append(clip.joints)
        state.append(clip.state)
        times.append(clip.times_s)
        start += len(clip.times_s)
    if not index:
        raise TrainingDataError(f"The data set {data_set.name} must give at least one clip, found none.")
    np.save(folder / "joints.npy", np.concatenate(joints))
    np.save(folder / "state.npy", np.concatenate(state))
    np.save(folder / "times.npy", np.concatenate(times))
    np.save(folder / "clips.npy", np.array(index, dtype=CLIP_FIELDS))
    facts = {
        "version": VERSION,
        "dataset": data_set.name,
        "layout": data_set.layout.name,
        "labels": data_set.labels,
        "mirrored_labels": data_set.mirrored_labels,
        "floor_y_m": data_set.floor_y_m,
        "license": data_set.license,
    }
    (folder / "cache.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return len(index)


def open_cache(path: Path) -> Cache:
    """Opens a cache and checks that its files belong together.

    Raises:
        TrainingDataError: Not a cache, one of another version, or a damaged one.
    """
    facts = _facts(path)
    arrays = {name: _array(path / f"{name}.npy") for name in ("joints", "state", "times", "clips")}
    joints, state, times_s, clips = arrays.values()
    layout, labels = LAYOUTS[facts["layout"]], tuple(facts["labels"])
    problem = _problem(layout, labels, **arrays)
    if problem:
        raise _damaged(path, problem)
    return Cache(
        path=path,
        dataset=facts["dataset"],
        layout=layout,
        labels=labels,
        mirror_labels=mirror_order(labels, facts["mirrored_labels"]),
        floor_y_m=facts["floor_y_m"],
        license=facts["license"],
        joints=joints,
        state=state,
        times_s=times_s,
        clips=clips,
    )


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
    is_text = all(isinstance(facts.get(key), str) for key in ("dataset", "layout", "license"))
    labels, pairs, floor = facts.get("labels"), facts.get("mirrored_labels"), facts.get("floor_y_m")
    if not is_text or facts["layout"] not in LAYOUTS:
        raise _damaged(path, "cache.json names no known layout")
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise _damaged(path, "cache.json has no labels")
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(side in labels for side in pair) for pair in pairs
    ):
        raise _damaged(path, "its mirrored labels are not pairs of its labels")
    if floor is not None and not isinstance(floor, (int, float)):
        raise _damaged(path, "the height of its floor is not a number")
    return facts


def _array(file: Path) -> np.ndarray:
    try:
        # mmap_mode refuses a file that is shorter than its header says, and object arrays without unpickling them.
        array: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise _damaged(file.parent, f"{file.name} cannot be read ({error})") from None
    return array


def _problem(
    layout: Layout,
    labels: Sequence[str],
    *,
    joints: np.ndarray,
    state: np.ndarray,
    times: np.ndarray,
    clips: np.ndarray,
) -> str:
    """What is wrong with the arrays of a cache, or an empty string."""
    if joints.dtype != np.float32 or joints.ndim != 4 or joints.shape[2:] != (len(layout), 3):
        return f"joints.npy must be float32 of shape (N, M, {len(layout)}, 3), found {joints.dtype} {joints.shape}"
    if state.dtype != np.int8 or state.shape != joints.shape[:3]:
        return "state.npy does not fit joints.npy"
    if times.dtype != np.float64 or times.shape != joints.shape[:1]:
        return "times.npy does not fit joints.npy"
    if clips.dtype != CLIP_FIELDS or clips.ndim != 1 or not len(clips):
        return "clips.npy is not an index of clips"
    start, frames = clips["start"].astype(np.int64), clips["frames"].astype(np.int64)
    if (frames < 1).any() or (start < 0).any() or (start + frames > len(times)).any():
        return "clips.npy names frames that are not there"
    if (clips["label"] < 0).any() or (clips["label"] >= len(labels)).any():
        return "clips.npy names labels that are not there"
    return ""


def _damaged(path: Path, problem: str) -> TrainingDataError:
    return TrainingDataError(f"The cache {path} is damaged: {problem}.", remedy="Prepare the data set again.")
