"""The catalogue is complete, its entries say what they must, and misuse is answered in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

import paper_figures
from paper_figures.catalogue import archive_of, catalogue, collect, draw
from paper_figures.plan import Simulation
from paper_figures.store import read_archive
from theory.errors import InvalidInput

ENTRIES = catalogue()
HOME = Path(paper_figures.__file__).parent


def name_of(entry) -> str:
    return f"{entry.paper}-{entry.name}"


def test_every_figure_module_is_in_the_catalogue():
    files = {f"{p.parent.name}-{p.stem.removeprefix('fig_')}".replace("_", "-") for p in HOME.glob("*/fig_*.py")}
    assert files == {name_of(e) for e in ENTRIES}
    papers = {"negri2023", "kalaj2024", "nicoletti2025", "vector-thresholds", "bonnaire2025", "pham2025"}
    assert {e.paper for e in ENTRIES} == papers


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_entries_state_claim_cost_and_tolerance(entry):
    assert entry.claim.endswith(".")
    assert "redraw" in entry.cost
    assert len(entry.tolerance) > 20


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_the_package_holds_the_records_of_the_full_figures(entry):
    wanted = entry.module.spec(entry.module.FULL).all_simulations()
    records = read_archive(archive_of(entry.paper, entry.name))
    assert [s.key for s in wanted if s.key not in records or not s.matches(records[s.key])] == []
    assert set(records) == {s.key for s in wanted}


def test_the_records_are_small():
    assert sum(p.stat().st_size for p in HOME.glob("*/records/*")) < 1.5e6


@pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
def test_quick_simulations_are_not_the_recorded_ones(entry):
    full = {s.key for s in entry.module.spec(entry.module.FULL).all_simulations()}
    assert not full & {s.key for s in entry.module.spec(entry.module.QUICK).all_simulations()}


def test_an_archived_record_gives_what_its_simulation_gives():
    # One record recomputed here: versions, threads and machines do not change it.
    entry = next(e for e in ENTRIES if e.name == "phase-diagram")
    wanted = min(entry.module.spec(entry.module.FULL).all_simulations(), key=lambda s: (s.N, s.model.alpha_d))
    archived = read_archive(archive_of(entry.paper, entry.name))[wanted.key]
    again = wanted.run(workers=2)
    for name, measurement in archived.measurements.items():
        assert again[name].value == pytest.approx(measurement.value, rel=1e-12)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(InvalidInput, match="did you mean 'negri2023'"):
        draw("negri2013")
    with pytest.raises(InvalidInput, match="did you mean 'phase-diagram'"):
        draw("negri2023", "phase-diagrams")


def test_a_place_that_is_no_folder_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(Simulation, "run", lambda self, **_: pytest.fail("simulated"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written to as a folder"):
        draw("negri2023", "phase-diagram", out=tmp_path / "file", quick=True)


@pytest.mark.parametrize("name", ["x.pdf", "new/x.PNG"])
def test_the_name_of_a_file_is_no_folder(tmp_path, name):
    with pytest.raises(InvalidInput, match=r"give their folder, as '\S+'\."):
        draw("negri2023", "phase-diagram", out=tmp_path / name, quick=True)
    assert not list(tmp_path.iterdir())


def test_an_incomplete_run_does_not_become_the_packages_records(tmp_path, monkeypatch):
    monkeypatch.setattr("paper_figures.catalogue.archive_of", lambda paper, name: tmp_path / "records.jsonl")
    with pytest.raises(InvalidInput, match="records are not in"):
        collect("negri2023", "phase-diagram", tmp_path)
    assert not (tmp_path / "records.jsonl").exists()
