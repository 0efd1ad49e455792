"""Converts recordings and tells what is in them.

python -m skeleton convert IN OUT [--force]     the format of OUT is named by its suffix
python -m skeleton info FILE
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from skeleton.command_line import run
from skeleton.errors import RecordingError
from skeleton.formats.table import format_for, lost_in, open_recording, write_recording
from skeleton.recording import Recording


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return run(lambda: options.command(options), is_verbose=options.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m skeleton", description="Converts and describes recordings.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    convert = commands.add_parser("convert", parents=[shared], help="write a recording in another format")
    convert.add_argument("input", metavar="IN", type=Path, help="a recording of any format")
    convert.add_argument("output", metavar="OUT", type=Path, help=".mcap, .npz, .skeleton or .csv")
    convert.add_argument("--force", action="store_true", help="replace OUT if it is there")
    convert.set_defaults(command=_convert)
    info = commands.add_parser("info", parents=[shared], help="tell what is in a recording")
    info.add_argument("file", metavar="FILE", type=Path, help="a recording of any format")
    info.set_defaults(command=_info)
    return parser


def _convert(options: argparse.Namespace) -> int:
    format_for(options.output)  # a wrong suffix is said before a long file is read
    recording = open_recording(options.input)
    if options.output.exists() and not options.force:
        raise RecordingError(f"The file {options.output} is already there.", remedy="--force replaces it.")
    write_recording(recording, options.output, overwrite=options.force)
    lost = lost_in(recording, options.output)
    if lost:
        print(f"note: {options.output.suffix} does not hold {', '.join(lost)}.", file=sys.stderr)
    if not recording.info.is_complete:
        print(f"note: {options.input} was not closed or is damaged; all whole frames are converted.", file=sys.stderr)
    print(f"{options.output}: {len(recording.frames)} frames, {recording.duration_s:.1f} s")
    return 0


def _info(options: argparse.Namespace) -> int:
    for name, value in _facts(open_recording(options.file)).items():
        print(f"{name:<10} {value}")
    return 0


def _facts(recording: Recording) -> dict[str, str]:
    """What is in a recording, for people; empty facts are left out."""
    info = recording.info
    counts = [len(frame.bodies) for frame in recording.frames]
    bodies = {body.tracking_id for frame in recording.frames for body in frame.bodies}
    floor = info.floor or next((frame.floor for frame in recording.frames if frame.floor is not None), None)
    facts = {
        "format": info.format,
        "layout": f"{info.layout.name}, {len(info.layout)} joints",
        "frames": f"{len(recording.frames)}",
        "duration": f"{recording.duration_s:.3f} s at {info.rate_hz:g} frames a second",
        "gaps": _gaps(recording),
        "bodies": f"{len(bodies)}, at most {max(counts, default=0)} at once, {counts.count(0)} frames without one",
        "sensor": info.sensor_id,
        "created": info.created,
        "floor": "" if floor is None else f"sensor {floor[3]:.2f} m above it",
        "color map": "" if info.color_map is None else "in the file",
        "video": "" if info.color_video is None else info.color_video.name,
        "labels": ", ".join(f"{key}: {value}" for key, value in info.labels.items()),
        "complete": "yes"
        if info.is_complete
        else "no: its writer ended before it closed the file, or a part is damaged",
    }
    return {name: value for name, value in facts.items() if value}


def _gaps(recording: Recording) -> str:
    """Where the sensor was away: how often, and the first one's place."""
    gaps = recording.gaps()
    if not gaps:
        return ""
    before_s, after_s = (float(recording.times_s[i] - recording.times_s[0]) for i in (gaps[0] - 1, gaps[0]))
    return f"{len(gaps)}; the first lasts {after_s - before_s:.1f} s and begins after {before_s:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
