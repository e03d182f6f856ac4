"""`spinodal denoise MODEL`: one synchronous step at T = 0 as a denoiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.progress import reporting
from spinodal.commands.answers import Answer, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.solve import heading
from spinodal.commands.verbs import Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB"]

Before = Annotated[float, typer.Option("--m0", help="Overlap with the stored example before the step, 0 to 1.")]
Size = Annotated[
    int | None, typer.Option("--N", show_default=False, help="Also simulate the step in systems of N spins.")
]
Samples = Annotated[int | None, typer.Option("--samples", show_default="16", help="With --N: disorder samples.")]
Seed = Annotated[int | None, typer.Option("--seed", show_default="0", help="With --N: names the samples.")]


def denoise(point: Point, *, m0: Before, N: Size = None, samples: Samples = None, seed: Seed = None) -> Answer:
    """Overlap with a stored example after one synchronous step at T = 0."""
    from theory.errors import InvalidInput
    from theory.model import Model
    from theory.parameters import derived_of, fixed

    model = point.model()
    if type(model).first_step is Model.first_step:
        model.first_step(m0)  # which says that it has none, whatever else is missing
    for p in model.parameters:
        if getattr(model, p.name) is None:
            flag = "--" + p.name.replace("_", "-")
            raise InvalidInput(f"{p.name} is missing; {model.name} needs it ({p.help}): give {flag}.")
    if N is None and (samples is not None or seed is not None):
        name = "--samples" if samples is not None else "--seed"
        raise InvalidInput(f"{name} belongs to a simulated step; add --N, or leave {name} out.")
    found = model.first_step(m0)
    parameters = {k: v for k, v in fixed(model).items() if k != "temperature"}
    data = {"model": model.name, "parameters": parameters, "m0": m0, **found, **derived_of(model)}
    if N is not None:
        data["simulation"] = _simulated(model, N, m0, 16 if samples is None else samples, 0 if seed is None else seed)

    def show(out: Console) -> None:
        rows: list[tuple[str, object]] = [("m0", m0), ("m1", found["m1"])]
        rows += [("improves below alpha", found["alpha_star"]), ("small overlaps below", found["alpha_tilde"])]
        if N is not None:
            run = data["simulation"]
            rows += [("", ""), (f"simulated m1, N = {N}", run["m1_text"]), ("theory at its load", run["m1_theory"])]
        table(out, f"one step of {heading({**data, 'state': 'example'})}", ("", ""), rows)

    return Answer(data, show)


def _simulated(model: Any, N: int, m0: float, samples: int, seed: int) -> dict[str, Any]:
    """The measured step, and the theory at the loads and overlaps that the samples have."""
    from dataclasses import replace

    from numerics.first_step import first_step

    with reporting("denoise") as report:
        run = first_step(
            model, N, m0=m0, samples=samples, seed=seed, progress=lambda done, total: report("samples", done, total)
        )
    before, after = run["m0"], run["m1"]
    expected = replace(model, alpha=run.loads["alpha"]).first_step(min(1.0, before.value))["m1"]
    return {
        "N": run.N,
        "P": run.P,
        "loads": run.loads,
        "samples": run.samples,
        "seed": run.seed,
        "m0": before.to_json(),
        "m1": after.to_json(),
        "m1_theory": expected,
        "deviation": (after.value - expected) / after.error if after.error > 0.0 else None,
        "m1_text": str(after),
        "provenance": run.provenance,
    }


def _cold(declared: Declaration) -> set[str]:
    """The step is that at T = 0."""
    return {"temperature"}


VERB = Verb(
    "denoise",
    "Overlap after one synchronous step at T = 0, for N -> infinity or simulated.",
    denoise,
    _cold,
    method="first_step",
)
