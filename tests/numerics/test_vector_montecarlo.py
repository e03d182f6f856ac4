"""Sampling of unit vectors: closed forms, quadrature, the reference, threads, resumed runs, tempering, refusals.

Statistical tests allow SIGMAS standard errors; there are about 200 of them, so false alarms have a probability below
2e-8.  Seeds are fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ive

from numerics import disorder, rng, tempering, vector_disorder
from numerics import montecarlo as ising
from numerics.backends import vector_reference
from numerics.interactions import interactions
from numerics.tempering import temper
from numerics.vector_chains import VECTOR_ALGORITHMS
from numerics.vector_interactions import VectorInteractions, from_couplings, vector_interactions
from numerics.vector_montecarlo import sample_vectors
from theory.ensembles import IidPatterns, IsotropicPatterns
from theory.errors import InvalidInput, SpinodalError

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


# --- one trajectory -----------------------------------------------------------------------------------------------


def shaken(J: VectorInteractions, monkeypatch, start: Floats, options: dict[str, object]) -> float:
    """How far from the reference three others get, whose fields are wrong by random numbers of the size of rounding.

    A sum is wrong by the last bit of its terms' sizes, added up; sums are taken as eight partial ones or more.
    """
    x = np.abs(J.patterns.astype(float))
    terms = (x * x.sum(0)).sum((1, 2)) if J.kind == "scalar" else x.max(1) @ x.sum((0, 1))
    last_bit = 2.0 ** (-24 if J.precision == "float32" else -53)
    wrong, right, ends = last_bit * J.scale * terms / 8.0, vector_reference.law, []
    for seed, factor in enumerate((0.0, 1.0, 1.0, 1.0)):
        g = np.random.default_rng(seed)

        def law(h, beta, key, sweep, site, g=g, factor=factor):
            return right(h + factor * wrong[site] * g.standard_normal(h.size), beta, key, sweep, site)

        with monkeypatch.context() as patch:
            patch.setattr(vector_reference, "law", law)
            ends.append(sample_vectors(J, start, backend="reference", **options).spins)
    return max(float(np.abs(end - ends[0]).max()) for end in ends[1:]) + 4.0 * last_bit


@pytest.mark.parametrize("over", [0, 2])
@pytest.mark.parametrize(("kind", "d"), [("tensor", 1), ("tensor", 3), ("scalar", 2), ("phasor", 2), ("scalar", 5)])
def test_every_engine_follows_the_reference(kind, d, over, monkeypatch):
    start = vectors(2, 23, d, seed=3)
    for precision, sweeps in (("float64", 2 if over else 4), ("float32", 1)):
        options = {"temperature": np.array([0.1, 1.0]), "sweeps": sweeps, "keys": keys_of(2, kind, d)}
        options |= over_relaxed(over)
        for engine in ("overlap", "dense"):
            J = stored(kind, d, 23, 4, engine=engine, precision=precision)
            truth = sample_vectors(J, start, backend="reference", **options)
            found = sample_vectors(J, start, **options)
            bound = 10.0 * shaken(J, monkeypatch, start, options)
            assert bound < 0.1
            assert np.abs(found.spins - truth.spins).max() <= bound
            assert np.abs(found.energy.bins() - truth.energy.bins()).max() <= bound
            assert np.abs(np.linalg.norm(truth.spins, axis=-1) - 1.0).max() < 1e-14
    assert np.array_equal(start, vectors(2, 23, d, seed=3))  # the start is the caller's


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


def test_the_reference_says_what_it_cannot_hold():
    start = np.zeros((1, 20_000, 3)) + np.eye(3)[0]
    large = vector_interactions(start, kind="tensor")
    with pytest.raises(InvalidInput, match=r"would need 28.8 GB for N = 20000, d = 3; use 'cpu'"):
        sample_vectors(large, start, temperature=0.1, sweeps=1, backend="reference")


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
