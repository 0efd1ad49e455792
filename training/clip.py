"""Writes clips of a prepared data set as a recording that the app replays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.formats.table import format_for, write_recording
from skeleton.frames import Body, BodyFrame
from skeleton.recording import Recording, RecordingInfo
from training.cache import Cache

SENSOR_HEIGHT_M = 0.9
"""Height that the sensor is given above a known floor: a table's, as the Kinect's manual advises (0.6 to 1.8 m)."""
ON_THE_FLOOR = (0.0, 1.0, 0.0, 0.0)
"""The floor of data whose heights are measured from it."""
RATE_HZ = 30.0
TRANSITION_S = 1.0
"""Between two clips the people go from one pose to the next on straight lines."""


def find(cache: Cache, *, labels: Sequence[str], subject: int, repetition: int | None = None) -> list[int]:
    """Returns one clip of a person for each label: the first, or a given repetition; a correct one if there is one.

    Raises:
        TrainingDataError: An unknown label, or no such clip.
    """
    return [_find_one(cache, label, subject, repetition) for label in labels]


def write(cache: Cache, indices: Sequence[int], output: Path, *, repeat: int = 1) -> Recording:
    """Writes clips one after another, each ``repeat`` times, and returns the recording.

    Raises:
        TrainingDataError: A clip that is not there.
        RecordingError: A name or a folder that cannot be written to.
    """
    for index in indices:
        if not 0 <= index < len(cache):
            raise TrainingDataError(f"{cache.path} has clips 0 to {len(cache) - 1}, but clip {index} was asked for.")
    times_s, joints, state = _joined(cache, [index for index in indices for _ in range(repeat)])
    floors = {cache.floor(index) for index in indices}
    floor = floors.pop() if len(floors) == 1 else None
    if floor == ON_THE_FLOOR:
        joints = joints - np.array([0, SENSOR_HEIGHT_M, 0], dtype=np.float32)
        floor = (0.0, 1.0, 0.0, SENSOR_HEIGHT_M)
    first = cache.clips[indices[0]]
    names = list(dict.fromkeys(cache.labels[cache.clips[index]["label"]] for index in indices))
    info = RecordingInfo(
        format=format_for(output).name,
        path=None,
        layout=cache.layout,
        rate_hz=RATE_HZ,
        floor=floor,
        labels={"dataset": cache.dataset, "label": ", ".join(names), "subject": str(first["subject"])},
    )
    frames = [
        BodyFrame(index=number, time_s=float(time_s), bodies=_bodies(joints[number], state[number]), floor=floor)
        for number, time_s in enumerate(times_s)
    ]
    recording = Recording(info=info, times_s=times_s, frames=frames)
    write_recording(recording, output, overwrite=True)
    return recording


def _find_one(cache: Cache, label: str, subject: int, repetition: int | None) -> int:
    if label not in cache.labels:
        raise TrainingDataError(f"{cache.path} has no label '{label}'.", remedy=f"Known: {', '.join(cache.labels)}.")
    clips = cache.clips
    is_wanted = (clips["label"] == cache.labels.index(label)) & (clips["subject"] == subject)
    if repetition is not None:
        is_wanted &= clips["repetition"] == repetition
    found = np.flatnonzero(is_wanted)
    if not len(found):
        which = f" (repetition {repetition})" if repetition is not None else ""
        raise TrainingDataError(f"{cache.path} has no '{label}' by subject {subject}{which}.")
    return int(found[np.argmax(clips["is_correct"][found])])


def _joined(cache: Cache, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (F,), joints (F, M, V, 3) and state (F, M, V) of clips one after another, with transitions."""
    times, joints, state = [], [], []
    now_s = 0.0
    for index in indices:
        own_s, positions, states = cache.frames(index)
        if joints:
            steps = np.arange(1, round(TRANSITION_S * RATE_HZ)) / round(TRANSITION_S * RATE_HZ)
            last, first = joints[-1][-1], positions[0]
            times.append(now_s + steps * TRANSITION_S)
            joints.append((last + (first - last) * steps[:, None, None, None]).astype(np.float32))
            state.append(np.repeat(np.minimum(state[-1][-1:], states[:1]), len(steps), axis=0))
            now_s += TRANSITION_S
        times.append(now_s + own_s)
        joints.append(positions)
        state.append(states)
        now_s = float(times[-1][-1])
    return np.concatenate(times), np.concatenate(joints), np.concatenate(state)


def _bodies(joints: np.ndarray, state: np.ndarray) -> tuple[Body, ...]:
    return tuple(
        Body(tracking_id=person + 1, joints=joints[person], state=state[person])
        for person in range(len(joints))
        if state[person].any()
    )
