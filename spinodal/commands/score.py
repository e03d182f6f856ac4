"""`spinodal spectrum score`, `losses score`, `times score`: training dynamics of random-feature score models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from numerics.files import reserved
from spinodal.commands.answers import Answer, table
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

    from theory.diffusion.resolvent import ScoreModel

__all__ = ["losses", "spectrum", "times"]

PsiP = Annotated[float, typer.Option("--psi-p", show_default=False, help="Features per dimension, p/d; above 0.")]
PsiN = Annotated[float, typer.Option("--psi-n", show_default=False, help="Samples per dimension, n/d; above 0.")]
Time = Annotated[
    float, typer.Option("--t", show_default=False, help="Diffusion time, above 0; the noise has variance 1 - exp(-2t).")
]
ActivationName = Annotated[
    str, typer.Option("--activation", help="tanh, relu, erf, sigmoid, gelu, linear, or ./my.py:act.")
]
Sigma = Annotated[
    str,
    typer.Option(
        "--sigma", help="Covariance of the data: a variance, or a .npy or text file of eigenvalues or a matrix."
    ),
]
Points = Annotated[int, typer.Option("--points", help="Eigenvalues in the grid, at least; more where needed.")]
SpectrumOut = Annotated[
    Path | None, typer.Option("--out", show_default=False, help="NetCDF file of the density (.nc).")
]
SpectrumFigure = Annotated[
    Path | None, typer.Option("--figure", show_default=False, help="Figure of the density (.pdf, .png or .svg).")
]
LossOut = Annotated[Path | None, typer.Option("--out", show_default=False, help="NetCDF file of the losses (.nc).")]
LossFigure = Annotated[
    Path | None, typer.Option("--figure", show_default=False, help="Figure of the losses (.pdf, .png or .svg).")
]
TauMin = Annotated[
    float | None,
    typer.Option(
        "--tau-min", show_default=False, help="First training time; a hundredth of the fastest mode's if absent."
    ),
]
TauMax = Annotated[
    float | None,
    typer.Option("--tau-max", show_default=False, help="Last training time; ten times the slowest mode's if absent."),
]
TauPoints = Annotated[int, typer.Option("--points", help="Training times, spaced evenly in log tau.")]
Tau = Annotated[
    float | None, typer.Option("--tau", show_default=False, help="Training time at which the region is asked for.")
]

_TAU_POINTS = (2, 20_000)


def spectrum(
    psi_p: PsiP,
    psi_n: PsiN,
    t: Time,
    activation: ActivationName = "tanh",
    sigma: Sigma = "1.0",
    points: Points = 400,
    out: SpectrumOut = None,
    figure: SpectrumFigure = None,
) -> Answer:
    """Bulks of the feature matrix of a score model, and the time scales of its training.

    U = E act(W x_t/sqrt(d)) act(W x_t/sqrt(d))^T over n samples and all noise, p x p, for d -> infinity; a mode of
    eigenvalue l relaxes on tau = psi_p/(2 Delta l).  Bulks: 2 population, 1 noise, 3 hidden modes; merged ones as 3+1.
    """
    from theory.diffusion.resolvent import ScoreModel
    from theory.diffusion.spectrum import score_spectrum

    with _drafts(out, figure) as (draft, picture):
        found = score_spectrum(ScoreModel(psi_p, psi_n, t, activation, sigma), points=points)
        if draft is not None:
            from spinodal.results import write_spectrum

            write_spectrum(found, draft)
        if picture is not None:
            from spinodal.score_figure import draw_bulks

            draw_bulks(found, picture)
    written = [str(path) for path in (out, figure) if path is not None]
    data = {**found.to_json(), "state": "gaussian-equivalent", "files": written}

    def show(console: Console) -> None:
        rows: list[tuple[object, ...]] = [("delta", x, x, w, psi_p * w) for x, w in found.atoms]
        rows += [
            (f"bulk {b['name']}", b["low"], b["high"], b["weight"], psi_p * b["weight"])
            for b in found.quantities["bulks"]
        ]
        table(console, f"spectrum of {_heading(data)}", ("", "from", "to", "weight", "x psi_p"), rows)
        console.print()
        table(console, "", ("", ""), [*_times(data), ("status", found.status)])
        _files(console, written)

    return Answer(data, show)


def losses(
    psi_p: PsiP,
    psi_n: PsiN,
    t: Time,
    activation: ActivationName = "tanh",
    sigma: Sigma = "1.0",
    tau_min: TauMin = None,
    tau_max: TauMax = None,
    points: TauPoints = 200,
    out: LossOut = None,
    figure: LossFigure = None,
) -> Answer:
    """Train and test loss and score error of a score model at every training time (gradient flow, d -> infinity).

    Losses are per dimension, 1 at tau = 0; `drop` is by how much the modes of each bulk have lowered the train loss.
    """
    import numpy as np

    from theory.diffusion.losses import losses as of_training
    from theory.diffusion.resolvent import ScoreModel
    from theory.diffusion.spectrum import described
    from theory.diffusion.times import time_scales

    if isinstance(points, bool) or not _TAU_POINTS[0] <= points <= _TAU_POINTS[1]:
        raise InvalidInput(f"points = {points} is not allowed; give a whole number from 2 to {_TAU_POINTS[1]}.")
    model = ScoreModel(psi_p, psi_n, t, activation, sigma)
    first, last = _range(model, tau_min, tau_max)
    with _drafts(out, figure) as (draft, picture):
        found, scales = of_training(model, np.geomspace(first, last, points)), time_scales(model).to_json()
        parameters = {"psi_p": psi_p, "psi_n": psi_n, "t": t}
        head = {"model": "score", "parameters": parameters, **described(model)}
        head |= {"time_error" if key == "error" else key: value for key, value in scales.items() if key != "status"}
        if draft is not None:
            from spinodal.loss_files import dataset

            dataset(found, head).to_netcdf(draft, engine="h5netcdf")
        if picture is not None:
            from spinodal.score_figure import draw_losses

            draw_losses(found, head, picture)
    written = [str(path) for path in (out, figure) if path is not None]
    data = {**head, **found.to_json(), "files": written}

    def show(console: Console) -> None:
        final = found.final
        rows: list[tuple[object, ...]] = [
            ("tau -> infinity", final["train"], final["test"], final["score_error"]),
        ]
        shown = np.unique(np.linspace(0, points - 1, min(points, 12)).round().astype(int))
        rows = [
            (f"{found.tau[k]:.6g}", float(found.train[k]), float(found.test[k]), float(found.score_error[k]))
            for k in shown
        ] + rows
        table(console, f"losses of {_heading(data)}", ("tau", "train", "test", "score error"), rows)
        console.print()
        drop = [(f"drop of the train loss by bulk {name}", value) for name, value in final["drop"].items()]
        errors = [("error of losses", f"{found.error:.1e}"), ("of score errors", f"{found.score_error_error:.1e}")]
        table(console, "", ("", ""), [*drop, *_times(data), *errors, ("status", found.status)])
        _files(console, written)

    return Answer(data, show)


def times(
    psi_p: PsiP,
    psi_n: PsiN,
    t: Time,
    activation: ActivationName = "tanh",
    sigma: Sigma = "1.0",
    tau: Tau = None,
) -> Answer:
    """Time scales of a score model's training, the samples n* it needs, and its region in the phase diagram.

    tau_gen: the score is learnt; tau_mem_1: samples begin to be memorised; tau_mem_3: the train loss collapses;
    tau_opt: lowest test loss, which rises again as soon as population modes overfit. Exponents are d ln tau/d ln n at
    this point.

    n*/d: samples above which even infinite training leaves a score better than none (error below that of no score).
    Regions at --tau: underfit (tau < tau_gen), architecture (n > n*), dynamics (tau < tau_mem_1), else memorise.
    """
    from theory.diffusion.losses import Training
    from theory.diffusion.resolvent import ScoreModel
    from theory.diffusion.spectrum import described
    from theory.diffusion.times import exponent, region, samples_needed, time_scales

    model = ScoreModel(psi_p, psi_n, t, activation, sigma)
    training = Training(model)
    found = time_scales(training)
    place = None if tau is None else region(training, tau)
    derived = {
        "exponent_mem_1": exponent(model, 1),
        "exponent_mem_3": exponent(model, 3),
        "psi_n_star": samples_needed(psi_p, t=t, activation=activation, sigma=sigma),
    }
    why = {
        "exponent_mem_1": found.reasons.get("tau_mem_1", ""),
        "exponent_mem_3": found.reasons.get("tau_mem_3", ""),
        "psi_n_star": "infinite training leaves a score better than none for any number of samples"
        if model.learns
        else "nothing is learnt",
    }
    absent = {name: why[name] for name, value in derived.items() if value is None}
    data: dict[str, Any] = {
        "model": "score",
        "parameters": {"psi_p": psi_p, "psi_n": psi_n, "t": t},
        **described(model),
        **found.to_json(),
        **derived,
        "reasons": {**found.reasons, **absent},
        "tau": tau,
        "region": place,
    }

    def show(console: Console) -> None:
        spoken = {"exponent_mem_1": "exponent of tau_mem_1 in n", "exponent_mem_3": "exponent of tau_mem_3 in n"}
        more = [(spoken.get(k, "n*/d"), absent[k] if v is None else v) for k, v in derived.items()]
        rows: list[tuple[str, object]] = [*_times(data), *more]
        if place is not None:
            rows.append((f"region at tau = {tau:g}", place))
        table(console, f"training of {_heading(data)}", ("", ""), [*rows, ("status", found.status)])

    return Answer(data, show)


@contextmanager
def _drafts(out: Path | None, figure: Path | None) -> Iterator[tuple[Path | None, Path | None]]:
    """Files reserved before the work: an unwritable one is told at once, and nothing is left half-written."""
    with ExitStack() as stack:
        draft = picture = None
        if out is not None:
            draft = stack.enter_context(reserved(out, suffixes=(".nc",)))
        if figure is not None:
            from spinodal.drawing import FORMATS

            picture = stack.enter_context(reserved(figure, suffixes=FORMATS))
        yield draft, picture


def _range(model: ScoreModel, first: float | None, last: float | None) -> tuple[float, float]:
    """Training times from before the fastest mode to after the slowest, unless given."""
    from theory.diffusion.bulks import bulks

    for name, value in (("tau-min", first), ("tau-max", last)):
        if value is not None and not 0.0 < value < 1e300:
            raise InvalidInput(f"--{name} {value} is not allowed; give a finite training time above 0.")
    found = bulks(model).bulks
    unit = model.psi_p / (2.0 * model.Delta)
    first = 0.01 * unit / found[-1].high if first is None else first
    last = 10.0 * unit / found[0].low if last is None else last
    if not first < last:
        raise InvalidInput(
            f"training times from {first:.6g} to {last:.6g} are not allowed; give --tau-min < --tau-max."
        )
    return first, last


def _heading(data: dict[str, Any]) -> str:
    given = ", ".join(f"{name} = {value:g}" for name, value in data["parameters"].items())
    return f"score ({given}, {data['activation']}, Tr Sigma/d = {data['sigma']['sigma2']:g})"


def _times(data: dict[str, Any]) -> list[tuple[str, object]]:
    """Rows of the time scales, with the reason where one is absent."""
    reasons = data["reasons"]
    rows: list[tuple[str, object]] = [
        (name, data[name] if data[name] is not None else reasons.get(name))
        for name in ("tau_gen", "tau_mem_1", "tau_mem_3", "tau_mem_3_last", "tau_opt")
    ]
    rows.append(("score error at tau_opt", data["score_error_opt"]))
    rows.append(("score error for tau -> infinity", data["score_error_final"]))
    return rows


def _files(console: Console, written: list[str]) -> None:
    for name in written:
        console.print(f"wrote {name}", markup=False)
