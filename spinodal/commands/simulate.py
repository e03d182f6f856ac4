"""`spinodal simulate MODEL`: a quench at temperature 0, sampling at temperature > 0, at finite N."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from numerics.progress import reporting
from spinodal.commands.answers import Answer, rounded, table
from spinodal.commands.declarations import Declaration
from spinodal.commands.verbs import Other, Point, Verb

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.records import Record

__all__ = [
    "VERB",
    "Algorithm",
    "Backend",
    "Coefficients",
    "Engine",
    "LTrain",
    "Replicas",
    "Samples",
    "Seed",
    "Sweeps",
    "Threads",
    "Workers",
    "without_features",
]

Size = Annotated[int, typer.Option("--N", help="Number of spins.")]
Start = Annotated[str, typer.Option("--start", help="example, feature, mixture, unseen (a fresh example) or random.")]
LFeatures = Annotated[
    int | None,
    typer.Option(
        "--L",
        show_default="3; --L-train if sparse",
        help="Members of a mixture; active features of an unseen example.",
    ),
]
Coefficients = Annotated[
    str | None, typer.Option("--coefficients", show_default="gaussian", help="gaussian, binary or sparse.")
]
LTrain = Annotated[
    int | None, typer.Option("--L-train", show_default="3", help="Sparse coefficients: active features per example.")
]
Overlap = Annotated[float, typer.Option("--overlap", help="Overlap of the initial configuration with the start.")]
Samples = Annotated[int, typer.Option("--samples", help="Number of disorder samples.")]
Seed = Annotated[int, typer.Option("--seed", help="Names the samples: the same seed gives the same numbers.")]
RetrievedAbove = Annotated[
    float, typer.Option("--retrieved-above", help="Final overlap, relative to the initial one, that counts.")
]
Workers = Annotated[int, typer.Option("--workers", help="Samples at a time; the result does not depend on it.")]
Threads = Annotated[int, typer.Option("--threads", help="Threads per sample; the result does not depend on it.")]
Engine = Annotated[
    str,
    typer.Option(
        "--engine",
        help="Form of the couplings. The result does not depend on it for Ising spins; for vectors it agrees to single "
        "precision, about 1e-6, and at T = 0, where soft spins come to rest slowly, 1e-4 (in other numbers of sweeps).",
    ),
]
Backend = Annotated[str, typer.Option("--backend", help="cpu, gpu (Ising spins), or reference (slow and simple).")]
Tie = Annotated[
    str | None, typer.Option("--tie", show_default="keep", help="T = 0: a spin in zero field: keep or plus.")
]
Order = Annotated[
    str | None,
    typer.Option(
        "--order", show_default="random", help="T = 0: random, sequential, greedy (Ising spins) or synchronous."
    ),
]
Algorithm = Annotated[
    str | None,
    typer.Option(
        "--algorithm",
        show_default="metropolis; vectors: heat-bath",
        help="T > 0: metropolis, heat-bath or tempering; vectors: heat-bath or heat-bath+over-relaxation.",
    ),
]
Sweeps = Annotated[
    int | None,
    typer.Option("--sweeps", show_default="2000", help="T > 0: sweeps per replica; the second half is averaged."),
]
Replicas = Annotated[int | None, typer.Option("--replicas", show_default="4", help="T > 0: replicas per sample.")]
Out = Annotated[Path | None, typer.Option("--out", show_default=False, help="Save the record (.json).")]


def simulate(
    point: Point,
    *,
    N: Size,
    start: Start = "example",
    L: LFeatures = None,
    coefficients: Coefficients = None,
    L_train: LTrain = None,
    overlap: Overlap = 1.0,
    samples: Samples = 16,
    seed: Seed = 0,
    retrieved_above: RetrievedAbove = 0.8,
    algorithm: Algorithm = None,
    sweeps: Sweeps = None,
    replicas: Replicas = None,
    tie: Tie = None,
    order: Order = None,
    engine: Engine = "auto",
    backend: Backend = "cpu",
    workers: Workers = 1,
    threads: Threads = 1,
    out: Out = None,
) -> Answer:
    """Run the dynamics from a named start and measure.

    At temperature 0 spins align with their fields until none wants to flip; at temperature > 0 replicas sample the
    Boltzmann law.
    """
    import spinodal
    from theory.parameters import derived_of

    with ExitStack() as stack:
        draft = stack.enter_context(reserved(out, suffixes=(".json",))) if out is not None else None
        report = stack.enter_context(reporting("simulate"))
        model = point.model()
        unit = "sweeps" if getattr(model, "temperature", 0.0) else "samples"
        record = spinodal.simulate(
            model,
            N,
            start=start,
            L=L,
            coefficients=coefficients,
            L_train=L_train,
            overlap=overlap,
            samples=samples,
            seed=seed,
            retrieved_above=retrieved_above,
            engine=engine,
            backend=backend,
            tie=tie,
            order=order,
            algorithm=algorithm,
            sweeps=sweeps,
            replicas=replicas,
            workers=workers,
            threads=threads,
            progress=lambda done, total: report(unit, done, total),
        )
        if draft is not None:
            record.save(draft)

    data = record.to_json()
    if "load_convention" in derived_of(model):
        read = str(derived_of(model)["load_convention"]).replace("alpha, alpha_d and values", "parameters")
        data["load_convention"] = f"{read}, loads (as realised) are per site"
    remark = _moving(record)
    if record.sampling is not None:
        remark = str(record.sampling["message"])
        data = {**data, "equilibrated": record.equilibrated, "message": remark}

    def show(console: Console) -> None:
        rows = [(name, *rounded(m["value"], m["error"]), m["n"]) for name, m in data["measurements"].items()]
        table(console, _title(record), ("", "mean", "std. error", "n"), rows)
        if data.get("redrawn_fraction"):
            console.print(f"redrawn because already stored: {data['redrawn_fraction']:.3g}", markup=False)
        if record.sampling is not None:
            console.print(_equilibration(record.sampling, samples), markup=False)
        if out is not None:
            console.print(f"wrote {out}", markup=False)

    return Answer(data, show, remark=remark)


def _moving(record: Record) -> str:
    """A sentence on vectors that have not come to rest; empty where all have."""
    moving = sum(value < 0.5 for value in record.values.get("converged", ()))
    if not moving:
        return ""
    return f"{moving} of {record.samples} samples ended before their vectors came to rest; do not trust their averages."


def _equilibration(sampling: dict[str, Any], samples: int) -> str:
    """One line on the run: how long, how correlated, and how many samples are equilibrated."""
    judged = [v for sample in sampling["verdicts"] for v in sample.values()]
    tau, r_hat = (max((v[name] for v in judged if v[name] is not None), default=None) for name in ("tau", "r_hat"))
    known = "" if tau is None or r_hat is None else f", tau up to {tau:.3g} sweeps, R-hat up to {r_hat:.3f}"
    run = f"{sampling['algorithm']}, {sampling['replicas']} replicas of {sampling['sweeps']} sweeps{known}"
    verdict = "yes" if sampling["equilibrated"] else "NO"
    count = f"{samples} sample{'' if samples == 1 else 's'}"
    return f"equilibrated: {verdict}, {sampling['equilibrated_samples']} of {count} ({run})"


def _title(record: Record) -> str:
    """What was simulated: the loads are those realised with whole numbers of patterns and features."""
    own = {k: v for k, v in record.parameters.items() if k not in ("alpha", "alpha_d", "effective")}
    options = {
        "L": record.L,
        "coefficients": record.coefficients,
        "L_train": record.L_train,
        "overlap": record.overlap if record.overlap != 1.0 else None,
        "order": record.order if record.order != "random" else None,
        "tie": record.tie if record.tie != "keep" else None,
        "algorithm": None if record.sampling is None else record.sampling["algorithm"],
    }
    values = {"N": record.N, **record.loads, **own, **options, "seed": record.seed}
    told = [f"{k} = {v:.6g}" if isinstance(v, float) else f"{k} = {v}" for k, v in values.items() if v is not None]
    count = f"{record.samples} sample{'' if record.samples == 1 else 's'}"
    title = ", ".join([f"{record.model} from {record.start}", *told, count])
    if not record.parameters.get("effective"):
        return title
    asked = ", ".join(f"{k} = {record.parameters[k]:.6g}" for k in record.loads)
    return f"{title} (loads P/N, D/N; asked for as effective loads n_ch P/(dN), n_ch D/(dN): {asked})"


def _omitted(declared: Declaration) -> set[str]:
    """Options that mean nothing for a model; in no field a vector stays as it is."""
    vectors = {"tie"} if "d" in {p.name for p in declared.structural} else set()
    return without_features(declared) | vectors


def without_features(declared: Declaration) -> set[str]:
    """Options of the law of the examples; a model without features has no such law."""
    return set() if "feature" in declared.states else {"coefficients", "L_train"}


_SCORE = Other(
    "score",
    "Score model of diffusion: train random matrices, or the network.",
    "spinodal.commands.score_simulation:simulate",
)
VERB = Verb(
    "simulate",
    "Run the dynamics at finite N, at zero temperature or above, and measure.",
    simulate,
    _omitted,
    {"tie": "a vector in no field stays as it is, so leave the rule out"},
    others=(_SCORE,),
)
