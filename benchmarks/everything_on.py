"""Times from a body frame to the decision with everything switched on: ``python -m benchmarks.everything_on``.

Six of the demo's people through the running threads at 30 frames a second, one inference thread. The model has a
background class and an unknown rule with a center for each class; where the pretrained one lacks them, a copy gets
made-up ones, which cost as much as real ones.

    processor    the engine alone, without threads: its processor time, which other programs disturb less
    plain        recognized and decided
    everything   the same while evidence for everybody's action is looked for, five times a second
    who is who   the part that gives people their numbers: ids that stay, and the worst, six new ids in every frame
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks import machine
from benchmarks.decision_latency import MODEL, performed, row, through_engine, through_pipeline, timed
from live.engine import Engine
from live.identity import Identities
from live.recognizer import Recognizer
from live.view import PipelineView
from models.temperature import with_card
from skeleton import command_line
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2

PEOPLE = 6


def with_all_rules(model: Path, folder: Path) -> Path:
    """Returns a copy of a model with a background class and centers where it lacks them."""
    recognizer = Recognizer(model, provider="cpu")
    card = recognizer.card
    engine, decided = Engine(recognizer, KINECT_V2), None
    for frame in performed(1, round(30 * card.span_s)):
        observation = engine.observe(frame)
        decided = engine.decide(observation) if observation else None
    assert decided is not None
    size = len(decided.recognitions[0].embedding)
    made_up = dataclasses.replace(
        card,
        background=card.background or card.labels[-1],
        unknown_score=card.unknown_score or 0.05,
        unknown_distance=card.unknown_distance or 1e6,  # nobody is that far: people act, and evidence is looked for
        feature_centers=card.feature_centers or ((0.0,) * size,) * len(card.labels),
    )
    path = folder / model.name
    path.write_bytes(with_card(model.read_bytes(), made_up, file=model.name))
    return path


class EvidenceCount:
    """Counts what is found while people act."""

    def __init__(self) -> None:
        self.begin_s = self.end_s = 0.0
        self.found: set[tuple[int, float]] = set()
        self.acting = self.views = 0

    def look(self, view: PipelineView) -> None:
        """Takes in a view."""
        self.end_s = time.perf_counter()
        self.begin_s = self.begin_s or self.end_s
        self.views += 1
        self.acting += sum(person.label is not None for person in view.people)
        self.found |= {(one.body_id, one.time_s) for one in view.evidence}

    def text(self) -> str:
        """Returns it in words."""
        rate = len(self.found) / max(self.end_s - self.begin_s, 1e-9)
        return f"evidence found {rate:.1f} times a second; {self.acting / max(self.views, 1):.1f} of {PEOPLE} acted"


def who_is_who(frames: Sequence[BodyFrame], *, is_worst: bool) -> np.ndarray:
    """Milliseconds a frame of the part that gives people their numbers."""
    identities = Identities(KINECT_V2.bones)

    def renamed(number: int, frame: BodyFrame) -> BodyFrame:
        bodies = (
            dataclasses.replace(body, tracking_id=number * PEOPLE + place) for place, body in enumerate(frame.bodies)
        )
        return dataclasses.replace(frame, bodies=tuple(bodies))

    shown = [renamed(number, frame) for number, frame in enumerate(frames)] if is_worst else frames
    return timed(identities.settle, shown)


def main() -> int:
    """Prints the table."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--model", type=Path, default=MODEL, metavar="FILE.onnx")
    flags.add_argument(
        "--seconds", type=command_line.positive_number, default=30.0, metavar="S", help="how long each pipeline runs"
    )
    options = flags.parse_args()
    return command_line.run(lambda: _measure(options), is_verbose=False)


def _measure(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = with_all_rules(options.model, Path(folder))
        print(f"{machine.describe()}, onnxruntime {onnxruntime.__version__}")
        print(f"{model.name}: {PEOPLE} people, background, unknown rule, centers, 1 thread, milliseconds")
        frames = performed(PEOPLE, 300)
        print(
            f"  {'processor':12} {row(through_engine(Recognizer(model, provider='cpu'), frames, time.thread_time))}"
        )
        taken, missed = through_pipeline(model, PEOPLE, options.seconds)
        print(f"  {'plain':12} {row(taken)}   of {len(taken)}; {missed} left out")
        count = EvidenceCount()
        taken, missed = through_pipeline(model, PEOPLE, options.seconds, look=count.look)
        print(f"  {'everything':12} {row(taken)}   of {len(taken)}; {missed} left out; {count.text()}")
    for name, is_worst in (("who is who", False), ("  new ids", True)):
        print(f"  {name:12} {row(who_is_who(frames, is_worst=is_worst))}")


if __name__ == "__main__":
    sys.exit(main())
