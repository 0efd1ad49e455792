"""The Kinect v2 as a source: what a user reads when it is missing, silent or unplugged, and every frame it sends.

The binding to the SDK is imported when the source is opened, so this file imports everywhere.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections import deque
from typing import Any

import numpy as np

from calibration import store
from live.sources.base import Source, SourceInfo, SourceStatus
from skeleton.errors import CalibrationError, SourceLost, SourceUnavailable
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2

BINDING = "live.sources.kinect_v2_binding"
SYSTEM = {"win32": "Windows", "linux": "Linux", "darwin": "macOS"}.get(sys.platform, sys.platform)
REPLAY_INSTEAD = "Without a Kinect, replay a recording or watch the demo ('--source replay', '--source demo')."
RECONNECT = "Check the adapter's power light, the USB 3 plug and the cable; the app tries again by itself."
HELD = {
    0x80070005: "access denied",
    0x80070020: "sharing violation",
    0x80070021: "lock violation",
    0x800700AA: "resource in use",
}
"""What Windows answers (HRESULT) where a device or file belongs to another program."""
HELD_SENTENCE = "The Kinect must be free for this app, but another program holds it."
CLOSE_OTHERS = "Close other programs that use it, such as Kinect Studio or OpenNI"
AVAILABLE_S = 3.0
"""A sensor that is plugged in answers within this time of being opened."""
MAPPING_S = 1.0
"""An available sensor gets this long to start mapping camera space to color."""
FIRST_FRAME_S = 4.0
"""The first body frame comes within this time of ``open``."""
SILENCE_S = 2.0
"""A sensor that sends nothing for so long is lost."""
POLL_S = 0.05
QUEUE_FRAMES = 60
"""Two seconds of body frames: longer than a reader pauses."""


class KinectV2Source(Source):
    """Body frames and color pictures of the Kinect v2 that is plugged in.

    Args:
        available_s: How long ``open`` waits for a sensor before it says that there is none, seconds.
        first_frame_s: How long the first body frame may take, seconds.
        silence_s: How long a running sensor may send nothing, seconds.
    """

    def __init__(
        self,
        *,
        available_s: float = AVAILABLE_S,
        first_frame_s: float = FIRST_FRAME_S,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._available_s, self._first_frame_s, self._silence_s = available_s, first_frame_s, silence_s
        self._reader: Any = None
        self._arrivals = _Arrivals()
        self._status = SourceStatus.OPENING
        self._lost_by = 0.0
        self._picture: np.ndarray | None = None
        self._picture_count = 0

    @property
    def status(self) -> SourceStatus:
        """STREAMING while open; LOST after the sensor went away; FAILED when it could not be opened."""
        return self._status

    @property
    def frames_lost(self) -> int:
        """Body frames since ``open`` that were announced and never read: dropped by the SDK or by a full queue."""
        return self._arrivals.lost + (self._reader.dropped if self._reader is not None else 0)

    def open(self) -> SourceInfo:
        """Opens the sensor and measures its color map; takes up to ``available_s`` where none is plugged in.

        Raises:
            SourceUnavailable: Not Windows, no pykinect2, no Kinect runtime, or no sensor.
        """
        self.close()
        try:
            info = self._opened()
        except SourceUnavailable:
            self.close()
            self._status = SourceStatus.FAILED
            raise
        self._status = SourceStatus.STREAMING
        self._lost_by = time.monotonic() + self._first_frame_s
        return info

    def read(self, timeout_s: float) -> BodyFrame | None:
        """Waits at most ``timeout_s`` for the next body frame; frames come in order and none is left out.

        Raises:
            SourceLost: The sensor was unplugged, fell silent, or its driver failed.
        """
        if self._reader is None:
            return None
        asked_s = time.monotonic()
        frame = self._arrivals.take(timeout_s)
        if frame is not None:
            self._lost_by = time.monotonic() + self._silence_s
            return frame
        loss = self._loss(asked_s)
        if loss is not None:
            self._status = SourceStatus.LOST
            raise loss
        return None

    def color(self) -> np.ndarray | None:
        """Returns the newest picture, (1080, 1920, 3) uint8 RGB, mirrored as the SDK gives it, or None."""
        if self._reader is not None and self._reader.color_count != self._picture_count:
            self._picture_count = self._reader.color_count
            newest = self._reader.color()
            self._picture = newest if newest is not None else self._picture
        return self._picture

    def color_pixels(self, points: np.ndarray) -> np.ndarray | None:
        """Returns what the SDK's mapper says of points (N, 3): (N, 2) pixels, maybe infinite; None before it maps."""
        if self._reader is None:
            return None
        try:
            pixels: np.ndarray = self._reader.color_pixels(points)
        except CalibrationError:
            return None
        return pixels

    def close(self) -> None:
        """Closes the sensor and forgets what it sent."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        self._arrivals = _Arrivals()
        self._picture, self._picture_count = None, 0

    def _opened(self) -> SourceInfo:
        binding = load_binding()
        try:
            self._reader = binding.KinectReader(on_frame=self._arrivals.put, on_error=self._arrivals.fail)
        except (ValueError, OSError, binding.COMError) as error:  # "NULL COM pointer access": the SDK has no sensor
            if _hresult(error) in HELD:
                raise SourceUnavailable(
                    HELD_SENTENCE, remedy=f"{CLOSE_OTHERS}, then open the Kinect again."
                ) from None
            raise _no_sensor(f"the Kinect runtime gives none ({_said(error)})") from None
        if not _becomes_true(lambda: self._reader.is_available, within_s=self._available_s):
            raise _no_sensor("none answers")
        sensor_id = self._reader.sensor_id()
        return SourceInfo(
            kind="kinect",
            name=f"Kinect v2 {sensor_id}".strip(),
            layout=KINECT_V2,
            is_live=True,
            sensor_id=sensor_id,
            color_map=self._color_map(sensor_id),
            color_size=self._reader.color_size,
        )

    def _color_map(self, sensor_id: str) -> tuple[float, ...] | None:
        """The sensor's own map; where the SDK gives none, the one stored for it; else None."""
        for _ in range(1 + round(MAPPING_S / POLL_S)):  # counted: a computer that sleeps meanwhile asks as often
            try:
                return self._reader.color_map().coefficients
            except CalibrationError:
                time.sleep(POLL_S)
        try:
            stored = store.load(sensor_id)
        except CalibrationError:  # a damaged file must not keep the sensor from opening; the default map is near
            stored = None
        return stored.color_map.coefficients if stored is not None and stored.color_map is not None else None

    def _loss(self, asked_s: float) -> SourceLost | None:
        """Why no frame comes, once it is more than a pause; a computer that slept since it asked, asks once more."""
        error = self._arrivals.error
        if error is not None and _hresult(error) in HELD:
            return SourceLost(HELD_SENTENCE, remedy=f"{CLOSE_OTHERS}; the app tries again by itself.")
        if error is not None:
            return SourceLost(
                f"The Kinect must send frames, but its driver failed: {_said(error)}.", remedy=RECONNECT
            )
        if not self._reader.is_available:
            return SourceLost("The Kinect must stay connected, but it was unplugged or lost power.", remedy=RECONNECT)
        if asked_s < self._lost_by:
            return None
        return SourceLost(
            "The Kinect is connected, but sends no frames.",
            remedy="Plug it into a USB 3 port of its own (Intel or Renesas controller) and close other programs "
            "that use it; 'Kinect Configuration Verifier' names what is wrong.",
        )


class _Arrivals:
    """The frames between the SDK's thread and the reader: first in, first out, bounded."""

    def __init__(self) -> None:
        self._frames: deque[BodyFrame] = deque()
        self._changed = threading.Condition()
        self.error: Exception | None = None
        self.lost = 0

    def put(self, frame: BodyFrame) -> None:
        """Adds a frame; the oldest makes way, and is counted, where nobody has read for two seconds."""
        with self._changed:
            if len(self._frames) >= QUEUE_FRAMES:
                self._frames.popleft()
                self.lost += 1
            self._frames.append(frame)
            self._changed.notify()

    def fail(self, error: Exception) -> None:
        """Wakes the reader: no frame comes any more."""
        with self._changed:
            self.error = error
            self._changed.notify()

    def take(self, timeout_s: float) -> BodyFrame | None:
        """Waits for the oldest frame; None after ``timeout_s`` or an error."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self.error, timeout=timeout_s)
            return self._frames.popleft() if self._frames else None


def load_binding() -> Any:
    """Returns the module that speaks to the Kinect's runtime; whether a sensor is there shows only when it is opened.

    Raises:
        SourceUnavailable: Not Windows, no pykinect2, or no Kinect runtime.
    """
    if SYSTEM != "Windows":
        raise SourceUnavailable(
            f"A Kinect v2 needs Windows 8 or later, but this computer runs {SYSTEM}.",
            remedy=REPLAY_INSTEAD,
        )
    try:
        return importlib.import_module(BINDING)
    except ModuleNotFoundError as error:
        raise SourceUnavailable(
            f"A Kinect needs the Python package '{(error.name or '').partition('.')[0]}', which is not installed.",
            remedy="Run 'pip install -r requirements-app.txt'.",
        ) from None
    except OSError:  # ctypes could not load Kinect20.dll
        raise SourceUnavailable(
            "A Kinect needs the Kinect for Windows Runtime 2.2, but its Kinect20.dll was not found.",
            remedy="Install 'Kinect for Windows Runtime 2.2' from Microsoft, then open the Kinect again.",
        ) from None
    except (
        ImportError,
        AssertionError,
        AttributeError,
        SyntaxError,
    ) as error:  # another text of pykinect2 or comtypes
        raise SourceUnavailable(
            f"A Kinect needs pykinect2 0.1.0, but the installed package cannot be used ({error}).",
            remedy="Run 'pip install --force-reinstall -r requirements-app.txt'.",
        ) from None


def _hresult(error: Exception) -> int | None:
    """The number of Windows' answer, or None where the error is not one of Windows."""
    number = getattr(error, "hresult", None) or getattr(error, "winerror", None)
    return None if number is None else number & 0xFFFFFFFF


def _said(error: Exception) -> str:
    """An error in words; one of COM has the number that a search finds."""
    number = _hresult(error)
    if number is None:
        return str(error)
    text = (getattr(error, "text", None) or getattr(error, "strerror", None) or "").strip().rstrip(".")
    return f"error {number:#010x}" + (f", {text}" if text else "")


def _no_sensor(found: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"A Kinect v2 must be connected, but {found}.",
        remedy=f"Check the adapter's power light and the USB 3 plug. {REPLAY_INSTEAD}",
    )


def _becomes_true(condition: Any, *, within_s: float) -> bool:
    give_up_s = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= give_up_s:
            return False
        time.sleep(POLL_S)
    return True
