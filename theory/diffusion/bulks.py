r"""Bulks of the spectrum of a score model's feature matrix: edges, weights, densities, and what their modes are.

Between consecutive folds of the real curve the density is zero or positive throughout; where it is positive is found
from the resolvent.  Bulks are identified by the share of eigenvalues above them, which survives merging: from the top

    population modes (2)    min(1, psi_n, psi_p)                 directions of the data
    noise modes (1)         min(psi_n, psi_p) - 1                what single samples leave beyond that
    hidden modes (3)        1, or psi_p - psi_n if less          the span of W, projected out of the samples' span
    delta at s^2            psi_p - psi_n - 1                    reached by neither,

in units of ``1/psi_p``.  A bulk that holds eigenvalues of several kinds is merged, and says of which.

Source: the numbering is that of Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638, who describe 1 and 2.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, dst

from theory.diffusion.edges import folds_of
from theory.diffusion.resolvent import Levels, ScoreModel
from theory.errors import NotConverged
from theory.problem import Status

__all__ = ["Bulk", "Bulks", "Nodes", "bulks", "nodes_of"]

Array = NDArray[np.float64]

_DENSE = 1e-7  # argument of q or u that means a density
_NODES = (64, 1024, 16384)  # fewest; most for many eigenvalues of Sigma, and for few
_EFFORT = 1 << 20
_EPS = float(np.finfo(float).eps)
_WEIGHT = 1e-12
_MISSING = 1e-4  # of its weight that the density of a bulk may miss
_SHARE = 1e-9  # of an eigenvalue per dimension: mass that counts when bulks are identified


@dataclass(frozen=True)
class Bulk:
    """An interval of eigenvalues.

    Attributes
    ----------
    low, high : float
        Edges.
    error : float
        Estimated error of the edges.
    weight, weight_error : float
        Share of the eigenvalues, exact to rounding, and by how much the integral of the density differs from it.
    kinds : tuple of int
        Kinds of modes it holds, by increasing eigenvalue: 3 hidden, 1 noise, 2 population; several if merged.
    part : bool
        Whether it is only a part of its kind (several atoms of Sigma split the population modes).
    above_low, above_high : float
        The edges less s^2, without cancellation; `above_low` is 0 where the density diverges at s^2 itself.
    """

    low: float
    high: float
    error: float
    weight: float
    weight_error: float
    kinds: tuple[int, ...]
    part: bool
    above_low: float
    above_high: float

    @property
    def name(self) -> str:
        """The kinds joined, as '2' or '3+1'."""
        return "+".join(str(kind) for kind in self.kinds)

    def to_json(self) -> dict[str, Any]:
        """The bulk as plain types."""
        return {**self.__dict__, "kinds": list(self.kinds), "name": self.name}


@dataclass(frozen=True)
class Nodes:
    """Quadrature nodes in a bulk: ``(weight * density * f(eigenvalue)).sum()`` is its part of the trace of f(U)/p.

    Attributes
    ----------
    eigenvalue, weight, density, error, features : (k,) array
        `features` is the density of the spectral measure of U on the span of W, of mass psi_p in all.
    cumulative : (k,) array
        Share of all eigenvalues that lie in this bulk below.
    doubt : float
        Estimated error of the sum for the weight.
    """

    eigenvalue: Array
    weight: Array
    density: Array
    error: Array
    features: Array
    cumulative: Array
    doubt: float = 0.0


@dataclass(frozen=True)
class Bulks:
    """All bulks by increasing eigenvalue, and the delta at s^2.

    Attributes
    ----------
    bulks : tuple of Bulk
    atoms : tuple of (float, float)
        Position and weight.
    status : Status
    """

    bulks: tuple[Bulk, ...]
    atoms: tuple[tuple[float, float], ...]
    status: Status

    @property
    def total(self) -> float:
        """All weights together."""
        return sum(b.weight for b in self.bulks) + sum(w for _, w in self.atoms)

    def of_kind(self, kind: int) -> tuple[Bulk, ...]:
        """Bulks that hold modes of a kind and no others."""
        return tuple(b for b in self.bulks if b.kinds == (kind,))

    def top_of(self, kind: int) -> float | None:
        """Upper edge of the modes of a kind; None if there are none, or no gap above them."""
        holding = [b for b in self.bulks if kind in b.kinds]
        return holding[-1].high if holding and holding[-1].kinds[-1] == kind else None

    def bottom_of(self, kind: int) -> float | None:
        """Lower edge of the modes of a kind; None if there are none, or no gap below them."""
        holding = [b for b in self.bulks if kind in b.kinds]
        return holding[0].low if holding and holding[0].kinds[0] == kind else None


def bulks(model: ScoreModel) -> Bulks:
    """All bulks of a model's feature matrix, with their weights.

    Raises
    ------
    NotConverged
        If the density of a bulk does not integrate to its weight, so that edges may be missing.

    Examples
    --------
    >>> found = bulks(ScoreModel(64, 8, 0.01))
    >>> [(b.name, round(b.low, 12), round(b.weight * 64, 9)) for b in found.bulks]
    [('3', 0.003683171479, 1.0), ('1', 0.091329640567, 7.0), ('2', 9.835877278531, 1.0)]
    """
    return _bulks(model)


def nodes_of(model: ScoreModel, bulk: Bulk, *, points: int = 100) -> Nodes:
    """Density and integration weights at nodes in a bulk, as many as the weight needs but `points` at least.

    Examples
    --------
    >>> model = ScoreModel(64, 8, 0.01)
    >>> nodes = nodes_of(model, bulks(model).bulks[0])
    >>> round(64 * float(nodes.weight @ nodes.density), 10)
    1.0
    """
    return _nodes(model, bulk.above_low, bulk.above_high, points)


@functools.lru_cache(maxsize=32)
def _bulks(model: ScoreModel) -> Bulks:
    floor, folds = model.constants.s_squared, folds_of(model)
    marks, errors = np.append(0.0, folds.x), np.append(0.0, folds.error)
    middle = np.sqrt(np.maximum(marks[:-1], 1e-6 * marks[1:]) * marks[1:])
    levels = model.above(middle)
    turned = np.maximum(levels.q.imag / np.abs(levels.q), -levels.u.imag / np.abs(levels.u))
    filled = np.concatenate([[False], turned > _DENSE, [False]])
    below = np.append(model.below(levels), 1.0)  # right in the gaps, among them the one above all
    starts, ends = (np.flatnonzero(np.diff(filled.astype(int)) == sign) for sign in (1, -1))
    share = np.append(model.atom, below[ends])
    kinds = _kinds(model, list(np.diff(share)))
    parts = []
    for k, last, weight, kind in zip(starts, ends, np.diff(share), kinds, strict=True):
        low, high = float(marks[k]), float(marks[last])
        nodes = _nodes(model, low, high, _NODES[0])
        doubt = float(abs(nodes.weight @ nodes.density - weight))
        if not doubt < _MISSING * max(weight, 1.0 / model.psi_p):
            raise NotConverged(
                f"the density between {floor + low:.9g} and {floor + high:.9g} holds {doubt:.1e} more or less than its "
                f"share {weight:.9g} of the eigenvalues, so edges are missing; move the parameters a little, away from "
                "where bulks merge."
            )
        error = float(max(errors[k], errors[last])) + _EPS * (floor + high)
        parts.append(Bulk(floor + low, floor + high, error, float(weight), doubt, *kind, low, high))
    found = Bulks(tuple(parts), ((floor, model.atom),) if model.atom > 0.0 else (), Status.CONVERGED)
    if not parts or not abs(found.total - 1.0) <= _MISSING / max(1.0, model.psi_p):
        raise NotConverged(
            f"the bulks found hold {found.total:.9g} of the eigenvalues instead of 1, so edges are missing (signal "
            f"{model.constants.A:.1e} against noise {model.constants.b_squared:.1e}); move the parameters a little."
        )
    return found


def _kinds(model: ScoreModel, weights: list[float]) -> list[tuple[tuple[int, ...], bool]]:
    """Kinds of the modes of every bulk, from the share of eigenvalues above it."""
    p, n = model.psi_p, model.psi_n
    noisy, signal = model.constants.v_squared > 0.0, 1.0 if model.learns else 0.0
    if not model.learns:
        masses = {1: min(n, p)}
    else:
        population = min(1.0, n, p)
        noise = max(0.0, min(n, p) - 1.0) if noisy else 0.0
        rest = min(p, n + signal) if noisy else min(p, 1.0)
        masses = {2: population, 1: noise, 3: max(0.0, rest - population - noise)}
    spans, above = [], 0.0
    for kind, mass in masses.items():
        spans.append((kind, above, above + mass))
        above += mass
    found = []
    top = 0.0
    for weight in reversed(weights):
        bottom = top + weight * p
        inside = [(kind, min(bottom, b) - max(top, a), b - a) for kind, a, b in spans]
        held = [(kind, share, mass) for kind, share, mass in inside if share > _SHARE]
        kinds = tuple(kind for kind, _, _ in reversed(held))
        part = len(held) == 1 and bool(held[0][1] < held[0][2] - _SHARE)
        found.append((kinds, part))
        top = bottom
    return found[::-1]


def _nodes(model: ScoreModel, low: float, high: float, points: int) -> Nodes:
    """Nodes between edges measured from s^2; twice as many until the weight stays."""
    n = max(_NODES[0], points)
    most = int(np.clip(_EFFORT // model.population.eigenvalues.size, *_NODES[1:]))
    nodes, levels = _placed(model, low, high, n // 2, None)
    while True:
        before = float(nodes.weight @ nodes.density)
        nodes, levels = _placed(model, low, high, n, levels)
        weight = float(nodes.weight @ nodes.density)
        change = abs(weight - before)
        if change <= _WEIGHT * max(weight, 1.0 / model.psi_p) or n >= most:
            return replace(nodes, doubt=change + float(nodes.weight @ nodes.error))
        n = min(2 * n, most)


def _placed(model: ScoreModel, low: float, high: float, n: int, before: Levels | None) -> tuple[Nodes, Levels]:
    """Midpoints in the angle of ``log x``, or of x itself from an edge on s^2, which absorb square roots at the edges.

    Sums over them converge exponentially.  `before` are levels at another number of midpoints, to start from.
    """
    angle = (np.arange(n) + 0.5) * math.pi / n
    if low == 0.0:
        x = high * np.sin(0.5 * angle) ** 2
        speed = 0.5 * high * np.sin(angle)
    else:
        span = math.log(high / low)
        x = low * np.exp(span * np.sin(0.5 * angle) ** 2)
        speed = 0.5 * span * np.sin(angle) * x
    start = None
    if before is not None:
        old = (np.arange(before.x.size) + 0.5) * math.pi / before.x.size
        start = (_between(angle, old, before.w), _between(angle, old, before.u))
    levels = model.above(x, start=start)
    density = levels.q.imag / math.pi
    # The share below, from the cosine series of the density in the angle, an even function given at midpoints.
    series = dct(density * speed, type=2) / n
    order = np.arange(1, n)
    rising = 0.5 * series[0] * angle + 0.5 * dst(np.append(series[1:] / order, 0.0), type=3)
    width = speed * math.pi / n
    nodes = Nodes(
        model.constants.s_squared + x, width, density, levels.error / math.pi, levels.features.imag / math.pi, rising
    )
    return nodes, levels


def _between(angle: Array, old: Array, values: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Linear interpolation of complex values."""
    return np.interp(angle, old, values.real) + 1j * np.interp(angle, old, values.imag)
