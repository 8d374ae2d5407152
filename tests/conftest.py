"""Settings of every test."""

from __future__ import annotations

import os

# The tests' tensors are small, and a test may run on each core; threads would mostly wait for each
# other, and sums would depend on their number. Commands that tests start read the variable.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch  # reads the variable when it is imported

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory):
    """Bundles of tests are signed with a key of their own, not with the user's."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
