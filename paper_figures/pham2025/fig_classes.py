r"""Critical time, basin volume and curvature of memorised, spurious and generalised samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from numerics.diffusion.classify import CLASSES
from numerics.diffusion.generalisation import Generalisation
from paper_figures.pham2025.panels import COLOURS, MARKERS, per_class
from paper_figures.pham2025.trials import CIRCLE, DIGITS, WIDE, exact, network
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import letter

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "Digits: memorised samples survive more noise than generalised ones, have larger basins and stiffer softest "
    "directions, by seven standard errors of ranks, for trained networks and exact scores alike; spurious ones are in "
    "between, or near one of the two.  On the circle generalised samples are the softest, but of the exact score a "
    "spurious well, of merged memories, is wider than a memorised one."
)
COST = "redraw: 3 s; networks and exact scores anew: 5 min of one core; --quick: 1 min"
TOLERANCE = "two standard errors over samples and training sets, where a class has samples at that K"

# Training sets per number of training points: those where classes coexist.
FULL: Sizes = {4: 3, 9: 3, 18: 3, 36: 3, 100: 3, 300: 2}
QUICK: Sizes = {12: 1, 60: 1}

_STEPS = 3000
_LOOK: dict[str, tuple[str, Literal["--", "-"]]] = {"exact": ("white", "--"), "network": ("gray", "-")}
_PANELS = {
    "t_c": r"critical time $t_c$",
    "log_volume": r"log basin volume",
    "curvature": "mean curvature",
}


def spec(sizes: Sizes) -> Spec:
    """Exact scores and networks on both data sets."""
    ring = {K: n for K, n in sizes.items() if K <= 100}
    images = {K: min(n, 2) for K, n in sizes.items() if K != 4}
    return Spec(
        simulations={
            "circle exact": [t for K, n in ring.items() for t in exact(CIRCLE, K, n)],
            "circle network": [t for K, n in ring.items() for t in network(CIRCLE, K, n, steps=_STEPS)],
            "digits exact": [t for K, n in images.items() for t in exact(DIGITS, K, n, sigma=WIDE)],
            "digits network": [t for K, n in images.items() for t in network(DIGITS, K, n, steps=_STEPS)],
        }
    )


def draw(results: Results) -> Figure:
    """Circle above, digits below; the spectra of digits in the last panel."""
    found = results.records
    figure = Figure(figsize=(7.0, 4.2))
    rows = figure.subplots(2, 3)
    for row, data in zip(rows, ("circle", "digits"), strict=True):
        for axes, (what, label) in zip(row, _PANELS.items(), strict=True):
            axes.set(xscale="log", xlabel="training points $K$", ylabel=f"{label}, {data}")
            if (what, data) == ("curvature", "digits"):
                _spectra(axes, found["digits exact"], found["digits network"])
                continue
            for score, filled in (("exact", False), ("network", True)):
                per_class(axes, found[f"{data} {score}"], what, filled=filled)
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in rows[:, 0]:
        axes.set_yscale("log")
    for axes, mark in zip(rows.ravel(), "abcdef", strict=True):
        corner = {"x": 0.97, "y": 0.05, "ha": "right", "va": "bottom"} if mark == "f" else {"x": 0.97, "ha": "right"}
        letter(axes, f"({mark})", **corner)
    handles = [Line2D([], [], color=COLOURS[n], marker=MARKERS[n], linestyle="", label=n) for n in CLASSES]
    for score, name in (("exact", "exact"), ("network", "trained network")):
        noise = " and ".join(f"{found[f'{data} {score}'][0].declared['sigma']:.2g}" for data in ("circle", "digits"))
        label = f"{name}, $\\sigma$ = {noise}"
        face, dashes = _LOOK[score]
        handles.append(
            Line2D([], [], color="gray", marker="o", markerfacecolor=face, linestyle=dashes, linewidth=0.7, label=label)
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _spectra(axes: Axes, exact: Sequence[Generalisation], network: Sequence[Generalisation]) -> None:
    """Eigenvalues in rising order, at the K where most classes are seen."""
    for records, dashes, score in ((exact, "--", "exact"), (network, "-", "network")):
        loads = sorted({r.K for r in records})
        K = max(loads, key=lambda K: (sum(len(r.spectra) for r in records if r.K == K), K))
        for name in CLASSES:
            rows = [r.spectra[name] for r in records if r.K == K and name in r.spectra]
            if rows:
                y = np.mean(rows, axis=0)
                axes.plot(np.arange(1, len(y) + 1), y, dashes, color=COLOURS[name], linewidth=0.9)
        axes.plot([], [], dashes, color="gray", linewidth=0.9, label=f"{score}, $K$ = {K}")
    axes.set(xlabel="number of the eigenvalue", ylabel="curvature, digits")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.12))
