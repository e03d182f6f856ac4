r"""Site averages to any number of digits, and as balls that contain them.

T = 0 averages are closed forms (Hermite functions, erf; for the example state Owen's function as well); at T > 0 they
are smoothed by the rules of `theory.exact_rules`.  For sign the example family is a recursion over Gaussian
integration by parts on the half line,

    A_{bn} = [b = 1] 2 phi(0) F_n(m, R) + (b - 1) A_{b-2,n} + t A_{b-1,n+1},

on ``A_{0n} = int dw p(w) g^{(n)}(m + w)``, where p is the skew normal law of ``w = t |x| + s z``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from theory.ensembles import SIGN
from theory.exact import Arithmetic, Number, Refused
from theory.exact_rules import (
    GUARD_BITS,
    WIDE_UP_TO,
    Sums,
    Values,
    hermite_bound,
    is_zero,
    magnitude,
    narrow,
    root,
    wide,
)
from theory.sites import ExampleSite, ExampleSiteZero, Index, Ising, IsingZero, SiteTerm

__all__ = ["site_orders"]


def site_orders(
    arithmetic: Arithmetic, family: type[SiteTerm], indices: Sequence[Index], fields: Sequence[Number]
) -> list[Number]:
    """All requested members of a family at one point.

    A family of another kind brings its own ``exact_orders(arithmetic, indices, fields)``.

    Raises
    ------
    Refused
        If there is no exact evaluation; the message is the reason.
    """
    own = getattr(family, "exact_orders", None)
    if own is not None:
        return list(own(arithmetic, indices, fields))
    if issubclass(family, ExampleSite):
        if family.nonlinearity is not SIGN:
            raise Refused(
                f"the example state of nonlinearity '{family.nonlinearity.name}' is an average over a function that is "
                "known in double precision only; exact digits are available for sign."
            )
        return _example(arithmetic, indices, fields, cold=issubclass(family, ExampleSiteZero))
    if issubclass(family, (Ising, IsingZero)):
        orders = [i[0] for i in indices]
        found = (_cold if issubclass(family, IsingZero) else _warm)(arithmetic, orders, *fields)
        return [found[n] for n in orders]
    raise Refused(f"the site family '{family.__name__}' has no evaluation in exact arithmetic.")


def _density(a: Arithmetic, y: Number) -> Number:
    """Normal density."""
    return a.function("exp", -y * y / 2) / a.function("sqrt", 2 * a.pi)


def _hermite(count: int, y: Number) -> list[Number]:
    """He_0 ... He_{count-1}."""
    out: list[Number] = [y * 0 + 1, y]
    for k in range(1, count - 1):
        out.append(y * out[-1] - k * out[-2])
    return out[:count]


def _cold(a: Arithmetic, orders: Sequence[int], M: Number, R: Number) -> Values:
    """``E_z (d/dh)^n |h|``."""
    if is_zero(a, R):
        low, high = a.bounds(M)
        if low <= 0 <= high:
            raise ArithmeticError("a local field without noise vanishes, where |h| has no derivative")
        sign = 1 if low > 0 else -1
        return {n: M * sign if n == 0 else a.exactly(sign if n == 1 else 0) for n in orders}
    return _smooth_absolute(a, orders, M, root(a, R))


def _smooth_absolute(a: Arithmetic, orders: Sequence[int], M: Number, s: Number) -> Values:
    y = M / s
    bell = 2 * _density(a, y)
    out: Values = {}
    if any(n <= 1 for n in orders):
        step = a.function("erf", y / a.function("sqrt", a.exactly(2)))
    he = _hermite(max(2, *orders) - 1, y) if orders else []
    for n in orders:
        if n == 0:
            out[n] = M * step + s * bell
        elif n == 1:
            out[n] = step
        else:
            out[n] = he[n - 2] * bell / s ** (n - 1) * (-1) ** n
    return out


def _warm(a: Arithmetic, orders: Sequence[int], M: Number, R: Number) -> Values:
    """``E_z g^{(n)}(M + sqrt(R) z)`` with ``g = ln 2 cosh``."""
    if is_zero(a, R):
        sums = Sums(max(orders, default=0))
        sums.add(a, a.exactly(1), M, 0 in orders)
        return {n: sums.order(n) for n in orders}
    s = root(a, R)
    if magnitude(a, s) < WIDE_UP_TO:
        return wide(a, orders, M, a.exactly(0), R)
    return narrow(a, orders, M, s, lambda ns, mean: _smooth_absolute(a, ns, mean, s))


def _example(a: Arithmetic, indices: Sequence[Index], fields: Sequence[Number], *, cold: bool) -> list[Number]:
    """``E sigma(x)^a x^b g^(n)`` for sign: by gauge symmetry sigma drops out on the half line x > 0."""
    m, t, R = fields
    needed = _closure([i[1:] for i in indices])
    base = sorted(n for b, n in needed if b == 0)
    edge = sorted(n for b, n in needed if b == 1)
    skew = (_skew_cold if cold else _skew_warm)(a, base, m, t, R)
    flat = (_cold if cold else _warm)(a, edge, m, R) if edge else {}
    peak = a.function("sqrt", 2 / a.pi)  # twice the normal density at zero

    @functools.cache
    def member(b: int, n: int) -> Number:
        if b == 0:
            return skew[n]
        value = t * member(b - 1, n + 1)
        if b == 1:
            return value + peak * flat[n]
        return value + (b - 1) * member(b - 2, n)

    return [member(b, n) for _, b, n in indices]


def _closure(wanted: Sequence[tuple[int, ...]]) -> set[tuple[int, int]]:
    """All (b, n) that the recursion over b visits."""
    out: set[tuple[int, int]] = set()
    todo = [(b, n) for b, n in wanted]
    while todo:
        b, n = todo.pop()
        if (b, n) in out:
            continue
        out.add((b, n))
        if b >= 1:
            todo.append((b - 1, n + 1))
        if b >= 2:
            todo.append((b - 2, n))
    return out


class _Skew:
    r"""The law of ``w = t |x| + s z``: twice its density and the derivatives of that are the T = 0 orders n >= 2,

    A_02 = 2 phi(m/sigma)/sigma erfc(m t / sqrt(2 V R)),    V = sigma^2 = R + t^2.
    """

    def __init__(self, a: Arithmetic, t: Number, R: Number) -> None:
        self.a, self.s, self.V = a, root(a, R), R + t * t
        self.sigma = a.function("sqrt", self.V)
        self.c = t / (self.sigma * self.s)  # erfc(c m / sqrt 2)
        self.root2 = a.function("sqrt", a.exactly(2))
        self.norm = 1 / a.function("sqrt", 2 * a.pi)

    def derivatives(self, orders: Sequence[int], m: Number) -> Values:
        """``E (d/dh)^n |h|``, n >= 2, at mean m (which may be complex)."""
        a, u, v = self.a, m / self.sigma, self.c * m
        first = self.norm * a.function("exp", u * u / -2) / self.sigma
        second = a.function("erfc", v / self.root2)
        if max(orders) == 2:
            return {2: 2 * first * second}
        count = max(orders) - 1
        bell = 2 * self.norm * a.function("exp", v * v / -2)
        left, right, scale, factor = [], [second], first, bell
        he_u, he_v = _hermite(count, u), _hermite(count, v)
        for j in range(count):
            left.append(he_u[j] * scale)
            scale = -scale / self.sigma
        for j in range(count - 1):
            factor = -factor * self.c
            right.append(he_v[j] * factor)
        return {
            n: 2 * sum((math.comb(n - 2, i) * left[n - 2 - i] * right[i] for i in range(n - 1)), a.exactly(0))
            for n in orders
        }


def _skew_cold(a: Arithmetic, orders: Sequence[int], m: Number, t: Number, R: Number) -> Values:
    r"""``E (d/dh)^n |h|`` at ``h = m + t |x| + s z``.

    ``A_01 = erf(m / sqrt(2 V)) + 4 T(m / sigma, t / s)`` with Owen's T, and ``A_00 = E[h sign h]`` by parts.
    """
    law = _Skew(a, t, R)
    smooth = [n for n in orders if n >= 2]
    out = law.derivatives(smooth, m) if smooth else {}
    if any(n <= 1 for n in orders):
        u = m / law.sigma
        out[1] = a.function("erf", u / law.root2) + 4 * _owen(a, u, t / law.s)
    if 0 in orders:
        second = law.derivatives([2], m)[2]
        mean_x = a.function("sqrt", 2 / a.pi) * _smooth_absolute(a, [1], m, law.s)[1] + t * second
        out[0] = m * out[1] + t * mean_x + R * second
    return out


def _skew_warm(a: Arithmetic, orders: Sequence[int], m: Number, t: Number, R: Number) -> Values:
    r"""``E g^{(n)}(m + t |x| + s z)``.

    At low temperature tanh is a step with a correction near it, which leaves one integral beside the closed forms:
    ``A_01 - A^0_01 = (1/2) int_0^inf (1 - tanh u) (A^0_02(m + u) - A^0_02(m - u)) du``.
    """
    law = _Skew(a, t, R)
    if magnitude(a, law.s) < WIDE_UP_TO:
        return wide(a, orders, m, t, R)
    out = narrow(a, [n for n in orders if n >= 2], m, law.s, law.derivatives)
    if 0 in orders:
        out[0] = wide(a, [0], m, t, R)[0]
    if 1 in orders:
        reach = 0.5 * (a.bits + GUARD_BITS) * math.log(2.0)

        def correction(u: Number) -> Number:
            slope = law.derivatives([2], m + u)[2] - law.derivatives([2], m - u)[2]
            return slope / (1 + a.function("exp", 2 * u))

        near = a.integral(correction, [0.0, 1.0, 4.0, 12.0, reach])
        tail = a.function("exp", -2 * a.exactly(reach)) * hermite_bound(a, 2, law.s)
        out[1] = _skew_cold(a, [1], m, t, R)[1] + a.widen(near, tail)
    return out


def _owen(a: Arithmetic, h: Number, slope: Number) -> Number:
    """Owen's ``T(h, a) = (1/2 pi) int_0^a exp(-h^2 (1 + x^2)/2) / (1 + x^2) dx``."""
    half, square = h * h / 2, slope * slope
    size = magnitude(a, slope)
    edges, edge = [0.0], 1.0
    while edge < size:  # panels that double, as does the distance from the poles at +-i
        edges.append(edge / size)
        edge *= 2.0
    edges.append(1.0)

    def integrand(y: Number) -> Number:
        x2 = 1 + square * (y * y)
        return a.function("exp", -half * x2) / x2

    return slope * a.integral(integrand, edges) / (2 * a.pi)
