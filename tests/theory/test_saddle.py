"""The solvers on problems with known answers, and the ways they must say that they failed."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

from theory.errors import InvalidInput, NotConverged
from theory.models.hopfield import Hopfield
from theory.points import at_point
from theory.saddle import Anderson, FixedPoint, Newton, Problem, Status, solve
from theory.states import solve as solve_state

SOLVERS = [Newton(), FixedPoint(), Anderson()]


def _cosine():
    return Problem.from_callables(
        lambda x, p: x - p[:, :1] * np.cos(x), lambda x, p: (1 + p[:, :1] * np.sin(x))[:, :, None]
    )


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)
def test_all_solvers_find_the_fixed_point_of_the_cosine(solver):
    loads = np.linspace(0.2, 1.0, 7)
    roots = solve(_cosine(), np.full((7, 1), 0.5), loads[:, None], solver=solver)
    exact = [scipy.optimize.brentq(lambda x, a=a: x - a * np.cos(x), 0, 1, xtol=1e-15) for a in loads]
    np.testing.assert_allclose(roots.x[:, 0], exact, atol=2e-11)
    assert np.all(np.abs(roots.x[:, 0] - exact) <= roots.error[:, 0] + 1e-15)


def test_anderson_agrees_with_scipy_on_a_stiff_linear_map():
    rng = np.random.default_rng(0)
    q, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    a, b = q @ np.diag(np.linspace(0.05, 1.0, 6)) @ q.T, rng.normal(size=6)
    problem = Problem.from_callables(lambda x, p: x @ a.T - b, lambda x, p: np.broadcast_to(a, (len(x), 6, 6)))
    ours = solve(problem, np.zeros(6), [1.0], solver=Anderson(memory=6)).x[0]
    theirs = scipy.optimize.root(lambda x: a @ x - b, np.zeros(6), method="anderson", options={"fatol": 1e-12}).x
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_a_residual_that_is_not_small_is_never_called_converged():
    # scipy.optimize.root(hybr) reports success on a function like this one with residual of order one.
    problem = Problem.from_callables(lambda x, p: x**2 - 2 * x + 1.5, lambda x, p: (2 * x - 2)[:, :, None])
    for solver in SOLVERS:
        roots = solve(problem, [1.01], [0.0], solver=solver, throw=False)
        assert not roots.converged[0]
    with pytest.raises(NotConverged) as caught:
        solve(problem, [1.01], [0.0])
    assert caught.value.solution.status[0] is not Status.CONVERGED
    assert "residual" in str(caught.value)


def test_singular_jacobian_is_named():
    problem = Problem.from_callables(lambda x, p: np.ones_like(x), lambda x, p: np.zeros((len(x), 1, 1)))
    assert solve(problem, [0.3], [0.0], throw=False).status[0] is Status.SINGULAR


def test_nonfinite_equations_are_named():
    with np.errstate(all="ignore"):
        problem = Problem.from_callables(lambda x, p: x * np.nan, lambda x, p: np.ones((len(x), 1, 1)))
        assert solve(problem, [0.3], [0.0], solver=FixedPoint(), throw=False).status[0] is Status.NONFINITE


def test_bounds_are_respected_and_leaving_them_is_named():
    problem = Problem.from_callables(
        lambda x, p: x + 1.0, lambda x, p: np.ones((len(x), 1, 1)), domain=(np.array([0.0]), np.array([1.0]))
    )
    for solver in SOLVERS:
        roots = solve(problem, [0.5], [0.0], solver=solver, throw=False)
        assert roots.status[0] is Status.LEFT_DOMAIN
        assert roots.x[0, 0] >= -1e-8


def test_budget_is_named():
    roots = solve(_cosine(), [0.5], [1.0], solver=FixedPoint(max_iterations=3), throw=False)
    assert roots.status[0] is Status.MAX_ITERATIONS
    assert roots.iterations[0] == 3


def test_complex_roots():
    problem = Problem.from_callables(lambda x, p: x**2 + p, lambda x, p: 2 * x[:, :, None])
    assert solve(problem, [0.5 + 1j], [2.0]).x[0, 0] == pytest.approx(1j * np.sqrt(2))


def test_one_failing_point_does_not_spoil_its_batch():
    problem = Problem.from_callables(lambda x, p: x**2 - p, lambda x, p: 2 * x[:, :, None])
    roots = solve(problem, [[1.0], [1.0], [1.0]], [[4.0], [-1.0], [9.0]], throw=False)
    assert roots.converged.tolist() == [True, False, True]
    np.testing.assert_allclose(roots.x[[0, 2], 0], [2.0, 3.0])


@pytest.mark.parametrize(
    ("start", "parameters"), [([np.nan], [1.0]), ([[1.0], [1.0]], [[1.0], [1.0], [1.0]]), ([1.0], [np.inf])]
)
def test_bad_starts_are_refused(start, parameters):
    with pytest.raises(InvalidInput):
        solve(_cosine(), start, parameters)


@pytest.mark.parametrize(
    "make", [lambda: Newton(tolerance=0), lambda: FixedPoint(damping=1.5), lambda: Anderson(memory=0)]
)
def test_bad_solver_options_are_refused(make):
    with pytest.raises(InvalidInput, match="not allowed"):
        make()


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: type(s).__name__)
def test_sliding_off_the_retrieval_state_is_a_wrong_branch(solver):
    """AGS at alpha = 0.12, T = 0.05: from m = q = 0.97 the damped iteration ends at m = 0, Newton on the unstable
    sheet; neither is the retrieval state, which the start m = q = 0.99 reaches."""
    model = Hopfield(alpha=0.12, temperature=0.05)
    lost = solve_state(model, "example", start={"m": 0.97, "q": 0.97}, solver=solver, throw=False)
    assert lost.status is Status.WRONG_BRANCH
    assert all(v is None for v in lost.order_parameters.values())
    found = solve_state(model, "example", start={"m": 0.99, "q": 0.99}, solver=solver)
    assert found.order_parameters["m"] == pytest.approx(0.99259706117160, abs=1e-11)


def test_batches_are_vectorised_and_agree_with_single_points():
    point = at_point(Hopfield(alpha=0.05, temperature=0.2), "example", 1)
    loads = np.linspace(0.01, 0.1, 50)
    p = np.column_stack([loads, np.full(50, 0.2)])
    start = np.repeat([[0.99, 0.1, 1.0]], 50, axis=0)
    roots = solve(point.equations.problem(), start, p)
    for k in (0, 20, 49):
        single = solve_state(Hopfield(alpha=float(loads[k]), temperature=0.2), "example")
        assert roots.x[k, 0] == pytest.approx(single.order_parameters["m"], abs=1e-12)


def test_unknown_variable_in_a_start_is_refused_with_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean 'chi'"):
        solve_state(Hopfield(alpha=0.1, temperature=0.1), "example", start={"chii": 0.1})
