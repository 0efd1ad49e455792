"""Bodies and body frames: what a sensor or a recording delivers, one frame at a time.

Coordinates are Kinect camera space: meters, origin at the sensor, x to the sensor's left (the right-hand side of
a person who faces it), y up, z away from the sensor. Times are seconds. All arrays are read-only, so a frame can
be handed from thread to thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def read_only(array: np.ndarray, dtype: type, shape: tuple[int, ...], *, name: str) -> np.ndarray:
    """Returns ``array`` as a read-only array of ``dtype``, checked against ``shape`` (-1 is any size)."""
    result: np.ndarray = np.array(array, dtype=dtype)  # a copy: nobody else can write to it
    if not _fits(result.shape, shape):
        raise ValueError(f"{name} must have shape {shape}, found {result.shape}")
    result.setflags(write=False)
    return result


def _fits(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    for want, got in zip(wanted, found):  # not a generator: thirty times a frame, and that takes twice as long
        if want not in (-1, got):
            return False
    return len(found) == len(wanted)


def seen_joints(joints: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Returns (..., V) bool, which of joints (..., V, 3) were seen: tracked or inferred, with finite coordinates."""
    seen: np.ndarray = (state > 0) & np.isfinite(joints).all(axis=-1)
    return seen


@dataclass(frozen=True, slots=True, eq=False)
class BodyDetails:
    """What some recordings hold beyond positions; kept so that a file survives a round trip.

    Attributes:
        depth_px: (V, 2) float32 pixels in the 512 x 424 depth image, or None.
        color_px: (V, 2) float32 pixels in the 1920 x 1080 color image, or None.
        orientation: (V, 4) float32 quaternions w, x, y, z, or None.
        lean: Lean left-right and forward-back, -1..1.
        hand_confidence: Left and right, 0 low, 1 high.
        is_restricted: The SDK's flag of the same name.
        tracking_state: The body's own tracking state.
    """

    depth_px: np.ndarray | None = None
    color_px: np.ndarray | None = None
    orientation: np.ndarray | None = None
    lean: tuple[float, float] = (0.0, 0.0)
    hand_confidence: tuple[int, int] = (0, 0)
    is_restricted: bool = False
    tracking_state: int = 2

    def __post_init__(self) -> None:
        for name, width in (("depth_px", 2), ("color_px", 2), ("orientation", 4)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, read_only(value, np.float32, (-1, width), name=name))


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One person in one frame.

    Attributes:
        tracking_id: The sensor's id, a 64-bit integer (NTU ids exceed 2**53: never a float).
        joints: (V, 3) float32 meters, camera space. NaN or any value where ``state`` is 0.
        state: (V,) int8: 0 not tracked, 1 inferred, 2 tracked.
        hands: Left and right hand state: 0 unknown, 1 not tracked, 2 open, 3 closed, 4 lasso.
        clipped_edges: Bit mask of image edges that cut the body: 1 right, 2 left, 4 top, 8 bottom.
        details: Pixels, orientations and flags, where the recording has them.
    """

    tracking_id: int
    joints: np.ndarray
    state: np.ndarray
    hands: tuple[int, int] = (0, 0)
    clipped_edges: int = 0
    details: BodyDetails | None = None

    def __post_init__(self) -> None:
        joints = read_only(self.joints, np.float32, (-1, 3), name="joints")
        object.__setattr__(self, "joints", joints)
        object.__setattr__(self, "state", read_only(self.state, np.int8, (len(joints),), name="state"))

    @property
    def seen(self) -> np.ndarray:
        """(V,) bool: tracked or inferred, with finite coordinates."""
        return seen_joints(self.joints, self.state)


@dataclass(frozen=True, slots=True, eq=False)
class BodyFrame:
    """All bodies at one moment.

    Attributes:
        index: Frame number in its source, from 0.
        time_s: The sensor's clock, seconds; only differences mean anything.
        arrival_s: ``time.perf_counter()`` when the frame was received; 0 in a recording.
        bodies: 0 to 6 bodies.
        floor: Floor plane (x, y, z, w) with n·p + w = 0 and w the sensor's height in meters, or None.
    """

    index: int
    time_s: float
    arrival_s: float = 0.0
    bodies: tuple[Body, ...] = ()
    floor: tuple[float, float, float, float] | None = None
