"""What a figure needs, declared before anything is computed: predictions, simulations, simulated transitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from numerics.curves import Curves
from numerics.finite_size import Transition, transition
from numerics.records import Record
from numerics.simulate import parameters_of, simulate
from theory.branches import StateBranch, branch
from theory.errors import InvalidInput
from theory.lines import Boundary, phase_line
from theory.phase import threshold
from theory.states import solve

if TYPE_CHECKING:
    from numerics.diffusion.generalisation import Generalisation

__all__ = [
    "Branch",
    "Line",
    "Measured",
    "Point",
    "Prediction",
    "Results",
    "Simulation",
    "Sizes",
    "Spec",
    "States",
    "named_loads",
    "transitions_of",
]

# Disorder samples per number of spins.
Sizes = Mapping[int, int]


class Prediction(Protocol):
    """Something theory can compute from its own declaration."""

    def compute(self) -> Any:
        """Solve it."""


class Measured(Protocol):
    """Something numerics can measure from its own declaration, as a record with a name."""

    @property
    def N(self) -> int:
        """Spins."""

    @property
    def start(self) -> str:
        """Name of the initial configuration."""

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name."""

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared."""

    def run(self, *, workers: int = 1) -> Record | Curves | Generalisation:
        """Measure; the result does not depend on `workers`."""


@dataclass(frozen=True)
class Line:
    """A phase boundary along a second parameter; see :func:`theory.lines.phase_line`."""

    model: Any
    state: str
    vary: str
    along: str
    values: tuple[float, ...]
    line: str = "spinodal"
    L: int | None = None

    def compute(self) -> Boundary:
        """Solve the boundary at all values; points without a solution are NaN."""
        return phase_line(
            self.model, self.state, line=self.line, vary=self.vary, along=self.along, values=self.values, L=self.L
        )


@dataclass(frozen=True)
class Branch:
    """A state followed in one parameter through its folds; see :func:`theory.lines.branch`."""

    model: Any
    state: str
    vary: str
    span: tuple[float, float]
    L: int | None = None

    def compute(self) -> StateBranch:
        """Follow the state."""
        return branch(self.model, self.state, vary=self.vary, span=self.span, L=self.L)


@dataclass(frozen=True)
class Point:
    """One critical value; see :func:`theory.phase.threshold`."""

    model: Any
    state: str
    vary: str = "alpha"
    line: str = "spinodal"
    L: int | None = None

    def compute(self) -> float:
        """Solve for the value."""
        found = threshold(self.model, self.state, line=self.line, vary=self.vary, L=self.L).value
        assert found is not None  # threshold raises otherwise
        return found


@dataclass(frozen=True)
class States:
    """Order parameters of a state at given values of a parameter; see :func:`theory.states.solve`."""

    model: Any
    state: str
    vary: str
    values: tuple[float, ...]

    def compute(self) -> dict[str, NDArray[np.float64]]:
        """Solve at every value; returns arrays by order parameter, and the values themselves under `vary`."""
        found = [solve(replace(self.model, **{self.vary: v}), self.state).order_parameters for v in self.values]
        names = [name for name, value in found[0].items() if value is not None]
        rows = {name: np.array([point[name] for point in found], dtype=np.float64) for name in names}
        return rows | {self.vary: np.array(self.values)}


@dataclass(frozen=True)
class Simulation:
    """One measurement record, named by everything it depends on; see :func:`numerics.simulate.simulate`.

    Attributes
    ----------
    model : Model
        With all loads set.
    N, samples, seed : int
    start : str
    L : int or None
    coefficients : str
    L_train : int
    sweeps : int or None
        At temperature > 0.
    retrieved_above : float
        Share of the initial overlap above which a sample counts as retrieved.
    """

    model: Any
    N: int
    start: str
    samples: int
    L: int | None = None
    coefficients: str = "gaussian"
    L_train: int = 3
    seed: int = 0
    sweeps: int | None = None
    retrieved_above: float = 0.8

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name.

        Examples
        --------
        >>> from theory.models.random_features import RandomFeatures
        >>> Simulation(RandomFeatures(alpha=0.07, alpha_d=0.5), 1000, "example", 16).key
        'random-features_alpha0.07_alpha_d0.5_gaussian_example_N1000_n16_seed0'
        """
        law = self.coefficients + (str(self.L_train) if self.coefficients == "sparse" else "")
        start = self.start + (str(self.L) if self.L is not None else "")
        length = [f"sweeps{self.sweeps}"] if self.sweeps is not None else []
        length += [f"above{self.retrieved_above:g}"] if self.retrieved_above != 0.8 else []
        names = [*named_loads(self.model), *([law] if self._features else []), start]
        return "_".join([self.model.name, *names, f"N{self.N}", f"n{self.samples}", f"seed{self.seed}", *length])

    @property
    def _features(self) -> bool:
        """Whether examples are made of features, by coefficients."""
        return hasattr(self.model, "alpha_d")

    def matches(self, record: Record) -> bool:
        """Whether a record is the one declared here (a file of the right name may hold another)."""
        sparse = self.coefficients == "sparse"
        return (
            record.model == self.model.name
            and record.parameters == parameters_of(self.model)
            and (record.N, record.start, record.samples, record.seed) == (self.N, self.start, self.samples, self.seed)
            and record.coefficients == (self.coefficients if self._features else None)
            and (record.sampling is None or record.sampling["sweeps"] == (self.sweeps or record.sampling["sweeps"]))
            and record.L_train == (self.L_train if sparse else None)
            and (self.L is None or record.L == self.L)
            and record.retrieved_above == self.retrieved_above
        )

    def run(self, *, workers: int = 1) -> Record:
        """Simulate; the result does not depend on `workers`."""
        return simulate(
            self.model,
            self.N,
            start=self.start,
            L=self.L,
            coefficients=self.coefficients if self._features else None,
            L_train=self.L_train if self.coefficients == "sparse" else None,
            sweeps=self.sweeps,
            retrieved_above=self.retrieved_above,
            samples=self.samples,
            seed=self.seed,
            workers=workers,
        )


def named_loads(model: Any) -> list[str]:
    """Numbers of a model as parts of a record's name: its loads and, of vector spins, what else it depends on.

    Examples
    --------
    >>> from theory.models.vector_hopfield import VectorHopfield
    >>> named_loads(VectorHopfield(alpha=0.02, d=3, temperature=0.5))
    ['alpha0.02', 'd3', 'temperature0.5']
    """
    names = ("alpha", "alpha_d", "d", "variant") if hasattr(model, "d") else ("alpha", "alpha_d")
    found = [f"{name}{_shown(getattr(model, name))}" for name in names if hasattr(model, name)]
    warm = hasattr(model, "d") and bool(model.temperature)
    return found + ([f"temperature{model.temperature:g}"] if warm else [])


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


@dataclass(frozen=True)
class Spec:
    """Everything one figure needs.

    Attributes
    ----------
    predictions : mapping of str to Prediction
    simulations : mapping of str to sequence of Measured
        Groups, each drawn as one.
    transitions : tuple of str
        Groups whose simulated transition in alpha is extracted.
    """

    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    simulations: Mapping[str, Sequence[Measured]] = field(default_factory=dict)
    transitions: tuple[str, ...] = ()

    def all_simulations(self) -> list[Measured]:
        """Without repetition, in the order of declaration."""
        return list(dict.fromkeys(s for group in self.simulations.values() for s in group))

    def results(self, records: Mapping[str, Any], *, progress: Callable[[str, int, int], None]) -> Results:
        """Compute the predictions and join them with the records."""
        predictions = {}
        for done, (name, prediction) in enumerate(self.predictions.items()):
            progress(f"theory, {name}", done, len(self.predictions))
            predictions[name] = prediction.compute()
        groups = {name: [records[s.key] for s in group] for name, group in self.simulations.items()}
        return Results(predictions, groups, {name: transitions_of(groups[name]) for name in self.transitions})


@dataclass(frozen=True)
class Results:
    """What a figure draws.

    Attributes
    ----------
    predictions : dict
        By the names of the spec.
    records : dict of list of (Record, Curves or Generalisation)
    transitions : dict of (Transition or None)
        None where no size brackets the transition.
    """

    predictions: dict[str, Any]
    records: dict[str, list[Any]]
    transitions: dict[str, Transition | None] = field(default_factory=dict)


def transitions_of(records: Sequence[Record]) -> Transition | None:
    """Return the simulated transition from the sizes whose loads bracket it; None if there are none."""
    bracketing: list[Record] = []
    for N in sorted({r.N for r in records}):
        here = [r for r in records if r.N == N]
        fractions = [r["retrieved_fraction"].value for r in here]
        if min(fractions) < 0.5 < max(fractions):
            bracketing += here
    if not bracketing:
        return None
    try:
        return transition(bracketing)
    except InvalidInput:
        return None
