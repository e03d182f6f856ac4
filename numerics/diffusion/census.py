r"""Census of the attractors of a data set at one noise level: where memories lead, and of what class each end is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.attractors import MERGE, Attractors, attractors
from numerics.diffusion.barriers import Barriers, barriers
from numerics.diffusion.classify import (
    CLASSES,
    DEPTH,
    MOST,
    SPAN,
    Labels,
    Thresholds,
    by_barrier,
    by_distance,
    checked_depth,
    least_members,
    propose_thresholds,
)
from numerics.diffusion.critical import critical_noise, flow_back
from numerics.diffusion.curvature import curvatures
from numerics.diffusion.energy import softmax
from numerics.diffusion.flow import exact_score, noise_levels
from numerics.diffusion.memories import Memories, Progress, beta_of, memories
from numerics.diffusion.probes import survival
from numerics.estimate import Measurement
from numerics.rng import gaussians, stream, words
from theory.errors import whole_number

__all__ = ["Census", "census"]

Array = NDArray[np.float64]

_LISTED = 1000  # attractors in the answer
_SPECTRA = 20  # attractors of each class whose curvatures are averaged
_PROBED, _TRIALS = 10, 20  # attractors of each class that are noised, and how often
_HIGH, _LEVELS, _FLOW = 5.0, 23, 12  # highest noise in units of the data's spread, steps down to sigma/4, and of a flow


@dataclass(frozen=True, eq=False)
class Census:
    """Attractors of a data set, their classes and what was assumed.

    Attributes
    ----------
    data : Memories
    sigma, depth : float
    thresholds : Thresholds
    found : Attractors
    walls : Barriers
    labels : Labels
    basin : (n,) array
        Fraction of the memories that lead to each attractor.
    samples : (B, N) array
        Draws from the law at sigma, one mean-shift step later (the denoised estimate).
    sample_label : (B,) int array
        Their classes by distance, among one another and to the memories.
    spectra : dict
        Class -> eigenvalues of the Hessian of E, averaged in order over its attractors (an isolated memory: all 2).
    critical : dict
        Class -> means over its attractors of critical noise, t_c, basin radius and volume (see `survival`); empty
        unless asked for.
    seed : int
    """

    data: Memories
    sigma: float
    depth: float
    thresholds: Thresholds
    found: Attractors
    walls: Barriers
    labels: Labels
    basin: Array
    samples: Array
    sample_label: NDArray[np.int64]
    spectra: dict[str, Array]
    critical: dict[str, dict[str, Measurement]]
    seed: int

    @property
    def status(self) -> str:
        """CONVERGED if every attractor is at rounding, else MAX_ITERATIONS."""
        return "CONVERGED" if bool(self.found.converged.all()) else "MAX_ITERATIONS"

    def fractions(self) -> dict[str, dict[str, float]]:
        """Shares of the classes: of memories by where they lead, and of samples by their distances."""
        shares = np.bincount(self.sample_label, minlength=3) / max(len(self.sample_label), 1)
        return {
            "basins": self.labels.counts(self.basin),
            "samples": {name: float(shares[k]) for k, name in enumerate(CLASSES)},
        }

    def barriers(self) -> dict[str, dict[str, float]]:
        """Quartiles of the barriers in units of 1/beta per class, and the share of those that are exact."""
        out = {}
        for k, name in enumerate(CLASSES):
            of_class = self.labels.label == k
            if of_class.any() and len(self.found) > 1:
                climb = np.quantile(self.walls.escape[of_class], (0.0, 0.25, 0.5, 0.75, 1.0), method="lower").tolist()
                out[name] = dict(zip(("least", "quarter", "median", "three_quarters", "largest"), climb, strict=True))
                out[name]["exact"] = float(self.walls.exact[of_class].mean())
        return out

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per attractor, in the order of rising energy; `softest` as in `Attractors`."""
        found, labels = self.found, self.labels
        return [
            {
                "class": CLASSES[labels.label[i]],
                "energy": float(found.energy[i]),
                "barrier": float(self.walls.escape[i]),
                "barrier_exact": bool(self.walls.exact[i]),
                "basin": float(self.basin[i]),
                "distance": float(labels.distance[i]),
                "weight": float(labels.weight[i]),
                "members": float(labels.members[i]),
                "softest": float(found.softest[i]),
                "valley": int(labels.valleys.bottom[i]),
                "span": float(labels.valleys.span[i]),
                "error": float(found.error[i]),
                "flat": bool(found.flat[i]),
            }
            for i in range(len(found))
        ]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of plain values; attractors beyond the first thousand are counted, not listed."""
        counts = {name: int(value) for name, value in self.labels.counts().items()}
        return {
            "kind": "attractors",
            "K": self.data.K,
            "N": self.data.N,
            "sigma": self.sigma,
            "beta": beta_of(self.sigma),
            "minima": len(self.found),
            "valleys": len(np.unique(self.labels.valleys.bottom)),
            "classes": counts,
            "fractions": self.fractions(),
            "thresholds": {
                **self.thresholds.to_json(),
                "depth": self.depth,
                "span": SPAN * self.sigma,
                "members": least_members(self.depth),
                "weight": MOST,
                "merge": MERGE * self.sigma,
            },
            "barriers": self.barriers(),
            "curvature": {name: values.tolist() for name, values in self.spectra.items()},
            "critical": {
                name: {what: m.to_json() for what, m in found.items()} for name, found in self.critical.items()
            },
            "status": self.status,
            "error": float(self.found.error.max()),
            "seed": self.seed,
            "attractors": self.rows()[:_LISTED],
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Positions, energies, barriers and labels as arrays, for a .npz file."""
        return {
            "points": self.found.points,
            "energy": self.found.energy,
            "barrier": self.walls.escape,
            "barrier_exact": self.walls.exact,
            "label": self.labels.label,
            "distance": self.labels.distance,
            "weight": self.labels.weight,
            "members": self.labels.members,
            "valley": self.labels.valleys.bottom,
            "span": self.labels.valleys.span,
            "basin": self.basin,
            "start": self.found.start,
            "softest": self.found.softest,
            "samples": self.samples,
            "sample_label": self.sample_label,
        }


def census(
    data: ArrayLike | Memories,
    sigma: float,
    *,
    delta_m: float | None = None,
    delta_s: float | None = None,
    depth: float = DEPTH,
    samples: int | None = None,
    critical: bool = False,
    seed: int = 0,
    duplicates: str = "refuse",
    progress: Progress | None = None,
) -> Census:
    """Find all attractors that memories lead to, the barriers between them, and their classes.

    Parameters
    ----------
    data : (K, N) array or Memories
        At least two distinct points.
    sigma : float
        Noise at which the energy is taken.
    delta_m, delta_s : float or None
        None: see `propose_thresholds`.
    depth : float
        Barriers below depth/beta do not separate.
    samples : int or None
        Synthetic samples for the rule by distance; None: as many as memories, at most 2000.
    critical : bool
        Measure how much noise attractors survive as well.
    seed : int
    duplicates : {'refuse', 'count', 'drop'}
    progress : callable or None

    Returns
    -------
    Census

    Raises
    ------
    InvalidInput
        For bad data, numbers out of range, or thresholds that make the classes overlap.

    Examples
    --------
    >>> census([[-1.0, 0.0], [1.0, 0.0]], 0.2).to_json()["classes"]
    {'memorised': 2, 'spurious': 0, 'generalised': 0}
    """
    known = data if isinstance(data, Memories) else memories(data, duplicates=duplicates)
    beta_of(sigma)
    eps = checked_depth(depth)
    thresholds = propose_thresholds(known.points, delta_m=delta_m, delta_s=delta_s)
    size = min(known.K, 2000) if samples is None else whole_number("samples", samples, 2, 10**7)
    found = attractors(known, sigma, progress=progress)
    walls = barriers(known, found, progress=progress)
    labels = by_barrier(known, found, walls, delta_m=thresholds.delta_m, depth=eps)
    weight = np.bincount(found.start, weights=known.counts, minlength=len(found)) / known.counts.sum()
    drawn = _denoised(known, float(sigma), size, seed)
    kinds = by_distance(drawn, known.points, delta_m=thresholds.delta_m, delta_s=thresholds.delta_s)
    spectra = _spectra(known, found, labels)
    survived = _survival(known, found, labels, thresholds.delta_m, int(seed), progress) if critical else {}
    return Census(
        known, float(sigma), eps, thresholds, found, walls, labels, weight, drawn, kinds, spectra, survived, int(seed)
    )


def _denoised(known: Memories, sigma: float, size: int, seed: int) -> Array:
    """Exact draws from the law at sigma (a memory plus noise), one mean-shift step later."""
    share = np.cumsum(known.counts) / known.counts.sum()
    uniform = (words(stream("census", seed, "memory"), rows=size, columns=1)[:, 0] + 0.5) * 2.0**-32
    chosen = np.minimum(np.searchsorted(share, uniform), known.K - 1)
    noise = gaussians(stream("census", seed, "noise"), rows=size, columns=known.N)
    return softmax(known, known.points[chosen] + sigma * noise, sigma).mean


def _some(labels: Labels, k: int, most: int) -> NDArray[np.int64]:
    """Some attractors of a class, evenly through the list in order of energy."""
    of_class = np.flatnonzero(labels.label == k)
    return of_class[np.unique(np.linspace(0, len(of_class) - 1, min(len(of_class), most)).astype(np.int64))]


def _spectra(known: Memories, found: Attractors, labels: Labels) -> dict[str, Array]:
    out = {}
    for k, name in enumerate(CLASSES):
        chosen = _some(labels, k, _SPECTRA)
        if len(chosen):
            out[name] = np.mean([curvatures(known, found.points[i], found.sigma) for i in chosen], axis=0)
    return out


def _survival(
    known: Memories, found: Attractors, labels: Labels, delta_m: float, seed: int, progress: Progress | None
) -> dict[str, dict[str, Measurement]]:
    """Noise attractors and let the exact flow take them back, per class; returned: within delta_m or sigma."""
    spread = math.sqrt(float(known.counts @ known.squares / known.counts.sum()))
    levels = noise_levels(max(_HIGH * spread, 4.0 * found.sigma), 0.25 * found.sigma, _LEVELS)[::-1]
    back = flow_back(exact_score(known), low=found.sigma, steps=_FLOW)
    out = {}
    for k, name in enumerate(CLASSES):
        if progress is not None:
            progress("critical noise", k, len(CLASSES))
        chosen = _some(labels, k, _PROBED)
        if len(chosen):
            delta = max(delta_m, found.sigma)
            at = critical_noise(found.points[chosen], levels, back, delta=delta, trials=_TRIALS, seed=seed)
            out[name] = survival(at, known.N)
    return out
