"""mobile-nelf: put a neural light field on a phone, and prove off-device that it arrived.

checkpoint = mobile_nelf.load(Path("mic.pt"))
bundle = mobile_nelf.bundle(checkpoint, target="onnx", output=Path("mic-onnx"))
mobile_nelf.verify(bundle.path).passed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobile_nelf._version import __version__

if TYPE_CHECKING:
    from mobile_nelf.bundles import create_bundle as bundle
    from mobile_nelf.bundles import verify_bundle as verify
    from mobile_nelf.checkpoints import load_checkpoint as load

__all__ = ["__version__", "bundle", "load", "verify"]

_LAZY = {
    "bundle": ("mobile_nelf.bundles", "create_bundle"),
    "load": ("mobile_nelf.checkpoints", "load_checkpoint"),
    "verify": ("mobile_nelf.bundles", "verify_bundle"),
}


def __getattr__(name: str) -> Any:
    """Imports the SDK on first use, so that the command line starts without torch."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)
