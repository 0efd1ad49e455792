"""The names of all files of NTU RGB+D 120 and UESTC, made from who was recorded when."""

from __future__ import annotations

from collections.abc import Iterator

_NTU_PEOPLE = """
1: 1-8
2: 3 7-14
3: 1-2 7-8 15-19
4: 3 7-8 20
5: 4 10 13 15-18 21
6: 1 7-8 15-17 19 22-24
7: 1 7-8 15-19 25-28
8: 1 7-8 15 19 25 29-36
9: 7-8 15-17 19 25
10: 7-8 13 15-19 21 25
11: 1-2 7-8 15-19 25 27-28 38
12: 7-8 15-19 25 27-28 37
13: 7-8 15-19 25 27-28 37
14: 7-8 15 17 19 25 27 37 39
15: 7-8 15-17 19 25 37
16: 7-8 19 21 25 39-40
17: 3 7-9 15-17 20
18: 8 41-45
19: 8 41-42 46-51
20: 8 41 43-44 52-54
21: 55-60
22: 61-67
23: 55-68
24: 57 60-64 67
25: 55-56 58-59 65-66 68
26: 8 41 44 49-51 69-72 74-77
27: 6 8 11 41 43-44 78-86
28: 8 41-43 46 48 70 73 87
29: 6 8 41 43-44 48-49 51 67 74-75 80 88-90
30: 8 11 41 43-44 48 67 75-76 81 85 88 91-96
31: 6 8 41-44 51 67 82 85 96-101
32: 8 41 43-44 67 102-106
"""
"""Set-up: who was recorded in it. Every one of them did all actions of its part twice before three cameras."""

_UESTC_PEOPLE = """
0-9: 1-40
10 22 24 26-27: 2-4 6 9 19-20 35 41-42 53-54 56-57 59-60 62-63 65-66 68-69 71-72 74-75 77-78 80-81 83-84 86-87 89-90 \
92-93 95-96
11-15: 2-4 6 9 19-20 35 41-52 61 63 67 74 78 98-99 101-103 105-114
16-20: 2-4 6 9 19-20 35 41-52 55-56 61 63 78 93 95 98 100-101 104-109 115-118
21 23 25 29-30: 2-4 6 9 19-20 35 41-52 55-56 67 74 93 95 99-100 102-104 110-118
28 31-34: 2-4 6 9 19-20 35 41-42 53 55-56 58-59 61-62 64-65 67-68 70-71 73-74 76-77 79-80 82-83 85-86 88-89 91-92 \
94-95 97
35-39: 2-4 6 9 19-20 35 41-42 54-55 57-58 60-61 63-64 66-67 69-70 72-73 75-76 78-79 81-82 84-85 87-88 90-91 93-94 \
96-97
"""
"""Action: who did it, before two cameras in each of eight directions."""


def ntu_names() -> Iterator[str]:
    """Yields the 114,480 names, those on the list of incomplete recordings included."""
    for setup, person in _pairs(_NTU_PEOPLE):
        for action in range(1, 61) if setup <= 17 else range(61, 121):
            for camera in (1, 2, 3):
                for repetition in (1, 2):
                    yield f"S{setup:03}C{camera:03}P{person:03}R{repetition:03}A{action:03}.skeleton"


def uestc_names(kind: str = "txt") -> Iterator[str]:
    """Yields the 25,600 names; person numbers have two digits up to action 9 and three after it."""
    for action, person in _pairs(_UESTC_PEOPLE):
        digits = 2 if action <= 9 else 3
        for direction in range(1, 9):
            for camera in (1, 2):
                yield f"a{action}_d{direction}_p{person:0{digits}}_c{camera}_skeleton.{kind}"


def _pairs(table: str) -> Iterator[tuple[int, int]]:
    for line in table.strip().splitlines():
        keys, people = line.split(":")
        yield from ((key, person) for key in _numbers(keys) for person in _numbers(people))


def _numbers(text: str) -> Iterator[int]:
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
