r"""A small trained score network: a multilayer perceptron that denoises, trained with PyTorch, evaluated with NumPy.

With the root mean square sigma_d of the centred training points, and every length in its unit,

    D(x, sigma) = x/(1 + sigma^2) + sigma/sqrt(1 + sigma^2) F(x/sqrt(1 + sigma^2), log sigma),

so that F has unit target at every noise, and its squared error is averaged over sigma uniform in log sigma.  The score
is ``(D - x)/sigma^2``; the exact minimiser over all functions is the empirical score of the training points, and what
it leaves (`least_loss`) is the floor of the loss.  The learning rate falls to nothing, which stands for an average of
the last weights.

Source of the scaling: Karras and others, NeurIPS 2022 (arXiv:2206.00364), Table 1.
"""

from __future__ import annotations

import importlib
import math
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import softmax

from numerics.diffusion.memories import checked_sigma, memories
from numerics.diffusion.network_state import State
from numerics.estimate import Measurement, mean
from numerics.interrupts import interrupts
from numerics.rng import gaussians, stream, words
from theory.errors import InvalidInput, MissingExtra, NotConverged, whole_number

__all__ = ["Network", "Training", "features", "least_loss", "load_network", "require_torch", "train"]

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
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 1, top))
        object.__setattr__(self, "seed", whole_number("seed", self.seed, 0, 2**63))
        if not isinstance(self.rate, (int, float, np.floating)) or not 0.0 < self.rate < 1.0:
            raise InvalidInput(f"rate = {self.rate} is not allowed; give a learning rate with 0 < rate < 1.")
        object.__setattr__(self, "rate", float(self.rate))


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
        """Estimate of the clean points, (B, N), from noisy ones.

        Raises
        ------
        InvalidInput
            For points of another dimension, or a sigma that is no positive number.
        """
        s = checked_sigma(sigma) / self.unit
        if np.ndim(x) != 2 or x.shape[1] != len(self.centre):
            raise InvalidInput(f"x has shape {np.shape(x)}; give points of the data, (B, {len(self.centre)}).")
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
    checkpoint: Path | str | None = None,
    progress: Progress | None = None,
) -> Network:
    """Train a network on points; go on from a checkpoint of the same training if there is one.

    Noise, batches and first weights are named by the seed and the step, so that an interrupted training ends with the
    same weights as one that was not.

    Parameters
    ----------
    points : (K, N) array
        Two distinct ones at least; a point that occurs twice counts twice.
    how : Training
    low, high : float
        Noise levels trained on.
    checkpoint : path or None
        File (.npz), replaced every ten seconds, and kept with the final weights.  Whatever else it held is replaced.
    progress : callable or None
        Called as ``progress(label, steps done, steps)``.

    Returns
    -------
    Network

    Raises
    ------
    MissingExtra
        Without PyTorch, unless the checkpoint is of a finished training.
    InvalidInput
        For points or noise levels that cannot be trained on, or a checkpoint that cannot be written.
    NotConverged
        If the loss is not finite.

    Examples
    --------
    >>> from numerics.diffusion.memories import circle
    >>> net = train(circle(3), Training(steps=20, width=8), low=0.05, high=5.0)  # doctest: +SKIP
    >>> net.score(np.zeros((1, 2)), 0.5).shape  # doctest: +SKIP
    (1, 2)
    """
    memories(points, duplicates="drop")  # refuses what are no points
    points = np.asarray(points, dtype=np.float64).reshape(len(points), -1)
    checkpoint = None if checkpoint is None else Path(checkpoint)
    if not 0.0 < low < high < math.inf:
        raise InvalidInput(f"noise from {low} to {high} is not allowed; give 0 < low < high.")
    centre, unit = _scale(points)
    mark = _mark(points, how, low, high)
    state = State.load(checkpoint, mark, how.depth) or State.fresh(_sizes(points.shape[1], how), how.seed)
    if state.step < how.steps:

        def save(reached: State) -> None:
            if checkpoint is not None:
                reached.save(checkpoint, mark, centre, unit)

        state = _run((points - centre) / unit, how, state, (low / unit, high / unit), save, progress)
        save(state)
    return Network(tuple(w.astype(np.float64) for w in state.weights), centre, unit, state.loss)


def load_network(path: Path | str) -> Network:
    """Read the network of a finished or interrupted training.

    Raises
    ------
    InvalidInput
        If the file is none.

    Examples
    --------
    >>> load_network("nothing.npz")
    Traceback (most recent call last):
    theory.errors.InvalidInput: 'nothing.npz' holds no trained network; train it with 'spinodal generalise'.
    """
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as saved:
            count = sum(name.startswith("weight_") for name in saved.files)
            weights = tuple(saved[f"weight_{k}"].astype(np.float64) for k in range(max(count, 2)))
            return Network(weights, saved["centre"], float(saved["unit"]), float(saved["loss"]))
    except (OSError, ValueError, TypeError, AttributeError, KeyError, EOFError, zipfile.BadZipFile) as problem:
        raise InvalidInput(f"'{path}' holds no trained network; train it with 'spinodal generalise'.") from problem


def least_loss(points: Array, how: Training, *, low: float, high: float, batches: int = 20) -> Measurement:
    """Mean squared error of F that the best of all functions leaves: that of the exact empirical score.

    Parameters
    ----------
    points : (K, N) array
    how : Training
    low, high : float
        Noise levels, as in `train`.
    batches : int
        As many of the training's first batches are averaged over.

    Examples
    --------
    >>> points = np.array([[-1.0], [1.0]])
    >>> least_loss(points, Training(), low=0.01, high=0.02).value < 1e-9  # every noisy point names its memory
    True
    """
    centre, unit = _scale(points)
    clean, values = (points - centre) / unit, np.empty(batches)
    for k in range(batches):
        noisy, s, target = _noisy(clean, how, (low / unit, high / unit), k)
        best = softmax(-0.5 * cdist(noisy, clean, "sqeuclidean") / s[:, None] ** 2, axis=1) @ clean
        values[k] = np.mean((_wanted(best, noisy, s) - target) ** 2)
    return mean(values)


def _scale(points: Array) -> tuple[Array, float]:
    """Centre and unit of length."""
    centre = points.mean(axis=0)
    unit = float(np.sqrt(np.mean((points - centre) ** 2)))
    if not unit > 0.0:
        raise InvalidInput("all training points are the same; give at least 2 distinct ones.")
    return centre, unit


def _mark(points: Array, how: Training, low: float, high: float) -> str:
    """Name of a training: everything its weights depend on."""
    values = asdict(replace(how, threads=1)) | {"low": low, "high": high}
    key = stream("training", *map(str, values.values()), np.ascontiguousarray(points).tobytes().hex())
    return "-".join(f"{int(k):08x}" for k in key)


def _sizes(N: int, how: Training) -> list[int]:
    """Neurons of every layer: point and noise in, point out."""
    return [N + 2 * _HARMONICS + 1, *[how.width] * how.depth, N]


@contextmanager
def _threads(torch: Any, count: int) -> Iterator[None]:
    """Lend PyTorch so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _run(
    clean: Array,
    how: Training,
    state: State,
    span: tuple[float, float],
    save: Callable[[State], None],
    progress: Progress | None,
) -> State:
    """Train from a state to the end; lengths in the unit of the data."""
    torch = require_torch()
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

    def now(step: int) -> State:
        arrays = [[p.detach().numpy().copy() for p in weights]]
        arrays += [[adam.state[p][name].numpy().copy() for p in weights] for name in ("exp_avg", "exp_avg_sq")]
        return State(step, arrays[0], arrays[1], arrays[2], loss)

    with _threads(torch, how.threads), interrupts() as stop:
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
            if stop.is_set() or time.monotonic() - saved > CHECKPOINT_EVERY:
                save(now(step + 1))
                saved = time.monotonic()
            if stop.is_set():
                raise KeyboardInterrupt
    return now(how.steps)


def _batch(
    clean: Array, how: Training, span: tuple[float, float], step: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inputs and targets of F at one step, by name."""
    noisy, s, target = _noisy(clean, how, span, step)
    inputs = np.concatenate([noisy / np.sqrt(1.0 + s * s)[:, None], features(s)], axis=1)
    return inputs.astype(np.float32), target.astype(np.float32)


def _noisy(clean: Array, how: Training, span: tuple[float, float], step: int) -> tuple[Array, Array, Array]:
    """Noisy points (batch, N), their noise (batch,) and what F should be there, by name."""
    K, N = clean.shape
    drawn = words(stream("network", how.seed, "batch", step), rows=how.batch, columns=2).astype(np.float64) * 2.0**-32
    x = clean[np.minimum((drawn[:, 0] * K).astype(np.int64), K - 1)]
    s = span[0] * (span[1] / span[0]) ** drawn[:, 1]
    z = gaussians(stream("network", how.seed, "noise", step), rows=how.batch, columns=N)
    noisy = x + s[:, None] * z
    return noisy, s, _wanted(x, noisy, s)


def _wanted(clean: Array, noisy: Array, s: Array) -> Array:
    """What F is where D is the clean point."""
    total = np.sqrt(1.0 + s * s)[:, None]
    return np.asarray((clean - noisy / total**2) * total / s[:, None])
