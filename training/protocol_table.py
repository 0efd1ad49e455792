"""The ways in which published results divide NTU RGB+D, UESTC and data sets with numbered people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

NTU_TRAINERS = (
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38,
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94,
    95, 97, 98, 100, 103,
)  # fmt: skip
"""Who trains in NTU RGB+D 120 X-Sub; those up to 40 are exactly who trains in NTU RGB+D 60."""

UESTC_TRAINERS = (
    1, 2, 6, 12, 13, 16, 21, 24, 28, 29, 30, 31, 33, 35, 39, 41, 42, 45, 47, 50, 52, 54, 55, 57, 59, 61, 63, 64, 67,
    69, 70, 71, 73, 77, 81, 84, 86, 87, 88, 90, 91, 93, 96, 99, 102, 103, 104, 107, 108, 112, 113,
)  # fmt: skip
"""Who trains in UESTC CS, from the code of the data set's authors."""

UESTC_VARYING = 8
"""The direction of UESTC whose second camera moves; CS and CV leave it out, its first camera too."""

Sides = tuple[np.ndarray, np.ndarray]
"""Two masks over the clips: who trains, who tests. A clip may be on neither side."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to divide the clips of a data set.

    Attributes:
        meaning: Who trains and who tests, for people.
        sides: (index of clips, number in the name) -> who trains, who tests.
        numbers: What may stand in place of N: index of clips -> numbers. None for a name without a number.
        validation: Field of the index whose values come off the training side to validate: whole people, or whole
            set-ups or takes where the protocol has all people on both sides.
        shares_people: The published protocol has people on both sides.
        shares_performances: The published protocol has a performance on both sides, from different directions.
    """

    meaning: str
    sides: Callable[[np.ndarray, int], Sides]
    numbers: Callable[[np.ndarray], list[int]] | None = None
    validation: str = "subject"
    shares_people: bool = False
    shares_performances: bool = False


def view_of(clips: np.ndarray) -> np.ndarray:
    """Returns the view of UESTC clips: 0 in front, 1..7 the second camera's directions, -1 with the moving camera."""
    view = np.where(clips["camera"] == 1, 0, clips["setup"])
    return np.where(clips["setup"] == UESTC_VARYING, -1, view)


def _subjects(clips: np.ndarray) -> list[int]:
    return np.unique(clips["subject"]).tolist()


def _odd_even(clips: np.ndarray, _: int) -> Sides:
    is_even = clips["subject"] % 2 == 0
    return ~is_even, is_even


def _leave_one_out(clips: np.ndarray, number: int) -> Sides:
    is_test = clips["subject"] == number
    return ~is_test, is_test


def _takes(clips: np.ndarray, _: int) -> Sides:
    is_even = clips["repetition"] % 2 == 0
    return ~is_even, is_even


def _ntu_subjects(clips: np.ndarray, _: int) -> Sides:
    is_train = np.isin(clips["subject"], NTU_TRAINERS)
    return is_train, ~is_train


def _ntu_views(clips: np.ndarray, _: int) -> Sides:
    return np.isin(clips["camera"], (2, 3)), clips["camera"] == 1


def _ntu_setups(clips: np.ndarray, _: int) -> Sides:
    is_even = clips["setup"] % 2 == 0
    return is_even, ~is_even


def _uestc_subjects(clips: np.ndarray, _: int) -> Sides:
    is_train, is_fixed = np.isin(clips["subject"], UESTC_TRAINERS), view_of(clips) >= 0
    return is_train & is_fixed, ~is_train & is_fixed


def _one_view(clips: np.ndarray, number: int) -> Sides:
    view = view_of(clips)
    return view == number, (view >= 0) & (view != number)


def _even_views(clips: np.ndarray, _: int) -> Sides:
    view = view_of(clips)
    return (view >= 0) & (view % 2 == 0), (view >= 0) & (view % 2 == 1)


def _odd_views(clips: np.ndarray, _: int) -> Sides:
    return _even_views(clips, 0)[::-1]


def _varying_view(clips: np.ndarray, _: int) -> Sides:
    # The first camera does not move while the second does: its clips of that direction show no varying view.
    return view_of(clips) >= 0, (clips["setup"] == UESTC_VARYING) & (clips["camera"] == 2)


PROTOCOLS = MappingProxyType(
    {
        "odd-even": Protocol("people with an odd number train, people with an even number test", _odd_even),
        "loso-N": Protocol(
            "everybody but person N trains, person N tests (leave one subject out)", _leave_one_out, numbers=_subjects
        ),
        "takes": Protocol(
            "everybody's odd takes train, the even ones test: for a model of the people one has, and of nobody else",
            _takes,
            validation="repetition",
            shares_people=True,
        ),
        "xsub": Protocol(
            "NTU RGB+D: the 20 published people of 40 train (53 of 106 in NTU RGB+D 120), the others test",
            _ntu_subjects,
        ),
        "xview": Protocol(
            "NTU RGB+D 60: cameras 2 and 3 train, camera 1 tests; the same people and performances are on both sides",
            _ntu_views,
            shares_people=True,
            shares_performances=True,
        ),
        "xset": Protocol(
            "NTU RGB+D 120: set-ups with an even number train, with an odd one test; most people are on both sides",
            _ntu_setups,
            validation="setup",
            shares_people=True,
        ),
        "cs": Protocol(
            "UESTC cross-subject: the 51 published people train, the other 67 test; all fixed views", _uestc_subjects
        ),
        "cv1-N": Protocol(
            "UESTC cross-view I: view N trains (0 is in front), the seven others test; all people on both sides",
            _one_view,
            numbers=lambda clips: list(range(UESTC_VARYING)),
            shares_people=True,
            shares_performances=True,
        ),
        "cv2-even": Protocol(
            "UESTC cross-view II: views 0, 2, 4, 6 train, 1, 3, 5, 7 test; all people on both sides",
            _even_views,
            shares_people=True,
            shares_performances=True,
        ),
        "cv2-odd": Protocol(
            "UESTC cross-view II the other way: views 1, 3, 5, 7 train, 0, 2, 4, 6 test; all people on both sides",
            _odd_views,
            shares_people=True,
            shares_performances=True,
        ),
        "av": Protocol(
            "UESTC arbitrary view: the eight fixed views train, the moving camera tests, its recordings cut as "
            "prepare's segments says (published results do not say how); all people on both sides",
            _varying_view,
            shares_people=True,
        ),
    }
)
"""What can be given as --protocol, with a number in place of N."""

FOLDED = MappingProxyType({"loso": ("loso-N",), "cv1": ("cv1-N",), "cv2": ("cv2-even", "cv2-odd")})
"""Protocols whose published figure is the mean over several divisions, each of which trains a network of its own."""
