"""The GPU of a Mac, played by the CPU: it refuses what that GPU cannot do.

Tensors say that they are on `mps`; so the code takes the ways that it has for Macs. Each operation
on them must be one that PyTorch's own table of kernels has for MPS, or is made of such ones, and
float64 must not occur. Operands must be where the others are. What an operation computes there, and
whether its kernel is right, only a Mac can tell.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
import torchgen
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torchgen.gen import parse_native_yaml
from torchgen.model import DispatchKey

__all__ = ["AppleGpu", "RefusedError"]

MPS = torch.device("mps", 0)

#: Moves between devices and the reading of a number, which every device has.
ALWAYS = {"aten::_to_copy", "aten::_local_scalar_dense", "aten::detach", "aten::alias"}


class RefusedError(Exception):
    """The GPU of a Mac cannot do this."""


@functools.cache
def mps_operators() -> frozenset[str]:
    """Names of the operators that have a kernel for MPS, or none of their own for any device."""
    folder = Path(torchgen.__file__).parent / "packaged" / "ATen" / "native"
    parsed = parse_native_yaml(str(folder / "native_functions.yaml"), str(folder / "tags.yaml"))
    by_name = {str(function.func.name): function for function in parsed.native_functions}
    kernels = parsed.backend_indices[DispatchKey.MPS]
    found = set()
    for name, function in by_name.items():
        delegate = function.structured_delegate
        source = function if delegate is None else by_name[str(delegate)]
        composite = (
            source.has_composite_implicit_autograd_kernel
            or source.has_composite_explicit_autograd_kernel
            or source.has_composite_explicit_autograd_non_functional_kernel
        )
        if composite or kernels.has_kernel(source):
            found.add(f"aten::{name}")
    return frozenset(found)


class AppleTensor(torch.Tensor):
    """A tensor that says it is on `mps`; to PyTorch's own code it is on the CPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> AppleTensor:
        if inner.dtype in (torch.float64, torch.complex128):
            raise RefusedError(f"{inner.dtype} {list(inner.shape)} on the GPU of a Mac")
        made: AppleTensor = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="cpu",
        )
        made.inner = inner
        return made

    @property
    def device(self) -> torch.device:
        return MPS

    def __repr__(self) -> str:
        return f"AppleTensor({self.inner!r})"

    def __reduce_ex__(self, protocol):
        return self.inner.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {}, set())


class _Moves(TorchFunctionMode):
    """Tensors made for the device and tensors brought there or back."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.cpu:
            return args[0].inner if isinstance(args[0], AppleTensor) else args[0]
        if func is torch.Tensor.tolist and isinstance(args[0], AppleTensor):
            return args[0].inner.tolist()
        if func is torch.Tensor.new_tensor and isinstance(args[0], AppleTensor):
            return AppleTensor(torch.tensor(args[1], dtype=args[0].dtype))
        at = [
            i
            for i, arg in enumerate(args)
            if isinstance(arg, torch.device) or (func is torch.Tensor.to and isinstance(arg, str))
        ]
        device = args[at[0]] if at else kwargs.get("device")
        if device is None or func is torch._C._nn._parse_to:
            return func(*args, **kwargs)
        there = torch.device(device).type == "mps"
        if at:
            args = (*args[: at[0]], torch.device("cpu"), *args[at[0] + 1 :])
        else:
            kwargs["device"] = torch.device("cpu")
        inner = tuple(arg.inner if isinstance(arg, AppleTensor) else arg for arg in args)
        with torch.no_grad():
            result = func(*inner, **kwargs)
        return AppleTensor(result) if there else result


class AppleGpu(TorchDispatchMode):
    """While it is entered, `mps` is a device.

    Attributes:
        used: names of the operators that ran there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()
        self._moves = _Moves()

    def __enter__(self):
        self._moves.__enter__()
        # Or a module on its way there would keep the class of its parameters, and lose them.
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        # Tensors around others cannot be made in inference mode.
        self._inference_mode, torch.inference_mode = torch.inference_mode, torch.no_grad
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        torch.inference_mode = self._inference_mode
        torch.__future__.set_overwrite_module_params_on_conversion(False)
        self._moves.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {}, self.used)


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], used: set[str]) -> Any:
    given = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = any(isinstance(tensor, AppleTensor) for tensor in given)
    if not there:
        return func(*args, **kwargs)
    name = func.name().removesuffix(".default")
    used.add(name)
    if name not in ALWAYS and name not in mps_operators():
        raise RefusedError(f"{name} has no kernel on the GPU of a Mac")
    for tensor in given:
        if name != "aten::copy_" and not isinstance(tensor, AppleTensor) and tensor.dim() > 0:
            raise RefusedError(f"{name} mixes the CPU and the GPU of a Mac")
    inner_args, inner_kwargs = pytree.tree_map_only(
        AppleTensor, lambda tensor: tensor.inner, (args, kwargs)
    )
    result = func(*inner_args, **inner_kwargs)
    returns = func._schema.returns
    if returns and all(r.alias_info is not None and r.alias_info.is_write for r in returns):
        return kwargs["out"] if "out" in kwargs else args[0]
    return pytree.tree_map_only(torch.Tensor, AppleTensor, result)
