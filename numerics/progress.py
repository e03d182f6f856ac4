"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["reporting", "searching"]


# Between two plain lines, in seconds: a log stays readable, and short runs say nothing.
PAUSE = 2.0
SILENCE = 5.0  # until work without known length says that it goes on


class _Lines:
    """Plain lines, one in a while."""

    def __init__(self, title: str) -> None:
        self.title, self.told = title, time.monotonic()

    def __call__(self, label: str, done: int, total: int) -> None:
        if time.monotonic() - self.told >= PAUSE:
            self.told = time.monotonic()
            print(f"{self.title}: {label}, {done} of {total} done", file=sys.stderr, flush=True)


@contextmanager
def reporting(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``report(label, done, total)``."""
    if not sys.stderr.isatty():
        yield _Lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda label, done, total: bar.update(task, completed=done, total=total, description=f"{title}: {label}")


@contextmanager
def searching(title: str, label: str) -> Iterator[None]:
    """Say that work of unknown length goes on: a clock on a terminal, elsewhere lines ever farther apart."""
    if not sys.stderr.isatty():
        done = threading.Event()
        teller = threading.Thread(target=_tell, args=(done, title, label), daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as clock:
        clock.add_task(f"{title}: {label}", total=None)
        yield


def _tell(done: threading.Event, title: str, label: str) -> None:
    began, pause = time.monotonic(), SILENCE
    while not done.wait(pause):
        seconds = time.monotonic() - began
        print(f"{title}: {label}, {seconds:.0f} s so far", file=sys.stderr, flush=True)
        pause = seconds
