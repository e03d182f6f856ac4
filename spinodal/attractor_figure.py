"""Figure of a census: where the attractors are, and how deep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from numerics.diffusion.census import Census
from numerics.diffusion.classify import CLASSES
from numerics.diffusion.energy import energies
from numerics.diffusion.memories import beta_of
from paper_figures.style import letter, styled

__all__ = ["draw_attractors"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_MARKERS = ("o", "s", "^")
_MEMORY = "#F0E442"
_TALLEST = 30.0  # the axis of barriers reaches so far at least


def draw_attractors(found: Census, path: Path) -> None:
    """Draw positions (two dimensions: with the energy; more: the two widest directions) and barriers of attractors."""
    with styled():
        figure = Figure(figsize=(6.8, 3.0))
        FigureCanvasAgg(figure)  # no window, whatever the reader's settings
        left, right = figure.subplots(1, 2)
        _positions(figure, left, found)
        _barriers(right, found)
        letter(left, "(a)")
        letter(right, "(b)")
        figure.suptitle(
            f"$K$ = {found.data.K}, $N$ = {found.data.N}, $\\sigma$ = {found.sigma:g}: "
            + ", ".join(f"{int(n)} {name}" for name, n in found.labels.counts().items()),
            fontsize=8,
        )
        figure.savefig(path)


def _positions(figure: Figure, axes: Axes, found: Census) -> None:
    points, stored = found.found.points, found.data.points
    names = ("$x_1$", "$x_2$")
    plane = found.data.N == 2
    if plane:
        _landscape(figure, axes, found)
        axes.set_aspect("equal")
    elif found.data.N > 2:
        centred = stored - found.data.centre
        _, _, widest = np.linalg.svd(centred[:: max(1, len(centred) // 5000)], full_matrices=False)
        axis = widest[:2].T
        if axis.shape[1] < 2:
            axis = np.concatenate([axis, np.zeros((len(axis), 1))], axis=1)
        points, stored = (points - found.data.centre) @ axis, centred @ axis
        names = ("widest direction", "second widest direction")
    else:
        points, stored = (np.concatenate([x, np.zeros((len(x), 1))], axis=1) for x in (points, stored))
        names = ("$x$", "")
    # Memories are within the rings that mark attractors, bright on the dark bottom of the landscape.
    few = len(stored) < 100
    look: dict[str, Any] = {"color": _MEMORY if plane else "0.25", "markersize": 4.5 if few else 1.6}
    look |= {"markeredgecolor": "black", "markeredgewidth": 0.4} if few else {"markeredgewidth": 0.0}
    axes.plot(stored[:, 0], stored[:, 1], ".", label="memories", zorder=4, **look)
    _classes(axes, found, points[:, 0], points[:, 1], rings=True)
    axes.set(xlabel=names[0], ylabel=names[1])
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    legend.get_lines()[0].set(markersize=4.5, markeredgecolor="black", markeredgewidth=0.4)


def _landscape(figure: Figure, axes: Axes, found: Census) -> None:
    """beta (E - its minimum), up to 10, over the plane."""
    low, high = found.data.points.min(0), found.data.points.max(0)
    middle, half = 0.5 * (low + high), 0.5 * float((high - low).max()) + 2.0 * found.sigma
    x, y = (np.linspace(m - half, m + half, 161) for m in middle)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    level = energies(found.data, grid, found.sigma).reshape(161, 161) * beta_of(found.sigma)
    level -= float(found.found.energy.min()) * beta_of(found.sigma)
    drawn = axes.contourf(x, y, np.minimum(level, 10.0), levels=np.linspace(0.0, 10.0, 21), cmap="Greys_r", alpha=0.75)
    bar = figure.colorbar(drawn, ax=axes, ticks=[0, 2, 4, 6, 8, 10])
    bar.set_label(r"$\beta (E - E_{\min})$")


def _barriers(axes: Axes, found: Census) -> None:
    floor = 1e-3
    # A single attractor has no barrier; the smallest are drawn at the edge.
    climb = np.where(np.isfinite(found.walls.escape), np.maximum(found.walls.escape, floor), np.nan)
    tallest = max(_TALLEST, float(np.nanmax(climb, initial=0.0)))
    away = np.maximum(found.labels.distance, 1e-6 * found.sigma)
    _classes(axes, found, away, climb)
    axes.axvline(found.thresholds.delta_m, color="0.4", linestyle="--", linewidth=0.7, label=r"$\delta_m$")
    axes.axhline(found.depth, color="0.4", linestyle=":", linewidth=0.9, label="depth")
    # Whole decades, labelled alone: labels between them would overlap.
    shown = np.append(away, found.thresholds.delta_m)
    decades = 10.0 ** np.array([np.floor(np.log10(0.8 * shown.min())), np.ceil(np.log10(1.2 * shown.max()))])
    axes.set(xscale="log", yscale="log", xlim=decades, ylim=(0.6 * floor, 2.0 * tallest))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="distance to the nearest memory", ylabel=r"barrier, in units of $1/\beta$ ($10^{-3}$: or less)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)


def _classes(axes: Axes, found: Census, x: NDArray[np.float64], y: NDArray[np.float64], *, rings: bool = False) -> None:
    for k, name in enumerate(CLASSES):
        chosen = found.labels.label == k
        if chosen.any():
            look: dict[str, Any] = {"color": _COLOURS[k], "markersize": 4.5, "markeredgecolor": "white"}
            look["markeredgewidth"] = 0.4
            if rings:
                look |= {"markersize": 6.5, "markerfacecolor": "none", "markeredgecolor": _COLOURS[k]}
                look |= {"markeredgewidth": 1.1, "path_effects": [withStroke(linewidth=2.0, foreground="white")]}
            if rings and chosen.sum() > 100:  # a flat valley of many minima is to look like a line
                look |= {"markersize": 2.0, "markeredgewidth": 0.5, "path_effects": []}
            axes.plot(x[chosen], y[chosen], _MARKERS[k], label=name, zorder=3, **look)
