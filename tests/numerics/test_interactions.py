"""Every representation of the couplings: the same fields and the same trajectory, to the last flip."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from numerics import engine_choice, exact, rng
from numerics.backends import cpu, reference
from numerics.disorder import draw, pattern_blocks
from numerics.dynamics import ORDERS, TIES, quench, quench_many
from numerics.interactions import ENGINES, from_matrix, interactions
from theory.ensembles import TANH, IidPatterns, RandomFeaturePatterns
from theory.errors import InvalidInput, SpinodalError

INTEGER = tuple(engine for engine in ENGINES if engine != "dense-float64")
# Odd and even P, words that are not full, N that fits no vector, more patterns than 8 bits count.
SIZES = ((1, 1), (2, 3), (7, 2), (31, 5), (64, 64), (70, 65), (97, 128), (130, 257))


def sample_of(N: int, P: int, index: int = 0):
    return draw(IidPatterns(), N=N, P=P, index=index)


def starts(N: int, R: int = 3) -> np.ndarray:
    return rng.signs(rng.stream("starts"), rows=R, columns=N)


def literal(sample) -> np.ndarray:
    """N J by the definition."""
    patterns = np.concatenate([block for _, block in pattern_blocks(sample, rows=64)]).astype(np.int64)
    NJ = patterns.T @ patterns
    np.fill_diagonal(NJ, 0)
    return NJ


@pytest.mark.parametrize("engine", INTEGER)
def test_fields_and_energies_are_those_of_the_definition(engine):
    for N, P in SIZES:
        sample = sample_of(N, P)
        NJ = literal(sample)
        system = interactions(sample, engine=engine)
        assert system.engine == engine
        assert np.array_equal(reference.matrix(system), NJ)
        for spins in starts(N):
            assert system.fields(spins).tolist() == (NJ @ spins).tolist()
            assert system.energy(spins) == pytest.approx(-0.5 * float(spins @ NJ @ spins) / N**2, abs=1e-15)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("tie", TIES)
def test_one_trajectory_for_all_engines_backends_and_threads(order, tie):
    moved = 0
    for N, P in SIZES:
        sample = sample_of(N, P)
        keys = np.array([rng.stream("key", r) for r in range(3)])
        expected = None
        for engine in INTEGER:
            system = interactions(sample, engine=engine)
            for backend, threads in (("cpu", 1), ("cpu", 2), ("reference", 1)):
                end = quench_many(system, starts(N), keys=keys, order=order, tie=tie, backend=backend, threads=threads)
                found = end.spins.tolist(), end.sweeps.tolist(), end.flips.tolist(), end.period.tolist()
                expected = found if expected is None else expected
                assert found == expected, (N, P, engine, backend, threads)
        assert expected is not None
        moved += sum(expected[2])
    assert moved > 300


def test_prefixes_of_the_trajectory_agree_in_all_engines():
    sample = sample_of(90, 11)
    seen = set()
    for order, sweeps in itertools.product(("random", "sequential", "synchronous"), range(1, 6)):
        options = {"order": order, "tie": "keep", "max_sweeps": sweeps, "threads": 1}
        key = rng.stream("prefix")[None]
        runs = [cpu.quench(interactions(sample, engine=e), starts(90, 1), key, **options) for e in INTEGER]
        runs.append(reference.quench(interactions(sample), starts(90, 1), key, **options))
        for run in runs[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(runs[0], run, strict=True))
        seen.add((order, int(runs[0][2][0])))
    assert len(seen) > 6


@pytest.mark.parametrize("engine", ENGINES)
def test_energy_never_rises(engine):
    N = 77
    if engine == "dense-float64":
        law = RandomFeaturePatterns(nonlinearity=TANH)
        system = interactions(draw(law, N=N, P=9, D=20), engine=engine)
    else:
        system = interactions(sample_of(N, 9), engine=engine)
    for order in ("random", "sequential"):
        energies = []
        for sweeps in range(6):
            options = {"order": order, "tie": "plus", "max_sweeps": sweeps, "threads": 1}
            spins = cpu.quench(system, starts(N, 1), rng.stream("e")[None], **options)[0][0]
            energies.append(system.energy(spins))
        assert all(b <= a + 1e-12 for a, b in itertools.pairwise(energies))
        assert energies[-1] < energies[0]


@pytest.mark.parametrize("engine", ["dense-int8", "dense-int32", "overlap-bits"])
@pytest.mark.parametrize("order", ["random", "greedy", "synchronous"])
@pytest.mark.parametrize("tie", TIES)
def test_fixed_points_are_the_stable_states_of_enumeration(engine, order, tie):
    sample = sample_of(9, 4, index=1)
    stable = {tuple(s) for s in exact.stable_states(literal(sample), tie=tie).tolist()}
    everything = exact.configurations(9)
    ends = quench_many(interactions(sample, engine=engine), everything, order=order, tie=tie)
    fixed = {tuple(s) for s, period in zip(ends.spins.tolist(), ends.period, strict=True) if period == 1}
    assert fixed == stable
    still = [tuple(s) in stable for s in everything.tolist()]
    assert (ends.flips == 0).tolist() == still
    assert (ends.period == 1).all() or order == "synchronous"


@pytest.mark.parametrize("engine", ["dense-int8", "dense-int16", "overlap-bits", "overlap-int8"])
def test_greedy_takes_what_argmax_takes(engine):
    for N, P in ((13, 2), (40, 3), (64, 9)):
        sample = sample_of(N, P)
        NJ = literal(sample)
        spins = starts(N, 1)[0].astype(np.int64)
        flips = 0
        while True:
            fields = NJ @ spins
            size = np.where(spins * fields < 0, abs(fields), -1)
            if size.max() < 0:
                break
            spins[np.argmax(size)] *= -1
            flips += 1
        end = quench(interactions(sample, engine=engine), starts(N, 1)[0], order="greedy")
        assert end.spins.tolist() == spins.tolist()
        assert (end.flips, end.sweeps) == (flips, max(1, -(-flips // N)))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_two_spins_that_follow_each_other_are_a_two_cycle(backend):
    J = [[0, 1], [1, 0]]
    end = quench(J, [1, -1], order="synchronous", backend=backend)
    assert (end.spins.tolist(), end.sweeps, end.flips, end.period) == ([1, -1], 2, 4, 2)
    same = quench(J, [1, 1], order="synchronous", backend=backend)
    assert (same.spins.tolist(), same.sweeps, same.flips, same.period) == ([1, 1], 1, 0, 1)
    with pytest.raises(SpinodalError, match="after 1 sweeps"):
        quench(J, [1, -1], order="synchronous", backend=backend, max_sweeps=1)


def test_synchronous_dynamics_ends_in_a_fixed_point_or_a_two_cycle():
    periods = set()
    for index in range(20):
        sample = sample_of(20, 12, index=index)
        NJ = literal(sample)
        end = quench(interactions(sample), starts(20, 1)[0], order="synchronous")

        def step(s: np.ndarray, NJ: np.ndarray = NJ) -> np.ndarray:
            h = NJ @ s
            return np.where(h == 0, s, np.sign(h))

        once = step(end.spins.astype(int))
        assert (np.array_equal(once, end.spins)) == (end.period == 1)
        assert np.array_equal(step(once), end.spins) or end.period == 1
        periods.add(end.period)
    assert periods == {1, 2}


def test_user_couplings_in_every_dense_engine():
    NJ = literal(sample_of(50, 7))
    ends = [quench(from_matrix(NJ, engine=e), starts(50, 1)[0]) for e in ("auto", *INTEGER[:4])]
    assert len({(tuple(end.spins.tolist()), end.sweeps, end.flips) for end in ends}) == 1
    even = from_matrix(2 * NJ, engine="dense-int8", normalisation=100.0)
    assert even.parity == 0
    assert even.energy(starts(50, 1)[0]) == pytest.approx(from_matrix(NJ, normalisation=50.0).energy(starts(50, 1)[0]))
    assert from_matrix(NJ / 3).engine == "dense-float64"
    assert from_matrix(NJ.astype(np.int32)).engine == "dense-int32"


def test_fields_need_no_more_than_their_type_holds():
    big = np.full((3, 3), 2**31 - 1, dtype=np.int32)
    np.fill_diagonal(big, 0)
    system = from_matrix(big)
    assert system.field_dtype == np.int64
    assert system.fields(np.ones(3, dtype=np.int8)).tolist() == [2 * (2**31 - 1)] * 3
    assert quench(system, [1, 1, -1]).spins.tolist() == [1, 1, 1]
    assert from_matrix(big // 2**16).field_dtype == np.int32


def test_sums_over_lanes_beyond_32_bits_are_exact():
    """Overlaps near 2^31 / 64 in every lane: the sum of lanes needs 64 bits, the single lane does not."""
    from numba import njit

    from numerics.kernels.masks import sum_where_set

    @njit
    def run(bits, values, wide):
        return sum_where_set(bits.ctypes.data, values.ctypes.data, bits.size, wide)

    bits = np.full(4, 2**64 - 1, dtype=np.uint64)
    values = np.full(256, 2**28, dtype=np.int32)
    assert run(bits, values, True) == 256 * 2**28
    bits[1], values[:64] = 5, -7
    assert run(bits, values, True) == -7 * 64 + (2 + 128) * 2**28
    assert run(bits[:2], values, False) == -7 * 64 + 2 * 2**28


def test_unknown_engines_are_refused():
    with pytest.raises(InvalidInput, match="engine 'dense-int4' is unknown; choose one of auto, dense-int8"):
        interactions(sample_of(8, 3), engine="dense-int4")
    with pytest.raises(InvalidInput, match="did you mean 'overlap-bits'"):
        from_matrix([[0, 1], [1, 0]], engine="overlap-bit")


def test_what_does_not_fit_is_refused_in_one_sentence():
    alike = draw(RandomFeaturePatterns(coefficients="sparse", L_train=1), N=16, P=300, D=1)  # two patterns +-f
    assert abs(literal(alike)).max() == 300
    with pytest.raises(InvalidInput, match="'dense-int8' holds couplings up to 255, but the largest is 300; use "):
        interactions(alike, engine="dense-int8")
    assert interactions(alike, engine="dense-int16").engine == "dense-int16"
    with pytest.raises(InvalidInput, match="all even or all odd; use 'dense-int16'"):
        from_matrix([[0, 1, 2], [1, 0, 1], [2, 1, 0]], engine="dense-int8")
    with pytest.raises(
        InvalidInput, match="'dense-float32' holds couplings up to 16777216, but the largest is 16777217"
    ):
        from_matrix([[0, 2**24 + 1], [2**24 + 1, 0]], engine="dense-float32")
    with pytest.raises(InvalidInput, match="needs patterns, not a matrix"):
        from_matrix([[0, 1], [1, 0]], engine="overlap-bits")
    with pytest.raises(InvalidInput, match="needs integer couplings; use 'dense-float64'"):
        from_matrix([[0, 0.5], [0.5, 0]], engine="dense-int16")
    real = draw(RandomFeaturePatterns(nonlinearity=TANH), N=8, P=2, D=4)
    with pytest.raises(InvalidInput, match=r"needs \+-1 patterns, which these are not; use 'dense-float64'"):
        interactions(real, engine="overlap-bits")
    with pytest.raises(InvalidInput, match="work 'sample' is unknown"):
        interactions(real, work="sample")


def test_couplings_that_are_none_are_refused():
    for J in (np.array([[0, 1j], [1j, 0]]), [["a"]], [[0, 1], [1]]):
        with pytest.raises(InvalidInput, match="not an array of real numbers"):
            from_matrix(J)
    with pytest.raises(InvalidInput, match=r"normalisation = 0\.0"):
        from_matrix([[0, 1], [1, 0]], normalisation=0.0)


@pytest.mark.parametrize("value", [2**64 - 1, 2**63, -(2**63), -(2**31), 2**31])
def test_integers_beyond_32_bits_do_not_wrap(value):
    kind = np.uint64 if value >= 2**63 else np.int64 if abs(value) > 2**31 or value > 0 else np.int32
    system = from_matrix(np.array([[0, value], [value, 0]], dtype=kind))
    assert system.engine == "dense-float64"
    assert system.fields(np.ones(2, dtype=np.int8)).tolist() == [float(value)] * 2


def test_a_number_without_opposite_takes_the_next_type():
    system = from_matrix(np.array([[0, -(2**15)], [-(2**15), 0]], dtype=np.int16))
    assert system.engine == "dense-int32"
    assert quench(system, [1, 1]).spins.tolist() in ([1, -1], [-1, 1])


def test_eight_bits_hold_exactly_what_they_hold():
    """Both ends of the range, both parities: |N J| = 255 fits, 256 does not."""
    for P, fits in ((254, True), (255, True), (256, False), (257, False)):
        alike = draw(RandomFeaturePatterns(coefficients="sparse", L_train=1), N=20, P=P, D=1)
        if fits:
            system = interactions(alike, engine="dense-int8")
            assert np.array_equal(reference.matrix(system), literal(alike))
        else:
            with pytest.raises(InvalidInput, match="holds couplings up to 255"):
                interactions(alike, engine="dense-int8")


def test_the_automatic_engine_follows_load_work_and_memory(monkeypatch):
    assert interactions(sample_of(400, 2)).engine == "overlap-bits"
    assert interactions(sample_of(400, 254), starts=1000).engine == "dense-int8"
    assert engine_choice.quickest(4000, 4000, work="sampling", starts=1) == "dense"
    assert engine_choice.quickest(4000, 40, work="sampling", starts=1) == "overlap-bits"
    assert engine_choice.quickest(10**5, 1000, work="sampling", starts=10) == "overlap-bits"  # J would not fit
    monkeypatch.setattr(engine_choice, "available_memory", lambda: 1e5)
    assert engine_choice.quickest(400, 80, work="quench", starts=10**6) == "overlap-bits"
    with pytest.raises(InvalidInput, match=r"takes 0\.0 GB even as single bits"):
        engine_choice.quickest(1000, 1000, work="quench", starts=1)


def test_more_starts_never_favour_the_overlap_form():
    for N, P in itertools.product((100, 1000, 4000, 10000), (2, 30, 300, 3000)):
        kinds = [engine_choice.quickest(N, P, work="quench", starts=R) for R in (1, 10, 100, 1000)]
        assert kinds == sorted(kinds, reverse=True)


def test_batches_are_checked():
    system = from_matrix([[0, 1], [1, 0]])
    with pytest.raises(InvalidInput, match="threads = 0 is not allowed"):
        quench_many(system, [[1, 1]], threads=0)
    with pytest.raises(
        InvalidInput, match=r"keys have shape \(1, 3\) .*one row of 3 words of uint32 for each of 2 starts"
    ):
        quench_many(system, [[1, 1], [1, -1]], keys=rng.stream("x")[None])
    ends = quench_many(system, np.ones((3, 2)))
    assert len(ends[1:]) == 2
    assert [end.sweeps for end in ends] == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["generic", "haswell"])
def test_processors_with_shorter_vectors_follow_the_same_trajectory(processor, tmp_path):
    """Machine code for processors without AVX-512, and without AVX: run the tests of this file with it."""
    environment = dict(os.environ, NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=str(tmp_path))
    tests = [f"{__file__}::{name}" for name in ("test_one_trajectory_for_all_engines_backends_and_threads",)]
    tests.append(f"{__file__}::test_fields_and_energies_are_those_of_the_definition")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_hundred_thousand_spins_stay_below_two_gigabytes():
    """N = 1e5, P = 1000: J would take 20 GB.  A process of its own, since the peak of this one is history."""
    script = """
import resource
import numpy as np
from numerics import rng
from numerics.disorder import draw
from numerics.dynamics import quench
from numerics.interactions import interactions
from theory.ensembles import RandomFeaturePatterns
sample = draw(RandomFeaturePatterns(), N=100_000, P=1000, D=500)
system = interactions(sample)
end = quench(system, rng.signs(rng.stream("start"), rows=1, columns=100_000)[0])
assert system.engine == "overlap-bits" and (end.spins * system.fields(end.spins) >= 0).all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert float(found.stdout) < 2.0


def test_asymmetric_couplings_are_refused_by_the_first_pair_that_differs() -> None:
    J = np.zeros((300, 300))
    J[290, 3], J[3, 290] = 0.5, -0.5
    with pytest.raises(InvalidInput, match=r"not symmetric: J\[3, 290\] = -0.5 but J\[290, 3\] = 0.5"):
        from_matrix(J)
    J[290, 3] = -0.5 * (1 + 1e-15)  # a product of matrices is symmetric up to rounding
    assert from_matrix(J).engine == "dense-float64"


def test_choice_follows_what_a_temperature_accepts() -> None:
    chosen = [
        engine_choice.quickest(4000, 400, work="sampling", starts=4, acceptance=a, sweeps=2000)
        for a in (0.01, 0.05, 0.2, 0.8)
    ]
    assert chosen == ["dense", "dense", "overlap-bits", "overlap-bits"]
