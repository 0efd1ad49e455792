"""From files with published names to a report, by the commands alone: NTU RGB+D and UESTC with their recipes."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.ntu_tree import STANDING_M, gesture
from benchmarks.uestc_tree import as_matrix, as_text
from live.recognizer import Recognizer
from models.temperature import with_card
from skeleton.errors import ModelContractError
from skeleton.formats.table import open_recording
from tests.training import ntu_files
from tests.training.conftest import SMALL
from training import divisions
from training.__main__ import main
from training.cache import open_cache
from training.people import digest
from training.wrong_clips import original_file

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
FAST = (*SMALL, "batch_size=64", "learning_rate=0.01", "average_decay=0")
FRAMES = 14


def moving(action: int, person: int, *, view: int = 0) -> np.ndarray:
    """(F, 25, 3) meters: somebody who moves as the action is, at 3 m, turned by 45 degrees a view."""
    stroke = np.sin(np.linspace(0, np.pi, FRAMES))[:, None, None]
    noise = np.random.default_rng((action, person, view)).normal(0, 0.003, (FRAMES, 25, 3))
    joints = np.column_stack([STANDING_M, np.zeros(25)]) + stroke * 2 * gesture(action) + noise
    cosine, sine = np.cos(view * np.pi / 4), np.sin(view * np.pi / 4)
    return joints @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]]) + (0, 0, 3)


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command printed."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def trained(
    capsys: pytest.CaptureFixture[str], cache: Path, protocol: str, recipe: str, run: Path, *settings: str
) -> Path:
    config = RECIPES / f"{recipe}.toml"
    words = ("--data", cache, "--protocol", protocol, "--config", config, "--output", run)
    ran(capsys, "train", *words, "--set", *FAST, *settings)
    return run / "model.onnx"


def evaluated(capsys: pytest.CaptureFixture[str], models: Sequence[Path], cache: Path, protocol: str) -> dict:
    return json.loads(
        ran(capsys, "evaluate", "--model", *models, "--data", cache, "--protocol", protocol, "--quick", "--json")
    )


def test_ntu_files_become_a_report_on_two_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, cache, run = tmp_path / "skeletons", tmp_path / "cache", tmp_path / "run"
    source.mkdir()
    for action, person in product(range(1, 61), (1, 3)):  # of whom 1 trains and 3 tests
        bodies = {ntu_files.BIG: moving(action, person)}
        if action >= 50:
            bodies[ntu_files.BIG + 1] = moving(action, person) + (0.9, 0, 0)
        frames = [{identity: joints[frame] for identity, joints in bodies.items()} for frame in range(FRAMES)]
        (source / f"S001C002P{person:03}R001A{action:03}.skeleton").write_bytes(ntu_files.text(frames))

    assert "120 clips of 60 classes" in ran(capsys, "prepare", "ntu60", source, "--output", cache, "--workers", 1)
    assert "up to 2 people" in ran(capsys, "doctor", "--data", cache, "--protocol", "xsub")
    model = trained(capsys, cache, "xsub", "ntu", run, "epochs=6")
    card = Recognizer(model, provider="cpu").card
    assert (card.persons, card.frames, card.recipe["augment"]) == (2, 30, "paper")
    assert card.pair_labels == card.labels[49:], "the mutual actions are A50 to A60"

    result = evaluated(capsys, [model], cache, "xsub")
    assert result["samples"] == 60 and result["subjects"] == [3] and result["trained_on_tested"] == []
    assert result["top1"] > 10 / 60, "one in sixty is chance"
    for row in result["wrong"][:2]:
        shown = shlex.split(row["open"][-1])
        recording = open_recording(shown[shown.index("--recording") + 1])
        assert Path(row["original"]) == source / row["source"] and len(recording.frames) == FRAMES
    report = tmp_path / "report.html"
    assert f"top-1 {result['top1']:.4f}" in ran(capsys, "report", run, "--output", report)
    assert report.stat().st_size > 100_000


@pytest.fixture(scope="module")
def exercises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of UESTC: 40 exercises by two people from three views, in both forms of files."""
    folder = tmp_path_factory.mktemp("uestc")
    (folder / "source").mkdir()
    for action, person, (direction, camera) in product(range(40), (1, 3), ((1, 1), (1, 2), (2, 2))):
        joints = moving(100 + action, person, view=0 if camera == 1 else direction)
        number = f"{person:02}" if action < 10 else f"{person:03}"
        stem = folder / "source" / f"a{action}_d{direction}_p{number}_c{camera}_skeleton"
        if camera == 1:
            stem.with_suffix(".txt").write_bytes(as_text(joints))
        else:
            stem.with_suffix(".mat").write_bytes(as_matrix(joints))
    source, cache = folder / "source", folder / "cache"
    assert main(["prepare", "uestc", str(source), "--output", str(cache), "--workers", "1"]) == 0
    return cache


def write_as_of_the_other_direction(model: Path, output: Path) -> None:
    """A second training would take half a minute; who is asked about which clips follows from the card alone."""
    graph = onnx.load(model)
    card = {row.key: row.value.replace('"cv2-even"', '"cv2-odd"') for row in graph.metadata_props}
    onnx.helper.set_model_props(graph, card)
    onnx.save(graph, output)


def test_uestc_files_become_the_mean_of_both_directions(
    exercises: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(open_cache(exercises)) == 240
    assert "cv2-even" in ran(capsys, "doctor", "--data", exercises)
    even = trained(capsys, exercises, "cv2-even", "uestc", tmp_path / "even", "epochs=3")
    odd = tmp_path / "odd.onnx"
    write_as_of_the_other_direction(even, odd)
    both = evaluated(capsys, [odd, even], exercises, "cv2")  # in any order
    parts = both["divisions"]
    assert [part["protocol"] for part in parts] == ["cv2-even", "cv2-odd"] and both["samples"] == 80 + 160
    assert parts[0] == evaluated(capsys, [even], exercises, "cv2-even")
    assert parts[0]["top1"] > 0.15 and [part["model"] for part in parts] == ["model.onnx", "odd.onnx"]
    assert both["trained_on_tested"] == [] == parts[1]["trained_on_tested"]
    assert both["top1"] == pytest.approx((parts[0]["top1"] + parts[1]["top1"]) / 2, abs=1e-4)
    text = ran(capsys, "evaluate", "--model", even, odd, "--data", exercises, "--protocol", "cv2", "--quick")
    assert "mean over 2 divisions" in text and f"{both['top1']:.4f}" in text and "TRAINED" not in text

    file = tmp_path / "cv2.json"
    file.write_text(json.dumps(both))
    table = ran(capsys, "compare", file)
    assert f"**{100 * both['top1']:.1f}**" in table and "CV II: 1 seed, mean of 2 divisions" in table
    refused(capsys, "none was trained by cv2-odd", [even], exercises, "cv2")
    refused(capsys, "both trained by cv2-even", [even, even], exercises, "cv2")
    refused(capsys, "names cv2-even", [even, odd], exercises, "cv1")
    refused(capsys, "takes one model, found 2", [even, odd], exercises, "cv2-even")


def test_models_of_one_figure_are_made_alike(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [Path(f"{person}.onnx") for person in (1, 2, 3, 4)]
    chosen = [(f"loso-{number}", model) for number, model in enumerate(models, start=1)]
    monkeypatch.setattr(divisions, "_by_division", lambda *_: chosen)

    def made(model: Path, data: Path, division: str, **how: object) -> dict:
        numbers = dict.fromkeys(divisions.AVERAGED, 0.5) | {"samples": 15, "trained_on_tested": []}
        return numbers | {"network": "csta_cnn", "attention": "st", "seed": 7 if division == odd_one else 0}

    monkeypatch.setattr(divisions, "evaluate", made)
    odd_one = ""
    assert divisions.evaluate_divisions(models, synthetic, "loso")["samples"] == 60
    odd_one = "loso-3"
    with pytest.raises(ModelContractError, match=r"made alike, but the seed of 3\.onnx is 7 and that of 1\.onnx 0"):
        divisions.evaluate_divisions(models, synthetic, "loso")


def of_person(model: Path, output: Path, left_out: int, trained: dict[str, str]) -> Path:
    """The model as one that left out a person of a folder of one's own, where people have names."""
    card = Recognizer(model, provider="cpu").card
    trained_on = card.trained_on | {"protocol": f"loso-{left_out}", "subjects": [int(number) for number in trained]}
    trained_on["people"] = {number: digest(name) for number, name in trained.items()}
    output.write_bytes(with_card(model.read_bytes(), dataclasses.replace(card, trained_on=trained_on), file="x"))
    return output


@pytest.fixture
def named(synthetic: Path, tmp_path: Path) -> Path:
    """The three movements, by two people who have names."""
    path = tmp_path / "named"
    shutil.copytree(synthetic, path)
    clips = np.load(path / "clips.npy")
    clips["subject"] = 1 + clips["subject"] % 2
    np.save(path / "clips.npy", clips)
    facts = json.loads((path / "cache.json").read_text())
    (path / "cache.json").write_text(json.dumps(facts | {"people": {"1": "anna", "2": "ben"}}))
    return path


def test_the_mean_over_divisions_names_who_trained_and_is_tested(
    named: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = {"1": "anna", "2": "ben"}
    one = of_person(model, tmp_path / "one.onnx", 1, {"2": "ben"})
    two = of_person(model, tmp_path / "two.onnx", 2, both)  # who test has trained it
    result = evaluated(capsys, [one, two], named, "loso")
    assert result["trained_on_tested"] == [2]
    assert [part["trained_on_tested"] for part in result["divisions"]] == [[], [2]]
    text = ran(capsys, "evaluate", "--model", one, two, "--data", named, "--protocol", "loso", "--quick")
    head, first, second, warning = text.splitlines()
    assert "mean" in head and "loso-1" in first and "loso-2" in second
    assert warning.strip() == "the model was TRAINED on people who test here: [2]"


def test_the_division_of_a_model_is_the_person_it_left_out_whatever_the_number_was(
    named: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = of_person(model, tmp_path / "without-ben.onnx", 1, {"2": "anna"})  # where ben was person 1
    two = of_person(model, tmp_path / "without-anna.onnx", 2, {"1": "Ben"})
    parts = evaluated(capsys, [one, two], named, "loso")["divisions"]
    assert [(part["protocol"], part["model"]) for part in parts] == [
        ("loso-1", "without-anna.onnx"),
        ("loso-2", "without-ben.onnx"),
    ]
    assert all(part["trained_on_tested"] == [] for part in parts)


def refused(
    capsys: pytest.CaptureFixture[str], sentence: str, models: Sequence[Path], cache: Path, protocol: str
) -> None:
    words = ["--model", *models, "--data", cache, "--protocol", protocol, "--quick"]
    assert main(["evaluate", *(str(word) for word in words)]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and sentence in captured.err and captured.err.count("\n") == 1


def test_a_file_that_the_app_does_not_read_is_no_original(exercises: Path) -> None:
    cache = open_cache(exercises)
    assert (cache.source / cache.name(0)).is_file() and original_file(cache, 0) is None


def test_a_part_of_a_recording_names_the_whole_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    walk = ntu_files.text(ntu_files.walk(90))
    for person in ("anna", "ben"):
        (tmp_path / "mine" / f"{person}.skeleton").write_bytes(walk)
    lines = [f"{person}.skeleton,{label},{person},{start},{start + 1}" for person in ("anna", "ben") for start, label in enumerate(("walk", "run"))]  # fmt: skip # noqa: E501
    (tmp_path / "mine" / "labels.csv").write_text("\n".join(["file,label,subject,start,end", *lines]))
    assert (
        main(["prepare", "folder", str(tmp_path / "mine"), "--output", str(tmp_path / "cache"), "--workers", "1"])
        == 0
    )
    cache = open_cache(tmp_path / "cache")
    assert cache.name(0) == "anna.skeleton[0..1]"
    assert original_file(cache, 0) == tmp_path / "mine" / "anna.skeleton"
    (tmp_path / "mine" / "anna.skeleton").unlink()
    assert original_file(cache, 0) is None
