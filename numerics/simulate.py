"""Simulate a model: draw disorder samples, run the dynamics from a named start, measure."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import disorder, rng
from numerics.backends import backend_named
from numerics.couplings import hebbian
from numerics.disorder import Law, Sample
from numerics.dynamics import ORDERS, chosen, quench
from numerics.dynamics import TIES as TIE_RULES
from numerics.estimate import Measurement, fraction, mean
from numerics.observables import Condensed, measure
from numerics.provenance import provenance
from numerics.records import Record
from theory.ensembles import IidPatterns, RandomFeaturePatterns
from theory.errors import InvalidInput, nearest

__all__ = ["STARTS", "Task", "parameters_of", "run_sample", "simulate", "task"]

STARTS = ("example", "feature", "mixture", "unseen")


@dataclass(frozen=True)
class Task:
    """A validated simulation: everything a sample depends on besides its index."""

    law: Law
    N: int
    P: int
    D: int
    start: str
    L: int | None
    overlap: float
    seed: int
    retrieved_above: float
    tie: str
    order: str
    backend: str


def simulate(
    model: Any,
    N: int,
    *,
    start: str = "example",
    L: int | None = None,
    coefficients: str = "gaussian",
    L_train: int = 3,
    overlap: float = 1.0,
    samples: int = 16,
    seed: int = 0,
    retrieved_above: float = 0.8,
    backend: str = "cpu",
    tie: str = "keep",
    order: str = "random",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Run zero-temperature dynamics from a named start in independent disorder samples, and measure the end.

    Parameters
    ----------
    model : Model
        With `alpha` (and `alpha_d`, if it has features) set and temperature 0.
    N : int
        Number of spins; P = round(alpha N) and D = round(alpha_d N) follow.
    start : {'example', 'feature', 'mixture', 'unseen'}
        Stored pattern 0 (its signs, if its values are not +-1); feature 0; sign of the sum of the first L
        features (stored patterns, if the model has no features); a fresh pattern of the training law that is
        not stored.
    L : int, optional
        Members of a mixture (odd; 3 by default), or active features of an unseen example with sparse
        coefficients (`L_train` by default).
    coefficients : {'gaussian', 'binary', 'sparse'}
        Law of the examples' coefficients; 'sparse' has exactly `L_train` active features with random signs.
    L_train : int
    overlap : float
        Overlap of the initial state with the start configuration: that many random spins are flipped.
    samples, seed : int
        The disorder of sample i is a function of (seed, law, N, P, D, i) only: different starts share it,
        different loads and sizes are independent.
    retrieved_above : float
        A sample is retrieved when its final overlap exceeds this fraction of `overlap`.
    backend, tie, order : str
        See :func:`numerics.dynamics.quench`.
    workers : int
        Threads; results do not depend on it.
    progress : callable, optional
        Called as progress(done, samples) after each sample.

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
    """
    began = time.perf_counter()
    _check_count("samples", samples, 1)
    _check_count("workers", workers, 1)
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
        backend=backend,
        tie=tie,
        order=order,
    )
    rows = []
    for row in _rows(plan, samples, workers):
        rows.append(row)
        if progress is not None:
            progress(len(rows), samples)
    names = [name for name in rows[0] if all(name in row for row in rows)]
    values = {name: [row[name] for row in rows] for name in names}
    redrawn = sum(values.pop("redrawn", [0.0]))
    features = isinstance(plan.law, RandomFeaturePatterns)
    sparse = _sparse(plan.law)
    return Record(
        model=str(model.name),
        parameters=parameters_of(model),
        N=plan.N,
        P=plan.P,
        D=plan.D,
        loads={"alpha": plan.P / plan.N} | ({"alpha_d": plan.D / plan.N} if features else {}),
        start=start,
        L=plan.L,
        coefficients=plan.law.coefficients if isinstance(plan.law, RandomFeaturePatterns) else None,
        L_train=sparse.L_train if sparse else None,
        overlap=plan.overlap,
        seed=seed,
        samples=samples,
        tie=tie,
        order=order,
        backend=backend,
        retrieved_above=retrieved_above,
        redrawn_fraction=redrawn / (redrawn + samples) if start == "unseen" else None,
        measurements=_measurements(values, plan.N),
        values=values,
        provenance=provenance(time.perf_counter() - began, backend=backend) | {"sign_of_zero": disorder.TIES},
    )


def task(
    model: Any,
    N: int,
    *,
    start: str = "example",
    L: int | None = None,
    coefficients: str = "gaussian",
    L_train: int = 3,
    overlap: float = 1.0,
    seed: int = 0,
    retrieved_above: float = 0.8,
    backend: str = "cpu",
    tie: str = "keep",
    order: str = "random",
) -> Task:
    """Validate the arguments of :func:`simulate`, without drawing anything.

    Raises
    ------
    InvalidInput
    """
    _check_count("N", N, 2)
    _check_count("L_train", L_train, 1)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InvalidInput(f"seed = {seed!r} is not an integer; give any integer, for example 0.")
    if getattr(model, "temperature", 0.0) != 0.0:
        raise InvalidInput(
            f"temperature = {model.temperature} is not simulated; the dynamics is that of zero temperature, "
            "so give temperature 0."
        )
    law: Law = model.pattern_law(coefficients=coefficients, L_train=L_train)
    features = isinstance(law, RandomFeaturePatterns)
    P = _size("alpha", getattr(model, "alpha", None), N, "P", "stored patterns")
    D = _size("alpha_d", getattr(model, "alpha_d", None), N, "D", "features") if features else 0
    _check_memory(N, P, D, law)
    if start not in STARTS:
        close = nearest(str(start), STARTS)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"start '{start}' is unknown; choose one of {', '.join(STARTS)}{hint}")
    if start == "feature" and not features:
        raise InvalidInput(
            f"start 'feature' needs a model with features, which {model.name} has not; start from an example."
        )
    if not (isinstance(overlap, int | float) and 0.0 <= overlap <= 1.0):
        raise InvalidInput(f"overlap = {overlap} is not allowed; give 0 <= overlap <= 1 (1 starts undisturbed).")
    if not (isinstance(retrieved_above, int | float) and 0.0 < retrieved_above < 1.0):
        raise InvalidInput(f"retrieved_above = {retrieved_above} is not allowed; give 0 < retrieved_above < 1.")
    chosen(tie, TIE_RULES, "tie rule")
    chosen(order, ORDERS, "order")
    members = _members(start, L, law, P, D)
    backend_named(backend)
    return Task(law, N, P, D, start, members, float(overlap), seed, retrieved_above, tie, order, backend)


def run_sample(plan: Task, index: int) -> dict[str, float]:
    """Draw sample `index`, run its dynamics and return its observables (and how often an unseen start was
    redrawn).

    The result depends on `plan` and `index` only.
    """
    sample = disorder.draw(plan.law, N=plan.N, P=plan.P, D=plan.D, seed=plan.seed, index=index)
    start, condensed, redrawn = _start(sample, plan)
    name = (*sample.name, plan.start, plan.L or 0)
    initial = start.copy()
    wrong = round(0.5 * (1.0 - plan.overlap) * plan.N)
    if wrong:
        initial[rng.permutation(rng.stream(*name, "corruption"), plan.N)[:wrong]] *= -1
    couplings = hebbian(sample)
    end = quench(
        couplings, initial, key=rng.stream(*name, "order"), tie=plan.tie, order=plan.order, backend=plan.backend
    )
    found = measure(sample, couplings, end.spins, start=start, condensed=condensed)
    before = (plan.N - 2 * wrong) / plan.N
    found["retrieved_fraction"] = float(found["overlap"] > plan.retrieved_above * before)
    found["sweeps"] = float(end.sweeps)
    if plan.start == "unseen":
        found["redrawn"] = float(redrawn)
    return found


def _start(sample: Sample, plan: Task) -> tuple[NDArray[np.int8], Condensed, int]:
    features = isinstance(plan.law, RandomFeaturePatterns)
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


def _rows(plan: Task, samples: int, workers: int) -> Iterator[dict[str, float]]:
    if workers == 1 or samples == 1:
        for index in range(samples):
            yield run_sample(plan, index)
        return
    # Kernels and matrix products run without the interpreter lock, so threads suffice and share the code.
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        yield from pool.map(lambda index: run_sample(plan, index), range(samples))
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C only the running samples are awaited


def _measurements(values: dict[str, list[float]], N: int) -> dict[str, Measurement]:
    found = {name: (fraction if name == "retrieved_fraction" else mean)(v) for name, v in values.items()}
    for name in ("m", "overlap"):
        # Samples that agree to the last spin do not prove an error of zero: one spin in all of them is the limit.
        if found[name].error == 0.0:
            found[name] = replace(found[name], error=2.0 / (N * found[name].n))
    return found


def _members(start: str, L: int | None, law: Law, P: int, D: int) -> int | None:
    """Validate L for this start and return the number of members or active features, None where it has none."""
    if L is not None:
        _check_count("L", L, 1)
    sparse = _sparse(law)
    if sparse and sparse.L_train > D:
        raise InvalidInput(f"L_train = {sparse.L_train} active features are more than D = {D}; raise alpha_d or N.")
    if start == "mixture":
        L = 3 if L is None else L
        if L % 2 == 0 or L < 3:
            raise InvalidInput(
                f"L = {L} is not allowed; a mixture needs an odd L >= 3 (an even sum vanishes on some sites)."
            )
        count, kind = (D, "D features") if D else (P, "P stored patterns")
        if count < L:
            raise InvalidInput(f"L = {L} is more than the {count} {kind}; lower L, or raise N or the load.")
        return L
    if start == "unseen" and sparse:
        active = sparse.L_train if L is None else L
        if active > D:
            raise InvalidInput(f"L = {active} active features are more than D = {D}; lower L, or raise alpha_d.")
        return active
    if L is not None and L != 1:
        raise InvalidInput(
            f"L = {L} is given for the start '{start}', which has no L features; leave L out, or start from a "
            "mixture (or an unseen example with sparse coefficients)."
        )
    return 1 if start == "feature" else None


def _signs(law: Law) -> bool:
    return isinstance(law, IidPatterns) or law.nonlinearity.binary


def _sparse(law: Law) -> RandomFeaturePatterns | None:
    return law if isinstance(law, RandomFeaturePatterns) and law.coefficients == "sparse" else None


def _size(name: str, load: float | None, N: int, symbol: str, what: str) -> int:
    option = "--" + name.replace("_", "-")
    if load is None:
        raise InvalidInput(f"{name} is missing; the simulation needs the load {name} = {symbol}/N: give {option}.")
    if not (math.isfinite(load) and load > 0):
        raise InvalidInput(f"{name} = {load} is not allowed; give 0 < {name} < infinity ({symbol} = {name} N {what}).")
    count = round(load * N)
    if count < 1:
        raise InvalidInput(
            f"{symbol} = round({name} N) = {count} {what} at {name} = {load:g}, N = {N}; at least 1 is needed, so "
            f"raise N to {math.floor(0.5 / load) + 1} or more, or raise {name}."
        )
    return count


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInput(f"{name} = {value!r} is not allowed; give an integer {name} >= {least}.")


def _check_memory(N: int, P: int, D: int, law: Law) -> None:
    wide = 2 if _signs(law) else 8
    need = wide * N * N + (P * N / 4 if wide == 2 else 16 * P * N) + N * D
    try:
        have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return
    if need > have:
        raise InvalidInput(
            f"N = {N} with P = {P} needs {need / 1e9:.1f} GB of memory and this machine has {have / 1e9:.1f} GB; "
            "lower N or the load."
        )


def parameters_of(model: Any) -> dict[str, Any]:
    """Return the parameters of a model as a record keeps them: numbers, and names of functions."""
    if not is_dataclass(model):
        return {"alpha": model.alpha}
    found = {f.name: getattr(model, f.name) for f in fields(model)}
    return {
        name: value if isinstance(value, str | int | float) else getattr(value, "name", str(value))
        for name, value in found.items()
        if value is not None
    }
