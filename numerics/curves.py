"""Records of measured functions: histograms and averages in bins, with their errors over disorder samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.estimate import Measurement
from theory.errors import InvalidInput

__all__ = ["Curve", "Curves", "average_in_bins", "histogram"]

Array = NDArray[np.float64]

_DIGITS = 6  # of what a record keeps of a function


@dataclass(frozen=True)
class Curve:
    """A function in bins.

    Attributes
    ----------
    edges : tuple of float
        One more than values.
    value, error : tuple of (float or None)
        Of each bin, and one standard error over samples; None where nothing is known.
    """

    edges: tuple[float, ...]
    value: tuple[float | None, ...]
    error: tuple[float | None, ...]

    @property
    def middle(self) -> Array:
        """Middles of the bins."""
        ends = np.array(self.edges)
        return np.asarray(0.5 * (ends[1:] + ends[:-1]))

    def arrays(self) -> tuple[Array, Array, Array]:
        """Middles, values and errors, with NaN for None."""
        value, error = (np.array([math.nan if v is None else v for v in c]) for c in (self.value, self.error))
        return self.middle, value, error


@dataclass(frozen=True)
class Curves:
    """Functions and numbers measured in the samples of one point.

    Attributes
    ----------
    what : str
        'minima' or 'first-step'.
    model : str
    parameters : dict
    N, P, D : int
    loads : dict of str to float
        Realised.
    start : str
    overlap : float
        Of the initial state with the start configuration.
    seed, samples : int
    options : dict
        What else the measurement depends on.
    measurements : dict of Measurement
    curves : dict of Curve
    values : dict of list of float
        The measurements per sample.
    provenance : dict
    kind : str
    """

    what: str
    model: str
    parameters: dict[str, Any]
    N: int
    P: int
    D: int
    loads: dict[str, float]
    start: str
    overlap: float
    seed: int
    samples: int
    options: dict[str, Any]
    measurements: dict[str, Measurement]
    curves: dict[str, Curve]
    values: dict[str, list[float]] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    kind: str = "curves"

    def __getitem__(self, name: str) -> Measurement:
        if name not in self.measurements:
            raise InvalidInput(f"'{name}' was not measured; the record has {', '.join(self.measurements)}.")
        return self.measurements[name]

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data["measurements"] = {name: m.to_json() for name, m in self.measurements.items()}
        data["curves"] = {
            name: {"edges": list(c.edges), "value": list(c.value), "error": list(c.error)}
            for name, c in self.curves.items()
        }
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Curves:
        """Inverse of `to_json`.

        Raises
        ------
        InvalidInput
            If entries are missing or unknown.
        """
        names = {f.name for f in fields(cls)}
        if set(data) != names:
            odd = ", ".join(sorted(names.symmetric_difference(data)))
            raise InvalidInput(f"this is no record of measured functions (wrong entries: {odd}); measure again.")
        entries = dict(data)
        entries["measurements"] = {n: Measurement.from_json(m) for n, m in data["measurements"].items()}
        entries["curves"] = {
            n: Curve(tuple(c["edges"]), tuple(c["value"]), tuple(c["error"])) for n, c in data["curves"].items()
        }
        return cls(**entries)


def histogram(samples: Sequence[ArrayLike], edges: ArrayLike, *, total: int | None = None) -> Curve:
    """Density of numbers, with its error over samples.

    Parameters
    ----------
    samples : sequence of (n,) array
    edges : (k + 1,) array
    total : int, optional
        How many numbers a sample has, in case they are not all given; those outside the bins count.

    Examples
    --------
    >>> histogram([[0.1, 0.2, 0.6, 2.0], [0.1, 0.7, 0.8, 0.9]], [0.0, 0.5, 1.0]).value
    (0.75, 1.0)
    """
    ends = np.asarray(edges, dtype=np.float64)
    rows = [np.histogram(np.asarray(s), bins=ends)[0] / ((total or np.size(s)) * np.diff(ends)) for s in samples]
    error = np.std(rows, axis=0, ddof=1) / math.sqrt(len(rows)) if len(rows) > 1 else np.full(len(ends) - 1, math.nan)
    return _curve(ends, np.mean(rows, axis=0), error)


def average_in_bins(samples: Sequence[tuple[ArrayLike, ArrayLike]], edges: ArrayLike) -> Curve:
    """Average of y over the pairs (x, y) of all samples with x in a bin; jackknife errors over samples.

    Examples
    --------
    >>> average_in_bins([([0.1, 0.2], [1.0, 2.0]), ([0.3, 0.7], [3.0, 5.0])], [0.0, 0.5, 1.0]).value
    (2.0, 5.0)
    """
    ends = np.asarray(edges, dtype=np.float64)
    count = np.array([np.histogram(np.asarray(x), bins=ends)[0] for x, _ in samples], dtype=np.float64)
    total = np.array([np.histogram(np.asarray(x), bins=ends, weights=np.asarray(y))[0] for x, y in samples])
    n = len(samples)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = total.sum(axis=0) / count.sum(axis=0)
        without = (total.sum(axis=0) - total) / (count.sum(axis=0) - count)
        error = (
            np.sqrt((n - 1) / n * ((without - without.mean(axis=0)) ** 2).sum(axis=0)) if n > 1 else value * math.nan
        )
    return _curve(ends, value, error)


def _curve(edges: Array, value: Array, error: Array) -> Curve:
    kept = [tuple(float(f"{v:.{_DIGITS}g}") if math.isfinite(v) else None for v in column) for column in (value, error)]
    return Curve(tuple(float(e) for e in edges), *kept)
