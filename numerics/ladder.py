"""Temperatures for parallel tempering, tuned to equal exchange rates.

Between two temperatures whose energies are Gaussian the exchange rate is erfc(l/2), where the *length*
l = sigma_E (beta_k - beta_{k+1}) is additive along the ladder (Hukushima, Phys. Rev. E 60, 3606 (1999), for the equal
rates; Predescu, Predescu and Ciobanu, J. Chem. Phys. 120, 4119 (2004), for the erfc).  So lengths that belong to
measured rates are interpolated along the ladder, and temperatures are put at equal distances.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import erfcinv

from numerics import rng
from numerics.chains import positive_integer, refuse_matrix, temperatures_of
from numerics.interactions import Interactions
from numerics.tempering import Tempering, temper
from theory.errors import InvalidInput, NotConverged

__all__ = ["Ladder", "ladder"]

Floats = NDArray[np.float64]

ROUNDS = 20  # of measuring and moving the temperatures
LARGEST = 512  # temperatures
_POOR = 0.02  # rates below are too noisy to tell a length; the energies are asked instead


@dataclass(frozen=True, eq=False)
class Ladder:
    """Temperatures of equal exchange rates.

    Attributes
    ----------
    temperatures : (K,) float64 array
        Rising.
    rates, errors : (K - 1,) float64 array
        Measured exchange rates of neighbours, with standard errors.
    run : Tempering
        The last run on these temperatures; its spins are a start for the next.
    """

    temperatures: Floats
    rates: Floats
    errors: Floats
    run: Tempering


def ladder(
    interactions: Interactions,
    *,
    lowest: float,
    highest: float,
    target: float = 0.3,
    count: int | None = None,
    tolerance: float = 0.1,
    sweeps: int = 1000,
    most_sweeps: int = 100_000,
    algorithm: str = "metropolis",
    key: NDArray[np.uint32] | None = None,
    backend: str = "cpu",
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Ladder:
    """Place temperatures between two ends so that all neighbours exchange equally often.

    Parameters
    ----------
    interactions : Interactions
    lowest, highest : float
        Ends of the ladder, kept as they are.
    target : float
        Exchange rate to reach at least, by as many temperatures as it takes; not used with `count`.
    count : int, optional
        Number of temperatures, 2 or more; the rate is then what it comes to.
    tolerance : float
        Rates are equal when none differs from their mean by more than this fraction of it, beyond two standard errors,
        and every standard error is below a third of it.
    sweeps, most_sweeps : int
        Sweeps of the first measurement, and of the longest: they double where errors are too large.
    key : (3,) uint32 array, optional
        Name of the random numbers, from :func:`numerics.rng.stream`.
    algorithm, backend, threads, progress
        As in :func:`numerics.montecarlo.sample`.

    Raises
    ------
    InvalidInput
        For ends, a target or a count out of range.
    NotConverged
        If rates do not become equal: at a first-order transition, or in runs too short; or if more than 512
        temperatures would be needed.

    Examples
    --------
    >>> from numerics.interactions import from_matrix
    >>> found = ladder(from_matrix((1 - np.eye(64)) / 64), lowest=0.5, highest=2.0, count=4)
    >>> [float(T) for T in found.temperatures[[0, -1]]], bool(np.ptp(found.rates) < 0.2 * found.rates.mean())
    ([0.5, 2.0], True)
    """
    refuse_matrix(interactions)
    ends = temperatures_of([lowest, highest], 2, "[lowest, highest]")
    if not ends[0] < ends[1] < math.inf:
        raise InvalidInput(
            f"lowest = {lowest!r} and highest = {highest!r} do not rise; give lowest < highest < infinity."
        )
    if not 0.0 < target < 1.0:
        raise InvalidInput(f"target = {target!r} is no exchange rate; give a number between 0 and 1, 0.2 to 0.4 say.")
    if not 0.0 < tolerance < 1.0:
        raise InvalidInput(f"tolerance = {tolerance!r} is not allowed; give a number between 0 and 1.")
    length, most = positive_integer(sweeps, "sweeps", least=16), positive_integer(most_sweeps, "most_sweeps")
    K = 8 if count is None else positive_integer(count, "count", least=2)
    if most < length:
        raise InvalidInput(f"most_sweeps = {most} is less than sweeps = {length}; give most_sweeps >= sweeps.")
    name = rng.stream("ladder") if key is None else _key_of(key)
    temperatures = np.geomspace(ends[0], ends[1], K)
    spins = rng.signs(name, rows=K, columns=interactions.N)
    for number in range(ROUNDS):
        keys = np.stack([rng.stream("ladder", *(int(word) for word in name), number, k) for k in range(K)])
        run = temper(
            interactions,
            spins,
            temperatures=temperatures,
            sweeps=length,
            algorithm=algorithm,
            keys=keys,
            backend=backend,
            threads=threads,
        )
        if progress:
            progress("ladder", number + 1, ROUNDS)
        means = [chance.mean() for chance in run.chances]
        rates, errors = np.array([m.value for m in means]), np.array([m.error for m in means])
        equal = bool((np.abs(rates - rates.mean()) <= tolerance * rates.mean() + 2.0 * errors).all())
        reached = count is not None or rates.mean() >= (1.0 - tolerance) * target
        noisy = bool((errors > tolerance / 3.0 * rates).any())
        if equal and reached and not noisy:
            return Ladder(temperatures, rates, errors, run)
        if noisy:
            length = min(2 * length, most)
        spins = run.spins[0]
        if not (equal and reached):
            temperatures, origin = _placed(run, rates, interactions.N, target, count)
            spins, K = spins[origin], temperatures.size
    raise NotConverged(
        f"exchange rates of {K} temperatures from {lowest:g} to {highest:g} are not equal after {ROUNDS} rounds (from "
        f"{rates.min():.2g} to {rates.max():.2g}); give a higher lowest temperature, more sweeps or a larger count."
    )


def _key_of(key: object) -> NDArray[np.uint32]:
    found = np.asarray(key)
    if found.shape != (3,) or found.dtype != np.uint32:
        raise InvalidInput(
            f"key has shape {found.shape} and type {found.dtype}; give (3,) uint32, from numerics.rng.stream."
        )
    return found


def _placed(
    run: Tempering, rates: Floats, N: int, target: float, count: int | None
) -> tuple[Floats, NDArray[np.int64]]:
    """Return temperatures at equal lengths, and for each the nearest old one."""
    beta = 1.0 / run.temperatures
    energies = np.array([series["energy"].chain_means().mean() for series in run.series])
    # Where hardly anything is exchanged: l^2 = (beta_k - beta_{k+1}) (E_{k+1} - E_k) holds for Gaussian energies too.
    by_energy = np.sqrt(np.maximum(N * -np.diff(beta) * np.diff(energies), 0.0))
    by_rate = 2.0 * erfcinv(np.maximum(rates, 1e-12))
    lengths = np.maximum(np.where(rates > _POOR, by_rate, np.maximum(by_energy, 2.0 * erfcinv(_POOR))), 1e-3)
    places = np.concatenate([[0.0], np.cumsum(lengths)])
    K = count or max(2, 1 + math.ceil(places[-1] / (2.0 * erfcinv(target))))
    if K > LARGEST:
        raise NotConverged(
            f"an exchange rate of {target:g} needs {K} temperatures, more than {LARGEST}; give a higher lowest "
            "temperature, or a count."
        )
    wanted = np.linspace(0.0, places[-1], K)
    logs = PchipInterpolator(places, np.log(run.temperatures))(wanted)
    found = np.exp(logs)
    found[0], found[-1] = run.temperatures[0], run.temperatures[-1]
    return found, np.abs(wanted[:, None] - places).argmin(axis=1)
