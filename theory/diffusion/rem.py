r"""Random-energy theory of exponentially many patterns: capacity and basins of the exponential Hopfield network.

``P = exp(alpha N)`` patterns of squared norm N have the energy ``E(x) = -(1/lambda) log sum_mu exp(lambda x.xi_mu) +
|x|^2/2``.  Seen from a query x of squared norm N the overlaps ``x.xi_mu/N`` are independent energies, and all that
enters is their cumulant function

    zeta(lambda) = lim (1/N) log E exp(lambda x.xi),      zeta(0) = 0,  convex.

Its Legendre transform ``s(eps) = sup (lambda eps - zeta)`` is the rate of the overlap eps; the sum over the patterns is
``exp(N phi)`` with ``phi = alpha + zeta(lambda)`` up to the lambda_* where ``alpha = lambda zeta' - zeta``, and
``lambda eps_*`` with ``eps_* = zeta'(lambda_*)`` beyond, where its largest term rules.  A pattern whose overlap with
the query is m dominates as long as ``phi < lambda m``, that is below the load

    alpha(lambda, m) = max_{0 <= l <= lambda} (l m - zeta(l)),

which is ``lambda m - zeta(lambda)`` while ``zeta'(lambda) <= m`` and the rate ``s(m)`` beyond.  An ensemble supplies
zeta alone: in closed form, as a table, or from a saddle point.

References
----------
C. Lucibello, M. Mezard, Phys. Rev. Lett. 132, 077301 (2024).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from theory.diffusion.overlap_laws import EPS, AllPatterns, Ensemble, Root, ensemble
from theory.errors import InvalidInput, NotConverged, is_number
from theory.problem import Status

__all__ = [
    "Capacity",
    "Condensation",
    "capacity",
    "condensation",
    "increasing_root",
    "noise",
    "rate",
    "smallest_overlap",
]

LARGEST = 1e307  # lambda, alpha: what is added to them must stay a number

CONVENTION = (
    "P = exp(alpha N) patterns of squared norm N, E = -(1/lambda) log sum exp(lambda x.xi) + |x|^2/2, natural "
    "logarithms, overlap = x.xi/N with |x|^2 = N"
)


def increasing_root(
    f: Callable[[float], float], start: float, *, largest: float, noise: Callable[[float], float]
) -> Root:
    """Solve f = 0 for an increasing f on (0, largest) by bracketing and Brent's method.

    Parameters
    ----------
    f : callable
    start : float
        Positive first guess.
    largest : float
        Bound of the search.
    noise : callable
        Absolute error of f.

    Returns
    -------
    Root
        NO_SOLUTION if f is negative all the way up to `largest`.
    """
    from scipy.optimize import brentq

    low = high = min(start, largest)
    while f(high) < 0.0:
        if high >= largest:
            return Root(None, None, Status.NO_SOLUTION)
        low, high = high, min(4.0 * high, largest)
    while f(low) > 0.0:
        low, high = 0.25 * low, low
        if low < 1e-150:
            return Root(None, None, Status.NO_SOLUTION)
    x = float(brentq(f, low, high, xtol=1e-300, rtol=4.0 * EPS)) if low < high else low
    h = min(1e-5 * x, largest - x) or -1e-5 * x
    slope = (f(x + h) - f(x)) / h
    error = (abs(f(x)) + noise(x)) / slope + 4.0 * EPS * x if slope > 0.0 else math.inf
    return Root(x, float(error), Status.CONVERGED if math.isfinite(error) else Status.SINGULAR)


def _known_up_to(law: Ensemble) -> float:
    return law.largest_lambda if law.largest_lambda < math.inf else 1e9


def _out_of_table(law: Ensemble) -> NotConverged:
    return NotConverged(
        f"zeta of '{law.name}' is known up to lambda = {law.largest_lambda:g}, which is too little here; "
        "give a longer table."
    )


def rate(law: Ensemble, eps: float) -> Root:
    """Rate ``s(eps) = sup (lambda eps - zeta)`` of an overlap eps > 0.

    Raises
    ------
    InvalidInput
        For an overlap that is not positive.

    Examples
    --------
    >>> from theory.diffusion.overlap_laws import SPHERE
    >>> round(rate(SPHERE, 0.6).value / -math.log(0.8), 12)
    1.0
    """
    if not 0.0 < eps < math.inf:
        raise InvalidInput(f"overlap = {eps:g} is not allowed; give an overlap above 0.")
    at = _saturation(law, eps)
    if at.value is None:
        if math.isfinite(law.largest_lambda):
            raise _out_of_table(law)
        return Root(None, None, Status.NO_SOLUTION)
    return Root(*_conjugate(law, at.value, eps), at.status)


def _conjugate(law: Ensemble, lam: float, eps: float) -> tuple[float, float]:
    """``lambda eps - zeta`` and its error, where ``zeta' = eps``: there an error of lambda is of second order."""
    c = law.cumulant(lam)
    return lam * eps - c.value, c.error + 2.0 * EPS * lam * eps


def _saturation(law: Ensemble, m: float) -> Root:
    """The lambda at which ``zeta' = m``: from there on a larger lambda gains nothing."""
    if m >= law.largest_overlap:
        return Root(None, None, Status.NO_SOLUTION)
    if law.saturation is not None:
        return law.saturation(m)
    return increasing_root(
        lambda l: law.cumulant(l).slope - m, 1.0, largest=_known_up_to(law), noise=lambda l: law.cumulant(l).slope_error
    )


@dataclass(frozen=True)
class Condensation:
    """Where the sum over the patterns is ruled by its largest term.

    Attributes
    ----------
    alpha : float
    lambda_star, lambda_star_error : float or None
        None if the sum does not condense at any lambda.
    eps_star : float or None
        The largest overlap among the patterns.
    status : Status
    """

    alpha: float
    lambda_star: float | None
    lambda_star_error: float | None
    eps_star: float | None
    status: Status


def condensation(law: Ensemble | str, alpha: float) -> Condensation:
    """The lambda_* above which the largest overlap rules, and that overlap eps_*.

    Raises
    ------
    InvalidInput
        For a load that is not positive.

    Examples
    --------
    >>> from theory.diffusion.overlap_laws import GAUSSIAN
    >>> found = condensation(GAUSSIAN, 0.32)
    >>> round(found.lambda_star, 12), round(found.eps_star, 12)
    (0.8, 0.8)
    """
    law = _checked(law, alpha=alpha)

    def excess(l: float) -> float:
        c = law.cumulant(l)
        return l * c.slope - c.value - alpha

    def error(l: float) -> float:
        c = law.cumulant(l)
        return l * c.slope_error + c.error + 2.0 * EPS * l * abs(c.slope)

    if law.condensation is not None:
        found = law.condensation(alpha)
    else:
        found = increasing_root(excess, math.sqrt(2.0 * alpha), largest=_known_up_to(law), noise=error)
    if found.value is None and math.isfinite(law.largest_lambda):
        raise _out_of_table(law)
    # Where the excess is lost in rounding (lambda large, zeta' at its supremum) there is no lambda_* to speak of.
    if found.value is None or found.error is None or found.error > 0.1 * found.value:
        return Condensation(alpha, None, None, None, Status.NO_SOLUTION)
    return Condensation(alpha, found.value, found.error, law.cumulant(found.value).slope, found.status)


def noise(law: Ensemble, lam: float, alpha: float) -> tuple[float, float]:
    """``phi = lim (1/N) log sum_mu exp(lambda x.xi_mu)`` over patterns without overlap with the query, and its error.

    Examples
    --------
    >>> from theory.diffusion.overlap_laws import GAUSSIAN
    >>> noise(GAUSSIAN, 0.5, 0.32)[0], round(noise(GAUSSIAN, 2.0, 0.32)[0], 12)
    (0.445, 1.6)
    """
    law = _checked(law, **{"lambda": lam})
    c = law.cumulant(lam) if lam <= law.largest_lambda else None
    if c is not None and lam * c.slope - c.value <= alpha:
        return alpha + c.value, c.error + EPS * alpha
    star = condensation(law, alpha)
    assert star.lambda_star is not None
    c = law.cumulant(star.lambda_star)
    # The rate of eps_* is alpha, and its slope lambda_*.
    return lam * c.slope, lam * (c.slope_error + c.error / star.lambda_star + 2.0 * EPS * c.slope)


def smallest_overlap(law: Ensemble, lam: float, alpha: float, *, tell: Callable[[float], None] | None = None) -> Root:
    """Smallest overlap m from which a pattern is retrieved at a load, ``phi/lambda``.

    NO_SOLUTION where that is above 1: not even the pattern itself is retrieved.

    Parameters
    ----------
    law : Ensemble
    lam, alpha : float
    tell : callable or None
        Called with every overlap that is tried, where corrupted queries see another law.

    Raises
    ------
    InvalidInput
        For numbers out of range.
    NotConverged
        If the ensemble's table is too short, or its saddle point was not reached.

    Examples
    --------
    >>> from theory.diffusion.overlap_laws import SPHERE
    >>> round(smallest_overlap(SPHERE, 3.0, 0.2).value, 12)
    0.574177632762
    """
    law = _checked(law, **{"alpha": alpha, "lambda": lam})
    if law.corrupted is not None:
        seen_from = law.corrupted

        @functools.cache
        def loads(m: float) -> tuple[float, float, bool, Root]:
            if tell is not None:
                tell(m)
            return _load(seen_from(m), lam, m)

        return increasing_root(
            lambda m: loads(m)[0] - alpha, min(1.0, 2.0 * math.sqrt(alpha)), largest=1.0, noise=lambda m: loads(m)[1]
        )
    value, error = noise(law, lam, alpha)
    m = value / lam
    return Root(m, error / lam, Status.CONVERGED) if m <= 1.0 else Root(None, None, Status.NO_SOLUTION)


@dataclass(frozen=True)
class Capacity:
    """Loads up to which patterns are retrieved.

    Attributes
    ----------
    ensemble : str
    lam, overlap : float
        lambda, and the overlap m of the query with the pattern.
    alpha_1, error : float
        Load at which one typical pattern stops to dominate, and its error.
    condensed : bool
        Whether the other patterns are condensed there, so that a larger lambda gains nothing.
    lambda_star : float or None
        The lambda above which they are, at that load; None if none.
    lambda_sat, alpha_sat : float or None
        The lambda from which alpha_1 does not grow any more, and the value it keeps; None if it grows for ever.
    alpha_c, alpha_c_error : float or None
        Load up to which all patterns are retrieved (m = 1); None if it is not derived.
    alpha_c_remark : str
        Why not, or in what sense it holds.
    status : Status
    """

    ensemble: str
    lam: float
    overlap: float
    alpha_1: float
    error: float
    condensed: bool
    lambda_star: float | None
    lambda_sat: float | None
    alpha_sat: float | None
    alpha_c: float | None
    alpha_c_error: float | None
    alpha_c_remark: str
    status: Status
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers under the names of the command line."""
        left_out = ("details",) if self.alpha_c_remark else ("details", "alpha_c_remark")
        data = {"lambda" if k == "lam" else k: v for k, v in self.__dict__.items() if k not in left_out}
        return {"model": "rem", **data, "status": self.status.value, "convention": CONVENTION, **self.details}


def capacity(law: Ensemble | str, lam: float, *, overlap: float = 1.0) -> Capacity:
    """Capacity ``alpha(lambda, m)`` of the exponential Hopfield network.

    Parameters
    ----------
    law : Ensemble or str
    lam : float
        lambda > 0 of the energy.
    overlap : float
        Overlap m of the query with the pattern, 0 < m <= 1; 1 is the pattern itself.

    Raises
    ------
    InvalidInput
        For numbers out of range, or something that is no ensemble.
    NotConverged
        If the ensemble's table is too short, or its saddle point was not reached.

    Examples
    --------
    >>> from theory.diffusion.overlap_laws import GAUSSIAN, SPHERE
    >>> round(capacity(SPHERE, 1.0).alpha_1, 9), round(capacity(GAUSSIAN, 3.0).alpha_c * 2 * math.e, 12)
    (0.622571924, 1.0)
    """
    law = _checked(law, **{"lambda": lam})
    if not is_number(overlap) or not 0.0 < overlap <= 1.0:
        raise InvalidInput(f"overlap = {overlap} is not allowed; give an overlap with 0 < overlap <= 1.")
    if overlap < 1.0 and law.corrupted is not None:
        law = law.corrupted(overlap)
    load, error, condensed, at = _load(law, lam, overlap)
    star = condensation(law, load) if load > 0.0 and not condensed else None
    sat = None if at.value is None else rate(law, overlap)
    every = _all_patterns(law, lam, overlap, load, error)
    return Capacity(
        ensemble=law.name,
        lam=lam,
        overlap=overlap,
        alpha_1=load,
        error=error,
        condensed=condensed,
        lambda_star=at.value if condensed else (star.lambda_star if star is not None else None),
        lambda_sat=at.value,
        alpha_sat=None if sat is None else sat.value,
        alpha_c=every.load,
        alpha_c_error=every.error,
        alpha_c_remark=every.remark,
        status=Status.CONVERGED,
        details=({} if law.report is None else law.report(lam if at.value is None else min(lam, at.value)))
        | (every.details or {}),
    )


def _checked(law: Ensemble | str, **values: float) -> Ensemble:
    """The ensemble, which may be given by its name, beside numbers that are positive."""
    for name, value in values.items():
        if not is_number(value) or not 0.0 < value < LARGEST:
            raise InvalidInput(f"{name} = {value} is not allowed; give a number with 0 < {name} < {LARGEST:g}.")
    return ensemble(law)


def _load(law: Ensemble, lam: float, m: float) -> tuple[float, float, bool, Root]:
    """``alpha(lambda, m)``, its error, whether it has saturated at lambda, and the lambda at which it does."""
    at = _saturation(law, m)
    if at.value is not None and at.value <= lam:
        value, error = _conjugate(law, at.value, m)
        return value, error, True, at
    if lam > law.largest_lambda:
        raise _out_of_table(law)
    c = law.cumulant(lam)
    # A query that overlaps with everything at least as much: the maximum is at lambda = 0.
    if c.slope - c.slope_error > m + 4.0 * EPS:
        return 0.0, c.error, True, at
    if m == 1.0 and law.gap is not None:
        gap = law.gap(lam)
        return gap, 8.0 * EPS * gap, False, at
    return lam * m - c.value, c.error + 2.0 * EPS * lam * m, False, at


def _all_patterns(law: Ensemble, lam: float, m: float, load: float, error: float) -> AllPatterns:
    """Load up to which the weakest pattern, too, is retrieved."""
    if m < 1.0:
        return AllPatterns(None, None, "the capacity of all patterns is that of undisturbed queries; leave overlap = 1")
    if law.equal_norms:
        return AllPatterns(load, error)
    if law.all_patterns is None:
        return AllPatterns(None, None, f"the norms of '{law.name}' patterns fluctuate with a rate that is not derived")
    return law.all_patterns(lam)
