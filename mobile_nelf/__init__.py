"""mobile-nelf: put a neural light field on a phone, and prove off-device that it arrived.

scene = mobile_nelf.read_scene("examples/mic")
run = mobile_nelf.train(scene, "mic.pt", preset="small")
bundle = mobile_nelf.bundle(run.checkpoint, "mic-onnx", target="onnx")
assert mobile_nelf.verify(bundle.path).passed
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mobile_nelf import errors
from mobile_nelf._version import __version__

if TYPE_CHECKING:
    from mobile_nelf.bundles import Bundle as Bundle
    from mobile_nelf.bundles import Verification as Verification
    from mobile_nelf.bundles import bundle as bundle
    from mobile_nelf.bundles import verify_bundle as verify
    from mobile_nelf.capturing.run import Captured as Captured
    from mobile_nelf.capturing.run import capture as capture
    from mobile_nelf.checkpoints import CameraOptions as CameraOptions
    from mobile_nelf.checkpoints import Checkpoint as Checkpoint
    from mobile_nelf.checkpoints import load_checkpoint as load
    from mobile_nelf.comparison import Comparison as Comparison
    from mobile_nelf.comparison import compare as compare
    from mobile_nelf.compression.compress import Compressed as Compressed
    from mobile_nelf.compression.compress import compress as compress
    from mobile_nelf.evaluation import Evaluation as Evaluation
    from mobile_nelf.evaluation import evaluate as evaluate
    from mobile_nelf.export.check import CheckResult as CheckResult
    from mobile_nelf.export.keywords import check as check
    from mobile_nelf.film import Rendered as Rendered
    from mobile_nelf.film import render as render
    from mobile_nelf.scenes import Scene as Scene
    from mobile_nelf.scenes import read_scene as read_scene
    from mobile_nelf.summary import CheckpointSummary as CheckpointSummary
    from mobile_nelf.summary import SceneSummary as SceneSummary
    from mobile_nelf.summary import inspect_path as inspect
    from mobile_nelf.surfaces.export import ExportedSurface as ExportedSurface
    from mobile_nelf.surfaces.export import export_teacher as export_teacher
    from mobile_nelf.training.pipeline import TrainedScene as TrainedScene
    from mobile_nelf.training.train import train as train

__all__ = [
    "Bundle",
    "CameraOptions",
    "Captured",
    "CheckResult",
    "Checkpoint",
    "CheckpointSummary",
    "Comparison",
    "Compressed",
    "Evaluation",
    "ExportedSurface",
    "Rendered",
    "Scene",
    "SceneSummary",
    "TrainedScene",
    "Verification",
    "__version__",
    "bundle",
    "capture",
    "check",
    "compare",
    "compress",
    "errors",
    "evaluate",
    "export_teacher",
    "inspect",
    "load",
    "read_scene",
    "render",
    "train",
    "verify",
]

#: Where each public name comes from; imported on first use, so that the command line starts without
#: torch. Type checkers read the imports above.
_LAZY = {
    "capture": "mobile_nelf.capturing.run:capture",
    "read_scene": "mobile_nelf.scenes:read_scene",
    "train": "mobile_nelf.training.train:train",
    "render": "mobile_nelf.film:render",
    "evaluate": "mobile_nelf.evaluation:evaluate",
    "export_teacher": "mobile_nelf.surfaces.export:export_teacher",
    "compress": "mobile_nelf.compression.compress:compress",
    "bundle": "mobile_nelf.bundles:bundle",
    "verify": "mobile_nelf.bundles:verify_bundle",
    "check": "mobile_nelf.export.keywords:check",
    "compare": "mobile_nelf.comparison:compare",
    "inspect": "mobile_nelf.summary:inspect_path",
    "load": "mobile_nelf.checkpoints:load_checkpoint",
    "Bundle": "mobile_nelf.bundles:Bundle",
    "CameraOptions": "mobile_nelf.checkpoints:CameraOptions",
    "CheckResult": "mobile_nelf.export.check:CheckResult",
    "Captured": "mobile_nelf.capturing.run:Captured",
    "Checkpoint": "mobile_nelf.checkpoints:Checkpoint",
    "CheckpointSummary": "mobile_nelf.summary:CheckpointSummary",
    "Comparison": "mobile_nelf.comparison:Comparison",
    "Compressed": "mobile_nelf.compression.compress:Compressed",
    "Evaluation": "mobile_nelf.evaluation:Evaluation",
    "ExportedSurface": "mobile_nelf.surfaces.export:ExportedSurface",
    "Rendered": "mobile_nelf.film:Rendered",
    "Scene": "mobile_nelf.scenes:Scene",
    "SceneSummary": "mobile_nelf.summary:SceneSummary",
    "TrainedScene": "mobile_nelf.training.pipeline:TrainedScene",
    "Verification": "mobile_nelf.bundles:Verification",
}


def __getattr__(name: str) -> Any:
    """Imports what is used."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Returns the public names alone."""
    return list(__all__)
