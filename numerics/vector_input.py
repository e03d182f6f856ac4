"""What arrays of vector spins, patterns and couplings must be like, and where kernels like them to lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput

__all__ = ["aligned", "room", "unit_vectors", "valid_couplings", "valid_patterns"]

_UNIT = 1e-4  # how far a length may be from 1: float32 vectors, and those of a file of five digits


def unit_vectors(spins: ArrayLike, N: int, d: int) -> NDArray[np.float64]:
    """Return spins as float64, after checking that they are N unit vectors of d components, or R times that many.

    Raises
    ------
    InvalidInput
        If they are not.
    """
    try:
        states = np.asarray(spins)
    except ValueError:
        states = np.empty(0, dtype=object)
    if states.dtype.kind not in "biuf":
        raise InvalidInput(f"spins are not an array of real numbers; give ({N}, {d}) unit vectors.")
    if states.ndim not in (2, 3) or states.shape[-2:] != (N, d):
        raise InvalidInput(
            f"spins have shape {states.shape}; give ({N}, {d}), or (R, {N}, {d}), one vector for each site."
        )
    states = states.astype(np.float64, copy=False)
    _refuse_lengths(states, "spins")
    return states


def valid_patterns(patterns: ArrayLike) -> NDArray[Any]:
    """Return patterns as a (P, N, d) float32 or float64 array.

    Raises
    ------
    InvalidInput
        If they are no unit vectors.
    """
    try:
        given = np.asarray(patterns)
    except ValueError:
        given = np.empty(0, dtype=object)
    if given.dtype.kind not in "biuf":
        raise InvalidInput("patterns are not an array of real numbers; give (P, N, d) unit vectors.")
    if given.ndim != 3 or 0 in given.shape:
        raise InvalidInput(f"patterns have shape {given.shape}; give (P, N, d): P patterns of N unit vectors.")
    if given.dtype not in (np.float32, np.float64):
        given = given.astype(np.float64)
    _refuse_lengths(given, "patterns")
    return given


def valid_couplings(J: ArrayLike, kind: str, d: int | None) -> tuple[NDArray[np.float64], int]:
    """Return a user's couplings as float64 arrays as they are stored, and the number of components.

    Raises
    ------
    InvalidInput
        If they are no such couplings.
    """
    try:
        given = np.asarray(J)
    except ValueError:  # rows of different lengths
        given = np.empty(0, dtype=object)
    if given.dtype.kind not in ("biufc" if kind == "phasor" else "biuf"):
        numbers = "numbers" if kind == "phasor" else "real numbers"
        raise InvalidInput(f"{kind} couplings are not an array of {numbers}; give a symmetric array of them.")
    square = (
        given.ndim == (4 if kind == "tensor" else 2)
        and given.shape[: given.ndim // 2] == given.shape[given.ndim // 2 :]
    )
    if not square or given.size == 0:
        form = "(N, d, N, d)" if kind == "tensor" else "(N, N)"
        raise InvalidInput(f"{kind} couplings have shape {given.shape}; give {form} with N >= 1.")
    components = {"tensor": given.shape[1] if given.ndim == 4 else 0, "scalar": d, "phasor": 2}[kind]
    if isinstance(components, bool) or not isinstance(components, int | np.integer) or components < 1:
        raise InvalidInput(f"d = {d!r} is not allowed; scalar couplings need the components of a spin, d >= 1.")
    if d is not None and d != components:
        raise InvalidInput(f"d = {d!r} does not fit {kind} couplings of {components} components; leave it out.")
    if not np.isfinite(given).all():
        raise InvalidInput("couplings contain NaN or infinity; give finite numbers.")
    N = len(given)
    sites = np.arange(N)
    itself = given[sites, :, sites] if kind == "tensor" else given.diagonal()
    if np.any(itself != 0):
        raise InvalidInput("couplings have a nonzero diagonal; set J_ii = 0, spins do not act on themselves.")
    mirrored = given.transpose(2, 3, 0, 1) if kind == "tensor" else given.conj().T
    apart = float(np.abs(given - mirrored).max())
    if apart > 2.0**-40 * float(np.abs(given).max()):
        form = {"tensor": "J[i, a, j, b] = J[j, b, i, a]", "scalar": "J = J^T", "phasor": "J = conj(J)^T"}[kind]
        raise InvalidInput(f"couplings are not symmetric (off by up to {apart:.3g}); give {form}.")
    if kind == "tensor":
        given = given.transpose(0, 1, 3, 2)
    if kind == "phasor":
        given = np.stack([given.real, given.imag])
    return np.ascontiguousarray(given, dtype=np.float64), int(components)


def room(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an empty array that begins with a cache line: a vector of 64 bytes would otherwise always lie on two."""
    octets = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(octets + 64, dtype=np.uint8)
    first = -raw.ctypes.data % 64
    return np.asarray(raw[first : first + octets].view(dtype).reshape(shape))


def aligned(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return a copy of an array of a type that begins with a cache line."""
    copy = room(values.shape, dtype)
    copy[...] = values
    return copy


def _refuse_lengths(vectors: NDArray[Any], what: str) -> None:
    if vectors.size == 0:
        return
    worst = max(float(np.abs(np.einsum("...a,...a->...", v, v) - 1.0).max()) for v in vectors)
    if not math.isfinite(worst):
        raise InvalidInput(f"{what} contain NaN or infinity; give unit vectors.")
    if worst > 2.0 * _UNIT:
        length = math.sqrt(max(0.0, 1.0 + worst))
        raise InvalidInput(
            f"{what} are not of length 1 (off by up to {abs(length - 1.0):.2g}); divide each vector by its length."
        )
