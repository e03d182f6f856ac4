r"""Whether basins shrink and energies flatten from memorised to generalised, and whether spurious samples have a peak.

What is claimed of the classes, that basins shrink and energies flatten from memorised through spurious to generalised,
is tested and not assumed.  Values of two classes are compared within one training set and one score, by ranks: the
*superiority* of a over b is the probability that a value of a is the larger one (a tie is half), 1/2 if the classes do
not differ.  Over several training sets the sums of ranks are added (van Elteren's test), which never compares sets with
one another.  Each distinct place counts once, however many samples it repeats.

Source: E. Brunner, U. Munzel, Biometrical Journal 42, 17 (2000) for the superiority; P. van Elteren, Bulletin of the
International Statistical Institute 37, 351 (1960).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from numerics.diffusion.classify import CLASSES
from numerics.diffusion.generalisation import SCORES, Generalisation

__all__ = ["QUANTITIES", "Order", "Peak", "against", "orders", "peaks"]

Array = NDArray[np.float64]

QUANTITIES = ("t_c", "log_volume", "softest", "curvature")
"""What should fall from memorised through spurious to generalised."""

SIGNIFICANT = 3.0
"""Standard errors of a verdict: one false alarm in 370 comparisons of independent places."""


@dataclass(frozen=True)
class Order:
    """Whether a quantity is larger in one class than in another.

    Attributes
    ----------
    score : {'exact', 'network'}
    K : int or None
        Training points; None: all sets of all sizes together, where those of one seed, which share points, are taken
        to err together.
    quantity : {'t_c', 'log_volume', 'softest', 'curvature'}
    above, below : str
        Classes.
    superiority, error : float
        Probability that the value of `above` is the larger one, and its standard error if there were no difference.
    z : float or None
        (superiority - 1/2)/error; None where all values are the same.
    places : (int, int)
        Distinct places of the two that were compared.
    sets : int
        Training sets that have both classes.
    verdict : {'yes', 'reversed', 'undecided'}
        'yes' for z >= 3, 'reversed' for z <= -3.
    """

    score: str
    K: int | None
    quantity: str
    above: str
    below: str
    superiority: float
    error: float
    z: float | None
    places: tuple[int, int]
    sets: int
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Peak:
    """Where spurious samples are most frequent.

    Attributes
    ----------
    score : {'exact', 'network'}
    K : int
    fraction, error : float
        Of spurious samples there, over training sets.
    above_first, above_last : float
        By how many standard errors it exceeds the fractions at the fewest and at the most training points.
    verdict : {'yes', 'undecided'}
        'yes': both are 3 or more.  With one training set per K it is of these sets: how much others scatter is not
        known then.
    """

    score: str
    K: int
    fraction: float
    error: float
    above_first: float
    above_last: float
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def against(records: Sequence[Generalisation], name: str, *, least: int = 1) -> tuple[Array, Array, Array]:
    """K, mean of a measurement over training sets, and its standard error.

    The error is the larger of the scatter between training sets and what the errors within them leave.  Left out are
    measurements of fewer than `least` samples in all.
    """
    rows = []
    for K in sorted({r.K for r in records}):
        found = [r.measurements[name] for r in records if r.K == K and name in r.measurements]
        if sum(m.n for m in found) < least:
            continue
        value = np.array([m.value for m in found])
        within = math.sqrt(sum(m.error**2 for m in found if math.isfinite(m.error))) / len(found)
        between = float(value.std(ddof=1)) / math.sqrt(len(value)) if len(value) > 1 else 0.0
        rows.append((K, float(value.mean()), max(within, between)))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return columns[0], columns[1], columns[2]


def orders(records: Sequence[Generalisation]) -> list[Order]:
    """Compare memorised with spurious, spurious with generalised and memorised with generalised, in all quantities.

    Parameters
    ----------
    records : sequence of Generalisation
        With their values per place.

    Returns
    -------
    list of Order
        For every score: all sizes together first, then every K whose sets have both classes.

    Examples
    --------
    >>> from numerics.diffusion.transition import generalise
    >>> found = orders(generalise("circle", [40], scores=["exact"], sigma=0.1))[0]
    >>> found.quantity, found.above, found.below, 0.0 <= found.superiority <= 1.0
    ('t_c', 'memorised', 'spurious', True)
    """
    out = []
    for score in SCORES:
        of_score = [r for r in records if r.declared["score"] == score]
        for K in (None, *sorted({r.K for r in of_score})):
            here = [r for r in of_score if K in (None, r.K)]
            for quantity in QUANTITIES:
                for above, below in (*pairwise(CLASSES), (CLASSES[0], CLASSES[-1])):
                    found = _order(here, score, K, quantity, above, below)
                    if found is not None:
                        out.append(found)
    return out


def _order(
    records: Sequence[Generalisation], score: str, K: int | None, quantity: str, above: str, below: str
) -> Order | None:
    wins, expected, pairs, sets = 0.0, 0.0, 0, 0
    deviation: dict[int, float] = {}
    places = [0, 0]
    for record in records:
        a, b = (_numbers(record.values.get(f"{quantity} {name}", ())) for name in (above, below))
        n, m = len(a), len(b)
        if not n * m:
            continue
        rank = rankdata(np.concatenate([a, b]))
        ties = np.unique(rank, return_counts=True)[1].astype(np.float64)
        wins += float(rank[:n].sum()) - 0.5 * n * (n + 1)
        expected += 0.5 * n * m
        own = n * m / 12.0 * (n + m + 1 - float((ties**3 - ties).sum()) / ((n + m) * (n + m - 1)))
        seed = record.declared.get("seed", -1 - sets)  # where none is told, sets are taken to be independent
        deviation[seed] = deviation.get(seed, 0.0) + math.sqrt(max(own, 0.0))
        pairs, sets = pairs + n * m, sets + 1
        places = [places[0] + n, places[1] + m]
    if not sets:
        return None
    # Sets of one seed share points: at worst they err together, and their deviations add; seeds are independent.
    variance = sum(d * d for d in deviation.values())
    z = (wins - expected) / math.sqrt(variance) if variance > 1e-9 else None
    verdict = "undecided" if z is None or abs(z) < SIGNIFICANT else "yes" if z > 0.0 else "reversed"
    error = math.sqrt(max(variance, 0.0)) / pairs
    return Order(
        score, K, quantity, above, below, wins / pairs, error, z, (places[0], places[1]), sets, verdict
    )  # fmt: skip


def _numbers(values: Sequence[float | None]) -> Array:
    """Values to be ranked: nothing came back is the least volume, and rounding makes no order."""
    return np.array([-math.inf if v is None else round(v, 5) for v in values], dtype=np.float64)


def peaks(records: Sequence[Generalisation]) -> list[Peak]:
    """Where spurious samples are most frequent, for every score with some and three sizes at least, and how clearly.

    Parameters
    ----------
    records : sequence of Generalisation

    Examples
    --------
    >>> from numerics.diffusion.transition import generalise
    >>> (found,) = peaks(generalise("circle", [2, 18, 400], scores=["exact"]))
    >>> found.K, found.verdict
    (18, 'yes')
    """
    out = []
    for score in SCORES:
        K, value, error = against([r for r in records if r.declared["score"] == score], "spurious")
        if len(K) < 3 or not value.max() > 0.0:
            continue
        top = int(value.argmax())
        first, last = ((value[top] - value[end]) / math.hypot(error[top], error[end]) for end in (0, -1))
        clear = first >= SIGNIFICANT and last >= SIGNIFICANT
        out.append(
            Peak(
                score, int(K[top]), float(value[top]), float(error[top]), float(first), float(last),
                "yes" if clear else "undecided",
            )
        )  # fmt: skip
    return out
