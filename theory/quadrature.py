r"""Gaussian averages of functions with one narrow feature: right to 1e-12 from T = 1e-3 to T = 10.

At low temperature ``tanh(beta h)`` is a step of width ``T/s`` on the scale of the Gaussian, and Gauss-Hermite
rules are wrong by 1e-4 to 1e-3.  The rule here places panels of Gauss-Legendre nodes geometrically around the
step, so the poles of ``tanh`` stay far (in panel widths) from every panel, and measures nodes from the step, so
that the argument of ``tanh`` carries no cancellation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput

__all__ = ["Average", "KinkRule", "gauss_legendre", "gaussian_average", "half_line_rule", "kink_rule"]

Array = NDArray[np.float64]

CUTOFF = 9.0  # the normal weight beyond is 2e-19
_EDGES = (2.0, 8.0, 18.0)  # in step widths: exp(-2*18) is below rounding
NODES = 24


class Average(NamedTuple):
    """A Gaussian average and an estimate of its absolute error."""

    value: Array
    error: Array


@functools.lru_cache(maxsize=16)
def gauss_legendre(nodes: int) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1], computed once per order."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    x.setflags(write=False)
    w.setflags(write=False)
    return x, w


class KinkRule(NamedTuple):
    """Nodes of the normal variable, the field at them, and the weights; each a (B, K) array."""

    z: Array
    field: Array
    weight: Array


def kink_rule(mean: Array, variance: Array, *, nodes: int = NODES) -> KinkRule:
    r"""Nodes in the field ``h = mean + sqrt(variance) z`` and weights of the normal law of ``z``.

    Parameters
    ----------
    mean, variance : (B,) array
        Dimensionless (beta = 1) mean and variance of the local field; the step is taken to have width one in h.
    nodes : int
        Gauss-Legendre nodes per panel (9 panels).

    Returns
    -------
    KinkRule
        ``E g(h)`` is ``(weight * g(field)).sum(-1)``; K is 9 times `nodes`.

    Examples
    --------
    >>> rule = kink_rule(np.array([0.3]), np.array([400.0]))
    >>> bool(abs(rule.weight.sum() - 1) < 1e-14)
    True
    """
    x, w = gauss_legendre(nodes)
    sd = np.sqrt(np.maximum(variance, 0.0))
    inside = np.abs(mean) < CUTOFF * sd
    safe = np.where(inside, sd, 1.0)
    centre = np.where(inside, -mean / safe, 0.0)  # z at which the field vanishes
    width = np.where(inside, 1.0 / safe, 2.0 * CUTOFF)
    steps = width[:, None] * np.array(_EDGES)
    limit, zero = np.full((len(sd), 1), np.inf), np.zeros((len(sd), 1))
    # The centre of the Gaussian is an edge too, so that no panel spans more than half of it.
    edges = np.concatenate([-limit, -steps[:, ::-1], zero, steps, -centre[:, None], limit], axis=1)
    edges = np.sort(np.clip(edges, (-CUTOFF - centre)[:, None], (CUTOFF - centre)[:, None]), axis=1)
    half = 0.5 * np.diff(edges, axis=1)
    u = 0.5 * (edges[:, 1:] + edges[:, :-1])[:, :, None] + half[:, :, None] * x
    z = centre[:, None, None] + u
    weight = half[:, :, None] * w * np.exp(-0.5 * z * z) * (1.0 / math.sqrt(2.0 * math.pi))
    h = np.where(inside, 0.0, mean)[:, None, None] + sd[:, None, None] * u
    shape = (len(sd), -1)
    return KinkRule(z.reshape(shape), h.reshape(shape), weight.reshape(shape))


@functools.lru_cache(maxsize=16)
def half_line_rule(*, nodes: int = 16, fine: bool = False) -> tuple[Array, Array]:
    """Nodes ``x > 0`` and weights such that ``sum(w f(x))`` is ``E f(|x|)`` for a standard normal ``x``.

    With `fine`, panels are graded towards zero for integrands that vary quickly there.
    """
    edges = np.array([0.0, 0.02, 0.08, 0.25, 0.6, 1.2, 2.4, 4.5, CUTOFF] if fine else [0.0, 1.0, 2.2, 4.5, CUTOFF])
    x, w = gauss_legendre(nodes)
    half = 0.5 * np.diff(edges)
    points = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * x).ravel()
    weights = (half[:, None] * w).ravel() * 2.0 * np.exp(-0.5 * points**2) / math.sqrt(2.0 * math.pi)
    return points, weights


def gaussian_average(
    function: Callable[[Array], Array], mean: float | Array, variance: float | Array, *, nodes: int = NODES
) -> Average:
    r"""``E g(mean + sqrt(variance) z)`` over a standard normal ``z``, with an error estimate.

    Parameters
    ----------
    function : callable
        Vectorised ``g``; may have one step or kink of unit width around zero argument.
    mean, variance : float or (B,) array
        Mean and variance of the field, in units of the temperature.
    nodes : int
        Gauss-Legendre nodes per panel; the error is estimated from the rule with twice as many.

    Returns
    -------
    Average
        Value on the finer rule and the absolute difference of the two rules.

    Raises
    ------
    InvalidInput
        For a negative or non-finite variance.

    Examples
    --------
    >>> average = gaussian_average(np.tanh, 30.0, 900.0)
    >>> round(float(average.value[0]), 9), bool(average.error[0] < 1e-12)
    (0.682468508, True)
    """
    m, v = np.broadcast_arrays(np.atleast_1d(np.asarray(mean, float)), np.atleast_1d(np.asarray(variance, float)))
    if not (np.all(np.isfinite(v)) and np.all(v >= 0.0) and np.all(np.isfinite(m))):
        raise InvalidInput(
            f"variance = {variance} with mean = {mean} is not allowed; both must be finite and variance >= 0."
        )
    values = []
    for n in (nodes, 2 * nodes):
        rule = kink_rule(m, v, nodes=n)
        values.append((rule.weight * function(rule.field)).sum(-1))
    return Average(values[1], np.abs(values[1] - values[0]))
