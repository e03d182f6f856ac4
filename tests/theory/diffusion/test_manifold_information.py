"""Information of data on a nonlinear manifold: the linear case, independent components, I-MMSE, exact small systems."""

from __future__ import annotations

import math

import numpy as np
import pytest

from theory.diffusion.collapse import collapse
from theory.diffusion.information import linear_manifold_information
from theory.diffusion.latent_channel import normalised
from theory.diffusion.manifold_information import _averages, manifold_information
from theory.errors import InvalidInput, NotConverged
from theory.problem import Status


@pytest.mark.parametrize(("gamma", "snr"), [(0.25, 0.5), (0.25, 30.0), (1.0, 1e-3), (1.0, 5.0), (3.0, 1.0)])
def test_linear_manifolds_are_marchenko_pastur(gamma, snr):
    found = manifold_information(gamma, "linear")(snr)
    assert found.value == pytest.approx(linear_manifold_information(gamma)(snr).value, abs=1e-12)
    assert found.error < 1e-10


def test_many_latent_directions_are_independent_components():
    act = normalised("tanh").function
    u = np.linspace(-9, 9, 801)
    w = np.exp(-u * u / 2)
    w /= w.sum()
    snr, y = 2.0, np.linspace(-13, 13, 1601)
    p = np.exp(-0.5 * (y[:, None] - math.sqrt(snr) * act(u)) ** 2) @ w / math.sqrt(2 * math.pi)
    alone = -float(np.sum(p * np.log(p))) * (y[1] - y[0]) - 0.5 * math.log(2 * math.pi * math.e)
    one, two = (manifold_information(g, "tanh")(snr).value - alone for g in (500.0, 1000.0))
    assert one == pytest.approx(2 * two, rel=1e-2)  # the correction is of order 1/gamma
    assert abs(2 * two - one) < 1e-6


def test_weak_noise_free_limit_counts_every_component():
    """I = snr/2 at first order, whatever the manifold, since E act^2 = 1."""
    for act in ("tanh", "relu"):
        mean = normalised(act).kappa_0
        found = manifold_information(0.5, act)(1e-5).value
        assert found == pytest.approx(0.5e-5 * (1 - mean**2), rel=2e-4)


@pytest.mark.slow
def test_exact_small_systems_approach_it():
    """I/N of D = 1, 2, 3 latent directions by quadrature over z, averaged over F and y; 1/D extrapolated.

    The same F, z and noise with a linear activation are the control: their information is a determinant.
    """
    gamma, snr, wave = 0.5, 0.8, lambda x: np.sin(2.0 * x)
    act = normalised(wave).function
    nodes, weights = np.polynomial.hermite_e.hermegauss(26)
    weights = weights / weights.sum()
    rng, sizes, means, errors = np.random.default_rng(11), (1, 2, 3), [], []
    for D in sizes:
        N = round(D / gamma)
        z = np.stack(np.meshgrid(*[nodes] * D, indexing="ij"), axis=-1).reshape(-1, D)
        w = weights
        for _ in range(D - 1):
            w = np.multiply.outer(w, weights)
        values = []
        for _ in range(8000):
            F = rng.normal(size=(N, D))
            noise = rng.normal(size=N)
            field = F @ rng.normal(size=D) / math.sqrt(D)
            y = math.sqrt(snr) * act(field) + noise
            width = np.eye(N) + snr * F @ F.T / D
            flat = math.sqrt(snr) * field + noise
            control = 0.5 * flat @ np.linalg.solve(width, flat) + 0.5 * np.linalg.slogdet(width)[1]
            cost = 0.5 * ((y - math.sqrt(snr) * act(z @ F.T / math.sqrt(D))) ** 2).sum(axis=1)
            values.append((-math.log(float(w.ravel() @ np.exp(-cost))) - control) / N)
        means.append(np.mean(values))
        errors.append(np.std(values) / math.sqrt(len(values)))
    # quadratic in 1/D through three sizes
    x = 1.0 / np.array(sizes)
    coefficients = [np.prod([xj / (xj - xi) for xj in x if xj != xi]) for xi in x]
    limit, error = float(np.dot(coefficients, means)), float(np.linalg.norm(np.array(coefficients) * errors))
    # the control has the mean I_linear + N/2, the other I + N/2
    exact = manifold_information(gamma, wave)(snr).value - linear_manifold_information(gamma)(snr).value
    assert error < 0.25 * abs(exact)
    assert abs(limit - exact) < 5.0 * error  # false alarm 6e-7


def test_collapse_on_a_curved_manifold():
    curved, flat = (collapse(manifold_information(0.25, act), 0.2) for act in ("tanh", "linear"))
    assert curved.status is Status.CONVERGED
    assert curved.error < 1e-12
    assert flat.t_C == pytest.approx(collapse(linear_manifold_information(0.25), 0.2).t_C, rel=1e-11)
    assert curved.t_C > flat.t_C  # tanh has harmonics: it tells data points apart at more noise


@pytest.mark.parametrize(("gamma", "snr"), [(0.1, 1e4), (0.1, 1e10), (0.01, 1e12)])
def test_strong_signals_on_few_latent_directions(gamma, snr):
    """What is not known of z shrinks with the noise, so that the quadrature does not notice."""
    found, exact = manifold_information(gamma, "linear")(snr), linear_manifold_information(gamma)(snr)
    assert abs(found.value - exact.value) <= found.error + exact.error
    assert found.error < 1e-9


def test_averages_beside_a_kink_are_resolved():
    """Fisher information of a step for V -> 0 falls as sqrt(V) (all of it comes from fields within sqrt(V) of it)."""
    act = normalised(np.sign)
    for V in (1e-2, 1e-4):
        one, two = (_averages(act.function, act.kinks, 2.0, V, level) for level in (0, 2))
        assert one == pytest.approx(two, rel=1e-9)
    ratio = one.fisher / _averages(act.function, act.kinks, 2.0, 1e-6, 1).fisher
    assert ratio == pytest.approx(0.1, rel=1e-3)


def test_beyond_the_quadrature_it_says_so():
    with pytest.raises(NotConverged, match="smaller alpha"):
        collapse(manifold_information(0.02), 8.0)


def test_misuse():
    with pytest.raises(InvalidInput, match="gamma = -1"):
        manifold_information(-1.0)
    with pytest.raises(InvalidInput, match="grows like"):
        manifold_information(1.0, lambda x: x**3)
