"""Host cost of a frame of a lens: the template's chain of three models against our lenses.

Whole Lens Studio projects run in Node.js, dragged by the same finger. One frame of each after the
other, so that a drift of the machine meets all alike; medians. Their pictures must agree before
anything counts. Host time is what a frame needs besides the network: the script, and for the chain
its two helper models, in ONNX Runtime alone. Both are processor time, which other work on the
machine moves little. Scripts are timed where they run; what this project's stand-in for Lens Studio
does to run a model, and packs for the other process, is left out on both sides. Our layouts leave
the encoder to the network; `frame_cost.py` times whole frames. Scripts are timed twice, with Node's
compiler and with its interpreter alone, because nobody documents which of them a phone has.

    python benchmarks/lens_frame.py examples/mic.pt
    python benchmarks/lens_frame.py --random
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
import onnxruntime
import torch
from onnx import ModelProto
from rich.console import Console
from rich.table import Table
from template_lens import ChainLens, chain_lens

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints import Checkpoint, load_checkpoint
from mobile_nelf.metrics import psnr_db
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player import process
from mobile_nelf_exporters.lens.player.node import node_command
from mobile_nelf_exporters.lens.player.session import LensSession

CHAIN = "template chain"
LAYOUTS = ("factored", "camera", "rays", "embedded")
ENGINES: dict[str, tuple[str, ...]] = {"compiled": (), "interpreted": ("--jitless",)}

#: Frames before the first that counts: Node compiles what is called often.
WARM_UP = 12
#: Both sides compute in float32, on different ways.
MIN_PSNR_DB = 50.0
#: Of the drag, in fractions of the screen a frame.
DRAG_X, DRAG_Y = 0.01, 0.003


class Lens:
    """A running lens, the helper models that its script waits for, and what its frames cost."""

    def __init__(self, files: dict[str, bytes], size: tuple[int, int]) -> None:
        """Starts a lens on a screen of `size` columns and rows, a finger at its corner."""
        self.session = LensSession(files, screen=size)
        self.script_seconds: list[float] = []
        self.written_bytes = 0
        self.session.start()
        self.session.update()
        self.session.touch("start", 0, 0.0, 0.0)

    def frame(self, x: float, y: float) -> None:
        """Draws with the finger at a place."""
        self.session.touch("move", 0, x, y)
        seconds = self.session.cost.script_seconds
        self.session.update()
        self.script_seconds.append(seconds + self.session.cost.script_seconds)
        self.written_bytes = self.session.cost.written_bytes


def random_checkpoint() -> Checkpoint:
    """A student on the rays of D60-SR3, behind which is a small network: only the host is timed."""
    student = StudentConfig(EncoderConfig(2.0, 6.0), depth=4, width=8, sr_widths=())
    torch.manual_seed(0)
    size = (student.image_width, student.image_height)
    return Checkpoint(
        student=student,
        intrinsics=Intrinsics.centred(*size, focal=1.4 * size[0]),
        orbit=OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (10, 80), (4, 4.2)),
        weights=build_student(student).state_dict(),
        provenance={"source": "random weights"},
    )


def open_lenses(checkpoint: Checkpoint, stack: ExitStack) -> tuple[dict[str, Lens], ChainLens]:
    """Starts a lens of each arrangement and checks that all draw the same."""
    student = checkpoint.student
    lenses, corners = {}, {}
    for layout in LAYOUTS:
        exported = LensStudioExporter().export(checkpoint, "Lens", Options(layout=layout))
        files = project_files(exported.files)
        rows, columns = exported.contract.output.shape[2:]
        # On a screen of this aspect the picture is not stretched.
        lenses[layout] = Lens(files, (columns, rows))
        corners[layout] = exported.contract.picture_corner
    chain = chain_lens(checkpoint, files)
    lenses[CHAIN] = Lens(chain.files, (student.image_width, student.image_height))
    corners[CHAIN] = (0, 0)
    for lens in lenses.values():
        stack.callback(lens.session.close)
    for name, lens in lenses.items():
        lens.frame(DRAG_X, DRAG_Y)
        if lens.session.status:
            raise SystemExit(f"{name}: {lens.session.status}")
    pictures = {}
    for name, (top, left) in corners.items():
        texture = lenses[name].session.texture()
        if texture is None:
            raise SystemExit(f"{name}: drew nothing")
        pictures[name] = texture[top:, left:][: student.image_height, : student.image_width]
    if np.ptp(pictures[CHAIN]) == 0.0:
        raise SystemExit("the pictures are of one colour, which compares nothing")
    for layout in LAYOUTS:
        found = psnr_db(pictures[layout], pictures[CHAIN])
        if found < MIN_PSNR_DB:
            raise SystemExit(f"{layout}: {found:.1f} dB from the chain, expected {MIN_PSNR_DB:g}")
    return lenses, chain


def graph_run(model: ModelProto) -> Callable[[], None]:
    """Returns a run of a graph whose inputs and outputs stay where they are, as on a phone."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # the chain's graphs have unused initializers
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    binding = session.io_binding()
    random = np.random.default_rng(0)

    def held(value: onnxruntime.NodeArg) -> onnxruntime.OrtValue:
        shape = [size if isinstance(size, int) else 1 for size in value.shape]
        tensor = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32)
        tensor.update_inplace(random.standard_normal(shape, np.float32))
        return tensor

    for value in session.get_inputs():
        binding.bind_ortvalue_input(value.name, held(value))
    for value in session.get_outputs():
        binding.bind_ortvalue_output(value.name, held(value))
    return lambda: session.run_with_iobinding(binding)


def with_flags(flags: tuple[str, ...]) -> Callable[[Path], list[str]]:
    """Returns a command for Node with more flags; its environment is empty, lenses have none."""

    def command(script: Path) -> list[str]:
        node, *rest = node_command(script)
        return [node, *flags, *rest]

    return command


def measure(checkpoint: Checkpoint, frames: int) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {name: {} for name in (CHAIN, *LAYOUTS)}
    for engine, flags in ENGINES.items():
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(process, "node_command", with_flags(flags)))
            lenses, chain = open_lenses(checkpoint, stack)
            helpers = [graph_run(model) for model in chain.helpers]
            helper_seconds: list[float] = []
            for index in range(WARM_UP + frames):
                # Up and down, so that no lens meets the limits of its views.
                x, y = DRAG_X * (index + 2), DRAG_Y * (index % 2)
                for lens in lenses.values():
                    lens.frame(x, y)
                start = time.thread_time()
                for run in helpers:
                    run()
                helper_seconds.append(time.thread_time() - start)
            for name, lens in lenses.items():
                script = 1e3 * statistics.median(lens.script_seconds[-frames:])
                models = 1e3 * statistics.median(helper_seconds[-frames:]) * (name == CHAIN)
                rows[name] |= {
                    f"script_{engine}_ms": script,
                    f"helpers_{engine}_ms": models,
                    f"host_{engine}_ms": script + models,
                    "written_bytes": lens.written_bytes,
                }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--random", action="store_true", help="100×100 rays, random weights")
    parser.add_argument("--frames", type=int, default=21, help="timed frames of each lens")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.random == (options.checkpoint is not None):
        parser.error("name a checkpoint, or --random")
    checkpoint = random_checkpoint() if options.random else load_checkpoint(options.checkpoint)
    rows = measure(checkpoint, options.frames)
    print_rows(checkpoint, rows, options)


def print_rows(
    checkpoint: Checkpoint, rows: dict[str, dict[str, float]], options: argparse.Namespace
) -> None:
    student = checkpoint.student
    source = "random weights, a network cut down" if options.random else options.checkpoint.name
    conditions = (
        f"{source}: {student.ray_width}×{student.ray_height} rays; medians of {options.frames} "
        f"frames; onnxruntime {onnxruntime.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}"
    )
    if options.json:
        print(json.dumps({"conditions": conditions, "rows": rows}, indent=1))
        return
    caption = (
        "ms of processor time a frame. host = script + helper models, with Node's compiler and "
        "with its interpreter alone; × is the chain's figure over ours. Scripts' times hold what "
        "the stand-in's checks take: camera, which computes next to nothing, shows how much."
    )
    table = Table(title=conditions, caption=caption, title_justify="left", caption_justify="left")
    table.add_column("")
    for title in ("script", "helpers", "host", "×", "interpreted", "×", "written kB", "×"):
        table.add_column(title, justify="right")
    base = rows[CHAIN]
    for name, row in rows.items():
        cells = [name]
        cells += [f"{row[f'{part}_compiled_ms']:.2f}" for part in ("script", "helpers", "host")]
        cells.append(f"{base['host_compiled_ms'] / row['host_compiled_ms']:,.1f}")
        cells.append(f"{row['host_interpreted_ms']:.1f}")
        cells.append(f"{base['host_interpreted_ms'] / row['host_interpreted_ms']:,.2f}")
        written = row["written_bytes"]
        cells += [f"{written / 1e3:,.2f}", f"{base['written_bytes'] / written:,.1f}"]
        table.add_row(*cells)
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    main()
