"""Faithfulness: a heat that names the joints that count is told from one that does not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from live.recognizer import Recognizer
from live.view import ModelInfo, Recognition
from skeleton.errors import ConfigError
from skeleton.window import Window
from tests.live import tiny_model
from training import faithfulness_figure
from training.__main__ import main
from training.faithfulness import HOTTEST, described, faithfulness, hide, measure, summary

JOINTS = 9
WEIGHTS = np.array([0.02, 0.2, 0.0, 0.01, 0.3, 0.05, 0.1, 0.03, 0.04])
"""How much of the probability each joint brings along, in no order."""


class Additive:
    """A model whose score is the sum of what its seen joints bring along, with an attention made by hand."""

    warning = None

    def __init__(self, attention: np.ndarray, *, weights: np.ndarray = WEIGHTS) -> None:
        names = tuple(f"joint {place}" for place in range(len(attention)))
        self.card = dataclasses.replace(tiny_model.CARD, labels=("this", "that"), joints=names, frames=4)
        self.info = ModelInfo(self.card, "additive.onnx", "CPU")
        self._attention, self._weights = attention, weights

    def recognize(self, windows: Sequence[Window]) -> list[Recognition]:
        return [self._answer(window) for window in windows]

    def _answer(self, window: Window) -> Recognition:
        score = 0.2 + float((window.seen[0].mean(axis=0) * self._weights).sum())
        return Recognition(
            body_ids=window.body_ids,
            end_s=window.end_s,
            probabilities=np.array([score, 1 - score], dtype=np.float32),
            joint_attention=self._attention[None].astype(np.float32),
            frame_attention=np.array([[0.2, 0.9, 0.3, -0.5]], dtype=np.float32),
            embedding=np.zeros(1, dtype=np.float32),
        )


def windows(count: int = 12) -> list[Window]:
    random = np.random.default_rng(2)
    shape = (1, 4, JOINTS)
    return [Window((1,), 5.0, random.normal(size=(*shape, 3)), np.ones(shape, dtype=bool)) for _ in range(count)]


def summarized(model: Additive, *, draws: int = 40) -> dict:  # type: ignore[type-arg]
    curves = measure(model, iter(windows()), hiding="unseen", draws=draws, random=np.random.default_rng(0))
    return summary(curves, np.repeat([2, 4], 6))


def test_attention_on_the_joints_that_count_is_faithful_and_attention_on_the_others_is_not() -> None:
    good, bad = summarized(Additive(WEIGHTS)), summarized(Additive(1 - WEIGHTS))
    random = good["random"]
    for kind in ("spatial", "coupled"):
        assert good["kinds"][kind]["area"] < random["area"] < bad["kinds"][kind]["area"]
        assert good["kinds"][kind]["lead"] > 0.1 > -0.1 > bad["kinds"][kind]["lead"]
        assert good["kinds"][kind]["area"] == bad["kinds"][kind]["area_reverse"]
        assert good["kinds"][kind]["curve"] == bad["kinds"][kind]["reverse"]


def test_evidence_finds_the_joints_that_count_without_attention() -> None:
    found = summarized(Additive(np.ones(JOINTS)))["kinds"]["evidence"]
    hottest_first = 0.95 - np.concatenate([[0], np.cumsum(np.sort(WEIGHTS)[::-1])])
    np.testing.assert_allclose(found["curve"], hottest_first, atol=1e-4)
    assert found["fall"] == pytest.approx(np.sort(WEIGHTS)[-HOTTEST:].sum(), abs=1e-4)


def test_random_joints_fall_by_their_share_on_average() -> None:
    found = summarized(Additive(WEIGHTS), draws=200)
    assert found["random"]["fall"] == pytest.approx(WEIGHTS.sum() * HOTTEST / JOINTS, abs=0.02)
    kind = found["kinds"]["evidence"]
    assert kind["lead"] == pytest.approx(kind["fall"] - found["random"]["fall"], abs=2e-4)
    assert set(kind["lead_by_subject"]) == {"2", "4"}
    assert 0 < kind["lead_deviation"] < 0.1 and kind["lead_share"] == 1.0


def test_the_coupled_map_orders_the_joints_as_the_spatial_one() -> None:
    kinds = summarized(Additive(np.linspace(-1, 1, JOINTS) ** 3 + 0.1))["kinds"]
    assert kinds["coupled"]["curve"] == kinds["spatial"]["curve"]


def test_a_still_joint_is_seen_where_it_was_first_and_an_unseen_one_never() -> None:
    whole = windows(1)[0]
    seen = whole.seen.copy()
    seen[0, :2, 3] = False
    whole = dataclasses.replace(whole, seen=seen)
    still, unseen = hide(whole, [3, 5], "still").seen[0], hide(whole, [3, 5], "unseen").seen[0]
    assert still[:, 3].tolist() == [False, False, True, False]
    assert still[:, 5].tolist() == [True, False, False, False]
    assert not unseen[:, [3, 5]].any()
    others = [0, 1, 2, 4, 6, 7, 8]
    assert still[:, others].all() and unseen[:, others].all()


def test_a_joint_that_was_never_seen_stays_so() -> None:
    whole = windows(1)[0]
    seen = whole.seen.copy()
    seen[..., 4] = False
    assert not hide(dataclasses.replace(whole, seen=seen), [4], "still").seen[..., 4].any()


def test_the_command_measures_a_model_on_its_test_people_and_draws(
    model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, words = tmp_path / "curves.png", ["faithfulness", "--model", str(model), "--data", str(synthetic)]
    words += ["--protocol", "odd-even", "--draws", "2"]
    assert main([*words, "--output", str(picture), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["samples"], result["subjects"], result["trained_on_tested"]) == (30, [2, 4], [])
    joints = Recognizer(model, provider="cpu").card.joints
    assert len(result["kinds"]["evidence"]["curve"]) == len(joints) + 1
    assert result["kinds"]["evidence"]["lead"] > 0  # the joints that move are what this model goes by
    assert sum(result["falls"]["hottest"].values()) == 30
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert result == faithfulness(model, synthetic, "odd-even", draws=2)  # the same draws every time
    assert main([*words, "--clips", "7"]) == 0
    lines = capsys.readouterr().out
    assert "7 of 30 clips" in lines
    assert all(name in lines for name in ("evidence", "spatial", "coupled", "random"))


def test_a_picture_of_an_unknown_kind_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.png"):
        faithfulness_figure.check_name(tmp_path / "curves.jpg")


def test_the_figure_names_every_kind_and_joins_those_with_one_order() -> None:
    result = {
        "name": "additive", "dataset": "none", "protocol": "odd-even", "samples": 12, "offered": 12,
        "hidden": HOTTEST, "trained_on_tested": [2], "model": "a.onnx", "hiding": "unseen",
        **summarized(Additive(WEIGHTS[::-1])),
    }  # fmt: skip
    axes = faithfulness_figure.draw(result).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [name.split(",")[0] for name in names] == ["evidence", "spatial and coupled", "random joints"]
    assert "TRAINED" in described(result)
