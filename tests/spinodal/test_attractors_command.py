"""`spinodal attractors`: answers, files, figures and misuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from numerics.diffusion.census import census
from numerics.diffusion.memories import circle
from spinodal.attractor_figure import draw_attractors
from spinodal.results import load
from theory.errors import InvalidInput


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
    saved = load(arrays)
    points = saved.pop("arrays")
    assert points["points"].shape == (ran.data["minima"], 5)
    assert np.bincount(points["label"], minlength=3).tolist() == list(ran.data["classes"].values())
    assert saved | {"files": ran.data["files"]} == ran.data


def test_memories_are_seen_through_the_marks_of_attractors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path: drawn.append(self))
    draw_attractors(census(circle(9), 0.2, samples=2), tmp_path / "a.png")
    memories, *marks = drawn[0].axes[0].lines
    assert memories.get_label() == "memories"
    assert len(marks) >= 2
    for line in marks:
        assert line.get_markerfacecolor() == "none"
        assert line.zorder < memories.zorder


def test_noise_that_attractors_survive_is_told_per_class(spinodal: Callable, tmp_path: Path) -> None:
    """Two memories at distance 2 a: noise takes one to the other once sigma z > a, in a tenth of trials at a/1.28."""
    data = tmp_path / "pair.npy"
    np.save(data, np.array([[-1.0, 0.0], [1.0, 0.0]]))
    ran = spinodal("attractors", data, "--sigma", 0.1, "--critical", "--json")
    found = ran.data["critical"]["memorised"]
    assert found["critical_noise"]["value"] == pytest.approx(1 / 1.2816, rel=0.4)  # 20 trials each
    assert found["radius"]["value"] == pytest.approx(np.sqrt(2) * found["critical_noise"]["value"], rel=1e-9)
    assert found["critical_noise"]["n"] == 2
    shown = spinodal("attractors", data, "--sigma", 0.1, "--critical")
    assert "noise survived" in shown.out
    assert spinodal("attractors", data, "--sigma", 0.1, "--json").data["critical"] == {}


def test_the_answer_tells_thresholds_and_barriers(spinodal: Callable) -> None:
    ran = spinodal("attractors", "circle", "--K", 30, "--sigma", 0.2, "--json", "--depth", 0.25)
    limits = ran.data["thresholds"]
    assert limits["span"] == pytest.approx(0.4)
    assert (limits["members"], limits["weight"], limits["depth"]) == (16.0, 0.5, 0.25)
    assert "a third of the 5 % quantile" in limits["why"]
    climbs = [row["barrier"] for row in ran.data["attractors"] if row["class"] == "spurious"]
    told = ran.data["barriers"]["spurious"]
    assert (told["least"], told["largest"]) == (min(climbs), max(climbs))


def test_one_minimum_is_remarked_upon(spinodal: Callable) -> None:
    ran = spinodal("attractors", "circle", "--K", 50, "--sigma", 0.8, "--json")
    assert (ran.code, ran.data["classes"]["spurious"], ran.data["minima"]) == (0, 1, 1)
    assert "one minimum, in the middle of all data points" in ran.err


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
        ([[0.0], [1.0]], ("--sigma", "nan"), "sigma = nan is not allowed"),
        ([[0.0], [1.0]], ("--sigma", "inf"), "sigma = inf is not allowed"),
        ([[0.0], [1.0]], ("--sigma", 1, "--depth", 0), "0 < depth < 10"),
        ([[0.0], [1.0]], ("--sigma", 1, "--depth", "nan"), "depth = nan is not allowed"),
        ([[0.0], [1.0]], ("--sigma", 1, "--delta-s", 0.6), "makes the classes overlap"),
        ([[0.0], [1.0]], ("--sigma", 1, "--delta-m", -1), "0 < delta_m < infinity"),
        ([[0.0], [1.0]], ("--sigma", 1, "--samples", 1), "samples = 1 is not allowed"),
        ([], ("--sigma", 1), "(0,)"),
        (np.zeros((0, 3)), ("--sigma", 1), "hold no point"),
        (["a", "b"], ("--sigma", 1), "no array of real numbers"),
        ([[1.0 + 1.0j], [0.0]], ("--sigma", 1), "no array of real numbers"),
        ([[0.0], [1.0]], ("--sigma", 1, "--key", "x"), "leave it out"),
        ([[0.0], [1.0]], ("--sigma", 1, "--K", 3), "1 <= K <= 2"),
        ([[0.0], [1.0]], ("--sigma", 1, "--out", "nowhere/a.npz"), "nowhere"),
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


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.npy", None, "is not a file"),
        ("points.txt", b"1 2\n3 4\n", "is no data set"),
        ("points.npy", b"1,2\n3,4\n", "no readable array"),
        ("points.npy", b"", "no readable array"),
        ("points.npz", b"PK\x03\x04", "no readable array"),
        ("points.csv", b"\xff\xfe1,2\n", "no readable array"),
        ("points.csv", b"x,y\n1,two\n", "which is no number"),
        ("circl", None, "did you mean 'circle'"),
    ],
)
def test_files_that_are_no_data_are_refused_in_one_sentence(
    spinodal: Callable, tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    ran = spinodal("attractors", tmp_path / name if "." in name else name, "--sigma", 1)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert len(ran.err.splitlines()) == 1


def test_objects_are_refused_and_not_run(spinodal: Callable, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0], [None]], dtype=object), allow_pickle=True)
    ran = spinodal("attractors", tmp_path / "a.npy", "--sigma", 1)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "no readable array" in ran.err


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None])
def test_arrays_that_are_no_answer_are_not_loaded(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.npz"
    if content is None:
        np.savez(file, x=np.zeros(3))
    else:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match="holds no answer of spinodal with arrays"):
        load(file)
