"""The states of a model: their solution at a point, and whether it is the state asked for.

A state is reported only if it is connected to its undisturbed form (stored pattern, learnt feature) without passing
a spinodal; a root on another sheet is WRONG_BRANCH, and a point beyond the spinodal is NO_SOLUTION with the spinodal
in the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory import continuation, saddle
from theory.errors import InvalidInput, NotConverged, nearest
from theory.model import checked
from theory.parameters import derived_of, fixed
from theory.points import Point, anchor, at_point, converge, entropy_of, frozen, reported, rs_stable, settle
from theory.problem import Status

__all__ = ["Solution", "solve"]

Array = NDArray[np.float64]

_NEARLY = 1e-8  # residual


@dataclass(frozen=True)
class Solution:
    """One state at one parameter point.

    Attributes
    ----------
    model, state : str
    L : int or None
        Number of features or patterns in a mixture.
    parameters : dict of str to float
    status : Status
    residual : float
        On the finer quadrature, in units of the variables.
    order_parameters : dict of str to float or None
        None where a quantity diverges (p_hat at T = 0) or is unknown.
    free_energy, energy, entropy : float or None
        Per spin, in units of the coupling (entropy in nats; None where it diverges, as for continuous spins at T = 0).
    replicon : float or None
        Positive where replica symmetry is stable; None where it diverges, as for Ising states at T = 0.
    rs_stable : bool or None
    transverse : float or None
        Mixtures: positive where they are stable against antisymmetric overlaps.
    error : dict of str to float
        Estimated error of each variable.
    message : str
        One sentence when the status is not CONVERGED.
    variables : dict of str to float or None
        The model's own unknowns, from which `order_parameters` follow; not part of the JSON form.
    derived : dict
        What the model reports besides (`Model.derived`); at the top level of the JSON form.
    """

    model: str
    state: str
    L: int | None
    parameters: dict[str, float]
    status: Status
    residual: float | None
    order_parameters: dict[str, float | None]
    free_energy: float | None = None
    energy: float | None = None
    entropy: float | None = None
    replicon: float | None = None
    rs_stable: bool | None = None
    transverse: float | None = None
    error: dict[str, float] | None = None
    message: str = ""
    variables: dict[str, float] | None = None
    derived: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        fixed = ", ".join(f"{k} = {v:g}" for k, v in self.parameters.items())
        name = f"{self.model}, {self.state.replace('_', '-')}" + (f" L = {self.L}" if self.L else "")
        if self.free_energy is None:
            return f"{name} ({fixed}): {self.message or self.status.value}"
        found = ", ".join(f"{k} = {v:.12g}" for k, v in self.order_parameters.items() if v is not None)
        return f"{name} ({fixed}): {found}, f = {self.free_energy:.12g}"

    def to_json(self) -> dict[str, Any]:
        """The solution as plain types; unknown numbers are None."""
        plain = {k: v for k, v in self.__dict__.items() if k not in ("variables", "derived")}
        return {**plain, "status": self.status.value, **self.derived}


def solve(
    model: Any,
    state: str = "example",
    *,
    L: int | None = None,
    start: Mapping[str, float] | None = None,
    solver: saddle.Solver | None = None,
    throw: bool = True,
) -> Solution:
    """Solve a state at the model's parameters.

    Parameters
    ----------
    model : Model
        All parameters given.
    state : str
        One of the model's states.
    L : int or None
        Odd number of features in a mixture (default 3).
    start : mapping of str to float or None
        Own starting point in the model's variables (or m, q, ...); by default the state is followed from where it
        is undisturbed, which also decides whether it exists.
    solver : Newton, FixedPoint or Anderson
        Used with `start`.
    throw : bool
        Raise NotConverged unless the status is CONVERGED.

    Returns
    -------
    Solution

    Raises
    ------
    InvalidInput
        For unknown states, missing parameters or bad starts.
    NotConverged
        With the Solution; the message names the nearest spinodal where there is one.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> solution = solve(Hopfield(alpha=0.12, temperature=0.05), "example")
    >>> round(solution.order_parameters["m"], 12)
    0.992597061172
    """
    state, L = checked(model, state, L=L)
    point = at_point(model, state, L)
    if start is not None:
        solution = _from_start(point, start, solver)
    else:
        solution = _followed(point)
    if throw and solution.status is not Status.CONVERGED:
        raise NotConverged(solution.message, solution)
    return solution


def _from_start(point: Point, start: Mapping[str, float], solver: saddle.Solver | None) -> Solution:
    """Honour the user's start and solver; afterwards decide whether the root is the state asked for."""
    values = dict(point.model.start(point.state, point.L))
    unknown = [k for k in start if k not in values and k != "q"]
    if unknown:
        close = nearest(unknown[0], values)
        raise InvalidInput(
            f"start has '{unknown[0]}', which is no variable of {point.model.name}; use {', '.join(values)} or q"
            + (f" (did you mean '{close}'?)." if close else ".")
        )
    values.update({k: float(v) for k, v in start.items() if k != "q"})
    if "q" in start and "chi" in values and point.model.temperature > 0.0:
        values["chi"] = (1.0 - float(start["q"])) / point.model.temperature
    x = np.array([values[n] for n in point.equations.names], float)
    free = [n for n in point.equations.names if n not in start and not (n == "chi" and "q" in start)]
    problem = point.equations.problem()
    for _ in range(50 if free else 0):  # bring what the user left open in line with what was given
        r = problem.residual(x[None], point.parameters[None])[0]
        for i, n in enumerate(point.equations.names):
            if n in free and np.isfinite(r[i]):
                x[i] -= 0.5 * r[i]
    roots = saddle.solve(problem, x, point.parameters, solver=solver, throw=False)
    status: Status = roots.status[0]
    if status is Status.CONVERGED and not (point.condensed(roots.x[0]) > 1e-6 and point.stable(roots.x[0])):
        status = Status.WRONG_BRANCH
    return _solution(point, roots.x[0], status, float(roots.residual[0]), roots.error[0], "")


def _followed(point: Point) -> Solution:
    """Follow the state from where it is undisturbed to the point, and say where it ends if it ends before."""
    if not point.equations.free_energy.condensed:
        return _uncondensed(point)
    fold: tuple[str, float] | None = None
    for vary in point.model.exists_towards(point.state):
        target = getattr(point.model, vary)
        if vary == "temperature" and target == 0.0:
            continue
        found = anchor(point.model, point.state, point.L, vary, near=target)
        if found is None:
            continue
        x, fold = _follow(point, found, vary, target)
        if x is not None:
            return _polished(point, x)
        break
    # The state may live in a window that the anchors do not reach; its own start decides.
    x = converge(point, point.start())
    if x is not None and point.condensed(x) > 0.5 * point.condensed(point.start()):
        return _polished(point, x)
    where = _where(point)
    name = point.state.replace("_", "-")
    message = f"NO_SOLUTION: the state '{name}' of {point.model.name} does not exist at {where}"
    if fold is not None:
        side = "below" if getattr(point.model, fold[0]) > fold[1] else "above"
        message += f"; its nearest spinodal is {fold[0]} = {fold[1]:.12g} (it exists {side})."
    else:
        message += "; it was not found at any load or temperature nearby."
    told = point.model.convention() if hasattr(point.model, "convention") else ""
    message = f"{message.removesuffix('.')} ({told})." if told else message
    return _solution(point, None, Status.NO_SOLUTION, None, None, message)


def _follow(
    point: Point, found: tuple[Point, Array], vary: str, target: float
) -> tuple[Array | None, tuple[str, float] | None]:
    """Trace from the anchor to the point: the solution there, or the spinodal that comes before."""
    origin, x = found
    there = getattr(origin.model, vary)
    if there == target:
        return x, None
    branch = continuation.trace(
        point.equations.problem(),
        x,
        origin.parameters,
        origin.column(vary),
        towards=1 if target > there else -1,
        span=(min(there, target), max(there, target)),
        stop_at_fold=True,
    )
    if branch.stopped is continuation.StopReason.SPAN_END and not branch.folds:
        w = np.log(target / branch.parameter[-2]) / np.log(branch.parameter[-1] / branch.parameter[-2])
        return branch.x[-2] + w * (branch.x[-1] - branch.x[-2]), None
    if not branch.folds:
        return None, None
    fold = branch.folds[0]
    left, last = np.log(fold.parameter / target), np.log(fold.parameter / branch.parameter[-2])
    if left * last > 0.0:  # the last step jumped over the target and the fold; between them x goes as a square root
        return fold.x + np.sqrt(left / last) * (branch.x[-2] - fold.x), None
    return None, (vary, fold.parameter)


def _uncondensed(point: Point) -> Solution:
    roots = settle(point, point.start())
    status: Status = roots.status[0]
    message = ""
    if point.state == "paramagnet" and status is Status.LEFT_DOMAIN:
        status = Status.NO_SOLUTION
        message = (
            f"NO_SOLUTION: the paramagnetic equations have no physical solution at {_where(point)} (their determinants "
            "are not positive at so low a temperature); raise the temperature."
        )
    # Just above T_g the equations are stiff, and q = 0 is found to rounding though it does not count as converged.
    found = status is Status.CONVERGED or float(roots.residual[0]) < _NEARLY
    if point.state == "spin_glass" and found and not frozen(point, roots.x[0]):
        status = Status.NO_SOLUTION
        message = (
            f"NO_SOLUTION: there is no spin glass at {_where(point)}: the temperature is above T_g, where the "
            "paramagnet takes over (ask for its value with the line 'continuous')."
        )
    return _solution(point, roots.x[0], status, float(roots.residual[0]), roots.error[0], message)


def _polished(point: Point, x: Array) -> Solution:
    roots = saddle.solve(point.equations.problem(), x, point.parameters, throw=False)
    status: Status = roots.status[0]
    if status is Status.CONVERGED and not point.stable(roots.x[0]):
        status = Status.WRONG_BRANCH
    return _solution(point, roots.x[0], status, float(roots.residual[0]), roots.error[0], "")


def _where(point: Point) -> str:
    return ", ".join(f"{n} = {getattr(point.model, n):g}" for n in point.equations.parameter_names)


def _solution(
    point: Point, x: Array | None, status: Status, residual: float | None, error: Array | None, message: str
) -> Solution:
    """Collect what is known; numbers of an unconverged point are withheld, except the residual."""
    names = point.equations.names
    if status is not Status.CONVERGED and not message:
        message = f"{status.value} at {_where(point)}: {status.cause}; {status.remedy}."
    common = {
        "model": point.model.name,
        "state": point.state,
        "L": point.L if point.state == "mixture" else None,
        "parameters": fixed(point.model),
        "status": status,
        "residual": residual,
        "message": message,
        "derived": derived_of(point.model),
    }
    if status is not Status.CONVERGED or x is None:
        return Solution(**common, order_parameters=dict.fromkeys(point.equations.free_energy.reported))
    replicon = None if point.equations.free_energy.replicon is None else point.scalar("replicon", x)
    free_energy, entropy = point.scalar("free_energy", x), entropy_of(point, x)
    return Solution(
        **common,
        order_parameters=reported(point, x),
        free_energy=free_energy,
        energy=free_energy + float(point.model.temperature) * (entropy or 0.0),
        entropy=entropy,
        replicon=replicon,
        rs_stable=rs_stable(point, x),
        transverse=None if point.equations.free_energy.transverse is None else point.scalar("transverse", x),
        error=None if error is None else dict(zip(names, map(float, error), strict=True)),
        variables=dict(zip(names, map(float, x), strict=True)),
    )
