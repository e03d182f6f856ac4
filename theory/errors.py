"""Errors that speak to the user: one sentence with the value, the allowed range and the remedy."""

from __future__ import annotations

import difflib
import numbers
import operator
from collections.abc import Iterable
from typing import Any

__all__ = ["InvalidInput", "MissingExtra", "NotConverged", "SpinodalError", "is_number", "nearest", "whole_number"]


class SpinodalError(Exception):
    """Base class of every error that spinodal raises on purpose."""


class InvalidInput(SpinodalError, ValueError):
    """A value outside its allowed range; the message names the value, the range and the remedy."""


class MissingExtra(SpinodalError, ImportError):
    """An optional package is absent; the message carries the line that installs it."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that looks most like `word` or alone begins with it, or None when nothing comes close.

    Examples
    --------
    >>> nearest("hopfeild", ["hopfield", "random-features"])
    'hopfield'
    >>> nearest("--temp", ["--alpha", "--temperature"])
    '--temperature'
    """
    # Case, hyphens and underscores are the same mistake everywhere; two leading hyphens would make options alike.
    plain = {_plain(choice): choice for choice in choices}
    wanted = _plain(word)
    found = difflib.get_close_matches(wanted, list(plain), n=1, cutoff=0.6)
    longer = [choice for choice in plain if len(wanted) > 2 and choice.startswith(wanted)]
    if not found and len(longer) == 1:
        found = longer
    return plain[found[0]] if found else None


def _plain(word: str) -> str:
    return word.lower().replace("_", "-").strip("-")


class NotConverged(SpinodalError, ArithmeticError):
    """A computation that gave no trustworthy number; `solution` carries what was reached, with its status.

    Attributes
    ----------
    solution : object
        The Solution, Threshold or Roots with status, residual and message.
    """

    def __init__(self, message: str, solution: object = None) -> None:
        super().__init__(message)
        self.solution = solution


def is_number(value: Any) -> bool:
    """Whether `value` is a real number, NumPy's included; True is none.

    Examples
    --------
    >>> is_number(0.5), is_number("0.5"), is_number(True)
    (True, False, False)
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def whole_number(name: str, value: Any, low: int, high: int | None = None, *, what: str = "a whole number") -> int:
    """Return `value` as an int, NumPy's integers included.

    Raises
    ------
    InvalidInput
        Unless it is a whole number with low <= value <= high; True and 3.0 are none.

    Examples
    --------
    >>> whole_number("K", 3, 2)
    3
    >>> whole_number("K", 1, 2, 9)
    Traceback (most recent call last):
    theory.errors.InvalidInput: K = 1 is not allowed; give a whole number, 2 <= K <= 9.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        bounds = f"{name} >= {low}" if high is None else f"{low} <= {name} <= {high}"
        raise InvalidInput(f"{name} = {value} is not allowed; give {what}, {bounds}.")
    return number
