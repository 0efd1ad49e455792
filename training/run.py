"""The folder of a training run: what was asked for, what was learned, and how it went.

config.toml        the settings; --config takes it to repeat the run
run.json           data set, protocol, people on each side, seed, command, versions
split.csv          which clip trains, validates or tests
results.csv        one row an epoch           events.out.*    the same for TensorBoard
learning-curve.png the same as a picture
last.pt  best.pt   checkpoints: tensors and plain values, loaded without unpickling anything else
model.onnx         what the app opens; written at the end
lock               held while the run is trained
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import platform
import shlex
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skeleton import config as settings_file
from skeleton.errors import TrainingDataError
from skeleton.replacing import replacing, replacing_folder
from training import config, protocols
from training.background import Source, facts_of, label_of, labels_with
from training.cache import Cache, content, open_cache
from training.config import Settings, TrainingConfig
from training.journal import COLUMNS
from training.people import digests
from training.protocols import Split
from training.taught import taught

SCHEMA = 1
MODEL = "model.onnx"
SIDES = ("train", "validation", "test")
LARGEST_CHECKPOINT = 1 << 30
"""Bytes: network, average and optimizer of a model file of 10 MB have 40."""
UNREADABLE = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    LookupError,
    OverflowError,
    EOFError,
    struct.error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What reading a checkpoint raises that is damaged, or was made to fail."""
UNFIT = (KeyError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError)
"""What taking up a checkpoint raises that can be read and is of another network, or of none."""
SPLIT_COLUMNS = ("subject", "camera", "setup", "repetition")
LARGEST_FACTS = 1 << 20
"""Bytes of run.json; a page of text."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder that was started.

    Attributes:
        path: The folder.
        settings: What config.toml says.
        facts: What run.json says.
    """

    path: Path
    settings: Settings
    facts: dict[str, Any]

    @property
    def seed(self) -> int:
        """The number that all randomness follows from."""
        return int(self.facts["seed"])

    @property
    def checkpoint(self) -> str:
        """What the run gives: "best" on validation people, or "last" without any or where that is asked."""
        validated = self.facts["subjects"].get("validation")
        return "best" if validated and self.settings.training.keep == "best" else "last"

    @property
    def is_new(self) -> bool:
        """Whether the run was killed before its first checkpoint, so that it begins where it would have begun."""
        return not any((self.path / name).exists() for name in ("last.pt", "best.pt", MODEL))

    @property
    def _has_learned(self) -> bool:
        """Whether an epoch was finished, as far as the other files say."""
        return any((self.path / name).exists() for name in ("best.pt", "results.csv", MODEL))

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Writes a checkpoint ("last" or "best"), all or nothing."""
        written = io.BytesIO()  # written by ourselves: PyTorch tells of a full disk by a RuntimeError
        torch.save(state, written)
        with replacing(self.path / f"{name}.pt") as temporary:
            temporary.write_bytes(written.getbuffer())

    def load(self, name: str) -> dict[str, Any]:
        """Reads a checkpoint.

        Raises:
            TrainingDataError: There is none, or it is damaged.
        """
        file = self.path / f"{name}.pt"
        if not file.is_file():
            raise TrainingDataError(
                f"{self.path} must hold a checkpoint {name}.pt, but has none.",
                remedy="Put the file back, or train again." if self._has_learned else "Train at least one epoch.",
            )
        if file.stat().st_size > LARGEST_CHECKPOINT:
            raise TrainingDataError(
                f"A checkpoint must be at most {LARGEST_CHECKPOINT >> 20} MiB, but {file} is larger."
            )
        read = io.BytesIO(file.read_bytes())  # not the file: a damaged one and an unreadable one are two errors
        try:
            with zipfile.ZipFile(read) as archive:
                # PyTorch compresses nothing: what is more than the file was packed, or lies there several times.
                if sum(member.file_size for member in archive.infolist()) > len(read.getbuffer()):
                    raise zipfile.BadZipFile
            read.seek(0)
            state = torch.load(read, map_location="cpu", weights_only=True)
        except UNREADABLE:
            raise TrainingDataError(
                f"The checkpoint {file} is damaged or is not one.", remedy=f"Delete {self.path} and train again."
            ) from None
        if not isinstance(state, dict) or not {"network", "epoch"} <= state.keys() or not _is_journal(state):
            raise TrainingDataError(
                f"The checkpoint {file} must hold a network and the numbers of its epochs, but does not.",
                remedy=f"Delete {self.path} and train again.",
            )
        return state


def start(
    path: Path,
    *,
    settings: Settings,
    cache: Cache,
    protocol: str,
    split: Split,
    seed: int,
    command: str,
    background: Sequence[Source] = (),
) -> Run:
    """Makes a run folder.

    Raises:
        TrainingDataError: The folder exists already.
    """
    if path.exists():
        raise TrainingDataError(
            f"The run folder must be new, but {path} exists already.",
            remedy=f"Name another folder, or continue that run with --resume {shlex.quote(str(path))}.",
        )
    facts = _facts(cache, protocol, split, seed=seed, command=command)
    label = label_of(settings.training)
    if label:
        facts |= {
            "labels": list(labels_with(cache.labels, label)),
            "background": facts_of(background, label, settings.training),
        }
    if settings.training.leave_out:
        facts["left_out"] = list(settings.training.leave_out)
    # The folder appears when it is whole: one without run.json could be neither resumed nor started again.
    with replacing_folder(path) as temporary:
        settings_file.save(settings.flat(), temporary / "config.toml")
        facts["settings"] = config.digest_of(temporary / "config.toml")
        text = json.dumps(facts, indent=1, ensure_ascii=False)
        (temporary / "run.json").write_text(text, encoding="utf-8", errors="surrogateescape")  # a path may be no text
        _write_split(temporary / "split.csv", cache, split)
    return Run(path, settings, facts)


def fingerprint(cache: Cache, split: Split) -> str:
    """Returns a number for the clips of a data set and who trains on which: a run goes on with the same alone."""
    digest = hashlib.sha256(np.ascontiguousarray(cache.clips).tobytes())
    for side in SIDES:
        digest.update(np.asarray(getattr(split, side), dtype=np.int64).tobytes())
    return digest.hexdigest()


def split_of(cache: Cache, protocol: str, config: TrainingConfig) -> Split:
    """Returns who trains, validates and tests with these settings."""
    return protocols.split(
        cache,
        protocol,
        validation_subjects=config.validation_subjects,
        validation_fold=config.validation_fold,
    )


def open_data(run: Run, path: Path | None = None) -> tuple[Cache, Split]:
    """Returns the data of a run as its network sees them, and who trains on which.

    Args:
        run: The run; one of an older version does not say what its cache held, only which clips.
        path: The cache, where it is no longer where the run found it.

    Raises:
        TrainingDataError: Other data than the run began with.
        AppError: No cache, or one without the run's protocol or labels.
    """
    training, facts = run.settings.training, run.facts
    cache = taught(open_cache(path or Path(facts["data"])), training)
    if (cache.dataset, len(cache)) != (facts["dataset"], facts.get("clips")):
        raise TrainingDataError(
            f"The run {run.path} was started on {facts.get('clips')} clips of {facts['dataset']}, but "
            f"{cache.path} has {len(cache)} of {cache.dataset}."
        )
    labels = list(labels_with(cache.labels, label_of(training)))
    if (labels, cache.layout.name, cache.persons) != (facts["labels"], facts["layout"], facts["persons"]):
        raise TrainingDataError(
            f"The run {run.path} must be of the data in {cache.path}, but has other classes, joints or numbers of "
            "people."
        )
    split = split_of(cache, facts["protocol"], training)
    found = content(cache)
    if facts.get("content", found) != found or fingerprint(cache, split) != facts.get("fingerprint"):
        raise TrainingDataError(
            f"The run {run.path} must go on with the clips it began with, but {cache.path} has others.",
            remedy="Name the cache it began with after --data, or prepare that again.",
        )
    return cache, split


def _facts(cache: Cache, protocol: str, split: Split, *, seed: int, command: str) -> dict[str, Any]:
    subjects = cache.clips["subject"]
    return {
        "schema": SCHEMA,
        "dataset": cache.dataset,
        "data": str(cache.path.resolve()),
        "clips": len(cache),
        "fingerprint": fingerprint(cache, split),
        "content": content(cache),
        "protocol": protocol,
        "subjects": {side: np.unique(subjects[getattr(split, side)]).tolist() for side in SIDES},
        "people": digests(cache, np.unique(subjects).tolist()),
        "train_clips": len(split.train),
        "layout": cache.layout.name,
        "joints": list(cache.layout.joints),
        "labels": list(cache.labels),
        "persons": cache.persons,
        "license": cache.license,
        "seed": seed,
        "command": command,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
        },
    }


def _write_split(file: Path, cache: Cache, split: Split) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("clip", "side", "label", *SPLIT_COLUMNS, "name"))
        for side in SIDES:
            for index in getattr(split, side).tolist():
                clip = cache.clips[index]
                known = (clip[name] for name in SPLIT_COLUMNS)
                writer.writerow((index, side, cache.labels[clip["label"]], *known, cache.name(index)))


def open_run(path: Path) -> Run:
    """Opens a run folder.

    Raises:
        TrainingDataError: Not a run folder, or a damaged one.
        ConfigError: Its settings are not settings of this version, or not those that it began with.
    """
    file = path / "run.json"
    if not file.is_file() or file.stat().st_size > LARGEST_FACTS:
        raise TrainingDataError(
            f"{path} must be a folder made by 'python -m training train', but it has no run.json.",
            remedy="Name the folder of a run; one that has lost the file must get it back, or be trained again.",
        )
    try:
        facts = json.loads(file.read_text(encoding="utf-8", errors="surrogateescape"))
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA or not _are_facts(facts):
        raise TrainingDataError(
            f"The run {path} must have a run.json of schema {SCHEMA}, but it is another or damaged.",
            remedy="Put back the file as training wrote it, or train again.",
        )
    return Run(path, config.kept(path / "config.toml", facts.get("settings")), facts)


def _are_facts(facts: dict[str, Any]) -> bool:
    """Whether what a run.json must say is there, and is what it has to be."""
    texts = all(isinstance(facts.get(key), str) for key in ("dataset", "data", "protocol", "layout"))
    names = all(
        isinstance(facts.get(key), list) and all(isinstance(name, str) for name in facts[key])
        for key in ("joints", "labels")
    )
    subjects = facts.get("subjects")
    people = isinstance(subjects, dict) and all(
        isinstance(side, list) and all(_is_whole(number, -(2**31), 2**31) for number in side)
        for side in subjects.values()
    )
    digests = facts.get("people", {})
    is_known = isinstance(digests, dict) and all(isinstance(digest, str) for digest in digests.values())
    is_known = is_known and isinstance(facts.get("settings", ""), str) and isinstance(facts.get("versions", {}), dict)
    is_complete = texts and names and people and is_known and "train" in subjects
    return is_complete and _is_whole(facts.get("persons"), 1, 2) and _is_whole(facts.get("seed"), 0, 2**63)


def _is_journal(state: dict[str, Any]) -> bool:
    """Whether a checkpoint has a row for each of its epochs, and a best one among them."""
    rows, epoch, best = state.get("rows"), state["epoch"], state.get("best_epoch")
    if not _is_whole(epoch, 0, 10**6) or not _is_whole(best, 0, epoch) or not isinstance(rows, list):
        return False
    if not all(isinstance(row, dict) and all(isinstance(row.get(name), float) for name in COLUMNS) for row in rows):
        return False
    return [row["epoch"] for row in rows] == list(range(1, epoch + 1))


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
