"""A plain figure of computed phase lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spinodal.diagrams import Curve, Diagram

__all__ = ["FORMATS", "draw"]

FORMATS = (".pdf", ".png", ".svg")
_SYMBOLS = {"alpha": r"$\alpha$", "alpha_d": r"$\alpha_D$", "temperature": "$T$"}
_DASHES = {"spinodal": "-", "thermodynamic": "--", "continuous": "-.", "at": ":"}
# Colours that stay apart in grey and for most colour-blind readers (Okabe and Ito).
_COLOURS = {"example": "#0072B2", "feature": "#D55E00", "spin-glass": "#000000"}
_MIXTURES = {3: "#009E73", 5: "#CC79A7", 7: "#56B4E9", 9: "#E69F00"}


def draw(diagram: Diagram, path: Path) -> None:
    """Draw the lines of `diagram` into a file whose ending gives the format."""
    import matplotlib

    # No window is opened whatever the reader's settings, and the style of a running session is left alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    features = any("alpha_d" in (c.vary, c.along) for c in diagram.lines)
    x_name, y_name = ("alpha_d", "alpha") if features else ("alpha", "temperature")
    with matplotlib.rc_context({"font.size": 9, "axes.linewidth": 0.8, "pdf.fonttype": 42}):
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for curve in diagram.lines:
            x, y = (curve.along_values, curve.values) if curve.along == x_name else (curve.values, curve.along_values)
            known = np.isfinite(x) & np.isfinite(y)
            if known.any():
                axes.plot(
                    x[known],
                    y[known],
                    _DASHES.get(curve.line, "-"),
                    color=_colour(curve),
                    lw=1.4,
                    label=curve.label,
                )
        if features:
            axes.set_xscale("log")
            axes.set_yscale("log")
        else:
            axes.set_xlim(left=0.0)
            axes.set_ylim(bottom=0.0)
        axes.set_xlabel(_SYMBOLS.get(x_name, x_name))
        axes.set_ylabel(_SYMBOLS.get(y_name, y_name))
        fixed = [
            f"{_SYMBOLS.get(k, k)} = {v:g}" if isinstance(v, float) else f"{k} {v}"
            for k, v in diagram.parameters.items()
        ]
        axes.set_title(", ".join([diagram.model, *fixed]), fontsize=9)
        if axes.lines:
            figure.legend(loc="outside right upper", frameon=False, fontsize=7)
        figure.savefig(path, dpi=300)


def _colour(curve: Curve) -> str:
    return _MIXTURES.get(curve.L or 0, "#999999") if curve.L else _COLOURS.get(curve.state, "#666666")
