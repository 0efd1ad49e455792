"""The source's thread: opens, reads and closes the source, and reopens a live one that was lost.

It waits for nobody but the source. Every frame goes to the history, and to the recorder while there is one; the
newest is shown, with its picture when the window took the one before (a picture costs a copy, or a decoded video
frame).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from pathlib import Path

import numpy as np

from live.board import Board, Scene
from live.recognizer_thread import RecognizerThread, internal_error
from live.recorder import Recorder
from live.rhythm import Interlude
from live.sources.base import Source, SourceInfo, SourceStatus, Transport
from live.view import Banner, Severity
from skeleton.errors import AppError, SourceLost, SourceUnavailable
from skeleton.frames import BodyFrame

READ_TIMEOUT_S = 0.05
"""How long one read may wait: commands and the end are looked for in between."""
LOST_AFTER_S = 2.0
"""A live source that delivers nothing for so long is lost: sixty frames."""
FIRST_FRAME_WITHIN_S = 6.0
"""A sensor that was just opened spins up before it delivers."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 8.0
"""Wait before a source is opened again; doubled after every failure."""
DECISION_WITHIN_S, LOOK_EVERY_S = 0.02, 0.002
"""A recording's picture is fetched once its frame is decided about, so much later than the frame at the latest."""
NEVER_LOST = frozenset({"demo"})
"""Kinds of live sources that are computed: where one sends nothing, the computer is busy."""
MOST_COMMANDS = 256


class SourceThread:
    """Owns the source.

    Args:
        source: Not yet open.
        recognition: Takes every frame; None shows bodies without recognizing them.
        board: Where frames and troubles go.
        logger: For what a user should not have to read.
        log_file: Named in the banner of an unexpected error.
        lost_after_s: A live source that delivers nothing for so long is lost.
        first_delay_s: First wait before it is opened again.
    """

    def __init__(
        self,
        source: Source,
        recognition: RecognizerThread | None,
        board: Board,
        *,
        logger: logging.Logger,
        log_file: Path | None,
        lost_after_s: float = LOST_AFTER_S,
        first_delay_s: float = FIRST_DELAY_S,
    ) -> None:
        self._source, self._recognition, self._board = source, recognition, board
        self._logger, self._log_file = logger, log_file
        self._lost_after_s, self._first_delay_s = lost_after_s, first_delay_s
        self._is_stopping = threading.Event()
        self._commands: deque[Transport] = deque(maxlen=MOST_COMMANDS)
        self._is_picture_wanted = True
        self._fetching = Interlude()
        self._unshown: BodyFrame | None = None
        self._recorder: Recorder | None = None
        self._recorded: tuple[BodyFrame, np.ndarray | None] | None = None  # the newest, with its picture
        self._info: SourceInfo | None = None
        self._delay_s = first_delay_s
        self._lost_before = 0  # frames, while it was open earlier
        self._first_received_s: float | None = None  # of all times the source was open
        self._received_s = 0.0  # the newest frame of this time; 0 before it
        self._index = -1  # the newest frame of a recording
        self.thread = threading.Thread(target=self._run, name="source", daemon=True)

    def stop(self) -> None:
        """Tells the thread to end; does not wait."""
        self._is_stopping.set()

    def command(self, command: Transport) -> None:
        """Queues a transport command for the next time between two reads."""
        self._commands.append(command)

    def want_picture(self) -> None:
        """Says that the last picture was taken: the next frame may bring its own."""
        self._is_picture_wanted = True

    def record(self, recorder: Recorder) -> None:
        """Hands every frame from now on to a recorder as well, which takes it or not."""
        self._recorder = recorder

    def is_silent(self, now_s: float) -> bool:
        """Whether a live source that streamed has been silent for too long, be it because a read does not return."""
        info, received_s = self._info, self._received_s
        return bool(info and _can_be_lost(info) and received_s and now_s - received_s > self._lost_after_s)

    def silence(self) -> Banner:
        """Returns the banner for a source that is silent."""
        name = self._info.name if self._info else "source"
        return Banner(Severity.WARNING, f"'{name}' has sent no frame for {self._lost_after_s:g} s; reconnecting.")

    def _run(self) -> None:
        try:
            while not self._is_stopping.is_set():
                if not self._stream() or self._is_stopping.wait(self._delay_s):
                    return
                self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
        except Exception:  # the one handler of this thread
            self._logger.exception("the source stopped")
            self._fail(internal_error("The source", self._log_file))
        finally:
            self._end()

    def _stream(self) -> bool:
        """Opens the source and reads it until it is lost; returns whether opening it again may help."""
        try:
            self._info = info = self._source.open()
            self._board.set_source(info)
            self._board.set_banner("file", Banner(Severity.WARNING, info.warning) if info.warning else None)
            self._wait_for_model(info)
            self._read_all(info)
        except (SourceLost, SourceUnavailable) as error:
            self._logger.warning("%s", error)
            if not self._source.reopens:
                self._fail(Banner(Severity.ERROR, str(error)))
                return False
            self._lose(error)
        except AppError as error:  # a file does not mend by itself
            self._fail(Banner(Severity.ERROR, str(error)))
            return False
        finally:
            self._end()
            self._lost_before += self._source.frames_lost
            self._board.set_frames_lost(self._lost_before)  # those of the last moment too, though it may stay away
            self._source.close()
        return True

    def _wait_for_model(self, info: SourceInfo) -> None:
        """Lets a recording wait for the model, so that its first seconds are recognized as offline."""
        if self._recognition is None or info.is_live:
            return
        while not self._is_stopping.is_set() and not self._recognition.wait_until_settled(READ_TIMEOUT_S):
            continue

    def _read_all(self, info: SourceInfo) -> None:
        opened_s = time.perf_counter()
        while not self._is_stopping.is_set():
            self._apply_commands()
            asked_s = time.perf_counter()
            frame = self._source.read(LOOK_EVERY_S if self._is_picture_due else READ_TIMEOUT_S)
            now_s = time.perf_counter()
            if frame is not None:
                self._deliver(info, frame, now_s)
            elif self._source.status is not SourceStatus.STREAMING:  # a pause is no silence
                opened_s, self._received_s = now_s, now_s if self._received_s else 0.0
                if self._recognition is not None:
                    self._recognition.expect_nothing()
            elif _can_be_lost(info):
                self._check_alive(info, asked_s, opened_s=opened_s)
            self._show(now_s)
            self._board.set_frames_lost(self._lost_before + self._source.frames_lost)
            if self._received_s:  # before the first frame the source is still opening, or still lost
                self._board.set_status(self._source.status, self._source.position)

    def _check_alive(self, info: SourceInfo, asked_s: float, *, opened_s: float) -> None:
        """Counts the silence up to the last read's start: a computer that slept in it gets the next one's frame."""
        if self._received_s:
            is_lost = asked_s - self._received_s > self._lost_after_s
        else:
            is_lost = asked_s - opened_s > max(FIRST_FRAME_WITHIN_S, self._lost_after_s)
        if is_lost:
            raise SourceLost(f"'{info.name}' has sent no frame for {asked_s - (self._received_s or opened_s):.0f} s.")

    def _apply_commands(self) -> None:
        while self._commands:
            self._source.apply(self._commands.popleft())

    def _deliver(self, info: SourceInfo, frame: BodyFrame, now_s: float) -> None:
        received_s = frame.arrival_s or now_s
        self._board.count_frame(now_s)
        if not self._received_s:
            self._begin(info, frame, now_s)
        self._received_s = now_s
        if self._recognition is not None:
            if self._has_jumped():
                self._recognition.catch_up(self._source.lead_in(self._recognition.lead_s))
            is_last = self._source.status is SourceStatus.ENDED
            self._recognition.observe(frame, received_s=received_s, is_last=is_last)
        self._record(info, frame, received_s=received_s)
        self._unshown = frame

    def _has_jumped(self) -> bool:
        """Whether the frame read last does not follow the one before it; a live source cannot jump."""
        position, before = self._source.position, self._index
        if position is None:
            return False
        self._index = position.index
        return position.index != before + 1

    def _record(self, info: SourceInfo, frame: BodyFrame, *, received_s: float) -> None:
        recorder = self._recorder
        if recorder is None or not recorder.is_running:
            return
        has_picture = recorder.with_video and info.color_size is not None
        picture = self._source.color() if has_picture else None
        self._recorded = (frame, picture) if has_picture else None
        recorder.put(info, frame, picture, received_s=received_s)

    def _begin(self, info: SourceInfo, frame: BodyFrame, now_s: float) -> None:
        """Greets the first frame after opening."""
        self._delay_s = self._first_delay_s
        self._board.set_banner("source", None)
        if self._first_received_s is None:
            self._first_received_s = now_s
        # A recording's events count from its start; a live source's from its first frame, also after a reconnect.
        position = self._source.position
        elapsed_s = position.time_s if position else now_s - self._first_received_s
        if self._recognition is not None:
            self._recognition.begin(info, origin_s=frame.time_s - elapsed_s)

    @property
    def _has_color(self) -> bool:
        return self._info is not None and self._info.color_size is not None

    @property
    def _is_picture_due(self) -> bool:
        return self._unshown is not None and self._has_color and self._is_picture_wanted

    def _show(self, now_s: float) -> None:
        """Shows the newest frame. With a picture it waits until the window took the last one, and for its turn."""
        if self._unshown is None:
            return
        if self._has_color and not (self._is_picture_wanted and self._may_fetch(now_s)):
            return
        self._is_picture_wanted = False
        self._board.show(Scene(self._unshown, self._picture_of(self._unshown) if self._has_color else None))
        self._unshown = None

    def _may_fetch(self, now_s: float) -> bool:
        """Whether the picture disturbs no decision: beside one, both take half as long again.

        A sensor's picture that does not fit before the next frame is left out. A recording's only waits: a video is
        decoded from one picture to the next, and to leave some out saves nothing.
        """
        if self._recognition is None:
            return True
        assert self._info is not None
        if not self._info.is_live:
            return not self._recognition.is_busy or now_s - self._received_s >= DECISION_WITHIN_S
        return self._fetching.fits(self._recognition.rest_s, now_s)

    def _picture_of(self, frame: BodyFrame) -> np.ndarray | None:
        """The frame's picture, fetched once although a recorder may have it too."""
        recorded, self._recorded = self._recorded, None
        if recorded is not None and recorded[0] is frame:
            return recorded[1]
        self._fetching.begin(time.perf_counter())
        picture = self._source.color()
        self._fetching.end(time.perf_counter())
        return picture

    def _end(self) -> None:
        self._received_s, self._unshown, self._recorded = 0.0, None, None
        if self._recognition is not None:
            self._recognition.end()

    def _lose(self, error: AppError) -> None:
        if self._first_received_s is None:
            self._fail(Banner(Severity.ERROR, str(error)))
        else:
            self._board.set_banner("source", Banner(Severity.WARNING, f"{error} Reconnecting."))
            self._board.set_status(SourceStatus.LOST)

    def _fail(self, banner: Banner) -> None:
        self._board.set_banner("source", banner)  # first: whoever sees that it failed is told why
        self._board.set_status(SourceStatus.FAILED)


def _can_be_lost(info: SourceInfo) -> bool:
    return info.is_live and info.kind not in NEVER_LOST
