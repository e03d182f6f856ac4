"""What figures of vector spins declare: minima with their Hessians, steps of denoising, and lines worth keeping."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from numerics.curves import Curves
from numerics.first_step import first_step
from numerics.provenance import provenance
from numerics.simulate import parameters_of
from numerics.vector_minima import minima
from paper_figures.plan import named_loads
from theory.branches import StateBranch
from theory.denoising import first_overlap, improving_load
from theory.lines import phase_line
from theory.local_fields import LocalFields
from theory.minima import local_fields
from theory.spectra import Spectrum, spectrum
from theory.states import solve

__all__ = [
    "Densities",
    "Fields",
    "FreeEnergies",
    "ImprovingLoads",
    "LineOf",
    "MinimaOf",
    "StepMap",
    "StepOf",
    "line_of",
    "smoothed",
    "solved",
]


@dataclass(frozen=True)
class MinimaOf:
    """Minima of a model from a start: densities of eigenvalues and local fields, and participation.

    Attributes
    ----------
    model : Model
        Of vector spins, with its loads.
    N : int
    start : str
    samples : int
    eigenvalues, fields : tuple of (float, float, int)
        First edge, last edge and number of bins.
    seed : int
    """

    model: Any
    N: int
    start: str
    samples: int
    eigenvalues: tuple[float, float, int] = (0.0, 2.4, 60)
    fields: tuple[float, float, int] = (0.0, 2.4, 60)
    seed: int = 0

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name.

        Examples
        --------
        >>> from theory.models.vector_hopfield import VectorHopfield
        >>> MinimaOf(VectorHopfield(alpha=0.02, d=3), 500, "random", 8).key
        'minima_vector-hopfield_alpha0.02_d3_random_N500_n8_seed0'
        """
        names = [self.model.name, *named_loads(self.model), self.start, f"N{self.N}", f"n{self.samples}"]
        return "_".join(["minima", *names, f"seed{self.seed}"])

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared here."""
        return (
            isinstance(record, Curves)
            and (record.what, record.model, record.parameters) == ("minima", self.model.name, parameters_of(self.model))
            and (record.N, record.start, record.samples, record.seed) == (self.N, self.start, self.samples, self.seed)
            and _edges(record, "density") == tuple(np.linspace(*_ends(self.eigenvalues)))
            and _edges(record, "fields") == tuple(np.linspace(*_ends(self.fields)))
        )

    def run(self, *, workers: int = 1) -> Curves:
        """Find the minima and their Hessians."""
        found = minima(
            self.model, self.N, start=self.start, samples=self.samples, seed=self.seed, method="lapack", workers=workers
        )
        return found.curves(eigenvalues=np.linspace(*_ends(self.eigenvalues)), fields=np.linspace(*_ends(self.fields)))


@dataclass(frozen=True)
class StepOf:
    """One synchronous step from an overlap m0; see :func:`numerics.first_step.first_step`."""

    model: Any
    N: int
    m0: float
    samples: int
    seed: int = 0

    @property
    def start(self) -> str:
        """Always a stored example."""
        return "example"

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name."""
        names = [self.model.name, *named_loads(self.model), f"m{self.m0:g}", f"N{self.N}", f"n{self.samples}"]
        return "_".join(["step", *names, f"seed{self.seed}"])

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared here."""
        return (
            isinstance(record, Curves)
            and (record.what, record.model, record.parameters)
            == ("first-step", self.model.name, parameters_of(self.model))
            and (record.N, record.overlap, record.samples, record.seed) == (self.N, self.m0, self.samples, self.seed)
        )

    def run(self, *, workers: int = 1) -> Curves:
        """Take the steps; they are quick, so one at a time."""
        return first_step(self.model, self.N, m0=self.m0, samples=self.samples, seed=self.seed)


@dataclass(frozen=True)
class LineOf:
    """A phase line in the load along temperature that takes long enough to keep; see :func:`theory.lines.phase_line`.

    At temperature > 0 a point of a thermodynamic line costs seconds, all those of a figure minutes.
    """

    model: Any
    line: str
    values: tuple[float, ...]
    start: str = "example"

    @property
    def N(self) -> int:
        """Infinitely many spins; 0 stands for them."""
        return 0

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name."""
        span = f"{self.values[0]:g}-{self.values[-1]:g}"
        names = [self.model.name, f"d{self.model.d}", self.line, self.start, span, str(len(self.values))]
        return "_".join(["line", *names])

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared here."""
        return (
            isinstance(record, Curves)
            and (record.what, record.model, record.parameters) == ("line", self.model.name, parameters_of(self.model))
            and (record.start, record.options.get("line")) == (self.start, self.line)
            and tuple(record.options.get("temperature", ())) == self.values
        )

    def run(self, *, workers: int = 1) -> Curves:
        """Solve for all points."""
        began = time.perf_counter()
        found = phase_line(self.model, self.start, line=self.line, along="temperature", values=self.values)
        columns = {"temperature": list(self.values), "alpha": found.values.tolist(), "error": found.errors.tolist()}
        return solved("line", self.model, self.start, {"line": self.line, **columns}, began)


def solved(what: str, model: Any, state: str, options: dict[str, Any], began: float) -> Curves:
    """What was solved for since `began`, in the form of a record: of no simulation, its columns among the options."""
    return Curves(
        what=what,
        model=str(model.name),
        parameters=parameters_of(model),
        N=0,
        P=0,
        D=0,
        loads={},
        start=state,
        overlap=1.0,
        seed=0,
        samples=0,
        options=options,
        measurements={},
        curves={},
        values={},
        provenance=provenance(time.perf_counter() - began),
    )


def line_of(record: Curves) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Loads and temperatures of a kept line."""
    return np.array(record.options["alpha"]), np.array(record.options["temperature"])


def smoothed(
    followed: StateBranch, values: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]]:
    """A function along a branch with one fold, interpolated: loads, values and looks of its stable and unstable part.

    Points of a branch are as far apart as its continuation allows, which at a fold is further than the eye does.
    """
    x = np.asarray(followed.parameter)
    step = np.hypot(np.diff(x) / np.ptp(x), np.diff(values) / np.ptp(values))
    s = np.concatenate([np.zeros(1), np.cumsum(step)])
    dense = np.linspace(0.0, s[-1], 1000)
    load, value = CubicSpline(s, x)(dense), CubicSpline(s, values)(dense)
    fold = int(np.argmax(load))
    parts = (slice(0, fold + 1), slice(fold, None))
    stable, other = parts if bool(followed.stable[0]) else parts[::-1]
    return [(load[stable], value[stable], {}), (load[other], value[other], {"linestyle": ":", "linewidth": 0.8})]


@dataclass(frozen=True)
class Densities:
    """The limiting Hessian spectrum of a state; see :func:`theory.spectra.spectrum`."""

    model: Any
    state: str
    points: int = 200

    def compute(self) -> Spectrum:
        """Solve it on its grid."""
        return spectrum(self.model, self.state, points=self.points)


@dataclass(frozen=True)
class Fields:
    """The law of local fields of a T = 0 state; see :func:`theory.minima.local_fields`."""

    model: Any
    state: str

    def compute(self) -> LocalFields:
        """Solve for it."""
        return local_fields(self.model, self.state)


@dataclass(frozen=True)
class FreeEnergies:
    """Free energies of a state at given loads; energies at T = 0."""

    model: Any
    state: str
    loads: tuple[float, ...]

    def compute(self) -> NDArray[np.float64]:
        """Solve at every load."""
        return np.array([solve(replace(self.model, alpha=a), self.state).free_energy for a in self.loads], dtype=float)


@dataclass(frozen=True)
class StepMap:
    """Overlaps after one step against those before; see :mod:`theory.denoising`."""

    d: int
    alpha: float

    def compute(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both overlaps."""
        before = np.linspace(0.0, 1.0, 101)
        return before, np.array([first_overlap(float(m), alpha=self.alpha, d=self.d) for m in before])


@dataclass(frozen=True)
class ImprovingLoads:
    """Loads at which one step leaves an overlap as it is, against the overlap."""

    d: int

    def compute(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Overlaps and loads."""
        overlaps = np.linspace(0.0, 1.0, 61)
        return overlaps, np.array([improving_load(float(m), d=self.d) for m in overlaps])


def _ends(bins: tuple[float, float, int]) -> tuple[float, float, int]:
    """Arguments of linspace."""
    return bins[0], bins[1], bins[2] + 1


def _edges(record: Curves, name: str) -> tuple[float, ...]:
    return record.curves[name].edges if name in record.curves else ()
