"""Reading from a Kinect source under test."""

from __future__ import annotations

import time

import pytest

from live.sources.kinect_v2 import KinectV2Source
from skeleton.errors import SourceLost
from skeleton.frames import BodyFrame

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
