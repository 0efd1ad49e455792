"""The command line of the calibrations.

    python -m calibration fit RECORDING           color map, from the pixels that a recording's joints carry
    python -m calibration level RECORDING         the floor, from the sensor's planes or from a person who stands
    python -m calibration show [SENSOR|FILE]      what is known

``fit`` and ``level`` take ``--kinect`` instead of a recording, and then ask the sensor that is plugged in.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from calibration import color_map, picture, report, store
from calibration.color_map import ColorMap, Residuals
from calibration.measuring import LiveSensor, RecordedSensor, Sensor
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
        prog="python -m calibration", description="Where a sensor stands, and where its joints lie in its picture."
    )
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="measure a sensor's color map and floor, and keep them")
    _add_what_to_measure(fit, "a recording whose joints have color pixels (NTU RGB+D .skeleton)")
    fit.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the residuals")
    fit.set_defaults(command=_fit)
    level = commands.add_parser("level", help="measure a sensor's height and tilt above the floor, and keep them")
    _add_what_to_measure(level, "a recording in which the sensor sees the floor, or a person stands")
    level.add_argument("--standing", action="store_true", help="believe a standing person, not the sensor's planes")
    level.set_defaults(command=_level)
    show = commands.add_parser("show", help="print what is known of a sensor, or of all")
    show.add_argument("sensor", nargs="?", metavar="SENSOR|FILE", help="a sensor's id or a calibration file")
    show.add_argument("--against", type=Path, metavar="RECORDING", help="also print its residuals on a recording")
    show.add_argument(
        "--picture",
        type=Path,
        metavar="FILE.png",
        help="draw the residuals on the recording of --against; without it, the difference from the default map",
    )
    show.set_defaults(command=_show)
    return parser


def _add_what_to_measure(parser: argparse.ArgumentParser, recording: str) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("recording", nargs="?", type=Path, metavar="RECORDING", help=recording)
    what.add_argument("--kinect", action="store_true", help="ask the Kinect that is plugged in")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write this file instead of the sensor's own")
    parser.add_argument("--sensor", metavar="ID", help="the sensor's id, where the recording names none")


def _fit(options: argparse.Namespace) -> None:
    if options.picture is not None:
        picture.check_name(options.picture)
    with _sensor(options.recording) as sensor:
        found, residuals = sensor.fitted()
        known: dict[str, object] = {"color_map": found, **residuals.facts}
        ground = sensor.seen_floor()
    calibration = _keep(options, sensor, known if ground is None else {**known, "floor": ground})
    if options.picture is not None:
        _draw(options.picture, calibration, residuals, on=sensor.name)


def _level(options: argparse.Namespace) -> None:
    with _sensor(options.recording) as sensor:
        ground = sensor.floor(is_standing=options.standing)
    _keep(options, sensor, {"floor": ground})


@contextlib.contextmanager
def _sensor(recording: Path | None) -> Iterator[Sensor]:
    """The recording, or the Kinect."""
    if recording is not None:
        yield RecordedSensor(open_recording(recording))
        return
    # A command line stands on top of the house, whatever the room is called that it is in: nothing imports it.
    from live.sources.table import SOURCES, SourceOptions

    with LiveSensor(SOURCES["kinect"](SourceOptions()), tell=lambda text: print(text, file=sys.stderr)) as sensor:
        yield sensor


def _keep(options: argparse.Namespace, sensor: Sensor, known: dict[str, object]) -> Calibration:
    known["origin"] = sensor.name[: store.LONGEST_TEXT]
    sensor_id = options.sensor if options.sensor is not None else sensor.sensor_id
    if options.output is None:
        calibration, path = store.update(sensor_id, **known)
    else:
        calibration = store.stamped(Calibration(sensor_id=sensor_id, **known))  # type: ignore[arg-type]
        path = store.save(calibration, options.output)
    print("\n".join([*report.lines(calibration), f"{'kept in':{report.WIDTH}}{path}"]))
    return calibration


def _show(options: argparse.Namespace) -> int:
    calibrations, problems = _chosen(options.sensor)
    if options.picture is not None:
        picture.check_name(options.picture)
        if len(calibrations) != 1:
            raise CalibrationError(
                f"--picture draws one sensor, but {len(calibrations)} are calibrated.", remedy="Name the sensor."
            )
    if not calibrations and not problems:
        print(f"No sensor is calibrated yet ({store.folder()}).")
    for calibration in calibrations:
        print("\n".join(report.lines(calibration)))
        _show_against(calibration, options)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _show_against(calibration: Calibration, options: argparse.Namespace) -> None:
    residuals = None
    if options.against is not None:
        residuals = _compared(calibration, options.against)
        print(f"on {options.against.name}: residual {residuals}")
    if options.picture is not None:
        _draw(options.picture, calibration, residuals, on=options.against.name if options.against else "")


def _chosen(name: str | None) -> tuple[list[Calibration], list[str]]:
    """The calibrations asked for, and what is wrong with those that cannot be read."""
    if name is None:
        found, problems = [], []
        for path in store.stored():
            try:
                found.append(store.read(path))
            except CalibrationError as error:
                problems.append(str(error))
        return found, problems
    if Path(name).is_file():
        return [store.read(Path(name))], []
    known = store.load(name)
    if known is None:
        raise CalibrationError(
            f"There must be a calibration of sensor '{name}', but {store.path_of(name)} does not exist.",
            remedy="Make one with 'python -m calibration fit' or 'level'; 'python -m calibration show' lists all.",
        )
    return [known], []


def _compared(calibration: Calibration, path: Path) -> Residuals:
    points, pixels = color_map.samples(open_recording(path))
    residuals = Residuals.of(calibration.color_map or ColorMap.default(), points, pixels)
    if not len(residuals.points):
        raise CalibrationError(f"{path} must hold color pixels of the joints to compare with, but has none.")
    return residuals


def _draw(path: Path, calibration: Calibration, residuals: Residuals | None, *, on: str) -> None:
    found, name = calibration.color_map or ColorMap.default(), calibration.sensor_id or "(not named)"
    if residuals is None:
        drawn = picture.difference_picture(found, title=f"Sensor {name}: from the default map to its own, 2 m away")
    else:
        title = f"Sensor {name}: from the pixels of {on} to its map's"
        drawn = picture.residual_picture(found, residuals.points, residuals.pixels, title=title)
    drawn.write(path)
    print(f"{'drawn into':{report.WIDTH}}{path}")


if __name__ == "__main__":
    sys.exit(main())
