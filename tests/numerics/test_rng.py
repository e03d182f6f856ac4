"""Random numbers by name: the published Philox vectors, and independence of everything but the name."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import rng
from numerics.backends import reference
from numerics.kernels import philox

# Known-answer vectors of Random123 for philox4x32-10: (counter, key, result).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_the_published_words(counter, key, answer):
    out = np.empty(4, dtype=np.uint32)
    philox.philox(np.array(counter, dtype=np.uint32), np.array(key, dtype=np.uint32), out)
    assert tuple(out.tolist()) == answer
    assert reference.philox(counter, key) == answer


def test_words_of_the_kernel_are_words_of_the_definition():
    key = rng.stream("words", 3)
    drawn = rng.words(key, rows=3, columns=9, first_row=5)
    k0, k1, tag = (int(w) for w in key)
    for row in range(3):
        expected = [w for block in range(3) for w in reference.philox((block, 0, 5 + row, tag), (k0, k1))]
        assert drawn[row].tolist() == expected[:9]


@pytest.mark.parametrize("draw", [rng.words, rng.signs, rng.gaussians])
def test_a_row_does_not_depend_on_the_other_rows(draw):
    key = rng.stream("rows")
    whole = draw(key, rows=7, columns=13)
    assert np.array_equal(whole[4:6], draw(key, rows=2, columns=13, first_row=4))
    assert len({tuple(row) for row in whole.tolist()}) == 7


def test_names_differ_in_every_part():
    names = [(0, "a", 1), (1, "a", 1), (0, "b", 1), (0, "a", 2), (0, "a", "1"), (0, "a"), (0, "a1")]
    assert len({tuple(rng.stream(*name).tolist()) for name in names}) == len(names)


def test_permutations_agree_with_the_definition_and_differ_between_sweeps():
    key = rng.stream("order")
    for size in (1, 2, 3, 4, 5, 37):
        for lane in (0, 9):
            assert rng.permutation(key, size, lane=lane).tolist() == reference.permutation(key, lane, size)
    assert rng.permutation(key, 37, lane=0).tolist() != rng.permutation(key, 37, lane=1).tolist()


def test_permutations_are_uniform():
    # chi^2 over the 24 permutations of 4: 23 degrees of freedom, 99.99 % quantile 57.1; one fixed seed.
    key = rng.stream("uniform")
    counts: dict[tuple[int, ...], int] = {}
    for lane in range(4800):
        order = tuple(rng.permutation(key, 4, lane=lane).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert sum((c - 200) ** 2 / 200 for c in counts.values()) < 57.1


def test_gaussians_have_gaussian_moments_on_an_exact_grid():
    x = rng.gaussians(rng.stream("gauss"), rows=500, columns=2001)
    n = x.size
    # Four standard errors of each moment: false alarm 2.5e-4 in all, for one fixed seed.
    for power, value, variance in ((1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)):
        assert abs((x**power).mean() - value) < 4.0 * np.sqrt(variance / n)
    assert np.array_equal(x * 2.0**30, np.rint(x * 2.0**30))
    # Exactness is what makes matrix products independent of the order of summation.
    f = rng.signs(rng.stream("f"), rows=2001, columns=3).astype(np.float64)
    shuffled = rng.permutation(rng.stream("p"), 2001)
    assert np.array_equal(x @ f, x[:, shuffled] @ f[shuffled])


def test_subsets_have_exactly_distinct_members_and_are_uniform():
    members = rng.subsets(rng.stream("subsets"), rows=10000, size=3, of=5)
    assert all(len(set(row)) == 3 for row in members.tolist())
    assert members.min() == 0
    assert members.max() == 4
    counts: dict[tuple[int, ...], int] = {}
    for row in np.sort(members, axis=1).tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    # 10 triples, 9 degrees of freedom, 99.99 % quantile 33.7.
    assert len(counts) == 10
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 33.7
    assert np.array_equal(np.sort(rng.subsets(rng.stream("all"), rows=2, size=4, of=4), axis=1), [[0, 1, 2, 3]] * 2)
