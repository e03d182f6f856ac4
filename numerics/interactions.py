r"""The couplings of one sample in one of several representations, all with the same trajectories.

Fields are kept in units in which they are integers wherever patterns are +-1: ``H_i = sum_j (N J)_ij s_j``, so
that the energy per spin is ``-(1 / (2 N normalisation)) sum_i s_i H_i`` with ``normalisation = N``.

* ``dense-*`` store the matrix ``N J``, in as few bits as its values allow.  All its off-diagonal values have the
  parity of P, so ``(N J - parity) / 2`` fits 8 bits up to ``|N J| = 255``.
* ``overlap-*`` never form it: with the overlaps ``M_mu = sum_i xi^mu_i s_i`` kept up to date,
  ``H_i = sum_mu xi^mu_i M_mu - P s_i``.
"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.couplings import bits_by_site, halved, hebbian, narrowest, site_patterns
from numerics.disorder import Sample
from numerics.engine_choice import ACCEPTANCE, SWEEPS, quickest
from numerics.kernels import couplings as dense_kernels
from numerics.kernels import overlap as overlap_kernels
from theory.errors import InvalidInput, nearest

__all__ = ["ENGINES", "WORKS", "Interactions", "from_matrix", "interactions"]

ENGINES = (
    "dense-int8",
    "dense-int16",
    "dense-int32",
    "dense-float32",
    "dense-float64",
    "overlap-bits",
    "overlap-int8",
)
WORKS = ("quench", "sampling")

_DENSE = {name: np.dtype(name.removeprefix("dense-")) for name in ENGINES if name.startswith("dense-")}
_LARGEST = {"dense-int8": 255, "dense-int16": 2**15 - 1, "dense-int32": 2**31 - 1, "dense-float32": 2**24}


@dataclass(frozen=True, eq=False)
class Interactions:
    """The couplings of one sample in one representation.

    Attributes
    ----------
    engine : str
        One of `ENGINES`.
    N : int
    P : int or None
        Stored patterns; None for a matrix given by the user.
    normalisation : float
        What divides the stored couplings: N for Hebbian ``N J``, 1 for a plain ``J``.
    largest : float
        No stored coupling is larger in size.
    zero : float
        Fields of at most this size are ties: 0 where couplings are whole numbers, else a rounding bound.
    matrix : (N, N) array or None
        Dense engines: ``N J`` with zero diagonal; 'dense-int8' stores ``(N J - parity) / 2``, and what is on its
        diagonal is to be ignored.
    parity : int
        0 or 1, for 'dense-int8'.
    bits : (N, W) uint64 array or None
        Pattern bits of each site (1 is +1), zero padded: 'overlap-bits', and dense engines of +-1 patterns, whose
        initial fields are quicker this way.
    patterns : (N, P) int8 array or None
        'overlap-int8': the patterns by site.
    """

    engine: str
    N: int
    P: int | None
    normalisation: float
    largest: float
    zero: float = 0.0
    matrix: NDArray[Any] | None = None
    parity: int = 0
    bits: NDArray[np.uint64] | None = None
    patterns: NDArray[np.int8] | None = None

    @property
    def whole(self) -> bool:
        """Whether couplings, and so fields, are whole numbers, in whatever type."""
        return self.zero == 0.0

    @property
    def field_dtype(self) -> np.dtype[Any]:
        """The narrowest of int32, int64 and float64 that holds every partial sum of fields exactly."""
        if self.engine == "dense-float64":
            return np.dtype(np.float64)
        # Flipping one spin moves a field by twice a coupling, hence one more site in the bound.
        return np.dtype(np.int32 if (self.N + 1) * self.largest < 2**31 else np.int64)

    def fields(self, spins: NDArray[np.int8]) -> NDArray[Any]:
        """Return ``H_i = sum_j (N J)_ij s_j``, a (N,) array of :attr:`field_dtype`; exact for integers.

        Parameters
        ----------
        spins : (N,) int8 array of +-1

        Raises
        ------
        InvalidInput
            For another shape, or other values.
        """
        spins = self._state(spins)
        if self.engine == "dense-float64":
            assert self.matrix is not None
            return np.asarray(self.matrix @ spins.astype(np.float64))
        out: NDArray[Any] = np.empty(self.N, dtype=self.field_dtype)
        # By overlaps in two passes over N P bits, or in one over N^2 couplings.
        if self.matrix is None or (self.bits is not None and self.P is not None and self.P <= self.N):
            overlap_kernels.fields(self.bits, self.patterns, self.P, spins, self.overlaps(spins), out)
        else:
            parity = self.parity if self.engine == "dense-int8" else None
            dense_kernels.fields(self.matrix, parity, spins, out)
        return out

    def overlaps(self, spins: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return ``M_mu = sum_i xi^mu_i s_i`` for all stored patterns (and padding), of +-1 patterns.

        Returns
        -------
        overlaps : (64 W,) or (P,) int32 array
            Entries beyond P belong to no pattern and mean nothing.
        """
        width = self.P if self.bits is None else 64 * self.bits.shape[1]
        out = np.empty(width or 0, dtype=np.int32)
        overlap_kernels.overlaps(self.bits, self.patterns, np.ascontiguousarray(spins, dtype=np.int8), out)
        return out

    def energy(self, spins: NDArray[np.int8]) -> float:
        """Return the energy per spin, ``-(1/2N) sum_{i != j} J_ij s_i s_j``.

        Examples
        --------
        >>> import numpy as np
        >>> from_matrix([[0, 1], [1, 0]]).energy(np.array([1, 1], dtype=np.int8))
        -0.5
        """
        total = float(self.fields(spins).astype(np.float64) @ np.asarray(spins))
        return -0.5 * total / (self.N * self.normalisation)

    def _state(self, spins: ArrayLike) -> NDArray[np.int8]:
        state = np.asarray(spins)
        if state.shape != (self.N,):
            raise InvalidInput(f"spins have shape {state.shape}; give ({self.N},), one spin per row of the couplings.")
        if state.dtype.kind not in "iuf" or not np.all(np.abs(state) == 1):
            raise InvalidInput("spins must all be +1 or -1; take the sign of the configuration.")
        return np.ascontiguousarray(state, dtype=np.int8)


def interactions(
    sample: Sample,
    *,
    engine: str = "auto",
    work: str = "quench",
    starts: int = 1,
    acceptance: float = ACCEPTANCE,
    sweeps: float = SWEEPS,
) -> Interactions:
    """Return the Hebbian couplings of a sample, in a named or in the quickest representation.

    Parameters
    ----------
    engine : str
        One of `ENGINES`, or 'auto'.
    work : {'quench', 'sampling'}
        What they are for, if the engine is chosen: zero-temperature runs, or long runs that flip often.
    starts : int
        How many runs share them.
    acceptance, sweeps : float
        Of sampling: flips per proposal, and sweeps of one run.

    Raises
    ------
    InvalidInput
        For an unknown name, or an engine that cannot hold these couplings.

    Examples
    --------
    >>> from numerics.disorder import draw
    >>> from theory.ensembles import IidPatterns
    >>> sample = draw(IidPatterns(), N=100, P=7)
    >>> a, b = interactions(sample, engine="dense-int8"), interactions(sample, engine="overlap-bits")
    >>> spins = np.ones(100, dtype=np.int8)
    >>> a.energy(spins) == b.energy(spins), a.matrix.dtype.name, b.matrix is None
    (True, 'int8', True)
    """
    _known(engine)
    if work not in WORKS:
        raise InvalidInput(f"work '{work}' is unknown; choose one of {', '.join(WORKS)}.")
    N, P = sample.N, sample.P
    if sample.dense is not None:
        if engine not in ("auto", "dense-float64"):
            raise InvalidInput(
                f"engine '{engine}' needs +-1 patterns, which these are not; use 'dense-float64' (or 'auto')."
            )
        return replace(_dense(hebbian(sample), float(N), "dense-float64"), P=P)
    if engine == "auto":
        engine = quickest(N, P, work=work, starts=starts, acceptance=acceptance, sweeps=sweeps)
    if engine == "overlap-int8":
        return Interactions(engine, N, P, float(N), P, patterns=site_patterns(sample))
    bits = bits_by_site(sample)
    if engine == "overlap-bits":
        return Interactions(engine, N, P, float(N), P, bits=bits)
    if engine in ("dense-int8", "dense"):
        found = halved(bits, P)
        if found is not None:
            return Interactions("dense-int8", N, P, float(N), min(P, 256), matrix=found, parity=P % 2, bits=bits)
    if engine == "dense":
        engine = "dense-int16" if P < 2**15 else "dense-int32"
    return replace(_dense(hebbian(sample), float(N), engine), P=P, bits=bits)


def from_matrix(J: ArrayLike, *, normalisation: float = 1.0, engine: str = "auto") -> Interactions:
    """Return a user's own couplings, validated.

    Parameters
    ----------
    J : (N, N) array
        Symmetric with zero diagonal; integers of up to 32 bits (N times J, say) are treated exactly, other values
        in double precision.  Not copied, where its type is that of the engine.
    normalisation : float
        What divides `J` in the energy.
    engine : str
        One of the dense `ENGINES`; 'auto' keeps integers as they are.

    Raises
    ------
    InvalidInput
        For a matrix that is not square, symmetric and finite with zero diagonal, or that does not fit the engine.

    Examples
    --------
    >>> from_matrix([[0.0, 0.5], [0.5, 0.0]]).engine
    'dense-float64'
    """
    _known(engine)
    if engine.startswith("overlap"):
        raise InvalidInput(f"engine '{engine}' needs patterns, not a matrix; use a dense engine (or 'auto').")
    if (
        isinstance(normalisation, bool)
        or not isinstance(normalisation, numbers.Real)
        or not 0.0 < normalisation < math.inf
    ):
        raise InvalidInput(
            f"normalisation = {normalisation!r} is not allowed; give a finite number > 0 (1 for J itself)."
        )
    matrix = _validated(J)
    if engine in _LARGEST and matrix.dtype == np.float64 and np.asarray(J).dtype.kind in "iu":
        largest = float(np.abs(matrix).max())
        raise InvalidInput(
            f"engine '{engine}' holds couplings up to {_LARGEST[engine]}, but the largest is {largest:.0f}; use "
            "'dense-float64' (or 'auto')."
        )
    return _dense(matrix, float(normalisation), f"dense-{matrix.dtype.name}" if engine == "auto" else engine)


def _dense(matrix: NDArray[Any], normalisation: float, engine: str) -> Interactions:
    """Return valid couplings of int16, int32 or float64 in a dense engine."""
    N = matrix.shape[0]
    real = matrix.dtype == np.float64
    largest = float(max(-float(matrix.min()), float(matrix.max()), 0.0))
    if engine == "dense-float64":
        matrix = matrix.astype(np.float64, copy=False)
        return Interactions(engine, N, None, normalisation, largest, zero=_zero_field(matrix, largest), matrix=matrix)
    if real:
        raise InvalidInput(f"engine '{engine}' needs integer couplings; use 'dense-float64' (or 'auto').")
    if largest > _LARGEST[engine]:
        raise InvalidInput(
            f"engine '{engine}' holds couplings up to {_LARGEST[engine]}, but the largest is {largest:.0f}; use "
            f"'dense-{narrowest(largest).name}' (or 'auto')."
        )
    parity = 0
    if engine == "dense-int8":
        parity = int(matrix[0, -1]) % 2  # of an off-diagonal value, if there is one
        odd = matrix & 1
        np.fill_diagonal(odd, parity)
        if (odd != parity).any():
            raise InvalidInput(
                "engine 'dense-int8' needs couplings that are all even or all odd; use 'dense-int16' (or 'auto')."
            )
        matrix = (matrix - parity) >> 1
    matrix = matrix.astype(_DENSE[engine], copy=False)
    return Interactions(engine, N, None, normalisation, largest, matrix=matrix, parity=parity)


def _known(engine: str) -> None:
    if engine != "auto" and engine not in ENGINES:
        close = nearest(str(engine), ("auto", *ENGINES))
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"engine '{engine}' is unknown; choose one of auto, {', '.join(ENGINES)}{hint}")


def _validated(J: ArrayLike) -> NDArray[Any]:
    try:
        matrix = np.asarray(J)
    except ValueError:  # rows of different lengths
        matrix = np.empty(0, dtype=object)
    if matrix.dtype.kind not in "biuf":
        raise InvalidInput("couplings are not an array of real numbers; give a square (N, N) matrix of them.")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 1:
        raise InvalidInput(f"couplings have shape {matrix.shape}; give a square (N, N) matrix with N >= 1.")
    if matrix.dtype != np.int16 or matrix.min() == -(2**15):  # which has no opposite in 16 bits
        fits = matrix.dtype.kind in "iu" and -(2**31) < int(matrix.min()) and int(matrix.max()) < 2**31
        matrix = matrix.astype(np.int32 if fits else np.float64, copy=False)  # never two (N, N) arrays of float64
    # NaN is against no spin, so all would be stable.
    if matrix.dtype == np.float64 and not all(np.isfinite(row).all() for row in matrix):
        raise InvalidInput("couplings contain NaN or infinity; give finite numbers.")
    if np.any(matrix.diagonal() != 0):
        raise InvalidInput("couplings have a nonzero diagonal; set J_ii = 0, spins do not act on themselves.")
    _refuse_asymmetry(matrix)
    return np.ascontiguousarray(matrix)


def _refuse_asymmetry(matrix: NDArray[Any]) -> None:
    rounding = 2.0**-40 * float(np.abs(matrix).max()) if matrix.dtype == np.float64 else 0
    for first in range(0, len(matrix), 256):  # by blocks: no second (N, N) array
        rows = slice(first, first + 256)
        with np.errstate(over="ignore"):  # what is infinitely far apart is so
            apart = np.abs(matrix[rows, first:].astype(np.float64) - matrix[first:, rows].T)
        if (apart > rounding).any():
            i, j = np.argwhere(apart > rounding)[0] + first
            raise InvalidInput(
                f"couplings are not symmetric: J[{i}, {j}] = {matrix[i, j]} but J[{j}, {i}] = {matrix[j, i]}; "
                "give J = J^T, (J + J.T) / 2 say."
            )


def _zero_field(matrix: NDArray[np.float64], largest: float) -> float:
    if len(matrix) * largest < 2.0**53 and all(np.array_equal(row, np.rint(row)) for row in matrix):
        return 0.0  # whole numbers, and sums of them, are exact
    # Rounding would otherwise decide ties: double precision leaves 2^-52 of the largest field per operation.
    with np.errstate(over="ignore"):
        largest = max(float(np.abs(row).sum()) for row in matrix)
    if not largest < 2.0**1000:  # energies are sums of N fields
        raise InvalidInput(
            f"couplings of up to {np.abs(matrix).max():.3g} add up to more than double precision holds; divide J by a "
            "power of two, and the temperature with it."
        )
    return 2.0**-40 * largest
