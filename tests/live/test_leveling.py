"""Leveled live: a tilted sensor is recognized like one that stands level, and without a floor nobody is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from calibration import store
from calibration.floor import Floor, Plane
from calibration.store import Calibration
from live.decision import DecisionConfig
from live.engine import Engine, leveler_for
from live.offline import run
from live.pipeline import Pipeline
from live.recognizer import Recognizer
from live.recording_file import RecordingFile
from live.sources.base import SourceInfo
from live.sources.performer import PerformerSource
from live.sources.replay import ReplaySource
from live.view import PersonState, PipelineView
from skeleton.formats.table import open_recording
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import Recording, RecordingInfo
from tests.calibration.test_floor import tilted
from tests.live import tiny_model
from tests.live.fakes import Watched, wait_until
from tests.live.fakes import recording as hand_recording

pytestmark = pytest.mark.usefixtures("own_settings")
QUICK = DecisionConfig(smoothing_s=0.05, min_duration_s=0.1, cool_down_s=0.1)
HEIGHT_M = 1.3
LEVEL: Plane = (0.0, 1.0, 0.0, HEIGHT_M)
TILT_DEG = 15.0


@pytest.fixture
def leveled_model(tmp_path: Path) -> Path:
    """A model to which every coordinate matters."""
    card = dataclasses.replace(tiny_model.CARD, expects_leveled=True, enter_threshold=0.45, exit_threshold=0.35)
    return tiny_model.write(tmp_path / "leveled.onnx", card, weights=tiny_model.random_weights(card) * 6)


@pytest.fixture
def load(leveled_model: Path) -> Callable[[], Watched]:
    return lambda: Watched(Recognizer(leveled_model, provider="cpu"))


def seen_by(whole: Recording, *, tilt_deg: float, plane: Plane | None = LEVEL, sensor_id: str = "") -> Recording:
    """The same people before a sensor that looks down by so much; ``plane`` is what a level one would report."""
    turn = tilted(tilt_deg)
    if plane is not None:
        x, y, z = (turn @ plane[:3]).tolist()
        plane = (x, y, z, plane[3])
    frames = [
        dataclasses.replace(
            one,
            floor=plane,
            bodies=tuple(dataclasses.replace(body, joints=body.joints @ turn.T) for body in one.bodies),
        )
        for one in whole.frames
    ]
    return Recording(dataclasses.replace(whole.info, sensor_id=sensor_id), whole.times_s, frames)


def performed(duration_s: float = 8.0) -> Recording:
    """What two people of the demo do, seen by a level sensor."""
    with PerformerSource(people=2, seed=3, speed=math.inf) as source:
        frames: list[BodyFrame] = []
        while len(frames) < duration_s * 30:
            one = source.read(1.0)
            assert one is not None
            frames.append(dataclasses.replace(one, floor=None, arrival_s=0.0))
    times_s = np.array([one.time_s for one in frames])
    return Recording(RecordingInfo("performed", None, KINECT_V2), times_s, frames)


def offline(whole: Recording, recognizer: Watched) -> list[PipelineView]:
    return list(run(ReplaySource(whole, speed=math.inf), recognizer, config=QUICK, with_color=False))


def assert_same_windows(found: Watched, wanted: Watched) -> None:
    assert len(found.windows) == len(wanted.windows) > 100
    for one, other in zip(found.windows, wanted.windows):
        assert (one.body_ids, one.end_s) == (other.body_ids, other.end_s)
        np.testing.assert_array_equal(one.seen, other.seen)
        np.testing.assert_allclose(one.joints[one.seen], other.joints[other.seen], atol=1e-5)


def events(views: Sequence[PipelineView]) -> list[tuple[str, int, float]]:
    return [(event.label, event.person, round(event.start_s, 6)) for view in views for event in view.events]


def check_tilted(whole: Recording, load: Callable[[], Watched]) -> None:
    level, down = load(), load()
    straight = offline(seen_by(whole, tilt_deg=0.0), level)
    turned = offline(seen_by(whole, tilt_deg=TILT_DEG), down)
    assert_same_windows(down, level)
    assert events(turned) == events(straight) != []


def test_a_sensor_tilted_by_15_degrees_gives_the_windows_and_events_of_a_level_one(
    load: Callable[[], Watched],
) -> None:
    check_tilted(performed(), load)


@pytest.mark.parametrize("name", ["Ges01_wavehand.csv", "Ges06_chickenwing.csv"])
def test_so_it_does_with_a_real_recording(name: str, real_data: Path, load: Callable[[], Watched]) -> None:
    check_tilted(open_recording(real_data / "labanotation" / name), load)


def test_y_is_the_height_above_the_floor(load: Callable[[], Watched]) -> None:
    whole, watched = performed(3.0), load()
    offline(seen_by(whole, tilt_deg=TILT_DEG), watched)
    window = watched.windows[0]
    ankles = [KINECT_V2.index("AnkleLeft"), KINECT_V2.index("AnkleRight")]
    end = next(one for one in whole.frames if one.time_s == window.end_s)
    body = next(one for one in end.bodies if one.tracking_id == window.body_ids[0])
    np.testing.assert_allclose(window.joints[0, -1, ankles, 1], body.joints[ankles, 1] + HEIGHT_M, atol=1e-5)


def test_a_model_that_does_not_expect_it_gets_joints_as_the_sensor_sees_them(recognizer: Recognizer) -> None:
    whole, watched = hand_recording(60), Watched(recognizer)
    offline(seen_by(whole, tilt_deg=TILT_DEG), watched)
    seen = seen_by(whole, tilt_deg=TILT_DEG).frames[-1].bodies[0]
    np.testing.assert_allclose(watched.windows[-1].joints[0, -1], seen.joints, atol=1e-6)
    assert leveler_for(recognizer.card, SourceInfo("replay", "r", KINECT_V2, is_live=False)) is None


def test_without_a_floor_nobody_is_recognized_and_it_is_said(load: Callable[[], Watched]) -> None:
    watched = load()
    views = offline(hand_recording(60), watched)  # a body that is a slanted line: it does not stand
    assert not watched.windows and not events(views)
    assert views[0].people[0].state is PersonState.WARMING_UP and not views[0].banners
    assert views[-1].people[0].state is PersonState.NO_FLOOR
    (banner,) = views[-1].banners
    assert "'tiny' needs heights above the floor" in banner.text and "stand upright" in banner.text


def test_the_sentence_goes_once_a_floor_is_seen(load: Callable[[], Watched]) -> None:
    whole = hand_recording(120)
    frames = [dataclasses.replace(one, floor=LEVEL if one.index >= 60 else None) for one in whole.frames]
    views = offline(Recording(whole.info, whole.times_s, frames), load())
    assert views[60].banners and not views[-1].banners
    assert views[89].people[0].state is PersonState.NO_FLOOR
    assert views[-1].people[0].state in (PersonState.NOTHING, PersonState.ACTION)


def test_the_floor_that_a_recording_states_levels_it_from_the_start(load: Callable[[], Watched]) -> None:
    whole = seen_by(performed(3.0), tilt_deg=TILT_DEG)
    plane = whole.frames[0].floor
    frames = [dataclasses.replace(one, floor=None) for one in whole.frames]
    stated, seen = load(), load()
    offline(Recording(dataclasses.replace(whole.info, floor=plane), whole.times_s, frames), stated)
    offline(whole, seen)
    assert stated.windows[0].end_s < seen.windows[0].end_s  # a second of planes must come first there
    np.testing.assert_allclose(stated.windows[-1].joints, seen.windows[-1].joints, atol=1e-5)


def test_what_is_stored_of_the_sensor_levels_it(load: Callable[[], Watched]) -> None:
    whole = seen_by(performed(3.0), tilt_deg=TILT_DEG)
    plane = whole.frames[0].floor
    assert plane is not None
    store.save(Calibration(sensor_id="lab 1", floor=Floor.from_plane(plane)))
    blind = seen_by(performed(3.0), tilt_deg=TILT_DEG, plane=None, sensor_id="lab 1")
    stored, seen = load(), load()
    offline(blind, stored)
    offline(whole, seen)
    np.testing.assert_allclose(stored.windows[-1].joints, seen.windows[-1].joints, atol=1e-5)


def test_a_recording_carries_the_calibration_with_it(load: Callable[[], Watched], tmp_path: Path) -> None:
    here, elsewhere = load(), load()
    blind = seen_by(performed(3.0), tilt_deg=TILT_DEG, plane=None, sensor_id="lab 1")
    kept = store.save(Calibration(sensor_id="lab 1", floor=Floor.from_plane(LEVEL)))
    offline(blind, here)
    with RecordingFile(tmp_path / "session.mcap") as file:
        info = SourceInfo("kinect", "lab 1", KINECT_V2, is_live=True, sensor_id="lab 1")
        for one in blind.frames:
            file.append(info, one, None, received_s=one.time_s)
    kept.unlink()  # another computer knows nothing of this sensor
    offline(open_recording(tmp_path / "session.mcap"), elsewhere)
    assert len(elsewhere.windows) == len(here.windows) > 50
    for one, other in zip(elsewhere.windows, here.windows):
        np.testing.assert_allclose(one.joints[one.seen], other.joints[other.seen], atol=1e-5)


def test_in_threads_it_is_decided_as_offline_and_a_new_calibration_counts_at_once(
    load: Callable[[], Watched],
) -> None:
    whole = performed(3.0)
    looped = Recording(dataclasses.replace(whole.info, sensor_id="lab 1"), whole.times_s, _crouching(whole))
    with Pipeline(ReplaySource(looped, is_looping=True), load, config=QUICK) as pipeline:
        view = wait_until(
            lambda: (
                (now := pipeline.poll()).banners
                and {one.state for one in now.people} == {PersonState.NO_FLOOR}
                and now
            ),
            what="the sentence about the floor",
        )
        assert "needs heights above the floor" in view.banners[0].text
        store.save(Calibration(sensor_id="lab 1", floor=Floor.from_plane(LEVEL)))
        pipeline.recalibrate()
        wait_until(
            lambda: (
                not (now := pipeline.poll()).banners
                and {one.state for one in now.people} & {PersonState.NOTHING, PersonState.ACTION}
            ),
            what="the sentence gone and people recognized",
        )


def _crouching(whole: Recording) -> list[BodyFrame]:
    """The same frames without feet: nobody shows where the floor is."""
    feet = KINECT_V2.select(["FootLeft", "FootRight"])

    def without(body: Body) -> Body:
        state = body.state.copy()
        state[feet] = 0
        return dataclasses.replace(body, state=state)

    return [dataclasses.replace(one, bodies=tuple(map(without, one.bodies))) for one in whole.frames]


def test_an_engine_without_a_leveler_refuses_a_model_that_needs_one(load: Callable[[], Watched]) -> None:
    with pytest.raises(ValueError, match="needs a leveler"):
        Engine(load(), KINECT_V2)
