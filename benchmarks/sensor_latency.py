"""Times from the sensor to a decision and to the screen: ``python -m benchmarks.sensor_latency``.

A scripted sensor (``tests/kinect``) announces six people and a color picture of 1920 x 1080 pixels 30 times a
second, at its own pace, and notes when. Above it run the real packages pykinect2 and comtypes, our source and the
whole window, as they do on Windows. From the announcement of a body frame, in milliseconds:

    in hand     the source alone, read in a loop: what any program would need before it does anything
    unpainted   source and recognizer, polled 30 times a second, color fetched, nothing drawn: everybody in the frame
                recognized, and their actions decided
    decided     the whole app: everybody in the frame recognized, and their actions decided
    on screen   the whole app: the window's ``paintEvent`` has returned, picture, bodies, heat and labels drawn
    unlabeled   the same window without a model: what recognition costs the screen

The window is drawn into memory (Qt's offscreen platform); a screen adds up to one of its own frames. The sensor's
side is Python in the same process and competes with the app for the interpreter: on Windows it is Microsoft's own
threads, so what is measured here is more than what is met there. The processor time a frame, of both together, is
what other programs on the machine disturb least.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from PyQt5.QtCore import QSettings, QTimer

from app.application import make_application
from app.main_window import MainWindow
from app.options import HEATS, PRETRAINED
from app.session import Choice, Session
from benchmarks import machine
from benchmarks.decision_latency import performed
from benchmarks.histogram import Series, histogram
from live.engine import Decided, Engine, Observation
from live.heat_kinds import DEFAULT_HEAT, HeatKind
from live.pipeline import Pipeline
from live.recognizer import Recognizer, load_for_this_thread
from live.sources.kinect_v2 import KinectV2Source
from live.sources.table import SourceOptions
from live.view import PipelineView, Statistics
from skeleton import command_line
from skeleton.errors import ConfigError
from skeleton.frames import Body
from tests.kinect.playing import Player
from tests.kinect.sensor import Kinect
from tests.kinect.windows import installed

PEOPLE = 6
FRAMES = 900
PICTURES = 4
WARM_UP_S = 4.0
"""Left out at the start: the model loads, and everybody's first window fills."""
PLOT = Path(__file__).resolve().parent.parent / "docs" / "images" / "sensor-latency.svg"
LATENCIES = ("in hand", "unpainted", "decided", "on screen", "unlabeled")


class Latencies:
    """Milliseconds from a frame's announcement to what happened with it; each frame counts once."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._cpu_s: dict[int, float] = {}
        self._times_s: dict[int, float] = {}

    def note(self, time_s: float) -> None:
        """Notes that what is measured has happened now, with the frame of that sensor time."""
        number = self._player.number(time_s)
        self._times_s.setdefault(number, time.perf_counter())
        self._cpu_s.setdefault(number, time.process_time())

    def ms(self) -> np.ndarray:
        """Returns them without the warm-up."""
        return np.array([1e3 * (self._times_s[n] - self._player.sent_s[n]) for n in self._counted()])

    def processor_ms(self) -> float:
        """Returns the process's processor time a frame of the sensor, milliseconds."""
        counted = self._counted()
        return 1e3 * (self._cpu_s[counted[-1]] - self._cpu_s[counted[0]]) / (counted[-1] - counted[0])

    def _counted(self) -> list[int]:
        sent = self._player.sent_s
        begin_s = sent[0] + WARM_UP_S
        return [number for number in self._times_s if sent[number] >= begin_s]


@contextlib.contextmanager
def playing_sensor(frames: Sequence[Sequence[Body]], pictures: Sequence[np.ndarray]) -> Iterator[Player]:
    """A scripted sensor that plays from the moment on that it is opened."""
    with installed() as windows:
        kinect = Kinect(windows)
        kinect.plug_in()
        with Player(kinect, lambda number: frames[number % len(frames)], pictures=pictures) as player:
            yield player


def in_hand(player: Player, seconds: float) -> Latencies:
    """Reads the source alone, in a thread as the app does."""
    latencies = Latencies(player)

    def read() -> None:
        with KinectV2Source() as source:
            end_s = time.perf_counter() + WARM_UP_S + seconds
            while time.perf_counter() < end_s:
                frame = source.read(timeout_s=0.05)
                if frame is not None:
                    latencies.note(frame.time_s)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    return latencies


@contextlib.contextmanager
def decisions_noted(latencies: Latencies) -> Iterator[None]:
    """Notes every decision that any engine makes meanwhile."""
    real_decide = Engine.decide

    def decide(engine: Engine, observation: Observation) -> Decided | None:
        result = real_decide(engine, observation)
        latencies.note(observation.frame.time_s)
        return result

    with patch.object(Engine, "decide", decide):
        yield


def unpainted(player: Player, seconds: float, model: Path) -> Latencies:
    """Runs the pipeline without a window."""
    latencies = Latencies(player)
    pipeline = Pipeline(KinectV2Source(), partial(load_for_this_thread, model, provider="cpu"))
    with decisions_noted(latencies), pipeline:
        end_s = time.perf_counter() + WARM_UP_S + seconds
        while time.perf_counter() < end_s:
            time.sleep(1 / 30)
            pipeline.poll()
    return latencies


def in_the_window(
    player: Player, seconds: float, model: Path | None, *, heat: HeatKind
) -> tuple[Latencies, Latencies, Statistics]:
    """Runs the whole app; returns what was decided, what was painted, and the app's own counts."""
    decided, painted = Latencies(player), Latencies(player)

    def make(choice: Choice) -> Pipeline:
        load = partial(load_for_this_thread, model, provider="cpu") if model is not None else None
        return Pipeline(KinectV2Source(), load)

    with decisions_noted(decided), tempfile.TemporaryDirectory() as folder:
        application = make_application()
        choice = Choice(kind="kinect", source=SourceOptions(), model=model or PRETRAINED)
        session = Session(make, lambda path, provider: Recognizer(path, provider=provider).card, choice)
        window = MainWindow(session, QSettings(f"{folder}/settings.ini", QSettings.IniFormat))

        window.show_heat(heat)

        def note() -> None:
            if window.view.frame is not None:
                painted.note(window.view.frame.time_s)

        window.picture.painted.connect(note)
        window.show()
        session.start()
        QTimer.singleShot(round(1e3 * (WARM_UP_S + seconds)), application.quit)
        application.exec_()
        window.close()
    view: PipelineView = window.view
    return decided, painted, view.statistics


def main() -> int:
    """Prints the table and draws the distributions."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--model", type=Path, default=PRETRAINED, metavar="FILE.onnx")
    flags.add_argument(
        "--seconds",
        type=command_line.positive_number,
        default=20.0,
        metavar="S",
        help="length of each of the four runs",
    )
    flags.add_argument(
        "--heat", choices=HEATS, default=DEFAULT_HEAT.value, help="what the window's heat shows; evidence costs runs"
    )
    flags.add_argument("--plot", type=Path, default=PLOT, metavar="FILE.svg", help="where to draw the distributions")
    flags.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    options = flags.parse_args()
    return command_line.run(lambda: _measure(options), is_verbose=options.verbose)


def _measure(options: argparse.Namespace) -> None:
    command_line.require_folder(options.plot)
    Recognizer(options.model, provider="cpu")  # what cannot be loaded is refused here, not in the midst
    frames = [frame.bodies for frame in performed(PEOPLE, FRAMES)]
    pictures = [noise(number) for number in range(PICTURES)]
    described = machine.describe()
    print(described)
    print(f"{PEOPLE} people, 1920 x 1080 BGRA, 30 a second, {options.seconds:g} s a run, {options.model.name}; ms")
    found: dict[str, Latencies] = {}
    with playing_sensor(frames, pictures) as player:
        found["in hand"] = in_hand(player, options.seconds)
        print(_row("in hand", found["in hand"], player))
    with playing_sensor(frames, pictures) as player:
        found["unpainted"] = unpainted(player, options.seconds, options.model)
        print(_row("unpainted", found["unpainted"], player))
    with playing_sensor(frames, pictures) as player:
        found["decided"], found["on screen"], counts = in_the_window(
            player, options.seconds, options.model, heat=HeatKind(options.heat)
        )
        for name in ("decided", "on screen"):
            print(_row(name, found[name], player))
    with playing_sensor(frames, pictures) as player:
        _, found["unlabeled"], _ = in_the_window(player, options.seconds, None, heat=HeatKind(options.heat))
        print(_row("unlabeled", found["unlabeled"], player))
    medians = {name: float(np.median(latencies.ms())) for name, latencies in found.items()}
    ratios = ", ".join(f"{name} {medians[name] / medians['in hand']:.1f}" for name in LATENCIES[1:])
    print(f"ratio to in hand, p50: {ratios}")
    print(
        f"of the app's {counts.frames_read} frames {counts.frames_lost} were lost on the way in, "
        f"{counts.frames_unrecognized} left out by the recognizer, {counts.events_lost} events lost"
    )
    title = f"Time from the sensor: {PEOPLE} people and 1080p color, 30 a second"
    series = [Series(name, found[name].ms()) for name in LATENCIES]
    options.plot.write_text(histogram(series, title=title, note=described, unit="ms"), encoding="utf-8")
    print(f"drawn into {options.plot}")


def _row(name: str, latencies: Latencies, player: Player) -> str:
    found_ms = latencies.ms()
    if len(found_ms) < 2:
        raise ConfigError(
            f"At least two frames must be measured after the warm-up of {WARM_UP_S:g} s, but '{name}' found "
            f"{len(found_ms)}.",
            remedy="Take more --seconds.",
        )
    p50, p95, p99 = np.percentile(found_ms, (50, 95, 99))
    processor = f"processor {latencies.processor_ms():5.1f} a frame"
    return (
        f"  {name:10} p50 {p50:6.2f}   p95 {p95:6.2f}   p99 {p99:6.2f}   {processor}   "
        f"of {len(found_ms)} frames; {player.untaken} announced were never asked for, "
        f"the sensor itself {1e3 * float(np.percentile(list(player.late_s), 95)):.0f} ms late (p95)"
    )


def noise(seed: int) -> np.ndarray:
    """(1080, 1920, 4) uint8 BGRA: noise, so that nothing is gained by pictures that are alike."""
    return np.random.default_rng(seed).integers(0, 256, (1080, 1920, 4), dtype=np.uint8)


if __name__ == "__main__":
    sys.exit(main())
