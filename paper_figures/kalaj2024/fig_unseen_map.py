"""Map of where unseen examples are attractors, for sparse data, beside mixtures for dense data."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from numerics.records import Record
from paper_figures.kalaj2024.sparse import leaves_unseen
from paper_figures.plan import Line, Results, Simulation, Sizes, Spec
from theory.models.random_features import RandomFeatures

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "For dense Gaussian data, mixtures of three features are attractors above the spinodal of the theory. Sparse "
    "training data (L_train = 3, random signs) are not covered by that theory; for them unseen examples of three "
    "features are attractors at high alpha and low alpha_d too, and at this size the border lies within a cell or two "
    "of the dense line. Numbers are the percentage of fresh sparse examples that were stored and so were redrawn, "
    "where it is 20 or more; hatched, nearly all are stored and too few unseen are left."
)
COST = "redraw: 3 s; simulations anew: 3 min of one core; --quick: 20 s"
TOLERANCE = "dense data: retrieved fraction 1/2 within one cell (a factor 1.41 in alpha_d) of the line"

FULL: Sizes = {4000: 8}
QUICK: Sizes = {2000: 2}

_ALPHA_D = (0.0025, 0.0035, 0.005, 0.007, 0.01, 0.014, 0.02, 0.028, 0.04)
_ALPHA = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


def spec(sizes: Sizes) -> Spec:
    """A grid of both kinds of data at one size, and the dense mixture spinodal."""
    groups: dict[str, list[Simulation]] = {"sparse": [], "dense": []}
    for N, samples in sizes.items():
        for alpha_d in _ALPHA_D:
            for alpha in _ALPHA:
                model = RandomFeatures(alpha=alpha, alpha_d=alpha_d)
                if leaves_unseen(N, alpha, alpha_d):
                    groups["sparse"].append(Simulation(model, N, "unseen", samples, L=3, coefficients="sparse"))
                groups["dense"].append(Simulation(model, N, "mixture", samples, L=3))
    line = tuple(float(v) for v in np.geomspace(0.01, 8.0, 40))
    return Spec({"line": Line(RandomFeatures(), "mixture", "alpha_d", "alpha", line, L=3)}, groups)


def draw(results: Results) -> Figure:
    """Draw both maps with the line of dense data."""
    figure = Figure(figsize=(7.0, 2.9))
    panels = figure.subplots(1, 2, sharey=True)
    titles = {
        "sparse": "(a)  unseen examples, sparse data, $L=L_{\\rm train}=3$",
        "dense": "(b)  mixtures of $L=3$ features, dense data",
    }
    line = results.predictions["line"]
    for axes, (group, title) in zip(panels, titles.items(), strict=True):
        image = _map(axes, results.records[group])
        axes.plot(line.values, line.along_values, color="#D55E00", linewidth=1.4)
        axes.set_title(title, loc="left", pad=3)
        axes.set_xlabel(r"features per spin  $\alpha_D$")
        axes.set(xlim=_edges(_ALPHA_D)[[0, -1]], ylim=_edges(_ALPHA)[[0, -1]])
        axes.set_xticks([0.003, 0.01, 0.03], labels=["0.003", "0.01", "0.03"])
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel(r"examples per spin  $\alpha$")
    panels[0].text(0.03, 0.06, "spinodal of the\ntheory of dense data", color="#D55E00", fontsize=7, ha="center")
    _redrawn(panels[0], results.records["sparse"])
    figure.colorbar(image, ax=panels, label="retrieved fraction", pad=0.01)
    return figure


def _map(axes: Axes, records: list[Record]) -> Any:
    table = np.full((len(_ALPHA), len(_ALPHA_D)), np.nan)
    for record in records:
        row, column = _ALPHA.index(record.parameters["alpha"]), _ALPHA_D.index(record.parameters["alpha_d"])
        table[row, column] = record["retrieved_fraction"].value
    axes.set(xscale="log", yscale="log")
    axes.patch.set(hatch="////", edgecolor="0.6", facecolor="white")
    return axes.pcolormesh(_edges(_ALPHA_D), _edges(_ALPHA), table, cmap="Blues", vmin=0.0, vmax=1.0, rasterized=True)


def _redrawn(axes: Axes, records: list[Record]) -> None:
    """Write the redrawn percentage into cells; one redrawn in nine draws says little, so from 20 on."""
    for record in records:
        percent = 100.0 * (record.redrawn_fraction or 0.0)
        if percent >= 20.0:
            colour = "white" if record["retrieved_fraction"].value > 0.5 else "black"
            place = record.parameters["alpha_d"], record.parameters["alpha"]
            axes.text(*place, f"{percent:.0f}", fontsize=6, color=colour, ha="center", va="center")


def _edges(centres: tuple[float, ...]) -> NDArray[np.float64]:
    """Cell borders halfway between neighbours on a logarithmic axis."""
    x = np.log(np.array(centres))
    middle = 0.5 * (x[1:] + x[:-1])
    edges: NDArray[np.float64] = np.exp([2 * x[0] - middle[0], *middle, 2 * x[-1] - middle[-1]])
    return edges
