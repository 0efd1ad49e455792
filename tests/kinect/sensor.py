"""A scripted Kinect v2 behind a stand-in for Kinect20.dll: what Microsoft's library would hand to pykinect2.

The objects below are the library's side of pykinect2's interfaces: one class an interface, one method a slot.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from calibration.color_map import ColorMap
from skeleton.frames import Body
from tests.kinect.com import E_FAIL, ComObject, ComServer, Failure, takes_output
from tests.kinect.windows import Dll, Windows

E_PENDING = 0x8000000A
DELIVERY_S = 60.0
COLOR_SIZE, DEPTH_SIZE, BODIES = (1920, 1080), (512, 424), 6
JOINT = np.dtype([("type", "<i4"), ("position", "<f4", 3), ("state", "<i4")])
TYPES = np.arange(25)
FLOOR = (0.01, 0.98, -0.19, 1.12)


class Projects(Protocol):
    """What knows where points lie in the color picture: a color map, or what the factory wrote into a sensor."""

    def project(self, points: np.ndarray) -> np.ndarray: ...


@dataclass
class Delivery:
    """One frame on its way: what acquiring it gives, or that it is gone, or the HRESULT of a failure."""

    bodies: Sequence[Body] = ()
    ticks: int = 0
    floor: tuple[float, ...] = FLOOR
    picture: np.ndarray | None = None
    is_pending: bool = False
    is_fetched: bool = False
    failure: int = 0
    taken: threading.Event = field(default_factory=threading.Event)


class Kinect:
    """The scripted sensor.

    Attributes:
        is_available: What the sensor answers; False is unplugged.
        is_null: Whether the library gives a NULL pointer instead of a sensor.
        refusal: HRESULT with which the sensor refuses to be opened, or 0.
        pictures_converted: Color pictures that the library was asked to convert.
        color_map: The sensor's true map; the library's mapper follows it, or gives infinity while it is None.
        com: The library's objects and the references that the client holds.
        opened, closed: How often the sensor was.
    """

    def __init__(self, windows: Windows) -> None:
        self.windows, self.com = windows, ComServer()
        self.unique_id = "012345670147"
        self.is_available, self.is_null = True, False
        self.color_map: Projects | None = ColorMap.default().shifted(2.5, -9.0)
        self.opened = self.closed = self.refusal = self.pictures_converted = 0
        self.events: dict[str, int] = {}
        self.current: dict[str, Delivery] = {}
        self.is_mapper_broken = False
        self.mapped_points = 0
        self._map_later: tuple[int, Projects | None] | None = None

    def plug_in(self) -> None:
        """Installs the library."""

        def get_default_sensor(pointer: Any) -> int:
            if self.is_null:
                return Failure(E_FAIL).hresult
            address = self.com.reference(self.object("IKinectSensor", _Sensor(self)))
            ctypes.c_void_p.from_buffer(pointer).value = address
            return 0

        self.windows.libraries["kinect20"] = Dll({"GetDefaultKinectSensor": get_default_sensor})

    def map_after_points(self, count: int, true_map: Projects | None) -> None:
        """Lets the mapper give infinity until it was asked for so many points, as a sensor that is still starting."""
        self._map_later = (count, true_map)

    def map_now(self) -> Projects | None:
        """The map that the library's mapper follows at this moment."""
        if self._map_later is not None and self.mapped_points >= self._map_later[0]:
            return self._map_later[1]
        return self.color_map

    def object(self, interface: str, implementation: Any) -> ComObject:
        from pykinect2 import PyKinectV2

        return self.com.new(getattr(PyKinectV2, interface), implementation)

    def send(self, *bodies: Body, time_s: float, floor: tuple[float, ...] = FLOOR) -> None:
        """Announces a body frame and waits until the client has taken it."""
        self._announce("body", Delivery(bodies=bodies, ticks=round(time_s * 1e7), floor=floor))

    def send_gone(self) -> None:
        """Announces a body frame that the library has dropped when the client asks for it."""
        self._announce("body", Delivery(is_pending=True))

    def send_broken(self, hresult: int = E_FAIL) -> None:
        """Announces a body frame whose fetching fails for good."""
        self._announce("body", Delivery(failure=hresult))

    def send_picture(self, picture: np.ndarray) -> None:
        """Announces a color picture, (1080, 1920, 4) uint8 BGRA."""
        self._announce("color", Delivery(picture=picture))

    def post(self, kind: str, delivery: Delivery) -> None:
        """Announces a frame and waits for nobody, as a sensor does: the newest replaces one that was not taken."""
        self.current[kind] = delivery
        self.windows.kernel.set(self.events[kind])

    def _announce(self, kind: str, delivery: Delivery) -> None:
        self.current[kind] = delivery
        assert self.windows.kernel.set(self.events[kind]), f"the {kind} event is not open"
        assert delivery.taken.wait(DELIVERY_S), f"nobody took the {kind} frame"


def eventually(condition: Any, *, within_s: float = DELIVERY_S) -> bool:
    """Waits until a condition holds."""
    give_up_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(0.002)
    return True


class _Part:
    """Any of the library's objects: knows the sensor, and what it stands for."""

    def __init__(self, kinect: Kinect, kind: str = "", delivery: Delivery | None = None) -> None:
        self.kinect, self.kind = kinect, kind
        self.delivery = delivery or Delivery()


class _Sensor(_Part):
    def Open(self) -> None:
        if self.kinect.refusal:
            raise Failure(self.kinect.refusal)
        self.kinect.opened += 1

    def Close(self) -> None:
        self.kinect.closed += 1

    def _get_IsAvailable(self) -> bool:
        return self.kinect.is_available

    @takes_output
    def _get_UniqueKinectId(self, capacity: int, address: int) -> None:
        text = (self.kinect.unique_id + "\0").encode("utf-16-le")
        assert len(text) <= 2 * capacity
        ctypes.memmove(address, text, len(text))

    def _get_CoordinateMapper(self) -> ComObject:
        return self.kinect.object("ICoordinateMapper", _Mapper(self.kinect))

    def _get_BodyFrameSource(self) -> ComObject:
        return self.kinect.object("IBodyFrameSource", _Source(self.kinect, "body"))

    def _get_ColorFrameSource(self) -> ComObject:
        return self.kinect.object("IColorFrameSource", _Source(self.kinect, "color"))

    def _get_DepthFrameSource(self) -> ComObject:
        return self.kinect.object("IDepthFrameSource", _Source(self.kinect, "depth"))

    def _get_BodyIndexFrameSource(self) -> ComObject:
        return self.kinect.object("IBodyIndexFrameSource", _Source(self.kinect, "body index"))

    def _get_InfraredFrameSource(self) -> ComObject:
        return self.kinect.object("IInfraredFrameSource", _Source(self.kinect, "infrared"))


class _Source(_Part):
    def _get_FrameDescription(self) -> ComObject:
        return self.kinect.object("IFrameDescription", _Description(self.kinect, self.kind))

    def _get_BodyCount(self) -> int:
        return BODIES

    def OpenReader(self) -> ComObject:
        return self.kinect.object({"body": "IBodyFrameReader", "color": "IColorFrameReader"}[self.kind], self)

    # The reader's slots; the same object, seen through another interface.
    def SubscribeFrameArrived(self) -> int:
        self.kinect.events[self.kind] = self.kinect.windows.kernel.create()
        return self.kinect.events[self.kind]

    def GetFrameArrivedEventData(self, handle: int) -> ComObject:
        if handle != self.kinect.events[self.kind]:
            raise Failure(E_FAIL)
        interface = {"body": "IBodyFrameArrivedEventArgs", "color": "IColorFrameArrivedEventArgs"}[self.kind]
        delivery = self.kinect.current[self.kind]
        if self.kind == "color":
            delivery.taken.set()
        return self.kinect.object(interface, _Arrival(self.kinect, self.kind, delivery))

    def AcquireLatestFrame(self) -> ComObject:
        delivery = self.kinect.current.get(self.kind)
        if delivery is None or delivery.is_pending or delivery.is_fetched:
            raise Failure(E_PENDING)
        if delivery.failure:
            raise Failure(delivery.failure)
        delivery.is_fetched = True
        return self.kinect.object("IColorFrame", _Picture(self.kinect, self.kind, delivery))


class _Description(_Part):
    def _get_Width(self) -> int:
        return (COLOR_SIZE if self.kind == "color" else DEPTH_SIZE)[0]

    def _get_Height(self) -> int:
        return (COLOR_SIZE if self.kind == "color" else DEPTH_SIZE)[1]


class _Arrival(_Part):
    def _get_FrameReference(self) -> ComObject:
        return self.kinect.object("IBodyFrameReference", self)

    # The reference's slot.
    def AcquireFrame(self) -> ComObject:
        self.delivery.taken.set()
        if self.delivery.is_pending:
            raise Failure(E_PENDING)
        if self.delivery.failure:
            raise Failure(self.delivery.failure)
        return self.kinect.object("IBodyFrame", _Frame(self.kinect, self.kind, self.delivery))


class _Picture(_Part):
    def CopyConvertedFrameDataToArray(self, capacity: int, address: int, _format: int) -> None:
        self.kinect.pictures_converted += 1
        assert self.delivery.picture is not None and capacity == self.delivery.picture.nbytes
        ctypes.memmove(address, self.delivery.picture.ctypes.data, capacity)


class _Frame(_Part):
    def _get_RelativeTime(self) -> int:
        return self.delivery.ticks

    def _get_FloorClipPlane(self) -> Any:
        from pykinect2 import PyKinectV2

        return PyKinectV2._Vector4(*self.delivery.floor)

    def GetAndRefreshBodyData(self, capacity: int, address: int) -> None:
        """Fills six pointers, tracked or not, in the sensor's order: people anywhere among them."""
        slots: list[Body | None] = [None] * capacity
        for number, body in enumerate(self.delivery.bodies):
            slots[(2 * number + 1) % capacity if len(self.delivery.bodies) <= 3 else number] = body
        pointers = (ctypes.c_void_p * capacity).from_address(address)
        for index, body in enumerate(slots):
            assert not pointers[index], "the client gave a pointer that it has already released"
            pointers[index] = self.kinect.com.reference(self.kinect.object("IBody", _BodySlot(body)))


class _BodySlot:
    def __init__(self, body: Body | None) -> None:
        self.body = body

    @property
    def _tracked(self) -> Body:
        assert self.body is not None, "asked about a body that is not tracked"
        return self.body

    def _get_IsTracked(self) -> bool:
        return self.body is not None

    def _get_TrackingId(self) -> int:
        return self._tracked.tracking_id

    def _get_HandLeftState(self) -> int:
        return self._tracked.hands[0]

    def _get_HandRightState(self) -> int:
        return self._tracked.hands[1]

    def _get_ClippedEdges(self) -> int:
        return self._tracked.clipped_edges

    def GetJoints(self, capacity: int, address: int) -> None:
        table = np.frombuffer((ctypes.c_char * (capacity * JOINT.itemsize)).from_address(address), dtype=JOINT)
        table["type"] = TYPES[:capacity]
        table["position"], table["state"] = self._tracked.joints, self._tracked.state


class _Mapper(_Part):
    def MapCameraPointsToColorSpace(self, count: int, camera: int, color_count: int, color: int) -> None:
        assert count == color_count
        if self.kinect.is_mapper_broken:
            raise Failure(E_FAIL)
        points = np.ctypeslib.as_array((ctypes.c_float * (3 * count)).from_address(camera)).reshape(count, 3)
        true_map = self.kinect.map_now()
        pixels = np.full((count, 2), -np.inf) if true_map is None else true_map.project(points)
        pixels = np.ascontiguousarray(pixels, dtype=np.float32)
        ctypes.memmove(color, pixels.ctypes.data, pixels.nbytes)
        self.kinect.mapped_points += count
