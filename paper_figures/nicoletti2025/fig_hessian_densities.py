"""Hessian spectra at T = 0 minima, d = 3: retrieval without gap, the soft edge of the spin glass, and simulation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_figures.nicoletti2025.minima import FULL, QUICK, handles, look_of, points, sizes_shown, spectra, titled
from paper_figures.nicoletti2025.published import DENSITY
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import EXAMPLE, PUBLISHED
from theory.spectra import Spectrum

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "Hessian densities at d = 3 (their Fig. 8): the published theory is ours to 1e-9, published and our simulations of "
    "retrieval agree with it. Towards zero the density follows p(lambda/Lambda)/Lambda; the published inset draws "
    "Lambda p(Lambda lambda) instead. The replica-symmetric spin glass ends at lambda = 0.00783979, while densities of "
    "minima found from random starts, published and ours, do not end there."
)
COST = "redraw: 5 s; simulations anew: 13 min of one core; --quick: 5 s"
TOLERANCE = "published theory: 1e-9; simulations of retrieval: 5 % of the largest density"

_NAMES = ("example 0.02", "example 0.04", "spin-glass 0.04")


def spec(sizes: Sizes) -> Spec:
    """Spectra of the theory, and simulated minima."""
    return spectra(_NAMES, sizes)


def draw(results: Results) -> Figure:
    """Draw densities with their lower ends enlarged."""
    figure = Figure(figsize=(7.0, 2.9))
    panels = figure.subplots(1, 3)
    sizes = sizes_shown(results)
    for axes, (name, found), letter in zip(panels, results.predictions.items(), "abc", strict=True):
        state, load, line, marks = look_of(name)
        axes.plot(found.eigenvalue, found.density, color=line)
        points(axes, results.records[name], sizes, "density", marks)
        if load == "0.04":
            axes.plot(*zip(*DENSITY[state].points, strict=True), "x", color=PUBLISHED, markersize=3.5, zorder=5)
        titled(axes, letter, name)
        axes.set(xlabel=r"eigenvalue  $\lambda$", xlim=(0.0, 2.3))
        axes.set_ylim(0.0, 1.4 * found.density.max())
        if state == "example":
            _soft(axes.inset_axes((0.66, 0.5, 0.31, 0.33)), found)
        else:
            inset = axes.inset_axes((0.66, 0.55, 0.31, 0.33))
            _edge(inset, found)
            points(inset, results.records[name], sizes, "density", marks)
    panels[0].set_ylabel(r"density  $\rho(\lambda)$")
    figure.legend(handles=handles(results), loc="outside upper center", ncols=6, fontsize=6.5)
    return figure


def _soft(axes: Axes, found: Spectrum) -> None:
    """The lower tail with the law it tends to, and the law as published."""
    x, density, soft = found.eigenvalue, found.density, found.curves["soft_law"]
    scale = float(found.quantities["Lambda"])
    near = (x > 0.02) & (x < 1.0)
    axes.plot(x[near], density[near], color=EXAMPLE, linewidth=1.0)
    axes.plot(x[near], soft[near], "--", color="#D55E00", linewidth=0.9)
    # Their inset: Lambda p(Lambda lambda), from p(y)/Lambda at y = lambda/Lambda.
    theirs = scale**2 * np.interp(scale**2 * x[near], x, soft)
    axes.plot(x[near], theirs, ":", color=PUBLISHED, linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlim=(0.03, 1.0), ylim=(1e-9, 30.0))
    axes.set_xticks([0.1, 1.0])
    axes.set_yticks([1e-8, 1e-4, 1.0])
    axes.tick_params(labelsize=6, pad=1.5)
    axes.set_title("dashed: soft law\ndotted: in print", fontsize=6.0, pad=2)


def _edge(axes: Axes, found: Spectrum) -> None:
    """The square-root edge."""
    assert found.edge is not None
    near = found.eigenvalue < 0.4
    axes.plot(
        np.append(found.edge, found.eigenvalue[near]), np.append(0.0, found.density[near]), color="black", linewidth=1.0
    )
    axes.axvline(found.edge, color=PUBLISHED, linestyle=":", linewidth=0.7)
    axes.plot(*zip(*DENSITY["spin-glass"].points[:4], strict=True), "x", color=PUBLISHED, markersize=3, zorder=5)
    axes.set(xlim=(0.0, 0.25), ylim=(0.0, 0.12))
    axes.tick_params(labelsize=6, pad=1.5)
    axes.set_title(rf"$\lambda_e={found.edge:.5f}$", fontsize=6.5, pad=2)
