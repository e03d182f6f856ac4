"""Time scales of training against the number of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.plan import Results, Sizes, Spec
from paper_figures.scores import ScaleLines, ScoreOf, scale_of
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, PUBLISHED, shade

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "tau_gen does not grow with the number of samples n, while memorisation begins (tau_mem,1, noise modes) and ends "
    "(tau_mem,3, hidden modes) at times that grow with n, in proportion to it for psi_p >> psi_n >> 1. The best time "
    "to stop grows more slowly. Published: tau_gen independent of n, tau_mem proportional to n; tau_mem,3 is ours, and "
    "its line ends where hidden and noise modes merge. Simulated scales, from extreme eigenvalues, approach the edges "
    "as d^{-2/3}."
)
COST = "redraw: 10 s; simulations anew: 4 min of one core; --quick: 10 s"
TOLERANCE = "simulated scales: 10 Tracy-Widom units of the edge; tau_opt: 2 %"

FULL: Sizes = {50: 8, 100: 4}
QUICK: Sizes = {25: 4}
POINT = (64.0, 0.01)

_SAMPLES = (2.0, 4.0, 8.0, 16.0, 32.0)
_LINE = tuple(float(f"{x:.6g}") for x in np.geomspace(1.2, 100.0, 31))
_WIDE = 1e6
_SCALES = {
    "tau_mem_3": (MIXTURE[3], r"$\tau_\mathrm{mem,3}$"),
    "tau_mem_1": (EXAMPLE, r"$\tau_\mathrm{mem,1}$"),
    "tau_gen": (FEATURE, r"$\tau_\mathrm{gen}$"),
}


def spec(sizes: Sizes) -> Spec:
    """Lines at psi_p = 64 and for a very wide network, and the trainings of the figure of losses."""
    psi_p, t = POINT
    predictions = {"64": ScaleLines(psi_p, t, _LINE, optimum=True), "wide": ScaleLines(_WIDE, t, _LINE[::3])}
    simulations: dict[str, list[Any]] = {
        f"{n:g}": [ScoreOf(psi_p, n, t, d, samples) for d, samples in sorted(sizes.items())] for n in _SAMPLES
    }
    return Spec(predictions, simulations)


def draw(results: Results) -> Figure:
    """Draw all scales in one panel."""
    figure = Figure(figsize=(3.4, 3.3))
    axes = figure.subplots()
    found, best = results.predictions["64"]
    wide, _ = results.predictions["wide"]
    sizes = sorted({r.N for group in results.records.values() for r in group})
    for name, (colour, label) in _SCALES.items():
        axes.plot(found.psi_n, getattr(found, name), color=colour, label=label)
        axes.plot(wide.psi_n, getattr(wide, name), ":", color=colour, linewidth=0.9)
        for group in results.records.values():
            for record in group:
                at = scale_of(record, name)
                if at is not None:
                    look = shade(colour, sizes.index(record.N), len(sizes))
                    axes.errorbar(record.loads["psi_n"], at[0], yerr=np.nan_to_num(at[1]), **look)
    axes.plot(found.psi_n, best, color="#000000", label=r"$\tau_\mathrm{opt}$")
    for group in results.records.values():
        for record in group:
            if "tau_opt" in record.measurements:
                m = record["tau_opt"]
                look = shade("#000000", sizes.index(record.N), len(sizes))
                axes.errorbar(record.loads["psi_n"], m.value, yerr=np.nan_to_num(m.error), **look)
    n = np.array([2.0, 20.0])
    axes.plot(n, 1e5 * n, color=PUBLISHED, linewidth=0.7)
    axes.text(4.0, 7e5, r"published: $\propto n$", ha="center", color=PUBLISHED, fontsize=7, rotation=20)
    axes.set(xscale="log", yscale="log", xlim=(1.2, 100.0), ylim=(30.0, 5e6))
    axes.set(xlabel=r"samples per dimension  $\psi_n=n/d$", ylabel=r"training time  $\tau$")
    axes.set_title(r"tanh, $t=0.01$", loc="left", pad=3)
    figure.legend(handles=_handles(sizes), loc="outside upper center", ncols=4, fontsize=6.5)
    return figure


def _handles(sizes: list[int]) -> list[Line2D]:
    found = [Line2D([], [], color=colour, label=label) for colour, label in _SCALES.values()]
    found.append(Line2D([], [], color="black", label=r"$\tau_\mathrm{opt}$"))
    found.append(Line2D([], [], color=PUBLISHED, label=r"$\psi_p=64$"))
    found.append(Line2D([], [], color=PUBLISHED, linestyle=":", linewidth=0.9, label=r"$\psi_p=10^6$"))
    for k, d in enumerate(sizes):
        look = shade("black", k, len(sizes))
        found.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$d={d}$")
        )
    return found
