"""The running pipeline: a source, a recognizer and a recorder in a thread each, and a view of everything at any time.

    with Pipeline(ReplaySource(path), partial(Recognizer, model)) as pipeline:
        view = pipeline.poll()
        pipeline.record(Path("squats.mcap"))

A pipeline has one source and one model for its life. To open another one, stop it and make a new pipeline: a
stopped one leaves nothing behind, and its last view can stay on the screen until the new one has a frame.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from live.board import MOST_EVENTS, Board
from live.decision import DecisionConfig
from live.engine import Recognizes
from live.recognizer_thread import RecognizerThread
from live.recorder import BANNER, Recorder
from live.source_thread import FIRST_DELAY_S, LOST_AFTER_S, SourceThread
from live.sources.base import Source, SourceStatus, Transport
from live.view import PipelineView
from skeleton.errors import RecordingError

STOP_WITHIN_S = 0.5
"""``stop`` returns after this at the latest. A thread inside a call that does not return (a driver, the loading of a
model) cannot be interrupted; it ends by itself as soon as the call returns, and touches nothing that is shown."""


class Pipeline:
    """Owns the threads.

    Args:
        source: Not yet open.
        load_recognizer: Makes the recognizer, in its own thread; None shows bodies without recognizing them.
        config: When actions start and end.
        logger: For tracebacks and what a user should not have to read.
        log_file: Where that logger writes; named in the banner of an unexpected error.
        lost_after_s: A live source that delivers nothing for so long is lost, seconds.
        first_delay_s: Wait before it is opened again, seconds; doubled after every failure.
        most_events: Events kept for a window that does not poll.
    """

    def __init__(
        self,
        source: Source,
        load_recognizer: Callable[[], Recognizes] | None,
        *,
        config: DecisionConfig | None = None,
        logger: logging.Logger | None = None,
        log_file: Path | None = None,
        lost_after_s: float = LOST_AFTER_S,
        first_delay_s: float = FIRST_DELAY_S,
        most_events: int = MOST_EVENTS,
    ) -> None:
        self._logger = logger or logging.getLogger(__name__)
        self._board = Board(most_events=most_events)
        self._log_file = log_file
        self._is_stopped = False
        self._recorders: list[Recorder] = []  # the last one, and those that still write
        self._recognition: RecognizerThread | None = None
        if load_recognizer is not None:
            self._recognition = RecognizerThread(
                load_recognizer,
                self._board,
                config=config or DecisionConfig(),
                logger=self._logger,
                log_file=log_file,
            )
        self._feed = SourceThread(
            source,
            self._recognition,
            self._board,
            logger=self._logger,
            log_file=log_file,
            lost_after_s=lost_after_s,
            first_delay_s=first_delay_s,
        )

    def start(self) -> None:
        """Starts the threads; once in a pipeline's life."""
        for part in (self._feed, self._recognition):
            if part is not None:
                part.thread.start()

    def stop(self) -> bool:
        """Ends the threads, within half a second; may be called twice, and before ``start``.

        Actions that go on are ended; their events are in the next view. A recording is ended and closed.

        Returns:
            Whether all threads have ended; if not, one is inside a call that does not return.
        """
        end_s = time.perf_counter() + STOP_WITHIN_S
        self._is_stopped = True
        for part in self._parts:
            part.stop()
        started = [part.thread for part in self._parts if part.thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, end_s - time.perf_counter()))
        late = [thread.name for thread in started if thread.is_alive()]
        if late:
            self._logger.warning("still inside a call that does not return: %s", ", ".join(late))
        return not late

    @property
    def news(self) -> int:
        """A number that changes when a frame is there to show and, with a model, decided about."""
        return self._board.scenes_shown if self._recognition is None else self._board.scenes_decided

    @property
    def rest_s(self) -> float:
        """How long nothing is decided from now on: 0 during a decision, infinity when none is expected."""
        return math.inf if self._recognition is None else self._recognition.rest_s

    @property
    def is_done(self) -> bool:
        """Whether the source came to its end, and all that it gave is decided about."""
        is_deciding = self._recognition is not None and self._recognition.is_busy
        return self._board.status is SourceStatus.ENDED and not is_deciding

    def poll(self) -> PipelineView:
        """Returns the state now and the events since the last poll. Never waits for a thread's work."""
        now_s = time.perf_counter()
        self._feed.want_picture()
        return self._board.view(
            now_s,
            silence=self._feed.silence() if self._feed.is_silent(now_s) else None,
            unrecognized=self._recognition.frames_unrecognized if self._recognition else 0,
            recording=self._recorders[-1].view() if self._recorders else None,
        )

    def command(self, command: Transport) -> None:
        """Sends a transport command to the source."""
        self._feed.command(command)

    def recalibrate(self) -> None:
        """Says that the source's sensor was calibrated: from the next frame on its new floor counts."""
        if self._recognition is not None:
            self._recognition.recalibrate()

    def explain(self, is_wanted: bool) -> None:
        """Says whether evidence for the people's actions is wanted beside them; at first it is not."""
        if self._recognition is not None:
            self._recognition.explains = is_wanted

    def record(self, path: Path, *, with_video: bool = False) -> None:
        """Records every body frame from the next one on; the view tells how far it is.

        The recording goes on while a sensor is lost and comes back, and ends with :meth:`stop_recording`, with the
        pipeline, or by an error, which is a banner. Files appear with the first frame.

        Args:
            path: A new ``.mcap`` file in a folder that exists.
            with_video: Whether color pictures are kept too, in an ``.mkv`` file of the same name.

        Raises:
            RecordingError: The path cannot be a recording, or one runs already.
            ValueError: The pipeline was stopped.
        """
        if self._is_stopped:
            raise ValueError("the pipeline was stopped")
        if self._recorders and self._recorders[-1].is_running:
            raise RecordingError(f"One recording can run at a time, but {self._recorders[-1].path} still does.")
        recorder = Recorder(path, self._board, with_video=with_video, logger=self._logger, log_file=self._log_file)
        self._board.set_banner(BANNER, None)
        self._recorders = [*(one for one in self._recorders if one.thread.is_alive()), recorder]
        recorder.thread.start()
        self._feed.record(recorder)

    def stop_recording(self) -> None:
        """Ends the recording, if one runs; its file is closed in its own thread, moments later."""
        for recorder in self._recorders:
            recorder.stop()

    @property
    def _parts(self) -> list[SourceThread | RecognizerThread | Recorder]:
        parts: list[SourceThread | RecognizerThread | Recorder] = [self._feed, *self._recorders]
        return parts if self._recognition is None else [*parts, self._recognition]

    def __enter__(self) -> Pipeline:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
