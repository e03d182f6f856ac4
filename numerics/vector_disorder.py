r"""Disorder samples of unit vectors: stored patterns, features and fresh patterns, each drawn from its name.

A random-features pattern is ``xi = x/|x|`` with ``x_i = (d/A)^{1/2} sum_k c_k f_ki`` for unit vectors f and A active
features (D for dense coefficients, L_train for sparse ones), so that every component of x has unit variance.
Coefficients of a law that mixes by matrices are ``c_k = C_k/d^{1/2}`` with independent entries of C_k, Gaussian or
+-1.  For d = 1 vectors are signs; where x vanishes there, the pattern takes a random sign.

Features and coefficients are rounded to multiples of 2^-20 and 2^-16.  Superpositions of up to about 10^5 of them are
then exact in double precision, so that a pattern does not depend on the order of summation or on the number of threads.
Patterns are kept in single precision: *these* numbers are the sample, whatever precision the dynamics has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from numerics import pattern_draws, rng
from numerics.pattern_draws import check_active, combined, unstored
from theory.ensembles import IsotropicPatterns, VectorRandomFeaturePatterns
from theory.errors import InvalidInput

__all__ = [
    "VectorLaw",
    "VectorSample",
    "draw",
    "example",
    "feature",
    "fresh",
    "latent",
    "law_name",
    "mixture",
    "random_vectors",
    "unit",
    "unseen",
]

_FEATURE_GRID, _COEFFICIENT_GRID = 2.0**20, 2.0**16

VectorLaw = IsotropicPatterns | VectorRandomFeaturePatterns
Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class VectorSample:
    """One disorder sample of vectors.

    Attributes
    ----------
    law : IsotropicPatterns or VectorRandomFeaturePatterns
    N, P, D, d : int
        Spins, stored patterns, features (D = 0 for a law without features), components.
    name : tuple
        What all its streams are named after: (seed, law, N, P, D, index).
    patterns : (P, N, d) float32 array
        Stored patterns, unit vectors.
    features : (D, N, d) float32 array or None
        Unit vectors, to 1e-6; None for a law without features.
    """

    law: VectorLaw
    N: int
    P: int
    D: int
    d: int
    name: tuple[str | int, ...]
    patterns: Vectors
    features: Vectors | None


def law_name(law: VectorLaw) -> str:
    """Return the text under which streams of this law are drawn.

    Examples
    --------
    >>> law_name(VectorRandomFeaturePatterns(2, "sparse", 5))
    'vector-random-features/2/sparse-5'
    >>> law_name(VectorRandomFeaturePatterns(2, mixing="matrix"))
    'vector-random-features/2/gaussian/matrix'
    """
    if isinstance(law, IsotropicPatterns):
        return f"{law.key}/{law.d}"
    detail = f"-{law.L_train}" if law.coefficients == "sparse" else ""
    return f"{law.key}/{law.d}/{law.coefficients}{detail}" + ("/matrix" if law.mixing == "matrix" else "")


def draw(law: VectorLaw, *, N: int, P: int, D: int = 0, seed: int = 0, index: int = 0) -> VectorSample:
    """Draw the disorder sample called (`seed`, `law`, `N`, `P`, `D`, `index`).

    Raises
    ------
    InvalidInput
        If a sparse law asks for more active features than there are.

    Examples
    --------
    >>> sample = draw(IsotropicPatterns(3), N=50, P=4, seed=1)
    >>> sample.patterns.shape, bool(np.allclose(np.linalg.norm(sample.patterns, axis=-1), 1.0))
    ((4, 50, 3), True)
    """
    d = int(law.d)
    name = (seed, law_name(law), N, P, D, index)
    features = None
    if isinstance(law, VectorRandomFeaturePatterns):
        check_active(law, D)
        features = np.empty((D, N, d), dtype=np.float32)
        for first, block in _isotropic(rng.stream(*name, "features"), D, N, d):
            features[first : first + len(block)] = np.rint(block * _FEATURE_GRID) / _FEATURE_GRID
    empty = VectorSample(law, N, P, D, d, name, np.empty((0, N, d), dtype=np.float32), features)
    patterns = np.empty((P, N, d), dtype=np.float32)
    for first, block in _drawn(empty, "coefficients" if features is not None else "patterns", P):
        patterns[first : first + len(block)] = block
    return replace(empty, patterns=patterns)


def example(sample: VectorSample, mu: int) -> Floats:
    """Return stored pattern `mu`, a (N, d) array of unit vectors."""
    return unit(sample.patterns[mu].astype(np.float64))


def feature(sample: VectorSample, k: int) -> Floats:
    """Return feature `k`, a (N, d) array of unit vectors.

    Raises
    ------
    InvalidInput
        For a law without features.
    """
    if sample.features is None:
        raise InvalidInput(f"patterns of law '{law_name(sample.law)}' have no features; use vector random features.")
    return unit(sample.features[k].astype(np.float64))


def latent(sample: VectorSample, mu: int) -> Floats:
    """Return the latent field ``x^mu`` of stored pattern `mu`, a (N, d) array with components of unit variance.

    Raises
    ------
    InvalidInput
        For a law without features.
    """
    if not isinstance(sample.law, VectorRandomFeaturePatterns):
        raise InvalidInput(
            f"patterns of law '{law_name(sample.law)}' have no latent field; use vector random features."
        )
    _, sums = next(_superpositions(sample, sample.law, "coefficients", mu, mu + 1))
    active = sample.law.L_train if sample.law.coefficients == "sparse" else sample.D
    return np.asarray(sums[0] * math.sqrt((1 if sample.law.mixing == "matrix" else sample.d) / active))


def mixture(sample: VectorSample, L: int) -> tuple[Floats, Floats]:
    """Return the direction of the sum of the first L features (of the first L stored patterns if there are none).

    Returns
    -------
    spins : (N, d) array of unit vectors
    members : (L, N, d) array of unit vectors

    Raises
    ------
    InvalidInput
        If L < 2, if L is even for d = 1 (the sum vanishes on a finite fraction of sites), or if there are fewer than L
        members.
    """
    held = sample.patterns if sample.features is None else sample.features
    if isinstance(L, bool) or not isinstance(L, int) or L < 2 or (sample.d == 1 and L % 2 == 0):
        needs = "an odd L >= 3 (an even sum vanishes on some sites)" if sample.d == 1 else "L >= 2"
        raise InvalidInput(f"L = {L} is not allowed; a mixture of vectors with d = {sample.d} needs {needs}.")
    if len(held) < L:
        kind = "P stored patterns" if sample.features is None else "D features"
        raise InvalidInput(f"L = {L} is more than the {len(held)} {kind}; lower L, or raise N or the load.")
    members = unit(held[:L].astype(np.float64))
    return unit(members.sum(axis=0)), members


def fresh(sample: VectorSample, attempt: int, *, L: int | None = None) -> Floats:
    """Return a new pattern of the training law, made of the sample's own features; a (N, d) array of unit vectors.

    `L` replaces L_train for sparse coefficients.  Different attempts are independent.
    """
    law, purpose = sample.law, "unseen"
    if isinstance(law, VectorRandomFeaturePatterns):
        if L is not None and law.coefficients == "sparse":
            law = replace(law, L_train=L)
        check_active(law, sample.D)
        purpose = f"unseen-{law.L_train}" if law.coefficients == "sparse" else purpose
    _, block = next(_drawn(replace(sample, law=law), purpose, attempt + 1, start=attempt))
    return np.asarray(block[0])


def unseen(sample: VectorSample, *, L: int | None = None) -> tuple[Floats, int]:
    """Return a fresh pattern that differs from every stored one up to a global sign.

    Parameters
    ----------
    L : int, optional
        Number of active features, for sparse coefficients; L_train by default.

    Returns
    -------
    pattern : (N, d) array of unit vectors
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


def random_vectors(key: NDArray[np.uint32], *, N: int, d: int, row: int = 0) -> Floats:
    """Return N independent unit vectors, uniform on the sphere, a (N, d) array; rows are independent.

    Examples
    --------
    >>> random_vectors(rng.stream("demo"), N=4, d=1).ravel().tolist()
    [1.0, -1.0, 1.0, -1.0]
    """
    _, block = next(_isotropic(key, row + 1, N, d, start=row))
    return np.asarray(block[0])


def unit(vectors: Floats) -> Floats:
    """Return `vectors` divided by their lengths along the last axis; null vectors become the first unit vector.

    Examples
    --------
    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [1.0, 0.0]]
    """
    length = np.sqrt(np.einsum("...a,...a->...", vectors, vectors))[..., None]
    null = length == 0.0
    out = np.asarray(vectors / np.where(null, 1.0, length))
    if null.any():
        out[..., :1] += null
    return out


def _is_stored(sample: VectorSample, pattern: Floats) -> bool:
    held, new = sample.patterns, pattern.astype(np.float32)
    # Almost every stored pattern differs at the first site already.
    rows = np.flatnonzero((np.abs(held[:, 0]) == np.abs(new[0])).all(axis=-1))
    return any((held[row] == new).all() or (held[row] == -new).all() for row in rows)


def _isotropic(
    key: NDArray[np.uint32], rows: int, N: int, d: int, *, start: int = 0
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield (first row, unit vectors) for start <= row < rows."""
    height = max(1, pattern_draws.BLOCK // (N * d))
    for first in range(start, rows, height):
        count = min(height, rows - first)
        if d == 1:
            signs = rng.signs(key, rows=count, columns=N, first_row=first)
            yield first, signs.astype(np.float64)[..., None]
        else:
            yield first, unit(rng.gaussians(key, rows=count, columns=N * d, first_row=first).reshape(count, N, d))


def _drawn(sample: VectorSample, purpose: str, rows: int, *, start: int = 0) -> Iterator[tuple[int, Floats]]:
    """Yield (first row, patterns of the law) for start <= row < rows."""
    law = sample.law
    if isinstance(law, IsotropicPatterns):
        yield from _isotropic(rng.stream(*sample.name, purpose), rows, sample.N, sample.d, start=start)
        return
    for first, sums in _superpositions(sample, law, purpose, start, rows):
        patterns = unit(sums)
        if sample.d == 1 and not sums.all():
            random = rng.signs(
                rng.stream(*sample.name, purpose, "ties"), rows=len(sums), columns=sample.N, first_row=first
            )
            patterns = np.where(sums == 0.0, random[..., None].astype(np.float64), patterns)
        yield first, patterns


def _superpositions(
    sample: VectorSample, law: VectorRandomFeaturePatterns, purpose: str, start: int, stop: int
) -> Iterator[tuple[int, Floats]]:
    """Yield (first row, sum_k c_k f_k), a (rows, N, d) array, for rows start <= mu < stop; C_k in place of c_k."""
    assert sample.features is not None
    D, N, d = sample.features.shape
    key = rng.stream(*sample.name, purpose)
    if law.mixing == "matrix":
        # Row (mu, a) of the coefficients times column i of the features, both over (k, b).
        height = max(1, min(512, pattern_draws.BLOCK // max(N * d, D * d * d)))
        across = max(64 // d, pattern_draws.BLOCK // (D * d), 1)
        for first in range(start, stop, height):
            count = min(height, stop - first)
            c = _coefficients(sample, law, key, purpose, first, count)
            c = c.reshape(count, D, d, d).transpose(0, 2, 1, 3).reshape(count * d, D * d)
            mixed = np.empty((count, N, d))
            for left in range(0, N, across):
                part = sample.features[:, left : left + across].astype(np.float64)
                found = c @ part.transpose(0, 2, 1).reshape(D * d, -1)
                mixed[:, left : left + across] = found.reshape(count, d, -1).transpose(0, 2, 1)
            yield first, mixed
        return
    width = N * d
    features = sample.features.reshape(D, width)
    height = max(1, min(512, pattern_draws.BLOCK // width))
    for first in range(start, stop, height):
        count = min(height, stop - first)
        c = _coefficients(sample, law, key, purpose, first, count)
        yield first, combined(c, features).reshape(count, N, d)


def _coefficients(
    sample: VectorSample, law: VectorRandomFeaturePatterns, key: NDArray[np.uint32], purpose: str, first: int, rows: int
) -> Floats:
    """Coefficients of unit variance, a (rows, D) array; (rows, D d d), entry [k, a, b] of row mu, if by matrices."""
    each = sample.d**2 if law.mixing == "matrix" else 1
    if law.coefficients == "gaussian":
        drawn = rng.gaussians(key, rows=rows, columns=sample.D * each, first_row=first)
        return np.asarray(np.rint(drawn * _COEFFICIENT_GRID) / _COEFFICIENT_GRID)
    if law.coefficients == "binary":
        return rng.signs(key, rows=rows, columns=sample.D * each, first_row=first).astype(np.float64)
    c = np.zeros((rows, sample.D, each))
    active = rng.subsets(key, rows=rows, size=law.L_train, of=sample.D, first_row=first)
    sign_key = rng.stream(*sample.name, purpose, "signs")
    signs = rng.signs(sign_key, rows=rows, columns=law.L_train * each, first_row=first)
    np.put_along_axis(c, active[:, :, None], signs.reshape(rows, law.L_train, each), axis=1)
    return c.reshape(rows, -1)
