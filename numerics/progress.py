"""Progress on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["reporting"]


# Between two plain lines, in seconds: a log stays readable, and short runs say nothing.
PAUSE = 2.0


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
