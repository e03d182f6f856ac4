r"""Theory with and without the overlap t, and with and without the square of Delta_1, against simulation."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from numerics.records import Record
from paper_figures.negri2023.published_equations import PublishedBranch, PublishedLine, PublishedStates
from paper_figures.plan import Branch, Point, Results, Simulation, Sizes, Spec, States
from paper_figures.style import EXAMPLE, FEATURE, PUBLISHED, branch_curve, shade
from theory.branches import StateBranch
from theory.models.random_features import RandomFeatures

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "Near a stored example, simulated m, t, p_d and <u^2> follow the theory with t and not the equations at t = 0 "
    "(alpha_d = 0.5), and retrieval is lost at the spinodal with t (alpha_d = 0.2: 0.0556, against 0.0996). Near a "
    "feature (alpha_d = 0.05, coefficients +-1, which have the same theory and less noise), simulated <u^2> sides "
    "with Delta_1 squared: without the square it is 1.1 % lower at alpha = 0.9."
)
COST = "redraw: 4 s; simulations anew: 5 min of one core; --quick: 25 s"
TOLERANCE = "largest N: 3 standard errors at each alpha where all samples are retrieved"

FULL: Sizes = {1000: 64, 2000: 32, 4000: 24}
QUICK: Sizes = {500: 16, 1000: 12}

_KAPPA_1_SQUARED = RandomFeatures().sigma.kappa_1_squared
_STORAGE = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.065, 0.07, 0.075)
_RETRIEVAL = (0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12)
_ALPHAS, _TICKS = (0.0, 0.125), (0.0, 0.04, 0.08, 0.12)
_LEARNING = (0.9, 1.0, 1.1, 1.3)


def spec(sizes: Sizes) -> Spec:
    """Branches with and without t, and simulations; learning runs at twice the size, as its effect is small."""
    storage, learning = RandomFeatures(alpha_d=0.5), RandomFeatures(alpha_d=0.05)
    return Spec(
        predictions={
            "storage": Branch(storage, "example", "alpha", (0.005, 0.2)),
            "storage without t": PublishedBranch(0.5, "example", (0.005, 0.2)),
            "spinodal": Point(RandomFeatures(alpha_d=0.2), "example"),
            "spinodal without t": PublishedLine("example", (0.2,)),
            "learning": States(learning, "feature", "alpha", _LEARNING),
            "learning without square": PublishedStates(0.05, "feature", _LEARNING),
        },
        simulations={
            "storage": [
                Simulation(RandomFeatures(alpha=alpha, alpha_d=0.5), N, "example", samples)
                for N, samples in sorted(sizes.items())
                for alpha in _STORAGE
                if alpha * N >= 2.0
            ],
            "retrieval": [
                Simulation(RandomFeatures(alpha=alpha, alpha_d=0.2), N, "example", samples)
                for N, samples in sorted(sizes.items())
                for alpha in _RETRIEVAL
            ],
            # D is odd: an even number of coefficients +-1 can cancel, and the sign of zero is not of the theory.
            "learning": [
                Simulation(
                    RandomFeatures(alpha=alpha, alpha_d=0.05), 2 * N + 20, "feature", samples, coefficients="binary"
                )
                for N, samples in sorted(sizes.items())
                for alpha in _LEARNING
            ],
        },
    )


def draw(results: Results) -> Figure:
    """Draw four order parameters of storage, the retrieved fraction, and <u^2> of learning."""
    figure = Figure(figsize=(7.0, 3.9))
    panels = figure.subplots(2, 3).flat
    ours, theirs = results.predictions["storage"], results.predictions["storage without t"]
    labels = {
        "m": r"overlap  $m$",
        "t": r"latent overlap  $t$",
        "p_d": r"feature power  $p_d$",
        "u2": r"example noise  $\langle u^2\rangle$",
    }
    limits = {"m": (0.978, 1.0015), "t": (-0.05, 0.95), "p_d": (0.9, 2.55), "u2": (0.9, 2.5)}
    for axes, name, panel in zip(panels, labels, "abcd", strict=False):
        _storage(axes, name, ours, theirs, results.records["storage"])
        axes.set(xlim=_ALPHAS, xticks=_TICKS, ylim=limits[name], ylabel=labels[name], xlabel=r"$\alpha$")
        axes.set_title(rf"({panel})  storage, $\alpha_D=0.5$", loc="left", pad=3)
    _retrieval(panels[4], results)
    _learning(panels[5], results)
    sizes = sorted({r.N for r in results.records["storage"]})
    figure.legend(handles=_handles(sizes), loc="outside upper center", ncols=3 + len(sizes))
    return figure


def _storage(
    axes: Axes, name: str, ours: StateBranch, theirs: dict[str, NDArray[np.float64]], records: list[Record]
) -> None:
    if name == "u2":
        branch_curve(axes, ours, "X", EXAMPLE, factor=1.0 / _KAPPA_1_SQUARED)
    else:
        branch_curve(axes, ours, name, EXAMPLE)
    axes.plot(theirs["alpha"], theirs[name], "--", color=PUBLISHED, linewidth=1.0)
    _points(axes, records, name, EXAMPLE)


def _points(axes: Axes, records: list[Record], name: str, colour: str) -> None:
    sizes = sorted({r.N for r in records})
    for k, N in enumerate(sizes):
        here = [r for r in records if r.N == N]
        values = [r[name] for r in here]
        axes.errorbar(
            [r.loads["alpha"] for r in here],
            [v.value for v in values],
            yerr=[v.error for v in values],
            **shade(colour, k, len(sizes)),
        )


def _retrieval(axes: Axes, results: Results) -> None:
    _points(axes, results.records["retrieval"], "retrieved_fraction", EXAMPLE)
    axes.axvline(results.predictions["spinodal"], color=EXAMPLE)
    axes.axvline(results.predictions["spinodal without t"][1][0], color=PUBLISHED, linestyle="--", linewidth=1.0)
    axes.set(xlim=_ALPHAS, xticks=_TICKS, ylim=(-0.05, 1.08), xlabel=r"$\alpha$", ylabel="retrieved fraction")
    axes.set_title(r"(e)  storage, $\alpha_D=0.2$", loc="left", pad=3)


def _learning(axes: Axes, results: Results) -> None:
    """Relative to the theory, as the difference is a percent."""
    ours, theirs = results.predictions["learning"], results.predictions["learning without square"]
    u2 = ours["X"] / _KAPPA_1_SQUARED
    axes.axhline(0.0, color=FEATURE)
    axes.plot(theirs["alpha"], 100.0 * (theirs["u2"] / u2 - 1.0), "--", color=PUBLISHED, linewidth=1.0)
    expected = dict(zip(ours["alpha"].tolist(), u2.tolist(), strict=True))
    records = results.records["learning"]
    sizes = sorted({r.N for r in records})
    for k, N in enumerate(sizes):
        here = [r for r in records if r.N == N]
        known = [expected[r.parameters["alpha"]] for r in here]
        axes.errorbar(
            [r.loads["alpha"] + 0.006 * (k - 1) for r in here],
            [100.0 * (r["u2"].value / e - 1.0) for r, e in zip(here, known, strict=True)],
            yerr=[100.0 * r["u2"].error / e for r, e in zip(here, known, strict=True)],
            **shade(FEATURE, k, len(sizes)),
        )
    axes.set(xlim=(0.85, 1.36), ylim=(-1.9, 1.9), xlabel=r"$\alpha$")
    axes.set_ylabel(r"$\langle u^2\rangle$ minus theory  (%)")
    axes.set_title(r"(f)  learning, $\alpha_D=0.05$, doubled $N$", loc="left", pad=3)


def _handles(sizes: list[int]) -> list[Line2D]:
    handles = [
        Line2D([], [], color="black", label="theory"),
        Line2D([], [], color="black", linestyle=":", linewidth=0.8, label="unstable branch"),
        Line2D([], [], color=PUBLISHED, linestyle="--", linewidth=1.0, label="published equations"),
    ]
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        handles.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return handles
