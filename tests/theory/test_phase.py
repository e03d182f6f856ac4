"""Phase boundaries against numbers in print, explicit solutions and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
from scipy.special import erf

from theory.branches import branch
from theory.errors import InvalidInput, NotConverged
from theory.lines import phase_line
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures
from theory.phase import threshold
from theory.problem import Status
from theory.states import solve

K1, KS = 2 / math.pi, 1 - 2 / math.pi  # kappa_1^2 and kappa_*^2 of sign

TG = {"line": "continuous", "vary": "temperature"}

# (model, state, options, value, tolerance).  Hopfield: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173, 30 (1987) print
# alpha_c = 0.138, m_c = 0.967 and the first-order line at 0.051; T_g = 1 + sqrt(alpha).  The further digits, and the
# random-features values, are from an independent derivation solved by a closed parametrisation (see below).
REFERENCE = [
    (Hopfield(), "example", {}, 0.137905566494931737, 1e-15),
    (Hopfield(), "example", {"line": "thermodynamic"}, 0.05185417, 5e-6),
    (Hopfield(temperature=0.1), "example", {}, 0.13504918977, 1e-11),
    (Hopfield(temperature=0.3), "example", {}, 0.1033297825791, 1e-13),
    (Hopfield(alpha=0.1), "spin_glass", TG, 1 + math.sqrt(0.1), 1e-12),
    (Hopfield(temperature=1.5), "paramagnet", {"line": "continuous"}, 0.25, 1e-12),
    (RandomFeatures(alpha_d=1), "example", {}, 0.1048823134, 1e-10),
    (RandomFeatures(alpha_d=0.2), "example", {}, 0.0556231502, 1e-10),
    (RandomFeatures(alpha_d=5), "example", {}, 0.1295287085, 1e-10),
    (RandomFeatures(alpha_d=1), "example", {"line": "thermodynamic"}, 0.03990836, 1e-8),
    (RandomFeatures(alpha_d=0.05), "feature", {}, 0.7979255076, 1e-10),
    (RandomFeatures(alpha_d=0.01), "feature", {}, 0.0978621650, 1e-10),
    (RandomFeatures(alpha_d=0.02), "feature", {"line": "thermodynamic"}, 0.64639067, 1e-8),
    (RandomFeatures(alpha=1), "mixture", {"vary": "alpha_d"}, 0.0145507884, 1e-10),
    (RandomFeatures(alpha=1), "mixture", {"vary": "alpha_d", "L": 5}, 0.0081818854, 1e-10),
    (RandomFeatures(alpha=1), "mixture", {"vary": "alpha_d", "L": 7}, 0.0056757722, 1e-10),
    (RandomFeatures(alpha=1), "mixture", {"vary": "alpha_d", "L": 9}, 0.0043416952, 1e-10),
    (RandomFeatures(alpha_d=0.01, temperature=1), "feature", {}, 0.10416902, 1e-8),
    (RandomFeatures(alpha_d=0.01, temperature=4), "feature", {}, 0.15702922, 1e-8),
    (RandomFeatures(alpha_d=1, temperature=0.3), "example", {}, 0.07928813, 1e-8),
    (RandomFeatures(alpha=0.5, alpha_d=1), "spin_glass", TG, 2.48478879, 1e-8),
    (RandomFeatures(alpha=1, alpha_d=0.05), "spin_glass", TG, 19.97918819, 1e-8),
]  # fmt: skip


@pytest.mark.parametrize(("model", "state", "options", "value", "tolerance"), REFERENCE)
def test_reference_values(model, state, options, value, tolerance):
    found = threshold(model, state, **options)
    assert found.value == pytest.approx(value, abs=tolerance)
    assert 0 < found.error < 1e-9 * found.value


# (alpha, alpha_D, T, state, expected): fixed points of the same independent derivation.
FIXED_POINTS = [
    (1, 0.05, 0, "feature", {"m": 0.98828412, "m_hat": 12.67209326, "chi": 0.00662182, "q_hat": 25.27509652,
                             "dp": 0.00723623, "dp_hat": 0.6411159, "p_d": 20.73746204, "X": 8.75832481}, -6.37877222),
    (0.08, 0.5, 0, "example", {"m": 0.98492694, "t": 0.78852504, "t_hat": 0.08889685, "chi": 0.09583142,
                               "q_hat": 2.32572701, "p_d": 2.26762264, "X": 1.40921827}, -0.53358434),
    (0.5, 0.05, 0, "spin_glass", {}, -4.21473403),
    (1, 0.05, 1, "feature", {"m": 0.98580519, "q": 0.99235939, "p_d": 20.67720285}, -6.38161740),
]  # fmt: skip


@pytest.mark.parametrize(("alpha", "alpha_d", "temperature", "state", "expected", "f"), FIXED_POINTS)
def test_fixed_points(alpha, alpha_d, temperature, state, expected, f):
    solution = solve(RandomFeatures(alpha, alpha_d, temperature), state)
    for name, value in expected.items():
        assert solution.order_parameters[name] == pytest.approx(value, abs=1e-8), name
    assert solution.free_energy == pytest.approx(f, abs=1e-8)


def test_retrieval_at_low_temperature():
    solution = solve(Hopfield(alpha=0.12, temperature=0.05), "example")
    assert solution.order_parameters["m"] == pytest.approx(0.99259706117160, abs=1e-13)
    assert solution.order_parameters["q"] == pytest.approx(0.99701865330719, abs=1e-13)
    assert solution.rs_stable


# --- independent solutions, typed by hand -------------------------------------------------------------------------


def test_ags_capacity_from_its_one_line_form():
    # sqrt(2 alpha) = max_y [erf(y)/y - 2/sqrt(pi) exp(-y^2)] (AGS 1987, T = 0).
    best = scipy.optimize.minimize_scalar(
        lambda y: -(erf(y) / y - 2 / math.sqrt(math.pi) * math.exp(-y * y)), bounds=(1, 2), options={"xatol": 1e-10}
    )
    found = threshold(Hopfield())
    assert found.value == pytest.approx(best.fun**2 / 2, rel=1e-14)
    assert found.order_parameters["m"] == pytest.approx(erf(best.x), abs=1e-8)
    assert found.order_parameters["m"] == pytest.approx(0.967417115685, abs=1e-12)


def _mixture_load(y, ratio, L):
    """alpha_D as a function of y = m_hat/s at fixed ratio alpha/alpha_D, everything else eliminated by hand (T = 0)."""
    zeta = np.arange(-L, L + 1, 2)
    weight = np.array([math.comb(L, (L + int(z)) // 2) for z in zeta]) / 2**L
    m = weight @ (zeta * erf(y * zeta / math.sqrt(2))) / L
    g = weight @ (2 * np.exp(-0.5 * (y * zeta) ** 2) / math.sqrt(2 * math.pi))
    C = g * y / m
    a, rho = 1 / (1 - C) ** 2, KS / K1
    e = a * C**2 / ratio
    if not (0 < C < 1 and e < 1):
        return -np.inf
    return m**2 * (ratio / y**2 - L * (rho + a) / (1 - e)) / ((rho + a) ** 2 / (1 - e) + a * ratio)


@pytest.mark.parametrize("L", [1, 3, 5, 7, 9])
@pytest.mark.parametrize("alpha", [0.05, 1.0, 30.0])
def test_mixture_spinodals_from_the_explicit_solution(L, alpha):
    state, size = ("feature", None) if L == 1 else ("mixture", L)
    found = threshold(RandomFeatures(alpha=alpha), state, vary="alpha_d", L=size)
    ratio = alpha / found.value
    # The branch connected to the pure mixture is the outermost maximum in y.
    grid = np.linspace(0.2, 6, 600)
    values = np.array([_mixture_load(y, ratio, L) for y in grid])
    top = int(np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] > values[2:]))[-1]) + 1
    best = scipy.optimize.minimize_scalar(
        lambda y: -_mixture_load(y, ratio, L), bounds=(grid[top - 1], grid[top + 1]), options={"xatol": 1e-9}
    )
    assert found.value == pytest.approx(-best.fun, rel=1e-12)


def test_storage_state_from_the_explicit_solution():
    solution = solve(RandomFeatures(0.08, 0.5), "example").order_parameters
    s = math.sqrt(0.08 * solution["q_hat"])
    x, w = np.polynomial.legendre.leggauss(200)
    x, w = 4.5 * (x + 1), 4.5 * w * 2 * np.exp(-0.5 * (4.5 * (x + 1)) ** 2) / math.sqrt(2 * math.pi)
    h = (solution["m"] + solution["t_hat"] * x) / s
    assert solution["m"] == pytest.approx(w @ erf(h / math.sqrt(2)), rel=1e-12)
    assert solution["t"] == pytest.approx(w @ (x * erf(h / math.sqrt(2))), rel=1e-12)
    ratio, dph = 0.16, solution["dp_hat"]
    C = ratio * dph * solution["chi"]
    a = 1 / (1 - C) ** 2
    W = (solution["t"] ** 2 / 0.5 + a + KS / K1) / (1 - a * C**2 / ratio)
    assert solution["X"] == pytest.approx(dph**2 * W, rel=1e-12)
    assert solution["q_hat"] == pytest.approx(dph**2 * (KS / K1 * W + a * (W + ratio)), rel=1e-12)


def _paper_free_energy(alpha, alpha_d, beta, v, entropic):
    """The free energy in the variables of the paper (q, p, p_hat), as written there; features, L = 1."""
    ratio = alpha / alpha_d
    Q = K1 * v["p"] + KS * v["q"]
    d1 = 1 - beta * (K1 * (v["p_d"] - v["p"]) + KS * (1 - v["q"]))
    d2 = 1 - beta * ratio * (v["p_d_hat"] - v["p_hat"]) * (1 - v["q"])
    b = beta * ratio * (v["p_hat"] + v["p_d_hat"] * v["q"] - 2 * v["p_hat"] * v["q"])
    return (
        alpha / (2 * beta) * (math.log(d1) - beta * Q / d1)
        + alpha_d / (2 * beta) * (math.log(d2) - b / d2)
        + alpha / 2 * (v["p_d_hat"] * v["p_d"] - v["p_hat"] * v["p"])
        - ratio / 2 * (v["p_d_hat"] - v["p_hat"]) * v["m"] ** 2
        + v["m_hat"] * v["m"]
        + alpha * beta / 2 * v["q_hat"] * (1 - v["q"])
        - entropic / beta
        + alpha / 2
    )


def test_free_energy_in_the_variables_of_the_paper():
    alpha, alpha_d, temperature = 1.0, 0.05, 1.0
    solution = solve(RandomFeatures(alpha, alpha_d, temperature), "feature")
    v = solution.order_parameters
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 9 * z, 9 * w * np.exp(-0.5 * (9 * z) ** 2) / math.sqrt(2 * math.pi)
    h = (v["m_hat"] + math.sqrt(alpha * v["q_hat"]) * z) / temperature
    entropic = w @ (np.abs(h) + np.log1p(np.exp(-2 * np.abs(h))))
    expected = _paper_free_energy(alpha, alpha_d, 1 / temperature, v, entropic)
    assert solution.free_energy == pytest.approx(expected, abs=1e-11)


# --- limits --------------------------------------------------------------------------------------------------------


def test_storage_line_is_linear_at_small_alpha_d():
    slopes = [threshold(RandomFeatures(alpha_d=d), "example").value / d for d in (1e-5, 1e-4)]
    extrapolated = slopes[0] - (slopes[1] - slopes[0]) / 9
    assert extrapolated == pytest.approx(0.50908, abs=1e-5)


def test_learning_line_is_linear_at_small_alpha_d():
    # The numerator of the explicit solution vanishes: alpha/alpha_D = min_y [a C^2 + y^2 (rho + a)].
    def ratio(y):
        m, g = erf(y / math.sqrt(2)), 2 * math.exp(-0.5 * y * y) / math.sqrt(2 * math.pi)
        C = g * y / m
        a = 1 / (1 - C) ** 2
        return a * C**2 + y**2 * (KS / K1 + a)

    slope = scipy.optimize.minimize_scalar(ratio, bounds=(0.5, 4), options={"xatol": 1e-10}).fun
    assert slope == pytest.approx(8.77097, abs=1e-5)
    slopes = [threshold(RandomFeatures(alpha_d=d), "feature").value / d for d in (1e-6, 1e-5)]
    assert slopes[0] - (slopes[1] - slopes[0]) / 9 == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize(("state", "L"), [("feature", None), ("mixture", 3), ("mixture", 9)])
def test_high_load_is_hopfield_on_the_features(state, L):
    asymptote = threshold(Hopfield(), "example" if L is None else "mixture", L=L).value
    found = [threshold(RandomFeatures(alpha=a), state, vary="alpha_d", L=L).value for a in (1e4, 1e5)]
    assert found[1] == pytest.approx(asymptote, rel=1e-4)
    # The leading correction is of relative order alpha_D/alpha.
    assert (asymptote - found[0]) / (asymptote - found[1]) == pytest.approx(10, rel=0.01)


def test_all_ways_of_crossing_a_line_agree():
    a = threshold(RandomFeatures(alpha_d=0.05, temperature=1.0), "feature").value
    d = threshold(RandomFeatures(alpha=a, temperature=1.0), "feature", vary="alpha_d")
    t = threshold(RandomFeatures(alpha=a, alpha_d=0.05), "feature", vary="temperature")
    assert d.value == pytest.approx(0.05, rel=1e-11)
    assert t.value == pytest.approx(1.0, rel=1e-10)
    assert (d.state_exists, t.state_exists) == ("below", "below")


def test_reentrance_has_two_solutions():
    """Retrieval at alpha = 0.138 exists between two temperatures (AGS lines bend back at low T)."""
    found = threshold(Hopfield(alpha=0.138), vary="temperature")
    assert len(found.all) == 2
    assert found.value == max(found.all)
    for t in found.all:
        assert threshold(Hopfield(temperature=t)).value == pytest.approx(0.138, abs=1e-12)


def test_an_isolated_window_is_reached():
    found = threshold(RandomFeatures(alpha_d=0.138, temperature=200.0), "feature")
    assert len(found.all) == 2
    for a in found.all:
        inside = a * (1.001 if a == found.all[0] else 0.999)
        outside = a * (0.999 if a == found.all[0] else 1.001)
        assert solve(RandomFeatures(inside, 0.138, 200.0), "feature").status is Status.CONVERGED
        assert solve(RandomFeatures(outside, 0.138, 200.0), "feature", throw=False).status is Status.NO_SOLUTION


# --- stability -----------------------------------------------------------------------------------------------------


def test_replicon_vanishes_on_the_at_line_and_signs_it():
    line = threshold(Hopfield(alpha=0.12), line="at", vary="temperature")
    assert line.state_exists == "above"
    below, above = (solve(Hopfield(0.12, line.value * s)).replicon for s in (0.99, 1.01))
    assert below < 0 < above
    # AGS: alpha beta^2 E sech^4 / (1 - beta (1 - q))^2 = 1, by Gauss-Legendre on a fine grid.
    solution = solve(Hopfield(0.12, line.value * 1.0000001)).order_parameters
    z = np.linspace(-9, 9, 2_000_001)
    h = (solution["m"] + math.sqrt(0.12 * solution["q_hat"]) * z) / line.value
    sech4 = np.trapezoid(np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) / np.cosh(np.clip(h, -90, 90)) ** 4, z)
    chi = (1 - solution["q"]) / line.value
    assert 0.12 / line.value**2 * sech4 / (1 - chi) ** 2 == pytest.approx(1, abs=1e-6)


def test_paramagnet_becomes_unstable_where_the_spin_glass_appears():
    tg = threshold(RandomFeatures(alpha=1, alpha_d=0.05), "paramagnet", line="continuous", vary="temperature").value
    inside = solve(RandomFeatures(1, 0.05, tg * 0.999), "spin_glass")
    assert 0 < inside.order_parameters["q"] < 0.01
    assert solve(RandomFeatures(1, 0.05, tg * 1.001), "spin_glass", throw=False).status is Status.NO_SOLUTION
    assert not inside.rs_stable


def test_transverse_stability_of_mixtures_at_zero_temperature():
    """(y/m) E[2 phi(y zeta) (1 - (zeta^2 - L)/(L (L - 1)))] < 1, typed by hand for L = 3."""
    solution = solve(RandomFeatures(1.0, 0.01), "mixture", L=3)
    v = solution.order_parameters
    y = v["m_hat"] / math.sqrt(1.0 * v["q_hat"])
    phi = lambda u: math.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
    total = 0.75 * 2 * phi(y) * (1 + 2 / 6) + 0.25 * 2 * phi(3 * y) * (1 - 6 / 6)
    assert solution.transverse == pytest.approx(1 - y / v["m"] * total, rel=1e-12)
    assert solution.transverse > 0


def test_ising_states_at_zero_temperature_are_flagged():
    solution = solve(RandomFeatures(0.07, 0.5), "example")
    assert solution.replicon is None
    assert solution.rs_stable is False
    assert solve(Hopfield(0.05), "spin_glass").entropy < 0  # the sign of broken replica symmetry


# --- refusals ------------------------------------------------------------------------------------------------------


def test_beyond_the_spinodal_there_is_no_solution_and_the_spinodal_is_named():
    with pytest.raises(NotConverged, match=r"alpha = 0\.137905566495") as caught:
        solve(Hopfield(alpha=0.138))
    assert caught.value.solution.status is Status.NO_SOLUTION
    assert all(v is None for v in caught.value.solution.order_parameters.values())


@pytest.mark.parametrize("epsilon", [1e-3, 1e-6, 1e-9])
def test_the_spinodal_separates_existence_from_absence(epsilon):
    critical = threshold(RandomFeatures(alpha_d=0.2)).value
    assert solve(RandomFeatures(critical * (1 - epsilon), 0.2)).order_parameters["m"] > 0.957
    assert solve(RandomFeatures(critical * (1 + epsilon), 0.2), throw=False).status is Status.NO_SOLUTION


@pytest.mark.parametrize(
    ("model", "state", "options", "words"),
    [
        (Hopfield(), "exmaple", {}, "did you mean 'example'"),
        (Hopfield(), "feature", {}, "unknown"),
        (Hopfield(), "example", {"line": "spinodl"}, "did you mean 'spinodal'"),
        (Hopfield(), "example", {"vary": "alpha_d"}, "not a parameter of hopfield"),
        (RandomFeatures(), "example", {}, "alpha_d is missing"),
        (Hopfield(alpha=0.1), "example", {}, "both fixed and varied"),
        (Hopfield(alpha=0.1, temperature=0.2), "example", {"vary": "temperature"}, "both fixed and varied"),
        (RandomFeatures(alpha_d=0.1), "mixture", {"L": 4}, "odd L"),
        (RandomFeatures(alpha_d=0.1), "feature", {"L": 3}, "only state 'mixture'"),
        (Hopfield(), "spin_glass", {}, "condensed"),
        (Hopfield(), "example", {"line": "continuous"}, "spinodal"),
        (Hopfield(), "example", {"line": "at"}, "temperature"),
        (Hopfield(), "example", {"digits": 0}, "digits = 0"),
        (Hopfield(), "paramagnet", {"line": "continuous"}, "temperature"),
    ],
)
def test_meaningless_requests_are_refused(model, state, options, words):
    with pytest.raises(InvalidInput, match=words):
        threshold(model, state, **options)


def test_a_paramagnet_at_zero_temperature_is_refused():
    with pytest.raises(InvalidInput, match="no paramagnet"):
        solve(Hopfield(0.1), "paramagnet")


def test_a_line_that_does_not_exist_is_no_solution():
    found = threshold(RandomFeatures(alpha_d=0.2), "feature", throw=False)
    assert found.status is Status.NO_SOLUTION
    assert found.value is None


# --- whole lines ---------------------------------------------------------------------------------------------------


def test_lines_solved_together_equal_points_solved_alone():
    alphas = np.geomspace(0.001, 30, 25)
    line = phase_line(RandomFeatures(), "mixture", L=3, vary="alpha_d", along="alpha", values=alphas)
    assert all(s is Status.CONVERGED for s in line.statuses)
    assert line.errors.max() < 1e-14
    for k in (0, 7, 24):
        alone = threshold(RandomFeatures(alpha=float(alphas[k])), "mixture", vary="alpha_d")
        assert line.values[k] == pytest.approx(alone.value, rel=1e-14)


@pytest.mark.parametrize(
    ("line", "state"), [("thermodynamic", "example"), ("at", "example"), ("continuous", "spin_glass")]
)
def test_other_lines_follow_their_neighbours(line, state):
    vary, along = ("alpha", "temperature") if line == "thermodynamic" else ("temperature", "alpha")
    values = [0.1, 0.12, 0.13] if along == "alpha" else [0.0, 0.2, 0.4]
    whole = phase_line(Hopfield(), state, line=line, vary=vary, along=along, values=values)
    for v, found in zip(values, whole.values, strict=True):
        alone = threshold(Hopfield(**{along: v}), state, line=line, vary=vary).value
        assert found == pytest.approx(alone, rel=1e-10)


def test_points_beyond_the_end_of_a_line_carry_their_status():
    line = phase_line(RandomFeatures(), "feature", along="alpha_d", values=[0.05, 0.1, 0.13, 0.15])
    assert [s is Status.CONVERGED for s in line.statuses] == [True, True, True, False]
    assert math.isnan(line.values[-1])
    assert line.to_json()["values"][-1] is None


def test_branch_goes_through_its_spinodal():
    found = branch(RandomFeatures(alpha_d=0.01), "feature", vary="alpha", span=(0.05, 1.0))
    assert found.folds == [pytest.approx(0.0978621650, abs=1e-10)]
    assert found.stable.any()
    assert not found.stable.all()
    assert found.parameter.min() == pytest.approx(found.folds[0], rel=0.05)


@pytest.mark.parametrize(
    ("state", "L", "vary"), [("feature", None, "alpha"), ("feature", None, "alpha_d"), ("mixture", 5, "alpha_d")]
)
def test_the_compiled_engine_gives_the_same_line(state, L, vary):
    along = "alpha_d" if vary == "alpha" else "alpha"
    values = np.geomspace(0.001, 0.13, 30) if vary == "alpha" else np.geomspace(20, 0.002, 30)
    options = {"L": L, "vary": vary, "along": along, "values": values}
    ours = phase_line(RandomFeatures(), state, engine="compiled", **options)
    reference = phase_line(RandomFeatures(), state, **options)
    assert all(s is Status.CONVERGED for s in ours.statuses)
    np.testing.assert_allclose(ours.values, reference.values, rtol=1e-12)
    assert ours.state_exists == reference.state_exists
    for name, column in reference.order_parameters.items():
        np.testing.assert_allclose(ours.order_parameters[name], column, rtol=1e-6, err_msg=name)


def test_engines_that_do_not_exist_or_do_not_apply_are_refused():
    with pytest.raises(InvalidInput, match="engine 'fortran'"):
        phase_line(RandomFeatures(), "feature", along="alpha_d", values=[0.05], engine="fortran")
    with pytest.raises(InvalidInput, match="temperature = 0"):
        phase_line(Hopfield(), along="temperature", values=[0.0], engine="compiled")
    with pytest.raises(InvalidInput, match="closed form"):
        phase_line(RandomFeatures(temperature=1.0), "feature", along="alpha_d", values=[0.05], engine="compiled")
