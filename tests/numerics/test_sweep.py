"""Sweeps: what the data set holds, what is reused, refused, redone and shared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import numerics.sweep
import theory.model
from numerics import dataset, simulate
from numerics.plan_file import read_plan
from numerics.store import Store
from numerics.sweep import fill, parse_shard, sweep
from numerics.sweep_folder import SweepFolder, SweepStatus, sweep_status
from theory.errors import InvalidInput, NotConverged
from theory.model import register
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures


def runs(monkeypatch):
    """Names of the tasks that are really run in this process."""
    ran = []
    run = numerics.sweep.run_block

    def counted(plan, block):
        ran.append(block.name)
        return run(plan, block)

    monkeypatch.setattr(numerics.sweep, "run_block", counted)
    return ran


def test_the_data_set_holds_what_simulate_finds(plan, tmp_path):
    found = sweep(plan, out=tmp_path / "out")
    assert found["m"].dims == ("alpha", "start", "N")
    assert found["m_samples"].dims == ("alpha", "start", "N", "sample")
    for alpha, start, N in ((0.05, "example", 60), (0.2, "feature", 100)):
        record = simulate.simulate(RandomFeatures(alpha, 0.5), N, start=start, samples=5)
        here = found.sel(alpha=alpha, start=start, N=N)
        assert (here["P"], here["D"]) == (record.P, record.D)
        assert {name: here[f"{name}_realised"].item() for name in record.loads} == record.loads
        for name, measured in record.measurements.items():
            assert here[name].item() == measured.value
            assert here[f"{name}_error"].item() == measured.error
            assert here[f"{name}_samples"].values.tolist() == record.values[name]
    assert np.isnan(found["t"].sel(start="feature")).all()  # measured for examples only
    assert found.attrs["model"] == "random-features"
    assert found.attrs["seed"] == 0
    assert found.attrs["parameters"] == '{"alpha_d": 0.5, "nonlinearity": "sign", "temperature": 0.0}'
    assert {"spinodal", "numpy", "cpu", "created", "started", "task_seconds", "plan_sha256"} <= set(found.attrs)


def test_chosen_observables_only(tmp_path):
    table = {"model": "hopfield", "N": [50], "samples": 2, "observables": ["energy"], "parameters": {"alpha": 0.1}}
    assert set(sweep(table, out=tmp_path).data_vars) == {
        *("P", "D", "alpha_realised"),
        *("energy", "energy_error", "energy_samples"),
    }
    # Records hold everything, so another choice costs nothing.
    assert "m" in sweep({**table, "observables": ["m"]}, out=tmp_path)


def test_loads_that_round_to_the_same_are_told_and_realised_ones_are_kept(tmp_path, capsys):
    table = {"model": "hopfield", "N": [20, 30, 1000], "samples": 2, "grid": {"alpha": [0.101, 0.102]}}
    found = sweep(table, out=tmp_path / "out")
    told = capsys.readouterr().err
    assert told.startswith("2 points of the grid repeat another, as alpha = 0.102 at N = 30 that of alpha = 0.101: ")
    assert told.count("\n") == 1
    assert found["alpha_realised"].values.tolist() == [[0.1, 0.1, 0.101], [0.1, 0.1, 0.102]]
    assert "alpha_d_realised" not in found
    for name in ("P", "D", "alpha", "N", "sample", "alpha_realised"):
        assert found[name].attrs["long_name"]
    sweep({**table, "N": [1000]}, out=tmp_path / "other")
    assert capsys.readouterr().err == ""


def test_an_option_that_is_also_measured_is_given_under_another_name(tmp_path):
    table = {
        "model": "hopfield",
        "N": [50],
        "samples": 2,
        "parameters": {"alpha": 0.1},
        "grid": {"overlap": [0.5, 1.0]},
    }
    found = sweep(table, out=tmp_path)
    assert found["overlap"].dims == ("overlap_given", "N")


def test_workers_shards_order_and_resumption_do_not_matter(plan, tmp_path, monkeypatch, same):
    ready = read_plan(plan)
    alone = sweep(plan, out=tmp_path / "alone")
    assert same(sweep(plan, out=tmp_path / "two", workers=2), alone)
    for i in (3, 1, 2):
        assert fill(ready, tmp_path / "shards", shard=(i, 3)) == (i == 2)
    assert same(dataset.read_dataset(tmp_path / "shards"), alone)
    folder = SweepFolder(tmp_path / "shards")
    names = folder.store.names()
    for name in names[::3]:
        folder.store.path(name).unlink()
    ran = runs(monkeypatch)
    assert same(sweep(plan, out=tmp_path / "shards"), alone)
    assert sorted(ran) == names[::3]


def test_damaged_records_are_found_and_redone(plan, tmp_path, monkeypatch, same, capsys):
    alone = sweep(plan, out=tmp_path / "out")
    store = SweepFolder(tmp_path / "out").store
    first, second, third, fourth = (store.path(name) for name in store.names()[:4])
    first.write_bytes(first.read_bytes()[:-40])
    second.write_text(second.read_text().replace('"last": ', '"last": 1'))
    third.write_text("")
    fourth.write_bytes(store.path(store.names()[5]).read_bytes())  # valid, but of another task
    assert SweepFolder(tmp_path / "out").status().corrupt == 3
    ran = runs(monkeypatch)
    capsys.readouterr()
    assert same(sweep(plan, out=tmp_path / "out"), alone)
    aside = tmp_path / "out" / "records" / "damaged"
    assert capsys.readouterr().err == f"3 damaged records are set aside in '{aside}' and computed anew.\n"
    assert len(list(aside.iterdir())) == 3
    assert sorted(ran) == sorted(p.stem for p in (first, second, third, fourth))
    assert SweepFolder(tmp_path / "out").status().corrupt == 0


def test_an_extended_plan_reuses_all_records(tmp_path, monkeypatch, same):
    table = {"model": "hopfield", "N": [50], "samples": 5, "samples_per_task": 4, "grid": {"alpha": [0.1]}}
    sweep(table, out=tmp_path)
    longer = {**table, "N": [50, 60], "samples": 9, "grid": {"alpha": [0.05, 0.1]}}
    computed = []
    run = simulate.run_sample
    monkeypatch.setattr(simulate, "run_sample", lambda task, i: computed.append((task.P, task.N, i)) or run(task, i))
    found = sweep(longer, out=tmp_path)
    assert len(computed) == 4 * 9 - 5
    assert {i for P, N, i in computed if (P, N) == (5, 50)} == {5, 6, 7, 8}
    assert same(found, sweep(longer, out=tmp_path / "fresh"))
    with pytest.raises(InvalidInput, match=r"holds another plan \(alpha = 0.05 is there and not here\)"):
        sweep(table, out=tmp_path)


def test_a_folder_of_another_plan_is_refused_before_any_work(plan, tmp_path, monkeypatch):
    sweep(plan, out=tmp_path / "out")
    before = sorted(p.name for p in (tmp_path / "out").rglob("*"))
    plan.write_text(plan.read_text() + "[run]\noverlap = 0.9\n")
    ran = runs(monkeypatch)
    with pytest.raises(InvalidInput, match=r"overlap = 1 there and 0\.9 here"):
        sweep(plan, out=tmp_path / "out")
    assert ran == []
    assert sorted(p.name for p in (tmp_path / "out").rglob("*")) == before


@pytest.mark.parametrize("damage", ["damaged", "missing"])
def test_records_know_their_plan_when_the_folder_does_not(tmp_path, monkeypatch, same, capsys, damage):
    table = {"model": "hopfield", "N": [50], "samples": 2, "grid": {"alpha": [0.1, 0.2]}}
    alone = sweep(table, out=tmp_path)
    (tmp_path / "plan.json").write_text("{") if damage == "damaged" else (tmp_path / "plan.json").unlink()
    with pytest.raises(InvalidInput, match="start the sweep again" if damage == "damaged" else "no plan.json"):
        sweep_status(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()}
    ran = runs(monkeypatch)
    for other in ({"seed": 1}, {"grid": {"alpha": [0.1, 0.3]}}, {"model": "random-features", "N": [60]}):
        loads = {"parameters": {"alpha_d": 0.5}} if "model" in other else {}
        with pytest.raises(InvalidInput, match=f"records of another plan .* plan.json is {damage}"):
            sweep({**table, **other, **loads}, out=tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()} == before
    assert capsys.readouterr().err == ""
    assert same(sweep(table, out=tmp_path), alone)
    told = f"plan.json in '{tmp_path}' was damaged; it is written anew.\n"
    assert (ran, capsys.readouterr().err) == ([], told if damage == "damaged" else "")
    assert sweep_status(tmp_path).done == 2


@pytest.mark.parametrize("how", ["garbage", "cut", "folder"])
def test_a_damaged_data_set_is_seen_and_written_anew(tmp_path, same, how):
    table = {"model": "hopfield", "N": [50], "samples": 2, "parameters": {"alpha": 0.1}}
    alone = sweep(table, out=tmp_path)
    file = tmp_path / "dataset.nc"
    content = file.read_bytes()
    file.unlink()
    file.mkdir() if how == "folder" else file.write_bytes(b"x" * 99 if how == "garbage" else content[:-500])
    status = sweep_status(tmp_path)
    assert (status.dataset, status.dataset_damaged) == (None, True)
    if how == "folder":
        with pytest.raises(InvalidInput, match="is a folder, where the data set belongs; remove it"):
            sweep(table, out=tmp_path)
        file.rmdir()
    assert same(sweep(table, out=tmp_path), alone)
    status = sweep_status(tmp_path)
    assert (status.dataset, status.dataset_damaged) == (str(file), False)


def test_a_folder_with_other_files_is_refused_and_left_alone(plan, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(InvalidInput, match=r"holds other files \('thesis.tex'\); give a new folder"):
        sweep(plan, out=tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_arguments_that_are_no_plan_or_no_folder(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for nothing in (None, 3, [1], 1.5, b"plan"):
        with pytest.raises(InvalidInput, match="is no plan; give"):
            sweep(nothing, out=tmp_path / "out")
    for nothing in (None, 3, "", " ", ["out"]):
        with pytest.raises(InvalidInput, match="is no folder; give the name of one"):
            sweep(plan, out=nothing)
        with pytest.raises(InvalidInput, match="is no folder; give the name of one"):
            sweep_status(nothing)
    assert [p.name for p in tmp_path.iterdir()] == ["plan.toml"]


def test_a_sweep_whose_tasks_all_fail_stops_early(tmp_path, monkeypatch):
    def broken(task, index):
        raise RuntimeError("no")

    monkeypatch.setattr(simulate, "run_sample", broken)
    table = {"model": "hopfield", "N": [50], "samples": 100, "samples_per_task": 1, "parameters": {"alpha": 0.1}}
    with pytest.raises(NotConverged, match=f"^{numerics.sweep.GIVE_UP} of 100 tasks failed"):
        sweep(table, out=tmp_path)


def test_two_runs_in_one_folder_share_the_work(slow, tmp_path, same, start):
    ready = read_plan(slow)
    both = [start("sweep", slow, "--out", tmp_path / "out", "--workers", 1) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert same(dataset.read_dataset(tmp_path / "out"), sweep(slow, out=tmp_path / "alone"))
    assert SweepFolder(tmp_path / "out").status().done == ready.tasks
    assert SweepFolder(tmp_path / "out").store.claims() == []


def test_tasks_claimed_elsewhere_are_awaited_or_taken_over(slow, tmp_path, monkeypatch):
    """Another machine holds a claim; it goes silent, and the run that waited computes the task."""
    monkeypatch.setattr(numerics.sweep, "PAUSE", 0.05)
    monkeypatch.setattr(numerics.sweep, "TICK", 0.05)
    ready = read_plan(slow)
    folder = SweepFolder(tmp_path / "out")
    folder.open(ready)
    name = next(ready.blocks()).name
    other = Store(folder.store.place)
    assert other.claim(name)
    told = []

    def progress(label, done, total):
        told.append((label, done))
        if label.startswith("waiting"):
            assert done == total - 1
            other.release(name)

    assert fill(ready, tmp_path / "out", progress=progress)
    assert any(label.startswith("waiting") for label, _ in told)


def test_a_model_that_only_this_process_knows_runs_only_here(tmp_path):
    @register
    @dataclass(frozen=True)
    class OfATest(Hopfield):
        name = "of-a-test"

    try:
        table = {"model": "of-a-test", "N": [50], "samples": 1, "parameters": {"alpha": 0.1}}
        with pytest.raises(InvalidInput, match="'of-a-test' is registered in this process only"):
            sweep(table, out=tmp_path, workers=2)
        assert sweep(table, out=tmp_path)["P"] == 5
    finally:
        del theory.model._REGISTRY["of-a-test"]


def test_the_status_knows_who_is_at_work_and_how_fast(plan, tmp_path):
    folder = SweepFolder(tmp_path / "out")
    fill(read_plan(plan), tmp_path / "out", shard=(1, 2))
    idle = folder.status()
    assert (idle.done, idle.claimed, idle.rate, idle.remaining_seconds) == (idle.tasks // 2, 0, None, None)
    name = folder.missing(list(read_plan(plan).blocks()))[0].name
    with folder.store.claimed(name):
        busy = folder.status()
    assert busy.claimed == 1
    assert busy.rate > 0
    assert busy.remaining_seconds == pytest.approx(busy.missing / busy.rate)
    assert SweepStatus(**busy.to_json()) == busy


def test_shards():
    assert parse_shard("1/1") == (1, 1)
    for text in ("", "1", "0/4", "5/4", "1/0", "a/4", "1/4/2", "-1/4", "1.5/4", "1/", "/4", " 1/4"):
        with pytest.raises(InvalidInput, match=f"shard = '{text}'"):
            parse_shard(text)
