"""`spinodal diagram MODEL`: all phase lines of a model."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import NOT_CONVERGED, OK, Answer, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.verbs import Point, Verb
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

    from spinodal.diagrams import Diagram

__all__ = ["VERB"]

AlphaMax = Annotated[float | None, typer.Option("--alpha-max", show_default=False, help="Upper end of alpha.")]
AlphaDMax = Annotated[float | None, typer.Option("--alpha-d-max", show_default=False, help="Upper end of alpha_d.")]
Points = Annotated[int, typer.Option("--points", help="Points per line.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", show_default=False, help="NetCDF file (.nc); a CSV is written beside it."),
]
FigureFile = Annotated[
    Path | None,
    typer.Option("--figure", show_default=False, help="Figure of the lines (.pdf, .png or .svg)."),
]


def diagram(
    point: Point,
    *,
    alpha_max: AlphaMax = None,
    alpha_d_max: AlphaDMax = None,
    points: Points = 60,
    out: Out = None,
    figure: FigureFile = None,
) -> Answer:
    """Compute all phase lines of a model."""
    from spinodal.diagrams import diagram as compute
    from spinodal.drawing import FORMATS, draw
    from spinodal.results import write_diagram

    written: list[str] = []
    with ExitStack() as stack:
        # Reserved before the work: an unwritable file is told at once, and nothing is left half-written.
        drafts = []
        if out is not None:
            drafts = [stack.enter_context(reserved(out, suffixes=(".nc",)))]
            drafts += [stack.enter_context(reserved(out.with_suffix(".csv")))]
            written += [str(out), str(out.with_suffix(".csv"))]
        picture = None
        if figure is not None:
            picture = stack.enter_context(reserved(figure, suffixes=FORMATS))
            written += [str(figure)]
        with reporting("diagram") as report:
            found = compute(point.model(), alpha_max=alpha_max, alpha_d_max=alpha_d_max, points=points, progress=report)
        if drafts:
            write_diagram(found, *drafts)
        if picture is not None:
            draw(found, picture)

    failures = {c.label: c.failures for c in found.lines if c.failures}
    remark = ", ".join(f"{n} of {label}" for label, n in failures.items())
    return Answer(
        {**found.to_json(), "files": written},
        lambda console: _show(console, found, written),
        NOT_CONVERGED if failures else OK,
        remark=f"Points that did not converge: {remark}; their status is in the result." if failures else "",
    )


def _show(out: Console, found: Diagram, written: list[str]) -> None:
    import numpy as np

    rows: list[tuple[object, ...]] = []
    for c in found.lines:
        known = np.isfinite(c.values)
        worst = f"{np.nanmax(c.errors[known]):.0e}" if known.any() and np.isfinite(c.errors[known]).any() else "-"
        rows.append((c.label, f"{c.vary}({c.along})", *_span(c.values[known]), f"{known.sum()}/{known.size}", worst))
    fixed = ", ".join(f"{k} = {v}" for k, v in found.parameters.items())
    table(
        out, ", ".join([found.model, *([fixed] if fixed else [])]), ("line", "", "from", "to", "points", "error"), rows
    )
    for name in written:
        out.print(f"wrote {name}", markup=False)


def _span(values: Any) -> tuple[str, str]:
    return (f"{values.min():.6g}", f"{values.max():.6g}") if values.size else ("-", "-")


def _axes(declared: Declaration) -> set[str]:
    """Parameters that span the plane are not options of the diagram."""
    names = {p.name for p in declared.parameters}
    if "alpha" not in names or not names & {"alpha_d", "temperature"}:
        raise InvalidInput(
            f"{declared.name} has the parameters {', '.join(sorted(names)) or 'none'}; a diagram needs alpha with "
            "alpha_d or temperature."
        )
    return {"alpha", "alpha_d"} if "alpha_d" in names else {"alpha", "temperature", "alpha_d_max"}


VERB = Verb("diagram", "Compute all phase lines of a model; save and draw them.", diagram, _axes)
