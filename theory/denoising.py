r"""One synchronous step of a Hebbian network at T = 0, as a denoiser, exactly for N -> infinity.

A configuration with overlap m0 with a stored pattern, independent of all else, feels the fields
``h_i = m0 xi_i + (sqrt(alpha)/d) z_i`` (couplings without diagonal); the step aligns every spin with its field, so

    m1 = Phi_d(m0 d/sqrt(alpha)),      Phi_d(x) = x (c_d/d) 1F1(1/2; d/2 + 1; -x^2/2),      c_d = E|z|.

It improves small overlaps below the load ``c_d^2``, and a given overlap m0 below the root of ``Phi_d = m0``.
"""

from __future__ import annotations

import math

import numpy as np

from theory.errors import InvalidInput
from theory.vector_sites import checked_dimension, kummer, mean_length

__all__ = ["first_overlap", "improving_load", "largest_improving_load", "one_step"]


def one_step(m0: float, *, alpha: float, d: int = 1) -> dict[str, float]:
    """The step from one overlap with all that is known of it.

    Parameters
    ----------
    m0, alpha, d
        As for `first_overlap`.

    Returns
    -------
    dict
        ``m1``, the overlap after the step; ``alpha_star``, the load below which m1 > m0; ``alpha_tilde``, the same for
        m0 -> 0.

    Examples
    --------
    >>> step = one_step(0.5, alpha=0.5, d=3)
    >>> round(step["m1"], 8), step["alpha_star"] > 0.5
    (0.79105854, True)
    """
    after = first_overlap(m0, alpha=alpha, d=d)
    return {"m1": after, "alpha_star": improving_load(m0, d=d), "alpha_tilde": largest_improving_load(d)}


def first_overlap(m0: float, *, alpha: float, d: int = 1) -> float:
    """Overlap after one synchronous step.

    Parameters
    ----------
    m0 : float
        Overlap before, 0 to 1.
    alpha : float
        Load P/N > 0.
    d : int
        Components of a spin.

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> round(first_overlap(0.5, alpha=0.5, d=10), 8)
    0.91870309
    """
    d = checked_dimension(d)
    _check_overlap(m0)
    if not 0.0 < alpha < math.inf:
        raise InvalidInput(f"alpha = {alpha:g} is not allowed; give a load P/N with 0 < alpha < infinity.")
    return _aligned(m0 * d / math.sqrt(alpha), d)


def _aligned(x: float, d: int) -> float:
    """Mean of the component along e_1 of the direction of ``x e_1 + z``."""
    if x > 1e6:  # the share that the noise takes is (d-1)/2x^2
        return 1.0 - 0.5 * (d - 1) / x**2
    return min(1.0, x * mean_length(d) / d * float(kummer(0.5, 0.5 * d + 1.0, np.array([0.5 * x * x]))[0]))


def largest_improving_load(d: int = 1) -> float:
    """The load ``c_d^2`` below which one step improves small overlaps.

    Examples
    --------
    >>> round(largest_improving_load(2) / math.pi, 12)
    0.5
    """
    return mean_length(checked_dimension(d)) ** 2


def improving_load(m0: float, *, d: int = 1) -> float:
    """The load at which one step leaves the overlap m0 as it is; below, it improves it.

    Parameters
    ----------
    m0 : float
        0 to 1; towards 0 the load tends to `largest_improving_load`, and to 0 towards 1.
    d : int

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> load = improving_load(0.6, d=3)
    >>> round(first_overlap(0.6, alpha=load, d=3), 12)
    0.6
    """
    from scipy.optimize import brentq

    d = checked_dimension(d)
    _check_overlap(m0)
    if m0 in (0.0, 1.0):
        return (1.0 - m0) * largest_improving_load(d)
    low = high = m0 * d / mean_length(d)  # Phi_d is concave and grows from x c_d/d
    while _aligned(high, d) < m0:
        high *= 2.0
    if high == low:
        return largest_improving_load(d)
    x = float(brentq(lambda y: _aligned(y, d) - m0, low * (1.0 - 1e-9), high, xtol=1e-300, rtol=1e-14))
    return (m0 * d / x) ** 2


def _check_overlap(m0: float) -> None:
    if not 0.0 <= m0 <= 1.0:
        raise InvalidInput(f"m0 = {m0:g} is not allowed; give an overlap with 0 <= m0 <= 1.")
