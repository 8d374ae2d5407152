"""8 bits for weights and activations of an ONNX file, calibrated on the student's own orbit.

Weights get a scale for each output channel, activations one for each tensor (QDQ, unsigned, which
does not saturate on processors without VNNI). The head stays float, and so does the last stage with
blocks and what comes after it: they read the sharpest and write the finest numbers, and cost most
of what 8 bits lose.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import DeployError
from mobile_nelf.extras import import_extra
from mobile_nelf.pruning.calibration import random_pose

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["INT8", "is_quantized", "quantized"]

#: What a model with 8-bit activations says of its weights.
INT8 = "int8-activations"

#: Poses that ranges are taken from.
POSES = 12

#: The first version of the operators that has a scale for each channel.
OPSET = 13

#: Operators that compute in 8 bits; all others read and write float.
OPERATORS = ("Conv", "ConvTranspose", "Add")


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
    if not chosen:
        raise DeployError(
            "8 bits compute what lies between the head and the last stage of a student, and here "
            "nothing does; leave out quantize",
            arguments=["quantize"],
        )
    layout = find_layout(contract.layout)
    rng = np.random.default_rng(0)

    def feeds() -> Iterator[dict[str, Any]]:
        for _ in range(POSES):
            camera = checkpoint.ray_camera(random_pose(checkpoint.orbit, rng))
            host = layout.host(camera, checkpoint.student.encoder)
            yield {name: np.asarray(array, np.float32) for name, array in host.items()}

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self._feeds = feeds()

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
    """Names of what runs after the head and before the last stage, or the colours without one."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    weights = [shapes.get(node.input[1], ()) if len(node.input) > 1 else () for node in nodes]
    channels = checkpoint.student.encoder.channels
    # Only the head reads the whole encoding.
    head = next(
        index
        for index, (node, shape) in enumerate(zip(nodes, weights, strict=True))
        if node.op_type == "Conv" and len(shape) == 4 and shape[1] == channels
    )
    enlarging = [index for index, node in enumerate(nodes) if node.op_type == "ConvTranspose"]
    convs = [index for index, node in enumerate(nodes) if node.op_type == "Conv"]
    # Where the colours are enlarged themselves, the stage before them is the last one with blocks.
    stages = 2 if checkpoint.student.direct_output else 1
    end = enlarging[-stages] if len(enlarging) >= stages else convs[-1]
    return [node.name for node in nodes[head + 1 : end] if node.op_type in OPERATORS]
