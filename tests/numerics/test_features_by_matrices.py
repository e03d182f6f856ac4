"""Features mixed by d x d matrices: samples against sums written out, channels, gauges, and agreement with theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ortho_group

import spinodal as sp
from numerics import pattern_draws, rng, vector_disorder
from numerics.alignment import align
from numerics.observables import Condensed
from numerics.task import task
from numerics.vector_disorder import draw, example, feature, latent, law_name, random_vectors, unit, unseen
from numerics.vector_interactions import vector_interactions
from numerics.vector_observables import gauge, measure
from numerics.vector_starts import named_start
from theory.ensembles import VectorRandomFeaturePatterns
from theory.errors import InvalidInput
from theory.models.vector_random_features import kappa_1_squared

# A pattern of features mixed by numbers, as it was before there were matrices.
SCALAR = (0.9185718, -0.3952541, -0.9422203, -0.3349939, 0.8110786, -0.5849372)


def law(d, coefficients="gaussian", L_train=3):
    return VectorRandomFeaturePatterns(d, coefficients, L_train, "matrix")


def entries(sample, purpose="coefficients"):
    """(P, D, d, d) entries of unit variance, from their streams."""
    key, size = rng.stream(*sample.name, purpose), sample.D * sample.d**2
    shape = (sample.P, sample.D, sample.d, sample.d)
    if sample.law.coefficients == "binary":
        return rng.signs(key, rows=sample.P, columns=size).reshape(shape).astype(float)
    return np.rint(rng.gaussians(key, rows=sample.P, columns=size).reshape(shape) * 2.0**16) / 2.0**16


@pytest.mark.parametrize("coefficients", ["gaussian", "binary"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_latent_fields_are_features_times_matrices(d, coefficients):
    sample = draw(law(d, coefficients), N=40, P=4, D=7, seed=2)
    x = np.einsum("mkab,kib->mia", entries(sample) / math.sqrt(d), sample.features.astype(float)) * math.sqrt(d / 7)
    for mu in range(4):
        assert np.allclose(latent(sample, mu), x[mu], rtol=0, atol=1e-13)
        assert np.allclose(example(sample, mu), unit(x[mu]), atol=1e-6)


def test_sparse_examples_have_as_many_matrices_as_active_features():
    sample = draw(law(2, "sparse", 3), N=30, P=6, D=9)
    c = vector_disorder._coefficients(
        sample, sample.law, rng.stream(*sample.name, "coefficients"), "coefficients", 0, 6
    ).reshape(6, 9, 4)
    assert ((np.abs(c) == 1.0).all(axis=2).sum(axis=1) == 3).all()
    assert (np.abs(c).sum(axis=(1, 2)) == 12).all()


def test_blocks_do_not_change_what_is_drawn(monkeypatch):
    whole = draw(law(3), N=70, P=9, D=40)
    monkeypatch.setattr(pattern_draws, "BLOCK", 1000)
    assert np.array_equal(draw(law(3), N=70, P=9, D=40).patterns, whole.patterns)


def test_latent_fields_are_isotropic_and_make_the_constants_of_theory():
    """Five standard errors of P D d^2 coefficients."""
    d, P, D, N = 3, 40, 300, 300
    sample = draw(law(d), N=N, P=P, D=D)
    x = np.array([latent(sample, mu) for mu in range(P)])
    assert np.allclose(np.einsum("mia,mib->ab", x, x) / (P * N), np.eye(d), atol=5 * math.sqrt(2 / (P * D)))
    first = np.einsum("mia,mia->", sample.patterns.astype(float), x) / (P * N * math.sqrt(d))
    assert abs(first - math.sqrt(kappa_1_squared(d))) < 5 / math.sqrt(P * D) + 1 / D


def test_streams_of_numbers_are_not_those_of_matrices_and_stay_as_they_are():
    numbers = VectorRandomFeaturePatterns(2)
    assert law_name(numbers) == "vector-random-features/2/gaussian"
    sample, other = (draw(made, N=3, P=1, D=2) for made in (numbers, law(2)))
    assert not np.allclose(sample.features, other.features)
    assert sample.patterns[0].ravel() == pytest.approx(SCALAR, abs=1e-6)


def test_unknown_mixings_are_refused():
    with pytest.raises(InvalidInput, match="did you mean 'matrix'"):
        VectorRandomFeaturePatterns(2, mixing="matrx")


# --- channels and gauges ------------------------------------------------------------------------------------------


def prepared(kind, d, start, **options):
    model = sp.VectorRandomFeatures(0.1, 0.1, d, kind, mixing="matrix")
    plan = task(model, 60, start=start, **options)
    sample = draw(plan.law, N=60, P=plan.P, D=plan.D)
    return sample, *named_start(sample, plan)[:2], vector_interactions(sample.patterns, kind=kind)


@pytest.mark.parametrize(("kind", "d"), [("tensor", 2), ("tensor", 3), ("scalar", 3), ("phasor", 2)])
def test_features_have_d_squared_channels_whatever_the_couplings(kind, d):
    sample, start, condensed, couplings = prepared(kind, d, "feature")
    s = random_vectors(rng.stream("state"), N=60, d=d)
    row = measure(sample, couplings, s, energy=0.0, start=start, condensed=condensed)
    w = np.einsum("ia,kib->kab", s, sample.features.astype(float)) * d / math.sqrt(60)
    assert row["p_d"] == pytest.approx((w**2).mean(), rel=1e-5)


@pytest.mark.parametrize(("kind", "d"), [("tensor", 2), ("tensor", 3), ("scalar", 3), ("phasor", 2)])
@pytest.mark.parametrize("start", ["feature", "mixture", "unseen"])
def test_states_of_features_are_the_same_in_any_direction(kind, d, start):
    """Reflections included; a stored example is one direction where couplings are."""
    sample, begin, condensed, couplings = prepared(kind, d, start, **({"L": 2} if start == "mixture" else {}))
    turn = ortho_group.rvs(d, random_state=1)
    rows = [
        measure(sample, couplings, s, energy=0.0, start=begin, condensed=condensed) for s in (begin, begin @ turn.T)
    ]
    for name in ("overlap", "m", "p_d"):
        assert rows[1][name] == pytest.approx(rows[0][name], rel=1e-5)
    assert rows[0]["overlap"] == pytest.approx(1.0)


def test_members_of_a_mixture_have_a_gauge_each():
    sample, begin, condensed, couplings = prepared("tensor", 2, "mixture", L=2)
    a, b = condensed.members
    turned = unit(a + b @ ortho_group.rvs(2, random_state=3).T)
    row = measure(sample, couplings, turned, energy=0.0, start=begin, condensed=condensed)
    each = [np.linalg.svd(f.T @ turned / 60, compute_uv=False).sum() for f in (a, b)]
    assert row["m"] == pytest.approx(np.mean(each), rel=1e-12)
    assert row["m"] > 0.5


def test_stored_examples_have_the_gauge_of_their_couplings():
    sample, _, condensed, _ = prepared("tensor", 2, "example")
    assert gauge(sample, "tensor", condensed) == "tensor"
    assert gauge(sample, "tensor", Condensed(np.empty((0, 60, 2)))) == "tensor"
    assert gauge(sample, "phasor", Condensed(feature(sample, 0)[None])) == "scalar"
    scalar = draw(VectorRandomFeaturePatterns(2), N=60, P=3, D=4)
    assert gauge(scalar, "tensor", Condensed(feature(scalar, 0)[None])) == "tensor"


def test_unseen_examples_are_new():
    sample = draw(law(2, "sparse", 1), N=30, P=5, D=3)
    pattern, _ = unseen(sample)
    assert np.abs(np.concatenate([sample.patterns, -sample.patterns]) - pattern).max(axis=(1, 2)).min() > 1e-3


@pytest.mark.parametrize("start", ["example", "feature", "mixture", "unseen", "random"])
@pytest.mark.parametrize("temperature", [0.0, 0.2])
def test_every_start_runs(start, temperature):
    model = sp.VectorRandomFeatures(0.1, 0.1, 2, "tensor", temperature, mixing="matrix")
    options = {"sweeps": 16, "replicas": 2} if temperature else {}
    record = sp.simulate(model, 60, start=start, L=2 if start == "mixture" else None, samples=2, **options)
    assert record.parameters["mixing"] == "matrix"
    assert 0.0 <= record["m" if temperature else "overlap"].value <= 1.0 + 1e-12


def test_a_condensed_feature_settles_where_its_sample_is_strongest():
    """theory.vector_channels: the direction of the top eigenvector of P^-1 sum_mu C_1^mu over rotations of the plane.

    The other features turn it away by an angle that varies between samples.  Of directions drawn at random the sum
    below exceeds 10 three times in 10^4.
    """
    aligned = []
    model = sp.VectorRandomFeatures(6.0, 0.01, 2, "tensor", mixing="matrix")
    plan = task(model, 300, start="feature")
    for index in range(12):
        sample = draw(plan.law, N=300, P=plan.P, D=plan.D, index=index)
        c, f = entries(sample)[:, 0], feature(sample, 0)
        by_angle = np.stack([c[:, 0, 0] + c[:, 1, 1], c[:, 1, 0] - c[:, 0, 1]], axis=1)
        strongest = np.linalg.eigh(by_angle.T @ by_angle)[1][:, 1]
        end = align(vector_interactions(sample.patterns, kind="tensor"), f).spins
        left, overlap, right = np.linalg.svd(end.T @ f / 300)
        turn = left @ right
        assert overlap.sum() > 0.8  # it stayed
        aligned.append((turn[:, 0] @ strongest) ** 2)
    assert sum(aligned) > 10.0


@pytest.mark.parametrize(("d", "D"), [(2, 20), (3, 15)])
def test_a_feature_has_more_power_in_examples_of_few_features(d, D):
    """kappa_1^2 (1 + 3/(2 (d+2) D)), five standard errors of the features' draws and the next order 1/D^2."""
    found = []
    for index in range(6):
        sample = draw(VectorRandomFeaturePatterns(d), N=1000, P=100, D=D, index=index)
        # Halves of the sites are independent: the product of their overlaps has no bias.
        halves = [
            sample.patterns[:, s].reshape(100, -1).astype(float) @ sample.features[:, s].reshape(D, -1).T / 500
            for s in (slice(0, 500), slice(500, 1000))
        ]
        found.append((halves[0] * halves[1]).sum(axis=1).mean() / float(kappa_1_squared(d)))
    error = np.std(found, ddof=1) / math.sqrt(6)
    expected = 1.0 + 3.0 / (2.0 * (d + 2) * D)
    assert abs(np.mean(found) - expected) < 5 * error + 1.0 / D**2


# --- theory -------------------------------------------------------------------------------------------------------

EXAMPLES = [(0.015, 0.2, "tensor"), (0.006, 0.2, "phasor"), (0.008, 1.0, "scalar")]


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "alpha_d", "variant"), EXAMPLES)
def test_examples_are_those_of_theory(alpha, alpha_d, variant):
    model = sp.VectorRandomFeatures(alpha, alpha_d, 2, variant, mixing="matrix")
    assert sp.validate(model, N=(1000, 2000), samples=32).verdict == "agrees"


@pytest.mark.slow
def test_warm_examples_are_those_of_theory():
    model = sp.VectorRandomFeatures(0.015, 0.2, 2, "tensor", 0.2, mixing="matrix")
    assert sp.validate(model, N=(250, 500), samples=24, sweeps=1000).verdict == "agrees"
