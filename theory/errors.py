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
