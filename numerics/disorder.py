r"""Disorder samples: stored patterns, features and fresh patterns of a pattern law, each drawn from its name.

A random-features pattern is ``xi = sigma(x)`` with ``x_i = sum_k c_k f_ki / sqrt(sum_k E c_k^2)``: dense
coefficients (Gaussian or +-1) are divided by sqrt(D), sparse ones (exactly L_train random active features
with random signs) by sqrt(L_train), so that x always has unit variance.

Where sigma is a sign and x vanishes (dense +-1 coefficients with even D, or an even number of active
features), the pattern takes a random sign from a stream of its own: the rule is named 'random' in records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics import pattern_draws, rng
from numerics.pattern_draws import check_active, combined, unstored
from theory.ensembles import SIGN, IidPatterns, RandomFeaturePatterns
from theory.errors import InvalidInput

__all__ = [
    "TIES",
    "Law",
    "Sample",
    "draw",
    "example",
    "fresh",
    "latent",
    "law_name",
    "mixture",
    "pattern_blocks",
    "unseen",
]

TIES = "random"

Law = IidPatterns | RandomFeaturePatterns
Spins = NDArray[np.int8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """One disorder sample.

    Attributes
    ----------
    law : IidPatterns or RandomFeaturePatterns
    N, P, D : int
        Spins, stored patterns, features (D = 0 for a law without features).
    name : tuple
        What all its streams are named after: (seed, law, N, P, D, index).
    features : (D, N) int8 array of +-1
    packed : (P, ceil(N / 8)) uint8 array or None
        The stored patterns, one bit per spin (1 is +1), little bit order; None if their values are not +-1.
    dense : (P, N) float32 array or None
        The stored patterns, if their values are not +-1: single precision, so that they weigh less than J.
    """

    law: Law
    N: int
    P: int
    D: int
    name: tuple[str | int, ...]
    features: Spins
    packed: NDArray[np.uint8] | None
    dense: NDArray[np.float32] | None


def law_name(law: Law) -> str:
    """Return the text under which streams of this law are drawn.

    Examples
    --------
    >>> law_name(RandomFeaturePatterns(coefficients="sparse", L_train=5))
    'random-features/sign/sparse-5'
    """
    if isinstance(law, IidPatterns):
        return law.key
    detail = f"-{law.L_train}" if law.coefficients == "sparse" else ""
    return f"{law.key}/{law.nonlinearity.name}/{law.coefficients}{detail}"


def draw(law: Law, *, N: int, P: int, D: int = 0, seed: int = 0, index: int = 0) -> Sample:
    """Draw the disorder sample called (`seed`, `law`, `N`, `P`, `D`, `index`).

    Raises
    ------
    InvalidInput
        If a sparse law asks for more active features than there are.

    Examples
    --------
    >>> sample = draw(RandomFeaturePatterns(), N=64, P=4, D=8, seed=1)
    >>> example(sample, 0).shape
    (64,)
    """
    name = (seed, law_name(law), N, P, D, index)
    features = np.empty((0, N), dtype=np.int8)
    if isinstance(law, RandomFeaturePatterns):
        check_active(law, D)
        features = rng.signs(rng.stream(*name, "features"), rows=D, columns=N)
    empty = Sample(law, N, P, D, name, features, None, None)
    if isinstance(law, IidPatterns) or law.nonlinearity.binary:
        packed = np.empty((P, -(-N // 8)), dtype=np.uint8)
        for first, block in _drawn_blocks(empty):
            packed[first : first + len(block)] = np.packbits(block > 0, axis=1, bitorder="little")
        return replace(empty, packed=packed)
    dense = np.empty((P, N), dtype=np.float32)
    for first, block in _drawn_blocks(empty):
        dense[first : first + len(block)] = block
    return replace(empty, dense=dense)


def pattern_blocks(sample: Sample, *, rows: int) -> Iterator[tuple[int, Spins | Floats]]:
    """Yield (first row, patterns) for consecutive blocks of `rows` stored patterns.

    The patterns are a (rows, N) array: int8 of +-1, or float64 if values are not +-1.
    """
    for first in range(0, sample.P, rows):
        if sample.dense is not None:
            yield first, sample.dense[first : first + rows].astype(np.float64)
        else:
            assert sample.packed is not None
            yield first, _unpacked(sample.packed[first : first + rows], sample.N)


def example(sample: Sample, mu: int) -> Spins | Floats:
    """Return stored pattern `mu`, a (N,) array."""
    if sample.dense is not None:
        row: Floats = sample.dense[mu].astype(np.float64)
        return row
    assert sample.packed is not None
    spins: Spins = _unpacked(sample.packed[mu : mu + 1], sample.N)[0]
    return spins


def latent(sample: Sample, mu: int) -> Floats:
    """Return the latent field ``x^mu`` of stored pattern `mu` (before the nonlinearity), a (N,) array.

    Raises
    ------
    InvalidInput
        For a law without features.
    """
    if not isinstance(sample.law, RandomFeaturePatterns):
        raise InvalidInput(f"patterns of law '{law_name(sample.law)}' have no latent field; use random features.")
    _, sums = next(_superpositions(sample, sample.law, "coefficients", mu, mu + 1))
    x: Floats = _normalised(sums, sample.law, sample.D)[0]
    return x


def mixture(sample: Sample, L: int) -> tuple[Spins, Spins]:
    """Return the sign of the sum of the first L features (of the first L stored patterns if there are none).

    Returns
    -------
    spins : (N,) int8 array of +-1
    members : (L, N) int8 array of +-1

    Raises
    ------
    InvalidInput
        If L is even (the sum vanishes on a finite fraction of sites) or there are fewer than L members.
    """
    members, kind = (sample.features, "D features") if sample.D else (None, "P stored patterns")
    count = sample.D if sample.D else sample.P
    if not (isinstance(L, int) and L >= 1 and L % 2 == 1):
        raise InvalidInput(f"L = {L} is not allowed; a mixture needs an odd L (an even sum vanishes on some sites).")
    if count < L:
        raise InvalidInput(f"L = {L} is more than the {count} {kind}; lower L, or raise N or the load.")
    if members is None:
        if sample.packed is None:
            raise InvalidInput("a mixture needs +-1 patterns; use a binary nonlinearity.")
        members = _unpacked(sample.packed[:L], sample.N)
    members = members[:L]
    return np.where(members.sum(axis=0, dtype=np.int32) > 0, 1, -1).astype(np.int8), members


def fresh(sample: Sample, attempt: int, *, L: int | None = None) -> Spins | Floats:
    """Return a new pattern of the training law, made of the sample's own features; a (N,) array.

    `L` replaces L_train for sparse coefficients.  Different attempts are independent.
    """
    law = sample.law
    if isinstance(law, IidPatterns):
        key = rng.stream(*sample.name, "unseen")
        iid: Spins = rng.signs(key, rows=1, columns=sample.N, first_row=attempt)[0]
        return iid
    if L is not None and law.coefficients == "sparse":
        law = replace(law, L_train=L)
    check_active(law, sample.D)
    purpose = f"unseen-{law.L_train}" if law.coefficients == "sparse" else "unseen"
    _, sums = next(_superpositions(sample, law, purpose, attempt, attempt + 1))
    pattern: Spins | Floats = _nonlinear(sample, law, purpose, attempt, sums)[0]
    return pattern


def unseen(sample: Sample, *, L: int | None = None) -> tuple[Spins | Floats, int]:
    """Return a fresh pattern that differs from every stored one up to a global sign.

    Parameters
    ----------
    L : int, optional
        Number of active features, for sparse coefficients; L_train by default.

    Returns
    -------
    pattern : (N,) array
    redrawn : int
        How many fresh patterns were rejected because they are stored.

    Raises
    ------
    InvalidInput
        If 1000 fresh patterns in a row are stored.
    """
    return unstored(
        lambda attempt: fresh(sample, attempt, L=L), lambda new: _is_stored(sample, new), P=sample.P, D=sample.D
    )


def _unpacked(packed: NDArray[np.uint8], N: int) -> Spins:
    spins = np.unpackbits(packed, axis=1, count=N, bitorder="little").view(np.int8)
    spins *= 2
    spins -= 1
    return spins


def _is_stored(sample: Sample, pattern: Spins | Floats) -> bool:
    if sample.dense is not None:
        stored = pattern.astype(np.float32)
        same = (sample.dense == stored).all(axis=1) | (sample.dense == -stored).all(axis=1)
        return bool(same.any())
    assert sample.packed is not None
    bits = np.packbits([pattern > 0, pattern < 0], axis=1, bitorder="little")
    for candidate in bits:
        # Almost every stored pattern differs in the first 64 spins already.
        rows = np.flatnonzero((sample.packed[:, :8] == candidate[:8]).all(axis=1))
        if rows.size and (sample.packed[rows] == candidate).all(axis=1).any():
            return True
    return False


def _drawn_blocks(sample: Sample) -> Iterator[tuple[int, Spins | Floats]]:
    if isinstance(sample.law, IidPatterns):
        rows = max(1, 4 * pattern_draws.BLOCK // sample.N)
        key = rng.stream(*sample.name, "patterns")
        for first in range(0, sample.P, rows):
            count = min(rows, sample.P - first)
            yield first, rng.signs(key, rows=count, columns=sample.N, first_row=first)
        return
    for first, sums in _superpositions(sample, sample.law, "coefficients", 0, sample.P):
        yield first, _nonlinear(sample, sample.law, "coefficients", first, sums)


def _nonlinear(
    sample: Sample, law: RandomFeaturePatterns, purpose: str, first: int, sums: NDArray[Any]
) -> Spins | Floats:
    """Apply sigma to rows of superpositions; zeros of a binary sigma become random signs of their own stream."""
    out: Spins
    if law.nonlinearity is SIGN:  # needs no floating-point copy of the sums
        out = (sums > 0).view(np.int8)
        out *= 2
        out -= 1
        tied = sums == 0
    else:
        values = np.asarray(law.nonlinearity.function(_normalised(sums, law, sample.D)), dtype=np.float64)
        if not law.nonlinearity.binary:
            return values
        out = values.astype(np.int8)
        tied = out == 0
    for row in np.flatnonzero(tied.any(axis=1)):
        key = rng.stream(*sample.name, purpose, "ties")
        random = rng.signs(key, rows=1, columns=sample.N, first_row=first + int(row))[0]
        out[row, tied[row]] = random[tied[row]]
    return out


def _normalised(sums: NDArray[Any], law: RandomFeaturePatterns, D: int) -> Floats:
    active = law.L_train if law.coefficients == "sparse" else D
    return sums.astype(np.float64) / math.sqrt(active)


def _superpositions(
    sample: Sample, law: RandomFeaturePatterns, purpose: str, start: int, stop: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (first row, sum_k c_k f_k) for rows start <= mu < stop.

    Sums are exact (integers, or multiples of 2^-30 in double precision), so they do not depend on the number
    of threads of the matrix product.
    """
    N, D = sample.N, sample.D
    key = rng.stream(*sample.name, purpose)
    rows = max(1, min(512, pattern_draws.BLOCK // N))
    for first in range(start, stop, rows):
        count = min(rows, stop - first)
        if law.coefficients == "sparse":
            active = rng.subsets(key, rows=count, size=law.L_train, of=D, first_row=first)
            sign_key = rng.stream(*sample.name, purpose, "signs")
            sign = rng.signs(sign_key, rows=count, columns=law.L_train, first_row=first)
            yield first, _sparse_sums(sample.features, active, sign)
            continue
        if law.coefficients == "gaussian":
            c = rng.gaussians(key, rows=count, columns=D, first_row=first)
        else:
            c = rng.signs(key, rows=count, columns=D, first_row=first).astype(np.float32)
        yield first, combined(c, sample.features)


def _sparse_sums(features: Spins, active: NDArray[np.int64], sign: Spins) -> NDArray[Any]:
    count, size = active.shape
    sums = np.zeros((count, features.shape[1]), dtype=np.int8 if size < 128 else np.int32)
    for total, members, signs in zip(sums, active, sign, strict=True):
        for k, c in zip(members, signs, strict=True):
            if c > 0:
                total += features[k]
            else:
                total -= features[k]
    return sums
