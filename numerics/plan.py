"""What a sweep computes: a grid of parameter points, sizes and disorder samples, cut into independent named tasks.

A plan is data: it can be enumerated, compared, stored and sent to another process without importing the model.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from numerics.simulate import Task, task
from theory.errors import InvalidInput
from theory.model import model_named

__all__ = ["Block", "Plan", "Point", "difference", "parameter_names", "shard_of", "simulation"]


@dataclass(frozen=True)
class Point:
    """One point of the grid at one size.

    Attributes
    ----------
    values : dict
        Value of every axis of the grid.
    N : int
    key : str
        Hash of everything its samples depend on besides their index.
    name : str
        The same for people, and for file names.
    """

    values: Mapping[str, Any]
    N: int
    key: str
    name: str


@dataclass(frozen=True)
class Block:
    """Samples first, ..., last - 1 of a point: what is computed and recorded as one.

    Attributes
    ----------
    point : Point
    first, last : int
    number : int
        Position in the plan; shards deal them out by it.
    """

    point: Point
    first: int
    last: int
    number: int

    @property
    def name(self) -> str:
        """Name of the task and of its record."""
        return f"{self.point.name}_s{self.first}-{self.last - 1}"


@dataclass(frozen=True)
class Plan:
    """A validated sweep; see :func:`numerics.plan_file.read_plan`.

    Attributes
    ----------
    model : str
        As :func:`theory.model.model_named` takes it: a name, or /path/to/file.py:Class.
    source : str or None
        SHA-256 of a model's own file; None for models known by name.
    given : dict
        Fixed parameters as given, to build the model from.
    parameters : dict
        All fixed parameters, defaults included.
    axes : dict of tuple
        Axes of the grid: parameters of the model, or options of the run.
    N : tuple of int
    samples, seed : int
    options : dict
        All options of :func:`numerics.simulate.task` that are no axis, defaults included.
    samples_per_task : int
    observables : tuple of str or None
        Those the data set keeps; None keeps all.  Records hold all of them always.
    remark : str
        What to tell a user before it is run; no part of the stored form.
    """

    model: str
    source: str | None
    given: dict[str, Any]
    parameters: dict[str, Any]
    axes: dict[str, tuple[Any, ...]]
    N: tuple[int, ...]
    samples: int
    seed: int
    options: dict[str, Any]
    samples_per_task: int = 16
    observables: tuple[str, ...] | None = None
    remark: str = field(default="", compare=False, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis, then the number of sizes and of samples."""
        return (*(len(values) for values in self.axes.values()), len(self.N), self.samples)

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return math.prod(self.shape[:-1]) * -(-self.samples // self.samples_per_task)

    def summary(self) -> str:
        """Return the size of the plan in words."""
        grid = " x ".join(f"{len(values)} {name}" for name, values in self.axes.items())
        per = min(self.samples, self.samples_per_task)
        return (
            f"{grid + ' x ' if grid else ''}{len(self.N)} N x {self.samples} samples = {math.prod(self.shape)} samples "
            f"in {self.tasks} tasks of {'up to ' if self.samples % per else ''}{per}"
        )

    def points(self) -> Iterator[Point]:
        """Yield the points, largest sizes first, so that the last tasks to run are short."""
        fixed = self.identity()
        for N in sorted(self.N, reverse=True):
            for values in itertools.product(*self.axes.values()):
                here = dict(zip(self.axes, values, strict=True))
                key = _digest({**fixed, "axes": here, "N": N})
                words = [f"N{N}", *(f"{name}{_short(value)}" for name, value in here.items())]
                yield Point(here, N, key, f"{re.sub('[^-+.A-Za-z0-9_]', '-', '_'.join(words))[:96]}_{key[:10]}")

    def blocks(self) -> Iterator[Block]:
        """Yield all tasks of the plan."""
        numbers = itertools.count()
        for point in self.points():
            for first in range(0, self.samples, self.samples_per_task):
                yield Block(point, first, min(first + self.samples_per_task, self.samples), next(numbers))

    def identity(self) -> dict[str, Any]:
        """Return what all results of the plan depend on, and an extension of it must share."""
        name = self.model.rpartition(":")[2] if self.source else self.model
        return {
            "model": name,
            "source": self.source,
            "parameters": self.parameters,
            "options": self.options,
            "seed": self.seed,
        }

    @property
    def key(self) -> str:
        """Hash of the plan's effective content."""
        grid = {"axes": self.axes, "N": self.N, "samples": self.samples, "observables": self.observables}
        return _digest(self.identity() | grid)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of JSON types."""
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        return dict(json.loads(json.dumps(data)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        InvalidInput
            If entries are missing or unknown.
        """
        odd = sorted({f.name for f in fields(cls) if f.compare} ^ set(data))
        if odd:
            raise InvalidInput(f"this is no plan of a sweep (wrong entries: {', '.join(odd)}); run the sweep anew.")
        entries = dict(data)
        entries["axes"] = {name: tuple(values) for name, values in data["axes"].items()}
        entries["N"] = tuple(data["N"])
        if data["observables"] is not None:
            entries["observables"] = tuple(data["observables"])
        return cls(**entries)


def simulation(plan: Plan, point: Point, model_class: type[Any] | None = None) -> Task:
    """Return the validated simulation of a point.

    Raises
    ------
    InvalidInput
        For values out of range, or a model that is not to be found.
    """
    cls = model_named(plan.model) if model_class is None else model_class
    of_run = {name: value for name, value in point.values.items() if name not in parameter_names(cls)}
    of_model = {name: value for name, value in point.values.items() if name not in of_run}
    return task(cls(**plan.given, **of_model), point.N, **plan.options, **of_run, seed=plan.seed)


def difference(held: Plan, wanted: Plan) -> str | None:
    """Say in what `wanted` is another plan than `held`; None if it is the same or extends it.

    More values on an axis, more sizes and more samples are extensions.

    Examples
    --------
    >>> plan = Plan("hopfield", None, {}, {}, {"alpha": (0.1,)}, (100,), 8, 0, {"start": "example"})
    >>> from dataclasses import replace
    >>> difference(plan, replace(plan, N=(100, 200), samples=16))
    >>> difference(plan, replace(plan, seed=1))
    'seed = 0 there and 1 here'
    """
    before, now = held.identity(), wanted.identity()
    for name in ("model", "seed"):
        if before[name] != now[name]:
            return f"{name} = {before[name]} there and {now[name]} here"
    if before["source"] != now["source"]:
        return f"the file of model {now['model']} has changed since"
    if list(held.axes) != list(wanted.axes):
        return (
            f"the grid is over {', '.join(held.axes) or 'nothing'} there and {', '.join(wanted.axes) or 'nothing'} here"
        )
    for group in ("parameters", "options"):
        for name in sorted({**before[group], **now[group]}):
            there, here = before[group].get(name), now[group].get(name)
            if there != here or (name in before[group]) != (name in now[group]):
                return f"{name} = {_told(there)} there and {_told(here)} here"
    for name, values in {**held.axes, "N": held.N}.items():
        lost = [value for value in values if value not in {**wanted.axes, "N": wanted.N}[name]]
        if lost:
            return f"{name} = {_told(lost[0])} is there and not here"
    if held.samples > wanted.samples:
        return f"samples = {held.samples} there and {wanted.samples} here"
    return None


def shard_of(blocks: Sequence[Block], shard: tuple[int, int]) -> list[Block]:
    """Return the blocks of shard (i, n), i = 1, ..., n: every n-th, so that all shards have small and large sizes."""
    which, of = shard
    return [block for block in blocks if block.number % of == which - 1]


def parameter_names(cls: type[Any]) -> list[str]:
    """Return the names that the class of a model takes: its parameters, then its other fields."""
    declared = fields(cls) if is_dataclass(cls) else ()
    return list(dict.fromkeys([*(p.name for p in cls.parameters), *(f.name for f in declared if f.init)]))


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _told(value: Any) -> str:
    return "nothing" if value is None else _short(value)
