"""The bytes of a recorded color video (see ``live.picture_file``): a part of Matroska, fixed to the byte.

    header     EBML, Segment of unknown size, place of the index, Info (microseconds; duration), one video track
    picture    Cluster { Timestamp, SimpleBlock { JPEG } }, again and again
    index      Cues: time and place of every cluster; it, its place and the duration are written by closing

A reader compares instead of parsing: what is not as written here is not one of ours, or is damaged.
"""

from __future__ import annotations

import os
import struct
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

MICROSECONDS = 1_000_000
NOMINAL_PICTURE_NS = 33_333_333
"""Written for players that want a rate; the timestamps are what counts."""
CLUSTER = struct.Struct(">4sQ2sQsQ4s")
"""Cluster and its size, Timestamp with 8 bytes, SimpleBlock and its size, its head: track 1, time 0, a key frame."""
CLUSTER_ID, TIMESTAMP, BLOCK, BLOCK_HEAD = b"\x1f\x43\xb6\x75", b"\xe7\x88", b"\xa3", b"\x81\x00\x00\x80"
SIZE_MARK = 1 << 56
"""Makes a number of 56 bits an eight-byte size of EBML."""
NO_DURATION, DURATION = b"\xec\x89" + bytes(9), b"\x44\x89\x88"
CUES = b"\x1c\x53\xbb\x6b"
CUE = np.dtype([("head", "V11"), ("time", ">u8"), ("middle", "V14"), ("place", ">u8")])
"""One entry of the index: CuePoint { CueTime, CueTrackPositions { CueTrack, CueClusterPosition } }."""
CUE_HEAD = b"\xbb" + (CUE.itemsize - 9 | 1 << 56).to_bytes(8, "big") + b"\xb3\x88"
CUE_MIDDLE = b"\xb7" + (13 | 1 << 56).to_bytes(8, "big") + b"\xf7\x81\x01\xf1\x88"
MOST_PIXELS = 8192 * 4320
MOST_PICTURE_BYTES = 64 << 20
MOST_PICTURES = 5_000_000


def _element(identity: bytes, data: bytes) -> bytes:
    return identity + (len(data) | SIZE_MARK).to_bytes(8, "big") + data


class Header:
    """Everything before the first picture.

    Attributes:
        size: (width, height) in pixels.
        segment: Where positions in the index count from.
        length: Bytes.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        kind = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08"  # EBML 1; longest id, size
        kind += b"\x42\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02"
        self._start = _element(b"\x1a\x45\xdf\xa3", kind) + b"\x18\x53\x80\x67\x01" + b"\xff" * 7
        self.segment = len(self._start)
        self.length = len(self.packed())

    def packed(self, *, index_at: int | None = None, duration_us: float | None = None) -> bytes:
        """Returns the header; with the place of the index (in the segment) and the duration once they are known."""
        duration = NO_DURATION if duration_us is None else DURATION + struct.pack(">d", duration_us)
        info = b"\x2a\xd7\xb1\x84" + (1_000_000_000 // MICROSECONDS).to_bytes(4, "big")
        info += _element(b"\x4d\x80", b"picture_file") + _element(b"\x57\x41", b"kinect-action-recognition 1")
        video = b"".join(_element(name, n.to_bytes(4, "big")) for name, n in zip((b"\xb0", b"\xba"), self.size))
        track = b"\xd7\x81\x01\x73\xc5\x81\x01\x83\x81\x01\x9c\x81\x00"  # number, uid, video, not laced
        track += b"\x23\xe3\x83\x84" + NOMINAL_PICTURE_NS.to_bytes(4, "big")
        track += _element(b"\x86", b"V_MJPEG") + _element(b"\xe0", video)
        tracks = _element(b"\x16\x54\xae\x6b", _element(b"\xae", track))
        return self._start + self._seek_head(index_at) + _element(b"\x15\x49\xa9\x66", duration + info) + tracks

    def _seek_head(self, index_at: int | None) -> bytes:
        place = (index_at or 0).to_bytes(8, "big")
        seek = _element(b"\x4d\xbb", b"\x53\xab\x84" + CUES + b"\x53\xac\x88" + place)
        head = _element(b"\x11\x4d\x9b\x74", seek)
        return head if index_at is not None else _element(b"\xec", bytes(len(head) - 9))


def header_of(file: BinaryIO) -> Header | None:
    """Reads the header, or None where it is not one of ours."""
    shape = Header((0, 0))
    found = file.read(shape.length)
    if len(found) < shape.length:
        return None
    header = Header((int.from_bytes(found[-17:-13], "big"), int.from_bytes(found[-4:], "big")))
    is_sane = 0 < header.size[0] * header.size[1] <= MOST_PIXELS
    if not is_sane or found not in (header.packed(), header.packed(**_closing_facts(found, header))):
        return None
    return header


def _closing_facts(found: bytes, header: Header) -> dict[str, Any]:
    """What closing wrote into a header, taken from where it belongs."""
    open_header, closed = header.packed(), header.packed(index_at=0, duration_us=0.0)
    place = closed.index(b"\x53\xac\x88") + 3
    duration = open_header.index(NO_DURATION) + len(DURATION)
    return {
        "index_at": int.from_bytes(found[place : place + 8], "big"),
        "duration_us": struct.unpack(">d", found[duration : duration + 8])[0],
    }


def index_of(cues: list[tuple[int, int]], *, segment: int) -> bytes:
    table = np.zeros(len(cues), dtype=CUE)
    table["head"], table["middle"] = np.void(CUE_HEAD), np.void(CUE_MIDDLE)
    if cues:
        table["time"], table["place"] = np.array(cues, dtype=np.uint64).T
        table["place"] -= segment
    return _element(CUES, table.tobytes())


def indexed(file: BinaryIO, header: Header) -> list[tuple[int, int, int]]:
    """Time, place and JPEG's length of every picture from the index; empty without a sound one."""
    file.seek(0)
    end = int(_closing_facts(file.read(header.length), header)["index_at"]) + header.segment
    size = os.fstat(file.fileno()).st_size
    count = (size - end - 12) // CUE.itemsize
    if not header.length < end < size or not 0 < count <= MOST_PICTURES:
        return []
    file.seek(end)
    head, data = file.read(12), file.read(count * CUE.itemsize)
    if head + data != _element(CUES, data) or len(data) != count * CUE.itemsize:
        return []
    table = np.frombuffer(data, dtype=CUE)
    if (table["head"] != np.void(CUE_HEAD)).any() or (table["middle"] != np.void(CUE_MIDDLE)).any():
        return []
    edges = [*(table["place"].astype(object) + header.segment), end]
    lengths = [after - before - CLUSTER.size for before, after in pairwise(edges)]
    times_us = table["time"].astype(object)
    is_sound = edges[0] == header.length and all(0 < length <= MOST_PICTURE_BYTES for length in lengths)
    is_sound &= all(before < after for before, after in pairwise(times_us))
    return list(zip(times_us, edges, lengths)) if is_sound else []


def cluster_head(time_us: int, jpeg_bytes: int) -> bytes:
    block = len(BLOCK_HEAD) + jpeg_bytes
    cluster = CLUSTER.size - len(CLUSTER_ID) - 8 - len(BLOCK_HEAD) + block
    return CLUSTER.pack(CLUSTER_ID, cluster | SIZE_MARK, TIMESTAMP, time_us, BLOCK, block | SIZE_MARK, BLOCK_HEAD)


def walked(file: BinaryIO, header: Header) -> list[tuple[int, int, int]]:
    """Time, place and JPEG's length of every whole picture; ends where something else stands."""
    pictures: list[tuple[int, int, int]] = []
    end, place = os.fstat(file.fileno()).st_size, header.length
    last_us = -1
    while len(pictures) < MOST_PICTURES:
        file.seek(place)
        head = file.read(CLUSTER.size)
        if len(head) < CLUSTER.size:
            break
        time_us, block = CLUSTER.unpack(head)[3], CLUSTER.unpack(head)[5]
        length = (block & (SIZE_MARK - 1)) - len(BLOCK_HEAD)
        after = place + CLUSTER.size + length
        is_whole = 0 < length <= MOST_PICTURE_BYTES and after <= end and time_us > last_us
        if not is_whole or head != cluster_head(time_us, length):
            break
        pictures.append((time_us, place, length))
        place, last_us = after, time_us
    return pictures
