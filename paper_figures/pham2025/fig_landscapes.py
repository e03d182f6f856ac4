r"""Energy of 2, 9 and 1000 random memories on the circle: wells at memories, wells between them, a ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from numerics.diffusion.census import Census, census
from numerics.diffusion.classify import CLASSES
from numerics.diffusion.energy import energies
from numerics.diffusion.memories import beta_of, circle
from paper_figures.pham2025.panels import COLOURS, MARKERS
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import letter
from theory.diffusion.ring import ring

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "At sigma = 0.2 the exact score memorises 2 points of the circle, merges some of 9 into spurious attractors, and "
    "of 1000 makes one valley along the whole ring, at the radius R* of infinitely many."
)
COST = "redraw: 5 s; nothing is simulated"
TOLERANCE = "attractors to rounding; K = 1000: radii within 3 standard deviations K^(-1/2) sigma of R*"

FULL: Sizes = {}
QUICK: Sizes = {}

_SIGMA, _LOADS = 0.2, (2, 9, 1000)
_LIMIT = "#E69F00"
_MEMORY: dict[str, Any] = {"color": "#F0E442", "marker": ".", "linestyle": "", "markersize": 4.5}
_MEMORY |= {"markeredgecolor": "black", "markeredgewidth": 0.4}
_SIDE, _ANGLES, _TOP = 121, 361, 10.0

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A landscape and its attractors; energies times beta, above the lowest attractor."""

    found: Census
    x: Array
    level: Array
    angle: Array
    valley: Array
    radius: float


@dataclass(frozen=True)
class Landscape:
    """Energy of K random points on the circle: on a square, and at the best radius along every direction."""

    K: int

    def compute(self) -> Drawn:
        """Find all attractors, and evaluate the energy."""
        found = census(circle(self.K, seed=2), _SIGMA, samples=2)
        beta = beta_of(_SIGMA)
        lowest = float(found.found.energy.min())
        x = np.linspace(-1.5, 1.5, _SIDE)
        grid = np.stack(np.meshgrid(x, x), axis=-1).reshape(-1, 2)
        level = beta * (energies(found.data, grid, _SIGMA).reshape(_SIDE, _SIDE) - lowest)
        angle = np.linspace(-np.pi, np.pi, _ANGLES)
        R = np.linspace(0.0, 1.2, 121)
        rays = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None, :] * R[:, None]
        along = energies(found.data, rays.reshape(-1, 2), _SIGMA).reshape(_ANGLES, -1).min(1)
        return Drawn(found, x, level, angle, beta * (along - lowest), ring(beta=beta).radius)


def spec(sizes: Sizes) -> Spec:
    """Three landscapes."""
    return Spec(predictions={f"K = {K}": Landscape(K) for K in _LOADS})


def draw(results: Results) -> Figure:
    """Maps above, valleys along the angle below."""
    figure = Figure(figsize=(7.0, 3.9))
    rows = figure.subplots(2, 3, height_ratios=(2.1, 1.0))
    for k, K in enumerate(_LOADS):
        drawn = results.predictions[f"K = {K}"]
        image = _map(rows[0, k], drawn)
        _valley(rows[1, k], drawn)
        rows[0, k].set_title(f"$K$ = {K}, $\\sigma$ = {_SIGMA:g}")
        letter(rows[0, k], f"({'abc'[k]})")
        letter(rows[1, k], f"({'def'[k]})")
    rows[0, 0].set_ylabel("$x_2$")
    rows[1, 0].set_ylabel(r"$\beta (E - E_{\min})$")
    bar = figure.colorbar(image, ax=list(rows[0]), ticks=[0, 2, 4, 6, 8, 10], pad=0.015, aspect=25)
    bar.set_label(r"$\beta (E - E_{\min})$")
    handles = [
        Line2D(
            [], [], color=COLOURS[n], marker=MARKERS[n], markeredgecolor="white", linestyle="", markersize=5, label=n
        )
        for n in CLASSES
    ]
    handles.append(Line2D([], [], **_MEMORY, label="memory"))
    handles.append(Line2D([], [], color=_LIMIT, linestyle="--", linewidth=0.9, label=r"$R^*$, $K \to \infty$"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure


def _map(axes: Axes, drawn: Drawn) -> QuadContourSet:
    image = axes.contourf(
        drawn.x, drawn.x, np.minimum(drawn.level, _TOP), levels=np.linspace(0.0, _TOP, 21), cmap="Greys_r", alpha=0.75
    )
    stored = drawn.found.data.points
    few = len(stored) < 100
    axes.plot(
        *stored.T, **{**_MEMORY, "markersize": 4.5 if few else 1.2, "markeredgewidth": 0.4 if few else 0.0}, zorder=4
    )
    _attractors(axes, drawn, *drawn.found.found.points.T, rings=True)
    turn = np.linspace(0.0, 2.0 * np.pi, 200)
    axes.plot(drawn.radius * np.cos(turn), drawn.radius * np.sin(turn), "--", color=_LIMIT, linewidth=0.8, zorder=2.5)
    axes.set(xlabel="$x_1$", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes.set_aspect("equal")
    return image


def _valley(axes: Axes, drawn: Drawn) -> None:
    axes.plot(drawn.angle / np.pi, drawn.valley, color="0.1", linewidth=0.9)
    x = drawn.found.found.points
    energy = drawn.found.found.energy
    _attractors(axes, drawn, np.arctan2(x[:, 1], x[:, 0]) / np.pi, beta_of(_SIGMA) * (energy - energy.min()))
    axes.set(xlabel=r"angle / $\pi$", xlim=(-1, 1), ylim=(-0.8, _TOP))


def _attractors(axes: Axes, drawn: Drawn, x: Array, y: Array, *, rings: bool = False) -> None:
    """Markers of the attractors; as rings, in which memories are seen."""
    for k, name in enumerate(CLASSES):
        of_class = drawn.found.labels.label == k
        look: dict[str, Any] = {"markersize": 5.0, "markeredgecolor": "white", "markeredgewidth": 0.5}
        if rings:
            look = {"markersize": 6.5, "markerfacecolor": "none", "markeredgecolor": COLOURS[name]}
            look |= {"markeredgewidth": 1.1, "path_effects": [withStroke(linewidth=2.0, foreground="white")]}
        axes.plot(x[of_class], y[of_class], MARKERS[name], color=COLOURS[name], zorder=3, **look)
