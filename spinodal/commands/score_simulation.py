"""`spinodal simulate score` and `spinodal validate score`: score models at finite size, and theory against them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import DISAGREEMENT, OK, Answer, rounded, table
from spinodal.commands.score import ActivationName, PsiN, PsiP, Sigma, Time
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.curves import Curves

__all__ = ["simulate", "validate"]

Dimensions = Annotated[int, typer.Option("--d", help="Dimensions; p = psi_p d features, n = psi_n d samples.")]
Network = Annotated[
    str,
    typer.Option(
        "--network", help="equivalent (Gaussian matrices, p ~ 10^4) or true (the nonlinear network, p <= 6000)."
    ),
]
Samples = Annotated[int, typer.Option("--samples", help="Disorder samples (features and data).")]
Seed = Annotated[int, typer.Option("--seed", help="Names the samples: the same seed gives the same numbers.")]
Tau = Annotated[
    str | None,
    typer.Option("--tau", show_default="the time scales", help="Training times with commas: 1,10,100 (flow and gd)."),
]
Noises = Annotated[
    int | None,
    typer.Option("--noises", show_default="infinity", help="True network: noises per sample in the train loss."),
]
Optimiser = Annotated[
    str, typer.Option("--optimiser", help="flow (gradient flow) or gd, in closed form; sgd or adam, with --noises.")
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        show_default="gd .5, sgd .1, adam .01",
        help="Step: gd and sgd in relaxation times of the fastest mode (gd: below 2), adam of an element of A.",
    ),
]
Steps = Annotated[int | None, typer.Option("--steps", show_default="2000", help="Steps of sgd and adam.")]
Batch = Annotated[int | None, typer.Option("--batch", show_default="n", help="Noisy samples per step of sgd and adam.")]
Out = Annotated[Path | None, typer.Option("--out", show_default=False, help="JSON record, with values per sample.")]
Sizes = Annotated[
    str | None,
    typer.Option("--d", show_default="50,100,200; true network: 30,60,120", help="Dimensions, with commas."),
]

_SIZES = {"equivalent": (50, 100, 200), "true": (30, 60, 120)}
_LOSSES = ("train", "test", "score_error")


def simulate(
    psi_p: PsiP,
    psi_n: PsiN,
    t: Time,
    d: Dimensions = 100,
    network: Network = "equivalent",
    activation: ActivationName = "tanh",
    sigma: Sigma = "1.0",
    samples: Samples = 4,
    seed: Seed = 0,
    tau: Tau = None,
    noises: Noises = None,
    optimiser: Optimiser = "flow",
    rate: Rate = None,
    steps: Steps = None,
    batch: Batch = None,
    out: Out = None,
) -> Answer:
    """Train random-feature score models at finite size: spectrum by bulk, losses, decomposition of the train loss.

    Losses are per dimension, 1 before training; tau as in `spinodal losses score`; means and standard errors over
    samples.  Eigenvalues are told apart by counting: each bulk has its weight times p, from the top.
    """
    from dataclasses import replace

    from numerics.diffusion.score_simulate import ScoreTask, simulate_score
    from numerics.records import write
    from spinodal.score_validation import loss_times, shares_of
    from theory.diffusion.losses import Training
    from theory.diffusion.resolvent import ScoreModel

    task = ScoreTask(
        psi_p, psi_n, t, d, activation, sigma, network, noises, optimiser, rate, steps, batch, _numbers(tau), seed
    )
    p, n = task.sizes
    training = Training(ScoreModel(p / d, n / d, t, task.activation, task.sigma))
    if tau is None and task.optimiser in ("flow", "gd"):
        task = replace(task, tau=tuple(sorted(loss_times(training).values())))
    with ExitStack() as stack:
        draft = stack.enter_context(reserved(out, suffixes=(".json",))) if out is not None else None
        report = stack.enter_context(reporting("simulate"))
        record = simulate_score(
            task,
            samples=samples,
            shares=shares_of(training),
            progress=lambda done, total: report(
                "samples" if task.optimiser in ("flow", "gd") else "steps", done, total
            ),
        )
        if draft is not None:
            write(draft, record.to_json())
    data = described(record)

    def show(console: Console) -> None:
        _show_record(console, record)
        if out is not None:
            console.print(f"wrote {out}", markup=False)

    return Answer({**data, "files": [] if out is None else [str(out)]}, show)


def validate(
    psi_p: PsiP,
    psi_n: PsiN,
    t: Time,
    d: Sizes = None,
    network: Network = "equivalent",
    activation: ActivationName = "tanh",
    sigma: Sigma = "1.0",
    samples: Samples = 8,
    seed: Seed = 0,
) -> Answer:
    """Compare theory with simulation at growing d: edges and occupation of all bulks, losses, time scales.

    Differences are extrapolated in 1/d; exit code 4 if theory and simulation disagree.
    """
    from numerics.diffusion.score_simulate import ScoreTask
    from spinodal.commands.validate import pulled, whole_numbers
    from spinodal.score_validation import validate_score

    sizes = _SIZES.get(network, (50,)) if d is None else _sizes(d, whole_numbers)
    task = ScoreTask(psi_p, psi_n, t, sizes[-1], activation, sigma, network, seed=seed)
    with reporting("validate") as report:
        found = validate_score(task, d=sizes, samples=samples, progress=report)

    def show(console: Console) -> None:
        rows: list[tuple[object, ...]] = []
        for name, c in found.comparisons.items():
            # One size is taken as it is: nothing is extrapolated, and its row has the verdict.
            for k, size in enumerate(c.N if len(c.N) > 1 else ()):
                value, error = rounded(c.measured[k], c.errors[k])
                rows.append((name if k == 0 else "", size, f"{c.theory[k]:.5g}", value, error, pulled(c.pulls[k]), ""))
            value, error = rounded(c.value, c.error)
            first = ("", "inf.") if len(c.N) > 1 else (name, c.N[0])
            rows.append((*first, f"{c.theory[-1]:.5g}", value, error, pulled(c.pull), c.verdict))
        title = f"score ({network}, psi_p = {psi_p:g}, psi_n = {psi_n:g}, t = {t:g}, {activation})"
        title += "; error: of the score; drop: of the train loss"
        table(console, title, ("", "d", "theory", "simulation", "error", "pull", "verdict"), rows)
        if found.edges:
            placed = []
            for e in found.edges:
                ends = (f"{e[k]:.6g}" for k in ("low", "lowest", "highest", "high"))
                placed.append((e["bulk"], e["d"], e["eigenvalues"], *ends, f"{e['farthest']:.1f}"))
            console.print()
            columns = ("bulk", "d", "count", "edge", "lowest", "highest", "edge", "units")
            table(console, "extreme eigenvalues of all samples (units of Tracy and Widom)", columns, placed)
        console.print(f"Verdict: {found.verdict}. {found.message}", markup=False)

    return Answer(found.to_json(), show, DISAGREEMENT if found.verdict == "disagrees" else OK)


def described(record: Curves) -> dict[str, Any]:
    """A record in the words of score models."""
    return {
        "model": "score",
        "network": record.start,
        "parameters": record.parameters,
        "d": record.N,
        "p": record.D,
        "n": record.P,
        "loads": record.loads,
        "seed": record.seed,
        "samples": record.samples,
        **record.options,
        "measurements": {name: m.to_json() for name, m in record.measurements.items()},
        "provenance": record.provenance,
    }


def _show_record(console: Console, record: Curves) -> None:
    from numerics.diffusion.score_simulate import series

    given = ", ".join(f"{k} = {v:g}" for k, v in record.parameters.items())
    title = f"score ({given}, {record.options['activation']}, {record.start} network, d = {record.N}, p = {record.D}, "
    title += f"n = {record.P}, {record.samples} samples, {record.options['optimiser']})"
    columns = [series(record, name) for name in _LOSSES]
    rows: list[tuple[object, ...]] = []
    for k, at in enumerate(columns[0][0]):
        cells = [rounded(float(value[k]), float(error[k])) for _, value, error in columns]
        rows.append((f"{at:.6g}", *(text for pair in cells for text in pair)))
    if "train" in record.measurements:
        cells = [rounded(record[name].value, record[name].error) for name in _LOSSES]
        rows.append(("infinite", *(text for pair in cells for text in pair)))
    first = "tau" if record.options["tau"] else "step"
    table(console, title, (first, "train", "+-", "test", "+-", "score error", "+-"), rows)
    names = [name for name in (*record.options["counts"], "delta") if f"drop {name}" in record.measurements]
    if names:
        console.print()
        parts = [
            (name, *(text for what in ("lowest", "highest", "drop") for text in _cells(record, f"{what} {name}")))
            for name in names
        ]
        table(console, "", ("bulk", "lowest", "+-", "highest", "+-", "drop of the train loss", "+-"), parts)
    if "tau_opt" in record.measurements:
        best = " +- ".join(_cells(record, "tau_opt"))
        console.print(f"lowest test loss at tau = {best}", markup=False)


def _cells(record: Curves, name: str) -> tuple[str, str]:
    found = record.measurements.get(name)
    return ("-", "-") if found is None else rounded(found.value, found.error)


def _numbers(text: str | None) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(
            f"tau = '{text}' is no list of numbers; give training times with commas, as 1,10,100."
        ) from None


def _sizes(text: str, parse: Any) -> tuple[int, ...]:
    try:
        sizes = parse(text)
    except InvalidInput:
        raise InvalidInput(
            f"d = '{text}' is no list of whole numbers; give sizes with commas, as 50,100,200."
        ) from None
    if len(set(sizes)) < len(sizes):
        raise InvalidInput(f"d = '{text}' has a size twice; give different sizes, as 50,100,200.")
    return tuple(sorted(sizes))
