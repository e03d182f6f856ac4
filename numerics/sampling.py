"""One sample at a temperature above zero: several replicas, streamed averages, and a verdict on equilibration."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics import disorder, montecarlo, rng
from numerics.disorder import Sample
from numerics.equilibration import Equilibration, equilibration, jointly
from numerics.interactions import Interactions, interactions
from numerics.observables import Condensed, feature_power, overlaps, pattern_power, replica_overlaps
from numerics.replica_runs import Observer, averaged, interval, overlap_bins, walked
from numerics.series import Series
from numerics.starts import corrupted, overlap_before, random_spins
from numerics.temperatures import tempering_temperatures

if TYPE_CHECKING:
    from numerics.task import Task

__all__ = ["Sampled", "judged", "overlap_bins", "sampled", "summary"]

Spins = NDArray[np.int8]
Floats = NDArray[np.float64]
_TRIAL = 12  # sweeps after which spins flip about as often as in the run to come
_RESTLESS = 0.9  # acceptance above which Metropolis decorrelates slower than the heat bath
_FALSE_ALARM = 1e-4  # of calling an equilibrated sample otherwise, per quantity: records hold many samples


@dataclass(frozen=True, eq=False)
class Sampled:
    """What one sample gave.

    Attributes
    ----------
    row : dict of float
        Averages over replicas and the second half of the run: energy, m, overlap, t, p_d, u2, q, q2, q_ea,
        acceptance, retrieved_fraction, equilibrated (0 or 1); what does not apply is absent.
    verdicts : dict of Equilibration
        By the quantity that was judged: energy, q, and m where the start singles something out.
    histogram : (B,) array
        Share of the replica overlaps q_ab of the second half in every bin of :func:`overlap_bins`.
    moved : dict
        Of tempering: temperatures, exchange rates and round trips.  Else empty.
    engine : str
        Form of the couplings.
    """

    row: dict[str, float]
    verdicts: dict[str, Equilibration]
    histogram: Floats
    moved: dict[str, Any]
    engine: str


def sampled(
    plan: Task,
    sample: Sample,
    *,
    start: Spins,
    condensed: Condensed,
    progress: Callable[[int], None] | None = None,
) -> Sampled:
    """Run the replicas of one sample from its start, and average over the second half.

    Parameters
    ----------
    plan : Task
        With a temperature above 0.
    sample : Sample
    start, condensed
        From :func:`numerics.starts.named_start`.
    progress : callable, optional
        Called with the number of sweeps done since the last call.

    Notes
    -----
    A random start singles nothing out; there `m` is the mean of |xi^1.s|/N with stored pattern 0, in absolute value
    because s and -s are equally likely.
    """
    assert plan.sweeps is not None
    assert plan.replicas is not None
    name = (*sample.name, plan.start, plan.L or 0)
    replicas = range(plan.replicas)
    if plan.start == "random":
        spins = np.stack([random_spins(sample, r) for r in replicas])
    else:
        key = rng.stream(*name, "corruption")
        spins = np.stack([corrupted(start, plan, key, lane=r) for r in replicas])
    couplings = _couplings(plan, sample, spins)
    every = interval(plan.sweeps)
    members = disorder.example(sample, 0)[None] if plan.start == "random" else condensed.members
    observer = Observer(
        functools.partial(_measured, sample, None if plan.start == "random" else start, members, condensed),
        N=sample.N,
        replicas=plan.replicas,
        measurements=plan.sweeps // every,
        every=every,
    )
    run = _tempered if plan.algorithm == "tempering" else _walked
    energy, acceptance, moved = run(plan, couplings, spins, name, every, observer, progress)
    observer.flush()
    row = averaged(
        observer.series | {"energy": energy},
        others=sample.P - len(condensed.stored),
        per_energy=2.0 * sample.N,
        own=pattern_power(sample),
        weight=float(sample.N),
    )
    return judged(plan, row, observer, energy, engine=couplings.engine, moved=moved, acceptance=acceptance)


def judged(
    plan: Task,
    row: dict[str, float],
    observer: Observer,
    energy: Series,
    *,
    engine: str,
    moved: dict[str, Any] | None = None,
    acceptance: float | None = None,
    turned: bool = False,
) -> Sampled:
    """Complete the averages of a sample by the overlaps of its replicas and by the verdicts on equilibration."""
    series = observer.series | {"energy": energy}
    means = {label: float(s.chain_means().mean()) for label, s in series.items()}
    row |= {"energy": means["energy"], "q": means["q"], "q2": means["q2"]}
    if not turned:  # replicas turned onto each other at every moment have q_ab >= 0, and q_ea would be q
        row["q_ea"] = float(np.abs(series["pairs"].chain_means()).mean())
    if plan.start != "random":
        stays = series["overlap"].chain_means().min() > plan.retrieved_above * overlap_before(plan)
        row["retrieved_fraction"] = float(stays)
    if acceptance is not None:
        row["acceptance"] = acceptance
    # s and -s are the same state to a random start, so m says nothing there that q does not.  Overlaps of disjoint
    # pairs of replicas are independent chains, as those of all pairs are not.
    labels = {"energy": "energy", "q": "partners"} | ({} if plan.start == "random" else {"m": "m"})
    verdicts = {name: equilibration(series[label], false_alarm=_FALSE_ALARM) for name, label in labels.items()}
    row["equilibrated"] = float(all(v.equilibrated for v in verdicts.values()))
    return Sampled(row, verdicts, observer.histogram / observer.histogram.sum(), moved or {}, engine)


def _couplings(plan: Task, sample: Sample, spins: Spins) -> Interactions:
    """Return the couplings in the form that is quickest for what the temperature accepts: a short trial tells."""
    assert plan.replicas is not None
    if plan.engine != "auto" or sample.packed is None or plan.backend != "cpu":
        return interactions(sample, engine=plan.engine, work="sampling", starts=plan.replicas)
    trial = interactions(sample, engine="overlap-bits")
    run = montecarlo.sample(trial, spins[:1], temperature=plan.temperature, sweeps=_TRIAL, every=_TRIAL)
    later = montecarlo.sample(trial, run.spins, temperature=plan.temperature, sweeps=4, every=4)
    return interactions(
        sample,
        work="sampling",
        starts=plan.replicas,
        acceptance=float(later.acceptance[0]),
        sweeps=float(plan.sweeps or 0),
    )


def _measured(
    sample: Sample, start: Spins | None, patterns: Spins | Floats, condensed: Condensed, spins: Spins
) -> dict[str, Floats]:
    """What is measured of the replicas at one moment; without a start, as of a random one."""
    members = overlaps(patterns, spins)
    found = {"pairs": replica_overlaps(spins)}
    if sample.D:
        found["p_d"] = feature_power(sample.features, spins)
    if start is None:
        return found | {"m": np.abs(members[0])}
    found |= {"m": members.mean(axis=0), "overlap": overlaps(start[None], spins)[0]}
    if condensed.stored:
        found["stored"] = (members**2).sum(axis=0)
    if condensed.latent is not None:
        found["t"] = overlaps(condensed.latent[None], spins)[0]
    return found


def _walked(
    plan: Task,
    couplings: Interactions,
    spins: Spins,
    name: tuple[str | int, ...],
    every: int,
    observer: Observer,
    progress: Callable[[int], None] | None,
) -> tuple[Series, float, dict[str, Any]]:
    """Run every replica on its own at the temperature."""
    assert plan.sweeps is not None
    assert plan.algorithm is not None
    options: dict[str, Any] = {
        "temperature": plan.temperature,
        "algorithm": plan.algorithm,
        "keys": np.stack([rng.stream(*name, "walk", r) for r in range(len(spins))]),
        "backend": plan.backend,
        "threads": plan.threads,
    }
    walk = functools.partial(montecarlo.sample, couplings, **options)
    run = walked(walk, spins, sweeps=plan.sweeps, every=every, observer=observer, progress=progress)
    return run.energy, float(run.acceptance.mean()), {}


def _tempered(
    plan: Task,
    couplings: Interactions,
    spins: Spins,
    name: tuple[str | int, ...],
    every: int,
    observer: Observer,
    progress: Callable[[int], None] | None,
) -> tuple[Series, float, dict[str, Any]]:
    """Run an independent set of walkers per replica, from the temperature up to one at which spins forget quickly.

    Where that is the temperature itself there is nothing to exchange, and the heat bath does.
    """
    assert plan.sweeps is not None
    R = len(spins)
    tuning: dict[str, Any] = {"backend": plan.backend, "threads": plan.threads}
    rungs = tempering_temperatures(plan, couplings, name)
    K = len(rungs)
    keys = np.stack([[rng.stream(*name, "temper", r, k) for k in range(K)] for r in range(R)])
    lowest = itertools.cycle([True] + [False] * (K - 1))  # each measurement goes through the rungs from below
    moves = "metropolis" if K > 1 else "heat-bath"
    options: dict[str, Any] = {"temperatures": rungs, "keys": keys, "algorithm": moves, **tuning}
    run: Any = np.repeat(spins[:, None], K, axis=1)
    rest = plan.sweeps % every
    if rest:  # at the start, where nothing is averaged: what is measured in every sweep there is no part of the series
        run = montecarlo.temper(couplings, run, sweeps=rest, **options)
        run = replace(run, series=tuple({} for _ in rungs))
    run = montecarlo.temper(
        couplings,
        run,
        sweeps=plan.sweeps - rest,
        every=every,
        observe=lambda states: observer(states) if next(lowest) else {},
        progress=None if progress is None else (lambda label, done, total: progress(every)),
        **options,
    )
    if progress is not None and rest:
        progress(rest)
    moved = {
        "temperatures": run.temperatures.tolist(),
        "exchange_rates": run.rates.tolist(),
        "round_trips": run.round_trips.sum(axis=1).tolist(),
    }
    return run.series[0]["energy"], float(run.acceptance[0]), moved


def summary(plan: Task, runs: Sequence[Sampled]) -> dict[str, Any]:
    """Return what a record tells about the sampling of its samples.

    Returns
    -------
    dict
        JSON types. `algorithm`, `sweeps`, `replicas`; `equilibrated` (all samples are), `equilibrated_samples` (how
        many), `message` (with the remedy, where some are not); `verdicts`, per sample and judged quantity, with
        R-hat, tau in sweeps and the effective sample size; `P_q`: the distribution of the overlap of two replicas,
        averaged over samples, with its error; with tempering, `moved` per sample: temperatures, exchange rates and
        round trips.
    """
    good = sum(run.row["equilibrated"] > 0.5 for run in runs)
    edges = overlap_bins(plan.N)
    density = np.stack([run.histogram for run in runs]) / np.diff(edges)
    error = density.std(axis=0, ddof=1) / math.sqrt(len(runs)) if len(runs) > 1 else np.full(edges.size - 1, np.nan)
    found: dict[str, Any] = {
        "algorithm": plan.algorithm,
        "sweeps": plan.sweeps,
        "replicas": plan.replicas,
        "equilibrated": good == len(runs),
        "equilibrated_samples": good,
        "message": _message(plan, runs, good),
        "verdicts": [
            {
                label: {"verdict": v.verdict, "r_hat": v.r_hat, "tau": v.tau, "ess": v.ess}
                for label, v in run.verdicts.items()
            }
            for run in runs
        ],
        "P_q": {"edges": edges.tolist(), "density": density.mean(axis=0).tolist(), "error": error.tolist()},
    }
    if plan.algorithm == "tempering":
        found["moved"] = [run.moved for run in runs]
    return found


def _message(plan: Task, runs: Sequence[Sampled], good: int) -> str:
    if good == len(runs):
        return ""
    bad = [run for run in runs if run.row["equilibrated"] < 0.5]
    blamed = sorted({name for run in bad for name, v in run.verdicts.items() if not v.equilibrated})
    short = sum(jointly(list(run.verdicts.values())) == "too short" for run in bad)
    why = f"judged by {', '.join(blamed)}" + (f"; {short} of them too short to tell" if short else "")
    remedy = f"give more sweeps (now {plan.sweeps})"
    # Tempering leaves the state of a named start by way of high temperatures.
    others = ["tempering"] if plan.start == "random" and plan.algorithm != "tempering" else []
    if plan.couplings is not None:  # of vectors, which are not tempered
        turning = plan.algorithm == "heat-bath" and getattr(plan.law, "d", 1) > 1
        others = ["heat-bath+over-relaxation"] if turning else []
    if plan.algorithm == "metropolis" and min(run.row["acceptance"] for run in bad) > _RESTLESS:
        others = ["heat-bath"]  # so hot that most spins turn in every sweep, and back in the next
    if others:
        remedy += f" or the algorithm '{others[0]}'"
    count = f"{len(bad)} of {len(runs)} sample{'' if len(runs) == 1 else 's'} {'is' if len(bad) == 1 else 'are'}"
    return f"{count} not equilibrated ({why}); {remedy}."
