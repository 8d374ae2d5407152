"""What the software adapter takes of a page's time: rates of bare loops beside its engines.

    python benchmarks/web_adapter.py examples/mic.pt

Without a GPU, WebGPU and WebGL2 run on a software adapter. Loops of the same products as those of
the page, with and without their loads, tell how fast that adapter can be. Rates are multiply-adds
a second of processor time of all processes of the browser, so that other work on the machine
matters little. ONNX Runtime in this process, on one thread, shows what the processor can do.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import onnxruntime
from web_engines import processor_seconds

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.reference import Reference
from mobile_nelf.plain import to_dict
from mobile_nelf_exporters.onnx.exporter import MODEL, OnnxExporter
from mobile_nelf_exporters.onnx.options import Options as OnnxOptions
from mobile_nelf_exporters.web.browser import Browser
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options as WebOptions

SECONDS = 1200.0

#: Pixels or threads of a loop along an axis, and its rounds; each round is 64 multiply-adds, a 4×4
#: matrix with four vectors, from eight loads of four numbers, as in the kernel for WebGL2.
WIDTH = 256
ROUNDS = 300

LOOPS = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")

#: Loops by title.
VARIANTS = {
    "WebGL2 loop, products alone": "webgl(0)",
    "WebGL2 loop, with the page's 8 fetches": "webgl(1)",
    "WebGPU loop, products alone": "webgpu(0)",
    "WebGPU loop, with 8 reads of shared memory": "webgpu(1)",
    "WebGPU loop, reads and two barriers every 4th": "webgpu(2)",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--frames", type=int, default=2)
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(arguments.checkpoint)
    exported = WebExporter().export(checkpoint, "page", WebOptions(page_weights="fp32"))
    macs = WebExporter().inspect(exported.files).cost.macs
    reference, _ = Reference.render(checkpoint, arguments.frames)
    print(f"{'':46} GMAC a second of processor time", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "loops.html").write_text(LOOPS.replace("SIZES", f"[{WIDTH}, {ROUNDS}]"))
        (folder / "page.html").write_bytes(exported.files["index.html"])
        for title, call in VARIANTS.items():
            with Browser() as browser:
                browser.open((folder / "loops.html").as_uri())
                browser.wait_for("typeof webgl === 'function'", SECONDS)
                browser.evaluate(call, SECONDS)
                browser.evaluate("loop(8)", SECONDS)
                before = processor_seconds(browser)
                browser.evaluate("loop(ROUNDS)", SECONDS)
                _print(title, 64 * WIDTH * WIDTH * ROUNDS, processor_seconds(browser) - before)
        for engine in ("webgl2", "webgpu"):
            with Browser() as browser:
                browser.open((folder / "page.html").as_uri() + "?verify")
                browser.wait_for("typeof mnelfFrames === 'object'", SECONDS)
                browser.evaluate(f"mnelfFrames.open('{engine}')", SECONDS)
                spent = []
                # The first frame compiles shaders.
                for camera in (reference.cameras[0], *reference.cameras):
                    pose = json.dumps(camera.cam_to_world.ravel().tolist())
                    lens = json.dumps(to_dict(camera.intrinsics))
                    before = processor_seconds(browser)
                    browser.evaluate(
                        f"mnelfFrames.frame({pose}, {lens}).then((text) => text.length)", SECONDS
                    )
                    spent.append(processor_seconds(browser) - before)
                _print(f"page, {engine}, {min(spent[1:]):.2f} s a frame", macs, min(spent[1:]))
    layout = find_layout("factored")
    content = OnnxExporter().export(checkpoint, "model", OnnxOptions(layout="factored")).files
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content[MODEL], options)
    camera = reference.ray_cameras(checkpoint.student.scale)[0]
    uploads = {
        k: v.astype("float32") for k, v in layout.host(camera, checkpoint.student.encoder).items()
    }
    spent = []
    for _ in range(12):
        before = time.process_time()
        session.run(None, uploads)
        spent.append(time.process_time() - before)
    _print(f"ONNX Runtime, native, {min(spent[2:]):.3f} s a frame", macs, min(spent[2:]))


def _print(title: str, macs: float, seconds: float) -> None:
    print(f"{title:46} {macs / 1e9 / seconds:8.3f}", flush=True)


if __name__ == "__main__":
    main()
