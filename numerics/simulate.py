"""Simulate a model: draw disorder samples, run the dynamics from a named start, measure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from numerics import disorder, rng, vector_simulation
from numerics.arguments import check_count
from numerics.dynamics import quench
from numerics.estimate import means
from numerics.interactions import interactions
from numerics.observables import measure
from numerics.provenance import provenance
from numerics.records import Record
from numerics.sampling import Sampled, sampled, summary
from numerics.starts import corrupted, named_start, overlap_before
from numerics.task import STARTS, Task, task
from theory.ensembles import IsotropicPatterns, RandomFeaturePatterns, VectorRandomFeaturePatterns

__all__ = ["STARTS", "Task", "parameters_of", "run_sample", "simulate", "task"]


def simulate(
    model: Any,
    N: int,
    *,
    start: str = "example",
    L: int | None = None,
    coefficients: str | None = None,
    L_train: int | None = None,
    overlap: float = 1.0,
    samples: int = 16,
    seed: int = 0,
    retrieved_above: float = 0.8,
    engine: str = "auto",
    backend: str = "cpu",
    tie: str | None = None,
    order: str | None = None,
    algorithm: str | None = None,
    sweeps: int | None = None,
    replicas: int | None = None,
    workers: int = 1,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Run a dynamics from a named start in independent disorder samples, and measure.

    At temperature 0 a quench runs until no spin is unstable (vectors turn into their fields until none moves), and its
    end is measured.  At temperature > 0 several replicas of each sample are run from the start, averages are taken over
    the second half of the run, and every sample is judged: one that is not equilibrated is marked, and the record says
    how many are not.

    Parameters
    ----------
    model : Model
        With `alpha` (and `alpha_d`, if it has features) and the temperature set; of vector models that is tau = d T.
    N : int
        Number of spins; P = round(alpha N) and D = round(alpha_d N) follow.
    start : {'example', 'feature', 'mixture', 'unseen', 'random'}
        Stored pattern 0 (its signs, if its values are not +-1); feature 0; sign of the sum of the first L
        features (stored patterns, if the model has no features); a fresh pattern of the training law that is
        not stored; independent fair signs, other ones for every replica.  Of vectors: stored pattern 0; the direction
        of feature 0, or of the sum of the first L; a fresh pattern; independent uniform directions.
    L : int, optional
        Members of a mixture (odd, or for vectors of d >= 2 any from 2; 3 by default), or active features of an unseen
        example with sparse coefficients (`L_train` by default).
    coefficients : {'gaussian', 'binary', 'sparse'}, optional
        Models with features only ('gaussian' by default): law of the examples' coefficients; 'sparse' has exactly
        `L_train` active features with random signs.
    L_train : int, optional
        Sparse coefficients only; 3 by default.
    overlap : float
        Overlap of the initial state with the start configuration: that many random spins are flipped, and vectors are
        turned at every site to that overlap, in independent directions (:mod:`numerics.vector_starts`).
    samples, seed : int
        The disorder of sample i is a function of (seed, law, N, P, D, i) only: different starts share it,
        different loads and sizes are independent.
    retrieved_above : float
        A sample is retrieved when its overlap (at temperature > 0 that of every replica, averaged over the run)
        exceeds this fraction of `overlap`.
    engine : str
        Form of the couplings, see :func:`numerics.interactions.interactions` and, of vectors,
        :func:`numerics.vector_interactions.vector_interactions`; results of Ising spins do not depend on it, those of
        vectors agree to single precision: about 1e-6, and at temperature 0, where soft spins come to rest slowly, 1e-4
        in overlaps, after other numbers of sweeps.
    backend : {'cpu', 'reference', 'gpu'}
        Where the dynamics runs; results do not depend on it (those of vectors within rounding, and not on a GPU).
    tie, order : str, optional
        Temperature 0 only ('keep' and 'random' by default); see :func:`numerics.dynamics.quench` and, of vectors,
        which have no ties, :func:`numerics.alignment.align`.
    algorithm : {'metropolis', 'heat-bath', 'tempering', 'heat-bath+over-relaxation'}, optional
        Temperature > 0 only: of Ising spins one of the first three ('metropolis' by default), of vectors 'heat-bath'
        (the default) or the last.
    sweeps, replicas : int, optional
        Temperature > 0 only: sweeps per replica, half of them before anything is averaged (2000 by default), and
        replicas per sample (4 by default).
    workers : int
        Samples at a time; results do not depend on it.
    threads : int
        Threads inside one sample; results do not depend on it.
    progress : callable, optional
        Called as progress(done, total): samples at temperature 0, sweeps of all samples at temperature > 0.

    Returns
    -------
    Record

    Raises
    ------
    InvalidInput
        For values out of range; the sentence names the value, the range and the remedy.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> record = simulate(Hopfield(alpha=0.05), 200, start="example", samples=4)
    >>> record.P, record["m"].value > 0.95
    (10, True)
    >>> warm = simulate(Hopfield(alpha=0.1, temperature=2.0), 100, start="random", samples=4, sweeps=400)
    >>> warm.equilibrated, warm["q2"].value < 0.1
    (True, True)
    """
    began = time.perf_counter()
    check_count("samples", samples, 1)
    check_count("workers", workers, 1)
    plan = task(
        model,
        N,
        start=start,
        L=L,
        coefficients=coefficients,
        L_train=L_train,
        overlap=overlap,
        seed=seed,
        retrieved_above=retrieved_above,
        engine=engine,
        backend=backend,
        tie=tie,
        order=order,
        algorithm=algorithm,
        sweeps=sweeps,
        replicas=replicas,
        threads=threads,
    )
    outcomes = list(_outcomes(plan, samples, workers, progress))
    rows = [outcome.row for outcome in outcomes]
    names = [name for name in rows[0] if all(name in row for row in rows)]
    values = {name: [row[name] for row in rows] for name in names}
    redrawn = sum(values.pop("redrawn", [0.0]))
    law = plan.law if isinstance(plan.law, RandomFeaturePatterns | VectorRandomFeaturePatterns) else None
    runs = [outcome.sampled for outcome in outcomes if outcome.sampled is not None]
    return Record(
        model=str(model.name),
        parameters=parameters_of(model),
        N=plan.N,
        P=plan.P,
        D=plan.D,
        loads={"alpha": plan.P / plan.N} | ({"alpha_d": plan.D / plan.N} if law else {}),
        start=start,
        L=plan.L,
        coefficients=law.coefficients if law else None,
        L_train=law.L_train if law and law.coefficients == "sparse" else None,
        overlap=plan.overlap,
        seed=plan.seed,
        samples=int(samples),
        tie=plan.tie,
        order=plan.order,
        backend=backend,
        retrieved_above=plan.retrieved_above,
        redrawn_fraction=redrawn / (redrawn + samples) if start == "unseen" else None,
        measurements=means(values, plan.N),
        values=values,
        provenance=provenance(time.perf_counter() - began, backend=backend)
        | {"sign_of_zero": disorder.TIES, "engine": ", ".join(sorted({outcome.engine for outcome in outcomes}))},
        sampling=summary(plan, runs) if runs else None,
    )


@dataclass(frozen=True, eq=False)
class _Outcome:
    row: dict[str, float]
    engine: str
    sampled: Sampled | None = None


def run_sample(plan: Task, index: int) -> dict[str, float]:
    """Draw sample `index`, run its dynamics and return its observables (and how often an unseen start was
    redrawn; at temperature > 0 also whether it is equilibrated).

    The result depends on `plan` and `index` only.
    """
    return _outcome(plan, index).row


def _outcome(plan: Task, index: int, progress: Callable[[int], None] | None = None) -> _Outcome:
    if isinstance(plan.law, IsotropicPatterns | VectorRandomFeaturePatterns):
        return _Outcome(*vector_simulation.run(plan, index, progress))
    sample = disorder.draw(plan.law, N=plan.N, P=plan.P, D=plan.D, seed=plan.seed, index=index)
    start, condensed, redrawn = named_start(sample, plan)
    extra = {"redrawn": float(redrawn)} if plan.start == "unseen" else {}
    if plan.temperature > 0.0:
        run = sampled(plan, sample, start=start, condensed=condensed, progress=progress)
        return _Outcome(run.row | extra, run.engine, run)
    name = (*sample.name, plan.start, plan.L or 0)
    initial = corrupted(start, plan, rng.stream(*name, "corruption"))
    couplings = interactions(sample, engine=plan.engine)
    assert plan.tie is not None
    assert plan.order is not None
    end = quench(
        couplings, initial, key=rng.stream(*name, "order"), tie=plan.tie, order=plan.order, backend=plan.backend
    )
    found = measure(sample, couplings, end.spins, start=start, condensed=condensed)
    if plan.start != "random":
        found["retrieved_fraction"] = float(found["overlap"] > plan.retrieved_above * overlap_before(plan))
    found["sweeps"] = float(end.sweeps)
    if plan.order == "synchronous":
        found["period"] = float(end.period)
    return _Outcome(found | extra, couplings.engine)


def _outcomes(
    plan: Task, samples: int, workers: int, progress: Callable[[int, int], None] | None
) -> Iterator[_Outcome]:
    report = _Counter(plan, samples, progress)
    if workers == 1 or samples == 1:
        for index in range(samples):
            yield _outcome(plan, index, report.sweeps)
            report.sample()
        return
    # Kernels and matrix products run without the interpreter lock, so threads suffice and share the code.
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        for outcome in pool.map(lambda index: _outcome(plan, index, report.sweeps), range(samples)):
            yield outcome
            report.sample()
    finally:
        report.stopped.set()  # after an error or Ctrl-C running samples end at their next report, others never start
        pool.shutdown(cancel_futures=True)


class _Counter:
    """Counts samples (temperature 0) or sweeps of all samples, from several threads, and tells the caller."""

    def __init__(self, plan: Task, samples: int, progress: Callable[[int, int], None] | None) -> None:
        self.progress, self.done, self.lock, self.stopped = progress, 0, threading.Lock(), threading.Event()
        self.in_sweeps = plan.sweeps is not None
        self.total = samples * (plan.sweeps or 1)

    def sweeps(self, count: int) -> None:
        if self.stopped.is_set():
            raise InterruptedError("the simulation was stopped")
        if self.in_sweeps:
            self._add(count)

    def sample(self) -> None:
        if not self.in_sweeps:
            self._add(1)

    def _add(self, count: int) -> None:
        with self.lock:
            self.done += count
            if self.progress is not None:
                self.progress(self.done, self.total)


def parameters_of(model: Any) -> dict[str, Any]:
    """Return the parameters of a model as a record keeps them: numbers, and names of functions."""
    if not is_dataclass(model):
        return {"alpha": model.alpha}
    found = {f.name: getattr(model, f.name) for f in fields(model)}
    return {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    """A number or a text; NumPy's scalars as Python's, other things by their name."""
    if isinstance(value, str | int | float):
        return value
    return value.item() if isinstance(value, np.generic) else getattr(value, "name", str(value))
