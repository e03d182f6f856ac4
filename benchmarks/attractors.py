"""Descent of ten thousand memories of the size of digits to their attractors, and the barriers between these.

    OPENBLAS_NUM_THREADS=2 python benchmarks/attractors.py [--repeats 1] [--write]

Memories: scikit-learn's digits, pixels scaled to 0...1, drawn with replacement, plus noise of standard deviation 0.15.
The floor is one pass of the softmax over all memories from all of them, measured in the same run; the barriers are what
the command adds that takes time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import harness
import numpy as np

from numerics.diffusion.attractors import attractors
from numerics.diffusion.barriers import barriers
from numerics.diffusion.data import read_data
from numerics.diffusion.energy import softmax
from numerics.diffusion.memories import memories

HEAD = """# Attractors of 10,000 memories in 64 dimensions

Digits with noise 0.15, from every memory to machine precision; medians. Made by
`OPENBLAS_NUM_THREADS=2 python benchmarks/attractors.py --write`.

| date | processor | sigma | attractors | descent, wall (s) | CPU (s) | passes of softmax | barriers, wall (s) |
|---|---|---|---|---|---|---|---|
"""


def rows(repeats: int) -> Iterator[str]:
    """Rows of the table."""
    generator = np.random.default_rng(0)
    images = read_data("digits")
    points = images[generator.integers(0, len(images), 10_000)] + 0.15 * generator.standard_normal((10_000, 64))
    known = memories(points)
    attractors(known, 0.5, starts=points[:50])  # compiles what has to be compiled
    for sigma in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0):
        wall, cpu, floor, walls = [], [], [], []
        for _ in range(repeats):
            used = time.process_time()
            softmax(known, points, sigma)
            middle, between = time.perf_counter(), time.process_time()
            found = attractors(known, sigma)
            end = time.perf_counter()
            cpu.append(time.process_time() - between)
            barriers(known, found)
            wall.append(end - middle)
            walls.append(time.perf_counter() - end)
            floor.append(between - used)
        if not found.converged.all():
            raise SystemExit(f"{int((~found.converged).sum())} descents did not converge at sigma = {sigma:g}")
        seconds = float(np.median(cpu))
        yield (
            f"| {harness.processor()} | {sigma:g} | {len(found)} | {np.median(wall):.1f} | {seconds:.1f} "
            f"| {seconds / float(np.median(floor)):.1f} | {np.median(walls):.1f} |"
        )


if __name__ == "__main__":
    harness.run("attractors", HEAD, rows, repeats=1, about=__doc__)
