"""Sampling at a temperature: the right averages, against enumeration; honest verdicts; the same numbers however run.

Enumeration tests compare a record's per-sample averages with the exact ones of the same disorder samples.  The
differences of 16 samples have mean zero; a pull beyond 6.5 of their standard errors has probability 1e-5 (Student, 15
degrees of freedom), and about 40 pulls are taken: a false alarm in 4e-4 of all seeds.  Seeds are fixed.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from numerics import disorder, exact, sampling
from numerics.equilibration import equilibration
from numerics.interactions import interactions
from numerics.records import Record
from numerics.sampling import overlap_bins
from numerics.simulate import run_sample, simulate, task
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

N, SAMPLES = 12, 16
HOPFIELD = Hopfield(alpha=0.25, temperature=0.9)
FEATURES = RandomFeatures(alpha=0.5, alpha_d=0.25, temperature=2.0)
TANH = RandomFeatures(alpha=0.5, alpha_d=0.25, temperature=1.0, nonlinearity="tanh")


def enumerated(model: object, start: str, index: int) -> dict[str, float]:
    """Exact averages of one disorder sample over all 2^N configurations, written from the definitions."""
    plan = task(model, N, start=start)
    sample = disorder.draw(plan.law, N=N, P=plan.P, D=plan.D, index=index)
    xi = np.array([disorder.example(sample, mu) for mu in range(plan.P)], dtype=float)
    J = xi.T @ xi / N
    np.fill_diagonal(J, 0.0)
    s = exact.configurations(N).astype(float)
    E = exact.energies(J)
    w = np.exp(-(E - E.min()) / plan.temperature)
    w /= w.sum()
    overlaps = s @ xi.T / N
    correlations = np.einsum("c,ci,cj->ij", w, s, s)
    found = {"energy": w @ E / N, "q2": (correlations**2).sum() / N**2}
    if start == "random":
        found["m"] = w @ np.abs(overlaps[:, 0])
        found["u2"] = w @ (N * overlaps**2).mean(axis=1)
    else:
        found["m"] = w @ overlaps[:, 0]
        found["u2"] = w @ (N * overlaps[:, 1:] ** 2).mean(axis=1)
    if plan.D:
        found["p_d"] = w @ ((s @ sample.features.T) ** 2 / N).mean(axis=1)
        if start == "example":
            found["t"] = w @ (s @ disorder.latent(sample, 0) / N)
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("model", "start", "options"),
    [
        (HOPFIELD, "random", {}),
        (HOPFIELD, "example", {"algorithm": "heat-bath"}),
        (FEATURES, "example", {"algorithm": "metropolis"}),
        (TANH, "random", {"algorithm": "heat-bath"}),
        (replace(HOPFIELD, temperature=0.4), "random", {"algorithm": "tempering", "sweeps": 500, "replicas": 2}),
    ],
)
def test_averages_are_those_of_enumeration(model, start, options):
    record = simulate(model, N, **{"start": start, "samples": SAMPLES, "sweeps": 1000} | options)
    right = [enumerated(model, start, index) for index in range(SAMPLES)]
    for name in right[0]:
        differences = np.array(record.values[name]) - [row[name] for row in right]
        error = differences.std(ddof=1) / math.sqrt(SAMPLES)
        assert error < 0.05 * max(1.0, abs(right[0][name])), name  # blunt runs prove nothing
        assert abs(differences.mean()) < 6.5 * error, name


def test_the_fluctuation_relation_of_q():
    """q2 is the mean of q_ab^2, q of |q_ab|: 0 <= q_ea <= q <= sqrt(q2), and P(q) has that second moment."""
    record = simulate(HOPFIELD, 40, start="random", samples=4, sweeps=512)
    for q_ea, q, q2 in zip(*(record.values[name] for name in ("q_ea", "q", "q2")), strict=True):
        assert 0.0 <= q_ea <= q + 1e-12
        assert q * q <= q2 + 1e-12
    assert record.sampling is not None
    edges, density = (np.array(record.sampling["P_q"][name]) for name in ("edges", "density"))
    assert (density * np.diff(edges)).sum() == pytest.approx(1.0, rel=1e-12)
    centres = 0.5 * (edges[1:] + edges[:-1])  # one value of q in each bin at N = 40
    assert (density * np.diff(edges) * centres**2).sum() == pytest.approx(record["q2"].value, rel=1e-9)


@pytest.mark.parametrize("N", [2, 5, 12, 100, 101, 999, 1000])
def test_bins_of_the_overlap_are_symmetric_and_fair(N):
    edges = overlap_bins(N)
    assert np.allclose(edges, -edges[::-1])
    counts = np.histogram((N - 2 * np.arange(N + 1)) / N, edges)[0]
    assert counts.sum() == N + 1
    assert len(set(counts[1:-1])) <= 1
    assert (np.diff(edges) * N / 2 == pytest.approx(counts)) or N < 5


def test_results_depend_on_nothing_but_names():
    options = {"start": "example", "samples": 3, "sweeps": 64, "seed": 3}
    model = RandomFeatures(alpha=0.3, alpha_d=0.2, temperature=0.7)
    first = simulate(model, 60, **options)
    for change in ({"workers": 2}, {"threads": 2}, {"engine": "overlap-bits"}, {"engine": "dense-int16"}):
        again = simulate(model, 60, **options, **change)
        assert replace(again, provenance={}) == replace(first, provenance={}), change
    plan = task(model, 60, start="example", sweeps=64, seed=3)
    assert run_sample(plan, 2) == {name: values[2] for name, values in first.values.items()}
    assert simulate(model, 60, **(options | {"seed": 4})).values != first.values


@pytest.mark.parametrize("algorithm", ["metropolis", "heat-bath"])
def test_backends_agree_on_every_number(algorithm):
    options = {"start": "random", "samples": 2, "sweeps": 32, "replicas": 3, "algorithm": algorithm}
    ours, literal = (simulate(HOPFIELD, 24, backend=b, **options) for b in ("cpu", "reference"))
    assert ours.values == literal.values


def test_what_was_not_equilibrated_is_marked(tmp_path):
    """A spin glass far below T_g = 1.5: replicas from random spins fall into different valleys."""
    record = simulate(Hopfield(alpha=0.25, temperature=0.1), 400, start="random", samples=4, sweeps=128)
    assert record.equilibrated is False
    assert record["equilibrated"].value < 1.0
    assert record.sampling is not None
    assert record.sampling["equilibrated_samples"] == sum(record.values["equilibrated"])
    assert "are not equilibrated" in record.sampling["message"]
    assert "more sweeps (now 128) or the algorithm 'tempering'" in record.sampling["message"]
    record.save(tmp_path / "r.json")
    assert Record.load(tmp_path / "r.json") == record
    json.dumps(record.to_json(), allow_nan=False)


def test_what_applies_at_which_start():
    common = {"energy", "u2", "q", "q2", "q_ea", "acceptance", "equilibrated"}
    model = RandomFeatures(alpha=0.3, alpha_d=0.1, temperature=0.5)
    example = {"m", "overlap", "t", "p_d", "retrieved_fraction"}
    for start, more in (
        ("random", {"m", "p_d"}),
        ("example", example),
        ("feature", example - {"t"}),
        ("mixture", example - {"t"}),
        ("unseen", example - {"t"}),
    ):
        assert set(simulate(model, 60, start=start, samples=2, sweeps=32).measurements) == common | more, start


def test_energy_and_u2_are_tied_at_any_temperature():
    """The sum over stored examples of (xi.s)^2/N is -2 N energy + P, on average as in every configuration."""
    record = simulate(
        RandomFeatures(alpha=0.3, alpha_d=0.1, temperature=0.5), 60, start="feature", samples=2, sweeps=64
    )
    for energy, u2 in zip(record.values["energy"], record.values["u2"], strict=True):
        assert u2 == pytest.approx((-2 * 60 * energy + record.P) / record.P, rel=1e-12)


def test_a_start_is_left_when_one_replica_leaves_it():
    hot = simulate(Hopfield(alpha=0.05, temperature=5.0), 100, samples=3, sweeps=64)
    cold = simulate(Hopfield(alpha=0.05, temperature=0.2), 100, samples=3, sweeps=64)
    assert hot.values["retrieved_fraction"] == [0.0] * 3
    assert cold.values["retrieved_fraction"] == [1.0] * 3
    # A tenth of the spins is wrong to begin with, and the state recovers.
    noisy = simulate(Hopfield(alpha=0.05, temperature=0.2), 200, samples=3, sweeps=64, overlap=0.8)
    assert noisy["overlap"].value > 0.95


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_counts_sweeps_and_stops_the_run(workers):
    told = []
    simulate(
        HOPFIELD, 50, samples=3, sweeps=2050, workers=workers, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (3 * 2050, 3 * 2050)
    assert len(told) > 1000
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    def stop(done: int, total: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(HOPFIELD, 50, samples=3, sweeps=10**9, workers=workers, progress=stop)


def test_tempering_tells_how_it_moved():
    record = simulate(
        replace(HOPFIELD, temperature=0.3), 60, start="random", samples=2, sweeps=256, algorithm="tempering"
    )
    assert record.sampling is not None
    for moved in record.sampling["moved"]:
        ladder = moved["temperatures"]
        assert ladder[0] == 0.3
        assert ladder == sorted(ladder)
        assert ladder[-1] > 1.0  # spins forget quickly above T_g = 1.5 or so
        assert len(moved["exchange_rates"]) == len(ladder) - 1
        assert len(moved["round_trips"]) == 4
        assert sum(moved["round_trips"]) > 0


def test_far_above_all_fields_tempering_has_nothing_to_exchange():
    """Metropolis turns all spins in every sweep there: no temperature would be one at which it forgets."""
    record = simulate(
        Hopfield(alpha=0.1, temperature=1e6), 50, start="example", samples=1, sweeps=256, algorithm="tempering"
    )
    assert record.sampling is not None
    assert record.sampling["moved"][0]["temperatures"] == [1e6]
    assert record.equilibrated
    assert abs(record["m"].value) < 0.1


def test_all_series_of_a_run_are_measured_at_the_same_sweeps(monkeypatch):
    """3074 sweeps are 768 intervals of 4, and 2 before them that are no part of any series."""
    judged = []
    monkeypatch.setattr(
        sampling, "equilibration", lambda series, **options: judged.append(series) or equilibration(series, **options)
    )
    for algorithm in ("metropolis", "tempering"):
        simulate(HOPFIELD, 20, samples=1, replicas=2, sweeps=3074, algorithm=algorithm)
    assert {(series.n, series.every) for series in judged} == {(768, 4)}


def test_engine_is_the_one_for_what_the_temperature_accepts():
    engines = [
        simulate(Hopfield(alpha=0.3, temperature=T), 500, start="random", samples=1, sweeps=64).provenance["engine"]
        for T in (0.05, 3.0)
    ]
    assert engines == ["dense-int8", "overlap-bits"]


@pytest.mark.parametrize(("N", "P"), [(7, 1), (8, 2)])
def test_small_systems_leave_every_circle(N, P):
    """Were spins in zero field always turned, some starts would go round among 2 or 60 of all configurations."""
    model = Hopfield(alpha=P / N, temperature=0.8)
    record = simulate(model, N, start="random", samples=SAMPLES, sweeps=1000)
    right = []
    for index in range(SAMPLES):
        sample = disorder.draw(task(model, N).law, N=N, P=P, D=0, index=index)
        xi = np.array([disorder.example(sample, mu) for mu in range(P)], dtype=float)
        E = exact.energies(xi.T @ xi / N)
        w = np.exp(-(E - E.min()) / 0.8)
        right.append(w @ E / w.sum() / N)
    assert record["equilibrated"].value == 1.0
    assert np.abs(np.array(record.values["energy"]) - right).max() < 0.025  # five errors of a run


def test_the_record_names_every_form_of_the_couplings(monkeypatch):
    """A trial of each sample chooses its engine, so samples may differ."""
    engines = iter(["overlap-bits", "dense-int8", "dense-int8"])
    monkeypatch.setattr(sampling, "_couplings", lambda plan, sample, spins: interactions(sample, engine=next(engines)))
    record = simulate(HOPFIELD, 40, samples=3, sweeps=16)
    assert record.provenance["engine"] == "dense-int8, overlap-bits"
