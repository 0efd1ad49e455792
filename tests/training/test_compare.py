"""Published figures are those of the paper, ours stand beside them, and what was not run says so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from skeleton.errors import TrainingDataError
from training import published
from training.__main__ import main
from training.compare import compare
from training.datasets.table import DATASETS
from training.protocols import FOLDED, PROTOCOLS


def written(folder: Path, **changes: object) -> Path:
    values = {
        "dataset": "ntu60",
        "protocol": "xsub",
        "network": "csta_cnn",
        "attention": "st",
        "seed": 0,
        "top1": 0.84,
    } | changes
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(values))
    return file


def row(text: str, *parts: str) -> str:
    found = [line for line in text.splitlines() if all(part in line for part in parts)]
    assert len(found) == 1, f"{parts}: {found}"
    return found[0]


def test_the_published_figures_are_those_printed_in_the_paper(real_data: Path) -> None:
    paper = real_data.parent / "reference" / "csta-cnn-paper.txt"
    if not paper.is_file():
        pytest.skip("the paper's text is not here")
    columns = {"1": ("cs", "cv2"), "2": ("xsub", "xview"), "3": ("cs", "cv2", "xsub", "xview")}
    text = paper.read_text(encoding="utf-8")
    for number, protocols in columns.items():
        # A row is a name and as many percentages as the table has columns, between tabs.
        section = text[text.index(f"Table {number}.") :]
        printed = []
        for line in section.splitlines()[2:20]:
            shares = [float(share) for share in re.findall(r"(\d+\.\d)%", line)]
            if len(shares) == len(protocols):
                printed.append(shares)
            elif printed:
                break
        methods = dict.fromkeys(item.method for item in published.rows(table=number))
        ours = [[published_top1(number, protocol, method) for protocol in protocols] for method in methods]
        assert ours == printed, f"table {number}"


def published_top1(table: str, protocol: str, method: str) -> float:
    (found,) = (item for item in published.rows(table=table, protocol=protocol) if item.method == method)
    return found.top1


def test_every_published_figure_names_a_set_and_a_protocol_of_ours_and_its_source() -> None:
    for item in published.rows():
        assert item.dataset in DATASETS and item.protocol in {*PROTOCOLS, *FOLDED}
        assert item.source and 0 < item.top1 < 100


def test_what_was_not_run_says_so_with_the_command_that_fills_it() -> None:
    text = compare([])
    assert text.count("not run: data under license") == 4  # two columns of two tables
    for dataset, protocol in (("ntu60", "xsub"), ("ntu60", "xview"), ("uestc", "cs"), ("uestc", "cv2")):
        assert f"training ablate --data caches/{dataset} --protocol {protocol}" in text
    assert "| 84.9 | 89.9 |" in row(text, "CSTA-CNN (paper)", "table 2")
    assert "| 87.5 |" in row(text, "SGN")


def test_seeds_become_mean_and_deviation_beside_the_paper(tmp_path: Path) -> None:
    files = [written(tmp_path, seed=seed, top1=top1) for seed, top1 in ((0, 0.84), (1, 0.85), (2, 0.86))]
    files += [written(tmp_path, seed=seed, top1=0.83, attention="none") for seed in (0, 1)]
    text = compare(files)
    assert "**85.0 ± 1.0**" in row(text, "**CSTA-CNN (ours)**", "3 seeds")
    assert "**83.0 ± 0.0**" in row(text, "no attention (ours)")
    assert "--protocol xsub" not in text and "--data caches/ntu60 --protocol xview" in text


def test_results_of_two_data_sets_of_one_name_are_no_one_figure(tmp_path: Path) -> None:
    own = {"dataset": "folder", "protocol": "odd-even"}
    files = [written(tmp_path, **own, seed=seed, content=content) for seed, content in ((0, "a"), (1, "b"), (2, "a"))]
    assert "2 seeds" in compare([files[0], files[2], written(tmp_path, dataset="folder", content="b")])
    with pytest.raises(TrainingDataError, match=r"but .*0\.json and .*1\.json are of others \(folder odd-even"):
        compare(files)
    older = written(tmp_path, **own, seed=3)  # which does not say
    assert "2 seeds" in compare([files[0], older])


def test_a_protocol_of_several_divisions_needs_all_of_them(tmp_path: Path) -> None:
    common = {"dataset": "uestc", "top1": 0.8}
    even = written(tmp_path, protocol="cv2-even", **common)
    assert "--protocol cv2 " in compare([even])
    odd = written(tmp_path, protocol="cv2-odd", **common | {"top1": 0.7})
    both = compare([even, odd])
    assert "**75.0**" in both and "mean of 2 divisions" in both and "--protocol cv2 " not in both


def test_leaving_one_out_is_the_mean_over_people(tmp_path: Path) -> None:
    people = {1: 0.9, 2: 1.0, 3: 0.8}
    common = {"dataset": "machete", "divisions_in_all": 3}
    files = [written(tmp_path, protocol=f"loso-{n}", top1=top1, **common) for n, top1 in people.items()]
    assert "**90.0**" in row(compare(files), "Machete", "leave one out") and "mean of 3 divisions" in compare(files)
    fewer = compare([*files, written(tmp_path, protocol="loso-1", seed=1, **common)])
    assert "1 seed, mean of 3 divisions; 1 seed with fewer divisions left out" in row(fewer, "Machete", "**90.0**")


@pytest.mark.parametrize(
    ("known", "text"), [({"divisions_in_all": 10}, "incomplete: 2 of 10 divisions"), ({}, "2 of ? divisions")]
)
def test_some_people_are_not_the_figure_of_all(tmp_path: Path, known: dict, text: str) -> None:
    files = [written(tmp_path, dataset="machete", protocol=f"loso-{n}", top1=0.5, **known) for n in (3, 4)]
    page = compare(files)
    assert text in row(page, "Machete", "leave one out") and "50.0" not in page
    assert "--data caches/machete --protocol loso" in page


@pytest.mark.parametrize(("protocol", "divisions"), [("cv2", ["cv2-even", "cv2-odd"]), ("cv1", ["cv1-0", "cv1-1"])])
def test_a_table_of_ablate_is_the_mean_of_its_divisions(tmp_path: Path, protocol: str, divisions: list[str]) -> None:
    file = tmp_path / "attention.json"
    counts = {division: published.TESTED["uestc"][division] for division in divisions}
    row_of = {"name": "st", "title": "both", "metrics": {"top1": {"by_seed": {"0": 0.8, "1": 0.7}}}}
    facts = {"table": "attention", "dataset": "uestc", "protocol": protocol, "divisions": divisions}
    file.write_text(json.dumps(facts | {"recipe": {"network": "csta_cnn"}, "rows": [row_of]}))
    page = compare([file])
    assert "**75.0 ± 7.1**" in page and "2 seeds, mean of 2 divisions; number of clips tested not said" in page
    file.write_text(json.dumps(facts | {"recipe": {"network": "csta_cnn"}, "rows": [row_of]} | {"samples": counts}))
    assert "mean of 2 divisions |" in row(compare([file]), "**75.0 ± 7.1**")
    assert f"--data caches/uestc --protocol {protocol} " not in page
    (tmp_path / "one").mkdir()
    again = written(tmp_path / "one", dataset="uestc", protocol=divisions[0], seed=1)
    with pytest.raises(TrainingDataError, match="another result of seed 1"):
        compare([file, again])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"protocol": "loso"}, id="a figure of people left out"),
        pytest.param({"protocol": "xview"}, id="another protocol"),
        pytest.param({"protocol": "loso", "divisions": ["loso-01"]}, id="a division spelled otherwise"),
        pytest.param({"protocol": "loso", "divisions": ["loso-1", "loso-1"]}, id="a division twice"),
        pytest.param({"divisions": []}, id="no division"),
        pytest.param({"divisions": "odd-even"}, id="a text"),
        pytest.param({"rows": [{"name": "best", "title": "ours", "metrics": {"top1": {"by_seed": {"0": 0.8}}}}]}),
    ],
)
def test_a_table_of_ablate_that_contradicts_itself_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "attention.json"
    facts = {"table": "attention", "dataset": "sign30", "protocol": "odd-even", "divisions": ["odd-even"]}
    facts |= {"recipe": {"network": "csta_cnn"}}
    facts |= {"rows": [{"name": "st", "title": "both", "metrics": {"top1": {"by_seed": {"0": 0.8}}}}]}
    file.write_text(json.dumps(facts))
    assert "**80.0**" in compare([file])
    file.write_text(json.dumps(facts | change))
    with pytest.raises(TrainingDataError, match="must hold what"):
        compare([file])


@pytest.mark.parametrize(
    ("dataset", "protocol", "samples", "said"),
    [
        pytest.param("ntu60", "xsub", 16_487, "1 seed |", id="all of them"),
        pytest.param("ntu60", "xsub", 120, "1 seed; tested on 120 clips, published 16,487 |", id="a few of them"),
        pytest.param("ntu120", "xset", 7, "tested on 7 clips, published 59,477", id="not in the paper"),
        pytest.param("ntu60", "xview", None, "number of clips tested not said", id="an older result"),
        pytest.param("machete", "odd-even", 7, "1 seed |", id="no published number"),
    ],
)
def test_a_row_says_where_other_clips_were_tested_than_published(
    dataset: str, protocol: str, samples: int | None, said: str, tmp_path: Path
) -> None:
    known = {} if samples is None else {"samples": samples}
    assert said in row(compare([written(tmp_path, dataset=dataset, protocol=protocol, **known)]), "**84.0**")


def test_the_clips_of_a_mean_over_divisions_are_those_of_all(tmp_path: Path) -> None:
    common = {"dataset": "uestc", "top1": 0.8}
    even = written(tmp_path, protocol="cv2-even", samples=6_400, **common)
    assert ", published" not in compare([even, written(tmp_path, protocol="cv2-odd", samples=16_000, **common)])
    fewer = compare([even, written(tmp_path, protocol="cv2-odd", samples=15_999, **common)])
    assert "tested on 22,399 clips, published 22,400" in fewer


def test_a_result_on_people_who_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"new people.*0\.json was trained on people who test"):
        compare([written(tmp_path, trained_on_tested=[3])])
    part = {"dataset": "uestc", "protocol": "cv2-even", "network": "csta_cnn", "top1": 0.9, "trained_on_tested": [1]}
    with pytest.raises(TrainingDataError, match="trained on people who test"):
        compare([written(tmp_path, dataset="uestc", protocol="cv2", divisions=[part])])
    assert "**84.0**" in compare([written(tmp_path, trained_on_tested=[], samples=16_487)])


def test_a_run_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="another result of seed 0"):
        compare([written(tmp_path), written(tmp_path, top1=0.9)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        '{"rows": 3}',
        '{"dataset": "a"}',
        '{"rows": [{}], "dataset": "a", "protocol": "b"}',
        "[" * 10_000,
    ],
)
def test_a_file_that_is_no_result_is_one_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "result.json"
    file.write_text(text)
    assert main(["compare", str(file)]) == 1
    err = capsys.readouterr().err
    assert "result.json must hold what" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    "change",
    [{"seed": value} for value in (float("inf"), 1.5, True, -1)]
    + [{"attention": "x"}, {"dataset": None}, {"protocol": 3}, {"network": ["csta_cnn"]}],
    ids=str,
)
def test_a_hand_made_result_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="must hold what"):
        compare([written(tmp_path, **change)])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_a_shell_of_windows_writes_is_read(encoding: str, tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_text(file.read_text(), encoding=encoding)
    assert "84.0" in compare([file])


@pytest.mark.parametrize("top1", [7, -0.1, "0.9", None, True, float("nan")])
def test_a_share_that_is_none_is_refused(top1: object, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="must hold what"):
        compare([written(tmp_path, top1=top1)])


def test_names_cannot_break_the_table(tmp_path: Path) -> None:
    text = compare([written(tmp_path, dataset="a|b\n# c", network="x|y")])
    line = row(text, "a/b # c")
    assert line.count("|") == 6
