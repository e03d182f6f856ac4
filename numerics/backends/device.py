"""What the GPU backend needs of a device: memory, kernels of one program, exact matrix products; and CuPy's.

The tests put an emulated device in its place, so that the same host code and the same kernels run on a CPU.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from numerics.backends.cuda import source
from theory.errors import InvalidInput, MissingExtra

__all__ = ["Cuda", "Device", "cuda", "require"]

OPTIONS = ("--std=c++17", "--fmad=false")  # fused multiply-adds would change the bits of thresholds
_SCALARS = {whole: np.array([1, 0], dtype=np.int32 if whole else np.float32) for whole in (True, False)}


class Device(Protocol):
    """Memory of its own, kernels, and matrix products.  Arrays have NumPy's shape, dtype, slices and strides."""

    shared_memory: int
    """Bytes of shared memory that one block may have."""

    def put(self, values: NDArray[Any]) -> Any:
        """Return a copy on the device."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """Return an array that is not initialised."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """Return an array of zeros."""
        ...

    def get(self, values: Any) -> NDArray[Any]:
        """Return a copy on the host, when all work so far is done."""
        ...

    def launch(
        self, program: str, kernel: str, *, blocks: int, threads: int, arguments: tuple[Any, ...], shared: int = 0
    ) -> None:
        """Start `kernel` of `program`.

        Parameters
        ----------
        arguments : tuple
            Arrays and NumPy scalars of exactly the types that the kernel declares.
        shared : int
            Bytes of shared memory of each block.
        """
        ...

    def product(self, left: Any, right: Any, out: Any) -> None:
        """Write ``left @ right.T`` into `out`, exactly.

        Parameters
        ----------
        left, right : (m, k) and (n, k) arrays, rows contiguous
            int8 with `out` int32, or float16 holding integers with `out` float32 and every partial sum below 2^24.
            m, n and k are multiples of 16, as tensor cores like it.
        """
        ...


class Cuda:
    """A CUDA device through CuPy."""

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        runtime = cupy.cuda.runtime
        self.shared_memory = int(
            runtime.deviceGetAttribute(runtime.cudaDevAttrMaxSharedMemoryPerBlockOptin, cupy.cuda.Device().id)
        )
        self._modules: dict[str, Any] = {}
        self._kernels: dict[tuple[str, str], Any] = {}

    def put(self, values: NDArray[Any]) -> Any:
        """See :class:`Device`."""
        out = self.empty(values.shape, values.dtype)
        out.set(np.ascontiguousarray(values))
        return out

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """See :class:`Device`.

        Raises
        ------
        InvalidInput
            If the memory does not suffice.
        """
        try:
            return self.cupy.empty(shape, dtype=dtype)
        except self.cupy.cuda.memory.OutOfMemoryError as error:
            size = math.prod(shape) * np.dtype(dtype).itemsize
            raise InvalidInput(
                f"the device has no room for {size / 1e9:.3g} GB more; use fewer starts at a time, engine "
                "'overlap-bits' (which forms no couplings), or backend 'cpu'."
            ) from error

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """See :class:`Device`."""
        out = self.empty(shape, dtype)
        out.fill(0)
        return out

    def get(self, values: Any) -> NDArray[Any]:
        """See :class:`Device`."""
        return cast("NDArray[Any]", self.cupy.asnumpy(values))

    def launch(
        self, program: str, kernel: str, *, blocks: int, threads: int, arguments: tuple[Any, ...], shared: int = 0
    ) -> None:
        """See :class:`Device`."""
        function = self._kernels.get((program, kernel))
        if function is None:
            if program not in self._modules:
                self._modules[program] = self.cupy.RawModule(code=source(program), options=OPTIONS)
            function = self._kernels[program, kernel] = self._modules[program].get_function(kernel)
        if shared > 48 * 1024 and function.max_dynamic_shared_size_bytes < shared:
            function.max_dynamic_shared_size_bytes = shared
        function((blocks,), (threads,), arguments, shared_mem=shared)

    def product(self, left: Any, right: Any, out: Any) -> None:
        """See :class:`Device`."""
        cublas = self.cupy.cuda.cublas
        # cuBLAS counts columns first, so rows of `right` come first and `out` is its transpose.
        whole = left.dtype == np.int8
        # The numbers name types: CUDA_R_8I, CUDA_R_32I; CUDA_R_16F, CUDA_R_32F.
        given, made, mode = (3, 10, cublas.CUBLAS_COMPUTE_32I) if whole else (2, 0, cublas.CUBLAS_COMPUTE_32F)
        scalars = _SCALARS[bool(whole)].ctypes.data
        handle = self.cupy.cuda.device.get_cublas_handle()
        cublas.gemmEx(
            handle,
            cublas.CUBLAS_OP_T,
            cublas.CUBLAS_OP_N,
            right.shape[0],
            left.shape[0],
            left.shape[1],
            scalars,
            right.data.ptr,
            given,
            right.strides[0] // right.itemsize,
            left.data.ptr,
            given,
            left.strides[0] // left.itemsize,
            scalars + 4,
            out.data.ptr,
            made,
            out.strides[0] // out.itemsize,
            mode,
            -1,  # CUBLAS_GEMM_DEFAULT
        )


@lru_cache(maxsize=1)
def cuda() -> Cuda:
    """Return the current CUDA device, with the programs compiled so far.

    Raises
    ------
    MissingExtra
        If CuPy is absent.
    InvalidInput
        If CuPy finds no device, or no CUDA libraries.
    """
    try:
        import cupy
    except ImportError as error:
        raise MissingExtra(
            "backend 'gpu' needs CuPy, which is not installed; run pip install 'spinodal[gpu]' or use backend 'cpu'."
        ) from error
    try:
        if cupy.cuda.runtime.getDeviceCount() < 1:
            raise RuntimeError("no CUDA device")
        cupy.cuda.device.get_cublas_handle()
        return Cuda(cupy)
    except (RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise InvalidInput(
            f"backend 'gpu' finds no usable CUDA device ({reason[:120]}); mend the driver, run pip install "
            "'spinodal[gpu]', or use backend 'cpu'."
        ) from error


def require() -> None:
    """Raise as :func:`cuda` does unless there is a device."""
    cuda()
