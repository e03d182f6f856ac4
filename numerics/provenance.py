"""Where a result comes from: versions, git revision, machine, date and wall time."""

from __future__ import annotations

import functools
import platform
import subprocess
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["provenance"]

PACKAGES = ("spinodal", "numpy", "numba")


def provenance(seconds: float, *, backend: str = "cpu") -> dict[str, Any]:
    """Return what is needed to tell where a result that took `seconds` until now was made.

    Parameters
    ----------
    seconds : float
        Wall time of the work.
    backend : str
        With 'gpu' the card is named as well.

    Returns
    -------
    dict
        JSON types: versions of `spinodal`, `numpy`, `numba` and `python`; `git` (revision and whether the checkout
        had changes; absent when not run from one); `machine`, `cpu` and perhaps `gpu`; `started` (UTC) and
        `wall_seconds`.

    Examples
    --------
    >>> found = provenance(1.5)
    >>> found["wall_seconds"], "numpy" in found, "gpu" in found
    (1.5, True, False)
    """
    began = datetime.now(UTC) - timedelta(seconds=seconds)
    found: dict[str, Any] = {name: _version(name) for name in PACKAGES}
    found |= {"python": platform.python_version(), "machine": platform.machine(), "cpu": _cpu()}
    if backend == "gpu":
        found["gpu"] = _gpu()
    checkout = _checkout(Path(__file__).resolve().parent.parent)
    if checkout is not None:
        found["git"] = checkout
    return found | {"started": began.isoformat(timespec="seconds"), "wall_seconds": round(seconds, 3)}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


@functools.cache  # the code that runs is the code that was there when it was imported
def _checkout(home: Path) -> dict[str, Any] | None:
    """Revision of the git checkout whose root is `home`, and whether files that git knows differ from it."""
    if not (home / ".git").exists():  # a wheel, or a folder inside somebody else's checkout
        return None
    answers = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            done = subprocess.run(
                ["git", "-C", str(home), "--no-optional-locks", *command], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode != 0:
            return None
        answers.append(done.stdout.strip())
    return {"revision": answers[0], "dirty": bool(answers[1])}


@functools.cache
def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or "unknown"


def _gpu() -> str:
    import cupy

    return str(cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode())
