r"""Directions tangential to vector spins: bases, rotations of all spins, and a configuration with its local fields.

With patterns the couplings are ``c F F^T`` without their diagonal blocks, where F has one column per *channel*: P for
tensor couplings, 2 P for phasors, P d^2 for scalar ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.vector_interactions import VectorInteractions, unit_vectors
from theory.errors import InvalidInput

__all__ = ["Frame", "frame_of", "rotations", "tangent_bases"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """A configuration with its tangent spaces.

    Attributes
    ----------
    interactions : VectorInteractions
    spins : (N, d) array
    bases : (N, d, d-1) array
    fields : (N, d) array
    """

    interactions: VectorInteractions
    spins: Array
    bases: Array
    fields: Array

    @property
    def N(self) -> int:
        """Sites."""
        return self.interactions.N

    @property
    def d(self) -> int:
        """Components of a spin."""
        return self.interactions.d

    @property
    def size(self) -> int:
        """Tangential directions of all spins."""
        return (self.d - 1) * self.N

    @property
    def channels(self) -> int | None:
        """Columns of F; None without patterns."""
        patterns = self.interactions.patterns
        if patterns is None:
            return None
        return int(patterns.shape[2]) * (self.d**2 if self.interactions.kind == "scalar" else 1)

    @property
    def along(self) -> Array:
        """``s_i.h_i``, (N,)."""
        return np.asarray(np.einsum("nd,nd->n", self.spins, self.fields))

    @property
    def mean_field(self) -> float:
        """Mean length of the local fields."""
        return float(np.linalg.norm(self.fields, axis=1).mean())

    @property
    def tangential(self) -> Array:
        """Lengths of the tangential fields, (N,)."""
        return np.asarray(np.linalg.norm(self.fields - self.along[:, None] * self.spins, axis=1))

    def hessian_times(self, v: Array) -> Array:
        """The Hessian of :mod:`numerics.riemannian` times ((d-1)N, k) vectors."""
        ambient = self.bases @ v.reshape(self.N, self.d - 1, v.shape[1])
        turned = self.interactions.linear(np.ascontiguousarray(ambient.transpose(2, 0, 1)))
        tangent = (self.bases.transpose(0, 2, 1) @ turned.transpose(1, 2, 0)).reshape(v.shape)
        return np.repeat(self.along, self.d - 1)[:, None] * v - tangent

    def own_blocks(self) -> Array:
        """Diagonal blocks of ``c F F^T``, (N, d-1, d-1)."""
        own, scale = self.interactions.own, self.interactions.scale
        if own is None and self.interactions.patterns is not None:  # many components: found from the patterns
            rows = (self.columns(slice(i, i + 1))[0] for i in range(self.N))
            return np.stack([scale * (row @ row.T) for row in rows])
        if own is None:
            return np.zeros((self.N, self.d - 1, self.d - 1))
        if own.ndim == 1:
            return scale * own[:, None, None] * np.eye(self.d - 1)
        return np.asarray(scale * (self.bases.transpose(0, 2, 1) @ own @ self.bases))

    def columns(self, sites: slice) -> Array:
        """Rows of F of some sites, (n, d-1, channels)."""
        patterns, bases = self.interactions.patterns, self.bases[sites]
        assert patterns is not None
        x = patterns[sites].astype(np.float64, copy=False)
        if self.interactions.kind == "scalar":
            product = np.einsum("ncp,nea->naecp", x, bases)
            return np.asarray(product.reshape(len(x), self.d - 1, -1))
        return np.asarray(bases.transpose(0, 2, 1) @ x)


def frame_of(interactions: VectorInteractions, spins: ArrayLike) -> Frame:
    """A configuration with its tangent spaces.

    Raises
    ------
    InvalidInput
        For Ising spins, or no (N, d) array of unit vectors.
    """
    if interactions.d < 2:
        raise InvalidInput(
            f"d = {interactions.d} has no Hessian, because Ising spins cannot turn; give couplings of spins, d >= 2."
        )
    s = unit_vectors(spins, interactions.N, interactions.d)
    if s.ndim != 2:
        raise InvalidInput(
            f"spins have shape {s.shape}; give one configuration, an ({s.shape[1]}, {s.shape[2]}) array."
        )
    s = s / np.linalg.norm(s, axis=1)[:, None]
    return Frame(interactions, s, tangent_bases(s), interactions.fields(s))


def tangent_bases(spins: Array) -> Array:
    """Orthonormal bases of the directions in which unit vectors can turn.

    Parameters
    ----------
    spins : (N, d) array

    Returns
    -------
    bases : (N, d, d-1) array
        The last columns of the Householder reflections that map the first axis to the spins, up to a sign.

    Examples
    --------
    >>> B = tangent_bases(np.array([[0.6, 0.8]]))
    >>> B[0].T.round(12) + 0.0
    array([[-0.8,  0.6]])
    """
    d = spins.shape[1]
    v = spins.copy()
    v[:, 0] += np.where(spins[:, 0] >= 0.0, 1.0, -1.0)  # the sign without cancellation
    v /= np.linalg.norm(v, axis=1)[:, None]
    return np.asarray(np.eye(d)[None, :, 1:] - 2.0 * v[:, :, None] * v[:, None, 1:])


def rotations(frame: Frame) -> Array:
    """Orthonormal tangential vectors along which all spins turn together and the energy stays.

    Scalar couplings are invariant under rotations of all spins, those of phasors under a common phase, tensor couplings
    under neither.

    Returns
    -------
    vectors : ((d-1)N, n) array
        n is the dimension of the orbit: ``d (d-1)/2`` in general, 1 for phasors, 0 for tensor couplings.
    """
    d = frame.d
    planes = [] if frame.interactions.kind == "tensor" else [(a, b) for a in range(d) for b in range(a)]
    turned = np.zeros((frame.N, d, len(planes)))
    for k, (a, b) in enumerate(planes):
        turned[:, a, k], turned[:, b, k] = -frame.spins[:, b], frame.spins[:, a]
    flat = (frame.bases.transpose(0, 2, 1) @ turned).reshape(frame.size, len(planes))
    if not planes:
        return flat
    left, size, _ = np.linalg.svd(flat, full_matrices=False)
    return np.asarray(left[:, size > 1e-9 * size.max(initial=0.0)])
