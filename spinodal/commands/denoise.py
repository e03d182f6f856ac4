"""`spinodal denoise MODEL`: one synchronous step at T = 0 as a denoiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spinodal.commands.answers import Answer, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.solve import heading
from spinodal.commands.verbs import Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB"]

Before = Annotated[float, typer.Option("--m0", help="Overlap with the stored example before the step, 0 to 1.")]


def denoise(point: Point, *, m0: Before) -> Answer:
    """Overlap with a stored example after one synchronous step at T = 0."""
    from theory.errors import InvalidInput
    from theory.parameters import derived_of, fixed

    model = point.model()
    for p in model.parameters:
        if getattr(model, p.name) is None:
            flag = "--" + p.name.replace("_", "-")
            raise InvalidInput(f"{p.name} is missing; {model.name} needs it ({p.help}): give {flag}.")
    found = model.first_step(m0)
    parameters = {k: v for k, v in fixed(model).items() if k != "temperature"}
    data = {"model": model.name, "parameters": parameters, "m0": m0, **found, **derived_of(model)}

    def show(out: Console) -> None:
        rows = [("m0", m0), ("m1", found["m1"]), ("improves below alpha", found["alpha_star"])]
        rows.append(("small overlaps below", found["alpha_tilde"]))
        table(out, f"one step of {heading({**data, 'state': 'example'})}", ("", ""), rows)

    return Answer(data, show)


def _cold(declared: Declaration) -> set[str]:
    """The step is that at T = 0."""
    return {"temperature"}


VERB = Verb("denoise", "Overlap after one synchronous step at T = 0, for N -> infinity.", denoise, _cold)
