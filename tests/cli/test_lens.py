"""`mnelf lens open`, and its report in `mnelf bench import` and `mnelf verify`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mobile_nelf.bundles import create_bundle
from tests.helpers import ROOT
from tests.helpers.cli import read_json
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

EDITOR = ROOT / "tests" / "helpers" / "lens" / "editor" / "editor.mjs"

pytestmark = [needs_node, pytest.mark.slow]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bundles") / "thing"
    checkpoint = random_checkpoint(
        sr_widths=(8,), out_channels=4, activation="relu", ray_width=9, ray_height=8
    )
    options = {"experience": "world", "layout": "factored"}
    return create_bundle(checkpoint, target="lens", output=output, options=options).path


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "thing")
    program = tmp_path / "studio"
    program.write_text(
        f'#!/bin/sh\nexec node --no-warnings --experimental-vm-modules "{EDITOR}" '
        'plain 5.24.1.1 "$@"\n'
    )
    program.chmod(0o755)
    return tmp_path / "thing"


def test_a_bundle_is_opened_and_its_report_is_kept(bundle, mnelf):
    opened = mnelf("lens", "open", "thing", "--lens-studio", "studio")
    assert opened.exit_code == 0, opened.output
    text = " ".join(opened.stdout.split())
    assert "opened with Lens Studio 5.24.1" in text
    assert "next mnelf bench import" in text
    assert (bundle.parent / "thing-opened" / "thing.esproj").is_file()
    report = Path("thing-opened") / "opened.json"
    imported = read_json(mnelf("bench", "import", report, "thing", "--json"))
    verdicts = {guess["text"]: guess["verdict"] for guess in imported["guesses"]}
    assert sum(verdict == "confirmed" for verdict in verdicts.values()) == 5
    assert Path(imported["path"]).name == "lens-studio-5.24.1.json"
    again = mnelf("bench", "import", report, "thing")
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    told = mnelf("verify", "thing", "--json")
    assert told.exit_code == 0, told.output
    remarks = json.loads(told.stdout)["remarks"]
    assert any("5 confirmed" in remark for remark in remarks)
    assert json.loads(told.stdout)["unlisted"] == []


def test_what_cannot_be_opened_or_kept(bundle, mnelf):
    refused = mnelf("lens", "open", "thing", "--lens-studio", "nothing")
    assert refused.exit_code == 2
    assert "(--lens-studio)" in refused.stderr
    assert not (bundle.parent / "thing-opened").exists()
    assert mnelf("lens", "open", "thing", "--lens-studio", "studio", "-o", "out").exit_code == 0
    there = mnelf("lens", "open", "thing", "--lens-studio", "studio", "-o", "out")
    assert "exists already" in there.stderr
    path = bundle.parent / "out" / "opened.json"
    alone = mnelf("bench", "import", path)
    assert alone.exit_code == 2
    assert "name the bundle, too" in alone.stderr
    report = json.loads(path.read_text())
    path.write_text(json.dumps(report | {"name": "other"}))
    other = mnelf("bench", "import", path, "thing")
    assert other.exit_code == 2
    assert "is of 'other' with weights" in other.stderr
    (bundle / "opened").mkdir()
    (bundle / "opened" / "x.json").write_text(json.dumps(report | {"opened": {}}))
    found = mnelf("verify", "thing")
    assert found.exit_code == 1
    assert "opened/x.json: is not a report of Lens Studio" in " ".join(found.stdout.split())
