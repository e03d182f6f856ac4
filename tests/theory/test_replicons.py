"""Replicons of vector spins by sector, against random fields, literal replicas and the symmetry of scalar couplings."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ive

from theory.errors import InvalidInput
from theory.exact import Multiprecision, Refused
from theory.models.random_features import RandomFeatures
from theory.models.vector_random_features import VectorRandomFeatures, kappa_1_squared
from theory.replicons import replicon_sectors
from theory.states import solve
from theory.vector_sites import response_weights, vector_site

SECTORS = ("isotropic", "symmetric", "antisymmetric")
GLASS = VectorRandomFeatures(alpha=0.1, alpha_d=0.2, d=3, variant="scalar", temperature=0.5)


def matrix_of(sector, d, rng):
    """A random matrix of one sector."""
    X = rng.normal(size=(d, d))
    if sector == "isotropic":
        return np.eye(d)
    if sector == "antisymmetric":
        return X - X.T
    return X + X.T - 2 * np.trace(X) / d * np.eye(d)


@pytest.mark.parametrize("sector", SECTORS)
@pytest.mark.parametrize("d", [2, 3, 5])
def test_weights_are_the_average_over_directions(d, sector):
    """``E C delta C = K delta`` for C with a uniform axis, by an exact design: Gaussian moments of fourth order."""
    rng = np.random.default_rng(1)
    A, B = 0.7, 0.3
    delta = matrix_of(sector, d, rng)
    # E h_a h_b = delta_ab/d and E h_a h_b h_c h_d = (three pairings)/(d (d+2))
    second = np.eye(d) / d
    fourth = (delta + delta.T + np.trace(delta) * np.eye(d)) / (d * (d + 2))
    mean = A * A * delta + A * (B - A) * (second @ delta + delta @ second) + (B - A) ** 2 * fourth
    weights = np.array(response_weights(d, sector))
    assert mean == pytest.approx(weights @ [A * A, A * B, B * B] / d * delta, abs=1e-14)


@pytest.mark.parametrize("d", [2, 3, 20, 200])
def test_the_isotropic_weights_are_the_largest(d):
    A, B = np.meshgrid(np.linspace(0, 1, 21), np.linspace(0, 1, 21))
    largest, *others = (np.tensordot(response_weights(d, s), [A * A, A * B, B * B], 1) for s in SECTORS)
    assert all((other <= largest + 1e-12).all() for other in others)


@pytest.mark.parametrize("sector", SECTORS)
def test_the_family_of_a_sector_is_closed_and_averages_random_fields(sector):
    d, M, R = 3, 1.1, 0.6
    site = vector_site(d, response=sector)
    h = 1e-3
    moved = [site.orders([(0, 0)], [np.array([M + k * h]), np.array([R])])[0][0] for k in (-1, 1)]
    moved += [site.orders([(0, 0)], [np.array([M]), np.array([R + k * h])])[0][0] for k in (-1, 1)]
    value, slope, wider = (v[0] for v in site.orders([(0, 0), (1, 0), (0, 1)], [np.array([M]), np.array([R])]))
    assert slope == pytest.approx((moved[1] - moved[0]) / (2 * h), rel=1e-5)
    assert wider / 2 == pytest.approx((moved[3] - moved[2]) / (2 * h), rel=1e-5)
    x = np.linalg.norm(np.sqrt(R) * np.random.default_rng(3).normal(size=(400_000, d)) + [M, 0, 0], axis=1)
    first = ive(0.5 * d, x) / ive(0.5 * d - 1, x)
    A = first / x
    B = 1 - first**2 - (d - 1) * A
    sample = np.tensordot(response_weights(d, sector), [A * A, A * B, B * B], 1)
    assert abs(value - sample.mean()) < 5 * sample.std() / np.sqrt(len(sample))


@pytest.mark.parametrize(("d", "temperature"), [(2, 0.1), (2, 0.5), (3, 0.5), (3, 0.0), (7, 0.0), (7, 0.3)])
def test_turning_replicas_against_each_other_costs_nothing_in_the_spin_glass_of_scalar_couplings(d, temperature):
    """The energy of every replica is invariant under its own rotation: the antisymmetric replicon vanishes."""
    found = replicon_sectors(replace(GLASS, d=d, temperature=temperature))
    assert found["antisymmetric"] == pytest.approx(0.0, abs=1e-13)
    if (d, temperature) != (2, 0.0):
        assert found["isotropic"] < found["symmetric"] < 0.0


@pytest.mark.parametrize("mixing", ["scalar", "matrix"])
def test_turning_replicas_of_phasors_costs_nothing(mixing):
    found = replicon_sectors(VectorRandomFeatures(0.1, 0.2, 2, "phasor", 0.5, mixing=mixing))
    assert found["antisymmetric"] == pytest.approx(0.0, abs=1e-13)
    assert (found["symmetric"] is None) is (mixing == "scalar")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        pytest.param(
            {"alpha": 0.001, "alpha_d": 0.5, "d": 3, "variant": "scalar", "temperature": 0.1},
            "example",
            marks=pytest.mark.slow,
        ),
        ({"alpha": 0.001, "alpha_d": 0.5, "d": 3, "variant": "scalar", "temperature": 0.0}, "example"),
        ({"alpha": 1.0, "alpha_d": 0.001, "d": 3, "variant": "scalar", "temperature": 0.0}, "feature"),
        ({"alpha": 0.1, "alpha_d": 0.2, "d": 3, "variant": "tensor", "mixing": "matrix", "temperature": 0.5}, None),
        ({"alpha": 0.1, "alpha_d": 0.2, "d": 3, "variant": "tensor", "temperature": 0.5}, None),
    ],
)
def test_the_isotropic_replicon_is_that_of_the_solution_and_the_smallest(values, state):
    model, state = VectorRandomFeatures(**values), state or "spin_glass"
    found = replicon_sectors(model, state)
    assert found["isotropic"] == pytest.approx(solve(model, state).replicon, rel=1e-12)
    others = [found[s] for s in SECTORS[1:]]
    if model.variant == "tensor" and model.mixing == "scalar":
        assert others == [None, None]
    else:
        assert all(found["isotropic"] < other for other in others)
    if state != "spin_glass":
        assert found["antisymmetric"] > 1e-6


# --- four literal replicas of planar spins --------------------------------------------------------------------------

REPLICAS = 4
ANGLES = 24
MODES = {  # replica parts with vanishing sums over replicas, symmetric and antisymmetric
    "isotropic": np.array([[0, 1, -1, 0], [1, 0, 0, -1], [-1, 0, 0, 1], [0, -1, 1, 0]], float),
    "antisymmetric": np.array([[0, 1, -1, 0], [-1, 0, 1, 0], [1, -1, 0, 0], [0, 0, 0, 0]], float),
}
MODES["symmetric"] = MODES["isotropic"]
COMPONENTS = {
    "isotropic": np.eye(2),
    "symmetric": np.diag([1.0, -1.0]),
    "antisymmetric": np.array([[0.0, 1.0], [-1.0, 0.0]]),
}


def replicated_spins():
    """All configurations of four planar spins of length sqrt(2) on a grid; eight angles of the first do."""
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    s = np.sqrt(2) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    grid = np.meshgrid(np.arange(0, ANGLES, ANGLES // 8), *[np.arange(ANGLES)] * 3)
    return np.stack([s[g.ravel()] for g in grid], axis=1)  # (configurations, replicas, 2)


def second(function, h):
    """Fourth-order Hessian of a function of a vector."""
    n = len(h)
    out = np.empty((n, n))
    steps = [(-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12)]
    for i in range(n):
        e = np.eye(n)[i] * h[i]
        values = [function(k * e) for k in (-2, -1, 0, 1, 2)]
        out[i, i] = (-values[0] + 16 * values[1] - 30 * values[2] + 16 * values[3] - values[4]) / (12 * h[i] ** 2)
        for j in range(i):
            g = np.eye(n)[j] * h[j]
            out[i, j] = sum(a * b * function(k * e + m * g) for k, a in steps for m, b in steps) / (h[i] * h[j])
            out[j, i] = out[i, j]
    return out


@pytest.mark.parametrize("sector", SECTORS)
def test_the_replicon_is_the_hessian_of_the_free_energy_of_four_replicas(sector):
    """All of (Q, P, P_hat, Q_hat) as matrices of replicas and components; averages over fields weighted by Z^4."""
    n, beta, alpha, alpha_d, chi = REPLICAS, 1.3, 0.2, 0.5, 0.3
    k1 = float(kappa_1_squared(2))
    ks, ratio, noise = 1 - k1, alpha / alpha_d, 0.4  # noise is beta^2 alpha q_hat
    q = 1 - chi / beta
    dph = k1
    for _ in range(400):
        dph = k1 / (1 - k1 * chi / (1 - ratio * dph * chi) - ks * chi)
    dp = chi / (1 - ratio * dph * chi)
    off = lambda diagonal, rest: np.kron(np.full((n, n), rest) + (diagonal - rest) * np.eye(n), np.eye(2))
    Q, P = off(1, q), off(2.0, 2.0 - dp / beta)
    Phat = off(0.3 + beta * ratio * dph, 0.3)
    spins = replicated_spins()
    mode = np.kron(MODES[sector], COMPONENTS[sector])
    flat = spins.reshape(len(spins), 2 * n)
    base = np.einsum("ci,ij,cj->c", flat, off(0, noise), flat, optimize=True) / 2
    along = np.einsum("ci,ij,cj->c", flat, mode, flat, optimize=True) / 2
    top = base.max()

    def free_energy(x):
        dQ, dP, dPhat, dQhat = x
        logdet = lambda M: np.linalg.slogdet(M)[1]
        examples = np.eye(2 * n) - beta * (k1 * (P + dP * mode) + ks * (Q + dQ * mode))
        features = np.eye(2 * n) - (Phat + dPhat * mode) @ (Q + dQ * mode)
        return (
            -(alpha / 2) * logdet(examples)
            - (alpha_d / 2) * (logdet(features) + np.trace((Phat + dPhat * mode) @ (P + dP * mode)))
            - 0.5 * dQ * dQhat * np.trace(mode @ mode)
            + np.log(np.mean(np.exp(base - top + dQhat * along)))
        )

    H = second(free_energy, (2e-3, 1e-2, 2e-3, 2e-3))
    kept, out = [0, 3], [1, 2]
    reduced = H[np.ix_(kept, kept)] - H[np.ix_(kept, out)] @ np.linalg.solve(H[np.ix_(out, out)], H[np.ix_(out, kept)])
    found = 1 - reduced[0, 0] * reduced[1, 1] / reduced[0, 1] ** 2
    # the average of the squared response over fields of variance `noise`, weighted by the partition function to the n
    r, w = np.polynomial.legendre.leggauss(400)
    r, w = 6.0 * (r + 1), 6.0 * w
    field = np.sqrt(2 * noise) * r  # of a unit vector
    w = w * r * np.exp(-0.5 * r**2) * (ive(0, field) * np.exp(field)) ** n
    first = ive(1, field) / ive(0, field)
    A = first / field
    B = 1 - first**2 - A
    squared = 2 * (w @ np.tensordot(response_weights(2, sector), [A * A, A * B, B * B], 1)) / w.sum()
    Delta_1, Delta_2 = 1 - k1 * dp - ks * chi, 1 - ratio * dph * chi
    whole = (ks + k1 / Delta_2**2) ** 2 / (Delta_1**2 - ratio * (k1 * chi / Delta_2) ** 2) + ratio * (
        dph / Delta_2
    ) ** 2
    assert found == pytest.approx(1 - beta**2 * alpha * squared * whole, abs=2e-6)


# --- misuse -------------------------------------------------------------------------------------------------------


def test_models_without_sectors_are_refused():
    for model in (RandomFeatures(0.05, 1.0, 0.1), VectorRandomFeatures(0.05, 1.0, 1)):
        with pytest.raises(InvalidInput, match="one replicon"):
            replicon_sectors(model)
    for sector, zero in itertools.product(SECTORS[1:], (True, False)):
        with pytest.raises(InvalidInput, match="d >= 2"):
            vector_site(1, response=sector, zero_temperature=zero)


def test_digits_of_other_sectors_are_refused():
    digits = Multiprecision(110)
    fields = [digits.exactly(f) for f in (1.1, 0.6)]
    with pytest.raises(Refused, match="antisymmetric response"):
        vector_site(3, response="antisymmetric").exact_orders(digits, [(0, 0)], fields)
