"""All phase lines of a model at once, as one object that can be saved, read back and drawn."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["Curve", "Diagram", "diagram", "provenance"]

Array = NDArray[np.float64]

MIXTURES = (3, 5, 7, 9)
# Statuses with which a line simply ends: beyond that point there is no such state.
ENDED = ("NO_SOLUTION", "WRONG_BRANCH")


@dataclass(frozen=True)
class Curve:
    """One phase line.

    Attributes
    ----------
    state, line : str
        What crosses which line, spelled with hyphens.
    L : int or None
        Number of features, for mixtures.
    vary, along : str
        The parameter solved for, and the one that runs along the line.
    along_values, values, errors : (n,) array
        Abscissae, solutions and error estimates; NaN where there is none.
    status : (n,) tuple of str
        How each point ended.
    """

    state: str
    line: str
    L: int | None
    vary: str
    along: str
    along_values: Array
    values: Array
    errors: Array
    status: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name for tables and legends."""
        return f"{self.state}{f' L={self.L}' if self.L else ''} {'AT' if self.line == 'at' else self.line}"

    @property
    def failures(self) -> int:
        """Number of points that neither converged nor lie beyond the end of the line."""
        return sum(s != "CONVERGED" and s not in ENDED for s in self.status)


@dataclass(frozen=True)
class Diagram:
    """The phase lines of one model.

    Attributes
    ----------
    model : str
        Name of the model.
    parameters : dict
        What is held fixed.
    lines : tuple of Curve
        The lines.
    provenance : dict of str
        Versions, time and duration of the computation.
    """

    model: str
    parameters: dict[str, Any]
    lines: tuple[Curve, ...]
    provenance: dict[str, str] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The diagram in plain containers; NaN stands for what is unknown."""
        lines = [
            {
                f.name: v.tolist() if isinstance(v := getattr(c, f.name), np.ndarray) else v
                for f in dataclasses.fields(c)
            }
            for c in self.lines
        ]
        return {
            "model": self.model,
            "parameters": self.parameters,
            "lines": lines,
            "provenance": self.provenance,
        }

    def to_dataset(self) -> Dataset:
        """The diagram as an xarray Dataset with dimensions (line, point); short lines are padded with NaN."""
        from xarray import Dataset

        length = max((len(c.values) for c in self.lines), default=0)

        def padded(values: Any, fill: Any, dtype: Any) -> Any:
            rows = [[*row, *[fill] * (length - len(row))] for row in values]
            return np.array(rows, dtype=dtype).reshape(len(self.lines), length)

        grid, line = ("line", "point"), ("line",)
        data = {
            "along_value": (grid, padded([c.along_values for c in self.lines], np.nan, np.float64)),
            "value": (grid, padded([c.values for c in self.lines], np.nan, np.float64)),
            "error": (grid, padded([c.errors for c in self.lines], np.nan, np.float64)),
            "status": (grid, padded([c.status for c in self.lines], "", object)),
            "points": (line, np.array([len(c.values) for c in self.lines], dtype=np.int64)),
            "L": (line, np.array([c.L or 0 for c in self.lines], dtype=np.int64)),
        }
        for name in ("state", "vary", "along"):
            data[name] = (line, np.array([getattr(c, name) for c in self.lines], dtype=object))
        data["kind"] = (line, np.array([c.line for c in self.lines], dtype=object))
        attributes = {
            "title": f"phase lines of {self.model}",
            "model": self.model,
            "parameters": json.dumps(self.parameters),
            "provenance": json.dumps(self.provenance),
        }
        return Dataset(data, attrs=attributes)

    @classmethod
    def from_dataset(cls, data: Dataset) -> Diagram:
        """Inverse of `to_dataset`."""
        lines = []
        for k in range(data.sizes["line"]):
            row, n = data.isel(line=k), int(data["points"][k])
            columns = {name: np.asarray(row[name].values[:n], dtype=np.float64) for name in ("value", "error")}
            lines.append(
                Curve(
                    state=str(row["state"].values),
                    line=str(row["kind"].values),
                    L=int(row["L"]) or None,
                    vary=str(row["vary"].values),
                    along=str(row["along"].values),
                    along_values=np.asarray(row["along_value"].values[:n], dtype=np.float64),
                    values=columns["value"],
                    errors=columns["error"],
                    status=tuple(str(s) for s in row["status"].values[:n]),
                )
            )
        parameters = json.loads(data.attrs["parameters"])
        return cls(data.attrs["model"], parameters, tuple(lines), json.loads(data.attrs["provenance"]))

    def to_csv(self) -> str:
        """One row per point, after comment lines with model, fixed parameters and provenance."""
        fixed = ", ".join(f"{k} = {v}" for k, v in self.parameters.items())
        made = ", ".join(f"{k} {v}" for k, v in self.provenance.items())
        rows = [
            f"# {self.model}, {fixed}" if fixed else f"# {self.model}",
            f"# {made}",
            "state,line,L,vary,along,along_value,value,error,status",
        ]
        for c in self.lines:
            for x, y, e, s in zip(c.along_values, c.values, c.errors, c.status, strict=True):
                numbers = ",".join("" if np.isnan(v) else repr(float(v)) for v in (x, y, e))
                rows.append(f"{c.state},{c.line},{c.L or ''},{c.vary},{c.along},{numbers},{s}")
        return "\n".join(rows) + "\n"


@dataclass(frozen=True)
class _Request:
    """A line to compute."""

    state: str
    line: str
    vary: str
    along: str
    values: Array
    L: int | None = None


def diagram(
    model: Any,
    *,
    alpha_max: float | None = None,
    alpha_d_max: float | None = None,
    points: int = 60,
    progress: Callable[[str, int, int], None] | None = None,
) -> Diagram:
    r"""Compute the phase lines of a model.

    Models with features are drawn in the plane (alpha_d, alpha) at fixed temperature: storage line (a stored example
    appears), learning line (a feature appears) and mixtures of L = 3, 5, 7, 9 features.  Models without
    are drawn in the plane (alpha, temperature).

    Parameters
    ----------
    model : model
        With the parameters that span the plane left open, as ``RandomFeatures(temperature=0.5)``.
    alpha_max, alpha_d_max : float, optional
        Upper ends of the plane; by default 30 and 1 with features, and 0.2 for alpha without (of the model's own unit
        of load, 1/d for spins with d components).
    points : int
        Points per line.
    progress : callable, optional
        Called as ``progress(label, done, total)`` with numbers of points.

    Returns
    -------
    Diagram
        Points that failed carry NaN and their status.  A line that is absent at both ends and in the middle
        keeps these three points only.

    Raises
    ------
    InvalidInput
        If a parameter of the plane is fixed, or a bound is out of range.

    Examples
    --------
    >>> import spinodal as sp
    >>> found = sp.diagram(sp.Hopfield(), points=3)
    >>> found.lines[0].label
    'example spinodal'
    """
    started = time.perf_counter()
    requests = list(_requests(model, alpha_max=alpha_max, alpha_d_max=alpha_d_max, points=points))
    from theory.lines import phase_line

    temperature = getattr(model, "temperature", None)
    axes = {r.vary for r in requests} | {r.along for r in requests}
    # The plane's axes are left open, whatever default the model has for them.
    open_model = dataclasses.replace(model, **dict.fromkeys(axes))
    lines = []
    for k, r in enumerate(requests):
        label = f"{r.state}{f' L={r.L}' if r.L else ''} {r.line}"

        def report(done: int, total: int, k: int = k, label: str = label) -> None:
            if progress is not None:
                progress(label, k * points + done, len(requests) * points)

        report(0, points)
        found = None
        if r.line == "at" or ((temperature or 0.0) > 0.0 and "temperature" not in axes):
            # Above some temperature, or in some models, whole lines are absent; point by point that takes minutes.
            few = r.values[[0, len(r.values) // 2, -1]]
            found = phase_line(open_model, r.state, line=r.line, vary=r.vary, along=r.along, values=few.tolist(), L=r.L)
        if found is None or any(status.value == "CONVERGED" for status in found.statuses):
            found = phase_line(
                open_model,
                r.state,
                line=r.line,
                vary=r.vary,
                along=r.along,
                values=r.values.tolist(),
                L=r.L,
                progress=report,
            )
        lines.append(
            Curve(
                r.state,
                r.line,
                r.L,
                r.vary,
                r.along,
                np.asarray(found.along_values, dtype=np.float64),
                np.asarray(found.values, dtype=np.float64),
                np.asarray(found.errors, dtype=np.float64),
                tuple(status.value for status in found.statuses),
            )
        )
    fixed = {f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.init and f.name not in axes}
    return Diagram(model.name, fixed, tuple(lines), provenance(time.perf_counter() - started))


def _requests(model: Any, *, alpha_max: float | None, alpha_d_max: float | None, points: int) -> Iterator[_Request]:
    """The lines that make the phase diagram of a model."""
    names = {p.name for p in model.parameters}
    if points < 2:
        raise InvalidInput(f"points = {points} is not allowed; a line needs 2 or more.")
    for name, bound in (("alpha_max", alpha_max), ("alpha_d_max", alpha_d_max)):
        if bound is not None and not (np.isfinite(bound) and bound > 1e-3):
            raise InvalidInput(f"{name} = {bound:g} is not allowed; give a value with 0.001 < {name} < infinity.")
    if {"alpha", "alpha_d"} <= names:
        yield from _feature_plane(model, alpha_max or 30.0, alpha_d_max or 1.0, points)
    elif {"alpha", "temperature"} <= names:
        if alpha_d_max is not None:
            raise InvalidInput(f"alpha_d_max is given, but {model.name} has no alpha_d; leave it out.")
        yield from _temperature_plane(model, alpha_max or 0.2 * model.load_unit(), points)
    else:
        raise InvalidInput(
            f"{model.name} has the parameters {', '.join(sorted(names))}; a diagram needs alpha with alpha_d or "
            "temperature, so trace its lines with phase_line."
        )


def _unfixed(model: Any, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(model, name)
        if value not in (None, 0.0):
            raise InvalidInput(
                f"{name} = {value:g} is fixed, but the diagram of {model.name} runs over it; leave it open."
            )


def _feature_plane(model: Any, alpha_max: float, alpha_d_max: float, points: int) -> Iterator[_Request]:
    """Lines in the plane (alpha_d, alpha); features are asked along alpha, where their line is single-valued."""
    _unfixed(model, ("alpha", "alpha_d"))
    temperature = getattr(model, "temperature", 0.0) or 0.0
    alpha_d, alpha = np.geomspace(alpha_d_max, 1e-3, points), np.geomspace(alpha_max, 1e-3, points)
    for state, vary, along, values in (
        ("example", "alpha", "alpha_d", alpha_d),
        ("feature", "alpha_d", "alpha", alpha),
    ):
        if state in model.states:
            for line in ("spinodal", "thermodynamic"):
                yield _Request(state, line, vary, along, values)
    if "mixture" in model.states:
        for L in MIXTURES:
            yield _Request("mixture", "spinodal", "alpha_d", "alpha", alpha, L)
    # At low loads T_g is E sigma^2, so below that all is glass, and the line is found absent.
    if "spin_glass" in model.states and temperature > 0.0:
        yield _Request("spin-glass", "continuous", "alpha", "alpha_d", alpha_d)


def _temperature_plane(model: Any, alpha_max: float, points: int) -> Iterator[_Request]:
    """Lines in the plane (alpha, temperature)."""
    _unfixed(model, ("alpha", "temperature"))
    temperature = np.linspace(0.0, 0.98, points)
    alpha = np.linspace(alpha_max, alpha_max / points, points)
    if "example" in model.states:
        for line in ("spinodal", "thermodynamic"):
            yield _Request("example", line, "alpha", "temperature", temperature)
    if "mixture" in model.states:
        # Above T = 0.46 even the mixture of three is unstable against its members, at any load.
        for L in MIXTURES[:2]:
            yield _Request("mixture", "spinodal", "alpha", "temperature", np.linspace(0.0, 0.45, points), L)
    if "spin_glass" in model.states:
        yield _Request("spin-glass", "continuous", "temperature", "alpha", alpha)
    if "example" in model.states:
        yield _Request("example", "at", "temperature", "alpha", alpha)


def provenance(seconds: float | None = None) -> dict[str, str]:
    """Versions, date and duration."""
    import platform
    from datetime import datetime
    from importlib.metadata import version

    packages = {name: version(name) for name in ("spinodal", "numpy", "scipy", "sympy")}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    lasted = {} if seconds is None else {"seconds": f"{seconds:.2f}"}
    return {**packages, "python": platform.python_version(), "created": created, **lasted}
