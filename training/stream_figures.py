"""Pictures of streams as SVG text: what was done, above what the app and plain arg-max found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from training.figures import FAINT, INK, STYLE, saved, shortened

ROW_S = 60.0
"""Seconds in a row of a timeline."""
MOST_ROWS = 10
LANES = (("truth", "done"), ("engine", "app"), ("argmax", "arg-max"))
"""Keys of a timeline, and what they are called."""
COLORS = matplotlib.colormaps["tab20"].colors  # type: ignore[attr-defined]
STRANGER = "#555555"


def timeline(row: dict[str, Any], labels: Sequence[str]) -> str:
    """Returns one person's actions over time: three lanes, what was done on top, a minute a row.

    Args:
        row: One of the ``timelines`` of ``evaluate_stream``.
        labels: The model's, which fix the colors.
    """
    count = max(1, min(MOST_ROWS, int(-(-row["seconds"] // ROW_S))))
    colors = {label: COLORS[number % len(COLORS)] for number, label in enumerate(labels)}
    used: dict[str, Any] = {}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.8, 0.72 * count + 1.1), layout="constrained")
        for number, axes in enumerate(figure.subplots(count, 1, squeeze=False)[:, 0]):
            start_s = number * ROW_S
            for lane, (key, _) in enumerate(LANES):
                for begin, end, label in row[key]:
                    if end > start_s and begin < start_s + ROW_S:
                        used[label] = colors.get(label, STRANGER)
                        look = {"color": used[label], "edgecolor": "white", "linewidth": 0.4}
                        axes.barh(-lane, end - begin, left=begin, height=0.82, **look)
            axes.set(xlim=(start_s, start_s + ROW_S), ylim=(-2.5, 0.5))
            axes.set_yticks((0, -1, -2), [name for _, name in LANES], fontsize=7)
            axes.tick_params(length=0, labelsize=7)
            axes.grid(axis="x", color=FAINT, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.spines[:].set_visible(False)
        axes.set_xlabel("seconds since the stream's first frame", color=INK)
        patches = [
            Patch(color=used[label], label=shortened(label)) for label in [*labels, "unknown"] if label in used
        ]
        figure.legend(handles=patches, loc="outside lower left", ncols=4, fontsize=7)
        return saved(figure, "svg").decode("utf-8")
