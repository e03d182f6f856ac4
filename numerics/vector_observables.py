r"""What is measured in states of unit vectors, per sample, in the normalisation of theory.

Theory has vectors of length sqrt(d) and averages per component.  With unit vectors s, examples xi, features f and a
latent field x whose components have unit variance, after the rotation of s described below:

* ``overlap``: with the uncorrupted start configuration, the mean of s0.s over sites;
* ``m``: mean of xi.s (of f.s, averaged over the L members, for a feature or mixture);
* ``t``: mean of x.s over sites, divided by sqrt(d);
* ``p_d``: power per real channel of the features, averaged over all of them, condensed ones included, with the
  d x d matrix ``M = (1/N) sum_i f_i s_i^T``: ``d N (tr M)^2`` for tensor couplings, ``N |M|^2`` (Frobenius) for scalar
  and ``N |z|^2`` for phasor couplings, z the mean of ``conj(f) s`` as complex numbers;
  If features are mixed by matrices, examples feel all d^2 numbers of M, and the power is ``N |M|^2`` for any couplings;
* ``u2``: the power of the stored examples, by couplings, averaged over those that are not condensed;
* ``energy``: per spin.

Which state is meant: scalar couplings cannot tell a state from the same state rotated as a whole (an orthogonal
matrix, reflections included), phasor couplings not from one multiplied by a phase.  Overlaps are therefore taken after
the rotation that makes the overlap with the start largest: with the singular values of ``M = (1/N) sum_i s0_i s_i^T =
U S V^T`` the rotation is ``U V^T`` (polar decomposition) and the overlap is their sum; for phasors the phase of z and
``|z|``.  Where nothing is condensed such an overlap is of order N^{-1/2}, as |m| is; in a condensed state it exceeds
the overlap in a fixed gauge by order 1/N.  Tensor couplings know directions: only s -> -s leaves them as they are, and
overlaps keep their sign.

The overlap of two replicas is taken in the same way, each pair after its own rotation (for tensor couplings signed).

Features mixed by matrices have no direction of their own: the law of ``C f`` is that of ``C R f``, so that each
condensed feature has a gauge, and the direction in which it settles is one that the sample at hand prefers.  States
near features, mixtures and unseen examples are therefore compared after the best orthogonal matrix whatever the
couplings, and the members of a mixture each after its own; stored examples and random states as couplings have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numerics.observables import Condensed
from numerics.vector_disorder import VectorSample
from numerics.vector_interactions import VectorInteractions
from theory.ensembles import VectorRandomFeaturePatterns

__all__ = [
    "aligning",
    "channels",
    "feature_channels",
    "gauge",
    "measure",
    "order_parameter",
    "overlaps",
    "own_power",
    "powers",
    "replica_overlaps",
]

Floats = NDArray[np.float64]
_BLOCK = 1 << 22  # numbers in one work array


def channels(kind: str, d: int) -> int:
    """Return the number of real quadratic channels of one example.

    Examples
    --------
    >>> [channels(kind, 2) for kind in ("tensor", "scalar", "phasor")]
    [1, 4, 2]
    """
    return {"tensor": 1, "scalar": d * d, "phasor": 2}[kind]


def aligning(kind: str, start: Floats, spins: Floats) -> tuple[Floats, Floats]:
    """Return the rotation that brings every state closest to `start`, and the overlap after it.

    Parameters
    ----------
    kind : {'tensor', 'scalar', 'phasor'}
    start : (N, d) array
    spins : (R, N, d) array

    Returns
    -------
    rotations : (R, d, d) array
        ``rotations[r] @ s`` is the rotated vector; the identity for tensor couplings.
    overlaps : (R,) array

    Examples
    --------
    >>> s = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> turned = s[:, ::-1]
    >>> [round(float(aligning(kind, s, turned[None])[1][0]), 3) for kind in ("tensor", "scalar", "phasor")]
    [0.0, 1.0, 0.0]
    """
    mixed = start.T @ spins / len(start)
    return _rotations(kind, mixed)


def gauge(sample: VectorSample, kind: str, condensed: Condensed) -> str:
    """Return the kind of couplings whose rotations leave the state as it is; see the module."""
    free = _by_matrices(sample) and len(condensed.members) > 0 and not condensed.stored
    return "scalar" if free else kind


def feature_channels(sample: VectorSample, kind: str) -> str:
    """Return the kind of couplings whose channels are those of the sample's features."""
    return "scalar" if _by_matrices(sample) else kind


def order_parameter(sample: VectorSample, condensed: Condensed, spins: Floats, rotations: Floats) -> Floats:
    """Return ``m`` of every state, a (R,) array: the mean over the condensed patterns, after the rotations.

    Condensed features that are mixed by matrices are taken each after its own rotation.
    """
    members: Floats = np.asarray(condensed.members, dtype=np.float64)
    if _by_matrices(sample) and len(members) > 1:
        return np.asarray(np.mean([aligning("scalar", member, spins)[1] for member in members], axis=0))
    return np.asarray(overlaps(members, spins, rotations).mean(axis=0))


def overlaps(patterns: Floats, spins: Floats, rotations: Floats) -> Floats:
    """Return the mean of xi.s over sites for every pattern and state, after the rotations.

    Parameters
    ----------
    patterns : (k, N, d) array
    spins : (R, N, d) array
    rotations : (R, d, d) array

    Returns
    -------
    overlaps : (k, R) array
    """
    turned = np.einsum("rab,rnb->rna", rotations, spins).reshape(len(spins), -1)
    return np.asarray(patterns.reshape(len(patterns), -1) @ turned.T / spins.shape[1])


def replica_overlaps(kind: str, spins: Floats) -> Floats:
    """Return the overlaps of all pairs a < b of the (R, N, d) array `spins`, a (R (R - 1) / 2,) array."""
    a, b = np.triu_indices(len(spins), 1)
    if kind == "tensor":
        flat = spins.reshape(len(spins), -1)
        return np.asarray((flat @ flat.T)[a, b] / spins.shape[1])
    mixed = spins[a].transpose(0, 2, 1) @ spins[b] / spins.shape[1]
    return _rotations(kind, mixed)[1]


def powers(kind: str, patterns: NDArray[np.float32], spins: Floats) -> Floats:
    """Return the power per channel of every pattern in every state, a (k, R) array; see the module.

    Products are of single precision and their sums of double: a part in 10^5 or better.
    """
    R, N, d = spins.shape
    found = np.empty((len(patterns), R))
    s = spins.astype(np.float32)
    height = max(1, _BLOCK // (N * d))
    for first in range(0, len(patterns), height):
        part = patterns[first : first + height]
        rows = slice(first, first + len(part))
        if kind == "tensor":
            m = part.reshape(len(part), -1) @ s.reshape(R, -1).T
            found[rows] = m.astype(np.float64) ** 2 * (d / N)
        elif kind == "phasor":
            turned = np.stack([-s[..., 1], s[..., 0]], axis=-1)
            flat = part.reshape(len(part), -1)
            parts = [(flat @ v.reshape(R, -1).T).astype(np.float64) for v in (s, turned)]
            found[rows] = (parts[0] ** 2 + parts[1] ** 2) / N
        else:
            across = part.transpose(0, 2, 1).reshape(len(part) * d, N)
            for r in range(R):
                m = (across @ s[r]).astype(np.float64)
                found[rows, r] = (m**2).reshape(len(part), -1).sum(axis=1) / N
    return found


def own_power(sample: VectorSample, kind: str) -> tuple[float, Callable[[Floats], Floats]]:
    """Return (a, b) such that the powers of all stored examples sum to ``b(spins) - a e``, e the energy per spin.

    It is an identity, so that no product with the examples is needed: b is what the missing diagonal of the couplings
    takes.  With ``A_i = (1/N) sum_mu xi_i xi_i^T`` it is ``d sum_i s_i.A_i s_i`` for tensor couplings, and P for the
    others.
    """
    N, d = sample.N, sample.d
    if kind != "tensor":
        return 2.0 * N / (d if kind == "scalar" else 1), lambda spins: np.full(len(spins), float(sample.P))
    if sample.P <= d:  # the patterns are less than the matrices
        held = sample.patterns
        return 2.0 * d * N, lambda spins: np.array(
            [d / N * float((np.einsum("pna,na->pn", held, s) ** 2).sum()) for s in spins]
        )
    A = np.zeros((N, d, d))
    height = max(1, _BLOCK // (N * d))
    for first in range(0, sample.P, height):
        block = sample.patterns[first : first + height].astype(np.float64).transpose(1, 0, 2)
        A += block.transpose(0, 2, 1) @ block / N
    return 2.0 * d * N, lambda spins: d * np.einsum("rna,rna->r", spins, (A @ spins[..., None])[..., 0])


def measure(
    sample: VectorSample,
    interactions: VectorInteractions,
    spins: Floats,
    *,
    energy: float,
    start: Floats,
    condensed: Condensed,
) -> dict[str, float]:
    """Return the observables of a final state; what does not apply is absent.

    Parameters
    ----------
    sample : VectorSample
    interactions : VectorInteractions
    spins, start : (N, d) array of unit vectors
        Final state and uncorrupted start configuration.
    energy : float
        Of the final state, per spin.
    condensed : Condensed
    """
    kind, state = interactions.kind, spins[None]
    rotations, found = aligning(gauge(sample, kind, condensed), start, state)
    row = {"overlap": float(found[0])}
    if len(condensed.members):
        row["m"] = float(order_parameter(sample, condensed, state, rotations)[0])
    if condensed.latent is not None:
        row["t"] = float(overlaps(condensed.latent[None], state, rotations)[0, 0] / math.sqrt(sample.d))
    if sample.features is not None:
        row["p_d"] = float(powers(feature_channels(sample, kind), sample.features, state).mean())
    others = np.setdiff1d(np.arange(sample.P), condensed.stored)
    if others.size:
        row["u2"] = float(powers(kind, sample.patterns, state)[others].mean())
    row["energy"] = energy
    return row


def _by_matrices(sample: VectorSample) -> bool:
    return isinstance(sample.law, VectorRandomFeaturePatterns) and sample.law.mixing == "matrix"


def _rotations(kind: str, mixed: Floats) -> tuple[Floats, Floats]:
    """Rotations and overlaps from the matrices ``(1/N) sum_i s0_i s_i^T``, a (R, d, d) array."""
    R, d, _ = mixed.shape
    if kind == "tensor":
        return np.broadcast_to(np.eye(d), mixed.shape), np.trace(mixed, axis1=1, axis2=2)
    if kind == "scalar":
        left, values, right = np.linalg.svd(mixed)
        return left @ right, values.sum(axis=1)
    real, imaginary = mixed[:, 0, 0] + mixed[:, 1, 1], mixed[:, 1, 0] - mixed[:, 0, 1]
    length = np.hypot(real, imaginary)
    angle = np.arctan2(imaginary, real)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c, -s, s, c], axis=-1).reshape(R, 2, 2), length
