r"""Site terms of vector spins in the fields of random features: examples, and sums of several features.

An example ``xi = sqrt(d) x/|x|`` points along its latent field x, so the field of a spin has the mean
``M + S rho`` along it with ``rho = |x|/sqrt(d)``.  A mixture of L features has the mean ``M R`` with R the length of a
sum of L independent unit vectors.  Both are averages of a rotation-invariant family ``F_{kn}(M, V)`` of
`theory.vector_sites` over one more length, and stay closed under differentiation:

    A_{bkn}(M, S, V) = E rho^b F_{kn}(M + S rho, V),      W_{kn}(M, V) = E R^k F_{kn}(M R, V).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import sympy
from numpy.typing import NDArray

from theory import quadrature
from theory.exact import Arithmetic, Multiprecision, Number, Refused
from theory.exact_sites import site_orders
from theory.sites import ExampleSite, ExampleSiteZero, Index, SiteTerm, antisymmetric, feature_sum
from theory.vector_sites import Sector, VectorZero, vector_site
from theory.walks import Rule, gauss_rule, walk

__all__ = ["SumAcross", "VectorExample", "VectorSum", "example_term", "latent_rule", "sum_across", "sum_term"]

Array = NDArray[np.float64]

_LENGTHS = (-6.5, -3.0, -1.2, 0.4, 2.0, 4.5, 8.0)  # panel edges around the most probable |x|
_PANEL = 40
_LATENT = 32
_NEGLIGIBLE = 1e-19
_COUNTS = (24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_PER_WIDTH, _SPARE = 3.5, 24.0  # nodes per width of the noise that L unit vectors span
_LONG = 9  # sums of more vectors take at most half as many nodes; their rules are built one vector at a time


class _Averaged(SiteTerm):
    """A rotation-invariant family averaged over one more length."""

    family: ClassVar[type[SiteTerm]] = VectorZero
    dimension: ClassVar[int] = 1

    @classmethod
    def at_lengths(cls, indices: Sequence[Index], mean: Array, variance: Array, refine: int) -> dict[Index, Array]:
        """Members of the family at (B, j) means, with the variance of each row."""
        wide = np.broadcast_to(variance[:, None], mean.shape).ravel()
        wanted = sorted(set(indices))
        found = cls.family.orders(wanted, (mean.ravel(), wide), refine=refine)
        return {i: v.reshape(mean.shape) for i, v in zip(wanted, found, strict=True)}


class VectorExample(_Averaged):
    r"""``E rho^b F_{kn}(M + S rho, V)`` over ``rho = |x|/sqrt(d)``, x a standard Gaussian; index (b, k, n)."""

    nargs = 6
    indices = 3
    symbol = "A"

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        b, k, n, M, S, V = self.args
        if argindex == 4:
            return self.func(b, k + 1, n, M, S, V)
        if argindex == 5:
            return self.func(b + 1, k + 1, n, M, S, V)
        if argindex == 6:
            return self.func(b, k, n + 1, M, S, V) / 2
        raise sympy.ArgumentIndexError(self, argindex)

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        M, S, V = fields
        rho, w = latent_rule(cls.dimension, refine=refine)
        found = cls.at_lengths([i[1:] for i in indices], M[:, None] + S[:, None] * rho, V, refine)
        return [found[k, n] @ (w * rho**b) for b, k, n in indices]

    @classmethod
    def exact_orders(cls, arithmetic: Arithmetic, indices: Sequence[Index], fields: Sequence[Any]) -> list[Any]:
        """To any number of digits at T = 0, without a proven error bound; d = 1 is the example of Ising spins."""
        cold = issubclass(cls.family, VectorZero)
        if cls.dimension == 1:
            family = ExampleSiteZero if cold else ExampleSite
            return site_orders(arithmetic, family, [(0, b, k + 2 * n) for b, k, n in indices], fields)
        what = f"the average over the latent field of an example with d = {cls.dimension} components"
        if not cold:
            raise Refused(f"{what} at temperature > 0 is known in double precision only; use temperature = 0.")
        if not isinstance(arithmetic, Multiprecision):
            raise Refused(f"{what} has digits but no proven error bound; ask for digits alone.")
        return _latent_orders(arithmetic, cls.family, cls.dimension, indices, fields)


class VectorSum(_Averaged):
    r"""``E R^k F_{kn}(M R, V)`` over the length R of the sum of L independent unit vectors; index (k, n)."""

    nargs = 4
    indices = 2
    symbol = "W"
    size: ClassVar[int] = 2

    @classmethod
    def exact_orders(cls, arithmetic: Arithmetic, indices: Sequence[Index], fields: Sequence[Any]) -> list[Any]:
        """Refused."""
        raise Refused(f"the law of a sum of {cls.size} vectors is known in double precision only.")

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        k, n, M, V = self.args
        if argindex == 3:
            return self.func(k + 1, n, M, V)
        if argindex == 4:
            return self.func(k, n + 1, M, V) / 2
        raise sympy.ArgumentIndexError(self, argindex)

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        M, V = fields
        R, w = cls.rule(M, V, refine)
        found = cls.at_lengths(indices, M[:, None] * R, V, refine)
        return [found[k, n] @ (w * R**k) for k, n in indices]

    @classmethod
    def rule(cls, M: Array, V: Array, refine: int, *, projected: bool = False) -> Rule:
        """Lengths and weights, the more the smaller the noise is."""
        # At T = 0 the noise has the width sqrt(d V); at T > 0 the nearest pole of g is at least this far.
        pole = 0.0 if issubclass(cls.family, VectorZero) else (2.4 + 0.6 * (cls.dimension - 2)) / 4.6
        width = np.sqrt(cls.dimension * np.maximum(V, 0.0) + pole**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            most = float(np.nanmax(np.abs(M) / width, initial=0.0))
        count = refine * (_SPARE + _PER_WIDTH * cls.size * min(most, 1e6))
        largest = _COUNTS[-1] if cls.size <= _LONG else _COUNTS[-3]
        nodes = next((n for n in _COUNTS if count <= n), _COUNTS[-1])
        return walk(cls.dimension, cls.size, min(nodes, largest), projected=projected)


class SumAcross(VectorSum):
    r"""``E n_1.C n_1 - n_1.C n_2`` at the sum of L unit vectors, C the average response; index (0, 0) only.

    This is the response of L overlaps that move against each other.  With ``C = F' 1 + F'' h h^T`` (derivatives in
    ``M^2/2``) and the symmetry of the vectors it is ``(L E n_1.C n_1 - E (sum n).C (sum n)/L)/(L - 1)``.
    """

    symbol = "T"

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        raise sympy.ArgumentIndexError(self, argindex)

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        (M, V), L = fields, cls.size
        R, w = cls.rule(M, V, refine)
        found = cls.at_lengths([(1, 0), (2, 0)], M[:, None] * R, V, refine)
        own = (found[1, 0] / (M[:, None] * R)) @ w
        whole = found[2, 0] @ (w * R**2)
        R, w = cls.rule(M, V, refine, projected=True)
        found = cls.at_lengths([(1, 0), (2, 0)], M[:, None] * R, V, refine)
        own = own + (found[2, 0] - found[1, 0] / (M[:, None] * R)) @ (w / R**2)
        return [(L * own - whole / L) / (L - 1)] * len(indices)


@functools.lru_cache(maxsize=1024)
def _averaged(base: Any, d: int, size: int, zero_temperature: bool, response: Sector | None = None) -> Any:
    """The average of one family over sums of so many vectors, as a SymPy function class."""
    family = vector_site(d, zero_temperature=zero_temperature, response=response)
    declared = {"family": family, "dimension": family.dimension, "residual_entropy": family.residual_entropy}
    return type(f"{base.__name__}_{family.__name__}_{size}", (base,), {**declared, "size": size})


def example_term(
    d: int,
    M: sympy.Expr,
    S: sympy.Expr,
    V: sympy.Expr,
    *,
    zero_temperature: bool = False,
    response: Sector | None = None,
) -> sympy.Expr:
    """``E F(M + S rho, V)`` over the latent length of an example.

    Examples
    --------
    >>> M, S, V = sympy.symbols("M S V")
    >>> sympy.diff(example_term(3, M, S, V, zero_temperature=True), S).index
    (1, 1, 0)
    """
    return _averaged(VectorExample, d, 1, zero_temperature, response)(0, 0, 0, M, S, V)


def sum_term(
    d: int, L: int, M: sympy.Expr, V: sympy.Expr, *, zero_temperature: bool = False, response: Sector | None = None
) -> sympy.Expr:
    """``E F(M R, V)`` over the sum of L unit vectors of d components.

    Examples
    --------
    >>> M, V = sympy.symbols("M V")
    >>> sum_term(3, 1, M, V)
    Vector_3(0, 0, M, V)
    """
    family: Any = vector_site(d, zero_temperature=zero_temperature, response=response)
    if d == 1:
        return feature_sum(lambda zeta: family(0, 0, M * zeta, V), L)
    if L > 1:
        family = _averaged(VectorSum, d, L, zero_temperature, response)
    out: sympy.Expr = family(0, 0, M, V)
    return out


def sum_across(d: int, L: int, M: sympy.Expr, V: sympy.Expr, *, zero_temperature: bool = False) -> sympy.Expr:
    """Response of the overlaps with L features when they move against each other."""
    family: Any = vector_site(d, zero_temperature=zero_temperature)
    if d == 1:
        return antisymmetric(lambda zeta: family(2, 0, M * zeta, V), L)
    out: sympy.Expr = _averaged(SumAcross, d, L, zero_temperature)(0, 0, M, V)
    return out


@functools.lru_cache(maxsize=256)
def latent_rule(d: int, *, refine: int = 1) -> tuple[Array, Array]:
    """Nodes ``rho = |x|/sqrt(d)`` and weights, x a standard Gaussian of d components.

    Examples
    --------
    >>> rho, weight = latent_rule(3)
    >>> round(float(weight @ rho**2), 14)
    1.0
    """
    if d == 1:
        return quadrature.half_line_rule(nodes=16 * refine)
    peak = math.sqrt(d - 1.0)
    edges = np.unique(np.maximum(peak + np.array(_LENGTHS), 0.0))
    x, w = quadrature.gauss_legendre(_PANEL * refine)
    half = 0.5 * np.diff(edges)
    r = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * x).ravel()
    weight = (half[:, None] * w).ravel() * np.exp((d - 1) * np.log(r / peak) - 0.5 * (r * r - peak * peak))
    rho, weight = gauss_rule(r / math.sqrt(d), weight / weight.sum(), _LATENT * refine)
    kept = weight > _NEGLIGIBLE
    return rho[kept], weight[kept]


def _latent_orders(
    a: Multiprecision, family: Any, d: int, indices: Sequence[Index], fields: Sequence[Number]
) -> list[Number]:
    """The same average in multiple precision, by Gauss-Legendre panels."""
    from mpmath.calculus.quadrature import GaussLegendre

    mp, (M, S, V) = a.context, fields
    peak = math.sqrt(max(d - 1, 0))
    reach = math.sqrt(2.0 * math.log(2.0) * (a.bits + 16))
    edges = [max(peak - reach, 0.0)]
    while edges[-1] < peak + reach:
        edges.append(edges[-1] + 2.5)
    degree = 1 + math.ceil(math.log2(1.5 * a.bits * math.log10(2.0) / 3.0))
    inner = sorted({i[1:] for i in indices})
    sums, total = [mp.mpf(0)] * len(indices), mp.mpf(0)
    rule = GaussLegendre(mp)
    for low, high in itertools.pairwise(edges):
        for r, w in rule.get_nodes(mp.mpf(low), mp.mpf(high), degree, mp.prec):
            rho, weight = r / mp.sqrt(d), w * r ** (d - 1) * mp.exp(-r * r / 2)
            found = dict(zip(inner, family.exact_orders(a, inner, [M + S * rho, V]), strict=True))
            total = total + weight
            for j, (b, k, n) in enumerate(indices):
                sums[j] = sums[j] + weight * rho**b * found[k, n]
    return [value / total for value in sums]
