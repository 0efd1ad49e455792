"""The Kinect source on a scripted sensor: what arrives, what a user reads when nothing does, what is left behind."""

from __future__ import annotations

import ctypes
import importlib
import itertools
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from calibration import store
from calibration.color_map import ColorMap
from live.sources.base import SourceStatus
from live.sources.kinect_v2 import BINDING, HELD, QUEUE_FRAMES, KinectV2Source
from live.sources.table import SOURCES, SourceOptions
from skeleton.errors import SourceLost, SourceUnavailable
from skeleton.frames import Body, BodyFrame
from skeleton.layout import KINECT_V2
from tests.kinect.conftest import ANOTHER_TEXT
from tests.kinect.sensor import COLOR_SIZE, FLOOR, Delivery, Kinect, eventually
from tests.kinect.windows import Windows, sensor_threads
from tests.recordings import assert_same_body, walking_body, walking_recording

READ_S = 60.0


def read(source: KinectV2Source) -> BodyFrame:
    frame = source.read(timeout_s=READ_S)
    assert frame is not None
    return frame


def read_until_lost(source: KinectV2Source) -> SourceLost:
    give_up_s = time.monotonic() + READ_S
    with pytest.raises(SourceLost) as caught:
        while time.monotonic() < give_up_s:
            source.read(timeout_s=0.02)
    return caught.value


def test_an_open_sensor_says_what_it_is(source: KinectV2Source, kinect: Kinect) -> None:
    info = source.open()
    assert (info.kind, info.is_live, info.layout, info.rate_hz) == ("kinect", True, KINECT_V2, 30.0)
    assert (info.sensor_id, info.name) == ("012345670147", "Kinect v2 012345670147")
    assert info.color_size == COLOR_SIZE
    assert source.status is SourceStatus.STREAMING
    assert kinect.opened == 1


def test_bodies_arrive_with_their_joints_times_ids_hands_and_floor(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    recording = walking_recording(frames=12, bodies=3, come_and_go=True, start_s=4711.0)
    for sent in recording.frames:
        before_s = time.perf_counter()
        kinect.send(*sent.bodies, time_s=sent.time_s)
        frame = read(source)
        assert (frame.index, frame.time_s) == (sent.index, pytest.approx(sent.time_s, abs=1e-7))
        assert before_s <= frame.arrival_s <= time.perf_counter()
        assert frame.floor == pytest.approx(FLOOR)
        order = [body.tracking_id for body in frame.bodies]
        assert sorted(order) == [body.tracking_id for body in sent.bodies]
        for body in frame.bodies:
            assert_same_body(body, next(other for other in sent.bodies if other.tracking_id == body.tracking_id))


def test_six_people_arrive_in_one_frame(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    people = [walking_body(0.3, person) for person in range(6)]
    kinect.send(*people, time_s=1.0)
    assert [body.tracking_id for body in read(source).bodies] == [body.tracking_id for body in people]


def test_real_movements_arrive_bit_for_bit(source: KinectV2Source, kinect: Kinect, real_data: Path) -> None:
    from skeleton.formats.table import open_recording

    recording = open_recording(real_data / "labanotation" / "Ges01_wavehand.csv")
    source.open()
    for sent in recording.frames:
        kinect.send(*sent.bodies, time_s=sent.time_s)
        frame = read(source)
        assert frame.time_s == pytest.approx(sent.time_s, abs=1e-6)
        assert_same_body(frame.bodies[0], sent.bodies[0], details=False)


def test_a_joint_that_is_not_tracked_keeps_its_state(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    joints, state = np.full((25, 3), -np.inf, dtype=np.float32), np.arange(25) % 3
    joints[state > 0] = 1.0
    kinect.send(Body(tracking_id=2**64 - 2, joints=joints, state=state), time_s=1.0)
    (body,) = read(source).bodies
    assert body.tracking_id == 2**64 - 2
    np.testing.assert_array_equal(body.state, state)
    np.testing.assert_array_equal(body.seen, state > 0)


def test_an_empty_room_is_a_frame_without_bodies_and_without_a_floor(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=1.0, floor=(0.0, 0.0, 0.0, 0.0))
    frame = read(source)
    assert frame.bodies == () and frame.floor is None


def test_no_frame_is_left_out_while_the_reader_keeps_up(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    indices = []
    for batch in range(20):  # the reader pauses for ten frames at a time, a third of a second of the sensor's
        for number in range(10):
            kinect.send(walking_body(number / 30), time_s=1 + (10 * batch + number) / 30)
        indices += [read(source).index for _ in range(10)]
    assert indices == list(range(200))
    assert source.frames_lost == 0


def test_a_reader_that_sleeps_gets_the_newest_two_seconds_and_the_loss_is_counted(
    source: KinectV2Source, kinect: Kinect
) -> None:
    source.open()
    for number in range(QUEUE_FRAMES + 7):
        kinect.send(time_s=1 + number / 30)
    assert eventually(lambda: source.frames_lost == 7)
    assert [read(source).index for _ in range(QUEUE_FRAMES)] == list(range(7, QUEUE_FRAMES + 7))


def test_a_frame_that_the_sdk_dropped_is_a_gap_and_not_an_error(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send(time_s=1.0)
    kinect.send_gone()
    kinect.send(time_s=1 + 2 / 30)
    assert [read(source).index, read(source).index] == [0, 2]
    assert source.frames_lost == 1


def test_frames_that_the_next_one_replaced_are_counted_by_the_sensor_s_clock(
    source: KinectV2Source, kinect: Kinect
) -> None:
    source.open()
    for number in (0, 1, 4, 6):
        kinect.send(time_s=1 + number / 30)
    assert [read(source).index for _ in range(4)] == [0, 1, 4, 6]
    assert source.frames_lost == 3
    kinect.send(time_s=20.0)  # a pause of the sensor
    assert read(source).index == 7
    assert source.frames_lost == 3


def test_a_frame_delivered_twice_is_read_once(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    for time_s in (1.0, 1.0, 1.1):
        kinect.send(time_s=time_s)
    assert [read(source).time_s, read(source).time_s] == pytest.approx([1.0, 1.1])
    assert source.read(timeout_s=0.01) is None


def test_the_color_map_is_the_sensor_s_own(source: KinectV2Source, kinect: Kinect) -> None:
    info = source.open()
    assert kinect.color_map is not None and info.color_map is not None
    people = np.stack([walking_body(0.0, person).joints for person in range(3)])
    assert ColorMap(info.color_map).residuals(people, kinect.color_map.project(people)).max() < 0.01
    assert kinect.mapped_points == 300


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty configuration folder, so that no calibration of the user's is found."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)


def test_a_sensor_that_does_not_map_yet_is_asked_again(
    source: KinectV2Source, kinect: Kinect, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=itertools.count(step=100.0).__next__, sleep=lambda _: None)  # it sleeps always
    monkeypatch.setattr("live.sources.kinect_v2.time", clock)
    true_map, kinect.color_map = kinect.color_map, None
    kinect.map_after_points(600, true_map)
    assert source.open().color_map is not None
    assert kinect.mapped_points == 900


def test_a_mapper_that_fails_is_no_reason_not_to_open(
    source: KinectV2Source, kinect: Kinect, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.sources.kinect_v2.MAPPING_S", 0.1)
    kinect.is_mapper_broken = True
    assert source.open().color_map is None


def test_a_sensor_that_maps_nothing_takes_what_is_stored_for_it(
    source: KinectV2Source, kinect: Kinect, folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.sources.kinect_v2.MAPPING_S", 0.1)
    kinect.color_map = None
    assert source.open().color_map is None
    known = ColorMap.default().shifted(1.0, 2.0)
    path = store.save(store.Calibration(sensor_id=kinect.unique_id, color_map=known))
    assert source.open().color_map == known.coefficients
    path.write_text("damaged")
    assert source.open().color_map is None


def test_the_picture_is_red_where_the_sensor_saw_red(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    assert source.color() is None
    picture = np.zeros((1080, 1920, 4), dtype=np.uint8)
    picture[100, 1700] = (10, 20, 250, 255)  # BGRA
    kinect.send_picture(picture)
    kinect.send(time_s=1.0)  # the next event: the picture's is done with
    read(source)
    image = source.color()
    assert image is not None and image.shape == (1080, 1920, 3) and image.dtype == np.uint8
    assert image[100, 1700].tolist() == [250, 20, 10] and int(image.sum()) == 280
    assert source.color() is image  # no second copy of the same picture


def test_a_picture_is_read_without_asking_the_sensor_for_its_size_again(
    source: KinectV2Source, kinect: Kinect, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.open().color_size == (1920, 1080)
    monkeypatch.setattr(source._reader, "color_frame_desc", None)  # it was unplugged: nothing answers any more
    kinect.send_picture(np.full((1080, 1920, 4), 7, dtype=np.uint8))
    kinect.send(time_s=1.0)
    read(source)
    picture = source.color()
    assert picture is not None and picture.shape == (1080, 1920, 3)


def test_a_dropped_picture_leaves_the_last_one(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.send_picture(np.full((1080, 1920, 4), 7, dtype=np.uint8))
    kinect.send(time_s=1.0)
    read(source)
    first = source.color()
    assert first is not None and first[0, 0].tolist() == [7, 7, 7]
    kinect.post("color", dropped := Delivery(is_pending=True))
    assert dropped.taken.wait(READ_S)
    kinect.send(time_s=1 + 1 / 30)
    read(source)
    assert source.color() is first


def test_only_a_picture_that_is_asked_for_is_converted(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    for drawn in range(3):
        for value in range(4):
            kinect.send_picture(np.full((1080, 1920, 4), 10 * drawn + value, dtype=np.uint8))
        kinect.send(time_s=1 + drawn / 30)
        read(source)
        assert kinect.pictures_converted == drawn
        picture = source.color()
        assert picture is not None and picture[5, 5, 0] == 10 * drawn + 3 and source.color() is picture
        assert kinect.pictures_converted == drawn + 1


def test_a_picture_that_the_driver_cannot_give_is_a_driver_error(source: KinectV2Source, kinect: Kinect) -> None:
    source.open()
    kinect.post("color", broken := Delivery(failure=0x80004005))
    assert broken.taken.wait(READ_S)
    kinect.send(time_s=1.0)
    read(source)
    assert source.color() is None
    assert "its driver failed: error 0x80004005" in read_until_lost(source).message


# What a user reads.


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


# What is left behind.


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
