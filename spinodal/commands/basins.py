"""`spinodal basins MODEL`: how much of a pattern must be right for the dynamics to find the rest."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import Answer, rounded, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.simulate import Backend, Coefficients, LTrain, Samples, Seed, Workers, without_features
from spinodal.commands.validate import whole_numbers
from spinodal.commands.verbs import Point, Verb
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.basins import Basins

__all__ = ["VERB"]

Sizes = Annotated[str, typer.Option("--N", help="Number of spins; several with commas.")]
Start = Annotated[str, typer.Option("--start", help="example, feature, mixture, or unseen (a fresh example).")]
LFeatures = Annotated[
    int | None,
    typer.Option(
        "--L",
        show_default="3; --L-train if sparse",
        help="Members of a mixture; active features of an unseen example.",
    ),
]
Overlaps = Annotated[
    str | None,
    typer.Option("--overlaps", show_default="0.05,0.1,...,1", help="Initial overlaps, with commas; 1 is added."),
]
Alphas = Annotated[
    str | None,
    typer.Option("--alphas", show_default=False, help="Loads with commas, in place of --alpha: radius against load."),
]
RetrievedAbove = Annotated[
    float,
    typer.Option("--retrieved-above", help="Final overlap, relative to that of the undisturbed start, that counts."),
]
Out = Annotated[Path | None, typer.Option("--out", show_default=False, help="Save maps and radii (.json).")]
FigureFile = Annotated[
    Path | None, typer.Option("--figure", show_default=False, help="Figure of maps and radii (.pdf, .png or .svg).")
]


def basins(
    point: Point,
    *,
    start: Start = "example",
    N: Sizes = "1000",
    overlaps: Overlaps = None,
    alphas: Alphas = None,
    L: LFeatures = None,
    coefficients: Coefficients = None,
    L_train: LTrain = None,
    samples: Samples = 32,
    seed: Seed = 0,
    retrieved_above: RetrievedAbove = 0.8,
    workers: Workers = 1,
    backend: Backend = "cpu",
    out: Out = None,
    figure: FigureFile = None,
) -> Answer:
    """Start at several overlaps with a pattern and see which find it."""
    from numerics.basins import OVERLAPS
    from numerics.basins import basins as measure

    if alphas is not None and "alpha" in point.given:
        raise InvalidInput("alpha is both fixed (--alpha) and varied (--alphas); leave out one of the two.")
    sizes = whole_numbers(N)
    wanted = OVERLAPS if overlaps is None else _numbers("overlaps", overlaps)
    loads = None if alphas is None else _numbers("alphas", alphas)
    written = [str(path) for path in (out, figure) if path is not None]
    with ExitStack() as stack:
        # Reserved before the work: an unwritable file is told at once, and nothing is left half-written.
        draft = None if out is None else stack.enter_context(reserved(out, suffixes=(".json",)))
        formats = (".pdf", ".png", ".svg")
        picture = None if figure is None else stack.enter_context(reserved(figure, suffixes=formats))
        with reporting("basins") as report:
            found = measure(
                point.model(),
                sizes,
                alphas=loads,
                start=start,
                overlaps=wanted,
                L=L,
                coefficients=coefficients,
                L_train=L_train,
                samples=samples,
                seed=seed,
                retrieved_above=retrieved_above,
                workers=workers,
                backend=backend,
                progress=report,
            )
        if draft is not None:
            found.save(draft)
        if picture is not None:
            from spinodal.basin_figure import draw_basins

            draw_basins(found, picture)
    return Answer({**found.to_json(), "files": written}, lambda console: _show(console, found, written))


def _show(out: Console, found: Basins, written: list[str]) -> None:
    first = found.maps[0]
    if len(found.maps) == 1:
        rows: list[tuple[object, ...]] = []
        for m_0, final, retrieved in zip(first.overlaps, first.final, first.retrieved, strict=True):
            rows.append((f"{m_0:g}", *rounded(final.value, final.error), *rounded(retrieved.value, retrieved.error)))
        table(out, _title(found), ("m_0", "m_final", "error", "retrieved", "error"), rows)
    words = {
        "crossing": "",
        "none": "no attractor: the undisturbed start is left",
        "whole": "a lower bound: even the smallest m_0 is retrieved",
    }
    lines = [
        (m.N, f"{m.loads['alpha']:.6g}", *rounded(m.radius.value, m.radius.error), words[m.radius.kind])
        for m in found.maps
    ]
    table(
        out, "radius 1 - m_0*" if len(found.maps) == 1 else _title(found), ("N", "alpha", "radius", "error", ""), lines
    )
    for name in written:
        out.print(f"wrote {name}", markup=False)


def _title(found: Basins) -> str:
    first = found.maps[0]
    loads = [f"{k} = {v:.6g}" for k, v in first.loads.items() if k != "alpha" or len(found.maps) == 1]
    size = [f"N = {first.N}"] if len(found.maps) == 1 else []
    return ", ".join([f"{first.model} from {first.start}", *size, *loads, f"{first.samples} samples"])


def _numbers(name: str, text: str) -> tuple[float, ...]:
    """Numbers of a list such as ``0.1,0.2``."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(f"{name} = '{text}' is no list of numbers; give them with commas, as 0.1,0.2,0.3.") from None


def _omitted(declared: Declaration) -> set[str]:
    """The basins are those of the dynamics at temperature 0."""
    return without_features(declared) | {"temperature"}


VERB = Verb(
    "basins",
    "Measure basins of attraction at T = 0: final against initial overlap.",
    basins,
    _omitted,
    {"temperature": "basins are those of the dynamics at T = 0, so leave the temperature out"},
)
