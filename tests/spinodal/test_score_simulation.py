"""`spinodal simulate score` and `validate score`: what they say, and that a wrong theory is noticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from numerics.curves import Curves
from numerics.diffusion.score_simulate import ScoreTask
from numerics.records import read
from spinodal import score_validation
from spinodal.score_validation import edge_units, validate_score
from theory.diffusion.bulks import bulks, nodes_of
from theory.diffusion.resolvent import ScoreModel
from theory.errors import InvalidInput

POINT = ("--psi-p", 16, "--psi-n", 4, "--t", 0.01)


def test_simulate(spinodal, tmp_path):
    out = tmp_path / "score.json"
    done = spinodal("simulate", "score", *POINT, "--d", 40, "--samples", 3, "--out", out, "--json")
    assert done.code == 0
    assert (done.data["d"], done.data["p"], done.data["n"]) == (40, 640, 160)
    assert done.data["counts"] == {"2": 40, "1": 120, "3": 40}
    found = done.data["measurements"]
    assert found["drop 3"]["n"] == 3
    assert found["drop 3"]["value"] == pytest.approx(0.448, abs=0.02)
    assert found["train"]["error"] > 0
    assert found["highest 3"]["value"] < found["lowest 1"]["value"]
    assert Curves.from_json(read(out)).values["train"] is not None
    assert done.data["files"] == [str(out)]
    table = spinodal("simulate", "score", *POINT, "--d", 40, "--samples", 3, "--tau", "10,100")
    assert "infinite" in table.out
    assert "drop of the train loss" in table.out


def test_simulate_the_network(spinodal):
    done = spinodal("simulate", "score", *POINT, "--d", 20, "--samples", 1, "--network", "true", "--json")
    assert done.code == 0
    assert "drop delta" in done.data["measurements"]
    assert done.data["measurements"]["train"]["error"] is None
    steps = ("--noises", 2, "--optimiser", "adam", "--steps", 20)
    done = spinodal("simulate", "score", *POINT, "--d", 20, "--samples", 1, "--network", "true", *steps)
    assert done.code == 0
    assert "step" in done.out


def test_validate_agrees(spinodal):
    done = spinodal("validate", "score", *POINT, "--d", "40,80", "--samples", 6, "--json")
    assert done.code == 0
    assert done.data["verdict"] == "agrees"
    assert all(e["agrees"] for e in done.data["edges"])
    assert {e["bulk"] for e in done.data["edges"]} == {"1", "2", "3"}
    assert {"train at infinity", "error at tau_opt", "drop by bulk 3", "tau_mem_3"} <= done.data["comparisons"].keys()
    table = spinodal("validate", "score", *POINT, "--d", "20,30", "--samples", 4)
    assert "Verdict: " in table.out
    assert "inf." in table.out


def test_one_size_is_not_extrapolated(spinodal):
    """Nor is what it shows of finite d held against the theory without a word."""
    found = spinodal("validate", "score", *POINT, "--d", "30", "--samples", 40)
    assert "inf." not in found.out
    assert "one d cannot tell" in " ".join(found.out.split())
    assert "agrees." not in found.out.split("Verdict: ")[1][:8]


@pytest.mark.parametrize(
    "wrong", [{"activation": "erf"}, *(pytest.param(x, marks=pytest.mark.slow) for x in ({"t": 0.012}, {"psi_n": 3.6}))]
)
def test_a_wrong_theory_is_noticed(spinodal, monkeypatch, wrong):
    class Slip(ScoreModel):
        def __post_init__(self):
            for name, value in wrong.items():
                object.__setattr__(self, name, value)
            super().__post_init__()

    monkeypatch.setattr(score_validation, "ScoreModel", Slip)
    done = spinodal("validate", "score", *POINT, "--d", "40,80", "--samples", 6, "--json")
    assert done.code == 4
    assert done.data["verdict"] == "disagrees"


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [1.0, [0.5, 1.5]])
def test_the_true_network_does_not_disagree(sigma):
    found = validate_score(ScoreTask(8, 3, 0.05, 50, network="true", sigma=sigma), d=(30, 60, 120), samples=8)
    assert found.verdict == "agrees"
    assert found.edges == []


def test_units_of_the_edges():
    """Where p C x^(3/2) is 1: from the integral of the density from the edge, at a finer resolution."""
    model = ScoreModel(16, 4, 0.01)
    for bulk in bulks(model).bulks:
        nodes = nodes_of(model, bulk, points=800)
        low, high = edge_units(model, bulk, 1)
        for unit, side, edge in ((low, slice(0, 4), bulk.low), (high, slice(-4, None), bulk.high)):
            x = np.abs(nodes.eigenvalue[side] - edge)
            assert nodes.density[side] == pytest.approx(np.sqrt(x) * unit**-1.5 / np.pi, rel=2e-3)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--d", "3"), "4 <= d"),
        (("--network", "trun"), "did you mean 'true'"),
        (("--optimiser", "sgd"), "exist for the true network only"),
        (("--samples", "0"), "1 <= samples"),
        (("--steps", "5"), "steps belongs to sgd and adam"),
        (("--rate", "0.1"), "leave it out, or choose gd"),
        (("--tau", "1,inf"), "tau >= 0"),
        (("--tau", "1;2"), "give training times with commas"),
        (("--network", "true", "--d", "1000"), "give d <= 375"),
        (("--d", "20", "--out", "nowhere/x.json"), "make it first"),
        (("--sigma", "-1"), "not positive"),
        (("--seeds", "1"), "no option"),
    ],
)
def test_refusals(spinodal, options, told):
    done = spinodal("simulate", "score", *POINT, *options)
    assert done.code == 2
    assert told in done.err
    assert done.out == ""
    assert done.err.count("\n") == 1


def test_validation_refuses_what_the_theory_does_not_describe(spinodal):
    done = spinodal("validate", "score", *POINT, "--d", "ten")
    assert done.code == 2
    assert "give sizes with commas" in done.err
    with pytest.raises(InvalidInput, match="gradient flow"):
        validate_score(replace(ScoreTask(4, 2, 0.1, 20, network="true"), noises=2))
    with pytest.raises(InvalidInput, match="no sizes"):
        validate_score(ScoreTask(4, 2, 0.1, 20), d=())


def test_one_sample_has_no_deviation_in_errors(spinodal):
    table = spinodal("validate", "score", *POINT, "--d", "20", "--samples", 1)
    assert "Verdict: " in table.out
    assert "nan" not in table.out
