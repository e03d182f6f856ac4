"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

__all__ = ["end_with"]

LOOK = 1.0  # seconds between looks at the parent, where the system tells nobody of its end
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


def end_with(parent: int) -> None:
    """End this process at once when its parent is gone, killed with -9 for example.

    Nothing is tidied up then: for processes that leave nothing behind.

    Parameters
    ----------
    parent : int
        Process id of the parent.
    """
    if not _signalled():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it went before anybody watched
        os._exit(1)


def _signalled() -> bool:
    """Whether Linux will kill this process when the thread that started it ends."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import ctypes

        return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)
    return False


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK)
    os._exit(1)
