"""Where a point of camera space lies in the color picture: 20 numbers a sensor, linear to fit.

With a = x/z and b = y/z (camera space, meters) the Kinect v2's factory registration is

    u = P(a, b) + 56.2313 / z        v = Q(a, b)

where P and Q are full cubics of ten coefficients each, in the order of :data:`TERMS`. The form and the numbers were
found by exact fits to 19,200 recorded joints of two sensors whose files hold both camera space and color pixels; the
residual is at most 0.0007 px. The default is for a sensor of which nothing is known: from a real one it is off by a
nearly constant shift of up to 4 px in u and 15 px in v.

The model is linear in its 20 numbers, so a fit is one least-squares problem. A weak prior towards the default holds
the terms that the data do not reach, and 25 joints of a single frame are enough for a tenth of a pixel near them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skeleton.errors import CalibrationError
from skeleton.frames import BodyFrame
from skeleton.recording import COLOR_MAP_TERMS, Recording

TERMS = ("1", "b", "b²", "b³", "a", "ab", "ab²", "a²", "a²b", "a³")
"""The terms of each cubic, in the order of the coefficients."""
DISPARITY_PX_M = 56.2313
"""Baseline between the color and the depth camera times the color focal length: pixels x meters, on every sensor."""
COLOR_SIZE = (1920, 1080)
"""Width and height of the color picture, pixels."""

DEFAULT_U = (957.420, -0.404, -0.745, -0.058, 1058.810, 0.273, 12.398, -3.854, -0.625, 16.298)
DEFAULT_V = (553.198, -1057.874, -1.235, -20.900, -0.614, 3.202, 0.502, -0.179, -14.418, 0.186)

PRIOR_SPREAD = np.array([20.0, 8.0, 3.0, 3.0, 8.0, 3.0, 3.0, 3.0, 3.0, 3.0])
"""How far a sensor's coefficients lie from the default's, pixels per term: the shift most, the focal length (about
1 %) next, the lens terms least."""
PRIOR_WEIGHT = 1e-5
"""Weight of the prior against squared pixels; small beside the rounding of recorded pixels (0.01 px)."""
FEWEST_POINTS = 20
"""A fit wants at least as many usable points: with fewer, one bad joint turns the map."""
OUTLIER_START_PX = 40.0
"""A pixel further than this from the (shifted) default is no pixel of that point."""
OUTLIER_SPREADS = 8.0
"""Later rounds drop residuals of so many robust standard deviations ..."""
OUTLIER_FLOOR_PX = 0.05
"""... but never ones below this, where the difference is rounding."""
OUTLIER_ROUNDS = 6
LARGEST_RESIDUAL_PX = 5.0
"""A fit whose median residual is larger did not explain the pixels: they belong to another camera or other joints."""
FOCAL_TOLERANCE = 0.1
"""Sensors differ by about 1 % in focal length; a fit that is 10 % off follows a mirrored or resized picture."""
GRID_A, GRID_B, GRID_Z_M = np.linspace(-0.8, 0.8, 19), np.linspace(-0.48, 0.48, 11), (0.8, 1.5, 2.5, 4.0)
MOST_FRAMES = 400
"""Frames of a recording that a fit looks at, spread evenly: more add nothing to 20 numbers."""


@dataclass(frozen=True, slots=True)
class ColorMap:
    """Maps camera space to color pixels.

    Attributes:
        coefficients: 20 numbers: ten for u, then ten for v, in the order of :data:`TERMS`.

    Raises:
        CalibrationError: Not 20 finite numbers (they usually come from a file).
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = tuple(float(number) for number in self.coefficients)
        if len(numbers) != COLOR_MAP_TERMS or not np.isfinite(numbers).all():
            raise CalibrationError(
                f"A color map must have {COLOR_MAP_TERMS} finite numbers, found {len(numbers)}: {numbers[:3]} ...",
                remedy="Calibrate again with 'python -m calibration fit'.",
            )
        object.__setattr__(self, "coefficients", numbers)

    @classmethod
    def default(cls) -> ColorMap:
        """Returns the map to use when nothing is known of the sensor."""
        return cls(DEFAULT_U + DEFAULT_V)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Returns where points lie in the color picture.

        Args:
            points: (..., 3) meters, camera space.

        Returns:
            (..., 2) float64 pixels (u to the right, v down), NaN where z <= 0 or a coordinate is not finite. Pixels
            may lie outside the picture.
        """
        terms, disparity = _design(points)
        with np.errstate(invalid="ignore"):  # infinite terms of a point on the lens cancel to NaN
            pixels: np.ndarray = terms @ np.array(self.coefficients).reshape(2, len(TERMS)).T
        pixels[..., 0] += disparity
        return pixels

    def residuals(self, points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Returns (...) distances in pixels between ``pixels`` (..., 2) and where ``points`` (..., 3) project.

        NaN where either is not finite.
        """
        difference = self.project(points) - np.asarray(pixels, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            distance = np.hypot(difference[..., 0], difference[..., 1])
        return np.where(np.isfinite(distance), distance, np.nan)

    def shifted(self, du_px: float, dv_px: float) -> ColorMap:
        """Returns the map moved by so many pixels, as that of another sensor is: no two are built alike."""
        numbers = list(self.coefficients)
        numbers[0] += du_px
        numbers[len(TERMS)] += dv_px
        return ColorMap(tuple(numbers))


def fit(points: np.ndarray, pixels: np.ndarray, *, prior_weight: float = PRIOR_WEIGHT) -> ColorMap:
    """Returns the map that takes points to their pixels, by least squares without outliers.

    Args:
        points: (N, 3) meters, camera space; rows with z <= 0 or that are not finite are left out.
        pixels: (N, 2) color pixels; rows that are not finite (the SDK gives infinity) are left out.
        prior_weight: Pull towards the default, against squared pixels; larger for noisy pixels.

    Raises:
        CalibrationError: Too few usable points, or pixels that no color map explains.
    """
    points, pixels = np.asarray(points, dtype=np.float64), np.asarray(pixels, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or pixels.shape != (len(points), 2):
        raise ValueError(f"points must be (N, 3) and pixels (N, 2), found {points.shape} and {pixels.shape}")
    if not prior_weight > 0:
        raise ValueError(f"prior_weight must be positive, found {prior_weight}")
    usable = np.isfinite(points).all(axis=1) & np.isfinite(pixels).all(axis=1) & (points[:, 2] > 0)
    points, pixels = points[usable], pixels[usable]
    _require(len(points), of=len(usable))
    color_map, kept = _without_outliers(points, pixels, prior_weight)
    _require(int(kept.sum()), of=len(usable))
    _require_a_kinect(color_map, points, pixels)
    return color_map


def grid() -> np.ndarray:
    """Returns (N, 3) points spread over the view of the color camera, meters, to ask a sensor's mapper about."""
    a, b, z = np.meshgrid(GRID_A, GRID_B, GRID_Z_M, indexing="ij")
    return np.stack([a * z, b * z, z], axis=-1).reshape(-1, 3)


def fit_recording(recording: Recording, *, prior_weight: float = PRIOR_WEIGHT) -> ColorMap:
    """Returns the map of the sensor that made a recording, from the color pixels the recording holds.

    Raises:
        CalibrationError: The recording holds no color pixels, or too few.
    """
    points, pixels = samples(recording)
    if not len(points):
        raise CalibrationError(
            f"{recording.info.path or 'The recording'} must hold color pixels of the joints, but has none.",
            remedy="NTU RGB+D .skeleton files hold them.",
        )
    return fit(points, pixels, prior_weight=prior_weight)


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """What a color map gets wrong.

    Attributes:
        points: (N, 3) meters, those that have a pixel.
        pixels: (N, 2) where the sensor sees them.
        distances_px: (N,) from there to where the map has them.
    """

    points: np.ndarray
    pixels: np.ndarray
    distances_px: np.ndarray

    @classmethod
    def of(cls, color_map: ColorMap, points: np.ndarray, pixels: np.ndarray) -> Residuals:
        """Compares a map with points (N, 3) and their pixels (N, 2); rows that are not finite are left out."""
        distances_px = color_map.residuals(points, pixels)
        is_known = np.isfinite(distances_px)
        return cls(points[is_known], pixels[is_known], distances_px[is_known])

    @property
    def facts(self) -> dict[str, float | int]:
        """What a calibration keeps: median and largest of the points that are no outliers, and how many there are."""
        is_near = self.distances_px <= OUTLIER_START_PX
        kept = self.distances_px[is_near] if is_near.any() else self.distances_px
        return {
            "residual_px": float(np.median(kept)),
            "largest_residual_px": float(kept.max()),
            "points": len(self.distances_px),
        }

    def __str__(self) -> str:
        middle, most, largest = np.percentile(self.distances_px, (50, 95, 100))
        return f"{middle:.4f} px median, {most:.4f} px at 95 %, {largest:.4f} px largest, {len(self.points)} points"


def samples(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Returns the joints of a recording that have color pixels: points (N, 3) meters and pixels (N, 2).

    Looks at :data:`MOST_FRAMES` frames spread over the recording, and at all of them where those hold nothing.
    """
    count = len(recording.frames)
    spread = np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).astype(int)) if count else ()
    found = pixels_of([recording.frames[int(index)] for index in spread])
    if not found and count > MOST_FRAMES:
        found = pixels_of(recording.frames)
    if not found:
        return np.zeros((0, 3)), np.zeros((0, 2))
    points, pixels = zip(*found)
    return np.concatenate(points).astype(np.float64), np.concatenate(pixels).astype(np.float64)


def pixels_of(frames: Sequence[BodyFrame]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns for each body with color pixels its seen joints (N, 3), meters, and their pixels (N, 2)."""
    return [
        (body.joints[body.seen], body.details.color_px[body.seen])
        for frame in frames
        for body in frame.bodies
        if body.details is not None and body.details.color_px is not None
    ]


def _design(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The terms (..., 10) and the disparity (...) of points (..., 3); NaN where a point has no picture."""
    points = np.asarray(points, dtype=np.float64)
    has_picture = np.isfinite(points).all(axis=-1) & (points[..., 2] > 0)
    x, y, z = np.moveaxis(np.where(has_picture[..., None], points, np.nan), -1, 0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # z of 1e-300: inf, then outside the picture
        a, b = x / z, y / z
        aa, bb = a * a, b * b
        terms = np.stack([np.ones_like(a), b, bb, bb * b, a, a * b, a * bb, aa, aa * b, aa * a], axis=-1)
        terms[..., 0] = np.where(has_picture, 1.0, np.nan)
        return terms, DISPARITY_PX_M / z


def _without_outliers(points: np.ndarray, pixels: np.ndarray, prior_weight: float) -> tuple[ColorMap, np.ndarray]:
    """Fits, drops what lies far off, and fits again until nothing changes; also returns which (N,) were kept.

    The first round compares with the default moved by the median difference: sensors differ by little else, so the
    start is sound while fewer than half of the pixels are wrong.
    """
    difference = pixels - ColorMap.default().project(points)
    difference -= np.median(difference, axis=0)
    kept = np.hypot(difference[:, 0], difference[:, 1]) < OUTLIER_START_PX
    for _ in range(OUTLIER_ROUNDS):
        color_map = _least_squares(points[kept], pixels[kept], prior_weight)
        residual = color_map.residuals(points, pixels)
        spread = 1.4826 * np.median(residual[kept]) if kept.any() else 0.0
        now_kept = residual <= max(OUTLIER_SPREADS * spread, OUTLIER_FLOOR_PX)
        if (now_kept == kept).all():
            break
        kept = now_kept
    return color_map, kept


def _least_squares(points: np.ndarray, pixels: np.ndarray, prior_weight: float) -> ColorMap:
    """Both cubics at once: they share the terms. The prior is ten more rows, one a term."""
    terms, disparity = _design(points)
    target = pixels - np.stack([disparity, np.zeros_like(disparity)], axis=1)
    default = np.array([DEFAULT_U, DEFAULT_V]).T
    pull = np.sqrt(prior_weight) / PRIOR_SPREAD
    rows = np.concatenate([terms, np.diag(pull)])
    right = np.concatenate([target - terms @ default, np.zeros_like(default)])
    change, *_ = np.linalg.lstsq(rows, right, rcond=None)
    return ColorMap(tuple((default + change).T.ravel().tolist()))


def _require(usable: int, *, of: int) -> None:
    if usable < FEWEST_POINTS:
        raise CalibrationError(
            f"A color map needs at least {FEWEST_POINTS} joints with good color pixels, found {usable} among {of}.",
            remedy="Use a recording in which a whole body is in view.",
        )


def _require_a_kinect(color_map: ColorMap, points: np.ndarray, pixels: np.ndarray) -> None:
    """Refuses a map that does not explain the pixels, or explains those of another picture."""
    typical_px = float(np.median(color_map.residuals(points, pixels)))
    linear_u, linear_v = TERMS.index("a"), TERMS.index("b")
    found = (color_map.coefficients[linear_u], color_map.coefficients[len(TERMS) + linear_v])
    is_focal_right = np.allclose(found, (DEFAULT_U[linear_u], DEFAULT_V[linear_v]), rtol=FOCAL_TOLERANCE)
    if typical_px > LARGEST_RESIDUAL_PX or not is_focal_right:
        raise CalibrationError(
            "Color pixels must lie where a Kinect v2 sees the joints, with focal lengths of about "
            f"{DEFAULT_U[linear_u]:.0f} px, but the best map has "
            f"{found[0]:.0f} and {-found[1]:.0f} px, and residuals of {typical_px:.1f} px.",
            remedy="Check that the pixels belong to the color picture of 1920 x 1080 pixels, as recorded.",
        )
