"""Exhaustive enumeration of small systems: what the kernels are checked against."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput

__all__ = ["averages", "boltzmann", "configurations", "energies", "stable_states"]

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


def boltzmann(couplings: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return the Boltzmann probability of all 2^N configurations, a (2^N,) array in the order of `configurations`.

    Parameters
    ----------
    couplings : (N, N) array
        J, in the units of the temperature.
    temperature : float
        Positive; infinity gives equal probabilities.

    Raises
    ------
    InvalidInput
        For a temperature that is not positive, or N > 16.

    Examples
    --------
    >>> boltzmann([[0, 1], [1, 0]], 1 / np.log(2)).tolist()  # E = -1, 1, 1, -1
    [0.4, 0.1, 0.1, 0.4]
    """
    if not temperature > 0:
        raise InvalidInput(f"temperature = {temperature} has no Boltzmann law; give a number > 0.")
    E = energies(couplings)
    weights = np.exp(-(E - E.min()) / temperature)
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def averages(couplings: ArrayLike, temperature: float, *, pattern: ArrayLike | None = None) -> dict[str, float]:
    """Return exact equilibrium averages: 'energy' per spin, its 'variance', 'q2' and, with a pattern, 'm' and 'm_abs'.

    q2 is the mean of q^2 of two independent replicas, ``sum_ij <s_i s_j>^2 / N^2``; m is xi.s/N and m_abs its size.

    Examples
    --------
    >>> found = averages([[0, 1], [1, 0]], 1 / np.log(2), pattern=[1, 1])
    >>> {key: round(value, 6) for key, value in found.items()}
    {'energy': -0.3, 'variance': 0.16, 'q2': 0.68, 'm': 0.0, 'm_abs': 0.8}
    """
    J = np.asarray(couplings, dtype=np.float64)
    N = J.shape[0]
    p = boltzmann(J, temperature)
    spins = configurations(N).astype(np.float64)
    energy = energies(J) / N
    mean = float(p @ energy)
    pairs = spins.T @ (p[:, None] * spins)
    found = {"energy": mean, "variance": float(p @ (energy - mean) ** 2), "q2": float((pairs**2).sum()) / N**2}
    if pattern is not None:
        m = spins @ np.asarray(pattern, dtype=np.float64) / N
        found |= {"m": float(p @ m), "m_abs": float(p @ np.abs(m))}
    return found
