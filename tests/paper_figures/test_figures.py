"""Figures draw from small but real simulations, are whole, and say what their axes are."""

from __future__ import annotations

import struct

import matplotlib
import pytest

from paper_figures import style
from paper_figures.catalogue import catalogue, draw
from paper_figures.plan import Simulation
from paper_figures.store import fulfil
from paper_figures.vector_thresholds.thresholds import ThresholdsOf
from paper_figures.vectors import LineOf, MinimaOf, StepOf

# Figures of other papers have their own tests.
ENTRIES = [e for e in catalogue() if e.paper not in ("pham2025", "bonnaire2025")]
TINY = {
    "phase-diagram": {100: 6, 200: 4},
    "magnetisations": {200: 2, 400: 2},
    "decisive": {100: 3, 200: 2},
    "mixture-spinodals": {},
    "unseen": {1400: 2},
    "unseen-map": {1200: 1},
    "order-parameters": {100: 2},
    "replicons": {100: 3},
    "phase-diagrams": {100: 4, 200: 4},
    "one-step": {100: 3},
    "local-fields": {100: 3},
    "hessian-densities": {100: 3},
    "participation": {100: 3},
    "dimension": {100: 2, 200: 2},
}
SLOW = ("order-parameters", "phase-diagrams", "dimension")  # points at temperature > 0 and many lines take seconds


def silent(label: str, done: int, total: int) -> None:
    """Say nothing."""


def pixels(path) -> tuple[int, int]:
    return struct.unpack(">II", path.read_bytes()[16:24])


@pytest.mark.parametrize(
    "entry",
    [pytest.param(e, marks=pytest.mark.slow) if e.name in SLOW else e for e in ENTRIES],
    ids=lambda e: e.name,
)
def test_drawn_from_tiny_simulations(entry, tmp_path):
    spec = entry.module.spec(TINY[entry.name])
    records = fulfil(spec.all_simulations(), store=tmp_path / "records", progress=silent)
    before = dict(matplotlib.rcParams)
    with style.styled():
        results = spec.results(records, progress=silent)
        figure = entry.module.draw(results)
        files = style.save(figure, tmp_path, "figure")
        first = [path.read_bytes() for path in files]
        style.save(entry.module.draw(results), tmp_path, "figure")
    assert [path.read_bytes() for path in files] == first
    assert dict(matplotlib.rcParams) == before
    assert [path.name for path in files] == ["figure.pdf", "figure.png"]
    assert first[0].startswith(b"%PDF")
    width, height = figure.get_size_inches()
    assert width in (3.4, 7.0)
    assert pixels(files[1]) == (round(300 * width), round(300 * height))
    labelled = [axes.get_xlabel() + axes.get_ylabel() + axes.get_title(loc="left") for axes in figure.axes]
    assert any("alpha" in text for text in labelled)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    for place in (axes.get_subplotspec() for axes in panels):
        assert place is not None
    assert all(axes.get_xlabel() for axes in panels if axes.get_subplotspec().is_last_row())
    of_all = figure.get_supylabel()
    assert all(axes.get_ylabel() or of_all for axes in panels if axes.get_subplotspec().is_first_col())
    for axes in figure.axes:
        assert axes.has_data()
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    assert min(t.get_fontsize() for t in texts) >= 6.0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_drawing_writes_records_that_a_second_drawing_uses(tmp_path, monkeypatch):
    entry = next(e for e in ENTRIES if e.name == "unseen-map")
    monkeypatch.setattr(entry.module, "QUICK", {1200: 1})
    told: list[str] = []
    files = draw("kalaj2024", "unseen-map", quick=True, out=tmp_path, progress=lambda label, *_: told.append(label))
    assert [path.name for path in files] == ["kalaj2024-unseen-map.pdf", "kalaj2024-unseen-map.png"]
    count = len(list((tmp_path / "records").glob("*.json")))
    assert f"0 records at hand, {count} computed" in told
    monkeypatch.setattr(Simulation, "run", lambda self, **_: pytest.fail("simulated"))
    draw("kalaj2024", "unseen-map", quick=True, out=tmp_path, progress=silent)


@pytest.mark.slow
@pytest.mark.parametrize("paper", ["negri2023", "kalaj2024", "nicoletti2025", "vector-thresholds"])
def test_full_figures_are_redrawn_from_the_packages_records(paper, tmp_path, monkeypatch):
    for kind in (Simulation, MinimaOf, StepOf, LineOf, ThresholdsOf):
        monkeypatch.setattr(kind, "run", lambda self, **_: pytest.fail("simulated"))
    files = draw(paper, out=tmp_path, progress=silent)
    assert len(files) == 2 * sum(e.paper == paper for e in ENTRIES)
    assert not (tmp_path / "records").exists()
