r"""The nonlinear random-feature network itself: its feature matrices U and V, averaged over the noise exactly.

A feature of a noisy sample is ``act(h + width z)`` with h = e^{-t} w.x/sqrt(d), ``width = sqrt(Delta) |w|/sqrt(d)`` and
standard normal z; two features of one sample have noises of correlation ``rho = w_i.w_j/(|w_i||w_j|)``.  With Hermite
coefficients ``c_k(h) = E act(h + width z) He_k(z)/sqrt(k!)`` (Mehler's formula)

    U_ij = (1/n) sum_nu sum_k c_k(h_i) c_k(h_j) rho_ij^k      for i != j,      U_ii = (1/n) sum_nu E act^2,
    V_i  = (w_i/|w_i|) (1/n) sum_nu c_1(h_i)                  (Stein).

rho is O(d^{-1/2}): few orders suffice, and what is left out is at most ``|rho|^(k+1)`` times the powers that the two
features have in higher orders (Cauchy and Schwarz), which is summed and declared.  Averages over the population of
Gaussian data are the same with h = 0 and the covariance ``e^{-2t} Sigma + Delta`` in place of that of the noise.

Source: Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638, for the network; averages there are by sampling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.score_matrices import Disorder, Modes
from theory.diffusion.constants import Activation
from theory.errors import InvalidInput, NotConverged

__all__ = [
    "Averages",
    "feature_samples",
    "hermite",
    "network_modes",
    "noise_average",
    "population_average",
    "sample_average",
]

Array = NDArray[np.float64]

LARGEST = 6000  # features: U is p x p
_REACH = 10.0  # standard deviations of the noise
_STEPS = (0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)
_PANELS = np.linspace(-_REACH, _REACH, 9)
_NODES = 16
_ENOUGH = 1e-11  # Frobenius norm of what the series leaves out, relative to that of U
_ROUGH = 1e-6
_ORDERS = 96
_BLOCK = 6  # orders at once, at least
_HELD = 1 << 25  # numbers in a block of coefficients
_CHUNK = 1 << 16  # numbers at once, which stay in cache


@dataclass(frozen=True, eq=False)
class Averages:
    """Matrices of a network.

    Attributes
    ----------
    U : (p, p) array
    V : (p, d) array
    orders : int
        Terms of the series.
    error : float
        Bound of the Frobenius norm of what is left out of U.
    noise_power : float
        ``|xi|^2/d``, averaged over the noise in use; 1 if exact.
    """

    U: Array
    V: Array
    orders: int
    error: float
    noise_power: float = 1.0


def hermite(act: Activation, h: Array, width: Array, orders: range) -> tuple[Array, Array]:
    """Hermite coefficients of an activation around points, and its second moment there.

    Parameters
    ----------
    act : Activation
    h : (p, n) array
    width : (p,) array
        Standard deviation of the noise of every row.
    orders : range

    Returns
    -------
    coefficients : (orders, p, n) array
        ``E act(h + width z) He_k(z)/sqrt(k!)``.
    power : (p, n) array
        ``E act^2``.

    Examples
    --------
    >>> from theory.diffusion.constants import activation
    >>> c, power = hermite(activation("linear"), np.array([[0.5]]), np.array([2.0]), range(3))
    >>> c[:, 0, 0].round(12).tolist(), round(float(power[0, 0]), 12)
    ([0.5, 2.0, 0.0], 4.25)
    """
    p, n = h.shape
    reach = float(np.abs(h).max(initial=0.0) + _REACH * width.max())
    kinks = act.pieces(reach).kinks
    common = None if kinks.size else _common(act, h, width, orders[-1])
    found, power = np.empty((len(orders), p, n)), np.empty((p, n))
    nodes = common[0].size if common is not None else _NODES * (_PANELS.size + kinks.size - 1)
    rows = max(1, _CHUNK // (nodes * n))
    for k in range(0, p, rows):
        part, scale = h[k : k + rows].reshape(-1), np.repeat(width[k : k + rows], n)
        if common is not None:
            at, weight = common
            y = act(part[:, None] + scale[:, None] * at)
            table = weight * _polynomials(at, orders)
            found[:, k : k + rows] = (y @ table.T).T.reshape(len(orders), -1, n)
            power[k : k + rows] = ((y * y) @ weight).reshape(-1, n)
            continue
        at, weight = _own(part, scale, kinks)
        y = act(part[:, None] + scale[:, None] * at)
        power[k : k + rows] = (weight * y * y).sum(axis=1).reshape(-1, n)
        y *= weight
        for row, values in enumerate(_each_polynomial(at, orders)):
            found[row, k : k + rows] = (y * values).sum(axis=1).reshape(-1, n)
    return found, power


def _common(act: Activation, h: Array, width: Array, order: int) -> tuple[Array, Array]:
    """Nodes and weights of the trapezoid rule, as few as the smooth activation needs at some of the points."""
    probe = np.linspace(float(h.min()), float(h.max()), 41)[:, None]
    widest = float(width.max())
    orders, before, missed = range(max(0, order - 1), order + 1), None, math.inf
    for step in _STEPS:
        last = math.floor(_REACH / step)
        z = step * np.arange(-last, last + 1.0)
        weight = step * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        y = act(probe + widest * z)
        now = np.concatenate([(y @ (weight * _polynomials(z, orders)).T).ravel(), (y * y) @ weight])
        if before is not None:
            missed = float(np.abs(now - before).max() / (1.0 + np.abs(now).max()))
        if missed <= 1e-13:
            break
        before = now
    if not missed <= 1e-9:
        raise NotConverged(
            f"activation '{act.name}' varies too fast for its averages over the noise (error {missed:.1e}); give one "
            "that is smooth on the scale of the noise, or with steps."
        )
    return z, weight


def _own(h: Array, width: Array, kinks: Array) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights (points, nodes) on panels that end at the kinks of every point."""
    x, w = np.polynomial.legendre.leggauss(_NODES)
    own = np.clip((kinks - h[:, None]) / width[:, None], -_REACH, _REACH)
    edges = np.sort(np.concatenate([np.broadcast_to(_PANELS, (h.size, _PANELS.size)), own], axis=1), axis=1)
    half, middle = 0.5 * np.diff(edges, axis=1), 0.5 * (edges[:, 1:] + edges[:, :-1])
    z = (middle[..., None] + half[..., None] * x).reshape(h.size, -1)
    weight = (half[..., None] * w).reshape(h.size, -1)
    return z, weight * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _each_polynomial(z: Array, orders: range) -> Iterator[Array]:
    """``He_k(z)/sqrt(k!)`` by the recurrence."""
    last, now = np.zeros_like(z), np.ones_like(z)
    for k in range(orders.stop):
        if k >= orders.start:
            yield now
        last, now = now, (z * now - math.sqrt(k) * last) / math.sqrt(k + 1)


def _polynomials(z: Array, orders: range) -> Array:
    return np.array(list(_each_polynomial(z, orders)))


def _series(act: Activation, h: Array, width: Array, rho: Array) -> tuple[Array, Array, int, float]:
    """U and the row means of c_1, with the number of orders and a bound of the error; rho has ones on the diagonal."""
    p, n = h.shape
    U, slope = np.zeros((p, p)), np.zeros(p)
    off = np.abs(rho)
    np.fill_diagonal(off, 0.0)
    raised, bound, rest = np.ones((p, p)), off.copy(), np.empty(0)
    error, start, size = math.inf, 0, _BLOCK
    while start < _ORDERS:
        block, power = hermite(act, h, width, range(start, min(start + size, _ORDERS)))
        if start == 0:
            slope, total = block[1].mean(axis=1), power.mean(axis=1)
            rest, norm = total.copy(), float(np.linalg.norm(total))
        for k, c in enumerate(block, start):
            U += (c @ c.T / n) * raised
            rest = np.maximum(rest - (c * c).mean(axis=1), 0.0)
            raised *= rho
            root = np.sqrt(rest)
            error = float(np.linalg.norm(root[:, None] * bound * root))
            if error <= _ENOUGH * norm:
                np.fill_diagonal(U, total)
                return U, slope, k + 1, error
            bound *= off
        # The next block goes on to where what is left would be small enough if no order took anything of it.
        start += size
        size = int(np.clip(_left(root, off, bound, _ENOUGH * norm), _BLOCK, max(_BLOCK, _HELD // h.size)))
    if error > _ROUGH * norm:
        raise NotConverged(
            f"the Hermite series of the noise leaves {error:.1e} of U out after {_ORDERS} orders, because two features "
            f"have an overlap of {off.max():.3f}; give a larger d."
        )
    np.fill_diagonal(U, total)
    return U, slope, _ORDERS, error


def _left(root: Array, off: Array, bound: Array, goal: float) -> int:
    """Orders until the Frobenius norm of ``root_i root_j bound_ij`` is below the goal; each takes a factor off_ij."""
    now, count = root[:, None] * bound * root, 1
    while count < _ORDERS and float(np.linalg.norm(now)) > goal:
        now *= off
        count += 1
    return count


def _checked(p: int) -> None:
    if p > LARGEST:
        raise InvalidInput(f"p = {p} features are too many for the true network; give psi_p d <= {LARGEST}.")


def noise_average(disorder: Disorder, act: Activation, t: float) -> Averages:
    """U and V over the samples, averaged over the noise exactly.

    Raises
    ------
    InvalidInput
        For more than 6000 features.
    NotConverged
        If the series leaves out more than 1e-6 of U, for features that are nearly parallel (small d).

    Examples
    --------
    >>> from numerics.diffusion.score_matrices import drawn
    >>> from theory.diffusion.constants import activation
    >>> from theory.diffusion.population import Population
    >>> found = noise_average(drawn(50, 100, 60, Population(), seed=0, sample=0), activation("tanh"), 0.01)
    >>> found.orders < 12, found.error < 1e-9
    (True, True)
    """
    _checked(disorder.p)
    d, W = disorder.d, disorder.W
    length = np.sqrt((W * W).sum(axis=1) / d)
    unit = W / (math.sqrt(d) * length[:, None])
    h = math.exp(-t) / math.sqrt(d) * (W @ disorder.X.T)
    U, slope, orders, error = _series(act, h, math.sqrt(-math.expm1(-2.0 * t)) * length, unit @ unit.T)
    return Averages(U, unit * slope[:, None], orders, error)


def population_average(disorder: Disorder, act: Activation, t: float) -> Averages:
    """The same over Gaussian data of the disorder's covariance, and the noise."""
    _checked(disorder.p)
    d, W, Delta = disorder.d, disorder.W, -math.expm1(-2.0 * t)
    spread = W * np.sqrt(math.exp(-2.0 * t) * disorder.covariance + Delta)
    width = np.sqrt((spread * spread).sum(axis=1) / d)
    unit = spread / (math.sqrt(d) * width[:, None])
    U, slope, orders, error = _series(act, np.zeros((disorder.p, 1)), width, unit @ unit.T)
    return Averages(U, W * (math.sqrt(Delta / d) * slope / width)[:, None], orders, error)


def feature_samples(disorder: Disorder, act: Activation, t: float, noises: int) -> tuple[Array, Array]:
    """Features (p, n m) of every sample with m noises, and these noises (n m, d); a sample's are consecutive."""
    d, n = disorder.d, disorder.n
    xi = disorder.gaussians("noise", rows=n, columns=noises * d).reshape(n * noises, d)
    x = math.exp(-t) * np.repeat(disorder.X, noises, axis=0) + math.sqrt(-math.expm1(-2.0 * t)) * xi
    return act(disorder.W @ x.T / math.sqrt(d)), xi


def sample_average(features: Array, noise: Array) -> Averages:
    """U and V over finitely many noises."""
    total, d = noise.shape
    return Averages(
        features @ features.T / total, features @ noise / total, 0, 0.0, float((noise * noise).sum() / total / d)
    )


def network_modes(train: Averages, fresh: Averages) -> Modes:
    """A network's train matrices in the eigenbasis of U, with the averages over the population."""
    d = train.V.shape[1]
    values, Q = np.linalg.eigh(train.U)
    V, fresh_V = Q.T @ train.V, Q.T @ fresh.V
    pair = Q.T @ fresh.U @ Q
    pair *= V @ V.T
    pair /= d
    return Modes(values, (V * V).sum(axis=1) / d, (V * fresh_V).sum(axis=1) / d, pair, noise_power=train.noise_power)
