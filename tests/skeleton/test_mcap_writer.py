"""The recording that is written while it happens: it survives a killed writer and opens in any viewer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import NonSeekingReader, make_reader

from skeleton.errors import RecordingError
from skeleton.formats import mcap, mcap_index
from skeleton.formats.mcap import RecordingWriter
from skeleton.formats.table import open_recording
from skeleton.frames import BodyFrame
from tests.conftest import REPOSITORY
from tests.recordings import assert_same_frames, walking_body, walking_recording

TOLERANCE_S = 1e-9

ENDLESS_WRITER = """
import sys, time
from pathlib import Path
from skeleton.formats.mcap import RecordingWriter
from skeleton.frames import BodyFrame
from skeleton.layout import KINECT_V2
from skeleton.recording import RecordingInfo
from tests.recordings import walking_body

writer = RecordingWriter(Path(sys.argv[1]), RecordingInfo("mcap", None, KINECT_V2, sensor_id="killed"))
start, index = time.monotonic(), 0
while True:
    time_s = time.monotonic() - start
    writer.append(BodyFrame(index=index, time_s=time_s, bodies=(walking_body(time_s), walking_body(time_s, 1))))
    print(time_s, flush=True)
    index += 1
    time.sleep(1 / 30)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_writer_loses_less_than_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    command = [sys.executable, "-c", ENDLESS_WRITER, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last_s = 0.0
        for line in process.stdout:
            last_s = float(line)
            if last_s > 2.0:
                process.kill()
                break
        last_s = max([last_s, *map(float, process.stdout.read().split("\n")[:-1])])
    found = open_recording(path)
    assert not found.info.is_complete
    assert found.info.sensor_id == "killed"
    assert found.times_s[-1] > last_s - 1.0
    assert [frame.index for frame in found.frames] == list(range(len(found.frames)))
    np.testing.assert_array_equal(found.frames[-1].bodies[1].joints[3], walking_body(found.times_s[-1], 1).joints[3])


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No chunk ends because the computer was slow: only because it is full."""
    monkeypatch.setattr(mcap.time, "monotonic", lambda: 0.0)


@pytest.mark.usefixtures("still_clock")
def test_a_file_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    recording = walking_recording(frames=50)
    with RecordingWriter(tmp_path / "a.mcap", recording.info) as writer:
        for frame in recording.frames:
            writer.append(frame)
        assert 30 <= len(open_recording(writer.path).frames) < 50
        writer.flush()
        assert_same_frames(open_recording(writer.path), recording, time_tolerance_s=TOLERANCE_S)
        assert not open_recording(writer.path).info.is_complete
    assert open_recording(writer.path).info.is_complete
    assert writer.frame_count == 50


def test_a_slow_source_is_flushed_by_the_clock_on_the_wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0, 100, 0.3).tolist())
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with RecordingWriter(tmp_path / "a.mcap", walking_recording().info) as writer:
        for index in range(10):
            writer.append(BodyFrame(index=index, time_s=index * 1e-3))
        assert len(open_recording(writer.path).frames) >= 8


@pytest.mark.usefixtures("still_clock")
def test_the_file_is_valid_for_the_library_with_all_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    mcap.write(walking_recording(frames=40, bodies=2, start_s=10.0), path)
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == 40
        assert len(summary.chunk_indexes) == 3
        late = list(reader.iter_messages(topics="/bodies", start_time=int(11e9)))
        assert len(late) == 10
        schema, channel, message = late[0]
        assert schema is not None
        assert (schema.name, schema.encoding, channel.message_encoding) == ("BodyFrame", "jsonschema", "json")
        assert message.log_time == 11_000_000_000
        assert [record.name for record in reader.iter_metadata()] == ["recording"]
    with path.open("rb") as file:
        assert len(list(NonSeekingReader(file, validate_crcs=True).iter_messages())) == 40


@pytest.mark.usefixtures("still_clock")
def test_opening_decodes_no_frame_and_a_frame_unpacks_one_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mcap"
    recording = walking_recording(frames=300)
    mcap.write(recording, path)
    unpacked = []
    real = mcap.chunk_at
    monkeypatch.setattr(mcap, "chunk_at", lambda file, position: unpacked.append(position) or real(file, position))
    found = open_recording(path)
    assert unpacked == []
    index = found.index_at(7.51)
    assert found.frames[index].time_s == pytest.approx(7.5)
    assert [frame.index for frame in found.frames[index : index + 3]] == [225, 226, 227]
    assert len(unpacked) == 1


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"mine")
    with pytest.raises(RecordingError, match="already there"):
        RecordingWriter(path, walking_recording().info)
    assert path.read_bytes() == b"mine"


def test_a_folder_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be written: No such file"):
        RecordingWriter(tmp_path / "missing" / "a.mcap", walking_recording().info)


@pytest.mark.parametrize("time_s", [0.5, 0.4, -1.0, float("nan"), 1e12])
def test_time_that_does_not_increase_is_refused(time_s: float, tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a.mcap", walking_recording().info) as writer:
        writer.append(BodyFrame(index=0, time_s=0.5))
        with pytest.raises(RecordingError, match="must be positive and increase"):
            writer.append(BodyFrame(index=1, time_s=time_s))
    assert len(open_recording(writer.path).frames) == 1


def test_a_full_disk_stops_the_writer_and_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = walking_recording(frames=60)
    writer = RecordingWriter(tmp_path / "a.mcap", recording.info)
    for frame in recording.frames[:40]:
        writer.append(frame)

    class FullDisk:
        def __init__(self, file: object) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            self.file.close()  # type: ignore[attr-defined]

    monkeypatch.setattr(writer, "_file", FullDisk(writer._file))
    with pytest.raises(RecordingError, match="cannot be written: the disk is full"):
        for frame in recording.frames[40:]:
            writer.append(frame)
    writer.close()
    found = open_recording(writer.path)
    assert (len(found.frames), found.info.is_complete) == (30, False)


def test_bodies_of_another_layout_are_a_programming_mistake(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a.mcap", walking_recording().info) as writer:
        from skeleton.layout import KINECT_V2_19

        with pytest.raises(ValueError, match="25 joints"):
            writer.append(BodyFrame(index=0, time_s=0.0, bodies=(walking_body(0.0, layout=KINECT_V2_19),)))
    with pytest.raises(ValueError, match="closed"):
        writer.append(BodyFrame(index=0, time_s=0.0))


def test_a_damaged_index_is_replaced_by_a_walk(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    recording = walking_recording(frames=40)
    mcap.write(recording, path)
    data = bytearray(path.read_bytes())
    data[-60] ^= 255  # within the summary, whose checksum then fails
    path.write_bytes(data)
    assert_same_frames(open_recording(path), recording, time_tolerance_s=TOLERANCE_S)


@pytest.mark.usefixtures("still_clock")
def test_a_recording_ends_at_the_most_frames_that_one_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcap_index, "MOST_FRAMES", 31)
    mcap.write(walking_recording(frames=40), tmp_path / "a.mcap")
    found = open_recording(tmp_path / "a.mcap")
    assert (len(found.frames), found.info.is_complete) == (30, False)


def recorded(path: Path, *, is_closed: bool = True) -> tuple[bytearray, int]:
    """Fifty frames in chunks of fifteen: the bytes of the file, and where the record of the second chunk begins."""
    recording = walking_recording(frames=50)
    with RecordingWriter(path, recording.info) as writer:
        for frame in recording.frames:
            writer.append(frame)
        writer.flush()
        data = path.read_bytes()
    data = path.read_bytes() if is_closed else data
    return bytearray(data), data.index(b"zstd", data.index(b"zstd") + 1) - 41


@pytest.mark.usefixtures("still_clock")
@pytest.mark.parametrize("is_closed", [True, False])
def test_a_damaged_chunk_is_a_gap(is_closed: bool, tmp_path: Path) -> None:
    data, second_chunk = recorded(tmp_path / "a.mcap", is_closed=is_closed)
    data[second_chunk + 150] ^= 255
    (tmp_path / "damaged.mcap").write_bytes(data)
    found = open_recording(tmp_path / "damaged.mcap")
    assert not found.info.is_complete
    assert [frame.index for frame in found.frames] == [*range(15), *range(30, 50)]


@pytest.mark.usefixtures("still_clock")
def test_an_index_that_names_a_chunk_again_and_again_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RecordingWriter(tmp_path / "a.mcap", walking_recording().info)
    for frame in walking_recording(frames=20).frames:
        writer.append(frame)
    monkeypatch.setattr(writer, "_chunk_indexes", writer._chunk_indexes * 1000)
    writer.close()
    read_bytes = []
    real = mcap_index.record_at
    monkeypatch.setattr(
        mcap_index, "record_at", lambda *given: read_bytes.append(len(found := real(*given))) or found
    )
    assert len(open_recording(writer.path).frames) == 20
    assert sum(read_bytes) < 3 * writer.path.stat().st_size


@pytest.mark.usefixtures("still_clock")
def test_a_closed_file_goes_on_after_a_chunk_whose_length_is_damaged(tmp_path: Path) -> None:
    data, second_chunk = recorded(tmp_path / "a.mcap")
    data[second_chunk + 5] ^= 255  # a walk ends here: the next record would begin behind the end of the file
    (tmp_path / "damaged.mcap").write_bytes(data)
    found = open_recording(tmp_path / "damaged.mcap")
    assert not found.info.is_complete
    assert [frame.index for frame in found.frames] == [*range(15), *range(30, 50)]
