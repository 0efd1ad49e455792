"""Model cards: what a reader must refuse, one row each."""

from __future__ import annotations

import json

import pytest

from models.card import METADATA_KEY, ModelCard
from skeleton.errors import ModelContractError
from tests.models.synthetic import card, config


def good() -> dict:
    return json.loads(card(config(), temperature=1.5, trained_on={"clips": 12}, attention_range=(0.2, 1.1)).to_json())


def test_a_card_survives_its_own_json() -> None:
    wanted = card(config(), temperature=0.8, results={"top1": 0.97}, license="CC0-1.0", attention_range=(0.1, 0.9))
    assert ModelCard.from_json(wanted.to_json(), file="m.onnx") == wanted
    assert ModelCard.from_metadata({METADATA_KEY: wanted.to_json()}, file="m.onnx") == wanted


def test_what_it_says_of_background_and_unknown_survives_too() -> None:
    wanted = card(
        config(),
        background="action 4",
        enter_thresholds={"action 1": 0.9, "action 4": 0.7},
        exit_thresholds={"action 1": 0.2},
        unknown_score=0.35,
        unknown_distance=2.5,
        feature_centers=((0.5, 1.0, 0.0),) * 5,
        feature_scale=3.25,
    )
    read = ModelCard.from_json(wanted.to_json(), file="m.onnx")
    assert read == wanted
    assert [read.thresholds(label) for label in ("action 0", "action 1", "action 4")] == [
        (0.8, 0.5),
        (0.9, 0.2),
        (0.7, 0.5),
    ]
    assert read.actions == tuple(label for label in wanted.labels if label != "action 4")


def test_names_beyond_ascii_stay_readable() -> None:
    wanted = card(config(), labels=("挥手", "Händeklatschen", "прыжок", "می‌دود", "👋🏽"))  # with a joiner of no width
    assert "挥手" in wanted.to_json()
    assert ModelCard.from_json(wanted.to_json(), file="m.onnx").labels == wanted.labels


def test_a_key_of_a_later_version_is_ignored() -> None:
    assert ModelCard.from_json(json.dumps({**good(), "weather": "fine"}), file="m.onnx").name == "tiny"


def test_what_may_be_left_out_has_a_default() -> None:
    required = ("name", "network", "labels", "layout", "joints", "frames", "span_s", "schema")
    read = ModelCard.from_json(json.dumps({key: good()[key] for key in required}), file="m.onnx")
    assert (read.background, read.unknown_score, read.unknown_distance, read.feature_centers) == ("", 0.0, 0.0, ())
    assert read.actions == read.labels
    assert (read.persons, read.temperature, read.enter_threshold, read.exit_threshold) == (1, 1.0, 0.8, 0.5)


@pytest.mark.parametrize("text", ["", "null", "[]", '"card"', "{", "[" * 100_000, "\x00"])
def test_text_that_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ModelContractError, match=r"m\.onnx must hold a model card"):
        ModelCard.from_json(text, file="m.onnx")


def test_a_file_without_a_card_is_refused_with_the_command_that_makes_one() -> None:
    with pytest.raises(ModelContractError, match="training export"):
        ModelCard.from_metadata({"author": "someone"}, file="m.onnx")


@pytest.mark.parametrize("key", ["name", "network", "labels", "layout", "joints", "frames", "span_s"])
def test_a_card_that_lacks_something_names_it(key: str) -> None:
    values = good()
    del values[key]
    with pytest.raises(ModelContractError, match=f"lacks {key}"):
        ModelCard.from_json(json.dumps(values), file="m.onnx")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"schema": 2}, "schema 1, found 2"),
        ({"schema": None}, "schema 1, found None"),
        ({"name": 7}, "name must be a text"),
        ({"layout": ["kinect-v2"]}, "layout must be a text"),
        ({"license": None}, "license must be a text"),
        ({"expects_leveled": "no"}, "expects_leveled must be true or false"),
        ({"results": [0.97]}, "results must be an object"),
        ({"recipe": "mine"}, "recipe must be an object"),
        ({"labels": []}, "labels must be a list"),
        ({"labels": "wave"}, "labels must be a list"),
        ({"labels": ["wave", "wave"]}, "labels must be a list of different names"),
        ({"labels": ["wave", 7]}, "labels must be a list"),
        ({"labels": ["wave", ""]}, "labels must be a list of different names of visible characters"),
        ({"labels": ["wave", " "]}, "labels must be a list"),
        ({"labels": ["wave", "kick\0"]}, "labels must be a list"),
        ({"labels": ["wave", "\x1b[31mkick"]}, "labels must be a list"),
        ({"labels": ["wave", "two\nlines"]}, "labels must be a list"),
        ({"labels": ["wave", "kick \ud800"]}, "texts must be encodable as UTF-8, found"),
        ({"name": "tiny \ud800"}, "texts must be encodable as UTF-8"),
        ({"license": "\udcff"}, "texts must be encodable as UTF-8"),
        ({"trained_on": {"people": {"\ud800": ["\ud800"]}}}, "texts must be encodable as UTF-8"),
        ({"name": "tiny\0"}, "name must have no control characters"),
        ({"layout": "kinect\x9bv2"}, "layout must have no control characters"),
        ({"joints": {"SpineBase": 0}}, "joints must be a list"),
        ({"frames": 1}, "frames must be a whole number from 2 to 1000"),
        ({"frames": 1001}, "frames must be"),
        ({"frames": 30.0}, "frames must be"),
        ({"frames": True}, "frames must be"),
        ({"frames": "30"}, "frames must be"),
        ({"persons": 0}, "persons must be a whole number from 1 to 2"),
        ({"persons": 3}, "persons must be"),
        ({"span_s": 0}, "span_s must be a number from 0.1 to 60"),
        ({"span_s": 1e9}, "span_s must be"),
        ({"span_s": float("nan")}, "span_s must be"),
        ({"temperature": 0}, "temperature must be"),
        ({"temperature": -1}, "temperature must be"),
        ({"temperature": float("inf")}, "temperature must be"),
        ({"enter_threshold": 0.3, "exit_threshold": 0.5}, "thresholds must satisfy"),
        ({"enter_threshold": 1.5}, "thresholds must satisfy"),
        ({"exit_threshold": -0.1}, "thresholds must satisfy"),
        ({"exit_threshold": "low"}, "thresholds must satisfy"),
        ({"background": 3}, "background must be a text"),
        ({"background": "nobody"}, "background must be one of at least two labels, found 'nobody'"),
        ({"labels": ["wave"], "background": "wave"}, "background must be one of at least two labels"),
        ({"enter_thresholds": [0.5]}, "enter_thresholds must be an object"),
        ({"enter_thresholds": {"nobody": 0.9}}, "must be of its labels, found 'nobody'"),
        (
            {"exit_thresholds": {"action 2": 0.9}},
            "of 'action 2' must satisfy 0 <= exit <= enter <= 1, found exit 0.9",
        ),
        ({"enter_thresholds": {"action 2": 0.4}}, "found exit 0.5, enter 0.4"),
        ({"enter_thresholds": {"action 2": "high"}}, "of 'action 2' must satisfy"),
        ({"enter_thresholds": {"action 2": float("nan")}}, "of 'action 2' must satisfy"),
        ({"unknown_score": 1.1}, "unknown_score must be a number from 0.0 to 1.0"),
        ({"unknown_score": None}, "unknown_score must be"),
        ({"unknown_distance": -1}, "unknown_distance must be"),
        ({"unknown_distance": float("nan")}, "unknown_distance must be"),
        ({"unknown_distance": 2.0}, "unknown_distance needs feature_centers"),
        ({"feature_scale": 0}, "feature_scale must be"),
        ({"feature_centers": 7}, "feature_centers must be a list with one center"),
        ({"feature_centers": [[1.0, 2.0]]}, "one center for each of its 5 labels"),
        ({"feature_centers": [[1.0]] * 4 + [[1.0, 2.0]]}, "feature_centers must be lists of the same size"),
        ({"feature_centers": [[]] * 5}, "from 1 to 4096 numbers"),
        ({"feature_centers": [[0.0] * 4097] * 5}, "from 1 to 4096 numbers"),
        ({"feature_centers": [7] * 5}, "from 1 to 4096 numbers"),
        ({"feature_centers": [[float("inf")]] * 5}, "must hold numbers from -1e"),
        ({"feature_centers": [["a"]] * 5}, "must hold numbers from -1e"),
        ({"attention_range": [0.5]}, "attention_range must be two increasing numbers"),
        ({"attention_range": [0.5, 0.5]}, "attention_range must be"),
        ({"attention_range": [0, float("nan")]}, "attention_range must be"),
        ({"attention_range": "0..1"}, "attention_range must be"),
        ({"attention_range": [0, float("inf")]}, "attention_range must be two increasing numbers from 0 to 1e"),
        ({"attention_range": [0, 1e308]}, "attention_range must be"),
        ({"attention_range": [0, 10**400]}, "attention_range must be"),
        ({"attention_range": [-1, 1]}, "attention_range must be"),
        ({"attention_range": [0, 5e-324]}, "at least 1e-06 apart"),
        ({"attention_range": [0.5, 0.5000001]}, "at least 1e-06 apart"),
        ({"span_s": 10**400}, "span_s must be"),
        ({"feature_centers": [[10**400]] * 5}, "must hold numbers from -1e"),
    ],
)
def test_a_card_whose_values_contradict_the_contract_is_refused(changes: dict, complaint: str) -> None:
    with pytest.raises(ModelContractError, match=complaint):
        ModelCard.from_json(json.dumps({**good(), **changes}), file="m.onnx")


def test_what_two_people_do_together_survives_and_may_be_absent() -> None:
    wanted = card(config(), pair_labels=("action 1", "action 3"))
    assert ModelCard.from_json(wanted.to_json(), file="m.onnx") == wanted
    older = {key: value for key, value in good().items() if key != "pair_labels"}
    assert ModelCard.from_json(json.dumps(older), file="m.onnx").pair_labels == ()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pair_labels": ["hug"]}, "pair_labels must be a list of some of its labels"),
        ({"pair_labels": "action 1"}, "pair_labels must be a list of some of its labels"),
        ({"pair_labels": [["action 1"]]}, "pair_labels must be a list of some of its labels"),
        ({"pair_labels": ["action 1"], "persons": 1}, "must be empty for a model of one person"),
        ({"pair_labels": ["action 1"], "background": "action 1"}, "background must not be one of pair_labels"),
    ],
)
def test_labels_of_two_people_that_contradict_the_card_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ModelContractError, match=sentence):
        ModelCard.from_json(json.dumps({**good(), **changes}), file="m.onnx")
