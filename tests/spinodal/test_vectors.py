"""Vector models on the command line: the dimension as an option, conventions in the answers, refusals."""

from __future__ import annotations

import json
import time

import pytest

from numerics import progress
from spinodal.commands.declarations import declaration
from theory.models.vector_hopfield import VectorHopfield
from theory.models.vector_random_features import VectorRandomFeatures
from theory.phase import threshold


def test_threshold_carries_the_scaled_load_and_the_convention(spinodal):
    done = spinodal("threshold", "vector-hopfield", "--d", "3", "--state", "example", "--json")
    assert done.code == 0
    assert done.data["value"] == pytest.approx(0.152443375643660 / 3, abs=1e-14)
    assert done.data["alpha_scaled"] == pytest.approx(0.152443375643660, abs=1e-14)
    assert done.data["temperature_convention"].startswith("tau = d T")
    assert done.data["parameters"] == {"temperature": 0.0, "d": 3}


def test_three_components_are_the_default(spinodal):
    done = spinodal("solve", "vector-hopfield", "--alpha", "0.02", "--json")
    assert done.data["parameters"]["d"] == 3
    assert done.data["entropy"] is None
    assert done.data["energy"] == pytest.approx(-0.5068962623, abs=6e-11)
    assert done.data["rs_stable"] is True


@pytest.mark.parametrize("model", ["vector-hopfield", "hopfield"])
def test_help_states_what_temperature_means(spinodal, model):
    done = spinodal("threshold", model, "--help")
    assert ("tau = d T" in done.out) is (model == "vector-hopfield")
    assert ("--d " in done.out) is (model == "vector-hopfield")


def test_one_step_of_denoising(spinodal):
    done = spinodal("denoise", "vector-hopfield", "--d", "10", "--alpha", "0.5", "--m0", "0.5", "--json")
    assert done.code == 0
    assert done.data["m1"] == pytest.approx(0.91870309, abs=6e-9)
    assert done.data["alpha_star"] > 0.5
    assert done.data["alpha_scaled"] == 5.0
    ising = spinodal("denoise", "hopfield", "--alpha", "0.5", "--m0", "0.5", "--json").data
    assert ising["m1"] == pytest.approx(0.52049988, abs=6e-9)
    table = spinodal("denoise", "vector-hopfield", "--alpha", "0.5", "--m0", "0.5")
    assert "0.79105854" in table.out


@pytest.mark.parametrize("model", [("vector-hopfield", "--d", 3), ("hopfield",)])
def test_a_simulated_step_stands_beside_the_theory(spinodal, model):
    arguments = ("denoise", *model, "--alpha", 0.5, "--m0", 0.5, "--N", 1000, "--samples", 8)
    run = spinodal(*arguments, "--json").data["simulation"]
    assert (run["N"], run["P"], run["samples"]) == (1000, 500, 8)
    # Of Student's t with 7 degrees of freedom, beyond 21 in 1e-7 of all runs.
    assert abs(run["deviation"]) < 21
    assert run["m1"]["error"] < 0.02
    assert "simulated m1, N = 1000" in spinodal(*arguments).out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("threshold", "vector-hopfield", "--d", "0"), "whole number with 1 <= d <= 200"),
        (("threshold", "vector-hopfield", "--d", "201"), "whole number with 1 <= d <= 200"),
        (("threshold", "vector-hopfield", "--d", "2.5"), "--d = '2.5' is not allowed; give a whole number"),
        (("threshold", "vector-hopfield", "--d", "three"), "give a whole number"),
        (("threshold", "vector-hopfield", "--temperature", "-0.1"), "0 <= temperature < infinity (tau = d T"),
        (("threshold", "vector-hopfield", "--vary", "d"), "vary one of alpha, temperature"),
        (("threshold", "vector-hopfield", "--state", "mixture"), "state of vector-hopfield 'mixture' is unknown"),
        (("threshold", "hopfield", "--d", "3"), "has no option '--d'"),
        (("denoise", "vector-hopfield", "--m0", "0.5"), "alpha is missing"),
        (
            ("denoise", "vector-hopfield", "--alpha", "0.1", "--m0", "0.5", "--samples", "4"),
            "add --N, or leave --samples",
        ),
        (("denoise", "vector-hopfield", "--alpha", "0.1", "--m0", "0.5", "--N", "1"), "N = 1"),
        (("denoise", "vector-hopfield", "--alpha", "0.1", "--m0", "1.5"), "0 <= m0 <= 1"),
        (("denoise", "random-features", "--alpha", "0.1", "--alpha-d", "1", "--m0", "0.5"), "no closed form"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(spinodal, arguments, part):
    done = spinodal(*arguments)
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert done.err.count("\n") == 1


def test_a_load_beyond_the_spinodal_is_answered_with_both_conventions(spinodal):
    done = spinodal("solve", "vector-hopfield", "--alpha", "0.06", "--json")
    assert done.code == 3
    assert "here d alpha = 0.18" in done.data["message"]
    assert done.data["alpha_scaled"] == pytest.approx(0.18)


def test_models_and_citation_know_it(spinodal):
    listed = {m["name"]: m for m in spinodal("models", "--json").data["models"]}
    assert listed["vector-hopfield"]["parameters"][0] == {
        "name": "d",
        "help": "number of components of a spin",
        "low": 1,
        "high": 200,
        "low_open": False,
        "default": 3,
        "whole": True,
    }
    assert "2507.02586" in json.dumps(spinodal("cite", "vector-hopfield", "--json").data)


@pytest.mark.slow
def test_diagram_spans_loads_of_order_one_over_d(spinodal, tmp_path):
    done = spinodal("diagram", "vector-hopfield", "--d", "3", "--points", "4", "--out", tmp_path / "d.nc", "--json")
    assert done.code == 0
    lines = {(c["state"], c["line"]): c for c in done.data["lines"]}
    assert max(v for v in lines["example", "spinodal"]["values"] if v is not None) == pytest.approx(0.0508144585)
    assert max(lines["spin-glass", "continuous"]["along_values"]) == pytest.approx(0.2 / 3)


def test_denoise_lists_the_models_that_have_a_step(spinodal):
    listed = spinodal("denoise", "--help").out
    assert "vector-hopfield" in listed
    assert "random-features" not in listed
    refused = spinodal("denoise", "random-features", "--m0", "0.5")
    assert (refused.code, refused.out) == (2, "")
    assert "hopfield and vector-hopfield have one" in refused.err


def test_vector_models_have_the_same_dimension_by_default():
    assert VectorHopfield().d == VectorRandomFeatures().d == 3
    assert declaration("vector-hopfield").structural == declaration("vector-random-features").structural


def test_a_search_that_takes_long_says_that_it_goes_on(spinodal, monkeypatch):
    monkeypatch.setattr(progress, "SILENCE", 0.01)

    def slowly(*arguments, **options):
        time.sleep(0.2)
        return threshold(*arguments, **options)

    monkeypatch.setattr("spinodal.threshold", slowly)
    told = spinodal("threshold", "hopfield", "--json")
    assert told.data["value"] == pytest.approx(0.137905566495)
    lines = told.err.splitlines()
    # At 0.01 s, 0.02 s, 0.04 s, ...
    assert 1 <= len(lines) <= 12
    assert lines[0] == "threshold: looking for the spinodal line, 0 s so far"
