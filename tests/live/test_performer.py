"""The synthetic performers: bodies that hold together, move without jumps, keep apart, and look real to a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks import performer_realism
from live.recognizer import Recognizer
from live.sources.base import SourceStatus, Transport
from live.sources.clock import Clock
from live.sources.performer import EXERCISES, LEFT, RIGHT, PerformerSource, perform, random_person
from live.sources.performer_agenda import Claim
from live.sources.performer_body import ANKLES, BONES, HEIGHT_RANGE_M, Person
from live.sources.performer_clips import Clip
from live.sources.performer_moves import Moves
from live.sources.performer_sensor import in_view
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2, NOT_TRACKED, TRACKED

SHOULDER_LEFT, SHOULDER_RIGHT = KINECT_V2.index("ShoulderLeft"), KINECT_V2.index("ShoulderRight")
LONG_S = 60.0


class HandClock(Clock):
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 50.0

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        assert duration_s < 60, "nobody should sleep that long"
        self.time_s += max(duration_s, 0.0)


def play(people: int, seed: int, duration_s: float) -> tuple[list[BodyFrame], PerformerSource]:
    source = PerformerSource(people, seed, speed=math.inf)
    source.open()
    frames: list[BodyFrame] = []
    while not frames or frames[-1].time_s < duration_s:
        frame = source.read(timeout_s=1.0)
        assert frame is not None
        frames.append(frame)
    return frames, source


@pytest.fixture(scope="module")
def crowd() -> tuple[list[BodyFrame], PerformerSource]:
    """Six people for a good while."""
    return play(6, 3, LONG_S)


@pytest.fixture(scope="module")
def everything() -> list[tuple[Person, list[Clip]]]:
    """Three people who walk in, do everything with both sides, and walk out."""
    made = []
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        person = random_person(rng)
        moves = Moves(person, rng, 0.0)
        clips = moves.walk_in(-20.0, 4)
        for label in EXERCISES:
            for side in (LEFT, RIGHT):
                clips += moves.stand(0.7) + moves.exercise(label, side, 1)
        made.append((person, clips + moves.walk_out(170.0, 3)))
    return made


def sampled(everything: list[tuple[Person, list[Clip]]]) -> Iterator[tuple[Person, Clip, np.ndarray]]:
    for person, clips in everything:
        for clip in clips:
            yield person, clip, clip.joints(np.linspace(clip.start_s, clip.end_s, 17), person)


def test_people_differ_and_have_human_sizes() -> None:
    rng = np.random.default_rng(4)
    people = [random_person(rng) for _ in range(50)]
    heights = [person.height_m for person in people]
    assert HEIGHT_RANGE_M[0] <= min(heights) < 1.6 < 1.85 < max(heights) <= HEIGHT_RANGE_M[1]
    assert np.ptp([person.lengths_m[0] / person.height_m for person in people]) > 0.01


def test_bones_keep_their_lengths(everything: list[tuple[Person, list[Clip]]]) -> None:
    for person, _, joints in sampled(everything):
        lengths = np.stack([np.linalg.norm(joints[:, b] - joints[:, a], axis=1) for a, b in BONES], axis=1)
        np.testing.assert_allclose(lengths, np.tile(person.lengths_m, (len(joints), 1)), atol=1e-9)


def test_nobody_sinks_into_the_floor_or_leaves_it(everything: list[tuple[Person, list[Clip]]]) -> None:
    for person, _, joints in sampled(everything):
        assert joints[:, :, 1].min() > -0.03
        ankle_m = joints[:, ANKLES, 1].min(axis=1)
        assert (np.abs(ankle_m - 0.045 * person.height_m) < 0.02).all()


def test_the_feet_that_carry_do_not_slide(everything: list[tuple[Person, list[Clip]]]) -> None:
    for _, clip, joints in sampled(everything):
        for side in clip.stance if clip.is_planted else ():
            assert np.ptp(joints[:, ANKLES[side]][:, [0, 2]], axis=0).max() < 0.01


def test_movements_follow_one_another_without_a_jump(everything: list[tuple[Person, list[Clip]]]) -> None:
    for person, clips in everything:
        for before, after in pairwise(clips):
            assert before.end_s == after.start_s
            moment = np.array([after.start_s])
            np.testing.assert_allclose(before.joints(moment, person), after.joints(moment, person), atol=1e-6)


def test_nothing_moves_faster_than_people_do(everything: list[tuple[Person, list[Clip]]]) -> None:
    for _, clip, joints in sampled(everything):
        step_s = (clip.end_s - clip.start_s) / (len(joints) - 1)
        assert np.linalg.norm(np.diff(joints, axis=0), axis=2).max() / step_s < 7.0


def test_a_walk_in_ends_at_the_persons_place() -> None:
    rng = np.random.default_rng(8)
    moves = Moves(random_person(rng), rng, 0.0)
    clips = moves.walk_in(10.0, 4)
    np.testing.assert_allclose(moves.at_m, 0.0, atol=1e-9)
    assert clips[0].at_m[1] > 1.5, "people come from behind"


@pytest.mark.parametrize("label", [name for name, exercise in EXERCISES.items() if exercise.has_sides])
def test_the_other_side_is_the_mirror_image(label: str) -> None:
    exercise = EXERCISES[label]
    for pose in (exercise.start, exercise.peak):
        left = np.zeros((25, 3))
        right = np.zeros((25, 3))
        for bone, (parent, child) in enumerate(BONES):
            left[child] = left[parent] + pose.directions(LEFT)[bone]
            right[child] = right[parent] + pose.directions(RIGHT)[bone]
        np.testing.assert_allclose(left, right[KINECT_V2.mirror_order()] * (-1, 1, 1), atol=1e-12)


@pytest.mark.parametrize("label", list(EXERCISES))
def test_who_faces_the_sensor_has_the_left_shoulder_at_the_smaller_x(label: str) -> None:
    rng = np.random.default_rng(5)
    for side in (LEFT, RIGHT):
        _, joints, _ = perform(label, random_person(rng), rng, side=side)
        assert (joints[:, SHOULDER_LEFT, 0] < joints[:, SHOULDER_RIGHT, 0]).all()


def test_a_repetition_begins_and_ends_in_the_start_pose(everything: list[tuple[Person, list[Clip]]]) -> None:
    for _, clip, joints in sampled(everything):
        if clip.label is not None:
            away = np.linalg.norm(joints - joints[0], axis=2).max(axis=1)
            assert away[-1] < 0.08 < 0.20 < away[len(away) // 2], clip.label


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    first, again, other = (play(2, seed, 4.0)[0] for seed in (7, 7, 8))
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) != fingerprint(other)


def test_the_frames_are_the_same_at_every_speed() -> None:
    clock = HandClock()
    with PerformerSource(2, 7, speed=1.0, clock=clock) as source:
        slow = [frame for _ in range(120) if (frame := source.read(timeout_s=0.5)) is not None]
    assert fingerprint(slow) == fingerprint(play(2, 7, 10.0)[0][:120])


def fingerprint(frames: list[BodyFrame]) -> list[object]:
    return [
        (f.time_s, [(b.tracking_id, b.joints.tobytes(), b.state.tobytes(), b.hands) for b in f.bodies])
        for f in frames
    ]


@pytest.mark.parametrize("speed", [0.5, 1.0, 3.0])
def test_frames_come_when_they_are_due(speed: float) -> None:
    clock = HandClock()
    with PerformerSource(1, 0, speed=speed, clock=clock) as source:
        frames = [source.read(timeout_s=0.5) for _ in range(61)]
    assert clock.time_s - 50.0 == pytest.approx(60 / 30 / speed, abs=0.01)
    arrivals = np.diff([frame.arrival_s for frame in frames if frame is not None])
    assert arrivals == pytest.approx(1 / 30 / speed, abs=0.02)


def test_it_counts_as_live_but_waits_when_told_to() -> None:
    clock = HandClock()
    source = PerformerSource(1, 0, clock=clock)
    assert source.open().is_live
    assert source.read(timeout_s=0.1) is not None
    source.apply(Transport(play=False))
    assert source.status is SourceStatus.PAUSED
    assert source.read(timeout_s=0.1) is None
    clock.sleep(30.0)
    source.apply(Transport(play=True))
    frame = source.read(timeout_s=0.1)
    assert source.status is SourceStatus.STREAMING
    assert frame is not None and frame.index == 1, "nothing is skipped after a pause"
    source.close()


def test_a_reader_that_was_held_up_goes_on_at_the_usual_pace() -> None:
    clock = HandClock()
    with PerformerSource(1, 0, clock=clock) as source:
        source.read(timeout_s=0.5)
        clock.sleep(3.0)
        source.read(timeout_s=0.5)
        resumed_s = clock.now_s()
        for _ in range(30):
            assert source.read(timeout_s=0.5) is not None
    assert clock.now_s() - resumed_s == pytest.approx(1.0, abs=0.02)


def test_time_increases_and_is_a_little_uneven(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    steps_s = np.diff([frame.time_s for frame in crowd[0]])
    assert (steps_s > 0.01).all()
    assert steps_s.mean() == pytest.approx(1 / 30, rel=1e-3)
    assert 0.0003 < steps_s.std() < 0.003


def test_six_people_at_once_and_an_empty_stage_before_them() -> None:
    counts = {len(frame.bodies) for frame in play(6, 3, 12.0)[0]}
    assert {0, 6} <= counts <= set(range(7))


@pytest.mark.parametrize("people", [0, 7])
def test_no_other_number_of_people_is_taken(people: int) -> None:
    with pytest.raises(ValueError, match="1 to 6"):
        PerformerSource(people)


def test_people_leave_and_others_come_under_new_numbers_beyond_a_float() -> None:
    frames, source = play(1, 2, 140.0)
    ids = [frame.bodies[0].tracking_id if frame.bodies else None for frame in frames]
    changes = [body for body, before in zip(ids[1:], ids) if body != before]
    assert None in changes[1:] and len(set(ids) - {None}) >= 2
    assert all(body > 2**53 for body in ids if body is not None)
    done = source.performances(140.0)
    assert {p.body_id for p in done} <= set(ids), "who has left is remembered"


def flesh_of(body: Body) -> np.ndarray:
    """(N, 3) points along the bones that the sensor tracks."""
    first, second = (body.joints[[bone[end] for bone in BONES]] for end in (0, 1))
    tracked = np.array([body.state[a] == TRACKED and body.state[b] == TRACKED for a, b in BONES])
    shares = np.linspace(0, 1, 4)[:, None, None]
    return (first * (1 - shares) + second * shares)[:, tracked].reshape(-1, 3)


def test_people_do_not_touch(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    nearest = np.inf
    for frame in crowd[0][::10]:
        flesh = [flesh_of(body) for body in frame.bodies]
        for i, one in enumerate(flesh):
            for other in flesh[i + 1 :]:
                nearest = min(nearest, float(np.linalg.norm(one[:, None] - other, axis=2).min()))
    assert nearest > 0.05


def test_whoever_exercises_is_in_view(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    frames, source = crowd
    done = source.performances(LONG_S)
    for frame in frames[::5]:
        busy = {p.body_id for p in done if p.start_s <= frame.time_s < p.end_s}
        for body in frame.bodies:
            if body.tracking_id in busy:
                assert in_view(body.joints[body.state == TRACKED] * (0.98, 0.98, 1)).all()
                assert body.clipped_edges == 0


def test_every_label_occurs_on_both_sides_with_pauses_between() -> None:
    done = play(2, 1, 120.0)[1].performances(120.0)
    assert {p.label for p in done} == set(EXERCISES)
    assert {p.side for p in done} == {"left", "right", ""}
    assert all((p.side == "") == (not EXERCISES[p.label].has_sides) for p in done)
    pauses_s = []
    for body_id in {p.body_id for p in done}:
        own = [p for p in done if p.body_id == body_id]
        pauses_s += [after.start_s - before.end_s for before, after in pairwise(own)]
    assert min(pauses_s) >= 0.2 and max(pauses_s) > 2.0


def test_the_truth_lies_where_the_motion_is(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    frames, source = crowd
    tracks = defaultdict(list)
    for frame in frames:
        for body in frame.bodies:
            tracks[body.tracking_id].append((frame.time_s, body.joints[:20], body.state[:20]))
    done = source.performances(LONG_S)
    assert len(done) > 30 and all(p.end_s <= LONG_S for p in done)
    for performance in done:
        times_s, joints, state = (np.array(column) for column in zip(*tracks[performance.body_id]))
        inside = (times_s >= performance.start_s) & (times_s < performance.end_s)
        assert inside.sum() > 30
        share = (times_s[inside] - performance.start_s) / (performance.end_s - performance.start_s)
        known = (state[inside] > NOT_TRACKED) & (state[inside][0] > NOT_TRACKED)
        away = np.where(known, np.linalg.norm(joints[inside] - joints[inside][0], axis=2), 0.0).max(axis=1)
        assert away[(share < 0.03) | (share > 0.97)].max() < 0.2, performance
        assert away[(share > 0.4) & (share < 0.6)].max() > 0.25, performance


def test_only_what_was_done_by_then_is_told(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    done = crowd[1].performances(30.0)
    assert done and all(p.end_s <= 30.0 for p in done)
    assert [p.start_s for p in done] == sorted(p.start_s for p in done)


def test_some_joints_are_inferred_and_few_are_lost_and_then_lie_at_the_origin(
    crowd: tuple[list[BodyFrame], PerformerSource],
) -> None:
    states = np.concatenate([body.state for frame in crowd[0] for body in frame.bodies])
    lost, inferred, _ = np.bincount(states, minlength=3) / len(states)
    assert 0.001 < lost < 0.02 and 0.02 < inferred < 0.25
    assert all(not body.joints[body.state == 0].any() for frame in crowd[0][::7] for body in frame.bodies)


def test_hand_states_are_told_for_two_people_only(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    frames = [frame for frame in crowd[0] if len(frame.bodies) > 2]
    assert all(body.hands == (0, 0) for frame in frames for body in frame.bodies[2:])
    assert {hand for frame in frames for body in frame.bodies[:2] for hand in body.hands} == {0, 1, 2, 3}


def test_the_floor_is_where_the_feet_are(crowd: tuple[list[BodyFrame], PerformerSource]) -> None:
    for frame in crowd[0][100::300]:
        assert frame.floor is not None
        heights = [
            body.joints[ankle] @ np.array(frame.floor[:3]) + frame.floor[3]
            for body in frame.bodies
            for ankle in ANKLES
            if body.state[ankle] == TRACKED
        ]
        assert min(heights) > 0.03
        assert 0.9 <= frame.floor[3] <= 1.0


def test_claims_meet_only_where_and_when_both_are() -> None:
    claim = Claim(left=0.0, right=1.0, near=2.0, far=3.0, from_s=5.0, until_s=9.0)
    assert claim.meets(replace(claim, left=0.9, right=2.0, near=2.9, far=4.0, from_s=8.9, until_s=20.0))
    for change in (
        {"left": 1.1, "right": 2.0},
        {"near": 3.1, "far": 4.0},
        {"from_s": 9.0, "until_s": 10.0},
    ):
        assert not claim.meets(replace(claim, **change))


def test_a_model_of_real_people_recognizes_four_of_five_repetitions() -> None:
    if not performer_realism.MODEL.is_file():
        pytest.skip("models/pretrained has no exercises.onnx")
    recognizer = Recognizer(performer_realism.MODEL, provider="cpu")
    assert recognizer.card.trained_on["dataset"] == "ui-prmd", "real people only"
    single = performer_realism.repetitions(recognizer, count=60, seed=1)
    assert performer_realism.share_right(single) >= performer_realism.AIM
    streamed = performer_realism.in_the_stream(recognizer, duration_s=60.0, seed=1)
    assert len(streamed) > 15
    assert performer_realism.share_right(streamed) >= performer_realism.AIM
