"""Walkers of unit vectors on one set of couplings: checked inputs, a backend and a sweep counter.

As :class:`numerics.chains.Chains`, whose place they take where couplings are of vectors.  What a walker does is a
function of its spins, its key and the sweep number alone, so a run that is cut and goes on is the unbroken run, bit for
bit, with every engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.backends import backend_named, vector_cpu, vector_reference
from numerics.chains import keys_of, positive_integer
from numerics.dynamics import chosen
from numerics.vector_interactions import VectorInteractions, unit_vectors
from theory.errors import InvalidInput

__all__ = ["OVER_RELAXATIONS", "VECTOR_ALGORITHMS", "VectorChains"]

VECTOR_ALGORITHMS = ("heat-bath", "heat-bath+over-relaxation")
OVER_RELAXATIONS = 5  # after each heat bath, if they are asked for without a number

_BACKENDS = {"cpu": vector_cpu, "reference": vector_reference}
_LAST_SWEEP = 2**32  # the sweep number is one 32-bit word of the counter


class VectorChains:
    """R walkers of N unit vectors and what moves them.

    Parameters
    ----------
    interactions : VectorInteractions
    spins : (R, N, d) array
        Unit vectors.
    algorithm : {'heat-bath', 'heat-bath+over-relaxation'}
    over_relaxations : int, optional
        After each heat bath, with the second algorithm; 5 if not given.
    keys : (R, 3) uint32 array or None
        Name of each walker's random numbers, from :func:`numerics.rng.stream`; walkers that share a key share them.
    backend : {'cpu', 'reference'}
    threads : int
    sweep : int
        Sweeps made so far.

    Attributes
    ----------
    sweep : int
    keys : (R, 3) uint32 array
    """

    def __init__(
        self,
        interactions: VectorInteractions,
        spins: ArrayLike,
        *,
        algorithm: str,
        over_relaxations: int | None = None,
        keys: ArrayLike | None,
        backend: str,
        threads: int,
        sweep: int,
    ) -> None:
        self.algorithm = chosen(algorithm, VECTOR_ALGORITHMS, "algorithm")
        self.over_relaxations = _over_relaxations(self.algorithm, over_relaxations)
        self._backend: Any = _backend(backend)
        if not isinstance(interactions, VectorInteractions):
            raise InvalidInput(
                f"interactions are of type {type(interactions).__name__}; make those of vectors by "
                "numerics.vector_interactions.vector_interactions(patterns, kind=...) or from_couplings(J, kind=...)."
            )
        self.N, self.d = interactions.N, interactions.d
        if np.ndim(spins) != 3 or len(np.asarray(spins)) < 1:
            raise InvalidInput(
                f"spins have shape {np.shape(spins)}; give (R, {self.N}, {self.d}), one configuration for each of "
                "R >= 1 walkers."
            )
        state = unit_vectors(spins, self.N, self.d)
        self.keys = keys_of(keys, len(state))
        self.threads = positive_integer(threads, "threads")
        self.sweep = positive_integer(sweep, "first_sweep", least=0)
        self._walkers = self._backend.vector_walkers(interactions, state)

    def advance(self, beta: NDArray[np.float64], sweeps: int) -> NDArray[np.int64]:
        """Make `sweeps` sweeps, walker r at inverse temperature beta[r]; return the spins drawn, N in each."""
        if self.sweep + sweeps > _LAST_SWEEP:
            raise InvalidInput(f"{self.sweep + sweeps} sweeps are more than 2^32; start another run with other keys.")
        self._backend.vector_advance(
            self._walkers,
            beta=beta,
            keys=self.keys,
            first_sweep=self.sweep,
            sweeps=sweeps,
            over_relaxations=self.over_relaxations,
            threads=self.threads,
        )
        self.sweep += sweeps
        return np.full(len(self.keys), sweeps * self.N, dtype=np.int64)

    def spins(self) -> NDArray[np.float64]:
        """Return the spins of all walkers, (R, N, d)."""
        return np.asarray(self._walkers.spins())

    def energies(self) -> NDArray[np.float64]:
        """Return the energies per spin, (R,)."""
        return np.asarray(self._walkers.energies(self.threads))


def _over_relaxations(algorithm: str, given: int | None) -> int:
    if algorithm == "heat-bath":
        if given is not None:
            raise InvalidInput(
                f"over_relaxations = {given!r} needs the algorithm 'heat-bath+over-relaxation'; name it, or leave the "
                "number out."
            )
        return 0
    return OVER_RELAXATIONS if given is None else positive_integer(given, "over_relaxations")


def _backend(name: str) -> Any:
    if name == "gpu":
        raise InvalidInput("backend 'gpu' has no kernels for vector spins yet; use 'cpu' (or 'reference').")
    if name not in _BACKENDS:
        backend_named(name)  # which says what is wrong with it
    return _BACKENDS[name]
