"""What is known of a sensor in a few lines, for the command line and the app's dialog."""

from __future__ import annotations

import numpy as np

from calibration import color_map
from calibration.color_map import ColorMap
from calibration.floor import Floor
from calibration.store import Calibration

WIDTH = 12
"""Columns of the names."""

FACTS = ("sensor", "measured", "residual", "shift", "floor")
"""What may be known, in the order in which it is told."""


def facts(calibration: Calibration) -> dict[str, str]:
    """Returns what is known, by the names of :data:`FACTS`; what is not known is left out."""
    found = {
        "sensor": calibration.sensor_id or "(not named)",
        "measured": f"{calibration.created or '(unknown)'} on {calibration.origin or '(unknown)'}",
    }
    if calibration.color_map is not None:
        if calibration.residual_px is not None and calibration.largest_residual_px is not None:
            found["residual"] = (
                f"{calibration.residual_px:.4f} px median, {calibration.largest_residual_px:.4f} px largest, "
                f"{calibration.points} points"
            )
        found["shift"] = _shift(calibration.color_map)
    if calibration.floor is not None:
        found["floor"] = floor_text(calibration.floor)
    return found


def lines(calibration: Calibration) -> list[str]:
    """Returns the facts and, where there is a color map, its 20 numbers, a line each."""
    found = [f"{name:{WIDTH}}{text}" for name, text in facts(calibration).items()]
    if calibration.color_map is not None:
        numbers = calibration.color_map.coefficients
        for axis, half in (("u", numbers[:10]), ("v", numbers[10:])):
            terms = "  ".join(f"{term} {number:.4f}" for term, number in zip(color_map.TERMS, half))
            found.append(f"{axis:{WIDTH}}{terms}")
    return found


def floor_text(floor: Floor) -> str:
    """Returns height, tilt and lean in a line."""
    tilt_deg, roll_deg = round(floor.tilt_deg, 1) + 0.0, round(floor.roll_deg, 1) + 0.0  # no "-0.0"
    looking = f"looking {'down' if tilt_deg >= 0 else 'up'} {abs(tilt_deg):.1f}°"
    how = "seen by the sensor" if floor.is_measured else "estimated from feet"
    return f"sensor {floor.height_m:.2f} m above it, {looking}, leaning {roll_deg:.1f}° ({how})"


def _shift(found: ColorMap) -> str:
    du, dv = np.array(found.coefficients)[[0, 10]] - np.array(ColorMap.default().coefficients)[[0, 10]]
    return f"{du:+.2f} px in u, {dv:+.2f} px in v from the default"
