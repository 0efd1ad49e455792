"""Reads many decimal numbers at once: the text of a file becomes one float64 array, by numpy alone.

A number such as -0.008953178 is a whole number of few digits over a power of ten. Both are exact in float64, so one
division gives the correctly rounded value (Clinger 1990: the fast path of the C libraries too). What does not fit
(exponents, NaN, more digits) is left to Python's ``float``, one by one. Three times as fast as splitting lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDTH = 16
LONGEST = 15
"""Characters without the sign: digits and point together stay below 2**53, where float64 ends being exact."""
PIECE = 1 << 15
"""Characters worked on at once: so few that no array in between is large enough to be asked of the system anew."""
SPACE, NEWLINE, RETURN, MINUS, ZERO = b" \n\r-0"
POINT = (ord(".") - ZERO) % 256
"""A point among digits, after the character of zero was taken off."""
_PAIRS, _FIRST_FOUR, _LAST_FOUR = (np.uint64(n) for n in (0xFF000000FF, 100 + (1000000 << 32), 1 + (10000 << 32)))
_ALL_BYTES = np.uint64(0x0101010101010101)
_POWERS = 10.0 ** np.arange(WIDTH + 1)
_LAST = np.tri(WIDTH + 1, WIDTH, -1, dtype=np.uint8)[:, ::-1].copy().view(f"V{WIDTH}").ravel()
"""Row n holds WIDTH flags, the last n of them 1."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a text, N in all.

    Attributes:
        values: (N,) float64.
        ends_line: (N,) bool: the number is the last of its line.
        starts: (N,) offset of each number in ``text``.
        text: The text.
    """

    values: np.ndarray
    ends_line: np.ndarray
    starts: np.ndarray
    text: bytes

    def integer(self, index: int) -> int:
        """Returns number ``index`` exactly, whatever its size; raises ``ValueError`` when it is not whole."""
        start = int(self.starts[index])
        return int(self.text[start : start + 24].split(None, 1)[0])


def read_numbers(text: bytes) -> Numbers | None:
    """Returns the numbers of a regular text: one space or line end between them, empty lines only at the end.

    None for any other text: it must be read line by line, to say what is wrong with it.
    """
    text = text.rstrip() + b"\n"
    pieces, start = [], 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE) + 1 or len(text)
        piece = _read_piece(text[start:end], start)
        if piece is None:
            return None
        pieces.append(piece)
        start = end
    values, ends_line, starts = (np.concatenate(arrays) for arrays in zip(*pieces))
    return Numbers(values=values, ends_line=ends_line, starts=starts, text=text)


def _read_piece(text: bytes, offset: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Values, line ends and starts (from ``offset``) of the numbers in a few whole lines."""
    text = b" " * WIDTH + text
    characters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(characters[WIDTH:] <= SPACE) + WIDTH  # one separator after each number
    starts = np.empty_like(ends)
    starts[0], starts[1:] = WIDTH, ends[:-1] + 1
    separators = characters[ends]
    if (separators == RETURN).any():  # Windows line ends: the newline after each return ends no number
        is_return = separators == RETURN
        after = ends[is_return] + 1
        if is_return[-1] or (characters[after] != NEWLINE).any():
            return None
        is_kept = np.concatenate([[True], ~is_return[:-1]])
        starts, ends, separators = starts[is_kept], ends[is_kept], separators[is_kept]
    lengths = ends - starts
    if lengths.min() < 1:
        return None
    is_negative = characters[starts] == MINUS
    lengths -= is_negative
    # (N,) the last WIDTH characters before each number's end, copied as one item each.
    windows: np.ndarray = np.ndarray(len(text) - WIDTH + 1, dtype=f"V{WIDTH}", buffer=text, strides=(1,))
    values, is_irregular = _values(windows[ends - WIDTH], lengths)
    values *= 1.0 - 2.0 * is_negative
    try:
        for index in np.flatnonzero(is_irregular).tolist():
            values[index] = float(text[starts[index] : ends[index]])
    except ValueError:
        return None
    return values, (separators == NEWLINE) | (separators == RETURN), starts + (offset - WIDTH)


def _values(tails: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of N numbers without sign, and which of them are not a few digits with at most one point.

    Args:
        tails: (N,) the last WIDTH characters before each number's end, as one item.
        lengths: (N,) how many of them belong to the number.
    """
    digits = tails.view(np.uint8).reshape(-1, WIDTH) - np.uint8(ZERO)
    digits *= _LAST[np.minimum(lengths, WIDTH)].view(np.uint8).reshape(-1, WIDTH)  # what stands before counts nothing
    is_point = digits == POINT
    # The WIDTH flags of a number as one binary fraction: a power of two, whose exponent says where the point is.
    words = is_point.view("<u8").astype(np.float64)  # (N, 2)
    flags = words[:, 0] * 2.0**-64 + words[:, 1]
    has_point = flags > 0
    place = 8 + (((flags.view(np.int64) >> 52) - 1023) >> 3)
    is_irregular = (lengths > LONGEST) | (lengths <= has_point)
    if np.count_nonzero(digits > 9) != np.count_nonzero(has_point):
        # The sum of eight flags, by a product whose last byte collects all of them.
        others = ((digits > 9).view("<u8") * _ALL_BYTES) >> 56  # (N, 2)
        is_irregular |= others[:, 0] + others[:, 1] != has_point
    digits *= ~is_point
    eights = _eight_digits(digits.view("<u8")).astype(np.float64)  # (N, 2)
    whole = eights[:, 0] * 1e8 + eights[:, 1]  # the point counts as a digit 0
    decimals = np.where(has_point, WIDTH - 1 - place, 0)
    above = np.where(has_point, np.floor(whole / _POWERS[decimals + 1]), 0.0)  # the digits before the point
    return (whole - 9 * above * _POWERS[decimals]) / _POWERS[decimals], is_irregular


def _eight_digits(words: np.ndarray) -> np.ndarray:
    """The numbers that words of eight bytes 0..9 spell, first byte first: two, then four, then eight digits at once.

    Source: W. Muła and D. Lemire's "parse eight digits" trick; products wrap around at 64 bits on purpose.
    """
    words = words * 10 + (words >> 8)  # every second byte: two digits
    low, high = words & _PAIRS, (words >> 16) & _PAIRS
    return (low * _FIRST_FOUR + high * _LAST_FOUR) >> 32
