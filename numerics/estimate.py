"""Estimates from disorder samples: value, standard error, number of samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from theory.errors import InvalidInput

__all__ = ["Measurement", "bootstrap", "fraction", "mean", "means"]

# Observables that are 0 or 1 in a sample.
_OUTCOMES = ("retrieved_fraction", "equilibrated", "converged")


@dataclass(frozen=True)
class Measurement:
    """A measured number.

    Attributes
    ----------
    value : float
    error : float
        One standard error over disorder samples; nan when it cannot be known (one sample).
    n : int
        Number of disorder samples.
    """

    value: float
    error: float
    n: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return a dictionary for JSON; an unknown error is null."""
        error = self.error if math.isfinite(self.error) else None
        return {"value": self.value, "error": error, "n": self.n}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Inverse of :meth:`to_json`."""
        error = data["error"]
        return cls(float(data["value"]), math.nan if error is None else float(error), int(data["n"]))

    def __str__(self) -> str:
        return f"{self.value:.6g} +- {self.error:.2g} (n = {self.n})"


def mean(values: ArrayLike) -> Measurement:
    """Return the mean of independent samples and its standard error s / sqrt(n).

    Parameters
    ----------
    values : (n,) array

    Raises
    ------
    InvalidInput
        If there are no values.

    Examples
    --------
    >>> mean([1.0, 2.0, 3.0])
    Measurement(value=2.0, error=0.577..., n=3)
    """
    x = _filled(values)
    error = float(x.std(ddof=1)) / math.sqrt(x.size) if x.size > 1 else math.nan
    return Measurement(float(x.mean()), error, x.size)


def fraction(outcomes: ArrayLike) -> Measurement:
    """Return the fraction of true outcomes; its error stays positive when all outcomes agree.

    The error is sqrt(p (1 - p) / n) at p = (k + 1/2) / (n + 1) (Jeffreys' prior), as k = n of n successes do
    not prove a probability of one.

    Parameters
    ----------
    outcomes : (n,) array of bool

    Examples
    --------
    >>> fraction([True, True, True, False])
    Measurement(value=0.75, error=0.2291..., n=4)
    """
    x = _filled(outcomes)
    p = (x.sum() + 0.5) / (x.size + 1)
    return Measurement(float(x.mean()), math.sqrt(p * (1 - p) / x.size), x.size)


def means(values: Mapping[str, ArrayLike], N: int) -> dict[str, Measurement]:
    """Return the mean of every observable of one point over its samples.

    Parameters
    ----------
    values : dict of (n,) array
        Per sample, by the names of :func:`numerics.simulate.run_sample`.
    N : int
        Number of spins: overlaps that agree to the last spin do not prove an error of zero, one spin in all samples
        is the limit.

    Examples
    --------
    >>> means({"m": [1.0, 1.0], "energy": [-0.5, -0.7]}, 100)["m"]
    Measurement(value=1.0, error=0.01, n=2)
    """
    found = {name: (fraction if name in _OUTCOMES else mean)(v) for name, v in values.items()}
    for name in ("m", "overlap"):
        if name in found and found[name].error == 0.0:
            found[name] = replace(found[name], error=2.0 / (N * found[name].n))
    return found


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[NDArray[np.float64]], float],
    *,
    resamples: int = 400,
    seed: int = 0,
) -> Measurement:
    """Return a statistic of independent samples, with the standard deviation of its bootstrap distribution.

    Parameters
    ----------
    values : (n,) or (n, k) array
        Rows are drawn with replacement.
    statistic : callable
        Maps an array like `values` to a number.
    resamples : int
    seed : int

    Examples
    --------
    >>> bootstrap([1.0, 2.0, 3.0, 10.0], lambda x: float(np.median(x))).value
    2.5
    """
    x = _filled(values)
    n = x.shape[0]
    rows = redrawn(n, resamples=resamples, seed=seed)
    error = float(np.std([statistic(x[r]) for r in rows], ddof=1)) if n > 1 else math.nan
    return Measurement(float(statistic(x)), error, n)


def redrawn(n: int, *name: str | int, resamples: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the rows of bootstrap resamples: each is n of range(n), with replacement.

    Parameters
    ----------
    n : int
    *name : str or int
        Different names give independent draws; quantities measured in the same disorder samples share one name.

    Returns
    -------
    rows : (resamples, n) int64 array

    Examples
    --------
    >>> redrawn(3, resamples=2).shape
    (2, 3)
    """
    drawn = rng.words(rng.stream(seed, "bootstrap", n, *name), rows=resamples, columns=n).astype(np.uint64)
    return ((drawn * np.uint64(n)) >> np.uint64(32)).astype(np.int64)


def _filled(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim == 0 or x.shape[0] == 0:
        raise InvalidInput("an estimate needs at least one value; simulate samples >= 1.")
    return x
