"""From a deploy form to a Core ML package, through coremltools.

coremltools only converts here. What it wrote is read, executed and judged by modules that share no
code with it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import math
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobile_nelf._version import __version__
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.form import DeployForm
from mobile_nelf.extras import import_extra
from mobile_nelf.students import StudentConfig, architecture
from mobile_nelf.vocabulary import LayoutName, WeightForm
from mobile_nelf_exporters.coreml.package.format import (
    DATA,
    MANIFEST,
    MANIFEST_VERSION,
    MODEL,
    OWNER,
    WEIGHTS,
    WEIGHTS_FOLDER,
    WEIGHTS_KEY,
)
from mobile_nelf_exporters.coreml.setting import Setting

__all__ = ["FP32_ENCODERS", "convert", "package_files", "quiet_coremltools"]


#: How log lines of coremltools start that say nothing about the result. The proxies would run
#: models on a Mac. That torch is newer than what it was tested with does not matter, since every
#: package is executed and compared.
HARMLESS_LOG = (
    "Failed to load _ML",
    "Torch version ",
    "XGBoost version ",
    "scikit-learn version ",
    "TensorFlow version ",
    # Of a layer that stays dense when others are stored without their zeros.
    "weight value has sparsity of ",
)

#: Warnings of torch and coremltools about their own code, as regular expressions.
HARMLESS_WARNINGS = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"Function _TORCH_OPS_REGISTRY\.\w+ is deprecated",
)

#: Layouts with trigonometry in the graph. A phase of 2⁵·x in fp16 is off by up to 0.2.
FP32_ENCODERS: tuple[LayoutName, ...] = ("rays", "camera")

#: What the manifest of a package calls its files.
_DESCRIPTIONS = {MODEL: "CoreML Model Specification", WEIGHTS_FOLDER: "CoreML Model Weights"}

#: Ids inside a package are uuid5 of package and role in this namespace: the same input, the same
#: bytes.
ID_NAMESPACE = uuid.UUID("5b4f4a3e-6f0b-4d5f-9a55-0d6f3b4d1c52")


class _Picture(nn.Module):
    """A deploy form whose output is in 0 to 255, since Core ML only rounds to 8 bits itself."""

    def __init__(self, form: DeployForm) -> None:
        super().__init__()
        self.form = form

    def forward(self, *uploads: Tensor) -> Tensor:
        picture: Tensor = self.form(*uploads) * 255.0
        return picture


class _TanhGelu(nn.Module):
    """The tanh form of GELU, spelled out.

    coremltools loses `approximate` on the way from torch.export and would write the erf form. This
    it recognises, and makes one operator of it.
    """

    def forward(self, x: Tensor) -> Tensor:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))
        return 0.5 * (torch.tanh(inner) + 1.0) * x


def _spelled_out(form: DeployForm) -> DeployForm:
    """Returns a copy whose tanh forms of GELU are spelled out."""
    form = copy.deepcopy(form)
    for name, module in list(form.named_modules()):
        if isinstance(module, nn.GELU) and module.approximate == "tanh":
            form.set_submodule(name, _TanhGelu())
    return form


def convert(
    form: DeployForm, contract: Contract, ios: int, *, encoder_in_fp32: bool | None = None
) -> Any:
    """Converts a deploy form to an ML program with fp16 weights and activations.

    Args:
        form: in evaluation mode.
        contract: names, shapes and form of inputs and output.
        ios: lowest version of iOS and iPadOS, one of `IOS_VERSIONS`.
        encoder_in_fp32: compute everything before the network's first conv in float32; where the
            encoder has trigonometry if None. `False` gives the usual kind of package, in which
            phases are rounded to fp16 before their sine is taken.

    Returns:
        A `coremltools.models.MLModel`.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    with quiet_coremltools() as ct:
        picture = contract.output_form == "image"
        form = _spelled_out(form)
        traced = _Picture(form).eval() if picture else form
        program = torch.export.export(
            traced, tuple(torch.zeros(spec.shape) for spec in contract.inputs)
        ).run_decompositions({})
        types = {"fp16": np.float16, "fp32": np.float32}
        inputs = [
            ct.TensorType(name=spec.name, shape=spec.shape, dtype=types[spec.dtype])
            for spec in contract.inputs
        ]
        output = (
            ct.ImageType(name=contract.output.name, color_layout=ct.colorlayout.RGB)
            if picture
            else ct.TensorType(name=contract.output.name, dtype=types[contract.output.dtype])
        )
        if encoder_in_fp32 is None:
            encoder_in_fp32 = contract.layout in FP32_ENCODERS
        precision = ct.transform.FP16ComputePrecision(
            op_selector=_NetworkOnly(contract.student) if encoder_in_fp32 else None
        )
        return ct.convert(
            program,
            convert_to="mlprogram",
            inputs=inputs,
            outputs=[output],
            minimum_deployment_target=getattr(ct.target, f"iOS{ios}"),
            compute_precision=precision,
            skip_model_load=True,
        )


class _NetworkOnly:
    """Selects what comes after the encoder, for the converter's cast to fp16."""

    def __init__(self, student: StudentConfig) -> None:
        # The converter names the weight of a conv after its place in the deploy form. Everything
        # before the network's first layer is the encoder.
        first = architecture(student).FIRST_LAYER.replace(".", "_")
        self._first_weight = f"network_{first}_weight"
        # The ids of the operations before it, once they are known; the pass works on one
        # list of operations and replaces them one by one.
        self._encoder: set[int] | None = None
        self._kept: list[Any] = []

    def __call__(self, operation: Any) -> bool:
        if self._encoder is None:
            self._kept = _before(self._first_weight, operation.enclosing_block)
            self._encoder = set(map(id, self._kept))
        return id(operation) not in self._encoder


def _before(weight: str, block: Any) -> list[Any]:
    heads = [
        operation
        for operation in block.operations
        if operation.op_type == "conv" and operation.weight.name.endswith(weight)
    ]
    (head,) = heads
    found: dict[int, Any] = {}
    pending = [head.x]
    while pending:
        operation = pending.pop().op
        if operation is None or id(operation) in found:
            continue
        found[id(operation)] = operation
        for values in operation.inputs.values():
            pending += values if isinstance(values, (list, tuple)) else [values]
    return list(found.values())


def package_files(
    model: Any,
    name: str,
    contract: Contract,
    weights: WeightForm,
    setting: Setting | None = None,
) -> dict[str, bytes]:
    """Returns a package as file contents by POSIX path, all below `name`.

    Contract, versions and hash of the weights are put into the package; dates and random ids are
    replaced, so that the same input gives the same bytes.

    Args:
        model: what `convert` or `compress` returned.
        name: of the package, as `Mic.mlpackage`.
        contract: of the model.
        weights: how it stores its weights.
        setting: what people do with it; they turn it under the finger if None.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    with quiet_coremltools() as ct:
        specification = ct.proto.Model_pb2.Model()
        with tempfile.TemporaryDirectory() as folder:
            model.save(f"{folder}/{name}")
            package = Path(folder, name)
            specification.ParseFromString((package / DATA / MODEL).read_bytes())
            blobs = (package / WEIGHTS).read_bytes()
    student = contract.student
    description = specification.description.metadata
    description.author = f"mobile-nelf {__version__}"
    description.versionString = __version__
    description.license = "Belongs to whoever trained the weights; mobile-nelf claims no rights."
    description.shortDescription = (
        f"Neural light field {student.name}: {student.image_width} × {student.image_height} pixels "
        f"a run, input layout {contract.layout}."
    )
    # What Xcode shows beside each of them.
    meanings = {spec.name: spec.meaning for spec in (*contract.inputs, contract.output)}
    for feature in (*specification.description.input, *specification.description.output):
        feature.shortDescription = meanings[feature.name]
    # A date of conversion is among them.
    description.userDefined.clear()
    description.userDefined.update(
        {
            **contract.as_metadata(),
            "mobile_nelf.version": __version__,
            "mobile_nelf.torch_version": str(torch.__version__),
            "mobile_nelf.coremltools_version": str(ct.__version__),
            WEIGHTS_KEY: weights,
            **(setting or Setting()).as_metadata(),
            "mobile_nelf.deployed_weights_sha256": hashlib.sha256(blobs).hexdigest(),
        }
    )
    return {
        f"{name}/{MANIFEST}": _manifest(name),
        f"{name}/{DATA}/{MODEL}": specification.SerializeToString(deterministic=True),
        f"{name}/{WEIGHTS}": blobs,
    }


def _manifest(name: str) -> bytes:
    ids = {path: str(uuid.uuid5(ID_NAMESPACE, f"{name}/{path}")) for path in _DESCRIPTIONS}
    manifest = {
        "fileFormatVersion": MANIFEST_VERSION,
        "itemInfoEntries": {
            ids[path]: {
                "author": OWNER,
                "description": text,
                "name": path.rpartition("/")[2],
                "path": path,
            }
            for path, text in _DESCRIPTIONS.items()
        },
        "rootModelIdentifier": ids[MODEL],
    }
    return (json.dumps(manifest, indent=4, sort_keys=True) + "\n").encode()


@contextmanager
def quiet_coremltools() -> Iterator[ModuleType]:
    """Yields coremltools with its progress bars and known harmless messages off.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    logger = logging.getLogger("coremltools")
    logger.addFilter(_is_worth_reading)
    try:
        with warnings.catch_warnings():
            for message in HARMLESS_WARNINGS:
                warnings.filterwarnings("ignore", message)
            coremltools = import_extra("coremltools", "coreml")
            with _no_bars():
                yield coremltools
    finally:
        logger.removeFilter(_is_worth_reading)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Disables the bars that start meanwhile; coremltools has no switch for its own."""
    bar = import_extra("tqdm", "coreml").tqdm
    start = bar.__init__
    bar.__init__ = partialmethod(start, disable=True)
    try:
        yield
    finally:
        bar.__init__ = start


def _is_worth_reading(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(HARMLESS_LOG)
