r"""Gaussian-equivalent matrices of a score model at finite size, from named random streams.

With d dimensions, p features W (p x d), n samples X (n x d, covariance Sigma) and noise Omega (p x n), all Gaussian,

    U = F F^T + s^2,      F = [ (e^{-t} a W X^T/sqrt(d) + v Omega)/sqrt(n),  b W/sqrt(d) ],

so that U has the eigenvalue s^2 exactly ``p - n - d`` times if ``n + d < p``, and the others are s^2 more than those of
the (n + d) x (n + d) matrix F^T F.  No p x p matrix is made then: p = 10^4 costs what n + d = 2000 does.
W is drawn row by row and X sample by sample: more features or samples extend the ones of a smaller size.

Source: the equivalence is that of Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics import rng
from theory.diffusion.constants import Constants
from theory.diffusion.population import Population
from theory.errors import InvalidInput

__all__ = ["Disorder", "Modes", "covariance", "drawn", "equivalent_eigenvalues", "equivalent_modes", "realised"]

Array = NDArray[np.float64]

MOST = 100_000_000  # numbers in the largest matrix
SMALLEST = 4


@dataclass(frozen=True, eq=False)
class Disorder:
    """One sample of features and data.

    Attributes
    ----------
    W : (p, d) array
        Features, standard normal.
    X : (n, d) array
        Data with covariance ``diag(covariance)``.
    covariance : (d,) array
        Eigenvalues of Sigma; W is isotropic, so that its eigenvectors do not matter.
    name : tuple of str and int
        Of its random streams, with which more can be drawn.
    """

    W: Array
    X: Array
    covariance: Array
    name: tuple[str | int, ...]

    @property
    def d(self) -> int:
        """Dimensions."""
        return int(self.W.shape[1])

    @property
    def p(self) -> int:
        """Features."""
        return int(self.W.shape[0])

    @property
    def n(self) -> int:
        """Samples."""
        return int(self.X.shape[0])

    def gaussians(self, what: str, *, rows: int, columns: int) -> Array:
        """More standard normal numbers of this sample, by name."""
        return rng.gaussians(rng.stream(*self.name, what), rows=rows, columns=columns)


@dataclass(frozen=True, eq=False)
class Modes:
    """A feature matrix in its eigenbasis: all that training by gradient descent depends on.

    Attributes
    ----------
    eigenvalue : (r,) array
        Increasing; those of the modes that V has a part in.
    power : (r,) array
        ``|(Q^T V)_i|^2/d``.
    cross : (r,) array
        ``(Q^T V)_i . (Q^T V')_i/d`` with V' the average of V over the population.
    pair : (r, r) array
        ``(Q^T U' Q)_ij (Q^T V)_i . (Q^T V)_j/d`` with U' the average of U over the population.
    floor, multiplicity : float, int
        The eigenvalue that is left out, and how often it occurs; V has no part in it.
    noise_power : float
        ``|xi|^2/d`` averaged over the noise in the train loss; 1 if the average is exact.
    """

    eigenvalue: Array
    power: Array
    cross: Array
    pair: Array
    floor: float = 0.0
    multiplicity: int = 0
    noise_power: float = 1.0

    @property
    def all(self) -> Array:
        """All eigenvalues, increasing."""
        return np.sort(np.concatenate([np.full(self.multiplicity, self.floor), self.eigenvalue]))


def realised(d: int, psi_p: float, psi_n: float) -> tuple[int, int]:
    """Whole numbers of features and samples ``(p, n)``.

    Raises
    ------
    InvalidInput
        If d or the ratios are out of range, or the matrices do not fit.

    Examples
    --------
    >>> realised(100, 16.0, 4.0)
    (1600, 400)
    """
    if isinstance(d, bool) or not isinstance(d, numbers.Integral) or d < SMALLEST:
        raise InvalidInput(f"d = {d} is not allowed; give a whole number of dimensions, {SMALLEST} <= d.")
    for name, value in (("psi_p", psi_p), ("psi_n", psi_n)):
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 < float(value) < math.inf:
            raise InvalidInput(f"{name} = {value} is not allowed; give a finite number with 0 < {name}.")
        if round(value * d) < 1:
            raise InvalidInput(f"{name} = {value} at d = {d} leaves none; give {name} >= {1.0 / d:.6g}, or a larger d.")
    p, n = round(psi_p * d), round(psi_n * d)
    if p * (n + d) > MOST:
        raise InvalidInput(
            f"d = {d} means p = {p} features and n = {n} samples, which do not fit into memory; give d <= "
            f"{int(math.sqrt(MOST / (psi_p * (psi_n + 1.0))))}."
        )
    return p, n


def covariance(law: Population, d: int) -> Array:
    """Eigenvalues of Sigma at finite d: quantiles of the law in the middle of d equal shares; (d,).

    Examples
    --------
    >>> covariance(Population.atoms([1.0, 3.0], [0.75, 0.25]), 4)
    array([1., 1., 1., 3.])
    """
    middle = (np.arange(d) + 0.5) / d
    place = np.searchsorted(np.cumsum(law.weights) - 1e-12, middle)
    return np.asarray(law.eigenvalues[np.minimum(place, law.eigenvalues.size - 1)])


def drawn(d: int, p: int, n: int, law: Population, *, seed: int, sample: int) -> Disorder:
    """The sample of that name.

    Examples
    --------
    >>> one, more = (drawn(8, 20, n, Population(), seed=0, sample=3) for n in (4, 6))
    >>> bool((one.X == more.X[:4]).all() and (one.W == more.W).all())
    True
    """
    name = (seed, "score", d, sample)
    levels = covariance(law, d)
    W = rng.gaussians(rng.stream(*name, "features"), rows=p, columns=d)
    X = rng.gaussians(rng.stream(*name, "data"), rows=n, columns=d) * np.sqrt(levels)
    return Disorder(W, X, levels, name)


def _factor(disorder: Disorder, constants: Constants) -> Array:
    """F, with the d columns of W last."""
    W, X, d, n = disorder.W, disorder.X, disorder.d, disorder.n
    F = np.empty((disorder.p, n + d))
    F[:, :n] = disorder.gaussians("nonlinear part", rows=disorder.p, columns=n)
    F[:, :n] *= constants.v
    F[:, :n] += W @ (X.T * (math.copysign(math.sqrt(constants.A), constants.a) / math.sqrt(d)))
    F[:, :n] /= math.sqrt(n)
    F[:, n:] = W * (constants.b / math.sqrt(d))
    return F


def _decomposed(disorder: Disorder, constants: Constants, *, vectors: bool) -> tuple[Array, Array | None, Array]:
    """Eigenvalues of ``F F^T`` that are not zero, ``Q^T F_W`` (r, d) if asked for, and F_W."""
    F = _factor(disorder, constants)
    F_W, d = F[:, -disorder.d :], disorder.d
    if not constants.b_squared > 0.0:
        F = F[:, :-d]
    if F.shape[1] < F.shape[0]:
        gram = F.T @ F
        if not vectors:
            return np.asarray(np.linalg.eigvalsh(gram), dtype=np.float64), None, F_W
        g, Y = np.linalg.eigh(gram)
        # Q = F Y/sqrt(g), and F_W is the end of F: its part in mode i is sqrt(g_i) times the end of Y_i.
        parts = np.sqrt(np.maximum(g, 0.0))[:, None] * Y[-d:].T if constants.b_squared > 0.0 else np.zeros((g.size, d))
        return g, parts, F_W
    outer = F @ F.T
    if not vectors:
        return np.asarray(np.linalg.eigvalsh(outer), dtype=np.float64), None, F_W
    g, Q = np.linalg.eigh(outer)
    return g, Q.T @ F_W, F_W


def equivalent_eigenvalues(disorder: Disorder, constants: Constants) -> tuple[Array, int]:
    """Eigenvalues of U that are not s^2, increasing, and how often s^2 occurs (exactly).

    Examples
    --------
    >>> from theory.diffusion.constants import gaussian_constants
    >>> sample = drawn(10, 60, 20, Population(), seed=0, sample=0)
    >>> values, times = equivalent_eigenvalues(sample, gaussian_constants("tanh", t=0.01))
    >>> values.size, times
    (30, 30)
    """
    g, _, _ = _decomposed(disorder, constants, vectors=False)
    return constants.s_squared + g, disorder.p - g.size


def equivalent_modes(disorder: Disorder, constants: Constants) -> Modes:
    """U in its eigenbasis, with the averages over the population.

    ``U' = A W Sigma W^T/d + v^2 + b^2 W W^T/d + s^2`` and V = V' = b W/sqrt(d), so that ``Q^T U' Q`` follows from
    ``Q^T V`` alone.
    """
    g, parts, _ = _decomposed(disorder, constants, vectors=True)
    assert parts is not None
    d, b2 = disorder.d, constants.b_squared
    same = parts @ parts.T / d
    if b2 > 0.0:
        fresh = (parts * (constants.A * disorder.covariance / b2 + 1.0)) @ parts.T
    else:
        fresh = np.zeros_like(same)
    fresh[np.diag_indices_from(fresh)] += constants.v_squared + constants.s_squared
    power = np.diagonal(same).copy()
    return Modes(constants.s_squared + g, power, power, same * fresh, constants.s_squared, disorder.p - g.size)
