"""Start configurations by name, and what they single out in a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numerics import disorder, rng
from numerics.disorder import Sample
from numerics.observables import Condensed
from theory.ensembles import RandomFeaturePatterns

if TYPE_CHECKING:
    from numerics.task import Task

__all__ = ["corrupted", "named_start", "overlap_before"]

Spins = NDArray[np.int8]


def named_start(sample: Sample, plan: Task) -> tuple[Spins, Condensed, int]:
    """Return the uncorrupted start, what is condensed in it, and how many unseen patterns were rejected for it.

    A random start condenses nothing.
    """
    features = isinstance(plan.law, RandomFeaturePatterns)
    if plan.start == "random":
        return random_spins(sample, 0), Condensed(np.empty((0, plan.N), dtype=np.int8)), 0
    if plan.start == "feature":
        return sample.features[0], Condensed(sample.features[:1]), 0
    if plan.start == "mixture":
        assert plan.L is not None
        spins, members = disorder.mixture(sample, plan.L)
        return spins, Condensed(members, stored=() if features else tuple(range(plan.L))), 0
    redrawn = 0
    if plan.start == "example":
        pattern = disorder.example(sample, 0)
        x = disorder.latent(sample, 0) if features else None
        condensed = Condensed(pattern[None], stored=(0,), latent=x)
    else:
        pattern, redrawn = disorder.unseen(sample, L=plan.L)
        condensed = Condensed(pattern[None])
    # A pattern that is not +-1 is approached from its signs.
    spins = np.sign(pattern).astype(np.int8)
    undecided = spins == 0
    if undecided.any():
        spins[undecided] = rng.signs(rng.stream(*sample.name, "start-ties"), rows=1, columns=plan.N)[0][undecided]
    return spins, condensed, redrawn


def random_spins(sample: Sample, replica: int) -> Spins:
    """Return the random configuration that replica starts from, a (N,) array of fair signs."""
    rows: Spins = rng.signs(rng.stream(*sample.name, "random-start"), rows=1, columns=sample.N, first_row=replica)
    return np.asarray(rows[0])


def corrupted(start: Spins, plan: Task, key: NDArray[np.uint32], *, lane: int = 0) -> Spins:
    """Return a copy of `start` with (1 - overlap)/2 of its spins flipped; lanes are independent."""
    spins = start.copy()
    wrong = _wrong(plan)
    if wrong:
        spins[rng.permutation(key, plan.N, lane=lane)[:wrong]] *= -1
    return spins


def overlap_before(plan: Task) -> float:
    """Return the overlap of the corrupted start with the start: what N allows of `plan.overlap` where spins flip."""
    if getattr(plan.law, "d", 1) > 1:
        return plan.overlap
    return (plan.N - 2 * _wrong(plan)) / plan.N


def _wrong(plan: Task) -> int:
    return round(0.5 * (1.0 - plan.overlap) * plan.N)
