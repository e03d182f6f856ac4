r"""SymPy expressions in exact arithmetic: to any number of digits (mpmath), or as balls that contain the value (Arb).

Nothing here passes through Python source.  A printer that writes ``Rational(1, 3)`` as ``1/3`` makes a float of it, and
a ball built from that is wrong in its 17th digit while looking certified.  An expression is walked instead: a rational
becomes p/q in the target arithmetic, pi becomes pi, and a float inside an expression is refused.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Protocol

import sympy

from theory.errors import InvalidInput, MissingExtra, SpinodalError
from theory.sites import SiteTerm

__all__ = ["Arithmetic", "Balls", "Multiprecision", "Program", "Refused", "rational"]

Number = Any


class Refused(SpinodalError, ArithmeticError):
    """No digits, or no proof of them: the message is the reason."""


class Arithmetic(Protocol):
    """What the walker and the site families need of numbers; + - * / and integer powers come with the numbers."""

    bits: int
    pi: Number

    def working(self) -> contextlib.AbstractContextManager[None]:
        """The context in which the numbers may be used."""

    def exactly(self, value: int | float | Fraction) -> Number:
        """A number given exactly; a float stands for the binary number it is."""

    def power(self, x: Number, exponent: Fraction) -> Number:
        """``x**(p/q)``."""

    def function(self, name: str, x: Number) -> Number:
        """exp, log, sqrt, erf, erfc or asin."""

    def kummer(self, a: Fraction, b: Fraction, x: Number) -> Number:
        """``1F1(a; b; x)``."""

    def integral(self, f: Callable[[Number], Number], edges: Sequence[float]) -> Number:
        """Integral of a meromorphic function along the real axis."""

    def widen(self, x: Number, bound: Number) -> Number:
        """x with a proven error bound; only balls keep it."""

    def midpoint(self, x: Number) -> Number:
        """The centre, as a number without radius."""

    def bounds(self, x: Number) -> tuple[Fraction, Fraction]:
        """Exact lower and upper end."""


class Multiprecision:
    """mpmath numbers of `bits` binary digits, in a context of their own.

    Examples
    --------
    >>> ten = Multiprecision(200)
    >>> float(ten.power(ten.exactly(4), Fraction(3, 2)))
    8.0
    """

    def __init__(self, bits: int) -> None:
        from mpmath.ctx_mp import MPContext

        self.bits = bits
        self.context = MPContext()
        self.context.prec = bits
        self.pi = +self.context.pi
        self._functions = {name: getattr(self.context, name) for name in ("exp", "log", "sqrt", "erf", "erfc", "asin")}

    def working(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def exactly(self, value: int | float | Fraction) -> Number:
        if isinstance(value, Fraction):
            return self.context.mpf(value.numerator) / value.denominator
        return self.context.mpf(value)

    def power(self, x: Number, exponent: Fraction) -> Number:
        if exponent.denominator == 1:
            return x**exponent.numerator
        if exponent.denominator == 2:
            return self.context.sqrt(x) ** exponent.numerator
        return self.context.power(x, self.exactly(exponent))

    def function(self, name: str, x: Number) -> Number:
        return self._functions[name](x)

    def kummer(self, a: Fraction, b: Fraction, x: Number) -> Number:
        return self.context.hyp1f1(self.exactly(a), self.exactly(b), x)

    def integral(self, f: Callable[[Number], Number], edges: Sequence[float]) -> Number:
        return self.context.quad(f, [self.context.mpf(e) for e in edges])

    def widen(self, x: Number, bound: Number) -> Number:
        return x

    def midpoint(self, x: Number) -> Number:
        return x

    def bounds(self, x: Number) -> tuple[Fraction, Fraction]:
        if not self.context.isfinite(x):
            raise ArithmeticError("the value is not finite")
        sign, mantissa, exponent, _ = x._mpf_
        value = _dyadic(-int(mantissa) if sign else int(mantissa), int(exponent))
        return value, value


class Balls:
    """Real balls of Arb (python-flint): every operation returns a ball that contains the exact result.

    Raises
    ------
    MissingExtra
        If python-flint is not installed.
    """

    def __init__(self, bits: int) -> None:
        try:
            import flint
        except ImportError:
            raise MissingExtra(
                "certified digits need ball arithmetic, which is not installed; "
                'install it with: pip install "spinodal[certify]"'
            ) from None
        self.bits = bits
        self._flint = flint
        self._arb = flint.arb
        with self.working():
            self.pi = flint.arb.pi()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Arb's precision is global, so it is set only here and put back."""
        context = self._flint.ctx
        before = context.prec
        context.prec = self.bits
        try:
            yield
        finally:
            context.prec = before

    def exactly(self, value: int | float | Fraction) -> Number:
        if isinstance(value, Fraction):
            return self._arb(value.numerator) / value.denominator
        return self._arb(value)

    def power(self, x: Number, exponent: Fraction) -> Number:
        if exponent.denominator == 1:
            return x**exponent.numerator
        if exponent.denominator == 2:
            return x.sqrt() ** exponent.numerator
        return (x.log() * exponent.numerator / exponent.denominator).exp()

    def function(self, name: str, x: Number) -> Number:
        return getattr(x, name)()

    def kummer(self, a: Fraction, b: Fraction, x: Number) -> Number:
        # At b = a + 1 Arb takes an incomplete gamma function, which needs seconds for a wide ball of moderate size.
        if b - a == 1 and abs(float(x.mid())) < self.bits:
            return x.exp() * (-x).hypgeom_1f1(self.exactly(b - a), self.exactly(b))
        return x.hypgeom_1f1(self.exactly(a), self.exactly(b))

    def integral(self, f: Callable[[Number], Number], edges: Sequence[float]) -> Number:
        acb, pairs = self._flint.acb, itertools.pairwise(edges)
        # Analyticity need not be checked by f: it is meromorphic, and a pole in a ball makes the ball infinite.
        return sum((acb.integral(lambda z, _: f(z), acb(a), acb(b)).real for a, b in pairs), self._arb(0))

    def widen(self, x: Number, bound: Number) -> Number:
        return x + self._arb(0, bound)

    def midpoint(self, x: Number) -> Number:
        return x.mid()

    def bounds(self, x: Number) -> tuple[Fraction, Fraction]:
        if not x.is_finite():
            raise ArithmeticError("the ball is not finite")
        centre, radius = (_dyadic(*map(int, part.man_exp())) for part in (x.mid(), x.rad()))
        return centre - radius, centre + radius

    def ball(self, centre: Number, radius: Number) -> Number:
        """The ball around a centre."""
        return self._arb(centre, radius)

    def matrix(self, rows: Sequence[Sequence[Number]]) -> Number:
        """A matrix of balls."""
        return self._flint.arb_mat([list(r) for r in rows])


def _dyadic(mantissa: int, exponent: int) -> Fraction:
    return Fraction(mantissa * 2**exponent) if exponent >= 0 else Fraction(mantissa, 2**-exponent)


def rational(value: Any) -> sympy.Rational:
    """The decimal number a parameter prints as: 0.05 is read as 1/20, not as the nearest binary float.

    Raises
    ------
    InvalidInput
        If the value is not a finite number.

    Examples
    --------
    >>> rational(0.05), rational(1e-5)
    (1/20, 1/100000)
    """
    if isinstance(value, sympy.Rational):
        return value
    if isinstance(value, (int, Fraction)):
        return sympy.Rational(value)
    number = float(value)
    if not math.isfinite(number):
        raise InvalidInput(f"the parameter value {value!r} is not a finite number; give a decimal number.")
    return sympy.Rational(repr(number))


_FUNCTIONS = {sympy.exp: "exp", sympy.log: "log", sympy.erf: "erf", sympy.erfc: "erfc", sympy.asin: "asin"}


class Program:
    """Expressions as a list of elementary steps, every distinct subexpression once, to be run in any arithmetic.

    Parameters
    ----------
    expressions : sequence of sympy.Expr
        Of rationals, pi, symbols, site terms; sums, products, rational powers, exp, log, erf, erfc, asin.
    arguments : sequence of sympy.Symbol
        In the order in which values will be given.

    Raises
    ------
    InvalidInput
        If an expression contains a float, or something with no exact meaning here.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> program = Program([sympy.Rational(1, 3) * x ** sympy.Rational(3, 2)], [x])
    >>> digits = Multiprecision(120)
    >>> float(program(digits, [digits.exactly(4)])[0] * 3)
    8.0
    """

    def __init__(self, expressions: Sequence[sympy.Expr], arguments: Sequence[sympy.Symbol]) -> None:
        self._position = {a: k for k, a in enumerate(arguments)}
        self._steps: list[tuple[str, Any, tuple[int, ...]]] = []
        self._known: dict[Any, int] = {}
        self._members: dict[Any, list[Any]] = {}
        exact = [sympy.sympify(e) for e in expressions]
        for e in exact:
            for atom in e.atoms(SiteTerm):
                members = self._members.setdefault((type(atom), atom.fields), [])
                if atom.index not in members:
                    members.append(atom.index)
        self._out = [self._walk(e) for e in exact]

    def _emit(self, key: Any, name: str, payload: Any = None, inputs: tuple[int, ...] = ()) -> int:
        self._steps.append((name, payload, inputs))
        self._known[key] = len(self._steps) - 1
        return len(self._steps) - 1

    def _walk(self, e: sympy.Expr) -> int:
        """Position of the step that yields `e`."""
        if e in self._known:
            return self._known[e]
        if e.is_Float:
            raise InvalidInput(
                f"the expression contains the float {e}, whose further digits are unknown; "
                "write it as an exact number, such as Rational(1, 3) or 2/pi."
            )
        if e.is_Rational:
            return self._emit(e, "number", Fraction(int(e.p), int(e.q)))
        if e is sympy.pi:
            return self._emit(e, "pi")
        if e.is_Symbol and e in self._position:
            return self._emit(e, "argument", self._position[e])
        if e.is_Add or e.is_Mul:
            return self._emit(e, "add" if e.is_Add else "multiply", None, tuple(map(self._walk, e.args)))
        if e.is_Pow and e.exp.is_Rational:
            return self._emit(e, "power", Fraction(int(e.exp.p), int(e.exp.q)), (self._walk(e.base),))
        if isinstance(e, SiteTerm):
            return self._emit(e, "member", self._members[type(e), e.fields].index(e.index), (self._family(e),))
        if e.func in _FUNCTIONS:
            return self._emit(e, "function", _FUNCTIONS[e.func], (self._walk(e.args[0]),))
        raise InvalidInput(
            f"the expression contains {e}, which has no exact evaluation; use rationals, pi, declared symbols, powers, "
            "exp, log, erf and site terms."
        )

    def _family(self, e: SiteTerm) -> int:
        key = (type(e), e.fields)
        if key in self._known:
            return self._known[key]
        inputs = tuple(map(self._walk, e.fields))
        return self._emit(key, "family", (type(e), self._members[key]), inputs)

    def __call__(self, arithmetic: Arithmetic, values: Sequence[Number]) -> list[Number]:
        """Values of the expressions; one number per argument.

        Raises
        ------
        Refused
            If a site family has no evaluation in this arithmetic.
        """
        from theory.exact_sites import site_orders

        done: list[Any] = []
        for name, payload, inputs in self._steps:
            if name == "multiply":
                value = done[inputs[0]]
                for k in inputs[1:]:
                    value = value * done[k]
            elif name == "add":
                value = done[inputs[0]]
                for k in inputs[1:]:
                    value = value + done[k]
            elif name == "power":
                value = arithmetic.power(done[inputs[0]], payload)
            elif name == "number":
                value = arithmetic.exactly(payload)
            elif name == "argument":
                value = values[payload]
            elif name == "member":
                value = done[inputs[0]][payload]
            elif name == "family":
                family, indices = payload
                value = site_orders(arithmetic, family, indices, [done[k] for k in inputs])
            elif name == "pi":
                value = arithmetic.pi
            else:
                value = arithmetic.function(payload, done[inputs[0]])
            done.append(value)
        return [done[k] for k in self._out]
