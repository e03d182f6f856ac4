r"""Training of a random-feature score model at finite size: gradient flow and descent in closed form, SGD and Adam.

The score is ``s(x) = A act(W x/sqrt(d))/sqrt(p)``; its loss, per dimension and averaged over samples and noise,

    L = (1/d) E |sqrt(Delta) s(x_t) + xi|^2 = |xi|^2/d + (Delta/d) Tr B U B^T + (2 sqrt(Delta)/d) Tr B V

with ``B = A/sqrt(p)``.  U and V average features over samples and noise: ``U = E act act^T, V = E act xi^T``.

Gradient flow ``A' = -d^2 grad L`` from A = 0 gives ``B^T = -phi(U) V/sqrt(Delta)`` with ``phi(l) = (1 - decay)/l``,
``decay = exp(-k l)``, ``k = 2 Delta tau/psi_p``.  Descent in steps of dtau has ``decay = (1 - l 2 Delta
dtau/psi_p)^(tau/dtau)`` instead; it is stable below ``rate = 2`` in units of the fastest mode's relaxation time.
SGD and Adam go step by step, over finitely many noises; their batches have names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from numerics import rng
from numerics.diffusion.score_matrices import Modes
from theory.errors import InvalidInput

__all__ = ["Setting", "drops", "groups", "losses", "optimum", "score_floor", "stepwise"]

Array = NDArray[np.float64]

_ZERO = 1e-13  # eigenvalues below this share of the largest are zero
_SHALLOW = 1e-10  # minimum of the test loss that is rounding
_BETAS = (0.9, 0.999)
_TINY = 1e-8


@dataclass(frozen=True)
class Setting:
    """What turns eigenvalues into losses.

    Attributes
    ----------
    psi_p, Delta : float
        Features per dimension, as realised, and variance of the noise.
    floor : float
        Test loss of the exact score.
    rate : float or None
        Steps of gradient descent in relaxation times of the fastest mode; None for gradient flow.
    """

    psi_p: float
    Delta: float
    floor: float
    rate: float | None = None


def score_floor(t: float, covariance: Array) -> float:
    """Test loss of the exact score of Gaussian data, ``1 - Delta Tr (e^{-2t} Sigma + Delta)^{-1}/d``."""
    Delta = -math.expm1(-2.0 * t)
    return 1.0 - Delta * float(np.mean(1.0 / (math.exp(-2.0 * t) * covariance + Delta)))


def _decay(modes: Modes, setting: Setting, tau: Array) -> Array:
    """What is left of every mode at every time; (times, r).  Modes that vanish do not move."""
    values = modes.eigenvalue
    alive = values > _ZERO * values[-1]
    k = 2.0 * setting.Delta * tau / setting.psi_p
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if setting.rate is None:
            left = np.exp(-k[:, None] * values)
        else:
            step = setting.rate / values[-1]  # in k
            shrink = 1.0 - step * values
            left = np.sign(shrink) ** np.rint(k / step)[:, None] * np.exp(
                np.rint(k / step)[:, None] * np.log(np.abs(shrink))
            )
    left = np.where(np.isposinf(k)[:, None], 0.0, left)
    return np.where(alive, left, 1.0)


def losses(modes: Modes, setting: Setting, tau: ArrayLike) -> tuple[Array, Array, Array]:
    """Train loss, test loss and error of the score at training times; infinity is allowed.

    Parameters
    ----------
    modes : Modes
    setting : Setting
    tau : (k,) array

    Returns
    -------
    train, test, score_error : (k,) array
        Per dimension.
    """
    times = np.atleast_1d(np.asarray(tau, dtype=np.float64))
    left = _decay(modes, setting, times)
    values = np.maximum(modes.eigenvalue, np.finfo(float).tiny)
    phi = (1.0 - left if setting.rate is not None else _risen(modes, setting, times, left)) / values
    train = modes.noise_power - (1.0 - left**2) @ (modes.power / values)
    test = 1.0 - 2.0 * phi @ modes.cross + ((phi @ modes.pair) * phi).sum(axis=1)
    return train, test, (test - setting.floor) / setting.Delta


def _risen(modes: Modes, setting: Setting, tau: Array, left: Array) -> Array:
    """``1 - exp(-k l)`` without cancellation."""
    k = 2.0 * setting.Delta * tau[:, None] / setting.psi_p
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(left == 1.0, 0.0, np.where(np.isposinf(k), 1.0, -np.expm1(-k * modes.eigenvalue)))


def groups(modes: Modes, counts: Mapping[str, int]) -> dict[str, slice]:
    """Modes by bulk: from the largest eigenvalue down as many as each bulk has; what is left is 'delta'.

    Counting needs no gap between the bulks, which finite size may fill.

    Parameters
    ----------
    counts : dict of str to int
        Eigenvalues per bulk, from the highest bulk down.

    Examples
    --------
    >>> zeros = np.zeros(3)
    >>> groups(Modes(np.array([1.0, 2.0, 5.0]), zeros, zeros, zeros), {"2": 1, "1": 1})
    {'2': slice(2, 3, None), '1': slice(1, 2, None), 'delta': slice(0, 1, None)}
    """
    top, found = modes.eigenvalue.size, dict[str, slice]()
    for name, count in counts.items():
        bottom = max(0, top - count)
        found[name] = slice(bottom, top)
        top = bottom
    return {**found, "delta": slice(0, top)} if top else found


def drops(modes: Modes, setting: Setting, parts: Mapping[str, slice], tau: ArrayLike) -> dict[str, Array]:
    """By how much the modes of each group have lowered the train loss; (k,) each."""
    times = np.atleast_1d(np.asarray(tau, dtype=np.float64))
    done = 1.0 - _decay(modes, setting, times) ** 2
    weight = modes.power / np.maximum(modes.eigenvalue, np.finfo(float).tiny)
    return {name: done[:, part] @ weight[part] for name, part in parts.items()}


def optimum(modes: Modes, setting: Setting) -> tuple[float, float] | None:
    """Training time of the lowest test loss, and the error of the score there; None if the loss falls for ever."""
    unit = setting.psi_p / (2.0 * setting.Delta)
    alive = modes.eigenvalue[modes.eigenvalue > _ZERO * modes.eigenvalue[-1]]
    grid = np.log(np.geomspace(0.05 * unit / alive[-1], 20.0 * unit / alive[0], 80))
    test = losses(modes, setting, np.exp(grid))[1]
    k = int(np.argmin(test))
    if not 0 < k < grid.size - 1:
        return None
    best = minimize_scalar(
        lambda x: float(losses(modes, setting, math.exp(x))[1][0]),
        bounds=(grid[k - 1], grid[k + 1]),
        method="bounded",
        options={"xatol": 1e-6},
    )
    final = losses(modes, setting, math.inf)[1][0]
    if final - best.fun <= _SHALLOW:
        return None
    return math.exp(best.x), (float(best.fun) - setting.floor) / setting.Delta


def stepwise(
    features: Array,
    noise: Array,
    setting: Setting,
    *,
    optimiser: str,
    rate: float,
    at: ArrayLike,
    batch: int,
    name: tuple[str | int, ...],
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, float | None, Array]]:
    """Train by SGD or Adam on given features and noises.

    Parameters
    ----------
    features : (p, k) array
        ``act(W x_t/sqrt(d))`` of every noisy sample.
    noise : (k, d) array
        The noise xi in each.
    optimiser : {'sgd', 'adam'}
    rate : float
        sgd: step in relaxation times of the fastest mode (the largest eigenvalue of the features' covariance); adam:
        step of an element of A.
    at : (m,) array of int
        Steps after which the weights are wanted, increasing.
    batch : int
        Noisy samples per step, drawn with replacement; k or more means all of them in every step.
    name : tuple
        Of the random stream of the batches.

    Yields
    ------
    step, tau, B : int, float or None, (d, p) array
        Weights ``A/sqrt(p)``; the training time exists for sgd only.
    """
    p, total = features.shape
    if optimiser not in ("sgd", "adam"):
        raise InvalidInput(f"optimiser '{optimiser}' does not go step by step; give sgd or adam.")
    root, d = math.sqrt(setting.Delta), noise.shape[1]
    top = float(np.linalg.norm(features, 2) ** 2 / total)
    dtau = rate * setting.psi_p / (2.0 * setting.Delta * top)
    B = np.zeros((d, p))
    first, second = np.zeros_like(B), np.zeros_like(B)
    wanted = [int(s) for s in np.atleast_1d(np.asarray(at))]
    key = rng.stream(*name, "batches")
    for step in range(wanted[-1] + 1):
        if step in wanted:
            yield step, step * dtau if optimiser == "sgd" else None, B
        if step == wanted[-1]:
            return
        if batch < total:
            words = rng.words(key, rows=1, columns=batch, first_row=step)[0].astype(np.uint64)
            chosen = ((words * np.uint64(total)) >> np.uint64(32)).astype(np.int64)
            phi, xi = features[:, chosen], noise[chosen]
        else:
            phi, xi = features, noise
        # grad of the loss with respect to B, times d/2
        slope = root * (root * B @ phi + xi.T) @ phi.T / phi.shape[1]
        if optimiser == "sgd":
            B = B - (2.0 * dtau / setting.psi_p) * slope
        else:
            gradient = slope * (2.0 / (d * math.sqrt(p)))  # with respect to A
            first = _BETAS[0] * first + (1.0 - _BETAS[0]) * gradient
            second = _BETAS[1] * second + (1.0 - _BETAS[1]) * gradient**2
            lengths = (1.0 - beta ** (step + 1) for beta in _BETAS)
            mean, spread = (moment / length for moment, length in zip((first, second), lengths, strict=True))
            B = B - rate / math.sqrt(p) * mean / (np.sqrt(spread) + _TINY / (d * math.sqrt(p)))
        if progress is not None:
            progress(step + 1, wanted[-1])
