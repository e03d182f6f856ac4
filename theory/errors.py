"""Errors that speak to the user: one sentence with the value, the allowed range and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["InvalidInput", "MissingExtra", "NotConverged", "SpinodalError", "nearest"]


class SpinodalError(Exception):
    """Base class of every error that spinodal raises on purpose."""


class InvalidInput(SpinodalError, ValueError):
    """A value outside its allowed range; the message names the value, the range and the remedy."""


class MissingExtra(SpinodalError, ImportError):
    """An optional package is absent; the message carries the line that installs it."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that looks most like `word`, or None when nothing comes close.

    Examples
    --------
    >>> nearest("hopfeild", ["hopfield", "random-features"])
    'hopfield'
    """
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return found[0] if found else None


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
