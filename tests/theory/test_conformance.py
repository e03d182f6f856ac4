"""Every registered model: derived equations against finite differences, declared limits, bad input, simulation."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from theory.errors import InvalidInput
from theory.model import models
from theory.points import at_point
from theory.states import solve

# Points where a state exists: parameters, then states.
SAMPLES = {
    "hopfield": [
        ({"alpha": 0.02, "temperature": 0.0}, ("spin_glass", "example", "mixture")),
        ({"alpha": 0.02, "temperature": 0.1}, ("spin_glass", "example", "mixture")),
        ({"alpha": 0.1, "temperature": 1.8}, ("paramagnet",)),
    ],
    "random-features": [
        ({"alpha": 0.07, "alpha_d": 0.5, "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.07, "alpha_d": 0.5, "temperature": 0.2}, ("spin_glass", "example")),
        ({"alpha": 1.0, "alpha_d": 0.01, "temperature": 0.0}, ("feature", "mixture")),
        ({"alpha": 1.0, "alpha_d": 0.01, "temperature": 2.0}, ("feature", "mixture")),
        ({"alpha": 0.5, "alpha_d": 0.5, "temperature": 4.0}, ("paramagnet",)),
        ({"alpha": 0.002, "alpha_d": 0.5, "temperature": 0.0, "nonlinearity": "tanh"}, ("spin_glass", "example")),
        ({"alpha": 0.002, "alpha_d": 0.5, "temperature": 0.03, "nonlinearity": "tanh"}, ("spin_glass", "example")),
    ],
}


def _cases():
    for name, cls in models().items():
        for values, states in SAMPLES.get(name, []):
            for state in states:
                yield pytest.param(cls(**values), state, id=f"{name}-{state}-{'-'.join(map(str, values.values()))}")


def _point(model, state):
    return at_point(model, state, 3 if state == "mixture" else 1)


def _somewhere(point, rng):
    """A generic point inside the domain (not a solution), so that no derivative vanishes by stationarity."""
    problem = point.equations.problem()
    for attempt in range(400):
        x = rng.uniform(0.05, 0.45, len(point.equations.names)) * 0.7 ** (attempt // 20)
        if problem.inside(x[None], point.parameters[None])[0]:
            return x
    raise AssertionError("no interior point found")


def _difference(function, x, relative=3e-3):
    """Fourth-order central differences in each component; the columns are stacked last."""
    columns = []
    for i in range(len(x)):
        e = np.zeros_like(x)
        e[i] = h = relative * abs(x[i])
        columns.append(
            (8 * (function(x + e) - function(x - e)) - (function(x + 2 * e) - function(x - 2 * e))) / (12 * h)
        )
    return np.stack(columns, axis=-1)


def test_every_state_of_every_builtin_model_is_sampled():
    for name, cls in models().items():
        sampled = {state for _, states in SAMPLES.get(name, []) for state in states}
        assert sampled == set(cls.states), f"add sample points for {name}"


@pytest.mark.parametrize(("model", "state"), list(_cases()))
def test_derived_equations_are_derivatives_of_the_free_energy(model, state):
    point = _point(model, state)
    equations, p = point.equations, point.parameters
    if not equations.names:
        pytest.skip("a state without order parameters has no equations")
    x = _somewhere(point, np.random.default_rng(1))
    problem = equations.problem()

    gradient = _difference(lambda y: equations.values("free_energy", y[None], p[None])[0, 0], x)
    terms = dict(zip(equations.names, gradient, strict=True))
    f = equations.free_energy
    expressions = f.expression.args
    residual = problem.residual(x[None], p[None])[0]
    for k, name in enumerate(equations.names):
        conjugate = next((b if str(a) == name else a) for a, b in f.pairs if name in (str(a), str(b)))
        c = equations._coefficient(expressions, equations.variables[k], conjugate)
        c = float(c.subs(dict(zip(equations.parameters, p, strict=True))))
        assert residual[k] == pytest.approx(terms[str(conjugate)] / c, rel=1e-7, abs=1e-8)

    linear = problem.linearise(x[None], p[None])
    numeric = _difference(lambda y: problem.residual(y[None], p[None])[0], x)
    np.testing.assert_allclose(linear.jacobian[0], numeric, rtol=1e-6, atol=1e-7)

    v = np.random.default_rng(2).normal(size=len(x))
    extended = problem.extend(x[None], p[None], v[None])
    numeric = _difference(lambda y: problem.linearise(y[None], p[None]).jacobian[0] @ v, x)
    np.testing.assert_allclose(extended.second[0], numeric, rtol=1e-5, atol=1e-6)

    for k, name in enumerate(equations.parameter_names):
        if p[k] == 0.0:
            continue

        def along(value, column=k):
            q = p.copy()
            q[column] = value[0]
            return problem.residual(x[None], q[None])[0]

        numeric = _difference(along, np.array([p[k]]))[:, 0]
        np.testing.assert_allclose(linear.parameters[0, :, k], numeric, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(("model", "state"), list(_cases()))
def test_every_state_solves_and_is_stationary(model, state):
    solution = solve(model, state)
    assert solution.residual < 1e-11
    if model.temperature > 0.0:  # S = -df/dT along the branch, independent of the derivative at fixed x
        h = 1e-4
        warm = [
            solve(dataclasses.replace(model, temperature=model.temperature + s * h), state).free_energy for s in (1, -1)
        ]
        assert solution.entropy == pytest.approx(-(warm[0] - warm[1]) / (2 * h), abs=2e-7)
    assert solution.energy == pytest.approx(solution.free_energy + model.temperature * solution.entropy, abs=1e-14)


def _limits():
    for cls in models().values():
        if hasattr(cls, "limits"):
            for limit in cls().limits():
                yield pytest.param(limit, id=f"{cls.name}: {limit.claim} ({limit.state}, T={limit.here.temperature:g})")


@pytest.mark.parametrize("limit", list(_limits()))
def test_declared_limits_hold(limit):
    here, there = solve(limit.here, limit.state), solve(limit.there, limit.other_state)
    for name in limit.same:
        a, b = (getattr(s, name) if name == "free_energy" else s.order_parameters[name] for s in (here, there))
        assert a == pytest.approx(b, rel=limit.tolerance, abs=limit.tolerance), name


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.parametrize("bad", [-0.1, 0.0, float("nan"), float("inf"), "much"])
def test_parameters_out_of_range_are_refused_in_one_sentence(name, bad):
    cls = models()[name]
    for parameter in cls.parameters:
        if parameter.name == "temperature" and bad == 0.0:
            continue
        with pytest.raises(InvalidInput, match=parameter.name) as caught:
            cls(**{parameter.name: bad})
        assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("name", list(SAMPLES))
def test_names_of_parameters_and_states_are_the_declared_ones(name):
    cls = models()[name]
    fields = {f.name for f in dataclasses.fields(cls)}
    assert {p.name for p in cls.parameters} <= fields
    assert set(cls.states) <= {"paramagnet", "spin_glass", "example", "feature", "mixture"}
    assert all(r.startswith("@") for r in cls.references)
    assert len(list(itertools.chain(cls.summary))) < 100
