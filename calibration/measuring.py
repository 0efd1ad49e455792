"""What the command line measures on: a recording, or a sensor that is plugged in, both with the same three answers.

A live sensor is given as an object with the methods of ``live.sources.base.Source``: this room stands below that one
and imports nothing of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from calibration.assistant import Advice, CalibrationAssistant, Step, difference
from calibration.color_map import ColorMap, Residuals, fit, fit_recording, grid, samples
from calibration.floor import Floor, Survey, survey
from skeleton.errors import CalibrationError
from skeleton.frames import BodyFrame
from skeleton.recording import Recording

LISTEN_S = 2.0
"""Frames of a live sensor are looked at for so long: its planes tremble by a degree, sixty of them by a tenth."""
READ_S = 0.1
SILENT_S = 6.0
"""A sensor that was just opened spins up before it delivers."""
STANDING_S = 120.0
"""So long a person has to walk into view and stand still."""


class Sensor(Protocol):
    """A recording or a live sensor."""

    @property
    def name(self) -> str: ...

    @property
    def sensor_id(self) -> str: ...

    def fitted(self) -> tuple[ColorMap, Residuals]: ...

    def seen_floor(self) -> Floor | None: ...

    def floor(self, *, is_standing: bool) -> Floor: ...


class RecordedSensor:
    """The sensor that made a recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.name = recording.info.path.name if recording.info.path else "recording"
        self.sensor_id = recording.info.sensor_id
        self._found: Survey | None = None

    def fitted(self) -> tuple[ColorMap, Residuals]:
        """Returns the color map that the recording's pixels give, and what it gets wrong on them."""
        found = fit_recording(self._recording)
        return found, Residuals.of(found, *samples(self._recording))

    def seen_floor(self) -> Floor | None:
        """Returns the floor of the planes in its frames, or the one it states, or None."""
        stated = self._recording.info.floor
        return self._survey().seen or (None if stated is None else Floor.from_plane(stated))

    def floor(self, *, is_standing: bool) -> Floor:
        """Returns the floor; raises ``CalibrationError`` where there is none, or two that contradict each other."""
        stood = self._survey().stood
        if is_standing:
            return _required(stood, self._survey(), self.name, is_standing=True)
        seen = self.seen_floor()
        if seen is not None and stood is not None and (problem := difference(seen, stood)):
            raise CalibrationError(problem, remedy="With --standing the person is believed.")
        return _required(seen or stood, self._survey(), self.name, is_standing=False)

    def _survey(self) -> Survey:
        if self._found is None:
            self._found = survey(self._recording.frames, layout=self._recording.info.layout)
        return self._found


class LiveSensor:
    """A sensor that is plugged in; a context manager.

    Args:
        source: Not yet open.
        tell: Told what a person should do, whenever that changes.
        listen_s: How long frames are looked at.
    """

    def __init__(self, source: Any, *, tell: Callable[[str], None], listen_s: float = LISTEN_S) -> None:
        self._source, self._tell, self._listen_s = source, tell, listen_s

    def __enter__(self) -> LiveSensor:
        try:
            self._info = self._source.open()
        except BaseException:
            self._source.close()
            raise
        self.name, self.sensor_id = self._info.name, self._info.sensor_id
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def fitted(self) -> tuple[ColorMap, Residuals]:
        """Returns the color map of the device's own mapper, on a grid and on the joints of whoever is in view."""
        joints = [body.joints[body.seen] for frame in self._frames(self._listen_s) for body in frame.bodies]
        points = np.concatenate([grid(), *joints])
        pixels = self._source.color_pixels(points)
        if pixels is None:
            raise CalibrationError(f"'{self.name}' must map points to its color picture, but does not.")
        found = fit(points, pixels)
        return found, Residuals.of(found, points, pixels)

    def seen_floor(self) -> Floor | None:
        """Returns the floor of the planes of two seconds, or None."""
        return survey(self._frames(self._listen_s), layout=self._info.layout).seen

    def floor(self, *, is_standing: bool) -> Floor:
        """Returns the floor; with ``is_standing`` a person is told what to do until it is measured.

        Raises:
            CalibrationError: No floor in view, or one that contradicts the person.
        """
        if is_standing:
            return self._stood()
        found = survey(self._frames(self._listen_s), layout=self._info.layout)
        return _required(found.seen, found, self.name, is_standing=False)

    def _stood(self) -> Floor:
        assistant = CalibrationAssistant(sensor_id=self.sensor_id, layout=self._info.layout, only_person=True)
        said = ""
        for frame in self._frames(STANDING_S):
            advice: Advice = assistant.take(frame)
            if advice.text != said:
                said = advice.text
                self._tell(said)
            if advice.step is Step.DONE and assistant.floor is not None:
                return assistant.floor
        raise CalibrationError(f"A person must stand still in view of '{self.name}', but nobody did: {said}")

    def _frames(self, span_s: float) -> Iterator[BodyFrame]:
        """Yields frames for so many seconds of the sensor's time, and ends where none comes."""
        first_s: float | None = None
        heard_s = time.monotonic()
        asked_s = heard_s
        while asked_s - heard_s < SILENT_S:  # a computer that slept since it asked, asks once more
            asked_s = time.monotonic()
            frame = self._source.read(READ_S)
            if frame is None:
                continue
            heard_s = time.monotonic()
            first_s = frame.time_s if first_s is None else first_s
            yield frame
            if frame.time_s - first_s >= span_s:
                return


def _required(floor: Floor | None, found: Survey, name: str, *, is_standing: bool) -> Floor:
    if floor is not None:
        return floor
    if found.refused and not is_standing:
        raise CalibrationError(f"The sensor must see the floor, but what '{name}' has is none: {found.refused}")
    if not found.has_people:
        raise CalibrationError(
            f"A floor in view or a person who stands is needed, but '{name}' has neither.",
            remedy="Tilt the sensor until it sees the floor, or let a person stand upright in view.",
        )
    raise CalibrationError(
        f"A person must stand upright on both feet for a second, but in '{name}' nobody does.",
        remedy="Somebody who sits or crouches shows no floor: stand up, with both feet in view.",
    )
