"""Figures of arXiv:2505.21777: drawn whole from small trials, and what their records claim."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import matplotlib
import numpy as np
import pytest

from numerics.diffusion.classify import CLASSES
from numerics.diffusion.generalisation import Generalisation, Trial
from numerics.diffusion.order import orders
from paper_figures import style
from paper_figures.catalogue import archive_of, catalogue, draw
from paper_figures.pham2025 import fig_classes, fig_fractions, fig_landscapes, trials
from paper_figures.pham2025.panels import against
from paper_figures.store import fulfil, read_archive
from theory.diffusion.ring import ring

ENTRIES = {e.name: e for e in catalogue() if e.paper == "pham2025"}


def silent(label: str, done: int, total: int) -> None:
    """Say nothing."""


@cache
def groups(name: str) -> dict[str, list[Generalisation]]:
    """Records of the full figure, by group."""
    module = ENTRIES[name].module
    known = read_archive(archive_of("pham2025", name))
    return {g: [known[t.key] for t in wanted] for g, wanted in module.spec(module.FULL).simulations.items()}


@cache
def landscapes() -> dict[str, Any]:
    return {name: p.compute() for name, p in fig_landscapes.spec({}).predictions.items()}


def whole(figure: Any, tmp_path: Any) -> None:
    """Check one drawing: size, labels, letters that can be read."""
    with style.styled():
        files = style.save(figure, tmp_path, "figure")
    width, height = figure.get_size_inches()
    assert width == 7.0
    assert struct.unpack(">II", files[1].read_bytes()[16:24]) == (round(300 * width), round(300 * height))
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in texts) >= 6.0
    assert all(axes.has_data() for axes in figure.axes)


def test_landscapes_show_wells_merged_wells_and_a_ring(tmp_path: Any) -> None:
    found = landscapes()
    counts = {name: drawn.found.labels.counts() for name, drawn in found.items()}
    assert counts["K = 2"] == {"memorised": 2.0, "spurious": 0.0, "generalised": 0.0}
    assert counts["K = 9"]["spurious"] >= 1.0
    assert counts["K = 1000"]["memorised"] == counts["K = 1000"]["spurious"] == 0.0
    # The ring of infinitely many; angles add K^(-1/2) sigma at three standard deviations, a false alarm in 400.
    many = found["K = 1000"]
    radius = np.linalg.norm(many.found.found.points, axis=1)
    assert abs(radius - ring(beta=12.5).radius).max() < 3.0 * 0.2 / np.sqrt(1000.0)
    # Maps and attractors are of the same energy: none of the map lies below the lowest attractor.
    for drawn in found.values():
        assert drawn.level.min() > -1e-9
        assert drawn.valley.min() > -1e-9
    with style.styled():
        figure = fig_landscapes.draw(fig_landscapes.spec({}).results({}, progress=silent))
    whole(figure, tmp_path)
    assert all("0.2" in axes.get_title() for axes in figure.axes[:3])  # the noise
    for axes in figure.axes[:3]:  # memories are seen through the marks of attractors
        memories, *marks = axes.lines[:4]
        assert all(line.get_markerfacecolor() == "none" and line.zorder < memories.zorder for line in marks)


@pytest.mark.parametrize("module", [fig_fractions, fig_classes], ids=lambda m: m.__name__.split("_")[-1])
def test_drawn_from_tiny_trials(module: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.setattr(module, "_STEPS", 20)
    spec = module.spec({9: 1})
    records = fulfil(spec.all_simulations(), store=tmp_path / "records", progress=silent)
    with style.styled():
        figure = module.draw(spec.results(records, progress=silent))
    whole(figure, tmp_path)


def test_redrawn_from_the_packages_records_without_torch(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trial, "run", lambda self, **_: pytest.fail("measured"))
    for name in ("fractions", "classes"):
        assert len(draw("pham2025", name, out=tmp_path, progress=silent)) == 2
    assert not (tmp_path / "records").exists()
    assert archive_of("pham2025", "fractions").stat().st_size < 4e5


@pytest.mark.parametrize("group", ["circle exact", "circle network", "digits wide", "digits network"])
def test_samples_go_from_memorised_through_spurious_to_generalised(group: str) -> None:
    share = {name: against(groups("fractions")[group], name) for name in CLASSES}
    K = share["memorised"][0]
    for name, first, last in (("memorised", 1.0, 0.0), ("spurious", 0.0, 0.0), ("generalised", 0.0, 1.0)):
        _, value, error = share[name]
        assert abs(value[0] - first) < 0.02
        assert abs(value[-1] - last) < 0.05
        assert (error > 0.0).all()
    # The spurious peak lies inside, and sticks out of its ends by five standard errors.
    _, value, error = share["spurious"]
    top = int(value.argmax())
    assert 0 < top < len(K) - 1
    assert value[top] - max(value[0], value[-1]) > 5.0 * error[0]
    assert sum(v[1] for v in share.values()) == pytest.approx(np.ones(len(K)), abs=1e-9)


def test_the_exact_score_memorises_digits_where_the_network_generalises() -> None:
    found = groups("fractions")
    # All but those few samples that noise takes to the middle of the nearest pairs of digits.
    assert all(r["memorised"].value > 0.998 for r in found["digits exact"])
    (sigma,) = {r.declared["sigma"] for r in found["digits exact"] + found["digits network"]}
    assert sigma == pytest.approx(0.05 * trials.DIGITS.extent)
    assert all(r["generalised"].value > 0.95 for r in found["digits network"] if r.K >= 300)


def test_one_record_is_measured_again() -> None:
    wanted = trials.exact(trials.CIRCLE, 9, 1)[0]
    archived = read_archive(archive_of("pham2025", "fractions"))[wanted.key]
    again = wanted.run()
    for name, measurement in archived.measurements.items():
        assert again[name].value == pytest.approx(measurement.value, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("what", "factor"), [("t_c", 2.5), ("log_volume", 4.0), ("softest", 4.0)])
def test_of_digits_memorised_samples_are_sharpest_and_generalised_ones_softest(what: str, factor: float) -> None:
    # Trained networks where all classes have samples; means of memorised samples above those of generalised ones by
    # standard errors over both K (few samples carry the mean of t_c), and spurious ones between on the average.
    found = [r for r in groups("classes")["digits network"] if r.K in (18, 36)]
    mean, error = {}, {}
    for name in CLASSES:
        _, value, error_of = against(found, f"{what} {name}", least=5)
        assert len(value) == 2
        mean[name], error[name] = value.mean(), float(np.hypot(*error_of)) / 2.0
    assert mean["memorised"] > mean["spurious"] > mean["generalised"]
    gap = mean["memorised"] - mean["generalised"]
    assert gap > factor * np.hypot(error["memorised"], error["generalised"])


@pytest.mark.parametrize("group", ["digits exact", "digits network"])
@pytest.mark.parametrize("what", ["t_c", "log_volume", "softest"])
def test_by_ranks_memorised_places_of_digits_are_above_generalised_ones(what: str, group: str) -> None:
    # Every place once, within each training set: by four standard errors at least, a false alarm in 30 000.
    found = {(o.above, o.below): o for o in orders(groups("classes")[group]) if o.K is None and o.quantity == what}
    assert found["memorised", "generalised"].z > 4.0
    assert all(o.verdict != "reversed" for o in found.values())


@pytest.mark.parametrize("group", ["circle exact", "digits wide"])
def test_attractors_go_from_memorised_through_spurious_to_generalised(group: str) -> None:
    # By barriers the spurious peak is no small one: most of the memories lead there in between.
    share = {name: against(groups("fractions")[group], f"basins {name}") for name in CLASSES}
    memorised, spurious, generalised = (share[name][1] for name in CLASSES)
    assert memorised[0] == 1.0
    assert (np.diff(memorised) <= 0.0).all()
    assert memorised[-1] < 0.02
    assert 0 < spurious.argmax() < len(spurious) - 1
    assert spurious.max() > 0.5
    assert generalised[0] == 0.0
    assert generalised.argmax() == len(generalised) - 1
    assert generalised[-1] > 0.5
