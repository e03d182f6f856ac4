r"""What is measured in states of the spins, per sample.

For a state s, examples xi^mu (with latent fields x^mu) and features f_k:

* ``overlap``: with the uncorrupted start configuration, s0.s/N;
* ``m``: the order parameter of the start's state: xi.s/N for an example (stored or unseen), the mean of f_k.s/N
  over the L members of a feature or mixture; absent where nothing is condensed;
* ``t``: x^1.s/N, for a stored example made of features;
* ``p_d``: the average of (f_k.s)^2/N over all D features, condensed ones included;
* ``u2``: the average of (xi^mu.s)^2/N over the stored examples that are not condensed;
* ``energy``: per spin, ``-(1/2N) sum_{i != j} J_ij s_i s_j``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.disorder import Sample, pattern_blocks
from numerics.interactions import Interactions

__all__ = ["Condensed", "feature_power", "measure", "noise_power", "overlaps", "pattern_power", "replica_overlaps"]

Spins = NDArray[np.int8]
Floats = NDArray[np.float64]
_BLOCK = 1 << 22  # numbers in one work array


@dataclass(frozen=True, eq=False)
class Condensed:
    """What the start singles out.

    Attributes
    ----------
    members : (L, N) array
        The patterns whose mean overlap with the state is ``m``; L = 0 if nothing is singled out.
    stored : tuple of int
        Rows of the stored examples among them; they are left out of ``u2``.
    latent : (N,) float64 array or None
        Latent field of the condensed example.
    """

    members: NDArray[np.int8] | Floats
    stored: tuple[int, ...] = ()
    latent: Floats | None = None


def overlaps(patterns: NDArray[np.int8] | Floats, spins: Spins) -> Floats:
    """Return xi.s/N for every pattern and state.

    Parameters
    ----------
    patterns : (k, N) array
    spins : (R, N) int8 array of +-1

    Returns
    -------
    overlaps : (k, R) array

    Examples
    --------
    >>> overlaps(np.array([[1, -1, 1, 1]], dtype=np.int8), np.ones((1, 4), dtype=np.int8))
    array([[0.5]])
    """
    # Sums of fewer than 2^24 signs are exact in single precision.
    kind: np.dtype[Any] = np.dtype(np.float32 if patterns.dtype == np.int8 else np.float64)
    found = np.empty((len(patterns), len(spins)))
    states = spins.astype(kind).T
    for rows in _blocks(len(patterns), spins.shape[1]):
        found[rows] = patterns[rows].astype(kind) @ states
    return np.asarray(found / spins.shape[1])


def replica_overlaps(spins: Spins) -> Floats:
    """Return q_ab = s^a.s^b/N of all pairs a < b of the (R, N) array `spins`, a (R (R - 1) / 2,) array.

    Examples
    --------
    >>> replica_overlaps(np.array([[1, 1], [1, 1], [1, -1]], dtype=np.int8))
    array([1., 0., 0.])
    """
    return np.asarray(overlaps(spins, spins)[_upper(len(spins))])


@functools.cache
def _upper(R: int) -> NDArray[np.bool_]:
    return np.triu(np.ones((R, R), dtype=np.bool_), 1)


def feature_power(features: Spins, spins: Spins) -> Floats:
    """Return p_d of every state, the mean of (f_k.s)^2/N over all rows of `features`.

    Parameters
    ----------
    features : (D, N) int8 array of +-1
    spins : (R, N) int8 array of +-1

    Returns
    -------
    p_d : (R,) array
    """
    N = spins.shape[1]
    total = np.zeros(len(spins))
    states = spins.astype(np.float32).T
    for rows in _blocks(len(features), N):
        products = (features[rows].astype(np.float32) @ states).astype(np.float64)
        total += np.einsum("kr,kr->r", products, products)
    return np.asarray(total / (len(features) * N))


def noise_power(sample: Sample, spins: Spins, *, without: tuple[int, ...] = ()) -> float | None:
    """Return u2 of a (N,) state, the mean of (xi^mu.s)^2/N over stored examples but `without`; None without any."""
    if sample.P <= len(without):
        return None
    s = spins.astype(np.float32 if sample.dense is None else np.float64)
    total = 0.0
    for first, block in pattern_blocks(sample, rows=max(1, min(1024, _BLOCK // sample.N))):
        products = (block.astype(s.dtype) @ s).astype(np.float64)
        products[[mu - first for mu in without if first <= mu < first + len(block)]] = 0.0
        total += float(products @ products)
    return total / ((sample.P - len(without)) * spins.size)


def pattern_power(sample: Sample) -> float:
    """Return the sum over stored examples of |xi^mu|^2/N: P for patterns of +-1.

    It is what the missing diagonal of J takes from the energy:
    ``sum_mu (xi^mu.s)^2/N = -2 N energy + pattern_power``.
    """
    if sample.dense is None:
        return float(sample.P)
    blocks = pattern_blocks(sample, rows=max(1, _BLOCK // sample.N))
    return sum(float(np.einsum("mi,mi->", block, block, dtype=np.float64)) for _, block in blocks) / sample.N


def measure(
    sample: Sample, interactions: Interactions, spins: Spins, *, start: Spins, condensed: Condensed
) -> dict[str, float]:
    """Return the observables of a final state; what does not apply is absent.

    Parameters
    ----------
    sample : Sample
    interactions : Interactions
    spins, start : (N,) int8 array of +-1
        Final state and uncorrupted start configuration.
    condensed : Condensed
    """
    state = spins[None]
    found: dict[str, float | None] = {
        "m": float(overlaps(condensed.members, state).mean()) if len(condensed.members) else None,
        "overlap": float(overlaps(start[None], state)[0, 0]),
        "t": None if condensed.latent is None else float(overlaps(condensed.latent[None], state)[0, 0]),
        "p_d": float(feature_power(sample.features, state)[0]) if sample.D else None,
        "u2": noise_power(sample, spins, without=condensed.stored),
        "energy": interactions.energy(spins),
    }
    return {name: value for name, value in found.items() if value is not None}


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    height = max(1, min(1024, _BLOCK // columns))
    for first in range(0, rows, height):
        yield slice(first, first + height)
