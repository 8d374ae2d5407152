"""Rows of the operator table without a SnapML layer, each with what to use instead."""

from __future__ import annotations

from mobile_nelf.deploy.operators_schema import Operator

__all__ = ["UNSUPPORTED"]

ABSENT = "In no SnapML table, guide or public project"
LENSATHON = "Lensathon notebook: not supported in SnapML"
SURGERY = "OCR notebook, graph surgery: replaced before import"


def _without_layer(op: str, advice: str, source: str = ABSENT) -> Operator:
    return Operator(op, None, source, advice=advice)


UNSUPPORTED: tuple[Operator, ...] = (
    # Activations.
    _without_layer("Erf", "use GeluSnap for a GELU, or train with ReLU"),
    _without_layer("Gelu", "use GeluSnap, or train with ReLU"),
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
    _without_layer("Squeeze", "use Reshape with the sizes written out", SURGERY),
    _without_layer("Tile", "store the repeated constant, or Concat copies"),
    _without_layer("Unsqueeze", "use Reshape with the sizes written out", SURGERY),
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
