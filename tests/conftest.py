"""Settings of every test."""

from __future__ import annotations

import torch

# The tests' tensors are small; threads would mostly wait for each other, and sums would depend on
# their number.
torch.set_num_threads(1)
