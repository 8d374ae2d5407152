"""Every Swift file parses, those that no compiler here can take among them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import tree_sitter
import tree_sitter_swift

from mobile_nelf_exporters.coreml.app import render_ios_harness
from tests.helpers.coreml.apps import MODELS, bundle_files, ios_contract
from tests.helpers.coreml.swift import HARNESS

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
FOLDERS = ("Sources", "Playground", "LinuxStubs", "Tests")
FOUND = [HARNESS / "Package.swift", *(p for f in FOLDERS for p in (HARNESS / f).rglob("*.swift"))]
SOURCES = {path.relative_to(HARNESS).as_posix(): path for path in FOUND}


def broken_nodes(source: bytes) -> list[str]:
    """What the parser could not read, or had to make up, with its line."""
    found = []
    nodes = [PARSER.parse(source).root_node]
    while nodes:
        node = nodes.pop()
        if node.is_error or node.is_missing:
            found.append(f"line {node.start_point[0] + 1}: {node.text[:60]!r}")
        nodes.extend(node.children)
    return found


def test_all_layers_are_there():
    folders = {name.split("/")[1] for name in SOURCES if name.startswith("Sources/")}
    assert folders == {"NelfBench", "NelfCore", "NelfKit"}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_source_parses(name):
    assert broken_nodes(SOURCES[name].read_bytes()) == []


#: What a protocol of Apple's demands, whose comments DocC takes over.
DEMANDED = re.compile(r"public (var body\b|func (make|update)(UI|NS)View|init\(from|func encode)")


@pytest.mark.parametrize(
    "name", sorted(name for name in SOURCES if re.match("Sources/Nelf(Core|Kit)/", name))
)
def test_everything_public_has_a_comment(name):
    lines = [line.strip() for line in SOURCES[name].read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if not re.fullmatch(r"@\w+", line)]
    bare = [
        line
        for before, line in pairwise(["", *lines])
        if line.startswith("public ") and not before.startswith("///")
    ]
    assert [line for line in bare if not DEMANDED.match(line)] == []


def test_rendered_swift_parses():
    contract = ios_contract()
    rendered = render_ios_harness(contract, MODELS, bundle_files(contract), "A_b-9")
    swift = {path: content for path, content in rendered.items() if path.endswith(".swift")}
    assert "ios_harness/A_b-9.swiftpm/Package.swift" in swift
    for path, content in swift.items():
        assert broken_nodes(content) == [], path


@pytest.mark.parametrize(
    ("correct", "wrong"),
    [
        ("var body: some View {", "var body: some View"),
        ("guard !isRunning else", "guard !isRunning els"),
        ("func stop() {", "func stop( {"),
        ('status = ""', 'status = "'),
    ],
)
def test_a_broken_file_is_caught(correct, wrong):
    views = "Sources/NelfBench/Views"
    files = (SOURCES[f"{views}/{name}.swift"] for name in ("BenchmarkView", "BenchSession"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    assert correct in text
    assert broken_nodes(text.encode()) == []
    assert broken_nodes(text.replace(correct, wrong).encode()) != []
