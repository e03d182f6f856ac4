r"""Basins of attraction at T = 0: how much of a pattern must be right for the dynamics to find the rest.

A *basin map* starts the same disorder samples at several overlaps m_0 with the start (the same spins are wrong, and
more of them at smaller m_0) and records where they end, m_final(m_0).  The *attractor* of a sample is where the
undisturbed start (m_0 = 1) leads, if it stays near: if its final overlap exceeds `retrieved_above`.  At smaller m_0 the
sample is *retrieved* if its final overlap exceeds `retrieved_above` times that of its attractor; a sample without
attractor is retrieved nowhere.  This differs from the retrieved fraction of a simulation, which compares with m_0.

The *radius* of the basin is 1 - m_0*, where the retrieved fraction crosses 1/2.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numerics import records
from numerics.arguments import check_count, check_model, listed
from numerics.estimate import Measurement, fraction, means
from numerics.finite_size import paired_crossing
from numerics.provenance import provenance
from numerics.simulate import parameters_of, simulate
from numerics.starts import overlap_before
from numerics.task import STARTS, Task, task
from theory.errors import InvalidInput

__all__ = ["OVERLAPS", "Basin", "Basins", "Radius", "basin", "basins", "radius"]

OVERLAPS = tuple(k / 20 for k in range(1, 21))


@dataclass(frozen=True)
class Radius:
    """Radius of a basin of attraction, 1 - m_0*.

    Attributes
    ----------
    value : float
        0 without an attractor; where even the smallest overlap is retrieved, a lower bound.
    error : float
        Standard error over disorder samples; nan unless the fraction crosses 1/2.
    kind : {'crossing', 'none', 'whole'}
        The retrieved fraction crosses 1/2; it is below 1/2 even at m_0 = 1; it is above 1/2 at all m_0.
    width : float
        Interval of m_0 over which the fraction goes from 1/4 to 3/4; nan unless it crosses 1/2.
    """

    value: float
    error: float
    kind: str
    width: float

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON; what is unknown is null."""
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in vars(self).items()}


@dataclass(frozen=True)
class Basin:
    """Where starts at several overlaps lead, at one load and size.

    Attributes
    ----------
    model : str
    parameters : dict
    N, P, D : int
    loads : dict
        Realised loads, alpha = P/N and alpha_d = D/N.
    start : {'example', 'feature', 'mixture', 'unseen'}
    L : int or None
    coefficients : str or None
    L_train : int or None
        Law of the examples, where the model has features; `L_train` where they are sparse.
    samples, seed : int
    retrieved_above : float
        See the module.
    overlaps : tuple of float
        Initial overlaps m_0, rising, as N realises them; the last is 1.
    final : tuple of Measurement
        Final overlap with the start, averaged over all samples.
    retrieved : tuple of Measurement
        Fraction of samples retrieved.
    radius : Radius
    values : tuple of tuple of float
        Final overlap per m_0 and sample.
    provenance : dict
    """

    model: str
    parameters: dict[str, Any]
    N: int
    P: int
    D: int
    loads: dict[str, float]
    start: str
    L: int | None
    coefficients: str | None
    L_train: int | None
    samples: int
    seed: int
    retrieved_above: float
    overlaps: tuple[float, ...]
    final: tuple[Measurement, ...]
    retrieved: tuple[Measurement, ...]
    radius: Radius
    values: tuple[tuple[float, ...], ...] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of JSON types, without NaN or infinity."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("final", "retrieved"):
            data[name] = [m.to_json() for m in data[name]]
        data["overlaps"], data["values"] = list(self.overlaps), [list(row) for row in self.values]
        return data | {"radius": self.radius.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Basin:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        InvalidInput
            If entries are missing or unknown.
        """
        if set(data) != {f.name for f in fields(cls)}:
            odd = sorted({f.name for f in fields(cls)}.symmetric_difference(data))
            raise InvalidInput(f"this is no basin map (wrong entries: {', '.join(odd)}); measure it again.")
        entries = dict(data)
        for name in ("final", "retrieved"):
            entries[name] = tuple(Measurement.from_json(m) for m in data[name])
        found: dict[str, Any] = {k: math.nan if v is None else v for k, v in data["radius"].items()}
        entries["radius"] = Radius(**found)
        entries["overlaps"], entries["values"] = tuple(data["overlaps"]), tuple(tuple(row) for row in data["values"])
        return cls(**entries)


@dataclass(frozen=True)
class Basins:
    """Basin maps at several loads and sizes.

    Attributes
    ----------
    maps : tuple of Basin
        In order of N, then alpha.
    """

    maps: tuple[Basin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {"kind": "basins", "maps": [m.to_json() for m in self.maps]}

    def save(self, path: str | Path) -> None:
        """Write all maps to `path`, atomically and with a checksum; see :func:`numerics.records.write`."""
        records.write(path, self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> Basins:
        """Read maps written by :meth:`save`.

        Raises
        ------
        InvalidInput
            If the file is absent, damaged, or something else.
        """
        data = records.read(path)
        if data.get("kind") != "basins":
            raise InvalidInput(f"'{path}' holds no basin maps; give a file written by Basins.save.")
        return cls.from_json(data)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Basins:
        """Inverse of :meth:`to_json`."""
        return cls(tuple(Basin.from_json(m) for m in data["maps"]))


def basin(
    model: Any,
    N: int,
    *,
    start: str = "example",
    overlaps: Sequence[float] = OVERLAPS,
    L: int | None = None,
    coefficients: str | None = None,
    L_train: int | None = None,
    samples: int = 32,
    seed: int = 0,
    retrieved_above: float = 0.8,
    backend: str = "cpu",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Basin:
    """Measure a basin map and its radius.

    Parameters
    ----------
    model : Model
        With its loads set, at temperature 0.
    N : int
    start : {'example', 'feature', 'mixture', 'unseen'}
        See :func:`numerics.simulate.simulate`.
    overlaps : sequence of float
        Initial overlaps m_0; 1 is added.
    L, coefficients, L_train, seed, backend, workers
        See :func:`numerics.simulate.simulate`.
    samples : int
        Disorder samples; all m_0 use the same.
    retrieved_above : float
        See the module.
    progress : callable, optional
        Called as progress(done, total) with numbers of quenches.

    Raises
    ------
    InvalidInput
        For values out of range, and temperatures above 0.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> found = basin(Hopfield(alpha=0.05), 200, overlaps=(0.1, 0.2, 0.3, 0.5), samples=8)
    >>> found.retrieved[-1].value, found.radius.kind, 0.5 < found.radius.value < 0.95
    (1.0, 'crossing', True)
    """
    options: dict[str, Any] = {
        "start": start,
        "L": L,
        "coefficients": coefficients,
        "L_train": L_train,
        "seed": seed,
        "backend": backend,
    }
    plans = _plans(model, N, overlaps, samples, retrieved_above, options)
    began = time.perf_counter()
    rows: list[tuple[float, ...]] = []
    for done, plan in enumerate(plans):
        report = None if progress is None else _after(progress, done * samples, len(plans) * samples)
        one = simulate(model, N, overlap=plan.overlap, samples=samples, workers=workers, progress=report, **options)
        rows.append(tuple(one.values["overlap"]))
    at = tuple(overlap_before(plan) for plan in plans)
    outcomes = _outcomes(rows, plans[0].retrieved_above)
    return Basin(
        model=str(model.name),
        parameters=parameters_of(model),
        N=plans[0].N,
        P=plans[0].P,
        D=plans[0].D,
        loads=dict(one.loads),
        start=start,
        L=plans[0].L,
        coefficients=one.coefficients,
        L_train=one.L_train,
        samples=one.samples,
        seed=one.seed,
        retrieved_above=plans[0].retrieved_above,
        overlaps=at,
        final=tuple(means({"overlap": row}, plans[0].N)["overlap"] for row in rows),
        retrieved=tuple(fraction(row) for row in outcomes),
        radius=radius(at, rows, N=plans[0].N, retrieved_above=plans[0].retrieved_above, seed=plans[0].seed),
        values=tuple(rows),
        provenance=provenance(time.perf_counter() - began, backend=backend),
    )


def basins(
    model: Any,
    N: int | Sequence[int],
    *,
    alphas: Sequence[float] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> Basins:
    """Measure basin maps at several sizes and loads alpha.

    Parameters
    ----------
    model : Model
    N : int or sequence of int
    alphas : sequence of float, optional
        Loads of a model that has none; its own by default.
    progress : callable, optional
        Called as progress(label, done, total) for the map in work.
    **options
        Those of :func:`basin`.

    Raises
    ------
    InvalidInput
        As :func:`basin`, before any work.
    """
    check_model(model)
    sizes = (N,) if isinstance(N, numbers.Number) else listed("N", N, numbers.Integral, "1000, 2000")
    models = [model]
    if alphas is not None:
        if getattr(model, "alpha", None) is not None:
            raise InvalidInput(
                f"alpha is both fixed (alpha = {model.alpha:g} of the model) and varied (alphas); leave out one."
            )
        loads = listed("alphas", alphas, numbers.Real, "0.05, 0.1")
        models = [replace(model, alpha=float(a)) for a in sorted(loads)]
    work = [(size, m) for size in sorted(sizes) for m in models]
    known = {k: v for k, v in options.items() if k in ("start", "L", "coefficients", "L_train", "seed", "backend")}
    judged: dict[str, Any] = {"overlaps": OVERLAPS, "samples": 1, "retrieved_above": 0.8} | options
    for size, m in work:
        _plans(m, size, judged["overlaps"], judged["samples"], judged["retrieved_above"], known)
    found = []
    for size, m in work:
        label = f"N = {size}, alpha = {m.alpha:g}"
        report = None if progress is None else (lambda done, total, label=label: progress(label, done, total))
        found.append(basin(m, size, progress=report, **options))
    return Basins(tuple(found))


def radius(
    overlaps: Sequence[float], final: ArrayLike, *, N: int, retrieved_above: float = 0.8, seed: int = 0
) -> Radius:
    """Return the radius of the basin from final overlaps.

    Parameters
    ----------
    overlaps : sequence of k floats
        Rising initial overlaps; the last is 1.
    final : (k, n) array
        Final overlap per m_0 and sample.
    N : int
    retrieved_above : float
    seed : int
        Names the bootstrap samples.

    Raises
    ------
    InvalidInput
        If the retrieved fraction crosses 1/2 back and forth.

    Examples
    --------
    >>> radius([0.2, 0.4, 0.6, 1.0], [[0.1, 0.0], [0.3, 0.98], [0.97, 0.97], [0.97, 0.98]], N=100).kind
    'crossing'
    """
    outcomes = _outcomes(final, retrieved_above)
    share = outcomes.mean(axis=1)
    if share[-1] < 0.5:
        return Radius(0.0, math.nan, "none", math.nan)
    if share.min() > 0.5:
        return Radius(1.0 - overlaps[0], math.nan, "whole", math.nan)
    found = paired_crossing(overlaps, outcomes.T, N=N, seed=seed, what="overlap")
    return Radius(float(np.clip(1.0 - found.value, 0.0, 1.0)), found.error, "crossing", found.width)


def _outcomes(final: ArrayLike, retrieved_above: float) -> Any:
    """Whether each sample is retrieved from each m_0, (k, n) array of bool."""
    reached = np.asarray(final, dtype=np.float64)
    attractor = reached[-1]
    return (attractor > retrieved_above) & (reached > retrieved_above * attractor)


def _plans(
    model: Any, N: int, overlaps: Sequence[float], samples: int, retrieved_above: float, options: Mapping[str, Any]
) -> list[Task]:
    """Validate everything, and return one task per m_0, rising; the last is undisturbed."""
    check_model(model)
    if getattr(model, "temperature", 0.0):
        raise InvalidInput(
            f"temperature = {model.temperature:g} has no basins of this kind; they are those of the dynamics at "
            "temperature 0: leave the temperature out."
        )
    check_count("samples", samples, 1)
    if options.get("start") == "random":
        raise InvalidInput(
            f"start 'random' has no basin; choose one of {', '.join(s for s in STARTS if s != 'random')}."
        )
    wanted = sorted({float(m) for m in listed("overlaps", overlaps, numbers.Real, "0.1, 0.2, 0.3")} | {1.0})
    if len(wanted) < 2:
        raise InvalidInput("a basin map needs an overlap below 1; give several between 0 and 1, as 0.1,0.2,0.3.")
    plans = [task(model, N, overlap=m, retrieved_above=retrieved_above, **options) for m in wanted]
    if len({overlap_before(plan) for plan in plans}) < len(plans):
        raise InvalidInput(
            f"overlaps that differ by less than 2/N = {2 / N:g} are the same start; give fewer, or raise N."
        )
    return plans


def _after(progress: Callable[[int, int], None], before: int, total: int) -> Callable[[int, int], None]:
    return lambda done, _: progress(before + done, total)
