"""Figure of a run of `spinodal generalise`: fractions, basins and curvatures of the classes against K."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from numerics.diffusion.generalisation import SCORES, Generalisation
from paper_figures.pham2025.panels import class_handles, fractions, per_class
from paper_figures.style import letter, styled

__all__ = ["draw_generalisation"]

_ROWS = {"log_volume": "log basin volume", "softest": "softest curvature"}


def draw_generalisation(records: Sequence[Generalisation], path: Path) -> None:
    """Draw one column per score: fractions (lines: attractors by barrier; points: samples by distance), then basins."""
    scores = [s for s in SCORES if any(r.declared["score"] == s for r in records)]
    with styled():
        figure = Figure(figsize=(3.4 * len(scores), 5.4))
        FigureCanvasAgg(figure)  # no window, whatever the reader's settings
        panels = figure.subplots(1 + len(_ROWS), len(scores), squeeze=False, sharex=True, sharey="row")
        for column, score in zip(panels.T, scores, strict=True):
            of_score = [r for r in records if r.declared["score"] == score]
            fractions(column[0], of_score)
            column[0].set(title={"exact": "exact score", "network": "trained network"}[score], xlabel="")
            for axes, what in zip(column[1:], _ROWS, strict=True):
                per_class(axes, of_score, what, least=2)
            column[-1].set_xlabel("training points $K$")
        for axes, label in zip(panels[:, 0], ("fraction", *_ROWS.values()), strict=True):
            axes.set_ylabel(label)
        for axes in panels[1:, 1:].flat:
            axes.set_ylabel("")
        if len(scores) == 2:
            panels[0, 1].set_ylabel("")
        for axes, mark in zip(panels.flat, "abcdef", strict=False):
            letter(axes, f"({mark})", x=0.97, y=0.9, ha="right")
        handles = class_handles(lines="exact" in scores)
        figure.legend(handles=handles, loc="outside lower center", ncols=5 if len(scores) == 2 else 3)
        figure.savefig(path)
