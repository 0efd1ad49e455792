"""Golden recordings: small fixed files, each with the exact list of actions that must come of it.

NAME.mcap            the recording; made once by ``record`` and never again, unless somebody wants other ones
NAME.exercises.csv   what the shipped model's actions are, one line each
NAME.tiny.csv        the same of ``tests.live.tiny_model``, which no training replaces

    python -m tests.live.golden              says what differs, and ends with 1 when something does
    python -m tests.live.golden --write      writes the lists anew: after the shipped model was replaced on purpose
    python -m tests.live.golden --record     makes the recordings anew from the demo's performers, and the lists

No test writes here. Look at what ``--write`` changed (``git diff tests/live/golden``) before you commit it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

from live.engine import Recognizes
from live.offline import run
from live.sources.replay import ReplaySource
from live.view import ActionEvent

FOLDER = Path(__file__).parent
SHIPPED = FOLDER.parents[2] / "models" / "pretrained" / "exercises.onnx"
NAMES = ("ids-change", "poor-light", "clock-jumps")
MODELS = ("exercises", "tiny")
COLUMNS = ("person", "body", "label", "start_s", "end_s")


def recording(name: str) -> Path:
    """Returns the file of a golden recording."""
    return FOLDER / f"{name}.mcap"


def expected(name: str, model: str) -> Path:
    """Returns the file with its actions."""
    return FOLDER / f"{name}.{model}.csv"


def replayed(name: str, recognizer: Recognizes) -> str:
    """Returns the actions of a recording as they are decided offline, as the text of the file that lists them."""
    views = run(ReplaySource(recording(name), speed=math.inf), recognizer, with_color=False)
    return listed(event for view in views for event in view.events)


def listed(events: Iterable[ActionEvent]) -> str:
    """Returns finished actions as text. Milliseconds tell frames apart; how sure the model is may differ a little."""
    ended = [event for event in events if event.end_s is not None]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for event in sorted(ended, key=lambda one: (one.start_s, one.person, one.label)):
        table.writerow((event.person, event.body_id, event.label, f"{event.start_s:.3f}", f"{event.end_s:.3f}"))
    return text.getvalue()
