"""NTU RGB+D 60 and 120: 60 and 120 actions of one or two people, three Kinect v2 at a time, as ``.skeleton`` files.

The data are for academic research and come from https://rose1.ntu.edu.sg/dataset/actionRecognition/. Give the zip
file as downloaded (``nturgbd_skeletons_s001_to_s017.zip``), the folder with both zip files, or a folder that they
were unpacked to. Which of the bodies in a file count is decided in ``ntu_bodies.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.formats.ntu import RATE_HZ
from skeleton.formats.ntu_positions import read_positions
from skeleton.layout import KINECT_V2
from training.datasets.archive import open_parts
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, Refusal
from training.datasets.ntu_bodies import NtuRules, actors
from training.datasets.ntu_names import (
    CAMERAS,
    INCOMPLETE,
    LABELS,
    NAME,
    NTU60_ACTIONS,
    NTU60_PEOPLE,
    NTU60_SETUPS,
    PEOPLE,
    REPETITIONS,
    SETUPS,
)

ZIP_FILES = "nturgbd_skeletons_s*.zip"
PARTS = ("set-up", "camera", "person", "repetition", "action")
"""Of the name of a file."""
LICENSE = "ROSE Lab, for academic research only; not to be passed on"


def look(path: Path, rules: NtuRules, *, name: str) -> Listing:
    """Lists the recordings of NTU RGB+D 60 or 120, sorted by name.

    Raises:
        TrainingDataError: The source holds none.
    """
    is_60 = name == "ntu60"
    items: list[Item] = []
    refused: list[Refusal] = []
    known: dict[tuple[int, ...], str] = {}
    with open_parts(path, ZIP_FILES) as files:
        for file, match in files.matches(NAME).items():
            identity = tuple(map(int, match.groups()))
            setup, camera, person, repetition, action = identity
            is_of_120 = NTU60_SETUPS < setup <= SETUPS or NTU60_ACTIONS < action <= len(LABELS)
            if is_60 and is_of_120:
                continue  # a folder of NTU RGB+D 120 holds that of 60
            reason = _reason(identity, known, rules, people=NTU60_PEOPLE if is_60 else PEOPLE)
            if reason:
                refused.append(Refusal(file, reason))
                continue
            known[identity] = file
            items.append(
                Item(
                    name=file,
                    label=action - 1,
                    subject=person,
                    repetition=repetition,
                    camera=camera,
                    setup=setup,
                    group=_performance(setup, person, repetition, action),
                    size=files.sizes[file],
                )
            )
    if not items and not refused:
        raise TrainingDataError(
            f"{path} must hold files like 'S001C001P001R001A001.skeleton', found none.",
            remedy="Give the folder of .skeleton files, or the zip file as downloaded.",
        )
    return Listing(_description(name, rules), tuple(items), tuple(refused))


@contextmanager
def reader(path: Path, rules: NtuRules, description: Description) -> Iterator[Load]:
    """Opens the source; gives the function that reads one recording."""
    del description
    with open_parts(path, ZIP_FILES) as files:
        yield lambda item: clip(item, files.read(item.name), rules)


def clip(item: Item, content: bytes, rules: NtuRules) -> Clip:
    """Returns the people who act in a ``.skeleton`` file, with the sensor's times.

    Raises:
        RecordingError: The bytes are not such a file; the sentence names the line.
        TrainingDataError: Nobody is in it.
    """
    found = read_positions(content, Path(item.name))
    if not found.ids:
        raise TrainingDataError(f"{item.name} must show somebody, but its {found.frame_count} frames are empty.")
    people = actors(rules, found.ids, found.frames, found.joints)
    if rules.empty_frames == "keep":
        frames = np.arange(found.frame_count)
    else:
        frames = np.unique(np.concatenate([found.frames[rows] for rows in people]))
    joints = np.zeros((len(frames), len(people), len(KINECT_V2), 3), np.float32)
    state = np.zeros(joints.shape[:3], np.int8)
    for person, rows in enumerate(people):
        places = np.searchsorted(frames, found.frames[rows])
        joints[places, person] = found.joints[rows]
        state[places, person] = found.state[rows]
    return Clip(item=item, times_s=(frames - frames[0]) / RATE_HZ, joints=joints, state=state)


def _reason(identity: tuple[int, ...], known: dict[tuple[int, ...], str], rules: NtuRules, *, people: int) -> str:
    """Why a file is left out, or an empty string."""
    most = (SETUPS, CAMERAS, people, REPETITIONS, len(LABELS))
    for what, number, largest in zip(PARTS, identity, most):
        if not 1 <= number <= largest:
            return f"there is no {what} {number}"
    if rules.missing_list and identity in INCOMPLETE:
        return "it is on the published list of files with missing or incomplete skeletons"
    return f"it is there twice, first as {known[identity]}" if identity in known else ""


def _performance(setup: int, person: int, repetition: int, action: int) -> int:
    """One number for what three cameras saw at the same time."""
    return ((setup * 1000 + person) * 1000 + repetition) * 1000 + action


def _description(name: str, rules: NtuRules) -> Description:
    is_60 = name == "ntu60"
    return Description(
        name=name,
        layout=KINECT_V2,
        labels=LABELS[:NTU60_ACTIONS] if is_60 else LABELS,
        protocols=("xsub", "xview") if is_60 else ("xsub", "xset"),
        persons=rules.persons,
        license=LICENSE,
    )


def _data_set(name: str, title: str) -> DataSet:
    return DataSet(
        name=name,
        title=title,
        source="the zip file as downloaded, a folder with both, or a folder of .skeleton files",
        look=partial(look, name=name),
        reader=reader,
        description=_description(name, NtuRules()),
        options=NtuRules,
    )


NTU60 = _data_set("ntu60", "NTU RGB+D 60")
NTU120 = _data_set("ntu120", "NTU RGB+D 120")
