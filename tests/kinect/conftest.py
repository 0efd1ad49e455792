"""A scripted sensor on Windows or a stand-in for it: pykinect2 and comtypes above it are the real packages."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

from live.pipeline import Pipeline
from live.sources.kinect_v2 import KinectV2Source
from tests.kinect.sensor import Kinect
from tests.kinect.windows import Windows, installed

PATIENCE_S = 60.0
"""A sensor of a test is silent while the computer stands still."""
ANOTHER_TEXT = os.environ.get("KAR_PYKINECT2", "")
"""A folder with another text of pykinect2, such as a checkout of its repository: every test runs with it as well."""
TEXTS = ["installed", "KAR_PYKINECT2"] if ANOTHER_TEXT else ["installed"]


@pytest.fixture(params=TEXTS)
def windows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Windows]:
    """Windows without the Kinect runtime."""
    if request.param == "KAR_PYKINECT2":
        monkeypatch.syspath_prepend(ANOTHER_TEXT)
    missing = [name for name in ("pykinect2", "comtypes") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed; see requirements-dev.txt")
    with installed() as windows:
        yield windows


@pytest.fixture
def kinect(windows: Windows) -> Iterator[Kinect]:
    """Windows with the runtime and a sensor; fails a test whose client uses an object that it has released."""
    sensor = Kinect(windows)
    sensor.plug_in()
    yield sensor
    assert not sensor.com.faults, sensor.com.faults


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sensor is lost because the computer stands still; a test of a loss says itself when it is one."""
    monkeypatch.setitem(Pipeline.__init__.__kwdefaults__, "lost_after_s", PATIENCE_S)
    for name in ("first_frame_s", "silence_s"):
        monkeypatch.setitem(KinectV2Source.__init__.__kwdefaults__, name, PATIENCE_S)


@pytest.fixture
def source(kinect: Kinect) -> Iterator[KinectV2Source]:
    """The source, not yet open; waits for a sensor for less time than a user does."""
    source = KinectV2Source(available_s=0.2)
    yield source
    source.close()


@pytest.fixture
def impatient(kinect: Kinect) -> Iterator[KinectV2Source]:
    """The source, not yet open, for tests in which nothing comes."""
    source = KinectV2Source(available_s=0.2, first_frame_s=0.3, silence_s=0.3)
    yield source
    source.close()
