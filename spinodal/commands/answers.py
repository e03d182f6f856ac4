"""What a command answers: one JSON object, or tables for people; and how both are printed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "DISAGREEMENT",
    "MISUSE",
    "NOT_CONVERGED",
    "OK",
    "Answer",
    "console",
    "deliver",
    "plain",
    "rounded",
    "say",
    "table",
]

OK, FAULT, MISUSE, NOT_CONVERGED, DISAGREEMENT = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Answer:
    """Result of a command.

    Attributes
    ----------
    data : mapping
        The JSON object; NaN, infinities and NumPy scalars are allowed here and cleaned when printed.
    show : callable
        Prints the same for a reader on the console it is given.
    code : int
        Exit code.
    remark : str
        One sentence for stderr, printed in either form; empty for none.
    """

    data: Mapping[str, Any]
    show: Callable[[Console], None]
    code: int = OK
    remark: str = ""


def plain(value: Any) -> Any:
    """Return `value` made of JSON types only: numbers that are not finite become None.

    Examples
    --------
    >>> plain({"m": float("nan"), "all": (1, 2.5), 3: float("inf")})
    {'m': None, 'all': [1, 2.5], '3': None}
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, without importing NumPy
        return plain(value.tolist())
    if hasattr(value, "to_json"):
        return plain(value.to_json())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def console(*, stderr: bool = False) -> Console:
    """Rich console; where the output is no terminal it writes plain text, 80 columns unless COLUMNS says more."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def say(sentence: str) -> None:
    """Print one sentence on stderr, on one line."""
    print(" ".join(sentence.split()), file=sys.stderr)


def deliver(answer: Answer, *, as_json: bool) -> int:
    """Print `answer` and return its exit code."""
    if answer.remark:
        say(answer.remark)
    if as_json:
        # One write of a finished text: a failure above leaves stdout empty.
        sys.stdout.write(json.dumps(plain(answer.data), allow_nan=False) + "\n")
    else:
        answer.show(console())
    sys.stdout.flush()
    return answer.code


def table(out: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers with 12 digits, unknown ones as '-'.  Lines are drawn on a terminal only."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    style = box.SIMPLE_HEAD if out.is_terminal else None
    grid = Table(box=style, title_justify="left", show_header=any(columns), pad_edge=False, show_edge=False)
    for k, column in enumerate(columns):
        grid.add_column(column, justify="left", overflow="fold", no_wrap=k == 0)
    for row in rows:
        grid.add_row(*(Text(cell(item)) for item in row))
    if title:
        out.print(Text(title, style="bold"))
    out.print(grid)


def rounded(value: float, error: float | None) -> tuple[str, str]:
    """Value and error with the digits that the error leaves; one sample has no error.

    Examples
    --------
    >>> rounded(0.993971234, 0.00062)
    ('0.99397', '0.00062')
    """
    if error is None or not math.isfinite(error):
        return f"{value:.6g}", "-"
    if error <= 0.0:
        return f"{value:.6g}", f"{error:.2g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f}", f"{error:.{digits}f}"


def cell(value: object) -> str:
    """Text of one table cell.

    Examples
    --------
    >>> cell(0.137905566494931), cell(float("nan")), cell(True), cell(None)
    ('0.137905566495', '-', 'yes', '-')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value + 0.0:.12g}" if math.isfinite(value) else "-"  # no "-0"
    return str(value)
