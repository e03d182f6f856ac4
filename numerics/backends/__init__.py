"""Implementations of the same dynamics; the caller names one, nothing falls back silently."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from numerics.interactions import Interactions
from theory.errors import InvalidInput, nearest

__all__ = ["BACKENDS", "Backend", "Walkers", "backend_named"]

BACKENDS = ("cpu", "reference", "gpu")


class Walkers(Protocol):
    """R states of one sample with their local fields, wherever the backend keeps them."""

    def spins(self) -> NDArray[np.int8]:
        """Return a copy of the states, a (R, N) array of +-1, in the memory of the host."""
        ...

    def energies(self) -> NDArray[np.float64]:
        """Return the energies per spin, a (R,) array."""
        ...


class Backend(Protocol):
    """What a backend module offers."""

    def quench(
        self,
        interactions: Interactions,
        spins: NDArray[np.int8],
        keys: NDArray[np.uint32],
        *,
        order: str,
        tie: str,
        max_sweeps: int,
        threads: int,
    ) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Run zero-temperature dynamics from R starts.

        Parameters
        ----------
        spins : (R, N) int8 array of +-1
            Not changed.
        keys : (R, 3) uint32 array
            Philox keys of the visiting orders.
        order, tie : str
            See :func:`numerics.dynamics.quench`.
        threads : int
            Starts run at a time; no result depends on it.

        Returns
        -------
        spins : (R, N) int8 array
        sweeps : (R,) int64 array
            -1 where `max_sweeps` did not suffice.
        flips : (R,) int64 array
        period : (R,) int64 array
            1 at a fixed point, 2 in a two-cycle, 0 where `max_sweeps` did not suffice.
        """
        ...

    def walkers(self, interactions: Interactions, spins: NDArray[np.int8]) -> Walkers:
        """Return walkers at the (R, N) int8 states `spins`."""
        ...

    def advance(
        self,
        walkers: Walkers,
        *,
        algorithm: str,
        beta: NDArray[np.float64],
        keys: NDArray[np.uint32],
        first_sweep: int,
        sweeps: int,
        threads: int,
    ) -> NDArray[np.int64]:
        """Run `sweeps` sweeps of Monte Carlo from number `first_sweep` on, in place.

        Parameters
        ----------
        algorithm : {'metropolis', 'heat-bath'}
        beta : (R,) float64 array
            Inverse temperatures.
        keys : (R, 3) uint32 array

        Returns
        -------
        accepted : (R,) int64 array
            Flips of each walker.
        """
        ...


def backend_named(name: str) -> Backend:
    """Return the backend called `name`.

    A backend that needs what may be missing says so by raising in its function `require`.

    Raises
    ------
    InvalidInput
        For an unknown name.
    MissingExtra
        If the package or the device that it needs is missing.
    """
    if name not in BACKENDS:
        close = nearest(str(name), BACKENDS)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"backend '{name}' is unknown; choose one of {', '.join(BACKENDS)}{hint}")
    module = importlib.import_module(f"numerics.backends.{name}")
    if name == "gpu":
        module.require()
    return cast(Backend, module)
