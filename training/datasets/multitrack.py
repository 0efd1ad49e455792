"""KinectMultiTrack: people who stand, step, walk, and pass each other before two Kinects v2; no exercises.

Wu: "KinectMultiTrack", University of St Andrews, 2015; https://github.com/chijuiwu/KinectMultiTrack, the files
``Original/Study_N_Kinect_C_Time_T.csv`` (see ``skeleton/formats/multitrack.py``). Made for ``--background``: what
people do who do nothing that a model knows. A clip is a stretch of one scenario without a gap, as one sensor saw it;
its subject is the study, its camera the sensor, its set-up the arrangement of the sensors. The second sensor's
skeletons stand where the recorder moved them; that turns a person as a whole and changes no pose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skeleton.config import setting
from skeleton.errors import RecordingError, TrainingDataError
from skeleton.formats.multitrack import FILE_NAME, SCENARIOS, Rows, View, parse, stretches, view
from skeleton.layout import KINECT_V2
from skeleton.recording import GAP_S
from training.datasets.archive import Files, open_files
from training.datasets.base import Clip, DataSet, Description, Item, Listing, Load, Refusal

LABELS = tuple(dict.fromkeys(SCENARIOS.values()))
SHORTEST_S = 0.5
"""What was seen of a person for less, between two losses, is left out."""
LEAP_M, LEAP_M_S = 0.3, 15.0
"""A person of whom half the joints go so far, so fast, from one frame to the next: it is somebody else now, or was.
Where one hides the other, the sensor takes them for each other."""

STUDIES = {"all": (0, 1), "odd": (1,), "even": (0,)}
"""What is left of a study's number when it is halved."""


@dataclass(frozen=True, slots=True)
class MultitrackOptions:
    """What can be chosen about KinectMultiTrack."""

    persons: int = setting(1, "1 makes a clip of each person, 2 one of both together where there are two")
    studies: str = setting(
        "all",
        "all, or those with odd or even numbers, to train with some people and test on others",
        choices=tuple(STUDIES),
    )

    def __post_init__(self) -> None:
        if self.persons not in (1, 2):
            raise ValueError(f"persons must be 1 or 2, found {self.persons}")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of one scenario in a file.

    Attributes:
        skeleton: Which of the two skeletons.
        sensor: The name of its sensor.
        person: Who, or -1 for all.
        scenario: A key of ``SCENARIOS``, or another number.
        start_s: By the sensor's clock.
        end_s: Time of the last frame.
    """

    skeleton: int
    sensor: str
    person: int
    scenario: int
    start_s: float
    end_s: float


def look(path: Path, options: MultitrackOptions) -> Listing:
    """Lists what people do in the recordings of a folder or zip file; reads them once.

    Raises:
        TrainingDataError: No file has the name of a recording.
    """
    with open_files(path) as files:
        names = {
            name: match
            for name, match in files.matches(FILE_NAME).items()
            if int(match[1]) % 2 in STUDIES[options.studies]
        }
        if not names:
            raise TrainingDataError(
                f"{path} must hold files like 'Study_4_Kinect_0_Time_1_17_51_PM.csv' of {options.studies} studies, "
                "found none.",
                remedy="Give the folder Data of KinectMultiTrack, or a zip archive of it.",
            )
        found, refused = _surveyed(files, names, options.persons)
        sizes = {name: files.sizes[name] for name in found}
    cameras = sorted({piece.sensor for parts in found.values() for piece in parts})
    takes: Counter[tuple[int, int, int]] = Counter()
    items = []
    for number, (name, parts) in enumerate(found.items()):
        for piece in parts:
            label, subject = LABELS.index(SCENARIOS[piece.scenario]), int(names[name][1])
            camera = cameras.index(piece.sensor) + 1
            takes[label, subject, camera] += 1
            items.append(
                Item(
                    name=_name(name, piece),
                    label=label,
                    subject=subject,
                    repetition=takes[label, subject, camera],
                    group=number,
                    camera=camera,
                    setup=int(names[name][2]),
                    size=sizes[name] // len(parts),
                    place=(name, piece.skeleton, piece.person, piece.start_s, piece.end_s),
                )
            )
    return Listing(_description(options), tuple(items), tuple(refused))


@contextmanager
def reader(path: Path, options: MultitrackOptions, description: Description) -> Iterator[Load]:
    """Opens the source and gives the function that reads one stretch."""
    del options, description
    last: dict[str, Rows] = {}  # the stretches of a file follow each other
    with open_files(path) as files:

        def load(item: Item) -> Clip:
            name, skeleton, person = str(item.place[0]), int(item.place[1]), int(item.place[2])
            if name not in last:
                last.clear()
                last[name] = _rows(files, name)
            seen = view(last[name], skeleton)
            inside = (seen.times_s >= float(item.place[3])) & (seen.times_s <= float(item.place[4]))
            people = _places(person)
            joints, state = seen.joints[inside, people], seen.state[inside, people]
            is_shown = state.any(axis=(1, 2))
            times_s = seen.times_s[inside][is_shown]
            return Clip(item=item, times_s=times_s - times_s[:1], joints=joints[is_shown], state=state[is_shown])

        yield load


def _surveyed(files: Files, names: Iterable[str], persons: int) -> tuple[dict[str, list[_Piece]], list[Refusal]]:
    """The stretches of each file that can be used, and what is left out."""
    found: dict[str, list[_Piece]] = {}
    refused: list[Refusal] = []
    for name in names:
        try:
            parts = _pieces(_rows(files, name), persons)
        except (RecordingError, TrainingDataError) as error:
            refused.append(Refusal(name, error.message))
            continue
        if not parts:
            refused.append(Refusal(name, "it must hold frames with somebody in them, found none"))
        problems = [_problem(piece) for piece in parts]
        refused += [Refusal(_name(name, piece), problem) for piece, problem in zip(parts, problems) if problem]
        found[name] = [piece for piece, problem in zip(parts, problems) if not problem]
    return found, refused


def _rows(files: Files, name: str) -> Rows:
    lines = files.read(name).decode("utf-8", errors="replace").splitlines()
    return parse(lines or [""], where=f"{files.path}: '{name}'")


def _pieces(rows: Rows, persons: int) -> list[_Piece]:
    """What each sensor saw of each person, or of all of them, in order."""
    found = []
    for skeleton in np.unique(rows.skeleton).tolist():
        seen = view(rows, skeleton)
        people = range(seen.state.shape[1]) if persons == 1 else [-1]
        found += [piece for person in people for piece in _pieces_of(seen, skeleton, person)]
    return found


def _pieces_of(seen: View, skeleton: int, person: int) -> Iterator[_Piece]:
    people = _places(person)
    frames = np.flatnonzero(seen.state[:, people].any(axis=(1, 2)))
    if not len(frames):
        return
    times_s, scenario = seen.times_s[frames], seen.scenario[frames]
    is_cut = (np.diff(times_s) >= GAP_S) | (np.diff(scenario) != 0)
    is_cut |= _leaps(times_s, seen.joints[frames, people], seen.state[frames, people])
    for piece in stretches(is_cut):
        yield _Piece(
            skeleton=skeleton,
            sensor=seen.sensor,
            person=person,
            scenario=int(scenario[piece.start]),
            start_s=float(times_s[piece.start]),
            end_s=float(times_s[piece.stop - 1]),
        )


def _leaps(times_s: np.ndarray, joints: np.ndarray, state: np.ndarray) -> np.ndarray:
    """(F - 1,) bool: whether somebody is somewhere else in the next frame, of joints (F, M, V, 3)."""
    step_m = np.linalg.norm(np.diff(joints, axis=0), axis=-1)  # (F - 1, M, V)
    step_m = np.where((state[1:] > 0) & (state[:-1] > 0), step_m, 0)
    furthest_m = np.median(step_m, axis=2).max(axis=1)
    leaps: np.ndarray = (furthest_m >= LEAP_M) & (furthest_m >= LEAP_M_S * np.diff(times_s))
    return leaps


def _places(person: int) -> slice:
    return slice(None) if person < 0 else slice(person, person + 1)


def _problem(piece: _Piece) -> str:
    """Why a stretch is left out, or an empty string."""
    if piece.scenario not in SCENARIOS:
        return f"its scenario must be one of {', '.join(map(str, SCENARIOS))}, found {piece.scenario}"
    if piece.end_s - piece.start_s < SHORTEST_S:
        return f"it must last at least {SHORTEST_S:g} s, found {piece.end_s - piece.start_s:.2f} s"
    return ""


def _name(file: str, piece: _Piece) -> str:
    """Such as "Study_4_... .csv[skeleton 1, person 0, 46.2..78.5]"; the times are the sensor's."""
    who = f"person {piece.person}, " if piece.person >= 0 else ""
    return f"{file}[skeleton {piece.skeleton}, {who}{piece.start_s:.2f}..{piece.end_s:.2f}]"


def _description(options: MultitrackOptions) -> Description:
    return Description(
        name="kinect-multitrack",
        layout=KINECT_V2,
        labels=LABELS,
        persons=options.persons,
        license="MIT",
    )


MULTITRACK = DataSet(
    name="kinect-multitrack",
    title="KinectMultiTrack, people who stand, step, walk and pass each other before two sensors; for --background",
    source="the folder Data, or a zip of it",
    look=look,
    reader=reader,
    description=_description(MultitrackOptions()),
    options=MultitrackOptions,
)
