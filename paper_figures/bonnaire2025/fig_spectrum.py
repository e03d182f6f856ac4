"""The spectrum of the feature matrix at their parameters: every bulk, with simulated eigenvalues."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from paper_figures.plan import Results, Sizes, Spec
from paper_figures.scores import BulkDensities, ScoreOf
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, PUBLISHED, letter, shade

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "At psi_p = 64, psi_n = 8, t = 0.01 (tanh) the spectrum has a delta and three bulks (published: a delta and two): "
    "between the delta at s^2 and the noise modes lie the hidden modes, the span of W projected out of that of the "
    "samples, of weight 1/psi_p. Gaussian-equivalent eigenvalues fill all three. The true network has them too, but at "
    "d = 50 its delta and its noise modes are still broadened, by O(psi_p/d)."
)
COST = "redraw: 3 s; simulations anew: 3 min of one core; --quick: 10 s"
TOLERANCE = "extreme eigenvalues: 10 Tracy-Widom units; bins of the equivalent at the largest d: 8 % of the maximum"

FULL: Sizes = {50: 8, 100: 4}
QUICK: Sizes = {25: 4}
POINT = (64.0, 8.0, 0.01)
TRUE = (50, 2)  # dimensions and samples of the true network

COLOURS = {"3": MIXTURE[3], "1": EXAMPLE, "2": FEATURE}
_WORDS = {"3": "hidden", "1": "noise", "2": "population"}
_BINS = (
    ("3", (0.0, 0.0125, 25)),
    ("1", (0.07, 0.38, 24)),
    ("2", (8.0, 47.0, 20)),
)


def spec(sizes: Sizes) -> Spec:
    """Densities of all bulks, and eigenvalues of both networks."""
    simulations: dict[str, list[Any]] = {
        "equivalent": [
            ScoreOf(*POINT, d, samples, bins=_BINS, tau=(1.0, 1.0, 1)) for d, samples in sorted(sizes.items())
        ]
    }
    if max(sizes, default=0) >= TRUE[0]:
        simulations["true"] = [ScoreOf(*POINT, *TRUE, "true", bins=_BINS, tau=(1.0, 1.0, 1))]
    return Spec({"bulks": BulkDensities(*POINT)}, simulations)


def draw(results: Results) -> Figure:
    """Draw the whole spectrum, and every bulk enlarged."""
    figure = Figure(figsize=(7.0, 4.1))
    grid = figure.add_gridspec(2, 3, height_ratios=(1.0, 1.05))
    found, parts = results.predictions["bulks"]
    whole = figure.add_subplot(grid[0, :])
    for bulk, nodes in parts:
        name = f"bulk {bulk.name}, {_WORDS[bulk.name]} modes"
        x = np.concatenate([[bulk.low], nodes.eigenvalue, [bulk.high]])
        y = np.concatenate([[1e-6], nodes.eigenvalue * nodes.density, [1e-6]])
        whole.plot(x, y, color=COLOURS[bulk.name], label=f"{name}: {_share(bulk.weight)}")
        whole.fill_between(x, y, 1e-6, color=COLOURS[bulk.name], alpha=0.15, linewidth=0.0)
    for position, weight in found.atoms:
        whole.axvline(position, color=PUBLISHED, linewidth=1.6, label=rf"$\delta$ at $s^2$: {_share(weight)}")
    whole.set(xscale="log", yscale="log", xlim=(1.2e-3, 80.0), ylim=(2e-4, 0.6))
    whole.set(xlabel=r"eigenvalue  $\lambda$", ylabel=r"$\lambda\,\rho(\lambda)$")
    handles, labels = whole.get_legend_handles_labels()
    order = [labels.index(x) for x in sorted(labels, key=lambda x: not x.startswith("$"))]
    whole.legend([handles[k] for k in order], [labels[k] for k in order], ncols=4, loc="upper center", fontsize=6.5)
    whole.set_title(r"(a)  tanh, $\psi_p=64$, $\psi_n=8$, $t=0.01$", loc="left", pad=3)
    for k, (bulk, nodes) in enumerate(parts):
        axes = figure.add_subplot(grid[1, k])
        _zoom(axes, bulk, nodes, found.atoms, results.records)
        axes.set_title(rf"({'bcd'[k]})  bulk {bulk.name}", loc="left", pad=3)
        if k == 0:
            axes.set_ylabel(r"$\rho(\lambda)$")
    figure.legend(handles=_handles(results), loc="outside lower center", ncols=5, fontsize=6.5)
    return figure


def _zoom(axes: Axes, bulk: Any, nodes: Any, atoms: Any, records: dict[str, list[Any]]) -> None:
    """One bulk on linear axes with simulated eigenvalues."""
    colour = COLOURS[bulk.name]
    x = np.concatenate([[bulk.low], nodes.eigenvalue, [bulk.high]])
    y = np.concatenate([[0.0], nodes.density, [0.0]])
    axes.fill_between(x, y, color=colour, alpha=0.15, linewidth=0.0)
    axes.plot(x, y, color=colour, linewidth=1.2)
    top = 1.3 * float(y.max())
    for position, _ in atoms:
        if bulk.name == "3":
            axes.axvline(position, color=PUBLISHED, linewidth=1.6, zorder=1)
    for record in records.get("true", ()):
        edges, value = np.array(record.curves[bulk.name].edges), record.curves[bulk.name].arrays()[1]
        axes.stairs(value, edges, color="#000000", linewidth=0.8, zorder=2.5)
        if bulk.name == "3":  # its broadened delta
            letter(axes, f"true network:\nup to {value.max():.0f}", x=0.97, ha="right", va="top", fontsize=6.5)
        else:
            top = max(top, 1.15 * float(value.max()))
    group = records["equivalent"]
    for k, record in enumerate(group):
        middle, value, error = record.curves[bulk.name].arrays()
        shown = _away(bulk, np.array(record.curves[bulk.name].edges), atoms)
        top = max(top, 1.08 * float((value + np.nan_to_num(error))[shown].max()))
        look = {**shade(colour, k, len(group)), "linestyle": ""}
        axes.errorbar(middle[shown], value[shown], yerr=np.nan_to_num(error[shown]), **look)
    ends = dict(_BINS)[bulk.name]
    axes.set(xlim=(0.0 if bulk.name == "3" else ends[0], ends[1]), ylim=(0.0, top))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    power = math.floor(math.log10(top))
    if power < -2:
        axes.yaxis.set_major_formatter(lambda y, _: f"{y * 10.0**-power:.3g}")
        letter(axes, rf"$\times 10^{{{power}}}$", x=0.97, ha="right", fontsize=7)
    axes.set_xlabel(r"$\lambda$")


def _away(bulk: Any, edges: Any, atoms: Any) -> Any:
    """Bins without a delta, which holds most of the eigenvalues."""
    if bulk.name != "3":
        return np.ones(edges.size - 1, dtype=bool)
    return ~((edges[:-1] <= atoms[0][0]) & (atoms[0][0] < edges[1:]))


def _share(weight: float) -> str:
    count = weight * POINT[0]
    return f"{count:.0f}/64" if math.isclose(count, round(count), abs_tol=1e-6) else f"{weight:.3g}"


def _handles(results: Results) -> list[Line2D]:
    found = [Line2D([], [], color="black", label=r"theory, $d\to\infty$")]
    group = results.records["equivalent"]
    for k, record in enumerate(group):
        look = shade("black", k, len(group))
        label = f"Gaussian equivalent, $d={record.N}$, $p={record.D}$"
        found.append(Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=label))
    for record in results.records.get("true", ()):
        found.append(
            Line2D([], [], color="black", linewidth=0.8, drawstyle="steps", label=f"true network, $d={record.N}$")
        )
    return found
