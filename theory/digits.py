r"""As many digits of a solution or of a phase boundary as asked for.

The double-precision result is refined on the same equations in exact arithmetic (`theory.systems`).  Newton's method
with the inverse Jacobian frozen in double precision gains some 13 digits per step and needs the exact residual only.

Digits are truncated, never rounded: every digit shown is one of the number's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput
from theory.exact import Arithmetic, Multiprecision, Number, Refused
from theory.points import Point
from theory.systems import Fold, System, dot, system_of

if TYPE_CHECKING:
    from theory.crossings import Crossing
    from theory.phase import Threshold

__all__ = ["fold_digits", "line_digits", "refine", "solution_digits", "truncated", "with_digits"]

Array = NDArray[np.float64]

CERTIFIED_DIGITS = 20  # proven when none are asked for
DOUBLE_DIGITS = 15
_ATTEMPTS = 4


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
        step = [dot(row, f, a) for row in inverse]
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
            correction = _magnitude(fine, dot([fine.exactly(float(c)) for c in inverse[k]], f, fine))
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
    system = Fold.near(point, vary, value, x, null)
    return _refined(system, digits, [len(system.start) - 1])[0]


def line_digits(crossing: Crossing, line: str, vary: str, digits: int) -> str:
    """A point of any line to so many significant digits, truncated; see `fold_digits`.

    Examples
    --------
    >>> from theory.crossings import FINDERS
    >>> from theory.models.hopfield import Hopfield
    >>> crossing = FINDERS["thermodynamic"](Hopfield(), "example", 1, "alpha")[0][0]
    >>> line_digits(crossing, "thermodynamic", "alpha", 20)
    '0.051854330918917056...'
    """
    system = system_of(crossing, line, vary)
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
    system = System(point, np.asarray(x, float))
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


def with_digits(result: Threshold, crossing: Crossing, digits: int | None, certify: bool) -> Threshold:
    """The threshold with `digits`, and its certificate if one is asked for.

    A refusal is not an error: ``certificate`` is then ``{"certified": False, "reason": ...}`` and the message repeats
    the reason.

    Parameters
    ----------
    result : Threshold
    crossing : Crossing
        The point of the line in double precision.
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
    at = (crossing, result.line, result.vary)
    reasons: list[str] = []
    if certify:
        from theory.certify import certify_line

        try:
            certificate = certify_line(*at, digits or CERTIFIED_DIGITS)
            return replace(result, digits=certificate.digits, certificate=certificate.to_json())
        except Refused as reason:
            result = replace(result, certificate={"certified": False, "reason": str(reason)})
            reasons.append(f"not certified: {reason}")
    if digits is not None:
        try:
            result = replace(result, digits=line_digits(*at, digits))
        except Refused as reason:
            reasons.append(f"no further digits: {reason}")
    return replace(result, message=" ".join(filter(None, [result.message, *reasons])))
