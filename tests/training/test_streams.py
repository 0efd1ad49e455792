"""Streams: nothing in them jumps, and their truth is exact to the frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skeleton import config as settings
from skeleton.errors import AppError, ConfigError, TrainingDataError
from skeleton.formats.table import write_recording
from skeleton.recording import Recording
from training import protocols
from training.cache import Cache, open_cache
from training.stream_files import from_recording, read_truth, scenes
from training.stream_motion import Motion, Standing, held, moved, of_clip, rest_of, way, way_frames
from training.stream_person import in_random_order
from training.streams import BACKGROUND, Stream, StreamConfig, from_cache, recorded

JUMP_M = 0.06
"""Of a clip: an arm that goes up 1.2 m in 25 frames makes 5 cm a frame in its middle, and noise adds to it."""


@pytest.fixture(scope="module")
def stream(cache: Cache) -> Stream:
    (one,) = from_cache(cache, np.flatnonzero(cache.clips["subject"] == 2), StreamConfig(), seed=4)
    return one


def joints_of(recording: Recording, body: int = 0) -> np.ndarray:
    return np.stack([frame.bodies[body].joints for frame in recording.frames])


def test_the_truth_is_exact_to_the_frame(stream: Stream, cache: Cache) -> None:
    """Each action's frames are those of one clip of its label, moved along the floor, and no frame more."""
    joints = joints_of(stream.recording)
    clips = np.flatnonzero(cache.clips["subject"] == 2).tolist()
    left = set(clips)
    for action in stream.truth:
        first, last = round(action.start_s * 30), round(action.end_s * 30)
        assert (first / 30, last / 30) == (action.start_s, action.end_s)
        shown = joints[first : last + 1] - joints[first, 0]
        same = [index for index in left if np.array_equal(*_rounded(shown, of_clip(cache, index, rate_hz=30).joints))]
        assert len(same) == 1 and cache.labels[cache.clips["label"][same[0]]] == action.label
        left.remove(same[0])
    assert not left and len(stream.truth) == 15


def _rounded(shown: np.ndarray, clip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    clip = clip - clip[0, 0]
    return (
        (shown.round(3), clip.round(3))
        if len(shown) == len(clip) and np.abs(shown - clip).max() < 1e-3
        else (
            np.zeros(1),
            np.ones(1),
        )
    )


def test_nothing_jumps(cache: Cache) -> None:
    config = StreamConfig(pause_share=0.5)
    for stream in from_cache(cache, np.arange(len(cache)), config):
        steps = np.abs(np.diff(joints_of(stream.recording), axis=0)).max(axis=(1, 2))
        times = stream.recording.times_s
        is_clip = np.zeros(len(steps), dtype=bool)
        for action in stream.truth:
            is_clip |= (times[:-1] >= action.start_s - 1e-6) & (times[1:] <= action.end_s + 1e-6)
        assert steps[is_clip].max() > JUMP_M  # the clips' own movement is kept
        assert steps[~is_clip].max() < JUMP_M


def test_people_stay_near_their_own_place_and_beside_each_other(cache: Cache) -> None:
    (stream,) = from_cache(cache, np.arange(len(cache)), StreamConfig(people=4))
    assert stream.who == {1: "1", 2: "2", 3: "3", 4: "4"}
    together = [frame for frame in stream.recording.frames if len(frame.bodies) == 4]
    hips = np.array([[body.joints[0] for body in frame.bodies] for frame in together])
    assert np.allclose(np.diff(hips[:, :, 0].mean(axis=0)), 0.9, atol=0.2)
    assert np.ptp(hips[..., 0], axis=0).max() < 1.2
    assert {action.person for action in stream.truth} == {1, 2, 3, 4}


def test_a_person_stands_before_between_and_after_the_clips(stream: Stream) -> None:
    starts, ends = ([getattr(action, name) for action in stream.truth] for name in ("start_s", "end_s"))
    assert starts[0] >= 3.0 and stream.recording.duration_s - ends[-1] >= 3.0
    gaps = np.array(starts[1:]) - np.array(ends[:-1])
    assert gaps.min() >= 0.4 and (gaps < 1.2).any() and (gaps > 2.0).any()


def test_the_same_seed_gives_the_same_stream_and_another_one_another(cache: Cache, stream: Stream) -> None:
    clips = np.flatnonzero(cache.clips["subject"] == 2)
    again, other = (next(iter(from_cache(cache, clips, StreamConfig(), seed=seed))) for seed in (4, 5))
    assert again.truth == stream.truth != other.truth
    np.testing.assert_array_equal(joints_of(again.recording), joints_of(stream.recording))


def test_lost_frames_leave_the_truth_as_it_is(cache: Cache, stream: Stream) -> None:
    clips = np.flatnonzero(cache.clips["subject"] == 2)
    (lossy,) = from_cache(cache, clips, StreamConfig(drop_share=0.4), seed=4)
    assert lossy.truth == stream.truth
    count, whole = len(lossy.recording.frames), len(stream.recording.frames)
    assert 0.5 < count / whole < 0.7 and lossy.recording.times_s[0] == 0
    kept = np.searchsorted(stream.recording.times_s, lossy.recording.times_s)
    np.testing.assert_array_equal(joints_of(lossy.recording), joints_of(stream.recording)[kept])


def test_the_floor_goes_along_with_the_sensor_above_it(stream: Stream) -> None:
    assert stream.recording.info.floor == (0.0, 1.0, 0.0, 0.9)
    assert joints_of(stream.recording)[..., 1].min() == pytest.approx(-0.9, abs=0.1)


@pytest.mark.parametrize(
    ("labels", "neighbors"),
    [
        pytest.param([0, 0, 0, 1, 1, 2], 0, id="can be kept apart"),
        pytest.param([0, 0, 0, 0, 1, 2, 3], 0, id="just so"),
        pytest.param([0, 0, 0, 0, 0, 1], 3, id="cannot"),
        pytest.param([7], 0, id="one"),
    ],
)
def test_like_follows_like_only_where_it_must(labels: list[int], neighbors: int) -> None:
    orders = set()
    for seed in range(20):
        order = in_random_order(np.array(labels), np.random.default_rng(seed))
        assert sorted(order) == list(range(len(labels)))
        shown = np.array(labels)[order]
        assert (np.diff(shown) == 0).sum() == neighbors
        orders.add(tuple(order))
    assert len(orders) > 1 or len(labels) == 1


def test_only_some_clips_are_taken_when_asked(cache: Cache) -> None:
    for stream in from_cache(cache, np.arange(len(cache)), StreamConfig(clips=4)):
        assert len(stream.truth) == 4


def pose(*points: tuple[float, float, float], seen: tuple[bool, ...] | None = None) -> Motion:
    return Motion(np.array([points], dtype=np.float32), np.array([seen or [True] * len(points)]))


def test_a_way_sets_off_and_arrives_slowly_and_keeps_lost_joints_lost() -> None:
    one, two = pose((0, 0, 2), (0, 1, 2), (9, 9, 9), seen=(True, True, False)), pose((1, 0, 2), (0, 1, 2), (0, 0, 0))
    path = way(one, two, 9, noise_m=0.0, random=np.random.default_rng(0))
    x = np.concatenate([[0], path.joints[:, 0, 0], [1]])
    steps = np.diff(x)
    assert (steps > 0).all() and steps[0] < 0.05 and steps.max() < 1.5 / 10 + 1e-3 and x[5] == pytest.approx(0.5)
    assert not path.seen[:, 2].any() and (path.joints[:, 2] == 0).all() and path.seen[:, :2].all()


def test_a_far_way_takes_its_time() -> None:
    assert way_frames(0.1, 0.5, rate_hz=30) == 14 and way_frames(3.0, 0.5, rate_hz=30) == 89


def test_who_stands_sways_from_the_ground_up_and_trembles() -> None:
    one = pose((0, 0, 2), (0, 0.9, 2), (0, 1.8, 2), (5, 5, 5), seen=(True, True, True, False))
    random = np.random.default_rng(0)
    still = held(one, 300, Standing(noise_m=0, sway_m=0.05), rate_hz=30, random=random)
    np.testing.assert_array_equal(still.joints[0, :3], one.joints[0, :3])
    moves = np.ptp(still.joints[:, :3], axis=0)
    assert (moves[0] == 0).all() and moves[2, 0] > 0.03 and moves[1, 0] == pytest.approx(moves[2, 0] / 2, rel=1e-3)
    assert np.abs(np.diff(still.joints[:, :3], axis=0)).max() < 0.006 and not still.seen[:, 3].any()
    noisy = held(one, 300, Standing(noise_m=0.004, sway_m=0), rate_hz=30, random=random)
    assert noisy.joints[:, 1].std(axis=0) == pytest.approx([0.004] * 3, rel=0.2)


def test_rest_is_the_pose_that_most_clips_begin_in() -> None:
    names = ("SpineBase", "SpineShoulder", "ShoulderLeft", "ShoulderRight")
    usual = [((0, 0, 2), (0, 0.5, 2), (-0.2, 0.5, 2), (0.2, 0.5 + 0.01 * k, 2)) for k in range(3)]
    strange = ((0, 0, 2), (0.5, 0, 2), (0.5, -0.2, 2), (0.5, 0.2, 2))
    rest = rest_of([pose(*strange), *(pose(*points) for points in usual)], names)
    np.testing.assert_allclose(rest.joints[0, 3], (0.2, 0.51, 2), atol=1e-6)


def test_moving_keeps_heights() -> None:
    one = moved(pose((1, 0.9, 2)), np.array([1, 0.9, 2]), np.array([0, 5, 3]))
    np.testing.assert_allclose(one.joints[0, 0], (0, 0.9, 3))


@pytest.mark.parametrize(
    "assignment",
    ["people=7", "people=0", "drop_share=1.0", "pause_s=[3.0, 1.0]", "transition_s=[0.0, 1.0]", "rate_hz=1.0"],
)
def test_streams_that_cannot_be_are_refused(assignment: str) -> None:
    with pytest.raises(ConfigError):
        settings.load(StreamConfig, assignments=[assignment])


def test_a_recording_with_its_table_is_a_stream(cache: Cache, stream: Stream, tmp_path: Path) -> None:
    file, table = tmp_path / "anna.npz", tmp_path / "truth.csv"
    write_recording(stream.recording, file)
    rows = [f"{action.start_s},{action.end_s},{action.label}" for action in stream.truth]
    table.write_text("\ufeffstart_s,end_s,label\n" + "\n".join(reversed(rows)), encoding="utf-8")
    read = from_recording(file, table)
    assert [(one.start_s, one.end_s, one.label) for one in read.truth] == [
        (one.start_s, one.end_s, one.label) for one in stream.truth
    ]
    assert read.who_is(1) == read.who_is(77) == read.who_is(None)


def test_several_people_need_a_column_that_says_who_acts(cache: Cache, tmp_path: Path) -> None:
    (stream,) = from_cache(cache, np.arange(len(cache)), StreamConfig(people=4, clips=1))
    file, table = tmp_path / "all.npz", tmp_path / "truth.csv"
    write_recording(stream.recording, file)
    table.write_text("start_s,end_s,label\n1,2,squat\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match=r"several people at once.*a column 'body'"):
        from_recording(file, table)
    table.write_text("start_s,end_s,label,body\n1,2,squat,3\n", encoding="utf-8")
    read = from_recording(file, table)
    assert read.who_is(3) == "3" != read.who_is(1) and read.truth[0].person == 3
    table.write_text("start_s,end_s,label,body\n1,2,squat,9\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match="names the body 9, but nobody"):
        from_recording(file, table)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(
            "start_s,label\n1,a\n", "must have the columns start_s, end_s, label, but lacks end_s", id="columns"
        ),
        pytest.param("", "but lacks start_s", id="empty"),
        pytest.param("start_s,end_s,label\n1,x,a\n", "line 2: start_s and end_s must be seconds", id="no number"),
        pytest.param(
            "start_s,end_s,label\n1,2,a\n3,3,a\n", "line 3: an action must start at 0 or later", id="no time"
        ),
        pytest.param("start_s,end_s,label\nnan,2,a\n", "line 2: an action must start", id="nan"),
        pytest.param("start_s,end_s,label\n1,2, \n", "line 2: an action must have a label", id="no label"),
        pytest.param("start_s,end_s,label\n1,2\n", "line 2: an action must have a label", id="short line"),
        pytest.param("start_s,end_s,label,body\n1,2,a,b\n", "line 2: start_s and end_s must be", id="body"),
        pytest.param("start_s,end_s,label,body\n1,2,a,1\n3,4,a,\n", "a body in every line or in none", id="some"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    table = tmp_path / "truth.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingDataError, match=sentence):
        read_truth(table)


def test_a_table_of_other_bytes_or_too_many_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "truth.csv"
    table.write_bytes(b"\xff\xfe\x00start_s,end_s,label\n")
    with pytest.raises(TrainingDataError, match="must be a CSV table in UTF-8"):
        read_truth(table)
    monkeypatch.setattr("training.stream_files.LARGEST_TABLE", 3)
    with pytest.raises(TrainingDataError, match="may have at most"):
        read_truth(table)


def test_scenes_come_from_recordings_folders_and_caches(
    cache: Cache, stream: Stream, synthetic: Path, tmp_path: Path
) -> None:
    write_recording(stream.recording, tmp_path / "walk.npz")
    (tmp_path / "notes.txt.bak").write_text("not a recording", encoding="utf-8")
    for paths, count in (([tmp_path / "walk.npz"], 1), ([tmp_path], 1), ([synthetic], 4), ([tmp_path, synthetic], 5)):
        found = list(scenes(paths, StreamConfig(clips=2)))
        assert len(found) == count
        assert all(not one.truth and one.who_is(1) == BACKGROUND for one in found)


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be recordings or a cache"):
        list(scenes([tmp_path], StreamConfig()))
    with pytest.raises(AppError):
        list(scenes([tmp_path / "nowhere.mcap"], StreamConfig()))


def test_a_body_is_in_view_while_its_motion_lasts(cache: Cache) -> None:
    one = of_clip(cache, 0, rate_hz=30)
    short = Motion(one.joints[:7], one.seen[:7])
    recording = recorded([one, short], cache.layout, rate_hz=30.0, random=np.random.default_rng(0))
    assert [len(frame.bodies) for frame in recording.frames] == [2] * 7 + [1] * (len(one) - 7)


def test_no_clip_of_one_person_is_no_stream(cache: Cache) -> None:
    with pytest.raises(TrainingDataError, match="needs clips of one person"):
        list(from_cache(cache, np.array([], dtype=int), StreamConfig()))


def test_real_clips_make_streams_that_do_not_jump_between_them(real_data: Path, tmp_path: Path) -> None:
    from training.__main__ import main

    zipped = real_data / "machete" / "machete-kinect.zip"
    if not zipped.is_file():
        pytest.skip(f"there is no {zipped}")
    assert main(["prepare", "machete", str(zipped), "--output", str(tmp_path / "machete"), "--workers", "1"]) == 0
    cache = open_cache(tmp_path / "machete")
    test = protocols.split(cache, "odd-even").test
    for stream in from_cache(cache, test, StreamConfig(clips=12)):
        frames = stream.recording.frames
        joints = np.stack([frame.bodies[0].joints for frame in frames])
        steps = np.abs(np.diff(joints, axis=0)).max(axis=(1, 2))
        times = stream.recording.times_s
        is_clip = np.zeros(len(steps), dtype=bool)
        for action in stream.truth:
            is_clip |= (times[:-1] >= action.start_s - 1e-6) & (times[1:] <= action.end_s + 1e-6)
        assert len(stream.truth) == 12 and steps[~is_clip].max() < 0.15  # 1.5 times 1.5 m in half a second
