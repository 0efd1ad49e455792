"""Times from a body frame to the decision about everybody in it: ``python -m benchmarks.decision_latency``.

Measured with the pretrained model on the demo's performers, for one body and for six, with one inference thread:

    engine      the frame is added to the history, windows are cut, recognized in one run, and decided
    pipeline    the same through the running threads at 30 frames a second: frame received to decision made
    eager       what a user would write with the training code at hand: the last T frames of each body in a deque,
                stacked and run through the same network in PyTorch, one body after the other; no decision

Then the parts of the engine's time, and the engine's processor time, which other programs on the machine disturb
less than the wall clock. The ratio is eager to engine, both from this run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime

from benchmarks import machine
from live.board import Board
from live.engine import Engine
from live.history import History
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.sources.performer import PerformerSource
from live.view import PipelineView
from models.card import ModelCard
from skeleton import command_line
from skeleton.errors import ConfigError
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2

MODEL = Path(__file__).parent.parent / "models" / "pretrained" / "exercises.onnx"
WARM_UP = 30
"""Timings left out at the start: caches and allocators fill."""


def performed(people: int, count: int) -> list[BodyFrame]:
    """The first ``count`` demo frames in which everybody is in view."""
    with PerformerSource(people, seed=1, speed=math.inf, comings_and_goings=False) as source:
        frames: list[BodyFrame] = []
        while len(frames) < count:
            frame = source.read(timeout_s=1.0)
            if frame is not None and len(frame.bodies) == people:
                frames.append(frame)
    # Frames in between may be missing: give the rest even times, so that nobody seems to have been away.
    return [dataclasses.replace(frame, index=i, time_s=i / 30) for i, frame in enumerate(frames)]


def timed(
    step: Callable[[BodyFrame], object],
    frames: Sequence[BodyFrame],
    clock: Callable[[], float] = time.perf_counter,
) -> np.ndarray:
    """Milliseconds of each step, without the warm-up."""
    taken = []
    for frame in frames:
        start = clock()
        step(frame)
        taken.append(clock() - start)
    return np.array(taken)[WARM_UP:] * 1e3


def through_engine(
    recognizer: Recognizer, frames: Sequence[BodyFrame], clock: Callable[[], float] = time.perf_counter
) -> np.ndarray:
    """Times ``observe`` and ``decide``, once everybody is warmed up."""
    engine = Engine(recognizer, KINECT_V2)

    def step(frame: BodyFrame) -> None:
        observation = engine.observe(frame)
        assert observation is not None
        engine.decide(observation)

    return timed(step, frames, clock)[math.ceil(recognizer.card.span_s * 30) :]


def parts(recognizer: Recognizer, frames: Sequence[BodyFrame]) -> dict[str, float]:
    """Median milliseconds of the engine's parts."""
    card = recognizer.card
    history = History(KINECT_V2.select(card.joints), span_s=card.span_s, frame_count=card.frames)
    taken: dict[str, list[float]] = {"append": [], "cut windows": [], "recognize": []}
    for frame in frames:
        marks = [time.perf_counter()]
        generation = history.append(frame)
        marks.append(time.perf_counter())
        snapshot = history.snapshot(frame, generation or 0)
        marks.append(time.perf_counter())
        assert snapshot is not None
        if len(snapshot.windows) < len(frame.bodies):
            continue
        recognizer.recognize(snapshot.windows)
        marks.append(time.perf_counter())
        for name, step in zip(taken, np.diff(marks)):
            taken[name].append(step * 1e3)
    return {name: float(np.median(values)) for name, values in taken.items()}


def through_eager(card: ModelCard, frames: Sequence[BodyFrame]) -> np.ndarray:
    """Times the network in PyTorch, one body at a time."""
    import torch  # here: the benchmarks that run the app import this file, and the app has no torch

    from models.network import NetworkConfig
    from models.table import build

    torch.set_num_threads(1)
    known = {field.name for field in dataclasses.fields(NetworkConfig)}
    config = NetworkConfig(
        **{key: value for key, value in card.recipe.items() if key in known}
        | {"joints": card.joints, "persons": card.persons, "classes": len(card.labels), "frames": card.frames}
    )
    network = build(card.network, config).eval()
    indices = KINECT_V2.select(card.joints)
    buffers: dict[int, deque[np.ndarray]] = {}

    def step(frame: BodyFrame) -> None:
        for body in frame.bodies:
            buffer = buffers.setdefault(body.tracking_id, deque(maxlen=card.frames))
            buffer.append(body.joints[indices])
            if len(buffer) == card.frames:
                joints = torch.from_numpy(np.stack(buffer)[None, None])
                with torch.no_grad():
                    network(joints, torch.ones(joints.shape[:-1])).logits.softmax(dim=1).numpy()

    return timed(step, frames)


class Decisions:
    """When decisions were made and how long they took, sixteen bytes each."""

    def __init__(self) -> None:
        self.at_s, self.latency_ms = array("d"), array("d")

    def note(self, now_s: float, latency_s: float) -> None:
        """Notes one."""
        self.at_s.append(now_s)
        self.latency_ms.append(1e3 * latency_s)


@contextlib.contextmanager
def counted_decisions() -> Iterator[Decisions]:
    """Notes what every pipeline counts meanwhile: the same numbers that the status line shows."""
    decisions, real_count = Decisions(), Board.count_run

    def count_run(board: Board, now_s: float, latency_s: float) -> None:
        decisions.note(now_s, latency_s)
        real_count(board, now_s, latency_s)

    with patch.object(Board, "count_run", count_run):
        yield decisions


def through_pipeline(
    model: Path, people: int, seconds: float, *, look: Callable[[PipelineView], None] | None = None
) -> tuple[np.ndarray, int]:
    """Milliseconds of every decision of the running pipeline, once everybody is warmed up, and frames it left out.

    With ``look``, which gets every view from then on, it also looks for evidence.
    """
    source = PerformerSource(people, seed=1, comings_and_goings=False)
    begin_s = math.inf
    with counted_decisions() as decisions, Pipeline(source, partial(Recognizer, model, provider="cpu")) as pipeline:
        pipeline.explain(look is not None)
        while time.perf_counter() < begin_s + seconds:
            time.sleep(1 / 30)  # a window's timer
            view = pipeline.poll()
            if look is not None and begin_s < math.inf:
                look(view)
            if len(view.people) == people and all(person.probabilities is not None for person in view.people):
                begin_s = min(begin_s, time.perf_counter())
    return np.frombuffer(decisions.latency_ms)[np.frombuffer(decisions.at_s) > begin_s], (
        view.statistics.frames_unrecognized
    )


def row(taken_ms: np.ndarray) -> str:
    """Returns percentiles in words.

    Raises:
        ConfigError: There are none: everything was over before the warm-up was.
    """
    if not len(taken_ms):
        raise ConfigError("Something must be measured after the warm-up, but nothing was.", remedy="Measure longer.")
    p50, p95, p99, most = np.percentile(taken_ms, (50, 95, 99, 100))
    return f"p50 {p50:6.2f}   p95 {p95:6.2f}   p99 {p99:6.2f}   max {most:6.2f}"


def main() -> int:
    """Prints the table."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--model", type=Path, default=MODEL, metavar="FILE.onnx")
    flags.add_argument("--frames", type=command_line.positive, default=600, metavar="N")
    flags.add_argument(
        "--seconds", type=command_line.positive_number, default=20.0, metavar="S", help="how long each pipeline runs"
    )
    options = flags.parse_args()
    return command_line.run(lambda: _measure(options), is_verbose=False)


def _measure(options: argparse.Namespace) -> None:
    recognizer = Recognizer(options.model, provider="cpu")
    print(f"{machine.describe()}, onnxruntime {onnxruntime.__version__}, torch {version('torch')}")
    print(f"{recognizer.file}: {recognizer.card.network}, T {recognizer.card.frames}, 1 thread, milliseconds")
    for people in (1, 6):
        frames = performed(people, options.frames)
        engine, eager = through_engine(recognizer, frames), through_eager(recognizer.card, frames)
        print(f"{people} {'body' if people == 1 else 'bodies'}")
        processor = through_engine(recognizer, frames, time.thread_time)
        for name, taken in (("engine", engine), ("engine, processor", processor), ("eager", eager)):
            print(f"  {name:17} {row(taken)}")
        running, missed = through_pipeline(options.model, people, options.seconds)
        print(f"  {'pipeline':17} {row(running)}   of {len(running)}; {missed} left out")
        print(f"  ratio             eager / engine, p50: {np.median(eager) / np.median(engine):.1f}")
        print(
            "  parts             "
            + ", ".join(f"{name} {value:.2f}" for name, value in parts(recognizer, frames).items())
        )


if __name__ == "__main__":
    sys.exit(main())
