"""Long streams of body frames, and the table of what happens in them: what live use looks like, with the truth known.

    stream = next(from_cache(cache, clips, StreamConfig()))
    stream.recording    frames like a sensor's: any consumer of recordings takes them
    stream.truth        Action(start_s, end_s, label, person), exact to the frame

A person does clips in random order; between two of them the person goes from pose to pose, and often stands for a
while in between. People of a group are in view side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from skeleton.errors import TrainingDataError
from skeleton.formats.base import FramesOnDemand
from skeleton.frames import Body, BodyFrame
from skeleton.layout import TRACKED, Layout
from skeleton.recording import Recording, RecordingInfo
from training.cache import Cache
from training.clip import ON_THE_FLOOR, SENSOR_HEIGHT_M
from training.stream_motion import Motion
from training.stream_person import Performer, StreamConfig

BACKGROUND = "background"
"""Who people are that do nothing a model knows."""
SPACE_M = 0.9
"""Between two people who stand side by side: both can stretch an arm without touching."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a person does for a while.

    Attributes:
        start_s: Seconds since the stream's first frame.
        end_s: Likewise; the time of the action's last frame.
        label: What.
        person: Tracking id; None for whoever is in view.
    """

    start_s: float
    end_s: float
    label: str
    person: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Frames, and what happens in them.

    Attributes:
        name: For people.
        recording: The frames.
        truth: In order of start.
        who: Whom each tracking id is: the subject's number, as text; ids of one person are judged together.
        others: Who all other tracking ids are.
    """

    name: str
    recording: Recording
    truth: tuple[Action, ...]
    who: dict[int, str]
    others: str = "everybody"

    def who_is(self, person: int | None) -> str:
        """Returns whom a tracking id is."""
        return self.others if person is None else self.who.get(person, self.others)


def from_cache(
    cache: Cache, clips: np.ndarray, config: StreamConfig, *, seed: int = 0, is_background: bool = False
) -> Iterator[Stream]:
    """Yields streams in which everybody whose clips are given does them, ``config.people`` at once.

    Only clips of one person are used; of background clips, everybody in them, one after another.

    Args:
        cache: The data.
        clips: Indices of clips.
        config: How.
        seed: What the order, the pauses and the noise follow from, with the subject's number.
        is_background: Nobody does an action: the truth stays empty, and who it is does not matter.

    Raises:
        TrainingDataError: No clip can be used.
    """
    chosen = np.asarray(clips, dtype=np.int64)
    if not is_background:
        chosen = chosen[cache.clips["persons"][chosen] <= 1]
    if not len(chosen):
        raise TrainingDataError(f"A stream needs clips of one person, but {cache.path} gives none to make it of.")
    subjects = np.unique(cache.clips["subject"][chosen]).tolist()
    for first in range(0, len(subjects), config.people):
        group = subjects[first : first + config.people]
        parts = []
        for number, subject in enumerate(group):
            own = chosen[cache.clips["subject"][chosen] == subject]
            random = np.random.default_rng((seed, int(subject) & 0xFFFFFFFF))
            aside_m = SPACE_M * (number - (len(group) - 1) / 2)
            parts.append(Performer(cache, own, config, random, aside_m=aside_m).perform())
        yield _stream(cache, group, parts, config, seed=seed, is_background=is_background)


def _stream(
    cache: Cache,
    group: Sequence[int],
    parts: Sequence[tuple[Motion, list[tuple[int, int, str]]]],
    config: StreamConfig,
    *,
    seed: int,
    is_background: bool,
) -> Stream:
    people = ", ".join(map(str, group))
    truth = [
        Action(start / config.rate_hz, end / config.rate_hz, label, person)
        for person, (_, spans) in enumerate(parts, start=1)
        for start, end, label in spans
    ]
    floors = {floor for subject in group for floor in _floors(cache, subject)}
    recording = recorded(
        [motion for motion, _ in parts],
        cache.layout,
        rate_hz=config.rate_hz,
        drop_share=config.drop_share,
        floor=floors.pop() if len(floors) == 1 else None,
        random=np.random.default_rng((seed, 1 << 40, *group)),
    )
    return Stream(
        name=f"{cache.dataset}, {'person' if len(group) == 1 else 'people'} {people}",
        recording=recording,
        truth=() if is_background else tuple(sorted(truth, key=lambda action: action.start_s)),
        who={person: BACKGROUND if is_background else str(who) for person, who in enumerate(group, start=1)},
    )


def recorded(
    motions: Sequence[Motion],
    layout: Layout,
    *,
    rate_hz: float,
    drop_share: float = 0.0,
    floor: tuple[float, float, float, float] | None = None,
    random: np.random.Generator,
) -> Recording:
    """Returns motions side by side as a recording: bodies 1, 2, ..., each in view while its motion lasts.

    Frames are lost independently of each other; the first one never is, and times stay those of the sensor.
    """
    if floor == ON_THE_FLOOR:
        down = np.array([0, SENSOR_HEIGHT_M, 0], dtype=np.float32)
        motions = [Motion(motion.joints - down, motion.seen) for motion in motions]
        floor = (0.0, 1.0, 0.0, SENSOR_HEIGHT_M)
    kept = np.flatnonzero(random.random(max(map(len, motions))) >= drop_share)
    kept = np.union1d([0], kept)
    times_s = kept / rate_hz

    def frame(number: int) -> BodyFrame:
        row = int(kept[number])
        bodies = tuple(
            Body(
                tracking_id=person,
                joints=motion.joints[row],
                state=motion.seen[row].astype(np.int8) * np.int8(TRACKED),
            )
            for person, motion in enumerate(motions, start=1)
            if row < len(motion) and motion.seen[row].any()
        )
        return BodyFrame(index=number, time_s=float(times_s[number]), bodies=bodies, floor=floor)

    info = RecordingInfo(format="stream", path=None, layout=layout, rate_hz=rate_hz, floor=floor)
    return Recording(info=info, times_s=times_s, frames=FramesOnDemand(len(times_s), frame))


def _floors(cache: Cache, subject: int) -> set[tuple[float, float, float, float] | None]:
    return {cache.floor(int(index)) for index in np.flatnonzero(cache.clips["subject"] == subject)}
