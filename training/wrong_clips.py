"""The clips that a model takes for something else, each with what shows it in the app."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from skeleton.formats.table import is_recording
from training.cache import Cache
from training.scores import rounded


def wrong_clips(cache: Cache, model: Path, clips: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Returns the clips (N,) that got another answer by probabilities (N, K), the most certain mistakes first.

    The commands of a row, under "open", write the clip as a recording and show that; and, where the file it was read
    from is still there and the app reads it, show that as well.
    """
    truth, found = cache.clips["label"][clips], probabilities.argmax(axis=1)
    rows = np.flatnonzero(truth != found)
    rows = rows[np.argsort(-probabilities[rows].max(axis=1), kind="stable")]
    return [_mistake(cache, model, int(clips[row]), int(found[row]), probabilities[row]) for row in rows]


def original_file(cache: Cache, index: int) -> Path | None:
    """Returns the file that a clip was read from; None where it is gone, in an archive, or no recording."""
    name = cache.name(index)
    if not cache.source.is_absolute():  # made by a program, from no file
        return None
    for known in (name, name.rpartition("[")[0]):  # a part of a recording is named "anna.mcap[8..14]"
        file = cache.source / known
        if known and is_recording(file):
            return file
    return None


def _mistake(cache: Cache, model: Path, index: int, found: int, probabilities: np.ndarray) -> dict[str, Any]:
    clip = cache.clips[index]
    truth, recording, original = int(clip["label"]), f"clip-{index}.mcap", original_file(cache, index)
    commands = [
        _command("python -m training clip", "--data", cache.path, "--index", index, "--output", recording),
        *(
            _command("python run_app.py", "--source", "replay", "--recording", file, "--model", model)
            for file in (recording, original)
            if file is not None
        ),
    ]
    return {
        "clip": index,
        "truth": cache.labels[truth],
        "answer": cache.labels[found],
        "probability": rounded(probabilities[found]),
        "probability_of_truth": rounded(probabilities[truth]),
        **{name: int(clip[name]) for name in ("subject", "repetition", "camera", "setup")},
        "source": cache.name(index),
        "original": "" if original is None else str(original),
        "open": commands,
    }


def _command(program: str, *words: object) -> str:
    return f"{program} {shlex.join(str(word) for word in words)}"
