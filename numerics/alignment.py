"""Zero-temperature dynamics of vector spins, each turning into its local field: ``s_i <- h_i / |h_i|``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from numerics.vector_interactions import VectorInteractions, unit_vectors

__all__ = ["ORDERS", "Alignment", "align", "one_step"]

ORDERS = ("random", "sequential", "synchronous")


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where a zero-temperature run of vector spins ended.

    Attributes
    ----------
    spins : (N, d) float64 array
        Unit vectors.
    sweeps : int
    turn : float
        The largest angle, in radians, by which a spin turned in the last sweep.
    energy : float
        Per spin, in double precision.
    converged : bool
        Whether `turn` is within the tolerance.
    """

    spins: NDArray[np.float64]
    sweeps: int
    turn: float
    energy: float
    converged: bool


def align(
    interactions: VectorInteractions,
    spins: ArrayLike,
    *,
    key: NDArray[np.uint32] | None = None,
    order: str = "random",
    backend: str = "cpu",
    max_sweeps: int = 10_000,
    tolerance: float | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Alignment:
    """Turn spins into their local fields until the largest turn of a sweep is within the tolerance (skeleton)."""
    state = unit_vectors(spins, interactions.N, interactions.d).copy()
    key = rng.stream("align") if key is None else key
    wanted = 1e-5 if tolerance is None else tolerance
    turn = np.inf
    for sweep in range(max_sweeps):
        before = state.copy()
        if order == "synchronous":
            state = one_step(interactions, state)
        else:
            sites = rng.permutation(key, interactions.N, lane=sweep) if order == "random" else range(interactions.N)
            for i in sites:
                h = interactions.fields(state)[i]
                if h @ h > 0:
                    state[i] = h / np.sqrt(h @ h)
        turn = float(2.0 * np.arcsin(np.minimum(1.0, np.linalg.norm(state - before, axis=1).max() / 2.0)))
        if turn <= wanted:
            break
    return Alignment(state, sweep + 1, turn, float(interactions.energy(state)), turn <= wanted)


def one_step(interactions: VectorInteractions, spins: ArrayLike) -> NDArray[np.float64]:
    """Return all spins turned into their fields at once; a spin in zero field keeps its direction."""
    state = unit_vectors(spins, interactions.N, interactions.d)
    fields = interactions.fields(state)
    lengths = np.sqrt(np.einsum("...a,...a->...", fields, fields))[..., None]
    return np.where(lengths > 0.0, fields / np.where(lengths > 0.0, lengths, 1.0), state)
