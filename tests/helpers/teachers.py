"""A teacher that learned nothing, shared by the tests."""

from __future__ import annotations

import torch

from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
from mobile_nelf.teachers.ngp import NgpTeacher, build_field
from mobile_nelf.teachers.spaces import Space
from tests.helpers.ball import SPACES

__all__ = ["CONFIG", "teacher_of"]

CONFIG = TeacherConfig(resolutions=(3, 5), channels=2, march_steps=96, steps=9, seed=3)


def teacher_of(space: Space = SPACES["box"], seed: int = 0) -> NgpTeacher:
    """Untrained, and for that more telling: no weight is near zero."""
    torch.manual_seed(seed)
    field = build_field(CONFIG, space, torch.device("cpu"))
    rng = torch.Generator().manual_seed(seed)
    grid = OccupancyGrid(torch.rand(CELLS**3, generator=rng) < 0.3)
    return NgpTeacher(CONFIG, space, field, grid).rounded()
