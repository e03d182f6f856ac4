r"""The backend for CUDA devices, through CuPy: thousands of replicas at a time, integer couplings, and trajectories
that are bit for bit those of backend 'cpu'.

* Quenches: one thread block per replica with its fields in shared memory (:file:`cuda/quench.cu`).
* Sampling: one block per walker with maintained fields (:file:`cuda/sampling.cu`), or, for many walkers that flip
  often, fields of 64 sites at a time by one exact matrix product for all walkers (:file:`cuda/lazy.cu`): half precision
  in, single precision out where \|N J\| <= 2048 and N max\|N J\| < 2^24, else signed bytes in, int32 out.
* The overlap form, for few patterns or N too large for N J (:file:`cuda/overlap.cu`).
* N J itself from patterns by int8 products (:func:`hebbian`).

What has been run where
-----------------------
The tests compile every source by nvcc (or NVRTC), and run host code and kernels together on an emulated device, block
by block on the CPU, against backend 'cpu'; a stand-in for CuPy checks the form of its calls.  No kernel has been run or
timed on a GPU yet: what happens only there (memory order between warps, exactness and speed of cuBLAS's products,
limits of the card) is left to the tests marked `gpu`.  Guesses until ``benchmarks/gpu.py`` has run: where shuffles are
made, threads per block, and the thresholds of the automatic choice between 'fields' and 'lazy'.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.backends import gpu_dense, gpu_overlap
from numerics.backends.device import Device, cuda, require
from numerics.backends.gpu_dense import VARIANTS, DenseWalkers
from numerics.backends.gpu_overlap import OverlapWalkers
from numerics.couplings import bits_by_site
from numerics.disorder import Sample
from numerics.interactions import Interactions
from theory.errors import InvalidInput, nearest

__all__ = ["VARIANTS", "advance", "hebbian", "quench", "require", "walkers"]


def quench(
    interactions: Interactions,
    spins: NDArray[np.int8],
    keys: NDArray[np.uint32],
    *,
    order: str,
    tie: str,
    max_sweeps: int,
    threads: int = 1,
    device: Device | None = None,
    block: int | None = None,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """See :class:`numerics.backends.Backend`; `threads` (of the CPU) are of no use here.

    Parameters
    ----------
    device : Device, optional
        Instead of the current CUDA device.
    block : int, optional
        Threads of a block, a multiple of 32; chosen by N if not given.
    """
    device = device or cuda()
    keys = np.ascontiguousarray(keys, dtype=np.uint32)
    start = np.ascontiguousarray(spins, dtype=np.int8)
    if not len(start):
        none = np.zeros(0, dtype=np.int64)
        return start, none, none, none
    options: dict[str, Any] = {"order": order, "tie": tie, "max_sweeps": max_sweeps, "threads": block}
    if interactions.matrix is None:
        return gpu_overlap.quench(gpu_overlap.uploaded(device, interactions), start, keys, **options)
    return gpu_dense.quench(gpu_dense.uploaded(device, interactions), start, keys, **options)


def walkers(
    interactions: Interactions,
    spins: NDArray[np.int8],
    *,
    variant: str = "auto",
    device: Device | None = None,
    block: int | None = None,
) -> DenseWalkers | OverlapWalkers:
    """See :class:`numerics.backends.Backend`.

    Parameters
    ----------
    variant : {'auto', 'fields', 'lazy'}
        Of dense couplings: maintained fields, fields by blocks of sites, or the one that suits the number of walkers
        and their acceptance so far.
    device, block : optional
        See :func:`quench`.

    Raises
    ------
    InvalidInput
        For an unknown variant.
    """
    if variant not in VARIANTS:
        close = nearest(str(variant), VARIANTS)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"variant '{variant}' is unknown; choose one of {', '.join(VARIANTS)}{hint}")
    device = device or cuda()
    start = np.ascontiguousarray(spins, dtype=np.int8)
    unit = interactions.normalisation
    if interactions.matrix is None:
        if variant != "auto":
            raise InvalidInput(f"variant '{variant}' is for dense couplings; use 'auto' with engine 'overlap-...'.")
        overlap = gpu_overlap.uploaded(device, interactions)
        return OverlapWalkers(overlap, unit, device.put(start), threads=block)
    dense = gpu_dense.uploaded(device, interactions)
    state = gpu_dense.padded(device, start, dense.pitch)
    return DenseWalkers(dense, len(start), unit, state, variant=variant, threads=block)


def advance(
    walkers: DenseWalkers | OverlapWalkers,
    *,
    algorithm: str,
    beta: NDArray[np.float64],
    keys: NDArray[np.uint32],
    first_sweep: int,
    sweeps: int,
    threads: int = 1,
) -> NDArray[np.int64]:
    """See :class:`numerics.backends.Backend`; `threads` (of the CPU) are of no use here."""
    beta = np.asarray(beta, dtype=np.float64)
    with np.errstate(divide="ignore"):  # beta = 0: every threshold is infinite
        scales = walkers.normalisation / (2.0 * beta)
    keys = np.ascontiguousarray(keys, dtype=np.uint32)
    return walkers.advance(algorithm, np.ascontiguousarray(scales), keys, first_sweep, sweeps)


def hebbian(sample: Sample, *, device: Device | None = None) -> NDArray[np.int16] | NDArray[np.int32]:
    """Return N J of +-1 patterns, built on the device; equal to :func:`numerics.couplings.hebbian`.

    Raises
    ------
    InvalidInput
        For patterns other than +-1.
    """
    if sample.dense is not None:
        raise InvalidInput("backend 'gpu' builds N J of +-1 patterns only; use numerics.couplings.hebbian.")
    kind = np.dtype(np.int16 if sample.P < 2**15 else np.int32)
    device = device or cuda()
    built = device.get(gpu_dense.hebbian(device, bits_by_site(sample), sample.P, kind)[:, : sample.N])
    fits = kind == np.int32 and max(-int(built.min()), int(built.max())) < 2**15
    return built.astype(np.int16) if fits else np.ascontiguousarray(built)
