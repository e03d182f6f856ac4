"""Zero-temperature dynamics of vector spins: kernels against literal NumPy, limits, closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from numerics import disorder, rng
from numerics.alignment import align, one_step
from numerics.alignment_polish import newton
from numerics.backends import cpu_alignment, reference_alignment
from numerics.dynamics import quench
from numerics.interactions import interactions
from numerics.kernels import alignment as kernels
from numerics.vector_interactions import ENGINES, KINDS, VectorInteractions, from_couplings, vector_interactions
from numerics.vector_systems import components, refresh
from theory.denoising import first_overlap
from theory.ensembles import IidPatterns
from theory.errors import InvalidInput

CASES = [
    (kind, d, engine) for kind in KINDS for d in ((2,) if kind == "phasor" else (1, 2, 3, 5, 19)) for engine in ENGINES
]
ROUNDING = {"float32": 2.0**-24, "float64": 2.0**-53}
MARGIN = 10.0  # how far a kernel may be from the reference, beside references with fields as wrong as by rounding


class Shaken(reference_alignment.Run):
    """The reference, every field wrong by a random number of the size of the rounding of its sum.

    Sums are taken as eight partial ones or more, and each is wrong by its last bit times the sizes of its terms.
    """

    def __init__(self, couplings: VectorInteractions) -> None:
        super().__init__(couplings, np.zeros((couplings.N, couplings.d)), "float64")
        J = couplings
        if J.patterns is not None:
            x = np.abs(J.patterns.astype(np.float64))
            terms = (x * x.sum(0)).sum((1, 2)) if J.kind == "scalar" else x.max(1) @ x.sum((0, 1))
        else:
            c, axes = np.abs(J.couplings.astype(np.float64)), {"tensor": (2, 3), "scalar": 1, "phasor": (0, 2)}[J.kind]
            terms = c.sum(axes).reshape(J.N, -1).max(1)
        self.wrong = ROUNDING[J.precision] * terms / 8.0

    def sweep(self, order):
        for i in order:
            h = np.tensordot(self._J[i], self._state, axes=((1, 2), (0, 1)))
            if np.linalg.norm(h) > self._zero:
                h += self.noise * self.wrong[i] * self.generator.standard_normal(h.size)
                self._state[i] = h / np.linalg.norm(h)

    def growth(self, start, orders):
        """How far from the reference three shaken ones get, at most."""
        self.generator, ends = np.random.default_rng(0), []
        for self.noise in (0.0, 1.0, 1.0, 1.0):
            self.load(start)
            for order in orders:
                self.sweep(order)
            ends.append(self.spins())
        return max(float(np.abs(end - ends[0]).max()) for end in ends[1:])


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def own(kind: str, N: int, d: int, precision: str) -> VectorInteractions:
    """Couplings that do not come from patterns."""
    g = np.random.default_rng(N)
    J = g.normal(size=(N, d, N, d)) if kind == "tensor" else g.normal(size=(N, N)) * (1.0 + 0j)
    if kind == "phasor":
        J = J + 1j * g.normal(size=(N, N))
    J = J.transpose(2, 3, 0, 1) + J if kind == "tensor" else J + J.conj().T
    for i in range(N):
        if kind == "tensor":
            J[i, :, i] = 0.0
        else:
            J[i, i] = 0.0
    return from_couplings(J.real if kind == "scalar" else J, kind=kind, d=d, precision=precision)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "d", "engine"), CASES)
def test_the_kernel_follows_the_reference(kind, d, engine, precision):
    large = (150, 40) if kind != "tensor" or d < 16 else (70, 20)  # all couplings are written out
    for N, P in ((1, 1), (2, 1), (37, 6), large):  # blocks of 4, of 16 and of 64 sites, whole and not
        made = [vector_interactions(unit(P, N, d), kind=kind, engine=engine, precision=precision)]
        if engine == "dense" and N < 100:
            made.append(own(kind, N, d, precision))
        for couplings in made:
            start, key, shaken = unit(N, d, seed=1), rng.stream("follow"), Shaken(couplings)
            for order in ("random", "sequential"):
                for sweeps in (1, 3):
                    options = {"key": key, "order": order, "max_sweeps": sweeps, "polish": False}
                    ends = [
                        align(couplings, start, tolerance=1e-12, backend=backend, **options)
                        for backend in ("cpu", "reference")
                    ]
                    lanes = [rng.permutation(key, N, lane=n) for n in range(sweeps)]
                    orders = lanes if order == "random" else [np.arange(N)] * sweeps
                    bound = MARGIN * shaken.growth(start, orders) + 4.0 * ROUNDING[precision]
                    assert bound < 0.1
                    assert np.abs(ends[0].spins - ends[1].spins).max() <= bound
                    assert abs(ends[0].energy - ends[1].energy) <= bound


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["tensor", "scalar"])
def test_one_component_is_the_ising_dynamics_to_the_last_spin(kind, engine):
    kept = 0
    for index in range(4):
        sample = disorder.draw(IidPatterns(), N=61, P=2 + 2 * index, index=index)  # fields vanish often
        patterns = np.concatenate([rows for _, rows in disorder.pattern_blocks(sample, rows=64)])
        couplings = vector_interactions(patterns[:, :, None], kind=kind, engine=engine)
        start, key = rng.signs(rng.stream("one"), rows=1, columns=61)[0], rng.stream("visits", index)
        ising = quench(interactions(sample), start, key=key)
        for backend in ("cpu", "reference"):
            end = align(couplings, start[:, None], key=key, backend=backend)
            assert np.array_equal(end.spins[:, 0], ising.spins)
            assert (end.sweeps, end.turn, end.converged) == (ising.sweeps, 0.0, True)
            kept += int((couplings.fields(end.spins) == 0).sum())
    assert kept > 0


@pytest.mark.parametrize(("kind", "d", "engine"), CASES)
def test_no_update_raises_the_energy(kind, d, engine):
    couplings = vector_interactions(unit(8, 40, d), kind=kind, engine=engine, precision="float64")
    run = cpu_alignment.Run(couplings, unit(40, d, seed=1), "float64")
    energies = [couplings.energy(run.spins())]
    for i in rng.permutation(rng.stream("down"), 40).tolist() * 2:
        run.sweep(np.array([i], dtype=np.int32))
        energies.append(couplings.energy(run.spins()))
    assert all(b <= a + 1e-14 for a, b in pairwise(energies))
    assert energies[-1] < energies[0] - 0.05


@pytest.mark.parametrize(("kind", "d", "engine"), [case for case in CASES if case[1] > 1])
def test_the_end_is_a_minimum_and_the_same_as_by_sweeps_alone(kind, d, engine):
    couplings = vector_interactions(unit(4, 60, d).astype(np.float32), kind=kind, engine=engine)
    start = unit(60, d, seed=1)
    rough = align(couplings, start)
    fine = align(couplings, start, tolerance=1e-10)
    plain = align(couplings, start, tolerance=1e-10, polish=False, max_sweeps=100_000)
    assert rough.converged
    assert rough.turn <= 1e-5
    assert rough.steps == 0
    assert fine.converged
    assert fine.turn <= 1e-10
    assert fine.residual < 1e-10
    assert fine.steps > 0
    assert plain.converged
    assert plain.steps == 0
    assert plain.sweeps > fine.sweeps
    assert fine.energy == pytest.approx(plain.energy, abs=1e-13)
    if kind == "tensor":  # where no rotation is free
        assert np.abs(fine.spins - plain.spins).max() < 1e-6
    assert np.abs(np.linalg.norm(fine.spins, axis=1) - 1.0).max() < 1e-15
    h = couplings.fields(fine.spins)
    assert np.abs(fine.spins - h / np.linalg.norm(h, axis=1)[:, None]).max() < 1e-10


@pytest.mark.parametrize("d", [16, 18])
def test_panels_of_columns_add_up(d):
    couplings = vector_interactions(unit(10, 1100, d), kind="scalar", engine="dense", precision="float64")
    order, ends = rng.permutation(rng.stream("panels"), 1100), []
    for sweep in (kernels.matrix_sweep, kernels.wide_sweep):
        spins = components(unit(1100, d, seed=1), np.float64)
        sweep(couplings.couplings, spins, order, 0.0)
        ends.append(spins)
    # Rounding is 1e-13 of the fields; a panel that is left out or taken twice is 1e-2 of them.
    assert np.abs(ends[0] - ends[1]).max() < 1e-8


def test_newton_declines_what_is_no_minimum():
    couplings = from_couplings([[0.0, 1.0], [1.0, 0.0]], kind="scalar", d=2)
    for angle in (3.0, 2.0):
        spins = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
        assert newton(couplings, spins, tolerance=1e-12)[1] == 0


@pytest.mark.parametrize("kind", ["tensor", "scalar"])
def test_maintained_overlaps_are_taken_anew(kind, monkeypatch):
    couplings = vector_interactions(unit(5, 50, 3), kind=kind, engine="overlap")
    run = cpu_alignment.Run(couplings, unit(50, 3, seed=1), "float32")
    order, every = np.arange(50, dtype=np.int32), cpu_alignment._ANEW["float32"]
    run._system.overlaps[...] += 0.5  # as if rounding had gathered
    for _ in range(every + 1):
        run.sweep(order)
    exact = run._system.overlaps.copy()
    refresh(run._system, run._state)
    assert np.abs(exact - run._system.overlaps).max() < 1e-4


def test_synchronous_dynamics_steps_ends_and_cycles():
    pair = from_couplings([[0.0, 1.0], [1.0, 0.0]], kind="scalar", d=2)
    crossed = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert one_step(pair, crossed).tolist() == crossed[::-1].tolist()
    end = align(pair, crossed, order="synchronous")
    assert (end.period, end.converged, end.turn) == (2, False, pytest.approx(np.pi / 2))
    X = unit(3, 80, 3)
    end = align(vector_interactions(X, kind="tensor"), X[0], order="synchronous", tolerance=1e-10)
    assert end.converged
    assert end.period == 1
    assert end.residual < 1e-9
    batch = one_step(vector_interactions(X, kind="tensor"), X)
    assert np.abs(batch[1] - one_step(vector_interactions(X, kind="tensor"), X[1])).max() < 1e-14


@pytest.mark.parametrize("order", ["random", "sequential", "synchronous"])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("d", [1, 2, 3, 19])
def test_a_spin_in_zero_field_keeps_its_direction(d, backend, order):
    free = from_couplings(np.zeros((5, 5)), kind="scalar", d=d)
    end = align(free, unit(5, d), backend=backend, order=order)
    assert (end.sweeps, end.turn, end.residual, end.converged) == (1, 0.0, 0.0, True)
    assert np.allclose(end.spins, unit(5, d), atol=1e-7)
    J = np.zeros((4, 4))  # a field that is zero but for rounding
    J[0, 1:] = J[1:, 0] = [0.1, 0.2, -0.3]
    J[1:, 1:] = 10.0 * (1.0 - np.eye(3))
    start = np.zeros((4, d))
    start[0, 0], start[1:, 0] = -1.0, 1.0
    assert align(from_couplings(J, kind="scalar", d=d), start, backend=backend, order=order).spins[0, 0] == -1.0


def test_what_was_reached_is_said():
    couplings = vector_interactions(unit(30, 200, 3), kind="tensor")
    told = []
    end = align(couplings, unit(200, 3, seed=1), max_sweeps=2, progress=lambda *now: told.append(now))
    assert (end.sweeps, end.converged, told) == (2, False, [("sweeps", 1, 2), ("sweeps", 2, 2)])
    assert end.turn > 0.01
    assert end.residual > 0.01
    assert align(couplings, end.spins, key=rng.stream("a")).spins.tolist() == (
        align(couplings, end.spins, key=rng.stream("a")).spins.tolist()
    )


@pytest.mark.parametrize("d", [1, 3, 10])
def test_one_step_denoises_as_theory_says(d):
    # From overlap m0 with a pattern: N independent spins, so the mean has an error below 1/sqrt(N); six are allowed.
    N, alpha, m0 = 4000, 0.5 / d, 0.5
    X = unit(round(alpha * N), N, d, seed=d).astype(np.float32).astype(float)
    g = np.random.default_rng(d + 100)
    if d == 1:
        start = X[0] * np.where(g.random((N, 1)) < 0.5 * (1.0 + m0), 1.0, -1.0)
    else:
        across = g.normal(size=(N, d))
        across -= np.einsum("na,na->n", across, X[0])[:, None] * X[0]
        start = m0 * X[0] + np.sqrt(1.0 - m0**2) * across / np.linalg.norm(across, axis=1)[:, None]
    after = one_step(vector_interactions(X, kind="tensor"), start)
    m1 = float(np.einsum("na,na->n", after, X[0]).mean())
    m0_realised = float(np.einsum("na,na->n", start, X[0]).mean())
    assert abs(m1 - first_overlap(m0_realised, alpha=X.shape[0] / N, d=d)) < 6.0 / np.sqrt(N)


@pytest.mark.slow
def test_retrieval_at_three_components_is_the_published_one():
    # nicoletti2025, alpha'' = .06, N = 8000: m = .97741(84), e = -.506575(316); samples vary, hence the standard error.
    N, P, found = 4000, 80, []
    for index in range(12):
        X = unit(P, N, 3, seed=1000 + index).astype(np.float32)
        end = align(vector_interactions(X, kind="tensor"), X[0], tolerance=1e-9)
        assert end.converged
        found.append((float(np.einsum("na,na->n", end.spins, X[0]).mean()), end.energy))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    # Of Student's t with 11 degrees of freedom, beyond 12 in 1.2e-7 of all runs.
    assert np.all(np.abs(mean - [0.97741, -0.506575]) < 12.0 * error)


PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"order": "randm"}, "order 'randm' is unknown; choose one of random, .* did you mean 'random'?"),
        ({"backend": "gpu"}, "backend 'gpu' is unknown; choose one of cpu, reference"),
        ({"spins": unit(3, 2)}, r"spins have shape \(3, 2\); give \(2, 2\)"),
        ({"spins": unit(4, 2, 2)}, r"spins have shape \(4, 2, 2\); give one start of shape \(2, 2\)"),
        ({"spins": [[1.0, np.nan], [0.0, 1.0]]}, "spins contain NaN or infinity"),
        ({"spins": [[1.0, 1.0], [0.0, 1.0]]}, "spins are not of length 1"),
        ({"key": [1, 2, 3]}, r"key has shape \(3,\) and type int64; give 3 words of uint32"),
        ({"max_sweeps": 0}, "max_sweeps = 0 is not allowed; give an integer max_sweeps >= 1"),
        ({"max_sweeps": 1.5}, "max_sweeps = 1.5 is not allowed"),
        (
            {"tolerance": 1e-14},
            "tolerance = 1e-14 is not allowed; give the largest turn of a sweep in radians, from 1e-12",
        ),
        ({"tolerance": np.nan}, "tolerance = nan is not allowed"),
        ({"tolerance": "small"}, "tolerance = 'small' is not allowed"),
    ],
)
def test_bad_input_is_one_sentence(change, sentence):
    arguments = {"spins": unit(2, 2)} | change
    with pytest.raises(InvalidInput, match=sentence):
        align(from_couplings(PAIR, kind="scalar", d=2), arguments.pop("spins"), **arguments)


def test_the_reference_says_what_it_cannot_hold():
    couplings = vector_interactions(unit(1, 20_000, 3), kind="tensor")
    with pytest.raises(InvalidInput, match=r"would need 28.8 GB for N = 20000, d = 3; use 'cpu'"):
        align(couplings, unit(20_000, 3), backend="reference")
