"""The history: windows that equal the offline cut, bodies that come and go, and memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live.history import WARM_UP_SHARE, History
from live.identity import KEEP_S
from skeleton.frames import Body, BodyFrame
from skeleton.window import Window, cut

SPAN_S, T, V = 1.0, 7, 5
JOINTS = np.array([3, 0, 8, 24, 11])


def random_body(key: int, generator: np.random.Generator, *, unseen: float = 0.3) -> Body:
    state = np.where(generator.random(25) < unseen, 0, 2)
    return Body(key, generator.normal(size=(25, 3)), state)


def new_history() -> History:
    return History(JOINTS, span_s=SPAN_S, frame_count=T)


def played(history: History, frames: list[BodyFrame]) -> Iterator[tuple[BodyFrame, tuple[Window, ...]]]:
    for frame in frames:
        generation = history.append(frame)
        assert generation is not None
        snapshot = history.snapshot(frame, generation)
        assert snapshot is not None
        yield frame, snapshot.windows


def offline(frames: list[BodyFrame], key: int, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The cut over everything that was ever seen of a body up to a time."""
    found = [(f.time_s, body) for f in frames for body in f.bodies if body.tracking_id == key and f.time_s <= end_s]
    return cut(
        np.array([time_s for time_s, _ in found]),
        np.stack([body.joints[JOINTS] for _, body in found]),
        np.stack([body.seen[JOINTS] for _, body in found]),
        start_s=end_s - SPAN_S,
        end_s=end_s,
        frame_count=T,
    )


def assert_windows_equal_the_cut(frames: list[BodyFrame], *, at_least: int) -> None:
    compared = 0
    for frame, windows in played(new_history(), frames):
        for window in windows if frame.index % 3 == 0 else ():
            joints, seen = offline(frames, window.body_ids[0], frame.time_s)
            np.testing.assert_array_equal(window.seen[0], seen)
            np.testing.assert_allclose(window.joints[0], joints, atol=1e-5)
            compared += 1
    assert compared >= at_least


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), rate_hz=st.sampled_from([9.0, 15.0, 30.0, 60.0]), unseen=st.floats(0.0, 0.97))
def test_live_windows_equal_the_cut_over_everything_seen_so_far(seed: int, rate_hz: float, unseen: float) -> None:
    generator = np.random.default_rng(seed)
    count = int(3 * rate_hz)
    # Frames are late, early and dropped, but no body is away for long.
    times = 5e4 + np.cumsum(generator.uniform(0.2, 1.8, size=count) / rate_hz)
    # One of three is missing in every fifth frame.
    frames = [
        BodyFrame(
            i,
            float(t),
            bodies=tuple(
                random_body(key, generator, unseen=unseen)
                for place, key in enumerate((7, 2**60, 12))
                if place == 0 or i % 5 != place
            ),
        )
        for i, t in enumerate(times)
    ]
    assert_windows_equal_the_cut(frames, at_least=count // 4)


def test_a_joint_unseen_for_seconds_is_masked_as_offline() -> None:
    generator = np.random.default_rng(3)
    frames = []
    for index in range(150):
        body = random_body(1, generator, unseen=0.0)
        state = np.array(body.state)
        if 20 <= index < 110:
            state[[3, 8]] = 0  # joints 0 and 2 of the model
        frames.append(BodyFrame(index, index / 30, bodies=(Body(1, body.joints, state),)))
    assert_windows_equal_the_cut(frames, at_least=30)


def test_a_window_is_offered_from_the_documented_share_of_the_span() -> None:
    generator = np.random.default_rng(0)
    frames = [BodyFrame(i, 1000 + i / 30, bodies=(random_body(1, generator),)) for i in range(40)]
    first = next(frame for frame, windows in played(new_history(), frames) if windows)
    assert first.time_s - frames[0].time_s == pytest.approx(WARM_UP_SHARE * SPAN_S, abs=1e-3)


def test_every_body_in_view_gets_its_own_window_and_others_none() -> None:
    generator = np.random.default_rng(0)
    history = new_history()
    frames = [
        BodyFrame(
            i, i / 30, bodies=tuple(random_body(key, generator) for key in range(6) if not (key == 4 and i > 35))
        )
        for i in range(40)
    ]
    *_, (frame, windows) = played(history, frames)
    assert [window.body_ids for window in windows] == [(0,), (1,), (2,), (3,), (5,)]
    assert {window.end_s for window in windows} == {frame.time_s}
    snapshot = history.snapshot(frame, 0)
    assert snapshot is not None
    assert [body.is_in_view for body in snapshot.bodies] == [True, True, True, True, False, True]


@pytest.mark.parametrize(
    ("away_s", "is_kept"),
    [pytest.param(KEEP_S - 0.1, True, id="back in time"), pytest.param(KEEP_S + 0.1, False, id="back too late")],
)
@pytest.mark.parametrize("frames_between", [True, False])
def test_a_body_out_of_view_for_long_starts_anew(away_s: float, is_kept: bool, frames_between: bool) -> None:
    generator = np.random.default_rng(0)
    history = new_history()
    present = [BodyFrame(i, i / 30, bodies=(random_body(1, generator),)) for i in range(45)]
    last_s = present[-1].time_s
    empty = [BodyFrame(0, float(t)) for t in np.arange(last_s + 1 / 30, last_s + away_s - 1e-3, 1 / 30)]
    back = BodyFrame(0, last_s + away_s, bodies=(random_body(1, generator),))
    *_, (_, windows) = played(history, [*present, *(empty if frames_between else []), back])
    assert bool(windows) == is_kept


def test_a_clock_that_jumps_back_forgets_everything_before() -> None:
    generator = np.random.default_rng(0)
    history = new_history()
    frames = [BodyFrame(i, 50 + i / 30, bodies=(random_body(1, generator),)) for i in range(60)]
    assert [history.append(frame) for frame in frames] == [0] * 60
    assert history.append(BodyFrame(0, 20.0, bodies=(random_body(1, generator),))) == 1
    assert history.snapshot(frames[-1], 0) is None
    assert history.frames_kept == 1


def test_clearing_forgets_although_time_goes_on() -> None:
    generator = np.random.default_rng(0)
    history = new_history()
    for i in range(60):
        history.append(BodyFrame(i, i / 30, bodies=(random_body(1, generator),)))
    history.clear()
    assert history.append(BodyFrame(60, 2.0, bodies=(random_body(1, generator),))) == 1
    assert history.frames_kept == 1


def test_a_frame_with_the_time_of_the_one_before_is_left_out() -> None:
    generator = np.random.default_rng(0)
    history = new_history()
    frame = BodyFrame(0, 1.0, bodies=(random_body(1, generator),))
    assert history.append(frame) == 0
    assert history.append(BodyFrame(1, 1.0, bodies=(random_body(1, generator),))) is None
    assert history.frames_kept == 1


def test_a_window_asked_for_late_ends_at_its_own_frame() -> None:
    generator = np.random.default_rng(5)
    history = new_history()
    frames = [BodyFrame(i, i / 30, bodies=(random_body(1, generator),)) for i in range(80)]
    for frame in frames:
        history.append(frame)
    snapshot = history.snapshot(frames[70], 0)
    assert snapshot is not None
    joints, seen = offline(frames, 1, frames[70].time_s)
    np.testing.assert_array_equal(snapshot.windows[0].seen[0], seen)
    np.testing.assert_allclose(snapshot.windows[0].joints[0], joints, atol=1e-5)


def test_a_body_that_is_back_before_its_absence_is_asked_for_is_not_forgotten() -> None:
    generator = np.random.default_rng(5)
    history = new_history()
    frames = [BodyFrame(i, i / 30, bodies=() if 40 <= i < 45 else (random_body(1, generator),)) for i in range(50)]
    for frame in frames:
        history.append(frame)
    snapshot = history.snapshot(frames[43], 0)
    assert snapshot is not None
    assert [(body.body_id, body.is_in_view) for body in snapshot.bodies] == [(1, False)]
    assert snapshot.windows == ()


def test_a_window_asked_for_much_too_late_is_not_given() -> None:
    generator = np.random.default_rng(5)
    history = new_history()
    frames = [BodyFrame(i, i / 30, bodies=(random_body(1, generator),)) for i in range(200)]
    for frame in frames:
        history.append(frame)
    assert [history.snapshot(frames[index], 0) is None for index in (0, 60, 183, 185, 199)] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_memory_stays_bounded_for_a_long_session_a_fast_source_and_ids_that_never_return() -> None:
    generator = np.random.default_rng(0)
    body = random_body(1, generator)
    history, kept = new_history(), []
    for index in range(30 * 120):
        history.append(BodyFrame(index, index / 30, bodies=(body,)))
        kept.append(history.frames_kept)
    assert max(kept[1000:]) == max(kept[100:200]) <= 30 * (SPAN_S + 1.0)
    fast = new_history()
    for index in range(10_000):
        fast.append(BodyFrame(index, index * 1e-6, bodies=(body,)))
    assert fast.frames_kept <= 8192
    strangers = new_history()
    for index in range(1000):
        strangers.append(BodyFrame(index, index / 30, bodies=(Body(index, body.joints, body.state),)))
    assert strangers.frames_kept <= 30
