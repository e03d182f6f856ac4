"""Gaussian-equivalent constants: against closed forms, 30 digits, limits, and functions that are refused."""

from __future__ import annotations

import math
import sys

import mpmath as mp
import numpy as np
import pytest

from theory.diffusion.activations import activation
from theory.diffusion.constants import gaussian_constants
from theory.diffusion.population import Population, population
from theory.errors import InvalidInput

POINTS = [(0.01, 1.0), (1e-5, 1.0), (0.3, 0.2), (2.0, 7.0)]


def relu_by_hand(t, sigma2):
    """E act^2, E f^2, mu0 in closed form (a = 1/2)."""
    Delta, signal = -math.expm1(-2 * t), math.exp(-2 * t) * sigma2
    g2 = signal + Delta
    c = signal / g2
    # sqrt(1 - c^2) and acos(c) without cancellation as c -> 1
    root = math.sqrt(Delta / g2 * (1 + c))
    return g2 / 2, g2 / (2 * math.pi) * (root + c * (math.pi - math.atan2(root, c))), math.sqrt(g2 / (2 * math.pi))


def test_numbers_of_tanh_relu_erf():
    tanh, relu, erf = (gaussian_constants(name, t=0.01) for name in ("tanh", "relu", "erf"))
    assert tanh.a == pytest.approx(0.605705509602, abs=5e-13)
    assert tanh.b_squared == pytest.approx(0.00726469419049, abs=1e-13)
    assert tanh.v_squared == pytest.approx(0.0255417764444, abs=1e-13)
    assert tanh.s_squared == pytest.approx(0.00187354959105, abs=2e-14)
    assert (relu.a, relu.b_squared) == pytest.approx((0.5, 0.00495033167331), abs=1e-13)
    assert relu.v_squared == pytest.approx(0.0863132454548, abs=1e-13)
    assert relu.s_squared == pytest.approx(0.00453181145331, abs=1e-13)
    assert erf.a == pytest.approx(0.651470015871, abs=5e-13)


def test_thirty_digits():
    with mp.workdps(30):
        t, h = mp.mpf("0.01"), mp.mpf("0.125")
        Delta, signal = 1 - mp.exp(-2 * t), mp.exp(-t)
        nodes = [h * k for k in range(-88, 89)]
        weights = [h * mp.npdf(x) for x in nodes]
        a = mp.fsum(w * x * mp.tanh(x) for x, w in zip(nodes, weights, strict=True))  # Gamma = 1 for unit variance
        power = mp.fsum(w * mp.tanh(x) ** 2 for x, w in zip(nodes, weights, strict=True))
        smooth = mp.fsum(
            w * mp.fsum(q * mp.tanh(signal * x + mp.sqrt(Delta) * y) for y, q in zip(nodes, weights, strict=True)) ** 2
            for x, w in zip(nodes, weights, strict=True)
        )
        exact = (a, Delta * a**2, smooth - a**2 * signal**2, power - smooth - Delta * a**2)
    found = gaussian_constants("tanh", t=0.01)
    for value, expected in zip(
        (found.a, found.b_squared, found.v_squared, found.s_squared), map(float, exact), strict=True
    ):
        assert value == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("t", "sigma2"), POINTS)
def test_relu_in_closed_form(t, sigma2):
    found = gaussian_constants("relu", t=t, sigma2=sigma2)
    power, smooth, mean = relu_by_hand(t, sigma2)
    assert found.a == pytest.approx(0.5, abs=1e-14)
    assert found.mu0 == pytest.approx(mean, rel=1e-13)
    scale = 4e-16 * power
    assert found.v_squared == pytest.approx(smooth - math.exp(-2 * t) * sigma2 / 4 - mean**2, rel=1e-12, abs=scale)
    assert found.s_squared == pytest.approx(power - smooth - found.Delta / 4, rel=1e-12, abs=scale)


@pytest.mark.parametrize(("t", "sigma2"), POINTS)
def test_erf_in_closed_form(t, sigma2):
    found = gaussian_constants("erf", t=t, sigma2=sigma2)
    g2 = found.gamma2
    c = math.exp(-2 * t) * sigma2 / g2
    x = 2 * g2 / (1 + 2 * g2)
    smooth = 2 / math.pi * math.asin(x * c)
    assert found.a == pytest.approx(2 / math.sqrt(math.pi) / math.sqrt(1 + 2 * g2), rel=1e-13)
    assert found.v_squared == pytest.approx(smooth - found.A * sigma2, rel=1e-12, abs=1e-15)
    s_squared = 2 / math.pi * math.asin(x) - smooth - found.b_squared
    assert found.s_squared == pytest.approx(s_squared, rel=1e-12, abs=1e-15)


def test_what_is_left_of_the_noise_as_it_vanishes():
    """s^2 -> Delta (E act'^2 - a^2); the difference of averages would have lost all digits here."""
    found = gaussian_constants("tanh", t=1e-9)
    z, w = np.polynomial.hermite_e.hermegauss(120)
    slope = float((w * (1 - np.tanh(z) ** 2) ** 2).sum() / math.sqrt(2 * math.pi))
    assert found.s_squared / found.Delta == pytest.approx(slope - found.a**2, rel=1e-7)


def test_kinks_are_found_where_they_are():
    shifted = gaussian_constants(lambda x: np.maximum(x - 1 / 3, 0), t=0.1)
    assert shifted.error < 1e-13
    g = math.sqrt(shifted.gamma2)
    assert shifted.a == pytest.approx(0.5 * math.erfc(1 / (3 * g * math.sqrt(2))), abs=1e-13)
    step = gaussian_constants(np.sign, t=0.01)
    assert step.a == pytest.approx(math.sqrt(2 / math.pi), rel=1e-12)
    c = math.exp(-0.02)
    assert step.v_squared == pytest.approx(2 / math.pi * math.asin(c) - step.A, abs=1e-12)
    assert activation("relu").pieces(10.0).kinks.tolist() == [0.0]


def test_linear_and_even_functions():
    linear = gaussian_constants("linear", t=0.5, sigma2=3.0)
    assert (linear.a, linear.v_squared, linear.s_squared) == pytest.approx((1.0, 0.0, 0.0), abs=1e-14)
    square = gaussian_constants(lambda x: x * x, t=0.5)
    assert square.a == square.b_squared == 0.0
    assert square.second_moment == pytest.approx(3.0, rel=1e-13)


@pytest.mark.parametrize(
    ("function", "part"),
    [
        ("tan", "did you mean 'tanh'"),
        (7, "is not a function"),
        (lambda x: x / np.sum(x * x), "when the other elements change"),
        (lambda x: x[:2], "same shape"),
        (lambda x, y: x, "fails on a float array"),
        (lambda x: x + 1j, "real array"),
        (lambda x: 1 / x, "is not finite at 0"),
        (lambda x: np.log(x), "is not finite"),
        (lambda x: np.exp(x * x / 3.9), "grows too fast|second moment"),
        (lambda x: np.abs(x - 0.123) ** -0.6, "second moment"),
        (lambda x: 0 * x + 2, "constant"),
        (lambda x: np.sin(1e6 * x), "too rough"),
        ("./nowhere.py:act", "does not exist"),
    ],
)
def test_refused_activations(function, part):
    with pytest.raises(InvalidInput, match=part):
        gaussian_constants(function, t=0.01)


@pytest.mark.parametrize(
    ("t", "sigma2"), [(0.0, 1), (-1, 1), (math.nan, 1), (math.inf, 1), (400.0, 1), (0.1, 0), ("a", 1)]
)
def test_refused_times(t, sigma2):
    with pytest.raises(InvalidInput, match="is not allowed"):
        gaussian_constants("tanh", t=t, sigma2=sigma2)


def test_activation_from_a_file(tmp_path):
    (tmp_path / "my.py").write_text("import numpy as np\n\ndef act(x):\n    return np.tanh(x)\n\nbad = 3\n")
    spec = str(tmp_path / "my.py")
    assert gaussian_constants(spec + ":act", t=0.01).a == gaussian_constants("tanh", t=0.01).a
    with pytest.raises(InvalidInput, match="it defines act"):
        activation(spec + ":bad")
    (tmp_path / "broken.py").write_text("1/0\n")
    with pytest.raises(InvalidInput, match="fails to import"):
        activation(str(tmp_path / "broken.py") + ":act")


def test_populations(tmp_path):
    assert population(2).sigma2 == 2.0
    joined = Population.atoms([1.0, 1.0 + 1e-15, 4.0])
    assert joined.weights.tolist() == pytest.approx([2 / 3, 1 / 3])
    np.save(tmp_path / "c.npy", np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert population(str(tmp_path / "c.npy")).eigenvalues.tolist() == pytest.approx([1.0, 3.0])
    np.savetxt(tmp_path / "e.txt", [0.5, 1.5])
    assert population(str(tmp_path / "e.txt")).sigma2 == 1.0
    (tmp_path / "m.csv").write_text("2.0, 1.0\n1.0, 2.0\n")
    assert population(tmp_path / "m.csv").eigenvalues.tolist() == pytest.approx([1.0, 3.0])
    law = Population.from_density(lambda x: np.sqrt((4 - x) * (x - 1)) / x, 1.0, 4.0)
    assert law.sigma2 == pytest.approx(9 / 4 / 1.0 * 1.0, rel=1e-12)  # (1+sqrt r)^2, (1-sqrt r)^2 times 9/4, r = 1/9


@pytest.mark.parametrize(
    ("sigma", "part"),
    [
        (0.0, "not positive"),
        (-1, "not positive"),
        ([1.0, math.nan], "not positive"),
        ([[1.0, 2.0], [2.0, 1.0]], "not positive"),
        ([[1.0, 0.5], [0.0, 1.0]], "not symmetric"),
        ([[1.0, 2.0, 3.0], [2.0, 1.0, 1.0]], "square"),
        ("nowhere.npy", "neither a number nor a file"),
        ("", "neither a number nor a file"),
        (["a"], "real numbers"),
        ([], "no eigenvalues"),
        ("empty.txt", "holds no real numbers"),
        ("words.txt", "cannot be read as numbers"),
        ("broken.npy", "no array of numbers was saved in it"),
        ("nan.npy", "contains NaN"),
    ],
)
def test_refused_populations(sigma, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "words.txt").write_text("one two\n")
    (tmp_path / "broken.npy").write_bytes(b"broken")
    np.save(tmp_path / "nan.npy", [1.0, math.nan])
    with pytest.raises(InvalidInput, match=part):
        population(sigma)


@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        (np.sign, (0.0,)),
        (lambda x: np.maximum(x, 0.0), (0.0,)),
        (lambda x: np.clip(x, -1.0, 1.0), (-1.0, 1.0)),
        (lambda x: np.where(x > 1 / 3, x, 0.0), (1 / 3,)),
        (np.tanh, ()),
    ],
)
def test_kinks_are_found_wherever_they_are(function, kinks):
    """Also at zero, where a symmetric grid would have an edge and see nothing."""
    found = activation(function).pieces(9.0).kinks
    assert found == pytest.approx(kinks, abs=1e-13)
    assert all(k in found for k in kinks if k == round(k))


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (lambda x: np.tanh(x).astype(np.float32), "too coarse"),
        (lambda x: 1e200 * np.tanh(x), "reaches"),
        (lambda x: np.exp(x * x), "so that no second moment is found"),
        (lambda x: 1e-200 * np.tanh(x), "0 to rounding"),
        (lambda x: 1e-8 * np.tanh(x), "is so small .* scale it up"),
        (lambda x: sys.exit(3), "fails on a float array"),
    ],
)
def test_extreme_activations_are_refused_in_a_sentence(function, part):
    with pytest.raises(InvalidInput, match=part):
        gaussian_constants(function, t=0.01)
