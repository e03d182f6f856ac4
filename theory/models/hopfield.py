r"""The Hopfield model: P = alpha N random +-1 patterns stored by Hebb's rule (Amit, Gutfreund, Sompolinsky).

``H = -1/2 sum_{i != j} J_ij s_i s_j``, ``J_ij = N^{-1} sum_mu xi_i^mu xi_j^mu``; energies and temperatures in units
of the coupling, so that T_g = 1 + sqrt(alpha).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import sympy
from scipy.optimize import brentq

from theory.denoising import one_step
from theory.ensembles import IidPatterns
from theory.equations import FreeEnergy
from theory.model import Limit, Model, Parameter, register
from theory.sites import Ising, IsingZero, antisymmetric, feature_sum, sech4

__all__ = ["Hopfield"]

alpha, T, m, chi, q_hat = sympy.symbols("alpha temperature m chi q_hat")
_BOUNDS = {m: (-1.0, 1.0), chi: (0.0, np.inf), q_hat: (0.0, np.inf)}


@register
@dataclass(frozen=True)
class Hopfield(Model):
    """Amit-Gutfreund-Sompolinsky theory of the Hopfield model.

    Parameters
    ----------
    alpha : float or None
        Load P/N > 0; None while it is the unknown of a threshold.
    temperature : float or None
        T >= 0 in units of the coupling.

    Raises
    ------
    InvalidInput
        For a load or temperature out of range.

    Notes
    -----
    ``chi = beta (1 - q)`` stays finite at T = 0; `q_hat` is r of the original paper.

    References
    ----------
    D. J. Amit, H. Gutfreund, H. Sompolinsky, Ann. Phys. 173, 30 (1987).

    Examples
    --------
    >>> Hopfield(alpha=0.05).free_energy("example", 1).pairs
    ((m, m), (chi, q_hat))
    """

    alpha: float | None = None
    temperature: float | None = 0.0

    name: ClassVar[str] = "hopfield"
    summary: ClassVar[str] = "Hopfield network with P = alpha N random patterns (Amit-Gutfreund-Sompolinsky)"
    states: ClassVar[tuple[str, ...]] = ("paramagnet", "spin_glass", "example", "mixture")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("alpha", "load P/N", high=1e12),
        Parameter("temperature", "temperature in units of the coupling", low_open=False, default=0.0),
    )
    references: ClassVar[tuple[str, ...]] = (
        "@article{amit1987,\n  author = {Amit, Daniel J. and Gutfreund, Hanoch and Sompolinsky, Haim},\n"
        "  title = {Statistical mechanics of neural networks near saturation},\n"
        "  journal = {Annals of Physics},\n  volume = {173},\n  pages = {30--67},\n  year = {1987},\n"
        "  doi = {10.1016/0003-4916(87)90092-3}\n}",
    )

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """AGS free energy per spin at T > 0; L patterns condensed with equal overlap m (L = 1: retrieval)."""
        M = m if state in ("example", "mixture") else sympy.S.Zero
        q, Delta = 1 - T * chi, 1 - chi

        def site(order: int, zeta: sympy.Expr = sympy.S.One) -> sympy.Expr:
            return Ising(order, M * zeta / T, alpha * q_hat / T**2)

        f = (
            alpha / 2
            + L * M**2 / 2
            + (alpha * T / 2) * sympy.log(Delta)
            - (alpha / 2) * q / Delta
            + (alpha / 2) * q_hat * chi
            - T * feature_sum(lambda zeta: site(0, zeta), L)
        )
        declared = FreeEnergy(
            f,
            pairs=((m, m), (chi, q_hat)) if M != 0 else ((chi, q_hat),),
            condensed=(m,) if M != 0 else (),
            bounds=_BOUNDS,
            interior=(Delta,),
            reported={"m": M, "q": q, "m_hat": M, "q_hat": q_hat} if M != 0 else {"q": q, "q_hat": q_hat},
            replicon=1 - (alpha / (T * Delta) ** 2) * feature_sum(lambda zeta: sech4(lambda n: site(n, zeta)), L),
            transverse=1 - antisymmetric(lambda zeta: site(2, zeta), L) / T if L > 1 else None,
        )
        return declared.restricted({chi: 1 / T, q_hat: sympy.S.Zero}) if state == "paramagnet" else declared

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """The energy per spin at T = 0, where ``chi = lim beta (1 - q)``."""
        M = m if state in ("example", "mixture") else sympy.S.Zero

        def site(order: int, zeta: sympy.Expr = sympy.S.One) -> sympy.Expr:
            return IsingZero(order, M * zeta, alpha * q_hat)

        f = (
            alpha / 2
            + L * M**2 / 2
            - (alpha / 2) / (1 - chi)
            + (alpha / 2) * q_hat * chi
            - feature_sum(lambda zeta: site(0, zeta), L)
        )
        overlaps = {"m": M, "m_hat": M} if M != 0 else {}
        return FreeEnergy(
            f,
            pairs=((m, m), (chi, q_hat)) if M != 0 else ((chi, q_hat),),
            condensed=(m,) if M != 0 else (),
            bounds=_BOUNDS,
            interior=(1 - chi,),
            reported={**overlaps, "q": sympy.S.One, "q_hat": q_hat, "chi": chi},
            transverse=1 - antisymmetric(lambda zeta: site(2, zeta), L) if L > 1 else None,
        )

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The noise-free retrieval state, or the spin glass solved on its one unknown."""
        a, t = float(self.alpha or 0.0), float(self.temperature or 0.0)
        if state == "paramagnet":
            return {}
        if state == "spin_glass":
            return _spin_glass(a, t)
        overlap = float(feature_sum(abs, L)) / L
        return {"m": overlap, "chi": 0.0, "q_hat": 1.0 if t == 0.0 else max(1e-3, 1.0 - t)}

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """Retrieval survives at low load and low temperature."""
        if state == "paramagnet":
            return {"alpha": "low", "temperature": "high"}
        return {"alpha": "high" if state == "spin_glass" else "low", "temperature": "low"}

    def limits(self) -> Sequence[Limit]:
        """T -> 0 is the T = 0 theory."""
        cold, zero = Hopfield(0.1, 1e-4), Hopfield(0.1, 0.0)
        return [
            Limit("T -> 0", cold, "example", zero, "example", ("m", "q_hat", "free_energy"), 1e-5),
            Limit("T -> 0", cold, "spin_glass", zero, "spin_glass", ("q_hat", "free_energy"), 1e-3),
        ]

    def first_step(self, m0: float) -> Mapping[str, float]:
        """One synchronous step at T = 0 from overlap m0: ``m1 = erf(m0/sqrt(2 alpha))`` (`theory.denoising`)."""
        return one_step(m0, alpha=float(self.alpha or 0.0))

    def pattern_law(self, *, coefficients: str = "gaussian", L_train: int = 3) -> IidPatterns:
        """Independent +-1 patterns; the arguments concern random features only."""
        return IidPatterns()


def _spin_glass(alpha: float, temperature: float) -> dict[str, float]:
    """Root in chi of ``chi = beta E sech^2``; the paramagnet sits at chi = beta."""
    if temperature == 0.0:
        chi_0 = 1.0 / (1.0 + np.sqrt(np.pi * alpha / 2.0))
        return {"chi": chi_0, "q_hat": 1.0 / (1.0 - chi_0) ** 2}

    def excess(x: float) -> float:
        r = (1.0 - temperature * x) / (1.0 - x) ** 2
        variance = np.array([alpha * r / temperature**2])
        return float(Ising.orders([(2,)], (np.zeros(1), variance))[0][0]) - temperature * x

    top = min(1.0, 1.0 / temperature) * (1.0 - 1e-9)
    if excess(top) >= 0.0:
        return {"chi": 1.0 / temperature, "q_hat": 0.0}
    x = float(brentq(excess, 1e-12, top, xtol=1e-14))
    return {"chi": x, "q_hat": (1.0 - temperature * x) / (1.0 - x) ** 2}
