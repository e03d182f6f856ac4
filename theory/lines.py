"""Whole phase boundaries along a second parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from theory import continuation, phase
from theory.crossings import FINDERS, Crossing, equal_free_energies, explicit_start, spinodals, zero_replicon
from theory.errors import InvalidInput
from theory.folds import Folds, fold_problem, null_vectors, solve_folds
from theory.model import LINES, checked, normalise
from theory.parameters import Parameter, fixed
from theory.points import Point, at_point
from theory.problem import Status, scale_of

__all__ = ["ENGINES", "Boundary", "phase_line"]

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

ENGINES = ("numpy", "compiled")


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
    engine: str = "numpy",
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
    engine : {'numpy', 'compiled'}
        'compiled' walks along a spinodal in machine code (Ising models at T = 0; seconds of compilation the first
        time, then thousands of folds a second); the values are the same to rounding.
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
    given = np.array(values, float)
    if given.ndim != 1 or not given.size:
        raise InvalidInput(f"values of {along} have shape {given.shape}; give a non-empty list of numbers.")
    if engine not in ENGINES:
        raise InvalidInput(f"engine '{engine}' is unknown; choose one of {', '.join(ENGINES)}.")
    parameter = _declared(model, along)
    for v in given:
        parameter.check(float(v))
    state, L = checked(replace(model, **{along: float(given[0])}), state, vary=vary, L=L)
    line = normalise(line, LINES, "line")
    if along == vary:
        raise InvalidInput(f"'{along}' is both the unknown and the given parameter; choose two different ones.")
    if line == "spinodal" and engine == "compiled":
        solved = _walked(model, state, L, vary, along, given)
    elif line == "spinodal" and given.size > 3:
        solved = _fold_line(model, state, L, vary, along, given)
    else:
        solved = _Solved.empty(given.size)
    return _boundary(model, state, L, line, vary, along, given, solved, progress)


def _declared(model: Any, name: str) -> Parameter:
    for p in model.parameters:
        if p.name == name:
            return cast(Parameter, p)
    raise InvalidInput(
        f"'{name}' is not a parameter of {model.name}; choose from {', '.join(model_parameters(model))}."
    )


def model_parameters(model: Any) -> list[str]:
    """Names of the parameters a model declares."""
    return [p.name for p in model.parameters]


@dataclass
class _Solved:
    """Folds found together, by position in the list of values; `done` marks the trustworthy ones."""

    done: NDArray[np.bool_]
    value: Array
    error: Array
    curvature: Array
    x: Array | None = None
    point: Point | None = None

    @classmethod
    def empty(cls, size: int) -> _Solved:
        nan = np.full(size, np.nan)
        return cls(np.zeros(size, bool), nan.copy(), nan.copy(), nan.copy())

    def put(self, rows: NDArray[np.int64], x: Array, value: Array, error: Array, curvature: Array) -> None:
        if self.x is None:
            self.x = np.full((len(self.done), x.shape[1]), np.nan)
        self.x[rows], self.value[rows], self.error[rows], self.curvature[rows] = x, value, error, curvature
        self.done[rows] = True

    def reported(self, vary: str, along: str, given: Array) -> dict[str, Array]:
        """Order parameters of all solved points at once."""
        if self.point is None or self.x is None or not self.done.any():
            return {}
        p = np.repeat(self.point.parameters[None], len(given), axis=0)
        p[:, self.point.column(along)], p[:, self.point.column(vary)] = given, self.value
        rows = np.flatnonzero(self.done)
        values = iter(self.point.equations.values("reported", self.x[rows], p[rows]).T)
        out = {}
        for k, e in self.point.equations.free_energy.reported.items():
            out[k] = np.full(len(given), np.nan)
            if e is not None:
                out[k][rows] = next(values)
        return out


def _boundary(
    model: Any,
    state: str,
    L: int,
    line: str,
    vary: str,
    along: str,
    given: Array,
    solved: _Solved,
    progress: Progress | None,
) -> Boundary:
    """Complete what was solved together by points solved alone or from their neighbours."""
    value, error = solved.value, solved.error
    side: list[str | None] = [("above" if c > 0 else "below") if np.isfinite(c) else None for c in solved.curvature]
    statuses = [Status.CONVERGED if d else Status.NO_SOLUTION for d in solved.done]
    columns = solved.reported(vary, along, given)
    missing = np.flatnonzero(~solved.done)
    alone = _one_by_one([replace(model, **{along: float(given[i])}) for i in missing], state, L, line, vary, progress)
    for i, found in zip(missing, alone, strict=True):
        statuses[i], side[i] = found.status, found.state_exists
        if found.value is not None and found.error is not None:
            value[i], error[i] = found.value, found.error
        for k, v in found.order_parameters.items():
            columns.setdefault(k, np.full(given.size, np.nan))[i] = np.nan if v is None else v
    if progress is not None:
        progress(given.size, given.size)
    return Boundary(
        model=model.name,
        state=state,
        L=L if state == "mixture" else None,
        line=line,
        vary=vary,
        along=along,
        parameters=fixed(model, leaving=(vary, along)),
        along_values=given,
        values=value,
        errors=error,
        statuses=statuses,
        order_parameters=columns,
        state_exists=side,
    )


def _fold_line(model: Any, state: str, L: int, vary: str, along: str, given: Array) -> _Solved:
    """Follow the fold over the range of `along`, interpolate to the values, and polish all of them at once."""
    solved = _Solved.empty(given.size)
    positive = np.flatnonzero(given > 0.0)  # T = 0 has equations of its own
    if positive.size < 2:
        return solved
    order = positive[np.argsort(given[positive])]
    for seed in (order[len(order) // 2], order[-1], order[0]):
        crossings, _ = spinodals(replace(model, **{along: float(given[seed])}), state, L, vary)
        if crossings:
            break
    for crossing in crossings:
        starts = _follow(crossing, vary, along, given[order])
        if not starts:
            continue
        rows = order[np.concatenate([np.full(len(s), i) for i, s in starts.items()])]
        folds = _polish(crossing.point, np.concatenate(list(starts.values())), given[rows], vary, along)
        solved.point = crossing.point
        good = np.array([s is Status.CONVERGED for s in folds.status])
        for k in np.flatnonzero(good):  # of several passages the outermost counts
            i = rows[k]
            if not solved.done[i] or folds.parameter[k] > solved.value[i]:
                one = slice(k, k + 1)
                solved.put(rows[one], folds.x[one], folds.parameter[one], folds.error[one], folds.curvature[one])
    return solved


def _walked(model: Any, state: str, L: int, vary: str, along: str, given: Array) -> _Solved:
    """The same by the compiled engine, from the model's own start or a fold found robustly."""
    from theory import compiled

    if not (given > 0.0).all():
        raise InvalidInput(f"{along} = 0 cannot be walked through by the compiled engine; use engine='numpy'.")
    solved = _Solved.empty(given.size)
    first = replace(model, **{along: float(given[0])})
    near = explicit_start(first, state, L, vary)
    if near is not None:
        point, x = near
        p = point.parameters
        jacobian = point.equations.problem().linearise(x[None], p[None]).jacobian
        null = null_vectors(jacobian, scale_of(x[None]))[0] * scale_of(x)
    else:
        crossings, _ = spinodals(first, state, L, vary)
        if not crossings:
            return solved
        outermost = max(crossings, key=lambda c: c.value)
        point, x, p = outermost.point, outermost.x, outermost.point.parameters
        assert outermost.null is not None
        null = outermost.null
    column, other = point.column(vary), point.column(along)
    count, xs, value, error, curvature = compiled.fold_line(
        point.equations, x, null, p, column=column, along=other, values=given
    )
    if count and abs(value[0] / p[column] - 1.0) > 0.1:  # not the fold that the start was close to
        return solved
    rows = np.arange(count)
    if count:
        pp = np.repeat(p[None], count, axis=0)
        pp[:, column], pp[:, other] = value[:count], given[:count]
        rows = rows[point.equations.problem().inside(xs[:count], pp)]
    solved.point = point
    solved.put(rows, xs[rows], value[rows], error[rows], curvature[rows])
    return solved


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


def _one_by_one(
    models: list[Any], state: str, L: int, line: str, vary: str, progress: Progress | None
) -> list[phase.Threshold]:
    """Each point from its neighbour; a point that fails restarts from scratch and becomes the next neighbour."""
    found: list[phase.Threshold] = []
    last: Crossing | None = None
    for i, m in enumerate(models):
        if vary == "temperature":
            m = replace(m, temperature=1.0)
        crossing = None if last is None or line == "spinodal" else _from_neighbour(m, last, line, vary)
        why = ""
        if crossing is None:
            fresh, why = FINDERS[line](m, state, L, vary)
            crossing = max(fresh, key=lambda c: c.value) if fresh else None
        found.append(phase.threshold_of(m, state, L, line, vary, [] if crossing is None else [crossing], why))
        last = crossing
        if progress is not None:
            progress(i + 1, len(models))
    return found


def _from_neighbour(m: Any, last: Crossing, line: str, vary: str) -> Crossing | None:
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
