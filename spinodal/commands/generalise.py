"""`spinodal generalise DATA`: from memorising to generalising with the number of training points."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import folder, reserved
from numerics.progress import reporting
from spinodal.commands.answers import NOT_CONVERGED, OK, Answer, plain, rounded, say, table

if TYPE_CHECKING:
    from rich.console import Console

    from numerics.diffusion.generalisation import Generalisation, Trial

__all__ = ["generalise"]

_COARSE = 0.1
"""Fraction of samples that may change class with half the steps of the sampler; those taken err a third as often."""


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
        typer.Option(
            "--sigma",
            show_default="0.05 of the extent",
            help="Noise at which samples end, in the data's unit (extent: rms distance from the mean).",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Training sets per K, with seeds one after another.")] = 1,
    seed: Annotated[int, typer.Option("--seed", help="First seed: training set, network, samples.")] = 0,
    samples: Annotated[int, typer.Option("--samples", help="Samples per trial, at least.")] = 256,
    probes: Annotated[
        int, typer.Option("--probes", help="Samples of each class whose basins and curvature are measured.")
    ] = 16,
    steps: Annotated[int, typer.Option("--steps", help="Training steps of a network.")] = 3000,
    width: Annotated[int, typer.Option("--width", help="Neurons per hidden layer.")] = 128,
    depth: Annotated[int, typer.Option("--depth", help="Hidden layers.")] = 3,
    threads: Annotated[int, typer.Option("--threads", help="Threads of PyTorch.")] = 1,
    key: Annotated[str | None, typer.Option("--key", show_default=False, help="Array of a .npz file.")] = None,
    delta_m: Annotated[
        float | None,
        typer.Option(
            "--delta-m",
            show_default="from the data",
            help="Memorised: within this distance of a training point, in the data's unit.",
        ),
    ] = None,
    delta_s: Annotated[
        float | None,
        typer.Option(
            "--delta-s", show_default="from the data", help="Spurious: this near to another sample, in the data's unit."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of records and networks; a run goes on there.")] = Path(
        "generalise"
    ),
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            show_default=False,
            help="Figure of fractions, basin volumes and curvatures (.pdf, .png or .svg).",
        ),
    ] = None,
) -> Answer:
    """Memorised, spurious and generalised samples of scores that know K training points.

    Samples of a trained network and of the exact score are classified by their distances to the training set S and to
    other samples S'.  Critical noise, basin volume and curvature (Hessian of E = -2 sigma^2 log p, 2 at an isolated
    memory) are measured per class; t_c = log(1 + sigma_c^2)/2 of the critical noise sigma_c up to which 9 of 10 trials
    come back within delta_m or sigma, the larger.  Volumes are natural logarithms, in the data's unit to the power N,
    and end at the noise of 5 extents ('capped': the fraction of trials that come back from there).

    Whether they fall from memorised through spurious to generalised is tested, by ranks within training sets: 'yes' or
    'reversed' beyond 3 standard errors.  So is the peak of the spurious fraction, against both ends.

    Every record is kept in the folder as soon as it is there, and networks every ten seconds and at Ctrl-C: a run that
    was stopped in any way goes on where it was.  All of digits takes minutes on one core.  Exit code 3: the sampler is
    too coarse.
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
        seed=seed, key=key, sigma=sigma, samples=samples, probes=probes, delta_m=delta_m, delta_s=delta_s,
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
        rows = [_row(trial, record) for trial, record in zip(trials, found, strict=True)]
        coarse = [row["record"] for row in rows if row["status"] != "CONVERGED"]
        answer = {
            "kind": "generalisation",
            "data": data,
            "N": trials[0].N,
            "sigma": trials[0].noise,
            "trials": rows,
            "orders": orders(found),
            "peaks": peaks(found),
            "status": "MAX_ITERATIONS" if coarse else "CONVERGED",
            "folder": str(out),
            "files": [str(path) for path in (out / "generalise.json", figure) if path is not None],
        }
        with reserved(folder(out) / "generalise.json") as draft:
            draft.write_text(json.dumps(plain(answer), allow_nan=False, indent=1) + "\n")
    return Answer(
        answer,
        lambda console: _show(console, answer, found),
        NOT_CONVERGED if coarse else OK,
        _remark(coarse, len(rows)),
    )


def _remark(coarse: Sequence[str], count: int) -> str:
    if not coarse:
        return ""
    return (
        f"{len(coarse)} of {count} trials are not converged, such as {coarse[0]}: of its samples more than "
        f"{_COARSE:.0%} change class with half the steps of the sampler, or attractors are "
        "still moving; give a larger --sigma."
    )


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
    moving = "attractors_converged" in found and found["attractors_converged"].value < 1.0
    coarse = "relabelled" in found and found["relabelled"].value > _COARSE
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
        "status": "MAX_ITERATIONS" if moving or coarse else "CONVERGED",
        "record": trial.key,
    } | {name: found.get(name) for name in ("least_loss", "flow_error", "relabelled", "attractors_converged")}


def _show(out: Console, answer: dict[str, Any], found: Sequence[Generalisation]) -> None:
    """Means over the training sets of every K; single sets are in the JSON object."""
    from numerics.diffusion.classify import CLASSES

    rows, groups = answer["trials"], _groups(found)
    table(
        out,
        f"{answer['data']}: N = {answer['N']}, sigma = {answer['sigma']:.4g}",
        ("K", "score", "sets", *CLASSES, "delta_m", "delta_s"),
        [
            (
                K, score, len(of), *(_mean(of, name) for name in CLASSES),
                *(f"{sum(getattr(r.thresholds, d) for r in of) / len(of):.3g}" for d in ("delta_m", "delta_s")),
            )
            for (K, score), of in groups.items()
        ],
    )  # fmt: skip
    out.print()
    nets = {K: of for (K, score), of in groups.items() if score == "network"}
    if nets:
        table(
            out,
            "networks: loss, that of the exact score, and what half the steps of the sampler change",
            ("K", "loss", "exact", "error/sigma", "relabelled"),
            [
                (
                    K, f"{sum(r.loss or 0.0 for r in of) / len(of):.3f}",
                    *(_mean(of, name) for name in ("least_loss", "flow_error", "relabelled")),
                )
                for K, of in nets.items()
            ],
        )  # fmt: skip
        out.print()
    table(
        out,
        "per class: samples probed (distinct places), means over samples, curvature of the softest direction",
        ("K", "score", "class", "n", *_PER_CLASS.values()),
        [
            (
                K, score, name,
                f"{sum(r[f't_c {name}'].n for r in of if name in r.spectra)} "
                f"({sum(len(r.values.get(f't_c {name}', ())) for r in of)})",
                *(_mean(of, f"{what} {name}") for what in _PER_CLASS),
            )
            for (K, score), of in groups.items()
            for name in CLASSES
            if any(name in r.spectra for r in of)
        ],
    )  # fmt: skip
    out.print()
    _show_order(out, answer)
    table(out, "", ("", ""), [("thresholds", rows[0]["thresholds"].why), ("status", answer["status"])])
    for name in answer["files"]:
        out.print(f"wrote {name}", markup=False, soft_wrap=True)


def _show_order(out: Console, answer: dict[str, Any]) -> None:
    """The order of the classes over all training sets, and the spurious peak."""
    pooled = [o for o in answer["orders"] if o.K is None]
    for score in dict.fromkeys(o.score for o in pooled):
        table(
            out,
            f"{score} score: probability that the first class has the larger value; 1/2 without a difference",
            ("quantity", "is larger in", "probability", "z", "places", "verdict"),
            [
                (
                    _PER_CLASS.get(o.quantity, "mean curv."), f"{o.above} > {o.below}",
                    f"{o.superiority:.3f}({_last(o.error)})", "-" if o.z is None else f"{o.z:+.1f}",
                    f"{o.places[0]}, {o.places[1]}", o.verdict,
                )
                for o in pooled
                if o.score == score
            ],
        )  # fmt: skip
        out.print()
    if answer["peaks"]:
        table(
            out,
            "where spurious samples are most frequent; by how many errors more than at the ends",
            ("score", "at K", "fraction", "first K", "last K", "a peak"),
            [
                (
                    p.score, p.K, f"{p.fraction:.3f}({_last(p.error)})", f"{p.above_first:+.1f}",
                    f"{p.above_last:+.1f}", p.verdict,
                )
                for p in answer["peaks"]
            ],
        )  # fmt: skip
        out.print()


_PER_CLASS = {"t_c": "t_c", "log_volume": "log volume", "softest": "curvature"}  # the softest direction says most


def _groups(found: Sequence[Generalisation]) -> dict[tuple[int, str], list[Generalisation]]:
    out: dict[tuple[int, str], list[Generalisation]] = {}
    for record in found:
        out.setdefault((record.K, record.declared["score"]), []).append(record)
    return out


def _mean(records: Sequence[Generalisation], name: str) -> str:
    """Mean over training sets with the error of its last digits."""
    from numerics.diffusion.order import against

    _, value, error = against(records, name)
    if not len(value):
        return "-"
    # What is exact to five digits needs no error here.
    text, spread = rounded(float(value[0]), float(error[0]) if error[0] > 1e-5 * abs(value[0]) else None)
    digits = spread.replace(".", "").lstrip("0")
    return f"{text}({digits})" if spread != "-" else text


def _last(error: float) -> str:
    return f"{round(1000 * error):d}"
