"""Progress on stderr, for callers that do not bring their own: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["reporting"]

PAUSE = 2.0  # seconds between plain lines


@contextmanager
def reporting(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``report(label, done, total)``."""
    if not sys.stderr.isatty():
        told = [0.0]

        def lines(label: str, done: int, total: int) -> None:
            if done == total or time.monotonic() - told[0] >= PAUSE:
                told[0] = time.monotonic()
                print(f"{title}: {label} ({done}/{total})", file=sys.stderr, flush=True)

        yield lines
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda label, done, total: bar.update(task, completed=done, total=total, description=f"{title}: {label}")
