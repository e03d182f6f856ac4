"""Metropolis sweeps against dwave-samplers and openjij, and against the machine's own read bandwidth, in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/monte_carlo.py [--write]

All anneal the same Hopfield couplings along the same temperatures, visiting sites in order, on one thread. *Marginal*
is the time of one proposal at the last temperature, from the difference of a long and a short stay there, so that
building and setting up drop out; *end to end* is a whole annealing of one system from its patterns (here) or its
couplings (there) to the answer, everything included. Energies are means over independent runs, and must agree within
2 standard errors of their difference. Row traffic is the bytes of couplings of flipped spins (16 bits each) per second,
beside the rate at which the same matrix is read from end to end. Peers need the extra 'bench'. `--write` appends to
benchmarks/results/monte_carlo.md.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from harness import alternate, processor, read_bandwidth, run

from numerics import rng
from numerics.backends import cpu
from numerics.disorder import Sample, draw
from numerics.interactions import interactions
from numerics.montecarlo import anneal
from theory.ensembles import IidPatterns

HEAD = """# Metropolis sweeps at a temperature, against peers and against the memory

Hopfield model, one thread, medians of alternating runs. T is in units of sqrt(alpha), the width of the local fields.
Ratios are comparable between machines, times are not. Made by `python benchmarks/monte_carlo.py --write`.

| date | processor | what | N | alpha | T | flips per proposal | here | there | ratio | energies per spin |
|---|---|---|---|---|---|---|---|---|---|---|
"""
READS = 8  # independent runs whose energies are compared
WARM = 60  # temperatures on the way down

Energies = np.ndarray
Runner = Callable[[np.ndarray, int], tuple[float, Energies]]  # temperatures, runs -> seconds, energies per spin


def ours(sample: Sample, start: np.ndarray) -> Runner:
    """The kernel, with 8 bits a coupling."""
    system = interactions(sample, engine="dense-int8")

    def go(temperatures: np.ndarray, runs: int) -> tuple[float, Energies]:
        began = time.perf_counter()
        found = anneal(system, start[:runs], temperatures=temperatures)
        return time.perf_counter() - began, found.energies[-1]

    return go


def dwave(NJ: np.ndarray, start: np.ndarray) -> Runner:
    """The compiled annealer of dwave-samplers, without the time its Python needs to build a model."""
    from dwave.samplers.sa.simulated_annealing import simulated_annealing

    N = len(NJ)
    i, j = (index.astype(np.int32) for index in np.triu_indices(N, 1))
    weights = -NJ[i, j] / N

    def go(temperatures: np.ndarray, runs: int) -> tuple[float, Energies]:
        states = start[:runs].astype(np.int8).copy()
        began = time.perf_counter()
        _, energies = simulated_annealing(
            runs, np.zeros(N), i, j, weights, 1, 1.0 / temperatures, 5, states, False, "Metropolis", None
        )
        return time.perf_counter() - began, energies / N

    return go


def openjij(NJ: np.ndarray, start: np.ndarray) -> Runner:
    """The dense annealer of openjij, from its compiled module, likewise."""
    from openjij import cxxjij

    N = len(NJ)
    graph = cxxjij.graph.Dense(N)
    padded = np.zeros((N + 1, N + 1))  # its last row and column are external fields
    padded[:N, :N] = -NJ / N
    padded[N, N] = 1.0
    graph.set_interaction_matrix(padded)

    def go(temperatures: np.ndarray, runs: int) -> tuple[float, Energies]:
        seconds, energies = 0.0, []
        schedule = []
        for temperature in temperatures:
            step = cxxjij.utility.ClassicalSchedule()
            step.updater_parameter = cxxjij.utility.ClassicalUpdaterParameter(1.0 / temperature)
            step.one_mc_step = 1
            schedule.append(step)
        for r in range(runs):
            system = cxxjij.system.make_classical_ising(start[r].tolist(), graph)
            began = time.perf_counter()
            cxxjij.algorithm.Algorithm_SingleSpinFlip_run(system, 5 + r, schedule)
            seconds += time.perf_counter() - began
            s = np.asarray(cxxjij.result.get_solution(system), dtype=np.float64)
            energies.append(-0.5 * float(s @ (NJ @ s)) / N**2)
        return seconds, np.array(energies)

    return go


def marginal(runners: dict[str, Runner], temperature: float, width: float, sweeps: dict[str, int], repeats: int) -> Any:
    """Nanoseconds per proposal at the last temperature, and energies of READS runs, of each runner."""
    way = np.geomspace(4.0 * width, temperature, WARM)
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(repeats):
        for name, go in runners.items():
            stay = np.full(sweeps[name], temperature)
            short, long = go(way, 1)[0], go(np.concatenate([way, stay]), 1)[0]
            times[name].append((long - short) / sweeps[name])
    whole = np.concatenate([way, np.full(40, temperature)])
    return {name: statistics.median(t) for name, t in times.items()}, {
        n: go(whole, READS)[1] for n, go in runners.items()
    }


def against_peers(N: int, alpha: float, repeats: int) -> Iterable[str]:
    """Rows of marginal times, hot and cold, and of one annealing from end to end."""
    sample = draw(IidPatterns(), N=N, P=round(alpha * N))
    NJ = interactions(sample, engine="dense-int16").matrix
    assert NJ is not None
    start = rng.signs(rng.stream("benchmark"), rows=READS, columns=N)
    NJ = NJ.astype(np.float64)
    runners = {"here": ours(sample, start), "dwave-samplers": dwave(NJ, start), "openjij": openjij(NJ, start)}
    width = alpha**0.5
    for name, T, stay in (("hot", 1.0, 300), ("cold", 0.1, 4000)):
        sweeps = {"here": 3 * stay, "dwave-samplers": stay, "openjij": stay}
        times, energies = marginal(runners, T * width, width, sweeps, repeats)
        accepted = (
            anneal(
                interactions(sample, work="sampling"),
                start[:1],
                temperatures=np.concatenate([np.geomspace(4.0 * width, T * width, WARM), np.full(40, T * width)]),
            )
            .acceptance[-20:]
            .mean()
        )
        for peer in ("dwave-samplers", "openjij"):
            gap = energies["here"].mean() - energies[peer].mean()
            error = np.hypot(*(energies[n].std(ddof=1) / READS**0.5 for n in ("here", peer)))
            agree = "agree" if abs(gap) < 2 * error else "DIFFER"
            yield (
                f"| {processor()} | marginal, {name}, {peer} | {N} | {alpha:g} | {T:g} | {accepted:.3g} "
                f"| {1e9 * times['here'] / N:.3g} ns | {1e9 * times[peer] / N:.3g} ns "
                f"| {times[peer] / times['here']:.3g} "
                f"| {energies['here'].mean():.4f}, {energies[peer].mean():.4f} +- {error:.4f}: {agree} |"
            )


def end_to_end(N: int, alpha: float, sweeps: int, repeats: int) -> Iterable[str]:
    """One annealing with the public sampler of dwave-samplers, its model built from the couplings."""
    import dimod
    from dwave.samplers import SimulatedAnnealingSampler

    sample = draw(IidPatterns(), N=N, P=round(alpha * N))
    NJ = interactions(sample, engine="dense-int16").matrix
    assert NJ is not None
    start = rng.signs(rng.stream("benchmark"), rows=1, columns=N)
    temperatures = np.geomspace(4.0 * alpha**0.5, 0.1 * alpha**0.5, sweeps)
    last: dict[str, float] = {}

    def here() -> None:
        found = anneal(interactions(sample, work="sampling"), start, temperatures=temperatures)
        last["here"] = float(found.energies[-1, 0])

    def there() -> None:
        i, j = np.triu_indices(N, 1)
        model = dimod.BinaryQuadraticModel.from_numpy_vectors(np.zeros(N), (i, j, -NJ[i, j] / N), 0.0, "SPIN")
        found = SimulatedAnnealingSampler().sample(
            model,
            num_reads=1,
            beta_schedule_type="custom",
            beta_schedule=1.0 / temperatures,
            num_sweeps_per_beta=1,
            seed=5,
        )
        last["there"] = float(found.first.energy) / N

    times = alternate({"here": here, "there": there}, repeats=repeats)
    yield (
        f"| {processor()} | end to end, {sweeps} sweeps, dwave-samplers | {N} | {alpha:g} | 4 to 0.1 | "
        f"| {times['here']:.3g} s | {times['there']:.3g} s | {times['there'] / times['here']:.3g} "
        f"| {last['here']:.4f}, {last['there']:.4f} |"
    )


def row_traffic(N: int, alpha: float, T: float, repeats: int) -> str:
    """Bytes of flipped rows per second, against reading the same matrix."""
    system = interactions(draw(IidPatterns(), N=N, P=round(alpha * N)), engine="dense-int16")
    assert system.matrix is not None
    temperature = T * alpha**0.5
    start = rng.signs(rng.stream("benchmark"), rows=1, columns=N)
    warm = anneal(system, start, temperatures=np.geomspace(4.0 * temperature, temperature, 50), sweeps_each=2).spins
    walkers = cpu.walkers(system, warm)
    key, flips, sweeps = rng.stream("benchmark", "walk")[None], [0, 0], max(4, 400_000 // N)

    def sweep() -> None:
        options = {"algorithm": "metropolis", "beta": np.array([1.0 / temperature]), "keys": key, "threads": 1}
        flips[0] += int(cpu.advance(walkers, first_sweep=flips[1], sweeps=sweeps, **options)[0])
        flips[1] += sweeps

    read, amount = read_bandwidth(system.matrix)
    times = alternate({"sweep": sweep, "read": read}, repeats=repeats)
    rate = flips[0] / (flips[1] * N)
    moved, stream = rate * sweeps * N * 2 * N / times["sweep"], amount / times["read"]
    return (
        f"| {processor()} | row traffic against reading | {N} | {alpha:g} | {T:g} | {rate:.3g} "
        f"| {moved / 1e9:.3g} GB/s | {stream / 1e9:.3g} GB/s | {moved / stream:.2f} | |"
    )


def rows(repeats: int) -> Iterable[str]:
    """All rows of the table."""
    for N, alpha, T in ((4000, 0.1, 2.0), (4000, 0.1, 1.0), (4000, 1.0, 1.0), (10000, 0.1, 1.0)):
        yield row_traffic(N, alpha, T, 3 * repeats)
    yield from against_peers(4000, 0.1, repeats)
    yield from end_to_end(2000, 0.1, 1000, min(repeats, 3))


if __name__ == "__main__":
    run("monte_carlo", HEAD, rows, repeats=5, about=__doc__)
