"""8 bits for weights and activations of an ONNX file, calibrated on the student's own orbit.

Weights get a scale for each output channel, activations one for each tensor (QDQ, unsigned, which
does not saturate on processors without VNNI).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.eight_bits import Kind, calibration_uploads, eight_bit_span
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["is_quantized", "quantized"]

#: The first version of the operators that has a scale for each channel.
OPSET = 13

#: Operators that compute in 8 bits; all others read and write float.
OPERATORS: dict[str, Kind] = {"Conv": "conv", "ConvTranspose": "enlarging", "Add": "other"}


def is_quantized(model: ModelProto) -> bool:
    """Returns whether a model computes in 8 bits."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def quantized(model: ModelProto, checkpoint: Checkpoint, contract: Contract) -> ModelProto:
    """Returns a copy of a model whose body computes in 8 bits.

    The same arguments give the same model: poses are fixed.

    Args:
        model: what `build_onnx` returned.
        checkpoint: the student in it.
        contract: of the model.

    Raises:
        DeployError: nothing lies between the head and the last stage.
    """
    quantization = import_extra("onnxruntime.quantization", "lens")
    onnx = import_extra("onnx", "lens")
    converter = import_extra("onnx.version_converter", "lens")
    newer = converter.convert_version(model, OPSET)
    for number, node in enumerate(newer.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    chosen = _between(list(newer.graph.node), newer, checkpoint)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self._feeds = calibration_uploads(checkpoint, contract)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._feeds, None)

    with tempfile.TemporaryDirectory() as folder, _without_advice():
        path = Path(folder) / "quantized.onnx"
        quantization.quantize_static(
            newer,
            path,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_quantize=chosen,
            op_types_to_quantize=list(OPERATORS),
        )
        result: ModelProto = onnx.load(path)
    result.producer_name, result.producer_version = model.producer_name, model.producer_version
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    return result


@contextmanager
def _without_advice() -> Iterator[None]:
    """Drops the quantizer's advice to simplify a graph first, which was done."""
    logger = logging.getLogger()
    logger.addFilter(_is_worth_reading)
    try:
        yield
    finally:
        logger.removeFilter(_is_worth_reading)


def _is_worth_reading(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Please consider")


def _between(nodes: list[NodeProto], model: ModelProto, checkpoint: Checkpoint) -> list[str]:
    """Names of what computes in 8 bits."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    seen: list[tuple[Kind, tuple[int, ...]]] = [
        (
            OPERATORS.get(node.op_type, "other"),
            shapes.get(node.input[1], ()) if len(node.input) > 1 else (),
        )
        for node in nodes
    ]
    span = eight_bit_span(seen, checkpoint.student)
    return [nodes[place].name for place in span if nodes[place].op_type in OPERATORS]
