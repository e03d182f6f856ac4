"""Phase diagrams of vector Hopfield networks for d = 1, 3, 5, 10, 50, and their capacity at T = 0."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from paper_figures.nicoletti2025.published import CAPACITY, FIRST_ORDER, SPINODAL
from paper_figures.plan import Measured, Point, Results, Simulation, Sizes, Spec
from paper_figures.style import PUBLISHED, shade
from paper_figures.vectors import LineOf, line_of
from theory.models.vector_hopfield import VectorHopfield

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "In the loads d P/N and temperatures d T the retrieval phases (their Fig. 3) hardly depend on d. Published "
    "spinodals agree to the 4e-4 of their grid and capacities to their 4 digits; published first-order lines are up to "
    "2.7 % low, by interpolation: the crossing of the published free energies is ours. The loads at which half "
    "of the simulated samples lose the pattern at T = 0 approach the capacity from above."
)
COST = "redraw: 3 s; lines and simulations anew: 10 min of one core; --quick: 6 min"
TOLERANCE = "published: as said; simulated transitions: 3 standard errors at the largest N"

FULL: Sizes = {500: 48, 1000: 24, 2000: 12}
QUICK: Sizes = {200: 6, 400: 6}

_COLOURS = {1: "#000000", 3: "#0072B2", 5: "#009E73", 10: "#D55E00", 50: "#CC79A7"}
_TEMPERATURES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_RE_ENTRANT = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # d = 1 is, near tau = 0.02
_COARSE = (0.0, 0.5)  # with --quick
_CAPACITIES = (1, 2, 3, 4, 5, 7, 10, 14, 24, 35, 50, 70, 100)
_FINE = 1000  # spins from which on lines have all their points
_SIMULATED = {
    2: (0.13, 0.14, 0.15, 0.16, 0.18, 0.2, 0.22),
    3: (0.13, 0.14, 0.15, 0.16, 0.18, 0.2, 0.22),
}  # d P/N


def spec(sizes: Sizes) -> Spec:
    """Lines, kept because points at tau > 0 take seconds; capacities; and simulations across them at T = 0."""
    simulations: dict[str, list[Measured]] = {}
    for d in _COLOURS:
        fine = _RE_ENTRANT if d == 1 else _TEMPERATURES
        values = fine if max(sizes) >= _FINE else _COARSE
        simulations[f"spinodal {d}"] = [LineOf(VectorHopfield(d=d), "spinodal", values)]
        simulations[f"first order {d}"] = [LineOf(VectorHopfield(d=d), "thermodynamic", values)]
    for d, loads in _SIMULATED.items():
        simulations[f"transition {d}"] = [
            Simulation(VectorHopfield(alpha=load / d, d=d), N, "example", samples, retrieved_above=0.6)
            for N, samples in sorted(sizes.items())
            for load in loads
        ]
    return Spec(
        predictions={f"capacity {d}": Point(VectorHopfield(d=d), "example") for d in _CAPACITIES},
        simulations=simulations,
        transitions=tuple(f"transition {d}" for d in _SIMULATED),
    )


def draw(results: Results) -> Figure:
    """Draw the lines of all d, and capacities in an inset."""
    figure = Figure(figsize=(3.4, 3.6))
    axes = figure.subplots()
    for d, colour in _COLOURS.items():
        for line, style in (("spinodal", "-"), ("first order", "--")):
            (record,) = results.records[f"{line} {d}"]
            loads, temperatures = line_of(record)
            x, y = _smooth(d * loads, temperatures)
            axes.plot(x, y, style, color=colour, linewidth=1.2 if line == "spinodal" else 0.8)
        for curves, marker in ((SPINODAL, "x"), (FIRST_ORDER, "+")):
            if d in curves:
                axes.plot(
                    curves[d].x, curves[d].y, marker, color=colour, markersize=3, markeredgewidth=0.6, linestyle=""
                )
    load = np.linspace(0.0, 0.19, 100)
    for d, colour in _COLOURS.items():
        axes.plot(load, 1.0 + np.sqrt(load) / d, "-.", color=colour, linewidth=0.7)
    axes.set(
        xlabel=r"scaled load  $d\alpha = dP/N$", ylabel=r"temperature  $\tau = dT$", xlim=(0.0, 0.19), ylim=(0.0, 1.45)
    )
    _capacities(axes.inset_axes((0.59, 0.375, 0.38, 0.265)), results)
    figure.legend(handles=_handles(results), loc="outside upper center", ncols=3, fontsize=6.5)
    return figure


def _smooth(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A curve through the points and the end of all lines, zero load at tau = 1, where sqrt(load) is nearly linear."""
    dense = np.linspace(0.0, 1.0, 200)
    root = PchipInterpolator(np.append(y, 1.0), np.append(np.sqrt(x), 0.0))(dense)
    return root**2, dense


def _capacities(axes: Axes, results: Results) -> None:
    """d alpha_c against d: theory, its law for large d, published values, and where half of the samples fail."""
    d = np.array(_CAPACITIES)
    axes.plot(d, [k * results.predictions[f"capacity {k}"] for k in _CAPACITIES], color="black", linewidth=0.9)
    axes.plot(d[d >= 3], 4 / 27 + 2 / (81 * d[d >= 3]), ":", color="black", linewidth=0.8)
    axes.plot(CAPACITY.x, CAPACITY.y, "x", color=PUBLISHED, markersize=3)
    for k in _SIMULATED:
        found = results.transitions[f"transition {k}"]
        if found is None:
            continue
        for j, crossing in enumerate(found.crossings):
            look = {**shade("#D55E00", j, len(found.crossings)), "markersize": 2.2}
            axes.errorbar(k, k * crossing.value, yerr=k * crossing.error, **look)
    axes.set_xscale("log")
    axes.set(ylim=(0.135, 0.187))
    axes.tick_params(labelsize=6, pad=1.5)
    axes.set_xlabel("$d$", fontsize=6.5, labelpad=0)
    axes.set_title(r"$d\alpha_c$ at $T=0$", fontsize=6.5, pad=2)


def _handles(results: Results) -> list[Line2D]:
    found = {c.N for t in results.transitions.values() if t is not None for c in t.crossings}
    sizes = ", ".join(str(N) for N in sorted(found))
    handles = [Line2D([], [], color=c, label=f"$d={d}$") for d, c in _COLOURS.items()]
    handles += [
        Line2D([], [], color="black", label="spinodal"),
        Line2D([], [], color="black", linestyle="--", linewidth=0.8, label="first order"),
        Line2D([], [], color="black", linestyle="-.", linewidth=0.7, label=r"$\tau_g=1+\sqrt{\alpha/d}$"),
        Line2D([], [], color=PUBLISHED, linestyle="", marker="x", markersize=3, label="published spinodal"),
        Line2D([], [], color=PUBLISHED, linestyle="", marker="+", markersize=3.5, label="published first order"),
        Line2D([], [], color="#D55E00", linestyle="", marker="o", markersize=2.5, label=f"half lost, $N={sizes}$"),
        Line2D([], [], color="black", linestyle=":", linewidth=0.8, label="$4/27+2/81d$"),
    ]
    return handles
