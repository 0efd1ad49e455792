"""Figures that others published, or that we measured of other networks: a table with the source of each.

The table is ``published.csv``; ``docs/results.md`` says what to keep in mind about it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("published.csv")
TESTED = {
    "ntu60": {"xsub": 16_487, "xview": 18_932},
    "ntu120": {"xsub": 50_919, "xset": 59_477},
    "uestc": {"cs": 12_460, "cv1-0": 11_200}
    | {f"cv1-{view}": 20_800 for view in range(1, 8)}
    | {"cv2-even": 6_400, "cv2-odd": 16_000},
}
"""Clips of the test side of each protocol (of each division of one), of NTU RGB+D without its incomplete files."""


@dataclass(frozen=True, slots=True)
class Published:
    """One figure.

    Attributes:
        table: "1", "2", "3" for the tables of the CSTA-CNN paper, "measured" for what we measured.
        dataset: Name of a data set of ours.
        protocol: Name of a protocol of ours, or of one that is the mean over several.
        method: The network.
        top1: Percent.
        year: Of its publication, or empty.
        source: Where the figure stands.
    """

    table: str
    dataset: str
    protocol: str
    method: str
    top1: float
    year: str
    source: str


def rows(*, table: str = "", dataset: str = "", protocol: str = "") -> list[Published]:
    """Returns the figures in their order; an empty argument stands for all."""
    with FILE.open(newline="", encoding="utf-8") as stream:
        found = [Published(**{**row, "top1": float(row["top1"])}) for row in csv.DictReader(stream)]
    return [
        row
        for row in found
        if table in ("", row.table) and dataset in ("", row.dataset) and protocol in ("", row.protocol)
    ]
