r"""Averages of the channel of a hidden manifold: one component of a pattern, given its latent field.

For a query component y (that of the planted pattern, of latent field u_1) the other patterns contribute

    g(omega, V) = log E_u exp(lambda y act(omega + sqrt(V) u)),      omega = m u_1 + sqrt(r) h,

with independent standard normal u, u_1, h.  Derivatives in omega are moments with Hermite polynomials of u, so that
``act`` is never differentiated, and Gaussian smoothing obeys the heat equation: ``d/dr = (1/2) d^2/domega^2`` outside
the logarithm, ``d/dV = (1/2) d^2/domega^2`` inside.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.diffusion.activations import Activation, activation
from theory.diffusion.constants import gaussian_constants
from theory.errors import InvalidInput
from theory.quadrature import gauss_legendre

__all__ = [
    "ChannelAverages",
    "LogAverages",
    "NormalRule",
    "Normalised",
    "beside_kinks",
    "channel_averages",
    "inner_nodes",
    "log_averages",
    "normal_rule",
    "normalised",
]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
NEGLIGIBLE = 1e-19  # weight of an outer node
CHUNK = 4096  # outer nodes at once, so that arrays stay in cache
NEAR_KINK = (-9.0, -6.0, -4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0, 6.0, 9.0)  # in units of sqrt(V)
ODD = np.linspace(0.01, 12.0, 1200)  # where an activation is compared with its mirror image


@dataclass(frozen=True)
class Normalised:
    """An activation scaled to E act^2 = 1, with its Hermite constants.

    Attributes
    ----------
    name : str
    function : callable
    kappa_0, kappa_1 : float
        E act and E z act.
    kinks : tuple of float
    error : float
        Error of the normalisation.
    """

    name: str
    function: Callable[[Array], Array] = field(compare=False)
    kappa_0: float
    kappa_1: float
    kinks: tuple[float, ...]
    error: float

    @property
    def odd(self) -> bool:
        """Whether ``act(-x) = -act(x)``, to rounding."""
        right, left = self.function(ODD), self.function(-ODD)
        return bool(np.abs(right + left).max() <= 1e-14 * np.abs(right).max())


def normalised(choice: str | Activation | Callable[[Array], Any]) -> Normalised:
    """Scale an activation to unit second moment.

    Raises
    ------
    InvalidInput
        If it is unknown, has no second moment, or grows so fast that ``exp(lambda xi.xi_1)`` has no mean.

    Examples
    --------
    >>> round(normalised("tanh").kappa_1, 9)
    0.964608689
    """
    act = activation(choice)
    constants = gaussian_constants(act, t=0.5, sigma2=1.0)  # at sigma2 = 1 pre-activations have variance 1 at every t
    scale = math.sqrt(constants.second_moment)
    far = np.array([-1e4, 1e4])
    if np.abs(act(far)).max() / scale > 1e-2 * far[1] ** 2:
        raise InvalidInput(
            f"activation '{act.name}' grows like x^2 or faster, so that exp(lambda xi.xi_1) has no mean; use one that "
            "grows slower, such as tanh, erf or relu."
        )
    return Normalised(
        act.name,
        lambda x: act(x) / scale,
        constants.mu0 / scale,
        constants.a / scale,
        _rough_places(act, constants.second_moment),
        constants.error / scale**2,
    )


def _rough_places(act: Activation, second_moment: float) -> tuple[float, ...]:
    """Edges of panels for an activation that even steps do not resolve: its kinks, or where its own panels are narrow.

    So are they at a kink of a derivative, which alone is an edge then, and where the function is steep.
    """
    edges, kinks = act.pieces(9.0)
    rule = normal_rule(0.25, 9.0)
    if len(kinks) or abs(float(rule.w @ act(rule.x) ** 2) / second_moment - 1.0) < 1e-9:
        return tuple(float(k) for k in kinks)
    gap = np.diff(edges)
    k = int(gap.argmin())
    if gap[k] < 1e-3:
        middle = 0.5 * float(edges[k] + edges[k + 1])
        near = round(middle, 3) + 0.0  # kinks like round numbers
        return (near if abs(middle - near) < 10.0 * float(gap[k]) else middle,)
    fine = gap < 0.3
    return tuple(float(e) for e, near in zip(edges[1:-1], fine[1:] | fine[:-1], strict=True) if near)


class NormalRule(NamedTuple):
    """Nodes and weights of the standard normal law."""

    x: Array
    w: Array


@functools.lru_cache(maxsize=64)
def normal_rule(step: float, reach: float, kinks: tuple[float, ...] = ()) -> NormalRule:
    """Trapezoid rule for smooth integrands; Gauss-Legendre panels of about eight steps where there are kinks."""
    if not kinks:
        half = math.ceil(reach / step)
        x = np.asarray(step * np.arange(-half, half + 1), dtype=np.float64)
        w = np.full_like(x, step)
    else:
        edges = sorted({-reach, *(k for k in kinks if abs(k) < reach), reach})
        x, w = (a[0] for a in _panels(np.array([edges]), reach, step))
    w = np.asarray(w * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi), dtype=np.float64)
    x.setflags(write=False)
    w.setflags(write=False)
    return NormalRule(x, w)


def beside_kinks(kinks: tuple[float, ...], slope: float, V: float) -> tuple[float, ...]:
    """Edges of panels for functions of x that average over a kink of ``act(slope x + sqrt(V) u)``, and kink there."""
    width = math.sqrt(V)
    if width > 0.3 * slope:
        return kinks
    return tuple(sorted({*kinks, *((k + d * width) / slope for k in kinks for d in NEAR_KINK)}))


def _panels(edges: Array, reach: float, step: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes on panels that end at the edges (B, k) and at fixed places; (B, nodes) arrays."""
    fixed = np.linspace(-reach, reach, 2 * math.ceil(0.4 * reach) + 1)
    every = np.sort(np.concatenate([np.broadcast_to(fixed, (len(edges), fixed.size)), edges], axis=1), axis=1)
    t, v = gauss_legendre(max(6, math.ceil(4.4 / step)))
    half = 0.5 * np.diff(every, axis=1)
    x = 0.5 * (every[:, 1:] + every[:, :-1])[:, :, None] + half[:, :, None] * t
    w = half[:, :, None] * v
    return x.reshape(len(edges), -1), w.reshape(len(edges), -1)


def inner_nodes(omega: Array, V: float, step: float, reach: float, kinks: tuple[float, ...]) -> tuple[Array, Array]:
    """Nodes u and normal weights for integrands ``act(omega + sqrt(V) u)``; (B or 1, nodes) arrays."""
    if not kinks:
        rule = normal_rule(step, reach)
        return rule.x[None], rule.w[None]
    places = (np.array(kinks) - omega[:, None]) / math.sqrt(V)
    x, w = _panels(np.clip(places, -reach, reach), reach, step)
    return x, w * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


class ChannelAverages(NamedTuple):
    """E g, the averages A, B, C of the saddle-point equations, the slope ``E dg/dlambda``, and their derivatives.

    Attributes
    ----------
    value : float
        E g.
    A, B, C, slope, curved : float
        E u_1 g', E g'^2, E g'', E dg/dlambda and E g''^2.
    dA, dB, dC, d_slope : (4,) array
        Their derivatives in (m, r, V, lambda).
    """

    value: float
    A: float
    B: float
    C: float
    slope: float
    curved: float
    dA: Array
    dB: Array
    dC: Array
    d_slope: Array


def channel_averages(
    act: Function,
    m: float,
    r: float,
    V: float,
    lam: float,
    *,
    level: int,
    kinks: tuple[float, ...] = (),
    overlap: float = 1.0,
) -> ChannelAverages:
    """Averages over u_1, h (and the disturbance of the query, where its overlap is below 1).

    Parameters
    ----------
    act : callable
        Normalised activation.
    m, r, V, lam : float
        Overlap of the latent fields, ``q_0 - m^2``, ``q_d - q_0``, and lambda.
    level : int
        0, 1, 2, ...: finer and finer rules.
    kinks : tuple of float
        Where `act` is not smooth.
    overlap : float
        Overlap of the query with the planted pattern: ``y = overlap act(u_1) + sqrt(1 - overlap^2) noise``.
    """
    step, reach = 0.4 / 1.25**level, 9.0 + 0.5 * level
    first = normal_rule(step, reach, beside_kinks(kinks, abs(m), V))
    field = normal_rule(2.0 * step, 8.5)  # what is averaged over h and the disturbance is smoothed already
    clean = act(first.x)
    if overlap < 1.0:
        noise = normal_rule(2.0 * step, 8.5)
        y = (overlap * clean[:, None] + math.sqrt(1.0 - overlap**2) * noise.x).ravel()
        u1, w1 = np.repeat(first.x, noise.x.size), np.outer(first.w, noise.w).ravel()
    else:
        y, u1, w1 = clean, first.x, first.w
    if np.array_equal(clean, -clean[::-1]) and np.array_equal(first.x, -first.x[::-1]):  # odd: fold u_1 -> -u_1
        w1 = w1 * np.where(u1 > 0.0, 2.0, 1.0)
        y, u1, w1 = y[u1 >= 0.0], u1[u1 >= 0.0], w1[u1 >= 0.0]
    weight = np.outer(w1, field.w)
    row, column = np.nonzero(weight > NEGLIGIBLE)
    weight, y, u1, h = weight[row, column], y[row], u1[row], field.x[column]
    total = np.zeros(22)
    for start in range(0, y.size, CHUNK):
        part = slice(start, start + CHUNK)
        n = log_averages(act, y[part], m * u1[part] + math.sqrt(r) * h[part], V, lam, rule=(step, reach), kinks=kinks)
        total += [float(weight[part] @ row) for row in _rows(n, u1[part])]
    return ChannelAverages(*total[:6].tolist(), *np.split(total[6:], 4))


def _rows(n: LogAverages, u_1: Array) -> tuple[Array, ...]:
    """The 22 averages, not yet averaged."""
    g1, g2 = n.g1, n.g2
    return (
        *(n.g, u_1 * g1, g1 * g1, g2, n.t, g2 * g2),
        *(u_1**2 * g2, 0.5 * u_1 * n.g3, u_1 * n.g1_V, u_1 * n.t1),
        *(2.0 * u_1 * g1 * g2, g2 * g2 + g1 * n.g3, 2.0 * g1 * n.g1_V, 2.0 * g1 * n.t1),
        *(u_1 * n.g3, 0.5 * n.g4, n.g2_V, n.t2),
        *(u_1 * n.t1, 0.5 * n.t2, n.t_V, n.t_lam),
    )


class LogAverages(NamedTuple):
    """g and its derivatives at outer nodes, ``t = dg/dlambda`` and its derivatives; (B,) arrays.

    Digits are derivatives in omega, V and lam those in V and lambda.
    """

    g: Array
    g1: Array
    g2: Array
    g3: Array
    g4: Array
    g1_V: Array
    g2_V: Array
    t: Array
    t1: Array
    t2: Array
    t_V: Array
    t_lam: Array


def log_averages(
    act: Function,
    y: Array,
    omega: Array,
    V: float,
    lam: float,
    *,
    rule: tuple[float, float],
    kinks: tuple[float, ...] = (),
) -> LogAverages:
    """``g = log E_u exp(lambda y act(omega + sqrt(V) u))`` with its derivatives.

    Parameters
    ----------
    act : callable
    y, omega : (B,) array
    V, lam : float
    rule : (float, float)
        Step and reach of the nodes u.
    kinks : tuple of float
        Where `act` is not smooth.
    """
    u, w = inner_nodes(omega, V, *rule, kinks)
    root = math.sqrt(V)
    a = act(omega[:, None] + root * u)
    exponent = (lam * y)[:, None] * a
    shift = exponent.max(axis=1)
    e = w * np.exp(exponent - shift[:, None])
    he = np.stack(np.broadcast_arrays(np.ones_like(u), u / root, (u**2 - 1) / V, (u**3 - 3 * u) / (V * root)))
    he4 = (u**4 - 6 * u**2 + 3) / V**2
    ae = a * e
    if u.shape[0] == 1:
        H = np.concatenate([he[:, 0], he4])
        z = e @ H.T
        b = ae @ H[:3].T
        z0, z1, z2, z3, z4 = z.T
        a0, a1, a2 = b.T
    else:
        z0, z1, z2, z3 = np.einsum("bu,kbu->kb", e, he)
        z4 = np.einsum("bu,bu->b", e, he4)
        a0, a1, a2 = np.einsum("bu,kbu->kb", ae, he[:3])
    aa = np.einsum("bu,bu->b", ae, a)
    value = shift + np.log(z0)
    z1, z2, z3, z4, a0, a1, a2, aa = (v / z0 for v in (z1, z2, z3, z4, a0, a1, a2, aa))
    g1, g2 = z1, z2 - z1 * z1
    g3 = z3 - 3.0 * z1 * z2 + 2.0 * z1**3
    g4 = z4 - 4.0 * z1 * z3 - 3.0 * z2 * z2 + 12.0 * z1 * z1 * z2 - 6.0 * z1**4
    g1_V = 0.5 * (z3 - z1 * z2)
    g2_V = 0.5 * (z4 - z2 * z2) - 2.0 * z1 * g1_V
    t, t1 = y * a0, y * (a1 - z1 * a0)
    t2 = y * (a2 - 2.0 * z1 * a1 - z2 * a0 + 2.0 * z1 * z1 * a0)
    t_V, t_lam = 0.5 * y * (a2 - a0 * z2), y * y * (aa - a0 * a0)
    return LogAverages(value, g1, g2, g3, g4, g1_V, g2_V, t, t1, t2, t_V, t_lam)
