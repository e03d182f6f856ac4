"""Measured minima and first steps against the theory, and the records that carry them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from numerics.curves import Curve, Curves, average_in_bins, histogram
from numerics.first_step import first_step
from numerics.vector_minima import minima
from theory.denoising import first_overlap
from theory.errors import InvalidInput
from theory.minima import local_fields
from theory.models.hopfield import Hopfield
from theory.models.vector_hopfield import VectorHopfield
from theory.models.vector_random_features import VectorRandomFeatures

MODEL = VectorHopfield(alpha=0.02, d=3)


@pytest.fixture(scope="module")
def found():
    return minima(MODEL, 400, samples=8, workers=2)


def test_all_samples_are_minima_to_rounding(found):
    assert found.verdicts == {"minimum": 8}
    assert found.measurements["tangential"].value < 1e-9
    assert min(found.values["smallest"]) > 0.0
    assert all(s.complete and s.error < 1e-12 for s in found.spectra)


def test_minima_do_not_depend_on_threads_or_on_other_samples(found):
    alone = minima(MODEL, 400, samples=3)
    np.testing.assert_allclose(alone.spectra[2].eigenvalues, found.spectra[2].eigenvalues, rtol=0, atol=1e-12)
    assert alone.values["m"][2] == pytest.approx(found.values["m"][2], abs=1e-12)


def test_field_lengths_follow_the_theory(found):
    """Shares of short, middle and long fields: Student's t with 7 degrees of freedom is beyond 26 in 3e-8 of runs."""
    law = local_fields(MODEL, "example")
    ends = [law.quantile(share) for share in (0.25, 0.5, 0.75)]
    rows = [np.histogram(f, [0.0, *ends, np.inf])[0] / 400 for f in found.fields]
    pull = (np.mean(rows, axis=0) - 0.25) / (np.std(rows, axis=0, ddof=1) / math.sqrt(8))
    assert np.abs(pull).max() < 26.0
    assert np.abs(np.mean(rows, axis=0) - 0.25).max() < 0.1
    assert found.fields.mean() == pytest.approx(-2.0 * found.measurements["energy"].value, rel=1e-9)


def test_histograms_are_densities_and_records_come_back(found):
    ends = np.linspace(0.0, 2.5, 26)
    record = found.curves(eigenvalues=ends, fields=ends)
    for name in ("density", "fields"):
        curve = record.curves[name]
        assert np.sum(np.diff(curve.edges) * curve.arrays()[1]) == pytest.approx(1.0, abs=1e-4)
    again = Curves.from_json(json.loads(json.dumps(record.to_json(), allow_nan=False)))
    assert again == record
    assert again["m"].n == 8
    with pytest.raises(InvalidInput, match="was not measured"):
        again["q"]
    with pytest.raises(InvalidInput, match="wrong entries: extra"):
        Curves.from_json({**record.to_json(), "extra": 1})


def test_averages_in_bins_have_jackknife_errors():
    random = np.random.default_rng(3)
    x, y = random.uniform(size=(50, 200)), random.standard_normal((50, 200))
    curve = average_in_bins(list(zip(x, y, strict=True)), [0.0, 0.5, 1.0])
    _, value, error = curve.arrays()
    np.testing.assert_allclose(error, 1.0 / math.sqrt(5000), rtol=0.4)
    assert (np.abs(value) < 6 * error).all()
    empty = average_in_bins([([0.1], [1.0])], [0.0, 0.5, 1.0])
    assert (empty.value, empty.error) == ((1.0, None), (None, None))
    assert histogram([[0.1, 0.9]], [0.0, 0.5]).error == (None,)
    assert Curve((0.0, 1.0), (None,), (None,)).arrays()[1].tolist() != [0.0]


@pytest.mark.parametrize(
    ("model", "zero_modes"),
    [
        (VectorRandomFeatures(alpha=0.05, alpha_d=0.5, d=2, variant="phasor"), 1),
        (VectorRandomFeatures(alpha=0.05, alpha_d=0.5, d=3, variant="scalar"), 3),
        (VectorRandomFeatures(alpha=0.05, alpha_d=0.5, d=2, variant="tensor"), 0),
    ],
    ids=["phasor", "scalar", "tensor"],
)
def test_minima_of_all_couplings(model, zero_modes):
    found = minima(model, 120, start="feature", samples=2)
    assert found.verdicts == {"minimum": 2}
    assert [int(s.symmetric.sum()) for s in found.spectra] == [zero_modes] * 2
    assert found.loads == {"alpha": 0.05, "alpha_d": 0.5}


@pytest.mark.parametrize(
    "model",
    [Hopfield(alpha=0.5), *(VectorHopfield(alpha=0.5, d=d) for d in (1, 2, 3, 10))],
    ids=["hopfield", "1", "2", "3", "10"],
)
def test_one_step_restores_what_the_theory_says(model):
    """Eight samples at two overlaps: Student's t with 7 degrees of freedom is beyond 21 in 1e-7 of all runs."""
    for m0 in (0.2, 0.5):
        found = first_step(model, 1000, m0=m0, samples=8)
        expected = first_overlap(found["m0"].value, alpha=0.5, d=getattr(model, "d", 1))
        assert abs(found["m1"].value - expected) < 21 * found["m1"].error
        assert found["m1"].error < 0.02
        assert found["m0"].value == pytest.approx(m0, abs=1e-3)


def test_the_slip_in_the_published_step_of_ising_spins_is_excluded():
    # erf(m0/(2 sqrt(alpha))) in place of erf(m0/sqrt(2 alpha)).
    found = first_step(Hopfield(alpha=0.5), 2000, m0=0.5, samples=8)
    theirs = math.erf(0.5 / (2.0 * math.sqrt(0.5)))
    assert abs(found["m1"].value - theirs) > 10 * found["m1"].error


def test_misuse_is_answered_in_a_sentence():
    for arguments, text in (
        ((Hopfield(alpha=0.1), 100), "hopfield has Ising spins"),
        ((VectorHopfield(alpha=0.1, d=1), 100), "d = 1 has Ising spins"),
        ((VectorHopfield(alpha=0.1, d=3, temperature=0.1), 100), "temperature = 0.1"),
        ((VectorHopfield(d=3), 100), "alpha is missing"),
    ):
        with pytest.raises(InvalidInput, match=text):
            minima(*arguments)
    with pytest.raises(InvalidInput, match=r"too large for LAPACK.* GiB; .*'lanczos'"):
        minima(MODEL, 4000, method="lapack")
    with pytest.raises(InvalidInput, match="samples = 0"):
        minima(MODEL, 100, samples=0)
    with pytest.raises(InvalidInput, match=r"overlap = 1\.5"):
        first_step(MODEL, 100, m0=1.5)
    with pytest.raises(InvalidInput, match=r"temperature = 0\.2"):
        first_step(Hopfield(alpha=0.1, temperature=0.2), 100, m0=0.5)
