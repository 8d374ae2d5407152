"""What a Core ML package says of itself, and whether that is what its contract promises.

A program can compute almost the right picture with the wrong operators, so these are counted.
"""

from __future__ import annotations

from collections import Counter

import torch
from torch import nn

from mobile_nelf.deploy.contract import Contract, parse_contract
from mobile_nelf.deploy.eight_bits import INT8
from mobile_nelf.errors import BundleError
from mobile_nelf.students import build_student
from mobile_nelf.vocabulary import ActivationForm, LayoutName, WeightForm
from mobile_nelf_exporters.coreml.facts import OperationFacts, ProgramFacts
from mobile_nelf_exporters.coreml.interpreter.interpreter import operation_counts
from mobile_nelf_exporters.coreml.package.format import IOS_VERSIONS, WEIGHTS_KEY
from mobile_nelf_exporters.coreml.package.package import Feature, Package
from mobile_nelf_exporters.coreml.package.program import Constant, Operation

__all__ = [
    "ACTIVATION_OPERATORS",
    "check_package",
    "ios_version",
    "program_facts",
    "weight_form",
]

#: Operator and mode that compute an activation form; forms that are not here, Core ML lacks.
ACTIVATION_OPERATORS: dict[ActivationForm, tuple[str, str]] = {
    "erf": ("gelu", "EXACT"),
    "tanh": ("gelu", "TANH_APPROXIMATION"),
    "relu": ("relu", ""),
}

#: Convs of the encoder: points and phases, from rays, or from origin and direction each.
ENCODER_CONVS: dict[LayoutName, int] = {"embedded": 0, "factored": 0, "rays": 2, "camera": 4}

#: Operators that unpack weights of a form, up to iOS 17 and from iOS 18 on.
UNPACKING: dict[WeightForm, tuple[str, ...]] = {
    "fp16": (),
    "int8": ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"),
    "palette6": ("constexpr_lut_to_dense",),
    "palette4": ("constexpr_lut_to_dense",),
    "palette-mixed": ("constexpr_lut_to_dense",),
    "sparse": ("constexpr_sparse_to_dense",),
    "sparse50": ("constexpr_sparse_to_dense",),
    INT8: ("constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"),
}


def ios_version(package: Package) -> int:
    """Returns the lowest version of iOS and iPadOS that reads a package that was checked."""
    found = {versions.specification: ios for ios, versions in IOS_VERSIONS.items()}
    return found[package.specification_version]


def weight_form(package: Package) -> WeightForm:
    """Returns how a package stores its weights.

    Raises:
        BundleError: it does not say, or its program does otherwise.
    """
    stated = package.metadata.get(WEIGHTS_KEY)
    unpacking = sorted({op.type for op in package.program.operations if op.is_constexpr})
    computing = "quantize" in operation_counts(package)
    for form, kinds in UNPACKING.items():
        # One way of unpacking, and that of the form.
        if form == stated and len(unpacking) == min(len(kinds), 1) and {*unpacking} <= {*kinds}:
            if computing == (form == INT8):
                return form
            unpacking.append("computes in 8 bits" if computing else "computes in fp16 alone")
    raise BundleError(
        f"{package.name}: says that its weights are {stated!r}, but unpacks them with "
        f"{', '.join(unpacking) or 'nothing'}"
    )


def check_package(package: Package, contract: Contract) -> None:
    """Compares everything in a package that needs no execution with its contract.

    Raises:
        BundleError: it carries another contract, or interface, precision, or the number or mode of
            an operator are not those of the contract.
    """
    if parse_contract(package.metadata, package.name) != contract:
        raise BundleError(f"{package.name}: carries another contract than the manifest")
    specification = package.specification_version
    known = tuple(versions.specification for versions in IOS_VERSIONS.values())
    _require(package, f"a specification among {known}", specification in known, specification)
    inputs = tuple(Feature(spec.name, "tensor", spec.dtype, spec.shape) for spec in contract.inputs)
    _require(package, _listed(inputs), package.inputs == inputs, _listed(package.inputs))
    image = contract.output_form == "image"
    output = Feature(
        contract.output.name,
        "image" if image else "tensor",
        "uint8" if image else contract.output.dtype,
        contract.output.shape,
    )
    _require(package, _listed((output,)), package.outputs == (output,), _listed(package.outputs))
    _check_operators(package, contract)


def _check_operators(package: Package, contract: Contract) -> None:
    found = operation_counts(package)
    mode = ACTIVATION_OPERATORS[contract.activation][1]
    for name, expected in _expected_counts(contract).items():
        count = found.get(name, 0)
        _require(package, f"{expected} × {name}", count == expected, count)
    for operation in package.program.operations:
        where = f"{operation.type} {operation.name}"
        if operation.type == "gelu":
            stated = _settings(operation).get("mode")
            _require(package, f"mode {mode!r} of {where}", stated == mode, repr(stated))
        if operation.type in ("sin", "cos"):
            precision = operation.outputs[0].type.dtype
            _require(package, f"{where} in fp32", precision == "fp32", precision)


def _expected_counts(contract: Contract) -> dict[str, int]:
    """Returns how often each operator of the network must occur, from its shape alone."""
    with torch.device("meta"):
        network = build_student(contract.student).as_conv()
        modules = Counter(type(module) for module in network.modules())
    activation = ACTIVATION_OPERATORS[contract.activation][0]
    counts = {
        "conv": modules[nn.Conv2d] + ENCODER_CONVS[contract.layout],
        "conv_transpose": modules[nn.ConvTranspose2d],
        "gelu": 0,
        "relu": 0,
        "sigmoid": modules[nn.Sigmoid],
    }
    counts[activation] = modules[nn.GELU] + modules[nn.ReLU]
    return counts


def _require(package: Package, expected: str, holds: bool, found: object) -> None:
    if not holds:
        raise BundleError(f"{package.name}: has {found}, expected {expected}; bundle it again")


def _listed(features: tuple[Feature, ...]) -> str:
    return ", ".join(
        f"{feature.kind} {feature.name} {feature.dtype}{list(feature.shape)}"
        for feature in features
    )


def program_facts(package: Package) -> ProgramFacts:
    """Returns a package's program as cost and placement read it."""
    program = package.program
    shapes = {value.name: value.type.shape for value in program.inputs}
    computed = set(shapes)
    facts = []
    for operation in program.operations:
        shapes.update((output.name, output.type.shape) for output in operation.outputs)
        if not operation.is_constexpr:
            facts.append(_facts(operation, shapes, computed))
            computed.add(operation.name)
    uploads = {value.name: value.type.shape for value in program.inputs}
    return ProgramFacts(uploads, tuple(facts), program.outputs)


def _facts(
    operation: Operation, shapes: dict[str, tuple[int, ...]], computed: set[str]
) -> OperationFacts:
    inputs = {}
    reads = []
    for parameter, operands in operation.inputs.items():
        inputs[parameter] = tuple(
            shapes[operand] if isinstance(operand, str) else operand.type.shape
            for operand in operands
        )
        reads += [
            operand for operand in operands if isinstance(operand, str) and operand in computed
        ]
    return OperationFacts(
        kind=operation.type,
        name=operation.name,
        precision=operation.outputs[0].type.dtype,
        reads=tuple(reads),
        inputs=inputs,
        output=operation.outputs[0].type.shape,
        settings=_settings(operation),
    )


def _settings(operation: Operation) -> dict[str, object]:
    """Returns the constants of an operation that are not operands."""
    return {
        parameter: operand.array.tolist()
        for parameter, (operand, *_) in operation.inputs.items()
        if isinstance(operand, Constant) and operand.type.dtype in ("int32", "bool", "string")
    }
