"""The icon of a lens."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mobile_nelf_exporters.lens.icon import lens_icon
from tests.helpers.students import random_checkpoint


@pytest.mark.parametrize(("columns", "rows", "channels"), [(7, 6, 3), (6, 9, 4)])
def test_the_whole_picture_is_in_the_icon_on_its_background(columns, rows, channels):
    checkpoint = random_checkpoint(
        sr_widths=(8,), out_channels=channels, ray_width=columns, ray_height=rows
    )
    checkpoint = replace(checkpoint, background=(0.0, 1.0, 0.0))
    content = lens_icon(checkpoint)
    icon = np.asarray(Image.open(io.BytesIO(content)))
    assert icon.shape == (320, 320, 3)
    assert content == lens_icon(checkpoint)
    border = (icon == [0, 255, 0]).all(axis=2)
    free_rows, free_columns = border.all(axis=1).sum(), border.all(axis=0).sum()
    longest = max(columns, rows)
    assert free_rows == pytest.approx(320 * (1 - rows / longest), abs=2)
    assert free_columns == pytest.approx(320 * (1 - columns / longest), abs=2)
