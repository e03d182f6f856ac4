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

__all__ = ["KIND", "dataset", "restored"]

KIND = "spectrum"
_COLUMNS = ("density", "density_error", "cumulative", "weight")
_NUMBERS = ("edge", "edge_error")


def dataset(found: Spectrum) -> Dataset:
    """The spectrum as a Dataset with the dimension `eigenvalue`."""
    from xarray import Dataset

    from spinodal.diagrams import provenance

    columns = {name: getattr(found, name) for name in _COLUMNS} | found.curves
    atoms = np.array(found.atoms, dtype=np.float64).reshape(-1, 2)
    head = {
        k: getattr(found, k) for k in ("model", "state", "matrix", "parameters", *_NUMBERS, "quantities", "derived")
    }
    return Dataset(
        {**{name: (("eigenvalue",), values) for name, values in columns.items()}, "atoms": (("atom", "part"), atoms)},
        coords={"eigenvalue": found.eigenvalue},
        attrs={
            "title": f"spectrum of {found.model}: {found.matrix}",
            "kind": KIND,
            "status": found.status.value,
            "spectrum": json.dumps(plain(head)),
            "provenance": json.dumps(provenance()),
        },
    )


def restored(data: Dataset) -> Spectrum:
    """Inverse of `dataset`."""
    columns = {str(name): np.asarray(v.values, dtype=np.float64) for name, v in data.data_vars.items()}
    head = json.loads(data.attrs["spectrum"])
    head["atoms"] = tuple((float(x), float(w)) for x, w in columns.pop("atoms"))
    head |= {name: columns.pop(name) for name in _COLUMNS}
    eigenvalue = np.asarray(data["eigenvalue"].values, dtype=np.float64)
    return Spectrum(**head, status=Status[data.attrs["status"]], eigenvalue=eigenvalue, curves=columns)
