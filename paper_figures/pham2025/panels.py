"""What the figures of this paper share: colours of the classes, fractions against K, means over training sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from numerics.diffusion.classify import CLASSES
from numerics.diffusion.generalisation import Generalisation
from numerics.diffusion.order import against

__all__ = ["COLOURS", "MARKERS", "against", "class_handles", "fractions", "per_class"]

Array = NDArray[np.float64]

COLOURS = dict(zip(CLASSES, ("#0072B2", "#D55E00", "#009E73"), strict=True))
MARKERS = dict(zip(CLASSES, "os^", strict=True))


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


def per_class(axes: Axes, records: Sequence[Generalisation], what: str, *, filled: bool = True, least: int = 5) -> None:
    """A measurement of every class against K, where at least so many samples were probed."""
    sizes = np.log(sorted({r.K for r in records}))
    beside = min(0.05, 0.15 * float(np.diff(sizes).min(initial=1.0)))  # classes of one K stay together
    for shift, name in enumerate(CLASSES):
        K, value, error = against(records, f"{what} {name}", least=least)
        look: dict[str, Any] = {"color": COLOURS[name], "linestyle": "-" if filled else "--"}
        axes.errorbar(
            K * np.exp(beside * (shift - 1)),
            value,
            yerr=error,
            fmt=MARKERS[name],
            markerfacecolor=COLOURS[name] if filled else "white",
            linewidth=0.6,
            elinewidth=0.7,
            **look,
        )


def class_handles(*, lines: bool = True) -> list[Line2D]:
    """Entries of a legend."""
    out = [Line2D([], [], color=COLOURS[n], marker=MARKERS[n], linestyle="", label=n) for n in CLASSES]
    if lines:
        out += [
            Line2D([], [], color="gray", label="attractors, by barrier"),
            Line2D([], [], color="gray", linestyle=":", marker="o", label="samples, by distance"),
        ]
    return out
