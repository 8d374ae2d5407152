"""Linter and player agree on a project: what lints clean runs, what is refused is reported."""

from __future__ import annotations

import re

import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.player.model import LensModel
from mobile_nelf_exporters.lens.player.plain import plain_project
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.studio.project import read_lens_project
from mobile_nelf_exporters.lens.studio.yaml import NIL
from tests.helpers.lens.lint_projects import IDS, SCENE, by_hand, edited, generated_project
from tests.helpers.lens.mutations import KINDS, mutations
from tests.helpers.lens.runtime_projects import SCREEN
from tests.helpers.lens.sessions import settle
from tests.helpers.node import needs_node

pytestmark = pytest.mark.usefixtures("quick_yaml")

#: Each kind ten times.
MUTATIONS = 10 * len(KINDS)


@pytest.fixture(scope="module")
def others() -> dict[str, bytes]:
    """Another student's model."""
    return {"grid": generated_project("rays", ray_width=5)["Assets/model.onnx"]}


def _refusal(files) -> str:
    """What the player says before any script runs; empty if it takes the project."""
    try:
        project = read_lens_project(files)
        models = {
            asset.id: LensModel(asset, files[asset.path])
            for asset in project.assets.values()
            if asset.kind == "FileMLAsset"
        }
        plain_project(project, models)
    except BundleError as refusal:
        return str(refusal)
    return next((model.problem for model in models.values() if model.problem), "")


@pytest.mark.slow
def test_what_the_player_refuses_the_linter_reports(good, others):
    assert lint_lens_project(good) == ()
    refused = 0
    for mutation in mutations(good, others, range(MUTATIONS)):
        files = mutation.apply(good)
        refusal = _refusal(files)
        if refusal:
            refused += 1
            assert lint_lens_project(files), (mutation.kind, list(mutation.changed), refusal)
    assert refused > MUTATIONS / 4


def _with_idle_camera(files) -> dict[str, bytes]:
    """A second camera that is switched off and draws to nothing."""
    camera = re.search(r"(?m)^- !<Camera/\S+>\n(?:  .*\n)*", files[SCENE].decode())[0]
    camera = re.sub(r"Camera/[^>]+", f"Camera/{IDS[0]}", camera)
    camera = re.sub(r"(\n  RenderTarget: !<reference>) \S+", rf"\1 {NIL}", camera)
    camera = camera.replace("\n  Enabled: true", "\n  Enabled: false")
    owned = edited(files, SCENE, r"(  Components:\n)", rf"\1    - !<own> {IDS[0]}\n")
    return {**owned, SCENE: owned[SCENE] + camera.encode()}


@pytest.mark.parametrize(
    ("spoil", "reported"),
    [
        (lambda good: edited(good, SCENE, r"(?m)^(  Fov:) .*", r"\1 wide"), "has the Fov 'wide'"),
        (lambda good: edited(good, SCENE, r"(?m)^  ScriptAsset: .*\n", ""), "has no script"),
        (_with_idle_camera, f"camera {IDS[0]} has no render target"),
    ],
)
def test_what_only_the_player_used_to_refuse(good, spoil, reported):
    files = spoil(good)
    assert _refusal(files)
    assert any(reported in finding.problem for finding in lint_lens_project(files))


@needs_node
@pytest.mark.parametrize(
    ("layout", "experience"), [("factored", "orbit"), ("camera", "orbit"), ("rays", "world")]
)
def test_what_lints_clean_runs(layout, experience):
    files = by_hand(generated_project(layout, experience))
    assert lint_lens_project(files) == ()
    with LensSession(files, screen=SCREEN) as lens:
        settle(lens)
        assert lens.status == ""
        assert lens.masked if experience == "world" else lens.texture() is not None
