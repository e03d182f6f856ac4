"""`simulate` and `validate` at temperatures above zero: what they say, and that they say what is not equilibrated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import spinodal as sp
from spinodal.validation import observables

SPIN_GLASS = ("--alpha", 0.3, "--temperature", 0.1, "--samples", 3, "--sweeps", 64)


def test_simulate_tells_q_and_the_equilibration_verdict(spinodal: Callable) -> None:
    arguments = ("simulate", "hopfield", "--alpha", 0.1, "--temperature", 2, "--start", "random", "--N", 100)
    done = spinodal(*arguments, "--samples", 3, "--sweeps", 512, "--json")
    assert done.code == 0
    assert "equilibrated" not in done.err
    assert {"energy", "q", "q2", "q_ea", "m", "u2", "acceptance"} <= set(done.data["measurements"])
    assert (done.data["equilibrated"], done.data["message"]) == (True, "")
    assert done.data["sampling"]["equilibrated_samples"] == 3
    shown = spinodal(*arguments, "--samples", 3, "--sweeps", 512)
    assert "equilibrated: yes, 3 of 3 samples (metropolis, 4 replicas of 512 sweeps" in " ".join(shown.out.split())


def test_what_is_not_equilibrated_is_said_in_every_form(spinodal: Callable) -> None:
    arguments = ("simulate", "hopfield", *SPIN_GLASS, "--start", "random", "--N", 200)
    done = spinodal(*arguments, "--json")
    assert done.code == 0
    assert done.data["equilibrated"] is False
    assert done.data["measurements"]["equilibrated"]["value"] < 1.0
    assert "give more sweeps (now 64) or the algorithm 'tempering'" in done.data["message"]
    assert done.data["message"] in done.err
    assert "equilibrated: NO" in spinodal(*arguments).out


def test_a_comparison_without_equilibrium_is_no_agreement(spinodal: Callable) -> None:
    arguments = ("validate", "hopfield", *SPIN_GLASS, "--state", "spin-glass", "--N", "100,200")
    done = spinodal(*arguments, "--json")
    assert (done.code, done.data["verdict"], done.data["equilibrated"]) == (0, "underpowered", False)
    assert "not equilibrated" in done.data["message"]
    assert sum(done.data["unequilibrated"].values()) > 0
    assert "equilibrated: NO" in spinodal(*arguments).out


def test_validate_takes_states_that_a_temperature_allows(spinodal: Callable) -> None:
    paramagnet = ("--alpha", 0.1, "--temperature", 2, "--state", "paramagnet")
    done = spinodal("validate", "hopfield", *paramagnet, "--N", "50,100", "--samples", 6, "--sweeps", 256, "--json")
    assert done.code == 0
    assert set(done.data["comparisons"]) == {"q", "m", "energy", "u2"}
    assert done.data["comparisons"]["q"]["theory"] == [0.0, 0.0]
    assert done.data["rs_stable"] is True
    for refused, why in (
        (("--state", "spin-glass"), "'spin-glass' is not validated at temperature 0"),
        (("--temperature", 0.2, "--algorithm", "tempering"), "algorithm 'tempering' leaves the state 'example'"),
        (("--sweeps", 100), "sweeps = 100 belongs to the sampling"),
    ):
        done = spinodal("validate", "hopfield", "--alpha", 0.1, *refused)
        assert (done.code, done.out) == (2, "")
        assert why in done.err


@pytest.mark.parametrize(
    ("model", "state"),
    [
        (sp.RandomFeatures(alpha=0.5, alpha_d=1.0, temperature=4.0), "paramagnet"),
        (sp.RandomFeatures(alpha=0.5, alpha_d=1.0, temperature=2.0), "spin_glass"),
        (sp.RandomFeatures(alpha=0.05, alpha_d=0.5, temperature=0.2), "example"),
        (sp.RandomFeatures(alpha=2.0, alpha_d=0.05, temperature=2.0), "feature"),
        (sp.RandomFeatures(alpha=2.0, alpha_d=0.01, temperature=2.0), "mixture"),
    ],
)
def test_the_energy_identity_gives_u2_at_any_temperature(model: sp.RandomFeatures, state: str) -> None:
    """An example that is not condensed has Gaussian u of covariance Q in replicas, weighted by exp(beta u^2/2), so that

    <u^2> = T ([(1 - beta Q)^-1]_aa - 1) = T (p_d_hat/kappa_1^2 - 1).
    """
    solution = sp.solve(model, state)
    p_d_hat = solution.order_parameters["p_d_hat"]
    kappa_1_squared = model.sigma.kappa_1_squared
    u2 = model.temperature * (p_d_hat / kappa_1_squared - 1.0)
    assert observables(model, solution, model.alpha)["u2"] == pytest.approx(u2, rel=1e-9)


def test_the_energy_identity_gives_u2_in_the_hopfield_model() -> None:
    """There Q = q and Delta = 1 - chi: <u^2> = T (1/Delta + beta q/Delta^2 - 1)."""
    for temperature, state in ((0.2, "example"), (1.1, "spin_glass"), (2.0, "paramagnet")):
        model = sp.Hopfield(alpha=0.05, temperature=temperature)
        solution = sp.solve(model, state)
        q = solution.order_parameters["q"]
        Delta = 1.0 - (1.0 - q) / temperature
        u2 = temperature * (1.0 / Delta - 1.0) + q / Delta**2
        assert observables(model, solution, 0.05)["u2"] == pytest.approx(u2, rel=1e-9)
    paramagnet = replace(model, temperature=2.0)
    assert observables(paramagnet, sp.solve(paramagnet, "paramagnet"), 0.05)["m"] == 0.0


def test_powers_of_the_extrapolation_belong_to_the_phase() -> None:
    """Far above T_g overlaps fall as N^-1/2 and the rest converges as 1/N; at T_g as N^-1/3 and N^-2/3."""
    from spinodal.validation import powers

    def of(temperature: float, state: str = "paramagnet", N: int = 1000) -> dict[str, float | tuple[float, ...]]:
        return powers(sp.solve(sp.Hopfield(alpha=0.1, temperature=temperature), state), N)

    assert of(2.0) == {"q": 0.5, "m": 0.5}
    at_T_g = of(1.0 + 0.1**0.5 + 1e-6)
    assert at_T_g["q"] == (1 / 3, 0.37)
    assert at_T_g["energy"] == (2 / 3, 1.0)
    assert of(1.36)["q"] == (1 / 3, 1 / 2)
    assert of(1.36, N=10**6)["q"] == 0.5  # at that size the temperature is far from T_g
    assert of(1.2, "spin_glass")["q"] == (1 / 3, 2 / 3)
    assert of(0.2, "example") == {}


@pytest.mark.parametrize(
    ("model", "undisturbed"),
    [
        (sp.Hopfield(alpha=0.05, temperature=0.2), 1.0),
        (sp.RandomFeatures(alpha=0.002, alpha_d=2.0, temperature=0.1, nonlinearity="tanh"), 0.5559),  # E|tanh z|
    ],
)
def test_a_sample_leaves_at_seven_tenths_of_the_overlap_that_theory_leaves(model: sp.Model, undisturbed: float) -> None:
    """The overlap is with the signs of an example, while m weighs them: it is E|xi| at most."""
    from spinodal.validation import _stays_above

    solution = sp.solve(model, "example")
    assert _stays_above(model, solution) == pytest.approx(0.7 * solution.order_parameters["m"] / undisturbed, rel=1e-3)
    assert _stays_above(model, solution) > 0.65


@pytest.mark.parametrize("workers", [1, 2])
def test_a_ladder_that_cannot_be_made_is_no_fault(spinodal: Callable, workers: int) -> None:
    arguments = ("simulate", "hopfield", "--alpha", 0.1, "--temperature", 1e-9, "--N", 60, "--samples", 2)
    done = spinodal(*arguments, "--sweeps", 16, "--algorithm", "tempering", "--workers", workers)
    assert (done.code, done.out) == (3, "")
    assert "in sample 0: an exchange rate of 0.3 needs" in done.err
    assert done.err.endswith("give a higher temperature, or the algorithm 'metropolis' or 'heat-bath'.\n")


def test_the_header_tells_what_was_simulated(spinodal: Callable) -> None:
    arguments = ("simulate", "hopfield", "--alpha", 0.1, "--N", 50, "--samples", 1)
    warm = spinodal(*arguments, "--temperature", 0.5, "--sweeps", 16, "--seed", 7, "--overlap", 0.8)
    title = " ".join(warm.out.split())
    assert title.startswith(
        "hopfield from example, N = 50, alpha = 0.1, temperature = 0.5, overlap = 0.8, algorithm = metropolis, "
        "seed = 7, 1 sample "
    )
    mixture = spinodal(*arguments, "--start", "mixture", "--order", "greedy", "--samples", 2)
    assert "L = 3, order = greedy, seed = 0, 2 samples" in " ".join(mixture.out.split())


def test_the_remedy_is_one_that_helps(spinodal: Callable) -> None:
    """Tempering would leave the state of a named start; Metropolis far above all fields turns all spins each sweep."""
    arguments = ("simulate", "hopfield", "--alpha", 0.1, "--N", 100, "--samples", 2, "--sweeps", 64)
    named = spinodal(*arguments, "--temperature", 0.5, "--json").data["message"]
    assert named.endswith("give more sweeps (now 64).")
    for start in ("example", "random"):
        hot = spinodal(*arguments, "--temperature", 50, "--start", start, "--json").data["message"]
        assert hot.endswith("give more sweeps (now 64) or the algorithm 'heat-bath'."), start
