"""Executes our ONNX files off-device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract, parse_contract
from mobile_nelf.deploy.cost import model_cost
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import BundleError, DeployError
from mobile_nelf.export.runtime import FrameFunction
from mobile_nelf.extras import import_extra
from mobile_nelf.fence.model import FencedModel, run_seconds
from mobile_nelf.vocabulary import GELU_SNAP
from mobile_nelf_exporters.onnx.picture import over_background

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = [
    "OnnxSession",
    "frame_function",
    "load_problems",
    "parse_model",
    "read_contract",
    "with_fp16_weights",
]

#: What runs in the child process.
SERVED = "mobile_nelf_exporters.onnx.served:prepare"
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
    if model.functions:
        # Functions that call each other grow without a limit when they are written out.
        raise BundleError(f"{name}: defines functions of its own, which are not supported")
    return model


def read_contract(model: ModelProto, name: str) -> Contract:
    """Returns the contract in the metadata of a model.

    Raises:
        BundleError: there is none, or it cannot be read.
    """
    return parse_contract({entry.key: entry.value for entry in model.metadata_props}, name)


class OnnxSession:
    """A graph in ONNX Runtime on the CPU, in a process of its own with limits."""

    def __init__(self, model: ModelProto, name: str) -> None:
        """Takes the graph; it is opened when it is first needed.

        `GeluSnap` runs as the erf form of GELU, which is what its name suggests and nobody
        documents.

        Args:
            model: the graph.
            name: of its file, for messages.

        Raises:
            MissingExtraError: ONNX Runtime is not installed.
        """
        import_extra("onnxruntime", "lens")
        content = np.frombuffer(_runnable(model).SerializeToString(), np.uint8)
        self._model = FencedModel(
            name,
            SERVED,
            {"model": content},
            seconds=run_seconds(_macs(model)),
        )

    def shapes(self, kind: Literal["inputs", "outputs"]) -> dict[str, tuple[int | None, ...]]:
        """Returns the sizes of inputs or outputs by name; None for one that is free.

        Raises:
            BundleError: ONNX Runtime cannot open the graph, or not within the limits.
        """
        return {name: tuple(sizes) for name, sizes in self._model.facts[kind].items()}

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """Returns the outputs of these names.

        Raises:
            BundleError: ONNX Runtime cannot run the graph, or not within the limits.
        """
        _, found = self._model.run({"outputs": list(outputs)}, dict(feeds))
        return [found[name] for name in outputs]

    def close(self) -> None:
        """Ends the process."""
        self._model.close()


def _macs(model: ModelProto) -> int:
    try:
        return model_cost(model).macs
    except DeployError:  # what its shapes do not tell gets the shortest time
        return 0


def load_problems(model: ModelProto) -> Iterator[str]:
    """Says why ONNX Runtime does not load a model, which may be anybody's; nothing is run."""
    import_extra("onnxruntime", "lens")
    fenced = FencedModel(
        "ONNX Runtime does not load it",
        SERVED,
        {"model": np.frombuffer(model.SerializeToString(), np.uint8)},
        # Only loading is asked for: optimizing would compute constants, however large.
        settings={"optimize": False},
    )
    try:
        assert fenced.facts
    except BundleError as error:
        yield str(error)[:MAX_REASON]
    finally:
        fenced.close()


def frame_function(model: ModelProto, contract: Contract, name: str = "") -> FrameFunction:
    """Returns a function that renders the student's picture through ONNX Runtime.

    White becomes 1 and a border is cut off; what was cut out is put over its background.

    Args:
        model: the graph.
        contract: of the graph.
        name: of its file, for messages.
    """
    session = OnnxSession(model, name or "the ONNX model")
    layout = find_layout(contract.layout)
    student = contract.student
    top, left = contract.picture_corner

    def shown(uploads: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        (image,) = session.run([contract.output.name], uploads)
        if image.shape != contract.output.shape:
            raise BundleError(
                f"{name or 'the ONNX model'}: returns the shape {list(image.shape)}, expected "
                f"{list(contract.output.shape)}"
            )
        window = image[0, :, top:, left:][:, : student.image_height, : student.image_width]
        picture: npt.NDArray[np.float32] = np.ascontiguousarray(window.transpose(1, 2, 0))
        picture /= np.float32(contract.white)
        return picture

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        uploads = {
            name: np.ascontiguousarray(array, dtype=np.float32)
            for name, array in layout.host(camera, contract.student.encoder).items()
        }
        picture = shown(uploads)
        return over_background(picture, contract) if contract.is_cut_out else picture

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
