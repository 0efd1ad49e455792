"""Painting time: a 1080p color frame with six people, heat and labels, against drawing the bare frame.

    python -m benchmarks.painting [--frames N]

Aim on two cores: p99 <= 12 ms. Wall time is what a user sees; CPU time is the same with the other programs of a
busy machine taken out. Every picture is a new one, as in a running video: nothing is reused between them.
"""

from __future__ import annotations

import argparse
import os
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
from tests.app.fakes import person, view

SIZES = ((1920, 1080), (1280, 720))
PICTURES = 4
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


def main() -> None:
    """Prints one line a size and kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    frames = parser.parse_args().frames
    application = make_application()
    print(describe())
    images = [np.random.default_rng(i).integers(0, 256, (1080, 1920, 3), dtype=np.uint8) for i in range(PICTURES)]
    views = [
        view(*[person(n) for n in range(1, 7)], image=image, time_s=1 + i / 30) for i, image in enumerate(images)
    ]
    for size in SIZES:
        target = QImage(*size, QImage.Format_RGB32)
        presenter, painter = Presenter(), ScenePainter()

        def draw(scene: Scene, target: QImage = target, painter: ScenePainter = painter) -> None:
            device = QPainter(target)
            painter.paint(device, QRectF(target.rect()), scene)
            device.end()

        def full(index: int, presenter: Presenter = presenter, draw: Callable[[Scene], None] = draw) -> None:
            presenter.take(views[index % PICTURES])
            draw(presenter.scene(views[index % PICTURES]))

        def bare(index: int, draw: Callable[[Scene], None] = draw) -> None:
            draw(Scene(image=images[index % PICTURES]))

        results = {"bare frame": measure(bare, frames), "six people": measure(full, frames)}
        for name, (wall_ms, cpu_ms) in results.items():
            wall, cpu = np.percentile(wall_ms, (50, 99)), np.percentile(cpu_ms, (50, 99))
            print(
                f"{size[0]}x{size[1]}  {name}:  wall p50 {wall[0]:5.1f}  p99 {wall[1]:5.1f} ms"
                f"   CPU p50 {cpu[0]:5.1f}  p99 {cpu[1]:5.1f} ms"
            )
        ratio = np.median(results["six people"][0]) / np.median(results["bare frame"][0])
        print(f"{size[0]}x{size[1]}  six people : bare frame = {ratio:.1f}")
    application.quit()


if __name__ == "__main__":
    main()
