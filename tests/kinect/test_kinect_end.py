"""What the Kinect source leaves behind: no thread, no object of the SDK, nothing patched."""

from __future__ import annotations

import ctypes
import importlib
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from live.sources.kinect_v2 import BINDING, KinectV2Source
from skeleton.frames import BodyFrame
from tests.kinect.conftest import ANOTHER_TEXT
from tests.kinect.reading import READ_S, read
from tests.kinect.sensor import Kinect, eventually
from tests.kinect.windows import Windows, sensor_threads
from tests.recordings import walking_body


def test_closing_ends_the_thread_and_releases_every_object_of_the_sdk(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    for number in range(30):
        kinect.send(walking_body(0.1), walking_body(0.2, 1), time_s=1 + number / 30)
    kinect.send_gone()
    source.close()
    assert eventually(lambda: sensor_threads() == 0)
    assert (kinect.opened, kinect.closed) == (1, 1)
    assert eventually(lambda: not kinect.com.alive), [
        type(left.implementation).__name__ for left in kinect.com.alive.values()
    ]
    source.close()
    assert source.read(timeout_s=0.0) is None


def test_a_sensor_whose_thread_is_held_up_is_closed_when_it_goes_on(kinect: Kinect) -> None:
    is_held, may_go_on, errors = threading.Event(), threading.Event(), list[Exception]()

    def hold(frame: BodyFrame) -> None:
        is_held.set()
        assert may_go_on.wait(READ_S)

    reader = importlib.import_module(BINDING).KinectReader(on_frame=hold, on_error=errors.append)
    kinect.send(walking_body(0.1), time_s=1.0)
    assert is_held.wait(READ_S)
    reader.close()
    reader.close()
    assert (kinect.closed, sensor_threads()) == (0, 1)
    may_go_on.set()
    assert eventually(lambda: sensor_threads() == 0)
    assert (kinect.closed, errors) == (1, [])
    del reader
    assert eventually(lambda: not kinect.com.alive)


def test_while_running_no_body_or_frame_is_kept_alive(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    before = len(kinect.com.alive)
    for number in range(50):
        kinect.send(walking_body(0.1), time_s=1 + number / 30)
        read(source)
    assert eventually(lambda: len(kinect.com.alive) == before)


def test_nothing_stays_patched_after_the_import(windows: Windows, kinect: Kinect) -> None:
    import comtypes

    modules = ("numpy.distutils", "numpy.distutils.system_info")
    before = ctypes.sizeof, comtypes._check_version, comtypes.sizeof, [sys.modules.get(name) for name in modules]
    had = "distutils" in vars(np)
    binding = importlib.import_module("live.sources.kinect_v2_binding")
    after = ctypes.sizeof, comtypes._check_version, comtypes.sizeof, [sys.modules.get(name) for name in modules]
    assert after == before
    assert ("distutils" in vars(np)) == had
    assert binding.sdk.sizeof is ctypes.sizeof
    assert binding.sdk._check_version is comtypes._check_version
    assert ctypes.sizeof(binding.sdk.tagSTATSTG) == 80
    assert "object" not in vars(np) and "clock" not in vars(time)


def test_nothing_stays_patched_after_an_import_that_failed(windows: Windows) -> None:
    import comtypes

    before = ctypes.sizeof, comtypes._check_version, comtypes.sizeof
    with pytest.raises(FileNotFoundError, match="Kinect20"):
        importlib.import_module("live.sources.kinect_v2_binding")
    assert (ctypes.sizeof, comtypes._check_version, comtypes.sizeof) == before
    assert "numpy.distutils.system_info" not in sys.modules


def test_the_repository_s_text_of_pykinect2_is_the_one_that_runs(
    kinect: Kinect, request: pytest.FixtureRequest
) -> None:
    if not ANOTHER_TEXT:
        pytest.skip("set KAR_PYKINECT2 to a checkout of pykinect2's repository")
    binding = importlib.import_module("live.sources.kinect_v2_binding")
    is_repository = "[KAR_PYKINECT2]" in request.node.name
    assert Path(binding.runtime.__file__).is_relative_to(Path(ANOTHER_TEXT).resolve()) == is_repository
    assert hasattr(binding.runtime.PyKinectRuntime, "get_last_infrared_frame") == is_repository


def test_pykinect2_does_not_import_without_the_binding(kinect: Kinect) -> None:
    # The released text asserts that 80 is 72, the repository imports numpy.distutils. Once it does, the cures can go.
    with pytest.raises((AssertionError, ImportError, DeprecationWarning), match=r"80|distutils"):
        importlib.import_module("pykinect2.PyKinectV2")
