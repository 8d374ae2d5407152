"""`verify` catches every change to a bundle."""

from __future__ import annotations

import json
import random
import shutil

import onnx
import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import FileRecord, read_manifest
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.plain import from_dict, to_dict
from tests.helpers.students import random_checkpoint

MODEL = {"onnx": "model.onnx", "lens": "lens_project/Assets/model.onnx"}


@pytest.fixture(scope="module", params=["onnx", "lens"])
def original(request, tmp_path_factory):
    output = tmp_path_factory.mktemp("bundles") / "thing"
    checkpoint = random_checkpoint(sr_widths=(8,))
    return create_bundle(checkpoint, target=request.param, output=output)


@pytest.fixture
def copy(original, tmp_path):
    shutil.copytree(original.path, tmp_path / "copy")
    return tmp_path / "copy"


def _complaint(path) -> str:
    """What verify says about a bundle; empty if it is content."""
    try:
        return "; ".join(verify_bundle(path).problems)
    except BundleError as error:
        return str(error)


def _rewrite_manifest(path, change) -> None:
    """Edits the manifest as someone would who also recomputes every hash."""
    manifest = read_manifest(path)
    data = to_dict(manifest)
    change(data)
    data["files"] = {
        name: to_dict(FileRecord.of((path / name).read_bytes())) for name in data["files"]
    }
    edited = from_dict(type(manifest), data, "manifest")
    (path / "manifest.json").write_bytes(edited.to_bytes())


def test_an_untouched_copy_passes(copy):
    assert _complaint(copy) == ""


def test_any_flipped_byte_in_any_file_is_caught(original, copy):
    rng = random.Random(0)
    for name in [*original.manifest.files, "manifest.json"]:
        file = copy / name
        content = file.read_bytes()
        for position in {0, len(content) - 1, rng.randrange(len(content))}:
            flipped = bytearray(content)
            flipped[position] ^= 1 << rng.randrange(8)
            file.write_bytes(flipped)
            assert name in _complaint(copy), (name, position)
        file.write_bytes(content)
    assert _complaint(copy) == ""


def test_a_missing_file_is_named(copy):
    (copy / "reference" / "frame_003.png").unlink()
    assert _complaint(copy) == "reference/frame_003.png: is missing"


def test_a_swapped_model_with_new_hashes_fails_in_the_picture(original, copy, tmp_path):
    other = create_bundle(
        random_checkpoint(seed=1, sr_widths=(8,)),
        target=original.manifest.target,
        output=tmp_path / "other",
    )
    for model in MODEL[original.manifest.target], "lens_project/Assets/small.onnx":
        if (other.path / model).exists():
            shutil.copy(other.path / model, copy / model)
    _rewrite_manifest(copy, lambda data: None)
    assert "carries another contract" in _complaint(copy)
    # The swap is made consistent, contract included: only the pictures can tell now.
    contract = to_dict(other.manifest.contract)
    _rewrite_manifest(copy, lambda data: data.update(contract=contract))
    assert "demanded >= 60 dB" in _complaint(copy)


def test_changed_weights_with_new_hashes_fail_in_the_picture(original, copy):
    file = copy / MODEL[original.manifest.target]
    model = onnx.load(file)
    bias = next(t for t in model.graph.initializer if t.name.endswith("head_0_bias"))
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] += 0.5
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    file.write_bytes(model.SerializeToString(deterministic=True))
    _rewrite_manifest(copy, lambda data: None)
    assert "demanded >= 60 dB" in _complaint(copy)


def test_an_edited_contract_is_caught(copy):
    path = copy / "manifest.json"
    text = path.read_text()
    assert '"near": 2.0' in text
    path.write_text(text.replace('"near": 2.0', '"near": 1.0'))
    assert "was edited or damaged" in _complaint(copy)
    path.write_text(text)

    def nearer(data):
        data["contract"]["student"]["encoder"]["near"] = 1.0

    _rewrite_manifest(copy, nearer)
    assert "carries another contract" in _complaint(copy)


def test_a_lowered_tolerance_is_caught(copy):
    def lower(data):
        data["contract"]["min_psnr_db"] = 0.0

    _rewrite_manifest(copy, lower)
    assert "demands 0 dB, less than the 60 dB" in _complaint(copy)


def test_an_edited_operator_report_is_caught(copy):
    def fewer_macs(data):
        data["inspection"]["cost"]["macs"] -= 1

    _rewrite_manifest(copy, fewer_macs)
    assert "cost, models or tables differ" in _complaint(copy)


def test_a_file_outside_of_the_bundle_is_never_read(copy, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    manifest = read_manifest(copy)
    data = to_dict(manifest)
    data["files"]["../secret"] = to_dict(FileRecord.of(b"secret"))
    (copy / "manifest.json").write_bytes(from_dict(type(manifest), data, "manifest").to_bytes())
    assert _complaint(copy) == "../secret: leads out of the bundle"


def test_files_that_lens_studio_adds_are_listed_and_harmless(copy):
    (copy / "Cache").mkdir()
    (copy / "Cache" / "x.bin").write_bytes(b"x")
    verification = verify_bundle(copy)
    assert verification.passed
    assert verification.unlisted == ("Cache/x.bin",)


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder, expected a bundle"):
        verify_bundle(tmp_path / "nothing")
    with pytest.raises(BundleError, match="is not a bundle of mnelf"):
        verify_bundle(tmp_path)
    for content, words in (("{", "is cut off or not JSON"), ('{"schema": 9}', "has schema 9")):
        (tmp_path / "manifest.json").write_text(content)
        with pytest.raises(BundleError, match=words):
            verify_bundle(tmp_path)


def test_the_manifest_is_plain_json_without_infinities(original):
    json.loads((original.path / "manifest.json").read_text(), parse_constant=pytest.fail)
