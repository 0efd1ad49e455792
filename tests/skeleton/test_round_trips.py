"""Every format gives back what it was given, and every pair of formats converts without changing a number."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skeleton.errors import RecordingError
from skeleton.formats.table import FORMATS, format_for, lost_in, open_recording, write_recording
from skeleton.frames import Body, BodyDetails, BodyFrame
from skeleton.layout import KINECT_V1, KINECT_V2, KINECT_V2_19, Layout
from skeleton.recording import Recording, RecordingInfo
from tests.recordings import assert_same_frames, walking_recording

SUFFIXES = sorted(suffix for row in FORMATS.values() if row.write for suffix in row.suffixes)
TOLERANCE_S = 1e-9  # .mcap keeps nanoseconds


def written(recording: Recording, path: Path) -> Recording:
    write_recording(recording, path)
    return open_recording(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_people_who_come_and_go_survive(suffix: str, tmp_path: Path) -> None:
    recording = walking_recording(frames=23, bodies=3, come_and_go=True, has_details=True)
    assert {len(frame.bodies) for frame in recording.frames} >= {0, 2, 3}
    found = written(recording, tmp_path / f"a{suffix}")
    assert_same_frames(found, recording, details=suffix != ".csv", time_tolerance_s=TOLERANCE_S)
    assert found.info.layout is KINECT_V2


@pytest.mark.parametrize("source", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_each_pair_of_formats_converts(source: str, target: str, tmp_path: Path) -> None:
    recording = walking_recording(frames=9, bodies=2, come_and_go=True)
    first = written(recording, tmp_path / f"first{source}")
    second = written(first, tmp_path / f"second{target}")
    keeps_hands = ".csv" not in (source, target)
    assert_same_frames(second, recording, details=keeps_hands, time_tolerance_s=TOLERANCE_S)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writing_what_was_read_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    path, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_recording(walking_recording(frames=9, bodies=2, come_and_go=True, has_details=True), path)
    write_recording(open_recording(path), again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_frames_and_one_frame_are_recordings(suffix: str, tmp_path: Path) -> None:
    for frames in (0, 1):
        recording = walking_recording(frames=frames)
        assert_same_frames(written(recording, tmp_path / f"{frames}{suffix}"), recording, details=suffix != ".csv")


numbers = st.floats(width=32) | st.sampled_from([0.1, 1e-40, -0.0, 16777217.0, 3.4e38, math.nan, math.inf, -math.inf])
identities = st.integers(0, 2**64 - 1) | st.sampled_from([2**53 + 1, 72057594037931101, 2**63 - 1])


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Any recording of Kinect v2 bodies: all numbers, ids, states and flags that a body can have."""
    frames, time_ns = [], draw(st.integers(0, 10**15))
    for index in range(draw(st.integers(0, 4))):
        people = draw(st.lists(identities, max_size=3, unique=True))
        bodies = tuple(draw(bodies_with(identity)) for identity in people)
        frames.append(BodyFrame(index=index, time_s=time_ns / 1e9, bodies=bodies))
        time_ns += draw(st.integers(1000, 10**9))
    times = np.array([frame.time_s for frame in frames])
    return Recording(RecordingInfo(format="synthetic", path=None, layout=KINECT_V2), times, frames)


@st.composite
def bodies_with(draw: st.DrawFn, identity: int) -> Body:
    values = draw(st.lists(numbers, min_size=1, max_size=7))
    fill = np.resize(np.array(values, dtype=np.float32), (25, 3 + 2 + 2 + 4))
    small = st.integers(0, 1)
    details = BodyDetails(
        depth_px=draw(st.sampled_from([None, fill[:, 3:5]])),
        color_px=draw(st.sampled_from([None, fill[:, 5:7]])),
        orientation=draw(st.sampled_from([None, fill[:, 7:]])),
        lean=(draw(st.floats(-1, 1)), draw(st.floats(-1, 1))),
        hand_confidence=(draw(small), draw(small)),
        is_restricted=draw(st.booleans()),
        tracking_state=draw(st.integers(0, 2)),
    )
    return Body(
        tracking_id=identity,
        joints=fill[:, :3],
        state=np.resize(draw(st.lists(st.integers(0, 2), min_size=1, max_size=4)), 25),
        hands=(draw(st.integers(0, 4)), draw(st.integers(0, 4))),
        clipped_edges=draw(st.integers(0, 15)),
        details=draw(st.sampled_from([None, details])),
    )


@pytest.mark.parametrize("suffix", [".mcap", ".npz", ".csv"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(recording=recordings())
def test_any_number_survives_bit_for_bit(suffix: str, recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    write_recording(recording, path, overwrite=True)
    assert_same_frames(open_recording(path), recording, details=suffix != ".csv")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(recording=recordings())
def test_any_number_survives_an_ntu_file(recording: Recording, tmp_path: Path) -> None:
    """Pixels that are NaN throughout are the file's way to say unknown, so they come back as None."""
    path = tmp_path / "a.skeleton"
    write_recording(recording, path, overwrite=True)
    found = open_recording(path)
    for frame, like in zip(found.frames, recording.frames):
        for body, other in zip(frame.bodies, like.bodies):
            assert (body.tracking_id, body.hands, body.clipped_edges) == (
                other.tracking_id, other.hands, other.clipped_edges,
            )  # fmt: skip
            np.testing.assert_array_equal(body.joints, other.joints)
            np.testing.assert_array_equal(body.state, other.state)
            for name in ("depth_px", "color_px", "orientation"):
                kept, given_ = getattr(body.details, name, None), getattr(other.details, name, None)
                if given_ is not None and not np.isnan(given_).all():
                    np.testing.assert_array_equal(kept, given_)
    write_recording(found, tmp_path / "b.skeleton", overwrite=True)
    assert_same_frames(open_recording(tmp_path / "b.skeleton"), found)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("ids", [(-1, 1), (1, 2**63), (-1, 2**63)])
def test_ids_of_either_sign_survive_or_are_refused(suffix: str, ids: tuple[int, int], tmp_path: Path) -> None:
    recording = walking_recording(frames=3, bodies=2)
    frames = [
        dataclasses.replace(
            frame,
            bodies=tuple(dataclasses.replace(body, tracking_id=one) for body, one in zip(frame.bodies, ids)),
        )
        for frame in recording.frames
    ]
    given_ = written(Recording(recording.info, recording.times_s, frames), tmp_path / "given.mcap")
    if suffix == ".npz" and ids == (-1, 2**63):
        with pytest.raises(RecordingError, match=r"given.mcap has both -1 and 9223372036854775808\."):
            write_recording(given_, tmp_path / "a.npz")
        assert not (tmp_path / "a.npz").exists()
    else:
        assert [body.tracking_id for body in written(given_, tmp_path / f"a{suffix}").frames[2].bodies] == list(ids)


@pytest.mark.parametrize("suffix", [".mcap", ".npz"])
def test_all_facts_survive(suffix: str, tmp_path: Path) -> None:
    video = tmp_path / "color.avi"
    video.touch()
    info = RecordingInfo(
        format="synthetic",
        path=None,
        layout=Layout("two sticks", ("A", "B", "C"), ((0, 1), (1, 2)), ((0, 2),), (True, False, True)),
        rate_hz=15.5,
        sensor_id="0123-é",
        color_map=tuple(np.linspace(-1, 1, 20).tolist()),
        floor=(0.01, 0.99, -0.1, 1.2),
        color_video=video,
        created="2031-02-03T04:05:06+00:00",
        labels={"label": "deep squat", "subject": "3"},
    )
    body = Body(7, joints=np.zeros((3, 3)), state=np.array([0, 1, 2]))
    frame = BodyFrame(index=5, time_s=3.0, bodies=(body,), floor=(0.0, 1.0, 0.25, 1.5))
    found = written(Recording(info, np.array([3.0]), [frame]), tmp_path / f"a{suffix}")
    expected = dataclasses.replace(info, format=suffix[1:], path=tmp_path / f"a{suffix}")
    assert found.info == expected
    assert found.frames[0].floor == frame.floor
    assert found.frames[0].index == 5
    assert lost_in(found, tmp_path / f"b{suffix}") == ()


@pytest.mark.parametrize("name", ["../secret.avi", "/etc/passwd", "..", "a\\b.avi", "C:x.avi", "missing.avi"])
def test_a_video_name_never_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "secret.avi").touch()
    path = folder / "a.npz"
    write_recording(walking_recording(frames=2), path)
    with np.load(path) as archive:
        arrays = dict(archive)
    arrays["facts"] = np.array(json.dumps(json.loads(str(arrays["facts"])) | {"color_video": name}))
    np.savez(path, **arrays)
    assert open_recording(path).info.color_video is None


@pytest.mark.parametrize("layout", [KINECT_V1, KINECT_V2_19], ids=lambda layout: layout.name)
@pytest.mark.parametrize("suffix", [".mcap", ".npz", ".csv"])
def test_other_layouts_survive(layout: Layout, suffix: str, tmp_path: Path) -> None:
    joints = np.arange(len(layout) * 3, dtype=np.float32).reshape(-1, 3)
    frame = BodyFrame(0, 0.0, bodies=(Body(1, joints=joints, state=np.ones(len(layout))),))
    recording = Recording(RecordingInfo("synthetic", None, layout), np.zeros(1), [frame])
    found = written(recording, tmp_path / f"a{suffix}")
    assert found.info.layout is layout
    assert_same_frames(found, recording)


def test_an_ntu_file_refuses_another_layout_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="25 joints of 'kinect-v2', but this recording has the 19"):
        write_recording(walking_recording(frames=2, layout=KINECT_V2_19), tmp_path / "a.skeleton")
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_hold_is_named(tmp_path: Path) -> None:
    recording = walking_recording(frames=4, has_details=True, rate_hz=15.0)
    assert lost_in(recording, "a.csv") == ("pixels and orientations", "hand states")
    assert lost_in(recording, "a.skeleton") == ("times (an NTU file is 30 frames a second)",)
    assert lost_in(recording, "a.mcap") == ()


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(RecordingError, match="already there"):
        write_recording(walking_recording(frames=2), path)
    assert path.read_text() == "mine"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(recording: Recording, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for suffix in SUFFIXES:
        name = format_for(f"a{suffix}").name
        monkeypatch.setitem(FORMATS, name, dataclasses.replace(FORMATS[name], write=refuse))
        with pytest.raises(RecordingError, match=r"a\.\w+ cannot be written: the disk is full"):
            write_recording(walking_recording(frames=2), tmp_path / f"a{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("suffix", [".csv", ".npz", ".skeleton"])
def test_a_device_that_is_full_raises_while_writing(suffix: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        format_for(f"a{suffix}").write(walking_recording(frames=2), Path("/dev/full"))  # type: ignore[misc]
