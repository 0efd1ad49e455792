"""One matrix out of a MATLAB file: the numbers that scipy wrote, and one sentence for whatever else there is."""

from __future__ import annotations

import base64
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skeleton.errors import TrainingDataError
from training.datasets import mat_file
from training.datasets.mat_file import read_matrix

WRITTEN_BY_SCIPY = base64.b64decode(
    "TUFUTEFCIDUuMCBNQVQtZmlsZSBQbGF0Zm9ybTogcG9zaXgsIENyZWF0ZWQgb246IFN1biBOb3YgMjIgMTk6MDQ6MjcgMjAyNgAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSU0PAAAALwAAAHic42NgYAgAYjYg5oDSIMAK5TMCMTOUBonl"
    "l2SkFgFpTiCWYICBD/boNACh8gZaDwAAAEEBAAB4nFXUN04DURSF4euRQdCwBu+E13sTXgX1XQJLmJLSBQUFxRNCCFkIkXMYcjA5R8ND7z8F"
    "tkbHny6/pmPIzKq6WX/aAcv79+nDRXqa6aml70jawfS06/b/Ex+G849R9pEt8wZ5LK/L7bxRHmef2Al6eZJejvTyFPvMTtPLM/TyLL3cYV/Y"
    "OXp5nl5eoJcX2Vd2iV5eppdX6OVV9o1do5fX6eUNenmTfWe36OVtenmHXt5lP9g9enmfXq7osWP7ZA/osWPX/ZBed2xf7BE9duy6H9Prju2b"
    "PaHHjl33U3rdsfXYM3rs2HU/p9cd2w97QY8du+6X9LrjVOTpZjew46D7VXZLd+y6X2eXuuOo+012pTu2Gvdb3o8dB93veD8O2PX3uMQRR/X3"
    "vF89toIeN3DEARv/d1o4YFePyyL8AuJrw3s="
)
"""``savemat`` of {"other": 1 1 1, "v": (2, 75) of 0, 1/64, 2/64 ...}, compressed."""
NUMBERS = np.arange(12.0).reshape(4, 3)


def element(kind: int, body: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}2I", kind, len(body)) + body + bytes(-len(body) % 8)


def matrix(
    name: bytes = b"v",
    shape: tuple[int, ...] = (4, 3),
    numbers: bytes | None = None,
    *,
    kind: int = 9,
    flags: int = 6,
    order: str = "<",
) -> bytes:
    content = NUMBERS.astype(f"{order}f8").tobytes("F") if numbers is None else numbers
    small = struct.pack(f"{order}2H", *((1, len(name)) if order == "<" else (len(name), 1))) + name.ljust(4, b"\0")
    return element(
        14,
        element(6, struct.pack(f"{order}2I", flags, 0), order)
        + element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
        + small
        + element(kind, content, order),
        order,
    )


def file(*elements: bytes, order: str = "<") -> bytes:
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    return b"MATLAB 5.0 MAT-file".ljust(124) + mark + b"".join(elements)


def packed(content: bytes) -> bytes:
    body = zlib.compress(content)
    return struct.pack("<2I", 15, len(body)) + body  # not padded


def test_what_scipy_wrote_is_read() -> None:
    found = read_matrix(WRITTEN_BY_SCIPY, ("v", "skel"), where="x.mat")
    assert found.tolist() == (np.arange(150).reshape(2, 75) / 64).tolist()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(file(matrix()), id="plain"),
        pytest.param(file(packed(matrix())), id="packed"),
        pytest.param(file(packed(matrix(b"w")), packed(matrix())), id="after another"),
        pytest.param(file(element(14, b""), matrix()), id="after an object"),
        pytest.param(file(matrix(flags=6 | 0x800), matrix()), id="after a complex one"),
        pytest.param(file(matrix(flags=4), matrix()), id="after a text of this name"),
        pytest.param(file(matrix(order=">"), order=">"), id="of a big-endian computer"),
        pytest.param(file(matrix(numbers=NUMBERS.astype("u1").tobytes("F"), kind=2)), id="stored as bytes"),
    ],
)
def test_the_numbers_come_back_column_by_column(content: bytes) -> None:
    assert read_matrix(content, ("v",), where="x.mat").tolist() == NUMBERS.tolist()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "does not begin like one", id="empty"),
        pytest.param(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "version 7.3", id="of a later level"),
        pytest.param(file(), "must hold a matrix named v", id="nothing in it"),
        pytest.param(file(matrix(b"w")), "must hold a matrix named v", id="another name"),
        pytest.param(file(matrix())[:-8], "middle of an element", id="cut short"),
        pytest.param(file(packed(matrix())[:-5]), "middle of an element", id="packed, cut short"),
        pytest.param(file(struct.pack("<2I", 15, 4) + b"abcd"), "damaged", id="not packed after all"),
        pytest.param(file(matrix(shape=(2**30, 2**30))), "has 12 numbers", id="says that it is huge"),
        pytest.param(file(matrix(shape=(-4, -3))), "has 12 numbers", id="less than nothing"),
        pytest.param(file(matrix(kind=99)), "unknown type 99", id="numbers of no type"),
        pytest.param(file(matrix(numbers=b"1234567")), "damaged", id="half a number"),
        pytest.param(file(element(14, bytes([1, 0, 9, 0]) + bytes(8))), "says that it is large", id="not small"),
    ],
)
def test_anything_else_is_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        read_matrix(content, ("v",), where="x.mat")


def test_what_would_unpack_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mat_file, "LARGEST", 1 << 16)
    for content in (file(packed(bytes(1 << 20))), file(*[packed(element(14, bytes(1 << 15)))] * 3)):
        with pytest.raises(TrainingDataError, match="would unpack to more than 65536 bytes"):
            read_matrix(content, ("v",), where="x.mat")


@given(
    st.lists(st.tuples(st.integers(0, len(file(matrix())) - 1), st.integers(0, 255)), max_size=6), st.integers(0, 400)
)
def test_a_damaged_file_never_does_anything_else(changes: list[tuple[int, int]], length: int) -> None:
    content = bytearray(file(matrix()))
    for place, value in changes:
        content[place] = value
    with suppress(TrainingDataError):
        assert read_matrix(bytes(content[:length]), ("v",), where="x.mat").size <= 100
