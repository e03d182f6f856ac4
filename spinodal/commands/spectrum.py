"""`spinodal spectrum MODEL`: the density of eigenvalues of a model's matrix, with its edge and atoms."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import Answer, table
from spinodal.commands.solve import heading
from spinodal.commands.verbs import Other, Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.vector_minima import Minima

__all__ = ["VERB"]

State = Annotated[str, typer.Option("--state", help="The state whose matrix is meant: example or spin-glass.")]
Points = Annotated[int, typer.Option("--points", help="Eigenvalues in the grid, at least; more where needed.")]
Out = Annotated[Path | None, typer.Option("--out", show_default=False, help="NetCDF file of the density (.nc).")]
FigureFile = Annotated[
    Path | None, typer.Option("--figure", show_default=False, help="Figure of the density (.pdf, .png or .svg).")
]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="Also find minima of systems of N spins, and take their eigenvalues.")
]
Size = Annotated[int | None, typer.Option("--N", show_default="1000", help="With --simulate: number of spins.")]
Samples = Annotated[
    int | None, typer.Option("--samples", show_default="4", help="With --simulate: number of disorder samples.")
]
Seed = Annotated[int | None, typer.Option("--seed", show_default="0", help="With --simulate: names the samples.")]
Method = Annotated[
    str | None,
    typer.Option(
        "--method",
        show_default="auto",
        help="With --simulate: lapack (all eigenvalues, N d up to 8192), lanczos (the 20 lowest) or auto.",
    ),
]

_STARTS = {"example": "example", "spin_glass": "random"}


def spectrum(
    point: Point,
    *,
    state: State = "example",
    points: Points = 400,
    simulate: Simulate = False,
    N: Size = None,
    samples: Samples = None,
    seed: Seed = None,
    method: Method = None,
    out: Out = None,
    figure: FigureFile = None,
) -> Answer:
    """Density of eigenvalues in the limit of large systems, and eigenvalues of simulated minima beside it.

    With --simulate spins are run at temperature 0 from a stored example (state example) or a random configuration
    (spin-glass; a quench ends above the ground state), and the Hessian is taken at the minima they reach.
    """
    _check_simulation(simulate, {"N": N, "samples": samples, "seed": seed, "method": method})
    from spinodal.drawing import FORMATS
    from spinodal.results import write_spectrum
    from spinodal.spectrum_figure import draw_spectrum
    from theory.model import Model
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
        model = point.model()
        if type(model).spectrum is Model.spectrum:
            model.spectrum(state, points=points)  # which says that it has none, whatever else is missing
        simulated, size = None, 1000 if N is None else N
        rules: dict[str, Any] = {}
        if simulate:
            from numerics.vector_minima import minima, planned

            start = _STARTS.get(state.replace("-", "_"), "example")
            rules = {"start": start, "seed": 0 if seed is None else seed, "method": method or "auto"}
            planned(model, size, **rules)
        found = density(model, state, points=points)
        if simulate:
            report = stack.enter_context(reporting("spectrum"))
            simulated = minima(
                model,
                size,
                samples=4 if samples is None else samples,
                progress=lambda done, total: report("samples", done, total),
                **rules,
            )
        if draft is not None:
            write_spectrum(found, draft, simulated=simulated)
        if picture is not None:
            draw_spectrum(found, picture, simulated=simulated)
    data = {**point.described(found.to_json()), "files": written}
    if simulated is not None:
        data["simulation"] = simulated.to_json()

    def show(console: Console) -> None:
        rows: list[tuple[str, object]] = [("edge", found.edge)]
        if found.edge is not None and found.edge_error is not None:
            rows.append(("error", f"{found.edge_error:.1e}"))
        for key, value in found.quantities.items():
            rows += _rows(key.replace("_", " "), value)
        rows += [(f"atom at {x:.12g}", w) for x, w in found.atoms]
        rows += [("normalisation", found.normalisation), ("error of the density", f"{found.error or 0.0:.1e}")]
        if simulated is not None:
            rows += [("", ""), *_simulated_rows(simulated)]
        rows += [("", ""), ("status", found.status)]
        table(console, f"spectrum of {heading(data)}", ("", ""), rows)
        for name in written:
            console.print(f"wrote {name}", markup=False)

    return Answer(data, show)


def _check_simulation(simulate: bool, options: dict[str, object]) -> None:
    """Refuse options of a simulation without one."""
    from theory.errors import InvalidInput

    given = [f"--{name}" for name, value in options.items() if value is not None]
    if given and not simulate:
        raise InvalidInput(f"{given[0]} belongs to simulated minima; add --simulate, or leave {given[0]} out.")


def _simulated_rows(simulated: Minima) -> list[tuple[str, object]]:
    """What was simulated, its verdicts and averages with their errors."""
    verdicts = ", ".join(f"{count} {word}" for word, count in simulated.verdicts.items())
    rows: list[tuple[str, object]] = [
        (f"simulated, N = {simulated.plan.N}, P = {simulated.plan.P}", verdicts),
        ("method", simulated.spectra[0].method),
        ("largest residual", f"{max(s.error for s in simulated.spectra):.1e}"),
    ]
    shown = ("m", "overlap", "energy", "smallest", "tangential")
    return rows + [(n, str(m)) for n, m in simulated.measurements.items() if n in shown]


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
VERB = Verb(
    "spectrum",
    "Density of eigenvalues (Hessian of a minimum), for N -> infinity or simulated.",
    spectrum,
    others=(_SCORE,),
    method="spectrum",
)
