"""The paper's network at its full size, 100×100 rays to 800×800 pixels."""

from __future__ import annotations

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from tests.helpers.students import random_checkpoint

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("layout", "psnr_db"), [("factored", 60.0), ("embedded", 100.0)])
def test_d60_sr3_bundles_and_proves_itself(tmp_path, layout, psnr_db):
    checkpoint = random_checkpoint(
        depth=60, width=256, sr_widths=(64, 64, 16), ray_width=100, ray_height=100
    )
    bundle = create_bundle(
        checkpoint, target="lens", output=tmp_path / "b", options={"layout": layout}
    )
    inspection = bundle.manifest.inspection
    assert inspection.bytes_on_device < 9_000_000
    (table,) = inspection.tables
    lacking = {
        column
        for row in table.rows
        for column, cell in zip(table.columns[2:-1], row.cells[2:-1], strict=True)
        if cell != "yes"
    }
    assert lacking == {"Android GPU"}
    assert inspection.cost.macs == pytest.approx(50.6e9, rel=0.03)
    verification = verify_bundle(bundle.path)
    assert verification.passed, verification.problems
    assert verification.legs[0].psnr_db >= psnr_db
