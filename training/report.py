"""Writes what is known of a model as one HTML file that opens anywhere, without a network.

``python -m training report`` takes a model file, or a run folder, whose learning curve is then shown as well.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import math
import platform
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from live.model_file import read_model
from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ConfigError, ModelContractError, TrainingDataError
from skeleton.replacing import replacing
from training import attention_figure, export, protocols
from training.cache import open_cache
from training.evaluate import evaluate
from training.figures import saved
from training.journal import COLUMNS
from training.report_page import Content, page
from training.run import Run, open_run
from training.taught import taught_to

PACKAGES = ("numpy", "torch", "onnxruntime-gpu", "onnxruntime", "matplotlib")
CLIPS_SHOWN, FRAMES_SHOWN = 3, 6
"""Clips whose attention is drawn, and key frames of each."""
MOST_EPOCHS = 100_000
"""Rows of a results.csv that are read; nobody trains longer."""
LARGEST_HISTORY = 64 << 20
"""Bytes of a results.csv."""
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
"""Of a number in it: a loss can be so large, and no larger."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about.

    Attributes:
        model: The ONNX file.
        run: The run behind it, or None.
    """

    model: Path
    run: Run | None


def write(
    source: Path,
    output: Path,
    *,
    data: Path | None = None,
    protocol: str = "",
    twin: Path | None = None,
    provider: str = "cpu",
    command: str = "",
) -> dict[str, Any]:
    """Measures a model and writes its report; returns the result of ``evaluate``.

    Args:
        source: An ONNX file, or a run folder, whose model is exported where that was not done yet.
        output: The HTML file; one that is there is replaced when the new one is whole.
        data: The cache; by default the run's.
        protocol: Who tests; by default as the model was trained.
        twin: Another model or run to show beside it, usually the network without attention.
        provider: Where models run, see ``live.recognizer``.
        command: The command line, for the reader.

    Raises:
        AppError: A model, run, cache or protocol that cannot be used, or classes that do not fit.
    """
    subject = _subject(source, data)
    data = data or (Path(subject.run.facts["data"]) if subject.run else None)
    if data is None:
        raise ConfigError(
            f"A report on the model file {source} needs the cache to measure it on.",
            remedy="Name it: --data CACHE.",
        )
    recognizer = Recognizer(subject.model, provider="cpu")
    card = recognizer.card
    protocol = protocol or str(card.trained_on.get("protocol", ""))
    if not protocol:
        raise ConfigError(f"The card of {subject.model} names no protocol, so a report needs --protocol.")
    result = evaluate(subject.model, data, protocol, provider=provider)
    other = evaluate(_subject(twin, data).model, data, protocol, provider=provider) if twin else None
    if other and other.get("left_out") != result.get("left_out"):
        raise ModelContractError(
            f"A model and its twin must have been taught the same labels, but {subject.model} and {twin} were not."
        )
    content = Content(
        result=result,
        twin=other,
        history=history(subject.run.path) if subject.run else (),
        attention=_attention(recognizer, data, protocol),
        made=_made(subject, card, data=data, command=command, provider=result["provider"]),
        recipe=card.recipe,
    )
    with replacing(output) as file:
        file.write_text(page(content), encoding="utf-8", errors="backslashreplace")
    return result


def history(run: Path) -> list[dict[str, float]]:
    """Returns the rows of a run's results.csv; none where it has not finished an epoch.

    Raises:
        TrainingDataError: The file is not one that training writes.
    """
    file = run / "results.csv"
    if not file.exists():
        return []
    rows: list[dict[str, float]] = []
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_HISTORY:
            raise ValueError
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                rows.append({str(name): float(value) for name, value in row.items()})
                if not rows[-1].keys() >= set(COLUMNS) or not rows[-1]["epoch"] == len(rows) <= MOST_EPOCHS:
                    raise ValueError
                if any(LARGEST_FLOAT32 < abs(value) < math.inf for value in rows[-1].values()):
                    raise ValueError
    except (ValueError, KeyError, TypeError, csv.Error):
        raise TrainingDataError(
            f"{file} must hold numbers under the names {', '.join(COLUMNS)}, one row an epoch, but does not.",
            remedy=f"It is written anew by: python -m training train --resume {shlex.quote(str(run))}",
        ) from None
    return rows


def _subject(source: Path, data: Path | None) -> Subject:
    if not source.exists():
        raise ConfigError(f"A report is on a model file or a run folder, but there is no '{source}'.")
    if not source.is_dir():
        return Subject(source, None)
    run = open_run(source)
    return Subject(export.model_of(run, data), run)


def _attention(recognizer: Recognizer, data: Path, protocol: str) -> bytes:
    """Figure 4 for the first test clip of a few classes, as PNG."""
    cache = taught_to(open_cache(data), recognizer.card)
    test = protocols.split(cache, protocol).test
    _, first = np.unique(cache.clips["label"][test], return_index=True)
    few = first[np.unique(np.linspace(0, len(first) - 1, CLIPS_SHOWN).round().astype(int))]
    rows = attention_figure.cache_rows(cache, test[few].tolist(), recognizer.card)
    frames = min(FRAMES_SHOWN, recognizer.card.frames)
    return saved(attention_figure.draw(recognizer, rows, frames=frames), "png", dpi=110)


def _made(subject: Subject, card: ModelCard, *, data: Path, command: str, provider: str) -> dict[str, dict[str, str]]:
    trained = {name.replace("_", " "): _text(value) for name, value in card.trained_on.items()}
    model = {
        "file": str(subject.model),
        "SHA-256": hashlib.sha256(read_model(subject.model)).hexdigest(),
        "temperature": f"{card.temperature:g}",
        "window": f"{card.frames} frames over {card.span_s:g} s, {len(card.joints)} joints ({card.layout}), "
        f"{card.persons} {'person' if card.persons == 1 else 'persons'}",
        "license": card.license,
    }
    report = {
        "command": command,
        "cache": str(data),
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "computer": f"{platform.system()} {platform.machine()}, recognized on {provider}",
    }
    sections = {"The model": model, "Its training": trained, "This report": report}
    if subject.run:
        facts = subject.run.facts
        sections["Its training"] |= {
            "run": str(subject.run.path),
            "command": str(facts.get("command", "")),
            "versions": ", ".join(f"{name} {version}" for name, version in dict(facts.get("versions", {})).items()),
        }
    return sections


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _text(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, (list, tuple)) else str(value)
