"""Where every frame of an MCAP recording stands: from the file's index, or by walking a file that has none.

A file is hostile: every length in it is compared with what is left of the file and with a limit before anything is
read or unpacked. The mcap library then parses only bytes that are already here, one record at a time.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

import lz4.frame  # type: ignore[import-untyped]
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, ChunkIndex, Footer, Metadata, MetadataIndex

MAGIC = b"\x89MCAP0\r\n"
TOPIC = "/bodies"
METADATA = "recording"
LARGEST_CHUNK = 16 << 20
"""Bytes, packed or unpacked. The writer closes a chunk after half a second or 1 MiB."""
LARGEST_SUMMARY = 64 << 20
LARGEST_METADATA = 1 << 20
LARGEST_RATIO = 100
RATIO_FROM = 64 << 20
"""Bytes from which a file that unpacks to more than LARGEST_RATIO times its size is refused."""
MOST_FRAMES = 5_000_000
"""46 hours at 30 frames a second."""
RECORD = struct.Struct("<BQ")
MESSAGE = struct.Struct("<HIQQ")
FOOTER_BYTES = RECORD.size + 20
FIRST_PRIVATE_OPCODE = 0x80
_UNPARSABLE = (McapError, struct.error, ValueError, OverflowError)


class Damaged(Exception):
    """A part of the file is not what it must be; the reader answers with a walk, a gap or a sentence."""


class TooMuch(Exception):
    """The file holds more than any recording may; the reader keeps what comes before and stops."""


@dataclass(slots=True)
class FrameIndex:
    """Where the frames stand.

    Attributes:
        facts: The metadata record of the recording; None where none was found.
        times_ns: Log time of each frame.
        chunks: File offset of the chunk that holds each frame.
        offsets: Offset of the message in its unpacked chunk.
        is_complete: The writer closed the file, and all of it is whole.
    """

    facts: dict[str, str] | None = None
    times_ns: list[int] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    is_complete: bool = False

    def add(self, chunk: int, entries: list[tuple[int, int]]) -> None:
        """Adds the (time, offset) entries of one chunk.

        Raises:
            TooMuch: The file has more than ``MOST_FRAMES`` frames.
        """
        if len(self.times_ns) + len(entries) > MOST_FRAMES:
            raise TooMuch
        for time_ns, offset in sorted(entries):
            self.times_ns.append(time_ns)
            self.chunks.append(chunk)
            self.offsets.append(offset)


def from_summary(file: BinaryIO) -> FrameIndex:
    """Reads the index at the end of a file that was closed, and every chunk that it names: a damaged one is a gap.

    Raises:
        Damaged: There is none, or it does not fit the file.
        TooMuch: The file holds more than a recording may.
    """
    size = file.seek(0, 2)
    tail_start = size - FOOTER_BYTES - len(MAGIC)
    if tail_start < len(MAGIC):
        raise Damaged("too short for an index")
    tail = _bytes_at(file, tail_start, FOOTER_BYTES + len(MAGIC))
    if not tail.endswith(MAGIC) or tail[0] != Opcode.FOOTER:
        raise Damaged("no footer")
    footer = _parsed(Footer, tail[RECORD.size :])
    length = tail_start - footer.summary_start
    if not len(MAGIC) <= footer.summary_start < tail_start or length > LARGEST_SUMMARY:
        raise Damaged("no index")
    summary = _bytes_at(file, footer.summary_start, length)
    if footer.summary_crc and zlib.crc32(tail[: RECORD.size + 16], zlib.crc32(summary)) != footer.summary_crc:
        raise Damaged("the index is damaged")
    index = FrameIndex(is_complete=True)
    reading = _Reading(file, packed_left=size, left=max(RATIO_FROM, LARGEST_RATIO * size))
    for opcode, _, data in _records_in(summary):
        if opcode == Opcode.CHANNEL:
            reading.channel_id = _id_of_ours(data, reading.channel_id)
        elif opcode == Opcode.METADATA_INDEX and index.facts is None:
            where = _parsed(MetadataIndex, data).offset
            index.facts = _facts(record_at(file, where, Opcode.METADATA, LARGEST_METADATA))
        elif opcode == Opcode.CHUNK_INDEX:
            chunk = _parsed(ChunkIndex, data)
            if reading.channel_id not in chunk.message_index_offsets:
                continue
            try:
                index.add(chunk.chunk_start_offset, reading.entries(chunk.chunk_start_offset))
            except Damaged:
                index.is_complete = False  # the next chunk may be whole
    return index


def by_walking(file: BinaryIO) -> FrameIndex:
    """Walks a file from its start and takes what is whole: for files whose writer was ended, and damaged ones."""
    size = file.seek(0, 2)
    index, position = FrameIndex(), len(MAGIC)
    reading = _Reading(file, packed_left=size, left=max(RATIO_FROM, LARGEST_RATIO * size))
    is_whole = True
    while position + RECORD.size <= size:
        opcode, length = RECORD.unpack(_bytes_at(file, position, RECORD.size))
        end = position + RECORD.size + length
        if end > size or not (1 <= opcode <= max(Opcode) or opcode >= FIRST_PRIVATE_OPCODE):
            break
        try:
            if opcode == Opcode.METADATA and index.facts is None:
                index.facts = _facts(record_at(file, position, Opcode.METADATA, LARGEST_METADATA))
            elif opcode == Opcode.CHANNEL:
                channel = record_at(file, position, Opcode.CHANNEL, LARGEST_METADATA)
                reading.channel_id = _id_of_ours(channel, reading.channel_id)
            elif opcode == Opcode.CHUNK:
                last = index.times_ns[-1] if index.times_ns else -1
                index.add(position, _rising(reading.entries(position), last))
        except Damaged:
            is_whole = False  # the next record may be whole
        except TooMuch:
            break
        if opcode == Opcode.FOOTER:
            index.is_complete = is_whole
            break
        position = end
    return index


@dataclass(slots=True)
class _Reading:
    """A file that is read chunk by chunk.

    Attributes:
        file: The file.
        packed_left: Bytes that its chunks may still have: an index that names them again and again ends here.
        left: Bytes that it may still unpack to.
        channel_id: Our channel's id, once it is known.
    """

    file: BinaryIO
    packed_left: int
    left: int
    channel_id: int | None = None

    def entries(self, position: int) -> list[tuple[int, int]]:
        """Returns the (time, offset) of our messages in the chunk at a file offset.

        Raises:
            Damaged: There is no whole chunk within the limits.
            TooMuch: The file would unpack to more than it may; nothing was unpacked.
        """
        data = record_at(self.file, position, Opcode.CHUNK, LARGEST_CHUNK)
        self.packed_left -= len(data)
        if self.packed_left < 0:
            raise TooMuch
        chunk = _chunk(data)
        self.left -= chunk.uncompressed_size  # what a chunk declares is the most that is ever unpacked of it
        if self.left < 0:
            raise TooMuch
        self.channel_id, entries = _messages_in(_unpacked(chunk), self.channel_id)
        return entries


def chunk_at(file: BinaryIO, position: int) -> bytes:
    """Returns the unpacked content of the chunk at a file offset, its checksum compared.

    Raises:
        Damaged: There is no whole chunk within the limits.
    """
    return _unpacked(_chunk(record_at(file, position, Opcode.CHUNK, LARGEST_CHUNK)))


def _chunk(data: bytes) -> Chunk:
    """The chunk of a record, its declared size compared with the limit."""
    chunk: Chunk = _parsed(Chunk, data)
    if chunk.uncompressed_size > LARGEST_CHUNK:
        raise Damaged(f"a chunk of {chunk.uncompressed_size} bytes")
    return chunk


def _unpacked(chunk: Chunk) -> bytes:
    """The chunk's content, its size and checksum compared."""
    size = chunk.uncompressed_size
    try:
        if chunk.compression == "zstd":
            with zstandard.ZstdDecompressor(max_window_size=LARGEST_CHUNK).stream_reader(chunk.data) as reader:
                data = reader.read(size + 1)  # at most so much is ever allocated, whatever the frame header says
        elif chunk.compression == "lz4":
            data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size + 1)
        elif chunk.compression == "":
            data = chunk.data
        else:
            raise Damaged(f"packed with '{chunk.compression[:20]}'")
    except (zstandard.ZstdError, RuntimeError, EOFError):
        raise Damaged("a chunk that cannot be unpacked") from None
    if len(data) != size or (chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc):
        raise Damaged("a chunk with a wrong size or checksum")
    return data


def message_at(data: bytes, offset: int, time_ns: int) -> bytes:
    """Returns the text of the message at an offset of an unpacked chunk.

    Raises:
        Damaged: No message of that time stands there.
    """
    text_start = offset + RECORD.size + MESSAGE.size
    if text_start > len(data):
        raise Damaged("a message outside its chunk")
    opcode, length = RECORD.unpack_from(data, offset)
    end = offset + RECORD.size + length
    if opcode != Opcode.MESSAGE or not text_start <= end <= len(data):
        raise Damaged("no message where one must be")
    if MESSAGE.unpack_from(data, offset + RECORD.size)[2] != time_ns:
        raise Damaged("a message of another time")
    return data[text_start:end]


def record_at(file: BinaryIO, position: int, opcode: int, limit: int) -> bytes:
    """Returns the content of the record at a file offset.

    Raises:
        Damaged: Another record stands there, it is cut off, or longer than ``limit`` bytes.
    """
    found, length = RECORD.unpack(_bytes_at(file, position, RECORD.size))
    if found != opcode or length > limit:
        raise Damaged(f"record {found} of {length} bytes where {Opcode(opcode).name} must be")
    return _bytes_at(file, position + RECORD.size, length)


def _bytes_at(file: BinaryIO, position: int, length: int) -> bytes:
    """Exactly so many bytes; ``length`` was compared with a limit before."""
    if position >= 1 << 62:
        raise Damaged("an offset outside the file")
    file.seek(position)
    data = file.read(length)
    if len(data) != length:
        raise Damaged("the file ends early")
    return data


def _records_in(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Opcode, offset and content of the records in a summary or an unpacked chunk."""
    position = 0
    while position < len(data):
        if position + RECORD.size > len(data):
            raise Damaged("half a record")
        opcode, length = RECORD.unpack_from(data, position)
        end = position + RECORD.size + length
        if end > len(data):
            raise Damaged("half a record")
        yield opcode, position, data[position + RECORD.size : end]
        position = end


def _messages_in(data: bytes, channel_id: int | None) -> tuple[int | None, list[tuple[int, int]]]:
    """Our channel's id, and the (time, offset) of our messages in an unpacked chunk."""
    entries = []
    for opcode, offset, content in _records_in(data):
        if opcode == Opcode.CHANNEL:
            channel_id = _id_of_ours(content, channel_id)
        elif opcode == Opcode.MESSAGE and len(content) >= MESSAGE.size:
            channel, _, time_ns, _ = MESSAGE.unpack_from(content)
            if channel == channel_id:
                entries.append((time_ns, offset))
    return channel_id, entries


def _rising(entries: list[tuple[int, int]], last_ns: int) -> list[tuple[int, int]]:
    """The entries later than all before them: what a damaged file repeats is left out."""
    kept = []
    for time_ns, offset in sorted(entries):
        if time_ns > last_ns:
            kept.append((time_ns, offset))
            last_ns = time_ns
    return kept


def _id_of_ours(data: bytes, known: int | None) -> int | None:
    """The channel's id when it carries our frames, otherwise the id already known."""
    channel = _parsed(Channel, data)
    return channel.id if channel.topic == TOPIC and channel.message_encoding == "json" else known


def _facts(data: bytes) -> dict[str, str] | None:
    metadata = _parsed(Metadata, data)
    return metadata.metadata if metadata.name == METADATA else None


def _parsed(kind, data: bytes):  # type: ignore[no-untyped-def] # each record class of the library has its own type
    """A record of the library, from bytes that are already here."""
    try:
        return kind.read(ReadDataStream(BytesIO(data)))
    except _UNPARSABLE as error:
        raise Damaged(f"{kind.__name__}: {error}") from None
