r"""Site averages of vector spins to any number of digits, and as balls where their error can be proven.

At T = 0 they are Kummer functions, which Arb encloses.  At T > 0 the radial integral of `theory.radial` is taken by
Gauss-Legendre panels in multiple precision; its error is far below the digits asked for, but not proven, so a
certificate is refused there.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from theory.exact import Arithmetic, Multiprecision, Number, Refused
from theory.exact_rules import is_zero
from theory.radial import jet_laplacian, jet_product
from theory.sites import Index, Ising, IsingZero
from theory.vector_sites import along, power_ratio

__all__ = ["cold_orders", "warm_orders"]

_PANEL = 2.5  # in standard deviations
_GROWTH = 4.0


def cold_orders(a: Arithmetic, d: int, power: int, indices: Sequence[Index], fields: Sequence[Number]) -> list[Number]:
    """``E d_1^k Delta^n |h|^power`` at one point, power 1 or -2."""
    M, R = fields
    if d == 1:
        return _ising(a, IsingZero, indices, fields)
    if is_zero(a, R):
        raise ArithmeticError("a local field without noise has no smooth distribution")
    at_zero = _mean_length(a, d) * a.function("sqrt", R) if power == 1 else 1 / (R * (d - 2))
    first, last, minus_z = Fraction(-power, 2), Fraction(d, 2), -M * M / (2 * R)

    @functools.cache
    def member(j: int, n: int) -> Number:
        top = first + n
        factor = power_ratio(power, d, n) * math.prod(((top + i) / (last + i) for i in range(j)), start=Fraction(1))
        value = a.exactly(factor * (-1) ** j) * at_zero * a.kummer(top + j, last + j, minus_z)
        return value / ((2 * R) ** n * R**j)

    return [sum((c * M ** (2 * j - k) * member(j, n) for j, c in along(k)), a.exactly(0)) for k, n in indices]


def warm_orders(
    a: Arithmetic, d: int, squared: bool, indices: Sequence[Index], fields: Sequence[Number]
) -> list[Number]:
    """``E d_1^k Delta^n`` of g, or of the squared response, at one point.

    Raises
    ------
    Refused
        In ball arithmetic for d > 1.
    """
    if d == 1:
        return _ising_response(a, indices, fields) if squared else _ising(a, Ising, indices, fields)
    if not isinstance(a, Multiprecision):
        raise Refused(
            f"the radial average of spins with d = {d} components at temperature > 0 has digits but no proven error "
            "bound; certify at temperature = 0, or ask for digits alone."
        )
    mp, (M, R) = a.context, fields
    k_most, n_most = max(k for k, _ in indices), max(n for _, n in indices)
    count = max(k + 2 * n for k, n in indices) + 2 * squared
    deviation = 14.0 + math.sqrt(2.0 * math.log(2.0) * a.bits)
    largest = float(mp.sqrt(M * M + d * R) + deviation * mp.sqrt(R))
    guard = 30 + math.ceil((count + 1) * math.log2(2.0 + d + largest))
    with mp.workprec(a.bits + guard):
        M, R = mp.mpf(M), mp.mpf(R)
        sums: dict[tuple[int, int], Number] = {(j, n): mp.mpf(0) for j in range(k_most + 1) for n in range(n_most + 1)}
        norm = 2 / mp.power(2 * R, mp.mpf(d) / 2)
        for r, weight in _nodes(a, d, M, R, deviation):
            square = r * r
            Z = _functions(mp, d, square * (M / R) ** 2, k_most)
            density = norm * weight * r ** (d - 1) * mp.exp(-(square + M * M) / (2 * R))
            own = _functions(mp, d, square, max(1, count))
            jets = [_response(d, square, own) if squared else _logarithm(mp, d, own)]
            for _ in range(n_most):
                jets.append(jet_laplacian(d, r, jets[-1]))
            for j in range(k_most + 1):
                p = density * Z[j] * (square / R) ** j
                for n in range(n_most + 1):
                    if j < len(jets[n]):
                        sums[j, n] += p * jets[n][j]
        out = [sum((c * M ** (2 * j - k) * sums[j, n] for j, c in along(k)), mp.mpf(0)) for k, n in indices]
    return [+value for value in out]


def _functions(mp: Any, d: int, square: Number, count: int) -> list[Number]:
    """``2^nu x^{-(nu+j)} I_{nu+j}(x)``, j = 0 ... count, downwards from the highest two; `square` is x^2."""
    nu = mp.mpf(d) / 2 - 1
    top = [mp.hyp0f1(nu + j + 1, square / 4) / (mp.mpf(2) ** j * mp.gamma(nu + j + 1)) for j in (count, count + 1)]
    out = [top[1], top[0]]
    for j in range(count, 0, -1):
        out.append(2 * (nu + j) * out[-1] + square * out[-2])
    return out[:0:-1]


def _cumulants(Z: Sequence[Number]) -> list[Number]:
    """D g, D^2 g, ... from the ratios ``D^j exp(g) / exp(g)``."""
    moments = [z / Z[0] for z in Z]
    out: list[Number] = []
    for n in range(len(Z) - 1):
        out.append(moments[n + 1] - sum(math.comb(n, i) * out[i] * moments[n - i] for i in range(n)))
    return out


def _logarithm(mp: Any, d: int, Z: Sequence[Number]) -> list[Number]:
    """g and its derivatives."""
    return [mp.log(2 * mp.pi ** (mp.mpf(d) / 2) * Z[0]), *_cumulants(Z)]


def _response(d: int, square: Number, Z: Sequence[Number]) -> list[Number]:
    """``tr C^2`` and its derivatives."""
    across = _cumulants(Z)
    x2 = [square, square * 0 + 2, *[square * 0] * len(across)]
    parallel = [p + q for p, q in zip(across, jet_product(x2[: len(across) - 1], across[1:]), strict=False)]
    return [p + (d - 1) * q for p, q in zip(jet_product(parallel, parallel), jet_product(across, across), strict=False)]


def _nodes(a: Multiprecision, d: int, M: Number, R: Number, deviation: float) -> list[tuple[Number, Number]]:
    """Gauss-Legendre panels over the lengths that matter, narrow where g varies."""
    from mpmath.calculus.quadrature import GaussLegendre

    mp, sd = a.context, a.context.sqrt(R)
    centre = mp.sqrt(M * M + d * R)
    low, high = max(centre - deviation * sd, mp.mpf(0)), centre + deviation * sd
    edges = {low, high, *(centre + _PANEL * i * sd for i in range(-math.ceil(deviation), math.ceil(deviation) + 1))}
    edge = mp.mpf(max(2.0, 0.5 * d - 1.0))
    while edge < high:
        edges.add(edge)
        edge *= _GROWTH
    inside = sorted(e for e in edges if low <= e <= high)
    degree = 1 + math.ceil(math.log2(1.5 * a.bits * math.log10(2.0) / 3.0))  # 3 * 2^(degree - 1) nodes, 1.5 per digit
    rule = GaussLegendre(mp)
    return [
        node
        for left, right in itertools.pairwise(inside)
        if right > left
        for node in rule.get_nodes(left, right, degree, mp.prec)
    ]


def _mean_length(a: Arithmetic, d: int) -> Number:
    """``c_d = sqrt(2) Gamma((d+1)/2)/Gamma(d/2)``: ``c_{d+1} = d/c_d`` and ``c_1^2 = 2/pi``."""
    value = a.function("sqrt", 2 / a.pi)
    for k in range(1, d):
        value = k / value
    return value


def _ising(a: Arithmetic, family: Any, indices: Sequence[Index], fields: Sequence[Number]) -> list[Number]:
    from theory.exact_sites import site_orders

    return site_orders(a, family, [(k + 2 * n,) for k, n in indices], fields)


def _ising_response(a: Arithmetic, indices: Sequence[Index], fields: Sequence[Number]) -> list[Number]:
    found = _ising(a, Ising, [(k + e, n) for e in (2, 4) for k, n in indices], fields)
    return [(4 * p - q) / 6 for p, q in zip(found[: len(indices)], found[len(indices) :], strict=True)]
