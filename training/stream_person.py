"""One person's part of a stream: clips in random order, the ways between them, and standing in between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skeleton.config import setting
from training.cache import Cache
from training.stream_motion import (
    HORIZONTAL,
    ROAM_M,
    Motion,
    Standing,
    held,
    joined,
    moved,
    of_clip,
    rest_of,
    root,
    way,
    way_frames,
)

MOST_AT_ONCE = 6
"""People whom a Kinect follows."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """How streams are made of clips."""

    transition_s: tuple[float, float] = setting((0.5, 1.0), "shortest and longest way from pose to pose, seconds")
    pause_share: float = setting(0.7, "share of the clips after which the person stands for a while, 0 to 1")
    pause_s: tuple[float, float] = setting((1.0, 4.0), "shortest and longest standing, seconds")
    lead_s: float = setting(3.0, "standing before the first clip and after the last, seconds")
    noise_m: float = setting(0.001, "deviation of the sensor's noise on a person between two clips, meters")
    sway_m: float = setting(0.01, "how far the head of a person who stands sways, meters")
    rate_hz: float = setting(30.0, "frames a second")
    drop_share: float = setting(0.0, "share of the frames that are lost, 0 to below 1")
    people: int = setting(1, "how many people are in view at once, 1 to 6")
    clips: int = setting(0, "at most so many clips of a person, drawn at random; 0 takes all")

    def __post_init__(self) -> None:
        for name in ("transition_s", "pause_s"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 600:
                raise ValueError(f"{name} must be two rising numbers of seconds from above 0 to 600")
        for name, most in (("noise_m", 0.1), ("sway_m", 0.5), ("drop_share", 0.99), ("pause_share", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from 0 to {most:g}, found {getattr(self, name)}")
        if not 0 <= self.lead_s <= 600 or not 5 <= self.rate_hz <= 120:
            raise ValueError("lead_s must be from 0 to 600 and rate_hz from 5 to 120")
        if not 1 <= self.people <= MOST_AT_ONCE or self.clips < 0:
            raise ValueError(f"people must be from 1 to {MOST_AT_ONCE} and clips at least 0")


class Performer:
    """Makes one person's part.

    Args:
        cache: The data.
        clips: Indices of the person's clips.
        config: How.
        random: What order, pauses and noise are drawn from.
        aside_m: How far to the sensor's left of their own place the person stands.
    """

    def __init__(
        self, cache: Cache, clips: np.ndarray, config: StreamConfig, random: np.random.Generator, *, aside_m: float
    ) -> None:
        self._config, self._random = config, random
        self._joints = cache.layout.joints
        if config.clips and config.clips < len(clips):
            clips = np.sort(random.choice(clips, config.clips, replace=False))
        self._agenda = [
            (of_clip(cache, index, person=person, rate_hz=config.rate_hz), cache.labels[cache.clips["label"][index]])
            for index in clips[in_random_order(cache.clips["label"][clips], random)].tolist()
            for person in range(max(1, int(cache.clips["persons"][index])))
        ]
        starts = [root(motion, self._joints) for motion, _ in self._agenda]
        known = [start for start in starts if start is not None]
        self._home = np.median(known, axis=0) if known else np.zeros(3)
        self._home = self._home + np.array([aside_m, 0, 0])
        rest = rest_of([motion for motion, _ in self._agenda], self._joints)
        self._rest = moved(rest, root(rest, self._joints), self._home)
        self._parts = [self._rest]

    def perform(self) -> tuple[Motion, list[tuple[int, int, str]]]:
        """Returns the motion, and (first frame, last frame, label) of each clip in it."""
        spans = []
        self._stand(self._config.lead_s)
        for motion, label in self._agenda:
            self._go_on_with(motion)
            last = sum(map(len, self._parts)) - 1
            spans.append((last - len(motion) + 1, last, label))
            if self._random.random() < self._config.pause_share:
                self._go_on_with(self._rest)
                self._stand(float(self._random.uniform(*self._config.pause_s)))
        self._go_on_with(self._rest)
        self._stand(self._config.lead_s)
        return joined(self._parts), spans

    def _go_on_with(self, motion: Motion) -> None:
        """Adds a motion, moved to where the person is, after the way to its first pose."""
        here, start = root(self._parts[-1], self._joints, last=True), root(motion, self._joints)
        here = self._home if here is None else here
        away = (here - self._home) * HORIZONTAL
        place = self._home + away * min(1.0, ROAM_M / max(float(np.linalg.norm(away)), 1e-9))
        motion = moved(motion, start, place)
        length_m = float(np.linalg.norm((place - here) * HORIZONTAL))
        seconds = float(self._random.uniform(*self._config.transition_s))
        count = way_frames(length_m, seconds, rate_hz=self._config.rate_hz)
        noise_m = self._config.noise_m
        self._parts += [way(self._parts[-1], motion, count, noise_m=noise_m, random=self._random), motion]

    def _stand(self, seconds: float) -> None:
        standing = Standing(noise_m=self._config.noise_m, sway_m=self._config.sway_m)
        rate_hz = self._config.rate_hz
        count = max(1, round(seconds * rate_hz))
        self._parts.append(held(self._parts[-1], count, standing, rate_hz=rate_hz, random=self._random))


def in_random_order(labels: np.ndarray, random: np.random.Generator) -> list[int]:
    """Returns the indices of labels in random order, none after its like as long as that is possible."""
    left = {int(label): list(random.permutation(np.flatnonzero(labels == label))) for label in np.unique(labels)}
    result: list[int] = []
    previous: int | None = None
    for remaining in range(len(labels), 0, -1):
        counts = {label: len(rows) for label, rows in left.items() if rows}
        most = max(counts, key=lambda label: counts[label])
        others = [label for label in counts if label != previous] or list(counts)
        if most in others and 2 * counts[most] > remaining:  # later they could not all be kept apart
            label = most
        else:
            weights = np.array([counts[label] for label in others], dtype=float)
            label = others[int(random.choice(len(others), p=weights / weights.sum()))]
        result.append(int(left[label].pop()))
        previous = label
    return result
