"""The recorded color video: every picture at its time, readable by us and by OpenCV whatever happened to the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from live.picture_file import PictureReader, PictureWriter, is_picture_file
from skeleton.errors import RecordingError, SourceUnavailable

SIZE = (64, 40)
LEVEL = 25
"""Neighboring pictures differ by so much: more than JPEG changes."""


def plain(number: int) -> np.ndarray:
    """A picture whose color tells its number, 0 to 9."""
    return np.full((SIZE[1], SIZE[0], 3), (LEVEL * number, 10, 200), dtype=np.uint8)


def number_of(picture: np.ndarray | None) -> int:
    assert picture is not None
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert abs(int(picture[20, 30, 2]) - 200) < 6, "red and blue are exchanged"
    return round(int(picture[20, 30, 0]) / LEVEL)


def written(path: Path, times_s: list[float]) -> PictureWriter:
    """A file with picture k at ``times_s[k]``, not closed."""
    writer = PictureWriter(path, size=SIZE)
    for number, time_s in enumerate(times_s):
        writer.append(plain(number), time_s)
    return writer


@contextmanager
def opened(path: Path) -> Iterator[PictureReader]:
    reader = PictureReader(path)
    try:
        yield reader
    finally:
        reader.close()


def test_every_picture_is_shown_from_its_own_time_until_the_next_ones(tmp_path: Path) -> None:
    written(tmp_path / "v.mkv", [0.0, 0.033, 0.1, 70.0]).close()
    with opened(tmp_path / "v.mkv") as reader:
        assert reader.size == SIZE and len(reader.times_s) == 4
        asked = {-1.0: 0, 0.0: 0, 0.03: 0, 0.033: 1, 0.09: 1, 0.1: 2, 69.9: 2, 70.0: 3, 900.0: 3}
        assert {time_s: number_of(reader.picture(time_s)) for time_s in asked} == asked
        assert reader.picture(0.1) is reader.picture(0.11), "a picture is decoded once"


def test_a_closed_file_opens_by_its_index_and_gives_the_same_as_by_walking(tmp_path: Path) -> None:
    writer = written(tmp_path / "v.mkv", [0.0, 0.4, 9.0])
    with opened(tmp_path / "v.mkv") as reader:
        walked = reader._pictures
    writer.close()
    data = bytearray((tmp_path / "v.mkv").read_bytes())
    second = data.index(b"\x1f\x43\xb6\x75", data.index(b"\x1f\x43\xb6\x75") + 1)
    data[second] = 0  # walking would end here
    (tmp_path / "d.mkv").write_bytes(data)
    with opened(tmp_path / "d.mkv") as reader:
        assert reader._pictures == walked and len(walked) == 3
        assert [reader.picture(0.4), number_of(reader.picture(9.0))] == [None, 2]


@pytest.mark.parametrize("is_closed", [True, False])
def test_opencv_plays_the_file_with_its_times_closed_or_not(tmp_path: Path, is_closed: bool) -> None:
    times_s = [0.0, 0.05, 0.1, 2.0]
    writer = written(tmp_path / "v.mkv", times_s)
    if is_closed:
        writer.close()
    capture = cv2.VideoCapture(str(tmp_path / "v.mkv"), cv2.CAP_FFMPEG)
    found = []
    while capture.read()[0]:
        found.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    capture.release()
    writer.close()
    assert found == pytest.approx(times_s, abs=0.002)


def test_opencv_finds_a_picture_in_the_middle(tmp_path: Path) -> None:
    written(tmp_path / "v.mkv", [number / 30 for number in range(10)]).close()
    capture = cv2.VideoCapture(str(tmp_path / "v.mkv"), cv2.CAP_FFMPEG)
    found = []
    for number in (7, 2, 9):
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        found.append(number_of(cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)))
    capture.release()
    assert found == [7, 2, 9]


def test_a_file_cut_at_any_byte_gives_all_whole_pictures(tmp_path: Path) -> None:
    written(tmp_path / "v.mkv", [0.0, 0.5, 1.0]).close()
    whole, cut = (tmp_path / "v.mkv").read_bytes(), tmp_path / "cut.mkv"
    first, index = whole.index(b"\x1f\x43\xb6\x75"), whole.index(b"\x1c\x53\xbb\x6b", 200)
    one = (index - first) // 3
    counts = []
    for length in range(len(whole), index - 2 * one + 20, -7):
        cut.write_bytes(whole[:length])
        with opened(cut) as reader:
            counts.append(len(reader.times_s))
            assert number_of(reader.picture(9.0)) == len(reader.times_s) - 1
    assert set(counts) == {3, 2, 1}


@pytest.mark.parametrize("length", [0, 1, 100, 250])
def test_a_file_without_a_whole_picture_is_refused_in_a_sentence(tmp_path: Path, length: int) -> None:
    written(tmp_path / "v.mkv", [0.0]).close()
    (tmp_path / "v.mkv").write_bytes((tmp_path / "v.mkv").read_bytes()[:length])
    with pytest.raises(SourceUnavailable, match="no picture in it is whole"):
        PictureReader(tmp_path / "v.mkv")


def test_damaged_bytes_never_give_more_than_a_missing_picture(tmp_path: Path) -> None:
    writer = written(tmp_path / "v.mkv", [0.0, 0.5, 1.0])
    killed = (tmp_path / "v.mkv").read_bytes()
    writer.close()
    whole, random = (tmp_path / "v.mkv").read_bytes(), np.random.default_rng(5)
    outcomes = set()
    for trial in range(300):
        damaged = bytearray(whole if trial % 2 else killed)
        for place in random.integers(0, len(whole), 1 + trial % 3):
            damaged[place % len(damaged)] = random.integers(256)
        (tmp_path / "d.mkv").write_bytes(damaged)
        if not is_picture_file(tmp_path / "d.mkv"):
            outcomes.add("not ours")
            continue
        try:
            reader = PictureReader(tmp_path / "d.mkv")
        except SourceUnavailable:
            outcomes.add("refused")
            continue
        for time_s in (0.0, 0.5, 1.0):
            picture = reader.picture(time_s)
            assert picture is None or picture.ndim == 3
        outcomes.add("read")
        reader.close()
    assert outcomes == {"not ours", "refused", "read"}


def test_a_jpeg_that_claims_another_size_is_not_decoded(tmp_path: Path) -> None:
    written(tmp_path / "v.mkv", [0.0]).close()
    data = bytearray((tmp_path / "v.mkv").read_bytes())
    frame_header = data.index(b"\xff\xc0")
    data[frame_header + 5 : frame_header + 9] = b"\xff\xdc\xff\xdc"  # 65500 x 65500: 13 GB
    (tmp_path / "v.mkv").write_bytes(data)
    with opened(tmp_path / "v.mkv") as reader:
        assert reader.picture(0.0) is None


def test_other_videos_are_not_taken_for_ours(tmp_path: Path) -> None:
    video = cv2.VideoWriter(str(tmp_path / "a.mkv"), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, SIZE)
    video.write(plain(1))
    video.release()
    assert not is_picture_file(tmp_path / "a.mkv") and not is_picture_file(tmp_path / "missing.mkv")


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "v.mkv").write_text("mine")
    with pytest.raises(RecordingError, match="already there"):
        PictureWriter(tmp_path / "v.mkv", size=SIZE)
    assert (tmp_path / "v.mkv").read_text() == "mine"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode="r", **more: real_open(Path("/dev/full"), "wb", **more))
    with pytest.raises(RecordingError, match=r"v\.mkv cannot be written: the disk is full"):
        PictureWriter(tmp_path / "v.mkv", size=SIZE)


def test_a_picture_of_another_size_is_fitted(tmp_path: Path) -> None:
    writer = written(tmp_path / "v.mkv", [0.0])
    writer.append(cv2.resize(plain(7), (128, 80)), 1.0)
    writer.close()
    with opened(tmp_path / "v.mkv") as reader:
        assert number_of(reader.picture(1.0)) == 7
