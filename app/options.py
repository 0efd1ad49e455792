"""The app's flags, and which of them go together."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from skeleton.errors import ConfigError

DEFAULT_PEOPLE = 3
DEMO_DURATION_S = 20.0
"""Length of a rendered demo when nothing is said: every person does something, and it is done in a minute."""
LONGEST_S = 1e6
"""Seconds, eleven days: Qt's timers count milliseconds in 32 bits."""
HEATS = ("evidence", "spatial", "coupled")
"""The values of ``live.heat_kinds.HeatKind``, which would load NumPy before a flag is looked at."""
MODELS = {
    "exercises": Path(__file__).resolve().parent.parent / "models" / "pretrained" / "exercises.onnx",
    "gestures": Path(__file__).resolve().parent.parent / "models" / "pretrained" / "gestures.onnx",
}
"""The models that come with the app, by the names that --model and the menu know them under."""
PRETRAINED = MODELS["exercises"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        source: "auto", "kinect", "replay" or "demo".
        recording: File to replay.
        video: Color video of the recording.
        model: Model file; None is the one that comes with the app.
        provider: "auto", "cuda" or "cpu".
        heat: What the heat shows, one of ``HEATS``; None is what was shown last, or the usual.
        is_headless: Render into a video instead of opening a window.
        output: The video to write.
        events: The table of events to write.
        record: The recording to make.
        with_record_video: Whether the color video is kept beside it.
        duration_s: Seconds of the source to render, or until the window closes.
        speed: Times real time; ``math.inf`` is as fast as possible.
        people: People in the demo.
        is_looping: Whether a recording starts again at its end.
        is_verbose: Log to the terminal, and show tracebacks.
        is_check: Print what the app needs and what is there, and start nothing.
    """

    source: str = "auto"
    recording: Path | None = None
    video: Path | None = None
    model: Path | None = None
    provider: str = "auto"
    heat: str | None = None
    is_headless: bool = False
    output: Path | None = None
    events: Path | None = None
    record: Path | None = None
    with_record_video: bool = False
    duration_s: float | None = None
    speed: float = 1.0
    people: int = DEFAULT_PEOPLE
    is_looping: bool = False
    is_verbose: bool = False
    is_check: bool = False


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line; a flag that is no flag ends the program with code 2."""
    known = _parser().parse_args(arguments)
    return Options(**vars(known))


def check(options: Options) -> None:
    """Raises ``ConfigError`` for flags that cannot work together, and for files that are not there."""
    for wrong, sentence in _contradictions(options):
        if wrong:
            raise ConfigError(sentence)
    for flag, path in (("--recording", options.recording), ("--video", options.video), ("--model", options.model)):
        if path is not None and not path.is_file():
            raise ConfigError(f"{flag} must name a file, but there is none at '{path}'.")
    check_outputs(options, options.output, options.events)
    _check_record(options)


def check_outputs(options: Options, output: Path | None, events: Path | None) -> None:
    """Raises ``ConfigError`` where a result could not be written, or would take the place of what must be kept."""
    given = [("--recording", options.recording), ("--video", options.video), ("--model", options.model)]
    for flag, path in (("--output", output), ("--events", events)):
        if path is None:
            continue
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"{flag} must lie in a folder that exists, but '{path.parent}' does not.")
        if path.exists() and not path.is_file():  # a folder; or a device, which renaming would replace
            raise ConfigError(f"{flag} must name a file, but '{path}' is something else.")
        for other, kept in given:
            if kept is not None and _is_same(path, kept):
                raise ConfigError(f"{flag} must not replace the file of {other}, but both are '{path}'.")
        given.append((flag, path))


def _check_record(options: Options) -> None:
    """A recording is never written over anything."""
    if options.record is None:
        return
    if not options.record.absolute().parent.is_dir():
        raise ConfigError(f"--record must lie in a folder that exists, but '{options.record.parent}' does not.")
    video = [options.record.with_suffix(".mkv")] if options.with_record_video else []
    for path in (options.record, *video):
        if os.path.lexists(path):
            raise ConfigError(f"--record must name a new file, but '{path}' is already there.")


def source_kind(options: Options) -> str:
    """Returns which row of ``SOURCES`` to open: for "auto" the recording, else the sensor on Windows, else the demo.

    On Windows without a recording "auto" is "kinect"; whoever opens it falls back to the demo when that fails.
    """
    if options.source != "auto":
        return options.source
    if options.recording is not None:
        return "replay"
    return "kinect" if sys.platform == "win32" and not options.is_headless else "demo"


def _is_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.normcase(one.resolve()) == os.path.normcase(other.resolve())


def _contradictions(o: Options) -> list[tuple[bool, str]]:
    can_replay = o.source in ("auto", "replay")
    is_demo = o.source == "demo" or (o.source == "auto" and o.recording is None)
    return [
        (o.source == "replay" and o.recording is None, "--source replay needs --recording FILE."),
        (o.recording is not None and not can_replay, f"--recording does not go with --source {o.source}."),
        (o.video is not None and o.recording is None, "--video needs the --recording it belongs to."),
        (o.people != DEFAULT_PEOPLE and not is_demo, "--people is for the demo: add --source demo."),
        (o.is_headless and o.source == "kinect", "--headless renders a recording or the demo, not the live sensor."),
        (o.output is not None and not o.is_headless, "--output needs --headless."),
        (
            o.events is not None and not o.is_headless,
            "--events needs --headless; the window has a menu for it.",
        ),
        (
            o.is_headless and o.is_looping and o.duration_s is None,
            "--headless with --loop needs --duration S.",
        ),
        (o.with_record_video and o.record is None, "--record-video needs --record FILE.mcap."),
        (
            o.record is not None and o.record.suffix.lower() != ".mcap",
            f"--record must end in .mcap, found '{o.record}'.",
        ),
        (
            o.output is not None and o.output.suffix.lower() != ".mp4",
            f"--output must end in .mp4, found '{o.output}'.",
        ),
    ]


def _model(text: str) -> Path:
    return MODELS.get(text, Path(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_app.py",
        description="Watches people through a Kinect v2, a recording or a demo, and says live what each is doing.",
    )
    add = parser.add_argument
    add(
        "--source",
        choices=("auto", "kinect", "replay", "demo"),
        default="auto",
        help="where bodies come from (auto: the recording if one is given, else the sensor, else the demo)",
    )
    add("--recording", type=Path, metavar="FILE", help="recording to replay")
    add("--video", type=Path, metavar="FILE", help="color video of the recording")
    add(
        "--model",
        type=_model,
        metavar="FILE",
        help=f"model file (.onnx), or one that comes with the app: {' or '.join(MODELS)} (default exercises)",
    )
    add("--provider", choices=("auto", "cuda", "cpu"), default="auto", help="what computes")
    add(
        "--heat",
        choices=HEATS,
        help="what the joints' color says: the evidence for the action shown (usual), or the network's attention: "
        "spatial, as in the paper, or coupled, at this frame",
    )
    add("--headless", action="store_true", dest="is_headless", help="render into a video instead of a window")
    add("--output", type=Path, metavar="VIDEO.mp4", help="video to write, with --headless (default: demo.mp4)")
    add("--events", type=Path, metavar="EVENTS.csv", help="table of recognized actions to write, with --headless")
    add("--record", type=Path, metavar="FILE.mcap", help="record the skeletons from the start (window: key R)")
    add("--record-video", action="store_true", dest="with_record_video", help="keep the color video beside it")
    add(
        "--duration",
        type=_positive,
        metavar="S",
        dest="duration_s",
        help="seconds to render, or to show in the window from the first picture on",
    )
    add("--speed", type=_speed, default=1.0, metavar="X|max", help="times real time")
    add("--people", type=_people, default=DEFAULT_PEOPLE, metavar="N", help="people in the demo, 1 to 6")
    add("--loop", action="store_true", dest="is_looping", help="start the recording again at its end")
    add("--check", action="store_true", dest="is_check", help="print what the app needs and what this computer has")
    add("--verbose", action="store_true", dest="is_verbose", help="log to the terminal and show tracebacks")
    return parser


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, at most {LONGEST_S:g}, found {text}")
    return value


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    value = _number(text)
    if not 0.05 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be from 0.05 to 100, or max, found {text}")
    return value


def _people(text: str) -> int:
    value = _number(text)
    if value not in range(1, 7):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 6, found {text}")
    return int(value)


def _number(text: str) -> float:
    """Returns what ``text`` says, NaN where it is no number: whoever asks says what must be there."""
    try:
        return float(text)
    except ValueError:
        return math.nan
