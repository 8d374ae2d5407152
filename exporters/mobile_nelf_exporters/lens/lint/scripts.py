"""Scripts of a Lens Studio project: inputs, required files, syntax."""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import lru_cache

from mobile_nelf.export.inspection import Finding
from mobile_nelf.parsing import parse_json
from mobile_nelf_exporters.lens.studio.findings import error, warning
from mobile_nelf_exporters.lens.studio.project import LensProject

__all__ = ["check_scripts"]

#: Comments and text, in which a call is none, or a call with a literal.
CALLS = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|\b(?P<call>require|requireAsset|requireType)\s*\(\s*(?P<quote>['\"])(?P<path>[^'\"\n]*)(?P=quote)"
    r"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`(?:\\.|[^`\\])*`",
    re.DOTALL,
)
SCRIPT_ENDINGS = ("", ".js", ".ts", ".json")
#: Files that `requireAsset` does not name by path: built in, or inside of a package.
FOREIGN = ("LensStudio:",)

#: Parses the sources on stdin without running them.
PARSE = """
const vm = require("vm");
const sources = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(sources.map((source) => {
    try {
        vm.compileFunction(source);
        return "";
    } catch (error) {
        const line = /:(\\d+)/.exec(String(error.stack).split("\\n")[0]);
        return error.message + (line ? ` in line ${line[1]}` : "");
    }
})));
"""
PARSE_SECONDS = 60


def check_scripts(project: LensProject) -> Iterator[Finding]:
    """Finds scripts that cannot be read, do not parse, or require what is not there."""
    scripts: dict[str, str] = {}
    for path in project.asset_paths:
        if not path.endswith((".js", ".ts")):
            continue
        content = project.files[path]
        try:
            scripts[path] = content.decode("utf-8-sig")
        except UnicodeDecodeError as failure:
            yield error(path, f"is not UTF-8 text ({failure.reason})", "save it as UTF-8")
            continue
        if not content.strip():
            yield error(path, "is empty", "restore the script, or remove it and its meta")
        yield from _check_calls(project, path, scripts[path])
    javascript = {path: text for path, text in scripts.items() if path.endswith(".js")}
    for path, problem in zip(javascript, syntax_problems(tuple(javascript.values())), strict=False):
        if problem:
            yield error(path, f"does not parse: {problem}", "correct the script")


@lru_cache(maxsize=32)
def syntax_problems(sources: tuple[str, ...]) -> tuple[str, ...]:
    """Returns what Node's parser says of each source; nothing at all without Node.

    Scripts are compiled as the body of a function and never run.
    """
    node = shutil.which("node")
    if node is None or not sources:
        return ()
    done = subprocess.run(
        [node, "-e", PARSE],
        input=json.dumps(sources),
        capture_output=True,
        encoding="utf-8",
        timeout=PARSE_SECONDS,
        check=False,
    )
    return tuple(parse_json(done.stdout)) if done.returncode == 0 else ()


def _check_calls(project: LensProject, path: str, text: str) -> Iterator[Finding]:
    for match in CALLS.finditer(text):
        wanted = match["path"]
        if match["call"] is None or wanted is None or wanted.startswith(FOREIGN):
            continue
        line = text.count("\n", 0, match.start()) + 1
        call = f"line {line}: {match['call']}({wanted!r})"
        if " " in wanted:
            yield warning(
                path,
                f"{call} has a space in its path, which is known to fail",
                "rename file and folder without spaces",
            )
        if ".lspkg" in wanted:
            continue
        if not _resolves(project, path, wanted):
            yield error(path, f"{call} finds no such file", "correct the path, or add the file")


def _resolves(project: LensProject, path: str, wanted: str) -> bool:
    """Whether a required path leads to a file: beside the script, or by name anywhere."""
    folder = posixpath.dirname(path)
    if wanted.startswith("."):
        target = posixpath.normpath(posixpath.join(folder, wanted))
        return any(f"{target}{ending}" in project.files for ending in SCRIPT_ENDINGS)
    # A name is looked for in the script's folder, its parents and the library of Lens Studio.
    names = tuple(f"/{wanted}{ending}" for ending in SCRIPT_ENDINGS)
    return project.has_packages or any(other.endswith(names) for other in project.files)
