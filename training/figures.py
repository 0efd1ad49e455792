"""The figures of a report as SVG text: confusion matrix, reliability, accuracy over observed frames, learning curve.

Drawn by Matplotlib's own canvas, without pyplot and its global list of figures. Names of classes come from files of
strangers: they are drawn as they stand, never read as formulas.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS, TWIN, INK, FAINT = "#1f5fa8", "#c8641b", "#222222", "#d9dde3"
MOST_NAMED_CLASSES = 30
"""Beyond this the confusion matrix numbers its classes, as the table of the classes does."""
MOST_COUNTED_CLASSES = 20
"""Beyond this the cells of the confusion matrix are too small for their numbers."""
LONGEST_NAME = 32
STYLE = {
    "font.size": 9.0,
    "font.family": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "text.color": INK,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "legend.frameon": False,
}


def confusion(matrix: np.ndarray, labels: Sequence[str], *, title: str = "") -> str:
    """Returns a confusion matrix, each row as shares of its true class, like the paper's figure 3.

    Args:
        matrix: (K, K) counts, truth down, answer across.
        labels: K class names.
        title: Above it.
    """
    count = len(labels)
    rows = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0)
    side = float(np.clip(0.36 * count, 2.0, 7.2))
    names = 2.5 if count <= MOST_NAMED_CLASSES else 0.7
    with _style():
        figure = Figure(figsize=(side + names + 0.9, side + 0.9), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        _class_ticks(axes, labels)
        axes.set(xlabel="recognized as", ylabel="true class", title=title)
        axes.spines[:].set_visible(False)
        if count <= MOST_COUNTED_CLASSES:
            _write_counts(axes, matrix, shares)
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=24, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("share of the true class")
        return _svg(figure)


def reliability(results: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Returns the reliability diagram: confidence across, share of right answers up, and how many answers there are.

    Args:
        results: Names and results of ``evaluate``; the first is drawn as bars, a second as a line.
    """
    with _style():
        figure = Figure(figsize=(4.9, 4.4), layout="constrained")
        upper, lower = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
        upper.plot((0, 1), (0, 1), color="#999999", linewidth=1, linestyle=(0, (4, 3)), label="as right as sure")
        for number, (name, result) in enumerate(results):
            bins = [row for row in result["reliability"] if row["count"]]
            sure, right = [row["confidence"] for row in bins], [row["top1"] for row in bins]
            text = f"{name}: ECE {100 * result['ece']:.1f} %"
            if number == 0:
                left, width = [row["from"] for row in bins], [row["to"] - row["from"] for row in bins]
                upper.bar(left, right, width, align="edge", color=OURS, alpha=0.22, edgecolor="white")
                upper.plot(sure, right, "o", color=OURS, markersize=4.5, label=text)
                lower.bar(left, [row["count"] for row in bins], width, align="edge", color=OURS, edgecolor="white")
            else:
                upper.plot(sure, right, "D", color=TWIN, markersize=3.6, label=text)
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of right answers")
        upper.legend(loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=8, borderaxespad=0.2)
        lower.set(xlabel="confidence of the answer", ylabel="clips")
        return _svg(figure)


def observed(results: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Returns how often the answer is right after each part of the clips.

    Args:
        results: Names and results of ``evaluate``; the first in blue, a second in orange.
    """
    with _style():
        figure = Figure(figsize=(4.9, 4.4), layout="constrained")
        axes = figure.add_subplot()
        for (name, result), color in zip(results, (OURS, TWIN)):
            rows = result["observed"]
            seen = [100 * row["share"] for row in rows]
            for key, text, line in (("top1", "whole clip", "o-"), ("top1_live", "live windows", "s--")):
                right = [100 * row[key] for row in rows]
                axes.plot(seen, right, line, color=color, markersize=4, linewidth=1.4, label=f"{name}, {text}")
        axes.set(xlabel="part of the clip that was seen, %", ylabel="top-1, %", ylim=(0, 101), xlim=(0, 102))
        axes.set_xticks(range(0, 101, 20))
        axes.grid(axis="y", color=FAINT, linewidth=0.8)
        axes.legend(loc="lower right", fontsize=8)
        frames = axes.secondary_xaxis("top")
        marks = [rows[number] for number in range(1, len(rows), 2)]
        frames.set_xticks([100 * row["share"] for row in marks], [f"{row['frames']:.0f}" for row in marks])
        frames.set_xlabel("frames seen, mean", fontsize=8)
        return _svg(figure)


def learning_curve(rows: Sequence[dict[str, float]]) -> str:
    """Returns loss and top-1 of a run by epoch, from the rows of its results.csv."""
    return _svg(learning_curve_figure(rows))


def learning_curve_figure(rows: Sequence[dict[str, float]]) -> Figure:
    """Draws what :func:`learning_curve` returns."""
    epochs = [row["epoch"] for row in rows]
    lines = (
        ("train_{}", "training people", OURS, "-"),
        ("val_{}", "validation people, whole clips", TWIN, "-"),
        ("val_{}_span", "validation people, live spans", TWIN, "--"),
    )
    with _style():
        figure = Figure(figsize=(9.8, 3.3), layout="constrained")
        for axes, what, scale in zip(figure.subplots(1, 2), ("loss", "top1"), (1, 100)):
            for pattern, text, color, dash in lines:
                values = np.array([row.get(pattern.format(what), np.nan) for row in rows], dtype=float)
                if np.isfinite(values).any():
                    mark = "o" if len(values) == 1 else None
                    axes.plot(epochs, scale * values, dash, color=color, linewidth=1.4, label=text, marker=mark)
            axes.set(xlabel="epoch", ylabel={"loss": "loss", "top1": "top-1, %"}[what])
            axes.set_ylim(0, 101 if what == "top1" else None)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(axis="y", color=FAINT, linewidth=0.8)
        if axes.lines:
            axes.legend(loc="lower right", fontsize=8)
        return figure


def _class_ticks(axes: Axes, labels: Sequence[str]) -> None:
    places = np.arange(len(labels))
    if len(labels) <= MOST_NAMED_CLASSES:
        names = [f"{shortened(label)}  {number}" for number, label in enumerate(labels, start=1)]
        axes.set_yticks(places, names, fontsize=8)
        axes.set_xticks(places, [str(number + 1) for number in places], fontsize=8)
    else:
        every = places[4::5]
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(every, [str(number + 1) for number in every])
    axes.tick_params(length=0)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.argwhere(matrix > 0):
        color = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=7, color=color)


def shortened(name: str) -> str:
    """Returns a name that fits beside an axis, on one line."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _style() -> Any:
    return matplotlib.rc_context(STYLE)


def _svg(figure: Figure) -> str:
    return saved(figure, "svg").decode("utf-8")


def saved(figure: Figure, kind: str, *, dpi: float = 100.0) -> bytes:
    """Returns a figure as the bytes of a file: svg, png or pdf; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)  # type: ignore[no-untyped-call]
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that this font lacks is drawn by the browser's fonts in SVG, and as boxes elsewhere.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
        figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
    return stream.getvalue()
