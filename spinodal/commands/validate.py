"""`spinodal validate MODEL`: theory against simulation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from numerics.progress import reporting
from spinodal.commands.answers import DISAGREEMENT, OK, Answer, rounded, table
from spinodal.commands.simulate import (
    Algorithm,
    Backend,
    Coefficients,
    Engine,
    LTrain,
    Replicas,
    Samples,
    Seed,
    Sweeps,
    Threads,
    Workers,
    without_features,
)
from spinodal.commands.solve import L, heading
from spinodal.commands.verbs import Other, Point, Verb
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

    from spinodal.validation import Validation

__all__ = ["VERB", "pulled", "whole_numbers"]

Sizes = Annotated[
    str | None,
    typer.Option("--N", show_default="1000,2000,4000; T > 0: 250,500,1000", help="Numbers of spins, with commas."),
]
State = Annotated[str, typer.Option("--state", help="example, feature, mixture, or at T > 0 paramagnet or spin-glass.")]


def validate(
    point: Point,
    *,
    state: State = "example",
    L: L = None,
    N: Sizes = None,
    coefficients: Coefficients = None,
    L_train: LTrain = None,
    samples: Samples = 16,
    seed: Seed = 0,
    algorithm: Algorithm = None,
    sweeps: Sweeps = None,
    replicas: Replicas = None,
    engine: Engine = "auto",
    backend: Backend = "cpu",
    workers: Workers = 1,
    threads: Threads = 1,
) -> Answer:
    """Compare theory with simulation at growing N."""
    from spinodal.validation import validate as compare

    sizes = None if N is None else whole_numbers(N)
    with reporting("validate") as report:
        found = compare(
            point.model(),
            state,
            N=sizes,
            L=L,
            coefficients=coefficients,
            L_train=L_train,
            samples=samples,
            seed=seed,
            algorithm=algorithm,
            sweeps=sweeps,
            replicas=replicas,
            engine=engine,
            backend=backend,
            workers=workers,
            threads=threads,
            progress=report,
        )
    data = point.described(found.to_json())
    code = DISAGREEMENT if found.verdict == "disagrees" else OK
    remark = "The theory is that of dense coefficients; sparse ones are outside it." if coefficients == "sparse" else ""
    return Answer(data, lambda out: _show(out, found, heading(data)), code, remark)


def _show(out: Console, found: Validation, title: str) -> None:
    rows: list[tuple[object, ...]] = []
    for name, c in found.agreement.comparisons.items():
        for k, size in enumerate(c.N):
            value, error = rounded(c.measured[k], c.errors[k])
            rows.append((name if k == 0 else "", size, f"{c.theory[k]:.6g}", value, error, pulled(c.pulls[k]), ""))
        value, error = rounded(c.value, c.error)
        limit = "infinite" if c.exponent == 1.0 else f"infinite (N^-{c.exponent:.2g})"
        rows.append(("", limit, f"{c.theory[-1]:.6g}", value, error, pulled(c.pull), c.verdict))
    table(out, title, ("", "N", "theory", "simulation", "error", "pull", "verdict"), rows)
    agreement = found.agreement
    if agreement.retrieved:
        stayed = ", ".join(f"{m.value:.2f} at N = {size}" for size, m in agreement.retrieved.items())
        out.print(f"stayed in the state: {stayed}", markup=False)
    if agreement.unequilibrated:
        bad = ", ".join(f"{count} at N = {size}" for size, count in agreement.unequilibrated.items() if count)
        out.print(f"equilibrated: {'NO, not so: ' + bad if bad else 'yes, all samples'}", markup=False)
    stable = found.agreement.rs_stable
    rs = "" if stable is None else f" Replica symmetry is {'stable' if stable else 'not stable'} here."
    out.print(f"Verdict: {found.verdict}. {found.agreement.message}{rs}", markup=False)


def pulled(value: float) -> str:
    """A deviation in units of its error; - where one sample gives no error."""
    return f"{value:+.1f}" if math.isfinite(value) else "-"


def whole_numbers(text: str) -> tuple[int, ...]:
    """Numbers of a list such as ``1000,2000``.

    Examples
    --------
    >>> whole_numbers("1000, 2000")
    (1000, 2000)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(
            f"N = '{text}' is no list of whole numbers; give the sizes with commas, as 1000,2000,4000."
        ) from None


_SCORE = Other(
    "score", "Score model of diffusion: bulks, losses and time scales.", "spinodal.commands.score_simulation:validate"
)
VERB = Verb(
    "validate",
    "Compare theory with simulation at growing N.",
    validate,
    lambda declared: without_features(declared) | (set() if "mixture" in declared.states else {"L"}),
    others=(_SCORE,),
)
