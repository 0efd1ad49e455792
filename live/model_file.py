"""What a model file may be before ONNX Runtime sees it: of a sane size, complete in itself, and a plain graph.

An ONNX file can name other files that hold its weights, by any path, and hold a loop that turns for a century. A
model of ours never does; a stranger's file shall not make the app read whatever it names, nor wait for ever. So the
file's protobuf is walked here, without a protobuf library, for tensors whose data lie elsewhere, and for loops,
branches and functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skeleton.errors import ModelLoadError

REMEDY = "Choose a model made by 'python -m training export'."
LARGEST_FILE = 256 << 20
"""Bytes. The networks here have a few million weights: 10 MB."""
LARGEST_KEY = (1 << 32) - 1
"""Number and wire type of a field. ONNX Runtime cuts a larger one to 32 bits and reads what is passed over here."""

_TENSOR = "tensor"
_EXTERNAL_DATA, _DATA_LOCATION, _IS_EXTERNAL = 13, 14, 1
# Message -> field number -> the message inside, as far as tensors can be reached (onnx.proto, IR version 13).
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 10: _TENSOR, 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
}
# The bodies of loops and branches, in an attribute; and functions: twenty that each call the one before twice are a
# million nodes.
_CONTROL_FLOW: dict[str, tuple[int, ...]] = {"model": (25,), "attribute": (6, 11)}


def read_model(path: Path) -> bytes:
    """Returns the bytes of a model file that stands alone.

    Raises:
        ModelLoadError: No such file, too large, not ONNX, with weights in another file, or with control flow.
    """
    try:
        if not path.is_file():
            raise ModelLoadError(f"There is no model file '{path}'.", remedy=REMEDY)
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ModelLoadError(
                f"A model file must be at most {LARGEST_FILE >> 20} MiB, but '{path}' has {size >> 20} MiB.",
                remedy=REMEDY,
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"The model file '{path}' cannot be read: {error.strerror}.") from None
    try:
        _check(memoryview(data), "model", path)
    except (ValueError, IndexError):
        raise damaged(path) from None
    if not data:
        raise ModelLoadError(f"'{path}' is not an ONNX file: it is empty.", remedy=REMEDY)
    return data


def damaged(path: Path) -> ModelLoadError:
    """Returns the error of a file that cannot be read as a model."""
    return ModelLoadError(f"'{path}' is not an ONNX file, or is damaged.", remedy=REMEDY)


def _check(message: memoryview, kind: str, path: Path) -> None:
    """Raises ``ModelLoadError`` for what no model of ours holds, and ``ValueError`` for what is no protobuf."""
    for number, value in _fields(message):
        if kind == _TENSOR:
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == _IS_EXTERNAL):
                raise ModelLoadError(
                    f"A model must be one file, but '{path}' keeps weights in another.", remedy=REMEDY
                )
            continue
        if number in _CONTROL_FLOW.get(kind, ()):
            raise ModelLoadError(
                f"A model must hold no loops, branches or functions, but '{path}' does.", remedy=REMEDY
            )
        child = _CHILDREN[kind].get(number)
        if child is None:
            continue
        if not isinstance(value, memoryview):
            raise ValueError(f"field {number} must be a message")
        _check(value, child, path)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (field number, value) of one protobuf message; a length-delimited value is a view of its bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key > LARGEST_KEY:
            raise ValueError("a field of more than 32 bits")
        wire = key & 7
        if wire == 0:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if wire == 2:
            length, at = _varint(message, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if length > len(message) - at:
            raise ValueError("cut short")
        yield key >> 3, message[at : at + length] if wire == 2 else 0
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")
