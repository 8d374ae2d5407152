"""A full disk is named as such, whatever is being written."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_nelf.training import presets
from tests.helpers.cli import mnelf_process
from tests.helpers.sphere import PRESET


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_standard_output_on_a_full_disk(tmp_path, student):
    for line in (("inspect", student), ("inspect", student, "--json"), ("--help",)):
        with open("/dev/full", "w") as full:
            process = mnelf_process(tmp_path, *line, stdout=full)
            _, error = process.communicate(timeout=600)
        assert process.returncode == 2
        assert error == "mnelf: input or output: No space left on device\n"


@pytest.fixture
def full_disk(tmp_path) -> Iterator[Path]:
    """A folder on a disk without a free block."""
    folder = tmp_path / "full"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(line, capture_output=True).returncode:
        pytest.skip("only who may mount has a disk that is full: run as root on Linux")
    try:
        with pytest.raises(OSError, match="No space left"):
            (folder / "filler").write_bytes(bytes(1 << 20))
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


#: Each leaves what its run needs to resume, and nothing else.
ON_A_FULL_DISK = (
    ("render", "{student}", "-o", "full/a.png", "--azimuth", "0"),
    ("render", "{student}", "-o", "full/a.gif", "--frames", "2"),
    ("render", "{student}", "-o", "full/a.mp4", "--frames", "2"),
    ("render", "{student}", "-o", "full/frames", "--frames", "2"),
    ("bundle", "{student}", "--target", "onnx", "-o", "full/b"),
    ("inspect", "{ball}", "--picture", "full/a.png"),
    ("teacher", "{ball}", "-o", "full/t.pt", "--preset", "tiny", "--device", "cpu"),
    ("train", "{ball}", "-o", "full/a.pt", "--preset", "tiny", "--device", "cpu"),
    ("student", "{ball}", "-o", "full/a.pt", "--preset", "tiny", "--device", "cpu"),
)


@pytest.mark.parametrize("line", ON_A_FULL_DISK, ids=lambda line: f"{line[0]} {line[3]}")
def test_a_full_disk_says_so(mnelf, full_disk, ball, student, monkeypatch, line):
    monkeypatch.setattr(presets, "PRESETS", {"tiny": PRESET})
    result = mnelf(*(part.format(ball=ball, student=student) for part in line))
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith("mnelf: full/")
    assert "No space left on device" in result.stderr.splitlines()[-1]
    names = {path.name for path in full_disk.iterdir()}
    assert names <= {"filler", "t.pt.run", "a.pt.run"}
    assert not list(full_disk.rglob("*.partial"))


def test_a_run_resumes_when_there_is_space_again(mnelf, full_disk, ball, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "PRESETS", {"tiny": PRESET})
    line = ("student", ball, "--preset", "tiny", "--device", "cpu", "-o")
    assert mnelf(*line, "full/a.pt").exit_code == 2
    subprocess.run(["mount", "-o", "remount,size=8m", str(full_disk)], check=True)
    assert mnelf(*line, "full/a.pt").exit_code == 0
    assert mnelf(*line, "b.pt").exit_code == 0
    assert (full_disk / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_a_set_and_a_preview_on_a_full_disk(mnelf, full_disk, ball, student, monkeypatch):
    monkeypatch.setattr(presets, "PRESETS", {"tiny": PRESET})
    assert (
        mnelf("teacher", ball, "-o", "t.pt", "--preset", "tiny", "--device", "cpu").exit_code == 0
    )
    assert mnelf("bundle", student, "--target", "onnx", "-o", "b").exit_code == 0
    line = ("distill", "t.pt", ball, "--views", "2", "--device", "cpu", "-o", "full/set")
    for result in (mnelf(*line), mnelf("preview", "b", "-o", "full/b.gif", "--frames", "2")):
        assert result.exit_code == 2
        assert "No space left on device" in result.stderr.splitlines()[-1]
    assert {path.name for path in full_disk.iterdir()} <= {"filler", "set.run"}
