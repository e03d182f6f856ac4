"""Records survive the disk, and damage is noticed."""

from __future__ import annotations

import json
import os

import pytest

from numerics import records
from numerics.records import Record
from numerics.simulate import simulate
from theory.errors import InvalidInput
from theory.models.hopfield import Hopfield


@pytest.fixture(scope="module")
def record() -> Record:
    return simulate(Hopfield(alpha=0.1), 50, start="example", samples=2)


def test_a_record_comes_back_as_it_was(record, tmp_path):
    record.save(tmp_path / "r.json")
    assert Record.load(tmp_path / "r.json") == record
    assert Record.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False))) == record
    assert sorted(os.listdir(tmp_path)) == ["r.json"]


def test_every_truncation_is_noticed(record, tmp_path):
    path = tmp_path / "r.json"
    record.save(path)
    whole = path.read_bytes()
    for length in {0, 1, 10, len(whole) // 2, len(whole) - 3}:
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidInput, match="damaged"):
            records.read(path)


def test_flipped_bits_are_noticed(record, tmp_path):
    path = tmp_path / "r.json"
    record.save(path)
    whole = path.read_bytes()
    first = whole.index(b'"data"')
    noticed = 0
    for position in range(first, len(whole) - 4, 7):
        for bit in (0, 3, 6):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(bytes(damaged))
            try:
                back = records.read(path)
            except InvalidInput:
                noticed += 1
            else:  # a flip may leave the meaning as it was (white space), never change it
                assert back == record.to_json()
    assert noticed > 200


def test_a_failed_write_leaves_the_old_file(record, tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    record.save(path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InvalidInput, match="No space left"):
        record.save(path)
    monkeypatch.undo()
    assert Record.load(path) == record
    assert sorted(os.listdir(tmp_path)) == ["r.json"]


def test_wrong_files_are_one_sentence(record, tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        records.read(tmp_path / "absent.json")
    with pytest.raises(InvalidInput, match="cannot be written"):
        record.save(tmp_path / "no" / "r.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="not text"):
        records.read(tmp_path / "b.json")
    (tmp_path / "c.json").write_text("[]")
    with pytest.raises(InvalidInput, match="damaged or no record"):
        records.read(tmp_path / "c.json")
    records.write(tmp_path / "d.json", {"some": "thing"})
    with pytest.raises(InvalidInput, match="no simulation record"):
        Record.load(tmp_path / "d.json")
    envelope = json.loads((tmp_path / "d.json").read_text()) | {"format": 99}
    (tmp_path / "d.json").write_text(json.dumps(envelope))
    with pytest.raises(InvalidInput, match="format 99"):
        records.read(tmp_path / "d.json")


def test_an_unmeasured_name_is_one_sentence(record):
    assert record["m"].n == 2
    with pytest.raises(InvalidInput, match="'p_d' was not measured; the record has m, overlap"):
        record["p_d"]


def test_records_of_quenches_have_no_word_on_sampling(record):
    """Records written before there was sampling remain valid, byte for byte."""
    assert record.sampling is None
    assert record.equilibrated is None
    assert "sampling" not in record.to_json()
    warm = simulate(Hopfield(alpha=0.1, temperature=1.5), 40, start="random", samples=2, sweeps=32)
    assert "sampling" in warm.to_json()
    assert Record.from_json(json.loads(json.dumps(warm.to_json(), allow_nan=False))) == warm
