r"""Activations of a feature layer: by name, from a file, or any function of one real array.

Gaussian averages of an activation are taken on panels on which it is a polynomial to rounding.  The panels are found by
bisection, so that kinks and steps are located instead of assumed; between them Gauss-Legendre rules converge
exponentially.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput, nearest
from theory.quadrature import gauss_legendre

__all__ = ["NAMES", "Activation", "Pieces", "activation"]

Array = NDArray[np.float64]

_NODES = 16
_FIRST = 32  # panels to begin with
_SLIVER = 1e-9  # narrower panels are beside a kink
_ASIDE = 0.3130169943749
_MOST = 4000
_ROUNDING = 4e-14  # of the polynomial on a panel
_NARROWEST = 1e-14  # panel in units of the reach: what is left there is a kink or a step
_LARGEST = 1e140  # so that squares are numbers
_PROBE = np.array([-2.7, -1.1, -0.3, 0.2, 0.9, 1.7, 3.1])


class Pieces(NamedTuple):
    """Edges of panels on which a function is smooth, and the places among them where it is not."""

    edges: Array
    kinks: Array


@dataclass(frozen=True)
class Activation:
    """A function applied to every component of a feature layer.

    Attributes
    ----------
    name : str
        Name used on the command line and in records.
    function : callable
        Maps an array to an array of the same shape.
    kinks : tuple of float
        Where it is known not to be smooth; others are found.

    Examples
    --------
    >>> activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    name: str
    function: Callable[[Array], Any] = field(compare=False)
    kinks: tuple[float, ...] = ()

    def __call__(self, x: Array) -> Array:
        """Values at x.

        Raises
        ------
        InvalidInput
            If they are not finite numbers, one per element.
        """
        try:
            with np.errstate(all="ignore"):
                y = np.asarray(self.function(x))
        except (Exception, SystemExit) as problem:
            reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:120]
            raise InvalidInput(
                f"activation '{self.name}' fails on a float array ({reason}); give a function of one real array."
            ) from problem
        if y.shape != x.shape or y.dtype.kind not in "fiu":
            raise InvalidInput(
                f"activation '{self.name}' returned {y.dtype} of shape {y.shape} for floats of shape {x.shape}; "
                "give a function that maps a real array to a real array of the same shape."
            )
        if y.dtype.kind == "f" and y.dtype.itemsize < 8:
            raise InvalidInput(
                f"activation '{self.name}' returned {y.dtype}, too coarse for its averages; keep float64 throughout."
            )
        values = y.astype(np.float64)
        if not np.isfinite(values).all():
            where = float(x[~np.isfinite(values)].ravel()[0])
            raise InvalidInput(
                f"activation '{self.name}' is not finite at {where:.6g}; give a function with a second Gaussian moment."
            )
        large = np.abs(values) > _LARGEST
        if large.any():
            place, value = float(x[large][0]), float(values[large][0])
            raise InvalidInput(
                f"activation '{self.name}' reaches {value:.3g} at {place:.3g}, so that no second moment is found; "
                "give one that grows slower than exp(x^2/4)."
            )
        return values

    def pieces(self, reach: float) -> Pieces:
        """Panels that resolve the function on [-reach, reach].

        Raises
        ------
        InvalidInput
            If it has too many steps and kinks.
        """
        found = _bisected(self, reach, np.array(self.kinks))
        # Panels that stayed narrow hold a kink; with the kink as an edge most of the panels around it are not needed.
        return _bisected(self, reach, found.kinks) if found.kinks.size else found


def _bisected(function: Activation, reach: float, kinks: Array) -> Pieces:
    x, to_legendre, at_ends = _transform()
    inside = kinks[np.abs(kinks) < reach]
    first = np.linspace(-reach, reach, _FIRST + 1)
    first[1:-1] += _ASIDE * reach / _FIRST  # a kink on an edge would not be seen
    edges = np.unique(np.concatenate([first, inside]))
    if inside.size:  # an edge of the first grid beside a kink would make a sliver
        near = np.abs(edges[:, None] - inside).min(1)
        edges = edges[(near == 0.0) | (near > 1e-3 * reach / _FIRST)]
    low, high = edges[:-1], edges[1:]
    done: list[Array] = []
    tiny: list[Array] = [np.empty((2, 0))]
    count, typical = 0, float(np.sqrt(np.mean(function(np.linspace(-0.2 * reach, 0.2 * reach, 101)) ** 2)))
    while low.size:
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        values = function(middle[:, None] + half[:, None] * x)
        series, size = values[:, :_NODES] @ to_legendre, typical + np.abs(values).max(1)
        good = np.abs(series[:, -3:]).max(1) <= _ROUNDING * size
        # A step between the last node and the end of a panel shows at the end only.
        good &= np.abs(series @ at_ends - values[:, _NODES:]).max(1) <= 50.0 * _ROUNDING * size
        narrow = ~good & (high - low < _NARROWEST * reach)
        done.append(np.concatenate([low[good | narrow], high[good | narrow]]))
        small = narrow | (good & (high - low < _SLIVER * reach))  # the kink of a continuous function drowns earlier
        tiny.append(np.stack([middle[small], high[small] - low[small]]))
        count += int(good.sum() + narrow.sum())
        low, middle, high = (e[~good & ~narrow] for e in (low, middle, high))
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        if count + low.size > _MOST:
            raise InvalidInput(
                f"activation '{function.name}' is too rough or has no second moment ({_MOST} panels do not resolve "
                "it); use a function with finitely many steps or kinks that grows slower than exp(x^2/4)."
            )
    places = _places(np.concatenate(tiny, axis=1), reach)
    # A place beside a kink that is known is the same kink.
    fresh = [p for p in places if not inside.size or np.abs(inside - p).min() > 10.0 * _SLIVER * reach]
    return Pieces(np.unique(np.concatenate(done)), np.sort(np.concatenate([inside, np.array(fresh)])))


def _places(slivers: Array, reach: float) -> Array:
    """Kinks from panels that stayed narrow, in rows of middles and widths: the narrowest of each cluster."""
    middle, width = slivers[:, np.argsort(slivers[0])]
    cluster = np.cumsum(np.diff(middle, prepend=middle[:1]) > 10.0 * _SLIVER * reach)
    order = np.lexsort((width, cluster))
    best = order[np.unique(cluster[order], return_index=True)[1]]
    rounded = np.round(middle[best], 9) + 0.0  # kinks like round numbers
    return np.asarray(np.where(np.abs(middle[best] - rounded) < 2.0 * width[best], rounded, middle[best]))


@functools.lru_cache(maxsize=1)
def _transform() -> tuple[Array, Array, Array]:
    """Nodes and two points at the ends; from values at nodes to Legendre coefficients, and from these to the ends."""
    x, w = gauss_legendre(_NODES)
    orders = np.arange(_NODES)
    ends = np.array([-1.0, 1.0]) * (1.0 - 1e-9)
    to_legendre = np.polynomial.legendre.legvander(x, _NODES - 1) * w[:, None] * (orders + 0.5)
    from_legendre: Array = np.asarray(np.polynomial.legendre.legvander(ends, _NODES - 1).T, dtype=np.float64)
    return np.append(x, ends), to_legendre, from_legendre


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x), dtype=np.float64)


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _gelu(x: Array) -> Array:
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


_NAMED = {
    a.name: a
    for a in (
        Activation("tanh", np.tanh),
        Activation("relu", _relu, (0.0,)),
        Activation("erf", _erf),
        Activation("sigmoid", _sigmoid),
        Activation("gelu", _gelu),
        Activation("linear", lambda x: x),
    )
}
NAMES = tuple(_NAMED)


def activation(choice: str | Activation | Callable[[Array], Any]) -> Activation:
    """Return an activation by name, from a file, or from a function.

    Parameters
    ----------
    choice : str, Activation or callable
        One of 'tanh', 'relu', 'erf', 'sigmoid', 'gelu', 'linear'; ``path/to/file.py:function``; or a function of one
        real array.

    Raises
    ------
    InvalidInput
        For an unknown name, a missing file, or something that is no function of one real array.

    Examples
    --------
    >>> activation(np.sin).name
    'sin'
    """
    if isinstance(choice, Activation):
        return choice
    if isinstance(choice, str):
        if ".py:" in choice:
            return activation(_from_file(choice))
        if choice in _NAMED:
            return _NAMED[choice]
        close = nearest(choice, _NAMED)
        hint = f"did you mean '{close}'?" if close else "or give a function of your own as ./my.py:act."
        raise InvalidInput(f"activation '{choice}' is unknown; choose one of {', '.join(_NAMED)}; {hint}")
    if not callable(choice):
        raise InvalidInput(
            f"activation {choice!r} is not a function; give a name ({', '.join(_NAMED)}) or a function of one array."
        )
    made = Activation(str(getattr(choice, "__name__", type(choice).__name__)), choice)
    values = made(_PROBE)
    if not np.allclose(made(_PROBE[::-1].copy())[::-1], values) or not np.allclose(made(_PROBE[:3]), values[:3]):
        raise InvalidInput(
            f"activation '{made.name}' gives an element another value when the other elements change; "
            "give a function that acts on every element by itself."
        )
    return made


def _from_file(spec: str) -> Callable[[Array], Any]:
    """The function at ``path/to/file.py:function``."""
    place, _, name = spec.rpartition(":")
    path = Path(place).expanduser()
    found = importlib.util.spec_from_file_location(f"spinodal_activation_{path.stem}", path)
    if not path.is_file() or found is None or found.loader is None:
        raise InvalidInput(f"activation file '{place}' does not exist; give it as path/to/file.py:function.")
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as problem:
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())[:120]
        raise InvalidInput(
            f"activation file '{place}' fails to import ({reason}); give a file that defines a function."
        ) from problem
    function = getattr(module, name, None)
    if not callable(function):
        known = [k for k, v in vars(module).items() if callable(v) and not k.startswith("_")]
        raise InvalidInput(
            f"activation file '{place}' has no function '{name}'; it defines {', '.join(known) or 'none'}."
        )
    return function  # type: ignore[no-any-return]
