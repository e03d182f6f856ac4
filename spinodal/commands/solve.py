"""`spinodal solve MODEL`: one saddle point."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spinodal.commands.answers import Answer, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.verbs import Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB", "L", "State", "heading", "other_loads", "without_mixtures"]

State = Annotated[str, typer.Option("--state", help="paramagnet, spin-glass, example, feature or mixture.")]
L = Annotated[
    int | None,
    typer.Option("--L", show_default="3 for a mixture", help="Number of features in a mixture; odd for Ising spins."),
]


def heading(data: dict[str, Any]) -> str:
    """Title of a result: model, state and the parameters that are fixed."""
    state = str(data["state"]) + (f" L={data['L']}" if data["state"] == "mixture" and data.get("L") else "")
    given = [f"{k} = {v:.12g}" if isinstance(v, float) else f"{k} = {v}" for k, v in data["parameters"].items()]
    effective = " (effective loads n_ch P/(dN), n_ch D/(dN))" if data.get("effective") else ""
    return ", ".join([str(data["model"]), state, *given]) + effective


def other_loads(data: dict[str, Any]) -> list[tuple[str, object]]:
    """Rows with the loads in the conventions in which they are not given; none for models that have one only."""
    here = "_effective" if data.get("effective") else "_per_site"
    others = ("_scaled", "_per_site", "_effective")
    return [(k, v) for k, v in data.items() if k.endswith(others) and not k.endswith(here) and v is not None]


def without_mixtures(declared: Declaration) -> Collection[str]:
    """Options to leave out for a model that has no mixtures."""
    return () if "mixture" in declared.states else ("L",)


def solve(point: Point, *, state: State = "example", L: L = None) -> Answer:
    """Solve the saddle-point equations at one point."""
    import spinodal

    solution = spinodal.solve(point.model(), state, L=L)
    data = point.described(solution.to_json())

    def show(out: Console) -> None:
        rows: list[tuple[str, object]] = list(data["order_parameters"].items())
        rows += [("", ""), ("free energy", data["free_energy"]), ("energy", data["energy"])]
        rows += [("entropy", data["entropy"]), ("replicon", data["replicon"])]
        rows += [("stable against RSB", data.get("rs_stable"))]
        if data.get("transverse") is not None:
            rows += [("transverse stability", data["transverse"])]
        rows += [("residual", f"{solution.residual:.1e}"), ("status", data["status"])]
        rows += [("", ""), *loads] if (loads := other_loads(data)) else []
        table(out, heading(data), ("", ""), rows)

    return Answer(data, show)


VERB = Verb("solve", "Solve the saddle-point equations at one point.", solve, without_mixtures)
