"""The same name is the same person, in whichever folder; a model file tells nobody's name."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from live.recognizer import Recognizer
from models.card import METADATA_KEY
from skeleton.errors import TrainingDataError
from tests.training.conftest import SMALL
from training import config, train
from training.cache import Cache, open_cache
from training.people import digest, may_train, of_card
from training.run import MODEL

NAMES = {"1": "Anna Ölund", "2": "ben", "3": "cleo", "4": "dora"}


@pytest.fixture
def named(synthetic: Path, tmp_path: Path) -> Path:
    """The three movements, by people who have names."""
    path = tmp_path / "named"
    shutil.copytree(synthetic, path)
    facts = json.loads((path / "cache.json").read_text())
    (path / "cache.json").write_text(json.dumps(facts | {"people": NAMES}))
    return path


def test_a_name_is_known_again_however_it_is_written_and_cannot_be_read() -> None:
    assert digest("Anna Ölund") == digest(" anna_ÖLUND") != digest("anna lund")
    assert digest("anna").isalnum() and "anna" not in digest("anna")
    assert digest("7") == digest("007") == digest("٧") != digest("70") and digest("0") == digest("00") != digest("")
    assert digest("anna 7") != digest("anna 07"), "only a number alone is one however it begins"


def test_a_number_with_zeros_before_it_is_nobody_else(cache: Cache) -> None:
    """Person 2 tests; in the other cache she is written as 02, and must not train there."""
    source = dataclasses.replace(cache, people={1: "01", 2: "02", 3: "03", 4: "9"})
    known = dataclasses.replace(cache, people={1: "1", 2: "2", 3: "3", 4: "4"})
    trained = np.flatnonzero(np.isin(cache.clips["subject"], (1, 3)))
    allowed = may_train(source, known, trained)
    assert set(cache.clips["subject"][allowed].tolist()) == {1, 3, 4}
    assert of_card(
        {"dataset": cache.dataset, "subjects": [2], "people": {"2": digest("002")}}, "subjects", source
    ) == {2}


def test_a_card_carries_digests_of_who_trained_and_validated_alone(named: Path, tmp_path: Path) -> None:
    settings = config.load(assignments=[*SMALL, "epochs=1"])
    run = train.train(data=named, protocol="odd-even", output=tmp_path / "run", settings=settings, seed=0)
    assert run.facts["people"] == {number: digest(name) for number, name in NAMES.items()}
    card = Recognizer(run.path / MODEL, provider="cpu").card
    assert card.trained_on["people"] == {number: digest(NAMES[number]) for number in ("1", "3")}
    content = (run.path / MODEL).read_bytes()
    assert METADATA_KEY.encode() in content and not any(name.encode() in content for name in NAMES.values())


@pytest.mark.parametrize("people", [[], {"one": "anna"}, {"1": 2}, "anna"])
def test_people_that_are_no_names_by_numbers_are_damage(named: Path, people: object) -> None:
    facts = json.loads((named / "cache.json").read_text())
    (named / "cache.json").write_text(json.dumps(facts | {"people": people}))
    with pytest.raises(TrainingDataError, match="not names by numbers"):
        open_cache(named)
