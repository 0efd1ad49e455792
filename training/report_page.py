"""The page of a report: results of ``evaluate`` as one HTML text that needs nothing beside it.

Every text that comes from a file (names of models, classes, sources) passes through :func:`escaped`; the page forbids
scripts and everything from a network.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from training import figures
from training.evaluate import GROUPS
from training.scores import likely_range

TEMPLATE = Path(__file__).with_name("report_page.html")
MOST_WRONG = 300
"""Wrong clips on a page; ``evaluate --json`` lists all of them."""
GROUP_NAMES = {"subject": ("People", "person"), "camera": ("Cameras", "camera"), "setup": ("Set-ups", "set-up")}
"""Title and first column of the table of each kind of group."""
MOST_GROUPS = 40
METRICS = (
    ("top1", "top-1, whole clips"),
    ("top5", "top-5, whole clips"),
    ("macro_f1", "macro F1, whole clips"),
    ("top1_live", "top-1, live windows"),
    ("ece", "expected calibration error"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a report shows.

    Attributes:
        result: Of ``evaluate``.
        twin: Of the network without attention, or of any other to compare with.
        history: Rows of a run's results.csv; empty for a model file alone.
        attention: Figure 4 for a few clips, as PNG; empty for none.
        made: How it was made: sections of names and values, all texts.
        recipe: Settings of the training.
    """

    result: dict[str, Any]
    twin: dict[str, Any] | None = None
    history: Sequence[dict[str, float]] = ()
    attention: bytes = b""
    made: dict[str, dict[str, str]] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)


def page(content: Content) -> str:
    """Returns the report as HTML."""
    sections = (_head, _summary, _confusions, _curves, _classes, _groups, _looked_at, _learning, _wrong, _made)
    body = "\n".join(filter(None, (section(content) for section in sections)))
    title = f"{content.result['name']}: {content.result['dataset']} {content.result['protocol']}"
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(title=escaped(title), body=body)


def escaped(text: object) -> str:
    """Returns a text that HTML shows as it stands, in an element or an attribute."""
    return html.escape(str(text), quote=True)


def _head(content: Content) -> str:
    result = content.result
    people = result["subjects"]
    text = (
        f"{escaped(result['dataset'])}, protocol {escaped(result['protocol'])}: {result['samples']} clips of "
        f"{len(people)} {'person' if len(people) == 1 else 'people'} and {len(result['per_class'])} classes, "
        "read by the recognizer of the app."
    )
    if "left_out" in result:
        named = escaped(", ".join(result["left_out"]["labels"]))
        text += f" Not counted: {result['left_out']['clips']} clips of labels that it was not taught ({named})."
    shown = {"These numbers": result} | ({"The numbers beside them": content.twin} if content.twin else {})
    notices = [
        f'<p class="notice"><b>{numbers} do not say how well new people are recognized.</b> The model was '
        f"trained on people of this test side: {escaped(_listed(of['trained_on_tested']))}.</p>"
        for numbers, of in shown.items()
        if of["trained_on_tested"]
    ]
    return "\n".join([f'<h1>{escaped(result["name"])}</h1>\n<p class="soft">{text}</p>', *notices])


def _summary(content: Content) -> str:
    result, twin = content.result, content.twin
    head = ["", _name(result)] + ([f"beside it: {_name(twin)}", "difference"] if twin else [])
    rows = []
    for key, text in METRICS:
        if key == "top5" and len(result["per_class"]) <= 5:
            continue  # always 100 %
        cells = [html_cell(text), html_cell(percent(result[key]), is_number=True)]
        if twin:
            cells += [html_cell(percent(twin[key]), is_number=True, kind="twin"), _difference(result[key], twin[key])]
        rows.append(f"<tr{' class=main' if key == 'top1' else ''}>{''.join(cells)}</tr>")
    low, high = likely_range(result["top1"], result["samples"])
    note = (
        f"95 % interval of top-1: {percent(low)} to {percent(high)}, if all clips were independent; clips of one "
        "person are not, so the true one is wider. One run is one draw: differences between networks of fewer points "
        "than the deviation over seeds say nothing (<code>python -m training ablate</code>). "
        f"Live windows are {result['span_s']:g} s long."
    )
    table = html_table(head, rows, numbers=range(1, len(head)))
    return f'<h2>Summary</h2>\n{table}\n<p class="soft">{note}</p>'


def _confusions(content: Content) -> str:
    parts = []
    for result in filter(None, (content.result, content.twin)):
        matrix = np.array(result["confusion"])
        picture = figures.confusion(matrix, list(result["per_class"]), title=_name(result) if content.twin else "")
        parts.append(html_figure(picture, "", is_wide=content.twin is None))
    worst = "; ".join(
        f"{row['count']} × {escaped(row['truth'])} taken for {escaped(row['answer'])}"
        for row in content.result["confusions"][:5]
    )
    text = f"Most frequent mistakes: {worst}." if worst else "No clip was taken for another class."
    note = "Each row is a true class; color is the share of its clips, numbers count them. Classes as in the table."
    return (
        f'<h2>Confusion matrix</h2>\n<div class="figures">{"".join(parts)}</div>\n'
        f'<p class="soft">{note}</p><p>{text}</p>'
    )


def _curves(content: Content) -> str:
    both = [(_name(result), result) for result in (content.result, content.twin) if result]
    temperature = content.result["temperature"]
    sure = (
        f"After the model's temperature of {temperature:g}. Bars below the dashed line: surer than right; above "
        "it: more often right than sure. Underneath, how many clips were answered with that confidence."
    )
    soon = (
        "Whole clip: the window spans the whole clip, of which only this part was seen; the last pose is held. Live: "
        "the mean of the windows that have ended by then."
    )
    parts = [html_figure(figures.reliability(both), sure)]
    if len(content.result["observed"]) > 1:
        parts.append(html_figure(figures.observed(both), soon))
    return (
        "<h2>How far the confidence can be trusted, and how soon the answer is right</h2>\n"
        f'<div class="figures">{"".join(parts)}</div>'
    )


def _classes(content: Content) -> str:
    result, twin = content.result, content.twin
    matrix = np.array(result["confusion"])
    labels = list(result["per_class"])
    head = ["#", "class", "clips", "recall", "precision", "F1"] + (["F1 beside it"] if twin else [])
    rows = []
    for number, (label, row) in enumerate(result["per_class"].items()):
        wrong = matrix[number].copy()
        wrong[number] = 0
        taken = f"{labels[int(wrong.argmax())]} ({int(wrong.max())})" if wrong.any() else ""
        cells = [
            html_cell(number + 1, is_number=True),
            html_cell(label),
            html_cell(row["samples"], is_number=True),
            f'<td class="n">{percent(row["recall"])}{_bar(row["recall"])}</td>',
            html_cell(percent(row["precision"]), is_number=True),
            html_cell(percent(row["f1"]), is_number=True),
        ]
        if twin:
            cells.append(html_cell(percent(twin["per_class"][label]["f1"]), is_number=True, kind="twin"))
        rows.append(f"<tr>{''.join(cells)}{html_cell(taken)}</tr>")
    numbers = (0, 2, 3, 4, 5, 6) if twin else (0, 2, 3, 4, 5)
    return f"<h2>Classes</h2>\n{html_table([*head, 'most often taken for'], rows, numbers=numbers, is_full=True)}"


def _groups(content: Content) -> str:
    """People, cameras and set-ups of the test side, each kind in a table where there are two or more."""
    groups = (_group(content.result[f"per_{column}"], column) for column in GROUPS)
    return "\n".join(filter(None, groups))


def _group(groups: list[dict[str, Any]], column: str) -> str:
    if len(groups) < 2:
        return ""
    title, head = GROUP_NAMES[column]
    hardest = sorted(groups, key=lambda row: row["top1"])[:MOST_GROUPS]
    rows = [
        f"<tr>{html_cell(row[column], is_number=True)}{html_cell(row['samples'], is_number=True)}"
        f'<td class="n">{percent(row["top1"])}{_bar(row["top1"])}</td>'
        f"{html_cell(percent(row['top1_live']), is_number=True)}</tr>"
        for row in hardest
    ]
    more = f", the {MOST_GROUPS} hardest of {len(groups)}" if len(groups) > MOST_GROUPS else ""
    table = html_table([head, "clips", "top-1, whole", "top-1, live"], rows, numbers=range(4))
    return f"<h2>{title}{more}</h2>\n{table}"


def _looked_at(content: Content) -> str:
    if not content.attention:
        return ""
    note = (
        "The first test clips of a few classes, each as one window: joints by |s|, borders of the frames by |t|; of "
        "each sixth of the window the frame with the highest weight. The command training attention draws any clip."
    )
    return f"<h2>What it looked at</h2>\n{_picture(content.attention, 'image/png', note, is_wide=True)}"


def _learning(content: Content) -> str:
    if not content.history:
        return ""
    picture = figures.learning_curve(content.history)
    note = "Training windows are augmented, so training looks worse than it is. No test person is in it."
    return f"<h2>Learning curve</h2>\n{html_figure(picture, note, is_wide=True)}"


def _wrong(content: Content) -> str:
    wrong = content.result["wrong"]
    if not wrong:
        return "<h2>Wrong clips</h2>\n<p>None.</p>"
    twins = {row["clip"]: row["answer"] for row in content.twin["wrong"]} if content.twin else {}
    head = [
        "clip",
        "source, and how to see it",
        "person",
        "take",
        "true class",
        "recognized as",
        "sure",
        "true class got",
    ]
    head += ["beside it"] if content.twin else []
    rows = []
    for row in wrong[:MOST_WRONG]:
        cells = [
            html_cell(row["clip"], is_number=True),
            f"<td>{_opened(row)}</td>",
            html_cell(row["subject"], is_number=True),
            html_cell(row["repetition"], is_number=True),
            html_cell(row["truth"]),
            html_cell(row["answer"]),
            html_cell(percent(row["probability"]), is_number=True),
            html_cell(percent(row["probability_of_truth"]), is_number=True),
        ]
        if content.twin:
            cells.append(html_cell(twins.get(row["clip"], "right"), kind="twin"))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    table = html_table(head, rows, numbers=(0, 2, 3, 6, 7), is_full=True)
    more = f" The first {MOST_WRONG} are listed." if len(wrong) > MOST_WRONG else ""
    text = (
        f"{len(wrong)} of {content.result['samples']}, the most certain mistakes first.{more} Unfold a source for "
        "the commands that show the clip in the app."
    )
    return f'<h2>Wrong clips</h2>\n<p class="soft">{text}</p>\n<div class="scroll">{table}</div>'


def _opened(row: dict[str, Any]) -> str:
    """The short name of a clip's source; unfolded, all of the name and the commands that show the clip."""
    short = row["source"].rpartition("/")[2] or f"clip {row['clip']}"
    commands = escaped("\n".join(row["open"]))
    return f"<details><summary>{escaped(short)}</summary>{escaped(row['source'])}<pre>{commands}</pre></details>"


def _made(content: Content) -> str:
    parts = ["<h2>How it was made</h2>"]
    for title, values in content.made.items():
        rows = [
            f"<tr><td>{escaped(name)}</td><td><code>{escaped(value)}</code></td></tr>"
            for name, value in values.items()
        ]
        body = "".join(rows)
        parts.append(f'<table class="made"><caption>{escaped(title)}</caption><tbody>{body}</tbody></table>')
    if content.recipe:
        lines = "\n".join(f"{name} = {value!r}" for name, value in content.recipe.items())
        parts.append(f"<details><summary>All settings</summary><pre>{escaped(lines)}</pre></details>")
    return "\n".join(parts)


def _name(result: dict[str, Any]) -> str:
    attention = {
        "none": "without attention",
        "st": "with attention",
        "s": "spatial attention",
        "t": "temporal attention",
    }
    text = attention.get(result["attention"], "")
    return f"{result['network']} {text}".strip()


def html_table(head: Iterable[str], rows: Iterable[str], *, numbers: Iterable[int], is_full: bool = False) -> str:
    """Returns a table: escaped names of the columns over rows that are HTML already; ``numbers`` align right."""
    right = set(numbers)
    cells = "".join(
        f"<th{' class=n' if place in right else ''}>{escaped(text)}</th>" for place, text in enumerate(head)
    )
    kind = ' class="full"' if is_full else ""
    return f"<table{kind}><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def html_cell(value: object, *, is_number: bool = False, kind: str = "") -> str:
    """Returns a cell of a table, its value escaped."""
    classes = " ".join(filter(None, ("n" if is_number else "", kind)))
    return f"<td{f' class={chr(34)}{classes}{chr(34)}' if classes else ''}>{escaped(value)}</td>"


def _difference(ours: float, other: float) -> str:
    return html_cell(f"{100 * (ours - other):+.1f}".replace("-", "−"), is_number=True)


def _bar(share: float) -> str:
    return f'<span class="bar"><i style="width:{100 * share:.1f}%"></i></span>'


def html_figure(svg: str, caption: str, *, is_wide: bool = False) -> str:
    """Returns a picture with its caption."""
    # As a picture, not as part of the page: names of its parts do not clash, and nothing in it can run.
    return _picture(svg.encode("utf-8"), "image/svg+xml", caption, is_wide=is_wide)


def _picture(content: bytes, kind_of_data: str, caption: str, *, is_wide: bool) -> str:
    data = base64.b64encode(content).decode("ascii")
    kind = ' class="wide"' if is_wide else ""
    text = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    return f'<figure{kind}><img alt="" src="data:{kind_of_data};base64,{data}">{text}</figure>'


def percent(share: float) -> str:
    """Returns a share as text: 0.958 is "95.8 %"."""
    return f"{100 * share:.1f} %"


def _listed(numbers: Sequence[int]) -> str:
    few = ", ".join(map(str, numbers[:20]))
    return few if len(numbers) <= 20 else f"{few} and {len(numbers) - 20} more"
