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
from scipy.special import erf

from theory.ensembles import CUBIC, ERF, LINEAR, SIGN, Coefficients, Nonlinearity, RandomFeaturePatterns, nonlinearity
from theory.equations import FreeEnergy
from theory.feature_network import Closure, Explicit, Loads, cold_network, exists_towards, paramagnetic, warm_network
from theory.model import Limit, Model, Parameter, register
from theory.models.hopfield import Hopfield
from theory.sites import Ising, IsingZero, SiteTerm, antisymmetric, example_site, feature_sum, sech4

__all__ = ["RandomFeatures"]

alpha, alpha_d, T, m, m_hat, t_hat, q_hat = sympy.symbols("alpha alpha_d temperature m m_hat t_hat q_hat")

_ARCSINE = (2 / sympy.pi) * sympy.asin(sympy.Rational(2, 3))  # E[erf(z)^2]
_EXACT_WEIGHTS = (
    (SIGN, 2 / sympy.pi, 1 - 2 / sympy.pi),
    (LINEAR, sympy.S.One, sympy.S.Zero),
    (CUBIC, sympy.Integer(9), sympy.Integer(6)),
    (ERF, 4 / (3 * sympy.pi), _ARCSINE - 4 / (3 * sympy.pi)),
)


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
        site = self._site(state, L, zero_temperature=False)
        warm = warm_network(
            state,
            L,
            Loads(alpha, alpha_d),
            entropic=site(0),
            response=sech4(site),
            across=_antisymmetric(L, Ising, T) if state == "mixture" else None,
            bounded=self._bounded(state),
        )
        return paramagnetic(warm) if state == "paramagnet" else warm

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """The energy per spin at T = 0."""
        return cold_network(
            state,
            L,
            Loads(alpha, alpha_d),
            length=self._site(state, L, zero_temperature=True)(0),
            across=_antisymmetric(L, IsingZero, sympy.S.One) if state == "mixture" else None,
            bounded=self._bounded(state),
        )

    def _bounded(self, state: str) -> bool:
        return state != "example" or self.sigma.binary

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

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The noise-free condensed state, or the uncondensed one solved on its one unknown."""
        closure = self._closure()
        if state == "paramagnet":
            return closure.paramagnet()
        if state == "spin_glass":
            return closure.spin_glass(self._response_to)
        kappa = self.sigma.kappa_1
        ratio = float(self.alpha or 0.0) / float(self.alpha_d or np.inf)
        if state == "example":
            overlap, squared = self._mean_absolute(), kappa**2
            first = {"m": overlap, "t": kappa, "t_hat": ratio * kappa**3}
        else:
            overlap = float(feature_sum(abs, L)) / L
            squared = L * overlap**2
            first = {"m": overlap, "m_hat": ratio * kappa**2 * overlap}
        return {**first, **closure.at(0.0, squared)}

    def spinodal_start(self, state: str, L: int, vary: str) -> Mapping[str, float] | None:
        """A point near the T = 0 spinodal of features and mixtures, where everything is explicit in y = m_hat/s."""
        if state not in ("feature", "mixture") or self.temperature != 0.0 or vary not in ("alpha", "alpha_d"):
            return None
        y = np.linspace(0.4, 6.0, 141)
        zeta = np.arange(-L, L + 1, 2.0)
        weight = np.array([math.comb(L, k) / 2**L for k in range(L + 1)])  # integers beyond 64 bits for large L
        overlap = (weight * zeta) @ erf(np.outer(zeta, y) / np.sqrt(2.0)) / L
        C = weight @ (2.0 * np.exp(-0.5 * np.outer(zeta, y) ** 2)) / np.sqrt(2.0 * np.pi) * y / overlap
        return Explicit(y, overlap, C).spinodal(self._closure(), L, vary)

    def _mean_absolute(self) -> float:
        """Overlap of ``s = sign(xi)`` with xi, ``E |sigma|``."""
        from theory.quadrature import half_line_rule

        x, w = half_line_rule(nodes=40, fine=True)
        return 1.0 if self.sigma.binary else float(w @ np.abs(self.sigma.function(x)))

    def _closure(self) -> Closure:
        loads = float(self.alpha or 0.0), float(self.alpha_d or 1.0)
        weights = self.sigma.kappa_1_squared, self.sigma.kappa_star_squared
        return Closure(*loads, float(self.temperature or 0.0), *weights)

    def _response_to(self, noise: float) -> float:
        """``E sech^2``, or its limit, for a Gaussian field without mean."""
        if not self.temperature:
            return math.sqrt(2.0 / math.pi)
        return float(Ising.orders([(2,)], (np.zeros(1), np.array([noise / self.temperature**2])))[0][0])

    def temperature_unit(self) -> float:
        """The larger of the two energy scales: the coupling, and that of the feature network at high load."""
        return max(1.0, float(self.alpha or 0.0) / float(self.alpha_d or np.inf) * self.sigma.kappa_1_squared)

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """Examples survive at low load of many features; features and mixtures when many examples share few."""
        return exists_towards(state)

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


def _antisymmetric(L: int, site: type[SiteTerm], unit: sympy.Expr) -> sympy.Expr:
    """Response of the overlaps when they move against each other."""
    return antisymmetric(lambda zeta: site(2, m_hat * zeta / unit, alpha * q_hat / unit**2), L)
