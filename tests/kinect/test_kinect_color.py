"""The color picture and the joints in it: the SDK's mapper, the map fitted to it, and what the window would draw."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app.presenter import Presenter
from calibration import store
from calibration.color_map import COLOR_SIZE, ColorMap
from calibration.store import Calibration
from live.pipeline import Pipeline
from live.sources.kinect_v2 import KinectV2Source
from skeleton.formats.table import open_recording
from skeleton.frames import Body
from tests.kinect.registration import SENSORS, FactoryRegistration
from tests.kinect.sensor import Kinect
from tests.kinect.test_kinect_pipeline import has_opened, shows, wait_for
from tests.recordings import walking_body

AGREEMENT_PX = 0.1
DOT = (20, 200, 90)
"""Red, green, blue of a joint in the picture that the scripted sensor sends."""


@pytest.fixture(params=SENSORS)
def registration(request: pytest.FixtureRequest, kinect: Kinect) -> FactoryRegistration:
    """What the factory wrote into the sensor; the SDK's mapper follows it."""
    kinect.color_map = SENSORS[request.param]
    return SENSORS[request.param]


def joints_of(path: Path) -> np.ndarray:
    """(N, 3) joints that were seen."""
    return np.concatenate([body.joints[body.seen] for frame in open_recording(path).frames for body in frame.bodies])


def recorded_joints(folder: Path, tmp_path: Path) -> np.ndarray:
    """(N, 3) joints of real people: one who gestures, and two sensors' recordings of people who walk about."""
    found = [joints_of(path) for path in sorted((folder / "labanotation").glob("*.csv"))]
    with zipfile.ZipFile(folder / "irds" / "irds-188.zip") as archive:
        for number, name in enumerate(sorted(name for name in archive.namelist() if name.endswith(".txt"))[::40]):
            path = tmp_path / f"{number}.txt"
            path.write_bytes(archive.read(name))
            found.append(joints_of(path))
    return np.concatenate(found)


def mapped_by_the_sdk(points: np.ndarray) -> tuple[np.ndarray, ColorMap]:
    """(N, 2) pixels that pykinect2's mapper gives for (N, 3) points, and the map that the reader fits to it."""
    binding = importlib.import_module("live.sources.kinect_v2_binding")
    reader = binding.KinectReader(on_frame=lambda frame: None, on_error=lambda error: None)
    try:
        count = len(points)
        camera = (binding.sdk._CameraSpacePoint * count).from_buffer_copy(np.ascontiguousarray(points, np.float32))
        color = (binding.sdk._ColorSpacePoint * count)()
        reader._mapper.MapCameraPointsToColorSpace(count, camera, count, color)
        return np.frombuffer(color, dtype=np.float32).reshape(count, 2).astype(np.float64), reader.color_map()
    finally:
        reader.close()


def test_the_fitted_map_agrees_with_the_sdk_s_mapper_on_real_people(
    registration: FactoryRegistration, kinect: Kinect, real_data: Path, tmp_path: Path
) -> None:
    points = recorded_joints(real_data, tmp_path)
    pixels, fitted = mapped_by_the_sdk(points)
    assert len(points) > 20_000
    assert np.abs(pixels - registration.project(points)).max() < 1e-3  # the mapper is the factory's, in float32
    residuals = fitted.residuals(points, pixels)
    is_in_picture = ((pixels >= 0) & (pixels < COLOR_SIZE)).all(axis=1)
    assert is_in_picture.mean() > 0.9
    assert residuals[is_in_picture].max() < AGREEMENT_PX
    assert np.percentile(ColorMap.default().residuals(points, pixels), 5) > 10 * AGREEMENT_PX  # it had to be fitted


def test_a_recording_replays_with_the_map_that_the_sensor_had(
    registration: FactoryRegistration, kinect: Kinect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    with KinectV2Source(available_s=0.2) as source:
        numbers = source.open().color_map
    assert numbers is not None
    store.save(Calibration(sensor_id=kinect.unique_id, color_map=ColorMap(numbers)))
    kept = store.load(kinect.unique_id)
    assert kept is not None and kept.color_map is not None
    people = np.concatenate([walking_body(0.7, person).joints for person in range(6)])
    assert kept.color_map.residuals(people, registration.project(people)).max() < AGREEMENT_PX


def picture_with_dots(pixels: np.ndarray) -> np.ndarray:
    """A (1080, 1920, 4) BGRA picture with a dot of 3 x 3 pixels at each of (N, 2) pixels."""
    picture = np.zeros((COLOR_SIZE[1], COLOR_SIZE[0], 4), dtype=np.uint8)
    for u, v in np.round(pixels).astype(int):
        picture[v - 1 : v + 2, u - 1 : u + 2] = (*DOT[::-1], 255)
    return picture


def in_picture(body: Body, registration: FactoryRegistration) -> np.ndarray:
    pixels = registration.project(body.joints[body.state > 0])
    return pixels[((pixels > 2) & (pixels < np.array(COLOR_SIZE) - 3)).all(axis=1)]


def test_every_joint_is_drawn_on_its_place_in_the_color_picture(
    registration: FactoryRegistration, kinect: Kinect
) -> None:
    people = [walking_body(0.4, person) for person in (0, 1)]
    dots = np.concatenate([in_picture(body, registration) for body in people])
    assert len(dots) > 40
    presenter = Presenter()
    with Pipeline(KinectV2Source(available_s=0.2), None) as pipeline:
        assert has_opened(kinect)
        kinect.send_picture(picture_with_dots(dots))
        kinect.send(*people, time_s=1.0)
        view = wait_for(pipeline, shows(1.0))
    presenter.take(view)
    scene = presenter.scene(view)
    assert scene.image is not None and scene.size == COLOR_SIZE
    drawn = np.concatenate([figure.points[figure.state > 0] for figure in scene.figures])
    drawn = drawn[((drawn > 2) & (drawn < np.array(COLOR_SIZE) - 3)).all(axis=1)]
    assert len(drawn) == len(dots)
    for u, v in np.round(drawn).astype(int):
        assert tuple(scene.image[v, u]) == DOT
