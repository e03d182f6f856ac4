r"""Parallel tempering: walkers at several temperatures of one system exchange them.

Neighbours k and k + 1 (k colder) exchange with probability min(1, exp[(beta_k - beta_{k+1})(E_k - E_{k+1})]), E being
total energies, which keeps the product of their Boltzmann laws (Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604
(1996), eqs. (4)-(6)).  Even and odd pairs take turns.  The word of pair k in round n is word k & 3 of the Philox block
(k >> 2, 1, n, tag) under the key of the set's first walker; words of sites have a 0 where this has a 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.chains import (
    Chains,
    Observe,
    Recorder,
    measured_by,
    positive_integer,
    refuse_observe,
    refuse_series,
    temperatures_of,
)
from numerics.interactions import Interactions
from numerics.kernels.philox import philox
from numerics.kernels.thresholds import logarithms
from numerics.series import Series
from numerics.vector_chains import VectorChains
from numerics.vector_interactions import VectorInteractions
from theory.errors import InvalidInput

__all__ = ["Tempering", "exchanged", "temper"]


@dataclass(frozen=True, eq=False)
class Tempering:
    """Where a parallel tempering run stands and what was measured on the way; `temper` can go on from it.

    R independent sets of K walkers; a start of one set has no first axis.

    Attributes
    ----------
    temperatures : (K,) float64 array
        Rising.
    spins : (R, K, N) int8 or (R, K, N, d) float64 array
        The last configurations, by temperature.
    walkers : (R, K) int64 array
        Which walker is at each temperature.
    sweeps : int
        Sweeps since the very start.
    series : tuple of K dicts of str to Series
        At each temperature: 'energy' (per spin) and what `observe` returned, R chains.
    chances : tuple of K - 1 Series
        Probability with which each pair of neighbours would exchange, at each round, R chains: exchange rates with
        less noise than counted ones.
    attempts, exchanges : (K - 1,) int64 array
    round_trips : (R, K) int64 array
        Returns of each walker to the lowest temperature by way of the highest.
    heading : (R, K) int64 array
        Of each walker: 0 before it was at the lowest temperature, 1 on its way up, 2 on its way down.
    acceptance : (K,) float64 array
        Flips per proposal at each temperature, in this part.
    """

    temperatures: NDArray[np.float64]
    spins: NDArray[Any]
    walkers: NDArray[np.int64]
    sweeps: int
    series: tuple[dict[str, Series], ...]
    chances: tuple[Series, ...]
    attempts: NDArray[np.int64]
    exchanges: NDArray[np.int64]
    round_trips: NDArray[np.int64]
    heading: NDArray[np.int64]
    acceptance: NDArray[np.float64]

    @property
    def rates(self) -> NDArray[np.float64]:
        """Exchange rate of each pair of neighbours, (K - 1,): exchanges per attempt, NaN without attempts."""
        return np.where(self.attempts > 0, self.exchanges / np.maximum(self.attempts, 1), np.nan)


def temper(
    interactions: Interactions | VectorInteractions,
    spins: ArrayLike | Tempering,
    *,
    temperatures: ArrayLike,
    sweeps: int,
    swap_every: int = 1,
    algorithm: str = "metropolis",
    keys: ArrayLike | None = None,
    every: int | None = None,
    observe: Observe | None = None,
    backend: str = "cpu",
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Tempering:
    """Sample the Boltzmann laws of several temperatures by walkers that exchange them.

    Parameters
    ----------
    interactions : Interactions or VectorInteractions
    spins : (K, N) or (R, K, N) array of +-1, or (K, N, d) or (R, K, N, d) unit vectors, or Tempering
        Start configurations by temperature, of one or R independent sets; or a run to go on with, at the same
        temperatures and intervals.
    temperatures : (K,) array
        Rising; in the units of J (k_B = 1).
    sweeps : int
        A multiple of `every`.
    swap_every : int
        Sweeps between two rounds of exchanges.
    algorithm : {'metropolis', 'heat-bath'}
        Of vectors {'heat-bath', 'heat-bath+over-relaxation'}, see :func:`numerics.vector_montecarlo.sample_vectors`.
    keys : (K, 3) or (R, K, 3) uint32 array, optional
        Names of the walkers' random numbers.
    every : int, optional
        Sweeps between two measurements, a multiple of `swap_every`, which is the default.
    observe : callable, optional
        Maps the (R, N) spins of one temperature to a dict of (R,) arrays or scalars.
    backend, threads, progress
        As in :func:`numerics.montecarlo.sample`.

    Raises
    ------
    InvalidInput
        For shapes that do not fit, temperatures that do not rise or an unknown option.

    Examples
    --------
    >>> from numerics.interactions import from_matrix
    >>> pair = from_matrix([[0, 1], [1, 0]])
    >>> run = temper(pair, np.ones((3, 2)), temperatures=[0.5, 1.0, 2.0], sweeps=20000)
    >>> energies = [series["energy"].mean() for series in run.series]
    >>> all(abs(e.value + 0.5 * np.tanh(1 / T)) < 5 * e.error for e, T in zip(energies, run.temperatures))
    True
    >>> bool(run.round_trips.sum() > 100)
    True
    """
    before = spins if isinstance(spins, Tempering) else None
    start = spins.spins if isinstance(spins, Tempering) else np.asarray(spins)
    vectors = isinstance(interactions, VectorInteractions)
    start = start[None] if start.ndim == 2 + vectors else start
    if start.ndim != 3 + vectors or start.shape[0] < 1 or start.shape[1] < 1:
        one = "(K, N, d) or (R, K, N, d)" if vectors else "(K, N) or (R, K, N)"
        raise InvalidInput(f"spins have shape {start.shape}; give {one}, K temperatures and R sets.")
    R, K, N, *components = start.shape
    ladder = temperatures_of(temperatures, K, "temperatures") if np.ndim(temperatures) == 1 else np.zeros(0)
    if ladder.size != K or not (np.diff(ladder) > 0).all():
        raise InvalidInput(f"temperatures = {temperatures!r} are not allowed; give {K} rising numbers, lowest first.")
    pause = positive_integer(swap_every, "swap_every")
    interval = pause if every is None else positive_integer(every, "every")
    total = positive_integer(sweeps, "sweeps")
    if interval % pause or total % interval:
        raise InvalidInput(
            f"sweeps = {total}, every = {interval}, swap_every = {pause} do not fit; make each a multiple of the next."
        )
    refuse_observe(observe)
    if before is not None:
        _refuse_other(before, ladder, pause, interval)
    sets = np.arange(R)[:, None]
    state = np.empty_like(start)  # by walker, not by temperature
    where = np.tile(np.arange(K), (R, 1)) if before is None else before.walkers.copy()
    state[sets, where] = start
    options: dict[str, Any] = {
        "algorithm": algorithm,
        "keys": None if keys is None else np.asarray(keys).reshape(-1, 3),
        "backend": backend,
        "threads": threads,
        "sweep": 0 if before is None else before.sweeps,
    }
    flat = state.reshape(R * K, N, *components)
    chains = (
        VectorChains(interactions, flat, **options)
        if isinstance(interactions, VectorInteractions)
        else Chains(interactions, flat, **options)
    )
    if chains.sweep % pause:
        raise InvalidInput(
            f"the run stands at sweep {chains.sweep}, no multiple of swap_every = {pause}; keep its swap_every."
        )
    series: tuple[dict[str, Series], ...] = tuple({} for _ in range(K)) if before is None else before.series
    chances = tuple(Series(R, every=pause) for _ in range(K - 1)) if before is None else before.chances
    records = [Recorder(found, every=interval) for found in series]
    waiting: list[NDArray[np.float64]] = []
    attempts, exchanges = (
        np.zeros((2, K - 1), dtype=np.int64) if before is None else (before.attempts.copy(), before.exchanges.copy())
    )
    trips, heading = (
        np.zeros((2, R, K), dtype=np.int64) if before is None else (before.round_trips.copy(), before.heading.copy())
    )
    accepted = np.zeros((R, K))
    beta = np.empty((R, K))
    chance = np.empty((R, K - 1))
    for done in range(pause, total + 1, pause):
        beta[sets, where] = 1.0 / ladder
        flips = chains.advance(beta.ravel(), pause).reshape(R, K)
        accepted += flips[sets, where]
        energies = chains.energies().reshape(R, K)
        number = chains.sweep // pause
        first = number & 1
        for r in range(R):
            words = _words(chains.keys[r * K], number, K - 1)
            swap, chance[r] = exchanged(1.0 / ladder, N * energies[r, where[r]], words)
            pairs = np.arange(first, K - 1, 2)
            attempts[pairs] += 1
            exchanges[pairs] += swap[pairs]
            for k in pairs[swap[pairs]]:
                where[r, k], where[r, k + 1] = where[r, k + 1], where[r, k]
        waiting.append(chance.copy())
        if len(waiting) == 256 or done == total:
            for pair, found in zip(np.stack(waiting).transpose(2, 0, 1), chances, strict=True):
                found.extend(pair)
            waiting.clear()
        _head(where, trips, heading)
        if done % interval == 0:
            for k in range(K):
                records[k].add({"energy": energies[sets[:, 0], where[:, k]]})
            if observe:
                now = chains.spins().reshape(start.shape)
                for k in range(K):
                    records[k].add(measured_by(observe, now[sets[:, 0], where[:, k]]))
            if progress:
                progress("sweeps", done, total)
    for record in records:
        record.flush()
    return Tempering(
        ladder,
        chains.spins().reshape(start.shape)[sets, where],
        where,
        chains.sweep,
        series,
        chances,
        attempts,
        exchanges,
        trips,
        heading,
        accepted.mean(axis=0) / (total * N),
    )


def _refuse_other(before: Tempering, temperatures: NDArray[np.float64], pause: int, interval: int) -> None:
    """Raise InvalidInput if a run would add to series of other temperatures or intervals."""
    if not np.array_equal(before.temperatures, temperatures):
        raise InvalidInput(
            f"temperatures = {temperatures.tolist()} are not those of the run to go on with; keep its temperatures, or "
            "start from its spins."
        )
    if before.chances and before.chances[0].every != pause:
        raise InvalidInput(
            f"swap_every = {pause} is not that of the run to go on with, which is {before.chances[0].every}; keep it, "
            "or start from its spins."
        )
    for series in before.series:
        refuse_series(series, every=interval, walkers=len(before.spins))


def exchanged(
    beta: NDArray[np.float64], energies: NDArray[np.float64], words: NDArray[np.uint32]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return whether each pair of neighbours exchanges, and the probability of it.

    Parameters
    ----------
    beta, energies : (K,) float64 array
        Inverse temperatures and total energies, by temperature.
    words : (K - 1,) uint32 array
        u = (word + 1/2) 2^-32; a pair exchanges if ln u < (beta_k - beta_{k+1})(E_k - E_{k+1}).

    Returns
    -------
    swap : (K - 1,) bool array
    chance : (K - 1,) float64 array
    """
    gain = (beta[:-1] - beta[1:]) * (energies[:-1] - energies[1:])
    logs = np.empty(words.size)
    logarithms(words, False, logs)
    return logs > -gain, np.exp(np.minimum(gain, 0.0))


def _words(key: NDArray[np.uint32], number: int, pairs: int) -> NDArray[np.uint32]:
    out = np.empty((-(-pairs // 4), 4), dtype=np.uint32)
    for block, row in enumerate(out):
        philox(np.array([block, 1, number, key[2]], dtype=np.uint32), key[:2], row)
    return out.ravel()[:pairs]


def _head(where: NDArray[np.int64], trips: NDArray[np.int64], heading: NDArray[np.int64]) -> None:
    """Follow the walkers between the ends of the ladder."""
    if where.shape[1] < 2:
        return
    sets = np.arange(len(where))
    cold, hot = (sets, where[:, 0]), (sets, where[:, -1])
    trips[cold] += heading[cold] == 2
    heading[cold] = 1
    heading[hot] = np.where(heading[hot] == 1, 2, heading[hot])
