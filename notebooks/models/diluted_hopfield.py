r"""The Hopfield model on a diluted graph: a complete model in one file, to be copied and changed.

Each bond is kept with probability c, symmetrically, and strengthened by 1/c:

    J_ij = (c_ij / c) N^{-1} sum_mu xi_i^mu xi_j^mu,     c_ij = c_ji in {0, 1},     E c_ij = c.

The mean of J_ij over the bonds is Hebb's rule; its scatter acts as an independent Gaussian of variance
alpha (1 - c) / (c N) on every bond, which adds ``-(beta/4) [alpha (1 - c)/c] (1 - q^2)`` to the free energy of Amit,
Gutfreund and Sompolinsky.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from theory.equations import FreeEnergy
from theory.model import Limit, Model, Parameter, register
from theory.models.hopfield import Hopfield
from theory.sites import Ising, IsingZero, sech4

alpha, c, T = sympy.symbols("alpha connectivity temperature")
m, chi, q_hat = sympy.symbols("m chi q_hat")
noise = alpha * (1 - c) / c


@register
@dataclass(frozen=True)
class DilutedHopfield(Model):
    """Replica-symmetric theory of the symmetrically diluted Hopfield model, with ``chi = beta (1 - q)``."""

    alpha: float | None = None
    connectivity: float | None = 1.0
    temperature: float | None = 0.0

    name = "diluted-hopfield"
    summary = "Hopfield network that keeps each bond with probability c"
    states = ("paramagnet", "spin_glass", "example")
    parameters = (
        Parameter("alpha", "load P/N"),
        Parameter("connectivity", "fraction c of the bonds that is kept", high=1.0, default=1.0),
        Parameter("temperature", "temperature in units of the coupling", low_open=False, default=0.0),
    )
    references = (
        "@article{sompolinsky1986,\n  author = {Sompolinsky, Haim},\n  title = {Neural networks with nonlinear "
        "synapses and a static noise},\n  journal = {Physical Review A},\n  volume = {34},\n  pages = {2571},\n"
        "  year = {1986},\n  doi = {10.1103/PhysRevA.34.2571}\n}",
    )

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """f at T > 0; the paramagnet is the spin glass held at q = 0."""
        M, q = (m if state == "example" else sympy.S.Zero), 1 - T * chi

        def site(n: int) -> sympy.Expr:
            return Ising(n, M / T, alpha * q_hat / T**2)

        f = alpha * T / 2 * sympy.log(1 - chi) - alpha / 2 * q / (1 - chi) - noise / 4 * chi * (1 + q) - T * site(0)
        replicon = 1 - (alpha / (1 - chi) ** 2 + noise) * sech4(site) / T**2
        declared = self._declared(f, M, q, replicon)
        return declared.restricted({chi: 1 / T, q_hat: sympy.S.Zero}) if state == "paramagnet" else declared

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """T -> 0 of f at fixed chi: log-partition functions become absolute values of fields, and q = 1."""
        M = m if state == "example" else sympy.S.Zero
        f = -alpha / 2 / (1 - chi) - noise / 2 * chi - IsingZero(0, M, alpha * q_hat)
        return self._declared(f, M, sympy.S.One, None)

    def _declared(self, f: sympy.Expr, M: sympy.Expr, q: sympy.Expr, replicon: sympy.Expr | None) -> FreeEnergy:
        """Add the terms common to all temperatures, and say which symbol is what."""
        return FreeEnergy(
            f + M**2 / 2 + alpha / 2 + alpha / 2 * q_hat * chi,
            pairs=((m, m), (chi, q_hat)) if M else ((chi, q_hat),),
            condensed=(m,) if M else (),
            bounds={m: (0.0, 1.0), chi: (0.0, np.inf), q_hat: (0.0, np.inf)},
            interior=(1 - chi,),
            reported={"m": M, "q": q, "q_hat": q_hat, "chi": chi},
            replicon=replicon,
        )

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The pattern itself, or a rough guess where nothing is condensed; Newton's method does the rest."""
        return {"m": 1.0, "chi": 0.0, "q_hat": 1.0} if state == "example" else {"chi": 0.5, "q_hat": 4.0}

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """Retrieval survives at low load, low temperature and full connectivity."""
        return {**Model.exists_towards(self, state), "connectivity": "high"}

    def limits(self) -> Sequence[Limit]:
        """With all bonds it is the Hopfield model."""
        same = ("m", "q_hat", "free_energy")
        return [
            Limit("c = 1", DilutedHopfield(0.05, 1.0, t), "example", Hopfield(0.05, t), "example", same, 1e-12)
            for t in (0.0, 0.3)
        ]
