r"""Start configurations of unit vectors by name, and what they single out in a sample.

A start with overlap m0 < 1 turns every spin away from the uncorrupted start by the same angle, each in a direction of
its own: ``s_i = m0 s0_i + sqrt(1 - m0^2) n_i`` with n_i uniform on the unit sphere across s0_i.  Then s0_i.s_i = m0 at
every site.  At d = 1 there is nothing across, and (1 - m0)/2 of the signs are flipped as for Ising spins.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from numerics import rng, starts, vector_disorder
from numerics.observables import Condensed
from numerics.vector_disorder import VectorSample, random_vectors, unit

if TYPE_CHECKING:
    from numerics.task import Task

__all__ = ["corrupted", "named_start", "random_spins"]

Floats = NDArray[np.float64]


def named_start(sample: VectorSample, plan: Task) -> tuple[Floats, Condensed, int]:
    """Return the uncorrupted start, what is condensed in it, and how many unseen patterns were rejected for it.

    The start is a (N, d) array of unit vectors.  A random start condenses nothing.
    """
    features = sample.features is not None
    if plan.start == "random":
        return random_spins(sample, 0), Condensed(np.empty((0, sample.N, sample.d))), 0
    if plan.start == "feature":
        spins = vector_disorder.feature(sample, 0)
        return spins, Condensed(spins[None]), 0
    if plan.start == "mixture":
        assert plan.L is not None
        spins, members = vector_disorder.mixture(sample, plan.L)
        return spins, Condensed(members, stored=() if features else tuple(range(plan.L))), 0
    if plan.start == "example":
        spins = vector_disorder.example(sample, 0)
        x = vector_disorder.latent(sample, 0) if features else None
        return spins, Condensed(spins[None], stored=(0,), latent=x), 0
    spins, redrawn = vector_disorder.unseen(sample, L=plan.L)
    return spins, Condensed(spins[None]), redrawn


def random_spins(sample: VectorSample, replica: int) -> Floats:
    """Return the random configuration that a replica starts from, a (N, d) array of uniform unit vectors."""
    return random_vectors(rng.stream(*sample.name, "random-start"), N=sample.N, d=sample.d, row=replica)


def corrupted(start: Floats, plan: Task, key: NDArray[np.uint32], *, lane: int = 0) -> Floats:
    """Return `start` turned to the overlap `plan.overlap` at every site; lanes are independent."""
    N, d = start.shape
    if d == 1:
        signs = start[:, 0].astype(np.int8)
        return starts.corrupted(signs, plan, key, lane=lane).astype(np.float64)[:, None]
    if plan.overlap == 1.0:
        return start.copy()
    drawn = rng.gaussians(key, rows=1, columns=N * d, first_row=lane).reshape(N, d)
    across = drawn - np.einsum("na,na->n", drawn, start)[:, None] * start
    return unit(plan.overlap * start + math.sqrt(1.0 - plan.overlap**2) * unit(across))
