r"""Proofs of digits: the Krawczyk test in ball arithmetic, for solutions and for phase boundaries.

For a box X = c +- r around an approximate root c of F and an approximate inverse Y of the Jacobian, let

    delta = |Y F(c)|,      q = |1 - Y J(X)|      (norms in units of r).

If ``delta + q < 1``, then ``K(X) = c - Y F(c) + (1 - Y J(X)) (X - c)`` lies inside X, so X contains exactly one root
(R. Krawczyk, Computing 4, 187 (1969)).  For any c' in X the root is then within ``|Y F(c')| / (1 - q)`` of c', which
gives the digits.  Every quantity is a ball that contains the exact value; nothing is estimated.

The root of a fold system at which its Jacobian is regular is a simple fold: the branch turns round there.  In the same
way a certified thermodynamic line is a crossing of two free energies, not a touching (`theory.systems`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from theory.digits import CERTIFIED_DIGITS, exponent_of, refine, truncated
from theory.errors import InvalidInput
from theory.exact import Balls, Number, Program, Refused, rational
from theory.points import Point
from theory.systems import Fold, System, system_of

if TYPE_CHECKING:
    from theory.crossings import Crossing

__all__ = ["Certificate", "Refused", "certify", "certify_fold", "certify_line", "certify_solution"]

Array = NDArray[np.float64]

_RADII = (4, 5, 6, 8, 10, 12, 15, 18, 22, 27)  # of the box, as negative powers of ten in units of the unknowns
_ATTEMPTS = 4


@dataclass(frozen=True)
class Certificate:
    """A proven enclosure of a root.

    Attributes
    ----------
    method, what : str
        How it was proven, and what of.
    quantity : str
        The quantity that `digits`, `lower` and `upper` speak of.
    digits : str
        Its proven decimal digits, truncated.
    lower, upper : str
        Decimal numbers that enclose it.
    radius : str
        Half of their distance, at most.
    existence, unique : bool
        That there is a root in the box, and only one.
    inside_domain : bool
        That the root lies in the physical domain of the model (all positivity conditions and bounds hold) and its
        condensed overlaps are not zero.
    box : dict of str to list of str
        The box in which it is unique: lower and upper end of every unknown (``v_``: the null vector of a fold;
        ``uncondensed_``: the other state of a thermodynamic line).
    parameters : dict of str to str
        Fixed parameters as the exact rationals they were read as.
    precision_bits : int
    seconds : float

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> certify(Hopfield(), "example", vary="alpha").digits[:20]
    '0.137905566494931737'
    """

    method: str
    what: str
    quantity: str
    digits: str
    lower: str
    upper: str
    radius: str
    existence: bool
    unique: bool
    inside_domain: bool
    box: dict[str, list[str]]
    parameters: dict[str, str]
    precision_bits: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain types, with ``certified: True``."""
        return {"certified": True, **self.__dict__}


def certify(
    model: Any,
    state: str = "example",
    *,
    line: str = "spinodal",
    vary: str | None = None,
    L: int | None = None,
    digits: int = CERTIFIED_DIGITS,
) -> Certificate:
    """Prove a solution, or with `vary` the point of a line in that parameter.

    Parameters
    ----------
    model : Model
        Parameters are read as the decimals they print: 0.05 means 1/20.
    state, line : str
    vary : str or None
        The parameter whose critical value is meant; None for the solution at the model's parameters.
    L : int or None
        Size of a mixture (default 3).
    digits : int
        Significant digits to be proven.

    Returns
    -------
    Certificate
        Of the critical value, or of the first variable of the solution (the box holds all).

    Raises
    ------
    Refused
        If there is no proof, with the reason.
    NotConverged
        If there is nothing to be proven.
    MissingExtra
        If python-flint is not installed.
    """
    Balls(64)  # complain about a missing extra before any work
    if vary is not None:
        from theory.phase import threshold

        found = threshold(model, state, line=line, vary=vary, L=L, digits=digits, certify=True).certificate or {}
        if not found.pop("certified", False):
            raise Refused(str(found.get("reason", "no certificate")))
        return Certificate(**found)
    from theory.points import at_point
    from theory.states import solve

    solution = solve(model, state, L=L)
    assert solution.variables is not None
    point = at_point(model, solution.state, solution.L or 1)
    return certify_solution(point, np.array([solution.variables[n] for n in point.equations.names]), digits)


def certify_solution(point: Point, x: Array, digits: int = CERTIFIED_DIGITS) -> Certificate:
    """Prove that the state's equations have exactly one root near x.

    Parameters
    ----------
    point : Point
    x : (n,) array
        A solution in double precision.
    digits : int
        Of the first variable.

    Returns
    -------
    Certificate

    Raises
    ------
    Refused, MissingExtra
    """
    return _certified(System(point, np.asarray(x, float)), digits, 0)


def certify_fold(
    point: Point, vary: str, value: float, x: Array, null: Array | None, digits: int = CERTIFIED_DIGITS
) -> Certificate:
    """Prove that the state has exactly one fold near a double-precision one, and digits of the critical value.

    Parameters
    ----------
    point : Point
        The state near the spinodal.
    vary : str
    value : float
        Critical value in double precision.
    x, null : (n,) array
        State and null vector there, in the units of the variables.
    digits : int

    Returns
    -------
    Certificate

    Raises
    ------
    Refused, MissingExtra
    """
    system = Fold.near(point, vary, value, x, null)
    return _certified(system, digits, len(system.start) - 1)


def certify_line(crossing: Crossing, line: str, vary: str, digits: int = CERTIFIED_DIGITS) -> Certificate:
    """Prove that a line has exactly one point near a double-precision one, and digits of the critical value.

    Parameters
    ----------
    crossing : Crossing
    line, vary : str
        The line it is a point of, and the parameter it was solved for.
    digits : int

    Returns
    -------
    Certificate

    Raises
    ------
    Refused, MissingExtra
    """
    system = system_of(crossing, line, vary)
    return _certified(system, digits, len(system.start) - 1)


def _certified(system: System, digits: int, position: int) -> Certificate:
    """The test at rising precision until the digits asked for are proven."""
    if not 1 <= digits <= 1000:
        raise InvalidInput(f"digits = {digits} is not allowed; give a number from 1 to 1000.")
    if not system.names:
        raise Refused("the state has no variables whose values could be proven (it is known in closed form).")
    if system.inexact:
        raise Refused(f"{', '.join(system.inexact)} of the model are known in double precision only.")
    begun = time.perf_counter()
    found: Certificate | None = None
    for attempt in range(_ATTEMPTS):
        target = digits + 5 + 20 * attempt
        balls = Balls(math.ceil(target * math.log2(10.0)) + 50)
        try:
            with balls.working():
                proof = _krawczyk(system, balls, target)
                certificate = _written(system, balls, proof, digits, position, begun)
        except Refused:
            raise
        except (ArithmeticError, ValueError, TypeError) as problem:
            raise Refused(
                f"the equations cannot be evaluated in ball arithmetic at this point ({problem})."
            ) from problem
        found = certificate or found
        if found is not None and found.inside_domain:  # a saturated overlap is told from 1 at higher precision only
            return found
    if found is not None:
        return found
    raise Refused(
        f"{digits} digits of {system.names[position]} = {system.start[position]:.6g} cannot be told from those of its "
        "neighbours (it is too close to a number with a short decimal expansion)."
    )


@dataclass(frozen=True)
class _Proof:
    """Centre, proven distance of the root from it, and radii of the box in which the root is unique."""

    centre: list[Number]
    distance: list[Number]
    radii: list[Number]


def _krawczyk(system: System, balls: Balls, target: int) -> _Proof:
    """Refine the root, then look for the largest box of the list on which the test succeeds."""
    inverse = [[balls.exactly(float(c)) for c in row] for row in system.inverse()]
    centre = refine(system, balls, inverse, target)
    units = [balls.exactly(float(u)) for u in system.units]
    size = len(centre)
    try:
        at_centre = balls.matrix(system.jacobian(balls, centre)).inv()
    except ZeroDivisionError:
        raise Refused("the Jacobian is singular at the root to the working precision.") from None
    Y = balls.matrix([[at_centre[i, j].mid() for j in range(size)] for i in range(size)])
    correction = Y * balls.matrix([[f] for f in system.residual(balls, centre)])
    delta = [abs(correction[i, 0]) for i in range(size)]
    reason = ""
    for power in _RADII:
        radii = [u * balls.exactly(Fraction(1, 10**power)) for u in units]
        try:
            box = [balls.ball(c, r) for c, r in zip(centre, radii, strict=True)]
            product = Y * balls.matrix(system.jacobian(balls, box))
        except Refused:
            raise
        except ArithmeticError as problem:
            reason = str(problem)
            continue
        rows = [
            sum((abs(product[i, j] - int(i == j)) * radii[j] for j in range(size)), balls.exactly(0)) / radii[i]
            for i in range(size)
        ]
        # `<` between balls is true only if it holds for all points of both.
        if all(row + d / r < 1 for row, d, r in zip(rows, delta, radii, strict=True)):
            q = balls.exactly(max(balls.bounds(row)[1] for row in rows))
            largest = balls.exactly(max(balls.bounds(d / r)[1] for d, r in zip(delta, radii, strict=True)))
            return _Proof(centre, [largest / (1 - q) * r for r in radii], radii)
        reason = "the equations vary too much over every box that was tried"
    raise Refused(f"the Krawczyk test failed on boxes of relative size 1e-{_RADII[0]} to 1e-{_RADII[-1]} ({reason}).")


def _written(
    system: System, balls: Balls, proof: _Proof, digits: int, position: int, begun: float
) -> Certificate | None:
    """The certificate, or None if the enclosure is too wide for the digits asked for."""
    tight = [balls.ball(c, d) for c, d in zip(proof.centre, proof.distance, strict=True)]
    lower, upper = balls.bounds(tight[position])
    text, count = truncated(lower, upper, digits)
    if count < digits:
        return None
    names, half = system.names, (upper - lower) / 2
    box = {}
    for name, centre, radius in zip(names, proof.centre, proof.radii, strict=True):
        c, r = balls.bounds(centre)[0], balls.bounds(radius)[0]
        unit = exponent_of(r) - 2
        box[name] = [_decimal(c - r, unit, up=True), _decimal(c + r, unit, up=False)]  # inwards: inside the proven box
    unit = exponent_of(half) - 1 if half else exponent_of(abs(upper)) - digits - 5
    return Certificate(
        method="Krawczyk test in ball arithmetic (Arb)",
        what=f"root of the {system.kind}replica-symmetric equations; not a statement about replica symmetry",
        quantity=names[position],
        digits=text,
        lower=_decimal(lower, unit, up=False),
        upper=_decimal(upper, unit, up=True),
        radius=f"{_above(half + Fraction(10) ** unit):.3e}",
        existence=True,
        unique=True,
        inside_domain=_inside(system, balls, tight),
        box=box,
        parameters={
            n: str(rational(getattr(system.point.model, n)))
            for n in system.point.equations.parameter_names
            if n != system.vary
        },
        precision_bits=balls.bits,
        seconds=round(time.perf_counter() - begun, 4),
    )


def _inside(system: System, balls: Balls, tight: Sequence[Number]) -> bool:
    """Whether interior expressions, bounds and non-zero overlaps hold at every point of the enclosure."""
    ok = True
    for point, part in system.states:
        equations, declared = point.equations, point.equations.free_energy
        program = Program(list(declared.interior), [*equations.variables, *equations.parameters])
        values = dict(zip(equations.variables, tight[part], strict=True))
        ok &= all(e > 0 for e in program(balls, [*tight[part], *system.parameters(balls, tight)]))
        for variable, (low, high) in declared.bounds.items():
            ball = values.get(variable)
            if ball is not None:
                ok &= (low == -math.inf or bool(ball > low)) and (high == math.inf or bool(ball < high))
        ok &= all(values[s] > 0 or values[s] < 0 for s in declared.condensed)
    return bool(ok)


def _decimal(x: Fraction, unit: int, *, up: bool) -> str:
    """A decimal number next to x in steps of ``10**unit``, above or below."""
    steps = x / Fraction(10) ** unit
    whole = -((-steps.numerator) // steps.denominator) if up else steps.numerator // steps.denominator
    sign, digits = "-" if whole < 0 else "", str(abs(whole))
    if unit >= 0:
        return sign + digits + "0" * unit
    digits = digits.zfill(1 - unit)
    return f"{sign}{digits[:unit]}.{digits[unit:]}"


def _above(x: Fraction) -> float:
    return float(x) * 1.001
