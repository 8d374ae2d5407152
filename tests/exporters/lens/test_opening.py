"""Lenses in Lens Studio, for which a stand-in with its declared members runs a bundle's script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mobile_nelf.assets import asset_dir
from mobile_nelf.errors import BundleError, InputError, MissingToolError
from mobile_nelf_exporters.lens.confirmed import read_report
from mobile_nelf_exporters.lens.guesses import guesses
from mobile_nelf_exporters.lens.opening import OPENING_SCRIPT, opened_project
from mobile_nelf_exporters.lens.project import render_lens_project
from tests.helpers import ROOT
from tests.helpers.lens.contracts import cut_out_contract, lens_contract
from tests.helpers.lens.typescript import TSC, needs_typescript
from tests.helpers.node import needs_node

EDITOR = ROOT / "tests" / "helpers" / "lens" / "editor"
SCRIPT = asset_dir("lens_project") / "studio" / OPENING_SCRIPT
VERSION = "5.24.1.26100701"


@pytest.fixture
def studio(tmp_path):
    """Makes a program that stands for Lens Studio."""

    def make(mode: str = "plain") -> Path:
        program = tmp_path / f"Lens Studio {mode}"
        program.write_text(
            f'#!/bin/sh\nexec node --no-warnings --experimental-vm-modules "{EDITOR}/editor.mjs" '
            f'{mode} {VERSION} "$@"\n'
        )
        program.chmod(0o755)
        return program

    return make


def _bundle(form: str = "world") -> dict[str, bytes]:
    contract = lens_contract("rays") if form == "orbit" else cut_out_contract("rays")
    files = render_lens_project(
        [(contract, b"m" * 1000)],
        "Mic",
        "orbit" if form == "orbit" else "world",
        form="package" if form == "package" else "project",
    )
    return {**files, OPENING_SCRIPT: SCRIPT.read_bytes()}


def _opened(tmp_path, program, form="world"):
    """The report of a lens, and the folder of its project."""
    files = _bundle(form)
    folder = tmp_path / "new" / "opened"
    folder.mkdir(parents=True)
    return read_report(opened_project(files, "Mic", folder, program), files), folder


def _verdicts(report) -> dict[str, str]:
    keys = {text: key for key, text in guesses().items()}
    return {keys[guess.text]: guess.verdict for guess in report.guesses}


CONFIRMED = {"open", "settings", "activation", "properties", "weights"}


@needs_node
@pytest.mark.parametrize(
    ("form", "confirmed"),
    [("world", CONFIRMED), ("package", CONFIRMED | {"package"})],
)
def test_a_lens_is_completed_and_its_guesses_are_confirmed(form, confirmed, tmp_path, studio):
    report, folder = _opened(tmp_path, studio(), form)
    assert report.passed
    assert report.tool == "Lens Studio 5.24.1"
    verdicts = _verdicts(report)
    assert {key for key, verdict in verdicts.items() if verdict == "confirmed"} == confirmed
    assert {verdict for key, verdict in verdicts.items() if key not in confirmed} == {"open"}
    assert f"{len(confirmed)} confirmed" in report.summary
    scene = (folder / "Assets" / "Scene.scene").read_text()
    assert "material: !<reference.Material> 00000000" not in scene
    assert {"Assets", "Models after import"} == {table.title for table in report.tables}


@needs_node
def test_a_lens_that_needs_no_material_and_no_rear_camera(tmp_path, studio):
    report, folder = _opened(tmp_path, studio(), "orbit")
    assert report.passed
    assert "activation" not in {k for k, v in _verdicts(report).items() if v != "open"}
    assert "activationCamera: Front" in (folder / "Mic.esproj").read_text()


#: What the stand-in does otherwise, what is refuted then, and what the report says.
FAULTS = {
    "early": ("", "Lens Studio ended before the material"),
    "presets": ("", "the material: presets.ImageMaterialPreset is not a constructor"),
    "word": ("activation", "the saved project says 'Back'"),
    "scales": ("settings", ", scale 0.5, was written as "),
    "broken": ("open", "no component of ours is in the scene"),
}


@needs_node
@pytest.mark.parametrize("mode", FAULTS)
def test_what_lens_studio_does_otherwise_is_told(mode, tmp_path, studio):
    refuted, said = FAULTS[mode]
    report, _ = _opened(tmp_path, studio(mode))
    assert not report.passed
    found = {key for key, verdict in _verdicts(report).items() if verdict == "refuted"}
    assert found == ({refuted} if refuted else set())
    assert any(said in text for text in (*report.problems, *(g.evidence for g in report.guesses)))


@needs_node
def test_a_program_that_does_not_end_is_ended_after_its_report(tmp_path, studio, monkeypatch):
    monkeypatch.setattr("mobile_nelf_exporters.lens.opening.END_SECONDS", 0.1)
    report, _ = _opened(tmp_path, studio("hang"))
    assert report.passed


def test_programs_that_are_not_lens_studio(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(MissingToolError, match="Lens Studio is not installed"):
        _opened(tmp_path / "a", None)
    with pytest.raises(InputError, match="no such program"):
        _opened(tmp_path / "b", tmp_path / "nothing")
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho what\n")
    other.chmod(0o755)
    with pytest.raises(BundleError, match=r"ended without a report of Mic.esproj: what; open the"):
        _opened(tmp_path / "c", other)
    other.write_text("#!/bin/sh\necho 'NELF_OPENED {'\n")
    with pytest.raises(BundleError, match="its report is not JSON"):
        _opened(tmp_path / "d", other)
    other.chmod(0o600)
    with pytest.raises(InputError, match="cannot be run"):
        _opened(tmp_path / "e", other)


def test_a_report_of_something_else_is_refused():
    with pytest.raises(InputError, match="is not a report of Lens Studio"):
        read_report({"script": {}}, _bundle())


def _checked(folder: Path, source: str) -> str:
    configuration = {
        "compilerOptions": {
            "allowJs": True, "checkJs": True, "noEmit": True, "strict": True, "target": "es2021",
            "lib": ["es2021"], "module": "esnext", "moduleResolution": "node", "types": [],
        },
        "include": ["*.d.ts", "*.js"],
    }  # fmt: skip
    (folder / "tsconfig.json").write_text(json.dumps(configuration))
    shutil.copy(EDITOR / "editor.d.ts", folder)
    (folder / OPENING_SCRIPT).write_text(source)
    done = subprocess.run(
        ["node", str(TSC), "--pretty", "false"],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    return done.stdout


@pytest.mark.slow
@needs_typescript
def test_the_script_keeps_to_the_declarations_of_plugins(tmp_path):
    source = SCRIPT.read_text()
    assert _checked(tmp_path, source) == ""
    wrong = source.replace("info.activationCamera =", "info.activeCamera =")
    wrong = wrong.replace("asset.getTypeName()", "asset.typeName")
    found = _checked(tmp_path, wrong)
    assert "'activeCamera'" in found
    assert "'typeName'" in found


def test_the_stand_in_has_what_is_declared():
    """Each member that the stand-in's objects have is in the declarations."""
    declared = set(re.findall(r"\b(\w+)[(:;]", (EDITOR / "editor.d.ts").read_text()))
    declared |= {"Path", "Model", "IModel", "LensActivationCamera", "LensApplicability"}
    source = (EDITOR / "editor.mjs").read_text()
    objects = re.findall(r"strict\(\"?[\w.]+\"?, \{(.*?)\n?\}\)", source, re.DOTALL)
    assert len(objects) >= 8
    for members in objects:
        names = re.findall(r"(?:^|[{,]\s*|\n\s+)(?:get )?(\w+)(?::|\(\)|,)", members)
        assert set(names) - {"if", "value", "id"} <= declared, members
