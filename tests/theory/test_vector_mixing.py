"""Vector features mixed by d x d matrices: loads, limits, and a literal simulation written for this alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from theory.errors import InvalidInput
from theory.models.random_features import RandomFeatures
from theory.models.vector_hopfield import VectorHopfield
from theory.models.vector_random_features import VectorRandomFeatures, kappa_1_squared
from theory.phase import threshold
from theory.states import solve
from theory.vector_channels import Channels


def mixed(*args, **values):
    return VectorRandomFeatures(*args, **values, mixing="matrix")


def known(solution):
    return {k: v for k, v in solution.order_parameters.items() if v is not None}


# --- loads and limits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variant", "channels"), [("tensor", 1), ("scalar", 4), ("phasor", 2)])
def test_features_count_d_squared_times(variant, channels):
    """The same effective loads are the same point, from numbers and matrices, and P/N and D/N follow."""
    reference = solve(VectorRandomFeatures(0.01, 0.5, 2, effective=True))
    here = solve(mixed(0.02 / channels, 1.0 / 4, 2, variant))
    assert known(here) == pytest.approx(known(reference), rel=1e-12)
    assert here.derived["alpha_effective"] == pytest.approx(0.01, rel=1e-15)
    assert here.derived["alpha_d_effective"] == pytest.approx(0.5, rel=1e-15)
    given = solve(mixed(0.01, 0.5, 2, variant, effective=True))
    assert given.derived["alpha_per_site"] == pytest.approx(0.02 / channels, rel=1e-15)
    assert given.derived["alpha_d_per_site"] == pytest.approx(0.25, rel=1e-15)
    assert (given.derived["channels"], given.derived["feature_channels"]) == (channels, 4)


@pytest.mark.parametrize("state", ["example", "feature"])
def test_lines_of_matrices_are_those_of_numbers_in_effective_loads(state):
    d, at = 3, {"alpha_d": 0.3 if state == "example" else 0.005}
    numbers = threshold(VectorRandomFeatures(**at, d=d, effective=True), state)
    matrices = threshold(mixed(**at, d=d, effective=True), state)
    sites = threshold(mixed(alpha_d=at["alpha_d"] / d, d=d), state)
    assert matrices.value == pytest.approx(numbers.value, rel=1e-12)
    assert sites.value == pytest.approx(d * numbers.value, rel=1e-11)
    back = threshold(mixed(alpha=sites.value, d=d), state, vary="alpha_d")
    assert back.value == pytest.approx(at["alpha_d"] / d, rel=1e-9)


def test_scalar_couplings_do_not_tell_matrices_from_numbers():
    at = (0.002, 0.3, 3, "scalar")
    assert known(solve(mixed(*at))) == pytest.approx(known(solve(VectorRandomFeatures(*at))), rel=1e-13)


@pytest.mark.parametrize("temperature", [0.0, 0.2])
@pytest.mark.parametrize("variant", ["tensor", "scalar"])
def test_matrices_of_one_component_are_numbers(variant, temperature):
    for at, state in (((0.07, 0.5), "example"), ((0.07, 0.5), "spin_glass"), ((1.0, 0.01), "feature")):
        here = solve(mixed(*at, 1, variant, temperature), state)
        there = solve(RandomFeatures(*at, temperature), state)
        assert known(here) == pytest.approx(known(there), rel=1e-11)
        assert here.free_energy == pytest.approx(there.free_energy, rel=1e-12)


def test_many_features_are_the_vector_hopfield_model():
    assert threshold(mixed(alpha_d=1e9, d=3)).value == pytest.approx(threshold(VectorHopfield(d=3)).value, rel=1e-8)
    few = threshold(mixed(alpha=1e9, d=3), "feature", vary="alpha_d").value
    assert few == pytest.approx(threshold(VectorHopfield(d=3)).value / 9, rel=1e-7)


def test_learning_takes_d_squared_times_the_examples_per_feature():
    """At the same effective load of features the ratio P/D of matrices is d^2 that of numbers."""
    numbers = threshold(VectorRandomFeatures(alpha_d=0.012, d=2), "feature").value / 0.012
    matrices = threshold(mixed(alpha_d=0.003, d=2), "feature").value / 0.003
    assert matrices == pytest.approx(4 * numbers, rel=1e-10)


def test_the_unit_of_temperature_knows_the_channels():
    model = mixed(90.0, 0.01, 3, temperature=0.0)
    assert model.temperature_unit() == pytest.approx(1000.0 * float(kappa_1_squared(3)))
    assert replace(model, mixing="scalar").temperature_unit() == pytest.approx(9000.0 * float(kappa_1_squared(3)))


def test_loads_are_told_with_both_numbers_of_channels():
    said = mixed(0.05, 1.0, 2).convention()
    assert "n_ch = 1 of examples and 4 of features" in said
    assert "alpha = 0.025, alpha_d = 2," in said
    assert "n_ch = 4;" in mixed(0.05, 1.0, 2, "scalar").convention()
    assert Channels.of(2, "tensor", "matrix", effective=True).per_ratio == 1.0


def test_bad_mixings_are_refused_in_one_sentence():
    with pytest.raises(InvalidInput, match="did you mean 'matrix'"):
        VectorRandomFeatures(mixing="matrx")


# --- literal samples ----------------------------------------------------------------------------------------------


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def rotations(rng, shape, d):
    q, r = np.linalg.qr(rng.normal(size=(*shape, d, d)))
    return q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]


def sample(d, N, P, D, law, rng):
    """Features, latent fields and examples; all vectors have length sqrt(d)."""
    f = np.sqrt(d) * unit(rng.normal(size=(D, N, d)))
    C = rotations(rng, (P, D), d) if law == "rotations" else rng.normal(size=(P, D, d, d)) / np.sqrt(d)
    rows, columns = C.transpose(0, 2, 1, 3).reshape(P * d, D * d), f.transpose(0, 2, 1).reshape(D * d, N)
    x = (rows @ columns).reshape(P, d, N).transpose(0, 2, 1) / np.sqrt(D)
    return f, x, np.sqrt(d) * unit(x)


def couplings(xi, variant):
    """(N, d, N d) array."""
    P, N, d = xi.shape
    if variant == "tensor":
        J = (xi.reshape(P, N * d).T @ xi.reshape(P, N * d) / (d * N)).reshape(N, d, N, d)
    elif variant == "scalar":
        J = np.einsum("ij,ab->iajb", np.einsum("pic,pjc->ij", xi, xi, optimize=True) / N, np.eye(d))
    else:
        z = (xi[..., 0] + 1j * xi[..., 1]) / np.sqrt(2)
        G = z.T @ z.conj() / N
        turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        J = np.einsum("ij,ab->iajb", G.real, np.eye(2)) + np.einsum("ij,ab->iajb", G.imag, turn)
    J[np.arange(N), :, np.arange(N), :] = 0.0
    return np.ascontiguousarray(J.reshape(N, d, N * d))


def quenched(J, start, rng, sweeps=400):
    """Spins aligned with their fields one after the other, in a new random order every sweep."""
    s = start.copy()
    N, d = s.shape
    flat = s.reshape(-1)
    for _ in range(sweeps):
        turned = 0.0
        for i in rng.permutation(N):
            new = math.sqrt(d) * unit(J[i] @ flat)
            turned = max(turned, float(np.abs(new - s[i]).max()))
            s[i] = new
        if turned < 1e-5:
            break
    return s


def energy(J, s):
    """Per component."""
    return -0.5 * float((s * (J.reshape(s.size, -1) @ s.ravel()).reshape(s.shape)).sum()) / s.size


def overlap(a, s, variant):
    """Up to the global rotations that the couplings ignore."""
    whole = a.T @ s / len(s)
    if variant == "tensor":
        return abs(float(np.trace(whole))) / a.shape[1]
    if variant == "phasor":
        return math.hypot(np.trace(whole), whole[0, 1] - whole[1, 0]) / 2
    return float(np.linalg.svd(whole)[1].mean())


@pytest.mark.parametrize("law", ["gaussian", "rotations"])
@pytest.mark.parametrize("variant", ["tensor", "scalar", "phasor"])
def test_noise_of_other_examples_at_an_example_follows_from_the_channels(variant, law):
    """At s = xi the mean square of a channel is ``1 + kappa_1^4/alpha_d``, with alpha_d = d D/N effective."""
    d, N, P, D = 2, 1500, 240, 150
    _, _, xi = sample(d, N, P, D, law, np.random.default_rng(7))
    whole = np.einsum("pia,ib->pab", xi[1:], xi[0], optimize=True) / math.sqrt(N)
    if variant == "tensor":
        u = np.trace(whole, axis1=1, axis2=2) / math.sqrt(d)
    elif variant == "phasor":
        turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        u = np.stack([np.einsum("pab,ab->p", whole, e) for e in (np.eye(2), turn)], axis=1) / math.sqrt(2)
    else:
        u = whole.reshape(P - 1, -1)
    square = (u**2).reshape(P - 1, -1).mean(axis=1)
    expected = 1 + float(kappa_1_squared(d)) ** 2 * N / (d * D)
    assert abs(square.mean() - expected) < 5 * square.std() / math.sqrt(P - 1)
    assert square.std() / math.sqrt(P - 1) < 0.12 * expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "law", "loads", "N"),
    [
        ("tensor", "gaussian", (0.015, 0.2), 2000),
        ("tensor", "rotations", (0.015, 0.2), 2000),
        ("phasor", "gaussian", (0.006, 0.2), 2000),
        ("scalar", "rotations", (0.008, 1.0), 1500),
    ],
)
def test_stored_examples_of_features_mixed_by_matrices(variant, law, loads, N):
    """Overlaps, power of the features and energy; with numbers in place of matrices tensor couplings store nothing."""
    d, (P, D) = 2, (round(load * N) for load in loads)
    expected = solve(mixed(*loads, d, variant))
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        f, x, xi = sample(d, N, P, D, law, rng)
        J = couplings(xi, variant)
        s = quenched(J, xi[0], rng)
        power = float((np.einsum("kib,ia->kab", f, s, optimize=True) ** 2).mean()) / N
        found.append((overlap(xi[0], s, variant), overlap(x[0], s, variant), power, energy(J, s)))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    theory = [expected.order_parameters[k] for k in ("m", "t", "p_d")] + [expected.free_energy]
    assert (error < (0.003, 0.006, 0.04, 0.003)).all()
    assert (np.abs(mean - theory) < 5 * error).all()  # Student's t of 11 degrees: 4e-4 a number
    if variant == "tensor":
        assert solve(replace(mixed(*loads, d), mixing="scalar"), throw=False).free_energy is None


@pytest.mark.slow
def test_learnt_features_turned_at_will():
    """A feature is an attractor up to any rotation, although tensor couplings have no symmetry."""
    d, N, loads = 2, 600, (6.0, 0.01)
    P, D = (round(load * N) for load in loads)
    expected = solve(mixed(P / N, D / N, d), "feature")
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        f, _, xi = sample(d, N, P, D, "gaussian", rng)
        J = couplings(xi, "tensor")
        s = quenched(J, f[0] @ rotations(rng, (), d), rng)
        found.append(overlap(f[0], s, "scalar"))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.01
    assert abs(np.mean(found) - expected.order_parameters["m"]) < 5 * error


@pytest.mark.slow
def test_self_overlaps_of_stored_examples_are_isotropic_up_to_fluctuations():
    """Their anisotropy is of order N^{-1/2}, with the same factor at N and 4 N."""
    found = {}
    for N in (400, 1600):
        out = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            f = np.sqrt(2) * unit(rng.normal(size=(round(0.5 * N), N, 2)))
            xi = np.sqrt(2) * unit(np.tensordot(rng.normal(size=(1 + round(0.0075 * N), len(f))), f, 1))
            s = quenched(couplings(xi, "scalar"), xi[0], rng)
            out.append((np.linalg.eigvalsh(s.T @ s / N)[1] - 1) * np.sqrt(N))
        found[N] = np.mean(out)
    assert found[400] < 6.0
    assert found[1600] < 6.0  # 12 if the order stayed
