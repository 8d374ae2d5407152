"""Modules become one script that means the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mobile_nelf_exporters.web.script import element_module, join_modules, page_script
from tests.helpers import ROOT
from tests.helpers.node import needs_node

SOURCES = ROOT / "web_viewer"
TSC = Path(__file__).parent / "node_modules" / "typescript" / "bin" / "tsc"

MODULES = {
    "main.js": (
        'import { one } from "./a.js";\nimport { two } from "./b.js";\n'
        "const local = 5;\nconsole.log(JSON.stringify([one, two(), local]));\n"
    ),
    "a.js": "// Told.\nconst local = 7;\n\n/** One. */\nexport const one = local - 6;\n",
    "b.js": 'const local = 2;\nexport function two() {\n  return `// ${"kept"} ${local}`;\n}\n',
}


def _written(folder: Path, changed: dict[str, str] | None = None) -> Path:
    for name, text in {**MODULES, **(changed or {})}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@needs_node
def test_names_in_modules_do_not_meet(tmp_path):
    script = join_modules(_written(tmp_path), "main.js")
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1, "// kept 2", 5]
    assert "Told" not in script
    assert "One." not in script


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('export { two } from "./b.js";', "cannot join `export {"),
        ("export default 3;", "cannot join `export default 3;`"),
        ('import * as b from "./b.js";', "cannot join `import * as b"),
    ],
)
def test_other_forms_are_refused(tmp_path, line, expected):
    _written(tmp_path, {"a.js": f"{line}\nexport const one = 1;\n"})
    with pytest.raises(ValueError, match=re.escape(expected)):
        join_modules(tmp_path, "a.js")


def test_a_circle_is_refused(tmp_path):
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\n', encoding="utf-8")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.js → b\.js → a\.js"):
        join_modules(tmp_path, "a.js")


@needs_node
def test_the_script_of_a_page_can_be_parsed(tmp_path):
    (tmp_path / "page.js").write_text(page_script(), encoding="utf-8")
    subprocess.run(["node", "--check", tmp_path / "page.js"], check=True)
    assert "</script" not in page_script()
    (tmp_path / "element.mjs").write_text(element_module(), encoding="utf-8")
    subprocess.run(["node", "--check", tmp_path / "element.mjs"], check=True)


def test_every_module_is_in_a_script():
    scripts = page_script() + element_module()
    for path in (SOURCES / "src").glob("*.js"):
        assert f"const ${path.stem} = (() => {{" in scripts, path.name


@pytest.mark.skipif(
    shutil.which("node") is None or not TSC.is_file(),
    reason="TypeScript is not installed; `npm ci --prefix tests/exporters/web` brings it",
)
def test_modules_have_sound_types():
    done = subprocess.run(["node", TSC, "-p", SOURCES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
