"""Settings of every test."""

from __future__ import annotations

import os

# The tests' tensors are small, and a test may run on each core; threads would mostly wait for each
# other, and sums would depend on their number. Commands that tests start read the variable.
os.environ["OMP_NUM_THREADS"] = "1"

import torch  # reads the variable when it is imported

torch.set_num_threads(1)
