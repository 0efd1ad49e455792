"""What goes wrong on the way from a sensor to a program, done to frames on purpose. The same frames give the same."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from live.sources.performer import PerformerSource
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo


def performed(people: int, *, seed: int, from_s: float, until_s: float) -> list[BodyFrame]:
    """Frames of the demo's performers."""
    frames: list[BodyFrame] = []
    with PerformerSource(people, seed=seed, speed=math.inf, comings_and_goings=False) as source:
        while not frames or frames[-1].time_s < until_s:
            frame = source.read(1.0)
            assert frame is not None
            frames.append(dataclasses.replace(frame, arrival_s=0.0))
    return [frame for frame in frames if from_s <= frame.time_s < until_s]


def dropped(frames: Sequence[BodyFrame], share: float, *, seed: int) -> list[BodyFrame]:
    """Loses a share of the frames, each independently of the others; never the first."""
    kept = np.random.default_rng(seed).random(len(frames)) >= share
    return [frame for place, frame in enumerate(frames) if kept[place] or place == 0]


def at_15_fps(frames: Sequence[BodyFrame], *spans_s: tuple[float, float]) -> list[BodyFrame]:
    """Leaves every other frame out for some times, as the sensor does in poor light."""
    return [
        frame
        for place, frame in enumerate(frames)
        if place % 2 == 0 or not any(begin <= frame.time_s < end for begin, end in spans_s)
    ]


def renamed(frames: Sequence[BodyFrame], old: int, new: int, *, from_s: float) -> list[BodyFrame]:
    """Gives a body another tracking id from a time on."""

    def with_id(body: Body) -> Body:
        return dataclasses.replace(body, tracking_id=new) if body.tracking_id == old else body

    return [
        dataclasses.replace(frame, bodies=tuple(map(with_id, frame.bodies))) if frame.time_s >= from_s else frame
        for frame in frames
    ]


def lost(frames: Sequence[BodyFrame], body_id: int, *, from_s: float, until_s: float) -> list[BodyFrame]:
    """Takes a body out of view for a while; frames go on."""
    return [
        dataclasses.replace(frame, bodies=tuple(body for body in frame.bodies if body.tracking_id != body_id))
        if from_s <= frame.time_s < until_s
        else frame
        for frame in frames
    ]


def as_recording(frames: Sequence[BodyFrame], name: str = "disturbed") -> Recording:
    """Returns the frames as a recording."""
    times_s = np.array([frame.time_s for frame in frames])
    return Recording(RecordingInfo(name, None, KINECT_V2), times_s, list(frames))
