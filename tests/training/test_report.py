"""A report is one file that opens anywhere: nothing from a network, nothing that runs, every name as it stands."""

from __future__ import annotations

import base64
import html
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from skeleton.errors import ModelContractError, TrainingDataError
from training import figures, report
from training.__main__ import main
from training.evaluate import WHOLE_ONLY, evaluate
from training.journal import COLUMNS
from training.report_page import Content, page

HOSTILE = ("<script>alert(1)</script>", "$\\frac{1}{0}$ & \"quotes\" 'too'", "</style><b>深蹲</b>")
NAMES = ",".join(COLUMNS)
VOID = {"meta", "img", "br"}


class _Reader(HTMLParser):
    """Collects tags, attributes and texts, and insists that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def result(model: Path, synthetic: Path) -> dict:
    return evaluate(model, synthetic, "odd-even", shares=(0.5, 1.0))


@pytest.fixture(scope="module")
def twin(weak_model: Path, synthetic: Path) -> dict:
    return evaluate(weak_model, synthetic, "odd-even", shares=(0.5, 1.0))


def renamed(result: dict, names: tuple[str, ...]) -> dict:
    """The same result of classes with other names."""
    new = dict(zip(result["per_class"], names))
    mistakes = [row | {"truth": new[row["truth"]], "answer": new[row["answer"]]} for row in result["wrong"]]
    return result | {
        "name": names[0],
        "per_class": {new[label]: row for label, row in result["per_class"].items()},
        "wrong": [row | {"source": names[0], "open": list(names)} for row in mistakes],
        "confusions": [row | {"truth": names[0], "answer": names[1]} for row in result["confusions"]],
    }


def pictures(read: _Reader) -> list[str]:
    """The figures of a page, as the SVG texts they are."""
    start = "data:image/svg+xml;base64,"
    sources = [value for name, value in read.values if name == "src"]
    assert all(source.startswith(("data:image/png;base64,", start)) for source in sources)
    drawn = [source.removeprefix(start) for source in sources if source.startswith(start)]
    return [base64.b64decode(source).decode("utf-8") for source in drawn]


def test_a_report_needs_nothing_beside_it_and_nothing_in_it_runs(result: dict, twin: dict) -> None:
    text = page(Content(result, twin, [{"epoch": 1.0, "train_loss": 1.0, "train_top1": 0.5}]))
    read = _Reader(text)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(read.tags)
    assert not [name for name, _ in read.values if name.startswith("on") or name in ("href", "srcset", "action")]
    assert "@import" not in text and "url(" not in text
    assert len(pictures(read)) == 5  # two confusion matrices, reliability, observed frames, learning curve
    assert any("default-src 'none'" in value for _, value in read.values)
    assert len(text) < 2_000_000


def test_whoever_was_trained_on_people_who_test_is_named(result: dict, twin: dict) -> None:
    text = _Reader(page(Content(result, twin | {"trained_on_tested": [2, 4]}))).text
    assert "The numbers beside them do not say how well new people are recognized." in text and "2, 4" in text
    assert "These numbers do not say" not in text
    assert "These numbers do not say" in _Reader(page(Content(result | {"trained_on_tested": [2]}))).text


def test_names_of_strangers_are_shown_as_they_stand(twin: dict) -> None:
    hostile = renamed(twin, HOSTILE)
    read = _Reader(
        page(Content(hostile, hostile, made={HOSTILE[0]: {HOSTILE[1]: HOSTILE[2]}}, recipe={"a": HOSTILE[0]}))
    )
    assert "script" not in read.tags and "b" not in read.tags
    assert all(name in read.text for name in HOSTILE)
    drawn = pictures(read)[0]
    assert "<script" not in drawn and ElementTree.fromstring(drawn) is not None
    assert all(html.escape(name, quote=False)[:20] in drawn for name in HOSTILE[:2])


def test_the_numbers_of_the_page_are_those_of_the_result(result: dict, twin: dict) -> None:
    read = _Reader(page(Content(result, twin)))
    assert f"{100 * result['top1']:.1f} %" in read.text and f"{100 * twin['top1']:.1f} %" in read.text
    assert f"{100 * (result['top1'] - twin['top1']):+.1f}" in read.text
    assert "without attention" in read.text and "difference" in read.text
    assert "top-5" not in read.text  # of three classes it is always right
    for row in result["wrong"]:
        assert row["open"][0] in read.text


def test_a_model_tested_on_its_own_people_is_marked(model: Path, synthetic: Path, result: dict) -> None:
    own = evaluate(model, synthetic, "loso-3", shares=WHOLE_ONLY)
    assert "do not say how well new people are recognized" in _Reader(page(Content(own))).text
    assert "do not say how well" not in _Reader(page(Content(result))).text


@pytest.mark.parametrize("classes", [2, 12, 60, 120])
def test_a_confusion_matrix_is_drawn_at_every_size(classes: int) -> None:
    matrix = np.arange(classes * classes).reshape(classes, classes)
    drawn = figures.confusion(matrix, [f"class number {number}" for number in range(classes)])
    names = {text.strip() for text in ElementTree.fromstring(drawn).itertext() if text.strip()}
    assert ("class number 1  2" in names) == (classes <= figures.MOST_NAMED_CLASSES)
    assert (str(matrix[-1, -1]) in names) == (classes <= figures.MOST_COUNTED_CLASSES)
    assert len(drawn) < 400_000


def test_the_same_result_is_drawn_by_the_same_bytes(result: dict) -> None:
    assert figures.reliability([("a", result)]) == figures.reliability([("a", result)])


def test_drawing_leaves_matplotlib_as_it_was(result: dict) -> None:
    before = dict(matplotlib.rcParams)
    figures.observed([("a", result)])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
def test_the_command_reports_on_a_run_and_its_twin(
    model: Path, weak_model: Path, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.html"
    assert main(["report", str(model.parent), "--twin", str(weak_model), "--output", str(output)]) == 0
    assert "30 clips" in capsys.readouterr().out
    read = _Reader(output.read_text(encoding="utf-8"))
    assert len(pictures(read)) == 5
    assert "What it looked at" in read.text and sum("image/png" in value for _, value in read.values) == 1
    run_facts = ("python -m training report", "SHA-256", "matplotlib", "learning_rate", str(synthetic), "seed")
    assert all(text in read.text for text in run_facts)
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param("report {model} --output a.html", "Name it: --data CACHE", id="a model without data"),
        pytest.param("report {model} --data {data} --protocol x --output a.html", "no protocol 'x'", id="protocol"),
        pytest.param("report none.onnx --data {data} --output a.html", "none.onnx", id="no model"),
        pytest.param("report runs/0 --output a.html", "there is no 'runs/0'", id="no run"),
        pytest.param("report {data} --output a.html", "no run.json", id="a folder that is no run"),
        pytest.param("report {model} --data {data} --output no/a.html", "must lie in a folder", id="no folder"),
        pytest.param(
            "report {model} --data {data} --twin {data} --output a.html", "no run.json", id="twin is no run"
        ),
    ],
)
def test_what_cannot_be_reported_is_one_sentence_and_leaves_nothing(
    model: Path,
    synthetic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments.format(model=model, data=synthetic).split()) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert sentence in captured.err and not list(tmp_path.iterdir())


def test_a_twin_that_was_taught_other_labels_is_refused(
    model: Path, result: dict, synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([result, result | {"left_out": {"labels": ["squat"], "clips": 10}}])
    monkeypatch.setattr(report, "evaluate", lambda *args, **kwargs: next(answers))
    with pytest.raises(ModelContractError, match="must have been taught the same labels"):
        report.write(model, tmp_path / "a.html", data=synthetic, protocol="odd-even", twin=model)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "epoch\nten\n",
        "step,loss\n1,2\n",
        "epoch,loss\n1,2,3\n",
        "epoch\ninf\n",
        "epoch\n1\n",
        f"{NAMES}\n2{',0' * 7}\n",
        f"{NAMES}\n1,1.7e308{',0' * 6}\n",
    ],
)
def test_a_damaged_learning_curve_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(text)
    with pytest.raises(TrainingDataError, match=r"results\.csv must hold numbers under .*train --resume"):
        report.history(tmp_path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loss", [-float(np.finfo(np.float32).max), float(np.finfo(np.float32).max), math.inf])
def test_a_loss_as_large_as_it_can_be_is_drawn(loss: float, tmp_path: Path) -> None:
    values = dict.fromkeys(COLUMNS, 0.0)
    lines = [values | {"epoch": 1, "train_loss": 1.0}, values | {"epoch": 2, "train_loss": loss}]
    (tmp_path / "results.csv").write_text(
        "\n".join([NAMES, *(",".join(str(line[name]) for name in COLUMNS) for line in lines)])
    )
    assert ElementTree.fromstring(figures.learning_curve(report.history(tmp_path))) is not None


def test_a_learning_curve_that_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results.csv").mkdir()
    with pytest.raises(TrainingDataError, match=r"results\.csv must hold numbers under"):
        report.history(tmp_path)


@pytest.mark.parametrize("row", [{"epoch": 1.0}, {"epoch": 1.0, "train_loss": 1.0}, {"epoch": 1.0, "val_top1": 1.0}])
def test_a_learning_curve_of_what_is_known_is_drawn_without_a_warning(row: dict[str, float]) -> None:
    assert ElementTree.fromstring(figures.learning_curve([row])) is not None


def test_a_run_without_an_epoch_has_no_curve(tmp_path: Path) -> None:
    assert report.history(tmp_path) == []


def test_every_command_in_a_page_is_whole(twin: dict) -> None:
    text = page(Content(twin))
    blocks = [html.unescape(block) for block in re.findall(r"<pre>(.*?)</pre>", text, flags=re.S)]
    assert blocks[: len(twin["wrong"])] == ["\n".join(row["open"]) for row in twin["wrong"]]
