"""`spinodal collapse`: when a diffusion model with the exact empirical score finds its data points, and its classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spinodal.commands.answers import DISAGREEMENT, NOT_CONVERGED, OK, Answer, table

if TYPE_CHECKING:
    from rich.console import Console

    from theory.diffusion.information import Information

__all__ = ["collapse"]

_FEWEST = 64  # samples: with 2 to 8, five errors were exceeded in 7 runs of 160

Alpha = Annotated[float, typer.Option("--alpha", help="log(n)/d > 0 of n data points in d dimensions, in nats.")]
Data = Annotated[
    str, typer.Option("--data", help="gaussian, signs, linear-manifold or hidden-manifold (x = act(F z/sqrt(D))).")
]
Sigma2 = Annotated[
    float | None, typer.Option("--sigma2", show_default="1", help="gaussian: variance of every component.")
]
Covariance = Annotated[
    str | None,
    typer.Option("--covariance", show_default=False, help="gaussian: file of d variances or a d x d matrix."),
]
Process = Annotated[str, typer.Option("--process", help="vp (Ornstein-Uhlenbeck) or ve (t is the noise's variance).")]
Mean = Annotated[
    str | None,
    typer.Option(
        "--mean", show_default=False, help="Two classes +-m: |m| or a file of m; K centres in rows: speciation."
    ),
]
Gamma = Annotated[float | None, typer.Option("--gamma", show_default=False, help="Manifolds: D/N.")]
Act = Annotated[str | None, typer.Option("--activation", show_default="tanh", help="hidden-manifold: the activation.")]
Simulate = Annotated[
    str | None,
    typer.Option(
        "--simulate", show_default=False, help="gaussian, equal variances: also simulate at these d, e.g. 20,60,180."
    ),
]
Samples = Annotated[
    int | None, typer.Option("--samples", show_default="256", help="--simulate: samples at every d, 64 or more.")
]
Seed = Annotated[int | None, typer.Option("--seed", show_default="0", help="--simulate: names the samples.")]


def collapse(
    *,
    alpha: Alpha,
    data: Data = "gaussian",
    sigma2: Sigma2 = None,
    covariance: Covariance = None,
    process: Process = "vp",
    mean: Mean = None,
    gamma: Gamma = None,
    activation: Act = None,
    simulate: Simulate = None,
    samples: Samples = None,
    seed: Seed = None,
) -> Answer:
    """Collapse time t_C of the exact empirical score, I(x_0; x_t)/d = alpha, and speciation time t_S; d -> infinity.

    vp: x_t = e^{-t} x_0 + sqrt(1 - e^{-2t}) xi; ve: x_t = x_0 + sqrt(t) xi.  With --mean, sigma2 or the covariance are
    those of every class, and t_C is that of all of them (their shares shift it by O(1/d)).  --simulate measures the
    median over samples of the time at which a data point takes half of the weight, and extrapolates in 1/d; it ends
    with exit code 4 if that is further than five errors from the theory.
    """
    import theory.diffusion.collapse as law
    from theory.diffusion.speciation import speciation

    c = _covariance(data, sigma2, covariance, mean)
    sizes = _dimensions(simulate, samples, seed, data == "gaussian" and covariance is None and mean is None)
    found = law.collapse(_information(data, c, gamma, activation), alpha, process=process)
    answer: dict[str, Any] = {"model": "rem", "data": data, **found.to_json()}
    answer |= {k: v for k, v in (("sigma2", sigma2), ("covariance", covariance), ("gamma", gamma)) if v is not None}
    if data == "hidden-manifold":
        answer |= {"activation": activation or "tanh", "assumes": "replica symmetry"}
    statuses = [found.status]
    if mean is not None:
        split = speciation(_mean(mean), c, process=process)
        statuses.append(split.status)
        answer |= {"t_S": split.t_S, "t_S_error": split.error, "t_S_status": split.status.value, "Lambda": split.Lambda}

    agrees = True
    if sizes and found.t_C is not None:
        answer["simulated"] = _simulated(
            sizes, alpha, found.t_C, float(c), process, 256 if samples is None else samples, seed or 0
        )
        agrees = abs(answer["simulated"]["t_C"] - found.t_C) <= 5.0 * answer["simulated"]["error"]

    def show(out: Console) -> None:
        rows: list[tuple[str, object]] = [("t_C", found.t_C)]
        if found.error is not None:
            rows.append(("error", f"{found.error:.1e}"))
        rows += [("signal-to-noise ratio", found.snr), ("status", found.status)]
        if mean is not None:
            rows += [("", ""), ("t_S", answer["t_S"]), ("largest eigenvalue of the covariance", answer["Lambda"])]
            rows += [("status", answer["t_S_status"])]
        if "simulated" in answer:
            at = answer["simulated"]
            points = [*((f"simulated, d = {p['d']}", p) for p in at["sizes"]), ("extrapolated", at)]
            rows += [("", ""), *((name, f"{p['t_C']:.5g} +- {p['error']:.1g}") for name, p in points)]
        rows += [("", ""), ("convention", answer["convention"])]
        table(out, f"collapse of {data} data at alpha = {alpha:g}", ("", ""), rows)

    bad = any(status.value != "CONVERGED" for status in statuses)
    code = NOT_CONVERGED if bad else OK if agrees else DISAGREEMENT
    return Answer(answer, show, code, remark=_remark(answer))


def _dimensions(simulate: str | None, samples: int | None, seed: int | None, white: bool) -> list[int]:
    """The dimensions at which is simulated."""
    from theory.errors import InvalidInput

    if simulate is None:
        if samples is not None or seed is not None:
            raise InvalidInput("--samples and --seed are for --simulate; leave them out, or give dimensions.")
        return []
    if not white:
        raise InvalidInput(
            "--simulate is for gaussian data of equal variances in one class; leave it out, or give --sigma2 alone."
        )
    try:
        sizes = sorted({int(part) for part in simulate.split(",")})
    except ValueError:
        sizes = []
    if len(sizes) < 2 or not all(2 <= d <= 20_000 for d in sizes):
        raise InvalidInput(
            f"--simulate '{simulate}' is not allowed; give two or more dimensions from 2 to 20000, as 20,60,180."
        )
    if samples is not None and samples < _FEWEST:
        raise InvalidInput(
            f"samples = {samples} is not allowed; give {_FEWEST} or more: errors from fewer are too uncertain to "
            "judge by."
        )
    return sizes


def _simulated(
    sizes: list[int], alpha: float, near: float, sigma2: float, process: str, samples: int, seed: int
) -> dict[str, Any]:
    """Median collapse times at several d, and their limit."""
    from numerics.diffusion.collapse_times import counted_collapse_time
    from numerics.finite_size import extrapolate
    from numerics.progress import reporting

    found = []
    with reporting("collapse") as report:
        for k, d in enumerate(sizes):
            report(f"d = {d}", k, len(sizes))
            found.append(
                counted_collapse_time(d, alpha, near=near, sigma2=sigma2, process=process, samples=samples, seed=seed)
            )
    limit = extrapolate(sizes, [f.value for f in found], [f.error for f in found])
    points = [{"d": d, "t_C": f.value, "error": f.error} for d, f in zip(sizes, found, strict=True)]
    return {"sizes": points, "t_C": limit.value, "error": limit.error, "samples": samples, "seed": seed}


def _remark(answer: dict[str, Any]) -> str:
    """Why there is no time, where there is none."""
    words = []
    if answer["t_C"] is None:
        words.append(
            "the data have less entropy per dimension than alpha, so they never collapse; give a smaller alpha"
            if answer["data"] == "signs"
            else "the collapse needs a signal-to-noise ratio beyond 1e300, so no number holds t_C; give a smaller alpha"
        )
    if "t_S" in answer and answer["t_S"] is None:
        words.append("the classes overlap too much to be separate wells at any time; give centres further apart")
    sentence = " and ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}." if words else ""


def _covariance(data: str, sigma2: float | None, covariance: str | None, mean: str | None) -> Any:
    """The covariance of the data (of a class) that the options give."""
    from theory.arrays import read_array
    from theory.errors import InvalidInput

    if sigma2 is not None and covariance is not None:
        raise InvalidInput("--sigma2 and --covariance both give the variance; leave out one of the two.")
    if data != "gaussian":
        for flag, value in (("--sigma2", sigma2), ("--covariance", covariance), ("--mean", mean)):
            if value is not None:
                raise InvalidInput(f"{flag} is for gaussian data; '{data}' data have unit variance: leave it out.")
    if covariance is not None:
        return read_array(covariance, "the covariance")
    return 1.0 if sigma2 is None else sigma2


def _mean(mean: str) -> Any:
    """|m|, or the centres in a file."""
    from theory.arrays import read_array
    from theory.errors import InvalidInput

    try:
        length = float(mean)
    except ValueError:
        return read_array(mean, "the file of centres")
    if not 0.0 <= length < math.inf:
        raise InvalidInput(f"--mean {mean} is not allowed; give the length |m| > 0 of the centres +-m, or a file.")
    return length


def _information(data: str, covariance: Any, gamma: float | None, activation: str | None) -> Information:
    """The information function of the data."""
    import theory.diffusion.information as known
    from theory.diffusion.manifold_information import manifold_information
    from theory.errors import InvalidInput, nearest

    kinds = ("gaussian", "signs", "linear-manifold", "hidden-manifold")
    if data not in kinds:
        close = nearest(data, kinds)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"data '{data}' are unknown; choose one of {', '.join(kinds)}{hint}")
    if activation is not None and data != "hidden-manifold":
        raise InvalidInput("--activation is for --data hidden-manifold; leave it out, or name those data.")
    if data.endswith("manifold"):
        if gamma is None:
            raise InvalidInput("gamma is missing; a manifold needs D/N > 0: give --gamma.")
        if data == "linear-manifold":
            return known.linear_manifold_information(gamma)
        return manifold_information(gamma, activation or "tanh")
    if gamma is not None:
        raise InvalidInput("--gamma is for manifolds; leave it out, or give --data linear-manifold or hidden-manifold.")
    if data == "signs":
        return known.sign_information()
    return known.gaussian_information(known.covariance_spectrum(covariance)[0])
