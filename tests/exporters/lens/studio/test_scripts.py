"""Inputs that scripts declare, as linter, player and templates read them."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.lens.studio.scripts import ScriptInput, script_inputs


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        (
            '//@input Asset.MLAsset model {"hint":"x"}',
            "model",
            ScriptInput("MLAsset", is_reference=True, optional=False, default=""),
        ),
        (
            '//@input Component.Camera eye {"hint":"optional"}',
            "eye",
            ScriptInput("Camera", is_reference=True, optional=True, default=""),
        ),
        (
            "//@input SceneObject part",
            "part",
            ScriptInput("SceneObject", is_reference=True, optional=False, default=""),
        ),
        (
            "  // @input float[] sizes",
            "sizes",
            ScriptInput("float[]", is_reference=False, optional=False, default=""),
        ),
        (
            "//@input vec2 p = {1,2}",
            "p",
            ScriptInput("vec2", is_reference=False, optional=False, default=""),
        ),
        (
            '//@input bool loud = true {"hint":"x"}',
            "loud",
            ScriptInput("bool", is_reference=False, optional=False, default="true"),
        ),
        (
            '\t//@input string title = "a {title}"   {"hint":"x"}',
            "title",
            ScriptInput("string", is_reference=False, optional=False, default='"a {title}"'),
        ),
        (
            "//@input float size = 1.5",
            "size",
            ScriptInput("float", is_reference=False, optional=False, default="1.5"),
        ),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n//@input int count = 7\n"])
def test_a_declared_input(line, name, expected, end):
    found = script_inputs(f"print(1);\n{line}{end}".encode())
    assert found[name] == expected
    assert list(found) == [name, *(["count"] if "count" in end else [])]


def test_what_declares_nothing():
    assert script_inputs(b"// input float x\nconst a = '//@input float b';\n\xff//@input") == {}
