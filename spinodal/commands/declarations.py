"""What a model declares, read from its source so that `--help` and misuse are answered without importing SymPy."""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import theory.model
from theory.model import Parameter

__all__ = ["Declaration", "declaration", "known_models"]


@dataclass(frozen=True)
class Declaration:
    """The part of a model that the command line is made from.

    Attributes
    ----------
    name, summary : str
        As in the model's class.
    states : tuple of str
        States it has.
    parameters : tuple of Parameter
        Its numbers.
    defaults : dict
        Field name to default; a field that is no parameter and has a text default becomes a text option, one that is
        False a switch.
    structural : tuple of Parameter
        Numbers on which its equations themselves depend; options too.
    option_help : mapping
        Help of the text options and switches, by name.
    methods : frozenset of str
        What the class itself defines; empty unless read from the source.
    """

    name: str
    summary: str
    states: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    defaults: dict[str, Any]
    structural: tuple[Parameter, ...] = ()
    option_help: Mapping[str, str] = field(default_factory=dict)
    methods: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of fields that are off by default; each becomes a switch."""
        return tuple(name for name, default in self.defaults.items() if default is False)

    @property
    def texts(self) -> dict[str, str]:
        """Fields with a text value, by name."""
        numbers = {p.name for p in self.parameters}
        return {k: v for k, v in self.defaults.items() if isinstance(v, str) and k not in numbers}


def declaration(name: str) -> Declaration:
    """Return what the model called `name` declares.

    Raises
    ------
    InvalidInput
        If there is no such model; the message gives the nearest one.

    Examples
    --------
    >>> declaration("hopfield").parameters[0].name
    'alpha'
    """
    wanted = name.replace("_", "-")
    found = _from_source(wanted) if wanted in theory.model.model_names() else None
    return found if found is not None else from_class(theory.model.model_named(name))


def from_class(cls: type[Any]) -> Declaration:
    """Return what an imported model class declares."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    defaults = {f.name: f.default for f in fields if f.init and f.default is not dataclasses.MISSING}
    structural = tuple(getattr(cls, "structural", ()))
    spoken = dict(getattr(cls, "option_help", {}))
    return Declaration(cls.name, cls.summary, tuple(cls.states), tuple(cls.parameters), defaults, structural, spoken)


def known_models(having: str = "") -> dict[str, str]:
    """Names and summaries of the models that can be found without importing one; those that define a method."""
    from importlib.metadata import entry_points

    found = {}
    for name in theory.model.model_names():
        known = _from_source(name)
        if known is None or not having or having in known.methods:
            found[name] = known.summary if known is not None else ""
    for point in entry_points(group="spinodal.models"):
        found.setdefault(point.name.replace("_", "-"), f"from {point.value}")
    return found


def _from_source(name: str) -> Declaration | None:
    """Declaration of a built-in model; None if it is written in a way that needs an import."""
    path = Path(theory.model.__file__).with_name("models") / f"{name.replace('-', '_')}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            try:
                own, shared = _assignments(node)
            except Exception:
                return None
            if shared.get("name") == name and shared.keys() >= {"summary", "states", "parameters"}:
                summary, states, parameters = (shared[k] for k in ("summary", "states", "parameters"))
                structural, spoken = shared.get("structural", ()), shared.get("option_help", {})
                methods = frozenset(item.name for item in node.body if isinstance(item, ast.FunctionDef))
                return Declaration(name, summary, states, parameters, own, structural, spoken, methods)
    return None


def _assignments(node: ast.ClassDef) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values of the dataclass fields and of the class variables the command line needs."""
    own: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for item in node.body:
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.value is not None):
            continue
        if "ClassVar" not in ast.unparse(item.annotation):
            own[item.target.id] = ast.literal_eval(item.value)
        elif item.target.id in ("name", "summary", "states", "parameters", "structural", "option_help"):
            # Declarations are literals and calls of Parameter; anything else raises, and the model is imported.
            known = {"Parameter": Parameter, "math": math, "__builtins__": {}}
            shared[item.target.id] = eval(compile(ast.Expression(item.value), "declaration", "eval"), known)
    return own, shared
