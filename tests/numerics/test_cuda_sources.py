"""CUDA sources compile as they stand, and the emulator that runs them on a CPU sees what it must see."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from numerics.backends import cuda
from numerics.backends.device import OPTIONS

EMULATOR = Path(__file__).parent / "cuda_emulator"
TOY = """
extern __shared__ __align__(16) unsigned char shared[];
extern "C" __global__ void mirror(const int* given, int* out, int barrier) {
    int* kept = reinterpret_cast<int*>(shared);
    kept[threadIdx.x] = given[threadIdx.x];
    if (barrier) __syncthreads();
    out[threadIdx.x] = kept[blockDim.x - 1 - threadIdx.x];
}
extern "C" __global__ void warps(unsigned* votes, int* xored, int* any) {
    votes[threadIdx.x] = __ballot_sync(0xffffffffu, threadIdx.x % 3 == 0);
    xored[threadIdx.x] = __shfl_xor_sync(0xffffffffu, (int)threadIdx.x, 5);
    any[threadIdx.x] = __syncthreads_or(threadIdx.x == 40) + 2 * __syncthreads_or(0);
}
extern "C" __global__ void parted(int* out) {
    if (threadIdx.x < 40) __syncthreads();
    out[threadIdx.x] = 0;
}
extern "C" __global__ void beyond(int* out, int here) {
    if (here) reinterpret_cast<int*>(shared)[blockDim.x] = 1;
    else out[blockDim.x] = 1;
}
"""


def emulator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cuda_emulator_device", EMULATOR / "device.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_program_is_one_text_with_each_header_once() -> None:
    for program in cuda.PROGRAMS:
        text = cuda.source(program)
        assert "#include" not in text
        assert "#pragma once" not in text
        assert text.count("uint4 philox(") <= 1
    assert {path.stem for path in Path(str(cuda.__file__)).parent.glob("*.cu")} == set(cuda.PROGRAMS)


@pytest.mark.parametrize("program", cuda.PROGRAMS)
def test_sources_compile(program: str, tmp_path: Path) -> None:
    path = tmp_path / f"{program}.cu"
    path.write_text(cuda.source(program))
    nvcc, nvrtc = shutil.which("nvcc"), _nvrtc()
    if nvcc:
        command = [
            nvcc,
            "-arch=sm_80",
            "-cubin",
            "-Werror=all-warnings",
            *OPTIONS,
            "-o",
            str(tmp_path / "out"),
            str(path),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        made = (tmp_path / "out").read_bytes()
    elif nvrtc:
        made = _compiled_by_nvrtc(nvrtc, path.read_text())
    else:
        pytest.skip("neither nvcc nor libnvrtc is on this machine")
    kernels = re.findall(r'extern "C" __global__ void (\w+)\(', path.read_text())
    assert [name for name in kernels if name != "NAME" and name.encode() not in made and "#" not in name] == []
    assert len(made) > 1000


def test_nvcc_refuses_a_faulty_source(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if not nvcc:
        pytest.skip("nvcc is not on this machine")
    path = tmp_path / "faulty.cu"
    path.write_text(cuda.source("quench").replace("long long flips = 0;", "long long flips = 0", 1))
    command = [nvcc, "-arch=sm_80", "-cubin", *OPTIONS, "-o", str(tmp_path / "out"), str(path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def _nvrtc() -> ctypes.CDLL | None:
    folders = [Path(p) / "nvidia" / "cuda_nvrtc" / "lib" for p in sys.path]
    found = [str(path) for folder in folders for path in sorted(folder.glob("libnvrtc.so.*"))]
    for name in (ctypes.util.find_library("nvrtc"), *found):
        if name:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
    return None


def _compiled_by_nvrtc(nvrtc: ctypes.CDLL, text: str) -> bytes:
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"program.cu", 0, None, None) == 0
    options = [option.encode() for option in (*OPTIONS, "--gpu-architecture=compute_80")]
    code = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert code == 0, log.value.decode()
    nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    made = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetPTX(program, made)
    return made.value


def test_nvrtc_compiles_what_the_device_compiles() -> None:
    nvrtc = _nvrtc()
    if nvrtc is None:
        pytest.skip("libnvrtc is not on this machine")
    for program in cuda.PROGRAMS:
        assert b".entry" in _compiled_by_nvrtc(nvrtc, cuda.source(program))


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on this machine")
    module = emulator()
    folder = tmp_path_factory.mktemp("toy")
    return lambda schedule: module.Emulated(folder, schedule=schedule)


@pytest.mark.parametrize("schedule", [0, 1, 2])
def test_barriers_votes_and_exchanges(toy: Callable[..., object], schedule: int) -> None:
    device = toy(schedule)
    given = device.put(np.arange(64, dtype=np.int32))
    out = device.empty((64,), np.int32)
    device.run(TOY, "mirror", 1, 64, (given, out, np.int32(1)), 256)
    assert out.tolist() == list(range(63, -1, -1))
    votes, xored, any_ = (device.empty((64,), kind) for kind in (np.uint32, np.int32, np.int32))
    device.run(TOY, "warps", 1, 64, (votes, xored, any_), 256)
    expected = [sum(1 << lane for lane in range(32) if (32 * warp + lane) % 3 == 0) for warp in (0, 1)]
    assert votes.tolist() == [expected[0]] * 32 + [expected[1]] * 32
    assert xored.tolist() == [32 * (t // 32) + ((t % 32) ^ 5) for t in range(64)]
    assert any_.tolist() == [1] * 64


def test_a_missing_barrier_shows(toy: Callable[..., object]) -> None:
    found = []
    for schedule in (0, 1, 2):
        device = toy(schedule)
        out = device.empty((64,), np.int32)
        arguments = (device.put(np.arange(64, dtype=np.int32)), out, np.int32(0))
        device.run(TOY, "mirror", 1, 64, arguments, 256)
        found.append(out.tolist())
    assert any(one != list(range(63, -1, -1)) for one in found)


def test_misuse_of_the_device_is_an_error(toy: Callable[..., object]) -> None:
    device = toy(0)
    out = device.empty((64,), np.int32)
    with pytest.raises(RuntimeError, match="not reached by all"):
        device.run(TOY, "parted", 1, 64, (out,), 256)
    with pytest.raises(RuntimeError, match="shared memory was written beyond"):
        device.run(TOY, "beyond", 1, 64, (out, np.int32(1)), 256)
    with pytest.raises(RuntimeError, match="arguments are"):
        device.run(TOY, "beyond", 1, 64, (out, np.int64(0)), 256)
    with pytest.raises(RuntimeError, match="beyond the end of an array"):
        device.run(TOY, "beyond", 1, 64, (out, np.int32(0)), 256)
