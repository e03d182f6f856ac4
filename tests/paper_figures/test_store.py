"""Records: computed when missing, damaged or not the ones declared, and only then."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from numerics.records import Record
from paper_figures.plan import Simulation
from paper_figures.store import fulfil, read_archive, write_archive
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

MODEL = RandomFeatures(alpha=0.05, alpha_d=0.5)
SIMULATIONS = [Simulation(MODEL, N, "example", 3) for N in (100, 200, 300)]


class Told(list):
    """A progress callback that remembers."""

    def __call__(self, label: str, done: int, total: int) -> None:
        self.append((label, done, total))


@pytest.fixture
def runs(monkeypatch):
    """Keys of the simulations that are really run."""
    ran: list[str] = []
    run = Simulation.run

    def counted(self, **options):
        ran.append(self.key)
        return run(self, **options)

    monkeypatch.setattr(Simulation, "run", counted)
    return ran


def test_a_record_of_another_nonlinearity_is_not_the_one_declared():
    record = SIMULATIONS[0].run()
    assert SIMULATIONS[0].matches(record)
    assert not SIMULATIONS[0].matches(replace(record, parameters={**record.parameters, "nonlinearity": "tanh"}))


def measurements(records):
    return {key: record.measurements for key, record in records.items()}


def test_a_second_run_computes_nothing_and_finds_the_same(tmp_path, runs):
    first = fulfil(SIMULATIONS, store=tmp_path, progress=Told())
    assert len(runs) == 3
    second = fulfil(SIMULATIONS, store=tmp_path, progress=Told())
    assert len(runs) == 3
    assert measurements(first) == measurements(second)


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "deleted"])
def test_only_a_damaged_record_is_recomputed_and_comes_out_the_same(tmp_path, runs, damage):
    first = fulfil(SIMULATIONS, store=tmp_path, progress=Told())
    runs.clear()
    path = tmp_path / f"{SIMULATIONS[1].key}.json"
    text = path.read_text()
    value = f'"value": {first[SIMULATIONS[1].key]["m"].value}'
    assert value in text
    if damage == "deleted":
        path.unlink()
    else:
        path.write_text(
            {"truncated": text[: len(text) // 2], "altered": text.replace(value, '"value": 0.5'), "emptied": ""}[damage]
        )
    second = fulfil(SIMULATIONS, store=tmp_path, progress=Told())
    assert runs == [SIMULATIONS[1].key]
    assert measurements(first) == measurements(second)
    assert Record.load(path).measurements == second[SIMULATIONS[1].key].measurements


def test_a_record_of_another_simulation_under_the_right_name_is_not_used(tmp_path, runs):
    wanted = SIMULATIONS[0]
    replace(wanted, seed=1).run().save(tmp_path / f"{wanted.key}.json")
    runs.clear()
    found = fulfil([wanted], store=tmp_path, progress=Told())
    assert runs == [wanted.key]
    assert found[wanted.key].seed == 0


def test_an_interrupted_run_keeps_what_it_had_computed(tmp_path, runs):
    def interrupt(label: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fulfil(SIMULATIONS, store=tmp_path, progress=interrupt)
    assert len(runs) == 2
    told = Told()
    fulfil(SIMULATIONS, store=tmp_path, progress=told)
    assert len(runs) == 3
    assert told[0][1:] == (2, 3)
    assert told[-1] == ("2 records at hand, 1 computed", 3, 3)


def test_the_archive_saves_computing_and_its_damaged_lines_do_not(tmp_path, runs):
    records = fulfil(SIMULATIONS, store=tmp_path / "first", progress=Told())
    archive = tmp_path / "records.jsonl"
    write_archive(archive, records)
    runs.clear()
    found = fulfil(SIMULATIONS, store=tmp_path / "second", archive=archive, progress=Told())
    assert not runs
    assert not (tmp_path / "second").exists()
    assert measurements(found) == measurements(records)
    shared, *lines = archive.read_text().splitlines()
    broken = json.loads(lines[2])
    broken["record"]["measurements"]["m"][0] += 1e-3
    archive.write_text("\n".join([shared, lines[0], lines[1][:-10], json.dumps(broken)]))
    assert list(read_archive(archive)) == [SIMULATIONS[0].key]
    again = fulfil(SIMULATIONS, store=tmp_path / "third", archive=archive, progress=Told())
    assert runs == [s.key for s in SIMULATIONS[1:]]
    assert measurements(again) == measurements(records)
    # What all records share is covered by the checksum of each.
    assert '"seed":0' in shared
    for damaged in (shared.replace('"seed":0', '"seed":1'), shared[:-10], '{"shared":[]}', ""):
        archive.write_text("\n".join([damaged, *lines]))
        assert read_archive(archive) == {}


def test_an_archive_gives_back_all_but_the_values_per_sample_to_the_last_digit(tmp_path):
    simulations = [*SIMULATIONS, Simulation(Hopfield(alpha=0.05, temperature=0.3), 60, "example", 2, sweeps=32)]
    records = {s.key: s.run() for s in simulations}
    for kept in (records, dict(list(records.items())[:1]), {}):
        write_archive(tmp_path / "records.jsonl", kept)
        found = read_archive(tmp_path / "records.jsonl")
        assert list(found) == list(kept)
        for key, record in kept.items():
            assert json.dumps(found[key].to_json(), sort_keys=True) == json.dumps(
                replace(record, values={}).to_json(), sort_keys=True
            )


def test_records_do_not_depend_on_the_number_of_threads():
    assert SIMULATIONS[0].run(workers=1).measurements == SIMULATIONS[0].run(workers=3).measurements


def test_keys_tell_all_declared_differences_apart():
    first = SIMULATIONS[0]
    others = [
        replace(first, N=101),
        replace(first, start="feature"),
        replace(first, samples=4),
        replace(first, seed=1),
        replace(first, start="mixture", L=3),
        replace(first, start="mixture", L=5),
        replace(first, coefficients="binary"),
        replace(first, coefficients="sparse"),
        replace(first, coefficients="sparse", L_train=5),
        replace(first, model=RandomFeatures(alpha=0.06, alpha_d=0.5)),
        replace(first, model=RandomFeatures(alpha=0.05, alpha_d=0.6)),
    ]
    assert len({s.key for s in [first, *others]}) == len(others) + 1
    record = first.run()
    assert first.matches(record)
    assert not any(other.matches(record) for other in others)
