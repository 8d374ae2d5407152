"""Reading Lens Studio's YAML: the same with libyaml and without, and an answer to anything."""

from __future__ import annotations

import pytest
import yaml

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.studio import yaml as lens_yaml
from mobile_nelf_exporters.lens.studio.yaml import NIL, Tagged, parse_lens_yaml, references
from tests.helpers import ROOT
from tests.helpers.lens.mutations import mutations

GOLDEN = ROOT / "tests" / "golden" / "lens" / "lens_project"
SUFFIXES = (".meta", ".scene", ".esproj", ".renderTarget", ".deviceCameraTexture")
#: Twice each kind of mutation.
MUTATIONS = 60
IDS = ("6c1b7d0e-52a4-4f6e-9d3b-8f02c7a1e594", "f3a90b62-1d7c-48e5-b246-05e9d8c73a1f")


def _golden() -> dict[str, bytes]:
    found = (path for path in GOLDEN.rglob("*") if path.name.endswith(SUFFIXES))
    return {path.relative_to(GOLDEN).as_posix(): path.read_bytes() for path in found}


def _outcome(content: bytes) -> object:
    """What is read; whether it is refused, but not in which words."""
    try:
        return parse_lens_yaml(content, "Scene.scene")
    except BundleError:
        return BundleError


@pytest.fixture
def without_libyaml(monkeypatch):
    """PyYAML as it is where libyaml was missing when it was built."""

    def use() -> None:
        monkeypatch.setattr(yaml, "__with_libyaml__", False)
        lens_yaml._loader.cache_clear()

    yield use
    monkeypatch.undo()
    lens_yaml._loader.cache_clear()


def test_libyaml_and_pyyaml_read_the_same(without_libyaml):
    files = _golden()
    contents = list(files.values())
    for mutation in mutations(files, {"x": b"x"}, range(MUTATIONS)):
        contents += [content for content in mutation.changed.values() if content is not None]
    fast = [_outcome(content) for content in contents]
    without_libyaml()
    assert [_outcome(content) for content in contents] == fast
    assert fast.count(BundleError) not in (0, len(fast))


def test_tags_keep_type_and_id():
    text = b"- !<Camera/1-2>\n  Size: 2.5\n  Target: !<reference.Texture> 3-4\n"
    target = Tagged("reference.Texture", "3-4")
    (camera,) = parse_lens_yaml(text, "x")
    assert camera == Tagged("Camera/1-2", {"Size": 2.5, "Target": target})
    assert (camera.kind, camera.id) == ("Camera", "1-2")


@pytest.mark.parametrize(
    "text",
    ["Name: a\nName: b\n", "- !<Camera/1>\n  Name: a\n  Name: b\n", "- {Name: a, Name: b}\n"],
)
def test_a_key_that_stands_twice_is_refused(text):
    with pytest.raises(BundleError, match=r"Scene\.scene: .*key 'Name' stands twice"):
        parse_lens_yaml(text.encode(), "Scene.scene")


@pytest.mark.parametrize("text_break", ["\u2028", "\u2029", "\u0085"])
def test_breaks_of_unicode_are_text(text_break):
    text = f"- !<Scene/1>\n  Name: one{text_break}two\n  Enabled: true\n"
    (scene,) = parse_lens_yaml(text.encode(), "x")
    assert scene.value == {"Name": "one two", "Enabled": True}


def test_anchors_are_refused():
    with pytest.raises(BundleError, match=r"x: has YAML anchors"):
        parse_lens_yaml(b"a: &a [1]\nb: *a\n", "x")


LEVELS = ["- ", "[", "{a: ", "? "]


@pytest.mark.parametrize("level", LEVELS)
def test_deep_nesting_is_refused(level, without_libyaml):
    deep = 5 * lens_yaml.MAX_DEPTH * level.encode()
    for _ in range(2):
        with pytest.raises(BundleError, match=r"x: is nested deeper"):
            parse_lens_yaml(deep, "x")
        without_libyaml()


@pytest.mark.parametrize("level", LEVELS)
def test_endless_nesting_is_refused(level):
    with pytest.raises(BundleError, match=r"^x: is (nested deeper|not readable)") as refused:
        parse_lens_yaml(100_000 * level.encode(), "x")
    # A newer libyaml looks ahead and has a bound of its own, which may come before ours.
    assert isinstance(refused.value.__cause__, (type(None), yaml.YAMLError))


@pytest.mark.parametrize(
    "text",
    [
        "? !<x> {a: 1}\n: 3",
        "? [1]\n: 3",
        "a: !!timestamp x",
        "a: !!int ''",
        "a: !!bool x",
        "a: !!binary x",
        "a: \x00",
        "a: 0x_",
        "--- a\n--- b",
    ],
)
def test_what_no_one_writes_is_refused(text):
    with pytest.raises(BundleError, match=r"x: is not readable as YAML"):
        parse_lens_yaml(text.encode(), "x")


def test_references_are_ids_and_no_lists():
    text = (
        f"a: !<reference.MLAsset> {IDS[0]}\nb: !<reference> {NIL}\n"
        f"c: !<reference.Texture[]>\n  - !<reference.Texture> {IDS[1]}\nd: !<own> {IDS[1]}\n"
    )
    found = list(references(parse_lens_yaml(text.encode(), "x")))
    assert found == [("MLAsset", IDS[0]), ("Texture", IDS[1])]
