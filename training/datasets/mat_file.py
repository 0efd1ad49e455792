"""Reads one matrix of numbers out of a MATLAB file (level 5, as ``save`` and scipy write it) that nobody vouches for.

A file is a header of 128 bytes and elements: a type, a size, the bytes. A matrix is an element of elements: flags,
dimensions, name, numbers; the numbers may be stored in a smaller type than the matrix has. An element may be packed.
Cells, structures, text, sparse and complex matrices are passed over. Nothing larger than ``LARGEST`` is ever made.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator

import numpy as np

from skeleton.errors import TrainingDataError

LARGEST = 16 << 20
"""Bytes of all unpacked elements of a file; 57 s of a body in double precision have 1 MB."""
_HEADER = 128
_INT32, _UINT32, _MATRIX, _PACKED = 5, 6, 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of stored numbers."""
_NUMERIC_CLASSES = range(6, 16)
"""Classes of matrices that hold numbers: double, single and the integers."""
_COMPLEX = 0x0800


def read_matrix(content: bytes, names: Collection[str], *, where: str) -> np.ndarray:
    """Returns the first real matrix with one of ``names``.

    Args:
        content: The bytes of the file.
        names: Names of variables.
        where: The file's name, for messages.

    Raises:
        TrainingDataError: Not such a file, a damaged one, or one without such a matrix.
    """
    if content[:10] == b"MATLAB 7.3" or content[:4] == b"\x89HDF":
        raise TrainingDataError(
            f"{where} must be a MATLAB file of level 5, but is one of version 7.3.", remedy="Save it with '-v7'."
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise TrainingDataError(f"{where} must be a MATLAB file of level 5, but does not begin like one.")
    try:
        for body in _matrices(memoryview(content)[_HEADER:], order):
            matrix = _matrix(body, names, order)
            if matrix is not None:
                return matrix
    except (ValueError, struct.error, zlib.error) as error:
        raise TrainingDataError(f"{where} is damaged: {error}.") from None
    raise TrainingDataError(f"{where} must hold a matrix named {' or '.join(names)}, but does not.")


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and bytes of each element."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}2I", data, at)
        if kind >> 16:  # up to four bytes, within the tag itself
            kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError("a small element says that it is large")
        else:
            begin = at + 8
            end = begin + size + (0 if kind == _PACKED else -size % 8)
        if begin + size > len(data):
            raise ValueError("it ends in the middle of an element")
        yield kind, data[begin : begin + size]
        at = end


def _matrices(data: memoryview, order: str) -> Iterator[memoryview]:
    left = LARGEST
    for kind, body in _elements(data, order):
        if kind == _PACKED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(body, left + 1)
            left -= len(unpacked)
            if left < 0:
                raise ValueError(f"it would unpack to more than {LARGEST} bytes")
            if not unpacker.eof:
                raise ValueError("it ends in the middle of a packed element")
            for inner_kind, inner in _elements(memoryview(unpacked), order):
                if inner_kind == _MATRIX:
                    yield inner
        elif kind == _MATRIX:
            yield body


def _matrix(body: memoryview, names: Collection[str], order: str) -> np.ndarray | None:
    """The numbers of a matrix, or None for one of another name or kind."""
    parts = _elements(body, order)
    kinds = [next(parts, (0, memoryview(b""))) for _ in range(3)]
    (flag_kind, flags), (size_kind, sizes), (_, name) = kinds
    if flag_kind != _UINT32 or len(flags) < 4 or size_kind != _INT32 or not 8 <= len(sizes) <= 32 or len(sizes) % 4:
        return None  # an object of MATLAB's, which has other parts
    (flag,) = struct.unpack_from(f"{order}I", flags)
    if bytes(name).decode("latin-1") not in names or (flag & 0xFF) not in _NUMERIC_CLASSES or flag & _COMPLEX:
        return None
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    kind, numbers = next(parts, (0, memoryview(b"")))
    if kind not in _NUMBERS:
        raise ValueError(f"its numbers have the unknown type {kind}")
    values = np.frombuffer(numbers, np.dtype(order + _NUMBERS[kind]))
    count = 1
    for length in shape:
        count *= length
    if min(shape) < 0 or count != len(values):
        raise ValueError(f"a matrix of {' x '.join(map(str, shape))} has {len(values)} numbers")
    return values.reshape(shape, order="F")
