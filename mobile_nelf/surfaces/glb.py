"""Meshes as binary glTF 2.0, which every 3D program opens.

Registry of Khronos, glTF 2.0 specification (ISO/IEC 12113:2022): y up, metres, colours of vertices
in linear light, everything little-endian and aligned to 4 bytes. `KHR_materials_unlit` shows the
colours as they are, since the light of the photos is already in them.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mobile_nelf._version import __version__
from mobile_nelf.cameras import FloatArray
from mobile_nelf.surfaces.surface import IntArray

__all__ = ["write_glb"]

MAGIC, VERSION = b"glTF", 2
JSON_CHUNK, BINARY_CHUNK = b"JSON", b"BIN\0"
FLOAT, UNSIGNED_SHORT, UNSIGNED_INT = 5126, 5123, 5125
VERTEX_DATA, INDICES = 34962, 34963
#: Vertices that indices of two bytes can count; the last one would mean a restart.
SHORT_VERTICES = 1 << 16
#: In a file whose unit the photos do not tell.
WORLD_UNITS = "1 unit is 1 unit of the scene's world"


def write_glb(
    path: Path,
    vertices: FloatArray,
    normals: FloatArray,
    colours: npt.NDArray[np.float32],
    faces: IntArray,
    *,
    in_metres: bool = False,
) -> None:
    """Writes one mesh with a colour at each vertex.

    Args:
        path: of the new file.
        vertices: [N, 3], y up.
        normals: [N, 3] unit vectors.
        colours: [N, 3] in [0, 1], as photos have them (sRGB).
        faces: [M, 3], counter-clockwise seen from outside.
        in_metres: whether lengths are metres, as glTF means them.
    """
    positions = vertices.astype("<f4")
    linear = np.ones((len(vertices), 4))
    linear[:, :3] = _linear_light(colours)
    short = len(vertices) < SHORT_VERTICES
    arrays = (
        positions,
        normals.astype("<f4"),
        np.round(linear * 65535.0).astype("<u2"),
        faces.astype("<u2" if short else "<u4").reshape(-1),
    )
    views, content = [], b""
    for array in arrays:
        target = INDICES if array.ndim == 1 else VERTEX_DATA
        views.append(
            {"buffer": 0, "byteOffset": len(content), "byteLength": array.nbytes, "target": target}
        )
        content += _padded(array.tobytes(), b"\0")
    accessors: list[dict[str, object]] = [
        {
            "bufferView": 0,
            "componentType": FLOAT,
            "count": len(vertices),
            "type": "VEC3",
            # Of the numbers as they are stored, which a validator compares.
            "min": [float(value) for value in positions.min(0)],
            "max": [float(value) for value in positions.max(0)],
        },
        {"bufferView": 1, "componentType": FLOAT, "count": len(vertices), "type": "VEC3"},
        {
            "bufferView": 2,
            "componentType": UNSIGNED_SHORT,
            "normalized": True,
            "count": len(vertices),
            "type": "VEC4",
        },
        {
            "bufferView": 3,
            "componentType": UNSIGNED_SHORT if short else UNSIGNED_INT,
            "count": faces.size,
            "type": "SCALAR",
        },
    ]
    document = {
        "asset": {
            "version": "2.0",
            "generator": f"mobile-nelf {__version__}",
            "extras": {"lengths": "metres" if in_metres else WORLD_UNITS},
        },
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "object"}],
        "meshes": [
            {
                "name": "object",
                "primitives": [
                    {
                        "attributes": {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2},
                        "indices": 3,
                        "material": 0,
                    }
                ],
            }
        ],
        "materials": [
            {
                "name": "colours of the photos",
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(content)}],
    }
    text = _padded(json.dumps(document, separators=(",", ":")).encode(), b" ")
    whole = 12 + 8 + len(text) + 8 + len(content)
    with path.open("wb") as file:
        file.write(struct.pack("<4sII", MAGIC, VERSION, whole))
        file.write(struct.pack("<I4s", len(text), JSON_CHUNK) + text)
        file.write(struct.pack("<I4s", len(content), BINARY_CHUNK) + content)


def _padded(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % 4)


def _linear_light(colours: npt.NDArray[np.float32]) -> FloatArray:
    """Undoes the transfer function of sRGB (IEC 61966-2-1)."""
    value = np.clip(colours.astype(np.float64), 0.0, 1.0)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
