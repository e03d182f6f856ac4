r"""Resolvent of the feature matrix U of a score model, for any spectrum of the data.

The Gaussian equivalent of ``U = (1/n) sum_nu E_xi act act^T`` (p x p) is

    U ~ G G^T/n + b^2 W W^T/d + s^2,      G = e^{-t} a W X/sqrt(d) + v Omega,

with n samples X, p features W.  Its resolvent follows from ``q = Tr R/p`` and ``u = 1/(1+m)``, where with
``K = A u lambda + b^2``, ``A = a^2 e^{-2t}``, and E over the eigenvalues lambda of Sigma,

    1/u = 1 + (psi_p/psi_n) [A E lambda q/(1 + psi_p q K) + v^2 q],
    x   = z - s^2 = v^2 u + E K/(1 + psi_p q K) - 1/q.

In ``w = psi_p q`` and ``Y = (1 + b^2 w)/(A u w)`` this is explicit: the first equation is quadratic in w,

    (v^2 b^2/psi_n) w^2 + beta(Y) w + 1 = 0,      beta = b^2 + v^2/psi_n + A [E lambda Y/(Y + lambda)/psi_n - Y],
    x = (v^2/A) (1/w + b^2)/Y + (1 - psi_p)/w - E Y/(Y + lambda)/(w + b^2 w^2),

so that the real curve of solutions is known in closed form, and its folds in x are the edges of the spectrum.
Eigenvalues are measured from s^2 throughout (x), because bulks come as close to it as 1e-9.

Source: Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638; the reduction to two unknowns, and to Y, is ours.
"""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.diffusion.constants import Activation, Constants, activation, gaussian_constants
from theory.diffusion.population import Population, population
from theory.errors import InvalidInput, NotConverged

__all__ = ["Curve", "Levels", "ScoreModel", "checked_model"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_PARAMETERS = {  # and where double precision resolves all bulks
    "psi_p": ("features per dimension", 1e-6, 1e7),
    "psi_n": ("samples per dimension", 1e-6, 1e10),
    "t": ("the diffusion time", 1e-20, 350.0),
}
_DROWNED = 1e-14  # power of the signal over that of the noise in the pre-activation
_FAR = 30.0  # start of a continuation, in upper bounds of the spectrum
_FACTOR = 0.15  # of the distance from the axis in one step
_NEAR = 1e-9  # distance from the axis, in units of |x|, below which a step ends on it
_BELOW = 1e-8  # how far q and m may seem below the axis, by rounding
_STEPS = 400
_SETTLED = 1e-6  # steps of Newton's method that no longer shrink from here on are rounding
_CHUNK = 1 << 15  # numbers at once, which stay in cache


class Curve(NamedTuple):
    """``F = alpha w^2 + beta w + 1`` and x with their derivatives in ``(log Y, log w)``; each of the shape of Y."""

    F: Any
    F_Y: Any
    F_w: Any
    x: Any
    x_Y: Any
    x_w: Any


class Levels(NamedTuple):
    """The resolvent at some ``z = s^2 + x``.

    Attributes
    ----------
    x, w, u : (k,) array
        ``w = psi_p q``.
    q : (k,) array
        ``Tr R/p``.
    features : (k,) array
        ``Tr W^T R W/d^2``, the Stieltjes transform of the spectral measure of U on the span of W (mass psi_p).
    error : (k,) array
        Estimated error of q: last Newton step and rounding.
    """

    x: Complex
    w: Complex
    u: Complex
    q: Complex
    features: Complex
    error: Array


def checked_model(model: Any) -> ScoreModel:
    """The model, or one sentence if it is none."""
    if not isinstance(model, ScoreModel):
        raise InvalidInput(f"model = {reprlib.repr(model)} is no score model; give a ScoreModel(psi_p, psi_n, t).")
    return model


@dataclass(frozen=True, eq=False)
class ScoreModel:
    """A random-feature score model ``s(x) = A act(W x/sqrt(d))/sqrt(p)`` trained on n samples at diffusion time t.

    Parameters
    ----------
    psi_p, psi_n : float
        Features and samples per dimension, ``p/d`` and ``n/d``; above 0.
    t : float
        Diffusion time, above 0: ``x_t = e^{-t} x + sqrt(Delta) xi``, ``Delta = 1 - e^{-2t}``.
    activation : str, Activation or callable
        As for `theory.diffusion.activations.activation`.
    sigma : float, array, path or Population
        Covariance of the data, as for `theory.diffusion.population.population`.

    Raises
    ------
    InvalidInput
        For parameters outside their range.

    Examples
    --------
    >>> model = ScoreModel(64, 8, 0.01)
    >>> model.at(np.array([20.0 + 0j])).q.imag.round(6)
    array([0.001998])
    """

    psi_p: float
    psi_n: float
    t: float
    activation: str | Activation | Callable[[Array], Any] = "tanh"
    sigma: Any = field(default=1.0, repr=False)

    def __post_init__(self) -> None:
        for name, (meaning, least, most) in _PARAMETERS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0.0 < float(value) < math.inf:
                raise InvalidInput(f"{name} = {value} is not allowed; give {meaning} as a number {name} > 0.")
            if not least <= float(value) <= most:
                raise InvalidInput(
                    f"{name} = {value} is beyond what double precision resolves; give {meaning} with "
                    f"{least:g} <= {name} <= {most:g}."
                )
        object.__setattr__(self, "activation", activation(self.activation))
        object.__setattr__(self, "sigma", population(self.sigma))
        if math.exp(-2.0 * self.t) * self.population.sigma2 < _DROWNED:
            raise InvalidInput(
                f"t = {self.t} leaves nothing of the data: its variance is {self.population.sigma2:g} e^(-2t) under "
                f"noise of variance 1; give a smaller t, so that it is above {_DROWNED:g}."
            )

    @property
    def population(self) -> Population:
        """Eigenvalues of Sigma."""
        assert isinstance(self.sigma, Population)
        return self.sigma

    @cached_property
    def constants(self) -> Constants:
        """Constants of the Gaussian equivalent."""
        return gaussian_constants(self.activation, t=self.t, sigma2=self.population.sigma2)

    @property
    def Delta(self) -> float:
        """Variance of the noise."""
        return self.constants.Delta

    @property
    def learns(self) -> bool:
        """Whether the features respond to the noise at all (a != 0); if not, V = 0 and nothing is learnt."""
        return self.constants.a != 0.0

    @property
    def alpha(self) -> float:
        """``v^2 b^2/psi_n``."""
        return self.constants.v_squared * self.constants.b_squared / self.psi_n

    @property
    def atom(self) -> float:
        """Weight of the eigenvalue s^2: the share of dimensions that neither a sample nor W reaches."""
        samples = self.psi_n if self.constants.v_squared > 0.0 else 0.0
        return max(0.0, 1.0 - (samples + (1.0 if self.learns else 0.0)) / self.psi_p)

    @property
    def bound(self) -> float:
        """An upper bound of x."""
        c, top = self.constants, float(self.population.eigenvalues[-1])
        samples = c.v_squared * (1.0 + math.sqrt(self.psi_p / self.psi_n)) ** 2
        signal = c.A * top * (1.0 + 1.0 / math.sqrt(self.psi_n)) ** 2 + c.b_squared
        return 2.0 * (samples + signal * (1.0 + math.sqrt(self.psi_p)) ** 2)

    def averages(self, Y: Any, *, second: bool = False) -> tuple[Any, ...]:
        """``E Y/(Y+l)``, ``E l Y/(Y+l)`` over eigenvalues l of Sigma, then their first derivatives in log Y.

        With `second` what ``Y^2 d^2/dY^2`` adds to these follows, ``E l Y (l-Y)/(Y+l)^3`` and the same with another l.
        """
        values, weights = self.population.eigenvalues, self.population.weights
        both = np.stack([weights, weights * values], axis=1)
        flat = np.ravel(Y)
        parts = []
        rows = max(1, _CHUNK // values.size)
        for k in range(0, max(flat.size, 1), rows):
            y = flat[k : k + rows, None]
            near = 1.0 / (y + values)
            share, rest = y * near, values * near
            bent = share * rest
            found = [share @ both, bent @ both]
            if second:
                found.append((bent * (rest - share)) @ both)
            parts.append(np.concatenate(found, axis=1))
        columns = np.concatenate(parts).T
        return tuple(column.reshape(np.shape(Y)) for column in columns)

    def beta(self, Y: Any, average: Any) -> Any:
        """Coefficient of w in the quadratic equation; `average` is ``E l Y/(Y+l)``."""
        c = self.constants
        return c.b_squared + c.v_squared / self.psi_n + c.A * (average / self.psi_n - Y)

    def curve(self, Y: Any, w: Any, averages: tuple[Any, ...] | None = None) -> Curve:
        """The equations and their first derivatives; `averages` are those at Y, if they are known."""
        c = self.constants
        h0, h1, h0_Y, h1_Y, *_ = self.averages(Y) if averages is None else averages
        beta = self.beta(Y, h1)
        noise = c.v_squared / (c.A * Y)
        P = w * (1.0 + c.b_squared * w)
        W = h0 / P
        return Curve(
            F=self.alpha * w * w + beta * w + 1.0,
            F_Y=c.A * (h1_Y / self.psi_n - Y) * w,
            F_w=2.0 * self.alpha * w * w + beta * w,
            x=noise * (1.0 / w + c.b_squared) + (1.0 - self.psi_p) / w - W,
            x_Y=-noise * (1.0 / w + c.b_squared) - h0_Y / P,
            x_w=-noise / w - (1.0 - self.psi_p) / w + W * (1.0 + 2.0 * c.b_squared * w) / (1.0 + c.b_squared * w),
        )

    def at(self, z: Any) -> Levels:
        """The resolvent at points of the complex plane; on the real axis the limit from above.

        Parameters
        ----------
        z : (k,) complex array

        Raises
        ------
        NotConverged
            If a point is not reached.
        """
        return self.above(np.atleast_1d(np.asarray(z, dtype=np.complex128)) - self.constants.s_squared)

    def below(self, levels: Levels) -> Array:
        """Share of the eigenvalues below real points outside the spectrum, exactly.

        ``ln det(U - z)/p`` is stationary in (q, u) at ``-ln q + E ln(1 + psi_p q K)/psi_p - (psi_n/psi_p)(ln u - u + 1)
        + q (s^2 + v^2 u - z) - 1``; its imaginary part counts signs there.
        """
        w, u = levels.w.real[:, None], levels.u.real[:, None]
        K = self.constants.A * u * self.population.eigenvalues + self.constants.b_squared
        flipped = (w < 0.0).astype(float) - (K + 1.0 / w < 0.0)
        counted = (w[:, 0] < 0.0) - (flipped @ self.population.weights + self.psi_n * (u[:, 0] < 0.0)) / self.psi_p
        return np.asarray(counted, dtype=np.float64)

    def above(self, x: Any, *, start: tuple[Complex, Complex] | None = None) -> Levels:
        """The resolvent at ``z = s^2 + x``.

        Parameters
        ----------
        x : (k,) complex array
        start : (w, u) or None
            Solutions nearby; without them, or where they lead astray, points are reached from far above the axis.

        Raises
        ------
        NotConverged
            If a point is not reached.
        """
        x = np.atleast_1d(np.asarray(x, dtype=np.complex128))
        below = x.imag < 0.0
        upper = np.where(below, x.conj(), x)
        w, u, size = _found(self, upper, start)
        w, u = np.where(below, w.conj(), w), np.where(below, u.conj(), u)
        error = (size + 8.0 * np.finfo(float).eps) * np.abs(w) / self.psi_p
        return Levels(x, w, u, w / self.psi_p, w * _moments(self, w, u)[0], error)


def _moments(model: ScoreModel, w: Complex, u: Complex) -> tuple[Complex, Complex, Complex, Complex, Complex]:
    """``E g, E l g, E g^2, E l g^2, E l^2 g^2`` with ``g = 1/(1 + w K)`` over eigenvalues l of Sigma."""
    c, values, weights = model.constants, model.population.eigenvalues, model.population.weights
    powers = np.stack([weights, weights * values, weights * values**2], axis=1)
    slope, start = (c.A * w * u)[:, None], (1.0 + c.b_squared * w)[:, None]
    found = np.empty((w.size, 5), dtype=np.complex128)
    rows = max(1, _CHUNK // values.size)
    for k in range(0, w.size, rows):
        part = slice(k, k + rows)
        # Real and imaginary parts by themselves: complex division is slow.
        real, imag = (start.real[part] + slope.real[part] * values, start.imag[part] + slope.imag[part] * values)
        size = 1.0 / (real * real + imag * imag)
        real, imag = real * size, -imag * size
        found[part, :2] = real @ powers[:, :2] + 1j * (imag @ powers[:, :2])
        found[part, 2:] = (real * real - imag * imag) @ powers + 2j * ((real * imag) @ powers)
    return found[:, 0], found[:, 1], found[:, 2], found[:, 3], found[:, 4]


def _newton(
    model: ScoreModel, x: Complex, w: Complex, u: Complex, most: int, *, enough: float = 1e-13
) -> tuple[Complex, Complex, Array]:
    """Newton's method in ``(log w, log u)``, at every point until its steps are rounding; returns the last steps too.

    Neither vanishes at a finite x, so nothing is singular in the gaps of the spectrum.
    """
    c, psi, psi_n = model.constants, model.psi_p, model.psi_n
    A, b2, v2 = c.A, c.b_squared, c.v_squared
    found, size, live = np.log(np.stack([w, u])), np.full(x.shape, np.inf), np.arange(x.size)
    for _ in range(most):
        with np.errstate(all="ignore"):
            w, u = np.exp(found[:, live])
            g, lg, g2, lg2, llg2 = _moments(model, w, u)
            f = 1.0 / u - 1.0 - w * (A * lg + v2) / psi_n
            h = v2 * u + (1.0 - g - psi) / w - x[live]
            f_p = -w * (A * lg2 + v2) / psi_n
            f_r = -1.0 / u + u * (A * w) ** 2 * llg2 / psi_n
            K2g2 = (A * u) ** 2 * llg2 + 2.0 * A * u * b2 * lg2 + b2 * b2 * g2
            h_p, h_r = psi / w - w * K2g2, v2 * u + A * u * lg2
            steps = np.stack([f_r * h - h_r * f, h_p * f - f_p * h]) / (f_p * h_r - f_r * h_p)
            step = np.abs(steps).max(axis=0)
            steps *= np.where(step > 0.5, 0.5 / step, 1.0)
        moves = np.isfinite(step)
        found[:, live[moves]] += steps[:, moves]
        settled = (step < enough) | ((step < _SETTLED) & (step > 0.7 * size[live]))
        size[live] = np.where(moves, step, np.inf)
        live = live[moves & ~settled]
        if not live.size:
            break
    w, u = np.exp(found)
    return w, u, size


def _physical(w: Complex, u: Complex) -> NDArray[np.bool_]:
    """Whether q and m = 1/u - 1 are not below the axis."""
    return np.asarray((w.imag >= -_BELOW * np.abs(w)) & (u.imag <= _BELOW * np.abs(u)))


def _found(model: ScoreModel, x: Complex, start: tuple[Complex, Complex] | None) -> tuple[Complex, Complex, Array]:
    """Solutions ``(w, u)`` with the last Newton step."""
    w, u, size, far = np.empty_like(x), np.empty_like(x), np.empty(x.shape), np.ones(x.shape, dtype=bool)
    if start is not None:
        w, u, size = _newton(model, x, *start, 12)
        # On the real axis the other sheet is real or reflected: only clearly complex solutions are safe from it.
        turned = np.maximum(np.maximum(w.imag / np.abs(w), -u.imag / np.abs(u)), x.imag / np.abs(x))
        far = ~((size < 1e-9) & _physical(w, u) & (turned > 1e-6))
    if far.any():
        w[far], u[far], size[far] = _newton(model, x[far], *_followed(model, x[far]), 6)
    return w, u, size


def _followed(model: ScoreModel, x: Complex) -> tuple[Complex, Complex]:
    """Follow solutions from far above the axis down to x, every point at its own pace."""
    height = np.maximum(_FAR * model.bound, x.imag)
    target, unit = x.imag, np.abs(x) + 1e-300
    far = x.real + 1j * height
    w, u, size = _newton(model, far, -model.psi_p / far, np.ones_like(far), 40)
    if not (size < 1e-6).all():
        raise NotConverged("the resolvent is not found far from the spectrum; the parameters are too extreme.")
    factor = np.full(x.shape, _FACTOR)
    live = np.flatnonzero(height > target)
    for _ in range(_STEPS):
        if not live.size:
            return w, u
        lower = np.maximum(height[live] * factor[live], target[live])
        last = lower <= np.maximum(target[live], _NEAR * unit[live])
        lower = np.where(last, target[live], lower)
        wn, un, step = _newton(model, x.real[live] + 1j * lower, w[live], u[live], 8, enough=1e-6)
        good = (step < 1e-4) & _physical(wn, un)
        k = live[good]
        w[k], u[k], height[k] = wn[good], un[good], lower[good]
        factor[k] = np.maximum(_FACTOR, factor[k] ** 2)
        factor[live[~good]] = np.sqrt(factor[live[~good]])
        live = live[~(good & last)]
        if (factor[live] > 0.999).any():
            break
    place = model.constants.s_squared + complex(x[live[np.argmax(factor[live])]])
    raise NotConverged(f"the resolvent at z = {place:.9g} is not reached by continuation; move away from an edge.")
