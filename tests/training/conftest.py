"""A data set small enough to train on in a second: three movements, four people, as real files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tqdm

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.layout import KINECT_V2_19, TRACKED
from training import cache_writer, prepare
from training.cache import Cache, open_cache
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, NoOptions

# The exporter of PyTorch draws progress bars; their own thread would outlive the test.
tqdm.tqdm.monitor_interval = 0

LAYOUT = KINECT_V2_19
LABELS = ("raise left", "raise right", "squat")
SUBJECTS = (1, 2, 3, 4)
REPETITIONS = 5
_HEIGHT_M = {"Foot": 0.0, "Ankle": 0.08, "Knee": 0.5, "Hip": 0.9, "Wrist": 0.8, "Elbow": 1.1, "Shoulder": 1.4}
_TRUNK_M = {"SpineBase": 0.9, "SpineMid": 1.15, "SpineShoulder": 1.4, "Neck": 1.5, "Head": 1.65}


def standing() -> np.ndarray:
    """(V, 3) a person at 2.5 m who faces the sensor, floor at y = 0."""
    pose = np.zeros((len(LAYOUT), 3))
    for index, name in enumerate(LAYOUT.joints):
        side = -1 if name.endswith("Left") else 1 if name.endswith("Right") else 0
        limb = name.removesuffix("Left").removesuffix("Right")
        pose[index] = (0.2 * side, _TRUNK_M.get(name, _HEIGHT_M.get(limb, 0.0)), 2.5)
    return pose


def clip(label: int, subject: int, repetition: int, *, group: int) -> Clip:
    """One movement: an arm goes up and down, or the body does."""
    random = np.random.default_rng((label, subject, repetition))
    frames = int(random.integers(25, 70))
    stroke = np.sin(np.linspace(0, np.pi, frames))[:, None]
    joints = np.repeat(standing()[None], frames, axis=0)
    if label == 2:
        low = [i for i, name in enumerate(LAYOUT.joints) if not name.startswith(("Foot", "Ankle"))]
        joints[:, low, 1] -= 0.4 * stroke
    else:
        side = ("Left", "Right")[label]
        joints[:, LAYOUT.index(f"Wrist{side}"), 1] += 1.2 * stroke[:, 0]
        joints[:, LAYOUT.index(f"Elbow{side}"), 1] += 0.6 * stroke[:, 0]
    joints = joints * (0.9 + 0.05 * subject) + random.normal(0, 0.005, joints.shape)
    return Clip(
        item=item(label, subject, repetition, group=group),
        times_s=np.cumsum(random.choice([0.033, 0.067], frames)) - 0.033,
        joints=joints[:, None],
        state=np.full((frames, 1, len(LAYOUT)), TRACKED),
        floor=(0.0, 1.0, 0.0, 0.0),
    )


def item(label: int, subject: int, repetition: int, *, group: int) -> Item:
    """What is known of a clip from its name."""
    return Item(
        name=f"{LABELS[label]}/{subject}-{repetition}",
        label=label,
        subject=subject,
        repetition=repetition,
        group=group,
    )


def look(path: Path, options: NoOptions) -> Listing:
    """Every movement by everybody."""
    del path, options
    rows = [(k, s, r) for k in range(len(LABELS)) for s in SUBJECTS for r in range(REPETITIONS)]
    return Listing(DESCRIPTION, tuple(item(k, s, r, group=group) for group, (k, s, r) in enumerate(rows)))


@contextmanager
def reader(path: Path, options: NoOptions, description: Description) -> Iterator[Load]:
    """Makes the clips up."""
    del path, options, description
    yield lambda item: clip(item.label, item.subject, item.repetition, group=item.group)


def clips() -> Iterator[Clip]:
    """Every movement by everybody."""
    yield from SYNTHETIC.clips(Path())


DESCRIPTION = Description(
    name="synthetic",
    layout=LAYOUT,
    labels=LABELS,
    mirrored_labels=(("raise left", "raise right"),),
    license="none needed",
)
SYNTHETIC = DataSet(
    name="synthetic", title="three movements", source="", look=look, reader=reader, description=DESCRIPTION
)

SMALL = (
    "channels=[4, 6, 8]",
    "hidden=[16, 12]",
    "batch_size=8",
    "threads=1",
    "device=cpu",
    "dropout=0.0",
    "precision=float32",
)
"""Settings of a network that trains in a second, and the same on every machine."""


def edit_settings(run: Path, old: str, new: str) -> None:
    """Changes the settings of a run, or of several seeds, which an older version did not notice."""
    text = (run / "config.toml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (run / "config.toml").write_text(text.replace(old, new), encoding="utf-8")
    file = next(file for file in (run / "run.json", run / "seeds.json") if file.is_file())
    facts = json.loads(file.read_text(encoding="utf-8"))
    del facts["settings"]
    file.write_text(json.dumps(facts), encoding="utf-8")


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of the three movements."""
    path = tmp_path_factory.mktemp("caches") / "synthetic"
    cache_writer.write(path, DESCRIPTION, clips())
    return path


@pytest.fixture(scope="session")
def cache(synthetic: Path) -> Cache:
    """The same, open."""
    return open_cache(synthetic)


def exported(data: Path, folder: Path, *settings: str) -> Path:
    """The model file of a network that was trained on people 1 and 3."""
    from training import config, export, train

    chosen = config.load(assignments=[*SMALL, "validation_subjects=0", "span_s=1.2", *settings])
    run = train.train(data=data, protocol="odd-even", output=folder / "run", settings=chosen, seed=3)
    return export.model_of(run)


@pytest.fixture(scope="session")
def model(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the three movements; its run is the folder it is in."""
    settings = ("epochs=12", "average_decay=0.5", "learning_rate=0.01")
    return exported(synthetic, tmp_path_factory.mktemp("model"), *settings)


@pytest.fixture(scope="session")
def card(model: Path) -> ModelCard:
    """What it says of itself."""
    return Recognizer(model, provider="cpu").card


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing goes in small steps, so that a small data set takes several."""
    monkeypatch.setattr(prepare, "MOST_CHUNK_ITEMS", 4)
    monkeypatch.setattr(prepare, "CHECKPOINT_S", 0.0)


@pytest.fixture(scope="session")
def weak_model(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without attention that has hardly learned anything."""
    return exported(synthetic, tmp_path_factory.mktemp("weak"), "epochs=1", "learning_rate=1e-8", "attention=none")
