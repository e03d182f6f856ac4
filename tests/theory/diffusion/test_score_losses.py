"""Losses of score models: numbers known before, an independent two-resolvent formula, limits, random matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest

from theory.diffusion.bulks import bulks
from theory.diffusion.losses import Training, _two_resolvents, losses
from theory.diffusion.population import Population
from theory.diffusion.resolvent import ScoreModel
from theory.diffusion.spectrum import score_spectrum
from theory.diffusion.times import exponent, phase_diagram, region, samples_needed, time_scales
from theory.errors import InvalidInput

MODEL = ScoreModel(64, 8, 0.01)


def test_losses_in_print():
    training = Training(MODEL)
    final = losses(MODEL, [0.0]).final
    assert 1 - final["train"] == pytest.approx(0.665824, abs=1e-6)
    assert final["drop"] == pytest.approx({"3": 0.640980, "1": 0.002857, "2": 0.021987}, abs=1e-6)
    assert final["test"] == pytest.approx(25.525893, abs=1e-6)
    assert final["score_error"] == pytest.approx(1239.5985, abs=1e-4)
    assert training.score_error(132.8018)[0] == pytest.approx(0.054301, abs=1e-6)


def test_decomposition_of_the_drop():
    tau = np.geomspace(0.1, 1e8, 30)
    found = losses(MODEL, tau)
    assert sum(found.drop.values()) == pytest.approx(1 - found.train, abs=1e-13)
    assert found.drop_error < 1e-13
    assert found.error < 1e-12
    assert sum(found.final["drop"].values()) == pytest.approx(1 - found.final["train"], abs=1e-12)
    # Each part relaxes at the rates of its bulk: nothing is left of it after 20 of its slowest times.
    for bulk in Training(MODEL).spectrum.bulks:
        slow = 20 * 64 / (4 * MODEL.Delta * bulk.low)
        here = losses(MODEL, [slow]).drop[bulk.name][0]
        assert here == pytest.approx(found.final["drop"][bulk.name], rel=1e-8)


def test_infinite_time_is_the_limit_of_the_contours():
    for model in (MODEL, ScoreModel(4, 9, 0.3, "relu", [0.5, 2.0])):
        training = Training(model)
        assert training.test(1e14)[0] == pytest.approx(training.final_test, rel=1e-12)
        assert training.train(1e14)[0] == pytest.approx(training.final_train, rel=1e-12)


def test_first_steps():
    """A'(0) = -grad: both losses fall as 1 - 2 k Tr V V^T/d for small times, with the order k^2 from Tr V^T U V."""
    for sigma in (1.0, [0.2, 1.8]):
        model = ScoreModel(16, 4, 0.1, sigma=sigma)
        training, c = Training(model), ScoreModel(16, 4, 0.1, sigma=sigma).constants
        k = 1e-7
        tau = k * model.psi_p / (2 * model.Delta)
        power = c.b_squared * model.psi_p
        assert (1 - training.train(tau)[0]) / (2 * k * power) == pytest.approx(1.0, abs=1e-5)
        assert (1 - training.test(tau)[0]) / (2 * k * power) == pytest.approx(1.0, abs=1e-5)


def test_slope_is_the_derivative():
    training, h = Training(MODEL), 1e-4
    for tau in (3.0, 400.0, 1e5):
        difference = (training.test(tau * math.exp(h)) - training.test(tau * math.exp(-h)))[0] / (2 * h)
        assert training.slope(tau)[0] == pytest.approx(difference, rel=1e-6)


def test_many_samples_leave_no_gap():
    found = losses(ScoreModel(8, 1e9, 0.1, sigma=[0.5, 1.5]), [1.0, 100.0, 1e5])
    assert found.test == pytest.approx(found.train, abs=1e-7)


def marchenko_pastur(psi, n=400):
    """Nodes and weights of the law of W^T W/d (d x d, p/d = psi > 1) over its continuous part, of mass 1."""
    low, high = (math.sqrt(psi) - 1) ** 2, (math.sqrt(psi) + 1) ** 2
    angle = (np.arange(n) + 0.5) * math.pi / n
    x = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(angle)
    w = (0.5 * (high - low) * np.sin(angle)) ** 2 / (2 * math.pi * x) * math.pi / n
    return x, w


def test_two_resolvents_by_integrals_over_marchenko_pastur():
    """For Sigma = I all matrices commute, and the traces are integrals over the singular values of W."""
    model = ScoreModel(16, 4, 0.1)
    c = model.constants
    x, weight = marchenko_pastur(model.psi_p)
    assert weight.sum() == pytest.approx(1.0, abs=1e-13)
    z = np.array([0.0, -0.3, 0.05 + 0.02j, 3.0 + 1j, 3.0 - 1j])
    at = model.at(z)
    T, _ = _two_resolvents(model, at.w, at.u)
    C, B = c.A * x + c.v_squared, c.b_squared * x + c.s_squared
    null_C, null_B = c.v_squared, c.s_squared
    null = model.psi_p - 1  # dimensions per d that W does not reach

    def traced(values, null_value):
        return (weight * values).sum() + null * null_value

    for i, (z1, u1) in enumerate(zip(z, at.u, strict=True)):
        for j, (z2, u2) in enumerate(zip(z, at.u, strict=True)):
            Q1, Q2 = 1 / (u1 * C + B - z1), 1 / (u2 * C + B - z2)
            N1, N2 = 1 / (u1 * null_C + null_B - z1), 1 / (u2 * null_C + null_B - z2)
            t1 = c.b_squared * (weight * x * Q1 * (C + B) * Q2).sum()
            t2 = c.b_squared * (weight * x * Q1 * C * Q2).sum()
            t3 = traced((C + B) * Q2 * C * Q1, (null_C + null_B) * N2 * null_C * N1) / model.psi_n
            t4 = traced(C * Q1 * C * Q2, null_C * N1 * null_C * N2) / model.psi_n
            assert T[i, j] == pytest.approx(t1 + t2 * u1 * u2 * t3 / (1 - u1 * u2 * t4), rel=1e-9)


@pytest.mark.parametrize("sigma", [1.0, [0.3, 1.7]])
@pytest.mark.parametrize(("psi_p", "psi_n"), [(4, 2), (2, 5)])
def test_random_matrices_are_trained_like_this(psi_p, psi_n, sigma):
    """Gradient flow on Gaussian-equivalent matrices at d = 120: within 1.5 % of the drops (fluctuations are O(1/d))."""
    d, tau = 120, np.array([1.0, 10.0, 100.0, 1e3, 1e5])
    model = ScoreModel(psi_p, psi_n, 0.1, sigma=sigma)
    c, p, n = model.constants, psi_p * d, psi_n * d
    values = np.repeat(model.population.eigenvalues, np.rint(model.population.weights * d).astype(int))
    rng = np.random.default_rng(11)
    measured = []
    for _ in range(3):
        W = rng.standard_normal((p, d))
        X = rng.standard_normal((d, n)) * np.sqrt(values)[:, None]
        G = math.sqrt(c.A) * W @ X / math.sqrt(d) + c.v * rng.standard_normal((p, n))
        B = c.b_squared * W @ W.T / d + c.s_squared * np.eye(p)
        fresh = c.A * (W * values) @ W.T / d + c.v_squared * np.eye(p) + B
        V = c.b * W / math.sqrt(d)
        e, Q = np.linalg.eigh(G @ G.T / n + B)
        QV, QU = Q.T @ V, Q.T @ fresh @ Q
        for x in tau:
            k = 2 * model.Delta * x / psi_p
            M = ((1 - np.exp(-k * e)) / e)[:, None] * QV
            train = 1 - ((QV**2).sum(1) * (1 - np.exp(-2 * k * e)) / e).sum() / d
            test = 1 - 2 * (M * QV).sum() / d + (M * (QU @ M)).sum() / d
            measured.append((train, test))
    train, test = np.mean(np.reshape(measured, (3, tau.size, 2)), axis=0).T
    found = losses(model, tau)
    assert found.train == pytest.approx(train, abs=0.015 * (1 - train.min()))
    assert found.test == pytest.approx(test, abs=0.015 * max(1 - test.min(), test.max() - test.min()))


def test_exact_score_is_the_floor():
    """No network beats the exact score, and with many samples and features the linear part of it is learnt."""
    model = ScoreModel(2000, 2e6, 0.5, "linear", [0.5, 2.0])
    training = Training(model)
    assert training.final_score_error == pytest.approx(0.0, abs=2e-3)
    assert (losses(ScoreModel(4, 3, 0.5, sigma=[0.5, 2.0]), np.geomspace(1, 1e6, 9)).score_error > 0).all()


def test_even_activation_learns_nothing():
    found = losses(ScoreModel(8, 2, 0.1, lambda x: x * x), [0.0, 1.0, 1e6])
    assert found.train.tolist() == found.test.tolist() == [1.0, 1.0, 1.0]
    scales = time_scales(ScoreModel(8, 2, 0.1, lambda x: x * x))
    assert scales.tau_gen is scales.tau_mem_1 is scales.tau_opt is None
    assert set(scales.reasons.values()) == {"nothing is learnt"}


def test_time_scales_in_print():
    found = time_scales(MODEL)
    assert found.tau_gen == pytest.approx(164.301901, abs=1e-6)
    assert found.tau_mem_1 == pytest.approx(4495.599450, abs=1e-6)
    assert found.tau_opt == pytest.approx(132.8018, abs=5e-5)
    assert found.score_error_opt == pytest.approx(0.054301, abs=5e-7)
    assert 0.0 < found.score_error_opt_error < 1e-12
    assert 0.0 < found.score_error_final_error < 1e-12 * found.score_error_final  # contour against the resolvent at 0
    assert found.tau_mem_1 < found.tau_mem_3 < found.tau_mem_3_last
    assert abs(Training(MODEL).slope(found.tau_opt)[0]) < 1e-12


def test_a_shallow_minimum_says_how_well_it_is_known(monkeypatch):
    """On another contour all sums round differently: the lowest test loss moves by less than its error."""
    assert time_scales(MODEL).tau_opt_error < 1e-13
    shallow = ScoreModel(64, 8, 3.0)
    here = time_scales(shallow)
    monkeypatch.setattr("theory.diffusion.losses._DIGITS", 47.0)
    there = time_scales(shallow)
    assert here.tau_opt != there.tau_opt
    assert abs(math.log(here.tau_opt / there.tau_opt)) < here.tau_opt_error < 1e-5


def test_scales_of_merged_bulks_are_not_given():
    found = time_scales(ScoreModel(64, 8, 0.3))
    assert found.tau_mem_3 is None
    assert found.tau_mem_3_last is None
    assert "merged with noise" in found.reasons["tau_mem_3"]
    assert found.tau_mem_1 == pytest.approx(64 / (2 * -math.expm1(-0.6) * 0.07786489758550), rel=1e-11)
    none = time_scales(ScoreModel(8, 64, 0.01))
    assert none.tau_mem_3 is None
    assert "do not exist" in none.reasons["tau_mem_3"]
    split = time_scales(ScoreModel(64, 8, 0.01, sigma=[0.01, 2.0]))
    assert split.tau_mem_3 is None  # half of the hidden modes are among the noise modes


@pytest.mark.parametrize(("psi_p", "expected"), [(64, 0.700), (256, 0.828), (1024, 0.907), (1e4, 0.968), (1e6, 0.997)])
def test_exponent_of_memorisation(psi_p, expected):
    n = np.array([2.0, 4.0, 8.0, 16.0, 32.0])
    found = phase_diagram(psi_p, n, t=0.01)
    assert np.polyfit(np.log(n), np.log(found.tau_mem_1), 1)[0] == pytest.approx(expected, abs=5e-4)
    # The local exponent, explicit at the fold, is the slope of the line.
    h = 1e-4
    near = phase_diagram(psi_p, [8 * math.exp(-h), 8 * math.exp(h)], t=0.01).tau_mem_1
    assert exponent(ScoreModel(psi_p, 8.0, 0.01)) == pytest.approx(math.log(near[1] / near[0]) / (2 * h), rel=1e-6)


def test_samples_needed_are_linear_in_features():
    ratio = [samples_needed(p, t=0.01) / p for p in (64.0, 512.0)]
    assert ratio == pytest.approx([2.97, 2.97], abs=0.01)
    assert Training(ScoreModel(64, 64 * ratio[0], 0.01)).final_score_error == pytest.approx(1.0, abs=1e-9)
    assert Training(ScoreModel(64, 65 * ratio[0], 0.01)).final_score_error < 1.0
    near = samples_needed(8.0, t=0.1) / 8
    assert near < 1.05


def test_regions():
    scales = time_scales(MODEL)
    assert region(MODEL, 0.999 * scales.tau_gen) == "underfit"
    assert region(MODEL, 1.001 * scales.tau_gen) == "dynamics"
    assert region(MODEL, 0.999 * scales.tau_mem_1) == "dynamics"
    assert region(MODEL, 1.001 * scales.tau_mem_1) == "memorise"
    assert region(ScoreModel(64, 200, 0.01), 1e12) == "architecture"
    found = phase_diagram(64.0, [8.0, 200.0], t=0.01)
    assert found.tau_gen[0] == pytest.approx(scales.tau_gen, rel=1e-13)
    assert 8.0 < found.psi_n_star < 200.0
    for tau in (-1.0, math.nan, "long"):
        with pytest.raises(InvalidInput, match="tau"):
            region(MODEL, tau)


@pytest.mark.parametrize("tau", [[-1.0], [math.nan], [math.inf]])
def test_refused_times(tau):
    with pytest.raises(InvalidInput, match="tau"):
        losses(MODEL, tau)


def test_population_of_one_atom_twice_is_isotropic():
    one, two = ScoreModel(8, 3, 0.1, sigma=1.3), ScoreModel(8, 3, 0.1, sigma=Population.atoms([1.3, 1.3 * (1 + 1e-9)]))
    assert losses(one, [1.0, 1e3]).test == pytest.approx(losses(two, [1.0, 1e3]).test, abs=1e-8)


def test_score_errors_keep_their_digits_as_the_noise_vanishes():
    """What is learnt of the score is of the order of t, and 1 is not to be subtracted from it."""
    found = [time_scales(ScoreModel(64, 8, t)) for t in (1e-8, 1e-12, 1e-16)]
    limit = found[-1].score_error_opt
    assert limit == pytest.approx(0.05563435249, abs=1e-11)
    assert found[1].score_error_opt == pytest.approx(limit, rel=1e-10)
    assert found[0].score_error_opt == pytest.approx(limit, abs=1e-8)
    needed = [samples_needed(64.0, t=t) for t in (1e-8, 1e-12, 1e-16)]
    assert needed[1:] == pytest.approx([needed[2]] * 2, rel=1e-10)
    assert needed[0] == pytest.approx(needed[2], rel=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: losses(m, "a"), "tau = 'a'"),
        (lambda m: losses(m, []), "tau holds no training times"),
        (lambda m: losses(3, [1.0]), "model = 3 is no score model"),
        (lambda m: score_spectrum(m, points="a"), "points = a"),
        (lambda m: score_spectrum(None), "model = None"),
        (lambda m: time_scales(3), "model = 3"),
        (lambda m: bulks(None), "model = None"),
        (lambda m: phase_diagram(8, "a", t=0.1), "psi_n = 'a'"),
        (lambda m: phase_diagram(8, [], t=0.1), "psi_n holds no"),
    ],
)
def test_other_types_are_refused_in_one_sentence(call, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        call(ScoreModel(8, 4, 0.1))
    assert "\n" not in str(caught.value)


def test_a_minimum_that_is_too_shallow_is_not_said_to_be_none():
    """At t = 3.5 the test loss rises again by 5e-12, which its digits show."""
    model = ScoreModel(64, 8, 3.5)
    training = Training(model)
    rise = training.final_change - float(training.test(23.0)[0] - 1.0)
    assert 1e-12 < rise < 1e-10
    found = time_scales(model)
    assert found.tau_opt is None
    assert "never rises again by more than 1e-10" in found.reasons["tau_opt"]
