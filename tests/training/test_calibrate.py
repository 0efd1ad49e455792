"""Calibration: a known temperature is found again, the graph keeps to it, and only held-out people are asked."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from live.recognizer import Recognizer
from models.card import ModelCard
from models.temperature import with_card
from skeleton.errors import ModelContractError, TrainingDataError
from training import temperature_fit, thresholds
from training.__main__ import main
from training.cache import Cache
from training.event_scores import Segment, Shown
from training.held_out import clips_of
from training.stream_run import Answers
from training.thresholds import ENTERS, Performance

FAST = ["--set", "clips=6", "pause_s=[0.5, 1.5]", "lead_s=1.5"]


@pytest.fixture(scope="module")
def skewed(model: Path, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model made five times less sure, with a card that says person 3 validated and person 1 trained."""
    trained_on = card.trained_on | {"subjects": [1], "validation_subjects": [3]}
    changed = dataclasses.replace(card, temperature=5.0, trained_on=trained_on, results={"ece": 0.3})
    file = tmp_path_factory.mktemp("skewed") / "unsure.onnx"
    file.write_bytes(with_card(model.read_bytes(), changed, file="m"))
    return file


def windows(count: int, card: ModelCard) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(8)
    shape = (count, card.persons, card.frames, len(card.joints))
    return random.normal(0, 1, (*shape, 3)).astype(np.float32), np.ones(shape, dtype=np.float32)


def answers(file: Path, card: ModelCard) -> dict[str, np.ndarray]:
    joints, seen = windows(9, card)
    return Recognizer(file, provider="cpu")._run(joints, seen)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true: float) -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 3, (20_000, 6))
    chances = temperature_fit.softmax(logits, true)
    labels = (chances.cumsum(axis=1) > random.random((len(logits), 1))).argmax(axis=1)
    found = temperature_fit.fitted(logits, labels, np.ones(len(labels)))
    assert found == pytest.approx(true, rel=0.03)
    least = temperature_fit.nll(logits, labels, np.ones(len(labels)), found)
    for other in (0.97, 1.03):
        assert least < temperature_fit.nll(logits, labels, np.ones(len(labels)), other * found)


def test_weights_count_like_copies_and_the_ends_are_kept_to() -> None:
    random = np.random.default_rng(3)
    logits, labels = random.normal(0, 2, (300, 4)), random.integers(0, 4, 300)
    copies = np.arange(300) % 3 + 1
    twice = temperature_fit.fitted(
        np.repeat(logits, copies, axis=0), np.repeat(labels, copies), np.ones(copies.sum())
    )
    assert temperature_fit.fitted(logits, labels, copies.astype(float)) == pytest.approx(twice)
    sure = np.eye(4)[labels]
    assert temperature_fit.fitted(sure, labels, np.ones(300)) == temperature_fit.LOW  # always right
    assert temperature_fit.fitted(-sure, labels, np.ones(300)) == temperature_fit.HIGH  # always wrong


def test_logits_come_back_out_of_probabilities_up_to_a_constant() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (5, 3))
    again = temperature_fit.logits_of(temperature_fit.softmax(logits, 1.7), 1.7)
    np.testing.assert_allclose(again - again[:, :1], logits - logits[:, :1], atol=1e-9)
    assert np.isfinite(temperature_fit.logits_of(np.array([[1.0, 0.0, 0.0]]), 2.0)).all()


def test_the_graph_divides_the_logits_and_nothing_else_changes(model: Path, card: ModelCard, tmp_path: Path) -> None:
    before = answers(model, card)
    data = model.read_bytes()
    for temperature in (2.5, 0.4, 1.0):  # one after another: the second calibration replaces the first
        changed = dataclasses.replace(card, temperature=temperature)
        data = with_card(data, changed, file="m")
        file = tmp_path / "warm.onnx"
        file.write_bytes(data)
        after = answers(file, changed)
        wanted = temperature_fit.softmax(
            temperature_fit.logits_of(before["probabilities"], card.temperature), temperature
        )
        np.testing.assert_allclose(after["probabilities"], wanted, atol=1e-5)
        for name in ("embedding", "joint_attention", "frame_attention"):
            np.testing.assert_array_equal(after[name], before[name])
        assert sum(node.op_type == "Div" and "calibrat" in node.name for node in onnx.load(file).graph.node) == 1


def test_a_graph_without_a_softmax_at_its_end_cannot_be_calibrated(model: Path, card: ModelCard) -> None:
    graph = onnx.load(model)
    next(node for node in graph.graph.node if "probabilities" in node.output).op_type = "Sigmoid"
    with pytest.raises(ModelContractError, match="must end in a softmax"):
        with_card(graph.SerializeToString(), dataclasses.replace(card, temperature=2.0), file="m.onnx")


def test_the_new_file_has_the_temperature_of_the_least_loss_and_new_thresholds(
    skewed: Path, model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "calibrated.onnx"
    flags = ["--data", str(synthetic), "--protocol", "odd-even", *FAST, "--json"]
    assert main(["calibrate", "--model", str(skewed), *flags, "--output", str(output)]) == 0
    printed = json.loads(capsys.readouterr().out)
    calm = Recognizer(output, provider="cpu").card
    assert printed["subjects"] == [3] and printed["clips"] == 15
    assert printed["temperature"] == {"before": 5.0, "after": calm.temperature} and calm.temperature < 5.0
    assert printed["nll"]["after"] < printed["nll"]["before"]
    assert printed["ece"]["whole"]["after"] < printed["ece"]["whole"]["before"]
    assert (calm.enter_threshold, calm.exit_threshold) == (printed["enter_threshold"], printed["exit_threshold"])
    assert list(calm.results) == ["calibration"]  # what was measured before it no longer holds
    assert (
        calm.results["calibration"]["subjects"] == [3]
        and calm.labels == Recognizer(model, provider="cpu").card.labels
    )
    again = tmp_path / "again.onnx"
    assert main(["calibrate", "--model", str(skewed), *flags, "--output", str(again)]) == 0
    assert again.read_bytes() == output.read_bytes()  # nothing is left to chance


def fold(model: Path, card: ModelCard, output: Path, *, held: int, **changes: object) -> Path:
    """The model with a card that says that one of the people 1 and 3 did not train it."""
    trained_on = card.trained_on | {"subjects": [4 - held], "validation_subjects": [held]}
    changed = dataclasses.replace(card, trained_on=trained_on, **changes)  # type: ignore[arg-type]
    output.write_bytes(with_card(model.read_bytes(), changed, file="m"))
    return output


def test_a_model_that_everybody_trained_is_calibrated_by_its_folds(
    model: Path, card: ModelCard, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folds = [str(fold(model, card, tmp_path / f"{held}.onnx", held=held)) for held in (1, 3)]
    flags = ["calibrate", "--data", str(synthetic), "--protocol", "odd-even", *FAST, "--json"]
    output = tmp_path / "calibrated.onnx"
    assert main([*flags, "--model", str(model), "--folds", *folds, "--output", str(output)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["subjects"] == [1, 3] and printed["folds"] == 2 and printed["clips"] == 30
    assert printed["never_left_out"] == []
    calm = Recognizer(output, provider="cpu").card
    assert calm.trained_on == card.trained_on and calm.temperature == printed["temperature"]["after"] != 1.0
    # One fold alone gives another temperature: both were asked.
    assert main([*flags, "--model", str(model), "--folds", folds[0], "--output", str(tmp_path / "one.onnx")]) == 0
    one = json.loads(capsys.readouterr().out)
    assert one["temperature"]["after"] != calm.temperature and one["never_left_out"] == [3]
    again = ["--model", str(model), "--folds", folds[0], "--output", str(tmp_path / "one.onnx")]
    assert main([*flags[:-1], *again]) == 0
    assert "no fold left out these people, who trained the model: [3]" in capsys.readouterr().out


def test_a_person_whom_two_folds_left_out_is_refused(
    model: Path, card: ModelCard, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (str(fold(model, card, tmp_path / f"{name}.onnx", held=1)) for name in ("one", "two"))
    flags = ["calibrate", "--data", str(synthetic), "--protocol", "odd-even", *FAST, "--model", str(model)]
    output = tmp_path / "calibrated.onnx"
    for folds in ([one, one], [one, two]):
        assert main([*flags, "--folds", *folds, "--output", str(output)]) == 1
        error = capsys.readouterr().err
        assert "A person counts once" in error and "about person 1" in error and error.count("\n") == 1
    assert not output.exists()


def test_a_fold_of_another_kind_is_refused(
    model: Path, card: ModelCard, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = fold(model, card, tmp_path / "other.onnx", held=1, span_s=0.9)
    flags = ["calibrate", "--data", str(synthetic), "--protocol", "odd-even", *FAST, "--model", str(model)]
    output = tmp_path / "calibrated.onnx"
    assert main([*flags, "--folds", str(other), "--output", str(output)]) == 1
    assert "other.onnx has span_s 0.9 instead of 1.2" in capsys.readouterr().err
    assert not output.exists()


def test_who_trained_or_tests_is_not_asked(cache: Cache, card: ModelCard) -> None:
    held = dataclasses.replace(card, trained_on=card.trained_on | {"subjects": [1], "validation_subjects": [3]})
    assert set(cache.clips["subject"][clips_of(cache, "odd-even", held, [])].tolist()) == {3}
    for changed, people, sentence in (
        (card, [], "its card names none who validated"),
        (card, [3], "but 3 did"),
        (held, [2, 3], "Who tests must not be looked at before, but 2 tests"),
        (held, [5], "has no clip of person 5"),
        (dataclasses.replace(held, trained_on={"validation_subjects": [3]}), [], "must say who trained it"),
    ):
        with pytest.raises(TrainingDataError, match=sentence):
            clips_of(cache, "odd-even", changed, people)


def test_a_refusal_is_one_sentence_and_leaves_no_file(
    model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "calibrated.onnx"
    flags = ["calibrate", "--model", str(model), "--output", str(output)]
    assert main([*flags, "--data", str(synthetic), "--protocol", "odd-even"]) == 1
    assert "names none who validated" in capsys.readouterr().err
    assert main(flags) == 1 and "needs --data" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(SystemExit) as end:
        main([*flags, "--false-alarms", "-1"])
    assert end.value.code == 2


def performance(levels: list[tuple[float, float, int, float]], truth: list[Segment], length_s: float) -> Performance:
    """Answers of three classes at 10 Hz: undecided but for (from, to, class, probability)."""
    times = np.arange(0, length_s, 0.1)
    probabilities = np.tile([0.3, 0.3, 0.4], (len(times), 1))
    for start, end, label, probability in levels:
        rows = (times >= start) & (times < end)
        probabilities[rows] = (1 - probability) / 2
        probabilities[rows, label] = probability
    return Performance(
        truth, Shown(times, np.zeros(len(times))), Answers(times, probabilities, np.zeros((len(times), 3))), CARD
    )


CARD = ModelCard(
    name="three", network="n", labels=("a", "b", "c"), layout="kinect-v2", joints=("x",), frames=8, span_s=1.0,
    enter_threshold=0.5, exit_threshold=0.4,
)  # fmt: skip


def test_thresholds_lie_above_what_nothing_reaches_and_below_what_actions_do() -> None:
    acted = performance([(5.5, 8.5, 0, 0.96), (15.5, 18.5, 1, 0.96)], [Segment(5, 8, 0), Segment(15, 18, 1)], 30)
    nothing = performance([(5, 8, 0, 0.84), (20, 23, 1, 0.78)], [], 60)
    chosen, outcome = thresholds.fitted(CARD, [acted, nothing], budget=0.0)
    assert chosen.enter_threshold > 0.84 and chosen.enter_threshold < 0.96
    assert outcome.alarms_per_minute == 0 and outcome.score == 1.0
    before = thresholds.judged(CARD, [acted, nothing])
    assert before.alarms_per_minute == pytest.approx(2.0, abs=0.1)
    free, _ = thresholds.fitted(CARD, [acted, nothing], budget=5.0)
    assert thresholds.judged(free, [acted, nothing]).score == 1.0


def test_a_label_gets_its_own_threshold_where_that_finds_more() -> None:
    """Class b is never surer than 0.84, and nothing is taken for b; nothing is taken for a with 0.92."""
    actions = [(10.0 * k + 5.5, 10.0 * k + 8.5, k % 2, 0.84 if k % 2 else 0.96) for k in range(6)]
    truth = [Segment(start - 0.5, end - 0.5, label) for start, end, label, _ in actions]
    nothing = performance([(5, 8, 0, 0.92), (25, 28, 0, 0.92)], [], 60)
    chosen, outcome = thresholds.fitted(CARD, [performance(actions, truth, 70), nothing], budget=0.5)
    assert chosen.thresholds("a")[0] > 0.92 and chosen.thresholds("b")[0] < 0.84
    assert outcome.score == 1.0 and outcome.alarms_per_minute <= 0.5


def test_a_budget_that_nothing_keeps_gives_the_fewest_alarms() -> None:
    nothing = performance([(5, 15, 0, 1.0), (20, 23, 1, 0.9)], [], 60)
    chosen, outcome = thresholds.fitted(CARD, [nothing], budget=0.0)
    assert outcome.alarms_per_minute == pytest.approx(1.0, abs=0.05) and chosen.enter_threshold == max(ENTERS)
