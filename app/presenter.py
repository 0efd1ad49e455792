"""PipelineView -> everything the window writes, colors and enables. No Qt, so a table of values can test it.

The presenter keeps what outlives a view: the chosen person, the bounded list of events, the geometry of the source.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque

import numpy as np

from app import theme
from app.heat import scale_of, values_of
from app.presentation import ScoreRow, Scores, StatusTexts, TransportState
from app.recording import mark
from app.scene import Bond, Figure, Legend, Scene
from app.stage import Stage
from app.wording import (
    STATUS_COLORS,
    class_name,
    clock,
    losses,
    model_hint,
    person_label,
    readable,
    state_ink,
    status_text,
)
from live.heat_kinds import DEFAULT_HEAT
from live.sources.base import SourceInfo, SourceStatus
from live.view import ActionEvent, PersonState, PersonView, PipelineView
from models.card import ModelCard
from skeleton.frames import Body, BodyFrame

MOST_EVENTS = 500
"""Older ones leave the list: a window that runs for a week must not grow."""
LOOK_S = 0.5
"""A look that begins while an action goes on dates its start, which nobody saw, at most so much too early."""
MOST_SCORES = 12
"""Up to so many classes keep their places; of more, the likeliest are shown."""


class Presenter:
    """Turns views into texts, colors and values, and keeps what the user chose.

    Args:
        most_events: The newest that are kept, an action that is played again only once; None keeps all, those of
            each pass of a loop, for a rendering that has an end.
    """

    def __init__(self, *, most_events: int | None = MOST_EVENTS) -> None:
        self.shows_heat = True
        self.heat_kind = DEFAULT_HEAT
        self.shows_labels = True
        self.is_mirrored = False
        self.events: deque[ActionEvent] = deque(maxlen=most_events)
        self.events_revision = 0
        self.events_left_out = 0
        """How many of the oldest have left the list."""
        self._chosen: int | None = None  # the number of a person: the tracking id may change
        self._stage: Stage | None = None
        self._info: SourceInfo | None = None
        self._start_s: float | None = None
        self._frame: BodyFrame | None = None
        self._last_seen: dict[int, Body] = {}

    def anew(self) -> Presenter:
        """Returns a presenter for another source: the switches stay, events and people of this one do not."""
        other = Presenter(most_events=self.events.maxlen)
        other.shows_heat, other.shows_labels, other.is_mirrored = self.shows_heat, self.shows_labels, self.is_mirrored
        other.heat_kind = self.heat_kind
        return other

    @property
    def look(self) -> tuple[object, ...]:
        """What a person switched or chose; when it changes, the same view looks different."""
        return (self.shows_heat, self.heat_kind, self.shows_labels, self.is_mirrored, self._chosen)

    def take(self, view: PipelineView) -> None:
        """Takes in what must not be missed: events, and the frame that moves the view. Call once per poll."""
        if view.source is not None and view.source is not self._info:
            self._info, self._stage = view.source, Stage(view.source)
        for event in view.events:
            self._record(event)
        frame = view.frame
        if frame is not None and frame is not self._frame and self._stage is not None:
            self._start_s = self._start_of(frame)
            self._frame = frame
            self._stage.look(frame)
            known = {one.body_id for one in view.people} | {body.tracking_id for body in frame.bodies}
            everybody = (*self._last_seen.values(), *frame.bodies)
            self._last_seen = {body.tracking_id: body for body in everybody if body.tracking_id in known}

    def choose(self, person: int | None, view: PipelineView) -> None:
        """Shows the scores of person number ``person``; None follows whoever came first."""
        self._chosen = person if person in {one.person for one in view.people} else None

    def scene(self, view: PipelineView) -> Scene:
        """Returns the picture of a view."""
        if self._stage is None:
            return Scene(message=self._message(view), recording=mark(view.recording))
        image = view.image
        stage = self._stage
        figures = self._figures(view)
        return Scene(
            size=stage.size,
            image=image,
            figures=figures,
            bonds=_bonds(view, figures),
            floor=stage.floor() if image is None else None,
            legend=self._legend(view),
            is_mirrored=self.is_mirrored,
            shows_labels=self.shows_labels,
            message=self._message(view),
            recording=mark(view.recording),
        )

    def scores(self, view: PipelineView) -> Scores:
        """Returns the class scores of the chosen person, or of whoever came first."""
        people = tuple(one.person for one in view.people)
        one = self._selected(view)
        labels = view.model.card.labels if view.model else ()
        room = max(1, min(len(labels), MOST_SCORES))
        note = _score_note(view, one)
        if note or one is None or one.probabilities is None or view.model is None:
            return Scores(people, one.person if one else None, note=note, room=room)
        return Scores(people, one.person, _rows(one, view.model.card), room=room)

    def transport(self, view: PipelineView) -> TransportState:
        """Returns what the transport bar shows and allows."""
        info, position = view.source, view.position
        is_playing = view.status is SourceStatus.STREAMING
        if info is None or position is None:
            elapsed = self._elapsed_s(view)
            text = clock(elapsed) if view.frame is not None else ""
            is_demo = info is not None and info.kind == "demo"  # live, but its people wait when asked
            return TransportState(can_pause=is_demo, is_playing=is_playing, time_s=elapsed, text=text)
        text = clock(position.time_s)
        if info.duration_s is not None:
            text += f" / {clock(info.duration_s)}"
        return TransportState(
            can_pause=True,
            can_step=True,
            can_seek=bool(info.duration_s),
            is_playing=is_playing,
            time_s=position.time_s,
            duration_s=info.duration_s,
            index=position.index,
            speed=position.speed,
            is_looping=position.is_looping,
            text=text,
        )

    def status(self, view: PipelineView) -> StatusTexts:
        """Returns the texts of the status line."""
        statistics, model = view.statistics, view.model
        name = view.source.name if view.source else ""
        latency = ""
        if statistics.latency_ms is not None:
            latency = f"decision {statistics.latency_ms:.1f} ms"
            if statistics.latency_p99_ms is not None:
                latency += f" · p99 {statistics.latency_p99_ms:.1f} ms"
        return StatusTexts(
            source=f"{name} · {status_text(view.status)}" if name else status_text(view.status),
            source_color=STATUS_COLORS[view.status],
            rate=f"{statistics.source_fps:.1f} fps" if view.frame is not None else "",
            latency=latency,
            losses=losses(view),
            has_losses=statistics.events_lost > 0,
            provider=model.provider if model else "",
            model=model.card.name if model else "no model",
            model_hint=model_hint(view),
        )

    def _figures(self, view: PipelineView) -> tuple[Figure, ...]:
        if view.frame is None or view.source is None:
            return ()
        people = {one.body_id: one for one in view.people}
        selected = self._selected(view)
        present = {body.tracking_id for body in view.frame.bodies}
        lost = {one.body_id for one in view.people if one.state is PersonState.LOST} - present
        bodies = [*view.frame.bodies, *(self._last_seen[key] for key in lost if key in self._last_seen)]
        bodies.sort(key=_distance, reverse=True)
        if not bodies or self._stage is None:
            return ()
        points = self._stage.project(np.stack([body.joints for body in bodies]))
        return tuple(
            self._lost_figure(body, at, people[body.tracking_id], view)
            if body.tracking_id in lost
            else self._figure(body, at, people.get(body.tracking_id), selected, view)
            for body, at in zip(bodies, points)
        )

    def _lost_figure(self, body: Body, points: np.ndarray, one: PersonView, view: PipelineView) -> Figure:
        """Nothing but a label where somebody was last seen, for as long as that person is remembered."""
        assert view.source is not None
        is_placed = body.seen & np.array(view.source.layout.measured)
        return Figure(
            body_id=one.body_id,
            person=one.person,
            color=theme.FAINT,
            points=np.where(is_placed[:, None], points, np.nan),
            state=np.zeros(len(points), dtype=body.state.dtype),
            bones=(),
            label=person_label(one)[0],
            ink=state_ink(one),
            is_lost=True,
        )

    def _figure(
        self, body: Body, points: np.ndarray, one: PersonView | None, selected: PersonView | None, view: PipelineView
    ) -> Figure:
        assert self._stage is not None and view.source is not None
        measured = np.array(view.source.layout.measured)
        drawable = body.seen & measured & np.isfinite(points).all(axis=1)
        label, detail = person_label(one)
        number = one.person if one else 0
        return Figure(
            body_id=body.tracking_id,
            person=number,
            color=theme.person_color(number) if one else theme.QUIET,
            points=points,
            state=np.where(drawable, body.state, 0),
            bones=view.source.layout.bones,
            heat=self._heat(one, view, count=len(points)),
            label=label,
            detail=detail,
            ink=state_ink(one),
            is_action=one is not None and one.state is PersonState.ACTION,
            warm_up=one.warm_up if one and one.state is PersonState.WARMING_UP and view.model else None,
            is_selected=one is not None and one is selected and len(view.people) > 1,
            shadow=self._stage.shadow(body) if view.image is None else None,
        )

    def _heat(self, one: PersonView | None, view: PipelineView, *, count: int) -> np.ndarray | None:
        if not self.shows_heat or one is None or view.model is None or view.frame is None:
            return None
        found = next((item for item in view.evidence if item.body_id == one.body_id), None)
        values = values_of(self.heat_kind, one, found, now_s=view.frame.time_s)
        if values is None or len(values) != count:
            return None
        return scale_of(self.heat_kind, view.model.card).levels(values)

    def _legend(self, view: PipelineView) -> Legend | None:
        if not self.shows_heat or view.model is None:
            return None
        scale = scale_of(self.heat_kind, view.model.card)
        return Legend(*scale.legend(), title=scale.title)

    def _message(self, view: PipelineView) -> str:
        if view.status is SourceStatus.FAILED:
            return "Open a recording with Ctrl+O, or show the demo with Ctrl+D"
        if view.frame is None:
            return status_text(view.status)
        return "" if view.frame.bodies else "Nobody in view"

    def _selected(self, view: PipelineView) -> PersonView | None:
        chosen = [one for one in view.people if one.person == self._chosen]
        in_view = [one for one in view.people if one.state is not PersonState.LOST]
        return (chosen or in_view or [None])[0]  # type: ignore[list-item]

    def _start_of(self, frame: BodyFrame) -> float:
        """The sensor time at which this source began, on the clock of ``frame``."""
        before = self._frame
        if self._start_s is None or before is None:
            return frame.time_s
        if frame.time_s >= before.time_s:
            return self._start_s
        # The sensor was plugged in anew and its clock began again: events count on, by the time that really passed.
        return frame.time_s - (before.time_s - self._start_s) - max(0.0, frame.arrival_s - before.arrival_s)

    def _elapsed_s(self, view: PipelineView) -> float:
        if view.frame is None or self._start_s is None:
            return 0.0
        return max(0.0, view.frame.time_s - self._start_s)

    def _record(self, event: ActionEvent) -> None:
        """Adds an action that started; one that ended replaces its start.

        What was looked at again is the same action, though it was cut short where somebody went elsewhere in the
        recording, and frames that were left out move its ends a little.
        """
        self.events_revision += 1
        keeps_all = self.events.maxlen is None  # every pass counts
        same = [
            index
            for index, known in enumerate(self.events)
            if _is_same(known, event) and not (keeps_all and known.end_s is not None)
        ]
        if same:
            for index in same:
                event = _joined(self.events[index], event)
            self.events[same[-1]] = event
            for index in reversed(same[:-1]):
                del self.events[index]
            return
        self.events_left_out += len(self.events) == self.events.maxlen
        self.events.append(event)


def events_of(events: deque[ActionEvent]) -> tuple[ActionEvent, ...]:
    """Returns the events, the newest first, as the list shows them."""
    return tuple(reversed(events))


def ended(event: ActionEvent, *, at_s: float) -> ActionEvent:
    """Returns the event, ended at ``at_s`` when it was still going on."""
    return event if event.end_s is not None else dataclasses.replace(event, end_s=max(at_s, event.start_s))


def _is_same(known: ActionEvent, event: ActionEvent) -> bool:
    """Whether two events tell of one action: of the same people, and at the same time."""
    if (known.people, known.label) != (event.people, event.label):
        return False
    known_end_s = math.inf if known.end_s is None else known.end_s
    if event.end_s is None:  # whatever comes later may be another one
        return known.start_s - LOOK_S <= event.start_s < known_end_s
    return known.start_s == event.start_s or (known.start_s < event.end_s and event.start_s < known_end_s)


def _joined(known: ActionEvent, event: ActionEvent) -> ActionEvent:
    """Returns one action of two looks at it: from the earlier start to the later end that is known.

    Where the starts are nearly the same, the one that was known stays.
    """
    ends_s = [one.end_s for one in (known, event) if one.end_s is not None]
    is_earlier = event.start_s < known.start_s - LOOK_S or event.start_s == known.start_s
    first = event if is_earlier else known
    return dataclasses.replace(first, end_s=max(ends_s, default=None))


def _rows(one: PersonView, card: ModelCard) -> tuple[ScoreRow, ...]:
    """The bars of a person: of many classes the likeliest, and the background always last."""
    assert one.probabilities is not None
    likely = dict(zip(card.labels, one.probabilities.tolist()))
    shown = list(card.actions)
    room = MOST_SCORES - bool(card.background)
    if len(shown) > room:
        shown = sorted(shown, key=lambda label: -likely[label])[:room]
    rows = [ScoreRow(readable(k), likely[k], k == one.label, card.thresholds(k)[0]) for k in shown]
    if card.background:
        rows.append(ScoreRow(class_name(card.background, card), likely[card.background]))
    return tuple(rows)


def _score_note(view: PipelineView, one: PersonView | None) -> str:
    """Why there are no scores, or nothing."""
    if view.frame is None:
        return "Waiting for the first frame"
    if view.model is None:
        return "No model loaded"
    if one is None:
        return "Nobody is recognized" if view.frame.bodies else "Nobody in view"
    if one.state is PersonState.LOST:
        return "Out of view"
    if one.state is PersonState.NO_FLOOR:
        return "The floor is not known"
    return f"Warming up: {one.warm_up:.0%} of the first window" if one.probabilities is None else ""


def _bonds(view: PipelineView, figures: tuple[Figure, ...]) -> tuple[Bond, ...]:
    """What is said between two people, where both are in the picture."""
    by_body = {figure.body_id: figure for figure in figures if not figure.is_lost}
    return tuple(
        Bond(
            figures=(by_body[pair.body_ids[0]], by_body[pair.body_ids[1]]),
            label=readable(pair.label),
            detail=f"{pair.confidence:.0%}",
            is_selected=any(by_body[body_id].is_selected for body_id in pair.body_ids),
        )
        for pair in view.pairs
        if pair.label and by_body.keys() >= set(pair.body_ids)
    )


def _distance(body: Body) -> float:
    seen = body.seen
    return float(body.joints[seen, 2].mean()) if seen.any() else 0.0
