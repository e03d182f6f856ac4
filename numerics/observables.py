r"""What is measured in a final state, per sample.

For the final state s, examples xi^mu (with latent fields x^mu) and features f_k:

* ``overlap``: with the uncorrupted start configuration, s0.s/N;
* ``m``: the order parameter of the start's state: xi.s/N for an example (stored or unseen), the mean of
f_k.s/N
  over the L members of a feature or mixture;
* ``t``: x^1.s/N, for a stored example made of features;
* ``p_d``: the average of (f_k.s)^2/N over all D features, condensed ones included;
* ``u2``: the average of (xi^mu.s)^2/N over the stored examples that are not condensed;
* ``energy``: per spin, ``-(1/2N) sum_{i != j} J_ij s_i s_j``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.couplings import Couplings, local_fields
from numerics.disorder import Sample, pattern_blocks

__all__ = ["Condensed", "energy", "feature_power", "measure", "noise_power", "overlap"]

Spins = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Condensed:
    """What the start singles out.

    Attributes
    ----------
    members : (L, N) array
        The patterns whose mean overlap with the state is ``m``.
    stored : tuple of int
        Rows of the stored examples among them; they are left out of ``u2``.
    latent : (N,) float64 array or None
        Latent field of the condensed example.
    """

    members: NDArray[np.int8] | NDArray[np.float64]
    stored: tuple[int, ...] = ()
    latent: NDArray[np.float64] | None = None


def overlap(pattern: NDArray[np.int8] | NDArray[np.float64], spins: Spins) -> float:
    """Return xi.s/N of two (N,) arrays.

    Examples
    --------
    >>> overlap(np.array([1, -1, 1, 1], dtype=np.int8), np.array([1, 1, 1, 1], dtype=np.int8))
    0.5
    """
    return float(pattern.astype(np.float64) @ spins.astype(np.float64)) / spins.size


def energy(couplings: Couplings, spins: Spins) -> float:
    """Return the energy per spin, ``-(1/2N^2) sum_{i != j} (N J_ij) s_i s_j``.

    Parameters
    ----------
    couplings : (N, N) array of N J_ij with zero diagonal
    spins : (N,) int8 array of +-1
    """
    fields = local_fields(couplings, spins).astype(np.float64)
    return -0.5 * float(fields @ spins) / spins.size**2


def feature_power(features: Spins, spins: Spins) -> float:
    """Return p_d, the mean of (f_k.s)^2/N over all rows of the (D, N) array `features`."""
    s = spins.astype(np.float32)
    total = 0.0
    for first in range(0, len(features), 1024):
        # Sums of fewer than 2^24 signs are exact in single precision.
        products = (features[first : first + 1024].astype(np.float32) @ s).astype(np.float64)
        total += float(products @ products)
    return total / (len(features) * spins.size)


def noise_power(sample: Sample, spins: Spins, *, without: tuple[int, ...] = ()) -> float | None:
    """Return u2, the mean of (xi^mu.s)^2/N over stored examples but `without`; None if none remain."""
    if sample.P <= len(without):
        return None
    s = spins.astype(np.float32 if sample.dense is None else np.float64)
    total = 0.0
    for first, block in pattern_blocks(sample, rows=1024):
        products = (block.astype(s.dtype) @ s).astype(np.float64)
        products[[mu - first for mu in without if first <= mu < first + len(block)]] = 0.0
        total += float(products @ products)
    return total / ((sample.P - len(without)) * spins.size)


def measure(
    sample: Sample, couplings: Couplings, spins: Spins, *, start: Spins, condensed: Condensed
) -> dict[str, float]:
    """Return the observables of a final state; what does not apply is absent.

    Parameters
    ----------
    sample : Sample
    couplings : (N, N) array of N J_ij
    spins, start : (N,) int8 array of +-1
        Final state and uncorrupted start configuration.
    condensed : Condensed
    """
    found: dict[str, float | None] = {
        "m": float(np.mean([overlap(member, spins) for member in condensed.members])),
        "overlap": overlap(start, spins),
        "t": None if condensed.latent is None else overlap(condensed.latent, spins),
        "p_d": feature_power(sample.features, spins) if sample.D else None,
        "u2": noise_power(sample, spins, without=condensed.stored),
        "energy": energy(couplings, spins),
    }
    return {name: value for name, value in found.items() if value is not None}
