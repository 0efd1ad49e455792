"""A model is measured as it would be used: on what was seen so far, and with every mistake open to inspection."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from live.recognizer import Recognizer
from models.card import ModelCard
from skeleton.errors import ModelContractError
from skeleton.formats.table import open_recording
from training import taught
from training.__main__ import main
from training.cache import Cache, open_cache
from training.clip_windows import LIVE_STEP_S, duration_s, live_ends_s, live_window, whole_window
from training.evaluate import DETAILS, SHARES, WHOLE_ONLY, evaluate, trained_on_tested
from training.export import summary
from training.people import digest
from training.report_page import Content, page


@pytest.fixture(scope="module")
def result(model: Path, synthetic: Path) -> dict:
    return evaluate(model, synthetic, "odd-even")


def altered_after(cache_path: Path, to: Path, share: float) -> Cache:
    """A copy of a cache in which everything after a share of every clip is another."""
    shutil.copytree(cache_path, to)
    joints, cache = np.load(to / "joints.npy"), open_cache(cache_path)
    for index in range(len(cache)):
        rows, times = cache.rows(index), cache.track(index)[0]
        joints[rows][times > share * times[-1] + 1e-6] += 7.0
    np.save(to / "joints.npy", joints)
    return open_cache(to)


def test_what_comes_after_the_part_that_was_seen_changes_nothing(
    cache: Cache, card: ModelCard, synthetic: Path, tmp_path: Path
) -> None:
    other = altered_after(synthetic, tmp_path / "other", 0.5)
    for index in (0, 25, 59):
        one, two = (whole_window(each, index, card, share=0.5) for each in (cache, other))
        np.testing.assert_array_equal(one.joints, two.joints)
        np.testing.assert_array_equal(one.seen, two.seen)
        moment = 0.5 * duration_s(cache, index)
        one, two = (live_window(each, index, card, end_s=moment) for each in (cache, other))
        np.testing.assert_array_equal(one.joints, two.joints)
        assert not np.array_equal(whole_window(cache, index, card).joints, whole_window(other, index, card).joints)


def test_a_window_of_half_a_clip_is_the_first_half_of_the_whole_one(cache: Cache, card: ModelCard) -> None:
    half, whole = (whole_window(cache, 3, card, share=share) for share in (0.5, 1.0))
    steps = card.frames // 2 - 2  # the frame at the edge has no later neighbor to be interpolated with
    np.testing.assert_allclose(half.joints[:, :steps], whole.joints[:, :steps], atol=1e-6)
    assert half.seen[:, :steps].all() and not half.seen[:, -5:].any() and whole.seen.all()


@pytest.mark.parametrize(
    ("length_s", "span_s", "count"),
    [
        pytest.param(1.0, 1.2, 1, id="shorter than the span"),
        pytest.param(1.2, 1.2, 1, id="as long"),
        pytest.param(2.0, 1.2, 5, id="longer"),
        pytest.param(0.0, 1.2, 1, id="one frame"),
    ],
)
def test_live_windows_end_inside_the_clip_and_the_last_one_at_its_end(
    length_s: float, span_s: float, count: int
) -> None:
    ends = live_ends_s(length_s, span_s)
    assert len(ends) == count and ends[-1] == length_s and ends[0] >= min(length_s, span_s) - 1e-9
    assert np.allclose(np.diff(ends), LIVE_STEP_S)


def test_after_all_of_the_clip_both_curves_end_at_their_numbers(result: dict) -> None:
    rows = result["observed"]
    assert [row["share"] for row in rows] == list(SHARES)
    assert rows[-1]["top1"] == result["top1"] and rows[-1]["top1_live"] == result["top1_live"]
    frames = [row["frames"] for row in rows]
    assert frames == sorted(frames) and frames[0] < 0.25 * frames[-1]
    # All three movements begin in the same pose: a tenth of one cannot tell them apart, all of it can.
    assert rows[0]["top1"] < rows[-1]["top1"] - 0.2


def test_leaving_out_the_curve_changes_no_number(result: dict, model: Path, synthetic: Path) -> None:
    quick = evaluate(model, synthetic, "odd-even", shares=WHOLE_ONLY)
    assert len(quick["observed"]) == 1
    for key in set(result) - {"observed"}:
        assert quick[key] == result[key], key


def test_counts_agree_with_each_other(result: dict, cache: Cache) -> None:
    confusion = np.array(result["confusion"])
    assert confusion.sum() == result["samples"] == 30
    assert confusion.trace() == round(result["top1"] * 30) == 30 - len(result["wrong"])
    assert sum(row["samples"] for row in result["per_subject"]) == 30
    assert sum(row["count"] for row in result["reliability"]) == 30
    mean = np.mean([row["top1"] for row in result["per_subject"]])  # both have as many clips
    assert mean == pytest.approx(result["top1"], abs=1e-4) and result["top5"] == 1.0
    assert result["attention"] == "st" and result["trained_on_tested"] == []


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        pytest.param((0, 1), r"synthetic, but '.*' is only in the cache", id="fewer"),
        pytest.param((0, 1, 2, "bow"), r"but 'bow' is only in the model", id="more"),
        pytest.param(
            (0, "bow", "nod", "wave", "turn"), "are only in the cache and .* and 1 more are only in the", id="both"
        ),
        pytest.param((1, 0, 2), "but has them in another order", id="order"),
    ],
)
def test_a_model_of_other_classes_is_told_which(labels: tuple, sentence: str, model: Path, cache: Cache) -> None:
    card = Recognizer(model, provider="cpu").card
    names = tuple(cache.labels[label] if isinstance(label, int) else label for label in labels)
    with pytest.raises(ModelContractError, match=sentence):
        taught.known_to(cache, dataclasses.replace(card, labels=names), model=model)


def test_results_are_told_apart_by_set_up_and_camera(
    weak_model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "two set-ups"
    shutil.copytree(synthetic, other)
    clips = np.load(other / "clips.npy")
    clips["setup"] = np.where(clips["label"] == 0, 7, 2)  # so that their figures differ
    np.save(other / "clips.npy", clips)
    arguments = ["--model", str(weak_model), "--data", str(other), "--protocol", "odd-even"]
    assert main(["evaluate", *arguments]) == 0
    text = capsys.readouterr().out
    assert main(["evaluate", *arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)

    two, seven = result["per_setup"]
    assert (two["setup"], two["samples"], seven["setup"], seven["samples"]) == (2, 20, 7, 10)
    assert seven["top1"] == result["per_class"]["raise left"]["recall"] != two["top1"]
    assert 20 * two["top1"] + 10 * seven["top1"] == pytest.approx(30 * result["top1"], abs=0.01)
    assert f"set-up 7       10 clips    top-1 {seven['top1']:.4f}" in text
    assert len(result["per_camera"]) == 1 and "camera" not in text
    shown = page(Content(result))
    assert "<h2>Set-ups</h2>" in shown and "<h2>Cameras" not in shown and "<h2>People</h2>" in shown


def test_every_wrong_clip_can_be_opened_in_the_app(
    weak_model: Path, synthetic: Path, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate(weak_model, synthetic, "odd-even", shares=WHOLE_ONLY)["wrong"]
    assert found, "this model must make mistakes"
    sure = [row["probability"] for row in found]
    assert sure == sorted(sure, reverse=True)
    row = found[0]
    assert row["truth"] == cache.labels[cache.clips[row["clip"]]["label"]] != row["answer"]
    assert row["source"] == cache.name(row["clip"]) and row["subject"] in (2, 4)
    assert row["probability"] > row["probability_of_truth"]
    monkeypatch.chdir(tmp_path)
    make, show = (shlex.split(command) for command in row["open"])
    assert make[:3] == ["python", "-m", "training"] and main(make[3:]) == 0
    assert show[:2] == ["python", "run_app.py"] and show[show.index("--model") + 1] == str(weak_model)
    recording = open_recording(show[show.index("--recording") + 1])
    assert recording.info.labels["label"] == row["truth"] and recording.info.labels["subject"] == str(row["subject"])


def test_a_model_that_is_tested_on_people_who_trained_it_is_named(model: Path, synthetic: Path) -> None:
    assert evaluate(model, synthetic, "loso-3", shares=WHOLE_ONLY)["trained_on_tested"] == [3]


BEN = {"people": {"1": digest("anna"), "3": digest("Ben")}}


@pytest.mark.parametrize(
    ("trained_on", "protocol", "people", "named"),
    [
        pytest.param({"dataset": "a", "subjects": [1, 4, 2]}, "odd-even", {}, [2, 4], id="on both sides"),
        pytest.param({"dataset": "a", "subjects": [1, 3]}, "odd-even", {}, [], id="on one side"),
        pytest.param({"dataset": "b", "subjects": [2]}, "odd-even", {}, [], id="other people with the same number"),
        pytest.param(
            {"dataset": "a", "subjects": [2], "protocol": "xview"}, "xview", {}, [], id="the protocol divides cameras"
        ),
        pytest.param(
            {"dataset": "a", "subjects": [2], "protocol": "odd-even"}, "xview", {}, [2], id="trained by another one"
        ),
        pytest.param({"dataset": "a", "subjects": [2]}, "xview", {}, [2], id="a card that names no protocol"),
        pytest.param(
            {"dataset": "a", "subjects": [2], "protocol": ["xview"]}, "takes", {}, [2], id="a strange protocol"
        ),
        pytest.param(
            {"dataset": "a", "subjects": [2, 4], "protocol": "takes"}, "xview", {}, [4], id="its clips did not train"
        ),
        pytest.param({"dataset": "a", "subjects": "2"}, "odd-even", {}, [], id="a card of strangers"),
        pytest.param({}, "odd-even", {}, [], id="a card that does not say"),
        pytest.param(
            {"dataset": "a", "subjects": [1, 3]} | BEN, "odd-even", {2: "cleo", 6: "ben"}, [6], id="by name"
        ),
        pytest.param({"dataset": "a", "subjects": [2, 3]} | BEN, "odd-even", {2: "cleo"}, [], id="the same number"),
        pytest.param({"dataset": "a", "subjects": [2]} | BEN, "odd-even", {}, [2], id="an older cache"),
        pytest.param(
            {"dataset": "a", "subjects": [1], "background": {"datasets": [{"dataset": "a", "subjects": [6]} | BEN]}},
            "odd-even",
            {},
            [6],
            id="in the background",
        ),
        pytest.param(
            {"dataset": "a", "subjects": [1], "background": {"datasets": 5}}, "odd-even", {}, [], id="no list of sets"
        ),
        pytest.param(
            {"dataset": "a", "subjects": [1], "background": {"datasets": [7, {"dataset": "a", "subjects": 6}]}},
            "odd-even",
            {},
            [],
            id="a strange background",
        ),
        pytest.param(
            {"dataset": "a", "subjects": [2], "people": [3]}, "odd-even", {2: "cleo"}, [2], id="people are no table"
        ),
        pytest.param(
            {"dataset": "a", "subjects": [2], "people": {"2": []}}, "odd-even", {2: "cleo"}, [], id="nor a name"
        ),
    ],
)
def test_people_on_both_sides_are_named_unless_the_protocol_has_them_there(
    trained_on: dict, protocol: str, people: dict[int, str], named: list[int], cache: Cache
) -> None:
    clips = np.array(cache.clips[:4])
    clips["subject"], clips["repetition"] = (2, 4, 2, 6), (2, 1, 4, 2)
    tested = dataclasses.replace(cache, dataset="a", people=people, clips=clips)
    assert trained_on_tested(trained_on, tested, protocol, np.arange(4)) == named


def test_the_command_prints_one_json_object_or_says_all_in_words(
    model: Path, synthetic: Path, result: dict, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["evaluate", "--model", str(model), "--data", str(synthetic), "--protocol", "odd-even"]
    assert main([*flags, "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and json.loads(printed) == json.loads(json.dumps(result))
    assert main(flags) == 0
    words = capsys.readouterr().out
    assert "after  10 %" in words and "calibration error" in words and "raise left" in words


def test_a_card_keeps_the_numbers_and_not_the_details(result: dict) -> None:
    kept = summary([result, result])
    assert kept["top1"] == result["top1"] and kept["per_class"] and kept["ece"] == result["ece"]
    assert not set(DETAILS) & kept.keys()
