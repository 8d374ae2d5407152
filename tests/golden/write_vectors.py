"""Writes the test vectors that Python and Swift share: `python -m tests.golden.write_vectors`.

They hold what `mobile_nelf` computes, and the Swift tests compare the app with it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mobile_nelf.cameras import Camera, OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import LAYOUTS
from mobile_nelf.metrics import psnr_db
from mobile_nelf.plain import to_dict
from mobile_nelf_exporters.coreml.app import HarnessModel, render_ios_harness
from tests.helpers import ROOT
from tests.helpers.coreml.apps import MODELS, bundle_files, every_layout, ios_contract
from tests.helpers.lens.contracts import FULL_ORBIT, LIMITED_ORBIT

VECTORS = ROOT / "ios_harness" / "Tests" / "NelfTests" / "Vectors"

#: Up lies near the x axis, where the orbit takes its other seed.
SIDEWAYS_ORBIT = OrbitLimits((1.0, 2.0, -0.5), (0.96, 0.0, 0.28), (10.0, 20.0), (-5.0, 5.0), (2, 3))
ORBITS = (LIMITED_ORBIT, FULL_ORBIT, SIDEWAYS_ORBIT)


def vectors() -> dict[str, Any]:
    """Returns the content of each file by its name."""
    return {
        "orbits.json": [_orbit(orbit) for orbit in ORBITS],
        "layouts.json": [_layouts(orbit) for orbit in (LIMITED_ORBIT, SIDEWAYS_ORBIT)],
        "statistics.json": _statistics(),
        "bench.json": _bench(ios_contract(), MODELS),
        "layouts-bench.json": _bench(*every_layout()),
        "result.json": _result(),
    }


def _orbit(orbit: OrbitLimits) -> dict[str, Any]:
    positions = [(-30.0, 12.5, 2.5), (0.0, 0.0, 1.0), (200.0, 90.0, 4.0)]
    return {
        "limits": to_dict(orbit),
        "basis": orbit.basis().tolist(),
        "poses": [
            {"position": list(position), "cam_to_world": orbit.pose(*position).tolist()}
            for position in positions
        ],
        "sweep": [pose.tolist() for pose in orbit.sweep(5)],
    }


def _layouts(orbit: OrbitLimits) -> dict[str, Any]:
    contract = ios_contract(orbit=orbit)
    student = contract.student
    pose = orbit.sweep(3)[1]
    camera = Camera(pose, contract.intrinsics).resized(student.ray_width, student.ray_height)
    uploads = {layout.name: layout.host(camera, student.encoder) for layout in LAYOUTS}
    return {
        "contract": to_dict(contract),
        "cam_to_world": pose.tolist(),
        "uploads": {
            layout: {name: upload.reshape(-1).tolist() for name, upload in tensors.items()}
            for layout, tensors in uploads.items()
        },
        # What a model with borders in fp16 is given, by its bits.
        "halves": {
            layout: {
                name: upload.reshape(-1).astype(np.float16).view(np.uint16).tolist()
                for name, upload in tensors.items()
            }
            for layout, tensors in uploads.items()
        },
    }


def _statistics() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    sets = [rng.gamma(2.0, 5.0, count).tolist() for count in (1, 2, 10, 101)]
    picture = rng.random((4, 3, 3), np.float32)
    other = np.clip(picture + rng.normal(0, 0.02, picture.shape), 0, 1).astype(np.float32)
    spreads = [(1, 1), (5, 5), (7, 20), (20_000, 640_000)]
    return {
        "latencies": [
            {
                "samples": samples,
                "mean": float(np.mean(samples)),
                "percentiles": {
                    str(p): float(np.percentile(samples, p)) for p in (0, 50, 90, 99, 100)
                },
            }
            for samples in sets
        ],
        "psnr": [
            {
                "values": np.ravel(values).tolist(),
                "reference": np.ravel(picture).tolist(),
                "db": psnr_db(values, picture),
            }
            for values in (other, 1 - picture)
        ],
        "spreads": [
            {
                "count": count,
                "total": total,
                # Some of them; the last case has twenty thousand.
                "every": max(count // 10, 1),
                "positions": np.linspace(0, total - 1, count)
                .astype(np.int64)[:: max(count // 10, 1)]
                .tolist(),
            }
            for count, total in spreads
        ],
    }


def _bench(contract: Contract, models: tuple[HarnessModel, ...]) -> Any:
    files = render_ios_harness(contract, models, bundle_files(contract, models), "Vector")
    return json.loads(files["ios_harness/Vector.swiftpm/Resources/bench.json"])


def _result() -> dict[str, Any]:
    """A file of a device that no device wrote: every figure is made up and easy to tell as such."""
    finished = {
        "model": "Mic.mlpackage",
        "weights_sha256": "0" * 64,
        "compute_units": "cpuAndNeuralEngine",
        "encoder": "metal",
        "compile_ms": 1.5,
        "cold_load_ms": 2.5,
        "warm_load_ms": 3.5,
        "first_frame_ms": 4.5,
        "warm_up_frames": 30,
        "latency_ms": {
            "count": 2,
            "mean": 2,
            "p50": 2,
            "p90": 2.8,
            "p99": 2.98,
            "min": 1,
            "max": 3,
        },
        "inputs_ms": 0.5,
        "display_fps": 12.5,
        "display_hz": 120,
        "sustained": [
            {
                "seconds": 4,
                "frames": 2,
                "p50": 2,
                "p90": 2.8,
                "p99": 2.98,
                "fps": 0.5,
                "frames_by_second": [1, 0, 1],
                "thermal_by_second": ["nominal", "fair", "fair"],
            }
        ],
        "battery": {"start": 0.75, "end": 0.5, "charging": False},
        "memory": {"before": 1, "after_load": 2, "peak": 3},
        "thermal": {"start": "nominal", "end": "fair"},
        "placement": {"neural_engine": 1, "gpu": 1, "cpu": 0, "unknown": 0},
        "placement_by_operation": {"ios17.conv": {"neural_engine": 1, "gpu": 1}},
        "placement_cost": {"neural_engine": 0.75, "gpu": 0.25},
        "neural_engine_supported": 2,
        "self_check": {
            "frames": 2,
            "psnr_db": [50.5, 999],
            "worst_psnr_db": 50.5,
            "passed": True,
        },
    }
    failed = {
        "model": "Mic-palette6.mlpackage",
        "weights_sha256": "1" * 64,
        "compute_units": "cpuOnly",
        "encoder": "cpu",
        "error": "made up",
        "sustained": [],
    }
    return {
        "schema": 1,
        "device": {
            "model": "Test1,1",
            "os": "TestOS 1.0",
            "app_version": "0.0.0",
            "low_power": False,
            "memory": 8000000000,
        },
        "date": "2001-01-01T00:00:00Z",
        "bundle": {"name": "Vector", "weights_sha256": "0" * 64},
        "runs": [finished, failed],
    }


def main() -> None:
    """Writes the files."""
    VECTORS.mkdir(parents=True, exist_ok=True)
    for name, content in vectors().items():
        text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
        (VECTORS / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
