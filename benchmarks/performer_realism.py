"""Measures how real the synthetic performers are: ``python -m benchmarks.performer_realism``.

A model that was trained on real people only is asked what the performers do. Two numbers tell:

- *repetitions*: one repetition of a random body, side, view, place and tempo with the sensor's noise, cut from its
  start to its end as the model's one window. The aim is 0.80.
- *in the stream*: three performers play for a while, and every repetition's window is cut out of the stream as the
  app cuts it: the model's span, with the repetition in its middle and whatever else happened around it.

A third line tells how the whole app does, decision stage included, on two minutes of the same stream: how many
repetitions lie in an event of their label, and how many events lie where nothing of the kind was done.

Nothing of the performers is ever used to train a model: that would measure nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from live.offline import run
from live.recognizer import Recognizer
from live.sources.performer import EXERCISES, Performance, PerformerSource, perform, random_person
from live.sources.performer_agenda import YAW_DEG
from live.view import ActionEvent
from models.card import ModelCard
from skeleton import command_line
from skeleton.layout import KINECT_V2
from skeleton.window import Window, cut

MODEL = Path(__file__).resolve().parent.parent / "models" / "pretrained" / "exercises.onnx"
REPETITIONS = 500
STREAM_S = 600.0
EVENTS_S = 120.0
EVENT_SLACK_S = 0.5
"""An event may begin this much after the repetition has ended: windows and smoothing look back."""
SEED = 2026
AIM = 0.80

Answer = tuple[str, str]
"""What was done, what was recognized."""


def main() -> int:
    """Prints both numbers and the confusions of each exercise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, default=MODEL, metavar="FILE.onnx", help="a model trained on real people"
    )
    parser.add_argument(
        "--repetitions", type=command_line.positive, default=REPETITIONS, metavar="N", help="single repetitions"
    )
    parser.add_argument(
        "--stream", type=command_line.positive_number, default=STREAM_S, metavar="S", help="seconds of the stream"
    )
    parser.add_argument("--seed", type=command_line.natural, default=SEED, metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    return command_line.run(lambda: _measure(options), is_verbose=options.verbose)


def _measure(options: argparse.Namespace) -> None:
    recognizer = Recognizer(options.model, provider="cpu")
    single = repetitions(recognizer, count=options.repetitions, seed=options.seed)
    streamed = in_the_stream(recognizer, duration_s=options.stream, seed=options.seed)
    found, done, false, told = events(recognizer, duration_s=min(EVENTS_S, options.stream), seed=options.seed)
    if options.json:
        print(
            json.dumps(
                {
                    "model": recognizer.file,
                    "seed": options.seed,
                    "repetitions": len(single),
                    "top1": round(share_right(single), 4),
                    "stream_repetitions": len(streamed),
                    "stream_top1": round(share_right(streamed), 4),
                    "event_recall": round(found / max(done, 1), 4),
                    "events": told,
                    "events_of_nothing": false,
                }
            )
        )
        return
    print(f"machine        {describe()}")
    print(f"model          {recognizer.file}, span {recognizer.card.span_s:g} s, seed {options.seed}")
    print(f"repetitions    {share_right(single):.3f} of {len(single)} (aim {AIM})")
    print(f"in the stream  {share_right(streamed):.3f} of {len(streamed)}")
    print(f"events         {found} of {done} repetitions lie in one of {told} events; {false} events in none")
    for label in EXERCISES:
        print(f"  {label:45}{_row(single, label):42}{_row(streamed, label)}")


def repetitions(recognizer: Recognizer, *, count: int, seed: int) -> list[Answer]:
    """Returns what ``count`` single repetitions, all exercises in turn, were recognized as."""
    rng = np.random.default_rng(seed)
    labels = [label for label, _ in zip(_in_turn(), range(count))]
    windows = []
    for label in labels:
        times_s, joints, state = perform(
            label,
            random_person(rng),
            rng,
            side=int(rng.integers(2)),
            yaw_deg=float(rng.uniform(-YAW_DEG, YAW_DEG)),
            place_m=(float(rng.uniform(-0.8, 0.8)), float(rng.uniform(2.5, 3.8))),
        )
        windows.append(_window(recognizer.card, times_s, joints, state, start_s=0.0, end_s=float(times_s[-1])))
    return list(zip(labels, _recognized(recognizer, windows)))


def in_the_stream(recognizer: Recognizer, *, duration_s: float, seed: int, people: int = 3) -> list[Answer]:
    """Returns what the repetitions of a playing demo were recognized as, each in one window of the model's span."""
    tracks: dict[int, list[tuple[float, np.ndarray, np.ndarray]]] = {}
    with PerformerSource(people, seed, speed=math.inf) as source:
        assert isinstance(source, PerformerSource)
        time_s = 0.0
        while time_s < duration_s and (frame := source.read(1.0)) is not None:
            time_s = frame.time_s
            for body in frame.bodies:
                tracks.setdefault(body.tracking_id, []).append((time_s, body.joints, body.state))
        done = source.performances(duration_s)
    half_s = recognizer.card.span_s / 2
    windows = []
    for performance in done:
        times_s, joints, state = (np.array(values) for values in zip(*tracks[performance.body_id]))
        middle_s = (performance.start_s + performance.end_s) / 2
        start_s, end_s = middle_s - half_s, middle_s + half_s
        near = (times_s >= start_s - 0.1) & (times_s <= end_s)
        windows.append(
            _window(recognizer.card, times_s[near], joints[near], state[near], start_s=start_s, end_s=end_s)
        )
    return list(zip((performance.label for performance in done), _recognized(recognizer, windows)))


def events(recognizer: Recognizer, *, duration_s: float, seed: int, people: int = 3) -> tuple[int, int, int, int]:
    """Returns repetitions that lie in an event of their label, repetitions, events of nothing, and events."""
    source = PerformerSource(people, seed, speed=math.inf)
    told: list[ActionEvent] = []
    first_s, newest_s = None, 0.0
    for view in run(source, recognizer):
        told += [event for event in view.events if event.end_s is not None]
        if view.frame is not None:
            first_s, newest_s = view.frame.time_s if first_s is None else first_s, view.frame.time_s
        if newest_s >= duration_s:
            done = source.performances(duration_s)
            break

    def belongs(event: ActionEvent, performance: Performance) -> bool:
        begins_s, ends_s = event.start_s + first_s, event.end_s + first_s  # events count from the first frame
        return (
            (event.body_id, event.label) == (performance.body_id, performance.label)
            and begins_s < performance.end_s + EVENT_SLACK_S
            and ends_s > performance.start_s
        )

    found = sum(any(belongs(event, performance) for event in told) for performance in done)
    nothing = sum(not any(belongs(event, performance) for performance in done) for event in told)
    return found, len(done), nothing, len(told)


def share_right(answers: list[Answer]) -> float:
    """Returns the share of answers that are right."""
    return sum(done == recognized for done, recognized in answers) / max(len(answers), 1)


def _window(
    card: ModelCard, times_s: np.ndarray, joints: np.ndarray, state: np.ndarray, *, start_s: float, end_s: float
) -> Window:
    order = KINECT_V2.select(card.joints)
    cut_joints, seen = cut(
        times_s, joints[:, order], state[:, order] > 0, start_s=start_s, end_s=end_s, frame_count=card.frames
    )
    return Window(body_ids=(1,), end_s=end_s, joints=cut_joints[None], seen=seen[None])


def _recognized(recognizer: Recognizer, windows: list[Window]) -> list[str]:
    labels = recognizer.card.labels
    return [labels[int(answer.probabilities.argmax())] for answer in recognizer.recognize(windows)]


def _in_turn() -> Iterator[str]:
    while True:
        yield from EXERCISES


def _row(answers: list[Answer], label: str) -> str:
    """Such as "48/50  (deep squat 2)"."""
    found = [recognized for done, recognized in answers if done == label]
    wrong = sorted({r for r in found if r != label}, key=found.count, reverse=True)
    confusions = ", ".join(f"{other} {found.count(other)}" for other in wrong[:2])
    return f"{found.count(label)}/{len(found)}" + (f"  ({confusions})" if confusions else "")


if __name__ == "__main__":
    sys.exit(main())
