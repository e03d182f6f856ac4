"""Observables of vectors: against sums written out, under global rotations, and starts with a given overlap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ortho_group, special_ortho_group

from numerics import rng
from numerics.task import task
from numerics.vector_disorder import draw, example, feature, latent, random_vectors
from numerics.vector_interactions import KINDS, vector_interactions
from numerics.vector_observables import aligning, channels, measure, overlaps, own_power, powers, replica_overlaps
from numerics.vector_starts import corrupted, named_start
from theory.ensembles import VectorRandomFeaturePatterns
from theory.models.vector_hopfield import VectorHopfield
from theory.models.vector_random_features import VectorRandomFeatures

CASES = [("tensor", 1), ("tensor", 3), ("scalar", 1), ("scalar", 3), ("phasor", 2)]


def state(N, d, lane=0):
    return random_vectors(rng.stream("state"), N=N, d=d, row=lane)


def turned(kind, d, seed):
    """A global rotation that couplings of this kind cannot tell."""
    if kind == "tensor":
        return -np.eye(d)
    if kind == "phasor":
        return special_ortho_group.rvs(2, random_state=seed)
    return ortho_group.rvs(d, random_state=seed) if d > 1 else -np.eye(1)


def literal_power(kind, pattern, s):
    """The sum over the real channels of one pattern over their number, vectors of length sqrt(d)."""
    N, d = s.shape
    a, b = math.sqrt(d) * pattern, math.sqrt(d) * s
    if kind == "tensor":
        return sum(a[i] @ b[i] for i in range(N)) ** 2 / (d * N)
    if kind == "scalar":
        U = sum(np.outer(a[i], b[i]) for i in range(N)) / math.sqrt(N)
        return (U**2).mean()
    u = sum(complex(*a[i]).conjugate() * complex(*b[i]) for i in range(N)) / math.sqrt(2 * N)
    return (u.real**2 + u.imag**2) / 2


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_powers_are_the_sums_over_channels(kind, d):
    sample = draw(VectorRandomFeaturePatterns(d), N=30, P=5, D=4)
    states = np.stack([state(30, d, r) for r in range(3)])
    found = powers(kind, sample.patterns, states)
    expected = [[literal_power(kind, xi, s) for s in states] for xi in sample.patterns.astype(float)]
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_a_random_state_has_power_one_per_channel(kind, d):
    """5 standard errors of 400 chi-squared numbers of n channels; f isotropic, as uncondensed theory has p_d = 1."""
    sample = draw(VectorRandomFeaturePatterns(d), N=200, P=1, D=400)
    assert sample.features is not None
    mean = powers(kind, sample.features, state(200, d)[None]).mean()
    assert abs(mean - 1.0) < 5 * math.sqrt(2 / (400 * channels(kind, d))) + 5 / 200


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_powers_sum_to_what_the_energy_says(kind, d):
    for P in (1, 3, 6):  # fewer patterns than components, and more
        sample = draw(VectorRandomFeaturePatterns(d), N=40, P=P, D=5)
        states = np.stack([example(sample, P - 1), state(40, d)])
        energy = vector_interactions(sample.patterns, kind=kind).energy(states)
        per_energy, own = own_power(sample, kind)
        total = powers(kind, sample.patterns, states).sum(axis=0)
        assert np.allclose(own(states) - per_energy * energy, total, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_observables_do_not_see_the_global_rotations_that_couplings_do_not_see(kind, d):
    sample = draw(VectorRandomFeaturePatterns(d), N=60, P=5, D=4)
    plan = task(VectorRandomFeatures(0.1, 0.07, d, kind), 60)
    start, condensed, _ = named_start(sample, plan)
    near = corrupted(start, task(VectorRandomFeatures(0.1, 0.07, d, kind), 60, overlap=0.7), rng.stream("near"))
    couplings = vector_interactions(sample.patterns, kind=kind)
    rows = []
    for R in (np.eye(d), turned(kind, d, 1), turned(kind, d, 2)):
        spins = near @ R.T
        energy = float(couplings.energy(spins))
        rows.append(measure(sample, couplings, spins, energy=energy, start=start, condensed=condensed))
    signed = ("overlap", "m", "t") if kind == "tensor" else ()
    for other in rows[1:]:
        for name, value in rows[0].items():
            assert (-other[name] if name in signed else other[name]) == pytest.approx(value, rel=1e-5, abs=1e-7)
    assert rows[0]["m"] == pytest.approx(rows[0]["overlap"], rel=1e-12)


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_the_aligning_rotation_is_the_best_of_many(kind, d):
    start, s = state(50, d), 0.3 * state(50, d) + state(50, d, 1)
    rotation, overlap = aligning(kind, start, s[None])
    whole = np.einsum("na,na->", start, s @ rotation[0].T) / 50
    assert whole == pytest.approx(overlap[0])
    assert np.allclose(rotation[0] @ rotation[0].T, np.eye(d))
    if kind != "tensor":
        others = [np.einsum("na,na->", start, s @ turned(kind, d, k).T) / 50 for k in range(200)]
        assert max(others) <= whole + 1e-12


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_overlaps_of_replicas(kind, d):
    s = np.stack([state(40, d, r) for r in range(3)])
    found = replica_overlaps(kind, s)
    for k, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        plain = np.einsum("na,na->", s[a], s[b]) / 40
        assert found[k] >= plain - 1e-12
        if kind == "tensor":
            assert found[k] == pytest.approx(plain)
        rotation, best = aligning(kind, s[a], s[b][None])
        assert found[k] == pytest.approx(best[0])
        assert overlaps(s[a][None], s[b][None], rotation)[0, 0] == pytest.approx(best[0])


def test_a_condensed_example_is_measured_in_the_normalisation_of_theory():
    """At the pattern itself m = 1, t is E|x|/sqrt(d) = kappa_1; at a feature p_d is at least d N m^2/(D n_ch)."""
    N, d = 4000, 3
    sample = draw(VectorRandomFeaturePatterns(d), N=N, P=3, D=300)
    for kind in ("tensor", "scalar"):
        plan = task(VectorRandomFeatures(3 / N, 300 / N, d, kind), N)
        start, condensed, _ = named_start(sample, plan)
        couplings = vector_interactions(sample.patterns, kind=kind)
        row = measure(sample, couplings, start, energy=0.0, start=start, condensed=condensed)
        assert row["m"] == pytest.approx(1.0)
        # |x|/sqrt(d) has a standard deviation of 0.39 at d = 3; x of 300 features is Gaussian to 1e-3.
        assert abs(row["t"] - math.sqrt(8 / (3 * math.pi))) < 5 * 0.39 / math.sqrt(N) + 1e-3
        assert row["t"] == pytest.approx(np.linalg.norm(latent(sample, 0), axis=1).mean() / math.sqrt(d), rel=1e-6)
        assert powers(kind, sample.features[:1], feature(sample, 0)[None])[0, 0] == pytest.approx(
            d * N / channels(kind, d), rel=0.05 if kind == "scalar" else 1e-5
        )


@pytest.mark.parametrize("d", [1, 2, 3, 8])
@pytest.mark.parametrize("m0", [0.0, 0.3, 0.95, 1.0])
def test_a_start_has_its_overlap_at_every_site(d, m0):
    N = 2000
    plan = task(VectorHopfield(alpha=0.01, d=d), N, overlap=m0)
    start = state(N, d)
    s = corrupted(start, plan, rng.stream("start"))
    at_site = np.einsum("na,na->n", start, s)
    assert np.allclose(np.linalg.norm(s, axis=1), 1.0)
    assert at_site.mean() == pytest.approx(m0, abs=1e-12)
    if d > 1:
        assert np.allclose(at_site, m0, atol=1e-12)
        across = s - at_site[:, None] * start  # independent directions: their mean is of order N^-1/2
        assert np.linalg.norm(across.mean(axis=0)) < 5 / math.sqrt(N)
    other = corrupted(start, plan, rng.stream("start"), lane=1)
    assert (m0 == 1.0) == np.array_equal(s, other)


def test_channels_are_those_of_theory():
    for kind in KINDS:
        d = 2 if kind == "phasor" else 5
        assert channels(kind, d) == VectorRandomFeatures(d=d, variant=kind).channels.examples
