"""Switches of the test suite: --slow, and GPU tests only where a device answers."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Before NumPy or matplotlib is imported: one thread per worker (pytest-xdist fills the cores), and no window.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Timing on a shared machine says nothing, and the same examples every time make a failure repeatable.
settings.register_profile("spinodal", deadline=None, derandomize=True, max_examples=25, database=None)
settings.load_profile("spinodal")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow; run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)
    waiting = [item for item in items if "gpu" in item.keywords]
    if waiting and not _device():
        for item in waiting:
            item.add_marker(pytest.mark.skip(reason="no CUDA device, or the extra 'gpu' is not installed"))


def _device() -> bool:
    try:
        import cupy

        return int(cupy.cuda.runtime.getDeviceCount()) > 0
    except Exception:
        return False
