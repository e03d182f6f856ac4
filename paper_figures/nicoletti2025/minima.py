"""The simulated minima that the figures of local fields, Hessians and participation share."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import EXAMPLE, PUBLISHED, shade
from paper_figures.vectors import Densities, MinimaOf
from theory.models.vector_hopfield import VectorHopfield

__all__ = ["FULL", "QUICK", "Look", "handles", "look_of", "minima_of", "points", "sizes_shown", "spectra", "titled"]

FULL: Sizes = {500: 24, 1000: 8, 2000: 2}
QUICK: Sizes = {100: 4}

_LARGE = "0.04"  # the load at which the largest size is simulated
# There retrieval at the middle size has so many times the samples.  Below eigenvalues of 0.35 half of the participation
# is due to the weakest 0.2 % of the local fields, two spins in a thousand: averages over 8 samples of N = 1000 come out
# anywhere between half and one and a half of the mean.
_MANY = 20


class Look(NamedTuple):
    """A group of minima, 'example LOAD' or 'spin-glass LOAD', and the colours of its line and its points."""

    state: str
    load: str
    line: str
    marks: str


def look_of(name: str) -> Look:
    """What the name of a group says."""
    state, load = name.split()
    return Look(state, load, *((EXAMPLE, EXAMPLE) if state == "example" else ("#000000", "#D55E00")))


def titled(axes: Axes, letter: str, name: str, between: str = "") -> None:
    """Say which minima a panel shows."""
    state, load, *_ = look_of(name)
    start = "retrieval" if state == "example" else "random start"
    axes.set_title(rf"({letter})  {start}, {between}$\alpha={load}$", loc="left", pad=3)


def spectra(names: tuple[str, ...], sizes: Sizes) -> Spec:
    """Limiting spectra at d = 3 of the states named, and simulated minima."""
    predictions = {}
    for name in names:
        state, load, *_ = look_of(name)
        predictions[name] = Densities(VectorHopfield(alpha=float(load), d=3), state.replace("-", "_"))
    return Spec(predictions, {name: minima_of(name, sizes) for name in names})


def minima_of(name: str, sizes: Sizes) -> list[MinimaOf]:
    """Minima at d = 3 of a group; the largest of three sizes at one load only."""
    state, load, *_ = look_of(name)
    shown = sorted(sizes.items())
    if load != _LARGE:
        shown = shown[:2]
    elif state == "example" and len(shown) == 3:
        N, samples = shown[1]
        shown[1] = (N, _MANY * samples)
    if state == "spin-glass":
        # Small systems end in stored patterns from any start.
        shown = [(N, 2 * samples if N < max(sizes) else samples) for N, samples in shown[-2:]]
    start = "example" if state == "example" else "random"
    return [
        MinimaOf(
            VectorHopfield(alpha=float(load), d=3), N, start, samples, eigenvalues=(0.0, 2.4, 48), fields=(0.0, 2.4, 48)
        )
        for N, samples in shown
        if float(load) * N >= 2.0
    ]


def points(axes: Axes, records: list[Any], sizes: list[int], name: str, colour: str) -> None:
    """Points of a measured function, a shade and a marker per size; empty bins are left out."""
    for k, N in enumerate(sizes):
        for record in records:
            if record.N == N:
                x, y, error = record.curves[name].arrays()
                shown = y > 0.0
                look = {**shade(colour, k, len(sizes)), "linestyle": "", "markersize": 2.2}
                axes.errorbar(x[shown], y[shown], yerr=np.nan_to_num(error[shown]), **look)


def sizes_shown(results: Results) -> list[int]:
    """Numbers of spins among the records."""
    return sorted({record.N for group in results.records.values() for record in group})


def handles(results: Results) -> list[Line2D]:
    """Legend of theory, published points and sizes."""
    found = [
        Line2D([], [], color="black", label="theory"),
        Line2D([], [], color=PUBLISHED, linestyle="", marker="x", markersize=3.5, label="published, $N=4000$"),
    ]
    sizes = sizes_shown(results)
    for k, N in enumerate(sizes):
        look = shade("black", k, len(sizes))
        found.append(
            Line2D([], [], linestyle="", marker=look["fmt"], color=look["color"], markersize=3, label=f"$N={N}$")
        )
    return found
