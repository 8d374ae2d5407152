"""Walls between packages, checked on the graph of imports, also those inside functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT

SDK, EXPORTERS = "mobile_nelf", "mobile_nelf_exporters"

#: Names of targets and of what only they know. Where the words mean something else is listed by
#: `NAMED_ELSEWHERE`; SnapML and Core ML are written otherwise where a docstring speaks of them.
TARGET_WORDS = re.compile(
    r"""^lens$|["'`]lens["'`]|\b(coreml|snapml)\b|\.mlpackage|\.esproj|com\.apple"""
)

#: Modules that may name targets: the list of words, and what each optional dependency is for. The
#: sets of optional dependencies are called like the targets that need them. One command is called
#: like what it opens, whatever the target.
NAMED_ELSEWHERE = {
    "mobile_nelf.vocabulary",
    "mobile_nelf.doctor",
    "mobile_nelf.cli",
    "mobile_nelf.cli.commands.lens",
}

#: Modules that can run what a file says.
UNPICKLERS = {"pickle", "pickletools", "marshal", "shelve", "dill", "joblib"}


def _sources() -> dict[str, ast.Module]:
    trees = {}
    for top in (ROOT / SDK, ROOT / "exporters" / EXPORTERS):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


SOURCES = _sources()


def _named(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports; of `from a import b`, `a.b` where that is a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in SOURCES else node.module


def _imports(tree: ast.AST) -> set[str]:
    """What a module imports when it runs; what only the type checker reads is left out."""
    found: set[str] = set()
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        found |= {*_named(child), *_imports(child)}
    return found


IMPORTS = {name: _imports(tree) for name, tree in SOURCES.items()}


def _inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _users(of: str, within: str) -> set[str]:
    """The modules of one package that import from another."""
    return {
        name
        for name, imported in IMPORTS.items()
        if _inside(name, within) and any(_inside(found, of) for found in imported)
    }


def test_the_sdk_imports_no_exporter():
    assert _users(EXPORTERS, SDK) == set()


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every text in a module, docstrings too, but examples of command lines and names of extras."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Call):
            called = ast.unparse(child.func)
            if called == "examples":
                continue
            if called == "import_extra":
                yield from _texts(child.args[0])
                continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        yield from _texts(child)


def test_the_sdk_names_no_target():
    found = {
        name: named
        for name, tree in SOURCES.items()
        if _inside(name, SDK) and name not in NAMED_ELSEWHERE
        for named in [[text for text in _texts(tree) if TARGET_WORDS.search(text)]]
        if named
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        'if target == "lens": pass',
        'x = f"{name}.mlpackage"',
        'FP16 = ("coreml",)',
        'def f():\n    """For target `lens`."""',
        'option("--x", help="For coreml.")',
    ],
)
def test_names_of_targets_are_found(line):
    assert any(TARGET_WORDS.search(text) for text in _texts(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        '"the lens of a camera"',
        'examples("mnelf check --target coreml")',
        'import_extra("onnx", "lens")',
    ],
)
def test_other_words_are_not_names_of_targets(line):
    assert not any(TARGET_WORDS.search(text) for text in _texts(ast.parse(line)))


def test_vocabulary_imports_nothing():
    assert IMPORTS["mobile_nelf.vocabulary"] == {"__future__", "typing"}


def test_the_command_line_imports_no_torch():
    assert not _users("torch", "mobile_nelf.cli")


def test_one_package_opens_foreign_checkpoints():
    safe = "mobile_nelf.checkpoints.safe"
    users = {name for name, found in IMPORTS.items() if found & UNPICKLERS}
    assert {name for name in users if not _inside(name, safe)} == set()


@pytest.mark.parametrize(
    ("call", "reader"),
    [
        ("json.load", None),
        ("json.loads", "mobile_nelf.parsing"),
        ("np.load", None),
        # The state of a run is this machine's own.
        ("torch.load", "mobile_nelf.runs"),
    ],
)
def test_one_function_reads_each_format(call, reader):
    users = {
        name
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == call
    }
    assert users == ({reader} if reader else set())


def test_only_the_door_of_the_opener_is_used():
    safe = "mobile_nelf.checkpoints.safe"
    outside = {name for name in IMPORTS if not _inside(name, safe)}
    for name in outside:
        assert not {found for found in IMPORTS[name] if found.startswith(f"{safe}.")}, name


@pytest.mark.parametrize("package", ["interpreter", "package"])
def test_the_interpreter_shares_no_code_with_the_converter(package):
    inside = f"{EXPORTERS}.coreml.{package}"
    assert not _users("coremltools", inside)
    # Not by another module's hand either: they see each other and the SDK alone.
    allowed = (f"{EXPORTERS}.coreml.interpreter", f"{EXPORTERS}.coreml.package", SDK)
    for name in (name for name in IMPORTS if _inside(name, inside)):
        own = {found for found in IMPORTS[name] if found.startswith("mobile_nelf")}
        assert all(any(_inside(found, top) for top in allowed) for found in own), name
    helpers = [
        node
        for name in IMPORTS
        if _inside(name, inside)
        for node in ast.walk(SOURCES[name])
        if isinstance(node, ast.Constant) and node.value == "coremltools"
    ]
    assert helpers == []  # `import_extra` takes a name as a string


def _circle(graph: dict[str, set[str]]) -> list[str]:
    """Some circle of a graph; empty if there is none."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for following in sorted(graph.get(node, ())):
            found = walk(following, [*path, node])
            if found:
                return found
        done.add(node)
        return []

    return next(filter(None, (walk(node, []) for node in sorted(graph))), [])


def _graph(depth: int) -> dict[str, set[str]]:
    """What each package at a depth imports, apart from itself and the packages above it."""
    graph: dict[str, set[str]] = {}
    for name, imported in IMPORTS.items():
        own = ".".join(name.split(".")[:depth])
        for found in imported & SOURCES.keys():
            other = ".".join(found.split(".")[:depth])
            if not _inside(own, other):
                graph.setdefault(own, set()).add(other)
    return graph


@pytest.mark.parametrize("depth", [2, 3])
def test_packages_do_not_import_each_other_in_a_circle(depth):
    assert _circle(_graph(depth)) == []


def test_circles_are_found():
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert _circle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_modules_are_short_and_exporters_few():
    for top in (ROOT / SDK, ROOT / "exporters" / EXPORTERS):
        for path in Path(top).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, path
    folder = ROOT / "exporters" / EXPORTERS
    assert len([path for path in folder.iterdir() if path.name != "__pycache__"]) <= 9
