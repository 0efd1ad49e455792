"""The recognizer: right answers for a batch, and one sentence for every file that is not a model of ours."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from live import model_file
from live.recognizer import CPU, CUDA, Recognizer
from skeleton.errors import ModelContractError, ModelLoadError
from skeleton.window import Window
from tests.live import tiny_model
from tests.live.tiny_model import CARD

PAIR = dataclasses.replace(CARD, persons=2, labels=("a", "b", "c"), frames=5)


def window(card=CARD, *, seed: int = 0, persons: int = 1) -> Window:
    generator = np.random.default_rng(seed)
    shape = (persons, card.frames, len(card.joints))
    joints = generator.normal(size=(*shape, 3)).astype(np.float32)
    return Window(tuple(range(1, persons + 1)), 3.5 + seed, joints, generator.random(shape) > 0.2)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def test_a_batch_gives_each_window_the_answer_it_would_get_alone(tmp_path: Path) -> None:
    weights = tiny_model.random_weights(PAIR)
    recognizer = Recognizer(tiny_model.write(tmp_path / "m.onnx", PAIR, weights=weights), provider="cpu")
    windows = [window(PAIR, seed=seed, persons=2) for seed in range(7)]
    together = recognizer.recognize(windows)
    for item, answer in zip(windows, together):
        [alone] = recognizer.recognize([item])
        masked = np.where(item.seen[..., None], item.joints, 0)
        expected = softmax(np.einsum("mtvc,mtvck->k", masked, weights))
        np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
        np.testing.assert_allclose(answer.probabilities, alone.probabilities, atol=1e-6)
        np.testing.assert_allclose(answer.joint_attention, item.seen.mean(axis=1), atol=1e-6)
        np.testing.assert_allclose(answer.frame_attention, item.seen.mean(axis=2), atol=1e-6)
        assert (answer.body_ids, answer.end_s) == (item.body_ids, item.end_s)
    assert len({answer.probabilities.tobytes() for answer in together}) == 7


def test_a_single_person_fills_the_first_place_of_a_pair(tmp_path: Path) -> None:
    recognizer = Recognizer(tiny_model.write(tmp_path / "m.onnx", PAIR), provider="cpu")
    [answer] = recognizer.recognize([window(PAIR)])
    assert answer.body_ids == (1, -1)
    assert not answer.joint_attention[1].any()


def test_no_windows_give_no_answers(tmp_path: Path) -> None:
    assert Recognizer(tiny_model.write(tmp_path / "m.onnx"), provider="cpu").recognize([]) == []


def test_the_provider_and_card_are_those_of_the_session(tmp_path: Path) -> None:
    recognizer = Recognizer(tiny_model.write(tmp_path / "m.onnx"), provider="cpu")
    assert (recognizer.provider, recognizer.warning) == ("CPU", None)
    assert (recognizer.card, recognizer.info.file) == (CARD, "m.onnx")


def test_auto_says_why_it_did_not_take_cuda(tmp_path: Path) -> None:
    recognizer = Recognizer(tiny_model.write(tmp_path / "m.onnx"))
    if recognizer.provider == "CUDA":
        pytest.skip("this machine has CUDA")
    assert recognizer.warning is not None
    assert recognizer.warning.startswith("CUDA cannot be used:")
    assert recognizer.warning.endswith("Recognition runs on the CPU; --provider cpu does so without asking.")


def test_insisting_on_cuda_fails_with_a_remedy_where_there_is_none(tmp_path: Path) -> None:
    path = tiny_model.write(tmp_path / "m.onnx")
    if Recognizer(path).provider == "CUDA":
        pytest.skip("this machine has CUDA")
    with pytest.raises(ModelLoadError, match=r"CUDA cannot be used: .* Install an NVIDIA driver"):
        Recognizer(path, provider="cuda")


class UnableCard:
    """A session that a graphics card accepts and cannot run."""

    def __init__(self, session: object) -> None:
        self._session = session

    def __getattr__(self, name: str) -> object:
        return getattr(self._session, name)

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def run(self, *_: object) -> None:
        raise RuntimeError("no kernel image is available for execution on the device")


def unable_card(self: Recognizer, data: bytes) -> UnableCard:
    return UnableCard(self._session_on([CPU], data))


def test_a_card_that_fails_in_the_first_run_is_a_warning_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recognizer, "_start_cuda", unable_card)
    recognizer = Recognizer(tiny_model.write(tmp_path / "m.onnx"))
    assert recognizer.provider == recognizer.info.provider == "CPU"
    assert recognizer.warning is not None and "no kernel image is available" in recognizer.warning
    assert recognizer.warning.startswith("CUDA cannot be used:") and "runs on the CPU" in recognizer.warning
    assert recognizer.recognize([window()])[0].probabilities.sum() == pytest.approx(1.0)


def test_a_card_that_fails_in_the_first_run_is_an_error_where_it_was_insisted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recognizer, "_start_cuda", unable_card)
    with pytest.raises(ModelContractError, match="failed while running: no kernel image"):
        Recognizer(tiny_model.write(tmp_path / "m.onnx"), provider="cuda")


def test_the_terminal_stays_clean_while_cuda_fails(tmp_path: Path) -> None:
    path = tiny_model.write(tmp_path / "m.onnx")
    program = f"from live.recognizer import Recognizer; Recognizer({str(path)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # With logging unconfigured Python prints our own warning, and nothing but it may be there.
    assert [line for line in done.stderr.splitlines() if not line.startswith("CUDA cannot be used")] == []
    assert done.stdout == ""


def test_windows_of_another_size_are_a_programming_mistake(tmp_path: Path) -> None:
    recognizer = Recognizer(tiny_model.write(tmp_path / "m.onnx"), provider="cpu")
    with pytest.raises(ValueError, match="does not fit"):
        recognizer.recognize([window(PAIR)])


def external(model: onnx.ModelProto) -> None:
    weights = model.graph.initializer[-1]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/hostname")


def external_in_a_constant(model: onnx.ModelProto) -> None:
    tensor = onnx.TensorProto(name="x", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=tensor))


def looped() -> onnx.NodeProto:
    """A node that would turn 2^62 times."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["still"])],
        "body",
        [
            helper.make_tensor_value_info("turn", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("still", onnx.TensorProto.BOOL, [])],
    )
    return helper.make_node("Loop", ["turns", "yes"], [], body=body)


def endless(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.int64(2**62), "turns"))
    model.graph.initializer.append(numpy_helper.from_array(np.bool_(True), "yes"))
    model.graph.node.append(looped())


def endless_in_a_function(model: onnx.ModelProto) -> None:
    opset = helper.make_opsetid("", 18)
    model.functions.append(helper.make_function("own", "Turn", ["turns", "yes"], [], [looped()], [opset]))


def endless_as_a_default(model: onnx.ModelProto) -> None:
    opset, body = helper.make_opsetid("", 18), looped().attribute[0]
    model.functions.append(helper.make_function("own", "Turn", [], [], [], [opset], attribute_protos=[body]))


def several_graphs(model: onnx.ModelProto) -> None:
    branches = [looped().attribute[0].g] * 2
    model.graph.node.append(helper.make_node("Either", [], [], domain="own", branches=branches))


def doubling_functions(model: onnx.ModelProto) -> None:
    """Each calls the one before twice: 2^40 nodes in all."""
    opsets, name = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)], "Relu"
    for number in range(40):
        domain = "own" if number else ""
        nodes = [helper.make_node(name, [a], [b], domain=domain) for a, b in (("x", "half"), ("half", "y"))]
        name = f"Double{number}"
        model.functions.append(helper.make_function("own", name, ["x"], ["y"], nodes, opsets))


def fixed_batch(model: onnx.ModelProto) -> None:
    for item in model.graph.input:
        item.type.tensor_type.shape.dim[0].dim_value = 1


def unnormalized(model: onnx.ModelProto) -> None:
    model.graph.node[5].CopyFrom(helper.make_node("Relu", ["embedding"], ["probabilities"]))


def not_finite(model: onnx.ModelProto) -> None:
    model.graph.node[5].CopyFrom(helper.make_node("Log", ["embedding"], ["probabilities"]))


def renamed_output(model: onnx.ModelProto) -> None:
    model.graph.node[5].output[0] = model.graph.output[0].name = "scores"


@pytest.mark.parametrize(
    ("spoil", "error", "sentence"),
    [
        pytest.param(external, ModelLoadError, "must be one file", id="weights in another file"),
        pytest.param(external_in_a_constant, ModelLoadError, "must be one file", id="a constant in another file"),
        pytest.param(endless, ModelLoadError, "must hold no loops, branches or functions", id="a loop"),
        pytest.param(endless_in_a_function, ModelLoadError, "must hold no loops", id="a loop in a function"),
        pytest.param(endless_as_a_default, ModelLoadError, "must hold no loops", id="a default of a function"),
        pytest.param(several_graphs, ModelLoadError, "must hold no loops", id="an attribute of several graphs"),
        pytest.param(doubling_functions, ModelLoadError, "or functions", id="functions without end"),
        pytest.param(fixed_batch, ModelContractError, "must be dynamic", id="fixed batch"),
        pytest.param(unnormalized, ModelContractError, "sum to 1", id="scores that are no probabilities"),
        pytest.param(not_finite, ModelContractError, "finite numbers", id="numbers that are none"),
        pytest.param(renamed_output, ModelContractError, "must have the outputs", id="renamed output"),
        pytest.param(lambda m: tiny_model.put_card(m, "[]"), ModelContractError, "card", id="card not an object"),
        pytest.param(lambda m: m.ClearField("metadata_props"), ModelContractError, "has none", id="no card"),
        pytest.param(
            lambda m: m.graph.node.append(helper.make_node("Evil", ["seen"], ["e"], domain="other")),
            ModelLoadError,
            "cannot load",
            id="an operator nobody knows",
        ),
    ],
)
def test_a_spoiled_model_is_refused_in_one_sentence(
    tmp_path: Path, spoil: Callable[[onnx.ModelProto], object], error: type[Exception], sentence: str
) -> None:
    model = tiny_model.build()
    spoil(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(error, match=sentence) as caught:
        Recognizer(path, provider="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [b"right hand up", b"model_card", b"embedding"],
    ids=["a label of the card", "the key of the card", "the name of an output"],
)
def test_a_text_with_a_damaged_byte_is_a_damaged_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny_model.build().SerializeToString().replace(text, b"\xff" + text[1:]))
    with pytest.raises(ModelLoadError, match=r"m\.onnx' is not an ONNX file, or is damaged\. Choose a model"):
        Recognizer(path, provider="cpu")


def test_the_terminal_stays_clean_while_a_damaged_model_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(tiny_model.build().SerializeToString().replace(b"Greater", b"Grea\xffer"))
    with pytest.raises(ModelLoadError, match=r"ONNX Runtime cannot load 'm\.onnx'"):
        Recognizer(path, provider="cpu")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "change",
    [
        {"frames": 7},
        {"joints": CARD.joints[:-1]},
        {"labels": ("a", "b", "c", "d")},
        {"persons": 2},
        {"feature_centers": [[0.0] * 4] * 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_card_that_contradicts_the_graph_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    model = tiny_model.build()
    tiny_model.put_card(model, json.dumps({**json.loads(CARD.to_json()), **change}))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelContractError, match="as the card says"):
        Recognizer(path, provider="cpu")


def test_a_card_with_endless_joints_is_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    model = tiny_model.build()
    joints = [f"joint {index}" for index in range(10_000)]
    tiny_model.put_card(model, json.dumps({**json.loads(CARD.to_json()), "joints": joints}))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelContractError, match="at most 256 joints"):
        Recognizer(path, provider="cpu")


def test_files_that_are_no_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = tiny_model.write(tmp_path / "good.onnx").read_bytes()
    for name, data in {
        "garbage": b"\x89PNG\r\n\x1a\n" * 100,
        "empty": b"",
        "text": b"not a model\n",
        "cut short": good[: len(good) // 2],
        "deeply nested": _nested(5000),
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ModelLoadError, match=name):
            Recognizer(path, provider="cpu")
    for path in (tmp_path, tmp_path / "absent.onnx"):
        with pytest.raises(ModelLoadError, match="There is no model file"):
            Recognizer(path, provider="cpu")
    monkeypatch.setattr(model_file, "LARGEST_FILE", len(good) - 1)
    with pytest.raises(ModelLoadError, match="at most"):
        Recognizer(tmp_path / "good.onnx", provider="cpu")


def _nested(depth: int) -> bytes:
    """A graph in an attribute of a node of a graph, and so on."""

    def message(number: int, body: bytes) -> bytes:
        length, size = b"", len(body)
        while size > 0x7F:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + body

    data = b""
    for _ in range(depth):
        data = message(1, message(5, message(6, data)))
    return message(7, data)


def test_a_field_number_that_is_cut_to_another_hides_nothing(tmp_path: Path) -> None:
    model = tiny_model.build()
    graph = onnx.GraphProto()
    graph.node.append(looped())
    hidden = graph.SerializeToString()
    assert len(hidden) < 128
    key = bytes([7 << 3 | 2 | 0x80, 0x80, 0x80, 0x80, 0x10])  # the model's graph, and bit 32
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString() + key + bytes([len(hidden)]) + hidden)
    with pytest.raises(ModelLoadError, match="is damaged"):
        Recognizer(path, provider="cpu")


def test_every_truncation_of_a_model_is_refused_without_a_crash(tmp_path: Path) -> None:
    good = tiny_model.write(tmp_path / "good.onnx").read_bytes()
    path = tmp_path / "m.onnx"
    for length in range(1, len(good), len(good) // 40):
        path.write_bytes(good[:length])
        with pytest.raises((ModelLoadError, ModelContractError)):
            Recognizer(path, provider="cpu")
