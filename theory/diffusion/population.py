r"""Spectrum of the data's covariance Sigma in the limit of large d: atoms, or a density on an interval.

Averages over eigenvalues are sums over (eigenvalue, weight); a density becomes nodes of a Gauss rule for square-root
edges, fine enough for the resolvents of feature matrices as long as its parts cannot be told apart there.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.arrays import read_array
from theory.errors import InvalidInput

__all__ = ["Population", "population"]

Array = NDArray[np.float64]

_SAME = 1e-12  # relative distance of eigenvalues that count as one
_MOST = 20_000
_RANGE = (1e-100, 1e100)  # of eigenvalues, so that squares are numbers


@dataclass(frozen=True)
class Population:
    """Eigenvalues of Sigma with their weights.

    Attributes
    ----------
    eigenvalues, weights : (m,) array
        Positive and increasing; weights add to one.
    density : bool
        True where they stand for a continuous density.
    """

    eigenvalues: Array = field(default_factory=lambda: np.ones(1))
    weights: Array = field(default_factory=lambda: np.ones(1))
    density: bool = False

    @property
    def sigma2(self) -> float:
        """``Tr Sigma/d``, the variance per component."""
        return float(self.weights @ self.eigenvalues)

    @property
    def isotropic(self) -> bool:
        """Whether Sigma is a multiple of the identity."""
        return self.eigenvalues.size == 1

    def to_json(self) -> dict[str, Any]:
        """What a reader wants to know of it, as plain types."""
        low, high = float(self.eigenvalues[0]), float(self.eigenvalues[-1])
        return {"sigma2": self.sigma2, "eigenvalues": int(self.eigenvalues.size), "lowest": low, "highest": high}

    @classmethod
    def atoms(cls, eigenvalues: ArrayLike, weights: ArrayLike | None = None) -> Population:
        """Population with given eigenvalues.

        Parameters
        ----------
        eigenvalues : (m,) array
            Positive; equal ones are joined.
        weights : (m,) array or None
            Shares, which are scaled to add to one; equal if absent.

        Raises
        ------
        InvalidInput
            For eigenvalues or weights that are not positive and finite.

        Examples
        --------
        >>> Population.atoms([1.0, 3.0, 1.0, 1.0]).weights
        array([0.75, 0.25])
        """
        values = _numbers(eigenvalues, "eigenvalues of Sigma").ravel()
        shares = (
            np.ones(values.size) if weights is None else _numbers(weights, "weights of Sigma's eigenvalues").ravel()
        )
        if not values.size:
            raise InvalidInput("Sigma has no eigenvalues; give one or more.")
        if values.size > _MOST or shares.shape != values.shape:
            raise InvalidInput(
                f"{values.size} eigenvalues of Sigma with {shares.size} weights are not allowed; give as many of one "
                f"as of the other, 1 to {_MOST}."
            )
        for what, numbers_ in (("an eigenvalue", values), ("a weight", shares)):
            if not (np.isfinite(numbers_).all() and (numbers_ > 0.0).all()):
                wrong = float(numbers_[~(np.isfinite(numbers_) & (numbers_ > 0.0))][0])
                raise InvalidInput(
                    f"Sigma has {what} {wrong:.6g}, which is not positive and finite; give positive numbers (leave "
                    "directions without variance out of the data)."
                )
        for extreme in (float(values.min()), float(values.max())):
            if not _RANGE[0] <= extreme <= _RANGE[1]:
                raise InvalidInput(
                    f"Sigma has an eigenvalue {extreme:.6g}, which is too extreme; "
                    f"give eigenvalues from {_RANGE[0]:g} to {_RANGE[1]:g}."
                )
        order = np.argsort(values, kind="stable")
        values, shares = values[order], shares[order] / shares.sum()
        first = np.insert(np.diff(values) > _SAME * values[1:], 0, True)
        group = np.cumsum(first) - 1
        return cls(values[first], np.asarray(np.bincount(group, weights=shares), dtype=np.float64))

    @classmethod
    def covariance(cls, matrix: ArrayLike) -> Population:
        """Population with the eigenvalues of a covariance matrix.

        Parameters
        ----------
        matrix : (d, d) array
            Symmetric and positive definite.

        Raises
        ------
        InvalidInput
            If it is not.
        """
        m = _numbers(matrix, "Sigma")
        if m.ndim != 2 or m.shape[0] != m.shape[1] or not m.size:
            raise InvalidInput(f"Sigma has shape {m.shape}; give a square matrix or a list of eigenvalues.")
        if not np.isfinite(m).all():
            raise InvalidInput("Sigma contains NaN or infinity; give finite numbers.")
        if not np.allclose(m, m.T, rtol=1e-8, atol=1e-10 * float(np.abs(m).max())):
            raise InvalidInput("Sigma is not symmetric; give a covariance matrix.")
        values = np.linalg.eigvalsh(0.5 * (m + m.T))
        if values[0] <= 1e-12 * values[-1]:
            raise InvalidInput(
                f"Sigma has the eigenvalue {values[0]:.3g}, which is not positive; give a positive definite matrix "
                "(leave directions without variance out of the data)."
            )
        return cls.atoms(values)

    @classmethod
    def from_density(
        cls, function: Callable[[Array], Array], low: float, high: float, *, nodes: int = 400
    ) -> Population:
        """Population with a density on an interval.

        Parameters
        ----------
        function : callable
            Density, up to its normalisation; smooth inside, with square-root edges or without.
        low, high : float
            Ends of the interval, ``0 < low < high``.
        nodes : int
            Nodes that stand for it.

        Raises
        ------
        InvalidInput
            For ends out of order, or a density that is negative or not finite.

        Examples
        --------
        >>> round(Population.from_density(lambda x: np.sqrt((x - 1) * (3 - x)), 1.0, 3.0).sigma2, 12)
        2.0
        """
        if not 0.0 < low < high < math.inf:
            raise InvalidInput(f"a density on [{low}, {high}] is not allowed; give ends with 0 < low < high.")
        if isinstance(nodes, bool) or not isinstance(nodes, numbers.Integral) or not 2 <= nodes <= _MOST:
            raise InvalidInput(f"nodes = {nodes} is not allowed; give a whole number from 2 to {_MOST}.")
        angle = (np.arange(int(nodes)) + 0.5) * math.pi / int(nodes)
        x = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(angle)
        with np.errstate(all="ignore"):
            w = np.asarray(function(x), dtype=np.float64) * np.sin(angle)
        if w.shape != x.shape or not np.isfinite(w).all() or (w < 0.0).any() or not w.sum() > 0.0:
            raise InvalidInput(
                "the density of Sigma's eigenvalues is negative or not finite; give one that is neither."
            )
        keep = w > 0.0
        return cls(x[keep], w[keep] / w.sum(), density=True)


def population(choice: Any = 1.0) -> Population:
    """Return a population from a number, eigenvalues, a covariance matrix, or a file of one of these.

    Parameters
    ----------
    choice : float, str, path, (m,) array, (d, d) array or Population
        ``sigma`` means ``Sigma = sigma I`` (a variance); files are .npy, or text with numbers.

    Raises
    ------
    InvalidInput
        If it is not positive, or the file cannot be read.

    Examples
    --------
    >>> population("2.0").sigma2, population([[2.0, 1.0], [1.0, 2.0]]).eigenvalues.round(12).tolist()
    (2.0, [1.0, 3.0])
    """
    if isinstance(choice, Population):
        return choice
    if isinstance(choice, (str, Path)):
        try:
            choice = float(str(choice))
        except ValueError:
            if not str(choice) or not Path(choice).expanduser().exists():
                raise InvalidInput(
                    f"Sigma '{choice}' is neither a number nor a file; give a variance, or a .npy or text file."
                ) from None
            choice = read_array(choice, "Sigma")
    values = _numbers(choice, "Sigma")
    if values.ndim > 2:
        raise InvalidInput(f"Sigma has shape {values.shape}; give a square matrix or a list of eigenvalues.")
    if values.ndim == 2 and 1 not in values.shape:
        return Population.covariance(values)
    return Population.atoms(values.ravel())


def _numbers(values: Any, what: str) -> Array:
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "fiu":
            raise TypeError(f"{found.dtype} values")
    except (TypeError, ValueError) as problem:
        raise InvalidInput(f"{what} is not an array of real numbers ({problem}); give numbers.") from problem
    return found.astype(np.float64)
