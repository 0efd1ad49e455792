"""Draws what a color map gets wrong, or how it differs from the default, in the sensor's own view, as PNG or SVG.

Every arrow begins where the sensor sees the point and leads to where the map has it, longer by a factor that is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from calibration import store
from calibration.color_map import COLOR_SIZE, ColorMap
from skeleton.errors import CalibrationError

SUFFIXES = (".png", ".svg")
MOST_ARROWS = 900
"""More would be one gray patch; they are taken evenly from all."""
LONG_PX = 100.0
"""Length of an arrow of a usual error (at 95 %), after lengthening, in pixels of a 1920 x 1080 picture."""
LARGEST_FACTOR = 100_000.0
HEAD, HEADER = 12, 160
TITLE_AT, NOTE_AT = (20, 42), (20, 80)
"""Where the baselines of the two lines of text begin, from the left and from the top."""
BACKGROUND, FRAME, INK, ARROW, DOT = "#ffffff", "#9aa3ad", "#1c2128", "#c2410c", "#3f7fbf"
GRID_A, GRID_B = np.linspace(-0.85, 0.85, 18), np.linspace(-0.5, 0.5, 11)
GRID_DEPTH_M = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Arrows in the view of a color camera.

    Attributes:
        starts: (N, 2) pixels.
        steps: (N, 2) pixels, lengthened.
        title: Written above.
        note: Written below the title: how large the errors are, and how much the arrows were lengthened.
    """

    starts: np.ndarray
    steps: np.ndarray
    title: str
    note: str

    def svg(self) -> str:
        """Returns it as SVG text."""
        width, height = COLOR_SIZE
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-HEADER} {width} {height + HEADER}" '
            'font-family="sans-serif">',
            f'<rect y="{-HEADER}" width="{width}" height="{height + HEADER}" fill="{BACKGROUND}"/>',
            _text(TITLE_AT, self.title, size=30),
            _text(NOTE_AT, self.note, size=24),
            f'<rect width="{width}" height="{height}" fill="none" stroke="{FRAME}" stroke-width="3"/>',
            *(_arrow(start, step) for start, step in zip(self.starts, self.steps)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def pixels(self) -> np.ndarray:
        """Returns it as (1240, 1920, 3) uint8 RGB."""
        import cv2  # half of a command's start, and most commands draw nothing

        width, height = COLOR_SIZE
        canvas = np.full((height + HEADER, width, 3), _rgb(BACKGROUND), dtype=np.uint8)
        for at, text, scale, weight in ((TITLE_AT, self.title, 1.0, 2), (NOTE_AT, self.note, 0.8, 1)):
            cv2.putText(canvas, _ascii(text), at, cv2.FONT_HERSHEY_SIMPLEX, scale, _rgb(INK), weight, cv2.LINE_AA)
        cv2.rectangle(canvas, (1, HEADER), (width - 2, height + HEADER - 2), _rgb(FRAME), 3)
        starts = np.round(self.starts).astype(int) + [0, HEADER]
        ends = np.round(self.starts + self.steps).astype(int) + [0, HEADER]
        lengths = np.hypot(*self.steps.T)
        for start, end, length in zip(starts.tolist(), ends.tolist(), lengths.tolist()):
            if length >= HEAD:
                cv2.arrowedLine(canvas, start, end, _rgb(ARROW), 3, cv2.LINE_AA, tipLength=HEAD / length)
        for start in starts.tolist():
            cv2.circle(canvas, start, 4, _rgb(DOT), cv2.FILLED, cv2.LINE_AA)
        return canvas

    def write(self, path: Path) -> None:
        """Writes it as PNG or SVG, as the name says, at once or not at all.

        Raises:
            CalibrationError: The name ends otherwise.
            OSError: The folder cannot be written.
        """
        check_name(path)
        if path.suffix.lower() == ".svg":
            store.write_file(path, self.svg().encode("utf-8"))
            return
        import cv2

        is_encoded, data = cv2.imencode(".png", np.ascontiguousarray(self.pixels()[:, :, ::-1]))
        if not is_encoded:
            raise CalibrationError(f"The picture {path} cannot be encoded by this OpenCV.")
        store.write_file(path, data.tobytes())


def check_name(path: Path) -> None:
    """Raises ``CalibrationError`` where a picture cannot be written under a name."""
    if path.suffix.lower() not in SUFFIXES:
        raise CalibrationError(f"--picture must end in {' or '.join(SUFFIXES)}, found '{path}'.")
    if path.exists() and not path.is_file():
        raise CalibrationError(f"--picture must name a file, but '{path}' is something else.")


def residual_picture(color_map: ColorMap, points: np.ndarray, pixels: np.ndarray, *, title: str) -> Picture:
    """Returns arrows from recorded pixels to where the map puts their points.

    Args:
        color_map: The map.
        points: (N, 3) meters, camera space.
        pixels: (N, 2) where the sensor saw them; rows that are not finite are left out.
        title: Written above.

    Raises:
        CalibrationError: No point has a pixel.
    """
    return _drawn(np.asarray(pixels, dtype=np.float64), color_map.project(points), title=title)


def difference_picture(color_map: ColorMap, *, title: str) -> Picture:
    """Returns arrows from where the default map puts a grid of points, 2 m away, to where this one does."""
    a, b = np.meshgrid(GRID_A, GRID_B)
    points = GRID_DEPTH_M * np.stack([a.ravel(), b.ravel(), np.ones(a.size)], axis=1)
    return _drawn(ColorMap.default().project(points), color_map.project(points), title=title)


def _drawn(starts: np.ndarray, ends: np.ndarray, *, title: str) -> Picture:
    usable = np.isfinite(starts).all(axis=1) & np.isfinite(ends).all(axis=1)
    starts, steps = starts[usable], (ends - starts)[usable]
    if not len(starts):
        raise CalibrationError("A picture of residuals needs joints with color pixels, but there are none.")
    lengths = np.hypot(*steps.T)
    factor = _factor(float(np.percentile(lengths, 95)))
    inside = np.flatnonzero(((starts >= 0) & (starts < COLOR_SIZE)).all(axis=1))
    chosen = inside[:: -(-len(inside) // MOST_ARROWS) or 1]
    middle, most, largest = np.percentile(lengths, (50, 95, 100))
    note = (
        f"{len(starts)} points: {middle:.4f} px median, {most:.4f} px at 95 %, {largest:.4f} px largest; "
        f"arrows lengthened x {factor:g}"
    )
    return Picture(starts[chosen], factor * steps[chosen], title, note)


def _factor(usual_px: float) -> float:
    """How much arrows are lengthened: 1, 2 or 5 times a power of ten, so that a usual one is as long as wanted."""
    wanted = min(LARGEST_FACTOR, LONG_PX / usual_px) if usual_px > 0 else LARGEST_FACTOR
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted * (1 + 1e-9)))


def _arrow(start: np.ndarray, step: np.ndarray) -> str:
    """A dot where the point was seen, and an arrow; one shorter than its head is the dot alone."""
    (u, v), length = start, float(np.hypot(*step))
    dot = f'<circle cx="{u:.1f}" cy="{v:.1f}" r="4" fill="{DOT}"/>'
    if length < HEAD:
        return dot
    end, along = start + step, step / length * HEAD
    side = np.array([-along[1], along[0]]) / 2
    corners = [end, end - along + side, end - along - side]
    tip = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    line = f'<line x1="{u:.1f}" y1="{v:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{ARROW}" stroke-width="3"/>'
    return f'{dot}{line}<polygon points="{tip}" fill="{ARROW}"/>'


def _text(at: tuple[int, int], text: str, *, size: int) -> str:
    legible = "".join(letter if letter.isprintable() else "?" for letter in text)  # XML knows no control characters
    return f'<text x="{at[0]}" y="{at[1] - HEADER}" font-size="{size}" fill="{INK}">{escape(legible)}</text>'


def _ascii(text: str) -> str:
    """What OpenCV's letters can show."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
