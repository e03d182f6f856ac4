"""Backend 'gpu' against the limits of its own card, measured in the same run.

    python benchmarks/gpu.py [--write] [--repeats 5]

Quenches: bytes of couplings that flips stream, per second of the kernel, against the rate at which the card reads one
large array (N = 4000 in 16 bits may live in the second-level cache, and then exceed it; N = 10000 does not).
Block-lazy sampling: operations of its matrix products per second of whole sweeps, walks included, against one large
product of the same types.  Times are those of the card between two events; medians of runs in turn.  `--write` appends
rows to benchmarks/results/gpu.md.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import harness
import numpy as np

from numerics import rng
from numerics.backends import device as devices
from numerics.backends import gpu, gpu_dense
from numerics.disorder import draw
from numerics.interactions import Interactions, from_matrix, interactions
from theory.ensembles import IidPatterns
from theory.errors import InvalidInput, MissingExtra

HEAD = """# Backend 'gpu'

Made by `python benchmarks/gpu.py --write`; its head says what is compared. Goals: 60 % of the read bandwidth,
50 % of the product rate.

| date | card | what | N | replicas | ms | rate | limit in this run | share |
|---|---|---|---|---|---|---|---|---|
"""
READ = 2**31  # bytes of the array that is read
SQUARE = 8192  # size of the large product
# The last entry: shuffles in shared memory, whatever room that leaves for other blocks, or the automatic choice.
QUENCHES = (
    (4000, 1056, "random", False),
    (4000, 1056, "random", True),
    (4000, 1056, "sequential", False),
    (10_000, 1056, "random", False),
)
LAZY = ((4000, 2048, "halves"), (4000, 8192, "halves"), (10_000, 8192, "halves"), (10_000, 8192, "bytes"))
SWEEPS = 3

Timer = Callable[[Callable[[], object]], float]


@dataclass
class Case:
    """One thing to time: `run` returns its seconds, `amount` what it moved or calculated meanwhile."""

    run: Callable[[], float]
    amount: Callable[[], float]


def rows(
    repeats: int,
    *,
    device: Any = None,
    timer: Timer | None = None,
    card: str | None = None,
    quenches: tuple[tuple[int, int, str, bool], ...] = QUENCHES,
    lazy: tuple[tuple[int, int, str], ...] = LAZY,
    read: int = READ,
    square: int = SQUARE,
) -> Iterator[str]:
    """Rows of the table; the options let a test run it small and without a card."""
    device, timer = device or devices.cuda(), timer or by_events
    card = card or _card()
    for N, R, order, shared in quenches:
        limit, case = reading(device, timer, read), quenching(device, timer, N, R, order, shared)
        where = ", shuffled in shared memory" if shared else ""
        yield _row(card, f"quench, {order} order{where}", N, R, repeats, limit, case, 1e12, "TB/s")
    for N, R, mode in lazy:
        limit, case = multiplying(device, timer, square, mode), sampling(device, timer, N, R, mode)
        yield _row(card, f"block-lazy, {mode}", N, R, repeats, limit, case, 1e12, "T op/s")


def _row(card: str, what: str, N: int, R: int, repeats: int, limit: Case, case: Case, unit: float, name: str) -> str:
    times: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        for one, found in zip((limit, case), times, strict=True):
            seconds = one.run()
            if repeat:  # the first round compiles
                found.append(seconds)
    best, ours = (one.amount() / statistics.median(t) / unit for one, t in zip((limit, case), times, strict=True))
    milliseconds = 1e3 * statistics.median(times[1])
    share = f"{100 * ours / best:.0f} %"
    return f"| {card} | {what} | {N} | {R} | {milliseconds:.4g} | {ours:.3g} {name} | {best:.3g} | {share} |"


def reading(device: Any, timer: Timer, size: int) -> Case:
    """Read one large array."""
    words = device.zeros((size // 4,), np.float32)
    return Case(lambda: timer(lambda: words.sum()), lambda: float(size))


def multiplying(device: Any, timer: Timer, size: int, mode: str) -> Case:
    """Multiply two square matrices of the types of a block-lazy step."""
    kind, made = (np.float16, np.float32) if mode == "halves" else (np.int8, np.int32)
    a, b, out = device.zeros((size, size), kind), device.zeros((size, size), kind), device.empty((size, size), made)
    # Zeros draw less power, and so run faster, than what is really multiplied: +-1.
    signs = rng.signs(rng.stream("product"), rows=size, columns=size).astype(kind)
    a[:], b[:] = device.put(signs), device.put(signs)
    return Case(lambda: timer(lambda: device.product(a, b, out)), lambda: 2.0 * size**3)


class Watched:
    """A device whose launches of one kernel are timed."""

    def __init__(self, device: Any, timer: Timer, program: str) -> None:
        self.device, self.timer, self.program, self.seconds = device, timer, program, 0.0
        self.shared_memory: int = device.shared_memory

    def launch(self, program: str, kernel: str, **options: Any) -> None:
        """See numerics.backends.device.Device."""
        if program == self.program:
            self.seconds = self.timer(lambda: self.device.launch(program, kernel, **options))
        else:
            self.device.launch(program, kernel, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.device, name)


def _couplings(N: int, P: int) -> Interactions:
    return interactions(draw(IidPatterns(), N=N, P=P), engine="dense-int16")


def _keys(R: int) -> np.ndarray:
    return np.stack([rng.stream("gpu", r) for r in range(R)])


def quenching(device: Any, timer: Timer, N: int, R: int, order: str, shared: bool) -> Case:
    """Quench R random starts; the kernel alone is timed, with its shuffles and searches."""
    couplings = _couplings(N, N // 5)
    starts, keys = rng.signs(rng.stream("starts"), rows=R, columns=N), _keys(R)
    dense = gpu_dense.uploaded(device, couplings)
    flips = 0

    def run() -> float:
        nonlocal flips
        watched = Watched(device, timer, "quench")
        watched.shared_memory *= gpu_dense.BLOCKS if shared else 1
        there = gpu_dense.Dense(watched, dense.matrix, N, dense.parity, dense.largest, dense.field_dtype)
        flips = int(gpu_dense.quench(there, starts, keys, order=order, tie="keep", max_sweeps=10_000)[2].sum())
        return watched.seconds

    return Case(run, lambda: float(flips) * dense.pitch * 2)


def sampling(device: Any, timer: Timer, N: int, R: int, mode: str) -> Case:
    """Make some hot sweeps of R walkers; upload and the split of couplings are left out, all else is timed."""
    couplings = _couplings(N, N // 10)
    if mode == "bytes":  # beyond what half precision holds
        assert couplings.matrix is not None
        couplings = from_matrix(100 * couplings.matrix, normalisation=100.0 * N)
    starts, keys = rng.signs(rng.stream("starts"), rows=R, columns=N), _keys(R)
    walkers = gpu.walkers(couplings, starts, variant="lazy", device=device)
    assert isinstance(walkers, gpu_dense.DenseWalkers)
    if walkers.mode() != mode:
        raise InvalidInput(f"couplings at N = {N} are sampled by '{walkers.mode()}', not '{mode}'; give other sizes.")
    products = 1 if mode == "halves" else gpu_dense.planes(couplings.largest)
    done = 0

    def run() -> float:
        nonlocal done
        done += SWEEPS
        options: dict[str, Any] = {"algorithm": "metropolis", "beta": np.full(R, 0.5), "keys": keys, "sweeps": SWEEPS}
        return timer(lambda: gpu.advance(walkers, first_sweep=done, **options))

    return Case(run, lambda: 2.0 * SWEEPS * products * N * N * R)


def by_events(work: Callable[[], object]) -> float:
    """Seconds on the card from the start to the end of `work`."""
    import cupy

    began, ended = cupy.cuda.Event(), cupy.cuda.Event()
    began.record()
    work()
    ended.record()
    ended.synchronize()
    return 1e-3 * float(cupy.cuda.get_elapsed_time(began, ended))


def _card() -> str:
    import cupy

    return str(cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode())


if __name__ == "__main__":
    try:
        devices.require()
    except (MissingExtra, InvalidInput) as error:
        print(f"nothing measured: {error}")
        sys.exit(0)
    harness.run("gpu", HEAD, rows, repeats=5, about=__doc__)
