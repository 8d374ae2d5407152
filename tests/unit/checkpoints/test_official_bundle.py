"""A file of the research code becomes a bundle with no more than itself and its intrinsics."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mobile_nelf.bundles import verify_bundle
from mobile_nelf.cli import cli
from mobile_nelf.export.parity import IDENTICAL_DB


@pytest.mark.parametrize("target", ["lens", "onnx"])
@pytest.mark.parametrize(
    "options",
    [{}, {"dataset_type": "Colmap"}, {"architecture": "r2l", "samples": 4, "frequencies": 3}],
    ids=["x8", "x12", "r2l"],
)
def test_an_official_file_bundles(official, tmp_path, target, options):
    file = official(**options)
    output = tmp_path / "b"
    result = CliRunner().invoke(
        cli, ["bundle", str(file.path), "--target", target, "-o", str(output)]
    )
    assert result.exit_code == 0, result.output
    verification = verify_bundle(output)
    assert verification.passed, verification.problems
    assert verification.manifest.provenance["source"] in ("MobileR2L", "R2L")
    demanded = [leg for leg in verification.manifest.parity if leg.tolerance]
    assert all(60.0 <= leg.psnr_db <= IDENTICAL_DB for leg in demanded)
