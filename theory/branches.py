"""A state followed in one parameter through its spinodals, with its order parameters and stability on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory import continuation
from theory.errors import InvalidInput, NotConverged
from theory.model import checked
from theory.points import anchor, reported, span_of

__all__ = ["StateBranch", "branch"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StateBranch:
    """A state followed through its spinodals.

    Attributes
    ----------
    vary : str
    parameter : (s,) array
    order_parameters : dict of str to (s,) array
    stable : (s,) bool array
        Whether the point is a minimum in the condensed overlaps.
    replicon : (s,) array or None
    folds : list of float
        Spinodals on the branch, solved for.
    stopped : tuple of StopReason
        Why either end was reached.
    """

    vary: str
    parameter: Array
    order_parameters: dict[str, Array]
    stable: NDArray[np.bool_]
    replicon: Array | None
    folds: list[float]
    stopped: tuple[continuation.StopReason, continuation.StopReason]


def branch(
    model: Any, state: str = "example", *, vary: str, span: tuple[float, float], L: int | None = None
) -> StateBranch:
    """Follow a state in one parameter over a range, through its folds.

    Parameters
    ----------
    model : Model
    state, vary, L
        As for `threshold`.
    span : (float, float)
        Range of the parameter, both positive.

    Returns
    -------
    StateBranch
        Ordered along the branch.

    Raises
    ------
    InvalidInput
        For a bad span or unknown names.
    NotConverged
        If the state is not found at any value.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> found = branch(Hopfield(), "example", vary="alpha", span=(0.01, 0.2))
    >>> [round(f, 9) for f in found.folds]
    [0.137905566]
    """
    state, L = checked(model, state, vary=vary, L=L)
    if not 0.0 < span[0] < span[1] < np.inf:
        raise InvalidInput(f"span = {span} is not allowed; give 0 < low < high.")
    if vary == "temperature":
        model = replace(model, temperature=1.0)
    found = anchor(model, state, L, vary)
    if found is None:
        raise NotConverged(f"NO_SOLUTION: the state '{state}' of {model.name} was not found at any {vary}.", None)
    origin, x = found
    limits = span_of(model, vary)
    reach = (max(min(span[0], origin.parameters[origin.column(vary)]), limits[0]),
             min(max(span[1], origin.parameters[origin.column(vary)]), limits[1]))  # fmt: skip
    parts = [
        continuation.trace(
            origin.equations.problem(), x, origin.parameters, origin.column(vary), towards=towards, span=reach,
            stop=lambda y, _: origin.condensed(y) < 1e-6, largest_step=0.2,
        )
        for towards in (-1, 1)
    ]  # fmt: skip
    parameter = np.concatenate([parts[0].parameter[:0:-1], parts[1].parameter])
    points = np.concatenate([parts[0].x[:0:-1], parts[1].x])
    keep = (parameter >= span[0] * (1 - 1e-9)) & (parameter <= span[1] * (1 + 1e-9))
    parameter, points = parameter[keep], points[keep]
    there = [origin.at(vary, float(v)) for v in parameter]
    rows = [reported(p, y) for p, y in zip(there, points, strict=True)]
    names = [k for k, e in origin.equations.free_energy.reported.items() if e is not None]
    replicon = None
    if origin.equations.free_energy.replicon is not None:
        replicon = np.array([p.scalar("replicon", y) for p, y in zip(there, points, strict=True)])
    return StateBranch(
        vary=vary,
        parameter=parameter,
        order_parameters={k: np.array([r[k] for r in rows], float) for k in names},
        stable=np.array([p.stable(y) for p, y in zip(there, points, strict=True)], bool),
        replicon=replicon,
        folds=[f.parameter for part in parts for f in part.folds if span[0] <= f.parameter <= span[1]],
        stopped=(parts[0].stopped, parts[1].stopped),
    )
