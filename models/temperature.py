"""Another temperature for a model file: the graph's last step divides the logits by it, and the card says so."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from models.card import METADATA_KEY, OUTPUTS, ModelCard
from skeleton.errors import ModelContractError

DIVISOR = "temperature_of_calibration"
"""Name of the number that this module adds to a graph; a second calibration replaces it."""


def with_card(data: bytes, card: ModelCard, *, file: str) -> bytes:
    """Returns a model file with another card, whose temperature the graph then has.

    The graph divides the softmax's input by new / old temperature; everything else stays bit for bit.

    Args:
        data: The bytes of the model file.
        card: The new card.
        file: Name of the model file, for messages.

    Raises:
        ModelContractError: Not a graph that ends in a softmax, or without a card.
    """
    model = onnx.load_from_string(data)
    old = ModelCard.from_metadata({item.key: item.value for item in model.metadata_props}, file=file)
    if card.temperature != old.temperature:
        _divide(model.graph, np.float32(card.temperature / old.temperature), file=file)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _divide(graph: onnx.GraphProto, factor: np.float32, *, file: str) -> None:
    name = OUTPUTS["probabilities"]
    place, softmax = next(((i, node) for i, node in enumerate(graph.node) if name in node.output), (0, None))
    if softmax is None or softmax.op_type != "Softmax":
        raise ModelContractError(f"{file} must end in a softmax that gives '{name}', so that it can be calibrated.")
    known = next((item for item in graph.initializer if item.name == DIVISOR), None)
    if known is not None:
        known.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(known) * factor, DIVISOR))
        return
    graph.initializer.append(numpy_helper.from_array(np.array(factor, dtype=np.float32), DIVISOR))
    divided = f"{DIVISOR}_logits"
    graph.node.insert(
        place, onnx.helper.make_node("Div", [softmax.input[0], DIVISOR], [divided], name="n_calibrated")
    )
    softmax.input[0] = divided
