"""What a finished model file says of itself: shown, and completed with what was measured on the file itself.

A calibrated file is another one than the export of its run, and is measured after that. So its results come into the
card last, and nothing else of the file changes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from live.model_file import read_model
from live.recognizer import Recognizer
from models.card import ModelCard, verified
from models.temperature import with_card
from skeleton.errors import TrainingDataError
from skeleton.replacing import replacing
from training.export import LARGEST_RESULTS, check_name, kept, own_results, refused

STREAM_KEYS = ("dataset", "protocol", "side", "subjects", "seed", "streams", "engine", "argmax", "unknown")
"""What a card keeps of a result of ``evaluate-stream``: not the timelines, nor each person's share."""


def describe(
    model: Path,
    output: Path | None = None,
    *,
    name: str = "",
    results: Sequence[Path] = (),
    streams: Path | None = None,
    note: str = "",
) -> ModelCard:
    """Returns the card of a model file, changed as asked; with ``output`` a copy of the file has it.

    Args:
        model: The ONNX file.
        output: The copy; may be the file itself.
        name: A new name.
        results: Files that ``evaluate --json`` printed: the first of this file, others of runs with other seeds.
        streams: The file that ``evaluate-stream --json`` printed.
        note: What a reader of the results has to know.

    Raises:
        AppError: A file that cannot be used, or a result of another model.
    """
    if name:
        check_name(name)
    card = Recognizer(model, provider="cpu").card
    measured = own_results(results, card, card_of=str(model))
    if streams is not None:
        measured["streams"] = _of_streams(streams, card, card_of=str(model))
    if note:
        measured["note"] = note
    card = dataclasses.replace(card, name=name or card.name, results=card.results | measured)
    card = verified(card, file=model.name)
    if output is not None:
        data = with_card(read_model(model), card, file=model.name)
        output.parent.mkdir(parents=True, exist_ok=True)
        with replacing(output) as temporary:
            temporary.write_bytes(data)
    return card


def as_text(card: ModelCard) -> str:
    """Returns a card as JSON, without the long table of feature centers."""
    values = dataclasses.asdict(card)
    values["feature_centers"] = f"{len(card.feature_centers)} centers"
    return json.dumps(values, indent=1, ensure_ascii=False)


def _of_streams(file: Path, card: ModelCard, *, card_of: str) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_RESULTS:
            raise ValueError
        values = json.loads(file.read_bytes(), parse_constant=refused)
        json.dumps(values)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not isinstance(values.get("engine"), dict):
        raise TrainingDataError(
            f"{file} must hold what 'python -m training evaluate-stream --json' prints, but does not."
        )
    for name in ("dataset", "protocol"):
        wanted = card.trained_on.get(name)
        if values.get(name, wanted) != wanted:
            raise TrainingDataError(
                f"Results on a card must be of its own model, but the {name} of {file} is {values[name]} and that of "
                f"{card_of} {wanted}."
            )
    return kept({key: values[key] for key in STREAM_KEYS if key in values}, file)
