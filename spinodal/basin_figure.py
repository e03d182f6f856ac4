"""Figure of basins of attraction: where starts lead, and the radius against the load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from numerics.basins import Basin, Basins
from paper_figures.style import EXAMPLE, FEATURE, MIXTURE, letter, shade, styled

__all__ = ["draw_basins"]

# Radii without a crossing: marker and what it means.
_HOLLOW = {"none": ("o", "no attractor"), "whole": ("^", "lower bound")}
_COLOURS = {"example": EXAMPLE, "feature": FEATURE}


def draw_basins(found: Basins, path: Path) -> None:
    """Draw basin maps into a file whose ending gives the format; with two loads or more also their radius.

    The maps are those of the largest N, paler for smaller loads; the radii are paler for smaller N.
    """
    first = found.maps[0]
    colour = _COLOURS.get(first.start, MIXTURE[3])
    sizes = sorted({m.N for m in found.maps})
    loads = len({m.parameters["alpha"] for m in found.maps})
    largest = [m for m in found.maps if m.N == sizes[-1]]
    with styled():
        figure = Figure(figsize=(6.8, 2.6) if loads > 1 else (3.4, 2.6))
        FigureCanvasAgg(figure)  # no window, whatever the reader's settings
        panels = figure.subplots(1, 2 if loads > 1 else 1, squeeze=False)[0]
        _maps(panels[0], largest, colour)
        if loads > 1:
            for k, N in enumerate(sizes):
                _radii(panels[1], [m for m in found.maps if m.N == N], shade(colour, k, len(sizes)))
            _explained(panels[1], found.maps)
            panels[1].set(xlabel=r"$\alpha$", ylabel=r"radius $1 - m_0^\star$", ylim=(-0.05, 1.05))
            panels[1].set_xlim(0.0, 1.06 * max(m.loads["alpha"] for m in found.maps))
            panels[1].legend(loc="upper right")
            letter(panels[0], "(a)")
            letter(panels[1], "(b)", x=0.03, y=0.08)
        fixed = [f"$\\alpha$ = {first.loads['alpha']:g}"] if loads == 1 else []
        fixed += [f"$\\alpha_D$ = {first.loads['alpha_d']:g}"] if "alpha_d" in first.loads else []
        members = [f"$L$ = {first.L}"] if first.start == "mixture" else []
        panels[0].set_title(", ".join([first.model, first.start, *members, *fixed, f"$N$ = {sizes[-1]}"]))
        figure.savefig(path)


def _maps(axes: Axes, maps: list[Basin], colour: str) -> None:
    axes.plot([0, 1], [0, 1], ":", color="0.6", linewidth=0.7)
    for k, one in enumerate(maps):
        look = shade(colour, k, len(maps))
        lost = ", no attractor" if one.radius.kind == "none" else ""
        name = rf"$\alpha$ = {one.loads['alpha']:g}" if len(maps) > 1 else f"{one.samples} samples"
        final, errors = [m.value for m in one.final], [m.error for m in one.final]
        axes.plot(one.overlaps, final, color=look["color"], linewidth=0.6, zorder=1.5)
        axes.errorbar(one.overlaps, final, yerr=errors, label=name + lost, **look)
        if one.radius.kind == "crossing":
            axes.axvline(1.0 - one.radius.value, color=look["color"], linestyle="--", linewidth=0.6)
    axes.set(
        xlabel="initial overlap $m_0$", ylabel=r"final overlap $m_{\mathrm{final}}$", xlim=(0, 1.04), ylim=(-0.1, 1.06)
    )
    if any(one.radius.kind == "crossing" for one in maps):
        dashed = colour if len(maps) == 1 else "0.4"
        axes.plot([], [], "--", color=dashed, linewidth=0.6, label=r"$m_0^\star$ (half retrieved)")
    if len(maps) > 1:  # beside the panel: there may be many
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        # Below the panel: curves leave no corner free for certain.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)


def _explained(axes: Axes, maps: Sequence[Basin]) -> None:
    """Entries of the legend for the hollow markers that occur."""
    for kind, (marker, meaning) in _HOLLOW.items():
        if any(one.radius.kind == kind for one in maps):
            axes.plot([], [], marker, color="0.4", markerfacecolor="none", label=meaning)


def _radii(axes: Axes, maps: list[Basin], look: dict[str, object]) -> None:
    known = [m for m in maps if m.radius.kind == "crossing"]
    axes.errorbar(
        [m.loads["alpha"] for m in known],
        [m.radius.value for m in known],
        yerr=[m.radius.error for m in known],
        label=f"$N$ = {maps[0].N}",
        **look,  # type: ignore[arg-type]
    )
    # Without a crossing there is no error: hollow, at 0, or as a lower bound.
    for kind, (marker, _) in _HOLLOW.items():
        some = [m for m in maps if m.radius.kind == kind]
        axes.plot(
            [m.loads["alpha"] for m in some],
            [m.radius.value for m in some],
            marker,
            markerfacecolor="none",
            color=look["color"],
        )
