"""Makes a model file of a finished run: the network, its card, and what the card says was measured."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from live.recognizer import Recognizer
from models.card import ModelCard, is_name
from models.export import CheckWindows, ExportReport
from models.export import export as write_model
from models.table import build
from skeleton import config as settings_file
from skeleton.errors import AppError, ConfigError, TrainingDataError
from training import batches, features
from training.background import label_of, labels_with
from training.cache import Cache
from training.evaluate import DETAILS
from training.run import MODEL, UNFIT, Run, open_data, open_run

CHECK_WINDOWS = 48
ATTENTION_WINDOWS = 512
ATTENTION_PERCENTILES = (1.0, 99.0)
"""Of |joint attention| over training windows: where the colors of the heat begin and end."""
SMALLEST_ATTENTION_RANGE = 1e-3
LARGEST_RESULTS = 16 << 20
"""Bytes of a result file: it lists every wrong clip of a data set of any size."""
LARGEST_KEPT = 1 << 20
"""Bytes of what a card keeps of it: a number for each label, none for a clip."""
LONGEST_NAME = 200
WEIGHTS_LICENSE = "Weights: GPL-3.0-or-later"


def export(
    path: Path,
    output: Path,
    *,
    data: Path | None = None,
    name: str = "",
    results: Sequence[Path] = (),
    note: str = "",
) -> ExportReport:
    """Writes the model file of a run.

    Args:
        path: The run folder.
        output: The ONNX file.
        data: The cache, where it is no longer where the run found it.
        name: The model's name; by default data set, protocol and network.
        results: Files that ``evaluate --json`` printed: the first of this very run, others of runs with other seeds.
        note: What a reader of the results has to know, such as how the settings were chosen.

    Raises:
        AppError: The run, the cache or a result file cannot be used, the cache holds other clips than the run began
            with, a result is of another model, or the written file does not answer like the network.
    """
    if name:
        check_name(name)
    run = open_run(path)
    cache, split = open_data(run, data)
    network, epoch = trained_network(run)
    training, background = run.settings.training, label_of(run.settings.training)
    chosen = np.random.default_rng(0).permutation(split.train)[:ATTENTION_WINDOWS]
    chosen = np.resize(chosen, max(len(chosen), CHECK_WINDOWS))  # a data set of a few clips shows them again
    clips = batches.load(cache, chosen, torch.device("cpu"), is_leveled=training.leveled)
    moments = batches.middle_times(clips.duration_s, network.config.frames, span_s=training.span_s)
    joints, seen = batches.resample(clips, moments)
    centers, scale = features.centers_of(network, run, cache, split)
    card = ModelCard(
        name=name or f"{cache.dataset} {run.facts['protocol']} {training.network}",
        network=training.network,
        labels=tuple(run.facts["labels"]),
        layout=cache.layout.name,
        joints=cache.layout.joints,
        frames=network.config.frames,
        span_s=training.span_s,
        lag_s=training.lag_s if training.stream_share else 0.0,
        persons=cache.persons,
        pair_labels=pair_labels(cache, split.train, background=background),
        attention_range=attention_range(network, joints, seen),
        background=background,
        feature_centers=centers,
        feature_scale=scale,
        expects_leveled=training.leveled,
        trained_on=_trained_on(run, epoch),
        recipe=settings_file_values(run),
        license=license_of(cache.license, run.facts.get("background") or {}),
    )
    measured = own_results(results, card, card_of=f"the run {path}", content=run.facts.get("content"))
    card = dataclasses.replace(card, results=measured | ({"note": note} if note else {}))
    check = CheckWindows(joints[:CHECK_WINDOWS].numpy(), seen[:CHECK_WINDOWS].numpy())
    return write_model(network, card, output, check)


def model_of(run: Run, data: Path | None = None) -> Path:
    """Returns the model file in a run folder, exported now where there is none, it is damaged or the run went on.

    Times of files say nothing: a copy of a run may have any, and a model file that was made by hand stays.
    """
    model = run.path / MODEL
    if not _is_of(run, model):
        export(run.path, model, data=data)
    return model


def _is_of(run: Run, model: Path) -> bool:
    """Whether a file can be read as a model of the epoch that this run gives."""
    try:
        trained_on = Recognizer(model, provider="cpu").card.trained_on
    except AppError:
        return False
    wanted = {key: run.facts[key] for key in ("dataset", "protocol", "seed")}
    if (run.path / f"{run.checkpoint}.pt").is_file():  # otherwise the model is all that is left of the run
        wanted["epoch"] = run.load(run.checkpoint)["epoch"]
    return all(trained_on.get(key) == value for key, value in wanted.items())


def trained_network(run: Run) -> tuple[nn.Module, int]:
    """Returns the network that a run gives, and its epoch: the best on validation, or the last without validation.

    Raises:
        TrainingDataError: No checkpoint, or one that does not fit the run's settings or holds no numbers.
    """
    state = run.load(run.checkpoint)
    if not state["epoch"]:
        raise TrainingDataError(f"The run {run.path} must have finished an epoch, but has not.", remedy="Train on.")
    shape = run.settings.network_config(
        joints=run.facts["joints"], classes=len(run.facts["labels"]), persons=run.facts["persons"]
    )
    network = build(run.settings.training.network, shape)
    try:
        network.load_state_dict(state["averaged"])
    except UNFIT:
        raise TrainingDataError(
            f"The checkpoint of {run.path} does not fit its settings.", remedy="Train again."
        ) from None
    if not all(torch.isfinite(weights).all() for weights in network.state_dict().values()):
        raise TrainingDataError(
            f"The weights of a model must be finite, but some in {run.path / run.checkpoint}.pt are not.",
            remedy="Train again, with a smaller learning_rate or with gradient_clip.",
        )
    return network.eval(), state["epoch"]


def license_of(data: str, background: dict[str, Any]) -> str:
    """Returns what a card says of the terms of the weights and of all data that they learned from.

    Args:
        data: The training data's terms.
        background: What run.json says of the background.
    """
    others = dict.fromkeys(f"{one['license']} ({one['dataset']})" for one in background.get("datasets", ()))
    behind = f" Background: {'; '.join(others)}." if others else ""
    return f"{WEIGHTS_LICENSE}. Data: {data}.{behind}"


def pair_labels(cache: Cache, clips: np.ndarray, *, background: str = "") -> tuple[str, ...]:
    """Returns the labels of what two people do together: most of their clips show two.

    Args:
        cache: The data set.
        clips: Indices of those that count.
        background: The label that means no action, which is never one of two people.
    """
    labels, is_of_two = cache.clips["label"][clips], cache.clips["persons"][clips] >= 2
    shares = (
        is_of_two[labels == number].mean() if (labels == number).any() else 0 for number in range(len(cache.labels))
    )
    return tuple(label for label, share in zip(cache.labels, shares) if share > 0.5 and label != background)


@torch.no_grad()
def attention_range(network: nn.Module, joints: torch.Tensor, seen: torch.Tensor) -> tuple[float, float]:
    """Returns where |joint attention| lies on windows joints (B, M, T, V, 3), for the heat's fixed scale."""
    attention = network(joints, seen).joint_attention.abs()
    shown = attention[seen.any(dim=2)].numpy()  # joints of absent persons have none
    low, high = (round(float(value), 4) for value in np.percentile(shown, ATTENTION_PERCENTILES))
    return (low, high) if high - low >= SMALLEST_ATTENTION_RANGE else (0.0, 1.0)


def own_results(
    files: Sequence[Path], card: ModelCard, *, card_of: str, content: str | None = None
) -> dict[str, Any]:
    """Returns what a card says of results that were measured on its model, and on those of runs with other seeds.

    Args:
        files: What ``evaluate --json`` printed: the first of the model itself. One of an older version does not say
            network, attention or seed.
        card: The model's.
        card_of: Whose it is, for messages.
        content: Digest of the clips that the model's run began with, where that is known.

    Raises:
        TrainingDataError: A file that is none, or of another data set, other classes or clips, another protocol,
            network or attention, the first one of another seed, or two of one seed.
    """
    results = [read_result(file) for file in files]
    made = {"dataset": card.trained_on.get("dataset"), "protocol": card.trained_on.get("protocol")}
    made |= {"network": card.network, "attention": card.recipe.get("attention")}
    known: dict[int, Path] = {}
    for number, (file, result) in enumerate(zip(files, results)):
        wanted = made | ({} if number else {"seed": card.trained_on.get("seed"), "temperature": card.temperature})
        different = next((name for name, value in wanted.items() if result.get(name, value) != value), None)
        if different is not None:
            raise TrainingDataError(
                f"Results on a card must be of its own model, but the {different} of {file} is {result[different]} "
                f"and that of {card_of} {wanted[different]}."
            )
        labels = tuple(result["per_class"]) if isinstance(result.get("per_class"), dict) else None
        if labels is not None and card.labels not in (labels, labels_with(labels, card.background)):
            raise TrainingDataError(
                f"Results on a card must be of its own model, but {file} is of other classes than {card_of}."
            )
        if content is not None and result.get("content", content) != content:
            raise TrainingDataError(
                f"Results on a card must be of its own model, but {file} is of other clips than {card_of} began with."
            )
        seed = result.get("seed")
        if not isinstance(seed, int):
            continue
        if seed in known:
            raise TrainingDataError(f"Every run counts once, but {known[seed]} and {file} are of seed {seed}.")
        known[seed] = file
    return kept(summary(results), files[0]) if files else {}


def summary(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the first result without its details, with mean and deviation over all where there are several."""
    if not results:
        return {}
    left_out = ("model", "name", *DETAILS)
    merged: dict[str, Any] = {key: value for key, value in results[0].items() if key not in left_out}
    if len(results) > 1:
        merged["seeds"] = {
            key: {
                "mean": round(statistics.mean(result[key] for result in results), 4),
                "deviation": round(statistics.stdev(result[key] for result in results), 4),
                "runs": len(results),
            }
            for key in ("top1", "macro_f1", "top1_live")
        }
    return merged


def settings_file_values(run: Run) -> dict[str, Any]:
    """Returns the settings of a run as plain values."""
    return settings_file.tomllib.loads((run.path / "config.toml").read_text(encoding="utf-8"))


def _trained_on(run: Run, epoch: int) -> dict[str, Any]:
    facts = run.facts
    return {
        "dataset": facts["dataset"],
        "protocol": facts["protocol"],
        "subjects": facts["subjects"]["train"],
        "validation_subjects": facts["subjects"].get("validation", []),
        **({"people": _digests(facts)} if facts.get("people") else {}),
        "clips": facts.get("train_clips"),
        **({"background": _background(facts["background"])} if facts.get("background") else {}),
        **({"left_out": facts["left_out"]} if facts.get("left_out") else {}),
        "seed": facts["seed"],
        "epoch": epoch,
    }


def _digests(facts: dict[str, Any]) -> dict[str, str]:
    """Of those who train and validate; who tests is nobody's business."""
    shown = [str(number) for side in ("train", "validation") for number in facts["subjects"].get(side, [])]
    return {number: facts["people"][number] for number in shown if number in facts["people"]}


def _background(known: dict[str, Any]) -> dict[str, Any]:
    """What a card says of a run's background: not where it lay."""
    return {key: known[key] for key in ("label", "pauses", "datasets") if key in known}


def kept(values: dict[str, Any], file: Path) -> dict[str, Any]:
    """Returns what a card keeps of a result file; raises ``TrainingDataError`` where that is more than numbers."""
    if len(json.dumps(values)) > LARGEST_KEPT:
        raise TrainingDataError(
            f"What a card keeps of {file} must have at most {LARGEST_KEPT >> 20} MiB, but has more.",
            remedy="Measure the model again.",
        )
    return values


def check_name(name: str) -> None:
    """Raises ``ConfigError`` for a name of a model that nobody could read."""
    if not is_name(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"A model's name must be 1 to {LONGEST_NAME} letters without control characters, found "
            f"{name if len(name) < LONGEST_NAME else f'{name[:LONGEST_NAME]} ...'!r}.",
            remedy="Give another --name.",
        )


def refused(constant: str) -> None:
    """JSON has no NaN and no infinity, and ``evaluate`` prints none."""
    raise ValueError(constant)


def read_result(file: Path) -> dict[str, Any]:
    """Reads what ``evaluate --json`` printed; raises ``TrainingDataError`` for anything else."""
    try:
        if file.stat().st_size > LARGEST_RESULTS:
            raise TrainingDataError(f"{file} is larger than a result of 'python -m training evaluate --json'.")
        values = json.loads(file.read_bytes(), parse_constant=refused)  # PowerShell writes UTF-16
        json.dumps(values)
    except (ValueError, RecursionError):
        values = None
    wanted = ("dataset", "protocol", "top1", "macro_f1", "top1_live")
    if not isinstance(values, dict) or any(key not in values for key in wanted):
        raise TrainingDataError(f"{file} must hold what 'python -m training evaluate --json' prints, but does not.")
    if not all(type(values[key]) in (int, float) and 0 <= values[key] <= 1 for key in wanted[2:]):
        raise TrainingDataError(
            f"{file} must give numbers from 0 to 1 for top1, macro_f1 and top1_live, but does not.",
            remedy="Measure the model again.",
        )
    return values
