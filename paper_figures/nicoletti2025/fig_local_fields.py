"""Lengths of local fields at T = 0 minima, d = 3: cavity fields shifted by Onsager's reaction, and simulation."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from paper_figures.nicoletti2025.minima import (
    FULL,
    QUICK,
    handles,
    look_of,
    minima_of,
    points,
    sizes_shown,
    titled,
)
from paper_figures.nicoletti2025.published import FIELDS
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import PUBLISHED
from paper_figures.vectors import Fields
from theory.models.vector_hopfield import VectorHopfield

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "The lengths of local fields at retrieval minima are those of m e_1 + sigma z, shifted by Gamma = (alpha/d) "
    "chi/(d - chi) (their Fig. 7): published histograms and our simulations agree. Minima found from random starts "
    "(those that end in no pattern) are near the replica-symmetric spin glass although that is unstable."
)
COST = "redraw: 3 s; simulations anew: 13 min of one core; --quick: 5 s"
TOLERANCE = "published histograms and simulations of retrieval: 5 % of the largest density"

_LOADS = (0.02, 0.03, 0.04)


def spec(sizes: Sizes) -> Spec:
    """Laws of the theory, and simulated minima from patterns and from random starts."""
    predictions = {f"example {a:g}": Fields(VectorHopfield(alpha=a, d=3), "example") for a in _LOADS}
    predictions["spin-glass 0.04"] = Fields(VectorHopfield(alpha=0.04, d=3), "spin_glass")
    return Spec(predictions, {name: minima_of(name, sizes) for name in predictions})


def draw(results: Results) -> Figure:
    """Draw retrieval at three loads, and the spin glass."""
    figure = Figure(figsize=(7.0, 2.8))
    panels = figure.subplots(1, 4, sharex=True)
    sizes = sizes_shown(results)
    h = np.linspace(0.0, 2.4, 400)
    for axes, (name, law), letter in zip(panels, results.predictions.items(), "abcd", strict=True):
        state, load, line, marks = look_of(name)
        axes.plot(h, law.density(h), color=line)
        points(axes, results.records[name], sizes, "fields", marks)
        if load == "0.04":
            axes.plot(*zip(*FIELDS[state].points, strict=True), "x", color=PUBLISHED, markersize=3.5, zorder=5)
        titled(axes, letter, name)
        axes.axvline(law.shift, color=PUBLISHED, linestyle=":", linewidth=0.7)
        axes.set(xlabel="length of field  $|h|$", xlim=(0.0, 2.4))
        axes.set_ylim(bottom=0.0)
    panels[0].set_ylabel("density")
    figure.legend(handles=handles(results), loc="outside upper center", ncols=6, fontsize=6.5)
    return figure
