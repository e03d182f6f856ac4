"""The folder of a sweep: which plan it holds, what of it is recorded, damaged, claimed or missing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from numerics import records
from numerics.files import folder
from numerics.plan import Block, Plan, difference
from numerics.store import Store
from theory.errors import InvalidInput

__all__ = ["SweepFolder", "SweepStatus", "place_of", "sweep_status"]

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
        File of the data set, once nothing is missing and while it is whole.
    dataset_damaged : bool
        Whether something else stands in its place; a run writes it anew.
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
    dataset_damaged: bool = False

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
        try:
            return Plan.from_json(records.read(self.place / "plan.json"))
        except InvalidInput as problem:
            raise InvalidInput(
                f"'{self.place / 'plan.json'}' is damaged; start the sweep again, which writes it anew and goes on."
            ) from problem

    def check(self, plan: Plan) -> str:
        """Refuse a plan that neither is nor extends the one in the folder.

        Returns
        -------
        str
            What a user should be told; empty for nothing.

        Raises
        ------
        InvalidInput
            The sentence says what differs, or what else is in the folder.
        """
        if self.place.exists() and not self.place.is_dir():
            raise InvalidInput(f"'{self.place}' is a file, not a folder; give another place for the sweep.")
        if self.dataset.is_dir():
            raise InvalidInput(f"'{self.dataset}' is a folder, where the data set belongs; remove it.")
        try:
            held = self.plan()
        except InvalidInput:
            return self._check_contents(plan)
        other = difference(held, plan)
        if other is not None:
            raise InvalidInput(f"'{self.place}' holds another plan ({other}); give another folder, or that plan.")
        return ""

    def _check_contents(self, plan: Plan) -> str:
        """As :meth:`check` where there is no plan, or a damaged one: the records know what they belong to."""
        damaged = (self.place / "plan.json").exists()
        found = {p.name for p in self.place.iterdir()} if self.place.is_dir() else set()
        others = sorted(name for name in found - {"records", "plan.json", "dataset.nc"} if not name.startswith("."))
        if others and not damaged:
            raise InvalidInput(
                f"'{self.place}' is no folder of a sweep and holds other files ('{others[0]}'); give a new folder, or "
                "an empty one."
            )
        points = {point.key for point in plan.points()}
        strange = [name for name in self.store.names() if not self._belongs(self.store.load(name), points)]
        if strange:
            state = "damaged" if damaged else "missing"
            raise InvalidInput(
                f"'{self.place}' holds {len(strange)} records of another plan ('{strange[0]}') and its plan.json is "
                f"{state}; give another folder, or that plan."
            )
        return f"plan.json in '{self.place}' was damaged; it is written anew." if damaged else ""

    @staticmethod
    def _belongs(data: Mapping[str, Any] | None, points: Collection[str]) -> bool:
        """Whether a record is of one of the points, or damaged."""
        span = None if data is None else _spans(data)
        return span is None or span[0] in points

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

    def missing(self, blocks: Sequence[Block], *, tell: Callable[[str], None] = lambda _: None) -> list[Block]:
        """Return what is left of the blocks when recorded samples are taken off; damaged records are set aside."""
        files, damaged = self._scan()
        for name in damaged:
            self.store.set_aside(name)
        if damaged:
            what = "1 damaged record is" if len(damaged) == 1 else f"{len(damaged)} damaged records are"
            tell(f"{what} set aside in '{self.store.place / 'damaged'}' and computed anew.")
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
        written = not missing and self.dataset.exists()
        whole = written and _opens(self.dataset)
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
            dataset=str(self.dataset) if whole else None,
            dataset_damaged=written and not whole,
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


def sweep_status(folder: Path | str) -> SweepStatus:
    """Tell how far a sweep is, as the command `status` does.

    Parameters
    ----------
    folder : path
        The one that :func:`numerics.sweep.sweep` was given as `out`.

    Raises
    ------
    InvalidInput
        If this is no folder of a sweep, or its plan.json is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from numerics.sweep import sweep
    >>> plan = {"model": "hopfield", "N": [100], "samples": 4, "grid": {"alpha": [0.05, 0.1]}}
    >>> place = tempfile.mkdtemp()
    >>> _ = sweep(plan, out=place)
    >>> sweep_status(place).done, sweep_status(place).missing
    (2, 0)
    """
    return SweepFolder(place_of(folder)).status()


def place_of(folder: object) -> Path:
    """Return the folder of a sweep as a path.

    Raises
    ------
    InvalidInput
        If it is no path, or an empty text, which would be the current folder.
    """
    if not isinstance(folder, str | os.PathLike) or not str(folder).strip():
        raise InvalidInput(f"out = {folder!r} is no folder; give the name of one, as 'runs'.")
    return Path(folder)


def _opens(dataset: Path) -> bool:
    """Whether the file of a data set can be opened: not one cut short or overwritten."""
    import xarray

    try:
        xarray.open_dataset(dataset, engine="h5netcdf").close()
    except Exception:  # garbage raises whatever its first bytes look like
        return False
    return True


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
