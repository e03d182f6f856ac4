"""The (alpha_d, alpha) phase diagram at T = 0: storage and learning lines, published points, simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from numerics.finite_size import Transition
from paper_figures.negri2023 import published
from paper_figures.negri2023.published_equations import PublishedLine
from paper_figures.plan import Line, Results, Simulation, Sizes, Spec
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, PUBLISHED
from theory.models.random_features import RandomFeatures

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "The storage spinodal, with the overlap t, lies below the published points, by 16 % at alpha_d = 1, 27 % at 0.5 "
    "and 44 % at 0.2; the learning spinodal, with Delta_1 squared, lies above, by 6.4 % at small alpha_d. The "
    "published points follow the equations with t = 0, and without the square (dotted). Simulated transitions "
    "(retrieved fraction 1/2, extrapolated in N as N^-1/2) follow the storage line drawn here; at these N they do "
    "not separate the two learning lines."
)
COST = "redraw: 15 s; simulations anew: 5 min of one core; --quick: 40 s"
TOLERANCE = (
    "lines: 1e-10 relative; published points: their scan step (alpha 1e-3, alpha_d 1e-4) from the dotted lines; "
    "simulated points: their error bars (thin bars: exponents from 1/2 to 1)"
)

FULL: Sizes = {1000: 64, 2000: 32, 4000: 16}
QUICK: Sizes = {500: 24, 1500: 8}

# alpha_d and an alpha near the transition, around which loads are simulated.  A network of fewer than twenty features
# is far from the limit, so the smallest alpha_d is simulated at twice the size.
_STORAGE = {0.1: 0.0356, 0.2: 0.0556, 0.5: 0.0854, 1.0: 0.105, 2.0: 0.118}
_LEARNING = {0.01: 0.0979, 0.02: 0.219, 0.05: 0.798}
_DOUBLED = 0.01

_ALPHA_D = tuple(float(v) for v in np.geomspace(1e-3, 30.0, 60))
_ALPHA = tuple(float(v) for v in np.geomspace(5e-3, 40.0, 60))


def spec(sizes: Sizes) -> Spec:
    """The lines of the model, the published equations, and simulations around eight transitions."""
    model = RandomFeatures()
    # The line has a vertical asymptote at alpha_d = 0.05185, the thermodynamic load of the Hopfield model.
    below_asymptote = tuple(
        float(v) for v in (*np.geomspace(1e-3, 0.03, 10), *(0.0515 - np.geomspace(0.019, 3e-4, 12)))
    )
    predictions: dict[str, Any] = {
        "storage spinodal": Line(model, "example", "alpha", "alpha_d", _ALPHA_D),
        "storage thermodynamic": Line(model, "example", "alpha", "alpha_d", _ALPHA_D[::3], line="thermodynamic"),
        "learning spinodal": Line(model, "feature", "alpha_d", "alpha", _ALPHA),
        "learning thermodynamic": Line(model, "feature", "alpha", "alpha_d", below_asymptote, line="thermodynamic"),
        "published storage": PublishedLine("example", tuple(float(v) for v in np.geomspace(1e-3, 30.0, 25))),
        "published learning": PublishedLine("feature", tuple(float(v) for v in np.geomspace(1e-3, 0.135, 25))),
    }
    for L in MIXTURE:
        predictions[f"mixture {L}"] = Line(model, "mixture", "alpha_d", "alpha", _ALPHA[::2], L=L)
    simulations = {}
    # Finite samples bear more examples than the limit, and show features at lower load, both by O(N^-1/2).
    for start, centres, shift, step, count in (
        ("example", _STORAGE, 6.0, 4.0, 5),
        ("feature", _LEARNING, -7.0, 5.0, 7),
    ):
        for alpha_d, centre in centres.items():
            if alpha_d == _DOUBLED and max(sizes) < max(FULL):  # ten features are too few to show anything
                continue
            simulations[f"{start} {alpha_d:g}"] = [
                Simulation(RandomFeatures(alpha=float(f"{alpha:.3g}"), alpha_d=alpha_d), N, start, samples)
                for N, samples in (((2 if alpha_d == _DOUBLED else 1) * N, samples) for N, samples in sizes.items())
                for k in range(count)
                if (alpha := centre * (1.0 + (shift + step * (k - (count - 1) / 2)) / math.sqrt(N))) * N >= 1.0
            ]
    return Spec(predictions, simulations, tuple(simulations))


def draw(results: Results) -> Figure:
    """Draw the diagram with its inset at small alpha_d."""
    figure = Figure(figsize=(3.4, 3.3))
    axes = figure.add_subplot()
    axes.set(xscale="log", yscale="log", xlim=(1e-3, 30.0), ylim=(2.5e-4, 40.0))
    axes.set(xlabel=r"features per spin  $\alpha_D = D/N$", ylabel=r"examples per spin  $\alpha = P/N$")
    lines = results.predictions
    _curve(axes, _points(lines["storage spinodal"]), EXAMPLE, "-")
    _curve(axes, _points(lines["storage thermodynamic"]), EXAMPLE, "--")
    _curve(axes, _points(lines["learning spinodal"]), FEATURE, "-")
    _curve(axes, _points(lines["learning thermodynamic"]), FEATURE, "--")
    for L, colour in MIXTURE.items():
        _curve(axes, _points(lines[f"mixture {L}"]), colour, "-", linewidth=0.5, alpha=0.8)
    for name in ("published storage", "published learning"):
        axes.plot(*lines[name], ":", color=PUBLISHED, linewidth=0.7, zorder=1)
    for curve, marker in ((published.STORAGE, "o"), (published.LEARNING, "s")):
        axes.plot(curve.x, curve.y, marker, color=PUBLISHED, markersize=2.8, markerfacecolor="white", zorder=2.5)
    for group, transition in results.transitions.items():
        _transition(axes, float(group.split()[1]), transition, EXAMPLE if "example" in group else FEATURE)
    axes.text(0.02, 0.0011, "storage: examples\nare attractors", color=EXAMPLE, fontsize=6.5, ha="left", va="center")
    axes.text(0.00115, 6.0, "learning:\nfeatures are\nattractors", color=FEATURE, fontsize=6.5, ha="left", va="center")
    for L, colour in MIXTURE.items():
        x, label = lines[f"mixture {L}"].values[-4] * 0.97, f"$L={L}$" if L == max(MIXTURE) else f"${L}$"
        axes.text(x, 0.55 * lines[f"mixture {L}"].along_values[-1], label, color=colour, fontsize=6.5, ha="right")
    axes.legend(handles=_handles(), loc="lower right", fontsize=6.5)
    _inset(axes.inset_axes((0.655, 0.63, 0.325, 0.35)), results)
    return figure


def _points(line: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A boundary as (alpha_d, alpha), whichever was solved for."""
    return (line.values, line.along_values) if line.vary == "alpha_d" else (line.along_values, line.values)


def _curve(
    axes: Axes, points: tuple[NDArray[np.float64], NDArray[np.float64]], colour: str, dashes: str, **options: Any
) -> None:
    axes.plot(*points, dashes, color=colour, **{"linewidth": 1.3 if dashes == "-" else 0.9, **options})


def _transition(axes: Axes, alpha_d: float, transition: Transition | None, colour: str, *, over: float = 1.0) -> None:
    """The limit of the crossings: bars are statistical; thin bars span the exponents 1/2 to 1."""
    if transition is None or transition.limit is None:
        return
    limit = transition.limit
    others = [value / over for value in transition.other_limits.values()]
    axes.plot([alpha_d] * 2, [min(others), max(others)], color=colour, linewidth=0.5, zorder=3.5)
    look: dict[str, Any] = {
        "markersize": 2.8,
        "markeredgecolor": "black",
        "markeredgewidth": 0.5,
        "elinewidth": 1.1,
        "zorder": 4,
    }
    axes.errorbar([alpha_d], [limit.value / over], yerr=[limit.error / over], fmt="D", color=colour, **look)


def _inset(axes: Axes, results: Results) -> None:
    """Learning at small alpha_d, where alpha is proportional to it."""
    lines = results.predictions
    x, y = _points(lines["learning spinodal"])
    axes.plot(x, y / x, color=FEATURE)
    x, y = lines["published learning"]
    axes.plot(x, y / x, ":", color=PUBLISHED, linewidth=0.8)
    x, y = np.array(published.LEARNING.x), np.array(published.LEARNING.y)
    assert published.LEARNING.step is not None
    axes.errorbar(
        x,
        y / x,
        xerr=None,
        yerr=y / x * published.LEARNING.step / x,
        fmt="s",
        color=PUBLISHED,
        markersize=2.5,
        markerfacecolor="white",
        elinewidth=0.5,
        capsize=0,
    )
    for group, transition in results.transitions.items():
        alpha_d = float(group.split()[1])
        seen = transition is not None and transition.limit is not None and 7.6 < transition.limit.value / alpha_d < 12.4
        if group.startswith("feature") and seen:
            _transition(axes, alpha_d, transition, FEATURE, over=alpha_d)
    axes.set(xlim=(0.0, 0.031), ylim=(7.6, 12.4), xticks=[0.0, 0.01, 0.02, 0.03], yticks=[8, 10, 12])
    axes.set_xticklabels(["0", ".01", ".02", ".03"])
    axes.tick_params(labelsize=6, pad=1.5)
    axes.set_xlabel(r"$\alpha_D$", fontsize=7, labelpad=0)
    axes.set_ylabel(r"$\alpha/\alpha_D$, learning", fontsize=6.5, labelpad=1)


def _handles() -> list[Line2D]:
    return [
        Line2D([], [], color="black", label="spinodal"),
        Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="thermodynamic"),
        Line2D(
            [],
            [],
            color=PUBLISHED,
            linestyle=":",
            marker="o",
            markerfacecolor="white",
            linewidth=0.7,
            label="published, and its equations",
        ),
        Line2D(
            [],
            [],
            color="gray",
            linestyle="",
            marker="D",
            markeredgecolor="black",
            markeredgewidth=0.5,
            markersize=3,
            label=r"simulation, $N\to\infty$",
        ),
    ]
