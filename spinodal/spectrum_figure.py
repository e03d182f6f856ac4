"""A figure of a spectrum: the density with its lower end enlarged, and how far eigenvectors extend."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from numerics.vector_minima import Minima
from paper_figures.style import EXAMPLE, PUBLISHED, shade, styled
from theory.spectra import Spectrum

__all__ = ["draw_spectrum"]

_SYMBOLS = {"alpha": r"$\alpha$", "temperature": r"$\tau$", "d": "$d$"}
_COLOURS = {"example": EXAMPLE}
_FAINT = 1e-12  # share of the highest density down to which the inset goes
_SIDES, _WIDTH = (0.66, 0.12), 0.31  # of the inset, in shares of the panel
_BINS = 32  # of simulated eigenvalues
_LOCALISED = 1e4  # participation beyond which nothing is shown


def draw_spectrum(found: Spectrum, path: Path, *, simulated: Minima | None = None) -> None:
    """Draw into a file whose ending gives the format; points are simulated minima, with errors over samples."""
    # No window is opened whatever the reader's settings, and the style of a running session is left alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    participation = found.curves.get("participation")
    colour = _COLOURS.get(found.state, "#000000")
    with styled():
        figure = Figure(figsize=(3.4, 3.4 if participation is not None else 2.6))
        FigureCanvasAgg(figure)
        if participation is None:
            axes = lowest = figure.add_subplot()
        else:
            axes, lowest = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1.0))
            _localisation(lowest, found, participation, colour)
        axes.plot(found.eigenvalue, found.density, color=colour)
        highest = found.density.max()
        if simulated is not None:
            highest = max(highest, _measured(axes, lowest if participation is not None else None, found, simulated))
        for position, weight in found.atoms:
            axes.axvline(position, color=colour, linestyle=":", linewidth=0.8)
            axes.annotate(f"{weight:.3g}" if weight else "", (position, 0.97), xycoords=("data", "axes fraction"))
        axes.set_ylim(0.0, 1.05 * highest)
        axes.set_ylabel(r"density $\rho(\lambda)$")
        low, high = _shown(found)
        axes.set_xlim(low, high)
        lowest.set_xlabel(r"eigenvalue $\lambda$")
        given = [
            f"{_SYMBOLS.get(k, k)} = {v:g}" for k, v in found.parameters.items() if not (k == "temperature" and not v)
        ]
        axes.set_title(", ".join([found.model, found.state.replace("_", "-"), *given]))
        _lower_end(axes, found, colour)
        figure.savefig(path, dpi=300)


def _shown(found: Spectrum) -> tuple[float, float]:
    """The range that holds all but 1e-5 of the upper eigenvalues, from zero or below."""
    upper = float(np.interp(1.0 - 1e-5, found.cumulative, found.eigenvalue))
    return min(0.0, float(found.eigenvalue[0])), 1.03 * upper


def _measured(axes: Axes, below: Axes | None, found: Spectrum, simulated: Minima) -> float:
    """Points of simulated minima, density and participation in bins; return the highest density."""
    top = (
        min(s.eigenvalues[-1] for s in simulated.spectra)
        if simulated.spectra[0].method == "lanczos"
        else _shown(found)[1]
    )
    edges = np.linspace(0.0, float(top), _BINS + 1)
    look = {**shade("#D55E00", 0, 1), "linestyle": ""}
    panels = [(axes, simulated.density(edges))]
    if below is not None:
        panels.append((below, simulated.participation(edges)))
    for panel, curve in panels:
        x, y, error = curve.arrays()
        panel.errorbar(x, y, yerr=np.nan_to_num(error), **look)
    axes.text(
        0.97, 0.02, f"points: $N = {simulated.plan.N}$", transform=axes.transAxes, ha="right", va="bottom", fontsize=6.5
    )
    return float(np.nanmax(panels[0][1].arrays()[1]))


def _localisation(axes: Axes, found: Spectrum, participation: NDArray[np.float64], colour: str) -> None:
    """Participation against the eigenvalue, on a logarithmic scale."""
    extended = np.where(participation < _LOCALISED, participation, np.nan)
    axes.plot(found.eigenvalue, extended, color=colour)
    axes.set_yscale("log")
    axes.set_ylim(0.8, _LOCALISED)
    axes.set_ylabel(r"$N \times$ IPR")


def _lower_end(axes: Axes, found: Spectrum, colour: str) -> None:
    """Inset: a square-root edge on linear scales, or the density without edge on logarithmic ones."""
    soft = found.curves.get("soft_law")
    if found.edge and found.edge > 0.0:
        inset = _inset(axes, found)
        near = (found.eigenvalue < 6.0 * found.edge) & (found.eigenvalue > 0.0)
        inset.plot(
            np.append(found.edge, found.eigenvalue[near]),
            np.append(0.0, found.density[near]),
            color=colour,
            linewidth=1.0,
        )
        inset.axvline(found.edge, color=PUBLISHED, linestyle=":", linewidth=0.7)
        inset.set_xlim(0.0, 6.0 * found.edge)
        inset.set_ylim(bottom=0.0)
        inset.xaxis.set_major_locator(MaxNLocator(3))
        inset.yaxis.set_major_locator(MaxNLocator(3, prune="lower"))
        inset.set_title(rf"$\lambda_e$ = {found.edge:.6g}", fontsize=6.5, pad=2)
    elif soft is not None:
        inset = _inset(axes, found)
        peak = float(found.eigenvalue[np.argmax(found.density)])
        near = (found.eigenvalue > 1e-2 * peak) & (found.eigenvalue < peak) & (found.density > 0.0)
        inset.plot(found.eigenvalue[near], found.density[near], color=colour, linewidth=1.0)
        inset.plot(found.eigenvalue[near], soft[near], "--", color=PUBLISHED, linewidth=0.8)
        inset.set_xscale("log")
        inset.set_yscale("log")
        peak_density = float(found.density.max())
        inset.set_ylim(max(_FAINT * peak_density, 0.5 * float(soft[near].min())), 4.0 * peak_density)
        inset.xaxis.set_minor_formatter(NullFormatter())
        inset.set_title(r"dashed: $p(\lambda/\Lambda)/\Lambda$", fontsize=6.5, pad=2)


def _inset(axes: Axes, found: Spectrum) -> Axes:
    """Small axes on the side where the density leaves more room."""
    low, high = _shown(found)
    place = (found.eigenvalue - low) / (high - low)

    def highest(left: float) -> float:
        return float(found.density[(place > left - 0.1) & (place < left + _WIDTH)].max(initial=0.0))

    left = min(_SIDES, key=highest)
    axes.set_ylim(top=max(axes.get_ylim()[1], highest(left) / 0.42))
    inset: Axes = axes.inset_axes((left, 0.5, _WIDTH, 0.36))
    inset.tick_params(labelsize=6, pad=1.5)
    return inset
