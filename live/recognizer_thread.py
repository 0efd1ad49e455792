"""The recognizer's thread: loads the model, then recognizes the newest frame, again and again.

The session is made, warmed up and run in this one thread. The source's thread hands frames over with ``observe``,
which only appends to the history and fills a mailbox, and never waits.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from live.board import Board
from live.decision import DecisionConfig
from live.engine import Decided, Engine, Observation, Recognizes, leveler_for
from live.evidence_rota import EvidenceRota
from live.mailbox import Mailbox
from live.rates import EventLatencies
from live.rhythm import Rhythm
from live.sources.base import SourceInfo
from live.view import Banner, Severity
from skeleton.errors import AppError, InternalError, ModelContractError
from skeleton.frames import BodyFrame
from skeleton.window import MAX_GAP_S

WAIT_S = 1.0
"""The mailbox wakes its consumer; this only bounds how long a thread sleeps if it should be forgotten."""
SETTLE_S, LOOK_BACK_EVERY_S = 1.0, 0.1
"""After a jump so much before the frame it led to is decided about as well, so often: longer than one takes."""
QUICK_S = 0.025
"""Frames that come faster, of a recording that is played faster, leave no rest that is worth waiting for."""


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What the source's thread hands over.

    Attributes:
        engine: History and decisions of the source that is open.
        observation: The newest frame; None only ends the actions that go on.
        received_s: When the frame arrived.
        is_last: Whether the actions that go on end with it.
        is_lost: Whether nobody is in view any more.
        lead_in: What lies before the next frame, of a recording that jumped; nothing is observed until it is done.
        is_done: Set when that is so.
    """

    engine: Engine
    observation: Observation | None
    received_s: float = 0.0
    is_last: bool = False
    is_lost: bool = False
    lead_in: Sequence[BodyFrame] = ()
    is_done: threading.Event = field(default_factory=threading.Event)


class RecognizerThread:
    """Owns the model.

    Args:
        load: Makes the recognizer; called in the thread.
        board: Where results go.
        config: When actions start and end.
        logger: For what a user should not have to read.
        log_file: Named in the banner of an unexpected error.

    Attributes:
        explains: Whether evidence is looked for while no frame waits. Any thread may set it.
    """

    def __init__(
        self,
        load: Callable[[], Recognizes],
        board: Board,
        *,
        config: DecisionConfig,
        logger: logging.Logger,
        log_file: Path | None,
    ) -> None:
        self._load, self._board, self._config = load, board, config
        self._logger, self._log_file = logger, log_file
        self._tasks: Mailbox[_Task] = Mailbox()
        self._is_stopping = threading.Event()
        self._is_settled = threading.Event()
        self._recognizer: Recognizes | None = None  # written once by the thread, read by the source's
        self._info: SourceInfo | None = None
        self._origin_s = 0.0
        self._next_person = 1  # a number means one person, before the sensor was lost and after
        self._engine: Engine | None = None  # of the source that is open; written by the source's thread only
        self._deciding: Engine | None = None  # the one whose actions go on; touched by this thread only
        # The newest that was handed over, and that was carried out: one writer each, so that neither's word is lost.
        self._pending: _Task | None = None
        self._done: _Task | None = None
        self._too_old = 0
        self._is_recalibrated = threading.Event()
        self._trouble = ""
        self._latencies = EventLatencies()
        self._rhythm = Rhythm(time.perf_counter)  # written by the source's thread
        self._rota: EvidenceRota | None = None  # touched by this thread only
        self.explains = False
        self.thread = threading.Thread(target=self._run, name="recognizer", daemon=True)

    @property
    def frames_unrecognized(self) -> int:
        """Frames that were replaced before the recognizer took them, or too old when it did."""
        return self._tasks.replaced + self._too_old

    @property
    def is_busy(self) -> bool:
        """Whether the newest frame that was observed still waits for its decision, and somebody lives to make it."""
        return self._pending is not self._done and self.thread.is_alive()

    @property
    def rest_s(self) -> float:
        """How long it rests from now on, seconds: 0 while it decides, infinity when no frame is expected.

        Infinity too where nobody is to wait for a rest: nothing is decided at all, or frames come too fast.
        """
        is_deciding = self._engine is not None and self.thread.is_alive()
        if not is_deciding or self._rhythm.interval_s < QUICK_S:
            return math.inf
        return 0.0 if self.is_busy else self._rhythm.until_next_s()

    def stop(self) -> None:
        """Tells the thread to end; does not wait."""
        self._is_stopping.set()
        self._tasks.close()

    def wait_until_settled(self, timeout_s: float) -> bool:
        """Waits until the model is loaded or has failed; the source's thread calls it."""
        return self._is_settled.wait(timeout_s)

    def recalibrate(self) -> None:
        """Says that the sensor was calibrated: the next frame is leveled by what is stored then."""
        self._is_recalibrated.set()

    # Called by the source's thread.

    def begin(self, info: SourceInfo, *, origin_s: float) -> None:
        """Notes that a source was opened, before its first frame.

        Args:
            info: The source.
            origin_s: Sensor time that events count from.
        """
        self._info, self._origin_s, self._engine = info, origin_s, None

    def observe(self, frame: BodyFrame, *, received_s: float, is_last: bool) -> None:
        """Adds a frame to the history and makes it the next to be recognized."""
        self._rhythm.note(received_s)
        engine = self._engine or self._new_engine()
        if engine is None:
            return
        if self._is_recalibrated.is_set():
            self._is_recalibrated.clear()
            assert self._recognizer is not None and self._info is not None
            engine.level_by(leveler_for(self._recognizer.card, self._info))
        observation = engine.observe(frame)
        if observation is not None or is_last:
            self._hand_over(_Task(engine, observation, received_s, is_last))

    def expect_nothing(self) -> None:
        """Notes that no frame comes before playback goes on."""
        self._rhythm.rest()

    @property
    def lead_s(self) -> float:
        """How much of what lies before a frame has a say in what is decided at it, seconds; 0 without a model."""
        return self._recognizer.card.span_s + MAX_GAP_S + SETTLE_S if self._recognizer is not None else 0.0

    def catch_up(self, lead_in: Sequence[BodyFrame]) -> None:
        """Forgets what was observed, because the source jumped, and takes in what lies before the next frame.

        Waits until that was decided about. So the next frame finds the window and the action it would find had the
        recording been played up to it, except that an action is not known to have begun before ``lead_in``.
        """
        engine = self._engine or self._new_engine()
        if engine is None:
            return
        engine.reset()
        if lead_in:
            task = _Task(engine, None, lead_in=lead_in)
            self._hand_over(task)
            while self.thread.is_alive() and not task.is_done.wait(WAIT_S):
                continue

    def end(self) -> None:
        """Ends everything that goes on, because the source is gone."""
        self._rhythm.rest()
        if self._engine is not None:
            self._next_person = self._engine.next_person
            self._hand_over(_Task(self._engine, None, is_last=True, is_lost=True))
        self._info = self._engine = None

    def _hand_over(self, task: _Task) -> None:
        self._pending = task  # first: who carries it out says so at once
        self._tasks.put(task)

    def _new_engine(self) -> Engine | None:
        if self._recognizer is None or self._info is None:
            return None
        try:
            self._engine = Engine(
                self._recognizer,
                self._info.layout,
                config=self._config,
                origin_s=self._origin_s,
                leveler=leveler_for(self._recognizer.card, self._info),
                first_person=self._next_person,
            )
        except ModelContractError as error:
            self._info = None  # said once for each source
            self._board.set_banner("model", Banner(Severity.ERROR, str(error)))
        return self._engine

    # The thread.

    def _run(self) -> None:
        try:
            self._recognizer = recognizer = self._load()
            self._board.set_model(recognizer.info)
            if recognizer.warning:
                self._board.set_banner("provider", Banner(Severity.WARNING, recognizer.warning))
            self._is_settled.set()
            self._rota = EvidenceRota(recognizer, self._rhythm, time.perf_counter)
            while not self._is_stopping.is_set():
                task = self._tasks.take(min(WAIT_S, self._rota.wait_s()) if self.explains else WAIT_S)
                if task is not None:
                    self._carry_out(task)
                    self._done = task
                    task.is_done.set()
                elif self.explains and self._rota.work():
                    self._board.set_evidence(self._rota.newest)
        except AppError as error:
            self._logger.warning("recognition stopped: %s", error)
            self._board.set_banner("model", Banner(Severity.ERROR, str(error)))
        except Exception:  # the one handler of this thread
            self._logger.exception("recognition stopped")
            self._board.set_banner("model", internal_error("Recognition", self._log_file))
        finally:
            self._end_actions()
            self._show_nobody()
            self._is_settled.set()

    def _carry_out(self, task: _Task) -> None:
        if task.engine is not self._deciding:
            self._end_actions()
            self._deciding = task.engine
        if task.lead_in:
            self._look_back(task)
        decided = task.engine.decide(task.observation) if task.observation else None
        if decided is None:
            self._too_old += task.observation is not None
        else:
            self._board.set_people(decided.people, decided.pairs)
            latency_ms = 1000 * (time.perf_counter() - task.received_s)
            self._board.add_events(self._latencies.note(decided.people, decided.events, latency_ms))
            self._say(decided.trouble)
            assert task.observation is not None
            self._board.note_decision(task.observation.frame.time_s)
            now_s = time.perf_counter()
            self._board.count_run(now_s, now_s - task.received_s)
            self._look(task, decided)
        if task.is_last:
            self._end_actions()
        if task.is_lost:
            self._show_nobody()
            self._say("")

    def _look_back(self, task: _Task) -> None:
        """Decides about the last part of a lead-in. The source's thread waits, so this one may observe."""
        due_s = task.lead_in[-1].time_s - SETTLE_S
        for frame in task.lead_in:
            observation = task.engine.observe(frame)
            if observation is None or frame.time_s < due_s or self._is_stopping.is_set():
                continue
            due_s = frame.time_s + LOOK_BACK_EVERY_S
            decided = task.engine.decide(observation)
            if decided is not None:
                self._board.add_events(self._latencies.end(decided.events))

    def _look(self, task: _Task, decided: Decided) -> None:
        """Tells the rota what may be explained; it looks while nobody wants it too, to answer soon when asked."""
        assert self._rota is not None
        before = self._rota.newest
        self._rota.look(task.engine, decided)
        if len(self._rota.newest) != len(before):
            self._board.set_evidence(self._rota.newest)

    def _show_nobody(self) -> None:
        self._board.set_people(())
        self._board.set_evidence(())
        if self._rota is not None:
            self._rota.forget()

    def _say(self, trouble: str) -> None:
        """Shows what is wrong with the floor, as long as it is."""
        if trouble != self._trouble:
            self._trouble = trouble
            self._board.set_banner("floor", Banner(Severity.WARNING, trouble) if trouble else None)

    def _end_actions(self) -> None:
        if self._deciding is not None:
            self._board.add_events(self._latencies.end(self._deciding.finish()))


def internal_error(what: str, log_file: Path | None) -> Banner:
    """Returns the banner of an unexpected exception at a thread's top."""
    where = f"; the details are in {log_file}" if log_file else "; the details are in the log"
    error = InternalError(f"{what} stopped on an unexpected error{where}.", remedy="Please report it.")
    return Banner(Severity.ERROR, str(error))
