"""Digits on request and proofs of them: known numbers come out proven, and what is not provable is refused."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theory.certify import Certificate, _decimal, certify, certify_fold, certify_line, certify_solution
from theory.crossings import FINDERS, spinodals
from theory.digits import exponent_of, fold_digits, solution_digits, truncated, with_digits
from theory.equations import Equations
from theory.errors import InvalidInput, MissingExtra
from theory.exact import Refused
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures
from theory.phase import threshold
from theory.points import at_point
from theory.saddle import Newton
from theory.states import solve

AGS = "0.137905566494931737"  # critical load of the Hopfield model at T = 0

# Model, state, L, varied parameter, digits known from elsewhere (double-precision solvers, closed forms).
LINES = [
    (Hopfield(), "example", None, "alpha", AGS),
    (Hopfield(), "mixture", 3, "alpha", "0.0299417573"),
    (Hopfield(temperature=0.1), "example", None, "alpha", "0.13504918977356"),
    (Hopfield(temperature=0.3), "example", None, "alpha", "0.10332978257905"),
    (Hopfield(temperature=0.001), "example", None, "alpha", "0.1379297929677"),
    (RandomFeatures(alpha_d=1.0), "example", None, "alpha", "0.10488231337326"),
    (RandomFeatures(alpha_d=0.2), "example", None, "alpha", "0.0556231502"),
    (RandomFeatures(alpha_d=0.05), "feature", None, "alpha", "0.797925507625512"),
    (RandomFeatures(alpha_d=0.01), "feature", None, "alpha", "0.0978621650"),
    (RandomFeatures(alpha=1.0), "mixture", 3, "alpha_d", "0.014550788420569"),
    (RandomFeatures(alpha=1.0), "mixture", 9, "alpha_d", "0.0043416951"),
]
EXTRA = [
    (RandomFeatures(alpha_d=0.01, temperature=1.0), "feature", None, "alpha", "0.1041690239"),
    (RandomFeatures(alpha_d=1.0, temperature=0.3), "example", None, "alpha", "0.0792881274"),
    (RandomFeatures(alpha_d=0.05, nonlinearity="cubic"), "feature", None, "alpha", "0.834611782"),
]


def outermost(model, state, L, vary):
    if vary == "temperature":
        model = replace(model, temperature=1.0)
    found, why = spinodals(model, state, L or 1, vary)
    assert found, why
    return max(found, key=lambda c: c.value)


def proven(crossing, vary, digits=20) -> Certificate:
    return certify_fold(crossing.point, vary, crossing.value, crossing.x, crossing.null, digits)


@pytest.mark.parametrize(("model", "state", "L", "vary", "known"), LINES + EXTRA)
def test_spinodals_are_proven_and_digits_need_no_proof(model, state, L, vary, known):
    pytest.importorskip("flint")
    crossing = outermost(model, state, L, vary)
    found = proven(crossing, vary)
    assert found.existence
    assert found.unique
    assert found.inside_domain
    assert found.quantity == vary
    assert found.digits.startswith(known)
    assert len(found.digits.lstrip("0.")) == 20
    low, high = Fraction(found.lower), Fraction(found.upper)
    assert low <= high
    assert high - low <= 2 * Fraction(found.radius) < Fraction(1, 10**20)
    assert truncated(low, high, 20) == (found.digits, 20)
    box = [Fraction(end) for end in found.box[vary]]
    assert box[0] < low <= high < box[1]
    # mpmath refines the same equations without any ball.
    assert fold_digits(crossing.point, vary, crossing.value, crossing.x, crossing.null, 20) == found.digits


# Free energies cross, or a replicon vanishes: model, state, line, varied parameter, digits known from elsewhere (at
# T = 0.1 and for AT from the equations written out in mpmath).
CROSSINGS = [
    (RandomFeatures(alpha_d=1.0), "example", "thermodynamic", "alpha", "0.0399083608"),
    (RandomFeatures(alpha_d=0.02), "feature", "thermodynamic", "alpha", "0.6463906704"),
    (RandomFeatures(alpha=1.0), "mixture", "thermodynamic", "alpha_d", "0.00286247868461"),
    (Hopfield(temperature=0.1), "example", "thermodynamic", "alpha", "0.0530915504960429580"),
    (Hopfield(alpha=0.02), "example", "thermodynamic", "temperature", "0.591300278790"),
    (RandomFeatures(alpha=0.5, alpha_d=0.2), "spin_glass", "continuous", "temperature", "4.79239896079"),
    (Hopfield(alpha=0.1), "example", "at", "temperature", "0.0014502472913551235"),
]


@pytest.mark.parametrize(("model", "state", "line", "vary", "known"), CROSSINGS)
def test_all_other_lines_are_proven_too(model, state, line, vary, known):
    pytest.importorskip("flint")
    found = threshold(model, state, line=line, vary=vary, certify=True)
    assert found.certificate is not None, found.message
    assert found.certificate["certified"], found.message
    assert found.certificate["inside_domain"]
    assert found.digits.startswith(known)
    assert abs(float(found.digits) - found.value) <= 2.0 * found.error
    assert found.certificate["quantity"] == vary
    assert any(n.startswith("uncondensed_") for n in found.certificate["box"]) == (line == "thermodynamic")
    assert threshold(model, state, line=line, vary=vary, digits=20).digits == found.digits


def test_the_first_order_line_is_that_of_two_closed_forms():
    """Both energies of AGS at T = 0 are explicit: in y for retrieval, ``-1/pi - sqrt(2 alpha/pi)`` for the glass."""
    with mpmath.workdps(60):
        sqrt, pi, erf = mpmath.sqrt, mpmath.pi, mpmath.erf
        bell = lambda y: 2 / sqrt(pi) * mpmath.exp(-y * y)
        noise = lambda y: erf(y) / y - bell(y)  # sqrt(2 alpha)
        width = lambda y: erf(y) / y  # sqrt(2 alpha r)
        chi = lambda y: bell(y) / width(y)
        # f = alpha/2 + m^2/2 - alpha/2/(1 - chi) + alpha r chi/2 - m erf(y) - width bell/2 at m = erf(y)
        f = lambda y: (
            noise(y) ** 2 / 4 * (1 - 1 / (1 - chi(y)))
            + width(y) ** 2 * chi(y) / 4
            - erf(y) ** 2 / 2
            - width(y) * bell(y) / 2
        )
        y = mpmath.findroot(lambda y: f(y) + 1 / pi + noise(y) / sqrt(pi), 3.0)
        truth = mpmath.nstr(noise(y) ** 2 / 2, 50)
    assert truth.startswith("0.0518543309189170566688")
    assert threshold(Hopfield(), line="thermodynamic", digits=40).digits == truth[:43]
    pytest.importorskip("flint")
    assert certify(Hopfield(), line="thermodynamic", vary="alpha", digits=40).digits == truth[:43]


def test_the_glass_temperature_is_1_plus_the_root_of_alpha():
    truth = str(sympy.N(1 + sympy.sqrt(sympy.Rational(1, 10)), 60))
    found = threshold(Hopfield(alpha=0.1), "spin_glass", line="continuous", vary="temperature", digits=50)
    assert found.digits == truth[:51]
    round_one = threshold(Hopfield(temperature=1.5), "spin_glass", line="continuous", digits=20)
    assert round_one.digits is None  # 0.25 and 0.24999... cannot be told apart
    assert "no further digits: alpha is closer to 0.25" in round_one.message


def test_states_that_are_not_degenerate_are_refused():
    pytest.importorskip("flint")
    crossing = FINDERS["thermodynamic"](Hopfield(), "example", 1, "alpha")[0][0]
    elsewhere = replace(crossing, point=crossing.point.at("alpha", 0.06))
    with pytest.raises(Refused):
        certify_line(elsewhere, "thermodynamic", "alpha")


def test_the_critical_load_is_proven_in_under_a_second():
    pytest.importorskip("flint")
    crossing = outermost(Hopfield(), "example", None, "alpha")
    begun = time.perf_counter()
    found = proven(crossing, "alpha", 18)
    assert time.perf_counter() - begun < 1.0
    assert found.digits == AGS


def test_more_digits_continue_the_same_number():
    crossing = outermost(Hopfield(), "example", None, "alpha")
    at = (crossing.point, "alpha", crossing.value, crossing.x, crossing.null)
    many = fold_digits(*at, 300)
    assert len(many) == 302
    assert many.startswith(fold_digits(*at, 30))
    # alpha_c = max_y (erf(y)/y - 2 exp(-y^2)/sqrt(pi))^2 / 2, the one-variable form of the same theory.
    with mpmath.workdps(330):
        bell = lambda y: 2 * mpmath.exp(-y * y) / mpmath.sqrt(mpmath.pi)
        slope = lambda y: bell(y) / y - mpmath.erf(y) / y**2 + 2 * y * bell(y)
        y = mpmath.findroot(slope, 1.5)
        assert mpmath.nstr((mpmath.erf(y) / y - bell(y)) ** 2 / 2, 310)[:302] == many


@pytest.mark.parametrize(
    ("model", "state", "known"),
    [
        (Hopfield(0.12, 0.05), "example", "0.9925970611716"),
        (Hopfield(0.01), "example", "0.99999999999999999999"),
        (RandomFeatures(0.08, 0.5), "example", "0.98492694"),
        (RandomFeatures(1.0, 0.05), "feature", "0.98828412"),
        (RandomFeatures(1.0, 0.05, 1.0), "feature", "0.98580518"),
        (Hopfield(0.1, 0.5), "spin_glass", "0.743573529"),
    ],
)
def test_solutions_are_proven(model, state, known):
    pytest.importorskip("flint")
    found = certify(model, state)
    assert found.digits.startswith(known)
    assert found.existence
    assert found.unique
    assert found.inside_domain
    assert "not a statement about replica symmetry" in found.what
    json.dumps(found.to_json())


def test_solution_digits_agree_with_a_closed_form():
    glass = at_point(Hopfield(0.1), "spin_glass", 1)
    digits = solution_digits(glass, glass.start(), 40)
    truth = sympy.N(1 / (1 + sympy.sqrt(sympy.pi / 20)), 50)
    assert str(truth).startswith(digits["chi"])


def test_a_threshold_carries_digits_and_certificate():
    pytest.importorskip("flint")
    result = threshold(Hopfield(), digits=25, certify=True)
    assert result.digits is not None
    assert result.digits.startswith(AGS)
    assert len(result.digits) == 27
    assert result.certificate is not None
    assert result.certificate["certified"] is True
    assert json.loads(json.dumps(result.to_json()))["certificate"]["unique"] is True
    alone = threshold(Hopfield(), certify=True)
    assert alone.digits is not None
    assert len(alone.digits) >= 17
    plain = threshold(Hopfield(alpha=0.05), vary="temperature", digits=16)
    assert plain.certificate is None
    assert plain.digits == "0.5422550379180852"


def test_what_is_known_in_double_precision_only_is_refused_with_the_reason():
    soft = RandomFeatures(alpha_d=0.05, nonlinearity="tanh")
    crossing = outermost(soft, "feature", None, "alpha")
    with pytest.raises(Refused, match="double precision only"):
        fold_digits(crossing.point, "alpha", crossing.value, crossing.x, crossing.null, 16)
    few = fold_digits(crossing.point, "alpha", crossing.value, crossing.x, crossing.null, 12)
    assert abs(float(few) - crossing.value) < 1e-11
    pytest.importorskip("flint")
    result = threshold(soft, "feature", digits=30, certify=True)
    assert result.digits is None
    assert result.certificate is not None
    assert result.certificate["certified"] is False
    assert "double precision only" in result.certificate["reason"]
    assert result.certificate["reason"] in result.message
    with pytest.raises(Refused, match="double precision only"):
        certify(soft, "feature", vary="alpha")


def test_example_state_of_another_nonlinearity_is_refused():
    pytest.importorskip("flint")
    with pytest.raises(Refused, match="'erf'"):
        certify(RandomFeatures(alpha_d=1.0, nonlinearity="erf"), "example", vary="alpha")


def test_a_point_that_is_no_root_or_a_double_root_is_refused():
    pytest.importorskip("flint")
    crossing = outermost(Hopfield(), "example", None, "alpha")
    with pytest.raises(Refused, match=r"Krawczyk|singular"):  # at the fold itself the plain equations are singular
        certify_solution(crossing.point, crossing.x)
    with pytest.raises(Refused):
        certify_fold(crossing.point, "alpha", crossing.value * 1.02, crossing.x, crossing.null)
    with pytest.raises(Refused):
        certify_solution(at_point(Hopfield(0.1), "example", 1), np.array([0.9, 0.2, 1.2]))


def variables(model: Hopfield) -> np.ndarray:
    point = at_point(model, "example", 1)
    return np.array([solve(model).variables[n] for n in point.equations.names])


def test_a_root_outside_the_physical_domain_is_not_called_inside():
    pytest.importorskip("flint")
    point, x = at_point(Hopfield(0.1), "example", 1), variables(Hopfield(0.1))
    assert certify_solution(point, x).inside_domain
    mirrored = certify_solution(point, x * [-1, 1, 1])  # s -> -s
    assert mirrored.inside_domain
    assert mirrored.digits.startswith("-0.99")
    bounds = {v: (0.999, 1.0) if str(v) == "m" else b for v, b in point.equations.free_energy.bounds.items()}
    declared = replace(point.equations.free_energy, bounds=bounds)
    narrower = replace(point, equations=Equations(declared, point.equations.parameter_names))
    assert not certify_solution(narrower, x).inside_domain


def test_two_roots_have_disjoint_boxes():
    """Uniqueness: the boxes of the stable state and of the unstable one beside it cannot overlap."""
    pytest.importorskip("flint")
    point = at_point(Hopfield(0.137), "example", 1)
    boxes = []
    for guess in ({"m": 0.976, "chi": 0.17, "q_hat": 1.45}, {"m": 0.957, "chi": 0.22, "q_hat": 1.65}):
        start = np.array([[guess[n] for n in point.equations.names]])
        x, _, _ = Newton().iterate(point.equations.problem(), start, point.parameters[None])
        boxes.append([Fraction(end) for end in certify_solution(point, x[0]).box["m"]])
    (a, b), (c, d) = boxes
    assert d < a or b < c


def test_without_python_flint_the_pip_line_is_given_and_digits_still_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtra, match=r'pip install "spinodal\[certify\]"'):
        threshold(Hopfield(), certify=True)
    with pytest.raises(MissingExtra, match="pip install"):
        certify(Hopfield(0.1))
    assert threshold(Hopfield(), digits=18).digits == AGS


@pytest.mark.parametrize("digits", [0, -3, 1001])
def test_absurd_numbers_of_digits_are_refused(digits):
    crossing = outermost(Hopfield(), "example", None, "alpha")
    at = (crossing.point, "alpha", crossing.value, crossing.x, crossing.null)
    with pytest.raises(InvalidInput, match="1 to 1000"):
        fold_digits(*at, digits)
    with pytest.raises(InvalidInput, match="1 to 1000"):
        certify_fold(*at, digits)


def test_a_saturated_overlap_is_not_given_false_digits():
    """1 - m is 1e-220 here: no digit of m is determined by an enclosure that contains 1."""
    point, x = at_point(Hopfield(0.001), "example", 1), variables(Hopfield(0.001))
    with pytest.raises(Refused, match="m is"):
        solution_digits(point, x, 20)
    pytest.importorskip("flint")
    with pytest.raises(Refused, match="digits of m"):
        certify_solution(point, x, 20)


def test_a_reason_is_kept_in_the_message_of_the_threshold():
    pytest.importorskip("flint")
    crossing = outermost(Hopfield(), "example", None, "alpha")
    result = threshold(Hopfield())
    spoiled = replace(crossing, x=crossing.x * 1.5)
    with_reason = with_digits(result, spoiled, None, True)
    assert with_reason.digits is None
    assert with_reason.certificate is not None
    assert with_reason.message == f"not certified: {with_reason.certificate['reason']}"


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=10**6), st.integers(1, 30))
def test_truncated_digits_are_digits_of_the_number(x, digits):
    text, count = truncated(x, x, digits)
    assert count == digits
    e = exponent_of(x)
    assert Fraction(10) ** e <= x < Fraction(10) ** (e + 1)
    assert 0 <= x - Fraction(text) < Fraction(10) ** (e - digits + 1)
    assert truncated(-x, -x, digits)[0] == "-" + text


@given(st.fractions(), st.integers(-30, 5))
def test_decimal_ends_lie_on_the_side_they_claim(x, unit):
    below, above = (Fraction(_decimal(x, unit, up=up)) for up in (False, True))
    assert below <= x <= above
    assert above - below <= Fraction(10) ** unit


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.05, 0.01, 0.003])
def test_cold_example_lines_are_proven(temperature):
    pytest.importorskip("flint")
    crossing = outermost(RandomFeatures(alpha_d=1.0, temperature=temperature), "example", None, "alpha")
    found = proven(crossing, "alpha")
    assert abs(float(found.digits) - crossing.value) < 1e-13
    assert fold_digits(crossing.point, "alpha", crossing.value, crossing.x, crossing.null, 20) == found.digits
