"""`spinodal generalise DATA`: from memorising to generalising with the number of training points."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import folder, reserved
from numerics.progress import reporting
from spinodal.commands.answers import OK, Answer, plain, say, table

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.diffusion.generalisation import Generalisation, Trial

__all__ = ["generalise"]


def generalise(
    data: Annotated[str, typer.Argument(help="circle, digits, or a file of points (.npy, .npz, .csv).")],
    *,
    K: Annotated[
        list[int] | None,
        typer.Option("--K", show_default="2, 6, 18, ... all", help="Training points; may be given several times."),
    ] = None,
    network: Annotated[
        bool,
        typer.Option("--network/--no-network", help="Train a score network on each set (extra 'neural')."),
    ] = True,
    exact: Annotated[
        bool, typer.Option("--exact/--no-exact", help="Take the exact score of each training set.")
    ] = True,
    sigma: Annotated[
        float | None,
        typer.Option("--sigma", show_default="0.05 of the extent", help="Noise at which samples end, data's unit."),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Training sets per K, with seeds one after another.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="First seed: training set, network, samples.")] = 0,
    samples: Annotated[int, typer.Option("--samples", help="Samples per trial, at least.")] = 256,
    steps: Annotated[int, typer.Option("--steps", help="Training steps of a network.")] = 3000,
    width: Annotated[int, typer.Option("--width", help="Neurons per hidden layer.")] = 128,
    depth: Annotated[int, typer.Option("--depth", help="Hidden layers.")] = 3,
    threads: Annotated[int, typer.Option("--threads", help="Threads of PyTorch.")] = 1,
    key: Annotated[str | None, typer.Option("--key", show_default=False, help="Array of a .npz file.")] = None,
    delta_m: Annotated[
        float | None,
        typer.Option("--delta-m", show_default="from the data", help="Memorised: within this distance of a memory."),
    ] = None,
    delta_s: Annotated[
        float | None,
        typer.Option("--delta-s", show_default="from the data", help="Spurious: this near to another sample."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of records and networks; a run goes on there.")] = Path(
        "generalise"
    ),
    figure: Annotated[
        Path | None, typer.Option("--figure", show_default=False, help="Figure (.pdf, .png or .svg).")
    ] = None,
) -> Answer:
    """Memorised, spurious and generalised samples of scores that know K training points.

    Samples of a trained network and of the exact score are classified by their distances to the training set S and to
    other samples S'.  Critical noise, basin volume and curvature (Hessian of E = -2 sigma^2 log p, 2 at an isolated
    memory) are measured per class; t_c = log(1 + sigma_c^2)/2 of the critical noise sigma_c up to which 9 of 10 trials
    come back within delta_m or sigma, the larger.

    Whether they fall from memorised through spurious to generalised is tested, by ranks within training sets: 'yes' or
    'reversed' beyond 3 standard errors.  So is the peak of the spurious fraction, against both ends.

    Every record is kept in the folder as soon as it is there, and networks every ten seconds: a run that was stopped in
    any way goes on where it was.
    """
    from numerics.diffusion.generalisation import SCORES
    from numerics.diffusion.neural import Training
    from numerics.diffusion.order import orders, peaks
    from numerics.diffusion.transition import fulfil, planned, recorded
    from spinodal.drawing import FORMATS
    from theory.errors import InvalidInput

    if not network and not exact:
        raise InvalidInput("--no-network and --no-exact leave no score; give one of them at most.")
    trials = planned(
        data, K, scores=[s for s, wanted in zip(SCORES, (exact, network), strict=True) if wanted], repeats=repeats,
        seed=seed, key=key, sigma=sigma, samples=samples, delta_m=delta_m, delta_s=delta_s,
        training=Training(steps=steps, width=width, depth=depth, threads=threads),
    )  # fmt: skip
    with ExitStack() as stack:
        picture = None if figure is None else stack.enter_context(reserved(figure, suffixes=FORMATS))
        done = sum(record is not None for record in recorded(trials, out))
        if done:
            say(f"{done} of {len(trials)} trials are recorded in '{out}'.")
        with reporting(f"generalise {data}") as report:
            found = fulfil(trials, out, progress=report)
        if picture is not None:
            from spinodal.generalisation_figure import draw_generalisation

            draw_generalisation(found, picture)
        answer = {
            "kind": "generalisation",
            "data": data,
            "N": trials[0].N,
            "sigma": trials[0].noise,
            "trials": [_row(trial, record) for trial, record in zip(trials, found, strict=True)],
            "orders": orders(found),
            "peaks": peaks(found),
            "status": "CONVERGED",
            "folder": str(out),
            "files": [str(path) for path in (out / "generalise.json", figure) if path is not None],
        }
        with reserved(folder(out) / "generalise.json") as draft:
            draft.write_text(json.dumps(plain(answer), allow_nan=False, indent=1) + "\n")
    return Answer(answer, lambda console: _show(console, answer), OK)


def _row(trial: Trial, record: Generalisation) -> dict[str, Any]:
    """One trial as plain values."""
    from numerics.diffusion.classify import CLASSES

    found = record.measurements
    per_class = {
        name: {
            what.removesuffix(f" {name}"): m
            for what, m in found.items()
            if what.endswith(f" {name}") and not what.startswith("basins")
        }
        | {"curvatures": record.spectra[name], "places": len(record.values.get(f"t_c {name}", ()))}
        for name in CLASSES
        if name in record.spectra
    }
    return {
        "K": trial.K,
        "score": trial.score,
        "seed": trial.seed,
        "fractions": {name: record[name] for name in CLASSES},
        "basins": {name: found[f"basins {name}"] for name in CLASSES if f"basins {name}" in found} or None,
        "classes": per_class,
        "thresholds": record.thresholds,
        "distance_quantiles": record.nearest,
        "loss": record.loss,
        "record": trial.key,
    } | {name: found.get(name) for name in ("least_loss", "flow_error", "relabelled", "attractors_converged")}


def _show(out: Console, answer: dict[str, Any]) -> None:
    rows = answer["trials"]
    table(
        out,
        f"{answer['data']}: N = {answer['N']}, sigma = {answer['sigma']:.4g}",
        ("K", "score", "seed", "memorised", "spurious", "generalised", "delta_m", "delta_s", "loss (least)"),
        [
            (
                row["K"], row["score"], row["seed"],
                *(f"{m.value:.3f}({_last(m.error)})" for m in row["fractions"].values()),
                f"{row['thresholds'].delta_m:.3g}", f"{row['thresholds'].delta_s:.3g}",
                None if row["loss"] is None else f"{row['loss']:.3f} ({row['least_loss'].value:.3f})",
            )
            for row in rows
        ],
    )  # fmt: skip
    out.print()
    lines = [
        (row["K"], row["score"], row["seed"], name, at["t_c"].n, at["places"], *(_cell(at, w) for w in _PER_CLASS))
        for row in rows
        for name, at in row["classes"].items()
    ]
    table(
        out,
        "means over n samples of each class at so many places; curvature of the softest direction",
        ("K", "score", "seed", "class", "n", "places", *_PER_CLASS.values()),
        lines,
    )
    out.print()
    _show_order(out, answer)
    table(out, "", ("", ""), [("thresholds", rows[0]["thresholds"].why), ("status", answer["status"])])
    for name in answer["files"]:
        out.print(f"wrote {name}", markup=False, soft_wrap=True)


def _show_order(out: Console, answer: dict[str, Any]) -> None:
    """The order of the classes over all training sets, and the spurious peak."""
    pooled = [o for o in answer["orders"] if o.K is None]
    if pooled:
        table(
            out,
            "probability that the first class has the larger value (1/2: no difference), and whether it is significant",
            ("quantity", "score", "first", "second", "probability", "z", "places", "verdict"),
            [
                (
                    _PER_CLASS.get(o.quantity, "mean curvature"), o.score, o.above, o.below,
                    f"{o.superiority:.3f}({_last(o.error)})", "-" if o.z is None else f"{o.z:+.1f}",
                    f"{o.places[0]}, {o.places[1]}", o.verdict,
                )
                for o in pooled
            ],
        )  # fmt: skip
        out.print()
    if answer["peaks"]:
        table(
            out,
            "spurious samples are most frequent",
            ("score", "at K", "fraction", "above the first K", "above the last K", "a peak"),
            [
                (
                    p.score, p.K, f"{p.fraction:.3f}({_last(p.error)})", f"{p.above_first:+.1f} errors",
                    f"{p.above_last:+.1f} errors", p.verdict,
                )
                for p in answer["peaks"]
            ],
        )  # fmt: skip
        out.print()


_PER_CLASS = {"t_c": "t_c", "log_volume": "log volume", "softest": "curvature"}  # the softest direction says most


def _last(error: float) -> str:
    return f"{round(1000 * error):d}"


def _cell(at: dict[str, Any], what: str) -> str:
    m = at.get(what)
    return "-" if m is None else f"{m.value:.3g}" if m.error != m.error else f"{m.value:.3g}({m.error:.1g})"
