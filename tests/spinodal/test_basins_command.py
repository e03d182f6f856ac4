"""`spinodal basins`: answers, files and misuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import spinodal as sp
from spinodal.basin_figure import draw_basins

FAST = ("--N", 100, "--samples", 4, "--overlaps", "0.1,0.3,0.6")


def test_one_map_is_answered_saved_and_drawn(spinodal: Callable, tmp_path: Path) -> None:
    out, figure = tmp_path / "basin.json", tmp_path / "basin.png"
    ran = spinodal("basins", "hopfield", "--alpha", 0.05, *FAST, "--out", out, "--figure", figure, "--json")
    assert ran.code == 0
    (one,) = ran.data["maps"]
    assert one["overlaps"] == [0.1, 0.3, 0.6, 1.0]
    assert one["radius"]["kind"] in ("crossing", "whole")
    assert ran.data["files"] == [str(out), str(figure)]
    assert json.loads(out.read_text())["data"]["maps"][0]["values"] == one["values"]
    assert sp.load(out).maps[0].to_json()["radius"] == one["radius"]
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_radii_at_several_loads_and_sizes(spinodal: Callable, tmp_path: Path) -> None:
    figure = tmp_path / "basins.pdf"
    arguments = ("--alphas", "0.3,0.05", "--N", "100,60", "--samples", 4, "--overlaps", "0.3", "--figure", figure)
    ran = spinodal("basins", "hopfield", *arguments)
    assert ran.code == 0
    assert "no attractor" in ran.out
    assert figure.read_bytes().startswith(b"%PDF")
    data = spinodal("basins", "hopfield", *arguments, "--json").data
    assert [(m["N"], m["parameters"]["alpha"]) for m in data["maps"]] == [
        (60, 0.05),
        (60, 0.3),
        (100, 0.05),
        (100, 0.3),
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--alpha", 0.1, "--alphas", "0.1,0.2"), "alpha is both fixed (--alpha) and varied (--alphas)"),
        (("--alpha", 0.1, "--overlaps", "a,b"), "overlaps = 'a,b' is no list of numbers"),
        (("--alpha", 0.1, "--N", "1e3"), "no list of whole numbers"),
        (("--alpha", 0.1, "--start", "exampel"), "example"),
        (("--alpha", 0.1, "--figure", "x.jpg"), "no known ending"),
        ((), "alpha is missing"),
    ],
)
def test_misuse_is_one_sentence(spinodal: Callable, arguments: tuple, sentence: str) -> None:
    ran = spinodal("basins", "hopfield", *arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert sentence in ran.err


def test_the_figure_says_what_is_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: drawn.append(figure))

    def legends(*alphas: float) -> list[list[str]]:
        options = {"samples": 4, "overlaps": (0.1, 0.3, 0.6)}
        draw_basins(sp.basins(sp.Hopfield(), 100, alphas=alphas, **options), tmp_path / "x.pdf")
        figure = drawn.pop()
        assert all(axes.get_xlim()[1] > max(line.get_xdata()[-1] for line in axes.lines[:2]) for axes in figure.axes)
        return [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes]

    both = legends(0.08, 0.4)
    assert set(both[0]) == {r"$\alpha$ = 0.08", r"$\alpha$ = 0.4, no attractor", r"$m_0^\star$ (half retrieved)"}
    assert set(both[1]) == {"$N$ = 100", "no attractor"}
    assert legends(0.4) == [["4 samples, no attractor"]]
