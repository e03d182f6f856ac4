"""`spinodal generalise DATA`: from memorising to generalising with the number of training points."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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

    Every record is kept in the folder as soon as it is there, and networks every ten seconds: a run that was stopped in
    any way goes on where it was.
    """
    from numerics.diffusion.generalisation import Trial, default_loads, describe
    from numerics.diffusion.neural import Training, require_torch
    from spinodal.drawing import FORMATS
    from theory.errors import InvalidInput

    if not network and not exact:
        raise InvalidInput("--no-network and --no-exact leave no score; give one of them at most.")
    if isinstance(repeats, bool) or not 1 <= repeats <= 10**4:
        raise InvalidInput(f"repeats = {repeats} is not allowed; give 1 to 10000 training sets per K.")
    source = describe(data, key=key)
    how = Training(steps=steps, width=width, depth=depth, threads=threads)
    trials = [
        Trial(
            source, k, score, sigma=sigma, seed=seed + r, samples=samples, delta_m=delta_m, delta_s=delta_s,
            training=how,
        )
        for k in sorted(set(K or default_loads(source)))
        for score, wanted in (("exact", exact), ("network", network))
        if wanted
        for r in range(repeats)
    ]  # fmt: skip
    with ExitStack() as stack:
        picture = None if figure is None else stack.enter_context(reserved(figure, suffixes=FORMATS))
        if network:
            require_torch()
        folder(out)
        with reporting(f"generalise {data}") as report:
            found = _fulfilled(trials, out, report)
        if picture is not None:
            from spinodal.generalisation_figure import draw_generalisation

            draw_generalisation(found, picture)
        rows = [_row(trial, record) for trial, record in zip(trials, found, strict=True)]
        answer = {
            "kind": "generalisation",
            "data": data,
            "N": source.N,
            "sigma": trials[0].noise,
            "trials": rows,
            "status": "CONVERGED",
            "folder": str(out),
            "files": [str(path) for path in (out / "generalise.json", figure) if path is not None],
        }
        with reserved(out / "generalise.json") as draft:
            draft.write_text(json.dumps(plain(answer), allow_nan=False, indent=1) + "\n")
    return Answer(answer, lambda console: _show(console, answer), OK)


def _fulfilled(trials: Sequence[Trial], out: Path, report: Callable[[str, int, int], None]) -> list[Generalisation]:
    """Records of all trials: those at hand, and the missing ones one by one."""
    import time

    from numerics.diffusion.generalisation import Generalisation
    from numerics.store import Store
    from theory.errors import InvalidInput

    store = Store(out / "records")
    store.tidy()
    networks = folder(out / "networks")

    def known(trial: Trial) -> Generalisation | None:
        data = store.load(trial.key)
        try:
            record = None if data is None else Generalisation.from_json(data)
        except (InvalidInput, KeyError, TypeError):  # whole, but something else
            return None
        return record if record is not None and trial.matches(record) else None

    at_hand = [known(t) for t in trials]
    done = sum(r is not None for r in at_hand)
    if done:
        say(f"{done} of {len(trials)} trials are recorded in '{out}'.")
    records = dict(enumerate(at_hand))
    while missing := [k for k, record in records.items() if record is None]:
        busy = 0
        for k in missing:
            trial = trials[k]
            here = f"{trial.start} ({k + 1} of {len(trials)})"

            def tell(label: str, done: int, total: int, here: str = here) -> None:
                report(f"{here}: {label}", done, total)

            with store.claimed(trial.key) as mine:
                record = known(trial)
                if record is None and mine:
                    checkpoint = networks / f"{trial.key}.npz" if trial.score == "network" else None
                    record = trial.run(checkpoint=checkpoint, progress=tell)
                    store.save(trial.key, record.to_json())
            records[k] = record
            busy += record is None
        if busy:  # other runs are at the rest
            report(f"waiting for another run, {busy} trials", len(trials) - busy, len(trials))
            time.sleep(0.5)
    return [record for record in records.values() if record is not None]


def _row(trial: Trial, record: Generalisation) -> dict[str, Any]:
    """One trial as plain values."""
    from numerics.diffusion.classify import CLASSES

    per_class = {
        name: {
            what.removesuffix(f" {name}"): m
            for what, m in record.measurements.items()
            if what.endswith(f" {name}") and not what.startswith("basins")
        }
        | {"curvatures": record.spectra[name]}
        for name in CLASSES
        if name in record.spectra
    }
    basins = {
        name: record.measurements[f"basins {name}"] for name in CLASSES if f"basins {name}" in record.measurements
    }
    return {
        "K": trial.K,
        "score": trial.score,
        "seed": trial.seed,
        "fractions": {name: record[name] for name in CLASSES},
        "basins": basins or None,
        "classes": per_class,
        "thresholds": record.thresholds,
        "distance_quantiles": record.nearest,
        "loss": record.loss,
        "record": trial.key,
    }


def _show(out: Console, answer: dict[str, Any]) -> None:
    rows = answer["trials"]
    table(
        out,
        f"{answer['data']}: N = {answer['N']}, sigma = {answer['sigma']:.4g}",
        ("K", "score", "seed", "memorised", "spurious", "generalised", "delta_m", "delta_s"),
        [
            (
                row["K"], row["score"], row["seed"],
                *(f"{m.value:.3f}({_last(m.error)})" for m in row["fractions"].values()),
                f"{row['thresholds'].delta_m:.3g}", f"{row['thresholds'].delta_s:.3g}",
            )
            for row in rows
        ],
    )  # fmt: skip
    out.print()
    lines = [
        (row["K"], row["score"], row["seed"], name, *(_cell(at, what) for what in _PER_CLASS))
        for row in rows
        for name, at in row["classes"].items()
    ]
    table(
        out,
        "means over samples of each class; curvature of the softest direction",
        ("K", "score", "seed", "class", *_PER_CLASS.values()),
        lines,
    )
    out.print()
    table(out, "", ("", ""), [("thresholds", rows[0]["thresholds"].why), ("status", answer["status"])])
    for name in answer["files"]:
        out.print(f"wrote {name}", markup=False, soft_wrap=True)


_PER_CLASS = {"t_c": "t_c", "log_volume": "log volume", "softest": "curvature"}  # the softest direction says most


def _last(error: float) -> str:
    return f"{round(1000 * error):d}"


def _cell(at: dict[str, Any], what: str) -> str:
    m = at.get(what)
    return "-" if m is None else f"{m.value:.3g}" if m.error != m.error else f"{m.value:.3g}({m.error:.1g})"
