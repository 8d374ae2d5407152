"""The radiance field of Instant-NGP itself: tinycudann's hash grid and fused networks."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mobile_nelf.errors import MissingExtraError

__all__ = ["HashGridField"]

LEVELS = 16
COARSEST = 16
FINEST = 2048
FEATURES = 15


class HashGridField(nn.Module):
    """Multi-resolution hash grid with networks of width 64 (Müller et al., SIGGRAPH 2022)."""

    def __init__(self) -> None:
        """Builds fresh weights on the GPU.

        Raises:
            MissingExtraError: tinycudann is not installed, or finds no GPU.
        """
        super().__init__()
        try:
            import tinycudann
        except (ImportError, OSError) as error:  # it raises OSError where there is no GPU
            raise MissingExtraError(
                f"tinycudann cannot be used ({error}); `mnelf doctor` says how to get it, and "
                "backend torch works without",
                arguments=["backend"],
            ) from error
        hidden = {
            "otype": "FullyFusedMLP",
            "activation": "ReLU",
            "output_activation": "None",
            "n_neurons": 64,
        }
        growth = math.exp(math.log(FINEST / COARSEST) / (LEVELS - 1))
        grid = {
            "otype": "HashGrid",
            "n_levels": LEVELS,
            "n_features_per_level": 2,
            "log2_hashmap_size": 19,
            "base_resolution": COARSEST,
            "per_level_scale": growth,
        }
        self.density_net: Any = tinycudann.NetworkWithInputEncoding(
            3, 1 + FEATURES, grid, {**hidden, "n_hidden_layers": 1}
        )
        directions = {"n_dims_to_encode": 3, "otype": "SphericalHarmonics", "degree": 4}
        self.colour_net: Any = tinycudann.NetworkWithInputEncoding(
            3 + FEATURES,
            3,
            {"otype": "Composite", "nested": [directions, {"otype": "Identity"}]},
            {**hidden, "n_hidden_layers": 2},
        )

    def density(self, points_unit: Tensor) -> tuple[Tensor, Tensor]:
        """See `Field`."""
        out = self.density_net(points_unit).float()
        return torch.exp(out[:, 0].clamp(max=12.0)), out[:, 1:]

    def colour(self, features: Tensor, directions: Tensor) -> Tensor:
        """See `Field`."""
        # Its harmonics expect directions within [0, 1].
        out = self.colour_net(torch.cat([(directions + 1.0) / 2.0, features], 1))
        return torch.sigmoid(out.float())
