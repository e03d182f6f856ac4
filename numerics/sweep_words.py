"""What a sweep says to people: of failures, rates and times."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from numerics.plan import Point

__all__ = ["duration", "failures", "rate", "reason", "same_simulations", "to_stderr"]


def to_stderr(sentence: str) -> None:
    """Print a sentence."""
    print(sentence, file=sys.stderr, flush=True)


def same_simulations(pairs: Sequence[tuple[Point, Point]]) -> str:
    """Say which points of a grid are one simulation.

    Examples
    --------
    >>> one, other = (Point({"alpha": alpha}, 20, "", "") for alpha in (0.101, 0.102))
    >>> print(same_simulations([(one, other)]))  # doctest: +ELLIPSIS
    1 point of the grid repeats another, as alpha = 0.102 at N = 20 that of alpha = 0.101: their loads round to the ...
    """
    one, other = pairs[0]
    differ = [name for name in one.values if one.values[name] != other.values[name]]
    here, there = (", ".join(f"{name} = {point.values[name]}" for name in differ) for point in (other, one))
    count = "1 point of the grid repeats" if len(pairs) == 1 else f"{len(pairs)} points of the grid repeat"
    return (
        f"{count} another, as {here} at N = {other.N} that of {there}: their loads round to the same numbers of "
        "patterns, so their results are the same and not independent."
    )


def reason(problem: BaseException) -> str:
    """Say why a task failed, without a traceback."""
    if type(problem).__name__ == "KilledWorker":  # of Dask, whose own text is long
        return "the workers that ran it were killed, perhaps for want of memory"
    text = " ".join(str(problem).split())[:200].rstrip(".")
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__


def failures(failed: Mapping[str, str], total: int) -> str:
    """Say which tasks failed and why, the first few by name."""
    told = "; ".join(f"{name} ({reason})" for name, reason in list(failed.items())[:3])
    more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
    return f"{len(failed)} of {total} tasks failed: {told}{more}; the others are recorded, a new run tries these again."


def rate(per_second: float) -> str:
    """Return tasks per second or per minute."""
    return f"{per_second:.3g} tasks/s" if per_second >= 1 else f"{60 * per_second:.3g} tasks/min"


def duration(seconds: float) -> str:
    """Return a time for people.

    Examples
    --------
    >>> duration(42), duration(3700)
    ('42 s', '1 h 02 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
