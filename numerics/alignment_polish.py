r"""Newton's method for a minimum of vector spins that the dynamics has nearly reached.

Aligning spins one after another converges by a constant factor a sweep, close to 1 where soft modes are: from a turn
of 1e-5 to 1e-10 it may take thousands of sweeps.  With ``lambda_i = s_i . h_i`` and P the projection on the tangent
planes, the Hessian of H on the spheres is ``v -> lambda v - P J v``; a step solves ``(lambda - P J) v = P h`` by
conjugate gradients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from numerics.vector_interactions import VectorInteractions

__all__ = ["angles", "newton", "widened"]

_STEPS = 12
_PRODUCTS = 1000  # of the couplings with a vector, in one step
_FAR = 0.3  # no step leads so far, in radians, from a minimum that is nearly reached
_ROOM = 2e9  # bytes that patterns in double precision may take


def angles(spins: NDArray[np.float64], fields: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (N,) angles between spins and their fields, in radians; 0 where there is no field."""
    along = np.einsum("na,na->n", spins, fields)
    across = fields - along[:, None] * spins
    return np.asarray(np.arctan2(np.sqrt(np.einsum("na,na->n", across, across)), along))


def widened(interactions: VectorInteractions) -> VectorInteractions:
    """Return the same couplings with patterns in double precision, if they fit: many products need them so."""
    X = interactions.patterns
    if X is None or 8 * X.size > _ROOM:
        return interactions
    return replace(interactions, patterns=X.astype(np.float64, copy=False))


def newton(
    interactions: VectorInteractions, spins: NDArray[np.float64], *, tolerance: float
) -> tuple[NDArray[np.float64], int]:
    """Return the minimum near (N, d) `spins` and the steps taken, 0 if none was an improvement.

    Parameters
    ----------
    interactions : VectorInteractions
    spins : (N, d) float64 array
        No angle to a field may be large.
    tolerance : float
        Largest angle, in radians, between a spin and its field.
    """
    state, steps = spins, 0
    fields = interactions.linear(state[None])[0]
    residual = float(angles(state, fields).max())
    while residual > tolerance and steps < _STEPS:
        move = _step(interactions, state, fields, residual)
        if move is None:
            break
        tried = state + move
        tried /= np.sqrt(np.einsum("na,na->n", tried, tried))[:, None]
        there = interactions.linear(tried[None])[0]
        # Energies cannot tell steps so small apart; angles can.
        after = float(angles(tried, there).max())
        if not after < 0.5 * residual:
            break
        state, fields, residual, steps = tried, there, after, steps + 1
    return state, steps


def _step(
    interactions: VectorInteractions, state: NDArray[np.float64], fields: NDArray[np.float64], residual: float
) -> NDArray[np.float64] | None:
    """Return the Newton step, or None where the Hessian is not positive or the step is too long."""
    strength = np.einsum("na,na->n", state, fields)
    if not strength.min() > 0.0:
        return None

    def tangent(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(v - np.einsum("na,na->n", state, v)[:, None] * state)

    def curvature(flat: Any) -> Any:
        v = tangent(flat.reshape(state.shape))
        return (strength[:, None] * v - tangent(interactions.linear(v[None])[0])).reshape(-1)

    def divided(flat: Any) -> Any:
        return (tangent(flat.reshape(state.shape)) / strength[:, None]).reshape(-1)

    pull = tangent(fields).reshape(-1)
    form = (pull.size, pull.size)
    hessian, inverse = (LinearOperator(form, matvec=f, dtype=np.float64) for f in (curvature, divided))
    found, failed = cg(hessian, pull, rtol=min(0.01, np.sqrt(residual)), maxiter=_PRODUCTS, M=inverse)
    move = tangent(found.reshape(state.shape))
    longest = float(np.sqrt(np.einsum("na,na->n", move, move)).max())
    downhill = float(move.reshape(-1) @ pull) > 0.0
    return np.asarray(move) if not failed and downhill and longest < _FAR else None
