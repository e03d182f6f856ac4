"""Vector models from the command line: simulated, compared with theory, swept, and what is refused."""

from __future__ import annotations

import json

import pytest

import spinodal as sp
from numerics.measured import measured
from numerics.records import Record
from numerics.simulate import run_sample, task
from numerics.validate import compare
from spinodal.validation import observables
from theory.errors import InvalidInput

HOPFIELD = ("vector-hopfield", "--d", 3, "--alpha", 0.02)
SIGNS = ("vector-hopfield", "--d", 1, "--alpha", 0.1, "--temperature", 0.5)
FEATURES = ("vector-random-features", "--d", 2, "--effective", "--alpha", 0.008, "--alpha-d", 1)


def test_a_stored_pattern_is_simulated_and_recorded(spinodal, tmp_path):
    done = spinodal("simulate", *HOPFIELD, "--N", 500, "--samples", 4, "--out", tmp_path / "r.json", "--json")
    assert done.code == 0
    found = done.data["measurements"]
    assert found["m"]["value"] > 0.95
    assert found["converged"]["value"] == 1.0
    assert done.data["parameters"] == {"alpha": 0.02, "d": 3, "temperature": 0.0}
    assert done.data["tie"] is None
    record = Record.load(tmp_path / "r.json")
    assert record.P == 10
    assert record.values["m"] == done.data["values"]["m"]
    assert run_sample(task(sp.VectorHopfield(alpha=0.02, d=3), 500), 2)["m"] == record.values["m"][2]


@pytest.mark.parametrize("variant", ["tensor", "scalar", "phasor"])
def test_effective_loads_are_realised_per_site(spinodal, variant):
    done = spinodal("simulate", *FEATURES, "--variant", variant, "--N", 250, "--samples", 2, "--json")
    channels = {"tensor": 1, "scalar": 4, "phasor": 2}[variant]
    assert (done.data["P"], done.data["D"]) == (round(0.008 * 2 * 250 / channels), 500 // channels)
    assert done.data["parameters"]["effective"] is True
    assert {"m", "t", "p_d", "u2", "energy"} <= set(done.data["measurements"]) | {"u2"}
    assert "parameters are effective, loads (as realised) are per site" in done.data["load_convention"]
    told = " ".join(spinodal("simulate", *FEATURES, "--variant", variant, "--N", 250, "--samples", 2).out.split())
    assert "asked for as effective loads n_ch P/(dN), n_ch D/(dN): alpha = 0.008, alpha_d = 1" in told


def test_a_printed_simulation_is_read_back(spinodal, tmp_path):
    for temperature in (0, 0.2):
        at = ("--temperature", temperature, *(("--sweeps", 16) if temperature else ()))
        done = spinodal("simulate", *FEATURES, *at, "--N", 250, "--samples", 2, "--json")
        (tmp_path / "printed.json").write_text(done.out)
        assert sp.load(tmp_path / "printed.json").values["m"] == done.data["values"]["m"]


@pytest.mark.parametrize("start", ["example", "feature", "mixture", "unseen", "random"])
@pytest.mark.parametrize("temperature", [0.0, 0.2])
def test_every_start_runs_at_any_temperature(start, temperature):
    model = sp.VectorRandomFeatures(alpha=0.1, alpha_d=0.1, d=2, variant="scalar", temperature=temperature)
    options = {"sweeps": 16, "replicas": 2} if temperature else {}
    record = sp.simulate(model, 60, start=start, L=2 if start == "mixture" else None, samples=2, **options)
    assert all(len(values) == 2 for values in record.values.values())
    assert "q_ea" not in record.values  # scalar couplings leave replicas free to turn
    assert 0.0 <= record["m" if temperature else "overlap"].value <= 1.0 + 1e-12


def test_features_mixed_by_matrices_are_simulated(spinodal):
    point = ("vector-random-features", "--d", 2, "--mixing", "matrix", "--alpha", 0.015, "--alpha-d", 0.2)
    data = spinodal("simulate", *point, "--N", 400, "--samples", 4, "--json").data
    assert data["parameters"]["mixing"] == "matrix"
    assert (data["P"], data["D"], data["coefficients"]) == (6, 80, "gaussian")
    found = spinodal("validate", *point, "--N", "200,400", "--samples", 4, "--json").data
    assert {"m", "t", "p_d", "energy", "u2"} <= set(found["comparisons"])


def test_a_start_of_small_overlap_is_drawn_to_the_pattern(spinodal):
    done = spinodal("basins", *HOPFIELD, "--N", 300, "--overlaps", "0,0.6", "--samples", 6, "--json")
    (found,) = done.data["maps"]
    assert found["overlaps"] == [0.0, 0.6, 1.0]
    assert found["final"][1]["value"] > 0.9
    assert found["retrieved"][0]["value"] < found["retrieved"][1]["value"] == 1.0


def test_validate_agrees_with_the_stored_pattern(spinodal):
    done = spinodal("validate", *HOPFIELD, "--N", "500,1000", "--samples", 24, "--json")
    assert done.code == 0
    assert done.data["verdict"] == "agrees"
    assert done.data["rs_stable"] is True
    assert done.data["comparisons"]["energy"]["verdict"] == "agrees"
    assert "Verdict: agrees" in spinodal("validate", *HOPFIELD, "--N", "500,1000", "--samples", 24).out


def test_validate_sees_a_wrong_theory():
    """The overlap at d = 4 is not that at d = 3; the comparison is the one of validate.

    They are 19 standard errors apart, so that a pull below 3 has a chance below 1e-30 (noncentral t, 31 degrees of
    freedom), and the right theory, off by less than a fifth of an error, is 9 off in 4e-10.
    """
    record = sp.simulate(sp.VectorHopfield(alpha=0.02, d=3), 2000, samples=32)
    wrong = observables(sp.VectorHopfield(alpha=0.02, d=4), sp.solve(sp.VectorHopfield(alpha=0.02, d=4)), 0.02)
    right = observables(sp.VectorHopfield(alpha=0.02, d=3), sp.solve(sp.VectorHopfield(alpha=0.02, d=3)), 0.02)
    assert compare("m", [2000], [record["m"]], [wrong["m"]]).pull > 3
    assert abs(compare("m", [2000], [record["m"]], [right["m"]]).pull) < 9


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["tensor", "scalar", "phasor"])
def test_validate_agrees_with_stored_examples_of_planar_spins(variant):
    model = sp.VectorRandomFeatures(0.008, 1.0, 2, variant, effective=True)
    assert sp.validate(model, N=(1000, 2000), samples=24).verdict == "agrees"


@pytest.mark.slow
@pytest.mark.parametrize("state", ["example", "paramagnet"])
def test_validate_agrees_above_zero_temperature(state):
    model = sp.VectorHopfield(alpha=0.02, d=3, temperature=0.3 if state == "example" else 2.0)
    assert sp.validate(model, state, N=(250, 500), samples=16, sweeps=1000).verdict == "agrees"


def test_the_energy_of_theory_is_that_of_the_simulation_per_component():
    """Every variant at one effective load has the same theory; u2 follows from the energy."""
    found = []
    for variant in ("tensor", "scalar", "phasor"):
        model = sp.VectorRandomFeatures(0.008, 1.0, 2, variant, effective=True).per_site()
        found.append(observables(model, sp.solve(model), float(model.alpha)))
    for name, value in found[0].items():
        assert [other[name] for other in found] == pytest.approx([value] * 3)


def test_a_mixture_of_vectors_is_refused_as_a_saddle(spinodal):
    point = ("--d", 2, "--alpha", 4, "--alpha-d", 0.002)
    done = spinodal("validate", "vector-random-features", *point, "--state", "mixture", "--L", 2)
    assert done.code == 2
    assert "saddle" in done.err
    assert "transverse stability -" in done.err


def test_plans_take_vector_models(tmp_path):
    plan = {
        "model": "vector-random-features",
        "N": [30],
        "samples": 2,
        "parameters": {"alpha_d": 0.5, "effective": True},
        "grid": {"alpha": [0.2, 0.4], "variant": ["tensor", "scalar"], "d": [1, 2]},
    }
    data = sp.sweep(plan, out=tmp_path / "out", workers=1)
    assert data.P.squeeze("N").values.tolist() == [[[6, 12], [6, 3]], [[12, 24], [12, 6]]]
    assert "converged" in data
    with pytest.raises(InvalidInput, match="give true or false"):
        sp.sweep({**plan, "parameters": {"alpha_d": 0.5, "effective": 1}}, out=tmp_path / "other", workers=1)


REFUSED = [
    (("--d", 0), "whole number with 1 <= d <= 200"),
    (("--temperature", -1), "0 <= temperature < infinity"),
    (("--tie", "plus"), "stays as it is"),
    (("--order", "greedy"), "one of Ising spins"),
    (("--engine", "overlap-bits"), "vector spins have overlap and dense"),
    (("--engine", "overlop"), "did you mean 'overlap'"),
    (("--backend", "gpu"), "no vector spins"),
    (("--start", "feature"), "needs a model with features"),
    (("--temperature", 0.2, "--algorithm", "tempering"), "sampled by heat-bath"),
    (("--temperature", 0.2, "--order", "random"), "belongs to temperature 0"),
    (("--algorithm", "heat-bath"), "belongs to the sampling at temperature > 0"),
    (("--start", "mixture", "--L", 1), "an integer L >= 2"),
    (("--start", "mixture", "--L", 0), "an integer L >= 2"),
    (("--start", "mixture", "--L", 40), "more than the 2 P stored patterns"),
    (("--alpha", 1e6), "GB of memory"),
]


@pytest.mark.parametrize(("arguments", "part"), REFUSED)
def test_what_makes_no_sense_is_refused_in_a_sentence(spinodal, arguments, part):
    size = 30000 if 1e6 in arguments else 100
    done = spinodal("simulate", *HOPFIELD, "--N", size, *arguments)
    assert done.code == 2
    assert part in done.err
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("hopfield", "--alpha", 0.1, "--engine", "overlap"), "one of vector spins"),
        (
            ("hopfield", "--alpha", 0.1, "--temperature", 0.5, "--algorithm", "heat-bath+over-relaxation"),
            "which Ising spins are not",
        ),
        (("vector-hopfield", "--d", 1, "--alpha", 0.1, "--start", "mixture", "--L", 2), "odd L >= 3"),
        (("hopfield", "--alpha", 0.1, "--start", "mixture", "--L", 0), "odd L >= 3"),
        ((*SIGNS, "--algorithm", "heat-bath+over-relaxation"), "leaves spins of d = 1 as they are; use 'heat-bath'"),
        (("vector-random-features", "--d", 3, "--variant", "phasor", "--alpha", 0.1, "--alpha-d", 1), "have d = 2"),
        (
            (*FEATURES[:4], "--variant", "scalar", "--alpha", 0.004, "--alpha-d", 1),
            "the effective load 0.004 as P/N",
        ),
    ],
)
def test_words_of_one_kind_of_spins_are_refused_for_the_other(spinodal, arguments, part):
    done = spinodal("simulate", *arguments, "--N", 100)
    assert done.code == 2
    assert part in done.err


def test_a_run_too_short_is_told_with_a_remedy_that_vectors_have():
    """Far below the glass transition sixteen sweeps from random directions are no equilibrium."""
    model = sp.VectorHopfield(alpha=0.1, d=3, temperature=0.05)
    record = sp.simulate(model, 200, start="random", samples=4, sweeps=16)
    assert not record.equilibrated
    assert "heat-bath+over-relaxation" in record.sampling["message"]
    signs = sp.simulate(sp.VectorHopfield(alpha=0.2, d=1, temperature=0.05), 200, start="random", samples=4, sweeps=16)
    assert signs.sampling["message"].endswith("; give more sweeps (now 16).")
    found = sp.validate(model, "spin-glass", N=(60, 120), samples=4, sweeps=16)
    assert found.verdict == "underpowered"
    assert "tempering" not in found.agreement.message


def test_a_run_that_did_not_come_to_rest_is_told(monkeypatch, spinodal):
    import dataclasses

    from numerics import vector_simulation

    align = vector_simulation.align
    monkeypatch.setattr(
        vector_simulation, "align", lambda *a, **k: dataclasses.replace(align(*a, **k), converged=False)
    )
    done = spinodal("simulate", *HOPFIELD, "--N", 200, "--samples", 2, "--json")
    assert "2 of 2 samples ended before their vectors came to rest" in done.err
    assert json.loads(done.out)["measurements"]["converged"]["value"] == 0.0
    found = spinodal("validate", *HOPFIELD, "--N", "200,300", "--samples", 6, "--json").data
    assert found["verdict"] == "underpowered"
    assert "not come to rest" in found["message"]


@pytest.mark.parametrize("mixing", ["scalar", "matrix"])
@pytest.mark.parametrize("variant", ["tensor", "scalar", "phasor"])
@pytest.mark.parametrize("start", ["example", "feature", "unseen"])
def test_what_is_measured_above_zero_temperature_is_known_before(variant, mixing, start):
    """q_ea is there where couplings hold replicas in one frame, and so it is not q."""
    model = sp.VectorRandomFeatures(0.5, 0.5, 2, variant, 0.2, mixing=mixing)
    plan = task(model, 40, start=start, sweeps=16, replicas=2)
    found = run_sample(plan, 0)
    assert set(found) == measured(plan)
    assert ("q_ea" in found) == (variant == "tensor" and (mixing == "scalar" or start == "example"))
