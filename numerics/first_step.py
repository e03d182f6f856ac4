"""One synchronous step of a Hebbian network at T = 0, measured: how much of a pattern it restores."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from numerics import disorder, rng, starts, vector_disorder, vector_starts
from numerics.alignment import one_step
from numerics.arguments import check_count
from numerics.curves import Curves
from numerics.estimate import mean
from numerics.interactions import interactions
from numerics.provenance import provenance
from numerics.simulate import parameters_of
from numerics.task import Task, task
from numerics.vector_interactions import vector_interactions
from theory.ensembles import IsotropicPatterns, VectorRandomFeaturePatterns
from theory.errors import InvalidInput

__all__ = ["first_step"]


def first_step(
    model: Any,
    N: int,
    *,
    m0: float,
    samples: int = 16,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Curves:
    """Overlaps with a stored example after one synchronous step from an overlap m0.

    Every spin is turned away from the example by the same angle, in a direction of its own (of Ising spins a share
    (1 - m0)/2 is flipped), so that the start is independent of all other examples, as the theory takes it.

    Parameters
    ----------
    model : Model
        At temperature 0, with its loads; Ising or vector spins.
    N : int
    m0 : float
        0 to 1.
    samples, seed : int
    progress : callable, optional
        Called as progress(done, total) with samples.

    Returns
    -------
    Curves
        Measurements `m0` (of Ising spins to 1/N) and `m1`.

    Raises
    ------
    InvalidInput
        For values out of range, or a temperature above 0.

    Examples
    --------
    >>> from theory.models.vector_hopfield import VectorHopfield
    >>> step = first_step(VectorHopfield(alpha=0.5, d=3), 500, m0=0.5, samples=8)
    >>> abs(step["m1"].value - 0.79105854) < 5 * step["m1"].error + 2 / 500
    True
    """
    began = time.perf_counter()
    check_count("samples", samples, 1)
    plan = task(model, N, start="example", overlap=m0, seed=seed)
    if plan.temperature > 0.0:
        raise InvalidInput(
            f"temperature = {plan.temperature:g} is not allowed; the step is that at temperature 0, so leave it out."
        )
    rows = []
    for index in range(int(samples)):
        rows.append(_ising(plan, index) if plan.couplings is None else _vectors(plan, index))
        if progress is not None:
            progress(index + 1, int(samples))
    values = {name: [row[k] for row in rows] for k, name in enumerate(("m0", "m1"))}
    least = 2.0 / (plan.N * len(rows))  # equal overlaps prove no error of zero
    found = {name: mean(v) for name, v in values.items()}
    found = {n: replace(m, error=max(m.error, least)) if len(rows) > 1 else m for n, m in found.items()}
    return Curves(
        what="first-step",
        model=str(model.name),
        parameters=parameters_of(model),
        N=plan.N,
        P=plan.P,
        D=plan.D,
        loads={"alpha": plan.P / plan.N} | ({"alpha_d": plan.D / plan.N} if plan.D else {}),
        start="example",
        overlap=plan.overlap,
        seed=plan.seed,
        samples=int(samples),
        options={},
        measurements=found,
        curves={},
        values=values,
        provenance=provenance(time.perf_counter() - began),
    )


def _vectors(plan: Task, index: int) -> tuple[float, float]:
    assert isinstance(plan.law, IsotropicPatterns | VectorRandomFeaturePatterns)
    assert plan.couplings is not None
    sample = vector_disorder.draw(plan.law, N=plan.N, P=plan.P, D=plan.D, seed=plan.seed, index=index)
    target = vector_disorder.example(sample, 0)
    begin = vector_starts.corrupted(target, plan, rng.stream(*sample.name, plan.couplings, "first-step"))
    end = one_step(vector_interactions(sample.patterns, kind=plan.couplings, engine="overlap"), begin)
    return tuple(float(np.einsum("nd,nd->", target, s) / plan.N) for s in (begin, end))  # type: ignore[return-value]


def _ising(plan: Task, index: int) -> tuple[float, float]:
    assert not isinstance(plan.law, IsotropicPatterns | VectorRandomFeaturePatterns)
    sample = disorder.draw(plan.law, N=plan.N, P=plan.P, D=plan.D, seed=plan.seed, index=index)
    target, _, _ = starts.named_start(sample, plan)
    begin = starts.corrupted(target, plan, rng.stream(*sample.name, "first-step"))
    fields = interactions(sample).fields(begin)
    end = np.where(fields == 0, begin, np.sign(fields))
    return float(target.astype(float) @ begin) / plan.N, float(target.astype(float) @ end) / plan.N
