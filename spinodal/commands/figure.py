"""`spinodal figure PAPER` and `spinodal figures`: figures of published papers, drawn again from our own records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from numerics.progress import reporting
from spinodal.commands.answers import Answer, table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["figure", "figures"]


def figure(
    paper: Annotated[str, typer.Argument(help="Paper as listed by 'spinodal figures', say negri2023.")],
    *,
    fig: Annotated[str | None, typer.Option("--fig", show_default="all", help="Name of one figure.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer, smaller simulations; 'spinodal figures' says how long they take.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run simulations anew, not from stored records.")] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for the files; made if need be.")] = Path("figures"),
) -> Answer:
    """Draw the figures of a paper as PDF and PNG."""
    from paper_figures.catalogue import draw

    with reporting(f"figure {paper}") as report:
        files = [str(path) for path in draw(paper, fig, quick=quick, out=out, fresh=fresh, progress=report)]
    return Answer({"paper": paper, "figure": fig, "quick": quick, "files": files}, lambda c: print("\n".join(files)))


def figures() -> Answer:
    """List the figures: what each claims, what it costs, how close it must come."""
    from paper_figures.catalogue import catalogue

    rows = [
        {"paper": e.paper, "name": e.name, "claim": e.claim, "cost": e.cost, "tolerance": e.tolerance}
        for e in catalogue()
    ]

    def show(out: Console) -> None:
        for row in rows:
            lines = [(key, row[key]) for key in ("claim", "cost", "tolerance")]
            table(out, f"spinodal figure {row['paper']} --fig {row['name']}", ("", ""), lines)
            out.print()

    return Answer({"figures": rows}, show)
