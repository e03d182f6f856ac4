r"""When the noisy data of several classes stop to be one well: the speciation time.

For classes of covariance C with centres m_k and shares w_k the law of ``x_t`` turns from one well into several where
the covariance of the centres, measured in the width of a class, has an eigenvalue 1:

    lambda_max[ B^{1/2} (C + 1/snr)^{-1} B^{1/2} ] = 1,        B = sum_k w_k (m_k - m)(m_k - m)^T.

For two classes +-m of equal shares this is where the Hessian of ``-log P_t`` at the midpoint turns indefinite, exactly;
with ``C = sigma2`` it is ``e^{-2t} |m|^2 = sigma2 e^{-2t} + 1 - e^{-2t}``, so ``t_S = (1/2) log(|m|^2 + 1 - sigma2)``.

References
----------
G. Biroli, T. Bonnaire, V. de Bortoli, M. Mezard, Nature Communications 15, 9957 (2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.diffusion.collapse import PROCESSES, checked_process, time_at
from theory.diffusion.information import covariance_spectrum
from theory.diffusion.overlap_laws import EPS, Root
from theory.diffusion.rem import increasing_root
from theory.errors import InvalidInput
from theory.problem import Status

__all__ = ["Speciation", "speciation"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Speciation:
    """Where the law of the noisy data turns from one well into several.

    Attributes
    ----------
    process : {'vp', 've'}
    t_S, error : float or None
        Speciation time (for 've' the variance sigma^2 of the noise) and its error; None if there is none.
    snr : float or None
    Lambda : float
        Largest eigenvalue of the covariance of all data.
    status : Status
        NO_SOLUTION where the classes overlap too much to be wells even without noise.
    """

    process: str
    t_S: float | None
    error: float | None
    snr: float | None
    Lambda: float
    status: Status

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {**self.__dict__, "status": self.status.value, "convention": PROCESSES[self.process]}


def speciation(
    centres: Any, covariance: Any = 1.0, *, weights: Sequence[float] | None = None, process: str = "vp"
) -> Speciation:
    """Solve for the time at which classes appear.

    Parameters
    ----------
    centres : float, (d,) array or (K, d) array
        The distance |m| of two classes +-m from their midpoint (equal variances), the vector m, or K centres.
    covariance : float, (d,) array or (d, d) array
        Covariance C of every class.
    weights : sequence of float or None
        Shares of K classes; None for equal ones.
    process : {'vp', 've'}

    Raises
    ------
    InvalidInput
        For centres that do not fit the covariance, coincide, or are not finite.

    Notes
    -----
    Exact for two classes of equal share; for more it is where the symmetric point loses its stability in the law with
    the same second moments.

    Examples
    --------
    >>> found = speciation(3.0, 0.5)
    >>> round(found.t_S - 0.5 * float(np.log(9.5)), 14)
    0.0
    """
    checked_process(process)
    c, vectors = covariance_spectrum(covariance)
    b = _centred(centres, len(c), weights)
    if vectors is not None:
        b = b @ vectors

    def excess(s: float) -> float:
        return float(np.linalg.eigvalsh((b * (s / (1.0 + s * c))) @ b.T)[-1]) - 1.0

    root = increasing_root(excess, 1.0 / float((b * b).sum()), largest=1e16, noise=lambda s: 8.0 * EPS)
    if root.value is None or root.error is None or root.error > 0.1 * root.value:
        root = Root(None, None, Status.NO_SOLUTION)
    t, error = time_at(root, process)
    if len(c) == 1:
        largest = float(c[0] + np.linalg.eigvalsh(b @ b.T)[-1])
    else:
        largest = float(np.linalg.eigvalsh(np.diag(c) + b.T @ b)[-1])
    return Speciation(process, t, error, root.value, largest, root.status)


def _centred(centres: Any, d: int, weights: Sequence[float] | None) -> Array:
    """Rows ``sqrt(w_k) (m_k - mean)``, so that B is their Gram matrix over classes."""
    m = np.asarray(centres)
    if m.dtype.kind not in "fiu" or m.ndim > 2 or m.size == 0 or not np.isfinite(m.astype(float)).all():
        raise InvalidInput(
            f"centres of shape {m.shape} and type {m.dtype} are not allowed; give |m|, a vector m, or K centres in "
            "rows, all finite numbers."
        )
    m = m.astype(float)
    if m.ndim == 0 and m < 0.0:
        raise InvalidInput(f"|m| = {m:g} is not allowed; give a length |m| > 0.")
    if m.ndim == 0 and d > 1:
        raise InvalidInput("|m| alone does not say along which direction; with different variances give the vector m.")
    if m.ndim < 2:
        m = np.stack([np.atleast_1d(m), -np.atleast_1d(m)])
    if d not in (1, m.shape[1]):
        raise InvalidInput(f"centres in {m.shape[1]} dimensions do not fit a covariance in {d}; give equal ones.")
    w = np.full(len(m), 1.0 / len(m)) if weights is None else np.asarray(weights, float)
    if w.shape != (len(m),) or not np.isfinite(w).all() or (w <= 0.0).any() or abs(w.sum() - 1.0) > 1e-9:
        raise InvalidInput(f"{w.size} weights of {len(m)} centres are not allowed; give positive ones, summing to 1.")
    b: Array = np.sqrt(w)[:, None] * (m - w @ m)
    if float((b * b).sum()) <= 1e-300:
        raise InvalidInput("the centres coincide, so there is one class only; give different centres.")
    return b
