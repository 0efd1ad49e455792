"""What a comparison of live and offline says: a verdict in a sentence, and a row for each action. No Qt."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.session import Choice
from app.wording import clock, numbers, readable
from live.comparison import Comparison, ComparisonRun, Difference, Pair, Progress
from live.view import ActionEvent
from skeleton.errors import ConfigError

if TYPE_CHECKING:
    from live.recognizer import Recognizer
    from live.sources.base import Source

COLUMNS = ("Person", "Action", "Live", "Offline", "Difference")
ONLY_RECORDINGS = "Live and offline can be compared for a recording only: open one first."
OFFLINE_SHARE = 0.2
"""Of the progress bar: without waiting for the recording's own speed it is the shorter way."""


@dataclass(frozen=True, slots=True)
class Row:
    """One action in the table.

    Attributes:
        texts: One for each of ``COLUMNS``.
        differs: Whether it needs looking at.
    """

    texts: tuple[str, ...]
    differs: bool


def name_of(choice: Choice) -> str:
    """Returns what is compared, for people: the recording and the model; nothing where it is no recording."""
    recording = choice.source.recording
    return f"{recording.name}, with {choice.model.name}" if choice.kind == "replay" and recording is not None else ""


def run_of(choice: Choice) -> ComparisonRun:
    """Returns a comparison of a recording with a model; not yet started.

    Raises:
        ConfigError: The choice is no recording.
    """
    if choice.kind != "replay":
        raise ConfigError(ONLY_RECORDINGS)

    def source(speed: float) -> Source:
        from live.sources.table import SOURCES

        return SOURCES[choice.kind](dataclasses.replace(choice.source, speed=speed, is_looping=False))

    def load() -> Recognizer:
        from live.recognizer import Recognizer

        return Recognizer(choice.model, provider=choice.provider)

    return ComparisonRun(source, load)


def rows_of(comparison: Comparison) -> list[Row]:
    """Returns a row for each action, in the order of their starts."""
    return [_row(pair) for pair in comparison.pairs]


def verdict(comparison: Comparison) -> str:
    """Returns what came of a comparison, in a sentence or two."""
    total, differ, dropped = len(comparison.pairs), comparison.differences, comparison.frames_dropped
    frames = f"{dropped or 'none'} of {comparison.frames} frames {'were' if dropped > 1 else 'was'} dropped"
    actions = {0: "No action was recognized either way", 1: "The one action is the same to the frame"}.get(
        total, f"All {total} actions are the same to the frame"
    )
    if not differ:
        return f"{actions}; live, {frames}."
    actions = f"{differ} of {total} actions {'differs' if differ == 1 else 'differ'}"
    if dropped:
        return f"{actions}; live, {frames}, because the computer was busy."
    return f"{actions}, although live no frame was dropped. That should not happen: please report it."


def progress_text(progress: Progress) -> str:
    """Returns what goes on at the moment."""
    step = {"offline": "Offline, every frame in turn", "live": "Live, at the recording's own speed"}[progress.step]
    return f"{step}: {progress.share:.0%}"


def progress_share(progress: Progress) -> float:
    """Returns how far both ways together are, 0..1."""
    if progress.step == "offline":
        return OFFLINE_SHARE * progress.share
    return min(1.0, OFFLINE_SHARE + (1 - OFFLINE_SHARE) * progress.share)


def _row(pair: Pair) -> Row:
    event = pair.live or pair.offline
    assert event is not None
    texts = (numbers(event), readable(event.label), _times(pair.live), _times(pair.offline), _difference(pair))
    return Row(texts, pair.difference is not Difference.NONE)


def _times(event: ActionEvent | None) -> str:
    if event is None or event.end_s is None:
        return "—"
    return f"{clock(event.start_s)} – {clock(event.end_s)}  ·  {event.confidence:.0%}"


def _difference(pair: Pair) -> str:
    if pair.difference is not Difference.TIMES:
        return pair.difference.value
    live, offline = pair.live, pair.offline
    assert live is not None and offline is not None
    start_ms = 1000 * (live.start_s - offline.start_s)
    end_ms = 1000 * ((live.end_s or 0.0) - (offline.end_s or 0.0))
    return f"start {start_ms:+.0f} ms, end {end_ms:+.0f} ms"
