"""`spinodal spectrum|losses|times score`: one JSON object, files that can be read back, figures, refusals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import spinodal as sp

POINT = ("--psi-p", 64, "--psi-n", 8, "--t", 0.01)


def test_spectrum(spinodal, tmp_path):
    out, figure = tmp_path / "rho.nc", tmp_path / "rho.pdf"
    done = spinodal("spectrum", "score", *POINT, "--activation", "tanh", "--out", out, "--figure", figure, "--json")
    assert done.code == 0
    edges = np.array(done.data["edges"])
    assert edges[0] == pytest.approx([0.003683171479, 0.010188532439, 1 / 64], abs=1e-10)
    assert edges[:, 2].sum() + done.data["atoms"][0][1] == pytest.approx(1.0, abs=1e-12)
    assert done.data["tau_gen"] == pytest.approx(164.301901, abs=1e-6)
    assert done.data["tau_mem_1"] == pytest.approx(4495.599450, abs=1e-6)
    assert done.data["tau_mem_3"] > done.data["tau_mem_1"]
    assert done.data["status"] == "CONVERGED"
    assert done.data["files"] == [str(out), str(figure)]
    assert figure.read_bytes().startswith(b"%PDF")
    back = sp.load(out)
    assert isinstance(back, sp.Spectrum)
    assert np.array_equal(back.density, done.data["density"])
    assert back.quantities["edges"] == done.data["edges"]


def test_merged_bulks_have_no_scale_of_their_own(spinodal, tmp_path):
    done = spinodal(
        *("spectrum", "score", "--psi-p", 64, "--psi-n", 8, "--t", 0.3, "--figure", tmp_path / "rho.png", "--json")
    )
    assert len(done.data["edges"]) == 2
    assert done.data["tau_mem_3"] is None
    assert "merged" in done.data["reasons"]["tau_mem_3"]
    table = spinodal("spectrum", "score", "--psi-p", 64, "--psi-n", 8, "--t", 0.3)
    assert "bulk 3+1" in table.out


def test_losses(spinodal, tmp_path):
    out, figure = tmp_path / "loss.nc", tmp_path / "loss.svg"
    done = spinodal(
        *("losses", "score", *POINT, "--tau-max", 1e6, "--points", 50, "--out", out, "--figure", figure, "--json")
    )
    assert done.code == 0
    assert done.data["tau"][-1] == pytest.approx(1e6)
    assert done.data["final"]["test"] == pytest.approx(25.525893, abs=1e-6)
    assert done.data["drop"].keys() == {"1", "2", "3"}
    assert done.data["tau_opt"] == pytest.approx(132.8018, abs=5e-5)
    assert b"<svg" in figure.read_bytes()
    back = sp.load(out)
    assert isinstance(back, sp.Losses)
    assert np.array_equal(back.test, done.data["test"])
    assert back.final == done.data["final"]
    again = sp.load(sp.save(back, tmp_path / "again.nc"))
    assert np.array_equal(again.drop["3"], back.drop["3"])


def test_times(spinodal):
    done = spinodal("times", "score", *POINT, "--tau", 1000, "--json")
    assert done.data["region"] == "dynamics"
    assert done.data["psi_n_star"] / 64 == pytest.approx(2.97, abs=0.01)
    assert "n*/d" in spinodal("times", "score", *POINT).out


def test_data_and_activation_from_files(spinodal, tmp_path):
    np.save(tmp_path / "sigma.npy", np.diag([0.5, 1.5]))
    (tmp_path / "my.py").write_text("import numpy as np\n\ndef act(x):\n    return np.tanh(x)\n")
    done = spinodal(
        *("spectrum", "score", *POINT, "--sigma", tmp_path / "sigma.npy", "--activation", f"{tmp_path / 'my.py'}:act"),
        "--json",
    )
    assert done.data["sigma"]["eigenvalues"] == 2
    assert len(done.data["edges"]) > 3


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("spectrum", "score", "--psi-p", 0, "--psi-n", 8, "--t", 0.1), "psi_p > 0"),
        (("spectrum", "score", "--psi-p", 64, "--psi-n", "x", "--t", 0.1), "give a number"),
        (("spectrum", "score", "--psi-p", 64, "--psi-n", 8), "--t"),
        (("spectrum", "score", *POINT[:4], "--t", 0), "t > 0"),
        (("spectrum", "score", *POINT[:4], "--t", 1e-26), "1e-20 <= t"),
        (("spectrum", "score", *POINT[:4], "--t", 20), "leaves nothing of the data"),
        (("times", "score", "--psi-p", 1e11, "--psi-n", 8, "--t", 0.01), "psi_p <= 1e+07"),
        (("spectrum", "score", *POINT[:4], "--t", 1e3), "t <= 350"),
        (("spectrum", "score", *POINT, "--sigma", "-1"), "not positive"),
        (("spectrum", "score", *POINT, "--sigma", "no.npy"), "neither a number nor a file"),
        (("spectrum", "score", *POINT, "--sigma", "."), "is a folder"),
        (("spectrum", "score", *POINT, "--activation", "tan"), "did you mean 'tanh'"),
        (("spectrum", "score", *POINT, "--alpha", 1), "no option '--alpha'"),
        (("spectrum", "score", *POINT, "--points", 1), "20 <= points"),
        (("spectrum", "score", *POINT, "--out", "rho.txt"), "ends in .nc"),
        (("spectrum", "scor", *POINT), "did you mean 'score'"),
        (("losses",), "needs a model; give one of score"),
        (("losses", "hopfield"), "choose one of score"),
        (("losses", "score", *POINT, "--tau-max", -1), "above 0"),
        (("losses", "score", *POINT, "--tau-min", 10, "--tau-max", 1), "--tau-min < --tau-max"),
        (("times", "score", *POINT, "--tau", -1), "tau >= 0"),
        (("times", "score", *POINT, "--tau", "inf"), "tau >= 0"),
    ],
)
def test_refusals_are_one_sentence(spinodal, arguments, part):
    done = spinodal(*arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["spectrum", "losses", "times"])
def test_nothing_is_loaded_that_is_not_asked_for(verb):
    """What draws, compiles or derives takes longer to load than a spectrum to compute."""
    code = f"""import sys
from spinodal.cli import main
main("{verb} score --psi-p 8 --psi-n 2 --t 0.1 --json".split())
print(*[n for n in ("sympy", "numba", "xarray", "matplotlib", "pandas") if n in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ""


def test_help_lists_the_model(spinodal):
    assert "score" in spinodal("spectrum", "--help").out
    assert "--psi-p" in spinodal("losses", "score", "--help").out


def test_what_is_absent_has_a_reason(spinodal):
    point = ("--psi-p", 0.3, "--psi-n", 0.2, "--t", 0.5, "--activation", "relu")
    found = spinodal("times", "score", *point, "--json").data
    derived = ("exponent_mem_1", "exponent_mem_3", "psi_n_star")
    assert [found[name] for name in derived] == [None, None, None]
    assert all(found["reasons"][name] for name in derived)
    assert "any number of samples" in " ".join(spinodal("times", "score", *point).out.split())
