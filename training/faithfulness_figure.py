"""Draws the curves of ``training.faithfulness``: the score while joints are hidden, hottest or coldest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from live.heat_kinds import HeatKind
from skeleton.errors import ConfigError
from skeleton.replacing import replacing
from training.figures import FAINT, STYLE, saved

KINDS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
COLORS = {HeatKind.EVIDENCE: "#c8641b", HeatKind.SPATIAL: "#1f5fa8", HeatKind.COUPLED: "#3d8c40"}
RANDOM = "#777777"


def check_name(output: Path) -> None:
    """Raises ``ConfigError`` for a picture of an unknown kind, before anything is measured."""
    if output.suffix.lower() not in KINDS:
        raise ConfigError(f"A figure is written as {', '.join(KINDS)}, but the name given is {output}.")


def write(result: dict[str, Any], output: Path) -> None:
    """Draws a result of ``faithfulness`` into a file."""
    check_name(output)
    with replacing(output) as file:
        file.write_bytes(saved(draw(result), KINDS[output.suffix.lower()], dpi=150))


def draw(result: dict[str, Any]) -> Figure:
    """Returns the figure: lines for the hottest joints first, dashed for the coldest first, gray for random ones."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for names, row, color in _curves(result):
            counts = np.arange(len(row["curve"]))
            axes.plot(counts, row["curve"], color=color, label=f"{names}, area {row['area']:.3f}", linewidth=1.8)
            axes.plot(counts, row["reverse"], color=color, linestyle=(0, (4, 3)), linewidth=1.2)
        random = result["random"]["curve"]
        label = f"random joints, area {result['random']['area']:.3f}"
        axes.plot(np.arange(len(random)), random, color=RANDOM, label=label, linewidth=1.8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.axvline(result["hidden"], color=FAINT, zorder=0)
        axes.set(xlabel="joints hidden", ylabel="score of the answer", xlim=(0, len(random) - 1), ylim=(0, 1))
        how = "joints never seen" if result["hiding"] == "unseen" else "joints held still"
        axes.set_title(
            f"{result['name']}, {result['dataset']} {result['protocol']}, {result['samples']} clips, {how}"
        )
        axes.legend(title="hottest first (dashed: coldest first)", alignment="left")
        return figure


def _curves(result: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    """Curves with their names and colors; kinds that order the joints alike share one."""
    curves: list[tuple[str, dict[str, Any], str]] = []
    for kind in (HeatKind.EVIDENCE, HeatKind.SPATIAL, HeatKind.COUPLED):
        row = result["kinds"][kind.value]
        for place, (names, other, color) in enumerate(curves):
            if other["curve"] == row["curve"]:
                curves[place] = (f"{names} and {kind.value}", other, color)
                break
        else:
            curves.append((kind.value, row, COLORS[kind]))
    return curves
