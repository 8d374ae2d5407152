"""Reads what the pickled network of an official file says about itself, without building it.

The weights do not say which functions stand between them. The pickled module beside them does: it
has every layer with its settings, and the options of its training.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobile_nelf.checkpoints.official.names import WRAPPERS
from mobile_nelf.checkpoints.safe import Inert, printable
from mobile_nelf.errors import CheckpointError
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.vocabulary import Activation

__all__ = ["PickledNetwork", "pickled_network"]

#: Key of the module in an official file.
MODULE_KEY = "network_fn"
#: A D88 student has 270 layers, counted with their containers.
MAX_LAYERS = 10_000

_PARTS = ("head", "body", "tail")
_TORCH = "torch.nn."
#: Classes of the research code, which compute what the classes here of these roles do.
_RESEARCH = frozenset({"R2L", "ResnetBlock", "NeRF_v3_2", "ResMLP"})
#: Layers that leave their input as it is, once trained.
_PASSING = frozenset({"Dropout", "Dropout2d", "Identity"})
#: Class here by class there, where both compute the same, once trained.
_SAME = {"SyncBatchNorm": "BatchNorm2d"}
_ACTIVATIONS: dict[str, Activation] = {"GELU": "gelu", "ReLU": "relu"}
#: Settings of layers that change what they compute and leave no trace in the weights.
_SETTINGS = {
    "BatchNorm2d": ("eps",),
    "Conv2d": ("stride", "padding", "dilation", "groups", "padding_mode"),
    "ConvTranspose2d": (
        "stride", "padding", "output_padding", "dilation", "groups", "padding_mode",
    ),
    "GELU": ("approximate",),
}  # fmt: skip
#: Options of the research code that change what its network computes or what its rays are, with
#: the value that is supported.
_OPTIONS: dict[str, tuple[Any, str]] = {
    "camera_convention": ("opengl", "cameras that look along -z with y up"),
    "ndc": (False, "a 360° scene"),
    "ff": (False, "a 360° scene"),
    "use_residual": (True, "the residual around the body"),
    "linear_tail": (False, "a sigmoid at the end"),
    "trial.res_scale": (1, "residuals that are added as they are"),
    "trial.outact": ("none", "no activation behind a residual block"),
}


@dataclass(frozen=True, eq=False)
class PickledNetwork:
    """The module in a file.

    Attributes:
        path: of the file, for messages.
        layers: of the network by dotted name, its containers included; empty if the module is not
            a network of head, body and tail.
        options: of the training; those of a nested group have its name before theirs. They may
            have any type.
    """

    path: Path
    layers: dict[str, Inert]
    options: dict[str, Any]

    @property
    def unknown_classes(self) -> tuple[str, ...]:
        """Classes of neither torch nor the research code."""
        names = dict.fromkeys(layer.name for layer in self.layers.values())
        return tuple(
            name
            for name in names
            if not name.startswith(_TORCH) and name.rpartition(".")[2] not in _RESEARCH
        )

    def count(self, option: str) -> int | None:
        """Returns an option that counts something; None if the file does not say it."""
        value = self.options.get(option)
        return value if type(value) is int and 0 < value < 2**31 else None

    def activation(self) -> Activation | None:
        """Returns the non-linearity behind the first layer; None if the file does not say it.

        Raises:
            CheckpointError: it is not supported.
        """
        if self.layers:
            found = self.layers.get("head.1")
            name = "missing" if found is None else _class_name(found)
        else:
            value = self.options.get("activation_fn", self.options.get("act"))
            if not isinstance(value, str):
                return None
            name = {"gelu": "GELU", "relu": "ReLU"}.get(value.lower(), value)
        if name not in _ACTIVATIONS:
            raise self._error(
                f"its activation (head.1) is {printable(name)}; supported are "
                f"{' and '.join(_ACTIVATIONS)}"
            )
        return _ACTIVATIONS[name]

    def refuse_options(self) -> None:
        """Refuses options with which the same weights make another picture.

        Raises:
            CheckpointError: one is not supported; the message names it.
        """
        for option, (supported, meaning) in _OPTIONS.items():
            found = self.options.get(option)
            if found is None:
                continue
            same = found.lower() == supported if isinstance(found, str) else found == supported
            if not same:
                wanted = "openGL" if supported == "opengl" else supported
                raise self._error(
                    f"was trained with {option} {_shown(found)}, which is not supported; expected "
                    f"{wanted} ({meaning})"
                )

    def refuse_layers(self, student: StudentConfig) -> None:
        """Refuses a network whose layers are not those of a student, or are set otherwise.

        Raises:
            CheckpointError: a layer differs; the message names it.
        """
        if not self.layers:
            return
        with torch.device("meta"):
            ours = dict(build_student(student).named_modules())
        for name, module in ours.items():
            self._refuse_layer(name, module)
        for name, layer in self.layers.items():
            if name not in ours and _class_name(layer) not in _PASSING:
                raise self._other(f"has a layer {printable(name)} ({printable(layer.name)})")
            scale = _number(layer.attributes.get("res_scale"))
            if scale not in (None, 1.0):
                raise self._error(
                    f"scales its residuals (res_scale {scale:g} in {printable(name)}), which is "
                    "not supported; expected 1"
                )

    def _refuse_layer(self, name: str, module: nn.Module) -> None:
        expected = type(module).__name__
        layer = self.layers.get(name)
        # Containers without weights are the network's own business; what is in them is compared.
        if expected == "Identity" or any(True for _ in module.children()) or not name:
            return
        if layer is None:
            raise self._other(f"has no layer {name} ({expected})")
        if not layer.name.startswith(_TORCH):
            return
        if _class_name(layer) != expected:
            raise self._other(
                f"has {printable(_class_name(layer))} as its layer {name}, where {expected} is "
                "expected"
            )
        for setting in _SETTINGS.get(expected, ()):
            found, wanted = layer.attributes.get(setting), getattr(module, setting)
            if setting in layer.attributes and found != wanted:
                raise self._error(
                    f"its layer {name} ({expected}) has {setting} {_shown(found)}, which is not "
                    f"supported; expected {wanted}"
                )

    def _other(self, text: str) -> CheckpointError:
        return self._error(f"{text}; this architecture is not supported")

    def _error(self, text: str) -> CheckpointError:
        return CheckpointError(f"{self.path}: {text}")


def pickled_network(content: dict[Any, Any], path: Path) -> PickledNetwork:
    """Returns what an official file says about its network; nothing if there is no module in it.

    Raises:
        CheckpointError: it has more layers than any network.
    """
    root = content.get(MODULE_KEY)
    while isinstance(root, Inert):
        children = _children(root)
        wrapped = next((children[name] for name in WRAPPERS if children.keys() == {name}), None)
        if wrapped is None:
            break
        root = wrapped
    if not isinstance(root, Inert):
        return PickledNetwork(path, {}, {})
    layers: dict[str, Inert] = {}
    if children.keys() >= set(_PARTS):
        for name, layer in _walk("", root):
            layers[name] = layer
            if len(layers) > MAX_LAYERS:
                raise CheckpointError(
                    f"{path}: its {MODULE_KEY} has more than {MAX_LAYERS} layers; it is damaged or "
                    "made to exhaust memory"
                )
    return PickledNetwork(path, layers, _options(root.attributes.get("args")))


def _walk(name: str, layer: Inert) -> Iterator[tuple[str, Inert]]:
    """Yields a module and all in it; without recursion, for a file may nest as it likes."""
    left = [(name, layer)]
    while left:
        name, layer = left.pop()
        yield name, layer
        start = f"{name}." if name else ""
        left += [(start + key, child) for key, child in reversed(_children(layer).items())]


def _children(module: Inert) -> dict[str, Inert]:
    found = module.attributes.get("_modules")
    if not isinstance(found, dict):
        return {}
    return {
        key: value
        for key, value in found.items()
        if isinstance(key, str) and isinstance(value, Inert)
    }


def _options(found: Any, start: str = "") -> dict[str, Any]:
    values = found.attributes if isinstance(found, Inert) else found
    if not isinstance(values, dict):
        return {}
    options = {start + key: value for key, value in values.items() if isinstance(key, str)}
    trial = None if start else values.get("trial")
    return options if trial is None else options | _options(trial, "trial.")


def _class_name(layer: Inert) -> str:
    name = layer.name.rpartition(".")[2]
    return _SAME.get(name, name)


def _number(value: Any) -> float | None:
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, (int, float)) else None


def _shown(value: Any) -> str:
    return printable(value if isinstance(value, str) else repr(value))
