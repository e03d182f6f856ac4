"""That sweeps and swaps sample the right law, exactly, and that planted faults are noticed.

Acceptance probabilities come from the functions that accept, not from a formula: the words that accept are the first
or the last of all 2^32, so their number is found by bisection.  From them follow transition matrices and the exact law
of walkers after k sweeps from any start.  R walkers with keys of their own are R independent draws from it, which
exact binomial tests judge.  A false alarm anywhere in one run of the suite has a probability of at most FAMILY.  Seeds
are fixed, and an argument of every check.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from numerics import exact, rng, tempering
from numerics.backends import cpu_sweeps
from numerics.disorder import draw
from numerics.exact_moves import site_probabilities, swap_probabilities, swept
from numerics.interactions import from_matrix, interactions
from numerics.kernels import montecarlo as kernels
from numerics.montecarlo import ALGORITHMS, sample
from numerics.tempering import exchanged, temper
from theory.ensembles import IidPatterns

Floats = NDArray[np.float64]

# Probability of any false alarm in one run of the whole suite, shared by all its cases (Bonferroni).
FAMILY = 1e-6
CASES = 100
LIMIT = FAMILY / CASES


def index(spins: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return the number of each configuration, (..., N) -> (...,), in the order of exact.configurations."""
    return ((spins > 0) * (1 << np.arange(spins.shape[-1]))).sum(axis=-1)


def surprise(found: NDArray[np.int64], law: Floats, *, seed: int) -> float:
    """Return a p-value of independent draws `found` from `law` (n,): exact, never too small under the law.

    Of exact binomial tests, Bonferroni-corrected: of every cell if there are at most 512, else of 32 equally probable
    groups of the cells, in order of probability; a cell that lies in several is split at random.  And of every bit of
    the cell's number.
    """
    R, cells = found.size, law.size
    law = np.maximum(law, 0.0) / law.sum()
    counts, chances = [], []
    if cells <= 512:
        counts.append(np.bincount(found, minlength=cells))
        chances.append(law)
    else:
        order = np.argsort(law, kind="stable")
        below = np.empty(cells)
        below[order] = np.cumsum(law[order]) - law[order]
        u = np.random.default_rng([seed, 1]).random(R)
        rank = below[found] + u * law[found]
        counts.append(np.bincount(np.minimum((32 * rank).astype(int), 31), minlength=32))
        chances.append(np.full(32, 1.0 / 32))
    bits = (np.arange(cells)[:, None] >> np.arange(int(cells - 1).bit_length())) & 1
    counts.append(bits[found].sum(axis=0))
    chances.append(law @ bits)
    k, p = np.concatenate(counts), np.clip(np.concatenate(chances), 0.0, 1.0)
    tails = 2.0 * np.minimum(binom.cdf(k, R, p), binom.sf(k - 1, R, p))
    return float(min(1.0, tails.min() * k.size))


def hebbian(N: int, P: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return N J and J of a small Hopfield sample; few patterns make many equal fields."""
    NJ = interactions(draw(IidPatterns(), N=N, P=P), engine="dense-int32").matrix.astype(np.int64)
    return NJ, NJ / N


def keys_of(seed: int, count: int, purpose: str) -> NDArray[np.uint32]:
    return rng.words(rng.stream("exactness", seed, purpose), rows=count, columns=3).copy()


SMALL = [(2, 1), (3, 2), (4, 1), (4, 3), (4, 4)]
ROUNDING = 2.0**-31  # an acceptance probability is a multiple of 2^-32


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_every_visit_is_in_detailed_balance_and_the_sweep_keeps_the_boltzmann_law(temperature, algorithm):
    for N, P in SMALL:
        NJ, J = hebbian(N, P)
        law = exact.boltzmann(J, temperature)
        flips = site_probabilities(NJ, temperature, algorithm)
        assert flips.min() >= 0.0
        assert flips.max() > 0.1
        for site in range(N):
            flow = law * flips[:, site]
            back = flow[np.arange(2**N) ^ (1 << site)]
            assert np.abs(flow - back).max() < ROUNDING
        matrix = np.array([swept(row, flips) for row in np.eye(2**N)])
        assert np.allclose(matrix.sum(axis=1), 1.0, rtol=0, atol=1e-14)
        assert np.abs(law @ matrix - law).max() < N * ROUNDING


def test_detailed_balance_notices_a_threshold_twice_too_large():
    NJ, J = hebbian(4, 3)
    law = exact.boltzmann(J, 1.0)
    for algorithm in ALGORITHMS:
        flow = law * site_probabilities(NJ, 2.0, algorithm)[:, 0]
        assert np.abs(flow - flow[np.arange(16) ^ 1]).max() > 1e4 * ROUNDING


def test_swaps_are_in_detailed_balance():
    for N, P in SMALL:
        _, J = hebbian(N, P)
        energies = exact.energies(J)
        for cold, hot in ((0.3, 0.5), (0.5, 2.0)):
            pair = np.outer(exact.boltzmann(J, cold), exact.boltzmann(J, hot))
            flow = pair * swap_probabilities(cold, hot, energies)
            assert np.abs(flow - flow.T).max() < ROUNDING
            assert np.abs(pair * swap_probabilities(hot, cold, energies) - flow).max() > 1e-4  # the wrong sign


def swept_walkers(run, NJ, temperature, algorithm, *, sweeps, walkers, seed, start=None, normalisation=None):
    """p-value of walkers that `run` has swept, against the exact law."""
    N = len(NJ)
    flips = site_probabilities(NJ, temperature, algorithm)
    if start is None:  # in equilibrium: the law must stay what it is
        law = exact.boltzmann(NJ / N, temperature)
        origin = np.random.default_rng([seed, 2]).choice(law.size, size=walkers, p=law)
        spins = exact.configurations(N)[origin].astype(np.int8)
    else:
        law = np.eye(2**N)[start]
        spins = np.tile(exact.configurations(N)[start].astype(np.int8), (walkers, 1))
    for _ in range(sweeps):
        law = swept(law, flips)
    ends = run(spins, temperature, algorithm, sweeps, keys_of(seed, walkers, "walkers"))
    return surprise(index(ends), law, seed=seed)


def kernel_run(engine: str, N: int, P: int):
    """The production code as a function from starts to ends."""
    if engine == "dense-float64":
        couplings = from_matrix(hebbian(N, P)[0].astype(np.float64), normalisation=N)
    else:
        couplings = interactions(draw(IidPatterns(), N=N, P=P), engine=engine)

    def run(spins, temperature, algorithm, sweeps, keys):
        options = {"sweeps": sweeps, "every": sweeps, "algorithm": algorithm, "keys": keys}
        return sample(couplings, spins, temperature=temperature, **options).spins

    return run


LAWS = [
    (N, P, temperature, sweeps, start)
    for N, P in ((4, 3), (12, 5))
    for temperature in (0.4, 1.5)
    for sweeps, start in ((1, 0), (2, 5), (5, 0), (3, None))
]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(("N", "P", "temperature", "sweeps", "start"), LAWS)
def test_walkers_follow_the_exact_law_of_sweeps(N, P, temperature, sweeps, start, algorithm):
    NJ, _ = hebbian(N, P)
    options = {"sweeps": sweeps, "walkers": 20000, "seed": 1, "start": start}
    assert swept_walkers(kernel_run("dense-int8", N, P), NJ, temperature, algorithm, **options) > LIMIT


@pytest.mark.parametrize("engine", ["dense-float64", "overlap-bits", "overlap-int8"])
def test_walkers_of_other_engines_follow_the_exact_law(engine):
    NJ, _ = hebbian(12, 5)
    for algorithm in ALGORITHMS:
        p = swept_walkers(kernel_run(engine, 12, 5), NJ, 0.7, algorithm, sweeps=3, walkers=5000, seed=2, start=9)
        assert p > LIMIT


def tempered(seed: int, *, rounds: int, sets: int, algorithm: str) -> float:
    """p-value of sets of three walkers, tempered from given states, against their exact joint law."""
    N, P = 3, 2
    NJ, J = hebbian(N, P)
    temperatures = np.array([0.4, 0.8, 2.0])
    energies = exact.energies(J)
    start = (0, 3, 5)
    law = np.zeros((8, 8, 8))
    law[start] = 1.0
    for number in range(1, rounds + 1):
        for axis, temperature in enumerate(temperatures):
            flips = site_probabilities(NJ, temperature, algorithm)
            law = np.moveaxis(swept(np.moveaxis(law, axis, -1), flips), -1, axis)
        k = number % 2  # odd rounds exchange the upper pair, even ones the lower
        chance = swap_probabilities(temperatures[k], temperatures[k + 1], energies)
        chance = chance[None] if k else chance[..., None]
        moved = law * chance
        law = law - moved + np.swapaxes(moved, k, k + 1)
    spins = np.tile(exact.configurations(N)[list(start)].astype(np.int8), (sets, 1, 1))
    couplings = interactions(draw(IidPatterns(), N=N, P=P), engine="dense-int16")
    keys = keys_of(seed, 3 * sets, "sets").reshape(sets, 3, 3)
    run = temper(couplings, spins, temperatures=temperatures, sweeps=rounds, algorithm=algorithm, keys=keys)
    places = index(run.spins)
    return surprise((64 * places[:, 0] + 8 * places[:, 1] + places[:, 2]), law.ravel(), seed=seed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_tempering_follows_the_exact_joint_law(rounds, algorithm):
    assert tempered(3, rounds=rounds, sets=4000, algorithm=algorithm) > LIMIT


EXCHANGED = inspect.getsource(exchanged)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("logs > -gain", "logs > gain"),  # the wrong sign
        ("(energies[:-1] - energies[1:])", "(energies[:-1] - energies[1:]) / 3"),  # energies per spin
        ("logs > -gain", "logs > 0"),  # always
    ],
)
def test_faulty_swaps_are_noticed(old, new, monkeypatch):
    assert old in EXCHANGED, "the fault cannot be planted; adapt it to the source"
    space = dict(vars(tempering))
    exec(EXCHANGED.replace(old, new), space)
    monkeypatch.setattr(tempering, "exchanged", space["exchanged"])
    assert tempered(3, rounds=3, sets=4000, algorithm="heat-bath") < LIMIT


@pytest.mark.parametrize("fault", ["same round", "same pair"])
def test_swap_words_of_the_wrong_name_are_noticed(fault, monkeypatch):
    right = tempering._words
    wrong = {
        "same round": lambda key, number, pairs: right(key * 0, 1, pairs),  # one word for all sets and rounds
        "same pair": lambda key, number, pairs: right(key * 0, number, 1).repeat(pairs),
    }[fault]
    monkeypatch.setattr(tempering, "_words", wrong)
    assert tempered(3, rounds=3, sets=12000, algorithm="metropolis") < LIMIT


def below(spins, fields, thresholds, place, offset):
    """What numerics.kernels.stretches does by vector instructions, in NumPy."""
    s = spins.ravel()[place : place + 32].astype(fields.dtype)
    h, t = fields.ravel()[place : place + 32], thresholds[offset : offset + 32]
    n = min(s.size, t.size)
    return np.uint32(((s[:n] * h[:n] < t[:n]) << np.arange(n)).sum())


def add_rows(matrix, fields, sites, signs, n, shift, place, first, last, upcoming, *, count=4):
    rows = matrix[sites[n : n + count], first:last].astype(np.int64)
    double = 4 if matrix.dtype == np.int8 else 2
    fields.ravel()[place + first : place + last] += (double * signs[n : n + count] @ rows + shift).astype(fields.dtype)


SOURCE = inspect.getsource(kernels)
ADVANCE = inspect.getsource(cpu_sweeps.advance) + inspect.getsource(cpu_sweeps.anneal)


def planted(source: str, advance: str):
    """The sweep of these sources, run as plain Python with chunks of 4 sites, as a function from starts to ends."""
    plain = source.replace("from __future__ import annotations", "").replace("_CHUNK = 128", "_CHUNK = 4")
    plain = plain.replace("@kernel", "").replace("@inlined", "")
    space: dict[str, object] = {"__name__": "planted"}
    exec(compile(plain, "planted", "exec"), space)
    space.update(
        below=below,
        lowest=lambda bits: (int(bits) & -int(bits)).bit_length() - 1,
        add_row=lambda *all: add_rows(*all, count=1),
        add_rows=add_rows,
        prefetch=lambda address: None,
        LANES=4,
    )
    outer = dict(vars(cpu_sweeps))
    outer["kernels"] = SimpleNamespace(dense=space["dense"], overlaps=space["overlaps"])
    exec(advance, outer)
    couplings = interactions(draw(IidPatterns(), N=8, P=3), engine="dense-int8")
    np.fill_diagonal(couplings.matrix, 3)  # stands for nothing

    def run(spins, temperature, algorithm, sweeps, keys):
        walkers = cpu_sweeps.walkers(couplings, spins)
        beta = np.full(len(spins), 1.0 / temperature)
        with np.errstate(over="ignore"):
            outer["advance"](
                walkers, algorithm=algorithm, beta=beta, keys=keys, first_sweep=0, sweeps=sweeps, threads=1
            )
        return walkers.spins()

    return run


def noticed(algorithm: str, source: str = SOURCE, advance: str = ADVANCE, walkers: int = 1000, temperature=0.6) -> bool:
    NJ, _ = hebbian(8, 3)
    options = {"sweeps": 2, "walkers": walkers, "seed": 4, "start": 77}
    try:
        p = swept_walkers(planted(source, advance), NJ, temperature, algorithm, **options)
    except (IndexError, OverflowError, ValueError):
        return True
    return p < LIMIT


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_source_as_it_is_passes(algorithm):
    assert not noticed(algorithm)


@pytest.mark.parametrize(
    ("algorithm", "old", "new"),
    [
        ("metropolis", "value = unit * log", "value = -unit * log"),  # wrong acceptance sign
        (
            "metropolis",
            "fields[r, k] = kind(fields[r, k] - kind(itself",
            "(fields[r, k] - kind(itself",
        ),  # J_ii is not 0
        (
            "metropolis",
            "_add(matrix, parity, sites, signs, count, fields, r, start, end, first + lane)",
            "pass",
        ),  # stale
        ("heat-bath", "_catch_up(matrix, parity, sites, signs, count, fields, r, end, N)", "pass"),  # stale further on
        ("heat-bath", "_catch_up(matrix, parity, sites, signs, count, fields, r, 0, start)", "pass"),  # stale behind
        ("metropolis", "sweep, start, words)", "0, start, words)"),  # the same words in every sweep
        ("heat-bath", "sweep, start, words)", "0, start, words)"),
        ("metropolis", "word = words[k - np.uint64(start)]", "word = words[0]"),  # the same word for neighbouring sites
        (
            "metropolis",
            "(keys[r, 0], keys[r, 1], keys[r, 2]",
            "(keys[0, 0], keys[0, 1], keys[0, 2]",
        ),  # for every walker
        ("metropolis", "unit * BOUND_SCALE", "0.5 * unit * BOUND_SCALE"),  # a bound that is none
        ("metropolis", "LARGEST_LOG * unit", "1.0 * unit"),
        ("metropolis", "kind(2 * parity * signs[n])", "kind(0)"),  # the parity is forgotten
    ],
)
def test_faults_planted_in_the_sweep_are_noticed(algorithm, old, new):
    assert old in SOURCE, "the fault cannot be planted; adapt it to the kernel's source"
    assert noticed(algorithm, SOURCE.replace(old, new))


def test_a_bound_for_the_wrong_spin_is_noticed():
    old, new = "words[k - np.uint64(start)] ^ mask", "words[k - np.uint64(start)]"
    assert old in SOURCE
    assert noticed("heat-bath", SOURCE.replace(old, new), walkers=2500)


def test_the_same_words_for_every_chunk_are_noticed():
    old, new = "sweep, start, words)", "sweep, 0, words)"
    assert old in SOURCE
    assert noticed("heat-bath", SOURCE.replace(old, new), temperature=5.0)  # there words alone decide


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_missing_factor_2_is_noticed(algorithm):
    assert "(2.0 * betas)" in ADVANCE
    assert noticed(algorithm, advance=ADVANCE.replace("(2.0 * betas)", "betas"))


def p_values(seeds: range, walkers: int) -> list[float]:
    NJ, _ = hebbian(12, 5)
    run = kernel_run("dense-int8", 12, 5)
    found = []
    for seed in seeds:
        for algorithm in ALGORITHMS:
            options = {"walkers": walkers, "seed": seed}
            found.append(swept_walkers(run, NJ, 0.7, algorithm, sweeps=2, start=9, **options))
            found.append(swept_walkers(run, NJ, 0.7, algorithm, sweeps=2, **options))
        found.append(tempered(seed, rounds=2, sets=walkers // 4, algorithm="metropolis"))
    return found


@pytest.mark.slow
def test_p_values_over_many_seeds_are_never_too_small():
    found = np.array(p_values(range(200), walkers=2000))
    assert found.min() > LIMIT
    # A p-value is below any level with at most that probability: 1 in 20 of a thousand, and some room.
    for level in (0.2, 0.05, 0.01):
        assert binom.sf((found < level).sum() - 1, found.size, level) > 1e-6
