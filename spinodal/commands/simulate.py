"""`spinodal simulate MODEL`: zero-temperature dynamics at finite N."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import Answer, rounded, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.verbs import Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB", "Coefficients", "LTrain", "Samples", "Seed", "Workers", "without_features"]

Size = Annotated[int, typer.Option("--N", help="Number of spins.")]
Start = Annotated[str, typer.Option("--start", help="example, feature, mixture or unseen (a fresh example).")]
LFeatures = Annotated[
    int | None,
    typer.Option("--L", show_default="3; --L-train for unseen sparse", help="Number of features in the start."),
]
Coefficients = Annotated[str, typer.Option("--coefficients", help="gaussian, binary or sparse.")]
LTrain = Annotated[int, typer.Option("--L-train", help="Active features per sparse example.")]
Overlap = Annotated[float, typer.Option("--overlap", help="Overlap of the initial configuration with the start.")]
Samples = Annotated[int, typer.Option("--samples", help="Number of disorder samples.")]
Seed = Annotated[int, typer.Option("--seed", help="Names the samples: the same seed gives the same numbers.")]
RetrievedAbove = Annotated[
    float, typer.Option("--retrieved-above", help="Final overlap, relative to the initial one, that counts.")
]
Workers = Annotated[int, typer.Option("--workers", help="Threads; the result does not depend on it.")]
Backend = Annotated[str, typer.Option("--backend", help="cpu, or reference (slow and simple).")]
Out = Annotated[Path | None, typer.Option("--out", show_default=False, help="Save the record (.json).")]


def simulate(
    point: Point,
    *,
    N: Size,
    start: Start = "example",
    L: LFeatures = None,
    coefficients: Coefficients = "gaussian",
    L_train: LTrain = 3,
    overlap: Overlap = 1.0,
    samples: Samples = 16,
    seed: Seed = 0,
    retrieved_above: RetrievedAbove = 0.8,
    workers: Workers = 1,
    backend: Backend = "cpu",
    out: Out = None,
) -> Answer:
    """Run the dynamics from a pattern until no spin wants to flip, and measure."""
    import spinodal

    with ExitStack() as stack:
        draft = stack.enter_context(reserved(out, suffixes=(".json",))) if out is not None else None
        report = stack.enter_context(reporting("simulate"))
        record = spinodal.simulate(
            point.model(),
            N,
            start=start,
            L=L,
            coefficients=coefficients,
            L_train=L_train,
            overlap=overlap,
            samples=samples,
            seed=seed,
            retrieved_above=retrieved_above,
            backend=backend,
            workers=workers,
            progress=lambda done, total: report("samples", done, total),
        )
        if draft is not None:
            record.save(draft)

    data = record.to_json()

    def show(console: Console) -> None:
        rows = [(name, *rounded(m["value"], m["error"]), m["n"]) for name, m in data["measurements"].items()]
        realised = ", ".join(f"{k} = {v:.6g}" for k, v in _loads(data).items())
        title = f"{data['model']} from {data['start']}, N = {N}, {realised}, {samples} samples"
        table(console, title, ("", "mean", "std. error", "n"), rows)
        if data.get("redrawn_fraction"):
            console.print(f"redrawn because already stored: {data['redrawn_fraction']:.3g}", markup=False)
        if out is not None:
            console.print(f"wrote {out}", markup=False)

    return Answer(data, show)


def _loads(data: dict[str, Any]) -> dict[str, float]:
    """Loads that were realised with whole numbers of patterns and features."""
    return dict(data["loads"])


def without_features(declared: Declaration) -> set[str]:
    """Options of the law of the examples; a model without features has no such law."""
    return set() if "feature" in declared.states else {"coefficients", "L_train"}


VERB = Verb("simulate", "Run zero-temperature dynamics at finite N and measure.", simulate, without_features)
