"""The sdist and the wheel as a user gets them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.helpers import ROOT


def _run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds sdist, then wheel from the sdist, from the tracked files of this checkout."""
    source = tmp_path_factory.mktemp("source")
    tracked = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in tracked.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    dist = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, cwd=source)
    return dist


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """A clean environment with nothing but the wheel; dependencies come from this one by path."""
    home = tmp_path_factory.mktemp("clean")
    _run(sys.executable, "-m", "venv", home / "venv", cwd=home)
    python = home / "venv" / "bin" / "python"
    wheel = next(built.glob("*.whl"))
    _run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=home)
    code = "import site; print(site.getsitepackages()[0])"
    here, there = (_run(exe, "-c", code, cwd=home).strip() for exe in (sys.executable, python))
    # A .pth file appends, so the wheel's own packages come first. The editable install of this
    # checkout is itself a .pth inside that folder, which a nested .pth does not follow.
    (Path(there) / "dependencies.pth").write_text(here + "\n")
    return home


def test_the_wheel_holds_packages_and_assets_and_nothing_else(built):
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "mobile_nelf",
        "mobile_nelf_exporters",
    }
    for asset in ("templates", "lens_project", "ios_harness", "web_viewer"):
        tracked = _run("git", "ls-files", asset, cwd=ROOT).splitlines()
        assert tracked
        assert {f"mobile_nelf/_data/{name}" for name in tracked} <= set(names)
    assert not [name for name in names if "test" in name or name.endswith((".pt", ".onnx"))]
    assert "mobile_nelf/py.typed" in names


def test_the_sdist_leaves_out_the_non_commercial_checkpoints(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = archive.getnames()
    assert not [name for name in names if "benchmarks/checkpoints" in name]
    assert [name for name in names if name.endswith("examples/mic.pt")]


def test_mnelf_runs_from_the_wheel(installed, tmp_path):
    binary = installed / "venv" / "bin" / "mnelf"
    assert "bundle" in _run(binary, "--help", cwd=tmp_path)
    where = (
        "import mobile_nelf, mobile_nelf_exporters as e; print(mobile_nelf.__file__, e.__file__)"
    )
    python = installed / "venv" / "bin" / "python"
    for path in _run(python, "-c", where, cwd=tmp_path).split():
        assert Path(path).is_relative_to(installed)
    _run(binary, "bundle", ROOT / "examples" / "mic.pt", "--target", "lens", cwd=tmp_path)
    _run(binary, "verify", "mic-lens", cwd=tmp_path)
