"""Our own recording format: an MCAP file of JSON body frames, readable by every MCAP viewer.

The file says all about itself: the schema of its messages, and a metadata record with sensor, rate, layout, floor,
color map, labels and the name of the color video beside it. Frames are written in chunks of half a second, each
handed to the operating system at once, so that a file whose writer was killed gives everything but the last moments.
Format: https://mcap.dev/spec
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from skeleton.errors import RecordingError
from skeleton.formats.base import FramesOnDemand, opened
from skeleton.formats.facts import facts_of, info_from
from skeleton.formats.mcap_frames import SCHEMA, decode, encode
from skeleton.formats.mcap_index import (
    FOOTER_BYTES,
    MAGIC,
    METADATA,
    RECORD,
    TOPIC,
    Damaged,
    FrameIndex,
    TooMuch,
    by_walking,
    chunk_at,
    from_summary,
    message_at,
)
from skeleton.frames import BodyFrame
from skeleton.recording import Recording, RecordingInfo

LIBRARY = "kinect-action-recognition"
CHUNK_S = 0.5
"""A chunk is closed after this much sensor time or wall time, whichever comes first: what a killed writer loses."""
CHUNK_BYTES = 1 << 20
NANOSECONDS = 1_000_000_000
LATEST_NS = 1 << 63
CHANNEL_ID = SCHEMA_ID = 1


def sniff(head: bytes, path: Path) -> bool:
    """Tells an MCAP file by its first bytes."""
    del path
    return head.startswith(MAGIC)


def read(path: Path) -> Recording:
    """Reads an MCAP recording; frames are decoded when they are asked for.

    A file that was not closed, or whose index is damaged, is walked. It gives everything that is whole, as a file
    with damaged chunks does; ``info.is_complete`` is False then.

    Raises:
        RecordingError: Not a recording of ours, or nothing of it is whole.
    """
    with opened(path) as file:
        try:
            index = from_summary(file)
        except (Damaged, TooMuch):
            index = by_walking(file)
    if index.facts is None:
        raise RecordingError(
            f"An MCAP recording must hold the metadata record '{METADATA}', but {path} has none that is whole.",
            remedy="It was made by another program, or ends within its first bytes.",
        )
    info = info_from(index.facts, format_name="mcap", path=path, is_complete=index.is_complete)
    times_s = np.array(index.times_ns, dtype=np.float64) / NANOSECONDS
    frames = _Frames(path, index, times_s, joint_count=len(info.layout))
    return Recording(info, times_s, FramesOnDemand(len(times_s), frames.build))


class _Frames:
    """Decodes single frames; keeps the last unpacked chunk, because frames are mostly asked for in order."""

    def __init__(self, path: Path, index: FrameIndex, times_s: np.ndarray, *, joint_count: int) -> None:
        self._path = path
        self._index = index
        self._times_s = times_s
        self._joint_count = joint_count
        self._latest: tuple[int, bytes] = (-1, b"")  # replaced as a whole, so that threads may share a recording

    def build(self, number: int) -> BodyFrame:
        time_ns, offset = self._index.times_ns[number], self._index.offsets[number]
        try:
            text = message_at(self._chunk(self._index.chunks[number]), offset, time_ns)
        except Damaged as damage:
            raise RecordingError(f"Frame {number} of {self._path} cannot be read: {damage}.") from None
        return decode(text, joint_count=self._joint_count, time_s=float(self._times_s[number]))

    def _chunk(self, position: int) -> bytes:
        latest, data = self._latest
        if latest != position:
            with opened(self._path) as file:  # opened anew, so that no recording keeps a file open
                data = chunk_at(file, position)
            self._latest = (position, data)
        return data


def write(recording: Recording, path: Path) -> None:
    """Writes a whole recording as an MCAP file; times are kept to the nanosecond."""
    try:
        with RecordingWriter(path, recording.info) as writer:
            for frame in recording.frames:
                writer.append(frame)
    except RecordingError as error:
        if isinstance(error.__cause__, OSError):  # of a temporary file, whose name says nothing to anybody
            raise error.__cause__ from None
        raise


class RecordingWriter:
    """Writes an MCAP recording frame by frame; a context manager. One thread at a time.

    The file is append-only. It opens and gives its frames at any moment, whether or not it was closed.

    Args:
        path: A new file; its folder must exist.
        info: Layout, sensor, rate, floor, color map, labels. ``color_video`` is kept by name when it lies in the
            same folder; ``format`` and ``path`` are not used.

    Attributes:
        frame_count: Frames added.
        kept_count: Those of them that the operating system has, and that a reader finds whatever happens next.

    Raises:
        RecordingError: The file is already there or cannot be written.
    """

    def __init__(self, path: Path, info: RecordingInfo) -> None:
        self.path = Path(path)
        self.frame_count = self.kept_count = 0
        self._joint_count = len(info.layout)
        self._first_ns = self._last_ns = -1
        self._chunk = RecordBuilder()
        self._entries: list[tuple[int, int]] = []
        self._chunk_opened_s = 0.0
        self._chunk_indexes: list[ChunkIndex] = []
        self._metadata = Metadata(name=METADATA, metadata=facts_of(info, self.path))
        self._schema = Schema(id=SCHEMA_ID, name="BodyFrame", encoding="jsonschema", data=json.dumps(SCHEMA).encode())
        self._channel = Channel(id=CHANNEL_ID, topic=TOPIC, message_encoding="json", metadata={}, schema_id=SCHEMA_ID)
        self._file: BinaryIO | None = self._created()
        self._written(MAGIC + _packed(Header(profile="", library=LIBRARY), self._schema, self._channel))
        self._metadata_offset = self._position
        self._written(_packed(self._metadata))

    def _created(self) -> BinaryIO:
        self._position = 0
        try:
            return self.path.open("xb")
        except FileExistsError:
            raise RecordingError(f"The file {self.path} is already there.", remedy="Choose another name.") from None
        except OSError as error:
            raise self._failure(error) from error

    def append(self, frame: BodyFrame) -> None:
        """Adds a frame.

        Raises:
            RecordingError: Its time is not after the last frame's, or the file cannot be written.
            ValueError: A body does not fit the layout, or the writer is closed.
        """
        if self._file is None:
            raise ValueError("the recording is closed")
        if any(len(body.joints) != self._joint_count for body in frame.bodies):
            raise ValueError(f"every body must have {self._joint_count} joints")
        time_ns = round(frame.time_s * NANOSECONDS) if math.isfinite(frame.time_s) else -1
        if not max(self._last_ns, -1) < time_ns < LATEST_NS:
            raise RecordingError(
                f"Sensor time must be positive and increase, but frame {frame.index} for {self.path} is at "
                f"{frame.time_s:.3f} s after {self._last_ns / NANOSECONDS:.3f} s."
            )
        if not self._entries:
            self._chunk_opened_s = time.monotonic()
        elif time_ns - self._entries[0][0] >= CHUNK_S * NANOSECONDS:
            self.flush()
        self._add(time_ns, encode(frame))
        if self._chunk.count >= CHUNK_BYTES or time.monotonic() - self._chunk_opened_s >= CHUNK_S:
            self.flush()

    def _add(self, time_ns: int, text: bytes) -> None:
        self._entries.append((time_ns, self._chunk.count))
        Message(
            channel_id=CHANNEL_ID,
            sequence=self.frame_count & 0xFFFFFFFF,
            log_time=time_ns,
            publish_time=time_ns,
            data=text,
        ).write(self._chunk)
        self._first_ns = time_ns if self._first_ns < 0 else self._first_ns
        self._last_ns = time_ns
        self.frame_count += 1

    def flush(self) -> None:
        """Hands all frames to the operating system; ``append`` does so by itself twice a second."""
        if not self._entries:
            return
        entries, data = self._entries, self._chunk.end()
        self._entries = []
        chunk = Chunk(
            compression="zstd",
            data=zstandard.compress(data),
            message_start_time=entries[0][0],
            message_end_time=entries[-1][0],
            uncompressed_crc=zlib.crc32(data),
            uncompressed_size=len(data),
        )
        packed, index = _packed(chunk), _packed(MessageIndex(channel_id=CHANNEL_ID, records=entries))
        self._chunk_indexes.append(
            ChunkIndex(
                message_start_time=chunk.message_start_time,
                message_end_time=chunk.message_end_time,
                chunk_start_offset=self._position,
                chunk_length=len(packed),
                message_index_offsets={CHANNEL_ID: self._position + len(packed)},
                message_index_length=len(index),
                compression=chunk.compression,
                compressed_size=len(chunk.data),
                uncompressed_size=chunk.uncompressed_size,
            )
        )
        self._written(packed + index)
        self.kept_count = self.frame_count

    def close(self) -> None:
        """Writes the index and closes the file; may be called twice."""
        if self._file is None:
            return
        self.flush()
        data_end = _packed(DataEnd(data_section_crc=0))
        self._written(data_end + self._summary(self._position + len(data_end)))
        file, self._file = self._file, None
        try:
            os.fsync(file.fileno())
        finally:
            file.close()

    def _summary(self, start: int) -> bytes:
        """The index: repeated schema and channel, statistics, where chunks and metadata stand, and the footer."""
        metadata_length = len(_packed(self._metadata))
        groups: list[tuple[Opcode, list[McapRecord]]] = [
            (Opcode.SCHEMA, [self._schema]),
            (Opcode.CHANNEL, [self._channel]),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, list(self._chunk_indexes)),
            (Opcode.METADATA_INDEX, [MetadataIndex(self._metadata_offset, metadata_length, METADATA)]),
        ]
        summary, offsets = b"", []
        for opcode, records in groups:
            group = _packed(*records)
            if group:
                offsets.append(SummaryOffset(opcode, start + len(summary), len(group)))
            summary += group
        offsets_start = start + len(summary)
        summary += _packed(*offsets)
        footer = RECORD.pack(Opcode.FOOTER, FOOTER_BYTES - RECORD.size)
        footer += start.to_bytes(8, "little") + offsets_start.to_bytes(8, "little")
        crc = zlib.crc32(footer, zlib.crc32(summary))
        return summary + _packed(Footer(start, offsets_start, crc)) + MAGIC

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=1,
            channel_message_counts={CHANNEL_ID: self.frame_count},
            chunk_count=len(self._chunk_indexes),
            message_count=self.frame_count,
            message_start_time=max(self._first_ns, 0),
            message_end_time=max(self._last_ns, 0),
            metadata_count=1,
            schema_count=1,
        )

    def _written(self, data: bytes) -> None:
        """Appends bytes and hands them to the operating system; after a failure the file is closed as it is."""
        assert self._file is not None
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            self._abandon()
            raise self._failure(error) from error
        self._position += len(data)

    def _abandon(self) -> None:
        """Closes the file without an index: what is whole in it can be read."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:  # closing flushes again what did not fit before
            self._position = -1

    def _failure(self, error: OSError) -> RecordingError:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        return RecordingError(f"The recording {self.path} cannot be written: {what}.")

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _packed(*records: McapRecord) -> bytes:
    builder = RecordBuilder()
    for record in records:
        record.write(builder)
    return builder.end()
