"""Disorder samples: the laws, the names, ties, and unseen patterns that really are unseen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from numerics import disorder, pattern_draws
from numerics.couplings import hebbian
from theory.ensembles import CUBIC, TANH, IidPatterns, RandomFeaturePatterns, nonlinearity
from theory.errors import InvalidInput

LAWS = [
    IidPatterns(),
    RandomFeaturePatterns(),
    RandomFeaturePatterns(coefficients="binary"),
    RandomFeaturePatterns(coefficients="sparse", L_train=3),
    RandomFeaturePatterns(coefficients="sparse", L_train=4),
    RandomFeaturePatterns(nonlinearity=TANH),
]


def patterns(sample: disorder.Sample) -> np.ndarray:
    return np.array([disorder.example(sample, mu) for mu in range(sample.P)])


@pytest.mark.parametrize("law", LAWS, ids=disorder.law_name)
def test_a_sample_is_a_function_of_its_name(law):
    first, again = (disorder.draw(law, N=70, P=9, D=12, seed=3, index=5) for _ in range(2))
    assert np.array_equal(patterns(first), patterns(again))
    assert np.array_equal(first.features, again.features)
    for other in ({"seed": 4, "index": 5}, {"seed": 3, "index": 6}):
        different = disorder.draw(law, N=70, P=9, D=12, **other)
        assert not np.array_equal(patterns(first), patterns(different))


def test_blocks_do_not_change_what_is_drawn(monkeypatch):
    law = RandomFeaturePatterns()
    whole = patterns(disorder.draw(law, N=70, P=9, D=40))
    monkeypatch.setattr(pattern_draws, "BLOCK", 140)  # two rows and few sites at a time
    assert np.array_equal(patterns(disorder.draw(law, N=70, P=9, D=40)), whole)


@pytest.mark.parametrize("law", LAWS[1:], ids=disorder.law_name)
def test_patterns_are_the_nonlinearity_of_their_latent_field(law):
    sample = disorder.draw(law, N=300, P=5, D=20)
    for mu in range(5):
        x, xi = disorder.latent(sample, mu), disorder.example(sample, mu)
        decided = x != 0
        expected = law.nonlinearity.function(x)
        # Values other than +-1 are stored in single precision: each within half a unit in its own last place.
        half = 0.0 if law.nonlinearity.binary else 0.5 * np.spacing(np.abs(expected).astype(np.float32))
        assert (np.abs(xi - expected) <= half + 1e-15)[decided].all()
        assert decided.any()


@pytest.mark.parametrize(("coefficients", "D"), [("gaussian", 400), ("binary", 401), ("sparse", 400)])
def test_latent_fields_have_unit_variance(coefficients, D):
    law = RandomFeaturePatterns(coefficients=coefficients, L_train=5)
    sample = disorder.draw(law, N=200, P=100, D=D)
    power = np.mean([np.mean(disorder.latent(sample, mu) ** 2) for mu in range(100)])
    # Relative fluctuation about sqrt(2/(P N)) + sqrt(2/(P D)) < 0.02; five of them.
    assert abs(power - 1.0) < 0.1


def test_sparse_examples_have_exactly_L_active_features():
    law = RandomFeaturePatterns(coefficients="sparse", L_train=3)
    sample = disorder.draw(law, N=64, P=40, D=8)
    features = sample.features.astype(float)
    drawn = set()
    for mu in range(sample.P):
        weights, *_ = np.linalg.lstsq(features.T, disorder.latent(sample, mu) * math.sqrt(3), rcond=None)
        c = np.rint(weights)
        assert np.allclose(weights, c, atol=1e-9)
        assert sorted(np.abs(c).tolist()) == [0.0] * 5 + [1.0] * 3
        drawn.add(tuple(c))
    assert len(drawn) > 20  # signs and members vary


def test_dense_coefficients_have_their_law():
    N, D, P = 4096, 30, 400
    for coefficients, fourth in (("gaussian", 3.0), ("binary", 1.0)):
        sample = disorder.draw(RandomFeaturePatterns(coefficients=coefficients), N=N, P=P, D=D)
        features = sample.features.astype(float)
        x = np.array([disorder.latent(sample, mu) for mu in range(P)])
        c = np.linalg.lstsq(features.T, x.T * math.sqrt(D), rcond=None)[0]
        assert abs(c.mean()) < 5 / math.sqrt(c.size)
        assert abs((c**2).mean() - 1) < 5 * math.sqrt(2 / c.size)
        assert abs((c**4).mean() - fourth) < 5 * math.sqrt(96 / c.size)


def test_a_tie_takes_a_fair_random_sign():
    law = RandomFeaturePatterns(coefficients="sparse", L_train=2)
    sample = disorder.draw(law, N=5000, P=4, D=6)
    for mu in range(4):
        tied = disorder.latent(sample, mu) == 0
        assert 0.4 < tied.mean() < 0.6
        xi = disorder.example(sample, mu)
        assert set(np.unique(xi)) == {-1, 1}
        # Five standard errors of a fair coin.
        assert abs(xi[tied].mean()) < 5 / math.sqrt(tied.sum())


def test_a_user_nonlinearity_with_values_one_is_stored_as_bits():
    step = nonlinearity(lambda x: np.sign(x))
    law = RandomFeaturePatterns(nonlinearity=step, coefficients="binary")
    sample = disorder.draw(law, N=300, P=3, D=4)
    assert sample.dense is None
    assert set(np.unique(patterns(sample))) == {-1, 1}


@pytest.mark.parametrize("law", LAWS, ids=disorder.law_name)
def test_couplings_are_the_hebb_rule(law):
    for N, P in ((1, 1), (2, 3), (7, 5), (66, 70), (131, 300)):
        sample = disorder.draw(law, N=N, P=P, D=8)
        xi = patterns(sample).astype(float)
        expected = xi.T @ xi
        np.fill_diagonal(expected, 0.0)
        NJ = hebbian(sample)
        if sample.dense is None:
            assert NJ.dtype == np.int16
            assert np.array_equal(NJ, expected)
        else:
            assert np.allclose(NJ, expected, rtol=0, atol=1e-12 * P)
            assert np.array_equal(NJ, NJ.T)


def test_couplings_beyond_int16_are_int32_and_shrink_when_they_fit():
    sample = disorder.draw(IidPatterns(), N=5, P=40000)
    few = hebbian(sample)
    assert few.dtype == np.int16
    xi = patterns(sample).astype(np.int64)
    assert np.array_equal(few + np.diag([40000] * 5), xi.T @ xi)
    ordered = replace(sample, packed=np.full_like(sample.packed, 0b11111))
    NJ = hebbian(ordered)
    assert NJ.dtype == np.int32
    assert np.array_equal(NJ, 40000 * (1 - np.eye(5, dtype=int)))


def test_an_unseen_pattern_is_not_stored_up_to_a_sign():
    law = RandomFeaturePatterns(coefficients="sparse", L_train=3)
    rejected = 0
    for index in range(30):
        sample = disorder.draw(law, N=200, P=60, D=6, index=index)  # 80 triples up to a sign
        xi, redrawn = disorder.unseen(sample)
        rejected += redrawn
        overlaps = patterns(sample).astype(int) @ xi
        assert np.abs(overlaps).max() < sample.N
        for attempt in range(redrawn):
            seen = patterns(sample).astype(int) @ disorder.fresh(sample, attempt)
            assert np.abs(seen).max() == sample.N
    # A fresh triple is stored with probability 1 - (1 - 1/80)^60 = 0.53: about 34 of 64 draws.
    assert 10 < rejected < 80


def test_an_unseen_pattern_may_have_another_number_of_features():
    law = RandomFeaturePatterns(coefficients="sparse", L_train=3)
    sample = disorder.draw(law, N=101, P=10, D=8)
    xi, _ = disorder.unseen(sample, L=7)
    weights = np.abs(sample.features.astype(float) @ xi) / sample.N
    assert weights.max() < 0.75  # a majority of seven: each overlap is about 0.31


def test_no_unseen_pattern_is_one_sentence():
    law = RandomFeaturePatterns(coefficients="sparse", L_train=1)
    sample = disorder.draw(law, N=40, P=200, D=2)
    with pytest.raises(InvalidInput, match=r"already stored \(P = 200, D = 2\).*lower alpha"):
        disorder.unseen(sample)


def test_mixtures_are_majorities():
    sample = disorder.draw(RandomFeaturePatterns(), N=99, P=5, D=7)
    spins, members = disorder.mixture(sample, 5)
    assert np.array_equal(members, sample.features[:5])
    assert np.array_equal(spins, np.sign(members.sum(axis=0)))
    stored, members = disorder.mixture(disorder.draw(IidPatterns(), N=99, P=5), 3)
    assert np.array_equal(stored, np.sign(members.sum(axis=0)))
    for L in (2, 0, 9):
        with pytest.raises(InvalidInput, match=f"L = {L}"):
            disorder.mixture(sample, L)


def test_other_examples_see_a_stored_one_through_the_features():
    """At s = xi^1 the other examples have E (xi^mu.s)^2/N = 1 + kappa_1^4/alpha_D, not 1 (arcsine law)."""
    N, D, P, samples = 1000, 500, 40, 12
    values = []
    for index in range(samples):
        xi = patterns(disorder.draw(RandomFeaturePatterns(), N=N, P=P, D=D, index=index)).astype(float)
        values.append(np.mean((xi[1:] @ xi[0]) ** 2) / N)
    mean, error = np.mean(values), np.std(values, ddof=1) / math.sqrt(samples)
    expected = 1.0 + (2.0 / math.pi) ** 2 / (D / N)
    # Student with 11 degrees of freedom: |t| < 4.4 fails by chance with probability 1e-3; corrections are O(1/D).
    assert abs(mean - expected) < 4.4 * error + 5.0 / D
    assert mean - 1.0 > 4.4 * error


def test_real_valued_patterns_are_kept_with_their_values():
    sample = disorder.draw(RandomFeaturePatterns(nonlinearity=CUBIC), N=50, P=3, D=9)
    assert sample.packed is None
    assert np.allclose(disorder.example(sample, 1), disorder.latent(sample, 1) ** 3)
    first, block = next(iter(disorder.pattern_blocks(sample, rows=2)))
    assert first == 0
    assert block.shape == (2, 50)
