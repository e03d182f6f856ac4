r"""The couplings of d-component unit spins: tensor, scalar or phasor, by overlaps or as a matrix.

====== ======================================================= ====================================================
kind   couplings                                               energy
====== ======================================================= ====================================================
tensor ``J_ij = (1/N) sum_mu xi_i xi_j^T`` (d x d)             ``H = -(1/2) sum_{i != j} s_i . J_ij s_j``
scalar ``J_ij = (d/N) sum_mu xi_i . xi_j``                     ``H = -(1/2) sum_{i != j} J_ij s_i . s_j``
phasor ``J_ij = (1/N) sum_mu xi_i conj(xi_j)`` (complex, d=2)  ``H = -(1/2) Re sum_{i != j} conj(s_i) J_ij s_j``
====== ======================================================= ====================================================

with ``|s_i| = |xi_i| = 1`` and no coupling of a spin to itself; the local field is ``h_i = sum_{j != i} J_ij s_j``.
At d = 1 the first two are the Hopfield couplings of Ising spins.

Engine 'overlap' keeps overlaps with the patterns (P numbers for tensor couplings, 2 P for phasors, P d^2 for scalar
ones) and never forms a matrix; engine 'dense' forms it, with N^2 d^2, N^2 or 2 N^2 entries.  Where couplings come from
patterns, the patterns as they are stored (rounded to `precision`) say what the couplings are: fields and energies are
taken from them in double precision with either engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.vector_input import aligned, room, unit_vectors, valid_couplings, valid_patterns
from theory.errors import InvalidInput, nearest

__all__ = [
    "ENGINES",
    "KINDS",
    "PRECISIONS",
    "VectorInteractions",
    "from_couplings",
    "unit_vectors",
    "vector_interactions",
]

KINDS = ("tensor", "scalar", "phasor")
ENGINES = ("overlap", "dense")
PRECISIONS = ("float32", "float64")

_FEW = 4  # components, of which d x d numbers are read with the patterns at no cost
_CHUNK = 2**22  # numbers converted to double precision at a time


@dataclass(frozen=True, eq=False)
class VectorInteractions:
    """The couplings of one sample of d-component spins.

    Attributes
    ----------
    kind : {'tensor', 'scalar', 'phasor'}
    engine : {'overlap', 'dense'}
    N, d : int
    P : int or None
        Stored patterns; None for couplings given by the user.
    precision : {'float32', 'float64'}
        Of what is stored, and of the quick kernels.
    scale : float
        What multiplies the stored couplings and products of patterns: 1/N or d/N, 1 for a user's own.
    zero : float
        Fields of at most this norm, in units of `scale`, are ties: a bound on rounding; 0 where sums are whole numbers
        (d = 1).
    patterns : (N, d, C) array or None
        By site, the C channels contiguous: C = P, or 2 P for phasors (the patterns, and these turned by 90 degrees:
        with them phasors have tensor couplings).
    own : (N, d, d) or (N,) float64 array or None
        What a field by overlaps must lose, the coupling of a spin to itself: ``sum_c xi_i xi_i^T``, or for scalar
        couplings ``sum_mu |xi_i|^2``; None where it is large beside the patterns, which is then
        found from these.
    couplings : array or None
        Engine 'dense', in units of `scale`: (N, d, d, N) tensors [i, a, b, j], (N, N) scalars, or (2, N, N) real and
        imaginary parts.
    """

    kind: str
    engine: str
    N: int
    d: int
    P: int | None
    precision: str
    scale: float
    zero: float = 0.0
    patterns: NDArray[Any] | None = None
    own: NDArray[np.float64] | None = None
    couplings: NDArray[Any] | None = None

    def fields(self, spins: ArrayLike) -> NDArray[np.float64]:
        """Return the local fields ``h_i = sum_{j != i} J_ij s_j`` in double precision.

        Parameters
        ----------
        spins : (N, d) or (R, N, d) array
            Unit vectors.

        Returns
        -------
        fields : float64 array of the same shape

        Raises
        ------
        InvalidInput
            For another shape, NaN, or vectors that are not of length 1.
        """
        states = unit_vectors(spins, self.N, self.d)
        batch = states.reshape(-1, self.N, self.d)
        return np.asarray(self.linear(batch)).reshape(states.shape)

    def linear(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``sum_{j != i} J_ij v_j`` for (R, N, d) float64 vectors of any length."""
        if self.patterns is None:
            return self._by_couplings(vectors)
        if self.kind == "scalar":
            return self._by_scalar_patterns(vectors)
        return self._by_patterns(vectors)

    def energy(self, spins: ArrayLike) -> float | NDArray[np.float64]:
        """Return the energy per spin, ``-(1/2N) sum_i s_i . h_i``; (R,) of them for (R, N, d) spins.

        Examples
        --------
        >>> pair = from_couplings([[0.0, 1.0], [1.0, 0.0]], kind="scalar", d=3)
        >>> pair.energy([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        0.5
        """
        states = unit_vectors(spins, self.N, self.d)
        batch = states.reshape(-1, self.N, self.d)
        energies = -0.5 * np.einsum("rna,rna->r", batch, self.linear(batch)) / self.N
        return float(energies[0]) if states.ndim == 2 else energies

    def _by_patterns(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.patterns is not None
        flat = vectors.reshape(len(vectors), -1)
        overlaps = np.zeros((len(vectors), self.patterns.shape[2]))
        for rows, part in self._parts():
            overlaps += flat[:, rows.start * self.d : rows.stop * self.d] @ part.reshape(-1, part.shape[2])
        out = np.empty_like(flat)
        for rows, part in self._parts():
            sites = slice(rows.start * self.d, rows.stop * self.d)
            out[:, sites] = overlaps @ part.reshape(-1, part.shape[2]).T
            if self.own is None:
                itself = np.matmul(vectors[:, rows, None, :], part)[:, :, 0]
                out[:, sites] -= np.matmul(part, itself[..., None]).reshape(len(out), -1)
        found = out.reshape(vectors.shape)
        if self.own is not None:
            found -= np.einsum("nab,rnb->rna", self.own, vectors)
        return found * self.scale

    def _by_scalar_patterns(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.patterns is not None
        assert self.own is not None
        R, N, d = vectors.shape
        columns = vectors.transpose(1, 0, 2).reshape(N, R * d)
        overlaps = np.zeros((self.patterns[0].size, R * d))
        for rows, part in self._parts():
            overlaps += part.reshape(len(part), -1).T @ columns[rows]
        out = np.empty_like(columns)
        for rows, part in self._parts():
            out[rows] = part.reshape(len(part), -1) @ overlaps
        out -= self.own[:, None] * columns
        return np.ascontiguousarray(out.reshape(N, R, d).transpose(1, 0, 2)) * self.scale

    def _by_couplings(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        assert self.couplings is not None
        R, N, d = vectors.shape
        out = np.empty((R, N, d))
        step = max(1, _CHUNK // (self.couplings.size // N))
        for first in range(0, N, step):
            rows = slice(first, min(N, first + step))
            if self.kind == "tensor":
                part = self.couplings[rows].astype(np.float64).reshape(-1, d * N)
                flat = vectors.transpose(0, 2, 1).reshape(R, d * N)
                out[:, rows] = (flat @ part.T).reshape(R, -1, d)
            elif self.kind == "scalar":
                out[:, rows] = self.couplings[rows].astype(np.float64) @ vectors
            else:
                real, imaginary = (self.couplings[k, rows].astype(np.float64) for k in range(2))
                x, y = vectors[..., 0].T, vectors[..., 1].T
                out[:, rows, 0] = (real @ x - imaginary @ y).T
                out[:, rows, 1] = (real @ y + imaginary @ x).T
        return out * self.scale

    def _parts(self) -> Any:
        """Yield slices of sites and their patterns in double precision, a few at a time."""
        assert self.patterns is not None
        step = max(1, _CHUNK // self.patterns[0].size)
        for first in range(0, self.N, step):
            rows = slice(first, min(self.N, first + step))
            yield rows, self.patterns[rows].astype(np.float64, copy=False)


def vector_interactions(
    patterns: ArrayLike, *, kind: str, engine: str = "auto", precision: str = "float32"
) -> VectorInteractions:
    """Return the couplings of stored patterns.

    Parameters
    ----------
    patterns : (P, N, d) array
        Unit vectors.
    kind : {'tensor', 'scalar', 'phasor'}
    engine : {'auto', 'overlap', 'dense'}
        'auto' takes the one that reads less at every visit of a spin.
    precision : {'float32', 'float64'}

    Raises
    ------
    InvalidInput
        For an unknown word, patterns that are no unit vectors, or phasors with d other than 2.

    Examples
    --------
    >>> angles = np.random.default_rng(0).uniform(0.0, 6.28, size=(3, 50))
    >>> patterns = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    >>> a, b = (vector_interactions(patterns, kind="tensor", engine=e) for e in ENGINES)
    >>> a.energy(patterns[0]) == b.energy(patterns[0]), a.couplings is None, b.couplings.shape
    (True, True, (50, 2, 2, 50))
    """
    chosen = _chosen(kind, engine, precision)
    given = valid_patterns(patterns)
    P, N, d = given.shape
    if kind == "phasor" and d != 2:
        raise InvalidInput(f"phasor couplings need d = 2 components, but patterns have {d}; use 'tensor' or 'scalar'.")
    by_site = np.ascontiguousarray(given.transpose(1, 2, 0), dtype=chosen)
    if kind == "phasor":
        turned = np.stack([-by_site[:, 1], by_site[:, 0]], axis=1)
        by_site = np.concatenate([by_site, turned], axis=2)
    own = _on_itself(by_site, kind)
    if engine == "auto":
        engine = _quicker(kind, N, P, d)
    try:
        couplings = _formed(by_site, kind) if engine == "dense" else None
    except MemoryError:
        numbers = {"tensor": float(N * d) ** 2, "scalar": float(N) ** 2, "phasor": 2.0 * N**2}[kind]
        raise InvalidInput(
            f"{kind} couplings of N = {N} spins with d = {d} take {1e-9 * chosen.itemsize * numbers:.3g} GB as a "
            "matrix, more than there is; use engine 'overlap'."
        ) from None
    scale = (d if kind == "scalar" else 1) / N
    whole = d == 1 and bool((np.abs(by_site) == 1.0).all())
    # Products of patterns and overlaps: a few roundings of what a condensed pattern and the spin's own part contribute.
    zero = 0.0 if whole else 8.0 * float(np.finfo(chosen).eps) * (N + P)
    return VectorInteractions(
        kind, engine, N, d, P, precision, scale, zero, patterns=by_site, own=own, couplings=couplings
    )


def from_couplings(J: ArrayLike, *, kind: str, d: int | None = None, precision: str = "float32") -> VectorInteractions:
    """Return a user's own couplings, validated.

    Parameters
    ----------
    J : (N, N) real, (N, N) complex or (N, d, N, d) real array
        Scalar, phasor (Hermitian) or tensor couplings (``J[i, a, j, b] = J[j, b, i, a]``), zero for i = j.
    kind : {'tensor', 'scalar', 'phasor'}
    d : int, optional
        Components of a spin; needed for scalar couplings only.
    precision : {'float32', 'float64'}

    Raises
    ------
    InvalidInput
        For couplings of another shape, that are not finite or not symmetric, or that act on the spin itself.

    Examples
    --------
    >>> from_couplings([[0.0, 1j], [-1j, 0.0]], kind="phasor").fields([[1.0, 0.0], [1.0, 0.0]]).tolist()
    [[0.0, 1.0], [0.0, -1.0]]
    """
    chosen = _chosen(kind, "dense", precision)
    stored, components = valid_couplings(J, kind, d)
    N = stored.shape[1] if kind == "phasor" else len(stored)
    largest = max(float(np.abs(row).sum()) for row in (stored.swapaxes(0, 1) if kind == "phasor" else stored))
    zero = 4.0 * float(np.finfo(chosen).eps) * largest
    return VectorInteractions(
        kind, "dense", N, components, None, precision, 1.0, zero, couplings=aligned(stored, chosen)
    )


def _chosen(kind: str, engine: str, precision: str) -> Any:
    for name, value, choices in (
        ("kind", kind, KINDS),
        ("engine", engine, ("auto", *ENGINES)),
        ("precision", precision, PRECISIONS),
    ):
        if value not in choices:
            close = nearest(str(value), choices)
            hint = f"; did you mean '{close}'?" if close else "."
            raise InvalidInput(f"{name} '{value}' is unknown; choose one of {', '.join(choices)}{hint}")
    return np.dtype(precision)


def _quicker(kind: str, N: int, P: int, d: int) -> str:
    """Return the engine with fewer multiplications at a visit: overlaps are used twice, for the field and after."""
    by_overlaps = 2 * (2 * P * d if kind == "phasor" else P * d * (d if kind == "scalar" else 1))
    by_couplings = N * d * (1 if kind == "scalar" else d)
    if kind == "tensor" and P < N:
        return "overlap"
    return "overlap" if by_overlaps <= by_couplings else "dense"


def _on_itself(by_site: NDArray[Any], kind: str) -> NDArray[np.float64] | None:
    N, d, C = by_site.shape
    if kind != "scalar" and d > _FEW and d * d > 2 * C:
        return None
    own = np.empty(N if kind == "scalar" else (N, d, d))
    step = max(1, _CHUNK // (d * C))
    for first in range(0, N, step):
        part = by_site[first : first + step].astype(np.float64, copy=False)
        rows = slice(first, first + step)
        own[rows] = np.einsum("nac,nac->n", part, part) if kind == "scalar" else part @ part.transpose(0, 2, 1)
    return own


def _formed(by_site: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return dense couplings in units of `scale`."""
    N, d, C = by_site.shape
    if kind == "scalar":
        flat = by_site.reshape(N, -1)
        out = np.matmul(flat, flat.T, out=room((N, N), flat.dtype))
        np.fill_diagonal(out, 0.0)
        return out
    flat = by_site.reshape(N * d, C)
    if kind == "tensor":
        by_component = np.ascontiguousarray(by_site.transpose(1, 0, 2)).reshape(d * N, C)
        full = np.matmul(flat, by_component.T, out=room((N * d, d * N), flat.dtype)).reshape(N, d, d, N)
        for i in range(N):
            full[i, :, :, i] = 0.0
        return full
    x, y = by_site[:, 0, : C // 2], by_site[:, 1, : C // 2]
    both = np.stack([x @ x.T + y @ y.T, y @ x.T - x @ y.T], out=room((2, N, N), flat.dtype))
    for part in both:
        np.fill_diagonal(part, 0.0)
    return both
