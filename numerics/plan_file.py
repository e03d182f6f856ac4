"""Plans written in TOML: read, refused in one sentence, or turned into a validated Plan before any work.

::

    model = "random-features"        # or "./mymodel.py:MyModel", seen from the plan's folder
    N = [200, 400]
    samples = 16
    seed = 0                         # the rest of these has defaults
    samples_per_task = 4
    observables = ["m", "energy"]

    [parameters]                     # of the model, the same everywhere
    alpha_d = 0.5

    [grid]                           # parameters of the model, or options of the run
    alpha = { start = 0.05, stop = 0.2, count = 4 }
    nonlinearity = ["sign", "tanh"]

    [run]                            # options of numerics.simulate.task
    start = "example"
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import tomllib
import typing
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from numerics import simulate
from numerics.measured import OBSERVABLES, measured
from numerics.plan import Plan, Point, parameter_names, simulation
from numerics.sweep_words import same_simulations
from theory.errors import InvalidInput, MissingExtra, nearest
from theory.model import model_named

__all__ = ["plan_from", "read_plan"]

# Keys at the top of a plan, and what to write if one is missing.
_TOP = {
    "model": 'model = "hopfield", or a file as "./mymodel.py:MyModel"',
    "N": "N = [200, 400], the numbers of spins",
    "samples": "samples = 16, the disorder samples of every point",
    "seed": "",
    "samples_per_task": "",
    "observables": "",
    "parameters": "",
    "grid": "",
    "run": "",
}
# Arguments of a simulation that are no options of a run: the plan and its workers decide them.
_DECIDED = ("model", "N", "seed", "threads")
_RANGE = ("start", "stop", "count", "log")
# What the command decides and a plan does not, so that results are the same anywhere.
_OF_COMMAND = ("workers", "threads", "dask", "slurm", "shard", "out")
# Each point is validated before any work, each task is a file, and all samples are gathered in memory.
MOST_POINTS, MOST_TASKS, MOST_SAMPLES = 100_000, 1_000_000, 10_000_000


def read_plan(path: Path | str) -> Plan:
    """Read and validate a plan.

    Parameters
    ----------
    path : path
        A TOML file; a model's own file is looked for from its folder.

    Raises
    ------
    InvalidInput
        If the file is absent or no TOML, a key is unknown or missing, a value has the wrong type or is out of
        range, or any of the simulations is impossible; the sentence names the file and the key.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidInput(f"{path!r} is no plan; give the path of a TOML file, or a dictionary with its keys.")
    source = Path(path).expanduser()
    where = f"plan '{source}'"
    try:
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InvalidInput(f"{where} cannot be read ({problem.strerror}); give an existing TOML file.") from problem
    except UnicodeDecodeError as problem:
        raise InvalidInput(f"{where} is not TOML (no text in UTF-8); give a text file.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise InvalidInput(f"{where} is not TOML: {str(problem).rstrip('.')}; correct that line.") from problem
    return plan_from(table, where=where, folder=source.parent)


def plan_from(table: Mapping[str, Any], *, where: str = "plan", folder: Path | str = ".") -> Plan:
    """Validate a plan given as a dictionary with the keys of the TOML file.

    Parameters
    ----------
    table : dict
        Lists may be tuples or arrays.
    where : str
        Names the plan in errors.
    folder : path
        Where a model's own file is looked for.

    Raises
    ------
    InvalidInput
        As :func:`read_plan`.

    Examples
    --------
    >>> plan_from({"model": "hopfield", "N": [100, 200], "samples": 8, "grid": {"alpha": [0.05, 0.1]}}).tasks
    4
    """
    with _told(where):
        plan = _plan(_plain(table), Path(folder))
        _check_size(plan)
        cls = model_named(plan.model)
        _check_given(plan, cls)
    effective: dict[str, Any] | None = None
    never = set(plan.observables or ())
    first: dict[simulate.Task, Point] = {}
    repeated: list[tuple[Point, Point]] = []
    for point in plan.points():
        at = ", ".join(f"{name} = {value}" for name, value in {**point.values, "N": point.N}.items())
        with _told(f"{where} at {at}"):
            ready = simulation(plan, point, cls)
            never -= measured(ready)
            one = first.setdefault(ready, point)
            if one is not point:
                repeated.append((one, point))
            if effective is None:
                of_model = {name: value for name, value in point.values.items() if name in parameter_names(cls)}
                effective = simulate.parameters_of(cls(**plan.given, **of_model))
    if never:
        name = min(never)
        raise InvalidInput(
            f"{where}: observable '{name}' ({OBSERVABLES[name]}) is measured nowhere here; leave it out."
        )
    assert effective is not None  # no axis is empty
    return replace(
        plan,
        parameters={name: value for name, value in effective.items() if name not in plan.axes},
        remark=same_simulations(repeated) if repeated else "",
    )


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Put the place before the sentence of an error."""
    try:
        yield
    except (InvalidInput, MissingExtra) as problem:
        raise type(problem)(f"{where}: {problem}") from problem


def _check_size(plan: Plan) -> None:
    """Refuse more than can be validated, recorded or gathered."""
    points = math.prod(plan.shape[:-1])
    if points > MOST_POINTS:
        raise InvalidInput(
            f"[grid] and N make {points} points, and {MOST_POINTS} are the most; give fewer values, or several plans."
        )
    if points * plan.samples > MOST_SAMPLES:
        raise InvalidInput(
            f"samples = {plan.samples} of each of {points} points are {points * plan.samples} samples, and "
            f"{MOST_SAMPLES} are the most; give samples = {MOST_SAMPLES // points} or less, or several plans."
        )
    if plan.tasks > MOST_TASKS:
        least = -(-plan.samples // (MOST_TASKS // points))
        raise InvalidInput(
            f"samples_per_task = {plan.samples_per_task} makes {plan.tasks} tasks, and {MOST_TASKS} are the most; give "
            f"samples_per_task = {least} or more."
        )


def _check_given(plan: Plan, cls: type[Any]) -> None:
    """Refuse a plan that lacks a parameter of the model, where one without a value is None or an error."""
    defaults = {f.name: f.default for f in fields(cls)} if is_dataclass(cls) else {}
    for parameter in cls.parameters:
        name = parameter.name
        needed = parameter.default is None and name in defaults and defaults[name] in (None, MISSING)
        if needed and name not in plan.given and name not in plan.axes:
            raise InvalidInput(f"{name} is missing; give {name} in [grid] or [parameters].")


def _plain(value: Any) -> Any:
    """Return a value as a TOML file would have it."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _plan(table: Mapping[str, Any], folder: Path) -> Plan:
    """Make a plan of the keys, each looked at by itself."""
    for key in table:
        _known(key, _TOP, "", {"[run]": _options()})
    for key, example in _TOP.items():
        if example and key not in table:
            raise InvalidInput(f"{key} is missing; give {example}.")
    model, source = _model(table["model"], folder)
    cls = model_named(model)
    own, options = parameter_names(cls), _options()
    homes = {"": _TOP, "[parameters]": own, "[run]": options, "[grid]": [*own, *options]}
    fixed, grid, run = (_section(table, name) for name in ("parameters", "grid", "run"))
    for section, entries in (("[parameters]", fixed), ("[grid]", grid), ("[run]", run)):
        for key in entries:
            _known(key, homes[section], section, homes)
    for key in grid:
        if key in fixed or key in run:
            section = "[parameters]" if key in fixed else "[run]"
            raise InvalidInput(f"{key} is both fixed in {section} and varied in [grid]; leave out one of the two.")
    switches = {f.name for f in fields(cls) if isinstance(f.default, bool)} if is_dataclass(cls) else set()
    for key, value in fixed.items():
        if key in switches and not isinstance(value, bool):
            raise InvalidInput(f"{key} = {value!r} in [parameters] is not allowed; give true or false.")
        if not isinstance(value, str | int | float) or (isinstance(value, bool) and key not in switches):
            raise InvalidInput(f"{key} in [parameters] is no number or text; lists and ranges belong under [grid].")
    axes = {key: _axis(key, value) for key, value in grid.items()}
    for key in (p.name for p in cls.parameters):  # 1 and 1.0 are one value
        if isinstance(fixed.get(key), int):
            fixed[key] = float(fixed[key])
        if key in axes:
            axes[key] = tuple(float(v) if isinstance(v, int) else v for v in axes[key])
    for key, values in {**axes, **{key: (value,) for key, value in run.items()}}.items():
        for value in values if key in options else ():
            _check_type(key, value, options[key][0])
    chosen = {name: default for name, (_, default) in options.items()} | run
    return Plan(
        model=model,
        source=source,
        given=fixed,
        parameters={},
        axes=axes,
        N=_sizes(table["N"]),
        samples=_count("samples", table["samples"], least=1),
        seed=_count("seed", table.get("seed", 0)),
        options={name: value for name, value in chosen.items() if name not in axes},
        samples_per_task=_count("samples_per_task", table.get("samples_per_task", 16), least=1),
        observables=_observables(table.get("observables")),
    )


def _known(key: str, names: Collection[str], section: str, homes: Mapping[str, Collection[str]] = {}) -> None:
    """Refuse a key that is none of `names`, saying where else it belongs or which is meant."""
    if key in names:
        return
    home = next((other for other, known in homes.items() if key in known and other != "[grid]"), None)
    if home is None and key in _OF_COMMAND:
        remedy = "it belongs to the command line or to the call of sweep(); leave it out."
    elif home is not None:
        remedy = f"it belongs {'under ' + home if home else 'at the top, before the first section'}."
    else:
        close = nearest(key, names)
        remedy = f"did you mean '{close}'?" if close else f"known are {', '.join(names)}."
    raise InvalidInput(f"key '{key}' {'in ' + section + ' ' if section else ''}is unknown; {remedy}")


def _model(spec: Any, folder: Path) -> tuple[str, str | None]:
    """Return the model as any process finds it, and the hash of its own file."""
    if not isinstance(spec, str):
        raise InvalidInput(f"model = {spec!r} is no text; give {_TOP['model']}.")
    if ".py:" not in spec:
        return str(model_named(spec).name), None
    place, _, name = spec.rpartition(":")
    path = (folder / Path(place).expanduser()).resolve()
    model_named(f"{path}:{name}")  # refuses what is not there
    return f"{path}:{name}", hashlib.sha256(path.read_bytes()).hexdigest()


def _options() -> dict[str, tuple[Any, Any]]:
    """Type and default of every option of a simulation; a new one is known here by being one."""
    hints = typing.get_type_hints(simulate.task)
    arguments = inspect.signature(simulate.task).parameters
    return {name: (hints[name], p.default) for name, p in arguments.items() if name not in _DECIDED}


def _section(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    entries = table.get(name, {})
    if not isinstance(entries, dict):
        raise InvalidInput(f"{name} = {entries!r} is no section; write [{name}] and its keys below.")
    return dict(entries)


def _check_type(key: str, value: Any, kind: Any) -> None:
    kinds = [k for k in typing.get_args(kind) or (kind,) if k is not type(None)]
    allowed = tuple(kinds) + ((int,) if float in kinds else ())
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in kinds):
        names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise InvalidInput(
            f"{key} = {value!r} is not allowed; give {' or '.join(names.get(k, str(k)) for k in kinds)}."
        )


def _axis(key: str, value: Any) -> tuple[Any, ...]:
    """Values of one axis: a list, or a range with both ends."""
    values = _range(key, value) if isinstance(value, dict) else value
    if not isinstance(values, list):
        raise InvalidInput(
            f"{key} = {value!r} in [grid] is no list; give a list or {{ start = 0.1, stop = 0.2, count = 5 }}, and "
            "single values under [parameters] or [run]."
        )
    if not values:
        raise InvalidInput(f"{key} = [] in [grid] is empty; give at least one value.")
    kinds = {str if isinstance(v, str) else float for v in values}
    if len(kinds) > 1 or any(isinstance(v, bool) or not isinstance(v, str | int | float) for v in values):
        raise InvalidInput(f"{key} in [grid] is no list of numbers or of texts; give all values the same type.")
    if not all(isinstance(v, str) or math.isfinite(v) for v in values):
        raise InvalidInput(f"{key} in [grid] holds a value that is not finite; give finite numbers.")
    return _distinct(key, values)


def _range(key: str, value: dict[str, Any]) -> list[float]:
    for word in value:
        _known(word, _RANGE, f"[grid] {key}")
    for word in _RANGE[:3]:
        if word not in value:
            raise InvalidInput(f"{key} in [grid] has no {word}; a range is {{ start = 0.1, stop = 0.2, count = 5 }}.")
    log = value.get("log", False)
    if not isinstance(log, bool):
        raise InvalidInput(f"log = {log!r} of {key} in [grid] is not allowed; give true or false.")
    ends = []
    for word in _RANGE[:2]:
        end = value[word]
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end) or (log and end <= 0):
            raise InvalidInput(
                f"{word} = {end!r} of {key} in [grid] is not allowed; give a {'positive' if log else 'finite'} number."
            )
        ends.append(float(end))
    count = _count(f"count of {key} in [grid]", value["count"], least=2)
    if count > MOST_POINTS:
        raise InvalidInput(f"count of {key} in [grid] = {count} is too much; give {MOST_POINTS} values or less.")
    spaced = np.geomspace if log else np.linspace
    inner = spaced(ends[0], ends[1], count)[1:-1]
    # Twelve digits: 0.07 of one range is then the 0.07 of a longer one, and its records are found again.
    return [ends[0], *(float(f"{x:.12g}") for x in inner), ends[1]]


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = value if isinstance(value, list) else [value]
    if not sizes:
        raise InvalidInput("N = [] is empty; give at least one number of spins.")
    return _distinct("N", [_count("N", N, least=2) for N in sizes])


def _observables(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise InvalidInput(f"observables = {value!r} is no list of names; known are {', '.join(OBSERVABLES)}.")
    for name in value:
        if name not in OBSERVABLES:
            close = nearest(name, OBSERVABLES)
            hint = f"did you mean '{close}'?" if close else f"known are {', '.join(OBSERVABLES)}."
            raise InvalidInput(f"observable '{name}' is unknown; {hint}")
    return _distinct("observables", value)


def _distinct(key: str, values: list[Any]) -> tuple[Any, ...]:
    seen = set[Any]()
    for value in values:
        if value in seen:
            raise InvalidInput(f"{key} holds {value!r} twice; give every value once.")
        seen.add(value)
    return tuple(values)


def _count(key: str, value: Any, *, least: int | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least}"
        raise InvalidInput(f"{key} = {value!r} is not allowed; give a whole number{bound}.")
    return value
