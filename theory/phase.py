"""Phase boundaries: spinodal, thermodynamic, AT and continuous lines, each a root with an error estimate.

- *spinodal*: the fold where the state appears.
- *thermodynamic*: its free energy equals that of the uncondensed state that exists there, the spin glass below T_g
  and the paramagnet above; the result names it.
- *at*: the replicon of the state vanishes (replica symmetry becomes unstable).
- *continuous*: the paramagnet becomes unstable towards the spin glass (T_g).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory import continuation, saddle
from theory.continuation import StopReason
from theory.errors import InvalidInput, NotConverged
from theory.folds import fold_problem, solve_folds
from theory.model import LINES, checked, normalise
from theory.problem import Status, scale_of
from theory.states import Point, anchor, at_point, reported, span_of

__all__ = ["Threshold", "threshold"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """A critical value of one parameter.

    Attributes
    ----------
    model, state, line, vary : str
    L : int or None
        Size of a mixture.
    parameters : dict of str to float
        The fixed ones.
    value : float or None
        The outermost (largest) solution.
    error : float or None
        Estimated absolute error of `value`.
    state_exists : {'above', 'below'} or None
        On which side of `value` the state exists (thermodynamic: is the stable one; AT: is replica symmetric).
    all : list of float
        All solutions found, ascending.
    status : Status
    order_parameters : dict
        Of the state at `value`.
    uncondensed : str or None
        For thermodynamic lines, the state it is compared with.
    rs_stable : bool or None
        Whether replica symmetry is stable at `value`; None on the lines where its stability changes.
    digits : str or None
        Value to the digits asked for.
    certificate : dict or None
    message : str
    """

    model: str
    state: str
    L: int | None
    line: str
    vary: str
    parameters: dict[str, float]
    value: float | None
    error: float | None
    state_exists: str | None
    all: list[float]
    status: Status
    order_parameters: dict[str, float | None]
    uncondensed: str | None = None
    rs_stable: bool | None = None
    digits: str | None = None
    certificate: dict[str, Any] | None = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """The threshold as plain types; digits and certificate only when there are any."""
        out = {**self.__dict__, "status": self.status.value}
        for key in ("digits", "certificate"):
            if out[key] is None:
                del out[key]
        return out


@dataclass(frozen=True)
class Crossing:
    """One root found by a line: value, error, the state there and the side on which the state exists."""

    value: float
    error: float
    point: Point
    x: Array
    side: str
    null: Array | None = None
    uncondensed: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def threshold(
    model: Any,
    state: str = "example",
    *,
    line: str = "spinodal",
    vary: str = "alpha",
    L: int | None = None,
    digits: int | None = None,
    certify: bool = False,
    throw: bool = True,
) -> Threshold:
    """Solve for the critical value of one parameter at fixed others.

    Parameters
    ----------
    model : Model
        All parameters but `vary` given.
    state, line, vary : str
        Which boundary: see the module.
    L : int or None
        Size of a mixture (default 3).
    digits : int or None
        Also give the value to so many digits (spinodals; multiple precision).
    certify : bool
        Also prove the digits by a Krawczyk test in ball arithmetic.
    throw : bool
        Raise NotConverged when no trustworthy value was found.

    Returns
    -------
    Threshold

    Raises
    ------
    InvalidInput
        For unknown names or missing parameters.
    NotConverged
        When the state or the line does not exist, with the Threshold.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> round(threshold(Hopfield()).value, 12)
    0.137905566495
    """
    state, L = checked(model, state, vary=vary, L=L)
    line = normalise(line, LINES, "line")
    if vary == "temperature" or model.temperature is None:
        model = replace(model, temperature=1.0)  # the equations of T > 0; the value itself is not used
    _refuse(model, state, line, vary, digits, certify)
    crossings, why = FINDERS[line](model, state, L, vary)
    result = threshold_of(model, state, L, line, vary, crossings, why)
    if crossings and (digits is not None or certify):
        from theory.digits import with_digits

        result = with_digits(result, max(crossings, key=lambda c: c.value), vary, digits, certify)
    if throw and result.status is not Status.CONVERGED:
        raise NotConverged(result.message, result)
    return result


def _refuse(model: Any, state: str, line: str, vary: str, digits: int | None, certify: bool) -> None:
    """Combinations that have no meaning."""
    condensed = state not in ("paramagnet", "spin_glass")
    if line in ("spinodal", "thermodynamic") and not condensed:
        raise InvalidInput(
            f"line '{line}' of state '{state.replace('_', '-')}' is not defined; it belongs to condensed states, so choose "
            "example, feature or mixture, or the line continuous."
        )
    if line == "continuous" and condensed:
        raise InvalidInput(
            f"line 'continuous' of state '{state}' is not defined; condensed states appear discontinuously at their "
            "spinodal, so choose --line spinodal, or the state spin-glass."
        )
    if line in ("at", "continuous") and vary != "temperature" and model.temperature == 0.0:
        raise InvalidInput(
            f"line '{line}' at temperature = 0 is not defined (Ising states always break replica symmetry there); vary "
            "the temperature, or give temperature > 0."
        )
    if (digits is not None or certify) and line != "spinodal":
        raise InvalidInput(f"digits and certificates are given for spinodals, not for the line '{line}'; drop the option.")
    if digits is not None and not 1 <= digits <= 1000:
        raise InvalidInput(f"digits = {digits} is not allowed; give a number from 1 to 1000.")


def _branches(point: Point, x: Array, vary: str, **options: Any) -> list[continuation.Branch]:
    """The branch through x up to its first fold, both ways."""
    return [
        continuation.trace(
            point.equations.problem(),
            x,
            point.parameters,
            point.column(vary),
            towards=towards,
            span=span_of(point.model, vary),
            stop_at_fold=True,
            stop=lambda y, _: point.condensed(y) < 1e-7,
            largest_step=1.0,
            **options,
        )
        for towards in (1, -1)
    ]


def _fold_crossing(point: Point, x: Array, vary: str, value: float, null: Array | None) -> Crossing | None:
    """Polish a fold at fixed other parameters."""
    p = point.parameters.copy()
    p[point.column(vary)] = value
    start_null = None if null is None else (null / scale_of(x))[None]
    f = solve_folds(point.equations.problem(), x[None], p[None], point.column(vary), null=start_null)
    if f.status[0] is not Status.CONVERGED or point.condensed(f.x[0]) < 1e-6:
        return None
    there = point.at(vary, float(f.parameter[0]))
    side = "above" if f.curvature[0] > 0 else "below"
    return Crossing(float(f.parameter[0]), float(f.error[0]), there, f.x[0], side, null=f.null_vector[0] * scale_of(x))


def spinodals(model: Any, state: str, L: int, vary: str) -> tuple[list[Crossing], str]:
    found = anchor(model, state, L, vary)
    if found is not None:
        point, x = found
        folds = [f for b in _branches(point, x, vary) for f in b.folds[:1]]
        crossings = [_fold_crossing(point, f.x, vary, f.parameter, f.null_vector) for f in folds]
        good = [c for c in crossings if c is not None]
        if good:
            return good, ""
    detour = _detour(model, state, L, vary)
    if detour:
        return detour, ""
    if found is not None:
        return [], f"the state exists over the whole range of {vary} that was followed, without a spinodal"
    return [], f"the state was not found at any {vary}"


def _detour(model: Any, state: str, L: int, vary: str) -> list[Crossing]:
    """Find a fold at more favourable values of another parameter and follow it back: reaches isolated windows."""
    for other, end in model.exists_towards(state).items():
        target = getattr(model, other)
        if other == vary or target in (None, 0.0):
            continue
        for factor in (0.97, 0.8, 0.5, 0.1):
            there = target * (factor if end == "low" else 1.0 / factor)
            moved = replace(model, **{other: there})
            found = anchor(moved, state, L, vary)
            if found is None:
                continue
            folds = [f for b in _branches(*found, vary) for f in b.folds[:1]]
            for f in folds:
                crossings = _follow_fold(found[0], f, vary, other, target)
                if crossings:
                    return crossings
            if folds:
                break
    return []


def _follow_fold(
    point: Point, f: continuation.SpecialPoint, vary: str, other: str, target: float
) -> list[Crossing]:
    """Follow a fold in `other` until it has crossed `target`, and on until it comes back or leaves."""
    assert f.null_vector is not None
    scale = scale_of(f.x)
    problem = fold_problem(point.equations.problem(), point.column(vary), scale)
    null = f.null_vector / scale
    z = np.concatenate([f.x, null / np.linalg.norm(null), [f.parameter]])
    p, column, n = point.parameters.copy(), point.column(other), len(f.x)
    branch = continuation.trace(
        problem,
        z,
        p,
        column,
        towards=1 if target > p[column] else -1,
        span=(min(p[column], target) / 3.0, max(p[column], target) * 3.0),
        events={"target": lambda _, q: math.log(q[column] / target)},
        max_steps=150,
        largest_step=0.3,
    )
    at_target = at_point(replace(point.model, **{other: target}), point.state, point.L)
    crossings = [
        _fold_crossing(at_target, s.x[:n], vary, float(s.x[2 * n]), s.x[n : 2 * n] * scale)
        for s in branch.special
        if s.kind == "target"
    ]
    return [c for c in crossings if c is not None]


def uncondensed_at(point: Point, guess: tuple[Point, Array] | None = None) -> tuple[Point, Array] | None:
    """The spin glass where it exists, else the paramagnet, at the parameters of `point`."""
    model = point.model
    glass = at_point(model, "spin_glass", 1)
    start = glass.start()
    if guess is not None and guess[0].state == "spin_glass":
        start = guess[1]
    for first in (start, glass.start()):
        x, status, _ = saddle.Newton().iterate(glass.equations.problem(), first[None], glass.parameters[None])
        if status[0] is Status.CONVERGED and x[0][glass.equations.names.index("q_hat")] > 1e-10:
            return glass, x[0]
    if model.temperature == 0.0:
        return None
    flat = at_point(model, "paramagnet", 1)
    x, status, _ = saddle.Newton().iterate(flat.equations.problem(), flat.start()[None], flat.parameters[None])
    return (flat, x[0]) if status[0] is Status.CONVERGED else None


def _excess(point: Point, x: Array) -> tuple[float, tuple[Point, Array]] | None:
    """Free energy of the state minus that of the uncondensed one."""
    other = uncondensed_at(point)
    if other is None:
        return None
    return point.scalar("free_energy", x) - other[0].scalar("free_energy", other[1]), other


def _thermodynamic(model: Any, state: str, L: int, vary: str) -> tuple[list[Crossing], str]:
    found = anchor(model, state, L, vary)
    if found is None:
        return [], f"the state was not found at any {vary}"
    point, x = found

    def excess(y: Array, p: Array) -> float:
        value = _excess(point.at(vary, float(p[point.column(vary)])), y)
        return math.nan if value is None else value[0]

    branches = _branches(point, x, vary, events={"excess": excess})
    crossings = []
    for s in (s for b in branches for s in b.special if s.kind == "excess"):
        crossing = equal_free_energies(point, vary, s.parameter, s.x)
        if crossing is not None:
            crossings.append(crossing)
    return crossings, "the state is nowhere degenerate in free energy with the uncondensed state along its branch"


def equal_free_energies(point: Point, vary: str, value: float, x: Array) -> Crossing | None:
    """Newton in the parameter; by stationarity the slope is the explicit derivative of the two free energies."""
    for _ in range(20):
        point = point.at(vary, value)
        roots = saddle.solve(point.equations.problem(), x, point.parameters, throw=False)
        other = uncondensed_at(point)
        if other is None or not roots.converged[0]:
            return None
        x = roots.x[0]
        own = [point.scalar("free_energy", x), other[0].scalar("free_energy", other[1])]
        slopes = [point.slope(x, vary), other[0].slope(other[1], vary)]
        slope = slopes[0] - slopes[1]
        step = -(own[0] - own[1]) / slope
        rounding = 8.0 * np.finfo(float).eps * (abs(own[0]) + abs(own[1])) / abs(slope)
        if abs(step) <= max(rounding, 1e-15 * value):
            return Crossing(
                value, abs(step) + rounding, point, x, "above" if slope < 0 else "below", uncondensed=other[0].state
            )
        value = min(max(value + step, 0.5 * value), 2.0 * value)
    return None


def _replicon_zero(model: Any, state: str, L: int, vary: str) -> tuple[list[Crossing], str]:
    wanted, state = state, "paramagnet" if state == "spin_glass" else state  # they meet at T_g, and its replicon is zero
    found = anchor(model, state, L, vary)
    if found is None:
        return [], f"the state was not found at any {vary}"
    point, x = found
    replicon = lambda y, p: point.scalar("replicon", y, p)  # noqa: E731
    branches = _branches(point, x, vary, events={"replicon": replicon})
    crossings = [
        zero_replicon(point, vary, s.parameter, s.x) for b in branches for s in b.special if s.kind == "replicon"
    ]
    side = "stable" if point.scalar("replicon", x) > 0 else "unstable"
    found_all = [c for c in crossings if c is not None]
    if wanted != state:
        flipped = {"above": "below", "below": "above"}
        found_all = [replace(c, side=flipped[c.side]) for c in found_all]
    return found_all, f"replica symmetry is {side} along the whole branch"


def zero_replicon(point: Point, vary: str, value: float, x: Array) -> Crossing | None:
    """Secant iteration in the parameter, the saddle point solved at every step."""
    previous: tuple[float, float] | None = None
    for _ in range(30):
        point = point.at(vary, value)
        roots = saddle.solve(point.equations.problem(), x, point.parameters, throw=False)
        if not roots.converged[0]:
            return None
        x = roots.x[0]
        r = point.scalar("replicon", x)
        if previous is None:
            previous, value = (value, r), value * (1.0 + 1e-6)
            continue
        slope = (r - previous[1]) / (value - previous[0]) if value != previous[0] else math.inf
        step = -r / slope
        if abs(step) <= 1e-13 * value:
            return Crossing(value, abs(step) + 1e-14 * value, point, x, "above" if slope > 0 else "below")
        previous, value = (value, r), value + step
    return None


FINDERS = {
    "spinodal": spinodals,
    "thermodynamic": _thermodynamic,
    "at": _replicon_zero,
    "continuous": _replicon_zero,
}


def threshold_of(
    model: Any, state: str, L: int, line: str, vary: str, crossings: list[Crossing], why: str
) -> Threshold:
    names = [p.name for p in model.parameters if p.name != vary]
    common: dict[str, Any] = {
        "model": model.name,
        "state": state,
        "L": L if state == "mixture" else None,
        "line": line,
        "vary": vary,
        "parameters": {n: float(getattr(model, n)) for n in names},
    }
    if not crossings:
        at = ", ".join(f"{k} = {v:g}" for k, v in common["parameters"].items())
        message = f"NO_SOLUTION: no {line} line of '{state.replace('_', '-')}' in {vary} at {at}: {why}."
        return Threshold(
            **common, value=None, error=None, state_exists=None, all=[], status=Status.NO_SOLUTION, order_parameters={},
            message=message,
        )  # fmt: skip
    distinct: list[Crossing] = []
    for c in sorted(crossings, key=lambda c: c.value):
        if not distinct or abs(c.value - distinct[-1].value) > 1e-9 * c.value:
            distinct.append(c)
    last = distinct[-1]
    replicon = last.point.equations.free_energy.replicon
    return Threshold(
        **common,
        value=last.value,
        error=last.error,
        state_exists=last.side,
        all=[c.value for c in distinct],
        status=Status.CONVERGED,
        order_parameters=reported(last.point, last.x),
        uncondensed=last.uncondensed,
        rs_stable=None if line in ("at", "continuous") else replicon is not None and last.point.scalar("replicon", last.x) > 0,
    )
