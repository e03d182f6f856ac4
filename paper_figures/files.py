"""Folders that figures and records are written to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from theory.errors import InvalidInput

__all__ = ["folder"]


def folder(path: Path) -> Path:
    """Make a folder, and find out now, not after minutes of simulation, whether it can be written to.

    Raises
    ------
    InvalidInput
        If it cannot be made, or not be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as problem:
        raise InvalidInput(
            f"'{path}' cannot be written to as a folder ({problem.strerror}); choose another place."
        ) from problem
    return path
