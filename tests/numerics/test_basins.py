"""Basins of attraction: the definition of retrieval, known facts of the Hopfield model, and saved maps."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from numerics import disorder, rng
from numerics.basins import Basins, basin, basins, radius
from numerics.finite_size import crossing, paired_crossing
from numerics.simulate import simulate
from theory.errors import InvalidInput
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

OVERLAPS = (0.1, 0.2, 0.3, 0.4, 0.6)


@pytest.fixture(scope="module")
def low():
    return basin(Hopfield(alpha=0.05), 400, overlaps=OVERLAPS, samples=24)


def test_retrieval_is_judged_by_the_attractor_not_by_the_initial_overlap():
    """Four samples: found; left although above m_0; without attractor; found at the attractor's lower overlap."""
    final = np.array([[0.97, 0.55, 0.30, 0.75], [0.97, 0.97, 0.45, 0.85]])
    overlaps = [0.5, 1.0]
    # At m_0 = 0.5: 0.55 > 0.8 * 0.5, but not 0.8 * 0.97; 0.30 > 0.8 * 0.30 has no attractor; 0.75 > 0.8 * 0.85.
    one_by_one = [radius(overlaps, final[:, [k]], N=100).kind for k in range(4)]
    assert one_by_one == ["whole", "crossing", "none", "whole"]


def test_radii_without_a_crossing_are_named():
    none = radius([0.5, 1.0], [[0.2, 0.3], [0.3, 0.4]], N=100)
    assert (none.kind, none.value) == ("none", 0.0)
    whole = radius([0.25, 1.0], [[0.9, 0.9], [0.9, 0.9]], N=100)
    assert (whole.kind, whole.value) == ("whole", 0.75)
    assert math.isnan(whole.error)
    assert whole.to_json()["error"] is None


@pytest.mark.parametrize("spread", [0.03, 0.1])
def test_the_radius_has_the_error_of_its_samples(spread):
    """Samples with Gaussian thresholds around 0.43: over 100 sets the pull of the radius has unit width."""
    overlaps = np.append(np.linspace(0.05, 0.95, 19), 1.0)
    pulls = []
    for k in range(100):
        threshold = 0.43 + spread * rng.gaussians(rng.stream("threshold", k, str(spread)), rows=1, columns=40)[0]
        found = radius(overlaps, 0.97 * (overlaps[:, None] > threshold) + 0.02, N=1000, seed=k)
        pulls.append((found.value - 0.57) / found.error)
    # Standard deviation from 100: 7 %; four of them.  Thresholds sharper than the grid have generous errors.
    assert 0.4 < np.std(pulls) < 1.3
    assert abs(np.mean(pulls)) < 0.4


def test_samples_that_are_paired_are_redrawn_whole():
    """All samples switch at one of two places: paired resamples know that neighbouring points move together."""
    x = np.linspace(0.1, 0.9, 17)
    outcomes = np.array([x > (0.325 if k % 2 else 0.675) for k in range(40)])
    paired = paired_crossing(x, outcomes, N=10)
    independent = crossing(x, outcomes.sum(axis=0), np.full(17, 40), N=10)
    assert paired.value == independent.value == pytest.approx(0.5, abs=1e-6)
    # Seven points lie between both places: taken as independent, they average out what is one fluctuation.
    assert paired.error > 1.7 * independent.error


def test_a_map_is_what_simulations_say(low):
    model = Hopfield(alpha=0.05)
    for m_0, final, row in zip(low.overlaps, low.final, low.values, strict=True):
        alone = simulate(model, 400, start="example", overlap=m_0, samples=24)
        assert list(row) == alone.values["overlap"]
        assert final == alone["overlap"]
    assert low.overlaps == (*OVERLAPS, 1.0)
    assert low.retrieved[-1].value == 1.0
    assert low.loads == {"alpha": 0.05}
    assert all(a.value < b.value + 0.1 for a, b in zip(low.final, low.final[1:], strict=False))


def test_results_do_not_depend_on_workers_and_repeat(low):
    again = basin(Hopfield(alpha=0.05), 400, overlaps=reversed(OVERLAPS), samples=24, workers=2)
    assert again == low
    assert basin(Hopfield(alpha=0.05), 400, overlaps=OVERLAPS, samples=24, seed=1).values != low.values


def test_basins_shrink_with_the_load_and_vanish_beyond_capacity():
    """Hopfield at N = 400: wide at alpha = 0.02, narrower at 0.1, gone at 0.25, far beyond alpha_c = 0.138."""
    found = basins(Hopfield(), 400, alphas=(0.1, 0.25, 0.02), samples=16)
    small, middle, beyond = (m.radius for m in found.maps)
    assert [m.loads["alpha"] for m in found.maps] == [0.02, 0.1, 0.25]
    assert (small.kind, middle.kind, beyond.kind) == ("crossing", "crossing", "none")
    assert small.value - middle.value > 4 * math.hypot(small.error, middle.error)
    assert small.value > 0.8
    assert 0.5 < middle.value < 0.75
    assert beyond.value == 0.0


@pytest.mark.slow
def test_known_facts_at_growing_size():
    """At alpha = 0.01 m_0* falls with N towards 0; beyond alpha_c the radius falls with N to nothing."""
    overlaps = [k / 50 for k in range(1, 16)]
    low = [basin(Hopfield(alpha=0.01), N, overlaps=overlaps, samples=48).radius for N in (400, 3200)]
    assert low[1].value - low[0].value > 3 * math.hypot(low[0].error, low[1].error)
    grid = [k / 20 for k in range(4, 20)]
    high = [basin(Hopfield(alpha=0.17), N, overlaps=grid, samples=32).radius for N in (250, 2000)]
    assert high[0].kind == "crossing"
    assert high[1].kind == "none"
    inside = basin(Hopfield(alpha=0.12), 2000, overlaps=grid, samples=32).radius
    assert inside.value > 0.4


def test_one_spin_decides_the_first_example():
    """With one pattern stored, every m_0 > 0 leads to it."""
    found = basin(Hopfield(alpha=0.005), 200, overlaps=(0.05, 0.1, 0.5), samples=4)
    assert found.P == 1
    assert (found.radius.kind, found.radius.value) == ("whole", pytest.approx(0.95))


@pytest.mark.parametrize("start", ["feature", "mixture", "unseen", "example"])
def test_features_and_examples_have_basins(start):
    model = RandomFeatures(alpha=0.6, alpha_d=0.03)
    found = basin(model, 200, start=start, overlaps=(0.1, 0.3, 0.6), samples=4)
    assert found.start == start
    assert found.radius.kind in ("crossing", "none", "whole")
    assert found.L == {"feature": 1, "mixture": 3}.get(start)
    assert len(found.values) == len(found.overlaps) == 4


def test_learnt_features_attract_and_examples_do_not_and_the_reverse():
    """Deep in the learning phase (20 features, 400 examples), and in the storage phase (400 features, 8 examples)."""
    kinds = {}
    for phase, model in (
        ("learning", RandomFeatures(alpha=1.0, alpha_d=0.05)),
        ("storage", RandomFeatures(alpha=0.02, alpha_d=1.0)),
    ):
        for start in ("feature", "example", "unseen"):
            found = basin(model, 400, start=start, overlaps=(0.2, 0.4, 0.6), samples=8)
            kinds[phase, start] = found.radius.kind if found.radius.value < 0.5 else "wide"
    assert kinds["learning", "feature"] == kinds["storage", "example"] == "wide"
    assert kinds["learning", "example"] == kinds["storage", "feature"] == "none"
    assert kinds["learning", "unseen"] == kinds["storage", "unseen"] == "none"


def test_maps_are_saved_and_read(tmp_path, low):
    both = Basins((low, replace(low, radius=replace(low.radius, kind="none", error=math.nan))))
    both.save(tmp_path / "basins.json")
    again = Basins.load(tmp_path / "basins.json")
    assert again.maps[0] == low
    assert math.isnan(again.maps[1].radius.error)
    json.dumps(both.to_json(), allow_nan=False)
    text = (tmp_path / "basins.json").read_text()
    (tmp_path / "basins.json").write_text(text.replace("0.05", "0.06", 1))
    with pytest.raises(InvalidInput, match="damaged"):
        Basins.load(tmp_path / "basins.json")
    simulate(Hopfield(alpha=0.05), 100, samples=1).save(tmp_path / "other.json")
    with pytest.raises(InvalidInput, match="holds no basin maps"):
        Basins.load(tmp_path / "other.json")


def test_a_size_of_numpy_is_a_size():
    (found,) = basins(Hopfield(alpha=0.05), np.int64(100), overlaps=(0.1, 0.5), samples=4).maps
    assert found.to_json()["N"] == 100


def test_progress_counts_all_quenches():
    told = []
    basin(
        Hopfield(alpha=0.05), 100, overlaps=(0.2,), samples=3, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(k, 6) for k in range(1, 7)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"overlaps": (1.0,)}, "needs an overlap below 1"),
        ({"overlaps": (0.5, 1.5)}, r"overlap = 1\.5 is not allowed"),
        ({"overlaps": (0.5, 0.501)}, r"differ by less than 2/N = 0\.02"),
        ({"start": "random"}, "start 'random' has no basin"),
        ({"start": "feature"}, "needs a model with features"),
        ({"samples": 0}, "samples = 0"),
        ({"retrieved_above": 1.0}, r"retrieved_above = 1\.0"),
        ({"overlaps": (0.5, 0.5)}, r"overlaps holds 0\.5 twice"),
        (
            {"overlaps": 0.5},
            r"overlaps = 0\.5 is no list of numbers; give one or more, as overlaps=\[0\.1, 0\.2, 0\.3\]",
        ),
        ({"alphas": (0.1, 0.2)}, r"both fixed \(alpha = 0\.05 of the model\) and varied"),
        ({"L_train": 5}, "L_train = 5 belongs to examples made of features"),
    ],
)
def test_misuse_is_one_sentence_before_any_work(options, sentence, monkeypatch):
    monkeypatch.setattr(disorder, "draw", lambda *a, **k: pytest.fail("worked"))
    with pytest.raises(InvalidInput, match=sentence):
        basins(Hopfield(alpha=0.05), 100, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((Hopfield(), 100), {"alphas": ()}, r"alphas = \(\) is no list of numbers"),
        (
            (Hopfield(), 100),
            {"alphas": 0.1},
            r"alphas = 0\.1 is no list of numbers; give one or more, as alphas=\[0\.05",
        ),
        ((Hopfield(), 100), {"alphas": (0.1, 0.1)}, r"alphas holds 0\.1 twice"),
        ((Hopfield(), 100), {"alphas": "ab"}, "alphas = 'ab' is no list of numbers"),
        ((Hopfield(alpha=0.1), "50"), {}, "N = '50' is no list of numbers"),
        ((Hopfield(alpha=0.1), (50, 50)), {}, "N holds 50 twice"),
        (("hopfield", 50), {}, "model = 'hopfield' is no model"),
    ],
)
def test_what_is_no_list_or_no_model_is_told(arguments, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        basins(*arguments, **options)


def test_temperatures_have_no_basins_of_this_kind():
    with pytest.raises(InvalidInput, match=r"temperature = 0\.5 has no basins"):
        basin(Hopfield(alpha=0.05, temperature=0.5), 100)
