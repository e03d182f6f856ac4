"""Hessian spectra: multiple precision, exact moments, random matrices, and minima found by literal dynamics."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest

from theory.errors import InvalidInput, NotConverged
from theory.hessian import HessianLaw
from theory.local_fields import CavityFields, LocalFields, log_bessel
from theory.minima import hessian_law, local_fields
from theory.models.hopfield import Hopfield
from theory.models.vector_hopfield import VectorHopfield
from theory.radial import radial_rule
from theory.spectra import spectrum
from theory.states import solve

GLASS, EXAMPLE = VectorHopfield(alpha=0.04, d=3), VectorHopfield(alpha=0.02, d=3)


class Literal:
    """The equations as written, in multiple precision: no common factor z', and no path chosen by the code."""

    def __init__(self, d, alpha, m, chi, sigma):
        self.d, self.alpha, self.m, self.chi, self.sigma = d, *(mp.mpf(x) for x in (alpha, m, chi, sigma))
        self.w, self.a = mp.mpf(d - 1) / d, self.alpha / d
        self.known = {}
        self.shift = self.a * self.chi / (d - self.chi)

    @classmethod
    def glass(cls, d, alpha):
        c = mp.sqrt(2) * mp.gamma(mp.mpf(d + 1) / 2) / mp.gamma(mp.mpf(d) / 2)
        sigma = (c + mp.sqrt(mp.mpf(alpha))) / d
        return cls(d, alpha, 0, c / sigma, sigma)

    def density(self, r):
        if (r, mp.mp.prec) not in self.known:  # the nodes are the same for every integrand
            self.known[r, mp.mp.prec] = self._density(r)
        return self.known[r, mp.mp.prec]

    def _density(self, r):
        d, s, m = self.d, self.sigma, self.m
        bessel = mp.hyp0f1(mp.mpf(d) / 2, (r * m / s**2) ** 2 / 4)
        front = 2 * r ** (d - 1) / ((2 * s**2) ** (mp.mpf(d) / 2) * mp.gamma(mp.mpf(d) / 2))
        return front * mp.exp(-(r**2 + m**2) / (2 * s**2)) * bessel

    def average(self, f, depth=0):
        s, far = self.sigma, int(self.m / self.sigma) + 15
        ends = [
            0,
            *(s / 4**k for k in range(5, 0, -1)),
            *(k * s / 2 for k in range(1, 8)),
            *(k * s for k in range(4, far)),
        ]
        bent = [x - (depth * s * 1j if x > s / 2 else depth * x * 1j) for x in ends] if depth else ends
        return mp.quad(lambda r: self.density(r) * f(r), bent, method="gauss-legendre")

    def z(self, point, depth=0):
        G = self.average(lambda r: 1 / (point - r), depth)
        return point + self.shift + self.a * self.w * G / (1 + self.w * G), G

    def slope(self, point):
        G, first = (self.average(lambda r, k=k: (point - r) ** -k) for k in (1, 2))
        return 1 - self.a * self.w * first / (1 + self.w * G) ** 2


def of(model, state):
    found = solve(model, state).order_parameters
    return Literal(model.d, model.alpha, found.get("m", 0.0), found["chi"], found["sigma"])


@pytest.mark.parametrize("nu", [0.0, 0.5, 4.0, 99.0])
def test_bessel_functions_of_complex_argument(nu):
    for size in (1e-3, 1.0, 19.9, 20.1, 99.0, 3e3, 1e5, 1e8):
        for angle in (0.0, 0.3, -1.2):
            x = size * np.exp(1j * angle)
            with mp.workdps(40):
                z = mp.mpc(x.real, x.imag)
                exact = mp.besseli(nu, z) * mp.exp(-z) * z ** (-nu)
                value = mp.exp(mp.mpc(log_bessel(nu, np.array([x]))[0]))
                assert abs(value / exact - 1) < 1e-12


@pytest.mark.parametrize("d", [2, 3, 10, 200])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 3.0, 10.0, 100.0])
def test_cavity_fields_have_the_moments_of_a_shifted_gaussian(d, ratio):
    law = CavityFields(d, 0.3 * ratio, 0.3)
    r, w = law._rule(law.reach)
    assert abs(w.sum() - 1.0) < 1e-12
    assert abs(w @ r / law.mean - 1.0) < 1e-12
    assert abs(w @ r**2 / (law.m**2 + d * law.sigma**2) - 1.0) < 1e-12
    assert abs(w @ (r - law.mean) ** 2 / law.variance - 1.0) < 1e-9
    assert np.abs(law.continued(r + 0j) / law.density(r) - 1.0).max() < 1e-11
    for share in (1e-3, 0.5, 0.99):
        assert law.cdf(law.quantile(share)) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("d", [2, 3, 10])
def test_cavity_density_is_that_of_the_radial_rule(d):
    law, rule = CavityFields(d, 0.7, 0.4), radial_rule(d, np.array([0.7]), np.array([0.16]))
    for power in (1, 3):
        r, w = law._rule(law.reach)
        assert w @ r**power == pytest.approx(float((rule.weight * rule.length**power).sum()), rel=1e-13)


def test_density_of_one_component_is_that_of_a_folded_gaussian():
    law, r = CavityFields(1, 0.4, 0.5), np.array([0.1, 1.3])
    folded = sum(np.exp(-((r + s * 0.4) ** 2) / 0.5) for s in (-1, 1)) / math.sqrt(2 * math.pi * 0.25)
    assert law.density(r) == pytest.approx(folded, rel=1e-14)


@pytest.mark.parametrize(
    ("d", "alpha", "state"), [(3, 0.02, "example"), (3, 0.04, "spin_glass"), (10, 0.01, "example")]
)
def test_half_the_mean_local_field_is_the_energy(d, alpha, state):
    model = VectorHopfield(alpha=alpha, d=d)
    fields = local_fields(model, state)
    assert -0.5 * fields.mean == pytest.approx(solve(model, state).energy, abs=1e-14)
    assert fields.summary()["quartiles"][0] > fields.shift > 0.0
    assert fields.density(np.array([0.99 * fields.shift])).item() == 0.0


@pytest.mark.parametrize(("model", "state"), [(GLASS, "spin_glass"), (EXAMPLE, "example")])
def test_shift_is_that_of_the_response(model, state):
    chi = solve(model, state).order_parameters["chi"]
    assert local_fields(model, state).shift == pytest.approx(model.alpha / 3 * chi / (3 - chi), rel=1e-12)


def test_shift_of_the_spin_glass_in_closed_form():
    c = 2.0 * math.sqrt(2.0 / math.pi)
    assert local_fields(GLASS, "spin_glass").shift == pytest.approx(math.sqrt(0.04) * c / 3, rel=1e-14)


def test_local_fields_of_ising_spins():
    """At d = 1 too, where the shift is alpha chi/(1 - chi)."""
    found = solve(Hopfield(alpha=0.1), "example").order_parameters
    fields = local_fields(VectorHopfield(alpha=0.1, d=1), "example")
    assert fields.shift == pytest.approx(0.1 * found["chi"] / (1.0 - found["chi"]), rel=1e-10)


@pytest.mark.parametrize(("model", "state"), [(GLASS, "spin_glass"), (EXAMPLE, "example")])
def test_resolvent_against_multiple_precision(model, state):
    law, exact = hessian_law(model, state), of(model, state)
    points = np.array([0.5 + 0.1j, -0.3 + 0.01j, 1.1 + 0.02j, 1e-3 + 1e-3j])
    a = law.averages(points)
    for k, point in enumerate(points):
        with mp.workdps(25):
            z, G = exact.z(mp.mpc(point))
        assert abs(a.G[k] - complex(G)) < 1e-13
        assert abs(point * law.ratio(a)[k] - complex(z)) < 1e-13


@pytest.mark.parametrize(("model", "state"), [(GLASS, "spin_glass"), (EXAMPLE, "example")])
def test_density_solves_the_literal_equations(model, state):
    law, exact = hessian_law(model, state), of(model, state)
    levels = np.array([0.2, 0.34, 0.8, 1.5])
    found, points = law.levels(levels), law.subordinates(levels)
    for k, level in enumerate(levels):
        with mp.workdps(30):
            root = mp.findroot(lambda x, level=level: exact.z(x, 0.7)[0] - level, mp.mpc(points[k]), tol=1e-20)
            density = -exact.z(root, 0.7)[1].imag / mp.pi
        assert root.imag > 0
        assert abs(found.density[k] / float(density) - 1.0) < (1e-11 if density > 1e-6 else 1e-7)


def test_exponentially_small_densities_keep_their_digits():
    """At alpha = .01 the density near zero is 1e-19, far below the rounding of the resolvent."""
    model = VectorHopfield(alpha=0.01, d=3)
    law, exact = hessian_law(model, "example"), of(model, "example")
    level = np.array([0.05])
    found, point = law.levels(level), law.subordinates(level)[0].real
    with mp.workdps(40):
        root = mp.findroot(lambda x: exact.z(x, 0.7)[0] - level[0], mp.mpc(point), tol=1e-60)
        density = -exact.z(root, 0.7)[1].imag / mp.pi
    assert 1e-20 < density < 1e-18
    assert found.density[0] / float(density) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("d", "alpha"), [(3, 0.04), (10, 0.5), (2, 0.04)])
def test_edge_of_the_spin_glass_to_twelve_digits(d, alpha):
    edge = hessian_law(VectorHopfield(alpha=alpha, d=d), "spin_glass").edge()
    with mp.workdps(25):
        exact = Literal.glass(d, alpha)
        place = mp.findroot(exact.slope, (edge.subordinate, edge.subordinate * 1.001), solver="secant", tol=1e-18)
        value = exact.z(place)[0]
    assert abs(edge.value / float(value) - 1.0) < 1e-12
    assert abs(edge.value - float(value)) < edge.error < 1e-12 * edge.value
    assert edge.subordinate == pytest.approx(float(place), rel=1e-7)


def test_published_edge():
    edge = hessian_law(GLASS, "spin_glass").edge()
    assert edge.value == pytest.approx(0.00783979, abs=5e-9)
    assert edge.subordinate == pytest.approx(-0.0195946, abs=5e-8)


@pytest.mark.parametrize("d", [3, 4, 10])
def test_zero_maps_to_zero_with_the_replicon_as_slope(d):
    model = VectorHopfield(alpha=0.1 / d, d=d)
    for state in ("example", "spin_glass"):
        law, replicon = hessian_law(model, state), solve(model, state).replicon
        assert law.Lambda == pytest.approx(replicon, abs=1e-12)
        small = law.averages(np.array([-1e-9 * law.fields.cavity.sigma + 0j]))
        assert small.G[0].real == pytest.approx(-d * (1.0 - law.Delta) / (d - 1), rel=1e-7)
        assert law.ratio(small)[0].real == pytest.approx(replicon, abs=1e-6)
        G0 = -d * (1.0 - law.Delta) / (d - 1)
        literal = law.fields.shift + law.alpha / d * law.w * G0 / (1.0 + law.w * G0)
        assert abs(literal) < 1e-14


@pytest.mark.parametrize(
    ("d", "alpha", "state"),
    [
        (3, 0.04, "spin_glass"),
        (3, 0.02, "example"),
        (3, 1e-4, "example"),
        (2, 0.05, "example"),
        (200, 0.5, "spin_glass"),
    ],
)
def test_moments_are_those_of_free_convolution(d, alpha, state):
    """Cumulants add: E h, Var h + alpha w/d, and kappa_3(h) - alpha w^2/d."""
    found, law = spectrum(VectorHopfield(alpha=alpha, d=d), state), hessian_law(VectorHopfield(alpha=alpha, d=d), state)
    assert found.normalisation == pytest.approx(1.0, abs=1e-10)
    assert found.moment(1) == pytest.approx(law.mean, abs=1e-10)
    assert found.moment(2, about=law.mean) == pytest.approx(law.deviation**2, rel=1e-5 if alpha < 1e-3 else 1e-8)
    r, w = law.fields.cavity._rule(law.fields.cavity.reach)
    third = w @ (r - law.fields.cavity.mean) ** 3 - alpha / d * law.w**2
    assert found.moment(3, about=law.mean) == pytest.approx(third, abs=1e-8)
    assert (np.diff(found.eigenvalue) > 0.0).all()
    assert (np.diff(found.cumulative) > -1e-13).all()
    assert (found.density >= 0.0).all()
    assert found.error < 1e-10


def test_retrieval_has_no_gap_and_the_soft_law_at_zero():
    found = spectrum(VectorHopfield(alpha=0.04, d=3))
    assert found.edge is None
    assert found.quantities["lower_end"] == "pseudogap"
    soft = found.eigenvalue < 2e-3
    assert soft.any()
    assert found.density[soft] == pytest.approx(found.curves["soft_law"][soft], rel=0.02)
    assert found.curves["participation"][0] > 1e4


def test_two_components_have_a_gap_too_small_for_floating_point():
    edge = hessian_law(VectorHopfield(alpha=0.05, d=2), "example").edge()
    assert edge.value == 0.0
    assert 0.0 < edge.error < 1e-25


@pytest.mark.parametrize(("model", "state"), [(GLASS, "spin_glass"), (EXAMPLE, "example")])
def test_random_matrices_of_the_same_law(model, state):
    """Cavity fields at their quantiles and a Gaussian Wishart matrix: 600 rigid eigenvalues, each in its place."""
    law, found, n = hessian_law(model, state), spectrum(model, state), 600
    fields = np.repeat([law.fields.quantile((k + 0.5) / (n // 2)) for k in range(n // 2)], 2)
    rng = np.random.default_rng(5)
    patterns = rng.standard_normal((n, round(model.alpha * n / 2))) / math.sqrt(model.d)
    matrix = np.diag(fields + model.alpha / model.d) - patterns @ patterns.T / (n / 2)
    assert _distance(np.linalg.eigvalsh(matrix), found) < 4.0 / n


def _distance(eigenvalues, found):
    """Kolmogorov's distance."""
    n = len(eigenvalues)
    theory = np.interp(np.sort(eigenvalues), found.eigenvalue, found.cumulative, left=0.0, right=1.0)
    return float(np.abs(theory - (np.arange(n) + 0.5) / n).max())


def minimum(rng, *, N, P, d):
    """Align spins one by one with their fields, starting from pattern 0."""
    xi = rng.standard_normal((N, P, d))
    xi /= np.linalg.norm(xi, axis=2, keepdims=True)
    s = xi[:, 0].copy()
    m = np.einsum("ipd,id->p", xi, s) / N
    for _ in range(1000):
        largest = 0.0
        for i in rng.permutation(N):
            h = m @ xi[i] - xi[i].T @ (xi[i] @ s[i]) / N
            step = h / np.sqrt(h @ h) - s[i]
            m += xi[i] @ step / N
            s[i] += step
            largest = max(largest, float(step @ step))
        if largest < 1e-22:
            return xi, s, m
    raise AssertionError("the dynamics did not end")


def literal_hessian(xi, s, m):
    """``-P_i J_ij P_j + delta_ij |h_i|`` in orthonormal tangent bases, and the lengths of the fields."""
    N, P, d = xi.shape
    own = np.einsum("ipd,ip->id", xi, np.einsum("ipd,id->ip", xi, s)) / N
    length = np.linalg.norm(np.einsum("p,ipd->id", m, xi) - own, axis=1)
    tangent = np.linalg.svd(s[:, None, :])[2][:, 1:, :]
    Y = np.einsum("ikd,ipd->ikp", tangent, xi).reshape(N * (d - 1), P)
    blocks = np.kron(np.eye(N), np.ones((d - 1, d - 1)))  # no couplings of a spin with itself
    return -(Y @ Y.T) / N * (1.0 - blocks) + np.diag(np.repeat(length, d - 1)), length


@pytest.mark.slow
def test_hessians_of_minima_found_by_alignment():
    """Sixteen minima of 400 spins: mean distribution function of eigenvalues and of fields within their errors."""
    model, samples = VectorHopfield(alpha=0.04, d=3), 16
    found, fields = spectrum(model), local_fields(model, "example")
    levels = np.array([0.3, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4])
    theory = np.interp(levels, found.eigenvalue, found.cumulative)
    theory_fields = np.array([fields.cavity.cdf(x - fields.shift) for x in levels])
    below, below_fields, pooled = [], [], []
    for k in range(samples):
        H, length = literal_hessian(*minimum(np.random.default_rng(k), N=400, P=16, d=3))
        values = np.linalg.eigvalsh(H)
        assert values[0] > 0.0
        pooled.append(values)
        below.append([(values < x).mean() for x in levels])
        below_fields.append([(length < x).mean() for x in levels])
    for shares, expected in ((below, theory), (below_fields, theory_fields)):
        error = np.std(shares, axis=0, ddof=1) / math.sqrt(samples)
        pull = (np.mean(shares, axis=0) - expected) / np.maximum(error, 0.5 / 800)
        assert np.abs(pull).max() < 3.5
    assert _distance(np.concatenate(pooled), found) < 0.02


@pytest.mark.slow
def test_participation_of_the_band_of_patterns():
    """Eigenvectors of the separate band extend over the system: N IPR is kappa (d+1)/(d-1), not kappa."""
    model = VectorHopfield(alpha=0.02, d=3)
    found, ratios = spectrum(model), []
    for k in range(6):
        xi, s, m = minimum(np.random.default_rng(100 + k), N=1000, P=20, d=3)
        values, vectors = np.linalg.eigh(literal_hessian(xi, s, m)[0])
        ipr = 1000 * ((vectors.reshape(1000, 2, -1) ** 2).sum(axis=1) ** 2).sum(axis=0)
        band = (values > 0.24) & (values < 0.36)
        theory = np.interp(values[band], found.eigenvalue, found.curves["participation"])
        ratios.append(float(np.median(ipr[band] / theory)))
    error = np.std(ratios, ddof=1) / math.sqrt(len(ratios))
    assert abs(np.mean(ratios) - 1.0) < 3.0 * error + 0.05  # the band of 20 eigenvalues is broadened by 1/sqrt(P)


@pytest.mark.parametrize(
    ("model", "state", "part"),
    [
        (VectorHopfield(alpha=0.01, d=1), "example", "d = 1 has no Hessian"),
        (VectorHopfield(alpha=0.01, temperature=0.1), "example", "temperature = 0.1 is not allowed"),
        (VectorHopfield(alpha=0.01), "paramagnet", "choose example or spin-glass"),
        (VectorHopfield(alpha=0.01), "mixture", "is unknown"),
        (VectorHopfield(), "example", "alpha is missing"),
        (Hopfield(alpha=0.01), "example", "hopfield has no spectrum; vector-hopfield has one"),
    ],
)
def test_refusals(model, state, part):
    with pytest.raises(InvalidInput, match=part):
        spectrum(model, state)


def test_refusals_of_numbers():
    with pytest.raises(InvalidInput, match="20 <= points <= 20000"):
        spectrum(GLASS, "spin_glass", points=3)
    with pytest.raises(InvalidInput, match="0 < sigma < infinity"):
        CavityFields(3, 0.1, 0.0)
    with pytest.raises(InvalidInput, match="0 < share < 1"):
        CavityFields(3, 0.1, 0.2).quantile(1.0)


def test_a_state_beyond_its_spinodal():
    with pytest.raises(NotConverged, match="NO_SOLUTION"):
        spectrum(VectorHopfield(alpha=0.06, d=3))


def test_the_law_of_a_network_does_not_depend_on_who_computed_its_order_parameters():
    found = solve(EXAMPLE, "example").order_parameters
    fields = LocalFields.hebbian(d=3, alpha=0.02, m=found["m"], sigma=found["sigma"])
    assert HessianLaw(3, 0.02, fields) == hessian_law(EXAMPLE, "example")
