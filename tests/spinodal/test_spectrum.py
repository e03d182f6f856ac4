"""`spinodal spectrum`: one JSON object, a file that can be read back, a figure, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from xarray import load_dataset

import spinodal as sp


def test_edge_and_density_of_the_spin_glass(spinodal, tmp_path):
    out, figure = tmp_path / "rho.nc", tmp_path / "rho.pdf"
    done = spinodal(
        *("spectrum", "vector-hopfield", "--d", 3, "--alpha", 0.04, "--state", "spin-glass", "--points", 100),
        *("--out", out, "--figure", figure, "--json"),
    )
    assert done.code == 0
    assert done.data["edge"] == pytest.approx(0.00783979, abs=5e-9)
    assert done.data["Lambda"] == pytest.approx(-1.0, abs=1e-12)
    assert done.data["rs_stable"] is False
    assert done.data["status"] == "CONVERGED"
    assert done.data["error"] < 1e-10
    assert done.data["alpha_scaled"] == pytest.approx(0.12)
    assert done.data["files"] == [str(out), str(figure)]
    columns = ("eigenvalue", "density", "density_error", "cumulative", "participation", "weight")
    assert len({len(done.data[name]) for name in columns}) == 1
    assert figure.read_bytes().startswith(b"%PDF")
    back = sp.load(out)
    assert isinstance(back, sp.Spectrum)
    assert back.to_json()["edge"] == done.data["edge"]
    assert np.array_equal(back.density, done.data["density"])
    assert back.quantities["local_fields"]["onsager_shift"] == pytest.approx(0.1063846, abs=1e-6)


def test_retrieval_has_no_edge(spinodal, tmp_path):
    figure = tmp_path / "rho.png"
    done = spinodal("spectrum", "vector-hopfield", "--alpha", 0.04, "--figure", figure, "--json")
    assert done.data["edge"] is None
    assert done.data["lower_end"] == "pseudogap"
    assert done.data["Lambda"] == pytest.approx(0.87292268, abs=1e-7)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_table(spinodal):
    done = spinodal("spectrum", "vector-hopfield", "--alpha", 0.02, "--points", 40)
    assert done.code == 0
    assert "onsager shift" in done.out
    assert "pseudogap" in done.out


def test_save_and_load(tmp_path):
    found = sp.spectrum(sp.VectorHopfield(alpha=0.01, d=10), points=40)
    back = sp.load(sp.save(found, tmp_path / "rho.nc"))
    assert back.normalisation == found.normalisation
    assert back.quantities == found.quantities
    assert back.atoms == ()
    with pytest.raises(sp.InvalidInput, match=r"ends in \.nc"):
        sp.save(found, tmp_path / "rho.json")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("vector-hopfield", "--alpha", 0.02, "--d", 1), "d = 1 has no Hessian"),
        (("vector-hopfield", "--alpha", 0.02, "--temperature", 0.1), "leave the temperature at 0"),
        (("vector-hopfield", "--alpha", 0), "0 < alpha"),
        (("vector-hopfield", "--alpha", -1), "0 < alpha"),
        (("vector-hopfield",), "alpha is missing"),
        (("vector-hopfield", "--alpha", 0.02, "--state", "spinglass"), "did you mean 'spin-glass'"),
        (("vector-hopfield", "--alpha", 0.02, "--state", "paramagnet"), "choose example or spin-glass"),
        (("vector-hopfield", "--alpha", 0.02, "--points", 1), "20 <= points"),
        (("vector-hopfield", "--alpha", 0.02, "--out", "rho.txt"), "ends in .nc"),
        (("vector-hopfield", "--alpha", 0.02, "--figure", "rho.doc"), ".pdf or .png or .svg"),
        (("hopfield", "--alpha", 0.02), "hopfield has no spectrum; vector-hopfield has one"),
        (("vector-hopfield", "--alpha", 0.02, "--N", 100), "--N belongs to simulated minima; add --simulate"),
        (("vector-hopfield", "--alpha", 0.02, "--simulate", "--N", 10), "raise N to 26 or more"),
        (("vector-hopfield", "--alpha", 0.02, "--simulate", "--N", 200, "--samples", 0), "samples = 0"),
        (("vector-hopfield", "--alpha", 0.02, "--simulate", "--N", 200, "--method", "lapak"), "did you mean 'lapack'"),
        (
            ("vector-hopfield", "--alpha", 0.02, "--simulate", "--N", 5000, "--method", "lapack"),
            "would take 2.24 GiB; give N d <= 8192, or method 'lanczos'",
        ),
    ],
)
def test_refusals_are_one_sentence(spinodal, arguments, part):
    done = spinodal("spectrum", *arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert done.err.count("\n") == 1


def test_a_state_that_does_not_exist_is_an_answer(spinodal, tmp_path):
    out = tmp_path / "rho.nc"
    done = spinodal("spectrum", "vector-hopfield", "--alpha", 0.06, "--out", out, "--json")
    assert (done.code, done.data["status"]) == (3, "NO_SOLUTION")
    assert not out.exists()


@pytest.mark.parametrize("state", ["example", "spin-glass"])
def test_simulated_minima_stand_beside_the_density(spinodal, tmp_path, state):
    out, figure = tmp_path / "rho.nc", tmp_path / "rho.png"
    done = spinodal(
        *("spectrum", "vector-hopfield", "--alpha", 0.04, "--state", state, "--points", 100, "--simulate"),
        *("--N", 100, "--samples", 2, "--seed", 3, "--out", out, "--figure", figure, "--json"),
    )
    assert done.code == 0
    run = done.data["simulation"]
    assert (run["N"], run["P"], run["samples"], run["seed"], run["method"]) == (100, 4, 2, 3, "lapack")
    assert run["start"] == {"example": "example", "spin-glass": "random"}[state]
    assert run["verdicts"] == {"minimum": 2}
    assert run["largest_residual"] < 1e-12
    assert np.shape(run["eigenvalue"]) == np.shape(run["participation"]) == (2, 200)
    assert np.mean(run["eigenvalue"]) == pytest.approx(-2.0 * run["measurements"]["energy"]["value"], rel=1e-9)
    assert figure.read_bytes().startswith(b"\x89PNG")
    back = sp.load(out)
    assert back.to_json()["mean"] == done.data["mean"]
    assert not any(name.startswith("simulated") for name in back.curves)
    stored = load_dataset(out, engine="h5netcdf")
    assert np.array_equal(stored["simulated_eigenvalue"], run["eigenvalue"])
    assert stored["simulated_field"].shape == (2, 100)
    table = spinodal("spectrum", "vector-hopfield", "--alpha", 0.04, "--simulate", "--N", 100, "--samples", 1)
    assert "1 minimum" in table.out


def test_lanczos_gives_the_lower_edge_alone(spinodal, tmp_path):
    done = spinodal(
        *("spectrum", "vector-hopfield", "--alpha", 0.04, "--simulate", "--N", 100, "--samples", 2),
        *("--method", "lanczos", "--figure", tmp_path / "rho.pdf", "--json"),
    )
    assert done.data["simulation"]["method"] == "lanczos"
    assert np.shape(done.data["simulation"]["eigenvalue"]) == (2, 20)


def test_models_without_a_spectrum_are_not_listed(spinodal):
    listed = spinodal("spectrum", "--help").out
    assert "vector-hopfield" in listed
    assert "random-features" not in listed
    assert "hopfield" not in listed.replace("vector-hopfield", "")
    refused = spinodal("spectrum", "hopfield")
    assert refused.code == 2
    assert "hopfield has no spectrum; vector-hopfield has one" in refused.err
