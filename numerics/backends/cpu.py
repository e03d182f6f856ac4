"""The compiled backend: maintained fields or overlaps, one start per core."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.backends.cpu_sweeps import Walkers, advance, anneal, walkers
from numerics.interactions import Interactions
from numerics.kernels import overlap_quench as overlap_kernels
from numerics.kernels import quench as dense_kernels

__all__ = ["Walkers", "advance", "anneal", "quench", "walkers"]

_CACHED = 4e6  # bytes of couplings that stay in a core's own cache
_AHEAD = 256  # beyond that: proposals among which the row to be fetched is looked for


def quench(
    interactions: Interactions,
    spins: NDArray[np.int8],
    keys: NDArray[np.uint32],
    *,
    order: str,
    tie: str,
    max_sweeps: int,
    threads: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """See :class:`numerics.backends.Backend`."""
    final = np.array(spins, dtype=np.int8, order="C")
    counts = np.zeros((3, len(final)), dtype=np.int64)
    run = _dense if interactions.matrix is not None else _overlap

    def one(r: int) -> None:
        counts[:, r] = run(interactions, final[r], keys[r], order, tie == "plus", max_sweeps)

    if threads == 1 or len(final) == 1:
        for r in range(len(final)):
            one(r)
    else:
        # Kernels run without the interpreter lock, so threads suffice and share the couplings.
        pool = ThreadPoolExecutor(max_workers=threads)
        try:
            list(pool.map(one, range(len(final))))
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C only the running starts are awaited
    return final, counts[0], counts[1], counts[2]


def _dense(
    interactions: Interactions, state: NDArray[np.int8], key: Any, order: str, plus: bool, max_sweeps: int
) -> tuple[int, int, int]:
    fields = interactions.fields(state)
    zero = fields.dtype.type(interactions.zero)
    first = (interactions.matrix, interactions.parity, state, fields)
    if order == "synchronous":
        sweeps, flips, period = dense_kernels.synchronous(*first, zero, plus, max_sweeps)
        return sweeps, flips, period
    if order == "greedy":
        sweeps, flips = dense_kernels.greedy(*first, zero, plus, max_sweeps)
    else:
        assert interactions.matrix is not None
        ahead = _AHEAD if interactions.matrix.nbytes > _CACHED else 0
        sweeps, flips = dense_kernels.quench(*first, key, zero, order == "random", plus, max_sweeps, ahead)
    return sweeps, flips, int(sweeps >= 0)


def _overlap(
    interactions: Interactions, state: NDArray[np.int8], key: Any, order: str, plus: bool, max_sweeps: int
) -> tuple[int, int, int]:
    overlaps = interactions.overlaps(state)
    first = (interactions.bits, interactions.patterns, interactions.P, state, overlaps)
    if order == "synchronous":
        sweeps, flips, period = overlap_kernels.synchronous(*first, plus, max_sweeps)
        return sweeps, flips, period
    if order == "greedy":
        sweeps, flips = overlap_kernels.greedy(*first, plus, max_sweeps)
    else:
        sweeps, flips = overlap_kernels.quench(*first, key, order == "random", plus, max_sweeps)
    return sweeps, flips, int(sweeps >= 0)
