"""Where mixtures of L features, and so examples never stored, are attractors at T = 0: our lines, published points."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from paper_figures.kalaj2024 import published
from paper_figures.plan import Line, Point, Results, Sizes, Spec
from paper_figures.style import MIXTURE
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "The published spinodals of mixtures of 3, 5, 7 and 9 features agree with the lines solved for here, within their "
    "scan. As alpha grows the lines tend to the symmetric-mixture spinodals of the Hopfield model whose patterns are "
    "the features (ticks on the right: 0.02994, 0.01627, 0.01112, 0.00844)."
)
COST = "redraw: 6 s; no simulation"
TOLERANCE = "published points: 2 scan steps (alpha_d 1e-6; 1e-5 for L = 5 at alpha > 1)"

FULL: Sizes = {}
QUICK: Sizes = {}

_ALPHA = tuple(float(v) for v in np.geomspace(1e-3, 60.0, 60))


def spec(sizes: Sizes) -> Spec:
    """One line per L, the line at the published loads, and the limit; nothing is simulated, so `sizes` are not used."""
    del sizes
    predictions: dict[str, Line | Point] = {}
    for L in MIXTURE:
        predictions[f"line {L}"] = Line(RandomFeatures(), "mixture", "alpha_d", "alpha", _ALPHA, L=L)
        loads = tuple(published.MIXTURES[L].y)
        predictions[f"points {L}"] = Line(RandomFeatures(), "mixture", "alpha_d", "alpha", loads, L=L)
        predictions[f"limit {L}"] = Point(Hopfield(), "mixture", L=L)
    return Spec(predictions)


def draw(results: Results) -> Figure:
    """Draw the lines, and below the published points relative to them in scan steps."""
    # Room for the limits, which are marked outside the frame.
    figure = Figure(figsize=(3.4, 3.7), layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.07))
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3.0, 1.0)})
    above.set(xscale="log", yscale="log", xlim=(1e-3, 60.0), ylim=(8e-6, 0.06))
    for k, (L, colour) in enumerate(MIXTURE.items()):
        line = results.predictions[f"line {L}"]
        curve = published.MIXTURES[L]
        marker = "osD^"[k]
        above.plot(line.along_values, line.values, color=colour, zorder=1)
        above.plot(curve.y, curve.x, marker, color=colour, markerfacecolor="white", markersize=3.0)
        limit = results.predictions[f"limit {L}"]
        above.plot(
            [1.018], [limit], "<", color=colour, markersize=3.2, transform=above.get_yaxis_transform(), clip_on=False
        )
        assert curve.step is not None
        steps = (np.array(curve.x) - results.predictions[f"points {L}"].values) / curve.step
        below.plot(curve.y, steps, marker, color=colour, markerfacecolor="white", markersize=3.0)
    above.set_ylabel(r"features per spin  $\alpha_D$")
    above.legend(handles=_handles(), loc="upper left")
    below.text(0.0012, 6.5, "$L=5$ at $\\alpha>1$: scanned\nin steps of $10^{-5}$", color=MIXTURE[5], fontsize=6.5)
    below.axhspan(0.0, 1.0, color="0.9", zorder=0)
    below.set(ylim=(-1.0, 11.5), yticks=[0, 5, 10], xlabel=r"examples per spin  $\alpha$")
    below.set_ylabel("published $-$ theory\n(scan steps of $10^{-6}$)", fontsize=7)
    return figure


def _handles() -> list[Line2D]:
    handles = [
        Line2D([], [], color=colour, marker="osD^"[k], markerfacecolor="white", label=f"$L={L}$, theory and published")
        for k, (L, colour) in enumerate(MIXTURE.items())
    ]
    return [*handles, Line2D([], [], color="black", linestyle="", marker="<", label=r"limit $\alpha\to\infty$")]
