"""What the figures of this paper share: colours of the classes, fractions against K, means over training sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from numerics.diffusion.classify import CLASSES
from numerics.diffusion.generalisation import Generalisation

__all__ = ["COLOURS", "MARKERS", "against", "class_handles", "fractions"]

Array = NDArray[np.float64]

COLOURS = dict(zip(CLASSES, ("#0072B2", "#D55E00", "#009E73"), strict=True))
MARKERS = dict(zip(CLASSES, "os^", strict=True))


def against(records: Sequence[Generalisation], name: str, *, least: int = 1) -> tuple[Array, Array, Array]:
    """K, mean of a measurement over training sets, and its standard error.

    The error is the larger of the scatter between training sets and what the errors within them leave.  Left out are
    measurements of fewer than `least` samples in all.
    """
    rows = []
    for K in sorted({r.K for r in records}):
        found = [r.measurements[name] for r in records if r.K == K and name in r.measurements]
        if sum(m.n for m in found) < least:
            continue
        value = np.array([m.value for m in found])
        within = math.sqrt(sum(m.error**2 for m in found if math.isfinite(m.error))) / len(found)
        between = float(value.std(ddof=1)) / math.sqrt(len(value)) if len(value) > 1 else 0.0
        rows.append((K, float(value.mean()), max(within, between)))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return columns[0], columns[1], columns[2]


def fractions(axes: Axes, records: Sequence[Generalisation], *, pale: bool = False, lines: bool = True) -> None:
    """Fractions of the classes against K: points for samples by distance, lines for attractors by barrier."""
    for name in CLASSES:
        look: dict[str, Any] = {"color": COLOURS[name], "alpha": 0.35 if pale else 1.0}
        K, value, error = against(records, name)
        axes.errorbar(K, value, yerr=error, fmt=MARKERS[name], linestyle=":", linewidth=0.6, elinewidth=0.8, **look)
        K, value, _ = against(records, f"basins {name}")
        if lines and len(K):
            axes.plot(K, value, **look)
    axes.set_xscale("log")
    axes.set(ylim=(-0.04, 1.04), xlabel="training points $K$")


def class_handles(*, lines: bool = True) -> list[Line2D]:
    """Entries of a legend."""
    out = [Line2D([], [], color=COLOURS[n], marker=MARKERS[n], linestyle="", label=n) for n in CLASSES]
    if lines:
        out += [
            Line2D([], [], color="gray", label="attractors, by barrier"),
            Line2D([], [], color="gray", linestyle=":", marker="o", label="samples, by distance"),
        ]
    return out
