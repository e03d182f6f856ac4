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
        figure = Figure(figsize=(3.4 * len(scores), 2.6))
        FigureCanvasAgg(figure)  # no window, whatever the reader's settings
        for k, (axes, score) in enumerate(zip(figure.subplots(1, len(scores), squeeze=False)[0], scores, strict=True)):
            fractions(axes, [r for r in records if r.declared["score"] == score])
            axes.set_title({"exact": "exact score", "network": "trained network"}[score])
            letter(axes, f"({'ab'[k]})")
            if k == 0:
                axes.legend(handles=class_handles(lines=score == "exact"), loc="center left")
                axes.set_ylabel("fraction of samples")
        figure.savefig(path)
