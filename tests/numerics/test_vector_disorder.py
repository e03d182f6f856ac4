"""Disorder samples of vectors: laws, names, and unseen patterns that really are unseen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics import pattern_draws, rng, vector_disorder
from numerics.vector_disorder import draw, example, feature, fresh, latent, law_name, mixture, unit, unseen
from theory.ensembles import IsotropicPatterns, VectorRandomFeaturePatterns
from theory.errors import InvalidInput
from theory.models.vector_random_features import VectorRandomFeatures, kappa_1_squared

FEATURES = VectorRandomFeaturePatterns
LAWS = [
    IsotropicPatterns(1),
    IsotropicPatterns(3),
    FEATURES(1),
    FEATURES(2),
    FEATURES(8, "binary"),
    FEATURES(2, "sparse", 3),
    FEATURES(1, "sparse", 2),
]


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_a_sample_is_a_function_of_its_name(law):
    first, again = (draw(law, N=40, P=9, D=12, seed=3, index=5) for _ in range(2))
    assert np.array_equal(first.patterns, again.patterns)
    assert np.array_equal(unseen(first)[0], unseen(again)[0])
    for other in ({"seed": 4, "index": 5}, {"seed": 3, "index": 6}):
        assert not np.array_equal(first.patterns, draw(law, N=40, P=9, D=12, **other).patterns)


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_blocks_do_not_change_what_is_drawn(law, monkeypatch):
    whole = draw(law, N=70, P=9, D=40)
    monkeypatch.setattr(pattern_draws, "BLOCK", 140)
    parts = draw(law, N=70, P=9, D=40)
    assert np.array_equal(parts.patterns, whole.patterns)
    if whole.features is not None:
        assert np.array_equal(parts.features, whole.features)


@pytest.mark.parametrize("law", LAWS, ids=law_name)
def test_everything_has_unit_length(law):
    sample = draw(law, N=60, P=5, D=7)
    made = [example(sample, 4), unseen(sample)[0], mixture(sample, 3)[0], *mixture(sample, 3)[1]]
    for vectors in made if sample.features is None else [*made, feature(sample, 6)]:
        assert vectors.shape == (60, law.d)
        assert np.allclose(np.linalg.norm(vectors, axis=-1), 1.0, atol=1e-14)


@pytest.mark.parametrize("law", LAWS[2:], ids=law_name)
def test_patterns_point_along_their_latent_field(law):
    sample = draw(law, N=300, P=5, D=20)
    for mu in range(5):
        x, xi = latent(sample, mu), example(sample, mu)
        decided = np.linalg.norm(x, axis=-1) > 0
        assert np.allclose(xi[decided], unit(x[decided]), atol=1e-7)
        assert decided.all() or law.d == 1
        if not decided.all():  # a fair coin, five standard errors
            assert abs(xi[~decided].mean()) < 5 / math.sqrt((~decided).sum())


@pytest.mark.parametrize(
    "law", [FEATURES(1), FEATURES(2), FEATURES(5, "binary"), FEATURES(3, "sparse", 5)], ids=law_name
)
def test_latent_fields_are_isotropic_with_unit_variance_and_make_the_constants_of_theory(law):
    """The statistic of P latent fields of D features scatters by 1/sqrt(P D) and less; five of them."""
    P, D, N = 60, 400, 300
    sample = draw(law, N=N, P=P, D=D)
    x = np.array([latent(sample, mu) for mu in range(P)]).reshape(-1, law.d)
    active = D if law.coefficients != "sparse" else 5 * P
    assert np.allclose(x.T @ x / len(x), np.eye(law.d), atol=5 * math.sqrt(2 / (P * min(D, active))))
    if law.coefficients != "sparse":  # x is Gaussian: E[xi.x]/sqrt(d) = E|x|/sqrt(d) = kappa_1
        first = np.einsum("na,na->n", sample.patterns.reshape(-1, law.d), x).mean() / math.sqrt(law.d)
        assert abs(first - math.sqrt(kappa_1_squared(law.d))) < 5 / math.sqrt(P * D) + 1 / D


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_unit_vectors_are_uniform(d):
    """Second and fourth moments of the sphere; five standard errors."""
    v = vector_disorder.random_vectors(rng.stream("uniform"), N=100_000, d=d)
    assert np.abs(v.mean(axis=0)).max() < 5 / math.sqrt(d * len(v))
    assert np.allclose((v**2).mean(axis=0), 1 / d, atol=5 / math.sqrt(len(v)) / d * math.sqrt(3))
    assert np.allclose((v**4).mean(axis=0), 3 / (d * (d + 2)), atol=5 * math.sqrt(105 / d**4 / len(v)))


def test_superpositions_are_exact_sums(monkeypatch):
    """In any order of summation: features, coefficients and their sums are multiples of the grids."""
    sample = draw(FEATURES(3), N=16, P=1, D=3000)
    law, key = sample.law, rng.stream(*sample.name, "coefficients")
    c = vector_disorder._coefficients(sample, law, key, "coefficients", 0, 1)[0]
    terms = c[:, None] * sample.features.reshape(3000, -1).astype(float)
    assert np.array_equal(terms.sum(axis=0), terms[::-1].cumsum(axis=0)[-1])
    assert np.array_equal(terms.sum(axis=0), [math.fsum(column) for column in terms.T])


def test_mixtures_point_along_the_sum():
    sample = draw(FEATURES(2), N=50, P=3, D=6)
    spins, members = mixture(sample, 2)
    assert np.allclose(spins, unit(members[0] + members[1]))
    assert np.allclose(members[1], feature(sample, 1))
    stored, _ = mixture(draw(IsotropicPatterns(2), N=50, P=3), 3)
    assert stored.shape == (50, 2)
    signs = draw(FEATURES(1), N=51, P=3, D=6)
    assert set(np.unique(mixture(signs, 3)[0])) == {-1.0, 1.0}


@pytest.mark.parametrize(
    ("law", "L", "said"),
    [
        (FEATURES(1), 2, "odd L"),
        (FEATURES(2), 1, "L >= 2"),
        (FEATURES(2), 7, "6 D features"),
        (IsotropicPatterns(2), 4, "3 P stored patterns"),
    ],
)
def test_mixtures_that_make_no_sense_are_refused(law, L, said):
    with pytest.raises(InvalidInput, match=said):
        mixture(draw(law, N=20, P=3, D=6), L)


def test_an_unseen_pattern_is_not_stored():
    """Five features, two active: 40 patterns up to a sign's 20, of which 400 draws store all but some."""
    law = FEATURES(2, "sparse", 2)
    redrawn = 0
    for index in range(20):
        sample = draw(law, N=30, P=25, D=5, index=index)
        pattern, count = unseen(sample)
        both = np.concatenate([sample.patterns, -sample.patterns])
        assert np.abs(both - pattern).max(axis=(1, 2)).min() > 1e-3
        assert np.array_equal(pattern, fresh(sample, count))
        redrawn += count
    assert redrawn > 0


def test_everything_stored_is_told():
    with pytest.raises(InvalidInput, match="already stored"):
        unseen(draw(FEATURES(2, "sparse", 1), N=10, P=40, D=1))


@pytest.mark.parametrize("d", [0, -1, 2.0, True, "3"])
def test_dimensions_that_make_no_sense_are_refused(d):
    for law in (IsotropicPatterns, VectorRandomFeaturePatterns):
        with pytest.raises(InvalidInput, match="whole number d >= 1"):
            law(d)


def test_a_law_without_features_has_no_latent_field():
    sample = draw(IsotropicPatterns(3), N=10, P=2)
    for ask in (lambda: latent(sample, 0), lambda: feature(sample, 0)):
        with pytest.raises(InvalidInput, match="vector random features"):
            ask()


def test_effective_loads_are_those_of_whole_numbers_of_patterns():
    """n_ch P/(dN) of scalar couplings is d P/N."""
    effective = VectorRandomFeatures(0.06, 1.5, 3, "scalar", effective=True).per_site()
    assert (effective.alpha, effective.alpha_d) == pytest.approx((0.02, 0.5))
    assert not effective.effective
    assert VectorRandomFeatures(0.06, 1.5, 3, "tensor", effective=True).per_site().alpha == pytest.approx(0.18)
    given = VectorRandomFeatures(0.06, 1.5, 3)
    assert given.per_site() == given
