"""A trained score network: scaling that is right by itself, training that resumes to the same weights, refusals."""

from __future__ import annotations

import builtins
import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from numerics.diffusion import neural
from numerics.diffusion.memories import circle
from numerics.diffusion.neural import Network, Training, least_loss, load_network, require_torch, train
from theory.errors import InvalidInput, MissingExtra

SPAN = {"low": 0.05, "high": 5.0}


class Stop(Exception):
    """Stands for Ctrl-C."""


def zero(centre: np.ndarray, unit: float) -> Network:
    width = len(centre)
    return Network((np.zeros((width + 9, width)), np.zeros(width)), centre, unit, 1.0)


def test_without_data_the_network_is_the_score_of_a_gaussian_cloud() -> None:
    # F = 0: D = centre + (x - centre) unit^2/(unit^2 + sigma^2), Wiener's filter.
    centre, unit, sigma = np.array([1.0, -2.0, 0.5]), 0.7, 0.4
    x = np.random.default_rng(0).standard_normal((5, 3))
    exact = -(x - centre) / (unit**2 + sigma**2)
    np.testing.assert_allclose(zero(centre, unit).score(x, sigma), exact, atol=1e-12)


def test_the_target_of_a_step_is_what_denoises() -> None:
    # Put F = target by hand: the denoised point must be the clean one, for every noise.
    clean, how = circle(5), Training(batch=64)
    inputs, target = neural._batch(clean, how, (0.01, 10.0), 3)
    assert inputs.shape == (64, 11)
    s = np.exp(4.0 * inputs[:, 2].astype(float))
    total = np.sqrt(1.0 + s * s)[:, None]
    noisy = inputs[:, :2] * total
    denoised = noisy / total**2 + s[:, None] / total * target
    distance = np.linalg.norm(denoised[:, None] - clean[None], axis=2).min(1)
    assert (distance < 2e-4 * (1.0 + s)).all()
    # The target has unit size on the whole, at every noise: that is what the scaling is for.
    assert 0.3 < float((target**2).mean()) < 1.7
    assert 0.009 < s.min() < 0.03
    assert 4.0 < s.max() < 10.1


def test_a_trained_network_denoises_better_than_the_cloud(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    points = circle(3)
    told: list[tuple[str, int, int]] = []
    net = train(
        points,
        Training(steps=300, width=32),
        **SPAN,
        checkpoint=tmp_path / "net.npz",
        progress=lambda *what: told.append(what),
    )
    rng = np.random.default_rng(1)
    noisy = points + 0.2 * rng.standard_normal(points.shape)
    error = [np.linalg.norm(f.denoise(noisy, 0.2) - points) for f in (net, zero(net.centre, net.unit))]
    assert error[0] < 0.8 * error[1]
    assert net.loss < 0.9
    assert told[-1][1:] == (300, 300)
    again = load_network(tmp_path / "net.npz")
    np.testing.assert_array_equal(again.denoise(noisy, 0.2), net.denoise(noisy, 0.2))


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(neural, "CHECKPOINT_EVERY", 0.0)
    points, how, file = circle(4), Training(steps=150, width=16, depth=2), tmp_path / "net.npz"

    def stop(label: str, done: int, total: int) -> None:
        if done == 100:
            raise Stop

    with pytest.raises(Stop):
        train(points, how, **SPAN, checkpoint=file, progress=stop)
    assert list(tmp_path.iterdir()) == [file]
    resumed: list[int] = []
    net = train(points, how, **SPAN, checkpoint=file, progress=lambda label, done, total: resumed.append(done))
    assert resumed == [100, 150]  # the step that was interrupted is done again
    whole = train(points, how, **SPAN)
    for a, b in zip(net.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert net.loss == whole.loss
    # A finished network needs no PyTorch; another training does not take it over.
    monkeypatch.setattr(neural, "_run", lambda *a, **k: pytest.fail("trained"))
    train(points, how, **SPAN, checkpoint=file)
    with pytest.raises(pytest.fail.Exception):
        train(points, Training(steps=150, width=16, depth=2, seed=1), **SPAN, checkpoint=file)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(pytest.fail.Exception):
        train(points, how, **SPAN, checkpoint=file)


def test_ctrl_c_loses_no_step(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    points, how, file = circle(4), Training(steps=150, width=16, depth=2), tmp_path / "net.npz"

    def press(label: str, done: int, total: int) -> None:
        if done == 100:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(points, how, **SPAN, checkpoint=file, progress=press)
    assert signal.getsignal(signal.SIGINT) is before
    resumed: list[int] = []
    net = train(points, how, **SPAN, checkpoint=file, progress=lambda label, done, total: resumed.append(done))
    assert resumed == [150]
    for a, b in zip(net.weights, train(points, how, **SPAN).weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_weights(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    code = """
import sys
from pathlib import Path
from numerics.diffusion import neural
from numerics.diffusion.memories import circle
neural.CHECKPOINT_EVERY = float(sys.argv[2])
how = neural.Training(steps=1200, width=16, depth=2)
neural.train(circle(4), how, low=0.05, high=5.0, checkpoint=Path(sys.argv[1]))
"""

    def run(file: Path, every: float) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, "-c", code, str(file), str(every)], cwd=Path(__file__).parents[3])

    killed, whole = tmp_path / "killed.npz", tmp_path / "whole.npz"
    steps = []
    for _ in range(3):
        process, before = run(killed, 0.0), killed.stat().st_mtime_ns if killed.exists() else 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not killed.exists() or killed.stat().st_mtime_ns == before):
            time.sleep(0.01)
        time.sleep(0.3)
        process.kill()  # SIGKILL, most likely while the checkpoint is written: every step writes it
        process.wait(timeout=60)
        with np.load(killed) as saved:
            steps.append(int(saved["step"]))
    assert 0 < steps[0] < steps[-1] < 1200
    assert run(killed, 1e9).wait(timeout=100) == run(whole, 1e9).wait(timeout=100) == 0
    with np.load(killed) as a, np.load(whole) as b:
        assert a.files == b.files
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])


def test_the_floor_of_the_loss_is_that_of_the_exact_score() -> None:
    # Little noise: every noisy point names its memory.  Much: the best estimate is the centre, and F has error x, of
    # unit mean square.  Between, no Gaussian's filter (F = 0) is better.
    points, how = circle(40), Training()
    assert least_loss(points, how, low=1e-5, high=2e-5).value < 1e-6
    far = least_loss(points, how, low=900.0, high=1000.0)
    assert abs(far.value - 1.0) < 6.0 * far.error + 0.01
    middle = least_loss(points, how, **SPAN)
    target = np.concatenate(
        [neural._batch((points - points.mean(0)) / np.sqrt(points.var()), how, (0.07, 7.0), k)[1] for k in range(20)]
    )
    assert 0.0 < middle.error < 0.05
    assert middle.value < float((target**2).mean())


def test_a_network_comes_near_the_floor_and_not_below() -> None:
    pytest.importorskip("torch")
    points, how = circle(2), Training(steps=600, width=32)
    floor, loss = least_loss(points, how, **SPAN), train(points, how, **SPAN).loss
    # The average over the last 60 steps of 128 points has three times the error of that over 20 steps at most.
    assert floor.value - 6.0 * floor.error < loss < floor.value + 0.15


def test_numbers_of_numpy_are_numbers() -> None:
    how = Training(steps=np.int64(20), width=np.int32(8))
    assert (how, type(how.steps)) == (Training(steps=20, width=8), int)


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str, *rest: object) -> object:
        if name == "torch":
            raise ImportError
        return builtins.__import__(name)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingExtra, match=r"pip install 'spinodal\[neural\]'") as told:
        require_torch()
    assert str(told.value).count("\n") == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"width": -1},
        {"depth": 2.5},
        {"batch": True},
        {"rate": 0.0},
        {"rate": "fast"},
        {"threads": 0},
        {"seed": -1},
    ],
)
def test_trainings_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidInput, match="is not allowed"):
        Training(**wrong)


def test_points_and_noise_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="0 < low < high"):
        train(circle(3), Training(), low=1.0, high=0.5)
    with pytest.raises(InvalidInput, match="all training points are the same"):
        train(np.ones((3, 2)), Training(), **SPAN)
    with pytest.raises(InvalidInput, match="NaN or infinity in 1 of 3"):
        train(np.array([[0.0], [1.0], [np.nan]]), Training(), **SPAN)
    with pytest.raises(InvalidInput, match=r"points of the data, \(B, 3\)"):
        zero(np.zeros(3), 1.0).denoise(np.zeros((2, 2)), 0.1)
    (tmp_path / "no.npz").write_text("nothing")
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "arrays.npz", centre=np.zeros(2), unit=1.0, loss=1.0)
    for name in ("no.npz", "array.npy", "arrays.npz", "absent.npz"):
        with pytest.raises(InvalidInput, match="holds no trained network"):
            load_network(tmp_path / name)
