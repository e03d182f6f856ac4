"""Zero-temperature sweeps of vector spins against literal loops over an array of structures, and against sgemm.

    OPENBLAS_NUM_THREADS=1 python benchmarks/alignment.py [--write]

The literal loop computes the field of a spin when the spin is visited, `h[a] += J[i, j] * s[j, a]` over all others
(for tensor couplings `h[a] += J[i, j, a, b] * s[j, b]`), in float32 with sums in any order (fastmath).  For tensor
couplings there is also the literal loop over patterns, `h[a] += xi[i, mu, a] * M[mu]`.  All visit spins in the same
order and must end a sweep in the same state up to rounding.  Rates count a multiplication and an addition for each
number of a field: 2 N d per visit for a scalar matrix, 4 P d for tensors by overlaps (the field, and the overlaps
afterwards).  They are compared with the product of two square float32 matrices, with that of 64 rows and the spins, and
with what the bytes of a visit cost at the rate at which the same couplings are read from end to end, in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import harness
import numba
import numpy as np

from numerics import rng
from numerics.backends.cpu_alignment import Run
from numerics.vector_interactions import vector_interactions

HEAD = """# Zero-temperature dynamics of vector spins: literal loops, sgemm and the read bandwidth

One sweep in random order, float32, one thread; medians of alternating runs. Literal loops: over the matrix, and over the
patterns (tensors). Times are nanoseconds per visit; rates are GFLOP/s: here, of a square sgemm, of an sgemm of 64 rows of
couplings with the spins. Ratios are comparable between machines, times are not. Made by
`python benchmarks/alignment.py --write`.

| date | processor | kind | engine | N | d | P | matrix loop | pattern loop | here | ratio | ratio | here GFLOP/s | sgemm | its share | sgemm (64 rows) | its share | bytes at read rate |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501


@numba.njit(fastmath=True)
def turn(s, i, h):
    n = np.float32(0)
    for a in range(h.size):
        n += h[a] * h[a]
    n = np.float32(1) / np.sqrt(n)
    for a in range(h.size):
        s[i, a] = h[a] * n


@numba.njit(fastmath=True)
def scalar_loop(J, s, order):
    h = np.empty(s.shape[1], np.float32)
    for i in order:
        h[:] = 0
        for j in range(s.shape[0]):
            c = J[i, j]
            for a in range(h.size):
                h[a] += c * s[j, a]
        turn(s, i, h)


@numba.njit(fastmath=True)
def tensor_loop(J, s, order):
    h = np.empty(s.shape[1], np.float32)
    for i in order:
        h[:] = 0
        for j in range(s.shape[0]):
            for a in range(h.size):
                for b in range(h.size):
                    h[a] += J[i, j, a, b] * s[j, b]
        turn(s, i, h)


@numba.njit(fastmath=True)
def pattern_loop(xi, M, s, order):
    P, d = xi.shape[1:]
    h, old = np.empty(d, np.float32), np.empty(d, np.float32)
    for i in order:
        h[:] = 0
        for mu in range(P):
            own = np.float32(0)
            for a in range(d):
                own += xi[i, mu, a] * s[i, a]
            for a in range(d):
                h[a] += xi[i, mu, a] * (M[mu] - own)
        old[:] = s[i]
        turn(s, i, h)
        for mu in range(P):
            for a in range(d):
                M[mu] += xi[i, mu, a] * (s[i, a] - old[a])


def unit(name: str, *shape: int) -> np.ndarray:
    """Unit vectors in float32."""
    x = rng.gaussians(rng.stream("benchmark", name), rows=int(np.prod(shape[:-1])), columns=shape[-1]).reshape(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def row(kind: str, engine: str, N: int, d: int, P: int, repeats: int) -> str:
    """One row of the table."""
    X, start = unit("patterns", P, N, d), unit("spins", N, d)
    system = vector_interactions(X, kind=kind, engine=engine)  # couplings are there before the clock starts, for all
    order = rng.permutation(rng.stream("benchmark", "order"), N)
    run = Run(system, start.astype(float), "float32")
    functions: dict[str, Callable[[], object]] = {"here": lambda: run.sweep(order)}
    literal: dict[str, tuple[Callable[..., object], tuple[np.ndarray, ...]]] = {}
    if d <= 3:
        if kind == "scalar":
            dense = system if engine == "dense" else vector_interactions(X, kind=kind, engine="dense")
            literal["matrix"] = scalar_loop, (dense.couplings,)
        elif N <= 2000:
            dense = vector_interactions(X, kind=kind, engine="dense")
            literal["matrix"] = tensor_loop, (np.ascontiguousarray(dense.couplings.transpose(0, 3, 1, 2)),)
    if kind == "tensor":
        xi = np.ascontiguousarray(X.transpose(1, 0, 2))
        literal["patterns"] = pattern_loop, (xi, np.einsum("ima,ia->m", xi, start))
    run.sweep(order)
    for name, (loop, arrays) in literal.items():
        s = start.copy()
        loop(*arrays, s, order)
        if np.abs(s - run.spins()).max() > 1e-2:  # rounding of the weakest fields of a random start
            raise SystemExit(f"the loop over {name} ends elsewhere; the comparison is void")
        functions[name] = lambda loop=loop, arrays=arrays, s=s: loop(*arrays, s, order)
    functions["gemm"], operations = harness.gemm_rate(1024)
    some, out = np.ones((64, N), dtype=np.float32), np.empty((64, d), dtype=np.float32)
    times = max(1, N // 64)
    functions["64 rows"] = lambda: [np.matmul(some, start, out=out) for _ in range(times)]
    read_array = system.couplings if engine == "dense" else system.patterns
    assert read_array is not None
    functions["read"], amount = harness.read_bandwidth(read_array)
    seconds = harness.alternate(functions, repeats=repeats)
    here = seconds["here"] / N
    if engine == "dense":
        work = 2.0 * N * d
    else:
        work = 4.0 * P * d * (d if kind == "scalar" else 1)
    rates = work / here, operations / seconds["gemm"], 2.0 * 64 * N * d * times / seconds["64 rows"]
    loops = [seconds[name] / N if name in seconds else None for name in ("matrix", "patterns")]
    told = " | ".join("-" if t is None else f"{1e9 * t:.4g}" for t in loops)
    ratios = " | ".join("-" if t is None else f"{t / here:.3g}" for t in loops)
    floor = read_array.nbytes / N * seconds["read"] / amount
    return (
        f"| {harness.processor()} | {kind} | {engine} | {N} | {d} | {P} | {told} | {1e9 * here:.4g} | {ratios} "
        f"| {rates[0] / 1e9:.3g} | {rates[1] / 1e9:.3g} | {100 * rates[0] / rates[1]:.0f} % | {rates[2] / 1e9:.3g} "
        f"| {100 * rates[0] / rates[2]:.0f} % | {100 * floor / here:.0f} % |"
    )


def rows(repeats: int) -> Iterator[str]:
    """Rows of the table."""
    for N in (1000, 2000, 4000):
        for d in (2, 3):
            yield row("scalar", "dense", N, d, N // 10, repeats)
    for d in (2, 3):
        yield row("scalar", "overlap", 4000, d, 80, repeats)
    for N in (1000, 2000, 4000):
        for d in (2, 3):
            yield row("tensor", "overlap", N, d, round(0.06 * N / d), repeats)
    for N, d in ((2000, 16), (2000, 64), (4000, 64)):
        yield row("scalar", "dense", N, d, N // 20, repeats)
    for N in (1000, 4000):
        yield row("tensor", "overlap", N, 64, N // 50, repeats)


if __name__ == "__main__":
    harness.run("alignment", HEAD, rows, repeats=9, about=__doc__)
