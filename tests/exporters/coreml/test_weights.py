"""weight.bin and compressed weights, against what coremltools writes and decompresses."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.package.constexpr import decompress
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.package.weights import BLOB_TYPES, WeightsFile
from tests.helpers.coreml.models import NAME, WEIGHTS, changed, package_files, two_convs

#: Method of coremltools' writer and an array with the extremes of the type, of odd length, so that
#: packed elements leave bits over.
WRITTEN = {
    "fp16": ("write_fp16_data", np.array([0.1, -65504, np.inf, 6e-8, 1], np.float16)),
    "fp32": ("write_float_data", np.array([0.1, -3e38, 1e-45], np.float32)),
    "uint8": ("write_uint8_data", np.array([0, 1, 255], np.uint8)),
    "int8": ("write_int8_data", np.array([-128, -1, 0, 127, 5], np.int8)),
    "uint32": ("write_uint32_data", np.array([0, 2**32 - 1, 3], np.uint32)),
    "int4": ("write_int4_data", np.array([-8, -1, 0, 7, 3], np.int8)),
    "uint1": ("write_uint1_data", np.array([1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1], np.uint8)),
    "uint2": ("write_uint2_data", np.array([3, 0, 1, 2, 1], np.uint8)),
    "uint3": ("write_uint3_data", np.array([7, 0, 5, 2, 1, 6, 3], np.uint8)),
    "uint4": ("write_uint4_data", np.array([15, 0, 9, 2, 1], np.uint8)),
    "uint6": ("write_uint6_data", np.array([63, 0, 33, 2, 1, 31, 7], np.uint8)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file with all element types, and the offset of each."""
    from coremltools.libmilstoragepython import _BlobStorageWriter

    path = tmp_path_factory.mktemp("weights") / "weight.bin"
    writer = _BlobStorageWriter(str(path))
    offsets = {}
    for dtype, (method, values) in WRITTEN.items():
        raw = values.view(np.uint16) if dtype == "fp16" else values
        offsets[dtype] = getattr(writer, method)(raw)
    del writer
    return path.read_bytes(), offsets


def test_every_element_type_is_tested():
    assert WRITTEN.keys() == BLOB_TYPES.keys()


@pytest.mark.parametrize("dtype", WRITTEN)
def test_elements_are_those_that_were_written(written, dtype):
    data, offsets = written
    values = WRITTEN[dtype][1]
    read = WeightsFile(data, "weight.bin").array(offsets[dtype], dtype, len(values))
    assert read.dtype.newbyteorder("=") == values.dtype
    np.testing.assert_array_equal(read, values)


def test_a_record_is_only_read_as_what_it_is(written):
    data, offsets = written
    weights = WeightsFile(data, "weight.bin")
    with pytest.raises(BundleError, match="type 1, expected 2"):
        weights.array(offsets["fp16"], "fp32", 5)
    with pytest.raises(BundleError, match="10 bytes with 0 bits of padding, expected 8"):
        weights.array(offsets["fp16"], "fp16", 4)
    # As many bytes, but another element more.
    with pytest.raises(BundleError, match="with 4 bits of padding, expected 3 and 0"):
        weights.array(offsets["uint4"], "uint4", 6)
    with pytest.raises(BundleError, match="does not start a record"):
        weights.array(offsets["fp16"] + 64, "fp16", 5)


def test_every_truncation_is_found(written):
    data, _ = written
    for length in range(len(data)):
        with pytest.raises(BundleError, match=r"^weight\.bin"):
            WeightsFile(data[:length], "weight.bin")
    with pytest.raises(BundleError, match="expected"):
        WeightsFile(data + b"\0", "weight.bin")


def test_damage_to_header_and_records_is_found(written):
    data, offsets = written
    places = [*range(64), *(offset + byte for offset in offsets.values() for byte in range(64))]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        with pytest.raises(BundleError):  # noqa: PT012  # the file or the first read must fail
            weights = WeightsFile(bytes(damaged), "weight.bin")
            for dtype, (_, values) in WRITTEN.items():
                weights.array(offsets[dtype], dtype, len(values))


def test_a_record_that_points_elsewhere_is_refused(written):
    data, offsets = written
    # Another record's data, well inside the file: only the fixed place of the data tells.
    moved = bytearray(data)
    struct.pack_into("<Q", moved, offsets["fp16"] + 16, offsets["fp32"] + 64)
    with pytest.raises(BundleError, match="is damaged"):
        WeightsFile(bytes(moved), "weight.bin")


def _linear(**options):
    def compress(model):
        import coremltools.optimize.coreml as optimize

        config = optimize.OpLinearQuantizerConfig(weight_threshold=64, **options)
        return optimize.linear_quantize_weights(model, optimize.OptimizationConfig(config))

    return compress


def _palette(*, joint=False, **options):
    def compress(model):
        import coremltools.optimize.coreml as optimize

        config = optimize.OpPalettizerConfig(weight_threshold=64, **options)
        return optimize.palettize_weights(
            model, optimize.OptimizationConfig(config), joint_compression=joint
        )

    return compress


def _pruned(then=None):
    def compress(model):
        import coremltools.optimize.coreml as optimize

        config = optimize.OpMagnitudePrunerConfig(target_sparsity=0.4, weight_threshold=64)
        model = optimize.prune_weights(model, optimize.OptimizationConfig(config))
        return then(model) if then else model

    return compress


def _sparse_linear(**options):
    def compress(model):
        import coremltools.optimize.coreml as optimize

        config = optimize.OpLinearQuantizerConfig(weight_threshold=64, **options)
        return optimize.linear_quantize_weights(
            model, optimize.OptimizationConfig(config), joint_compression=True
        )

    return compress


BLOCK = {"granularity": "per_block", "block_size": 4}
GROUP = {"granularity": "per_grouped_channel", "group_size": 4}

#: iOS version, how the weights are compressed, and which operators that gives.
FORMS = {
    "int8 of iOS 16": (16, _linear(mode="linear_symmetric"), {"affine_dequantize"}),
    "asymmetric int8 of iOS 16": (16, _linear(mode="linear"), {"affine_dequantize"}),
    "uint8 of iOS 16": (16, _linear(mode="linear", dtype="uint8"), {"affine_dequantize"}),
    "one scale, iOS 16": (
        16,
        _linear(mode="linear", granularity="per_tensor"),
        {"affine_dequantize"},
    ),
    **{
        f"{bits}-bit palette of iOS {ios}": (
            ios,
            _palette(mode="uniform", nbits=bits),
            {"lut_to_dense"},
        )
        for ios, widths in ((16, (8, 6, 4, 1)), (18, (6, 4, 3)))
        for bits in widths
    },
    "sparse of iOS 16": (16, _pruned(), {"sparse_to_dense"}),
    "int8 of iOS 18": (18, _linear(mode="linear_symmetric"), {"blockwise_shift_scale"}),
    "asymmetric int8 of iOS 18": (18, _linear(mode="linear"), {"blockwise_shift_scale"}),
    "int4 blocks": (
        18,
        _linear(mode="linear_symmetric", dtype="int4", **BLOCK),
        {"blockwise_shift_scale"},
    ),
    "uint4 blocks": (18, _linear(mode="linear", dtype="uint4", **BLOCK), {"blockwise_shift_scale"}),
    "grouped 6-bit palette": (18, _palette(mode="uniform", nbits=6, **GROUP), {"lut_to_dense"}),
    "grouped 4-bit palette": (18, _palette(mode="uniform", nbits=4, **GROUP), {"lut_to_dense"}),
    "palette with scales": (
        18,
        _palette(mode="uniform", nbits=4, enable_per_channel_scale=True),
        {"lut_to_dense", "blockwise_shift_scale"},
    ),
    "sparse of iOS 18": (18, _pruned(), {"sparse_to_dense"}),
    "sparse int8": (
        18,
        _pruned(_sparse_linear(mode="linear_symmetric")),
        {"sparse_to_dense", "sparse_blockwise_shift_scale"},
    ),
    "sparse asymmetric int8": (
        18,
        _pruned(_sparse_linear(mode="linear")),
        {"sparse_to_dense", "sparse_blockwise_shift_scale"},
    ),
    "sparse 4-bit palette": (
        18,
        _pruned(_palette(mode="uniform", nbits=4, joint=True)),
        {"sparse_to_dense", "lut_to_sparse"},
    ),
    "sparse grouped 6-bit palette": (
        18,
        _pruned(_palette(mode="uniform", nbits=6, joint=True, **GROUP)),
        {"sparse_to_dense", "lut_to_sparse"},
    ),
}


@pytest.fixture(scope="module")
def sources():
    return {ios: two_convs(ios=ios) for ios in (16, 18)}


def _weights(package):
    """Weights of the convs in order, decompressed."""
    constants = {}
    weights = []
    for operation in package.program.operations:
        if operation.is_constexpr:
            constants.update(decompress(operation, constants, NAME))
        elif "weight" in operation.inputs:
            (weight,) = operation.inputs["weight"]
            weights.append(constants[weight].array if isinstance(weight, str) else weight.array)
    return weights


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", FORMS)
def test_decompressed_weights_are_those_of_coremltools_bit_for_bit(sources, form):
    import coremltools.optimize.coreml as optimize

    ios, compress, operators = FORMS[form]
    model = compress(sources[ios])
    package = read_package(package_files(model), NAME)
    used = {op.type for op in package.program.operations if op.is_constexpr}
    assert used == {f"constexpr_{name}" for name in operators}
    reference = read_package(package_files(optimize.decompress_weights(model)), NAME)
    assert not any(operation.is_constexpr for operation in reference.program.operations)
    weights, expected = _weights(package), _weights(reference)
    assert [weight.shape for weight in weights] == [(16, 24, 1, 1), (16, 8, 3, 3)]
    for weight, values in zip(weights, expected, strict=True):
        assert weight.dtype == values.dtype == np.float16
        assert np.ptp(values) > 0
        np.testing.assert_array_equal(weight.view(np.uint16), values.view(np.uint16))


def test_a_swapped_weight_is_another_model(sources):
    files = package_files(sources[16])
    data = bytearray(files[WEIGHTS])
    data[64 + 64 + 1] ^= 1
    before = read_package(files, NAME)
    after = read_package(changed(files, WEIGHTS, bytes(data)), NAME)
    assert before.weights_sha256 != after.weights_sha256
