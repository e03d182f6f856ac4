"""Checks that any model can be put through: derived equations, stationarity, the limit T -> 0, declared limits.

The conformance tests run them on every built-in model; a model of one's own is checked by the same call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput
from theory.model import Limit, checked
from theory.points import Point, at_point
from theory.states import Solution, solve

__all__ = ["Check", "conformance", "limit_checks"]

Array = NDArray[np.float64]

_STEP = 3e-3  # of finite differences, relative
_WARM = 1e-4  # temperature, in the model's unit, at which T -> 0 is looked at


@dataclass(frozen=True)
class Check:
    """A claim about a model and how far from it the numbers are.

    Attributes
    ----------
    claim : str
    error : float
        Largest deviation, relative for quantities above 0.1 and ten times absolute below.
    tolerance : float
    """

    claim: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        return f"{'ok  ' if self.passed else 'FAIL'} {self.claim}: {self.error:.1e} (tolerance {self.tolerance:.0e})"


def conformance(model: Any, state: str = "example", *, L: int | None = None) -> list[Check]:
    """Check one state of a model at a point where it exists.

    - The saddle-point equations, their Jacobian and its derivatives are finite differences of the free energy, at a
      generic point where nothing vanishes by stationarity.
    - The state is found, and ``S = -df/dT`` along it (T > 0).
    - T -> 0 of the free energy is the ground-state energy (at T = 0).

    Parameters
    ----------
    model : Model
        All parameters given.
    state : str
    L : int or None
        Size of a mixture.

    Returns
    -------
    list of Check

    Raises
    ------
    InvalidInput
        For unknown states or missing parameters, or if no point of the declared domain is found.
    NotConverged
        If the state does not exist at this point.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> all(check.passed for check in conformance(Hopfield(alpha=0.05), "example"))
    True
    """
    state, size = checked(model, state, L=L)
    point = at_point(model, state, size)
    found = _derivatives(point) if point.equations.names else []
    solution = solve(model, state, L=L)
    found.append(Check("the state solves its equations on a finer quadrature", float(solution.residual or 0.0), 1e-11))
    return found + (_entropy(model, solution) if model.temperature > 0.0 else _cold(model, solution))


def limit_checks(model: Any) -> list[Check]:
    """Check the limits that a model declares; each is solved on both sides.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> [check.passed for check in limit_checks(Hopfield())]
    [True, True]
    """
    return [_limit(limit) for limit in model.limits()]


def _limit(limit: Limit) -> Check:
    here, there = solve(limit.here, limit.state), solve(limit.there, limit.other_state)
    pairs = [(_quantity(here, name), _quantity(there, name)) for name in limit.same]
    error = _deviation([a for a, _ in pairs], [b for _, b in pairs])
    return Check(f"{limit.claim} ({limit.state})", error, limit.tolerance)


def _quantity(solution: Solution, name: str) -> float:
    value = getattr(solution, name) if name in ("free_energy", "energy") else solution.order_parameters[name]
    return float("nan") if value is None else value


def _derivatives(point: Point) -> list[Check]:
    """Everything derived symbolically against finite differences of what it is derived from."""
    equations, p, x = point.equations, point.parameters, _generic(point)
    problem = equations.problem()
    assert problem.extend is not None
    v = np.random.default_rng(2).normal(size=len(x))
    linear, extended = problem.linearise(x[None], p[None]), problem.extend(x[None], p[None], v[None])

    gradient = _difference(lambda y: equations.values("free_energy", y[None], p[None])[0], x)[0]
    slope = dict(zip(equations.variables, gradient, strict=True))
    values = dict(zip(equations.parameters, p, strict=True))
    update = {}
    for a, b in equations.free_energy.pairs:
        c = float(equations.coefficient(a, b).subs(values))
        update[a], update[b] = slope[b] / c, slope[a] / c
    jacobian = _difference(lambda y: problem.residual(y[None], p[None])[0], x)
    second = _difference(lambda y: problem.linearise(y[None], p[None]).jacobian[0] @ v, x)
    varied = np.flatnonzero(p[: len(equations.parameter_names)] != 0.0)

    def shifted(q: Array) -> Array:
        moved = p.copy()
        moved[varied] = q
        out: Array = problem.residual(x[None], moved[None])[0]
        return out

    return [
        Check(
            "the equations are derivatives of the free energy",
            _deviation(linear.residual[0], [update[s] for s in equations.variables]),
            1e-7,
        ),
        Check("the Jacobian is that of the equations", _deviation(linear.jacobian[0], jacobian), 1e-6),
        Check("the fold system is that of the Jacobian", _deviation(extended.second[0], second), 1e-5),
        Check(
            "the derivatives in the parameters are those of the equations",
            _deviation(linear.parameters[0][:, varied], _difference(shifted, p[varied])),
            1e-6,
        ),
    ]


def _generic(point: Point) -> Array:
    """A point inside the domain that is not a solution."""
    rng = np.random.default_rng(1)
    problem = point.equations.problem()
    for attempt in range(400):
        x = rng.uniform(0.05, 0.45, len(point.equations.names)) * 0.7 ** (attempt // 20)
        if problem.inside(x[None], point.parameters[None])[0]:
            return x
    raise InvalidInput(
        f"no point inside the domain of {point.model.name} was found; see whether 'bounds' and 'interior' leave room "
        f"for {', '.join(point.equations.names)} between 0 and 0.45."
    )


def _difference(function: Callable[[Array], Array], x: Array) -> Array:
    """Fourth-order central differences in each component; the columns are stacked last."""
    columns = []
    for i in range(len(x)):
        e = np.zeros_like(x)
        e[i] = h = _STEP * abs(x[i])
        columns.append(
            (8 * (function(x + e) - function(x - e)) - (function(x + 2 * e) - function(x - 2 * e))) / (12 * h)
        )
    return np.stack(columns, axis=-1)


def _entropy(model: Any, solution: Solution) -> list[Check]:
    """``S = -df/dT`` along the branch, independent of the derivative at fixed order parameters."""
    h = _WARM * model.temperature_unit()
    above, below = (
        _quantity(
            solve(replace(model, temperature=model.temperature + s * h), solution.state, L=solution.L), "free_energy"
        )
        for s in (1, -1)
    )
    error = _deviation(solution.entropy, (below - above) / (2 * h))
    return [Check("the entropy is -df/dT along the branch", error, 2e-6)]


def _cold(model: Any, solution: Solution) -> list[Check]:
    """``f(T) = E - T S + O(T^2)`` with the entropy of the T = 0 theory; order parameters follow to O(T).

    Where the entropy diverges (continuous spins have a specific heat at T = 0), the energy is linear in T instead.
    """
    t = _WARM * model.temperature_unit()
    warm = solve(replace(model, temperature=t), solution.state, L=solution.L)
    if solution.entropy is None:
        claim, reached = "the ground-state energy is T -> 0 of the energy", 2.0 * _quantity(warm, "energy")
        reached -= _quantity(solve(replace(model, temperature=2.0 * t), solution.state, L=solution.L), "energy")
        expected = _quantity(solution, "energy")
    else:
        claim, reached = "the ground-state energy is T -> 0 of the free energy", _quantity(warm, "free_energy")
        expected = _quantity(solution, "free_energy") - t * solution.entropy
    limits = {k: v for k, v in solution.order_parameters.items() if v is not None}
    common = [k for k in limits if warm.order_parameters.get(k) is not None]
    return [
        Check(claim, _deviation(reached, expected), 1e-6),
        Check(
            "its order parameters are those of T -> 0",
            _deviation([_quantity(warm, k) for k in common], [limits[k] for k in common]),
            5e-4,
        ),
    ]


def _deviation(value: ArrayLike | None, expected: ArrayLike | None) -> float:
    a, b = np.asarray(value, float), np.asarray(expected, float)
    error = float(np.max(np.abs(a - b) / np.maximum(0.1, np.abs(b)), initial=0.0))
    return error if np.isfinite(error) else float("inf")
