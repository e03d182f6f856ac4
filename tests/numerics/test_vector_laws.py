"""The law of one update of a unit vector: against exact distribution functions and moments, in any dimension.

Distribution functions are judged by the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, which
bounds false alarms at any number of draws; moments by standard errors.  A false alarm anywhere in one run of this file
has a probability of at most FAMILY.  Seeds are fixed.
"""

from __future__ import annotations

import inspect
import math

import numba
import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import beta as beta_law

from numerics import rng
from numerics.backends.vector_reference import law
from numerics.kernels import vector_laws as laws

FAMILY = 1e-6
CASES = 400  # more than there are
LIMIT = FAMILY / CASES
SIGMAS = 6.5  # two-sided 8e-11 for a Gaussian

DIMENSIONS = (1, 2, 3, 4, 5, 17, 200)
CONCENTRATIONS = (0.0, 1e-6, 0.3, 2.0, 40.0, 3e3, 1e8)


@numba.njit
def many_draws(h, beta, key, count):
    out = np.empty((count, h.size))
    for site in range(count):
        laws.draw(h, beta, key[0], key[1], key[2], 7, site, out[site])
    return out


def direction(d: int) -> np.ndarray:
    e = np.cos(1.0 + np.arange(d)) - 0.1
    return e / np.linalg.norm(e)


def drawn(d: int, kappa: float, count: int, seed: int = 0) -> np.ndarray:
    """Draws with beta and the field far from 1; no field is given as no field."""
    beta = 0.01
    return many_draws(direction(d) * (kappa / beta), beta, rng.stream("laws", d, str(kappa), seed), count)


def cosine_law(d: int, kappa: float) -> tuple[np.ndarray, np.ndarray]:
    """Return values of w = 1 - s.e and their distribution function, by quadrature over the angle."""
    if d == 1:
        return np.array([1.0]), np.array([1.0 / (1.0 + math.exp(-2.0 * kappa))])
    most = (80.0 + 4.0 * d) / kappa if kappa else 2.0
    end = 2.0 * math.asin(math.sqrt(min(2.0, most) / 2.0))
    x, weight = np.polynomial.legendre.leggauss(16)
    edges = np.linspace(0.0, end, 801)
    theta = edges[:-1, None] + np.diff(edges)[:, None] * (x + 1.0) / 2.0
    log = -2.0 * kappa * np.sin(theta / 2.0) ** 2 + (d - 2) * np.log(np.sin(theta))
    mass = np.cumsum((np.exp(log - log.max()) * weight).sum(axis=1))
    return 2.0 * np.sin(edges[1:] / 2.0) ** 2, mass / mass[-1]


def apart(values: np.ndarray, points: np.ndarray, cdf: np.ndarray) -> float:
    """Return a bound of the p-value of independent `values`, their distribution function being `cdf` at `points`."""
    found = np.searchsorted(np.sort(values), points, side="right") / values.size
    return 2.0 * math.exp(-2.0 * values.size * float(np.abs(found - cdf).max()) ** 2)


def gap(spins: np.ndarray, e: np.ndarray) -> np.ndarray:
    """1 - s.e without cancellation."""
    return 0.5 * ((spins - e) ** 2).sum(axis=1)


def ratio(d: int, kappa: float) -> float:
    """A_d, the mean of s.e."""
    return float(ive(d / 2, kappa) / ive(d / 2 - 1, kappa)) if kappa > 1e-3 else kappa / d


def mean_gap(d: int, kappa: float) -> float:
    if d == 1:
        return 2.0 / (1.0 + math.exp(2.0 * kappa))
    return 1.0 - ratio(d, kappa) if kappa < 1e4 else (d - 1) / (2.0 * kappa)


def test_the_distribution_functions_here_have_the_means_of_bessel_functions():
    for d in DIMENSIONS[1:]:
        for kappa in CONCENTRATIONS:
            points, cdf = cosine_law(d, kappa)
            # Mean of w: the integral of 1 - cdf, by Simpson over the angle.
            theta = 2.0 * np.arcsin(np.sqrt(np.concatenate([[0.0], points]) / 2.0))
            tail = (1.0 - np.concatenate([[0.0], cdf])) * np.sin(theta)
            step = theta[1]
            mean = step / 3 * (tail[0] + tail[-1] + 4 * tail[1::2].sum() + 2 * tail[2:-1:2].sum())
            assert mean == pytest.approx(mean_gap(d, kappa), rel=2e-6)


@pytest.mark.parametrize("kappa", CONCENTRATIONS)
@pytest.mark.parametrize("d", DIMENSIONS)
def test_draws_have_the_exact_distribution(d, kappa):
    e, count = direction(d), 40000 if d < 100 else 10000
    spins = drawn(d, kappa, count)
    assert np.abs(np.linalg.norm(spins, axis=1) - 1.0).max() < 3e-15
    w = gap(spins, e if kappa else np.eye(d)[0])  # without a field there is no direction
    assert apart(w, *cosine_law(d, kappa)) > LIMIT
    if w.std() > 0:
        assert abs(w.mean() - mean_gap(d, kappa)) < SIGMAS * w.std() / math.sqrt(count)
    if d > 1 and kappa > 0:  # second moment: E(s.e)^2 = 1 - (d - 1) A/kappa, in terms that do not cancel
        across = w * (2.0 - w)
        exact = (d - 1) * ratio(d, kappa) / kappa if kappa < 1e4 else (d - 1) / kappa * (1.0 - mean_gap(d, kappa))
        assert abs(across.mean() - exact) < SIGMAS * across.std() / math.sqrt(count)


@pytest.mark.parametrize("kappa", [0.3, 40.0, 1e8])
@pytest.mark.parametrize("d", DIMENSIONS[1:])
def test_the_direction_across_is_uniform_and_independent_of_the_angle(d, kappa):
    e = direction(d)
    spins = drawn(d, kappa, 20000, seed=1)
    t = spins - e
    t -= np.outer(t @ e, e)
    t /= np.linalg.norm(t, axis=1)[:, None]
    w = gap(spins, e)
    inner = w < np.median(w)
    probes = np.linalg.qr(np.column_stack([e, np.sin(np.arange(d * min(d, 4)).reshape(d, -1) ** 2)]))[0].T[1:4]
    for c in probes[: d - 1]:
        for chosen in (slice(None), inner):
            x = t[chosen] @ c
            if d == 2:
                plus = float((x > 0).mean())
                assert 2.0 * math.exp(-2.0 * x.size * (plus - 0.5) ** 2) > LIMIT
            else:
                points = np.linspace(-1.0, 1.0, 401)
                shape = (d - 2) / 2.0
                assert apart(x, points, beta_law.cdf((points + 1.0) / 2.0, shape, shape)) > LIMIT


def test_draws_follow_the_reference_word_by_word():
    generator = np.random.default_rng(5)
    out: dict[int, float] = {}
    for d in (1, 2, 3, 4, 6, 33):
        for kappa in (0.0, 1e-5, 0.1, 1.0, 10.0, 1e4):
            for site in range(40):
                h = generator.standard_normal(d)
                h *= kappa / np.linalg.norm(h)
                key, found = generator.integers(0, 2**32, 3).astype(np.uint32), np.empty(d)
                laws.draw(h, 1.0, key[0], key[1], key[2], site + 3, site, found)
                error = float(np.abs(found - law(h, 1.0, key, site + 3, site)).max()) / (1.0 + kappa)
                out[d] = max(out.get(d, 0.0), error)
    assert max(out.values()) < 1e-11


def test_neighbours_sweeps_and_walkers_have_words_of_their_own():
    h, key = np.array([0.1, 0.2, -0.1]), rng.stream("names")
    names = [(0, 0), (0, 1), (0, 4), (1, 0), (2**32 - 1, 0)]
    for d in (2, 3):
        found = {}
        for sweep, site in names:
            out = np.empty(d)
            laws.draw(h[:d], 1.0, key[0], key[1], key[2], sweep, site, out)
            again = np.empty(d)
            laws.draw(h[:d], 1.0, key[0], key[1], key[2], sweep, site, again)
            assert np.array_equal(out, again)
            found[sweep, site] = tuple(out)
        assert len(set(found.values())) == len(names)
    spins = drawn(3, 2.0, 40000)
    w = gap(spins, direction(3))
    w = (w - w.mean()) / w.std()
    for shift in (1, 2, 3, 4):
        assert abs((w[shift:] * w[:-shift]).mean()) < SIGMAS / math.sqrt(w.size)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 200])
def test_the_ends_of_all_scales_give_unit_vectors(d):
    for h in (np.zeros(d), -np.zeros(d), np.eye(d)[0], -np.eye(d)[d - 1], np.full(d, 1e-160), np.full(d, 1e140)):
        for beta in (1e-300, 1.0, 1e300):
            spins = many_draws(h, beta, rng.stream("ends"), 50)
            assert np.abs(np.linalg.norm(spins, axis=1) - 1.0).max() < 3e-15
    cold = many_draws(-np.eye(d)[0], 1e300, rng.stream("ends"), 50)
    assert np.array_equal(cold[:, 0], np.full(50, -1.0))


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_a_reflection_keeps_energy_lengths_and_angles_and_undoes_itself(d):
    generator = np.random.default_rng(d)
    for _ in range(50):
        h = generator.standard_normal(d) * 10.0 ** generator.integers(-3, 4)
        s, other = generator.standard_normal((2, d))
        s, other = s / np.linalg.norm(s), other / np.linalg.norm(other)
        after, image, back = np.empty((3, d))
        laws.reflect(h, s, after)
        laws.reflect(h, other, image)
        laws.reflect(h, after, back)
        assert after @ h == pytest.approx(s @ h, rel=1e-13, abs=1e-15 * np.linalg.norm(h))
        assert abs(np.linalg.norm(after) - 1.0) < 1e-15
        assert after @ image == pytest.approx(s @ other, abs=1e-14)
        assert np.abs(back - s).max() < 1e-14
        if d > 1:
            assert np.abs(after - s).max() > 1e-6
    laws.reflect(np.zeros(d), s, after)
    assert np.abs(after - s).max() < 1e-15


SOURCE = inspect.getsource(laws)


def planted(source: str):
    """The draw of these sources, run as plain Python."""
    plain = source.replace("from __future__ import annotations", "")
    for decorator in ("@kernel", "@inlined", "@merged"):
        plain = plain.replace(decorator, "")
    space: dict[str, object] = {"__name__": "planted"}
    exec(compile(plain, "planted", "exec"), space)
    space["rounds"] = lambda *words: tuple(np.uint32(word) for word in laws.rounds(*words))
    return space["draw"]


def noticed(source: str, d: int, kappa: float, count: int = 3000) -> bool:
    e, key, draw = direction(d), rng.stream("planted"), planted(source)
    spins = np.empty((count, d))
    with np.errstate(over="ignore"):
        for site in range(count):
            try:
                draw(e * kappa, 1.0, key[0], key[1], key[2], 0, site, spins[site])
            except ValueError:  # the root of a negative number
                return True
    if np.abs(np.linalg.norm(spins, axis=1) - 1.0).max() > 1e-12:
        return True
    w = gap(spins, e)
    if d == 3:  # the angle about the field
        t = spins - e
        first = np.array([e[1], -e[0], 0.0])
        turn = np.arctan2(t @ first, t @ np.cross(e, first))
        points, uniform = np.linspace(-np.pi, np.pi, 201), np.linspace(0.0, 1.0, 201)
        if min(apart(chosen, points, uniform) for chosen in (turn, turn[w < np.median(w)])) < LIMIT:
            return True
    return apart(w, *cosine_law(d, kappa)) < LIMIT


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_the_source_as_it_is_passes(d):
    assert not noticed(SOURCE, d, 2.0, count=2000)


@pytest.mark.parametrize(
    ("d", "old", "new"),
    [
        (1, "1.0 if h > -(unit", "1.0 if h < -(unit"),  # the wrong sign
        (1, "0.5 / beta", "1.0 / beta"),  # kappa halved
        (2, "return gain >= log_ratio(u, 1.0)", "return True"),  # the envelope is taken for the law
        (2, "* (1.0 - q) +", "* (q - 1.0) +"),
        (2, "_accepted(kappa, 1.0, b", "_accepted(2.0 * kappa, 1.0, b"),
        (2, "(c * c - low) / whole, 2.0", "(low - c * c) / whole, 2.0"),  # along -h
        (3, "math.expm1(-2.0 * kappa) if", "math.expm1(-kappa) if"),
        (3, "along = 1.0 - w", "along = w - 1.0"),
        (3, "across * 2.0 * s * c", "across * s * c"),
        (3, "_fine(w2, w3)", "_fine(w0, w1)"),  # the angle about the field tells the angle to it
        (4, "m = d - 1.0", "m = d - 2.0"),
        (4, "2.0 / (d - 2.0)", "1.0 / (d - 2.0)"),
        (4, "shift + sign * out[0]) / (1.0", "shift - sign * out[0]) / (1.0"),
        (4, "low = b * Z", "low = Z"),
    ],
)
def test_faults_planted_in_the_law_are_noticed(d, old, new):
    assert old in SOURCE, "the fault cannot be planted; adapt it to the source"
    assert any(noticed(SOURCE.replace(old, new), d, kappa) for kappa in (2.0, 0.7))
