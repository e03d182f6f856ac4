"""Eigenvalue spectra in the limit of large systems, whatever matrix a model has: one result for all of them.

A model answers `Model.spectrum`; what it gives is a continuous density on a grid with integration weights, edges
where bulks end, and atoms (isolated eigenvalues, or eigenvalues of finite weight).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput
from theory.model import checked
from theory.problem import Status

__all__ = ["FEWEST_POINTS", "MOST_POINTS", "Spectrum", "spectrum"]

Array = NDArray[np.float64]

FEWEST_POINTS, MOST_POINTS = 20, 20_000


@dataclass(frozen=True)
class Spectrum:
    """A limiting spectrum.

    Attributes
    ----------
    model, state : str
    matrix : str
        What the eigenvalues are those of, in words.
    parameters : dict of str to float
    status : Status
    edge, edge_error : float or None
        Where the density starts like a square root, and its error; None where it has no such edge.
    eigenvalue, density, density_error, cumulative, weight : (n,) array
        Density of eigenvalues (integral 1 with the atoms), its estimated error, the share of eigenvalues below, and
        integration weights: ``(weight * density * f(eigenvalue)).sum()`` is the average of f over the continuous part.
    atoms : tuple of (float, float)
        Position and weight of single eigenvalues; weight 0 for isolated ones.
    error : float or None
        Largest error of the density, in units of its maximum.
    curves : dict of str to (n,) array
        Further functions of the eigenvalue, such as participation ratios.
    quantities : dict
        Further numbers that the model reports.
    derived : dict
        What the model reports with every result (`Model.derived`).

    Notes
    -----
    `normalisation` is the integral of the density by the weights, plus the atoms; the distribution function does not
    enter it, so it checks the density.
    """

    model: str
    state: str
    matrix: str
    parameters: dict[str, float]
    status: Status
    edge: float | None
    edge_error: float | None
    eigenvalue: Array
    density: Array
    density_error: Array
    cumulative: Array
    weight: Array
    atoms: tuple[tuple[float, float], ...] = ()
    curves: dict[str, Array] = field(default_factory=dict)
    quantities: dict[str, Any] = field(default_factory=dict)
    derived: dict[str, Any] = field(default_factory=dict)

    @property
    def normalisation(self) -> float:
        """Integral of the density, and the weight of the atoms; 1 up to the error of the grid."""
        return float(self.weight @ self.density) + sum(w for _, w in self.atoms)

    @property
    def error(self) -> float | None:
        """Largest error of the density, in units of its maximum."""
        return float(self.density_error.max() / self.density.max()) if self.density.size else None

    def moment(self, order: int, *, about: float = 0.0) -> float:
        """``E (lambda - about)^order``, by the weights of the grid."""
        powers = self.density * (self.eigenvalue - about) ** order
        return float(self.weight @ powers) + sum(w * (x - about) ** order for x, w in self.atoms)

    def to_json(self) -> dict[str, Any]:
        """The spectrum as plain types."""
        own = {k: v for k, v in self.__dict__.items() if k not in ("curves", "quantities", "derived", "weight")}
        arrays = {k: v.tolist() for k, v in own.items() if isinstance(v, np.ndarray)}
        head = {**own, "status": self.status.value, "atoms": [list(a) for a in self.atoms]}
        curves = {k: v.tolist() for k, v in self.curves.items()}
        summary = {"error": self.error, "normalisation": self.normalisation, **self.quantities}
        return {**head, **summary, **arrays, **curves, "weight": self.weight.tolist(), **self.derived}


def spectrum(model: Any, state: str = "example", *, points: int = 400) -> Spectrum:
    """Density of eigenvalues of a model's matrix in one of its states.

    Parameters
    ----------
    model : Model
        All parameters given.
    state : str
    points : int
        About how many eigenvalues the grid has, at least; it gets more where the density is not resolved.

    Returns
    -------
    Spectrum

    Raises
    ------
    InvalidInput
        For unknown states, missing parameters, or a model without spectrum.
    NotConverged
        Where the state does not exist.

    Examples
    --------
    >>> from theory.models.vector_hopfield import VectorHopfield
    >>> found = spectrum(VectorHopfield(alpha=0.04, d=3), "spin-glass")
    >>> round(found.edge, 8), abs(found.normalisation - 1) < 1e-9
    (0.00783979, True)
    """
    if isinstance(points, bool) or not FEWEST_POINTS <= points <= MOST_POINTS or points != int(points):
        raise InvalidInput(
            f"points = {points} is not allowed; give a whole number with {FEWEST_POINTS} <= points <= {MOST_POINTS}."
        )
    state, _ = checked(model, state)
    found: Spectrum = model.spectrum(state, points=int(points))
    return found
