"""Stability of replica symmetry: the replicon at T = 0 for d >= 3, and the AT lines of d = 1 and 2."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from numerics.curves import Curves
from paper_figures.nicoletti2025.at_line import LowTemperatureLine
from paper_figures.nicoletti2025.published import AT_LINE, REPLICON
from paper_figures.plan import Branch, Line, Prediction, Results, Sizes, Spec
from paper_figures.style import PUBLISHED, letter, shade
from paper_figures.vectors import MinimaOf, smoothed
from theory.minima import hessian_law
from theory.models.vector_hopfield import VectorHopfield
from theory.vector_sites import power_orders

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "replicon_of", "spec"]

CLAIM = (
    "The published replicons of retrieval at T = 0 (their Fig. 2) are ours to 1e-8, and simulated Hessians at d = 3 "
    "agree: the mean of lambda^-2 is E r^-2/Lambda. The published AT line of d = 1 is the asymptote for tau -> 0 of "
    "ours; that of d = 2 has half the exponent: ours is exp(-18.6) at the load where it is exp(-11.4)."
)
COST = "redraw: 10 s; simulations anew: 2 min of one core; --quick: 15 s"
TOLERANCE = "published replicons: 1e-8; simulations at the largest N: 4 standard errors plus a correction O(1/P)"

FULL: Sizes = {400: 24, 800: 12}
QUICK: Sizes = {200: 4}

_COLOURS = {3: "#0072B2", 5: "#009E73", 10: "#D55E00", 50: "#CC79A7"}
_SIMULATED = {3: (0.06, 0.09, 0.12)}  # d P/N
_AT_LOADS = {1: tuple(np.linspace(0.06, 0.1378, 14)), 2: tuple(np.linspace(0.1445, 0.1507, 12))}  # d P/N


def spec(sizes: Sizes) -> Spec:
    """Branches at T = 0, AT lines, and Hessians of simulated minima."""
    predictions: dict[str, Prediction] = {
        f"d {d}": Branch(VectorHopfield(d=d), "example", "alpha", (1e-5, 0.2)) for d in _COLOURS
    }
    predictions["AT"] = Line(VectorHopfield(d=1), "example", "temperature", "alpha", _AT_LOADS[1], line="at")
    for d, loads in _AT_LOADS.items():
        predictions[f"AT {d}"] = LowTemperatureLine(d, tuple(load / d for load in loads))
    simulations = {
        f"d {d}": [
            MinimaOf(VectorHopfield(alpha=load / d, d=d), N, "example", samples)
            for N, samples in sorted(sizes.items())
            for load in loads
            if load / d * N >= 2.0
        ]
        for d, loads in _SIMULATED.items()
    }
    return Spec(predictions, simulations)


def draw(results: Results) -> Figure:
    """Draw the replicon against the load, and minus the logarithm of AT temperatures."""
    figure = Figure(figsize=(7.0, 2.9))
    first, second = figure.subplots(1, 2)
    for d, colour in _COLOURS.items():
        _replicon(first, d, colour, results)
    first.set(
        xlabel=r"scaled load  $d\alpha = dP/N$", ylabel=r"replicon  $\Lambda$", xlim=(0.0, 0.16), ylim=(0.0, 1.02)
    )
    first.set_title(r"(a)  retrieval at $T=0$", loc="left", pad=3)
    first.legend(handles=_handles(results), loc="center left", ncols=2, fontsize=6.5)
    _at_lines(second, results)
    second.set_title(r"(b)  AT lines of $d=1$ and 2", loc="left", pad=3)
    return figure


def _replicon(axes: Axes, d: int, colour: str, results: Results) -> None:
    followed = results.predictions[f"d {d}"]
    for load, value, looks in smoothed(followed, followed.replicon):
        axes.plot(d * load, value, color=colour, **looks)
    if d in REPLICON:
        axes.plot(d * np.array(REPLICON[d].x), REPLICON[d].y, "x", color=PUBLISHED, markersize=3.5, zorder=4)
    records = results.records.get(f"d {d}", [])
    sizes = sorted({r.N for r in records})
    for k, N in enumerate(sizes):
        here = [r for r in records if r.N == N]
        values = [replicon_of(r) for r in here]
        axes.errorbar(
            [d * r.loads["alpha"] for r in here],
            [v[0] for v in values],
            yerr=np.nan_to_num([v[1] for v in values]),
            **{**shade(colour, k, len(sizes)), "linestyle": ""},
        )


def replicon_of(record: Curves) -> tuple[float, float]:
    """The replicon that the mean inverse square of simulated eigenvalues amounts to, and its error.

    ``mean of lambda^-2 = E r^-2/Lambda``, with the average over cavity fields of the theory at the realised load.
    """
    model = VectorHopfield(alpha=record.loads["alpha"], d=record.parameters["d"])
    cavity = hessian_law(model, "example").fields.cavity
    mean = power_orders(model.d, -2, [(0, 0)], np.array([cavity.m]), np.array([cavity.sigma**2]))[0][0]
    measured = record["inverse_square"]
    value = float(mean) / measured.value
    return value, value * measured.error / measured.value


def _at_lines(axes: Axes, results: Results) -> None:
    colours = {1: "#000000", 2: "#E69F00"}
    exact = results.predictions["AT"]
    axes.plot(exact.along_values, -np.log10(exact.values), color=colours[1], label="$d=1$")
    for d, loads in _AT_LOADS.items():
        dashed, width = ("--", 0.9) if d == 1 else ("-", 1.2)
        label = r"$d=1$, $\tau\to0$" if d == 1 else r"$d=2$, $\tau\to0$"
        axes.plot(
            loads,
            -results.predictions[f"AT {d}"] / np.log(10.0),
            color=colours[d],
            label=label,
            linestyle=dashed,
            linewidth=width,
        )
        curve = AT_LINE[d]
        axes.plot(
            curve.x,
            -np.log10(curve.y),
            "x" if d == 1 else "+",
            color=PUBLISHED,
            markersize=4,
            label=f"published, $d={d}$",
        )
    axes.set(
        xlabel=r"scaled load  $d\alpha$", ylabel=r"$-\log_{10}\,\tau_{\rm AT}$", xlim=(0.055, 0.155), ylim=(0.0, 24.0)
    )
    axes.legend(loc="upper left", fontsize=6.5)
    letter(axes, "published $d=2$:\nhalf our exponent", x=0.6, y=0.5, fontsize=6.5)


def _handles(results: Results) -> list[Line2D]:
    handles = [Line2D([], [], color=c, label=f"$d={d}$") for d, c in _COLOURS.items()]
    handles.append(Line2D([], [], color=PUBLISHED, linestyle="", marker="x", markersize=3.5, label="published"))
    sizes = sorted({r.N for group in results.records.values() for r in group})
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        handles.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return handles
