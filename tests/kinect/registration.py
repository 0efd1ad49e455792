"""How a Kinect v2 stores where its two cameras stand, in the form in which the factory writes it into the sensor.

The form is that of the open driver's registration: pixels of the depth camera, cubics in hundredths of them, a shift
in millimeters. It knows nothing of ``calibration.color_map``, whose 20 numbers must come out of a fit to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DEPTH_SCALE, COLOR_SCALE = 0.01, 0.002199
POWERS = ((3, 0), (0, 3), (2, 1), (1, 2), (2, 0), (0, 2), (1, 1), (1, 0), (0, 1), (0, 0))
"""Exponents of x and y in the order in which the sensor stores its coefficients."""


@dataclass(frozen=True)
class FactoryRegistration:
    """One sensor's numbers.

    Attributes:
        across, down: Ten coefficients each, in the order of :data:`POWERS`.
        depth_focal_px: Focal length of the depth camera.
        color_focal_px, color_center_px: The color camera's.
        shift_mm, shift_depth_mm: Distance of the two cameras, and the depth at which the cubics are exact.
    """

    across: tuple[float, ...]
    down: tuple[float, ...]
    depth_focal_px: float = 365.25
    color_focal_px: float = 1081.37
    color_center_px: tuple[float, float] = (959.5, 539.5)
    shift_mm: float = 52.0
    shift_depth_mm: float = 863.0

    def project(self, points: np.ndarray) -> np.ndarray:
        """Returns the color pixels (..., 2) of camera-space points (..., 3) in meters."""
        x, y, z = np.moveaxis(np.asarray(points, dtype=np.float64), -1, 0)
        right, below = self.depth_focal_px * DEPTH_SCALE * np.stack([x / z, -y / z])
        terms = np.stack([right**i * below**j for i, j in POWERS], axis=-1)
        across, down = terms @ self.across / COLOR_SCALE, terms @ self.down / COLOR_SCALE
        u = across / self.color_focal_px - self.shift_mm / self.shift_depth_mm + self.shift_mm / (1000 * z)
        return np.stack([u * self.color_focal_px + self.color_center_px[0], down + self.color_center_px[1]], axis=-1)


SENSORS = {
    "a usual one": FactoryRegistration(
        across=(7.1e-4, -1.9e-5, 2.4e-5, 5.4e-4, -6.8e-4, -1.3e-4, -4.2e-5, 0.6391, 0.0004, 0.1451),
        down=(1.0e-5, 9.2e-4, 6.6e-4, 2.1e-5, 7.9e-5, -2.0e-4, -5.3e-4, 0.0011, 0.6383, 0.0112),
    ),
    "one whose color camera is turned by a degree": FactoryRegistration(
        across=(6.6e-4, 4.0e-5, -3.1e-5, 5.0e-4, -5.1e-4, -2.2e-4, 9.0e-5, 0.6352, -0.0112, 0.1451),
        down=(-2.0e-5, 8.8e-4, 7.1e-4, -1.5e-5, 1.2e-4, -1.4e-4, -4.6e-4, 0.0111, 0.6349, -0.0042),
        depth_focal_px=367.1,
    ),
}
