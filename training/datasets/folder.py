"""Recordings of one's own: a folder with a folder for each label, or with a table (see ``folder_listing.py``).

Any recording format of ``skeleton.formats`` is read. Sensor times stay as they are, gaps included; the floor is the
one that the app would level the recording by.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.leveling import floor_of
from skeleton.config import setting
from skeleton.errors import RecordingError, TrainingDataError
from skeleton.formats.table import FORMATS, open_recording
from skeleton.layout import KINECT_V2, LAYOUTS, Layout
from skeleton.recording import Recording
from training.datasets.base import UNKNOWN_FLOOR, Clip, DataSet, Description, Item, Listing, Load
from training.datasets.folder_listing import Part, numbered, parts_of
from training.datasets.folder_people import people

ALWAYS_KINECT_V2 = tuple(suffix for name in ("ntu", "irds") for suffix in FORMATS[name].suffixes)
"""Formats whose files need not be opened to know their joints."""
_OTHER_SIDE = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
_SIDE = re.compile(rf"(?<![A-Za-z])({'|'.join(_OTHER_SIDE)})(?![a-z])")
MOST_PIECES = 10_000
"""Of a part: more than eight hours of three seconds each."""
SLACK_S = 0.05
"""A part may end so much after its file: a frame, and the rounding of what was typed."""


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What can be chosen about one's own recordings."""

    persons: int = setting(1, "people who act together, 1 or 2; of more bodies those who move most are taken")
    piece_s: float = setting(
        0.0,
        "seconds of the equal pieces that longer recordings and parts are cut into: for an action that somebody "
        "repeats all the time; 0 cuts nothing",
    )

    def __post_init__(self) -> None:
        if self.piece_s and not 0.5 <= self.piece_s <= 600:
            raise ValueError(f"piece_s must be 0 or 0.5 to 600, found {self.piece_s}")
        if self.persons not in (1, 2):
            raise ValueError(f"persons must be 1 or 2, found {self.persons}")


def look(path: Path, options: FolderOptions) -> Listing:
    """Lists the recordings of a folder.

    Raises:
        TrainingDataError: See :func:`training.datasets.folder_listing.parts_of`; or recordings with other joints.
    """
    parts = parts_of(path)
    labels = tuple(sorted({part.label for part in parts}))
    layout, durations_s = _surveyed(
        path, list(dict.fromkeys(part.file for part in parts)), with_times=options.piece_s > 0
    )
    description = Description(
        name="folder",
        layout=layout,
        labels=labels,
        protocols=("odd-even", "loso", "takes"),
        mirrored_labels=tuple(_mirrored(labels)),
        persons=options.persons,
        license="your own",
        people={number: name for name, number in numbered(part.subject for part in parts).items()},
    )
    return Listing(description, tuple(_items(path, parts, labels, durations_s, options.piece_s)))


@contextmanager
def reader(path: Path, options: FolderOptions, description: Description) -> Iterator[Load]:
    """Gives the function that reads one part."""
    last: dict[str, Recording] = {}  # the parts of a long recording follow each other

    def load(item: Item) -> Clip:
        file, start_s, end_s = str(item.place[0]), float(item.place[1]), float(item.place[2])
        if file not in last:
            last.clear()
            last[file] = open_recording(path / file)
        return _clip(item, last[file], start_s, end_s, options.persons, description.layout)

    yield load


def _items(
    root: Path, parts: list[Part], labels: tuple[str, ...], durations_s: dict[str, float], piece_s: float
) -> Iterator[Item]:
    numbers = numbered(part.subject for part in parts)
    uses = Counter(part.file for part in parts)
    takes: Counter[tuple[str, str]] = Counter()
    names: set[str] = set()
    for part, group in zip(parts, _performances(parts)):
        takes[part.label, part.subject] += 1
        pieces = _pieces(part, durations_s.get(part.file, 0.0), piece_s)
        for start_s, end_s in pieces:
            span = f"[{start_s:g}..{end_s:g}]" if uses[part.file] * len(pieces) > 1 else ""
            name = f"{part.file}{span}"
            if name in names:
                raise TrainingDataError(f"A part must be listed once, but in {root} '{name}' is listed again.")
            names.add(name)
            yield Item(
                name=name,
                label=labels.index(part.label),
                subject=numbers[part.subject],
                repetition=takes[part.label, part.subject] if part.take is None else part.take,
                group=group,
                size=(root / part.file).stat().st_size // len(pieces),
                place=(part.file, start_s, end_s),
            )


def _pieces(part: Part, duration_s: float, piece_s: float) -> list[tuple[float, float]]:
    """Start and end of the equal pieces of about ``piece_s`` that a part is cut into; the part where it is short."""
    length_s = min(part.end_s, duration_s) - part.start_s
    is_beyond = math.isfinite(part.end_s) and part.end_s > duration_s + SLACK_S  # the reader refuses it
    count = round(length_s / piece_s) if piece_s and not is_beyond else 1
    if count < 2 or count > MOST_PIECES:  # so many are a clock that leapt: the part as a whole is refused
        return [(part.start_s, part.end_s)]
    edges = [round(part.start_s + length_s * share / count, 3) for share in range(count + 1)]
    return list(zip(edges, [*edges[1:-1], part.end_s]))


def _performances(parts: list[Part]) -> list[int]:
    """A number for each part: parts of one file that overlap show the same performance."""
    order = sorted(range(len(parts)), key=lambda index: (parts[index].file, parts[index].start_s))
    result, group, file, end_s = [0] * len(parts), -1, "", 0.0
    for index in order:
        part = parts[index]
        if part.file != file or part.start_s >= end_s:
            group, file, end_s = group + 1, part.file, part.end_s
        end_s = max(end_s, part.end_s)
        result[index] = group
    return result


def _surveyed(root: Path, files: list[str], *, with_times: bool) -> tuple[Layout, dict[str, float]]:
    """The joints that all recordings have, and how long they are where that is needed, seconds.

    A file that cannot be read is left for the reader to refuse.
    """
    first: tuple[str, Layout] | None = None
    problem: RecordingError | None = None
    durations_s: dict[str, float] = {}
    for file in files:
        layout = KINECT_V2
        if with_times or not file.lower().endswith(ALWAYS_KINECT_V2):
            try:
                recording = open_recording(root / file)
            except RecordingError as error:
                problem = problem or error
                continue
            layout, durations_s[file] = recording.info.layout, recording.duration_s
        if first is None:
            first = file, layout
        elif layout.joints != first[1].joints:
            raise TrainingDataError(
                f"All recordings must have the same joints, but in {root} '{first[0]}' has {len(first[1])} "
                f"({first[1].name}) and '{file}' {len(layout)} ({layout.name}).",
                remedy="Keep the recordings of different sensors in folders of their own.",
            )
    if first is None:
        raise problem or TrainingDataError(f"{root} must hold a recording that can be read.")
    return _known(root, *first), durations_s


def _known(root: Path, file: str, layout: Layout) -> Layout:
    known = next((known for known in LAYOUTS.values() if known.joints == layout.joints), None)
    if known is None:
        raise TrainingDataError(
            f"Recordings must have the joints of a known layout ({', '.join(LAYOUTS)}), but '{file}' in {root} has "
            f"others ({', '.join(layout.joints[:3])} ...)."
        )
    return known


def _mirrored(labels: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of labels that differ in their sides only, such as "kick left" and "kick right"."""
    for label in labels:
        other = _SIDE.sub(lambda found: _OTHER_SIDE[found[0]], label)
        if label < other and other in labels:
            yield label, other


def _clip(item: Item, recording: Recording, start_s: float, end_s: float, persons: int, layout: Layout) -> Clip:
    """The frames of a part in which somebody acts."""
    if recording.info.layout.joints != layout.joints:
        raise TrainingDataError(f"'{item.name}' must have the joints of the others, {layout.name}.")
    if not len(recording.frames):
        raise TrainingDataError(f"'{item.name}' must hold frames, but is empty.")
    if math.isfinite(end_s) and end_s > recording.duration_s + SLACK_S:
        raise TrainingDataError(
            f"'{item.name}' must end within its file, which has {recording.duration_s:.2f} s, found {end_s:g} s."
        )
    since_s = recording.times_s - recording.times_s[0]
    # The end is the beginning of what follows, which would share a frame otherwise; nothing follows the file's end.
    is_before_end = (since_s < end_s) | (end_s >= recording.duration_s)
    inside = np.flatnonzero((since_s >= start_s) & is_before_end)
    frames = [recording.frames[index] for index in inside]
    seen, joints, state = people(frames, persons=persons, layout=layout)
    if len(seen) < 2:
        raise TrainingDataError(f"'{item.name}' must show somebody in at least two frames, found {len(seen)}.")
    times_s = recording.times_s[inside][seen]
    return Clip(
        item=item,
        times_s=times_s - times_s[0],
        joints=joints,
        state=state,
        floor=_floor(recording),
    )


def _floor(recording: Recording) -> tuple[float, ...]:
    """The plane that the app would level the recording by, or unknown."""
    floor = floor_of(recording)
    return UNKNOWN_FLOOR if floor is None else floor.plane


FOLDER = DataSet(
    name="folder",
    title="recordings of your own: a folder for each label with files like anna_1.mcap, or a labels.csv",
    source="the folder",
    look=look,
    reader=reader,
    options=FolderOptions,
)
