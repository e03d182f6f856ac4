"""How many different examples sparse training data can hold."""

from __future__ import annotations

import math

__all__ = ["distinct", "leaves_unseen"]


def distinct(D: int) -> int:
    """Number of examples of three out of D features with signs, up to a global sign: 4 D! / (3! (D - 3)!).

    Examples
    --------
    >>> distinct(40)
    39520
    """
    return 4 * math.comb(D, 3)


def leaves_unseen(N: int, alpha: float, alpha_d: float) -> bool:
    """Whether, beside P = alpha N stored examples, enough others are left: about two percent, and ten of them."""
    P, M = round(alpha * N), distinct(round(alpha_d * N))
    return P <= 4 * M and M * math.exp(-P / M) >= 8.0
