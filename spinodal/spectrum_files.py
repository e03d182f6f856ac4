"""Spectra as xarray datasets: functions of the eigenvalue, with all else in the attributes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from spinodal.commands.answers import plain
from theory.problem import Status
from theory.spectra import Spectrum

if TYPE_CHECKING:
    from xarray import Dataset

    from numerics.vector_minima import Minima

__all__ = ["KIND", "dataset", "restored"]

KIND = "spectrum"
_COLUMNS = ("density", "density_error", "cumulative", "weight")
_NUMBERS = ("edge", "edge_error")


_SIMULATED = ("simulated_eigenvalue", "simulated_participation", "simulated_field")


def dataset(found: Spectrum, simulated: Minima | None = None) -> Dataset:
    """The spectrum as a Dataset with the dimension `eigenvalue`; simulated minima by sample and level, or site."""
    from xarray import Dataset

    from spinodal.diagrams import provenance

    columns = {name: getattr(found, name) for name in _COLUMNS} | found.curves
    atoms = np.array(found.atoms, dtype=np.float64).reshape(-1, 2)
    head = {
        k: getattr(found, k) for k in ("model", "state", "matrix", "parameters", *_NUMBERS, "quantities", "derived")
    }
    measured: dict[str, tuple[tuple[str, str], np.ndarray]] = {}
    attributes = {}
    if simulated is not None:
        spectra, levels = simulated.spectra, ("sample", "level")
        measured = {
            "simulated_eigenvalue": (levels, np.array([s.eigenvalues for s in spectra])),
            "simulated_participation": (levels, np.array([s.participation for s in spectra])),
            "simulated_field": (("sample", "site"), simulated.fields),
        }
        own = simulated.to_json()
        attributes["simulation"] = json.dumps(
            {k: v for k, v in own.items() if k not in ("eigenvalue", "participation")}
        )
    functions = {name: (("eigenvalue",), values) for name, values in columns.items()}
    return Dataset(
        {**functions, "atoms": (("atom", "part"), atoms), **measured},
        coords={"eigenvalue": found.eigenvalue},
        attrs={
            "title": f"spectrum of {found.model}: {found.matrix}",
            "kind": KIND,
            "status": found.status.value,
            "spectrum": json.dumps(plain(head)),
            "provenance": json.dumps(provenance()),
            **attributes,
        },
    )


def restored(data: Dataset) -> Spectrum:
    """Inverse of `dataset`."""
    columns = {
        str(name): np.asarray(v.values, dtype=np.float64)
        for name, v in data.data_vars.items()
        if name not in _SIMULATED
    }
    head = json.loads(data.attrs["spectrum"])
    head["atoms"] = tuple((float(x), float(w)) for x, w in columns.pop("atoms"))
    head |= {name: columns.pop(name) for name in _COLUMNS}
    eigenvalue = np.asarray(data["eigenvalue"].values, dtype=np.float64)
    return Spectrum(**head, status=Status[data.attrs["status"]], eigenvalue=eigenvalue, curves=columns)
