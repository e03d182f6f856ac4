"""Implementations of the same dynamics; the caller names one, nothing falls back silently."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from numerics.couplings import Couplings
from theory.errors import InvalidInput, nearest

__all__ = ["BACKENDS", "Backend", "backend_named"]

BACKENDS = ("cpu", "reference")


class Backend(Protocol):
    """What a backend module offers."""

    def quench(
        self,
        couplings: Couplings,
        spins: NDArray[np.int8],
        key: NDArray[np.uint32],
        *,
        shuffled: bool,
        plus: bool,
        max_sweeps: int,
    ) -> tuple[NDArray[np.int8], int, int]:
        """Return final spins, sweeps (-1 if `max_sweeps` did not suffice) and the number of flips."""
        ...


def backend_named(name: str) -> Backend:
    """Return the backend called `name`.

    Raises
    ------
    InvalidInput
        For an unknown name, and for 'gpu', which does not exist yet.
    """
    if name not in BACKENDS:
        if name == "gpu":
            raise InvalidInput("backend 'gpu' is not available yet; use backend 'cpu' (or 'reference' to check it).")
        close = nearest(str(name), BACKENDS)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"backend '{name}' is unknown; choose one of {', '.join(BACKENDS)}{hint}")
    return cast(Backend, importlib.import_module(f"numerics.backends.{name}"))
