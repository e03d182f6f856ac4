"""A device that is not there: NumPy arrays with guarded ends, and kernels compiled by g++ from the very sources."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from numerics.backends.cuda import source

HERE = Path(__file__).parent
_GUARD = 64
_FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-w", "-shared", "-fPIC")


def compiled(text: str, folder: Path) -> Path:
    """Compile a CUDA source for the CPU; one library per text, shared by the processes of a test run."""
    header = (HERE / "cuda_emulator.hpp").read_text()
    library = folder / f"{hashlib.sha256((header + text).encode()).hexdigest()[:24]}.so"
    if library.exists():
        return library
    compiler = shutil.which("g++")
    assert compiler is not None
    # Kernels may be written out by macros, so their names are taken from the preprocessed text.
    base = library.with_suffix(f".{os.getpid()}")
    path = base.with_suffix(".cpp")
    path.write_text(f'#include "cuda_emulator.hpp"\n#define __global__ EMULATED_KERNEL\n{text}')
    options = [compiler, *_FLAGS, f"-I{HERE}"]
    plain = subprocess.run([*options, "-E", "-P", str(path)], check=True, capture_output=True, text=True).stdout
    names = re.findall(r'extern "C" EMULATED_KERNEL void (\w+)\s*\(', plain)
    entries = "".join(
        f'extern "C" const char* launch_{name}(void** values, const char* types, int blocks, int threads, int bytes, '
        f"int schedule) {{ return emulator::launch({name}, values, types, blocks, threads, bytes, schedule); }}\n"
        for name in names
    )
    path.write_text(f'#include "cuda_emulator.hpp"\n{text}\n{entries}')
    done = base.with_suffix(".tmp")
    run = subprocess.run([*options, str(path), "-o", str(done)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[:2000]
    path.unlink()
    done.replace(library)
    return library


class Emulated:
    """See numerics.backends.device.Device.

    Arrays are NumPy's, full of junk where they are not initialised and guarded at both ends; `schedule` is the order
    in which the threads of a block run between two barriers: 0 forward, 1 backward, 2 shuffled.
    """

    def __init__(
        self,
        folder: Path,
        *,
        schedule: int = 0,
        shared_memory: int = 232448,
        edit: tuple[str, str, str] | None = None,
    ) -> None:
        # edit = (program, old text, new text) plants an error in a source.
        self.folder, self.schedule, self.shared_memory, self.edit = folder, schedule, shared_memory, edit
        self._libraries: dict[str, ctypes.CDLL] = {}
        self._guards: list[NDArray[np.uint8]] = []

    def _array(self, shape: tuple[int, ...], dtype: DTypeLike, fill: int) -> NDArray[Any]:
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        raw = np.full(size + 2 * _GUARD + 64, 0x5A, dtype=np.uint8)
        first = _GUARD + (-(raw.ctypes.data + _GUARD)) % 64
        raw[first : first + size] = fill
        self._guards += [raw[:first], raw[first + size :]]
        return raw[first : first + size].view(kind).reshape(shape)

    def put(self, values: NDArray[Any]) -> NDArray[Any]:
        out = self._array(values.shape, values.dtype, 0)
        out[...] = values
        return out

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        return self._array(shape, dtype, 0xCD)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        return self._array(shape, dtype, 0)

    def get(self, values: NDArray[Any]) -> NDArray[Any]:
        return values.copy()

    def launch(
        self, program: str, kernel: str, *, blocks: int, threads: int, arguments: tuple[Any, ...], shared: int = 0
    ) -> None:
        text = source(program)
        if self.edit and self.edit[0] == program:
            assert self.edit[1] in text, self.edit
            text = text.replace(self.edit[1], self.edit[2])
        self.run(text, kernel, blocks, threads, arguments, shared)

    def run(
        self, text: str, kernel: str, blocks: int, threads: int, arguments: tuple[Any, ...], shared: int = 0
    ) -> None:
        """Run a kernel of a program that is given as text."""
        if text not in self._libraries:
            self._libraries[text] = ctypes.CDLL(str(compiled(text, self.folder)))
        entry = getattr(self._libraries[text], f"launch_{kernel}")
        entry.restype = ctypes.c_char_p
        types, cells = [], []
        for value in arguments:
            if isinstance(value, np.ndarray):
                assert value.flags.c_contiguous
                types.append("*" + value.dtype.str[1:])
                cells.append(np.array(value.ctypes.data, dtype=np.uint64))
            else:
                assert isinstance(value, np.generic), f"{kernel} got {value!r}, not a NumPy scalar"
                types.append(value.dtype.str[1:])
                cells.append(np.array(value))
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))
        names = "".join(f"{name} " for name in types).encode()
        message = entry(pointers, names, blocks, threads, shared, self.schedule).decode()
        if message:
            raise RuntimeError(f"{kernel}: {message}")
        assert shared <= self.shared_memory
        if any((guard != 0x5A).any() for guard in self._guards):
            raise RuntimeError(f"{kernel} wrote beyond the end of an array")

    def product(self, left: NDArray[Any], right: NDArray[Any], out: NDArray[Any]) -> None:
        assert left.shape[1] == right.shape[1]
        assert all(size % 16 == 0 for size in (*left.shape, *right.shape))
        assert out.shape == (left.shape[0], right.shape[0])
        kinds = {(np.dtype(np.int8), np.dtype(np.int32)), (np.dtype(np.float16), np.dtype(np.float32))}
        assert left.dtype == right.dtype
        assert (left.dtype, out.dtype) in kinds
        exact = left.astype(np.float64) @ right.astype(np.float64).T
        limit = 2.0**24 if out.dtype == np.float32 else 2.0**31
        assert (np.abs(left.astype(np.float64)) @ np.abs(right.astype(np.float64)).T < limit).all()
        out[...] = exact
