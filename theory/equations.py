"""From one free energy to everything a solver needs: saddle-point equations, Jacobian, fold system, Hessian.

A model writes its replica free energy once; nothing below is typed by hand.  The update of an order parameter is
read off the bilinear term that couples it to its conjugate: with ``f = c x x_hat + ...`` the fixed-point map is
``x <- x - (df/dx_hat)/c`` and the residual is ``(df/dx_hat)/c``, in the units of x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theory.errors import InvalidInput
from theory.problem import Extended, Linearised, Problem
from theory.sites import SiteTerm

__all__ = ["Compiled", "Equations", "FreeEnergy"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FreeEnergy:
    """A free energy per spin and the roles of the symbols in it.

    Attributes
    ----------
    expression : sympy.Expr
        f, in units of the coupling.
    pairs : tuple of (Symbol, Symbol)
        Conjugate pairs (x, x_hat); (m, m) for an overlap that is its own conjugate.
    condensed : tuple of Symbol
        Overlaps that are nonzero in this state and zero in the uncondensed one.
    bounds : mapping of Symbol to (low, high)
        Closed range of a variable, where it has one.
    interior : tuple of Expr
        Expressions that are positive on the physical branch.
    reported : mapping of str to Expr or None
        Order parameters in the field's notation; None where the quantity diverges.
    replicon : Expr or None
        Positive where replica symmetry is stable; None where it is violated throughout (Ising at T = 0).
    transverse : Expr or None
        Positive where a mixture is stable against antisymmetric overlaps.
    """

    expression: sympy.Expr
    pairs: tuple[tuple[sympy.Symbol, sympy.Symbol], ...]
    condensed: tuple[sympy.Symbol, ...] = ()
    bounds: Mapping[sympy.Symbol, tuple[float, float]] = field(default_factory=dict)
    interior: tuple[sympy.Expr, ...] = ()
    reported: Mapping[str, sympy.Expr | None] = field(default_factory=dict)
    replicon: sympy.Expr | None = None
    transverse: sympy.Expr | None = None

    def restricted(self, values: Mapping[sympy.Symbol, sympy.Expr]) -> FreeEnergy:
        """The same free energy on the manifold where some variables take given values (the paramagnet's q = 0)."""

        def put(e: sympy.Expr | None) -> sympy.Expr | None:
            return None if e is None else sympy.sympify(e).subs(values, simultaneous=True)

        return FreeEnergy(
            put(self.expression),
            pairs=tuple(pair for pair in self.pairs if not set(pair) & set(values)),
            condensed=tuple(s for s in self.condensed if s not in values),
            bounds={s: b for s, b in self.bounds.items() if s not in values},
            interior=tuple(put(e) for e in self.interior),
            reported={k: put(e) for k, e in self.reported.items()},
            replicon=put(self.replicon),
            transverse=put(self.transverse),
        )


class Compiled:
    """Expressions compiled to NumPy; site averages are pulled out first and evaluated together, order by order."""

    def __init__(self, expressions: Sequence[sympy.Expr], arguments: Sequence[sympy.Symbol]) -> None:
        self.expressions = [sympy.sympify(e) for e in expressions]
        self.arguments = tuple(arguments)
        atoms = sorted(set().union(*(e.atoms(SiteTerm) for e in self.expressions)), key=sympy.default_sort_key)
        groups: dict[tuple[Any, ...], list[SiteTerm]] = {}
        for atom in atoms:
            groups.setdefault((type(atom), atom.fields), []).append(atom)
        self._families = [(key[0], [a.index for a in members]) for key, members in groups.items()]
        ordered = [a for members in groups.values() for a in members]
        symbols = [sympy.Symbol(f"site_{k}") for k in range(len(ordered))]
        replaced = dict(zip(ordered, symbols, strict=True))
        self._kept = [k for k, e in enumerate(self.expressions) if e != 0]
        elementary = [self.expressions[k].xreplace(replaced) for k in self._kept]
        fields = [f for key in groups for f in key[1]]
        self._field_counts = [len(key[1]) for key in groups]
        self._fields = sympy.lambdify(self.arguments, fields, "numpy", cse=True) if fields else None
        self._elementary = sympy.lambdify([*self.arguments, *symbols], elementary, "numpy", cse=True)

    def __call__(self, values: Sequence[Any], *, refine: int = 1) -> Array:
        """Evaluate at `values` (one (B,) array per argument); returns (number of expressions, B)."""
        size = len(values[0])
        single = size == 1
        # Python floats are several times faster than arrays of one element.
        arguments = [float(v[0]) for v in values] if single else list(values)
        sites: list[Any] = []
        with np.errstate(all="ignore"):
            if self._fields is not None:
                fields = iter(_guarded(self._fields, arguments))
                for (family, indices), count in zip(self._families, self._field_counts, strict=True):
                    columns = [np.broadcast_to(np.asarray(next(fields), float), (size,)) for _ in range(count)]
                    orders = family.orders(indices, columns, refine=refine)
                    sites.extend([float(o[0]) for o in orders] if single else orders)
            out = np.zeros((len(self.expressions), size))
            for k, value in zip(self._kept, _guarded(self._elementary, [*arguments, *sites]), strict=True):
                out[k] = value
        return out


def _guarded(function: Any, arguments: Sequence[Any]) -> list[Any]:
    """Evaluate; a division by zero or the root of a negative number gives infinity or NaN as it does in NumPy."""
    try:
        values = list(function(*arguments))
    except (ZeroDivisionError, OverflowError):
        values = list(function(*[np.float64(a) for a in arguments]))
    return [math.nan if isinstance(v, complex) else v for v in values]


class Equations:
    """Everything derived from one `FreeEnergy`.

    Parameters
    ----------
    free_energy : FreeEnergy
        The declaration.
    parameters : sequence of str
        Names of the parameters that may vary, in the order of the parameter vector.
    constants : sequence of str
        Names of the remaining symbols; they follow the parameters in the vector.

    Raises
    ------
    InvalidInput
        If a symbol of the free energy is neither variable, parameter nor constant, or a pair has no bilinear term.

    Examples
    --------
    >>> m, h = sympy.symbols("m h")
    >>> toy = Equations(FreeEnergy(m**2 / 2 - h * m, ((m, m),)), ("h",))
    >>> toy.residual
    [-h + m]
    """

    def __init__(self, free_energy: FreeEnergy, parameters: Sequence[str], constants: Sequence[str] = ()) -> None:
        self.free_energy = free_energy
        names = dict.fromkeys(s for pair in free_energy.pairs for s in pair)
        self.variables: tuple[sympy.Symbol, ...] = tuple(names)
        self.names = tuple(str(s) for s in self.variables)
        self.parameter_names = tuple(parameters)
        self.constant_names = tuple(constants)
        self.parameters = tuple(sympy.Symbol(n) for n in (*parameters, *constants))
        self.varied = self.parameters[: len(self.parameter_names)]
        unknown = free_energy.expression.free_symbols - set(self.variables) - set(self.parameters)
        if unknown:
            listed = ", ".join(sorted(map(str, unknown)))
            known = {str(s) for s in (*self.variables, *self.parameters)}
            hint = "; make it a plain symbol, without assumptions" if known & {str(s) for s in unknown} else ""
            raise InvalidInput(
                f"the free energy contains {listed}, declared neither as variable nor as parameter{hint}."
            )

    @cached_property
    def residual(self) -> list[sympy.Expr]:
        """``(df/dx_hat)/c`` in the order of `variables`: entry k updates variable k."""
        f = self.free_energy.expression
        updates: dict[sympy.Symbol, sympy.Expr] = {}
        for x, y in self.free_energy.pairs:
            c = self.coefficient(x, y)
            updates[x] = sympy.diff(f, y) / c
            updates[y] = sympy.diff(f, x) / c
        return [updates[v] for v in self.variables]

    def coefficient(self, x: sympy.Symbol, y: sympy.Symbol) -> sympy.Expr:
        """The factor of ``x y`` (or of ``x^2/2``) in a term free of all other variables."""
        terms = sympy.Add.make_args(self.free_energy.expression)
        unit = x * y if x != y else x**2 / 2
        found = [t / unit for t in terms if not (t / unit).free_symbols & set(self.variables)]
        if not found:
            smooth = sympy.Add(*(t for t in terms if not t.has(SiteTerm)))
            expanded = sympy.Add.make_args(sympy.expand(smooth, log=False, power_base=False, power_exp=False))
            found = [t / unit for t in expanded if not (t / unit).free_symbols & set(self.variables)]
        if not found:
            raise InvalidInput(
                f"the free energy has no term c*{x * y} that couples this pair, so no update rule can be read off; "
                "write that term out or declare other pairs."
            )
        return sympy.Add(*found)

    @cached_property
    def tangent(self) -> list[sympy.Expr]:
        """Jacobian of the residual row by row, then its derivatives in the varied parameters row by row."""
        out = [sympy.diff(r, v) for r in self.residual for v in self.variables]
        return out + [sympy.diff(r, p) for r in self.residual for p in self.varied]

    @cached_property
    def directions(self) -> tuple[sympy.Symbol, ...]:
        """Symbols of the direction v in ``J v``."""
        return tuple(sympy.Symbol(f"direction_{n}") for n in self.names)

    @cached_property
    def second(self) -> list[sympy.Expr]:
        """Derivatives of ``J v`` in the layout of `tangent`."""
        n = len(self.variables)
        columns = self.tangent[: n * n]
        jv = [sum((columns[i * n + j] * self.directions[j] for j in range(n)), sympy.S.Zero) for i in range(n)]
        out = [sympy.diff(e, v) for e in jv for v in self.variables]
        return out + [sympy.diff(e, p) for e in jv for p in self.varied]

    @cached_property
    def _compiled_residual(self) -> Compiled:
        return Compiled(self.residual, (*self.variables, *self.parameters))

    @cached_property
    def _compiled_tangent(self) -> Compiled:
        return Compiled([*self.residual, *self.tangent], (*self.variables, *self.parameters))

    @cached_property
    def _compiled_second(self) -> Compiled:
        arguments = (*self.variables, *self.parameters, *self.directions)
        return Compiled([*self.residual, *self.tangent, *self.second], arguments)

    @cached_property
    def _compiled_interior(self) -> Compiled | None:
        if not self.free_energy.interior:
            return None
        return Compiled(list(self.free_energy.interior), (*self.variables, *self.parameters))

    @cached_property
    def hessian(self) -> list[sympy.Expr]:
        """Second derivatives of f, row by row."""
        f = self.free_energy.expression
        return [sympy.diff(f, a, b) for a in self.variables for b in self.variables]

    def values(self, name: str, x: Array, p: Array, *, refine: int = 1) -> Array:
        """Evaluate a named scalar set at points: 'free_energy', 'entropy', 'slopes' (in the
        parameters), 'replicon', 'transverse', 'hessian', 'reported'.

        Returns
        -------
        (B, j) array
        """
        out: Array = self._scalar(name)(_columns(x, p), refine=refine).T
        return out

    def cold_entropy(self, x: Array, p: Array) -> Array:
        """The limit T -> 0 of ``-df/dT``, evaluated at T = 0 variables; (B,) array.

        ``T F(M/T, R/T^2)`` of Ising spins tends to ``E|h|`` with a correction of order T^2, so the site terms drop out;
        other families declare what is left (minus infinity for continuous spins).
        """
        temperature = sympy.Symbol("temperature")
        smooth = sympy.Add(*(t for t in sympy.Add.make_args(self.free_energy.expression) if not t.has(SiteTerm)))
        entropy = -sympy.diff(smooth, temperature).subs(temperature, 0)
        out: Array = Compiled([entropy], (*self.variables, *self.parameters))(_columns(x, p))[0]
        sites = self.free_energy.expression.atoms(SiteTerm)
        out = out + sum({type(s).residual_entropy for s in sites})
        return out

    def _scalar(self, name: str) -> Compiled:
        cache: dict[str, Compiled] = self.__dict__.setdefault("_scalars", {})
        if name not in cache:
            cache[name] = Compiled(self._named(name), (*self.variables, *self.parameters))
        return cache[name]

    def _named(self, name: str) -> list[sympy.Expr]:
        """The expressions behind the names that `values` accepts."""
        declared = self.free_energy
        f = declared.expression
        if name == "hessian":
            return self.hessian
        if name == "slopes":
            return [sympy.diff(f, p) for p in self.varied]
        if name == "reported":
            return [e for e in declared.reported.values() if e is not None]
        single = {"free_energy": f, "replicon": declared.replicon, "transverse": declared.transverse}
        if name == "entropy":
            single["entropy"] = -sympy.diff(f, sympy.Symbol("temperature"))
        return [single[name]]

    def problem(self, *, refine: int = 1) -> Problem:
        """The equations as plain callables for the solvers."""
        n, k = len(self.variables), len(self.varied)

        def residual(x: Array, p: Array) -> Array:
            return self._compiled_residual(_columns(x, p), refine=refine).T

        def linearise(x: Array, p: Array) -> Linearised:
            out = self._compiled_tangent(_columns(x, p), refine=refine).T
            return Linearised(*_split(out, n, k))

        def extend(x: Array, p: Array, v: Array) -> Extended:
            out = self._compiled_second(_columns(x, p, v), refine=refine).T
            size = n + n * n + n * k
            return Extended(*_split(out[:, :size], n, k), *_split(out[:, size - n :], n, k)[1:])

        def interior(x: Array, p: Array) -> Array:
            assert self._compiled_interior is not None
            return self._compiled_interior(_columns(x, p)).T

        bounds = [self.free_energy.bounds.get(s, (-np.inf, np.inf)) for s in self.variables]
        return Problem(
            residual=residual,
            linearise=linearise,
            extend=extend,
            interior=interior if self.free_energy.interior else None,
            lower=np.array([b[0] for b in bounds]),
            upper=np.array([b[1] for b in bounds]),
            refined=self.problem(refine=2) if refine == 1 else None,
            names=self.names,
            parameter_names=self.parameter_names,
        )

    def latex(self) -> dict[str, str]:
        """The free energy and the saddle-point equations ``x = ...`` as LaTeX.

        ``F_n(M, R)`` is the site average ``E_z g^{(n)}(M + sqrt(R) z)`` of `theory.sites`, with ``g = ln 2 cosh`` (a
        superscript 0 marks T = 0, where ``g = |h|``); ``A_{abn}`` carries the weights of the example state.

        Examples
        --------
        >>> m, h = sympy.symbols("m h_hat")
        >>> Equations(FreeEnergy(m**2 / 2 - h * m, ((m, m),)), ("h_hat",)).latex()["m"]
        'm = \\\\hat{h}'
        """
        names = {s: _typeset(str(s)) for s in (*self.variables, *self.parameters)}
        out = {"free_energy": sympy.latex(self.free_energy.expression, symbol_names=names)}
        for v, r in zip(self.variables, self.residual, strict=True):
            right = sympy.Add(*(sympy.factor_terms(t) for t in sympy.Add.make_args(sympy.expand_mul(v - r))))
            out[str(v)] = f"{names[v]} = {sympy.latex(right, symbol_names=names)}"
        return out

    def _repr_latex_(self) -> str:
        """What a notebook shows: the free energy and the equations, one below the other."""
        f, *equations = self.latex().values()
        lines = " \\\\\n".join(["f &= " + f, *(e.replace(" = ", " &= ", 1) for e in equations)])
        return f"$$\\begin{{aligned}}\n{lines}\n\\end{{aligned}}$$"


def _typeset(name: str) -> str:
    """LaTeX of a name of the field: temperature is T, x_hat has a hat, dp is a difference.

    Examples
    --------
    >>> _typeset("p_d_hat"), _typeset("kappa_1_squared")
    ('\\\\hat{p}_{d}', '\\\\kappa_{1}^{2}')
    """
    if name == "temperature":
        return "T"
    if name.endswith("_squared"):
        return _typeset(name.removesuffix("_squared").replace("star", "*")) + "^{2}"
    stem, hat, _ = name.partition("_hat")
    letter, _, index = stem.partition("_")
    delta = "\\delta " if letter == "dp" else ""
    letter = sympy.latex(sympy.Symbol(letter.removeprefix("d") if delta else letter))
    letter = f"\\hat{{{letter}}}" if hat else letter
    return delta + letter + (f"_{{{index}}}" if index else "")


def _columns(*blocks: Array) -> list[Array]:
    return [column for block in blocks for column in np.asarray(block).T]


def _split(out: Array, n: int, k: int) -> tuple[Array, Array, Array]:
    size = len(out)
    return (
        out[:, :n],
        out[:, n : n + n * n].reshape(size, n, n),
        out[:, n + n * n : n + n * n + n * k].reshape(size, n, k),
    )
