"""Checks of arguments that several entry points share; each refuses in one sentence."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

from theory.errors import InvalidInput

__all__ = ["check_count", "check_model", "listed", "refuse"]


def check_count(name: str, value: object, least: int) -> None:
    """Raise InvalidInput unless `value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InvalidInput(f"{name} = {value!r} is not allowed; give an integer {name} >= {least}.")


def check_model(model: object) -> None:
    """Raise InvalidInput unless `model` is a model with values of its parameters, and not its name or class."""
    if isinstance(model, type) or not callable(getattr(model, "pattern_law", None)):
        given = f"the class {model.__name__}" if isinstance(model, type) else repr(model)
        raise InvalidInput(f"model = {given} is no model; give one with its parameters, as Hopfield(alpha=0.1).")


def listed(name: str, values: Any, kind: type, example: str) -> tuple[Any, ...]:
    """Return different numbers of a kind as a tuple; raise InvalidInput for anything else."""
    found = tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else None
    if not found or not all(isinstance(v, kind) and not isinstance(v, bool) for v in found):
        raise InvalidInput(f"{name} = {values!r} is no list of numbers; give one or more, as {name}=[{example}].")
    twice = [v for k, v in enumerate(found) if v in found[:k]]
    if twice:
        raise InvalidInput(f"{name} holds {twice[0]} twice; give every value once.")
    return found


def refuse(options: Mapping[str, object], why: str) -> None:
    """Raise InvalidInput for the first option that is given; `why` may contain {name}."""
    for name, value in options.items():
        if value is not None:
            raise InvalidInput(f"{name} = {value} {why.format(name=name)}")
