r"""Patterns on a hidden manifold: xi = act(F z/sqrt(D)), with Gaussian F (N x D) and z of D = gamma N components.

The activation is normalised to ``E act^2 = 1``.  Seen from one of the patterns the cumulant function of the overlaps,
replica-symmetric in the latent vectors (F and the planted z_1 are quenched), is

    zeta(lambda) = extr_{m,r,V} (gamma/2) [1 - V - r - m^2 + log V + r/V] + E_{u_1,h} g,
    g = log E_u exp(lambda y act(omega + sqrt(V) u)),

with ``omega = m u_1 + sqrt(r) h`` and ``y = act(u_1)``; m is the overlap of the latent vectors with the planted one,
``q_0 = r + m^2`` their mutual overlap and ``q_d = q_0 + V`` their norm, all over D.  Stationarity reads

    gamma m = E u_1 g',      gamma r = V^2 E g'^2,      V (1 - E g''/gamma) = 1,      zeta' = E dg/dlambda,

and is followed from lambda = 0, where ``zeta = kappa_0^2 lambda + O(lambda^2)`` (for odd activations
``(lambda^2/2)(1 + kappa_1^4/gamma)``).  The load ``lambda - zeta`` saturates where zeta' = 1, which is solved as a
fourth equation.  A query of overlap m < 1 with a pattern, disturbed by independent Gaussian noise, has left the
manifold: then ``y = m act(u_1) + sqrt(1 - m^2) noise``.

References
----------
B. Achilli, L. Ambrogioni, C. Lucibello, M. Mezard, E. Ventura, arXiv:2503.09518 (2025).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.continuation import StopReason, trace
from theory.diffusion.activations import Activation
from theory.diffusion.latent_channel import ChannelAverages, channel_averages, normal_rule, normalised
from theory.diffusion.overlap_laws import EPS, AllPatterns, Cumulant, Ensemble, Root
from theory.diffusion.weak_patterns import WeakPatterns
from theory.errors import InvalidInput, NotConverged, is_number
from theory.problem import Linearised, Problem, Status
from theory.saddle import Roots, solve

__all__ = ["HiddenManifold", "hidden_manifold"]

Array = NDArray[np.float64]
FIRST, LAST = 2, 7  # levels of the quadrature on which roots are polished
TARGET = 1e-12
PINNED = -28.0  # log V below which the others are the planted pattern
START = 0.02  # lambda from which saddle points are followed, at most


@dataclass(frozen=True)
class Saddle:
    """The saddle point at one lambda: (m, r, V), zeta and zeta' with errors, and the replicon (positive: stable)."""

    lam: float
    x: Array
    cumulant: Cumulant
    replicon: float


def _solved(problem: Problem, x: Array, parameter: float, *, last: bool) -> Roots | None:
    """The root, or None if its rule is too coarse (it is no root on the finer one) and there is a finer one."""
    found = solve(problem, x, [parameter], throw=last)
    return found if found.converged.all() else None


def _to_log(x: Array) -> Array:
    """(m, r, V) to (m, r, log V): V is tiny where the others are pinned to the planted pattern."""
    return np.array([x[0], x[1], math.log(x[2])])


def _from_log(x: Array) -> Array:
    return np.array([x[0], x[1], math.exp(min(float(x[2]), 50.0))])


class HiddenManifold:
    """The replica-symmetric cumulant function of a hidden manifold; saddle points once found are kept.

    Parameters
    ----------
    gamma : float
        D/N > 0.
    act : str, Activation or callable
        Normalised here to unit second moment.
    overlap : float
        Overlap of the query with the planted pattern.

    Raises
    ------
    InvalidInput
        For numbers out of range, or an unsuitable activation.

    Examples
    --------
    >>> linear = HiddenManifold(0.5, "linear").at(0.2)
    >>> round(linear.cumulant.value / (0.2**2 / 2 * 3), 9)  # (lambda^2/2)(1 + 1/gamma)
    1.0
    """

    def __init__(
        self, gamma: float, act: str | Activation | Callable[[Array], Any] = "tanh", *, overlap: float = 1.0
    ) -> None:
        if not is_number(gamma) or not 1e-4 <= gamma <= 1e4:
            raise InvalidInput(f"gamma = {gamma} is not allowed; give D/N with 0.0001 <= gamma <= 10000.")
        if not is_number(overlap) or not 0.0 < overlap <= 1.0:
            raise InvalidInput(f"overlap = {overlap} is not allowed; give an overlap with 0 < overlap <= 1.")
        self.gamma, self.act, self.overlap = float(gamma), normalised(act), float(overlap)
        self._start = min(START, 0.2 * self.gamma)
        self._known: dict[float, Saddle] = {}
        self._averages = functools.lru_cache(maxsize=64)(self._fresh)

    def _fresh(self, x: tuple[float, ...], lam: float, level: int) -> ChannelAverages:
        m, r, V = x
        return channel_averages(
            self.act.function, m, max(r, 0.0), V, lam, level=level, kinks=self.act.kinks, overlap=self.overlap
        )

    def _equations(self, x: Array, lam: float, level: int) -> tuple[Array, Array]:
        """Residual (3,), its derivatives (3, 4) in (m, r, log V, lambda); NaN where a predictor has left the domain."""
        at = _from_log(x[:3])
        a, g, V = self._averages(tuple(map(float, at)), lam, level), self.gamma, float(at[2])
        known = 1.0 - a.C / g
        if known <= 0.0:
            return np.full(3, np.nan), np.full((3, 4), np.nan)
        f = np.array([x[0] - a.A / g, x[1] - V * V * a.B / g, x[2] + math.log(known)])
        d = np.stack([-a.dA / g, -V * V * a.dB / g, -a.dC / (g * known)])
        d[1, 2] -= 2.0 * V * a.B / g
        d[:, 2] *= V
        d[[0, 1, 2], [0, 1, 2]] += 1.0
        return f, d

    def problem(self, level: int, *, finer: bool = True) -> Problem:
        """The saddle-point equations: x = (m, r, log V), p = (lambda,)."""

        def linearise(x: Array, p: Array) -> Linearised:
            both = [self._equations(row, float(q[0]), level) for row, q in zip(x, p, strict=True)]
            f, d = np.stack([b[0] for b in both]), np.stack([b[1] for b in both])
            return Linearised(f, d[:, :, :3], d[:, :, 3:])

        return Problem(
            residual=lambda x, p: linearise(x, p).residual,
            linearise=linearise,
            lower=np.array([-np.inf, 0.0, -30.0]),
            upper=np.array([np.inf, np.inf, 30.0]),
            refined=self.problem(level + 1, finer=False) if finer else None,
            names=("m", "r", "log V"),
            parameter_names=("lambda",),
        )

    def extended(self, level: int, wanted: str, *, finer: bool = True) -> Problem:
        """The same with a fourth equation for lambda: x = (m, r, log V, lambda), p = (value,).

        `wanted` is 'slope', ``zeta' = value`` (saturation), or 'rate', ``lambda zeta' - zeta = value`` (condensation).
        """

        def linearise(x: Array, p: Array) -> Linearised:
            f, d = np.empty((len(x), 4)), np.empty((len(x), 4, 4))
            for k, row in enumerate(x):
                lam = float(row[3])
                f[k, :3], d[k, :3] = self._equations(row[:3], lam, level)
                value, d[k, 3] = self._fourth(row[:3], lam, level, wanted)
                f[k, 3] = value - p[k, 0]
            extra = np.zeros((len(x), 4, 1))
            extra[:, 3] = -1.0
            return Linearised(f, d, extra)

        return Problem(
            residual=lambda x, p: linearise(x, p).residual,
            linearise=linearise,
            lower=np.array([-np.inf, 0.0, -30.0, 0.0]),
            upper=np.array([np.inf, np.inf, 30.0, np.inf]),
            refined=self.extended(level + 1, wanted, finer=False) if finer else None,
            names=("m", "r", "log V", "lambda"),
            parameter_names=(wanted,),
        )

    def _fourth(self, x: Array, lam: float, level: int, wanted: str) -> tuple[float, Array]:
        """Left side of the fourth equation and its derivatives in (m, r, log V, lambda)."""
        m, r, V = map(float, _from_log(x))
        a, g = self._averages((m, r, V), lam, level), self.gamma
        by_log = np.array([1.0, 1.0, V, 1.0])
        if wanted == "slope":
            return a.slope, a.d_slope * by_log
        gradient = (-g * m + a.A, 0.5 * (g * (1.0 / V - 1.0) + a.C), 0.5 * (g * (1.0 / V - 1.0 - r / V**2) + a.C + a.B))
        value = self._value(np.array([m, r, V]), lam, level).value
        return lam * a.slope - value, (lam * a.d_slope - np.array([*gradient, 0.0])) * by_log

    def _value(self, x: Array, lam: float, level: int) -> Cumulant:
        """zeta and zeta' at order parameters, on one rule."""
        m, r, V = map(float, x)
        a = self._averages((m, r, V), lam, level)
        delta = V - 1.0
        entropy = 0.5 * self.gamma * (math.log1p(delta) - delta - m * m + r * (1.0 - V) / V)
        rounding = EPS * (abs(a.value) + self.gamma * (abs(delta) + m * m + r * (1.0 + 1.0 / V)))
        return Cumulant(entropy + a.value, a.slope, 4.0 * rounding, 4.0 * EPS * abs(a.slope))

    def _polished(self, x: Array, lam: float) -> Saddle:
        """Newton on finer and finer rules until the error is at rounding."""
        for level in range(FIRST, LAST):
            found = _solved(self.problem(level), _to_log(x), lam, last=level == LAST - 1)
            if found is None:
                continue
            x = _from_log(found.x[0])
            one, two = (self._value(x, lam, k) for k in (level, level + 1))
            # zeta is stationary in x, so that only its quadrature counts; its slope is not.
            error = abs(one.value - two.value) + two.error + self.act.error * lam * abs(two.slope)
            moved = found.error[0] * [1.0, 1.0, x[2]]
            linear = np.abs(self._averages(tuple(map(float, x)), lam, level).d_slope[:3]) @ moved
            slope_error = abs(one.slope - two.slope) + two.slope_error + float(linear)
            if error <= TARGET * (1.0 + abs(two.value)) and slope_error <= 10.0 * TARGET * (1.0 + abs(two.slope)):
                break
        curved = self._averages(tuple(map(float, x)), lam, level).curved
        return Saddle(
            lam, x, Cumulant(two.value, two.slope, error, slope_error), 1.0 - float(x[2]) ** 2 * curved / self.gamma
        )

    def at(self, lam: float) -> Saddle:
        """The saddle point at lambda, followed from lambda = 0.

        Raises
        ------
        NotConverged
            If it ends, or turns back, on the way.
        """
        if lam <= 0.0:
            zero = np.array([0.0, 0.0, 1.0])
            return Saddle(0.0, zero, Cumulant(0.0, self.act.kappa_0**2 * self.overlap, 0.0, EPS), 1.0)
        if lam not in self._known:
            start = max((s for s in self._known.values() if s.lam < lam), key=lambda s: s.lam, default=None)
            if start is None:
                first = min(lam, self._start)
                linear = self.act.kappa_1**2 * self.overlap * first / self.gamma
                start = self._polished(np.array([linear, linear * first, 1.0]), first)
                self._known[first] = start
            if start.lam < lam:
                self._known[lam] = self._polished(self._followed(start, lam), lam)
        return self._known[lam]

    def _followed(self, start: Saddle, lam: float) -> Array:
        """Approximate saddle point at lambda, by continuation from a smaller one."""
        if lam < 1.2 * start.lam:
            return start.x
        branch = trace(
            self.problem(0), _to_log(start.x), [start.lam], 0, towards=1, span=(0.5 * start.lam, lam), largest_step=0.4
        )
        if branch.stopped is not StopReason.SPAN_END or branch.parameter[-1] < lam:
            raise NotConverged(
                f"the saddle point of the hidden manifold ends at lambda = {branch.parameter[-1]:.6g} on the way to "
                f"{lam:g}: {branch.stopped.value}; ask for a smaller lambda."
            )
        log = np.log(branch.parameter[-2:])
        w = (math.log(lam) - log[0]) / (log[1] - log[0])
        return _from_log((1 - w) * branch.x[-2] + w * branch.x[-1])

    def saturation(self, slope: float) -> Root:
        """The lambda at which zeta' is `slope`.

        Raises
        ------
        NotConverged
            If it was not reached.
        """
        if self.at(0.0).cumulant.slope >= slope:
            return Root(None, None, Status.NO_SOLUTION)
        return self._lambda_where("slope", slope)

    def condensation(self, alpha: float) -> Root:
        """The lambda at which the sum over ``exp(alpha N)`` patterns condenses, ``lambda zeta' - zeta = alpha``.

        Raises
        ------
        NotConverged
            If it was not reached.
        """
        return self._lambda_where("rate", alpha)

    def largest_slope(self) -> float:
        """Supremum of zeta' if queries could be followed perfectly; 1 for an activation of constant modulus."""
        if self.overlap < 1.0:
            return math.inf
        x, w = normal_rule(0.05 if self.act.kinks else 0.002, 9.0, self.act.kinks)  # a maximum has kinks of its own
        # Far for those that grow or saturate late, finely near 0 for those that are largest between.
        wide = self.act.function(np.concatenate([np.linspace(-1e4, 1e4, 20001), np.linspace(-9.0, 9.0, 18001)]))
        y = self.act.function(x)
        return round(float(w @ np.maximum(y * wide.max(), y * wide.min())), 9)

    def all_patterns(self, lam: float) -> AllPatterns:
        """Load up to which the weakest pattern is retrieved.

        Raises
        ------
        NotConverged
            If its saddle point was not reached.
        """
        if not self.act.odd:
            return AllPatterns(
                None,
                None,
                f"alpha_c is derived for odd activations only: weak patterns of '{self.act.name}' share a direction",
            )
        saturation = None if self.largest_slope() <= 1.0 else self.saturation(1.0).value
        begin = lam if saturation is None else min(lam, saturation)
        found = WeakPatterns(self.gamma, self.act).weakest(lam, self.at(begin).x, saturation)
        details = {
            "lambda": found.lam,
            "tilt": found.tilt,
            "norm": found.R,
            "replicon": found.replicon,
            "apart": found.apart,
            "rs_stable": found.replicon > 0.0 and found.apart > 0.0,
        }
        remark = "" if found.apart > 0.0 else "a lower bound: weak patterns of the same features overlap"
        return AllPatterns(found.alpha_c, found.error, remark, {"weakest_pattern": details})

    def _lambda_where(self, wanted: str, value: float) -> Root:
        """Follow the saddle point in lambda until the fourth equation is passed, then solve all four."""
        start = self.at(self._start)
        first = _to_log(start.x)
        x = np.append(first, self._start)
        if self._fourth(first, self._start, 0, wanted)[0] < value:
            branch = trace(
                self.problem(0),
                first,
                [self._start],
                0,
                towards=1,
                span=(0.5 * self._start, 1e3),
                stop=lambda x, lam: x[2] < PINNED or self._fourth(x, lam, 0, wanted)[0] > value,
                events={wanted: lambda x, p: self._fourth(x, float(p[0]), 0, wanted)[0] - value},
            )
            if not branch.special:
                return Root(None, None, Status.NO_SOLUTION)
            x = np.append(branch.special[0].x, branch.special[0].parameter)
        for level in range(FIRST, LAST):
            found = _solved(self.extended(level, wanted), x, value, last=level == LAST - 1)
            if found is None:
                continue
            x, error = found.x[0], float(found.error[0, 3])
            if error <= TARGET * (1.0 + x[3]):
                break
        lam = float(x[3])
        self._known.setdefault(lam, self._polished(_from_log(x[:3]), lam))
        return Root(lam, error, Status.CONVERGED)


def hidden_manifold(
    gamma: float, act: str | Activation | Callable[[Array], Any] = "tanh", *, overlap: float = 1.0
) -> Ensemble:
    """The ensemble of patterns on a hidden manifold.

    Parameters
    ----------
    gamma : float
        D/N.
    act : str, Activation or callable
        The activation, normalised to unit second moment.
    overlap : float
        Overlap of the query with a pattern, if it is disturbed.

    Raises
    ------
    InvalidInput
        For numbers out of range, or an unsuitable activation.

    Examples
    --------
    >>> from theory.diffusion.rem import capacity
    >>> round(capacity(hidden_manifold(1.0, "tanh"), 2.0).alpha_1, 6)
    0.4283
    """
    law = HiddenManifold(gamma, act, overlap=overlap)

    def report(lam: float) -> dict[str, Any]:
        known = law.at(lam)
        m, r, V = map(float, known.x)
        return {
            "gamma": law.gamma,
            "activation": law.act.name,
            "kappa_0": law.act.kappa_0,
            "kappa_1": law.act.kappa_1,
            "assumes": "replica symmetry",
            "order_parameters": {"m": m, "q_0": r + m * m, "q_d": r + m * m + V},
            "replicon": known.replicon,
            "rs_stable": known.replicon > 0.0,
        }

    return Ensemble(
        "hidden-manifold",
        lambda lam: law.at(lam).cumulant,
        largest_overlap=law.largest_slope(),
        all_patterns=law.all_patterns,
        corrupted=lambda m: hidden_manifold(gamma, act, overlap=m),
        saturation=law.saturation,
        condensation=law.condensation,
        report=report,
    )
