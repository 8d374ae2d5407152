"""The linter on the project file, metas, ids and text of a project."""

from __future__ import annotations

import pytest

from tests.helpers.lens.lint_projects import (
    IDS,
    MODEL,
    SCENE,
    SCRIPT,
    TARGET,
    assert_reported,
    asset_id,
    edited,
    file_id,
    without,
)

pytestmark = pytest.mark.usefixtures("quick_yaml")


# ---- Project file -------------------------------------------------------------------------------


def test_no_project_file(good):
    assert_reported(without(good, "Thing.esproj"), "", "expected one .esproj file, found none")


def test_two_project_files(good):
    assert_reported({**good, "B.esproj": good["Thing.esproj"]}, "", "found .*B.esproj")


@pytest.mark.parametrize("key", ["clientVersion", "  lensName", "metaInfo", "  documentId"])
def test_a_sparse_project_file(good, key):
    files = edited(good, "Thing.esproj", rf"(?m)^{key}:.*\n", "")
    assert_reported(files, "Thing.esproj", f"lacks .*{key.strip()}|not readable")


def test_a_scene_id_that_is_no_scene(good):
    files = edited(good, "Thing.esproj", r"sceneId: .*", f"sceneId: {IDS[0]}")
    assert_reported(files, "Thing.esproj", "is not a scene")


# ---- Metas and ids ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SCENE, MODEL, SCRIPT, TARGET])
def test_a_missing_meta(good, path):
    assert_reported(without(good, f"{path}.meta"), path, r"has no .*\.meta")


@pytest.mark.parametrize("path", [SCENE, MODEL, SCRIPT, TARGET])
def test_a_meta_without_its_file(good, path):
    assert_reported(without(good, path), f"{path}.meta", "which is missing")


def test_file_and_asset_with_one_id(good):
    files = edited(good, f"{MODEL}.meta", file_id(good, MODEL), asset_id(good, MODEL))
    assert_reported(files, f"{MODEL}.meta", "file and asset have the same id")


def test_two_files_with_one_id(good):
    files = edited(good, f"{SCRIPT}.meta", file_id(good, SCRIPT), file_id(good, MODEL))
    assert_reported(files, f"{MODEL}.meta", "already")


@pytest.mark.parametrize(
    "identity",
    [
        "11111111-1111-1111-1111-111111111111",
        "12345678-1234-1234-1234-123456789abc",
        "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "00000000-0000-0000-0000-000000000001",
        "01234567-89ab-cdef-0123-456789abcdef",
    ],
)
def test_a_placeholder_id(good, identity):
    files = {
        p: c.replace(asset_id(good, MODEL).encode(), identity.encode()) for p, c in good.items()
    }
    assert_reported(files, f"{MODEL}.meta", "placeholder", "warning")


@pytest.mark.parametrize("identity", ["model", "123", "1fa76071-6107-52be-a243-f48992e7c37g"])
def test_a_malformed_id(good, identity):
    files = {
        p: c.replace(asset_id(good, MODEL).encode(), identity.encode()) for p, c in good.items()
    }
    assert_reported(files, f"{MODEL}.meta", "is not a UUID")


def test_ids_counted_by_hand(good):
    files = good
    for path, last in ((MODEL, "0001"), (SCRIPT, "0002")):
        old, new = file_id(good, path), f"7d3b91e6-a5c0-4f28-b64e-19c8d27f{last}"
        files = edited(files, f"{path}.meta", old, new)
    assert_reported(files, f"{MODEL}.meta", "differ in their last digits", "warning")


def test_a_native_file_that_its_meta_calls_otherwise(good):
    files = edited(good, TARGET, asset_id(good, TARGET), IDS[0])
    assert_reported(files, f"{TARGET}.meta", "the file itself is")


def test_a_wrong_importer(good):
    files = edited(good, f"{MODEL}.meta", "FileMLAssetImporter\n", "BinAssetImporter\n")
    assert_reported(files, f"{MODEL}.meta", "expected FileMLAssetImporter")


@pytest.mark.parametrize("path", [SCENE, TARGET, f"{MODEL}.meta"])
@pytest.mark.parametrize("content", [b"", b"- !<Scene", b"a: 1", b"\x00\xff", b"- &a 1\n- *a"])
def test_files_that_are_no_yaml_of_lens_studio(good, path, content):
    assert_reported({**good, path: content}, path, "does not begin|not readable|anchors")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content.replace(b"\n", b"\r\n"), "Windows line ends"),
        (lambda content: b"\xef\xbb\xbf" + content, "byte order mark"),
    ],
)
def test_what_editors_do_to_text(good, change, problem):
    assert_reported({**good, SCENE: change(good[SCENE])}, SCENE, problem, "warning")


@pytest.mark.parametrize(
    ("path", "line", "problem"),
    [
        (f"{SCRIPT}.meta", "  PackageType: .*\n", "AssetImportMetadata/.* lacks PackageType"),
        (SCENE, "  Near: .*\n", "Camera/.* lacks Near"),
        (TARGET, "  DepthBuffer: .*\n", "RenderTarget/.* lacks DepthBuffer"),
        (SCENE, r"(?<=    Rotation:) .*", "TransformEntity lacks Rotation"),
    ],
)
def test_a_line_that_is_missing(good, path, line, problem):
    assert_reported(edited(good, path, line, ""), path, problem, "warning")
