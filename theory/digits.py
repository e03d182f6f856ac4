r"""As many digits of a solution or a spinodal as asked for.

The double-precision result is refined on the same equations in exact arithmetic: ``F(x) = 0`` for a solution, the
Moore-Spence system ``F = 0, F_x v = 0, l.v = 1`` for a spinodal.  Newton's method with the inverse Jacobian frozen in
double precision gains some 13 digits per step and needs the exact residual only.

Digits are truncated, never rounded: every digit shown is one of the number's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.equations import Equations
from theory.errors import InvalidInput
from theory.exact import Arithmetic, Multiprecision, Number, Program, Refused, rational
from theory.folds import null_vectors
from theory.points import Point
from theory.problem import scale_of

if TYPE_CHECKING:
    from theory.crossings import Crossing
    from theory.phase import Threshold

__all__ = ["System", "fold_digits", "refine", "solution_digits", "truncated", "with_digits"]

Array = NDArray[np.float64]

CERTIFIED_DIGITS = 20  # proven when none are asked for
DOUBLE_DIGITS = 15
_ATTEMPTS = 4


@functools.lru_cache(maxsize=64)
def _program(equations: Equations, *names: str) -> Program:
    """The named lists of expressions; 'second' depends on the direction v too."""
    arguments = [*equations.variables, *equations.parameters]
    if "second" in names:
        arguments += equations.directions
    return Program([e for name in names for e in getattr(equations, name)], arguments)


@dataclass(frozen=True)
class System:
    """Equations to be solved in exact arithmetic: those of a state, or of its fold in one parameter.

    Attributes
    ----------
    point : Point
        The state at its parameters.
    start : (n,) or (2n + 1,) array
        x, or (x, v, parameter), in double precision.
    vary : str or None
        The unknown parameter of a fold.
    pivot : (n,) array or None
        l in ``l.v = 1``.
    """

    point: Point
    start: Array
    vary: str | None = None
    pivot: Array | None = None

    @classmethod
    def solution(cls, point: Point, x: Array) -> System:
        """The equations of a state, started at x."""
        return cls(point, np.asarray(x, float))

    @classmethod
    def fold(cls, point: Point, vary: str, value: float, x: Array, null: Array | None) -> System:
        """The equations of a fold, started at x with the null vector in the units of x (its length is free)."""
        x = np.asarray(x, float)
        scale = scale_of(x)
        if null is None:
            p = point.parameters.copy()
            p[point.column(vary)] = value
            unit = null_vectors(point.equations.problem().linearise(x[None], p[None]).jacobian, scale[None])[0]
        else:
            unit = np.asarray(null, float) / scale
        unit = unit / np.linalg.norm(unit)
        return cls(point, np.concatenate([x, unit * scale, [value]]), vary, unit / scale)

    @property
    def size(self) -> int:
        """Number of variables of the state."""
        return len(self.point.equations.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the unknowns."""
        names = self.point.equations.names
        return names if self.vary is None else (*names, *(f"v_{n}" for n in names), self.vary)

    @property
    def units(self) -> Array:
        """Magnitude of every unknown."""
        scale = scale_of(self.start[: self.size])
        return scale if self.vary is None else np.concatenate([scale, scale, [max(abs(self.start[-1]), 1e-300)]])

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
        n = self.size
        arguments = [*z[:n], *self.parameters(a, z)]
        if self.pivot is None:
            return _program(self.point.equations, "residual")(a, arguments)
        out = _program(self.point.equations, "residual", "tangent")(a, arguments)
        v = z[n : 2 * n]
        rows = [_dot(out[n * (i + 1) : n * (i + 2)], v, a) for i in range(n)]
        return [*out[:n], *rows, _dot([a.exactly(float(c)) for c in self.pivot], v, a) - 1]

    def jacobian(self, a: Arithmetic, z: Sequence[Number]) -> list[list[Number]]:
        """Their derivatives in the unknowns."""
        n, zero = self.size, a.exactly(0)
        arguments = [*z[:n], *self.parameters(a, z)]
        if self.pivot is None or self.vary is None:
            out = _program(self.point.equations, "tangent")(a, arguments)
            return [out[n * i : n * (i + 1)] for i in range(n)]
        k, column = len(self.point.equations.varied), self.point.column(self.vary)
        out = _program(self.point.equations, "tangent", "second")(a, [*arguments, *z[n : 2 * n]])
        first, second = out[: n * (n + k)], out[n * (n + k) :]

        def rows(block: list[Number]) -> tuple[list[list[Number]], list[Number]]:
            return [block[n * i : n * (i + 1)] for i in range(n)], [block[n * n + k * i + column] for i in range(n)]

        (j, j_parameter), (s, s_parameter) = rows(first), rows(second)
        top = [[*j[i], *[zero] * n, j_parameter[i]] for i in range(n)]
        middle = [[*s[i], *j[i], s_parameter[i]] for i in range(n)]
        return [*top, *middle, [*[zero] * n, *[a.exactly(float(c)) for c in self.pivot], zero]]

    def inverse(self) -> Array:
        """Inverse Jacobian at the start, in double precision."""
        problem, n = self.point.equations.problem(refine=2), self.size
        x, p = self.start[None, :n], self.point.parameters[None].copy()
        if self.vary is None or self.pivot is None:
            matrix = problem.linearise(x, p).jacobian[0]
        else:
            column = self.point.column(self.vary)
            p[0, column] = self.start[-1]
            assert problem.extend is not None
            e = problem.extend(x, p, self.start[None, n : 2 * n])
            matrix = np.zeros((2 * n + 1, 2 * n + 1))
            matrix[:n, :n] = matrix[n : 2 * n, n : 2 * n] = e.jacobian[0]
            matrix[:n, -1], matrix[n : 2 * n, -1] = e.parameters[0, :, column], e.mixed[0, :, column]
            matrix[n : 2 * n, :n], matrix[-1, n : 2 * n] = e.second[0], self.pivot
        column_units = self.units
        row_units = column_units if self.vary is None else np.append(column_units[:-1], 1.0)
        if not np.isfinite(matrix).all():
            raise Refused("the Jacobian is not finite at the solution in double precision; no digits can be refined.")
        scaled = np.linalg.pinv(matrix * column_units / row_units[:, None])
        return np.asarray(scaled * column_units[:, None] / row_units)


def _dot(left: Sequence[Number], right: Sequence[Number], a: Arithmetic) -> Number:
    return sum((x * y for x, y in zip(left, right, strict=True)), a.exactly(0))


def refine(system: System, a: Arithmetic, inverse: Sequence[Sequence[Number]], digits: int) -> list[Number]:
    """Newton steps with a frozen inverse until the correction is below ``10**-digits`` in units of the unknowns.

    Raises
    ------
    Refused
        If the steps do not shrink, as where the solution is singular.
    """
    z = [a.exactly(float(s)) for s in system.start]
    units = system.units
    allowed, tolerance = Fraction(1, 10**4), Fraction(1, 10**digits)
    for _ in range(10 + digits):
        f = system.residual(a, z)
        step = [_dot(row, f, a) for row in inverse]
        size = max(
            (_magnitude(a, s) / Fraction(float(u)) for s, u in zip(step, units, strict=True)), default=Fraction(0)
        )
        if size > allowed:
            raise Refused(
                "the equations are too nearly singular at this point to refine the double-precision result (a "
                f"correction of relative size {float(size):.1e} does not shrink)."
            )
        z = [a.midpoint(x - s) for x, s in zip(z, step, strict=True)]
        if size < tolerance:
            return z
        allowed = size / 2
    raise Refused("the refinement did not reach the digits asked for.")


def _magnitude(a: Arithmetic, x: Number) -> Fraction:
    low, high = a.bounds(a.midpoint(x))
    return max(abs(low), abs(high))


def _refined(system: System, digits: int, wanted: Sequence[int]) -> list[str]:
    """Digits of the unknowns at the positions `wanted`, verified on a residual of higher precision."""
    if not 1 <= digits <= 1000:
        raise InvalidInput(f"digits = {digits} is not allowed; give a number from 1 to 1000.")
    if system.inexact and digits > DOUBLE_DIGITS:
        raise Refused(
            f"{', '.join(system.inexact)} of the model are known in double precision only; ask for "
            f"{DOUBLE_DIGITS} digits or fewer."
        )
    try:
        return _verified(system, digits, wanted)
    except Refused:
        raise
    except (ArithmeticError, ValueError, TypeError) as problem:
        raise Refused(
            f"the equations cannot be evaluated in multiple precision at this point ({problem})."
        ) from problem


def _verified(system: System, digits: int, wanted: Sequence[int]) -> list[str]:
    inverse = system.inverse()
    best: list[tuple[str, int]] = []
    for attempt in range(_ATTEMPTS):
        extra = 6 + 8 * attempt
        coarse = Multiprecision(math.ceil((digits + extra) * math.log2(10.0)) + 40)
        fine = Multiprecision(coarse.bits + 40)
        z = refine(system, coarse, [[coarse.exactly(float(c)) for c in row] for row in inverse], digits + extra)
        values = [coarse.bounds(x)[0] for x in z]
        there = [fine.exactly(v) for v in values]
        f = system.residual(fine, there)
        best = []
        for k in wanted:
            correction = _magnitude(fine, _dot([fine.exactly(float(c)) for c in inverse[k]], f, fine))
            error = 2 * correction + abs(values[k]) / 2**coarse.bits
            best.append(truncated(values[k] - error, values[k] + error, digits))
        if all(count == digits for _, count in best):
            return [text for text, _ in best]
    unclear = next(k for k, (_, count) in zip(wanted, best, strict=True) if count < digits)
    raise Refused(
        f"{system.names[unclear]} is closer to {float(values[unclear]):.6g} than {digits} digits can tell, so that its "
        "leading digits are not determined."
    )


def fold_digits(point: Point, vary: str, value: float, x: Array, null: Array | None, digits: int) -> str:
    """A spinodal to so many significant digits, truncated.

    Parameters
    ----------
    point : Point
        The state near the spinodal.
    vary : str
        The parameter solved for; the others are read as the decimals they print.
    value : float
        Double-precision spinodal.
    x, null : (n,) array
        State and null vector there, in the units of the variables.
    digits : int
        1 to 1000.

    Returns
    -------
    str

    Raises
    ------
    Refused
        With the reason, where the state has no evaluation beyond double precision.

    Examples
    --------
    >>> from theory.crossings import spinodals
    >>> from theory.models.hopfield import Hopfield
    >>> crossing = spinodals(Hopfield(), "example", 1, "alpha")[0][0]
    >>> fold_digits(crossing.point, "alpha", crossing.value, crossing.x, crossing.null, 30)
    '0.137905566494931737...'
    """
    system = System.fold(point, vary, value, x, null)
    return _refined(system, digits, [len(system.start) - 1])[0]


def solution_digits(point: Point, x: Array, digits: int) -> dict[str, str]:
    """The variables of a solution to so many significant digits, truncated; see `fold_digits`.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> from theory.points import at_point
    >>> glass = at_point(Hopfield(alpha=0.1), "spin_glass", 1)
    >>> solution_digits(glass, glass.start(), 25)["chi"]  # 1 / (1 + sqrt(pi/20))
    '0.7161616845946512465905...'
    """
    system = System.solution(point, x)
    return dict(zip(system.names, _refined(system, digits, range(len(system.start))), strict=True))


def truncated(lower: Fraction, upper: Fraction, digits: int) -> tuple[str, int]:
    """The decimal digits that all numbers of an interval share, at most so many, and their count.

    Examples
    --------
    >>> truncated(Fraction(12344, 100000), Fraction(12346, 100000), 10)
    ('0.1234', 4)
    >>> truncated(Fraction(-1), Fraction(1), 10)
    ('', 0)
    """
    if lower <= 0 <= upper:
        return "", 0
    low, high = sorted((abs(lower), abs(upper)))
    e = exponent_of(high)
    unit = Fraction(10) ** (e - digits + 1)
    a, b = str(low // unit).zfill(digits), str(high // unit)
    count = next((k for k in range(digits) if a[k] != b[k]), digits)
    return ("-" if upper < 0 else "") + _written(b[:count], e) if count else "", count


def exponent_of(x: Fraction) -> int:
    """The e with ``10**e <= x < 10**(e + 1)`` of a positive number."""
    e = math.floor((x.numerator.bit_length() - x.denominator.bit_length()) * math.log10(2.0)) + 1
    while Fraction(10) ** e > x:
        e -= 1
    return e


def _written(digits: str, e: int) -> str:
    """Significant digits with the first one worth ``10**e``."""
    if -6 <= e < 0:
        return "0." + "0" * (-e - 1) + digits
    if 0 <= e < len(digits):
        return digits[: e + 1] + ("." + digits[e + 1 :] if len(digits) > e + 1 else "")
    return digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{e:+03d}"


def with_digits(result: Threshold, crossing: Crossing, vary: str, digits: int | None, certify: bool) -> Threshold:
    """The threshold with `digits`, and its certificate if one is asked for.

    A refusal is not an error: ``certificate`` is then ``{"certified": False, "reason": ...}`` and the message repeats
    the reason.

    Parameters
    ----------
    result : Threshold
    crossing : Crossing
        The spinodal in double precision.
    vary : str
    digits : int or None
        Significant digits; with `certify` alone, 20.
    certify : bool
        Prove them by a Krawczyk test.

    Returns
    -------
    Threshold

    Raises
    ------
    MissingExtra
        If `certify` is set and python-flint is not installed.
    """
    at = (crossing.point, vary, crossing.value, crossing.x, crossing.null)
    reasons: list[str] = []
    if certify:
        from theory.certify import certify_fold

        try:
            certificate = certify_fold(*at, digits=digits or CERTIFIED_DIGITS)
            return replace(result, digits=certificate.digits, certificate=certificate.to_json())
        except Refused as reason:
            result = replace(result, certificate={"certified": False, "reason": str(reason)})
            reasons.append(f"not certified: {reason}")
    if digits is not None:
        try:
            result = replace(result, digits=fold_digits(*at, digits=digits))
        except Refused as reason:
            reasons.append(f"no further digits: {reason}")
    return replace(result, message=" ".join(filter(None, [result.message, *reasons])))
