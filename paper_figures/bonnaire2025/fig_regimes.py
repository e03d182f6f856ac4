"""The phase diagram in samples, features and training time."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.interpolate import PchipInterpolator

from paper_figures.plan import Prediction, Results, Sizes, Spec
from paper_figures.scores import MemoryTimes, ScaleLines, ScoreOf, Star
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, shade

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "Training first underfits, then generalises, and memorises only after tau_mem,1, which grows with n; for n above "
    "n* ~ 3 p (t = 0.01) no training memorises. At a fixed training time the samples needed to generalise fall with "
    "the number of features towards a limit: the dynamics regularises, not the architecture. Trained matrices lie on "
    "the side of n* that the error of their score says. The line of tau_mem,3 ends where hidden and noise modes merge."
)
COST = "redraw: 20 s; simulations anew: 1 min of one core; --quick: 5 s"
TOLERANCE = "trained matrices at infinite time: the side of n* they are on, where theory is 20 % away from 1"

FULL: Sizes = {40: 4}
QUICK: Sizes = {25: 4}
T = 0.01
FEATURES = 64.0
# Features and samples per dimension of the trained matrices.
TRAINED = tuple((p, n) for p in (2.0, 4.0, 8.0) for n in (2.0, 4.0, 8.0, 16.0, 32.0))

_LINE = tuple(float(f"{x:.6g}") for x in np.geomspace(1.2, 1000.0, 41))
_P = tuple(float(f"{x:.6g}") for x in np.geomspace(1.5, 200.0, 11))
_N = tuple(float(f"{x:.6g}") for x in np.geomspace(1.5, 700.0, 14))
_TIMES = (3e3, 1e4)
_UNDERFIT, _GENERALISE, _MEMORISE, _ARCHITECTURE = "#DDDDDD", "#BFE3D3", "#F6CDB2", "#C6DCEB"


def spec(sizes: Sizes) -> Spec:
    """Boundaries at one number of features; the onset of memorisation and n* for all."""
    predictions: dict[str, Prediction] = {
        "lines": ScaleLines(FEATURES, T, _LINE),
        "onset": MemoryTimes(T, _P, _N),
        "star": Star(T, _P),
    }
    trained = [
        ScoreOf(p, n, T, d, samples, tau=(1.0, 1.0, 1)) for p, n in TRAINED for d, samples in sorted(sizes.items())
    ]
    return Spec(predictions, {"trained": trained})


def draw(results: Results) -> Figure:
    """Draw the plane of samples and time, and that of features and samples."""
    figure = Figure(figsize=(7.0, 3.5))
    left, right = figure.subplots(1, 2)
    _times(left, results)
    _features(right, results)
    figure.legend(handles=_handles(), loc="outside upper center", ncols=4, fontsize=6.5)
    return figure


def _times(axes: Axes, results: Results) -> None:
    found, _ = results.predictions["lines"]
    star, n, top = found.psi_n_star, found.psi_n, 1e8
    axes.fill_between(n, found.tau_gen, 1.0, color=_UNDERFIT, linewidth=0.0)
    below = n <= star
    ends = np.append(n[below], star)
    onset = np.append(found.tau_mem_1[below], np.interp(math.log(star), np.log(n), found.tau_mem_1))
    start = np.append(found.tau_gen[below], np.interp(math.log(star), np.log(n), found.tau_gen))
    axes.fill_between(ends, onset, start, color=_GENERALISE, linewidth=0.0)
    axes.fill_between(ends, top, onset, color=_MEMORISE, linewidth=0.0)
    above = np.append(star, n[~below])
    floor = np.append(start[-1], found.tau_gen[~below])
    axes.fill_between(above, top, floor, color=_ARCHITECTURE, linewidth=0.0)
    axes.plot(n, found.tau_gen, color=FEATURE)
    axes.plot(ends, onset, color=EXAMPLE)
    axes.plot(n, found.tau_mem_3, "--", color=MIXTURE[3])
    axes.plot([star, star], [start[-1], top], color="black")
    for x, y, text in (
        (9.0, 6.0, "underfit"),
        (40.0, 1.1e3, "generalise\nby dynamics"),
        (11.0, 1.2e7, "memorise"),
        (430.0, 3e5, "generalise\nby archi-\ntecture"),
    ):
        axes.text(x, y, text, ha="center", va="center", fontsize=7)
    axes.set(xscale="log", yscale="log", xlim=(n[0], n[-1]), ylim=(1.0, top))
    axes.set(xlabel=r"samples per dimension  $\psi_n=n/d$", ylabel=r"training time  $\tau$")
    axes.set_title(r"(a)  tanh, $\psi_p=64$, $t=0.01$", loc="left", pad=3)


def _features(axes: Axes, results: Results) -> None:
    p = np.geomspace(_P[0], _P[-1], 300)
    star = np.exp(np.interp(np.log(p), np.log(_P), np.log(results.predictions["star"])))
    lines = [np.fmin(_samples_at(results.predictions["onset"], tau, p), star) for tau in _TIMES]
    axes.fill_between(p, star, 1e4, color=_ARCHITECTURE, linewidth=0.0)
    axes.fill_between(p, lines[-1], star, color=_GENERALISE, linewidth=0.0)
    axes.fill_between(p, 1.0, lines[-1], color=_MEMORISE, linewidth=0.0)
    for k, (tau, line) in enumerate(zip(_TIMES, lines, strict=True)):
        look = shade(EXAMPLE, k, len(_TIMES))
        axes.plot(p, np.where(line < star, line, math.nan), color=look["color"], label=_power(tau))
    axes.plot(p, star, color="black")
    for record in results.records["trained"]:
        bad = record["score_error"].value > 1.0
        inside = "black" if bad else "white"
        axes.plot(record.loads["psi_p"], record.loads["psi_n"], "ko", markerfacecolor=inside, markersize=3.2)
    for x, y, text in (
        (30.0, 2.2, "memorise"),
        (90.0, 70.0, "generalise\nby dynamics"),
        (5.0, 150.0, "generalise by\narchitecture"),
    ):
        axes.text(x, y, text, ha="center", va="center", fontsize=7)
    axes.set(xscale="log", yscale="log", xlim=(p[0], p[-1]), ylim=(_N[0], 600.0))
    axes.set(xlabel=r"features per dimension  $\psi_p=p/d$", ylabel=r"samples per dimension  $\psi_n=n/d$")
    axes.set_title(f"(b)  after training to {_power(_TIMES[-1])}", loc="left", pad=3)


def _handles() -> list[Line2D]:
    found = [
        Line2D([], [], color=FEATURE, label=r"$\tau_\mathrm{gen}$"),
        Line2D([], [], color=EXAMPLE, label=r"$\tau_\mathrm{mem,1}$, onset"),
        Line2D([], [], color=MIXTURE[3], linestyle="--", label=r"$\tau_\mathrm{mem,3}$, completion"),
        Line2D([], [], color="black", label=r"$n^*$: $\mathcal{E}(\infty)=1$"),
    ]
    for k, tau in enumerate(_TIMES):
        name = r"$\tau_\mathrm{mem,1}=" + _power(tau).split("=")[1]
        found.append(Line2D([], [], color=shade(EXAMPLE, k, len(_TIMES))["color"], label=f"(b) {name}"))
    for inside, sign in (("black", ">"), ("white", "<")):
        label = rf"trained, $\mathcal{{E}}(\infty){sign}1$"
        mark = Line2D([], [], linestyle="", marker="o", color="black", markersize=3.2, label=label)
        mark.set_markerfacecolor(inside)
        found.append(mark)
    return found


def _power(tau: float) -> str:
    digits, exponent = f"{tau:.0e}".split("e+")
    factor = "" if digits == "1" else rf"{digits}\times "
    return rf"$\tau={factor}10^{int(exponent)}$"


def _samples_at(onset: np.ndarray, tau: float, p: np.ndarray) -> np.ndarray:
    """Samples below which a training up to tau memorises, by cubics in logarithms between the solved points."""
    known, found = [], []
    for features, row in zip(_P, onset, strict=True):
        here = np.isfinite(row)
        at = PchipInterpolator(np.log(row[here]), np.log(np.array(_N)[here]), extrapolate=False)(math.log(tau))
        # Beyond the grid all of them, or none, do.
        known.append(math.log(features))
        found.append(float(at) if np.isfinite(at) else math.log(_N[-1] if tau > row[here].max() else _N[0]))
    return np.asarray(np.exp(PchipInterpolator(known, found)(np.log(p))))
