"""Cases that once came out wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from theory.branches import branch
from theory.models.random_features import RandomFeatures
from theory.phase import threshold
from theory.problem import Status
from theory.states import solve


@pytest.mark.parametrize(
    ("model", "state", "value"),
    [
        (RandomFeatures(1.9242916222429689e-4, 1.183422291942012), "example", 0.970240155281678),
        (RandomFeatures(17.16737495407321, 0.0014175242583045295, nonlinearity="tanh"), "feature", 4107.579253763647),
    ],
)
@pytest.mark.parametrize("distance", [1e-4, 1e-6, 1e-9])
def test_a_state_is_found_close_to_its_spinodal(
    model: RandomFeatures, state: str, value: float, distance: float
) -> None:
    """A step along the branch may jump over the point and the spinodal behind it at once."""
    inside = solve(replace(model, temperature=value * (1 - distance)), state, throw=False)
    outside = solve(replace(model, temperature=value * (1 + distance)), state, throw=False)
    assert (inside.status, outside.status) == (Status.CONVERGED, Status.NO_SOLUTION)
    assert "it exists below" in outside.message


def test_the_largest_mixture_has_a_spinodal() -> None:
    """Binomial coefficients beyond 64 bits."""
    found = threshold(RandomFeatures(alpha=1.0), "mixture", vary="alpha_d", L=99)
    assert found.value == pytest.approx(3.7367052785340215e-4, rel=1e-10)


def test_an_at_line_with_a_flat_replicon_is_found() -> None:
    """Where the replicon hardly depends on the parameter, rounding bounds how well its zero is known."""
    model = RandomFeatures(0.0008041112221595926, temperature=0.000641835481134675, nonlinearity="tanh")
    found = threshold(model, "example", line="at", vary="alpha_d")
    assert found.value is not None
    assert found.error is not None
    assert found.value == pytest.approx(5.510620080944773, rel=1e-8)
    assert found.error < 1e-9
    assert found.state_exists == "above"


@pytest.mark.parametrize(("L", "alpha"), [(3, 1.0), (9, 0.002), (1, 0.1)])
def test_both_sheets_around_a_fold_are_told_apart(L, alpha):
    """Mixtures are all but pure at their spinodal (m = 0.996 of the pure overlap for L = 9), on either sheet."""
    state = "mixture" if L > 1 else "feature"
    found = branch(RandomFeatures(alpha=alpha), state, vary="alpha_d", span=(1e-6, 1.0), L=L if L > 1 else None)
    m = found.order_parameters["m"]
    turn = int(np.argmax(found.parameter))
    assert found.stable[: turn - 1].all()
    beyond = m[turn + 2 :]
    assert beyond.max() < m[turn]
    assert not found.stable[turn + 2 : turn + 6].any()


def test_learning_is_found_at_bounded_loads():
    assert threshold(RandomFeatures(alpha_d=0.01, temperature=1.0), "feature").value == pytest.approx(
        0.10416902, abs=1e-8
    )
