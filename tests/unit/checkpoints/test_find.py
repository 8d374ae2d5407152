"""The checkpoint that is meant where none is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.checkpoints.find import only_checkpoint
from mobile_nelf.checkpoints.native import TEACHER_FORMAT
from mobile_nelf.errors import InputError
from tests.helpers.students import random_checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What lies beside a student: its teacher, the folder of its run, other files."""
    save_checkpoint(random_checkpoint(sr_widths=(8,)), tmp_path / "mic.pt")
    torch.save({"format": TEACHER_FORMAT}, tmp_path / "a-teacher.pt")
    (tmp_path / "mic.pt.run").mkdir()
    shutil.copy(tmp_path / "mic.pt", tmp_path / "mic.pt.run" / "inside.pt")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "photos.tar").write_bytes(b"photos")
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


def test_the_only_student_is_found_by_its_content(folder: Path) -> None:
    assert only_checkpoint(folder) == folder / "mic.pt"
    (folder / "mic.pt").rename(folder / "ckpt.tar")
    assert only_checkpoint(folder) == folder / "ckpt.tar"


def test_several_students_are_listed(folder: Path) -> None:
    shutil.copy(folder / "mic.pt", folder / "lego.pth")
    with pytest.raises(InputError) as caught:
        only_checkpoint(folder)
    assert str(caught.value) == (
        f"{folder} has several checkpoints: {folder / 'lego.pth'}, {folder / 'mic.pt'}; name one "
        "of them"
    )


def test_without_a_student_what_was_found_is_said(folder: Path) -> None:
    (folder / "mic.pt").unlink()
    with pytest.raises(InputError, match="has no checkpoint of a student") as caught:
        only_checkpoint(folder)
    assert f"{folder / 'a-teacher.pt'}: is a teacher" in str(caught.value)
    assert f"{folder / 'photos.tar'}: " in str(caught.value)
    assert "notes.txt" not in str(caught.value)
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"empty has no checkpoint of a student; name one$"):
        only_checkpoint(empty)
