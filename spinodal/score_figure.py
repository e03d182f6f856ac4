"""Figures of score models: every bulk of the spectrum, and the losses against training time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from paper_figures.style import PUBLISHED, styled
from theory.diffusion.losses import Losses
from theory.spectra import Spectrum

__all__ = ["draw_bulks", "draw_losses"]

_COLOURS = {"1": "#0072B2", "2": "#D55E00", "3": "#009E73"}
_MERGED = "#CC79A7"
_WORDS = {"1": "noise", "2": "population", "3": "hidden"}
_MOST_ZOOMS = 3


def draw_bulks(found: Spectrum, path: Path) -> None:
    """Draw all bulks on a logarithmic axis, and each enlarged, into a file whose ending gives the format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bulks = found.quantities["bulks"]
    zooms = len(bulks) if len(bulks) <= _MOST_ZOOMS else 0
    with styled():
        figure = Figure(figsize=(3.4, 3.5 if zooms else 2.4))
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2 if zooms else 1, max(zooms, 1), height_ratios=(1.25, 1.0) if zooms else None)
        top = figure.add_subplot(grid[0, :])
        for k, bulk in enumerate(bulks):
            inside = (found.eigenvalue >= bulk["low"]) & (found.eigenvalue <= bulk["high"])
            x, y, colour = found.eigenvalue[inside], found.density[inside], _colour(bulk["name"])
            alike = [b for b in bulks if b["name"] == bulk["name"]]
            label = f"{_name(bulk['name'])}, {sum(b['weight'] for b in alike):.3g}" if bulk is alike[0] else None
            ends_x, ends_y = _closed(bulk, x, y)
            top.plot(ends_x, np.maximum(ends_x * ends_y, 1e-300), color=colour, label=label)
            if zooms:
                _zoom(figure.add_subplot(grid[1, k]), bulk, x, y, colour, k)
        for position, weight in found.atoms:
            if position > 0.0:
                top.axvline(position, color=PUBLISHED, linestyle=":", linewidth=0.8, label=rf"$\delta$, {weight:.3g}")
        top.set_xscale("log")
        top.set_yscale("log")
        peak = max(float((found.eigenvalue * found.density).max()), 1e-300)
        lowest = min(
            (np.max(found.density[_in(found, b)] * found.eigenvalue[_in(found, b)]) for b in bulks), default=peak
        )
        top.set_ylim(0.02 * lowest, 30.0 * peak)
        top.set_xlabel(r"eigenvalue $\lambda$")
        top.set_ylabel(r"$\lambda \rho(\lambda)$")
        top.legend(ncols=2, fontsize=6.5, title="modes, weight", title_fontsize=6.5)
        top.set_title(_title(found.parameters, found.quantities["activation"]))
        figure.savefig(path, dpi=300)


def draw_losses(found: Losses, head: Mapping[str, Any], path: Path) -> None:
    """Draw losses and the error of the score, with the time scales, into a file whose ending gives the format."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with styled():
        figure = Figure(figsize=(3.4, 3.6))
        FigureCanvasAgg(figure)
        upper, lower = figure.subplots(2, 1, sharex=True)
        upper.plot(found.tau, found.train, color=_COLOURS["1"], label="train")
        upper.plot(found.tau, found.test, "--", color=_COLOURS["2"], label="test")
        upper.set_ylim(0.0, 1.5)
        upper.set_ylabel("loss per dimension")
        lower.plot(found.tau, found.score_error, color="#000000")
        lower.set_yscale("log")
        lower.set_ylabel(r"score error $\mathcal{E}$")
        lower.set_xlabel(r"training time $\tau$")
        lower.set_xscale("log")
        lower.set_xlim(float(found.tau[0]), float(found.tau[-1]))
        marks = (("tau_gen", "gen", "2"), ("tau_mem_1", "mem,1", "1"), ("tau_mem_3", "mem,3", "3"))
        for name, label, kind in marks:
            if head.get(name) is not None and found.tau[0] <= head[name] <= found.tau[-1]:
                for axes in (upper, lower):
                    axes.axvline(head[name], color=_COLOURS[kind], linestyle=":", linewidth=0.8)
                upper.plot([], [], ":", color=_COLOURS[kind], linewidth=0.8, label=rf"$\tau_\mathrm{{{label}}}$")
        if head.get("tau_opt") is not None:
            lower.plot(head["tau_opt"], head["score_error_opt"], "o", color="#000000", label=r"$\tau_\mathrm{opt}$")
            lower.legend(loc="upper left")
        upper.legend(loc="lower left", fontsize=6.5)
        upper.set_title(_title(head["parameters"], head["activation"]))
        figure.savefig(path, dpi=300)


def _closed(bulk: Mapping[str, Any], x: Any, y: Any) -> tuple[Any, Any]:
    """A density with its edges, where it vanishes; at an edge on s^2 it diverges."""
    closed = bulk["above_low"] > 0.0
    ends_x = np.concatenate([[bulk["low"]] if closed else [], x, [bulk["high"]]])
    return ends_x, np.concatenate([[0.0] if closed else [], y, [0.0]])


def _zoom(axes: Axes, bulk: Mapping[str, Any], x: Any, y: Any, colour: str, k: int) -> None:
    """One bulk on linear axes, closed at its edges."""
    ends_x, ends_y = _closed(bulk, x, y)
    axes.fill_between(ends_x, ends_y, color=colour, alpha=0.25, linewidth=0.0)
    axes.plot(ends_x, ends_y, color=colour, linewidth=1.0)
    axes.set_ylim(0.0, 1.1 * float(np.quantile(y, 1.0 if bulk["above_low"] > 0.0 else 0.97)))
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=6)
    axes.set_title(f"bulk {bulk['name']}", fontsize=7, pad=2)
    axes.set_xlabel(r"$\lambda$", fontsize=8)
    if k == 0:
        axes.set_ylabel(r"$\rho(\lambda)$", fontsize=8)


def _in(found: Spectrum, bulk: Mapping[str, Any]) -> Any:
    return (found.eigenvalue >= bulk["low"]) & (found.eigenvalue <= bulk["high"])


def _colour(name: str) -> str:
    return _COLOURS.get(name, _MERGED)


def _name(name: str) -> str:
    return " + ".join(_WORDS[kind] for kind in name.split("+"))


def _title(parameters: Mapping[str, float], activation: str) -> str:
    symbols = {"psi_p": r"$\psi_p$", "psi_n": r"$\psi_n$", "t": "$t$"}
    return ", ".join([f"score: {activation}", *(f"{symbols.get(k, k)} = {v:g}" for k, v in parameters.items())])
