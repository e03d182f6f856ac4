"""The look of all figures: one colour per state, safe for colour-blind readers, and files written whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from numerics.files import reserved
from numerics.records import Record
from theory.branches import StateBranch

__all__ = [
    "EXAMPLE",
    "FEATURE",
    "MIXTURE",
    "PUBLISHED",
    "branch_curve",
    "letter",
    "measured",
    "save",
    "shade",
    "styled",
]

# Okabe and Ito's palette.
EXAMPLE = "#0072B2"
FEATURE = "#D55E00"
MIXTURE = {3: "#009E73", 5: "#CC79A7", 7: "#56B4E9", 9: "#E69F00"}
PUBLISHED = "#444444"


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style; the caller's settings come back afterwards."""
    with matplotlib.rc_context(fname=str(Path(__file__).with_name("style.mplstyle"))):
        yield


def save(figure: Figure, out: Path, name: str) -> list[Path]:
    """Write a figure as PDF and PNG; each file appears whole or not at all.

    Raises
    ------
    InvalidInput
        If the folder is not writable.
    """
    files = []
    for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
        target = out / f"{name}{suffix}"
        with reserved(target) as draft:
            # Without dates the same records give the same bytes.
            figure.savefig(draft, metadata=metadata)
        files.append(target)
    return files


def shade(colour: str, k: int, count: int) -> dict[str, Any]:
    """How points of the k-th of `count` sizes look: the state's colour, paler for smaller systems."""
    share = 1.0 if count == 1 else 0.35 + 0.65 * k / (count - 1)
    red, green, blue = (1.0 - share * (1.0 - c) for c in to_rgb(colour))
    return {
        "fmt": "vsoD^"[k % 5],
        "color": (red, green, blue),
        "markersize": 2.8,
        "elinewidth": 0.7,
        "capsize": 0,
        "zorder": 3 + 0.1 * k,
    }


def measured(axes: Axes, records: list[Record], colour: str, observable: str) -> None:
    """Points of one observable against alpha with their errors, a shade and a marker per size."""
    sizes = sorted({r.N for r in records})
    for k, N in enumerate(sizes):
        here = [r for r in records if r.N == N]
        axes.errorbar(
            [r.loads["alpha"] for r in here],
            [r[observable].value for r in here],
            yerr=[r[observable].error for r in here],
            **shade(colour, k, len(sizes)),
        )


def branch_curve(
    axes: Axes, branch: StateBranch, name: str, colour: str, *, factor: float = 1.0, **options: Any
) -> None:
    """Draw an order parameter along a branch: solid where it is the stable one, dotted beyond the spinodal."""
    y = factor * branch.order_parameters[name]
    stable = np.asarray(branch.stable)
    # A point of each neighbour joins the two at the fold.
    joined = stable.copy()
    joined[1:] |= stable[:-1]
    joined[:-1] |= stable[1:]
    axes.plot(branch.parameter, np.where(joined, y, np.nan), color=colour, **{"zorder": 2, **options})
    dotted = {"linewidth": 0.8, "zorder": 1.5, **options}
    axes.plot(branch.parameter, np.where(stable, np.nan, y), ":", color=colour, **dotted)


def letter(axes: Axes, text: str, **options: Any) -> None:
    """Label a panel in its upper left corner."""
    place = {"x": 0.03, "y": 0.96, "ha": "left", "va": "top", **options}
    axes.text(place.pop("x"), place.pop("y"), text, transform=axes.transAxes, **place)
