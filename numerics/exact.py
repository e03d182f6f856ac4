"""Exhaustive enumeration of small systems: what the kernels are checked against."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput

__all__ = ["configurations", "energies", "stable_states"]

_LARGEST = 16


def configurations(N: int) -> NDArray[np.int64]:
    """Return all configurations of N spins, a (2^N, N) array of +-1.

    Raises
    ------
    InvalidInput
        Unless 1 <= N <= 16.

    Examples
    --------
    >>> configurations(2).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    """
    if not 1 <= N <= _LARGEST:
        raise InvalidInput(f"N = {N} cannot be enumerated; use 1 <= N <= {_LARGEST}.")
    return 2 * ((np.arange(2**N)[:, None] >> np.arange(N)) & 1) - 1


def energies(couplings: ArrayLike) -> NDArray[np.float64]:
    """Return ``-1/2 sum_{i != j} J_ij s_i s_j`` for all 2^N configurations; `couplings` is a (N, N) array."""
    J = np.asarray(couplings, dtype=np.float64)
    spins = configurations(J.shape[0])
    total = np.einsum("ci,ij,cj->c", spins, J, spins, optimize=True)
    return np.asarray(-0.5 * (total - np.trace(J)))


def stable_states(couplings: ArrayLike, *, tie: str = "keep") -> NDArray[np.int64]:
    """Return the configurations in which the dynamics moves no spin, a (n, N) array.

    With the tie rule 'keep' a spin is stable when ``s_i h_i >= 0``; with 'plus' a spin in zero field must be
    +1.

    Examples
    --------
    >>> stable_states([[0, 1], [1, 0]]).tolist()
    [[-1, -1], [1, 1]]
    """
    J = np.array(couplings)
    np.fill_diagonal(J, 0)
    spins = configurations(J.shape[0])
    fields = spins @ J
    stable = (spins * fields >= 0).all(axis=1)
    if tie == "plus":
        stable &= ~((fields == 0) & (spins < 0)).any(axis=1)
    found: NDArray[np.int64] = spins[stable]
    return found
