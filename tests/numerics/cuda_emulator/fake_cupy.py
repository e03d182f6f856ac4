"""As much of CuPy as numerics.backends.device.Cuda uses, on NumPy: it shows that calls have the right form.

`gemmEx` reads its matrices from bare addresses, columns first, as cuBLAS does.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["fake_cupy"]

_TYPES = {3: np.int8, 10: np.int32, 2: np.float16, 0: np.float32}  # cudaDataType_t


class Array(np.ndarray):
    """NumPy with CuPy's `set` and `data.ptr`."""

    @property
    def data(self) -> Any:  # type: ignore[override]
        return SimpleNamespace(ptr=self.__array_interface__["data"][0])

    def set(self, values: np.ndarray) -> None:
        assert type(values) is np.ndarray
        assert values.dtype == self.dtype
        assert values.flags.c_contiguous
        self[...] = values


class OutOfMemoryError(MemoryError):
    pass


def fake_cupy(emulated: Any, *, memory: int = 2**30) -> Any:
    """Return a stand-in whose kernels are run by `emulated`."""

    def empty(shape: tuple[int, ...], dtype: Any) -> Array:
        if np.prod(shape) * np.dtype(dtype).itemsize > memory:
            raise OutOfMemoryError
        return emulated.empty(shape, dtype).view(Array)

    class RawModule:
        def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
            assert "--fmad=false" in options
            self.code = code

        def get_function(self, name: str) -> Any:
            def run(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...], *, shared_mem: int) -> None:
                assert shared_mem <= max(48 * 1024, run.max_dynamic_shared_size_bytes)
                plain = tuple(np.asarray(a) if isinstance(a, Array) else a for a in arguments)
                emulated.run(self.code, name, grid[0], block[0], plain, shared_mem)

            run.max_dynamic_shared_size_bytes = 0
            return run

    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        deviceGetAttribute=lambda name, device: 232448,
        cudaDevAttrMaxSharedMemoryPerBlockOptin=97,
    )
    device = SimpleNamespace(get_cublas_handle=lambda: 7)
    cublas = SimpleNamespace(
        CUBLAS_OP_N=0, CUBLAS_OP_T=1, CUBLAS_COMPUTE_32F=68, CUBLAS_COMPUTE_32I=72, gemmEx=_gemm_ex
    )
    cuda = SimpleNamespace(
        runtime=runtime,
        device=device,
        cublas=cublas,
        Device=lambda: SimpleNamespace(id=0),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )
    return SimpleNamespace(cuda=cuda, empty=empty, RawModule=RawModule, asnumpy=lambda a: np.array(np.asarray(a)))


def _gemm_ex(
    handle: int,
    transa: int,
    transb: int,
    m: int,
    n: int,
    k: int,
    alpha: int,
    A: int,
    a_type: int,
    lda: int,
    B: int,
    b_type: int,
    ldb: int,
    beta: int,
    C: int,
    c_type: int,
    ldc: int,
    mode: int,
    algorithm: int,
) -> None:
    scalar = ctypes.c_int32 if mode == 72 else ctypes.c_float
    assert (scalar.from_address(alpha).value, scalar.from_address(beta).value) == (1, 0)
    assert (a_type, b_type, c_type, mode) in ((3, 3, 10, 72), (2, 2, 0, 68))
    a = _columns(A, a_type, lda, (k, m) if transa else (m, k)).astype(np.float64)
    b = _columns(B, b_type, ldb, (n, k) if transb else (k, n)).astype(np.float64)
    _columns(C, c_type, ldc, (m, n))[...] = (a.T if transa else a) @ (b.T if transb else b)


def _columns(address: int, kind: int, leading: int, shape: tuple[int, int]) -> np.ndarray:
    dtype = np.dtype(_TYPES[kind])
    assert leading >= shape[0]
    raw = (ctypes.c_char * (leading * (shape[1] - 1) * dtype.itemsize + shape[0] * dtype.itemsize)).from_address(
        address
    )
    return np.ndarray(shape, dtype, raw, strides=(dtype.itemsize, leading * dtype.itemsize))
