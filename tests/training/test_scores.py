"""What is counted: against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.scores import RELIABILITY_BINS, calibration, likely_range, scores, top_k


def test_scores_are_those_of_the_books() -> None:
    truth, answer = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    result = scores(truth, answer, ("a", "b", "c"))
    assert result["top1"] == pytest.approx(4 / 6, abs=1e-4)
    assert result["per_class"]["a"] == {"samples": 3, "recall": 0.6667, "precision": 0.6667, "f1": 0.6667}
    assert result["per_class"]["b"]["f1"] == 0.8 and result["per_class"]["c"]["f1"] == 0.0
    assert result["macro_f1"] == pytest.approx((2 / 3 + 0.8 + 0) / 3, abs=1e-4)
    assert result["confusions"][0]["count"] == 1 and len(result["confusions"]) == 2
    assert result["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]


@pytest.mark.parametrize(("k", "right"), [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0), (9, 1.0)])
def test_the_truth_counts_when_it_is_among_the_k_most_probable(k: int, right: float) -> None:
    probabilities = np.array([[0.4, 0.3, 0.2, 0.1]] * 4)
    assert top_k(np.array([0, 1, 2, 3]), probabilities, k) == right


def test_calibration_error_is_the_distance_of_confidence_and_truth_weighted_by_the_bins() -> None:
    # Eight answers at 0.9, six of them right; two at 0.55, both right: 0.8 * |0.9 - 0.75| + 0.2 * |0.55 - 1|.
    probabilities = np.array([[0.9, 0.1]] * 8 + [[0.55, 0.45]] * 2)
    truth = np.array([0] * 6 + [1] * 2 + [0] * 2)
    found = calibration(truth, probabilities)
    assert found["ece"] == pytest.approx(0.8 * 0.15 + 0.2 * 0.45, abs=1e-4)
    filled = {row["count"]: row for row in found["reliability"] if row["count"]}
    assert len(found["reliability"]) == RELIABILITY_BINS and set(filled) == {8, 2}
    assert filled[8]["top1"] == 0.75 and filled[8]["confidence"] == pytest.approx(0.9)
    assert filled[8]["from"] < 0.9 <= filled[8]["to"]


def test_answers_that_are_as_right_as_sure_have_no_calibration_error() -> None:
    probabilities = np.array([[0.75, 0.25]] * 4)
    assert calibration(np.array([0, 0, 0, 1]), probabilities)["ece"] == 0


def test_certainty_falls_into_the_last_bin() -> None:
    found = calibration(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert found["reliability"][-1]["count"] == 2 and found["ece"] == 0


def test_the_likely_range_of_a_share_is_wilsons() -> None:
    low, high = likely_range(0.9, 100)
    assert low == pytest.approx(0.8256, abs=1e-3) and high == pytest.approx(0.9448, abs=1e-3)
    assert likely_range(1.0, 10)[1] == 1.0 and likely_range(0.0, 10)[0] == 0.0
