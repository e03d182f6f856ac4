r"""The vector Hopfield model: spins and patterns are unit vectors of d components, stored by tensor Hebbian couplings.

``H = -1/2 sum_{i != j} s_i J_ij s_j`` with the d x d blocks ``J_ij = N^{-1} sum_mu xi_i^mu (xi_j^mu)^T`` and
``|s_i| = |xi_i^mu| = 1``; energies are per spin in these units.  The parameter `temperature` is ``tau = d T``, so that
retrieval at low load ends at tau = 1 for every d; d = 1 is the Hopfield model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import sympy
from scipy.optimize import brentq

from theory.denoising import one_step
from theory.ensembles import IsotropicPatterns
from theory.equations import FreeEnergy
from theory.model import Limit, Model, Parameter, register
from theory.models.hopfield import Hopfield
from theory.vector_sites import kummer, mean_length, vector_site

if TYPE_CHECKING:
    from theory.spectra import Spectrum

__all__ = ["VectorHopfield"]

alpha, tau, m, chi, q_hat = sympy.symbols("alpha temperature m chi q_hat")


@register
@dataclass(frozen=True)
class VectorHopfield(Model):
    """Replica-symmetric theory of the Hopfield model of d-component unit spins.

    Parameters
    ----------
    alpha : float or None
        Load P/N > 0; None while it is the unknown of a threshold.
    d : int
        Number of components of a spin, 1 to 200.
    temperature : float or None
        tau = d T >= 0, where T is in units of the coupling of unit vectors; equally the temperature of spins of
        length sqrt(d) with energies per component.

    Raises
    ------
    InvalidInput
        For a load, temperature or dimension out of range.

    Notes
    -----
    ``chi = beta (1 - q)`` with ``beta = 1/T = d/tau`` stays finite at T = 0; ``sigma = sqrt(alpha q_hat)/d`` is the
    noise of every component of a local field, and ``q_hat = q/(1 - chi/d)^2``.  Entropies are per component,
    ``f = E - tau S``, with the area of the unit sphere as measure; they diverge at T = 0 for d > 1.

    References
    ----------
    F. Nicoletti, F. D'Amico, M. Negri, J. Phys. A (2025), arXiv:2507.02586.

    Examples
    --------
    >>> VectorHopfield(alpha=0.02, d=3).ground_state_energy("example", 1).pairs
    ((m, m), (chi, q_hat))
    """

    alpha: float | None = None
    d: int = 3
    temperature: float | None = 0.0

    name: ClassVar[str] = "vector-hopfield"
    summary: ClassVar[str] = "Hopfield network of unit vectors with d components, tensor Hebbian couplings"
    states: ClassVar[tuple[str, ...]] = ("paramagnet", "spin_glass", "example")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("alpha", "load P/N; the scaled load is d alpha", high=1e12),
        Parameter(
            "temperature", "tau = d T, with T in units of the coupling of unit vectors", low_open=False, default=0.0
        ),
    )
    structural: ClassVar[tuple[Parameter, ...]] = (
        Parameter("d", "number of components of a spin", low=1, high=200, low_open=False, default=3, whole=True),
    )
    references: ClassVar[tuple[str, ...]] = (
        "@article{nicoletti2025,\n  author = {Nicoletti, Flavio and D'Amico, Francesco and Negri, Matteo},\n"
        "  title = {Statistical mechanics of vector {Hopfield} network near and above saturation},\n"
        "  journal = {Journal of Physics A: Mathematical and Theoretical},\n  year = {2025},\n"
        "  eprint = {2507.02586}\n}",
    )

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """RS free energy per spin at T > 0."""
        d, M = sympy.Integer(self.d), m if state == "example" else sympy.S.Zero
        q, Delta = 1 - tau * chi / d, 1 - chi / d
        fields = (d * M / tau, alpha * q_hat / tau**2)
        f = (
            alpha / (2 * d)
            + M**2 / 2
            + (alpha * tau / (2 * d)) * sympy.log(Delta)
            - (alpha / (2 * d)) * q / Delta
            + (alpha / (2 * d**2)) * q_hat * chi
            - (tau / d) * vector_site(self.d)(0, 0, *fields)
        )
        response = vector_site(self.d, response="isotropic")(0, 0, *fields)
        declared = self._declared(f, M, q, Delta, replicon=1 - alpha / (tau * Delta) ** 2 * response)
        return declared.restricted({chi: d / tau, q_hat: sympy.S.Zero}) if state == "paramagnet" else declared

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """The energy per spin at T = 0; replica symmetry can be stable for d >= 3."""
        d, M = sympy.Integer(self.d), m if state == "example" else sympy.S.Zero
        Delta, fields = 1 - chi / d, (M, alpha * q_hat / d**2)
        f = (
            alpha / (2 * d)
            + M**2 / 2
            - (alpha / (2 * d)) / Delta
            + (alpha / (2 * d**2)) * q_hat * chi
            - vector_site(self.d, zero_temperature=True)(0, 0, *fields)
        )
        replicon = None
        if self.d >= 3:  # otherwise E 1/h^2 diverges
            response = vector_site(self.d, zero_temperature=True, response="isotropic")(0, 0, *fields)
            replicon = 1 - alpha * (d - 1) / (d * Delta) ** 2 * response
        return self._declared(f, M, sympy.S.One, Delta, replicon=replicon)

    def _declared(
        self, f: sympy.Expr, M: sympy.Expr, q: sympy.Expr, Delta: sympy.Expr, *, replicon: sympy.Expr | None
    ) -> FreeEnergy:
        """The roles of the symbols, common to all temperatures."""
        overlaps = {"m": M, "m_hat": M} if M != 0 else {}
        return FreeEnergy(
            f,
            pairs=((m, m), (chi, q_hat)) if M != 0 else ((chi, q_hat),),
            condensed=(m,) if M != 0 else (),
            bounds={m: (-1.0, 1.0), chi: (0.0, np.inf), q_hat: (0.0, np.inf)},
            interior=(Delta,),
            reported={**overlaps, "q": q, "q_hat": q_hat, "chi": chi, "sigma": sympy.sqrt(alpha * q_hat) / self.d},
            replicon=replicon,
        )

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The noise-free retrieval state, or the spin glass solved on its one unknown."""
        t = float(self.temperature or 0.0)
        if state == "paramagnet":
            return {}
        if state == "spin_glass":
            return self._spin_glass(float(self.alpha or 0.0), t)
        if t == 0.0:
            return {"m": 1.0, "chi": self.d - 1.0, "q_hat": float(self.d**2)}
        overlap = self._free_overlap(t)
        q = overlap**2
        return {"m": overlap, "chi": self.d * (1.0 - q) / t, "q_hat": q / max(1.0 - (1.0 - q) / t, 1e-3) ** 2}

    def _free_overlap(self, t: float) -> float:
        """Root of ``m = A_d(d m/tau)``, the overlap without noise; a quarter above tau = 1."""
        site = vector_site(self.d)

        def excess(x: float) -> float:
            return float(site.orders([(1, 0)], [np.array([self.d * x / t]), np.zeros(1)])[0][0]) - x

        low = 0.5 * math.sqrt(max(1.0 - t, 0.0))
        if excess(1.0) >= 0.0:  # saturated to rounding
            return 1.0
        return float(brentq(excess, low, 1.0, xtol=1e-15)) if low > 1e-3 and excess(low) > 0.0 else 0.25

    def _spin_glass(self, a: float, t: float) -> dict[str, float]:
        """Root in chi of ``chi = beta (1 - q)``; the paramagnet sits at chi = beta = d/tau."""
        d = self.d
        if t == 0.0:
            c = mean_length(d)
            response = d * c / (c + math.sqrt(a))
            return {"chi": response, "q_hat": 1.0 / (1.0 - response / d) ** 2}
        site = vector_site(d)

        def closure(x: float) -> float:
            return (1.0 - t * x / d) / (1.0 - x / d) ** 2

        def excess(x: float) -> float:
            variance = np.array([a * closure(x) / t**2])
            return float(site.orders([(0, 1)], [np.zeros(1), variance])[0][0]) - t * x / d

        top = d * min(1.0, 1.0 / t) * (1.0 - 1e-9)
        if excess(top) >= 0.0:
            return {"chi": d / t, "q_hat": 0.0}
        x = float(brentq(excess, 1e-12, top, xtol=1e-14))
        return {"chi": x, "q_hat": closure(x)}

    def spinodal_start(self, state: str, L: int, vary: str) -> Mapping[str, float] | None:
        r"""The T = 0 spinodal, the maximum of the explicit load over the signal-to-noise ratio x = m/sigma.

        ``sqrt(alpha) = c_d x^2/(d (d+2)) 1F1(3/2; d/2 + 2; -x^2/2)``.
        """
        if state != "example" or self.temperature != 0.0 or vary != "alpha":
            return None
        d, c = self.d, mean_length(self.d)
        x = math.sqrt(d) * np.linspace(0.5, 4.0, 701)
        z = 0.5 * x * x
        load = (c * x * x / (d * (d + 2)) * kummer(1.5, 0.5 * d + 2.0, z)) ** 2
        best = slice(int(np.argmax(load)), int(np.argmax(load)) + 1)
        overlap = float((c / d * x * kummer(0.5, 0.5 * d + 1.0, z))[best][0])
        sigma, value = overlap / float(x[best][0]), float(load[best][0])
        response = c / sigma * float(kummer(0.5, 0.5 * d, z[best])[0])
        return {"m": overlap, "chi": response, "q_hat": (d * sigma) ** 2 / value, "alpha": value}

    def load_unit(self) -> float:
        """Loads of interest are of order 1/d: every uncondensed overlap is amplified by d - 1 soft directions."""
        return 1.0 / self.d

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """Retrieval survives at low load and low temperature."""
        if state == "paramagnet":
            return {"alpha": "low", "temperature": "high"}
        return {"alpha": "high" if state == "spin_glass" else "low", "temperature": "low"}

    def convention(self) -> str:
        """How its numbers are read, with the conversion."""
        a, t = self.alpha, self.temperature
        load = "" if a is None else f", here d alpha = {self.d * a:g}"
        heat = "" if not t else f", here T = {t / self.d:g}"
        return f"alpha is P/N{load}, and temperature is tau = d T with T that of unit vectors{heat}"

    def derived(self) -> Mapping[str, Any]:
        """The load d P/N, of order one for every d, and what `temperature` means."""
        return {
            "alpha_scaled": None if self.alpha is None else self.d * self.alpha,
            "temperature_convention": "tau = d T, with T the temperature of spins of unit length",
        }

    def limits(self) -> Sequence[Limit]:
        """d = 1 is the Hopfield model; T -> 0 is the T = 0 theory."""
        same: Callable[[float], list[Limit]] = lambda t: [
            Limit("d = 1", VectorHopfield(0.1, 1, t), state, Hopfield(0.1, t), state, ("q_hat", "free_energy"), 1e-12)
            for state in ("example", "spin_glass")
        ]
        cold, zero = VectorHopfield(0.02, 3, 1e-4), VectorHopfield(0.02, 3)
        return [
            *same(0.0),
            *same(0.2),
            Limit("T -> 0", cold, "example", zero, "example", ("m", "q_hat", "chi"), 1e-3),
            Limit("T -> 0", cold, "spin_glass", zero, "spin_glass", ("q_hat", "chi"), 1e-3),
        ]

    def first_step(self, m0: float) -> Mapping[str, float]:
        """One synchronous step at T = 0 from overlap m0 (`theory.denoising`)."""
        return one_step(m0, alpha=float(self.alpha or 0.0), d=self.d)

    def spectrum(self, state: str, *, points: int) -> Spectrum:
        """Hessian of the T = 0 minima (`theory.minima`)."""
        from theory.minima import hessian_spectrum

        return hessian_spectrum(self, state, points=points)

    @property
    def couplings(self) -> str:
        """Blocks of d x d numbers."""
        return "tensor"

    def pattern_law(self, *, coefficients: str = "gaussian", L_train: int = 3) -> IsotropicPatterns:
        """Independent uniform unit vectors; the arguments concern random features only."""
        return IsotropicPatterns(self.d)
