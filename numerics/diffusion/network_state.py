"""What a training of a network is in the middle of, and its file."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.files import reserved
from numerics.rng import gaussians, stream

__all__ = ["State"]

Floats = list[NDArray[np.float32]]

_LISTS = ("weight", "first", "second")


@dataclass(frozen=True, eq=False)
class State:
    """Weights, moments of Adam and the step they belong to.

    Attributes
    ----------
    step : int
        Steps done.
    weights, first, second : list of float32 array
        Matrix and bias of every layer in turn, and Adam's averages of their gradients and of these squared.
    loss : float
        Running average; nan before the first step.
    """

    step: int
    weights: Floats
    first: Floats
    second: Floats
    loss: float

    @classmethod
    def fresh(cls, sizes: list[int], seed: int) -> State:
        """Before the first step, for layers with so many neurons."""
        weights: Floats = []
        for k, (rows, columns) in enumerate(pairwise(sizes)):
            drawn = gaussians(stream("network", seed, "weights", k), rows=rows, columns=columns)
            # The last layer starts at nothing: F = 0 is the best guess without data.
            gain = 0.0 if k == len(sizes) - 2 else math.sqrt(2.0 / rows)
            weights += [(gain * drawn).astype(np.float32), np.zeros(columns, dtype=np.float32)]
        return cls(0, weights, [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights], math.nan)

    @classmethod
    def load(cls, path: Path | None, mark: str, depth: int) -> State | None:
        """The state in a file, or None if it is absent, damaged or of another training."""
        if path is None or not path.is_file():
            return None
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as saved:
                if str(saved["mark"]) != mark:
                    return None
                weights, first, second = ([saved[f"{n}_{k}"] for k in range(2 * depth + 2)] for n in _LISTS)
                return cls(int(saved["step"]), weights, first, second, float(saved["loss"]))
        except (OSError, ValueError, TypeError, AttributeError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, path: Path, mark: str, centre: NDArray[np.float64], unit: float) -> None:
        """Write the state, whole or not at all, with what `Network` needs besides."""
        lists = zip(_LISTS, (self.weights, self.first, self.second), strict=True)
        arrays: dict[str, Any] = {f"{name}_{k}": a for name, values in lists for k, a in enumerate(values)}
        with reserved(path) as draft:
            np.savez(draft, mark=mark, step=self.step, loss=self.loss, centre=centre, unit=unit, **arrays)
