"""The result of ``evaluate-stream`` as one HTML text that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from skeleton.replacing import replacing
from training.report_page import TEMPLATE, escaped, html_cell, html_figure, html_table, percent
from training.stream_figures import MOST_ROWS, ROW_S, timeline
from training.stream_judge import WAYS

MOST_TIMELINES = 12
HEAD = ("", "the app", "plain arg-max")


def write(result: dict[str, Any], output: Path, *, command: str = "") -> None:
    """Writes a result as a page; one that is there is replaced when the new one is whole."""
    with replacing(output) as file:
        file.write_text(page(result, command=command), encoding="utf-8", errors="backslashreplace")


def page(result: dict[str, Any], *, command: str = "") -> str:
    """Returns a result of ``training.evaluate_stream`` as HTML."""
    parts = (_head(result), _summary(result), _background(result), _unknown(result), _people(result))
    body = "\n".join(filter(None, (*parts, _timelines(result), f"<h2>Command</h2>\n<pre>{escaped(command)}</pre>")))
    title = f"{result['name']} on streams"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(title=escaped(title), body=body)


def lines_of(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the numbers of one way to decide under their names, as text, the most important first."""
    rows = [("events", f"{numbers['events']} for {numbers['actions']} actions")]
    for least, values in numbers["overlap"].items():
        value = f"{percent(values['f1'])} ({percent(values['precision'])} / {percent(values['recall'])})"
        rows.append((f"event F1 at overlap {least}", value))
    delay = numbers["delay_s"]
    late = "none" if delay["median"] is None else f"{delay['median']:.2f} s / {delay['p90']:.2f} s"
    return [
        *rows,
        ("noticed", "none" if numbers["noticed"] is None else percent(numbers["noticed"])),
        ("delay from the start, median / p90", late),
        ("false alarms a minute of doing nothing", _number(numbers["false_alarms_per_minute"])),
        ("needless events a minute", _number(numbers["needless_per_minute"])),
        ("flicker a minute", _number(numbers["flicker_per_minute"])),
        ("changes of the label a minute", _number(numbers["changes_per_minute"])),
        ("such changes that are due", _number(numbers["true_changes_per_minute"])),
        ("edit score of the sequence", "none" if numbers["edit"] is None else percent(numbers["edit"])),
    ]


def _head(result: dict[str, Any]) -> str:
    if "recording" in result:
        what = f"The recording {result['recording']}"
    else:
        count = len(result["subjects"])
        what = (
            f"Streams of {result['dataset']}, protocol {result['protocol']}, {result['side']} side: "
            f"{count} {'person' if count == 1 else 'people'}, seed {result['seed']}"
        )
    text = f"{what}; {result['engine']['minutes']} minutes, {result['engine']['actions']} actions."
    notice = ""
    if result.get("trained_on_tested"):
        people = ", ".join(map(str, result["trained_on_tested"]))
        notice = f'<p class="notice">The model was trained on people of these streams: {escaped(people)}.</p>'
    return f'<h1>{escaped(result["name"])} on streams</h1>\n<p class="soft">{escaped(text)}</p>\n{notice}'


def _summary(result: dict[str, Any]) -> str:
    ways = [lines_of(result[way]) for way in WAYS]
    rows = [
        f"<tr>{html_cell(ours[0])}{html_cell(ours[1], is_number=True)}"
        f"{html_cell(plain[1], is_number=True, kind='twin')}</tr>"
        for ours, plain in zip(*ways)
    ]
    note = (
        "F1 with precision and recall behind it. A window's answer is about the moment "
        f"{result['lag_s']:g} s before its end, and events of both ways are dated by that, those of the app also by "
        "its smoothing. Arg-max shows the most probable class of every window at once, as other programs do. "
        "Needless is an event that is no action's own: a false one, or a second one on the same action."
    )
    return f'<h2>Summary</h2>\n{html_table(HEAD, rows, numbers=(1, 2))}\n<p class="soft">{escaped(note)}</p>'


def _background(result: dict[str, Any]) -> str:
    if "background" not in result["engine"]:
        return ""
    scenes = [result[way]["background"] for way in WAYS]
    rows = [
        f"<tr>{html_cell(text)}{''.join(html_cell(scene[key], is_number=True) for scene in scenes)}</tr>"
        for key, text in (
            ("minutes", "minutes"),
            ("events", "events, all of them false"),
            ("false_alarms_per_minute", "false alarms a minute"),
            ("changes_per_minute", "changes of the label a minute"),
        )
    ]
    return f"<h2>Scenes in which nothing known is done</h2>\n{html_table(HEAD, rows, numbers=(1, 2))}"


def _unknown(result: dict[str, Any]) -> str:
    if "unknown" not in result:
        return ""
    values = result["unknown"]
    rows = [
        f"<tr>{html_cell(text)}{html_cell(percent(values[key]['auroc']), is_number=True)}"
        f"{html_cell(percent(values[key]['fpr_at_95']), is_number=True)}</tr>"
        for key, text in (("score", "highest probability"), ("distance", "feature distance"))
        if key in values
    ]
    table = html_table(("told apart by", "AUROC", "unknown taken for known at 95 % known"), rows, numbers=(1, 2))
    claimed = ", ".join(f"{percent(values['claimed'][way])} ({name})" for way, name in zip(WAYS, HEAD[1:]))
    text = f"{values['unknown']} actions that the model does not know; an action was claimed for {claimed}."
    return f"<h2>Unknown actions</h2>\n{table}\n<p>{escaped(text)}</p>"


def _people(result: dict[str, Any]) -> str:
    if len(result["per_person"]) < 2:
        return ""
    rows = []
    for row in result["per_person"]:
        cells = [html_cell(row["person"])]
        for way in WAYS:
            numbers = row[way]
            middle = numbers["delay_s"]["median"]
            values = (
                percent(numbers["overlap"]["0.3"]["f1"]),
                percent(numbers["overlap"]["0.5"]["f1"]),
                "none" if middle is None else f"{middle:.2f} s",
                _number(numbers["false_alarms_per_minute"]),
                _number(numbers["needless_per_minute"]),
            )
            cells += [html_cell(value, is_number=True, kind="twin" if way == "argmax" else "") for value in values]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    names = ("F1 at 0.3", "F1 at 0.5", "delay", "false a minute", "needless a minute")
    head = ("person", *(f"{way}: {name}" for way in ("app", "arg-max") for name in names))
    return f'<h2>People</h2>\n<div class="scroll">{html_table(head, rows, numbers=range(1, 11))}</div>'


def _timelines(result: dict[str, Any]) -> str:
    rows: Sequence[dict[str, Any]] = result["timelines"]
    figures = [
        html_figure(timeline(row, result["labels"]), f"{row['stream']}; {row['who']}", is_wide=True)
        for row in rows[:MOST_TIMELINES]
    ]
    more = f" The first {MOST_TIMELINES} of {len(rows)} are drawn." if len(rows) > MOST_TIMELINES else ""
    note = f"A row is {ROW_S:g} seconds; at most {MOST_ROWS} rows of a stream are drawn.{more} Gray is unknown."
    return f'<h2>What was done, and what was found</h2>\n<p class="soft">{escaped(note)}</p>\n{"".join(figures)}'


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
