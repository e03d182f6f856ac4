r"""Energy of infinitely many memories spread evenly over a circle or a sphere, exactly.

Memories on the unit sphere in N dimensions (N = 2: the circle) and ``beta = 1/(2 sigma^2)``.  With the mean over
memories in place of the sum,

    E(R) = R^2 + 1 - (1/beta) log M(2 beta R),      M(k) = Gamma(N/2) (k/2)^(1-N/2) I_{N/2-1}(k),

which for the circle is ``R^2 + 1 - (1/beta) log I_0(2 beta R)``.  The minimum solves ``R = A(2 beta R)`` with
``A = I_{N/2}/I_{N/2-1}``.  It leaves the origin continuously at ``beta = N/2`` (``sigma^2 = 1/N``), and is a ring of
minima beyond, flat along the ring.  Finitely many memories break the degeneracy: equally spaced ones by an amount
exponentially small in ``K^2``, random ones by K^(-1/2).

Source: dense associative memory as the energy of diffusion, Pham and others, arXiv:2505.21777 (the circle);
the von Mises-Fisher law for the sphere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput, whole_number
from theory.problem import Status

__all__ = [
    "Barrier",
    "Ring",
    "crossover_load",
    "equispaced_barrier",
    "modulation",
    "rice_minima",
    "ring",
    "ring_energy",
    "ring_forms",
]

_DIGITS = 30
# Beyond, the barrier of equally spaced memories is given by its leading term, whose relative error is e^(-_DEEP).
_DEEP = 60.0


@dataclass(frozen=True)
class Ring:
    """The minimum of E(R) for infinitely many memories.

    Attributes
    ----------
    N : int
        Dimension of space.
    beta : float
        1/(2 sigma^2), in units of the radius of the sphere of memories.
    radius, radius_error : float
        R*, and an estimate of its absolute error; 0 where the minimum is the origin.
    energy : float
        E(R*), with the mean over memories.
    radial, tangential : float
        Curvatures of E (an isolated memory has 2): along the radius, and across it.  On a ring the tangential one is
        exactly 0; at the origin both are ``2 - 4 beta/N``.
    kind : {'ring', 'point'}
        A sphere of minima, or the origin alone (beta <= N/2).
    status : Status
    """

    N: int
    beta: float
    radius: float
    radius_error: float
    energy: float
    radial: float
    tangential: float
    kind: str
    status: Status


@dataclass(frozen=True)
class Barrier:
    """What separates neighbouring minima of K equally spaced memories on the circle.

    Attributes
    ----------
    K : int
    beta : float
    height : float
        Energy of the saddle midway between memories minus that of the minimum at a memory's angle.
    error : float
        Estimate of the absolute error of `height`.
    minimum, saddle : float
        Radii of the two.
    """

    K: int
    beta: float
    height: float
    error: float
    minimum: float
    saddle: float


def ring_forms(N: int = 2) -> float:
    """Return the beta at which the ring leaves the origin, N/2.

    Examples
    --------
    >>> ring_forms(2)
    1.0
    """
    return 0.5 * _dimension(N)


def ring_energy(R: ArrayLike, *, beta: float, N: int = 2) -> NDArray[np.float64]:
    """Energy at distance R from the centre, with the mean over infinitely many memories.

    Parameters
    ----------
    R : float or array
        In units of the radius of the sphere of memories, R >= 0.
    beta : float
        1/(2 sigma^2) > 0.
    N : int
        Dimension, 2 or more.

    Returns
    -------
    energy : array of the shape of R

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> round(float(ring_energy(1.0, beta=10.0)), 12)
    0.241038957176
    """
    b, dimension = _beta(beta), _dimension(N)
    radii = np.asarray(R, dtype=np.float64)
    if not np.all(radii >= 0.0) or not np.all(np.isfinite(radii)):
        raise InvalidInput(f"R = {R!r} is not allowed; give distances from the centre with 0 <= R < infinity.")
    with mpmath.workdps(_DIGITS):
        flat = [float(_energy(mpmath.mpf(float(r)), mpmath.mpf(b), dimension)) for r in radii.ravel()]
    return np.array(flat).reshape(radii.shape)


def ring(beta: float, *, N: int = 2) -> Ring:
    """Solve for the minimum of the energy by Newton's method in 30 digits.

    Parameters
    ----------
    beta : float
        1/(2 sigma^2) > 0, with the radius of the sphere of memories as the unit of length.
    N : int
        Dimension, 2 (circle) or more.

    Returns
    -------
    Ring

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> found = ring(10.0)
    >>> round(found.radius, 12), round(found.energy, 12)
    (0.973984385374, 0.240380153992)
    >>> ring(0.9).kind
    'point'
    """
    b, dimension = _beta(beta), _dimension(N)
    if b <= 0.5 * dimension:
        curvature = 2.0 - 4.0 * b / dimension
        return Ring(dimension, b, 0.0, 0.0, 1.0, curvature, curvature, "point", Status.CONVERGED)
    with mpmath.workdps(_DIGITS):
        two_beta = 2 * mpmath.mpf(b)
        kappa, step, settled = _fixed_point(two_beta, dimension)
        radius = kappa / two_beta
        slope = _mean_slope(kappa, dimension)
        energy = _energy(radius, two_beta / 2, dimension)
        radial = 2 - 2 * two_beta * slope
    error = abs(float(step / two_beta)) + 2.0**-53 * float(radius)
    status = Status.CONVERGED if settled else Status.MAX_ITERATIONS
    return Ring(dimension, b, float(radius), error, float(energy), float(radial), 0.0, "ring", status)


def _fixed_point(two_beta: Any, N: int) -> tuple[Any, Any, bool]:
    """Root ``kappa = 2 beta R*`` of A(kappa)/kappa = 1/(2 beta), the last step, and whether it is small.

    A(kappa)/kappa falls from 1/N to 0, so that the root is unique; the origin, which also solves R = A, is divided out.
    """
    low, high = mpmath.mpf(0), two_beta
    # Small root beyond the transition, and the expansion for large beta; the bracket keeps whichever is poor in check.
    near = mpmath.sqrt(max((two_beta / N - 1) * N * (N + 2), mpmath.mpf(10) ** -20))
    kappa = min(near, two_beta * (1 - (N - 1) / (2 * two_beta + N)))
    step = kappa
    for _ in range(200):
        mean = _mean(kappa, N)
        value = mean / kappa - 1 / two_beta
        low, high = (kappa, high) if value > 0 else (low, kappa)
        slope = (_mean_slope(kappa, N, mean) - mean / kappa) / kappa
        new = kappa - value / slope
        if not low < new < high:
            new = (low + high) / 2
        step, kappa = new - kappa, new
        if abs(step) <= kappa * mpmath.mpf(10) ** (8 - _DIGITS):
            return kappa, step, True
    return kappa, step, False


def _mean(kappa: Any, N: int) -> Any:
    """A(kappa), the mean cosine to the field kappa."""
    order = mpmath.mpf(N) / 2
    return mpmath.besseli(order, kappa) / mpmath.besseli(order - 1, kappa)


def _mean_slope(kappa: Any, N: int, mean: Any = None) -> Any:
    a = _mean(kappa, N) if mean is None else mean
    return 1 - a * a - (N - 1) * a / kappa


def _log_average(kappa: Any, N: int) -> Any:
    """log M(kappa), the logarithm of the mean of exp(kappa cos) over the sphere."""
    return mpmath.log(mpmath.hyp0f1(mpmath.mpf(N) / 2, kappa * kappa / 4))


def _energy(R: Any, beta: Any, N: int) -> Any:
    return R * R + 1 - _log_average(2 * beta * R, N) / beta


def equispaced_barrier(beta: float, K: int) -> Barrier:
    """Height between neighbouring minima of K equally spaced memories on the circle.

    The minimum lies at the angle of a memory and the saddle midway; both radii are solved for by Newton's method, in as
    many digits as the difference needs.  Where K^2/(4 beta) is large, the height is ``(4/beta) I_K(k)/I_0(k)`` with
    ``k = 2 beta R*``, the leading term.

    Parameters
    ----------
    beta : float
        1/(2 sigma^2) > 1, in units of the radius; > 1/2 for two memories, which spread along a line only.
    K : int
        Number of memories, 2 or more.

    Raises
    ------
    InvalidInput
        For numbers out of range, or where the centre is a minimum: memories have merged there (three of them not quite
        everywhere: for 0.915 < beta < 1 they have minima of their own beside it), and no saddle lies midway.

    Examples
    --------
    >>> found = equispaced_barrier(12.5, 9)
    >>> round(found.height, 12), round(found.minimum, 9), round(found.saddle, 9)
    (0.061985175819, 0.998648111, 0.939678259)
    """
    b, count = _beta(beta), whole_number("K", K, 2)
    least = 0.5 if count == 2 else 1.0
    if b <= least:
        raise InvalidInput(
            f"beta = {b:g} is not allowed with {count} memories; their centre is a minimum and no saddle lies midway, "
            f"so give beta > {least:g}."
        )
    found = ring(b)
    depth = 0.0
    if found.kind == "ring":
        kappa = 2.0 * b * found.radius
        with mpmath.workdps(_DIGITS):
            ratio = mpmath.besseli(count, kappa) / mpmath.besseli(0, kappa)
            depth = -float(mpmath.log(ratio))
            leading = float(4 * ratio / b)
        if depth > _DEEP:
            return Barrier(count, b, leading, leading * 1e-12, found.radius, found.radius)
    with mpmath.workdps(_DIGITS + int(depth / 2.0)):
        angles = (mpmath.mpf(0), mpmath.pi / count)
        starts = (mpmath.mpf(1), mpmath.cos(mpmath.pi / count))
        found_at = [_along(start, angle, mpmath.mpf(b), count) for start, angle in zip(starts, angles, strict=True)]
        (minimum, low), (saddle, high) = found_at
        height = float(high - low)
    return Barrier(count, b, height, 2.0**-52 * abs(height), float(minimum), float(saddle))


def _along(start: Any, angle: Any, beta: Any, K: int) -> tuple[Any, Any]:
    """Radius and energy of the stationary point on the ray at `angle` that mean shift leads to."""
    cosines = [mpmath.cos(angle - 2 * mpmath.pi * m / K) for m in range(K)]

    def moments(r: Any) -> tuple[Any, Any, Any]:
        weights = [mpmath.exp(2 * beta * r * (c - 1)) for c in cosines]
        total = mpmath.fsum(weights)
        first = mpmath.fsum(w * c for w, c in zip(weights, cosines, strict=True)) / total
        second = mpmath.fsum(w * c * c for w, c in zip(weights, cosines, strict=True)) / total
        return total, first, second - first * first

    r = start
    for _ in range(50):  # mean shift: downhill from anywhere
        r = moments(r)[1]
    for _ in range(60):
        _, first, variance = moments(r)
        step = (first - r) / (1 - 2 * beta * variance)
        r += step
        if abs(step) <= mpmath.mpf(10) ** (4 - mpmath.mp.dps):
            break
    total = moments(r)[0]
    return r, (r - 1) ** 2 - mpmath.log(total / K) / beta


def modulation(beta: float, K: int, *, N: int = 2, R: float = 1.0) -> float:
    """Root mean square of the energy's variation along the ring, for K random memories, to leading order in 1/K.

    Parameters
    ----------
    beta : float
        1/(2 sigma^2) > 0.
    K : int
        Number of independent memories, uniform on the sphere.
    N : int
        Dimension.
    R : float
        Where along the radius; 1 is the sphere of the memories.

    Returns
    -------
    float
        ``(1/beta) sqrt((M(4 beta R)/M(2 beta R)^2 - 1)/K)``; small compared with 1/beta where it holds.

    Examples
    --------
    >>> round(modulation(12.5, 1000) * 12.5, 6)
    0.088286
    """
    return math.sqrt(_contrast(beta, N, R) / whole_number("K", K, 1)) / _beta(beta)


def crossover_load(beta: float, *, N: int = 2, R: float = 1.0) -> float:
    """The number of random memories K_c at which the energy along the ring varies by 1/beta (rms).

    Below, minima belong to single memories or a few; far above, the ring is a valley without depth.  For the circle
    K_c tends to sqrt(2 pi beta).

    Examples
    --------
    >>> round(crossover_load(1e4) / math.sqrt(2e4 * math.pi), 2)
    1.0
    """
    return _contrast(beta, N, R)


def _contrast(beta: float, N: int, R: float) -> float:
    """M(4 beta R)/M(2 beta R)^2 - 1, the relative variance of one memory's weight."""
    b, dimension = _beta(beta), _dimension(N)
    if not 0.0 < R < math.inf:
        raise InvalidInput(f"R = {R} is not allowed; give a distance from the centre with 0 < R < infinity.")
    with mpmath.workdps(_DIGITS):
        k = 2 * mpmath.mpf(b) * R
        return float(mpmath.expm1(_log_average(2 * k, dimension) - 2 * _log_average(k, dimension)))


def rice_minima(beta: float, *, R: float = 1.0) -> float:
    """Mean number of minima along the circle for K random memories with K much larger than K_c.

    The weight along the circle is then a Gaussian process with covariance ``I_0(4 beta R cos(theta/2))``, whose maxima
    Rice's formula counts: ``sqrt((3 y I_0(y)/I_1(y) - 2)/4)`` with ``y = 4 beta R``, which tends to sqrt(3 beta).
    The minima do not disappear with K: they become shallow.

    Examples
    --------
    >>> round(rice_minima(50.0), 3)
    12.242
    """
    b = _beta(beta)
    if not 0.0 < R < math.inf:
        raise InvalidInput(f"R = {R} is not allowed; give a distance from the centre with 0 < R < infinity.")
    with mpmath.workdps(_DIGITS):
        y = 4 * mpmath.mpf(b) * R
        return float(mpmath.sqrt((3 * y / _mean(y, 2) - 2) / 4))


def _beta(beta: float) -> float:
    number = isinstance(beta, (int, float, np.floating, np.integer)) and not isinstance(beta, bool)
    if not number or not 0.0 < beta < math.inf:
        raise InvalidInput(f"beta = {beta} is not allowed; give 1/(2 sigma^2), a number with 0 < beta < infinity.")
    return float(beta)


def _dimension(N: int) -> int:
    return whole_number("N", N, 2)
