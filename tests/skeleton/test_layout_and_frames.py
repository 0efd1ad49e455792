"""Layouts, bodies, frames and recordings: what they promise and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from skeleton import errors
from skeleton.errors import AppError, ModelContractError, RecordingError
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V1, KINECT_V2, KINECT_V2_19, KINECT_V2_21, LAYOUTS, Layout, body_axes
from skeleton.recording import Recording, RecordingInfo, body_track
from tests.recordings import FIRST_ID, walking_recording


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bones_connect_all_joints_without_a_circle(layout: Layout) -> None:
    assert len(layout.bones) == len(layout) - 1
    reached = {layout.bones[0][0]}
    for _ in layout.bones:
        reached |= {end for bone in layout.bones if reached & set(bone) for end in bone}
    assert reached == set(range(len(layout)))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_mirror_pairs_are_the_left_and_right_joints(layout: Layout) -> None:
    swapped = [layout.joints[index] for index in layout.mirror_order()]
    exchange = {"Left": "Right", "Right": "Left"}
    for joint, other in zip(layout.joints, swapped):
        side = next((side for side in exchange if side in joint), None)
        assert other == (joint.replace(side, exchange[side]) if side else joint)


def test_the_layouts_have_their_joint_counts() -> None:
    counts = {name: len(layout) for name, layout in LAYOUTS.items()}
    assert counts == {"kinect-v2": 25, "kinect-v2-21": 21, "kinect-v2-19": 19, "kinect-v1": 20}
    assert not any("Hand" in joint or "Thumb" in joint for joint in KINECT_V2_19.joints)


def test_a_subset_keeps_the_order_given_and_drops_bones_with_a_missing_end() -> None:
    arm = KINECT_V2.subset("arm", ["WristLeft", "ElbowLeft", "Head"])
    assert (arm.bones, arm.mirror) == (((1, 0),), ())


def test_select_finds_joints_by_name_and_names_what_is_missing() -> None:
    order = KINECT_V2.select(KINECT_V2_19.joints)
    assert [KINECT_V2.joints[index] for index in order] == list(KINECT_V2_19.joints)
    with pytest.raises(
        ModelContractError, match="does not measure: HandTipLeft, ThumbLeft, HandTipRight, ThumbRight"
    ):
        KINECT_V2_21.select(KINECT_V2.joints)
    unmeasured = Layout("two", ("A", "B"), (), (), (True, False))
    with pytest.raises(ModelContractError, match="'two' does not measure: B"):
        unmeasured.select(["A", "B"])


@pytest.mark.parametrize(
    ("joints", "bones", "measured", "sentence"),
    [
        (("A", "A"), (), (True, True), "must differ"),
        (("A", "B"), ((0, 2),), (True, True), "outside 0..1"),
        (("A", "B"), (), (True,), "1 measured flags for 2"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(
    joints: tuple[str, ...], bones: tuple[tuple[int, int], ...], measured: tuple[bool, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Layout("x", joints, bones, (), measured)


def test_the_body_axes_of_both_sensors() -> None:
    assert [KINECT_V2.joints[getattr(body_axes(KINECT_V2.joints), name)] for name in ("center", "chest")] == [
        "SpineBase",
        "SpineShoulder",
    ]
    assert body_axes(KINECT_V1.joints).center == 0
    with pytest.raises(ModelContractError, match="must hold SpineShoulder or ShoulderCenter"):
        body_axes(["SpineBase", "ShoulderLeft"])


def test_a_body_cannot_be_changed_from_inside_or_outside() -> None:
    joints, state = np.ones((4, 3)), np.full(4, 2)
    body = Body(1, joints=joints, state=state)
    joints[:] = 7
    assert (body.joints == 1).all()
    with pytest.raises(ValueError, match="read-only"):
        body.joints[0, 0] = 7
    with pytest.raises(AttributeError):
        body.tracking_id = 2  # type: ignore[misc]
    assert (body.joints.dtype, body.state.dtype) == (np.float32, np.int8)


def test_a_joint_is_seen_when_it_is_tracked_or_inferred_and_finite() -> None:
    joints = np.zeros((5, 3))
    joints[3, 1], joints[4, 2] = np.nan, np.inf
    np.testing.assert_array_equal(Body(1, joints, np.array([0, 1, 2, 2, 2])).seen, [False, True, True, False, False])


@pytest.mark.parametrize(("joints", "state"), [((4, 2), (4,)), ((4, 3), (5,)), ((12,), (4,))])
def test_arrays_of_another_shape_are_refused(joints: tuple[int, ...], state: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must have shape"):
        Body(1, joints=np.zeros(joints), state=np.zeros(state))
    with pytest.raises(ValueError, match=r"orientation must have shape \(-1, 4\), found \(5, 3\)"):
        BodyDetails(orientation=np.zeros((5, 3)))


def test_sensor_time_must_increase() -> None:
    info = RecordingInfo("synthetic", None, KINECT_V2)
    frames = [BodyFrame(index=k, time_s=t) for k, t in enumerate((0.0, 0.1, 0.1))]
    with pytest.raises(RecordingError, match=r"frame 2 at 0.100 s after 0.100 s"):
        Recording(info, np.array([0.0, 0.1, 0.1]), frames)
    with pytest.raises(ValueError, match="2 times for 3 frames"):
        Recording(info, np.zeros(2), frames)


def test_index_at_is_the_last_frame_at_or_before_a_time() -> None:
    recording = walking_recording(frames=11, rate_hz=10.0, start_s=5.0)
    assert [recording.index_at(time) for time in (0.0, 5.0, 5.05, 5.1001, 99.0)] == [0, 0, 0, 1, 10]
    assert recording.duration_s == pytest.approx(1.0)
    assert walking_recording(frames=1).duration_s == 0.0


def test_the_track_of_a_body_leaves_out_the_frames_without_it() -> None:
    recording = walking_recording(frames=12, bodies=2, come_and_go=True)
    times, joints, seen = body_track(recording, FIRST_ID + 1)
    present = [frame.time_s for frame in recording.frames if any(b.tracking_id == FIRST_ID + 1 for b in frame.bodies)]
    np.testing.assert_array_equal(times, present)
    assert (joints.shape, seen.shape) == ((len(present), 25, 3), (len(present), 25))
    assert len(present) < 12
    with pytest.raises(ValueError, match="no body 5"):
        body_track(recording, 5)


def test_every_error_is_in_the_tree_that_the_module_draws() -> None:
    kinds = {
        name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, AppError)
    }
    assert errors.__doc__ is not None
    drawn = [line.strip(" │├└─").split()[0] for line in errors.__doc__.splitlines() if "├──" in line or "└──" in line]
    assert set(drawn) | {"AppError"} == set(kinds)
    assert not any(issubclass(kind, (ValueError, TypeError, OSError)) for kind in kinds.values())


def test_an_error_reads_as_its_sentence_and_its_remedy() -> None:
    assert str(RecordingError("It ends early.", remedy="Record again.")) == "It ends early. Record again."
    assert str(RecordingError("It ends early.")) == "It ends early."
