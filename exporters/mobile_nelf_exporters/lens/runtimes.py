"""Ways to execute the model and the scripts of a lens off-device."""

from __future__ import annotations

from collections.abc import Sequence

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import TensorSpec, find_layout
from mobile_nelf.errors import BundleError
from mobile_nelf.export.reference import REFERENCE
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.vocabulary import GELU_SNAP
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.opened import is_updated
from mobile_nelf_exporters.lens.paths import (
    PROJECT,
    model_path,
    project_files,
    small_model_path,
)
from mobile_nelf_exporters.lens.player.drive import lens_frame_function
from mobile_nelf_exporters.lens.player.film import film_lens
from mobile_nelf_exporters.lens.player.node import node_path
from mobile_nelf_exporters.onnx.runtime import (
    frame_function,
    parse_model,
    read_contract,
    with_fp16_weights,
)

__all__ = ["LENS_RUNTIME", "SMALL_REFERENCE", "lens_runtimes", "model_bytes"]

#: Reference frames of the smaller picture.
SMALL_REFERENCE = f"{REFERENCE}/small"

#: The lens against the student. Its uploads are those that the ONNX leg has; what is left is the
#: texture's range of [0, 255].
LENS_MIN_PSNR_DB = 50.0

LENS_RUNTIME = "the lens in Node.js"


def model_bytes(files: dict[str, bytes]) -> bytes:
    """Returns the model of a bundle.

    Raises:
        BundleError: it is missing.
    """
    path = model_path(files)
    if path not in files:
        raise BundleError(f"{path}: is missing; bundle it again")
    return files[path]


def lens_runtimes(files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
    """Returns ways to execute the lens among `files`; the last emulates how weights are stored.

    Args:
        files: of the bundle.
        contract: of its model.

    Raises:
        BundleError: something is missing, broken, or does not carry `contract`.
    """
    first, second = model_path(files), small_model_path(files)
    model = parse_model(model_bytes(files), first)
    if read_contract(model, first) != contract:
        raise BundleError(f"{first}: carries another contract than the manifest")
    expected = find_layout(contract.layout).inputs(contract.student)
    if contract.inputs != expected:
        raise BundleError(
            f"{first}: takes {_names(contract.inputs)}, expected {_names(expected)}; a lens of an "
            "earlier mnelf had the camera's picture among them, bundle it again"
        )
    # A project of ours has none, so that even a warning means that something changed. What a
    # newer Lens Studio writes is known well enough for errors only.
    findings = [
        found
        for found in lint_lens_project(files, folder=PROJECT)
        if found.severity == "error" or not is_updated(files)
    ]
    if findings:
        raise BundleError("; ".join(f"{found.path}: {found.problem}" for found in findings))
    by_hand = "a material is on the controller's field" if contract.is_cut_out else ""
    snap = any(node.op_type == GELU_SNAP for node in model.graph.node)
    assumes = "SnapML's GeluSnap is the erf form of GELU" if snap else ""
    runtimes = []
    if node_path() is not None:
        project = project_files(files)
        runtimes.append(
            Runtime(
                LENS_RUNTIME,
                PROJECT,
                "; ".join(
                    filter(
                        None,
                        ("simulated; assumptions are listed in README.md", by_hand, assumes),
                    )
                ),
                lens_frame_function(project, contract),
                LENS_MIN_PSNR_DB,
                runs_scripts=True,
                film=lambda frames, screen: film_lens(project, contract, frames, screen),
            )
        )
    runtimes.append(
        Runtime(
            "ONNX Runtime",
            first,
            assumes,
            frame_function(model, contract, first),
            contract.min_psnr_db,
        )
    )
    if second in files:
        small = parse_model(files[second], second)
        small_contract = read_contract(small, second)
        if small_contract.weights_sha256 != contract.weights_sha256:
            raise BundleError(f"{second}: was made of other weights than {first}; bundle it again")
        runtimes.append(
            Runtime(
                "ONNX Runtime, smaller picture",
                second,
                assumes,
                frame_function(small, small_contract, second),
                contract.min_psnr_db,
                reference=SMALL_REFERENCE,
            )
        )
    runtimes.append(
        Runtime(
            "ONNX Runtime, conv weights as fp16",
            first,
            "emulates how Lens Studio stores weights on import",
            frame_function(with_fp16_weights(model), contract, first),
            min_psnr_db=None,
        )
    )
    return tuple(runtimes)


def _names(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(spec.name for spec in specs)
