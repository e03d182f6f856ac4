"""A state of a model at a parameter point, compiled: what the solvers need, without the model.

A saddle point is not yet a phase.  `Point` tells a stable root from one on another sheet, and `anchor` finds where a
state is undisturbed, from which it is followed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import sympy
from numpy.typing import NDArray

from theory import saddle
from theory.equations import Equations
from theory.errors import InvalidInput
from theory.model import Parameter, checked
from theory.problem import Status

__all__ = [
    "Point",
    "anchor",
    "at_point",
    "converge",
    "declared",
    "entropy_of",
    "equations",
    "equations_of",
    "frozen",
    "reported",
    "rs_stable",
    "settle",
    "settled",
    "span_of",
]

Array = NDArray[np.float64]

_LOADS = (1e-9, 1e9)
_TEMPERATURES = (1e-4, 1e4)  # in the model's unit
_SAME = 0.015  # of a condensed overlap that noise has hardly touched
_CANDIDATES = {
    "low": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8),
    "high": (1e1, 1e2, 1e3, 1e4, 1e6, 1e8),
    "cold": (3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    "hot": (3.0, 10.0, 30.0, 100.0, 1e3),
}


@dataclass(frozen=True)
class Point:
    """A state of a model at a parameter point, compiled: what the solvers need, without the model."""

    model: Any
    state: str
    L: int
    equations: Equations

    @functools.cached_property
    def parameters(self) -> Array:
        """(k,) vector: model parameters, then constants."""
        values = [getattr(self.model, n) for n in self.equations.parameter_names]
        constants = [float(sympy.N(v)) for v in self.model.constants().values()]
        return np.array([np.nan if v is None else v for v in (*values, *constants)], float)

    def column(self, vary: str) -> int:
        """Position of a parameter in the vector."""
        return self.equations.parameter_names.index(vary)

    def at(self, vary: str, value: float) -> Point:
        """The same state with one parameter changed (between T > 0 points, or at T = 0)."""
        return at_point(replace(self.model, **{vary: value}), self.state, self.L)

    def start(self) -> Array:
        """The model's starting point as (n,) vector."""
        values = self.model.start(self.state, self.L)
        return np.array([values[n] for n in self.equations.names], float)

    def condensed(self, x: Array) -> float:
        """Size of the first condensed overlap; 1 for a state without one."""
        overlaps = self.equations.free_energy.condensed
        return abs(float(x[self.equations.variables.index(overlaps[0])])) if overlaps else 1.0

    def scalar(self, name: str, x: Array, p: Array | None = None) -> float:
        """A scalar of the state at x: 'free_energy', 'entropy', 'replicon' or 'transverse'."""
        p = self.parameters if p is None else p
        return float(self.equations.values(name, x[None], p[None])[0, 0])

    def undisturbed(self, x: Array) -> bool:
        """Whether noise has hardly touched the state, so that it is a good place to follow it from."""
        return self.condensed(x) >= (1.0 - _SAME) * self.condensed(self.start())

    def slope(self, x: Array, vary: str) -> float:
        """Derivative of the free energy in a parameter along the branch (explicit, by stationarity)."""
        return float(self.equations.values("slopes", x[None], self.parameters[None])[0, self.column(vary)])

    def stable(self, x: Array) -> bool:
        """Whether x is on the branch that is a minimum in the condensed overlaps.

        After n -> 0 the plain Hessian has no definite sign.  With the other variables eliminated, its Schur
        complement on the overlaps is positive on the stable branch and changes sign at the fold; it also jumps
        where the eliminated block is singular, so the sign of that block (one negative direction per conjugate
        pair, and per overlap of replicas that is its own conjugate) is checked as well.
        """
        declared = self.equations.free_energy
        n = len(self.equations.variables)
        overlaps = [self.equations.variables.index(s) for s in declared.condensed]
        # Where the overlap is saturated the Hessian vanishes to rounding, and no fold is near.
        if not overlaps or self.condensed(x) >= (1.0 - 1e-8) * self.condensed(self.start()):
            return True
        h = self.equations.values("hessian", x[None], self.parameters[None]).reshape(n, n)
        if not np.isfinite(h).all():
            return False
        rest = [i for i in range(n) if i not in overlaps]
        a, b, c = h[np.ix_(overlaps, overlaps)], h[np.ix_(overlaps, rest)], h[np.ix_(rest, rest)]
        negative = sum(x is not y or x not in declared.condensed for x, y in declared.pairs)
        schur = a - b @ np.linalg.solve(c, b.T)
        return bool(np.linalg.eigvalsh(0.5 * (schur + schur.T))[0] > 0.0) and bool(
            np.linalg.slogdet(c)[0] == (-1) ** negative
        )


@functools.lru_cache(maxsize=128)
def _compiled(structure: Hashable, cls: Hashable, state: str, L: int, cold: bool, model: _Ref) -> Equations:
    names = [p.name for p in model.value.parameters]
    declared = model.value.ground_state_energy(state, L) if cold else model.value.free_energy(state, L)
    return Equations(declared, names, list(model.value.constants()))


class _Ref:
    """Carries a model into the cache without being part of the key."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ref)

    def __hash__(self) -> int:
        return 0


def equations_of(model: Any, state: str, L: int) -> Equations:
    """Compiled equations of a state, shared by all models of the same structure."""
    if model.temperature == 0.0 and state == "paramagnet":
        raise InvalidInput("temperature = 0 has no paramagnet (every spin follows its field); give temperature > 0.")
    return _compiled(model.structure(), cast(Hashable, type(model)), state, L, model.temperature == 0.0, _Ref(model))


def equations(model: Any, state: str = "example", *, L: int | None = None) -> Equations:
    """Everything derived from the free energy of a state, at T = 0 or T > 0 as the model's temperature says.

    Parameters
    ----------
    model : Model
        Its loads may be open.
    state : str
    L : int or None
        Size of a mixture.

    Returns
    -------
    Equations
        With `residual` and `hessian` as SymPy expressions, and `latex()`.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> equations(Hopfield(), "example").residual[0]
    m - IsingZero(1, m, alpha*q_hat)
    """
    loads = {p.name: 1.0 for p in model.parameters if getattr(model, p.name, 0.0) is None}
    state, L = checked(replace(model, **loads), state, L=L)
    return equations_of(model, state, L)


def at_point(model: Any, state: str, L: int) -> Point:
    """Compile a state of a model at a point."""
    return Point(model, state, L, equations_of(model, state, L))


def converge(point: Point, start: Array) -> Array | None:
    """A damped iteration to get near, then Newton; None unless the state asked for comes out."""
    problem = point.equations.problem()
    if not len(start):
        return start
    near = start
    for patience in (80, 320):
        damped = saddle.FixedPoint(tolerance=1e-3, max_iterations=patience)
        near = damped.iterate(problem, near[None], point.parameters[None])[0][0]
        if point.condensed(near) < 0.02 * point.condensed(start):  # on its way to zero
            return None
    for first in (near, start):
        x, status, _ = saddle.Newton().iterate(problem, first[None], point.parameters[None])
        if status[0] is Status.CONVERGED and point.condensed(x[0]) > 1e-4 and point.stable(x[0]):
            return np.asarray(x[0])
    return None


def settle(point: Point, start: Array) -> saddle.Roots:
    """An uncondensed state: Newton from the start, and where that fails from where a damped iteration leads."""
    problem = point.equations.problem()
    roots = saddle.solve(problem, start, point.parameters, throw=False)
    if settled(point, roots):
        return roots
    near = saddle.FixedPoint(tolerance=1e-3, max_iterations=2000).iterate(problem, start[None], point.parameters[None])
    second = saddle.solve(problem, near[0], point.parameters, throw=False)
    return second if settled(point, second) else roots


def settled(point: Point, roots: saddle.Roots) -> bool:
    """Whether a root was found that is the uncondensed state asked for; a spin glass is frozen."""
    return bool(roots.converged[0]) and (point.state != "spin_glass" or frozen(point, roots.x[0]))


def span_of(model: Any, vary: str) -> tuple[float, float]:
    """The range over which a parameter is followed: positive values that its declaration allows."""
    unit = model.temperature_unit() if vary == "temperature" else 1.0
    low, high = _TEMPERATURES if vary == "temperature" else _LOADS
    return max(low * unit, declared(model, vary).low), min(high * unit, declared(model, vary).high)


def declared(model: Any, name: str) -> Parameter:
    """The declaration of one of the model's parameters."""
    found: Parameter = next(p for p in model.parameters if p.name == name)
    return found


def _candidates(model: Any, vary: str, end: str) -> list[float]:
    """Values at which to look for an undisturbed state: at the end of a bounded range and near it, else by decades."""
    kind = {"low": "cold", "high": "hot"}[end] if vary == "temperature" else end
    unit = model.temperature_unit() if vary == "temperature" else 1.0
    parameter = declared(model, vary)
    bound, inwards = (parameter.low, 1.0) if end == "low" else (parameter.high, -1.0)
    low, high = _TEMPERATURES if vary == "temperature" else _LOADS
    reached = low * unit < bound < high * unit  # a bound beyond the range that is followed is none
    near = [bound * (1.0 + inwards * d) for d in (0.0, 1e-3, 1e-2, 1e-1)] if reached else []
    return [v for v in (*near, *(unit * v for v in _CANDIDATES[kind])) if parameter.allows(v)]


def anchor(model: Any, state: str, L: int, vary: str, *, near: float | None = None) -> tuple[Point, Array] | None:
    """Find a point, by moving one parameter towards the end where the state survives, at which it is undisturbed.

    Where something else disturbs it (a temperature, the other load), the nearest point from which on it stays the same.

    Parameters
    ----------
    model : Model
    state : str
    L : int
    vary : str
    near : float or None
        Where the state is wanted: looked at first, and values towards the other end last.

    Returns
    -------
    (Point, (n,) array) or None
        The compiled point and its solution; None if the state is nowhere to be found along this parameter.
    """
    spare: tuple[Point, Array] | None = None
    end = model.exists_towards(state).get(vary, "low")
    values, harder = _candidates(model, vary, end), list[float]()
    if near is not None:
        harder = [v for v in values if v != near and (v > near) is (end == "low")]
        values = [near, *(v for v in values if v != near and v not in harder)]
    for value in (*values, *harder):
        if value in harder and spare is not None:
            break
        point = at_point(replace(model, **{vary: value}), state, L)
        x = converge(point, point.start())
        if x is None:
            continue
        if spare is not None and abs(point.condensed(x) / point.condensed(spare[1]) - 1.0) < _SAME:
            break
        spare = (point, x)
        if point.undisturbed(x):
            break
    return spare


def frozen(point: Point, x: Array) -> bool:
    """Whether spins are frozen in random directions, which tells a spin glass from a paramagnet (q = 0)."""
    return float(reported(point, x).get("q") or 0.0) > 1e-9


def rs_stable(point: Point, x: Array) -> bool | None:
    """Whether replica symmetry is stable; where no replicon is declared None, but at T = 0 unstable (it diverges)."""
    if point.equations.free_energy.replicon is not None:
        return point.scalar("replicon", x) > 0.0
    return False if point.model.temperature == 0.0 else None


def reported(point: Point, x: Array) -> dict[str, float | None]:
    """Order parameters in the field's notation."""
    declared = point.equations.free_energy.reported
    values = iter(point.equations.values("reported", x[None], point.parameters[None])[0])
    return {k: None if e is None else float(next(values)) for k, e in declared.items()}


def entropy_of(point: Point, x: Array) -> float | None:
    """``-df/dT`` at fixed order parameters; at T = 0 the limit, None where that diverges (continuous spins)."""
    if point.model.temperature > 0.0:
        return point.scalar("entropy", x)
    warm = equations_of(replace(point.model, temperature=1.0), point.state, point.L)
    entropy = float(warm.cold_entropy(x[None], point.parameters[None])[0])
    return entropy if math.isfinite(entropy) else None
