"""What a page knows about its light field, besides the weights."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image

from mobile_nelf._version import __version__
from mobile_nelf.cameras import OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.tolerances import EMULATED_MIN_PSNR_DB
from mobile_nelf.export.live import LiveView
from mobile_nelf.export.reference import Reference
from mobile_nelf.pictures import ByteImage, FloatImage
from mobile_nelf.plain import to_dict
from mobile_nelf_exporters.web.packing import Packed

__all__ = ["live_scene_data", "poster_uri", "scene_data"]

#: Raised when a script of an older page would misread a newer scene.
SCHEMA = 2

#: Pixels of each reference frame that a page compares itself with, in 16 bits, which stand for
#: 107 dB. With 1,024 of them the PSNR of a frame is told to about 0.3 dB.
SAMPLED_PIXELS = 1024

POSTER_QUALITY = 85


def scene_data(
    contract: Contract,
    name: str,
    packed: Packed,
    gflop: float,
    reference: Reference,
    frames: list[FloatImage],
) -> dict[str, Any]:
    """Returns `Scene` of web_viewer/src/types.d.ts.

    Args:
        contract: of the page.
        name: of the project.
        packed: the network.
        gflop: work of a frame.
        reference: poses.
        frames: what the trained network renders there.
    """
    student = contract.student
    count = min(SAMPLED_PIXELS, student.image_width * student.image_height)
    sample = np.stack([_sampled(frame, count) for frame in frames])
    return {
        "schema": SCHEMA,
        "live": False,
        "changes": False,
        "name": name,
        "version": f"mnelf {__version__}",
        "weights_sha256": contract.weights_sha256,
        "artefact_sha256": hashlib.sha256(packed.content).hexdigest(),
        "gflop": gflop,
        "program": to_dict(packed.program),
        "encoder": to_dict(student.encoder),
        "grid": [student.ray_width, student.ray_height],
        "channels": student.out_channels,
        "background": list(contract.background),
        "lens": to_dict(contract.intrinsics),
        "orbit": _orbit_data(contract.orbit),
        "min_psnr_db": contract.min_psnr_db,
        "half_min_psnr_db": min(contract.min_psnr_db, EMULATED_MIN_PSNR_DB),
        "reference": {
            "poses": [camera.cam_to_world.ravel().tolist() for camera in reference.cameras],
            "pixels": count,
            "sample": base64.b64encode(sample.astype("<u2").tobytes()).decode(),
        },
        "contract": to_dict(contract),
    }


def live_scene_data(live: LiveView) -> dict[str, Any]:
    """Returns `Scene` of a page whose server renders."""
    lens = live.intrinsics
    return {
        "schema": SCHEMA,
        "live": True,
        "changes": live.changes,
        "name": live.name,
        "version": f"mnelf {__version__}",
        "grid": [lens.width, lens.height],
        "channels": 3,
        "background": [1.0, 1.0, 1.0],
        "lens": to_dict(lens),
        "orbit": _orbit_data(live.orbit),
    }


def _orbit_data(orbit: OrbitLimits) -> dict[str, Any]:
    return {
        "target": list(orbit.target),
        "basis": orbit.basis().tolist(),
        "azimuth": list(orbit.azimuth),
        "elevation": list(orbit.elevation),
        "radius": list(orbit.radius),
    }


def _sampled(frame: FloatImage, count: int) -> Any:
    """[count, channels] pixels spread evenly over a frame, row by row, as 16-bit numbers."""
    flat = frame.reshape(-1, frame.shape[-1])
    # In whole numbers, so that the page finds the same pixels.
    index = np.arange(count) * (len(flat) - 1) // max(count - 1, 1)
    return np.rint(np.clip(flat[index].astype(np.float64), 0.0, 1.0) * 65535.0)


def poster_uri(frame: ByteImage, background: tuple[float, float, float]) -> str:
    """Returns the picture that a page shows until it computes its own, as a data URI."""
    shown = frame
    if frame.shape[2] == 4:
        # Its colours are on the background; a browser wants them by themselves.
        alpha = frame[..., 3:].astype(np.float64) / 255.0
        behind = np.asarray(background) * 255.0
        own = (frame[..., :3] - (1.0 - alpha) * behind) / np.maximum(alpha, 1 / 255)
        shown = np.concatenate(
            [np.rint(np.clip(own, 0.0, 255.0)).astype(np.uint8), frame[..., 3:]], axis=2
        )
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "WEBP", quality=POSTER_QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
