"""The Swift package, built and tested on this machine where there is a Swift toolchain."""

from __future__ import annotations

import base64
import json
import re
import shutil

import numpy as np
import pytest

from mobile_nelf.bundles import create_bundle
from mobile_nelf.devices import read_measurement
from mobile_nelf_exporters.coreml.app import HarnessModel, render_ios_harness, sample_app
from tests.helpers.coreml.apps import MODELS, bundle_files, ios_contract
from tests.helpers.coreml.kernel import assert_same_halves, run_kernel
from tests.helpers.coreml.swift import HARNESS, run_swift, toolchain
from tests.helpers.students import random_checkpoint

TOOLCHAIN = toolchain()

pytestmark = pytest.mark.skipif(
    TOOLCHAIN == "none",
    reason="Swift was NOT built or tested: no toolchain; ios_harness/linux/setup_toolchain.sh "
    "makes one, as root",
)

#: Another compiler may warn of other things; the chroot's is known to be content.
STRICT = ("-Xswiftc", "-warnings-as-errors") if TOOLCHAIN == "chroot" else ()
STRICT_MODULE = STRICT[1:]

APP = "ios_harness/Mic.swiftpm/"


def write(rendered, prefix, folder):
    """Writes the files below a prefix."""
    for path, content in rendered.items():
        if path.startswith(prefix):
            target = folder / path.removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


@pytest.fixture(scope="module")
def swift_tests():
    return run_swift(HARNESS, "test", *STRICT)


def test_the_swift_tests_pass(swift_tests):
    output = swift_tests.stdout + swift_tests.stderr
    assert swift_tests.returncode == 0, output
    # Those of Apple's own Metal are skipped here.
    ended = r"^\t Executed (\d+) tests, with (?:\d+ tests? skipped and )?0 failures"
    executed = re.findall(ended, output, re.MULTILINE)
    written = sum(
        path.read_text(encoding="utf-8").count("    func test")
        for path in (HARNESS / "Tests").rglob("*.swift")
    )
    assert int(executed[-1]) == written


def test_mnelf_reads_what_the_app_writes(swift_tests, tmp_path):
    """The file that the app's own code made from `bench.json`, with a stub in place of Core ML."""
    (encoded,) = re.findall(r"^RESULT (\S+)$", swift_tests.stdout, re.MULTILINE)
    path = tmp_path / "result.json"
    path.write_bytes(base64.b64decode(encoded))
    measurement = read_measurement(path)
    assert measurement.bundle.name == "Vector"
    assert len(measurement.runs) == 8
    assert [run.picture_is_right for run in measurement.runs] == [True] * 4 + [False] * 4
    assert measurement.runs[-1].error == "made up"
    # A third of the cost each, by the stub.
    assert measurement.runs[0].placement_cost == pytest.approx(
        {"neural_engine": 1 / 3, "gpu": 1 / 3, "cpu": 1 / 3, "unknown": 0}
    )


def test_the_kernel_makes_the_exporters_input_of_the_apps_tables(swift_tests, tmp_path):
    """The app's tables through the very text of its kernel, against layout `embedded` of mnelf."""
    (encoded,) = re.findall(r"^TABLES (\S+)$", swift_tests.stdout, re.MULTILINE)
    sizes, tables = np.split(np.array(json.loads(base64.b64decode(encoded))), [4])
    case = json.loads((HARNESS / "Tests/NelfTests/Vectors/layouts.json").read_bytes())[0]
    expected = np.array(case["uploads"]["embedded"]["input"])
    found = run_kernel(tmp_path, tables.astype(np.float32), sizes.astype(int).tolist())
    assert_same_halves(found.reshape(-1), expected)


@pytest.mark.slow
def test_the_sources_of_the_playground_are_one_module(tmp_path):
    """All of them, against stubs of Apple's frameworks, in Swift 5 and in Swift 6 mode."""
    contract = ios_contract()
    rendered = render_ios_harness(contract, MODELS, bundle_files(contract), "Mic")
    sources = {path: data for path, data in rendered.items() if path.endswith(".swift")}
    del sources[f"{APP}Package.swift"]
    write(sources, APP, tmp_path / "App")
    write(rendered, "ios_harness/NelfKit/", tmp_path / "NelfKit")
    write(rendered, "ios_harness/Sample/", tmp_path / "Sample")
    shutil.copytree(HARNESS / "LinuxStubs", tmp_path / "LinuxStubs")
    # The sample imports the package, as an app would, and is checked as it is written.
    for command in ("one-module", "app"):
        done = run_swift(tmp_path, command, *STRICT_MODULE)
        assert done.returncode == 0, done.stdout + done.stderr
        checked = re.findall(r": (\w+), Swift (\d) mode", done.stdout)
        assert checked[:2] == [("iOS", "5"), ("iOS", "6")]
        if command == "one-module":
            assert checked[2:] == [("macOS", "6"), ("visionOS", "6")]


def swift_blocks(text):
    """The Swift in a page of Markdown."""
    return re.findall(r"^```swift\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_what_the_pages_say_in_swift_is_checked_as_written(tmp_path):
    """An app developer's way: the bundle's package, and nothing but what the READMEs say."""
    create_bundle(
        random_checkpoint(ray_width=6, ray_height=5, sr_widths=(8,), out_channels=4),
        target="coreml",
        output=tmp_path / "thing",
        options={"experience": "world"},
    )
    harness = tmp_path / "thing" / "ios_harness"
    app, *others = swift_blocks((tmp_path / "thing/README.md").read_text(encoding="utf-8"))
    assert app == (harness / "Sample/SampleApp.swift").read_text(encoding="utf-8")
    assert "NelfARView(model: nelf)" in app
    guide_app, *guide = swift_blocks(
        (HARNESS.parent / "docs/guides/ipad.md").read_text(encoding="utf-8")
    )
    assert guide_app == sample_app("mic-coreml.mlpackage", "orbit")
    assert len(others) == len(guide) == 1
    folder = tmp_path / "empty"
    (folder / "Sample").mkdir(parents=True)
    (folder / "Sample/App.swift").write_text(app, encoding="utf-8")
    for index, block in enumerate((*others, *guide)):
        # Lines of a function of the app's own; what they make is used by whoever calls it.
        body = "".join(f"    {line}\n" for line in block.splitlines())
        (folder / f"Sample/Lines{index}.swift").write_text(
            "import CoreGraphics\nimport Foundation\nimport NelfKit\n\n"
            f"func lines{index}(url: URL) async throws -> CGImage {{\n{body}    return image\n}}\n",
            encoding="utf-8",
        )
    shutil.copytree(harness / "NelfKit", folder / "NelfKit")
    shutil.copytree(HARNESS / "LinuxStubs", folder / "LinuxStubs")
    done = run_swift(folder, "app", *STRICT_MODULE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r": (\w+), Swift (\d) mode", done.stdout) == [("iOS", "5"), ("iOS", "6")]


@pytest.mark.parametrize("count", [1, 3])
def test_a_build_keeps_packages_whole(tmp_path, count):
    """SwiftPM itself copies the resources; only the product that Apple alone knows is left out."""
    models = (*MODELS, HarnessModel("Mic-int8.mlpackage", "int8", 45.0))[:count]
    contract = ios_contract()
    rendered = render_ios_harness(contract, models, bundle_files(contract, models), "Mic")
    write(rendered, APP, tmp_path)
    manifest = tmp_path / "Package.swift"
    text = manifest.read_text(encoding="utf-8")
    text = text.replace("import AppleProductTypes\n", "")
    text = re.sub(r"    products: \[.*?\n    \],\n", "", text, flags=re.DOTALL)
    manifest.write_text(text, encoding="utf-8")
    for folder in ("NelfCore", "NelfKit", "NelfBench", "App"):
        shutil.rmtree(tmp_path / folder)
    (tmp_path / "main.swift").write_text(
        "import Foundation\n"
        "for path in try FileManager.default.subpathsOfDirectory(\n"
        "    atPath: Bundle.module.resourceURL!.path) { print(path) }\n",
        encoding="utf-8",
    )
    done = run_swift(tmp_path, "run", *STRICT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = set(done.stdout.splitlines())
    for path in rendered:
        if path.startswith(f"{APP}Resources/"):
            assert path.removeprefix(f"{APP}Resources/") in found
