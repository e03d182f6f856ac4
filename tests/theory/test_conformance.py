"""Every registered model: derived equations against finite differences, declared limits, bad input, simulation."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from theory.checks import conformance, limit_checks
from theory.errors import InvalidInput
from theory.model import model_named, model_names
from theory.states import solve

BUILT_IN = {name: model_named(name) for name in model_names()}  # not those that other tests register

# Points where a state exists: parameters, then states.
SAMPLES = {
    "hopfield": [
        ({"alpha": 0.02, "temperature": 0.0}, ("spin_glass", "example", "mixture")),
        ({"alpha": 0.02, "temperature": 0.1}, ("spin_glass", "example", "mixture")),
        ({"alpha": 0.1, "temperature": 1.8}, ("paramagnet",)),
    ],
    "vector-hopfield": [
        ({"alpha": 0.02, "d": 1, "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.02, "d": 2, "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.02, "d": 3, "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.02, "d": 3, "temperature": 0.1}, ("spin_glass", "example")),
        ({"alpha": 0.0005, "d": 100, "temperature": 0.1}, ("spin_glass", "example")),
        ({"alpha": 0.1, "d": 3, "temperature": 1.8}, ("paramagnet",)),
    ],
    "vector-random-features": [
        ({"alpha": 0.07, "alpha_d": 0.5, "d": 1, "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.02, "alpha_d": 1.0, "d": 2, "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.02, "alpha_d": 1.0, "d": 2, "variant": "phasor", "temperature": 0.1}, ("spin_glass", "example")),
        ({"alpha": 0.002, "alpha_d": 0.3, "d": 3, "variant": "scalar", "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 0.02, "alpha_d": 0.3, "d": 2, "mixing": "matrix", "temperature": 0.1}, ("spin_glass", "example")),
        ({"alpha": 0.02, "alpha_d": 0.3, "d": 3, "mixing": "matrix", "temperature": 0.0}, ("spin_glass", "example")),
        ({"alpha": 9.0, "alpha_d": 0.001, "d": 2, "mixing": "matrix", "temperature": 0.0}, ("feature",)),
        ({"alpha": 2.0, "alpha_d": 0.001, "d": 2, "temperature": 0.0}, ("feature", "mixture")),
        ({"alpha": 2.0, "alpha_d": 0.0005, "d": 3, "temperature": 200.0}, ("feature", "mixture")),
        ({"alpha": 0.5, "alpha_d": 0.5, "d": 3, "temperature": 4.0, "effective": True}, ("paramagnet",)),
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
    for name, cls in BUILT_IN.items():
        for values, states in SAMPLES.get(name, []):
            for state in states:
                slow = state == "mixture" and values.get("d", 1) > 1  # averages over sums of vectors
                case = f"{name}-{state}-{'-'.join(map(str, values.values()))}"
                yield pytest.param(cls(**values), state, id=case, marks=pytest.mark.slow if slow else ())


def test_every_state_of_every_builtin_model_is_sampled():
    for name, cls in BUILT_IN.items():
        sampled = {state for _, states in SAMPLES.get(name, []) for state in states}
        assert sampled == set(cls.states), f"add sample points for {name}"


@pytest.mark.parametrize(("model", "state"), list(_cases()))
def test_every_state_conforms(model, state):
    checks = conformance(model, state)
    assert len(checks) >= (2 if state == "paramagnet" else 6)
    failed = [str(check) for check in checks if not check.passed]
    assert not failed


@pytest.mark.parametrize(("model", "state"), list(_cases()))
def test_energy_entropy_and_free_energy_belong_together(model, state):
    solution = solve(model, state)
    if solution.entropy is None:  # diverges at T = 0 for continuous spins
        assert model.temperature == 0.0
    entropy = solution.entropy or 0.0
    assert solution.energy == pytest.approx(solution.free_energy + model.temperature * entropy, abs=1e-14)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_declared_limits_hold(name):
    checks = limit_checks(BUILT_IN[name]())
    failed = [str(check) for check in checks if not check.passed]
    assert checks
    assert not failed


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.parametrize("bad", [-0.1, 0.0, float("nan"), float("inf"), "much"])
def test_parameters_out_of_range_are_refused_in_one_sentence(name, bad):
    cls = BUILT_IN[name]
    for parameter in cls.parameters:
        if parameter.name == "temperature" and bad == 0.0:
            continue
        with pytest.raises(InvalidInput, match=parameter.name) as caught:
            cls(**{parameter.name: bad})
        assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("name", list(SAMPLES))
def test_names_of_parameters_and_states_are_the_declared_ones(name):
    cls = BUILT_IN[name]
    fields = {f.name for f in dataclasses.fields(cls)}
    assert {p.name for p in cls.parameters} <= fields
    assert set(cls.states) <= {"paramagnet", "spin_glass", "example", "feature", "mixture"}
    assert all(r.startswith("@") for r in cls.references)
    assert len(list(itertools.chain(cls.summary))) < 100
