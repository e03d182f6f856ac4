"""Save any result, and read it back: phase lines as NetCDF with CSV beside, spectra as NetCDF, the rest as JSON."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numerics.files import reserved
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from numerics.vector_minima import Minima
    from spinodal.diagrams import Diagram
    from theory.spectra import Spectrum

__all__ = ["load", "save", "write_arrays", "write_diagram", "write_spectrum"]


def save(result: Any, path: Path | str) -> Path:
    """Write a result to a file that `load` reads back; the file is whole or not there.

    Parameters
    ----------
    result : Diagram, Spectrum, Losses, Record, Solution, Threshold, Boundary
        A `Diagram` goes to NetCDF (``.nc``), with a CSV of the same name beside it, a `Spectrum` and `Losses` to
        NetCDF; the others to JSON.
    path : path
        Where to write.

    Raises
    ------
    InvalidInput
        If the ending does not fit the result, or the file cannot be written.

    Examples
    --------
    >>> import spinodal as sp, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "point.json"
    >>> _ = sp.save(sp.solve(sp.Hopfield(alpha=0.05)), path)
    >>> sp.load(path)["model"]
    'hopfield'
    """
    target = Path(path).expanduser()
    if hasattr(result, "to_dataset"):
        with ExitStack() as stack:
            drafts = [stack.enter_context(reserved(p, suffixes=(p.suffix,))) for p in _pair(target)]
            write_diagram(result, *drafts)
    elif _is_losses(result):
        from spinodal.loss_files import dataset

        with reserved(target, suffixes=(".nc",)) as draft:
            dataset(result).to_netcdf(draft, engine="h5netcdf")
    elif _is_spectrum(result):
        with reserved(target, suffixes=(".nc",)) as draft:
            write_spectrum(result, draft)
    elif hasattr(result, "to_json"):
        with reserved(target, suffixes=(".json",)) as draft:
            if hasattr(result, "save"):
                result.save(draft)
            else:
                from spinodal.commands.answers import plain

                draft.write_text(json.dumps(plain(result.to_json()), allow_nan=False, indent=1) + "\n")
    else:
        raise InvalidInput(f"a {type(result).__name__} cannot be saved; save a result of spinodal.")
    return target


def _pair(target: Path) -> tuple[Path, Path]:
    """NetCDF file and the CSV beside it."""
    if target.suffix.lower() != ".nc":
        raise InvalidInput(f"'{target}' does not end in .nc; phase lines are saved as NetCDF, with a CSV beside it.")
    return target, target.with_suffix(".csv")


def write_diagram(diagram: Diagram, netcdf: Path, csv: Path) -> None:
    """Write both forms of a diagram to files that stand ready."""
    diagram.to_dataset().to_netcdf(netcdf, engine="h5netcdf")
    csv.write_text(diagram.to_csv(), encoding="utf-8")


def _is_spectrum(result: Any) -> bool:
    from theory.spectra import Spectrum

    return isinstance(result, Spectrum)


def _is_losses(result: Any) -> bool:
    from theory.diffusion.losses import Losses

    return isinstance(result, Losses)


def write_spectrum(found: Spectrum, netcdf: Path, *, simulated: Minima | None = None) -> None:
    """Write a spectrum, and perhaps simulated minima, to a file that stands ready."""
    from spinodal.spectrum_files import dataset

    dataset(found, simulated).to_netcdf(netcdf, engine="h5netcdf")


def load(path: Path | str) -> Any:
    """Read a saved result.

    Returns
    -------
    Diagram, Spectrum, Losses, xarray.Dataset, Record, Basins or dict
        A `Diagram`, a `Spectrum`, `Losses` or the data set of a sweep for NetCDF, a `Record` for a simulation, `Basins`
        for basin maps, and a dict of plain values for other JSON, such as what any command prints with `--json`.  From
        .npz (`spinodal attractors --out`) the same dict, with a dict of arrays as ``"arrays"``.

    Raises
    ------
    InvalidInput
        If the file is missing, damaged, or no result of spinodal.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "answer.json"
    >>> _ = file.write_text('{"alpha": 0.138}')
    >>> load(file)
    {'alpha': 0.138}
    """
    source = Path(path).expanduser()
    if not source.is_file():
        raise InvalidInput(f"'{source}' is not a file; give a result saved by spinodal.")
    if source.suffix.lower() == ".nc":
        return _load_netcdf(source)
    if source.suffix.lower() == ".npz":
        return _load_arrays(source)
    try:
        data = json.loads(source.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise InvalidInput(
            f"'{source}' is neither NetCDF (.nc), nor arrays (.npz), nor readable JSON; save the result again."
        ) from problem
    if not isinstance(data, dict):
        raise InvalidInput(f"'{source}' holds no result of spinodal (a JSON object); give another file.")
    from numerics.records import Record, read

    if data.keys() == {"format", "sha256", "data"}:  # the envelope of a saved record
        data = read(source)
    elif data.get("kind") == "simulation":  # as printed, with remarks beside the record
        data = {k: v for k, v in data.items() if k not in ("equilibrated", "message", "load_convention")}
    if data.get("kind") == "basins":
        from numerics.basins import Basins

        return Basins.from_json(data)
    return Record.from_json(data) if data.get("kind") == "simulation" else data


def write_arrays(answer: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], draft: Path) -> None:
    """Write an answer and the arrays behind it to a file that stands ready (.npz)."""
    import numpy as np

    from spinodal.commands.answers import plain

    text = np.array(json.dumps(plain(answer), allow_nan=False))
    with draft.open("wb") as out:
        np.savez(out, allow_pickle=False, answer=text, **arrays)


def _load_arrays(source: Path) -> dict[str, Any]:
    import zipfile

    import numpy as np

    try:
        with source.open("rb") as opened:  # NumPy leaves files open that it cannot read
            saved = np.load(opened, allow_pickle=False)
            answer: dict[str, Any] = json.loads(str(saved["answer"]))
            return answer | {"arrays": {name: saved[name] for name in saved.files if name != "answer"}}
    except (OSError, EOFError, IndexError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise InvalidInput(
            f"'{source}' holds no answer of spinodal with arrays ({reason}); save it again."
        ) from problem


def _load_netcdf(source: Path) -> Any:
    from xarray import load_dataset

    from spinodal import loss_files as losses
    from spinodal.diagrams import Diagram
    from spinodal.spectrum_files import KIND, restored

    try:
        data = load_dataset(source, engine="h5netcdf")
        if "plan_sha256" in data.attrs:
            return data
        if data.attrs.get("kind") == losses.KIND:
            return losses.restored(data)
        return restored(data) if data.attrs.get("kind") == KIND else Diagram.from_dataset(data)
    except (OSError, KeyError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:120]
        raise InvalidInput(
            f"'{source}' is no phase diagram, spectrum or data set of a sweep ({reason}); give another file."
        ) from problem
