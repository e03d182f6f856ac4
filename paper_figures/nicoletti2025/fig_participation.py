"""How far eigenvectors of the Hessian extend at T = 0 minima, d = 3: participation ratios, theory and simulation."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.nicoletti2025.minima import FULL, QUICK, handles, look_of, points, sizes_shown, spectra, titled
from paper_figures.nicoletti2025.published import PARTICIPATION
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import PUBLISHED

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "N times the participation ratio of extended eigenvectors is kappa (d+1)/(d-1) (their Fig. 9): twice the published "
    "curve kappa at d = 3, as the published simulations themselves say (N = 4000: 7.94 at lambda = 0.2, where kappa is "
    "3.92) and ours. Localised eigenvectors end at a number that grows with N. Below lambda = 0.35 half of the mean is "
    "due to the weakest 0.2 % of the local fields, so that means over few samples mostly fall short."
)
COST = "redraw: 4 s; simulations anew: 11 min of one core; --quick: 5 s"
TOLERANCE = (
    "extended eigenvectors of retrieval: published 5 %; simulated 10 %, and 4 standard errors below lambda = 0.35"
)

_FACTOR = 2.0  # (d + 1)/(d - 1)
_HIGHEST = 4000.0
_NAMES = ("example 0.04", "spin-glass 0.04")


def spec(sizes: Sizes) -> Spec:
    """Participation of the theory, and simulated minima."""
    return spectra(_NAMES, sizes)


def draw(results: Results) -> Figure:
    """Draw retrieval and the spin glass."""
    figure = Figure(figsize=(7.0, 2.9))
    panels = figure.subplots(1, 2)
    sizes = sizes_shown(results)
    for axes, (name, found), letter in zip(panels, results.predictions.items(), "ab", strict=True):
        state, _, line, marks = look_of(name)
        shown = found.curves["participation"] < _HIGHEST
        curve = np.where(shown, found.curves["participation"], np.nan)
        axes.plot(found.eigenvalue, curve, color=line)
        axes.plot(found.eigenvalue, curve / _FACTOR, "--", color=PUBLISHED, linewidth=0.9)
        points(axes, results.records[name], sizes, "participation", marks)
        x, y = zip(*PARTICIPATION[state].points, strict=True)
        axes.plot(x, 4000.0 * np.array(y), "x", color=PUBLISHED, markersize=3.5, zorder=5)
        titled(axes, letter, name, "$d=3$, ")
        axes.set_yscale("log")
        axes.set(xlabel=r"eigenvalue  $\lambda$", xlim=(0.0, 2.0), ylim=(1.0, _HIGHEST))
    panels[0].set_ylabel(r"$N\,\sum_i |\psi_i|^4$")
    kappa = Line2D([], [], color=PUBLISHED, linestyle="--", linewidth=0.9, label=r"published theory, $\kappa$")
    figure.legend(handles=[*handles(results), kappa], loc="outside upper center", ncols=6, fontsize=6.5)
    return figure
