"""One synchronous step at T = 0 as a denoiser, above saturation: maps, the loads they improve up to, simulation."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.plan import Prediction, Results, Sizes, Spec
from paper_figures.style import PUBLISHED, letter, shade
from paper_figures.vectors import ImprovingLoads, StepMap, StepOf
from theory.models.vector_hopfield import VectorHopfield

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "One step restores the more of a pattern the larger d (their Figs. 4-6), as Phi_d(m0 d/sqrt(alpha)) says and "
    "simulations confirm. The branch d = 1 of the published code has erf(m0/(2 sqrt(alpha))) for "
    "erf(m0/sqrt(2 alpha)), which simulation excludes. Small overlaps improve below alpha = c_d^2, which grows like "
    "d - 1/2."
)
COST = "redraw: 2 s; simulations anew: 4 min of one core; --quick: 5 s"
TOLERANCE = "simulations: 3 standard errors at each overlap"

FULL: Sizes = {1000: 64, 2000: 32}
QUICK: Sizes = {200: 4}

_ALPHA = 0.5
_COLOURS = {1: "#000000", 2: "#E69F00", 3: "#0072B2", 10: "#D55E00", 50: "#CC79A7"}
_OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9)
_SIMULATED = (1, 3, 10)
_LARGEST = (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64)


def spec(sizes: Sizes) -> Spec:
    """Maps of the theory, loads of no change, and simulated steps."""
    predictions: dict[str, Prediction] = {f"map {d}": StepMap(d, _ALPHA) for d in _COLOURS}
    predictions |= {f"star {d}": ImprovingLoads(d) for d in _COLOURS}
    simulations = {
        f"d {d}": [
            StepOf(VectorHopfield(alpha=_ALPHA, d=d), N, m0, samples)
            for N, samples in sorted(sizes.items())
            for m0 in _OVERLAPS
        ]
        for d in _SIMULATED
    }
    return Spec(predictions, simulations)


def draw(results: Results) -> Figure:
    """Draw maps, loads of no change against the overlap, and their limit for small overlaps."""
    figure = Figure(figsize=(7.0, 2.7))
    first, second, third = figure.subplots(1, 3)
    _maps(first, results)
    for d, colour in _COLOURS.items():
        overlaps, loads = results.predictions[f"star {d}"]
        second.plot(overlaps, loads / d, color=colour)
    grid = np.linspace(0.0, 1.0, 101)
    second.plot(grid, 1.0 - grid**2, ":", color="black", linewidth=0.9)
    second.set(xlabel="overlap  $m_0$", ylabel=r"$\alpha^*(m_0)/d$", xlim=(0, 1), ylim=(0, 1.03))
    second.set_title("(b)  load of no change", loc="left", pad=3)
    letter(second, r"dotted: $1-m_0^2$", x=0.97, y=0.96, ha="right", fontsize=6.5)
    dimensions = np.array(_LARGEST)
    third.plot(
        dimensions, [2.0 * math.exp(2.0 * (math.lgamma((k + 1) / 2) - math.lgamma(k / 2))) / k for k in _LARGEST], "k.-"
    )
    third.plot(dimensions, 1.0 - 0.5 / dimensions + 1.0 / (8.0 * dimensions**2), ":", color=PUBLISHED)
    third.set_xscale("log")
    third.set(xlabel="$d$", ylabel=r"$\tilde\alpha/d = c_d^2/d$", ylim=(0.6, 1.02))
    third.set_title(r"(c)  its limit for $m_0\to0$", loc="left", pad=3)
    letter(third, r"dotted: $d-\frac{1}{2}+\frac{1}{8d}$", x=0.97, y=0.2, ha="right", fontsize=6.5)
    figure.legend(handles=_handles(results), loc="outside upper center", ncols=8, fontsize=6.5)
    return figure


def _maps(axes: Axes, results: Results) -> None:
    for d, colour in _COLOURS.items():
        axes.plot(*results.predictions[f"map {d}"], color=colour)
    m = np.linspace(0.0, 1.0, 101)
    slip = [math.erf(x / (2.0 * math.sqrt(_ALPHA))) for x in m]
    axes.plot(m, slip, "--", color=PUBLISHED, linewidth=0.9)
    axes.plot(m, m, color="0.8", linewidth=0.6, zorder=0)
    for d in _SIMULATED:
        records = results.records[f"d {d}"]
        sizes = sorted({r.N for r in records})
        for k, N in enumerate(sizes):
            here = [r for r in records if r.N == N]
            axes.errorbar(
                [r["m0"].value for r in here],
                [r["m1"].value for r in here],
                yerr=[r["m1"].error for r in here],
                **{**shade(_COLOURS[d], k, len(sizes)), "linestyle": ""},
            )
    axes.set(xlabel="overlap before  $m_0$", ylabel="overlap after  $m_1$", xlim=(0, 1), ylim=(0, 1.03))
    axes.set_title(rf"(a)  one step at $\alpha={_ALPHA:g}$", loc="left", pad=3)


def _handles(results: Results) -> list[Line2D]:
    handles = [Line2D([], [], color=c, label=f"$d={d}$") for d, c in _COLOURS.items()]
    handles.append(Line2D([], [], color=PUBLISHED, linestyle="--", linewidth=0.9, label="published code, $d=1$"))
    sizes = sorted({r.N for r in results.records["d 1"]})
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        handles.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return handles
