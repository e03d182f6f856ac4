r"""The Hessian of vector spins on their spheres, its eigenvalues, and whether a configuration is a minimum at T = 0.

For ``H = -(1/2) sum_{i != j} s_i J_ij s_j`` and displacements u_i tangential to s_i it is

    (Hess u)_i = (s_i.h_i) u_i - P_i sum_{j != i} J_ij u_j,      P_i = 1 - s_i s_i^T,

with the local fields h_i, in units of the couplings (not of the energy per spin); in orthonormal bases of the tangent
spaces a symmetric matrix with (d-1)N rows.  With patterns it is ``D - c F F^T``, blocks of one site minus a product
with one column per channel, so three things never need the matrix itself: its products, its inverse (Woodbury), and the
number of its eigenvalues below any level (the inertia of a matrix of channels, Sylvester's law).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from numerics import rng
from numerics.shifted_hessian import MOST_CHANNELS, Shifted, countable
from numerics.tangent import Frame, frame_of, rotations
from numerics.vector_interactions import VectorInteractions
from theory.errors import InvalidInput, NotConverged, nearest

__all__ = [
    "LARGEST_DENSE",
    "METHODS",
    "MinimumSpectrum",
    "eigenvalues_below",
    "hessian",
    "hessian_operator",
    "spectrum_of_minimum",
]

Array = NDArray[np.float64]

METHODS = ("auto", "lapack", "lanczos")
LARGEST_DENSE = 8192  # of N d

_BLOCK = 256  # eigenvectors at a time
_STATIONARY = 1e-6  # tangential field of a stationary configuration, in units of the mean local field
_SHIFTS = (-1e-3, -1e-1, -1.0, -10.0)  # in units of the mean local field
_RESTARTS = 10_000


@dataclass(frozen=True, eq=False)
class MinimumSpectrum:
    """Eigenvalues of the Hessian at one configuration.

    Attributes
    ----------
    N, d : int
    kind : str
        Of the couplings.
    method : {'lapack', 'lanczos'}
    eigenvalues : (n,) array
        Ascending; all (d-1)N of them, or the lowest.
    participation : (n,) array
        ``N sum_i |psi_i|^4`` of the eigenvectors, ``|psi_i|^2`` being the weight on site i: 1 if all sites weigh the
        same, ``(d+1)/(d-1)`` for Gaussian components, N on a single site.
    residual : (n,) array
        ``|Hess psi - lambda psi|``, by products that do not use the matrix: each bounds the distance to an eigenvalue.
    symmetric : (n,) bool array
        Whether an eigenvector is mostly a rotation of all spins, which costs nothing.
    complete : bool or None
        Whether no eigenvalue is lower than these except those told: by LAPACK, or proven by counting; None if unknown.
    tangential : float
        Largest tangential component of a local field.
    field : float
        Mean length of the local fields; twice the energy per spin, with the opposite sign, if spins lie along them.
    energy : float
        Per spin.
    stationary_within : float
        Tangential field, in units of `field`, up to which the configuration counts as stationary.
    """

    N: int
    d: int
    kind: str
    method: str
    eigenvalues: Array
    participation: Array
    residual: Array
    symmetric: NDArray[np.bool_]
    complete: bool | None
    tangential: float
    field: float
    energy: float
    stationary_within: float = _STATIONARY

    @property
    def smallest(self) -> float:
        """Lowest eigenvalue that belongs to no rotation of all spins."""
        return float(self.eigenvalues[~self.symmetric].min(initial=math.inf))

    @property
    def error(self) -> float:
        """Bound of the errors of the eigenvalues."""
        return float(self.residual.max(initial=0.0))

    @property
    def verdict(self) -> str:
        """'minimum', 'saddle', 'not stationary', or 'undecided' where the smallest eigenvalue is 0 up to its error."""
        if not self.tangential <= self.stationary_within * self.field:
            return "not stationary"
        if abs(self.smallest) <= self.error or (self.smallest > 0.0 and not self.complete):
            return "undecided"
        return "minimum" if self.smallest > 0.0 else "saddle"

    def to_json(self) -> dict[str, Any]:
        """As plain types."""
        own = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in self.__dict__.items()}
        return own | {"smallest": self.smallest, "error": self.error, "verdict": self.verdict}


def hessian(interactions: VectorInteractions, spins: ArrayLike) -> Array:
    """The Hessian as a matrix.

    Parameters
    ----------
    interactions : VectorInteractions
    spins : (N, d) array
        Unit vectors with d >= 2.

    Returns
    -------
    hessian : ((d-1)N, (d-1)N) array
        In the bases of :func:`numerics.tangent.tangent_bases`, site by site.

    Raises
    ------
    InvalidInput
        For spins that fit not, Ising spins, or N d above `LARGEST_DENSE`.
    """
    return _dense(frame_of(interactions, spins))


def hessian_operator(interactions: VectorInteractions, spins: ArrayLike) -> Any:
    """The Hessian as a SciPy linear operator, which needs no more memory than the couplings themselves.

    Returns
    -------
    operator : scipy.sparse.linalg.LinearOperator
        Symmetric; the basis is that of `hessian`.
    """
    return _operator(frame_of(interactions, spins))


def eigenvalues_below(interactions: VectorInteractions, spins: ArrayLike, level: float) -> int:
    """Number of eigenvalues of the Hessian below a level, without any of them: the inertia of P x P matrices.

    Parameters
    ----------
    interactions : VectorInteractions
        With patterns.
    spins : (N, d) array
    level : float

    Raises
    ------
    InvalidInput
        For couplings without patterns, or with more than 8192 channels.
    """
    frame = frame_of(interactions, spins)
    if not countable(frame):
        raise InvalidInput(
            f"eigenvalues cannot be counted with {frame.channels or 'no'} channels of patterns; give "
            f"couplings made of patterns with at most {MOST_CHANNELS} channels, or take all eigenvalues by LAPACK."
        )
    if not math.isfinite(level):
        raise InvalidInput(f"level = {level:g} is not allowed; give a finite level of eigenvalues.")
    return Shifted(frame, level).below


def spectrum_of_minimum(
    interactions: VectorInteractions,
    spins: ArrayLike,
    *,
    method: str = "auto",
    k: int | None = None,
    stationary_within: float = _STATIONARY,
) -> MinimumSpectrum:
    """Eigenvalues and localisation at a configuration, and whether it is a minimum of the energy.

    Parameters
    ----------
    interactions : VectorInteractions
        Tensor, scalar or phasor couplings.
    spins : (N, d) array
        Unit vectors, d >= 2.
    method : {'auto', 'lapack', 'lanczos'}
        All eigenvalues of the matrix (N d up to `LARGEST_DENSE`), or the lowest by Lanczos' method: on the inverse
        where couplings are made of patterns, else on the Hessian itself.  'auto' is LAPACK as far as it goes.
    k : int, optional
        How many of the lowest, besides those of rotations of all spins; all by LAPACK and 20 by Lanczos.
    stationary_within : float
        See `MinimumSpectrum`.

    Raises
    ------
    InvalidInput
        For values out of range, or a matrix that is too large.
    NotConverged
        If Lanczos' method does not reach rounding.

    Examples
    --------
    >>> from numerics.vector_interactions import vector_interactions
    >>> angles = np.linspace(0.0, 3.0, 40)
    >>> xi = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    >>> found = spectrum_of_minimum(vector_interactions(xi[None], kind="tensor", precision="float64"), xi)
    >>> found.verdict, round(found.smallest, 12)
    ('minimum', 0.975)
    """
    frame = frame_of(interactions, spins)
    if method not in METHODS:
        close = nearest(str(method), METHODS)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"method '{method}' is unknown; choose one of {', '.join(METHODS)}{hint}")
    n = frame.size
    if k is not None and (isinstance(k, bool) or k != int(k) or not 1 <= k <= n):
        raise InvalidInput(f"k = {k} is not allowed; give a number of eigenvalues with 1 <= k <= (d-1)N = {n}.")
    if not stationary_within > 0.0:
        raise InvalidInput(f"stationary_within = {stationary_within:g} is not allowed; give a share above 0.")
    if method == "auto":
        method = "lapack" if frame.N * frame.d <= LARGEST_DENSE else "lanczos"
    turns = rotations(frame)
    wanted = None if k is None and method == "lapack" else min(n, (20 if k is None else int(k)) + turns.shape[1])
    if method == "lapack":
        values, vectors = eigh(_dense(frame), overwrite_a=True, check_finite=False, driver="evd")
        values, vectors = values[:wanted], vectors[:, :wanted]
        complete: bool | None = True
    else:
        assert wanted is not None
        values, vectors, complete = _lanczos(frame, wanted)
    participation, residual = _examined(frame, values, vectors)
    return MinimumSpectrum(
        N=frame.N,
        d=frame.d,
        kind=frame.interactions.kind,
        method=method,
        eigenvalues=values,
        participation=participation,
        residual=residual,
        symmetric=((turns.T @ vectors) ** 2).sum(axis=0) > 0.5,
        complete=complete,
        tangential=float(frame.tangential.max()),
        field=frame.mean_field,
        energy=-0.5 * float(frame.along.mean()),
        stationary_within=float(stationary_within),
    )


def _operator(frame: Frame) -> Any:
    n = frame.size

    def times(v: Array) -> Array:
        return frame.hessian_times(np.asarray(v, dtype=np.float64).reshape(n, -1))

    return LinearOperator(
        (n, n), matvec=lambda v: times(v)[:, 0], matmat=times, rmatvec=lambda v: times(v)[:, 0], dtype=np.dtype(float)
    )


def _dense(frame: Frame) -> Array:
    N, d, n = frame.N, frame.d, frame.size
    if N * d > LARGEST_DENSE:
        raise InvalidInput(
            f"the Hessian of N d = {N * d} components would take {3 * 8 * n * n / 2**30:.3g} GiB with its eigenvectors "
            f"as a dense matrix; give N d <= {LARGEST_DENSE}, or take its lowest eigenvalues by method 'lanczos'."
        )
    if frame.interactions.patterns is None:
        unit = np.eye(n)
        found = np.concatenate([frame.hessian_times(unit[:, k : k + _BLOCK]) for k in range(0, n, _BLOCK)], axis=1)
        return np.asarray(0.5 * (found + found.T))
    F = frame.columns(slice(0, N)).reshape(n, -1)
    found = F @ F.T
    found *= -frame.interactions.scale
    blocks = found.reshape(N, d - 1, N, d - 1)
    sites = np.arange(N)
    blocks[sites, :, sites, :] = frame.along[:, None, None] * np.eye(d - 1)
    return np.asarray(found)


def _examined(frame: Frame, values: Array, vectors: Array) -> tuple[Array, Array]:
    """Participation ratios and residuals."""
    participation, residual = np.empty(len(values)), np.empty(len(values))
    for first in range(0, len(values), _BLOCK):
        here = slice(first, first + _BLOCK)
        v = vectors[:, here]
        weight = (v.reshape(frame.N, -1, v.shape[1]) ** 2).sum(axis=1)
        participation[here] = frame.N * (weight**2).sum(axis=0)
        residual[here] = np.linalg.norm(frame.hessian_times(v) - values[here] * v, axis=0)
    return participation, residual


def _lanczos(frame: Frame, k: int) -> tuple[Array, Array, bool | None]:
    n = frame.size
    if k > n // 2:
        raise InvalidInput(
            f"k = {k} is too many for Lanczos' method with {n} eigenvalues; give k <= {n // 2}, or method 'lapack'."
        )
    start = rng.gaussians(rng.stream("lanczos", n), rows=1, columns=n)[0]
    shifted = None
    if countable(frame):
        tried = (Shifted(frame, share * frame.mean_field) for share in _SHIFTS)
        shifted = next((s for s in tried if s.below == 0), None)
    try:
        if shifted is None:
            values, vectors = eigsh(_operator(frame), k, which="SA", v0=start, maxiter=_RESTARTS)
        else:
            inverse = LinearOperator((n, n), matvec=shifted.solver(), dtype=np.dtype(float))
            values, vectors = eigsh(_operator(frame), k, sigma=shifted.level, which="LM", v0=start, OPinv=inverse)
    except ArpackNoConvergence as problem:
        raise NotConverged(
            f"only {len(problem.eigenvalues)} of {k} eigenvalues reached rounding in {_RESTARTS} restarts; give a "
            f"smaller k, or method 'lapack' (N d <= {LARGEST_DENSE})."
        ) from problem
    order = np.argsort(values)
    values, vectors = values[order], vectors[:, order]
    if shifted is None:
        return values, vectors, None
    # Above the highest by more than rounding; a pair that is split there counts as incomplete.
    above = Shifted(frame, float(values[-1]) + 1e-9 * frame.mean_field)
    return values, vectors, above.below == k
