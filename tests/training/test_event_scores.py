"""Measures of events, on tables small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.event_scores import (
    NOTHING,
    Segment,
    Shown,
    auroc,
    changes,
    delays_s,
    edit_score,
    false_alarms,
    flicker,
    fpr_at_95,
    idle_minutes,
    matched,
    overlap,
    quantile,
    runs,
)
from training.stream_scores import measures, tally

A, B, C = 0, 1, 2


def shown(step_s: float, labels: list[int], *, start_s: float = 0.0) -> Shown:
    return Shown(start_s + step_s * np.arange(len(labels)), np.array(labels))


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        pytest.param((0, 4), (0, 4), 1.0, id="the same"),
        pytest.param((0, 4), (2, 6), 1 / 3, id="half of each"),
        pytest.param((0, 4), (1, 2), 0.25, id="inside"),
        pytest.param((0, 4), (4, 6), 0.0, id="touching"),
        pytest.param((0, 4), (5, 6), 0.0, id="apart"),
    ],
)
def test_overlap_is_intersection_over_union(one: tuple, other: tuple, share: float) -> None:
    assert overlap(Segment(*one, A), Segment(*other, A)) == pytest.approx(share)
    assert overlap(Segment(*other, A), Segment(*one, A)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("found", "least", "pairs"),
    [
        pytest.param([(0, 4, A), (10, 14, B)], 0.5, [(0, 0), (1, 1)], id="both found"),
        pytest.param([(0, 4, B), (10, 14, A)], 0.3, [], id="labels exchanged"),
        pytest.param([(0, 2, A), (2, 4, A)], 0.3, [(0, 0)], id="the second half counts as false"),
        pytest.param([(0, 1.5, A), (1.5, 4, A)], 0.3, [(0, 1)], id="the larger overlap is taken, not the first"),
        pytest.param([(2, 6, A)], 0.3, [(0, 0)], id="a third is enough for 0.3"),
        pytest.param([(2, 6, A)], 0.5, [], id="and not for 0.5"),
        pytest.param([], 0.3, [], id="nothing found"),
    ],
)
def test_each_action_is_matched_with_one_event_at_most(found: list, least: float, pairs: list) -> None:
    truth = [Segment(0, 4, A), Segment(10, 14, B)]
    assert matched(truth, [Segment(*one) for one in found], least=least) == pairs


def test_an_event_over_two_actions_counts_for_one_of_them() -> None:
    truth = [Segment(0, 4, A), Segment(5, 9, A)]
    assert matched(truth, [Segment(0, 9, A)], least=0.3) == [(0, 0)]


def test_delay_is_until_the_label_is_shown_and_late_ones_count_for_a_second() -> None:
    truth = [Segment(1.0, 2.0, A), Segment(4.0, 5.0, B), Segment(8.0, 9.0, C)]
    labels = [NOTHING] * 120  # 12 s at 10 Hz
    labels[14:20] = [A] * 6  # 0.4 s after the start
    labels[59:62] = [B] * 3  # 0.9 s after the end
    labels[101:105] = [C] * 4  # 1.1 s after the end: too late
    assert delays_s(truth, shown(0.1, labels)) == pytest.approx([0.4, 1.9])
    assert delays_s(truth[:1], shown(0.1, [A] * 30)) == [0.0]  # was there before
    assert delays_s(truth, shown(0.1, [NOTHING] * 120)) == []


def test_an_alarm_is_false_where_no_action_is_done_whatever_its_label() -> None:
    truth = [Segment(1, 2, A), Segment(4, 5, B)]
    found = [Segment(1.5, 3, B), Segment(2.9, 3, A), Segment(3, 4, A), Segment(3.2, 3.5, A), Segment(6, 7, B)]
    assert false_alarms(truth, found) == 3  # up to a second late is not false; touching is no overlap
    assert false_alarms((), found) == 5


def test_changes_count_those_to_and_from_nothing() -> None:
    assert changes(shown(0.1, [NOTHING, A, A, B, NOTHING, NOTHING, A])) == 4
    assert changes(shown(0.1, [A])) == changes(shown(0.1, [])) == 0


@pytest.mark.parametrize(
    ("truth", "found", "score"),
    [
        pytest.param("abc", "abc", 1.0, id="the same"),
        pytest.param("abc", "ac", 2 / 3, id="one left out"),
        pytest.param("ac", "abc", 2 / 3, id="one too many"),
        pytest.param("abc", "abb", 2 / 3, id="one wrong"),
        pytest.param("ab", "bababa", 1 / 3, id="restless"),
        pytest.param("abca", "cab", 0.25, id="moved"),
        pytest.param("", "abc", 0.0, id="nothing done"),
        pytest.param("abc", "", 0.0, id="nothing found"),
        pytest.param("", "", 1.0, id="nothing at all"),
    ],
)
def test_the_edit_score_compares_the_order_alone(truth: str, found: str, score: float) -> None:
    one, other = ([Segment(i, i + 0.5, ord(label)) for i, label in enumerate(side)] for side in (truth, found))
    assert edit_score(one, other) == pytest.approx(score)
    assert edit_score(one[::-1], other) == pytest.approx(score)  # times decide the order


def test_runs_end_where_the_label_changes_or_the_person_is_gone() -> None:
    one = Shown(np.array([0.0, 0.1, 0.2, 0.3, 2.0, 2.1]), np.array([NOTHING, A, A, B, B, B]))
    assert runs(one, step_s=0.1) == [
        Segment(0.1, pytest.approx(0.3), A),
        Segment(0.3, pytest.approx(0.4), B),
        Segment(2.0, pytest.approx(2.2), B),
    ]
    assert runs(shown(0.1, []), step_s=0.1) == []


def test_idle_time_is_the_time_in_view_without_an_action() -> None:
    seen = Shown(np.concatenate([np.arange(61) / 1.0 * 0.5, [90.0, 90.5]]), np.zeros(63, dtype=int))
    assert idle_minutes((), seen) == pytest.approx(30.5 / 60)  # the gap does not count
    assert idle_minutes([Segment(10, 20, A)], seen) == pytest.approx(19.5 / 60)


def test_auroc_is_the_chance_that_the_known_one_scores_higher() -> None:
    known, unknown = np.array([0.9, 0.8, 0.4]), np.array([0.5, 0.3])
    assert auroc(known, unknown) == pytest.approx(5 / 6)
    assert auroc(unknown, known) == pytest.approx(1 / 6)
    assert auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5


def test_fpr_is_taken_where_95_percent_of_the_known_are_accepted() -> None:
    known = np.arange(100) / 100  # 95 of 100 are at least 0.05
    assert fpr_at_95(known, np.array([0.04, 0.05, 0.5, 0.0])) == 0.5
    assert fpr_at_95(known, np.full(7, -1.0)) == 0.0


def test_people_are_added_up_before_anything_is_divided() -> None:
    still = shown(0.5, [NOTHING] * 121)
    good = tally([Segment(10, 14, A)], [Segment(11, 15, A)], shown(0.5, [A] * 121))
    bad = tally([Segment(10, 14, A)], [Segment(40, 44, A), Segment(50, 51, B)], still)
    numbers = measures([good, bad])
    assert numbers["overlap"]["0.5"] == {"precision": 0.3333, "recall": 0.5, "f1": 0.4}
    assert numbers["needless_per_minute"] == 1.0
    assert numbers["false_alarms"] == 2 and numbers["idle_minutes"] == pytest.approx(110 / 60, abs=0.01)
    assert numbers["false_alarms_per_minute"] == pytest.approx(2 / (110 / 60), abs=0.01)
    assert numbers["noticed"] == 0.5 and numbers["delay_s"] == {"median": 0.0, "p90": 0.0}
    assert numbers["edit"] == 0.75 and numbers["minutes"] == 2.0 and numbers["true_changes_per_minute"] == 2.0
    assert measures([])["delay_s"]["median"] is None and quantile([], 0.5) is None


def test_a_second_event_of_an_action_is_needless_and_so_is_one_of_another_label() -> None:
    found = [Segment(10, 11, A), Segment(11.5, 12, A), Segment(10, 12, B)]
    restless = tally([Segment(10, 12, A)], found, shown(0.5, [A] * 40))
    assert restless.matched == (1, 1) and restless.needless == 2
    assert tally([Segment(10, 12, A)], found[:1], shown(0.5, [A] * 40)).needless == 0


def test_flicker_is_events_beyond_one_for_each_action_and_beside_all_of_them_whatever_they_say() -> None:
    truth = [Segment(10, 12, A), Segment(14, 16, B)]
    steady_but_wrong = [Segment(10, 13, B), Segment(13.5, 16, A)]
    assert flicker(truth, steady_but_wrong) == 0
    assert flicker(truth, [Segment(10, 11, A), Segment(11, 14.5, B), Segment(14.5, 16, B)]) == 1
    assert flicker(truth, [Segment(12.5, 13.5, A), Segment(14, 16, B)]) == 1
    assert flicker(truth, []) == 0 and flicker([], truth) == 2
    assert tally([], truth, shown(0.5, [A] * 40), strange=[Segment(9, 13, -2)]).flicker == 1
    assert measures([tally(truth, truth * 2, shown(0.5, [A] * 121))])["flicker_per_minute"] == 2.0


def test_what_the_model_does_not_know_is_no_false_alarm_on_background_but_a_wrong_event() -> None:
    one = tally([], [Segment(1, 2, A)], shown(0.5, [A] * 40), strange=[Segment(0, 3, -2)])
    assert (one.found, one.alarms, one.matched) == (1, 0, (0, 0)) and one.true_changes == 2
