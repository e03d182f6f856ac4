r"""Spectrum of the Hessian at the minima of vector Hopfield networks (T = 0, spins on the sphere, N -> infinity).

In the (d-1)N directions tangential to the spins the Hessian is ``diag(|h_i| + alpha/d) - W``: local fields, minus a
Wishart matrix of the patterns' tangential components (ratio ``(d-1)N : P``, entries of variance 1/d), free of them.
Its resolvent ``G(z) = tr (z - H)^{-1}/((d-1)N)`` is that of the cavity fields r (`theory.local_fields`), subordinated:

    G = E 1/(z' - r),      z = z' + Gamma + (alpha/d) w G/(1 + w G),      w = (d-1)/d.

z = 0 is z' = 0 exactly, because ``G(0) = -chi/(d-1)``, so that ``z = z' L(z')`` without cancellation, with

    L = 1 + (alpha/d) w Q/[(1 + w G)(1 - chi/d)],      Q = E 1/[r (z' - r)],      L(0) = dz/dz'(0) = Lambda,

the T = 0 replicon.  Where Lambda < 0 the spectrum ends at the maximum of z over z' < 0, a fold; where Lambda > 0 it
reaches zero with the exponentially small density ``p(lambda/Lambda)/Lambda``.

Averages over r run below the real axis, where p is analytic: G is continued through the axis, and real eigenvalues
need no small imaginary part.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.errors import NotConverged
from theory.folds import Folds, solve_folds
from theory.local_fields import LocalFields
from theory.problem import Extended, Linearised, Problem, Status
from theory.quadrature import gauss_legendre
from theory.saddle import Newton, solve
from theory.vector_sites import power_orders

__all__ = ["Edge", "HessianLaw", "Levels"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NODES = 16
_DEPTH = 0.8  # of the path below the real axis, in sigma: |p| grows by exp(depth^2/2) or so
_SMALLEST = {2: 1e-30}  # of the panels at r = 0, in sigma; p ~ r^{d-1}
_SMALLEST_OTHERWISE = 1e-10
_ETA = (8.0, 2.0, 0.5, 0.1, 0.02, 2e-3, 0.0)  # imaginary parts, in standard deviations
_FAINT = 1e-8  # density times standard deviation, below which y is eliminated to first order
_CHUNK = 512


class Averages(NamedTuple):
    """``G, 1 + w G, Q, dG/dz', d^2G/dz'^2`` at some z'."""

    G: Complex
    down: Complex
    Q: Complex
    first: Complex
    second: Complex


class Edge(NamedTuple):
    """Lower edge of a spectrum with its error; `subordinate` is z' there, and rho ~ sqrt(lambda - edge)."""

    value: float
    error: float
    subordinate: float


class Levels(NamedTuple):
    """Density of eigenvalues with its error, their distribution function, and the localisation of eigenvectors.

    `spread` is ``kappa = E[(Im R)^2]/(E Im R)^2`` with ``R = 1/(z' - r)``; inf where the density is below 1e-150.
    """

    density: Array
    error: Array
    cumulative: Array
    spread: Array


@dataclass(frozen=True)
class HessianLaw:
    """The limiting spectrum, given the local fields.

    Attributes
    ----------
    d : int
        2 or more.
    alpha : float
        P/N.
    fields : LocalFields
        Of a saddle point, where ``sigma = sqrt(alpha)/(d - chi)`` and ``chi = (d-1) E 1/r``.
    """

    d: int
    alpha: float
    fields: LocalFields

    @property
    def Delta(self) -> float:
        """``1 - chi/d = 1 + w G(0)``, without the cancellation that loses digits at small loads."""
        return math.sqrt(self.alpha) / (self.d * self.fields.cavity.sigma)

    @property
    def w(self) -> float:
        """Share of a pattern that is tangential."""
        return (self.d - 1) / self.d

    @property
    def Lambda(self) -> float:
        """``dz/dz'`` at zero; -inf for d = 2."""
        if self.d == 2:
            return -math.inf
        cavity = self.fields.cavity
        inverse_square = power_orders(self.d, -2, [(0, 0)], np.array([cavity.m]), np.array([cavity.sigma**2]))[0][0]
        return 1.0 - self.alpha * (self.d - 1) * float(inverse_square) / (self.d * self.Delta) ** 2

    @property
    def mean(self) -> float:
        """Mean eigenvalue, that of the local fields."""
        return self.fields.mean

    @property
    def deviation(self) -> float:
        """Standard deviation of the eigenvalues."""
        return math.sqrt(self.fields.cavity.variance + self.alpha / self.d * self.w)

    def path(self, refine: int = 1) -> tuple[Complex, Complex]:
        """Cavity fields r on the path below the real axis, and their complex weights ``p(r) dr``."""
        return _path(self, refine)

    def averages(self, z: Complex, *, refine: int = 1) -> Averages:
        """Averages over the cavity field, continued from above the real axis; z is z', of shape (B,)."""
        r, weight = self.path(refine)
        parts = []
        for k in range(0, len(z), _CHUNK):
            inverse = 1.0 / (z[k : k + _CHUNK, None] - r)
            Q = inverse @ (weight / r)
            square = inverse * inverse
            parts.append((Q, -(square @ weight), 2.0 * ((square * inverse) @ weight)))
        Q, first, second = (np.concatenate(p) for p in zip(*parts, strict=True))
        down = self.Delta + self.w * z * Q
        return Averages((down - 1.0) / self.w, down, Q, first, second)

    def ratio(self, a: Averages) -> Complex:
        """``z/z' = L``."""
        return 1.0 + self.alpha / self.d * self.w * a.Q / (a.down * self.Delta)

    def slope(self, a: Averages) -> Complex:
        """``dz/dz'``."""
        return 1.0 + self.alpha / self.d * self.w * a.first / a.down**2

    def bend(self, a: Averages) -> Complex:
        """``d^2z/dz'^2``."""
        return self.alpha / self.d * self.w * (a.second / a.down**2 - 2.0 * self.w * a.first**2 / a.down**3)

    def edge(self) -> Edge | None:
        """The lower edge, or None where the density reaches zero (Lambda > 0).

        The edge is the fold of ``ln z(-exp(u)) = ln lambda`` in u.  For d = 2 it may be too small for the panels at
        r = 0; it is then given as 0 with that size as its error.

        Raises
        ------
        NotConverged
            If the fold is not found.
        """
        if self.Lambda > 0.0:
            return None
        sigma = self.fields.cavity.sigma
        smallest = 100.0 * _smallest(self.d)
        top = 10.0 * (1.0 + math.sqrt(self.alpha) / sigma)
        u = np.log(sigma * np.geomspace(smallest, top, 400))
        slope = self.slope(self.averages(-np.exp(u) + 0j)).real
        if slope[0] > 0.0:
            return Edge(0.0, smallest * sigma, 0.0)
        k = int(np.argmax(slope > 0.0))
        start = u[k] - (u[k] - u[k - 1]) * slope[k] / (slope[k] - slope[k - 1])
        level = (-np.exp(start) * self.ratio(self.averages(np.array([-np.exp(start) + 0j])))).real
        found: Folds = solve_folds(self._edge_problem(), np.array([[start]]), level[:, None], 0)
        if found.status[0] is not Status.CONVERGED:
            raise NotConverged(f"{found.status[0].value}: {found.status[0].cause}; {found.status[0].remedy}.", found)
        place = math.exp(float(found.x[0, 0]))
        rounding = 16.0 * np.finfo(float).eps * place  # of the order parameters: z is z' times what nearly cancels
        return Edge(float(found.parameter[0]), float(found.error[0]) + rounding, -place)

    def _edge_problem(self, refine: int = 1) -> Problem:
        """``ln z(-exp(u)) - ln lambda`` in (u; lambda)."""

        def parts(u: Array, p: Array) -> tuple[Array, Array, Array, Array]:
            z = -np.exp(u[:, 0])
            a = self.averages(z + 0j, refine=refine)
            L, first, second = self.ratio(a).real, self.slope(a).real, self.bend(a).real
            with np.errstate(invalid="ignore"):
                value = np.log(z * L / p[:, 0])
            return value, first / L, z * second / L - first * (first - L) / L**2, -1.0 / p[:, 0]

        def linearise(u: Array, p: Array) -> Linearised:
            value, first, _, level = parts(u, p)
            return Linearised(value[:, None], first[:, None, None], level[:, None, None])

        def extend(u: Array, p: Array, v: Array) -> Extended:
            value, first, second, level = parts(u, p)
            mixed = np.zeros((len(u), 1, 1))
            return Extended(
                value[:, None], first[:, None, None], level[:, None, None], (second * v[:, 0])[:, None, None], mixed
            )

        return Problem(
            residual=lambda u, p: linearise(u, p).residual,
            linearise=linearise,
            extend=extend,
            interior=lambda u, p: p,
            refined=self._edge_problem(2) if refine == 1 else None,
            names=("u",),
            parameter_names=("lambda",),
        )

    def subordinates(self, eigenvalue: Array) -> Complex:
        """z' at real z, on the sheet that is continued from the upper half plane.

        Two real unknowns at every eigenvalue, ``z'/|z|``; Newton's method, with imaginary parts that decrease to zero
        to find the sheet.

        Raises
        ------
        NotConverged
            If an eigenvalue is not reached.
        """
        problem, coarse = self._level_problem(), Newton(tolerance=1e-8)
        z = eigenvalue + 1j * _ETA[0] * self.deviation
        x = ((z - self.fields.shift) / np.abs(z))[:, None]
        before = np.abs(z)
        for eta in _ETA:
            p = np.stack([eigenvalue, np.full_like(eigenvalue, eta * self.deviation)], axis=1)
            size = np.hypot(p[:, 0], p[:, 1])
            x, before = x * (before / size)[:, None], size
            x = solve(problem, x, p, solver=coarse if eta else Newton(), throw=eta == 0.0).x
        return np.asarray(x[:, 0] * before, dtype=np.complex128)

    def _level_problem(self, refine: int = 1) -> Problem:
        """``z' L(z')/|z| = z/|z|`` in ``z'/|z|``, with z = lambda + i eta."""

        def residual(x: Complex, p: Array) -> Complex:
            size = np.hypot(p[:, 0], p[:, 1])
            a = self.averages(x[:, 0] * size, refine=refine)
            return np.asarray(x * self.ratio(a)[:, None] - ((p[:, 0] + 1j * p[:, 1]) / size)[:, None])

        def linearise(x: Complex, p: Array) -> Linearised:
            size = np.hypot(p[:, 0], p[:, 1])
            a = self.averages(x[:, 0] * size, refine=refine)
            value = x * self.ratio(a)[:, None] - ((p[:, 0] + 1j * p[:, 1]) / size)[:, None]
            return Linearised(value, self.slope(a)[:, None, None], np.full((len(x), 1, 2), np.nan))

        return Problem(
            residual=residual,
            linearise=linearise,
            interior=lambda x, p: x.imag + 1e-9,  # the other sheet is below
            refined=self._level_problem(2) if refine == 1 else None,
            names=("z'",),
            parameter_names=("lambda", "eta"),
        )

    def levels(self, eigenvalue: Array) -> Levels:
        """Density, distribution and localisation at eigenvalues inside the spectrum.

        Parameters
        ----------
        eigenvalue : (n,) array
            Above the lower edge, or above 0.

        Raises
        ------
        NotConverged
            If the resolvent is not reached at one of them.

        Examples
        --------
        >>> fields = LocalFields.hebbian(d=3, alpha=0.02, m=0.976912583532, sigma=0.14843741149)
        >>> law = HessianLaw(3, 0.02, fields)
        >>> found = law.levels(np.array([0.8, 1.6]))
        >>> bool((found.error < 1e-12).all()), float(found.cumulative.round(6)[1])
        (True, 0.999...)
        """
        a_load, w = self.alpha / self.d, self.w
        rough = self.subordinates(eigenvalue)
        coarse = self.averages(rough)
        fine = self.averages(rough, refine=2)
        slope = self.slope(fine)
        z = rough - (rough * self.ratio(fine) - eigenvalue) / slope
        a = self.averages(z, refine=2)
        slope = self.slope(a)
        density = -a.G.imag / math.pi
        rounding = 8.0 * np.finfo(float).eps * (np.abs(a.G) + np.abs(a.first * z / slope))
        error = np.abs(density + coarse.G.imag / math.pi) + rounding
        x = z.real
        with np.errstate(all="ignore"):
            first_order = np.where(x > 0.0, self.fields.cavity.density(x) / slope.real, 0.0)
        faint = (density * self.deviation < _FAINT) & (x > 0.0) & (slope.real > 0.0) & (np.abs(slope.imag) < 1e-3)
        density = np.where(faint, first_order, density)
        error = np.where(faint, density * (1e-12 + density * self.deviation), error)
        R = a_load * w * a.G / a.down
        r, weight = self.path(2)
        logarithm = np.concatenate([np.log(z[k : k + _CHUNK, None] - r) @ weight for k in range(0, len(z), _CHUNK)])
        turned = -np.arctan2(np.maximum(-a.down.imag, 0.0), a.down.real)  # 1 + w G is never above the axis
        phase = (logarithm + a.G * R - a_load * a.G).imag + a_load / w * turned
        with np.errstate(all="ignore"):
            squares = np.abs(a.down) ** 2 / (a_load * w) + a.first.real
            spread = np.where(density > 1e-150, squares / (2.0 * (math.pi * density) ** 2), math.inf)
        return Levels(density, error, 1.0 - phase / math.pi, spread)


def _smallest(d: int) -> float:
    return _SMALLEST.get(d, _SMALLEST_OTHERWISE)


@functools.lru_cache(maxsize=32)
def _path(law: HessianLaw, refine: int) -> tuple[Complex, Complex]:
    cavity = law.fields.cavity
    sigma, (low, high) = cavity.sigma, cavity.reach
    near = sigma * 0.5 ** np.arange(math.ceil(-math.log2(_smallest(law.d))), 0, -1.0)
    edges = np.concatenate([np.zeros(1), near, sigma * np.arange(1, 2 + math.ceil((high - low) / sigma))])
    x, w = gauss_legendre(_NODES * refine)
    half = 0.5 * np.diff(edges)
    s = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * x).ravel()
    r = low + s + 1j * (_DEPTH * sigma) * np.expm1(-s / sigma)
    speed = 1.0 - 1j * _DEPTH * np.exp(-s / sigma)
    return r, (half[:, None] * w).ravel() * speed * cavity.continued(r)
