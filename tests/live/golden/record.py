"""Makes the golden recordings: the demo's performers, with what goes wrong before a real sensor. Always the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from skeleton.formats.table import write_recording
from skeleton.frames import Body, BodyFrame
from tests.live.disturbed import as_recording, at_15_fps, dropped, lost, performed, renamed
from tests.live.golden import recording

NEW_ID = 2**60
DIGITS = 3
"""Joints are kept to the millimeter, an order below the sensor's noise: files of a third of the size."""


def record() -> None:
    """Writes all of them."""
    for name, frames in {
        "ids-change": ids_change(),
        "poor-light": poor_light(),
        "clock-jumps": clock_jumps(),
    }.items():
        indexed = [dataclasses.replace(frame, index=index) for index, frame in enumerate(map(_rounded, frames))]
        write_recording(as_recording(indexed, name), recording(name), overwrite=True)


def ids_change() -> list[BodyFrame]:
    """Two people; one gets a new id amid an action, one is lost for 0.3 s and comes back under a new id; drops."""
    frames = performed(2, seed=3, from_s=3.5, until_s=16.0)
    one, other = (body.tracking_id for body in frames[-1].bodies)
    frames = renamed(frames, one, NEW_ID, from_s=10.4)
    frames = lost(renamed(frames, other, NEW_ID + 1, from_s=9.3), NEW_ID + 1, from_s=9.3, until_s=9.6)
    return dropped(frames, 0.1, seed=1)


def poor_light() -> list[BodyFrame]:
    """Three people, 15 frames a second for a while, a fifth lost; one leaves and at once another enters elsewhere."""
    frames = performed(3, seed=2, from_s=5.0, until_s=16.0)
    leaves = frames[-1].bodies[-1].tracking_id
    frames = _moved(renamed(frames, leaves, NEW_ID, from_s=11.5), NEW_ID, np.array([0.6, 0.0, 1.0]))
    frames = lost(frames, NEW_ID, from_s=11.5, until_s=11.7)
    return at_15_fps(dropped(frames, 0.2, seed=2), (8.0, 13.0))


def clock_jumps() -> list[BodyFrame]:
    """One person; amid an action the sensor's clock jumps by seven seconds, and the person has a new id then."""
    frames = performed(1, seed=1, from_s=3.0, until_s=14.0)
    (body,) = frames[-1].bodies
    frames = renamed(frames, body.tracking_id, NEW_ID, from_s=9.0)
    return [
        dataclasses.replace(frame, time_s=frame.time_s + 7.0) if frame.time_s >= 9.0 else frame for frame in frames
    ]


def _moved(frames: Sequence[BodyFrame], body_id: int, by_m: np.ndarray) -> list[BodyFrame]:
    def there(body: Body) -> Body:
        return dataclasses.replace(body, joints=body.joints + by_m) if body.tracking_id == body_id else body

    return [dataclasses.replace(frame, bodies=tuple(map(there, frame.bodies))) for frame in frames]


def _rounded(frame: BodyFrame) -> BodyFrame:
    bodies = tuple(dataclasses.replace(body, joints=body.joints.round(DIGITS)) for body in frame.bodies)
    return dataclasses.replace(frame, bodies=bodies)
