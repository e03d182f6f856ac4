r"""Square systems in exact arithmetic: a state, its fold, and the parameter at which a scalar of it vanishes.

==================  ============================  ================================================
class               unknowns                      equations
==================  ============================  ================================================
`System`            x                             ``F(x) = 0``
`Fold`              x, null vector v, parameter   ``F = 0``, ``F_x v = 0``, ``l.v = 1`` (Moore-Spence)
`Condition`         x, parameter                  ``F = 0``, replicon = 0 (AT, continuous)
`Condition`         x, y, parameter               ``F = 0``, ``G = 0``, ``f(x) = g(y)`` (thermodynamic)
==================  ============================  ================================================

All are regular at a simple root.  In the last one f and g are stationary in x and y there, so the free energies
depend on the parameter only.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.equations import Equations
from theory.exact import Arithmetic, Multiprecision, Number, Program, Refused, rational
from theory.folds import null_vectors
from theory.points import Point
from theory.problem import scale_of

if TYPE_CHECKING:
    from theory.crossings import Crossing

__all__ = ["Condition", "Fold", "System", "dot", "system_of"]

Array = NDArray[np.float64]

_INVERSE_BITS = 64  # enough for the double-precision inverse of a Jacobian


@functools.lru_cache(maxsize=64)
def _program(equations: Equations, *names: str) -> Program:
    """The named lists of expressions; 'second' depends on the direction v too."""
    arguments = [*equations.variables, *equations.parameters]
    if "second" in names:
        arguments += equations.directions
    return Program([e for name in names for e in _expressions(equations, name)], arguments)


def _expressions(equations: Equations, name: str) -> list[sympy.Expr]:
    """A list of the equations, a scalar, or the slopes of a scalar in the variables and the varied parameters."""
    scalar = {"free_energy": equations.free_energy.expression, "replicon": equations.free_energy.replicon}
    if name in scalar:
        return [scalar[name]]
    if name.startswith("slopes of "):
        e = scalar[name.removeprefix("slopes of ")]
        return [sympy.diff(e, s) for s in (*equations.variables, *equations.varied)]
    found: list[sympy.Expr] = getattr(equations, name)
    return found


def _split(point: Point, vary: str | None, out: list[Number]) -> tuple[list[list[Number]], list[Number]]:
    """Derivatives in the layout of `Equations.tangent`: rows of those in the variables, and those in `vary`."""
    n, k, column = len(point.equations.names), len(point.equations.varied), point.column(str(vary))
    return [out[n * i : n * (i + 1)] for i in range(n)], [out[n * n + k * i + column] for i in range(n)]


def dot(left: Sequence[Number], right: Sequence[Number], a: Arithmetic) -> Number:
    """Scalar product."""
    return sum((x * y for x, y in zip(left, right, strict=True)), a.exactly(0))


@dataclass(frozen=True)
class System:
    """The equations of a state, to be solved in exact arithmetic.

    Attributes
    ----------
    point : Point
        The state at its parameters.
    start : (n,) array
        The unknowns in double precision.
    vary : str or None
        The parameter that is the last unknown, where one is.
    """

    point: Point
    start: Array
    vary: str | None = None

    @property
    def kind(self) -> str:
        """Which system of the equations it is, for certificates."""
        return ""

    @property
    def size(self) -> int:
        """Number of variables of the state."""
        return len(self.point.equations.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the unknowns."""
        return self.point.equations.names

    @property
    def units(self) -> Array:
        """Magnitude of every unknown."""
        return scale_of(self.start)

    @property
    def states(self) -> list[tuple[Point, slice]]:
        """The states among the unknowns, and where."""
        return [(self.point, slice(0, self.size))]

    @property
    def inexact(self) -> list[str]:
        """Constants of the model that are known in double precision only."""
        return [n for n, v in self.point.model.constants().items() if sympy.sympify(v).has(sympy.Float)]

    def parameters(self, a: Arithmetic, z: Sequence[Number]) -> list[Number]:
        """All parameters and constants; decimals are taken exactly."""
        equations, model = self.point.equations, self.point.model
        given: list[sympy.Expr] = [
            sympy.S.Zero if n == self.vary else rational(getattr(model, n)) for n in equations.parameter_names
        ]
        inexact = self.inexact
        given += [rational(v) if n in inexact else sympy.sympify(v) for n, v in model.constants().items()]
        values = Program(given, ())(a, ())
        if self.vary is not None:
            values[self.point.column(self.vary)] = z[-1]
        return values

    def residual(self, a: Arithmetic, z: Sequence[Number]) -> list[Number]:
        """The left-hand sides at z."""
        return _program(self.point.equations, "residual")(a, [*z, *self.parameters(a, z)])

    def jacobian(self, a: Arithmetic, z: Sequence[Number]) -> list[list[Number]]:
        """Their derivatives in the unknowns."""
        n = self.size
        out = _program(self.point.equations, "tangent")(a, [*z, *self.parameters(a, z)])
        return [out[n * i : n * (i + 1)] for i in range(n)]

    def inverse(self) -> Array:
        """Inverse Jacobian at the start, in double precision."""
        a = Multiprecision(_INVERSE_BITS)
        z = [a.exactly(float(s)) for s in self.start]
        scaled = np.array([[float(c) for c in row] for row in self.jacobian(a, z)]).reshape(len(z), len(z)) * self.units
        if not np.isfinite(scaled).all():
            raise Refused("the Jacobian is not finite at the solution in double precision; no digits can be refined.")
        rows = np.abs(scaled).max(axis=1, initial=1e-300)
        return np.asarray(np.linalg.pinv(scaled / rows[:, None]) * self.units[:, None] / rows)


@dataclass(frozen=True)
class Fold(System):
    """The Moore-Spence system of a fold; `start` is (x, v, parameter), (2n + 1,).

    Attributes
    ----------
    pivot : (n,) array
        l in ``l.v = 1``.
    """

    pivot: Array = field(kw_only=True)

    @classmethod
    def near(cls, point: Point, vary: str, value: float, x: Array, null: Array | None) -> Fold:
        """Started at x with the null vector in the units of x (its length is free)."""
        x = np.asarray(x, float)
        scale = scale_of(x)
        if null is None:
            p = point.parameters.copy()
            p[point.column(vary)] = value
            unit = null_vectors(point.equations.problem().linearise(x[None], p[None]).jacobian, scale[None])[0]
        else:
            unit = np.asarray(null, float) / scale
        unit = unit / np.linalg.norm(unit)
        return cls(point, np.concatenate([x, unit * scale, [value]]), vary, pivot=unit / scale)

    @property
    def kind(self) -> str:
        return "fold (Moore-Spence) system of the "

    @property
    def names(self) -> tuple[str, ...]:
        names = self.point.equations.names
        return (*names, *(f"v_{n}" for n in names), str(self.vary))

    @property
    def units(self) -> Array:
        scale = scale_of(self.start[: self.size])
        return np.concatenate([scale, scale, [max(abs(self.start[-1]), 1e-300)]])

    def residual(self, a: Arithmetic, z: Sequence[Number]) -> list[Number]:
        n = self.size
        v = z[n : 2 * n]
        out = _program(self.point.equations, "residual", "tangent")(a, [*z[:n], *self.parameters(a, z)])
        rows = [dot(out[n * (i + 1) : n * (i + 2)], v, a) for i in range(n)]
        return [*out[:n], *rows, dot(self._pivot(a), v, a) - 1]

    def jacobian(self, a: Arithmetic, z: Sequence[Number]) -> list[list[Number]]:
        n, zeros = self.size, [a.exactly(0)] * self.size
        k = len(self.point.equations.varied)
        out = _program(self.point.equations, "tangent", "second")(a, [*z[:n], *self.parameters(a, z), *z[n : 2 * n]])
        j, j_parameter = _split(self.point, self.vary, out[: n * (n + k)])
        s, s_parameter = _split(self.point, self.vary, out[n * (n + k) :])
        top = [[*j[i], *zeros, j_parameter[i]] for i in range(n)]
        middle = [[*s[i], *j[i], s_parameter[i]] for i in range(n)]
        return [*top, *middle, [*zeros, *self._pivot(a), a.exactly(0)]]

    def _pivot(self, a: Arithmetic) -> list[Number]:
        return [a.exactly(float(c)) for c in self.pivot]


@dataclass(frozen=True)
class Condition(System):
    """A state, or two, at the parameter where a scalar vanishes; `start` is (x, y of the other state, parameter).

    Attributes
    ----------
    scalar : {'free_energy', 'replicon'}
        That of the state, less that of the other state where there is one.
    other : Point or None
    """

    scalar: str = "replicon"
    other: Point | None = None

    @classmethod
    def equal_free_energies(cls, point: Point, vary: str, x: Array, other: Point, y: Array) -> Condition:
        """Two states of equal free energy, both given at the parameter's double-precision value."""
        start = np.concatenate([x, y, [point.parameters[point.column(vary)]]])
        return cls(point, start, vary, "free_energy", other)

    @classmethod
    def zero_replicon(cls, point: Point, vary: str, x: Array) -> Condition:
        """A state at the border of its replica-symmetric stability."""
        return cls(point, np.append(x, point.parameters[point.column(vary)]), vary)

    @property
    def kind(self) -> str:
        return "system 'equal free energies' of the " if self.other else "system 'replicon = 0' of the "

    @property
    def names(self) -> tuple[str, ...]:
        others = self.other.equations.names if self.other else ()
        return (*self.point.equations.names, *(f"uncondensed_{n}" for n in others), str(self.vary))

    @property
    def units(self) -> Array:
        return np.append(scale_of(self.start[:-1]), max(abs(self.start[-1]), 1e-300))

    @property
    def states(self) -> list[tuple[Point, slice]]:
        first = (self.point, slice(0, self.size))
        return [first] if self.other is None else [first, (self.other, slice(self.size, len(self.start) - 1))]

    def residual(self, a: Arithmetic, z: Sequence[Number]) -> list[Number]:
        p, rows, scalars = self.parameters(a, z), [], []
        for point, part in self.states:
            *equations, scalar = _program(point.equations, "residual", self.scalar)(a, [*z[part], *p])
            rows += equations
            scalars.append(scalar)
        return [*rows, scalars[0] - sum(scalars[1:], a.exactly(0))]

    def jacobian(self, a: Arithmetic, z: Sequence[Number]) -> list[list[Number]]:
        p, size = self.parameters(a, z), len(z)
        rows: list[list[Number]] = []
        last = [a.exactly(0)] * size
        for sign, (point, part) in zip((1, -1), self.states, strict=False):
            n, column = part.stop - part.start, point.column(str(self.vary))
            out = _program(point.equations, "tangent", f"slopes of {self.scalar}")(a, [*z[part], *p])
            count = len(point.equations.varied)
            block, in_parameter = _split(point, self.vary, out[: -n - count])
            slopes = out[-n - count :]
            for entries, entry in zip(block, in_parameter, strict=True):
                row = [a.exactly(0)] * size
                row[part], row[-1] = entries, entry
                rows.append(row)
            last[part] = [sign * s for s in slopes[:n]]
            last[-1] = last[-1] + sign * slopes[n + column]
        return [*rows, last]


def system_of(crossing: Crossing, line: str, vary: str) -> System:
    """The system that a root of a line solves, started there.

    Raises
    ------
    Refused
        If the uncondensed state of a thermodynamic line is not found again.
    """
    if line == "spinodal":
        return Fold.near(crossing.point, vary, crossing.value, crossing.x, crossing.null)
    if line != "thermodynamic":
        return Condition.zero_replicon(crossing.point, vary, crossing.x)
    from theory.crossings import uncondensed_at

    other = uncondensed_at(crossing.point)
    if other is None:
        raise Refused("the uncondensed state of equal free energy was not found in double precision.")
    return Condition.equal_free_energies(crossing.point, vary, crossing.x, *other)
