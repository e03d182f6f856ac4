"""Walkers on one set of couplings: checked inputs, a backend and a sweep counter.

What a walker does is a function of its start, its key and the sweep number alone, so that spins and the counter are all
there is to keep of a run in order to go on with it.  For integer couplings the continuation is the unbroken run, bit
for bit.  Fields of real couplings are summed anew every 32 sweeps; a run cut elsewhere goes on with fields that differ
by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from numerics.backends import backend_named
from numerics.dynamics import chosen
from numerics.interactions import Interactions
from numerics.series import Series
from theory.errors import InvalidInput

__all__ = [
    "ALGORITHMS",
    "LOWEST",
    "Chains",
    "Observe",
    "Recorder",
    "keys_of",
    "measured",
    "measured_by",
    "positive_integer",
    "refuse_observe",
    "refuse_series",
    "temperatures_of",
]

Observe = Callable[[NDArray[Any]], Mapping[str, Any]]

ALGORITHMS = ("metropolis", "heat-bath")
_STRETCH = 256  # measurements
LOWEST = 1e-300  # temperature: beta is a number
_LAST_SWEEP = 2**32  # the sweep number is one 32-bit word of the counter


class Chains:
    """R walkers and what moves them.

    Parameters
    ----------
    interactions : Interactions
    spins : (R, N) array of +-1
    algorithm : {'metropolis', 'heat-bath'}
    keys : (R, 3) uint32 array or None
        Name of each walker's random numbers, from :func:`numerics.rng.stream`; walkers that share a key share them.
    backend : str
    threads : int
    sweep : int
        Sweeps made so far.

    Attributes
    ----------
    sweep : int
    accepted : (R,) int64 array
        Flips since the start.
    """

    def __init__(
        self,
        interactions: Interactions,
        spins: ArrayLike,
        *,
        algorithm: str,
        keys: ArrayLike | None,
        backend: str,
        threads: int,
        sweep: int,
    ) -> None:
        self.algorithm = chosen(algorithm, ALGORITHMS, "algorithm")
        self.backend: Any = backend_named(backend)  # with `anneal`, if it can
        refuse_matrix(interactions)
        state = _spins_of(interactions, spins)
        self.keys = keys_of(keys, len(state))
        self.threads = positive_integer(threads, "threads")
        self.sweep = positive_integer(sweep, "first_sweep", least=0)
        self.N = interactions.N
        self.accepted = np.zeros(len(state), dtype=np.int64)
        self._walkers = self.backend.walkers(interactions, state)

    def advance(self, beta: NDArray[np.float64], sweeps: int) -> NDArray[np.int64]:
        """Make `sweeps` sweeps of N proposals, walker r at inverse temperature beta[r]; return accepted ones."""
        if self.sweep + sweeps > _LAST_SWEEP:
            raise InvalidInput(f"{self.sweep + sweeps} sweeps are more than 2^32; start another run with other keys.")
        accepted = self.backend.advance(
            self._walkers,
            algorithm=self.algorithm,
            beta=beta,
            keys=self.keys,
            first_sweep=self.sweep,
            sweeps=sweeps,
            threads=self.threads,
        )
        self.sweep += sweeps
        self.accepted += accepted
        return np.asarray(accepted)

    def anneal(self, betas: NDArray[np.float64], each: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Make `each` sweeps at every row of `betas` (n, R); return flips and energies per spin, (n, R)."""
        if not hasattr(self.backend, "anneal") or self.sweep + each * len(betas) > _LAST_SWEEP:
            made = [(self.advance(beta, each), self.energies()) for beta in betas]
            return np.stack([accepted for accepted, _ in made]), np.stack([energies for _, energies in made])
        accepted, energies = self.backend.anneal(
            self._walkers,
            algorithm=self.algorithm,
            betas=betas,
            keys=self.keys,
            first_sweep=self.sweep,
            each=each,
            threads=self.threads,
        )
        self.sweep += each * len(betas)
        self.accepted += accepted.sum(axis=0)
        return accepted, energies

    def spins(self) -> NDArray[np.int8]:
        """Return the spins of all walkers, (R, N)."""
        return np.asarray(self._walkers.spins())

    def energies(self) -> NDArray[np.float64]:
        """Return the energies per spin, (R,)."""
        return np.asarray(self._walkers.energies())


class Walking(Protocol):
    """Walkers of some kind of spins."""

    @property
    def keys(self) -> NDArray[np.uint32]:
        """One row a walker."""

    def advance(self, beta: NDArray[np.float64], sweeps: int) -> Any:
        """Make so many sweeps."""

    def spins(self) -> NDArray[Any]:
        """Spins of all walkers."""

    def energies(self) -> NDArray[np.float64]:
        """Energies per spin."""


def measured(
    chains: Walking,
    *,
    temperature: ArrayLike,
    sweeps: int,
    every: int,
    observe: Observe | None,
    series: dict[str, Series] | None,
    progress: Callable[[str, int, int], None] | None,
) -> tuple[dict[str, Series], int]:
    """Make `sweeps` sweeps at fixed temperatures, measuring at whole intervals; return the series and the sweeps.

    Raises
    ------
    InvalidInput
        For temperatures, lengths, a function or earlier series that make no sense.
    """
    R = len(chains.keys)
    beta = 1.0 / temperatures_of(temperature, R, "temperature")
    total, every = positive_integer(sweeps, "sweeps"), positive_integer(every, "every")
    if total % every:
        raise InvalidInput(f"sweeps = {total} is no multiple of every = {every}; measure at whole intervals.")
    refuse_observe(observe)
    found: dict[str, Series] = {} if series is None else series
    refuse_series(found, every=every, walkers=R)
    record = Recorder(found, every=every)
    for done in range(every, total + 1, every):
        chains.advance(beta, every)
        record.add({"energy": chains.energies(), **(measured_by(observe, chains.spins()) if observe else {})})
        if progress:
            progress("sweeps", done, total)
    record.flush()
    return found, total


def refuse_matrix(interactions: Any) -> None:
    """Raise InvalidInput unless these are Interactions: a plain matrix would be checked and converted at each call."""
    if not isinstance(interactions, Interactions):
        raise InvalidInput(
            f"interactions are of type {type(interactions).__name__}; make them from a matrix J by "
            "numerics.interactions.from_matrix(J)."
        )


def refuse_observe(observe: Any) -> None:
    """Raise InvalidInput unless `observe` is a function, or None."""
    if observe is not None and not callable(observe):
        raise InvalidInput(
            f"observe = {observe!r} is not allowed; give a function of the spins, as lambda spins: "
            "{'m': spins.mean(axis=1)}."
        )


def refuse_series(series: Any, *, every: int, walkers: int) -> None:
    """Raise InvalidInput unless a run that measures `walkers` chains at intervals of `every` can go on with `series`.

    Measurements at other intervals have other autocorrelations, which no average over both knows of.
    """
    if not isinstance(series, dict) or not all(isinstance(one, Series) for one in series.values()):
        raise InvalidInput(f"series = {series!r} is not allowed; give the series of an earlier run, as run.series.")
    for name, one in series.items():
        if one.every != every:
            raise InvalidInput(
                f"every = {every} does not go on with the series '{name}', measured every {one.every} sweeps; give "
                f"every={one.every}, or begin new series."
            )
        if one.chains not in (1, walkers):
            raise InvalidInput(
                f"the series '{name}' has {one.chains} chains and the run {walkers} walkers; go on with all the spins "
                "of that run, or begin new series."
            )


def measured_by(observe: Observe, spins: NDArray[Any]) -> Mapping[str, Any]:
    """Return what `observe` measures.

    Raises
    ------
    InvalidInput
        If it is no dict of scalars or of one number per walker, or takes the name of the energy.
    """
    found = observe(spins)
    if not isinstance(found, Mapping):
        raise InvalidInput(f"observe returned {type(found).__name__}; return a dict, as {{'m': spins.mean(axis=1)}}.")
    if "energy" in found:
        raise InvalidInput("observe returned 'energy', which is measured anyway; give it another name.")
    for name, values in found.items():
        if np.shape(values) not in ((), (1,), (len(spins),)):
            raise InvalidInput(
                f"observe returned '{name}' of shape {np.shape(values)}; return one number, or one for each of "
                f"{len(spins)} walkers."
            )
    return found


def temperatures_of(temperatures: ArrayLike, count: int, name: str) -> NDArray[np.float64]:
    """Return `count` temperatures as an array; one number stands for all.

    Raises
    ------
    InvalidInput
        Unless all are positive numbers, as many as needed.
    """
    try:
        values = np.asarray(temperatures, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name} = {temperatures!r} is not a number; give numbers > 0.") from None
    if values.ndim > 1 or (values.ndim == 1 and values.size != count):
        raise InvalidInput(f"{name} has shape {values.shape}; give one number or {count} of them.")
    if values.size == 0:
        raise InvalidInput(f"{name} holds no number; give numbers > 0.")
    if not ((values > 0) & (values < np.inf)).all():  # NaN is caught here as well
        raise InvalidInput(
            f"{name} = {temperatures!r} is not allowed; give finite numbers > 0 (T = 0 is numerics.dynamics)."
        )
    if values.min() < LOWEST:
        raise InvalidInput(f"{name} = {temperatures!r} is too small for double precision; give {LOWEST:g} or more.")
    return np.ascontiguousarray(np.broadcast_to(values, (count,)))


def positive_integer(value: Any, name: str, *, least: int = 1) -> int:
    """Return `value` if it is an integer of at least `least`, else raise InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInput(f"{name} = {value!r} is not allowed; give an integer >= {least}.")
    return int(value)


class Recorder:
    """Adds measurements to series, in stretches: one by one they would cost more than a sweep of a small system.

    Parameters
    ----------
    series : dict of str to Series
        Changed in place; new names begin new series.
    every : int
        Sweeps between two measurements.
    """

    def __init__(self, series: dict[str, Series], *, every: int) -> None:
        self.series, self.every = series, every
        self._waiting: dict[str, list[NDArray[np.float64]]] = {}

    def add(self, measured: Mapping[str, Any]) -> None:
        """Add one measurement of several observables, (R,) arrays or scalars."""
        for name, values in measured.items():
            waiting = self._waiting.setdefault(name, [])
            waiting.append(np.array(values, dtype=np.float64, ndmin=1))
            if len(waiting) == _STRETCH:
                self._flush(name)

    def flush(self) -> None:
        """Hand over what waits; call it at the end."""
        for name in self._waiting:
            self._flush(name)

    def _flush(self, name: str) -> None:
        waiting = self._waiting[name]
        if waiting:
            if name not in self.series:
                self.series[name] = Series(waiting[0].size, every=self.every)
            self.series[name].extend(np.stack(waiting))
            waiting.clear()


def _spins_of(interactions: Interactions, spins: ArrayLike) -> NDArray[np.int8]:
    state = np.asarray(spins)
    N = interactions.N
    if state.ndim != 2 or state.shape[1] != N or state.shape[0] < 1:
        raise InvalidInput(f"spins have shape {state.shape}; give (R, {N}), one row for each of R >= 1 walkers.")
    if state.dtype.kind not in "iuf" or not np.all(np.abs(state) == 1):
        raise InvalidInput("spins must all be +1 or -1; take the sign of the start configuration.")
    return np.ascontiguousarray(state, dtype=np.int8)


def keys_of(keys: ArrayLike | None, walkers: int) -> NDArray[np.uint32]:
    """Return keys after checking them, or those that walkers have if none are given; (R, 3)."""
    if keys is None:
        return np.stack([rng.stream("walker", r) for r in range(walkers)])
    found = np.asarray(keys)
    if found.shape != (walkers, 3) or found.dtype != np.uint32:
        raise InvalidInput(
            f"keys have shape {found.shape} and type {found.dtype}; give ({walkers}, 3) uint32, a stream for each."
        )
    return np.ascontiguousarray(found)
