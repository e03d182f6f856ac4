"""The numbers of a model: declared with their range, checked in one sentence, and listed in results."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from theory.errors import InvalidInput

__all__ = ["Parameter", "derived_of", "fixed"]


@dataclass(frozen=True)
class Parameter:
    """One scalar parameter of a model, as declared in its file.

    Attributes
    ----------
    name : str
        Field name in the model's dataclass; the command line spells it with hyphens.
    help : str
        One line: meaning and unit.
    low, high : float
        Allowed range.
    low_open : bool
        Whether `low` itself is excluded.
    default : float or None
        None means the value must be given.
    whole : bool
        Whether it is a whole number.
    """

    name: str
    help: str
    low: float = 0.0
    high: float = math.inf
    low_open: bool = True
    default: float | None = None
    whole: bool = False

    def allows(self, value: float) -> bool:
        """Whether a number lies inside the range."""
        above = value > self.low if self.low_open else value >= self.low
        return math.isfinite(value) and above and value <= self.high and (not self.whole or value == int(value))

    def check(self, value: float | None) -> None:
        """Raise InvalidInput unless `value` is None (still open) or a number inside the range."""
        if value is None:
            return
        interval = f"{self.low:g} {'<' if self.low_open else '<='} {self.name}" + (
            f" <= {self.high:g}" if math.isfinite(self.high) else " < infinity"
        )
        kind = "whole number" if self.whole else "number"
        try:
            if isinstance(value, (str, bytes, bool)):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError):
            raise InvalidInput(
                f"{self.name} = {value!r} is not a number; give a {kind} with {interval} ({self.help})."
            ) from None
        if not self.allows(number):
            kind = kind if self.whole else "value"
            raise InvalidInput(f"{self.name} = {number:g} is not allowed; give a {kind} with {interval} ({self.help}).")


def fixed(model: Any, *, leaving: Collection[str] = ()) -> dict[str, float]:
    """Values of the parameters that are not left open, then of the structural ones, for results."""
    given = {p.name: float(getattr(model, p.name)) for p in model.parameters if p.name not in leaving}
    return {**given, **{p.name: getattr(model, p.name) for p in getattr(model, "structural", ())}}


def derived_of(model: Any) -> dict[str, Any]:
    """What a model reports besides its parameters; nothing where it does not say."""
    return dict(model.derived()) if hasattr(model, "derived") else {}
