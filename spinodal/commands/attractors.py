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
        float, typer.Option("--depth", help="Barriers below depth/beta do not separate attractors; 0 < depth < 10.")
    ] = 0.5,
    critical: Annotated[
        bool,
        typer.Option("--critical", help="Measure how much noise attractors survive: t_c, radius and volume of basins."),
    ] = False,
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

    E(x) = -(1/beta) log sum exp(-beta |x - xi|^2) over the data points xi.  The valley of an attractor is what can be
    reached from it by climbing at most depth/beta.  It is generalised if its valley spans more than 2 sigma and its
    softmax averages over at least 1/depth^2 points (and 4); else memorised if one point is within delta_m of every
    minimum of the valley, and points within delta_m hold more than half of its softmax weight; else spurious.

    Once sigma^2 exceeds every eigenvalue of the data's covariance, one minimum in the middle of the data is left,
    generalised or, where the noise hides it, spurious; classes then say nothing about the data.

    Samples (a data point plus noise sigma, one denoising step) are classified by distance: memorised within delta_m of
    a point, else spurious within delta_s of another sample, else generalised.  With --critical, attractors are noised
    and taken back by the exact probability flow; critical noise is where 9 of 10 trials end within delta_m or sigma,
    the larger, and t_c = log(1 + its square)/2.

    Barriers are in units of 1/beta, exact where the saddle was solved for and else bounds from above.  The answer has
    classes, fractions (basins: of data points by where they lead; samples), thresholds and how they were chosen,
    quartiles of barriers, averaged Hessian spectra (curvature: 2 at an isolated point) and critical, all per class;
    and up to 1000 attractors, each with energy, barrier, basin, distance to and weight of points within delta_m,
    members (1/sum w^2), softest curvature (of 2; above 1.8 the lower bound 2 - 2 Tr Cov/sigma^2), valley (its lowest
    attractor) and span.  A .npz file has all of it, and arrays of all attractors; spinodal.load reads it.
    """
    from numerics.diffusion.census import census
    from numerics.diffusion.data import read_data
    from spinodal.drawing import FORMATS
    from spinodal.results import write_arrays

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
                critical=critical,
                seed=seed,
                duplicates=duplicates,
                progress=report,
            )
        answer = {"data": data, **found.to_json(), "files": written}
        if draft is not None and draft.suffix.lower() == ".json":
            draft.write_text(json.dumps(plain(answer), allow_nan=False, indent=1) + "\n")
        elif draft is not None:
            write_arrays(answer, found.arrays(), draft)
        if picture is not None:
            from spinodal.attractor_figure import draw_attractors

            draw_attractors(found, picture)
    code, remark = OK, ""
    if len(found.found) == 1:
        remark = (
            f"sigma = {sigma:g} leaves one minimum, in the middle of all data points; classes tell data apart at lower "
            "noise only."
        )
    if found.status != "CONVERGED":
        code = NOT_CONVERGED
        remark = f"{int((~found.found.converged).sum())} of {len(found.found)} descents did not reach a minimum."
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
    if answer["critical"]:
        out.print()
        _show_critical(out, answer["critical"])
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


def _show_critical(out: Console, critical: dict[str, dict[str, dict[str, float]]]) -> None:
    def entry(found: dict[str, dict[str, float]], what: str) -> str:
        if what not in found:
            return "-"
        number = f"{found[what]['value']:.3g}"
        return number if found[what]["n"] < 2 else f"{number} +- {found[what]['error']:.1g}"

    names = ("t_c", "critical_noise", "radius", "log_volume")
    rows = [(name, *(entry(found, what) for what in names)) for name, found in critical.items()]
    table(out, "noise survived", ("class", *(name.replace("_", " ") for name in names)), rows)
