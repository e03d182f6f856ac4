"""Overlaps reached from features, stored and unseen examples, for sparse training data with random signs."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures.kalaj2024 import published
from paper_figures.kalaj2024.sparse import leaves_unseen
from paper_figures.plan import Point, Results, Simulation, Sizes, Spec
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, letter, measured, shade
from theory.models.random_features import RandomFeatures

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "Training data are sparse: L_train = 3 random features with random signs, alpha_d = 0.005. With growing alpha the "
    "features become attractors first, then examples of three features, stored or not, then unseen ones of five and "
    "of seven. Drawn is the overlap of the final state with the example it started from; the published columns are "
    "the same quantity (they reach 1). Where features but not yet examples are attractors, the state falls into a "
    "single feature, mostly one of the example's own, whose overlap with it is 1/2, 3/8 and 5/16 for three, five and "
    "seven features (grey lines); so means near 1/2 are no other definition. Unseen examples of three features that "
    "happen to be stored are redrawn here: 18 % of the draws are expected to be at alpha = 1."
)
COST = "redraw: 4 s; simulations anew: 5 min of one core; --quick: 30 s"
TOLERANCE = (
    "published means of 10 runs: 3 standard errors; the dashed lines are the theory of dense data and only a guide"
)

FULL: Sizes = {4000: 12, 8000: 10}
QUICK: Sizes = {2000: 8, 4000: 3}

_ALPHA_D = 0.005
_ALPHA = (0.02, 0.0398, 0.0794, 0.1, 0.126, 0.158, 0.2, 0.251, 0.316, 0.501, 0.794, 1.0)
_STARTS = {
    "feature": ("feature", None, FEATURE),
    "stored": ("example", None, EXAMPLE),
    "unseen 3": ("unseen", 3, MIXTURE[3]),
    "unseen 5": ("unseen", 5, MIXTURE[5]),
    "unseen 7": ("unseen", 7, MIXTURE[7]),
}
_PLAIN = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
_PLATEAUS = {3: 1 / 2, 5: 3 / 8, 7: 5 / 16}


def spec(sizes: Sizes) -> Spec:
    """Five starts at growing N; the spinodals of dense mixtures for orientation."""
    model = RandomFeatures(alpha_d=_ALPHA_D)
    return Spec(
        {f"dense {L}": Point(model, "mixture", L=L) for L in _PLATEAUS},
        {
            name: [
                Simulation(
                    RandomFeatures(alpha=alpha, alpha_d=_ALPHA_D),
                    N,
                    start,
                    samples,
                    L=L,
                    coefficients="sparse",
                    L_train=3,
                )
                for N, samples in sorted(sizes.items())
                for alpha in _ALPHA
                if leaves_unseen(N, alpha, _ALPHA_D)
            ]
            for name, (start, L, _) in _STARTS.items()
        },
    )


def draw(results: Results) -> Figure:
    """Draw one panel per start."""
    figure = Figure(figsize=(3.4, 5.2))
    panels = figure.subplots(5, 1, sharex=True)
    labels = ("feature", "stored, $L=3$", "unseen, $L=3$", "unseen, $L=5$", "unseen, $L=7$")
    for axes, (start, (_, L, colour)), name, label in zip(panels, _STARTS.items(), "abcde", labels, strict=True):
        measured(axes, results.records[start], colour, "overlap")
        curve = published.OVERLAPS[start]
        axes.plot(curve.x, curve.y, "x", color="black", markersize=3.5, zorder=5)
        axes.set(xscale="log", xlim=(0.017, 1.2), ylim=(-0.05, 1.15), yticks=[0, 0.5, 1])
        letter(axes, f"({name})", y=0.88)
        letter(axes, label, x=0.98, y=0.1, ha="right", va="bottom", color=colour, bbox=_PLAIN)
        plateau = {"feature": None, "stored": _PLATEAUS[3]}.get(start, _PLATEAUS.get(L or 0))
        if plateau is not None:
            axes.axhline(plateau, color="0.6", linewidth=0.6, zorder=0)
        if L is not None:
            axes.axvline(results.predictions[f"dense {L}"], color=colour, linestyle="--", linewidth=0.8, zorder=0)
    figure.supylabel("overlap with the start", fontsize=panels[-1].xaxis.label.get_fontsize())
    panels[-1].set_xlabel(r"examples per spin  $\alpha$   ($\alpha_D=0.005$)")
    sizes = sorted({r.N for r in results.records["feature"]})
    figure.legend(handles=_handles(sizes), loc="outside upper center", ncols=2, fontsize=6.5)
    return figure


def _handles(sizes: list[int]) -> list[Line2D]:
    handles = [
        Line2D([], [], color="black", linestyle="", marker="x", markersize=3.5, label="published, $N=8000$"),
        Line2D([], [], color="black", linestyle="--", linewidth=0.8, label="theory of dense data"),
        Line2D([], [], color="0.6", linewidth=0.6, label="fallen into one feature"),
    ]
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        handles.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return handles
