"""The records of a finished sweep as one labelled data set, written whole."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics.estimate import means
from numerics.files import reserved
from numerics.measured import OBSERVABLES
from numerics.plan import Plan, Point
from numerics.sweep_folder import SweepFolder
from theory.errors import InvalidInput
from theory.model import model_named

if TYPE_CHECKING:
    import xarray

__all__ = ["VOLATILE", "read_dataset", "write_dataset"]

_SIZES = {"P": "number of stored patterns", "D": "number of features"}
# Attributes that tell when, and in how much time; all else is a function of plan, code and machine.
VOLATILE = ("created", "started", "task_seconds")
Floats = NDArray[np.float64]


def read_dataset(place: Path | str) -> xarray.Dataset:
    """Read the data set of a sweep, into memory.

    Parameters
    ----------
    place : path
        Folder of the sweep, or the file itself.

    Raises
    ------
    InvalidInput
        If there is none, or it is damaged.
    """
    import xarray

    source = Path(place).expanduser()
    if source.is_dir():
        source = source / "dataset.nc"
    if not source.is_file():
        raise InvalidInput(f"'{source}' does not exist; run 'spinodal sweep' until nothing is missing.")
    try:
        return xarray.load_dataset(source, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as problem:
        raise InvalidInput(
            f"'{source}' is no readable data set; start the sweep again, which writes it anew."
        ) from problem


def write_dataset(plan: Plan, folder: SweepFolder) -> None:
    """Gather all records of a plan, of which none is missing, and write the data set."""
    data = _gathered(plan, folder)
    with reserved(folder.dataset, suffixes=(".nc",)) as draft:
        data.to_netcdf(draft, engine="h5netcdf")


def _gathered(plan: Plan, folder: SweepFolder) -> xarray.Dataset:
    import xarray

    names = {axis: _name(axis) for axis in plan.axes}
    dims = (*names.values(), "N")
    shape = plan.shape[:-1]
    samples: dict[str, Floats] = {}
    sizes = {symbol: np.zeros(shape, dtype=np.int64) for symbol in ("P", "D")}
    made: list[dict[str, Any]] = []
    places = _places(plan)
    for name in folder.store.names():
        data = folder.store.load(name)
        place = None if data is None else places.get(str(data.get("point")))
        if data is None or place is None:  # of a point that the plan has not
            continue
        first, last = data["first"], min(data["last"], plan.samples)
        for observable, values in data["values"].items():
            table = samples.setdefault(observable, np.full((*shape, plan.samples), np.nan))
            table[place][first:last] = np.array(values[: max(last - first, 0)], dtype=np.float64)
        for symbol, table_of_sizes in sizes.items():
            table_of_sizes[place] = data[symbol]
        made.append(data["provenance"])
    variables: dict[str, Any] = {
        symbol: (dims, table, {"long_name": _SIZES[symbol]}) for symbol, table in sizes.items()
    }
    # Loads asked for are rounded to whole numbers of patterns, noticeably so in small systems.
    for load, symbol in (("alpha", "P"), ("alpha_d", "D")):
        if sizes[symbol].any():
            text = f"realised load {symbol}/N"
            variables[f"{load}_realised"] = (dims, sizes[symbol] / np.array(plan.N), {"long_name": text})
    for name, (value, error) in _averages(samples, plan).items():
        text = OBSERVABLES.get(name, "")
        variables[name] = (dims, value, {"long_name": text} if text else {})
        variables[f"{name}_error"] = (dims, error, {"long_name": f"standard error of {name} over samples"})
        variables[f"{name}_samples"] = ((*dims, "sample"), samples[name], {"long_name": f"{name} of every sample"})
    helps = {parameter.name: parameter.help for parameter in model_named(plan.model).parameters}
    coordinates: dict[str, Any] = {
        names[axis]: (names[axis], list(values), {"long_name": helps[axis]} if axis in helps else {})
        for axis, values in plan.axes.items()
    }
    coordinates["N"] = ("N", list(plan.N), {"long_name": "number of spins"})
    coordinates["sample"] = ("sample", np.arange(plan.samples), {"long_name": "number of the disorder sample"})
    return xarray.Dataset(variables, coordinates, _attributes(plan, samples, made))


def _places(plan: Plan) -> dict[str, tuple[int, ...]]:
    """Position in the arrays by the key of a point."""

    def index(point: Point) -> tuple[int, ...]:
        axes = (values.index(point.values[axis]) for axis, values in plan.axes.items())
        return (*axes, plan.N.index(point.N))

    return {point.key: index(point) for point in plan.points()}


def _averages(samples: Mapping[str, Floats], plan: Plan) -> dict[str, tuple[Floats, Floats]]:
    """Mean and error of the observables to keep; NaN where a sample has no value."""
    order = [name for name in (*OBSERVABLES, *sorted(samples)) if name in samples]
    kept = [name for name in dict.fromkeys(order) if plan.observables is None or name in (*plan.observables, *_ALWAYS)]
    shape = plan.shape[:-1]
    found = {name: (np.full(shape, np.nan), np.full(shape, np.nan)) for name in kept}
    for place in itertools.product(*map(range, shape)):
        here = {name: samples[name][place] for name in kept if not np.isnan(samples[name][place]).any()}
        for name, measured in means(here, plan.N[place[-1]]).items():
            found[name][0][place], found[name][1][place] = measured.value, measured.error
    return found


# Kept whatever was asked for: averages over samples that are not equilibrated must not pass for others.
_ALWAYS = ("equilibrated",)


def _name(axis: str) -> str:
    """Name of a dimension; that of an option, as the initial overlap, may be an observable's as well."""
    return f"{axis}_given" if axis in OBSERVABLES else axis


def _attributes(plan: Plan, samples: Mapping[str, Floats], made: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything needed to repeat the sweep, as numbers and text."""
    identity = plan.identity()
    found: dict[str, Any] = {
        "model": identity["model"],
        "parameters": json.dumps(plan.parameters, sort_keys=True),
        "options": json.dumps(plan.options, sort_keys=True),
        "seed": plan.seed,
        "samples": plan.samples,
        "plan": json.dumps({**identity, "axes": plan.axes, "N": plan.N, "samples": plan.samples}, sort_keys=True),
        "plan_sha256": plan.key,
    }
    if "equilibrated" in samples:
        found["unequilibrated_samples"] = int(np.sum(samples["equilibrated"] == 0.0))
    for key in ("spinodal", "python", "numpy", "numba", "machine", "cpu", "gpu", "git"):
        values = sorted({_text(p[key]) for p in made if key in p})
        if values:  # more than one, if the sweep was continued elsewhere or later
            found[key] = "; ".join(values)
    return found | {
        "started": min((str(p["started"]) for p in made), default=""),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "task_seconds": round(sum(float(p["wall_seconds"]) for p in made), 3),
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):  # of git
        return str(value["revision"]) + (" with changes" if value["dirty"] else "")
    return str(value)
