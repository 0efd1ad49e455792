"""What the names of UESTC's files say: action, direction, person, camera; and which of the files are copies."""

from __future__ import annotations

import re

LABELS = (
    "punching and knee lifting",
    "marking time and knee lifting",
    "jumping jack",
    "squatting",
    "forward lunging",
    "left lunging",
    "left stretching",
    "raising hand and jumping",
    "left kicking",
    "rotation clapping",
    "front raising",
    "pulling chest expanders",
    "punching",
    "wrist circling",
    "single dumbbell raising",
    "shoulder raising",
    "elbow circling",
    "dumbbell one-arm shoulder pressing",
    "arm circling",
    "dumbbell shrugging",
    "pinching back",
    "head anticlockwise circling",
    "shoulder abduction",
    "deltoid muscle stretching",
    "straight forward flexion",
    "spinal stretching",
    "dumbbell side bend",
    "standing opposite elbow-to-knee crunch",
    "standing rotation",
    "overhead stretching",
    "upper back stretching",
    "knee to chest",
    "knee circling",
    "alternate knee lifting",
    "bent over twist",
    "rope skipping",
    "standing toe touches",
    "standing gastrocnemius calf stretch",
    "single-leg lateral hopping",
    "high knees running",
)
PEOPLE = 118
PARTS = {
    "action": range(len(LABELS)),
    "direction": range(1, 9),
    "person": range(1, PEOPLE + 1),
    "camera": range(1, 3),
}
"""The numbers in the name of a file, in their order."""
FILE = re.compile(r"(?:^|/)a(\d{1,9})_d(\d{1,9})_p(\d{1,9})_c(\d{1,9})_skeleton[^/]*\.(?:txt|mat)$", re.I | re.A)
"""A file of the data set, or one that was meant to be."""
WRITTEN = re.compile(r"(?:^|/)a\d{1,2}_d\d_p\d{2,3}_c\d_skeleton\.(?:txt|mat)$", re.A)
"""Person numbers have two digits for actions 0 to 9 and three for the others; some copies have three throughout."""

_SAME_FRONT = {7: 1, 6: 2, 5: 3}
"""Directions that a third camera recorded together with others: their front view is a copy of the other's."""
_NOT_TOGETHER = frozenset({2, 4, 6, 9, 11, 13, 19, 33})
"""Who was recorded without the third camera in actions 0, 7, 8, 9."""
_TOGETHER = frozenset({18, 20, 22, 30, 32, 35})
"""Who was recorded with the third camera in actions 1 to 6."""


def had_third_camera(action: int, person: int) -> bool:
    """Whether directions 5, 6, 7 were recorded at the same time as 3, 2, 1 (from the authors' map of names)."""
    if action in range(1, 7):
        return person in _TOGETHER
    return action >= 10 or person not in _NOT_TOGETHER


def performance(*, action: int, direction: int, person: int) -> int:
    """Returns a number that recordings share which show the same performance.

    The two cameras of a direction do; and with a third camera two directions do, whose front views are even copies
    of one file.
    """
    if had_third_camera(action, person):
        direction = _SAME_FRONT.get(direction, direction)
    return (action * (PEOPLE + 1) + person) * 10 + direction
