"""Tests; what several of them share is in `tests.helpers`."""
