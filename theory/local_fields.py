r"""Local fields of vector spins at T = 0, and the law of the cavity fields that they come from.

Without its own reaction a spin feels the cavity field ``h = m e_1 + sigma z`` with z a standard Gaussian of d
components; its length r has the noncentral chi density

    p(r) = (r/sigma^2) (r/m)^{d/2-1} exp(-(r^2 + m^2)/2 sigma^2) I_{d/2-1}(r m/sigma^2).

The spin points along the cavity field and polarises its neighbours, which adds Onsager's reaction along the spin, so
that the local field has the length ``r + Gamma``, with ``Gamma = (alpha/d) chi/(d - chi)`` in vector Hopfield networks.
p is ``r^{d-1}`` times an entire function of r, and is given here for complex r too (Re r > 0).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput
from theory.quadrature import gauss_legendre
from theory.radial import log_partition
from theory.vector_sites import checked_dimension, power_orders

__all__ = ["CavityFields", "LocalFields", "log_bessel"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_REACH = 10.0  # standard deviations of a component: |h| is 1-Lipschitz in z
_SERIES_TERMS = 60
_HANKEL_TERMS = 30
_NODES = 24


def log_bessel(nu: float, x: Complex) -> Complex:
    r"""``ln [x^{-nu} I_nu(x)] - x`` for Re x >= 0 and nu >= -1/2, to about 13 digits for all moduli.

    Examples
    --------
    >>> x = np.array([0.3 + 0.1j])
    >>> exact = np.log(math.sqrt(2 / math.pi) * np.sinh(x) / x) - x  # nu = 1/2
    >>> bool(abs(log_bessel(0.5, x) - exact)[0] < 1e-14)
    True
    """
    from scipy.special import ive

    x = np.asarray(x, dtype=np.complex128)
    out = np.empty(x.shape, dtype=np.complex128)
    size = np.abs(x)
    near, far = size < 2.0 * math.sqrt(nu + 1.0), size > max(100.0, 4.0 * nu * nu)
    between = ~near & ~far
    if near.any():  # ascending series; ive would underflow for large nu
        quarter, term = 0.25 * x[near] ** 2, np.ones(int(near.sum()), dtype=np.complex128)
        total = term.copy()
        for k in range(1, _SERIES_TERMS):
            term = term * quarter / (k * (nu + k))
            total += term
        out[near] = np.log(total) - nu * math.log(2.0) - math.lgamma(nu + 1.0) - x[near]
    if between.any():
        y = x[between]  # ive is scaled by exp(-Re y)
        out[between] = np.log(ive(nu, y)) - 1j * y.imag - nu * np.log(y)
    if far.any():  # Hankel's expansion; the other exponential is below rounding
        y = x[far]
        term, total = np.ones(y.shape, dtype=np.complex128), np.ones(y.shape, dtype=np.complex128)
        for k in range(1, _HANKEL_TERMS):
            term = term * -(4.0 * nu * nu - (2 * k - 1) ** 2) / (8.0 * k * y)
            total += term
        out[far] = np.log(total) - 0.5 * np.log(2.0 * math.pi * y) - nu * np.log(y)
    return out


@dataclass(frozen=True)
class CavityFields:
    """Length r of ``m e_1 + sigma z``, z a standard Gaussian of d components.

    Parameters
    ----------
    d : int
    m : float
        Length of the mean field, 0 or more.
    sigma : float
        Standard deviation of every component, above 0.

    Raises
    ------
    InvalidInput
        For a dimension or a noise out of range.

    Examples
    --------
    >>> law = CavityFields(3, 0.0, 0.5)
    >>> round(law.mean / 0.5, 6), round(float(law.cdf(law.quantile(0.3))), 12)
    (1.595769, 0.3)
    """

    d: int
    m: float
    sigma: float

    def __post_init__(self) -> None:
        checked_dimension(self.d)
        if not (0.0 < self.sigma < math.inf and 0.0 <= self.m < math.inf):
            raise InvalidInput(
                f"m = {self.m:g} with sigma = {self.sigma:g} is not allowed; give 0 <= m < infinity and "
                "0 < sigma < infinity."
            )

    @property
    def mean(self) -> float:
        """``E r``, a Kummer function."""
        fields = np.array([self.m]), np.array([self.sigma**2])
        return float(power_orders(self.d, 1, [(0, 0)], *fields)[0][0])

    @property
    def variance(self) -> float:
        """``E r^2 - (E r)^2``."""
        if self.m < 30.0 * self.sigma * math.sqrt(self.d):
            return self.m**2 + self.d * self.sigma**2 - self.mean**2
        r, w = self._rule(self.reach)
        return float(w @ (r - self.mean) ** 2)

    @property
    def reach(self) -> tuple[float, float]:
        """Interval beyond which the weight is below 1e-20."""
        centre = math.hypot(self.m, math.sqrt(self.d) * self.sigma)
        return max(0.0, centre - _REACH * self.sigma), centre + _REACH * self.sigma

    def log_density(self, r: Array) -> Array:
        """``ln p(r)`` at real r > 0, to rounding; -inf at and below 0."""
        r = np.asarray(r, dtype=np.float64)
        d, s = self.d, self.sigma
        safe = np.where(r > 0.0, r, 1.0)
        x = safe * self.m / s**2
        a = max(0.5 * d - 1.0, 1.0)
        length = np.hypot(x, a)
        rest = a * a / (length + x) - 0.5 * (d - 1) * np.log(length)  # what `log_partition` leaves out, minus x
        bounded = log_partition(d, x, 1)[0] + rest - 0.5 * d * math.log(2.0 * math.pi)
        value = (d - 1) * np.log(safe / s) - math.log(s) - 0.5 * ((safe - self.m) / s) ** 2 + bounded
        return np.where(r > 0.0, value, -math.inf)

    def density(self, r: Array) -> Array:
        """``p(r)``; 0 below 0."""
        return np.exp(self.log_density(r))

    def continued(self, r: Complex) -> Complex:
        """``p(r)`` at complex r with Re r >= 0."""
        d, s = self.d, self.sigma
        logarithm = log_bessel(0.5 * d - 1.0, r * (self.m / s**2)) - 0.5 * ((r - self.m) / s) ** 2
        return np.asarray(np.exp(logarithm + (d - 1) * np.log(r / s)) / s, dtype=np.complex128)

    def cdf(self, r: float) -> float:
        """Probability of a shorter field."""
        low, high = self.reach
        if r >= high:
            return 1.0
        return float(np.sum(self._rule((low, r))[1])) if r > low else 0.0

    def quantile(self, share: float) -> float:
        """The length below which a share of the fields lies.

        Raises
        ------
        InvalidInput
            Unless 0 < share < 1.
        """
        from scipy.optimize import brentq

        if not 0.0 < share < 1.0:
            raise InvalidInput(f"share = {share:g} is not allowed; give a probability with 0 < share < 1.")
        low, high = self.reach
        return float(brentq(lambda r: self.cdf(r) - share, low, high, xtol=1e-15 * high, rtol=1e-14))

    def _rule(self, interval: tuple[float, float]) -> tuple[Array, Array]:
        """Nodes and weights with the density."""
        low, high = interval
        x, w = gauss_legendre(_NODES)
        edges = np.linspace(low, high, 1 + max(1, math.ceil((high - low) / self.sigma)))
        half = 0.5 * np.diff(edges)
        r = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * x).ravel()
        return r, (half[:, None] * w).ravel() * self.density(r)


@dataclass(frozen=True)
class LocalFields:
    """Lengths of the local fields at T = 0: those of the cavity fields, shifted by Onsager's reaction.

    Attributes
    ----------
    cavity : CavityFields
    shift : float
        ``Gamma``, 0 or more; no local field is shorter.

    Examples
    --------
    >>> fields = LocalFields.hebbian(d=3, alpha=0.04, m=0.0, sigma=0.598)
    >>> fields.density(np.array([0.0])).item(), fields.shift > 0
    (0.0, True)
    """

    cavity: CavityFields
    shift: float

    @classmethod
    def hebbian(cls, *, d: int, alpha: float, m: float, sigma: float) -> LocalFields:
        """Those of a vector Hopfield network at T = 0, where ``d - chi = sqrt(alpha)/sigma``."""
        Delta = math.sqrt(alpha) / (d * sigma)
        return cls(CavityFields(d, abs(m), sigma), alpha / d * (1.0 - Delta) / Delta)

    @property
    def mean(self) -> float:
        """Mean length; twice the energy per spin, with the opposite sign."""
        return self.cavity.mean + self.shift

    def density(self, h: Array) -> Array:
        """Density of the length h."""
        return self.cavity.density(np.asarray(h, dtype=np.float64) - self.shift)

    def quantile(self, share: float) -> float:
        """The length below which a share of the fields lies."""
        return self.cavity.quantile(share) + self.shift

    def summary(self) -> Mapping[str, Any]:
        """Shift, mean, standard deviation and quartiles."""
        return {
            "onsager_shift": self.shift,
            "mean": self.mean,
            "standard_deviation": math.sqrt(self.cavity.variance),
            "quartiles": [self.quantile(share) for share in (0.25, 0.5, 0.75)],
        }
