"""Painting time: a 1080p color frame with six people, heat and labels, against drawing the bare frame.

    python -m benchmarks.painting [--frames N]

Aim on two cores: p99 <= 12 ms. Wall time is what a user sees; CPU time is the same with the other programs of a
busy machine taken out. Every picture is a new one, as in a running video: nobody stands where they stood, and every
confidence and every attention is another one. The presenter's part, from view to scene, is in the time.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from PyQt5.QtCore import QRectF
from PyQt5.QtGui import QImage, QPainter

from app.application import make_application
from app.painting import ScenePainter
from app.presenter import Presenter
from app.scene import Scene
from benchmarks.machine import describe
from live.view import PipelineView
from skeleton import command_line
from tests.app.fakes import REPLAY, person, view

SIZES = ((1920, 1080), (1280, 720))
PICTURES = 4
SOURCE = dataclasses.replace(REPLAY, color_size=(1920, 1080))
PERCENTILES = (50, 95, 99, 100)
VIEWS = 97
"""A prime: the pictures come round at other times than the people."""
WARM_UP = 5


def measure(paint: Callable[[int], None], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns (frames,) wall and (frames,) CPU milliseconds."""
    times = []
    for index in range(frames + WARM_UP):
        wall, cpu = time.perf_counter(), time.process_time()
        paint(index)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall_ms, cpu_ms = 1000 * np.array(times[WARM_UP:]).T
    return wall_ms, cpu_ms


def views(images: list[np.ndarray]) -> list[PipelineView]:
    """Six people who shift from foot to foot, and whose confidence and attention come and go."""
    generator = np.random.default_rng(0)
    made = []
    for index in range(VIEWS):
        people = [
            person(
                number,
                best=(index // 30 + number) % 4,
                confidence=float(generator.uniform(0.3, 1.0)),
                joint_attention=generator.uniform(0.2, 1.2, 25).astype(np.float32),
            )
            for number in range(1, 7)
        ]
        one = view(*people, image=images[index % PICTURES], time_s=1 + index / 30, source=SOURCE)
        shift = np.array([0.1 * np.sin(index / 7), 0.0, 0.1 * np.cos(index / 11)])
        bodies = tuple(dataclasses.replace(body, joints=body.joints + shift) for body in one.frame.bodies)
        made.append(dataclasses.replace(one, frame=dataclasses.replace(one.frame, bodies=bodies)))
    return made


def main() -> int:
    """Prints one line a size and kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=command_line.positive, default=300, metavar="N")
    options = parser.parse_args()
    return command_line.run(lambda: _measure(options.frames), is_verbose=False)


def _measure(frames: int) -> None:
    application = make_application()
    print(describe())
    images = [np.random.default_rng(i).integers(0, 256, (1080, 1920, 3), dtype=np.uint8) for i in range(PICTURES)]
    shown = views(images)
    for size in SIZES:
        target = QImage(*size, QImage.Format_RGB32)
        presenter, painter = Presenter(), ScenePainter()

        def draw(scene: Scene, target: QImage = target, painter: ScenePainter = painter) -> None:
            device = QPainter(target)
            painter.paint(device, QRectF(target.rect()), scene)
            device.end()

        def full(index: int, presenter: Presenter = presenter, draw: Callable[[Scene], None] = draw) -> None:
            presenter.take(shown[index % VIEWS])
            draw(presenter.scene(shown[index % VIEWS]))

        def bare(index: int, draw: Callable[[Scene], None] = draw) -> None:
            draw(Scene(image=images[index % PICTURES]))

        results = {"bare frame": measure(bare, frames), "six people": measure(full, frames)}
        for name, (wall_ms, cpu_ms) in results.items():
            wall, cpu = np.percentile(wall_ms, PERCENTILES), np.percentile(cpu_ms, PERCENTILES)
            print(
                f"{size[0]}x{size[1]}  {name}:  "
                + "   ".join(
                    f"{kind} p50 {ms[0]:5.1f}  p95 {ms[1]:5.1f}  p99 {ms[2]:5.1f}  max {ms[3]:5.1f} ms"
                    for kind, ms in (("wall", wall), ("CPU", cpu))
                )
            )
        ratio = np.median(results["six people"][0]) / np.median(results["bare frame"][0])
        print(f"{size[0]}x{size[1]}  six people : bare frame = {ratio:.1f}")
    application.quit()


if __name__ == "__main__":
    sys.exit(main())
