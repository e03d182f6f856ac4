"""Grouping of points that coincide within a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel

__all__ = ["leaders"]


@kernel
def leaders(points: Any, order: Any, key: Any, tolerance: Any) -> Any:
    """Return for each of (B, N) `points` the index of its leader: a point without one leads all others so near.

    `order` sorts `key`, a coordinate that differs by no more than `tolerance` where the distance does not.
    """
    count, width = points.shape
    owner = np.full(count, -1, dtype=np.int64)
    limit = tolerance * tolerance
    for a in range(count):
        i = order[a]
        if owner[i] >= 0:
            continue
        owner[i] = i
        for b in range(a + 1, count):
            j = order[b]
            if key[j] - key[i] > tolerance:
                break
            if owner[j] >= 0:
                continue
            total = 0.0
            for k in range(width):
                d = points[i, k] - points[j, k]
                total += d * d
                if total > limit:
                    break
            if total <= limit:
                owner[j] = i
    return owner
