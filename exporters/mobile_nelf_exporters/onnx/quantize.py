"""8 bits for weights and activations of an ONNX file, calibrated on the student's own orbit.

Weights get a scale for each output channel, activations one for each tensor (QDQ, unsigned, which
does not saturate on processors without VNNI).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.eight_bits import Kind, Ranges, calibration_uploads, eight_bit_span
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["is_quantized", "quantized"]

#: The first version of the operators that has a scale for each channel.
OPSET = 13

#: Operators that compute in 8 bits; all others read and write float.
OPERATORS: dict[str, Kind] = {"Conv": "conv", "ConvTranspose": "enlarging"}

#: Operator that the quantizer leaves to the grid of what it writes, which begins at 0.
CLIPPED = "Relu"


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

    ranges = _ranges(newer, chosen, checkpoint, contract)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            # The quantizer wants to see a frame, though all ranges are given.
            self._feeds = islice(calibration_uploads(checkpoint, contract), 1)

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
            op_types_to_quantize=[*OPERATORS, CLIPPED],
            extra_options={
                "TensorQuantOverrides": {
                    name: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
                    for name, (low, high) in ranges.items()
                }
            },
        )
        result: ModelProto = onnx.load(path)
    _keep_streams(result)
    result.producer_name, result.producer_version = model.producer_name, model.producer_version
    del result.metadata_props[:]
    result.metadata_props.extend(model.metadata_props)
    return result


def _ranges(
    model: ModelProto, chosen: Collection[str], checkpoint: Checkpoint, contract: Contract
) -> dict[str, tuple[float, float]]:
    """Returns the range of what each chosen node reads and writes, by the tensor's name."""
    onnx = import_extra("onnx", "lens")
    onnxruntime = import_extra("onnxruntime", "lens")
    nodes = [node for node in model.graph.node if node.name in chosen]
    names = dict.fromkeys(name for node in nodes for name in (node.input[0], node.output[0]))
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ranges = Ranges()
    for uploads in calibration_uploads(checkpoint, contract):
        for name, values in zip(names, session.run(list(names), uploads), strict=True):
            ranges.see(name, values)
    return ranges.found()


def _keep_streams(model: ModelProto) -> None:
    """Lets additions read streams as they are; the quantizer rounds them for every reader.

    What a conv adds to a stream stays rounded, or a runtime would not compute that conv in 8 bits.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.op_type != "Add":
            continue
        for index, name in enumerate(node.input):
            back = made.get(name)
            if back is None or back.op_type != "DequantizeLinear" or back.input[0] not in made:
                continue
            exact = made[back.input[0]].input[0]
            if exact not in made or made[exact].op_type not in OPERATORS:
                node.input[index] = exact


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
    return [nodes[place].name for place in span if nodes[place].op_type in (*OPERATORS, CLIPPED)]
