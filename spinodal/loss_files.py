"""Losses of training as xarray datasets: functions of the training time, with all else in the attributes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from spinodal.commands.answers import plain
from theory.diffusion.losses import Losses
from theory.problem import Status

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["KIND", "dataset", "restored"]

KIND = "losses"
_COLUMNS = ("train", "test", "score_error")
_NUMBERS = ("error", "drop_error", "score_error_error", "final")


def dataset(found: Losses, head: Mapping[str, Any] | None = None) -> Dataset:
    """The losses as a Dataset with the dimension `tau`; `head` says of which model."""
    from xarray import Dataset

    from spinodal.diagrams import provenance

    names = list(found.drop)
    drop = np.array([found.drop[name] for name in names], dtype=np.float64).reshape(len(names), found.tau.size)
    return Dataset(
        {**{name: (("tau",), getattr(found, name)) for name in _COLUMNS}, "drop": (("bulk", "tau"), drop)},
        coords={"tau": found.tau, "bulk": names},
        attrs={
            "title": "losses of a score model under gradient flow, per dimension",
            "kind": KIND,
            "status": found.status.value,
            "losses": json.dumps(plain({name: getattr(found, name) for name in _NUMBERS})),
            "of": json.dumps(plain(head or {})),
            "provenance": json.dumps(provenance()),
        },
    )


def restored(data: Dataset) -> Losses:
    """Inverse of `dataset`."""
    columns: dict[str, Any] = {name: np.asarray(data[name].values, dtype=np.float64) for name in _COLUMNS}
    drop = {str(name): np.asarray(data["drop"].sel(bulk=name).values) for name in data["bulk"].values}
    tau = np.asarray(data["tau"].values, dtype=np.float64)
    numbers = json.loads(data.attrs["losses"])
    return Losses(tau=tau, **columns, drop=drop, **numbers, status=Status[data.attrs["status"]])
