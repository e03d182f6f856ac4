r"""The AT line of vector Hopfield networks at low temperature, from the order parameters at T = 0.

In Ising and planar networks replica symmetry is unstable where few spins feel fields of the size of the temperature:
``E 1/h^2`` diverges at T = 0.  To leading order in tau the replicon is

    Lambda = 1 - alpha/(tau Delta)^2 E[A'(x)^2 + (d-1) (A(x)/x)^2],      x = d r/tau,      Delta = 1 - chi/d,

with the law of the cavity fields r at T = 0.  For d = 1 its zero is ``tau = (4/3) alpha p(0)/Delta^2``, linear in the
density of vanishing fields; for d = 2 the average is logarithmic in tau, so that the line lies at exponentially
small temperatures, below what double precision reaches by the full equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ive

from theory.local_fields import CavityFields
from theory.models.vector_hopfield import VectorHopfield
from theory.states import solve

__all__ = ["LowTemperatureLine", "low_temperature_replicon"]

Array = NDArray[np.float64]

_NODES = 4001  # in the logarithm of the field


@dataclass(frozen=True)
class LowTemperatureLine:
    """Logarithms of the AT temperatures of retrieval at given loads P/N.

    Attributes
    ----------
    d : int
        1 or 2.
    loads : tuple of float
        Below the capacity at T = 0.
    """

    d: int
    loads: tuple[float, ...]

    def compute(self) -> Array:
        """``ln tau`` at every load."""
        return np.array([self._zero(VectorHopfield(alpha=a, d=self.d)) for a in self.loads])

    def _zero(self, model: VectorHopfield) -> float:
        replicon, low = low_temperature_replicon(model), -10.0
        while replicon(low) > 0.0:
            low *= 2.0
        return float(brentq(replicon, low, -1.0, xtol=1e-9))


def low_temperature_replicon(model: VectorHopfield) -> Callable[[float], float]:
    """The replicon of retrieval to leading order in tau, as a function of ``ln tau``, for d = 1 or 2.

    Examples
    --------
    >>> round(low_temperature_replicon(VectorHopfield(alpha=0.1, d=1))(-6.5355), 3)
    0.0
    """
    found = solve(model, "example").order_parameters
    m, sigma, chi = (float(found[name] or 0.0) for name in ("m", "sigma", "chi"))
    d, alpha, Delta = model.d, float(model.alpha or 0.0), 1.0 - chi / model.d
    fields = CavityFields(d, abs(m), sigma)

    def replicon(log_temperature: float) -> float:
        u = np.linspace(math.log(sigma) + log_temperature - 15.0, math.log(fields.reach[1]), _NODES)
        weight = np.exp(fields.log_density(np.exp(u)) + u)
        mean = float(np.trapezoid(weight * _response(d, u - log_temperature + math.log(d)), u))
        return 1.0 - alpha * mean / (math.exp(log_temperature) * Delta) ** 2

    return replicon


def _response(d: int, log_x: Array) -> Array:
    """``A'^2 + (d-1) (A/x)^2``; beyond x = e^15 that of a saturated spin."""
    x = np.exp(np.minimum(log_x, 15.0))
    if d == 1:
        return np.cosh(np.minimum(x, 300.0)) ** -4.0
    A = ive(1, x) / ive(0, x)
    return np.where(log_x > 15.0, np.exp(-2.0 * log_x), (1.0 - A / x - A**2) ** 2 + (A / x) ** 2)
