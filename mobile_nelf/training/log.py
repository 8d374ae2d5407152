"""What a run writes while it runs, for a person or a plot: `log.jsonl`, samples, TensorBoard.

A line of the log is {"stage", "step", "seconds", "psnr_db"} and, where photos were measured,
"photo_psnr_db". After a resume no step stands there twice.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

from mobile_nelf.atomic import replace_file
from mobile_nelf.disk import cannot_write
from mobile_nelf.parsing import parse_json
from mobile_nelf.pictures import FloatImage, png_bytes, to_uint8

__all__ = ["LOG_NAME", "RunLog", "read_log"]

LOG_NAME = "log.jsonl"


class RunLog:
    """The log of one stage, opened where the stage starts or resumes."""

    def __init__(self, folder: Path, stage: str, step: int) -> None:
        """Drops what an earlier process wrote after `step`, which is now done again.

        Args:
            folder: of the run.
            stage: its name.
            step: steps done so far.

        Raises:
            OutputError: the folder cannot be written.
        """
        self._path = folder / LOG_NAME
        self._samples = folder / "samples"
        self._stage = stage
        try:
            if self._path.exists():
                kept = _lines_up_to(self._path, stage, step)
                replace_file(self._path, "".join(f"{line}\n" for line in kept).encode())
            for sample in self._samples.glob(f"{stage}_*.png"):
                if int(sample.stem.rpartition("_")[2]) > step:
                    sample.unlink()
        except OSError as error:
            raise cannot_write(self._path, error) from error
        # Opened with the first line, so that a run that fails before it leaves no folder.
        self._board_folder, self._first = folder / "tensorboard" / stage, step
        self._board: Any = None

    def write(self, step: int, seconds: float, **numbers: float) -> None:
        """Adds a line.

        Args:
            step: steps done.
            seconds: wall time of the stage, without the time between interruption and resume.
            numbers: what was measured.

        Raises:
            OutputError: the file cannot be written.
        """
        rounded = {name: round(value, 4) for name, value in numbers.items()}
        line = {"stage": self._stage, "step": step, "seconds": round(seconds, 2), **rounded}
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise cannot_write(self._path, error) from error
        if self._board is None:
            self._board = _tensorboard(self._board_folder, self._first)
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, step)

    def sample(self, step: int, image: FloatImage) -> None:
        """Keeps a frame [height, width, 3] in [0, 1] as `samples/<stage>_<step>.png`.

        Raises:
            OutputError: the file cannot be written.
        """
        pixels = to_uint8(image)
        path = self._samples / f"{self._stage}_{step:05d}.png"
        try:
            self._samples.mkdir(exist_ok=True)
            replace_file(path, png_bytes(pixels))
        except OSError as error:
            raise cannot_write(path, error) from error
        if self._board is not None:
            self._board.add_image("sample", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Lets TensorBoard write what it holds back."""
        if self._board is not None:
            self._board.close()


def read_log(folder: Path) -> list[tuple[str, int, float]]:
    """Returns stage, step and PSNR in dB of the lines so far that tell a training PSNR.

    None without a log. Half a line at its end is left out.
    """
    try:
        text = (folder / LOG_NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = []
    for line in text.splitlines():
        try:
            entry = parse_json(line)
            if "psnr_db" in entry:
                lines.append((str(entry["stage"]), int(entry["step"]), float(entry["psnr_db"])))
        except (ValueError, KeyError, TypeError):
            break
    return lines


def _lines_up_to(path: Path, stage: str, step: int) -> list[str]:
    """The lines before the first one of `stage` that is written again; half a line ends them too.

    That is the first line beyond `step`, or any line of a stage that begins anew.
    """
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = parse_json(line)
            again = entry["stage"] == stage and (entry["step"] > step or step == 0)
        except (ValueError, KeyError, TypeError):
            break
        if again:
            break
        kept.append(line)
    return kept


def _tensorboard(folder: Path, step: int) -> Any:
    """Returns a writer, or None where TensorBoard is not installed."""
    try:
        module = importlib.import_module("torch.utils.tensorboard")
    except ImportError:
        return None
    return module.SummaryWriter(os.fspath(folder), purge_step=step + 1)
