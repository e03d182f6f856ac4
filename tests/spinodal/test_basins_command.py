"""`spinodal basins`: answers, files and misuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import spinodal as sp

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
