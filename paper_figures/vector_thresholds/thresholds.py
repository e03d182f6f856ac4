"""Thresholds worth keeping: many values of a load, or of the dimension, take a minute."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.curves import Curves
from numerics.simulate import parameters_of
from paper_figures.vectors import solved
from theory.lines import phase_line
from theory.phase import threshold
from theory.sites import feature_sum
from theory.states import solve
from theory.walks import walk

__all__ = ["OneFeature", "ThresholdsOf", "arrays_of", "large_d"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ThresholdsOf:
    """Spinodals of a state, solved for and kept; see :func:`theory.lines.phase_line`.

    Attributes
    ----------
    model : Model
        Of vector spins, with the loads that do not change.
    state : {'example', 'feature', 'mixture'}
    vary : str
        The load that is solved for.
    along : str
        The load, or 'd', that takes `values`.
    values : tuple of float
    L : int or None
        Members of a mixture.
    """

    model: Any
    state: str
    vary: str
    along: str
    values: tuple[float, ...]
    L: int | None = None

    @property
    def N(self) -> int:
        """Infinitely many spins; 0 stands for them."""
        return 0

    @property
    def start(self) -> str:
        """The state."""
        return self.state

    @property
    def key(self) -> str:
        """Name of the record, fit for a file name.

        Examples
        --------
        >>> from theory.models.vector_random_features import VectorRandomFeatures
        >>> model = VectorRandomFeatures(d=3, effective=True)
        >>> ThresholdsOf(model, "example", "alpha", "alpha_d", (0.1, 1.0)).key
        'thresholds_vector-random-features_d3_tensor_example_alpha_along_alpha_d_0.1-1_2'
        """
        fixed = {name: getattr(self.model, name) for name in ("alpha", "alpha_d", "d")}
        shown = [f"{name}{value:g}" for name, value in fixed.items() if value is not None and name != self.along]
        names = [self.model.name, *shown, self.model.variant, f"{self.state}{self.L or ''}", self.vary]
        span = f"{self.values[0]:g}-{self.values[-1]:g}"
        return "_".join(["thresholds", *names, "along", self.along, span, str(len(self.values))])

    def matches(self, record: Any) -> bool:
        """Whether a record is the one declared here."""
        return (
            isinstance(record, Curves)
            and (record.what, record.model) == ("thresholds", self.model.name)
            and (record.parameters, record.start) == (parameters_of(self.model), self.state)
            and (record.options.get("vary"), record.options.get("along")) == (self.vary, self.along)
            and record.options.get("L") == self.L
            and tuple(record.options.get(self.along, ())) == self.values
        )

    def run(self, *, workers: int = 1) -> Curves:
        """Solve for all of them."""
        began = time.perf_counter()
        if self.along == "d":
            models = [replace(self.model, d=int(d)) for d in self.values]
            found = [threshold(model, self.state, vary=self.vary, L=self.L) for model in models]
            values, errors = [f.value for f in found], [f.error for f in found]
        else:
            line = phase_line(self.model, self.state, vary=self.vary, along=self.along, values=self.values, L=self.L)
            values, errors = line.values.tolist(), line.errors.tolist()
        kept = {self.along: list(self.values), self.vary: values, "error": errors}
        options = {"vary": self.vary, "along": self.along, "L": self.L, **kept}
        return solved("thresholds", self.model, self.state, options, began)


@dataclass(frozen=True)
class OneFeature:
    """Overlap with an equal mixture of L features of the state at one of them.

    At every site it lies symmetrically about the direction of that feature and knows nothing of the others.
    """

    model: Any
    L: int

    def compute(self) -> float:
        """Solve for the state."""
        m = solve(self.model, "feature").order_parameters["m"]
        assert m is not None
        if self.model.d == 1:
            return m * float(feature_sum(abs, self.L)) / self.L
        length, weight = walk(self.model.d, self.L, 128)
        return m * float(weight @ length) / self.L


def arrays_of(record: Curves) -> tuple[Floats, Floats]:
    """What the thresholds are along, and the thresholds; NaN where a line has no point."""
    columns = [record.options[record.options[name]] for name in ("along", "vary")]
    along, solved = (np.array([np.nan if v is None else v for v in column], dtype=float) for column in columns)
    return along, solved


def large_d(load: Any, L: int = 1) -> Any:
    r"""Thresholds times d^2 for large d at the other effective load: ``4/(27 L^2) load/(1 + load)``.

    At large d nothing of a vector is lost in its direction, kappa_1 -> 1, and examples and features change places: to
    the noise of other examples, were they independent, shared features add ``1/alpha_d,eff`` of it, and to the noise of
    other features shared examples add ``1/alpha_eff``.  With the signal ``b sqrt(d) n`` and a noise of unit variance
    per component, ``m^2 = b^2/(1 + b^2)`` and ``C = 1 - m^2/d + O(1/d^2)``; the load ``m^2 (1 - C)^2/b^2`` is largest
    at b^2 = 2.  In an equal mixture of L features the lengths of sums of L directions fluctuate, so that 1 - C has a
    factor 1/L.

    Examples
    --------
    >>> round(27 * large_d(1.0), 12), round(27 * large_d(1.0, L=2), 12)
    (2.0, 0.5)
    """
    return 4.0 / (27.0 * L**2) * load / (1.0 + load)
