"""Files that are written whole or not at all, and refused before the work if they cannot be written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from theory.errors import InvalidInput

__all__ = ["folder", "reserved"]


@contextmanager
def reserved(path: Path | str, *, suffixes: tuple[str, ...] = ()) -> Iterator[Path]:
    """Reserve `path` for writing; yield a temporary file beside it that replaces it when the block succeeds.

    Entering the block proves that the file can be written, so that no computation is lost on it.  When the block
    fails, the temporary file is removed and whatever stood at `path` stays as it was.

    Parameters
    ----------
    path : path
        The file to write.
    suffixes : tuple of str
        Endings that are allowed; empty for any.  The temporary file has the same ending.

    Raises
    ------
    InvalidInput
        If the ending is not allowed, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "lines.csv"
    >>> with reserved(target) as draft:
    ...     _ = draft.write_text("alpha\\n")
    >>> target.read_text()
    'alpha\\n'
    """
    target = Path(path).expanduser()
    if suffixes and target.suffix.lower() not in suffixes:
        raise InvalidInput(f"'{target}' has no known ending; give a file name that ends in {' or '.join(suffixes)}.")
    draft = _draft_beside(target)
    try:
        yield draft
        os.replace(draft, target)
    except OSError as problem:  # the disk filled up, say
        raise InvalidInput(_sentence(target, problem)) from problem
    finally:
        draft.unlink(missing_ok=True)


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


def _sentence(target: Path, problem: Exception) -> str:
    reason = getattr(problem, "strerror", None) or str(problem)
    return f"'{target}' cannot be written ({reason}); give a file in a writable folder that is not full."


def _draft_beside(target: Path) -> Path:
    """Return a new empty file in the folder of `target`."""
    try:
        if target.is_dir():
            raise InvalidInput(f"'{target}' is a folder; give the name of a file to write.")
        if not target.parent.is_dir():
            raise InvalidInput(f"'{target}' cannot be written: '{target.parent}' is not a folder; make it first.")
        if target.exists() and not os.access(target, os.W_OK):
            raise InvalidInput(f"'{target}' is write-protected; give another file name.")
        handle, name = tempfile.mkstemp(prefix=f".{target.stem[:40]}-", suffix=target.suffix, dir=target.parent)
    except (OSError, ValueError) as problem:
        if isinstance(problem, InvalidInput):
            raise
        raise InvalidInput(_sentence(target, problem)) from problem
    # mkstemp makes files only the owner can read; a result is shared like any other file.
    mask = os.umask(0)
    os.umask(mask)
    os.close(handle)
    os.chmod(name, 0o666 & ~mask)
    return Path(name)
