"""The folder of a sweep: which plan it holds, what of it is recorded, damaged, claimed or missing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from numerics import records
from numerics.files import folder
from numerics.plan import Block, Plan, difference
from numerics.store import Store
from theory.errors import InvalidInput

__all__ = ["SweepFolder", "SweepStatus"]

RECENT = 50  # records that a rate is taken from


@dataclass(frozen=True)
class SweepStatus:
    """Where a sweep stands.

    Attributes
    ----------
    folder : str
    plan : str
        Its size in words.
    tasks : int
        Tasks of the plan: done + missing.
    done : int
        Tasks with valid records.
    missing : int
        All others, claimed and corrupt ones among them.
    claimed : int
        Missing tasks that a living run is at.
    corrupt : int
        Damaged records; a run sets them aside and computes them anew.
    rate : float or None
        Records per second lately; None while no run is at work.
    remaining_seconds : float or None
        Of the missing tasks at that rate.
    dataset : str or None
        File of the data set, once nothing is missing.
    """

    folder: str
    plan: str
    tasks: int
    done: int
    missing: int
    claimed: int
    corrupt: int
    rate: float | None
    remaining_seconds: float | None
    dataset: str | None

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of JSON types."""
        return asdict(self)


class SweepFolder:
    """Plan, records and data set in one place.

    Parameters
    ----------
    place : path
    """

    def __init__(self, place: Path | str) -> None:
        self.place = Path(place).expanduser()
        self.store = Store(self.place / "records")

    @property
    def dataset(self) -> Path:
        """File of the data set."""
        return self.place / "dataset.nc"

    def plan(self) -> Plan:
        """Return the plan that the folder holds.

        Raises
        ------
        InvalidInput
            If it holds none, or a damaged one.
        """
        if not (self.place / "plan.json").is_file():
            raise InvalidInput(
                f"'{self.place}' is not the folder of a sweep (no plan.json); give one that 'spinodal sweep' made."
            )
        return Plan.from_json(records.read(self.place / "plan.json"))

    def check(self, plan: Plan) -> None:
        """Refuse a plan that neither is nor extends the one in the folder.

        Raises
        ------
        InvalidInput
            The sentence says what differs.
        """
        if self.place.exists() and not self.place.is_dir():
            raise InvalidInput(f"'{self.place}' is a file, not a folder; give another place for the sweep.")
        try:
            held = self.plan()
        except InvalidInput:  # none, or a damaged one: the records themselves know what they belong to
            return
        other = difference(held, plan)
        if other is not None:
            raise InvalidInput(f"'{self.place}' holds another plan ({other}); give another folder, or that plan.")

    def open(self, plan: Plan) -> None:
        """Make the folder one of this plan, and tidy it up.

        Raises
        ------
        InvalidInput
            As :meth:`check`, or if the folder cannot be written to.
        """
        self.check(plan)
        folder(self.place)
        folder(self.store.place)
        with contextlib.suppress(InvalidInput):
            if self.plan() == plan:
                self.store.tidy()
                return
        records.write(self.place / "plan.json", plan.to_json())
        # A data set is of one plan: this one has none yet.
        self.dataset.unlink(missing_ok=True)

    def missing(self, plan: Plan, blocks: Sequence[Block]) -> list[Block]:
        """Return what is left of the blocks when recorded samples are taken off; damaged records are set aside."""
        files, damaged = self._scan()
        for name in damaged:
            self.store.set_aside(name)
        return _left(blocks, files)

    @staticmethod
    def fits(data: Mapping[str, Any] | None, block: Block) -> bool:
        """Whether a record is the one of this block."""
        return data is not None and _spans(data) == (block.point.key, block.first, block.last)

    def status(self) -> SweepStatus:
        """Return where the sweep stands, reading and checking all records.

        Raises
        ------
        InvalidInput
            If this is no folder of a sweep.
        """
        plan = self.plan()
        files, damaged = self._scan()
        missing = _left(list(plan.blocks()), files)
        names = {block.name for block in missing}
        claimed = len(names & set(self.store.claims()))
        rate = self._rate() if claimed else None
        return SweepStatus(
            folder=str(self.place),
            plan=plan.summary(),
            tasks=plan.tasks,
            done=plan.tasks - len(missing),
            missing=len(missing),
            claimed=claimed,
            corrupt=len(damaged),
            rate=rate,
            remaining_seconds=len(missing) / rate if rate else None,
            dataset=str(self.dataset) if not missing and self.dataset.is_file() else None,
        )

    def _scan(self) -> tuple[dict[str, set[int]], list[str]]:
        """Samples recorded by the key of their point, and names of damaged records."""
        found: dict[str, set[int]] = {}
        damaged = []
        for name in self.store.names():
            data = self.store.load(name)
            span = None if data is None else _spans(data)
            if span is None:
                damaged.append(name)
            else:
                found.setdefault(span[0], set()).update(range(span[1], span[2]))
        return found, damaged

    def _rate(self) -> float | None:
        times = []
        for name in self.store.names():
            with contextlib.suppress(OSError):
                times.append(self.store.path(name).stat().st_mtime)
        lately = sorted(times)[-RECENT:]
        if len(lately) < 2:
            return None
        return (len(lately) - 1) / max(time.time() - lately[0], 1e-9)


def _spans(data: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """Point and samples of a record; None if it is no whole record of a task."""
    try:
        first, last = data["first"], data["last"]
        whole = all(len(values) == last - first > 0 for values in data["values"].values())
        return (str(data["point"]), first, last) if whole and isinstance(data["provenance"], dict) else None
    except (KeyError, TypeError, AttributeError):
        return None


def _left(blocks: Sequence[Block], found: Mapping[str, set[int]]) -> list[Block]:
    left = []
    for block in blocks:
        have = found.get(block.point.key, set())
        lost = [index for index in range(block.first, block.last) if index not in have]
        if lost:
            left.append(replace(block, first=lost[0], last=lost[-1] + 1))
    return left
