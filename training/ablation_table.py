"""The table of an ablation: mean and deviation over seeds, and the difference to the network without attention."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training import published
from training.report import versions

METRICS = {"top1": "top-1, whole", "macro_f1": "macro F1, whole", "top1_live": "top-1, live"}
REFERENCE = "none"
"""The row that the others are compared with, seed by seed."""

Results = Mapping[tuple[str, str, int], Mapping[str, Any]]
"""(row, division, seed) -> a result of ``evaluate``."""


@dataclass(frozen=True, slots=True)
class Row:
    """One variant.

    Attributes:
        name: Its short name.
        title: As the table shows it.
        values: For each metric its value by seed, a share; a seed counts when all its divisions are measured.
        differences: For each metric the value less that of the reference with the same seed; empty for itself.
    """

    name: str
    title: str
    values: dict[str, dict[int, float]]
    differences: dict[str, dict[int, float]]

    @classmethod
    def of(cls, name: str, title: str, divisions: Sequence[str], seeds: Sequence[int], results: Results) -> Row:
        """Returns the row that results make so far; a figure is the mean over the divisions of the protocol."""

        def by_seed(row: str, metric: str) -> dict[int, float]:
            found = {}
            for seed in seeds:
                keys = [(row, division, seed) for division in divisions]
                if all(key in results for key in keys):
                    found[seed] = statistics.fmean(results[key][metric] for key in keys)
            return found

        values = {metric: by_seed(name, metric) for metric in METRICS}
        others = {metric: by_seed(REFERENCE, metric) if name != REFERENCE else {} for metric in METRICS}
        differences = {
            metric: {
                seed: value - others[metric][seed] for seed, value in values[metric].items() if seed in others[metric]
            }
            for metric in METRICS
        }
        return cls(name, title, values, differences)


def as_markdown(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Returns the table for people, with how it was made."""
    where = f"{facts['dataset']} {facts['protocol']}"
    paper = {
        row.method: row for row in published.rows(table="3", dataset=facts["dataset"], protocol=facts["protocol"])
    }
    head = ["Attention setting", f"{where}, {METRICS['top1']}, %", "less Without ST, same seeds", METRICS["macro_f1"]]
    head += [METRICS["top1_live"], "less Without ST", "seeds"] + (["paper"] if paper else [])
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        cells = [
            _plain(row.title),
            _over_seeds(row.values["top1"]),
            _over_seeds(row.differences["top1"], sign="+"),
            _over_seeds(row.values["macro_f1"]),
            _over_seeds(row.values["top1_live"]),
            _over_seeds(row.differences["top1_live"], sign="+"),
            ", ".join(str(seed) for seed in row.values["top1"]),
        ]
        if paper:
            cells.append(f"{paper[row.title].top1:.1f}" if row.title in paper else "")
        lines.append(f"| {' | '.join(cells)} |")
    done = sum(len(row.values["top1"]) for row in rows) * len(facts["divisions"])
    lines += ["", f"Mean ± standard deviation over seeds, percent. {done} of {facts['runs']} runs are finished."]
    lines.append("A difference of a row is the mean ± deviation of the differences between runs with the same seed.")
    if len(facts["divisions"]) > 1:
        lines.append(
            f"A figure is the mean over {len(facts['divisions'])} divisions, each with a network of its own."
        )
    lines += ["", "```", _plain(facts["command"]), "```"]
    lines.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions().items()) + ".")
    return "\n".join(lines) + "\n"


def as_csv(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Returns one line for every run of every metric, for those who compute on."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["dataset", "protocol", "row", "title", "metric", "seed", "value", "less_without_attention"])
    for row in rows:
        for metric in METRICS:
            for seed, value in row.values[metric].items():
                less = row.differences[metric].get(seed)
                place = (facts["dataset"], facts["protocol"], row.name, row.title, metric, seed)
                writer.writerow([*place, f"{value:.4f}", "" if less is None else f"{less:.4f}"])
    return stream.getvalue()


def as_json(facts: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Returns the table and how it was made as JSON."""
    made = [
        {
            "name": row.name,
            "title": row.title,
            "metrics": {
                metric: {
                    **summary(row.values[metric]),
                    "by_seed": {str(seed): round(value, 4) for seed, value in row.values[metric].items()},
                    "less_without_attention": summary(row.differences[metric]),
                }
                for metric in METRICS
            },
        }
        for row in rows
    ]
    return json.dumps({**facts, "versions": versions(), "rows": made}, indent=1, ensure_ascii=False)


def summary(values: Mapping[int, float]) -> dict[str, float | int | None]:
    """Returns mean, deviation (of a sample; None for one) and number of values."""
    numbers = list(values.values())
    return {
        "mean": round(statistics.fmean(numbers), 4) if numbers else None,
        "deviation": round(statistics.stdev(numbers), 4) if len(numbers) > 1 else None,
        "runs": len(numbers),
    }


def _over_seeds(values: Mapping[int, float], *, sign: str = "") -> str:
    numbers = [100 * value for value in values.values()]
    if not numbers:
        return ""
    mean = f"{statistics.fmean(numbers):{sign}.1f}".replace("-", "−")
    return f"{mean} ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else mean


def _plain(text: str) -> str:
    """A text that cannot break a table or a block of code."""
    return " ".join(text.replace("|", "/").replace("`", "'").split())
