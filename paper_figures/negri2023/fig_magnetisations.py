"""Overlaps with examples and features against alpha at two alpha_d: theory, growing N, published runs."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.negri2023 import published
from paper_figures.plan import Branch, Results, Simulation, Sizes, Spec
from paper_figures.style import EXAMPLE, FEATURE, branch_curve, letter, measured, shade
from theory.models.random_features import RandomFeatures

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "From a stored example the overlap falls, and from a feature it rises, at the spinodals of the theory as N grows; "
    "the published runs at N = 10000 agree. Outside its phase the dynamics ends in spin-glass states with a "
    "remanent overlap that replica theory of equilibrium states does not describe."
)
COST = "redraw: 4 s; simulations anew: 5 min of one core; --quick: 15 s"
TOLERANCE = "where all samples are retrieved: 3 standard errors plus a correction O(1/N)"

FULL: Sizes = {1000: 32, 2000: 16, 4000: 12, 8000: 8}
QUICK: Sizes = {1000: 6, 2000: 4}

# alpha_d: loads of the simulations from an example and from a feature.
_LOADS = {
    0.01: (
        (0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.012, 0.03),
        (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5),
    ),
    0.05: (
        (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.06),
        (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0),
    ),
}


def spec(sizes: Sizes) -> Spec:
    """Both branches at each alpha_d, and simulations from both starts."""
    predictions = {}
    simulations = {}
    for alpha_d, loads in _LOADS.items():
        for start, alphas in zip(("example", "feature"), loads, strict=True):
            name = f"{start} {alpha_d:g}"
            predictions[name] = Branch(RandomFeatures(alpha_d=alpha_d), start, "alpha", (1e-3, 3.0))
            simulations[name] = [
                Simulation(RandomFeatures(alpha=alpha, alpha_d=alpha_d), N, start, samples)
                for N, samples in sorted(sizes.items())
                for alpha in alphas
                if alpha * N >= 1.0
            ]
    return Spec(predictions, simulations)


def draw(results: Results) -> Figure:
    """Draw one panel per alpha_d."""
    figure = Figure(figsize=(3.4, 4.0))
    panels = figure.subplots(2, 1)
    for axes, alpha_d, name in zip(panels, _LOADS, "ab", strict=True):
        for start, colour in (("example", EXAMPLE), ("feature", FEATURE)):
            branch_curve(axes, results.predictions[f"{start} {alpha_d:g}"], "m", colour)
            measured(axes, results.records[f"{start} {alpha_d:g}"], colour, "m")
        axes.set(xscale="log", ylim=(-0.03, 1.06), ylabel="overlap  $m$")
        axes.set_title(rf"({name})  $\alpha_D={alpha_d:g}$", loc="left", pad=3)
    first, second = panels
    for curve, colour in ((published.EXAMPLE_OVERLAP, EXAMPLE), (published.FEATURE_OVERLAP, FEATURE)):
        first.plot(*zip(*curve.points, strict=True), "x", color=colour, markersize=3.5, markeredgewidth=0.9, zorder=4)
    first.set_xlim(9e-4, 1.1)
    second.set_xlim(3.6e-3, 3.0)
    second.set_xlabel(r"examples per spin  $\alpha = P/N$")
    letter(first, "from an\nexample", x=0.02, y=0.42, color=EXAMPLE)
    letter(first, "from a\nfeature", x=0.98, y=0.42, ha="right", color=FEATURE)
    sizes = sorted({r.N for r in results.records["feature 0.01"]})
    figure.legend(handles=_handles(sizes), loc="outside upper center", ncols=3, fontsize=6.5)
    return figure


def _handles(sizes: list[int]) -> list[Line2D]:
    handles = [
        Line2D([], [], color="black", label="theory, stable"),
        Line2D([], [], color="black", linestyle=":", linewidth=0.9, label="theory, unstable"),
        Line2D([], [], color="black", linestyle="", marker="x", markersize=3.5, label="published, $N=10000$"),
    ]
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        handles.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return handles
