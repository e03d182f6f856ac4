"""Zero-temperature dynamics of vector spins, each turning into its local field: ``s_i <- h_i / |h_i|``."""

from __future__ import annotations

import importlib
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng
from numerics.alignment_polish import angles, newton, widened
from numerics.dynamics import chosen
from numerics.vector_input import unit_vectors
from numerics.vector_interactions import VectorInteractions
from theory.errors import InvalidInput

__all__ = ["BACKENDS", "ORDERS", "Alignment", "align", "one_step"]

ORDERS = ("random", "sequential", "synchronous")
BACKENDS = ("cpu", "reference")

_REACHED = {"float32": 1e-5, "float64": 1e-10}  # turns that sweeps of either precision are sure to come down to
_SMALLEST = 1e-12
_STALLED = 20  # sweeps without a smaller turn, after which rounding is what moves spins
_BETWEEN = 25  # sweeps between two attempts of Newton's method


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where a zero-temperature run of vector spins ended.

    Attributes
    ----------
    spins : (N, d) float64 array
        Unit vectors.
    sweeps : int
        All sweeps, in whatever precision, the last one included.
    turn : float
        The largest angle, in radians, by which a spin turned in the last sweep.
    residual : float
        The largest angle between a spin and its local field in the end, in double precision; 0 where there is no field.
    energy : float
        Per spin, in double precision.
    converged : bool
        Whether `turn` is within the tolerance.  How far the minimum still is depends on its softest mode: by a factor
        of about (largest local field) / (lowest eigenvalue of the Hessian) further than `turn`.
    steps : int
        Steps of Newton's method among the sweeps.
    period : int
        1; or 2 for the two-cycle in which synchronous dynamics may end, which is not converged.
    """

    spins: NDArray[np.float64]
    sweeps: int
    turn: float
    residual: float
    energy: float
    converged: bool
    steps: int = 0
    period: int = 1


def align(
    interactions: VectorInteractions,
    spins: ArrayLike,
    *,
    key: NDArray[np.uint32] | None = None,
    order: str = "random",
    backend: str = "cpu",
    max_sweeps: int = 10_000,
    tolerance: float | None = None,
    polish: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Alignment:
    r"""Turn spins into their local fields until none turns by more than the tolerance in a whole sweep.

    One at a time, the energy never rises.  Sweeps are in the precision of the couplings; a tolerance that float32 does
    not reach is reached in float64 from there on.  At d = 1 this is the zero-temperature dynamics of Ising spins, in
    the same order of visits, a spin in zero field keeping its value.

    Parameters
    ----------
    interactions : VectorInteractions
    spins : (N, d) array
        Unit vectors, the start; not changed.
    key : (3,) uint32 array, optional
        Name of the visiting order, from :func:`numerics.rng.stream`; sweep n is its lane n.
    order : {'random', 'sequential', 'synchronous'}
        A fresh random permutation for each sweep; sites 0, 1, ..., N-1; or all spins at once (in double precision).
    backend : {'cpu', 'reference'}
        Compiled kernels; or plain NumPy in double precision, whose spins differ after n sweeps by rounding only.
    max_sweeps : int
    tolerance : float, optional
        Largest turn of the last sweep, in radians, from 1e-12 on; by default 1e-5 for float32, which float32 alone
        reaches, and 1e-10 for float64.
    polish : bool
        Whether Newton's method may shorten the last stretch, below turns of 1e-5 (backend 'cpu').
    progress : callable, optional
        Called as ``progress("sweeps", done, max_sweeps)`` after each sweep.

    Raises
    ------
    InvalidInput
        For shapes that do not fit, spins that are not unit vectors or an unknown option.

    Examples
    --------
    >>> from numerics.vector_interactions import from_couplings
    >>> pair = from_couplings([[0, 1], [1, 0]], kind="scalar", d=2)
    >>> end = align(pair, [[1.0, 0.0], [0.0, 1.0]], order="sequential")
    >>> end.spins.tolist(), end.energy, end.sweeps, end.converged
    ([[0.0, 1.0], [0.0, 1.0]], -0.5, 2, True)
    """
    chosen(order, ORDERS, "order")
    chosen(backend, BACKENDS, "backend")
    state = _single(spins, interactions)
    key = _valid_key(rng.stream("align") if key is None else key)
    if isinstance(max_sweeps, bool) or not isinstance(max_sweeps, int | np.integer) or max_sweeps < 1:
        raise InvalidInput(f"max_sweeps = {max_sweeps!r} is not allowed; give an integer max_sweeps >= 1.")
    wanted = _REACHED[interactions.precision] if tolerance is None else _valid_tolerance(tolerance)
    if order == "synchronous":
        return _synchronous(interactions, state, max_sweeps=int(max_sweeps), wanted=wanted, progress=progress)
    make = importlib.import_module(f"numerics.backends.{backend}_alignment").Run
    walk = _Walk(interactions, key, order == "random", int(max_sweeps), progress)
    if backend == "reference" or interactions.precision == "float64":
        run = make(interactions, state, "float64")
    else:
        run = make(interactions, state, "float32")
        turn = walk.down(run, max(wanted, _REACHED["float32"]), stalls=True)
        if turn <= wanted or walk.over:
            return _ended(interactions, run.spins(), walk.sweeps, turn, wanted, 0)
        run = make(interactions, run.spins(), "float64")
    if backend == "reference" or not polish:
        turn = walk.down(run, wanted)
        return _ended(interactions, run.spins(), walk.sweeps, turn, wanted, 0)
    turn = walk.down(run, max(wanted, _REACHED["float32"]))
    wide, steps = widened(interactions), 0
    while turn > wanted and not walk.over:
        found, taken = newton(wide, run.spins(), tolerance=0.1 * wanted)
        steps += taken
        if taken:
            run.load(found)
        turn = walk.down(run, wanted, most=1 if taken else _BETWEEN)
    return _ended(interactions, run.spins(), walk.sweeps, turn, wanted, steps)


def one_step(interactions: VectorInteractions, spins: ArrayLike) -> NDArray[np.float64]:
    """Return all spins turned into their fields at once; a spin in zero field keeps its direction.

    Parameters
    ----------
    spins : (N, d) or (R, N, d) array
        Unit vectors.

    Returns
    -------
    spins : float64 array of the same shape
    """
    state = unit_vectors(spins, interactions.N, interactions.d)
    return _turned(interactions, state, interactions.fields(state))


class _Walk:
    """The visiting orders of a run, and how many sweeps it has taken."""

    def __init__(
        self,
        interactions: VectorInteractions,
        key: NDArray[np.uint32],
        shuffled: bool,
        limit: int,
        progress: Callable[[str, int, int], None] | None,
    ) -> None:
        self.N, self.key, self.shuffled, self.limit, self.progress = interactions.N, key, shuffled, limit, progress
        self.sweeps = 0

    @property
    def over(self) -> bool:
        """Whether no sweep is left."""
        return self.sweeps >= self.limit

    def down(self, run: Any, wanted: float, *, most: int | None = None, stalls: bool = False) -> float:
        """Sweep until no spin turns by more than `wanted`, at least once; return the largest turn of the last sweep."""
        turn, least, since = math.inf, math.inf, 0
        for _ in range(self.limit - self.sweeps if most is None else min(most, self.limit - self.sweeps)):
            order = (
                rng.permutation(self.key, self.N, lane=self.sweeps)
                if self.shuffled
                else np.arange(self.N, dtype=np.int32)
            )
            turn = _angle(run.sweep(order))
            self.sweeps += 1
            if self.progress:
                self.progress("sweeps", self.sweeps, self.limit)
            least, since = (turn, 0) if turn < least else (least, since + 1)
            if turn <= wanted or (stalls and since >= _STALLED and least < 100.0 * wanted):
                break
        return turn


def _synchronous(
    interactions: VectorInteractions,
    state: NDArray[np.float64],
    *,
    max_sweeps: int,
    wanted: float,
    progress: Callable[[str, int, int], None] | None,
) -> Alignment:
    wide, before = widened(interactions), None
    turn, period, sweep = math.inf, 1, 0
    while sweep < max_sweeps and turn > wanted and period == 1:
        after = _turned(interactions, state, wide.linear(state[None])[0])
        turn = _angle(_farthest(after, state))
        if before is not None and turn > wanted and _angle(_farthest(after, before)) <= min(wanted, 0.01 * turn):
            period = 2
        before, state, sweep = state, after, sweep + 1
        if progress:
            progress("sweeps", sweep, max_sweeps)
    return _ended(interactions, state, sweep, turn, wanted, 0, period)


def _ended(
    interactions: VectorInteractions,
    spins: NDArray[np.float64],
    sweeps: int,
    turn: float,
    wanted: float,
    steps: int,
    period: int = 1,
) -> Alignment:
    fields = interactions.linear(spins[None])[0]
    energy = -0.5 * float(np.einsum("na,na->", spins, fields)) / interactions.N
    lengths = np.sqrt(np.einsum("na,na->n", fields, fields))
    apart = np.where(lengths > interactions.zero * interactions.scale, angles(spins, fields), 0.0)
    return Alignment(spins, sweeps, turn, float(apart.max()), energy, turn <= wanted, steps, period)


def _turned(
    interactions: VectorInteractions, state: NDArray[np.float64], fields: NDArray[np.float64]
) -> NDArray[np.float64]:
    lengths = np.sqrt(np.einsum("...a,...a->...", fields, fields))[..., None]
    free = lengths > interactions.zero * interactions.scale
    return np.asarray(np.where(free, fields / np.where(free, lengths, 1.0), state))


def _farthest(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.einsum("na,na->n", a - b, a - b).max()))


def _angle(distance: float) -> float:
    """Return the angle between unit vectors at a distance."""
    return 2.0 * math.asin(min(1.0, 0.5 * distance))


def _single(spins: ArrayLike, interactions: VectorInteractions) -> NDArray[np.float64]:
    state = unit_vectors(spins, interactions.N, interactions.d)
    if state.ndim != 2:
        raise InvalidInput(
            f"spins have shape {state.shape}; give one start of shape ({interactions.N}, {interactions.d})."
        )
    return np.asarray(state / np.sqrt(np.einsum("na,na->n", state, state))[:, None])


def _valid_key(key: Any) -> NDArray[np.uint32]:
    words = np.asarray(key)
    if words.shape != (3,) or words.dtype != np.uint32:
        raise InvalidInput(
            f"key has shape {words.shape} and type {words.dtype}; give 3 words of uint32, from numerics.rng.stream."
        )
    return words


def _valid_tolerance(tolerance: Any) -> float:
    if (
        isinstance(tolerance, bool)
        or not isinstance(tolerance, numbers.Real)
        or not _SMALLEST <= float(tolerance) < math.pi
    ):
        raise InvalidInput(
            f"tolerance = {tolerance!r} is not allowed; give the largest turn of a sweep in radians, from 1e-12 to pi."
        )
    return float(tolerance)
