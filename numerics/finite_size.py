r"""From finite N to the thermodynamic limit: extrapolation of measurements, and simulated transition
points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from numerics.estimate import Measurement, redrawn
from numerics.records import Record
from theory.errors import InvalidInput

__all__ = [
    "Crossing",
    "Extrapolation",
    "Transition",
    "crossing",
    "extrapolate",
    "one_kind",
    "paired_crossing",
    "transition",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Extrapolation(Measurement):
    """A measurement extrapolated to infinite N by a weighted fit of ``value + slope N^-exponent``.

    Attributes
    ----------
    value, error : float
        Intercept and its standard error.
    n : int
        Number of sizes.
    slope : float
    exponent : float
    chi2 : float
        Weighted sum of squared residuals; about `dof` for a fit that describes the data.
    dof : int
        Number of sizes minus two.
    """

    slope: float
    exponent: float
    chi2: float
    dof: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return a dictionary for JSON."""
        rest = {"slope": self.slope, "exponent": self.exponent, "chi2": self.chi2, "dof": self.dof}
        return super().to_json() | rest


@dataclass(frozen=True)
class Crossing:
    """Where the retrieved fraction crosses 1/2 at one size.

    Attributes
    ----------
    N : int
    value, error : float
        Load at the crossing and its standard error.
    width : float
        Load interval over which the fitted fraction goes from 1/4 to 3/4; negative where it falls with the
        load.
    samples : int
        Disorder samples in the fit, over all loads.
    """

    N: int
    value: float
    error: float
    width: float
    samples: int


@dataclass(frozen=True)
class Transition:
    """A simulated transition: crossings per size and, with two sizes or more, their extrapolation.

    Attributes
    ----------
    vary : str
        The load that was varied.
    crossings : tuple of Crossing
        In order of N.
    limit : Extrapolation or None
    other_limits : dict of float
        Values that exponents 1/2, 2/3 and 1 give: the error of `limit` does not include the choice of
        exponent.
    """

    vary: str
    crossings: tuple[Crossing, ...]
    limit: Extrapolation | None
    other_limits: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        rows = [vars(c) for c in self.crossings]
        limit = self.limit.to_json() if self.limit else None
        return {"vary": self.vary, "crossings": rows, "limit": limit, "other_limits": self.other_limits}


def extrapolate(N: ArrayLike, values: ArrayLike, errors: ArrayLike, *, exponent: float = 1.0) -> Extrapolation:
    """Extrapolate measurements at several sizes to infinite N.

    Parameters
    ----------
    N, values, errors : (k,) array
        Sizes, measurements and their standard errors, k >= 2.
    exponent : float
        Power of 1/N of the leading correction.

    Raises
    ------
    InvalidInput
        For fewer than two different sizes, errors that are not positive, or an exponent that is not positive.

    Examples
    --------
    >>> fit = extrapolate([1000, 2000, 4000], [1.1, 1.05, 1.025], [0.01, 0.01, 0.01])
    >>> round(fit.value, 6), fit.dof
    (1.0, 1)
    """
    size, y, e = (np.asarray(x, dtype=np.float64) for x in (N, values, errors))
    if size.ndim != 1 or size.shape != y.shape or size.shape != e.shape:
        raise InvalidInput(f"N, values and errors have shapes {size.shape}, {y.shape}, {e.shape}; give equal lists.")
    if len(set(size.tolist())) < 2:
        raise InvalidInput(f"{len(set(size.tolist()))} size(s) cannot be extrapolated; simulate at two or more N.")
    if not (np.isfinite(e).all() and (e > 0).all()):
        raise InvalidInput("errors must be finite and positive; simulate at least two samples per size.")
    if not (math.isfinite(exponent) and exponent > 0):
        raise InvalidInput(f"exponent = {exponent} is not allowed; give exponent > 0 (1 for corrections in 1/N).")
    x = size**-exponent
    scale = x.max()  # keeps the normal equations well conditioned
    design = np.stack([np.ones_like(x), x / scale], axis=1) / e[:, None]
    covariance = np.linalg.inv(design.T @ design)
    intercept, slope = covariance @ (design.T @ (y / e))
    residuals = (y - intercept - slope * x / scale) / e
    return Extrapolation(
        value=float(intercept),
        error=math.sqrt(covariance[0, 0]),
        n=size.size,
        slope=float(slope / scale),
        exponent=exponent,
        chi2=float(residuals @ residuals),
        dof=size.size - 2,
    )


def crossing(
    loads: ArrayLike, successes: ArrayLike, trials: ArrayLike, *, N: int, seed: int = 0, resamples: int = 200
) -> Crossing:
    """Fit the load at which a fraction of successes crosses 1/2, by logistic regression.

    The error is the standard deviation over parametric bootstrap samples.  Where the data jump from all to
    none between neighbouring loads, the slope is bounded by a weak prior (standard deviation 8 per load
    spacing) and the standard deviation of a uniform distribution over that interval is added to the error.

    Parameters
    ----------
    loads, successes, trials : (k,) array
        k >= 2 different loads.
    N : int
    seed, resamples : int

    Raises
    ------
    InvalidInput
        If the fraction stays on one side of 1/2, or crosses it back and forth so that no one load is the crossing.
    """
    x, k, n = (np.asarray(a, dtype=np.float64) for a in (loads, successes, trials))
    if x.ndim != 1 or x.shape != k.shape or x.shape != n.shape or len(set(x.tolist())) < 2 or (n < 1).any():
        raise InvalidInput("a transition needs fractions at two or more different loads; simulate at more loads.")
    order = np.argsort(x)
    most = int(n.max())
    key = rng.stream(seed, "crossing", N)

    def experiments(p: Floats, trials: Floats) -> Floats:
        uniform = rng.words(key, rows=resamples * x.size, columns=most).reshape(resamples, x.size, most) * 2.0**-32
        hits = (uniform < p[:, None]) & (np.arange(most) < trials[:, None])
        return np.asarray(hits.sum(axis=2), dtype=np.float64)

    return _crossing(x[order], k[order], n[order], experiments, N=N, samples=int(n.sum()), what="load")


def paired_crossing(
    x: ArrayLike, outcomes: ArrayLike, *, N: int, seed: int = 0, resamples: int = 200, what: str = "load"
) -> Crossing:
    """Fit where a fraction of successes crosses 1/2 when the same samples were tried at every x.

    As :func:`crossing`, but samples are redrawn whole: outcomes of one sample are not independent.

    Parameters
    ----------
    x : (k,) array
    outcomes : (n, k) array of bool
        One row per sample.
    N : int
    seed, resamples : int
    what : str
        Name of x in messages.

    Raises
    ------
    InvalidInput
        As :func:`crossing`.

    Examples
    --------
    >>> outcomes = [[False, True, True], [False, False, True], [False, True, True], [False, False, True]]
    >>> paired_crossing([0.1, 0.2, 0.3], outcomes, N=100).value
    0.2000...
    """
    at, tried = np.asarray(x, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if at.ndim != 1 or tried.ndim != 2 or tried.shape[1] != at.size or len(set(at.tolist())) < 2 or not len(tried):
        raise InvalidInput(
            f"outcomes have shape {tried.shape} at {at.size} {what}s; give (n, k) for k >= 2 different ones."
        )
    order = np.argsort(at)
    tried = tried[:, order]
    rows = redrawn(len(tried), "crossing", N, resamples=resamples, seed=seed)
    drawn = tried[rows].sum(axis=1)
    trials = np.full(at.size, float(len(tried)))
    return _crossing(at[order], tried.sum(axis=0), trials, lambda p, n: drawn, N=N, samples=len(tried), what=what)


def transition(records: Sequence[Record], *, vary: str = "alpha", exponent: float = 0.5, seed: int = 0) -> Transition:
    """Return the simulated transition: the load where the retrieved fraction is 1/2, extrapolated in N.

    Realised loads (P/N, D/N) are used, not the ones asked for.

    Parameters
    ----------
    records : sequence of Record
        Simulations from one start at several loads and sizes.
    vary : str
        Name of the load that was varied.
    exponent : float
        Power of 1/N of the finite-size shift; 1/2 is the size of sample-to-sample fluctuations of the load
        that a sample can bear.
    seed : int
        Names the bootstrap samples.

    Raises
    ------
    InvalidInput
        If records differ in more than size, samples and the load that varies, or the fraction does not cross 1/2 at
        some size.
    """
    if not records:
        raise InvalidInput("a transition needs records; simulate at several loads first.")
    one_kind(records, but=vary)
    if any(vary not in r.loads for r in records):
        raise InvalidInput(f"'{vary}' is no load of these records; vary one of {', '.join(records[0].loads)}.")
    points = []
    for N in sorted({r.N for r in records}):
        here = [r for r in records if r.N == N]
        trials = np.array([r["retrieved_fraction"].n for r in here])
        successes = np.rint([r["retrieved_fraction"].value * r["retrieved_fraction"].n for r in here])
        points.append(crossing([r.loads[vary] for r in here], successes, trials, N=N, seed=seed))
    limit, others = None, {}
    if len(points) > 1:
        sizes, values, errors = [c.N for c in points], [c.value for c in points], [c.error for c in points]
        limit = extrapolate(sizes, values, errors, exponent=exponent)
        for name, power in (("1/2", 1 / 2), ("2/3", 2 / 3), ("1", 1.0)):
            others[name] = extrapolate(sizes, values, errors, exponent=power).value
    return Transition(vary, tuple(points), limit, others)


def one_kind(records: Sequence[Record], *, but: str | None = None) -> None:
    """Raise InvalidInput if records differ in more than size, samples and the parameter `but`."""
    kinds = {
        (
            *(r.model, r.start, r.L, r.coefficients, r.L_train, r.overlap, r.retrieved_above, r.tie, r.order),
            *sorted((k, v) for k, v in r.parameters.items() if k != but),
        )
        for r in records
    }
    if len(kinds) > 1:
        raise InvalidInput(
            f"records of {len(kinds)} different simulations are mixed; give those of one start, at the same "
            f"{'parameters' if but is None else f'parameters but {but}'} and rules."
        )


def _crossing(
    x: Floats,
    k: Floats,
    n: Floats,
    experiments: Callable[[Floats, Floats], Floats],
    *,
    N: int,
    samples: int,
    what: str,
) -> Crossing:
    """Fit k successes of n at rising x; `experiments` maps probabilities and trials to successes of resamples."""
    observed = k / n
    if not ((observed >= 0.5).any() and (observed <= 0.5).any() and np.ptp(observed) > 0):
        side = "above" if observed.min() > 0.5 else "below"
        raise InvalidInput(
            f"at N = {N} the retrieved fraction stays {side} 1/2 for {what}s from {x[0]:g} to {x[-1]:g}; "
            f"extend the range of {what}s."
        )
    centre, spacing = float(x.mean()), float(np.diff(np.unique(x)).min())
    u = (x - centre) / spacing
    a, b = (float(x) for x in _logistic(u, k[None, :], n)[0])
    if not u[0] - 1.0 <= (-a / b if b else math.inf) <= u[-1] + 1.0:
        raise InvalidInput(
            f"at N = {N} the retrieved fraction does not fall or rise through 1/2 between the {what}s {x[0]:g} and "
            f"{x[-1]:g}, it goes back and forth; give {what}s on both sides of one transition, and more samples."
        )
    p = 1.0 / (1.0 + np.exp(-np.clip(a + b * u, -500, 500)))
    drawn = experiments(p, n)
    fits = _logistic(u, drawn, n)
    found = -a / b
    # A flat resample puts the crossing anywhere; quantiles are not moved by it.
    steep = fits[fits[:, 1] != 0.0]
    low, high = np.quantile(-steep[:, 0] / steep[:, 1], [0.1587, 0.8413])
    error = 0.5 * float(high - low)
    if ((observed > 0) & (observed < 1)).sum() < 2:
        after = int(np.clip(np.searchsorted(u, found), 1, u.size - 1))
        error = math.hypot(error, float(u[after] - u[after - 1]) / math.sqrt(12.0))
    width = 2.0 * math.log(3.0) / b
    return Crossing(N, centre + found * spacing, error * spacing, width * spacing, samples)


def _logistic(u: Floats, k: Floats, n: Floats) -> Floats:
    """Maximise the likelihood of logit p = a + b u by Newton's method, with a prior N(0, 64) on b.

    `k` holds one experiment per row, (r, K); the result is the (r, 2) array of (a, b).
    """
    prior = np.array([1e-6, 1.0 / 64.0])
    design = np.stack([np.ones_like(u), u], axis=1)
    theta = np.zeros((len(k), 2))

    def objective(trial: Floats) -> Floats:
        eta = trial @ design.T
        value = (k * eta - n * np.logaddexp(0.0, eta)).sum(axis=1) - 0.5 * (prior * trial**2).sum(axis=1)
        return np.asarray(value, dtype=np.float64)

    value = objective(theta)
    for _ in range(60):
        p = 1.0 / (1.0 + np.exp(-np.clip(theta @ design.T, -500, 500)))
        gradient = (k - n * p) @ design - prior * theta
        curvature = np.einsum("rk,ki,kj->rij", n * p * (1 - p), design, design) + np.diag(prior)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        # The objective is concave: halving the step where it does not rise makes the method global.
        for _ in range(30):
            risen = objective(theta + step) >= value - 1e-12 * np.abs(value)
            if risen.all():
                break
            step[~risen] /= 2.0
        theta = theta + step
        value = objective(theta)
        if np.abs(step).max() < 1e-9 * (1.0 + np.abs(theta).max()):
            break
    return theta
