"""Whole files or none: everything is written beside its place and moved there at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from theory.errors import InvalidInput

__all__ = ["folder", "replacing"]


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path of the same suffix beside `target`, which it replaces when the block succeeds.

    Raises
    ------
    InvalidInput
        If the folder is not writable.
    """
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
        os.close(handle)
    except OSError as problem:
        raise InvalidInput(_sentence(target, problem)) from problem
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a figure is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    except OSError as problem:
        raise InvalidInput(_sentence(target, problem)) from problem
    finally:
        temporary.unlink(missing_ok=True)


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


def _sentence(target: Path, problem: OSError) -> str:
    return f"'{target}' cannot be written ({problem.strerror}); choose a folder that is writable and not full."
