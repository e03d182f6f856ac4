"""Sampling of unit vectors: exact laws of small systems, the reference, threads, resumed runs, planted faults.

False alarms of all statistical tests of this file together have a probability of at most FAMILY (Bonferroni); seeds are
fixed.  Walkers that start in equilibrium, drawn by rejection, must stay there whatever the number of sweeps: a sweep
keeps the law without being reversible.
"""

from __future__ import annotations

import functools
import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import ive

from numerics import disorder, rng, tempering, vector_disorder
from numerics import montecarlo as ising
from numerics.backends import vector_cpu
from numerics.backends.vector_reference import matrix as couplings_of
from numerics.interactions import interactions
from numerics.kernels import vector_fields, vector_laws, vector_sweeps
from numerics.tempering import temper
from numerics.vector_chains import VECTOR_ALGORITHMS
from numerics.vector_interactions import VectorInteractions, from_couplings, vector_interactions
from numerics.vector_montecarlo import sample_vectors
from theory.ensembles import IidPatterns, IsotropicPatterns
from theory.errors import InvalidInput, SpinodalError

FAMILY = 1e-6
CASES = 500  # more than there are
LIMIT = FAMILY / CASES
SIGMAS = 6.5  # two-sided 8e-11 for a Gaussian

Floats = np.ndarray


def vectors(*shape: int, seed: int = 0) -> Floats:
    x = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def keys_of(count: int, *name: str | int) -> Floats:
    return rng.words(rng.stream("vectors", *name), rows=count, columns=3).copy()


def stored(kind: str, d: int, N: int, P: int, **options: str) -> VectorInteractions:
    return vector_interactions(vectors(P, N, d, seed=1), kind=kind, **{"precision": "float64", **options})


def over_relaxed(number: int) -> dict[str, object]:
    return {"algorithm": VECTOR_ALGORITHMS[1], "over_relaxations": number} if number else {}


def two_sample(a: Floats, b: Floats) -> float:
    """Return a bound of the p-value of two sets of independent numbers of one law, n >= 458 each.

    The inequality of Dvoretzky, Kiefer and Wolfowitz for two samples (Wei and Dudley, Stat. Probab. Lett. 82, 636
    (2012)): at equal sizes n >= 458, P(sup|F - G| > x) <= 2 exp(-n x^2).
    """
    assert a.size == b.size >= 458
    points = np.sort(np.concatenate([a, b]))
    F, G = (np.searchsorted(np.sort(x), points, side="right") / x.size for x in (a, b))
    return float(min(1.0, 2.0 * math.exp(-a.size * float(np.abs(F - G).max()) ** 2)))


def moderate(J: VectorInteractions) -> float:
    """A temperature at which couplings matter and rejection, of uniform configurations, keeps e^-3.5 of them."""
    return _depth(J) / 3.5


def equilibrium(J: VectorInteractions, temperature: float, count: int, seed: int) -> Floats:
    """Independent configurations of the Boltzmann law, (count, N, d), by rejection of uniform ones."""
    generator = np.random.default_rng([11, seed])
    matrix = couplings_of(J).reshape(J.N * J.d, J.N * J.d)
    found: list[Floats] = []
    while sum(map(len, found)) < count:
        x = generator.standard_normal((20_000, J.N, J.d))
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
        flat = x.reshape(len(x), -1)
        weight = np.exp((0.5 * np.einsum("ra,ra->r", flat @ matrix, flat) - _depth(J)) / temperature)
        found.append(x[generator.random(len(x)) < weight])
    return np.concatenate(found)[:count]


@functools.cache
def bank(kind: str, d: int, P: int, count: int, factor: float = 1.0) -> tuple[Floats, Floats]:
    """Two sets of independent configurations of three spins at the :func:`moderate` temperature times `factor`."""
    J = stored(kind, d, 3, P, engine="overlap")
    both = equilibrium(J, factor * moderate(J), 2 * count, d)
    return both[:count], both[count:]


def _depth(J: VectorInteractions) -> float:
    """A bound of -H."""
    return 0.5 * sum(float(np.linalg.norm(block, 2)) for row in couplings_of(J).transpose(0, 2, 1, 3) for block in row)


def ratio(d: int, kappa: float) -> float:
    """A_d: the mean cosine of a unit vector in a field."""
    return float(ive(d / 2, kappa) / ive(d / 2 - 1, kappa))


# --- closed forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("d", [1, 2, 3, 4, 10, 64])
def test_two_spins_have_the_mean_cosine_in_closed_form(d, precision):
    J, R = 0.7, 5000
    pair = from_couplings([[0.0, J], [J, 0.0]], kind="scalar", d=d, precision=precision)
    start = np.zeros((R, 2, d)) + np.eye(d)[0]
    for number, temperature in enumerate((3.0, 0.4, 0.02)):
        for over in (0, 2):
            run = sample_vectors(
                pair,
                start,
                temperature=temperature,
                sweeps=1,
                keys=keys_of(R, d, number, over),
                **over_relaxed(over),
            )
            cosines = np.einsum("ra,ra->r", run.spins[:, 0], run.spins[:, 1])
            exact = ratio(d, J / temperature)
            # E cos^2 = 1 - (d - 1) A/kappa; the standard error is the exact one.
            sigma = math.sqrt(max(1.0 - (d - 1) * exact * temperature / J - exact**2, 0.0) / R)
            assert abs(cosines.mean() - exact) <= SIGMAS * sigma + 1e-6
            assert np.abs(run.energy.bins()[0] + 0.5 * J * cosines).max() < 1e-6


@pytest.mark.parametrize("engine", ["overlap", "dense"])
@pytest.mark.parametrize("d", [2, 3, 5])
def test_one_pattern_pair_of_tensor_couplings_agrees_with_quadrature(d, engine):
    # H = -x y/2 with x, y the components along the pattern, each of density (1 - x^2)^((d - 3)/2).
    system, R, temperature = stored("tensor", d, 2, 1, engine=engine), 3000, 0.08
    theta, step = np.linspace(0.0, np.pi, 4001, retstep=True)
    x = np.cos(theta)
    weight = np.sin(theta) ** (d - 2) * np.where((theta == 0) | (theta == np.pi), 0.5, 1.0) * step
    law = np.exp((np.outer(x, x) - 1.0) / (2.0 * temperature)) * np.outer(weight, weight)
    energy = -0.25 * np.outer(x, x)
    exact = float((law * energy).sum() / law.sum())
    spread = math.sqrt(float((law * energy**2).sum() / law.sum()) - exact**2)
    for over in (0, 3):
        # Both signs of x are reached with equal chance from a uniform start, and |x| is forgotten quickly.
        run = sample_vectors(
            system,
            vectors(R, 2, d, seed=over),
            temperature=temperature,
            sweeps=25,
            every=25,
            keys=keys_of(R, "pattern", d, over),
            **over_relaxed(over),
        )
        assert abs(run.energy.bins()[0].mean() - exact) < SIGMAS * spread / math.sqrt(R)


@pytest.mark.parametrize("d", [2, 3, 4, 7])
def test_three_spins_with_different_couplings_agree_with_quadrature(d):
    # s_1.s_2 = x; the third spin is integrated in closed form, and in turn each of the three is the third.
    J = np.array([[0.0, 1.0, -0.8], [1.0, 0.0, 0.5], [-0.8, 0.5, 0.0]])
    temperature, R = 0.25, 4000
    system = from_couplings(J, kind="scalar", d=d, precision="float64")
    theta = np.linspace(0.0, np.pi, 20001)
    x = np.cos(theta)
    runs = [
        sample_vectors(
            system,
            vectors(R, 3, d),
            temperature=temperature,
            sweeps=sweeps,
            every=sweeps,
            keys=keys_of(R, "three", d, sweeps, over),
            **over_relaxed(over),
        ).spins
        for sweeps, over in ((50, 0), (20, 2))
    ]
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        field = np.sqrt(np.maximum(J[i, k] ** 2 + J[j, k] ** 2 + 2 * J[i, k] * J[j, k] * x, 1e-300)) / temperature
        order = d / 2 - 1
        log = J[i, j] * x / temperature + np.log(ive(order, field)) + field - order * np.log(field)
        weight = np.exp(log - log.max()) * np.sin(theta) ** (d - 2)
        if d == 2:
            weight[[0, -1]] /= 2.0
        exact = float((weight * x).sum() / weight.sum())
        spread = math.sqrt(float((weight * x**2).sum() / weight.sum()) - exact**2)
        for spins in runs:
            cosines = np.einsum("ra,ra->r", spins[:, i], spins[:, j])
            assert abs(cosines.mean() - exact) < SIGMAS * spread / math.sqrt(R)


@pytest.mark.parametrize("kind", ["tensor", "scalar", "phasor"])
def test_three_plane_spins_of_every_kind_agree_with_quadrature(kind):
    R, n = 4000, 40  # periodic: the rule converges exponentially
    system = stored(kind, 2, 3, 2)
    temperature = moderate(system)
    phi = 2.0 * np.pi * (np.arange(n) + 0.5) / n
    circle = np.stack([np.cos(phi), np.sin(phi)], axis=-1)
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    energies = np.concatenate([system.energy(circle[part]) for part in np.array_split(grid, 20)])
    law = np.exp(-3 * (energies - energies.min()) / temperature)
    exact, square = float(law @ energies / law.sum()), float(law @ energies**2 / law.sum())
    for engine in ("overlap", "dense"):
        run = sample_vectors(
            stored(kind, 2, 3, 2, engine=engine),
            equilibrium(system, temperature, R, 3),
            temperature=temperature,
            sweeps=4,
            every=4,
            keys=keys_of(R, kind, engine),
            **over_relaxed(1),
        )
        assert abs(run.energy.bins()[0].mean() - exact) < SIGMAS * math.sqrt((square - exact**2) / R)


# --- stationarity -------------------------------------------------------------------------------------------------


def probes(J: VectorInteractions, spins: Floats) -> dict[str, Floats]:
    """Numbers that know of the law: energy, components, cosines of pairs."""
    found = {"energy": np.asarray(J.energy(spins))}
    for i in range(J.N):
        found[f"component of {i}"] = spins[:, i] @ np.cos(np.arange(J.d) + i)
        found[f"cosine of {i}"] = np.einsum("ra,ra->r", spins[:, i], spins[:, (i + 1) % J.N])
    return found


def surprise(J: VectorInteractions, spins: Floats, independent: Floats) -> float:
    """p-value of walkers that should be in equilibrium, against as many independent configurations."""
    truth, found = probes(J, independent), probes(J, spins)
    return min(1.0, len(found) * min(two_sample(found[name], truth[name]) for name in found))


SYSTEMS = [
    ("tensor", 1, "overlap"),
    ("tensor", 3, "overlap"),
    ("tensor", 3, "dense"),
    ("scalar", 2, "dense"),
    ("scalar", 3, "overlap"),
    ("phasor", 2, "overlap"),
    ("phasor", 2, "dense"),
    ("scalar", 5, "dense"),
]


@pytest.mark.parametrize(("sweeps", "over"), [(1, 0), (6, 0), (2, 3)])
@pytest.mark.parametrize(("kind", "d", "engine"), SYSTEMS)
def test_walkers_in_equilibrium_stay_there(kind, d, engine, sweeps, over):
    J, R = stored(kind, d, 3, 2, engine=engine), 2500
    start, independent = bank(kind, d, 2, R)
    options = {"sweeps": sweeps, "every": sweeps, "keys": keys_of(R, "stay", kind, d, sweeps, over)}
    run = sample_vectors(J, start, temperature=moderate(J), **options, **over_relaxed(over))
    assert surprise(J, run.spins, independent) > LIMIT


@pytest.mark.parametrize(("kind", "d", "engine"), SYSTEMS)
def test_walkers_out_of_equilibrium_get_there(kind, d, engine):
    J, R = stored(kind, d, 3, 2, engine=engine), 2500
    start = np.tile(vectors(1, 3, d, seed=9), (R, 1, 1))
    # Two Ising spins held together turn in one of 15 sweeps here; other spins are faster.
    options = {"temperature": 3.0 * moderate(J), "sweeps": 60, "every": 60, "keys": keys_of(R, "get", kind, d)}
    run = sample_vectors(J, start, **options, **over_relaxed(2))
    assert surprise(J, run.spins, bank(kind, d, 2, R, 3.0)[1]) > LIMIT


def test_one_visit_is_in_detailed_balance():
    # The joint law of a spin before and after, in equilibrium, does not change when they are exchanged; a visit is the
    # first of a sweep over spins of which the others do not act on each other.
    R, d, temperature = 20000, 3, 0.3
    J = from_couplings([[0.0, 1.0], [1.0, 0.0]], kind="scalar", d=d, precision="float64")
    before = equilibrium(J, temperature, R, 4)
    e = before[:, 1]
    after = np.empty((R, d))
    for r, key in enumerate(keys_of(R, "balance")):
        vector_laws.draw(e[r], 1.0 / temperature, key[0], key[1], key[2], 0, 0, after[r])
    x, y = np.einsum("ra,ra->r", before[:, 0], e), np.einsum("ra,ra->r", after, e)
    for statistic in (lambda a, b: a**3 * b, lambda a, b: np.maximum(a - b, 0.0), lambda a, b: np.exp(a) * (b > 0.5)):
        difference = statistic(x, y) - statistic(y, x)
        assert abs(difference.mean()) < SIGMAS * difference.std() / math.sqrt(R)


# --- one trajectory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [0, 2])
@pytest.mark.parametrize(("kind", "d"), [("tensor", 1), ("tensor", 3), ("scalar", 2), ("phasor", 2), ("scalar", 5)])
def test_every_engine_follows_the_reference(kind, d, over):
    # Rounding grows, by ten at most in a pass over the sites: there are four, or six.
    sweeps = 2 if over else 4
    options = {"temperature": np.array([0.1, 1.0]), "sweeps": sweeps, "keys": keys_of(2, kind, d), **over_relaxed(over)}
    start = vectors(2, 23, d, seed=3)
    truth = sample_vectors(stored(kind, d, 23, 4), start, backend="reference", **options)
    for engine in ("overlap", "dense"):
        found = sample_vectors(stored(kind, d, 23, 4, engine=engine), start, **options)
        assert np.abs(found.spins - truth.spins).max() < 1e-9
        assert np.abs(found.energy.bins() - truth.energy.bins()).max() < 1e-9
        single = stored(kind, d, 23, 4, engine=engine, precision="float32")
        short = {**options, "sweeps": 1}
        again = sample_vectors(single, start, backend="reference", **short).spins
        assert np.abs(sample_vectors(single, start, **short).spins - again).max() < 1e-3
    assert np.array_equal(start, vectors(2, 23, d, seed=3))  # the start is the caller's
    assert np.abs(np.linalg.norm(truth.spins, axis=-1) - 1.0).max() < 1e-14


@pytest.mark.parametrize("kind", ["tensor", "scalar"])
def test_one_component_is_the_ising_heat_bath_spin_by_spin(kind):
    N, P = 150, 7
    sample = disorder.draw(IidPatterns(), N=N, P=P)
    signs = interactions(sample, engine="dense-int32").matrix.astype(float)
    J = from_couplings(signs[:, None, :, None] / N if kind == "tensor" else signs / N, kind=kind, d=1)
    start = rng.signs(rng.stream("start"), rows=3, columns=N)
    options = {"temperature": np.array([0.3, 0.7, 2.0]), "sweeps": 20, "keys": keys_of(3, "ising")}
    truth = ising.sample(interactions(sample), start, algorithm="heat-bath", **options)
    found = sample_vectors(J, start[..., None], **options)
    assert np.array_equal(found.spins[..., 0], truth.spins)
    assert np.allclose(found.energy.bins(), truth.energy.bins(), rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "engine"), [("tensor", "overlap"), ("scalar", "overlap"), ("scalar", "dense")])
def test_threads_cuts_and_company_change_nothing(kind, engine, precision):
    d, N, R = 3, 60, 5
    J = stored(kind, d, N, 6, engine=engine, precision=precision)
    start, keys = vectors(R, N, d, seed=4), keys_of(R, "threads")
    temperature = np.array([0.05, 0.1, 0.2, 0.4, 2.0])
    options = {"temperature": temperature, "keys": keys, "every": 3, **over_relaxed(1)}
    runs = [sample_vectors(J, start, sweeps=12, threads=threads, **options) for threads in (1, 2, 3, 8)]
    first = sample_vectors(J, start, sweeps=3, **options)
    runs.append(sample_vectors(J, first.spins, sweeps=9, first_sweep=first.sweeps, series=first.series, **options))
    for run in runs[1:]:
        assert np.array_equal(run.spins, runs[0].spins)
        assert np.array_equal(run.energy.bins(), runs[0].energy.bins())
        assert run.sweeps == 12
    alone = sample_vectors(J, start[3:4], sweeps=12, **{**options, "temperature": 0.4, "keys": keys[3:4]})
    assert np.array_equal(alone.spins[0], runs[0].spins[3])
    assert not np.array_equal(runs[0].spins[0], runs[0].spins[1])
    other = sample_vectors(J, start, sweeps=12, **{**options, "keys": keys_of(R, "others")})
    assert not np.array_equal(other.spins, runs[0].spins)


@pytest.mark.parametrize(("precision", "rounding"), [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize(("kind", "d", "engine"), SYSTEMS)
def test_over_relaxation_costs_no_energy_and_moves_spins(kind, d, engine, precision, rounding):
    J = stored(kind, d, 100, 5, engine=engine, precision=precision)
    options = {"temperature": 0.1, "sweeps": 1, "keys": keys_of(2, "over")}
    plain, relaxed = (sample_vectors(J, vectors(2, 100, d), **options, **over_relaxed(over)) for over in (0, 20))
    assert np.abs(relaxed.energy.bins() - plain.energy.bins()).max() < rounding
    assert (np.abs(relaxed.spins - plain.spins).max() > 0.1) == (d > 1)


def test_without_summing_overlaps_anew_cuts_would_tell(monkeypatch):
    J, options = stored("tensor", 3, 30, 3, engine="overlap"), {"temperature": 0.3, "keys": keys_of(1, "cut")}

    def cut() -> bool:
        whole = sample_vectors(J, vectors(1, 30, 3), sweeps=4, every=4, **options)
        half = sample_vectors(J, vectors(1, 30, 3), sweeps=2, every=2, **options)
        rest = sample_vectors(J, half.spins, sweeps=2, every=2, first_sweep=2, **options)
        return np.array_equal(whole.spins, rest.spins)

    assert cut()
    monkeypatch.setattr(vector_cpu, "vector_advance", planted(SOURCE))
    assert cut()
    monkeypatch.setattr(vector_cpu, "vector_advance", planted(SOURCE.replace("gather(system, spins[r])", "pass")))
    assert not cut()


def test_what_is_observed_is_measured_beside_the_energy():
    J = stored("scalar", 3, 40, 4, engine="dense")
    pattern, told = vectors(4, 40, 3, seed=1)[0], []
    run = sample_vectors(
        J,
        np.stack([pattern, pattern]),
        temperature=0.05,
        sweeps=20,
        every=5,
        observe=lambda spins: {"m": np.einsum("rna,na->r", spins, pattern) / 40, "mean": spins.mean()},
        progress=lambda *told_now: told.append(told_now),
    )
    assert run.series["m"].bins().shape == (4, 2)
    assert run.series["mean"].chains == 1
    assert run.series["m"].bins()[-1, 0] == pytest.approx(np.einsum("na,na", run.spins[0], pattern) / 40, abs=1e-12)
    assert run.energy.bins()[-1] == pytest.approx(J.energy(run.spins), abs=1e-12)
    assert told[-1] == ("sweeps", 20, 20)


# --- planted faults -----------------------------------------------------------------------------------------------

SOURCE = inspect.getsource(vector_sweeps)
ADVANCE = inspect.getsource(vector_cpu.vector_advance)


def literal_field(system, spins, s, i, upcoming, out):
    """What numerics.kernels.vector_fields does by vector instructions, in NumPy."""
    if isinstance(system, vector_fields.TensorOverlap):
        xi = system.patterns[i]
        out[:] = system.scale * (xi @ system.overlaps - xi @ (xi.T @ s))
    elif isinstance(system, vector_fields.ScalarOverlap):
        xi = system.patterns[i]
        out[:] = system.scale * (system.overlaps @ xi - (xi @ xi) * s)
    else:
        out[:] = system.scale * (spins @ system.couplings[i])


def literal_moved(system, s, i, delta):
    if isinstance(system, vector_fields.TensorOverlap):
        system.overlaps[:] += delta @ system.patterns[i]
    elif isinstance(system, vector_fields.ScalarOverlap):
        system.overlaps[:] += np.outer(delta, system.patterns[i])


def planted(source: str, advance: str = ADVANCE):
    """The sweeps of these sources, run as plain Python, in the place of `vector_advance`."""
    plain = source.replace("from __future__ import annotations", "")
    for decorator in ("@kernel", "@merged", "@overload(gather)"):
        plain = plain.replace(decorator, "")
    space: dict[str, object] = {"__name__": "planted"}
    exec(compile(plain, "planted", "exec"), space)
    space["field"], space["moved"] = literal_field, literal_moved
    gathered, nothing = space["_GATHERED"], space["_nothing_to_gather"]
    space["gather"] = lambda system, spins: gathered.get(type(system), nothing)(system, spins)
    outer = dict(vars(vector_cpu))
    outer["kernels"] = SimpleNamespace(sweeps=space["sweeps"])
    exec(advance, outer)
    return outer["vector_advance"]


def noticed(monkeypatch, source: str = SOURCE, advance: str = ADVANCE) -> bool:
    """Whether walkers that start in equilibrium are found out of it, or energies to be lost by over-relaxation."""
    R = 1000
    monkeypatch.setattr(vector_cpu, "vector_advance", planted(source, advance))
    for number, (kind, d, engine) in enumerate(
        (("tensor", 3, "overlap"), ("scalar", 2, "overlap"), ("scalar", 3, "dense"))
    ):
        J = stored(kind, d, 3, 1, engine=engine)
        temperature, keys = moderate(J), keys_of(R, "planted", number)
        start, independent = bank(kind, d, 1, R)
        options = {"temperature": temperature, "sweeps": 2, "every": 2, "keys": keys}
        run = sample_vectors(J, start, **options, **over_relaxed(1))
        plain, relaxed = (
            sample_vectors(
                J, start[:20], **{**options, "keys": keys[:20], "sweeps": sweeps, "every": 1}, **over_relaxed(over)
            )
            for sweeps, over in ((1, 0), (1, 1))
        )
        if np.abs(J.energy(relaxed.spins) - J.energy(plain.spins)).max() > 1e-9:
            return True
        if surprise(J, run.spins, independent) < LIMIT:
            return True
        # Sweeps and walkers must be independent: what is drawn in one does not tell of the other.
        e = np.eye(d)[0]
        drawn = sample_vectors(J, start, **{**options, "temperature": 1e6, "sweeps": 1, "every": 1}).spins
        later = sample_vectors(
            J, start, **{**options, "temperature": 1e6, "sweeps": 1, "every": 1}, first_sweep=1
        ).spins
        a, b, c = drawn[:, 0] @ e, later[:, 0] @ e, drawn[:, 1] @ e
        for x, y in ((a, b), (a, c), (a[1:], a[:-1])):
            if abs(np.mean(x * y)) > SIGMAS * math.sqrt(np.mean(x**2) * np.mean(y**2) / x.size):
                return True
    return False


def test_the_sweeps_as_they_are_pass(monkeypatch):
    assert not noticed(monkeypatch)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("wide[a], old[a] = h[a], s[a]", "wide[a], old[a] = -h[a], s[a]"),  # the wrong sign
        ("wide[a], old[a] = h[a], s[a]", "wide[a], old[a] = h[a] + 0.2 * s[a], s[a]"),  # J_ii is not 0
        ("beta[r], keys", "2.0 * beta[r], keys"),  # the wrong kappa
        ("beta[r], keys", "d * beta[r], keys"),  # tau for T
        ("moved(system, s, i, delta)", "pass"),  # stale overlaps
        ("delta[a] = after - s[a]", "delta[a] = s[a] - after"),
        ("reflect(wide, old, new)", "reflect(wide, old, new); new[:] = -new"),  # over-relaxation that costs energy
        ("reflect(wide, old, new)", "new[:] = old[::-1]"),
        ("keys[r, 2], sweep, i, new", "keys[r, 2], 0, i, new"),  # the same words in every sweep
        ("keys[r, 2], sweep, i, new", "keys[r, 2], sweep, 0, new"),  # at every site
        ("keys[r, 0], keys[r, 1], keys[r, 2]", "keys[0, 0], keys[0, 1], keys[0, 2]"),  # for every walker
    ],
)
def test_faults_planted_in_the_sweeps_are_noticed(old, new, monkeypatch):
    assert old in SOURCE, "the fault cannot be planted; adapt it to the source"
    assert noticed(monkeypatch, SOURCE.replace(old, new))


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 0.0}, "temperature = 0.0"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": [0.1, 0.2, 0.3]}, "give one number or 2"),
        ({"sweeps": 0}, "sweeps = 0"),
        ({"sweeps": 5, "every": 2}, "no multiple"),
        ({"algorithm": "heatbath"}, "heat-bath"),
        ({"algorithm": "metropolis"}, "algorithm 'metropolis'"),
        ({"over_relaxations": 2}, "needs the algorithm"),
        ({"algorithm": VECTOR_ALGORITHMS[1], "over_relaxations": -1}, "over_relaxations = -1"),
        ({"algorithm": VECTOR_ALGORITHMS[1], "over_relaxations": 1.5}, "over_relaxations = 1.5"),
        ({"backend": "gpu"}, "'gpu'"),
        ({"backend": "cpus"}, "did you mean 'cpu'"),
        ({"threads": 0}, "threads = 0"),
        ({"keys": np.zeros((1, 3), dtype=np.uint32)}, "keys have shape"),
        ({"observe": 3}, "observe = 3"),
        ({"first_sweep": -1}, "first_sweep = -1"),
        ({"first_sweep": 2**32 - 1}, "2^32"),
        ({"spins": np.ones((2, 6, 3))}, "length 1"),
        ({"spins": vectors(6, 3)}, "(R, 6, 3)"),
        ({"spins": vectors(2, 5, 3)}, "spins have shape"),
        ({"spins": np.full((2, 6, 3), np.nan)}, "NaN"),
        ({"spins": "up"}, "spins"),
        ({"interactions": np.eye(6)}, "vector_interactions"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(change, words):
    options = {"interactions": stored("scalar", 3, 6, 2), "spins": vectors(2, 6, 3), "temperature": 0.5, "sweeps": 2}
    with pytest.raises(InvalidInput) as refused:
        sample_vectors(**{**options, **change})
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert isinstance(refused.value, SpinodalError)


# --- tempering ----------------------------------------------------------------------------------------------------


def test_tempering_exchanges_vectors_and_keeps_their_laws():
    # Two spins: energy -J A_d(J/T)/2 per spin at every temperature.
    d, temperatures, R = 3, np.array([0.1, 0.25, 1.0]), 400
    pair = from_couplings([[0.0, 1.0], [1.0, 0.0]], kind="scalar", d=d, precision="float64")
    keys = keys_of(3 * R, "tempered").reshape(R, 3, 3)
    options = {"temperatures": temperatures, "algorithm": "heat-bath"}
    run = temper(pair, vectors(R, 3, 2, d), sweeps=40, keys=keys, **options)
    assert run.spins.shape == (R, 3, 2, d)
    assert run.exchanges.min() > 1000
    assert run.round_trips.sum() > 10
    for T, series in zip(temperatures, run.series, strict=True):
        exact = ratio(d, 1.0 / T)
        # The first sweep forgets the start, and sets are independent of each other.
        means = series["energy"].chain_means()
        assert abs(means.mean() + 0.5 * exact) < SIGMAS * means.std(ddof=1) / math.sqrt(R)
    half = temper(pair, vectors(R, 3, 2, d), sweeps=20, keys=keys, **options)
    rest = temper(pair, half, sweeps=20, keys=keys, **options)
    assert np.array_equal(rest.spins, run.spins)
    assert np.array_equal(rest.exchanges, run.exchanges)


@pytest.mark.parametrize("factor", [-1.0, 1.0 / 3.0])
def test_tempering_of_vectors_would_notice_a_wrong_exchange(factor, monkeypatch):
    right = tempering.exchanged
    monkeypatch.setattr(tempering, "exchanged", lambda beta, energies, words: right(beta, factor * energies, words))
    with pytest.raises(AssertionError):
        test_tempering_exchanges_vectors_and_keeps_their_laws()


def test_tempering_refuses_spins_of_the_wrong_kind():
    with pytest.raises(InvalidInput, match="K, N, d"):
        temper(stored("scalar", 3, 6, 2), np.ones((2, 6)), temperatures=[0.1, 0.2], sweeps=2, algorithm="heat-bath")
    with pytest.raises(InvalidInput, match="'metropolis'"):
        temper(stored("scalar", 3, 6, 2), vectors(2, 6, 3), temperatures=[0.1, 0.2], sweeps=2)


# --- theory -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tau", "state", "m", "q", "energy"),
    [  # `spinodal solve vector-hopfield --d 3 --alpha .02 --temperature TAU --state STATE`
        (0.3, "example", 0.853329806925, 0.779881543777, -0.400173555469),
        (3.0, "paramagnet", 0.0, 0.0, -0.00166666666667),
    ],
)
def test_vector_hopfield_has_the_averages_of_its_theory(tau, state, m, q, energy):
    d, N, samples, R = 3, 1000, 16, 2
    found = []
    for index in range(samples):
        patterns = vector_disorder.draw(IsotropicPatterns(d), N=N, P=20, index=index).patterns
        pattern = patterns[0].astype(float)
        run = sample_vectors(
            vector_interactions(patterns, kind="tensor"),
            np.stack([pattern] * R) if state == "example" else vectors(R, N, d, seed=index),
            temperature=tau / d,
            sweeps=200,
            every=4,
            keys=keys_of(R, "theory", index),
            observe=lambda s, xi=pattern: {
                "m": np.einsum("rna,na->r", s, xi) / N,
                "q": np.einsum("na,na->", s[0], s[1]) / N,
            },
        )
        found.append([run.series[name].mean().value for name in ("m", "q", "energy")])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / math.sqrt(samples)
    # 16 samples: 10 standard errors leave 5e-8 (Student), and finite systems are off by terms of the order 1/N.
    assert (np.abs(mean - [m, q, energy]) < 10.0 * error + 1.0 / N).all()
    assert error[2] < 2e-3
