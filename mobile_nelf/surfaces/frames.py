"""How files of other programs turn the world of a scene, which is z up."""

from __future__ import annotations

import numpy as np

__all__ = ["Y_DOWN", "Y_UP"]

#: To x right, y up, z towards the viewer, as in glTF, SPZ and OpenGL: x, z, −y.
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
#: To x right, y down, z ahead, as cameras of computer vision and files of trained splats: x, −z, y.
Y_DOWN = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
