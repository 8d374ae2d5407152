"""The SnapML check against the 360 template's own table and the documentation's."""

from __future__ import annotations

import json

import onnx
import pytest
import torch

from benchmarks.official_chain import official_chain
from mobile_nelf.cameras import Intrinsics
from mobile_nelf.plain import to_dict
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.students.rewrite import fold_batchnorm
from mobile_nelf_exporters.snapml.check import check_snapml
from mobile_nelf_exporters.snapml.schema import BACKENDS
from mobile_nelf_exporters.snapml.table import OPERATORS, operator

#: Predicted against known import sizes; the format around the numbers is not modelled.
SIZE_TOLERANCE = 0.01
#: The sampler's constants deflate differently with the focal length, which is not known.
SAMPLER_SIZE_TOLERANCE = 0.1

ALL = set(BACKENDS)
NPU = {"iphone_npu"}
ANDROID = {"android_gpu"}

NOT_SUPPORTED = "The layer type is not supported by backend"


# The official graphs ------------------------------------------------------------------------------

#: Layers of one embedder, one sampler and seven networks, and how many of them each back-end
#: refuses with which words, as Lens Studio recorded it.
TEMPLATE = {
    "conv": (504, {}),
    "deconv": (21, {}),
    "gelu": (252, {"android_gpu": (252, NOT_SUPPORTED)}),
    "eltwise": (256, {}),
    "sigmoid": (7, {}),
    "batchnorm": (7, {}),
    "concat": (6, {"iphone_npu": (3, "Only concat along channel is supported")}),
    "constant": (3, {"iphone_npu": (3, NOT_SUPPORTED)}),
    "sin": (1, {"iphone_npu": (1, NOT_SUPPORTED)}),
    "cos": (1, {"iphone_npu": (1, NOT_SUPPORTED)}),
    "permute": (9, {"iphone_npu": (9, NOT_SUPPORTED)}),
    "reshape": (5, {"iphone_npu": (5, NOT_SUPPORTED)}),
    "reduce": (1, {"iphone_npu": (1, NOT_SUPPORTED)}),
}


@pytest.fixture(scope="module")
def reports():
    """Sampler, embedder and network of D60-SR3; only shapes matter."""
    torch.manual_seed(0)
    student = StudentConfig(EncoderConfig(2.0, 6.0))
    network = fold_batchnorm(build_student(student))
    lens = Intrinsics.centred(100, 100, 138.9)
    sampler, embedder, main = official_chain(network, student, lens, "snap")
    return (
        check_snapml(sampler, output_scaled=False),
        check_snapml(embedder, output_scaled=False),
        check_snapml(main),
    )


def test_template_table_is_reproduced(reports):
    counts, refused = {}, {}
    for report, copies in zip(reports, (1, 1, 7), strict=True):
        for row in report.layers:
            counts[row.layer] = counts.get(row.layer, 0) + copies * row.count
            for backend, verdict in row.verdicts.items():
                if verdict.failing:
                    before, _ = refused.get((row.layer, backend), (0, ""))
                    entry = (before + copies * verdict.failing, verdict.reason)
                    refused[row.layer, backend] = entry
    assert counts == {layer: count for layer, (count, _) in TEMPLATE.items()}
    assert refused == {
        (layer, backend): entry
        for layer, (_, entries) in TEMPLATE.items()
        for backend, entry in entries.items()
    }


def test_layers_of_each_official_graph(reports):
    assert [sum(row.count for row in report.layers) for report in reports] == [24, 6, 149]


def test_backends_of_the_official_graphs(reports):
    sampler, embedder, main = reports
    assert sampler.complete_backends == embedder.complete_backends
    assert sampler.complete_backends == ("cpu", "iphone_gpu", "android_gpu")
    assert main.complete_backends == ("cpu", "iphone_gpu", "iphone_npu")
    assert main.lacking["android_gpu"] == ("gelu",)
    assert all(report.passed and not report.problems for report in reports)


def test_known_import_sizes(reports):
    sampler, embedder, main = reports
    assert sampler.import_bytes == pytest.approx(29_424, rel=SAMPLER_SIZE_TOLERANCE)
    assert embedder.import_bytes == pytest.approx(5_677, rel=SIZE_TOLERANCE)
    assert main.import_bytes == pytest.approx(0.490 * 17_114_351, rel=SIZE_TOLERANCE)


def test_cost_and_upload_of_the_official_network(reports):
    assert [report.upload_bytes for report in reports] == [48, 960_000, 12_480_000]
    assert round(reports[2].cost.macs / 1e9, 1) == 50.6


def test_report_is_json(reports):
    for report in reports:
        plain = json.loads(json.dumps(to_dict(report)))
        assert plain["passed"] is True
        assert set(plain["layers"][0]["verdicts"]) == ALL


def test_exact_gelu_is_no_snapml_layer():
    student = StudentConfig(EncoderConfig(2.0, 6.0), depth=6, width=8, ray_width=5, ray_height=5)
    network = fold_batchnorm(build_student(student))
    main = official_chain(network, student, Intrinsics.centred(5, 5, 6.0), "erf")[2]
    report = check_snapml(main)
    assert not report.passed
    assert report.complete_backends == ()
    assert any("Erf" in problem and "GeluSnap" in problem for problem in report.problems)
    # The three scalars of the formula, which the exporter writes with rank 0.
    assert any("3 tensor(s) of rank 0" in problem for problem in report.problems)


# The documentation --------------------------------------------------------------------------------

#: The documentation's rows by the ONNX operators they stand for, with the ✗ columns.
DOCUMENTED = {
    "Absolute": (["Abs"], set()),
    "Argmax": (["ArgMax"], NPU),
    "Argmin": (["ArgMin"], NPU),
    "Batch Matrix Multiplication": (["MatMul"], NPU | ANDROID),
    "Batch Normalization": (["BatchNormalization"], set()),
    "Concat": (["Concat"], set()),
    "Constant": (["Constant"], NPU),
    "Convolution": (["Conv"], set()),
    "Transposed Convolution": (["ConvTranspose"], set()),
    "Cos": (["Cos"], NPU),
    "Eltwise Add": (["Add"], set()),
    "Eltwise Div": (["Div"], NPU),
    "Eltwise Max": (["Max"], set()),
    "Eltwise Min": (["Min"], set()),
    "Eltwise Mul": (["Mul"], set()),
    "Eltwise Sub": (["Sub"], NPU),
    "Elu": (["Elu"], set()),
    "Exponential": (["Exp"], NPU),
    "Flatten": (["Flatten"], NPU),
    "Fully Connected": (["Gemm"], set()),
    "Instance Normalization": (["InstanceNormalization"], NPU),
    "Inverse": (["Reciprocal"], NPU),
    "Leaky ReLU": (["LeakyRelu"], set()),
    "Log": (["Log"], set()),
    "LSTM": (["LSTM"], NPU | ANDROID),
    "Padding": (["Pad"], set()),
    "Permute": (["Transpose"], NPU),
    "Pooling Average": (["AveragePool"], set()),
    "Pooling Global Average": (["GlobalAveragePool"], set()),
    "Pooling Max": (["MaxPool"], set()),
    "Power": (["Pow"], set()),
    "Parametric ReLU": (["PRelu"], set()),
    "Reduce Mean": (["ReduceMean"], NPU),
    "Reduce Max": (["ReduceMax"], NPU),
    "ReLU": (["Relu"], set()),
    "ReLU6": (["Clip"], set()),
    "Reshape": (["Reshape"], NPU),
    "Resize Bilinear, Nearest": (["Resize", "Upsample"], set()),
    "RNN": (["RNN"], NPU | ANDROID),
    "Sigmoid": (["Sigmoid"], set()),
    "Sin": (["Sin"], NPU),
    "Slice": (["Slice"], NPU),
    "Softmax": (["Softmax"], set()),
    "Softplus": (["Softplus"], NPU),
    "Softsign": (["Softsign"], NPU),
    "Square Root": (["Sqrt"], NPU),
    "Tanh": (["Tanh"], set()),
}

#: Known from elsewhere than the documentation.
UNDOCUMENTED = {"GeluSnap", "ReduceSum", "Identity", "Dropout"}


def test_table_agrees_with_the_documentation():
    documented = {op: missing for ops, missing in DOCUMENTED.values() for op in ops}
    supported = {row.op for row in OPERATORS.values() if row.layer is not None}
    assert supported == set(documented) | UNDOCUMENTED
    assert {op: set(OPERATORS[op].missing) for op in documented} == documented


def test_every_row_has_a_source_and_a_way_out():
    for op, row in OPERATORS.items():
        assert row.op == op
        assert row.source
        assert all(restriction.source for restriction in row.restrictions)
        assert (row.layer is None) == bool(row.advice), op
        assert all(operator(part) is not None for part in row.becomes or ())
        # Only operators that ONNX has, apart from SnapML's own.
        assert op == "GeluSnap" or onnx.defs.has(op)
