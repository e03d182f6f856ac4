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
from typing import Any

from numerics.curves import Curves
from numerics.diffusion.generalisation import Generalisation
from numerics.files import folder, reserved
from numerics.records import Record
from numerics.store import Store
from paper_figures.plan import Measured
from theory.errors import InvalidInput

__all__ = ["fulfil", "read_archive", "write_archive"]

Progress = Callable[[str, int, int], None]
AnyRecord = Record | Curves | Generalisation


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
    """Read an archive, one record with its checksum a line, by key; damaged lines are left out.

    Parameters
    ----------
    path : Path
        An absent file is an empty archive.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["sha256"] == _digest(entry["key"], entry["record"]):
                found[str(entry["key"])] = _decoded(entry["record"])
        except (ValueError, KeyError, TypeError, InvalidInput):
            continue
    return found


def write_archive(path: Path, records: Mapping[str, AnyRecord]) -> None:
    """Write records without their per-sample values, which means and errors over samples make dispensable here."""
    with reserved(path) as draft:
        draft.write_text("".join(_lines(records.items())), encoding="utf-8")


def _lines(records: Iterable[tuple[str, AnyRecord]]) -> Iterable[str]:
    for key, record in records:
        data = replace(record, values={}).to_json()
        entry = {"key": key, "sha256": _digest(key, data), "record": data}
        yield json.dumps(entry, separators=(",", ":"), allow_nan=False) + "\n"


def _digest(key: str, data: Mapping[str, Any]) -> str:
    text = json.dumps([key, data], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


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
        return Generalisation.from_json(data)
    return Curves.from_json(data) if data.get("kind") == "curves" else Record.from_json(data)


def _record(data: Mapping[str, Any] | None) -> AnyRecord | None:
    try:
        return None if data is None else _decoded(data)
    except (InvalidInput, KeyError, TypeError):  # whole, but something else
        return None


def _valid(simulation: Measured, record: AnyRecord | None) -> AnyRecord | None:
    return record if record is not None and simulation.matches(record) else None
