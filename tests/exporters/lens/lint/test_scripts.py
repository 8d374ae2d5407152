"""The linter on the scripts of a project."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.lint.scripts import syntax_problems
from tests.helpers.lens.lint_projects import SCRIPT, assert_reported, with_asset
from tests.helpers.node import needs_node

pytestmark = pytest.mark.usefixtures("quick_yaml")


def _with_script(files, source: str) -> dict[str, bytes]:
    return with_asset(
        files, "Assets/More.js", source.encode(), "JavaScriptAsset", "JavaScriptAssetImporter"
    )


@pytest.mark.parametrize(
    "source",
    [
        'const c = require("./NelfController");\n',
        'const c = require("./NelfController.js");\n',
        'const c = require("NelfController");\n',
        'const m = require("LensStudio:RemoteServiceModule");\n',
        '// require("./gone")\n/* require("./gone") */ print("require(\'./gone\')");\n',
        'const m = requireAsset("./model.onnx");\n',
        "const name = './x'; const m = require(name);\n",
    ],
)
def test_requires_that_resolve(good, source):
    assert lint_lens_project(_with_script(good, source)) == ()


@pytest.mark.parametrize(
    "call", ["require('./gone')", 'requireAsset("../gone.png")', 'require("Gone")']
)
def test_a_required_file_that_is_not_there(good, call):
    assert_reported(
        _with_script(good, f"\nconst x = {call};\n"), "Assets/More.js", "line 2: .*no such file"
    )


def test_a_space_in_a_required_path(good):
    source = 'const t = requireAsset("./Render Target.renderTarget");\n'
    assert_reported(_with_script(good, source), "Assets/More.js", "space in its path", "warning")


@needs_node
def test_a_script_that_does_not_parse(good):
    files = {**good, SCRIPT: good[SCRIPT] + b"\nfunction (\n"}
    assert_reported(files, SCRIPT, "does not parse: .* in line")


@needs_node
def test_scripts_are_parsed_and_never_run(tmp_path):
    written = tmp_path / "written"
    source = f"require('fs').writeFileSync({str(written)!r}, 'x'); return script.api;"
    assert syntax_problems((source, "let a = ;")) == ("", "Unexpected token ';' in line 1")
    assert not written.exists()


def test_without_node_nothing_is_said_of_syntax(good, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert lint_lens_project({**good, SCRIPT: good[SCRIPT] + b"\nfunction (((\n"}) == ()
