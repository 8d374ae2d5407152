"""The Swift package, built and tested on this machine where there is a Swift toolchain."""

from __future__ import annotations

import base64
import re
import shutil

import pytest

from mobile_nelf.devices import read_measurement
from mobile_nelf_exporters.coreml.app import render_ios_harness
from tests.helpers.coreml.apps import MODELS, bundle_files, ios_contract
from tests.helpers.coreml.swift import HARNESS, run_swift, toolchain

TOOLCHAIN = toolchain()

pytestmark = pytest.mark.skipif(
    TOOLCHAIN == "none",
    reason="Swift was NOT built or tested: no toolchain; ios_harness/linux/setup_toolchain.sh "
    "makes one, as root",
)

#: Another compiler may warn of other things; the chroot's is known to be content.
STRICT = ("-Xswiftc", "-warnings-as-errors") if TOOLCHAIN == "chroot" else ()
STRICT_MODULE = STRICT[1:]


@pytest.fixture(scope="module")
def swift_tests():
    return run_swift(HARNESS, "test", *STRICT)


def test_the_swift_tests_pass(swift_tests):
    output = swift_tests.stdout + swift_tests.stderr
    assert swift_tests.returncode == 0, output
    executed = re.findall(r"^\t Executed (\d+) tests, with 0 failures", output, re.MULTILINE)
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


def test_the_sources_of_the_playground_are_one_module(tmp_path):
    """All but SwiftUI and UIKit, which are nowhere but at Apple's."""
    contract = ios_contract()
    app = "ios_harness/Mic.swiftpm/"
    rendered = render_ios_harness(contract, MODELS, bundle_files(contract), "Mic")
    for path, content in rendered.items():
        if path.startswith((f"{app}NelfBenchCore/", f"{app}NelfBenchCoreML/")):
            target = tmp_path / "App" / path.removeprefix(app)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    shutil.copytree(HARNESS / "LinuxStubs", tmp_path / "LinuxStubs")
    done = run_swift(tmp_path, "one-module", *STRICT_MODULE)
    assert done.returncode == 0, done.stdout + done.stderr
