"""Rewrites of trained networks that do not change their function.

Both work on a copy of any module tree and compute weights in float64, so that the only difference
left is the final rounding to the network's own dtype.
"""

from __future__ import annotations

import copy
from operator import attrgetter
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

__all__ = ["fold_batchnorm", "linear_to_conv"]

_Conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_ConvTranspose = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BatchNorm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def linear_to_conv(module: nn.Module) -> nn.Module:
    """Returns a copy of `module` in which every `Linear` is a 1×1 `Conv2d`.

    Rows [N, C] in row-major pixel order become a grid [1, C, h, w]; what acts elementwise in
    between does not notice. A layer used in several places stays one layer, and layers that share a
    weight keep sharing it. A computed weight (`torch.nn.utils.parametrize`) is converted at its
    present value; a subclass of `Linear` with a forward of its own stays as it is.
    """
    converted: dict[int, nn.Conv2d] = {}
    # The old tensor is kept beside the new: a computed weight would be freed and its id reused.
    parameters: dict[int, tuple[Tensor, nn.Parameter]] = {}

    def shared(old: Tensor, shape: tuple[int, ...]) -> nn.Parameter:
        if id(old) not in parameters:
            new = nn.Parameter(old.detach().reshape(shape).clone(), old.requires_grad)
            parameters[id(old)] = (old, new)
        return parameters[id(old)][1]

    def convert(linear: nn.Linear) -> nn.Conv2d:
        if id(linear) not in converted:
            conv = nn.Conv2d(
                linear.in_features, linear.out_features, 1, bias=linear.bias is not None
            )
            conv.weight = shared(linear.weight, (*linear.weight.shape, 1, 1))
            if linear.bias is not None:
                conv.bias = shared(linear.bias, tuple(linear.bias.shape))
            converted[id(linear)] = conv.train(linear.training)
        return converted[id(linear)]

    def walk(parent: nn.Module, seen: set[int]) -> None:
        if id(parent) in seen:
            return
        seen.add(id(parent))
        # Not named_children(), which lists a module that stands under two names only once.
        for name, child in parent._modules.items():
            if _is_linear(child):
                parent._modules[name] = convert(cast(nn.Linear, child))
            elif child is not None:
                walk(child, seen)

    rewritten = copy.deepcopy(module)
    if _is_linear(rewritten):
        return convert(cast(nn.Linear, rewritten))
    walk(rewritten, set())
    return rewritten


def _is_linear(module: nn.Module | None) -> bool:
    return isinstance(module, nn.Linear) and type(module).forward is nn.Linear.forward


def fold_batchnorm(module: nn.Module) -> nn.Module:
    """Returns an evaluation-mode copy of `module` with each BatchNorm folded into the layer before.

    Folds BatchNorm after `Conv*d`, `ConvTranspose*d` and `Linear` (on rows [N, C]) wherever the
    data flow, not the order of registration, says that the BatchNorm is the only reader of a layer
    that runs once. Any other BatchNorm stays as it is, also after a subclass of those layers, which
    may do more with its weight.

    Raises:
        torch.fx.proxy.TraceError: the forward of `module` branches on tensor values.
    """
    traced = fx.symbolic_trace(copy.deepcopy(module).eval())
    modules = dict(traced.named_modules(remove_duplicate=False))
    calls: dict[int, int] = {}
    for node in traced.graph.nodes:
        if node.op == "call_module":
            key = id(modules[node.target])
            calls[key] = calls.get(key, 0) + 1
    for node in list(traced.graph.nodes):
        if node.op != "call_module" or type(modules[node.target]) not in _BatchNorm:
            continue
        source = node.all_input_nodes[0]
        if source.op != "call_module" or len(source.users) > 1:
            continue
        layer, norm = modules[str(source.target)], cast(Any, modules[node.target])
        if type(layer) not in (*_Conv, *_ConvTranspose, nn.Linear) or norm.running_var is None:
            continue
        if calls[id(layer)] > 1 or _weight_is_shared(layer, traced):
            continue
        # On [N, L, C] a BatchNorm1d normalizes L, which no row of the weight stands for.
        if isinstance(layer, nn.Linear) and norm.num_features != layer.out_features:
            continue
        _fold(cast(Any, layer), norm)
        node.replace_all_uses_with(source)
        traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _weight_is_shared(layer: nn.Module, traced: fx.GraphModule) -> bool:
    """Whether anything else reads the same parameters, which folding would change under it."""
    own = {id(parameter) for parameter in layer.parameters(recurse=False)}
    elsewhere = [
        parameter
        for other in traced.modules()
        if other is not layer
        for parameter in other.parameters(recurse=False)
    ]
    reads = [
        attrgetter(node.target)(traced) for node in traced.graph.nodes if node.op == "get_attr"
    ]
    return any(id(tensor) in own for tensor in (*elsewhere, *reads))


def _fold(layer: Any, norm: Any) -> None:
    """Scales the weight and shifts the bias of `layer` by what `norm` does in evaluation."""
    variance = norm.running_var.double()
    gain = torch.ones_like(variance) if norm.weight is None else norm.weight.detach().double()
    shift = torch.zeros_like(variance) if norm.bias is None else norm.bias.detach().double()
    scale = gain / torch.sqrt(variance + norm.eps)
    weight = layer.weight.detach().double()
    bias = torch.zeros_like(variance) if layer.bias is None else layer.bias.detach().double()
    if isinstance(layer, _ConvTranspose):
        scaled = _scale_transposed(weight, scale, layer.groups)
    else:
        scaled = weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter(scaled.to(dtype))
    layer.bias = nn.Parameter(((bias - norm.running_mean.double()) * scale + shift).to(dtype))


def _scale_transposed(weight: Tensor, scale: Tensor, groups: int) -> Tensor:
    """Scales a ConvTranspose weight [in, out/groups, ...] by output channel, group by group."""
    by_group = weight.reshape(groups, -1, *weight.shape[1:])  # [G, in/G, out/G, ...]
    factor = scale.reshape(groups, 1, -1, *[1] * (weight.dim() - 2))
    return (by_group * factor).reshape(weight.shape)
