r"""Pattern laws: how the stored patterns are drawn, and the constants a law hands to the theory.

A random-features pattern is ``xi = sigma(x)`` with ``x = D^{-1/2} sum_k c_k f_k``.  The replica theory sees
the nonlinearity only through its first Hermite coefficient and the power of all higher ones,

    kappa_1 = E[z sigma(z)],      kappa_*^2 = E[sigma(z)^2] - kappa_1^2,      z ~ N(0, 1),

because ``xi`` is equivalent to ``kappa_1 x + kappa_* eta`` with independent Gaussian ``eta`` (Gaussian
equivalence; sigma odd).
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput, nearest

__all__ = [
    "CUBIC",
    "ERF",
    "LINEAR",
    "SIGN",
    "TANH",
    "Coefficients",
    "IidPatterns",
    "IsotropicPatterns",
    "Mixing",
    "Nonlinearity",
    "RandomFeaturePatterns",
    "VectorRandomFeaturePatterns",
    "nonlinearity",
]

Array = NDArray[np.float64]
Coefficients = Literal["gaussian", "binary", "sparse"]
Mixing = Literal["scalar", "matrix"]


@dataclass(frozen=True)
class Nonlinearity:
    r"""An odd function applied to each component of a superposition of features.

    Attributes
    ----------
    name : str
        Name used on the command line and in records.
    function : callable
        Maps an array to an array of the same shape; must be odd.
    kappa_1_squared, kappa_star_squared : float
        Squared linear and nonlinear Hermite weights, not normalised to ``E sigma^2 = 1``.
    binary : bool
        True when the values are exactly +-1 (integer couplings are then possible).

    Examples
    --------
    >>> round(SIGN.kappa_1_squared, 6), round(SIGN.kappa_star_squared, 6)
    (0.63662, 0.36338)
    """

    name: str
    function: Callable[[Array], Array] = field(compare=False)
    kappa_1_squared: float
    kappa_star_squared: float
    binary: bool = False

    @property
    def kappa_1(self) -> float:
        """First Hermite coefficient ``E[z sigma(z)]``, taken non-negative."""
        return math.sqrt(self.kappa_1_squared)

    @property
    def kappa_star(self) -> float:
        """Root of the power in Hermite orders three and above."""
        return math.sqrt(self.kappa_star_squared)


def _sign(x: Array) -> Array:
    return np.asarray(np.sign(x), dtype=np.float64)


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x), dtype=np.float64)


def _cubic(x: Array) -> Array:
    return np.asarray(x**3, dtype=np.float64)


def _hermite_constants(function: Callable[[Array], Array], name: str) -> tuple[float, float]:
    """``(kappa_1^2, kappa_*^2)`` by adaptive quadrature on the half line, where odd functions usually are smooth."""
    from scipy.integrate import quad_vec

    def integrand(x: float) -> Array:
        y = float(np.asarray(function(np.array([x])), dtype=np.float64)[0])
        return 2.0 * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) * np.array([x * y, y * y])

    # Beyond 12 standard deviations the weight is below 1e-31; steps and kinks are found by bisection.
    (first, second), error = quad_vec(integrand, 0.0, 12.0, epsabs=1e-13, epsrel=1e-13, limit=20000)[:2]
    if not (math.isfinite(first) and math.isfinite(second)) or second <= 0.0:
        raise InvalidInput(
            f"nonlinearity '{name}' has E[sigma(z)^2] = {second:g}; it must be finite and positive, "
            "so use an odd function that is not identically zero and grows slower than exp(x^2/4)."
        )
    if error > 1e-9 * second:
        raise InvalidInput(
            f"nonlinearity '{name}' is too rough for its Hermite constants (quadrature error {error:.1e}); "
            "use a function with finitely many steps or kinks."
        )
    kappa_1_squared = float(first * first)
    return kappa_1_squared, max(0.0, float(second) - kappa_1_squared)


_PI = math.pi
SIGN = Nonlinearity("sign", _sign, 2.0 / _PI, 1.0 - 2.0 / _PI, binary=True)


def _identity(x: Array) -> Array:
    return np.asarray(x, dtype=np.float64)


def _tanh(x: Array) -> Array:
    return np.asarray(np.tanh(x), dtype=np.float64)


LINEAR = Nonlinearity("linear", _identity, 1.0, 0.0)
# E[z erf z] = 2/sqrt(3 pi);  E[erf(z)^2] = (2/pi) arcsin(2/3).
ERF = Nonlinearity("erf", _erf, 4.0 / (3.0 * _PI), (2.0 / _PI) * math.asin(2.0 / 3.0) - 4.0 / (3.0 * _PI))
CUBIC = Nonlinearity("cubic", _cubic, 9.0, 6.0)
TANH = Nonlinearity("tanh", _tanh, 0.3668791643624109, 0.02741532603543026)

_NAMED = {n.name: n for n in (SIGN, LINEAR, ERF, CUBIC, TANH)}


def nonlinearity(choice: str | Nonlinearity | Callable[[Array], Array]) -> Nonlinearity:
    """Return a nonlinearity by name, or make one from an odd function by exact quadrature.

    Parameters
    ----------
    choice : str, Nonlinearity or callable
        One of 'sign', 'linear', 'erf', 'cubic', 'tanh', or a vectorised odd function of one real array.

    Raises
    ------
    InvalidInput
        For an unknown name, a function that is not odd, or one without a second Gaussian moment.

    Examples
    --------
    >>> soft = nonlinearity(lambda x: x / (1 + abs(x)))
    >>> 0 < soft.kappa_star_squared < soft.kappa_1_squared
    True
    """
    if isinstance(choice, Nonlinearity):
        return choice
    if isinstance(choice, str):
        if choice in _NAMED:
            return _NAMED[choice]
        close = nearest(choice, _NAMED)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"nonlinearity '{choice}' is unknown; choose one of {', '.join(_NAMED)}{hint}")
    name = getattr(choice, "__name__", "function")
    probe = np.array([0.1, 0.7, 1.3, 2.9])
    up, down = _values(choice, probe, name), _values(choice, -probe, name)
    if not np.allclose(up, -down, rtol=1e-12, atol=1e-14):
        raise InvalidInput(
            f"nonlinearity '{name}' is not odd (sigma(0.7) = {up[1]:g}, sigma(-0.7) = {down[1]:g}); "
            "the theory covers odd functions, so antisymmetrise it."
        )
    first, rest = _hermite_constants(choice, name)
    # A steep clip(20 x) is +-1 at every probe too; only E sigma^2 = 1 says that it is so everywhere.
    binary = bool(np.all(np.abs(up) == 1.0)) and math.isclose(first + rest, 1.0, rel_tol=1e-9)
    return Nonlinearity(name, choice, first, rest, binary=binary)


def _values(function: Callable[[Array], Array], x: Array, name: str) -> Array:
    y: Any = function(x)
    out = np.asarray(y, dtype=np.float64)
    if out.shape != x.shape or not np.all(np.isfinite(out)):
        raise InvalidInput(
            f"nonlinearity '{name}' must map a float array to a finite array of the same shape; "
            f"it returned shape {out.shape} for shape {x.shape}."
        )
    return out


@dataclass(frozen=True)
class IidPatterns:
    """P independent patterns of N independent +-1 components (Hopfield)."""

    key: str = "iid"


@dataclass(frozen=True)
class RandomFeaturePatterns:
    """Patterns ``sigma(D^{-1/2} sum_k c_k f_k)`` made of D shared +-1 features.

    Attributes
    ----------
    nonlinearity : Nonlinearity
        The odd function sigma.
    coefficients : {'gaussian', 'binary', 'sparse'}
        Dense Gaussian, dense +-1, or exactly `L_train` random active features with random signs.
    L_train : int
        Number of active features per example; used by 'sparse' only.
    """

    nonlinearity: Nonlinearity = SIGN
    coefficients: Coefficients = "gaussian"
    L_train: int = 3
    key: str = "random-features"

    def __post_init__(self) -> None:
        _check_coefficients(self.coefficients, self.L_train)


@dataclass(frozen=True)
class IsotropicPatterns:
    """P independent patterns of N independent unit vectors, uniform on the sphere in d dimensions (vector Hopfield).

    Attributes
    ----------
    d : int
        Components of a vector; the unit vectors of d = 1 are +-1.
    """

    d: int
    key: str = "isotropic"

    def __post_init__(self) -> None:
        _check_dimension(self.d)


@dataclass(frozen=True)
class VectorRandomFeaturePatterns:
    """Patterns ``x/|x|`` with ``x = (d/D)^{1/2} sum_k c_k f_k`` made of D shared features of N unit vectors.

    Features are uniform on the sphere in d dimensions.  Coefficients are numbers of unit variance, or d x d matrices
    with entries of variance 1/d, so every component of x has unit variance; for d = 1 the pattern is the sign of x.

    Attributes
    ----------
    d : int
        Components of a vector.
    coefficients : {'gaussian', 'binary', 'sparse'}
        As for `RandomFeaturePatterns`, for every entry of a matrix; sparse sums are divided by sqrt(L_train) in place
        of sqrt(D).
    L_train : int
        Number of active features per example; used by 'sparse' only.
    mixing : {'scalar', 'matrix'}
        Whether coefficients are numbers or d x d matrices of independent entries.
    """

    d: int
    coefficients: Coefficients = "gaussian"
    L_train: int = 3
    mixing: Mixing = "scalar"
    key: str = "vector-random-features"

    def __post_init__(self) -> None:
        _check_dimension(self.d)
        _check_coefficients(self.coefficients, self.L_train)
        if self.mixing not in ("scalar", "matrix"):
            close = nearest(str(self.mixing), ("scalar", "matrix"))
            hint = f"; did you mean '{close}'?" if close else "."
            raise InvalidInput(f"mixing '{self.mixing}' is unknown; choose scalar or matrix{hint}")


def _check_coefficients(coefficients: str, L_train: int) -> None:
    known = ("gaussian", "binary", "sparse")
    if coefficients not in known:
        close = nearest(str(coefficients), known)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"coefficients '{coefficients}' are unknown; choose gaussian, binary or sparse{hint}")
    if L_train < 1:
        raise InvalidInput(f"L_train = {L_train} is not allowed; it counts active features, so use 1 or more.")


def _check_dimension(d: object) -> None:
    if isinstance(d, bool) or not isinstance(d, numbers.Integral) or d < 1:
        raise InvalidInput(f"d = {d!r} is not allowed; vectors have a whole number d >= 1 of components.")
