"""Plays a recording through the threads at its own speed, and once more without them, and compares the actions.

What is decided live must be what is decided offline, to the frame, as long as no frame is left out. Whoever doubts
it for a recording of theirs can look: :class:`ComparisonRun` does both in a thread of its own, says how far it is,
and can be canceled at any time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from live.decision import DecisionConfig
from live.engine import Recognizes
from live.offline import run
from live.pipeline import Pipeline
from live.sources.base import Source, SourceStatus
from live.view import ActionEvent, PipelineView, Severity
from skeleton.errors import AppError, InternalError

LOGGER = logging.getLogger(__name__)
LOOK_EVERY_S = 0.02
SAME_S = 1e-6
"""Times are sums of the recording's own: they are equal, or a frame apart."""
MOST_EVENTS = 100_000
"""Events that wait between two looks; nobody else takes them."""


class Difference(Enum):
    """What is wrong with an action."""

    NONE = "same"
    TIMES = "other times"  # starts or ends at another frame
    CONFIDENCE = "other confidence"
    ONLY_LIVE = "only live"
    ONLY_OFFLINE = "only offline"


@dataclass(frozen=True, slots=True)
class Pair:
    """One action as it was decided live and offline.

    Attributes:
        live: None where only offline has it.
        offline: None where only live has it.
    """

    live: ActionEvent | None
    offline: ActionEvent | None

    @property
    def difference(self) -> Difference:
        """How the two differ."""
        if self.live is None or self.offline is None:
            return Difference.ONLY_OFFLINE if self.live is None else Difference.ONLY_LIVE
        if not _are_times_same(self.live, self.offline):
            return Difference.TIMES
        is_as_sure = abs(self.live.confidence - self.offline.confidence) <= SAME_S
        return Difference.NONE if is_as_sure else Difference.CONFIDENCE


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it.

    Attributes:
        pairs: All actions of both, in the order of their starts.
        frames: Frames of the recording.
        frames_dropped: Those that the recognizer did not get to see live, because it was busy.
    """

    pairs: tuple[Pair, ...]
    frames: int
    frames_dropped: int

    @property
    def differences(self) -> int:
        """Actions that are not the same."""
        return sum(pair.difference is not Difference.NONE for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is.

    Attributes:
        step: "offline" or "live".
        share: Of this step, 0..1.
    """

    step: str
    share: float


def pairs_of(live: Iterable[ActionEvent], offline: Iterable[ActionEvent]) -> tuple[Pair, ...]:
    """Puts the actions of two runs beside each other.

    Of one person and label first those of the same times are paired, then those that overlap most.

    Args:
        live: Finished actions; those that only started are left out.
        offline: Likewise.
    """
    left = [event for event in offline if event.end_s is not None]
    pairs: list[Pair] = []
    unmatched: list[ActionEvent] = []
    for event in (event for event in live if event.end_s is not None):
        same = next((other for other in left if _is_alike(event, other) and _are_times_same(event, other)), None)
        if same is None:
            unmatched.append(event)
        else:
            left.remove(same)
            pairs.append(Pair(event, same))
    for event in unmatched:
        alike = [other for other in left if _is_alike(event, other) and _overlap_s(event, other) > 0]
        best = max(alike, key=lambda other: _overlap_s(event, other), default=None)
        if best is not None:
            left.remove(best)
        pairs.append(Pair(event, best))
    pairs += [Pair(None, event) for event in left]
    return tuple(sorted(pairs, key=_order))


class ComparisonRun:
    """Compares in a thread of its own.

    Args:
        source: Makes a source of the recording that plays at a speed; called once for each way.
        load: Makes a recognizer; called once for each way, in the thread that uses it.
        config: When actions start and end.
        speed: Of the live way, times real time.
    """

    def __init__(
        self,
        source: Callable[[float], Source],
        load: Callable[[], Recognizes],
        *,
        config: DecisionConfig | None = None,
        speed: float = 1.0,
    ) -> None:
        self._source, self._load, self._config, self._speed = source, load, config, speed
        self._is_canceled = threading.Event()
        self._result: Comparison | None = None
        self._error: AppError | None = None
        self.progress = Progress("offline", 0.0)
        """How far it is; replaced by the thread, read by anybody."""
        self.thread = threading.Thread(target=self._run, name="comparison", daemon=True)

    def start(self) -> None:
        """Starts it, once."""
        self.thread.start()

    def cancel(self) -> None:
        """Makes it end within a frame and half a second; does not wait."""
        self._is_canceled.set()

    @property
    def is_over(self) -> bool:
        """Whether there is a result, or never will be."""
        return self.thread.ident is not None and not self.thread.is_alive()

    def result(self) -> Comparison | None:
        """Returns what came of it, None when it was canceled; call when it is over.

        Raises:
            AppError: The recording or the model cannot be used.
        """
        if self._error is not None:
            raise self._error
        return self._result

    def _run(self) -> None:
        try:
            offline, frames = self._offline()
            live, dropped = self._live(frames)
            if not self._is_canceled.is_set():
                self._result = Comparison(pairs_of(live, offline), frames, dropped)
        except AppError as error:
            self._error = error
        except Exception:  # the one handler of this thread
            LOGGER.exception("the comparison stopped")
            self._error = InternalError("The comparison stopped on an unexpected error; the details are in the log.")

    def _offline(self) -> tuple[list[ActionEvent], int]:
        events: list[ActionEvent] = []
        frames = 0
        views = run(self._source(float("inf")), self._load(), config=self._config, with_color=False)
        try:
            for view in views:
                frames += 1
                events += view.events
                self.progress = Progress("offline", _share(view))
                if self._is_canceled.is_set():
                    break
        finally:
            views.close()
        return events, frames

    def _live(self, frames: int) -> tuple[list[ActionEvent], int]:
        events: list[ActionEvent] = []
        self.progress = Progress("live", 0.0)
        if self._is_canceled.is_set():
            return events, 0
        pipeline = Pipeline(
            self._source(self._speed), self._load, config=self._config, logger=LOGGER, most_events=MOST_EVENTS
        )
        with pipeline:
            while not self._is_canceled.wait(LOOK_EVERY_S):
                is_done = pipeline.is_done  # asked before the events are taken, so that none comes after
                view = pipeline.poll()
                events += view.events
                self.progress = Progress("live", view.statistics.frames_read / max(frames, 1))
                _require_health(view)
                if is_done:
                    break
        statistics = pipeline.poll().statistics
        return events, statistics.frames_lost + statistics.frames_unrecognized


def _require_health(view: PipelineView) -> None:
    errors = [banner.text for banner in view.banners if banner.severity is Severity.ERROR]
    if errors or view.status is SourceStatus.FAILED:
        raise AppError(" ".join(errors) or "The recording could not be played.")


def _share(view: PipelineView) -> float:
    count = view.source.frame_count if view.source is not None else None
    return view.statistics.frames_read / count if count else 0.0


def _is_alike(one: ActionEvent, other: ActionEvent) -> bool:
    return (one.people, one.body_ids, one.label) == (other.people, other.body_ids, other.label)


def _are_times_same(one: ActionEvent, other: ActionEvent) -> bool:
    return abs(one.start_s - other.start_s) <= SAME_S and abs((one.end_s or 0) - (other.end_s or 0)) <= SAME_S


def _overlap_s(one: ActionEvent, other: ActionEvent) -> float:
    return min(one.end_s or 0.0, other.end_s or 0.0) - max(one.start_s, other.start_s)


def _order(pair: Pair) -> tuple[float, int]:
    event = pair.live or pair.offline
    assert event is not None
    return event.start_s, event.person
