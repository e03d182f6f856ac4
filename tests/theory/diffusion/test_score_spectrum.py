"""Spectrum of a score model: numbers known before, 25 digits, limits, merging bulks, and random matrices."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from theory.diffusion.bulks import bulks, nodes_of
from theory.diffusion.edges import _secular, folds_of
from theory.diffusion.population import Population
from theory.diffusion.resolvent import ScoreModel
from theory.diffusion.spectrum import score_spectrum
from theory.errors import InvalidInput, NotConverged

# The constants behind the published digits carry an error of 1.5e-14.
EDGES = {
    (64, 8, "tanh"): [
        (0.003683171479076, 0.010188532439487, 1),
        (0.091329640567061, 0.359474493019320, 7),
        (9.8358772785309, 44.692971576302, 1),
    ],
    (64, 8, "relu"): [
        (0.010527918404694, 0.030729158534372, 1),
        (0.30663599463948, 1.2121917927106, 7),
        (7.2623955172502, 31.118681978676, 1),
    ],
    (8, 64, "tanh"): [(0.01305425373844, 0.046572634280353, 7), (1.2035886631672, 5.6273974593426, 1)],
}


def exact_equations(model):
    """The two equations as they are derived, F1(q, u) = 0 and z(q, u), in mpmath; a sum over Sigma's eigenvalues."""
    c = model.constants
    A, b2, v2, s2 = (mp.mpf(x) for x in (c.A, c.b_squared, c.v_squared, c.s_squared))
    psi, psi_n = mp.mpf(model.psi_p), mp.mpf(model.psi_n)
    law = [(mp.mpf(x), mp.mpf(w)) for x, w in zip(model.population.eigenvalues, model.population.weights, strict=True)]

    def F1(q, u):
        over = mp.fsum(w * x * q / (1 + psi * q * (A * u * x + b2)) for x, w in law)
        return 1 / u - 1 - psi / psi_n * (A * over + v2 * q)

    def z(q, u):
        features = mp.fsum(w * (A * u * x + b2) / (1 + psi * q * (A * u * x + b2)) for x, w in law)
        return s2 + v2 * u + features - 1 / q

    return F1, z


@pytest.mark.parametrize("key", EDGES)
def test_edges_and_weights_in_print(key):
    psi_p, psi_n, activation = key
    found = bulks(ScoreModel(psi_p, psi_n, 0.01, activation))
    assert len(found.bulks) == len(EDGES[key])
    for bulk, (low, high, weight) in zip(found.bulks, EDGES[key], strict=True):
        assert bulk.low == pytest.approx(low, abs=5e-13, rel=2e-13)
        assert bulk.high == pytest.approx(high, abs=5e-13, rel=2e-13)
        assert bulk.weight * psi_p == pytest.approx(weight, abs=1e-12)
        assert bulk.weight_error < 1e-14
        assert bulk.error < 1e-14 * bulk.high
    assert found.total == pytest.approx(1.0, abs=1e-13)
    if psi_p > psi_n:
        assert found.atoms[0] == pytest.approx(
            (ScoreModel(psi_p, psi_n, 0.01, activation).constants.s_squared, 55 / 64)
        )


@pytest.mark.parametrize("sigma", [1.0, [0.4, 3.0]])
def test_edges_to_25_digits(sigma):
    """Newton's method in mpmath on the equations as derived, not on their explicit form."""
    model = ScoreModel(64, 8, 0.01, sigma=sigma)
    found = bulks(model)
    assert len(found.bulks) == (3 if sigma == 1.0 else 5)
    folds = folds_of(model)
    with mp.workdps(25):
        F1, z = exact_equations(model)
        for edge in [e for b in found.bulks for e in (b.low, b.high)]:
            k = int(np.argmin(np.abs(folds.x + model.constants.s_squared - edge)))
            w, Y, c = folds.w[k], folds.Y[k], model.constants
            start = (w / model.psi_p, (1 + c.b_squared * w) / (c.A * Y * w))

            def system(q, u):
                slope = mp.diff(z, (q, u), (1, 0)) * mp.diff(F1, (q, u), (0, 1))
                slope -= mp.diff(z, (q, u), (0, 1)) * mp.diff(F1, (q, u), (1, 0))
                return F1(q, u), slope

            q, u = mp.findroot(system, tuple(map(mp.mpf, start)), tol=1e-30)
            assert abs(float(z(q, u) / edge) - 1) < 1e-13
            assert abs(z(q, u) - edge) < 1e-13 * edge


@pytest.mark.parametrize("sigma", [1.0, [0.4, 3.0]])
def test_resolvent_near_the_axis_in_30_digits(sigma):
    model = ScoreModel(64, 8, 0.01, sigma=sigma)
    for place in (0.0045, 0.05, 0.2, 3.0, 15.0):
        for eta in (1e-2, 1e-8):
            at = model.at([complex(place, eta)])
            with mp.workdps(30):
                F1, z = exact_equations(model)
                goal = mp.mpc(place, eta)
                q, u = mp.findroot(
                    lambda q, u, goal=goal, F1=F1, z=z: (F1(q, u), z(q, u) - goal),
                    (mp.mpmathify(complex(at.q[0])), mp.mpmathify(complex(at.u[0]))),
                    tol=1e-40,
                )
            assert abs(complex(q) - at.q[0]) < 1e-12 * abs(at.q[0])
            assert abs(complex(u) - at.u[0]) < 1e-11 * abs(at.u[0])
            assert at.q[0].imag > 0
            assert at.u[0].imag < 0


def test_narrow_bulk_of_few_samples_is_found():
    """With n < d and very many features, d - n modes of W alone sit within 2 % of b^2 psi_p."""
    model = ScoreModel(12016.0, 0.185, 1.4e-4, "erf", [2.7, 22.0])
    found = bulks(model)
    assert [(b.name, b.part) for b in found.bulks] == [("3", True), ("3", True), ("2", False)]
    narrow = found.bulks[1]
    assert narrow.weight * model.psi_p == pytest.approx(1 - 0.185, abs=1e-8)
    silent = model.constants.b_squared * (math.sqrt(12016.0) + np.array([-1, 1]) * math.sqrt(1 - 0.185)) ** 2
    assert (narrow.above_low, narrow.above_high) == pytest.approx(tuple(silent), rel=1e-3)


def test_limit_on_the_axis_from_above():
    model = ScoreModel(64, 8, 0.1)
    inside = np.concatenate([nodes_of(model, b, points=64).eigenvalue for b in bulks(model).bulks])
    assert np.abs(model.at(inside + 1e-13j * inside).q / model.at(inside).q - 1).max() < 1e-8
    assert (model.at(inside - 1e-3j).q.imag < 0).all()


@pytest.mark.parametrize("t", [0.1, 0.3])
def test_bulks_merge(t):
    found = bulks(ScoreModel(64, 8, t)).bulks
    if t == 0.1:
        assert [b.name for b in found] == ["3", "1", "2"]
    else:
        assert [b.name for b in found] == ["3+1", "2"]
        assert found[0].low == pytest.approx(0.030701, abs=1e-6)
        assert found[0].high == pytest.approx(0.077865, abs=1e-6)
        assert found[0].weight * 64 == pytest.approx(8.0, abs=1e-12)


def test_gap_closes_continuously():
    """Just before the merge both edges of a narrow gap are found."""
    low, high = 0.1, 0.3
    for _ in range(10):
        mid = 0.5 * (low + high)
        low, high = (mid, high) if len(bulks(ScoreModel(64, 8, mid)).bulks) == 3 else (low, mid)
    before, after = bulks(ScoreModel(64, 8, low)).bulks, bulks(ScoreModel(64, 8, high)).bulks
    gap = before[1].low - before[0].high
    assert 0 < gap < 1e-3 * before[0].high
    assert after[0].name == "3+1"
    assert after[0].high == pytest.approx(before[1].high, rel=1e-2)


def test_published_form_of_the_noise_bulk_is_its_limit():
    """s^2 + v^2 (1 -+ sqrt(psi_p/psi_n))^2 for psi_p >> psi_n >> 1."""
    model = ScoreModel(1e7, 1e3, 0.01)
    c, noise = model.constants, next(b for b in bulks(model).bulks if b.name == "1")
    root = math.sqrt(model.psi_p / model.psi_n)
    assert noise.low == pytest.approx(c.s_squared + c.v_squared * (1 - root) ** 2, rel=1e-3)
    assert noise.high == pytest.approx(c.s_squared + c.v_squared * (1 + root) ** 2, rel=1e-3)


def test_many_samples_are_the_population():
    model = ScoreModel(16, 1e9, 0.01)
    c, top = model.constants, bulks(model).bulks[-1]
    for edge, sign in ((top.low, -1), (top.high, 1)):
        expected = (c.A + c.b_squared) * (1 + sign * 4) ** 2 + c.s_squared + c.v_squared
        assert edge == pytest.approx(expected, rel=1e-3)


def test_even_activation_is_marchenko_pastur():
    model = ScoreModel(8, 2, 0.1, lambda x: x * x)
    c, found = model.constants, bulks(model)
    assert [b.name for b in found.bulks] == ["1"]
    assert found.bulks[0].low == pytest.approx(c.s_squared + c.v_squared, rel=1e-13)
    assert found.bulks[0].high == pytest.approx(c.s_squared + 9 * c.v_squared, rel=1e-13)
    assert found.atoms[0][1] == pytest.approx(0.75)
    x = c.s_squared + 4 * c.v_squared
    low, high = found.bulks[0].low, found.bulks[0].high
    rho = math.sqrt((x - low) * (high - x)) / (2 * math.pi * 4 * c.v_squared * (x - c.s_squared))
    assert model.at([x]).q[0].imag / math.pi == pytest.approx(rho, rel=1e-12)


def test_linear_network_has_only_population_modes():
    model = ScoreModel(16, 4, 0.5, "linear")
    found = bulks(model)
    assert [b.name for b in found.bulks] == ["2"]
    assert found.atoms == ((0.0, 15 / 16),)


def test_hard_edge_where_the_delta_disappears():
    found = bulks(ScoreModel(9, 8, 0.01))
    assert found.atoms == ()
    assert found.bulks[0].above_low == 0.0
    assert found.bulks[0].weight * 9 == pytest.approx(8, abs=1e-12)
    near = bulks(ScoreModel(9 + 1e-3, 8, 0.01))
    assert 0 < near.bulks[0].above_low < 1e-9
    assert near.atoms[0][1] == pytest.approx(1e-3 / 9.001, rel=1e-9)


def test_density_of_sigma_is_the_limit_of_many_atoms():
    law = Population.from_density(lambda x: np.sqrt((x - 0.5) * (1.5 - x)), 0.5, 1.5, nodes=40)
    finer = Population.from_density(lambda x: np.sqrt((x - 0.5) * (1.5 - x)), 0.5, 1.5, nodes=80)
    a, b = (bulks(ScoreModel(8, 4, 0.1, sigma=p)).bulks for p in (law, finer))
    assert [x.name for x in a] == [x.name for x in b]
    for x, y in zip(a, b, strict=True):
        assert (x.low, x.high) == pytest.approx((y.low, y.high), rel=1e-10)


@settings(max_examples=10)
@given(
    psi_p=st.floats(0.3, 300),
    psi_n=st.floats(0.3, 300),
    t=st.floats(1e-4, 2),
    low=st.floats(0.05, 1),
    share=st.floats(0.1, 0.9),
    name=st.sampled_from(["tanh", "relu"]),
)
@example(psi_p=9.0, psi_n=8.0, t=0.01, low=1.0, share=0.5, name="tanh")
@example(  # bulks that nearly part
    psi_p=45.75,
    psi_n=1.60069524082,
    t=0.07520620742324799,
    low=0.22806920585580365,
    share=0.16731527055911893,
    name="tanh",
)
@example(psi_p=0.3, psi_n=0.3, t=1.0, low=0.1, share=0.5, name="relu")
def test_weights_and_moments_of_anything(psi_p, psi_n, t, low, share, name):
    """Exact weights, their quadrature, and the exact trace of U."""
    assume(abs(psi_p - psi_n) > 1e-3 and abs(psi_p - psi_n - 1) > 1e-3)
    model = ScoreModel(psi_p, psi_n, t, name, Population.atoms([low, 2.0], [share, 1 - share]))
    found = bulks(model)
    c = model.constants
    assert found.total == pytest.approx(1.0, abs=1e-10)
    grids = [nodes_of(model, b, points=400) for b in found.bulks]
    trace = model.atom * c.s_squared + sum(float(g.weight @ (g.density * g.eigenvalue)) for g in grids)
    assert trace == pytest.approx(c.second_moment - c.mu0**2, rel=1e-6)
    assert all((g.density > -1e-12 * g.density.max()).all() for g in grids)
    mass = sum(float(g.weight @ g.features) for g in grids)
    assert mass == pytest.approx(psi_p, rel=1e-6)  # all of span(W) is in the bulks
    assert all(b.low < b.high for b in found.bulks)
    assert all(x.high < y.low for x, y in zip(found.bulks, found.bulks[1:], strict=False))
    assert all(b.kinds for b in found.bulks)


def test_a_thousand_eigenvalues_of_sigma():
    """Many bulks, separate and merged, of very different widths; all weights, and two exact traces."""
    model = ScoreModel(64, 8, 0.01, sigma=np.random.default_rng(0).lognormal(0.0, 0.5, 1000))
    found, c = bulks(model), model.constants
    assert len(found.bulks) == 19
    assert found.total == pytest.approx(1.0, abs=1e-12)
    assert max(b.weight_error / b.weight for b in found.bulks) < 1e-9
    assert max(b.error / b.high for b in found.bulks) < 1e-13
    trace = model.atom * c.s_squared + sum(b.nodes.weight @ (b.nodes.density * b.nodes.eigenvalue) for b in found.bulks)
    assert trace == pytest.approx(c.second_moment - c.mu0**2, rel=1e-9)
    assert sum(b.nodes.weight @ b.nodes.features for b in found.bulks) == pytest.approx(model.psi_p, rel=1e-9)


def test_roots_between_poles_are_eigenvalues():
    """``sum c_i/(y - v_i) = 1`` has the eigenvalues of ``diag(v) + z z^T``, ``c = z^2``, as roots."""
    rng = np.random.default_rng(1)
    v, z = np.sort(rng.lognormal(0.0, 1.0, 60)), rng.lognormal(-3.0, 2.0, 60)
    found = _secular(v, z**2, (-1.0, 0.0), v[:-1], v[1:], np.ones(59))
    assert found == pytest.approx(np.linalg.eigvalsh(np.diag(v) + np.outer(z, z))[:-1], rel=1e-12)


@pytest.mark.parametrize(("psi_p", "psi_n", "t"), [(9, 8, 0.01), (9.001, 8, 0.01), (64, 8, 0.1), (0.5, 3, 1.0)])
def test_finer_nodes_are_found_from_few(psi_p, psi_n, t):
    """Solutions started from others nearby are those reached from far above the axis."""
    model = ScoreModel(psi_p, psi_n, t, sigma=[0.5, 1.5])
    for bulk in bulks(model).bulks:
        nodes = nodes_of(model, bulk, points=700)
        x = nodes.eigenvalue - model.constants.s_squared
        there = model.above(x).q
        keep = x > 1e-6 * bulk.above_high  # what is closer to s^2 has lost its digits
        assert keep.sum() > 300
        assert np.abs(there.imag / math.pi - nodes.density)[keep].max() < 1e-8 * nodes.density[keep].max()


def equivalent(model, d, seed):
    """Eigenvalues of one Gaussian-equivalent matrix."""
    rng, c = np.random.default_rng(seed), model.constants
    p, n = round(model.psi_p * d), round(model.psi_n * d)
    values = np.repeat(model.population.eigenvalues, np.rint(model.population.weights * d).astype(int))
    W = rng.standard_normal((p, d))
    X = rng.standard_normal((d, n)) * np.sqrt(values)[:, None]
    G = math.sqrt(c.A) * W @ X / math.sqrt(d) + c.v * rng.standard_normal((p, n))
    return np.linalg.eigvalsh(G @ G.T / n + c.b_squared * W @ W.T / d + c.s_squared * np.eye(p))


@pytest.mark.parametrize("sigma", [1.0, [0.1, 2.0]])
def test_random_matrices_have_these_bulks(sigma):
    """Counts are exact, the extreme eigenvalues lie near the edges, and all others near their places."""
    d, model = 120, ScoreModel(8, 2, 0.01, sigma=sigma)
    found = bulks(model)
    values = equivalent(model, d, seed=5)
    p = values.size
    assert np.sum(np.abs(values - model.constants.s_squared) < 1e-12) == round(model.atom * p)
    x = values - model.constants.s_squared
    ends = [0.5 * found.bulks[0].above_low]
    ends += [math.sqrt(a.above_high * b.above_low) for a, b in zip(found.bulks, found.bulks[1:], strict=False)]
    for bulk, low, high in zip(found.bulks, ends, [*ends[1:], math.inf], strict=True):
        inside = values[(x > low) & (x < high)]
        assert inside.size == round(bulk.weight * p)
        grid = nodes_of(model, bulk)
        # The place of the sixth eigenvalue from an edge: six scales of its fluctuations (Tracy-Widom) and more.
        sixth = np.interp([6 / inside.size, 1 - 6 / inside.size], grid.cumulative / bulk.weight, grid.eigenvalue)
        assert abs(inside.min() - bulk.low) < sixth[0] - bulk.low
        assert abs(inside.max() - bulk.high) < bulk.high - sixth[1]
        # Kolmogorov-Smirnov distance within a bulk: eigenvalues are rigid and stay near their places.
        places = np.interp(inside, grid.eigenvalue, grid.cumulative / bulk.weight)
        steps = (np.arange(inside.size) + 0.5) / inside.size
        assert np.abs(places - steps).max() < 4.0 / inside.size


def test_spectrum_result():
    found = score_spectrum(ScoreModel(64, 8, 0.01), points=400)
    assert found.eigenvalue.size >= 400
    assert (np.diff(found.eigenvalue) > 0).all()
    assert found.normalisation == pytest.approx(1.0, abs=1e-13)
    assert found.cumulative[0] == pytest.approx(55 / 64, abs=1e-6)
    assert found.cumulative[-1] == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(found.cumulative) > 0).all()
    assert found.error < 1e-11
    data = found.to_json()
    assert {"edges", "atoms", "tau_gen", "tau_mem_1", "tau_mem_3", "status"} <= data.keys()
    assert data["status"] == "CONVERGED"


@pytest.mark.parametrize(
    "bad", [(0, 8, 0.1), (-1, 8, 0.1), (64, 0, 0.1), (64, math.inf, 0.1), (64, 8, 0), (True, 8, 0.1)]
)
def test_refused_models(bad):
    with pytest.raises(InvalidInput, match="is not allowed"):
        ScoreModel(*bad)
    with pytest.raises(InvalidInput, match="points"):
        score_spectrum(ScoreModel(64, 8, 0.1), points=3)


def test_missing_bulks_are_not_silent():
    """Where a bulk is narrower than rounding no edge of it is found; then there is no answer."""
    with pytest.raises(NotConverged, match="instead of 1"):
        bulks(ScoreModel(1e-6, 1e-4, 0.01))


@pytest.mark.parametrize("bad", [(1e8, 8, 0.1), (64, 1e11, 0.1), (1e-9, 8, 0.1), (64, 8, 1e-26), (64, 8, 400.0)])
def test_what_double_precision_does_not_resolve_is_refused(bad):
    with pytest.raises(InvalidInput, match="double precision"):
        ScoreModel(*bad)
    with pytest.raises(InvalidInput, match="nothing of the data"):
        ScoreModel(64, 8, 20.0)
    assert bulks(ScoreModel(64, 8, 20.0, "tanh", 1e10)).bulks  # its signal is not lost


@pytest.mark.parametrize("sigma", [np.ones((2, 2, 2)), [1e300, 1.0], [1e-300]])
def test_extreme_or_shapeless_covariances_are_refused(sigma):
    with pytest.raises(InvalidInput, match="Sigma has"):
        ScoreModel(64, 8, 0.01, "tanh", sigma)
