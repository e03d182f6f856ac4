"""Hessian spectra of the T = 0 states of vector Hopfield networks, from their order parameters to a resolved grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput
from theory.hessian import Edge, HessianLaw, Levels
from theory.local_fields import LocalFields
from theory.parameters import derived_of, fixed
from theory.problem import Status
from theory.quadrature import gauss_legendre
from theory.spectra import Spectrum
from theory.states import solve

__all__ = ["hessian_law", "hessian_spectrum", "local_fields"]

Array = NDArray[np.float64]

_NODES = 16  # of a panel
_ROUNDS = 12
_MISSING = 1e-11  # share of eigenvalues by which a panel may be wrong
# Inner ends of panels: in standard deviations of the local fields about their mean, and in units of the lower edge.
_STEPS = (-7.0, -4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0)
_TOP = 7.5


def local_fields(model: Any, state: str) -> LocalFields:
    """Law of the local fields of a T = 0 state of a vector Hopfield network.

    Parameters
    ----------
    model : VectorHopfield
        With alpha, at temperature 0.
    state : str
        "example" or "spin_glass".

    Raises
    ------
    InvalidInput
        At a temperature above 0.
    NotConverged
        Where the state does not exist.

    Examples
    --------
    >>> from theory.models.vector_hopfield import VectorHopfield
    >>> fields = local_fields(VectorHopfield(alpha=0.02, d=3), "example")
    >>> round(fields.mean, 9)  # twice the energy -.506896262292..., with the opposite sign
    1.013792525
    """
    return hessian_law(model, state, curved=False).fields


def hessian_law(model: Any, state: str, *, curved: bool = True) -> HessianLaw:
    """The limiting Hessian of a T = 0 state; with `curved` false d = 1 is allowed, for the local fields alone."""
    if model.temperature != 0.0:
        raise InvalidInput(
            f"temperature = {model.temperature:g} is not allowed; local fields and Hessian are those of minima of the "
            "energy, so leave the temperature at 0."
        )
    if curved and model.d < 2:
        raise InvalidInput(
            f"d = {model.d} has no Hessian, because Ising spins cannot turn; give a whole number with 2 <= d <= 200."
        )
    if state == "paramagnet":
        raise InvalidInput(
            "state 'paramagnet' has no minimum of the energy; choose example or spin-glass, at temperature = 0."
        )
    found = solve(model, state).order_parameters
    sigma, m = (float(found.get(name) or 0.0) for name in ("sigma", "m"))
    fields = LocalFields.hebbian(d=model.d, alpha=model.alpha, m=m, sigma=sigma)
    return HessianLaw(model.d, model.alpha, fields)


def hessian_spectrum(model: Any, state: str, *, points: int) -> Spectrum:
    """Density of the Hessian's eigenvalues, with the localisation of its eigenvectors.

    Notes
    -----
    `participation` is ``N sum_i |psi_i|^4`` of normalised eigenvectors with d - 1 components per spin,
    ``kappa (d+1)/(d-1)``: of order 1 where they extend over the system, and without bound (None) where they are
    localised; in a finite system it ends at N.  `soft_law` is ``p(lambda/Lambda)/Lambda``, to which a density without
    edge tends at zero.
    """
    law = hessian_law(model, state)
    ends, edge = _ends(law)
    nodes = max(_NODES, math.ceil(points / (len(ends) - 1)))
    grid, weight, levels = _resolved(law, ends, nodes)
    d, stable = law.d, law.Lambda > 0.0
    soft = {"soft_law": law.fields.cavity.density(grid / law.Lambda) / law.Lambda} if stable else {}
    return Spectrum(
        model=model.name,
        state=state,
        matrix="Hessian of the energy at a minimum, tangential to the spins",
        parameters=fixed(model),
        status=Status.CONVERGED,
        edge=edge.value if edge else None,
        edge_error=edge.error if edge else None,
        eigenvalue=grid,
        density=levels.density,
        density_error=levels.error,
        cumulative=levels.cumulative,
        weight=weight,
        curves={"participation": (d + 1) / (d - 1) * levels.spread, **soft},
        quantities={
            "lower_end": "square-root edge" if edge else "pseudogap",
            "Lambda": law.Lambda if math.isfinite(law.Lambda) else None,
            "rs_stable": stable,
            "mean": law.mean,
            "standard_deviation": law.deviation,
            "local_fields": dict(law.fields.summary()),
        },
        derived=derived_of(model),
    )


def _ends(law: HessianLaw) -> tuple[Array, Edge | None]:
    """Ends of panels, from the lower edge or zero to where less than 1e-12 lies beyond.

    Among them are the edges that bands would have without the Gaussian tails of the local fields: at low load P
    eigenvalues lie apart, near 1/d.
    """
    edge, cavity = law.edge(), law.fields.cavity
    low, high = cavity.reach
    scan = np.linspace(low - 2.0 * (law.w + law.deviation), high, 4000)
    scan = scan[np.abs(scan) > 1e-6 * cavity.sigma]
    a = law.averages(scan.astype(np.complex128))
    level, slope = (scan * law.ratio(a)).real, law.slope(a).real
    faint = cavity.density(scan) * cavity.sigma < 1e-6
    turns = np.flatnonzero((slope[1:] * slope[:-1] < 0.0) & faint[1:] & faint[:-1])
    lowest = edge.value if edge else 0.0
    top = np.array([math.hypot(cavity.m, math.sqrt(law.d) * cavity.sigma) + _TOP * cavity.sigma])
    highest = float((top * law.ratio(law.averages(top.astype(np.complex128))).real)[0])
    steps = law.fields.mean + cavity.sigma * np.array(_STEPS)
    graded = lowest * np.array([2.0, 5.0, 20.0])  # the density bends within a distance of the edge itself
    gap, kept = 1e-6 * (highest - lowest), [lowest]
    for value in np.sort(np.concatenate([steps, level[turns], graded])):
        if kept[-1] + gap < value < highest - gap:
            kept.append(float(value))
    return np.array([*kept, highest]), edge


def _resolved(law: HessianLaw, ends: Array, nodes: int) -> tuple[Array, Array, Levels]:
    """Grid, weights and levels; panels are halved until the density integrates to the distribution function."""
    x, w = gauss_legendre(nodes)
    u, w = 0.25 * math.pi * (x + 1.0), 0.25 * math.pi * w
    share, jacobian = np.sin(u) ** 2, np.sin(2.0 * u) * w  # square roots at both ends become smooth
    start, stop = ends[:-1], ends[1:]
    low, high = np.zeros(len(start)), np.ones(len(start))
    inner = law.levels(ends[1:-1]).cumulative if len(ends) > 2 else np.zeros(0)
    low[1:], high[:-1] = inner, inner
    done: list[tuple[Array, Array, Levels]] = []
    for k in range(_ROUNDS):
        width = stop - start
        grid = start[:, None] + width[:, None] * share
        weight = width[:, None] * jacobian
        levels = Levels(*(v.reshape(grid.shape) for v in law.levels(grid.ravel())))
        wrong = np.abs((weight * levels.density).sum(axis=1) - (high - low)) > _MISSING
        wrong &= k < _ROUNDS - 1
        done += [(grid[i], weight[i], Levels(*(v[i] for v in levels))) for i in np.flatnonzero(~wrong)]
        if not wrong.any():
            break
        start, stop, low, high = start[wrong], stop[wrong], low[wrong], high[wrong]
        middle = 0.5 * (start + stop)
        between = law.levels(middle).cumulative
        start, stop = np.stack([start, middle], axis=1).ravel(), np.stack([middle, stop], axis=1).ravel()
        low, high = np.stack([low, between], axis=1).ravel(), np.stack([between, high], axis=1).ravel()
    done.sort(key=lambda panel: float(panel[0][0]))
    columns = Levels(*(np.concatenate(v) for v in zip(*(panel[2] for panel in done), strict=True)))
    return np.concatenate([p[0] for p in done]), np.concatenate([p[1] for p in done]), columns
