"""What templates make of a project against a tree of files; `regenerate_golden.py` renews it."""

from __future__ import annotations

import pytest

from tests.golden.regenerate_lens import GOLDEN, golden_files


@pytest.fixture(scope="module")
def rendered() -> dict[str, bytes]:
    return golden_files()


@pytest.fixture(scope="module")
def golden() -> dict[str, bytes]:
    paths = [path for path in GOLDEN.rglob("*") if path.is_file()]
    return {path.relative_to(GOLDEN).as_posix(): path.read_bytes() for path in paths}


def test_no_golden_file_is_missing(rendered, golden):
    assert sorted(golden.keys() - rendered.keys()) == []


def test_no_file_is_extra(rendered, golden):
    assert sorted(rendered.keys() - golden.keys()) == []


def test_contents_equal_the_golden_tree(rendered, golden):
    for path in sorted(golden.keys() & rendered.keys()):
        assert rendered[path].decode().splitlines() == golden[path].decode().splitlines(), path
        assert rendered[path] == golden[path], path


def test_golden_tree_holds_a_project(golden):
    assert "lens_project/Golden.esproj" in golden
    assert "lens_project/Assets/Scene.scene" in golden
