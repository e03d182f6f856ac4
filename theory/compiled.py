"""A compiled engine for whole spinodal lines: the derived fold system of one model as machine code.

The expressions are the same ones that `theory.equations` derives; here they are printed as one scalar function,
compiled by numba, and a Newton iteration walks along the line with cubic extrapolation from point to point.  It
exists where the site terms have closed forms (Ising spins at T = 0).  Compilation takes seconds once; the machine
code is kept in a cache folder, so that later processes start in a fraction of a second.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import sympy
from numpy.typing import NDArray
from sympy.printing.pycode import PythonCodePrinter

from theory import fold_walk
from theory.equations import Equations
from theory.errors import InvalidInput
from theory.sites import IsingZero, SiteTerm

__all__ = ["available", "fold_line"]

Array = NDArray[np.float64]


@functools.lru_cache(maxsize=128)
def available(equations: Equations) -> bool:
    """Whether every site term has a closed scalar form."""
    return all(isinstance(a, IsingZero) for r in equations.residual for a in r.atoms(SiteTerm))


def _source(equations: Equations) -> str:
    """Python source of ``extended(x, p, v, site, F, J, Fp, H, K)`` for one point."""
    n, k = len(equations.variables), len(equations.varied)
    named = (equations.variables, equations.parameters, equations.directions)
    # Neutral names: a model may call a variable x, p or v, or by a word of the language.
    safe = {s: sympy.Symbol(f"symbol_{i}") for i, s in enumerate(s for symbols_of in named for s in symbols_of)}
    expressions = [e.xreplace(safe) for e in (*equations.residual, *equations.tangent, *equations.second)]
    atoms = sorted(set().union(*(e.atoms(SiteTerm) for e in expressions)), key=sympy.default_sort_key)
    groups = list(dict.fromkeys(a.fields for a in atoms))
    symbols = {a: sympy.Symbol(f"site_{groups.index(a.fields)}_{a.index[0]}") for a in atoms}
    kept = [i for i, e in enumerate(expressions) if e != 0]
    fields = [f for g in groups for f in g]
    shared, reduced = sympy.cse([*fields, *(expressions[i].xreplace(symbols) for i in kept)])
    printer = PythonCodePrinter({"fully_qualified_modules": False})
    lines = ['@numba.njit(error_model="numpy")', "def extended(x, p, v, site, F, J, Fp, H, K):"]
    for symbols_of, name in zip(named, "xpv", strict=True):
        lines += [f"    {safe[s]} = {name}[{i}]" for i, s in enumerate(symbols_of)]
    # Sites need their fields first: shared subexpressions are emitted as soon as what they use is known.
    waiting = list(shared)
    known = {str(s) for s in safe.values()}

    def emit() -> None:
        progress = True
        while progress:
            progress = False
            for pair in list(waiting):
                if {str(s) for s in pair[1].free_symbols} <= known:
                    lines.append(f"    {pair[0]} = {printer.doprint(pair[1])}")
                    known.add(str(pair[0]))
                    waiting.remove(pair)
                    progress = True

    emit()
    position = 0
    for group in groups:
        printed = [printer.doprint(reduced[position + i]) for i in range(len(group))]
        position += len(group)
        lines.append(f"    absolute_orders({', '.join(printed)}, site)")
        for a in atoms:
            if a.fields == group:
                lines.append(f"    {symbols[a]} = site[{a.index[0]}]")
                known.add(str(symbols[a]))
    emit()
    places = [f"F[{i}]" for i in range(n)]
    for matrix in ("J", "H"):
        places += [f"{matrix}[{i}, {j}]" for i in range(n) for j in range(n)]
        places += [f"{'Fp' if matrix == 'J' else 'K'}[{i}, {j}]" for i in range(n) for j in range(k)]
    for i, e in zip(kept, reduced[position:], strict=True):
        lines.append(f"    {places[i]} = {printer.doprint(e)}")
    return "\n".join(lines) + "\n"


def _cache_folder() -> Path:
    """Where generated modules live: $SPINODAL_CACHE, else the user's cache folder, else a temporary one."""
    chosen = os.environ.get("SPINODAL_CACHE")
    base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "spinodal"
    try:
        base.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=base):
            return base
    except OSError:
        return Path(tempfile.mkdtemp(prefix="spinodal-"))


@functools.lru_cache(maxsize=32)
def _module(source: str) -> ModuleType:
    """Import generated source from a file, so that numba can keep the machine code beside it."""
    name = "spinodal_" + hashlib.sha256((source + numba.__version__).encode()).hexdigest()[:20]
    path = _cache_folder() / f"{name}.py"
    if not path.exists() or path.read_text() != source:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            file.write(source)
        os.replace(temporary, path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@functools.lru_cache(maxsize=32)
def _walk(equations: Equations) -> Any:
    """The compiled walk of one set of equations."""
    generic = inspect.getsource(fold_walk.walk).replace("    extended: Any,\n", "")
    parts = [
        "import math\nfrom math import exp, log, pi, sqrt\nfrom typing import Any\n",
        "import numba\nimport numpy as np\nfrom numpy.typing import NDArray\n\nArray = NDArray[np.float64]\n",
        *(inspect.getsource(f.py_func) for f in (fold_walk.absolute_orders, fold_walk.factor, fold_walk.substitute)),
        _source(equations),
        '@numba.njit(cache=True, error_model="numpy")\n' + generic,
    ]
    return _module("from __future__ import annotations\n\n" + "\n\n".join(parts)).walk


def fold_line(
    equations: Equations,
    x: Array,
    null: Array,
    p: Array,
    *,
    column: int,
    along: int,
    values: Array,
    tolerance: float = 1e-12,
) -> tuple[int, Array, Array, Array, Array]:
    """Folds at all `values` of one parameter, walking from the first.

    Parameters
    ----------
    equations : Equations
        With closed site terms (see `available`).
    x, null : (n,) array
        Start near the first fold, and its null vector (unscaled).
    p : (k,) array
        Parameters; entry `column` is the start of the unknown.
    column, along : int
        The unknown parameter and the given one.
    values : (s,) array
        Positive values of the given parameter, in walking order.
    tolerance : float
        Largest scaled residual.

    Returns
    -------
    count : int
        How many points converged before the first failure.
    x : (s, n) array
    parameter, error, curvature : (s,) array
        As in `theory.folds.Folds`.

    Raises
    ------
    InvalidInput
        If a site term has no closed scalar form.
    """
    if not available(equations):
        raise InvalidInput(
            "the compiled engine needs site terms in closed form (Ising spins at T = 0); use engine='numpy'."
        )
    n, s = len(equations.variables), len(values)
    scale = np.maximum(np.abs(x), 1e-12)
    right = null / scale
    right = right / np.linalg.norm(right)
    jacobian = equations.problem().linearise(x[None], p[None]).jacobian[0] * scale[None, :] / scale[:, None]
    left = np.linalg.svd(jacobian)[0][:, -1]
    out_x, out = np.full((s, n), np.nan), np.full(s, np.nan)
    error, curvature = np.full(s, np.nan), np.full(s, np.nan)
    count = _walk(equations)(
        p.copy(), column, values, np.log(values), along, x.copy(), right.copy(), left.copy(), tolerance,
        out_x, out, error, curvature,
    )  # fmt: skip
    return int(count), out_x, out, error, curvature
