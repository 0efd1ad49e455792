"""How things are said: times, speeds, labels, states and losses as words. No Qt."""

from __future__ import annotations

import math

from app import theme
from live.sources.base import SourceStatus
from live.view import ActionEvent, PersonState, PersonView, PipelineView
from models.card import ModelCard

STATE_TEXTS = {
    PersonState.WARMING_UP: "warming up",
    PersonState.NO_FLOOR: "floor not known",
    PersonState.NOTHING: "no action",
    PersonState.UNKNOWN: "unknown movement",
    PersonState.LOST: "tracking lost",
}
STATE_INKS = {PersonState.ACTION: theme.TEXT, PersonState.UNKNOWN: theme.DOUBT, PersonState.LOST: theme.FAINT}
"""Of the text beside a person: the action alone is bright. All other states are quiet."""


HINTED_RESULTS = ("dataset", "protocol", "top1", "top1_live")
"""Of a card's results, those that tell people how good a model is and on what; the rest fills pages."""


def clock(time_s: float) -> str:
    """Returns a time as "1:02.3" or "1:00:02.3"."""
    tenths = round(max(0.0, time_s) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"


def speed_text(speed: float) -> str:
    """Returns a speed as "0.5×" or "max"."""
    return "max" if math.isinf(speed) else f"{speed:g}×"


def readable(label: str) -> str:
    """Returns a class name as people write it: "deep_squat" is "deep squat"."""
    return label.replace("_", " ").strip() or label


STATUS_COLORS = {
    SourceStatus.OPENING: theme.WARNING,
    SourceStatus.STREAMING: theme.GOOD,
    SourceStatus.PAUSED: theme.QUIET,
    SourceStatus.ENDED: theme.QUIET,
    SourceStatus.LOST: theme.ERROR,
    SourceStatus.FAILED: theme.ERROR,
}


def status_text(status: SourceStatus) -> str:
    """Returns what a source is doing."""
    return {SourceStatus.OPENING: "opening …", SourceStatus.LOST: "lost, reconnecting …"}.get(status, status.value)


def person_label(one: PersonView | None) -> tuple[str, str]:
    """Returns the text beside a person and the quieter one after it; none for who acts with another."""
    if one is None or one.partner is not None:
        return "", ""
    if one.state is PersonState.ACTION and one.label:
        return readable(one.label), f"{one.confidence:.0%}"
    if one.state is PersonState.WARMING_UP:
        return STATE_TEXTS[one.state], f"{one.warm_up:.0%}"
    return STATE_TEXTS.get(one.state, one.state.value), ""


def state_ink(one: PersonView | None) -> theme.Color:
    """Returns the color of the text beside a person."""
    return STATE_INKS.get(one.state, theme.QUIET) if one else theme.QUIET


def class_name(label: str, card: ModelCard) -> str:
    """Returns a class of the model for people: the background is called what its state is called."""
    return STATE_TEXTS[PersonState.NOTHING] if label == card.background else readable(label)


def losses(view: PipelineView) -> str:
    """Returns what was lost, or nothing.

    Frames that the recognizer skipped are state, and normal when it is slower than the source; lost events are not.
    """
    statistics = view.statistics
    if statistics.events_lost:
        return f"{statistics.events_lost} events lost"
    if statistics.frames_lost:
        return f"{statistics.frames_lost} frames lost"
    share = statistics.frames_unrecognized / max(1, statistics.frames_read)
    return f"{share:.0%} of frames skipped" if share >= 0.005 else ""


def model_hint(view: PipelineView) -> str:
    """Returns what the model file says of itself, one fact a line."""
    if view.model is None:
        return ""
    card = view.model.card
    lines = [f"{view.model.file}: {card.network}, {_classes(card)}, {card.span_s:g} s window"]
    lines += [f"{key}: {card.results[key]}" for key in HINTED_RESULTS if key in card.results]
    return "\n".join([*lines, card.license] if card.license else lines)


def numbers(event: ActionEvent) -> str:
    """Returns who does it: "2", or "1 + 2" of two people together."""
    return " + ".join(map(str, event.people))


def _classes(card: ModelCard) -> str:
    together = f", {len(card.pair_labels)} of them of two people together" if card.pair_labels else ""
    return f"{len(card.actions)} classes{together}" + (" and a background" if card.background else "")
