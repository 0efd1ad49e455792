"""Model files: they answer like the network, or they are not there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.card import INPUTS, OUTPUTS, ModelCard
from models.csta_cnn import CstaCnn
from models.export import FEWEST_WINDOWS, TOLERANCE, CheckWindows, ExportReport, export, place
from skeleton.errors import ModelContractError
from tests.conftest import REPOSITORY
from tests.models.synthetic import card, config, network, real_windows, windows

SHAPE = config()


def check_windows(count: int = FEWEST_WINDOWS) -> CheckWindows:
    joints, seen = windows(count, SHAPE, seed=3)
    seen[::4, 1] = 0  # every fourth window holds one person
    seen[:, :, 8:15, 5] = 0
    return CheckWindows(joints.numpy(), seen.numpy() > 0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[CstaCnn, ModelCard, ExportReport]:
    """One export for all tests that only look: it takes seconds."""
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    said = card(SHAPE, temperature=1.7, trained_on={"data": "synthetic", "clips": 3})
    path = tmp_path_factory.mktemp("export") / "new folder" / "tiny.onnx"
    report = export(model, said, path, check_windows())
    assert model.training, "exporting must leave the network as it was"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return model.eval(), said, report


def answers(path: Path, joints: np.ndarray, seen: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    values = session.run(list(OUTPUTS.values()), {INPUTS["joints"]: joints, INPUTS["seen"]: seen})
    return dict(zip(OUTPUTS, values))


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_the_file_answers_like_the_network_at_every_batch_size(exported, batch: int) -> None:
    model, said, report = exported
    joints, seen = windows(batch, SHAPE, seed=batch)
    seen[0, 1], seen[-1, 0] = 0, 0
    joints[seen == 0] = torch.nan
    found = answers(report.path, joints.numpy(), seen.numpy())
    with torch.no_grad():
        output = model(joints, seen)
    expected = output._asdict()
    expected["probabilities"] = torch.softmax(expected.pop("logits") / said.temperature, dim=1)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=TOLERANCE, err_msg=name)


def test_the_file_answers_like_the_network_on_real_people(exported, real_data: Path, tmp_path: Path) -> None:
    model, said, report = exported
    real = CheckWindows(*real_windows(real_data / "labanotation", SHAPE))
    placed = place(report.path.read_bytes(), model, said, tmp_path / "model.onnx", real)
    assert placed.windows >= 3 * FEWEST_WINDOWS
    assert max(placed.differences.values()) <= TOLERANCE


def test_nobody_there_gives_probabilities_all_the_same(exported) -> None:
    joints, seen = windows(2, SHAPE)
    found = answers(exported[2].path, np.full_like(joints.numpy(), np.nan), np.zeros_like(seen.numpy()))
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, rtol=1e-5)
    assert not found["joint_attention"].any()


def test_the_card_is_in_the_file(exported) -> None:
    _, said, report = exported
    metadata = {item.key: item.value for item in onnx.load(report.path).metadata_props}
    assert ModelCard.from_metadata(metadata, file="tiny.onnx") == said


def test_the_report_says_what_was_compared(exported) -> None:
    model, _, report = exported
    assert report.size_bytes == report.path.stat().st_size
    assert report.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert report.windows == 3 * FEWEST_WINDOWS
    assert set(report.differences) == set(OUTPUTS)
    assert 0 < max(report.differences.values()) <= TOLERANCE
    assert "96 windows" in str(report)


def test_the_file_is_alone_and_names_no_path_of_the_machine_that_made_it(exported) -> None:
    path = exported[2].path
    assert list(path.parent.iterdir()) == [path]
    data = path.read_bytes()
    assert b"csta_cnn.py" not in data
    assert str(REPOSITORY).encode() not in data


def test_batch_normalization_is_part_of_the_convolutions(exported) -> None:
    operators = {node.op_type for node in onnx.load(exported[2].path).graph.node}
    assert "Conv" in operators
    assert "BatchNormalization" not in operators


class Constant(CstaCnn):
    """A network that the exporter sees otherwise than torch: the window is the same one, always."""

    def forward(self, joints, seen):
        if torch.compiler.is_exporting():
            joints = torch.zeros_like(joints)
        return super().forward(joints, seen)


def test_a_network_traced_to_a_constant_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    model = Constant(SHAPE).eval()
    model.load_state_dict(network().state_dict())
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model of yesterday")
    with pytest.raises(ModelContractError, match="differ by"):
        export(model, card(SHAPE), path, check_windows())
    assert path.read_bytes() == b"the model of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def feed(model: onnx.ModelProto, name: str, operator: str, value: float) -> None:
    """Lets every node read ``name`` through one more operation with a constant."""
    for node in model.graph.node:
        node.input[:] = [f"changed {name}" if item == name else item for item in node.input]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(value), f"by {name}"))
    node = onnx.helper.make_node(operator, [name, f"by {name}"], [f"changed {name}"])
    model.graph.node.insert(0, node)


def forget_the_mask(model: onnx.ModelProto) -> None:
    feed(model, "seen", "Add", 1.0)


def look_elsewhere(model: onnx.ModelProto) -> None:
    feed(model, "joints", "Mul", 0.0)


def be_slightly_off(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.output[:] = ["exact" if item == "frame_attention" else item for item in node.output]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(2 * TOLERANCE), "error"))
    model.graph.node.append(onnx.helper.make_node("Add", ["exact", "error"], ["frame_attention"]))


def exchange_two_outputs(model: onnx.ModelProto) -> None:
    first, second = model.graph.output[1], model.graph.output[2]
    first.name, second.name = second.name, first.name


def take_one_window_only(model: onnx.ModelProto) -> None:
    for item in model.graph.input:
        item.type.tensor_type.shape.dim[0].dim_value = 1


def lose_the_card(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def carry_another_card(model: onnx.ModelProto) -> None:
    model.metadata_props[0].value = model.metadata_props[0].value.replace("tiny", "huge")


def use_an_unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Guess"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (forget_the_mask, "differ by"),
        (look_elsewhere, "differ by"),
        (be_slightly_off, "frame_attention differ by 0.0002"),
        (exchange_two_outputs, "graph has inputs"),
        (take_one_window_only, "batches of one size only"),
        (lose_the_card, "must hold a model card"),
        (carry_another_card, "not the card that was given"),
        (use_an_unknown_operator, "ONNX Runtime refuses"),
    ],
)
def test_a_wrong_graph_is_refused_and_leaves_no_file(exported, tmp_path: Path, damage, complaint: str) -> None:
    model, said, report = exported
    graph = onnx.load(report.path)
    damage(graph)
    with pytest.raises(ModelContractError, match=complaint):
        place(graph.SerializeToString(), model, said, tmp_path / "model.onnx", check_windows())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "complaint"),
    [(b"", "ONNX Runtime refuses"), (b"not a graph", "ONNX Runtime refuses"), (bytes(11_000_000), "below 10 MB")],
    ids=["empty", "text", "large"],
)
def test_bytes_that_are_no_model_file_are_refused(exported, tmp_path: Path, data: bytes, complaint: str) -> None:
    with pytest.raises(ModelContractError, match=complaint):
        place(data, *exported[:2], tmp_path / "model.onnx", check_windows())
    assert not list(tmp_path.iterdir())


def test_a_network_that_does_not_look_at_its_windows_is_refused(exported, tmp_path: Path) -> None:
    _, said, report = exported
    same = check_windows()
    same = CheckWindows(np.repeat(same.joints[1:2], len(same.joints), axis=0), np.ones_like(same.seen))
    with pytest.raises(ModelContractError, match="same answer to every window"):
        place(report.path.read_bytes(), exported[0], said, tmp_path / "model.onnx", same)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": ("a", "b", "c")}, "classes 3, but the network has 5"),
        ({"joints": SHAPE.joints[::-1]}, "card says joints"),
        ({"frames": 19}, "frames 19, but the network has 30"),
        ({"persons": 1}, "persons 1, but the network has 2"),
        ({"temperature": 0.0}, "temperature must be"),
    ],
)
def test_a_card_of_another_network_is_refused(tmp_path: Path, changes: dict, complaint: str) -> None:
    with pytest.raises(ModelContractError, match=complaint):
        export(network(), card(SHAPE, **changes), tmp_path / "model.onnx", check_windows())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda w: CheckWindows(w.joints[:31], w.seen[:31]), "at least 32 windows, found 31"),
        (lambda w: CheckWindows(w.joints[:, :1], w.seen[:, :1]), "must be"),
        (lambda w: CheckWindows(w.joints, w.seen[:, :, :, :3]), "must be"),
    ],
)
def test_windows_that_cannot_check_the_network_are_refused(tmp_path: Path, spoil, complaint: str) -> None:
    with pytest.raises(ModelContractError, match=complaint):
        export(network(), card(SHAPE), tmp_path / "model.onnx", spoil(check_windows()))


def test_the_example_of_the_documentation_runs_without_our_code(exported, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "model-file.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1)
    command = [sys.executable, "-I", "-c", example, str(exported[2].path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "action" in done.stdout
