"""vector-random-features on the command line: variants, the two conventions of loads, mixtures, refusals."""

from __future__ import annotations

import pytest

MODEL = "vector-random-features"


def test_effective_loads_are_read_and_returned(spinodal):
    done = spinodal("threshold", MODEL, "--d", "2", "--alpha-d", "1", "--effective", "--json")
    assert done.code == 0
    assert done.data["value"] == pytest.approx(0.02486938, abs=5e-9)
    assert done.data["alpha_effective"] == done.data["value"]
    assert done.data["alpha_per_site"] == pytest.approx(2 * done.data["value"], rel=1e-15)
    assert done.data["alpha_d_per_site"] == 2.0
    assert done.data["effective"] is True
    assert "n_ch P/(dN)" in done.data["load_convention"]
    assert done.data["temperature_convention"].startswith("tau = d T")


@pytest.mark.parametrize(("variant", "factor"), [("tensor", 2.0), ("scalar", 0.5), ("phasor", 1.0)])
def test_loads_per_site_follow_from_the_number_of_channels(spinodal, variant, factor):
    at = ("--d", "2", "--variant", variant, "--alpha-d", str(factor))
    done = spinodal("threshold", MODEL, *at, "--json")
    assert done.data["parameters"]["variant"] == variant
    assert done.data["value"] == pytest.approx(factor * 0.024869377145643, rel=1e-12)
    assert done.data["alpha_effective"] == pytest.approx(0.024869377145643, rel=1e-12)
    assert done.data["alpha_d_effective"] == pytest.approx(1.0, rel=1e-15)


def test_features_mixed_by_matrices(spinodal):
    at = ("--d", "2", "--mixing", "matrix", "--alpha-d", "0.5")
    done = spinodal("threshold", MODEL, *at, "--json")
    assert done.data["parameters"]["mixing"] == "matrix"
    assert done.data["value"] == pytest.approx(2 * 0.024869377145643, rel=1e-12)
    assert done.data["alpha_d_effective"] == pytest.approx(1.0, rel=1e-15)
    assert (done.data["channels"], done.data["feature_channels"]) == (1, 4)


def test_a_mixture_of_two(spinodal):
    at = ("--d", "2", "--state", "mixture", "--L", "2", "--alpha", "1e9", "--vary", "alpha_d", "--effective")
    assert spinodal("threshold", MODEL, *at, "--json").data["value"] == pytest.approx(0.00202745, abs=5e-9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--d", "0"), "1 <= d <= 200"),
        (("--d", "2.5"), "whole number"),
        (("--d", "1", "--variant", "phasor"), "complex couplings of phasors have d = 2"),
        (("--d", "1", "--state", "mixture", "--L", "2"), "odd L"),
        (("--temperature", "-1"), "temperature = -1 is not allowed"),
        (("--variant", "fasor"), "did you mean 'phasor'"),
        (("--mixing", "matrices"), "choose one of scalar, matrix"),
    ],
)
def test_misuse_is_told_in_one_sentence(spinodal, options, said):
    done = spinodal("threshold", MODEL, "--alpha-d", "1", *options)
    assert done.code == 2
    assert said in " ".join(done.err.split())


def test_a_load_beyond_the_spinodal_shows_the_conversion(spinodal):
    done = spinodal("solve", MODEL, "--d", "2", "--alpha", "0.05", "--alpha-d", "1", "--json")
    assert done.code == 3
    assert "in effective loads" in done.data["message"]
    assert done.data["alpha_effective"] == 0.025


def test_papers_are_cited(spinodal):
    assert "cook1989" in spinodal("cite", MODEL).out


def test_effective_loads_are_told_in_words(spinodal):
    at = ("--d", "2", "--alpha-d", "1", "--effective")
    for command in (("threshold", MODEL, *at), ("solve", MODEL, *at, "--alpha", "0.008")):
        out = " ".join(spinodal(*command).out.split())
        assert "(effective loads n_ch P/(dN), n_ch D/(dN))" in out
        assert "alpha_d_per_site 2 " in out + " "
    assert "alpha_d_effective 0.5 " in " ".join(spinodal("threshold", MODEL, *at[:-1]).out.split())
    told = " ".join(spinodal("threshold", MODEL, "--help").out.replace("\u2502", " ").split())
    assert "scalar (numbers) or matrix (d x d matrices)" in told
