"""Leveled in training as live: the same recording gives the same joints to both, and the same events."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from calibration import store
from calibration.floor import Floor
from calibration.leveling import floor_of, level
from calibration.store import Calibration
from live.offline import run
from live.recognizer import Recognizer
from live.sources.replay import ReplaySource
from live.view import PipelineView
from models.card import ModelCard
from models.export import CheckWindows
from skeleton.errors import TrainingDataError
from skeleton.formats.table import open_recording, write_recording
from skeleton.recording import Recording
from tests.calibration.test_floor import tilted
from tests.live import tiny_model
from tests.live.test_leveling import HEIGHT_M, LEVEL, QUICK, TILT_DEG, Watched, events, performed, seen_by
from tests.training.conftest import DESCRIPTION, SMALL, clips
from training import batches, cache_writer, clip, config, export, train
from training.cache import Cache, open_cache
from training.clip_windows import live_window, whole_window
from training.datasets.base import UNKNOWN_FLOOR
from training.datasets.folder import FOLDER, FolderOptions

pytestmark = pytest.mark.usefixtures("own_settings")
CPU = torch.device("cpu")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write(tmp_path / "leveled.onnx", expects_leveled=True)


def one_person() -> Recording:
    """One person of the demo from the moment they are there, before a sensor that looks down, recorded with floor."""
    whole = performed(12.0)
    chosen = whole.frames[-1].bodies[0].tracking_id
    frames = [
        dataclasses.replace(one, bodies=tuple(body for body in one.bodies if body.tracking_id == chosen))
        for one in whole.frames
    ]
    frames = [one for one in frames if one.bodies]
    times_s = np.array([one.time_s for one in frames])
    return seen_by(Recording(whole.info, times_s, frames), tilt_deg=TILT_DEG, sensor_id="lab 1")


def prepared(folder: Path, *recordings: Recording) -> Cache:
    """The cache of recordings of one's own."""
    for number, whole in enumerate(recordings):
        for label in ("left", "right"):
            file = folder / "own" / label / f"anna_{number}.mcap"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_recording(whole, file)
    listing = FOLDER.look(folder / "own", FolderOptions())
    with FOLDER.reader(folder / "own", FolderOptions(), listing.description) as load:
        cache_writer.write(folder / "cache", listing.description, (load(item) for item in listing.items))
    return open_cache(folder / "cache")


def spoken(views: Iterable[PipelineView]) -> list[tuple[str, float]]:
    """What was recognized, and when."""
    return [(label, round(start_s, 3)) for label, _, start_s in events(list(views))]


def test_training_and_live_level_the_same_recording_alike(tmp_path: Path, model: Path) -> None:
    whole = one_person()
    cache = prepared(tmp_path, whole)
    live = Watched(Recognizer(model, provider="cpu"))
    replayed = tmp_path / "own" / "left" / "anna_0.mcap"
    found = list(run(ReplaySource(replayed, speed=math.inf), live, config=QUICK, with_color=False))
    card = live.card
    start_s = float(open_recording(replayed).times_s[0])
    windows = [window for window in live.windows if window.end_s - start_s > card.span_s + 0.3]
    assert len(windows) > 100
    for window in windows[:: len(windows) // 20]:
        offline = live_window(cache, 0, card, end_s=window.end_s - start_s)
        np.testing.assert_array_equal(offline.seen, window.seen)
        np.testing.assert_allclose(offline.joints[offline.seen], window.joints[window.seen], atol=1e-5)
    trained = batches.load(cache, np.array([0]), CPU, is_leveled=True)
    joints, seen = batches.resample(trained, batches.whole_times(trained.duration_s, card.frames))
    whole_clip = whole_window(cache, 0, card)
    np.testing.assert_array_equal(seen[0].numpy(), whole_clip.seen)
    np.testing.assert_allclose(joints[0].numpy()[whole_clip.seen], whole_clip.joints[whole_clip.seen], atol=1e-5)
    clip.write(cache, [0], tmp_path / "clip.mcap")
    again = run(ReplaySource(tmp_path / "clip.mcap", speed=math.inf), Recognizer(model, provider="cpu"), config=QUICK)
    # A clip states its floor, so it is recognized a second earlier; from then on both say the same.
    assert [one for one in spoken(again) if one[1] > 2.0] == [one for one in spoken(found) if one[1] > 2.0] != []


def test_both_ways_of_holding_the_clips_level_them_by_the_floor_of_each(tmp_path: Path) -> None:
    turns = (0.0, TILT_DEG, -10.0)
    flat = [dataclasses.replace(one, floor=UNKNOWN_FLOOR) for one in clips()][:3]
    raised = [one.joints - np.float32([0, HEIGHT_M, 0]) for one in flat]
    turned = [
        dataclasses.replace(
            one,
            joints=joints @ tilted(turn).T.astype(np.float32),
            floor=np.append(tilted(turn) @ LEVEL[:3], HEIGHT_M),
        )
        for one, joints, turn in zip(flat, raised, turns)
    ]
    cache_writer.write(tmp_path / "cache", DESCRIPTION, iter(turned))
    cache = open_cache(tmp_path / "cache")
    order = np.array([2, 0, 1])
    for is_held in (True, False):
        taken = batches.Shelf(cache, CPU, is_held=is_held, is_leveled=True).take(order)
        for row, index in enumerate(order):
            first = int(taken.starts[row])
            rows = taken.source.joints[first : first + int(taken.frames[row])].numpy()
            np.testing.assert_allclose(rows, flat[index].joints, atol=1e-5)


def test_a_clip_without_a_floor_is_a_sentence(tmp_path: Path) -> None:
    some = [dataclasses.replace(one, floor=UNKNOWN_FLOOR) if n == 4 else one for n, one in enumerate(clips())]
    cache_writer.write(tmp_path / "cache", DESCRIPTION, iter(some))
    chosen = config.load(assignments=[*SMALL, "epochs=1", "leveled=true"])
    with pytest.raises(TrainingDataError, match="1 of 60 have none, such as 'raise left/1-4'") as caught:
        train.train(data=tmp_path / "cache", protocol="odd-even", output=tmp_path / "run", settings=chosen)
    assert "leveled=false" in caught.value.remedy


@pytest.mark.parametrize("leveled", [True, False])
def test_the_card_says_what_the_model_expects(
    tmp_path: Path, synthetic: Path, leveled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[ModelCard, CheckWindows]] = []
    monkeypatch.setattr(export, "write_model", lambda network, card, output, check: written.append((card, check)))
    chosen = config.load(assignments=[*SMALL, "epochs=1", f"leveled={str(leveled).lower()}"])
    trained = train.train(
        data=synthetic, protocol="odd-even", output=tmp_path / "run", settings=chosen, is_exported=False
    )
    export.export(trained.path, tmp_path / "m.onnx")
    [(card, check)] = written
    assert card.expects_leveled is leveled and card.recipe["leveled"] is leveled
    assert check.joints.shape[2] == card.frames


def test_what_is_stored_of_the_sensor_levels_its_recordings_in_training_too(tmp_path: Path) -> None:
    whole = one_person()
    found = floor_of(whole)
    assert found is not None and found.plane == pytest.approx(whole.frames[0].floor)
    plane = (*(tilted(TILT_DEG - 1) @ LEVEL[:3]).tolist(), HEIGHT_M)
    store.save(Calibration(sensor_id="lab 1", floor=Floor.from_plane(plane)))
    cache = prepared(tmp_path, whole)
    assert cache.floor(0) == pytest.approx(plane)
    raw = cache.track(0)[1]
    leveled = batches.load(cache, np.array([0]), CPU, is_leveled=True).source.joints[:, 0].numpy()
    is_seen = cache.track(0)[2]
    np.testing.assert_allclose(leveled[is_seen], level(raw, plane)[is_seen], atol=1e-5)
