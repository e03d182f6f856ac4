"""Zero-temperature dynamics of Ising spins, validated and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from numerics.backends import backend_named
from numerics.interactions import Interactions, from_matrix
from theory.errors import InvalidInput, NotConverged, nearest

__all__ = ["ORDERS", "TIES", "Quench", "Quenches", "chosen", "quench", "quench_many"]

TIES = ("keep", "plus")
ORDERS = ("random", "sequential", "greedy", "synchronous")


@dataclass(frozen=True, eq=False)
class Quench:
    """Where a zero-temperature run ended.

    Attributes
    ----------
    spins : (N,) int8 array of +-1
        A state in which no spin is unstable under the tie rule, or one of the two states of a two-cycle.
    sweeps : int
        Sweeps of N proposals, including the last one, in which no spin flipped (or all went back); in greedy order,
        N flips count as a sweep.
    flips : int
    period : int
        1; or 2 for the two-cycle in which synchronous dynamics may end.
    """

    spins: NDArray[np.int8]
    sweeps: int
    flips: int
    period: int = 1


@dataclass(frozen=True, eq=False)
class Quenches(Sequence[Quench]):
    """Where the zero-temperature runs of a batch ended; also a sequence of :class:`Quench`.

    Attributes
    ----------
    spins : (R, N) int8 array of +-1
    sweeps, flips, period : (R,) int64 arrays
    """

    spins: NDArray[np.int8]
    sweeps: NDArray[np.int64]
    flips: NDArray[np.int64]
    period: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.spins)

    @overload
    def __getitem__(self, index: int) -> Quench: ...
    @overload
    def __getitem__(self, index: slice) -> Quenches: ...
    def __getitem__(self, index: int | slice) -> Quench | Quenches:
        if isinstance(index, slice):
            return Quenches(self.spins[index], self.sweeps[index], self.flips[index], self.period[index])
        counts = (int(values[index]) for values in (self.sweeps, self.flips, self.period))
        return Quench(self.spins[index], *counts)


def quench(
    couplings: Interactions | ArrayLike,
    spins: ArrayLike,
    *,
    key: NDArray[np.uint32] | None = None,
    tie: str = "keep",
    order: str = "random",
    backend: str = "cpu",
    max_sweeps: int = 100_000,
) -> Quench:
    r"""Align spins with their local fields until none is unstable.

    A visited spin becomes the sign of ``h_i = sum_j J_ij s_j``.  One at a time, the energy never rises, so the run
    ends; all at once, it ends in a fixed point or a two-cycle.

    Parameters
    ----------
    couplings : Interactions or (N, N) array
        From :func:`numerics.interactions.interactions`; or a symmetric matrix with zero diagonal, see
        :func:`numerics.interactions.from_matrix`.
    spins : (N,) array of +-1
        Start configuration; not changed.
    key : (3,) uint32 array, optional
        Name of the visiting order, from :func:`numerics.rng.stream`.
    tie : {'keep', 'plus'}
        What a spin in exactly zero field does: keep its value, or become +1.
    order : {'random', 'sequential', 'greedy', 'synchronous'}
        A fresh random permutation for each sweep; sites 0, 1, ..., N-1; always the unstable spin in the largest
        field (the first, if there are several); or all spins at once.
    backend : {'cpu', 'reference', 'gpu'}
        Compiled kernels, slow NumPy that follows the identical trajectory, or a CUDA device.
    max_sweeps : int

    Raises
    ------
    InvalidInput
        For shapes that do not fit, spins other than +-1, couplings that are not finite, a nonzero diagonal or an
        unknown option.
    NotConverged
        If `max_sweeps` sweeps do not suffice.

    Examples
    --------
    >>> import numpy as np
    >>> J = np.ones((3, 3), dtype=np.int16) - np.eye(3, dtype=np.int16)
    >>> quench(J, [1, 1, -1]).spins.tolist()
    [1, 1, 1]
    >>> quench([[0, 1], [1, 0]], [1, -1], order="synchronous").period
    2
    """
    state = np.asarray(spins)
    key = rng.stream("quench") if key is None else key
    options = {"tie": tie, "order": order, "backend": backend, "max_sweeps": max_sweeps}
    return quench_many(couplings, state[None], keys=np.asarray(key)[None], **options)[0]  # type: ignore[arg-type]


def quench_many(
    couplings: Interactions | ArrayLike,
    starts: ArrayLike,
    *,
    keys: NDArray[np.uint32] | None = None,
    tie: str = "keep",
    order: str = "random",
    backend: str = "cpu",
    threads: int = 1,
    max_sweeps: int = 100_000,
) -> Quenches:
    """Run :func:`quench` from many starts in the same couplings.

    Parameters
    ----------
    starts : (R, N) array of +-1
    keys : (R, 3) uint32 array, optional
        Name of the visiting order of each start.
    threads : int
        Starts run at a time; no result depends on it.

    Raises
    ------
    InvalidInput, NotConverged
        As :func:`quench`.

    Examples
    --------
    >>> import numpy as np
    >>> J = np.ones((3, 3), dtype=np.int16) - np.eye(3, dtype=np.int16)
    >>> ends = quench_many(J, [[1, 1, -1], [-1, -1, 1]], threads=2)
    >>> ends.spins.tolist(), ends[1].flips
    ([[1, 1, 1], [-1, -1, -1]], 1)
    """
    chosen(tie, TIES, "tie rule")
    chosen(order, ORDERS, "order")
    run = backend_named(backend).quench
    system = couplings if isinstance(couplings, Interactions) else from_matrix(couplings)
    states = np.asarray(starts)
    if states.ndim != 2 or states.shape[1] != system.N:
        raise InvalidInput(
            f"spins have shape {states.shape[1:]} but couplings {(system.N, system.N)}; give one spin per row of the "
            "couplings."
        )
    if states.dtype.kind not in "iuf" or not np.all(np.abs(states) == 1):
        raise InvalidInput("spins must all be +1 or -1; take the sign of the start configuration.")
    for name, value in (("threads", threads), ("max_sweeps", max_sweeps)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InvalidInput(f"{name} = {value!r} is not allowed; give an integer {name} >= 1.")
    if keys is None:
        keys = np.array([rng.stream("quench", r) for r in range(len(states))], dtype=np.uint32).reshape(-1, 3)
    keys = np.asarray(keys)
    if keys.shape != (len(states), 3) or keys.dtype != np.uint32:
        raise InvalidInput(
            f"keys have shape {keys.shape} and type {keys.dtype}; give one row of 3 words of uint32 for each of "
            f"{len(states)} starts, from numerics.rng.stream."
        )
    final, sweeps, flips, period = run(
        system, states.astype(np.int8), keys, order=order, tie=tie, max_sweeps=int(max_sweeps), threads=int(threads)
    )
    if np.any(sweeps < 0):
        raise NotConverged(f"spins still flip after {max_sweeps} sweeps; raise max_sweeps.")
    return Quenches(final, sweeps, flips, period)


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
