"""What a user reads when a Kinect cannot be opened, or is lost."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from live.sources.base import SourceStatus
from live.sources.kinect_v2 import HELD, KinectV2Source
from live.sources.table import SOURCES, SourceOptions
from skeleton.errors import SourceUnavailable
from tests.kinect.reading import read, read_until_lost
from tests.kinect.sensor import Kinect, eventually
from tests.kinect.windows import Windows, sensor_threads
from tests.recordings import walking_body


def test_another_system_than_windows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live.sources.kinect_v2.SYSTEM", "Linux")
    source = SOURCES["kinect"](SourceOptions())
    with pytest.raises(SourceUnavailable, match=r"needs Windows 8 or later, but this computer runs Linux\. Without"):
        source.open()
    assert source.status is SourceStatus.FAILED
    source.close()


@pytest.mark.parametrize("package", ["pykinect2", "comtypes"])
def test_a_missing_package_is_named(package: str, windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Nothing(), *sys.meta_path])
    with pytest.raises(SourceUnavailable, match=f"'{package}', which is not installed.*pip install"):
        KinectV2Source().open()


def test_another_package_of_the_same_name_is_named(
    kinect: Kinect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pykinect2").mkdir()
    (tmp_path / "pykinect2" / "__init__.py").write_text("raise ImportError('for Python 2 alone')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SourceUnavailable, match=r"needs pykinect2 0\.1\.0, but .* \(for Python 2 alone\)\. Run 'pip"):
        KinectV2Source().open()


def test_a_missing_kinect_runtime_is_named(windows: Windows) -> None:
    with pytest.raises(SourceUnavailable, match=r"Kinect20.dll was not found\. Install 'Kinect for Windows Runtime"):
        KinectV2Source().open()


def test_installing_the_runtime_helps_without_starting_the_app_again(windows: Windows) -> None:
    source = KinectV2Source(available_s=0.2)
    with pytest.raises(SourceUnavailable):
        source.open()
    Kinect(windows).plug_in()
    assert source.open().kind == "kinect"
    source.close()


def test_a_sensor_that_never_answers_is_not_connected(source: KinectV2Source, kinect: Kinect) -> None:
    kinect.is_available = False
    with pytest.raises(SourceUnavailable, match=r"must be connected, but none answers\. Check the adapter"):
        source.open()
    assert source.status is SourceStatus.FAILED
    assert eventually(lambda: kinect.closed == kinect.opened == 1)


def test_a_null_sensor_is_not_connected_either(source: KinectV2Source, kinect: Kinect) -> None:
    kinect.is_null = True
    with pytest.raises(SourceUnavailable, match="must be connected, but the Kinect runtime gives none"):
        source.open()
    assert not kinect.com.alive


@pytest.mark.parametrize("hresult", HELD, ids=list(HELD.values()))
def test_a_sensor_that_another_program_holds_is_named(source: KinectV2Source, kinect: Kinect, hresult: int) -> None:
    kinect.refusal = hresult
    with pytest.raises(SourceUnavailable, match=r"but another program holds it\. Close other programs"):
        source.open()
    assert source.status is SourceStatus.FAILED and eventually(lambda: sensor_threads() == 0)
    assert eventually(lambda: not kinect.com.alive)
    kinect.refusal = 0
    assert source.open().kind == "kinect"
    kinect.send_broken(hresult)
    assert "another program holds it" in read_until_lost(source).message


def test_a_sensor_that_cannot_be_opened_for_another_reason_has_the_number_of_it(
    source: KinectV2Source, kinect: Kinect
) -> None:
    kinect.refusal = 0x80004005
    with pytest.raises(
        SourceUnavailable, match=r"must be connected, but .* gives none \(error 0x80004005.*\)\. Check"
    ):
        source.open()


def test_a_sensor_that_was_unplugged_is_lost_after_its_last_frame(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=1.0)
    kinect.send(time_s=1 + 1 / 30)
    kinect.is_available = False
    assert [read(source).index, read(source).index] == [0, 1]
    assert "unplugged or lost power" in str(read_until_lost(source))
    assert source.status is SourceStatus.LOST


def test_a_sensor_that_never_sends_a_frame_is_lost_with_the_usb_remedy(
    impatient: KinectV2Source, kinect: Kinect
) -> None:
    impatient.open()
    error = read_until_lost(impatient)
    assert "connected, but sends no frames" in error.message and "USB 3" in error.remedy


def test_a_sensor_that_falls_silent_is_lost(impatient: KinectV2Source, kinect: Kinect) -> None:
    impatient.open()
    kinect.send(time_s=1.0)
    read(impatient)
    assert "sends no frames" in str(read_until_lost(impatient))


def test_a_computer_that_stood_still_gets_the_frame_that_waits_for_it(
    kinect: Kinect, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("live.sources.kinect_v2.time", SimpleNamespace(monotonic=lambda: now_s[0], sleep=time.sleep))
    with KinectV2Source(silence_s=2.0) as source:
        source.open()
        kinect.send(time_s=1.0)
        read(source)
        with monkeypatch.context() as asleep:
            asleep.setattr(source._arrivals, "take", lambda timeout_s: now_s.__setitem__(0, 110.0))
            assert source.read(timeout_s=0.01) is None
        kinect.send(time_s=11.0)
        assert read(source).index == 1
        now_s[0] = 120.0
        assert "sends no frames" in str(read_until_lost(source))


def test_a_driver_error_in_the_sdk_s_thread_reaches_the_reader(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=1.0)
    kinect.send_broken()
    assert read(source).index == 0
    assert "its driver failed: error 0x80004005" in read_until_lost(source).message


def test_a_lost_sensor_opens_again(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.is_available = False
    read_until_lost(source)
    source.close()
    kinect.is_available = True
    source.open()
    kinect.send(walking_body(0.0), time_s=0.2)  # its clock starts anew
    assert read(source).index == 0 and source.status is SourceStatus.STREAMING
