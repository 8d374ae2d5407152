"""The operator table: one row an ONNX operator, with its SnapML layer and back-end support.

Sources, strongest first. The compatibility data that Lens Studio itself wrote into the 360 template
is a record of the importer at work, so it wins over the documentation where they differ (Concat,
GeluSnap, ReduceSum). The documentation's compatibility table is next. Public notebooks, which edit
graphs until SnapML takes them, and error messages show what the importer needs beyond that.

The documented layers Embedding and Linear have no row: no ONNX operator is known to give them.
"""

from __future__ import annotations

from dataclasses import replace

from mobile_nelf.vocabulary import GELU_SNAP
from mobile_nelf_exporters.snapml.schema import Backend, Operator, Restriction

__all__ = ["MAX_OPSET", "MIN_OPSET", "OPERATORS", "OUTPUT_SCALE_OPERATOR", "operator"]

#: Opsets that Snap's guides and notebooks export; nothing above 11 is known to be imported.
MIN_OPSET, MAX_OPSET = 9, 11

#: The importer compiles an output scale other than 1 into the graph as this operator's layer.
OUTPUT_SCALE_OPERATOR = "BatchNormalization"

DOCS = "SnapML compatibility table (2026-05)"
GUIDE = "SnapML guide, Export from PyTorch"
TEMPLATE = "360 template, compatibility data"
SURGERY = "OCR notebook, graph surgery"
ABSENT = "In no SnapML table, guide or public project"
LENSATHON = "Lensathon notebook: not supported in SnapML"
REPLACED = f"{SURGERY}: replaced before import"


_NPU: tuple[Backend, ...] = ("iphone_npu",)
_ANDROID: tuple[Backend, ...] = ("android_gpu",)
_NPU_AND_ANDROID: tuple[Backend, ...] = ("iphone_npu", "android_gpu")
_CPU_AND_GPU: tuple[Backend, ...] = ("cpu", "iphone_gpu", "android_gpu")
_CPU_AND_IPHONE_GPU: tuple[Backend, ...] = ("cpu", "iphone_gpu")

_SAME_STRIDE = Restriction(
    "equal", "The stride must be the same in height and width", f"{DOCS}; {SURGERY}",
    attribute="strides",
)  # fmt: skip
_PADDING = Restriction("padding", "Padding cannot be larger than the kernel", DOCS)
_GROUP = Restriction("group", "Only one group or depthwise is supported", DOCS)
_WEIGHTS = Restriction(
    "constant", "Weights must be constants of the graph", "ONNX import in general", values=(1,)
)
_BROADCAST = Restriction(
    "broadcast",
    "Only one operand may broadcast, along the channel or along height and width",
    DOCS,
    values=("one",),
)
_FIRST_LARGEST = Restriction(
    "broadcast",
    "The first operand must be the largest; others broadcast along the channel or along height "
    "and width",
    DOCS,
    values=("first_largest",),
)
_NO_BROADCAST = Restriction(
    "broadcast", "All operands must have the same shape", DOCS, values=("none",)
)
_CHANNEL_AXIS = Restriction(
    "axis", "Only the channel axis is supported", f"{DOCS}; {SURGERY}",
    attribute="axis", values=(1,), default=1,
)  # fmt: skip
_REDUCED = (
    Restriction(
        "axes", "Only reduction along N, C, HW or HWC is supported", DOCS, _CPU_AND_IPHONE_GPU,
        values=((0,), (1,), (2, 3), (1, 2, 3)),
    ),
    Restriction(
        "axes", "Only reduction along N, C or HW is supported", DOCS, _ANDROID,
        values=((0,), (1,), (2, 3)),
    ),
)  # fmt: skip
_SAME_SCALE = Restriction("scale", "Height and width must be resized by the same factor", DOCS)
_RESIZE_MODE = Restriction(
    "allowed", "Only nearest and linear resizing are supported", DOCS,
    attribute="mode", values=("nearest", "linear"), default="nearest",
)  # fmt: skip

_SUPPORTED = (
    # Convolutions and products.
    Operator(
        "Conv", "conv", DOCS, parameters=(1, 2), half=(1, 2),
        restrictions=(
            _WEIGHTS,
            _SAME_STRIDE,
            Restriction(
                "equal", "The dilation must be the same in height and width", DOCS,
                attribute="dilations",
            ),
            replace(_PADDING, backends=_CPU_AND_GPU),
            replace(_GROUP, backends=_ANDROID),
        ),
    ),
    Operator(
        "ConvTranspose", "deconv", DOCS, parameters=(1, 2), half=(1, 2),
        restrictions=(
            _WEIGHTS,
            Restriction(
                "allowed", "The dilation must be 1", DOCS,
                attribute="dilations", values=(1,), default=1,
            ),
            replace(_SAME_STRIDE, source=DOCS),
            Restriction(
                "equal", "The padding must be the same in height and width", DOCS,
                attribute="pads",
            ),
            Restriction(
                "equal", "The kernel must be as high as wide", DOCS, attribute="kernel_shape"
            ),
            _PADDING,
            _GROUP,
        ),
    ),
    Operator(
        "Gemm", "fullyconnected", f"{DOCS}, row Fully Connected; {SURGERY}",
        parameters=(1, 2), half=(1, 2), restrictions=(_WEIGHTS,),
    ),
    Operator(
        "MatMul", "batchmatmul", f"{DOCS}, row Batch Matrix Multiplication", _NPU_AND_ANDROID
    ),
    # Elementwise with several operands.
    Operator("Add", "eltwise", f"{DOCS}; {TEMPLATE}", restrictions=(_BROADCAST,)),
    Operator("Mul", "eltwise", f"{DOCS}; {TEMPLATE}", restrictions=(_BROADCAST,)),
    Operator("Sub", "eltwise", DOCS, _NPU, (_FIRST_LARGEST,)),
    Operator("Div", "eltwise", DOCS, _NPU, (_FIRST_LARGEST,)),
    Operator("Max", "eltwise", DOCS, restrictions=(_NO_BROADCAST,)),
    Operator("Min", "eltwise", DOCS, restrictions=(_NO_BROADCAST,)),
    # Elementwise with one operand.
    Operator("Abs", "abs", DOCS),
    Operator("Cos", "cos", f"{DOCS}; {TEMPLATE}", _NPU),
    Operator("Exp", "exp", DOCS, _NPU),
    Operator("Log", "log", DOCS),
    Operator(
        "Pow", "power", DOCS, parameters=(1,),
        restrictions=(
            Restriction(
                "constant", "The exponent must be a constant", f"{DOCS}, read as a one-input layer",
                values=(1,),
            ),
        ),
    ),
    Operator("Reciprocal", "inverse", f"{DOCS}, row Inverse, taken to be 1/x", _NPU),
    Operator("Sin", "sin", f"{DOCS}; {TEMPLATE}", _NPU),
    Operator("Sqrt", "sqrt", DOCS, _NPU),
    # Activations.
    Operator(
        "Clip", "relu6", f"{DOCS}, row ReLU6; {SURGERY} uses no other bounds", parameters=(1, 2),
        restrictions=(
            Restriction("clip", "Only clipping to 0 and 6 is supported", SURGERY, values=(0, 6)),
        ),
    ),
    Operator("Elu", "elu", DOCS),
    Operator(
        GELU_SNAP, "gelu",
        f"{TEMPLATE}; the documentation does not list it, but the template's models use it",
        _ANDROID,
    ),
    Operator("LeakyRelu", "leakyrelu", DOCS),
    Operator("PRelu", "prelu", DOCS, parameters=(1,), restrictions=(_WEIGHTS,)),
    Operator("Relu", "relu", DOCS),
    Operator("Sigmoid", "sigmoid", f"{DOCS}; {TEMPLATE}"),
    Operator("Softmax", "softmax", DOCS, restrictions=(_CHANNEL_AXIS,)),
    Operator("Softplus", "softplus", DOCS, _NPU),
    Operator("Softsign", "softsign", DOCS, _NPU),
    Operator("Tanh", "tanh", DOCS),
    # Normalization, pooling, resizing.
    Operator("BatchNormalization", "batchnorm", f"{DOCS}; {TEMPLATE}", parameters=(1, 2, 3, 4)),
    Operator("InstanceNormalization", "instancenorm", DOCS, _NPU, parameters=(1, 2)),
    Operator("AveragePool", "pool", DOCS, restrictions=(_PADDING,)),
    Operator("GlobalAveragePool", "pool", DOCS),
    Operator("MaxPool", "pool", DOCS, restrictions=(_PADDING,)),
    Operator(
        "Resize", "resize", DOCS, parameters=(1, 2, 3), opsets=(10, 11),
        restrictions=(
            _RESIZE_MODE,
            _SAME_SCALE,
            Restriction(
                "allowed", "Align corners is not supported", GUIDE, _NPU,
                attribute="coordinate_transformation_mode",
                values=("half_pixel", "pytorch_half_pixel", "asymmetric"), default="half_pixel",
            ),
        ),
    ),
    Operator(
        "Upsample", "resize", DOCS, parameters=(1,), opsets=(9, 9),
        restrictions=(_RESIZE_MODE, _SAME_SCALE),
    ),
    # Reductions.
    Operator("ReduceMax", "reduce", DOCS, _NPU, _REDUCED, parameters=(1,)),
    Operator("ReduceMean", "reduce", DOCS, _NPU, _REDUCED, parameters=(1,)),
    Operator(
        "ReduceSum", "reduce",
        f"{TEMPLATE}; the documentation lists ReduceMean and ReduceMax only, whose axes it shares",
        _NPU, _REDUCED, parameters=(1,),
    ),
    Operator("ArgMax", "argmax", DOCS, _NPU, (replace(_CHANNEL_AXIS, default=0),)),
    Operator("ArgMin", "argmin", DOCS, _NPU, (replace(_CHANNEL_AXIS, default=0),)),
    # Shapes and memory.
    Operator(
        "Concat", "concat",
        f"{TEMPLATE}, where the NPU takes the channel axis only and the others took height too; "
        "the documentation says batch and channel everywhere",
        restrictions=(
            Restriction(
                "axis", "Only concat along batch, channel or height is supported", TEMPLATE,
                _CPU_AND_GPU, "axis", (0, 1, 2),
            ),
            Restriction(
                "axis", "Only concat along channel is supported", TEMPLATE, _NPU, "axis", (1,)
            ),
        ),
    ),
    Operator(
        "Constant", "constant", f"{DOCS}; {TEMPLATE}", _NPU,
        (
            Restriction(
                "readers", "Constants are supported in elementwise operators only", DOCS, _ANDROID,
                values=("eltwise",),
            ),
        ),
    ),
    Operator("Dropout", "identity", "Does nothing at inference", becomes=(), parameters=(1, 2)),
    Operator("Flatten", "flatten", DOCS, _NPU),
    Operator("Identity", "identity", "Does nothing", becomes=()),
    Operator(
        "Pad", "pad", DOCS, parameters=(1, 2),
        restrictions=(
            Restriction(
                "allowed", "Only constant and reflect padding are supported", DOCS,
                attribute="mode", values=("constant", "reflect"), default="constant",
            ),
        ),
    ),
    Operator(
        "Reshape", "reshape",
        f"{DOCS}; {TEMPLATE}, where each one stands between two permutes, as memory is NHWC",
        _NPU, parameters=(1,), becomes=("Transpose", "Reshape", "Transpose"),
        restrictions=(
            Restriction("constant", "The target shape must be a constant", SURGERY, values=(1,)),
            Restriction(
                "shape", "The target shape must hold the sizes themselves, not 0", SURGERY,
                values=(1,),
            ),
        ),
    ),
    Operator(
        "Slice", "slice", DOCS, _NPU, parameters=(1, 2, 3, 4),
        restrictions=(
            Restriction("constant", "The bounds must be constants", SURGERY, values=(1, 2, 3, 4)),
        ),
    ),
    Operator(
        "Transpose", "permute", f"{DOCS}; {TEMPLATE}", _NPU,
        (Restriction("rank", "Only tensors of rank 4 can be permuted", SURGERY, values=(4,)),),
    ),
    # Recurrence.
    Operator("LSTM", "lstm", DOCS, _NPU_AND_ANDROID, parameters=(1, 2, 3, 4, 5, 6, 7), half=(1, 2)),
    Operator("RNN", "rnn", DOCS, _NPU_AND_ANDROID, parameters=(1, 2, 3, 4, 5), half=(1, 2)),
)  # fmt: skip


def _without_layer(op: str, advice: str, source: str = ABSENT) -> Operator:
    return Operator(op, None, source, advice=advice)


#: Operators without a layer, each with what to use instead.
_UNSUPPORTED: tuple[Operator, ...] = (
    # Activations.
    _without_layer("Erf", f"use {GELU_SNAP} for a GELU, or train with ReLU"),
    _without_layer("Gelu", f"use {GELU_SNAP}, or train with ReLU"),
    _without_layer("HardSigmoid", "write it as Mul, Add, Clip to 0 and 6, Mul", LENSATHON),
    _without_layer("HardSwish", "write it as Add, Clip to 0 and 6, Mul", LENSATHON),
    _without_layer("Mish", "train with ReLU or LeakyReLU"),
    _without_layer("Neg", "multiply by a constant −1"),
    # Normalization and pooling.
    _without_layer("GlobalMaxPool", "use ReduceMax over height and width"),
    _without_layer("GroupNormalization", "train with BatchNorm"),
    _without_layer("LayerNormalization", "train with BatchNorm"),
    # Shapes and memory.
    _without_layer("Cast", "keep every tensor float32; simplify the graph"),
    _without_layer("ConstantOfShape", "write the constant out; simplify the graph"),
    _without_layer("DepthToSpace", "use ConvTranspose"),
    _without_layer("Expand", "store the expanded constant, or Concat copies"),
    _without_layer("Gather", "use Slice, or fixed shapes and a simplified graph"),
    _without_layer("GridSample", "sample on the host"),
    _without_layer("Range", "write the constant out; simplify the graph"),
    _without_layer("Shape", "export with fixed shapes and simplify the graph"),
    _without_layer("SpaceToDepth", "use Conv with a stride"),
    _without_layer("Split", "use one Slice for each part"),
    _without_layer("Squeeze", "use Reshape with the sizes written out", REPLACED),
    _without_layer("Tile", "store the repeated constant, or Concat copies"),
    _without_layer("Unsqueeze", "use Reshape with the sizes written out", REPLACED),
    _without_layer("Where", "mask with Mul and Add"),
    # Products and recurrence.
    _without_layer("Einsum", "write it as MatMul or as 1×1 Conv"),
    _without_layer("GRU", "use LSTM or RNN"),
    # Control flow and quantization.
    _without_layer("DequantizeLinear", "ship float weights; 8 bit is documented for TFLite only"),
    _without_layer("If", "decide on the host"),
    _without_layer("Loop", "unroll it"),
    _without_layer("QuantizeLinear", "ship float weights; 8 bit is documented for TFLite only"),
    _without_layer("Scan", "unroll it"),
)

#: Every operator that something is known about, by ONNX operator type.
OPERATORS: dict[str, Operator] = {row.op: row for row in (*_SUPPORTED, *_UNSUPPORTED)}


def operator(op_type: str) -> Operator | None:
    """Returns the row of an ONNX operator of the default domain, None if nothing is known."""
    return OPERATORS.get(op_type)
