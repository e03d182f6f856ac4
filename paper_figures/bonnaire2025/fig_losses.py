"""Train and test loss, and the error of the score, against training time for several numbers of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from numerics.diffusion.score_simulate import series
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.scores import LossesOf, ScoreOf
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, PUBLISHED

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "SAMPLES", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "At psi_p = 64, t = 0.01 (tanh) the test loss falls by tau_gen whatever n is, and rises at a time in proportion to "
    "n; the train loss collapses later still, when the hidden modes are learnt. Trained Gaussian-equivalent matrices "
    "follow the theory at every time; the true network does up to O(1/d), a fifth of the score's error at d = 60."
)
COST = "redraw: 3 s; simulations anew: 4 min of one core; --quick: 10 s"
TOLERANCE = "equivalent at the largest d: 6 standard errors plus 1.5 % of the range; true network: 25 %"

FULL: Sizes = {50: 8, 100: 4}
QUICK: Sizes = {25: 4}
POINT = (64.0, 0.01)
SAMPLES = {4.0: EXAMPLE, 8.0: MIXTURE[3], 16.0: MIXTURE[9], 32.0: FEATURE}
TRUE = (8.0, 60, 2)  # psi_n, dimensions and samples of the true network

_TAU = (1.0, 1e7, 160)


def spec(sizes: Sizes) -> Spec:
    """Theory at all times, and trainings at growing d; the true network at one number of samples."""
    psi_p, t = POINT
    simulations: dict[str, list[Any]] = {
        f"{n:g}": [ScoreOf(psi_p, n, t, d, samples) for d, samples in sorted(sizes.items())] for n in SAMPLES
    }
    if max(sizes, default=0) >= TRUE[1]:
        n, d, samples = TRUE
        simulations["true"] = [ScoreOf(psi_p, n, t, d, samples, "true")]
    return Spec({f"{n:g}": LossesOf(psi_p, n, t, _TAU) for n in SAMPLES}, simulations)


def draw(results: Results) -> Figure:
    """Draw losses on the left, the error of the score on the right."""
    figure = Figure(figsize=(7.0, 3.1))
    left, right = figure.subplots(1, 2)
    for n, colour in SAMPLES.items():
        found = results.predictions[f"{n:g}"]
        left.plot(found.tau, found.train, color=colour)
        left.plot(found.tau, found.test, "--", color=colour)
        right.plot(found.tau, found.score_error, color=colour)
        best = int(np.argmin(found.score_error))
        right.plot(found.tau[best], found.score_error[best], "v", color=colour, markersize=4.5, zorder=4)
        largest = max(results.records[f"{n:g}"], key=lambda r: r.N)
        for name, axes in (("train", left), ("test", left), ("score_error", right)):
            _points(axes, largest, name, colour, filled=True)
    for record in results.records.get("true", ()):
        for name, axes in (("train", left), ("test", left), ("score_error", right)):
            _points(axes, record, name, "#000000", filled=False)
    left.set(xscale="log", xlim=_TAU[:2], ylim=(0.0, 1.6), ylabel="loss per dimension")
    right.set(xscale="log", yscale="log", xlim=_TAU[:2], ylim=(1e-2, 3e3))
    right.set_ylabel(r"error of the score  $\mathcal{E}$")
    for axes, title in ((left, r"(a)  tanh, $\psi_p=64$, $t=0.01$"), (right, "(b)")):
        axes.set_xlabel(r"training time  $\tau$")
        axes.set_title(title, loc="left", pad=3)
    figure.legend(handles=_handles(results), loc="outside upper center", ncols=5, fontsize=6.5)
    return figure


def _points(axes: Axes, record: Any, name: str, colour: str, *, filled: bool) -> None:
    tau, value, error = series(record, name)
    axes.errorbar(
        tau,
        value,
        yerr=np.nan_to_num(error),
        fmt="o" if filled else "s",
        color=colour,
        markerfacecolor=colour if filled else "none",
        markersize=2.6 if filled else 4.2,
        markeredgewidth=0.6,
        elinewidth=0.7,
        zorder=3,
    )


def _handles(results: Results) -> list[Line2D]:
    found = [Line2D([], [], color=colour, label=rf"$\psi_n={n:g}$") for n, colour in SAMPLES.items()]
    found.append(Line2D([], [], color=PUBLISHED, label="train; score error"))
    found.append(Line2D([], [], color=PUBLISHED, linestyle="--", label="test"))
    found.append(Line2D([], [], color=PUBLISHED, linestyle="", marker="v", label=r"lowest, $\tau_\mathrm{opt}$"))
    largest = max(r.N for r in results.records["8"])
    label = f"equivalent, $d={largest}$"
    found.append(Line2D([], [], color=PUBLISHED, linestyle="", marker="o", markersize=3, label=label))
    for record in results.records.get("true", ()):
        label = f"true network, $d={record.N}$"
        found.append(Line2D([], [], color="black", linestyle="", marker="s", markerfacecolor="none", label=label))
    return found
