"""Where measurement records come from: this run's folder, the records that come with the package, or a simulation.

The folder is a queue (:mod:`numerics.store`): a killed run loses at most the record it was at, a damaged record counts
as missing, and two runs in one folder do not compute the same record.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from numerics.curves import Curves
from numerics.files import folder, reserved
from numerics.records import Record
from numerics.store import Store
from paper_figures.plan import Measured
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from numerics.diffusion.generalisation import Generalisation

__all__ = ["fulfil", "read_archive", "write_archive"]

Progress = Callable[[str, int, int], None]
AnyRecord: TypeAlias = "Record | Curves | Generalisation"

_MEASURED = ("value", "error", "n")


def fulfil(
    simulations: Sequence[Measured],
    *,
    store: Path,
    archive: Path | None = None,
    workers: int = 1,
    progress: Progress,
) -> dict[str, Any]:
    """Return the record of every simulation, computing those that are missing or damaged.

    Parameters
    ----------
    simulations : sequence of Measured
    store : Path
        Folder of records made here, one file each.
    archive : Path, optional
        File of records to fall back on before computing.
    workers : int
        Threads of each simulation; records do not depend on it.
    progress : callable
        Called as ``progress(label, done, total)``.

    Returns
    -------
    dict of str to (Record, Curves or Generalisation)
        By key.
    """
    archived = read_archive(archive) if archive is not None else {}
    kept = Store(store)
    found: dict[str, AnyRecord] = {}
    for s in simulations:
        record = _valid(s, _record(kept.load(s.key))) or _valid(s, archived.get(s.key))
        if record is not None:
            found[s.key] = record
    missing = [s for s in simulations if s.key not in found]
    known = len(found)
    if missing:
        folder(store)
    for done, s in enumerate(missing):
        progress(f"simulating N = {s.N} from '{s.start}'", known + done, len(simulations))
        found[s.key] = _made(s, kept, workers)
    progress(f"{known} records at hand, {len(missing)} computed", len(simulations), len(simulations))
    return found


def read_archive(path: Path) -> dict[str, Any]:
    """Read an archive by key; records that are damaged are left out.

    The first line holds what all records share, every other one what else there is of one, and the checksum of the
    whole.

    Parameters
    ----------
    path : Path
        An absent file is an empty archive.
    """
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        shared = json.loads(first)["shared"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found = {}
    for line in lines:
        try:
            entry = json.loads(line)
            data = _unfolded(_joined(shared, entry["record"]))
            if entry["sha256"] == _digest(entry["key"], data):
                found[str(entry["key"])] = _decoded(data)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidInput):
            continue
    return found


def write_archive(path: Path, records: Mapping[str, AnyRecord]) -> None:
    """Write records without their per-sample values, which means and errors over samples make dispensable here.

    Values per place of a generalisation are kept: classes are compared by ranks.
    """
    with reserved(path) as draft:
        draft.write_text("".join(_lines(records)), encoding="utf-8")


def _lines(records: Mapping[str, AnyRecord]) -> Iterable[str]:
    kept = {key: r if r.kind == "generalisation" else replace(r, values={}) for key, r in records.items()}
    whole = {key: record.to_json() for key, record in kept.items()}
    folded = {key: _folded(data) for key, data in whole.items()}
    shared = _shared(list(folded.values()))
    yield _text({"shared": shared}) + "\n"
    for key, data in whole.items():
        own = _without(folded[key], shared)
        yield _text({"key": key, "sha256": _digest(key, data), "record": own}) + "\n"


def _folded(data: Mapping[str, Any]) -> dict[str, Any]:
    """The same with measurements as [value, error, n]."""
    return {**data, "measurements": {name: [m[k] for k in _MEASURED] for name, m in data["measurements"].items()}}


def _unfolded(data: Mapping[str, Any]) -> dict[str, Any]:
    measurements = {name: dict(zip(_MEASURED, m, strict=True)) for name, m in data["measurements"].items()}
    return {**data, "measurements": measurements}


def _shared(datas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Entries that all have, at any depth."""
    found = {}
    for name in set.intersection(*map(set, datas)) if datas else ():
        values = [data[name] for data in datas]
        if all(isinstance(value, dict) for value in values):
            found[name] = _shared(values)
        elif len({_text(value) for value in values}) == 1:
            found[name] = values[0]
    return found


def _without(data: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    inner = {name: _without(value, shared[name]) for name, value in data.items() if isinstance(shared.get(name), dict)}
    return {name: inner.get(name, value) for name, value in data.items() if name not in shared or inner.get(name)}


def _joined(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of `_without`."""
    inner = {name: _joined(value, own.get(name, {})) for name, value in shared.items() if isinstance(value, dict)}
    return {**shared, **own, **inner}


def _digest(key: str, data: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text([key, data]).encode()).hexdigest()


def _text(data: Any) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _made(simulation: Measured, kept: Store, workers: int) -> AnyRecord:
    """Return the record, computed here or, if another run is at it, there."""
    while True:
        with kept.claimed(simulation.key) as mine:
            record = _valid(simulation, _record(kept.load(simulation.key)))
            if record is None and mine:
                record = simulation.run(workers=workers)
                kept.save(simulation.key, record.to_json())
        if record is not None:
            return record
        time.sleep(0.2)


def _decoded(data: Mapping[str, Any]) -> AnyRecord:
    if data.get("kind") == "generalisation":
        from numerics.diffusion.generalisation import Generalisation  # the whole of diffusion comes with it

        return Generalisation.from_json(data)
    return Curves.from_json(data) if data.get("kind") == "curves" else Record.from_json(data)


def _record(data: Mapping[str, Any] | None) -> AnyRecord | None:
    try:
        return None if data is None else _decoded(data)
    except (InvalidInput, KeyError, TypeError):  # whole, but something else
        return None


def _valid(simulation: Measured, record: AnyRecord | None) -> AnyRecord | None:
    return record if record is not None and simulation.matches(record) else None
