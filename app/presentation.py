"""What the panels show, as plain values: the presenter makes them, the panels paint them. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from app import theme


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One bar of the score panel.

    Attributes:
        label: Class name, for people.
        probability: 0..1.
        is_action: Whether this is the action going on.
        threshold: Where an action of this class starts, 0..1; None for the background, which is never one.
    """

    label: str
    probability: float
    is_action: bool = False
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """The score panel.

    Attributes:
        people: Numbers of the people in view.
        person: The one shown, or None.
        rows: Bars, in a steady order, the background last.
        note: A line instead of bars, or empty.
        room: Bars to keep room for, so that the panel does not jump when somebody leaves.
    """

    people: tuple[int, ...] = ()
    person: int | None = None
    rows: tuple[ScoreRow, ...] = ()
    note: str = ""
    room: int = 1


@dataclass(frozen=True, slots=True)
class TransportState:
    """The transport bar.

    Attributes:
        can_pause: Whether time can be stopped.
        can_step: Whether there is a frame before this one to go back to.
        can_seek: Whether there is an end, so that the slider means something.
        is_playing: Which face the play button has.
        time_s: Seconds since the start.
        duration_s: Length, or None.
        index: Frame number.
        speed: Times real time; None where the source does not say.
        is_looping: Whether the end goes on at the start.
        text: "0:03.4 / 0:05.1".
    """

    can_pause: bool = False
    can_step: bool = False
    can_seek: bool = False
    is_playing: bool = False
    time_s: float = 0.0
    duration_s: float | None = None
    index: int = 0
    speed: float | None = None
    is_looping: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class StatusTexts:
    """The status line, left to right.

    Attributes:
        source: Name and state of the source.
        source_color: Color of the dot beside it.
        rate: Frames a second.
        latency: Frame received to decision made.
        losses: What was dropped; empty when nothing was.
        has_losses: Whether a loss needs attention.
        provider: What computes.
        model: Its name.
        model_hint: What the model file says of itself.
    """

    source: str = ""
    source_color: theme.Color = theme.FAINT
    rate: str = ""
    latency: str = ""
    losses: str = ""
    has_losses: bool = False
    provider: str = ""
    model: str = ""
    model_hint: str = ""
