r"""Single-site terms: the log-partition function of one spin in a Gaussian field, closed under differentiation.

For one spin with ``g(h) = ln 2 cosh h`` (fields in units of T) the entropic term of a replica-symmetric free
energy is ``F(M, R) = E_z g(M + sqrt(R) z)``.  Gaussian smoothing obeys the heat equation, so

    dF_n/dM = F_{n+1},      dF_n/dR = F_{n+2} / 2,      F_n(M, R) = E_z g^{(n)}(M + sqrt(R) z),

and one SymPy function indexed by the derivative order has all derivatives of all orders.  At T = 0 the same
family is built on ``g(h) = |h|``.  The example state of random features carries weights,
``A_{abn} = E_{x,z} sigma(x)^a x^b g^{(n)}(m sigma(x) + t_hat x + sqrt(R) z)``, with the obvious rules.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import sympy
from numpy.typing import NDArray

from theory import quadrature
from theory.ensembles import SIGN, Nonlinearity
from theory.errors import InvalidInput

__all__ = [
    "ExampleSite",
    "ExampleSiteZero",
    "Ising",
    "IsingZero",
    "SiteTerm",
    "antisymmetric",
    "example_site",
    "feature_sum",
    "sech2_polynomials",
    "sech4",
]

Array = NDArray[np.float64]
Index = tuple[int, ...]


class SiteTerm(sympy.Function):
    """A site average: integer indices first, then its continuous arguments."""

    indices: ClassVar[int] = 1
    symbol: ClassVar[str] = "F"
    residual_entropy: ClassVar[float] = 0.0  # what one site adds to the entropy as T -> 0

    @property
    def index(self) -> Index:
        """The derivative order (and weights) as integers."""
        return tuple(int(i) for i in self.args[: self.indices])

    @property
    def fields(self) -> tuple[sympy.Expr, ...]:
        """The continuous arguments."""
        return tuple(self.args[self.indices :])

    def _latex(self, printer: Any, exp: Any = None) -> str:
        order = ",".join(str(i) for i in self.index)
        body = ", ".join(printer.doprint(a) for a in self.fields)
        text = rf"{self.symbol}_{{{order}}}\!\left({body}\right)"
        return rf"{{{text}}}^{{{exp}}}" if exp is not None else text

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        """All requested members in one pass; every field a (B,) array, `refine` multiplies the nodes."""
        raise InvalidInput(f"the site family '{cls.__name__}' has no numbers; define its classmethod 'orders'.")


class _Smoothed(SiteTerm):
    """``F_n(M, R)``: the two heat-equation rules."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        n, M, R = self.args
        if argindex == 2:
            return self.func(n + 1, M, R)
        if argindex == 3:
            return self.func(n + 2, M, R) / 2
        raise sympy.ArgumentIndexError(self, argindex)


class Ising(_Smoothed):
    r"""``E_z g^{(n)}(M + sqrt(R) z)`` with ``g = ln 2 cosh`` (fields in units of T).

    Examples
    --------
    >>> M, R = sympy.symbols("M R")
    >>> sympy.diff(Ising(0, M, R), R)
    Ising(2, M, R)/2
    """

    symbol = "F"

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        rule = quadrature.kink_rule(fields[0], fields[1], nodes=quadrature.NODES * refine)
        sd = np.sqrt(np.maximum(fields[1], 0.0))
        # Below T = s the derivatives of sech^2 cancel; Gaussian integration by parts moves them onto the weight.
        by_parts = sd > 1.0
        orders = [i[0] for i in indices]
        direct = [n for n in orders if n <= 2 or not by_parts.all()]
        found = dict(zip(direct, log_cosh_orders(direct, rule.field), strict=True))
        if any(n > 2 for n in orders) and by_parts.any():
            sech2 = rule.weight * log_cosh_orders([2], rule.field)[0]
        out = []
        for n in orders:
            value = np.einsum("bk,bk->b", rule.weight, found[n]) if n in found else np.empty_like(sd)
            if n > 2 and by_parts.any():
                moved = np.einsum("bk,bk->b", sech2, hermite(n - 2, rule.z))
                value = np.where(by_parts, moved / np.where(by_parts, sd, 1.0) ** (n - 2), value)
            out.append(value)
        return out


class IsingZero(_Smoothed):
    r"""The T = 0 family ``E_z (d/dh)^n |h|`` at ``h = M + sqrt(R) z``: error functions and Hermite functions."""

    symbol = "F^{0}"

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        return absolute_orders([i[0] for i in indices], fields[0], fields[1])


class ExampleSite(SiteTerm):
    r"""``E_{x,z} sigma(x)^a x^b g^{(n)}(m sigma(x) + t_hat x + sqrt(R) z)`` with ``g = ln 2 cosh``.

    Arguments in the order (a, b, n, m, t_hat, R).
    The sum of the indices a, b, n is even for every member reached from (0, 0, 0), so the average over x is
    taken on the half line.
    """

    nargs = 6
    indices = 3
    symbol = "A"
    nonlinearity: ClassVar[Nonlinearity] = SIGN

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        a, b, n, m, t_hat, R = self.args
        if argindex == 4:
            return self.func(a + 1, b, n + 1, m, t_hat, R)
        if argindex == 5:
            return self.func(a, b + 1, n + 1, m, t_hat, R)
        if argindex == 6:
            return self.func(a, b, n + 2, m, t_hat, R) / 2
        raise sympy.ArgumentIndexError(self, argindex)

    @classmethod
    def reduced(cls, index: Index) -> Index:
        """For sigma = +-1 the power of sigma is 0 on the half line, so fewer averages are distinct."""
        return (0, *index[1:]) if cls.nonlinearity.binary else index

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        m, t_hat, R = fields
        x, w = quadrature.half_line_rule(nodes=16 * refine, fine=not cls.nonlinearity.binary)
        sigma = cls.nonlinearity.function(x)
        mean = m[:, None] * sigma + t_hat[:, None] * x
        variance = np.broadcast_to(R[:, None], mean.shape)
        needed = sorted({i[2] for i in indices})
        smooth = dict(zip(needed, cls.smoothed(needed, mean.ravel(), variance.ravel(), refine), strict=True))
        return [(smooth[n].reshape(mean.shape) * (w * sigma**a * x**b)).sum(-1) for a, b, n in indices]

    @classmethod
    def smoothed(cls, orders: Sequence[int], mean: Array, variance: Array, refine: int) -> list[Array]:
        """The average over z alone."""
        return Ising.orders([(n,) for n in orders], (mean, variance), refine=refine)


class ExampleSiteZero(ExampleSite):
    """The T = 0 member of the example family, built on ``g(h) = |h|``."""

    symbol = "A^{0}"

    @classmethod
    def smoothed(cls, orders: Sequence[int], mean: Array, variance: Array, refine: int) -> list[Array]:
        return absolute_orders(orders, mean, variance)


@functools.lru_cache(maxsize=64)
def example_site(nonlinearity: Nonlinearity, *, zero_temperature: bool) -> type[ExampleSite]:
    """The example family of one nonlinearity as a SymPy function class."""
    base = ExampleSiteZero if zero_temperature else ExampleSite
    if nonlinearity is SIGN:
        return base
    return type(f"{base.__name__}_{nonlinearity.name}", (base,), {"nonlinearity": nonlinearity})


@functools.lru_cache(maxsize=64)
def sech2_polynomials(n: int) -> tuple[int, ...]:
    r"""Ascending coefficients of ``Q_n`` in ``(ln cosh)^{(n)}(h) = sech^2(h) Q_n(tanh h)``, n >= 2.

    Examples
    --------
    >>> sech2_polynomials(3)
    (0, -2)
    """
    if n == 2:
        return (1,)
    q = sech2_polynomials(n - 1)
    out = [0] * (len(q) + 1)
    for k, c in enumerate(q):  # Q_{n+1} = -2 t Q_n + (1 - t^2) Q_n'
        out[k + 1] -= (2 + k) * c
        if k:
            out[k - 1] += k * c
    return tuple(out)


def hermite(n: int, z: Array) -> Array:
    """Probabilists' Hermite polynomial He_n."""
    return np.asarray(np.polynomial.hermite_e.hermeval(z, [0.0] * n + [1.0]), dtype=np.float64)


def log_cosh_orders(orders: Sequence[int], h: Array) -> list[Array]:
    """Derivatives of ``ln 2 cosh`` of the given orders at `h`, without cancellation at large fields."""
    small = np.exp(-2.0 * np.abs(h))
    plus = 1.0 + small
    t = np.copysign((1.0 - small) / plus, h)
    sech2 = 4.0 * small / (plus * plus)
    out: list[Array] = []
    for n in orders:
        if n == 0:
            out.append(np.abs(h) + np.log1p(small))
        elif n == 1:
            out.append(t)
        else:
            out.append(sech2 * np.polynomial.polynomial.polyval(t, sech2_polynomials(n)))
    return out


def absolute_orders(orders: Sequence[int], mean: Array, variance: Array) -> list[Array]:
    """``E_z (d/dh)^n |h|`` at ``h = mean + sqrt(variance) z``; zero variance is allowed away from mean = 0."""
    from scipy.special import erf

    sd = np.sqrt(np.maximum(variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(sd > 0.0, mean / sd, np.copysign(np.inf, mean))
    density = np.exp(-0.5 * y * y) / math.sqrt(2.0 * math.pi)
    error_function = erf(y / math.sqrt(2.0))
    out: list[Array] = []
    for n in orders:
        if n == 0:
            out.append(mean * error_function + 2.0 * sd * density)
        elif n == 1:
            out.append(error_function)
        else:
            k = n - 2
            with np.errstate(divide="ignore", invalid="ignore"):
                value = 2.0 * (-1.0) ** k * hermite(k, np.where(density > 0.0, y, 0.0)) * density / sd ** (k + 1)
            out.append(np.where(density > 0.0, value, 0.0))
    return out


def feature_sum(term: Callable[[sympy.Integer], sympy.Expr], L: int) -> sympy.Expr:
    r"""Average of an even `term` over ``zeta = f_1 + ... + f_L``, the sum of L independent signs.

    Examples
    --------
    >>> feature_sum(lambda zeta: zeta**2, 3)
    3
    """
    out = sympy.S.Zero
    for down in range((L + 1) // 2):
        zeta = sympy.Integer(L - 2 * down)
        out += sympy.Rational(2 * math.comb(L, down), 2**L) * term(zeta)
    if L % 2 == 0:
        out += sympy.Rational(math.comb(L, L // 2), 2**L) * term(sympy.S.Zero)
    return out


def antisymmetric(term: Callable[[sympy.Integer], sympy.Expr], L: int) -> sympy.Expr:
    """``E (f_1^2 - f_1 f_2) term(zeta)``: response of L overlaps that move against each other.

    Given their sum zeta, the product of two of L signs has the mean ``(zeta^2 - L) / (L (L - 1))``.
    """
    return feature_sum(lambda zeta: term(zeta) * (1 - sympy.Rational(int(zeta) ** 2 - L, L * (L - 1))), L)


def sech4(site: Callable[[int], sympy.Expr]) -> sympy.Expr:
    r"""``E sech^4`` from the family: ``(ln cosh)'''' = 4 sech^2 - 6 sech^4``."""
    return (4 * site(2) - site(4)) / 6
