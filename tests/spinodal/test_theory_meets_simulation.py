"""One small simulation per model and state, at T = 0 and above: theory and dynamics must not disagree."""

from __future__ import annotations

import pytest

import spinodal as sp

CASES = [
    (sp.Hopfield(alpha=0.1), "example", {}),
    (sp.Hopfield(alpha=0.01), "mixture", {"L": 3}),
    (sp.RandomFeatures(alpha=0.07, alpha_d=0.5), "example", {}),
    (sp.RandomFeatures(alpha=1.5, alpha_d=0.05), "feature", {}),
    (sp.RandomFeatures(alpha=1.5, alpha_d=0.05), "feature", {"coefficients": "binary"}),
    (sp.RandomFeatures(alpha=1.5, alpha_d=0.01), "mixture", {"L": 3}),
    (sp.RandomFeatures(alpha=0.5, alpha_d=0.03, nonlinearity="tanh"), "feature", {}),
    (sp.RandomFeatures(alpha=0.003, alpha_d=0.5, nonlinearity="tanh"), "example", {}),
]


@pytest.mark.parametrize(("model", "state", "options"), CASES)
def test_theory_and_simulation_do_not_disagree(model, state, options):
    found = sp.validate(model, state, N=(400, 800, 1600), samples=24, seed=1, **options)
    assert found.verdict != "disagrees", found.agreement.message
    assert found.agreement.comparisons["m"].verdict == "agrees", found.agreement.message


WARM = [
    (sp.Hopfield(alpha=0.1, temperature=2.0), "paramagnet"),
    (sp.Hopfield(alpha=0.05, temperature=0.2), "example"),
    (sp.RandomFeatures(alpha=0.5, alpha_d=0.2, temperature=8.0), "paramagnet"),
]


@pytest.mark.parametrize(("model", "state"), WARM)
def test_theory_and_equilibrium_do_not_disagree(model, state):
    found = sp.validate(model, state, N=(100, 200, 400), samples=12, sweeps=400, replicas=3)
    assert found.agreement.unequilibrated == {100: 0, 200: 0, 400: 0}
    assert found.verdict == "agrees", found.agreement.message
    assert found.agreement.rs_stable is True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "state", "options"),
    [
        (sp.Hopfield(alpha=0.1, temperature=2.0), "paramagnet", {"N": (250, 500, 1000)}),
        (sp.Hopfield(alpha=0.05, temperature=0.2), "example", {"N": (500, 1000, 2000)}),
    ],
)
def test_the_energy_is_that_of_theory_at_infinite_size(model, state, options):
    """Within 3 errors, which are below 5 % (here 1 %) of the energy."""
    found = sp.validate(model, state, samples=24, **options)
    energy = found.agreement.comparisons["energy"]
    assert energy.verdict == "agrees"
    assert energy.error < 0.01 * abs(energy.value)
    assert found.verdict == "agrees", found.agreement.message


def test_states_that_a_quench_does_not_reach_are_refused():
    with pytest.raises(sp.InvalidInput, match="'spin-glass' is not validated at temperature 0"):
        sp.validate(sp.Hopfield(alpha=0.1), "spin-glass")
    with pytest.raises(sp.NotConverged, match="no spin glass"):
        sp.validate(sp.Hopfield(alpha=0.1, temperature=2.0), "spin-glass", N=(50,))


@pytest.mark.slow
def test_storage_state_with_its_latent_overlap():
    """N = 4000, 24 samples: m, t, p_d, <u^2> within three standard errors of .99405, .7942, 2.271, 1.994; the
    equations without t give .99975, 0, 1.0006, 1.0076."""
    record = sp.simulate(sp.RandomFeatures(alpha=0.07, alpha_d=0.5), 4000, start="example", samples=24)
    for name, value, without in (
        ("m", 0.99405, 0.99975),
        ("t", 0.7942, 0),
        ("p_d", 2.271, 1.0006),
        ("u2", 1.994, 1.0076),
    ):
        measured = record[name]
        assert abs(measured.value - value) < 3 * measured.error, name
        assert abs(measured.value - without) > 5 * measured.error, name
