"""Several runs that differ in their seed alone, in one folder, with mean and deviation over them.

config.toml  seeds.json      what was asked for
seed-0  seed-1  ...          the runs
summary.csv  summary.json    the epoch that counts of each, and mean and deviation; written after each run

A result of one seed says little: two runs that differ in nothing else are often a point apart.
"""

from __future__ import annotations

import csv
import json
import math
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skeleton import config as settings_file
from skeleton.errors import AppError, TrainingDataError
from skeleton.replacing import replacing, replacing_folder
from training import arithmetic, config
from training.config import Settings
from training.journal import COLUMNS
from training.processes import Processes, joined
from training.run import Run
from training.train import resume_in, train_in

SCHEMA = 1
PLAN = "seeds.json"
LARGEST_PLAN = 1 << 20
"""Bytes; a page of text."""
SUMMARIZED = tuple(name for name in COLUMNS if name not in ("learning_rate", "seconds"))


def train_seeds(
    *,
    data: Path,
    protocol: str,
    output: Path,
    settings: Settings,
    seeds: Sequence[int],
    command: str = "",
    is_exported: bool = True,
    background: Sequence[Path] = (),
) -> list[Run]:
    """Trains one run after another.

    Args:
        data: The cache.
        protocol: Who trains; see ``training.protocols``.
        output: The folder to make.
        settings: Of every run.
        seeds: One a run, all different.
        command: The command line, kept in the folders.
        is_exported: Whether each run ends with its model file.
        background: As in ``training.train.train``.

    Raises:
        AppError: As ``training.train.train``; after Ctrl-C all finished runs and epochs are kept.
    """
    with joined(settings.training.device) as processes:
        settings = arithmetic.settled(settings, processes.device)
        plan = {
            "schema": SCHEMA,
            "seeds": list(seeds),
            "data": str(data.resolve()),
            "protocol": protocol,
            "command": command,
            "background": [str(path.resolve()) for path in background],
        }
        processes.first(lambda: _start(output, settings, plan))
        return _train_all(processes, output, settings, plan, is_exported=is_exported)


def resume_seeds(path: Path, *, data: Path | None = None, is_exported: bool = True) -> list[Run]:
    """Continues what :func:`train_seeds` began, to the end of its last run."""
    plan = _read_plan(path) | ({"data": str(data.resolve())} if data else {})
    settings = config.kept(path / "config.toml", plan.get("settings"))
    with joined(settings.training.device) as processes:
        return _train_all(processes, path, settings, plan, is_exported=is_exported)


def is_seeds(path: Path) -> bool:
    """Returns whether a folder was made by :func:`train_seeds`."""
    return (path / PLAN).is_file()


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Returns for each run the numbers of the epoch that counts, and mean and deviation over the runs."""
    rows = []
    for run in runs:
        state = run.load(run.checkpoint)
        rows.append({"seed": run.seed} | {name: state["rows"][-1][name] for name in SUMMARIZED})
    numbers = {name: [row[name] for row in rows] for name in SUMMARIZED}
    known = {name: values for name, values in numbers.items() if all(map(math.isfinite, values))}
    return {
        "runs": [{name: value for name, value in row.items() if name in ("seed", *known)} for row in rows],
        "mean": {name: statistics.mean(values) for name, values in known.items()},
        "deviation": {name: statistics.stdev(values) for name, values in known.items() if len(values) > 1},
    }


def _train_all(
    processes: Processes, output: Path, settings: Settings, plan: dict[str, Any], *, is_exported: bool
) -> list[Run]:
    runs: list[Run] = []
    try:
        for seed in plan["seeds"]:
            runs.append(_train_one(processes, output / f"seed-{seed}", settings, plan, seed, is_exported=is_exported))
            if processes.is_first:
                _write_summary(output, summary(runs))
    except (KeyboardInterrupt, AppError) as error:
        # The loop turns Ctrl-C into a sentence that names its own run; here all of them go on.
        if isinstance(error, AppError) and not isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise AppError(
            f"Interrupted; {len(runs)} of {len(plan['seeds'])} runs are finished, and every finished epoch is saved.",
            remedy=f"Continue with: python -m training train --resume {shlex.quote(str(output))}",
        ) from None
    return runs


def _train_one(
    processes: Processes, path: Path, settings: Settings, plan: dict[str, Any], seed: int, *, is_exported: bool
) -> Run:
    data = Path(plan["data"])
    is_begun = path.exists()
    processes.first(lambda: None)  # all have looked before the first makes the folder
    if is_begun:
        return resume_in(processes, path, data=data, is_exported=is_exported)
    return train_in(
        processes,
        data=data,
        protocol=plan["protocol"],
        output=path,
        settings=settings,
        seed=seed,
        command=plan["command"],
        is_exported=is_exported,
        background=[Path(path) for path in plan["background"]],
    )


def _start(output: Path, settings: Settings, plan: dict[str, Any]) -> None:
    if output.exists():
        raise TrainingDataError(
            f"The folder of the runs must be new, but {output} exists already.",
            remedy=f"Name another folder, or continue those runs with --resume {output}.",
        )
    with replacing_folder(output) as temporary:
        settings_file.save(settings.flat(), temporary / "config.toml")
        plan |= {"settings": config.digest_of(temporary / "config.toml")}
        (temporary / PLAN).write_text(json.dumps(plan, indent=1, ensure_ascii=False), encoding="utf-8")


def _read_plan(path: Path) -> dict[str, Any]:
    file = path / PLAN
    try:
        plan = json.loads(file.read_text(encoding="utf-8")) if file.stat().st_size <= LARGEST_PLAN else None
    except (ValueError, RecursionError):
        plan = None
    is_whole = isinstance(plan, dict) and all(isinstance(plan.get(name), str) for name in ("data", "protocol"))
    seeds = plan.get("seeds") if isinstance(plan, dict) else None
    others = plan.get("background", []) if isinstance(plan, dict) else None
    is_whole = is_whole and isinstance(others, list) and all(isinstance(path, str) for path in others)
    is_list = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not is_whole or not is_list or plan.get("schema") != SCHEMA:
        raise TrainingDataError(f"{path} must hold a {PLAN} of schema {SCHEMA}, but it is another or damaged.")
    return {"command": "", "background": []} | plan


def _write_summary(output: Path, values: dict[str, Any]) -> None:
    with replacing(output / "summary.json") as file:
        file.write_text(json.dumps(values, indent=1), encoding="utf-8")
    columns = ["seed", *values["mean"]]
    with replacing(output / "summary.csv") as file, file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(values["runs"])
        for name in ("mean", "deviation"):
            writer.writerow({"seed": name} | values[name])
