"""Distance of scaled curves from each other."""

from __future__ import annotations

from typing import Any

from numerics.kernels.compile import kernel

__all__ = ["distance"]


@kernel
def distance(first: Any, x: Any, y: Any, error: Any) -> Any:
    """Return the sum over points of (y - Y)^2/(dy^2 + dY^2), and the number of points that have a Y.

    `first[c]` is the first point of curve c, rising in x.  Y is the value at x of the line through the two neighbours
    of x on every other curve that spans x, and dY its error.
    """
    total, terms = 0.0, 0
    curves = first.size - 1
    for own in range(curves):
        for i in range(first[own], first[own + 1]):
            k, kx, ky, kxx, kxy = 0.0, 0.0, 0.0, 0.0, 0.0
            for other in range(curves):
                low, high = first[other], first[other + 1] - 1
                if other == own or x[i] < x[low] or x[i] > x[high]:
                    continue
                while high - low > 1:
                    middle = (low + high) // 2
                    if x[middle] <= x[i]:
                        low = middle
                    else:
                        high = middle
                for j in (low, high):
                    weight = 1.0 / (error[j] * error[j])
                    u = x[j] - x[i]
                    k += weight
                    kx += weight * u
                    ky += weight * y[j]
                    kxx += weight * u * u
                    kxy += weight * u * y[j]
            determinant = k * kxx - kx * kx
            if determinant > 0.0:
                off = y[i] - (kxx * ky - kx * kxy) / determinant
                total += off * off / (error[i] * error[i] + kxx / determinant)
                terms += 1
    return total, terms
