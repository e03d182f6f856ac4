"""Where curves of different sizes cross: transitions from Binder ratios and other quantities without dimension."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.collapse import Scaling
from numerics.finite_size import Extrapolation, extrapolate
from theory.errors import InvalidInput

__all__ = ["Intersection", "Intersections", "intersections"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Intersection:
    """Where the curves of two sizes cross.

    Attributes
    ----------
    L : (float, float)
        The two sizes.
    x, x_error, y, y_error : float
        Point of crossing and standard errors over resamples; NaN if less than nine in ten resamples cross.
    chi2 : float
        Of both polynomials, per degree of freedom; NaN without any.
    """

    L: tuple[float, float]
    x: float
    x_error: float
    y: float
    y_error: float
    chi2: float


@dataclass(frozen=True)
class Intersections:
    """Crossings of neighbouring sizes and, for three sizes or more, their limit.

    Attributes
    ----------
    pairs : tuple of Intersection
    limit : Extrapolation or None
        Linear in L^-exponent with L the geometric mean of the two sizes.  Neighbouring crossings share a curve: the
        error of the limit is that of the limits of resamples, which knows of it.
    other_limits : dict of float
        What half and twice the exponent give.
    """

    pairs: tuple[Intersection, ...]
    limit: Extrapolation | None
    other_limits: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON; what is not known is null."""
        pairs = [{k: None if v != v else v for k, v in vars(p).items()} for p in self.pairs]
        return {
            "pairs": pairs,
            "limit": self.limit.to_json() if self.limit else None,
            "other_limits": self.other_limits,
        }


def intersections(
    data: Scaling, *, degree: int = 3, exponent: float = 1.0, resamples: int = 200, seed: int = 0
) -> Intersections:
    """Find where the curves of neighbouring sizes cross.

    Each curve is a polynomial fitted to its points, weighted by their errors.

    Parameters
    ----------
    data : Scaling
        Near the crossings; see :func:`numerics.collapse.scaling`, or `scaling_of_samples` for errors from the disorder.
    degree : int
        Of the polynomials; look at `chi2`.
    exponent : float
        Power of 1/L in which crossings approach their limit.
    resamples, seed : int

    Raises
    ------
    InvalidInput
        If two curves do not cross, or cross more than once, in the range they share; or have too few points.

    Examples
    --------
    >>> from numerics.collapse import scaling
    >>> L, x = np.repeat([8.0, 16.0, 32.0], 9), np.tile(np.linspace(0.8, 1.2, 9), 3)
    >>> found = intersections(scaling(L, x, 0.5 - (x - 1.0) * L**0.5, np.full(27, 0.01)), degree=1)
    >>> [f"{p.x:.4f}" for p in found.pairs], f"{found.limit.value:.4f}"
    (['1.0000', '1.0000'], '1.0000')
    """
    if isinstance(degree, bool) or not isinstance(degree, int) or not 1 <= degree <= 9:
        raise InvalidInput(f"degree = {degree} is not allowed; give an integer degree from 1 to 9.")
    sizes, first = data.sizes, data.first
    draws = np.vstack([data.y, data.redraws(resamples, seed=seed)])
    centre, scale = float(data.x.mean()), float(np.ptp(data.x)) / 2.0
    u = (data.x - centre) / scale
    curves: list[tuple[Floats, float, int, float, float]] = []
    for a, b in pairwise(first.tolist()):
        if b - a <= degree:
            raise InvalidInput(
                f"L = {sizes[len(curves)]:g} has {b - a} points, too few for degree {degree}; measure at more x, or "
                "lower the degree."
            )
        design = np.vander(u[a:b], degree + 1) / data.error[a:b, None]
        coefficients = np.linalg.lstsq(design, (draws[:, a:b] / data.error[a:b]).T, rcond=None)[0].T
        off = design @ coefficients[0] - data.y[a:b] / data.error[a:b]
        dof = int(b - a - degree - 1)
        curves.append((np.asarray(coefficients, dtype=np.float64), float(off @ off), dof, float(u[a]), float(u[b - 1])))

    pairs, crossings = [], []
    for k, ((c1, chi1, dof1, low1, high1), (c2, chi2, dof2, low2, high2)) in enumerate(pairwise(curves)):
        name = f"curves of L = {sizes[k]:g} and {sizes[k + 1]:g}"
        low, high = max(low1, low2), min(high1, high2)
        roots = _roots(c1[0] - c2[0], low, high)
        if roots.size != 1:
            raise InvalidInput(
                f"{name} cross {roots.size} times between x = {centre + scale * low:g} and {centre + scale * high:g}; "
                "give points around one crossing."
            )
        found = np.array([_nearest(_roots(p - q, low, high), float(roots[0])) for p, q in zip(c1, c2, strict=True)])
        heights = np.array([np.polyval(c, r) for c, r in zip(c1, found, strict=True)])
        known = np.isfinite(found[1:])
        sure = known.mean() >= 0.9
        crossings.append(centre + scale * found)
        pairs.append(
            Intersection(
                L=(float(sizes[k]), float(sizes[k + 1])),
                x=float(crossings[-1][0]),
                x_error=scale * float(found[1:][known].std(ddof=1)) if sure else math.nan,
                y=float(heights[0]),
                y_error=float(heights[1:][known].std(ddof=1)) if sure else math.nan,
                chi2=(chi1 + chi2) / (dof1 + dof2) if dof1 + dof2 else math.nan,
            )
        )
    if len(pairs) < 2 or any(math.isnan(p.x_error) for p in pairs):
        return Intersections(tuple(pairs), None, {})
    middle = [math.sqrt(p.L[0] * p.L[1]) for p in pairs]
    errors = [p.x_error for p in pairs]
    limit = extrapolate(middle, [p.x for p in pairs], errors, exponent=exponent)
    rows = np.stack(crossings)[:, 1:]
    complete = rows[:, np.isfinite(rows).all(axis=0)]
    limits = [extrapolate(middle, column, errors, exponent=exponent).value for column in complete.T]
    others = {
        f"{power:g}": extrapolate(middle, [p.x for p in pairs], errors, exponent=power).value
        for power in (exponent / 2.0, 2.0 * exponent)
    }
    return Intersections(tuple(pairs), replace(limit, error=float(np.std(limits, ddof=1))), others)


def _roots(polynomial: Floats, low: float, high: float) -> Floats:
    """Real roots in [low, high], to rounding; curves that touch have two."""
    roots = np.roots(polynomial)
    real = np.sort(roots.real[np.abs(roots.imag) < 1e-9 * (1.0 + np.abs(roots.real))])
    return real[(real >= low) & (real <= high)]


def _nearest(roots: Floats, to: float) -> float:
    return float(roots[np.argmin(np.abs(roots - to))]) if roots.size else math.nan
