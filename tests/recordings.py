"""Synthetic recordings for tests: people who walk on the spot, and a comparison that knows no tolerance."""

from __future__ import annotations

import numpy as np

from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V2, Layout
from skeleton.recording import Recording, RecordingInfo

FIRST_ID = 72057594037931101
"""A tracking id as the sensor gives them: above 2**53, so a float cannot hold it."""

STANDING = np.array(
    [
        (0.0, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.55, 0.0), (0.0, 0.7, 0.0),
        (-0.18, 0.48, 0.0), (-0.25, 0.22, 0.0), (-0.27, -0.02, 0.0), (-0.28, -0.1, 0.0),
        (0.18, 0.48, 0.0), (0.25, 0.22, 0.0), (0.27, -0.02, 0.0), (0.28, -0.1, 0.0),
        (-0.08, -0.03, 0.0), (-0.1, -0.4, 0.0), (-0.11, -0.78, 0.0), (-0.11, -0.83, -0.1),
        (0.08, -0.03, 0.0), (0.1, -0.4, 0.0), (0.11, -0.78, 0.0), (0.11, -0.83, -0.1),
        (0.0, 0.5, 0.0), (-0.28, -0.17, 0.0), (-0.25, -0.12, -0.05), (0.28, -0.17, 0.0), (0.25, -0.12, -0.05),
    ],
    dtype=np.float32,
)  # fmt: skip
"""(25, 3) meters around SpineBase: a person who stands and faces the sensor."""


def walking_body(
    time_s: float, person: int = 0, *, layout: Layout = KINECT_V2, details: BodyDetails | None = None
) -> Body:
    """Returns one walking person; ``person`` 0, 1, 2 ... stand beside each other, 2.5 m and more from the sensor.

    ``layout`` must be Kinect v2 or a subset of it. Elbows are inferred now and then, one thumb is never tracked.
    """
    phase = 2 * np.pi * 0.9 * time_s + person
    joints = STANDING.copy()
    swing = np.array([0.0, 0.0, 0.22 * np.sin(phase)], dtype=np.float32)
    for left, right, share in (
        (13, 17, 0.5),
        (14, 18, 1.0),
        (15, 19, 1.0),
        (5, 9, -0.4),
        (6, 10, -0.8),
        (7, 11, -0.9),
    ):
        joints[left] += share * swing
        joints[right] -= share * swing
    joints += np.array([1.1 * person - 0.4, 0.02 * np.sin(2 * phase), 2.5 + 0.3 * person], dtype=np.float32)
    state = np.full(25, 2)
    state[5 if np.sin(phase) > 0.8 else 9] = 1
    state[24] = 0
    order = [KINECT_V2.index(joint) for joint in layout.joints]
    return Body(
        tracking_id=FIRST_ID + person,
        joints=joints[order],
        state=state[order],
        hands=(2 + person % 3, 3),
        clipped_edges=8 if person else 0,
        details=details,
    )


def walking_recording(
    *,
    frames: int = 40,
    bodies: int = 1,
    layout: Layout = KINECT_V2,
    rate_hz: float = 30.0,
    come_and_go: bool = False,
    has_details: bool = False,
    start_s: float = 0.0,
) -> Recording:
    """Returns a recording of ``bodies`` walking people.

    Args:
        frames: Frame count.
        bodies: People in each frame.
        layout: Kinect v2 or a subset of it.
        rate_hz: Frames per second.
        come_and_go: Person k is away in every frame whose number leaves k when divided by bodies + 2, and every
            frame that leaves bodies + 1 is empty.
        has_details: Bodies carry pixels, orientations and lean, as NTU files do.
        start_s: Time of the first frame, seconds.
    """
    times = start_s + np.arange(frames) / rate_hz
    result = []
    for index, time_s in enumerate(times):
        turn = index % (bodies + 2)
        present = [person for person in range(bodies) if not (come_and_go and turn in (person, bodies + 1))]
        people = tuple(
            walking_body(
                float(time_s - start_s),
                person,
                layout=layout,
                details=_details(layout, index) if has_details else None,
            )
            for person in present
        )
        result.append(BodyFrame(index=index, time_s=float(time_s), bodies=people))
    return Recording(RecordingInfo(format="synthetic", path=None, layout=layout, rate_hz=rate_hz), times, result)


def assert_same_frames(
    found: Recording, wanted: Recording, *, details: bool = True, time_tolerance_s: float = 0.0
) -> None:
    """Fails unless both recordings hold the same frames, bit for bit (NaN equals NaN)."""
    assert len(found.frames) == len(wanted.frames)
    assert found.info.layout.joints == wanted.info.layout.joints
    np.testing.assert_allclose(found.times_s, wanted.times_s, rtol=0, atol=time_tolerance_s)
    for one, other in zip(found.frames, wanted.frames):
        assert abs(one.time_s - other.time_s) <= time_tolerance_s
        assert one.floor == other.floor
        assert [body.tracking_id for body in one.bodies] == [body.tracking_id for body in other.bodies]
        for body, like in zip(one.bodies, other.bodies):
            assert_same_body(body, like, details=details)


def assert_same_body(found: Body, wanted: Body, *, details: bool = True) -> None:
    """Fails unless both bodies are the same, bit for bit; ``details`` False leaves hands and pixels out."""
    np.testing.assert_array_equal(found.joints, wanted.joints)
    np.testing.assert_array_equal(found.state, wanted.state)
    if not details:
        return
    assert (found.hands, found.clipped_edges) == (wanted.hands, wanted.clipped_edges)
    assert (found.details is None) == (wanted.details is None)
    if found.details is None or wanted.details is None:
        return
    for name in ("depth_px", "color_px", "orientation", "lean", "hand_confidence", "is_restricted", "tracking_state"):
        one, other = getattr(found.details, name), getattr(wanted.details, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_array_equal(one, other, err_msg=name)


def _details(layout: Layout, index: int) -> BodyDetails:
    random = np.random.default_rng(index)
    return BodyDetails(
        depth_px=random.uniform(0, 424, (len(layout), 2)),
        color_px=random.uniform(0, 1080, (len(layout), 2)),
        orientation=random.normal(size=(len(layout), 4)),
        lean=tuple(np.float32(value).item() for value in random.uniform(-1, 1, 2)),  # type: ignore[arg-type]
        hand_confidence=(1, index % 2),
        is_restricted=index % 5 == 0,
        tracking_state=2,
    )
