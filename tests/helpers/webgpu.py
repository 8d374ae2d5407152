"""The shaders of a page on a real WebGPU device, without a browser: `wgpu`, which pip has.

A software adapter will do, such as Mesa's (Debian: `mesa-vulkan-drivers`).
"""

from __future__ import annotations

import json
import math
import subprocess
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mobile_nelf.assets import asset_dir
from mobile_nelf.cameras import Camera
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.runtime import FrameFunction
from mobile_nelf_exporters.web.page import Page
from mobile_nelf_exporters.web.script import join_modules
from mobile_nelf_exporters.web.steps import VECTOR

__all__ = ["device_with_f16", "frame_function", "frame_passes"]


def device_with_f16() -> Any:
    """A device that multiplies in 16 bits; skips the test where there is none."""
    wgpu = pytest.importorskip("wgpu", reason="wgpu is not installed")
    for adapter in wgpu.gpu.enumerate_adapters_sync():
        if "shader-f16" in adapter.features:
            return adapter.request_device_sync(required_features=["shader-f16"])
    pytest.skip("no graphics adapter here has shader-f16; Mesa's software adapter has")


def frame_passes(page: Page, *, f16: bool) -> dict[str, Any]:
    """What the page's own script would run for a frame on its whole ray grid."""
    script = join_modules(asset_dir("web_viewer") / "src", "passes.js")
    scene = {name: page.scene[name] for name in ("program", "encoder", "grid")}
    script += f"""
const {{ program, encoder, grid }} = {json.dumps(scene)};
const {{ passes, picture, bytes }} = $passes.framePasses(program, encoder, {json.dumps(f16)});
console.log(JSON.stringify({{
  picture,
  bytes: bytes(...grid),
  passes: passes.map(({{ code, buffers, sizes, count }}) => ({{
    code, buffers, sizes: sizes(...grid), count: count(...grid),
  }})),
}}));
"""
    done = subprocess.run(["node"], input=script, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def frame_function(device: Any, page: Page, contract: Contract, *, f16: bool) -> FrameFunction:
    """Renders as the page's engine does: the same passes, in the same order, on the same memory."""
    import wgpu

    found = frame_passes(page, f16=f16)
    usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
    buffers = {
        name: device.create_buffer(size=16 * math.ceil(size / 16), usage=usage)
        for name, size in found["bytes"].items()
    }
    split = page.program.weights * (2 if page.program.precision == "fp16" else 4)
    for name, content in (("weights", page.weights[:split]), ("biases", page.weights[split:])):
        buffers[name] = device.create_buffer_with_data(
            data=content + bytes(-len(content) % 16), usage=usage
        )
    runs = []
    for one in found["passes"]:
        module = device.create_shader_module(code=one["code"])
        pipeline = device.create_compute_pipeline(
            layout="auto", compute={"module": module, "entry_point": "main"}
        )
        sizes = device.create_buffer_with_data(
            data=np.array(one["sizes"], np.uint32), usage=wgpu.BufferUsage.UNIFORM
        )
        bound = [sizes, *(buffers[name] for name in one["buffers"])]
        entries = [{"binding": k, "resource": {"buffer": b}} for k, b in enumerate(bound)]
        group = device.create_bind_group(layout=pipeline.get_bind_group_layout(0), entries=entries)
        runs.append((pipeline, group, one["count"]))
    student, layout = contract.student, find_layout("factored")

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        uploads = layout.host(camera, student.encoder)
        for side in ("columns", "rows"):
            lines = [uploads[f"{kind}_{side}"][0] for kind in ("sin", "cos", "point")]
            table = np.concatenate([line.reshape(len(line), -1) for line in lines])
            device.queue.write_buffer(buffers[side], 0, table.astype(np.float32))
        commands = device.create_command_encoder()
        work = commands.begin_compute_pass()
        for pipeline, group, count in runs:
            work.set_pipeline(pipeline)
            work.set_bind_group(0, group)
            work.dispatch_workgroups(*count)
        work.end()
        device.queue.submit([commands.finish()])
        numbers = np.frombuffer(device.queue.read_buffer(buffers[found["picture"]]), np.float32)
        shape = (student.image_height, student.image_width, VECTOR)
        image = numbers[: math.prod(shape)].reshape(shape)
        return np.ascontiguousarray(image[..., : student.out_channels])

    return frame
