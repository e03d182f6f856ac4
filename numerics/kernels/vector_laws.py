r"""The law of one update of a unit vector s in a local field h, at inverse temperature beta.

Heat bath: a draw from the von Mises-Fisher law, proportional to exp(beta h.s) on the unit sphere of d dimensions, exact
for every d but for the resolution of the uniform numbers (2^-52, or 2^-32 where said) and rounding.  With the
concentration kappa = beta |h|, the direction e = h/|h| and w = 1 - s.e:

* d = 1: +1 if h > -(1/(2 beta)) ln((1 - u)/u): the Ising heat bath, with the words of the Ising engine;
* d = 3: w = -ln(1 - v (1 - exp(-2 kappa)))/kappa, inverted in closed form;
* other d: s.e = y on a uniform sphere is turned by a Moebius map of ratio b into an envelope of the law, which accepts
  more than 0.65 of the proposals at any kappa (Wood, Commun. Stat. Simul. Comput. 23, 157 (1994), algorithm VM*; at
  d = 2 it is that of Best and Fisher, Appl. Stat. 28, 152 (1979)).  All of it is written in Z = (1 - y)/2 and
  q = (1 + b) Z/(1 - Z + b Z), in which nothing cancels from kappa = 0 to 1e100.

Over-relaxation: s is reflected about h, s <- 2 (s.e) e - s, at no cost in energy and without random numbers.

The words of an update are those of Philox blocks (site, c, sweep, tag) under a walker's key: c = ATTEMPT + n for
attempt n, c = TANGENT + n for Gaussian numbers 4n to 4n + 3.  Tempering has c = 1, Ising sites have c = 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.kernels.compile import inlined, kernel, merged
from numerics.kernels.philox import rounds
from numerics.kernels.thresholds import log_ratio

__all__ = ["ATTEMPT", "LARGEST_KAPPA", "TANGENT", "draw", "half_turn", "many", "one", "reflect", "three", "two"]

ATTEMPT = 2
TANGENT = 2**31
LARGEST_KAPPA = 1e100  # s.e is 1 to the last bit long before

_FINE = 2.0**-52
_COARSE = 2.0**-32
_EVEN = 1e-30  # kappa below which the law is that of an empty field, to the last bit
_SHORTEST = 1e-150  # a field below it has no direction: squares vanish

# Taylor series about 0: sin(pi x)/x and cos(pi x) in x^2, to 1e-17 for |x| <= 1/2.
_SIN = tuple((-1.0) ** k * math.pi ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(13))
_COS = tuple((-1.0) ** k * math.pi ** (2 * k) / math.factorial(2 * k) for k in range(13))


@inlined
def _fine(high: Any, low: Any) -> Any:
    """Return (k + 1/2) 2^-52 from two words: u and 1 - u are exact, never 0 or 1."""
    k = (np.uint64(high) << np.uint64(20)) | (np.uint64(low) >> np.uint64(12))
    return (np.float64(np.int64(k)) + 0.5) * _FINE


@inlined
def half_turn(v: Any) -> Any:
    """Return (sin pi v, cos pi v) for 0 <= v <= 1, to 3e-16."""
    x = v - 0.5
    z = x * x
    s, c = _SIN[12], _COS[12]
    for k in range(11, -1, -1):
        s = s * z + _SIN[k]
        c = c * z + _COS[k]
    return c, -(x * s)


@inlined
def one(h: Any, unit: Any, word: Any) -> Any:
    """Return the sign drawn in the field h; `unit` is 1/(2 beta)."""
    return 1.0 if h > -(unit * log_ratio(np.float64(~word) + 0.5, np.float64(word) + 0.5)) else -1.0


@inlined
def _ratio(kappa: Any, m: Any) -> Any:
    """Return b of Wood's envelope; m = d - 1."""
    return m / (2.0 * kappa + math.sqrt(4.0 * kappa * kappa + m * m))


@merged
def _accepted(kappa: Any, m: Any, b: Any, q: Any, u: Any) -> Any:
    """Return whether the envelope's proposal is taken; the law over its envelope is 1 at q = 1, and nowhere larger."""
    x = (1.0 - b) / (1.0 + b)
    gain = 2.0 * b * kappa / (1.0 + b) * (1.0 - q) + m * log_ratio(1.0 + x * q, 1.0 + x)
    return gain >= log_ratio(u, 1.0)


@merged
def two(hx: Any, hy: Any, beta: Any, key_0: Any, key_1: Any, tag: Any, sweep: Any, site: Any) -> Any:
    """Return a draw in two dimensions."""
    size = math.sqrt(hx * hx + hy * hy)
    kappa = min(beta * size, LARGEST_KAPPA)
    ex, ey = (hx / size, hy / size) if size > _SHORTEST else (1.0, 0.0)
    b = _ratio(kappa, 1.0)
    attempt = np.uint32(ATTEMPT)
    while True:
        w0, w1, w2, w3 = rounds(np.uint32(site), attempt, np.uint32(sweep), tag, key_0, key_1)
        s, c = half_turn(_fine(w0, w1))
        low = b * s * s
        whole = c * c + low
        if _accepted(kappa, 1.0, b, (1.0 + b) * s * s / whole, _fine(w2, w3)):
            break
        attempt = np.uint32(attempt + np.uint32(1))
    along, across = (c * c - low) / whole, 2.0 * math.sqrt(b) * s * c / whole
    return along * ex - across * ey, along * ey + across * ex


@merged
def three(hx: Any, hy: Any, hz: Any, beta: Any, key_0: Any, key_1: Any, tag: Any, sweep: Any, site: Any) -> Any:
    """Return a draw in three dimensions."""
    size = math.sqrt(hx * hx + hy * hy + hz * hz)
    kappa = min(beta * size, LARGEST_KAPPA)
    ex, ey, ez = (hx / size, hy / size, hz / size) if size > _SHORTEST else (1.0, 0.0, 0.0)
    w0, w1, w2, w3 = rounds(np.uint32(site), np.uint32(ATTEMPT), np.uint32(sweep), tag, key_0, key_1)
    v = _fine(w0, w1)
    w = 2.0 * v
    if kappa > _EVEN:
        w = min(-math.log1p(v * (math.expm1(-2.0 * kappa) if kappa < 20.0 else -1.0)) / kappa, 2.0)
    s, c = half_turn(_fine(w2, w3))
    across = math.sqrt(w * (2.0 - w))
    x, y = across * (c * c - s * s), across * 2.0 * s * c
    # An orthonormal frame about e without a case: Duff et al., J. Comput. Graph. Tech. 6, 1 (2017).
    sign = math.copysign(1.0, ez)
    p = -1.0 / (sign + ez)
    o = ex * ey * p
    along = 1.0 - w
    return (
        along * ex + x * (1.0 + sign * ex * ex * p) + y * o,
        along * ey + x * sign * o + y * (sign + ey * ey * p),
        along * ez - x * sign * ex - y * ey,
    )


@kernel
def many(h: Any, beta: Any, key_0: Any, key_1: Any, tag: Any, sweep: Any, site: Any, out: Any) -> None:
    """Write a draw in d >= 4 dimensions into `out` (d,) float64; `h` (d,).

    Of the numbers of an attempt one has 52 bits and two have 32.
    """
    d = h.size
    square = 0.0
    for a in range(d):
        square += h[a] * h[a]
    size = math.sqrt(square)
    kappa = min(beta * size, LARGEST_KAPPA)
    m = d - 1.0
    b = _ratio(kappa, m)
    attempt = np.uint32(ATTEMPT)
    while True:
        w0, w1, w2, w3 = rounds(np.uint32(site), attempt, np.uint32(sweep), tag, key_0, key_1)
        # One coordinate of a uniform point of the sphere: two of them have squares that add up to 1 - u^(2/(d - 2)).
        s, c = half_turn((np.float64(w2) + 0.5) * _COARSE)
        y = math.sqrt(-math.expm1(2.0 / (d - 2.0) * log_ratio(_fine(w0, w1), 1.0))) * (c * c - s * s)
        Z = 0.5 * (1.0 - y)
        low = b * Z
        whole = 0.5 * (1.0 + y) + low
        if _accepted(kappa, m, b, (1.0 + b) * Z / whole, (np.float64(w3) + 0.5) * _COARSE):
            break
        attempt = np.uint32(attempt + np.uint32(1))
    # A uniform direction across: Gaussian numbers in the place of coordinates 1, ..., d - 1, their length divided out.
    square = 0.0
    block = -1
    g0 = g1 = g2 = g3 = 0.0
    for a in range(1, d):
        place = (a - 1) & 3
        if place == 0:
            block += 1
            w0, w1, w2, w3 = rounds(np.uint32(site), np.uint32(TANGENT + block), np.uint32(sweep), tag, key_0, key_1)
            g0, g1 = _gaussians(w0, w1)
            g2, g3 = _gaussians(w2, w3)
        g = g0 if place == 0 else (g1 if place == 1 else (g2 if place == 2 else g3))
        out[a] = g
        square += g * g
    across = 2.0 * math.sqrt(low * (0.5 * (1.0 + y))) / (whole * math.sqrt(square))
    out[0] = (0.5 * (1.0 + y) - low) / whole
    for a in range(1, d):
        out[a] *= across
    # The reflection that exchanges the first axis and -sign e, and a sign.
    if size > _SHORTEST:
        first = h[0] / size
        sign = math.copysign(1.0, first)
        shift = 0.0
        for a in range(d):
            shift += h[a] / size * out[a]
        shift = (shift + sign * out[0]) / (1.0 + abs(first))
        for a in range(d):
            out[a] = sign * (shift * (h[a] / size + (sign if a == 0 else 0.0)) - out[a])


@inlined
def _gaussians(word: Any, other: Any) -> Any:
    """Return two Gaussian numbers (Box-Muller)."""
    radius = math.sqrt(-2.0 * log_ratio(np.float64(word) + 0.5, 4294967296.0))
    s, c = half_turn((np.float64(other) + 0.5) * _COARSE)
    return radius * (c * c - s * s), radius * 2.0 * s * c


@merged
def draw(h: Any, beta: Any, key_0: Any, key_1: Any, tag: Any, sweep: Any, site: Any, out: Any) -> None:
    """Write a draw in the field `h` (d,) float64, for any d >= 1, into `out` (d,) float64."""
    d = h.size
    if d == 1:
        words = rounds(np.uint32(site >> 2), np.uint32(0), np.uint32(sweep), tag, key_0, key_1)
        out[0] = one(h[0], 0.5 / beta, words[site & 3])
    elif d == 2:
        out[0], out[1] = two(h[0], h[1], beta, key_0, key_1, tag, sweep, site)
    elif d == 3:
        out[0], out[1], out[2] = three(h[0], h[1], h[2], beta, key_0, key_1, tag, sweep, site)
    else:
        many(h, beta, key_0, key_1, tag, sweep, site, out)


@kernel
def reflect(h: Any, s: Any, out: Any) -> None:
    """Write `s` (d,) reflected about `h` (d,), at length 1, into `out` (d,); no field moves nothing."""
    square, along, length = 0.0, 0.0, 0.0
    for a in range(h.size):
        square += h[a] * h[a]
        along += s[a] * h[a]
    twice = 2.0 * along / square if square > _SHORTEST * _SHORTEST else 0.0
    sign = -1.0 if twice != 0.0 else 1.0
    for a in range(h.size):
        out[a] = twice * h[a] + sign * s[a]
        length += out[a] * out[a]
    length = 1.0 / math.sqrt(length)
    for a in range(h.size):
        out[a] *= length
