"""Executes our ONNX files off-device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import CAMERA_IMAGE, Contract, parse_contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError
from mobile_nelf.export.runtime import FrameFunction
from mobile_nelf.extras import import_extra
from mobile_nelf.vocabulary import GELU_SNAP
from mobile_nelf_exporters.onnx.picture import student_picture

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = [
    "frame_function",
    "load_problems",
    "open_session",
    "parse_model",
    "read_contract",
    "with_fp16_weights",
]

#: ONNX Runtime's level of log messages that end the process.
FATAL = 4
#: Characters of a message of ONNX Runtime that are shown.
MAX_REASON = 300


def parse_model(data: bytes, name: str) -> ModelProto:
    """Parses an ONNX file.

    Raises:
        BundleError: `data` is not an ONNX model.
    """
    onnx = import_extra("onnx", "lens")
    decode_error = import_extra("google.protobuf.message", "lens").DecodeError
    try:
        model: ModelProto = onnx.load_model_from_string(data)
    except decode_error as error:
        raise BundleError(f"{name}: is not an ONNX model ({error})") from error
    return model


def read_contract(model: ModelProto, name: str) -> Contract:
    """Returns the contract in the metadata of a model.

    Raises:
        BundleError: there is none, or it cannot be read.
    """
    return parse_contract({entry.key: entry.value for entry in model.metadata_props}, name)


def open_session(model: ModelProto) -> Any:
    """Returns an ONNX Runtime session on the CPU.

    `GeluSnap` runs as the erf form of GELU, which is what its name suggests and nobody documents.
    """
    onnxruntime = import_extra("onnxruntime", "lens")
    options = onnxruntime.SessionOptions()
    # Its arena never shrinks; several sessions of this size would add up to gigabytes.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(
        _runnable(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def load_problems(model: ModelProto) -> Iterator[str]:
    """Says why ONNX Runtime does not load a model, which may be anybody's; nothing is run."""
    onnxruntime = import_extra("onnxruntime", "lens")
    options = onnxruntime.SessionOptions()
    # Only loading is asked for: optimizing would compute constants, however large.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = FATAL
    try:
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its classes have no base of their own
        reason = " ".join(str(error).split())
        yield f"ONNX Runtime does not load it: {reason[:MAX_REASON]}"


def frame_function(model: ModelProto, contract: Contract) -> FrameFunction:
    """Returns a function that renders the student's picture through ONNX Runtime.

    Padding is cut off; a composited picture is taken apart again.
    """
    session = open_session(model)
    layout = find_layout(contract.layout)
    student = contract.student
    top, left = contract.picture_corner

    def shown(uploads: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        (image,) = session.run([contract.output.name], uploads)
        window = image[0, :, top:, left:][:, : student.image_height, : student.image_width]
        return np.ascontiguousarray(window.transpose(1, 2, 0))

    def filled(colour: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        rows, columns = contract.output.shape[2:]
        return np.tile(colour[None, :, None, None], (1, 1, rows, columns))

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        uploads = {
            name: np.ascontiguousarray(array, dtype=np.float32)
            for name, array in layout.host(camera, contract.student.encoder).items()
        }
        if contract.camera_image is None:
            return shown(uploads)
        return student_picture(
            lambda colour: shown({**uploads, CAMERA_IMAGE: filled(colour)}), contract
        )

    return frame


def _runnable(model: ModelProto) -> ModelProto:
    if not any(node.op_type == GELU_SNAP for node in model.graph.node):
        return model
    helper = import_extra("onnx.helper", "lens")
    runnable = type(model)()
    runnable.CopyFrom(model)
    runnable.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    for node in runnable.graph.node:
        if node.op_type == GELU_SNAP:
            node.op_type, node.domain = "Gelu", "com.microsoft"
    return runnable


def with_fp16_weights(model: ModelProto) -> ModelProto:
    """Returns a copy whose conv weights went through fp16, as Lens Studio's import stores them.

    The lens's guess `weights`.
    """
    numpy_helper: Any = import_extra("onnx.numpy_helper", "lens")
    rounded = type(model)()
    rounded.CopyFrom(model)
    weights = {
        name
        for node in rounded.graph.node
        if node.op_type in ("Conv", "ConvTranspose")
        for name in node.input[1:]
    }
    for tensor in rounded.graph.initializer:
        if tensor.name in weights:
            with np.errstate(over="ignore"):  # the operator report names those
                array = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return rounded
