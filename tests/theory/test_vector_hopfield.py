"""The vector Hopfield model against closed forms typed by hand, its limits, and numbers computed independently."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.special import gammaln, hyp1f1, ive

from theory.crossings import spinodals
from theory.denoising import first_overlap, improving_load, largest_improving_load
from theory.errors import InvalidInput, NotConverged
from theory.lines import phase_line
from theory.models.hopfield import Hopfield
from theory.models.vector_hopfield import VectorHopfield
from theory.phase import threshold
from theory.points import equations
from theory.states import solve

# d alpha_c, m_c, replicon there, d alpha of the first-order line (T = 0).
REFERENCE = {
    1: (0.137905566494932, 0.967417115685, None, 0.0518543309),
    2: (0.150800510983842, 0.903555043689, None, 0.0688310445),
    3: (0.152443375643660, 0.875152273053, 0.69590544, 0.0754339852),
    10: (0.150372709816690, 0.833048380234, 0.67848589, 0.0844503617),
}


def mean_length(d):
    return np.sqrt(2.0) * np.exp(gammaln((d + 1) / 2) - gammaln(d / 2))


def explicit_cold(d, t):
    """The T = 0 saddle point at signal-to-noise ratio t: alpha, m, sigma, chi, energy."""
    c, y = mean_length(d), -0.5 * t * t
    m = t * c / d * hyp1f1(0.5, d / 2 + 1, y)
    sigma = m / t
    chi = c / sigma * hyp1f1(0.5, d / 2, y)
    alpha = (c * t * t / (d * (d + 2)) * hyp1f1(1.5, d / 2 + 2, y)) ** 2
    energy = -(m**2 + sigma**2 * chi * (2 - chi / d)) / 2
    return alpha, m, sigma, chi, energy


def explicit_warm(d, tau, t):
    """The saddle point at T > 0 and m/sigma = t: alpha, m, q, by quadrature of the noncentral chi law."""

    def averages(u):  # u = beta m
        v = u / t

        def density(r):
            x = r * u / v**2
            log = -((r - u) ** 2) / (2 * v * v) + (d / 2) * np.log(r / u) + np.log(u / v**2)
            return np.exp(log) * ive(d / 2 - 1, x)

        def A(x):
            return ive(d / 2, x) / ive(d / 2 - 1, x)

        low, high = max(1e-12, u - 10 * v), np.sqrt(u * u + d * v * v) + 10 * v
        points = [u, np.sqrt(u * u + d * v * v)]
        m = quad(lambda r: density(r) * A(r) * A(r * u / v**2), low, high, points=points, epsabs=1e-13, limit=200)[0]
        q = quad(lambda r: density(r) * A(r) ** 2, low, high, points=points, epsabs=1e-13, limit=200)[0]
        return m, q

    u = brentq(lambda u: averages(u)[0] - u * tau / d, 0.2, d / tau, xtol=1e-13)
    m, q = averages(u)
    alpha = ((m / t) * d * (1 - (1 - q) / tau)) ** 2 / q
    return alpha, m, q


@pytest.mark.parametrize("d", REFERENCE)
def test_spinodal_and_first_order_line_at_zero_temperature(d):
    load, m, replicon, first = REFERENCE[d]
    found = threshold(VectorHopfield(d=d))
    assert d * found.value == pytest.approx(load, abs=2e-14)
    assert found.order_parameters["m"] == pytest.approx(m, abs=1e-11)
    assert found.rs_stable is (d >= 3)
    if replicon is not None:
        crossing = spinodals(VectorHopfield(d=d), "example", 1, "alpha")[0][0]
        assert crossing.point.scalar("replicon", crossing.x) == pytest.approx(replicon, abs=6e-9)
    degenerate = threshold(VectorHopfield(d=d), line="thermodynamic")
    assert d * degenerate.value == pytest.approx(first, abs=6e-11)
    assert degenerate.uncondensed == "spin_glass"


@pytest.mark.parametrize("d", [1, 2, 3, 7, 20])
def test_zero_temperature_follows_the_explicit_solution(d):
    best = minimize_scalar(lambda t: -explicit_cold(d, t)[0], bounds=(np.sqrt(d), 3 * np.sqrt(d)), method="bounded")
    assert threshold(VectorHopfield(d=d)).value == pytest.approx(-best.fun, rel=1e-9)
    alpha, m, sigma, chi, energy = explicit_cold(d, 1.5 * best.x)
    found = solve(VectorHopfield(float(alpha), d))
    assert found.order_parameters["m"] == pytest.approx(m, rel=1e-12)
    assert found.order_parameters["sigma"] == pytest.approx(sigma, rel=1e-11)
    assert found.order_parameters["chi"] == pytest.approx(chi, rel=1e-11, abs=1e-12)
    assert found.energy == pytest.approx(energy, rel=1e-12)
    if d >= 3:
        inverse = hyp1f1(1, d / 2, -0.5 * (1.5 * best.x) ** 2) / (sigma**2 * (d - 2))
        assert found.replicon == pytest.approx(1 - alpha * (d - 1) * inverse / (d - chi) ** 2, rel=1e-11)


@pytest.mark.parametrize(("d", "tau", "t"), [(2, 0.3, 3.0), (3, 0.3, 4.0), (3, 0.6, 4.5), (10, 0.4, 8.0)])
def test_finite_temperature_follows_the_explicit_solution(d, tau, t):
    alpha, m, q = explicit_warm(d, tau, t)
    found = solve(VectorHopfield(float(alpha), d, tau)).order_parameters
    assert found["m"] == pytest.approx(m, rel=1e-9)
    assert found["q"] == pytest.approx(q, rel=1e-9)


def test_a_point_of_the_three_component_model():
    found = solve(VectorHopfield(0.02, 3))
    expected = {"m": 0.9769125835, "chi": 2.0472660846, "sigma": 0.1484374115}
    for name, value in expected.items():
        assert found.order_parameters[name] == pytest.approx(value, abs=6e-11)
    assert found.energy == pytest.approx(-0.5068962623, abs=6e-11)
    assert found.replicon == pytest.approx(0.95267498, abs=6e-9)
    assert found.entropy is None  # of continuous spins: minus infinity
    glass = solve(VectorHopfield(0.02, 3), "spin_glass")
    assert glass.energy == pytest.approx(-0.4996384594, abs=6e-11)


@pytest.mark.parametrize(("d", "tau"), [(1, 0.54225504), (3, 0.58702038), (10, 0.59287378)])
def test_spinodal_temperatures_at_scaled_load_one_twentieth(d, tau):
    assert threshold(VectorHopfield(0.05 / d, d), vary="temperature").value == pytest.approx(tau, abs=6e-9)


def test_lines_of_three_components_at_tau_three_tenths():
    model = VectorHopfield(d=3, temperature=0.3)
    crossing = spinodals(model, "example", 1, "alpha")[0][0]
    assert 3 * crossing.value == pytest.approx(0.106093798, abs=6e-10)
    found = dict(zip(crossing.point.equations.names, crossing.x, strict=True))
    assert found["m"] == pytest.approx(0.7673296, abs=6e-8)
    assert 1 - 0.1 * found["chi"] == pytest.approx(0.7610146, abs=6e-8)
    assert crossing.point.scalar("replicon", crossing.x) == pytest.approx(0.742925, abs=6e-7)
    assert 3 * threshold(model, line="thermodynamic").value == pytest.approx(0.05449824, abs=6e-9)


@pytest.mark.parametrize("temperature", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("line", ["spinodal", "thermodynamic"])
def test_one_component_has_the_lines_of_the_hopfield_model(temperature, line):
    ours = threshold(VectorHopfield(d=1, temperature=temperature), line=line)
    ising = threshold(Hopfield(temperature=temperature), line=line)
    assert ours.value == pytest.approx(ising.value, rel=1e-13)
    assert ours.rs_stable is ising.rs_stable
    at = VectorHopfield(0.9 * ours.value, 1, temperature)
    one, other = solve(at), solve(Hopfield(at.alpha, temperature))
    assert one.entropy == pytest.approx(other.entropy, abs=1e-13)
    assert one.energy == pytest.approx(other.energy, abs=1e-13)
    assert one.order_parameters["q_hat"] == pytest.approx(other.order_parameters["q_hat"], rel=1e-12)


def test_one_component_breaks_replica_symmetry_where_the_hopfield_model_does():
    ours = threshold(VectorHopfield(0.13, 1), line="at", vary="temperature").value
    assert ours == pytest.approx(threshold(Hopfield(0.13), line="at", vary="temperature").value, rel=1e-12)
    # T_AT -> (4/3) alpha p(0)/(1 - chi)^2 at low T, where it is small.
    low = threshold(VectorHopfield(0.1, 1), line="at", vary="temperature").value
    at = solve(VectorHopfield(0.1, 1)).order_parameters
    density = np.exp(-0.5 * (at["m"] / at["sigma"]) ** 2) / (np.sqrt(2 * np.pi) * at["sigma"])
    assert low == pytest.approx(4 / 3 * 0.1 * density / (1 - at["chi"]) ** 2, rel=0.02)


def test_one_component_is_re_entrant():
    values = [0.005, 0.01, 0.02287, 0.04, 0.06]
    line = phase_line(VectorHopfield(d=1), along="temperature", values=values).values
    assert line[2] == pytest.approx(0.13818851, abs=6e-9)
    assert np.argmax(line) == 2
    assert line[2] > threshold(VectorHopfield(d=1)).value > line[-1]
    cold = threshold(VectorHopfield(d=3)).value
    assert np.all(phase_line(VectorHopfield(d=3), along="temperature", values=values).values < cold)  # d = 3 is not


@pytest.mark.parametrize("d", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("alpha", [0.01, 0.3])
def test_the_glass_sets_in_at_one_plus_the_root_of_alpha_over_d(d, alpha):
    found = threshold(VectorHopfield(alpha, d), "spin_glass", line="continuous", vary="temperature")
    onset = 1 + np.sqrt(alpha / d)  # = 1 + sqrt(d alpha)/d
    assert found.value == pytest.approx(onset, rel=1e-12)
    below = solve(VectorHopfield(alpha, d, onset - 1e-3), "spin_glass").order_parameters["q"]
    assert 0 < below < 0.2
    with pytest.raises(NotConverged, match="above T_g"):
        solve(VectorHopfield(alpha, d, onset + 1e-3), "spin_glass")


@pytest.mark.parametrize("d", [3, 5, 50])
def test_the_glass_always_breaks_replica_symmetry(d):
    cold = solve(VectorHopfield(0.1, d), "spin_glass")
    assert cold.replicon == pytest.approx(-1 / (d - 2), rel=1e-9)
    c, alpha = mean_length(d), 0.1
    assert cold.order_parameters["sigma"] == pytest.approx((c + np.sqrt(alpha)) / d, rel=1e-12)
    for share in (0.3, 0.9):
        glass = solve(VectorHopfield(alpha, d, share * (1 + np.sqrt(alpha / d))), "spin_glass")
        assert glass.replicon < 0
        assert glass.rs_stable is False


def test_retrieval_of_three_components_is_replica_symmetric_at_all_loads():
    assert all(solve(VectorHopfield(a, 3)).rs_stable for a in (1e-3, 0.02, 0.0508))
    with pytest.raises(NotConverged, match="replica symmetry is stable all along"):
        threshold(VectorHopfield(d=3), line="at")


@pytest.mark.parametrize("d", [1, 2])
def test_few_components_break_replica_symmetry_at_zero_temperature(d):
    found = solve(VectorHopfield(0.03, d))
    assert found.replicon is None
    assert found.rs_stable is False
    with pytest.raises(InvalidInput, match="always breaks replica symmetry"):
        threshold(VectorHopfield(d=d), line="at")


def test_the_replicon_of_two_components_falls_with_the_logarithm_of_temperature():
    # Lambda = 1 - (ln(1/tau) + C)/X with X = 4 D^2 sigma^2 exp(t^2/2)/alpha, as E (A'^2 + A^2/x^2) ~ p(0) ln(1/tau).
    alpha, tau = 0.075, 1e-4
    at = solve(VectorHopfield(alpha, 2)).order_parameters
    X = 4 * ((1 - at["chi"] / 2) * at["sigma"]) ** 2 * np.exp(0.5 * (at["m"] / at["sigma"]) ** 2) / alpha
    high, low = (solve(VectorHopfield(alpha, 2, t)).replicon for t in (tau, tau / 10))
    assert (high - low) * X == pytest.approx(np.log(10), rel=0.01)


def test_many_components_reach_the_laws_of_large_d():
    loads = {d: d * threshold(VectorHopfield(d=d)).value for d in (50, 100, 200)}
    for d, load in loads.items():
        assert load == pytest.approx(4 / 27 + 2 / (81 * d), abs=0.6 / d**2)
    degenerate = {d: d * threshold(VectorHopfield(d=d), line="thermodynamic").value for d in (100, 200)}
    assert 2 * degenerate[200] - degenerate[100] == pytest.approx(64 / 729, abs=2e-5)


@pytest.mark.slow
def test_warm_lines_of_many_components_scale_like_cold_ones():
    # At leading order q = 1 - tau in retrieval and glass, d (1 - chi/d) = p K with K = 2 (1 - tau)/(2 - tau) and
    # p = m^2/q, so alpha = K^2 p^2 (1 - p)/d.  With d df/d(d alpha) = -q/(2 d Delta), and the free energies at
    # vanishing load d f apart by -q K/4, both free energies scale with q K, and K^2 is the factor of both lines.
    for tau in (0.2, 0.5, 0.8):
        factor = (2 * (1 - tau) / (2 - tau)) ** 2
        assert 200 * threshold(VectorHopfield(d=200, temperature=tau)).value == pytest.approx(4 / 27 * factor, rel=5e-3)
    warm = 200 * threshold(VectorHopfield(d=200, temperature=0.5), line="thermodynamic").value
    assert warm == pytest.approx(64 / 729 * (2 / 3) ** 2, rel=5e-3)


def test_lines_may_pass_where_the_free_energy_vanishes():
    # f of both states is 1e-4 of its terms here, so that its size says nothing of its rounding.
    found = threshold(VectorHopfield(d=50, temperature=0.3174603174603), line="thermodynamic")
    assert found.error < 1e-13
    at = VectorHopfield(found.value, 50, 0.3174603174603)
    states = [solve(at, state).free_energy for state in ("example", "spin_glass")]
    assert abs(states[0]) < 1e-3
    assert states[0] == pytest.approx(states[1], abs=1e-14)


def test_one_step_values_and_laws():
    assert first_overlap(0.5, alpha=0.5, d=1) == pytest.approx(0.52049988, abs=6e-9)
    assert first_overlap(0.5, alpha=0.5, d=3) == pytest.approx(0.79105854, abs=6e-9)
    assert first_overlap(0.5, alpha=0.5, d=10) == pytest.approx(0.91870309, abs=6e-9)
    for d, expected in ((1, 2 / np.pi), (2, np.pi / 2), (3, 8 / np.pi), (4, 9 * np.pi / 8)):
        assert largest_improving_load(d) == pytest.approx(expected, rel=1e-14)
    x = 0.4 * np.sqrt(200 / 30.0)
    assert first_overlap(0.4, alpha=30.0, d=200) == pytest.approx(x / np.sqrt(1 + x * x), rel=5e-3)
    assert improving_load(0.6, d=200) == pytest.approx(200 * (1 - 0.36), rel=5e-3)
    assert improving_load(0.0, d=3) == largest_improving_load(3)
    assert improving_load(1.0, d=3) == 0.0
    assert improving_load(1e-4, d=7) == pytest.approx(largest_improving_load(7), rel=1e-6)
    assert first_overlap(1.0, alpha=1e-20, d=3) == 1.0
    assert first_overlap(0.0, alpha=0.1, d=3) == 0.0


@pytest.mark.parametrize("d", [1, 2, 5])
def test_one_step_is_the_mean_direction_of_a_noisy_field(d):
    m0, alpha = 0.3, 0.8
    z = np.random.default_rng(3).normal(size=(400_000, d)) * np.sqrt(alpha) / d
    z[:, 0] += m0
    cosine = z[:, 0] / np.linalg.norm(z, axis=1)
    error = cosine.std() / np.sqrt(len(cosine))
    assert abs(first_overlap(m0, alpha=alpha, d=d) - cosine.mean()) < 4 * error


@pytest.mark.parametrize(
    ("m0", "alpha", "d", "part"), [(1.5, 0.1, 3, "m0"), (0.5, 0.0, 3, "alpha"), (0.5, 0.1, 0, "d = 0")]
)
def test_one_step_refuses_what_makes_no_sense(m0, alpha, d, part):
    with pytest.raises(InvalidInput, match=part):
        first_overlap(m0, alpha=alpha, d=d)


@pytest.mark.parametrize("bad", [0, -3, 201, 2.5, True, "three", None, float("nan")])
def test_bad_dimensions_are_refused_in_one_sentence(bad):
    with pytest.raises(InvalidInput, match=r"^d ") as caught:
        VectorHopfield(d=bad)
    assert "\n" not in str(caught.value)


def test_whole_numbers_of_any_type_are_dimensions():
    assert VectorHopfield(d=np.int64(3)) == VectorHopfield(d=3.0) == VectorHopfield(d=3)
    assert isinstance(VectorHopfield(d=3.0).d, int)


def test_the_dimension_is_no_unknown():
    with pytest.raises(InvalidInput, match="cannot be solved for; vary one of alpha, temperature"):
        threshold(VectorHopfield(0.02), vary="d")


def test_a_load_in_another_convention_is_explained():
    with pytest.raises(NotConverged, match=r"alpha is P/N, here d alpha = 0.36, and temperature is tau = d T"):
        solve(VectorHopfield(0.12, 3))


def test_results_carry_what_the_model_derives():
    found = threshold(VectorHopfield(d=3)).to_json()
    assert found["alpha_scaled"] == pytest.approx(0.15244337564366, abs=1e-13)
    assert found["parameters"] == {"temperature": 0.0, "d": 3}
    assert "tau = d T" in found["temperature_convention"]
    assert solve(VectorHopfield(0.02, 3)).to_json()["alpha_scaled"] == pytest.approx(0.06)
    assert "alpha_scaled" not in threshold(Hopfield()).to_json()


@pytest.mark.parametrize("d", [2, 3, 200])
def test_spinodals_at_zero_temperature_are_certified(d):
    pytest.importorskip("flint")
    found = threshold(VectorHopfield(d=d), digits=20, certify=True)
    assert found.certificate["certified"]
    assert found.certificate["inside_domain"]
    assert float(found.digits) == pytest.approx(found.value, rel=1e-14)


@pytest.mark.slow
def test_digits_at_finite_temperature_are_not_certified_but_right():
    found = threshold(VectorHopfield(d=3, temperature=0.3), digits=20, certify=True)
    assert not found.certificate["certified"]
    assert "no proven error bound" in found.message
    assert found.digits.startswith("0.03536459925687022387")
    assert float(found.digits) == pytest.approx(found.value, rel=1e-14)


def test_equations_are_derived_with_the_dimension_in_them():
    assert str(equations(VectorHopfield(d=3), "example").residual[0]) == "m - VectorZero_3(1, 0, m, alpha*q_hat/9)"
