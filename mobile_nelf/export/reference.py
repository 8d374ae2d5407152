"""Reference poses and frames: what the trained student renders, carried inside the bundle.

Frames are PNG files to look at and to compare on a device. Eight bits hide errors below 50 dB, so a
sample of the pixels travels in float32 beside them.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import BundleError, ConfigError
from mobile_nelf.npy import parse_npy
from mobile_nelf.parsing import parse_json
from mobile_nelf.pictures import ByteImage, FloatImage, png_bytes, to_uint8
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.rendering import student_frame_function

__all__ = ["PIXELS", "POSES", "REFERENCE", "Reference", "take_pixels"]

#: Folder of the reference frames in a bundle.
REFERENCE = "reference"

#: Pixels a frame that are kept in float32: 2 MB for eight RGB frames, whatever the image size.
FLOAT_PIXELS = 20_000

POSES = "poses.json"
PIXELS = "pixels.npy"


@dataclass(frozen=True, eq=False)
class Reference:
    """What the artefact is compared with.

    Attributes:
        cameras: of the frames, on the image's pixel grid.
        frames: [height, width, channels] uint8 each.
        pixels: [frames, n, channels] float32, the pixels at `pixel_indices` of each frame.
    """

    cameras: tuple[Camera, ...]
    frames: tuple[ByteImage, ...]
    pixels: npt.NDArray[np.float32]

    @staticmethod
    def render(
        checkpoint: Checkpoint, count: int, on_progress: Progress = silent
    ) -> tuple[Reference, list[FloatImage]]:
        """Renders `count` poses of the student's orbit and also returns the float frames."""
        cameras = tuple(checkpoint.camera(pose) for pose in checkpoint.orbit.sweep(count))
        frame = student_frame_function(checkpoint)
        poses = [camera.cam_to_world for camera in cameras]
        frames = [
            frame(checkpoint.ray_camera(pose))
            for pose in counted("render reference frames", poses, on_progress)
        ]
        pixels = np.stack([take_pixels(rendered) for rendered in frames])
        return Reference(cameras, tuple(to_uint8(f) for f in frames), pixels), frames

    def ray_cameras(self, scale: int) -> tuple[Camera, ...]:
        """Returns the cameras on the grid of rays of a student that enlarges it `scale` times."""
        return tuple(
            camera.resized(camera.intrinsics.width // scale, camera.intrinsics.height // scale)
            for camera in self.cameras
        )

    def to_files(self, folder: str = REFERENCE) -> dict[str, bytes]:
        """Returns the files of the reference folder by bundle-relative path."""
        lens = self.cameras[0].intrinsics
        poses = {
            "frame": "OpenGL camera (x right, y up, looks along -z), cam_to_world 3x4, world units",
            "intrinsics": to_dict(lens),
            "cam_to_world": [camera.cam_to_world.tolist() for camera in self.cameras],
        }
        buffer = io.BytesIO()
        np.save(buffer, self.pixels, allow_pickle=False)
        files = {
            f"{folder}/{POSES}": (json.dumps(poses, indent=1) + "\n").encode(),
            f"{folder}/{PIXELS}": buffer.getvalue(),
        }
        for index, frame in enumerate(self.frames):
            files[_frame_path(folder, index)] = png_bytes(frame)
        return files

    @staticmethod
    def from_files(files: dict[str, bytes], folder: str = REFERENCE) -> Reference:
        """Reads the reference folder.

        Raises:
            BundleError: a file is missing or malformed, or frames and pixels disagree.
        """
        try:
            poses: dict[str, Any] = parse_json(files[f"{folder}/{POSES}"])
            lens = from_dict(Intrinsics, poses["intrinsics"], f"{folder}/{POSES}")
            matrices = [np.asarray(m, np.float64).reshape(3, 4) for m in poses["cam_to_world"]]
            pixels = parse_npy(files[f"{folder}/{PIXELS}"])
            frames = []
            for index in range(len(matrices)):
                with Image.open(io.BytesIO(files[_frame_path(folder, index)])) as image:
                    frames.append(np.asarray(image))
        except KeyError as error:
            raise BundleError(f"{folder}: {error.args[0]} is missing; bundle it again") from error
        except (ValueError, TypeError, OSError, ConfigError) as error:
            raise BundleError(f"{folder}: cannot be read ({error}); bundle it again") from error
        cameras = tuple(Camera(matrix, lens) for matrix in matrices)
        reference = Reference(cameras, tuple(frames), pixels)
        agree = len(frames) == len(pixels) and all(
            np.array_equal(take_pixels(frame), to_uint8(kept))
            for frame, kept in zip(frames, pixels, strict=True)
        )
        if not agree:
            raise BundleError(f"{folder}: frames and float pixels disagree; bundle it again")
        return reference


def take_pixels(frame: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns [n, channels] pixels spread evenly over a frame, in row-major order."""
    flat = frame.reshape(-1, frame.shape[-1])
    count = min(FLOAT_PIXELS, len(flat))
    return flat[np.linspace(0, len(flat) - 1, count).astype(np.int64)]


def _frame_path(folder: str, index: int) -> str:
    return f"{folder}/frame_{index:03d}.png"
