"""Sampling, annealing and tempering: the kernel against the reference, threads, resumed runs, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import exact, exact_moves, rng
from numerics.backends import cpu_sweeps
from numerics.disorder import draw
from numerics.interactions import ENGINES, Interactions, from_matrix, interactions
from numerics.montecarlo import ALGORITHMS, anneal, ladder, sample, temper
from theory.ensembles import IidPatterns
from theory.errors import InvalidInput, SpinodalError


def couplings(engine: str, N: int, P: int) -> Interactions:
    if engine == "dense-float64":
        return from_matrix(couplings("dense-int32", N, P).matrix.astype(np.float64), normalisation=N)
    if engine == "int64 fields":
        wide = couplings("dense-int32", N, P).matrix * 2**24
        return from_matrix(wide, normalisation=N * 2**24)
    return interactions(draw(IidPatterns(), N=N, P=P), engine=engine)


def starts(R: int, N: int, *name: str | int) -> np.ndarray:
    return rng.signs(rng.stream("start", *name), rows=R, columns=N)


def same(a, b) -> bool:
    return (
        np.array_equal(a.spins, b.spins)
        and a.sweeps == b.sweeps
        and a.series.keys() == b.series.keys()
        and all(np.array_equal(a.series[name].bins(), b.series[name].bins()) for name in a.series)
    )


def magnetisation(spins):
    return {"m": spins.mean(axis=1), "all": spins.mean()}


SIZES = [(1, 2), (5, 3), (31, 4), (33, 5), (70, 64), (150, 7)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_every_engine_follows_the_reference_spin_by_spin(temperature, algorithm):
    flips = 0.0
    for N, P in SIZES:
        options = {"temperature": temperature, "sweeps": 4, "algorithm": algorithm}
        spins = starts(2, N)
        truth = sample(couplings("dense-int16", N, P), spins, backend="reference", **options)
        for engine in (*ENGINES, "int64 fields"):
            if engine == "int64 fields":  # in other units of J, moves at no cost are refused less often
                truth = sample(couplings(engine, N, P), spins, backend="reference", **options)
            found = sample(couplings(engine, N, P), spins, **options)
            assert np.array_equal(found.spins, truth.spins), (engine, N)
            assert np.array_equal(found.acceptance, truth.acceptance)
            assert np.allclose(found.energy.bins(), truth.energy.bins(), rtol=1e-12, atol=1e-12)
        flips += truth.acceptance.sum() * N
    assert flips > 50


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("N", "P"), [(3, 1), (5, 1), (6, 2), (7, 1), (8, 2)])
def test_every_configuration_is_reached_from_every_other(N, P, algorithm):
    # Were moves at no cost always made, sites in turn would go round closed orbits in these systems.
    for index in range(5):
        NJ = interactions(draw(IidPatterns(), N=N, P=P, index=index), engine="dense-int16").matrix.astype(np.int64)
        flips = exact_moves.site_probabilities(NJ, 0.8, algorithm)
        law = np.eye(2**N)
        for _ in range(60):
            law = exact_moves.swept(law, flips)
        assert law.min() > 0.0


def test_real_couplings_follow_the_reference_too():
    N = 80
    J = np.triu(rng.gaussians(rng.stream("sk"), rows=N, columns=N) / np.sqrt(N), 1)
    system = from_matrix(J + J.T)
    for algorithm in ALGORITHMS:
        runs = [
            sample(system, starts(2, N), temperature=0.8, sweeps=70, algorithm=algorithm, backend=backend)
            for backend in ("cpu", "reference")
        ]
        assert np.array_equal(runs[0].spins, runs[1].spins)


@pytest.mark.parametrize("engine", ["dense-int8", "dense-float64", "overlap-bits"])
def test_fields_are_those_of_the_spins_after_many_sweeps(engine):
    system = couplings(engine, 150, 21)
    walkers = cpu_sweeps.walkers(system, starts(3, 150))
    keys = rng.words(rng.stream("keys"), rows=3, columns=3).copy()
    options = {"algorithm": "metropolis", "beta": np.array([0.2, 1.0, 3.0]), "keys": keys, "threads": 1}
    accepted = cpu_sweeps.advance(walkers, first_sweep=0, sweeps=40, **options)
    assert accepted.min() > 100
    for r, spins in enumerate(walkers.spins()):
        if engine == "overlap-bits":
            assert np.array_equal(walkers.fields[r, :21], system.overlaps(spins)[:21])
        elif engine == "dense-float64":
            assert np.allclose(walkers.fields[r, :150], system.fields(spins), rtol=0, atol=1e-11)
        else:
            assert np.array_equal(walkers.fields[r, :150], system.fields(spins))
        assert walkers.energies()[r] == pytest.approx(system.energy(spins), rel=1e-12)


def test_walkers_do_not_know_of_threads_or_of_each_other():
    system = couplings("dense-int16", 140, 30)
    spins, keys = starts(5, 140), rng.words(rng.stream("five"), rows=5, columns=3).copy()
    temperatures = np.array([0.5, 0.8, 1.1, 1.4, 3.0])
    runs = [
        sample(system, spins, temperature=temperatures, sweeps=30, every=10, keys=keys, threads=threads)
        for threads in (1, 2, 3, 8)
    ]
    assert all(same(runs[0], run) for run in runs[1:])
    alone = sample(system, spins[3:4], temperature=1.4, sweeps=30, every=10, keys=keys[3:4])
    assert np.array_equal(alone.spins[0], runs[0].spins[3])
    assert np.array_equal(alone.energy.bins()[:, 0], runs[0].energy.bins()[:, 3])
    assert not np.array_equal(runs[0].spins[0], runs[0].spins[1])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("engine", ["dense-int8", "overlap-int8", "dense-float64"])
def test_two_halves_are_the_whole_bit_for_bit(engine, algorithm):
    system = couplings(engine, 100, 12)
    options = {"temperature": 0.9, "every": 4, "algorithm": algorithm, "observe": magnetisation}
    whole = sample(system, starts(3, 100), sweeps=96, **options)
    half = sample(system, starts(3, 100), sweeps=32, **options)
    again = sample(system, half.spins, sweeps=64, first_sweep=half.sweeps, series=half.series, **options)
    assert same(whole, again)
    assert again.series["all"].chains == 1


def test_what_is_measured_changes_nothing():
    system = couplings("dense-int8", 64, 8)
    bare = sample(system, starts(2, 64), temperature=1.0, sweeps=24, every=24)
    watched = sample(system, starts(2, 64), temperature=1.0, sweeps=24, every=1, observe=magnetisation)
    assert np.array_equal(bare.spins, watched.spins)
    assert watched.series["m"].n == 24
    assert watched.series["m"].bins()[-1].tolist() == watched.spins.mean(axis=1).tolist()


def test_long_runs_agree_with_enumeration():
    N, T = 14, 0.8
    system = couplings("dense-int8", N, 3)
    J = couplings("dense-int32", N, 3).matrix / N
    truth = exact.averages(J, T)
    for algorithm in ALGORITHMS:
        run = sample(system, starts(16, N), temperature=T, sweeps=4000, algorithm=algorithm)
        mean = run.energy.mean()
        assert abs(mean.value - truth["energy"]) < 5 * mean.error < 0.02
    spins = np.repeat(starts(8, N)[:, None], 3, axis=1)
    cold = temper(system, spins, temperatures=[T, 1.2, 2.0], sweeps=4000).series[0]["energy"].mean()
    assert abs(cold.value - truth["energy"]) < 5 * cold.error < 0.02


def test_annealing_is_sampling_at_one_temperature_after_another():
    system = couplings("dense-int16", 90, 9)
    spins = starts(2, 90)
    found = anneal(system, spins, temperatures=[2.0, 1.0, 0.2], sweeps_each=5)
    energies = []
    for n, temperature in enumerate([2.0, 1.0, 0.2]):
        run = sample(system, spins, temperature=temperature, sweeps=5, every=5, first_sweep=5 * n)
        spins = run.spins
        energies.append([system.energy(row) for row in spins])
        assert np.array_equal(found.acceptance[n], run.acceptance)
    assert np.array_equal(found.spins, spins)
    assert np.allclose(found.energies, energies, rtol=1e-12)
    assert found.sweeps == 15


def equal_temperings(a, b) -> bool:
    arrays = ("spins", "walkers", "attempts", "exchanges", "round_trips", "heading")
    return (
        all(np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays)
        and a.sweeps == b.sweeps
        and all(np.array_equal(s[n].bins(), t[n].bins()) for s, t in zip(a.series, b.series, strict=True) for n in s)
        and all(np.array_equal(s.bins(), t.bins()) for s, t in zip(a.chances, b.chances, strict=True))
    )


def test_tempering_resumes_bit_for_bit_and_ignores_threads():
    system = couplings("dense-int8", 60, 6)
    spins = np.repeat(starts(2, 60)[:, None], 4, axis=1)
    options = {"temperatures": [0.5, 0.8, 1.2, 2.0], "swap_every": 2, "every": 4, "observe": magnetisation}
    whole = temper(system, spins, sweeps=120, **options)
    half = temper(system, spins, sweeps=44, threads=2, **options)
    assert equal_temperings(whole, temper(system, half, sweeps=76, threads=3, **options))
    assert whole.exchanges.min() > 0
    assert np.array_equal(np.sort(whole.walkers, axis=1), np.tile(np.arange(4), (2, 1)))


def test_round_trips_and_exchanges_are_counted():
    system = couplings("dense-int8", 40, 4)
    seen = []

    def watch(spins):
        seen.append(spins.copy())
        return {}

    run = temper(system, starts(3, 40), temperatures=[1.0, 1.1, 1.2], sweeps=400, observe=watch)
    assert run.attempts.tolist() == [200 * 1, 200 * 1]
    assert abs(run.rates - [c.bins().mean() for c in run.chances]).max() < 0.15
    # A round trip over three temperatures takes four exchanges at least.
    assert 5 < run.round_trips.sum() <= 2 * run.exchanges.sum() / 4
    assert len(seen) == 3 * 400
    assert seen[0].shape == (1, 40)


def test_one_temperature_is_tempering_without_exchanges():
    system = couplings("dense-int8", 40, 4)
    run = temper(system, starts(1, 40), temperatures=[1.0], sweeps=20)
    plain = sample(system, starts(1, 40), temperature=1.0, sweeps=20)
    assert np.array_equal(run.spins[0], plain.spins)
    assert run.chances == ()


def test_a_ladder_has_equal_exchange_rates():
    system = couplings("dense-int8", 100, 10)
    found = ladder(system, lowest=0.4, highest=2.0, target=0.4)
    T = found.temperatures
    assert T[0] == 0.4
    assert T[-1] == 2.0
    assert (np.diff(T) > 0).all()
    assert found.rates.mean() > 0.35
    # Measured anew, with other random numbers.
    keys = rng.words(rng.stream("anew"), rows=T.size, columns=3).copy()
    anew = temper(system, found.run.spins[0], temperatures=T, sweeps=4000, keys=keys)
    rates = np.array([c.mean().value for c in anew.chances])
    assert np.abs(rates / rates.mean() - 1).max() < 0.3
    geometric = temper(system, found.run.spins[0], temperatures=np.geomspace(0.4, 2.0, T.size), sweeps=2000)
    spread = np.array([c.mean().value for c in geometric.chances])
    assert np.ptp(rates) < 0.5 * np.ptp(spread)


def test_a_ladder_that_cannot_be_tuned_says_so():
    magnet = from_matrix((1 - np.eye(200)) / 200)
    with pytest.raises(SpinodalError, match="give a higher lowest temperature") as caught:
        ladder(magnet, lowest=1e-4, highest=1.0, target=0.9, sweeps=16, most_sweeps=16)
    assert str(caught.value).count(".") < 6


def test_progress_is_told():
    told = []
    system = couplings("dense-int8", 20, 2)
    options = {"progress": lambda *what: told.append(what)}
    sample(system, starts(1, 20), temperature=1.0, sweeps=6, every=2, **options)
    anneal(system, starts(1, 20), temperatures=[2.0, 1.0], **options)
    temper(system, starts(2, 20), temperatures=[1.0, 2.0], sweeps=4, every=2, **options)
    assert told[0] == ("sweeps", 2, 6)
    assert told[3:5] == [("temperatures", 2, 2), ("sweeps", 2, 4)]
    assert told[-1] == ("sweeps", 4, 4)


SYSTEM = from_matrix(np.ones((4, 4), dtype=np.int16) - np.eye(4, dtype=np.int16))
SPINS = np.ones((2, 4))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 0.0}, "temperature = 0.0 is not allowed; give finite numbers > 0"),
        ({"temperature": -1.0}, "give finite numbers > 0"),
        ({"temperature": float("nan")}, "give finite numbers > 0"),
        ({"temperature": float("inf")}, "give finite numbers > 0"),
        ({"temperature": "hot"}, "is not a number"),
        ({"temperature": [1.0, 2.0, 3.0]}, "give one number or 2 of them"),
        ({"algorithm": "metropolys"}, "did you mean 'metropolis'"),
        ({"sweeps": 0}, "sweeps = 0 is not allowed; give an integer >= 1"),
        ({"sweeps": 2.5}, "give an integer >= 1"),
        ({"sweeps": 5, "every": 2}, "no multiple of every = 2"),
        ({"spins": np.ones(4)}, r"give \(R, 4\)"),
        ({"spins": np.zeros((2, 4))}, r"must all be \+1 or -1"),
        ({"keys": np.zeros((2, 2), dtype=np.uint32)}, r"give \(2, 3\) uint32"),
        ({"threads": 0}, "threads = 0"),
        ({"first_sweep": -1}, "first_sweep = -1"),
        ({"first_sweep": 2**32}, "more than 2\\^32"),
        ({"backend": "cpus"}, "did you mean 'cpu'"),
        ({"observe": lambda spins: spins.mean(axis=1)}, "observe returned ndarray; return a dict"),
        ({"observe": lambda spins: {"energy": spins.mean(axis=1)}}, "give it another name"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(change, words):
    options = {"spins": SPINS, "temperature": 1.0, "sweeps": 2} | change
    with pytest.raises(InvalidInput, match=words) as caught:
        sample(SYSTEM, options.pop("spins"), **options)
    assert "\n" not in str(caught.value)


def test_a_matrix_is_told_what_to_become():
    J = np.ones((4, 4)) - np.eye(4)
    options = {"temperatures": [1.0, 2.0]}
    for run in (
        lambda: sample(J, SPINS, temperature=1.0, sweeps=1),
        lambda: anneal(J, SPINS, **options),
        lambda: temper(J, SPINS, sweeps=1, **options),
        lambda: ladder(J, lowest=1.0, highest=2.0),
    ):
        with pytest.raises(InvalidInput, match=r"type ndarray; make them from .*from_matrix\(J\)"):
            run()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperatures": [2.0, 1.0]}, "rising numbers"),
        ({"temperatures": [1.0, 2.0, 3.0]}, "give one number or 2"),
        ({"temperatures": 1.0}, "rising numbers"),
        ({"spins": np.ones(4)}, r"give \(K, N\) or \(R, K, N\)"),
        ({"swap_every": 3}, "each a multiple of the next"),
        ({"every": 3, "swap_every": 2}, "each a multiple of the next"),
        ({"observe": lambda spins: 1.0}, "observe returned float; return a dict"),
    ],
)
def test_tempering_refuses_in_a_sentence(change, words):
    options = {"spins": SPINS, "temperatures": [1.0, 2.0], "sweeps": 4} | change
    with pytest.raises(InvalidInput, match=words):
        temper(SYSTEM, options.pop("spins"), **options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lowest": 2.0}, "do not rise"),
        ({"lowest": 0.0}, "> 0"),
        ({"target": 1.0}, "between 0 and 1"),
        ({"count": 1}, "count = 1"),
        ({"tolerance": 0}, "tolerance = 0"),
    ],
)
def test_a_ladder_refuses_in_a_sentence(change, words):
    with pytest.raises(InvalidInput, match=words):
        ladder(SYSTEM, **{"lowest": 1.0, "highest": 2.0, **change})
