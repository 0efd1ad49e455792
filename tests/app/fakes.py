"""A pipeline without threads, a sensor or a model: views made by hand, commands written down."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from app.main_window import MainWindow
from live.sources.base import Position, SourceInfo, SourceStatus, Transport
from live.view import (
    ActionEvent,
    ModelInfo,
    PersonState,
    PersonView,
    PipelineView,
    RecordingView,
    Statistics,
)
from models.card import ModelCard
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2

LABELS = ("deep_squat", "hurdle_step", "side_lunge", "sit_to_stand")

CARD = ModelCard(
    name="exercises",
    network="csta_cnn",
    labels=LABELS,
    layout="kinect-v2",
    joints=KINECT_V2.joints,
    frames=30,
    span_s=2.5,
    attention_range=(0.2, 1.2),
    results={"top1": 0.97},
)
MODEL = ModelInfo(card=CARD, file="exercises.onnx", provider="CPU")
REPLAY = SourceInfo(kind="replay", name="wave.csv", layout=KINECT_V2, is_live=False, duration_s=5.0, frame_count=151)
DEMO = SourceInfo(kind="demo", name="Demo", layout=KINECT_V2, is_live=True)

# A standing person facing the sensor: x, y of the 25 joints in meters, SpineBase at the origin.
STANDING = np.array(
    [
        (0, 0), (0, 0.3), (0, 0.57), (0, 0.72),
        (-0.18, 0.47), (-0.27, 0.2), (-0.31, -0.03), (-0.32, -0.1),
        (0.18, 0.47), (0.27, 0.2), (0.31, -0.03), (0.32, -0.1),
        (-0.09, -0.03), (-0.11, -0.42), (-0.12, -0.8), (-0.13, -0.85),
        (0.09, -0.03), (0.11, -0.42), (0.12, -0.8), (0.13, -0.85),
        (0, 0.5), (-0.33, -0.17), (-0.29, -0.12), (0.33, -0.17), (0.29, -0.12),
    ]
)  # fmt: skip


def body(tracking_id: int, *, x: float = 0.0, z: float = 2.5, state: np.ndarray | None = None) -> Body:
    """A standing person at (x, z)."""
    joints = np.concatenate([STANDING, np.zeros((25, 1))], axis=1) + [x, 0.0, z]
    return Body(tracking_id, joints, np.full(25, 2) if state is None else state)


def person(number: int, *, state: PersonState = PersonState.ACTION, best: int = 0, **changes: object) -> PersonView:
    """What is known of the person with that number; tracking id 100 + number."""
    probabilities = np.full(len(LABELS), 0.05, np.float32)
    probabilities[best] = 0.85
    values: dict[str, object] = {
        "body_id": 100 + number,
        "person": number,
        "state": state,
        "label": LABELS[best] if state is PersonState.ACTION else None,
        "confidence": 0.85,
        "warm_up": 0.4 if state is PersonState.WARMING_UP else 1.0,
        "probabilities": None if state is PersonState.WARMING_UP else probabilities,
        "joint_attention": np.linspace(0.2, 1.2, 25, dtype=np.float32),
    }
    return PersonView(**{**values, **changes})  # type: ignore[arg-type]


def view(*people: PersonView, time_s: float = 1.0, **changes: object) -> PipelineView:
    """A view of ``people`` standing side by side."""
    bodies = tuple(body(one.body_id, x=0.9 * i - 0.45 * (len(people) - 1)) for i, one in enumerate(people))
    values: dict[str, object] = {
        "source": REPLAY,
        "status": SourceStatus.STREAMING,
        "model": MODEL,
        "frame": BodyFrame(index=int(time_s * 30), time_s=time_s, bodies=bodies),
        "people": people,
        "position": Position(time_s=time_s, index=int(time_s * 30)),
        "statistics": Statistics(source_fps=30.0, latency_ms=3.2, latency_p99_ms=7.9, frames_read=300),
    }
    return PipelineView(**{**values, **changes})  # type: ignore[arg-type]


def event(number: int = 1, *, start_s: float = 1.0, end_s: float | None = None, best: int = 0) -> ActionEvent:
    """An action of person ``number``."""
    return ActionEvent(100 + number, number, LABELS[best], start_s, end_s, 0.9)


class FakePipeline:
    """Answers every poll with the same view (events once) and writes down what it was told."""

    def __init__(self, shown: PipelineView | None = None) -> None:
        self.shown = shown or view(person(1))
        self.commands: list[Transport] = []
        self.starts = 0
        self.stops = 0
        self.news = self.polls = 0
        self.rest_s = math.inf
        self.fails_once: Exception | None = None
        self.recordings: list[tuple[Path, bool]] = []
        self.recording_error: Exception | None = None
        self.recalibrations = 0
        self.explains = False

    def start(self) -> None:
        self.starts += 1

    def stop(self) -> None:
        self.stops += 1

    def poll(self) -> PipelineView:
        self.polls += 1
        if self.fails_once is not None:
            error, self.fails_once = self.fails_once, None
            raise error
        answer = self.shown
        self.shown = dataclasses.replace(answer, events=())
        return answer

    def command(self, command: Transport) -> None:
        self.commands.append(command)

    def recalibrate(self) -> None:
        self.recalibrations += 1

    def explain(self, is_wanted: bool) -> None:
        self.explains = is_wanted

    def record(self, path: Path, *, with_video: bool = False) -> None:
        if self.recording_error is not None:
            raise self.recording_error
        self.recordings.append((path, with_video))
        self.shown = dataclasses.replace(self.shown, recording=RecordingView(path))

    def stop_recording(self) -> None:
        running = self.shown.recording
        assert running is not None
        self.shown = dataclasses.replace(
            self.shown,
            recording=dataclasses.replace(running, is_running=False, is_closed=True, seconds=2.5, frames=75),
        )


def shows(window: MainWindow, pipeline: FakePipeline, *people: object, **changes: object) -> None:
    """Lets the window take in a view of these people."""
    pipeline.shown = view(*people, **changes)  # type: ignore[arg-type]
    window.tick()
