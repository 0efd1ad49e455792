"""Turns many decimal numbers within a text into floats at once, exactly as ``float`` would one by one.

The last eight bytes of a number are taken as one word of 64 bits, and each step is one numpy operation on thousands
of such words. Eight digits are joined in three multiplications (D. Lemire, "Quickly parsing eight digits", 2018).
An integer below 2**53 divided by a power of ten up to 10**22 is the float64 nearest to the decimal: both are exact,
and IEEE 754 rounds a division once (W. D. Clinger, "How to read floating point numbers accurately", 1990).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

WORD = 8
"""Bytes in a word, and the most decimals of a plain number."""
BLOCK = 16384
"""Numbers at a time: what is made of them stays in the processor's cache, and is bounded."""
MINUS, DOT, ZERO = b"-.0"
POWERS: np.ndarray = 10.0 ** np.arange(WORD + 1)
MASKS = np.array([2**64 - 2 ** (64 - 8 * decimals) for decimals in range(WORD + 1)], np.uint64)
"""By number of decimals: their bytes in a word that ends with the last one."""


def _in_each_byte(value: int) -> np.uint64:
    return np.uint64(value * 0x0101010101010101)


ZEROS, TO_HIGHEST_BIT, HIGHEST_BIT = _in_each_byte(ZERO), _in_each_byte(128 - 10), _in_each_byte(128)
"""The second lifts a byte of ten or more to its highest bit."""
JOINING = tuple(
    (np.uint64(10**digits * 2**bits + 1), np.uint64(bits), np.uint64(mask))
    for digits, bits, mask in ((1, 8, 0x00FF00FF00FF00FF), (2, 16, 0x0000FFFF0000FFFF), (4, 32, 0x00000000FFFFFFFF))
)
"""Neighbors of one digit become numbers of two, these of four, these of eight: factor, shift and mask of a step."""


def read_decimals(
    text: bytes, starts: np.ndarray, ends: np.ndarray, *, other: Callable[[str], float] = float
) -> np.ndarray:
    """Returns the numbers that stand at some places of a text.

    Args:
        text: ASCII.
        starts: (N,) where each begins.
        ends: (N,) where each ends: the place after its last character; 8 or more.
        other: Reads those that are not plain. Plain is: a minus or not, a digit, a dot, up to eight digits.

    Returns:
        (N,) float64.

    Raises:
        ValueError: From ``other``.
        IndexError: A number ends where no eight bytes are before.
    """
    values = np.empty(len(starts))
    for first in range(0, len(starts), BLOCK):
        part = slice(first, first + BLOCK)
        values[part], is_plain = _plain(text, starts[part], ends[part])
        others = first + np.flatnonzero(~is_plain)
        places = zip(starts[others].tolist(), ends[others].tolist())
        values[others] = [other(text[start:end].decode("ascii")) for start, end in places]
    return values


def _plain(text: bytes, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers, and which of them are plain; the others are nonsense."""
    characters = np.frombuffer(text, np.uint8)
    is_negative = characters.take(starts, mode="clip") == MINUS
    dots = starts + is_negative + 1
    whole = characters.take(dots - 1, mode="clip") - np.uint8(ZERO)  # above nine where there is no digit
    decimals = ends - dots - 1
    words = words_at(text, ends - WORD)
    words ^= ZEROS  # a digit becomes its value, and all else ten or more
    words &= MASKS.take(decimals, mode="clip")
    is_plain = (whole <= 9) & (characters.take(dots, mode="clip") == DOT)
    is_plain &= (decimals >= 0) & (decimals <= WORD) & ((words + TO_HIGHEST_BIT) & HIGHEST_BIT == 0)
    for factor, shift, mask in JOINING:
        words *= factor
        words >>= shift
        words &= mask
    scale = POWERS.take(decimals, mode="clip")
    values = (whole * scale + words) / scale
    np.negative(values, out=values, where=is_negative)
    return values, is_plain


def words_at(content: bytes, places: np.ndarray) -> np.ndarray:
    """Returns (N,) uint64: at each place the eight bytes from there on, the first one lowest.

    Raises:
        IndexError: Fewer bytes are left there, or none ever were.
    """
    if len(places) and not 0 <= places.min() <= places.max() <= len(content) - WORD:
        raise IndexError("a word must lie within the content")
    # Bytes without a type, since a word may begin anywhere; the view overlaps itself, and costs nothing.
    windows: np.ndarray = np.ndarray(max(len(content) - WORD + 1, 0), f"V{WORD}", content, strides=1)
    return windows[places].view("<u8").astype(np.uint64, copy=False)
