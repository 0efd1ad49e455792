"""What the pipeline hands to a window, a video or a test: immutable values, no behavior.

One :class:`PipelineView` is the state of everything at one poll. State is latest-wins; ``events`` are facts and
arrive exactly once each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import numpy as np

from live.sources.base import Position, SourceInfo, SourceStatus
from models.card import ModelCard
from skeleton.frames import BodyFrame


@dataclass(frozen=True, slots=True, eq=False)
class Recognition:
    """The model's answer for one window.

    Attributes:
        body_ids: M tracking ids; -1 for an absent person.
        end_s: Sensor time of the window's last frame, seconds.
        probabilities: (K,) float32, sums to 1.
        joint_attention: (M, V) float32, V the model's joints.
        frame_attention: (M, T) float32.
        embedding: (E,) float32.
    """

    body_ids: tuple[int, ...]
    end_s: float
    probabilities: np.ndarray
    joint_attention: np.ndarray
    frame_attention: np.ndarray
    embedding: np.ndarray


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """One action of one person, or of two together, started and perhaps ended.

    Attributes:
        body_id: Tracking id at the start; of two people that of the one with the lower number.
        person: The small number shown beside the person, from 1.
        label: Class name.
        start_s: Seconds since the source's first frame.
        end_s: Likewise; None while the action goes on.
        confidence: Mean smoothed probability while the action lasted (so far).
        latency_ms: Mean time from a frame received to the decision about it, likewise; None offline, where frames do
            not arrive. Two events that differ in nothing else are the same event.
        other_body_id: Tracking id of the second of two people who act together, when it was first told; None for an
            action of one.
        other_person: Likewise the number, higher than ``person``.
    """

    body_id: int
    person: int
    label: str
    start_s: float
    end_s: float | None
    confidence: float
    latency_ms: float | None = field(default=None, compare=False)
    other_body_id: int | None = None
    other_person: int | None = None

    @property
    def body_ids(self) -> tuple[int, ...]:
        """Tracking ids of everybody who does it: one or two."""
        return (self.body_id,) if self.other_body_id is None else (self.body_id, self.other_body_id)

    @property
    def people(self) -> tuple[int, ...]:
        """The numbers of everybody who does it: one, or two in increasing order."""
        return (self.person,) if self.other_person is None else (self.person, self.other_person)


class PersonState(Enum):
    """What is known of a person's action."""

    WARMING_UP = "warming up"  # less than a window's worth of frames so far
    NO_FLOOR = "no floor"  # the model needs heights above a floor that is not known yet
    NOTHING = "nothing"  # no trained action: the background class is best, or no class reaches its threshold
    UNKNOWN = "unknown"  # something that the model was not trained on: the card's unknown rule holds
    ACTION = "action"
    LOST = "lost"  # out of view for less than the time a person is kept


@dataclass(frozen=True, slots=True, eq=False)
class PersonView:
    """One person as shown.

    Attributes:
        body_id: Tracking id.
        person: Small stable number, from 1 in the order of appearance.
        state: See :class:`PersonState`.
        label: The action, while state is ACTION; otherwise None.
        confidence: Smoothed probability of ``label``, or of the best class without one; 0..1.
        warm_up: Share of the first window already filled, 0..1.
        probabilities: (K,) smoothed probabilities, or None while warming up.
        joint_attention: (V,) |attention| on the *source's* joints, NaN where the model has no such joint; or None.
        frame_attention: (T,) |attention| over the window, oldest first; or None.
        partner: Number of the person with whom the action is done; None for one of this person alone. The label, the
            probabilities and the attention are then those of the two together.
    """

    body_id: int
    person: int
    state: PersonState
    label: str | None = None
    confidence: float = 0.0
    warm_up: float = 0.0
    probabilities: np.ndarray | None = None
    joint_attention: np.ndarray | None = None
    frame_attention: np.ndarray | None = None
    partner: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PairView:
    """Two people who stand near each other, as a model of two persons sees them.

    Attributes:
        body_ids: Their tracking ids.
        people: Their numbers, the lower one first.
        state: ACTION, UNKNOWN or NOTHING.
        label: What they do together, while state is ACTION; otherwise None.
        confidence: Smoothed probability of ``label``, or of the best class without one; 0..1.
        distance_m: How far apart they stand on the floor.
    """

    body_ids: tuple[int, int]
    people: tuple[int, int]
    state: PersonState
    label: str | None = None
    confidence: float = 0.0
    distance_m: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class JointEvidence:
    """Which joints speak for what a person is said to do; see ``live.evidence``.

    Attributes:
        body_id: Tracking id.
        label: The action that it speaks for.
        time_s: Sensor time of the frame that it was found at.
        falls: (V,) by how much the action's probability falls when a joint is hidden, -1..1, on the *source's*
            joints, NaN where the model has no such joint.
    """

    body_id: int
    label: str
    time_s: float
    falls: np.ndarray


class Severity(Enum):
    """How loud a banner is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_LOUDEST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Banner:
    """A sentence shown above the picture until its cause is gone.

    Attributes:
        severity: How loud.
        text: One or two sentences.
    """

    severity: Severity
    text: str


def loudest_first(banners: Iterable[Banner]) -> tuple[Banner, ...]:
    """Returns the banners by how loud they are; those that are equally loud stay in order."""
    return tuple(sorted(banners, key=lambda banner: _LOUDEST_FIRST.index(banner.severity)))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts and times since the start, or over the last two seconds where a rate is meant.

    Attributes:
        source_fps: Frames a second from the source, last 2 s.
        recognition_fps: Recognizer runs a second, last 2 s.
        latency_ms: Frame received to decision made, median of the last 2 s; None before the first.
        latency_p99_ms: 99th percentile of the last 2 s; None before the first.
        frames_read: Frames from the source.
        frames_lost: Frames that the device delivered and that were dropped before they could be read.
        frames_unrecognized: Frames replaced in the mailbox before the recognizer took them.
        views_unread: Views replaced before the window took them.
        events_lost: Events dropped because nobody polled; 0 in a healthy app.
    """

    source_fps: float = 0.0
    recognition_fps: float = 0.0
    latency_ms: float | None = None
    latency_p99_ms: float | None = None
    frames_read: int = 0
    frames_lost: int = 0
    frames_unrecognized: int = 0
    views_unread: int = 0
    events_lost: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model in use.

    Attributes:
        card: What the file says of itself.
        file: Its name.
        provider: The ONNX Runtime provider really in use: "CUDA" or "CPU".
    """

    card: ModelCard
    file: str
    provider: str


@dataclass(frozen=True, slots=True)
class RecordingView:
    """The recording that is being made, or the last one that was.

    Attributes:
        path: The file with the skeletons.
        video: The color video beside it, or None without one.
        is_running: Whether frames are still taken; False once it was stopped, or stopped by an error.
        is_closed: Whether the files are closed: everything that is kept is in them.
        seconds: From the first recorded frame to the last.
        frames: Body frames recorded.
        lost: Body frames that were to be recorded and are not; 0 unless the disk failed.
        pictures: Color pictures recorded.
        pictures_lost: Pictures left out because disk or processor were too slow.
    """

    path: Path
    video: Path | None = None
    is_running: bool = True
    is_closed: bool = False
    seconds: float = 0.0
    frames: int = 0
    lost: int = 0
    pictures: int = 0
    pictures_lost: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PipelineView:
    """Everything a window shows, at one moment.

    Attributes:
        source: The open source, or None before it opened.
        status: What the source is doing.
        model: The loaded model, or None before it loaded.
        frame: The newest body frame, or None before the first.
        image: (H, W, 3) uint8 RGB color picture of that frame, or None.
        people: One entry a person, in the order of their numbers.
        events: Started and ended actions since the last view, oldest first.
        position: Playback position, or None for a live source.
        banners: Sentences to show, loudest first.
        statistics: Rates, latencies and losses.
        recording: The recording that runs, or the last one of this pipeline; None before the first.
        evidence: The newest of everybody, a moment older than the people; empty unless it is asked for.
        pairs: People who stand near each other, for a model that knows what two people do together.
    """

    source: SourceInfo | None = None
    status: SourceStatus = SourceStatus.OPENING
    model: ModelInfo | None = None
    frame: BodyFrame | None = None
    image: np.ndarray | None = None
    people: tuple[PersonView, ...] = ()
    events: tuple[ActionEvent, ...] = ()
    position: Position | None = None
    banners: tuple[Banner, ...] = ()
    statistics: Statistics = field(default_factory=Statistics)
    recording: RecordingView | None = None
    evidence: tuple[JointEvidence, ...] = ()
    pairs: tuple[PairView, ...] = ()
