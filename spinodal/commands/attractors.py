"""`spinodal attractors DATA`: minima of the energy that diffusion with the exact score has, and their classes."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import NOT_CONVERGED, OK, Answer, plain, table

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.diffusion.census import Census

__all__ = ["attractors"]

_SHOWN = 20


def attractors(
    data: Annotated[
        str, typer.Argument(help="File of K points in N dimensions (.npy, .npz, .csv), or circle, digits.")
    ],
    *,
    sigma: Annotated[
        float,
        typer.Option("--sigma", help="Standard deviation of the noise, in the data's unit; beta = 1/(2 sigma^2)."),
    ],
    K: Annotated[
        int | None,
        typer.Option("--K", show_default="all; 9 on the circle", help="Number of points: the first K."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Names the random numbers.")] = 0,
    key: Annotated[str | None, typer.Option("--key", show_default=False, help="Array of a .npz file.")] = None,
    duplicates: Annotated[
        str, typer.Option("--duplicates", help="Points that occur twice: refuse, count (keep their weight) or drop.")
    ] = "refuse",
    delta_m: Annotated[
        float | None,
        typer.Option("--delta-m", show_default="from the data", help="Memorised: within this distance of a memory."),
    ] = None,
    delta_s: Annotated[
        float | None,
        typer.Option("--delta-s", show_default="from the data", help="Spurious sample: this near to another."),
    ] = None,
    depth: Annotated[
        float, typer.Option("--depth", help="Barriers below depth/beta do not separate attractors.")
    ] = 0.5,
    samples: Annotated[
        int | None,
        typer.Option("--samples", show_default="K, at most 2000", help="Samples classified by distance."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", show_default=False, help="Save: answer (.json) or arrays (.npz).")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", show_default=False, help="Figure (.pdf, .png or .svg).")
    ] = None,
) -> Answer:
    """Minima of the energy of a data set at noise sigma: memorised, spurious or generalised.

    E(x) = -(1/beta) log sum exp(-beta |x - xi|^2) over the data points xi.  Barriers are in units of 1/beta.
    """
    from numerics.diffusion.census import census
    from numerics.diffusion.data import read_data
    from spinodal.drawing import FORMATS

    written = [str(path) for path in (out, figure) if path is not None]
    with ExitStack() as stack:
        # Reserved before the work: an unwritable file is told at once, and nothing is left half-written.
        draft = None if out is None else stack.enter_context(reserved(out, suffixes=(".json", ".npz")))
        picture = None if figure is None else stack.enter_context(reserved(figure, suffixes=FORMATS))
        with reporting("attractors") as report:
            found = census(
                read_data(data, K=K, seed=seed, key=key),
                sigma,
                delta_m=delta_m,
                delta_s=delta_s,
                depth=depth,
                samples=samples,
                seed=seed,
                duplicates=duplicates,
                progress=report,
            )
        answer = {"data": data, **found.to_json(), "files": written}
        if draft is not None and draft.suffix.lower() == ".json":
            draft.write_text(json.dumps(plain(answer), allow_nan=False, indent=1) + "\n")
        elif draft is not None:
            import numpy as np

            np.savez(draft, allow_pickle=False, **found.arrays())
        if picture is not None:
            from spinodal.attractor_figure import draw_attractors

            draw_attractors(found, picture)
    remark = ""
    if found.status != "CONVERGED":
        remark = f"{int((~found.found.converged).sum())} of {len(found.found)} descents did not reach a minimum."
    code = NOT_CONVERGED if remark else OK
    return Answer(answer, lambda console: _show(console, found, answer), code, remark)


def _show(out: Console, found: Census, answer: dict[str, Any]) -> None:
    fractions = answer["fractions"]
    title = f"{answer['data']}: K = {found.data.K}, N = {found.data.N}, sigma = {found.sigma:g}"
    rows: list[tuple[object, ...]] = [
        (
            name,
            answer["classes"][name],
            f"{fractions['basins'][name]:.4g}",
            f"{fractions['samples'][name]:.4g}",
            f"{answer['curvature'][name][0]:.4g}" if name in answer["curvature"] else "-",
        )
        for name in answer["classes"]
    ]
    table(out, title, ("class", "attractors", "of memories", "of samples", "softest curvature"), rows)
    limits = found.thresholds
    lines: list[tuple[object, ...]] = [
        ("attractors, valleys", f"{answer['minima']}, {answer['valleys']}"),
        ("delta_m, delta_s", f"{limits.delta_m:.4g}, {limits.delta_s:.4g}"),
        ("", limits.why),
        ("depth", f"{found.depth:g}/beta"),
        ("error of positions", f"{answer['error']:.1e}"),
        ("status", answer["status"]),
    ]
    out.print()
    table(out, "", ("", ""), lines)
    listed = answer["attractors"][:_SHOWN]
    out.print()
    table(
        out,
        "lowest attractors" if len(found.found) > len(listed) else "attractors",
        ("class", "energy", "barrier", "of memories", "distance", "members"),
        [
            (
                row["class"],
                f"{row['energy']:.6g}",
                f"{row['barrier']:.4g}" + ("" if row["barrier_exact"] else " (bound)"),
                f"{row['basin']:.4g}",
                f"{row['distance']:.3g}",
                f"{row['members']:.3g}",
            )
            for row in listed
        ],
    )
    for name in answer["files"]:
        out.print(f"wrote {name}", markup=False)
