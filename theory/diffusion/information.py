r"""Information of data in a Gaussian channel, per dimension and in nats, as a function of the signal-to-noise ratio.

With ``y = sqrt(snr) x_0 + xi`` it is ``I(x_0; y)/d``; its derivative is half the least mean square error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.arrays import real_numbers
from theory.diffusion.overlap_laws import EPS
from theory.errors import InvalidInput, is_number
from theory.quadrature import half_line_rule

__all__ = [
    "Information",
    "Value",
    "covariance_spectrum",
    "gaussian_information",
    "linear_manifold_information",
    "sign_information",
]

Array = NDArray[np.float64]


class Value(NamedTuple):
    """A number with its absolute error."""

    value: float
    error: float


Information = Callable[[float], Value]


def covariance_spectrum(covariance: Any) -> tuple[Array, Array | None]:
    """Eigenvalues of a covariance, and its eigenvectors where it is a matrix.

    Parameters
    ----------
    covariance : float, (d,) array or (d, d) array
        A variance, the variances of independent components, or the matrix.

    Returns
    -------
    eigenvalues : (d,) array
        Non-negative; (1,) for a single variance.
    eigenvectors : (d, d) array or None
        In columns; None where components are independent.

    Raises
    ------
    InvalidInput
        If it is not finite, not symmetric, has a negative eigenvalue, or vanishes.

    Examples
    --------
    >>> covariance_spectrum([[2.0, 1.0], [1.0, 2.0]])[0].round(12)
    array([1., 3.])
    """
    c = np.asarray(covariance)
    if c.dtype.kind not in "fiu" or c.size == 0 or c.ndim > 2 or (c.ndim == 2 and c.shape[0] != c.shape[1]):
        raise InvalidInput(
            f"a covariance of shape {c.shape} and type {c.dtype} is not allowed; give a variance, the d variances of "
            "independent components, or a real d x d matrix."
        )
    c = c.astype(float)
    if not np.isfinite(c).all():
        raise InvalidInput("the covariance contains NaN or infinity; give finite numbers.")
    vectors = None
    if c.ndim == 2:
        skew = float(np.abs(c - c.T).max())
        if skew > 1e-8 * float(np.abs(c).max()):
            raise InvalidInput(f"the covariance is not symmetric (difference {skew:.2g}); give a symmetric matrix.")
        values, vectors = np.linalg.eigh(0.5 * (c + c.T))
    else:
        values = np.atleast_1d(c)
    if values.min() < -1e-10 * max(values.max(), 0.0) or values.max() <= 0.0:
        raise InvalidInput(
            f"the covariance has the eigenvalue {values.min():.3g}; eigenvalues must be >= 0, and one of them > 0."
        )
    if not 1e-100 <= values.max() <= 1e100:
        raise InvalidInput(
            f"the covariance has the largest eigenvalue {values.max():.3g}; give one from 1e-100 to 1e100."
        )
    return np.maximum(values, 0.0), vectors


def gaussian_information(eigenvalues: Any) -> Information:
    """Information of Gaussian data, ``(1/2d) sum log(1 + snr c_i)``.

    Parameters
    ----------
    eigenvalues : (d,) array
        Of the covariance; (1,) for equal ones.

    Raises
    ------
    InvalidInput
        For what is no list of numbers >= 0.

    Examples
    --------
    >>> round(gaussian_information([1.0, 3.0])(1.0).value - 0.25 * math.log(8), 12)
    0.0
    """
    c = real_numbers("eigenvalues", eigenvalues, "variances")
    if not (np.isfinite(c).all() and (c >= 0.0).all()):
        raise InvalidInput("eigenvalues holds negative or non-finite numbers; give variances >= 0.")

    def information(snr: float) -> Value:
        value = 0.5 * float(np.mean(np.log1p(snr * c)))
        return Value(value, 4.0 * EPS * value)

    return information


def linear_manifold_information(gamma: float) -> Information:
    r"""Information per component of ``x_0 = F z/sqrt(D)``, with Gaussian z of ``D = gamma N`` components.

    The spectrum of ``F^T F/N`` is Marchenko-Pastur's, whose logarithmic moment is known in closed form.

    Raises
    ------
    InvalidInput
        Unless 0.0001 <= gamma < infinity.

    References
    ----------
    A. M. Tulino, S. Verdu, Random Matrix Theory and Wireless Communications (2004), Eq. (2.117).

    Examples
    --------
    >>> round(linear_manifold_information(1e9)(3.0).value / math.log(2), 6)  # many latent directions: white data
    1.0
    """
    if not is_number(gamma) or not 1e-4 <= gamma < math.inf:
        raise InvalidInput(f"gamma = {gamma} is not allowed; give D/N with 0.0001 <= gamma < infinity.")
    root_g = math.sqrt(gamma)

    def information(snr: float) -> Value:
        eta = snr / gamma
        plus, minus = math.sqrt(1.0 + eta * (1.0 + root_g) ** 2), math.sqrt(1.0 + eta * (1.0 - root_g) ** 2)
        share = eta / (plus + minus) ** 2
        # F/4 of the source is the product of eta - F/4 and eta gamma - F/4, which are found without the differences.
        quarter = 4.0 * snr * share
        large = max(1.0, gamma) * share * 2.0 * (1.0 + eta * abs(1.0 - gamma) + plus * minus)
        small = quarter / large
        first, second = (large, small) if gamma <= 1.0 else (small, large)
        one, two, three = gamma * math.log1p(first), math.log1p(second), quarter / eta
        value = 0.5 * (one + two - three)
        return Value(value, 4.0 * EPS * (abs(one) + abs(two) + abs(three)))

    return information


def sign_information() -> Information:
    """Information per component of independent fair signs, ``snr - E log cosh(snr + sqrt(snr) z)``; at most log 2.

    Examples
    --------
    >>> round(sign_information()(60.0).value - math.log(2), 12)
    0.0
    """

    def information(snr: float) -> Value:
        values = []
        for nodes in (24, 48):
            x, w = half_line_rule(nodes=nodes, fine=True)
            total = 0.0
            for z in (x, -x):
                h = np.abs(snr + math.sqrt(snr) * z)
                # snr - log cosh(h) - sqrt(snr) z sign: E of what is left is small, so nothing large cancels
                total += 0.5 * float((w * (snr - h - np.log1p(np.exp(-2.0 * h)) + math.log(2.0))).sum())
            values.append(total)
        return Value(values[1], abs(values[1] - values[0]) + 4.0 * EPS * (1.0 + snr))

    return information
