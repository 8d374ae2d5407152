"""The models of a lens as SnapML would run them: import settings around the graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.studio.assets import Asset
from mobile_nelf_exporters.lens.studio.yaml import NIL, Tagged
from mobile_nelf_exporters.onnx.runtime import OnnxSession, parse_model

__all__ = ["LensModel", "LensTensor"]

Floats = npt.NDArray[np.float32]

#: What a tensor's transformer must be for this runtime; flips it can do.
SIMULATED_TRANSFORMER = {"stretch": True, "rotation": "None"}


@dataclass(frozen=True, eq=False)
class LensTensor:
    """Import settings of an input or output.

    Attributes:
        name: as in the graph.
        shape: width, height, channels.
        scale: [channels]; a value is multiplied by it, then the bias is added.
        bias: [channels].
        flip_x: whether columns are turned over.
        flip_y: whether rows are turned over.
        texture: asset id of the texture that feeds it; empty for none.
    """

    name: str
    shape: tuple[int, int, int]
    scale: Floats
    bias: Floats
    flip_x: bool
    flip_y: bool
    texture: str


class LensModel:
    """One ML asset.

    Attributes:
        asset: the file and its settings.
        inputs: in the order of the meta.
        outputs: in the order of the meta.
        problem: why Lens Studio could not load it with these settings; empty if it can.
    """

    def __init__(self, asset: Asset, content: bytes) -> None:
        """Reads settings and graph.

        Raises:
            BundleError: the settings are malformed.
            MissingExtraError: the extra `lens` is not installed.
        """
        self.asset = asset
        settings = asset.settings.value if isinstance(asset.settings, Tagged) else None
        if not isinstance(settings, dict):
            raise BundleError(f"{asset.path}.meta: has no ImporterSettings")
        try:
            self.inputs = tuple(_tensor(node) for node in settings["Inputs"])
            self.outputs = tuple(_tensor(node) for node in settings["Outputs"])
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise BundleError(
                f"{asset.path}.meta: tensors are not as Lens Studio writes them ({error!r})"
            ) from error
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.problem = self._load(content)

    def run(
        self, inputs: list[Floats], layouts: Sequence[str], images: list[npt.NDArray[np.uint8]]
    ) -> list[Floats]:
        """Returns the outputs as scripts see them: flat, channels innermost, scaled.

        Args:
            inputs: flat, in the order of `inputs`; an empty one comes from its image.
            layouts: `NHWC` or `NCHW` of each.
            images: [rows, columns, 3] uint8 of each, should it be fed by the camera's texture.

        Raises:
            BundleError: the graph cannot run with these inputs.
        """
        sizes = [math.prod(tensor.shape) for tensor in self.inputs]
        if len(inputs) != len(sizes) or any(
            data.size not in (0, size) for data, size in zip(inputs, sizes, strict=False)
        ):
            raise BundleError(
                f"{self.asset.path}: given {[data.size for data in inputs]} values, expected "
                f"{sizes}"
            )
        feeds = {}
        for tensor, data, layout, image in zip(self.inputs, inputs, layouts, images, strict=True):
            width, height, channels = tensor.shape
            if data.size == 0:
                data, layout = _texture_values(tensor, image), "NHWC"
            if layout == "NHWC":
                values = data.reshape(height, width, channels)
            else:
                values = data.reshape(channels, height, width).transpose(1, 2, 0)
            values = values * tensor.scale + tensor.bias
            # The graph's axes, of which Lens Studio shows at most three.
            shape = self._shapes[tensor.name]
            feeds[tensor.name] = np.ascontiguousarray(
                values.transpose(2, 0, 1), dtype=np.float32
            ).reshape(shape)
        found = self._session.run([tensor.name for tensor in self.outputs], feeds)
        results = []
        for tensor, value in zip(self.outputs, found, strict=True):
            width, height, channels = tensor.shape
            values = value.reshape(channels, height, width).transpose(1, 2, 0)
            scaled = values * tensor.scale + tensor.bias
            results.append(np.ascontiguousarray(scaled, dtype=np.float32).ravel())
        return results

    def _load(self, content: bytes) -> str:
        """Opens the graph and returns what does not fit; guess `mismatch`: it does not load."""
        try:
            model = parse_model(content, self.asset.path)
        except BundleError as error:
            return str(error)
        try:
            self._session = OnnxSession(model, self.asset.path)
            found = (self._session.shapes("inputs"), self._session.shapes("outputs"))
        except BundleError as error:
            return str(error)
        problems = []
        for kind, tensors, values in (
            ("input", self.inputs, found[0]),
            ("output", self.outputs, found[1]),
        ):
            shapes = {name: _static(sizes) for name, sizes in values.items()}
            self._shapes |= shapes
            stated = {tensor.name: tensor.shape for tensor in tensors}
            if shapes.keys() != stated.keys():
                problems.append(
                    f"{kind}s of the model are {', '.join(shapes)}, its meta names "
                    f"{', '.join(stated)}"
                )
                continue
            problems += [
                f"{kind} {name} is {_whc(shapes[name])}, its meta says {stated[name]}"
                for name in shapes
                if _whc(shapes[name]) != stated[name]
            ]
        return f"{self.asset.path}: {'; '.join(problems)}" if problems else ""


def _tensor(node: Any) -> LensTensor:
    value = node.value
    shape = value["Shape"]
    transformer = value.get("Transformer") or {}
    for key, simulated in SIMULATED_TRANSFORMER.items():
        if transformer.get(key, simulated) != simulated:
            raise ValueError(f"{key} {transformer[key]} of {value['Name']} is not simulated")
    size = (round(float(shape["x"])), round(float(shape["y"])), round(float(shape["z"])))
    if min(size) < 1 or max(size) > 100_000:
        raise ValueError(f"shape {size} of {value['Name']}")
    entries = value["Normalizations"]
    if len(entries) != size[2]:
        raise ValueError(
            f"{value['Name']} has {len(entries)} normalisations for {size[2]} channels"
        )
    texture = value.get("Texture")
    source = texture.value if isinstance(texture, Tagged) else NIL
    return LensTensor(
        name=str(value["Name"]),
        shape=size,
        scale=np.array([entry["scale"] for entry in entries], np.float32),
        bias=np.array([entry["bias"] for entry in entries], np.float32),
        flip_x=bool(transformer.get("flipX", False)),
        flip_y=bool(transformer.get("flipY", False)),
        texture="" if source == NIL else str(source),
    )


def _static(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Sizes of a tensor; a free one counts as 1, since scripts cannot set it."""
    return tuple(1 if size is None else size for size in shape)


def _whc(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Width, height and channels of [1, channels, rows, columns]; other shapes stay as they are."""
    full = (1,) * (4 - len(shape)) + shape
    return full[:0:-1] if len(full) == 4 and full[0] == 1 else shape


def _texture_values(tensor: LensTensor, image: npt.NDArray[np.uint8]) -> Floats:
    """The texture in [0, 255], stretched to the tensor; guess `camera-image`: all of the screen."""
    width, height, channels = tensor.shape
    if channels != image.shape[2]:
        raise BundleError(f"input {tensor.name}: a camera's image has 3 channels, not {channels}")
    fitted = np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.float32
    )
    return np.ascontiguousarray(fitted).ravel()
