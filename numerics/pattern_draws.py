"""What drawing patterns has in common, whatever the spins: sums of features in blocks, draws until one is new."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from theory.ensembles import RandomFeaturePatterns, VectorRandomFeaturePatterns
from theory.errors import InvalidInput

__all__ = ["BLOCK", "check_active", "combined", "unstored"]

BLOCK = 1 << 22  # numbers in one float64 work array (32 MB)
_REDRAWS = 1000

Pattern = TypeVar("Pattern")


def check_active(law: RandomFeaturePatterns | VectorRandomFeaturePatterns, D: int) -> None:
    """Refuse a sparse law that asks for more active features than the D there are."""
    if law.coefficients == "sparse" and law.L_train > D:
        raise InvalidInput(
            f"a sparse example with {law.L_train} active features needs at least as many features, but D = {D}; "
            "raise alpha_d or N, or lower L."
        )


def combined(coefficients: NDArray[Any], features: NDArray[Any]) -> NDArray[Any]:
    """Coefficients (rows, D) times features (D, columns) in the precision of the former, in blocks of columns."""
    sums = np.empty((len(coefficients), features.shape[1]), dtype=coefficients.dtype)
    width = max(64, BLOCK // len(features))
    for left in range(0, features.shape[1], width):
        part = slice(left, left + width)
        sums[:, part] = coefficients @ features[:, part].astype(coefficients.dtype)
    return sums


def unstored(
    fresh: Callable[[int], Pattern], is_stored: Callable[[Pattern], bool], *, P: int, D: int
) -> tuple[Pattern, int]:
    """Draw until a pattern is none of the P stored ones; return it and how many were rejected.

    Raises
    ------
    InvalidInput
        If 1000 fresh patterns in a row are stored.
    """
    for attempt in range(_REDRAWS + 1):
        pattern = fresh(attempt)
        if not is_stored(pattern):
            return pattern, attempt
    raise InvalidInput(
        f"every one of {_REDRAWS + 1} fresh patterns is already stored (P = {P}, D = {D}), so no unseen "
        "example is within reach; lower alpha or raise alpha_d or N."
    )
