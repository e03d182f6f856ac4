"""Building exact couplings against a matrix product, and never building them.

    OPENBLAS_NUM_THREADS=1 python benchmarks/couplings.py [--write]

*Building*: N J of +-1 patterns by counting differing bits, packing included, against NumPy's single-precision product
X.T @ X of the same patterns (which is exact here too, P < 2^24).  *Overlap form*: a quench from a random configuration
with packed patterns against one with N J, N J being there already; both must end in the same state.
"""

from __future__ import annotations

from collections.abc import Iterator

import harness
import numpy as np

from numerics import rng
from numerics.couplings import hebbian
from numerics.disorder import draw, pattern_blocks
from numerics.dynamics import quench
from numerics.interactions import interactions
from theory.ensembles import IidPatterns

HEAD = """# Couplings: exact counting against a matrix product, and the overlap form against both

One thread, medians of alternating runs. Made by `python benchmarks/couplings.py --write`.

| date | processor | what | N | P | there (ms) | here (ms) | ratio | rate in this run |
|---|---|---|---|---|---|---|---|---|
"""


def building(N: int, P: int, repeats: int) -> str:
    """Counting bits against a product."""
    sample = draw(IidPatterns(), N=N, P=P)
    X = np.concatenate([block for _, block in pattern_blocks(sample, rows=1024)]).astype(np.float32)
    exact = X.T @ X
    np.fill_diagonal(exact, 0.0)
    if not np.array_equal(exact, hebbian(sample)):
        raise SystemExit("the two matrices differ; the comparison is void")
    product, operations = harness.gemm_rate(2000)
    functions = {"here": lambda: hebbian(sample), "there": lambda: X.T @ X, "gemm": product}
    seconds = harness.alternate(functions, repeats=repeats)
    return (
        f"| {harness.processor()} | building, float32 X.T @ X | {N} | {P} | {1e3 * seconds['there']:.3g} "
        f"| {1e3 * seconds['here']:.3g} | {seconds['there'] / seconds['here']:.1f} "
        f"| sgemm {operations / seconds['gemm'] / 1e9:.0f} GFLOP/s |"
    )


def overlap_form(N: int, P: int, engine: str, repeats: int) -> str:
    """Packed patterns against N J that is there already."""
    sample = draw(IidPatterns(), N=N, P=P)
    packed, dense = (interactions(sample, engine=e) for e in ("overlap-bits", engine))
    assert dense.matrix is not None
    start = rng.signs(rng.stream("benchmark"), rows=1, columns=N)[0]
    if not np.array_equal(quench(packed, start).spins, quench(dense, start).spins):
        raise SystemExit("the two engines end in different states; the comparison is void")
    read, amount = harness.read_bandwidth(dense.matrix)
    functions = {"here": lambda: quench(packed, start), "there": lambda: quench(dense, start), "read": read}
    seconds = harness.alternate(functions, repeats=repeats)
    return (
        f"| {harness.processor()} | overlap form, {engine} | {N} | {P} | {1e3 * seconds['there']:.3g} "
        f"| {1e3 * seconds['here']:.3g} | {seconds['there'] / seconds['here']:.1f} "
        f"| read {amount / seconds['read'] / 1e9:.3g} GB/s |"
    )


def rows(repeats: int) -> Iterator[str]:
    """Rows of the table."""
    yield building(4000, 4000, repeats)
    yield building(4000, 400, repeats)
    for engine in ("dense-int16", "dense-int8"):
        yield overlap_form(10_000, 100, engine, repeats)


if __name__ == "__main__":
    harness.run("couplings", HEAD, rows, repeats=5, about=__doc__)
