"""Trains one network in several variants over several seeds and writes what the variants are worth, as in table 3.

A folder made by it:

    runs/VARIANT/DIVISION/seed-N/       the run, with its model
    results/VARIANT-DIVISION-N.json     what ``evaluate`` says of that model: the test side is read once, for this
    attention.md  .csv  .json           the table (activation.* for the table of activations and starts)

The same command goes on where it was interrupted; a run that has its result is not trained or measured again. Seeds
come in the outer loop, so a table that is not finished yet still compares like with like.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skeleton.errors import AppError, ConfigError, TrainingDataError
from skeleton.replacing import replacing
from training import arithmetic, config, export, protocols, train
from training.ablation_table import Row, as_csv, as_json, as_markdown
from training.cache import content, open_cache
from training.config import Settings
from training.evaluate import WHOLE_ONLY, evaluate
from training.processes import choose_device
from training.run import Run, open_run

ATTENTION = {
    "st": ("CSTA-CNN", {"attention": "st"}),
    "none": ("Without ST", {"attention": "none"}),
    "t": ("Without S", {"attention": "t"}),
    "s": ("Without T", {"attention": "s"}),
}
"""Rows of the paper's table 3 by our names of what is left: title and settings."""
_FULL = {"attention": "st", "attention_start": "near-one"}
ACTIVATION = {
    "tanh": ("tanh", _FULL | {"activation": "tanh"}),
    "sigmoid": ("sigmoid", _FULL | {"activation": "sigmoid"}),
    "identity": ("identity", _FULL | {"activation": "identity"}),
    "softmax": ("softmax, times the count", _FULL | {"activation": "softmax"}),
    "tanh-zero": ("tanh, starts at zero", _FULL | {"activation": "tanh", "attention_start": "zero"}),
    "tanh-linear": (
        "tanh, starts as a linear layer",
        _FULL | {"activation": "tanh", "attention_start": "linear"},
    ),
    "none": ("without attention", {"attention": "none"}),
}
"""What the paper leaves open: the activation of the attention, and where it starts."""
TABLES = {"attention": ATTENTION, "activation": ACTIVATION}
OF_THE_MACHINE = ("device", "threads", "data_on_device", "compile")
"""Settings that may differ between the runs of one table."""
LARGEST_RESULT = 16 << 20
"""Bytes of a result file."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a table: which row, which division of the protocol, which seed, and the settings of all that."""

    row: str
    division: str
    seed: int
    settings: Settings

    @property
    def variant(self) -> str:
        """Name of the network's variant; rows of different tables that are the same network share it."""
        shape = self.settings.shape
        if shape["attention"] == "none":
            return "none"
        return f"{shape['attention']}-{shape['activation']}-{shape['attention_start']}"


@dataclass(frozen=True, slots=True)
class Source:
    """The data of a table: the cache, the data set's name, and the digest of what it holds."""

    path: Path
    dataset: str
    content: str


def run(
    *,
    data: Path,
    protocol: str,
    output: Path,
    settings: Settings,
    table: str = "attention",
    modes: Sequence[str] | None = None,
    seeds: Sequence[int] = range(5),
    command: str = "",
) -> str:
    """Trains what is missing of a table, writes the table, and returns it as Markdown.

    Args:
        data: The cache.
        protocol: Who tests; one that is several divisions trains a network for each, and a figure is their mean.
        output: The folder; where it is there already, its runs are taken over.
        settings: Of every run, but for what the rows change.
        table: Key of ``TABLES``.
        modes: Rows; None takes all.
        seeds: Runs of every row.
        command: The command line, written under the table.

    Raises:
        AppError: Data, protocol or settings that cannot be used, a folder with runs of other settings, or Ctrl-C.
    """
    rows = TABLES[table]
    if modes is not None and not modes:
        raise ConfigError("A table needs rows, but --modes names none.", remedy=f"Known: {', '.join(rows)}.")
    unknown = [name for name in modes or () if name not in rows]
    if unknown:
        raise ConfigError(f"The table {table} has no row '{unknown[0]}'.", remedy=f"Known: {', '.join(rows)}.")
    settings = arithmetic.settled(settings, choose_device(settings.training.device))
    cache = open_cache(data)
    divisions = protocols.folds(cache, protocol)
    chosen = [name for name in rows if modes is None or name in modes]
    jobs = [
        Job(name, division, seed, dataclasses.replace(settings, shape=settings.shape | rows[name][1]))
        for seed in seeds
        for name in chosen
        for division in divisions
    ]
    facts = {
        "table": table,
        "dataset": cache.dataset,
        "protocol": protocol,
        "divisions": list(divisions),
        "content": content(cache),
        "runs": len(jobs),
        "command": command,
        "recipe": _plain(settings),
    }
    results: dict[tuple[str, str, int], dict[str, Any]] = {}
    samples: dict[str, int] = {}
    for job, result in _finished(jobs, Source(data, cache.dataset, content(cache)), output):
        results[job.row, job.division, job.seed] = result
        samples[job.division] = result["samples"]
        made = [Row.of(name, rows[name][0], divisions, seeds, results) for name in chosen]
        _write(output / table, facts | {"samples": samples}, made)
    return as_markdown(facts, made)


def _finished(jobs: Sequence[Job], source: Source, output: Path) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yields every job with its result, trained and measured now where that was not done before."""
    for number, job in enumerate(jobs):
        try:
            yield job, _result(job, source, output, f"{number + 1} of {len(jobs)}")
        except (KeyboardInterrupt, AppError) as error:
            # Training turns Ctrl-C into a sentence that names its own run; here the whole command goes on instead.
            if isinstance(error, AppError) and not isinstance(error.__context__, KeyboardInterrupt):
                raise
            raise AppError(
                f"Interrupted; {number} of {len(jobs)} runs are finished.",
                remedy="The same command goes on from here.",
            ) from None


def _result(job: Job, source: Source, output: Path, place: str) -> dict[str, Any]:
    file = output / "results" / f"{job.variant}-{job.division}-{job.seed}.json"
    if file.is_file():
        return _read(file, job, source)
    print(f"[{place}] {job.variant}, {job.division}, seed {job.seed}", file=sys.stderr)
    made = _trained(job, source, output / "runs" / job.variant / job.division / f"seed-{job.seed}")
    result = evaluate(export.model_of(made, source.path), source.path, job.division, shares=WHOLE_ONLY)
    result |= {"recipe": _plain(job.settings)}
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(result, ensure_ascii=False), encoding="utf-8")
    return result


def _trained(job: Job, source: Source, path: Path) -> Run:
    if not path.exists():
        return train.train(
            data=source.path,
            protocol=job.division,
            output=path,
            settings=job.settings,
            seed=job.seed,
            command=_typed(job),
        )
    made = open_run(path)
    if (made.facts["dataset"], made.facts["protocol"], made.seed) != (source.dataset, job.division, job.seed):
        raise _other(path, "another data set, protocol or seed")
    _check_settings(_plain(made.settings), job, path)
    return train.resume(path, data=source.path)


def _read(file: Path, job: Job, source: Source) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_RESULT:
            raise ValueError
        result = json.loads(file.read_text(encoding="utf-8"))
        is_ours = all(_is_share(result[key]) for key in ("top1", "macro_f1", "top1_live"))
        is_ours = is_ours and type(result["samples"]) is int
        found, recipe = (result["dataset"], result["protocol"], result["seed"]), dict(result["recipe"])
    except (ValueError, KeyError, TypeError, RecursionError):
        is_ours = False
    if not is_ours:
        raise TrainingDataError(f"{file} must hold a result of this command, but does not.", remedy="Delete it.")
    if found != (source.dataset, job.division, job.seed):
        raise _other(file, "another data set, protocol or seed")
    if result.get("content", source.content) != source.content:  # an older result does not say
        raise _other(file, f"other clips than {source.path} has now")
    _check_settings(recipe, job, file)
    return result


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _check_settings(found: dict[str, Any], job: Job, where: Path) -> None:
    wanted = _plain(job.settings)
    # A setting that came later was at its default, and precision at what was the default before "auto".
    found = _plain(config.load(assignments=["precision=float32"])) | found
    different = [name for name in wanted if name not in OF_THE_MACHINE and found[name] != wanted[name]]
    if job.variant == "none":  # what it does not have makes no difference
        different = [name for name in different if name not in ("activation", "attention_start")]
    if different:
        name, value = different[0], found[different[0]]
        typed = shlex.quote(f"{name}={value if isinstance(value, str) else json.dumps(value)}")
        what = f"{name} = {value!r} instead of {wanted[name]!r}"
        raise _other(where, what, remedy=f"Name another --output, or go on with --set {typed}.")


def _other(where: Path, what: str, *, remedy: str = "Name another --output.") -> TrainingDataError:
    return TrainingDataError(f"All runs of a table must be made alike, but {where} is of {what}.", remedy=remedy)


def _plain(settings: Settings) -> dict[str, Any]:
    """The settings as JSON gives them back."""
    return json.loads(json.dumps(dataclasses.asdict(settings.flat())))


def _typed(job: Job) -> str:
    return f"python -m training ablate: {job.variant}, {job.division}, seed {job.seed}"


def _write(stem: Path, facts: dict[str, Any], rows: Sequence[Row]) -> None:
    for suffix, text in ((".md", as_markdown), (".csv", as_csv), (".json", as_json)):
        with replacing(stem.with_suffix(suffix)) as file:
            file.write_text(text(facts, rows), encoding="utf-8")
