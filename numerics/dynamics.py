"""Zero-temperature dynamics of Ising spins, validated and named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from numerics.backends import backend_named
from numerics.couplings import Couplings
from theory.errors import InvalidInput, SpinodalError, nearest

__all__ = ["ORDERS", "TIES", "Quench", "quench"]

TIES = ("keep", "plus")
ORDERS = ("random", "sequential")


@dataclass(frozen=True, eq=False)
class Quench:
    """Where a zero-temperature run ended.

    Attributes
    ----------
    spins : (N,) int8 array of +-1
        A state in which no spin is unstable under the tie rule.
    sweeps : int
        Sweeps of N proposals, including the last one, in which no spin flipped.
    flips : int
    """

    spins: NDArray[np.int8]
    sweeps: int
    flips: int


def quench(
    couplings: ArrayLike,
    spins: ArrayLike,
    *,
    key: NDArray[np.uint32] | None = None,
    tie: str = "keep",
    order: str = "random",
    backend: str = "cpu",
    max_sweeps: int = 100_000,
) -> Quench:
    r"""Align spins with their local fields one at a time until none is unstable.

    A visited spin becomes the sign of ``h_i = sum_j J_ij s_j``.  The energy never rises, so the run ends.

    Parameters
    ----------
    couplings : (N, N) array
        Symmetric with zero diagonal; integers of up to 32 bits (N times J, say) are treated exactly, other
        values in double precision.
    spins : (N,) array of +-1
        Start configuration; not changed.
    key : (3,) uint32 array, optional
        Name of the visiting order, from :func:`numerics.rng.stream`.
    tie : {'keep', 'plus'}
        What a spin in exactly zero field does: keep its value, or become +1.
    order : {'random', 'sequential'}
        A fresh random permutation for each sweep, or sites 0, 1, ..., N-1.
    backend : {'cpu', 'reference'}
        The compiled kernel, or slow NumPy that follows the identical trajectory.
    max_sweeps : int

    Raises
    ------
    InvalidInput
        For shapes that do not fit, spins other than +-1, couplings that are not finite, a nonzero diagonal or an
        unknown option.
    SpinodalError
        If `max_sweeps` sweeps do not suffice.

    Examples
    --------
    >>> import numpy as np
    >>> J = np.ones((3, 3), dtype=np.int16) - np.eye(3, dtype=np.int16)
    >>> quench(J, [1, 1, -1]).spins.tolist()
    [1, 1, 1]
    """
    chosen(tie, TIES, "tie rule")
    chosen(order, ORDERS, "order")
    run = backend_named(backend).quench
    matrix = _couplings(couplings)
    state = np.asarray(spins)
    if state.shape != (matrix.shape[0],):
        raise InvalidInput(
            f"spins have shape {state.shape} but couplings {matrix.shape}; give one spin per row of the couplings."
        )
    if not np.all(np.abs(state) == 1):
        raise InvalidInput("spins must all be +1 or -1; take the sign of the start configuration.")
    key = rng.stream("quench") if key is None else key
    final, sweeps, flips = run(
        matrix,
        state.astype(np.int8),
        key,
        shuffled=order == "random",
        plus=tie == "plus",
        max_sweeps=max_sweeps,
    )
    if sweeps < 0:
        raise SpinodalError(f"spins still flip after {max_sweeps} sweeps; raise max_sweeps or check J = J^T.")
    return Quench(final, sweeps, flips)


def chosen(value: str, choices: tuple[str, ...], kind: str) -> str:
    """Return `value` if it is one of `choices`.

    Raises
    ------
    InvalidInput
        Otherwise, with the nearest choice.
    """
    if value in choices:
        return value
    close = nearest(str(value), choices)
    hint = f"; did you mean '{close}'?" if close else "."
    raise InvalidInput(f"{kind} '{value}' is unknown; choose one of {', '.join(choices)}{hint}")


def _couplings(couplings: ArrayLike) -> Couplings:
    matrix = np.asarray(couplings)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 1:
        raise InvalidInput(f"couplings have shape {matrix.shape}; give a square (N, N) matrix with N >= 1.")
    if matrix.dtype not in (np.int16, np.int32):
        fits = matrix.dtype.kind in "iu" and np.all(np.abs(matrix.astype(np.int64)) < 2**31)
        matrix = matrix.astype(np.int32 if fits else np.float64, copy=False)  # never two (N, N) arrays of float64
    if matrix.dtype == np.float64 and not np.isfinite(matrix.sum()):  # NaN is against no spin, so all would be stable
        raise InvalidInput("couplings contain NaN or infinity; give finite numbers.")
    if np.any(matrix.diagonal() != 0):
        raise InvalidInput("couplings have a nonzero diagonal; set J_ii = 0, spins do not act on themselves.")
    return np.ascontiguousarray(matrix)
