"""Arrays of numbers that a user gives as a file: `.npy`, or text with columns separated by commas or blanks."""

from __future__ import annotations

import reprlib
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput

__all__ = ["read_array", "real_numbers"]


def real_numbers(name: str, values: ArrayLike, what: str) -> NDArray[np.float64]:
    """A list of real numbers, or a single one, as an array.

    Parameters
    ----------
    name : str
        Of the argument, for messages.
    values : (n,) array or float
    what : str
        What they are, for messages.

    Returns
    -------
    (n,) array

    Raises
    ------
    InvalidInput
        If they are not real numbers, none at all, or an array of more dimensions.

    Examples
    --------
    >>> real_numbers("tau", 3, "training times")
    array([3.])
    """
    try:
        found = np.atleast_1d(np.asarray(values))
    except (TypeError, ValueError):
        found = np.array([values], dtype=object)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "fiu"):
        raise InvalidInput(f"{name} = {reprlib.repr(values)} is not allowed; give {what} as a list of real numbers.")
    if not found.size:
        raise InvalidInput(f"{name} holds no {what}; give at least one.")
    return found.astype(np.float64)


def read_array(path: str | Path, what: str) -> NDArray[np.float64]:
    """Read finite real numbers from a file.

    Parameters
    ----------
    path : str or Path
        Text may hold comments after ``#``.
    what : str
        What it is, for messages.

    Returns
    -------
    (n,) or (n, k) array
        Of any dimension from a .npy file; one column, or one row, of a text file is a vector.

    Raises
    ------
    InvalidInput
        If the file is missing, is no table of numbers, or contains what is not finite.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> _ = file.write_text("1, 2  # first\\n3, 4\\n")
    >>> read_array(file, "the table").tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    place = Path(path).expanduser()
    if place.is_dir():
        raise InvalidInput(f"{what} '{path}' is a folder; give a .npy file or a text file of numbers.")
    if not place.is_file():
        raise InvalidInput(f"{what} '{path}' does not exist; give a .npy file or a text file of numbers.")
    if place.suffix.lower() == ".npz":
        raise InvalidInput(f"{what} '{path}' may hold several arrays; save one of them as .npy and give that file.")
    binary = place.suffix.lower() == ".npy"
    try:
        if binary:
            found = np.load(place, allow_pickle=False)
        else:
            text = place.read_text(encoding="utf-8")
            lines = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
            found = np.array([[float(word) for word in line] for line in lines if line])
    except (ValueError, OSError, EOFError) as problem:
        # NumPy answers a broken file with advice to trust it.
        reason = "no array of numbers was saved in it" if binary else _why(problem)
        raise InvalidInput(
            f"{what} '{path}' cannot be read as numbers ({reason}); give a .npy file, or text with the same number of "
            "columns in every line."
        ) from problem
    if found.dtype.kind not in "fiu" or found.size == 0:
        raise InvalidInput(f"{what} '{path}' holds no real numbers; give a table of numbers.")
    if not np.isfinite(found).all():
        raise InvalidInput(f"{what} '{path}' contains NaN or infinity; give finite numbers.")
    values: NDArray[np.float64] = found.astype(np.float64)
    return values if binary or 1 not in values.shape else values.ravel()


def _why(problem: Exception) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return "it is not text"
    reason = " ".join(str(problem).split())
    return "lines have different numbers of columns" if "inhomogeneous" in reason else reason[:100]
