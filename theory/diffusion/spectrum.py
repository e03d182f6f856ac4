"""The spectrum of a score model as a `Spectrum`: density on nodes in every bulk, edges, atoms, time scales."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.diffusion.bulks import bulks, nodes_of
from theory.diffusion.resolvent import ScoreModel
from theory.diffusion.times import time_scales
from theory.errors import whole_number
from theory.spectra import FEWEST_POINTS, MOST_POINTS, Spectrum

__all__ = ["described", "score_spectrum"]

MATRIX = "feature matrix U of a score model (Gaussian equivalent)"
_FEWEST = 24  # points in a bulk


def described(model: ScoreModel) -> dict[str, Any]:
    """What a result says of the model that it belongs to."""
    return {
        "activation": model.constants.activation,
        "sigma": model.population.to_json(),
        "constants": model.constants.to_json(),
    }


def score_spectrum(model: ScoreModel, *, points: int = 400) -> Spectrum:
    """Density of eigenvalues of the feature matrix, with all edges, atoms and the time scales of training.

    Parameters
    ----------
    model : ScoreModel
    points : int
        About how many eigenvalues the grid has, at least, shared among the bulks.

    Raises
    ------
    InvalidInput
        For something that is no score model, or too few or too many points.
    NotConverged
        If the weights do not add to one.

    Examples
    --------
    >>> found = score_spectrum(ScoreModel(8, 64, 0.01))
    >>> [[round(x, 9) for x in edge] for edge in found.quantities["edges"]]
    [[0.013054254, 0.046572634, 0.875], [1.203588663, 5.627397459, 0.125]]
    """
    points = whole_number("points", points, FEWEST_POINTS, MOST_POINTS)
    found, times = bulks(model), time_scales(model)
    each = max(_FEWEST, -(-points // max(1, len(found.bulks))))
    grids = [nodes_of(model, bulk, points=each) for bulk in found.bulks]
    below = model.atom + np.cumsum([0.0, *(bulk.weight for bulk in found.bulks)])
    columns = {
        name: np.concatenate([getattr(nodes, name) for nodes in grids])
        for name in ("eigenvalue", "density", "error", "weight", "features")
    }
    cumulative = np.concatenate([nodes.cumulative + before for nodes, before in zip(grids, below, strict=False)])
    lowest = found.bulks[0]
    scales = times.to_json()
    scales.pop("status")
    return Spectrum(
        model="score",
        state="gaussian_equivalent",
        matrix=MATRIX,
        parameters={"psi_p": float(model.psi_p), "psi_n": float(model.psi_n), "t": float(model.t)},
        status=found.status,
        edge=lowest.low,
        edge_error=lowest.error,
        eigenvalue=columns["eigenvalue"],
        density=columns["density"],
        density_error=columns["error"],
        cumulative=cumulative,
        weight=columns["weight"],
        atoms=found.atoms,
        curves={"features": columns["features"]},
        quantities={
            "edges": [[bulk.low, bulk.high, bulk.weight] for bulk in found.bulks],
            "bulks": [bulk.to_json() for bulk in found.bulks],
            **{("time_error" if name == "error" else name): value for name, value in scales.items()},
            "outlier_squared_mean": model.constants.mu0**2,
            **described(model),
        },
    )
