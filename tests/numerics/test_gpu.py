"""Backend 'gpu' against backend 'cpu', bit for bit: its host code and its kernels on an emulated device (the .cu
sources compiled by g++, block by block on the CPU), and the same tests on a real one where there is one."""

from __future__ import annotations

import copy
import importlib.util
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from numerics import dynamics, montecarlo, rng
from numerics.backends import backend_named, gpu, gpu_dense
from numerics.backends import device as devices
from numerics.couplings import hebbian
from numerics.disorder import Sample, draw
from numerics.interactions import Interactions, from_matrix, interactions
from theory.ensembles import TANH, IidPatterns, RandomFeaturePatterns
from theory.errors import InvalidInput, MissingExtra

EMULATOR = Path(__file__).parent / "cuda_emulator"
DENSE = ("dense-int8", "dense-int16", "dense-int32", "dense-float32")
ENGINES = (*DENSE, "overlap-bits", "overlap-int8")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.getbasetemp()
    shared = made.parent if made.name.startswith("popen-") else made  # the processes of pytest-xdist compile once
    (shared / "emulated").mkdir(exist_ok=True)
    return shared / "emulated"


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def emulated(folder: Path, **options: Any) -> Any:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on this machine, so CUDA sources cannot be run on the CPU")
    return loaded(EMULATOR / "device.py").Emulated(folder, **options)


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest, folder: Path) -> Any:
    return emulated(folder, schedule=2) if request.param == "emulated" else copy.copy(devices.cuda())


def patterns(N: int, P: int, index: int = 0) -> Sample:
    return draw(IidPatterns(), N=N, P=P, index=index)


def starts(R: int, N: int) -> np.ndarray:
    return rng.signs(rng.stream("starts"), rows=R, columns=N)


def keys(R: int) -> np.ndarray:
    return np.stack([rng.stream("keys", r) for r in range(R)])


def scaled(factor: int, N: int = 50) -> Interactions:
    """Couplings beyond int16, or with fields beyond int32."""
    return from_matrix(hebbian(patterns(N, 21)).astype(np.int64) * factor, normalisation=float(N * factor))


def same(ours: Any, theirs: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def both_quench(couplings: Interactions, device: Any, R: int = 2, block: int = 64, **options: Any) -> tuple[Any, Any]:
    options = {"order": "random", "tie": "keep", "max_sweeps": 100, **options}
    first = (couplings, starts(R, couplings.N), keys(R))
    ours = gpu.quench(*first, device=device, block=block, **options)
    return ours, backend_named("cpu").quench(*first, threads=1, **options)


@pytest.mark.parametrize("order", dynamics.ORDERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_quenches_are_those_of_the_cpu(engine: str, order: str, device: Any) -> None:
    flips = 0
    for N, P, tie in ((1, 1, "keep"), (2, 2, "plus"), (35, 4, "plus"), (35, 4, "keep"), (97, 31, "keep")):
        ours, theirs = both_quench(interactions(patterns(N, P), engine=engine), device, order=order, tie=tie)
        assert same(ours, theirs)
        flips += int(ours[2].sum())
    assert flips > 40


@pytest.mark.parametrize("engine", ["dense-int16", "overlap-bits"])
@pytest.mark.parametrize("order", dynamics.ORDERS)
def test_quenches_that_are_cut_short_agree(engine: str, order: str, device: Any) -> None:
    couplings = interactions(patterns(64, 20), engine=engine)
    ends = set()
    for limit in (0, 1, 2):
        ours, theirs = both_quench(couplings, device, order=order, max_sweeps=limit)
        assert same(ours, theirs)
        ends.add(ours[1].tolist()[0])
    assert -1 in ends


def test_two_cycles_are_seen(device: Any) -> None:
    frustrated = from_matrix(np.eye(6, dtype=np.int16) - np.ones((6, 6), dtype=np.int16))
    spins = np.ones((1, 6), dtype=np.int8)
    options: dict[str, Any] = {"order": "synchronous", "tie": "keep", "max_sweeps": 10}
    ours = gpu.quench(frustrated, spins, keys(1), device=device, **options)
    assert ours[3].tolist() == [2]
    assert same(ours, backend_named("cpu").quench(frustrated, spins, keys(1), threads=1, **options))


@pytest.mark.parametrize("factor", [70_000, 100_000_000])
@pytest.mark.parametrize("order", ["random", "greedy"])
def test_wide_couplings_and_fields(factor: int, order: str, device: Any) -> None:
    couplings = scaled(factor)
    assert couplings.field_dtype == (np.int32 if factor == 70_000 else np.int64)
    assert same(*both_quench(couplings, device, order=order))


@pytest.mark.parametrize(("memory", "layout"), [(100, 0), (1_000, 1), (10_000, 2)])
def test_fields_and_shuffles_in_global_memory(memory: int, layout: int, device: Any) -> None:
    device.shared_memory = memory
    couplings = interactions(patterns(130, 20), engine="dense-int16")
    assert gpu_dense._layout(gpu_dense.uploaded(device, couplings), shuffled=True)[0] == layout
    assert same(*both_quench(couplings, device))
    assert same(*both_quench(interactions(patterns(130, 700), engine="overlap-bits"), device))


def both_sample(
    couplings: Interactions, device: Any, algorithm: str, variant: str = "auto", R: int = 5
) -> tuple[list[Any], list[Any]]:
    beta = np.linspace(0.0, 3.0, R)
    options: dict[str, Any] = {"algorithm": algorithm, "beta": beta, "keys": keys(R)}
    ours = gpu.walkers(couplings, starts(R, couplings.N), variant=variant, device=device, block=64)
    cpu = backend_named("cpu")
    theirs = cpu.walkers(couplings, starts(R, couplings.N))
    found: tuple[list[Any], list[Any]] = ([], [])
    for first, sweeps in ((0, 2), (2, 3)):
        for backend, walkers, out in ((gpu, ours, found[0]), (cpu, theirs, found[1])):
            out.append(backend.advance(walkers, first_sweep=first, sweeps=sweeps, threads=1, **options))
            out += [walkers.spins(), walkers.energies()]
    return found


@pytest.mark.parametrize("algorithm", ["metropolis", "heat-bath"])
@pytest.mark.parametrize(
    ("engine", "variant"), [(e, v) for e in DENSE[:3] for v in ("fields", "lazy")] + [("overlap-bits", "auto")]
)
def test_sampling_is_that_of_the_cpu(engine: str, variant: str, algorithm: str, device: Any) -> None:
    for N, P in ((1, 1), (35, 4), (97, 31)):
        ours, theirs = both_sample(interactions(patterns(N, P), engine=engine), device, algorithm, variant)
        assert same(ours, theirs)
    assert ours[0].min() > 0


@pytest.mark.parametrize("variant", ["fields", "lazy"])
def test_lazy_products_of_bytes(variant: str, device: Any) -> None:
    couplings = scaled(1100)
    walkers = gpu.walkers(couplings, starts(2, 50), device=device)
    assert isinstance(walkers, gpu_dense.DenseWalkers)
    assert (walkers.mode(), couplings.largest > 2048) == ("bytes", True)
    assert same(*both_sample(couplings, device, "metropolis", variant, R=33))


def test_variants_are_chosen_and_refused(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def walkers(couplings: Interactions, variant: str = "auto") -> Any:
        return gpu.walkers(couplings, starts(2, couplings.N), variant=variant, device=device)

    monkeypatch.setattr(gpu_dense, "_WIDE", 2)
    hot = walkers(scaled(1))
    assert hot.mode() == "halves"
    assert hot._lazily()
    hot._acceptance = 1e-4
    assert not hot._lazily()
    assert walkers(scaled(10_000)).mode() is None
    assert not walkers(scaled(10_000))._lazily()
    with pytest.raises(InvalidInput, match="variant 'lazy' needs couplings up to 32639"):
        walkers(scaled(10_000), "lazy")._lazily()
    with pytest.raises(InvalidInput, match="did you mean 'lazy'"):
        walkers(scaled(1), "lasy")
    with pytest.raises(InvalidInput, match="is for dense couplings"):
        walkers(interactions(patterns(20, 3), engine="overlap-bits"), "lazy")
    first, second = (both_sample(scaled(1), device, "metropolis", v) for v in ("auto", "fields"))
    assert same(first[0], second[0])


@pytest.mark.parametrize("P", [1, 17, 300])
def test_couplings_built_on_the_device(P: int, device: Any) -> None:
    sample = patterns(53, P)
    ours, theirs = gpu.hebbian(sample, device=device), hebbian(sample)
    assert np.array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype
    with pytest.raises(InvalidInput, match="of \\+-1 patterns only"):
        gpu.hebbian(draw(RandomFeaturePatterns(nonlinearity=TANH), N=20, P=5, D=20), device=device)


def test_public_functions_run_on_it(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "cuda", lambda: device)
    monkeypatch.setattr(gpu, "require", lambda: None)
    couplings = interactions(patterns(60, 9))
    runs = [dynamics.quench(couplings, starts(1, 60)[0], backend=name) for name in ("gpu", "cpu")]
    assert np.array_equal(runs[0].spins, runs[1].spins)
    assert runs[0].flips == runs[1].flips > 0
    walks = [
        montecarlo.sample(couplings, starts(3, 60), temperature=0.7, sweeps=6, every=2, backend=name)
        for name in ("gpu", "cpu")
    ]
    assert np.array_equal(walks[0].spins, walks[1].spins)
    assert walks[0].energy.mean().value == walks[1].energy.mean().value
    ladders = [
        montecarlo.temper(couplings, starts(3, 60), temperatures=[0.5, 0.8, 1.2], sweeps=6, backend=name)
        for name in ("gpu", "cpu")
    ]
    assert np.array_equal(ladders[0].spins, ladders[1].spins)


def test_floating_point_couplings_are_refused(folder: Path) -> None:
    real = interactions(draw(RandomFeaturePatterns(nonlinearity=TANH), N=20, P=5, D=20))
    for run in (
        lambda d: gpu.quench(real, starts(1, 20), keys(1), order="random", tie="keep", max_sweeps=9, device=d),
        lambda d: gpu.walkers(real, starts(1, 20), device=d),
    ):
        with pytest.raises(InvalidInput, match="needs integer couplings") as caught:
            run(emulated(folder))
        assert str(caught.value).count(".") == 1


def fake_cupy(error: Exception | None, count: int = 0) -> SimpleNamespace:
    def devices_there() -> int:
        if error:
            raise error
        return count

    return SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=devices_there)))


@pytest.mark.parametrize(
    ("module", "kind", "words"),
    [
        (None, MissingExtra, "needs CuPy, which is not installed; run pip install 'spinodal[gpu]'"),
        (fake_cupy(RuntimeError("driver is\ninsufficient")), InvalidInput, "device (driver is insufficient); mend"),
        (fake_cupy(None), InvalidInput, "pip install 'spinodal[gpu]'"),
    ],
)
def test_without_a_device_one_sentence_and_no_fallback(
    module: Any, kind: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", module)
    devices.cuda.cache_clear()
    for run in (lambda: backend_named("gpu"), lambda: dynamics.quench([[0, 1], [1, 0]], [1, 1], backend="gpu")):
        with pytest.raises(kind) as caught:
            run()
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    devices.cuda.cache_clear()


def test_products_are_exact(device: Any) -> None:
    """Where partial sums come close to what the types hold."""
    draws = rng.words(rng.stream("products"), rows=2, columns=32 * 8176).astype(np.int64)
    bytes_ = (draws % 256 - 128).reshape(2, 32, 8176)
    bytes_[:, 0], bytes_[:, 1] = -128, 127
    # 8174 products of 2048 and two odd ones: an accumulator that drops a bit of 24 shows it.
    halves = np.where(draws % 2, 1, -1).reshape(2, 32, 8176)
    halves[0] *= 2048
    halves[:, 0], halves[0, :, :2] = abs(halves[:, 0]), 1
    for values, kind, made in ((bytes_, np.int8, np.int32), (halves, np.float16, np.float32)):
        left, right = (device.zeros((32, 8176), kind) for _ in range(2))
        left[:], right[:] = (device.put(values[side].astype(kind)) for side in (0, 1))
        out = device.empty((32, 32), made)
        device.product(left, right, out)
        assert np.array_equal(device.get(out), values[0] @ values[1].T)


def test_calls_of_cupy_have_the_right_form(folder: Path) -> None:
    cupy = loaded(EMULATOR / "fake_cupy.py").fake_cupy(emulated(folder))
    device = devices.Cuda(cupy)
    for engine in ("dense-int8", "overlap-bits"):
        assert same(*both_quench(interactions(patterns(97, 31), engine=engine), device))
    for couplings in (scaled(1), scaled(1100)):
        assert same(*both_sample(couplings, device, "metropolis", "lazy"))
    small = devices.Cuda(loaded(EMULATOR / "fake_cupy.py").fake_cupy(emulated(folder), memory=5000))
    with pytest.raises(InvalidInput, match=r"no room for 1\.09e-05 GB more; use fewer starts"):
        both_quench(interactions(patterns(97, 31), engine="dense-int8"), small)


@pytest.mark.gpu
@pytest.mark.parametrize("round_", range(3))
@pytest.mark.parametrize("engine", ["dense-int8", "dense-int16", "dense-int32", "overlap-bits"])
def test_many_large_replicas_on_a_real_device(engine: str, round_: int) -> None:
    """Warps that really run side by side: sizes at which a missing barrier would show."""
    couplings = interactions(patterns(1500, 150, round_), engine=engine)
    first = (couplings, starts(300, 1500), keys(300))
    for order in ("random", "sequential", "synchronous"):
        options: dict[str, Any] = {"order": order, "tie": "keep", "max_sweeps": 1000}
        assert same(gpu.quench(*first, **options), backend_named("cpu").quench(*first, threads=4, **options))
    device = devices.cuda()
    for variant in ("auto",) if engine == "overlap-bits" else ("fields", "lazy"):
        assert same(*both_sample(couplings, device, "heat-bath", variant, R=300))


PLANTED = [
    ("quench", "holder[last] == last && holder[other] == last", "holder[other] == last"),
    ("sampling", "k = k - 1.0", "k = k - 2.0"),
    ("lazy", "couplings[k * count + l];\n        __syncthreads();", "couplings[k * count + l];"),
    ("overlap", "- (long long)P * spins[site]", ""),
    ("quench", "0xD2511F53u, a)", "0xD2511F57u, a)"),
    ("quench", "field < 0 :", "field <= 0 :"),
    ("quench", "(int)threadIdx.x > done && replica", "replica"),
    ("quench", "            ++flips;\n            __syncthreads();\n", "            ++flips;\n"),
    ("quench", "if (sizeof(Row) == 1 && i", "if (sizeof(Row) == 3 && i"),
    ("quench", "(unsigned)last + 1u", "(unsigned)last"),
    ("quench", "    int left = 1;", "    __syncthreads();\n    int left = 0;"),
    ("quench", "if (layout == FIELDS_SHARED) copy(own", "if (layout == ALL_GLOBAL) copy(own"),
    ("sampling", "sweep, site, scales[r]", "sweep, start, scales[r]"),
    ("sampling", "(double)field > -limit", "(double)field > limit"),
    ("sampling", "                ++moves;\n                __syncthreads();", "                ++moves;"),
    ("lazy", "low[place] + (planes", "low[place] + (0 * planes"),
    ("lazy", "l = k + 1 + warp", "l = k + 2 + warp"),
    ("products", "(value + 128) >> 8", "value >> 8"),
    ("overlap", "? -2 * old : 2 * old", "? 2 * old : 2 * old"),
    ("overlap", "place += found >> 1;", ""),
]
QUICK = 3  # the others run with --slow; each costs a compilation


@pytest.mark.parametrize(
    "planted",
    [pytest.param(p, id=f"{p[0]}-{i}", marks=[pytest.mark.slow] if i >= QUICK else []) for i, p in enumerate(PLANTED)],
)
def test_planted_errors_are_caught(planted: tuple[str, str, str], folder: Path) -> None:
    """Each edit of a source must change a result, or hang up the emulator, in what the tests above compare."""

    def agrees(schedule: int) -> bool:
        device = emulated(folder, schedule=schedule, edit=planted)
        if planted[0] in ("sampling", "lazy"):
            variant = "lazy" if planted[0] == "lazy" else "fields"
            return all(
                same(*both_sample(couplings, device, algorithm, variant))
                for algorithm in ("metropolis", "heat-bath")
                for couplings in (interactions(patterns(97, 31), engine="dense-int16"), scaled(1100))
            )
        engines = ("overlap-bits",) if planted[0] == "overlap" else ("dense-int8", "dense-int16")
        device.shared_memory = 1_000 if schedule else 232_448  # both ways of shuffling
        made = [interactions(s, engine=e) for e in engines for s in (patterns(97, 31), patterns(35, 4))]
        return all(same(*both_quench(couplings, device)) for couplings in (*made, scaled(1100)))

    try:
        caught = not all(agrees(schedule) for schedule in (0, 1, 2))
    except RuntimeError:
        caught = True
    assert caught


def test_the_benchmark_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    if not (root / "benchmarks" / "gpu.py").exists():
        pytest.skip("benchmarks are part of a source checkout only")
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    module = loaded(root / "benchmarks" / "gpu.py")
    clock = iter(range(1000))

    def timer(work: Any) -> float:
        work()
        next(clock)
        return 2.0

    small: dict[str, Any] = {
        "quenches": ((40, 2, "random", True),),
        "lazy": ((40, 3, "halves"),),
        "read": 64,
        "square": 32,
    }
    rows = list(module.rows(1, device=emulated(folder), timer=timer, card="none", **small))
    assert [row.count("|") for row in rows] == [9, 9]
    assert ["quench, random order" in rows[0], "block-lazy, halves" in rows[1]] == [True, True]
    assert next(clock) == 8  # every case and its limit, warmed up and once more
