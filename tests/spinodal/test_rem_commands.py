"""`threshold rem` and `collapse`: numbers, options that do not belong, files, and what is said where nothing exists."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.parametrize(("name", "value"), [("gaussian", 0.5), ("sphere", 0.622571924), ("binary", 0.566219170)])
def test_capacities(spinodal: Callable, name: str, value: float) -> None:
    done = spinodal("threshold", "rem", "--ensemble", name, "--lambda", "1", "--json")
    assert done.code == 0
    assert done.data["alpha_1"] == pytest.approx(value, abs=6e-10)
    assert done.data["status"] == "CONVERGED"
    assert done.data["error"] < 1e-13
    assert done.data["lambda"] == 1.0
    assert "exp(alpha N)" in done.data["convention"]


def test_a_load_and_an_overlap(spinodal: Callable) -> None:
    data = spinodal("threshold", "rem", "--ensemble", "gaussian", "--lambda", "3", "--alpha", "0.08", "--json").data
    assert data["at_load"]["m_min"] == pytest.approx(0.4, abs=1e-12)
    assert data["at_load"]["retrieved"] is True
    half = spinodal("threshold", "rem", "--ensemble", "gaussian", "--lambda", "3", "--overlap", "0.4", "--json").data
    assert half["alpha_1"] == pytest.approx(0.08, abs=1e-13)
    assert half["alpha_c"] is None
    assert "overlap" in half["alpha_c_remark"]


def test_hidden_manifold(spinodal: Callable) -> None:
    arguments = ("--ensemble", "hidden-manifold", "--gamma", "0.25", "--activation", "linear", "--lambda", "0.1")
    data = spinodal("threshold", "rem", *arguments, "--json").data
    assert data["alpha_1"] == pytest.approx(0.1 - 0.005 * 5, abs=1e-12)
    assert data["alpha_sat"] == pytest.approx(0.1, abs=1e-12)
    assert (data["gamma"], data["activation"], data["assumes"]) == (0.25, "linear", "replica symmetry")


def test_a_table(spinodal: Callable, tmp_path: Path) -> None:
    grid = np.linspace(0, 2, 41)
    np.savetxt(tmp_path / "zeta.csv", np.stack([grid, grid**2 / 2], axis=1), delimiter=",")
    data = spinodal("threshold", "rem", "--table", str(tmp_path / "zeta.csv"), "--lambda", "0.5", "--json").data
    assert data["alpha_1"] == pytest.approx(0.375, abs=1e-9)
    np.save(tmp_path / "zeta.npy", grid)
    done = spinodal("threshold", "rem", "--table", str(tmp_path / "zeta.npy"))
    assert (done.code, "two columns" in done.err) == (2, True)


def test_collapse_and_speciation(spinodal: Callable, tmp_path: Path) -> None:
    data = spinodal("collapse", "--alpha", "0.5", "--json").data
    assert data["t_C"] == pytest.approx(0.229338, abs=5e-7)
    assert "t_S" not in data
    both = spinodal("collapse", "--alpha", "0.1", "--sigma2", "0.5", "--mean", "4", "--process", "ve", "--json").data
    assert both["t_C"] == pytest.approx(0.5 / math.expm1(0.2), rel=1e-12)
    assert both["t_S"] == pytest.approx(15.5, rel=1e-12)
    c = np.diag([1.0, 3.0])
    np.save(tmp_path / "c.npy", c)
    (tmp_path / "m.txt").write_text("3 0\n-1 4\n0 -2\n")
    data = spinodal("collapse", "--alpha", "0.5", "--covariance", str(tmp_path / "c.npy"), "--json").data
    s = data["snr"]
    assert math.log((1 + s) * (1 + 3 * s)) / 4 == pytest.approx(0.5, rel=1e-13)
    arguments = ("--covariance", str(tmp_path / "c.npy"), "--mean", str(tmp_path / "m.txt"))
    data = spinodal("collapse", "--alpha", "0.5", *arguments, "--json").data
    assert data["t_S_status"] == "CONVERGED"
    assert data["t_S"] > 0


@pytest.mark.parametrize("process", ["vp", "ve"])
def test_simulated_collapse_tends_to_the_theory(spinodal: Callable, process: str) -> None:
    arguments = ("--alpha", "0.5", "--sigma2", "0.6", "--process", process, "--simulate", "20,60,180")
    done = spinodal("collapse", *arguments, "--seed", "3", "--json")
    theory, found = done.data["t_C"], done.data["simulated"]
    assert (done.code, [p["d"] for p in found["sizes"]]) == (0, [20, 60, 180])
    # Errors are from 16 spacings of order statistics, as of 32 degrees of freedom: a false alarm in 50 000.
    assert abs(found["t_C"] - theory) < 5 * found["error"]
    assert found["error"] < 0.05 * theory


def test_collapse_on_manifolds(spinodal: Callable) -> None:
    flat = spinodal("collapse", "--alpha", "0.1", "--data", "linear-manifold", "--gamma", "0.5", "--json").data
    curved = ("--data", "hidden-manifold", "--gamma", "0.5", "--activation", "linear")
    assert spinodal("collapse", "--alpha", "0.1", *curved, "--json").data["t_C"] == pytest.approx(
        flat["t_C"], rel=1e-10
    )


def test_where_nothing_exists_it_says_why(spinodal: Callable) -> None:
    done = spinodal("collapse", "--alpha", "0.8", "--data", "signs", "--json")
    assert (done.code, done.data["t_C"], done.data["status"]) == (3, None, "NO_SOLUTION")
    assert "less entropy" in done.err
    done = spinodal("collapse", "--alpha", "0.5", "--mean", "0.5", "--json")
    assert (done.code, done.data["t_S"], done.data["status"]) == (3, None, "CONVERGED")
    assert "overlap too much" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("threshold", "rem", "--lambda", "-1"), "0 < lambda"),
        (("threshold", "rem", "--lambda", "nan"), "lambda = nan"),
        (("threshold", "rem", "--ensemble", "spere"), "did you mean 'sphere'"),
        (("threshold", "rem", "--overlap", "1.5"), "overlap = 1.5"),
        (("threshold", "rem", "--gamma", "1"), "--gamma is for"),
        (("threshold", "rem", "--activation", "tanh"), "--activation is for"),
        (("threshold", "rem", "--ensemble", "hidden-manifold"), "give --gamma"),
        (("threshold", "rem", "--ensemble", "hidden-manifold", "--gamma", "-1"), "gamma = -1"),
        (("threshold", "rem", "--ensemble", "hidden-manifold", "--gamma", "1", "--activation", "tanhh"), "'tanh'"),
        (("threshold", "rem", "--table", "nofile.csv"), "does not exist"),
        (("threshold", "rem", "--alpha-d", "1"), "no option"),
        (("threshold", "rme"), "rem"),
        (("collapse",), "--alpha"),
        (("collapse", "--alpha", "0"), "alpha = 0"),
        (("collapse", "--alpha", "1", "--process", "vv"), "choose vp or ve"),
        (("collapse", "--alpha", "1", "--sigma2", "-1"), "eigenvalue -1"),
        (("collapse", "--alpha", "1", "--sigma2", "1", "--covariance", "x"), "leave out one"),
        (("collapse", "--alpha", "1", "--covariance", "nofile.npy"), "does not exist"),
        (("collapse", "--alpha", "1", "--data", "gausian"), "did you mean 'gaussian'"),
        (("collapse", "--alpha", "1", "--data", "signs", "--sigma2", "2"), "--sigma2 is for"),
        (("collapse", "--alpha", "1", "--data", "linear-manifold"), "give --gamma"),
        (("collapse", "--alpha", "1", "--gamma", "1"), "--gamma is for manifolds"),
        (("collapse", "--alpha", "1", "--mean", "0"), "coincide"),
        (("collapse", "--alpha", "1", "--mean", "-3"), "--mean -3 is not allowed"),
        (("collapse", "--alpha", "1", "--mean", "inf"), "--mean inf is not allowed"),
        (("threshold", "rem", "--table", "."), "is a folder"),
        (("collapse", "--alpha", "1", "--samples", "9"), "--samples and --seed are for"),
        (("collapse", "--alpha", "1", "--simulate", "20"), "two or more"),
        (("collapse", "--alpha", "1", "--simulate", "20,60", "--samples", "8"), "give 64 or more"),
        (("collapse", "--alpha", "1", "--simulate", "20,x"), "as 20,60,180"),
        (("collapse", "--alpha", "1", "--simulate", "20,60", "--mean", "3"), "one class"),
    ],
)
def test_misuse(spinodal: Callable, arguments: tuple[str, ...], words: str) -> None:
    done = spinodal(*arguments, "--json")
    assert done.code == 2
    assert words in done.err
    assert done.out == ""
    assert len(done.err.strip().splitlines()) == 1
    assert "Traceback" not in done.err


def test_models_and_papers(spinodal: Callable) -> None:
    listed = {m["name"]: m for m in spinodal("models", "--json").data["models"]}
    assert {"rem", "dense-memory", "score"} <= set(listed)
    assert listed["rem"]["commands"] == ["threshold rem", "collapse"]
    for name, keys in {
        "rem": ("lucibello2024", "biroli2024", "2503.09518"),
        "dense-memory": ("pham2025", "2505.21777"),
        "score": ("bonnaire2025", "2505.17638"),
    }.items():
        out = spinodal("cite", name).out
        assert all(key in out for key in keys)
        assert out.count("@article{") == out.count("\n}")
