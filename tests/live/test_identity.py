"""Who is who: ids that change, people who are lost for a moment, cross, leave and enter; children and adults."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from live.identity import CLEARLY_M, KEEP_S, MOST_IDS, SIZE_TOLERANCE, SPEED_M_PER_S, STEP_M, Identities
from skeleton.frames import Body, BodyFrame
from skeleton.layout import INFERRED, KINECT_V2, TRACKED
from tests.live.fakes import body as plain_body

STANDING = plain_body(0, 0.0).joints
RATE_HZ = 30.0


def person(
    body_id: int, x: float = 0.0, *, z: float = 2.5, size: float = 1.0, state: int = TRACKED, arm_m: float = 0.0
) -> Body:
    """Somebody who stands at x and z; ``arm_m`` lifts the right arm."""
    joints = STANDING * size
    joints[:, 0] += x
    joints[:, 2] = z
    joints[[KINECT_V2.index(name) for name in ("HandRight", "WristRight", "ElbowRight")], 1] += arm_m
    return Body(body_id, joints, np.full(25, state))


def numbers(identities: Identities, time_s: float, *bodies: Body) -> dict[int, int]:
    return identities.settle(BodyFrame(0, time_s, bodies=bodies))


def after(
    before: Iterable[Body], gap_s: float, bodies: Iterable[Body], *, also: Iterable[Body] = ()
) -> dict[int, int]:
    """Who is who when everybody of ``before`` and ``also`` stood a second, then there is a gap, then ``bodies``.

    In the gap those of ``also`` alone are in view, and frames go on.
    """
    identities = Identities(KINECT_V2.bones)
    count = round(RATE_HZ)
    for index in range(count):
        numbers(identities, 500 + index / RATE_HZ, *before, *also)
    last_s = 500 + (count - 1) / RATE_HZ
    for index in range(1, round(gap_s * RATE_HZ)):
        numbers(identities, last_s + index / RATE_HZ, *also)
    return numbers(identities, last_s + gap_s, *bodies)


FRAME_S = 1 / RATE_HZ


@pytest.mark.parametrize(
    ("before", "gap_s", "bodies", "expected"),
    [
        pytest.param([person(7)], FRAME_S, [person(9)], {9: 1}, id="a new id from one frame to the next"),
        pytest.param([person(7)], 0.4, [person(9)], {9: 1}, id="a new id after a short loss"),
        pytest.param([person(7)], 0.4, [person(7)], {7: 1}, id="the same id after a short loss"),
        pytest.param([person(7)], 0.4, [person(7, 2.0)], {7: 1}, id="an id that comes back is believed anywhere"),
        pytest.param([person(7)], 0.4, [person(9, 0.7)], {9: 1}, id="as far as one walks meanwhile"),
        pytest.param([person(7)], FRAME_S, [person(9, 0.7)], {9: 2}, id="farther than one gets in a frame"),
        pytest.param([person(7)], 0.4, [person(9, 1.2)], {9: 2}, id="one leaves while another enters elsewhere"),
        pytest.param([person(7)], 0.4, [person(9, z=3.6)], {9: 2}, id="elsewhere is also behind"),
        pytest.param([person(7)], KEEP_S + 0.1, [person(9)], {9: 2}, id="lost for too long"),
        pytest.param([person(7)], KEEP_S + 0.1, [person(7)], {7: 1}, id="a known id after a long time"),
        pytest.param([person(7)], 0.1, [person(9, size=0.75)], {9: 2}, id="a child where an adult was"),
        pytest.param([person(7, size=0.75)], 0.1, [person(9)], {9: 2}, id="an adult where a child was"),
        pytest.param([person(7)], 0.1, [person(9, size=1.08)], {9: 1}, id="a size that is measured anew"),
        pytest.param([person(7)], 0.1, [person(9, arm_m=0.6)], {9: 1}, id="an arm moves, the person does not"),
        pytest.param(
            [person(7)], 0.1, [person(9, state=INFERRED)], {9: 2}, id="joints that are guessed tell nothing"
        ),
        pytest.param([person(7)], 0.1, [], {}, id="nobody"),
        pytest.param(
            [person(7, -0.6), person(8, 0.6)],
            FRAME_S,
            [person(21, 0.6), person(20, -0.6)],
            {20: 1, 21: 2},
            id="all ids change at once",
        ),
        pytest.param(
            [person(7)], 0.4, [person(20, 0.6), person(21, 0.1)], {20: 2, 21: 1}, id="of two the one who is nearer"
        ),
        pytest.param(
            [person(7)], 0.4, [person(20, -0.3), person(21, 0.3)], {20: 2, 21: 3}, id="two as near: nobody can tell"
        ),
        pytest.param(
            [person(7, -0.3), person(8, 0.3)], 0.4, [person(20)], {20: 3}, id="as near to two: nobody can tell"
        ),
        pytest.param(
            [person(7)],
            0.4,
            [person(20, 0.05, size=0.7), person(21, 0.4)],
            {20: 2, 21: 1},
            id="the child is nearer, the adult is the one",
        ),
        pytest.param(
            [person(7, -0.3), person(8, 0.3), person(6, 3.0)],
            0.4,
            [person(20), person(26, 3.1)],
            {20: 4, 26: 3},
            id="doubt about two is none about a third",
        ),
        pytest.param(
            [person(7, -0.2, z=2.2), person(8, 0.2, z=3.0)],
            0.4,
            [person(20, 0.2, z=2.2), person(21, -0.2, z=3.0)],
            {20: 1, 21: 2},
            id="two cross at different depths and both are lost",
        ),
        pytest.param(
            [person(7, -0.2, z=2.5), person(8, 0.2, z=2.6)],
            0.4,
            [person(20, 0.02, z=2.5), person(21, -0.02, z=2.6)],
            {20: 3, 21: 4},
            id="two who part from one place: nobody can tell",
        ),
    ],
)
def test_a_new_id_is_a_lost_person_or_somebody_new(
    before: list[Body], gap_s: float, bodies: list[Body], expected: dict[int, int]
) -> None:
    assert after(before, gap_s, bodies) == expected


def test_who_crosses_behind_somebody_comes_back_as_the_same_person() -> None:
    front = person(7, 0.0, z=2.0)
    assert after([person(8, -0.3, z=2.8)], 0.4, [front, person(9, 0.3, z=2.8)], also=[front]) == {7: 2, 9: 1}


def test_somebody_in_view_is_never_taken_for_somebody_who_is_lost() -> None:
    stays = person(7, 0.05)
    assert after([person(8)], 0.3, [stays, person(9, 3.0)], also=[stays]) == {7: 2, 9: 3}


def test_an_id_that_comes_back_while_its_person_goes_on_under_another_is_somebody_else() -> None:
    identities = Identities(KINECT_V2.bones)
    found = [
        numbers(identities, index / RATE_HZ, *bodies)
        for index, bodies in enumerate([[person(7)], [person(9)], [person(9), person(7, 2.0)], [person(7, 2.0)]])
    ]
    assert found == [{7: 1}, {9: 1}, {9: 1, 7: 2}, {7: 2}]


def test_forgotten_places_keep_the_numbers_of_ids_and_nothing_else() -> None:
    identities = Identities(KINECT_V2.bones)
    numbers(identities, 9.0, person(7))
    identities.forget_places()  # a seek, a loop, a clock that starts again
    assert numbers(identities, 3.0, person(9), person(7, 1.5)) == {9: 2, 7: 1}


def test_a_clock_that_jumps_forwards_makes_nobody_the_one_who_was_there() -> None:
    identities = Identities(KINECT_V2.bones)
    numbers(identities, 9.0, person(7))
    assert numbers(identities, 3600.0, person(9)) == {9: 2}


def test_an_id_that_a_damaged_frame_names_twice_is_one_person() -> None:
    identities = Identities(KINECT_V2.bones)
    assert numbers(identities, 0.0, person(7), person(7, 1.0), person(8, 2.0)) == {7: 1, 8: 2}
    assert numbers(identities, FRAME_S, person(9)) == {9: 1}  # where the first of the two was


def test_without_bones_a_new_id_is_a_new_person() -> None:
    identities = Identities(())
    assert numbers(identities, 0.0, person(7)) == {7: 1}
    assert numbers(identities, FRAME_S, person(9)) == {9: 2}


@pytest.mark.parametrize("ratio", [1 - SIZE_TOLERANCE - 0.02, 1 - SIZE_TOLERANCE + 0.02, 1.13, 1.17])
def test_one_bad_frame_before_the_loss_does_not_change_a_persons_size(ratio: float) -> None:
    identities = Identities(KINECT_V2.bones)
    for index in range(30):
        numbers(identities, index / RATE_HZ, person(7, size=0.5 if index == 29 else 1.0))
    found = numbers(identities, 30 / RATE_HZ, person(9, size=ratio))
    assert found == ({9: 1} if abs(ratio - 1) < SIZE_TOLERANCE else {9: 2})


def test_the_reach_grows_with_the_time_away() -> None:
    for gap_s in (0.1, 0.3, KEEP_S - 0.01):
        reach_m = STEP_M + SPEED_M_PER_S * gap_s
        assert after([person(7)], gap_s, [person(9, reach_m - 0.02)]) == {9: 1}
        assert after([person(7)], gap_s, [person(9, reach_m + 0.02)]) == {9: 2}


def test_the_margin_decides_between_doubt_and_the_nearest() -> None:
    for offset_m, expected in ((CLEARLY_M + 0.02, {20: 1, 21: 2}), (CLEARLY_M - 0.02, {20: 2, 21: 3})):
        assert after([person(7)], 0.4, [person(20, 0.1), person(21, -0.1 - offset_m)]) == expected


def test_ids_that_never_return_do_not_fill_the_memory_nor_renumber_who_stays() -> None:
    identities = Identities(KINECT_V2.bones)
    for index in range(2 * MOST_IDS):
        found = numbers(identities, index * 10.0, person(1), person(100 + index, 2.0))
        assert found[1] == 1
    assert len(identities._known) == MOST_IDS
    assert len(identities._near) == 2
