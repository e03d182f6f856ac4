"""The conformance checks must notice a planted error, and a model of one's own needs no more than it says."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import sympy

from theory import checks
from theory.checks import conformance, limit_checks
from theory.equations import Equations, FreeEnergy
from theory.errors import InvalidInput, NotConverged
from theory.lines import phase_line
from theory.model import Limit, Model, Parameter, register
from theory.models.hopfield import Hopfield
from theory.phase import threshold
from theory.sites import Ising, IsingZero
from theory.states import solve

T, h, J, m = sympy.symbols("temperature field strength m")


@dataclass(frozen=True)
class Magnet(Model):
    """Curie-Weiss in an opposing field, its coupling bounded so that the range of a parameter is tested."""

    field: float | None = None
    strength: float | None = 1.0
    temperature: float | None = None

    name = "magnet"
    summary = "Curie-Weiss magnet in an opposing field"
    states = ("magnetised",)
    parameters = (
        Parameter("field", "opposing field"),
        Parameter("strength", "coupling", high=1.0, default=1.0),
        Parameter("temperature", "temperature", low_open=False),
    )

    def free_energy(self, state, L):
        f = J * m**2 / 2 - T * Ising(0, (J * m - h) / T, 0)
        return FreeEnergy(f, pairs=((m, m),), condensed=(m,), bounds={m: (0, 1)}, reported={"m": m})

    def exists_towards(self, state):
        return {"field": "low", "strength": "high", "temperature": "low"}

    def start(self, state, L):
        return {"m": 1.0}


def _spinodal(temperature):
    root = np.sqrt(1 - temperature)
    return root - temperature * np.arctanh(root)


def test_a_model_with_defaults_only_is_solved():
    assert all(check.passed for check in conformance(Magnet(field=0.1, temperature=0.4), "magnetised"))
    for t in (0.1, 0.5, 0.9):
        found = threshold(Magnet(temperature=t), "magnetised", vary="field")
        assert found.value == pytest.approx(_spinodal(t), rel=1e-12)
        assert found.rs_stable is None  # no replicon is declared, so nothing is claimed
    assert solve(Magnet(field=0.1, temperature=0.4), "magnetised").rs_stable is None
    assert limit_checks(Magnet()) == []


def test_a_bounded_parameter_is_followed_within_its_range():
    # Scaled by the coupling J: field/J at T/J.  At J = 1 the state exists below the spinodal field of T.
    line = phase_line(
        Magnet(temperature=0.3), "magnetised", vary="field", along="strength", values=np.linspace(0.4, 1, 7)
    )
    np.testing.assert_allclose(line.values, [j * _spinodal(0.3 / j) for j in line.along_values], rtol=1e-10)
    found = threshold(Magnet(field=float(line.values[2]), temperature=0.3), "magnetised", vary="strength")
    assert found.value == pytest.approx(line.along_values[2], rel=1e-10)
    assert found.state_exists == "above"
    with pytest.raises(NotConverged, match="was not found"):
        threshold(Magnet(field=_spinodal(0.3) * 1.01, temperature=0.3), "magnetised", vary="strength")


def test_lines_that_need_other_states_say_so():
    with pytest.raises(NotConverged, match="no uncondensed state"):
        threshold(Magnet(temperature=0.5), "magnetised", vary="field", line="thermodynamic")
    with pytest.raises(InvalidInput, match="no ground-state energy"):
        solve(replace(Magnet(field=0.1, temperature=0.1), temperature=0.0), "magnetised")


def test_what_is_missing_is_named():
    with pytest.raises(InvalidInput, match="does not declare summary, start"):
        register(type("Bare", (Model,), {"name": "bare", "states": (), "parameters": (), "free_energy": print}))
    fields = {"name": "f", "summary": "s", "states": (), "free_energy": print, "start": print}
    with pytest.raises(InvalidInput, match="has no such field"):
        register(type("Fieldless", (Model,), {**fields, "parameters": (Parameter("alpha", "load"),)}))
    with pytest.raises(InvalidInput, match=r"'hopfield' is taken by theory\.models\.hopfield"):
        register(type("Hopfield", (Hopfield,), {}))
    with pytest.raises(InvalidInput, match="plain symbol"):
        Equations(FreeEnergy(m**2 / 2 - m * sympy.Symbol("field", positive=True), ((m, m),)), ("field",))
    with pytest.raises(InvalidInput, match="law of patterns"):
        Magnet().pattern_law()


@dataclass(frozen=True)
class Slipped(Hopfield):
    """The Hopfield model with half of a term lost at T = 0."""

    def ground_state_energy(self, state, L):
        declared = super().ground_state_energy(state, L)
        alpha, chi = sympy.symbols("alpha chi")
        return replace(declared, expression=declared.expression + alpha * chi / 20)


def test_a_slip_in_the_ground_state_energy_is_noticed():
    failed = [check.claim for check in conformance(Slipped(alpha=0.05), "example") if not check.passed]
    assert failed == ["its order parameters are those of T -> 0"]
    failed = [check.claim for check in conformance(Slipped(alpha=0.05), "spin_glass") if not check.passed]
    assert failed == [
        "the ground-state energy is T -> 0 of the free energy",
        "its order parameters are those of T -> 0",
    ]


def test_a_wrong_derivative_is_noticed(monkeypatch):
    class Crooked(IsingZero):
        def fdiff(self, argindex=1):
            n, mean, variance = self.args
            return self.func(n + 2, mean, variance) if argindex == 3 else super().fdiff(argindex)  # lost a factor 1/2

    good = Hopfield.ground_state_energy

    def crooked(self, state, L):
        declared = good(self, state, L)
        return replace(declared, expression=declared.expression.replace(IsingZero, Crooked))

    @dataclass(frozen=True)
    class Wrong(Hopfield):
        ground_state_energy = crooked

    found = checks._derivatives(checks.at_point(Wrong(alpha=0.05), "example", 1))
    assert not found[0].passed


def test_a_limit_that_does_not_hold_is_noticed():
    @dataclass(frozen=True)
    class Hopeful(Hopfield):
        def limits(self):
            return [Limit("alpha -> 0.05", Hopfield(0.1), "example", Hopfield(0.05), "example", ("m",), 1e-6)]

    assert [check.passed for check in limit_checks(Hopeful())] == [False]


def test_a_thermodynamic_line_does_not_slide_into_the_uncondensed_state():
    # From T = 0.735 to 0.98 the boundary falls by two decades, too far for the neighbour's overlap to be a start.
    line = phase_line(Hopfield(), line="thermodynamic", along="temperature", values=[0.735, 0.98])
    assert line.order_parameters["m"].min() > 0.1
    assert np.all(line.errors < 1e-12)


J0, q = sympy.symbols("bias q")


@dataclass(frozen=True)
class BiasedGlass(Model):
    """Sherrington-Kirkpatrick with a ferromagnetic bias: q is its own conjugate, and m vanishes continuously."""

    bias: float | None = None
    temperature: float | None = None

    name = "biased-glass"
    summary = "Sherrington-Kirkpatrick model with a ferromagnetic bias"
    states = ("paramagnet", "spin_glass", "ferromagnet")
    parameters = (Parameter("bias", "mean coupling", low_open=False), Parameter("temperature", "temperature"))

    def free_energy(self, state, L):
        M = m if state == "ferromagnet" else sympy.S.Zero

        def site(n):
            return Ising(n, J0 * M / T, q / T**2)

        declared = FreeEnergy(
            J0 * M**2 / 2 - (1 - q) ** 2 / (4 * T) - T * site(0),
            pairs=((m, m), (q, q)) if M else ((q, q),),
            condensed=(m,) if M else (),
            bounds={m: (0, 1), q: (0, 1)},
            reported={"m": M, "q": q},
            replicon=1 - (4 * site(2) - site(4)) / 6 / T**2,
        )
        return declared.restricted({q: sympy.S.Zero}) if state == "paramagnet" else declared

    def exists_towards(self, state):
        return {**Model.exists_towards(self, state), "bias": "high" if state == "ferromagnet" else "low"}

    def start(self, state, L):
        return {"m": 1.0, "q": 1.0} if state == "ferromagnet" else {"q": 0.5}


def _direct(bias, temperature):
    """Literal iteration of m = E tanh h, q = E tanh^2 h with h = beta (J0 m + sqrt(q) z)."""
    z, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()
    overlap, frozen = 1.0, 1.0
    for _ in range(3000):
        h = np.tanh((bias * overlap + np.sqrt(frozen) * z) / temperature)
        overlap, frozen = w @ h, w @ h**2
    return overlap, frozen


def test_a_model_with_self_conjugate_q_is_the_sherrington_kirkpatrick_model():
    glass = solve(BiasedGlass(0.0, 0.5), "spin_glass")
    assert glass.order_parameters["q"] == pytest.approx(_direct(0.0, 0.5)[1], abs=1e-7)
    assert not glass.rs_stable
    ordered = solve(BiasedGlass(1.5, 0.5), "ferromagnet")
    assert (ordered.order_parameters["m"], ordered.order_parameters["q"]) == pytest.approx(_direct(1.5, 0.5), abs=1e-6)
    assert ordered.rs_stable
    t_g = threshold(BiasedGlass(bias=0.0), "spin_glass", line="continuous", vary="temperature")
    assert t_g.value == pytest.approx(1.0, abs=1e-12)
    at = threshold(BiasedGlass(bias=1.5), "ferromagnet", line="at", vary="temperature")
    point = solve(BiasedGlass(1.5, at.value), "ferromagnet")
    assert point.replicon == pytest.approx(0.0, abs=1e-10)
    for state, model in (("ferromagnet", BiasedGlass(1.5, 0.5)), ("spin_glass", BiasedGlass(0.1, 0.5))):
        assert [str(check) for check in conformance(model, state) if not check.passed] == []


def test_a_state_that_vanishes_continuously_has_no_spinodal_and_says_so():
    with pytest.raises(NotConverged, match=r"vanishes continuously near temperature = 1\.5"):
        threshold(BiasedGlass(bias=1.5), "ferromagnet", vary="temperature")
