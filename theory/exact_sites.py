r"""Site averages to any number of digits, with error bounds that make them rigorous in ball arithmetic.

T = 0 averages are closed forms (Hermite functions, erf; for the example state Owen's function as well).  At T > 0 with
``h = M + s z`` the same average is written in two ways,

    F_n = E_z g^{(n)}(M + s z) = int du (1/2) sech^2(u) F^0_n(M - u),      F^0_n = E_z (d/dh)^n |h|,

the first good for small s, the second (``ln 2 cosh`` is ``|h|`` smoothed by ``sech^2 / 2``) for large s.  Both integrands
are analytic in a strip, where the trapezoidal rule of step k is wrong by at most ``2 B / (exp(2 pi a / k) - 1)``; a is
the half-width of the strip and B bounds ``int |f(x + i b)| dx`` for ``|b| < a`` (Trefethen and Weideman, SIAM Review 56,
385 (2014), theorem 5.1).  Nodes left out are bounded by Gaussian or exponential tails.

With a fixed sign of x the example family is a recursion over Gaussian integration by parts,

    A_{bn} = [b = 1] 2 phi(0) F_n(m, R) + (b - 1) A_{b-2,n} + t A_{b-1,n+1},

on ``A_{0n} = int dw p(w) g^{(n)}(m + w)``, where p is the skew normal law of ``w = t |x| + s z``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from theory.ensembles import SIGN
from theory.exact import Arithmetic, Number, Refused
from theory.sites import ExampleSite, ExampleSiteZero, Index, Ising, IsingZero, SiteTerm, sech2_polynomials

__all__ = ["site_orders"]

Values = dict[int, Number]

_STRIP = 1.25  # half-width in the field; tanh has its poles at pi/2
_TAN, _SECH2 = 3.02, 10.1  # on the strip |tanh| <= tan(1.25) = 3.0096 and |sech^2| <= 1/cos^2(1.25) = 10.057
_SMOOTHING_MASS = 4.2  # int |sech^2(u + ib)| du / 2 = 2b / sin 2b <= 4.178
_LOG = 4.0  # |log(1 + exp(-2h))| <= max(ln 2, -ln sin 2.5) + pi
_GUARD_BITS = 8
_MOST_NODES = 300_000
_WIDE_UP_TO = 3.0


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


def _size(arithmetic: Arithmetic, x: Number) -> float:
    """Upper bound of |x|, up to rounding, that chooses rules; what is proven is proven by `widen`."""
    low, high = arithmetic.bounds(x)
    return float(max(abs(low), abs(high)))


def _zero(arithmetic: Arithmetic, x: Number) -> bool:
    return arithmetic.bounds(x) == (0, 0)


def _root(arithmetic: Arithmetic, variance: Number) -> Number:
    if not arithmetic.bounds(variance)[0] > 0:
        raise ArithmeticError("the variance of a local field is not positive everywhere on the box")
    return arithmetic.function("sqrt", variance)


def _density(a: Arithmetic, y: Number) -> Number:
    """Normal density."""
    return a.function("exp", -y * y / 2) / a.function("sqrt", 2 * a.pi)


def _hermite(count: int, y: Number) -> list[Number]:
    """He_0 ... He_{count-1}."""
    out = [y * 0 + 1, y]
    for k in range(1, count - 1):
        out.append(y * out[-1] - k * out[-2])
    return out[:count]


def _cold(a: Arithmetic, orders: Sequence[int], M: Number, R: Number) -> Values:
    """``E_z (d/dh)^n |h|``."""
    if _zero(a, R):
        low, high = a.bounds(M)
        if low <= 0 <= high:
            raise ArithmeticError("a local field without noise vanishes, where |h| has no derivative")
        sign = 1 if low > 0 else -1
        return {n: M * sign if n == 0 else a.exactly(sign if n == 1 else 0) for n in orders}
    return _smooth_absolute(a, orders, M, _root(a, R))


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
    if _zero(a, R):
        sums = _Sums(max(orders, default=0))
        sums.add(a, a.exactly(1), M, 0 in orders)
        return {n: sums.order(n) for n in orders}
    s = _root(a, R)
    if _size(a, s) < _WIDE_UP_TO:
        return _wide(a, orders, M, a.exactly(0), R)
    return _narrow(a, orders, M, s)


class _Sums:
    """Weighted sums of ``ln 2 cosh``, tanh and ``sech^2 tanh^j``, from which every order is a combination."""

    def __init__(self, highest: int) -> None:
        self.logarithm: Number = 0
        self.tanh: Number = 0
        self.sech2: list[Number] = [0] * max(0, highest - 1)

    def add(self, a: Arithmetic, weight: Number, h: Number, logarithm: bool) -> None:
        """One node; a single exponential gives all, without cancellation at either end."""
        e = a.function("exp", h + h)
        inverse = 1 / (1 + e)
        t = 1 - 2 * inverse
        self.tanh = self.tanh + weight * t
        if logarithm:
            self.logarithm = self.logarithm + weight * (a.function("log", 1 + e) - h)
        term = 4 * e * inverse * inverse * weight
        for j in range(len(self.sech2)):
            self.sech2[j] = self.sech2[j] + term
            term = term * t

    def order(self, n: int) -> Number:
        if n <= 1:
            return self.tanh if n else self.logarithm
        return sum((c * self.sech2[j] for j, c in enumerate(sech2_polynomials(n)) if c), self.tanh * 0)


def _rule(bits: int, width: float) -> tuple[float, float, float]:
    """Half-width of the strip (1 at most `width`), step and reach of a trapezoidal rule against a unit Gaussian."""
    target = (bits + _GUARD_BITS) * math.log(2.0)
    half_width = min(width, math.sqrt(2.0 * target))
    return half_width, 2.0 * math.pi * half_width / (target + 0.5 * half_width**2), math.sqrt(2.0 * target)


def _wide(a: Arithmetic, orders: Sequence[int], m: Number, t: Number, R: Number) -> Values:
    r"""``int dw p(w) g^{(n)}(m + w)`` over the law of ``w = t |x| + s z`` by the trapezoidal rule in ``z = w / s``."""
    s, V = _root(a, R), R + t * t
    skewed, sigma = not _zero(a, t), a.function("sqrt", V)
    slope = t / a.function("sqrt", 2 * V * R)
    # One per cent of slack covers the rounding of these floats; the bound below is proven for |Im w| <= 1.25.
    half_width, step, reach = _rule(a.bits, 0.99 * _STRIP / _size(a, s))
    count = math.ceil(1.02 * reach * _size(a, sigma) / (_size(a, s) * step))
    if count > _MOST_NODES:
        raise Refused(
            f"the temperature is so low that a site average needs {2 * count} nodes; use temperature = 0, or accept the "
            "digits of double precision."
        )
    h = a.exactly(step)
    norm = h * s / (sigma * a.function("sqrt", 2 * a.pi))
    sums = _Sums(max(orders))
    for k in range(-count, count + 1):
        w = s * (h * k)
        weight = norm * a.function("exp", -w * w / (2 * V))
        if skewed:
            weight = weight * a.function("erfc", -slope * w)
        sums.add(a, weight, m + w, 0 in orders)
    # On the strip |p(w + ib)| <= p(w) exp(b^2/2R), because |erfc(x + iy)| <= exp(y^2) erfc(x).
    strip = a.exactly(half_width)
    aliasing = 2 * a.function("exp", strip * strip / 2) / (a.function("exp", 2 * a.pi * strip / h) - 1)
    edge = h * count * s / sigma
    tail = 2 * a.function("erfc", edge / a.function("sqrt", a.exactly(2)))
    out: Values = {}
    for n in orders:
        if n == 0:
            mean = a.function("sqrt", m * m) if not _zero(a, m) else m
            error = (
                aliasing * (mean + sigma + 2 * _LOG)
                + tail * (mean + 1)
                + 2 * sigma * a.function("exp", -edge * edge / 2)
            )
        else:
            strip_bound, real_bound = _derivative_bounds(n)
            error = aliasing * strip_bound + tail * real_bound
        out[n] = a.widen(sums.order(n), error)
    return out


def _derivative_bounds(n: int) -> tuple[int, int]:
    """Upper bounds of ``|g^(n)|``, n >= 1, on the strip and on the real axis."""
    if n == 1:
        return 4, 1
    q = sech2_polynomials(n)
    return math.ceil(_SECH2 * sum(abs(c) * _TAN**j for j, c in enumerate(q)) * 1.001), sum(map(abs, q))


def _narrow(a: Arithmetic, orders: Sequence[int], M: Number, s: Number) -> Values:
    """The T = 0 closed form smoothed by ``sech^2 / 2``; the number of nodes does not grow as T falls."""
    step, kernel = _smoothing_kernel(type(a), a.bits)
    count = len(kernel) - 1
    out: Values = {n: a.exactly(0) for n in orders}
    for k in range(-count, count + 1):
        value = _smooth_absolute(a, orders, M - a.exactly(step) * k, s)
        for n in orders:
            out[n] = out[n] + kernel[abs(k)] * value[n]
    h = a.exactly(step)
    strip, edge = a.exactly(_STRIP), h * count
    aliasing = 2 / (a.function("exp", 2 * a.pi * strip / h) - 1)
    tail = 2 * a.function("exp", -2 * edge)
    eta = strip / s
    growth = a.function("exp", eta * eta)
    # |erf((x + ib) / (s sqrt 2))| <= 1 + (2 / sqrt pi) beta exp(beta^2) with beta = eta / sqrt 2.
    error_function = 1 + eta * growth
    for n in orders:
        if n == 0:
            mean = a.function("sqrt", M * M) if not _zero(a, M) else M
            # int |u| |sech^2(u + ib)| du <= 1 / cos^2 b + 2.
            mass = (mean + strip) * error_function + 2 * s * growth
            error = aliasing * (_bound(a, _SMOOTHING_MASS) * mass + error_function * _bound(a, 0.5 * _SECH2 + 1.0))
            error = error + tail * (mean + 2 * s + edge + 1)
        elif n == 1:
            error = aliasing * _bound(a, _SMOOTHING_MASS) * error_function + tail
        else:
            k = n - 2  # |F^0_n(x + ib)| <= exp(eta^2) 2^(k+1) Gamma((k+1)/2) / (pi s^(k+1)), from its Fourier integral
            size = _bound(a, 0.33 * 2.0 ** (k + 1) * math.gamma(0.5 * (k + 1))) * growth / s ** (k + 1)
            error = (aliasing * _bound(a, _SMOOTHING_MASS) + tail) * size
        out[n] = a.widen(out[n], error)
    return out


def _bound(a: Arithmetic, value: float) -> Number:
    """A float constant that is an upper bound, so its own rounding is of no concern (it has slack)."""
    return a.exactly(value)


@functools.lru_cache(maxsize=16)
def _smoothing_kernel(kind: type[Any], bits: int) -> tuple[float, list[Number]]:
    """Step and ``(step/2) sech^2(u_k)``, k >= 0, up to where it falls below the precision."""
    a = kind(bits)
    target = (bits + _GUARD_BITS) * math.log(2.0)
    step = 2.0 * math.pi * _STRIP / target
    kernel = []
    with a.working():
        for k in range(math.ceil(0.5 * target / step) + 1):
            e = a.function("exp", -2 * a.exactly(step) * k)
            kernel.append(a.exactly(2 * step) * e / ((1 + e) * (1 + e)))
    return step, kernel


def _example(a: Arithmetic, indices: Sequence[Index], fields: Sequence[Number], *, cold: bool) -> list[Number]:
    """``E sigma(x)^a x^b g^(n)`` for sign: by gauge symmetry sigma drops out on the half line x > 0."""
    m, t, R = fields
    needed = _closure([i[1:] for i in indices])
    base = sorted(n for b, n in needed if b == 0)
    edge = sorted(n for b, n in needed if b == 1)
    skew = _skew_cold(a, base, m, t, R) if cold else _wide(a, base, m, t, R)
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


def _skew_cold(a: Arithmetic, orders: Sequence[int], m: Number, t: Number, R: Number) -> Values:
    r"""``E (d/dh)^n |h|`` at ``h = m + t |x| + s z``: twice the skew normal density and its derivatives.

    ``A_02 = 2 phi(m/sigma)/sigma erfc(m t / sqrt(2 V R))`` with ``V = sigma^2 = R + t^2``;
    ``A_01 = erf(m / sqrt(2 V)) + 4 T(m / sigma, t / s)`` with Owen's T, and ``A_00 = E[h sign h]`` by parts.
    """
    s, V = _root(a, R), R + t * t
    sigma = a.function("sqrt", V)
    u, c = m / sigma, t / (sigma * s)  # the second factor is erfc(c m / sqrt 2)
    root2 = a.function("sqrt", a.exactly(2))
    highest = max([2, *orders])
    he_u, he_w = _hermite(max(2, highest - 1), u), _hermite(max(2, highest - 1), c * m)
    bell, bell_w = _density(a, u), _density(a, c * m)
    first = [he_u[j] * bell / sigma ** (j + 1) * (-1) ** j for j in range(highest - 1)]
    second = [a.function("erfc", c * m / root2)]
    second += [2 * c**i * (-1) ** i * he_w[i - 1] * bell_w for i in range(1, highest - 1)]
    out: Values = {}
    for n in orders:
        if n >= 2:
            out[n] = 2 * sum((math.comb(n - 2, i) * first[n - 2 - i] * second[i] for i in range(n - 1)), a.exactly(0))
    if any(n <= 1 for n in orders):
        sign = a.function("erf", u / root2) + 4 * _owen(a, u, t / s)
        out[1] = sign
    if 0 in orders:
        second_order = 2 * first[0] * second[0]
        mean_x = a.function("sqrt", 2 / a.pi) * _smooth_absolute(a, [1], m, s)[1] + t * second_order
        out[0] = m * sign + t * mean_x + R * second_order
    return out


def _owen(a: Arithmetic, h: Number, slope: Number) -> Number:
    """Owen's ``T(h, a) = (1/2 pi) int_0^a exp(-h^2 (1 + x^2)/2) / (1 + x^2) dx``."""
    half, square = h * h / 2, slope * slope
    size = _size(a, slope)
    edges, edge = [0.0], 1.0
    while edge < size:  # panels that double, as does the distance from the poles at +-i
        edges.append(edge / size)
        edge *= 2.0
    edges.append(1.0)

    def integrand(y: Number) -> Number:
        x2 = 1 + square * (y * y)
        return a.function("exp", -half * x2) / x2

    return slope * a.integral(integrand, edges) / (2 * a.pi)
