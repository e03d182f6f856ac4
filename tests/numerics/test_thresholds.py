"""Logarithms of words: against 50 digits, bit for bit against the definition, and never above their bound."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from numerics import rng
from numerics.backends import literal, reference_sweeps
from numerics.kernels import montecarlo as kernels
from numerics.kernels import thresholds

ROOT = int(2**32 * 0.5**0.5)
EDGES = [0, 1, 2, 3, 2**31 - 2, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1]
EDGES += [ROOT + d for d in (-2, -1, 0, 1, 2)] + [2**32 - ROOT + d for d in (-2, -1, 0, 1)]
EDGES += [2**k + d for k in range(2, 32) for d in (-1, 0)]


def drawn(count: int) -> np.ndarray:
    return np.concatenate([np.array(EDGES, dtype=np.uint32), rng.words(rng.stream("logs"), rows=1, columns=count)[0]])


@pytest.mark.parametrize("logit", [False, True])
def test_logarithms_are_good_to_1e_15(logit):
    words = drawn(2000)
    found = np.empty(words.size)
    thresholds.logarithms(words, logit, found)
    with mpmath.workdps(50):
        for word, value in zip(words.tolist(), found.tolist(), strict=True):
            u = (mpmath.mpf(word) + 0.5) / 2**32
            exact = mpmath.log((1 - u) / u) if logit else -mpmath.log(u)
            assert abs(value / exact - 1) < 1e-15


@pytest.mark.parametrize("logit", [False, True])
def test_logarithms_are_those_of_the_definition_bit_for_bit(logit):
    words = drawn(20000)
    found = np.empty(words.size)
    thresholds.logarithms(words, logit, found)
    expected = [literal.log_ratio(2.0**32 - 1.0 - w + 0.5 if logit else 2.0**32, w + 0.5) for w in words.tolist()]
    assert found.tolist() == expected


def test_uniform_numbers_are_never_0_or_1_and_logits_are_odd():
    words = drawn(1000)
    logs, logits, mirrored = (np.empty(words.size) for _ in range(3))
    thresholds.logarithms(words, False, logs)
    thresholds.logarithms(words, True, logits)
    thresholds.logarithms(~words, True, mirrored)
    assert logs.min() > 0
    assert logs.max() < thresholds.LARGEST_LOG
    assert np.array_equal(logits, -mirrored)


def test_the_bound_is_never_too_small_and_hardly_too_large():
    words = drawn(20000)
    logs = np.empty(words.size)
    thresholds.logarithms(words, False, logs)
    bounds = np.array([np.float32(thresholds.bound(w)) * np.float32(thresholds.BOUND_SCALE) for w in words])
    some = words >= 256  # below, the half that is added to the word counts
    assert (bounds > logs).all()
    assert (bounds - logs)[some].max() < 0.0601


def test_words_are_named_by_walker_sweep_and_site():
    key = rng.stream("names")
    for size, first, sweep in ((128, 0, 0), (128, 256, 7), (8, 12, 2**32 - 1)):
        words = np.empty(size, dtype=np.uint32)
        thresholds.draw(key[0], key[1], key[2], sweep, first, words)
        expected = [reference_sweeps.word(key, sweep, first + k) for k in range(size)]
        assert words.tolist() == expected
    known = np.empty(4, dtype=np.uint32)  # the published vector of zeros
    thresholds.draw(np.uint32(0), np.uint32(0), np.uint32(0), 0, 0, known)
    assert [hex(word) for word in known] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


@pytest.mark.parametrize("algorithm", ["metropolis", "heat-bath"])
@pytest.mark.parametrize("unit", [1e-3, 1.0, 7.25, 1e4, 1e12])
def test_thresholds_of_the_kernel_accept_what_the_definition_accepts(unit, algorithm):
    words = drawn(100)
    for kind, largest in ((np.int32, 2.0**31 - 2.0), (np.int64, 2.0**62), (np.float64, 0.0)):
        for spin in (-1, 1):
            spins = np.full((1, words.size), spin, dtype=np.int8)
            out = np.empty(words.size, dtype=kind)
            kernels._thresholds(spins, 0, words, 0, 0, words.size, unit, largest, algorithm == "heat-bath", out)
            for word, found in zip(words.tolist(), out.tolist(), strict=True):
                bar = reference_sweeps.threshold(word, unit, algorithm, kind != np.float64)
                for x in (found - 1, found, found + 1):
                    if abs(x) >= 2**31 - 8 and kind == np.int32:
                        continue  # no field is so large
                    field = spin * x
                    flips = field * spin < bar if algorithm == "metropolis" else (field > -bar) != (spin > 0)
                    assert (x < found) == flips or (kind == np.float64 and x == found)
