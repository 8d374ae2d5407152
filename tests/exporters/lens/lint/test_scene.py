"""The linter on the scene of a project."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.lens.studio.yaml import NIL
from tests.helpers.lens.lint_projects import (
    IDS,
    MODEL,
    SCENE,
    TARGET,
    assert_reported,
    asset_id,
    edited,
    file_id,
)

pytestmark = pytest.mark.usefixtures("quick_yaml")


def test_an_output_that_is_not_set(good):
    files = edited(
        good, SCENE, r"RenderOutput: !<reference> \S+", f"RenderOutput: !<reference> {NIL}"
    )
    assert_reported(files, SCENE, "RenderOutput is not set")
    assert_reported(
        edited(good, SCENE, r"  RenderOutput: .*\n", ""), SCENE, "RenderOutput is not set"
    )


def test_an_output_that_is_no_render_target(good):
    output = rf"\1 {asset_id(good, MODEL)}"
    files = edited(good, SCENE, r"(RenderOutput: !<reference>) \S+", output)
    assert_reported(files, SCENE, "RenderOutput is a FileMLAsset")


def test_a_camera_without_render_target(good):
    files = edited(
        good, SCENE, r"RenderTarget: !<reference> \S+", f"RenderTarget: !<reference> {NIL}"
    )
    assert_reported(files, SCENE, "no enabled camera has a render target")


def test_a_reference_to_nothing(good):
    files = edited(good, SCENE, asset_id(good, MODEL), IDS[0])
    assert_reported(files, SCENE, "nothing in the project defines", "warning")
    assert_reported(files, SCENE, "input 'model' is nothing", "error")


def test_a_reference_to_the_file_in_place_of_the_asset(good):
    files = edited(good, SCENE, asset_id(good, MODEL), file_id(good, MODEL))
    assert_reported(files, SCENE, f"{MODEL}.meta gives to the file itself")


def test_an_owned_entity_that_is_not_there(good):
    files = edited(good, SCENE, r"(?m)^- !<Camera/\S+>", f"- !<Camera/{IDS[0]}>")
    assert_reported(files, SCENE, "owns an entity")
    assert_reported(files, SCENE, "does not belong to an object", "warning")


def test_an_entity_with_two_owners(good):
    files = edited(
        good,
        SCENE,
        r"(    - !<own> \S+\n)(?=- !<ScriptComponent)|(    - !<own> \S+\n)\Z",
        r"\1\2\1\2",
    )
    assert_reported(files, SCENE, "has 2 owners")


def test_a_script_component_without_script(good):
    files = edited(good, SCENE, r"ScriptAsset: .*", f"ScriptAsset: !<reference> {NIL}")
    assert_reported(files, SCENE, "has no script", "warning")
    wrong = edited(good, SCENE, r"(ScriptAsset: !<reference>) .*", rf"\1 {asset_id(good, MODEL)}")
    assert_reported(wrong, SCENE, "is a FileMLAsset")


def test_an_input_that_the_script_does_not_declare(good):
    files = edited(good, SCENE, r"      model:", "      modell:")
    assert_reported(files, SCENE, "sets 'modell', which is not an //@input", "warning")


def test_an_input_of_the_wrong_kind(good):
    files = edited(good, SCENE, asset_id(good, MODEL), asset_id(good, TARGET))
    assert_reported(files, SCENE, "input 'model' is a RenderTarget, expected MLAsset")


def test_an_empty_model_field(good):
    files = edited(good, SCENE, asset_id(good, MODEL), NIL)
    assert_reported(files, SCENE, "input 'model' is empty", "warning")


def test_a_vector_that_is_none(good):
    files = edited(good, SCENE, r"Position: {x: 0.000000,", "Position: {x: zero,")
    assert_reported(files, SCENE, "Position is {x: zero")


def test_a_render_target_with_an_unknown_clear_option(good):
    files = edited(good, TARGET, r"ClearColorOption: .*", "ClearColorOption: Picture")
    assert_reported(files, TARGET, "ClearColorOption is 'Picture'")
