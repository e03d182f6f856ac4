"""Whole curves: a phase boundary along a second parameter, and a state's branch through its spinodals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory import continuation, phase
from theory.crossings import FINDERS, Crossing, equal_free_energies, spinodals, zero_replicon
from theory.errors import InvalidInput, NotConverged
from theory.folds import Folds, fold_problem, solve_folds
from theory.model import LINES, checked, normalise
from theory.points import Point, anchor, at_point, reported, span_of
from theory.problem import Status, scale_of

__all__ = ["Boundary", "StateBranch", "branch", "phase_line"]

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Boundary:
    """A phase boundary as arrays over the values of a second parameter.

    Attributes
    ----------
    model, state, line, vary, along : str
        `vary` is the solved parameter, `along` the given one.
    L : int or None
    parameters : dict of str to float
        The fixed ones.
    along_values, values, errors : (s,) array
        NaN where the status is not CONVERGED.
    statuses : list of Status
    order_parameters : dict of str to (s,) array
        On the boundary.
    state_exists : list of {'above', 'below', None}
    """

    model: str
    state: str
    L: int | None
    line: str
    vary: str
    along: str
    parameters: dict[str, float]
    along_values: Array
    values: Array
    errors: Array
    statuses: list[Status]
    order_parameters: dict[str, Array]
    state_exists: list[str | None]

    def to_json(self) -> dict[str, Any]:
        """The boundary as plain types; unknown numbers are None."""
        out = dict(self.__dict__)
        for key in ("along_values", "values", "errors"):
            out[key] = _plain(out[key])
        out["order_parameters"] = {k: _plain(v) for k, v in self.order_parameters.items()}
        out["status"] = [s.value for s in out.pop("statuses")]
        return out


def _plain(values: Array) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def phase_line(
    model: Any,
    state: str = "example",
    *,
    line: str = "spinodal",
    vary: str = "alpha",
    along: str,
    values: Sequence[float],
    L: int | None = None,
    progress: Progress | None = None,
) -> Boundary:
    """Solve a phase boundary at many values of a second parameter.

    A spinodal is followed as a curve of folds and then solved for at all values at once; the other lines are
    solved value by value, each from its neighbour.  Points the curve does not reach are looked for on their own.

    Parameters
    ----------
    model : Model
        Other parameters given.
    state, line, vary, L
        As for `threshold`.
    along : str
        The second parameter.
    values : sequence of float
        Its values.
    progress : callable or None
        Called as ``progress(done, total)``.

    Returns
    -------
    Boundary
        In the order of `values`; points without a solution carry their status.

    Raises
    ------
    InvalidInput
        For unknown names, `along` equal to `vary`, or a value out of range.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> line = phase_line(Hopfield(), "example", along="temperature", values=[0.1, 0.3])
    >>> [round(float(v), 9) for v in line.values]
    [0.13504919, 0.103329783]
    """
    state, L = checked(replace(model, **{along: values[0]}) if _known(model, along) else model, state, vary=vary, L=L)
    line = normalise(line, LINES, "line")
    if along == vary:
        raise InvalidInput(f"'{along}' is both the unknown and the given parameter; choose two different ones.")
    given = np.array(values, float)
    if given.ndim != 1 or not given.size:
        raise InvalidInput(f"values of {along} have shape {given.shape}; give a non-empty list of numbers.")
    models = [replace(model, **{along: float(v)}) for v in given]
    found: list[Crossing | None] = [None] * len(models)
    if line == "spinodal" and given.size > 3:
        found = _fold_line(models, state, L, vary, along)
    elif line != "spinodal":
        found = _line_by_line(models, state, L, line, vary, progress)
    results = []
    for i, (m, crossing) in enumerate(zip(models, found, strict=True)):
        if crossing is not None:
            results.append(phase.threshold_of(m, state, L, line, vary, [crossing], ""))
        else:
            size = L if state == "mixture" else None
            results.append(phase.threshold(m, state, line=line, vary=vary, L=size, throw=False))
        if progress is not None:
            progress(i + 1, len(models))
    return _boundary(results, along, given)


def _known(model: Any, name: str) -> bool:
    names = [p.name for p in model.parameters]
    if name not in names:
        raise InvalidInput(f"'{name}' is not a parameter of {model.name}; choose from {', '.join(names)}.")
    return True


def _boundary(results: list[phase.Threshold], along: str, given: Array) -> Boundary:
    first = results[0]
    keys = max((r.order_parameters for r in results), key=len)
    nan = float("nan")
    return Boundary(
        model=first.model,
        state=first.state,
        L=first.L,
        line=first.line,
        vary=first.vary,
        along=along,
        parameters={k: v for k, v in first.parameters.items() if k != along},
        along_values=given,
        values=np.array([nan if r.value is None else r.value for r in results]),
        errors=np.array([nan if r.error is None else r.error for r in results]),
        statuses=[r.status for r in results],
        order_parameters={
            k: np.array([nan if r.order_parameters.get(k) is None else r.order_parameters[k] for r in results], float)
            for k in keys
        },
        state_exists=[r.state_exists for r in results],
    )


def _fold_line(models: list[Any], state: str, L: int, vary: str, along: str) -> list[Crossing | None]:
    """Follow the fold over the range of `along`, interpolate to the values, and polish all of them at once."""
    values = np.array([getattr(m, along) for m in models])
    found: list[Crossing | None] = [None] * len(models)
    positive = np.flatnonzero(values > 0.0)  # T = 0 has equations of its own
    if positive.size < 2:
        return found
    order = positive[np.argsort(values[positive])]
    for seed in (order[len(order) // 2], order[-1], order[0]):
        crossings, _ = spinodals(models[seed], state, L, vary)
        if crossings:
            break
    else:
        return found
    for crossing in crossings:
        starts = _follow(crossing, vary, along, values[order])
        if not starts:
            continue
        rows = np.concatenate([np.full(len(s), i) for i, s in starts.items()])
        z = np.concatenate(list(starts.values()))
        folds = _polish(crossing.point, z, values[order][rows], vary, along)
        for k, i in enumerate(order[rows]):
            if folds.status[k] is not Status.CONVERGED:
                continue
            best = found[i]
            if best is None or folds.parameter[k] > best.value:
                point = at_point(replace(models[i], **{vary: float(folds.parameter[k])}), state, L)
                side = "above" if folds.curvature[k] > 0 else "below"
                found[i] = Crossing(float(folds.parameter[k]), float(folds.error[k]), point, folds.x[k], side)
    return found


def _follow(crossing: Crossing, vary: str, along: str, values: Array) -> dict[int, Array]:
    """Starting points (x, v, lambda) at each value, one for every passage of the curve of folds."""
    point, column = crossing.point, crossing.point.column(vary)
    assert crossing.null is not None
    scale = scale_of(crossing.x)
    problem = fold_problem(point.equations.problem(), column, scale)
    null = crossing.null / scale
    z0 = np.concatenate([crossing.x, null / np.linalg.norm(null), [crossing.value]])
    out: dict[int, list[Array]] = {}
    for towards in (1, -1):
        curve = continuation.trace(
            problem,
            z0,
            point.parameters,
            point.column(along),
            towards=towards,
            span=(values[0] * (1 - 1e-12), values[-1] * (1 + 1e-12)),
            max_steps=300,
            largest_step=0.5,
        )
        mu, z = np.log(curve.parameter), curve.x
        # x and lambda vary by decades along the curve, so they are interpolated by their logarithms where they can be.
        same = (z[1:] > 0) & (z[:-1] > 0)
        for i, target in enumerate(np.log(values)):
            hits = np.flatnonzero((mu[:-1] - target) * (mu[1:] - target) <= 0.0)
            for h in hits:
                w = (target - mu[h]) / (mu[h + 1] - mu[h]) if mu[h + 1] != mu[h] else 0.0
                linear = z[h] + w * (z[h + 1] - z[h])
                ratio = np.where(same[h], z[h + 1] / np.where(same[h], z[h], 1.0), 1.0)
                out.setdefault(i, []).append(np.where(same[h], z[h] * ratio**w, linear))
    return {i: np.array(rows) for i, rows in out.items()}


def _polish(point: Point, z: Array, values: Array, vary: str, along: str) -> Folds:
    n = len(point.equations.variables)
    p = np.repeat(point.parameters[None], len(z), axis=0)
    p[:, point.column(along)], p[:, point.column(vary)] = values, z[:, 2 * n]
    return solve_folds(point.equations.problem(), z[:, :n], p, point.column(vary))


def _line_by_line(
    models: list[Any], state: str, L: int, line: str, vary: str, progress: Progress | None
) -> list[Crossing | None]:
    """Each point from its neighbour; a point that fails restarts from scratch and becomes the next neighbour."""
    found: list[Crossing | None] = []
    history: list[Crossing] = []
    for i, m in enumerate(models):
        crossing = _from_neighbours(m, history, line, vary) if history else None
        if crossing is None:
            fresh, _ = FINDERS[line](m if vary != "temperature" else replace(m, temperature=1.0), state, L, vary)
            crossing = max(fresh, key=lambda c: c.value) if fresh else None
        found.append(crossing)
        history = [*history[-1:], crossing] if crossing is not None else []
        if progress is not None:
            progress(i + 1, len(models))
    return found


def _from_neighbours(m: Any, history: list[Crossing], line: str, vary: str) -> Crossing | None:
    last = history[-1]
    cold = m.temperature == 0.0 and vary != "temperature"
    if cold != (last.point.model.temperature == 0.0):
        return None
    value, x = last.value, last.x
    point = at_point(replace(m, **{vary: value}), last.point.state, last.point.L)
    polish = equal_free_energies if line == "thermodynamic" else zero_replicon
    crossing = polish(point, vary, value, x)
    if crossing is None or not crossing.point.stable(crossing.x) or not 0.3 < crossing.value / value < 3.0:
        return None
    return replace(crossing, side=last.side)


@dataclass(frozen=True)
class StateBranch:
    """A state followed through its spinodals.

    Attributes
    ----------
    vary : str
    parameter : (s,) array
    order_parameters : dict of str to (s,) array
    stable : (s,) bool array
        Whether the point is a minimum in the condensed overlaps.
    replicon : (s,) array or None
    folds : list of float
        Spinodals on the branch, solved for.
    stopped : tuple of StopReason
        Why either end was reached.
    """

    vary: str
    parameter: Array
    order_parameters: dict[str, Array]
    stable: NDArray[np.bool_]
    replicon: Array | None
    folds: list[float]
    stopped: tuple[continuation.StopReason, continuation.StopReason]


def branch(
    model: Any, state: str = "example", *, vary: str, span: tuple[float, float], L: int | None = None
) -> StateBranch:
    """Follow a state in one parameter over a range, through its folds.

    Parameters
    ----------
    model : Model
    state, vary, L
        As for `threshold`.
    span : (float, float)
        Range of the parameter, both positive.

    Returns
    -------
    StateBranch
        Ordered along the branch.

    Raises
    ------
    InvalidInput
        For a bad span or unknown names.
    NotConverged
        If the state is not found at any value.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> found = branch(Hopfield(), "example", vary="alpha", span=(0.01, 0.2))
    >>> [round(f, 9) for f in found.folds]
    [0.137905566]
    """
    state, L = checked(model, state, vary=vary, L=L)
    if not 0.0 < span[0] < span[1] < np.inf:
        raise InvalidInput(f"span = {span} is not allowed; give 0 < low < high.")
    if vary == "temperature":
        model = replace(model, temperature=1.0)
    found = anchor(model, state, L, vary)
    if found is None:
        raise NotConverged(f"NO_SOLUTION: the state '{state}' of {model.name} was not found at any {vary}.", None)
    origin, x = found
    limits = span_of(model, vary)
    reach = (max(min(span[0], origin.parameters[origin.column(vary)]), limits[0]),
             min(max(span[1], origin.parameters[origin.column(vary)]), limits[1]))  # fmt: skip
    parts = [
        continuation.trace(
            origin.equations.problem(), x, origin.parameters, origin.column(vary), towards=towards, span=reach,
            stop=lambda y, _: origin.condensed(y) < 1e-6, largest_step=0.2,
        )
        for towards in (-1, 1)
    ]  # fmt: skip
    parameter = np.concatenate([parts[0].parameter[:0:-1], parts[1].parameter])
    points = np.concatenate([parts[0].x[:0:-1], parts[1].x])
    keep = (parameter >= span[0] * (1 - 1e-9)) & (parameter <= span[1] * (1 + 1e-9))
    parameter, points = parameter[keep], points[keep]
    there = [origin.at(vary, float(v)) for v in parameter]
    rows = [reported(p, y) for p, y in zip(there, points, strict=True)]
    names = [k for k, e in origin.equations.free_energy.reported.items() if e is not None]
    replicon = None
    if origin.equations.free_energy.replicon is not None:
        replicon = np.array([p.scalar("replicon", y) for p, y in zip(there, points, strict=True)])
    return StateBranch(
        vary=vary,
        parameter=parameter,
        order_parameters={k: np.array([r[k] for r in rows], float) for k in names},
        stable=np.array([p.stable(y) for p, y in zip(there, points, strict=True)], bool),
        replicon=replicon,
        folds=[f.parameter for part in parts for f in part.folds if span[0] <= f.parameter <= span[1]],
        stopped=(parts[0].stopped, parts[1].stopped),
    )
