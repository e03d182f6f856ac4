r"""The law of the length of a sum of L independent unit vectors of d components, as Gauss rules.

A rotation-invariant smooth function of the sum is a smooth function of ``u = R^2``, and ``u_L = u + 1 + 2 sqrt(u) c``
with the cosine c of the next vector.  Averages of polynomials in u of degree n are, averaged over c, polynomials of
degree n in the previous u: from an n-point Gauss rule for L - 1 vectors and one for c follows that for L vectors,
exactly, by n steps of Lanczos' iteration.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.special import roots_jacobi

__all__ = ["Rule", "gauss_rule", "walk"]

Array = NDArray[np.float64]

_NEGLIGIBLE = 1e-40


class Rule(NamedTuple):
    """``E phi(R)`` is ``weight @ phi(length)``."""

    length: Array
    weight: Array


@functools.lru_cache(maxsize=256)
def walk(d: int, L: int, nodes: int, *, projected: bool = False) -> Rule:
    """Gauss rule for ``R = |n_1 + ... + n_L|`` with so many nodes.

    Parameters
    ----------
    d, L : int
        Components, at least 2, and number of vectors.
    nodes : int
    projected : bool
        Averages ``(n_1.(n_1 + ... + n_L))^2 phi(R)`` instead.

    Examples
    --------
    >>> rule = walk(3, 2, 24)
    >>> round(float(rule.weight @ rule.length**2), 12), round(float(rule.weight @ rule.length**4), 12)
    (2.0, 5.333333333333)
    """
    if L == 1:
        return Rule(np.ones(1), np.ones(1))
    c, w = roots_jacobi(nodes, 0.5 * (d - 3), 0.5 * (d - 3))
    before = walk(d, L - 1, nodes)
    rho = before.length[:, None]
    square = np.maximum(1.0 + rho * (rho + 2.0 * c), 0.0).ravel()
    weight = (before.weight[:, None] * (w / w.sum())).ravel()
    if projected:
        weight *= (1.0 + rho * c).ravel() ** 2
    if L > 2:
        square, weight = gauss_rule(square, weight, nodes)
    return Rule(np.sqrt(np.maximum(square, 0.0)), weight)


def gauss_rule(points: Array, weight: Array, nodes: int) -> tuple[Array, Array]:
    """The Gauss rule with so many nodes for a discrete measure of many more points.

    Without orthogonalisation, extreme nodes come in copies that share their weight, which harms no average.

    Examples
    --------
    >>> x, w = gauss_rule(np.arange(9.0), np.ones(9), 3)
    >>> round(float(w @ x**5), 9), sum(k**5 for k in range(9))
    (61776.0, 61776)
    """
    kept = weight > _NEGLIGIBLE * weight.max()
    points, weight = points[kept], weight[kept]
    total = float(weight.sum())
    diagonal, beside = np.empty(nodes), np.empty(nodes)
    v, last = np.sqrt(weight / total), np.zeros_like(weight)
    for k in range(nodes):
        new = points * v
        if k:
            new -= beside[k - 1] * last
        diagonal[k] = new @ v
        new -= diagonal[k] * v
        beside[k] = np.linalg.norm(new)
        last, v = v, new / beside[k]
    found, vectors = eigh_tridiagonal(diagonal, beside[:-1])
    return np.asarray(found, np.float64), np.asarray(total * vectors[0] ** 2, np.float64)
