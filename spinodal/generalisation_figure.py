"""Figure of a run of `spinodal generalise`: fractions of the classes against the number of training points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from numerics.diffusion.generalisation import Generalisation
from paper_figures.pham2025.panels import class_handles, fractions
from paper_figures.style import letter, styled

__all__ = ["draw_generalisation"]


def draw_generalisation(records: Sequence[Generalisation], path: Path) -> None:
    """Draw one panel per score: lines for attractors by barrier (exact score), points for samples by distance."""
    scores = [s for s in ("exact", "network") if any(r.declared["score"] == s for r in records)]
    with styled():
        figure = Figure(figsize=(3.4 * len(scores), 2.8))
        FigureCanvasAgg(figure)  # no window, whatever the reader's settings
        for k, (axes, score) in enumerate(zip(figure.subplots(1, len(scores), squeeze=False)[0], scores, strict=True)):
            fractions(axes, [r for r in records if r.declared["score"] == score])
            axes.set_title({"exact": "exact score", "network": "trained network"}[score])
            letter(axes, f"({'ab'[k]})", x=0.015, y=0.9)
            axes.set_ylabel("fraction" if k == 0 else "")
        handles = class_handles(lines="exact" in scores)
        figure.legend(handles=handles, loc="outside lower center", ncols=5 if len(scores) == 2 else 3)
        figure.savefig(path)
