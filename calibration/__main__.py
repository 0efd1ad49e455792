"""The command line of the calibrations: ``python -m calibration fit RECORDING`` and ``show [SENSOR|FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from calibration import color_map, floor, picture, store
from calibration.color_map import ColorMap
from calibration.store import Calibration
from skeleton import command_line
from skeleton.errors import CalibrationError
from skeleton.formats.table import open_recording


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    options = _parser().parse_args(arguments)
    return command_line.run(lambda: options.command(options), is_verbose=options.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m calibration", description="Where a sensor's joints lie in its picture."
    )
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="measure a sensor's color map and floor in a recording, and keep them")
    fit.add_argument("recording", type=Path, help="a recording whose joints have color pixels (NTU RGB+D .skeleton)")
    fit.add_argument("--output", type=Path, metavar="FILE", help="write this file instead of the sensor's own")
    fit.add_argument("--sensor", metavar="ID", help="the sensor's id, where the recording names none")
    fit.set_defaults(command=_fit)
    show = commands.add_parser("show", help="print what is known of a sensor, or of all")
    show.add_argument("sensor", nargs="?", metavar="SENSOR|FILE", help="a sensor's id or a calibration file")
    show.add_argument("--against", type=Path, metavar="RECORDING", help="also print its residuals on a recording")
    show.add_argument(
        "--picture",
        type=Path,
        metavar="FILE.svg",
        help="draw the residuals on the recording of --against; without it, the difference from the default map",
    )
    show.set_defaults(command=_show)
    return parser


def _fit(options: argparse.Namespace) -> None:
    recording = open_recording(options.recording)
    fitted = color_map.fit_recording(recording)
    points, pixels = color_map.samples(recording)
    residuals = fitted.residuals(points, pixels)
    kept = residuals[residuals <= color_map.OUTLIER_START_PX]
    calibration = Calibration(
        sensor_id=options.sensor if options.sensor is not None else recording.info.sensor_id,
        color_map=fitted,
        residual_px=float(np.median(kept)),
        largest_residual_px=float(kept.max()),
        points=int(np.isfinite(residuals).sum()),
        floor=floor.measure(recording.frames, layout=recording.info.layout),
        origin=options.recording.name[: store.LONGEST_TEXT],
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    path = store.save(calibration, options.output)
    print(_described(calibration))
    print(f"kept in     {path}")


def _show(options: argparse.Namespace) -> None:
    calibrations = _chosen(options.sensor)
    _check_picture(options.picture, calibrations)
    if not calibrations:
        print(f"No sensor is calibrated yet ({store.folder()}).")
    for calibration in calibrations:
        print(_described(calibration))
        if options.against is not None:
            print(f"on {options.against.name}: {_compared(calibration, options.against)}")
        if options.picture is not None:
            store.write_text(options.picture, _picture(calibration, options.against))
            print(f"drawn into  {options.picture}")


def _check_picture(path: Path | None, calibrations: Sequence[Calibration]) -> None:
    if path is None:
        return
    if path.suffix.lower() != ".svg":
        raise CalibrationError(f"--picture must end in .svg, found '{path}'.")
    if path.exists() and not path.is_file():
        raise CalibrationError(f"--picture must name a file, but '{path}' is something else.")
    if len(calibrations) != 1:
        raise CalibrationError(
            f"--picture draws one sensor, but {len(calibrations)} are calibrated.", remedy="Name the sensor."
        )


def _picture(calibration: Calibration, against: Path | None) -> str:
    """The residuals on a recording, or without one the difference from the default map."""
    found, name = calibration.color_map or ColorMap.default(), calibration.sensor_id or "(not named)"
    if against is None:
        return picture.difference_picture(found, title=f"Sensor {name}: from the default map to its own, 2 m away")
    points, pixels = color_map.samples(open_recording(against))
    title = f"Sensor {name}: from the pixels of {against.name} to its map's"
    return picture.residual_picture(found, points, pixels, title=title)


def _chosen(name: str | None) -> list[Calibration]:
    if name is None:
        return [store.read(path) for path in store.stored()]
    if Path(name).is_file():
        return [store.read(Path(name))]
    found = store.load(name)
    if found is None:
        raise CalibrationError(
            f"There must be a calibration of sensor '{name}', but {store.path_of(name)} does not exist.",
            remedy="Make one with 'python -m calibration fit RECORDING'; 'python -m calibration show' lists all.",
        )
    return [found]


def _described(calibration: Calibration) -> str:
    lines = [f"sensor      {calibration.sensor_id or '(not named)'}"]
    lines.append(f"measured    {calibration.created or '(unknown)'} on {calibration.origin or '(unknown)'}")
    if calibration.color_map is not None:
        lines += _map_lines(calibration, calibration.color_map)
    if calibration.floor is not None:
        ground = calibration.floor
        tilt_deg, roll_deg = round(ground.tilt_deg, 1) + 0.0, round(ground.roll_deg, 1) + 0.0  # no "-0.0"
        how = "seen by the sensor" if ground.is_measured else "estimated from feet"
        lines.append(
            f"floor       sensor {ground.height_m:.2f} m above it, looking down {tilt_deg:.1f}°, "
            f"leaning {roll_deg:.1f}° ({how})"
        )
    return "\n".join(lines)


def _map_lines(calibration: Calibration, found: ColorMap) -> list[str]:
    lines = []
    if calibration.residual_px is not None and calibration.largest_residual_px is not None:
        lines.append(
            f"residual    {calibration.residual_px:.4f} px median, {calibration.largest_residual_px:.4f} px largest, "
            f"{calibration.points} joints"
        )
    shift = np.array(found.coefficients)[[0, 10]] - np.array(ColorMap.default().coefficients)[[0, 10]]
    lines.append(f"shift       {shift[0]:+.2f} px in u, {shift[1]:+.2f} px in v from the default")
    for axis, half in (("u", found.coefficients[:10]), ("v", found.coefficients[10:])):
        terms = "  ".join(f"{term} {number:.4f}" for term, number in zip(color_map.TERMS, half))
        lines.append(f"{axis}           {terms}")
    return lines


def _compared(calibration: Calibration, path: Path) -> str:
    points, pixels = color_map.samples(open_recording(path))
    found = calibration.color_map or ColorMap.default()
    residuals = found.residuals(points, pixels)
    residuals = residuals[np.isfinite(residuals)]
    if not len(residuals):
        raise CalibrationError(f"{path} must hold color pixels of the joints to compare with, but has none.")
    middle, most, largest = np.percentile(residuals, [50, 95, 100])
    return (
        f"residual {middle:.3f} px median, {most:.3f} px at 95 %, {largest:.3f} px largest, {len(residuals)} joints"
    )


if __name__ == "__main__":
    sys.exit(main())
