"""One sample of a vector model: drawn, run from its start, measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from numerics import rng, vector_disorder
from numerics.alignment import align
from numerics.sampling import Sampled
from numerics.starts import overlap_before
from numerics.vector_interactions import vector_interactions
from numerics.vector_observables import measure
from numerics.vector_starts import corrupted, named_start
from theory.ensembles import IsotropicPatterns, VectorRandomFeaturePatterns

if TYPE_CHECKING:
    from numerics.task import Task

__all__ = ["run"]


def run(
    plan: Task, index: int, progress: Callable[[int], None] | None = None
) -> tuple[dict[str, float], str, Sampled | None]:
    """Return the observables of sample `index`, the form of the couplings, and at T > 0 what the sampling gave."""
    assert isinstance(plan.law, IsotropicPatterns | VectorRandomFeaturePatterns)
    assert plan.couplings is not None
    sample = vector_disorder.draw(plan.law, N=plan.N, P=plan.P, D=plan.D, seed=plan.seed, index=index)
    start, condensed, redrawn = named_start(sample, plan)
    extra = {"redrawn": float(redrawn)} if plan.start == "unseen" else {}
    couplings = vector_interactions(sample.patterns, kind=plan.couplings, engine=plan.engine)
    if plan.temperature > 0.0:
        from numerics.vector_sampling import sampled

        found = sampled(plan, sample, couplings, start=start, condensed=condensed, progress=progress)
        return found.row | extra, found.engine, found
    assert plan.order is not None
    name = (*sample.name, plan.couplings, plan.start, plan.L or 0)
    end = align(
        couplings,
        corrupted(start, plan, rng.stream(*name, "corruption")),
        key=rng.stream(*name, "order"),
        order=plan.order,
        backend=plan.backend,
    )
    row = measure(sample, couplings, end.spins, energy=end.energy, start=start, condensed=condensed)
    if plan.start != "random":
        row["retrieved_fraction"] = float(row["overlap"] > plan.retrieved_above * overlap_before(plan))
    row["sweeps"] = float(end.sweeps)
    row["converged"] = float(end.converged)
    return row | extra, f"{couplings.engine} ({couplings.precision})", None
