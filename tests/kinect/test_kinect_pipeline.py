"""The scripted sensor under the whole pipeline: plugged in, unplugged, plugged in again, taken away."""

from __future__ import annotations

import gc
import math
import time
from pathlib import Path

import numpy as np
import pytest

from live.pipeline import Pipeline
from live.sources.base import SourceStatus
from live.sources.kinect_v2 import KinectV2Source
from live.sources.replay import ReplaySource
from live.view import PipelineView
from skeleton.formats.table import open_recording
from tests.kinect.sensor import FLOOR, Kinect, eventually
from tests.kinect.windows import Windows, sensor_threads
from tests.recordings import FIRST_ID, walking_body

WAIT_S = 60.0


def wait_for(pipeline: Pipeline, condition: object) -> PipelineView:
    """Polls until a view fulfills a condition."""
    give_up_s = time.monotonic() + WAIT_S
    while time.monotonic() < give_up_s:
        view = pipeline.poll()
        if condition(view):  # type: ignore[operator]
            return view
        time.sleep(0.005)
    pytest.fail(f"no such view; the last one: {view.status}, {view.banners}, frame {view.frame}")


def shows(time_s: float) -> object:
    return lambda view: view.frame is not None and view.frame.time_s == pytest.approx(time_s)


def has_opened(kinect: Kinect, times: int = 1) -> bool:
    """Whether somebody listens and has asked the mapper, which comes last, so many times."""
    return eventually(
        lambda: {"body", "color"} <= kinect.events.keys() and kinect.mapped_points >= 300 * times, within_s=WAIT_S
    )


@pytest.fixture
def source(kinect: Kinect) -> KinectV2Source:
    """Waits for an unplugged sensor for as long as the test takes, so that it is lost once and found once."""
    return KinectV2Source(available_s=WAIT_S)


def test_a_sensor_that_is_unplugged_comes_back_by_itself(kinect: Kinect, source: KinectV2Source) -> None:
    with Pipeline(source, None, first_delay_s=0.02) as pipeline:
        assert has_opened(kinect)
        kinect.send_picture(np.full((1080, 1920, 4), (3, 2, 1, 255), dtype=np.uint8))
        kinect.send(walking_body(0.0), walking_body(0.0, 1), time_s=10.0)
        view = wait_for(pipeline, shows(10.0))
        assert view.source is not None and view.source.name == "Kinect v2 012345670147"
        assert sorted(body.tracking_id for body in view.frame.bodies) == [FIRST_ID, FIRST_ID + 1]
        assert view.image is not None and view.image[500, 900].tolist() == [1, 2, 3]

        kinect.is_available = False
        view = wait_for(pipeline, lambda view: view.status is SourceStatus.LOST and view.banners)
        assert any("unplugged or lost power" in banner.text for banner in view.banners)

        kinect.is_available = True
        assert has_opened(kinect, 2)
        kinect.send(walking_body(0.0, 2), time_s=0.5)
        view = wait_for(pipeline, shows(0.5))
        assert view.status is SourceStatus.STREAMING and not view.banners
    assert eventually(lambda: kinect.closed == 2 and sensor_threads() == 0)
    assert kinect.opened == 2
    gc.collect()
    assert eventually(lambda: not kinect.com.alive)


def test_a_recording_goes_on_with_a_gap_while_the_sensor_is_unplugged(
    kinect: Kinect, source: KinectV2Source, tmp_path: Path
) -> None:
    path, reds = tmp_path / "squats.mcap", (40, 120, 200)
    with Pipeline(source, None, first_delay_s=0.02) as pipeline:
        pipeline.record(path, with_video=True)
        assert has_opened(kinect)
        for k, red in enumerate(reds):
            if k == 2:
                kinect.is_available = False
                wait_for(pipeline, lambda view: view.status is SourceStatus.LOST)
                kinect.is_available = True
                assert has_opened(kinect, 2)
            time_s = 0.5 if k == 2 else 10 + k / 30
            kinect.send_picture(np.full((1080, 1920, 4), (3, 2, red, 255), dtype=np.uint8))
            kinect.send(walking_body(0.0), walking_body(0.0, 1), time_s=time_s)
            wait_for(pipeline, lambda view, k=k: view.recording.frames == k + 1)
    found = open_recording(path)
    assert found.info.sensor_id == "012345670147" and found.info.color_map is not None
    assert found.frames[0].floor == pytest.approx(FLOOR) and found.gaps() == [2]
    assert found.info.floor is None  # nobody has calibrated this sensor
    with ReplaySource(path, speed=math.inf) as replay:
        shown = [(replay.read(1.0), replay.color()) for _ in reds]
    for (frame, picture), red in zip(shown, reds):
        assert frame is not None and len(frame.bodies) == 2
        assert picture is not None and picture.shape == (1080, 1920, 3)
        assert picture[500, 900].tolist() == pytest.approx([red, 2, 3], abs=3)
    gc.collect()


def test_a_missing_runtime_is_shown_as_its_sentence(windows: Windows) -> None:
    with Pipeline(KinectV2Source(), None) as pipeline:
        view = wait_for(pipeline, lambda view: view.status is SourceStatus.FAILED and view.banners)
    assert [banner.text for banner in view.banners if "Kinect20.dll was not found" in banner.text]


def test_a_sensor_that_another_program_holds_comes_when_it_is_free(kinect: Kinect, source: KinectV2Source) -> None:
    kinect.refusal = 0x80070020
    with Pipeline(source, None, first_delay_s=0.02) as pipeline:
        view = wait_for(pipeline, lambda view: view.status is SourceStatus.FAILED and view.banners)
        assert any("another program holds it" in banner.text for banner in view.banners)
        kinect.refusal = 0
        assert has_opened(kinect)
        kinect.send(walking_body(0.0), time_s=1.0)
        view = wait_for(pipeline, shows(1.0))
        assert view.status is SourceStatus.STREAMING and not view.banners


def test_an_error_in_the_sensor_s_thread_is_a_banner_and_the_sensor_is_opened_again(
    kinect: Kinect, source: KinectV2Source
) -> None:
    with Pipeline(source, None, first_delay_s=0.02) as pipeline:
        assert has_opened(kinect)
        kinect.send_broken()
        said = "its driver failed: error 0x80004005"
        wait_for(pipeline, lambda view: any(said in banner.text for banner in view.banners))
        assert has_opened(kinect, 2)
        kinect.send(walking_body(0.0), time_s=1.0)
        assert not wait_for(pipeline, shows(1.0)).banners
