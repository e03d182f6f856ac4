r"""Stability of replica symmetry of vector spins, sector by sector of the overlap matrix of two replicas.

The overlaps ``Q_ab = s_a.s'_b/N`` of two replicas are a d x d matrix.  About a replica-symmetric state they are a
multiple of 1 (a condensed pattern fixes a gauge, but turning spins and patterns together leaves the law of fields as it
was), so fluctuations that sum to zero over replicas split into isotropic, symmetric traceless and antisymmetric ones,
and examples, features and spins act on each as numbers: the determinants as on an isotropic one wherever their channels
feel the sector at all, spins by `theory.vector_sites.response_weights`.  Therefore the isotropic replicon, that of
`Solution.replicon`, is the smallest for all couplings.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import sympy

from theory.equations import Compiled
from theory.errors import InvalidInput
from theory.states import solve
from theory.vector_sites import Sector

__all__ = ["replicon_sectors"]


def replicon_sectors(model: Any, state: str = "spin_glass", *, L: int | None = None) -> dict[str, float | None]:
    """The replicon of every sector at a state of a model that declares them.

    Parameters
    ----------
    model : VectorRandomFeatures
        With d >= 2 and all parameters given.
    state : str
    L : int or None
        Size of a mixture.

    Returns
    -------
    dict
        'isotropic', 'symmetric' and 'antisymmetric'; None where overlaps of that sector are no order parameters, or
        their response diverges.

    Raises
    ------
    InvalidInput
        For a model without sectors.
    NotConverged
        If the state does not exist at this point.

    Examples
    --------
    >>> from theory.models.vector_random_features import VectorRandomFeatures
    >>> glass = VectorRandomFeatures(alpha=0.1, alpha_d=0.2, d=3, variant="scalar", temperature=0.5)
    >>> found = replicon_sectors(glass)
    >>> found["isotropic"] < found["symmetric"] < found["antisymmetric"]
    True
    """
    if not hasattr(model, "replicon") or model.d < 2:
        raise InvalidInput(
            f"{getattr(model, 'name', model)} at this point has one replicon; sectors are those of "
            "vector-random-features with d >= 2."
        )
    solution = solve(model, state, L=L)
    known = {**model.constants(), **solution.parameters, **(solution.variables or {})}
    found: dict[str, float | None] = {}
    for sector in get_args(Sector):
        expression = model.replicon(solution.state, solution.L or 1, sector)
        if expression is None:
            found[sector] = None
            continue
        symbols = sorted(expression.free_symbols, key=str)
        values = [np.array([float(sympy.N(known[str(s)]))]) for s in symbols]
        found[sector] = float(Compiled([expression], symbols)(values)[0, 0])
    return found
