"""`spinodal threshold MODEL`: where a state appears, becomes the lowest, or turns unstable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from numerics.progress import searching
from spinodal.commands.answers import Answer, table
from spinodal.commands.solve import L, State, heading, other_loads, without_mixtures
from spinodal.commands.verbs import Other, Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB"]

Line = Annotated[
    str,
    typer.Option("--line", help="spinodal (the state appears), thermodynamic (equal free energies), at or continuous."),
]
Vary = Annotated[str, typer.Option("--vary", help="The parameter to solve for; all others are fixed.")]
Digits = Annotated[int | None, typer.Option("--digits", show_default=False, help="Digits to compute, say 30.")]
Certify = Annotated[bool, typer.Option("--certify", help="Prove the digits in ball arithmetic (extra 'certify').")]


def threshold(
    point: Point,
    *,
    state: State = "example",
    line: Line = "spinodal",
    vary: Vary = "alpha",
    L: L = None,
    digits: Digits = None,
    certify: Certify = False,
) -> Answer:
    """Solve for the parameter at which a line is crossed."""
    import spinodal

    vary = vary.replace("-", "_")
    model = point.model(vary=vary)
    with searching("threshold", f"looking for the {line} line"):
        found = spinodal.threshold(model, state, line=line, vary=vary, L=L, digits=digits, certify=certify)
    data = point.described(found.to_json())

    def show(out: Console) -> None:
        rows: list[tuple[str, object]] = [(data["vary"], found.value), ("error", f"{found.error:.1e}")]
        if data.get("digits"):
            rows.append(("digits", data["digits"]))
        rows += other_loads(data)
        rows.append(("state exists", data["state_exists"]))
        if len(found.all) > 1:
            rows.append(("all solutions", ", ".join(f"{value:.12g}" for value in found.all)))
            rows[-2] = ("state exists", f"{data['state_exists']} the largest of them")
        if data.get("uncondensed"):
            rows.append(("against", data["uncondensed"]))
        if "rs_stable" in data:
            rows.append(("stable against RSB", data["rs_stable"]))
        if data.get("transverse") is not None:
            rows.append(("transverse stability", data["transverse"]))
        rows += [
            ("", ""),
            *(data.get("order_parameters") or {}).items(),
            ("", ""),
            ("status", data["status"]),
        ]
        for key, value in (data.get("certificate") or {}).items():
            if not isinstance(value, (dict, list)):  # the box, many numbers wide, is in the JSON
                rows.append((f"certificate: {key.replace('_', ' ')}", value))
        table(out, f"{data['line']} line of {heading(data)}", ("", ""), rows)

    return Answer(data, show, remark=found.message)  # why digits or their proof were refused


_REM = Other("rem", "Capacity of the exponential Hopfield network, log(P)/N.", "spinodal.commands.rem:threshold")
VERB = Verb(
    "threshold",
    "Solve for the parameter at which a line is crossed.",
    threshold,
    without_mixtures,
    others=(_REM,),
)
