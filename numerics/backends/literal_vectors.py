"""All couplings of vector spins by their definition, in NumPy: what the reference backends go by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.vector_interactions import VectorInteractions
from theory.errors import InvalidInput

__all__ = ["literal_couplings"]

_LARGEST = 2e9  # bytes


def literal_couplings(interactions: VectorInteractions) -> NDArray[np.float64]:
    """Return the couplings as an (N, d, N, d) array, [i, a, j, b], from their definition, in units of `scale`.

    Raises
    ------
    InvalidInput
        If they would take more than 2 GB.
    """
    N, d, kind = interactions.N, interactions.d, interactions.kind
    if 8.0 * (N * d) ** 2 > _LARGEST:
        raise InvalidInput(
            f"backend 'reference' would need {8e-9 * (N * d) ** 2:.1f} GB for N = {N}, d = {d}; use 'cpu' (or "
            "N d <= 15000)."
        )
    if interactions.patterns is None:
        J = _given(interactions)
    else:
        xi: Any = interactions.patterns.astype(np.float64)
        if kind == "scalar":
            J = np.einsum("iac,jac,pq->ipjq", xi, xi, np.eye(d), optimize=True)
        elif kind == "tensor":
            J = np.einsum("iac,jbc->iajb", xi, xi, optimize=True)
        else:
            z = xi[:, 0, : interactions.P] + 1j * xi[:, 1, : interactions.P]
            J = _as_tensor(z @ z.conj().T)
    for i in range(N):
        J[i, :, i] = 0.0
    return np.asarray(J)


def _given(interactions: VectorInteractions) -> NDArray[np.float64]:
    assert interactions.couplings is not None
    J = interactions.couplings.astype(np.float64)
    if interactions.kind == "tensor":
        return J.transpose(0, 1, 3, 2).copy()
    if interactions.kind == "scalar":
        return np.asarray(np.einsum("ij,pq->ipjq", J, np.eye(interactions.d)))
    return _as_tensor(J[0] + 1j * J[1])


def _as_tensor(J: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return real 2 x 2 blocks that turn (x, y) as the complex number turns x + i y."""
    return np.stack([np.stack([J.real, -J.imag], axis=-1), np.stack([J.imag, J.real], axis=-1)], axis=1)
