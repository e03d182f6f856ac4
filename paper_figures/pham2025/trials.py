"""Trials that the figures of this paper declare, on the circle and on digits."""

from __future__ import annotations

from numerics.diffusion.generalisation import Trial
from numerics.diffusion.neural import Training
from numerics.diffusion.training_sets import Source

__all__ = ["CIRCLE", "DIGITS", "WIDE", "exact", "network"]

CIRCLE = Source("circle", None, 2, 1.0)

# scikit-learn's digits, so that drawing from records does not need them; a test compares.
DIGITS = Source("digits", 1797, 64, 2.16639708221)

WIDE = 0.6
"""Noise at which the exact score of digits, too, meets its crossover."""


def exact(source: Source, K: int, count: int, *, sigma: float | None = None) -> list[Trial]:
    """Exact score of `count` training sets of K points."""
    return [Trial(source, K, "exact", sigma=sigma, seed=seed) for seed in range(count)]


def network(source: Source, K: int, count: int, *, steps: int = 3000) -> list[Trial]:
    """Networks trained on `count` training sets of K points."""
    how = Training(steps=steps, width=128 if source.N == 2 else 192)
    return [Trial(source, K, "network", seed=seed, training=how) for seed in range(count)]
