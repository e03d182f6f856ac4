r"""The random-features Hopfield model: examples built from D = alpha_d N shared features, stored by Hebb's rule.

``xi_i^mu = sigma(D^{-1/2} sum_k c_k^mu f_ki)``, P = alpha N examples, ``J_ij = N^{-1} sum_mu xi_i^mu xi_j^mu``.  The
network stores examples at low load, learns the features at high load, and from L features at once it makes
attractors of mixtures it has never seen.  Gaussian equivalence brings sigma down to kappa_1 and kappa_*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import sympy
from scipy.optimize import brentq
from scipy.special import erf

from theory.ensembles import CUBIC, ERF, LINEAR, SIGN, Coefficients, Nonlinearity, RandomFeaturePatterns, nonlinearity
from theory.equations import FreeEnergy
from theory.model import Limit, Model, Parameter, register
from theory.models.hopfield import Hopfield
from theory.sites import Ising, IsingZero, SiteTerm, antisymmetric, example_site, feature_sum, sech4

__all__ = ["RandomFeatures"]

alpha, alpha_d, T = sympy.symbols("alpha alpha_d temperature")
k1, ks = sympy.symbols("kappa_1_squared kappa_star_squared")
m, m_hat, t, t_hat, chi, q_hat, dp, X, p_d, dp_hat = sympy.symbols("m m_hat t t_hat chi q_hat dp X p_d dp_hat")
alpha_T = alpha / alpha_d

_ARCSINE = (2 / sympy.pi) * sympy.asin(sympy.Rational(2, 3))  # E[erf(z)^2]
_EXACT_WEIGHTS = (
    (SIGN, 2 / sympy.pi, 1 - 2 / sympy.pi),
    (LINEAR, sympy.S.One, sympy.S.Zero),
    (CUBIC, sympy.Integer(9), sympy.Integer(6)),
    (ERF, 4 / (3 * sympy.pi), _ARCSINE - 4 / (3 * sympy.pi)),
)
_OVERLAPS = {"example": ((m, m), (t, t_hat)), "feature": ((m, m_hat),), "mixture": ((m, m_hat),)}


@register
@dataclass(frozen=True)
class RandomFeatures(Model):
    r"""Replica-symmetric theory of the random-features Hopfield model, with the overlap t of the example state.

    Parameters
    ----------
    alpha : float or None
        Load P/N > 0 of examples; None while it is the unknown of a threshold.
    alpha_d : float or None
        Load D/N > 0 of features.
    temperature : float or None
        T >= 0 in units of the coupling.
    nonlinearity : str, Nonlinearity or callable
        The odd function sigma: 'sign', 'tanh', 'erf', 'linear', 'cubic' or one's own.

    Raises
    ------
    InvalidInput
        For a load or temperature out of range, or a nonlinearity that is not odd.

    Notes
    -----
    Variables that stay finite at T = 0: ``chi = beta (1 - q)``, ``dp = beta (p_d - p)``, ``dp_hat = p_d_hat - p_hat``,
    ``X = p_hat / beta``.  ``t = x^1.s/N`` is the overlap with the example's latent field; ``X / kappa_1^2`` is the
    mean squared field of the other examples.

    References
    ----------
    M. Negri, C. Lauditi, G. Perugini, C. Lucibello, E. Malatesta, PRL 131, 257301 (2023), arXiv:2303.16880.
    S. Kalaj et al., arXiv:2407.05658 (2024).

    Examples
    --------
    >>> RandomFeatures(alpha=0.07, alpha_d=0.5).ground_state_energy("example", 1).condensed
    (m, t)
    """

    alpha: float | None = None
    alpha_d: float | None = None
    temperature: float | None = 0.0
    nonlinearity: str | Nonlinearity = "sign"

    name: ClassVar[str] = "random-features"
    summary: ClassVar[str] = "Hopfield network storing P = alpha N combinations of D = alpha_d N features"
    states: ClassVar[tuple[str, ...]] = ("paramagnet", "spin_glass", "example", "feature", "mixture")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("alpha", "load P/N of examples", high=1e12),
        Parameter("alpha_d", "load D/N of features", high=1e12),
        Parameter("temperature", "temperature in units of the coupling", low_open=False, default=0.0),
    )
    references: ClassVar[tuple[str, ...]] = (
        "@article{negri2023,\n  author = {Negri, Matteo and Lauditi, Clarissa and Perugini, Gabriele and Lucibello, "
        "Carlo and Malatesta, Enrico},\n  title = {Storage and learning phase transitions in the random-features "
        "{Hopfield} model},\n  journal = {Physical Review Letters},\n  volume = {131},\n  pages = {257301},\n"
        "  year = {2023},\n  eprint = {2303.16880}\n}",
        "@article{kalaj2024,\n  author = {Kalaj, Silvio and Lauditi, Clarissa and Perugini, Gabriele and Lucibello, "
        "Carlo and Malatesta, Enrico M. and Negri, Matteo},\n  title = {Random features {Hopfield} networks generalize "
        "retrieval to previously unseen examples},\n  year = {2024},\n  eprint = {2407.05658}\n}",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        nonlinearity(self.nonlinearity)

    @property
    def sigma(self) -> Nonlinearity:
        """The nonlinearity with its Hermite constants."""
        return nonlinearity(self.nonlinearity)

    def structure(self) -> Hashable:
        """Only the example state knows sigma itself; the rest sees kappa_1 and kappa_*."""
        return (self.name, self.sigma)

    def constants(self) -> Mapping[str, Any]:
        """Hermite weights of sigma, exact where they are known in closed form."""
        sigma = self.sigma
        weights = next((w for known, *w in _EXACT_WEIGHTS if known is sigma), None)
        first, rest = weights or (sigma.kappa_1_squared, sigma.kappa_star_squared)
        return {"kappa_1_squared": first, "kappa_star_squared": rest}

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """RS free energy per spin at T > 0, in variables that stay regular as T -> 0."""
        q, p = 1 - T * chi, p_d - T * dp
        Delta_1, Delta_2 = 1 - k1 * dp - ks * chi, 1 - alpha_T * dp_hat * chi
        site = self._site(state, L, zero_temperature=False)
        f = (
            alpha * (k1 + ks) / 2
            + (alpha * T / 2) * sympy.log(Delta_1)
            - (alpha / 2) * (k1 * p + ks * q) / Delta_1
            + (alpha_d * T / 2) * sympy.log(Delta_2)
            - (alpha / 2) * (X * chi + dp_hat * q) / Delta_2
            + (alpha / 2) * X * dp
            + (alpha / 2) * dp_hat * p_d
            + (alpha / 2) * q_hat * chi
            + _condensed_terms(state, L)
            - T * site(0)
        )
        # Gaussian fluctuations of q, P and P_hat in the replicon sector, RS matrices acting as scalars.
        fluctuations = (ks + k1 / Delta_2**2) ** 2 / (Delta_1**2 - alpha_T * (k1 * chi / Delta_2) ** 2)
        fluctuations += alpha_T * (dp_hat / Delta_2) ** 2
        declared = self._declared(
            f,
            state,
            Delta=(Delta_1, Delta_2),
            reported={"q": q, "q_hat": q_hat, "p_d": p_d, "p": p, "p_d_hat": dp_hat + X / T, "p_hat": X / T},
            replicon=1 - (alpha / T**2) * sech4(site) * fluctuations,
            transverse=1 - (alpha_T * dp_hat / T) * _antisymmetric(L, Ising, T) if state == "mixture" else None,
        )
        if state == "paramagnet":
            return declared.restricted({chi: 1 / T, q_hat: sympy.S.Zero, X: sympy.S.Zero, dp: p_d / T})
        return declared

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """The energy per spin at T = 0, where ``q = 1`` and ``p = p_d``."""
        Delta_1, Delta_2 = 1 - k1 * dp - ks * chi, 1 - alpha_T * dp_hat * chi
        f = (
            alpha * (k1 + ks) / 2
            - (alpha / 2) * (k1 * p_d + ks) / Delta_1
            - (alpha / 2) * (X * chi + dp_hat) / Delta_2
            + (alpha / 2) * X * dp
            + (alpha / 2) * dp_hat * p_d
            + (alpha / 2) * q_hat * chi
            + _condensed_terms(state, L)
            - self._site(state, L, zero_temperature=True)(0)
        )
        return self._declared(
            f,
            state,
            Delta=(Delta_1, Delta_2),
            reported={"q": sympy.S.One, "q_hat": q_hat, "p_d": p_d, "p": p_d, "p_d_hat": None, "p_hat": None}
            | {"chi": chi, "dp": dp, "dp_hat": dp_hat, "X": X},
            transverse=1 - alpha_T * dp_hat * _antisymmetric(L, IsingZero, sympy.S.One) if state == "mixture" else None,
        )

    def _site(self, state: str, L: int, *, zero_temperature: bool) -> Callable[[int], sympy.Expr]:
        """Site average of the n-th derivative of the log-partition function (of |h| at T = 0) as a function of n."""
        unit = sympy.S.One if zero_temperature else T
        R = alpha * q_hat / unit**2
        if state == "example":
            example = example_site(self.sigma, zero_temperature=zero_temperature)
            return lambda n: example(0, 0, n, m / unit, t_hat / unit, R)
        ising = IsingZero if zero_temperature else Ising
        if state in ("feature", "mixture"):
            return lambda n: feature_sum(lambda zeta: ising(n, m_hat * zeta / unit, R), L)
        return lambda n: ising(n, sympy.S.Zero, R)

    def _declared(
        self,
        f: sympy.Expr,
        state: str,
        *,
        Delta: tuple[sympy.Expr, sympy.Expr],
        reported: dict[str, sympy.Expr | None],
        **declared: Any,
    ) -> FreeEnergy:
        """The roles of the symbols, common to all temperatures."""
        overlaps = _OVERLAPS.get(state, ())
        named: dict[str, sympy.Expr | None] = {str(v): v for pair in overlaps for v in pair}
        if state == "example":
            named["m_hat"] = m
        bounded = {chi: (0.0, np.inf), q_hat: (0.0, np.inf), p_d: (0.0, np.inf)}
        if state != "example" or self.sigma.binary:
            bounded[m] = (-1.0, 1.0)
        return FreeEnergy(
            f,
            pairs=(*overlaps, (chi, q_hat), (dp, X), (p_d, dp_hat)),
            condensed=tuple(pair[0] for pair in overlaps),
            bounds=bounded,
            # The last one keeps p_d and X, which feed each other, positive.
            interior=(*Delta, 1 - alpha_T * (k1 * chi / (Delta[0] * Delta[1])) ** 2),
            reported={**named, **reported},
            **declared,
        )

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The noise-free condensed state, or the uncondensed one solved on its one unknown."""
        if state == "paramagnet":
            return self._paramagnet()
        if state == "spin_glass":
            return self._spin_glass()
        kappa = self.sigma.kappa_1
        ratio = float(self.alpha or 0.0) / float(self.alpha_d or np.inf)
        if state == "example":
            overlap, squared = self._mean_absolute(), kappa**2
            first = {"m": overlap, "t": kappa, "t_hat": ratio * kappa**3}
        else:
            overlap = float(feature_sum(abs, L)) / L
            squared = L * overlap**2
            first = {"m": overlap, "m_hat": ratio * kappa**2 * overlap}
        return {**first, **self._closure(0.0, squared)}

    def spinodal_start(self, state: str, L: int, vary: str) -> Mapping[str, float] | None:
        """A point near the T = 0 spinodal of features and mixtures, where everything is explicit in y = m_hat/s.

        At fixed alpha_T, alpha_D(y) is explicit and the spinodal is its maximum; a coarse table in alpha_T is
        inverted for the parameter that is given.
        """
        if state not in ("feature", "mixture") or self.temperature != 0.0 or vary not in ("alpha", "alpha_d"):
            return None
        w1, ws = self.sigma.kappa_1_squared, self.sigma.kappa_star_squared
        y = np.linspace(0.4, 6.0, 141)
        zeta = np.arange(-L, L + 1, 2.0)
        weight = np.array([math.comb(L, k) / 2**L for k in range(L + 1)])  # integers beyond 64 bits for large L
        overlap = (weight * zeta) @ erf(np.outer(zeta, y) / np.sqrt(2.0)) / L
        C = weight @ (2.0 * np.exp(-0.5 * np.outer(zeta, y) ** 2)) / np.sqrt(2.0 * np.pi) * y / overlap
        lowest = 5.0 if vary == "alpha" else max(5.0, float(self.alpha or 0.0) / 0.14)
        ratio = np.geomspace(lowest, 1e4 * lowest, 40)[:, None]
        a = 1.0 / (1.0 - C) ** 2
        with np.errstate(all="ignore"):
            gain = 1.0 / (1.0 - a * C * C / ratio)
            load = overlap**2 * (ratio / y**2 - L * (ws / w1 + a) * gain)
            load = load / ((ws / w1 + a) ** 2 * gain + a * ratio)
        load[~((C < 1.0) & (gain > 0.0) & np.isfinite(load))] = -1.0
        best = np.argmax(load, axis=1)
        top = load[np.arange(len(best)), best]
        keep = top > 0.0
        if keep.sum() < 2:
            return None
        best, top, known = best[keep], top[keep], ratio[keep, 0]
        given = np.log(known * top) if vary == "alpha_d" else np.log(top)
        target = math.log(float(self.alpha or 0.0) if vary == "alpha_d" else float(self.alpha_d or 0.0))
        if not given[0] <= target <= given[-1]:
            return None
        found = float(np.exp(np.interp(target, given, np.log(known))))
        k = int(best[np.argmin(np.abs(given - target))])
        value = float(self.alpha or 0.0) / found if vary == "alpha_d" else float(self.alpha_d or 0.0) * found
        near = replace(self, alpha=value) if vary == "alpha" else replace(self, alpha_d=value)
        closed = near._closure(float(C[k]), L * float(overlap[k]) ** 2)
        m_hat_0 = found * closed["dp_hat"] * float(overlap[k])
        return {"m": float(overlap[k]), "m_hat": m_hat_0, **closed, vary: value}

    def _mean_absolute(self) -> float:
        """Overlap of ``s = sign(xi)`` with xi, ``E |sigma|``."""
        from theory.quadrature import half_line_rule

        x, w = half_line_rule(nodes=40, fine=True)
        return 1.0 if self.sigma.binary else float(w @ np.abs(self.sigma.function(x)))

    def _closure(self, C: float, squared: float) -> dict[str, float]:
        """Everything but the site averages, explicit in ``C = 1 - Delta_2`` and the amplified overlap squared.

        Only a starting point; the pair (p_d, X) solves a linear system.
        """
        a, d, tau = float(self.alpha or 0.0), float(self.alpha_d or 0.0), float(self.temperature or 0.0)
        w1, ws = self.sigma.kappa_1_squared, self.sigma.kappa_star_squared
        ratio, response = a / d, self._response(C)
        q = 1.0 - tau * response
        field = w1 / (1.0 - response * (w1 / (1.0 - C) + ws))
        amplified = 1.0 / (1.0 - C) ** 2
        W = (squared / d + (amplified + ws / w1) * q) / (1.0 - amplified * C * C / ratio)
        return {
            "chi": response,
            "q_hat": field**2 * (ws / w1 * W + amplified * (W + ratio * q)),
            "dp": response / (1.0 - C),
            "X": field**2 * W,
            "p_d": W - ws / w1 * q + tau * response / (1.0 - C),
            "dp_hat": field,
        }

    def _response(self, C: float) -> float:
        """``chi`` as a function of C, increasing over the physical range ``C <= sqrt(alpha_T)/(1 + sqrt(alpha_T))``."""
        w1, ws = self.sigma.kappa_1_squared, self.sigma.kappa_star_squared
        return C / (float(self.alpha or 0.0) / float(self.alpha_d or 1.0) * w1 + C * (w1 / (1.0 - C) + ws))

    def _largest_C(self) -> float:
        root = float(np.sqrt(float(self.alpha or 0.0) / float(self.alpha_d or 1.0)))
        return root / (1.0 + root) * (1.0 - 1e-10)

    def _spin_glass(self) -> Mapping[str, float]:
        """Root of ``chi = beta E sech^2`` along the closure."""
        a, tau = float(self.alpha or 0.0), float(self.temperature or 0.0)

        def excess(C: float) -> float:
            noise = a * self._closure(C, 0.0)["q_hat"]
            if tau == 0.0:
                return float(np.sqrt(2.0 / np.pi) - self._response(C) * np.sqrt(noise))
            site = Ising.orders([(2,)], (np.zeros(1), np.array([noise / tau**2])))[0][0]
            return float(site) - tau * self._response(C)

        top = self._largest_C()
        if tau * self._response(top) >= 1.0:  # the paramagnet bounds the range; stop just short of it
            top = float(brentq(lambda C: tau * self._response(C) - (1.0 - 1e-8), 1e-300, top, xtol=1e-16))
        if excess(top) >= 0.0:
            at = self._paramagnet()
            return {**at, "chi": 1.0 / tau, "q_hat": 0.0, "X": 0.0, "dp": at["p_d"] / tau}
        return self._closure(float(brentq(excess, 1e-14 * top, top, xtol=1e-16)), 0.0)

    def _paramagnet(self) -> dict[str, float]:
        """``q = 0``: the closure at chi = beta, or at the largest chi where no paramagnet exists."""
        tau, C = float(self.temperature or 0.0), self._largest_C()
        if tau * self._response(C) > 1.0:
            C = float(brentq(lambda c: tau * self._response(c) - 1.0, 1e-300, C, xtol=1e-16))
        at = self._closure(C, 0.0)
        return {"p_d": at["p_d"], "dp_hat": at["dp_hat"]}

    def temperature_unit(self) -> float:
        """The larger of the two energy scales: the coupling, and that of the feature network at high load."""
        return max(1.0, float(self.alpha or 0.0) / float(self.alpha_d or np.inf) * self.sigma.kappa_1_squared)

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """Examples survive at low load of many features; features and mixtures when many examples share few."""
        return {
            "paramagnet": {"alpha": "low", "alpha_d": "high", "temperature": "high"},
            "spin_glass": {"alpha": "high", "alpha_d": "low", "temperature": "low"},
            "example": {"alpha": "low", "alpha_d": "high", "temperature": "low"},
        }.get(state, {"alpha_d": "low", "alpha": "high", "temperature": "low"})

    def limits(self) -> Sequence[Limit]:
        """Hopfield on the examples (alpha_d -> inf), Hopfield on the features (alpha -> inf), and T -> 0."""
        many, few = RandomFeatures(0.08, 1e7), RandomFeatures(1e6, 0.08)
        glass = RandomFeatures(0.5, 0.05, 1e-3)
        warm, hot = replace(many, temperature=0.3), replace(few, temperature=0.3 * few.temperature_unit())
        return [
            Limit("alpha_d -> inf", many, "example", Hopfield(0.08), "example", ("m", "free_energy"), 1e-6),
            Limit("alpha_d -> inf", many, "spin_glass", Hopfield(0.08), "spin_glass", ("q_hat", "free_energy"), 1e-6),
            Limit("alpha_d -> inf", warm, "example", Hopfield(0.08, 0.3), "example", ("m", "q", "free_energy"), 1e-6),
            Limit("alpha -> inf", few, "feature", Hopfield(0.08), "example", ("m",), 1e-6),
            Limit("alpha -> inf", RandomFeatures(1e6, 0.02), "mixture", Hopfield(0.02), "mixture", ("m",), 1e-6),
            Limit(
                "alpha -> inf, T = alpha_T kappa_1^2 T'",
                hot,
                "feature",
                Hopfield(0.08, 0.3),
                "example",
                ("m", "q"),
                1e-6,
            ),
            Limit("T -> 0", glass, "spin_glass", replace(glass, temperature=0.0), "spin_glass", ("free_energy",), 1e-4),
            *(
                Limit("T -> 0", replace(zero, temperature=1e-4), state, zero, state, ("m", "p_d", "free_energy"), 1e-6)
                for zero, state in (
                    (RandomFeatures(0.08, 0.5), "example"),
                    (RandomFeatures(1.0, 0.05), "feature"),
                    (RandomFeatures(1.0, 0.01), "mixture"),
                )
            ),
        ]

    def pattern_law(self, *, coefficients: str = "gaussian", L_train: int = 3) -> RandomFeaturePatterns:
        """Examples sigma(D^{-1/2} sum_k c_k f_k); the RS theory describes dense coefficients."""
        return RandomFeaturePatterns(self.sigma, cast(Coefficients, coefficients), L_train)


def _condensed_terms(state: str, L: int) -> sympy.Expr:
    """What the condensed overlaps add to the free energy besides the site term."""
    if state == "example":
        return m**2 / 2 - (alpha_T / 2) * dp_hat * t**2 + t_hat * t
    if state in ("feature", "mixture"):
        return -(alpha_T / 2) * dp_hat * L * m**2 + L * m_hat * m
    return sympy.S.Zero


def _antisymmetric(L: int, site: type[SiteTerm], unit: sympy.Expr) -> sympy.Expr:
    """Response of the overlaps when they move against each other."""
    return antisymmetric(lambda zeta: site(2, m_hat * zeta / unit, alpha * q_hat / unit**2), L)
