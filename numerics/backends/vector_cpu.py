"""Vector spins at a temperature on the processor: walkers in threads, spins as a structure of arrays."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import vector_sweeps as kernels
from numerics.vector_interactions import VectorInteractions
from numerics.vector_systems import system

__all__ = ["VectorWalkers", "vector_advance", "vector_walkers"]


@dataclass(eq=False)
class VectorWalkers:
    """States of R walkers.

    Attributes
    ----------
    interactions : VectorInteractions
    state : (R, d, N) array
        In the precision of dense couplings; float64 beside overlaps, which are always summed in double precision.
    systems : list
        What the kernels know of the couplings: for each walker with its overlaps, or one for all.
    pools : dict
        Threads that wait for the next call, by their number.
    """

    interactions: VectorInteractions
    state: NDArray[Any]
    systems: list[Any]
    pools: dict[int, ThreadPoolExecutor] = field(default_factory=dict)

    def spins(self) -> NDArray[np.float64]:
        """Return a copy of the spins, (R, N, d)."""
        return np.array(self.state.transpose(0, 2, 1), dtype=np.float64, order="C")

    def energies(self, threads: int = 1) -> NDArray[np.float64]:
        """Return energies per spin, (R,)."""
        found = np.empty(len(self.state))

        def run(r: int) -> None:
            found[r] = kernels.energy(self.system(r), self.state[r])

        self.each(run, range(len(self.state)), threads)
        return found / self.interactions.N

    def system(self, r: int) -> Any:
        """Return what walker r sees of the couplings."""
        return self.systems[min(r, len(self.systems) - 1)]

    def each(self, run: Callable[[Any], None], parts: Any, threads: int) -> None:
        """Call `run` for all parts, so many at a time."""
        if threads == 1 or len(parts) == 1:
            for part in parts:
                run(part)
            return
        if threads not in self.pools:
            self.pools[threads] = ThreadPoolExecutor(threads)
        list(self.pools[threads].map(run, parts))


def vector_walkers(interactions: VectorInteractions, spins: NDArray[np.float64]) -> VectorWalkers:
    """Return walkers at the (R, N, d) unit vectors `spins`."""
    by_overlaps = interactions.engine == "overlap"
    precision = np.float64 if by_overlaps else np.dtype(interactions.precision)
    state = np.array(spins.transpose(0, 2, 1), dtype=precision, order="C")
    count = len(spins) if by_overlaps else 1
    return VectorWalkers(interactions, state, [system(interactions, state[r]) for r in range(count)])


def vector_advance(
    walkers: VectorWalkers,
    *,
    beta: NDArray[np.float64],
    keys: NDArray[np.uint32],
    first_sweep: int,
    sweeps: int,
    over_relaxations: int,
    threads: int,
) -> None:
    """Make sweeps from number `first_sweep` on, in place, walker r at inverse temperature beta[r]."""
    R = len(walkers.state)
    # Walkers of dense couplings share their rows; overlaps are a walker's own.
    size = 1 if len(walkers.systems) == R else -(-R // threads)

    def run(part: slice) -> None:
        kernels.sweeps(
            walkers.system(part.start),
            walkers.state[part],
            beta[part],
            keys[part],
            first_sweep,
            sweeps,
            over_relaxations,
        )

    walkers.each(run, [slice(first, min(R, first + size)) for first in range(0, R, size)], threads)
