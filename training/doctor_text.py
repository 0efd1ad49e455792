"""What the doctor found, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from statistics import median
from typing import Any

WIDEST_LIST = 25
"""People, cameras, set-ups that are shown one by one; of more, the range."""
RARELY_SEEN = 0.995
"""Joints that are tracked in a smaller share of the frames have a line of their own."""


def as_text(report: dict[str, Any]) -> str:
    """Returns the report of :func:`training.doctor.examine` as lines of text."""
    return "\n".join([*_overview(report), *_index(report), *_joints(report), *_protocols(report), *_findings(report)])


def _overview(report: dict[str, Any]) -> Iterator[str]:
    people = "" if report["persons"] == 1 else f", up to {report['persons']} people"
    yield (
        f"{report['cache']}: {report['dataset']}, {report['clips']} clips, {report['frames']} frames, "
        f"{len(report['joints'])} joints ({report['layout']}){people}"
    )
    for name, unit in (("frames_a_clip", "frames a clip"), ("seconds_a_clip", "seconds a clip"), ("rate_hz", "Hz")):
        if report[name]:
            low, middle, high = report[name]
            yield f"  {unit:15} {low:g} ... {middle:g} ... {high:g}  (smallest, median, largest)"


def _index(report: dict[str, Any]) -> Iterator[str]:
    yield "Classes"
    for row in report["classes"]:
        yield f"  {row['clips']:7}  {row['label']}"
    for name, field in (("subjects", "subject"), ("cameras", "camera"), ("setups", "setup")):
        rows = report[name]
        if name != "subjects" and len(rows) < 2:
            continue
        counts = [row["clips"] for row in rows]
        if len(rows) <= WIDEST_LIST:
            yield f"{name.capitalize()}  " + "  ".join(f"{row[field]}: {row['clips']}" for row in rows)
        else:
            spread = f"{min(counts)} ... {median(counts):g} ... {max(counts)} clips each"
            yield f"{name.capitalize()}  {len(rows)}, numbers {rows[0][field]} to {rows[-1][field]}, {spread}"


def _joints(report: dict[str, Any]) -> Iterator[str]:
    rows = [row for row in report["joints"] if row["tracked"] < RARELY_SEEN or row["jumps"] or row["frozen_clips"]]
    if not rows:
        yield f"Joints  all tracked in {RARELY_SEEN:.1%} of the frames or more, none jumps, none freezes"
        return
    yield "Joints          tracked  inferred   jumps  frozen in clips"
    for row in rows:
        yield (
            f"  {row['joint']:14} {row['tracked']:6.1%}   {row['inferred']:6.1%} {row['jumps']:7} "
            f"{row['frozen_clips']:7}"
        )
    if len(rows) < len(report["joints"]):
        yield f"  the others are tracked in {RARELY_SEEN:.1%} of the frames or more, do not jump and do not freeze"


def _protocols(report: dict[str, Any]) -> Iterator[str]:
    rows = report["protocols"]
    if not rows:
        return
    yield "Protocols        train clips     test clips"
    for name, divisions in groupby(rows, key=lambda row: _family(row["name"])):
        sizes = list(divisions)
        train, test = ({size[side] for size in sizes} for side in ("train", "test"))
        yield f"  {name:12} {_spread(train):>13}  {_spread(test):>13}"


def _family(name: str) -> str:
    """loso-3 -> loso-N."""
    stem, dash, number = name.rpartition("-")
    return f"{stem}{dash}N" if number.isdecimal() else name


def _spread(sizes: set[int]) -> str:
    return str(min(sizes)) if len(sizes) == 1 else f"{min(sizes)} ... {max(sizes)}"


def _findings(report: dict[str, Any]) -> Iterator[str]:
    yield "Findings"
    if not report["findings"]:
        yield "  nothing"
    for finding in report["findings"]:
        yield f"  {finding['severity']}: {finding['sentence']}"
