"""A page's engines beside ONNX Runtime Web, in one headless Chromium.

    python benchmarks/web_engines.py examples/mic.pt --ort node_modules/onnxruntime-web/dist

`npm install onnxruntime-web` brings the folder; without `--ort` the page is measured alone. All run
on the processor: WebGPU and WebGL2 on a software adapter, which says nothing about a phone's GPU.
Processor time is that of all processes of the browser; other work on the machine moves it little.
"""

from __future__ import annotations

import argparse
import base64
import functools
import json
import os
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
from mobile_nelf_exporters.web.page import PAGE

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
  const feed = { camera: new ort.Tensor("float32", Float32Array.from(camera), [1, 12, 1, 1]) };
  const { output } = await session.run(feed);
  const bytes = new Uint8Array(Float32Array.from(output.data).buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return btoa(text);
};
</script>"""
SECONDS = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--ort", type=Path, help="folder `dist` of onnxruntime-web")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--ort-webgpu-frames", type=int, default=1)
    parser.add_argument("--engines", nargs="+", default=["webgpu", "webgl2"])
    parser.add_argument("--weights", nargs="+", default=["fp16", "fp32"])
    arguments = parser.parse_args()
    checkpoint = load_checkpoint(arguments.checkpoint)
    student = checkpoint.student
    onnx = OnnxExporter().export(checkpoint, "model", OnnxOptions(layout="camera")).files[MODEL]
    reference, frames = Reference.render(checkpoint, arguments.frames)
    with tempfile.TemporaryDirectory() as name, _served(Path(name)) as address:
        folder = Path(name)
        (folder / "ort.html").write_bytes(ORT_PAGE.encode())
        (folder / MODEL).write_bytes(onnx)
        print(f"{'':26} worst      first frame        fastest frame  ")
        print(f"{'engine':26}    dB  s  processor s     ms  processor s      MB", flush=True)
        for weights in arguments.weights:
            options = WebOptions(page_weights=weights)
            files = WebExporter().export(checkpoint, "page", options).files
            (folder / weights).mkdir()
            for file in files.keys() - {"README.md", "mnelf-view.js"}:
                (folder / weights / file).write_bytes(files[file])
            size = sum(path.stat().st_size for path in (folder / weights).iterdir())
            for engine in arguments.engines:
                with Browser(reach="localhost") as browser:
                    clock = _Clock(browser)
                    browser.open(f"{address}/{weights}/{PAGE}?verify")
                    browser.wait_for("typeof mnelfFrames === 'object'", SECONDS)
                    browser.evaluate(f"mnelfFrames.open('{engine}')", SECONDS)
                    rendered = []
                    for camera in reference.cameras:
                        pose = json.dumps(camera.cam_to_world.ravel().tolist())
                        lens = json.dumps(to_dict(camera.intrinsics))
                        text = browser.evaluate(f"mnelfFrames.frame({pose}, {lens})", SECONDS)
                        clock.frame_done()
                        pixels = np.frombuffer(base64.b64decode(text), "<f4").reshape(
                            student.image_height, student.image_width, 4
                        )
                        rendered.append(pixels[..., : student.out_channels])
                _print(f"page {weights}, {engine}", rendered, frames, clock, size)
        if arguments.ort is None:
            return
        for names in ORT_FILES.values():
            for file in names:
                (folder / file).write_bytes((arguments.ort / file).read_bytes())
        layout = find_layout("camera")
        for provider, names in ORT_FILES.items():
            with Browser(reach="localhost") as browser:
                clock = _Clock(browser)
                browser.open(f"{address}/ort.html?provider={provider}")
                browser.wait_for("typeof ortFrame === 'function'", SECONDS)
                rendered = []
                count = arguments.ort_webgpu_frames if provider == "webgpu" else len(frames)
                for camera in reference.ray_cameras(student.scale)[:count]:
                    upload = layout.host(camera, student.encoder)["camera"].ravel().tolist()
                    text = browser.evaluate(f"ortFrame({json.dumps(upload)})", SECONDS)
                    clock.frame_done()
                    pixels = np.frombuffer(base64.b64decode(text), "<f4").reshape(
                        student.out_channels, student.image_height, student.image_width
                    )
                    rendered.append(pixels.transpose(1, 2, 0))
            size = sum((folder / file).stat().st_size for file in (*names, MODEL))
            _print(f"ONNX Runtime Web, {provider}", rendered, frames, clock, size)


class _Clock:
    """Seconds, and seconds of processor time of a browser, between frames."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.seen = [self._now()]

    def frame_done(self) -> None:
        self.seen.append(self._now())

    def taken(self, which: int) -> tuple[float, float]:
        """Until the first frame, and of the fastest of the others, or of the first if alone."""
        took = [b[which] - a[which] for a, b in zip(self.seen, self.seen[1:], strict=False)]
        return took[0], min(took[1:] or took)

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), processor_seconds(self.browser)


def processor_seconds(browser: Browser) -> float:
    """Of all processes of a browser so far; they are one session."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == browser._process.pid:
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _print(name, rendered, frames, clock, size):  # type: ignore[no-untyped-def]
    worst = min(psnr_db(a, b) for a, b in zip(rendered, frames, strict=False))
    (first, fastest), (first_cpu, fastest_cpu) = clock.taken(0), clock.taken(1)
    print(
        f"{name:26} {worst:5.1f} {first:6.1f} {first_cpu:6.1f} {1000 * fastest:8.0f} "
        f"{fastest_cpu:8.2f} {size / 1e6:10.2f}",
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
