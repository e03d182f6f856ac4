"""Published points against our lines and against the equations they solve."""

from __future__ import annotations

import numpy as np
import pytest

from paper_figures.kalaj2024.published import MIXTURES, OVERLAPS
from paper_figures.negri2023 import published
from paper_figures.negri2023.published_equations import (
    PublishedBranch,
    PublishedStates,
    published_line,
)
from theory.lines import phase_line
from theory.models.random_features import RandomFeatures
from theory.phase import threshold
from theory.states import at_point, solve

CURVES = [
    published.STORAGE,
    published.LEARNING,
    published.EXAMPLE_OVERLAP,
    published.FEATURE_OVERLAP,
    *MIXTURES.values(),
    *OVERLAPS.values(),
]


def ours(state: str, alpha_d: float) -> float:
    value = threshold(RandomFeatures(alpha_d=alpha_d), state).value
    assert value is not None
    return value


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.source[-24:])
def test_at_most_a_dozen_points_are_typed_and_their_source_is_named(curve):
    assert 1 < len(curve.points) <= 12
    assert curve.source.startswith("arXiv:")


@pytest.mark.parametrize(
    ("state", "alpha_d", "alpha"),
    [
        ("example", 0.2, 0.09956719),
        ("example", 1.0, 0.12532900),
        ("example", 5.0, 0.13494115),
        ("feature", 0.01, 0.0929073879),
        ("feature", 0.05, 0.7805038409),
    ],
)
def test_variants_reproduce_the_values_known_of_the_published_equations(state, alpha_d, alpha):
    digits = 1e-8 if state == "example" else 1e-10
    assert published_line(state, (alpha_d,))[0] == pytest.approx(alpha, abs=0.6 * digits)


def test_published_storage_points_follow_the_equations_without_t_and_not_ours():
    curve = published.STORAGE
    assert curve.step is not None
    theirs = published_line("example", curve.x)
    assert np.abs(np.array(curve.y) - theirs).max() <= curve.step
    model = phase_line(RandomFeatures(), "example", along="alpha_d", values=curve.x)
    off = (np.array(curve.y) - model.values) / curve.step
    assert (off[np.array(curve.x) < 2.0] > 10).all()
    assert (off > 0).all()


def test_published_learning_points_follow_the_equations_without_square_and_not_ours():
    curve = published.LEARNING
    assert curve.step is not None
    alpha = np.array(curve.y)
    # The scan is in alpha_d: a point lies within one step of the line in that direction.
    low = published_line("feature", tuple(x - curve.step for x in curve.x))
    high = published_line("feature", tuple(x + 0.1 * curve.step for x in curve.x))
    assert ((low <= alpha) & (alpha <= high)).all()
    model = phase_line(RandomFeatures(), "feature", vary="alpha_d", along="alpha", values=curve.y)
    off = (np.array(curve.x) - model.values) / curve.step
    assert (off > 1.0).sum() >= 10


@pytest.mark.parametrize(("alpha_d", "percent"), [(1.0, 16), (0.5, 27), (0.2, 44)])
def test_storage_drops_by_the_stated_size(alpha_d, percent):
    assert 100 * (1 - ours("example", alpha_d) / published_line("example", (alpha_d,))[0]) == pytest.approx(
        percent, abs=0.5
    )


@pytest.mark.parametrize(("alpha_d", "percent"), [(1e-5, 6.4), (0.01, 5.1), (0.05, 2.2), (0.1, 0.6)])
def test_published_learning_line_is_too_low_by_the_stated_size(alpha_d, percent):
    assert 100 * (1 - published_line("feature", (alpha_d,))[0] / ours("feature", alpha_d)) == pytest.approx(
        percent, abs=0.06
    )


@pytest.mark.parametrize("L", MIXTURES)
def test_published_mixture_points_agree_with_ours_within_their_scan(L):
    curve = MIXTURES[L]
    assert curve.step is not None
    line = phase_line(RandomFeatures(), "mixture", vary="alpha_d", along="alpha", values=curve.y, L=L)
    # For L = 5 the values at alpha > 1 are multiples of 1e-5 up to an offset.
    steps = np.where((L == 5) & (np.array(curve.y) > 1.0), 10 * curve.step, curve.step)
    off = (np.array(curve.x) - line.values) / steps
    assert (off > -0.1).all()
    assert (off < 2.0).all()


def test_published_overlaps_of_features_agree_with_theory_inside_the_phase():
    for alpha, overlap in published.FEATURE_OVERLAP.points:
        if alpha > 0.12:
            m = solve(RandomFeatures(alpha=alpha, alpha_d=0.01), "feature").order_parameters["m"]
            # One run of N = 10000 spins.
            assert overlap == pytest.approx(m, abs=0.01)


def test_without_t_the_free_energy_is_not_stationary():
    model = RandomFeatures(alpha=0.05, alpha_d=0.5)
    theirs = PublishedStates(0.5, "example", (0.05,)).compute()
    point = at_point(model, "example", 1)
    x = np.array([[theirs[name][0] if name in theirs else 0.0 for name in point.equations.names]])
    residual = dict(
        zip(point.equations.names, point.equations.problem().residual(x, point.parameters[None])[0], strict=True)
    )
    # df/dt_hat = 0 asks for t = E|x| erf(...), near kappa_1; everything else holds.
    assert residual.pop("t") == pytest.approx(-model.sigma.kappa_1, abs=1e-3)
    assert max(map(abs, residual.values())) < 1e-9


def test_without_the_square_the_free_energy_is_not_stationary():
    model = RandomFeatures(alpha=0.85, alpha_d=0.05)
    theirs = PublishedStates(0.05, "feature", (0.85,)).compute()
    point = at_point(model, "feature", 1)
    x = np.array([[theirs[name][0] for name in point.equations.names]])
    residual = dict(
        zip(point.equations.names, point.equations.problem().residual(x, point.parameters[None])[0], strict=True)
    )
    Delta_1 = 1 - point.parameters[-2] * theirs["dp"][0] - point.parameters[-1] * theirs["chi"][0]
    assert residual.pop("X") == pytest.approx(theirs["X"][0] * (1 - 1 / Delta_1), rel=1e-9)
    assert max(map(abs, residual.values())) < 1e-8
    assert theirs["u2"][0] == pytest.approx(13.5828, abs=1e-4)
    assert solve(model, "feature").order_parameters["X"] / point.parameters[-2] == pytest.approx(13.7808, abs=1e-4)


def test_branch_of_the_published_equations_ends_at_their_spinodal():
    branch = PublishedBranch(0.5, "example", (0.005, 0.2)).compute()
    assert branch["alpha"][-1] == pytest.approx(published_line("example", (0.5,))[0], rel=1e-10)
    assert (branch["t"] == 0.0).all()
