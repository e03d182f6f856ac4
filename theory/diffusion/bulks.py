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
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, dst, idct, idst

from theory.diffusion.edges import folds_of
from theory.diffusion.resolvent import ScoreModel, checked_model
from theory.errors import NotConverged
from theory.problem import Status

__all__ = ["Bulk", "Bulks", "Nodes", "bulks", "nodes_of"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_DENSE = 1e-7  # argument of q or u that means a density
_NODES = (32, 1024, 16384)  # fewest; most for many eigenvalues of Sigma, and for few
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
    nodes : Nodes
        Those that its weight was checked with.
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
    nodes: Nodes = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The kinds joined, as '2' or '3+1'."""
        return "+".join(str(kind) for kind in self.kinds)

    def to_json(self) -> dict[str, Any]:
        """The bulk as plain types."""
        plain = {name: value for name, value in self.__dict__.items() if name != "nodes"}
        return {**plain, "kinds": list(self.kinds), "name": self.name}


@dataclass(frozen=True)
class Nodes:
    """Quadrature nodes in a bulk: ``(weight * density * f(eigenvalue)).sum()`` is its part of the trace of f(U)/p.

    Attributes
    ----------
    eigenvalue, weight, density, error, features : (k,) array
        `features` is the density of the spectral measure of U on the span of W, of mass psi_p in all.
    cumulative : (k,) array
        Share of all eigenvalues that lie in this bulk below.
    w, u : (k,) complex array
        Solutions of the resolvent's equations there.
    doubt : float
        Estimated error of the sum for the weight.
    """

    eigenvalue: Array
    weight: Array
    density: Array
    error: Array
    features: Array
    cumulative: Array
    w: Complex
    u: Complex
    doubt: float = math.inf

    @property
    def mass(self) -> float:
        """The sum for the weight."""
        return float(self.weight @ self.density)


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
    InvalidInput
        For something that is no score model.
    NotConverged
        If the density of a bulk does not integrate to its weight, so that edges may be missing.

    Examples
    --------
    >>> found = bulks(ScoreModel(64, 8, 0.01))
    >>> [(b.name, round(b.low, 12), round(b.weight * 64, 9)) for b in found.bulks]
    [('3', 0.003683171479, 1.0), ('1', 0.091329640567, 7.0), ('2', 9.835877278531, 1.0)]
    """
    return _bulks(checked_model(model))


def nodes_of(model: ScoreModel, bulk: Bulk, *, points: int = 100) -> Nodes:
    """Density and integration weights at nodes in a bulk, as many as the weight needs but `points` at least.

    Examples
    --------
    >>> model = ScoreModel(64, 8, 0.01)
    >>> nodes = nodes_of(model, bulks(model).bulks[0])
    >>> round(64 * float(nodes.weight @ nodes.density), 10)
    1.0
    """
    if bulk.nodes.eigenvalue.size >= points:
        return bulk.nodes
    return _refined(model, [(bulk.above_low, bulk.above_high)], [bulk.nodes], points)[0]


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
    intervals = [(float(marks[k]), float(marks[last])) for k, last in zip(starts, ends, strict=True)]
    few = _placed(model, intervals, _NODES[0] // 2, None) if intervals else []
    grids = _refined(model, intervals, few, _NODES[0])
    parts = []
    for k, last, weight, kind, nodes in zip(starts, ends, np.diff(share), kinds, grids, strict=True):
        low, high = float(marks[k]), float(marks[last])
        doubt = abs(nodes.mass - float(weight))
        if not doubt < _MISSING * max(weight, 1.0 / model.psi_p):
            raise NotConverged(
                f"the density between {floor + low:.9g} and {floor + high:.9g} holds {doubt:.1e} more or less than its "
                f"share {weight:.9g} of the eigenvalues, so edges are missing; move the parameters a little, away from "
                "where bulks merge."
            )
        error = float(max(errors[k], errors[last])) + _EPS * (floor + high)
        parts.append(Bulk(floor + low, floor + high, error, float(weight), doubt, *kind, low, high, nodes))
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


def _refined(model: ScoreModel, ends: list[tuple[float, float]], grids: list[Nodes], n: int) -> list[Nodes]:
    """At least n nodes between edges measured from s^2, from fewer; twice as many until the weight stays."""
    found, live = list(grids), list(range(len(ends)))
    most = int(np.clip(_EFFORT // model.population.eigenvalues.size, *_NODES[1:]))
    while live:
        finer = _placed(model, [ends[k] for k in live], n, [found[k] for k in live])
        moving = []
        for k, nodes in zip(live, finer, strict=True):
            change = abs(nodes.mass - found[k].mass)
            found[k] = replace(nodes, doubt=change + float(nodes.weight @ nodes.error))
            if change > _WEIGHT * max(nodes.mass, 1.0 / model.psi_p) and n < most:
                moving.append(k)
        live, n = moving, min(2 * n, most)
    return found


def _placed(model: ScoreModel, ends: list[tuple[float, float]], n: int, before: list[Nodes] | None) -> list[Nodes]:
    """Midpoints in the angle of ``log x``, or of x itself from an edge on s^2, which absorb square roots at the edges.

    Sums over them converge exponentially.  `before` are other midpoints of the same intervals, to start from.
    """
    angle = (np.arange(n) + 0.5) * math.pi / n
    x, speed = (np.array(rows) for rows in zip(*(_mapped(low, high, angle) for low, high in ends), strict=True))
    start = None
    if before is not None:
        w, u = (np.array(rows) for rows in zip(*((nodes.w, nodes.u) for nodes in before), strict=True))
        start = (_resampled(w, n).ravel(), _resampled(u, n).ravel())
    levels = model.above(x.ravel(), start=start)
    q, w, u, error, features = (
        part.reshape(x.shape) for part in (levels.q, levels.w, levels.u, levels.error, levels.features)
    )
    density, width = q.imag / math.pi, speed * math.pi / n
    # The share below, from the cosine series of the density in the angle, an even function given at midpoints.
    series = dct(density * speed, type=2) / n
    series[:, 1:] /= np.arange(1, n)
    rising = 0.5 * series[:, :1] * angle + 0.5 * dst(np.roll(np.where(np.arange(n), series, 0.0), -1), type=3)
    floor = model.constants.s_squared
    columns = (floor + x, width, density, error / math.pi, features.imag / math.pi, rising, w, u)
    return [Nodes(*row) for row in zip(*columns, strict=True)]


def _mapped(low: float, high: float, angle: Array) -> tuple[Array, Array]:
    """x and its derivative at angles."""
    share, rate = np.sin(0.5 * angle) ** 2, 0.5 * np.sin(angle)
    if low == 0.0:
        return high * share, high * rate
    span = math.log(high / low)
    x = low * np.exp(span * share)
    return x, span * rate * x


def _resampled(values: Complex, n: int) -> Complex:
    """Values (k, m) at m midpoints of the angle at n >= m midpoints.

    Through an edge the solution goes on as its conjugate: in the angle the logarithm has an even real part and an odd
    imaginary part, apart from whole half-turns at the ends.
    """
    logs = np.log(values)
    first, last = (np.pi * np.round(logs.imag[:, [k]] / np.pi) for k in (0, -1))
    line, fine = (first + (last - first) * (np.arange(m) + 0.5) / m for m in (values.shape[1], n))
    even = idct(dct(logs.real, norm="forward"), n=n, norm="forward")
    odd = idst(dst(logs.imag - line, norm="forward"), n=n, norm="forward")
    return np.asarray(np.exp(even + 1j * (odd + fine)))
