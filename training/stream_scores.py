"""From what came of people in streams to the numbers of a result: counted for each person, added up over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.event_scores import (
    OVERLAPS,
    Segment,
    Shown,
    changes,
    delays_s,
    edit_score,
    false_alarms,
    flicker,
    idle_minutes,
    matched,
    quantile,
)
from training.scores import rounded

ANY_OVERLAP = 1e-9
"""From which an event is an action's at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts of one person in one stream, under one way to decide.

    Attributes:
        actions: True ones, of labels that the model knows.
        found: Events.
        matched: Pairs at each of ``OVERLAPS``.
        needless: Events that are no action's own: false ones, and every one but the best of an action.
        flicker: Events beyond one for each action, right or wrong, and beside all actions.
        delays_s: Of the actions that were noticed.
        alarms: Events where nothing is done.
        idle_min: For how long nothing was done, minutes.
        changes: Of what is shown.
        true_changes: Of what is done: the fewest that a perfect display needs.
        minutes: In view.
        edit: Edit score.
    """

    actions: int
    found: int
    matched: tuple[int, ...]
    needless: int
    flicker: int
    delays_s: list[float]
    alarms: int
    idle_min: float
    changes: int
    true_changes: int
    minutes: float
    edit: float


def tally(
    truth: Sequence[Segment],
    found: Sequence[Segment],
    shown: Shown,
    *,
    strange: Sequence[Segment] = (),
) -> Tally:
    """Counts.

    Args:
        truth: Actions of labels that the model knows.
        found: Events.
        shown: What was shown.
        strange: Actions that it does not know: an event there is a wrong one, but no false alarm on background.
    """
    done = [*truth, *strange]
    return Tally(
        actions=len(truth),
        found=len(found),
        matched=tuple(len(matched(truth, found, least=least)) for least in OVERLAPS),
        needless=len(found) - len(matched(truth, found, least=ANY_OVERLAP)),
        flicker=flicker(done, found),
        delays_s=delays_s(truth, shown),
        alarms=false_alarms(done, found),
        idle_min=idle_minutes(done, shown),
        changes=changes(shown),
        true_changes=2 * len(done),
        minutes=idle_minutes((), shown),
        edit=edit_score(truth, found),
    )


def measures(tallies: Sequence[Tally]) -> dict[str, Any]:
    """Returns the numbers of a result: counts are added up before they are divided; the edit score is a mean.

    Rates are per minute: false alarms of the time in which nothing is done, the others of the time in view.
    """
    idle, minutes = sum(one.idle_min for one in tallies), sum(one.minutes for one in tallies)
    delays = [delay for one in tallies for delay in one.delays_s]
    actions = sum(one.actions for one in tallies)
    return {
        "actions": actions,
        "events": sum(one.found for one in tallies),
        "minutes": round(minutes, 2),
        "overlap": _overlaps([one.matched for one in tallies], tallies),
        "edit": rounded(float(np.mean([one.edit for one in tallies]))) if tallies else None,
        "noticed": rounded(len(delays) / actions) if actions else None,
        "delay_s": {"median": _seconds(quantile(delays, 0.5)), "p90": _seconds(quantile(delays, 0.9))},
        "idle_minutes": round(idle, 2),
        "false_alarms": sum(one.alarms for one in tallies),
        "false_alarms_per_minute": _rate(sum(one.alarms for one in tallies), idle),
        "needless_per_minute": _rate(sum(one.needless for one in tallies), minutes),
        "flicker_per_minute": _rate(sum(one.flicker for one in tallies), minutes),
        "changes_per_minute": _rate(sum(one.changes for one in tallies), minutes),
        "true_changes_per_minute": _rate(sum(one.true_changes for one in tallies), minutes),
    }


def background_measures(tallies: Sequence[Tally]) -> dict[str, Any]:
    """Returns the numbers of scenes in which nobody does anything that the model knows."""
    every = measures(tallies)
    return {key: every[key] for key in ("minutes", "events", "false_alarms_per_minute", "changes_per_minute")}


def f1(pairs: int, actions: int, found: int) -> float:
    """Returns 2 x pairs / (true + found); 1 where there is neither."""
    return 2 * pairs / (actions + found) if actions + found else 1.0


def _overlaps(pairs: Sequence[tuple[int, ...]], tallies: Sequence[Tally]) -> dict[str, dict[str, float]]:
    actions, found = sum(one.actions for one in tallies), sum(one.found for one in tallies)
    result = {}
    for place, least in enumerate(OVERLAPS):
        right = sum(counts[place] for counts in pairs)
        result[f"{least:g}"] = {
            "precision": rounded(right / found if found else 0.0),
            "recall": rounded(right / actions if actions else 0.0),
            "f1": rounded(f1(right, actions, found)),
        }
    return result


def _rate(count: int, minutes: float) -> float | None:
    return round(count / minutes, 3) if minutes > 0 else None


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
