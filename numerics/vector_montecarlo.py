r"""Monte Carlo of unit vectors at a temperature: an exact heat bath, and over-relaxation.

A sweep visits sites 0, 1, ..., N-1.  Heat bath: each spin is drawn anew from its law in the field of the others,
proportional to exp(h.s/T) on the sphere, by :mod:`numerics.kernels.vector_laws`; a visit keeps the Boltzmann law (in
detailed balance), so the sweep does (global balance).  Over-relaxation: each spin is reflected about its field, at no
cost in energy; such sweeps keep the law as well, but alone they never leave an energy, so some follow each heat bath.

Temperature is that of unit vectors, of weights exp(-H/T); models of vectors carry tau = d T.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.chains import Observe, measured
from numerics.series import Series
from numerics.vector_chains import OVER_RELAXATIONS, VECTOR_ALGORITHMS, VectorChains
from numerics.vector_interactions import VectorInteractions

__all__ = ["OVER_RELAXATIONS", "VECTOR_ALGORITHMS", "VectorTrajectory", "sample_vectors"]


@dataclass(frozen=True, eq=False)
class VectorTrajectory:
    """Where a run at fixed temperatures stands and what was measured on the way.

    Attributes
    ----------
    spins : (R, N, d) float64 array
        The last configurations, unit vectors.
    sweeps : int
        Sweeps since the very start, those of earlier parts included.
    series : dict of str to Series
        'energy' (per spin) and what `observe` returned; R chains, or one for scalars.
    """

    spins: NDArray[np.float64]
    sweeps: int
    series: dict[str, Series]

    @property
    def energy(self) -> Series:
        """Energy per spin."""
        return self.series["energy"]


def sample_vectors(
    interactions: VectorInteractions,
    spins: ArrayLike,
    *,
    temperature: ArrayLike,
    sweeps: int,
    algorithm: str = "heat-bath",
    over_relaxations: int | None = None,
    keys: ArrayLike | None = None,
    every: int = 1,
    observe: Observe | None = None,
    backend: str = "cpu",
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
    first_sweep: int = 0,
    series: dict[str, Series] | None = None,
) -> VectorTrajectory:
    """Sample the Boltzmann law of unit vectors at given temperatures with R independent walkers.

    Parameters
    ----------
    interactions : VectorInteractions
    spins : (R, N, d) array
        Start configurations, unit vectors.
    temperature : float or (R,) array
        T = tau/d, in the units of J for unit vectors (k_B = 1); of each walker, or of all.
    sweeps : int
        Heat baths of all N spins, over-relaxations not counted; a multiple of `every`.
    algorithm : {'heat-bath', 'heat-bath+over-relaxation'}
    over_relaxations : int, optional
        Sweeps of over-relaxation after each heat bath, with the second algorithm; 5 if not given.  At d = 1 they leave
        spins as they are.
    keys : (R, 3) uint32 array, optional
        Names of the walkers' random numbers, from :func:`numerics.rng.stream`.
    every : int
        Sweeps between two measurements; one costs about as much as an over-relaxation.
    observe : callable, optional
        Maps (R, N, d) spins to a dict of (R,) arrays or scalars, measured beside the energy.
    backend : {'cpu', 'reference'}
    threads : int
        Walkers that run at a time; results do not depend on it.
    progress : callable, optional
        Called as ``progress(label, done, total)`` after each measurement.
    first_sweep, series : int and dict, optional
        To go on with a run, its `sweeps` and `series`, with its `spins` as the start; same keys, same `every`.

    Returns
    -------
    VectorTrajectory
        With dense couplings of precision 'float32', fields are sums of single precision: energies are right to 1e-6 of
        the fields.  Overlaps are summed in double precision.

    Raises
    ------
    InvalidInput
        For shapes that do not fit, spins that are no unit vectors, temperatures that are not positive or an unknown
        option.

    Examples
    --------
    >>> from numerics.vector_interactions import from_couplings
    >>> pair = from_couplings([[0, 1], [1, 0]], kind="scalar", d=3, precision="float64")
    >>> up = np.zeros((4, 2, 3)) + [0.0, 0.0, 1.0]
    >>> run = sample_vectors(pair, up, temperature=0.5, sweeps=5000)
    >>> mean, exact = run.energy.mean(), -0.5 * (1 / np.tanh(2.0) - 0.5)  # Langevin's function at J/T
    >>> bool(abs(mean.value - exact) < 5 * mean.error), run.sweeps
    (True, 5000)
    """
    chains = VectorChains(
        interactions,
        spins,
        algorithm=algorithm,
        over_relaxations=over_relaxations,
        keys=keys,
        backend=backend,
        threads=threads,
        sweep=first_sweep,
    )
    found, _ = measured(
        chains, temperature=temperature, sweeps=sweeps, every=every, observe=observe, series=series, progress=progress
    )
    return VectorTrajectory(chains.spins(), chains.sweep, found)
