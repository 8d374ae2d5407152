"""Teachers whose surface has a closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mobile_nelf.teachers.files import TrainedTeacher, save_teacher
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
from mobile_nelf.teachers.ngp import NgpTeacher
from mobile_nelf.teachers.spaces import Space
from tests.helpers.ball import RADIUS, SPACES
from tests.helpers.teachers import CONFIG, teacher_of

__all__ = ["CENTRE", "DENSE", "ball_teacher", "hollow", "saved_teacher", "solid_teacher", "speck"]

#: Of the ball, world frame; not in the middle of anything.
CENTRE = (0.1, -0.05, 0.2)
#: A length of the unit cube inside lets nothing through.
DENSE = 2000.0

#: Whether points [N, 3] of the world are inside of something.
Solid = Callable[[Tensor], Tensor]


class _SolidField(nn.Module):
    """Dense inside, empty outside; its colour is the direction from the centre of the ball."""

    def __init__(self, space: Space, solid: Solid) -> None:
        super().__init__()
        self.space, self.solid = space, solid

    def density(self, points_unit: Tensor) -> tuple[Tensor, Tensor]:
        world = self.space.to_world(points_unit)
        return DENSE * self.solid(world).float(), world - world.new_tensor(CENTRE)

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        return 0.5 + 0.4 * nn.functional.normalize(features, dim=1)


def solid_teacher(solid: Solid, space: Space = SPACES["box"]) -> NgpTeacher:
    """A teacher that shows exactly what is inside, wherever that is."""
    grid = OccupancyGrid(torch.ones(CELLS**3, dtype=torch.bool))
    return NgpTeacher(CONFIG, space, _SolidField(space, solid), grid)


def ball(points: Tensor) -> Tensor:
    return (points - points.new_tensor(CENTRE)).norm(dim=1) < RADIUS


def hollow(points: Tensor) -> Tensor:
    """The ball without its inside."""
    return ball(points) & ((points - points.new_tensor(CENTRE)).norm(dim=1) > 0.6 * RADIUS)


def speck(points: Tensor) -> Tensor:
    """The ball, and far less of another one in a corner."""
    return ball(points) | ((points - points.new_tensor((0.95, 1.0, 1.1))).norm(dim=1) < 0.06)


def ball_teacher(space: Space = SPACES["box"]) -> NgpTeacher:
    """The solid ball."""
    return solid_teacher(ball, space)


def saved_teacher(path: Path) -> Path:
    """A teacher in a file that learned nothing and shows a block."""
    teacher = teacher_of()
    cells = torch.stack(torch.meshgrid(*[torch.arange(CELLS)] * 3, indexing="ij"), -1)
    teacher.grid = OccupancyGrid(((cells >= 16) & (cells < 48)).all(-1).flatten())
    with torch.no_grad():
        teacher.field.density_net[2].bias[0] += 5.0
    save_teacher(TrainedTeacher(teacher), path)
    return path
