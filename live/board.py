"""What the pipeline's threads have to tell: written by them, read by ``poll``, behind one lock that is held briefly.

State is latest-wins. Events are facts: they wait in a bounded queue until they are taken, and a loss is counted.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from live.rates import RecentTimes
from live.sources.base import Position, SourceInfo, SourceStatus
from live.view import (
    ActionEvent,
    Banner,
    JointEvidence,
    ModelInfo,
    PairView,
    PersonView,
    PipelineView,
    RecordingView,
    Statistics,
    loudest_first,
)
from skeleton.frames import BodyFrame

MOST_EVENTS = 1024
"""Events that wait for a window; six people cannot start and end as many in a minute."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A frame with the picture that belongs to it."""

    frame: BodyFrame
    image: np.ndarray | None


class Board:
    """The state of a pipeline.

    Attributes:
        scenes_shown: How often what is shown was replaced.
        scenes_decided: How many of those were decided about too, and are worth painting now.
    """

    def __init__(self, *, most_events: int = MOST_EVENTS) -> None:
        self._lock = threading.Lock()
        self._events: deque[ActionEvent] = deque()
        self._most_events = most_events
        self._banners: dict[str, Banner] = {}
        self._source: SourceInfo | None = None
        self._status = SourceStatus.OPENING
        self._position: Position | None = None
        self._model: ModelInfo | None = None
        self._scene: Scene | None = None
        self._is_scene_unread = False
        self._people: tuple[PersonView, ...] = ()
        self._pairs: tuple[PairView, ...] = ()
        self._evidence: tuple[JointEvidence, ...] = ()
        self._frames = RecentTimes()
        self._runs = RecentTimes()
        self._frames_read = self._frames_lost = self._views_unread = self._events_lost = 0
        self._decided_s = -math.inf
        self._is_scene_decided = True  # there is none yet
        self.scenes_shown = self.scenes_decided = 0

    @property
    def status(self) -> SourceStatus:
        """What the source is doing; ENDED once its last frame was handed on."""
        with self._lock:
            return self._status

    def set_source(self, info: SourceInfo) -> None:
        """Notes that a source is open."""
        with self._lock:
            self._source = info

    def set_status(self, status: SourceStatus, position: Position | None = None) -> None:
        """Notes what the source is doing, and where its playback stands."""
        with self._lock:
            self._status, self._position = status, position

    def set_model(self, info: ModelInfo) -> None:
        """Notes the model in use."""
        with self._lock:
            self._model = info

    def set_banner(self, cause: str, banner: Banner | None) -> None:
        """Shows a banner for a cause, or takes it away."""
        with self._lock:
            self._banners.pop(cause, None)
            if banner is not None:
                self._banners[cause] = banner

    def set_frames_lost(self, count: int) -> None:
        """Notes how many frames were dropped before they could be read."""
        with self._lock:
            self._frames_lost = count

    def count_frame(self, now_s: float) -> None:
        """Counts a frame from the source."""
        with self._lock:
            self._frames_read += 1
            self._frames.add(now_s)

    def show(self, scene: Scene) -> None:
        """Replaces what is shown."""
        with self._lock:
            self._views_unread += self._is_scene_unread
            self._scene, self._is_scene_unread = scene, True
            self.scenes_shown += 1
            self._is_scene_decided = False
            if self._decided_s >= scene.frame.time_s:  # fetching the picture took longer than the decision
                self._note_scene_decided()

    def set_people(self, people: tuple[PersonView, ...], pairs: tuple[PairView, ...] = ()) -> None:
        """Replaces what is known of the people, and of pairs of them."""
        with self._lock:
            self._people, self._pairs = people, pairs

    def set_evidence(self, evidence: tuple[JointEvidence, ...]) -> None:
        """Replaces what speaks for the people's actions."""
        with self._lock:
            self._evidence = evidence

    def note_decision(self, time_s: float) -> None:
        """Notes that what is known of the people is of the frame at this time."""
        with self._lock:
            self._decided_s = time_s
            self._note_scene_decided()

    def count_run(self, now_s: float, latency_s: float) -> None:
        """Counts a decision and how long it took since its frame was received."""
        with self._lock:
            self._runs.add(now_s, latency_s)

    def add_events(self, events: tuple[ActionEvent, ...]) -> None:
        """Queues events; when nobody takes them the oldest are dropped, and counted."""
        with self._lock:
            self._events.extend(events)
            while len(self._events) > self._most_events:
                self._events.popleft()
                self._events_lost += 1

    def view(
        self, now_s: float, *, silence: Banner | None, unrecognized: int, recording: RecordingView | None = None
    ) -> PipelineView:
        """Returns everything as it is now, and takes the events.

        Args:
            now_s: Time that rates are counted to.
            silence: The banner for a live source that says it streams but delivers nothing; None when it does.
            unrecognized: Frames that the recognizer did not get to see.
            recording: The recording that runs, or the last one.
        """
        with self._lock:
            events, self._events = tuple(self._events), deque()
            self._is_scene_unread = False
            banners = [*self._banners.values(), *([silence] if silence else [])]
            scene = self._scene
            return PipelineView(
                source=self._source,
                status=SourceStatus.LOST if silence else self._status,
                model=self._model,
                frame=scene.frame if scene else None,
                image=scene.image if scene else None,
                people=() if silence else self._people,
                events=events,
                position=self._position,
                banners=loudest_first(banners),
                statistics=self._statistics(now_s, unrecognized),
                recording=recording,
                evidence=() if silence else self._evidence,
                pairs=() if silence else self._pairs,
            )

    def _note_scene_decided(self) -> None:
        self.scenes_decided += not self._is_scene_decided
        self._is_scene_decided = True

    def _statistics(self, now_s: float, unrecognized: int) -> Statistics:
        latencies = self._runs.percentiles(now_s, 50, 99)
        return Statistics(
            source_fps=self._frames.per_second(now_s),
            recognition_fps=self._runs.per_second(now_s),
            latency_ms=latencies[0] * 1e3 if latencies else None,
            latency_p99_ms=latencies[1] * 1e3 if latencies else None,
            frames_read=self._frames_read,
            frames_lost=self._frames_lost,
            frames_unrecognized=unrecognized,
            views_unread=self._views_unread,
            events_lost=self._events_lost,
        )
