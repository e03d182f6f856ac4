r"""Averages over a d-dimensional Gaussian field of functions of its length, as one radial integral.

The log-partition function of a unit vector of d components in a field of length x (in units of T) is

    g(x) = ln int_{S^{d-1}} ds exp(x s_1) = ln [ (2 pi)^{d/2} x^{-nu} I_nu(x) ],      nu = d/2 - 1,

``ln 2 cosh x`` at d = 1.  Everything is a function of x^2, so derivatives are taken with ``D = (1/x) d/dx``, under
which nothing is singular at x = 0: the Laplacian is ``x^2 D^2 + d D``, and for ``h = M e_1 + sqrt(R) z`` the derivative
of an average in ``M^2/2`` is the average of the derivative in two dimensions more,

    d/d(M^2/2) E_d phi(|h|) = E_{d+2} (D phi)(|h|),       p_{d+2j}(r) = (r^2/R)^j B_j(r M/R) p_d(r),

with the noncentral chi density p and ``B_j(x) = x^{-j} I_{nu+j}(x)/I_nu(x)``, the ratio of ``D^j exp(g)`` to
``exp(g)``.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.quadrature import NODES, gauss_legendre

__all__ = ["RadialRule", "jet_laplacian", "jet_product", "log_partition", "moment_jet", "radial_rule", "reference"]

Array = NDArray[np.float64]
Jet = list[Array]

_UNIFORM_FROM = 30.0  # sqrt(nu^2 + x^2) from which the uniform expansion is used
_TERMS = 20
_NEGLIGIBLE = 1e-21
_REACH = (-10.0, -5.0, -2.5, 0.0, 2.5, 5.0, 9.0)  # panel edges in standard deviations; |h| is 1-Lipschitz in z
_GROWTH = 4.0  # ratio of the panels that lead away from x = 0; the poles of g' lie on the imaginary axis
_SMALLEST_VARIANCE = 1e-40


@functools.lru_cache(maxsize=1)
def _riccati_polynomials() -> tuple[tuple[Fraction, ...], ...]:
    r"""Coefficients of ``q_k(P)/(1 - P)``, k = 1, 2, ..., in ``x I'/I = w + sum_k w^{1-k} q_k(P)``, ``P = nu^2/w^2``.

    With ``w^2 = nu^2 + x^2`` the Riccati equation ``x u' + u^2 = w^2`` gives, order by order,
    ``2 q_k = -(2-k)(1-P) q_{k-1} + 2 P (1-P) q_{k-1}' - sum_{0<i<k} q_i q_{k-i}`` (the uniform expansion of Debye).
    """
    one_minus = [Fraction(1), Fraction(-1)]
    q: list[list[Fraction]] = [[Fraction(1)]]
    reduced: list[tuple[Fraction, ...]] = []
    for k in range(1, _TERMS + 1):
        last = q[-1]
        slope = [i * c for i, c in enumerate(last)]  # P q'
        # Both terms carry the factor 1 - P, and so do all products q_i q_j with i, j > 0 (twice).
        body = _combine([(Fraction(k - 2), last), (Fraction(2), slope)])
        for i in range(1, k):
            body = _combine([(Fraction(1), body), (Fraction(-1), _times(q[i], list(reduced[k - i - 1])))])
        half = tuple(c / 2 for c in body)
        reduced.append(half)
        q.append(_times(list(half), one_minus))
    return tuple(reduced)


def _times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    out = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return out


def _combine(terms: list[tuple[Fraction, list[Fraction]]]) -> list[Fraction]:
    out = [Fraction(0)] * max(len(p) for _, p in terms)
    for factor, polynomial in terms:
        for i, c in enumerate(polynomial):
            out[i] += factor * c
    return out


@functools.lru_cache(maxsize=1024)
def _uniform_coefficients(twice_nu: int) -> Array:
    """c_m, m = 0, 1, ..., in ``D g = 1/(w + nu) + sum_m c_m w^{-m}`` (the first is c_2)."""
    found = [Fraction(0)] * (3 * _TERMS + 2)
    square = Fraction(twice_nu, 2) ** 2
    for k, polynomial in enumerate(_riccati_polynomials(), start=1):
        for j, c in enumerate(polynomial):
            if k + 1 + 2 * j < len(found):
                found[k + 1 + 2 * j] += c * square**j
    coefficients = np.array([float(c) for c in found])
    smallest = max(_UNIFORM_FROM, 0.5 * twice_nu)  # of w; what is below rounding there is left out
    sizes = np.abs(coefficients) * smallest ** (1.0 - np.arange(len(found)))
    return coefficients[: max(3, int(np.flatnonzero(sizes > _NEGLIGIBLE)[-1]) + 1)]


@functools.lru_cache(maxsize=16)
def _leading_terms(order: int) -> tuple[tuple[int, int, int], ...]:
    """``D^order [1/(w + nu)]`` as terms (coefficient, a, b) of ``(w + nu)^{-a} w^{-b}``, all of one sign."""
    terms = {(1, 0): 1}
    for _ in range(order):
        new: dict[tuple[int, int], int] = {}
        for (a, b), c in terms.items():
            new[a + 1, b + 1] = new.get((a + 1, b + 1), 0) - a * c
            if b:
                new[a, b + 2] = new.get((a, b + 2), 0) - b * c
        terms = new
    return tuple((c, a, b) for (a, b), c in terms.items())


def _polynomial(x: Array, coefficients: Array) -> Array:
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients), dtype=np.float64)


def _uniform(twice_nu: int, w: Array, count: int) -> tuple[Array, Jet]:
    """``sum_m c_m w^{2-m}/(2-m)`` over m > 2, and D g ... D^count g, from the uniform expansion."""
    nu, c = 0.5 * twice_nu, _uniform_coefficients(twice_nu)
    inverse = 1.0 / w
    m = np.arange(len(c), dtype=np.float64)
    integral = np.zeros_like(c)
    integral[3:] = c[3:] / (2.0 - m[3:])
    rest = _polynomial(inverse, integral[2:])
    e, factor, out = 1.0 / (w + nu), c.copy(), []
    for order in range(count):
        value = _polynomial(inverse, factor) * inverse ** (2 * order)
        for coefficient, a, b in _leading_terms(order):
            value = value + coefficient * e**a * inverse**b
        out.append(value)
        factor = -factor * (m + 2 * order)
    return rest, out


def _chain(twice_nu: int, x: Array, count: int) -> tuple[Array, Jet]:
    r"""``ln(x^{-nu} I_nu)`` and D g ... D^count g by backward recurrence from an order where the expansion holds.

    With ``rho_n = I_{n+1}/(x I_n)`` and ``delta_n = rho_n - rho_{n+1}``: ``1/rho_n = 2(n+1) + x^2 rho_{n+1}``,
    ``delta_n = rho_n rho_{n+1} (2 - x^2 delta_{n+1})``, ``D rho_n = -rho_n delta_n``.
    """
    steps = max(count, math.ceil(_UNIFORM_FROM - 0.5 * twice_nu))
    top, square = twice_nu + 2 * steps, x * x
    w = np.sqrt(square + 0.25 * top * top)
    rest, jet = _uniform(top, w, 2)
    logarithm = w - 0.5 * top * np.log(0.5 * top + w) - 0.5 * np.log(2.0 * math.pi * w) + rest
    rho, delta, product = jet[0], -jet[1] / jet[0], np.ones_like(x)
    rhos, deltas = [rho], [delta]
    for k in range(1, steps + 1):
        above = rho
        rho = 1.0 / (top - 2 * k + 2 + square * above)
        delta = rho * above * (2.0 - square * delta)
        product = product * rho
        rhos.append(rho)
        deltas.append(delta)
    rows = [[r] for r in rhos[: -count - 1 : -1]]  # rho_nu, rho_{nu+1}, ... and their derivatives
    differences = [[r] for r in deltas[: -count - 1 : -1]]
    for order in range(1, count):
        for n in range(count - order):
            terms = [math.comb(order - 1, i) * rows[n][i] * differences[n][order - 1 - i] for i in range(order)]
            rows[n].append(-sum(terms[1:], terms[0]))
        for n in range(count - order - 1):
            differences[n].append(rows[n][order] - rows[n + 1][order])
    return logarithm - np.log(product), rows[0]


def reference(d: int, x: Array) -> Array:
    """What is left out of g by `log_partition`: it grows like x, and the rest is bounded."""
    a = max(0.5 * d - 1.0, 1.0)
    length = np.sqrt(x * x + a * a)
    return length - 0.5 * (d - 1) * np.log(length)


def log_partition(d: int, x: Array, count: int) -> Jet:
    """``g - reference`` and ``D g, ..., D^count g`` at field lengths x >= 0, to rounding for all x.

    Parameters
    ----------
    d : int
        Number of components, 1 or more.
    x : array
        In units of T.
    count : int
        Number of derivatives, 1 or more.

    Examples
    --------
    >>> x = np.array([0.7])
    >>> first = log_partition(3, x, 1)[1]  # D g = A_3(x)/x with Langevin's function
    >>> bool(abs(first - (1 / np.tanh(x) - 1 / x) / x) < 1e-15)
    True
    """
    twice_nu, nu = d - 2, 0.5 * d - 1.0
    a = max(nu, 1.0)
    shape, x = np.shape(x), np.ravel(np.asarray(x, np.float64))
    w, length = np.hypot(x, nu), np.hypot(x, a)
    small = w < _UNIFORM_FROM
    out = [np.empty_like(x) for _ in range(count + 1)]
    if not small.all():
        far = ~small
        rest, jet = _uniform(twice_nu, w[far], count)
        ratio = length[far]
        difference = (nu * nu - a * a) / (w[far] + ratio)
        logs = nu * np.log((nu + w[far]) / ratio) + 0.5 * np.log(w[far] / ratio)
        out[0][far] = 0.5 * (d - 1) * math.log(2.0 * math.pi) + difference - logs + rest
        for target, value in zip(out[1:], jet, strict=True):
            target[far] = value
    if small.any():
        logarithm, jet = _chain(twice_nu, x[small], count)
        out[0][small] = 0.5 * d * math.log(2.0 * math.pi) + logarithm - reference(d, x[small])
        for target, value in zip(out[1:], jet, strict=True):
            target[small] = value
    return [o.reshape(shape) for o in out]


def jet_product(a: Jet, b: Jet) -> Jet:
    """Derivatives of a product, from those of its factors."""
    return [
        sum((math.comb(n, i) * a[i] * b[n - i] for i in range(1, n + 1)), a[0] * b[n])
        for n in range(min(len(a), len(b)))
    ]


def jet_laplacian(d: int, x: Array, jet: Jet) -> Jet:
    """Derivatives of the Laplacian, ``D^j Delta f = x^2 D^{j+2} f + (d + 2j) D^{j+1} f``."""
    return [x * x * jet[j + 2] + (d + 2 * j) * jet[j + 1] for j in range(len(jet) - 2)]


def moment_jet(cumulants: Jet) -> Jet:
    """``B_0, B_1, ...`` from ``D g, D^2 g, ...``, as moments from cumulants."""
    out = [np.ones_like(cumulants[0])]
    for n in range(len(cumulants)):
        out.append(sum((math.comb(n, i) * cumulants[i] * out[n - i] for i in range(1, n + 1)), cumulants[0] * out[n]))
    return out


class RadialRule(NamedTuple):
    """Lengths of the field, their weights, and the densities of d + 2j dimensions relative to that of d."""

    length: Array
    weight: Array
    ratios: Jet


def radial_rule(d: int, mean: Array, variance: Array, *, most: int = 0, nodes: int = NODES) -> RadialRule:
    r"""Nodes and weights for averages over ``|M e_1 + sqrt(R) z|`` with z a standard Gaussian of d components.

    Parameters
    ----------
    d : int
    mean, variance : (B,) array
        M and R in units of T and T^2; the functions averaged vary on the scale of one (of d, for many components).
    most : int
        How many densities of higher dimension are wanted.
    nodes : int
        Gauss-Legendre nodes per panel.

    Returns
    -------
    RadialRule
        ``E phi(|h|)`` is ``(weight * phi(length)).sum(-1)``, and in d + 2j dimensions
        ``(weight * ratios[j] * phi(length)).sum(-1)``.

    Examples
    --------
    >>> rule = radial_rule(3, np.array([0.3]), np.array([400.0]), most=1)
    >>> float(round((rule.weight * rule.length**2).sum(), 9))  # M^2 + d R
    1200.09
    """
    x, weights = gauss_legendre(nodes)
    M, R = np.abs(mean), np.maximum(variance, _SMALLEST_VARIANCE)
    sd, centre = np.sqrt(R), np.sqrt(M * M + d * R)
    first = max(2.0, 0.5 * d - 1.0)
    top = float(np.max(centre + _REACH[-1] * sd))
    away = first * _GROWTH ** np.arange(max(0, math.ceil(math.log(top / first, _GROWTH))) if top > first else 0)
    steps = np.concatenate([np.zeros(1), away])
    edges = np.concatenate(
        [np.broadcast_to(_REACH, (len(M), len(_REACH))), (steps - centre[:, None]) / sd[:, None]], axis=1
    )
    low = np.maximum(_REACH[0], -centre / sd)[:, None]
    edges = np.clip(edges, low, _REACH[-1])
    # Lengths of order one keep their digits however long the field is: edges and panels near zero are known as lengths.
    lengths = np.where(edges > -(centre / sd)[:, None], np.maximum(centre[:, None] + sd[:, None] * edges, 0.0), 0.0)
    lengths[:, len(_REACH) :] = np.clip(steps, lengths[:, :1], lengths[:, len(_REACH) - 1 : len(_REACH)])
    edges, lengths = np.sort(edges, axis=1), np.sort(lengths, axis=1)
    short = lengths[:, 1:] < 0.5 * centre[:, None]
    half = 0.5 * np.where(short, np.diff(lengths, axis=1) / sd[:, None], np.diff(edges, axis=1))
    used = (half > 0.0).any(axis=0)
    half, left, shortest = half[:, used], edges[:, :-1][:, used], lengths[:, :-1][:, used]
    offset = half[:, :, None] * (1.0 + x)
    v = (left[:, :, None] + offset).reshape(len(M), -1)
    r = (shortest[:, :, None] + sd[:, None, None] * offset).reshape(len(M), -1)
    scale = (M / R)[:, None]
    kappa = r * scale
    jet = log_partition(d, kappa, max(1, most))
    a = max(0.5 * d - 1.0, 1.0)
    far, far_centre = np.hypot(kappa, a), np.hypot(centre * M / R, a)
    beyond = sd * v.T + d * R / (centre + M)  # r - M, without cancellation
    with np.errstate(divide="ignore"):
        logarithm = (
            (d - 1) * np.log(r / centre[:, None])
            - 0.5 * (beyond / sd).T ** 2
            + a * a / (far + kappa)
            - 0.5 * (d - 1) * np.log(far / far_centre[:, None])
            + jet[0]
        )
    logarithm -= logarithm.max(axis=1, keepdims=True)
    weight = (half[:, :, None] * weights).reshape(v.shape) * np.exp(logarithm)
    weight /= weight.sum(axis=1, keepdims=True)
    square = r * r / R[:, None]
    ratios = [square**j * b for j, b in enumerate(moment_jet(jet[1 : most + 1]))] if most else [np.ones_like(r)]
    return RadialRule(r, weight, ratios)
