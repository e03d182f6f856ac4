"""Arrays of numbers that a user gives as a file: `.npy`, or text with columns separated by commas or blanks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from theory.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["read_array"]


def read_array(path: str | Path, what: str) -> NDArray[np.float64]:
    """Read finite real numbers from a file.

    Parameters
    ----------
    path : str or Path
    what : str
        What it is, for messages.

    Returns
    -------
    (n,) or (n, k) array

    Raises
    ------
    InvalidInput
        If the file is missing, is no table of numbers, or contains what is not finite.
    """
    import numpy as np

    place = Path(path).expanduser()
    if not place.is_file():
        raise InvalidInput(f"{what} '{path}' does not exist; give a .npy file or a text file of numbers.")
    try:
        if place.suffix == ".npy":
            found = np.load(place, allow_pickle=False)
        else:
            text = place.read_text(encoding="utf-8")
            lines = [line.split("#")[0].replace(",", " ").split() for line in text.splitlines()]
            found = np.array([[float(word) for word in line] for line in lines if line])
    except (ValueError, OSError, EOFError) as problem:
        raise InvalidInput(
            f"{what} '{path}' cannot be read as numbers ({' '.join(str(problem).split())[:100]}); give a .npy file, or "
            "text with the same number of columns in every line."
        ) from problem
    if found.dtype.kind not in "fiu" or found.size == 0:
        raise InvalidInput(f"{what} '{path}' holds no real numbers; give a table of numbers.")
    if not np.isfinite(found).all():
        raise InvalidInput(f"{what} '{path}' contains NaN or infinity; give finite numbers.")
    values: NDArray[np.float64] = found.astype(np.float64)
    # One column, or one row, of a text file is a vector.
    return values.ravel() if place.suffix != ".npy" and 1 in values.shape else values
