"""What is known of each sensor, kept between runs: one small JSON file a sensor in the user's configuration folder.

The sensor's name may come from a recording that somebody else made, so it never becomes a path as it is; a file that
is damaged, too large or of another kind is a sentence and a :class:`CalibrationError`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from calibration.color_map import ColorMap
from calibration.floor import Floor
from skeleton.errors import CalibrationError
from skeleton.recording import COLOR_MAP_TERMS
from skeleton.replacing import replacing

SCHEMA = 1
APPLICATION = "kinect-action-recognition"
LARGEST_FILE = 1 << 16
"""Bytes. A calibration is one page of text."""
LONGEST_TEXT = 200
LONGEST_NAME = 60
DAMAGED_SUFFIX = ".damaged"
CALIBRATE_AGAIN = "Delete it, or calibrate again with 'python -m calibration fit'."


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is known of one sensor.

    Attributes:
        sensor_id: The sensor's serial number or name.
        color_map: Its color map, or None.
        residual_px: Median residual of the fit, pixels; None without a fit.
        largest_residual_px: Largest residual of the points that the fit kept, pixels; None without a fit.
        points: Joints that the fit saw.
        floor: The floor it stood on, or None.
        origin: What it was measured on: a recording's name.
        created: ISO 8601 date and time.
    """

    sensor_id: str
    color_map: ColorMap | None = None
    residual_px: float | None = None
    largest_residual_px: float | None = None
    points: int = 0
    floor: Floor | None = None
    origin: str = ""
    created: str = ""


def folder() -> Path:
    """Returns the folder of the calibrations: in %APPDATA% on Windows, $XDG_CONFIG_HOME or ~/.config elsewhere."""
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / APPLICATION / "calibration"


def path_of(sensor_id: str) -> Path:
    """Returns the file of one sensor; ids that make no file name, and long ones, get a digest of themselves."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", sensor_id)[:LONGEST_NAME]
    if name != sensor_id:
        name += "-" + hashlib.sha256(sensor_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return folder() / f"sensor-{name}.json"


def load(sensor_id: str) -> Calibration | None:
    """Returns what is stored for a sensor; None when nothing is, or the sensor has no id.

    Raises:
        CalibrationError: The file cannot be used.
    """
    path = path_of(sensor_id)
    return read(path) if sensor_id and path.is_file() else None


def stored() -> list[Path]:
    """Returns the files of all sensors, by name."""
    return sorted(folder().glob("sensor-*.json"))


def save(calibration: Calibration, path: Path | None = None) -> Path:
    """Writes a calibration to its sensor's file, or to ``path``, at once or not at all, and returns where.

    Raises:
        CalibrationError: The sensor's id is too long, or it has none and no path was given.
        OSError: The folder cannot be written.
    """
    _check_length(calibration.sensor_id)
    if path is None and not calibration.sensor_id:
        raise CalibrationError(
            "A calibration is kept under its sensor's id, but the recording names no sensor.",
            remedy="Name the sensor with '--sensor ID', or a file with '--output FILE'.",
        )
    path = path or path_of(calibration.sensor_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {
        "schema": SCHEMA,
        "sensor_id": calibration.sensor_id,
        "color_map": calibration.color_map and list(calibration.color_map.coefficients),
        "residual_px": calibration.residual_px,
        "largest_residual_px": calibration.largest_residual_px,
        "points": calibration.points,
        "floor": calibration.floor and list(calibration.floor.plane),
        "is_floor_measured": calibration.floor is not None and calibration.floor.is_measured,
        "origin": calibration.origin,
        "created": calibration.created,
    }
    write_file(path, (json.dumps(values, indent=2) + "\n").encode("ascii"))
    return path


def read(path: Path) -> Calibration:
    """Reads one file.

    Raises:
        CalibrationError: It cannot be read, is no calibration, or holds values that make no sense.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise CalibrationError(f"The calibration {path} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST_FILE:
        raise _wrong(path, f"is larger than {LARGEST_FILE >> 10} KiB")
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _wrong(path, "is no JSON text") from None
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        raise _wrong(path, f"is no calibration of schema {SCHEMA}")
    points = values.get("points", 0)
    if not isinstance(points, int) or isinstance(points, bool) or points < 0:
        raise _wrong(path, "holds a number of points that is none")
    color_map, floor = _numbers(path, values, "color_map", COLOR_MAP_TERMS), _numbers(path, values, "floor", 4)
    try:
        return Calibration(
            color_map=None if color_map is None else ColorMap(color_map),
            floor=None
            if floor is None
            else Floor.from_plane(floor, is_measured=values.get("is_floor_measured") is True),
            points=points,
            residual_px=_number(path, values, "residual_px"),
            largest_residual_px=_number(path, values, "largest_residual_px"),
            sensor_id=_text(path, values, "sensor_id"),
            origin=_text(path, values, "origin"),
            created=_text(path, values, "created"),
        )
    except CalibrationError as error:
        raise _wrong(path, f"does not fit ({error.message})") from None


def update(sensor_id: str, **known: Any) -> tuple[Calibration, Path]:
    """Keeps what was measured of a sensor beside everything else that is known of it; returns both and where.

    A file that is damaged is set aside under another name, so that nothing is lost.

    Args:
        sensor_id: The sensor.
        known: Attributes of :class:`Calibration`.

    Raises:
        CalibrationError: The sensor has no id, or one that is too long.
        OSError: The folder cannot be written.
    """
    _check_length(sensor_id)
    try:
        before = load(sensor_id)
    except CalibrationError:
        before = None
        path = path_of(sensor_id)
        os.replace(path, path.with_suffix(DAMAGED_SUFFIX))
    calibration = stamped(dataclasses.replace(before or Calibration(sensor_id=sensor_id), **known))
    return calibration, save(calibration)


def stamped(calibration: Calibration) -> Calibration:
    """Returns it with the time of now."""
    return dataclasses.replace(calibration, created=datetime.now(timezone.utc).isoformat(timespec="seconds"))


def write_file(path: Path, data: bytes) -> None:
    """Writes a file so that a reader sees the old one or the new one, and a failure leaves the old one."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _check_length(sensor_id: str) -> None:
    """Refuses an id that ``read`` would refuse."""
    if len(sensor_id) > LONGEST_TEXT:
        raise CalibrationError(
            f"A sensor's id must have at most {LONGEST_TEXT} characters, but '{sensor_id[:20]}...' has "
            f"{len(sensor_id)}.",
            remedy="Name the sensor with '--sensor ID'.",
        )


def _numbers(path: Path, values: dict[str, Any], name: str, count: int) -> tuple[float, ...] | None:
    found = values.get(name)
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != count or not all(map(_is_number, found)):
        raise _wrong(path, f"must hold {count} numbers under '{name}'")
    return tuple(float(number) for number in found)


def _number(path: Path, values: dict[str, Any], name: str) -> float | None:
    found = values.get(name)
    if found is not None and not _is_number(found):
        raise _wrong(path, f"must hold a number under '{name}'")
    return None if found is None else float(found)


def _text(path: Path, values: dict[str, Any], name: str) -> str:
    found = values.get(name, "")
    if not isinstance(found, str) or len(found) > LONGEST_TEXT:
        raise _wrong(path, f"must hold a short text under '{name}'")
    return found


def _is_number(value: Any) -> bool:
    is_plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_plain and abs(value) < 1e9 and math.isfinite(value)


def _wrong(path: Path, what: str) -> CalibrationError:
    return CalibrationError(f"The calibration {path} {what}.", remedy=CALIBRATE_AGAIN)
