"""Our results beside published ones: the paper's tables 1 and 2, and the networks that we measured on smaller sets.

A row that we have no result for says so, with the command that would fill it; so does one of a protocol whose figure
is a mean over divisions where some of them are missing. A result on other clips than the published ones says so too;
one of a model that was trained on people of the test side is refused.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from skeleton.errors import TrainingDataError
from training import published
from training.protocols import FOLDED

LARGEST_RESULTS = 16 << 20
"""Bytes of a result file."""
LARGEST_SEED = 2**63 - 1
MOST_DIVISIONS = 1_000_000
"""Of a protocol: nobody leaves out more people one by one."""
TITLES = {
    "1": "Table 1: UESTC, top-1 %",
    "2": "Table 2: NTU RGB+D, top-1 %",
    "measured": "Other sets and protocols, top-1 %",
}
PROTOCOLS = {"cs": "CS", "cv2": "CV II", "xsub": "CS (xsub)", "xview": "CV (xview)", "loso": "leave one out"}
DATASETS = {"uestc": "UESTC", "ntu60": "NTU RGB+D", "sign30": "sign30", "machete": "Machete", "ui-prmd": "UI-PRMD"}
RECIPES = {"ntu60": "ntu", "ntu120": "ntu", "folder": "own"}
"""Data sets whose recipe has another name."""
LICENSED = ("ntu60", "ntu120", "uestc")
"""Sets that are given out on request only, so their rows may stay empty."""
PAPER = {"1": ("uestc", ("cs", "cv2")), "2": ("ntu60", ("xsub", "xview"))}
"""The paper's tables: data set and protocols."""
SMALLER = [(name, protocol) for name in ("ui-prmd", "machete", "sign30") for protocol in ("odd-even", "loso")]
NOT_GIVEN = "no result given"
ATTENTION = {"st": "", "s": ", spatial attention only", "t": ", temporal attention only", "none": ", no attention"}
NETWORKS = {"csta_cnn": "CSTA-CNN"}


@dataclass(frozen=True, slots=True)
class Ours:
    """What we measured of one network on one protocol.

    Attributes:
        values: Top-1 by seed, shares; none where no seed has all divisions.
        divisions: Divisions that each value is the mean of, or the most that a seed has.
        needed: Divisions that the protocol has; 0 where the results do not say.
        left_out: Seeds that have fewer divisions than needed.
        counted: What is to be said of the number of clips tested; empty where it is the published one.
    """

    values: tuple[float, ...]
    divisions: int = 1
    needed: int = 1
    left_out: int = 0
    counted: str = ""

    def __str__(self) -> str:
        if not self.values:
            return f"incomplete: {self.divisions} of {self.needed or '?'} divisions"
        numbers = [100 * value for value in self.values]
        mean = f"{statistics.fmean(numbers):.1f}"
        return f"{mean} ± {statistics.stdev(numbers):.1f}" if len(numbers) > 1 else mean

    @property
    def source(self) -> str:
        """How it came about, for people."""
        if not self.values:
            return "evaluate again" if not self.needed else ""
        mean = f", mean of {self.divisions} divisions" if self.divisions > 1 else ""
        fewer = f"; {_seeds(self.left_out)} with fewer divisions left out" if self.left_out else ""
        counted = f"; {self.counted}" if self.counted else ""
        return f"{_seeds(len(self.values))}{mean}{fewer}{counted}"


Key = tuple[str, str, str]
"""(data set, protocol, method)."""
Found = dict[Key, Ours]


class Entry(NamedTuple):
    """One result of one seed.

    Attributes:
        key: What it is of.
        division: Which division of the protocol; the protocol itself where it has one or is a mean already.
        seed: The run's.
        top1: As a share.
        divisions: Divisions that ``top1`` is the mean of.
        needed: Divisions that the protocol has; 0 where the result does not say.
        samples: Clips tested; 0 where the result does not say.
        published: Clips that published results were tested on; 0 where that is not known.
        content: Digest of the clips; empty where the result does not say.
    """

    key: Key
    division: str
    seed: int
    top1: float
    divisions: int
    needed: int
    samples: int = 0
    published: int = 0
    content: str = ""


def compare(files: Sequence[Path]) -> str:
    """Returns the tables as Markdown.

    Args:
        files: What ``evaluate --json`` printed, one file a run, or the .json tables of ``ablate``.

    Raises:
        TrainingDataError: A file that is neither, or a result that is none on new people.
    """
    ours = _merged({file: _read(file) for file in files})
    parts = []
    for table, (dataset, protocols) in PAPER.items():
        parts.append(_paper_table(table, dataset, protocols, ours))
    parts.append(_smaller_table(ours))
    return "\n\n".join(parts)


def _paper_table(table: str, dataset: str, protocols: Sequence[str], ours: Found) -> str:
    figures = published.rows(table=table)
    head = ["Method", *(PROTOCOLS[protocol] for protocol in protocols), "Year", "Source"]
    lines = [f"### {TITLES[table]}", "", _line(head), f"|{'---|' * len(head)}"]
    for method in dict.fromkeys(row.method for row in figures):
        found = {row.protocol: row for row in figures if row.method == method}
        first = next(iter(found.values()))
        sources = "; ".join(dict.fromkeys(row.source for row in found.values()))
        if len({row.source for row in found.values()}) > 1:
            sources = "; ".join(f"{PROTOCOLS[protocol]}: {row.source}" for protocol, row in found.items())
        cells = [f"{found[protocol].top1:.1f}" if protocol in found else "" for protocol in protocols]
        lines.append(_line([method, *cells, first.year, sources]))
    for method in _methods(ours, dataset, protocols) or [f"{NETWORKS['csta_cnn']} (ours)"]:
        cells = [_cell(ours, dataset, protocol, method) for protocol in protocols]
        sources = [
            f"{PROTOCOLS[protocol]}: {ours[dataset, protocol, method].source}"
            for protocol in protocols
            if (dataset, protocol, method) in ours and ours[dataset, protocol, method].source
        ]
        lines.append(_line([f"**{method}**", *cells, "", "; ".join(sources) or "our own"]))
    missing = [protocol for protocol in protocols if not _is_known(ours, dataset, protocol)]
    return "\n".join([*lines, *_commands(dataset, missing)])


def _smaller_table(ours: Found) -> str:
    head = ["Set", "Protocol", "Method", "top-1 %", "Source"]
    lines = [f"### {TITLES['measured']}", "", _line(head), f"|{'---|' * len(head)}"]
    of_paper = {(name, protocol) for name, listed in PAPER.values() for protocol in listed}
    rest = [key[:2] for key in ours if key[:2] not in of_paper]
    missing: dict[str, list[str]] = defaultdict(list)
    for dataset, protocol in dict.fromkeys([*SMALLER, *rest]):
        start = [DATASETS.get(dataset, dataset), PROTOCOLS.get(protocol, protocol)]
        for row in published.rows(table="measured", dataset=dataset, protocol=protocol):
            lines.append(_line([*start, row.method, f"{row.top1:.1f}", row.source]))
        methods = _methods(ours, dataset, (protocol,))
        for method in methods:
            found = ours[dataset, protocol, method]
            lines.append(_line([*start, f"**{method}**", f"**{found}**", found.source]))
        if not methods:
            lines.append(_line([*start, f"**{NETWORKS['csta_cnn']} (ours)**", NOT_GIVEN, ""]))
        if not _is_known(ours, dataset, protocol):
            missing[dataset].append(protocol)
    lines += [
        "",
        "The networks of others were trained once each by one short recipe (AdamW, label smoothing 0.1, batch 64, "
        "crops from half a clip, turns of 17°), with their authors' layers: single runs, so read differences under "
        "two points as equal, and none of them as the best that network can do.",
    ]
    for dataset, protocols in missing.items():
        lines += _commands(dataset, protocols)
    return "\n".join(lines)


def _is_known(ours: Found, dataset: str, protocol: str) -> bool:
    return any(key[:2] == (dataset, protocol) and found.values for key, found in ours.items())


def _methods(ours: Found, dataset: str, protocols: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key[2] for key in ours if key[0] == dataset and key[1] in protocols))


def _cell(ours: Found, dataset: str, protocol: str, method: str) -> str:
    if (dataset, protocol, method) in ours:
        return f"**{ours[dataset, protocol, method]}**"
    return "not run: data under license" if dataset in LICENSED else NOT_GIVEN


def _commands(dataset: str, protocols: Sequence[str]) -> list[str]:
    """The command that fills each row, as a block of code; none where nothing is missing."""
    if not protocols:
        return []
    recipe = Path("training") / "recipes" / f"{RECIPES.get(dataset, dataset)}.toml"
    config = f" --config {recipe.as_posix()}" if (Path(__file__).parents[1] / recipe).is_file() else ""
    lines = [
        f"python -m training ablate --data caches/{dataset} --protocol {protocol}{config} "
        f"--output ablations/{dataset}-{protocol}"
        for protocol in protocols
    ]
    prepared = f"once `python -m training prepare {dataset} SOURCE --output caches/{dataset}` has made the cache"
    text = f"No result of ours on {DATASETS.get(dataset, dataset)} was given; what would fill the rows, {prepared}:"
    return ["", text, "", "```", *lines, "```"]


def _merged(found: Mapping[Path, list[Entry]]) -> Found:
    runs: dict[Key, dict[int, dict[str, Entry]]] = defaultdict(lambda: defaultdict(dict))
    said: dict[Key, tuple[str, Path]] = {}
    for file, entries in found.items():
        for entry in entries:
            content, first = said.setdefault(entry.key, (entry.content, file)) if entry.content else ("", file)
            if content != entry.content:
                raise TrainingDataError(
                    f"Results of one figure must be of the same clips, but {first} and {file} are of others "
                    f"({' '.join(entry.key)}).",
                    remedy="Compare the results of one cache at a time.",
                )
            of_seed = runs[entry.key][entry.seed]
            has_mean = bool(of_seed) and entry.key[1] in (entry.division, *of_seed)
            if has_mean or entry.division in of_seed:
                raise TrainingDataError(
                    f"Every run counts once, but {file} has another result of seed {entry.seed} for "
                    f"{' '.join(entry.key)}."
                )
            of_seed[entry.division] = entry
    return {key: _figure([list(entries.values()) for entries in by_seed.values()]) for key, by_seed in runs.items()}


def _figure(seeds: Sequence[list[Entry]]) -> Ours:
    """The figure of a protocol: of the seeds that have all of its divisions."""
    needed = max(entry.needed for entries in seeds for entry in entries)
    counts = [sum(entry.divisions for entry in entries) for entries in seeds]
    whole = [entries for entries, count in zip(seeds, counts) if count == needed]
    values = tuple(statistics.fmean(entry.top1 for entry in entries) for entries in whole)
    divisions = needed if values else max(counts)
    return Ours(values, divisions, needed, left_out=len(seeds) - len(whole), counted=_counted(whole))


def _counted(seeds: Sequence[list[Entry]]) -> str:
    """What is to be said of the number of clips tested: nothing where it is the published one or none is known."""
    said = []
    for entries in seeds:
        found, wanted = (sum(counts) for counts in zip(*((entry.samples, entry.published) for entry in entries)))
        if wanted and not all(entry.samples for entry in entries):
            said.append("number of clips tested not said")
        elif wanted and found != wanted:
            said.append(f"tested on {found:,} clips, published {wanted:,}")
    return "; ".join(dict.fromkeys(said))


def _seeds(count: int) -> str:
    return f"{count} {'seed' if count == 1 else 'seeds'}"


def _read(file: Path) -> list[Entry]:
    try:
        if file.stat().st_size > LARGEST_RESULTS:
            raise ValueError
        values = json.loads(file.read_bytes())  # PowerShell writes UTF-16
        if _is_of_some_labels(values):
            raise TrainingDataError(f"Only results of all labels can be compared, but some were left out of {file}.")
        if _is_on_trainers(values):
            raise TrainingDataError(
                f"Only results on new people can be compared, but the model of {file} was trained on people who test."
            )
        return _of_ablation(values) if "rows" in values else _of_evaluation(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TrainingDataError(
            f"{file} must hold what 'python -m training evaluate --json' prints or 'ablate' writes, but does not."
        ) from None


def _is_of_some_labels(values: dict[str, Any]) -> bool:
    if "rows" in values:
        return bool(values["recipe"].get("leave_out"))
    return any("left_out" in part for part in (values, *values.get("divisions", ())))


def _is_on_trainers(values: dict[str, Any]) -> bool:
    parts = () if "rows" in values else (values, *values.get("divisions", ()))
    return any(part.get("trained_on_tested") for part in parts)


def _of_evaluation(values: dict[str, Any]) -> list[Entry]:
    if values.get("divisions"):
        return [entry for division in values["divisions"] for entry in _of_evaluation(division)]
    division = _text(values["protocol"])
    stem = division.rpartition("-")[0]
    network, attention = _text(values["network"]), values.get("attention")
    method = NETWORKS.get(network, network) + (ATTENTION[attention] if attention is not None else "")
    key = (_text(values["dataset"]), stem if stem in FOLDED else division, f"{method} (ours)")
    # What an older evaluate wrote does not say how many divisions a protocol has that counts people.
    needed = _count(values.get("divisions_in_all", 0 if stem in FOLDED and len(FOLDED[stem]) == 1 else 1))
    needed = max(needed, len(FOLDED.get(stem, ()))) if needed else 0
    return [
        Entry(
            key,
            division,
            _count(values.get("seed") or 0, most=LARGEST_SEED),
            _share(values["top1"]),
            1,
            needed,
            samples=_count(values.get("samples", 0)),
            published=published.TESTED.get(key[0], {}).get(division, 0),
            content=str(values.get("content", "")),
        )
    ]


def _of_ablation(values: dict[str, Any]) -> list[Entry]:
    network = _text(values["recipe"]["network"])
    _check_divisions(_text(values["protocol"]), values["divisions"])
    count = len(values["divisions"])
    tested = values.get("samples", {})
    samples = [_count(tested.get(division, 0)) for division in values["divisions"]]
    known = published.TESTED.get(str(values["dataset"]), {})
    facts: dict[str, Any] = {
        "samples": sum(samples) if all(samples) else 0,
        "published": sum(known.get(division, 0) for division in values["divisions"]),
        "content": str(values.get("content", "")),
    }
    entries = []
    for row in values["rows"]:
        variant = ATTENTION[row["name"]] if values["table"] == "attention" else f", {_text(row['title'])}"
        method = f"{NETWORKS.get(network, network)}{variant} (ours)"
        key = (_text(values["dataset"]), _text(values["protocol"]), method)
        for seed, top1 in row["metrics"]["top1"]["by_seed"].items():
            entries.append(Entry(key, key[1], int(seed), _share(top1), count, count, **facts))
    return entries


def _check_divisions(protocol: str, divisions: Any) -> None:
    """Refuses a table whose divisions are not its protocol's: a figure of people left out is of many networks."""
    if not isinstance(divisions, list) or not divisions or len(set(map(_text, divisions))) != len(divisions):
        raise ValueError
    names = FOLDED.get(protocol, (protocol,))
    for division in divisions:
        stem, _, number = division.rpartition("-")
        is_numbered = f"{stem}-N" in names and number.isdecimal() and number == str(int(number))
        if division not in names and not is_numbered:
            raise ValueError


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _count(value: Any, *, most: int = MOST_DIVISIONS) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError
    return value


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError
    return float(value)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |"
