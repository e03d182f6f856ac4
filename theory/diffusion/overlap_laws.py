r"""Laws of patterns as the random-energy theory sees them: the cumulant function of an overlap and nothing else.

    zeta(lambda) = lim (1/N) log E exp(lambda x.xi),      |x|^2 = N,      zeta(0) = 0,  convex.

Three are known in closed form: independent Gaussian components, the sphere, and independent signs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from theory.errors import InvalidInput, nearest
from theory.problem import Status

__all__ = ["BINARY", "GAUSSIAN", "SPHERE", "AllPatterns", "Cumulant", "Ensemble", "Root", "ensemble"]

EPS = float(np.finfo(float).eps)


class Cumulant(NamedTuple):
    """``zeta`` and ``zeta'`` at one lambda, with their absolute errors."""

    value: float
    slope: float
    error: float
    slope_error: float


class Root(NamedTuple):
    """A root, its absolute error, and how the search ended; the root is None where there is none."""

    value: float | None
    error: float | None
    status: Status


class AllPatterns(NamedTuple):
    """The load up to which all patterns are retrieved.

    Attributes
    ----------
    load, error : float or None
        None where it is not derived.
    remark : str
        Why it is not, or in what sense it holds; empty where nothing is to be said.
    details : dict
        What else is known of the weakest pattern.
    """

    load: float | None
    error: float | None
    remark: str = ""
    details: dict[str, Any] | None = None


@dataclass(frozen=True)
class Ensemble:
    """A law of patterns, as far as the random-energy theory sees it.

    Attributes
    ----------
    name : str
    cumulant : callable
        ``lambda >= 0 -> Cumulant``.
    largest_lambda : float
        Up to where it is known (the end of a table).
    largest_overlap : float
        The supremum of ``zeta'``, which is not reached: 1 where all patterns have squared norm exactly N.
    equal_norms : bool
        All patterns have squared norm N, so that all are retrieved where one is.
    all_patterns : callable or None
        ``lambda -> AllPatterns``, where norms fluctuate; None where that is not derived.
    gap : callable or None
        ``lambda -> lambda - zeta``, where that is known without the cancellation at large lambda.
    corrupted : callable or None
        ``m ->`` the Ensemble seen from a query of overlap m with a pattern; None where the law of the overlaps with a
        query depends on its norm alone.
    saturation : callable or None
        ``m ->`` the Root lambda of ``zeta'(lambda) = m``, where that can be solved directly.
    condensation : callable or None
        ``alpha ->`` the Root lambda of ``lambda zeta' - zeta = alpha``, likewise.
    report : callable or None
        ``lambda ->`` what is to be said with every result.
    """

    name: str
    cumulant: Callable[[float], Cumulant]
    largest_lambda: float = math.inf
    largest_overlap: float = math.inf
    equal_norms: bool = False
    all_patterns: Callable[[float], AllPatterns] | None = None
    gap: Callable[[float], float] | None = None
    corrupted: Callable[[float], Ensemble] | None = None
    saturation: Callable[[float], Root] | None = None
    condensation: Callable[[float], Root] | None = None
    report: Callable[[float], dict[str, Any]] | None = None

    @classmethod
    def from_functions(
        cls, name: str, zeta: Callable[[float], float], slope: Callable[[float], float] | None = None, **known: Any
    ) -> Ensemble:
        """Make an ensemble from zeta, and its derivative if that is known too.

        Without it the derivative is extrapolated from central differences, with an error estimate.

        Raises
        ------
        InvalidInput
            If zeta(0) is not 0, or zeta is not convex at a few points.

        Examples
        --------
        >>> poisson = Ensemble.from_functions("poisson", lambda l: math.expm1(l) - l)
        >>> round(poisson.cumulant(1.0).slope, 10)
        1.7182818285
        """

        def cumulant(lam: float) -> Cumulant:
            value = float(zeta(lam))
            if slope is not None:
                first = float(slope(lam))
                return Cumulant(value, first, 4.0 * EPS * abs(value), 4.0 * EPS * abs(first))
            first, error = _derivative(zeta, lam)
            return Cumulant(value, first, 4.0 * EPS * abs(value), error)

        made = cls(name, cumulant, **known)
        _check_law(made)
        return made

    @classmethod
    def from_table(cls, lam: Any, zeta: Any, *, name: str = "table", **known: Any) -> Ensemble:
        """Make an ensemble from values of zeta on a grid, by a quintic spline.

        Parameters
        ----------
        lam : (k,) array
            Ascending, beginning with 0; at least 12 points.
        zeta : (k,) array
            The values; 0 at 0.

        Raises
        ------
        InvalidInput
            For a grid that is not ascending from 0, values that are not finite, or a zeta that is not convex.

        Notes
        -----
        Errors are differences from the spline through every second point.

        Examples
        --------
        >>> grid = np.linspace(0.0, 2.0, 81)
        >>> tabulated = Ensemble.from_table(grid, grid**2 / 2)
        >>> round(tabulated.cumulant(1.503).value - 1.503**2 / 2, 10)
        0.0
        """
        from scipy.interpolate import make_interp_spline

        x, y = np.asarray(lam, float), np.asarray(zeta, float)
        if x.ndim != 1 or x.shape != y.shape or len(x) < 12:
            raise InvalidInput(
                f"a table of zeta with shapes {x.shape} and {y.shape} is not allowed; give at least 12 values of "
                "lambda and as many of zeta."
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()) or x[0] != 0.0 or (np.diff(x) <= 0.0).any():
            raise InvalidInput("the table's lambda must be finite and ascend from 0, and zeta be finite; correct it.")
        fine, coarse = make_interp_spline(x, y, k=5), make_interp_spline(x[::2], y[::2], k=5)
        d_fine, d_coarse = fine.derivative(), coarse.derivative()

        def cumulant(l: float) -> Cumulant:
            value, slope = float(fine(l)), float(d_fine(l))
            errors = abs(value - float(coarse(l))), abs(slope - float(d_coarse(l)))
            return Cumulant(value, slope, errors[0] + 4 * EPS * abs(value), errors[1] + 4 * EPS * abs(slope))

        made = cls(name, cumulant, largest_lambda=float(x[::2][-1]), **known)
        _check_law(made)
        return made


def _derivative(f: Callable[[float], float], x: float) -> tuple[float, float]:
    """Central differences, extrapolated; the error is where Richardson's table stops improving."""
    step = 0.1 * max(abs(x), 0.1)
    if x > 0.0:
        step = min(step, 0.5 * x)  # zeta may be known for positive lambda only
    rows: list[list[float]] = []
    best, error = math.nan, math.inf
    for k in range(9):
        h = step / 2**k
        row = [(f(x + h) - f(x - h)) / (2.0 * h)]
        for j, before in enumerate(rows[-1] if rows else []):
            row.append(row[j] + (row[j] - before) / (4.0 ** (j + 1) - 1.0))
        if rows:
            change = max(abs(row[-1] - row[-2]), abs(row[-1] - rows[-1][-1]))
            if change < error:
                best, error = row[-1], change
        rows.append(row)
    return float(best), float(error)


def _check_law(law: Ensemble) -> None:
    """zeta(0) = 0 and convexity, at a few points."""
    top = min(law.largest_lambda, 2.0)
    probes = [law.cumulant(top * x) for x in (0.05, 0.25, 0.5, 0.75, 0.95)]
    slopes = np.array([c.slope for c in probes])
    slack = 10.0 * max(c.slope_error for c in probes) + 1e-12
    if not np.isfinite(slopes).all() or not all(math.isfinite(c.value) for c in probes):
        raise InvalidInput(f"zeta of '{law.name}' is not finite for lambda up to {top:g}; give a finite function.")
    origin = law.cumulant(0.0).value if law.largest_lambda < math.inf else law.cumulant(1e-9).value
    if abs(origin) > 1e-6:
        raise InvalidInput(f"zeta(0) of '{law.name}' is {origin:g}; it is the logarithm of a mean, so it must be 0.")
    if (np.diff(slopes) < -slack).any():
        raise InvalidInput(
            f"zeta of '{law.name}' is not convex between lambda = 0 and {top:g}; a cumulant function is, so check it."
        )


def _gaussian(lam: float) -> Cumulant:
    value = 0.5 * lam * lam
    return Cumulant(value, lam, EPS * value, EPS * lam)


def _all_gaussian(lam: float) -> AllPatterns:
    """The pattern of smallest squared norm rho is lost where ``rho c/2`` is its rate ``(rho - 1 - log rho)/2``."""
    from scipy.special import lambertw

    c = 1.0 if lam >= 1.0 else lam * (2.0 - lam)
    if c > 1e-8:
        x = 1.0 + float(lambertw((c - 1.0) / math.e).real)  # -log rho
        lost = 1.0 / x
    else:  # beside the branch point, where c - 1 has lost the digits of c
        root = math.sqrt(2.0 * c)
        x, lost = root - root**2 / 3.0 + 11.0 / 72.0 * root**3, 1.0
    load = 0.5 * c * math.exp(-x)
    return AllPatterns(load, 4.0 * EPS * load * lost)


def _sphere(lam: float) -> Cumulant:
    root = math.hypot(1.0, 2.0 * lam)
    eps = 2.0 * lam / (1.0 + root)  # the largest term: lambda (1 - eps^2) = eps
    value = lam * eps + 0.5 * (math.log1p(-eps * eps) if lam < 1.0 else math.log(2.0 / (1.0 + root)))
    return Cumulant(value, eps, 2.0 * EPS * lam * eps, 2.0 * EPS * eps)


def _sphere_gap(lam: float) -> float:
    root = math.hypot(1.0, 2.0 * lam)
    eps = 2.0 * lam / (1.0 + root)
    if lam < 1.0:
        return lam * (1.0 - eps) - 0.5 * math.log1p(-eps * eps)
    return lam * (1.0 + 1.0 / (root + 2.0 * lam)) / (1.0 + root) + 0.5 * math.log(0.5 * (1.0 + root))


def _binary(lam: float) -> Cumulant:
    value = (
        lam + math.log1p(math.exp(-2.0 * lam)) - math.log(2.0)
        if lam > 0.5
        else math.log1p(2.0 * math.sinh(0.5 * lam) ** 2)
    )
    return Cumulant(value, math.tanh(lam), 2.0 * EPS * max(value, min(lam, 1.0)), EPS * math.tanh(lam))


def _binary_gap(lam: float) -> float:
    return lam - _binary(lam).value if lam < 0.5 else math.log(2.0) - math.log1p(math.exp(-2.0 * lam))


GAUSSIAN = Ensemble("gaussian", _gaussian, all_patterns=_all_gaussian)
SPHERE = Ensemble("sphere", _sphere, largest_overlap=1.0, equal_norms=True, gap=_sphere_gap)
BINARY = Ensemble("binary", _binary, largest_overlap=1.0, equal_norms=True, gap=_binary_gap)

_NAMED = {law.name: law for law in (GAUSSIAN, SPHERE, BINARY)}


def ensemble(choice: str | Ensemble) -> Ensemble:
    """Return an ensemble by name.

    Raises
    ------
    InvalidInput
        For an unknown name.

    Examples
    --------
    >>> ensemble("sphere") is SPHERE
    True
    """
    if isinstance(choice, Ensemble):
        return choice
    if isinstance(choice, str) and choice in _NAMED:
        return _NAMED[choice]
    if str(choice).replace("_", "-") == "hidden-manifold":
        raise InvalidInput("a hidden manifold needs D/N; give hidden_manifold(gamma) instead of its name.")
    close = nearest(str(choice), (*_NAMED, "hidden-manifold"))
    hint = f"; did you mean '{close}'?" if close else "."
    raise InvalidInput(f"ensemble '{choice}' is unknown; choose gaussian, sphere, binary or hidden-manifold{hint}")
