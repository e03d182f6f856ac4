"""Predictions for vector random features against a literal zero-temperature simulation written for this alone."""

from __future__ import annotations

import numpy as np
import pytest

from theory.models.vector_random_features import VectorRandomFeatures
from theory.states import solve


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def network(d, N, P, D, variant, rng):
    """Features, latent fields, examples and the (N, d, N, d) couplings; all vectors have length sqrt(d)."""
    f = np.sqrt(d) * unit(rng.normal(size=(D, N, d)))
    x = np.tensordot(rng.normal(size=(P, D)), f, 1) / np.sqrt(D)
    xi = np.sqrt(d) * unit(x)
    if variant == "tensor":
        J = np.einsum("pia,pjb->iajb", xi, xi, optimize=True) / (d * N)
    elif variant == "scalar":
        J = np.einsum("pic,pjc,ab->iajb", xi, xi, np.eye(d), optimize=True) / N
    else:
        z = (xi[..., 0] + 1j * xi[..., 1]) / np.sqrt(2)
        G = z.T @ z.conj() / N
        turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        J = np.einsum("ij,ab->iajb", G.real, np.eye(2)) + np.einsum("ij,ab->iajb", G.imag, turn)
    J[np.arange(N), :, np.arange(N), :] = 0.0
    return f, x, xi, J


def quenched(J, s, rng, sweeps=300):
    """Align spins with their fields one after the other, in a new random order every sweep."""
    N, d = s.shape
    rows, s = J.reshape(N, d, N * d), s.copy()
    for _ in range(sweeps):
        turned = 0.0
        for i in rng.permutation(N):
            new = np.sqrt(d) * unit(rows[i] @ s.ravel())
            turned = max(turned, float(np.abs(new - s[i]).max()))
            s[i] = new
        if turned < 1e-5:
            break
    return s


def overlap(a, s, variant):
    """Rotation-invariant overlap per component: variants differ in the global rotations they ignore."""
    whole = a.T @ s / len(s)
    if variant == "tensor":
        return abs(np.trace(whole)) / a.shape[1]
    if variant == "phasor":
        return np.hypot(np.trace(whole), whole[0, 1] - whole[1, 0]) / 2
    return np.linalg.svd(whole)[1].mean()


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "channels"), [("tensor", 1), ("phasor", 2)])
def test_stored_examples_of_planar_spins(variant, channels):
    d, N, loads = 2, 1000, (0.008, 1.0)
    P, D = (round(load * d * N / channels) for load in loads)
    expected = solve(VectorRandomFeatures(*loads, d, variant, effective=True)).order_parameters
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        f, x, xi, J = network(d, N, P, D, variant, rng)
        s = quenched(J, xi[0], rng)
        power = np.mean([overlap(g, s, variant) ** 2 for g in f]) * d * N / channels
        found.append((overlap(xi[0], s, variant), overlap(x[0], s, variant), power))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (error < (0.01, 0.02, 0.05)).all()
    assert (np.abs(mean - [expected[k] for k in ("m", "t", "p_d")]) < 4 * error).all()


@pytest.mark.slow
def test_learnt_features_of_planar_spins():
    d, N, loads = 2, 500, (1.5, 0.01)
    expected = solve(VectorRandomFeatures(*loads, d, effective=True), "feature").order_parameters
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        f, _, _, J = network(d, N, round(loads[0] * d * N), round(loads[1] * d * N), "tensor", rng)
        found.append(overlap(f[0], quenched(J, f[0], rng), "tensor"))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.01
    assert abs(np.mean(found) - expected["m"]) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize(("d", "L"), [(1, 3), (2, 2), (2, 3), (3, 2)])
def test_equal_mixtures_last_for_signs_and_decay_into_one_feature_for_vectors(d, L):
    rng = np.random.default_rng(d + L)
    f, _, _, J = network(d, 500, 3000, L, "tensor", rng)
    mixture = np.sqrt(d) * unit(f[:L].sum(0))
    overlaps = [overlap(g, quenched(J, mixture, rng), "tensor") for g in f[:L]]
    if d == 1:
        assert np.ptp(overlaps) < 0.1
    else:
        assert max(overlaps) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "L", "alpha_d"),
    [("tensor", 2, 0.004), ("tensor", 3, 0.006), ("scalar", 2, 0.012), ("phasor", 2, 0.006)],
)
def test_equal_mixtures_among_many_examples_and_features_flow_to_one_feature(variant, L, alpha_d):
    """Below the spinodal of features, whether or not the symmetric saddle exists; never to an unequal mixture."""
    d, N, channels = 2, 500, {"tensor": 1, "scalar": 4, "phasor": 2}[variant]
    P, D = round(1.5 * d * N / channels), round(alpha_d * d * N / channels)
    expected = solve(VectorRandomFeatures(1.5, alpha_d, d, variant, effective=True), "feature").order_parameters["m"]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        f, _, _, J = network(d, N, P, D, variant, rng)
        s = quenched(J, np.sqrt(d) * unit(f[:L].sum(0)), rng)
        overlaps = sorted((overlap(g, s, variant) for g in f), reverse=True)
        assert overlaps[0] > expected - 0.04
        assert overlaps[1] < 0.3


def test_relative_rotations_of_features_are_degenerate_with_scalar_couplings():
    """Mixtures of f_1 and R f_2 differ by ``tr R c_1.c_2``, of order P^{-1/2} in a sample, up to N^{-1/2}."""
    d, N, P, D = 2, 6000, 80, 20
    angles = 2 * np.pi * np.arange(8) / 8
    traces, shares = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        f = np.sqrt(d) * unit(rng.normal(size=(D, N, d)))
        c = rng.normal(size=(P, D))
        xi = np.sqrt(d) * unit(np.tensordot(c, f, 1) / np.sqrt(D))
        energies = []
        for angle in angles:
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            s = np.sqrt(d) * unit(f[0] + f[1] @ turn.T)
            energies.append(-0.5 * (np.einsum("pia,ib->pab", xi, s, optimize=True) ** 2).sum() / (d * N * N))
        wave = np.fft.rfft(energies) / len(angles)
        traces.append((2 * wave[1].real / wave[0].real, 2 * c[:, 0] @ c[:, 1] / (c[:, :2] ** 2).sum()))
        shares.append(np.abs(wave[2:]).max() / abs(wave[0]))
    got, predicted = np.array(traces).T
    assert np.abs(got).max() < 5 / np.sqrt(P)
    assert got == pytest.approx(predicted, abs=5 / np.sqrt(N))
    assert np.ptp(predicted) > 2 * 5 / np.sqrt(N)  # so that it could fail
    assert max(shares) < 0.02
