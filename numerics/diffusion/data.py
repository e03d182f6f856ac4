"""Data sets by name or from a file, as arrays of points."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.memories import circle
from numerics.rng import permutation, stream
from theory.errors import InvalidInput, MissingExtra, nearest

__all__ = ["NAMES", "SUFFIXES", "read_data"]

NAMES = ("circle", "digits")
SUFFIXES = (".npy", ".npz", ".csv")


def read_data(name: str, *, K: int | None = None, seed: int = 0, key: str | None = None) -> NDArray[np.float64]:
    """Points of a named data set or of a file.

    Parameters
    ----------
    name : str
        ``circle`` (K random points on the unit circle), ``digits`` (scikit-learn's 1797 images of 8 x 8 pixels, scaled
        to 0...1), or a file: an array of shape (K, N) in .npy or .npz, or numbers with commas in .csv
        (a header is skipped).
    K : int or None
        Number of points: for ``circle`` 9 unless given; of others the first K, or, for ``digits``, K at random by seed.
    seed : int
    key : str or None
        Which array of a .npz file; may be left out where there is one.

    Returns
    -------
    points : (K, ...) array

    Raises
    ------
    InvalidInput
        For a file that is missing or unreadable, K out of range, or a key where there is none.
    MissingExtra
        For ``digits`` without scikit-learn.

    Examples
    --------
    >>> read_data("circle", K=3).shape
    (3, 2)
    """
    if key is not None and Path(name).suffix.lower() != ".npz":
        raise InvalidInput(f"--key {key} names an array of a .npz file, and '{name}' is none; leave it out.")
    if name == "circle":
        return circle(9 if K is None else K, seed=seed)
    points = _digits(seed) if name == "digits" else _file(name, key)
    if K is None:
        return points
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or not 1 <= K <= len(points):
        raise InvalidInput(
            f"K = {K} is not allowed; '{name}' has {len(points)} points, so give 1 <= K <= {len(points)}."
        )
    return points[:K]


def _digits(seed: int) -> NDArray[np.float64]:
    """All images in an order drawn by seed, so that smaller sets are parts of larger ones."""
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError:
        raise MissingExtra(
            "the data set 'digits' needs scikit-learn, which is not installed; run: pip install 'spinodal[data]'."
        ) from None
    images = np.asarray(datasets.load_digits().data, dtype=np.float64) / 16.0
    return np.ascontiguousarray(images[permutation(stream("digits", int(seed)), len(images))])


def _file(name: str, key: str | None) -> NDArray[np.float64]:
    path = Path(name).expanduser()
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        close = nearest(name, NAMES)
        hint = f"did you mean '{close}'? " if close and not path.exists() else ""
        raise InvalidInput(
            f"'{name}' is no data set; {hint}give {' or '.join(NAMES)}, or a file that ends in {', '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise InvalidInput(f"'{name}' is not a file; give an array of shape (K, N) in {', '.join(SUFFIXES)}.")
    try:
        if suffix == ".csv":
            return _csv(name, path)
        with path.open("rb") as opened:  # NumPy leaves files open that it cannot read
            loaded = np.load(opened, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                return _member(name, loaded, key)
        if key is not None:
            raise InvalidInput(f"--key {key} names an array of a .npz file, and '{name}' is one array; leave it out.")
        return loaded
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as problem:
        if isinstance(problem, InvalidInput):
            raise
        # NumPy answers a file that is something else with advice to trust it.
        what = "it is not text" if suffix == ".csv" else f"it is damaged, or not saved as {suffix} by NumPy"
        raise InvalidInput(f"'{name}' holds no readable array of numbers ({what}); save it again.") from problem


def _csv(name: str, path: Path) -> NDArray[np.float64]:
    """Numbers with commas; a first line without any number is a header."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    rows = [line.split(",") for line in lines if line]
    if rows and not any(_is_number(word) for word in rows[0]):
        rows = rows[1:]
    if not rows:
        raise InvalidInput(f"'{name}' holds no line of numbers; give one point a line, with commas.")
    for k, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise InvalidInput(
                f"point {k} of '{name}' has {len(row)} numbers and the first has {len(rows[0])}; give all as many."
            )
        wrong = next((word for word in row if not _is_number(word)), None)
        if wrong is not None:
            raise InvalidInput(
                f"point {k} of '{name}' holds '{wrong.strip()[:30]}', which is no number; give numbers with commas."
            )
    return np.array(rows, dtype=np.float64)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _member(name: str, loaded: np.lib.npyio.NpzFile, key: str | None) -> NDArray[np.float64]:
    names = list(loaded.files)
    if key is None and len(names) != 1:
        raise InvalidInput(f"'{name}' holds {len(names)} arrays ({', '.join(names[:8])}); name one with --key.")
    if key is not None and key not in names:
        raise InvalidInput(f"'{name}' has no array '{key}'; it has {', '.join(names[:8])}.")
    return np.asarray(loaded[names[0] if key is None else key])
