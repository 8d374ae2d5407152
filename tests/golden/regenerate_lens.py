"""Writes the golden tree anew: `python -m tests.golden.regenerate_lens`, then read the diff."""

from __future__ import annotations

import shutil

from mobile_nelf.assets import asset_dir
from mobile_nelf_exporters.lens.project import render_lens_project, render_lens_readme
from tests.helpers import ROOT
from tests.helpers.lens.contracts import lens_contract

GOLDEN = ROOT / "tests" / "golden" / "lens"
NAME = "Golden"
#: Stands for the ONNX file: the project carries it without looking into it.
MODEL = b"stands for an ONNX file"


def golden_files() -> dict[str, bytes]:
    """Project and README of a fixed contract, without what is copied from `lens_project/`."""
    models = [(lens_contract("factored"), MODEL)] * 2
    copied = {path.read_bytes() for path in asset_dir("lens_project").rglob("*") if path.is_file()}
    files = {**render_lens_project(models, NAME), "README.md": render_lens_readme(models, NAME)}
    return {path: content for path, content in files.items() if content not in copied}


def main() -> None:
    """Replaces `golden/`."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for relative, content in golden_files().items():
        path = GOLDEN / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
