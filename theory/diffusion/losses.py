r"""Losses of a score model under gradient flow, exactly at every training time, for any spectrum of the data.

From zero weights, ``A(tau)/sqrt(p) = -V^T U^{-1} (1 - exp(-k U))/sqrt(Delta)`` with ``k = 2 Delta tau/psi_p`` and
``V = b W/sqrt(d)``, so that with ``phi(z) = (1 - exp(-k z))/z``

    L_train = 1 - Tr V^T U^{-1} (1 - exp(-2 k U)) V/d,
    L_test  = 1 - 2 Tr V^T phi(U) V/d + Tr V^T phi(U) U' phi(U) V/d,      U' = E U.

The first is an integral over the spectral measure of U on the span of W; the last is a double contour integral over
``T(z1, z2) = Tr V^T R(z1) U' R(z2) V/d``.  Given W, with ``C = A W Sigma W^T/d + v^2`` and ``U' = C + B``,

    T = t1 + t2 u1 u2 t3/(1 - u1 u2 t4),      t1 = V^T Q1 U' Q2 V,      t2 = V^T Q1 C Q2 V,
    t3 = Tr U' Q2 C Q1/n,      t4 = Tr C Q1 C Q2/n,      Q = (u C + B - z)^{-1},

and the average over W of products of two Q, which hold different functions K of Sigma, is, with
``g = 1/(1 + psi_p q K)``, ``kappa = psi_p q1 q2``, ``N = 1 - kappa E K1 K2 g1 g2``, and M any function of Sigma,

    Tr Q1 Q2/p = q1 q2/N,      W^T Q1 Q2 W/d = (kappa/N) g1 g2,
    W^T Q1 W M W^T Q2 W/d^2 = psi_p kappa M g1 g2 + (kappa/N) E[M g1 g2] g1 g2.

Everything is then made of ``E lambda^j g1 g2`` for j = 0, 1, 2.

Source: the setting is that of Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638; the two-resolvent
equivalents for general Sigma are ours, and checked against random matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.arrays import real_numbers
from theory.diffusion.bulks import Bulk, Bulks, Nodes, bulks, nodes_of
from theory.diffusion.resolvent import ScoreModel, checked_model
from theory.errors import InvalidInput
from theory.problem import Status

__all__ = ["Losses", "Training", "losses"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_LATE = 120.0  # relaxation times of the slowest mode after which nothing changes, on all of the contour
_HEIGHT = 0.8  # of the contour in log z: half-way between the spectrum and pi/2, where exp(-k z) starts to grow
_DIGITS = 40.0  # nodes of the contour: exp(-40) is below rounding
_POINTS = 160
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Losses:
    """Losses against training time.

    Attributes
    ----------
    tau : (n,) array
        Training time; a mode of eigenvalue l relaxes on ``psi_p/(2 Delta l)``.
    train, test : (n,) array
        ``(1/d) E |sqrt(Delta) s(x_t) + xi|^2`` over samples, or over the population; 1 at tau = 0.
    score_error : (n,) array
        ``(1/d) E |s(x_t) - s*(x_t)|^2`` over the population.
    drop : dict of str to (n,) array
        By how much each bulk has lowered the train loss; together ``1 - train``.
    error, drop_error, score_error_error : float
        Largest estimated error of the losses, of the parts of the drop (from how much their sum differs), and of the
        score error, whose scale is 1/Delta times that of the losses.
    final : dict of str to float
        The same for tau -> infinity.
    status : Status
    """

    tau: Array
    train: Array
    test: Array
    score_error: Array
    drop: dict[str, Array]
    error: float
    drop_error: float
    score_error_error: float
    final: dict[str, Any]
    status: Status

    def to_json(self) -> dict[str, Any]:
        """The losses as plain types."""
        head = {k: v.tolist() for k, v in self.__dict__.items() if isinstance(v, np.ndarray)}
        drop = {k: v.tolist() for k, v in self.drop.items()}
        return {**head, "drop": drop, "final": self.final} | {
            "error": self.error,
            "drop_error": self.drop_error,
            "score_error_error": self.score_error_error,
            "status": self.status.value,
        }


@dataclass(frozen=True, eq=False)
class Training:
    """Gradient flow of a score model; training times tau are numbers or (n,) arrays, and losses (n,) arrays.

    Parameters
    ----------
    model : ScoreModel

    Raises
    ------
    InvalidInput
        For something else.

    Examples
    --------
    >>> training = Training(ScoreModel(64, 8, 0.01))
    >>> round(1.0 - training.final_train, 6), round(training.final_test, 6)
    (0.665824, 25.525893)
    """

    model: ScoreModel

    def __post_init__(self) -> None:
        checked_model(self.model)

    @cached_property
    def spectrum(self) -> Bulks:
        """The bulks of U."""
        return bulks(self.model)

    @cached_property
    def nodes(self) -> tuple[tuple[Bulk, Nodes], ...]:
        """Every bulk with quadrature nodes in it."""
        return tuple((bulk, nodes_of(self.model, bulk, points=_POINTS)) for bulk in self.spectrum.bulks)

    def rate(self, tau: Any) -> Array:
        """``k = 2 Delta tau/psi_p``."""
        return np.asarray(2.0 * self.model.Delta * np.asarray(tau, dtype=np.float64) / self.model.psi_p)

    def drops(self, tau: Any) -> dict[str, Array]:
        """By how much each bulk has lowered the train loss at times tau, which may be infinite; by name, (n,) each."""
        k = np.atleast_1d(self.rate(tau))
        found: dict[str, Array] = {}
        for bulk, nodes in self.nodes:
            done = -np.expm1(-2.0 * k[:, None] * nodes.eigenvalue)
            share = self.model.constants.b_squared * (done @ (nodes.weight * nodes.features / nodes.eigenvalue))
            found[bulk.name] = found.get(bulk.name, 0.0) + share
        return found

    def train(self, tau: Any) -> Array:
        """Train loss."""
        return 1.0 - self._single(2.0 * np.atleast_1d(self.rate(tau))) if self.model.learns else np.ones(np.size(tau))

    def test(self, tau: Any) -> Array:
        """Test loss."""
        return 1.0 + self._change(tau)[0]

    def score_error(self, tau: Any) -> Array:
        """Mean squared error of the score, per dimension."""
        return self.untrained + self._change(tau)[0] / self.model.Delta

    def score_error_doubt(self, tau: float) -> float:
        """Estimated error of the score error at one time; for infinite tau, how far two evaluations are apart."""
        if tau < math.inf:
            return self._change(tau)[1] / self.model.Delta
        if not self.model.learns:
            return 0.0
        late = _LATE / (float(self.rate(1.0)) * self.spectrum.bulks[0].low)
        change, error = self._change(late)
        return (abs(float(change[0]) - self.final_change) + error) / self.model.Delta

    @property
    def untrained(self) -> float:
        """Error of no score, ``Tr (e^{-2t} Sigma + Delta)^{-1}/d``; the exact score would gain Delta times it."""
        law = self.model.population
        return float(law.weights @ (1.0 / (math.exp(-2.0 * self.model.t) * law.eigenvalues + self.model.Delta)))

    @cached_property
    def _at_zero(self) -> tuple[float, float]:
        """``Tr V^T U^{-1} V/d`` and ``Tr V^T U^{-1} U' U^{-1} V/d``."""
        levels = self.model.at(_origin(self.model))
        T, _ = _two_resolvents(self.model, levels.w, levels.u)
        return self.model.constants.b_squared * float(levels.features[0].real), float(T[0, 0].real)

    @property
    def final_train(self) -> float:
        """Train loss for tau -> infinity."""
        return 1.0 - self._at_zero[0] if self.model.learns else 1.0

    @property
    def final_test(self) -> float:
        """Test loss for tau -> infinity."""
        return 1.0 + self.final_change

    @property
    def final_score_error(self) -> float:
        """Error of the score for tau -> infinity."""
        return self.untrained + self.final_change / self.model.Delta

    @property
    def final_change(self) -> float:
        """Test loss for tau -> infinity, less 1."""
        return self._at_zero[1] - 2.0 * self._at_zero[0] if self.model.learns else 0.0

    @cached_property
    def _contour(self) -> tuple[Complex, Complex, Complex]:
        """Points z around the spectrum; ``V^T R V`` there and T between them, times weights ``-+dz/(2 pi i)``."""
        low, high = math.log(self.spectrum.bulks[0].low), math.log(self.spectrum.bulks[-1].high)
        focus = 0.5 * (high - low)
        rho = math.asinh(_HEIGHT / focus)
        n = 2 * math.ceil(0.5 * max(_DIGITS / rho, 32.0))
        turn = rho + 1j * (2.0 * math.pi * (np.arange(n) + 0.5) / n)
        z = np.exp(0.5 * (high + low) + focus * np.cosh(turn))
        upper = self.model.at(z[: n // 2])  # the other half is conjugate to it, backwards
        w, u, features = (np.append(part, part[::-1].conj()) for part in (upper.w, upper.u, upper.features))
        T, _ = _two_resolvents(self.model, w, u)
        weight = z * focus * np.sinh(turn) / n
        return z, -self.model.constants.b_squared * features * weight, T * np.outer(weight, weight)

    def _single(self, k: Array) -> Array:
        """``Tr V^T phi(U) V/d``."""
        z, one, _ = self._contour
        return np.asarray((-np.expm1(-k[:, None] * z) @ (one / z)).real)

    def _change(self, tau: Any) -> tuple[Array, float]:
        """Test loss less 1, which is of order Delta (the error of the score is free of its rounding), and its error."""
        k = np.atleast_1d(self.rate(tau))
        if not self.model.learns:
            return np.zeros(k.size), 0.0
        z, _, T = self._contour
        phi = -np.expm1(-k[:, None] * z) / z
        double, some = _between(phi, T, phi), phi[:, ::2]
        half = 4.0 * _between(some, T[::2, ::2], some)  # every other node is a rule of half the digits
        size = _between(np.abs(phi), np.abs(T), np.abs(phi))
        scale = self.model.Delta + np.abs(double)
        error = np.abs(double - half) ** 2 / scale + np.abs(double.imag) + 4.0 * _EPS * size
        return double.real - 2.0 * self._single(k), float(error.max(initial=0.0))

    def slope(self, tau: Any) -> Array:
        """Derivative of the test loss in log tau."""
        return self._slope(tau)[0]

    def _slope(self, tau: Any) -> tuple[Array, Array]:
        """Derivative of the test loss in log tau, and its rounding."""
        k = np.atleast_1d(self.rate(tau))
        if not self.model.learns:
            return np.zeros(k.size), np.zeros(k.size)
        z, one, T = self._contour
        decay = np.exp(-k[:, None] * z)
        phi = -np.expm1(-k[:, None] * z) / z
        slope = (_between(phi, T, decay) - decay @ one).real
        size = _between(np.abs(phi), np.abs(T), np.abs(decay)) + np.abs(decay) @ np.abs(one)
        return 2.0 * k * slope, 4.0 * _EPS * k * size


def losses(model: ScoreModel, tau: ArrayLike) -> Losses:
    """Train and test loss and score error at training times.

    Parameters
    ----------
    model : ScoreModel
    tau : (n,) array
        Not negative.

    Raises
    ------
    InvalidInput
        For no score model, no times, or times that are negative or not finite.

    Examples
    --------
    >>> found = losses(ScoreModel(64, 8, 0.01), [0.0, 132.8018])
    >>> found.score_error.round(6)
    array([1.      , 0.054301])
    """
    training, times = Training(model), real_numbers("tau", tau, "training times")
    if not (np.isfinite(times).all() and (times >= 0.0).all()):
        raise InvalidInput("tau holds negative or non-finite training times; give a list of numbers tau >= 0.")
    change, error = training._change(times)
    test = 1.0 + change
    train, drop = training.train(times), training.drops(times)
    missed = float(np.abs(1.0 - train - sum(drop.values(), np.zeros(times.size))).max(initial=0.0))
    final = {
        "train": training.final_train,
        "test": training.final_test,
        "score_error": training.final_score_error,
        "drop": {name: float(d[0]) for name, d in training.drops(math.inf).items()},
    }
    score_error = training.untrained + change / model.Delta
    return Losses(times, train, test, score_error, drop, error, missed, error / model.Delta, final, Status.CONVERGED)


def _between(left: Any, T: Any, right: Any) -> Any:
    """``sum_ij left_ti T_ij right_tj``."""
    return ((left @ T) * right).sum(axis=1)


def _origin(model: ScoreModel) -> Array:
    """z = 0, below the spectrum; a linear network has s = 0, and its delta is met from below."""
    return np.array([0.0 if model.constants.s_squared > 0.0 or model.atom == 0.0 else -1e-9 * model.bound])


def _two_resolvents(model: ScoreModel, w: Complex, u: Complex) -> tuple[Complex, Complex]:
    """``T(z1, z2)`` between all pairs of points, and ``1 - u1 u2 t4``, which vanishes where the spectrum begins."""
    c, law = model.constants, model.population
    A, b2, psi = c.A, c.b_squared, model.psi_p
    values, weights = law.eigenvalues, law.weights
    g = 1.0 / (1.0 + w[:, None] * (A * u[:, None] * values + b2))
    P0, P1, P2 = ((g * (weights * values**j)) @ g.T for j in range(3))
    u1, u2 = u[:, None], u[None, :]
    kappa = np.outer(w, w) / psi
    N = 1.0 - kappa * (A * A * u1 * u2 * P2 + A * b2 * (u1 + u2) * P1 + b2 * b2 * P0)
    ratio = kappa / N
    C, U = A * P1, A * P1 + b2 * P0
    c_C, c_U = c.v_squared, c.v_squared + c.s_squared
    t1 = b2 * (psi * kappa * U + ratio * P0 * (U + c_U))
    t2 = b2 * (psi * kappa * C + ratio * P0 * (C + c_C))
    per_sample = psi / model.psi_n
    t3 = per_sample * (kappa * (A * A * P2 + A * b2 * P1) + ratio / psi * (U + c_U) * (C + c_C))
    t4 = per_sample * (kappa * A * A * P2 + ratio / psi * (C + c_C) ** 2)
    open_ = 1.0 - u1 * u2 * t4
    return t1 + t2 * u1 * u2 * t3 / open_, open_
