"""Results saved are results read back; files are whole or absent."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

import spinodal as sp
from numerics.files import reserved
from spinodal.diagrams import Curve, Diagram
from spinodal.drawing import FORMATS, draw


def some_diagram() -> Diagram:
    nan = np.nan
    storage = Curve(
        "example",
        "spinodal",
        None,
        "alpha",
        "alpha_d",
        np.array([1.0, 0.2, 1e-3]),
        np.array([0.1048823134, 0.0556231502, nan]),
        np.array([1e-15, 2e-15, nan]),
        ("CONVERGED", "CONVERGED", "NO_SOLUTION"),
    )
    mixture = Curve(
        "mixture",
        "spinodal",
        3,
        "alpha_d",
        "alpha",
        np.array([1.0]),
        np.array([0.0145507884]),
        np.array([1e-12]),
        ("CONVERGED",),
    )
    return Diagram(
        "random-features",
        {"temperature": 0.0, "nonlinearity": "sign"},
        (storage, mixture),
        {"spinodal": "0.1.0", "seconds": "1.00"},
    )


def test_a_diagram_comes_back_from_netcdf_as_it_was(tmp_path: Path) -> None:
    path = sp.save(some_diagram(), tmp_path / "lines.nc")
    found = sp.load(path)
    assert (found.model, found.parameters, found.provenance) == (
        "random-features",
        {"temperature": 0.0, "nonlinearity": "sign"},
        {"spinodal": "0.1.0", "seconds": "1.00"},
    )
    for ours, theirs in zip(some_diagram().lines, found.lines, strict=True):
        for f in dataclasses.fields(Curve):
            a, b = getattr(ours, f.name), getattr(theirs, f.name)
            if isinstance(a, np.ndarray):
                np.testing.assert_array_equal(a, b)
                assert b.dtype == np.float64
            else:
                assert a == b, f.name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lines.csv", "lines.nc"]


def test_the_csv_has_every_point_to_the_last_bit(tmp_path: Path) -> None:
    sp.save(some_diagram(), tmp_path / "lines.nc")
    text = (tmp_path / "lines.csv").read_text()
    assert "nan" not in text
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert [row["status"] for row in rows] == ["CONVERGED", "CONVERGED", "NO_SOLUTION", "CONVERGED"]
    assert float(rows[0]["value"]) == 0.1048823134
    assert rows[2]["value"] == ""
    assert (rows[3]["L"], rows[3]["vary"]) == ("3", "alpha_d")


def test_a_diagram_without_lines_survives(tmp_path: Path) -> None:
    empty = Diagram("hopfield", {}, ())
    assert sp.load(sp.save(empty, tmp_path / "empty.nc")) == empty


def test_a_record_comes_back(tmp_path: Path) -> None:
    record = sp.simulate(sp.Hopfield(alpha=0.05), 100, start="example", samples=2)
    assert sp.load(sp.save(record, tmp_path / "record.json")) == record


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe\x00", b"{'a': 1}"])
@pytest.mark.parametrize("ending", [".json", ".nc"])
def test_what_is_no_result_is_refused_in_a_sentence(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    with pytest.raises(sp.InvalidInput, match=str(path)):
        sp.load(path)


def test_missing_files_and_odd_things_are_refused(tmp_path: Path) -> None:
    with pytest.raises(sp.InvalidInput, match="not a file"):
        sp.load(tmp_path / "nothing.nc")
    with pytest.raises(sp.InvalidInput, match=r"\.nc"):
        sp.save(some_diagram(), tmp_path / "lines.txt")
    with pytest.raises(sp.InvalidInput, match="cannot be saved"):
        sp.save(3, tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_block_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "kept.csv"
    target.write_text("old")

    def fail() -> None:
        with reserved(target) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    with reserved(tmp_path / "ours"):
        pass
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("ending", FORMATS)
def test_the_figure_is_drawn_in_every_format(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"lines{ending}"
    draw(some_diagram(), path)
    start = {".pdf": b"%PDF", ".png": b"\x89PNG", ".svg": b"<?xml"}[ending]
    assert path.read_bytes().startswith(start)
