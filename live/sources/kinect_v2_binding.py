"""The Kinect SDK through pykinect2: the only file that touches pykinect2 and comtypes. Import it to open a sensor.

pykinect2 0.1.0 is used as it is, unmodified, in either of its two texts (the released package of 2015, the repository
of 2016). Neither imports or runs on a current Python; what stands in the way is put aside during the import alone:

    64-bit Python, released text   it asserts that a structure of 80 bytes has 72
    comtypes >= 1.1.9              refuses the empty version that pykinect2 states
    no numpy.distutils             the repository's text asks it for the bits of a pointer
    no time.clock, numpy.object    replaced afterwards, in pykinect2's own module alone

Importing raises ImportError (a package is missing), OSError (no Kinect runtime), AssertionError (other packages).
"""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import comtypes
import cv2
import numpy as np
from comtypes import COMError

from calibration.color_map import ColorMap, fit
from live.steady_time import SteadyTime
from skeleton.errors import CalibrationError
from skeleton.frames import Body, BodyFrame

POINTER_STRUCTURE, ASSERTED_BYTES = "tagSTATSTG", 72
"""The structure whose size pykinect2 asserts, and the size it had on a 32-bit Python."""


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Gives an attribute another value for a while; one that was not there is gone again afterwards."""
    had, before = name in vars(owner), vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if had:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


@contextmanager
def _stub_modules(*names: str, **attributes: Any) -> Iterator[None]:
    """Lets ``import`` find empty modules under these names for a while; the last one has the attributes."""
    before = {name: sys.modules.get(name) for name in names}
    stubs = {name: ModuleType(name) for name in names}
    vars(stubs[names[-1]]).update(attributes)
    sys.modules.update(stubs)
    try:
        with ExitStack() as parents:
            for name in names:
                parent, _, child = name.rpartition(".")
                parents.enter_context(_replaced(sys.modules[parent], child, stubs[name]))
            yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@contextmanager
def _as_in_2015() -> Iterator[None]:
    """The world that pykinect2's module level expects."""
    real_sizeof = ctypes.sizeof

    def sizeof(kind: Any) -> int:
        name = getattr(kind, "__name__", "")
        return ASSERTED_BYTES if name == POINTER_STRUCTURE else real_sizeof(kind)

    with (
        _replaced(ctypes, "sizeof", sizeof),
        _replaced(comtypes, "sizeof", sizeof),  # it passes on everything that ctypes has
        _replaced(comtypes, "_check_version", lambda *_: None),
        # 32 bits, because the repository's text computes from them the size that it then asserts: 64 + 32 / 4 = 72.
        _stub_modules("numpy.distutils", "numpy.distutils.system_info", platform_bits=32),
    ):
        yield


with _as_in_2015():
    from pykinect2 import PyKinectRuntime as runtime
    from pykinect2 import PyKinectV2 as sdk

sdk.sizeof, sdk._check_version = ctypes.sizeof, comtypes._check_version


class _NumpyWithObject(ModuleType):
    """numpy as pykinect2 knew it: with ``numpy.object``, without which its body frames vanish in a bare except."""

    object = object

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


runtime.numpy = _NumpyWithObject("numpy")
runtime.time = SimpleNamespace(clock=time.perf_counter)

E_PENDING = 0x8000000A
"""HRESULT of a frame that the SDK has already dropped."""
TICKS_PER_S = 10_000_000
"""RelativeTime counts 100 ns."""
FRAME_TICKS = TICKS_PER_S / 30
"""Body frames come 30 times a second, in low light too."""
LONGEST_LEAP_S = 2.0
"""A clock that steps so much further than the time that passed has jumped; so has one that steps back at all."""
CLOSE_S = 0.4
"""The SDK's thread gets this long to end; later it closes the sensor itself."""
LONGEST_ID = 256
"""Characters of a sensor's id."""
JOINT = np.dtype([("type", "<i4"), ("position", "<f4", 3), ("state", "<i4")])
"""One joint as the SDK writes it."""
JOINTS = sdk.JointType_Count
JointArray = sdk._Joint * JOINTS
BodyPointer = ctypes.POINTER(sdk.IBody)
GRID_X, GRID_Y, GRID_Z_M = np.linspace(-0.7, 0.7, 10), np.linspace(-0.55, 0.55, 10), (1.0, 2.0, 4.0)
"""Directions x/z and y/z over the depth camera's 70° x 60° field, and three depths: 300 points that fix the map."""


class KinectReader(runtime.PyKinectRuntime):
    """An open sensor that hands every body frame to ``on_frame`` from the SDK's thread.

    Attributes:
        dropped: Body frames that the sensor sent and that nobody can read any more: the SDK announced them and no
            longer had them, or replaced them before its thread came to ask.
        color_count: Pictures so far.
        color_size: Width and height of the color picture in pixels.

    Args:
        on_frame: Receives each frame; must return at once.
        on_error: Receives the exception that ended the SDK's thread; no frame comes after it.

    Raises:
        ValueError, COMError: There is no sensor to open.
    """

    _sensor: Any

    def __init__(self, *, on_frame: Callable[[BodyFrame], None], on_error: Callable[[Exception], None]) -> None:
        self._on_frame, self._on_error = on_frame, on_error
        self._ended, self._ending = threading.Event(), threading.Lock()
        self._is_reading = self._closes_at_end = False
        self._arrived, self._last_ticks = 0, -1
        self._time = SteadyTime()
        self._dropped_since = 0  # announced and no longer there, since the last frame
        self.dropped = self.color_count = 0
        try:
            super().__init__(sdk.FrameSourceTypes_Body | sdk.FrameSourceTypes_Color)  # starts the thread at its end
            self._is_reading = True
            # Asked once: a sensor that was unplugged meanwhile does not answer.
            self.color_size = int(self.color_frame_desc.Width), int(self.color_frame_desc.Height)
        except (ValueError, OSError, COMError):
            self.close()  # now, not when the collector comes: the sensor may be half open
            raise

    @property
    def is_available(self) -> bool:
        """Whether the sensor is plugged in, powered and answering."""
        try:
            return bool(self._sensor.IsAvailable)
        except COMError:
            return False

    def sensor_id(self) -> str:
        """Returns the sensor's unique id, or an empty string where the SDK gives none."""
        buffer = (ctypes.c_ushort * LONGEST_ID)()
        try:
            # pykinect2 declares one character of result and would let the SDK write the id past its end.
            self._sensor._IKinectSensor__com__get_UniqueKinectId(LONGEST_ID, buffer)
        except COMError:
            return ""
        text: str = bytes(buffer).decode("utf-16-le", errors="replace")
        return text.partition("\0")[0].strip()

    def color_map(self) -> ColorMap:
        """Returns the sensor's color map, fitted to a grid that the SDK maps.

        Raises:
            CalibrationError: The SDK does not map yet; it can once the sensor has sent its first frames.
        """
        x, y, z = np.meshgrid(GRID_X, GRID_Y, GRID_Z_M, indexing="ij")
        points = np.stack([x * z, y * z, z], axis=-1).reshape(-1, 3)
        return fit(points, self.color_pixels(points))

    def color_pixels(self, points: np.ndarray) -> np.ndarray:
        """Returns where the SDK has points (N, 3), meters, in its color picture: (N, 2) float32, maybe infinite.

        Raises:
            CalibrationError: The SDK does not map yet.
        """
        points = np.ascontiguousarray(points, dtype=np.float32)
        count = len(points)
        camera = (sdk._CameraSpacePoint * count).from_buffer_copy(points)
        color = (sdk._ColorSpacePoint * count)()
        try:
            self._mapper.MapCameraPointsToColorSpace(count, camera, count, color)
        except COMError as error:
            raise CalibrationError(f"The SDK must map points to the color picture, but says {error}.") from None
        return np.frombuffer(color, dtype=np.float32).reshape(count, 2)

    def color(self) -> np.ndarray | None:
        """Returns the newest picture, (H, W, 3) uint8 RGB, mirrored as the SDK gives it; None if it came already.

        The SDK converts a picture when it is asked for one, never before: most of them nobody draws. Then one pass
        over its buffer reorders the channels by the copy that protects it.
        """
        try:
            frame = _latest(self._color_frame_reader)
            if frame is None:
                return None
            frame.CopyConvertedFrameDataToArray(
                self._color_frame_data_capacity, self._color_frame_data, sdk.ColorImageFormat_Bgra
            )
        except COMError as error:
            self._on_error(error)
            return None
        width, height = self.color_size
        bgra = np.ctypeslib.as_array(self._color_frame_data, shape=(height, width, 4))
        return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB)

    def kinect_frame_thread(self) -> None:
        """The SDK's thread; pykinect2 would let an error end it silently."""
        try:
            super().kinect_frame_thread()
        except Exception as error:  # noqa: BLE001 - the one handler of this thread
            self._on_error(error)
        finally:
            with self._ending:
                self._ended.set()
            if self._closes_at_end:
                self._close_sensor()

    def handle_body_arrived(self, handle_index: int) -> None:
        """Reads one body frame; one that the SDK has dropped meanwhile shows as a gap in the frame's index."""
        arrival_s = time.perf_counter()
        frame = _acquired(self._body_frame_reader, self._handles[handle_index])
        if frame is None:
            self._arrived += 1
            self.dropped += 1
            self._dropped_since += 1
            return
        ticks = frame.RelativeTime
        time_s = self._time.of(ticks / TICKS_PER_S, received_s=arrival_s, longest_leap_s=LONGEST_LEAP_S)
        if time_s is None:  # delivered twice
            return
        replaced = self._replaced(ticks)
        self.dropped += replaced
        index = self._arrived + replaced
        self._arrived, self._dropped_since, self._last_ticks = index + 1, 0, ticks
        plane = frame.FloorClipPlane
        floor = (plane.x, plane.y, plane.z, plane.w)
        self._on_frame(
            BodyFrame(
                index=index,
                time_s=time_s,
                arrival_s=arrival_s,
                bodies=_bodies(frame, self.max_body_count),
                floor=floor if any(floor) and all(map(math.isfinite, floor)) else None,
            )
        )

    def _replaced(self, ticks: int) -> int:
        """Frames that the SDK replaced before its thread came for them: it announces them once, together.

        They leave no other trace than a gap on the sensor's clock. A longer gap is a pause of the sensor, not a loss.
        """
        passed = ticks - self._last_ticks
        if self._last_ticks < 0 or passed > LONGEST_LEAP_S * TICKS_PER_S:
            return 0
        return max(0, round(passed / FRAME_TICKS) - 1 - self._dropped_since)

    def handle_color_arrived(self, handle_index: int) -> None:
        """Counts a picture; asking for the event's data is what resets the event."""
        self._color_frame_reader.GetFrameArrivedEventData(self._handles[handle_index])
        self.color_count += 1

    def close(self) -> None:
        """Ends the SDK's thread and closes the sensor; may be called twice, and after a failed constructor.

        A thread that the computer holds up closes the sensor when it ends: pykinect2 would take the readers, and the
        event that ends it, away from under it.
        """
        if not getattr(self, "_sensor", None):  # closed, or a NULL pointer that pykinect2 would call
            self._sensor = None
            return
        if self._is_reading:
            self._is_reading = False
            ctypes.windll.kernel32.SetEvent(self._close_event)  # type: ignore[attr-defined]
            self._ended.wait(CLOSE_S)
            with self._ending:
                self._closes_at_end = not self._ended.is_set()
        if not self._closes_at_end:
            self._close_sensor()

    def _close_sensor(self) -> None:
        try:
            super().close()
        except COMError:  # unplugged: there is nothing left to close
            self._sensor = None


def _acquired(reader: Any, handle: int) -> Any | None:
    """The frame that an event announces, or None where the SDK has dropped it already."""
    return _unless_gone(reader.GetFrameArrivedEventData(handle).FrameReference.AcquireFrame)


def _latest(reader: Any) -> Any | None:
    """The newest frame, or None where there is none since the last one."""
    return _unless_gone(reader.AcquireLatestFrame)


def _unless_gone(acquire: Callable[[], Any]) -> Any | None:
    try:
        return acquire()
    except COMError as error:
        if error.hresult & 0xFFFFFFFF == E_PENDING:
            return None
        raise


def _bodies(frame: Any, capacity: int) -> tuple[Body, ...]:
    """The tracked bodies of a frame, joints copied.

    The SDK fills the array with references that we own. Reading an element makes a pointer object that releases it
    when it ends, so each element is read exactly once and the array is never used again.
    """
    pointers = (BodyPointer * capacity)()
    frame.GetAndRefreshBodyData(capacity, ctypes.cast(pointers, ctypes.POINTER(BodyPointer)))
    owned = [pointers[index] for index in range(capacity)]
    return tuple(_body(pointer) for pointer in owned if pointer and pointer.IsTracked)


def _body(pointer: Any) -> Body:
    joints = JointArray()
    pointer.GetJoints(JOINTS, joints)
    table = np.frombuffer(joints, dtype=JOINT)
    return Body(
        tracking_id=pointer.TrackingId,
        joints=table["position"],
        state=table["state"],
        hands=(pointer.HandLeftState, pointer.HandRightState),
        clipped_edges=pointer.ClippedEdges,
    )
