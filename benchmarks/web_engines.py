"""A page's engines beside ONNX Runtime Web, in one headless Chromium.

    python benchmarks/web_engines.py examples/mic.pt --ort node_modules/onnxruntime-web/dist

`npm install onnxruntime-web` brings the folder; without `--ort` the page is measured alone. All run
on the processor: WebGPU and WebGL2 on a software adapter, which says nothing about a phone's GPU.
"""

from __future__ import annotations

import argparse
import base64
import functools
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.reference import Reference
from mobile_nelf.metrics import psnr_db
from mobile_nelf.plain import to_dict
from mobile_nelf_exporters.onnx.exporter import MODEL, OnnxExporter
from mobile_nelf_exporters.onnx.options import Options as OnnxOptions
from mobile_nelf_exporters.web.browser import Browser
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options as WebOptions

#: What ONNX Runtime Web loads for an execution provider.
ORT_FILES = {
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
ORT_PAGE = """<!doctype html><meta charset=utf-8><script type=module>
const provider = new URLSearchParams(location.search).get("provider");
const ort = await import(`./${provider === "wasm" ? "ort.wasm" : "ort.webgpu"}.bundle.min.mjs`);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create("model.onnx", { executionProviders: [provider] });
window.ortFrame = async (camera) => {
  const began = performance.now();
  const feed = { camera: new ort.Tensor("float32", Float32Array.from(camera), [1, 12, 1, 1]) };
  const { output } = await session.run(feed);
  const pixels = output.data;
  const milliseconds = performance.now() - began;
  const bytes = new Uint8Array(Float32Array.from(pixels).buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return [milliseconds, btoa(text)];
};
</script>"""
SECONDS = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--ort", type=Path, help="folder `dist` of onnxruntime-web")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--ort-webgpu-frames", type=int, default=1)
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(arguments.checkpoint)
    student = checkpoint.student
    page = WebExporter().export(checkpoint, "page", WebOptions()).files["index.html"]
    exact = WebExporter().export(checkpoint, "page", WebOptions(page_weights="fp32")).files
    onnx = OnnxExporter().export(checkpoint, "model", OnnxOptions(layout="camera")).files[MODEL]
    reference, frames = Reference.render(checkpoint, arguments.frames)
    with tempfile.TemporaryDirectory() as name, _served(Path(name)) as address:
        folder = Path(name)
        for path, content in {
            "page.html": page,
            "exact.html": exact["index.html"],
            "ort.html": ORT_PAGE.encode(),
            MODEL: onnx,
        }.items():
            (folder / path).write_bytes(content)
        print(f"{'engine':26} worst dB   first frame s   fastest ms   median ms      MB")
        with Browser(reach="localhost") as browser:
            for title, file in (("fp16", "page.html"), ("fp32", "exact.html")):
                for engine in ("webgpu", "webgl2"):
                    began = time.perf_counter()
                    browser.open(f"{address}/{file}?verify")
                    browser.wait_for("typeof mnelfFrames === 'object'", SECONDS)
                    browser.evaluate(f"mnelfFrames.open('{engine}')", SECONDS)
                    rendered, times = [], []
                    for camera in reference.cameras:
                        pose = json.dumps(camera.cam_to_world.ravel().tolist())
                        lens = json.dumps(to_dict(camera.intrinsics))
                        start = time.perf_counter()
                        text = browser.evaluate(f"mnelfFrames.frame({pose}, {lens})", SECONDS)
                        times.append(1000 * (time.perf_counter() - start))
                        if not rendered:
                            first = time.perf_counter() - began
                        pixels = np.frombuffer(base64.b64decode(text), "<f4").reshape(
                            student.image_height, student.image_width, 4
                        )
                        rendered.append(pixels[..., : student.out_channels])
                    size = (folder / file).stat().st_size
                    _print(f"page {title}, {engine}", rendered, frames, first, times, size)
            if arguments.ort is None:
                return
            for names in ORT_FILES.values():
                for file in names:
                    (folder / file).write_bytes((arguments.ort / file).read_bytes())
            layout = find_layout("camera")
            for provider, names in ORT_FILES.items():
                began = time.perf_counter()
                browser.open(f"{address}/ort.html?provider={provider}")
                browser.wait_for("typeof ortFrame === 'function'", SECONDS)
                rendered, times = [], []
                count = arguments.ort_webgpu_frames if provider == "webgpu" else len(frames)
                for camera in reference.ray_cameras(student.scale)[:count]:
                    upload = layout.host(camera, student.encoder)["camera"].ravel().tolist()
                    taken, text = browser.evaluate(f"ortFrame({json.dumps(upload)})", SECONDS)
                    times.append(taken)
                    if not rendered:
                        first = time.perf_counter() - began
                    pixels = np.frombuffer(base64.b64decode(text), "<f4").reshape(
                        student.out_channels, student.image_height, student.image_width
                    )
                    rendered.append(pixels.transpose(1, 2, 0))
                size = sum((folder / file).stat().st_size for file in (*names, MODEL))
                _print(f"ONNX Runtime Web, {provider}", rendered, frames, first, times, size)


def _print(name, rendered, frames, first, times, size):  # type: ignore[no-untyped-def]
    worst = min(psnr_db(a, b) for a, b in zip(rendered, frames, strict=False))
    print(
        f"{name:26} {worst:9.1f} {first:15.1f} {min(times):12.0f} "
        f"{statistics.median(times):11.0f} {size / 1e6:7.2f}",
        flush=True,
    )


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        extensions_map = {  # noqa: RUF012 - the base class declares it so
            ".html": "text/html",
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
            "": "application/octet-stream",
        }

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()


if __name__ == "__main__":
    main()
