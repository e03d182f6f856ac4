"""Branches, folds and curves of folds on problems whose answers are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from theory.continuation import StopReason, trace
from theory.folds import fold_problem, solve_folds
from theory.problem import Problem, Status


def _cubic():
    """``x^3 - b x + (a - 3) = 0``: folds at ``a = 3 +- 2 (b/3)^(3/2)`` where ``x = +- sqrt(b/3)``."""

    def parts(x, p):
        return x[:, 0], p[:, 0], p[:, 1]

    def residual(x, p):
        y, a, b = parts(x, p)
        return (y**3 - b * y + a - 3.0)[:, None]

    def jacobian(x, p):
        y, _, b = parts(x, p)
        return (3 * y**2 - b)[:, None, None]

    def in_parameters(x, p):
        y, _, _ = parts(x, p)
        return np.stack([np.ones_like(y), -y], axis=1)[:, None, :]

    def second(x, p, v):
        y, _, _ = parts(x, p)
        return (6 * y * v[:, 0])[:, None, None], np.stack([np.zeros_like(y), -v[:, 0]], axis=1)[:, None, :]

    return Problem.from_callables(
        residual, jacobian, parameter_jacobian=in_parameters, second=second, parameter_names=("a", "b")
    )


def test_folds_of_a_cubic():
    b = np.array([1.0, 2.0, 3.0])
    folds = solve_folds(_cubic(), np.full((3, 1), 0.9), np.column_stack([np.full(3, 4.0), b]), 0)
    assert all(s is Status.CONVERGED for s in folds.status)
    np.testing.assert_allclose(folds.x[:, 0], np.sqrt(b / 3), rtol=1e-14)
    np.testing.assert_allclose(folds.parameter, 3 + 2 * (b / 3) ** 1.5, rtol=1e-14)
    assert (folds.curvature < 0).all()  # on this side solutions exist below the fold
    assert (np.abs(folds.parameter - (3 + 2 * (b / 3) ** 1.5)) <= folds.error).all()


def test_a_branch_passes_both_folds_of_an_s_curve():
    branch = trace(_cubic(), [-2.2], [3 + 2.2**3 - 3 * 2.2, 3.0], 0, towards=-1, span=(1e-2, 30.0))
    assert [f.parameter for f in branch.folds] == pytest.approx([1.0, 5.0], rel=1e-13)
    assert [f.x[0] for f in branch.folds] == pytest.approx([-1.0, 1.0], rel=1e-7)
    np.testing.assert_allclose(branch.x[:, 0] ** 3 - 3 * branch.x[:, 0] + branch.parameter, 3.0, atol=1e-9)
    assert branch.stopped is StopReason.SPAN_END
    assert set(branch.direction) == {-1.0, 1.0}


def test_the_reason_to_stop_is_reported():
    start, p = [-2.2], [3 + 2.2**3 - 3 * 2.2, 3.0]
    assert trace(_cubic(), start, p, 0, towards=-1, span=(1e-2, 30.0), max_steps=5).stopped is StopReason.MAX_STEPS
    early = trace(_cubic(), start, p, 0, towards=-1, span=(1e-2, 30.0), stop_at_fold=True)
    assert early.stopped is StopReason.EVENT
    assert len(early.folds) == 1
    by_condition = trace(_cubic(), start, p, 0, towards=-1, span=(1e-2, 30.0), stop=lambda x, a: x[0] > 0.5)
    assert by_condition.stopped is StopReason.EVENT
    assert by_condition.x[-1, 0] > 0.5


def test_events_are_located_to_rounding():
    branch = trace(
        _cubic(),
        [-2.2],
        [3 + 2.2**3 - 3 * 2.2, 3.0],
        0,
        towards=-1,
        span=(1e-2, 30.0),
        events={"zero": lambda x, p: x[0]},
    )
    (zero,) = [s for s in branch.special if s.kind == "zero"]
    assert zero.parameter == pytest.approx(3.0, abs=1e-10)


def test_an_isolated_loop_closes():
    problem = Problem.from_callables(
        lambda x, p: x[:, :1] ** 2 + np.log(p[:, :1]) ** 2 - 1.0,
        lambda x, p: 2 * x[:, :, None],
        parameter_jacobian=lambda x, p: (2 * np.log(p) / p)[:, :, None],
        second=lambda x, p, v: (2 * v[:, :, None], np.zeros((len(x), 1, 1))),
    )
    branch = trace(problem, [1.0], [1.0], 0, towards=1, span=(1e-3, 1e3), largest_step=0.1)
    assert branch.stopped is StopReason.CLOSED_LOOP
    assert sorted(f.parameter for f in branch.folds) == pytest.approx([np.exp(-1), np.exp(1)], rel=1e-12)


def test_a_curve_of_folds_is_followed_in_a_second_parameter():
    problem = fold_problem(_cubic(), 0, np.ones(1))
    curve = trace(problem, [1.0, 1.0, 5.0], [np.nan, 3.0], 1, towards=-1, span=(0.3, 10.0))
    np.testing.assert_allclose(curve.x[:, 2], 3 + 2 * (curve.parameter / 3) ** 1.5, rtol=1e-9)
    # Its Jacobian is that of its residual.
    z, p = np.array([[0.7, 1.1, 4.0]]), np.array([[0.0, 2.0]])
    linear = problem.linearise(z, p)
    for i in range(3):
        step = np.zeros((1, 3))
        step[0, i] = 1e-6
        numeric = (problem.residual(z + step, p) - problem.residual(z - step, p)) / 2e-6
        np.testing.assert_allclose(linear.jacobian[0, :, i], numeric[0], atol=1e-8)


def test_a_fold_that_is_not_there_is_not_reported():
    monotone = Problem.from_callables(
        lambda x, p: x - p[:, :1],
        lambda x, p: np.ones((len(x), 1, 1)),
        parameter_jacobian=lambda x, p: -np.ones((len(x), 1, 1)),
        second=lambda x, p, v: (np.zeros((len(x), 1, 1)), np.zeros((len(x), 1, 1))),
    )
    folds = solve_folds(monotone, np.array([[1.0]]), np.array([[1.0]]), 0)
    assert folds.status[0] is not Status.CONVERGED
    assert not trace(monotone, [1.0], [1.0], 0, towards=1, span=(0.1, 10.0)).folds
