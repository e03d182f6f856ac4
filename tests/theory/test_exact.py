"""Exact arithmetic: no float slips in, site averages are what they say, and double precision agrees with 50 digits."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

from theory import exact_rules
from theory.ensembles import TANH
from theory.equations import Compiled
from theory.errors import InvalidInput
from theory.exact import Balls, Multiprecision, Program, Refused, rational
from theory.exact_rules import narrow, wide
from theory.exact_sites import _Skew, _skew_warm, _smooth_absolute, site_orders
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures
from theory.points import at_point
from theory.sites import ExampleSite, ExampleSiteZero, Ising, IsingZero, SiteTerm, example_site

X = sympy.Symbol("x")
TRICKY = sympy.Rational(1, 3) + sympy.sqrt(2 / sympy.pi) * X ** sympy.Rational(3, 2) - sympy.exp(-X) / 7


def near(a: Fraction, b: Fraction, digits: int) -> bool:
    """Agreement to so many digits after the point."""
    return abs(a - b) < Fraction(1, 10**digits)


def exact_value(expression: sympy.Expr, digits: int) -> Fraction:
    return Fraction(str(sympy.N(expression, digits)))


@pytest.fixture(scope="module", params=["multiprecision", "balls"])
def arithmetic(request):
    if request.param == "balls":
        pytest.importorskip("flint")
        return Balls(200)
    return Multiprecision(200)


def test_fractions_roots_and_pi_are_exact_to_50_digits(arithmetic):
    with arithmetic.working():
        (value,) = Program([TRICKY], [X])(arithmetic, [arithmetic.exactly(Fraction(7, 5))])
    low, high = arithmetic.bounds(value)
    truth = exact_value(TRICKY.subs(X, sympy.Rational(7, 5)), 60)
    assert near(low, truth, 50)
    assert near(high, truth, 50)


def test_a_ball_built_from_a_float_third_misses_the_value():
    pytest.importorskip("flint")
    a = Balls(200)
    third = [sympy.Rational(1, 3), sympy.Rational(1 / 3)]  # the second is what Python source code would make of it
    with a.working():
        good, bad = (a.bounds(v) for v in Program(third, [])(a, []))
    assert good[0] <= Fraction(1, 3) <= good[1]
    assert not bad[0] <= Fraction(1, 3) <= bad[1]


@pytest.mark.parametrize("planted", [0.5 * X, X + 1e-30, X**0.5, sympy.Function("f")(X), sympy.Symbol("y"), X**X])
def test_what_has_no_exact_meaning_is_refused_in_a_sentence(planted):
    with pytest.raises(InvalidInput, match=r"^the expression contains .*\.$"):
        Program([sympy.sqrt(2) + planted], [X])


def test_parameters_are_the_decimals_they_print():
    assert rational(0.05) == sympy.Rational(1, 20)
    assert rational(np.float64(1e-7)) == sympy.Rational(1, 10**7)
    with pytest.raises(InvalidInput, match="finite"):
        rational(math.inf)


def test_arb_precision_is_put_back():
    flint = pytest.importorskip("flint")
    before = flint.ctx.prec
    a = Balls(777)
    with a.working():
        assert flint.ctx.prec == 777
    with pytest.raises(ArithmeticError), a.working():
        a.bounds(1 / a.exactly(0))
    assert flint.ctx.prec == before


def expected_ising(n: int, M: float, s: float) -> mpmath.mpf:
    """``E g^(n)(M + s z)`` by adaptive quadrature, the derivatives of tanh taken by mpmath."""
    with mpmath.workdps(40):
        functions = [
            lambda h: abs(h) + mpmath.log1p(mpmath.exp(-2 * abs(h))),
            mpmath.tanh,
            lambda h: mpmath.sech(h) ** 2,
            lambda h: -2 * mpmath.tanh(h) * mpmath.sech(h) ** 2,
        ]
        centre = -mpmath.mpf(M) / s
        edges = sorted({-14, 14, *(centre + k / mpmath.mpf(s) for k in (-40, -8, -2, 0, 2, 8, 40) if abs(k) < 14 * s)})
        return mpmath.quad(lambda z: functions[n](M + s * z) * mpmath.npdf(z), edges)


@pytest.mark.parametrize(("M", "s"), [(0.25, 0.5), (0.75, 2.0), (6.0, 4.0), (12.5, 20.0)])
def test_ising_averages_are_the_integrals(arithmetic, M, s):
    with arithmetic.working():
        fields = [arithmetic.exactly(M), arithmetic.exactly(s * s)]
        values = [arithmetic.bounds(v) for v in site_orders(arithmetic, Ising, [(n,) for n in range(4)], fields)]
    for n, (low, high) in enumerate(values):
        truth = Fraction(mpmath.nstr(expected_ising(n, M, s), 35))
        assert near(low, truth, 28), n
        assert near(high, truth, 28), n


def test_both_rules_give_the_same_numbers(arithmetic):
    orders = [0, 1, 2, 3, 4, 5]
    with arithmetic.working():
        M, R, t = (arithmetic.exactly(v) for v in (1.5, 9.5, 0.0))
        s = arithmetic.function("sqrt", R)
        first = wide(arithmetic, orders, M, t, R)
        second = narrow(arithmetic, orders, M, s, lambda ns, mean: _smooth_absolute(arithmetic, ns, mean, s))
        for n in orders:
            (a, b), (c, d) = arithmetic.bounds(first[n]), arithmetic.bounds(second[n])
            assert near(a, d, 55), n
            assert isinstance(arithmetic, Multiprecision) or (a <= d and c <= b), n


def test_both_rules_agree_for_the_skew_law(arithmetic):
    orders = [0, 1, 2, 3, 4]
    with arithmetic.working():
        m, t, R = (arithmetic.exactly(v) for v in (1.5, 2.25, 9.5))
        first, second = wide(arithmetic, orders, m, t, R), _skew_warm(arithmetic, orders, m, t, R)
        for n in orders:
            (a, b), (c, d) = arithmetic.bounds(first[n]), arithmetic.bounds(second[n])
            assert near(a, d, 55), n
            assert isinstance(arithmetic, Multiprecision) or (a <= d and c <= b), n


@pytest.mark.parametrize("rule", ["wide", "narrow"])
def test_error_bounds_hold_where_the_rule_is_coarse(rule, monkeypatch):
    """Balls of few bits, whose rule is visibly wrong, still contain the value (and do not without their bounds)."""
    pytest.importorskip("flint")
    truth = Multiprecision(200)
    M, R = 1.5, 0.3 if rule == "wide" else 12.0
    exact = site_orders(truth, Ising, [(n,) for n in range(5)], [truth.exactly(M), truth.exactly(R)])

    class Careless(Balls):
        def widen(self, x, bound):
            return x

    missed = 0
    for bits in (4, 8, 12, 16):
        monkeypatch.setattr(exact_rules, "GUARD_BITS", bits - 200)  # the rule aims at so few bits, the balls keep 200
        for kind in (Balls, Careless):
            exact_rules._smoothing_kernel.cache_clear()
            few = kind(200)
            with few.working():
                found = site_orders(few, Ising, [(n,) for n in range(5)], [few.exactly(M), few.exactly(R)])
            for value, right in zip(found, exact, strict=True):
                low, high = few.bounds(value)
                inside = low <= truth.bounds(right)[0] <= high
                assert inside or kind is Careless
                missed += not inside
    exact_rules._smoothing_kernel.cache_clear()
    assert missed > 10


def test_example_family_at_zero_temperature_is_the_integral(arithmetic):
    indices = [(0, 0, 0), (1, 0, 1), (0, 1, 1), (0, 0, 2), (1, 1, 2), (0, 2, 2), (1, 0, 3), (0, 3, 3), (0, 2, 4)]
    m, t, R = 0.75, 1.25, 0.5
    with arithmetic.working():
        found = site_orders(arithmetic, ExampleSiteZero, indices, [arithmetic.exactly(v) for v in (m, t, R)])
    high = Multiprecision(150)
    context = high.context
    for (_, b, n), value in zip(indices, found, strict=True):

        def integrand(x, b=b, n=n):
            return x**b * _smooth_absolute(high, [n], m + t * x, context.sqrt(R))[n] * 2 * context.npdf(x)

        truth = high.bounds(context.quad(integrand, [0, 1, 3, 6, 16]))[0]
        assert near(arithmetic.bounds(value)[0], truth, 35), (b, n)


@pytest.mark.parametrize("R", [0.5, 30.0])
def test_example_family_at_finite_temperature_is_the_double_integral(R):
    indices = [(0, 0, 0), (1, 0, 1), (0, 1, 1), (0, 0, 2), (0, 2, 2), (1, 1, 2), (1, 0, 3)]
    numbers = (0.75, 1.25, R)
    double = ExampleSite.orders(indices, [np.array([v]) for v in numbers], refine=2)
    a = Multiprecision(120)
    exact = site_orders(a, ExampleSite, indices, [a.exactly(v) for v in numbers])
    for index, mine, truth in zip(indices, double, exact, strict=True):
        assert abs(mine[0] - float(truth)) < 2e-14, index


def test_skew_density_is_normalised():
    a = Multiprecision(100)
    law = _Skew(a, a.exactly(0.7), a.exactly(1.3))
    mass = a.context.quad(lambda w: law.derivatives([2], -w)[2] / 2, [-15, -3, 0, 3, 15])
    assert abs(mass - 1) < 1e-25


def test_other_families_are_refused_or_bring_their_own_evaluation():
    class Stranger(SiteTerm):
        nargs = 2

    class Guest(SiteTerm):
        nargs = 2

        @classmethod
        def exact_orders(cls, arithmetic, indices, fields):
            return [fields[0] ** i[0] for i in indices]

    a = Multiprecision(100)
    with pytest.raises(Refused, match="Stranger"):
        Program([Stranger(1, X)], [X])(a, [a.exactly(2)])
    assert Program([Guest(3, X) + 1], [X])(a, [a.exactly(2)]) == [9]
    soft = example_site(TANH, zero_temperature=True)
    with pytest.raises(Refused, match="tanh"):
        site_orders(a, soft, [(0, 0, 2)], [a.exactly(1)] * 3)


def test_a_field_without_noise(arithmetic):
    with arithmetic.working():
        zero, two = arithmetic.exactly(0), arithmetic.exactly(-2)
        assert [float(v) for v in site_orders(arithmetic, IsingZero, [(0,), (1,), (2,)], [two, zero])] == [2, -1, 0]
        assert [float(v) for v in site_orders(arithmetic, Ising, [(1,), (2,)], [zero, zero])] == [0, 1]
        with pytest.raises(ArithmeticError):
            site_orders(arithmetic, IsingZero, [(0,)], [zero, zero])


STATES = [
    (Hopfield(0.1), "example", 1),
    (Hopfield(0.03), "mixture", 3),
    (Hopfield(0.1), "spin_glass", 1),
    (Hopfield(0.1, 0.3), "example", 1),
    (Hopfield(0.1, 0.02), "example", 1),
    (Hopfield(0.01, 0.3), "mixture", 3),
    (Hopfield(0.1, 0.5), "spin_glass", 1),
    (Hopfield(0.1, 2.0), "paramagnet", 1),
    (RandomFeatures(0.08, 0.5), "example", 1),
    (RandomFeatures(1.0, 0.05), "feature", 1),
    (RandomFeatures(1.0, 0.01), "mixture", 3),
    (RandomFeatures(0.5, 0.5), "spin_glass", 1),
    (RandomFeatures(0.05, 1.0, 0.3), "example", 1),
    (RandomFeatures(0.05, 1.0, 0.05), "example", 1),
    (RandomFeatures(1.0, 0.05, 1.0), "feature", 1),
    (RandomFeatures(1.0, 0.01, 4.0), "mixture", 3),
    (RandomFeatures(0.5, 0.5, 1.0), "spin_glass", 1),
    (RandomFeatures(0.5, 0.5, 4.0), "paramagnet", 1),
]


@pytest.mark.parametrize(("model", "state", "L"), STATES, ids=lambda v: getattr(v, "name", str(v)))
def test_double_precision_agrees_with_50_digits_and_balls_contain_them(model, state, L):
    """Free energy, equations, Jacobian, fold system, replicon and stiffness of every state, off the saddle point."""
    point = at_point(model, state, L)
    equations, declared = point.equations, point.equations.free_energy
    optional = [e for e in (declared.replicon, declared.transverse) if e is not None]
    expressions = [declared.expression, *equations.residual, *equations.tangent, *equations.second, *optional]
    arguments = [*equations.variables, *equations.parameters, *equations.directions]
    n = len(equations.variables)
    x, v = point.start() * (1 + 0.01 * np.arange(1, n + 1)), 0.1 * np.arange(1, n + 1)

    numbers = np.concatenate([x, point.parameters, v])
    in_double = Compiled(expressions, arguments)([np.array([u]) for u in numbers])[:, 0]

    program = Program(expressions, arguments)
    given = [rational(getattr(model, name)) for name in equations.parameter_names]
    constants = Program([*given, *map(sympy.sympify, model.constants().values())], [])

    def run(a):
        with a.working():
            values = [[a.exactly(float(u)) for u in block] for block in (x, v)]
            return [a.bounds(r) for r in program(a, [*values[0], *constants(a, []), *values[1]])]

    digits = run(Multiprecision(170))
    for mine, (truth, _) in zip(in_double, digits, strict=True):
        assert abs(mine - float(truth)) <= 1e-12 * max(1.0, abs(float(truth)))
    pytest.importorskip("flint")
    for (low, high), (truth, _) in zip(run(Balls(170)), digits, strict=True):
        slack = Fraction(1, 2**150) * max(1, abs(truth))  # the rounding of the digits themselves
        assert low - slack <= truth <= high + slack
        assert high - low < Fraction(1, 10**40) * max(1, abs(truth))
