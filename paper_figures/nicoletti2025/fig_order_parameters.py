"""Order parameters of retrieval at d = 3 against the load at three temperatures: theory, print, simulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from numerics.records import Record
from paper_figures.nicoletti2025.published import ORDER_PARAMETERS
from paper_figures.plan import Branch, Prediction, Results, Simulation, Sizes, Spec
from paper_figures.style import PUBLISHED, shade
from paper_figures.vectors import FreeEnergies, smoothed
from theory.models.vector_hopfield import VectorHopfield

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "At d = 3 the published order parameters and free energies of retrieval (their Fig. 1) are ours to 1e-9, on the "
    "stable and on the unstable branch, and simulations at T = 0 and tau = 0.25, 0.5 agree."
)
COST = "redraw: 8 s; simulations anew: 6 min of one core; --quick: 20 s"
TOLERANCE = "published: 1e-9; simulations where all samples are retrieved: 3 standard errors plus a correction O(1/N)"

FULL: Sizes = {1000: 24, 4000: 8}
QUICK: Sizes = {500: 4}

_D = 3
_COLOURS = {0.0: "#0072B2", 0.25: "#009E73", 0.5: "#D55E00"}
_LOADS = {
    0.0: (0.01, 0.02, 0.03, 0.035, 0.04, 0.044),
    0.25: (0.01, 0.02, 0.03),
    0.5: (0.006, 0.01, 0.016),
}
_ENERGIES = {
    0.0: tuple(np.linspace(0.002, 0.0507, 9)),
    0.25: tuple(np.linspace(0.002, 0.0381, 6)),
    0.5: tuple(np.linspace(0.002, 0.0222, 6)),
}
_LOST = 0.03  # error of the overlap where some samples have lost the pattern
_WARM, _SWEEPS = 4, 800  # samples and sweeps at tau > 0, at half the smallest size


def spec(sizes: Sizes) -> Spec:
    """Branches through the fold, and simulations from a stored pattern."""
    predictions: dict[str, Prediction] = {}
    simulations = {}
    for tau, loads in _LOADS.items():
        model = VectorHopfield(d=_D, temperature=tau)
        predictions[f"f {tau:g}"] = FreeEnergies(model, "example", _ENERGIES[tau])
        predictions[f"{tau:g}"] = Branch(model, "example", "alpha", (1e-4, 0.2))
        warm = {min(sizes) // 2: min(_WARM, sizes[min(sizes)])} if tau else sizes
        simulations[f"{tau:g}"] = [
            Simulation(
                VectorHopfield(alpha=alpha, d=_D, temperature=tau),
                N,
                "example",
                samples,
                sweeps=_SWEEPS if tau else None,
            )
            for N, samples in sorted(warm.items())
            for alpha in loads
            if alpha * N >= 2.0
        ]
    return Spec(predictions, simulations)


def draw(results: Results) -> Figure:
    """Draw m, chi, and the free energy."""
    figure = Figure(figsize=(7.0, 2.7))
    panels = figure.subplots(1, 3)
    for tau, colour in _COLOURS.items():
        followed = results.predictions[f"{tau:g}"]
        for axes, name in zip(panels, ("m", "chi"), strict=False):
            for load, value, looks in smoothed(followed, followed.order_parameters[name]):
                axes.plot(_D * load, value, color=colour, **looks)
        loads = np.array(_ENERGIES[tau])
        panels[2].plot(_D * loads, results.predictions[f"f {tau:g}"] + _theirs(tau, loads), color=colour)
        for axes, name in zip(panels, ("m", "chi", "f"), strict=True):
            curve = ORDER_PARAMETERS[tau, name]
            axes.plot(_D * np.array(curve.x), curve.y, "x", color=PUBLISHED, markersize=3.5, zorder=4)
        records = results.records[f"{tau:g}"]
        _points(panels[0], records, colour, lambda r: (r["m"].value, r["m"].error))
        if tau:
            _points(panels[1], records, colour, partial(_response, tau))
        else:
            _points(panels[2], records, colour, lambda r: (r["energy"].value, r["energy"].error))
    for axes, letter, label in zip(
        panels, "abc", ("overlap  $m$", r"response  $\chi$", r"free energy  $f$ (theirs)"), strict=True
    ):
        axes.set(xlabel=r"scaled load  $d\alpha = dP/N$", ylabel=label, xlim=(0.0, 0.158))
        axes.set_title(f"({letter})", loc="left", pad=3)
    panels[0].set_ylim(0.0, 1.03)
    panels[1].set_ylim(1.95, 3.03)
    figure.legend(handles=_handles(results), loc="outside upper center", ncols=8, fontsize=6.5)
    return figure


def _response(tau: float, record: Record) -> tuple[float, float]:
    """``chi = d (1 - q)/tau`` from the overlap of replicas, and its error."""
    q = record["q"]
    return _D * (1.0 - q.value) / tau, _D * q.error / tau


def _theirs(tau: float, loads: NDArray[np.float64]) -> NDArray[np.float64]:
    """What their free energy has more than ours: the unit of the patterns."""
    return np.asarray(tau * loads / (2.0 * _D) * np.log(_D))


def _points(axes: Axes, records: list[Record], colour: str, value: Callable[[Record], tuple[float, float]]) -> None:
    """Points of simulations in which no sample has lost the pattern, which makes errors large."""
    sizes = sorted({r.N for r in records})
    for k, N in enumerate(sizes):
        here = [r for r in records if r.N == N and not r["m"].error > _LOST]
        columns = [value(r) for r in here]
        axes.errorbar(
            [_D * r.loads["alpha"] for r in here],
            [c[0] for c in columns],
            yerr=np.nan_to_num([c[1] for c in columns]),
            **{**shade(colour, k, len(sizes)), "linestyle": ""},
        )


def _handles(results: Results) -> list[Line2D]:
    handles = [Line2D([], [], color=c, label=rf"$\tau={tau:g}$") for tau, c in _COLOURS.items()]
    handles.append(Line2D([], [], color="black", linestyle=":", linewidth=0.8, label="unstable"))
    handles.append(Line2D([], [], color=PUBLISHED, linestyle="", marker="x", markersize=3.5, label="published"))
    warm = [r.N for tau in _COLOURS if tau for r in results.records[f"{tau:g}"]]
    if warm:
        label = rf"$N={warm[0]}$, $\tau>0$"
        handles.append(Line2D([], [], linestyle="", marker="v", color="black", markersize=3, label=label))
    sizes = sorted({r.N for r in results.records["0"]})
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        handles.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return handles
