"""Two performers who do something together, as clips to train on and as a recording to recognize.

Both have a performer's body (``live/sources/performer_body.py``) and face each other. They shake hands, hug, or come
near, stand and part, which is nothing; somebody alone waves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from live.sources.performer_body import RIGHT, Person, joints_from, random_person, stand_on_floor, turned, unit
from live.sources.performer_exercises import Pose
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2, TRACKED
from skeleton.recording import Recording, RecordingInfo
from training.datasets.base import Clip, Description, Item

WAVE, SHAKE_HANDS, HUG, NOTHING = range(4)
LABELS = ("wave", "shake hands", "hug", "nothing")
SUBJECTS = (1, 2, 3, 4)
REPETITIONS = 5
RATE_HZ = 30.0
SENSOR_HEIGHT_M = 1.0
APART_M = {SHAKE_HANDS: 0.9, HUG: 0.5, NOTHING: 0.7}
DESCRIPTION = Description(
    name="mutual", layout=KINECT_V2, labels=LABELS, persons=2, protocols=("odd-even",), license="none needed"
)
_STANDING = Pose()
_PEAKS = {
    WAVE: Pose(arm=((95, 90), (165, 90)), other_arm=((10, 95), (15, 15))),
    SHAKE_HANDS: Pose(arm=((45, 15), (80, 0)), other_arm=((10, 95), (15, 15)), lean=4),
    HUG: Pose(arm=((80, 25), (85, -25)), lean=8),
    NOTHING: _STANDING,
}
_SHAKES_RAD = {WAVE: (0.35, 0.0, 0.0), SHAKE_HANDS: (0.0, 0.12, 0.0), HUG: (0.0, 0.0, 0.0), NOTHING: (0.0, 0.0, 0.0)}
_FOREARM = [KINECT_V2.index(joint) - 1 for joint in ("WristRight", "HandRight")]


def performed(action: int, share: np.ndarray, person: Person, *, phase: float = 0.0) -> np.ndarray:
    """Returns (F, 25, 3) meters, facing the sensor at the origin: how far an action is raised at each frame, 0..1."""
    start, peak = (pose.directions(RIGHT) for pose in (_STANDING, _PEAKS[action]))
    way = start + (peak - start) * share[:, None, None]
    shaking = np.sin(2 * np.pi * 1.5 * np.arange(len(share)) / RATE_HZ + phase) * share
    way[:, _FOREARM] += np.array(_SHAKES_RAD[action]) * shaking[:, None, None]
    return stand_on_floor(joints_from(unit(unit(way) + person.habits), person), person)


def placed(joints: np.ndarray, *, x_m: np.ndarray | float, z_m: float, yaw_deg: float) -> np.ndarray:
    """Returns joints (F, 25, 3) turned, moved to a place before the sensor, with its origin."""
    x_m = np.broadcast_to(x_m, (len(joints),))
    place = np.stack([x_m, np.full_like(x_m, -SENSOR_HEIGHT_M), np.full_like(x_m, z_m)], axis=1)
    return turned(joints, yaw_deg) + place[:, None]


def raised(times_s: np.ndarray, start_s: float, end_s: float, *, ramp_s: float = 0.5) -> np.ndarray:
    """Returns how far an action is raised: 0 before ``start_s``, then 1, and 0 from ``end_s`` on."""
    return np.clip(np.minimum(times_s - start_s, end_s - times_s) / ramp_s, 0.0, 1.0)


def clip(action: int, subject: int, repetition: int, *, group: int) -> Clip:
    """One performance: by two people who face each other, or by one who faces the sensor."""
    random = np.random.default_rng((action, subject, repetition))
    times_s = np.arange(int(random.uniform(2.0, 3.0) * RATE_HZ)) / RATE_HZ
    share = raised(times_s, 0.2, times_s[-1] - 0.1)
    people = [random_person(np.random.default_rng(subject + 10 * number)) for number in (0, 1)]
    z_m, turn_deg, phase = random.uniform(2.2, 3.5), random.uniform(-25, 25), random.uniform(0, 2 * np.pi)
    if action == WAVE:
        shown = [placed(performed(action, share, people[0], phase=phase), x_m=0.0, z_m=z_m, yaw_deg=turn_deg)]
    else:
        half_m = np.full(len(times_s), APART_M[action] * random.uniform(0.9, 1.15) / 2)
        if action == NOTHING and repetition:  # come near, or part
            half_m += random.choice([-1, 1]) * (times_s - times_s[-1] / 2) * random.uniform(0.3, 1.2) / 2
            half_m += max(0.0, 0.25 - half_m.min())
        shown = [
            placed(performed(action, share, person, phase=phase), x_m=side * half_m, z_m=0.0, yaw_deg=-90 * side)
            for side, person in zip((-1, 1), people)
        ]
        shown = [placed(turned(joints, turn_deg), x_m=0.0, z_m=z_m, yaw_deg=0) for joints in shown]
        shown = [joints + (0, SENSOR_HEIGHT_M, 0) for joints in shown]  # placed once, not twice, above the floor
    joints = np.zeros((len(times_s), 2, 25, 3))
    state = np.zeros(joints.shape[:3])
    for number, one in enumerate(shown):
        joints[:, number], state[:, number] = one + random.normal(0, 0.004, one.shape), TRACKED
    name = f"{LABELS[action]}/{subject}-{repetition}"
    item = Item(name=name, label=action, subject=subject, repetition=repetition, group=group)
    return Clip(item=item, times_s=times_s, joints=joints, state=state)


def clips() -> Iterator[Clip]:
    """Every action by everybody."""
    rows = [(a, s, r) for a in range(len(LABELS)) for s in SUBJECTS for r in range(REPETITIONS)]
    for group, (action, subject, repetition) in enumerate(rows):
        yield clip(action, subject, repetition, group=group)


def meeting(
    action: int,
    *,
    meets_s: float = 3.0,
    acts_s: tuple[float, float] = (5.0, 7.5),
    parts_s: float = 9.0,
    seconds: float = 12.0,
    ids: Sequence[int] = (71, 72, 73),
    is_reversed: bool = False,
    seed: int = 100,
) -> Recording:
    """Two people come near, do something together and part; a third one waves at the same time, far from them.

    With ``is_reversed`` a frame names the third one first.
    """
    times_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    random = np.random.default_rng(seed)
    one, other, third = (random_person(random) for _ in range(3))
    nearness = np.clip(np.minimum(times_s - meets_s, parts_s - times_s) / 1.0, 0.0, 1.0)
    half_m = 1.3 + (APART_M[action] / 2 - 1.3) * nearness
    share = raised(times_s, *acts_s)
    bodies: list[Callable[[int], Body]] = []
    for key, joints in zip(
        ids,
        (
            placed(performed(action, share, one), x_m=-0.6 - half_m, z_m=3.0, yaw_deg=90),
            placed(performed(action, share, other), x_m=-0.6 + half_m, z_m=3.0, yaw_deg=-90),
            placed(performed(WAVE, share, third), x_m=1.9, z_m=4.2, yaw_deg=0),
        ),
    ):
        noisy = (joints + random.normal(0, 0.004, joints.shape)).astype(np.float32)
        bodies.append(lambda frame, key=key, noisy=noisy: Body(key, noisy[frame], np.full(25, TRACKED)))  # type: ignore[misc]
    if is_reversed:
        bodies.reverse()
    frames = [
        BodyFrame(index=index, time_s=float(time_s), bodies=tuple(make(index) for make in bodies))
        for index, time_s in enumerate(times_s)
    ]
    return Recording(RecordingInfo("made up", None, KINECT_V2, rate_hz=RATE_HZ), times_s, frames)
