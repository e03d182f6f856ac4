r"""Constants of the Gaussian equivalent of a feature layer at diffusion time t, by quadrature for any activation.

The features are ``act(h + sqrt(Delta) v)`` with ``h = e^{-t} w.x/sqrt(d)``, noise v, and ``Delta = 1 - e^{-2t}``.  With
``Gamma^2 = e^{-2t} sigma2 + Delta``, ``f(h) = E_v act(h + sqrt(Delta) v)`` and standard normal z,

    mu0 = E act(Gamma z),     a = E act'(Gamma z) = E z act(Gamma z)/Gamma,     b = E v act = sqrt(Delta) a,
    v^2 = E (f - mu0 - a h)^2,     s^2 = E (act - f - sqrt(Delta) a v)^2,

so that ``act ~ mu0 + a h + v omega + b v + s eta`` with independent normal omega (frozen with the sample) and eta
(fresh with the noise).  v^2 and s^2 are averages of squares: nothing cancels as t -> 0, where ``s^2 = O(Delta)``.

Source: Bonnaire, Urfin, Biroli and Mezard (2025), arXiv:2505.17638, whose constants for tanh these are;
``b = sqrt(Delta) a`` is exact (Stein), and mu0 = 0 there because tanh is odd.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.diffusion.activations import Activation, Pieces, activation
from theory.errors import InvalidInput
from theory.quadrature import gauss_legendre

__all__ = ["Activation", "Constants", "activation", "gaussian_constants"]

Array = NDArray[np.float64]

_REACHES = (12, 18, 26, 37)  # standard deviations; the normal weight beyond 37 underflows when squared
_NODES = (16, 24)
_TAIL = 1e-15  # share of the second moment that may sit in the outermost two standard deviations
_ROUGH = 1e-8
_CHUNK = 1 << 16  # numbers at once, which stay in cache


@dataclass(frozen=True)
class Constants:
    """Gaussian-equivalent constants of an activation.

    Attributes
    ----------
    activation : str
    t, sigma2 : float
        Diffusion time and variance per component of the data.
    a : float
        Linear response, ``E act'``.
    b_squared, v_squared, s_squared : float
        Power of the noise's linear part, of the sample's nonlinear part, and of what is fresh with the noise.
    mu0 : float
        Mean; one eigenvalue of order p comes from it, and no bulk.
    error : float
        Largest estimated absolute error of the five.
    """

    activation: str
    t: float
    sigma2: float
    a: float
    b_squared: float
    v_squared: float
    s_squared: float
    mu0: float
    error: float

    @property
    def Delta(self) -> float:
        """Variance of the noise, ``1 - e^{-2t}``."""
        return -math.expm1(-2.0 * self.t)

    @property
    def gamma2(self) -> float:
        """Variance of the pre-activation, ``e^{-2t} sigma2 + Delta``."""
        return math.exp(-2.0 * self.t) * self.sigma2 + self.Delta

    @property
    def A(self) -> float:
        """``a^2 e^{-2t}``."""
        return self.a**2 * math.exp(-2.0 * self.t)

    @property
    def b(self) -> float:
        """``sqrt(Delta) a``, with the sign of a."""
        return math.copysign(math.sqrt(self.b_squared), self.a)

    @property
    def v(self) -> float:
        """Root of `v_squared`."""
        return math.sqrt(self.v_squared)

    @property
    def s(self) -> float:
        """Root of `s_squared`."""
        return math.sqrt(self.s_squared)

    @property
    def second_moment(self) -> float:
        """``E act(Gamma z)^2``, the mean diagonal element of U."""
        return self.mu0**2 + self.A * self.sigma2 + self.b_squared + self.v_squared + self.s_squared

    def to_json(self) -> dict[str, Any]:
        """The constants as plain types."""
        return {**self.__dict__, "Delta": self.Delta}


def gaussian_constants(
    choice: str | Activation | Callable[[Array], Any], *, t: float, sigma2: float = 1.0
) -> Constants:
    """Constants of the Gaussian equivalent of a layer ``act(W x/sqrt(d))`` of noisy data.

    Parameters
    ----------
    choice : str, Activation or callable
        As for `activation`.
    t : float
        Diffusion time, above 0; the noise has variance ``1 - e^{-2t}``.
    sigma2 : float
        Variance per component of the data, ``Tr Sigma/d``.

    Raises
    ------
    InvalidInput
        For t or sigma2 outside their range, or an activation without second moment, constant, or too rough.

    Examples
    --------
    >>> found = gaussian_constants("tanh", t=0.01)
    >>> round(found.a, 12), round(found.s_squared, 15), found.error < 1e-13
    (0.605705509602, 0.001873549591065, True)
    """
    for name, value in (("t", t), ("sigma2", sigma2)):
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not number or not 0.0 < float(value) < math.inf:
            raise InvalidInput(f"{name} = {value} is not allowed; give a finite number with 0 < {name}.")
    if not math.exp(-2.0 * t) > 0.0 or not -math.expm1(-2.0 * t) > 0.0:
        raise InvalidInput(f"t = {t:g} is not allowed; the signal or the noise underflows, so give 1e-300 < t < 350.")
    return _constants(activation(choice), float(t), float(sigma2))


@functools.lru_cache(maxsize=64)
def _constants_of(name: str, t: float, sigma2: float) -> Constants:
    return _evaluated(activation(name), t, sigma2)


def _constants(act: Activation, t: float, sigma2: float) -> Constants:
    """Values of built-in activations are kept; a function of the same name may be another one."""
    from theory.diffusion.activations import NAMES

    builtin = act.name in NAMES and activation(act.name) is act
    return _constants_of(act.name, t, sigma2) if builtin else _evaluated(act, t, sigma2)


def _evaluated(act: Activation, t: float, sigma2: float) -> Constants:
    Delta, signal = -math.expm1(-2.0 * t), math.exp(-t) * math.sqrt(sigma2)
    gamma = math.hypot(signal, math.sqrt(Delta))
    for reach in _REACHES:
        pieces = act.pieces(reach * (signal + math.sqrt(Delta)))
        moments = [_moments(act, pieces, gamma, reach, nodes) for nodes in _NODES]
        power, tail = moments[1][2], moments[1][3]
        if tail <= _TAIL * power:
            break
    else:
        raise InvalidInput(
            f"activation '{act.name}' has no second moment under a normal law of variance {gamma**2:.6g}, or grows too "
            "fast for it to be found; use a function that grows slower than exp(x^2/(4 variance))."
        )
    if not power > 1e-280:
        raise InvalidInput(
            f"activation '{act.name}' has the second moment {power:.3g}, which is 0 to rounding; scale it up."
        )
    two = [
        _residuals(act, pieces, signal, math.sqrt(Delta), reach, nodes, m[0], m[1])
        for nodes, m in zip(_NODES, moments, strict=True)
    ]
    (mu0, a, *_), (v2, s2) = moments[1], two[1]
    coarse, fine = (np.array([m[0], m[1], m[2], *r]) for m, r in zip(moments, two, strict=True))
    # mu0 and a are of the order of the activation, the others of its square.
    unit = np.where(np.arange(5) < 2, math.sqrt(power), power) / np.array([1.0, min(1.0, gamma), 1.0, 1.0, 1.0])
    rough = float((np.abs(coarse - fine) / unit).max())
    error = float(np.abs(coarse - fine).max()) + 4.0 * float(np.finfo(float).eps) * power
    if not rough <= _ROUGH:
        raise InvalidInput(
            f"activation '{act.name}' has no second moment, or is too rough for its Gaussian averages (quadrature "
            f"error {rough:.1e} of them); use a function with finitely many steps or kinks."
        )
    if not error <= _ROUGH * power:
        raise InvalidInput(
            f"activation '{act.name}' is so small (second moment {power:.3g}) that the rounding of its averages, "
            f"{error:.1e}, counts; scale it up."
        )
    if power - mu0**2 <= 1e-13 * power:
        raise InvalidInput(f"activation '{act.name}' is constant where the data are; give one that varies.")
    quiet = 1e-26 * power  # a linear activation has v = s = 0; their squares come out as rounding, squared
    v2, s2 = (0.0 if x < quiet else x for x in (v2, s2))
    a = 0.0 if abs(a) * gamma < 1e-14 * math.sqrt(power) else a
    return Constants(act.name, t, sigma2, a, Delta * a * a, v2, s2, mu0, error)


def _panels(edges: Array, nodes: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on the panels between sorted edges (..., E); (..., (E-1) nodes)."""
    x, w = gauss_legendre(nodes)
    half = 0.5 * np.diff(edges, axis=-1)
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    shape = (*edges.shape[:-1], -1)
    return (middle[..., None] + half[..., None] * x).reshape(shape), (half[..., None] * w).reshape(shape)


def _normal(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def _moments(
    act: Activation, pieces: Pieces, gamma: float, reach: int, nodes: int
) -> tuple[float, float, float, float]:
    """``E act``, ``E z act/Gamma``, ``E act^2``, and the part of the last beyond all but two standard deviations."""
    edges = np.concatenate([np.arange(-reach, reach + 1.0), np.clip(pieces.edges / gamma, -reach, reach)])
    z, w = _panels(np.unique(edges), nodes)
    w = w * _normal(z)
    y = act(gamma * z)
    power = w * y * y
    tail = float(power[np.abs(z) > reach - 2].sum())
    return float(w @ y), float((w * z) @ y) / gamma, float(power.sum()), tail


def _residuals(
    act: Activation, pieces: Pieces, signal: float, noise: float, reach: int, nodes: int, mu0: float, a: float
) -> tuple[float, float]:
    """``v^2`` and ``s^2``: averages over the sample's part of averages over the noise."""
    # Averaged over the noise, a kink is smooth on the scale of the noise; panels around it are graded down to there.
    steps = noise * np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0])
    graded = (pieces.kinks[:, None] + np.concatenate([-steps, np.zeros(1), steps])).ravel()
    edges = np.concatenate([signal * np.arange(-reach, reach + 1.0), pieces.edges, graded])
    h, weight = _panels(np.unique(np.clip(edges, -reach * signal, reach * signal)), nodes)
    weight = weight * _normal(h / signal) / signal
    fixed = np.arange(-reach, reach + 1.0)
    rows = max(1, _CHUNK // ((fixed.size + pieces.edges.size) * nodes))
    v2 = s2 = 0.0
    for k in range(0, h.size, rows):
        at, w = h[k : k + rows], weight[k : k + rows]
        own = np.clip((pieces.edges - at[:, None]) / noise, -reach, reach)
        inner = np.sort(np.concatenate([np.broadcast_to(fixed, (at.size, fixed.size)), own], axis=1), axis=1)
        v, share = _panels(inner, nodes)
        share = share * _normal(v)
        y = act(at[:, None] + noise * v)
        f = (share * y).sum(1)
        v2 += float(w @ (f - mu0 - a * at) ** 2)
        s2 += float(w @ (share * (y - f[:, None] - noise * a * v) ** 2).sum(1))
    return v2, s2
