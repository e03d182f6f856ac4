r"""Memorised, spurious, generalised: two rules, and thresholds that can be defended.

*By distance* (Pham and others, arXiv:2505.21777, as in their code), for samples and any distance in use there:

    M(x) = [min_{y in S} d(x, y) <= delta_m],    S(x) = [not M and min_{y in S', y != x} d(x, y) <= delta_s],
    G(x) = [neither],

with S the memories and S' a synthetic set.  Nothing is asked of where the samples come from.

*By barrier depth*, for attractors of the energy.  On a ring of many random memories, minima do not disappear with
their number: they become shallow, and every one of them is a repeated end point, which the first rule calls spurious;
equally spaced ones all lie near memories, which the first rule calls memorised though the density runs freely from one
to the next.  So classes are of valleys (`numerics.diffusion.valleys`): the valley of an attractor is what can be
reached from it by climbing at most eps/beta.  An attractor is

- *generalised* if its valley extends over more than 2 sigma (the distance at which two memories merge, so that it is
  longer than any one well) and the softmax there averages over at least 1/eps^2 memories (and over 4), so that barriers
  below eps are the law of large numbers (the energy is modulated by n_eff^(-1/2)/beta) and no accident of neighbours;
- else *memorised* if one memory is within delta_m of every minimum of its valley, and memories within delta_m of the
  attractor hold more than half of its softmax weight: it is theirs alone, and no average of others that comes near;
- else *spurious*: several merged memories, a valley along few of them, a ledge from which a deeper well is reached.

Two equal memories are thus spurious up to the distance where eps/beta parts them (3.0 sigma for eps = 1/2) and
memorised beyond.  Above the collapse (sigma^2 larger than every eigenvalue of the data's covariance; on the ring
sigma^2 > 1/2) one minimum is left, at the middle of the data.  It is generalised as long as the smoothed density there
is more than 2 sigma wide, and then spurious: one well, no wider than the noise itself, that is no memory.  At such
noise classes say nothing about the data.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.attractors import Attractors
from numerics.diffusion.barriers import Barriers
from numerics.diffusion.energy import weighted
from numerics.diffusion.memories import Memories, beta_of, nearest_distances
from numerics.diffusion.valleys import Valleys, valleys
from theory.errors import InvalidInput, is_number

__all__ = [
    "CLASSES",
    "DEPTH",
    "MOST",
    "SPAN",
    "Labels",
    "Thresholds",
    "by_barrier",
    "by_distance",
    "checked_depth",
    "checked_distance",
    "checked_thresholds",
    "least_members",
    "propose_thresholds",
]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

CLASSES = ("memorised", "spurious", "generalised")
MEMORISED, SPURIOUS, GENERALISED = range(3)

DEPTH = 0.5
"""Barriers below DEPTH/beta do not separate: the density on the path keeps 61 % of its value at the minimum."""

SPAN = 2.0
"""In units of sigma: two equal memories merge into one well exactly where they are this near."""

MOST = 0.5
"""Of the softmax weight: what memories within delta_m of a memorised attractor exceed."""

_FEW = 4.0  # memories, however deep the barriers that are allowed
_QUANTILE = 0.05
_PART = 1.0 / 3.0
_COPY = 1e-6


@dataclass(frozen=True)
class Thresholds:
    """Distances within which points count as the same.

    Attributes
    ----------
    delta_m, delta_s : float
        To a memory, and to another synthetic sample.
    quantile : float
        The 5 % quantile of the memories' nearest-neighbour distances.
    median : float
        Their median.
    why : str
        How the two were chosen.
    """

    delta_m: float
    delta_s: float
    quantile: float
    median: float
    why: str

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Labels:
    """Classes of attractors, by barrier depth.

    Attributes
    ----------
    label : (n,) int array
        0 memorised, 1 spurious, 2 generalised.
    distance : (n,) array
        To the nearest memory.
    weight : (n,) array
        Softmax weight that memories within delta_m hold.
    members : (n,) array
        Memories that the softmax at the minimum averages over, 1/sum w^2.
    valleys : Valleys
    """

    label: Integers
    distance: Array
    weight: Array
    members: Array
    valleys: Valleys

    def counts(self, weights: ArrayLike | None = None) -> dict[str, float]:
        """Number of attractors, or sum of weights, per class."""
        w = np.ones(len(self.label)) if weights is None else np.asarray(weights, dtype=np.float64)
        return {name: float(w[self.label == k].sum()) for k, name in enumerate(CLASSES)}


def propose_thresholds(points: Array, *, delta_m: float | None = None, delta_s: float | None = None) -> Thresholds:
    """Choose delta_m and delta_s from the histogram of nearest-neighbour distances of the memories.

    The distance from a memory to the nearest other one is distributed as that of a fresh draw from the law of the
    data.  A third of its 5 % quantile is therefore small enough that a generalised sample passes for memorised with
    probability below 5 %, and that a point midway between two memories, where they merge, is of neither.  The same
    holds for delta_s in a synthetic set of the same size that repeats nothing.

    Parameters
    ----------
    points : (K, N) array
        Distinct memories, two at least.
    delta_m, delta_s : float or None
        Given values are kept; see `checked_thresholds`.

    Raises
    ------
    InvalidInput
        For fewer than two memories, or thresholds that make the classes overlap.

    Examples
    --------
    >>> found = propose_thresholds(np.array([[-1.0], [1.0]]))
    >>> round(found.delta_m, 6), found.median
    (0.666667, 2.0)
    """
    if len(points) < 2:
        raise InvalidInput(
            "one memory has no nearest neighbour to choose thresholds from (its energy is the parabola |x - xi|^2 with "
            "one minimum, at every sigma); give at least 2 distinct data points."
        )
    nearest = nearest_distances(points)
    quantile, median = float(np.quantile(nearest, _QUANTILE)), float(np.median(nearest))
    if quantile < _COPY * median and None in (delta_m, delta_s):
        raise InvalidInput(
            f"5 % of the data points or more are copies of others to {_COPY:g} of the median nearest-neighbour "
            f"distance ({median:.4g}), which leaves no threshold to choose; remove them or give both."
        )
    chosen = _PART * quantile
    given = [f"{name} was given" for name, value in (("delta_m", delta_m), ("delta_s", delta_s)) if value is not None]
    rule = f"a third of the 5 % quantile ({quantile:.4g}) of the memories' nearest-neighbour distances"
    out = Thresholds(
        chosen if delta_m is None else delta_m,
        chosen if delta_s is None else delta_s,
        quantile,
        median,
        " and ".join(given) if len(given) == 2 else "; ".join([rule, *given]),
    )
    checked_thresholds(out)
    return out


def checked_distance(name: str, value: float) -> float:
    """Return a distance.

    Raises
    ------
    InvalidInput
        Unless it is a number, 0 < value < infinity.
    """
    if not is_number(value) or not 0.0 < value < math.inf:
        raise InvalidInput(f"{name} = {value} is not allowed; give a distance with 0 < {name} < infinity.")
    return float(value)


def checked_thresholds(thresholds: Thresholds) -> None:
    """Refuse thresholds that make the classes overlap.

    Raises
    ------
    InvalidInput
        If a threshold is no positive number, or reaches half the median nearest-neighbour distance: most memories
        then share points within delta_m with their neighbour, and independent samples count as repetitions.
    """
    for name in ("delta_m", "delta_s"):
        value = checked_distance(name, getattr(thresholds, name))
        if value >= 0.5 * thresholds.median:
            other = "memories" if name == "delta_m" else "samples that repeat nothing"
            raise InvalidInput(
                f"{name} = {value:g} makes the classes overlap: most {other} are within 2 {name} of another (median "
                f"nearest-neighbour distance {thresholds.median:.4g}); give {name} < {0.5 * thresholds.median:.4g}."
            )


def checked_depth(depth: float) -> float:
    """Return the barrier threshold.

    Raises
    ------
    InvalidInput
        Unless 0 < depth < 10.
    """
    if not is_number(depth) or not 0.0 < depth < 10.0:
        raise InvalidInput(f"depth = {depth} is not allowed; give barriers in units of 1/beta, 0 < depth < 10.")
    return float(depth)


def least_members(depth: float) -> float:
    """Memories that a generalised attractor averages over at least: 1/depth^2, and not fewer than 4."""
    return max(_FEW, 1.0 / checked_depth(depth) ** 2)


def by_distance(
    samples: ArrayLike, stored: ArrayLike, *, delta_m: float, delta_s: float, others: ArrayLike | None = None
) -> Integers:
    """Classes of samples by their distances to memories and to other samples.

    Parameters
    ----------
    samples : (B, N) array
    stored : (K, N) array
        The set S.
    delta_m, delta_s : float
    others : (J, N) array or None
        The set S'; None: the samples themselves, each without itself.

    Returns
    -------
    label : (B,) int array
        0 memorised, 1 spurious, 2 generalised.

    Raises
    ------
    InvalidInput
        For points of different dimensions, NaN or infinity (which would pass for generalised), or distances that are
        no positive numbers.

    Examples
    --------
    >>> by_distance([[0.01], [5.0], [5.01], [9.0]], [[0.0], [1.0]], delta_m=0.1, delta_s=0.1).tolist()
    [0, 1, 1, 2]
    """
    checked_distance("delta_m", delta_m)
    checked_distance("delta_s", delta_s)
    x, known = np.asarray(samples, dtype=np.float64), np.asarray(stored, dtype=np.float64)
    rest = None if others is None else np.asarray(others, dtype=np.float64)
    if x.ndim != 2 or known.ndim != 2 or x.shape[1] != known.shape[1] or not len(x) or not len(known):
        raise InvalidInput(
            f"samples {x.shape} and memories {known.shape} do not fit; give (B, N) and (K, N) arrays with the same N."
        )
    if rest is not None and (rest.ndim != 2 or rest.shape[1] != x.shape[1] or not len(rest)):
        raise InvalidInput(f"others {rest.shape} do not fit samples {x.shape}; give a (J, N) array with the same N.")
    if not all(np.isfinite(points).all() for points in (x, known, rest) if points is not None):
        raise InvalidInput("samples or memories hold NaN or infinity; leave out what has diverged.")
    near = nearest_distances(x, known) <= delta_m
    repeated = nearest_distances(x, rest) <= delta_s
    return np.where(near, MEMORISED, np.where(repeated, SPURIOUS, GENERALISED)).astype(np.int64)


def by_barrier(known: Memories, found: Attractors, walls: Barriers, *, delta_m: float, depth: float = DEPTH) -> Labels:
    """Classes of attractors by the depth of the barriers around them.

    Parameters
    ----------
    known : Memories
    found : Attractors
    walls : Barriers
    delta_m : float
    depth : float
        eps, in units of 1/beta.

    Returns
    -------
    Labels

    Examples
    --------
    >>> from numerics.diffusion.attractors import attractors
    >>> from numerics.diffusion.barriers import barriers
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0], [1.0]])
    >>> found = attractors(pair, 0.2)
    >>> by_barrier(pair, found, barriers(pair, found), delta_m=0.1).label.tolist()
    [0, 0]
    """
    checked_distance("delta_m", delta_m)
    low = valleys(found, walls, checked_depth(depth))
    distance = nearest_distances(found.points, known.points)
    near, weight, members = distance <= delta_m, np.zeros(len(found)), np.empty(len(found))
    own = np.zeros(len(found), dtype=bool)
    for at in weighted(known, found.points, found.sigma):
        members[at.rows] = 1.0 / (np.square(at.w) @ (1.0 / known.counts))
        for i in np.flatnonzero(near[at.rows]).tolist():
            place, w = at.rows.start + i, at.w[i]
            with np.errstate(divide="ignore"):
                square = at.energy[i] + (known.log_counts - np.log(w)) / beta_of(found.sigma)
            nearest = int(square.argmin())
            within = square <= delta_m**2
            within[nearest] = True  # squares have lost the digits of short distances, and near is exact
            weight[place] = w[within].sum()
            away = np.linalg.norm(found.points[low.members(place)] - known.points[nearest], axis=1)
            own[place] = float(away.max()) <= delta_m
    wide = (low.span > SPAN * found.sigma) & (members >= least_members(depth))
    label = np.where(wide, GENERALISED, np.where(own & (weight > MOST), MEMORISED, SPURIOUS)).astype(np.int64)
    return Labels(label, distance, weight, members, low)
