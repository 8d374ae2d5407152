"""Lenses, contracts and Lens Studio projects for tests."""
