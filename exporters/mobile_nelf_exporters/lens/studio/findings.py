"""How findings about files of Lens Studio are made."""

from __future__ import annotations

from mobile_nelf.export.inspection import Finding

__all__ = ["error", "warning"]


def error(path: str, problem: str, advice: str) -> Finding:
    """A finding with which the project does not work."""
    return Finding(path, "error", problem, advice)


def warning(path: str, problem: str, advice: str) -> Finding:
    """A finding with which the project works."""
    return Finding(path, "warning", problem, advice)
