"""Where things stand in the picture: joints to canvas pixels, and the floor grid. No Qt.

With a color picture a joint lies where the sensor's color camera saw it. Without one the canvas is what a color
camera of unknown calibration would see, shifted and zoomed so that everybody who has appeared fits: recordings
differ in where their origin is, and one with the floor at y = 0 would otherwise lie half outside.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.color_map import COLOR_SIZE, ColorMap
from live.sources.base import SourceInfo
from skeleton.frames import Body, BodyFrame
from skeleton.layout import TRACKED

MARGIN = 0.07
"""Share of the canvas kept free below."""
SIDE_MARGIN = 0.05
"""Share kept free left and right."""
LABEL_MARGIN = 0.11
"""Share kept free at the top, where the labels are."""
LARGEST_ZOOM = 1.5
SETTLING_S = 0.35
"""Time constant with which the view moves when somebody new has to fit in."""
NEAREST_M = 0.5
"""The sensor sees nothing nearer; such a joint is an error and must not move the view."""
FARTHEST_CANVAS = 2.0
"""A joint more than so many canvas sizes away is an error as well."""

GRID_X_M = np.arange(-4.0, 4.01, 0.5)
GRID_Z_M = np.arange(1.0, 6.51, 0.5)
GRID_STEP_M = 0.5
"""Lines are drawn in pieces of this length: the color map bends them slightly."""
WIDEST_SLOPE = 1.6
"""|x/z| beyond which the cubic color map, fitted to |x/z| < 0.8, bends lines visibly."""
SHADOW_RADIUS_M = 0.28
FOOT_HEIGHT_M = 0.03
"""The foot joint lies inside the foot, so much above the floor."""
FLOOR_FRAMES = 120
FLOOR_PERCENT = 20
"""Without a floor plane the floor is where the lowest joints of the last frames lie; jumps and glitches fall out."""
FLOOR_STEP_M = 0.02
"""A floor that moves less stays where it is: the grid must not tremble."""


@dataclass(frozen=True, slots=True, eq=False)
class FloorLines:
    """The floor grid.

    Attributes:
        pieces: (N, 2, 2) canvas pixels: start and end of each piece.
        strength: (N,) 0..1, fading with distance and towards the sides, so that the grid has no edge.
    """

    pieces: np.ndarray
    strength: np.ndarray


def _ground_pieces() -> tuple[np.ndarray, np.ndarray]:
    """The grid on the floor: (N, 2, 2) x and z of both ends in meters, and (N,) strength."""
    along_z = np.arange(GRID_Z_M[0], GRID_Z_M[-1] + 1e-6, GRID_STEP_M)
    along_x = np.arange(GRID_X_M[0], GRID_X_M[-1] + 1e-6, GRID_STEP_M)
    lines = [np.stack([np.full_like(along_z, x), along_z], axis=1) for x in GRID_X_M]
    lines += [np.stack([along_x, np.full_like(along_x, z)], axis=1) for z in GRID_Z_M]
    pieces = np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines])
    x, z = pieces.mean(axis=1).T
    strength = np.clip((GRID_Z_M[-1] - z) / 4.0, 0.0, 1.0) * np.clip(1.15 - np.abs(x) / 3.2, 0.0, 1.0)
    return pieces, strength


GROUND, GROUND_STRENGTH = _ground_pieces()


@dataclass(frozen=True, slots=True)
class Framing:
    """A zoom and a shift of the canvas: shown = zoom * pixel + shift.

    Attributes:
        zoom: Times larger.
        shift_u: Pixels.
        shift_v: Pixels.
    """

    zoom: float = 1.0
    shift_u: float = 0.0
    shift_v: float = 0.0

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Moves (..., 2) pixels."""
        return pixels * self.zoom + np.array([self.shift_u, self.shift_v])


class Stage:
    """The geometry of one open source.

    Args:
        info: The source; its color map and the size of its color picture, where it has them.
    """

    def __init__(self, info: SourceInfo) -> None:
        self._map = ColorMap(info.color_map) if info.color_map else ColorMap.default()
        self._fits_people = info.color_size is None
        self.size = info.color_size or COLOR_SIZE
        # The map speaks of the sensor's 1920 x 1080 picture; a smaller video of it is scaled down.
        self._scale = np.array(self.size) / np.array(COLOR_SIZE)
        self.framing = Framing()
        self._extent: np.ndarray | None = None  # (2, 2): least and greatest pixel of anybody so far
        self._lowest_m: deque[float] = deque(maxlen=FLOOR_FRAMES)
        self._floor_m: float | None = None
        self._plane: tuple[float, float, float, float] | None = None
        self._time_s: float | None = None
        self._lines: FloorLines | None = None
        self._lines_key: object = None

    def look(self, frame: BodyFrame) -> None:
        """Lets the view take in a frame: widens the framing and finds the floor."""
        elapsed = abs(frame.time_s - self._time_s) if self._time_s is not None else np.inf
        self._time_s = frame.time_s
        if not self._fits_people:
            return
        self._plane = frame.floor or self._plane
        self._take_in(frame.bodies)
        self._find_floor()
        if self._extent is not None:
            self._move_towards(self._wanted(), share=1.0 - float(np.exp(-elapsed / SETTLING_S)))

    def project(self, joints: np.ndarray) -> np.ndarray:
        """Returns (..., 2) canvas pixels of (..., 3) camera-space points; NaN where there is none."""
        pixels = self._map.project(np.asarray(joints, dtype=np.float64)) * self._scale
        return self.framing.apply(pixels) if self._fits_people else pixels

    def floor(self) -> FloorLines | None:
        """Returns the floor grid in short pieces, or None without a floor.

        The same object as long as nothing moves, so that a painter can keep what it drew.
        """
        if not self._fits_people or (self._plane is None and self._floor_m is None):
            return None
        key = (self.framing, self._floor_m, self._plane)
        if key != self._lines_key:
            self._lines_key, self._lines = key, self._floor_lines()
        return self._lines

    def shadow(self, body: Body) -> np.ndarray | None:
        """Returns the outline of the shadow under a body, (N, 2) canvas pixels, or None."""
        seen = body.seen
        if not self._fits_people or self._floor_m is None or not seen.any():
            return None
        x, _, z = body.joints[seen].mean(axis=0)
        turn = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
        ground = np.stack([x + SHADOW_RADIUS_M * np.cos(turn), z + SHADOW_RADIUS_M * np.sin(turn)], axis=1)
        return self.project(self._on_floor(ground))

    def _floor_lines(self) -> FloorLines:
        ends = self._on_floor(GROUND.reshape(-1, 2))
        ends[np.abs(ends[:, :2] / ends[:, 2:]).max(axis=1) > WIDEST_SLOPE] = np.nan
        pieces = self.project(ends).reshape(-1, 2, 2)
        is_visible = np.isfinite(pieces).all(axis=(1, 2)) & (GROUND_STRENGTH > 0)
        return FloorLines(pieces[is_visible], GROUND_STRENGTH[is_visible])

    def _on_floor(self, ground: np.ndarray) -> np.ndarray:
        """(N, 2) x and z on the floor -> (N, 3) points."""
        x, z = ground[:, 0], ground[:, 1]
        if self._plane is not None and self._plane[1] > 0.3:
            a, b, c, d = self._plane
            return np.stack([x, -(d + a * x + c * z) / b, z], axis=1)
        return np.stack([x, np.full_like(x, self._floor_m or 0.0), z], axis=1)

    def _find_floor(self) -> None:
        if not self._lowest_m:
            return
        found = float(np.percentile(self._lowest_m, FLOOR_PERCENT))
        if self._floor_m is None or abs(found - self._floor_m) > FLOOR_STEP_M:
            self._floor_m = found

    def _take_in(self, bodies: Sequence[Body]) -> None:
        """Widens the extent by all people at once: six times the same small arithmetic takes a millisecond more."""
        if not bodies:
            return
        joints = np.stack([body.joints for body in bodies]).astype(np.float64)  # (people, V, 3)
        is_good = np.isfinite(joints).all(axis=2) & (joints[:, :, 2] > NEAREST_M)
        is_good &= np.stack([body.state for body in bodies]) == TRACKED
        lowest = np.where(is_good, joints[:, :, 1], np.inf).min(axis=1)
        self._lowest_m.extend((lowest[np.isfinite(lowest)] - FOOT_HEIGHT_M).tolist())
        pixels = self._map.project(joints[is_good]) * self._scale
        size = np.array(self.size)
        near = (np.abs(pixels - size / 2) < FARTHEST_CANVAS * size).all(axis=1)
        if near.any():
            self._extent = _union(self._extent, pixels[near])

    def _wanted(self) -> Framing:
        assert self._extent is not None
        width, height = self.size
        left, top = SIDE_MARGIN * width, LABEL_MARGIN * height
        room = np.array([width - 2 * left, height - top - MARGIN * height])
        low, high = self._extent.copy()
        if min(high[0], width) > max(low[0], 0):  # who walks out of the sensor's sight does not pull the view along
            low[0], high[0] = max(low[0], 0), min(high[0], width)
        zoom = float(np.min(np.append(room / np.maximum(high - low, 1.0), LARGEST_ZOOM)))
        # Upright: centered in the room. Sideways: as the sensor stands, moved no further than people need.
        shift_v = top + room[1] / 2 - zoom * (low[1] + high[1]) / 2
        shift_u = width / 2 * (1 - zoom)
        shift_u = float(np.clip(shift_u, left - zoom * low[0], left + room[0] - zoom * high[0]))
        return Framing(zoom, shift_u, float(shift_v))

    def _move_towards(self, wanted: Framing, *, share: float) -> None:
        now = np.array([self.framing.zoom, self.framing.shift_u, self.framing.shift_v])
        target = np.array([wanted.zoom, wanted.shift_u, wanted.shift_v])
        step = target - now
        if np.abs(step * [1000.0, 1.0, 1.0]).max() > 0.5:  # half a pixel: nothing anybody could see
            self.framing = Framing(*(now + share * step))


def _union(extent: np.ndarray | None, pixels: np.ndarray) -> np.ndarray:
    together = pixels if extent is None else np.concatenate([extent, pixels])
    return np.stack([together.min(axis=0), together.max(axis=0)])
