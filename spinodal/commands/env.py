"""`spinodal env`: what a report of a fault needs."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from spinodal.commands.answers import Answer, table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["env"]

REQUIRED = (
    "numpy",
    "scipy",
    "sympy",
    "mpmath",
    "numba",
    "matplotlib",
    "typer",
    "rich",
    "xarray",
    "h5netcdf",
    "h5py",
    "joblib",
)
# Extra -> distribution and module: the extra counts as present when the module can be found.
EXTRAS = {
    "certify": ("python-flint", "flint"),
    "gpu": ("cupy-cuda12x", "cupy"),
    "neural": ("torch", "torch"),
    "cluster": ("distributed", "distributed"),
    "data": ("scikit-learn", "sklearn"),
}


def env() -> Answer:
    """Print versions and machine, for the report of a fault."""
    import numba

    data = {
        "spinodal": _version("spinodal"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "numba_threads": numba.config.NUMBA_NUM_THREADS,
        "packages": {name: _version(name) for name in REQUIRED},
        "extras": {
            extra: _version(name) or "unknown version" if importlib.util.find_spec(module) is not None else None
            for extra, (name, module) in EXTRAS.items()
        },
    }

    def show(out: Console) -> None:
        rows: list[tuple[str, object]] = [(k, v) for k, v in data.items() if k not in ("packages", "extras")]
        rows += list(data["packages"].items())
        rows += [(f"extra {name}", found or "absent") for name, found in data["extras"].items()]
        table(out, "", ("", ""), rows)

    return Answer(data, show)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
