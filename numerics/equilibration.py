r"""Has a run forgotten its start?  A verdict from three tests with a stated chance of false alarm.

On the second half of the run, cut in two per chain (m = 2R pieces): the potential scale reduction R-hat of Vehtari,
Gelman, Simpson, Carpenter and Buerkner, Bayesian Anal. 16, 667 (2021), arXiv:1903.08008, eqs. (1)-(4), of the
rank-normalised values, eq. (14), and of their distances from the median ("folded"), which see a difference in spread.
On the whole run: the averages over its last half, the quarter before and the eighth before that must agree (logarithmic
binning; a relaxation that is slow in log t shows here).

Each statistic is compared with its distribution for stationary chains with the autocorrelation time that was measured,
so that a long run is not condemned by chance; R-hat below 1.01 always passes.  Measured on 1000 sets of stationary
AR(1) chains with tau from 1/2 to 9.5 and 1 to 16 chains: 2.5 to 4.6 % false alarms at 5 %, 0 to 0.2 % at 0.1 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri, ndtri

from numerics.series import Series, autocovariance_sum
from theory.errors import InvalidInput

__all__ = ["Equilibration", "equilibration", "folded", "jointly", "potential_scale_reduction", "rank_normalised"]

Floats = NDArray[np.float64]

# R-hat below which nobody objects (the threshold of Vehtari et al.).
R_HAT = 1.01
# Effective measurements in each half of each chain, below which autocorrelation times are guesses.
LEAST_ESS = 25.0
# Time bins of the run below which its earliest octave has fewer than 4.
LEAST_BINS = 32


@dataclass(frozen=True)
class Equilibration:
    """Verdict on one observable of one run.

    Attributes
    ----------
    equilibrated : bool
        The verdict is 'equilibrated'; nothing else may be averaged in silence.
    verdict : {'equilibrated', 'unequilibrated', 'too short'}
        'unequilibrated': chains or octaves differ by more than chance allows.  'too short': they do not, but the run
        has too few independent measurements to tell.
    r_hat : float or None
        The larger one of both R-hat; None if it is undefined (an observable that never changes) or infinite.
    tau : float or None
        Integrated autocorrelation time in sweeps, :attr:`numerics.series.Series.tau`.
    ess : float or None
        Effective number of independent measurements in the second half, within chains.
    log_bins : tuple of (value, error)
        Averages over the last half, the quarter before and the eighth before that, oldest first.
    message : str
        One sentence: what was seen, and the remedy.
    """

    equilibrated: bool
    verdict: str
    r_hat: float | None
    tau: float | None
    ess: float | None
    log_bins: tuple[tuple[float, float], ...]
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {**vars(self), "log_bins": [list(pair) for pair in self.log_bins]}


def equilibration(series: Series | ArrayLike, *, false_alarm: float = 1e-3) -> Equilibration:
    """Judge whether a run is stationary and its chains agree.

    Parameters
    ----------
    series : Series, or (R, n) array
        The whole run, from its first sweep.  With R = 1 only the halves of one chain are compared.
    false_alarm : float
        Probability, at most, that a stationary run that is long enough is called unequilibrated; a third goes to each
        test.

    Raises
    ------
    InvalidInput
        For an empty series or a probability outside (0, 0.5).

    Examples
    --------
    >>> chains = np.random.default_rng(1).normal(size=(4, 1000))
    >>> equilibration(chains).verdict
    'equilibrated'
    >>> stuck = chains + np.array([0.0, 0.0, 0.0, 2.0])[:, None]
    >>> equilibration(stuck).verdict
    'unequilibrated'
    """
    if not 0.0 < false_alarm < 0.5:
        raise InvalidInput(
            f"false_alarm = {false_alarm} is not allowed; give 0 < false_alarm < 0.5, for example 0.001."
        )
    run = series if isinstance(series, Series) else Series.of(series)
    bins = run.bins().T  # (R, B)
    B = bins.shape[1]
    if B < LEAST_BINS:
        return _too_short(f"{B} measurements are too few to judge; run at least {LEAST_BINS} times {run.every} sweeps.")
    half = (B - B // 2) // 2
    pieces = bins[:, B - 2 * half :].reshape(-1, half)  # (2R, half)
    if (np.ptp(pieces, axis=1) == 0.0).all():
        if np.ptp(pieces) == 0.0:
            return _too_short(
                "the observable did not change in the second half of the run, so equilibration cannot be told from "
                "being frozen; run more sweeps, or judge another observable."
            )
        sentence = "unequilibrated: chains are frozen at different values; use tempering, or a higher temperature."
        return replace(_too_short(""), verdict="unequilibrated", message=sentence)
    share = false_alarm / 3.0
    found = [_agreement(rank_normalised(x), share) for x in (pieces, folded(pieces))]
    r_hat = max(r for r, _, _ in found)
    # A bin of several measurements counts as one above; single measurements vary more than bins.
    single = run.variance() - float(pieces.mean(axis=1).var())
    ess = min(e for _, _, e in found) * max(1.0, single / float(pieces.var(axis=1).mean()))
    split = any(r > max(R_HAT, limit) for r, limit, _ in found)
    log_bins, drifts = _octaves(bins, pieces, share)

    seen = f"R-hat = {r_hat:.3f}, {ess:.0f} effective measurements in {run.n} of each of {run.chains} chain(s)"
    if split or drifts:
        what = " and ".join(["its chains or their halves differ"] * split + ["its averages still drift"] * drifts)
        verdict, remedy = "unequilibrated", f"{what}; run more sweeps, or use tempering"
    elif ess < LEAST_ESS * len(pieces):
        factor = math.ceil(LEAST_ESS * len(pieces) / max(ess, 1.0))
        verdict, remedy = (
            "too short",
            f"{LEAST_ESS * len(pieces):.0f} are needed; run {factor} times as many sweeps, or use tempering",
        )
    elif run.chains == 1:
        verdict = "equilibrated"
        remedy = "one chain agrees with itself but may be stuck; run several from different starts to know"
    else:
        verdict, remedy = "equilibrated", "chains, their halves and the last three octaves agree"
    return Equilibration(
        equilibrated=verdict == "equilibrated",
        verdict=verdict,
        r_hat=r_hat if math.isfinite(r_hat) else None,
        tau=run.tau,
        ess=ess,
        log_bins=log_bins,
        message=f"{verdict}: {seen}; {remedy}.",
    )


def jointly(verdicts: Sequence[Equilibration]) -> str:
    """Verdict on a run from those on its observables: the worst.

    Examples
    --------
    >>> fine = equilibration(np.random.default_rng(1).normal(size=(4, 1000)))
    >>> jointly([fine, equilibration(np.zeros((4, 10)))])
    'too short'
    """
    order = ("unequilibrated", "too short", "equilibrated")
    return min((v.verdict for v in verdicts), key=order.index)


def rank_normalised(x: Floats) -> Floats:
    """Replace values by normal scores of their ranks among all: Phi^-1((r - 3/8)/(S + 1/4)), eq. (14); ties share one.

    Parameters
    ----------
    x : (m, n) array

    Returns
    -------
    scores : (m, n) array

    Examples
    --------
    >>> rank_normalised(np.array([[1.0, 5.0, 2.0]])).round(3).tolist()
    [[-0.869, 0.869, 0.0]]
    """
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - 0.5 * (count - 1)
    return np.asarray(ndtri((rank - 0.375) / (x.size + 0.25)))[place].reshape(x.shape)


def folded(x: Floats) -> Floats:
    """Distances from the median of all values."""
    return np.abs(x - np.median(x))


def potential_scale_reduction(x: Floats) -> float:
    """R-hat of the (m, n) array of m chains: eqs. (1)-(4); infinite if only the chains differ, 1 for a constant.

    Examples
    --------
    >>> potential_scale_reduction(np.array([[0.0, 1.0], [0.0, 1.0]]))
    0.707...
    """
    n = x.shape[1]
    within = float(x.var(axis=1, ddof=1).mean())
    between = float(x.mean(axis=1).var(ddof=1))  # B/n of eq. (1)
    if within == 0.0:
        return math.inf if between > 0.0 else 1.0
    return math.sqrt((n - 1) / n + between / within)


def _agreement(x: Floats, false_alarm: float) -> tuple[float, float, float]:
    """R-hat of pieces (m, n), the value that stationary ones exceed with probability `false_alarm`, and their ESS.

    The variance of m means over 2 tau W/n is F-distributed with m - 1 degrees of freedom and those of the measured tau.
    """
    m, n = x.shape
    within = float(x.var(axis=1, ddof=1).mean())
    if within == 0.0:  # equal pieces have nothing to say, different ones everything
        r_hat = potential_scale_reduction(x)
        return r_hat, 1.0, 0.0 if r_hat > 1.0 else math.inf
    ess = m * n * within / autocovariance_sum(x - x.mean(axis=1, keepdims=True), own_means=True)
    spread = float(fdtri(m - 1, _degrees(ess), 1.0 - false_alarm)) * m / ess
    return potential_scale_reduction(x), math.sqrt((n - 1) / n + spread), ess


def _degrees(ess: float) -> float:
    """Degrees of freedom of a variance that rests on a tau summed up to 5 tau: Var(tau)/tau^2 = 10/ESS."""
    return max(ess / 5.0, 2.0)


def _octaves(bins: Floats, pieces: Floats, false_alarm: float) -> tuple[tuple[tuple[float, float], ...], bool]:
    """Averages with errors over the last three octaves of the run, oldest first, and whether they differ."""
    B = bins.shape[1]
    octaves = [bins[:, a:b] for a, b in pairwise((B // 8, B // 4, B // 2, B))]
    # Chains may sit at different means, which R-hat judges; a drift is what they have in common.
    own = pieces - pieces.mean(axis=1, keepdims=True)
    variance = autocovariance_sum(own, own_means=True)
    means = np.array([o.mean() for o in octaves])
    counts = np.array([o.size for o in octaves])
    errors = np.sqrt(variance / counts)
    found = tuple(zip(means.tolist(), errors.tolist(), strict=True))
    if variance == 0.0:
        return found, bool(np.ptp(means) > 0.0)
    common = (counts * means).sum() / counts.sum()
    statistic = float((((means - common) / errors) ** 2).sum()) / 2.0
    ess = own.size * float(own.var()) / variance
    return found, statistic > float(fdtri(2, _degrees(ess), 1.0 - false_alarm))


def _too_short(sentence: str) -> Equilibration:
    return Equilibration(False, "too short", None, None, None, (), f"too short: {sentence}")
