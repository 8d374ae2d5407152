"""Are poses what photos show: neighbours in space must share points.

An object whose sides look alike is folded onto itself: some photos are placed on the wrong side,
where they fit each other but nothing of what the photos beside them show. The share of photos with
a pose and their reprojection error do not tell.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import nearest_to_axes
from mobile_nelf.capturing.model import Model

__all__ = ["folded"]

#: Photos from directions that differ by less, in degrees, show the same side.
BESIDE_DEG = 14.0
#: Points that two such photos share at least, as a share of what the poorer one shows.
SHARED = 0.01
FEWEST_SHARED = 5
#: Of neighbours that share nothing, a photo with this share is placed wrongly.
CONTRADICTED = 0.5


def folded(model: Model, pairs: Collection[tuple[str, str]] | None) -> list[str]:
    """Returns the photos that share no points with those beside them, the fewest that explain it.

    Args:
        model: the reconstruction.
        pairs: that were matched; None for all. Others may share nothing for that reason.
    """
    names = list(model.photos)
    shared = _shared(model)
    poses = np.stack([photo.cam_to_world for photo in model.photos.values()])
    try:
        centre = nearest_to_axes(poses)
    except ValueError:
        return []
    ways = poses[:, :, 3] - centre
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    looks = poses[:, :, 2]
    least = np.cos(np.radians(BESIDE_DEG))
    beside = (ways @ ways.T > least) & (looks @ looks.T > least)
    np.fill_diagonal(beside, False)
    if pairs is not None:
        place = {name: index for index, name in enumerate(names)}
        matched = np.zeros_like(beside)
        for first, second in pairs:
            if first in place and second in place:
                matched[place[first], place[second]] = matched[place[second], place[first]] = True
        beside &= matched
    own = np.diag(shared)
    enough = np.maximum(FEWEST_SHARED, SHARED * np.minimum(own[:, None], own[None]))
    strange = beside & (shared < enough)
    wrong: list[str] = []
    left = np.ones(len(names), bool)
    while True:
        against = (strange & left[None]).sum(1)
        total = np.maximum((beside & left[None]).sum(1), 1)
        share = np.where(left & (against > 0), against / total, 0.0)
        # The one with most against it first; the rest may be right without it.
        worst = int(np.lexsort((-own, against, share))[-1])
        if share[worst] < CONTRADICTED:
            return sorted(wrong)
        left[worst] = False
        wrong.append(names[worst])


def _shared(model: Model) -> npt.NDArray[np.int64]:
    """Returns how many points each two photos both show, [N, N]; their own on the diagonal."""
    shown = np.zeros((len(model.photos), len(model.points)), np.float32)
    for index, photo in enumerate(model.photos.values()):
        shown[index, photo.points] = 1.0
    return np.asarray(shown @ shown.T, np.int64)
