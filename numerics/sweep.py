"""Sweeps that survive: the missing tasks of a plan are run anywhere, each is recorded when it is done.

The folder of a sweep holds ``plan.json``, ``records/`` (one file a task, see :mod:`numerics.store`) and, once nothing
is missing, ``dataset.nc``.  Records depend on the plan only, so the data set is the same for any number of workers,
shards and interruptions.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numerics import simulate
from numerics.dataset import read_dataset, write_dataset
from numerics.executors import Executor, executor
from numerics.interrupts import interrupts
from numerics.plan import Block, Plan, shard_of, simulation
from numerics.plan_file import plan_from, read_plan
from numerics.provenance import provenance
from numerics.sweep_folder import SweepFolder, place_of
from numerics.sweep_words import duration, failures, rate, reason, to_stderr
from theory.errors import InvalidInput, NotConverged
from theory.model import model_names

if TYPE_CHECKING:
    import xarray

__all__ = ["fill", "parse_shard", "run_block", "sweep"]

Progress = Callable[[str, int, int], None]
Tell = Callable[[str], None]
TRIES = 3  # of a task whose worker is killed while it runs alone
PASSES = 3  # over what is missing: a record may be damaged as soon as it is written
GIVE_UP = 20  # tasks that fail before any succeeds
TICK, PAUSE = 0.5, 1.0  # seconds between looks at running tasks, and at tasks of other runs


def sweep(
    plan: Path | str | Mapping[str, Any],
    *,
    out: Path | str,
    workers: int = 1,
    dask: str | None = None,
    slurm: bool = False,
    progress: Progress | None = None,
) -> xarray.Dataset:
    """Compute what a folder lacks of a plan, and return the data set.

    Parameters
    ----------
    plan : path or dict
        TOML file, or a dictionary with its keys; see :mod:`numerics.plan_file`.
    out : path
        Folder of the sweep.  One that holds part of the same plan, or of one that this plan extends, is continued.
    workers : int
        Processes; the result does not depend on it.  One is this process: patterns that are not +-1 then agree with
        other numbers of workers up to rounding, unless this process has OMP_NUM_THREADS=1, as the command has.
    dask, slurm
        Run on a cluster instead; see :func:`numerics.executors.executor`.
    progress : callable, optional
        Called as ``progress(label, done, total)`` with numbers of tasks.

    Returns
    -------
    xarray.Dataset
        Dimensions: the axes of the grid, N and sample.  For every observable its mean over samples, say ``m``, with
        ``m_error`` (one standard error) and ``m_samples``; P and D; attributes say how it was made.

    Raises
    ------
    InvalidInput
        Before any work, if the plan has an error, a task is impossible, or the folder holds another plan or cannot be
        written to.
    NotConverged
        If tasks fail; the others are recorded, and the failed ones are tried again by the next call.

    Examples
    --------
    >>> import tempfile
    >>> plan = {"model": "hopfield", "N": [100], "samples": 4, "grid": {"alpha": [0.05, 0.1]}}
    >>> sweep(plan, out=tempfile.mkdtemp())["m"].dims
    ('alpha', 'N')
    """
    out = place_of(out)
    ready = plan_from(plan) if isinstance(plan, Mapping) else read_plan(plan)
    fill(ready, out, workers=workers, dask=dask, slurm=slurm, progress=progress)
    return read_dataset(out)


def fill(
    plan: Plan,
    out: Path | str,
    *,
    workers: int = 1,
    dask: str | None = None,
    slurm: bool = False,
    shard: tuple[int, int] = (1, 1),
    progress: Progress | None = None,
    announce: Callable[[int], None] | None = None,
    tell: Tell = to_stderr,
) -> bool:
    """Compute what a folder lacks of a plan or of one of its shards, and write the data set if nothing is missing.

    Parameters
    ----------
    plan : Plan
    out, workers, dask, slurm, progress
        As :func:`sweep`.
    shard : (int, int)
        (i, n) for the i-th of n shares, i = 1, ..., n.
    announce : callable, optional
        Called once, when nothing stands against the work, with the number of tasks that are recorded already.
    tell : callable
        Called with a sentence when something is amiss and mended: damaged files, killed workers.

    Returns
    -------
    bool
        Whether the data set is written: not while tasks of other shards are missing.

    Raises
    ------
    InvalidInput, NotConverged
        As :func:`sweep`.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM: the first lets running tasks finish, the second does not.  It says how many tasks
        are recorded.
    """
    folder = SweepFolder(place_of(out))
    remark = folder.check(plan)  # before a cluster is asked for anything
    if (workers != 1 or dask is not None or slurm) and not _found_anywhere(plan):
        raise InvalidInput(
            f"model '{plan.model}' is registered in this process only, where one worker finds it; give workers = 1, or "
            "the model as ./file.py:Class."
        )
    with executor(workers=workers, dask=dask, slurm=slurm) as pool:
        folder.open(plan)
        for sentence in filter(None, (remark, plan.remark)):
            tell(sentence)
        mine = shard_of(list(plan.blocks()), shard)
        failed: dict[str, str] = {}
        with interrupts() as interrupted:
            for _ in range(PASSES):
                todo = [block for block in folder.missing(mine, tell=tell) if block.name not in failed]
                if announce is not None:
                    announce(len(mine) - len(todo))
                    announce = None
                if not todo:
                    break
                run = _Run(plan, folder, pool, todo, len(mine), progress, tell, interrupted)
                try:
                    run.work()
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                except KeyboardInterrupt:
                    raise KeyboardInterrupt(
                        f"Stopped: {run.done} of {run.total} tasks recorded; start it again to go on."
                    ) from None
                failed |= run.failed
                if run.gave_up:
                    break
    if failed:
        raise NotConverged(failures(failed, len(mine)), folder.status())
    if folder.missing(list(plan.blocks())):
        return False
    write_dataset(plan, folder)
    return True


def run_block(plan: Plan, block: Block) -> dict[str, Any]:
    """Return the record of a task; it depends on the plan and the block, save for the provenance."""
    began = time.perf_counter()
    task = simulation(plan, block.point)
    rows = [simulate.run_sample(task, index) for index in range(block.first, block.last)]
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        "point": block.point.key,
        "first": block.first,
        "last": block.last,
        "values": {name: [_number(row.get(name)) for row in rows] for name in names},
        "P": task.P,
        "D": task.D,
        "provenance": provenance(time.perf_counter() - began, backend=task.backend),
    }


def parse_shard(text: str) -> tuple[int, int]:
    """Return (i, n) of "i/n", 1 <= i <= n.

    Raises
    ------
    InvalidInput

    Examples
    --------
    >>> parse_shard("2/8")
    (2, 8)
    """
    which, slash, of = text.partition("/")
    if not (slash and which.isdecimal() and of.isdecimal()):
        raise InvalidInput(f"shard = '{text}' is not allowed; give i/n, as 1/8 for the first of eight.")
    i, n = int(which), int(of)
    if not 1 <= i <= n:
        raise InvalidInput(f"shard = '{text}' is not allowed; give i/n with 1 <= i <= n.")
    return i, n


class _Run:
    """The tasks of one run, and where each of them stands."""

    def __init__(
        self,
        plan: Plan,
        folder: SweepFolder,
        pool: Executor,
        todo: list[Block],
        total: int,
        progress: Progress | None,
        tell: Tell,
        interrupted: threading.Event,
    ) -> None:
        self.plan, self.store, self.pool, self.interrupted = plan, folder.store, pool, interrupted
        self.tell = tell
        self.waiting, self.elsewhere, self.suspects = deque(todo), list[Block](), deque[Block]()
        self.running: dict[Future[Any], Block] = {}
        self.failed: dict[str, str] = {}
        self.killed: dict[str, int] = {}
        self.gave_up = False
        self.progress, self.total, self.done, self.made = progress, total, total - len(todo), 0
        self.began, self.looked = time.monotonic(), 0.0
        self.work_left, self.work_done = sum(_cost(b) for b in todo), 0.0

    def work(self) -> None:
        """Run until all tasks are recorded or have failed, or until an interruption has let the running ones end."""
        self._tell()
        try:
            while self.running or ((self.waiting or self.elsewhere or self.suspects) and not self.interrupted.is_set()):
                if self.interrupted.is_set():
                    for future in [f for f in self.running if self.pool.cancel(f)]:
                        self.store.release(self.running.pop(future).name)
                else:
                    self._submit()
                self._collect()
        finally:
            for block in self.running.values():
                self.store.release(block.name)

    def _submit(self) -> None:
        if self.suspects:  # one of those that ran when a worker was killed did it; alone, each shows
            if not self.running:
                self._start(self.suspects.popleft())
            return
        slots = self.pool.slots()
        while self.waiting and len(self.running) < slots and not self.interrupted.is_set():
            self._start(self.waiting.popleft())
            if any(future.done() for future in self.running):
                return
        if not self.waiting and self.elsewhere and time.monotonic() - self.looked > PAUSE:
            self.looked = time.monotonic()
            self.waiting.extend(self.elsewhere)
            self.elsewhere.clear()

    def _start(self, block: Block) -> None:
        if not self.store.claim(block.name):
            self.elsewhere.append(block)
            return
        if self.store.path(block.name).exists() and SweepFolder.fits(self.store.load(block.name), block):
            self.store.release(block.name)
            self._finished(block)
            return
        try:
            self.running[self.pool.submit(run_block, self.plan, block)] = block
        except BaseException as problem:
            self.store.release(block.name)
            if not isinstance(problem, BrokenExecutor):
                raise
            self.suspects.append(block)
            self._worker_died([])

    def _collect(self) -> None:
        """Record what has finished, waiting a moment for it."""
        if not self.running:
            if not self.waiting and not self.suspects and self.elsewhere:
                time.sleep(TICK)
                self._tell("waiting for tasks that another run has claimed")
            return
        ended = wait(self.running, timeout=TICK, return_when=FIRST_COMPLETED).done
        lost = []
        for future in ended:
            block = self.running.pop(future)
            problem = CancelledError() if future.cancelled() else future.exception()
            try:
                if problem is None:
                    self.store.save(block.name, future.result())
                    self.made += 1
            finally:
                self.store.release(block.name)
            if isinstance(problem, BrokenExecutor):
                lost.append(block)
            elif problem is not None:
                self._fail(block, reason(problem))
            else:
                self.work_done += _cost(block)
                self._finished(block)
        if lost:
            self._worker_died(lost)
        self._tell()

    def _worker_died(self, lost: list[Block]) -> None:
        """Sort out the tasks that a broken pool has lost: all that were running."""
        lost = lost + list(self.running.values())
        for block in self.running.values():
            self.store.release(block.name)
        self.running.clear()
        if self.interrupted.is_set():  # which may be what ended it; all that is lost is run by the next run
            return
        self.pool.restart()
        again = "its task is run again" if len(lost) == 1 else f"{len(lost)} tasks are run again, one at a time"
        self.tell(f"A worker process was killed, perhaps for want of memory; {again}.")
        for block in lost:
            times = self.killed[block.name] = self.killed.get(block.name, 0) + (len(lost) == 1)
            if times >= TRIES:
                self._fail(block, f"its worker process was killed {times} times, perhaps for want of memory")
            else:
                self.suspects.append(block)

    def _fail(self, block: Block, reason: str) -> None:
        self.failed[block.name] = reason
        if self.made == 0 and len(self.failed) >= GIVE_UP:
            self.gave_up = True
            for queue in (self.waiting, self.elsewhere, self.suspects):
                queue.clear()

    def _finished(self, block: Block) -> None:
        self.done += 1
        self.work_left -= _cost(block)

    def _tell(self, label: str = "") -> None:
        if self.progress is None:
            return
        seconds = time.monotonic() - self.began
        label = label or self.pool.trouble()
        if not label and self.work_done > 0 and seconds > 0:
            label = f"{rate(self.made / seconds)}, {duration(seconds * self.work_left / self.work_done)} left"
        failed = f", {len(self.failed)} failed" if self.failed else ""
        self.progress((label or "starting") + failed, self.done, self.total)


def _found_anywhere(plan: Plan) -> bool:
    """Whether another process finds the model: in its file, built in, or installed."""
    if plan.source is not None or plan.model in model_names():
        return True
    return plan.model in {point.name.replace("_", "-") for point in entry_points(group="spinodal.models")}


def _cost(block: Block) -> float:
    """Expected work: couplings times samples."""
    return float(block.point.N) ** 2 * (block.last - block.first)


def _number(value: float | None) -> float | None:
    return None if value is None or value != value or value in (float("inf"), float("-inf")) else float(value)
