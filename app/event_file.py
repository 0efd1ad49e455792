"""The table of events: one line an action, in the order of their starts.

    start_s,end_s,body,label,confidence,latency_ms,other_body

Times are seconds since the first frame; ``body`` is the tracking id at the start, which a recording has as well;
``latency_ms`` is the mean time from a frame to its decision while the action lasted, empty where frames did not
arrive in their time; ``other_body`` is the second of two people who act together, empty for an action of one.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from live.view import ActionEvent
from skeleton.replacing import replacing

COLUMNS = ("start_s", "end_s", "body", "label", "confidence", "latency_ms", "other_body")


def write_events(path: Path, events: Iterable[ActionEvent]) -> None:
    """Writes the table beside its place and then moves it there.

    Args:
        path: The file, replaced when it exists.
        events: Actions; an end that is not known stays empty.

    Raises:
        OSError: The folder cannot be written to, or the disk is full.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_row(event) for event in sorted(events, key=lambda one: (one.start_s, one.people)))


def _row(event: ActionEvent) -> tuple[str | int, ...]:
    end = "" if event.end_s is None else f"{event.end_s:.3f}"
    latency = "" if event.latency_ms is None else f"{event.latency_ms:.1f}"
    other = "" if event.other_body_id is None else event.other_body_id
    times = f"{event.start_s:.3f}", end
    return *times, event.body_id, _plain(event.label), f"{event.confidence:.3f}", latency, other


def _plain(label: str) -> str:
    """Keeps a label from being a formula when a spreadsheet opens the table."""
    return f"'{label}" if label[:1] in ("=", "+", "-", "@", "\t", "\r") else label
