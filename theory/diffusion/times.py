r"""Time scales of a score model's training, and its phase diagram in samples, features and training time.

A mode of eigenvalue l relaxes on ``psi_p/(2 Delta l)``.  The scales are those of edges of the spectrum, solved for:

    tau_gen      slowest population mode (lower edge of bulk 2): the score is learnt, independently of n,
    tau_mem_1    fastest noise mode (upper edge of bulk 1): samples begin to be memorised, in proportion to n,
    tau_mem_3    fastest hidden mode (upper edge of bulk 3): the train loss collapses, in proportion to n as well,
    tau_opt      minimum of the test loss (early stopping); for finite n population modes overfit before tau_mem_1.

With ``n*`` the number of samples above which even infinite training leaves a score better than none, the regions are
underfit (tau < tau_gen), architecture (n > n*: too few features to memorise), dynamics (tau < tau_mem_1: not yet), and
memorise.

Source: Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638 (tau_gen, tau_mem_1, regions); tau_mem_3 is ours.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from theory.arrays import real_numbers
from theory.diffusion.activations import Activation
from theory.diffusion.edges import folds_of
from theory.diffusion.losses import Training
from theory.diffusion.resolvent import ScoreModel
from theory.errors import InvalidInput
from theory.problem import Status

__all__ = [
    "PhaseDiagram",
    "TimeScales",
    "exponent",
    "phase_diagram",
    "region",
    "samples_needed",
    "time_scales",
]

Array = NDArray[np.float64]

_GRID = 80
_RATIO = 1.5
_APART = 1e-3  # in log tau
_SHALLOW = 1e-10  # minimum of the test loss that is rounding
_KINDS = {1: "noise", 2: "population", 3: "hidden"}
_OF = {"tau_gen": 2, "tau_mem_1": 1, "tau_mem_3": 3, "tau_mem_3_last": 3}  # whose modes


@dataclass(frozen=True)
class TimeScales:
    """Time scales of training; None where the modes do not exist or are merged with others.

    Attributes
    ----------
    tau_gen, tau_mem_1, tau_mem_3 : float or None
        Relaxation times of the slowest population mode, the fastest noise mode and the fastest hidden mode.
    tau_mem_3_last : float or None
        Of the slowest hidden mode.
    error : float
        Largest estimated relative error of these.
    tau_opt, score_error_opt : float or None
        Where the test loss is lowest, and the error of the score there; None if it falls for ever, or rises again by
        less than 1e-10.
    tau_opt_error : float or None
        Estimated relative error of `tau_opt`: larger than the others where the minimum is shallow.
    score_error_opt_error : float or None
        Estimated error of `score_error_opt`.
    score_error_final, score_error_final_error : float
        Error of the score for infinite training, and how well it is known.
    reasons : dict of str to str
        Why numbers are None.
    status : Status
    """

    tau_gen: float | None
    tau_mem_1: float | None
    tau_mem_3: float | None
    tau_mem_3_last: float | None
    error: float
    tau_opt: float | None
    tau_opt_error: float | None
    score_error_opt: float | None
    score_error_opt_error: float | None
    score_error_final: float
    score_error_final_error: float
    reasons: dict[str, str]
    status: Status

    def to_json(self) -> dict[str, Any]:
        """The time scales as plain types."""
        return {**self.__dict__, "status": self.status.value}


@dataclass(frozen=True)
class PhaseDiagram:
    """Boundaries between the regions against the number of samples, at a number of features.

    Attributes
    ----------
    psi_p : float
    psi_n : (n,) array
    tau_gen, tau_mem_1, tau_mem_3 : (n,) array
        NaN where the modes do not exist or are merged.
    score_error_final : (n,) array
        Error of the score for infinite training; 1 is that of no score at all.
    psi_n_star : float or None
        ``n*/d``; None if infinite training is never worse than none.
    status : Status
    """

    psi_p: float
    psi_n: Array
    tau_gen: Array
    tau_mem_1: Array
    tau_mem_3: Array
    score_error_final: Array
    psi_n_star: float | None
    status: Status

    def to_json(self) -> dict[str, Any]:
        """The diagram as plain types."""
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in self.__dict__.items()}
        return {**plain, "status": self.status.value}


def time_scales(model: ScoreModel | Training) -> TimeScales:
    """Time scales of a model's training.

    Parameters
    ----------
    model : ScoreModel or Training
        The latter if its spectrum and losses are known already.

    Returns
    -------
    TimeScales
        Training times are in units in which a mode of eigenvalue l relaxes on ``psi_p/(2 Delta l)``.

    Raises
    ------
    NotConverged
        If the spectrum is not found.

    Examples
    --------
    >>> found = time_scales(ScoreModel(64, 8, 0.01))
    >>> round(found.tau_gen, 6), round(found.tau_mem_1, 6), round(found.tau_opt, 4)
    (164.301901, 4495.59945, 132.8018)
    """
    training = model if isinstance(model, Training) else Training(model)
    model = training.model
    spectrum, values, reasons = training.spectrum, _edge_times(training), dict[str, str]()
    for name in (name for name, value in values.items() if value is None):
        if not model.learns:
            reasons[name] = "nothing is learnt"
            continue
        held = [b for b in spectrum.bulks if _OF[name] in b.kinds]
        others = sorted({_KINDS[k] for b in held for k in b.kinds if k != _OF[name]})
        what = f"are merged with {' and '.join(others)} modes" if held else "do not exist"
        reasons[name] = f"{_KINDS[_OF[name]]} modes {what} at these parameters"
    error = max((b.error / b.low for b in spectrum.bulks), default=0.0)
    best = _lowest(training)
    if best is None:
        shallow = f"the test loss never rises again by more than {_SHALLOW:g}"
        reasons["tau_opt"] = shallow if model.learns else "nothing is learnt"
    lowest = None if best is None else float(training.score_error(best)[0])
    return TimeScales(
        **values,
        error=error,
        tau_opt=best,
        tau_opt_error=None if best is None else _uncertainty(training, best),
        score_error_opt=lowest,
        score_error_opt_error=None if best is None else training.score_error_doubt(best),
        score_error_final=training.final_score_error,
        score_error_final_error=training.score_error_doubt(math.inf),
        reasons=reasons,
        status=Status.CONVERGED,
    )


def _edge_times(training: Training) -> dict[str, float | None]:
    """Time scales of the edges; None where the modes do not exist, are merged with others, or are never excited."""
    model, spectrum = training.model, training.spectrum
    alone = spectrum.of_kind(3)
    hidden = alone if len(alone) == sum(3 in b.kinds for b in spectrum.bulks) else ()
    edges = {
        "tau_gen": spectrum.bottom_of(2),
        "tau_mem_1": spectrum.top_of(1),
        "tau_mem_3": hidden[-1].high if hidden else None,
        "tau_mem_3_last": hidden[0].low if hidden else None,
    }
    unit = model.psi_p / (2.0 * model.Delta)
    return {name: None if edge is None or not model.learns else unit / edge for name, edge in edges.items()}


def _lowest(training: Training) -> float | None:
    """Training time of the lowest test loss, a zero of its slope; None if it has none."""
    model, bulks_ = training.model, training.spectrum.bulks
    if not model.learns or not bulks_:
        return None
    unit = model.psi_p / (2.0 * model.Delta)
    times = np.geomspace(0.05 * unit / bulks_[-1].high, 20.0 * unit / bulks_[0].low, _GRID)
    slope = training.slope(times)

    def at(log_tau: float) -> float:
        return float(training.slope(math.exp(log_tau))[0])

    turns = np.flatnonzero((slope[:-1] < 0.0) & (slope[1:] >= 0.0))
    ends = np.log(times)
    roots = [
        math.exp(brentq(at, ends[k], ends[k + 1], xtol=1e-13, rtol=1e-14))
        for k in turns
        if at(ends[k]) < 0.0 < at(ends[k + 1])  # not rounding, where nothing changes any more
    ]
    if not roots:
        return None
    best = min(roots, key=lambda tau: float(training.test(tau)[0]))
    return best if training.final_test - float(training.test(best)[0]) > _SHALLOW else None


def _uncertainty(training: Training, best: float) -> float:
    """Relative error of the time of the lowest test loss: what is left of the slope, and its rounding."""
    slope, rounding = training._slope(best * np.exp([-_APART, 0.0, _APART]))
    return float((abs(slope[1]) + rounding[1]) * 2.0 * _APART / (slope[2] - slope[0]))


def exponent(model: ScoreModel, kind: int = 1) -> float | None:
    """``d ln tau/d ln n`` of the fastest noise (1) or hidden (3) modes at a fixed number of features.

    At a fold the derivative of the edge is explicit: only the equation F holds n.

    Parameters
    ----------
    model : ScoreModel
    kind : {1, 3}

    Returns
    -------
    float or None
        None where these modes do not exist or are merged.

    Raises
    ------
    InvalidInput
        For another kind.

    Examples
    --------
    >>> round(exponent(ScoreModel(1e6, 8, 0.01)), 4)
    0.9971
    """
    if kind not in (1, 3):
        raise InvalidInput(f"kind = {kind} is not allowed; give 1 (noise modes) or 3 (hidden modes).")
    training = Training(model)
    edge = training.spectrum.top_of(kind) if model.learns else None
    if edge is None:
        return None
    folds, c = folds_of(model), model.constants
    k = int(np.argmin(np.abs(folds.x + c.s_squared - edge)))
    Y, w = folds.Y[k : k + 1], folds.w[k : k + 1]
    at = model.curve(Y, w)
    by_n = -(model.alpha * w * w + (c.v_squared + c.A * model.averages(Y)[1]) * w / model.psi_n)
    multiplier = at.x_w / at.F_w if abs(at.F_w[0]) > abs(at.F_Y[0]) else at.x_Y / at.F_Y
    return float((multiplier * by_n)[0] / edge)


def samples_needed(
    psi_p: float, *, t: float, activation: str | Activation | Callable[[Array], Any] = "tanh", sigma: Any = 1.0
) -> float | None:
    """``psi_n* = n*/d``, above which even infinite training leaves a score better than none (an error of 1).

    Parameters
    ----------
    psi_p, t, activation, sigma
        As for `ScoreModel`.  The error of no score is ``Tr (e^{-2t} Sigma + Delta)^{-1}/d``, which is 1 for Sigma = I.

    Returns
    -------
    float or None
        The largest root; None if there is none above 1e-6.

    Examples
    --------
    >>> round(samples_needed(64.0, t=0.01) / 64, 2)
    2.97
    """
    model = ScoreModel(psi_p, 1.0, t, activation, sigma)
    if not model.learns:
        return None

    def excess(log_n: float) -> float:
        training = Training(replace(model, psi_n=math.exp(log_n)))
        return training.final_change / model.Delta

    high = math.log(1e3 * max(1.0, psi_p))
    while (low := high - math.log(_RATIO)) >= math.log(1e-6):
        if excess(low) > 0.0:
            return math.exp(brentq(excess, low, high, xtol=1e-13, rtol=1e-14))
        high = low
    return None


def region(model: ScoreModel | Training, tau: float) -> str:
    """The region of the phase diagram after training for a time tau.

    Parameters
    ----------
    model : ScoreModel or Training
    tau : float
        Training time.

    Returns
    -------
    {'underfit', 'dynamics', 'memorise', 'architecture'}

    Raises
    ------
    InvalidInput
        For a tau that is negative or not finite, or where modes are merged so that there is no boundary.

    Examples
    --------
    >>> [region(ScoreModel(64, 8, 0.01), tau) for tau in (10, 1000, 1e5)]
    ['underfit', 'dynamics', 'memorise']
    >>> region(ScoreModel(8, 64, 0.01), 1e9)
    'architecture'
    """
    if isinstance(tau, bool) or not isinstance(tau, numbers.Real) or not 0.0 <= float(tau) < math.inf:
        raise InvalidInput(f"tau = {tau} is not allowed; give a finite training time tau >= 0.")
    found = time_scales(model)
    training = model if isinstance(model, Training) else Training(model)
    if found.tau_gen is None:
        raise InvalidInput(f"there is no boundary of underfitting: {found.reasons['tau_gen']}; move the parameters.")
    if tau < found.tau_gen:
        return "underfit"
    if training.final_test < 1.0:
        return "architecture"
    if found.tau_mem_1 is None:
        raise InvalidInput(f"there is no onset of memorisation: {found.reasons['tau_mem_1']}; move the parameters.")
    return "dynamics" if tau < found.tau_mem_1 else "memorise"


def phase_diagram(
    psi_p: float,
    psi_n: ArrayLike,
    *,
    t: float,
    activation: str | Activation | Callable[[Array], Any] = "tanh",
    sigma: Any = 1.0,
) -> PhaseDiagram:
    """Boundaries of the regions at given numbers of samples, each solved for.

    Parameters
    ----------
    psi_p, t, activation, sigma
        As for `ScoreModel`.
    psi_n : (n,) array
        Samples per dimension.

    Examples
    --------
    >>> found = phase_diagram(64.0, [4.0, 8.0], t=0.01)
    >>> found.tau_gen.round(3).tolist(), found.tau_mem_1.round(3).tolist()
    ([252.456, 164.302], [2698.68, 4495.599])
    """
    samples = real_numbers("psi_n", psi_n, "numbers of samples")
    rows = []
    for n in samples:
        training = Training(ScoreModel(psi_p, float(n), t, activation, sigma))
        scales = _edge_times(training)
        known = (scales[name] for name in ("tau_gen", "tau_mem_1", "tau_mem_3"))
        rows.append([*(math.nan if tau is None else tau for tau in known), training.final_score_error])
    gen, mem_1, mem_3, final = np.array(rows).T
    star = samples_needed(psi_p, t=t, activation=activation, sigma=sigma)
    return PhaseDiagram(float(psi_p), samples, gen, mem_1, mem_3, final, star, Status.CONVERGED)
