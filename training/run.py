"""The folder of a training run: what was asked for, what was learned, and how it went.

config.toml        the settings; --config takes it to repeat the run
run.json           data set, protocol, people on each side, seed, command, versions
split.csv          which clip trains, validates or tests
results.csv        one row an epoch           events.out.*    the same for TensorBoard
learning-curve.png the same as a picture
last.pt  best.pt   checkpoints: tensors and plain values, loaded without unpickling anything else
model.onnx         what the app opens; written at the end
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import platform
import shlex
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
from training import config
from training.background import Source, facts_of, label_of, labels_with
from training.cache import Cache
from training.config import Settings
from training.people import digests
from training.protocols import Split

SCHEMA = 1
MODEL = "model.onnx"
SIDES = ("train", "validation", "test")
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

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Writes a checkpoint ("last" or "best"), all or nothing."""
        content = io.BytesIO()  # written by ourselves: PyTorch tells of a full disk by a RuntimeError
        torch.save(state, content)
        with replacing(self.path / f"{name}.pt") as temporary:
            temporary.write_bytes(content.getbuffer())

    def load(self, name: str) -> dict[str, Any]:
        """Reads a checkpoint.

        Raises:
            TrainingDataError: There is none, or it is damaged.
        """
        file = self.path / f"{name}.pt"
        if not file.is_file():
            raise TrainingDataError(
                f"{self.path} must hold a checkpoint {name}.pt, but has none.",
                remedy="Train at least one epoch.",
            )
        content = io.BytesIO(file.read_bytes())  # not the file: a damaged one and an unreadable one are two errors
        try:
            state = torch.load(content, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError, KeyError):
            raise TrainingDataError(f"The checkpoint {file} is damaged or is not one.") from None
        if not isinstance(state, dict) or not {"network", "epoch"} <= state.keys():
            raise TrainingDataError(f"The checkpoint {file} must hold a network and an epoch, but does not.")
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
        facts |= {"labels": list(labels_with(cache.labels, label)), "background": facts_of(background, label)}
    if settings.training.leave_out:
        facts["left_out"] = list(settings.training.leave_out)
    # The folder appears when it is whole: one without run.json could be neither resumed nor started again.
    with replacing_folder(path) as temporary:
        settings_file.save(settings.flat(), temporary / "config.toml")
        (temporary / "run.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
        _write_split(temporary / "split.csv", cache, split)
    return Run(path, settings, facts)


def fingerprint(cache: Cache, split: Split) -> str:
    """Returns a number for the clips of a data set and who trains on which: a run goes on with the same alone."""
    digest = hashlib.sha256(np.ascontiguousarray(cache.clips).tobytes())
    for side in SIDES:
        digest.update(np.asarray(getattr(split, side), dtype=np.int64).tobytes())
    return digest.hexdigest()


def _facts(cache: Cache, protocol: str, split: Split, *, seed: int, command: str) -> dict[str, Any]:
    subjects = cache.clips["subject"]
    return {
        "schema": SCHEMA,
        "dataset": cache.dataset,
        "data": str(cache.path.resolve()),
        "clips": len(cache),
        "fingerprint": fingerprint(cache, split),
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
        ConfigError: Its settings are not settings of this version.
    """
    file = path / "run.json"
    if not file.is_file() or file.stat().st_size > LARGEST_FACTS:
        raise TrainingDataError(
            f"{path} must be a folder made by 'python -m training train', but it has no run.json."
        )
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        facts = None
    wanted = {"dataset", "data", "protocol", "subjects", "layout", "joints", "labels", "persons", "seed"}
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA or not wanted <= facts.keys():
        raise TrainingDataError(
            f"The run {path} must have a run.json of schema {SCHEMA}, but it is another or damaged."
        )
    return Run(path, config.kept(path / "config.toml"), facts)
