"""Files as the research code of MobileR2L and R2L writes them, and files as an attacker would."""

from __future__ import annotations

import json
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.errors import InputError
from tests.helpers.students import random_checkpoint


class EasyDict(dict):
    """A dict whose items are also attributes, as the package of that name has it."""

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        super().__setitem__(name, value)


class ResnetBlock(nn.Module):
    def __init__(self, dim, act):
        super().__init__()
        layers = [nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim), act]
        layers += [nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv_block(x)


class R2L(nn.Module):
    """MobileR2L's network, which its code calls R2L."""

    def __init__(self, args, input_dim, output_dim):
        super().__init__()
        self.args, self.input_dim = args, input_dim
        act = nn.GELU() if args.activation_fn == "gelu" else nn.ReLU(inplace=True)
        width, kernels = args.netwidth, args.sr_kernel
        self.head = nn.Sequential(nn.Conv2d(input_dim, width, 1), act)
        blocks = (args.netdepth - 2) // 2
        self.body = nn.Sequential(*[ResnetBlock(width, act) for _ in range(blocks)])
        tail = []
        for index, kernel in enumerate(kernels if args.use_sr_module else []):
            last_of_colmap = index == len(kernels) - 1 and args.dataset_type == "Colmap"
            size = (3, 3, 0) if last_of_colmap else (4, 2, 1)
            tail.append(nn.ConvTranspose2d(width, kernel, *size))
            tail += [ResnetBlock(kernel, act) for _ in range(args.num_conv_layers)]
            width = kernel
        self.tail = nn.Sequential(*tail, nn.Conv2d(width, output_dim, 1), nn.Sigmoid())

    def forward(self, x):
        x = self.head(x)
        return self.tail(self.body(x) + x)


class ResMLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width), nn.ReLU(True), nn.Linear(width, width))

    def forward(self, x):
        return self.body(x) + x


class NeRF_v3_2(nn.Module):  # noqa: N801
    """R2L's network of residual blocks or, with `plain`, of single layers."""

    def __init__(self, args, input_dim, output_dim, plain=False):
        super().__init__()
        self.args, width = args, args.netwidth
        self.head = nn.Sequential(nn.Linear(input_dim, width), nn.ReLU(True))
        if plain:
            body = [nn.Linear(width, width) for _ in range(args.netdepth - 2)]
        else:
            body = [ResMLP(width) for _ in range((args.netdepth - 2) // 2)]
        self.body = nn.Sequential(*body)
        self.tail = nn.Sequential(nn.Linear(width, output_dim), nn.Sigmoid())

    def forward(self, x):
        x = self.head(x)
        return self.tail(self.body(x) + x)


@contextmanager
def research_code() -> Iterator[None]:
    """Makes the classes above importable under the names they have in the research code."""
    homes = {
        "easydict": [EasyDict],
        "model": [],
        "model.R2L": [R2L, ResnetBlock],
        "model.nerf_raybased": [NeRF_v3_2, ResMLP],
    }
    for name, classes in homes.items():
        sys.modules[name] = types.ModuleType(name)
        for cls in classes:
            cls.__module__ = name
            setattr(sys.modules[name], cls.__name__, cls)
    try:
        yield
    finally:
        for name in homes:
            del sys.modules[name]


@dataclass
class OfficialFile:
    path: Path
    content: dict[str, Any]
    network: nn.Module

    def rewrite(self) -> Path:
        """Writes `content` again after a test has changed it."""
        with research_code():
            torch.save(self.content, self.path)
        return self.path


INTRINSICS = {"H": 5, "W": 6, "focal": 8.5, "radius": 4.0, "near": 2.0, "far": 6.0}


def write_official(
    folder: Path,
    *,
    intrinsics: dict[str, Any] | None = None,
    architecture: str = "mobiler2l",
    samples: int | None = None,
    frequencies: int | None = None,
    out_channels: int = 3,
    **options: Any,
) -> OfficialFile:
    """Writes a `ckpt.tar` and, unless `intrinsics` is empty, the JSON beside it."""
    args = EasyDict()
    defaults = {
        "netdepth": 6,
        "netwidth": 12,
        "activation_fn": "gelu",
        "use_sr_module": True,
        "sr_kernel": [8, 8, 4],
        "num_conv_layers": 2,
        "dataset_type": "Blender",
        "camera_convention": "openGL",
        "n_sample_per_ray": samples or (8 if architecture == "mobiler2l" else 16),
        "multires": frequencies or (6 if architecture == "mobiler2l" else 10),
    }
    for name, value in {**defaults, **options}.items():
        setattr(args, name, value)
    samples = samples or (8 if architecture == "mobiler2l" else 16)
    frequencies = frequencies or (6 if architecture == "mobiler2l" else 10)
    torch.manual_seed(3)
    cls = R2L if architecture == "mobiler2l" else NeRF_v3_2
    network = cls(args, 3 * samples * (2 * frequencies + 1), out_channels)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    # What AdamW.state_dict() gives; constructing one would import the compiler for seconds.
    moments = {
        index: {"step": torch.tensor(1.0), "exp_avg": value.detach() * 0.1}
        for index, value in enumerate(network.parameters())
    }
    groups = [{"lr": 5e-4, "betas": (0.9, 0.999), "params": list(moments)}]
    content = {
        "global_step": 1200,
        "best_psnr": torch.tensor(31.25),
        "best_psnr_step": 1000,
        "network_fn_state_dict": network.state_dict(),
        "optimizer_state_dict": {"state": moments, "param_groups": groups},
        "scaler": None,
        "network_fn": network,
    }
    if intrinsics is None:
        intrinsics = {**INTRINSICS, "n_sample": samples, "numtires": frequencies}
    if intrinsics:
        (folder / "intrinsics.json").write_text(json.dumps(intrinsics))
    file = OfficialFile(folder / "ckpt.tar", content, network.eval())
    file.rewrite()
    return file


@pytest.fixture
def official(tmp_path: Path) -> Callable[..., OfficialFile]:
    """Writes an official file below the test's own folder."""
    return lambda **options: write_official(tmp_path, **options)


def refusal(path: Path, **options: Any) -> str:
    """Loads a file that must be refused and returns the message without the path before it."""
    with pytest.raises(InputError) as caught:
        load_checkpoint(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


@pytest.fixture(name="refusal")
def refusal_fixture() -> Callable[..., str]:
    return refusal


def repack(source: Path, target: Path, **records: Callable[[bytes], bytes]) -> Path:
    """Copies a torch file with some records changed; dots in a name are written as `__`."""
    changes = {name.replace("__", "."): change for name, change in records.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            name = entry.filename.partition("/")[2]
            change = changes.pop(name, lambda content: content)
            new.writestr(entry.filename, change(old.read(entry)))
    assert not changes
    return target


@pytest.fixture(name="repack")
def repack_fixture() -> Callable[..., Path]:
    return repack


@pytest.fixture
def own_file(tmp_path):
    save_checkpoint(random_checkpoint(depth=4, width=4, sr_widths=()), tmp_path / "own.pt")
    return tmp_path / "own.pt"


@pytest.fixture
def torch_zip(tmp_path):
    """Writes a torch file from a raw pickle and its records."""

    def write(pickled, **records):
        path = tmp_path / "crafted.pt"
        with zipfile.ZipFile(path, "w") as file:
            for key, content in {"data.pkl": pickled, "byteorder": b"little", **records}.items():
                file.writestr(f"archive/{key.replace('__', '/')}", content)
        return path

    return write
