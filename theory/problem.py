"""The problem a solver sees: plain callables over a batch of points.  Solvers know nothing of models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput

__all__ = ["Extended", "Linearised", "Problem", "Status", "scale_of"]

Array = NDArray[Any]

SLACK = 1e-9


class Status(Enum):
    """How a computation ended; every member carries the likely cause and the remedy."""

    cause: str
    remedy: str

    def __new__(cls, value: str, cause: str, remedy: str) -> Status:
        member = object.__new__(cls)
        member._value_ = value
        member.cause = cause
        member.remedy = remedy
        return member

    CONVERGED = ("CONVERGED", "the residual on a finer quadrature is below tolerance", "nothing to do")
    MAX_ITERATIONS = (
        "MAX_ITERATIONS",
        "the iteration was still moving when its budget ended",
        "start closer, or raise max_iterations",
    )
    DIVERGED = ("DIVERGED", "no step along the Newton direction lowers the residual", "start closer to the solution")
    NONFINITE = ("NONFINITE", "the equations gave a value that is not finite", "start inside the physical domain")
    LEFT_DOMAIN = (
        "LEFT_DOMAIN",
        "the iteration is pinned at the border of the physical domain",
        "start closer, or check that the state exists at this point",
    )
    SINGULAR = (
        "SINGULAR",
        "the Jacobian is singular, as at a spinodal or a continuous transition",
        "step away from the transition, or ask for the threshold itself",
    )
    WRONG_BRANCH = (
        "WRONG_BRANCH",
        "the equations were solved, but by another state than the one asked for",
        "start closer to the state, or ask for its spinodal",
    )
    NO_SOLUTION = (
        "NO_SOLUTION",
        "the state does not exist at this point",
        "move to the side of the nearest spinodal where it exists",
    )


class Linearised(NamedTuple):
    """Residual (B, n), Jacobian (B, n, n) and parameter derivatives (B, n, k)."""

    residual: Array
    jacobian: Array
    parameters: Array


class Extended(NamedTuple):
    """A linearisation together with the derivatives of ``J v`` in x (B, n, n) and in the parameters (B, n, k)."""

    residual: Array
    jacobian: Array
    parameters: Array
    second: Array
    mixed: Array


@dataclass(frozen=True)
class Problem:
    """Find x with ``residual(x, p) = 0``; x is (B, n), p is (B, k), real or complex.

    Attributes
    ----------
    residual : callable
        ``(x, p) -> (B, n)``; for a fixed-point map g it is ``x - g(x)``.
    linearise : callable
        ``(x, p) -> Linearised``.
    extend : callable or None
        ``(x, p, v) -> Extended``; folds need it.
    interior : callable or None
        ``(x, p) -> (B, j)``: quantities that are positive on the physical branch.
    lower, upper : (n,) array or None
        Bounds of a real x.
    refined : Problem or None
        The same equations on a finer quadrature; convergence is judged there.
    names, parameter_names : tuple of str
        Labels for messages.
    """

    residual: Callable[[Array, Array], Array]
    linearise: Callable[[Array, Array], Linearised]
    extend: Callable[[Array, Array, Array], Extended] | None = None
    interior: Callable[[Array, Array], Array] | None = None
    lower: Array | None = None
    upper: Array | None = None
    refined: Problem | None = None
    names: tuple[str, ...] = ()
    parameter_names: tuple[str, ...] = ()

    @classmethod
    def from_callables(
        cls,
        residual: Callable[[Array, Array], Array],
        jacobian: Callable[[Array, Array], Array],
        *,
        parameter_jacobian: Callable[[Array, Array], Array] | None = None,
        second: Callable[[Array, Array, Array], tuple[Array, Array]] | None = None,
        domain: tuple[Array, Array] | None = None,
        names: tuple[str, ...] = (),
        parameter_names: tuple[str, ...] = (),
    ) -> Problem:
        """Build a problem from separate batched callables.

        Examples
        --------
        >>> square = Problem.from_callables(lambda x, p: x**2 - p, lambda x, p: 2 * x[:, :, None])
        >>> square.linearise(np.array([[3.0]]), np.array([[2.0]])).jacobian.item()
        6.0
        """

        def linearise(x: Array, p: Array) -> Linearised:
            f = residual(x, p)
            extra = parameter_jacobian(x, p) if parameter_jacobian else np.full((*x.shape, p.shape[1]), np.nan)
            return Linearised(f, jacobian(x, p), extra)

        def extend(x: Array, p: Array, v: Array) -> Extended:
            assert second is not None
            return Extended(*linearise(x, p), *second(x, p, v))

        return cls(
            residual=residual,
            linearise=linearise,
            extend=extend if second is not None else None,
            lower=None if domain is None else np.asarray(domain[0], float),
            upper=None if domain is None else np.asarray(domain[1], float),
            names=names,
            parameter_names=parameter_names,
        )

    def inside(self, x: Array, p: Array) -> NDArray[np.bool_]:
        """Whether every point is finite, within the bounds and in the interior; (B,) bools."""
        ok: NDArray[np.bool_] = np.asarray(np.isfinite(x).all(axis=1))
        # A saturated state sits on its bound (m = 1, chi = 0 to rounding), so the bounds have a little slack.
        if self.lower is not None:
            ok &= (x >= self.lower - SLACK).all(axis=1)
        if self.upper is not None:
            ok &= (x <= self.upper + SLACK).all(axis=1)
        if self.interior is not None:
            with np.errstate(all="ignore"):
                ok &= (self.interior(x, p) > 0.0).all(axis=1)
        return ok


def scale_of(x: Array) -> Array:
    """Magnitude by which each component is measured; components near zero are measured absolutely."""
    return np.maximum(np.abs(x), 1e-3)


def as_batch(x: Any, p: Any) -> tuple[Array, Array]:
    """Bring a start and parameters to (B, n) and (B, k).

    Raises
    ------
    InvalidInput
        If the shapes do not fit, or a value is not finite.
    """
    x2, p2 = np.atleast_2d(np.asarray(x)), np.atleast_2d(np.asarray(p, float))
    x2 = x2.astype(complex if np.iscomplexobj(x2) else float)
    if x2.ndim != 2 or p2.ndim != 2 or (len(x2) not in (1, len(p2)) and len(p2) != 1):
        raise InvalidInput(
            f"a start of shape {np.shape(x)} does not fit parameters of shape {np.shape(p)}; "
            "give (n,) and (k,), or one row per point."
        )
    size = max(len(x2), len(p2))
    x2 = np.array(np.broadcast_to(x2, (size, x2.shape[1])))
    p2 = np.array(np.broadcast_to(p2, (size, p2.shape[1])))
    if not (np.isfinite(x2).all() and np.isfinite(p2).all()):
        raise InvalidInput("the start or the parameters contain NaN or infinity; give finite numbers.")
    return x2, p2
