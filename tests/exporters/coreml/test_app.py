"""The folder `ios_harness` of a bundle, from the files that it is made of."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.plain import from_dict
from mobile_nelf_exporters.coreml.app import render_ios_harness
from tests.helpers.coreml.apps import MODELS, bundle_files, every_layout, ios_contract
from tests.helpers.coreml.swift import HARNESS

APP = "ios_harness/Mic.swiftpm"
KIT = "ios_harness/NelfKit"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return ios_contract()


@pytest.fixture(scope="module")
def files(contract) -> dict[str, bytes]:
    return bundle_files(contract)


@pytest.fixture(scope="module")
def rendered(contract, files) -> dict[str, bytes]:
    return render_ios_harness(contract, MODELS, files, "Mic")


@pytest.fixture(scope="module")
def config(rendered):
    return json.loads(rendered[f"{APP}/Resources/bench.json"])


def test_the_same_input_gives_the_same_bytes(contract, files, rendered):
    again = render_ios_harness(contract, MODELS, dict(reversed(files.items())), "Mic")
    assert list(again.items()) == list(rendered.items())


def test_the_playground_carries_packages_and_frames_as_they_are(files, rendered):
    for path, content in files.items():
        if path.startswith("reference/"):
            if path.endswith(".png"):
                assert rendered[f"{APP}/Resources/{Path(path).name}"] == content
        else:
            assert rendered[f"{APP}/Resources/{path}"] == content


def test_resources_are_one_flat_folder(rendered):
    """A build may lay them all into one folder, where two of the same name would collide."""
    prefix = f"{APP}/Resources/"
    tops = {path.removeprefix(prefix).split("/")[0] for path in rendered if path.startswith(prefix)}
    assert tops == {
        "Mic.mlpackage",
        "Mic-palette6.mlpackage",
        "bench.json",
        "frame_000.png",
        "frame_001.png",
        "reference_pixels.f32",
    }


def test_the_playground_has_every_source_once(rendered):
    sources = [path for path in rendered if path.startswith(APP) and path.endswith(".swift")]
    names = [Path(path).name for path in sources]
    # Two files of one name cannot be in a module.
    assert len(set(names)) == len(names)
    expected = {path.name for path in (HARNESS / "Sources").rglob("*.swift")}
    assert set(names) == expected | {"NelfBenchApp.swift", "Package.swift"}
    entries = [path for path in sources if b"@main" in rendered[path]]
    assert entries == [f"{APP}/App/NelfBenchApp.swift"]


def test_no_source_imports_a_module_that_the_playground_lacks(rendered):
    apple = {"Accelerate", "CoreGraphics", "CoreML", "CoreVideo", "Foundation", "QuartzCore"}
    apple |= {"Combine", "ImageIO", "SwiftUI", "UIKit", "AppKit", "Metal", "MetalKit"}
    apple |= {"ARKit", "RealityKit"}
    for path, content in rendered.items():
        if path.startswith(APP) and path.endswith(".swift") and "Package.swift" not in path:
            text = content.decode()
            for module in re.findall(r"^import (\w+)$", text, re.MULTILINE):
                guarded = f"#if canImport({module})\nimport {module}\n#endif" in text
                assert module in apple or guarded, f"{path} imports {module}"


def test_the_manifest_names_what_is_there(rendered):
    manifest = rendered[f"{APP}/Package.swift"].decode()
    assert manifest.startswith("// swift-tools-version: 5.9\n")
    assert 'name: "Mic"' in manifest
    assert 'bundleIdentifier: "org.mobile-nelf.bench.Mic"' in manifest
    assert '.iOS("17.0")' in manifest
    # `.process` takes a package apart, and with two of them it is an error.
    assert ".process(" not in manifest
    resources = re.findall(r'\.copy\("([^"]+)"\)', manifest)
    assert "Resources/Mic.mlpackage" in resources
    covered = tuple(f"{APP}/{resource}" for resource in resources)
    for path in rendered:
        if path.startswith(f"{APP}/Resources/"):
            assert path.startswith(covered), path
    assert "capabilities" not in manifest


def test_an_app_for_the_room_asks_for_the_camera(contract, files):
    rendered = render_ios_harness(contract, MODELS, files, "Mic", experience="world")
    assert ".camera(purposeString:" in rendered[f"{APP}/Package.swift"].decode()
    assert "NelfARView(model: nelf)" in rendered["ios_harness/Sample/SampleApp.swift"].decode()
    assert json.loads(rendered[f"{APP}/Resources/bench.json"])["experience"] == "world"


def test_the_package_for_apps_has_sources_and_nothing_else(rendered):
    manifest = rendered[f"{KIT}/Package.swift"].decode()
    named = set(re.findall(r'\.target\(name: "(\w+)"', manifest))
    assert named == {"NelfCore", "NelfKit", "NelfBench"}
    inside = {path.removeprefix(f"{KIT}/") for path in rendered if path.startswith(f"{KIT}/")}
    expected = {
        path.relative_to(HARNESS).as_posix() for path in (HARNESS / "Sources").rglob("*.swift")
    }
    assert inside == expected | {"Package.swift"}


def test_the_sample_is_short_and_names_the_package(rendered):
    sample = rendered["ios_harness/Sample/SampleApp.swift"].decode()
    assert 'NelfLoader("Mic") { nelf in' in sample
    assert "NelfView(model: nelf)" in sample
    assert len(sample.splitlines()) <= 15


def test_bench_json_says_what_the_packages_are(config, contract, files):
    assert config["schema"] == 1
    assert config["bundle"] == {"name": "Mic", "weights_sha256": contract.weights_sha256}
    assert from_dict(Contract, config["contract"]) == contract
    assert [m["package"] for m in config["models"]] == [m.package for m in MODELS]
    for entry, model in zip(config["models"], MODELS, strict=True):
        weights = files[f"{model.package}/Data/com.apple.CoreML/weights/weight.bin"]
        assert entry["weights_sha256"] == hashlib.sha256(weights).hexdigest()
        assert entry["min_psnr_db"] == model.min_psnr_db
        inside = [c for path, c in files.items() if path.startswith(f"{model.package}/")]
        assert entry["bytes"] == sum(map(len, inside))
        for file in entry["files"]:
            assert file["bytes"] == len(files[f"{model.package}/{file['path']}"])
        assert len(entry["files"]) == len(inside)


@pytest.mark.parametrize("part", ["Manifest.json", "Data/com.apple.CoreML/model.mlmodel"])
def test_a_package_with_another_program_has_another_hash(contract, files, config, part):
    """A compiled copy is kept under it, and the weights alone may be the same."""
    changed = {**files, f"Mic.mlpackage/{part}": b"another"}
    rendered = render_ios_harness(contract, MODELS, changed, "Mic")
    now = json.loads(rendered[f"{APP}/Resources/bench.json"])["models"]
    assert now[0]["package_sha256"] != config["models"][0]["package_sha256"]
    assert now[1] == config["models"][1]


def test_reference_pixels_are_those_of_the_bundle(files, rendered, config):
    stored = np.load(io.BytesIO(files["reference/pixels.npy"]))
    raw = np.frombuffer(rendered[f"{APP}/Resources/{config['reference']['pixels']}"], "<f4")
    np.testing.assert_array_equal(raw, stored.reshape(-1))
    assert config["reference"]["pixels_per_frame"] == stored.shape[1]
    poses = json.loads(files["reference/poses.json"])["cam_to_world"]
    assert [frame["cam_to_world"] for frame in config["reference"]["frames"]] == poses


@pytest.mark.parametrize("layout", ["factored", "rays", "camera", "embedded"])
def test_every_layout_has_samples_of_its_uploads(layout):
    contract = ios_contract(layout)
    rendered = render_ios_harness(contract, MODELS, bundle_files(contract), "Mic")
    config = json.loads(rendered[f"{APP}/Resources/bench.json"])
    samples = {sample["name"]: sample for sample in config["reference"]["uploads"]}
    assert samples.keys() == {spec.name for spec in contract.inputs}
    for spec in contract.inputs:
        assert max(samples[spec.name]["positions"]) == spec.bytes // 4 - 1


def test_a_package_of_another_layout_brings_its_contract_and_uploads():
    contract, models = every_layout()
    rendered = render_ios_harness(contract, models, bundle_files(contract, models), "Mic")
    entries = json.loads(rendered[f"{APP}/Resources/bench.json"])["models"]
    assert "contract" not in entries[0]
    assert "uploads" not in entries[0]
    for entry, model in zip(entries[1:], models[1:], strict=True):
        assert model.contract is not None
        assert from_dict(Contract, entry["contract"]) == model.contract
        names = [sample["name"] for sample in entry["uploads"]]
        assert names == [spec.name for spec in model.contract.inputs]


def test_nothing_names_a_place_on_this_machine(rendered):
    places = {str(Path.home()), str(HARNESS.parent)} - {"/"}
    for path, content in rendered.items():
        assert not path.startswith("/")
        assert ".." not in Path(path).parts
        for place in places:
            assert place.encode() not in content, path


def test_an_ios_18_package_needs_an_ios_18_app(contract, files):
    for ios, expected in ((16, "17.0"), (18, "18.0")):
        rendered = render_ios_harness(contract, MODELS, files, "Mic", ios)
        assert f'.iOS("{expected}")' in rendered[f"{APP}/Package.swift"].decode()


@pytest.mark.parametrize("name", ["A", "A_b-9", "x" * 64])
def test_names_that_fit_become_folder_and_identifier(contract, files, name):
    rendered = render_ios_harness(contract, MODELS, files, name)
    manifest = rendered[f"ios_harness/{name}.swiftpm/Package.swift"].decode()
    (identifier,) = re.findall(r'bundleIdentifier: ("[^"]*")', manifest)
    # What Apple allows in an identifier.
    assert re.fullmatch(r"[A-Za-z0-9.-]+", ast.literal_eval(identifier))


@pytest.mark.parametrize("name", ["", "9lives", "a b", "a/b", 'a"b', "a\n", "mïc", "x" * 65, ".."])
def test_names_that_do_not_fit_are_refused(contract, files, name):
    with pytest.raises(InputError, match="expected up to 64 ASCII letters"):
        render_ios_harness(contract, MODELS, files, name)


def test_what_is_missing_is_named(contract, files):
    def without(path: str) -> dict[str, bytes]:
        return {name: content for name, content in files.items() if name != path}

    weights = "Mic.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
    for path, part in (
        (weights, r"Mic\.mlpackage: .*weight\.bin is missing"),
        ("reference/poses.json", r"reference/poses\.json is missing"),
        ("reference/frame_001.png", "2 poses, 1 frames"),
    ):
        with pytest.raises(BundleError, match=part):
            render_ios_harness(contract, MODELS, without(path), "Mic")
    absent = (replace(MODELS[0], package="Other.mlpackage"),)
    with pytest.raises(BundleError, match=r"Other\.mlpackage"):
        render_ios_harness(contract, absent, files, "Mic")
