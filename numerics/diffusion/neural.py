r"""A small trained score network: a multilayer perceptron that denoises, trained with PyTorch, evaluated with NumPy.

With the root mean square sigma_d of the centred training points, and every length in its unit,

    D(x, sigma) = x/(1 + sigma^2) + sigma/sqrt(1 + sigma^2) F(x/sqrt(1 + sigma^2), log sigma),

so that F has unit target at every noise, and its squared error is averaged over sigma uniform in log sigma.  The score
is ``(D - x)/sigma^2``; the exact minimiser over all functions is the empirical score of the training points.

Source of the scaling: Karras and others, NeurIPS 2022 (arXiv:2206.00364), Table 1.
"""

from __future__ import annotations

import importlib
import math
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.memories import checked_sigma
from numerics.files import reserved
from numerics.rng import gaussians, stream, words
from theory.errors import InvalidInput, MissingExtra, NotConverged

__all__ = ["Network", "Training", "features", "load_network", "require_torch", "train"]

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

CHECKPOINT_EVERY = 10.0
"""Seconds between checkpoints of a training."""

_HARMONICS = 4  # of log sigma, as input
_SAY = 50


@dataclass(frozen=True)
class Training:
    """How a network is made.

    Attributes
    ----------
    steps, batch, width, depth : int
        Steps of Adam, noisy points per step, neurons per hidden layer, hidden layers.
    rate : float
        First learning rate; it falls to 0 as a cosine.
    seed : int
        Names the first weights and the noise of every step.
    threads : int
        Of PyTorch; the last digits of the weights depend on it.
    """

    steps: int = 3000
    batch: int = 128
    width: int = 128
    depth: int = 3
    rate: float = 3e-3
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        limits = {"steps": 10**7, "batch": 10**5, "width": 10**4, "depth": 20, "threads": 1024}
        for name, top in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= top:
                raise InvalidInput(f"{name} = {value} is not allowed; give a whole number, 1 to {top}.")
        if not 0.0 < self.rate < 1.0:
            raise InvalidInput(f"rate = {self.rate} is not allowed; give a learning rate with 0 < rate < 1.")


@dataclass(frozen=True, eq=False)
class Network:
    """A trained denoiser.

    Attributes
    ----------
    weights : tuple of array
        Matrix (in, out) and bias (out,) of every layer in turn.
    centre : (N,) array
    unit : float
        Root mean square of the centred training points, per coordinate.
    loss : float
        Mean squared error of F over the last tenth of the training (1 for F = 0).
    """

    weights: tuple[Array, ...]
    centre: Array
    unit: float
    loss: float

    def denoise(self, x: Array, sigma: float) -> Array:
        """Estimate of the clean points, (B, N), from noisy ones."""
        s = checked_sigma(sigma) / self.unit
        total = math.sqrt(1.0 + s * s)
        y = (x - self.centre) / self.unit
        h = np.concatenate([y / total, np.broadcast_to(features(np.array([s])), (len(y), 2 * _HARMONICS + 1))], axis=1)
        last = len(self.weights) // 2 - 1
        for k in range(last + 1):
            h = h @ self.weights[2 * k] + self.weights[2 * k + 1]
            if k < last:
                h = 0.5 * h * (1.0 + np.tanh(0.5 * h))  # SiLU
        return np.asarray(self.centre + self.unit * (y / total**2 + (s / total) * h))

    def score(self, x: Array, sigma: float) -> Array:
        """Gradient of log p at noise sigma, (B, N)."""
        return (self.denoise(x, sigma) - x) / sigma**2


def features(s: Array) -> Array:
    """Inputs that tell the network the noise: log s and its harmonics, (B, 2 harmonics + 1).

    Examples
    --------
    >>> features(np.array([1.0])).shape
    (1, 9)
    """
    u = np.log(s)[:, None] / 4.0
    angle = math.pi * u * 2.0 ** np.arange(_HARMONICS)
    return np.concatenate([u, np.cos(angle), np.sin(angle)], axis=1)


def require_torch() -> Any:
    """Return the module torch.

    Raises
    ------
    MissingExtra
        Without PyTorch.
    """
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise MissingExtra(
            "training a score network needs PyTorch, which is not installed; run: pip install 'spinodal[neural]', "
            "or take the exact score alone (--no-network)."
        ) from None


def train(
    points: Array,
    how: Training,
    *,
    low: float,
    high: float,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Network:
    """Train a network on points; go on from a checkpoint of the same training if there is one.

    Noise, batches and first weights are named by the seed and the step, so that an interrupted training ends with the
    same weights as one that was not.

    Parameters
    ----------
    points : (K, N) array
    how : Training
    low, high : float
        Noise levels trained on.
    checkpoint : Path or None
        File (.npz), replaced every ten seconds, and kept with the final weights.
    progress : callable or None

    Returns
    -------
    Network

    Raises
    ------
    MissingExtra
        Without PyTorch, unless the checkpoint is of a finished training.
    NotConverged
        If the loss is not finite.
    """
    if not 0.0 < low < high < math.inf:
        raise InvalidInput(f"noise from {low} to {high} is not allowed; give 0 < low < high.")
    centre = points.mean(axis=0)
    unit = float(np.sqrt(np.mean((points - centre) ** 2)))
    if not unit > 0.0:
        raise InvalidInput("all training points are the same; give at least 2 distinct ones.")
    mark = _mark(points, how, low, high)
    state = _State.load(checkpoint, mark, how)
    if state is None:
        state = _State.fresh(points.shape[1], how)
    if state.step < how.steps:
        state = _run(points, how, state, (low / unit, high / unit), (centre, unit), checkpoint, mark, progress)
        if checkpoint is not None:
            state.save(checkpoint, mark, centre, unit)
    return Network(tuple(w.astype(np.float64) for w in state.weights), centre, unit, state.loss)


def load_network(path: Path) -> Network:
    """Read the network of a finished or interrupted training.

    Raises
    ------
    InvalidInput
        If the file is none.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:
            count = sum(name.startswith("weight_") for name in saved.files)
            weights = tuple(saved[f"weight_{k}"].astype(np.float64) for k in range(count))
            return Network(weights, saved["centre"], float(saved["unit"]), float(saved["loss"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise InvalidInput(f"'{path}' holds no trained network; train it with 'spinodal generalise'.") from problem


@dataclass(frozen=True, eq=False)
class _State:
    """Weights, moments of Adam and the step they belong to."""

    step: int
    weights: list[NDArray[np.float32]]
    first: list[NDArray[np.float32]]
    second: list[NDArray[np.float32]]
    loss: float

    @classmethod
    def fresh(cls, N: int, how: Training) -> _State:
        sizes = [N + 2 * _HARMONICS + 1, *[how.width] * how.depth, N]
        weights: list[NDArray[np.float32]] = []
        for k in range(len(sizes) - 1):
            drawn = gaussians(stream("network", how.seed, "weights", k), rows=sizes[k], columns=sizes[k + 1])
            # The last layer starts at nothing: F = 0 is the best guess without data.
            gain = 0.0 if k == len(sizes) - 2 else math.sqrt(2.0 / sizes[k])
            weights += [(gain * drawn).astype(np.float32), np.zeros(sizes[k + 1], dtype=np.float32)]
        return cls(0, weights, [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights], math.nan)

    @classmethod
    def load(cls, path: Path | None, mark: str, how: Training) -> _State | None:
        """The state in a file, or None if it is absent, damaged or of another training."""
        if path is None or not path.is_file():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:
                if str(saved["mark"]) != mark:
                    return None
                weights, first, second = ([saved[f"{n}_{k}"] for k in range(2 * how.depth + 2)] for n in _LISTS)
                return cls(int(saved["step"]), weights, first, second, float(saved["loss"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, path: Path, mark: str, centre: Array, unit: float) -> None:
        lists = zip(_LISTS, (self.weights, self.first, self.second), strict=True)
        arrays: dict[str, Any] = {f"{name}_{k}": a for name, values in lists for k, a in enumerate(values)}
        with reserved(path) as draft:
            np.savez(draft, mark=mark, step=self.step, loss=self.loss, centre=centre, unit=unit, **arrays)


_LISTS = ("weight", "first", "second")


def _mark(points: Array, how: Training, low: float, high: float) -> str:
    """Name of a training: everything its weights depend on."""
    values = asdict(replace(how, threads=1)) | {"low": low, "high": high}
    key = stream("training", *map(str, values.values()), np.ascontiguousarray(points).tobytes().hex())
    return "-".join(f"{int(k):08x}" for k in key)


def _run(
    points: Array,
    how: Training,
    state: _State,
    span: tuple[float, float],
    scale: tuple[Array, float],
    checkpoint: Path | None,
    mark: str,
    progress: Progress | None,
) -> _State:
    torch = require_torch()
    torch.set_num_threads(how.threads)
    clean = (points - scale[0]) / scale[1]
    weights = [torch.tensor(w, requires_grad=True) for w in state.weights]
    adam = torch.optim.Adam(weights, lr=how.rate)
    if state.step:
        for w, m, v in zip(weights, state.first, state.second, strict=True):
            adam.state[w] = {
                "step": torch.tensor(float(state.step)),
                "exp_avg": torch.tensor(m),
                "exp_avg_sq": torch.tensor(v),
            }
    # The loss is told as an average over about a tenth of the training.
    fade = min(1.0, 10.0 / how.steps)
    loss, saved = state.loss, time.monotonic()

    def now(step: int) -> _State:
        arrays = [[p.detach().numpy().copy() for p in weights]]
        arrays += [[adam.state[p][name].numpy().copy() for p in weights] for name in ("exp_avg", "exp_avg_sq")]
        return _State(step, arrays[0], arrays[1], arrays[2], loss)

    for step in range(state.step, how.steps):
        adam.param_groups[0]["lr"] = how.rate * 0.5 * (1.0 + math.cos(math.pi * step / how.steps))
        inputs, target = _batch(clean, how, span, step)
        h = torch.from_numpy(inputs)
        for k in range(how.depth + 1):
            h = torch.addmm(weights[2 * k + 1], h, weights[2 * k])
            if k < how.depth:
                h = torch.nn.functional.silu(h)
        error = torch.mean((h - torch.from_numpy(target)) ** 2)
        adam.zero_grad()
        error.backward()
        adam.step()
        value = float(error.detach())
        if not math.isfinite(value):
            raise NotConverged(f"the training diverged at step {step}; give a learning rate below {how.rate:g}.")
        loss = value if math.isnan(loss) else loss + fade * (value - loss)
        if progress is not None and (step + 1) % _SAY == 0:
            progress(f"loss {loss:.3g}", step + 1, how.steps)
        if checkpoint is not None and time.monotonic() - saved > CHECKPOINT_EVERY:
            now(step + 1).save(checkpoint, mark, *scale)
            saved = time.monotonic()
    return now(how.steps)


def _batch(
    clean: Array, how: Training, span: tuple[float, float], step: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs and targets of F at one step, by name."""
    K, N = clean.shape
    drawn = words(stream("network", how.seed, "batch", step), rows=how.batch, columns=2).astype(np.float64) * 2.0**-32
    x = clean[np.minimum((drawn[:, 0] * K).astype(np.int64), K - 1)]
    s = span[0] * (span[1] / span[0]) ** drawn[:, 1]
    z = gaussians(stream("network", how.seed, "noise", step), rows=how.batch, columns=N)
    total = np.sqrt(1.0 + s * s)[:, None]
    noisy = x + s[:, None] * z
    target = (x - noisy / total**2) * total / s[:, None]
    inputs = np.concatenate([noisy / total, features(s)], axis=1)
    return inputs.astype(np.float32), target.astype(np.float32)
