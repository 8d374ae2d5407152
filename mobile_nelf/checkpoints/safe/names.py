"""Judges by their spelling the names that a pickle refers to. Nothing is ever looked up.

No name can do harm here (see `safe_pickle`). They are judged so that the user hears about a file
that tries to run code.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import torch

__all__ = ["Inert", "Name", "describe", "is_state", "may_be_class", "printable"]

#: A name from a file is cut here when a message shows it.
MAX_SHOWN = 80

#: The standard library is where gadgets live, so only this of it may be named.
_STANDARD = frozenset(
    f"{module}.{name}"
    for module, names in {
        "argparse": "Namespace",
        "builtins": "bytearray bytes complex dict float frozenset int list object range set slice "
        "str tuple",
        "_codecs": "encode",
        "collections": "Counter OrderedDict defaultdict deque",
        "copyreg": "_reconstructor",
        "datetime": "date datetime timedelta timezone",
        "decimal": "Decimal",
        "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
        "pathlib._local": "PosixPath PurePosixPath PureWindowsPath WindowsPath",
        "types": "SimpleNamespace",
        "uuid": "UUID",
    }.items()
    for name in names.split()
)
#: Modules outside the standard library that load or run code.
_CODE_MODULES = frozenset(
    {"IPython", "cloudpickle", "dill", "joblib", "pip", "setuptools", "torch.hub",
     "torch.jit", "torch.package", "torch.serialization"}
)  # fmt: skip
#: Packages whose classes are known to begin with a capital.
_LIBRARIES = frozenset({"numpy", "torch"})
#: Elsewhere a class is told from a function by its capital. These are state in spite of theirs.
_STATE_FUNCTIONS = frozenset(
    {
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.dtype",
        "numpy.ndarray",
        "torch.device",
        "torch.serialization._get_layout",
    }
)
_STATE_PREFIXES = (
    "torch._utils._rebuild_",
    "torch._tensor._rebuild_",
    "torch.nn.functional.",
    "torch._C._nn.",
)
_DTYPE_NAMES = frozenset(
    name for name, value in vars(torch).items() if isinstance(value, torch.dtype)
)


@dataclass(frozen=True, eq=False, slots=True)
class Inert:
    """Stands for an object that was not built.

    Attributes:
        name: qualified name of its class, or of the function that would have made it.
        attributes: what the file wanted to put into it under a name, as state or as items; it may
            hold anything, also the object itself.
    """

    name: str
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A qualified name that the file refers to; never looked up."""

    text: str


def is_state(module: str, name: str) -> bool:
    """Whether a name is plausible in the state of a training run.

    Args:
        module: dotted name of the module, with the names of Python 3.
        name: of the class or function in it, dotted if nested.
    """
    text = f"{module}.{name}"
    root = module.partition(".")[0]
    if text in _STATE_FUNCTIONS:
        return True
    if root in sys.stdlib_module_names:
        return text in _STANDARD
    if any(module == code or module.startswith(f"{code}.") for code in _CODE_MODULES):
        return False
    if "." not in name:
        if text.startswith(_STATE_PREFIXES):
            return True
        if root == "torch" and name in _DTYPE_NAMES:
            return True
        if root == "numpy" and name.rstrip("_") in _DTYPE_NAMES:
            return True
    # A dotted name is a nested class, or a walk through what a module happens to import.
    return all(part.lstrip("_")[:1].isupper() for part in name.split("."))


def may_be_class(module: str, name: str) -> bool:
    """Whether a name that `is_state` does not take may be a class of somebody's own package.

    Research code has classes in lower case. What is done with the name tells the rest: plain pickle
    makes an object of a class without calling it, which no function survives.
    """
    root = module.partition(".")[0]
    return (
        name.isidentifier()
        and root.isidentifier()
        and root not in sys.stdlib_module_names
        and root not in _LIBRARIES
        and not any(module == code or module.startswith(f"{code}.") for code in _CODE_MODULES)
    )


def printable(text: str) -> str:
    """Returns a name from a file without what could control a terminal, and not too long."""
    shown = ascii(text)[1:-1]
    return shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "…"


def describe(value: Any) -> str:
    """Says what an object from a file is, for messages."""
    if isinstance(value, Inert):
        return f"an object of {printable(value.name)}"
    if isinstance(value, Name):
        return f"the name {printable(value.text)}"
    return f"a value of type {type(value).__name__.lstrip('_').lower()}"
