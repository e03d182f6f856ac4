"""Where the tasks of a sweep run: in this process, in processes beside it, or on a Dask cluster.

All are used in one way, so that a sweep knows nothing of them: `submit` a function, get a
:class:`concurrent.futures.Future`.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Protocol

from numerics.orphans import end_with
from theory.errors import InvalidInput, MissingExtra, NotConverged

__all__ = ["ONE_THREAD", "Executor", "dask_cluster", "executor", "local", "slurm_cluster"]

# The kernels of one task use one core; so must the matrix products.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
CONNECT = 10.0  # seconds to wait for a scheduler


class Executor(Protocol):
    """What a sweep asks of a place where tasks run."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call."""
        ...

    def slots(self) -> int:
        """Return how many calls to keep started."""
        ...

    def cancel(self, future: Future[Any]) -> bool:
        """Take a call back if it certainly does not run yet."""
        ...

    def restart(self) -> None:
        """Start anew after a call ended in :class:`concurrent.futures.BrokenExecutor`."""
        ...

    def trouble(self) -> str:
        """Say what keeps all calls waiting; empty if nothing does."""
        ...


@contextmanager
def executor(*, workers: int = 1, dask: str | None = None, slurm: bool = False) -> Iterator[Executor]:
    """Open the executor that the options ask for.

    Parameters
    ----------
    workers : int
        Processes on this machine, or jobs of SLURM; one process is this one.
    dask : str, optional
        Address of a running Dask scheduler, tcp://host:8786 say, or the path of its scheduler file.
    slurm : bool
        Submit `workers` jobs to SLURM; cores, memory, time and queue of a job come from the configuration of
        dask-jobqueue (~/.config/dask/jobqueue.yaml).

    Raises
    ------
    InvalidInput
        For options that are out of range or contradict each other, a scheduler that does not answer, or no SLURM.
    MissingExtra
        If Dask is needed and missing.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InvalidInput(f"workers = {workers!r} is not allowed; give a whole number of at least 1.")
    if dask is not None and slurm:
        raise InvalidInput("--dask and --slurm are both given; choose a running scheduler or jobs of SLURM.")
    if dask is not None:
        opened: Any = dask_cluster(dask)
    elif slurm:
        opened = slurm_cluster(workers)
    else:
        opened = local(workers)
    with opened as found:
        yield found


@contextmanager
def local(workers: int) -> Iterator[Executor]:
    """Run in this process (one worker), or in worker processes."""
    if workers == 1:
        yield _Here()
        return
    pool = _Processes(workers)
    try:
        yield pool
    except BaseException:
        pool.close(now=True)
        raise
    pool.close(now=False)


@contextmanager
def dask_cluster(address: str) -> Iterator[Executor]:
    """Run on the workers of a running Dask scheduler; they need spinodal, but not to see the folder."""
    distributed = _extra("distributed")
    _hush()
    kind = {"address": address} if ":" in address else {"scheduler_file": address}
    try:
        if "address" not in kind and not os.path.isfile(address):  # Dask would wait for it for ever
            raise FileNotFoundError(address)
        client = distributed.Client(**kind, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as problem:
        raise InvalidInput(
            f"no Dask scheduler answers at '{address}'; start 'dask scheduler' and give the address it prints."
        ) from problem
    with client:
        yield _Dask(client, address)


@contextmanager
def slurm_cluster(jobs: int) -> Iterator[Executor]:
    """Run in jobs of SLURM, submitted by dask-jobqueue."""
    dask, distributed = _extra("dask"), _extra("distributed")
    if shutil.which("sbatch") is None:
        raise InvalidInput("'sbatch' is not found, so this is no SLURM cluster; use --workers or --dask ADDRESS.")
    jobqueue = _extra("dask_jobqueue")
    _hush()
    known = dask.config.get("jobqueue.slurm", {})
    usual = {"cores": 1, "memory": "4 GB"}
    given = {name: value for name, value in usual.items() if known.get(name) is None}
    try:
        cluster = jobqueue.SLURMCluster(**given)
        cluster.scale(jobs=jobs)
    except (ValueError, OSError, RuntimeError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise InvalidInput(
            f"jobs cannot be submitted to SLURM ({reason}); correct ~/.config/dask/jobqueue.yaml."
        ) from problem
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield _Dask(client, "the SLURM jobs")


class _Here:
    """Calls at once, in this process."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as problem:
            future.set_exception(problem)
        return future

    def slots(self) -> int:
        return 1

    def cancel(self, future: Future[Any]) -> bool:
        return False

    def trouble(self) -> str:
        return ""

    def restart(self) -> None:
        raise AssertionError("this process cannot be restarted")


class _Processes:
    """Worker processes that notice when one of them is killed (loky, of joblib)."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool = self._start()

    def _start(self) -> Any:
        from multiprocessing import resource_tracker

        from joblib.externals.loky.backend import resource_tracker as its_tracker
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        for tracker in (resource_tracker, its_tracker):  # here, because their start lets Ctrl-C through again
            tracker.ensure_running()
        return ProcessPoolExecutor(self.workers, initializer=_worker, initargs=(os.getpid(),), env=ONE_THREAD)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with _uninterrupted():  # workers start here
            future: Future[Any] = self.pool.submit(function, *arguments)
        return future

    def slots(self) -> int:
        return self.workers + 1  # one waits, so that nobody does

    def cancel(self, future: Future[Any]) -> bool:
        return future.cancel()

    def trouble(self) -> str:
        return ""

    def restart(self) -> None:
        self.close(now=True)
        self.pool = self._start()

    def close(self, *, now: bool) -> None:
        """End the workers, killing them if `now`."""
        self.pool.shutdown(wait=True, kill_workers=now)


class _Dask:
    """The workers that a scheduler has at the moment; it runs the tasks of a lost one elsewhere by itself."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name
        self.futures = client.get_executor(pure=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        self._alive()
        future: Future[Any] = self.futures.submit(function, *arguments)
        return future

    def slots(self) -> int:
        return max(1, 2 * self._threads())

    def cancel(self, future: Future[Any]) -> bool:
        return False  # the scheduler does not say which of them run

    def trouble(self) -> str:
        return "" if self._threads() else f"{self.name} has no workers yet"

    def _threads(self) -> int:
        self._alive()
        try:
            return sum(int(threads) for threads in self.client.nthreads().values())
        except OSError as problem:
            raise self._lost() from problem

    def restart(self) -> None:
        raise self._lost()

    def _alive(self) -> None:
        if self.client.status != "running":
            raise self._lost()

    def _lost(self) -> NotConverged:
        return NotConverged(f"the connection to {self.name} is lost; finished tasks are recorded, so run again.")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back from this thread, and for good from processes that it starts: they inherit the mask.

    Otherwise Ctrl-C, which a terminal sends to all processes, kills those that are only just starting.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _worker(parent: int) -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the one that hands out the tasks; end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)


def _hush() -> None:
    """Keep the tracebacks of Dask's own logs away: what is lost is said in a sentence."""
    roots = ("distributed", "tornado", "asyncio")
    # Dask gives some loggers below these levels of their own, as distributed.client.
    for name in (*roots, *logging.root.manager.loggerDict):
        if name.partition(".")[0] in roots:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _extra(module: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError as problem:
        raise MissingExtra(
            f"package '{module}' is not installed; sweeps on a cluster need it: pip install 'spinodal[cluster]'."
        ) from problem
