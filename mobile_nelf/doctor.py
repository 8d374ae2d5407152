"""What this machine can do: versions, optional packages, and what each of them is for."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import platform
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from mobile_nelf._version import __version__

__all__ = ["EXTRAS", "Diagnosis", "Extra", "PackageStatus", "Tool", "diagnose"]


@dataclass(frozen=True)
class Extra:
    """An optional dependency set of this distribution.

    Attributes:
        name: as in `pip install "mobile-nelf[name]"`.
        packages: distribution name to the module that it installs; empty for a bare tool.
        needed_for: what does not work without it.
    """

    name: str
    packages: dict[str, str]
    needed_for: str


#: Agrees with the optional dependencies in pyproject.toml (tested).
EXTRAS = (
    Extra(
        "lens",
        {
            "jinja2": "jinja2",
            "onnx": "onnx",
            "onnxruntime": "onnxruntime",
            "onnxsim": "onnxsim",
            "pyyaml": "yaml",
        },
        "mnelf bundle, check and verify",
    ),
    Extra(
        "train",
        {
            "flip-evaluator": "flip_evaluator",
            "imageio": "imageio",
            "imageio-ffmpeg": "imageio_ffmpeg",
            "pycolmap": "pycolmap",
            "torchmetrics": "torchmetrics",
        },
        "mnelf eval, training where there are test views, --perceptual, COLMAP scenes and lenses "
        "with distortion, and render to .mp4",
    ),
    Extra(
        "capture",
        {
            "imageio": "imageio",
            "imageio-ffmpeg": "imageio_ffmpeg",
            "opencv-python-headless": "cv2",
            "pi-heif": "pi_heif",
            "pycolmap": "pycolmap",
        },
        "mnelf capture",
    ),
    Extra(
        "export",
        {"fast-simplification": "fast_simplification", "scikit-image": "skimage"},
        "mnelf export",
    ),
    Extra(
        "coreml",
        {"coremltools": "coremltools", "jinja2": "jinja2", "protobuf": "google.protobuf"},
        "mnelf bundle and check --target coreml; verifying what they made takes protobuf only",
    ),
    Extra(
        "coreai",
        {"coreai-core": "coreai", "coreai-torch": "coreai_torch"},
        "mnelf bundle --target coreml --second-opinion",
    ),
    Extra("cuda", {"ninja": "ninja"}, "building tinycudann"),
)

#: tinycudann is on no package index; it is compiled for one GPU and one PyTorch.
TINYCUDANN_HELP = (
    "speeds up teachers on NVIDIA GPUs, optional; not on PyPI: on a machine "
    'with CUDA, its toolkit (nvcc) and a CUDA build of PyTorch, pip install "mobile-nelf[cuda]", '
    "then pip install --no-build-isolation "
    '"git+https://github.com/NVlabs/tiny-cuda-nn#subdirectory=bindings/torch"'
)
TENSORBOARD_HELP = "shows the curves of a training run, which are in its log.jsonl anyway"


@dataclass(frozen=True)
class PackageStatus:
    """An optional package on this machine.

    Attributes:
        name: of the distribution.
        extra: that installs it.
        version: installed version; empty if none.
        state: whether it is there and can be imported.
        detail: what went wrong when it was imported.
    """

    name: str
    extra: str
    version: str
    state: Literal["ok", "missing", "broken"]
    detail: str = ""


@dataclass(frozen=True)
class Tool:
    """Something outside of Python's packages.

    Attributes:
        name: what it is called.
        version: what was found; empty if nothing.
        note: what it is for, or how to get it.
    """

    name: str
    version: str
    note: str


@dataclass(frozen=True)
class Diagnosis:
    """What this machine can do.

    Attributes:
        mnelf: version of this package.
        python: version of Python.
        system: operating system and processor.
        torch: version of PyTorch.
        threads: CPU threads that PyTorch uses.
        cuda: names of the usable GPUs; empty without any.
        packages: every optional package.
        tools: everything else that is looked for.
    """

    mnelf: str
    python: str
    system: str
    torch: str
    threads: int
    cuda: tuple[str, ...]
    packages: tuple[PackageStatus, ...]
    tools: tuple[Tool, ...]

    def complete(self, extra: str) -> bool:
        """Whether every package of an extra can be imported."""
        return all(package.state == "ok" for package in self.packages if package.extra == extra)


def diagnose() -> Diagnosis:
    """Looks at this machine; imports every optional package to see whether it works."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Diagnosis(
        mnelf=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        cuda=tuple(torch.cuda.get_device_name(index) for index in range(gpus)),
        packages=tuple(
            _status(extra, distribution, module)
            for extra in EXTRAS
            for distribution, module in extra.packages.items()
        ),
        tools=(
            Tool("tinycudann", _version("tinycudann"), TINYCUDANN_HELP),
            Tool("tensorboard", _version("tensorboard"), TENSORBOARD_HELP),
            Tool("node", _node_version(), "20 or later runs lenses: bundle, verify and preview"),
        ),
    )


def _status(extra: Extra, distribution: str, module: str) -> PackageStatus:
    version = _version(distribution)
    if not version:
        return PackageStatus(distribution, extra.name, "", "missing")
    try:
        with _quiet():
            importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: a shared library that cannot be loaded
        detail = " ".join(str(error).split())
        return PackageStatus(distribution, extra.name, version, "broken", detail)
    return PackageStatus(distribution, extra.name, version, "ok")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences packages that log or warn when they are imported; here only that counts."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _node_version() -> str:
    node = shutil.which("node")
    if node is None:
        return ""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().removeprefix("v")
