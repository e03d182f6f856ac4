"""The overlap form on a device: pattern bits and overlaps, N J is never formed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.backends.device import Device
from numerics.backends.gpu_dense import LAWS, ORDERS, TIES
from numerics.interactions import Interactions

__all__ = ["Overlap", "OverlapWalkers", "quench", "uploaded"]


@dataclass(frozen=True, eq=False)
class Overlap:
    """Pattern bits by site on the device, (N, words) uint32."""

    device: Device
    bits: Any
    N: int
    P: int

    @property
    def head(self) -> tuple[Any, ...]:
        """The first arguments of the kernels."""
        return self.bits, np.int32(self.bits.shape[1]), np.int32(self.P), np.int32(self.N)

    @property
    def place(self) -> tuple[bool, int]:
        """Whether overlaps fit shared memory, and the bytes of it that kernels need."""
        wanted = 32 + 128 * int(self.bits.shape[1])
        near = wanted <= self.device.shared_memory
        return near, wanted if near else 32


def uploaded(device: Device, interactions: Interactions) -> Overlap:
    """Copy the patterns to the device."""
    P = interactions.P
    assert P is not None
    if interactions.bits is not None:
        words = np.ascontiguousarray(interactions.bits).astype("<u8", copy=False).view(np.uint32)
        words = words[:, : 2 * -(-P // 64)]  # whole vectors of the CPU are padding here
    else:
        assert interactions.patterns is not None
        octets = np.packbits(interactions.patterns > 0, axis=1, bitorder="little")
        words = np.zeros((interactions.N, 4 * -(-P // 32)), dtype=np.uint8)
        words[:, : octets.shape[1]] = octets
        words = words.view("<u4")
    return Overlap(device, device.put(np.ascontiguousarray(words, dtype=np.uint32)), interactions.N, P)


def overlaps(overlap: Overlap, state: Any) -> Any:
    """Return ``M_mu`` of all replicas, a (R, 32 words) int32 array, zero beyond P."""
    R = state.shape[0]
    out = overlap.device.empty((R, 32 * overlap.bits.shape[1]), np.int32)
    overlap.device.launch("overlap", "overlaps_of", blocks=R, threads=256, arguments=(*overlap.head, state, out))
    return out


def quench(
    overlap: Overlap,
    spins: NDArray[np.int8],
    keys: NDArray[np.uint32],
    *,
    order: str,
    tie: str,
    max_sweeps: int,
    threads: int | None = None,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """See :class:`numerics.backends.Backend`; `threads` is those of a block here."""
    device, R = overlap.device, len(spins)
    state = device.put(spins)
    near, shared = overlap.place
    scratch = device.empty((3 * R * overlap.N,), np.int32)
    sweeps, flips = device.empty((R,), np.int64), device.empty((R,), np.int64)
    period = device.empty((R,), np.int32)
    device.launch(
        "overlap",
        "quench_overlap",
        blocks=R,
        threads=threads or 256,
        arguments=(
            *overlap.head,
            state,
            overlaps(overlap, state),
            np.int32(near),
            device.put(keys),
            np.int32(ORDERS[order]),
            np.int32(TIES[tie]),
            np.int32(max_sweeps),
            scratch,
            sweeps,
            flips,
            period,
        ),
        shared=shared,
    )
    return device.get(state), device.get(sweeps), device.get(flips), device.get(period).astype(np.int64)


@dataclass(eq=False)
class OverlapWalkers:
    """R states and their overlaps on the device."""

    overlap: Overlap
    normalisation: float
    state: Any
    threads: int | None = None
    _overlaps: Any = None

    def spins(self) -> NDArray[np.int8]:
        """See :class:`numerics.backends.Walkers`."""
        return self.overlap.device.get(self.state)

    def energies(self) -> NDArray[np.float64]:
        """See :class:`numerics.backends.Walkers`."""
        overlap, device = self.overlap, self.overlap.device
        R = self.state.shape[0]
        total = device.empty((R,), np.int64)
        words, P, N = overlap.head[1:]
        device.launch(
            "overlap",
            "alignment_overlap",
            blocks=R,
            threads=128,
            arguments=(self._kept(), words, P, N, total),
            shared=16,
        )
        return np.asarray(-0.5 * device.get(total).astype(np.float64) / (overlap.N * self.normalisation))

    def advance(
        self, law: str, scales: NDArray[np.float64], keys: NDArray[np.uint32], first_sweep: int, sweeps: int
    ) -> NDArray[np.int64]:
        """Make sweeps; see :class:`numerics.backends.Backend`.  `scales` are normalisation / (2 beta)."""
        device = self.overlap.device
        near, shared = self.overlap.place
        accepted = device.empty((self.state.shape[0],), np.int64)
        device.launch(
            "overlap",
            "sample_overlap",
            blocks=self.state.shape[0],
            threads=self.threads or 256,
            arguments=(
                *self.overlap.head,
                self.state,
                self._kept(),
                np.int32(near),
                device.put(keys),
                device.put(scales),
                np.int32(LAWS[law]),
                np.uint32(first_sweep),
                np.int32(sweeps),
                accepted,
            ),
            shared=shared,
        )
        return device.get(accepted)

    def _kept(self) -> Any:
        if self._overlaps is None:
            self._overlaps = overlaps(self.overlap, self.state)
        return self._overlaps
