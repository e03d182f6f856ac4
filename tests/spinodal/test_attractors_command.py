"""`spinodal attractors`: answers, files, figures and misuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.parametrize(("K", "most"), [(2, "memorised"), (9, "spurious"), (1000, "generalised")])
def test_the_circle_is_classified(spinodal: Callable, K: int, most: str) -> None:
    ran = spinodal("attractors", "circle", "--K", K, "--sigma", 0.2, "--json")
    assert ran.code == 0
    assert max(ran.data["classes"], key=ran.data["classes"].get) == most
    assert ran.data["status"] == "CONVERGED"
    assert ran.data["error"] < 1e-10
    assert ran.data["beta"] == pytest.approx(12.5)


def test_a_file_is_read_and_the_answer_saved_and_drawn(spinodal: Callable, tmp_path: Path) -> None:
    data = tmp_path / "points.npy"
    np.save(data, np.random.default_rng(0).standard_normal((30, 5)))
    figure, out, arrays = tmp_path / "a.png", tmp_path / "a.json", tmp_path / "a.npz"
    ran = spinodal("attractors", data, "--sigma", 0.8, "--figure", figure, "--out", out, "--json")
    assert ran.code == 0
    assert ran.data["files"] == [str(out), str(figure)]
    assert json.loads(out.read_text()) == ran.data
    assert figure.read_bytes().startswith(b"\x89PNG")
    shown = spinodal("attractors", data, "--sigma", 0.8, "--out", arrays)
    assert shown.code == 0
    for word in ("memorised", "delta_m", "CONVERGED", f"wrote {arrays}"):
        assert word in shown.out.replace("\n", "")
    with np.load(arrays) as saved:
        assert saved["points"].shape == (ran.data["minima"], 5)


@pytest.mark.parametrize("shape", [(12, 1), (12, 2), (3, 40)])
def test_any_dimension_is_drawn(spinodal: Callable, tmp_path: Path, shape: tuple[int, int]) -> None:
    data = tmp_path / "points.csv"
    np.savetxt(data, np.random.default_rng(1).standard_normal(shape), delimiter=",")
    assert spinodal("attractors", data, "--sigma", 0.3, "--figure", tmp_path / "a.pdf").code == 0


def test_digits_are_there(spinodal: Callable) -> None:
    pytest.importorskip("sklearn")
    ran = spinodal("attractors", "digits", "--K", 60, "--sigma", 0.3, "--json")
    assert (ran.code, ran.data["K"], ran.data["N"]) == (0, 60, 64)
    assert ran.data["classes"]["memorised"] > 30


@pytest.mark.parametrize(
    ("points", "arguments", "sentence"),
    [
        ([[0.0], [1.0]], ("--sigma", 0.0), "sigma = 0.0 is not allowed"),
        ([[0.0], [1.0]], ("--sigma", -1), "0 < sigma < infinity"),
        ([[0.0], [np.nan]], ("--sigma", 1), "undefined everywhere"),
        ([[0.0], [0.0], [1.0]], ("--sigma", 1), "lowers their energy by (1/beta) log(multiplicity)"),
        ([[0.0, 1.0]], ("--sigma", 1), "parabola"),
        ([0.0, 1.0], ("--sigma", 1), "shape (K, N)"),
        ([[0.0], [1.0]], ("--sigma", 1, "--delta-m", 0.6), "makes the classes overlap"),
        ([[0.0], [1.0]], ("--sigma", 1, "--figure", "a.jpg"), "no known ending"),
        ([[0.0], [1.0]], (), "--sigma"),
    ],
)
def test_misuse_is_one_sentence(
    spinodal: Callable, tmp_path: Path, points: list, arguments: tuple, sentence: str
) -> None:
    data = tmp_path / "points.npy"
    np.save(data, np.array(points))
    ran = spinodal("attractors", data, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert len(ran.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [data]
