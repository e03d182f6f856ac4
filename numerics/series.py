r"""Measurements along Markov chains: streamed, in bounded memory, with errors that know of autocorrelation.

A `Series` keeps the sums of consecutive measurements in at most 4096 time bins per chain; when they are full,
neighbours merge in pairs and every bin holds twice as many.  Averages are over the second half of the bins: the first
half of a run is burn-in, however long the run turns out to be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.estimate import Measurement
from numerics.timebins import CAPACITY, TimeBins
from theory.errors import InvalidInput

__all__ = ["Binning", "Series", "autocovariance_sum"]

Floats = NDArray[np.float64]

# Sokal's window: autocorrelations are summed up to this many autocorrelation times.
WINDOW = 5.0


@dataclass(frozen=True, eq=False)
class Binning:
    """Standard error of the mean against the size of the blocks that are taken as independent.

    Attributes
    ----------
    sizes : (k,) int array
        Measurements per block.
    errors : (k,) array
        Standard error of the mean from blocks of that size, all chains together.
    plateau : bool
        Whether the errors stop rising: the block of size B that is chosen obeys B^3 > 2 n (error/naive error)^4 (Lee,
        Conduit, Nemec, Lopez Rios and Drummond, Phys. Rev. E 83, 066706 (2011)), n measurements in all.
    error : float
        Error at the chosen size; without a plateau the largest of all, the one between chains included: the true error
        may then be larger still.
    """

    sizes: NDArray[np.int64]
    errors: Floats
    plateau: bool
    error: float


class Series:
    """One observable measured again and again on R chains.

    Parameters
    ----------
    chains : int
        R, the number of chains (replicas).
    every : int
        Sweeps between two measurements; autocorrelation times are in sweeps.
    capacity : int
        Most time bins per chain.

    Examples
    --------
    >>> energy = Series(2)
    >>> for x in range(100):
    ...     energy.append([x % 2, (x + 1) % 2])
    >>> energy.mean().value, energy.n, energy.chains
    (0.5, 100, 2)
    """

    def __init__(self, chains: int, *, every: int = 1, capacity: int = CAPACITY) -> None:
        for name, value in (("chains", chains), ("every", every)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise InvalidInput(f"{name} = {value!r} is not allowed; give an integer {name} >= 1.")
        self.chains, self.every = int(chains), int(every)
        # Values are kept relative to the very first one: a variance does not drown in a large mean, and a constant is
        # exactly zero.
        self._origin: float | None = None
        self._bins = TimeBins((2, self.chains), capacity=capacity)
        self._binning: Binning | None = None
        self._tau: float | None = None

    @classmethod
    def of(cls, values: ArrayLike, *, every: int = 1, capacity: int = CAPACITY) -> Series:
        """Return the series of an (R, n) array: R chains of n measurements; (n,) is one chain."""
        try:
            x = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidInput(
                f"a {type(values).__name__} is no series; give (R, n) numbers, R chains of n >= 1 measurements."
            ) from None
        x = x[None] if x.ndim == 1 else x
        if x.ndim != 2 or x.size == 0:
            raise InvalidInput(f"values have shape {x.shape}; give (R, n), R chains of n >= 1 measurements.")
        series = cls(len(x), every=every, capacity=capacity)
        series.extend(x.T)
        return series

    def append(self, values: ArrayLike) -> None:
        """Add one measurement of each chain, (R,).

        Raises
        ------
        InvalidInput
            If the shape is another, or a value is not finite.
        """
        self.extend(np.asarray(values, dtype=np.float64)[None])

    def extend(self, values: ArrayLike) -> None:
        """Add consecutive measurements, (n, R); see :meth:`append`."""
        x = np.asarray(values, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.chains:
            raise InvalidInput(
                f"measurements have shape {x.shape[1:]}; give one value for each of {self.chains} chains."
            )
        if not np.isfinite(x).all():
            raise InvalidInput("a measurement is not finite; measure finite numbers only.")
        if not len(x):
            return
        if self._origin is None:
            self._origin = float(x[0, 0])
        x = x - self._origin
        self._bins.extend(np.stack([x, x * x], axis=1))
        self._binning = self._tau = None

    @property
    def n(self) -> int:
        """Measurements per chain so far."""
        return self._bins.n

    @property
    def width(self) -> int:
        """Measurements per time bin."""
        return self._bins.width

    @property
    def constant(self) -> bool:
        """Whether the second half of the run, in all chains, is one number: it then has no autocorrelation time."""
        return not self._second_half().any()

    def bins(self) -> Floats:
        """Averages over the full time bins of the whole run, (B, R), oldest first."""
        self._refuse_empty()
        return self._bins.sums[:, 0] / self.width + (self._origin or 0.0)

    def kept(self) -> Floats:
        """Time bins that averages are over: the second half of :meth:`bins`."""
        return self.bins()[self._start() :]

    def chain_means(self) -> Floats:
        """Average of each chain over the second half of the run, (R,)."""
        return np.asarray(self._second_half()[:, 0].mean(axis=0) / self.width + (self._origin or 0.0))

    def variance(self) -> float:
        """Variance of single measurements in the second half, about the common mean of all chains."""
        total, squares = self._second_half().mean(axis=(0, 2)) / self.width
        return max(float(squares - total**2), 0.0)

    def binning(self) -> Binning:
        """Standard error of the mean against block size, and where it levels off."""
        if self._binning is None:
            self._binning = _binning(self._centred(), self.width, self.variance())
        return self._binning

    @property
    def tau(self) -> float | None:
        """Integrated autocorrelation time in sweeps, 1/2 + sum of autocorrelations, at least 1/2 measurement.

        Autocorrelations are about the common mean of all chains, so that chains stuck in different places have a `tau`
        as long as the run.  None for a constant.
        """
        if self.constant or self.variance() == 0.0:  # squares of tiny numbers vanish
            return None
        if self._tau is None:
            summed = autocovariance_sum(self._centred())
            self._tau = max(0.5, self.width * summed / (2.0 * self.variance()))
        return self._tau * self.every

    @property
    def ess(self) -> float | None:
        """Effective number of independent measurements in the second half, all chains; None for a constant."""
        tau = self.tau
        return None if tau is None else self.kept().size * self.width * self.every / (2.0 * tau)

    def mean(self) -> Measurement:
        """Average over the second half and all chains, with the binning error.

        Returns
        -------
        Measurement
            `n` is the effective number of independent measurements, rounded down and at least 1.
        """
        binning, ess = self.binning(), self.ess
        value = float(self._second_half()[:, 0].mean()) / self.width + (self._origin or 0.0)
        return Measurement(value, binning.error, 1 if ess is None else max(1, int(ess)))

    def to_json(self) -> dict[str, Any]:
        """Return a summary for JSON; what cannot be known is null."""
        binning = self.binning()
        errors = [e if math.isfinite(e) else None for e in binning.errors.tolist()]
        return {
            **self.mean().to_json(),
            "chains": self.chains,
            "measurements": self.n,
            "every": self.every,
            "tau": self.tau,
            "ess": self.ess,
            "plateau": binning.plateau,
            "chain_means": self.chain_means().tolist(),
            "binning": {"sizes": binning.sizes.tolist(), "errors": errors},
        }

    def _start(self) -> int:
        return len(self._bins.sums) // 2

    def _second_half(self) -> Floats:
        self._refuse_empty()
        return self._bins.sums[self._start() :]

    def _centred(self) -> Floats:
        """Kept bins as (R, B), relative to their common mean."""
        x: Floats = self._second_half()[:, 0].T / self.width
        return np.asarray(x - x.mean())

    def _refuse_empty(self) -> None:
        if self._origin is None:
            raise InvalidInput("the series is empty; measure at least once.")


def autocovariance_sum(x: Floats, *, own_means: bool = False) -> float:
    """Sum of the autocovariances of stationary chains over all lags, positive and negative.

    It is 2 tau times the variance.  The sum is cut at the first lag W >= 5 tau(W) (Madras and Sokal, J. Stat. Phys. 50,
    109 (1988)) and corrected for the mean that was subtracted (Wolff, Comput. Phys. Commun. 156, 143 (2004), eq. (49)).

    Parameters
    ----------
    x : (R, B) array
        Chains, relative to their common mean; or to the mean of each, with `own_means`.
    own_means : bool

    Returns
    -------
    sum : float
        At least the variance: a chain is not taken for better than independent.
    """
    R, B = x.shape
    transform = np.fft.rfft(x, n=2 * B, axis=1)
    lags = np.arange(B)
    covariance = np.fft.irfft((transform * transform.conj()).real.sum(axis=0), n=2 * B)[:B] / (R * (B - lags))
    if covariance[0] <= 0.0:
        return 0.0
    tau = np.cumsum(covariance / covariance[0]) - 0.5
    closed = np.flatnonzero((lags >= WINDOW * tau) & (lags >= 1))
    W = int(closed[0]) if closed.size and closed[0] <= B // 2 else B // 2
    corrected: float = float(tau[W]) * (1.0 + (2 * W + 1) / (B if own_means else R * B))
    return float(2.0 * max(corrected, 0.5) * covariance[0])


def _binning(x: Floats, width: int, variance: float) -> Binning:
    """`x` holds centred time bins of `width` measurements, (R, B); `variance` is that of single measurements."""
    R, B = x.shape
    n = R * B * width
    sizes, errors = [1], [math.sqrt(variance / (n - 1)) if n > 1 else math.nan]
    block = 1 if width > 1 else 2
    while B // block >= 1 and R * (B // block) >= 8:
        count = B // block
        means = x[:, B - count * block :].reshape(R, count, block).mean(axis=2)
        sizes.append(block * width)
        errors.append(float(means.std(ddof=1)) / math.sqrt(means.size))
        block *= 2
    size, error = np.array(sizes), np.array(errors)
    if not error[0] > 0.0:
        return Binning(size, error, bool(error[0] == 0.0), float(error[0]))
    level = np.flatnonzero(size**3.0 > 2.0 * n * (error / error[0]) ** 4)
    plateau = level.size > 0
    if plateau:
        return Binning(size, error, True, float(error[level[0]]))
    # Without a plateau the chains themselves are the largest independent blocks.
    between = float(x.mean(axis=1).std(ddof=1)) / math.sqrt(R) if R > 1 else 0.0
    return Binning(size, error, False, max(float(error.max()), between))
