r"""From memorising to generalising: what a score that knows K points generates, as a record.

One `Trial` is one training set S of K points and one score: that of a trained network, or the exact empirical one.  It
generates synthetic sets S' of as many samples as S has points (16 at least), ends every sample with a denoising step
at noise sigma, and classifies it by its distances,

    memorised: nearest point of S within delta_m;  spurious: not memorised, and nearest other sample of S' within
    delta_s;  generalised: neither,

with thresholds from the histogram of nearest-neighbour distances of S (`propose_thresholds`): a score that generates
fresh points of the data's law is taken for memorising, or for repeating itself, with less than 5 % probability.
For the exact score the attractors of its energy are classified by their barriers as well (`census`).

Source: Pham and others, arXiv:2505.21777.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from numerics.diffusion.attractors import grouped
from numerics.diffusion.census import census
from numerics.diffusion.classify import (
    CLASSES,
    MEMORISED,
    Thresholds,
    by_distance,
    checked_distance,
    propose_thresholds,
)
from numerics.diffusion.energy import softmax
from numerics.diffusion.flow import Score, denoised, exact_score, noise_levels, probability_flow
from numerics.diffusion.memories import Memories, checked_sigma, memories, nearest_distances
from numerics.diffusion.neural import Training, least_loss, train
from numerics.diffusion.probes import Probes, probe, survival
from numerics.diffusion.training_sets import Source
from numerics.estimate import Measurement, fraction, mean
from numerics.provenance import provenance
from numerics.rng import gaussians, stream, words
from theory.errors import InvalidInput, whole_number

__all__ = ["SCORES", "Generalisation", "Trial"]

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

SCORES = ("exact", "network")

_SIGMA = 0.05  # of the data's extent
_HIGH = 5.0
_LEAST = 1e-8  # below, curvatures are differences of equal numbers
_SMALLEST = 16  # samples of a synthetic set
_FLOW = 24  # steps of the sampler
_CENSUS, _CENSUS_SIZE = 2000, 40_000  # points, and numbers in all, whose barriers take seconds


@dataclass(frozen=True)
class Trial:
    """One training set, one score.

    Attributes
    ----------
    source : Source
    K : int
        Training points.
    score : {'exact', 'network'}
    sigma : float or None
        Noise at which samples end; None: 0.05 of the data's extent.
    seed : int
        Names training set, network, and samples.
    samples : int
        At least; whole synthetic sets are drawn.
    probes, trials : int
        Samples of each class whose critical noise and curvature are measured, and trials of each.
    delta_m, delta_s : float or None
        None: from the training set.
    training : Training
        Of a network (its own seed does not matter).
    """

    source: Source
    K: int
    score: str = "network"
    sigma: float | None = None
    seed: int = 0
    samples: int = 256
    probes: int = 16
    trials: int = 10
    delta_m: float | None = None
    delta_s: float | None = None
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise InvalidInput(f"score = '{self.score}' is not known; choose one of {', '.join(SCORES)}.")
        top = self.source.total or 10**6
        whole = {"K": (2, top), "samples": (2, 10**6), "probes": (1, 10**4), "trials": (2, 10**4), "seed": (0, 2**63)}
        for name, (least, most) in whole.items():
            what = "a number of training points" if name == "K" else "a whole number"
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least, most, what=what))
        smallest = _LEAST * self.source.extent
        if not smallest <= checked_sigma(self.noise) < self.highest / 4.0:
            raise InvalidInput(
                f"sigma = {self.sigma} is not allowed; give the noise at which samples end, {smallest:g} <= sigma < "
                f"{self.highest / 4.0:g} (a quarter of the noise at which they begin)."
            )
        for name in ("delta_m", "delta_s"):
            if getattr(self, name) is not None:
                checked_distance(name, getattr(self, name))
        for name in ("sigma", "delta_m", "delta_s"):  # NumPy's numbers would be written otherwise in the key
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else float(value))

    @property
    def N(self) -> int:
        """Dimension."""
        return self.source.N

    @property
    def start(self) -> str:
        """What is drawn from, for progress."""
        return f"{self.score} score, K = {self.K}, seed {self.seed}"

    @property
    def noise(self) -> float:
        """Noise at which samples end."""
        return _SIGMA * self.source.extent if self.sigma is None else self.sigma

    @property
    def highest(self) -> float:
        """Noise at which samples begin."""
        return _HIGH * self.source.extent

    @property
    def declared(self) -> dict[str, Any]:
        """Everything the record depends on, as JSON types."""
        how = asdict(self.training)
        del how["threads"], how["seed"]
        out = asdict(self) | {"sigma": self.noise, "training": how if self.score == "network" else None}
        if self.source.fingerprint:  # of a file, what it holds, not its name
            out["source"] |= {"data": "file", "key": None}
        return out

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name.

        Examples
        --------
        >>> Trial(Source("circle", None, 2, 1.0), 9, "exact").key
        'generalise_circle_exact_K9_seed0_...'
        """
        text = repr(sorted(self.declared.items(), key=lambda item: item[0]))
        mark = hashlib.sha256(text.encode()).hexdigest()[:10]
        data = "file" if self.source.fingerprint else self.source.data
        return f"generalise_{data}_{self.score}_K{self.K}_seed{self.seed}_{mark}"

    def thresholds(self) -> Thresholds:
        """Distances that tell the classes apart.

        Raises
        ------
        InvalidInput
            If they make the classes overlap.
        """
        return propose_thresholds(self.source.points(self.K, self.seed), delta_m=self.delta_m, delta_s=self.delta_s)

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared here."""
        return isinstance(record, Generalisation) and record.declared == self.declared

    def run(
        self, *, workers: int = 1, checkpoint: Path | None = None, progress: Progress | None = None
    ) -> Generalisation:
        """Train or take the exact score, generate, classify and probe.

        Parameters
        ----------
        workers : int
            Of no effect: results do not depend on it.
        checkpoint : Path or None
            File of the network, while it is trained and after.
        progress : callable or None
        """
        began = time.perf_counter()
        points, limits = self.source.points(self.K, self.seed), self.thresholds()
        known = memories(points)
        loss, score = None, exact_score(known)
        measurements: dict[str, Measurement] = {}
        if self.score == "network":
            how = Training(**{**asdict(self.training), "seed": self.seed})
            low, high = 0.5 * self.noise, self.highest
            net = train(points, how, low=low, high=high, checkpoint=checkpoint, progress=progress)
            loss, score = net.loss, net.score
            measurements["least_loss"] = least_loss(points, how, low=low, high=high)
        if progress is not None:
            progress("samples", 0, 1)
        drawn, label = self._generated(known, score, limits, _FLOW)
        measurements |= {name: fraction(label == k) for k, name in enumerate(CLASSES)}
        if self.score == "network":
            coarse, other = self._generated(known, score, limits, _FLOW // 2)
            measurements["flow_error"] = mean(np.linalg.norm(coarse - drawn, axis=1) / self.noise)
            measurements["relabelled"] = fraction(other != label)
        spectra: dict[str, list[float]] = {}
        values: dict[str, Any] = {}
        for k, name in enumerate(CLASSES):
            of_class = np.flatnonzero(label == k)[: self.probes]
            if len(of_class):
                if progress is not None:
                    progress(f"{name} samples", k, 3)
                at = probe(
                    score,
                    drawn[of_class],
                    self.noise,
                    delta=max(limits.delta_m, self.noise),
                    high=self.highest,
                    trials=self.trials,
                    seed=self.seed,
                )
                measurements |= {f"{what} {name}": value for what, value in _summary(at).items()}
                spectra[name] = [float(f"{v:.6g}") for v in at.curvature.mean(0)]
                place = _places(drawn[of_class], points if k == MEMORISED else None, limits.delta_s)
                values |= {f"{what} {name}": found for what, found in _by_place(at, place).items()}
        if self.score == "exact" and self.K <= _CENSUS and self.K * self.N <= _CENSUS_SIZE:
            found = census(known, self.noise, delta_m=self.delta_m, delta_s=self.delta_s, samples=2)
            lead = found.labels.label[found.found.start]
            measurements |= {f"basins {name}": fraction(lead == k) for k, name in enumerate(CLASSES)}
            measurements["attractors_converged"] = fraction(found.found.converged)
        near = np.quantile(nearest_distances(drawn, points), (0.05, 0.25, 0.5, 0.75, 0.95))
        return Generalisation(
            self.declared, self.K, self.N, limits, measurements, spectra, near.tolist(), loss, values,
            provenance(time.perf_counter() - began),
        )  # fmt: skip

    def _generated(
        self, known: Memories, score: Score, limits: Thresholds, steps: int
    ) -> tuple[Array, NDArray[np.int64]]:
        """Synthetic sets, each ended by one denoising step at sigma, (B, N), and the classes of their points, (B,)."""
        size = max(self.K, _SMALLEST)
        count = -(-self.samples // size)
        noise = gaussians(stream("generalise", self.seed, "noise"), rows=count * size, columns=self.N)
        if self.score == "exact":  # the flow of the exact score ends in its law at sigma: a memory plus noise
            pick = words(stream("generalise", self.seed, "memory"), rows=count * size, columns=1)[:, 0]
            chosen = (pick.astype(np.float64) * 2.0**-32 * known.K).astype(np.int64)
            drawn = softmax(known, known.points[chosen] + self.noise * noise, self.noise).mean
        else:
            spread = math.sqrt(self.highest**2 + float(known.squares.mean()) / self.N)
            x = probability_flow(score, known.centre + spread * noise, noise_levels(self.highest, self.noise, steps))
            drawn = denoised(score, x, self.noise)
        sets = np.split(drawn, count)
        given = {"delta_m": limits.delta_m, "delta_s": limits.delta_s}
        return drawn, np.concatenate([by_distance(s, known.points, **given) for s in sets])


def _places(x: Array, stored: Array | None, delta: float) -> NDArray[np.int64]:
    """Which samples are of one place, (B,): nearest to the same memory, or within delta of one another."""
    if stored is None:
        return grouped(x, delta)[1]
    return np.unique(cdist(x, stored).argmin(1), return_inverse=True)[1]


def _by_place(at: Probes, place: NDArray[np.int64]) -> dict[str, list[float | None]]:
    """Measurements of every place: means over its samples, and the volume that all their trials saw; to six digits."""
    count = np.bincount(place)
    rows = {"t_c": at.critical.t_c, "softest": at.curvature[:, 0], "curvature": at.curvature.mean(1)}
    found = {what: np.bincount(place, weights=values) / count for what, values in rows.items()}
    found["log_volume"] = np.array([logsumexp(at.log_volume[place == k]) - math.log(n) for k, n in enumerate(count)])
    return {what: [_six(v) for v in values.tolist()] for what, values in found.items()}


def _six(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _summary(at: Probes) -> dict[str, Measurement]:
    """Means over the samples of one class, with standard errors; log volumes of those that came back at all."""
    out = survival(at.critical, at.curvature.shape[1])
    return out | {"softest": mean(at.curvature[:, 0]), "curvature": mean(at.curvature.mean(1))}


@dataclass(frozen=True)
class Generalisation:
    """Record of one trial.

    Attributes
    ----------
    declared : dict
        The trial.
    K, N : int
    thresholds : Thresholds
    measurements : dict of Measurement
        Fractions of samples by class name; 'basins CLASS', of memories, by where they lead, and 'attractors_converged'
        (exact score, sets that are not large).  Of networks, 'least_loss', the floor of the loss, and what half as many
        steps of the sampler change: 'flow_error', the distance between the ends in units of sigma, and 'relabelled',
        the fraction of samples of another class.  Per class, as 'critical_noise CLASS', means over probed samples:
        critical noise and t_c = log(1 + sigma^2)/2 (returned: within delta_m or sigma, the larger), basin radius,
        log_volume (of those that ever came back; 'survived' is the fraction above the lowest level, 'capped' the
        fraction of trials that came back from the highest, where volumes end), and the softest and the mean eigenvalue
        of the Hessian of E.
    spectra : dict of list of float
        Class -> eigenvalues of the Hessian of E, averaged in order.
    nearest : list of float
        5, 25, 50, 75, 95 % quantiles of the samples' distances to the training set.
    loss : float or None
        Of the network.
    values : dict of list of float or None
        As 't_c CLASS': t_c, log_volume (None: nothing came back), softest and curvature of every distinct place that
        was probed; samples that belong to one memory, or repeat one another, are one place.
    provenance : dict
    kind : str
    """

    declared: dict[str, Any]
    K: int
    N: int
    thresholds: Thresholds
    measurements: dict[str, Measurement]
    spectra: dict[str, list[float]]
    nearest: list[float]
    loss: float | None
    values: dict[str, Any] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)
    kind: str = "generalisation"

    def __getitem__(self, name: str) -> Measurement:
        if name not in self.measurements:
            raise InvalidInput(f"'{name}' was not measured; the record has {', '.join(self.measurements)}.")
        return self.measurements[name]

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        data["thresholds"] = self.thresholds.to_json()
        data["measurements"] = {name: m.to_json() for name, m in self.measurements.items()}
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Generalisation:
        """Inverse of `to_json`.

        Raises
        ------
        InvalidInput
            If entries are missing or unknown.
        """
        if set(data) != {f.name for f in fields(cls)}:
            raise InvalidInput("this is no record of a generalisation trial; run it again.")
        entries = dict(data)
        entries["thresholds"] = Thresholds(**data["thresholds"])
        entries["measurements"] = {n: Measurement.from_json(m) for n, m in data["measurements"].items()}
        return cls(**entries)
