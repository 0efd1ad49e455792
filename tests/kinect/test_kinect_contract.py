"""The suite that every source must pass, over the Kinect on the scripted sensor."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from live.sources.base import Source
from live.sources.table import SOURCES, SourceOptions
from tests.kinect.sensor import Delivery, Kinect
from tests.live import test_source_contract as contract
from tests.recordings import walking_body

REQUIREMENTS = [
    function
    for name, function in vars(contract).items()
    if name.startswith("test_") and list(inspect.signature(function).parameters) == ["source"]
]
RATE_HZ = 30.0
AGAIN_S = 0.02


class Feeder(threading.Thread):
    """Sends frame after frame, each when the last one was taken, however slow the computer is."""

    def __init__(self, kinect: Kinect) -> None:
        super().__init__(name="feeder", daemon=True)
        self._kinect, self.is_stopping = kinect, threading.Event()

    def run(self) -> None:
        picture, number = np.zeros((1080, 1920, 4), dtype=np.uint8), 0
        while not self.is_stopping.wait(1 / RATE_HZ):
            number += 1
            people = [walking_body(number / RATE_HZ, person) for person in range(2)]
            self._send("color", Delivery(picture=picture))
            self._send("body", Delivery(bodies=people, ticks=round(number / RATE_HZ * 1e7)))

    def _send(self, kind: str, delivery: Delivery) -> None:
        while not (delivery.taken.is_set() or self.is_stopping.is_set()):
            if kind in self._kinect.events:  # closed and opened again, it waits for another event
                self._kinect.post(kind, delivery)
            delivery.taken.wait(AGAIN_S)


@pytest.fixture
def source(kinect: Kinect) -> Iterator[Source]:
    made, feeder = SOURCES["kinect"](SourceOptions()), Feeder(kinect)
    feeder.start()
    yield made
    made.close()
    feeder.is_stopping.set()
    feeder.join()


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda function: function.__name__.removeprefix("test_"))
def test_the_kinect_does_what_every_source_must(requirement: Callable[[Source], None], source: Source) -> None:
    requirement(source)


def test_the_suite_is_there() -> None:
    assert len(REQUIREMENTS) >= 6
