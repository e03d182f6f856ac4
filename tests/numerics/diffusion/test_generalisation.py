"""Classes of generated samples: limits in K, probes against closed forms, records that name what they depend on."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from numerics.diffusion.classify import CLASSES
from numerics.diffusion.critical import critical_noise
from numerics.diffusion.curvature import curvatures
from numerics.diffusion.flow import exact_score
from numerics.diffusion.generalisation import Generalisation, Trial
from numerics.diffusion.memories import circle, memories
from numerics.diffusion.neural import Training
from numerics.diffusion.probes import log_survived_volume, probe, score_curvatures
from numerics.diffusion.training_sets import Source, default_loads, describe
from numerics.diffusion.transition import generalise, planned
from theory.errors import InvalidInput, MissingExtra

CIRCLE = Source("circle", None, 2, 1.0)


def test_curvatures_of_any_score_are_those_of_the_softmax_covariance() -> None:
    rng = np.random.default_rng(0)
    known, sigma = memories(rng.standard_normal((30, 4))), 0.7
    x = rng.standard_normal((6, 4))
    found = score_curvatures(exact_score(known), x, sigma)
    exact = np.array([curvatures(known, point, sigma) for point in x])
    np.testing.assert_allclose(found, np.sort(exact, axis=1), atol=1e-6)
    assert np.ptp(exact) > 0.1  # not all 2


def test_a_gaussian_cloud_is_lost_where_the_flow_shrinks_noise_by_less_than_delta() -> None:
    # score = -x/(1 + s^2): the flow multiplies x by sqrt((1 + low^2)/(1 + s^2)), and the last step by 1/(1 + low^2).
    low, delta, N = 0.1, 0.3, 3
    found = probe(
        lambda x, s: -x / (1.0 + s * s), np.zeros((4, N)), low, delta=delta, high=20.0, trials=60, levels=120, steps=60
    )
    np.testing.assert_allclose(found.curvature, 2.0 * low**2 / (1.0 + low**2), rtol=1e-5)
    # |x| = s |z| sqrt(1 + low^2)/((1 + low^2) sqrt(1 + s^2)) <= delta, at the 90 % quantile of |z|.
    rng = np.random.default_rng(0)
    q = np.quantile(np.linalg.norm(rng.standard_normal((10**5, N)), axis=1), 0.9)
    r = delta * np.sqrt(1.0 + low**2) / q
    exact = r / np.sqrt(1.0 - r * r)
    # 60 trials: the quantile is known to 5 %; five standard errors, four points.
    assert abs(found.critical.level.mean() / exact - 1.0) < 0.13


def test_the_volume_of_an_ellipsoid_is_found_from_trials_that_survive() -> None:
    # Axes 1, 2, 4: volume 4/3 pi 8.  Levels 1 % apart bias it by 3 % at most; 400 directions leave 8 %: five errors.
    axes = np.array([1.0, 2.0, 4.0])

    def back(x: np.ndarray, sigma: float) -> np.ndarray:
        return np.where((np.linalg.norm(x / axes, axis=1) < 1.0)[:, None], 0.0, 99.0)

    found = critical_noise(np.zeros((1, 3)), np.geomspace(0.05, 50.0, 700), back, delta=0.1, trials=400)
    assert log_survived_volume(found, 3)[0] == pytest.approx(np.log(4.0 / 3.0 * np.pi * 8.0), abs=0.4)
    lost = replace(found, reach=0.0 * found.reach)
    assert log_survived_volume(lost, 3)[0] == -np.inf


@pytest.fixture(scope="module")
def few() -> Generalisation:
    return Trial(CIRCLE, 2, "exact", samples=64).run()


def test_the_exact_score_memorises_few_points_and_generalises_many(few: Generalisation) -> None:
    many = Trial(CIRCLE, 1000, "exact", sigma=0.2, samples=200, probes=2).run()
    assert few["memorised"].value == 1.0
    assert few["basins memorised"].value == 1.0
    assert many["generalised"].value > 0.9
    assert many["basins generalised"].value > 0.9
    for record in (few, many):
        assert sum(record[name].value for name in CLASSES) == pytest.approx(1.0, abs=1e-12)
        assert min(record[name].error for name in CLASSES) > 0.0
    # Isolated memories are parabolas, and their basins reach far; along the ring there is no curvature.
    assert few.spectra["memorised"] == pytest.approx([2.0, 2.0], abs=1e-5)
    assert abs(many["softest generalised"].value) < 0.5
    assert few["t_c memorised"].value > 10 * many["t_c generalised"].value
    assert few.loss is None


def test_between_there_are_spurious_samples() -> None:
    trial = Trial(CIRCLE, 9, "exact", sigma=0.2, samples=64, probes=4)
    record = trial.run()
    assert record["basins spurious"].value > 0.3
    assert record["spurious"].value > 0.1
    assert trial.matches(Generalisation.from_json(json.loads(json.dumps(record.to_json()))))


def test_a_score_that_draws_fresh_points_is_rarely_taken_for_another() -> None:
    # The thresholds' promise: below 5 % each, for fresh draws of the data's law.
    from numerics.diffusion.classify import by_distance, propose_thresholds

    rates = []
    for seed in range(20):
        stored, fresh = circle(100, seed=seed), circle(100, seed=seed + 1000)
        limits = propose_thresholds(stored)
        rates.append(by_distance(fresh, stored, delta_m=limits.delta_m, delta_s=limits.delta_s))
    share = np.bincount(np.concatenate(rates), minlength=3) / 2000
    assert share[0] < 0.05
    assert share[1] < 0.05


def test_a_network_of_a_user_s_array_gives_a_record(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "points.npy"
    np.save(file, np.random.default_rng(0).standard_normal((12, 3)))
    source = describe(str(file))
    assert (source.total, source.N, source.fingerprint != "") == (12, 3, True)
    trial = Trial(source, 5, samples=20, probes=2, training=Training(steps=60, width=16, depth=2))
    record = trial.run(checkpoint=tmp_path / "net.npz")
    assert trial.matches(record)
    assert 0.0 < record["least_loss"].value < record.loss < 2.0
    assert record["flow_error"].value > 0.0
    assert record["relabelled"].n == record["memorised"].n
    assert record.nearest == sorted(record.nearest)
    # The same points under another name are the same trial; other points are not.
    np.save(tmp_path / "copy.npy", np.load(file))
    assert replace(trial, source=describe(str(tmp_path / "copy.npy"))).key == trial.key
    np.save(file, 2.0 * np.load(file))
    assert replace(trial, source=describe(str(file))).key != trial.key


def test_numbers_of_numpy_name_the_same_trial() -> None:
    plain = Trial(CIRCLE, 9, sigma=0.2, delta_m=0.25, training=Training(steps=50, rate=0.125))
    given = Trial(
        CIRCLE, np.int64(9), sigma=np.float64(0.2), delta_m=np.float32(0.25),
        training=Training(steps=np.int32(50), rate=np.float64(0.125)),
    )  # fmt: skip
    assert (given, given.key) == (plain, plain.key)
    json.dumps(given.declared)


def test_training_sets_grow_and_differ_by_seed(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    np.savetxt(file, np.arange(20.0).reshape(10, 2) ** 2, delimiter=",")
    source = describe(str(file))
    assert (source.points(3, 1) == source.points(8, 1)[:3]).all()
    assert not (source.points(8, 0) == source.points(8, 1)).all()
    assert default_loads(source) == [2, 6, 10]
    assert default_loads(CIRCLE) == [2, 6, 18, 54, 162, 486, 1458]


def test_a_file_that_changes_under_a_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "points.npy"
    np.save(file, np.arange(20.0).reshape(10, 2) ** 2)
    trial = Trial(describe(str(file)), 4, "exact", samples=8)
    np.save(file, np.arange(20.0).reshape(10, 2) ** 3)
    with pytest.raises(InvalidInput, match="was changed while it was in use"):
        trial.run()


def test_a_score_that_is_asked_for_twice_is_measured_once() -> None:
    """Places counted twice would make every order look more certain than it is."""
    assert [t.score for t in planned("circle", [3], scores=["exact", "exact"])] == ["exact"]


def test_a_run_is_refused_before_its_first_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two memories allow a threshold that a thousand do not; PyTorch is asked for before anything is measured."""
    monkeypatch.setattr(Trial, "run", lambda self, **_: pytest.fail("measured"))
    with pytest.raises(InvalidInput, match="makes the classes overlap"):
        generalise("circle", [2, 1000], scores=["exact"], delta_m=0.3)
    with pytest.raises(InvalidInput, match="choose one of exact, network"):
        generalise("circle", [2], scores=["exakt"])
    with pytest.raises(InvalidInput, match="no score is left"):
        generalise("circle", [2], scores=[])
    monkeypatch.setattr("numerics.diffusion.neural.importlib.import_module", lambda name: __import__("absent"))
    for place in (None, tmp_path / "run"):
        with pytest.raises(MissingExtra, match="needs PyTorch"):
            generalise("circle", [2], place=place)
    assert not (tmp_path / "run").exists()


def test_what_is_recorded_needs_no_torch_and_what_kills_left_is_tidied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    options = {"training": Training(steps=30, width=8, depth=1), "samples": 16, "probes": 1, "place": tmp_path}
    once = generalise("circle", [3], **options)
    assert [r.declared["score"] for r in once] == ["exact", "network"]
    (draft,) = [tmp_path / "networks" / ".half-written.npz"]
    draft.write_bytes(b"")
    os.utime(draft, (0, 0))
    monkeypatch.setattr("numerics.diffusion.neural.importlib.import_module", lambda name: __import__("absent"))
    assert [r.to_json() for r in generalise("circle", [3], **options)] == [r.to_json() for r in once]
    generalise("circle", [4], **(options | {"scores": ["exact"]}))
    assert not draft.exists()


def test_samples_of_one_memory_are_one_place() -> None:
    """All 16 samples that are probed are at one of two memories; spurious ones at the midpoints of close pairs."""
    record = Trial(CIRCLE, 2, "exact", samples=64).run()
    assert {name: len(v) for name, v in record.values.items()} == dict.fromkeys(record.values, 2)
    assert np.mean(record.values["t_c memorised"]) == pytest.approx(record["t_c memorised"].value, rel=0.3)
    assert 0.3 < record["capped memorised"].value < 0.8  # noise towards the other memory is lost, away from it never
    assert record["attractors_converged"].value == 1.0


def test_digits_are_described_as_the_figures_declare_them() -> None:
    pytest.importorskip("sklearn")
    from paper_figures.pham2025.trials import DIGITS

    assert describe("digits") == DIGITS


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"K": 1}, "K = 1 is not allowed"),
        ({"K": 3.5}, "number of training points"),
        ({"sigma": -0.1}, "sigma = -0.1 is not allowed"),
        ({"sigma": float("nan")}, "0 < sigma"),
        ({"sigma": 1e-9}, "1e-08 <= sigma < 1.25"),
        ({"sigma": "small"}, "sigma = small is not allowed"),
        ({"delta_s": True}, "delta_s = True is not allowed"),
        ({"score": "netwrok"}, "choose one of exact, network"),
        ({"samples": 1}, "samples = 1 is not allowed"),
        ({"delta_m": 0.0}, "delta_m = 0.0 is not allowed"),
        ({"seed": -1}, "seed = -1 is not allowed"),
    ],
)
def test_trials_that_cannot_be_are_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        Trial(**({"source": CIRCLE, "K": 9} | wrong))


def test_one_point_and_overlapping_thresholds_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((1, 3)))
    with pytest.raises(InvalidInput, match="holds one point"):
        describe(str(tmp_path / "one.npy"))
    with pytest.raises(InvalidInput, match="makes the classes overlap"):
        Trial(CIRCLE, 50, "exact", delta_m=0.5).run()
