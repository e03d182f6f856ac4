r"""What all networks of random features share, whatever their spins: the part of patterns and features.

A stored example ``xi = sigma(x)`` of ``x = D^{-1/2} sum_k c_k f_k`` is equivalent to ``kappa_1 x + kappa_* eta``.  With
``v_k`` the overlaps with the features, every real quadratic channel of an example is ``kappa_1 D^{-1/2} sum_k c_k v_k``
plus noise, so the determinants below are the same per component for spins of any kind; what differs is the loads that
enter and the entropic term of one spin.  The variables stay finite at T = 0: ``chi = beta (1 - q)``,
``dp = beta (p_d - p)``, ``dp_hat = p_d_hat - p_hat``, ``X = p_hat / beta``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import brentq

from theory.equations import FreeEnergy

__all__ = [
    "Closure",
    "Explicit",
    "Loads",
    "cold_network",
    "exists_towards",
    "paramagnetic",
    "replicon",
    "warm_network",
]

Array = NDArray[np.float64]

T = sympy.Symbol("temperature")
k1, ks = sympy.symbols("kappa_1_squared kappa_star_squared")
m, m_hat, t, t_hat, chi, q_hat, dp, X, p_d, dp_hat = sympy.symbols("m m_hat t t_hat chi q_hat dp X p_d dp_hat")

_OVERLAPS = {"example": ((m, m), (t, t_hat)), "feature": ((m, m_hat),), "mixture": ((m, m_hat),)}


class Loads(NamedTuple):
    """The loads of examples and features that enter the free energy per component, as expressions."""

    alpha: sympy.Expr
    alpha_d: sympy.Expr


def warm_network(
    state: str,
    L: int,
    loads: Loads,
    *,
    entropic: sympy.Expr,
    response: sympy.Expr,
    across: sympy.Expr | None = None,
    bounded: bool = True,
) -> FreeEnergy:
    r"""RS free energy per component at T > 0.

    Parameters
    ----------
    state : str
    L : int
        Number of condensed features.
    loads : Loads
    entropic : Expr
        Log-partition function of one spin, per component, averaged over its field.
    response : Expr
        ``T^2 (1/d) E tr (d<s>/dh)^2`` of spins of length ``sqrt(d)``; ``E sech^4`` for Ising spins.
    across : Expr or None
        T times the response of the overlaps of a mixture that move against each other.
    bounded : bool
        Whether the condensed overlap is at most 1.

    Returns
    -------
    FreeEnergy
        Its replicon is ``1 - (alpha/T^2) response {...}``: Gaussian fluctuations of q, P and P_hat in the replicon
        sector, RS matrices acting as scalars.
    """
    alpha, alpha_d = loads
    alpha_T = alpha / alpha_d
    q, p = 1 - T * chi, p_d - T * dp
    Delta_1, Delta_2 = _determinants(alpha_T)
    f = (
        alpha * (k1 + ks) / 2
        + (alpha * T / 2) * sympy.log(Delta_1)
        - (alpha / 2) * (k1 * p + ks * q) / Delta_1
        + (alpha_d * T / 2) * sympy.log(Delta_2)
        - (alpha / 2) * (X * chi + dp_hat * q) / Delta_2
        + (alpha / 2) * X * dp
        + (alpha / 2) * dp_hat * p_d
        + (alpha / 2) * q_hat * chi
        + _condensed_terms(state, L, alpha_T)
        - T * entropic
    )
    return _declared(
        f,
        state,
        alpha_T,
        reported={"q": q, "q_hat": q_hat, "p_d": p_d, "p": p, "p_d_hat": dp_hat + X / T, "p_hat": X / T},
        replicon=replicon(loads, response / T**2),
        transverse=None if across is None else 1 - (alpha_T * dp_hat / T) * across,
        bounded=bounded,
    )


def cold_network(
    state: str,
    L: int,
    loads: Loads,
    *,
    length: sympy.Expr,
    response: sympy.Expr | None = None,
    across: sympy.Expr | None = None,
    bounded: bool = True,
) -> FreeEnergy:
    """The energy per component at T = 0, where ``q = 1`` and ``p = p_d``.

    Parameters
    ----------
    state, L, loads, bounded
        As for `warm_network`.
    length : Expr
        Mean length of the local field, per component.
    response : Expr or None
        ``(1/d) E tr (d<s>/dh)^2``, where it is finite.
    across : Expr or None
        Response of the overlaps of a mixture that move against each other.
    """
    alpha, alpha_d = loads
    alpha_T = alpha / alpha_d
    Delta_1, Delta_2 = _determinants(alpha_T)
    f = (
        alpha * (k1 + ks) / 2
        - (alpha / 2) * (k1 * p_d + ks) / Delta_1
        - (alpha / 2) * (X * chi + dp_hat) / Delta_2
        + (alpha / 2) * X * dp
        + (alpha / 2) * dp_hat * p_d
        + (alpha / 2) * q_hat * chi
        + _condensed_terms(state, L, alpha_T)
        - length
    )
    return _declared(
        f,
        state,
        alpha_T,
        reported={"q": sympy.S.One, "q_hat": q_hat, "p_d": p_d, "p": p_d, "p_d_hat": None, "p_hat": None}
        | {"chi": chi, "dp": dp, "dp_hat": dp_hat, "X": X},
        replicon=None if response is None else replicon(loads, response),
        transverse=None if across is None else 1 - alpha_T * dp_hat * across,
        bounded=bounded,
    )


def paramagnetic(warm: FreeEnergy) -> FreeEnergy:
    """The free energy at q = 0."""
    return warm.restricted({chi: 1 / T, q_hat: sympy.S.Zero, X: sympy.S.Zero, dp: p_d / T})


def _determinants(alpha_T: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
    return 1 - k1 * dp - ks * chi, 1 - alpha_T * dp_hat * chi


def replicon(loads: Loads, response: sympy.Expr, *, examples: bool = True) -> sympy.Expr:
    """Positive where replica symmetry is stable.

    Parameters
    ----------
    loads : Loads
    response : Expr
        Average squared response of a spin, per component.
    examples : bool
        Whether fluctuations of the overlaps move the channels of examples too, or those of features alone.
    """
    alpha_T = loads.alpha / loads.alpha_d
    Delta_1, Delta_2 = _determinants(alpha_T)
    out = alpha_T * (dp_hat / Delta_2) ** 2
    if examples:
        out += (ks + k1 / Delta_2**2) ** 2 / (Delta_1**2 - alpha_T * (k1 * chi / Delta_2) ** 2)
    return 1 - loads.alpha * response * out


def _condensed_terms(state: str, L: int, alpha_T: sympy.Expr) -> sympy.Expr:
    """What the condensed overlaps add to the free energy besides the site term."""
    if state == "example":
        return m**2 / 2 - (alpha_T / 2) * dp_hat * t**2 + t_hat * t
    if state in ("feature", "mixture"):
        return -(alpha_T / 2) * dp_hat * L * m**2 + L * m_hat * m
    return sympy.S.Zero


def _declared(
    f: sympy.Expr,
    state: str,
    alpha_T: sympy.Expr,
    *,
    reported: dict[str, sympy.Expr | None],
    replicon: sympy.Expr | None,
    transverse: sympy.Expr | None,
    bounded: bool,
) -> FreeEnergy:
    """The roles of the symbols, common to all temperatures."""
    Delta = _determinants(alpha_T)
    overlaps = _OVERLAPS.get(state, ())
    named: dict[str, sympy.Expr | None] = {str(v): v for pair in overlaps for v in pair}
    if state == "example":
        named["m_hat"] = m
    bounds = {chi: (0.0, np.inf), q_hat: (0.0, np.inf), p_d: (0.0, np.inf)}
    if bounded:
        bounds[m] = (-1.0, 1.0)
    return FreeEnergy(
        f,
        pairs=(*overlaps, (chi, q_hat), (dp, X), (p_d, dp_hat)),
        condensed=tuple(pair[0] for pair in overlaps),
        bounds=bounds,
        # The last one keeps p_d and X, which feed each other, positive.
        interior=(*Delta, 1 - alpha_T * (k1 * chi / (Delta[0] * Delta[1])) ** 2),
        reported={**named, **reported},
        replicon=replicon,
        transverse=transverse,
    )


def exists_towards(state: str) -> Mapping[str, str]:
    """Examples survive at low load of many features; features and mixtures when many examples share few."""
    return {
        "paramagnet": {"alpha": "low", "alpha_d": "high", "temperature": "high"},
        "spin_glass": {"alpha": "high", "alpha_d": "low", "temperature": "low"},
        "example": {"alpha": "low", "alpha_d": "high", "temperature": "low"},
    }.get(state, {"alpha_d": "low", "alpha": "high", "temperature": "low"})


@dataclass(frozen=True)
class Closure:
    """Everything but the site averages, explicit in ``C = 1 - Delta_2`` and the amplified overlap squared.

    Only for starting points; the pair (p_d, X) solves a linear system.

    Attributes
    ----------
    alpha, alpha_d, temperature : float
        Loads per component.
    first, rest : float
        ``kappa_1^2`` and ``kappa_*^2``.
    """

    alpha: float
    alpha_d: float
    temperature: float
    first: float
    rest: float

    @property
    def ratio(self) -> float:
        """``alpha_T = P/D``."""
        return self.alpha / self.alpha_d

    def at(self, C: float, squared: float) -> dict[str, float]:
        """The variables."""
        w1, ws, tau = self.first, self.rest, self.temperature
        response = self.response(C)
        q = 1.0 - tau * response
        field = w1 / (1.0 - response * (w1 / (1.0 - C) + ws))
        amplified = 1.0 / (1.0 - C) ** 2
        W = (squared / self.alpha_d + (amplified + ws / w1) * q) / (1.0 - amplified * C * C / self.ratio)
        return {
            "chi": response,
            "q_hat": field**2 * (ws / w1 * W + amplified * (W + self.ratio * q)),
            "dp": response / (1.0 - C),
            "X": field**2 * W,
            "p_d": W - ws / w1 * q + tau * response / (1.0 - C),
            "dp_hat": field,
        }

    def response(self, C: float) -> float:
        """``chi`` as a function of C, increasing over the physical range ``C <= sqrt(alpha_T)/(1 + sqrt(alpha_T))``."""
        return C / (self.ratio * self.first + C * (self.first / (1.0 - C) + self.rest))

    def largest_C(self) -> float:
        """The end of the physical range, from inside."""
        root = float(np.sqrt(self.ratio))
        return root / (1.0 + root) * (1.0 - 1e-10)

    def spin_glass(self, response_to: Callable[[float], float]) -> dict[str, float]:
        """Root of ``chi`` along the closure.

        `response_to` gives ``chi sqrt(noise)`` at T = 0, and T chi at T > 0, for the variance of a component of the
        local field.
        """
        tau = self.temperature

        def excess(C: float) -> float:
            noise = self.alpha * self.at(C, 0.0)["q_hat"]
            return response_to(noise) - (tau if tau else float(np.sqrt(noise))) * self.response(C)

        top = self.largest_C()
        if tau * self.response(top) >= 1.0:  # the paramagnet bounds the range; stop just short of it
            top = float(brentq(lambda C: tau * self.response(C) - (1.0 - 1e-8), 1e-300, top, xtol=1e-16))
        if excess(top) >= 0.0:
            at = self.paramagnet()
            return {**at, "chi": 1.0 / tau, "q_hat": 0.0, "X": 0.0, "dp": at["p_d"] / tau}
        return self.at(float(brentq(excess, 1e-14 * top, top, xtol=1e-16)), 0.0)

    def paramagnet(self) -> dict[str, float]:
        """``q = 0``: the closure at chi = beta, or at the largest chi where no paramagnet exists."""
        tau, C = self.temperature, self.largest_C()
        if tau * self.response(C) > 1.0:
            C = float(brentq(lambda c: tau * self.response(c) - 1.0, 1e-300, C, xtol=1e-16))
        at = self.at(C, 0.0)
        return {"p_d": at["p_d"], "dp_hat": at["dp_hat"]}


@dataclass(frozen=True)
class Explicit:
    """Features and mixtures at T = 0, where all follows from the signal-to-noise ratio ``y = m_hat/sqrt(alpha q_hat)``.

    Attributes
    ----------
    y, overlap, C : (j,) array
        Ratio, m(y) and ``C = 1 - Delta_2 = chi sqrt(alpha q_hat) y/m``.
    """

    y: Array
    overlap: Array
    C: Array

    def load(self, ratio: Array, L: int, *, first: float, rest: float) -> Array:
        """``alpha_d(y; alpha_T)``; NaN off the physical branch."""
        a, y, rho = 1.0 / (1.0 - self.C) ** 2, self.y, rest / first
        with np.errstate(all="ignore"):
            gain = 1.0 / (1.0 - a * self.C**2 / ratio)
            load = self.overlap**2 * (ratio / y**2 - L * (rho + a) * gain)
            load = load / ((rho + a) ** 2 * gain + a * ratio)
        return np.where((self.C < 1.0) & (gain > 0.0) & (load > 0.0), load, np.nan)

    def spinodal(self, closure: Closure, L: int, vary: str) -> dict[str, float] | None:
        """A point near the spinodal, the maximum over y of alpha_d(y; alpha_T).

        A coarse table in alpha_T is inverted for the load that is given; of `closure` the load `vary` is ignored.
        """
        with np.errstate(all="ignore"):
            asymptote = float(np.nanmax(np.where(self.C < 1.0, (self.overlap * (1.0 - self.C) / self.y) ** 2, np.nan)))
        lowest = 5.0 if vary == "alpha" else max(5.0, closure.alpha / asymptote)
        ratio = np.geomspace(lowest, 1e8 * lowest, 80)[:, None]
        load = np.nan_to_num(self.load(ratio, L, first=closure.first, rest=closure.rest), nan=-1.0)
        best = np.argmax(load, axis=1)
        top = load[np.arange(len(best)), best]
        keep = top > 0.0
        if keep.sum() < 2:
            return None
        best, top, known = best[keep], top[keep], ratio[keep, 0]
        given = np.log(known * top) if vary == "alpha_d" else np.log(top)
        target = math.log(closure.alpha if vary == "alpha_d" else closure.alpha_d)
        if not given[0] <= target <= given[-1]:
            return None
        found = float(np.exp(np.interp(target, given, np.log(known))))
        k = int(best[np.argmin(np.abs(given - target))])
        value = closure.alpha / found if vary == "alpha_d" else closure.alpha_d * found
        near = replace(closure, alpha=value) if vary == "alpha" else replace(closure, alpha_d=value)
        closed = near.at(float(self.C[k]), L * float(self.overlap[k]) ** 2)
        field = found * closed["dp_hat"] * float(self.overlap[k])
        return {"m": float(self.overlap[k]), "m_hat": field, **closed, vary: value}
