"""What people bring is read, noticed or refused, as the table in the docs says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mobile_nelf.errors import SceneError
from mobile_nelf.scenes import read_scene
from tests.helpers.scene_cases import CASES, Case

INPUTS = [
    pytest.param(case, kind, id=f"{case.part}: {case.brought[:40]} [{kind}]")
    for case in CASES
    for kind in case.inputs
]


@pytest.mark.parametrize(("case", "kind"), INPUTS)
def test_what_people_bring(tmp_path: Path, case: Case, kind: str) -> None:
    case.inputs[kind](tmp_path)
    path = tmp_path / case.argument
    if case.outcome == "refused":
        with pytest.raises(SceneError, match=case.says) as caught:
            read_scene(path)
        assert str(tmp_path) in str(caught.value)
        return
    scene = read_scene(path)
    said = [*scene.notices, *scene.missing]
    if case.outcome == "read":
        assert said == []
    else:
        assert any(re.search(case.says, sentence) for sentence in said), said
    assert case.check(scene)
    scene.check_images()
