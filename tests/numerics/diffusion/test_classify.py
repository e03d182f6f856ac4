"""Classes of attractors and samples, thresholds, and the census of data sets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from numerics.diffusion.census import census
from numerics.diffusion.classify import CLASSES, by_distance, propose_thresholds
from numerics.diffusion.curvature import curvatures
from numerics.diffusion.data import read_data
from numerics.diffusion.energy import participation
from numerics.diffusion.memories import circle, memories
from theory.errors import InvalidInput, MissingExtra


def test_the_circle_memorises_then_mixes_then_generalises():
    """sigma = 0.2, K_c = 7.8: two points apart are memories, nine have some between, and 1000 are one flat ring."""
    two, nine = ([census(circle(K, seed=s), 0.2).labels.counts() for s in range(12)] for K in (2, 9))
    many = [census(circle(1000, seed=s), 0.2).labels.counts() for s in range(3)]
    assert sum(c["memorised"] == 2 for c in two) >= 9  # the others lie within 2 sigma and merge: probability 0.13
    assert all(c["generalised"] == 0 for c in two + nine)
    assert sum(c["spurious"] >= 1 for c in nine) >= 10
    assert all(c["memorised"] == c["spurious"] == 0 and c["generalised"] >= 1 for c in many)


def sphere(K: int, N: int) -> np.ndarray:
    x = np.random.default_rng(N).standard_normal((K, N))
    return x / np.linalg.norm(x, axis=1)[:, None]


@pytest.mark.parametrize(
    ("data", "sigma", "class_of_all"),
    [
        (circle(1000, equispaced=True)[::5], 0.5, 2),  # flat to machine precision, 3.3 sigma across
        (sphere(400, 5), 0.4, 2),  # a shell of diameter 3.7 sigma: one valley
        (sphere(8, 5), 0.15, 0),  # far apart
        (np.random.default_rng(1).standard_normal((300, 2)), 2.0, 1),  # one blob, smaller than the noise
        (circle(200), 0.75, 1),  # above sigma^2 = 1/2 the ring has closed
    ],
)
def test_the_rule_by_barrier_holds_beyond_the_random_circle(data, sigma, class_of_all):
    assert (census(data, sigma, samples=2).labels.label == class_of_all).all()


def counts(data: object, sigma: float, **options: Any) -> tuple[int, int, int]:
    found = census(data, sigma, samples=2, **options).labels.counts()
    return int(found["memorised"]), int(found["spurious"]), int(found["generalised"])


def test_wells_that_the_density_runs_through_are_not_memorised():
    """Nine equally spaced points at sigma = 0.5: all minima lie near memories, and nothing separates them."""
    found = census(circle(9, equispaced=True), 0.5, samples=2)
    assert (found.labels.distance < found.thresholds.delta_m).all()
    assert found.walls.escape.max() < 1e-3
    assert (found.labels.label == 1).all()
    assert counts(circle(9, equispaced=True), 0.2) == (9, 0, 0)  # barriers of 0.77


@pytest.mark.parametrize("depth", [0.1, 0.5, 2.0])
def test_two_memories_are_memorised_from_where_the_barrier_reaches_the_depth(depth):
    """At +-a, sigma = 1: minima at a y with y = tanh(a^2 y), and beta E = (x^2 + a^2)/2 - log(2 cosh(a x))."""

    def barrier(a: float) -> float:
        y = brentq(lambda y: math.tanh(a * a * y) - y, 1e-9, 1.0) if a > 1 else 0.0
        return math.log(math.cosh(a * a * y)) - 0.5 * (a * y) ** 2

    edge = brentq(lambda a: barrier(a) - depth, 1.0 + 1e-6, 9.0)
    for a in (*np.linspace(0.8, edge - 1e-6, 12), edge + 1e-6, edge + 1.0):
        n = 1 if a < 1 else 2
        assert counts([[-a, 0.0], [a, 0.0]], 1.0, depth=depth) == ((2, 0, 0) if a > edge else (0, n, 0)), a


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.35, 0.5, 0.6])
def test_equally_spaced_points_are_of_one_class_that_rises_with_their_number(sigma):
    seen = []
    for K in (2, 3, 4, 6, 9, 14, 30, 90, 200):
        found = counts(circle(K, equispaced=True), sigma)
        assert sorted(found)[:2] == [0, 0]
        seen.append(found.index(max(found)))
    assert seen == sorted(seen)
    assert set(seen) == {0, 1, 2}


@pytest.mark.slow
def test_of_nine_random_points_most_are_spurious_wherever_the_ring_is_seen():
    """Fifty seeds each; near points merge first, and at small noise the far ones are still memories."""
    share = {}
    for sigma in (0.1, 0.2, 0.3, 0.4, 0.5):
        found = np.array([counts(circle(9, seed=s), sigma) for s in range(50)]).sum(0)
        share[sigma] = found / found.sum()
    memorised = [x[0] for x in share.values()]
    assert memorised == sorted(memorised, reverse=True)
    assert memorised[0] > 0.5 > 0.01 > memorised[-1]
    for sigma in (0.2, 0.3, 0.4, 0.5):
        assert share[sigma].argmax() == 1
        assert share[sigma][1] > 0.6


def test_a_ledge_beside_a_deep_well_is_spurious_and_the_well_is_memorised():
    """Twenty copies of one point, and a single one 4 sigma away: 0.2/beta to climb from one side, 3.2/beta back."""
    repeated = memories([[0.0, 0.0]] * 20 + [[4.0, 0.0]], duplicates="count")
    beside = census(repeated, 1.0, samples=2)
    assert [len(beside.labels.valleys.members(i)) for i in (0, 1)] == [1, 2]
    assert beside.labels.label.tolist() == [0, 1]
    assert counts(memories([[0.0, 0.0]] * 20 + [[6.0, 0.0]], duplicates="count"), 1.0) == (2, 0, 0)


def test_a_memory_in_the_middle_of_those_that_merged_is_not_memorised():
    """Three in a row: the middle one is the only minimum from sigma^2 = 1/2 on, and soon an average of all."""
    row = [[-1.0], [0.0], [1.0]]
    assert counts(row, 0.3) == (3, 0, 0)
    assert counts(row, 0.4) == (0, 3, 0)
    merged = census(row, 1.5, samples=2)
    assert merged.labels.distance[0] < 1e-12
    assert merged.labels.weight[0] == pytest.approx(1.0 / (1.0 + 2.0 * math.exp(-0.5 / 1.5**2)))
    assert merged.labels.label.tolist() == [1]


def test_one_memory_beside_a_ring_belongs_to_it_or_not():
    """At 4 sigma it is a ledge of the ring (barrier 0.2), at 5 sigma a memory (1.0), and the ring is a ring."""
    for distance, label in ((4.0, 1), (5.0, 0)):
        found = census(np.concatenate([circle(300, equispaced=True), [[1.0 + distance * 0.2, 0.0]]]), 0.2, samples=2)
        alone = np.flatnonzero(found.found.points[:, 0] > 1.5)
        assert found.labels.label[alone].tolist() == [label]
        assert (np.delete(found.labels.label, alone) == 2).all()


@pytest.mark.parametrize(("N", "K"), [(2, 60), (5, 80)])
def test_gaussian_clouds_are_memorised_then_mixed_then_smooth(N, K):
    cloud = np.random.default_rng(1).standard_normal((K, N))
    shares = [census(cloud, s, samples=2).fractions()["basins"] for s in np.geomspace(0.01, 0.8, 7)]
    memorised, spurious, smooth = (np.array([x[name] for x in shares]) for name in CLASSES)
    assert (np.diff(memorised) <= 0.0).all()
    assert memorised[0] > 0.9
    assert 0 < spurious.argmax() < 6
    assert spurious.max() > 0.25 + max(spurious[0], spurious[-1])
    assert smooth[-1] > 0.9
    wide = census(cloud, 2.5, samples=2)  # wider than the cloud: one well
    assert wide.labels.label.tolist() == [1]


def test_images_of_digits_are_memorised_then_mixed_then_smooth():
    pytest.importorskip("sklearn")
    digits = read_data("digits", K=60)
    for sigma, name in ((0.2, "memorised"), (0.6, "spurious"), (0.8, "generalised")):
        shares = census(digits, sigma, samples=2).fractions()["basins"]
        assert max(shares, key=shares.get) == name


def test_copies_leave_no_threshold():
    with pytest.raises(InvalidInput, match="copies of others"):
        propose_thresholds(np.vstack([circle(9), circle(1) + 1e-12]))


def test_a_pair_that_merged_is_spurious():
    found = census([[-1.0, 0.0], [1.0, 0.0]], 1.2)
    assert found.labels.counts() == {"memorised": 0.0, "spurious": 1.0, "generalised": 0.0}
    assert found.labels.members[0] == pytest.approx(2.0)
    assert found.labels.distance[0] == pytest.approx(1.0)


def test_memories_are_sharper_than_spurious_states_and_these_than_generalised_ones():
    """The least curvature: an isolated memory has 2, a merged pair 2 - 2 a^2/sigma^2, the ring almost 0."""
    memory = census([[-1.0, 0.0], [1.0, 0.0]], 0.2).spectra["memorised"][0]
    pair = census([[-0.15, 1.0], [0.15, 1.0], [0.0, -1.0]], 0.2).spectra["spurious"][0]
    valley = census(circle(1000), 0.2).spectra["generalised"][0]
    assert memory == pytest.approx(2.0)
    assert pair == pytest.approx(2 - 2 * 0.15**2 / 0.2**2, abs=1e-6)
    assert memory > pair > valley > 0.0


def test_the_rule_by_distance_leaves_the_sample_itself_out():
    x = np.array([[0.0], [0.05], [2.0], [2.01], [7.0]])
    assert by_distance(x, [[0.0], [9.0]], delta_m=0.1, delta_s=0.1).tolist() == [0, 0, 1, 1, 2]
    assert by_distance(x, [[0.0]], delta_m=0.1, delta_s=0.1, others=[[7.05]]).tolist() == [0, 0, 2, 2, 1]


@pytest.mark.parametrize(
    ("points", "options", "sentence"),
    [
        ([[math.nan], [0.0]], {}, "NaN or infinity"),
        ([[0.0]], {"others": [[math.inf]]}, "NaN or infinity"),
        ([[0.0]], {"others": [[0.0, 1.0]]}, "do not fit"),
        ([[0.0]], {"delta_m": -1.0}, "0 < delta_m"),
        ([[0.0]], {"delta_m": math.nan}, "0 < delta_m"),
        ([[0.0]], {"delta_s": "near"}, "0 < delta_s"),
    ],
)
def test_what_has_no_distance_does_not_pass_for_generalised(points, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        by_distance(points, [[0.0], [9.0]], **{"delta_m": 0.1, "delta_s": 0.1, **options})


def test_fresh_samples_pass_for_memorised_as_rarely_as_promised():
    """delta_m is below the 5 % quantile of leave-one-out distances; 400 fresh draws, bound at 5 standard errors."""
    rng = np.random.default_rng(4)
    data = rng.standard_normal((400, 8))
    limits = propose_thresholds(data)
    label = by_distance(rng.standard_normal((400, 8)), data, delta_m=limits.delta_m, delta_s=limits.delta_s)
    assert (label == 0).mean() < 0.05 + 5 * math.sqrt(0.05 * 0.95 / 400)
    copies = by_distance(data + 1e-3, data, delta_m=limits.delta_m, delta_s=limits.delta_s)
    assert (copies == 0).all()


def test_participation_counts_memories():
    known = memories(circle(12, equispaced=True))
    assert participation(known, np.zeros((1, 2)), 0.3) == pytest.approx([12.0])
    twice = memories([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]], duplicates="count")
    assert participation(twice, np.zeros((1, 2)), 0.3) == pytest.approx([3.0])


def test_the_answer_is_the_same_again_and_its_parts_add_up():
    a, b = (census(circle(40), 0.2).to_json() for _ in range(2))
    assert a == b
    assert sum(a["classes"].values()) == a["minima"] == len(a["attractors"])
    for shares in a["fractions"].values():
        assert sum(shares.values()) == pytest.approx(1.0)
    known = memories(circle(40))
    assert len(a["curvature"]["spurious"]) == 2
    assert curvatures(known, census(circle(40), 0.2).found.points[0], 0.2).shape == (2,)


@pytest.mark.parametrize(
    ("data", "options", "sentence"),
    [
        ([[1.0, 2.0]], {}, "one memory has no nearest neighbour .* parabola"),
        ([[0.0], [1.0]], {"delta_m": 0.7}, "delta_m = 0.7 makes the classes overlap"),
        ([[0.0], [1.0]], {"delta_s": 0.7}, "delta_s = 0.7 makes the classes overlap"),
        ([[0.0], [1.0]], {"delta_m": -1.0}, "0 < delta_m"),
        ([[0.0], [1.0]], {"depth": 0.0}, "0 < depth"),
        ([[0.0], [1.0]], {"samples": 1}, "samples = 1"),
        ([[0.0], [1.0]], {"samples": 10**12}, "2 <= samples <= 10000000"),
        ([[0.0], [1e200]], {}, "square overflows"),
        ([[0.0], [1.0]], {"duplicates": "keep"}, "refuse, count, drop"),
    ],
)
def test_misuse_is_one_sentence(data, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        census(data, 0.2, **options)


def test_data_are_read_from_files(tmp_path):
    points = circle(5)
    np.save(tmp_path / "a.npy", points)
    np.savez(tmp_path / "b.npz", x=points, y=points[:2])
    np.savetxt(tmp_path / "c.csv", points, delimiter=",")
    np.testing.assert_array_equal(read_data(str(tmp_path / "a.npy")), points)
    np.testing.assert_array_equal(read_data(str(tmp_path / "b.npz"), key="y"), points[:2])
    np.testing.assert_allclose(read_data(str(tmp_path / "c.csv"), K=3), points[:3], rtol=1e-15)


def test_tables_are_read_with_a_header_and_refused_in_one_sentence(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x, y\n# remark\n1,2\n3,4 # end\n\n")
    np.testing.assert_array_equal(read_data(str(path)), [[1.0, 2.0], [3.0, 4.0]])
    for text, sentence in (
        ("", "no line of numbers"),
        ("x,y\n", "no line of numbers"),
        ("1,2\n3\n", "has 1 numbers and the first has 2"),
        ("1,2\n3,four\n", "'four', which is no number"),
        ("1;2\n3;4\n", "'3;4', which is no number"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidInput, match=sentence):
            read_data(str(path))


def test_files_that_cannot_be_read_are_told(tmp_path):
    (tmp_path / "bad.npy").write_text("no array")
    np.savez(tmp_path / "two.npz", x=np.zeros(2), y=np.zeros(2))
    np.save(tmp_path / "a.npy", np.zeros((3, 2)))
    for name, options, sentence in (
        ("digit", {}, "did you mean 'digits'"),
        (str(tmp_path / "none.npy"), {}, "is not a file"),
        (str(tmp_path / "bad.npy"), {}, "no readable array"),
        (str(tmp_path / "two.npz"), {}, "name one with --key"),
        (str(tmp_path / "two.npz"), {"key": "z"}, "has no array 'z'"),
        (str(tmp_path / "a.npy"), {"K": 7}, "1 <= K <= 3"),
        ("circle", {"K": 0}, "K = 0"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            read_data(name, **options)


def test_a_missing_extra_is_named(monkeypatch):
    import importlib

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match=r"pip install 'spinodal\[data\]'"):
        read_data("digits")
