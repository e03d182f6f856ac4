"""CONVENTIONS.md explains every word and key that a result can contain."""

from __future__ import annotations

from pathlib import Path

import pytest

import spinodal as sp
from theory.model import LINES, STATES
from theory.problem import Status

TEXT = (Path(__file__).parents[2] / "CONVENTIONS.md").read_text(encoding="utf-8")


def _explained(word):
    return f"`{word}`" in TEXT


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_all_order_parameters_are_defined(temperature):
    for model in (sp.Hopfield(0.05, temperature), sp.RandomFeatures(0.05, 0.5, temperature)):
        for state in set(model.states) - ({"paramagnet"} if temperature == 0.0 else set()):
            reported = sp.equations(model, state).free_energy.reported
            assert [name for name in reported if not _explained(name)] == []


def test_all_observables_states_lines_and_statuses_are_defined():
    record = sp.simulate(sp.RandomFeatures(alpha=0.05, alpha_d=0.5), 100, start="example", samples=2)
    assert [name for name in record.measurements if not _explained(name)] == []
    assert [name for name in (*STATES, *LINES) if not _explained(name.replace("_", "-"))] == []
    assert [status.value for status in Status if status.value not in TEXT] == []
    assert [verdict for verdict in ("agrees", "disagrees", "underpowered") if not _explained(verdict)] == []


def test_the_numbers_it_quotes_are_ours():
    assert f"{sp.threshold(sp.Hopfield()).value:.15f}"[:16] in TEXT
    assert f"{sp.threshold(sp.Hopfield(), line='thermodynamic').value:.10f}"[:10] in TEXT


def test_the_conjugates_have_the_stated_normalisation():
    # t = kappa_1 and p_d = 1 + kappa_1^2/alpha_d at vanishing load, X/kappa_1^2 = <u^2>, dp_hat = kappa_1^2/Delta_1.
    k1, ks, alpha_d = 2 / 3.141592653589793, 1 - 2 / 3.141592653589793, 0.5
    op = sp.solve(sp.RandomFeatures(alpha=0.01, alpha_d=alpha_d), "example").order_parameters
    assert op["t"] == pytest.approx(k1**0.5, abs=1e-6)
    assert op["p_d"] == pytest.approx(1 + k1 / alpha_d, rel=1e-3)
    assert op["dp_hat"] == pytest.approx(k1 / (1 - k1 * op["dp"] - ks * op["chi"]), rel=1e-12)
    feature = sp.solve(sp.RandomFeatures(alpha=1.0, alpha_d=0.05), "feature")
    assert -0.5 * (feature.order_parameters["X"] / k1) + 0.5 == pytest.approx(feature.energy, rel=1e-10)
