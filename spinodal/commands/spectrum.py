"""`spinodal spectrum MODEL`: the density of eigenvalues of a model's matrix, with its edge and atoms."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from numerics.files import reserved
from spinodal.commands.answers import Answer, table
from spinodal.commands.solve import heading
from spinodal.commands.verbs import Other, Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB"]

State = Annotated[str, typer.Option("--state", help="The state whose matrix is meant: example or spin-glass.")]
Points = Annotated[int, typer.Option("--points", help="Eigenvalues in the grid, at least; more where needed.")]
Out = Annotated[Path | None, typer.Option("--out", show_default=False, help="NetCDF file of the density (.nc).")]
FigureFile = Annotated[
    Path | None, typer.Option("--figure", show_default=False, help="Figure of the density (.pdf, .png or .svg).")
]


def spectrum(
    point: Point, *, state: State = "example", points: Points = 400, out: Out = None, figure: FigureFile = None
) -> Answer:
    """Density of eigenvalues in the limit of large systems."""
    from spinodal.drawing import FORMATS
    from spinodal.results import write_spectrum
    from spinodal.spectrum_figure import draw_spectrum
    from theory.spectra import spectrum as density

    written: list[str] = []
    with ExitStack() as stack:
        # Reserved before the work: an unwritable file is told at once, and nothing is left half-written.
        draft = picture = None
        if out is not None:
            draft = stack.enter_context(reserved(out, suffixes=(".nc",)))
            written += [str(out)]
        if figure is not None:
            picture = stack.enter_context(reserved(figure, suffixes=FORMATS))
            written += [str(figure)]
        found = density(point.model(), state, points=points)
        if draft is not None:
            write_spectrum(found, draft)
        if picture is not None:
            draw_spectrum(found, picture)
    data = {**point.described(found.to_json()), "files": written}

    def show(console: Console) -> None:
        rows: list[tuple[str, object]] = [("edge", found.edge)]
        if found.edge is not None and found.edge_error is not None:
            rows.append(("error", f"{found.edge_error:.1e}"))
        for key, value in found.quantities.items():
            rows += _rows(key.replace("_", " "), value)
        rows += [(f"atom at {x:.12g}", w) for x, w in found.atoms]
        rows += [("normalisation", found.normalisation), ("error of the density", f"{found.error or 0.0:.1e}")]
        rows += [("", ""), ("status", found.status)]
        table(console, f"spectrum of {heading(data)}", ("", ""), rows)
        for name in written:
            console.print(f"wrote {name}", markup=False)

    return Answer(data, show)


def _rows(name: str, value: object) -> list[tuple[str, object]]:
    """One row per number."""
    if isinstance(value, dict):
        return [row for k, v in value.items() for row in _rows(f"{name}: {k.replace('_', ' ')}", v)]
    if isinstance(value, list):
        return [(name, ", ".join(f"{v:.6g}" for v in value))]
    return [(name, value)]


_SCORE = Other(
    "score", "Feature matrix of a random-feature score model in training.", "spinodal.commands.score:spectrum"
)
VERB = Verb("spectrum", "Density of eigenvalues (Hessian of a minimum), for N -> infinity.", spectrum, others=(_SCORE,))
