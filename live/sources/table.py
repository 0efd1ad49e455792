"""The sources there are. A new one is one file and one row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from live.sources.base import Source
from skeleton.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a source may be told; each takes what concerns it.

    Attributes:
        recording: The file to replay.
        video: The color video to show with it.
        speed: Times real time for replay and demo; ``math.inf`` is as fast as possible.
        is_looping: Whether a replay starts again at its end.
        people: Number of people in the demo, 1 to 6.
        seed: The demo's random seed.
    """

    recording: Path | None = None
    video: Path | None = None
    speed: float = 1.0
    is_looping: bool = False
    people: int = 3
    seed: int = 0


def _kinect(options: SourceOptions) -> Source:
    from live.sources.kinect_v2 import KinectV2Source

    del options
    return KinectV2Source()


def _replay(options: SourceOptions) -> Source:
    from live.sources.replay import ReplaySource

    if options.recording is None:
        raise ConfigError("A replay must have a recording.", remedy="Name one with --recording.")
    return ReplaySource(options.recording, speed=options.speed, is_looping=options.is_looping, video=options.video)


def _demo(options: SourceOptions) -> Source:
    from live.sources.performer import PerformerSource

    return PerformerSource(people=options.people, seed=options.seed, speed=options.speed)


SOURCES: dict[str, Callable[[SourceOptions], Source]] = {
    "kinect": _kinect,
    "replay": _replay,
    "demo": _demo,
}
"""Name, as ``--source`` takes it, to what makes the source; nothing of a source is imported before it is made."""
