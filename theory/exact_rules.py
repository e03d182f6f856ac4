r"""Trapezoidal rules with proven error bounds for smoothed site terms.

With ``h = M + s z`` a site average at T > 0 is written in two ways,

    F_n = E_z g^{(n)}(M + s z) = int du (1/2) sech^2(u) F^0_n(M - u),      F^0_n = E_z (d/dh)^n |h|,

the first good for small s, the second (``ln 2 cosh`` is ``|h|`` smoothed by ``sech^2 / 2``) for large s.  Both
integrands are analytic in a strip, where the trapezoidal rule of step k is wrong by at most
``2 B / (exp(2 pi a / k) - 1)``; a is the half-width of the strip and B bounds ``int |f(x + i b)| dx`` for ``|b| < a``
(L. N. Trefethen and J. A. C. Weideman, SIAM Review 56, 385 (2014), theorem 5.1).  Nodes left out are bounded by
Gaussian or exponential tails.  Multiple precision uses the same rules and drops the bounds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from theory.exact import Arithmetic, Number, Refused
from theory.sites import sech2_polynomials

__all__ = [
    "GUARD_BITS",
    "WIDE_UP_TO",
    "Sums",
    "Values",
    "hermite_bound",
    "is_zero",
    "magnitude",
    "narrow",
    "root",
    "wide",
]

Values = dict[int, Number]

WIDE_UP_TO = 3.0  # the largest s for which the first form is the cheaper one
GUARD_BITS = 8
_STRIP = 1.25  # half-width in the field; tanh has its poles at pi/2
_TAN, _SECH2 = 3.02, 10.1  # on the strip |tanh| <= tan(1.25) = 3.0096 and |sech^2| <= 1/cos^2(1.25) = 10.057
_SMOOTHING_MASS = 4.2  # int |sech^2(u + ib)| du / 2 = 2b / sin 2b <= 4.178
_LOG = 4.0  # |log(1 + exp(-2h))| <= max(ln 2, -ln sin 2.5) + pi
_MOST_NODES = 300_000


def magnitude(a: Arithmetic, x: Number) -> float:
    """Upper bound of |x|, up to rounding, that chooses rules; what is proven is proven by `widen`."""
    low, high = a.bounds(x)
    return float(max(abs(low), abs(high)))


def is_zero(a: Arithmetic, x: Number) -> bool:
    """Whether x is the exact zero."""
    low, high = a.bounds(x)
    return low == 0 == high


def root(a: Arithmetic, variance: Number) -> Number:
    """Standard deviation of a variance that is certainly positive."""
    if not a.bounds(variance)[0] > 0:
        raise ArithmeticError("the variance of a local field is not positive everywhere on the box")
    return a.function("sqrt", variance)


class Sums:
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
    target = (bits + GUARD_BITS) * math.log(2.0)
    half_width = min(width, math.sqrt(2.0 * target))
    return half_width, 2.0 * math.pi * half_width / (target + 0.5 * half_width**2), math.sqrt(2.0 * target)


def wide(a: Arithmetic, orders: Sequence[int], m: Number, t: Number, R: Number) -> Values:
    r"""``int dw p(w) g^{(n)}(m + w)`` over the law of ``w = t |x| + s z`` by the trapezoidal rule in ``z = w / s``."""
    s, V = root(a, R), R + t * t
    skewed, sigma = not is_zero(a, t), a.function("sqrt", V)
    slope = t / a.function("sqrt", 2 * V * R)
    # One per cent of slack covers the rounding of these floats; the bound below is proven for |Im w| <= 1.25.
    half_width, step, reach = _rule(a.bits, 0.99 * _STRIP / magnitude(a, s))
    count = math.ceil(1.02 * reach * magnitude(a, sigma) / (magnitude(a, s) * step))
    if count > _MOST_NODES:
        raise Refused(
            f"the temperature is so low that a site average needs {2 * count} nodes; use temperature = 0, or accept "
            "the digits of double precision."
        )
    h = a.exactly(step)
    norm = h * s / (sigma * a.function("sqrt", 2 * a.pi))
    sums = Sums(max(orders))
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
            error = (
                aliasing * (abs(m) + sigma + 2 * _LOG)
                + tail * (abs(m) + 1)
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


def narrow(
    a: Arithmetic, orders: Sequence[int], M: Number, s: Number, closed: Callable[[Sequence[int], Number], Values]
) -> Values:
    """The T = 0 closed form smoothed by ``sech^2 / 2``; the number of nodes does not grow as T falls.

    The bounds hold for `closed` averaged over any real shift of M as well, so for the skew law too.
    """
    if not orders:
        return {}
    step, kernel = _smoothing_kernel(type(a), a.bits)
    count = len(kernel) - 1
    h = a.exactly(step)
    out: Values = {n: a.exactly(0) for n in orders}
    for k in range(-count, count + 1):
        value = closed(orders, M - h * k)
        for n in orders:
            out[n] = out[n] + kernel[abs(k)] * value[n]
    strip, edge = a.exactly(_STRIP), h * count
    aliasing = 2 / (a.function("exp", 2 * a.pi * strip / h) - 1)
    tail = 2 * a.function("exp", -2 * edge)
    eta = strip / s
    growth = a.function("exp", eta * eta)
    # |erf((x + ib) / (s sqrt 2))| <= 1 + (2 / sqrt pi) beta exp(beta^2) with beta = eta / sqrt 2.
    step_bound = 1 + eta * growth
    for n in orders:
        if n == 0:
            # int |u| |sech^2(u + ib)| du <= 1 / cos^2 b + 2.
            mass = (abs(M) + strip) * step_bound + 2 * s * growth
            error = aliasing * (a.exactly(_SMOOTHING_MASS) * mass + step_bound * a.exactly(0.5 * _SECH2 + 1.0))
            error = error + tail * (abs(M) + 2 * s + edge + 1)
        elif n == 1:
            error = aliasing * a.exactly(_SMOOTHING_MASS) * step_bound + tail
        else:
            error = (aliasing * a.exactly(_SMOOTHING_MASS) + tail) * hermite_bound(a, n, s) * growth
        out[n] = a.widen(out[n], error)
    return out


def hermite_bound(a: Arithmetic, n: int, s: Number) -> Number:
    r"""B with ``|F^0_n(x + ib)| <= B exp((b/s)^2)`` for n >= 2, from its Fourier integral.

    With k = n - 2, ``F^0_n(w) = (1/pi) int (i omega)^k exp(-s^2 omega^2/2 + i omega w) d omega``.
    """
    k = n - 2
    return a.exactly(0.33 * 2.0 ** (k + 1) * math.gamma(0.5 * (k + 1))) / s ** (k + 1)


@functools.lru_cache(maxsize=16)
def _smoothing_kernel(kind: type[Any], bits: int) -> tuple[float, list[Number]]:
    """Step and ``(step/2) sech^2(u_k)``, k >= 0, up to where it falls below the precision."""
    a = kind(bits)
    target = (bits + GUARD_BITS) * math.log(2.0)
    step = 2.0 * math.pi * _STRIP / target
    kernel = []
    with a.working():
        for k in range(math.ceil(0.5 * target / step) + 1):
            e = a.function("exp", -2 * a.exactly(step) * k)
            kernel.append(a.exactly(2 * step) * e / ((1 + e) * (1 + e)))
    return step, kernel
