"""Stationarity of the sampling of unit vectors: walkers in equilibrium stay there, and planted faults are noticed.

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

from numerics import rng
from numerics.backends import vector_cpu
from numerics.backends.literal_vectors import literal_couplings
from numerics.kernels import vector_fields, vector_laws, vector_sweeps
from numerics.vector_chains import VECTOR_ALGORITHMS
from numerics.vector_interactions import VectorInteractions, from_couplings, vector_interactions
from numerics.vector_montecarlo import sample_vectors

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


def couplings_of(J: VectorInteractions) -> Floats:
    return literal_couplings(J) * J.scale


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


@pytest.mark.parametrize(("precision", "rounding"), [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize(("kind", "d", "engine"), SYSTEMS)
def test_over_relaxation_costs_no_energy_and_moves_spins(kind, d, engine, precision, rounding):
    J = stored(kind, d, 100, 5, engine=engine, precision=precision)
    options = {"temperature": 0.1, "sweeps": 1, "keys": keys_of(2, "over")}
    plain, relaxed = (sample_vectors(J, vectors(2, 100, d), **options, **over_relaxed(over)) for over in (0, 20))
    assert np.abs(relaxed.energy.bins() - plain.energy.bins()).max() < rounding
    assert (np.abs(relaxed.spins - plain.spins).max() > 0.1) == (d > 1)


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
