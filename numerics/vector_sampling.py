"""One sample of vector spins at a temperature above zero: replicas, streamed averages, a verdict on equilibration."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics import rng, vector_disorder
from numerics.observables import Condensed
from numerics.replica_runs import Observer, averaged, interval, walked
from numerics.sampling import Sampled, judged
from numerics.vector_disorder import VectorSample
from numerics.vector_interactions import VectorInteractions
from numerics.vector_montecarlo import sample_vectors
from numerics.vector_observables import (
    aligning,
    feature_channels,
    gauge,
    order_parameter,
    overlaps,
    own_power,
    powers,
    replica_overlaps,
)
from numerics.vector_starts import corrupted, random_spins

if TYPE_CHECKING:
    from numerics.task import Task

__all__ = ["sampled"]

Floats = NDArray[np.float64]


def sampled(
    plan: Task,
    sample: VectorSample,
    couplings: VectorInteractions,
    *,
    start: Floats,
    condensed: Condensed,
    progress: Callable[[int], None] | None = None,
) -> Sampled:
    """Run the replicas of one sample from its start, and average over the second half.

    Parameters
    ----------
    plan : Task
        With a temperature tau = d T above 0.
    sample : VectorSample
    couplings : VectorInteractions
    start, condensed
        From :func:`numerics.vector_starts.named_start`.
    progress : callable, optional
        Called with the number of sweeps done since the last call.

    Notes
    -----
    A random start singles nothing out; there `m` is the overlap with stored pattern 0, in absolute value.
    """
    assert plan.sweeps is not None
    assert plan.replicas is not None
    name = (*sample.name, plan.couplings or "", plan.start, plan.L or 0)
    replicas = range(plan.replicas)
    if plan.start == "random":
        spins = np.stack([random_spins(sample, r) for r in replicas])
        reference = vector_disorder.example(sample, 0)
    else:
        key = rng.stream(*name, "corruption")
        spins = np.stack([corrupted(start, plan, key, lane=r) for r in replicas])
        reference = start
    every = interval(plan.sweeps)
    per_energy, own = own_power(sample, couplings.kind)
    observer = Observer(
        functools.partial(_measured, plan, sample, reference, condensed, own),
        N=sample.N,
        replicas=plan.replicas,
        measurements=plan.sweeps // every,
        every=every,
    )
    options: dict[str, Any] = {
        "temperature": plan.temperature / sample.d,
        "algorithm": plan.algorithm,
        "keys": np.stack([rng.stream(*name, "walk", r) for r in replicas]),
        "backend": plan.backend,
        "threads": plan.threads,
    }
    walk = functools.partial(sample_vectors, couplings, **options)
    run = walked(walk, spins, sweeps=plan.sweeps, every=every, observer=observer, progress=progress)
    observer.flush()
    others = sample.P - len(condensed.stored)
    row = averaged(observer.series | {"energy": run.energy}, others=others, per_energy=per_energy)
    engine = f"{couplings.engine} ({couplings.precision})"
    turned = gauge(sample, couplings.kind, condensed) != "tensor"
    return judged(plan, row, observer, run.energy, engine=engine, turned=turned)


def _measured(
    plan: Task,
    sample: VectorSample,
    reference: Floats,
    condensed: Condensed,
    own: Callable[[Floats], Floats],
    spins: Floats,
) -> dict[str, Floats]:
    """What is measured of the replicas at one moment; at a random start the reference is stored pattern 0."""
    assert plan.couplings is not None
    kind = plan.couplings
    turns = gauge(sample, kind, condensed)
    rotations, overlap = aligning(turns, reference, spins)
    found = {"pairs": replica_overlaps(turns, spins), "own": own(spins)}
    if sample.features is not None:
        found["p_d"] = powers(feature_channels(sample, kind), sample.features, spins).mean(axis=0)
    if plan.start == "random":
        return found | {"m": np.abs(overlap)}
    found |= {"overlap": overlap, "m": order_parameter(sample, condensed, spins, rotations)}
    if condensed.stored:
        found["stored"] = powers(kind, sample.patterns[list(condensed.stored)], spins).sum(axis=0)
    if condensed.latent is not None:
        found["t"] = overlaps(condensed.latent[None], spins, rotations)[0] / math.sqrt(sample.d)
    return found
