"""Temperatures at which the tempering of one sample exchanges walkers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numerics import montecarlo, rng
from numerics.interactions import Interactions
from numerics.ladder import ladder
from theory.errors import NotConverged

if TYPE_CHECKING:
    from numerics.task import Task

__all__ = ["tempering_temperatures"]

_UNEQUAL = 0.3  # relative difference of exchange rates that a ladder may have: each sample tunes its own


def tempering_temperatures(plan: Task, couplings: Interactions, name: tuple[str | int, ...]) -> NDArray[np.float64]:
    """Return rising temperatures, (K,), from the one of `plan` to one at which spins forget quickly.

    K = 1 where that is the same.

    Parameters
    ----------
    plan : Task
        With a temperature above 0.
    couplings : Interactions
    name : tuple
        What the random numbers are named after.

    Raises
    ------
    NotConverged
        If the sample needs too many temperatures, or exchange rates do not become equal.
    """
    highest = _forgetful(plan, couplings, rng.stream(*name, "forget"))
    if not highest > plan.temperature:
        return np.array([plan.temperature])
    try:
        found = ladder(
            couplings,
            lowest=plan.temperature,
            highest=highest,
            tolerance=_UNEQUAL,
            key=rng.stream(*name, "ladder"),
            backend=plan.backend,
            threads=plan.threads,
        )
    except NotConverged as problem:
        why = str(problem).partition(";")[0]
        raise NotConverged(
            f"tempering from temperature {plan.temperature:g} finds no ladder in sample {name[5]}: {why}; give a "
            "higher temperature, or the algorithm 'metropolis' or 'heat-bath'."
        ) from problem
    return found.temperatures


def _forgetful(plan: Task, couplings: Interactions, key: NDArray[np.uint32]) -> float:
    """Return a temperature at which walkers have forgotten a random start within 32 sweeps; the given one if it is so.

    There the squared overlap with the start is of the order 1/N, that of unrelated configurations.  By the heat bath:
    far above all fields Metropolis turns all spins in every sweep, and would never forget.
    """
    walkers = 16
    start = rng.signs(key, rows=walkers, columns=couplings.N)
    temperature = plan.temperature
    options: dict[str, Any] = {"algorithm": "heat-bath", "backend": plan.backend}
    while True:
        keys = np.stack([rng.stream("forget", *map(int, key), round(1000 * temperature), r) for r in range(walkers)])
        end = montecarlo.sample(
            couplings, start, temperature=temperature, sweeps=64, every=64, keys=keys, **options
        ).spins
        later = montecarlo.sample(
            couplings, end, temperature=temperature, sweeps=32, every=32, keys=keys, first_sweep=64, **options
        ).spins
        kept = float((np.einsum("ri,ri->r", end, later, dtype=np.int64) ** 2).mean()) / couplings.N
        if kept < 3.0:
            return temperature
        temperature *= 1.2
