"""Core ML packages for tests: made by coremltools, edited through its own protobuf classes."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import Layout

__all__ = [
    "MANIFEST",
    "MODEL",
    "NAME",
    "WEIGHTS",
    "changed",
    "convert_program",
    "convert_student",
    "edited",
    "find",
    "operations",
    "package_files",
    "two_convs",
]

NAME = "Tiny.mlpackage"
MANIFEST = f"{NAME}/Manifest.json"
MODEL = f"{NAME}/Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = f"{NAME}/Data/com.apple.CoreML/weights/weight.bin"


class _Picture(nn.Module):
    def __init__(self, form: nn.Module) -> None:
        super().__init__()
        self.form = form

    def forward(self, *uploads: torch.Tensor) -> torch.Tensor:
        return self.form(*uploads) * 255.0


def _convert(source: Any, **options: Any) -> Any:
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools as ct

    ios = options.pop("ios")
    fp16 = options.pop("fp16")
    if callable(fp16):
        precision = ct.transform.FP16ComputePrecision(op_selector=fp16)
    else:
        precision = ct.precision.FLOAT16 if fp16 else ct.precision.FLOAT32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ct.convert(
            source,
            minimum_deployment_target=getattr(ct.target, f"iOS{ios}"),
            compute_precision=precision,
            skip_model_load=True,
            **options,
        )


def convert_student(
    checkpoint: Checkpoint, layout: Layout, *, ios: int = 16, fp16: bool = True, image: bool = False
) -> Any:
    """The erf deploy form of a student as `MLModel`."""
    import coremltools as ct

    form: nn.Module = deploy_form(checkpoint, layout, "erf", expand=False)
    form = _Picture(form).eval() if image else form
    specs = layout.inputs(checkpoint.student)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(form, tuple(torch.zeros(spec.shape) for spec in specs))
        exported = exported.run_decompositions({})
    output = ct.ImageType("output") if image else ct.TensorType("output", dtype=np.float32)
    return _convert(
        exported,
        inputs=[ct.TensorType(spec.name, spec.shape, dtype=np.float32) for spec in specs],
        outputs=[output],
        ios=ios,
        fp16=fp16,
    )


def convert_program(
    build: Callable[..., Any],
    shapes: Sequence[tuple[int, ...]],
    outputs: Sequence[str],
    *,
    ios: int = 16,
    fp16: bool | Callable[[Any], bool] = True,
) -> Any:
    """A program written with the MIL builder as `MLModel`; `fp16` may select operations."""
    import coremltools as ct
    from coremltools.converters.mil import Builder

    program = Builder.program(
        input_specs=[Builder.TensorSpec(shape=shape) for shape in shapes],
        opset_version=getattr(ct.target, f"iOS{ios}"),
    )(build)
    return _convert(
        program,
        outputs=[ct.TensorType(name, dtype=np.float32) for name in outputs],
        ios=ios,
        fp16=fp16,
    )


def two_convs(*, ios: int, channels: int = 24) -> Any:
    """A conv and a conv_transpose with weights of odd sizes, to be compressed."""
    from coremltools.converters.mil import Builder as mb  # noqa: N813

    rng = np.random.default_rng(5)

    def build(a: Any) -> Any:
        weight = rng.normal(size=(16, channels, 1, 1)).astype(np.float32)
        x = mb.conv(x=a, weight=weight, pad_type="valid")
        weight = rng.normal(size=(16, 8, 3, 3)).astype(np.float32)
        return mb.conv_transpose(
            x=x,
            weight=weight,
            strides=[3, 3],
            pad_type="valid",
            output_shape=(1, 8, 6, 6),
            name="output",
        )

    return convert_program(build, [(1, channels, 2, 2)], ["output"], ios=ios)


def package_files(model: Any) -> dict[str, bytes]:
    """The package that coremltools saves, by bundle-relative path."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(str(Path(folder, NAME)))
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in Path(folder).rglob("*")
            if path.is_file()
        }


def changed(files: Mapping[str, bytes], path: str, data: bytes | None) -> dict[str, bytes]:
    """A copy with one file replaced, or removed if `data` is None."""
    copy = {name: content for name, content in files.items() if name != path}
    return copy if data is None else {**copy, path: data}


def edited(files: Mapping[str, bytes], edit: Callable[[Any], object]) -> dict[str, bytes]:
    """A copy whose model went through `edit` as a message of coremltools' own schema."""
    from coremltools.proto import Model_pb2

    model = Model_pb2.Model.FromString(files[MODEL])
    edit(model)
    return changed(files, MODEL, model.SerializeToString())


def operations(model: Any) -> Any:
    """The operations of a model message."""
    function = model.mlProgram.functions["main"]
    return function.block_specializations[function.opset].operations


def find(model: Any, operator: str) -> Any:
    """The first operation of a type."""
    return next(operation for operation in operations(model) if operation.type == operator)
