"""Observables against their definitions written out, on a sample small enough to see."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import disorder, observables, rng
from numerics.interactions import interactions
from theory.ensembles import TANH, IidPatterns, RandomFeaturePatterns


@pytest.mark.parametrize("law", [RandomFeaturePatterns(), RandomFeaturePatterns(nonlinearity=TANH)])
def test_observables_are_their_definitions(law):
    N, P, D = 61, 7, 13
    sample = disorder.draw(law, N=N, P=P, D=D)
    couplings = interactions(sample)
    s = rng.signs(rng.stream("state"), rows=1, columns=N)[0]
    start = rng.signs(rng.stream("begin"), rows=1, columns=N)[0]
    xi = np.array([disorder.example(sample, mu) for mu in range(P)], dtype=float)
    x = disorder.latent(sample, 2)
    condensed = observables.Condensed(xi[2:3], stored=(2,), latent=x)
    found = observables.measure(sample, couplings, s, start=start, condensed=condensed)

    spins = s.astype(float)
    others = [mu for mu in range(P) if mu != 2]
    expected = {
        "m": sum(xi[2, i] * spins[i] for i in range(N)) / N,
        "overlap": sum(float(start[i]) * spins[i] for i in range(N)) / N,
        "t": sum(x[i] * spins[i] for i in range(N)) / N,
        "p_d": sum((sample.features[k].astype(float) @ spins) ** 2 for k in range(D)) / N / D,
        "u2": sum((xi[mu] @ spins) ** 2 for mu in others) / N / len(others),
        "energy": -sum((xi[:, i] @ xi[:, j]) * spins[i] * spins[j] / N for i in range(N) for j in range(N) if i != j)
        / (2 * N),
    }
    assert found == pytest.approx(expected, rel=1e-12)


def test_energy_and_u2_are_tied_by_the_hebb_rule():
    """-energy = (alpha/2) (mean over all examples of (xi.s)^2/N - 1) for +-1 patterns."""
    sample = disorder.draw(IidPatterns(), N=200, P=30)
    s = rng.signs(rng.stream("state"), rows=1, columns=200)[0]
    everything = observables.noise_power(sample, s)
    assert everything is not None
    energy = interactions(sample).energy(s)
    assert energy == pytest.approx(-0.5 * (30 / 200) * (everything - 1.0), rel=1e-12)


def test_what_does_not_apply_is_absent():
    sample = disorder.draw(IidPatterns(), N=40, P=1)
    xi = disorder.example(sample, 0)
    condensed = observables.Condensed(xi[None], stored=(0,))
    found = observables.measure(sample, interactions(sample), xi, start=xi, condensed=condensed)
    assert set(found) == {"m", "overlap", "energy"}  # no feature, and no example that is not condensed
    assert found["m"] == found["overlap"] == 1.0


def test_sums_over_blocks_leave_out_the_right_rows():
    sample = disorder.draw(IidPatterns(), N=32, P=2500)
    s = disorder.example(sample, 1500)
    xi = np.array([disorder.example(sample, mu) for mu in range(2500)], dtype=float)
    squares = (xi @ s) ** 2 / 32
    for without in ((), (1500,), (0, 1023, 1024, 2499)):
        expected = np.delete(squares, without).mean()
        assert observables.noise_power(sample, s, without=without) == pytest.approx(expected, rel=1e-12)
