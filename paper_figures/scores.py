"""What figures of score models declare: simulated training, limiting spectra, losses, and time scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.curves import Curves
from numerics.diffusion.score_simulate import ScoreTask, simulate_score
from theory.diffusion.bulks import Bulk, Bulks, Nodes, bulks, nodes_of
from theory.diffusion.losses import Losses, losses
from theory.diffusion.resolvent import ScoreModel
from theory.diffusion.times import PhaseDiagram, phase_diagram, samples_needed, time_scales

__all__ = ["BulkDensities", "LossesOf", "MemoryTimes", "ScaleLines", "ScoreOf", "Star", "scale_of"]

Array = NDArray[np.float64]

# Extreme eigenvalues that time scales follow from.
_FROM = {"tau_gen": "lowest 2", "tau_mem_1": "highest 1", "tau_mem_3": "highest 3"}


@dataclass(frozen=True)
class ScoreOf:
    """Score models trained by gradient flow at one point; see :func:`numerics.diffusion.score_simulate.simulate_score`.

    Attributes
    ----------
    psi_p, psi_n, t : float
    N : int
        Dimensions d.
    samples : int
    start : {'equivalent', 'true'}
        The network.
    tau : (float, float, int)
        First and last training time and how many, evenly in their logarithm.
    bins : tuple of (str, (float, float, int))
        Histograms of eigenvalues: name, first and last edge, number of bins.
    seed : int
    """

    psi_p: float
    psi_n: float
    t: float
    N: int
    samples: int
    start: str = "equivalent"
    tau: tuple[float, float, int] = (3.0, 3e6, 13)
    bins: tuple[tuple[str, tuple[float, float, int]], ...] = ()
    seed: int = 0

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name.

        Examples
        --------
        >>> ScoreOf(64, 8, 0.01, 100, 4).key
        'score_psi_p64_psi_n8_t0.01_equivalent_d100_n4_seed0'
        """
        names = [f"psi_p{self.psi_p:g}", f"psi_n{self.psi_n:g}", f"t{self.t:g}", self.start, f"d{self.N}"]
        kind = ["spectrum"] if self.bins else []
        return "_".join(["score", *kind, *names, f"n{self.samples}", f"seed{self.seed}"])

    @property
    def times(self) -> tuple[float, ...]:
        """Training times."""
        first, last, count = self.tau
        return tuple(float(f"{x:.6g}") for x in np.geomspace(first, last, count))

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared here."""
        return (
            isinstance(record, Curves)
            and (record.what, record.N, record.start, record.samples, record.seed)
            == ("score", self.N, self.start, self.samples, self.seed)
            and record.parameters == {"psi_p": float(self.psi_p), "psi_n": float(self.psi_n), "t": float(self.t)}
            and (record.options["activation"], record.options["optimiser"]) == ("tanh", "flow")
            and tuple(record.options["tau"]) == self.times
            and {name: c.edges for name, c in record.curves.items()}
            == {name: tuple(_edges(ends)) for name, ends in self.bins}
        )

    def run(self, *, workers: int = 1) -> Curves:
        """Train; matrices are large, so one sample at a time."""
        task = ScoreTask(self.psi_p, self.psi_n, self.t, self.N, network=self.start, tau=self.times, seed=self.seed)
        p, n = task.sizes
        spectrum = bulks(ScoreModel(p / self.N, n / self.N, self.t))
        shares: dict[str, float] = {}
        for bulk in reversed(spectrum.bulks):
            shares[bulk.name] = shares.get(bulk.name, 0.0) + bulk.weight
        edges = {name: _edges(ends) for name, ends in self.bins}
        return simulate_score(task, samples=self.samples, shares=shares, bins=edges)


def _edges(ends: tuple[float, float, int]) -> list[float]:
    first, last, count = ends
    return [float(x) for x in np.linspace(first, last, count + 1)]


def scale_of(record: Curves, name: str) -> tuple[float, float] | None:
    """A time scale as it follows from the extreme eigenvalue of a bulk, and its standard error; None without one."""
    if _FROM[name] not in record.measurements:
        return None
    found = record[_FROM[name]]
    Delta = -math.expm1(-2.0 * record.parameters["t"])
    value = record.loads["psi_p"] / (2.0 * Delta * found.value)
    return value, value * found.error / found.value


@dataclass(frozen=True)
class BulkDensities:
    """Bulks of a spectrum, with the density in each; see :mod:`theory.diffusion.bulks`."""

    psi_p: float
    psi_n: float
    t: float
    points: int = 200

    def compute(self) -> tuple[Bulks, tuple[tuple[Bulk, Nodes], ...]]:
        """Solve for edges and densities."""
        model = ScoreModel(self.psi_p, self.psi_n, self.t)
        found = bulks(model)
        return found, tuple((bulk, nodes_of(model, bulk, points=self.points)) for bulk in found.bulks)


@dataclass(frozen=True)
class LossesOf:
    """Losses along a training; see :func:`theory.diffusion.losses.losses`."""

    psi_p: float
    psi_n: float
    t: float
    tau: tuple[float, float, int]

    def compute(self) -> Losses:
        """Solve at all times."""
        return losses(ScoreModel(self.psi_p, self.psi_n, self.t), np.geomspace(*self.tau))


@dataclass(frozen=True)
class ScaleLines:
    """Time scales against the number of samples, with the lowest test loss and n*."""

    psi_p: float
    t: float
    psi_n: tuple[float, ...]
    optimum: bool = False

    def compute(self) -> tuple[PhaseDiagram, Array]:
        """Solve at every number of samples; tau_opt is NaN where it is not asked for or does not exist."""
        found = phase_diagram(self.psi_p, self.psi_n, t=self.t)
        best = np.full(len(self.psi_n), math.nan)
        for k, n in enumerate(self.psi_n if self.optimum else ()):
            at = time_scales(ScoreModel(self.psi_p, n, self.t)).tau_opt
            best[k] = math.nan if at is None else at
        return found, best


@dataclass(frozen=True)
class MemoryTimes:
    """The onset of memorisation at every number of features and samples."""

    t: float
    psi_p: tuple[float, ...]
    psi_n: tuple[float, ...]

    def compute(self) -> Array:
        """tau_mem_1, (features, samples); NaN where noise modes are merged with population modes."""
        found = np.full((len(self.psi_p), len(self.psi_n)), math.nan)
        for i, p in enumerate(self.psi_p):
            for j, n in enumerate(self.psi_n):
                model = ScoreModel(p, n, self.t)
                edge = bulks(model).top_of(1)
                found[i, j] = math.nan if edge is None else p / (2.0 * model.Delta * edge)
        return found


@dataclass(frozen=True)
class Star:
    """Samples n*/d above which even infinite training leaves a score better than none, against features."""

    t: float
    psi_p: tuple[float, ...]

    def compute(self) -> Array:
        """Solve at every number of features; NaN without a solution."""
        found = [samples_needed(p, t=self.t) for p in self.psi_p]
        return np.array([math.nan if n is None else n for n in found])
