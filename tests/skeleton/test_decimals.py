"""Many decimal numbers at once are, bit for bit, what ``float`` makes of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skeleton.formats import decimals
from skeleton.formats.decimals import BLOCK, read_decimals, words_at

NUMBERS = st.one_of(
    st.floats(width=32).map("{:.7g}".format),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"\A-?[0-9]\.[0-9]{0,8}\Z"),
    st.from_regex(r"\A[-+]?[0-9]{0,12}\.?[0-9]{1,20}(e[-+]?[0-9]{1,3})?\Z"),
)
AWKWARD = ["-0.0", "0.00000000", "9.99999999", "5.", ".5", "-.5", "12.5", "0.000123456", "1e-05", "+1.5", "7", "-inf"]


def read(words: Sequence[str]) -> np.ndarray:
    ends = np.cumsum([7, *(1 + len(word) for word in words)])[1:]
    starts = ends - [len(word) for word in words]
    return read_decimals(
        " ".join(["7 bytes", *words]).encode("ascii"), starts.astype(np.int64), ends.astype(np.int64)
    )


def bits(values: Sequence[float] | np.ndarray) -> list[int]:
    return np.asarray(values, np.float64).view(np.int64).tolist()


@given(st.lists(NUMBERS, max_size=8))
@example(AWKWARD)
@example([])
def test_each_number_is_what_float_makes_of_it(words: list[str]) -> None:
    assert bits(read(words)) == bits([float(word) for word in words])


def test_a_hundred_thousand_numbers_as_the_sensor_writes_them() -> None:
    random = np.random.default_rng(7)
    words = [f"{value:.7g}" for value in random.normal(0, 1, 100_000) * 10.0 ** random.integers(-6, 3, 100_000)]
    assert len(words) > 3 * BLOCK
    assert bits(read(words)) == bits([float(word) for word in words])


@pytest.mark.parametrize(
    "word", ["1.2.3", "1.2x", "x.25", "-", ".", "1..5", "--1.5", "1./2", "1.:", "0.12345e", "1,5"]
)
def test_what_is_no_number_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        read(["0.25", word, "0.5"])


def test_only_what_is_within_its_place_belongs_to_a_number() -> None:
    text = b"8 bytes 11.55 "
    assert read_decimals(text, np.array([9, 8, 8]), np.array([12, 9, 10])).tolist() == [1.5, 1.0, 11.0]
    with pytest.raises(ValueError, match="could not convert"):
        read_decimals(text, np.array([9]), np.array([9]))


def test_only_numbers_that_are_not_plain_are_read_one_by_one() -> None:
    seen = []

    def other(word: str) -> float:
        seen.append(word)
        return -1.0

    text = b"-0.05349901 3.785547 0.000534 277.419 1.5e-05 9.123456789"
    ends = np.array([at for at, byte in enumerate(text + b" ") if byte == ord(" ")])
    starts = np.append(0, ends[:-1] + 1)
    values = read_decimals(text, starts, ends, other=other)
    assert seen == ["277.419", "1.5e-05", "9.123456789"]
    assert values.tolist() == [-0.05349901, 3.785547, 0.000534, -1.0, -1.0, -1.0]


def test_a_number_with_no_eight_bytes_before_its_end_is_an_error_and_never_another_number() -> None:
    with pytest.raises(IndexError, match="within"):
        read_decimals(b"1.5 2.5 3.5 ", np.array([0]), np.array([3]))


def test_words_begin_at_any_byte() -> None:
    content = bytes(range(20))
    words = words_at(content, np.array([12, 3]))
    assert words.tolist() == [int.from_bytes(content[at : at + 8], "little") for at in (12, 3)]
    for place in (-1, 13):
        with pytest.raises(IndexError, match="within"):
            words_at(content, np.array([place]))


def test_a_block_that_is_full_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decimals, "BLOCK", 4)
    words = ["0.5", "1e3", "-2.25", "3.125", "4.0", "55.5", "6.0", "7.5", "-8.0"]
    assert read(words).tolist() == [float(word) for word in words]
