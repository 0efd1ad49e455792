"""What is open: a source and a model. Opening something else keeps what is there until the new one works. No Qt.

A new source runs in a candidate pipeline beside the old one. When it delivers, it takes the old one's place; when
it fails, its sentence is shown and nothing else has changed. A new model is loaded once beside everything to see
that it works; a sensor is never opened twice for it.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from live.engine import fitting_joints
from live.sources.base import SourceStatus, Transport
from live.sources.table import SourceOptions
from live.view import PipelineView, RecordingView, Severity
from models.card import ModelCard
from skeleton.errors import AppError, InternalError, RecordingError

LOGGER = logging.getLogger(__name__)
STOPPED_S = 2.0
"""A pipeline that was told to stop gets this long when the app ends or its sensor is opened again."""
NO_KINECT = "The demo plays instead; Sensor > Use the Kinect opens the Kinect again."


class LivePipeline(Protocol):
    """What the session asks of ``live.pipeline.Pipeline``."""

    def start(self) -> None: ...

    def stop(self) -> object: ...

    @property
    def news(self) -> int: ...

    @property
    def rest_s(self) -> float: ...

    def poll(self) -> PipelineView: ...

    def command(self, command: Transport) -> None: ...

    def recalibrate(self) -> None: ...

    def explain(self, is_wanted: bool) -> None: ...

    def record(self, path: Path, *, with_video: bool = False) -> None: ...

    def stop_recording(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What to open.

    Attributes:
        kind: Row of ``SOURCES``.
        source: What the source is told.
        model: Model file.
        provider: "auto", "cuda" or "cpu".
        can_fall_back: Whether the demo is shown when this cannot be opened.
    """

    kind: str
    source: SourceOptions
    model: Path
    provider: str = "auto"
    can_fall_back: bool = False


class _Loading(threading.Thread):
    """Tries a model file out."""

    def __init__(self, path: Path, load: Callable[[], ModelCard]) -> None:
        super().__init__(name="loading model", daemon=True)
        self.path, self._load = path, load
        self._card: ModelCard | None = None
        self._error: AppError | None = None

    def run(self) -> None:
        """Loads; an error waits until it is asked for."""
        try:
            self._card = self._load()
        except AppError as error:
            self._error = error

    def result(self) -> ModelCard:
        """Returns the card, or raises what went wrong."""
        if self._error is not None:
            raise self._error
        if self._card is None:  # an unexpected exception, which the hook has reported
            raise InternalError(f"The model '{self.path}' could not be loaded.")
        return self._card


class Session:
    """Owns the pipelines.

    Args:
        make: Makes a pipeline that is not yet started.
        load: Loads a model file and returns its card, or raises ``AppError``; called in a thread of its own.
        choice: What to open first.
    """

    def __init__(
        self, make: Callable[[Choice], LivePipeline], load: Callable[[Path, str], ModelCard], choice: Choice
    ) -> None:
        self._make, self._load = make, load
        self._choice = choice
        self._pipeline: LivePipeline | None = None
        self._candidate: tuple[Choice, LivePipeline] | None = None
        self._loading: _Loading | None = None
        self._problems: list[str] = []
        self._stopping: list[threading.Thread] = []
        self._explains = self._records_video = False
        self._status = SourceStatus.OPENING
        self.revision = 0
        """Changes whenever another pipeline takes over: what was shown of the old one means nothing then."""

    def start(self) -> None:
        """Opens the first choice; call once, when the window is on the screen."""
        self._pipeline = self._made(self._choice)

    @property
    def choice(self) -> Choice:
        """What is open, or is being opened first."""
        return self._choice

    @property
    def news(self) -> int:
        """A number that changes when what is open has something new to show."""
        return self._pipeline.news if self._pipeline is not None else 0

    @property
    def rest_s(self) -> float:
        """How long nothing is decided from now on: 0 during a decision, infinity when none is expected."""
        return self._pipeline.rest_s if self._pipeline is not None else math.inf

    @property
    def is_playing(self) -> bool:
        """Whether time passed, or was about to, when the view was asked for the last time."""
        return self._status in (SourceStatus.OPENING, SourceStatus.STREAMING)

    def poll(self) -> PipelineView:
        """Returns the newest view of what is open."""
        self._stopping = [thread for thread in self._stopping if thread.is_alive()]
        first_view = self._judge_candidate()
        if self._pipeline is None:
            return PipelineView()
        view, revision = first_view or self._pipeline.poll(), self.revision
        self._judge_model(view)
        has_failed = view.status is SourceStatus.FAILED and self.revision == revision  # not what just took over
        if has_failed and self._choice.can_fall_back:
            self._problems += [*(banner.text for banner in view.banners), NO_KINECT]
            self._fall_back(view.recording)
        # Whoever sees a new revision forgets the old pipeline, and must not be shown its last view as the first one.
        view = view if self.revision == revision else self._pipeline.poll()
        self._status = view.status
        return view

    def command(self, command: Transport) -> None:
        """Forwards a transport command."""
        if self._pipeline is not None:
            self._pipeline.command(command)

    def recalibrate(self) -> None:
        """Says that the sensor of what is open was calibrated."""
        if self._pipeline is not None:
            self._pipeline.recalibrate()

    def explain(self, is_wanted: bool) -> None:
        """Says whether evidence is wanted, of what is open and of what will be."""
        self._explains = is_wanted
        for pipeline in (self._pipeline, self._candidate[1] if self._candidate else None):
            if pipeline is not None:
                pipeline.explain(is_wanted)

    def record(self, path: Path, *, with_video: bool = False) -> None:
        """Records what is open, or the demo that takes its place, until :meth:`stop_recording` or another opening.

        Raises:
            RecordingError: The path cannot be a recording, one runs already, or nothing is open.
        """
        if self._pipeline is None:
            raise RecordingError("A source must be open to be recorded, but none is yet.")
        self._pipeline.record(path, with_video=with_video)
        self._records_video = with_video

    def stop_recording(self) -> None:
        """Ends the recording, if one runs."""
        if self._pipeline is not None:
            self._pipeline.stop_recording()

    def open_recording(self, path: Path) -> None:
        """Opens a recording, with the model that is in use."""
        source = dataclasses.replace(self._choice.source, recording=path, video=None)
        self._try(dataclasses.replace(self._choice, kind="replay", source=source, can_fall_back=False))

    def open_demo(self) -> None:
        """Opens the demo, with the model that is in use."""
        self._try(dataclasses.replace(self._choice, kind="demo", can_fall_back=False))

    def open_kinect(self) -> None:
        """Opens the Kinect, with the model that is in use; one that is open or being opened is left alone."""
        if self._candidate is not None and self._candidate[0].kind == "kinect":
            return
        self._drop_candidate()
        if self._choice.kind == "kinect":  # where it does not answer, its pipeline tries again by itself
            return
        for thread in self._stopping:  # a sensor must be closed before it is opened again
            thread.join(STOPPED_S)
        self._try(dataclasses.replace(self._choice, kind="kinect", can_fall_back=False))

    def open_model(self, path: Path) -> None:
        """Opens a model, on the source that is in use."""
        self._loading = _Loading(path, lambda: self._load(path, self._choice.provider))
        self._loading.start()

    def take_problems(self) -> list[str]:
        """Returns the sentences of what could not be opened, each once."""
        problems, self._problems = self._problems, []
        return problems

    def close(self) -> None:
        """Stops everything; no thread is left."""
        self._drop_candidate()
        if self._pipeline is not None:
            self._stop(self._pipeline)
            self._pipeline = None
        loading = [] if self._loading is None else [self._loading]
        for thread in [*self._stopping, *loading]:
            thread.join(STOPPED_S)

    def _try(self, choice: Choice) -> None:
        self._drop_candidate()
        self._candidate = (choice, self._made(choice))

    def _judge_candidate(self) -> PipelineView | None:
        """Returns the view with which the candidate took over: it holds its first events, which come only once."""
        if self._candidate is None:
            return None
        choice, pipeline = self._candidate
        view = pipeline.poll()
        if view.status is SourceStatus.FAILED:
            errors = [banner.text for banner in view.banners if banner.severity is Severity.ERROR]
            self._problems += errors or ["It could not be opened."]
            self._drop_candidate()
        elif view.frame is not None:
            self._candidate = None
            self._take_over(choice, pipeline)
            return view
        return None

    def _judge_model(self, view: PipelineView) -> None:
        """Takes a loaded model into use where it fits the source that is open; one that is opening is waited for."""
        loading = self._loading
        if loading is None or loading.is_alive() or self._candidate is not None:
            return
        self._loading = None
        try:
            card = loading.result()
            if view.source is not None:
                fitting_joints(card, view.source.layout)
        except AppError as error:
            self._problems.append(str(error))
            return
        is_awaited = view.frame is None
        can_fall_back = self._choice.can_fall_back and is_awaited  # one that has sent frames is waited for
        choice = dataclasses.replace(self._choice, model=loading.path, can_fall_back=can_fall_back)
        if self._pipeline is not None and choice.kind == "kinect":
            self._pipeline.stop()  # a sensor must be closed before it is opened again
        self._take_over(choice, self._made(choice))
        if is_awaited:
            self._go_on_recording(view.recording)
        if self._pipeline is not None and view.position is not None:
            position = view.position
            for command in (
                Transport(seek_s=position.time_s),
                Transport(speed=position.speed),
                Transport(loop=position.is_looping),
                Transport(play=view.status is SourceStatus.STREAMING),
            ):
                self._pipeline.command(command)

    def _take_over(self, choice: Choice, pipeline: LivePipeline) -> None:
        if self._pipeline is not None:
            self._stop(self._pipeline)
        self._choice, self._pipeline = choice, pipeline
        self.revision += 1

    def _fall_back(self, recording: RecordingView | None) -> None:
        """Shows the demo."""
        choice = dataclasses.replace(self._choice, kind="demo", can_fall_back=False)
        self._take_over(choice, self._made(choice))
        self._go_on_recording(recording)

    def _go_on_recording(self, recording: RecordingView | None) -> None:
        """Records what took over where a recording was asked for of what was there, and got no frame."""
        if recording is not None and recording.is_running and not recording.frames:
            try:
                self.record(recording.path, with_video=self._records_video)
            except RecordingError as error:
                self._problems.append(str(error))

    def _drop_candidate(self) -> None:
        if self._candidate is not None:
            self._stop(self._candidate[1])
            self._candidate = None

    def _made(self, choice: Choice) -> LivePipeline:
        pipeline = self._make(choice)
        pipeline.explain(self._explains)
        pipeline.start()
        return pipeline

    def _stop(self, pipeline: LivePipeline) -> None:
        """Stops a pipeline beside the window: it may take half a second, and the window must not stand still."""
        thread = threading.Thread(target=pipeline.stop, name="stopping", daemon=True)
        thread.start()
        self._stopping.append(thread)
