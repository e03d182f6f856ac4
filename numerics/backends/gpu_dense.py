"""Dense couplings on a device: quenches, sampled walkers with maintained or block-lazy fields, and building N J."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.backends.device import Device
from numerics.interactions import Interactions
from theory.errors import InvalidInput

__all__ = ["BLOCKS", "LAWS", "ORDERS", "TIES", "VARIANTS", "Dense", "DenseWalkers", "hebbian", "quench", "uploaded"]

LAWS = {"metropolis": 0, "heat-bath": 1}
ORDERS = {"random": 0, "sequential": 1, "greedy": 2, "synchronous": 3}
TIES = {"keep": 0, "plus": 1}
VARIANTS = ("auto", "fields", "lazy")

_ROWS = 2048  # of couplings per product when all fields are found, and per upload
_LAZY = 64  # sites per block-lazy step
BLOCKS = 4  # of a multiprocessor that shuffles in shared memory must leave room for (a guess until it is measured)
_WIDE = 1024  # walkers from which on a matrix product is worth its price (a guess until it is measured)
_HOT = 0.005  # acceptance above which rows cost more than products (a guess until it is measured)


@dataclass(frozen=True, eq=False)
class Dense:
    """N J on the device: rows padded with zeros to a multiple of 16 columns."""

    device: Device
    matrix: Any
    N: int
    parity: int
    largest: float
    field_dtype: np.dtype[Any]

    @property
    def pitch(self) -> int:
        """Columns of `matrix`."""
        return int(self.matrix.shape[1])

    @property
    def row(self) -> str:
        """Type of a stored coupling, which names kernels."""
        return str(np.dtype(self.matrix.dtype).name)

    @property
    def head(self) -> tuple[Any, ...]:
        """The first arguments of most kernels."""
        return self.matrix, np.int32(self.N), np.int32(self.pitch), np.int32(self.parity)


def uploaded(device: Device, interactions: Interactions) -> Dense:
    """Copy dense couplings to the device.

    Raises
    ------
    InvalidInput
        For floating-point couplings: sums in another order would round differently.
    """
    matrix = interactions.matrix
    assert matrix is not None
    if matrix.dtype == np.float64:
        raise InvalidInput(
            "backend 'gpu' needs integer couplings, but these are float64 (engine 'dense-float64'), whose rounded sums "
            "depend on their order; use backend 'cpu'."
        )
    # Single precision holds integers here; int32 has the same size.
    kind = np.dtype(np.int32) if matrix.dtype == np.float32 else matrix.dtype
    N = interactions.N
    there = device.zeros((N, -(-N // 16) * 16), kind)
    for first in range(0, N, _ROWS):
        there[first : first + _ROWS, :N] = device.put(matrix[first : first + _ROWS].astype(kind, copy=False))
    return Dense(device, there, N, interactions.parity, interactions.largest, interactions.field_dtype)


def fields(dense: Dense, spins: Any) -> Any:
    """Return ``H_i`` of all replicas, (R, pitch) of `dense.field_dtype`; `spins` (R, pitch) are from :func:`padded`.

    Couplings are split into signed bytes, whose products with spins are exact in int32.
    """
    device = dense.device
    R = spins.shape[0]
    out = device.zeros((R, dense.pitch), dense.field_dtype)
    rows = min(_ROWS, dense.pitch)
    bytes_ = device.zeros((rows, dense.pitch), np.int8)
    products = device.empty((R, rows), np.int32)
    for first in range(0, dense.N, rows):
        count = min(rows, dense.N - first)
        for plane in range(planes(dense.largest)):
            split = (*dense.head, np.int32(first), np.int32(plane), bytes_)
            device.launch("products", f"digits_{dense.row}", blocks=count, threads=128, arguments=split)
            device.product(spins, bytes_, products)
            device.launch(
                "products",
                f"gather_{dense.field_dtype.name}",
                blocks=R,
                threads=128,
                arguments=(
                    products,
                    np.int32(rows),
                    np.int32(first),
                    np.int32(count),
                    np.int32(plane),
                    out,
                    np.int32(dense.pitch),
                ),
            )
    return out


def planes(largest: float) -> int:
    """Return how many signed bytes hold integers up to `largest` in size.

    Examples
    --------
    >>> [planes(n) for n in (0, 127, 128, 32639, 32640, 2.0**31 - 1)]
    [1, 1, 2, 2, 3, 5]
    """
    count, reach = 1, 127
    while reach < largest:
        count, reach = count + 1, 256 * reach + 127
    return count


def padded(device: Device, spins: NDArray[np.int8], columns: int) -> Any:
    """Return states on the device, with zeros behind them up to `columns` and to whole warps of replicas."""
    out = device.zeros((-(-len(spins) // 32) * 32, columns), np.int8)
    out[: len(spins), : spins.shape[1]] = device.put(spins)
    return out


def block_threads(N: int) -> int:
    """Return threads per block, so that a row of int16 is about one 16-byte load of each."""
    return 32 * min(16, max(4, -(-N // 512)))


def quench(
    dense: Dense,
    spins: NDArray[np.int8],
    keys: NDArray[np.uint32],
    *,
    order: str,
    tie: str,
    max_sweeps: int,
    threads: int | None = None,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """See :class:`numerics.backends.Backend`; `threads` is those of a block here."""
    device, N, R = dense.device, dense.N, len(spins)
    state = padded(device, spins, dense.pitch)
    start = fields(dense, state)
    near, shared = _layout(dense, shuffled=order == "random")
    scratch = device.empty((max(1, 3 * R * N if near < 2 else 0),), np.int32)
    sweeps, flips = device.empty((R,), np.int64), device.empty((R,), np.int64)
    period = device.empty((R,), np.int32)
    device.launch(
        "quench",
        f"quench_{dense.row}_{dense.field_dtype.name}",
        blocks=R,
        threads=threads or block_threads(N),
        arguments=(
            *dense.head,
            state,
            start,
            device.put(keys),
            np.int32(ORDERS[order]),
            np.int32(TIES[tie]),
            np.int32(max_sweeps),
            scratch,
            np.int32(near),
            sweeps,
            flips,
            period,
        ),
        shared=shared,
    )
    ends = np.ascontiguousarray(device.get(state)[:R, :N])
    return ends, device.get(sweeps), device.get(flips), device.get(period).astype(np.int64)


def _layout(dense: Dense, *, shuffled: bool) -> tuple[int, int]:
    """Return what kernel quench keeps in shared memory (see there) and the bytes it needs."""
    words = (dense.N + 31) // 32
    bits = 32 + 16 * ((2 * words + 3) // 4)
    own = dense.pitch * dense.field_dtype.itemsize
    memory = dense.device.shared_memory
    everything = bits + own + (12 * dense.N if shuffled else 0)
    if everything <= memory // BLOCKS or (not shuffled and everything <= memory):
        return 2, everything
    for near, needed in ((1, bits + own), (0, bits)):
        if needed <= memory:
            return near, needed
    raise InvalidInput(f"N = {dense.N} spins do not fit a thread block of backend 'gpu'; use backend 'cpu'.")


@dataclass(eq=False)
class DenseWalkers:
    """R states on the device, with fields that are kept up or found anew block by block.

    Attributes
    ----------
    variant : {'auto', 'fields', 'lazy'}
        How sweeps are made; 'auto' takes 'lazy' for many walkers that flip often.  The trajectory is the same.
    threads : int or None
        Threads of a block; None: by N.
    """

    dense: Dense
    R: int
    normalisation: float
    state: Any
    variant: str = "auto"
    threads: int | None = None
    _fields: Any = None
    _split: dict[str, Any] = field(default_factory=dict)
    _acceptance: float = 1.0

    def spins(self) -> NDArray[np.int8]:
        """See :class:`numerics.backends.Walkers`."""
        return np.ascontiguousarray(self.dense.device.get(self.state)[: self.R, : self.dense.N])

    def energies(self) -> NDArray[np.float64]:
        """See :class:`numerics.backends.Walkers`."""
        dense, device = self.dense, self.dense.device
        total = device.empty((self.R,), np.int64)
        device.launch(
            "products",
            f"alignment_{dense.field_dtype.name}",
            blocks=self.R,
            threads=128,
            arguments=(self.state, self._kept(), np.int32(dense.N), np.int32(dense.pitch), total),
            shared=16,
        )
        return np.asarray(-0.5 * device.get(total).astype(np.float64) / (dense.N * self.normalisation))

    def advance(
        self, law: str, scales: NDArray[np.float64], keys: NDArray[np.uint32], first_sweep: int, sweeps: int
    ) -> NDArray[np.int64]:
        """Make sweeps; see :class:`numerics.backends.Backend`.  `scales` are normalisation / (2 beta)."""
        device = self.dense.device
        drawn = (device.put(keys), device.put(scales), np.int32(LAWS[law]))
        accepted = device.zeros((self.R,), np.int64)
        if self._lazily():
            self._advance_lazily(drawn, first_sweep, sweeps, accepted)
        else:
            self._advance_fields(drawn, first_sweep, sweeps, accepted)
        found = device.get(accepted)
        self._acceptance = float(found.mean()) / (self.dense.N * max(1, sweeps))
        return found

    def mode(self) -> str | None:
        """Return what block-lazy products are made of: 'halves', 'bytes', or None where neither is exact."""
        dense = self.dense
        if dense.field_dtype != np.int32:
            return None
        if dense.largest <= 2048 and dense.largest * dense.N < 2**24:
            return "halves"
        return "bytes" if planes(dense.largest) <= 2 else None

    def _lazily(self) -> bool:
        if self.variant == "lazy" and self.mode() is None:
            raise InvalidInput(
                f"variant 'lazy' needs couplings up to 32639 in size and 32-bit fields, but the largest is "
                f"{self.dense.largest:.0f} at N = {self.dense.N}; use variant 'fields' (or 'auto')."
            )
        if self.variant == "auto":
            return self.mode() is not None and self.R >= _WIDE and self._acceptance > _HOT
        return self.variant == "lazy"

    def _kept(self) -> Any:
        if self._fields is None:
            self._fields = fields(self.dense, self.state)
        return self._fields

    def _advance_fields(self, drawn: tuple[Any, ...], first_sweep: int, sweeps: int, accepted: Any) -> None:
        dense = self.dense
        bits = 16 + 16 * -(-dense.N // 128)
        shared = bits + dense.pitch * dense.field_dtype.itemsize
        near = shared <= dense.device.shared_memory
        dense.device.launch(
            "sampling",
            f"sample_{dense.row}_{dense.field_dtype.name}",
            blocks=self.R,
            threads=self.threads or block_threads(dense.N),
            arguments=(
                *dense.head,
                self.state,
                self._kept(),
                *drawn,
                np.uint32(first_sweep),
                np.int32(sweeps),
                np.int32(near),
                accepted,
            ),
            shared=shared if near else bits,
        )

    def _advance_lazily(self, drawn: tuple[Any, ...], first_sweep: int, sweeps: int, accepted: Any) -> None:
        dense, device, mode = self.dense, self.dense.device, self.mode()
        low, high = self._operands(mode)
        shape = (np.int32(dense.N), np.int32(dense.pitch))
        state = self.state
        if mode == "halves":
            state = device.zeros(self.state.shape, np.float16)
            device.launch("lazy", "to_halves", blocks=self.R, threads=128, arguments=(self.state, *shape, _bits(state)))
        width = self.state.shape[0]
        sums = np.float32 if mode == "halves" else np.int32
        one = device.empty((_LAZY, width), sums)
        two = one if high is None else device.empty((_LAZY, width), sums)
        walked = _bits(state) if mode == "halves" else state
        head = (dense.matrix, np.int32(dense.pitch), np.int32(dense.parity))
        tail = (np.int32(self.R), one, two, np.int32(1 if high is None else 2), np.int32(width), *drawn)
        # Steps are made once: what the host does between two of them is time in which the device may starve.
        steps = []
        for first in range(0, dense.N, _LAZY):
            count = min(_LAZY, dense.N - first)
            whole = slice(first, first + _LAZY)  # products have whole vectors of sites, zero beyond N
            products = [(low[whole], one[: min(_LAZY, dense.pitch - first)])]
            if high is not None:
                products.append((high[whole], two[: min(_LAZY, dense.pitch - first)]))
            steps.append((products, (*head, np.int32(first), np.int32(count), walked, *tail), _walk_memory(count)))
        for sweep in range(first_sweep, first_sweep + sweeps):
            for products, arguments, shared in steps:
                for factor, out in products:
                    device.product(factor, state, out)
                device.launch(
                    "lazy",
                    f"walk_{dense.row}_{mode}",
                    blocks=-(-self.R // 32),
                    threads=256,
                    arguments=(*arguments, np.uint32(sweep), accepted),
                    shared=shared,
                )
        if mode == "halves":
            device.launch("lazy", "from_halves", blocks=self.R, threads=128, arguments=(walked, *shape, self.state))
        self._fields = None

    def _operands(self, mode: str | None) -> tuple[Any, Any]:
        """Return the couplings as factors of products: (halves, None), (bytes, None) or (low bytes, high bytes)."""
        if not self._split:
            dense, device = self.dense, self.dense.device
            if mode == "halves":
                out = self._split["low"] = device.zeros((dense.pitch, dense.pitch), np.float16)
                whole = (*dense.head, np.int32(0), _bits(out))
                device.launch("products", f"halves_{dense.row}", blocks=dense.N, threads=128, arguments=whole)
            else:
                for plane, name in enumerate(("low", "high")[: planes(dense.largest)]):
                    out = self._split[name] = device.zeros((dense.pitch, dense.pitch), np.int8)
                    whole = (*dense.head, np.int32(0), np.int32(plane), out)
                    device.launch("products", f"digits_{dense.row}", blocks=dense.N, threads=128, arguments=whole)
        return self._split["low"], self._split.get("high")


def _walk_memory(count: int) -> int:
    """Return the shared memory of a block that walks `count` sites; see kernel walk."""
    return count * (32 * 8 + 32 * 4 + 4 * count + 8)


def _bits(halves: Any) -> Any:
    return halves.view(np.uint16)


def hebbian(device: Device, bits: NDArray[np.uint64], P: int, kind: np.dtype[Any]) -> Any:
    """Build N J of +-1 patterns by exact products of signed bytes, a (N, pitch) device array of type `kind`.

    Parameters
    ----------
    bits : (N, W) uint64 array, from :func:`numerics.couplings.bits_by_site`
    kind : int16 or int32 dtype
        Must hold P.
    """
    N = len(bits)
    pitch = -(-N // 16) * 16
    words = np.ascontiguousarray(bits).astype("<u8", copy=False).view(np.uint32)
    columns = -(-P // 16) * 16
    patterns = device.zeros((pitch, columns), np.int8)
    unpack = (device.put(words), np.int32(words.shape[1]), np.int32(P), np.int32(columns), patterns)
    device.launch("products", "unpack", blocks=N, threads=128, arguments=unpack)
    out = device.zeros((N, pitch), kind)
    rows = min(_ROWS, pitch)
    products = device.empty((rows, pitch), np.int32)
    for first in range(0, N, rows):
        count = min(rows, N - first)
        device.product(patterns[first : first + rows], patterns, products[: min(rows, pitch - first)])
        narrow = (products, np.int32(pitch), np.int32(N), np.int32(first), out, np.int32(pitch))
        device.launch("products", f"narrow_{kind.name}", blocks=count, threads=128, arguments=narrow)
    return out
