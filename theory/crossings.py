"""Where the lines are: every boundary found along a branch that starts from the undisturbed state, and polished.

The routines return `Crossing`s of one line at fixed other parameters; `theory.phase` turns them into results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory import continuation, saddle
from theory.folds import fold_problem, solve_folds
from theory.points import Point, anchor, at_point, declared, settle, settled, span_of
from theory.problem import Status, scale_of

__all__ = [
    "FINDERS",
    "Crossing",
    "equal_free_energies",
    "explicit_start",
    "spinodals",
    "uncondensed_at",
    "zero_replicon",
]

Array = NDArray[np.float64]

_FLAT = 1e-9  # slope of a replicon in the logarithm of a parameter that is none
_STRIDE = 8.0  # most by which that logarithm moves at once


@dataclass(frozen=True)
class Crossing:
    """One root found by a line: value, error, the state there and the side on which the state exists.

    `null` is the null vector of a fold in the units of the variables; its length has no meaning.
    """

    value: float
    error: float
    point: Point
    x: Array
    side: str
    null: Array | None = None
    uncondensed: str | None = None


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
    if not declared(point.model, vary).allows(float(f.parameter[0])):
        return None
    there = point.at(vary, float(f.parameter[0]))
    side = "above" if f.curvature[0] > 0 else "below"
    return Crossing(float(f.parameter[0]), float(f.error[0]), there, f.x[0], side, null=f.null_vector[0] * scale_of(x))


def explicit_start(model: Any, state: str, L: int, vary: str) -> tuple[Point, Array] | None:
    """A point close to the spinodal, where the model can give one in closed form."""
    values = model.spinodal_start(state, L, vary) if hasattr(model, "spinodal_start") else None
    if values is None:
        return None
    point = at_point(replace(model, **{vary: values[vary]}), state, L)
    return point, np.array([values[n] for n in point.equations.names])


def spinodals(model: Any, state: str, L: int, vary: str) -> tuple[list[Crossing], str]:
    """Folds of a state in one parameter, and why there are none."""
    near = explicit_start(model, state, L, vary)
    if near is not None:
        point, x = near
        value = float(point.parameters[point.column(vary)])
        crossing = _fold_crossing(point, x, vary, value, None)
        if crossing is not None and abs(crossing.value / value - 1.0) < 0.1:
            return [crossing], ""
    found = anchor(model, state, L, vary)
    if found is not None:
        point, x = found
        branches = _branches(point, x, vary)
        folds = [f for b in branches for f in b.folds[:1]]
        crossings = [_fold_crossing(point, f.x, vary, f.parameter, f.null_vector) for f in folds]
        good = [c for c in crossings if c is not None]
        if good:
            return good, ""
        vanishing = [float(b.parameter[-1]) for b in branches if point.condensed(b.x[-1]) < 1e-2]
        if vanishing:
            return [], f"its overlap vanishes continuously near {vary} = {vanishing[0]:.4g}, where nothing turns round"
        if folds:
            return [], f"the branch turns round near {vary} = {folds[0].parameter:.6g}, but that fold was not solved"
        return [], f"the state exists over the whole range of {vary} that was followed, without a spinodal"
    detour = _detour(model, state, L, vary)
    return detour, "" if detour else f"the state was not found at any {vary}"


def _detour(model: Any, state: str, L: int, vary: str) -> list[Crossing]:
    """Find a fold at more favourable values of another parameter and follow it back: reaches isolated windows."""
    for other, end in model.exists_towards(state).items():
        target = getattr(model, other)
        if other == vary or target in (None, 0.0):
            continue
        for factor in (0.97, 0.7, 0.2):
            there = target * (factor if end == "low" else 1.0 / factor)
            if not declared(model, other).allows(there):
                continue
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


def _follow_fold(point: Point, f: continuation.SpecialPoint, vary: str, other: str, target: float) -> list[Crossing]:
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
    if "spin_glass" in model.states:
        glass = at_point(model, "spin_glass", 1)
        starts = [glass.start()] if guess is None or guess[0].state != "spin_glass" else [guess[1], glass.start()]
        for first in starts:
            roots = settle(glass, first)
            if settled(glass, roots):
                return glass, roots.x[0]
    if model.temperature == 0.0 or "paramagnet" not in model.states:
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
    if not {"spin_glass", "paramagnet"} & set(model.states):
        return [], f"{model.name} declares no uncondensed state to compare with"
    found = anchor(model, state, L, vary)
    if found is None:
        return [], f"the state was not found at any {vary}"
    point, x = found

    def excess(y: Array, p: Array) -> float:
        if not declared(model, vary).allows(float(p[point.column(vary)])):
            return math.nan
        value = _excess(point.at(vary, float(p[point.column(vary)])), y)
        return math.nan if value is None else value[0]

    branches = _branches(point, x, vary, events={"excess": excess})
    located = [s for b in branches for s in b.special if s.kind == "excess"]
    crossings = [equal_free_energies(point, vary, s.parameter, s.x) for s in located]
    why = f"the state is nowhere degenerate in free energy with the uncondensed state {_followed(branches)}"
    if located:
        why = f"the free energies cross near {vary} = {located[0].parameter:.6g}, but the crossing was not solved"
    return [c for c in crossings if c is not None], why


def _followed(branches: list[continuation.Branch]) -> str:
    """Over which range a pair of branches went."""
    ends = [float(v) for b in branches for v in (b.parameter.min(), b.parameter.max())]
    return f"along its branch, which was followed from {min(ends):.4g} to {max(ends):.4g}"


def equal_free_energies(point: Point, vary: str, value: float, x: Array) -> Crossing | None:
    """Newton in the parameter; by stationarity the slope is the explicit derivative of the two free energies.

    It ends at rounding, or where the steps no longer shrink: a free energy may vanish by cancellation, and its own size
    then says little about its rounding error.
    """
    last = math.inf
    for _ in range(20):
        point = point.at(vary, value)
        roots = saddle.solve(point.equations.problem(), x, point.parameters, throw=False)
        other = uncondensed_at(point)
        if other is None or not roots.converged[0]:
            return None
        x = roots.x[0]
        if point.condensed(x) < 1e-6:  # slid into the uncondensed state, with which it is degenerate everywhere
            return None
        own = [point.scalar("free_energy", x), other[0].scalar("free_energy", other[1])]
        slopes = [point.slope(x, vary), other[0].slope(other[1], vary)]
        slope = slopes[0] - slopes[1]
        if slope == 0.0:
            return None
        step = -(own[0] - own[1]) / slope
        rounding = 8.0 * np.finfo(float).eps * (abs(own[0]) + abs(own[1])) / abs(slope)
        if abs(step) <= max(rounding, 1e-15 * value) or 0.25 * last <= abs(step) <= 1e-11 * value:
            error = float(abs(step) + rounding + (last if last <= 1e-11 * value else 0.0))
            side = "above" if slope < 0 else "below"
            return Crossing(value, error, point, x, side, uncondensed=other[0].state)
        last = abs(step)
        value = min(max(value + step, 0.5 * value), 2.0 * value)
        if not declared(point.model, vary).allows(value):
            return None
    return None


def _replicon_zero(model: Any, state: str, L: int, vary: str) -> tuple[list[Crossing], str]:
    # Paramagnet and spin glass meet at T_g, where the replicon of both is zero.
    wanted, state = state, "paramagnet" if state == "spin_glass" else state
    if state not in model.states:
        return [], f"{model.name} declares no {state}, along which T_g is looked for"
    found = anchor(model, state, L, vary)
    if found is None:
        return [], f"the state was not found at any {vary}"
    point, x = found
    replicon = lambda y, p: point.scalar("replicon", y, p)
    branches = _branches(point, x, vary, events={"replicon": replicon})
    located = [s for b in branches for s in b.special if s.kind == "replicon"]
    crossings = [zero_replicon(point, vary, s.parameter, s.x) for s in located]
    if not located and vary == "temperature":
        coldest = min(branches, key=lambda b: float(b.parameter[-1]))
        crossings = [zero_replicon(point, vary, float(coldest.parameter[-1]), coldest.x[-1])]
    side = "stable" if point.scalar("replicon", x) > 0 else "unstable"
    found_all = [c for c in crossings if c is not None]
    if wanted != state:
        flipped = {"above": "below", "below": "above"}
        found_all = [replace(c, side=flipped[c.side]) for c in found_all]
    if located:
        return found_all, f"the replicon vanishes near {vary} = {located[0].parameter:.6g}, but its zero was not solved"
    return found_all, f"replica symmetry is {side} all {_followed(branches)}"


def zero_replicon(point: Point, vary: str, value: float, x: Array) -> Crossing | None:
    """Secant iteration in the parameter's logarithm, the saddle point solved at every step.

    At low temperature the replicon of planar spins falls like that logarithm.
    """
    previous: tuple[float, float] | None = None
    slope = 0.0
    for _ in range(40):
        point = point.at(vary, value)
        roots = saddle.solve(point.equations.problem(), x, point.parameters, throw=False)
        if not roots.converged[0]:
            return None
        x = roots.x[0]
        if point.condensed(x) < 1e-6:
            return None
        r = point.scalar("replicon", x)
        if previous is None:
            previous, value = (value, r), value * (1.0 + 1e-6)
            continue
        apart = math.log(value / previous[0])
        if abs(apart) > 1e-8:  # closer together, their difference is rounding
            slope = (r - previous[1]) / apart
        if abs(slope) < _FLAT:  # the state does not feel the parameter
            return None
        step, rounding = -r / slope, 64.0 * np.finfo(float).eps / abs(slope)
        if abs(step) <= max(1e-13, rounding):
            error = float(abs(step) + rounding + 1e-14) * value
            return Crossing(value, error, point, x, "above" if slope > 0 else "below")
        previous, value = (value, r), value * math.exp(min(max(step, -_STRIDE), _STRIDE))
        if not declared(point.model, vary).allows(value):
            return None
    return None


FINDERS = {
    "spinodal": spinodals,
    "thermodynamic": _thermodynamic,
    "at": _replicon_zero,
    "continuous": _replicon_zero,
}
