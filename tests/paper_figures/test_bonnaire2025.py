"""Figures of score models: drawn from small trainings, and what the recorded ones say about the theory."""

from __future__ import annotations

import math
from functools import cache

import matplotlib
import numpy as np
import pytest

from numerics.diffusion.score_simulate import series
from paper_figures import style
from paper_figures.bonnaire2025 import fig_losses, fig_regimes, fig_spectrum
from paper_figures.catalogue import archive_of, catalogue
from paper_figures.scores import BulkDensities, ScoreOf, scale_of
from paper_figures.store import fulfil, read_archive
from spinodal.score_validation import REACH, edge_units
from theory.diffusion.bulks import bulks
from theory.diffusion.losses import Training
from theory.diffusion.resolvent import ScoreModel
from theory.diffusion.times import samples_needed, time_scales

ENTRIES = [e for e in catalogue() if e.paper == "bonnaire2025"]
SLOW = ("regimes", "times")  # many spectra of the theory


def silent(label: str, done: int, total: int) -> None:
    """Say nothing."""


@pytest.mark.parametrize(
    "entry",
    [pytest.param(e, marks=pytest.mark.slow) if e.name in SLOW else e for e in ENTRIES],
    ids=lambda e: e.name,
)
def test_drawn_from_tiny_trainings(entry, tmp_path):
    spec = entry.module.spec({10: 2, 12: 2})
    records = fulfil(spec.all_simulations(), store=tmp_path / "records", progress=silent)
    with style.styled():
        results = spec.results(records, progress=silent)
        files = style.save(entry.module.draw(results), tmp_path, "figure")
        first = [path.read_bytes() for path in files]
        figure = entry.module.draw(results)
        style.save(figure, tmp_path, "figure")
    assert [path.read_bytes() for path in files] == first
    assert figure.get_size_inches()[0] in (3.4, 7.0)
    for axes in figure.axes:
        assert axes.has_data()
        assert axes.get_xlabel()
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in texts) >= 6.0


def test_no_simulated_bin_is_cut_off(tmp_path):
    """Two samples of ten dimensions scatter far above the theory's peak."""
    spec = fig_spectrum.spec({10: 2, 12: 2})
    records = fulfil(spec.all_simulations(), store=tmp_path / "records", progress=silent)
    with style.styled():
        figure = fig_spectrum.draw(spec.results(records, progress=silent))
    for axes in figure.axes[1:]:
        points = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
        assert points
        assert max(float(np.max(line.get_ydata())) for line in points) < axes.get_ylim()[1]


@cache
def groups(name: str) -> dict[str, list]:
    entry = next(e for e in catalogue() if (e.paper, e.name) == ("bonnaire2025", name))
    records = read_archive(archive_of(entry.paper, entry.name))
    spec = entry.module.spec(entry.module.FULL)
    return {group: [records[s.key] for s in members] for group, members in spec.simulations.items()}


def test_eigenvalues_are_in_their_bulks_and_follow_the_density():
    """Means of extreme eigenvalues within the Tracy-Widom reach; bins within 8 % of the maximum and 6 errors."""
    model = ScoreModel(*fig_spectrum.POINT)
    _, parts = BulkDensities(*fig_spectrum.POINT).compute()
    largest = max(groups("spectrum")["equivalent"], key=lambda r: r.N)
    for bulk, nodes in parts:
        for record in groups("spectrum")["equivalent"]:
            units = edge_units(model, bulk, record.D)
            ends = ((f"lowest {bulk.name}", bulk.low, units[0]), (f"highest {bulk.name}", bulk.high, units[1]))
            for name, edge, unit in ends:
                assert abs(record[name].value - edge) < REACH * unit
        middle, value, error = largest.curves[bulk.name].arrays()
        inside = (middle > nodes.eigenvalue[0]) & (middle < nodes.eigenvalue[-1])
        expected = np.interp(middle[inside], nodes.eigenvalue, nodes.density)
        steep = 0.12 if bulk.name != "1" else 0.05  # a bin holds few eigenvalues, or the curve bends within it
        assert (np.abs(value[inside] - expected) < steep * expected.max() + 6 * error[inside]).all()
        total = float(np.nansum(value) * np.diff(largest.curves[bulk.name].edges)[0])
        if bulk.name != "3":  # the delta is in the bins of that one
            assert total == pytest.approx(bulk.weight, rel=0.02)


def test_trainings_follow_the_theory():
    """Equivalent at the largest d: 6 standard errors plus 1.5 % of the range, at every time."""
    for n in fig_losses.SAMPLES:
        record = max(groups("losses")[f"{n:g}"], key=lambda r: r.N)
        training = Training(ScoreModel(fig_losses.POINT[0], n, fig_losses.POINT[1]))
        for name in ("train", "test"):
            tau, value, error = series(record, name)
            theory = getattr(training, name)(tau)
            room = 0.015 * np.ptp([1.0, *theory])
            assert (np.abs(value - theory) < 6 * error + room).all()


def test_the_true_network_comes_near():
    """Corrections are O(1/d): 0.33 of the score's error at d = 30, 0.18 at d = 60."""
    (record,) = groups("losses")["true"]
    tau, value, _ = series(record, "score_error")
    theory = Training(ScoreModel(64, 8, 0.01)).score_error(tau)
    assert np.abs(value / theory - 1.0).max() < 0.25


def test_the_drop_by_bulks_is_recorded():
    record = max(groups("losses")["8"], key=lambda r: r.N)
    expected = {"3": 0.640980, "1": 0.002857, "2": 0.021987}
    for name, drop in expected.items():
        assert record[f"drop {name}"].value == pytest.approx(drop, rel=0.03)


def test_scales_and_best_times_follow_the_theory():
    """Means of extreme eigenvalues are 1.2 Tracy-Widom units inside, to six errors (1.3/sqrt(n)) and 1 unit."""
    for n, records in groups("times").items():
        model = ScoreModel(64.0, float(n), 0.01)
        found = time_scales(model)
        parts = {b.name: b for b in bulks(model).bulks}
        for record in records:
            for name, (bulk, side) in {"tau_gen": ("2", 0), "tau_mem_1": ("1", 1), "tau_mem_3": ("3", 1)}.items():
                unit = edge_units(model, parts[bulk], record.D)[side]
                edge = parts[bulk].low if side == 0 else parts[bulk].high
                value = model.psi_p / (2.0 * model.Delta * scale_of(record, name)[0])
                inside = (value - edge if side == 0 else edge - value) / unit
                assert abs(inside - 1.2) < 6 * 1.3 / math.sqrt(record.samples) + 1.0
                assert scale_of(record, name)[0] == pytest.approx(getattr(found, name), rel=0.25)
            assert record["tau_opt"].value == pytest.approx(found.tau_opt, rel=0.02, abs=6 * record["tau_opt"].error)


def test_trained_matrices_are_on_their_side_of_n_star():
    for record in groups("regimes")["trained"]:
        p, n = record.loads["psi_p"], record.loads["psi_n"]
        theory = Training(ScoreModel(p, n, fig_regimes.T)).final_score_error
        if abs(math.log(theory)) > math.log(1.2):
            assert (record["score_error"].value > 1.0) == (n < samples_needed(p, t=fig_regimes.T))


def test_an_archived_training_is_what_its_simulation_gives():
    wanted = ScoreOf(64.0, 4.0, 0.01, *min(fig_losses.FULL.items()))
    record = read_archive(archive_of("bonnaire2025", "losses"))[wanted.key]
    again = wanted.run()
    for name, measurement in record.measurements.items():
        assert again[name].value == pytest.approx(measurement.value, rel=1e-7)
