r"""Monte Carlo at a temperature: sampling, annealing and (from :mod:`numerics.tempering`) parallel tempering.

A sweep proposes sites 0, 1, ..., N-1 in turn.  One visit keeps the Boltzmann law (detailed balance), so the sweep does
too (global balance; the order makes it irreversible but no less right).  The site-n word of a sweep is a function of
(walker key, sweep, n), see :mod:`numerics.kernels.thresholds`: no result depends on the number of threads, on what is
measured or on where a run was cut.

Metropolis accepts with min(1, exp(-beta dE)), except that a move at no cost (dE = 0, whole-number couplings) is made
with max(1/2, exp(-2 beta/normalisation)): always made, such moves go round closed orbits that small systems never
leave.  For real couplings with moves at exactly no cost, use the heat bath.

How spins of another kind slot in: a backend's `walkers` and `advance` know couplings and spins; everything here and in
:mod:`numerics.tempering` only advances, asks for energies and spins, and exchanges temperatures.  A new kind brings its
`walkers` (its state and fields) and the law of one update; the words, keys, swaps, measurements and the continuation of
runs stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.chains import ALGORITHMS, Chains, Observe, measured, positive_integer, temperatures_of
from numerics.interactions import Interactions
from numerics.ladder import Ladder, ladder
from numerics.series import Series
from numerics.tempering import Tempering, temper
from theory.errors import InvalidInput

__all__ = ["ALGORITHMS", "Annealing", "Ladder", "Tempering", "Trajectory", "anneal", "ladder", "sample", "temper"]

_STRIDE = 100  # sweeps of an annealing between two reports


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where a run at fixed temperatures stands and what was measured on the way.

    Attributes
    ----------
    spins : (R, N) int8 array
        The last configurations.
    sweeps : int
        Sweeps since the very start, those of earlier parts included.
    series : dict of str to Series
        'energy' (per spin) and what `observe` returned; R chains, or one for scalars.
    acceptance : (R,) float64 array
        Flips per proposal in this part.
    """

    spins: NDArray[np.int8]
    sweeps: int
    series: dict[str, Series]
    acceptance: NDArray[np.float64]

    @property
    def energy(self) -> Series:
        """Energy per spin."""
        return self.series["energy"]


@dataclass(frozen=True, eq=False)
class Annealing:
    """Result of :func:`anneal`.

    Attributes
    ----------
    spins : (R, N) int8 array
        The last configurations.
    energies : (n, R) float64 array
        Energy per spin at the end of each temperature.
    acceptance : (n, R) float64 array
        Flips per proposal at each temperature.
    sweeps : int
        Sweeps since the very start.
    """

    spins: NDArray[np.int8]
    energies: NDArray[np.float64]
    acceptance: NDArray[np.float64]
    sweeps: int


def sample(
    interactions: Interactions,
    spins: ArrayLike,
    *,
    temperature: ArrayLike,
    sweeps: int,
    algorithm: str = "metropolis",
    keys: ArrayLike | None = None,
    every: int = 1,
    observe: Observe | None = None,
    backend: str = "cpu",
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
    first_sweep: int = 0,
    series: dict[str, Series] | None = None,
) -> Trajectory:
    """Sample the Boltzmann law at given temperatures with R independent walkers.

    Parameters
    ----------
    interactions : Interactions
    spins : (R, N) array of +-1
        Start configurations.
    temperature : float or (R,) array
        In the units of J (k_B = 1); of each walker, or of all.  Far above all fields Metropolis flips nearly every spin
        in every sweep and mixes slowly; the heat bath does not.
    sweeps : int
        N proposals each; a multiple of `every`.
    algorithm : {'metropolis', 'heat-bath'}
    keys : (R, 3) uint32 array, optional
        Names of the walkers' random numbers, from :func:`numerics.rng.stream`.
    every : int
        Sweeps between two measurements.
    observe : callable, optional
        Maps (R, N) int8 spins to a dict of (R,) arrays or scalars, measured beside the energy.
    backend : {'cpu', 'reference', 'gpu'}
    threads : int
        Results do not depend on it.
    progress : callable, optional
        Called as ``progress(label, done, total)`` after each measurement.
    first_sweep, series : int and dict, optional
        To go on with a run, its `sweeps` and `series`, with its `spins` as the start; same keys, same `every`.

    Raises
    ------
    InvalidInput
        For shapes that do not fit, temperatures that are not positive or an unknown option.

    Examples
    --------
    >>> from numerics.interactions import from_matrix
    >>> pair = from_matrix([[0, 1], [1, 0]])  # energy per spin -1/2 tanh(1/T)
    >>> run = sample(pair, np.ones((4, 2)), temperature=1.0, sweeps=20000)
    >>> mean = run.energy.mean()
    >>> bool(abs(mean.value + 0.5 * np.tanh(1.0)) < 5 * mean.error), run.sweeps
    (True, 20000)
    """
    chains = Chains(
        interactions, spins, algorithm=algorithm, keys=keys, backend=backend, threads=threads, sweep=first_sweep
    )
    found, total = measured(
        chains, temperature=temperature, sweeps=sweeps, every=every, observe=observe, series=series, progress=progress
    )
    return Trajectory(chains.spins(), chains.sweep, found, chains.accepted / (total * chains.N))


def anneal(
    interactions: Interactions,
    spins: ArrayLike,
    *,
    temperatures: ArrayLike,
    sweeps_each: int = 1,
    algorithm: str = "metropolis",
    keys: ArrayLike | None = None,
    backend: str = "cpu",
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
    first_sweep: int = 0,
) -> Annealing:
    """Lower (or change) the temperature step by step: simulated annealing of R independent walkers.

    Parameters
    ----------
    temperatures : (n,) array
        In the order in which they are visited.
    sweeps_each : int
        Sweeps at each temperature.

    Other parameters are those of :func:`sample`.

    Examples
    --------
    >>> from numerics.interactions import from_matrix
    >>> magnet = from_matrix((1 - np.eye(8)) / 8)
    >>> start = np.where(np.arange(8) % 2, 1, -1)[None]
    >>> anneal(magnet, start, temperatures=np.geomspace(3.0, 0.1, 50), sweeps_each=20).energies[-1].tolist()
    [-0.4375]
    """
    chains = Chains(
        interactions, spins, algorithm=algorithm, keys=keys, backend=backend, threads=threads, sweep=first_sweep
    )
    R = len(chains.keys)
    if np.ndim(temperatures) > 1 or np.size(temperatures) == 0:
        raise InvalidInput(
            f"temperatures have shape {np.shape(temperatures)}; give a list of them, in the order of their visits."
        )
    steps = temperatures_of(temperatures, np.size(temperatures), "temperatures")
    each = positive_integer(sweeps_each, "sweeps_each")
    energies, acceptance = np.empty((steps.size, R)), np.empty((steps.size, R))
    betas = np.repeat(1.0 / steps[:, None], R, axis=1)
    stride = max(1, min(_STRIDE // each, steps.size)) if progress else steps.size
    for first in range(0, steps.size, stride):
        part = slice(first, min(first + stride, steps.size))
        accepted, energies[part] = chains.anneal(betas[part], each)
        acceptance[part] = accepted / (each * chains.N)
        if progress:
            progress("temperatures", part.stop, steps.size)
    return Annealing(chains.spins(), energies, acceptance, chains.sweep)
